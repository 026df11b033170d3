//! Formulas of TeX as MathML, as MathJax shows them in Jupyter.
//!
//! In: the prose of a page ([`Mathematics`]), or one formula of an output. Out: MathML for the sanitizer. Formulas are
//! found by their [delimiters], [macros] are expanded, [equations] numbered, MathJax's [dialect] is rewritten for the
//! converter (KaTeX in Rust), with [commands] and [chemistry] that it lacks, and what browsers lack of its MathML becomes
//! [letters](alphabet) and [classes](table).
//! Bounded: the converter is recursive, and macros multiply. A formula that cannot be drawn is shown as its source,
//! and told.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::LazyLock;

use katex::{KatexContext, OutputFormat, Settings, TrustSetting};

use crate::sanitize::{Gate, NoCustomElements, SafeHtml, UntrustedHtml};

mod alphabet;
mod chemistry;
mod commands;
mod delimiters;
mod dialect;
mod equations;
mod macros;
mod prose;
mod table;
mod tex;

pub use delimiters::Rule;
pub(super) use equations::Equations;
use prose::LONGEST;
pub use prose::Mathematics;
pub(super) use prose::{Formula, Piece, PieceKind, Prepared, Split, is_marked, reference};
use table::Rows;

const DEEPEST: usize = 200;
/// Macros of the converter's own in a formula; those of the author are expanded before.
const MOST_EXPANSIONS: usize = 10_000;

/// Whether a formula is inline or a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Display {
    Inline,
    Block,
}

/// Whether each formula of an output is drawn; one that only defines macros is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drawing {
    Whole,
    /// A formula is shown as its source.
    Source,
}

thread_local! {
    static CONTEXT: LazyLock<KatexContext> = LazyLock::new(KatexContext::default);
    static REMEMBERED: RefCell<Remembered> = RefCell::default();
}

/// Formulas that this thread has converted: prose repeats its symbols.
#[derive(Debug, Default)]
struct Remembered {
    all: BTreeMap<(Display, Rows, String), Option<Rc<str>>>,
    /// Bytes of all.
    size: usize,
}

impl Remembered {
    /// Bytes at which all is forgotten.
    const MOST: usize = 4 << 20;
    /// Longest formula that is remembered: long ones rarely come again.
    const LONGEST: usize = 200;

    fn insert(&mut self, key: (Display, Rows, String), markup: Option<Rc<str>>) {
        if self.size > Self::MOST {
            *self = Self::default();
        }
        self.size += key.2.len() + markup.as_ref().map_or(0, |it| it.len());
        self.all.insert(key, markup);
    }
}

/// The formula as MathML for the sanitizer; `tex` is without macros and numbers.
fn markup(tex: &str, display: Display, rows: Rows) -> Option<Rc<str>> {
    if tex.len() > Remembered::LONGEST {
        return converted(tex, display, rows).map(Rc::from);
    }
    let key = (display, rows, tex.to_owned());
    if let Some(known) = REMEMBERED.with_borrow(|it| it.all.get(&key).cloned()) {
        return known;
    }
    let markup: Option<Rc<str>> = converted(tex, display, rows).map(Rc::from);
    REMEMBERED.with_borrow_mut(|it| it.insert(key, markup.clone()));
    markup
}

fn converted(tex: &str, display: Display, rows: Rows) -> Option<String> {
    if tex.len() > LONGEST || depth(tex) > DEEPEST {
        return None;
    }
    let settings = Settings::builder()
        .display_mode(display == Display::Block)
        .output(OutputFormat::Mathml)
        .throw_on_error(true)
        .trust(TrustSetting::Bool(false))
        .max_expand(MOST_EXPANSIONS)
        .build();
    let rendered = catch_unwind(AssertUnwindSafe(|| {
        CONTEXT.with(|context| katex::render_to_string(context, tex, &settings))
    }));
    let drawn = rendered.ok()?.ok()?;
    Some(table::for_browsers(&alphabet::with_letters(&drawn), rows))
}

/// A formula of an output, or its source.
pub(super) fn html(source: &str, display: Display, gate: &mut Gate) -> (SafeHtml, Drawing) {
    let (prose, equations) = Prepared::formula(source, display);
    let (markup, drawing) = match drawn(&prose, false, &equations) {
        Some(markup) => (markup, Drawing::Whole),
        None => (undrawn(&prose, source), Drawing::Source),
    };
    (gate.fragment(&UntrustedHtml::new(markup), &NoCustomElements), drawing)
}

