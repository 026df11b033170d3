//! Equation numbers and labels, as amsmath gives them.
//!
//! In: formulas in the order of the page, their macros expanded. Out: TeX for the converter, which numbers nothing, and
//! the number of each. Environments of amsmath become their forms without numbers (`align` is `aligned`); a number
//! stands beside a formula of one row, and in a column of its own otherwise.

use std::collections::BTreeMap;

use super::tex::{Reader, Token, Writer};

/// Labels of a page; later ones are ignored.
const MOST: usize = 10_000;

/// An equation that a label names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::output) struct Target {
    /// Text of the number without parentheses; none if the equation has no number.
    pub number: Option<Number>,
    /// The id that links lead to.
    pub id: String,
}

/// The number of an equation, as text of TeX.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::output) struct Number {
    text: String,
    is_bare: bool,
}

impl Number {
    /// The number as the equation shows it.
    pub(in crate::output) fn shown(&self) -> String {
        if self.is_bare { self.text.clone() } else { format!("({})", self.text) }
    }

    /// The number without parentheses.
    pub(in crate::output) fn text(&self) -> &str {
        &self.text
    }
}

/// A formula for the converter.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::output) struct Equation {
    pub tex: String,
    /// Number beside it.
    pub number: Option<Number>,
    /// Its id, if a label names it.
    pub id: Option<String>,
    /// Whether its rows have numbers in a column of their own.
    pub has_numbered_rows: bool,
}

/// Numbers and labels of a page so far.
#[derive(Debug, Default)]
pub(in crate::output) struct Equations {
    count: usize,
    /// Only `\tag` numbers: the formulas of an output do not know those before them.
    is_counting: bool,
    labels: BTreeMap<String, Target>,
}

impl Equations {
    /// Numbers equations from 1.
    pub(super) fn counting() -> Self {
        Self { is_counting: true, ..Self::default() }
    }

    /// The equation that a label names.
    pub(in crate::output) fn find(&self, label: &str) -> Option<&Target> {
        self.labels.get(label.trim())
    }

    /// Numbers a formula. Ids are made of the first label.
    pub(super) fn read(&mut self, tex: &str) -> Equation {
        if !["\\begin", "\\tag", "\\label", "\\notag", "\\nonumber"]
            .iter()
            .any(|it| tex.contains(it))
        {
            return Equation { tex: tex.to_owned(), ..Equation::default() };
        }
        let environment = Environment::of(tex.trim());
        let (body, shape) = environment.map_or((tex, Shape::Plain), |it| (it.body, it.shape));
        let is_numbered = self.is_counting && environment.is_some_and(|it| it.is_numbered);
        let pieces =
            if shape.has_rows() { rows(body) } else { vec![Row { cells: body, separator: "" }] };
        let mut rows: Vec<(String, &str, Option<Number>)> = Vec::new();
        let mut labels = Vec::new();
        let count = pieces.len();
        for (index, row) in pieces.into_iter().enumerate() {
            let mut read = Marks::read(row.cells);
            // A row break after the last row begins none.
            let is_row = index == 0 || index + 1 < count || !read.tex.trim().is_empty();
            if read.number.is_none() && is_numbered && is_row && !read.has_none {
                self.count += 1;
                read.number = Some(Number { text: self.count.to_string(), is_bare: false });
            }
            labels.extend(read.labels.into_iter().map(|it| (it, read.number.clone())));
            rows.push((read.tex, row.separator, read.number));
        }
        let id =
            labels.first().map(|(label, _)| format!("equation-{}", crate::sanitize::slug(label)));
        for (label, number) in labels {
            if self.labels.len() < MOST
                && let Some(id) = &id
            {
                let target = Target { number, id: id.clone() };
                self.labels.entry(label).or_insert(target);
            }
        }
        let (tex, number, has_numbered_rows) = shape.write(rows);
        Equation { tex, number, id, has_numbered_rows }
    }
}

/// How an environment lays out its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape<'a> {
    /// One row, nothing around it.
    Plain,
    /// One number for all rows.
    Multiline,
    /// Pairs of columns, right and left.
    Aligned,
    /// The same without space between the pairs; their number.
    AlignedAt(&'a str),
    /// Each row in the middle.
    Gathered,
    /// Three columns: right, centre, left.
    Array,
}

#[derive(Debug, Clone, Copy)]
struct Environment<'a> {
    shape: Shape<'a>,
    is_numbered: bool,
    body: &'a str,
}

