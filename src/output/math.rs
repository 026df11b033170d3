//! LaTeX to MathML.
//!
//! In: a formula. Out: MathML text for the sanitizer, or `None` when it can't be read. Bounded: the
//! converter is recursive, and macros multiply.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use katex::{KatexContext, OutputFormat, Settings, TrustSetting};

use crate::sanitize::{Gate, NoCustomElements, SafeHtml, UntrustedHtml};

const LONGEST: usize = 20_000;
const DEEPEST: usize = 200;

/// Whether a formula is inline or a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Display {
    Inline,
    Block,
}

thread_local! {
    static CONTEXT: LazyLock<KatexContext> = LazyLock::new(KatexContext::default);
}

/// The formula as MathML for the sanitizer.
pub(super) fn markup(source: &str, display: Display) -> Option<String> {
    if source.len() > LONGEST || depth(source) > DEEPEST {
        return None;
    }
    let source = &with_array_for_eqnarray(source);
    let settings = Settings::builder()
        .display_mode(display == Display::Block)
        .output(OutputFormat::Mathml)
        .throw_on_error(true)
        .trust(TrustSetting::Bool(false))
        .max_expand(expansions(source))
        .build();
    let rendered = catch_unwind(AssertUnwindSafe(|| {
        CONTEXT.with(|context| katex::render_to_string(context, source, &settings))
    }));
    rendered.ok()?.ok()
}

/// The converter doesn't know LaTeX's old `eqnarray`, which is an array of three columns.
fn with_array_for_eqnarray(source: &str) -> Cow<'_, str> {
    if !source.contains("{eqnarray") {
        return Cow::Borrowed(source);
    }
    let mut text = source.to_owned();
    for name in ["eqnarray", "eqnarray*"] {
        text = text.replace(&format!("\\begin{{{name}}}"), "\\begin{array}{rcl}");
        text = text.replace(&format!("\\end{{{name}}}"), "\\end{array}");
    }
    Cow::Owned(text)
}

/// How many macros may be expanded. One whose body shows a parameter twice, and calls itself, doubles
/// what it is given each time: thirty expansions would take gigabytes.
fn expansions(source: &str) -> usize {
    const MOST: usize = 1_000;
    const MOST_TOKENS: usize = 1 << 21;
    let defines = ["def", "command", "let"].iter().any(|it| source.contains(it));
    if !defines {
        return MOST;
    }
    let most = MOST.min(MOST_TOKENS / source.len().max(1)).max(1);
    // Upper bound of uses of one parameter in a body. Other ways to double need one definition each.
    let shown = |digit: u8| source.matches(&format!("#{digit}")).count();
    let is_expanded = ["edef", "xdef", "##"].iter().any(|it| source.contains(it));
    let repeated = if is_expanded { source.len() } else { (1..=9).map(shown).max().unwrap_or(0) };
    if repeated < 2 {
        return most;
    }
    let (mut tokens, mut allowed) = (source.len(), 0);
    while tokens < MOST_TOKENS && allowed < most {
        tokens = tokens.saturating_mul(repeated);
        allowed += 1;
    }
    allowed
}

/// The formula, or its source.
pub(super) fn html(source: &str, display: Display, gate: &mut Gate) -> SafeHtml {
    let class = match display {
        Display::Inline => "nbc-math",
        Display::Block => "nbc-math nbc-math-block",
    };
    let inner = match markup(source, display) {
        Some(markup) => gate.fragment(&UntrustedHtml::new(markup), &NoCustomElements),
        None => SafeHtml::element("code", &[], SafeHtml::text(source)),
    };
    SafeHtml::element("span", &[("class", class)], inner)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eqnarray_is_an_array_of_three_columns() {
        for name in ["eqnarray", "eqnarray*"] {
            let source = format!("\\begin{{{name}}} a & = & b \\\\ c & = & d \\end{{{name}}}");
            let markup = markup(&source, Display::Block).unwrap();
            assert_eq!(markup.matches("<mtd").count(), 6, "{markup}");
        }
    }

    #[test]
    fn macros_that_double_are_bounded() {
        for source in [
            r"\newcommand{\x}[1]{\x{#1#1}}\x{y}",
            r"\def\a{}\def\x#1{\x{#1a#1}}\x{yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy}",
            &(r"\edef\a{xx}".to_owned() + &r"\edef\a{\a\a}".repeat(200) + r"\a"),
            r"\def\a{\a\a\a\a\a\a\a\a}\a",
        ] {
            assert!(markup(source, Display::Inline).is_none(), "{source}");
        }
        let plain = r"\newcommand{\vct}[1]{\mathbf{#1}} \vct{a}+\vct{b}+\vct{c}";
        assert!(markup(plain, Display::Inline).is_some());
        assert!(
            markup(r"\newcommand{\sqp}[1]{#1^2+#1} \sqp{a}+\sqp{b}", Display::Inline).is_some()
        );
    }
}
