//! Outputs that a Jupyter file holds.
//!
//! In: the list of a cell's outputs. Out: [`StoredOutputs`], which points into the text of the file
//! where it can: as values, outputs take four times the memory. Nothing here trusts what they say.

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Value;
use serde_json::value::RawValue;

use super::CellCode;

/// The stored outputs of one cell, at least one; hostile.
#[derive(Debug)]
pub struct StoredOutputs {
    outputs: Outputs,
    result_count: Option<u64>,
}

#[derive(Debug)]
enum Outputs {
    /// A list that was read once, so that it can be read again.
    Json(CellCode),
    Values(Vec<Value>),
}

impl StoredOutputs {
    /// Outputs that stand nowhere in the text of a source.
    pub(super) fn of_values(outputs: Vec<Value>) -> Option<Self> {
        let result_count = result_count(&outputs);
        (!outputs.is_empty()).then_some(Self { result_count, outputs: Outputs::Values(outputs) })
    }

    /// Outputs in another shape.
    pub(super) fn map(self, change: fn(Value) -> Value) -> Option<Self> {
        Self::of_values(self.read().into_owned().into_iter().map(change).collect())
    }

    /// The outputs, as nbformat has them.
    pub fn read(&self) -> Cow<'_, [Value]> {
        match &self.outputs {
            Outputs::Json(json) => Cow::Owned(serde_json::from_str(json).unwrap_or_default()),
            Outputs::Values(values) => Cow::Borrowed(values),
        }
    }

    /// The number of the run that the first result says it is of.
    pub fn result_count(&self) -> Option<u64> {
        self.result_count
    }
}

fn result_count(outputs: &[Value]) -> Option<u64> {
    let is_result =
        |it: &&Value| it.get("output_type").and_then(Value::as_str) == Some("execute_result");
    outputs.iter().filter(is_result).find_map(|it| it.get("execution_count")?.as_u64())
}

/// Outputs of a cell as they stand in the JSON that is being read.
pub(super) struct RawOutputs<'a> {
    json: &'a str,
    result_count: Option<u64>,
    is_empty: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for RawOutputs<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(from)?.get();
        // The limit of depth is that of the whole file, where outputs stand in three others.
        let whole = format!("[[[{json}]]]");
        let [[[outputs]]]: [[[Vec<Value>; 1]; 1]; 1] =
            serde_json::from_str(&whole).map_err(D::Error::custom)?;
        let (is_empty, result_count) = (outputs.is_empty(), result_count(&outputs));
        Ok(Self { json, result_count, is_empty })
    }
}

impl RawOutputs<'_> {
    /// Keeps the place of the JSON in `text`, which it was read from.
    pub(super) fn shared(self, text: &Arc<str>) -> Option<StoredOutputs> {
        let start = self.json.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
        let json = CellCode::part(text, start..start + self.json.len());
        let outputs = Outputs::Json(json);
        (!self.is_empty).then_some(StoredOutputs { outputs, result_count: self.result_count })
    }
}
