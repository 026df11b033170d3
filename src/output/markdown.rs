//! Markdown: GitHub's dialect with formulas.
//!
//! In: prose of a notebook, with HTML in it. Out: safe markup.

use std::cell::Cell;
use std::collections::BTreeSet;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd, html};
use serde_json::{Map, Value};

use super::element::Marimo;
use super::image::Picture;
use super::math::{self, Display};
use super::notes::Notes;
use crate::diagnostic::overrides;
use crate::sanitize::{Gate, SafeHtml, SafePicture, UntrustedHtml, autolink};

/// Longer prose is shown as it is written.
const LONGEST: usize = 4 << 20;

/// Renders Markdown; `attachments` as in a Jupyter cell.
pub(super) fn render(
    text: &str,
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
        | Options::ENABLE_MATH
        | Options::ENABLE_GFM;
    let prepared = bare_environments(text);
    let mut diagram: Option<String> = None;
    let events = Parser::new_ext(&prepared, options).filter_map(|event| match event {
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
    let events = events.map(|event| match event {
        Event::InlineMath(source) => formula(&source, Display::Inline),
        Event::DisplayMath(source) => formula(&source, Display::Block),
        other => other,
    });
    let mut markup = String::with_capacity(text.len() * 2);
    html::push_html(&mut markup, events);
    let attachments = Attachments::new(attachments);
    let marimo = Marimo::of_prose(notes, &attachments);
    autolink(gate.fragment(&UntrustedHtml::new(markup), &marimo))
}

fn formula(source: &str, display: Display) -> Event<'static> {
    let class = match display {
        Display::Inline => "math",
        Display::Block => "math math-block",
    };
    let inner = math::markup(source, display)
        .unwrap_or_else(|| format!("<code>{}</code>", SafeHtml::text(source).as_str()));
    Event::InlineHtml(format!("<span class=\"{class}\">{inner}</span>").into())
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

/// Puts `$$` around environments that stand by themselves, as MathJax shows them in Jupyter.
fn bare_environments(text: &str) -> String {
    const NAMES: [&str; 6] = ["align", "equation", "gather", "multline", "eqnarray", "alignat"];
    if !text.contains("\\begin{") {
        return text.to_owned();
    }
    // Looked for once a name: a text may begin thousands of environments and end none.
    let ends: BTreeSet<String> = NAMES
        .iter()
        .flat_map(|name| [format!("\\end{{{name}}}"), format!("\\end{{{name}*}}")])
        .filter(|end| text.contains(end.as_str()))
        .collect();
    let mut out = String::with_capacity(text.len() + 16);
    let (mut fenced, mut in_math) = (false, false);
    let mut end: Option<String> = None;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        if let Some(closing) = &end {
            // A blank line would end the formula in Markdown.
            if !trimmed.is_empty() {
                out.push_str(line.trim_end());
            }
            if trimmed.contains(closing.as_str()) {
                out.push_str("$$");
                end = None;
            }
            out.push('\n');
            continue;
        }
        if trimmed.starts_with("```") || trimmed.starts_with("~~~") {
            fenced = !fenced;
        }
        let environment = trimmed
            .strip_prefix("\\begin{")
            .and_then(|it| it.split_once('}'))
            .map(|(name, _)| name)
            .filter(|name| NAMES.contains(&name.strip_suffix('*').unwrap_or(name)));
        match environment {
            Some(name) if !fenced && !in_math && ends.contains(&format!("\\end{{{name}}}")) => {
                let closing = format!("\\end{{{name}}}");
                out.push_str("$$");
                out.push_str(line.trim_end());
                if trimmed.contains(&closing) {
                    out.push_str("$$");
                } else {
                    end = Some(closing);
                }
                out.push('\n');
            }
            _ => {
                in_math ^= line.matches("$$").count() % 2 == 1;
                out.push_str(line);
            }
        }
    }
    out
}
