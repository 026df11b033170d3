//! TeX as MathJax reads it, in the words of the converter (KaTeX's).

use std::cell::Cell;

use super::equations::Equations;
use super::macros;
use super::tex::{Reader, Token, Writer};
use super::{Display, LONGEST, chemistry, commands};

/// Commands that stand for others, inside of each other.
const DEEPEST: usize = 24;

/// Rewrites what MathJax 3 draws and the converter does not know; references become the numbers of `equations`. `None`
/// for commands in whose place the converter would show their names, and for what comes to too much.
pub(super) fn rewrite(source: &str, display: Display, equations: &Equations) -> Option<String> {
    Rewriting { equations, display, work: Cell::new(8 * LONGEST) }.formula(source, 0)
}

/// What stands for a command and its arguments.
enum Replacement {
    /// TeX of the converter.
    Known(String),
    /// TeX that holds what its author wrote.
    Again(String),
}

struct Rewriting<'a> {
    equations: &'a Equations,
    display: Display,
    /// Bytes that may still be read: what stands for a command may hold an argument twice.
    work: Cell<usize>,
}

impl Rewriting<'_> {
    fn formula(&self, source: &str, depth: usize) -> Option<String> {
        self.work.set(self.work.get().checked_sub(source.len())?);
        if depth > DEEPEST {
            return None;
        }
        let mut reader = Reader::new(source);
        let mut out = Writer::default();
        loop {
            let at = reader.offset();
            let Some(token) = reader.next() else { break };
            let Token::Command(name) = token else {
                out.push(reader.between(at, reader.offset()));
                continue;
            };
            if matches!(name, "includegraphics" | "url") {
                return None;
            }
            let mut ahead = reader.clone();
            let replacement = self
                .replacement(name, &mut ahead)
                .or_else(|| command(name, &mut ahead).map(Replacement::Again));
            match replacement {
                Some(Replacement::Known(tex)) => out.push(&tex),
                Some(Replacement::Again(tex)) => out.push(&self.formula(&tex, depth + 1)?),
                None => {
                    out.push(reader.between(at, reader.offset()));
                    continue;
                }
            }
            reader = ahead;
        }
        Some(out.finish())
    }

    /// The replacement of a command and its arguments; `None` when it stays.
    fn replacement(&self, name: &str, reader: &mut Reader<'_>) -> Option<Replacement> {
        if let Some(again) = self.with_content(name, reader) {
            return Some(Replacement::Again(again));
        }
        Some(Replacement::Known(match name {
            // A backslash at the end was a backslash and a space.
            "" => "\\ ".to_owned(),
            // Authors double the backslash of a dollar for Markdown, which does not read formulas.
            "\\" if reader.rest().starts_with('$') => {
                reader.next();
                "\\$".to_owned()
            }
            "text" | "textrm" | "textbf" | "textit" | "textsf" | "texttt" | "textnormal"
            | "textup" => {
                format!("\\{name}{{{}}}", text(reader.argument()?))
            }
            "mbox" | "hbox" => format!("\\text{{{}}}", text(reader.argument()?)),
            "begin" | "end" => match reader.argument()? {
                "array" if name == "begin" => {
                    reader.optional();
                    format!("\\begin{{array}}{{{}}}", columns(reader.argument()?, 0)?)
                }
                environment => self::environment(name, environment, reader)?,
            },
            "require" => {
                reader.argument()?;
                String::new()
            }
            // Left over where an environment is not the whole formula.
            "nonumber" | "notag" => String::new(),
            "label" => {
                reader.argument()?;
                String::new()
            }
            "ref" | "eqref" | "refeq" => {
                let number =
                    self.equations.find(reader.argument()?).and_then(|it| it.number.as_ref());
                let number = match (number, name) {
                    (Some(number), "ref" | "refeq") => number.text().to_owned(),
                    (Some(number), _) => number.shown(),
                    (None, "ref" | "refeq") => "???".to_owned(),
                    (None, _) => "(???)".to_owned(),
                };
                format!("\\text{{{number}}}")
            }
            "unicode" => {
                let written = reader.argument()?.trim();
                let number = match written.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16),
                    None => written.parse(),
                };
                let character = char::from_u32(number.ok()?).filter(|it| !it.is_control())?;
                format!("\\text{{{character}}}")
            }
            "ce" => format!("{{{}}}", chemistry::formula(reader.argument()?)?),
            "pu" => format!("{{{}}}", chemistry::unit(reader.argument()?)?),
            _ if SIZED.contains(&name) => {
                reader.skip_space();
                match reader.next()? {
                    Token::Other('<') => format!("\\{name}\\langle"),
                    Token::Other('>') => format!("\\{name}\\rangle"),
                    _ => return None,
                }
            }
            _ => format!("\\text{{{}}}", in_text(commands::symbol(name)?)),
        }))
    }

    /// What stands for a command that only adds something to its content: the content, and what the converter can
    /// draw of the addition.
    fn with_content(&self, name: &str, reader: &mut Reader<'_>) -> Option<String> {
        Some(match name {
            // Browsers follow no links in MathML: see `link`. A page has no styles that a class or an id could name.
            "class" | "cssId" | "href" | "htmlClass" | "htmlData" | "htmlId" => {
                reader.argument()?;
                format!("{{{}}}", reader.argument()?)
            }
            "style" | "htmlStyle" => {
                let style = reader.argument()?;
                let mut content = format!("{{{}}}", reader.argument()?);
                for (property, value) in style.split(';').filter_map(|it| it.split_once(':')) {
                    let color = Some(value.trim()).filter(|it| is_color(it));
                    content = match (property.trim(), color) {
                        ("color", Some(color)) => format!("\\textcolor{{{color}}}{{{content}}}"),
                        ("background" | "background-color", Some(color)) => {
                            self.on_color(color, &content)
                        }
                        _ => content,
                    };
                }
                content
            }
            "bbox" => {
                let options = reader.optional().unwrap_or_default();
                let mut content = format!("{{{}}}", reader.argument()?);
                for option in options.split(',').map(str::trim) {
                    if option.starts_with("border") {
                        content = format!("\\boxed{{{content}}}");
                    } else if is_color(option) {
                        content = self.on_color(option, &content);
                    }
                }
                content
            }
            "enclose" => {
                let notations = reader.argument()?;
                reader.optional();
                enclosed(notations, reader.argument()?)?
            }
            "raise" | "lower" => {
                let sign = if name == "raise" { "" } else { "-" };
                let length = length(reader)?;
                format!("\\raisebox{{{sign}{length}}}{{${}$}}", reader.argument()?)
            }
            _ => return None,
        })
    }

    fn on_color(&self, color: &str, content: &str) -> String {
        let style = match self.display {
            Display::Block => "\\displaystyle",
            Display::Inline => "",
        };
        format!("\\colorbox{{{color}}}{{${style}{content}$}}")
    }
}

