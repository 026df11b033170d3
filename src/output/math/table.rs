//! Alignment, lines and enclosures of MathML as classes.
//!
//! MathML Core, which browsers implement, has no `columnalign`, `columnlines`, `rowlines` or `menclose`: the page's
//! stylesheet does what they say.

/// A table that is open.
#[derive(Debug, Default)]
struct Table<'a> {
    align: Vec<&'a str>,
    column_lines: Vec<&'a str>,
    row_lines: Vec<&'a str>,
    spacing: Vec<&'a str>,
    row: usize,
    column: usize,
}

/// Adds classes to the converter's markup.
pub(super) fn with_classes(markup: &str) -> String {
    if !markup.contains("<mtable") && !markup.contains("<menclose") {
        return markup.to_owned();
    }
    let mut out = String::with_capacity(markup.len() * 2);
    let mut tables: Vec<Table<'_>> = Vec::new();
    let mut rest = markup;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let Some((tag, after)) = after.split_once('>') else { break };
        rest = after;
        let name = tag.split([' ', '/']).next().unwrap_or_default();
        let classes = match (name, tables.last_mut()) {
            ("mtable", _) => {
                tables.push(Table::of(tag));
                Vec::new()
            }
            ("mtr", Some(table)) => table.row(),
            ("mtd", Some(table)) => table.cell(),
            ("menclose", _) => values(tag, "notation"),
            _ => {
                if tag == "/mtable" {
                    tables.pop();
                }
                Vec::new()
            }
        };
        out.push('<');
        out.push_str(match tag {
            "/menclose" => "/mrow",
            _ if name == "menclose" => "mrow",
            _ => tag,
        });
        if !classes.is_empty() && !tag.contains(" class=") {
            let prefix = if name == "menclose" { "math-enclosed" } else { "math" };
            let classes: Vec<_> = classes.into_iter().map(|it| format!("{prefix}-{it}")).collect();
            out.push_str(&format!(" class=\"{}\"", classes.join(" ")));
        }
        out.push('>');
    }
    out.push_str(rest);
    out
}

/// Makes rows of operators and texts that hold elements, as `\overset{a}{=}` does: a parser of HTML takes what is in an
/// `<mo>` for HTML, so that the sanitizer would drop it.
pub(super) fn with_plain_tokens(markup: &str) -> String {
    let mut out = String::with_capacity(markup.len());
    let mut are_rows: Vec<bool> = Vec::new();
    let mut rest = markup;
    while let Some((before, (tag, after))) =
        rest.split_once('<').and_then(|(before, it)| Some((before, it.split_once('>')?)))
    {
        out.push_str(before);
        rest = after;
        let (is_end, name) = tag.strip_prefix('/').map_or((false, tag), |it| (true, it));
        let name = name.split(' ').next().unwrap_or_default();
        let is_token = ["mi", "mn", "mo", "mtext"].contains(&name) && !tag.ends_with('/');
        let is_row = is_token
            && match is_end {
                true => are_rows.pop().unwrap_or_default(),
                false => {
                    let holds_element = rest.starts_with('<') && !rest.starts_with("</");
                    are_rows.push(holds_element);
                    holds_element
                }
            };
        match (is_row, is_end) {
            (true, true) => out.push_str("</mrow>"),
            (true, false) => out.push_str("<mrow>"),
            (false, _) => out.push_str(&format!("<{tag}>")),
        }
    }
    out.push_str(rest);
    out
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

    #[test]
    fn columns_and_lines_become_classes() {
        let markup = "<mtable columnalign=\"right left\" columnlines=\"solid\" rowlines=\"none solid\">\
            <mtr><mtd>a</mtd><mtd>b</mtd></mtr><mtr><mtd>c</mtd></mtr><mtr><mtd>d</mtd></mtr></mtable>";
        let expected = "<mtable columnalign=\"right left\" columnlines=\"solid\" rowlines=\"none solid\">\
            <mtr><mtd class=\"math-right\">a</mtd><mtd class=\"math-left math-before\">b</mtd></mtr>\
            <mtr><mtd class=\"math-right\">c</mtd></mtr>\
            <mtr class=\"math-above\"><mtd class=\"math-right\">d</mtd></mtr></mtable>";
        assert_eq!(with_classes(markup), expected);
    }

    #[test]
    fn operators_hold_no_elements() {
        let markup =
            "<mi>a</mi><mo stretchy=\"false\"><mover><mo>=</mo><mi>b</mi></mover></mo><mo></mo>";
        let expected = "<mi>a</mi><mrow><mover><mo>=</mo><mi>b</mi></mover></mrow><mo></mo>";
        assert_eq!(with_plain_tokens(markup), expected);
    }

    #[test]
    fn pairs_of_columns_stand_close() {
        let markup = "<mtable columnspacing=\"0em 1em 0em\"><mtr><mtd></mtd><mtd></mtd><mtd></mtd></mtr></mtable>";
        let found = with_classes(markup);
        assert!(found.ends_with(
            "<mtd class=\"math-tight\"></mtd><mtd class=\"math-tight\"></mtd><mtd class=\"math-tight math-gap\"></mtd></mtr></mtable>"
        ), "{found}");
        assert_eq!(
            with_classes("<menclose notation=\"left right\">a</menclose>"),
            "<mrow class=\"math-enclosed-left math-enclosed-right\">a</mrow>"
        );
    }
}
