//! Formulas in Markdown: where they begin and end, by the rule of each format.
//!
//! Formulas are taken out before Markdown is read, as JupyterLab does (`packages/rendermime/src/latex.ts`, 4.4), since
//! `_`, `\\` and `|` mean something else in Markdown.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Display;

/// The format whose rule decides what is a formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// JupyterLab: `$ x $`, `$$…$$`, `\\(…\\)`, `\\[…\\]`, `\begin{…}…\end{…}`; never beyond a blank line. Amounts of
    /// money are text, which JupyterLab takes for formulas.
    Jupyter,
    /// Pandoc's `tex_math_dollars`: no space after the first `$` or before the last, which no digit follows.
    Pandoc,
    /// Text without Markdown, as LaTeX outputs are: `\(…\)` and `\[…\]` beside those of Jupyter, beyond blank lines.
    Latex,
}

/// Longest name of an environment or a label in bytes.
const LONGEST_NAME: usize = 200;

/// A piece of Markdown that is not Markdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found<'a> {
    /// Bytes of the text, with the delimiters.
    pub range: Range<usize>,
    pub kind: Kind<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// A formula without its delimiters; an environment has its own.
    Formula(&'a str, Display),
    /// `\ref{label}` outside of formulas; `true` for `\eqref`.
    Reference(&'a str, bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    /// `$` or `$$`, and whether it can begin and end a formula.
    Dollar(Display, bool, bool),
    /// `\\(` or `\\[`.
    Open(Display),
    /// `\\)` or `\\]`.
    Close(Display),
    Begin(&'a str),
    End(&'a str),
    Reference(&'a str, bool),
    BraceOpen,
    BraceClose,
    BlankLine,
}

/// Finds the formulas of a text; nothing begins or ends in the ranges of `code`, which are in order.
pub(super) fn find<'a>(text: &'a str, code: &[Range<usize>], rule: Rule) -> Vec<Found<'a>> {
    let tokens = tokens(text, code, rule);
    let mut found: Vec<Found<'a>> = Vec::new();
    // Delimiters that end nothing before this token: each is looked for once a paragraph.
    let mut endless: BTreeMap<Delimiter<'a>, usize> = BTreeMap::new();
    let mut at = 0;
    while let Some((range, token)) = tokens.get(at) {
        let start = at;
        at += 1;
        let end = match *token {
            Token::Dollar(display, true, _) => Delimiter::Dollar(display),
            Token::Open(display) => Delimiter::Close(display),
            Token::Begin(name) => Delimiter::End(name),
            Token::Reference(label, is_equation) => {
                let kind = Kind::Reference(label, is_equation);
                found.push(Found { range: range.clone(), kind });
                continue;
            }
            _ => continue,
        };
        if endless.get(&end).is_some_and(|until| start < *until) {
            continue;
        }
        match closing(&tokens, start, end) {
            Ok(last) => {
                let formula = formula(text, range, &tokens, last, end);
                if let Some(formula) = formula.filter(|it| is_formula(it, text, end, rule)) {
                    found.push(formula);
                    at = last + 1;
                }
            }
            Err(until) => {
                endless.insert(end, until);
            }
        }
    }
    found
}

/// What ends a formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Delimiter<'a> {
    Dollar(Display),
    Close(Display),
    End(&'a str),
}

impl Delimiter<'_> {
    fn is(self, token: Token<'_>) -> bool {
        match (self, token) {
            (Self::Dollar(one), Token::Dollar(other, _, closes)) => closes && one == other,
            (Self::Close(one), Token::Close(other)) => one == other,
            (Self::End(one), Token::End(other)) => one == other,
            _ => false,
        }
    }
}

/// The token that ends the formula that `start` begins: the first outside of braces, or else the last inside. `Err` is
/// the token that ends the paragraph.
fn closing(
    tokens: &[(Range<usize>, Token<'_>)],
    start: usize,
    end: Delimiter<'_>,
) -> Result<usize, usize> {
    let mut braces = 0usize;
    let mut last = None;
    let mut at = start + 1;
    // Environments of a block may have blank lines, which end it if one of these has no end.
    let mut environments = 0usize;
    let mut blank = None;
    while let Some((_, token)) = tokens.get(at) {
        match token {
            token if end.is(*token) => {
                if blank.is_some() && environments > 0 {
                    break;
                }
                if braces == 0 {
                    return Ok(at);
                }
                last = Some(at);
            }
            Token::BraceOpen => braces += 1,
            Token::BraceClose => braces = braces.saturating_sub(1),
            Token::Begin(_) => environments += 1,
            Token::End(_) => environments = environments.saturating_sub(1),
            Token::BlankLine if environments > 0 && end == Delimiter::Dollar(Display::Block) => {
                blank = blank.or(Some(at));
            }
            Token::BlankLine => break,
            _ => {}
        }
        at += 1;
    }
    last.ok_or(blank.unwrap_or(at))
}

fn formula<'a>(
    text: &'a str,
    start: &Range<usize>,
    tokens: &[(Range<usize>, Token<'a>)],
    last: usize,
    end: Delimiter<'a>,
) -> Option<Found<'a>> {
    let close = &tokens.get(last)?.0;
    let range = start.start..close.end;
    let (inside, display) = match end {
        Delimiter::Dollar(display) | Delimiter::Close(display) => (start.end..close.start, display),
        Delimiter::End(_) => (range.clone(), Display::Block),
    };
    Some(Found { range, kind: Kind::Formula(text.get(inside)?, display) })
}

/// False for `$…$` that the format, or a reader, would not take for a formula.
fn is_formula(found: &Found<'_>, text: &str, end: Delimiter<'_>, rule: Rule) -> bool {
    let Kind::Formula(source, _) = found.kind else { return true };
    if source.trim().is_empty() {
        return false;
    }
    if end != Delimiter::Dollar(Display::Inline) {
        return true;
    }
    // The first dollar is in an attribute of a tag.
    if rule == Rule::Jupyter && source.contains("\">") {
        return false;
    }
    let next = text.get(found.range.end..).and_then(|it| it.chars().next());
    rule != Rule::Jupyter || !is_money(source, next)
}

/// True if a `$` is that of an amount: `5 and ` of `$5 and $6`.
fn is_money(source: &str, next: Option<char>) -> bool {
    /// Amounts are looked for up to this length in bytes: what is refused is read again.
    const LONGEST: usize = 300;
    let number =
        source.bytes().take_while(|it| it.is_ascii_digit() || matches!(it, b',' | b'.')).count();
    if !source.starts_with(|it: char| it.is_ascii_digit()) || source.len() > LONGEST {
        return false;
    }
    if source.contains("</") {
        return true;
    }
    if source.contains(['\\', '^', '_', '=', '{', '<', '>']) {
        return false;
    }
    let rest = source.get(number..).unwrap_or_default();
    let rest = rest.strip_prefix(['k', 'K', 'M', 'B', 'T']).unwrap_or(rest);
    let is_apart = !rest.starts_with(char::is_alphanumeric);
    // `1 - F(x)` is a formula.
    if is_calculation(rest) && !next.is_some_and(|it| it.is_ascii_digit()) {
        return false;
    }
    let letters = |it: &str| it.chars().count() > 1 && it.chars().all(char::is_alphabetic);
    let has_word = rest.split(|it: char| !it.is_alphanumeric()).any(letters);
    let is_open = source.ends_with(|it: char| it.is_whitespace() || it == '(');
    is_apart && (has_word || is_open || next.is_some_and(|it| it.is_ascii_digit()))
}

/// True for ` - F(x)`: an operation, then a function of something.
fn is_calculation(text: &str) -> bool {
    let operand = text.trim_start().strip_prefix(['+', '-', '*', '/']).map(str::trim_start);
    let Some((name, argument)) = operand.and_then(|it| it.split_once('(')) else { return false };
    !name.is_empty() && name.chars().all(char::is_alphabetic) && argument.ends_with(')')
}

fn tokens<'a>(text: &'a str, code: &[Range<usize>], rule: Rule) -> Vec<(Range<usize>, Token<'a>)> {
    let mut found = Vec::new();
    let mut code = code.iter().peekable();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|it| !it.is_empty()) {
        let Some(offset) = rest.find(['\\', '$', '{', '}', '\n']) else { break };
        let start = at + offset;
        while code.next_if(|it| it.end <= start).is_some() {}
        if let Some(range) = code.peek().filter(|it| it.start <= start) {
            // A block of code ends a paragraph; code in a line does not.
            if text.get((*range).clone()).is_some_and(|it| it.contains('\n')) {
                found.push((start..start, Token::BlankLine));
            }
            at = range.end;
            continue;
        }
        let before = text.get(..start).and_then(|it| it.chars().next_back());
        if rule == Rule::Jupyter
            && let Some(end) = escaped_block(text, start)
        {
            found.push((start..start + 3, Token::Dollar(Display::Block, true, true)));
            found.push((end.clone(), Token::Dollar(Display::Block, true, true)));
            at = end.end;
            continue;
        }
        let (length, token) = token(text.get(start..).unwrap_or_default(), before, rule);
        at = start + length;
        if let Some(token) = token {
            found.push((start..at, token));
        }
    }
    found
}

/// The end of a formula that begins with `\$$`: `$\$` or `$$`. Writers of notebooks escape one of two dollars in lists,
/// and Markdown makes two of them again before MathJax looks.
fn escaped_block(text: &str, start: usize) -> Option<Range<usize>> {
    /// Bytes of the formula: what is none is read again.
    const LONGEST: usize = 2_000;
    if start.checked_sub(1).is_some_and(|it| matches!(text.as_bytes().get(it), Some(b'$' | b'\\')))
    {
        return None;
    }
    let inside = text.get(start..)?.strip_prefix("\\$$")?;
    let length = inside.bytes().take(LONGEST).position(|it| it == b'$')?;
    let formula = inside.get(..length)?;
    let after = inside.get(length..)?;
    let begin = start + 3 + length;
    let is_block =
        !formula.trim().is_empty() && !formula.ends_with('\\') && !formula.contains("\n\n");
    let length = match after {
        it if it.starts_with("$\\$") => 3,
        it if it.starts_with("$$") => 2,
        _ => return None,
    };
    is_block.then_some(begin..begin + length)
}

/// The token at the begin of the text, if any, and the bytes to go on after.
fn token(text: &str, before: Option<char>, rule: Rule) -> (usize, Option<Token<'_>>) {
    let Some(first) = text.bytes().next() else { return (1, None) };
    match first {
        b'$' if text.starts_with("$$") => (2, Some(Token::Dollar(Display::Block, true, true))),
        b'$' if rule == Rule::Pandoc => {
            let next = text.chars().nth(1);
            let opens = next.is_some_and(|it| !it.is_whitespace());
            let closes = before.is_some_and(|it| !it.is_whitespace())
                && !next.is_some_and(|it| it.is_ascii_digit());
            (1, Some(Token::Dollar(Display::Inline, opens, closes)))
        }
        b'$' => (1, Some(Token::Dollar(Display::Inline, true, true))),
        b'{' => (1, Some(Token::BraceOpen)),
        b'}' => (1, Some(Token::BraceClose)),
        b'\n' => {
            let blank = text.len() - text.trim_start().len();
            let is_break = text.get(..blank).is_some_and(|it| it.matches('\n').count() > 1);
            (blank, (is_break && rule != Rule::Latex).then_some(Token::BlankLine))
        }
        _ => command(text, rule),
    }
}

fn command(text: &str, rule: Rule) -> (usize, Option<Token<'_>>) {
    let rest = text.get(1..).unwrap_or_default();
    if rest.starts_with(['{', '}', '$']) {
        return (2, None);
    }
    let bracket = match rule {
        Rule::Jupyter => rest.strip_prefix('\\'),
        Rule::Latex => Some(rest),
        Rule::Pandoc => None,
    };
    let token = match bracket.and_then(|it| it.bytes().next()) {
        Some(b'(') => Some(Token::Open(Display::Inline)),
        Some(b'[') => Some(Token::Open(Display::Block)),
        Some(b')') => Some(Token::Close(Display::Inline)),
        Some(b']') => Some(Token::Close(Display::Block)),
        _ => None,
    };
    if token.is_some() {
        return (if rule == Rule::Jupyter { 3 } else { 2 }, token);
    }
    if rest.starts_with('\\') {
        // A row break, which may have a space: `\\[2pt]`. Markdown's backslash may be before a command.
        return (if rule == Rule::Latex { 2 } else { 1 }, None);
    }
    let named = |prefix: &str| {
        let inside = rest.strip_prefix(prefix)?;
        let length = inside.bytes().take(LONGEST_NAME).position(|it| it == b'}')?;
        Some((1 + prefix.len() + length + 1, inside.get(..length)?))
    };
    let is_environment = |(_, name): &(usize, &str)| {
        let letters = name.strip_suffix('*').unwrap_or(name);
        !letters.is_empty() && letters.bytes().all(|it| it.is_ascii_alphabetic())
    };
    let is_label =
        |(_, label): &(usize, &str)| !label.is_empty() && !label.contains(['\n', '{', '$']);
    if let Some((length, name)) = named("begin{").filter(is_environment) {
        return (length, Some(Token::Begin(name)));
    }
    if let Some((length, name)) = named("end{").filter(is_environment) {
        return (length, Some(Token::End(name)));
    }
    if let Some((length, label)) = named("eqref{").filter(is_label) {
        return (length, Some(Token::Reference(label, true)));
    }
    if let Some((length, label)) = named("ref{").filter(is_label) {
        return (length, Some(Token::Reference(label, false)));
    }
    (1, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, rule: Rule) -> Vec<String> {
        let all = find(text, &[], rule).into_iter().map(|it| match it.kind {
            Kind::Formula(source, Display::Inline) => source.to_owned(),
            Kind::Formula(source, Display::Block) => format!("[{source}]"),
            Kind::Reference(label, is_equation) => format!("{label} {is_equation}"),
        });
        all.collect()
    }

    #[test]
    fn jupyter_knows_five_kinds_of_delimiters() {
        let text = r"$ a $, $b $, $$c$$ and $$
d
$$ \\(e_1\\) \\[ f \\] g \begin{align}h\\[2pt]i\end{align} j, \eqref{eq:1}, \ref{two}; \(k\)";
        let expected = [
            " a ",
            "b ",
            "[c]",
            "[\nd\n]",
            "e_1",
            "[ f ]",
            r"[\begin{align}h\\[2pt]i\end{align}]",
            "eq:1 true",
            "two false",
        ];
        assert_eq!(of(text, Rule::Jupyter), expected);
    }

    #[test]
    fn money_is_text() {
        for text in [
            "It costs $5 and $6.",
            "Prices: $1,000 to $2,000 (US$)",
            "A <b>$10</b> and <b>$20</b>",
            "$5/day, $6/day",
            "| $5 | $6 |",
            "- $5k\n- $6k",
            r"Between \$1 guaranteed or \\$100",
        ] {
            assert!(of(text, Rule::Jupyter).is_empty(), "{text}: {:?}", of(text, Rule::Jupyter));
        }
        assert_eq!(of("Budget is $20 million, tax $x_1$ here", Rule::Jupyter), ["x_1"]);
        assert_eq!(
            of("$2x$ or $3 \\text{ km}$, $100$ and $0.5$", Rule::Jupyter),
            ["2x", "3 \\text{ km}", "100", "0.5"]
        );
        assert_eq!(of("is $1 - CDF(5)$.", Rule::Jupyter), ["1 - CDF(5)"]);
    }

    #[test]
    fn a_blank_line_ends_what_is_open() {
        assert!(of("$a\n\nb$", Rule::Jupyter).is_empty());
        assert_eq!(of("$a\nb$ and $$ x", Rule::Jupyter), ["a\nb"]);
        assert_eq!(
            of("$$ x \\begin{align}y\\end{align}", Rule::Jupyter),
            ["[\\begin{align}y\\end{align}]"]
        );
    }

    #[test]
    fn one_of_two_dollars_may_be_escaped() {
        assert_eq!(of(r"a \$$ x $\$ b \$$ y $$, $z$", Rule::Jupyter), ["[ x ]", "[ y ]", "z"]);
        assert_eq!(of(r"costs \$$x$ more, $\$$ and $\$5$", Rule::Jupyter), ["x", r"\$", r"\$5"]);
    }

    #[test]
    fn environments_of_a_block_may_have_blank_lines() {
        assert_eq!(
            of("$$\\begin{aligned}a\n\n\\end{aligned} \\tag{1}$$ b", Rule::Jupyter),
            ["[\\begin{aligned}a\n\n\\end{aligned} \\tag{1}]"]
        );
        assert_eq!(of("$$\\begin{aligned}a\n\n$$b$$ c $d$", Rule::Jupyter), ["[b]", "d"]);
    }

    #[test]
    fn braces_hold_delimiters() {
        assert_eq!(
            of(r"$a \text{ if $b$ } c$ $\$5$", Rule::Jupyter),
            [r"a \text{ if $b$ } c", r"\$5"]
        );
        assert_eq!(of(r"$ {a $", Rule::Jupyter), [" {a "]);
    }

    #[test]
    fn pandoc_wants_no_spaces_inside() {
        assert_eq!(
            of(r"$ a $ and $b$ and $5 and $6, $$ c $$, \\(d\\)", Rule::Pandoc),
            ["b", "[ c ]"]
        );
    }

    #[test]
    fn latex_of_an_output_has_its_own_brackets() {
        let text = r"Let \(a\) be \[b\\[2pt]c\] and

\begin{align}d\\[1em]e\end{align} for $f

g$";
        let expected = ["a", r"[b\\[2pt]c]", r"[\begin{align}d\\[1em]e\end{align}]", "f\n\ng"];
        assert_eq!(of(text, Rule::Latex), expected);
    }

    #[test]
    fn delimiters_without_an_end_take_linear_time() {
        let started = std::time::Instant::now();
        for piece in ["\\\\(", "\\(", "\\begin{a}", "$$ {", "$ ", "$5 a $"] {
            for rule in [Rule::Jupyter, Rule::Pandoc, Rule::Latex] {
                let text = piece.repeat(200_000);
                assert!(find(&text, &[], rule).len() <= 200_000);
            }
        }
        assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
    }
}
