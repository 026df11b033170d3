//! Markdown: GitHub's dialect with formulas.
//!
//! In: prose of a notebook, with HTML in it. Out: safe markup.

use std::cell::Cell;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd, html};
use serde_json::{Map, Value};

use super::element::Marimo;
use super::formulas::Formulas;
use super::image::Picture;
use super::math::{Equations, Mathematics, Prepared, Rule};
use super::notes::Notes;
use crate::diagnostic::overrides;
use crate::sanitize::{Gate, SafeHtml, SafePicture, UntrustedHtml, autolink};

/// Longer prose is shown as it is written.
const LONGEST: usize = 4 << 20;

/// Renders prose of the page; `attachments` as in a Jupyter cell.
pub(super) fn prose(
    text: &str,
    attachments: &Map<String, Value>,
    mathematics: &Mathematics,
    scope: &str,
    gate: &mut Gate,
    notes: &Notes,
) -> SafeHtml {
    let alone;
    let (prepared, equations) = match mathematics.of(scope) {
        Some(prepared) => (prepared, mathematics.equations()),
        None => {
            alone = Prepared::alone(text, Rule::Jupyter);
            (&alone.0, &alone.1)
        }
    };
    rendered(text, prepared, equations, attachments, gate, notes)
}

/// Renders Markdown of an output.
pub(super) fn render(text: &str, gate: &mut Gate, notes: &Notes) -> SafeHtml {
    let (prepared, equations) = Prepared::alone(text, Rule::Jupyter);
    rendered(text, &prepared, &equations, &Map::new(), gate, notes)
}

fn rendered(
    text: &str,
    prepared: &Prepared,
    equations: &Equations,
    attachments: &Map<String, Value>,
    gate: &mut Gate,
    notes: &Notes,
) -> SafeHtml {
    if text.len() > LONGEST {
        if text.contains(overrides) {
            notes.turned();
        }
        return SafeHtml::element("pre", &[], SafeHtml::code(text));
    }
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_GFM;
    let mut formulas = Formulas::new(prepared, equations, notes);
    let mut diagram: Option<String> = None;
    let events = Parser::new_ext(prepared.text(), options).flat_map(|event| formulas.place(event));
    let events = events.filter_map(|event| match event {
        // JupyterLab draws these, too; marimo's element is how the pass after this knows them.
        Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language)))
            if &*language == "mermaid" =>
        {
            diagram = Some(String::new());
            None
        }
        Event::Text(text) if diagram.is_some() => {
            diagram.get_or_insert_default().push_str(&text);
            None
        }
        Event::End(TagEnd::CodeBlock) if diagram.is_some() => {
            let source = Value::String(diagram.take().unwrap_or_default()).to_string();
            let source = SafeHtml::text(&source);
            let markup =
                format!("<marimo-mermaid data-diagram=\"{}\"></marimo-mermaid>\n", source.as_str());
            Some(Event::Html(markup.into()))
        }
        other => Some(other),
    });
    let mut markup = String::with_capacity(text.len() * 2);
    html::push_html(&mut markup, events);
    let attachments = Attachments::new(attachments);
    let marimo = Marimo::of_prose(notes, &attachments);
    autolink(gate.fragment(&UntrustedHtml::new(markup), &marimo))
}

/// The attachments of a Jupyter cell: file name → MIME type → base64; hostile.
pub(super) struct Attachments<'a> {
    all: &'a Map<String, Value>,
    /// Bytes that they may still take: twenty bytes of prose show a whole attachment, so a small file could make a page
    /// without end.
    left: Cell<usize>,
}

impl<'a> Attachments<'a> {
    fn new(all: &'a Map<String, Value>) -> Self {
        let bundles = all.values().filter_map(Value::as_object).flat_map(Map::values);
        let size: usize = bundles.filter_map(Value::as_str).map(str::len).sum();
        Self { all, left: Cell::new((2 * size).max(1 << 20)) }
    }

    /// The picture that `attachment:name.png` stands for.
    pub(super) fn picture(&self, address: &str, notes: &Notes) -> Option<SafePicture> {
        let name = address.strip_prefix("attachment:")?;
        let bundle = self.all.get(name).or_else(|| {
            let mut all = self.all.iter();
            all.find(|(other, _)| other.replace(' ', "%20") == name).map(|(_, it)| it)
        })?;
        let (_, data) = bundle.as_object()?.iter().find(|(mime, _)| mime.starts_with("image/"))?;
        let data = data.as_str()?;
        let Some(left) = self.left.get().checked_sub(data.len()) else {
            notes.invalid("an attachment is shown too often".to_owned());
            return None;
        };
        self.left.set(left);
        match Picture::parse(data) {
            Ok(picture) => SafePicture::of_pixels(picture.address(), None, picture.size()),
            Err(why) => {
                notes.invalid(format!("an attachment {why}"));
                None
            }
        }
    }
}
