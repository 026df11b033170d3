//! The tables: for each cell, its content by the values of the inputs that reach it.

use std::collections::BTreeMap;

use super::sweep::{Key, Read, Scope};
use crate::notebook::CellId;

/// Most inputs that a cell depends on.
const MOST_LEVELS: usize = 24;
/// Most places in all tables of a page.
const MOST_PLACES: usize = 2_000_000;

/// A place in a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Node {
    /// Not computed.
    Unknown,
    /// This content.
    Content(u32),
    /// By the value of an input, given by its entry: the place of each, by index of [`Tables::nodes`].
    Input(u32, Vec<usize>),
}

/// All tables of a page. Equal places are one.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    pub(super) nodes: Vec<Node>,
    known: BTreeMap<Node, usize>,
    /// By cell, its first place.
    pub(super) roots: BTreeMap<CellId, usize>,
    places: usize,
}

/// Why a cell has no table.
pub(super) type Refused = &'static str;

/// A result: the values it depends on, and its content.
pub(super) type Result_<'k> = (&'k Key, u32);

impl Tables {
    /// Makes the table of a cell. `results` has one for the run itself, whose key is empty.
    pub(super) fn add(
        &mut self,
        cell: CellId,
        results: &[Result_<'_>],
        read: &mut Read<'_>,
    ) -> Result<(), Refused> {
        let mut walk = Walk { cell, read, results, tables: self, assigned: Vec::new() };
        let all: Vec<usize> = (0..results.len()).collect();
        let start = Scope::clone(&walk.read.start);
        let root = walk.place(&all, &start, &Key::new())?;
        if let Some(Node::Input(..)) = self.nodes.get(root) {
            self.roots.insert(cell, root);
        }
        Ok(())
    }

    fn node(&mut self, node: Node) -> usize {
        if let Some(known) = self.known.get(&node) {
            return *known;
        }
        self.nodes.push(node.clone());
        self.known.insert(node, self.nodes.len() - 1);
        self.nodes.len() - 1
    }
}

struct Walk<'w, 'a> {
    cell: CellId,
    read: &'w mut Read<'a>,
    results: &'w [Result_<'w>],
    tables: &'w mut Tables,
    /// Inputs that have their value, whichever.
    assigned: Vec<usize>,
}

impl Walk<'_, '_> {
    /// The place of these results, which agree in `key`.
    fn place(&mut self, results: &[usize], scope: &Scope, key: &Key) -> Result<usize, Refused> {
        if results.is_empty() {
            return Ok(self.tables.node(Node::Unknown));
        }
        let Some(input) = self.next(scope) else {
            let mut results = results.iter().filter_map(|it| self.results.get(*it));
            let content = results.find(|(own, _)| *own == key).map(|(_, content)| *content);
            return Ok(self.tables.node(content.map_or(Node::Unknown, Node::Content)));
        };
        let made = self.read.catalogue.inputs.get(input).ok_or("an input is missing")?;
        let (size, initial, entry) = (made.size, made.initial, made.entry);
        self.tables.places += size as usize;
        if self.tables.places > MOST_PLACES {
            return Err("the tables of the page would be too large");
        }
        if self.assigned.len() >= MOST_LEVELS {
            return Err("it depends on too many inputs");
        }
        let mut by_value: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for result in results {
            let (own, _) = self.results.get(*result).ok_or("a result is missing")?;
            let value = own.iter().find(|(it, _)| *it == input).map_or(initial, |(_, it)| *it);
            by_value.entry(value).or_default().push(*result);
        }
        self.assigned.push(input);
        let mut places = Vec::with_capacity(size as usize);
        for value in 0..size {
            let Some(results) = by_value.get(&value) else {
                places.push(self.tables.node(Node::Unknown));
                continue;
            };
            let (mut scope, mut key) = (Scope::clone(scope), key.clone());
            if value != initial {
                key.push((input, value));
                key.sort_unstable();
                scope = self.read.after(&scope, input, &mut key);
            }
            places.push(self.place(results, &scope, &key)?);
        }
        self.assigned.pop();
        let first = places.first().copied();
        match first.filter(|first| places.iter().all(|it| it == first)) {
            Some(first) => Ok(first),
            None => Ok(self.tables.node(Node::Input(entry, places))),
        }
    }

    /// The input to ask next: the first that no other one makes anew.
    fn next(&self, scope: &Scope) -> Option<usize> {
        let inputs = &self.read.catalogue.inputs;
        let open = scope.iter().copied().filter(|it| {
            let reaches =
                inputs.get(*it).is_some_and(|it| it.is_set && it.reach.contains(&self.cell));
            reaches && !self.assigned.contains(it)
        });
        let open: Vec<usize> = open.collect();
        let is_made_by = |one: usize, other: usize| {
            let (Some(one), Some(other)) = (inputs.get(one), inputs.get(other)) else {
                return false;
            };
            one.is_made_by(other)
        };
        let is_first =
            |one: &usize| !open.iter().any(|other| other != one && is_made_by(*one, *other));
        open.iter().copied().find(is_first).or_else(|| open.first().copied())
    }
}
