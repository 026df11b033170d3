//! Cycles: one finding for every knot of cells, with a shortest path around it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::diagnostic::{Code, Diagnostic};
use crate::notebook::{Cell, CellId, Notebook};

use super::{CellGraph, MOST_LISTED, Problem};

/// Finds the knots among the cells that have no place in the order.
pub(super) fn find(notebook: &Notebook, graph: &mut CellGraph) -> Vec<Diagnostic> {
    let ordered: BTreeSet<CellId> = graph.full_order.iter().copied().collect();
    let mut open: BTreeSet<CellId> =
        graph.names.keys().filter(|it| !ordered.contains(it)).copied().collect();
    prune(graph, &mut open);
    let mut diagnostics = Vec::new();
    while let Some(&start) = open.first() {
        let Some(path) = around(graph, &open, start) else {
            open.remove(&start);
            continue;
        };
        diagnostics.extend(report(notebook, graph, &path));
        // Everything that can reach the path and be reached from it belongs to the same knot.
        let forward = reach(start, &open, &graph.children);
        let backward = reach(start, &open, &graph.parents);
        for cell in forward.intersection(&backward) {
            open.remove(cell);
        }
        open.remove(&start);
    }
    diagnostics
}

/// Cells that only hang below a cycle are in none.
fn prune(graph: &CellGraph, open: &mut BTreeSet<CellId>) {
    let inside = |id: &CellId, open: &BTreeSet<CellId>| {
        graph.children.get(id).into_iter().flatten().filter(|it| open.contains(it)).count()
    };
    let mut left: BTreeMap<CellId, usize> = open.iter().map(|it| (*it, inside(it, open))).collect();
    let mut leaves: Vec<CellId> =
        left.iter().filter(|(_, count)| **count == 0).map(|(&id, _)| id).collect();
    while let Some(leaf) = leaves.pop() {
        open.remove(&leaf);
        for parent in graph.parents.get(&leaf).into_iter().flatten() {
            let Some(count) = left.get_mut(parent) else { continue };
            *count = count.saturating_sub(1);
            if *count == 0 {
                leaves.push(*parent);
            }
        }
    }
}

fn reach(
    start: CellId,
    open: &BTreeSet<CellId>,
    edges: &BTreeMap<CellId, BTreeSet<CellId>>,
) -> BTreeSet<CellId> {
    let mut found = BTreeSet::from([start]);
    let mut next = vec![start];
    while let Some(cell) = next.pop() {
        for &other in edges.get(&cell).into_iter().flatten() {
            if open.contains(&other) && found.insert(other) {
                next.push(other);
            }
        }
    }
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
    let edges: Vec<(CellId, Vec<String>, CellId)> = path
        .iter()
        .zip(next)
        .take(MOST_LISTED)
        .map(|(&from, &to)| (from, via(graph, from, to), to))
        .collect();
    let count = path.len();
    let more = count - edges.len();
    for &cell in path {
        graph.problems.push(Problem::Cycle { cell, edges: edges.clone(), more });
    }
    let names: Vec<String> = edges
        .iter()
        .map(|(_, names, _)| names.first().map_or_else(String::new, |it| format!("`{it}`")))
        .collect();
    let mut message = format!("{count} cells need each other in a circle: {}", names.join(", "));
    if more > 0 {
        message.push_str(&format!(" and {more} more"));
    }
    let mut diagnostic: Option<Diagnostic> = None;
    for (from, names, to) in &edges {
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
    let defined =
        user.references.keys().filter(|it| definer.definitions.contains_key(*it)).cloned();
    let deleted = user.deletions.iter().filter(|it| definer.references.contains_key(*it)).cloned();
    let all: BTreeSet<String> = defined.chain(deleted).collect();
    all.into_iter().take(MOST_LISTED).collect()
}
