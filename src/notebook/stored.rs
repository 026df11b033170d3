//! Outputs that a Jupyter file holds.
//!
//! In: the list of a cell's outputs. Out: [`StoredOutputs`], which points into the text of the file
//! where it can: as values, outputs take four times the memory. Nothing here trusts what they say.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
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
    /// Outputs that are not text of a source.
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

    /// The run's number in the first result.
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
        let mut reader = serde_json::Deserializer::from_str(json);
        match Inspector(DEEPEST).deserialize(&mut reader).map_err(D::Error::custom)? {
            ValueShape::List { result_count, is_empty } => {
                Ok(Self { json, result_count, is_empty })
            }
            _ => Err(D::Error::custom("outputs are no list")),
        }
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

/// Most levels of a list of outputs: the limit of depth is that of the whole file, where it stands in three others.
const DEEPEST: usize = 127 - 3;

/// Reads a value as strictly as for keeping it, and keeps nothing: most outputs are read once more, much later,
/// and as values all of them together would take several times the memory of the file. The number is that of levels
/// it may have.
struct Inspector(usize);

/// The properties of a value that matter here.
enum ValueShape {
    List {
        result_count: Option<u64>,
        is_empty: bool,
    },
    /// A result, with the number of its run.
    Result(Option<u64>),
    /// The text `execute_result`.
    ResultType,
    Number(u64),
    Other,
}

impl<'de> DeserializeSeed<'de> for Inspector {
    type Value = ValueShape;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<ValueShape, D::Error> {
        from.deserialize_any(self)
    }
}

impl Inspector {
    fn deeper<E: Error>(&self) -> Result<usize, E> {
        self.0.checked_sub(1).ok_or_else(|| E::custom("recursion limit exceeded"))
    }
}

impl<'de> Visitor<'de> for Inspector {
    type Value = ValueShape;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<ValueShape, A::Error> {
        let deeper = self.deeper()?;
        let (mut result_count, mut is_empty) = (None, true);
        while let Some(item) = items.next_element_seed(Self(deeper))? {
            is_empty = false;
            if let ValueShape::Result(count) = item {
                result_count = result_count.or(count);
            }
        }
        Ok(ValueShape::List { result_count, is_empty })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<ValueShape, A::Error> {
        let deeper = self.deeper()?;
        // Of members with one name, the last counts.
        let (mut is_result, mut count) = (false, None);
        while let Some(key) = members.next_key::<Key>()? {
            match (key, members.next_value_seed(Self(deeper))?) {
                (Key::OutputType, value) => is_result = matches!(value, ValueShape::ResultType),
                (Key::ExecutionCount, ValueShape::Number(number)) => count = Some(number),
                (Key::ExecutionCount, _) => count = None,
                (Key::Other, _) => {}
            }
        }
        Ok(if is_result { ValueShape::Result(count) } else { ValueShape::Other })
    }

    fn visit_str<E>(self, text: &str) -> Result<ValueShape, E> {
        Ok(if text == "execute_result" { ValueShape::ResultType } else { ValueShape::Other })
    }

    fn visit_u64<E>(self, number: u64) -> Result<ValueShape, E> {
        Ok(ValueShape::Number(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<ValueShape, E> {
        Ok(ValueShape::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<ValueShape, E> {
        Ok(ValueShape::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<ValueShape, E> {
        Ok(ValueShape::Other)
    }

    fn visit_unit<E>(self) -> Result<ValueShape, E> {
        Ok(ValueShape::Other)
    }
}

/// The name of a member of an output.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Key {
    OutputType,
    ExecutionCount,
    #[serde(other)]
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with the result of reading everything as values.
    fn check(json: &str) {
        let kept: Result<[[[Vec<Value>; 1]; 1]; 1], _> =
            serde_json::from_str(&format!("[[[{json}]]]"));
        let seen = serde_json::from_str::<RawOutputs<'_>>(json);
        let kept = kept.ok().map(|[[[it]]]| (it.is_empty(), result_count(&it)));
        let seen = seen.ok().map(|it| (it.is_empty, it.result_count));
        assert_eq!(seen, kept, "{json}");
    }

    #[test]
    fn a_look_at_outputs_refuses_and_tells_what_reading_them_would() {
        for json in [
            "[]",
            "{}",
            "7",
            "[1, null, true, -1, 1.5, \"\\ud83d\\ude00\"]",
            "[\"\\ud83d\"]",
            "[{\"\\ud83d\": 1}]",
            "[1e999]",
            "[{\"output_type\": \"execute_result\", \"execution_count\": 3}]",
            "[{\"execution_count\": 3, \"output_type\": \"execute\\u005fresult\"}]",
            "[{\"output_type\": \"execute_result\"}, {\"output_type\": \"stream\"}]",
            "[{\"output_type\": \"execute_result\", \"execution_count\": 3, \"execution_count\": -4}]",
            "[{\"output_type\": \"execute_result\", \"execution_count\": null},
              {\"output_type\": \"execute_result\", \"execution_count\": 5}]",
            "[{\"output_type\": \"execute_result\", \"output_type\": \"x\", \"execution_count\": 3}]",
        ] {
            check(json);
        }
        for depth in 120..130 {
            check(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
            check(&format!("[{}1{}]", "{\"a\":".repeat(depth), "}".repeat(depth)));
        }
    }
}
