//! JSON: trees that fold, and tables.
//!
//! In: JSON values of a notebook. Out: lists and tables of escaped text.

use serde_json::Value;

use super::notes::Notes;
use super::shorten::number;
use super::shortened;
use crate::sanitize::SafeHtml;

/// Values of one tree that are shown.
const MOST_VALUES: usize = 5_000;
/// Columns of a table that are shown.
const MOST_COLUMNS: usize = 200;
/// Cells of a table that are shown however few of them the rows fill, and those shown for each that they do: what a
/// row leaves out takes room on the page, and none in the notebook.
const FEW_CELLS: usize = 1_000;
const CELLS_A_VALUE: usize = 2;
/// Deepest value of a tree that is shown; each has two elements.
const DEEPEST: usize = 24;
/// Elements around a leaf of a tree that stands this deep in it.
pub(super) const fn tree_levels(depth: usize) -> usize {
    2 * depth + 2
}

/// Draws a text of a tree in its own way, or not; it is told how deep the text stands.
pub(super) type Leaf<'l> = dyn FnMut(&str, usize) -> Option<SafeHtml> + 'l;

/// Reads JSON as Python writes it, with `NaN` and `Infinity`.
pub(super) fn parse(text: &str) -> Option<Value> {
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value);
    }
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if !quoted
            && let Some((name, value)) =
                [("NaN", "\"NaN\""), ("-Infinity", "\"-∞\""), ("Infinity", "\"∞\"")]
                    .iter()
                    .find(|(name, _)| rest.starts_with(name))
        {
            out.push_str(value);
            rest = rest.get(name.len()..).unwrap_or("");
            continue;
        }
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        out.push(character);
        rest = rest.get(character.len_utf8()..).unwrap_or("");
    }
    serde_json::from_str(&out).ok()
}

/// A tree; `leaf` may draw a text in its own way.
pub(super) fn tree(value: &Value, leaf: &mut Leaf<'_>) -> SafeHtml {
    let mut left = MOST_VALUES;
    let tree = SafeHtml::div("nbc-tree", branch(None, value, 0, &mut left, leaf));
    if left == 0 {
        return SafeHtml::concat([tree, shortened("Not all values are shown.")]);
    }
    tree
}

fn branch(
    key: Option<SafeHtml>,
    value: &Value,
    depth: usize,
    left: &mut usize,
    leaf: &mut Leaf<'_>,
) -> SafeHtml {
    if *left == 0 {
        return SafeHtml::default();
    }
    *left -= 1;
    let key = key.map_or_else(SafeHtml::default, |key| {
        let key = SafeHtml::element("span", &[("class", "nbc-tree-key")], key);
        SafeHtml::concat([key, SafeHtml::text(": ")])
    });
    let (summary, children): (String, Vec<(Option<SafeHtml>, &Value)>) = match value {
        Value::Array(items) => {
            let children = items.iter().enumerate();
            (
                format!("[{}]", items.len()),
                children.map(|(at, it)| (Some(SafeHtml::text(&at.to_string())), it)).collect(),
            )
        }
        Value::Object(items) => (
            format!("{{{}}}", items.len()),
            items.iter().map(|(key, it)| (Some(SafeHtml::text(key_text(key))), it)).collect(),
        ),
        _ => {
            let scalar = scalar(value, depth, leaf);
            return SafeHtml::div("nbc-tree-leaf", SafeHtml::concat([key, scalar]));
        }
    };
    let count = SafeHtml::element("span", &[("class", "nbc-tree-count")], SafeHtml::text(&summary));
    let head = SafeHtml::concat([key, count]);
    if children.is_empty() || depth >= DEEPEST {
        return SafeHtml::div("nbc-tree-leaf", head);
    }
    let is_open = depth == 0 && children.len() <= 100;
    let inner = children.into_iter().map(|(key, it)| branch(key, it, depth + 1, left, leaf));
    let inner = SafeHtml::concat(inner.collect::<Vec<_>>());
    let body = SafeHtml::concat([
        SafeHtml::element("summary", &[], head),
        SafeHtml::div("nbc-tree-branch", inner),
    ]);
    let open: &[(&str, &str)] = if is_open { &[("open", "")] } else { &[] };
    SafeHtml::element("details", open, body)
}

/// marimo writes keys that are no text as `text/plain+int:3`.
fn key_text(key: &str) -> &str {
    let typed = key.strip_prefix("text/plain+");
    typed.and_then(|it| it.split_once(':')).map_or(key, |(_, text)| text)
}

fn scalar(value: &Value, depth: usize, leaf: &mut Leaf<'_>) -> SafeHtml {
    let (class, text) = match value {
        Value::Null => ("nbc-tree-null", "None".to_owned()),
        Value::Bool(it) => ("nbc-tree-bool", it.to_string()),
        Value::Number(it) => ("nbc-tree-number", it.to_string()),
        Value::String(text) => match leaf(text, depth) {
            Some(html) => return html,
            None => ("nbc-tree-text", format!("\"{text}\"")),
        },
        _ => ("nbc-tree-text", String::new()),
    };
    SafeHtml::element("span", &[("class", class)], SafeHtml::text(&text))
}

/// A column of a table.
pub(super) struct Column {
    pub(super) name: String,
    /// Shown under the name: `int64`.
    pub(super) kind: String,
    /// Numbers stand at the right.
    pub(super) is_number: bool,
}

