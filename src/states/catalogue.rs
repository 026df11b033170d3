//! The inputs of a notebook: checked, numbered, and those that are the same in different states only once.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::notebook::CellId;
use crate::run::protocol::DEEPEST_INPUTS;
use crate::run::record::{Widget, WidgetKind};
use crate::site::MOST_VALUES;

/// Most inputs of a page.
const MOST_INPUTS: usize = 2_000;
/// Longest label, name, or value as JSON, in bytes.
const LONGEST_TEXT: usize = 4096;

/// An input as the page's script reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Entry {
    kind: WidgetKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) values: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) labels: Vec<String>,
    initial: u32,
    total: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<u32>,
    /// Inputs that are created again when it changes.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) resets: BTreeSet<u32>,
}

/// An input where it was made: in the run itself, or in a state.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) id: String,
    pub(super) cell: CellId,
    pub(super) reach: BTreeSet<CellId>,
    /// Number of its values.
    pub(super) size: u32,
    pub(super) initial: u32,
    /// Index of its entry.
    pub(super) entry: u32,
    /// Itself and its parts, with the indices of their entries.
    pub(super) ids: Vec<(String, u32)>,
    /// Whether a state sets it.
    pub(super) is_set: bool,
    /// Inputs, by id, that make it anew; if nothing says so, those that reach its cell.
    pub(super) makers: Option<BTreeSet<String>>,
}

impl Input {
    /// Whether it is created again when another one changes.
    pub(super) fn is_made_by(&self, other: &Self) -> bool {
        match &self.makers {
            Some(makers) => makers.contains(&other.id),
            None => other.reach.contains(&self.cell),
        }
    }
}

/// All inputs of a page.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    pub(super) entries: Vec<Entry>,
    /// By id and JSON.
    known: BTreeMap<(String, String), u32>,
    /// Whose a name is, by id: addresses tell inputs apart by it.
    names: BTreeMap<String, String>,
    pub(super) inputs: Vec<Input>,
}

struct Added {
    entry: u32,
    size: u64,
    initial: u64,
}

