//! Macros that formulas define for the rest of the page, as MathJax keeps them.
//!
//! In: formulas in the order of the page. Out: formulas without definitions, and without uses of them. The expansion
//! is nbc's own because it is the bound: the converter counts expansions, not what they grow to, so that it never sees a
//! definition.

use std::collections::BTreeMap;

use super::tex::{Reader, Token, Writer};

/// Macros of a page; later definitions are ignored.
const MOST: usize = 2_000;
/// Longest definition in bytes.
const LONGEST: usize = 4_000;
/// Longest source in bytes that definitions are looked for in.
const LONGEST_SOURCE: usize = 200_000;
/// Macros inside macros.
const DEEPEST: usize = 32;
/// Bytes that expansion may read and write in a page, and as many more for each byte of its formulas: a small text
/// could else make a page without end.
const WORK: usize = 1 << 20;
const WORK_PER_BYTE: usize = 8;
/// The same for one formula, as a multiple of the longest result.
const WORK_PER_FORMULA: usize = 4;

/// Commands that change what others mean.
const DEFINERS: [&str; 19] = [
    "DeclareMathOperator",
    "DeclarePairedDelimiter",
    "def",
    "edef",
    "expandafter",
    "futurelet",
    "gdef",
    "global",
    "globaldefs",
    "let",
    "long",
    "newcommand",
    "newenvironment",
    "noexpand",
    "outer",
    "providecommand",
    "renewcommand",
    "renewenvironment",
    "xdef",
];

/// A macro.
#[derive(Debug, Clone)]
struct Macro {
    parameters: usize,
    /// Default of the first parameter.
    default: Option<String>,
    body: String,
    /// Text before the first argument and after each, if `\def` gives any.
    delimiters: Vec<String>,
    /// The body after a star.
    starred: Option<String>,
    /// The body is a command as it was before it got another meaning, and is not expanded.
    is_final: bool,
}

impl Macro {
    /// A macro without parameters.
    fn plain(body: String) -> Self {
        let (default, delimiters, starred) = (None, Vec::new(), None);
        Self { parameters: 0, default, body, delimiters, starred, is_final: false }
    }
}

/// Definitions so far.
#[derive(Debug)]
pub(super) struct Macros {
    all: BTreeMap<String, Macro>,
    /// Work that is left.
    work: usize,
}

impl Default for Macros {
    fn default() -> Self {
        Self { all: BTreeMap::new(), work: WORK }
    }
}

/// A formula whose macros come to too much, or are not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused;

impl Macros {
    /// The definitions of a text that is not the page's own: an output, of which there may be many.
    pub(super) fn alone() -> Self {
        Self { all: BTreeMap::new(), work: WORK >> 8 }
    }

    /// Takes the definitions out of a formula and expands what is left to at most `most` bytes.
    pub(super) fn apply(&mut self, source: &str, most: usize) -> Result<String, Refused> {
        let defines = ["def", "ommand", "let", "DeclareMath", "Paired", "newenvironment", "global"];
        if self.all.is_empty() && !defines.iter().any(|it| source.contains(it)) {
            return Ok(source.to_owned());
        }
        // Arguments are looked for up to the end of their group, which every group must have.
        if source.len() > LONGEST_SOURCE || !is_balanced(source) {
            return Err(Refused);
        }
        self.work = self.work.saturating_add(WORK_PER_BYTE * source.len());
        let allowed = self.work.min(WORK_PER_FORMULA * most);
        let mut expansion = Expansion { out: Writer::default(), most, work: allowed };
        let result = self.expand(source, &mut expansion);
        self.work -= allowed - expansion.work;
        result.map(|()| expansion.out.finish())
    }

    fn expand(&mut self, source: &str, expansion: &mut Expansion) -> Result<(), Refused> {
        let mut reader = Reader::new(source);
        loop {
            let start = reader.offset();
            let Some(token) = reader.next() else { return Ok(()) };
            let written = reader.between(start, reader.offset());
            expansion.token(self, token, written, &mut reader, 0)?;
        }
    }