impl<'a> Environment<'a> {
    /// The environment that is the whole of a formula.
    fn of(tex: &'a str) -> Option<Self> {
        let mut reader = Reader::new(tex);
        if reader.next()? != Token::Command("begin") {
            return None;
        }
        let name = reader.argument()?;
        let plain = name.strip_suffix('*').unwrap_or(name);
        let shape = match plain {
            "equation" => Shape::Plain,
            "multline" => Shape::Multiline,
            "align" | "flalign" => Shape::Aligned,
            "alignat" | "xalignat" => Shape::AlignedAt(reader.argument()?),
            "gather" => Shape::Gathered,
            "eqnarray" => Shape::Array,
            _ => return None,
        };
        let body = reader.rest().strip_suffix(&format!("\\end{{{name}}}"))?;
        // Two environments one after the other are not one.
        let is_whole = !body.contains(&format!("\\end{{{name}}}"));
        is_whole.then_some(Self { shape, is_numbered: plain == name, body })
    }
}

impl Shape<'_> {
    fn has_rows(self) -> bool {
        !matches!(self, Self::Plain | Self::Multiline)
    }

    /// The formula, the number beside it, and whether its last column is numbers.
    fn write(self, rows: Vec<(String, &str, Option<Number>)>) -> (String, Option<Number>, bool) {
        let beside = match rows.as_slice() {
            [(_, _, number)] => number.clone(),
            [(_, _, number), (last, _, None)] if last.trim().is_empty() => number.clone(),
            _ => None,
        };
        let has_column = beside.is_none() && rows.iter().any(|(_, _, number)| number.is_some());
        let columns = rows.iter().map(|(cells, ..)| columns(cells)).max().unwrap_or(1);
        let columns = match self {
            Self::Aligned | Self::AlignedAt(_) => columns.next_multiple_of(2),
            Self::Array => 3,
            _ => 1,
        };
        let mut out = String::new();
        for (cells, separator, number) in rows {
            let is_gathered = has_column && self == Self::Gathered && !cells.trim().is_empty();
            out.push_str(if is_gathered { "\\displaystyle " } else { "" });
            let missing = (columns + 1).saturating_sub(self::columns(&cells));
            out.push_str(&cells);
            if let Some(number) = number.filter(|_| has_column) {
                out.push_str(&"&".repeat(missing));
                out.push_str(&format!("\\text{{{}}}", number.shown()));
            }
            out.push_str(separator);
        }
        let pairs = |written: &str| {
            let written = written.trim().parse().unwrap_or(1usize).min(columns);
            written + usize::from(has_column)
        };
        let tex = match self {
            Self::Plain => out,
            Self::Multiline => format!("\\begin{{gathered}}{out}\\end{{gathered}}"),
            Self::Aligned => format!("\\begin{{aligned}}{out}\\end{{aligned}}"),
            Self::AlignedAt(written) => {
                format!("\\begin{{alignedat}}{{{}}}{out}\\end{{alignedat}}", pairs(written))
            }
            Self::Gathered if has_column => format!("\\begin{{array}}{{cr}}{out}\\end{{array}}"),
            Self::Gathered => format!("\\begin{{gathered}}{out}\\end{{gathered}}"),
            Self::Array if has_column => format!("\\begin{{array}}{{rclr}}{out}\\end{{array}}"),
            Self::Array => format!("\\begin{{array}}{{rcl}}{out}\\end{{array}}"),
        };
        (tex, beside, has_column)
    }
}

/// A row of an environment.
#[derive(Debug)]
struct Row<'a> {
    cells: &'a str,
    /// `\\` and its space.
    separator: &'a str,
}

/// The rows of an environment; those of environments and groups inside are theirs.
fn rows(body: &str) -> Vec<Row<'_>> {
    let mut reader = Reader::new(body);
    let (mut found, mut start, mut depth) = (Vec::new(), 0, 0usize);
    loop {
        let at = reader.offset();
        let Some(token) = reader.next() else { break };
        match token {
            Token::Open | Token::Command("begin") => depth += 1,
            Token::Close | Token::Command("end") => depth = depth.saturating_sub(1),
            Token::Command("\\") if depth == 0 => {
                let cells = reader.between(start, at);
                reader.star();
                if reader.rest().starts_with('[') {
                    reader.optional();
                }
                start = reader.offset();
                found.push(Row { cells, separator: reader.between(at, start) });
            }
            _ => {}
        }
    }
    found.push(Row { cells: reader.between(start, body.len()), separator: "" });
    found
}

