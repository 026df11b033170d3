//! marimo's elements, compiled to HTML that needs no script.
//!
//! In: a `<marimo-…>` element, whose attributes hold JSON (`facts/marimo.md`, section 4.1). Out:
//! markup of nbc's, with the element's own HTML sanitized inside. Controls are disabled and show
//! the value of the build. An element that nbc does not know becomes a box that says so.

mod control;
pub(super) mod layout;
mod table;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use super::chart::{self, Family, Still};
use super::data::{self, Column};
use super::diagram;
use super::math::{self, Display};
use super::media;
use super::notes::Notes;
use super::{note, shortened};
use crate::charts::{self, Chart, Refusal};
use crate::run::record::MimeBundle;
use crate::sanitize::{CustomElement, CustomElements, Gate, SafeHtml, UntrustedHtml, svg};
use table::column;

/// marimo's vocabulary.
pub(super) struct Marimo<'n> {
    notes: &'n Notes,
    /// Pictures of the Vega charts of the markup, in document order (see `run::CHARTS_MIME`).
    charts: RefCell<VecDeque<Option<String>>>,
    /// Markup in attributes is not part of the document order.
    nested: Cell<u32>,
    /// Of the inputs around what is read now: which input of the page each is, if it works.
    inputs: RefCell<Vec<Option<LiveInput>>>,
}

/// An input of the page that works.
#[derive(Debug, Clone)]
struct LiveInput {
    index: u32,
    /// Its value, where that is another than that of the build.
    chosen: Option<Value>,
}

/// marimo's wrapper of an input.
const INPUT: &str = "marimo-ui-element";

