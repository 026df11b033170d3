//! marimo's dataflow: one definer a name, order by dependency.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};
use crate::notebook::{CellId, CellKind, Notebook};
use crate::source::Span;

use super::{CellGraph, CellNames, Problem, cycles, tables};

/// Definers, and deleters, of one name that get edges. More than one is an error already; ten
/// thousand, each with ten thousand users, would take all memory.
pub(super) const MOST_DEFINERS: usize = 100;

/// Names with their cells and places, sorted: a map of lists would take an allocation for each.
struct Places<'a>(Vec<(&'a str, CellId, Span)>);

impl<'a> Places<'a> {
    fn new(places: impl Iterator<Item = (&'a str, CellId, Span)>) -> Self {
        let mut places: Vec<_> = places.collect();
        places.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        Self(places)
    }

    fn groups(&self) -> impl Iterator<Item = (&'a str, &[(&'a str, CellId, Span)])> {
        self.0.chunk_by(|a, b| a.0 == b.0).filter_map(|it| Some((it.first()?.0, it)))
    }

    fn get(&self, name: &str) -> &[(&'a str, CellId, Span)] {
        let start = self.0.partition_point(|it| it.0 < name);
        let end = self.0.partition_point(|it| it.0 <= name);
        self.0.get(start..end).unwrap_or_default()
    }
}

/// Edges, order and contradictions.
pub(super) fn analyze(notebook: &Notebook, graph: &mut CellGraph) -> Vec<Diagnostic> {
    let mut diagnostics = star_imports(graph);
    let names = std::mem::take(&mut graph.names);
    let definers = Places::new(names.iter().flat_map(|(&id, cell)| {
        cell.definitions.iter().map(move |(name, &span)| (name.as_str(), id, span))
    }));
    let users = Places::new(names.iter().flat_map(|(&id, cell)| {
        cell.references.iter().map(move |(name, &span)| (name.as_str(), id, span))
    }));
    connect(&definers, &users, &names, graph);
    tables::connect(&names, graph);
    let mut deletions: BTreeMap<&str, usize> = BTreeMap::new();
    // A cell that deletes a name runs after all others that use it.
    for (&id, names) in &names {
        for name in &names.deletions {
            let count = deletions.entry(name).or_insert(0);
            *count += 1;
            if *count > MOST_DEFINERS {
                continue;
            }
            for &(_, user, _) in users.get(name) {
                graph.connect(user, id);
            }
        }
    }
    // Tables of the same name in different schemas are different tables.
    let mut conflicts: BTreeMap<(&str, &str), Vec<(CellId, Span)>> = BTreeMap::new();
    for (name, definers) in definers.groups().filter(|(_, definers)| definers.len() > 1) {
        for &(_, id, span) in definers {
            let object = names.get(&id).and_then(|it| it.objects.get(name));
            let qualified = object.map_or(name, |it| it.qualified.as_str());
            conflicts.entry((name, qualified)).or_default().push((id, span));
        }
    }
    for ((name, _), definers) in &conflicts {
        diagnostics.extend(duplicates(name, definers, graph));
    }
    diagnostics.extend(setup(notebook, graph, &names, &definers));
    drop(conflicts);
    drop(definers);
    drop(users);
    graph.names = names;
    graph.full_order = order(graph);
    diagnostics.extend(cycles::find(notebook, graph));
    let disabled = disabled(notebook, graph);
    graph.order = graph.full_order.iter().filter(|it| !disabled.contains(it)).copied().collect();
    diagnostics
}

/// Edges from each definer of a name to all who use it.
fn connect(
    definers: &Places<'_>,
    users: &Places<'_>,
    names: &BTreeMap<CellId, Arc<CellNames>>,
    graph: &mut CellGraph,
) {
    let mut uses = users.groups().peekable();
    for (name, definers) in definers.groups() {
        while uses.next_if(|(it, _)| *it < name).is_some() {}
        let Some((_, users)) = uses.next_if(|(it, _)| *it == name) else { continue };
        for &(_, definer, _) in definers.iter().take(MOST_DEFINERS) {
            let is_table = names.get(&definer).is_some_and(|it| it.objects.contains_key(name));
            for &(_, user, _) in users.iter().filter(|_| !is_table) {
                graph.connect(definer, user);
            }
        }
    }
}