/// What stands for a command of [`commands`].
fn command(name: &str, reader: &mut Reader<'_>) -> Option<String> {
    let (count, body) = commands::command(name)?;
    let mut arguments = Vec::new();
    while arguments.len() < count {
        arguments.push(reader.argument()?);
    }
    macros::fill(body, &arguments, LONGEST).ok()
}

/// True for a color as the converter reads it.
fn is_color(written: &str) -> bool {
    let is_name = |it: &str| it.bytes().all(|it| it.is_ascii_alphabetic());
    let is_hex = |it: &str| it.bytes().all(|it| it.is_ascii_hexdigit());
    match written.strip_prefix('#') {
        Some(hex) => matches!(hex.len(), 3 | 6) && is_hex(hex),
        None => !written.is_empty() && is_name(written),
    }
}

/// `\enclose` of MathJax; circles are boxes. `None` for notations that the converter cannot draw.
fn enclosed(notations: &str, content: &str) -> Option<String> {
    let mut content = format!("{{{content}}}");
    let notations: Vec<&str> = notations.split([' ', ',']).filter(|it| !it.is_empty()).collect();
    let has = |name: &str| notations.contains(&name);
    let [left, right, top, bottom] = ["left", "right", "top", "bottom"].map(has);
    if left || right || top || bottom {
        let line = |is_there: bool, line: &'static str| if is_there { line } else { "" };
        content = format!(
            "\\begin{{array}}{{{}c{}}}{}{content}{}\\end{{array}}",
            line(left, "|"),
            line(right, "|"),
            line(top, "\\hline "),
            line(bottom, "\\\\\\hline "),
        );
    }
    for notation in &notations {
        let command = match *notation {
            "left" | "right" | "top" | "bottom" => continue,
            "box" | "circle" | "roundedbox" => "boxed",
            "updiagonalstrike" => "cancel",
            "downdiagonalstrike" => "bcancel",
            "horizontalstrike" => "sout",
            "radical" => "sqrt",
            "actuarial" => "angl",
            "phasorangle" => "phase",
            _ => return None,
        };
        content = format!("\\{command}{{{content}}}");
    }
    Some(content)
}

