//! Texts of MIME bundles.

use std::borrow::Cow;

use serde_json::Value;

/// A text, or nbformat's list of lines.
pub(super) fn text_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        other => Cow::Owned(other.to_string()),
    }
}
