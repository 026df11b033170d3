//! The JSON of a notebook's file, of any nbformat.
//!
//! In: the text of a file. Out: its cells as written, and findings about JSON that had to be repaired. Unknown members
//! are skipped.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::diagnostic::{Code, Diagnostic};
use crate::notebook::stored::{RawOutputs, StoredOutputs};
use crate::source::{Source, SourceId, Span, json};

#[derive(Deserialize)]
#[serde(bound(deserialize = "O: Deserialize<'de>"))]
pub(super) struct File<O> {
    pub(super) nbformat: Option<u64>,
    #[serde(default, deserialize_with = "read_metadata")]
    pub(super) metadata: Metadata,
    pub(super) cells: Option<Vec<RawCell<O>>>,
    pub(super) worksheets: Option<Vec<Worksheet<O>>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "O: Deserialize<'de>"))]
pub(super) struct Worksheet<O> {
    #[serde(default = "Vec::new")]
    pub(super) cells: Vec<RawCell<O>>,
}

/// A cell, its outputs as values or as the text of the file.
#[derive(Deserialize)]
#[serde(bound(deserialize = "O: Deserialize<'de>"))]
pub(super) struct RawCell<O> {
    pub(super) cell_type: String,
    #[serde(default)]
    pub(super) source: Option<Text>,
    /// Source of a code cell in nbformat 3.
    #[serde(default)]
    pub(super) input: Option<Text>,
    #[serde(default)]
    pub(super) level: Option<u64>,
    #[serde(default)]
    pub(super) metadata: Option<Map<String, Value>>,
    #[serde(default)]
    pub(super) outputs: Option<O>,
    /// nbformat 3 says `prompt_number`.
    #[serde(default, alias = "prompt_number")]
    pub(super) execution_count: Option<Value>,
    #[serde(default)]
    pub(super) attachments: Option<Map<String, Value>>,
}

impl<O> File<O> {
    fn with_outputs<P>(self, change: impl Fn(O) -> Option<P>) -> File<P> {
        let cells = |it: Vec<RawCell<O>>| -> Vec<RawCell<P>> {
            it.into_iter().map(|it| it.with_outputs(&change)).collect()
        };
        let sheets = |it: Vec<Worksheet<O>>| {
            it.into_iter().map(|it| Worksheet { cells: cells(it.cells) }).collect()
        };
        File {
            nbformat: self.nbformat,
            metadata: self.metadata,
            cells: self.cells.map(cells),
            worksheets: self.worksheets.map(sheets),
        }
    }
}

impl<O> RawCell<O> {
    fn with_outputs<P>(self, change: impl Fn(O) -> Option<P>) -> RawCell<P> {
        RawCell {
            outputs: self.outputs.and_then(change),
            cell_type: self.cell_type,
            source: self.source,
            input: self.input,
            level: self.level,
            metadata: self.metadata,
            execution_count: self.execution_count,
            attachments: self.attachments,
        }
    }
}

/// Members of the notebook's metadata that nbc reads; the state of widgets can be the largest part of a file.
const METADATA: [&str; 9] = [
    "title",
    "kernelspec",
    "language_info",
    "author",
    "authors",
    "date",
    "description",
    "lang",
    "hide_input",
];

#[derive(Default)]
pub(super) struct Metadata {
    pub(super) members: Map<String, Value>,
    /// The state of widgets, as it stands in the file: few notebooks need it.
    pub(super) widgets: Option<Box<str>>,
}

fn read_metadata<'de, D: Deserializer<'de>>(from: D) -> Result<Metadata, D::Error> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Metadata;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("an object")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Metadata::default())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
            let mut read = Metadata::default();
            while let Some(key) = members.next_key::<String>()? {
                if METADATA.contains(&key.as_str()) {
                    read.members.insert(key, members.next_value()?);
                } else if key == "widgets" {
                    let widgets: Box<RawValue> = members.next_value()?;
                    read.widgets = (widgets.get().len() > 2).then(|| widgets.into());
                } else {
                    members.next_value::<IgnoredAny>()?;
                }
            }
            Ok(read)
        }
    }
    from.deserialize_any(Members)
}

/// A string, or the list of its lines.
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lines;
        impl<'de> Visitor<'de> for Lines {
            type Value = String;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a string or a list of strings")
            }

            fn visit_str<E>(self, text: &str) -> Result<String, E> {
                Ok(text.to_owned())
            }

            fn visit_string<E>(self, text: String) -> Result<String, E> {
                Ok(text)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut lines: A) -> Result<String, A::Error> {
                let mut text = String::new();
                while let Some(Line(line)) = lines.next_element()? {
                    text.push_str(&line);
                }
                Ok(text)
            }
        }
        deserializer.deserialize_any(Lines).map(Text)
    }
}

