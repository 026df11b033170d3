//! Edges between cells over SQL tables.
//!
//! A table is seen by SQL cells only. marimo looks at a pair of cells when it meets the later one,
//! and asks two different questions: whether an earlier cell makes what the later one reads, and
//! whether an earlier cell reads what the later one makes.

use std::collections::BTreeMap;

use crate::notebook::CellId;
use crate::python::{CellNames, SqlReference};

use super::CellGraph;

/// Adds the edges.
pub(super) fn connect(names: &BTreeMap<CellId, CellNames>, graph: &mut CellGraph) {
    let definers: Vec<_> = names.iter().filter(|(_, it)| !it.objects.is_empty()).collect();
    let users: Vec<_> = names.iter().filter(|(_, it)| it.is_sql).collect();
    for &(&definer, made) in &definers {
        for &(&user, read) in &users {
            let needs = if definer < user { reads(read, made) } else { is_read(made, read) };
            if needs {
                graph.connect(definer, user);
            }
        }
    }
}

/// Whether a cell reads something that an earlier one makes.
fn reads(user: &CellNames, definer: &CellNames) -> bool {
    user.references.keys().any(|reference| match user.tables.get(reference) {
        Some(table) => part(table, reference, definer).is_some_and(|name| {
            definer
                .objects
                .get(name)
                .is_none_or(|object| table.matches(name, &object.qualified, Some(object.kind)))
        }),
        None => definer.objects.contains_key(reference),
    })
}

/// The definition that a reference may mean: one of its full name, or of a part of it.
fn part<'a>(table: &SqlReference, reference: &str, definer: &'a CellNames) -> Option<&'a str> {
    if let Some((name, _)) = definer.definitions.get_key_value(reference) {
        return Some(name);
    }
    let mut objects = definer.objects.iter();
    objects.find(|(name, object)| table.contains(name, object.kind)).map(|(name, _)| name.as_str())
}

/// Whether an earlier cell reads something that a cell makes.
fn is_read(definer: &CellNames, user: &CellNames) -> bool {
    definer.objects.keys().any(|name| {
        user.references.contains_key(name)
            || user.tables.iter().any(|(reference, table)| {
                table.matches(name, reference, user.objects.get(name).map(|it| it.kind))
            })
    })
}
