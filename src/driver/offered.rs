//! The notebook as its readers may have it.
//!
//! In: the text of a notebook. Out: the same without what its runs left in it, and without the metadata of the files
//! in it. Other code than what Python would run is never written: what had to go is told.

use std::borrow::Cow;

use camino::Utf8Path;
use serde_json::{Map, Value, json};

use super::quarto::QuartoProjects;
use crate::diagnostic::{Code, Diagnostic};
use crate::metadata::{self, TextOf};
use crate::notebook;
use crate::output;
use crate::source::{Sources, Span};

/// A notebook for readers.
pub(super) struct Offered {
    pub(super) bytes: Vec<u8>,
    /// Files that are left out.
    refused: usize,
    /// Texts of code that are not what they were.
    changed: usize,
}

impl Offered {
    /// A finding about removed or changed parts.
    pub(super) fn finding(&self, span: Span) -> Option<Diagnostic> {
        let message = match (self.refused, self.changed) {
            (0, 0) => return None,
            (0, _) => "the notebook that readers may download has other code: metadata of a file in it are removed"
                .to_owned(),
            (1, _) => format!("a file in the notebook that readers may download {}", metadata::STUCK),
            (count, _) => format!(
                "{count} files in the notebook that readers may download have metadata that can't be removed"
            ),
        };
        let found = Diagnostic::warning(Code::StuckMetadata, span, message);
        Some(
            found.with_help(
                "save the file anew without metadata, or build without `--include-source`",
            ),
        )
    }

    /// A text of the notebook without the metadata of the files in it.
    fn clean<'text>(&mut self, text: &'text str, is_code: bool) -> Cow<'text, str> {
        let cleaned = metadata::strip_in_text(text, TextOf::Source);
        self.refused += cleaned.refused;
        self.changed += usize::from(is_code && matches!(cleaned.text, Cow::Owned(_)));
        cleaned.text
    }

    fn cell(&mut self, cell: &mut Map<String, Value>) {
        if let Some(Value::Object(attachments)) = cell.get_mut("attachments") {
            attachments.values_mut().for_each(|it| self.attachment(it));
        }
        let is_code = cell.get("cell_type").and_then(Value::as_str) == Some("code");
        for name in ["source", "input"] {
            let Some(source) = cell.get_mut(name) else { continue };
            let text = joined(source);
            if let Cow::Owned(clean) = self.clean(&text, is_code) {
                *source = match source {
                    Value::Array(_) => clean.split_inclusive('\n').collect(),
                    _ => clean.into(),
                };
            }
        }
        if cell.contains_key("outputs") {
            cell.insert("outputs".to_owned(), json!([]));
            for key in ["execution_count", "prompt_number"] {
                if let Some(count) = cell.get_mut(key) {
                    *count = Value::Null;
                }
            }
        }
    }

    /// Takes the metadata out of the files of an attachment; those that keep it are left out.
    fn attachment(&mut self, bundle: &mut Value) {
        for (mime, data) in bundle.as_object_mut().into_iter().flatten() {
            let text = joined(data);
            let compact: String = text.chars().filter(|it| !it.is_ascii_whitespace()).collect();
            let is_known = metadata::is_known_base64(&compact);
            let clean = match metadata::strip_base64(&compact) {
                Ok(Cow::Owned(stripped)) => Some(stripped),
                Ok(Cow::Borrowed(_)) if is_known => continue,
                Err(_) => None,
                // SVG is written as it is.
                Ok(Cow::Borrowed(_)) => match metadata::strip(text.as_bytes()) {
                    Ok(Cow::Owned(stripped)) => String::from_utf8(stripped).ok(),
                    Ok(Cow::Borrowed(_)) if metadata::is_known(text.as_bytes()) => continue,
                    Ok(Cow::Borrowed(_)) if !mime.starts_with("image/") => continue,
                    _ => None,
                },
            };
            self.refused += usize::from(clean.is_none());
            *data = clean.unwrap_or_default().into();
        }
    }
}

/// A text of Jupyter, which may be a list of its lines.
fn joined(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect::<String>().into(),
        _ => Cow::Borrowed(""),
    }
}

/// Whether a file is a notebook whose author hides code or text in it, so that readers do not get it.
pub(super) fn withholds(path: &Utf8Path, extension: &str, bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    if !notebook::is_notebook(extension, text) {
        return false;
    }
    let settings = QuartoProjects::default().of(path);
    // The parser of Python goes as deep as the notebook does.
    output::on_big_stack(|| {
        let mut sources = Sources::default();
        let source = sources.add(path.to_owned(), None, text.to_owned());
        let parsed = notebook::parse_in(&mut sources, source, &settings).value;
        parsed.is_some_and(|it| it.cells.iter().any(|it| it.options.withholds()))
    })
}

/// A notebook as a reader may have it: a Jupyter notebook loses what its runs left in it, which the page
/// shows sanitized. What is not JSON is source through and through.
pub(super) fn without_outputs(text: &str) -> Offered {
    let mut offered = Offered { bytes: Vec::new(), refused: 0, changed: 0 };
    let Ok(Value::Object(mut file)) = serde_json::from_str(text) else {
        offered.bytes = offered.clean(text, true).as_bytes().to_vec();
        return offered;
    };
    let mut cells_of = |map: &mut Map<String, Value>| {
        if let Some(Value::Array(cells)) = map.get_mut("cells") {
            cells.iter_mut().filter_map(Value::as_object_mut).for_each(|it| offered.cell(it));
        }
    };
    cells_of(&mut file);
    if let Some(Value::Array(sheets)) = file.get_mut("worksheets") {
        sheets.iter_mut().filter_map(Value::as_object_mut).for_each(cells_of);
    }
    if let Some(Value::Object(metadata)) = file.get_mut("metadata") {
        // The state of widgets is an output too.
        metadata.shift_remove("widgets");
    }
    let text = serde_json::to_string_pretty(&file).unwrap_or_default();
    offered.bytes = offered.clean(&text, false).as_bytes().to_vec();
    offered
}
