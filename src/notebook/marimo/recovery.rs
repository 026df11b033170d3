//! Reading a file that does not parse as a whole: it is cut at the lines where cells begin.

use crate::notebook::dedent::{self, Line, dedent};
use crate::notebook::{CellKind, CellOptions};
use crate::python::{SyntaxError, long_strings};

use super::{DECORATORS, Reader, Stage};

impl Reader<'_> {
    /// Cuts the file at the lines where cells begin; returns whether there are any.
    pub(super) fn recover(&mut self, cuts: &[u32], errors: &[SyntaxError]) -> bool {
        if cuts.len() < 2 {
            self.report(errors, 0);
            return false;
        }
        let length = self.text.len() as u32;
        let end_of = |index: usize| cuts.get(index + 1).copied().unwrap_or(length);
        let mut index = 0;
        while let Some(&start) = cuts.get(index) {
            let mut taken = 1;
            match self.outline(start, end_of(index)) {
                Ok(outline) => self.read(&outline, start, &[start]),
                Err(errors) => {
                    // A line that looks like a cell may stand in a string of the real one.
                    let open = errors.iter().any(|it| it.message.contains("string"));
                    let longer = (1..=8).filter(|_| open).find_map(|more| {
                        if index + more >= cuts.len() {
                            return None;
                        }
                        Some((more, self.outline(start, end_of(index + more)).ok()?))
                    });
                    match longer {
                        Some((more, outline)) => {
                            taken += more;
                            self.read(&outline, start, &[start]);
                        }
                        None => self.broken(start, end_of(index), &errors),
                    }
                }
            }
            index += taken;
        }
        true
    }

    /// Offsets of the pieces of the file: of the part before the first cell, and of each cell.
    pub(super) fn cuts(&self) -> Vec<u32> {
        let mut found: Vec<u32> = vec![0];
        let mut last = 0;
        for (index, range) in self.lines.iter().enumerate() {
            let line = self.line_text(index);
            let is_start = match line.as_bytes().first() {
                Some(b'@') => line.strip_prefix("@app.").is_some_and(|it| {
                    let word = it.split(|c: char| !c.is_alphanumeric() && c != '_').next();
                    word.is_some_and(|it| DECORATORS.contains(&it))
                }),
                Some(b'w') => line
                    .strip_prefix("with")
                    .is_some_and(|it| it.trim_start().starts_with("app.setup")),
                Some(b'a') => line.starts_with("app._unparsable_cell"),
                Some(b'i') => line
                    .strip_prefix("if")
                    .is_some_and(|it| it.trim_start().starts_with("__name__")),
                _ => false,
            };
            if !is_start {
                continue;
            }
            let mut start = range.start;
            let mut same = false;
            for before in (last..index).rev() {
                let text = self.line_text(before);
                if text.starts_with('@') {
                    start = self.lines.get(before).map_or(start, |it| it.start);
                    // The decorators above belong to the piece that was found with them.
                    same |= before == last && found.len() > 1;
                } else if !text.trim().is_empty() {
                    break;
                }
            }
            last = index;
            if !same && found.last() != Some(&start) {
                found.push(start);
            }
        }
        found
    }

    fn broken(&mut self, start: u32, end: u32, errors: &[SyntaxError]) {
        let text = self.text.get(start as usize..end as usize).unwrap_or_default();
        self.report(errors, start);
        let is_cell = text.starts_with(['@', 'w', 'a']) && start > 0;
        if !is_cell {
            // The part before the first cell: nothing of it can be trusted, but the cells can.
            if self.stage < Stage::App && text.contains("marimo") {
                self.stage = Stage::App;
            }
            return;
        }
        self.stage = self.stage.max(Stage::Body);
        let lines = dedent::split(text, start);
        let body = header_lines(&lines);
        let mut body: Vec<Line<'_>> = lines.into_iter().skip(body).collect();
        strip_return(&mut body);
        let joined: Vec<&str> = body.iter().map(|it| &*it.text).collect();
        let offset = body.first().map_or(start, |it| it.start);
        let strings = long_strings(&joined.join("\n"));
        let strings: Vec<_> =
            strings.into_iter().map(|it| it.start + offset..it.end + offset).collect();
        let code = dedent(body, &strings).strip();
        let name = text.lines().find_map(|line| {
            let line = line.trim_start();
            let line = line.strip_prefix("async ").map_or(line, str::trim_start);
            let rest = line.strip_prefix("def ").or_else(|| line.strip_prefix("class "))?;
            let name =
                rest.trim_start().split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
            Some(name.to_owned()).filter(|it| !it.is_empty() && it != "_")
        });
        let options = CellOptions::default();
        let cell = self.cell(CellKind::Unparsable, name, code, options);
        self.cells.push(cell);
    }
}

/// Number of lines up to the colon that ends the header of a cell; 0 when there is none.
fn header_lines(lines: &[Line<'_>]) -> usize {
    let mut depth = 0i32;
    let mut decorators = true;
    for (index, line) in lines.iter().enumerate() {
        let text = line.text.trim();
        if decorators && (text.is_empty() || text.starts_with('@')) {
            continue;
        }
        decorators = false;
        let mut quote = None;
        for c in line.text.chars() {
            match (quote, c) {
                (Some(open), c) if open == c => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(c),
                (None, '#') => break,
                (None, '(' | '[' | '{') => depth += 1,
                (None, ')' | ']' | '}') => depth -= 1,
                (None, ':') if depth == 0 => return index + 1,
                _ => {}
            }
        }
    }
    0
}

fn strip_return(body: &mut Vec<Line<'_>>) {
    let indent = |line: &Line<'_>| line.text.len() - line.text.trim_start().len();
    let Some(base) = body.iter().find(|it| !it.text.trim().is_empty()).map(indent) else { return };
    let Some(last) = body.iter().rposition(|it| !it.text.trim().is_empty()) else { return };
    let is_return = body.get(last).is_some_and(|it| {
        let text = it.text.trim();
        indent(it) == base
            && (text == "return"
                || ["return ", "return\t", "return("].iter().any(|p| text.starts_with(p)))
    });
    if is_return {
        body.truncate(last);
    }
}
