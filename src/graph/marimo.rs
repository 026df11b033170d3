//! marimo's dataflow: one definer a name, order by dependency.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};
use crate::notebook::{CellId, CellKind, Notebook};
use crate::python::NamePlaces;
use crate::source::Span;

use super::{CellGraph, CellNames, Problem, cycles, tables};

/// Definers, and deleters, of one name that get edges. More than one is an error already; ten
/// thousand, each with ten thousand users, would take all memory.
pub(super) const MOST_DEFINERS: usize = 100;

/// A number for every name that a cell defines or deletes: no other name connects cells.
#[expect(clippy::disallowed_types, reason = "only looked up: no order depends on it")]
struct Symbols<'a>(std::collections::HashMap<&'a str, u32>);

impl<'a> Symbols<'a> {
    /// `text` holds the names one after the other: looking up one that lies anywhere on the heap
    /// would wait for memory longer than all the rest takes.
    fn new<'b>(text: &'a str, names: impl Iterator<Item = &'b str> + Clone) -> Self {
        let mut symbols = Self(Default::default());
        symbols.0.reserve(names.clone().count());
        let mut rest = text;
        for (name, next) in names.zip(0..) {
            let (name, after) = rest.split_at_checked(name.len()).unwrap_or_default();
            symbols.0.entry(name).or_insert(next);
            rest = after;
        }
        symbols
    }

    fn get(&self, name: &str) -> Option<u32> {
        self.0.get(name).copied()
    }
}

/// A name in one cell.
#[derive(Debug, Clone, Copy)]
struct NameUse {
    symbol: u32,
    cell: CellId,
    /// Position among the cell's names of the same kind.
    index: u32,
}

/// Names with their cells and places, sorted: a map of lists would take an allocation for each.
struct NameIndex<'a> {
    places: Vec<NameUse>,
    names: &'a BTreeMap<CellId, Arc<CellNames>>,
    of_cell: fn(&CellNames) -> &NamePlaces,
}

impl<'a> NameIndex<'a> {
    fn new(
        symbols: &Symbols<'_>,
        names: &'a BTreeMap<CellId, Arc<CellNames>>,
        of_cell: fn(&CellNames) -> &NamePlaces,
    ) -> Self {
        let mut places = Vec::new();
        for (&cell, names) in names {
            let names = of_cell(names).keys().zip(0..);
            places.extend(names.filter_map(|(name, index)| {
                Some(NameUse { symbol: symbols.get(name)?, cell, index })
            }));
        }
        places.sort_unstable_by_key(|it| (it.symbol, it.cell));
        Self { places, names, of_cell }
    }

    fn groups(&self) -> impl Iterator<Item = (u32, &[NameUse])> {
        let groups = self.places.chunk_by(|a, b| a.symbol == b.symbol);
        groups.filter_map(|it| Some((it.first()?.symbol, it)))
    }

    fn get(&self, symbol: Option<u32>) -> &[NameUse] {
        let Some(symbol) = symbol else { return &[] };
        let start = self.places.partition_point(|it| it.symbol < symbol);
        let end = self.places.partition_point(|it| it.symbol <= symbol);
        self.places.get(start..end).unwrap_or_default()
    }

    fn cell(&self, place: NameUse) -> Option<&'a CellNames> {
        self.names.get(&place.cell).map(|it| &**it)
    }

    fn name(&self, place: NameUse) -> Option<(&'a str, Span)> {
        let names = (self.of_cell)(self.cell(place)?);
        names.at(place.index as usize).map(|(name, &span)| (name, span))
    }
}