    /// Reads a definition; `false` and nothing read if `name` begins none that is understood.
    fn define(&mut self, name: &str, reader: &mut Reader<'_>) -> bool {
        if !DEFINERS.contains(&name) {
            return false;
        }
        let mut ahead = reader.clone();
        let defined = match name {
            "newcommand" | "renewcommand" | "providecommand" => command(&mut ahead),
            "DeclareMathOperator" => operator(&mut ahead),
            "DeclarePairedDelimiter" => pair(&mut ahead),
            "newenvironment" | "renewenvironment" => {
                let Some((defined, begin, end)) = environment(&mut ahead) else { return false };
                *reader = ahead;
                self.keep(format!("begin {defined}"), begin);
                self.keep(format!("end {defined}"), end);
                return true;
            }
            "def" | "gdef" => plain(&mut ahead),
            "let" => self.alias(&mut ahead),
            // `\long\def`, `\global\let`.
            "long" | "global" => {
                ahead.skip_space();
                let Some(Token::Command(name)) = ahead.next() else { return false };
                let is_defined = matches!(name, "def" | "gdef" | "let" | "newcommand")
                    && self.define(name, &mut ahead);
                if is_defined {
                    *reader = ahead;
                }
                return is_defined;
            }
            _ => None,
        };
        let Some((defined, body)) = defined else { return false };
        *reader = ahead;
        if name != "providecommand" || !self.all.contains_key(&defined) {
            self.keep(defined, body);
        }
        true
    }

    fn keep(&mut self, name: String, body: Macro) {
        let is_known = self.all.contains_key(&name);
        if body.body.len() <= LONGEST && (is_known || self.all.len() < MOST) {
            self.all.insert(name, body);
        }
    }

    /// The macro that a command is. The `\begin` and `\end` of an environment of the author's have its name.
    fn find(&self, name: &str, reader: &mut Reader<'_>) -> Option<&Macro> {
        if !matches!(name, "begin" | "end") {
            return self.all.get(name);
        }
        let mut ahead = reader.clone();
        let environment = ahead.argument()?;
        let found = self.all.get(&format!("{name} {environment}"))?;
        *reader = ahead;
        Some(found)
    }

    /// `\let\name=\other`: what the other means at this point.
    fn alias(&self, reader: &mut Reader<'_>) -> Option<(String, Macro)> {
        reader.skip_space();
        let Token::Command(name) = reader.next()? else { return None };
        reader.skip_space();
        if reader.peek()? == Token::Other('=') {
            reader.next();
            reader.skip_space();
        }
        let start = reader.offset();
        let meaning = match reader.next()? {
            Token::Command(other) => self.all.get(other).cloned(),
            Token::Other(_) => None,
            _ => return None,
        };
        let written = reader.between(start, reader.offset()).to_owned();
        let meaning = meaning.unwrap_or(Macro { is_final: true, ..Macro::plain(written) });
        Some((name.to_owned(), meaning))
    }
}

/// True if each `{` has its `}`.
fn is_balanced(source: &str) -> bool {
    let mut depth = 0usize;
    for token in Reader::new(source) {
        match token {
            Token::Open => depth += 1,
            Token::Close if depth == 0 => return false,
            Token::Close => depth -= 1,
            _ => {}
        }
    }
    depth == 0
}

/// A formula that is being expanded, and its bounds.
struct Expansion {
    out: Writer,
    most: usize,
    /// Work that is left: macros that double each other may come to nothing, late.
    work: usize,
}

impl Expansion {
    fn spend(&mut self, bytes: usize) -> Result<(), Refused> {
        self.work = self.work.checked_sub(bytes).ok_or(Refused)?;
        Ok(())
    }

