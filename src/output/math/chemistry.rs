//! Chemical formulas (`\ce`) and units (`\pu`) of mhchem as TeX.
//!
//! Elements, charges, isotopes, states, bonds, precipitates, arrows with texts. What is none of these is refused, so that
//! the formula is told: half a reaction would be wrong.

/// The arrows of a reaction, the longer ones first: as written, without texts, and with them.
const ARROWS: [(&str, &str, &str); 8] = [
    ("<=>>", "\\rightleftharpoons", "\\xrightleftharpoons"),
    ("<<=>", "\\rightleftharpoons", "\\xrightleftharpoons"),
    ("<-->", "\\rightleftarrows", "\\xrightleftarrows"),
    ("<=>", "\\rightleftharpoons", "\\xrightleftharpoons"),
    ("<->", "\\longleftrightarrow", "\\xleftrightarrow"),
    ("->", "\\longrightarrow", "\\xrightarrow"),
    ("<-", "\\longleftarrow", "\\xleftarrow"),
    ("→", "\\longrightarrow", "\\xrightarrow"),
];

/// Reactions in the texts of arrows.
const DEEPEST: usize = 4;

/// The TeX of a formula or a reaction.
pub(super) fn formula(source: &str) -> Option<String> {
    nested(source, 0)
}

fn nested(source: &str, depth: usize) -> Option<String> {
    if depth > DEEPEST {
        return None;
    }
    let (out, marks) = (String::new(), String::new());
    let mut reaction = Reaction { rest: source.trim(), out, before: Before::Start, marks, depth };
    while let Some(next) = reaction.rest.chars().next() {
        reaction.piece(next)?;
    }
    Some(reaction.out)
}

/// What stands before a place, which decides about digits and signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing of this molecule.
    Start,
    /// How many of them there are.
    Amount,
    /// An element or a closed bracket.
    Element,
    Other,
}

#[derive(Debug)]
struct Reaction<'a> {
    rest: &'a str,
    out: String,
    before: Before,
    /// `^` and `_` that the last element has.
    marks: String,
    depth: usize,
}

impl<'a> Reaction<'a> {
    fn piece(&mut self, next: char) -> Option<()> {
        if self.arrow()? || self.state() {
            return Some(());
        }
        match next {
            ' ' | '\n' | '\t' => self.space(),
            '0'..='9' => self.number(),
            'A'..='Z' | 'a'..='z' => self.letters(),
            '+' | '-' => self.sign(next),
            '=' => self.push(1, "{=}", Before::Start),
            '#' => self.push(1, "{\\equiv}", Before::Start),
            '(' | '[' => self.push(1, if next == '(' { "(" } else { "[" }, Before::Start),
            ')' | ']' => self.push(1, if next == ')' { ")" } else { "]" }, Before::Element),
            '.' | '*' if self.before == Before::Element => {
                self.push(1, "\\,{\\cdot}\\,", Before::Start);
            }
            '^' | '_' => return self.script(next),
            '$' => {
                let (inside, after) = self.rest.get(1..)?.split_once('$')?;
                self.out.push_str(&format!("{{{inside}}}"));
                self.rest = after;
                self.before =
                    if self.before == Before::Start { Before::Amount } else { Before::Other };
            }
            '\\' => return self.command(),
            ',' | ';' | '/' | ':' => {
                let sign = format!("{{{next}}}");
                self.push(1, &sign, Before::Start);
            }
            _ => return None,
        }
        Some(())
    }

    fn push(&mut self, length: usize, tex: &str, before: Before) {
        // A number and what it counts.
        if self.before == Before::Amount && before != Before::Amount && !self.out.ends_with(' ') {
            self.out.push_str("\\,");
        }
        match tex.chars().next().filter(|it| matches!(it, '^' | '_')) {
            // TeX has one of each.
            Some(mark) if self.marks.contains(mark) => {
                self.out.push_str("{}");
                self.marks = mark.to_string();
            }
            Some(mark) => self.marks.push(mark),
            None => self.marks.clear(),
        }
        self.out.push_str(tex);
        self.rest = self.rest.get(length..).unwrap_or_default();
        self.before = before;
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
        if self.before == Before::Amount {
            return;
        }
        self.before = Before::Start;
        let is_alone = |sign: char| {
            let after = self.rest.strip_prefix(sign);
            after.is_some_and(|it| it.is_empty() || it.starts_with(char::is_whitespace))
        };
        let is_arrow = ARROWS.iter().any(|(arrow, ..)| self.rest.starts_with(arrow));
        if !is_arrow && !['+', '-', '=', 'v', '^'].into_iter().any(is_alone) {
            self.out.push('~');
        }
    }

