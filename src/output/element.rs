//! marimo's elements, compiled to HTML that needs no script.
//!
//! In: a `<marimo-…>` element, whose attributes hold JSON (`facts/marimo.md`, section 4.1). Out:
//! markup of nbc's, with the element's own HTML sanitized inside. Controls are disabled and show
//! the value of the build. An element that nbc does not know becomes a box that says so.

mod control;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use super::chart::{self, Family};
use super::data::{self, Column};
use super::math::{self, Display};
use super::notes::Notes;
use super::{note, shortened};
use crate::charts::{self, Chart, Refusal};
use crate::run::record::MimeBundle;
use crate::sanitize::{CustomElement, CustomElements, Gate, SafeHtml, UntrustedHtml, svg};

/// marimo's vocabulary.
pub(super) struct Marimo<'n> {
    notes: &'n Notes,
    /// Pictures of the Vega charts of the markup, in document order (see `run::CHARTS_MIME`).
    charts: RefCell<VecDeque<Option<String>>>,
    /// Markup in attributes is not part of the document order.
    nested: Cell<u32>,
}

impl CustomElements for Marimo<'_> {
    fn claims(&self, name: &str) -> bool {
        name.starts_with("marimo-") || matches!(name, "iconify-icon" | "iframe" | "audio" | "video")
    }

    fn is_inline(&self, name: &str) -> bool {
        matches!(name, "marimo-tex" | "iconify-icon")
    }

    fn compile(&self, element: &CustomElement, children: SafeHtml, gate: &mut Gate) -> SafeHtml {
        let name = element.name.strip_prefix("marimo-").unwrap_or(&element.name);
        let one = Compiled { marimo: self, element, name };
        if let Some(html) = one.layout(&children, gate).or_else(|| one.control(&children, gate)) {
            return html;
        }
        let html = one.value(gate).unwrap_or_else(|| one.unknown());
        // These have no content when marimo writes them; broken markup may give them some.
        SafeHtml::concat([html, children])
    }
}

impl<'n> Marimo<'n> {
    pub(super) fn new(notes: &'n Notes) -> Self {
        Self::with_charts(notes, VecDeque::new())
    }

    /// With the pictures that the runner made of the charts in the markup.
    pub(super) fn with_charts(notes: &'n Notes, charts: VecDeque<Option<String>>) -> Self {
        Self { notes, charts: RefCell::new(charts), nested: Cell::new(0) }
    }

    fn html(&self, text: &str, gate: &mut Gate) -> SafeHtml {
        self.nested.set(self.nested.get() + 1);
        let html = gate.fragment(&UntrustedHtml::new(text.to_owned()), self);
        self.nested.set(self.nested.get() - 1);
        html
    }

    /// The next chart of the document as a picture.
    fn chart(&self) -> Option<SafeHtml> {
        if self.nested.get() > 0 {
            return None;
        }
        let text = self.charts.borrow_mut().pop_front()??;
        let image = svg::image(&UntrustedHtml::new(text), "Chart")?;
        self.notes.removed(&image.removed);
        Some(image.html)
    }

    /// A leaf of marimo's JSON: `mime:payload`.
    pub(super) fn leaf(&self, text: &str, gate: &mut Gate) -> Option<SafeHtml> {
        let (mime, payload) = text.split_once(':')?;
        match mime {
            "text/html" | "text/markdown" => {
                Some(gate.within(data::TREE_LEVELS, |gate| self.html(payload, gate)))
            }
            "image/png" | "image/jpeg" | "image/gif" | "image/webp" => {
                let picture = super::image::Picture::parse(payload).ok()?;
                Some(picture.html(&serde_json::Map::new()))
            }
            "application/json" => {
                let value = data::parse(payload)?;
                // A tree in a tree may not hold a third one.
                Some(data::tree(&value, &mut |_| None))
            }
            _ if mime == "text/plain" || mime.starts_with("text/plain+") => {
                let class = [("class", "nbc-tree-number")];
                Some(SafeHtml::element("span", &class, SafeHtml::text(payload)))
            }
            _ => None,
        }
    }
}

