//! Maps from names to their places.

use std::cmp::Ordering;

use crate::source::Span;

/// Names with a value each, sorted.
///
/// Two blocks of memory for all, not a tree with one for each name: a notebook of ten thousand
/// cells holds some of these for every cell, most of them with a few names. Nothing is added later.
#[derive(Debug, Clone)]
pub struct NameMap<V> {
    /// The names, one after the other.
    text: Box<str>,
    /// End of each name in the text, and its value.
    entries: Box<[(u32, V)]>,
}

/// Names with the place of each.
pub type NamePlaces = NameMap<Span>;

/// Names alone.
pub type NameSet = NameMap<()>;

impl<V> Default for NameMap<V> {
    fn default() -> Self {
        Self { text: Box::default(), entries: Box::default() }
    }
}

impl<V> NameMap<V> {
    /// Takes names in order; of equal ones the first counts.
    pub(super) fn of_sorted<'a>(names: impl Iterator<Item = (&'a str, V)>) -> Self {
        let (mut text, mut entries) = (String::new(), Vec::new());
        let mut last = None;
        for (name, value) in names {
            debug_assert!(last.is_none_or(|it| it <= name), "{last:?} {name}");
            if last != Some(name) {
                text.push_str(name);
                entries.push((text.len() as u32, value));
            }
            last = Some(name);
        }
        Self { text: text.into(), entries: entries.into() }
    }

    /// The same names with other values.
    pub(super) fn map<T>(self, change: impl Fn(V) -> T) -> NameMap<T> {
        let entries = self.entries.into_iter().map(|(end, value)| (end, change(value)));
        NameMap { text: self.text, entries: entries.collect() }
    }

    /// The values, to be changed.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.iter_mut().map(|(_, value)| value)
    }

    /// The name at a position, with its value.
    pub fn at(&self, index: usize) -> Option<(&str, &V)> {
        let (end, value) = self.entries.get(index)?;
        let start = index.checked_sub(1).and_then(|it| self.entries.get(it)).map_or(0, |it| it.0);
        Some((self.text.get(start as usize..*end as usize)?, value))
    }

    /// The position of a name.
    pub fn position(&self, name: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.entries.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.at(middle)?.0.cmp(name) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Some(middle),
                Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// A name as it is kept here, with its value.
    pub fn get_key_value(&self, name: &str) -> Option<(&str, &V)> {
        self.at(self.position(name)?)
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.get_key_value(name).map(|(_, value)| value)
    }

    /// Whether a name is here.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The names.
    pub fn keys(&self) -> impl Iterator<Item = &str> + Clone {
        self.iter().map(|(name, _)| name)
    }

    /// The names with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &V)> + Clone {
        let mut start = 0;
        self.entries.iter().map(move |(end, value)| {
            let name = self.text.get(start..*end as usize).unwrap_or_default();
            start = *end as usize;
            (name, value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_with_their_values() {
        let names = ["a", "b", "b", "ba", "", "é"];
        let mut sorted: Vec<_> = names.into_iter().zip(0..).collect();
        sorted.sort_unstable();
        let map = NameMap::of_sorted(sorted.into_iter());
        assert_eq!(
            map.iter().collect::<Vec<_>>(),
            [("", &4), ("a", &0), ("b", &1), ("ba", &3), ("é", &5)]
        );
        assert!(map.iter().all(|(name, value)| map.get(name) == Some(value)));
        assert!(["A", "aa", "c", "éé"].into_iter().all(|it| !map.contains(it)));
    }
}