    /// An arrow with its texts; `false` if there is none.
    fn arrow(&mut self) -> Option<bool> {
        let known = ARROWS.iter().find(|(written, ..)| self.rest.starts_with(written));
        let Some((written, plain, with_texts)) = known else { return Some(false) };
        self.rest = self.rest.get(written.len()..)?;
        let mut texts = Vec::new();
        while texts.len() < 2
            && let Some(after) = self.rest.strip_prefix('[')
        {
            let end = closing(after, '[', ']')?;
            texts.push(nested(after.get(..end)?, self.depth + 1)?);
            self.rest = after.get(end + 1..)?;
        }
        self.out.push_str(&match texts.as_slice() {
            [] => format!("\\mathrel{{{plain}}}"),
            [above] => format!("\\mathrel{{{with_texts}{{{above}}}}}"),
            [above, below, ..] => format!("\\mathrel{{{with_texts}[{{{below}}}]{{{above}}}}}"),
        });
        self.before = Before::Start;
        self.rest = self.rest.trim_start();
        Some(true)
    }

    /// `(aq)` after a molecule, and arrows of gases and precipitates.
    fn state(&mut self) -> bool {
        for (written, arrow) in [("(v)", 'v'), ("(^)", '^'), ("v", 'v'), ("^", '^')] {
            let after = self.rest.strip_prefix(written);
            let is_alone = after.is_some_and(|it| it.is_empty() || it.starts_with(' '));
            if is_alone && self.before == Before::Start && !self.out.is_empty() {
                // As text it does not grow.
                let tex = if arrow == 'v' { "\\text{↓}" } else { "\\text{↑}" };
                self.push(written.len(), tex, Before::Other);
                return true;
            }
        }
        let Some((inside, _)) = self.rest.strip_prefix('(').and_then(|it| it.split_once(')'))
        else {
            return false;
        };
        let is_state = (1..=3).contains(&inside.len())
            && inside.bytes().all(|it| it.is_ascii_lowercase())
            && self.before == Before::Element;
        if is_state {
            let tex = format!("\\,(\\mathrm{{{inside}}})");
            self.push(inside.len() + 2, &tex, Before::Other);
        }
        is_state
    }

    fn number(&mut self) {
        let digits = prefix(self.rest, |it| it.is_ascii_digit());
        if self.before == Before::Element {
            return self.push(digits.len(), &format!("_{{{digits}}}"), Before::Element);
        }
        let after = self.rest.get(digits.len()..).unwrap_or_default();
        let below = after.strip_prefix('/').map(|it| prefix(it, |it| it.is_ascii_digit()));
        if let Some(below) = below.filter(|it| !it.is_empty()) {
            let tex = format!("\\tfrac{{{digits}}}{{{below}}}");
            return self.push(digits.len() + 1 + below.len(), &tex, Before::Amount);
        }
        let number = prefix(self.rest, |it| it.is_ascii_digit() || it == '.');
        self.push(number.len(), number, Before::Amount);
    }

    fn letters(&mut self) {
        let name = prefix(self.rest, |it| it.is_ascii_alphabetic());
        let first = name.get(..1).unwrap_or_default();
        let second = self.rest.chars().nth(1);
        let is_amount = self.before == Before::Start
            && first.bytes().all(|it| it.is_ascii_lowercase())
            && second.is_some_and(|it| it == ' ' || it == '(' || it.is_ascii_uppercase());
        if is_amount {
            return self.push(1, first, Before::Amount);
        }
        self.push(name.len(), &format!("\\mathrm{{{name}}}"), Before::Element);
    }

    /// A charge, a bond, or what stands between molecules.
    fn sign(&mut self, sign: char) {
        let next = self.rest.chars().nth(1);
        let is_last = next.is_none_or(|it| it == ' ' || ")]}^_,;".contains(it));
        let (tex, before) = match (self.before, is_last) {
            (Before::Element, true) => (format!("^{{{sign}}}"), Before::Element),
            (Before::Element, false) if sign == '-' => ("{-}".to_owned(), Before::Start),
            (Before::Other, false) if sign == '-' => ("\\text{-}".to_owned(), Before::Start),
            _ => (format!("{{}}{sign}{{}}"), Before::Start),
        };
        self.push(1, &tex, before);
        if self.before == Before::Start {
            self.rest = self.rest.trim_start();
        }
    }

