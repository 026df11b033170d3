//! Formulas of TeX as MathML, as MathJax shows them in Jupyter.
//!
//! In: the prose of a page ([`Mathematics`]), or one formula of an output. Out: MathML for the sanitizer. Formulas are
//! found by their [delimiters], [macros] are expanded, [equations] numbered, MathJax's [dialect] is rewritten for the
//! converter (KaTeX in Rust), and what browsers lack of its MathML becomes [letters](alphabet) and [classes](table).
//! Bounded: the converter is recursive, and macros multiply. A formula that cannot be drawn is shown as its source,
//! and told.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use katex::{KatexContext, OutputFormat, Settings, TrustSetting};

use crate::sanitize::{Gate, NoCustomElements, SafeHtml, UntrustedHtml};

mod alphabet;
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

const DEEPEST: usize = 200;
/// Macros of the converter's own in a formula; those of the author are expanded before.
const MOST_EXPANSIONS: usize = 10_000;

/// Whether a formula is inline or a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Display {
    Inline,
    Block,
}

thread_local! {
    static CONTEXT: LazyLock<KatexContext> = LazyLock::new(KatexContext::default);
}

/// The formula as MathML for the sanitizer; `tex` is without macros and numbers.
fn markup(tex: &str, display: Display) -> Option<String> {
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
    Some(table::with_classes(&table::with_plain_tokens(&alphabet::with_letters(&drawn))))
}

/// A formula of an output, or its source.
pub(super) fn html(source: &str, display: Display, gate: &mut Gate) -> SafeHtml {
    let (prose, equations) = Prepared::formula(source, display);
    let markup = drawn(&prose, false, &equations).unwrap_or_else(|| undrawn(&prose, source));
    gate.fragment(&UntrustedHtml::new(markup), &NoCustomElements)
}

/// LaTeX of an output: text with formulas in it, or a formula, which stands by itself whatever its delimiters say.
pub(super) fn latex(text: &str, gate: &mut Gate) -> SafeHtml {
    let (mut prepared, equations) = Prepared::alone(text.trim(), Rule::Latex);
    if !prepared.has_formulas() {
        return html(text.trim(), Display::Block, gate);
    }
    if !prepared.has_text() {
        prepared.stand_alone();
    }
    let mut markup = String::new();
    for piece in prepared.split(prepared.text()) {
        let drawn = match piece {
            Split::Text(text) => SafeHtml::text(text).as_str().to_owned(),
            Split::Piece(piece) => match &piece.kind {
                PieceKind::Formula(formula) => drawn(formula, false, &equations)
                    .unwrap_or_else(|| undrawn(formula, &piece.written)),
                PieceKind::Reference { .. } => SafeHtml::text(&piece.written).as_str().to_owned(),
            },
        };
        markup.push_str(&drawn);
    }
    gate.fragment(&UntrustedHtml::new(markup), &NoCustomElements)
}

/// A formula for the sanitizer, with its number; `None` if the converter refuses it. In a cell of a table `\|` is how
/// Markdown writes `|`.
pub(super) fn drawn(formula: &Formula, in_cell: bool, equations: &Equations) -> Option<String> {
    let tex = dialect::rewrite(formula.tex.as_ref()?, equations)?;
    let tex = if in_cell { tex.replace("\\|", "|") } else { tex };
    // An environment in a line of text is drawn as a block: MathJax does so.
    let drawn = markup(&tex, formula.display)
        .or_else(|| tex.contains("\\begin").then(|| markup(&tex, Display::Block)).flatten())?;
    let drawn = match dialect::link(formula.tex.as_ref()?).ok()? {
        Some(address) => format!("<a href=\"{}\">{drawn}</a>", SafeHtml::text(&address).as_str()),
        None => drawn,
    };
    let (class, id) = (class(formula.display), id(formula));
    let Some(number) = &formula.number else {
        return Some(format!("<span class=\"{class}\"{id}>{drawn}</span>"));
    };
    let shown = number.shown();
    let number = match shown.contains(['\\', '$', '{']) {
        true => markup(&format!("\\text{{{shown}}}"), Display::Inline),
        false => None,
    };
    let number = number.unwrap_or_else(|| SafeHtml::text(&shown).as_str().to_owned());
    let number = format!("<span class=\"math-number\">{number}</span>");
    let drawn = format!("<span class=\"math-formula\">{drawn}</span>");
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

/// True if each formula of an output is drawn: one that only defines macros is.
pub(super) fn is_drawn(html: &SafeHtml) -> bool {
    !html.as_str().contains("<code")
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
