//! Hidden state of a Jupyter notebook: what makes its stored outputs say something else than its
//! code, and names that exist only in its author's kernel. Warnings only.

use std::collections::BTreeSet;

use crate::diagnostic::{Code, Diagnostic};
use crate::notebook::{Cell, CellId, CellKind, Notebook};

use super::CellGraph;

/// Names that let a cell make other names without an assignment that can be seen.
const MAKERS: &[&str] =
    &["__builtins__", "builtins", "exec", "get_ipython", "globals", "locals", "vars"];

/// Findings about a notebook whose cells run from top to bottom.
pub(super) fn inspect(notebook: &Notebook, graph: &CellGraph) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    if notebook.language == "python" {
        diagnostics.extend(undefined(notebook, graph));
    }
    diagnostics.extend(out_of_order(notebook));
    diagnostics.extend(stale(notebook, graph));
    diagnostics
}

/// Names that no cell defines. Says nothing about notebooks where a name may come from anywhere.
fn undefined(notebook: &Notebook, graph: &CellGraph) -> Vec<Diagnostic> {
    let mut defined: BTreeSet<&str> = BTreeSet::new();
    for names in graph.names.values() {
        let makes = MAKERS.iter().any(|it| names.references.contains(it));
        if names.is_opaque || !names.star_imports.is_empty() || makes {
            return Vec::new();
        }
        defined.extend(names.definitions.keys());
    }
    let is_hidden = |cell: &Cell| cell.kind == CellKind::Unparsable || cell.options.injected;
    if notebook.cells.iter().any(is_hidden) {
        return Vec::new();
    }
    let mut diagnostics = Vec::new();
    let mut told = BTreeSet::new();
    for (id, names) in &graph.names {
        let Some(cell) = notebook.cell(*id) else { continue };
        let is_expected = cell.options.raises_exception
            || cell.options.skip_execution
            || cell.code.contains("NameError")
            || has_generic_class(&cell.code);
        if is_expected {
            continue;
        }
        for (name, &span) in names.references.iter() {
            let is_known = defined.contains(name)
                || crate::python::is_builtin(name)
                // IPython's own: `_`, `_3`, `__`; and whatever hides behind dunder names.
                || name.starts_with('_')
                || names.is_deferred(name) && may_be_local(&cell.code, name)
                || !told.insert(name);
            if !is_known {
                let message = format!("`{name}` is used, but no cell defines it");
                diagnostics.push(
                    Diagnostic::warning(Code::UndefinedName, span, message)
                        .with_label("not defined in this notebook")
                        .with_help("import or define it; it may have been left in the kernel"),
                );
            }
        }
    }
    diagnostics
}

/// Whether a function may bind the name after the place where it reads it, in a loop for example:
/// marimo's rules take that for a name of the notebook.
fn may_be_local(code: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(at, _)| {
        let before = code.get(..at).unwrap_or_default();
        let after = code.get(at + name.len()..).unwrap_or_default();
        let next = after.trim_start();
        let binds = next.starts_with(',')
            || next.starts_with("in ")
            || next.starts_with('=') && !next.starts_with("==");
        !before.ends_with(is_word) && !after.starts_with(is_word) && binds
    })
}

/// `class C[T](Base[T])`: marimo's rules take `T` for a name of the notebook.
fn has_generic_class(code: &str) -> bool {
    code.lines().any(|line| {
        let Some(rest) = line.trim_start().strip_prefix("class ") else { return false };
        rest.split(['(', ':']).next().is_some_and(|it| it.contains('['))
    })
}

/// The first cell that ran before a cell above it.
fn out_of_order(notebook: &Notebook) -> Option<Diagnostic> {
    let mut highest: Option<(u64, &Cell)> = None;
    for cell in &notebook.cells {
        // IPython counts from 1; some tools write 0 for a cell that was not run.
        let Some(count) = cell.execution_count.filter(|it| *it > 0) else { continue };
        if let Some((above, other)) = highest
            && count < above
        {
            let message = format!(
                "the cells were run out of order: `In [{count}]` stands below `In [{above}]`"
            );
            return Some(
                Diagnostic::warning(Code::ExecutionOrder, cell.head(), message)
                    .with_label(format!("ran as number {count}"))
                    .with_other(other.head(), format!("ran later, as number {above}"))
                    .with_help("restart the kernel, run all cells and save the notebook"),
            );
        }
        highest = Some((count, cell));
    }
    None
}

/// Outputs that another state of the notebook gave.
fn stale(notebook: &Notebook, graph: &CellGraph) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let warn = |cell: &Cell, message: String| {
        Diagnostic::warning(Code::StaleOutput, cell.head(), message)
            .with_help("run the notebook again and save it, or build with `--execute always`")
    };
    for (id, cell) in notebook.cells() {
        let Some(outputs) = cell.stored_outputs.as_ref().filter(|_| cell.kind == CellKind::Code)
        else {
            continue;
        };
        if cell.code.trim().is_empty() {
            diagnostics.push(warn(cell, "the cell is empty, but holds an output".to_owned()));
            continue;
        }
        let Some(count) = cell.execution_count else { continue };
        if let Some(other) = outputs.result_count().filter(|it| *it != count) {
            let message = format!("the output is of run {other}, the cell of run {count}");
            diagnostics.push(warn(cell, message));
            continue;
        }
        if let Some((later, parent)) = later_parent(notebook, graph, id, count) {
            let message = "the output is older than a cell that it depends on".to_owned();
            diagnostics.push(
                warn(cell, message)
                    .with_label(format!("ran as number {count}"))
                    .with_other(parent.head(), format!("ran again later, as number {later}")),
            );
        }
    }
    diagnostics
}

/// A cell that this one needs and that ran after it.
fn later_parent<'a>(
    notebook: &'a Notebook,
    graph: &CellGraph,
    id: CellId,
    count: u64,
) -> Option<(u64, &'a Cell)> {
    let parents = graph.parents.get(&id)?.iter();
    let cells = parents.filter_map(|it| notebook.cell(*it));
    cells.filter_map(|it| Some((it.execution_count?, it))).find(|(later, _)| *later > count)
}