fn star_imports(graph: &mut CellGraph) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let stars: Vec<(CellId, Vec<Span>)> = graph
        .names
        .iter()
        .filter(|(_, names)| !names.star_imports.is_empty())
        .map(|(&id, names)| (id, names.star_imports.clone()))
        .collect();
    for (id, spans) in stars {
        for span in spans {
            diagnostics.push(
                Diagnostic::error(
                    Code::StarImport,
                    span,
                    "`import *` hides which names the cell defines",
                )
                .with_help("import the names that are used, or the module"),
            );
        }
        // marimo does not compile such a cell: it takes no part in the dataflow.
        graph.names.remove(&id);
        graph.parents.remove(&id);
        graph.children.remove(&id);
        graph.problems.push(Problem::StarImport(id));
    }
    diagnostics
}

fn duplicates(
    name: &str,
    definers: &[(CellId, Span)],
    graph: &mut CellGraph,
) -> Option<Diagnostic> {
    let (&(_, first), [(_, second), rest @ ..]) = definers.split_first()? else { return None };
    let cells: Arc<[CellId]> = definers.iter().map(|it| it.0).collect();
    for &cell in &*cells {
        let (name, definers) = (name.to_owned(), Arc::clone(&cells));
        graph.problems.push(Problem::MultipleDefinitions { cell, name, definers });
    }
    let message = format!("`{name}` is defined in more than one cell");
    let mut diagnostic = Diagnostic::error(Code::DuplicateDefinition, *second, message)
        .with_label("defined again here")
        .with_other(first, "first defined here")
        .with_help(format!(
            "rename one of them, or start it with `_` (`_{name}`) to keep it private to its cell"
        ));
    for (_, span) in rest {
        diagnostic = diagnostic.with_other(*span, "and here");
    }
    Some(diagnostic)
}

fn setup(
    notebook: &Notebook,
    graph: &mut CellGraph,
    names: &BTreeMap<CellId, Arc<CellNames>>,
    definers: &Places<'_>,
) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let setup = notebook.cells().find(|(_, cell)| cell.kind == CellKind::Setup);
    let Some((id, _)) = setup else { return diagnostics };
    if graph.parents.get(&id).is_none_or(BTreeSet::is_empty) {
        return diagnostics;
    }
    graph.problems.push(Problem::SetupReference(id));
    for (name, &span) in names.get(&id).iter().flat_map(|it| &it.references) {
        let defined = definers.get(name).iter().find(|it| it.1 != id);
        let Some((_, _, defined)) = defined else { continue };
        let message = format!("the setup cell uses `{name}`, which another cell defines");
        diagnostics.push(
            Diagnostic::error(Code::SetupReference, span, message)
                .with_label("the setup cell runs first")
                .with_other(*defined, "defined here")
                .with_help("define the name in the setup cell, or use it in another cell"),
        );
    }
    diagnostics
}

/// Kahn's algorithm; of the cells that could run, the first in the document does.
fn order(graph: &CellGraph) -> Vec<CellId> {
    let mut missing: BTreeMap<CellId, usize> =
        graph.parents.iter().map(|(&id, parents)| (id, parents.len())).collect();
    let mut ready: BinaryHeap<Reverse<CellId>> =
        missing.iter().filter(|(_, count)| **count == 0).map(|(&id, _)| Reverse(id)).collect();
    let mut order = Vec::with_capacity(missing.len());
    while let Some(Reverse(id)) = ready.pop() {
        order.push(id);
        for &child in graph.children.get(&id).into_iter().flatten() {
            let Some(count) = missing.get_mut(&child) else { continue };
            *count = count.saturating_sub(1);
            if *count == 0 {
                ready.push(Reverse(child));
            }
        }
    }
    order
}

fn disabled(notebook: &Notebook, graph: &CellGraph) -> BTreeSet<CellId> {
    let mut found = BTreeSet::new();
    for (id, cell) in notebook.cells() {
        if cell.options.disabled && found.insert(id) {
            found.extend(graph.descendants(id));
        }
    }
    found
}