/// Edges, order and contradictions.
pub(super) fn analyze(notebook: &Notebook, graph: &mut CellGraph) -> Vec<Diagnostic> {
    let mut diagnostics = star_imports(graph);
    let names = std::mem::take(&mut graph.names);
    let connecting = names.values().flat_map(|it| it.definitions.keys().chain(it.deletions.keys()));
    let text: String = connecting.clone().collect();
    let symbols = Symbols::new(&text, connecting);
    let definers = NameIndex::new(&symbols, &names, |it| &it.definitions);
    let users = NameIndex::new(&symbols, &names, |it| &it.references);
    connect(&definers, &users, graph);
    tables::connect(&names, graph);
    let mut deletions: BTreeMap<&str, usize> = BTreeMap::new();
    // A cell that deletes a name runs after all others that use it.
    for (&id, names) in &names {
        for name in names.deletions.keys() {
            let count = deletions.entry(name).or_insert(0);
            *count += 1;
            if *count > MOST_DEFINERS {
                continue;
            }
            for user in users.get(symbols.get(name)) {
                graph.connect(user.cell, id);
            }
        }
    }
    // Tables of the same name in different schemas are different tables.
    let mut conflicts: BTreeMap<(&str, &str), Vec<(CellId, Span)>> = BTreeMap::new();
    for (_, group) in definers.groups().filter(|(_, group)| group.len() > 1) {
        for &place in group {
            let Some((name, span)) = definers.name(place) else { continue };
            let object = definers.cell(place).and_then(|it| it.objects.get(name));
            let qualified = object.map_or(name, |it| it.qualified.as_str());
            conflicts.entry((name, qualified)).or_default().push((place.cell, span));
        }
    }
    for ((name, _), definers) in &conflicts {
        diagnostics.extend(duplicates(name, definers, graph));
    }
    diagnostics.extend(setup(notebook, graph, &names, &symbols, &definers));
    graph.names = names;
    graph.full_order = order(graph);
    diagnostics.extend(cycles::find(notebook, graph));
    let disabled = disabled(notebook, graph);
    graph.order = graph.full_order.iter().filter(|it| !disabled.contains(it)).copied().collect();
    diagnostics
}

/// Edges from each definer of a name to all who use it.
fn connect(definers: &NameIndex<'_>, users: &NameIndex<'_>, graph: &mut CellGraph) {
    let mut uses = users.groups().peekable();
    for (symbol, group) in definers.groups() {
        while uses.next_if(|(it, _)| *it < symbol).is_some() {}
        let Some((_, users)) = uses.next_if(|(it, _)| *it == symbol) else { continue };
        for &definer in group.iter().take(MOST_DEFINERS) {
            let objects = definers.cell(definer).map(|it| &it.objects);
            // Few cells make any.
            let is_object = objects.filter(|it| !it.is_empty()).is_some_and(|it| {
                definers.name(definer).is_some_and(|(name, _)| it.contains_key(name))
            });
            if is_object {
                continue;
            }
            for user in users {
                graph.connect(definer.cell, user.cell);
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
    symbols: &Symbols<'_>,
    definers: &NameIndex<'_>,
) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let setup = notebook.cells().find(|(_, cell)| cell.kind == CellKind::Setup);
    let Some((id, _)) = setup else { return diagnostics };
    if graph.parents.get(&id).is_none_or(BTreeSet::is_empty) {
        return diagnostics;
    }
    graph.problems.push(Problem::SetupReference(id));
    for (name, &span) in names.get(&id).iter().flat_map(|it| it.references.iter()) {
        let mut others = definers.get(symbols.get(name)).iter().filter(|it| it.cell != id);
        let Some((_, place)) = others.next().and_then(|it| definers.name(*it)) else { continue };
        let message = format!("the setup cell uses `{name}`, which another cell defines");
        diagnostics.push(
            Diagnostic::error(Code::SetupReference, span, message)
                .with_label("the setup cell runs first")
                .with_other(place, "defined here")
                .with_help("define the name in the setup cell, or use it in another cell"),
        );
    }
    diagnostics
}

/// Kahn's algorithm; of the cells that could run, the first in the document does.
fn order(graph: &CellGraph) -> Vec<CellId> {
    let length = graph.parents.last_key_value().map_or(0, |(last, _)| last.0 as usize + 1);
    let mut missing = vec![0; length];
    let mut ready = BinaryHeap::new();
    for (&id, parents) in &graph.parents {
        if let Some(count) = missing.get_mut(id.0 as usize) {
            *count = parents.len();
        }
        if parents.is_empty() {
            ready.push(Reverse(id));
        }
    }
    let mut order = Vec::with_capacity(graph.parents.len());
    while let Some(Reverse(id)) = ready.pop() {
        order.push(id);
        for &child in graph.children.get(&id).into_iter().flatten() {
            let Some(count) = missing.get_mut(child.0 as usize) else { continue };
            *count -= 1;
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