/// LaTeX of an output: text with formulas in it, or a formula, which stands by itself whatever its delimiters say.
pub(super) fn latex(text: &str, gate: &mut Gate) -> (SafeHtml, Drawing) {
    let (mut prepared, equations) = Prepared::alone(text.trim(), Rule::Latex);
    if !prepared.has_formulas() {
        return html(text.trim(), Display::Block, gate);
    }
    if !prepared.has_text() {
        prepared.stand_alone();
    }
    let mut markup = String::new();
    let mut drawing = Drawing::Whole;
    for piece in prepared.split(prepared.text()) {
        let drawn = match piece {
            Split::Text(text) => SafeHtml::text(text).as_str().to_owned(),
            Split::Piece(piece) => match &piece.kind {
                PieceKind::Formula(formula) => {
                    drawn(formula, false, &equations).unwrap_or_else(|| {
                        drawing = Drawing::Source;
                        undrawn(formula, &piece.written)
                    })
                }
                PieceKind::Reference { .. } => SafeHtml::text(&piece.written).as_str().to_owned(),
            },
        };
        markup.push_str(&drawn);
    }
    (gate.fragment(&UntrustedHtml::new(markup), &NoCustomElements), drawing)
}

/// A formula for the sanitizer, with its number; `None` if the converter refuses it. In a cell of a table `\|` is how
/// Markdown writes `|`.
pub(super) fn drawn(formula: &Formula, in_cell: bool, equations: &Equations) -> Option<String> {
    let tex = dialect::rewrite(formula.tex.as_ref()?, formula.display, equations)?;
    let tex = if in_cell { tex.replace("\\|", "|") } else { tex };
    let rows = if formula.has_numbered_rows { Rows::Numbered } else { Rows::Plain };
    // An environment in a line of text is drawn as a block: MathJax does so.
    let drawn = markup(&tex, formula.display, rows).or_else(|| {
        tex.contains("\\begin").then(|| markup(&tex, Display::Block, rows)).flatten()
    })?;
    let link = dialect::link(formula.tex.as_ref()?).ok()?;
    let link = link.map(|it| format!("<a href=\"{}\">", SafeHtml::text(&it).as_str()));
    let (open, close) = link.map_or((String::new(), ""), |it| (it, "</a>"));
    let (class, id) = (class(formula.display), id(formula));
    let Some(number) = &formula.number else {
        let rows = if rows == Rows::Numbered { " math-with-rows" } else { "" };
        return Some(format!("<span class=\"{class}{rows}\"{id}>{open}{drawn}{close}</span>"));
    };
    let shown = number.shown();
    let number = match shown.contains(['\\', '$', '{']) {
        true => markup(&format!("\\text{{{shown}}}"), Display::Inline, Rows::Plain),
        false => None,
    };
    let number = number.unwrap_or_else(|| SafeHtml::text(&shown).as_str().into());
    let number = format!("<span class=\"{}\">{number}</span>", table::NUMBER);
    let drawn = format!("<span class=\"math-formula\">{open}{drawn}{close}</span>");
    Some(format!("<span class=\"{class} math-numbered\"{id}>{drawn}{number}</span>"))
}

/// The source of a formula that is not drawn, in a box, for the sanitizer.
pub(super) fn undrawn(formula: &Formula, written: &str) -> String {
    let (class, id) = (class(formula.display), id(formula));
    let source = SafeHtml::text(written);
    format!(
        "<span class=\"{class}\"{id}><code class=\"math-source\">{}</code></span>",
        source.as_str()
    )
}

fn class(display: Display) -> &'static str {
    match display {
        Display::Inline => "math",
        Display::Block => "math math-block",
    }
}

fn id(formula: &Formula) -> String {
    let id = formula.id.as_ref().map(|it| format!(" id=\"{}\"", SafeHtml::text(it).as_str()));
    id.unwrap_or_default()
}

/// A bound on how deep the converter will recurse: what may open a group does, what closes one is
/// not trusted to close it.
fn depth(source: &str) -> usize {
    let (mut open, mut deepest, mut commands) = (0usize, 0, 0usize);
    for byte in source.bytes() {
        match byte {
            b'{' | b'[' | b'(' => open += 1,
            b'}' | b']' | b')' => {
                open = open.saturating_sub(1);
                commands = 0;
            }
            // `\sqrt\sqrt\sqrt x` nests without braces.
            b'\\' => commands += 1,
            b' ' | b'+' | b'=' | b'&' | b'\n' | b'0'..=b'9' => commands = 0,
            _ => {}
        }
        deepest = deepest.max(open + commands);
    }
    let begins = source.matches("\\begin").count() + source.matches("\\left").count();
    deepest + begins.saturating_sub(100)
}
