//! Addresses of objects, `<Thing object at 0x7ffff5c0a1d0>`, to small numbers that are equal where the addresses were.
//!
//! The address of an object depends on all that the process did before, and so on whether it was forked. Each cell
//! counts by itself, by the order in which its addresses appear; the first is `0x7f0000000010`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::record::{CellRun, CellStatus, RawOutput, RunRecord};

/// Text that Python writes before an address, and that is rare elsewhere.
const BEFORE: &str = " at 0x";
/// Digits of an address: an interpreter without randomized addresses has short ones.
const FEWEST_DIGITS: usize = 6;
const MOST_DIGITS: usize = 16;
/// First replacement: it looks like an address of a 64-bit machine, and no notebook is likely to write it itself.
const BASE: u64 = 0x7f00_0000_0000;
/// Alignment of objects.
const STEP: u64 = 0x10;

/// Replaces every address in the outputs of a run.
pub(super) fn normalize(record: &mut RunRecord) {
    for (_, run) in record.runs_mut() {
        normalize_run(run);
    }
}

fn normalize_run(run: &mut CellRun) {
    let mut seen = AddressMap::default();
    for output in &mut run.outputs {
        match output {
            RawOutput::Stream { text, .. } => seen.replace_in(text),
            RawOutput::Display { bundle } => {
                for (mime, value) in &mut bundle.data {
                    // Base64 has no blanks, and is long.
                    if !mime.starts_with("image/") || mime == "image/svg+xml" {
                        seen.replace_in_value(value);
                    }
                }
            }
        }
    }
    if let CellStatus::Failed { error } = &mut run.status {
        seen.replace_in(&mut error.message);
        seen.replace_in(&mut error.traceback);
    }
}

/// Addresses of one cell, and their numbers.
#[derive(Default)]
struct AddressMap {
    numbers: BTreeMap<String, u64>,
}

impl AddressMap {
    fn replace_in_value(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => self.replace_in(text),
            Value::Array(values) => values.iter_mut().for_each(|it| self.replace_in_value(it)),
            Value::Object(values) => values.values_mut().for_each(|it| self.replace_in_value(it)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn replace_in(&mut self, text: &mut String) {
        if let Cow::Owned(new) = self.replaced(text) {
            *text = new;
        }
    }

    fn replaced<'a>(&mut self, text: &'a str) -> Cow<'a, str> {
        let mut pieces = text.split(BEFORE);
        let first = pieces.next().unwrap_or_default();
        if first.len() == text.len() {
            return Cow::Borrowed(text);
        }
        let mut new = String::with_capacity(text.len());
        new.push_str(first);
        for piece in pieces {
            new.push_str(BEFORE);
            let end = piece.find(|it: char| !it.is_ascii_alphanumeric()).unwrap_or(piece.len());
            let (digits, rest) = piece.split_at(end);
            let is_address = (FEWEST_DIGITS..=MOST_DIGITS).contains(&digits.len())
                && digits.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
            if is_address {
                let next = self.numbers.len() as u64 + 1;
                let number = *self.numbers.entry(digits.to_owned()).or_insert(next);
                new.push_str(&format!("{:x}", BASE + number * STEP));
            } else {
                new.push_str(digits);
            }
            new.push_str(rest);
        }
        Cow::Owned(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(text: &str) -> String {
        AddressMap::default().replaced(text).into_owned()
    }

    #[test]
    fn an_object_keeps_its_identity_and_loses_its_place() {
        let text = "<A object at 0x7ffff5c0a1d0> <B at 0x7ffff5c0a200>, &lt;A object at 0x7ffff5c0a1d0&gt;";
        assert_eq!(
            replaced(text),
            "<A object at 0x7f0000000010> <B at 0x7f0000000020>, &lt;A object at 0x7f0000000010&gt;"
        );
    }

    #[test]
    fn other_numbers_stay() {
        for text in [
            "the jump at 0x10",
            "at 0x7ffff5c0a1d0",
            "size 0x7ffff5c0a1d0",
            "<x at 0x7ffff5c0g>",
            "<x at 0x7FFFF5C0A1D0>",
            "<x at 0x12345678123456789>",
            "",
        ] {
            assert_eq!(replaced(text), text);
        }
    }

    #[test]
    fn every_text_of_a_cell_counts_together() {
        let mut run: CellRun = serde_json::from_str(
            r#"{"status":{"kind":"failed","error":{"name":"E","message":"<x at 0x7ffff0000040>","frames":[],"traceback":""}},
                "outputs":[{"kind":"stream","name":"stdout","text":"<x at 0x7ffff0000080>"},
                {"kind":"display","bundle":{"data":{"text/plain":"<x at 0x7ffff0000040>",
                "application/json":{"a":["<x at 0x7ffff0000080>"]},"image/png":"a at 0x7ffff0000080"}}}]}"#,
        )
        .expect("a run");
        normalize_run(&mut run);
        let text = serde_json::to_string(&run).expect("JSON");
        assert_eq!(text.matches(" at 0x7f0000000010").count(), 2, "{text}");
        assert_eq!(text.matches(" at 0x7f0000000020").count(), 2, "{text}");
        assert!(text.contains("a at 0x7ffff0000080"), "{text}");
    }
}
