//! Names with the place of each.

use crate::source::Span;

/// Names with the place of each, sorted.
///
/// A list, not a tree: most cells have a few names, for which the node of a tree takes ten times
/// the memory, and nothing is added later.
#[derive(Debug, Default, Clone)]
pub struct NamePlaces(Vec<(String, Span)>);

impl NamePlaces {
    /// Takes a list that is sorted by name and names nothing twice.
    pub(super) fn of_sorted(places: Vec<(String, Span)>) -> Self {
        debug_assert!(places.is_sorted_by(|a, b| a.0 < b.0));
        Self(places)
    }

    /// The place of a name.
    pub fn get(&self, name: &str) -> Option<&Span> {
        self.get_key_value(name).map(|(_, span)| span)
    }

    /// A name as it is kept here, with its place.
    pub fn get_key_value(&self, name: &str) -> Option<(&String, &Span)> {
        let at = self.0.binary_search_by_key(&name, |(it, _)| it).ok()?;
        self.0.get(at).map(|(name, span)| (name, span))
    }

    /// Whether a name is here.
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The names.
    pub fn keys(&self) -> impl Iterator<Item = &String> + Clone {
        self.0.iter().map(|(name, _)| name)
    }

    /// The names with their places.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Span)> {
        self.0.iter().map(|(name, span)| (name, span))
    }
}
