//! The graph as text: Mermaid, DOT, and JSON with the keys of marimo's own view.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::notebook::{Cell, CellId, CellKind, Notebook};
use crate::source::Sources;

use super::{CellGraph, Problem};

/// A Mermaid flowchart.
pub fn mermaid(notebook: &Notebook, graph: &CellGraph) -> String {
    let mut text = String::from("flowchart TD\n");
    for (id, cell) in shown(notebook) {
        // A quote or a `#` in the label would end it or start an entity.
        let label = title(id, cell, graph);
        let label = label.replace('#', "#35;").replace('"', "#quot;").replace('<', "#lt;");
        let _ = writeln!(text, "    c{}[\"{label}\"]", id.0);
    }
    for (parent, children) in &graph.children {
        for child in children {
            let _ = writeln!(text, "    c{} --> c{}", parent.0, child.0);
        }
    }
    text
}

/// A Graphviz digraph.
pub fn dot(notebook: &Notebook, graph: &CellGraph) -> String {
    let mut text = String::from("digraph notebook {\n    node [shape=box];\n");
    for (id, cell) in shown(notebook) {
        let label = title(id, cell, graph).replace('\\', "\\\\").replace('"', "\\\"");
        let _ = writeln!(text, "    c{} [label=\"{label}\"];", id.0);
    }
    for (parent, children) in &graph.children {
        for child in children {
            let _ = writeln!(text, "    c{} -> c{};", parent.0, child.0);
        }
    }
    text.push_str("}\n");
    text
}

/// Most cells that one finding of one cell names: every cell of a thousand that are at fault has a
/// finding of its own.
const MOST_NAMED: usize = 20;

fn shown(notebook: &Notebook) -> impl Iterator<Item = (CellId, &Cell)> {
    notebook.cells().filter(|(_, it)| it.kind.is_runnable() || it.kind == CellKind::Unparsable)
}

fn title(id: CellId, cell: &Cell, graph: &CellGraph) -> String {
    let name = cell.name.clone().unwrap_or_else(|| format!("cell {}", id.0 + 1));
    let Some(names) = graph.names.get(&id) else { return name };
    let mut defined: Vec<&str> = names.definitions.keys().collect();
    let more = defined.len().saturating_sub(4);
    defined.truncate(4);
    match (defined.is_empty(), more) {
        (true, _) => name,
        (false, 0) => format!("{name}: {}", defined.join(", ")),
        (false, more) => format!("{name}: {} and {more} more", defined.join(", ")),
    }
}

/// One JSON object on one line.
pub fn json(sources: &Sources, notebook: &Notebook, graph: &CellGraph) -> String {
    let file = sources.get(notebook.source);
    let cells: Vec<Value> = notebook
        .cells()
        .map(|(id, cell)| {
            let names = graph.names.get(&id);
                        let span = cell.whole();
            let line = sources.get(span.source).line_column(span.start).line;
            json!({
                "index": id.0,
                "name": cell.name.as_deref().unwrap_or("_"),
                "kind": kind(cell.kind),
                "lineno": line,
                "code": &*cell.code,
                "compiled": names.is_some(),
                "disabled": cell.options.disabled,
                "defs": names.map(|it| it.definitions.keys().collect::<Vec<_>>()).unwrap_or_default(),
                "refs": names.map(|it| it.references.keys().collect::<Vec<_>>()).unwrap_or_default(),
                "private": names.map(|it| it.temporaries.keys().collect::<Vec<_>>()).unwrap_or_default(),
                "deleted_refs": names.map(|it| it.deletions.keys().collect::<Vec<_>>()).unwrap_or_default(),
                "language": if names.is_some_and(|it| it.is_sql) { "sql" } else { "python" },
                "parents": graph.parents.get(&id).map(numbers).unwrap_or_default(),
                "children": graph.children.get(&id).map(numbers).unwrap_or_default(),
            })
        })
        .collect();
    let errors: Vec<Value> = graph.problems.iter().map(problem).collect();
    json!({
        "file": file.path().as_str(),
        "cells": cells,
        "order": numbers(&graph.full_order),
        "run_order": numbers(&graph.order),
        "errors": errors,
    })
    .to_string()
}

fn numbers<'a>(ids: impl IntoIterator<Item = &'a CellId>) -> Vec<u32> {
    ids.into_iter().map(|it| it.0).collect()
}

fn kind(kind: CellKind) -> &'static str {
    match kind {
        CellKind::Code => "cell",
        CellKind::Setup => "setup",
        CellKind::Function => "function",
        CellKind::Class => "class",
        CellKind::Unparsable => "unparsable",
        CellKind::Markdown => "markdown",
        CellKind::Raw => "raw",
    }
}

fn problem(problem: &Problem) -> Value {
    match problem {
        Problem::Syntax(cell) => json!({ "cell": cell.0, "type": "syntax" }),
        Problem::StarImport(cell) => json!({ "cell": cell.0, "type": "import-star" }),
        Problem::SetupReference(cell) => json!({ "cell": cell.0, "type": "setup-refs" }),
        Problem::MultipleDefinitions { cell, name, definers } => json!({
            "cell": cell.0, "type": "multiple-defs", "name": name,
            "others": numbers(definers.iter().filter(|it| *it != cell).take(MOST_NAMED)),
        }),
        Problem::Cycle { cell, edges } => {
            let edges: Vec<Value> = edges
                .iter()
                .take(MOST_NAMED)
                .map(|(from, via, to)| json!([from.0, via, to.0]))
                .collect();
            json!({ "cell": cell.0, "type": "cycle", "edges": edges })
        }
    }
}