    /// What is above or below: a charge, a number, the numbers of an isotope.
    fn script(&mut self, mark: char) -> Option<()> {
        let after = self.rest.get(1..)?;
        let (inside, length) = match after.strip_prefix('{') {
            Some(group) => {
                let end = closing(group, '{', '}')?;
                (group.get(..end)?, end + 3)
            }
            None => {
                let digits = prefix(after, |it| it.is_ascii_digit());
                let sign = prefix(after.get(digits.len()..)?, |it| it == '+' || it == '-');
                let length = match digits.len() + sign.len() {
                    0 => after.chars().next().filter(char::is_ascii_alphanumeric)?.len_utf8(),
                    length => length,
                };
                (after.get(..length)?, length + 1)
            }
        };
        if self.before == Before::Start && !self.out.ends_with('}') {
            self.out.push_str("{}");
        }
        let tex = format!("{mark}{{{}}}", script(inside)?);
        let before = if self.before == Before::Start { Before::Start } else { Before::Element };
        self.push(length, &tex, before);
        Some(())
    }

    /// A letter of Greek, a space, or a bond.
    fn command(&mut self) -> Option<()> {
        let name = prefix(self.rest.get(1..)?, |it| it.is_ascii_alphabetic());
        if name == "bond" {
            let (bond, _) = self.rest.get(1 + name.len()..)?.strip_prefix('{')?.split_once('}')?;
            let tex = match bond {
                "-" | "1" => "{-}",
                "=" | "2" => "{=}",
                "#" | "3" => "{\\equiv}",
                "..." => "{\\cdot}{\\cdot}{\\cdot}",
                "->" => "{\\rightarrow}",
                "<-" => "{\\leftarrow}",
                _ => return None,
            };
            self.push(1 + name.len() + 2 + bond.len(), tex, Before::Start);
            return Some(());
        }
        if !is_greek(name) {
            let is_space = self.rest.get(1..)?.starts_with([',', ';', ' ', ':']) && name.is_empty();
            let space = self.rest.get(..2).filter(|_| is_space)?.to_owned();
            self.push(2, &space, Before::Start);
            return Some(());
        }
        let tex = format!("\\{name} ");
        self.push(1 + name.len(), &tex, Before::Other);
        Some(())
    }
}

/// Text above or below.
fn script(inside: &str) -> Option<String> {
    if let Some(formula) = inside.strip_prefix('$').and_then(|it| it.strip_suffix('$')) {
        return Some(formula.to_owned());
    }
    if inside.contains('\\') {
        return Some(inside.to_owned());
    }
    let mut out = String::new();
    let mut rest = inside;
    while let Some(next) = rest.chars().next() {
        let letters = prefix(rest, |it| it.is_ascii_alphabetic());
        let is_variable = letters.len() == 1 && next.is_ascii_lowercase();
        let length = match next {
            _ if !letters.is_empty() && !is_variable => {
                out.push_str(&format!("\\mathrm{{{letters}}}"));
                letters.len()
            }
            'a'..='z' if !inside.contains(['(', ')']) => {
                out.push(next);
                1
            }
            'a'..='z' => {
                out.push_str(&format!("\\mathrm{{{next}}}"));
                1
            }
            '0'..='9' | '+' | '-' | ',' | '(' | ')' | ' ' | '/' => {
                out.push(next);
                1
            }
            '.' | '*' | '•' => {
                out.push_str("\\bullet ");
                next.len_utf8()
            }
            _ => return None,
        };
        rest = rest.get(length..)?;
    }
    Some(out)
}