/// A line, borrowed where it holds no escapes.
#[derive(Deserialize)]
struct Line<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads a file; a diagnostic says why it is none.
pub(super) fn read(
    source: &Source,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<File<StoredOutputs>, Diagnostic> {
    let (shared, text, source) = (source.shared_text(), source.text(), source.id());
    let front = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let json = text.get(front..).unwrap_or_default();
    if json::weight(json.as_bytes()) > json::MOST_OF_NOTEBOOK {
        let message = "the JSON holds more values than nbc reads";
        let help = "clear outputs that hold large JSON or widgets, or write fewer of them";
        return Err(
            Diagnostic::error(Code::TooComplex, Span::new(source, 0, 0), message).with_help(help)
        );
    }
    // nbformat 2 and 3 keep their cells in worksheets, and need changes.
    if let Ok(file @ File { cells: Some(_), .. }) =
        serde_json::from_str::<File<RawOutputs<'_>>>(json)
        && file.nbformat != Some(2)
    {
        return Ok(file.with_outputs(|it| it.shared(shared)));
    }
    let error = match serde_json::from_str::<File<Vec<Value>>>(json) {
        Ok(File { nbformat: Some(2), .. }) => match with_line_breaks(json) {
            Ok(file) => return Ok(file.with_outputs(StoredOutputs::of_values)),
            Err(error) => error,
        },
        Ok(file) => return Ok(file.with_outputs(StoredOutputs::of_values)),
        Err(error) => error,
    };
    if let Some((repaired, first)) = without_numbers_of_python(json)
        && let Ok(file) = serde_json::from_str::<File<Vec<Value>>>(&repaired)
    {
        let at = (front + first) as u32;
        let message = "`NaN` and `Infinity` are no numbers of JSON; they are read as `null`";
        let span = Span::new(source, at, at + 3);
        diagnostics.push(Diagnostic::warning(Code::InvalidJson, span, message));
        return Ok(file.with_outputs(StoredOutputs::of_values));
    }
    // Python writes half of a surrogate pair as an escape, which is no character at all.
    if let Some((repaired, first)) = without_lone_surrogates(json)
        && let Ok(file) = serde_json::from_str::<File<Vec<Value>>>(&repaired)
    {
        let at = (front + first) as u32;
        let message = "half of a surrogate pair stands for no character; it is shown as U+FFFD";
        let span = Span::new(source, at, at + 6);
        diagnostics.push(Diagnostic::warning(Code::InvalidJson, span, message));
        return Ok(file.with_outputs(StoredOutputs::of_values));
    }
    Err(broken(json, front, &error, source))
}

/// The finding about a text that is no notebook, which begins at `front` of the file.
fn broken(json: &str, front: usize, error: &serde_json::Error, source: SourceId) -> Diagnostic {
    let start = Span::new(source, 0, 0);
    if json.trim().is_empty() {
        return Diagnostic::error(Code::NotANotebook, start, "the file is empty");
    }
    if !json.trim_start().starts_with('{') {
        return Diagnostic::error(Code::NotANotebook, start, "the file holds no JSON object");
    }
    let at = (front + offset(json, error.line(), error.column())) as u32;
    let full = error.to_string();
    let reason = full.rsplit_once(" at line ").map_or(full.as_str(), |(reason, _)| reason);
    let message = if error.is_eof() {
        format!("the JSON ends too early: {reason}")
    } else if error.is_data() {
        format!("the JSON is no notebook: {reason}")
    } else {
        format!("the JSON is broken: {reason}")
    };
    Diagnostic::error(Code::InvalidJson, Span::new(source, at, at), message)
        .with_label("here")
        .with_help("open the notebook in Jupyter and save it, or get a whole copy of it")
}

/// Reads nbformat 2, whose lists of lines have lost their line breaks.
fn with_line_breaks(json: &str) -> serde_json::Result<File<Vec<Value>>> {
    let mut file: Value = serde_json::from_str(json)?;
    break_lines(&mut file);
    serde_json::from_value(file)
}

fn break_lines(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(break_lines),
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => {
            let last = items.len() - 1;
            for item in items.iter_mut().take(last) {
                if let Value::String(line) = item {
                    line.push('\n');
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(break_lines),
        _ => {}
    }
}

/// Byte offset of a line and column, both from 1, columns in bytes.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let mut start = 0;
    for _ in 1..line {
        match text.get(start..).and_then(|it| it.find('\n')) {
            Some(at) => start += at + 1,
            None => break,
        }
    }
    let mut at = (start + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Replaces `NaN`, `Infinity` and `-Infinity`, which Python writes outside of strings; also returns the offset of the
/// first one.
fn without_numbers_of_python(json: &str) -> Option<(String, usize)> {
    const NUMBERS: [&str; 3] = ["NaN", "-Infinity", "Infinity"];
    if !NUMBERS.iter().any(|it| json.contains(it)) {
        return None;
    }
    let bytes = json.as_bytes();
    let mut repaired = String::with_capacity(json.len());
    let (mut first, mut from, mut at) = (None, 0, 0);
    while let Some(found) = bytes.get(at..).and_then(|it| memchr::memchr3(b'"', b'N', b'I', it)) {
        at += found;
        if bytes.get(at) == Some(&b'"') {
            at = end_of_string(bytes, at + 1);
            continue;
        }
        let is_negative = at > from && bytes.get(at - 1) == Some(&b'-');
        let start = at - usize::from(is_negative);
        let rest = json.get(start..)?;
        let Some(number) = NUMBERS.iter().find(|it| rest.starts_with(**it)) else {
            at += 1;
            continue;
        };
        first = first.or(Some(start));
        repaired.push_str(json.get(from..start)?);
        repaired.push_str("null");
        from = start + number.len();
        at = from;
    }
    repaired.push_str(json.get(from..)?);
    Some((repaired, first?))
}

/// The offset behind the string of JSON that goes on at `at`.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(found) = bytes.get(at..).and_then(|it| memchr::memchr2(b'"', b'\\', it)) {
        at += found;
        if bytes.get(at) == Some(&b'"') {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

/// Replaces `\ud800` and its like; also returns the offset of the first one.
fn without_lone_surrogates(json: &str) -> Option<(String, usize)> {
    let bytes = json.as_bytes();
    let unit = |at: usize| -> Option<u32> {
        let escape = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u32::from_str_radix(std::str::from_utf8(escape).ok()?, 16).ok()
    };
    let mut lone: Vec<usize> = Vec::new();
    let mut at = 0;
    while let Some(next) = bytes.get(at..).and_then(|it| it.iter().position(|b| *b == b'\\')) {
        at += next;
        match unit(at) {
            Some(0xD800..=0xDBFF) if matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => at += 12,
            Some(0xD800..=0xDFFF) => {
                lone.push(at);
                at += 6;
            }
            Some(_) => at += 6,
            None => at += 2,
        }
    }
    let first = *lone.first()?;
    let mut repaired = String::with_capacity(json.len());
    let mut from = 0;
    for at in lone {
        repaired.push_str(json.get(from..at)?);
        repaired.push_str("\\ufffd");
        from = at + 6;
    }
    repaired.push_str(json.get(from..)?);
    Some((repaired, first))
}

/// An output of nbformat 2 or 3 in the shape of nbformat 4.
pub(super) fn modern(output: Value) -> Value {
    let Value::Object(mut old) = output else { return output };
    let kind = old.remove("output_type");
    let kind = match kind.as_ref().and_then(Value::as_str) {
        Some("pyout") => "execute_result",
        Some("pyerr") => "error",
        Some("stream") => "stream",
        Some("display_data") => "display_data",
        _ => {
            old.extend(kind.map(|it| ("output_type".to_owned(), it)));
            return Value::Object(old);
        }
    };
    let mut new = Map::new();
    new.insert("output_type".to_owned(), Value::from(kind));
    match kind {
        "stream" => {
            let name = old.remove("stream").unwrap_or_else(|| Value::from("stdout"));
            new.insert("name".to_owned(), name);
            new.extend(old.remove("text").map(|it| ("text".to_owned(), it)));
        }
        "error" => new.extend(old),
        _ => {
            let mut data = Map::new();
            for (key, value) in old {
                let mime = match key.as_str() {
                    "text" => "text/plain",
                    "html" => "text/html",
                    "svg" => "image/svg+xml",
                    "png" => "image/png",
                    "jpeg" => "image/jpeg",
                    "latex" => "text/latex",
                    "json" => "application/json",
                    "javascript" => "application/javascript",
                    "pdf" => "application/pdf",
                    "metadata" => {
                        new.insert(key, value);
                        continue;
                    }
                    "prompt_number" => {
                        new.insert("execution_count".to_owned(), value);
                        continue;
                    }
                    _ if key.contains('/') => key.as_str(),
                    _ => continue,
                };
                data.insert(mime.to_owned(), value);
            }
            new.insert("data".to_owned(), Value::Object(data));
        }
    }
    Value::Object(new)
}