/// A length without braces, such as `-2pt`.
fn length(reader: &mut Reader<'_>) -> Option<String> {
    const LONGEST: usize = 20;
    reader.skip_space();
    if reader.peek()? == Token::Open {
        return reader.argument().map(|it| it.trim().to_owned());
    }
    let mut written = String::new();
    while let Token::Other(character) = reader.peek()? {
        if written.len() > LONGEST {
            return None;
        }
        written.push(character);
        reader.next();
        let unit = written.trim_start_matches(|it: char| !it.is_ascii_alphabetic());
        if unit.len() == 2 {
            return Some(written);
        }
    }
    None
}

/// Commands that make a delimiter of what is next.
const SIZED: [&str; 19] = [
    "Big", "Bigg", "Biggl", "Biggm", "Biggr", "Bigl", "Bigm", "Bigr", "big", "bigg", "biggl",
    "biggm", "biggr", "bigl", "bigm", "bigr", "left", "middle", "right",
];

/// The address that `\href` gives to a formula or a part of it; `Err` when there are several, since a formula is one
/// link on the page.
pub(super) fn link(source: &str) -> Result<Option<String>, SeveralLinks> {
    let mut found = None;
    if !source.contains("\\href") {
        return Ok(found);
    }
    let mut reader = Reader::new(source);
    while let Some(token) = reader.next() {
        if token != Token::Command("href") {
            continue;
        }
        let Some(address) = reader.argument() else { continue };
        // TeX wants a backslash before these.
        let address =
            ['#', '%', '&', '_', '~'].iter().fold(address.trim().to_owned(), |it, special| {
                it.replace(&format!("\\{special}"), &special.to_string())
            });
        match &found {
            Some(other) if *other != address => return Err(SeveralLinks),
            _ => found = Some(address),
        }
    }
    Ok(found)
}

/// A formula whose parts lead to different places.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SeveralLinks;

/// The columns of an array in the letters that the converter knows; `None` when it has others.
fn columns(written: &str, depth: usize) -> Option<String> {
    const MOST: usize = 500;
    const DEEPEST: usize = 4;
    if depth > DEEPEST {
        return None;
    }
    let mut out = String::new();
    let mut reader = Reader::new(written);
    while let Some(token) = reader.next() {
        match token {
            Token::Other(letter @ ('l' | 'c' | 'r' | '|' | ':')) => out.push(letter),
            Token::Other('*') => {
                let count: usize = reader.argument()?.trim().parse().ok()?;
                let repeated = columns(reader.argument()?, depth + 1)?;
                if repeated.len().saturating_mul(count) > MOST {
                    return None;
                }
                out.push_str(&repeated.repeat(count));
            }
            Token::Other('p' | 'm' | 'b') => {
                reader.argument()?;
                out.push('l');
            }
            // Space between columns; text there is refused.
            Token::Other('@' | '!') => {
                let between = reader.argument()?.trim();
                if !(between.is_empty() || between.starts_with('\\')) {
                    return None;
                }
            }
            Token::Other(space) if space.is_whitespace() => {}
            _ => return None,
        }
    }
    Some(out)
}

/// Environments inside of a formula, by the converter's name.
fn environment(name: &str, environment: &str, reader: &mut Reader<'_>) -> Option<String> {
    let (known, before, after) = commands::environment(environment)?;
    if name == "end" {
        return Some(format!("\\end{{{known}}}{after}"));
    }
    if environment.contains("smallmatrix") || environment == "multlined" {
        reader.optional();
    }
    Some(format!("{before}\\begin{{{known}}}"))
}

/// A character of a text, as the converter must read it.
fn in_text(character: char) -> String {
    match character {
        '\\' => "\\textbackslash{}".to_owned(),
        '^' => "\\textasciicircum{}".to_owned(),
        '~' => "\\textasciitilde{}".to_owned(),
        '{' | '}' | '$' | '_' | '&' | '#' | '%' => format!("\\{character}"),
        _ => character.to_string(),
    }
}