/// Columns of a row.
fn columns(cells: &str) -> usize {
    let mut depth = 0usize;
    let mut found = 1;
    for token in Reader::new(cells) {
        match token {
            Token::Open | Token::Command("begin") => depth += 1,
            Token::Close | Token::Command("end") => depth = depth.saturating_sub(1),
            Token::Other('&') if depth == 0 => found += 1,
            _ => {}
        }
    }
    found
}

/// A row without its marks.
#[derive(Debug, Default)]
struct Marks {
    tex: String,
    number: Option<Number>,
    labels: Vec<String>,
    /// `\notag` or `\nonumber`.
    has_none: bool,
}

impl Marks {
    fn read(source: &str) -> Self {
        let mut found = Self::default();
        let mut reader = Reader::new(source);
        let mut out = Writer::default();
        loop {
            let at = reader.offset();
            let Some(token) = reader.next() else { break };
            match token {
                Token::Command("notag" | "nonumber") => found.has_none = true,
                Token::Command("label") => {
                    found.labels.extend(reader.argument().map(|it| it.trim().to_owned()));
                }
                Token::Command("tag") => {
                    let is_bare = reader.star();
                    found.number =
                        reader.argument().map(|it| Number { text: it.to_owned(), is_bare });
                }
                _ => out.push(reader.between(at, reader.offset())),
            }
        }
        found.tex = out.finish();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(formulas: &[&str]) -> (Vec<(String, Option<String>)>, Equations) {
        let mut equations = Equations::counting();
        let read = |it: &&str| equations.read(it);
        let all: Vec<_> = formulas.iter().map(read).collect();
        (all.into_iter().map(|it| (it.tex, it.number.map(|it| it.shown()))).collect(), equations)
    }

    #[test]
    fn environments_are_numbered_as_amsmath_does() {
        let (all, _) = of(&[
            r"\begin{equation}a\end{equation}",
            r"\begin{equation*}b\end{equation*}",
            r"\begin{align}c&=d\\e&=f\notag\\g\end{align}",
            r"\begin{align*}h&=i\end{align*}",
            r"\begin{gather}j\\k\tag{K}\end{gather}",
            r"\begin{multline}l\\m\end{multline}",
            r"n\tag*{N}",
            r"\begin{eqnarray}o&=&p\\\end{eqnarray}",
            r"\begin{alignat}{2}q&=r\\[2pt]s&=t\end{alignat}",
        ]);
        let number = |it: &str| Some(it.to_owned());
        let expected = [
            ("a", number("(1)")),
            ("b", None),
            (r"\begin{aligned}c&=d&\text{(2)}\\e&=f\\g&&\text{(3)}\end{aligned}", None),
            (r"\begin{aligned}h&=i\end{aligned}", None),
            (
                r"\begin{array}{cr}\displaystyle j&\text{(4)}\\\displaystyle k&\text{(K)}\end{array}",
                None,
            ),
            (r"\begin{gathered}l\\m\end{gathered}", number("(5)")),
            ("n", number("N")),
            (r"\begin{array}{rcl}o&=&p\\\end{array}", number("(6)")),
            (r"\begin{alignedat}{3}q&=r&\text{(7)}\\[2pt]s&=t&\text{(8)}\end{alignedat}", None),
        ];
        for (found, expected) in all.iter().zip(&expected) {
            assert_eq!((found.0.as_str(), &found.1), (expected.0, &expected.1));
        }
    }

    #[test]
    fn labels_name_the_number_of_their_row() {
        let (all, equations) = of(&[
            r"a = b \label{eq:1} \tag{1}",
            r"\begin{align}c\label{two}\\d\label{three}\end{align}",
            r"e \label{none}",
        ]);
        assert_eq!(all.first().map(|it| it.0.trim()), Some("a = b"));
        let target = |label| {
            equations.find(label).map(|it| (it.number.as_ref().map(Number::shown), it.id.as_str()))
        };
        assert_eq!(target("eq:1"), Some((Some("(1)".to_owned()), "equation-eq-1")));
        assert_eq!(target("two"), Some((Some("(1)".to_owned()), "equation-two")));
        assert_eq!(target("three"), Some((Some("(2)".to_owned()), "equation-two")));
        assert_eq!(target("none"), Some((None, "equation-none")));
        assert_eq!(target("four"), None);
    }
}