    fn token(
        &mut self,
        macros: &mut Macros,
        token: Token<'_>,
        written: &str,
        reader: &mut Reader<'_>,
        depth: usize,
    ) -> Result<(), Refused> {
        self.spend(written.len())?;
        if self.out.len() > self.most || depth > DEEPEST {
            return Err(Refused);
        }
        let Token::Command(name) = token else {
            self.out.push(written);
            return Ok(());
        };
        let start = reader.offset();
        if macros.define(name, reader) {
            // Definitions of macros are read as often as these are used.
            return self.spend(reader.offset() - start);
        }
        let definition = match macros.find(name, reader) {
            Some(definition) => definition,
            None if DEFINERS.contains(&name) => return Err(Refused),
            None => {
                self.out.push(written);
                return Ok(());
            }
        };
        if definition.is_final {
            self.out.push(&definition.body);
            return Ok(());
        }
        // Missing arguments are an error of TeX, too.
        let filled = definition.filled(reader, self.most).ok_or(Refused)??;
        self.spend(filled.len())?;
        let mut inside = Reader::new(&filled);
        loop {
            let start = inside.offset();
            let Some(token) = inside.next() else { return Ok(()) };
            let written = inside.between(start, inside.offset());
            self.token(macros, token, written, &mut inside, depth + 1)?;
        }
    }
}

impl Macro {
    /// The body with the arguments that are next; `None` and nothing read when some are missing.
    fn filled(&self, reader: &mut Reader<'_>, most: usize) -> Option<Result<String, Refused>> {
        let mut ahead = reader.clone();
        let mut arguments = Vec::new();
        let body = match &self.starred {
            Some(starred) if ahead.star() => starred,
            _ => &self.body,
        };
        if let Some(default) = &self.default {
            arguments.push(ahead.optional().unwrap_or(default));
        }
        let mut delimiters = self.delimiters.iter().map(String::as_str);
        if let Some(before) = delimiters.next() {
            ahead.after(before)?;
        }
        while arguments.len() < self.parameters {
            arguments.push(match delimiters.next().unwrap_or_default() {
                "" => ahead.argument()?,
                delimiter => ahead.until(delimiter)?,
            });
        }
        *reader = ahead;
        Some(fill(body, &arguments, most))
    }
}

/// The body of a macro with its arguments.
pub(super) fn fill(body: &str, arguments: &[&str], most: usize) -> Result<String, Refused> {
    let mut reader = Reader::new(body);
    let mut out = Writer::default();
    loop {
        let start = reader.offset();
        let Some(token) = reader.next() else { return Ok(out.finish()) };
        let number = reader.rest().chars().next().and_then(|it| it.to_digit(10));
        match (token, number) {
            // `##` is `#` of a macro that this one defines.
            (Token::Other('#'), None) if reader.peek() == Some(Token::Other('#')) => {
                reader.next();
                out.push("#");
            }
            (Token::Other('#'), Some(number)) => {
                reader.next();
                let argument = (number as usize).checked_sub(1).and_then(|it| arguments.get(it));
                out.push(argument.copied().unwrap_or_default());
            }
            _ => out.push(reader.between(start, reader.offset())),
        }
        if out.len() > most {
            return Err(Refused);
        }
    }
}

/// `\newcommand{\name}[n][default]{body}`.
fn command(reader: &mut Reader<'_>) -> Option<(String, Macro)> {
    reader.star();
    let name = reader.argument()?.trim().strip_prefix('\\')?.to_owned();
    let (parameters, default) = parameters(reader)?;
    let body = reader.argument()?.to_owned();
    Some((name, Macro { parameters, default, ..Macro::plain(body) }))
}

/// `\DeclareMathOperator{\name}{text}`.
fn operator(reader: &mut Reader<'_>) -> Option<(String, Macro)> {
    let star = if reader.star() { "*" } else { "" };
    let name = reader.argument()?.trim().strip_prefix('\\')?.to_owned();
    let body = format!("\\operatorname{star}{{{}}}", reader.argument()?);
    Some((name, Macro::plain(body)))
}