/// One element while it is compiled.
struct Compiled<'a, 'n> {
    marimo: &'a Marimo<'n>,
    element: &'a CustomElement,
    name: &'a str,
}

impl Compiled<'_, '_> {
    /// An attribute's JSON; `null` when it is missing or broken.
    fn json(&self, name: &str) -> Value {
        let text = self.element.attributes.get(&format!("data-{name}"));
        text.and_then(|it| data::parse(it)).unwrap_or(Value::Null)
    }

    fn text(&self, name: &str) -> String {
        plain(&self.json(name))
    }

    fn flag(&self, name: &str) -> bool {
        self.json(name) == Value::Bool(true)
    }

    /// An attribute that holds HTML.
    fn markup(&self, name: &str, gate: &mut Gate) -> Option<SafeHtml> {
        match self.json(name) {
            Value::String(text) if !text.trim().is_empty() => Some(self.marimo.html(&text, gate)),
            _ => None,
        }
    }

    fn list(&self, name: &str, gate: &mut Gate) -> Vec<SafeHtml> {
        match self.json(name) {
            Value::Array(items) => {
                items.iter().map(|it| self.marimo.html(&plain(it), gate)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Elements that arrange others.
    fn layout(&self, children: &SafeHtml, gate: &mut Gate) -> Option<SafeHtml> {
        let children = || children.clone();
        Some(match self.name {
            // Wrappers that mean something to marimo's page only.
            "ui-element" | "routes" | "ui-anywidget" | "island" | "cell-output" => children(),
            "accordion" => {
                let labels = self.list("labels", gate);
                let expanded = self.json("expanded");
                let expanded: BTreeSet<u64> =
                    expanded.as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
                let is_open = |at: usize| expanded.contains(&(at as u64));
                let panels = crate::sanitize::children(&children());
                let items = panels.into_iter().enumerate().map(|(at, panel)| {
                    let label = labels.get(at).cloned().unwrap_or_default();
                    let summary = SafeHtml::element("summary", &[], label);
                    let body = SafeHtml::div("nbc-accordion-body", panel);
                    let open: &[(&str, &str)] = if is_open(at) { &[("open", "")] } else { &[] };
                    SafeHtml::element("details", open, SafeHtml::concat([summary, body]))
                });
                SafeHtml::div("nbc-accordion", SafeHtml::concat(items.collect::<Vec<_>>()))
            }
            "tabs" => {
                let labels = self.list("tabs", gate);
                let panels = crate::sanitize::children(&children());
                let items = panels.into_iter().enumerate().map(|(at, panel)| {
                    let label = labels.get(at).cloned().unwrap_or_default();
                    let title = SafeHtml::div("nbc-tab-title", label);
                    SafeHtml::element(
                        "section",
                        &[("class", "nbc-tab")],
                        SafeHtml::concat([title, panel]),
                    )
                });
                SafeHtml::div("nbc-tabs", SafeHtml::concat(items.collect::<Vec<_>>()))
            }
            "carousel" => {
                let items = crate::sanitize::children(&children()).into_iter();
                let items = items.map(|it| SafeHtml::element("li", &[], it)).collect::<Vec<_>>();
                let attributes =
                    [("class", "nbc-carousel"), ("tabindex", "0"), ("aria-label", "Slides")];
                SafeHtml::element("ul", &attributes, SafeHtml::concat(items))
            }
            "sidebar" => SafeHtml::element("aside", &[("class", "nbc-sidebar")], children()),
            "nav-menu" => {
                let items = self.json("items");
                let nav = self.navigation(&items, gate, 0);
                SafeHtml::element("nav", &[("class", "nbc-menu")], nav)
            }
            // The page has its own table of contents.
            "outline" => {
                self.marimo.notes.unsupported("an outline (the page has its own)");
                note("The page's own table of contents stands for this outline.")
            }
            _ => return None,
        })
    }

    fn navigation(&self, items: &Value, gate: &mut Gate, depth: u8) -> SafeHtml {
        let Some(items) = items.as_array().filter(|_| depth < 4) else {
            return SafeHtml::default();
        };
        let items: Vec<SafeHtml> = items
            .iter()
            .map(|item| {
                let label = item
                    .get("label")
                    .map_or_else(SafeHtml::default, |it| self.marimo.html(&plain(it), gate));
                let address = item.get("href").map(plain).unwrap_or_default();
                let label = if address.is_empty() {
                    SafeHtml::element("span", &[], label)
                } else {
                    let attributes =
                        [("href", address.as_str()), ("rel", "noopener noreferrer nofollow")];
                    SafeHtml::element("a", &attributes, label)
                };
                let inner = item.get("items").map(|it| self.navigation(it, gate, depth + 1));
                SafeHtml::element("li", &[], SafeHtml::concat([label, inner.unwrap_or_default()]))
            })
            .collect();
        SafeHtml::element("ul", &[], SafeHtml::concat(items))
    }

    /// Elements that show a value.
    fn value(&self, gate: &mut Gate) -> Option<SafeHtml> {
        Some(match self.name {
            "callout-output" => {
                let kind = match self.text("kind").as_str() {
                    kind @ ("info" | "warn" | "success" | "danger" | "alert") => kind.to_owned(),
                    _ => "neutral".to_owned(),
                };
                let body = self.markup("html", gate).unwrap_or_default();
                let class = format!("nbc-callout nbc-callout-{kind}");
                SafeHtml::element("div", &[("class", &class), ("role", "note")], body)
            }
            "stat" => self.stat(gate),
            "json-output" => {
                let value = self.json("json-data");
                let marimo = self.marimo;
                data::tree(&value, &mut |text| marimo.leaf(text, gate))
            }
            "table" | "data-editor" => {
                let label = self.markup("label", gate);
                let label =
                    label.map(|it| SafeHtml::div("nbc-widget-label", it)).unwrap_or_default();
                SafeHtml::concat([label, self.table()?])
            }
            "dataframe" => {
                self.marimo.notes.unsupported("a data frame explorer");
                let columns = self.json("columns");
                let columns: Vec<Column> = columns.as_array()?.iter().filter_map(column).collect();
                let total = self.json("total").as_u64().unwrap_or(0) as usize;
                SafeHtml::concat([
                    note("A data frame explorer needs a running notebook; these are its columns."),
                    data::table(&columns, &[], total),
                ])
            }
            "mermaid" => {
                let source = SafeHtml::element("pre", &[], SafeHtml::text(&self.text("diagram")));
                let caption = SafeHtml::element(
                    "figcaption",
                    &[],
                    SafeHtml::text("Diagram (Mermaid source)"),
                );
                SafeHtml::element(
                    "figure",
                    &[("class", "nbc-diagram")],
                    SafeHtml::concat([source, caption]),
                )
            }
            "download" => {
                self.marimo.notes.control("download");
                let label =
                    self.markup("label", gate).unwrap_or_else(|| SafeHtml::text("Download"));
                let name = SafeHtml::element("code", &[], SafeHtml::text(&self.text("filename")));
                let text = SafeHtml::text(" (not part of this page)");
                SafeHtml::div(
                    "nbc-widget nbc-download",
                    SafeHtml::concat([label, SafeHtml::text(" "), name, text]),
                )
            }
            "progress" => {
                let title = self.markup("title", gate).unwrap_or_default();
                let subtitle =
                    self.markup("subtitle", gate).map(|it| SafeHtml::div("nbc-stat-caption", it));
                let count = match (self.json("progress").as_u64(), self.json("total").as_u64()) {
                    (Some(progress), Some(total)) => {
                        SafeHtml::text(&format!(" {progress} of {total}"))
                    }
                    _ => SafeHtml::default(),
                };
                SafeHtml::div(
                    "nbc-progress",
                    SafeHtml::concat([title, count, subtitle.unwrap_or_default()]),
                )
            }
            "image-comparison" => {
                let one = |name: &str, label: &str| {
                    let caption = SafeHtml::element("figcaption", &[], SafeHtml::text(label));
                    SafeHtml::element(
                        "figure",
                        &[],
                        SafeHtml::concat([self.picture(name, label), caption]),
                    )
                };
                let pair = [one("before-src", "Before"), one("after-src", "After")];
                SafeHtml::div("nbc-comparison", SafeHtml::concat(pair))
            }
            "matplotlib" => {
                self.marimo.notes.control("matplotlib selection");
                self.picture("chart-base64", "Figure")
            }
            "mime-renderer" => {
                let mime = self.text("mime");
                if let Some(family @ (Family::Vega | Family::VegaLite)) = Family::of_type(&mime) {
                    let read = family.read(&self.json("data"), &[]);
                    return Some(self.chart(family, read));
                }
                // Bundles are JSON in a text, other data is the text itself.
                let data = self.json("data");
                let parsed =
                    data.as_str().filter(|_| mime.ends_with("bundle")).and_then(data::parse);
                let bundle = MimeBundle {
                    data: BTreeMap::from([(mime, parsed.unwrap_or(data))]),
                    metadata: serde_json::Map::new(),
                };
                super::bundle::render(&bundle, gate, self.marimo.notes)?.html
            }
            "iconify-icon" => {
                let name = self.element.attributes.get("icon").map_or("", String::as_str);
                let name = name.split(':').next_back().unwrap_or("").replace('-', " ");
                SafeHtml::element(
                    "span",
                    &[("class", "nbc-icon"), ("role", "img"), ("aria-label", &name)],
                    SafeHtml::text("◆"),
                )
            }
            "iframe" if let Some(read) = self.framed_chart() => {
                chart::figure(Family::of_chart(&read), read, None, self.marimo.notes)
            }
            "iframe" => {
                self.marimo.notes.unsupported("an embedded page (`iframe`)");
                note("An embedded page stood here; pages of this site embed none.")
            }
            "audio" | "video" => {
                self.marimo.notes.unsupported(format!("{} playback", self.name));
                note(&format!("Here the notebook plays {}, which this page can't.", self.name))
            }
            "vega" => {
                let spec = self.json("spec");
                self.chart(Family::VegaLite, Family::VegaLite.read(&spec, &[]))
            }
            "plotly" => {
                let read = Family::Plotly.read(&self.json("figure"), &[]);
                chart::figure(Family::Plotly, read, None, self.marimo.notes)
            }
            "mpl-interactive" => {
                self.marimo.notes.unsupported("an interactive chart");
                note(
                    "Here the notebook shows an interactive chart, which needs a running notebook.",
                )
            }
            _ => return None,
        })
    }

    /// A Vega chart, with the picture that the runner made of it.
    fn chart(&self, family: Family, read: Result<Chart, Refusal>) -> SafeHtml {
        chart::figure(family, read, self.marimo.chart(), self.marimo.notes)
    }

    /// The chart in a page that a library writes around it.
    fn framed_chart(&self) -> Option<Result<Chart, Refusal>> {
        charts::in_markup(self.element.attributes.get("srcdoc")?)
    }

    /// An image in an attribute.
    fn picture(&self, name: &str, label: &str) -> SafeHtml {
        let mut metadata = serde_json::Map::new();
        metadata.insert("alt".to_owned(), label.into());
        match super::image::Picture::parse(&self.text(name)) {
            Ok(picture) => picture.html(&metadata),
            Err(_) => {
                self.marimo
                    .notes
                    .invalid(format!("an image of marimo's `{}` is not in the output", self.name));
                note("An image stood here that is not part of the notebook.")
            }
        }
    }

    fn stat(&self, gate: &mut Gate) -> SafeHtml {
        let line = |class: &'static str, text: Option<SafeHtml>| {
            text.map_or_else(SafeHtml::default, |it| SafeHtml::div(class, it))
        };
        let value = match self.json("value") {
            Value::String(text) => self.marimo.html(&text, gate),
            other => SafeHtml::text(&plain(&other)),
        };
        let label = self.markup("label", gate);
        let caption = self.markup("caption", gate);
        let (class, arrow) = match self.text("direction").as_str() {
            "increase" => ("nbc-stat-caption nbc-stat-increase", "▲ "),
            "decrease" => ("nbc-stat-caption nbc-stat-decrease", "▼ "),
            _ => ("nbc-stat-caption", ""),
        };
        let caption = caption.map(|it| SafeHtml::concat([SafeHtml::text(arrow), it]));
        let class_of_all =
            if self.flag("bordered") { "nbc-stat nbc-stat-bordered" } else { "nbc-stat" };
        let pieces = [
            line("nbc-stat-label", label),
            line("nbc-stat-value", Some(value)),
            line(class, caption),
        ];
        SafeHtml::div(class_of_all, SafeHtml::concat(pieces))
    }

    /// The rows that marimo put into the page: one page of them.
    fn table(&self) -> Option<SafeHtml> {
        let rows = match self.json("data") {
            Value::String(text) => match text.strip_prefix("data:text/csv;base64,") {
                Some(_) => csv(&String::from_utf8(super::image::decode(&text)?).ok()?),
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
            columns = keys
                .filter(|(name, _)| *name != "_marimo_row_id")
                .map(|(name, value)| Column {
                    name: name.clone(),
                    kind: String::new(),
                    is_number: value.is_number(),
                })
                .collect();
        }
        let total = self.json("total-rows").as_u64().map_or(rows.len(), |it| it as usize);
        Some(data::table(&columns, &rows, total))
    }

    fn unknown(&self) -> SafeHtml {
        let name: String = self
            .name
            .chars()
            .filter(|it| it.is_ascii_alphanumeric() || *it == '-')
            .take(40)
            .collect();
        self.marimo.notes.unsupported(format!("marimo's `{name}`"));
        let text = format!("“{}” needs a running notebook.", name.replace('-', " "));
        note(&text)
    }
}

/// An address in place of data: marimo's virtual files, which the page does not have.
fn address(text: &str) -> Option<Value> {
    (text.starts_with("./@file/") || text.starts_with("data:") || text.starts_with("http"))
        .then_some(Value::Null)
}

/// `["name", ["integer", "int64"]]` or `["name", "integer", "int64"]`.
fn column(field: &Value) -> Option<Column> {
    let field = field.as_array()?;
    let name = plain(field.first()?);
    let (kind, shown) = match field.get(1) {
        Some(Value::Array(pair)) => (pair.first(), pair.get(1)),
        kind => (kind, field.get(2)),
    };
    let is_number = matches!(kind.and_then(Value::as_str), Some("integer" | "number"));
    Some(Column { name, kind: shown.map(plain).unwrap_or_default(), is_number })
}

/// Rows of a CSV text with a header, quotes as in RFC 4180.
fn csv(text: &str) -> Value {
    let mut rows: Vec<Vec<String>> = vec![vec![String::new()]];
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let is_double = character == '"' && characters.peek() == Some(&'"');
        if quoted && is_double {
            characters.next();
        }
        let Some(row) = rows.last_mut() else { break };
        match character {
            '"' if quoted && !is_double => quoted = false,
            '"' if !quoted => quoted = true,
            ',' if !quoted => row.push(String::new()),
            '\r' if !quoted => {}
            '\n' if !quoted => rows.push(vec![String::new()]),
            other => {
                if let Some(cell) = row.last_mut() {
                    cell.push(other);
                }
            }
        }
    }
    let mut rows = rows.into_iter();
    let header = rows.next().unwrap_or_default();
    let of =
        |row: Vec<String>| header.iter().cloned().zip(row.into_iter().map(Value::String)).collect();
    Value::Array(
        rows.filter(|row| row.iter().any(|it| !it.is_empty())).map(of).map(Value::Object).collect(),
    )
}

/// A JSON value as a reader would write it.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// `marimo-tex`: `||(x||)` in a line, `||[x||]` by itself.
fn formula(text: &str, gate: &mut Gate) -> SafeHtml {
    let text = text.trim();
    let between =
        |open: &str, close: &str| text.strip_prefix(open).and_then(|it| it.strip_suffix(close));
    if let Some(source) = between("||[", "||]").or_else(|| between("||(||(", "||)||)")) {
        return math::html(source, Display::Block, gate);
    }
    math::html(between("||(", "||)").unwrap_or(text), Display::Inline, gate)
}
