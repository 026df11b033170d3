//! marimo's elements, compiled to HTML that needs no script.
//!
//! In: a `<marimo-…>` element, whose attributes hold JSON (`facts/marimo.md`, section 4.1). Out:
//! markup of nbc's, with the element's own HTML sanitized inside. Controls are disabled and show
//! the value of the build. An element that nbc does not know becomes a box that says so.

pub(super) mod beside;
mod control;
pub(super) mod layout;
mod media;
mod table;
mod value;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use serde_json::Value;

use super::chart::ChartPicture;
use super::data;
use super::markdown::Attachments;
use super::math::{self, Display, Drawing};
use super::notes::Notes;
use super::{note, shortened};
use crate::sanitize::{
    CustomElement, CustomElements, FoundPicture, Gate, SafeHtml, UntrustedHtml, svg,
};

/// marimo's vocabulary.
pub(super) struct Marimo<'n> {
    notes: &'n Notes,
    /// Pictures of the Vega charts of the markup, in document order (see `run::CHARTS_MIME`).
    charts: RefCell<VecDeque<Option<String>>>,
    /// Markup in attributes is not part of the document order.
    nested: Cell<u32>,
    /// Inputs around the current element; `None` for one that does not work on the page.
    inputs: RefCell<Vec<Option<LiveInput>>>,
    /// Attachments of the prose that the markup was made of.
    attachments: Option<&'n Attachments<'n>>,
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

    fn picture(&self, address: &str) -> FoundPicture {
        if let Some(attachments) = self.attachments
            && address.trim_start().starts_with("attachment:")
        {
            return match attachments.picture(address.trim(), self.notes) {
                Some(picture) => FoundPicture::Found(picture),
                None => FoundPicture::NotAsked,
            };
        }
        beside::picture(address, self.notes)
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
            attachments: None,
        }
    }

    /// For markup that was made of prose.
    pub(super) fn of_prose(notes: &'n Notes, attachments: &'n Attachments<'n>) -> Self {
        Self { attachments: Some(attachments), ..Self::new(notes) }
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

    /// The current control's value, if it differs from that of the build.
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
    fn chart(&self) -> ChartPicture {
        if self.nested.get() > 0 {
            return ChartPicture::None;
        }
        // The list is empty if the environment cannot draw charts.
        let Some(picture) = self.charts.borrow_mut().pop_front() else { return ChartPicture::None };
        let image = picture.and_then(|it| svg::image(&UntrustedHtml::new(it), "Chart"));
        let Some(image) = image else { return ChartPicture::NotDrawn };
        self.notes.removed(&image.removed);
        ChartPicture::Picture(image.html)
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

    /// An image in an attribute.
    fn picture(&self, name: &str, label: &str) -> SafeHtml {
        if let FoundPicture::Found(picture) = beside::picture(&self.text(name), self.marimo.notes) {
            return picture.html(label);
        }
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
fn formula(text: &str, gate: &mut Gate, notes: &Notes) -> SafeHtml {
    let text = text.trim();
    let between =
        |open: &str, close: &str| text.strip_prefix(open).and_then(|it| it.strip_suffix(close));
    let block = between("||[", "||]").or_else(|| between("||(||(", "||)||)"));
    let (html, drawing) = match block {
        Some(source) => math::html(source, Display::Block, gate),
        None => math::html(between("||(", "||)").unwrap_or(text), Display::Inline, gate),
    };
    if drawing == Drawing::Source {
        notes.undrawn_formula(text, None);
    }
    html
}
