//! Jupyter's dataflow: cells run from top to bottom, so edges only point downwards.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::notebook::{CellId, Notebook};

use super::CellGraph;

/// Edges in document order, and warnings for what contradicts that order.
pub(super) fn analyze(notebook: &Notebook, graph: &mut CellGraph) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let names = std::mem::take(&mut graph.names);
    let mut first: BTreeMap<&str, CellId> = BTreeMap::new();
    for (&id, names) in &names {
        for name in names.definitions.keys() {
            first.entry(name).or_insert(id);
        }
    }
    let mut latest: BTreeMap<&str, CellId> = BTreeMap::new();
    // After a star import, or a magic such as `%run`, any name may exist.
    let mut open = false;
    for (&id, cell) in &names {
        for (name, &span) in cell.references.iter() {
            if let Some(&definer) = latest.get(name) {
                graph.connect(definer, id);
                continue;
            }
            let Some(&later) = first.get(name).filter(|it| **it > id) else { continue };
            let deferred = cell.is_deferred(name);
            if open || deferred || is_builtin(name) || cell.definitions.contains(name) {
                continue;
            }
            let message = format!("`{name}` is used before any cell defines it");
            let place = names.get(&later).and_then(|it| it.definitions.get(name));
            let mut diagnostic = Diagnostic::warning(Code::UseBeforeDefinition, span, message)
                .with_label("not defined yet when the cells run from top to bottom")
                .with_help("move the defining cell up");
            if let Some(&place) = place {
                diagnostic = diagnostic.with_other(place, "defined only here");
            }
            diagnostics.push(diagnostic);
        }
        open |= cell.is_opaque || !cell.star_imports.is_empty();
        for name in cell.definitions.keys() {
            latest.insert(name, id);
        }
    }
    let skipped = |id: CellId| notebook.cell(id).is_some_and(|it| it.options.skip_execution);
    graph.full_order = names.keys().copied().collect();
    graph.order = names.keys().copied().filter(|&id| !skipped(id)).collect();
    graph.names = names;
    diagnostics
}

/// Names that exist in every notebook before its first cell, as far as cells redefine them.
fn is_builtin(name: &str) -> bool {
    crate::python::is_builtin(name)
}