/// Size of the whole table, of which only a part may be given.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// A table of rows of JSON objects; `cell` may draw a value in its own way.
pub(super) fn table(
    columns: &[Column],
    rows: &[Value],
    whole: Extent,
    notes: &Notes,
    cell: &mut dyn FnMut(&Value) -> Option<SafeHtml>,
) -> SafeHtml {
    let shown = columns.get(..columns.len().min(MOST_COLUMNS)).unwrap_or(columns);
    let head = shown.iter().map(|column| {
        let class = if column.is_number { "nbc-number" } else { "nbc-string" };
        let kind =
            SafeHtml::element("span", &[("class", "nbc-table-type")], SafeHtml::text(&column.kind));
        let kind = if column.kind.is_empty() { SafeHtml::default() } else { kind };
        let name = SafeHtml::concat([SafeHtml::text(&column.name), kind]);
        SafeHtml::element("th", &[("scope", "col"), ("class", class)], name)
    });
    let head = SafeHtml::element("tr", &[], SafeHtml::concat(head.collect::<Vec<_>>()));
    let rows = rows.get(..rows.len().min(notes.rows())).unwrap_or(rows);
    let rows = rows.get(..rows.len().min(most_rows(shown, rows))).unwrap_or(rows);
    let body = rows.iter().map(|row| {
        let cells = shown.iter().map(|column| {
            let class = if column.is_number { "nbc-number" } else { "nbc-string" };
            let value = row.get(&column.name).unwrap_or(&Value::Null);
            let html = cell(value).unwrap_or_else(|| SafeHtml::text(&cell_text(value)));
            SafeHtml::element("td", &[("class", class)], html)
        });
        SafeHtml::element("tr", &[], SafeHtml::concat(cells.collect::<Vec<_>>()))
    });
    let body = SafeHtml::concat(body.collect::<Vec<_>>());
    let table = SafeHtml::concat([
        SafeHtml::element("thead", &[], head),
        SafeHtml::element("tbody", &[], body),
    ]);
    let table = SafeHtml::element("table", &[("class", "nbc-table")], table);
    let attributes = [
        ("class", "nbc-table-frame"),
        ("tabindex", "0"),
        ("role", "group"),
        ("aria-label", "Table"),
    ];
    let frame = SafeHtml::element("div", &attributes, table);
    let said = left_out(Extent { rows: rows.len(), columns: shown.len() }, whole);
    if said.is_empty() {
        return frame;
    }
    notes.shortened(format!("a table of {} rows, {} columns", whole.rows, whole.columns));
    SafeHtml::concat([frame, shortened(&said)])
}

/// The rows whose cells are in proportion to the values that they have.
fn most_rows(columns: &[Column], rows: &[Value]) -> usize {
    let filled = |row: &Value| columns.iter().filter(|it| row.get(&it.name).is_some()).count();
    let values: usize = rows.iter().map(filled).sum();
    (FEW_CELLS + CELLS_A_VALUE * values) / columns.len().max(1)
}

/// Note about the rows and columns of a table that the page leaves out.
fn left_out(here: Extent, whole: Extent) -> String {
    let of = |what: &str, here: usize, whole: usize| match here {
        _ if here >= whole => String::new(),
        0 => format!("None of {} {} are on this page. ", number(whole), what.to_lowercase()),
        _ => format!("{what} 1 to {} of {}. ", number(here), number(whole)),
    };
    let rows = of("Rows", here.rows, whole.rows);
    let columns = of("Columns", here.columns, whole.columns);
    format!("{rows}{columns}").trim_end().to_owned()
}

/// A table with its schema (Frictionless Data's table schema, as pandas writes it).
pub(super) fn resource(value: &Value, notes: &Notes) -> Option<SafeHtml> {
    let parsed = value.as_str().and_then(parse);
    let value = parsed.as_ref().unwrap_or(value);
    let rows = value.get("data")?.as_array()?;
    let fields = value.get("schema")?.get("fields")?.as_array()?;
    let columns = fields.iter().filter_map(|field| {
        let kind = field.get("type").and_then(Value::as_str).unwrap_or("");
        Some(Column {
            name: cell_text(field.get("name")?),
            kind: kind.to_owned(),
            is_number: matches!(kind, "integer" | "number"),
        })
    });
    let columns: Vec<Column> = columns.collect();
    let whole = Extent { rows: rows.len(), columns: columns.len() };
    Some(table(&columns, rows, whole, notes, &mut |_| None))
}

fn cell_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cells(fields: usize, rows: &[Value]) -> usize {
        let fields = (0..fields).map(|at| json!({ "name": format!("c{at}") }));
        let value = json!({ "schema": { "fields": fields.collect::<Vec<_>>() }, "data": rows });
        let table = resource(&value, &Notes::default().with_rows(10_000)).unwrap();
        table.as_str().matches("<td").count()
    }

    #[test]
    fn cells_of_a_table_are_in_proportion_to_its_values() {
        let full: Vec<Value> = (0..5000).map(|at| json!({ "c0": at, "c1": 1 })).collect();
        assert_eq!(cells(2, &full), 10_000);
        // 3,000 columns of which each row fills one: 111 kB of notebook are no 28 MB of page.
        let bound = FEW_CELLS + CELLS_A_VALUE * 5000;
        let sparse = cells(3000, &vec![json!({ "c1": 1 }); 5000]);
        assert!((bound - MOST_COLUMNS..=bound).contains(&sparse), "{sparse}");
        assert_eq!(cells(100, &vec![json!({}); 1000]), FEW_CELLS);
    }
}
