//! Pictures of the web that notebooks name in prose and in stored outputs.
//!
//! Cells are rendered as for a page, so that exactly those addresses are found that a page would ask for. Nothing is run,
//! and outputs of earlier runs are not looked at: their addresses are chosen by code, which could put into one what it read.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8Path;
use rayon::prelude::*;

use super::analysis::Analyzed;
use super::document::raw;
use crate::diagnostic::{Code, Diagnostic};
use crate::interrupt::Cancel;
use crate::notebook::{Cell, CellKind};
use crate::output::{
    self, Interactivity, Mathematics, Neighbours, OutputPosition, RemotePictures, Shown, TO_LOCK,
};
use crate::remote::{Address, AssetsLock, LOCK};
use crate::run::record::CellRun;
use crate::run::stored::stored;
use crate::source::Span;

/// Pictures of the web that notebooks name.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// The first place of each address.
    pub(super) places: BTreeMap<Address, Span>,
    /// Addresses that nothing is fetched from.
    pub(super) findings: Vec<Diagnostic>,
}

/// The pictures of the web that a notebook names.
pub(super) fn named(analyzed: &Analyzed, shown: &Shown) -> Named {
    let (record, _) = stored(&analyzed.notebook);
    let cells: Vec<_> = analyzed.notebook.cells().filter(|(_, it)| !it.options.hide_cell).collect();
    let cancel = Cancel::current();
    let found: Vec<Named> = output::on_big_stack(|| {
        let each = cells
            .par_iter()
            .map(|(id, cell)| cancel.during(|| named_by(cell, record.cells.get(id), shown)));
        each.collect()
    });
    let mut all = Named::default();
    for it in found {
        for (address, span) in it.places {
            all.places.entry(address).or_insert(span);
        }
        all.findings.extend(it.findings);
    }
    all
}

fn named_by(cell: &Cell, stored: Option<&CellRun>, shown: &Shown) -> Named {
    let nothing = Utf8Path::new("");
    let neighbours = Neighbours::new(nothing, nothing, Box::new(|_| None));
    let neighbours = Arc::new(neighbours.with_remote(Some(RemotePictures::noted())));
    let place = OutputPosition { span: cell.head(), scope: "c1" };
    let of_marimo = prose_of_marimo(&cell.code);
    let prose = of_marimo.as_deref().or((cell.kind == CellKind::Markdown).then_some(&*cell.code));
    let refused = if let Some(text) = prose {
        let none = serde_json::Map::new();
        let attachments = cell.attachments.as_deref().unwrap_or(&none);
        let (mathematics, lines) = (Mathematics::default(), |_| cell.head());
        let prose =
            output::markdown(text, attachments, Some(&neighbours), &mathematics, &place, &lines);
        prose.value.refused
    } else {
        let raw = raw(cell);
        let Some(run) = raw.as_ref().or(stored.filter(|_| !cell.options.hide_output)) else {
            return Named::default();
        };
        let neighbours = Some(Arc::clone(&neighbours));
        let interactivity = Interactivity { neighbours, ..Interactivity::default() };
        output::cell(run, &place, shown, &interactivity).value.refused
    };
    let asked = neighbours.remote().map(RemotePictures::asked).unwrap_or_default();
    // Parts of an f-string are no address.
    let asked = asked.into_iter().filter(|(_, written)| !written.contains(['{', '}']));
    let places = asked.map(|(address, written)| {
        let span = output::place_of(cell, written.trim());
        (address, span)
    });
    Named { places: places.collect(), findings: output::refused_files(cell, &refused) }
}

/// The text of a marimo cell that only calls `mo.md` with one string, without the indentation of its lines.
fn prose_of_marimo(code: &str) -> Option<String> {
    let inner = code.trim().strip_prefix("mo.md(")?.strip_suffix(')')?.trim();
    let inner = inner.trim_start_matches(|it: char| it.is_ascii_alphabetic());
    let quotes = ["\"\"\"", "'''", "\"", "'"].into_iter();
    let text = quotes.filter_map(|it| inner.strip_prefix(it)?.strip_suffix(it)).next()?;
    let indentation = |it: &str| it.len() - it.trim_start().len();
    let lines = || text.lines().skip(1).filter(|it| !it.trim().is_empty());
    let least = lines().map(indentation).min().unwrap_or_default();
    let lines = text.lines().map(|it| match it.get(..least) {
        Some(before) if before.trim().is_empty() => it.get(least..).unwrap_or_default(),
        _ => it.trim_start(),
    });
    Some(lines.collect::<Vec<_>>().join("\n"))
}

/// Findings about the pictures that a notebook names and that a build would not show.
pub(super) fn unpinned(analyzed: &Analyzed, shown: &Shown, lock: &AssetsLock) -> Vec<Diagnostic> {
    let Named { places, mut findings } = named(analyzed, shown);
    findings.extend(unlocked(&places, lock));
    findings
}

/// Findings about pictures that a lock does not name.
pub(super) fn unlocked(places: &BTreeMap<Address, Span>, lock: &AssetsLock) -> Vec<Diagnostic> {
    let missing = places.iter().filter(|(address, _)| lock.get(address).is_none());
    let told = missing.map(|(address, span)| {
        let message = format!("`{}` is not locked: `{LOCK}` does not name it", address.shown());
        Diagnostic::warning(Code::UnlockedPicture, *span, message).with_help(TO_LOCK)
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_marimo_cell_is_its_string() {
        let check = |code: &str| prose_of_marimo(code);
        assert_eq!(
            check("mo.md(\n    r\"\"\"\n    # Title\n\n    text\n    \"\"\"\n)").as_deref(),
            Some("\n# Title\n\ntext\n")
        );
        assert_eq!(check("mo.md('a')").as_deref(), Some("a"));
        assert_eq!(check("mo.md(a)"), None);
        assert_eq!(check("x = 1"), None);
    }
}