impl Catalogue {
    /// Adds an input; the error says what is wrong with it. `chosen` is the value that a page shows first.
    pub(super) fn add(
        &mut self,
        widget: &Widget,
        chosen: Option<u32>,
    ) -> Result<usize, &'static str> {
        let mut ids = Vec::new();
        let added = self.entry(widget, chosen, &mut ids, 0)?;
        let fit = |it: u64| u32::try_from(it).map_err(|_| "it has too many values");
        self.inputs.push(Input {
            id: widget.id.clone(),
            cell: widget.cell,
            reach: widget.reach.clone(),
            size: fit(added.size)?,
            initial: fit(added.initial)?,
            entry: added.entry,
            ids,
            is_set: false,
            makers: widget.makers.clone(),
        });
        Ok(self.inputs.len() - 1)
    }

    /// Number of values of a widget, the index of its initial value, and its parts.
    fn parts(
        &mut self,
        widget: &Widget,
        ids: &mut Vec<(String, u32)>,
        depth: usize,
    ) -> Result<(u64, u64, Vec<u32>), &'static str> {
        let mut parts = Vec::new();
        let (size, initial) = match widget.kind {
            WidgetKind::Group => {
                let (mut size, mut initial) = (1u64, 0u64);
                for part in &widget.parts {
                    let part = self.entry(part, None, ids, depth + 1)?;
                    size = size.saturating_mul(part.size);
                    if size > MOST_VALUES {
                        return Err("its parts have too many values together");
                    }
                    initial = initial * part.size + part.initial;
                    parts.push(part.entry);
                }
                (size, initial)
            }
            WidgetKind::Form => {
                let [part] = widget.parts.as_slice() else { return Err("a form has one part") };
                let part = self.entry(part, None, ids, depth + 1)?;
                parts.push(part.entry);
                (part.size + 1, 0)
            }
            _ => (check_values(widget)?, u64::from(widget.initial)),
        };
        Ok((size, initial, parts))
    }

    fn entry(
        &mut self,
        widget: &Widget,
        chosen: Option<u32>,
        ids: &mut Vec<(String, u32)>,
        depth: usize,
    ) -> Result<Added, &'static str> {
        if depth > DEEPEST_INPUTS {
            return Err("its parts nest too deeply");
        }
        if widget.id.is_empty() || widget.id.len() > LONGEST_TEXT {
            return Err("it has no usable id");
        }
        let (size, initial, parts) = self.parts(widget, ids, depth)?;
        if size > MOST_VALUES {
            return Err("it has too many values");
        }
        let has_parts = matches!(widget.kind, WidgetKind::Group | WidgetKind::Form);
        let name = widget.name.clone().filter(|it| {
            it.len() <= LONGEST_TEXT && !it.is_empty() && !it.contains(char::is_control)
        });
        let entry = Entry {
            kind: widget.kind,
            name: name.map(|it| self.own_name(&it, &widget.id)),
            values: if has_parts { Vec::new() } else { widget.values.clone() },
            labels: if has_parts { Vec::new() } else { widget.labels.clone() },
            initial: chosen
                .filter(|it| !has_parts && u64::from(*it) < size)
                .or_else(|| u32::try_from(initial).ok())
                .unwrap_or_default(),
            total: widget.total.clamp(size, (1 << 53) - 1),
            parts,
            resets: BTreeSet::new(),
        };
        let json = serde_json::to_string(&entry).map_err(|_| "it cannot be written")?;
        let key = (widget.id.clone(), json);
        let index = match self.known.get(&key) {
            Some(index) => *index,
            None if self.entries.len() >= MOST_INPUTS => {
                return Err("the page has too many inputs");
            }
            None => {
                let index = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
                self.known.insert(key, index);
                self.entries.push(entry);
                index
            }
        };
        ids.push((widget.id.clone(), index));
        Ok(Added { entry: index, size, initial })
    }

    /// The name, or one like it where another input has it.
    fn own_name(&mut self, name: &str, id: &str) -> String {
        let mut own = name.to_owned();
        let mut number = 1;
        while self.names.get(&own).is_some_and(|it| it != id) {
            number += 1;
            own = format!("{name}~{number}");
        }
        self.names.insert(own.clone(), id.to_owned());
        own
    }

    /// Notes which inputs are created again when another one changes: those of the cells that it reaches.
    pub(super) fn find_resets(&mut self) {
        let mut made_in: BTreeMap<CellId, BTreeSet<u32>> = BTreeMap::new();
        let mut made_by: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        for input in &self.inputs {
            let entries = input.ids.iter().map(|(_, entry)| *entry);
            match &input.makers {
                None => made_in.entry(input.cell).or_default().extend(entries),
                Some(makers) => {
                    let entries: Vec<u32> = entries.collect();
                    for maker in makers {
                        made_by.entry(maker.clone()).or_default().extend(&entries);
                    }
                }
            }
        }
        let mut told = BTreeSet::new();
        for input in &self.inputs {
            let own: BTreeSet<u32> = input.ids.iter().map(|(_, entry)| *entry).collect();
            if let Some(made) = made_by.get(&input.id)
                && let Some(entry) = self.entries.get_mut(input.entry as usize)
            {
                entry.resets.extend(made.difference(&own));
            }
            for cell in &input.reach {
                let Some(made) = made_in.get(cell).filter(|_| told.insert((input.entry, *cell)))
                else {
                    continue;
                };
                if let Some(entry) = self.entries.get_mut(input.entry as usize) {
                    entry.resets.extend(made.difference(&own));
                }
            }
        }
    }
}

/// The number of values of an input without parts.
fn check_values(widget: &Widget) -> Result<u64, &'static str> {
    let size = widget.values.len();
    if size == 0 || size != widget.labels.len() || widget.initial as usize >= size {
        return Err("its values, their labels and its first value do not fit each other");
    }
    if size as u64 > MOST_VALUES {
        return Err("it has too many values");
    }
    if widget.labels.iter().any(|it| it.len() > LONGEST_TEXT) {
        return Err("a label is too long");
    }
    let is_plain = |it: &Value| match it {
        Value::Array(items) => items.len() <= 1000 && items.iter().all(is_scalar),
        other => is_scalar(other),
    };
    if !widget.values.iter().all(is_plain) {
        return Err("a value is none that a control can have");
    }
    Ok(size as u64)
}

fn is_scalar(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => text.len() <= LONGEST_TEXT,
        Value::Array(_) | Value::Object(_) => false,
    }
}
