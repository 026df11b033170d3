//! TeX as MathJax reads it, in the words of the converter (KaTeX's).

use super::equations::Equations;
use super::tex::{Reader, Token, Writer};

/// Rewrites what MathJax 3 draws and the converter does not know; references become the numbers of `equations`. `None`
/// for commands in whose place the converter would show their names.
pub(super) fn rewrite(source: &str, equations: &Equations) -> Option<String> {
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
        match replacement(name, &mut ahead, equations) {
            Some(replacement) => {
                out.push(&replacement);
                reader = ahead;
            }
            None => out.push(reader.between(at, reader.offset())),
        }
    }
    Some(out.finish())
}

/// The replacement of a command and its arguments; `None` when it stays.
fn replacement(name: &str, reader: &mut Reader<'_>, equations: &Equations) -> Option<String> {
    Some(match name {
        // A backslash at the end was a backslash and a space.
        "" => "\\ ".to_owned(),
        // Authors double the backslash of a dollar for Markdown, which does not read formulas.
        "\\" if reader.rest().starts_with('$') => {
            reader.next();
            "\\$".to_owned()
        }
        "text" | "textrm" | "textbf" | "textit" | "textsf" | "texttt" | "textnormal" | "textup" => {
            format!("\\{name}{{{}}}", text(reader.argument()?))
        }
        "mbox" | "hbox" => format!("\\text{{{}}}", text(reader.argument()?)),
        "begin" | "end" => match reader.argument()? {
            "array" if name == "begin" => {
                reader.optional();
                format!("\\begin{{array}}{{{}}}", columns(reader.argument()?, 0)?)
            }
            environment => self::environment(name, environment)?,
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
        "ref" | "eqref" => {
            let number = equations.find(reader.argument()?).and_then(|it| it.number.as_ref());
            let number = match (number, name) {
                (Some(number), "ref") => number.text().to_owned(),
                (Some(number), _) => number.shown(),
                (None, "ref") => "???".to_owned(),
                (None, _) => "(???)".to_owned(),
            };
            format!("\\text{{{number}}}")
        }
        // Browsers follow no links in MathML: see `link`.
        "class" | "cssId" | "href" | "htmlClass" | "htmlData" | "htmlId" | "htmlStyle"
        | "style" => {
            reader.argument()?;
            format!("{{{}}}", reader.argument()?)
        }
        "bbox" => {
            reader.optional();
            format!("{{{}}}", reader.argument()?)
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
        _ if SIZED.contains(&name) => {
            reader.skip_space();
            match reader.next()? {
                Token::Other('<') => format!("\\{name}\\langle"),
                Token::Other('>') => format!("\\{name}\\rangle"),
                _ => return None,
            }
        }
        _ => return None,
    })
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

/// Environments of amsmath inside of a formula, by the converter's name.
fn environment(name: &str, environment: &str) -> Option<String> {
    let known = match environment.strip_suffix('*').unwrap_or(environment) {
        "multline" => "gathered",
        "flalign" => "aligned",
        _ => return None,
    };
    Some(format!("\\{name}{{{known}}}"))
}

/// Text inside a formula: MathJax shows it as it is written, but for formulas in it.
fn text(source: &str) -> String {
    if !source.contains(['_', '^', '#', '&']) {
        return source.to_owned();
    }
    let mut reader = Reader::new(source);
    let mut out = Writer::default();
    let mut in_formula = false;
    loop {
        let at = reader.offset();
        let Some(token) = reader.next() else { break };
        in_formula ^= token == Token::Other('$');
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
            (r"\class{big}{x}\bbox[yellow]{y}", "{x}{y}"),
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
            assert_eq!(rewrite(source, &equations).as_deref(), Some(expected));
        }
        assert_eq!(rewrite(r"x\includegraphics{a.png}", &equations), None);
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