/// `\DeclarePairedDelimiter{\name}{open}{close}` of mathtools; with a star they grow.
fn pair(reader: &mut Reader<'_>) -> Option<(String, Macro)> {
    let name = reader.argument()?.trim().strip_prefix('\\')?.to_owned();
    let (open, close) = (reader.argument()?, reader.argument()?);
    // `\name[\big]{x}`: the size stands before each of them.
    let body = format!("{{#1{open} #2#1{close}}}");
    let starred = Some(format!("\\left{open} #2\\right{close}"));
    let default = Some(String::new());
    Some((name, Macro { parameters: 2, default, starred, ..Macro::plain(body) }))
}

/// `\newenvironment{name}[n][default]{begin}{end}`.
fn environment(reader: &mut Reader<'_>) -> Option<(String, Macro, Macro)> {
    reader.star();
    let name = reader.argument()?.to_owned();
    let (parameters, default) = parameters(reader)?;
    let begin = Macro { parameters, default, ..Macro::plain(reader.argument()?.to_owned()) };
    Some((name, begin, Macro::plain(reader.argument()?.to_owned())))
}

/// `[n][default]`.
fn parameters(reader: &mut Reader<'_>) -> Option<(usize, Option<String>)> {
    let count = match reader.optional() {
        Some(count) => count.trim().parse().ok().filter(|it| *it <= 9)?,
        None => 0,
    };
    let default = if count > 0 { reader.optional().map(str::to_owned) } else { None };
    Some((count, default))
}

