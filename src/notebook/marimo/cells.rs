//! Cells, with the code that marimo would give them.
//!
//! In: statements of a file. Out: cells of the notebook. Follows marimo where it miscounts lines, and warns of it.

use std::ops::Range;

use crate::diagnostic::{Code, Diagnostic};
use crate::notebook::dedent::{self, dedent};
use crate::notebook::{Cell, CellKind, CellOptions, syntax_diagnostic};
use crate::python::{
    Argument, CellNames, Constant, Decorator, Definition, Names, Statement, long_strings, names,
};
use crate::source::Span;

use super::{Chunk, Reader};

impl Reader<'_> {
    pub(super) fn setup(
        &mut self,
        chunk: &Chunk<'_>,
        index: usize,
        context: &Decorator,
        first: &Range<u32>,
    ) {
        let Some(statement) = chunk.outline.statements.get(index) else { return };
        let (start, end) = (statement.range.start + chunk.base, statement.range.end + chunk.base);
        // marimo starts at the line after `with`, also when the `with` itself takes several.
        let from = self.line_of(start) + 1;
        let to = self.line_of(end);
        let mut lines = self.extract(from, 0, to, Some(end));
        let indent = self.indent_at(first.start + chunk.base).to_owned();
        if !indent.is_empty() {
            lines.extend(self.trailing(to + 1, &indent));
        }
        let mut code = dedent(lines, chunk.strings);
        if let Some(rest) = code.text.strip_suffix("\npass") {
            code.text.truncate(rest.len());
        }
        let options = self.cell_options(&context.arguments, chunk.base);
        let regular = self.line_of(first.start + chunk.base) >= from;
        let names = regular.then(|| chunk.outline.body_names(index, self.from(chunk.base)));
        self.push(CellKind::Setup, Some("setup".to_owned()), code, options, names, chunk.base);
    }

    pub(super) fn definition(
        &mut self,
        chunk: &Chunk<'_>,
        index: usize,
        statement: &Statement,
        definition: &Definition,
        marked: usize,
        is_cell: bool,
    ) {
        let Some(decorator) = definition.decorators.get(marked) else { return };
        let options = self.cell_options(&decorator.arguments, chunk.base);
        let mut last_decorator = marked;
        if is_cell && definition.decorators.len() > 1 {
            last_decorator = definition.decorators.len() - 1;
            let message = "marimo drops the other decorators of a cell";
            let span = self.span(&decorator.range, chunk.base);
            self.diagnostics.push(Diagnostic::warning(Code::IgnoredOption, span, message));
        }
        let after = definition.decorators.get(last_decorator).map_or(0, |it| it.range.end);
        let from = self.line_of(after + chunk.base) + 1;
        let end = statement.range.end + chunk.base;
        if is_cell {
            let name = Some(definition.name.clone()).filter(|it| it != "_");
            let (code, regular) = self.body(chunk, definition, from, end);
            let names = regular.then(|| chunk.outline.body_names(index, self.from(chunk.base)));
            self.push(CellKind::Code, name, code, options, names, chunk.base);
            return;
        }
        let to = self.line_of(end);
        let mut lines = self.extract(from, 0, to, Some(end));
        if let Some(first) = definition.statements.first() {
            let indent = self.indent_at(first.start + chunk.base).to_owned();
            if !indent.is_empty() {
                lines.extend(self.trailing(to + 1, &indent));
            }
        }
        let code = dedent(lines, chunk.strings);
        let kind = if definition.is_class { CellKind::Class } else { CellKind::Function };
        let names = chunk.outline.definition_names(index, marked + 1, self.from(chunk.base));
        let name = Some(definition.name.clone());
        self.push(kind, name, code, options, Some(names), chunk.base);
    }

    /// The body of a cell, and whether it is what Python would call the body.
    fn body(
        &mut self,
        chunk: &Chunk<'_>,
        definition: &Definition,
        decorated: usize,
        end: u32,
    ) -> (dedent::Code, bool) {
        let base = chunk.base;
        let keyword = self.line_of(definition.keyword + base);
        let statements = &definition.statements;
        let at = |index: usize| statements.get(index).map_or(end, |it| it.start + base);
        let first = at(0);
        let last = statements.last().cloned().unwrap_or(0..0);
        // marimo counts lines from the decorator on, but adds them to the line of `def`: blank
        // lines and comments in between make it lose as many lines of the body.
        let slip = keyword.saturating_sub(decorated);
        let body_line = match definition.body {
            Some(offset) => self.line_of(offset + base),
            None => self.line_of(first),
        };
        let from = body_line + slip;
        let mut column = 0;
        if definition.body.is_none() && self.line_of(first) == keyword {
            let line_start = self.lines.get(keyword).map_or(0, |it| it.start);
            let token = definition.first_token as usize;
            let back = if definition.starts_with_ellipsis { 3 } else { 1 };
            column = (token + (first - line_start) as usize).saturating_sub(back);
        }
        let Some((to, end)) = self.body_end(definition, from, end, base) else {
            let anchors = vec![(0, last.start + base)];
            return (dedent::Code { text: String::new(), anchors }, true);
        };
        let mut lines = self.extract(from, column, to, end);
        let one_line = keyword == self.line_of(last.start + base);
        if !definition.ends_with_return && !one_line {
            self.extra -= self.add_trailing(&mut lines, to);
        }
        let code = dedent(lines, chunk.strings);
        let regular = definition.body.is_some() && slip == 0;
        if !regular {
            self.warn_of_layout(definition, last.end + base, slip, base);
        }
        (code, regular)
    }

    /// The last line of a cell's body, and the offset in it where the body ends. `None` if the body is only a `return`.
    fn body_end(
        &self,
        definition: &Definition,
        from: usize,
        end: u32,
        base: u32,
    ) -> Option<(usize, Option<u32>)> {
        if !definition.ends_with_return {
            return Some((self.line_of(end), Some(end)));
        }
        let statements = &definition.statements;
        let last = statements.last().cloned().unwrap_or(0..0);
        let return_line = self.line_of(last.start + base);
        match statements.len().checked_sub(2).and_then(|at| statements.get(at)) {
            Some(before) => {
                let before = self.line_of(before.end + base);
                let to = before.max(return_line.saturating_sub(1));
                let is_shared = self.line_of(last.end + base) == to;
                Some((to, is_shared.then_some(last.start + base)))
            }
            None => {
                let first = statements.first().map_or(end, |it| it.start + base);
                (from != self.line_of(first)).then_some((return_line.saturating_sub(1), None))
            }
        }
    }

    /// Warns of a layout that marimo misreads: `slip` lines stand between decorator and `def`, or the body on the line of
    /// `def`.
    fn warn_of_layout(&mut self, definition: &Definition, end: u32, slip: usize, base: u32) {
        let span = Span::new(self.source, definition.keyword + base, end);
        let (message, help) = if slip > 0 {
            (
                "marimo loses lines of this cell: lines stand between decorator and `def`",
                "put `def` directly below the decorator",
            )
        } else {
            (
                "marimo may misread a cell whose body stands on the line of `def`",
                "put the body on lines of its own",
            )
        };
        self.diagnostics
            .push(Diagnostic::warning(Code::IgnoredOption, span, message).with_help(help));
    }

    /// A cell whose code marimo keeps as a text.
    pub(super) fn unparsable(
        &mut self,
        statement: &Statement,
        text: Option<&Constant>,
        keywords: &[Argument],
        base: u32,
    ) {
        let text = match text {
            Some(Constant::Str(text)) => text.as_str(),
            _ => "",
        };
        let options = self.cell_options(keywords, base);
        let name = keywords.iter().find_map(|it| match (&it.name, &it.value) {
            (Some(name), Constant::Str(value)) if name == "name" => Some(value.clone()),
            _ => None,
        });
        let start = statement.range.start + base;
        let strings = long_strings(text);
        let mut code = dedent(dedent::split(text, 0), &strings).strip();
        code.anchors = vec![(0, start)];
        let message = "marimo could not parse this cell when it saved the notebook";
        let span = self.span(&statement.range, base);
        self.diagnostics.push(
            Diagnostic::error(Code::SyntaxError, span, message)
                .with_help("correct the cell in marimo, or remove it"),
        );
        let name = name.filter(|it| it != "_");
        let cell = self.cell(CellKind::Unparsable, name, code, options);
        self.cells.push(cell);
    }

    pub(super) fn cell(
        &self,
        kind: CellKind,
        name: Option<String>,
        mut code: dedent::Code,
        options: CellOptions,
    ) -> Cell {
        Cell {
            kind,
            name,
            origin: code.origin(self.source),
            code: code.text.into(),
            options,
            names: CellNames::none(),
            stored_outputs: None,
            execution_count: None,
            attachments: None,
        }
    }

    /// `known` are the names as the file has them; without them, the code is parsed by itself.
    fn push(
        &mut self,
        kind: CellKind,
        name: Option<String>,
        code: dedent::Code,
        options: CellOptions,
        known: Option<Names>,
        base: u32,
    ) {
        let mut cell = self.cell(kind, name, code, options);
        let (found, in_file) = match known {
            Some(names) => (Ok(names), true),
            None => (names(&cell.code, crate::python::Mode::Python), false),
        };
        let source = self.source;
        let place = |range: &Range<u32>| {
            if in_file {
                Span::new(source, range.start + base, range.end + base)
            } else {
                cell.span(range.start, range.end)
            }
        };
        let errors = match found {
            Ok(found) => {
                let errors = found.errors.clone();
                let names = CellNames::new(found, place);
                if errors.is_empty() {
                    cell.names = names.into();
                    self.cells.push(cell);
                    return;
                }
                errors
            }
            Err(errors) => errors,
        };
        for error in errors.iter().take(1) {
            self.diagnostics.push(syntax_diagnostic(error, place(&error.range)));
        }
        cell.kind = CellKind::Unparsable;
        self.cells.push(cell);
    }
}
