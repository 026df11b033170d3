//! Markdown: GitHub's dialect with formulas.
//!
//! In: prose of a notebook, with HTML in it. Out: safe markup.

use std::cell::Cell;
use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd, html};
use serde_json::{Map, Value};

use super::element::Marimo;
use super::formulas::Formulas;
use super::image::Picture;
use super::math::{Equations, Mathematics, Prepared, Rule};
use super::notes::Notes;
use crate::diagnostic::overrides;
use crate::python::{self, Mode, TokenKind};
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
    let mut block: Option<String> = None;
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
        Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) if is_python(&info) => {
            block = Some(String::new());
            None
        }
        Event::Text(text) if block.is_some() => {
            block.get_or_insert_default().push_str(&text);
            None
        }
        Event::End(TagEnd::CodeBlock) if block.is_some() => {
            Some(Event::Html(highlighted(&block.take().unwrap_or_default()).into()))
        }
        other => Some(other),
    });
    let mut markup = String::with_capacity(text.len() * 2);
    if prepared.text().contains(is_right_to_left) {
        html::push_html(&mut markup, directed(events));
    } else {
        html::push_html(&mut markup, events);
    }
    let attachments = Attachments::new(attachments);
    let marimo = Marimo::of_prose(notes, &attachments);
    autolink(gate.fragment(&UntrustedHtml::new(markup), &marimo))
}

/// Longest code that gets colours, in bytes: each token costs an element of the page.
const LONGEST_HIGHLIGHTED: usize = 64 * 1024;

/// Whether a fence holds Python, by the word behind it or by attributes of pandoc.
fn is_python(info: &str) -> bool {
    let word = info.split([' ', ',', '\t']).next().unwrap_or_default();
    let word = word.trim_start_matches("{.").trim_end_matches('}').to_ascii_lowercase();
    ["python", "python3", "py", "ipython", "ipython3"].contains(&word.as_str())
}

/// A block of Python in colours, with the classes of Pygments.
fn highlighted(code: &str) -> String {
    let escaped = |range: Range<usize>| {
        let text = SafeHtml::text(code.get(range).unwrap_or_default());
        text.as_str().to_owned()
    };
    let tokens = match code.len() <= LONGEST_HIGHLIGHTED {
        true => python::highlight(code, Mode::Ipython),
        false => Vec::new(),
    };
    let mut markup = "<pre class=\"codehilite\"><code class=\"language-python\">".to_owned();
    let mut end = 0;
    for (range, kind) in tokens {
        let class = match kind {
            TokenKind::Keyword | TokenKind::Constant => "k",
            TokenKind::String => "s",
            TokenKind::Comment => "c",
            TokenKind::Number => "mi",
            _ => continue,
        };
        let (start, stop) = (range.start as usize, range.end as usize);
        markup.push_str(&escaped(end..start));
        markup.push_str(&format!("<span class=\"{class}\">{}</span>", escaped(start..stop)));
        end = stop;
    }
    markup.push_str(&escaped(end..code.len()));
    markup.push_str("</code></pre>\n");
    markup
}

/// Letters of scripts that are written from right to left.
fn is_right_to_left(character: char) -> bool {
    matches!(character, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// Lists, tables and quotes in blocks that have the direction of their first letter: bullets and columns begin at the side
/// where it is written. A paragraph has its own by the stylesheet.
fn directed<'a>(events: impl Iterator<Item = Event<'a>>) -> impl Iterator<Item = Event<'a>> {
    let mut depth = 0usize;
    events.flat_map(move |event| {
        let is_block =
            |tag: &Tag<'_>| matches!(tag, Tag::List(_) | Tag::Table(_) | Tag::BlockQuote(_));
        let is_end =
            |tag: &TagEnd| matches!(tag, TagEnd::List(_) | TagEnd::Table | TagEnd::BlockQuote(_));
        let (mut before, mut after) = (None, None);
        match &event {
            Event::Start(tag) if is_block(tag) => {
                before = (depth == 0).then(|| Event::Html("<div dir=\"auto\">\n".into()));
                depth += 1;
            }
            Event::End(tag) if is_end(tag) => {
                depth = depth.saturating_sub(1);
                after = (depth == 0).then(|| Event::Html("</div>\n".into()));
            }
            _ => {}
        }
        [before, Some(event), after].into_iter().flatten()
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Interactivity;

    #[test]
    fn blocks_have_the_direction_of_their_letters() {
        let of = |text: &str| {
            let notes = Notes::new("c1", &Interactivity::default());
            render(text, &mut Gate::new("c1"), &notes).as_str().replace('\n', "")
        };
        assert_eq!(of("- a"), "<ul><li>a</li></ul>");
        let list = "<ul><li>שלום<ul><li>b</li></ul></li></ul>";
        assert_eq!(of("- שלום\n  - b"), format!("<div dir=\"auto\">{list}</div>"));
        for block in ["| عدد |\n|---|\n| ١ |", "> عدد", "1. עברית"] {
            assert!(of(block).starts_with("<div dir=\"auto\">"), "{}", of(block));
        }
        assert!(!of("مرحبا").contains("dir"), "{}", of("مرحبا"));
    }

    #[test]
    fn python_in_a_fence_is_coloured_and_stays_what_it_is() {
        let of = |text: &str| {
            let notes = Notes::new("c1", &Interactivity::default());
            render(text, &mut Gate::new("c1"), &notes).as_str().to_owned()
        };
        let code = "if a < 1:  # <b>\n    return '&'\n";
        for info in ["python", "py", "{.python}", "Python title=\"x\""] {
            let html = of(&format!("```{info}\n{code}```"));
            assert!(html.contains("<span class=\"x-k\">if</span> a &lt; <span"), "{info}: {html}");
            assert!(html.contains("<span class=\"x-c\"># &lt;b&gt;</span>"), "{info}: {html}");
        }
        for info in ["", "bash", "pycon"] {
            assert!(!of(&format!("```{info}\n{code}```")).contains("span"), "{info}");
        }
        assert!(of("```python\nfor x in\n").contains("in"));
    }
}
