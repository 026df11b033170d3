//! Edges between cells over SQL tables.
//!
//! A table is seen by SQL cells only. marimo looks at a pair of cells when it meets the later one,
//! and asks two different questions: whether an earlier cell makes what the later one reads, and
//! whether an earlier cell reads what the later one makes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::notebook::CellId;
use crate::python::{CellNames, SqlReference};

use super::CellGraph;
use super::marimo::MOST_DEFINERS;

/// Cells by the names that may connect them: a look at every pair would take as long as the
/// square of their number.
type Index<'a> = BTreeMap<&'a str, BTreeSet<CellId>>;

/// Cells and their references, by the names that a reference may mean.
type Readers<'a> = BTreeMap<&'a str, BTreeSet<(CellId, &'a str)>>;

/// Adds the edges.
pub(super) fn connect(names: &BTreeMap<CellId, Arc<CellNames>>, graph: &mut CellGraph) {
    let mut makers = Index::new();
    let mut readers = Readers::new();
    for (&id, cell) in names {
        if !cell.objects.is_empty() {
            for name in cell.objects.keys().map(String::as_str).chain(cell.definitions.keys()) {
                makers.entry(name).or_default().insert(id);
            }
        }
        for reference in cell.references.keys().filter(|_| cell.is_sql) {
            readers.entry(reference).or_default().insert((id, reference));
        }
        for (reference, table) in cell.tables.iter().filter(|_| cell.is_sql) {
            for name in parts(table) {
                readers.entry(name).or_default().insert((id, reference));
            }
        }
    }
    for (&user, read) in names.iter().filter(|(_, it)| it.is_sql) {
        for reference in read.references.keys() {
            let table = read.tables.get(reference);
            let keys = std::iter::once(reference).chain(table.into_iter().flat_map(parts));
            let found = keys.filter_map(|it| makers.get(it));
            for &maker in found.flat_map(|it| it.range(..user).take(MOST_DEFINERS)) {
                if names.get(&maker).is_some_and(|made| reads(reference, table, made)) {
                    graph.connect(maker, user);
                }
            }
        }
    }
    let mut made: BTreeMap<&str, usize> = BTreeMap::new();
    for (&maker, cell) in names {
        for name in cell.objects.keys() {
            let count = made.entry(name).or_insert(0);
            *count += 1;
            if *count > MOST_DEFINERS {
                continue;
            }
            let lower = name.to_lowercase();
            let keys = [Some(name).filter(|it| **it != lower), Some(&lower)];
            let found = keys.into_iter().flatten().filter_map(|it| readers.get(it.as_str()));
            for &(user, reference) in found.flat_map(|it| it.range(..(maker, ""))) {
                if names.get(&user).is_some_and(|read| is_read(name, reference, read)) {
                    graph.connect(maker, user);
                }
            }
        }
    }
}

/// The names that a reference may mean.
fn parts(table: &SqlReference) -> impl Iterator<Item = &str> {
    let around = [table.schema.as_deref(), table.catalog.as_deref()];
    std::iter::once(table.table.as_str()).chain(around.into_iter().flatten())
}

/// Whether a reference means something that an earlier cell makes.
fn reads(reference: &str, table: Option<&SqlReference>, maker: &CellNames) -> bool {
    let Some(table) = table else { return maker.objects.contains_key(reference) };
    part(table, reference, maker).is_some_and(|name| {
        let object = maker.objects.get(name);
        object.is_none_or(|object| table.matches(name, &object.qualified, Some(object.kind)))
    })
}

/// The definition that a reference may mean: one of its full name, or of a part of it.
fn part<'a>(table: &SqlReference, reference: &str, maker: &'a CellNames) -> Option<&'a str> {
    if let Some((name, _)) = maker.definitions.get_key_value(reference) {
        return Some(name);
    }
    let named = parts(table).filter_map(|it| maker.objects.get_key_value(it));
    let named = named.filter(|(name, object)| table.contains(name, object.kind));
    named.map(|(name, _)| name.as_str()).min()
}

/// Whether an earlier cell reads `name`, which a later one makes, by this reference.
fn is_read(name: &str, reference: &str, user: &CellNames) -> bool {
    user.references.contains(name)
        || user.tables.get(reference).is_some_and(|table| {
            table.matches(name, reference, user.objects.get(name).map(|it| it.kind))
        })
}