/// `\def\name#1#2{body}`, also with text between the parameters.
fn plain(reader: &mut Reader<'_>) -> Option<(String, Macro)> {
    /// Bytes of the text between parameters.
    const LONGEST: usize = 100;
    reader.skip_space();
    let Token::Command(name) = reader.next()? else { return None };
    reader.skip_space();
    let mut delimiters = vec![String::new()];
    let begin = reader.offset();
    loop {
        let start = reader.offset();
        match reader.peek()? {
            Token::Open => break,
            Token::Close => return None,
            Token::Other('#') => {
                reader.next();
                let Token::Other(digit) = reader.next()? else { return None };
                if digit.to_digit(10).map(|it| it as usize) != Some(delimiters.len()) {
                    return None;
                }
                delimiters.push(String::new());
            }
            _ => {
                reader.next();
                let text = reader.between(start, reader.offset());
                delimiters.last_mut()?.push_str(text);
            }
        }
        if reader.offset() - begin > LONGEST {
            return None;
        }
    }
    let parameters = delimiters.len() - 1;
    if delimiters.iter().all(String::is_empty) {
        delimiters.clear();
    }
    let body = reader.argument()?.to_owned();
    Some((name.to_owned(), Macro { parameters, delimiters, ..Macro::plain(body) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(formulas: &[&str]) -> Vec<Result<String, Refused>> {
        let mut macros = Macros::default();
        formulas.iter().map(|it| macros.apply(it, 10_000)).collect()
    }

    #[test]
    fn definitions_hold_for_later_formulas_and_show_nothing() {
        let all = of(&[
            r"\newcommand{\E}{\mathbb{E}}",
            r"\E[x] \E x",
            r"\def\p#1{\mathbf#1}\DeclareMathOperator*{\argmax}{arg\,max}",
            r"\argmax_x \p y",
            r"\newcommand\norm[2][2]{\|#2\|_{#1}} \norm{x} \norm[1]{y}",
            r"\renewcommand{\E}{E} \E_x",
            r"\providecommand{\E}{F} \Ex \E",
        ]);
        let all: Vec<_> = all.into_iter().map(|it| it.unwrap().trim().to_owned()).collect();
        assert_eq!(
            all,
            [
                "",
                r"\mathbb{E}[x] \mathbb{E} x",
                "",
                r"\operatorname*{arg\,max}_x \mathbf y",
                r"\|x\|_{2} \|y\|_{1}",
                "E_x",
                r"\Ex E",
            ]
        );
    }

    #[test]
    fn a_name_for_a_command_keeps_its_meaning() {
        let all = of(&[
            r"\let\oldsum=\sum \renewcommand{\sum}{\oldsum\limits}\sum_i",
            r"\def\a{x}\let\b\a \def\a{y}\b\a",
            r"\long\def\c#1{#1}\global\let\d|\c{z}\d",
        ]);
        let all: Vec<_> = all.into_iter().map(|it| it.unwrap().trim().to_owned()).collect();
        assert_eq!(all, [r"\sum\limits_i", "xy", "z|"]);
    }

    #[test]
    fn macros_define_macros_environments_and_delimiters() {
        let all = of(&[
            r"\def\a#1{\def\b##1{#1##1}}\a{x}\b{y}",
            r"\def\c(#1,#2){[#2,#1]}\c(a,{b)})",
            r"\newenvironment{two}[1]{\begin{array}{#1}}{\end{array}}",
            r"\begin{two}{cc}a\end{two}\begin{b}\end{b}",
            r"\DeclarePairedDelimiter{\abs}{\lvert}{\rvert}\abs{x}\abs*{y}\abs[\big]{z}",
        ]);
        let all: Vec<_> = all.into_iter().map(|it| it.unwrap().trim().to_owned()).collect();
        assert_eq!(
            all,
            [
                "xy",
                "[{b)},a]",
                "",
                r"\begin{array}{cc}a\end{array}\begin{b}\end{b}",
                r"{\lvert x\rvert}\left\lvert y\right\rvert{\big\lvert z\big\rvert}",
            ]
        );
    }

    #[test]
    fn what_defines_and_is_not_understood_is_refused() {
        for formula in [
            r"\edef\a{x}",
            r"\def\a#1.{#1}\a x",
            r"\def\a#2{x}",
            r"\newcommand{\a",
            r"\newcommand{\a}[1]{#1} x \a",
        ] {
            assert_eq!(of(&[formula]), [Err(Refused)], "{formula}");
        }
    }

    #[test]
    fn the_work_of_a_page_has_an_end() {
        let mut macros = Macros::default();
        macros
            .apply(&format!(r"\def\a{{{}}}\def\b{{\a\a\a\a}}", "x".repeat(2_000)), 20_000)
            .unwrap();
        let drawn = (0..1_000).filter(|_| macros.apply(r"\b\b", 20_000).is_ok()).count();
        assert!((20..200).contains(&drawn), "{drawn}");
        // What expands nothing is drawn all the same.
        assert_eq!(macros.apply("x^2", 20_000), Ok("x^2".to_owned()));
    }

    #[test]
    fn a_megabyte_of_macros_takes_linear_time() {
        let started = std::time::Instant::now();
        for piece in
            [r"\def\a{", r"\newcommand{\a}{x}\a", r"\a[{}", r"\let\a\b", r"\def", "{}[", "%"]
        {
            let mut macros = Macros::default();
            macros.apply(r"\newcommand{\a}[2][x]{#1#2}", 20_000).unwrap();
            for _ in 0..10 {
                let _ = macros.apply(&piece.repeat(100_000 / piece.len()), 20_000);
            }
        }
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    }

    #[test]
    fn bombs_are_refused() {
        for bomb in [
            r"\newcommand{\x}[1]{\x{#1#1}}\x{y}",
            r"\def\a{\a}\a",
            r"\def\a{\b\b}\def\b{\c\c}\def\c{\d\d}\def\d{\e\e}\def\e{\f\f}\def\f{\g\g}\def\g{\h\h}\def\h{\i\i}\def\i{\j\j}\def\j{\k\k}\def\k{\l\l}\def\l{\m\m}\def\m{xxxx}\a\a\a\a",
            r"\def\a{\b\b\b\b}\def\b{\c\c\c\c}\def\c{\d\d\d\d}\def\d{\e\e\e\e}\def\e{\f\f\f\f}\def\f{\g\g\g\g}\def\g{\h\h\h\h}\def\h{\i\i\i\i}\def\i{\j\j\j\j}\def\j{}\a",
        ] {
            assert_eq!(of(&[bomb]), [Err(Refused)], "{bomb}");
        }
    }
}