/// The TeX of a quantity: a number and its unit.
pub(super) fn unit(source: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = source.trim();
    let sign = prefix(rest, |it| it == '+' || it == '-');
    let number = prefix(rest.get(sign.len()..)?, |it| it.is_ascii_digit() || it == '.');
    if !number.is_empty() {
        out.push_str(sign);
        out.push_str(number);
        rest = rest.get(sign.len() + number.len()..)?;
        let power = rest.strip_prefix(['e', 'E']).map(|it| {
            prefix(it, |it| it.is_ascii_digit() || it == '-' || it == '+').trim_start_matches('+')
        });
        if let Some(power) = power.filter(|it| !it.is_empty()) {
            out.push_str(&format!("\\cdot 10^{{{power}}}"));
            rest = rest.get(1..)?.trim_start_matches('+').get(power.len()..)?;
        }
    }
    while let Some(next) = rest.chars().next() {
        let letters = prefix(rest, char::is_alphabetic);
        let mut length = next.len_utf8();
        match next {
            _ if !letters.is_empty() => {
                length = letters.len();
                out.push_str(&format!("\\mathrm{{{letters}}}"));
                let power = rest.get(length..)?;
                let mark = usize::from(power.starts_with('^'));
                let power = prefix(power.get(mark..)?, |it| it.is_ascii_digit() || it == '-');
                if !power.is_empty() {
                    out.push_str(&format!("^{{{power}}}"));
                    length += mark + power.len();
                }
            }
            ' ' => out.push('~'),
            '/' => out.push_str("{/}"),
            '*' | '.' => out.push_str("{\\cdot}"),
            '%' => out.push_str("\\%"),
            '°' => out.push_str("^{\\circ}"),
            _ => return None,
        }
        rest = rest.get(length..)?;
    }
    Some(out)
}

fn prefix(text: &str, is_part: impl Fn(char) -> bool) -> &str {
    let end = text.find(|it| !is_part(it)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// Where an open bracket is closed.
fn closing(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0usize;
    for (at, character) in text.char_indices() {
        if character == open {
            depth += 1;
        } else if character == close {
            match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return Some(at),
            }
        }
    }
    None
}

fn is_greek(name: &str) -> bool {
    [
        "alpha", "beta", "gamma", "delta", "Delta", "epsilon", "eta", "theta", "kappa", "lambda",
        "mu", "nu", "pi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega", "Omega", "circ",
        "bullet", "cdot", "infty",
    ]
    .contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_those_of_mhchem() {
        for (source, expected) in [
            ("H2O", r"\mathrm{H}_{2}\mathrm{O}"),
            ("SO4^2-", r"\mathrm{SO}_{4}^{2-}"),
            ("^{227}_{90}Th+", r"{}^{227}_{90}\mathrm{Th}^{+}"),
            (
                "2H2 + O2 -> 2H2O",
                r"2\,\mathrm{H}_{2}{}+{}\mathrm{O}_{2}\mathrel{\longrightarrow}2\,\mathrm{H}_{2}\mathrm{O}",
            ),
            (
                "A ->[x][y] B",
                r"\mathrm{A}\mathrel{\xrightarrow[{\mathrm{y}}]{\mathrm{x}}}\mathrm{B}",
            ),
            ("CuSO4.5H2O", r"\mathrm{CuSO}_{4}\,{\cdot}\,5\,\mathrm{H}_{2}\mathrm{O}"),
            ("NaOH(aq)", r"\mathrm{NaOH}\,(\mathrm{aq})"),
            ("BaSO4 v", r"\mathrm{BaSO}_{4}\text{↓}"),
            ("C6H5-CHO", r"\mathrm{C}_{6}\mathrm{H}_{5}{-}\mathrm{CHO}"),
            ("1/2H2O", r"\tfrac{1}{2}\,\mathrm{H}_{2}\mathrm{O}"),
            ("SO2_{(g)}", r"\mathrm{SO}_{2}{}_{(\mathrm{g})}"),
            ("(NaPO3)_x", r"(\mathrm{NaPO}_{3})_{x}"),
        ] {
            assert_eq!(formula(source).as_deref(), Some(expected), "{source}");
        }
        for refused in ["A ~ B", "{x}", "A\\nosuch", "$x", "A ->[x", "^"] {
            assert_eq!(formula(refused), None, "{refused}");
        }
        assert_eq!(formula(&"->[".repeat(100)), None);
    }

    #[test]
    fn units_have_powers() {
        assert_eq!(
            unit("1.2e-3 kJ/mol").as_deref(),
            Some(r"1.2\cdot 10^{-3}~\mathrm{kJ}{/}\mathrm{mol}")
        );
        assert_eq!(unit("9.81 m s^-2").as_deref(), Some(r"9.81~\mathrm{m}~\mathrm{s}^{-2}"));
        assert_eq!(unit("1 \\foo"), None);
    }
}
