//! The converter's MathML as browsers can show it.
//!
//! MathML Core, which browsers implement, has no `columnalign`, `columnlines`, `rowlines` or `menclose`, and no rows with
//! labels: classes say it, and the page's stylesheet does it.

/// The class of numbers beside formulas and their rows.
pub(super) const NUMBER: &str = "math-number";

/// Whether the last column of a formula's table holds the numbers of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rows {
    Plain,
    Numbered,
}

/// A table that is open.
#[derive(Debug, Default)]
struct Table<'a> {
    align: Vec<&'a str>,
    column_lines: Vec<&'a str>,
    row_lines: Vec<&'a str>,
    spacing: Vec<&'a str>,
    row: usize,
    column: usize,
    /// The column of numbers.
    numbers: Option<usize>,
}

/// How a token ends that was opened: operators and texts that hold elements become rows.
#[derive(Debug)]
enum End {
    AsWritten,
    Row,
    /// A row with the space after a relation or an operation, as `\overset{a}{=}` is one.
    Spaced(String),
}

/// The space that browsers give to relations, which KaTeX leaves to them.
const RELATION: &str = "0.2778em";

/// Rewrites the converter's markup: adds classes, and makes rows of operators and texts that hold elements. A parser of
/// HTML takes what is in an `<mo>` for HTML, so that the sanitizer would drop it.
pub(super) fn for_browsers(markup: &str, rows: Rows) -> String {
    let mut walk = Walk {
        out: String::with_capacity(markup.len() + markup.len() / 4),
        tables: Vec::new(),
        ends: Vec::new(),
        has_spaced_base: false,
        numbers: match rows {
            Rows::Plain => None,
            Rows::Numbered => columns_of_first(markup).checked_sub(1),
        },
    };
    let mut rest = markup;
    while let Some((before, (tag, after))) =
        rest.split_once('<').and_then(|(before, it)| Some((before, it.split_once('>')?)))
    {
        walk.out.push_str(before);
        rest = match after.strip_prefix(VECTOR) {
            // A combining arrow alone has nothing to stand on.
            Some(after) if tag == "mo" => {
                walk.out.push_str("<mo stretchy=\"false\">→</mo>");
                after
            }
            _ => {
                walk.tag(tag, after);
                after
            }
        };
    }
    walk.out.push_str(rest);
    walk.out
}

/// The arrow of `\vec`, and the end of its element.
const VECTOR: &str = "\u{20d7}</mo>";

#[derive(Debug)]
struct Walk<'a> {
    out: String,
    tables: Vec<Table<'a>>,
    ends: Vec<End>,
    /// The next operator is the base of a row that has its space already.
    has_spaced_base: bool,
    /// The column of numbers of the first table.
    numbers: Option<usize>,
}

impl<'a> Walk<'a> {
    fn tag(&mut self, tag: &'a str, after: &str) {
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        match (name, tag.starts_with('/')) {
            ("mi" | "mn" | "mo" | "mtext", is_end) if !tag.ends_with('/') => match is_end {
                true => self.end_token(tag),
                false => self.token(name, tag, after),
            },
            ("mpadded", true) => self.end_token(tag),
            ("mpadded", false) => match values(tag, "mathbackground").first() {
                // Browsers shift what is in it, and not its background.
                Some(color) => {
                    let row = format!("mrow mathbackground=\"{color}\"");
                    self.element(&row, "math", &["padded"]);
                    self.ends.push(End::Row);
                }
                None => {
                    self.ends.push(End::AsWritten);
                    self.written(tag);
                }
            },
            ("menclose", true) => self.out.push_str("</mrow>"),
            ("menclose", false) => self.element("mrow", "math-enclosed", &values(tag, "notation")),
            ("mtable", true) => {
                self.tables.pop();
                self.written(tag);
            }
            ("mtable", false) => {
                let numbers = self.numbers.take();
                let classes: &[&str] = if numbers.is_some() { &["rows"] } else { &[] };
                self.element(tag, "math", classes);
                self.tables.push(Table { numbers, ..Table::of(tag) });
            }
            ("mtr", false) => {
                let classes = self.tables.last_mut().map(Table::row).unwrap_or_default();
                self.element(tag, "math", &classes);
                if self.tables.last().is_some_and(|it| it.numbers.is_some()) {
                    self.out.push_str("<mtd class=\"math-margin\"></mtd>");
                }
            }
            ("mtd", false) => {
                let classes = self.tables.last_mut().map(Table::cell).unwrap_or_default();
                self.element(tag, "math", &classes);
            }
            _ => self.written(tag),
        }
    }

