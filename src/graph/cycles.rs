//! Cycles: one finding for every knot of cells, with a shortest path around it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};
use crate::notebook::{Cell, CellId, Notebook};

use super::{CellGraph, Problem};

/// Finds the knots among the cells that have no place in the order.
pub(super) fn find(notebook: &Notebook, graph: &mut CellGraph) -> Vec<Diagnostic> {
    if graph.full_order.len() == graph.names.len() {
        return Vec::new();
    }
    let ordered: BTreeSet<CellId> = graph.full_order.iter().copied().collect();
    let open: BTreeSet<CellId> =
        graph.names.keys().filter(|it| !ordered.contains(it)).copied().collect();
    let mut diagnostics = Vec::new();
    for knot in knots(graph, &open) {
        let path = knot.first().and_then(|start| around(graph, &knot, *start));
        diagnostics.extend(path.and_then(|it| report(notebook, graph, &it)));
    }
    diagnostics
}

/// Sets of cells that all need each other, by their first cells: Kosaraju's algorithm, with the
/// stack on the heap.
fn knots(graph: &CellGraph, open: &BTreeSet<CellId>) -> Vec<BTreeSet<CellId>> {
    let mut seen = BTreeSet::new();
    let mut finished = Vec::with_capacity(open.len());
    for &start in open {
        let mut stack = vec![(start, false)];
        while let Some((cell, is_done)) = stack.pop() {
            if is_done {
                finished.push(cell);
            } else if seen.insert(cell) {
                stack.push((cell, true));
                let children = graph.children.get(&cell).into_iter().flatten();
                stack.extend(children.filter(|it| open.contains(it)).map(|&it| (it, false)));
            }
        }
    }
    let mut left = open.clone();
    let mut found = Vec::new();
    for start in finished.into_iter().rev() {
        let mut knot = BTreeSet::new();
        let mut stack = vec![start];
        while let Some(cell) = stack.pop() {
            if left.remove(&cell) {
                knot.insert(cell);
                stack.extend(graph.parents.get(&cell).into_iter().flatten());
            }
        }
        if knot.len() > 1 {
            found.push(knot);
        }
    }
    found.sort();
    found
}

/// A shortest path from a cell back to itself, without the repetition at its end.
fn around(graph: &CellGraph, open: &BTreeSet<CellId>, start: CellId) -> Option<Vec<CellId>> {
    let mut before: BTreeMap<CellId, CellId> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(cell) = queue.pop_front() {
        for &child in graph.children.get(&cell).into_iter().flatten() {
            if child == start {
                let mut path = vec![cell];
                let mut at = cell;
                while let Some(&previous) = before.get(&at).filter(|_| at != start) {
                    path.push(previous);
                    at = previous;
                }
                path.reverse();
                return Some(path);
            }
            if open.contains(&child) && !before.contains_key(&child) {
                before.insert(child, cell);
                queue.push_back(child);
            }
        }
    }
    None
}

fn report(notebook: &Notebook, graph: &mut CellGraph, path: &[CellId]) -> Option<Diagnostic> {
    let next = path.iter().cycle().skip(1);
    let edges: Arc<[(CellId, Vec<String>, CellId)]> =
        path.iter().zip(next).map(|(&from, &to)| (from, via(graph, from, to), to)).collect();
    for &cell in path {
        graph.problems.push(Problem::Cycle { cell, edges: Arc::clone(&edges) });
    }
    let count = edges.len();
    let names: Vec<String> = edges
        .iter()
        .map(|(_, names, _)| names.first().map_or_else(String::new, |it| format!("`{it}`")))
        .collect();
    let message = format!("{count} cells need each other in a circle: {}", names.join(", "));
    let mut diagnostic: Option<Diagnostic> = None;
    for (from, names, to) in &*edges {
        let name = names.first().map_or("", String::as_str);
        let user = graph.names.get(to);
        let span = user
            .and_then(|it| it.references.get(name))
            .copied()
            .or_else(|| notebook.cell(*to).map(Cell::whole))?;
        let deleted = user.is_some_and(|it| it.deletions.contains(name));
        let label = match notebook.cell(*from).and_then(|it| it.name.as_deref()) {
            _ if deleted => format!("deletes `{name}`, so it runs after all cells that use it"),
            Some(cell) => format!("needs `{name}` of cell `{cell}`"),
            None => format!("needs `{name}` of cell {}", from.0 + 1),
        };
        diagnostic = Some(match diagnostic {
            None => Diagnostic::error(Code::Cycle, span, message.clone()).with_label(label),
            Some(it) => it.with_other(span, label),
        });
    }
    diagnostic.map(|it| {
        it.with_help("move the shared definition into a cell of its own, or merge the cells")
    })
}

fn via(graph: &CellGraph, from: CellId, to: CellId) -> Vec<String> {
    let (Some(definer), Some(user)) = (graph.names.get(&from), graph.names.get(&to)) else {
        return Vec::new();
    };
    let defined = user.references.keys().filter(|it| definer.definitions.contains(it));
    let deleted = user.deletions.keys().filter(|it| definer.references.contains(it));
    let all: BTreeSet<String> = defined.chain(deleted).map(str::to_owned).collect();
    all.into_iter().collect()
}