/// Text inside a formula: MathJax shows it as it is written, but for formulas in it.
fn text(source: &str) -> String {
    if !source.contains(['_', '^', '#', '&']) && !source.contains("\\text") {
        return source.to_owned();
    }
    let mut reader = Reader::new(source);
    let mut out = Writer::default();
    let mut in_formula = false;
    loop {
        let at = reader.offset();
        let Some(token) = reader.next() else { break };
        in_formula ^= token == Token::Other('$');
        if let Token::Command(name) = token
            && let Some(symbol) = commands::symbol(name)
        {
            out.push(&in_text(symbol));
            continue;
        }
        out.push(match token {
            Token::Other('_') if !in_formula => "\\_",
            Token::Other('^') if !in_formula => "\\textasciicircum{}",
            Token::Other('#') if !in_formula => "\\#",
            Token::Other('&') if !in_formula => "\\&",
            _ => reader.between(at, reader.offset()),
        });
    }
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_mathjax_are_rewritten() {
        let equations = Equations::default();
        for (source, expected) in [
            (r"\text{sales_usd} = \mbox{if } x_1", r"\text{sales\_usd} = \text{if } x_1"),
            (r"\text{if $a_b$ & c}", r"\text{if $a_b$ \& c}"),
            (r"\require{cancel}\cancel{x}", r"\cancel{x}"),
            (r"\unicode{x263A}\unicode{65}", r"\text{☺}\text{A}"),
            (r"\class{big}{x}\bbox[3px]{y}", "{x}{y}"),
            (r"\bbox[red,2px]{\mbox{a_b}}", r"\colorbox{red}{${\text{a\_b}}$}"),
            (r"\style{color: #f00; font: x}{x}", r"\textcolor{#f00}{{x}}"),
            (r"\enclose{box,left}{x}", r"\boxed{\begin{array}{|c}{x}\end{array}}"),
            (r"\enclose{longdiv}{x}", r"\enclose{longdiv}{x}"),
            (r"\raise 2pt{x}\lower1ex y", r"\raisebox{2pt}{$x$}\raisebox{-1ex}{$y$}"),
            (r"\cancelto{0}{\mbox{a}}", r"\cancel{\text{a}}^{0}"),
            (r"\upalpha\textdollar", r"\text{α}\text{\$}"),
            (
                r"\begin{psmallmatrix*}[r]a\end{psmallmatrix*}",
                r"\left(\begin{smallmatrix}a\end{smallmatrix}\right)",
            ),
            (r"\eqref{none}", r"\text{(???)}"),
            ("a \\", "a \\ "),
            (r"\\$ 100", r"\$ 100"),
            (r"\begin{multline}a\end{multline}", r"\begin{gathered}a\end{gathered}"),
            (r"\begin{align}a\end{align}", r"\begin{align}a\end{align}"),
            (r"\begin{array}{*{3}{c}|r}a\end{array}", r"\begin{array}{ccc|r}a\end{array}"),
            (r"\begin{array}[t]{@{}l p{2cm}}a\end{array}", r"\begin{array}{ll}a\end{array}"),
            (r"\begin{array}{*{900}{c}}a\end{array}", r"\begin{array}{*{900}{c}}a\end{array}"),
            (r"\left<x\right > y>z \bigl|", r"\left\langle x\right\rangle y>z \bigl|"),
            (r"\href{https://a.example/\#b}{x}+y", "{x}+y"),
        ] {
            assert_eq!(rewrite(source, Display::Inline, &equations).as_deref(), Some(expected));
        }
        assert_eq!(rewrite(r"x\includegraphics{a.png}", Display::Inline, &equations), None);
        let nested = format!("{}x{}", r"\sideset{}{}{".repeat(20), "}".repeat(20));
        assert_eq!(rewrite(&nested, Display::Inline, &equations), None);
    }

    #[test]
    fn a_formula_is_one_link() {
        let of = |source| link(source);
        assert_eq!(of("x"), Ok(None));
        assert_eq!(
            of(r"\href{https://a.example/\#b\_c}{x}+y"),
            Ok(Some("https://a.example/#b_c".to_owned()))
        );
        assert_eq!(of(r"\href{#a}{x}\href{#a}{y}"), Ok(Some("#a".to_owned())));
        assert_eq!(of(r"\href{#a}{x}\href{#b}{y}"), Err(SeveralLinks));
    }
}