    fn written(&mut self, tag: &str) {
        for piece in ["<", tag, ">"] {
            self.out.push_str(piece);
        }
    }

    /// A tag with classes, if it has none.
    fn element(&mut self, tag: &str, prefix: &str, classes: &[&str]) {
        self.out.push('<');
        self.out.push_str(tag);
        if !classes.is_empty() && !tag.contains(" class=") {
            let classes: Vec<_> = classes.iter().map(|it| format!("{prefix}-{it}")).collect();
            self.out.push_str(&format!(" class=\"{}\"", classes.join(" ")));
        }
        self.out.push('>');
    }

    fn token(&mut self, name: &str, tag: &str, after: &str) {
        let holds_element = after.starts_with('<') && !after.starts_with("</");
        if !holds_element {
            self.ends.push(End::AsWritten);
            let is_base = std::mem::take(&mut self.has_spaced_base) && name == "mo";
            if is_base && !tag.contains(" lspace=") {
                return self.out.push_str(&format!("<{tag} lspace=\"0em\" rspace=\"0em\">"));
            }
            return self.written(tag);
        }
        let is_stack = after.starts_with("<mover") || after.starts_with("<munder");
        let space = match values(tag, "lspace").first() {
            Some(space) => Some(*space),
            None => is_stack.then_some(RELATION),
        };
        self.out.push_str("<mrow>");
        match space.filter(|it| name == "mo" && *it != "0em") {
            Some(space) => {
                self.has_spaced_base = true;
                let space = format!("<mspace width=\"{space}\"></mspace>");
                self.out.push_str(&space);
                self.ends.push(End::Spaced(space));
            }
            None => self.ends.push(End::Row),
        }
    }

    fn end_token(&mut self, tag: &str) {
        match self.ends.pop().unwrap_or(End::AsWritten) {
            End::AsWritten => self.written(tag),
            End::Row => self.out.push_str("</mrow>"),
            End::Spaced(space) => {
                self.out.push_str(&space);
                self.out.push_str("</mrow>");
            }
        }
    }
}

/// Columns of the widest row of the first table.
fn columns_of_first(markup: &str) -> usize {
    let (mut depth, mut row, mut most) = (0usize, 0usize, 0usize);
    for tag in markup.split('<').skip(1) {
        let name = tag.split(['>', ' ']).next().unwrap_or_default();
        match (name, depth) {
            ("mtable", _) => depth += 1,
            ("/mtable", 1) => break,
            ("/mtable", _) => depth = depth.saturating_sub(1),
            ("mtr", 1) => row = 0,
            ("mtd", 1) => {
                row += 1;
                most = most.max(row);
            }
            _ => {}
        }
    }
    most
}

impl<'a> Table<'a> {
    fn of(tag: &'a str) -> Self {
        Self {
            align: values(tag, "columnalign"),
            column_lines: values(tag, "columnlines"),
            row_lines: values(tag, "rowlines"),
            spacing: values(tag, "columnspacing"),
            ..Self::default()
        }
    }

    fn row(&mut self) -> Vec<&'static str> {
        self.column = 0;
        self.row += 1;
        self.row
            .checked_sub(2)
            .and_then(|it| line(&self.row_lines, it))
            .map(|_| "above")
            .into_iter()
            .collect()
    }

    fn cell(&mut self) -> Vec<&'static str> {
        let column = self.column;
        self.column += 1;
        if self.numbers == Some(column) {
            return vec!["number"];
        }
        let mut classes = Vec::new();
        classes.extend(match nth(&self.align, column) {
            Some("left") => Some("left"),
            Some("right") => Some("right"),
            _ => None,
        });
        let before = column.checked_sub(1);
        classes.extend(before.and_then(|it| line(&self.column_lines, it)).map(|_| "before"));
        if self.spacing.first() == Some(&"0em") {
            classes.push("tight");
            classes.extend(
                before
                    .and_then(|it| nth(&self.spacing, it))
                    .filter(|it| *it != "0em")
                    .map(|_| "gap"),
            );
        }
        classes
    }
}

/// The value for a place; the last stands for all after it.
fn nth<'a>(values: &[&'a str], at: usize) -> Option<&'a str> {
    values.get(at).or(values.last()).copied()
}

fn line<'a>(values: &[&'a str], at: usize) -> Option<&'a str> {
    nth(values, at).filter(|it| *it != "none")
}

