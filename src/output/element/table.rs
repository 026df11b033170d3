//! Tables: the rows that marimo put into the output, one page of them.

use serde_json::Value;

use super::{Compiled, Marimo, plain};
use crate::output::data::{self, Column, Extent};
use crate::output::{image, note};
use crate::sanitize::{Gate, SafeHtml};

/// Elements around the content of a cell.
const CELL_LEVELS: usize = 5;

impl Marimo<'_> {
    /// A cell that holds more than text: `{"mimetype": …, "data": …}`.
    fn cell(&self, value: &Value, gate: &mut Gate) -> Option<SafeHtml> {
        let mime = value.get("mimetype")?.as_str()?;
        let data = value.get("data")?;
        match (mime, data) {
            ("text/html" | "text/markdown", Value::String(text)) => {
                Some(gate.within(CELL_LEVELS, |gate| self.html(text, gate)))
            }
            (_, Value::String(text)) if mime.starts_with("image/") && mime != "image/svg+xml" => {
                image::Picture::leaf(text, self.notes)
            }
            (_, Value::String(text)) => Some(SafeHtml::text(text)),
            _ => Some(SafeHtml::text(&plain(data))),
        }
    }
}

impl Compiled<'_, '_> {
    pub(super) fn table(&self, gate: &mut Gate) -> Option<SafeHtml> {
        let rows = match self.json("data") {
            Value::String(text) => match text.strip_prefix("data:text/csv;base64,") {
                Some(_) => rows_of(&String::from_utf8(image::decode(&text)?).ok()?),
                None => data::parse(&text).or_else(|| address(&text))?,
            },
            other => other,
        };
        let Value::Array(rows) = rows else {
            self.marimo.notes.unsupported("a table whose rows are not in the output");
            return Some(note("The rows of this table are not part of the page."));
        };
        let types = self.json("field-types");
        let mut columns: Vec<Column> =
            types.as_array().into_iter().flatten().filter_map(column).collect();
        if columns.is_empty() {
            let keys = rows.first().and_then(Value::as_object).into_iter().flatten();
            let is_number = |name: &String| {
                let mut values = rows.iter().filter_map(|row| row.get(name));
                values.find(|it| !it.is_null()).is_some_and(Value::is_number)
            };
            columns = keys
                .filter(|(name, _)| *name != "_marimo_row_id")
                .map(|(name, _)| Column {
                    name: name.clone(),
                    kind: String::new(),
                    is_number: is_number(name),
                })
                .collect();
        }
        let number = |name: &str, least: usize| {
            self.json(name).as_u64().map_or(least, |it| usize::try_from(it).unwrap_or(least))
        };
        let whole = Extent {
            rows: number("total-rows", rows.len()),
            columns: number("total-columns", columns.len()).max(columns.len()),
        };
        // marimo names all columns, and sends the first.
        if let Some(row) = rows.first().and_then(Value::as_object) {
            columns.retain(|it| row.contains_key(&it.name));
        }
        let notes = self.marimo.notes;
        Some(data::table(&columns, &rows, whole, notes, &mut |value| self.marimo.cell(value, gate)))
    }
}

/// An address in place of data: marimo's virtual files, which the page does not have.
fn address(text: &str) -> Option<Value> {
    (text.starts_with("./@file/") || text.starts_with("data:") || text.starts_with("http"))
        .then_some(Value::Null)
}

/// `["name", ["integer", "int64"]]` or `["name", "integer", "int64"]`.
pub(super) fn column(field: &Value) -> Option<Column> {
    let field = field.as_array()?;
    let name = plain(field.first()?);
    let (kind, shown) = match field.get(1) {
        Some(Value::Array(pair)) => (pair.first(), pair.get(1)),
        kind => (kind, field.get(2)),
    };
    let is_number = matches!(kind.and_then(Value::as_str), Some("integer" | "number"));
    Some(Column { name, kind: shown.map(plain).unwrap_or_default(), is_number })
}

/// Rows of a CSV text with a header; a broken one ends them.
fn rows_of(text: &str) -> Value {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().cloned().unwrap_or_default();
    let of = |row: csv::StringRecord| {
        let cells = header.iter().zip(&row).map(|(name, cell)| (name.to_owned(), cell.into()));
        Value::Object(cells.collect())
    };
    Value::Array(reader.records().map_while(Result::ok).map(of).collect())
}
