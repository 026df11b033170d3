//! Findings about outputs of cells that the runner left out: the kind, the size, and the way out.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::notebook::{CellId, Notebook};
use crate::run::record::LeftOut;
use crate::run::{OutputLimits, RunRecord};

/// Warnings about what is missing from the page, in the run itself and in its states.
pub(super) fn findings(notebook: &Notebook, record: &RunRecord) -> Vec<Diagnostic> {
    let own = record.cells.iter().flat_map(|(id, run)| run.left_out.iter().map(|it| (*id, it)));
    let mut told: Vec<(CellId, String, String)> =
        own.map(|(id, it)| (id, said(it), way_out(it))).collect();
    for ((id, _), (it, states)) in of_states(record) {
        let number = if states == 1 { "a state".to_owned() } else { format!("{states} states") };
        told.push((id, format!("in {number} of the page, {}", said(&it)), way_out(&it)));
    }
    told.sort_by_key(|(id, ..)| *id);
    let located = told.into_iter().filter_map(|(id, message, help)| {
        let place = notebook.cell(id)?.head();
        Some(Diagnostic::warning(Code::OutputTooLarge, place, message).with_help(help))
    });
    located.collect()
}

/// The largest of each kind that states left out of a cell, and the number of those states.
fn of_states(record: &RunRecord) -> BTreeMap<(CellId, String), (LeftOut, usize)> {
    let mut found: BTreeMap<_, (LeftOut, usize)> = BTreeMap::new();
    let states = record.sweep.iter().flat_map(|it| &it.states);
    for (id, run) in states.flat_map(|it| &it.cells) {
        for it in &run.left_out {
            let (largest, states) = found.entry((*id, kind(it))).or_insert_with(|| (it.clone(), 0));
            *states += 1;
            if size(it) > size(largest) {
                *largest = it.clone();
            }
        }
    }
    found
}

/// Equal for what is told together.
fn kind(left_out: &LeftOut) -> String {
    match left_out {
        LeftOut::Display { mime, .. } => mime.clone(),
        LeftOut::Text { .. } => "text".to_owned(),
        LeftOut::Outputs { .. } => "outputs".to_owned(),
        LeftOut::Metadata { .. } => "metadata".to_owned(),
        LeftOut::Types { .. } => "types".to_owned(),
        LeftOut::Cell { .. } => "cell".to_owned(),
    }
}

fn size(left_out: &LeftOut) -> u64 {
    match left_out {
        LeftOut::Display { bytes, .. }
        | LeftOut::Text { bytes }
        | LeftOut::Metadata { bytes }
        | LeftOut::Cell { bytes } => *bytes,
        LeftOut::Outputs { count } | LeftOut::Types { count } => *count,
    }
}

fn said(left_out: &LeftOut) -> String {
    match left_out {
        LeftOut::Display { mime, bytes, count: 0 | 1 } => {
            format!("`{mime}` of an output is left out: it has {bytes} bytes")
        }
        LeftOut::Display { mime, bytes, count } => {
            format!("`{mime}` of {count} outputs is left out: the largest has {bytes} bytes")
        }
        LeftOut::Text { bytes } => format!("printed text is left out: {bytes} bytes of it"),
        LeftOut::Outputs { count } => {
            format!("outputs are left out: the cell has {count} more than a cell may have")
        }
        LeftOut::Metadata { bytes } => {
            format!("the metadata of an output are left out: they have {bytes} bytes")
        }
        LeftOut::Types { count } => {
            format!("representations of an output are left out: it has {count} too many")
        }
        LeftOut::Cell { bytes } => {
            format!("all outputs of the cell are left out: they have {bytes} bytes")
        }
    }
}

fn way_out(left_out: &LeftOut) -> String {
    let raised = |flag: &str| format!("raise the limit with `{flag}`, or show less");
    match left_out {
        LeftOut::Display { .. } | LeftOut::Text { .. } => raised("--output-size SIZE"),
        LeftOut::Outputs { .. } => raised("--outputs NUMBER"),
        LeftOut::Cell { bytes } if *bytes > OutputLimits::CELL_BYTES => {
            let most = OutputLimits::CELL_BYTES >> 20;
            format!("one cell shows at most {most} MiB: divide it, or show less")
        }
        LeftOut::Cell { .. } => raised("--outputs-size SIZE"),
        LeftOut::Metadata { .. } | LeftOut::Types { .. } => {
            "no flag raises this limit: give the output fewer of them".to_owned()
        }
    }
}