/// The words of an attribute.
fn values<'a>(tag: &'a str, attribute: &str) -> Vec<&'a str> {
    let value = tag.split_once(&format!(" {attribute}=\"")).and_then(|(_, it)| it.split_once('"'));
    value.map(|(it, _)| it.split_whitespace().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(markup: &str) -> String {
        for_browsers(markup, Rows::Plain)
    }

    #[test]
    fn columns_and_lines_become_classes() {
        let markup = "<mtable columnalign=\"right left\" columnlines=\"solid\" rowlines=\"none solid\">\
            <mtr><mtd>a</mtd><mtd>b</mtd></mtr><mtr><mtd>c</mtd></mtr><mtr><mtd>d</mtd></mtr></mtable>";
        let expected = "<mtable columnalign=\"right left\" columnlines=\"solid\" rowlines=\"none solid\">\
            <mtr><mtd class=\"math-right\">a</mtd><mtd class=\"math-left math-before\">b</mtd></mtr>\
            <mtr><mtd class=\"math-right\">c</mtd></mtr>\
            <mtr class=\"math-above\"><mtd class=\"math-right\">d</mtd></mtr></mtable>";
        assert_eq!(plain(markup), expected);
    }

    #[test]
    fn numbers_of_rows_stand_in_the_margin() {
        let inside = "<mtable><mtr><mtd></mtd><mtd></mtd><mtd></mtd></mtr></mtable>";
        let markup = format!(
            "<mtable><mtr><mtd>a</mtd><mtd>(1)</mtd></mtr><mtr><mtd>{inside}</mtd></mtr></mtable>"
        );
        let margin = "<mtd class=\"math-margin\"></mtd>";
        let expected = format!(
            "<mtable class=\"math-rows\"><mtr>{margin}<mtd>a</mtd><mtd class=\"{NUMBER}\">(1)</mtd></mtr>\
             <mtr>{margin}<mtd>{inside}</mtd></mtr></mtable>"
        );
        assert_eq!(for_browsers(&markup, Rows::Numbered), expected);
    }

    #[test]
    fn operators_hold_no_elements() {
        let markup =
            "<mi>a</mi><mo stretchy=\"false\"><mrow><mo>=</mo><mi>b</mi></mrow></mo><mo></mo>";
        let expected = "<mi>a</mi><mrow><mrow><mo>=</mo><mi>b</mi></mrow></mrow><mo></mo>";
        assert_eq!(plain(markup), expected);
    }

    #[test]
    fn what_stands_on_a_relation_leaves_it_its_space() {
        let space = |it: &str| format!("<mspace width=\"{it}\"></mspace>");
        let operator = "<mo lspace=\"0em\" rspace=\"0em\">";
        for (outer, sign, width) in
            [("<mo>", "=", RELATION), ("<mo rspace=\"0.22em\" lspace=\"0.22em\">", "+", "0.22em")]
        {
            let markup =
                format!("{outer}<mover><mo><mo>{sign}</mo></mo><mo>!</mo></mover></mo><mo>-</mo>");
            let space = space(width);
            let expected = format!(
                "<mrow>{space}<mover><mrow>{operator}{sign}</mo></mrow><mo>!</mo></mover>{space}</mrow><mo>-</mo>"
            );
            assert_eq!(plain(&markup), expected);
        }
    }

    #[test]
    fn a_background_is_behind_what_it_is_of() {
        let markup = "<mpadded width=\"0px\"><mpadded voffset=\"3pt\" mathbackground=\"red\"><mi>a</mi></mpadded></mpadded>";
        let expected = "<mpadded width=\"0px\"><mrow mathbackground=\"red\" class=\"math-padded\"><mi>a</mi></mrow></mpadded>";
        assert_eq!(plain(markup), expected);
    }

    #[test]
    fn the_arrow_of_a_vector_is_an_arrow() {
        let markup = "<mover accent=\"true\"><mi>C</mi><mo>\u{20d7}</mo></mover>";
        let expected = "<mover accent=\"true\"><mi>C</mi><mo stretchy=\"false\">→</mo></mover>";
        assert_eq!(plain(markup), expected);
    }

    #[test]
    fn pairs_of_columns_stand_close() {
        let markup = "<mtable columnspacing=\"0em 1em 0em\"><mtr><mtd></mtd><mtd></mtd><mtd></mtd></mtr></mtable>";
        let found = plain(markup);
        assert!(found.ends_with(
            "<mtd class=\"math-tight\"></mtd><mtd class=\"math-tight\"></mtd><mtd class=\"math-tight math-gap\"></mtd></mtr></mtable>"
        ), "{found}");
        assert_eq!(
            plain("<menclose notation=\"left right\">a</menclose>"),
            "<mrow class=\"math-enclosed-left math-enclosed-right\">a</mrow>"
        );
    }
}
