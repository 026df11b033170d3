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

/// Cells by the names that may connect them: a look at every pair would take as long as the
/// square of their number.
type Index<'a> = BTreeMap<&'a str, BTreeSet<CellId>>;

/// Adds the edges.
pub(super) fn connect(names: &BTreeMap<CellId, Arc<CellNames>>, graph: &mut CellGraph) {
    let (mut makers, mut readers) = (Index::new(), Index::new());
    for (&id, cell) in names {
        if !cell.objects.is_empty() {
            for name in cell.objects.keys().chain(cell.definitions.keys()) {
                makers.entry(name).or_default().insert(id);
            }
        }
        if cell.is_sql {
            let parts = cell.tables.values().flat_map(parts);
            for name in cell.references.keys().map(String::as_str).chain(parts) {
                readers.entry(name).or_default().insert(id);
            }
        }
    }
    for (&user, read) in names.iter().filter(|(_, it)| it.is_sql) {
        for reference in read.references.keys() {
            let table = read.tables.get(reference);
            let keys = std::iter::once(reference.as_str()).chain(table.into_iter().flat_map(parts));
            for &maker in keys.filter_map(|it| makers.get(it)).flat_map(|it| it.range(..user)) {
                if names.get(&maker).is_some_and(|made| reads(reference, table, made)) {
                    graph.connect(maker, user);
                }
            }
        }
    }
    for (&maker, made) in names {
        for name in made.objects.keys() {
            let lower = name.to_lowercase();
            let found = [name, &lower].into_iter().filter_map(|it| readers.get(it.as_str()));
            for &user in found.flat_map(|it| it.range(..maker)) {
                if names.get(&user).is_some_and(|read| is_read(name, read)) {
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
    let mut objects = maker.objects.iter();
    objects.find(|(name, object)| table.contains(name, object.kind)).map(|(name, _)| name.as_str())
}

/// Whether an earlier cell reads `name`, which a later one makes.
fn is_read(name: &str, user: &CellNames) -> bool {
    user.references.contains_key(name)
        || user.tables.iter().any(|(reference, table)| {
            table.matches(name, reference, user.objects.get(name).map(|it| it.kind))
        })
}
