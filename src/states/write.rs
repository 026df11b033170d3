//! The tables and contents as the JSON that a page's script reads.

use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use super::States;
use super::table::{Node, Tables};

/// Most bytes of a chunk of contents, unless one content alone has more.
const CHUNK: usize = 512 << 10;

/// Contents that are packed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// JSON: a list of lists, each of markup, rules and, if there are any, charts: pairs of id and data.
    pub json: String,
    /// Number of contents.
    pub contents: usize,
}

impl States {
    /// The contents, in order.
    ///
    /// # Errors
    /// Never in practice: texts can be written.
    pub fn chunks(&self) -> Result<Vec<Chunk>, serde_json::Error> {
        let mut chunks: Vec<Chunk> = Vec::new();
        for content in &self.contents {
            let charts: Vec<(&str, &str)> =
                content.charts.iter().map(|it| (it.id.as_str(), it.chart.json())).collect();
            let one = match charts.is_empty() {
                true => serde_json::to_string(&(content.html(), content.css()))?,
                false => serde_json::to_string(&(content.html(), content.css(), charts))?,
            };
            match chunks.last_mut() {
                Some(chunk) if chunk.json.len() + one.len() + 2 <= CHUNK => {
                    chunk.json.push(',');
                    chunk.json.push_str(&one);
                    chunk.contents += 1;
                }
                _ => chunks.push(Chunk { json: format!("[{one}"), contents: 1 }),
            }
        }
        for chunk in &mut chunks {
            chunk.json.push(']');
        }
        Ok(chunks)
    }

    /// Inputs and tables.
    ///
    /// # Errors
    /// Never in practice: all keys are strings.
    pub fn model(&self, chunks: &[Chunk]) -> Result<String, serde_json::Error> {
        struct Model<'a>(&'a States, &'a [Chunk]);
        impl Serialize for Model<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(Some(3))?;
                map.serialize_entry("widgets", &self.0.entries)?;
                map.serialize_entry("slots", &Slots(&self.0.tables))?;
                let chunks: Vec<usize> = self.1.iter().map(|it| it.contents).collect();
                map.serialize_entry("chunks", &chunks)?;
                map.end()
            }
        }
        serde_json::to_string(&Model(self, chunks))
    }

    /// Drops contents that no table has, and numbers the others in the order of the tables: what is alike is packed
    /// side by side.
    pub(super) fn keep_used(&mut self) {
        let mut order: Vec<u32> = Vec::new();
        let mut numbers = vec![None; self.contents.len()];
        let mut seen = vec![false; self.tables.nodes.len()];
        let mut open: Vec<usize> = self.tables.roots.values().rev().copied().collect();
        while let Some(at) = open.pop() {
            match seen.get_mut(at) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            match self.tables.nodes.get(at) {
                Some(Node::Input(_, places)) => open.extend(places.iter().rev()),
                Some(Node::Content(old)) => {
                    if let Some(number @ None) = numbers.get_mut(*old as usize) {
                        *number = u32::try_from(order.len()).ok();
                        order.push(*old);
                    }
                }
                Some(Node::Unknown) | None => {}
            }
        }
        let mut old: Vec<_> = std::mem::take(&mut self.contents).into_iter().map(Some).collect();
        self.contents = order
            .iter()
            .filter_map(|it| old.get_mut(*it as usize).and_then(Option::take))
            .collect();
        for node in &mut self.tables.nodes {
            if let Node::Content(number) = node {
                // Contents that no table has are never written.
                *number = numbers.get(*number as usize).copied().flatten().unwrap_or_default();
            }
        }
    }
}

struct Slots<'a>(&'a Tables);

impl Serialize for Slots<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.roots.len()))?;
        for (cell, root) in &self.0.roots {
            map.serialize_entry(&(cell.0 + 1).to_string(), &NodeIndex(self.0, *root))?;
        }
        map.end()
    }
}

/// A place with all below it; as deep as a cell has inputs.
struct NodeIndex<'a>(&'a Tables, usize);

impl Serialize for NodeIndex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.nodes.get(self.1) {
            Some(Node::Content(number)) => serializer.serialize_u32(*number),
            Some(Node::Input(entry, places)) => {
                let mut pair = serializer.serialize_seq(Some(2))?;
                pair.serialize_element(entry)?;
                let places: Vec<NodeIndex<'_>> =
                    places.iter().map(|it| NodeIndex(self.0, *it)).collect();
                pair.serialize_element(&places)?;
                pair.end()
            }
            Some(Node::Unknown) | None => serializer.serialize_unit(),
        }
    }
}