impl CustomElements for Marimo<'_> {
    fn claims(&self, name: &str) -> bool {
        name.starts_with("marimo-")
            || matches!(name, "iconify-icon" | "iframe" | "audio" | "video" | "source")
    }

    fn is_inline(&self, name: &str) -> bool {
        matches!(name, "marimo-tex" | "iconify-icon")
    }

    fn open(&self, element: &CustomElement) {
        if element.name == INPUT {
            let id = element.attributes.get("object-id");
            let input = id.and_then(|id| {
                let chosen = self.notes.chosen(id).cloned();
                Some(LiveInput { index: self.notes.live_input(id)?, chosen })
            });
            self.inputs.borrow_mut().push(input);
        }
    }

    fn compile(&self, element: &CustomElement, children: SafeHtml, gate: &mut Gate) -> SafeHtml {
        let name = element.name.strip_prefix("marimo-").unwrap_or(&element.name);
        let one = Compiled { marimo: self, element, name };
        if let Some(html) = one.layout(&children, gate).or_else(|| one.control(&children, gate)) {
            return html;
        }
        if let Some(html) = one.media(&children, gate) {
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
        Self {
            notes,
            charts: RefCell::new(charts),
            nested: Cell::new(0),
            inputs: RefCell::new(Vec::new()),
        }
    }

    /// Tells of a control that does not react, unless it is an input that works.
    fn control(&self, what: &str) {
        if self.inputs.borrow().last().is_none_or(Option::is_none) {
            self.notes.control(what);
        }
    }

    /// Whether the control that is read now works.
    fn is_live(&self) -> bool {
        self.inputs.borrow().last().is_some_and(Option::is_some)
    }

    /// The value that the control which is read now has instead of that of the build.
    fn chosen(&self) -> Option<Value> {
        self.inputs.borrow().last().and_then(|it| it.as_ref()?.chosen.clone())
    }

    /// The input that ends here, around its control.
    fn input(&self, control: SafeHtml) -> SafeHtml {
        match self.inputs.borrow_mut().pop().flatten() {
            Some(input) => {
                let index = input.index.to_string();
                let attributes = [("class", "nbc-live"), ("data-widget", index.as_str())];
                SafeHtml::element("div", &attributes, control)
            }
            None => control,
        }
    }

    fn html(&self, text: &str, gate: &mut Gate) -> SafeHtml {
        self.nested.set(self.nested.get() + 1);
        let html = gate.fragment(&UntrustedHtml::new(text.to_owned()), self);
        self.nested.set(self.nested.get() - 1);
        html
    }

    /// The next chart of the document as a picture.
    fn chart(&self) -> Still {
        if self.nested.get() > 0 {
            return Still::None;
        }
        // The list is empty if the environment cannot draw charts.
        let Some(picture) = self.charts.borrow_mut().pop_front() else { return Still::None };
        let image = picture.and_then(|it| svg::image(&UntrustedHtml::new(it), "Chart"));
        let Some(image) = image else { return Still::NotDrawn };
        self.notes.removed(&image.removed);
        Still::Picture(image.html)
    }

    /// A leaf of marimo's JSON: `mime:payload`.
    pub(super) fn leaf(&self, text: &str, depth: usize, gate: &mut Gate) -> Option<SafeHtml> {
        let (mime, payload) = text.split_once(':')?;
        match mime {
            "text/html" | "text/markdown" => {
                Some(gate.within(data::tree_levels(depth), |gate| self.html(payload, gate)))
            }
            "image/png" | "image/jpeg" | "image/gif" | "image/webp" => {
                super::image::Picture::leaf(payload, self.notes)
            }
            "application/json" => {
                let value = data::parse(payload)?;
                // A tree in a tree may not hold a third one.
                Some(data::tree(&value, &mut |_, _| None))
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
                let name = self.text("name");
                let name = match name.as_str() {
                    "" => SafeHtml::default(),
                    name => SafeHtml::div("nbc-widget-label", SafeHtml::text(name)),
                };
                let tree = data::tree(&value, &mut |text, depth| marimo.leaf(text, depth, gate));
                SafeHtml::concat([name, tree])
            }
            "table" | "data-editor" => {
                let label = self.markup("label", gate);
                let label =
                    label.map(|it| SafeHtml::div("nbc-widget-label", it)).unwrap_or_default();
                SafeHtml::concat([label, self.table(gate)?])
            }
            "data-explorer" => {
                self.marimo.notes.unsupported("a chart builder");
                SafeHtml::concat([
                    note("A chart builder needs a running notebook; this is its data."),
                    self.table(gate)?,
                ])
            }
            "dataframe" => {
                self.marimo.notes.unsupported("a data frame explorer");
                let columns = self.json("columns");
                let columns: Vec<Column> = columns.as_array()?.iter().filter_map(column).collect();
                let rows = self.json("total").as_u64().unwrap_or(0) as usize;
                let whole = data::Extent { rows, columns: columns.len() };
                SafeHtml::concat([
                    note("A data frame explorer needs a running notebook; these are its columns."),
                    data::table(&columns, &[], whole, self.marimo.notes, &mut |_| None),
                ])
            }
            "mermaid" => diagram::html(&self.text("diagram"), self.marimo.notes),
            "download" => self.download(gate),
            "progress" => self.progress(gate),
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
                self.marimo.control("matplotlib selection");
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
            "anywidget" | "panel" => {
                self.marimo.notes.unsupported(format!("a custom widget ({})", self.name));
                note(
                    "Here the notebook shows a custom widget, whose code pages of this site don't run.",
                )
            }
            "vega" => {
                let spec = self.json("spec");
                self.chart(Family::VegaLite, Family::VegaLite.read(&spec, &[]))
            }
            "plotly" => {
                let read = Family::Plotly.read(&self.json("figure"), &[]);
                chart::figure(Family::Plotly, read, Still::None, self.marimo.notes)
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

    /// Sound, film and embedded documents. What stands inside them is for browsers without them.
    fn media(&self, children: &SafeHtml, gate: &mut Gate) -> Option<SafeHtml> {
        let notes = self.marimo.notes;
        let attribute = |name: &str| self.element.attributes.get(name).map_or("", String::as_str);
        let source = attribute("src").trim();
        Some(match self.name {
            "audio" | "video" if !source.is_empty() => {
                media::player(source, self.name == "video", notes)
            }
            "audio" | "video" => {
                let mut inner = crate::sanitize::children(children).into_iter();
                let is_player = |it: &SafeHtml| {
                    ["<audio ", "<video ", "<p class=\"nbc-note\""]
                        .iter()
                        .any(|start| it.as_str().trim_start().starts_with(start))
                };
                inner.find(is_player).unwrap_or_else(|| {
                    notes.unsupported(format!("{} without a source", self.name));
                    note(&format!(
                        "Here the notebook plays {}, which is not part of it.",
                        self.name
                    ))
                })
            }
            "source" if !source.is_empty() => {
                let is_film =
                    !attribute("type").starts_with("audio") && !source.starts_with("data:audio");
                media::player(source, is_film, notes)
            }
            "source" => {
                gate.remove("`<source>` tag");
                SafeHtml::default()
            }
            "iframe" if let Some(found) = self.framed_chart() => {
                chart::figure(Family::of_kind(found.kind), found.chart, Still::None, notes)
            }
            "iframe" => self.embedded(source, attribute("srcdoc"), gate),
            _ => return None,
        })
    }

    /// A document in the page: a PDF is offered, a page that says something without its code is
    /// shown (marimo frames what libraries draw with a script), of others the address is told.
    fn embedded(&self, source: &str, document: &str, gate: &mut Gate) -> SafeHtml {
        let notes = self.marimo.notes;
        if let Some(pdf) =
            Some(source).filter(|it| it.starts_with("data:")).and_then(|it| media::pdf(it, notes))
        {
            return pdf;
        }
        if !document.trim().is_empty() {
            let inner = self.marimo.html(document, gate);
            if super::bundle::has_content(inner.as_str()) {
                return SafeHtml::div("nbc-embedded", inner);
            }
        }
        if document.trim().is_empty() && !source.is_empty() && !source.starts_with("data:") {
            return media::elsewhere(source, "a page", notes);
        }
        notes.unsupported("an embedded page (`iframe`)");
        note("An embedded page stood here; pages of this site embed none.")
    }

    /// A file that the notebook offers.
    fn download(&self, gate: &mut Gate) -> SafeHtml {
        let label = self.markup("label", gate).unwrap_or_else(|| SafeHtml::text("Download"));
        let name = self.text("filename");
        let data = self.text("data");
        let mime = data.strip_prefix("data:").and_then(|it| it.split([';', ',']).next());
        if let Some(mime) = mime
            && let Some(bytes) = super::image::decode(&data)
        {
            return SafeHtml::div(
                "nbc-widget",
                media::file(&name, mime, &bytes, label, self.marimo.notes),
            );
        }
        self.marimo.notes.control("download");
        let name = SafeHtml::element("code", &[], SafeHtml::text(&name));
        let text = SafeHtml::text(" is made by the running notebook");
        let text = SafeHtml::concat([SafeHtml::text(" "), name, text]);
        let text = SafeHtml::element("span", &[("class", "nbc-widget-value")], text);
        SafeHtml::div("nbc-widget", SafeHtml::concat([label, text]))
    }

    /// How far something had come when the notebook ran.
    fn progress(&self, gate: &mut Gate) -> SafeHtml {
        let title = self.markup("title", gate).unwrap_or_default();
        let title = SafeHtml::element("span", &[("class", "nbc-progress-title")], title);
        let subtitle =
            self.markup("subtitle", gate).map(|it| SafeHtml::div("nbc-stat-caption", it));
        let bar = match (self.json("progress").as_u64(), self.json("total").as_u64()) {
            (Some(progress), Some(total)) => {
                let text = SafeHtml::text(&format!("{progress} of {total}"));
                let (value, most) = (progress.to_string(), total.max(1).to_string());
                let attributes =
                    [("value", value.as_str()), ("max", &most), ("aria-label", "Progress")];
                let bar = SafeHtml::element("progress", &attributes, text.clone());
                SafeHtml::concat([
                    bar,
                    SafeHtml::element("span", &[("class", "nbc-widget-value")], text),
                ])
            }
            _ => SafeHtml::default(),
        };
        SafeHtml::div("nbc-progress", SafeHtml::concat([title, bar, subtitle.unwrap_or_default()]))
    }

    /// A Vega chart, with the picture that the runner made of it.
    fn chart(&self, family: Family, read: Result<Chart, Refusal>) -> SafeHtml {
        chart::figure(family, read, self.marimo.chart(), self.marimo.notes)
    }

    /// The chart in a page that a library writes around it.
    fn framed_chart(&self) -> Option<charts::Found> {
        charts::in_markup(self.element.attributes.get("srcdoc")?)
    }

    /// An image in an attribute.
    fn picture(&self, name: &str, label: &str) -> SafeHtml {
        let mut metadata = serde_json::Map::new();
        metadata.insert("alt".to_owned(), label.into());
        match super::image::Picture::parse(&self.text(name)) {
            Ok(picture) => picture.html(&metadata),
            Err(why) => {
                let what = match why == crate::metadata::STUCK {
                    true => format!("an image of marimo's `{}` {why}", self.name),
                    false => format!("an image of marimo's `{}` is not in the output", self.name),
                };
                self.marimo.notes.invalid(what);
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
