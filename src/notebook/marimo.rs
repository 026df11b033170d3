//! marimo `.py`: header, `import marimo`, `app = marimo.App(…)`, setup, cells, run guard.
//!
//! In: the text of a file. Out: its cells, with the code that marimo 0.25 would give them.
//! marimo silently drops every other statement on the next save; here they are errors. A file that
//! does not parse is cut at the cells' decorators, so that only the broken cells are lost.

use std::ops::Range;

use crate::diagnostic::{Code, Diagnostic, Parsed};
use crate::python::{
    Argument, CellNames, Constant, Decorator, Definition, Names, Outline, Statement, StatementKind,
    SyntaxError, long_strings, names,
};
use crate::source::{Source, SourceId, Sources, Span};

use super::dedent::{self, Line, dedent, is_space};
use super::{
    About, AppOptions, Cell, CellKind, CellOptions, CodeVisibility, Format, Notebook, script,
};

/// Reads a marimo notebook; `None` when the file is not one.
pub(super) fn parse(sources: &Sources, source: SourceId) -> Parsed<Option<Notebook>> {
    let text = sources.get(source).text();
    let mut reader = Reader::new(sources.get(source), source);
    let cuts = reader.cuts();
    let mut found = true;
    if !reader.read_pieces(&cuts) {
        reader = Reader::new(sources.get(source), source);
        found = match reader.whole(&cuts) {
            Ok(outline) => {
                reader.read(&outline, 0, &[0]);
                true
            }
            Err(errors) => reader.recover(&cuts, &errors),
        };
    }
    let mut diagnostics = reader.diagnostics;
    if matches!(reader.stage, Stage::Header | Stage::Import) && !found || reader.stage < Stage::App
    {
        // All other findings assumed a notebook, which this file is not.
        diagnostics.retain(|it| it.code == Code::SyntaxError || it.code == Code::TooComplex);
        let span = Span::new(source, 0, 0);
        let missing = if reader.stage == Stage::Header {
            "a Python file without `import marimo` is no notebook"
        } else {
            "a Python file without `app = marimo.App()` is no notebook"
        };
        diagnostics.push(Diagnostic::error(Code::NotANotebook, span, missing));
        return Parsed { value: None, diagnostics };
    }
    let script = script::find(text, source, &mut diagnostics);
    let notebook = Notebook {
        source,
        format: Format::Marimo,
        title: reader.title,
        about: About::default(),
        app: reader.app,
        script,
        language: "python".to_owned(),
        widgets: None,
        cells: reader.cells,
    };
    Parsed { value: Some(notebook), diagnostics }
}

/// How far the file has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Header,
    Import,
    App,
    Body,
    End,
}

struct Reader<'a> {
    source: SourceId,
    text: &'a str,
    /// Lines of the file as marimo sees it: without whitespace at its ends.
    lines: Vec<Range<u32>>,
    /// Those of them that the piece being read stands on.
    piece: Range<usize>,
    stage: Stage,
    alias: String,
    title: Option<String>,
    app: AppOptions,
    cells: Vec<Cell>,
    diagnostics: Vec<Diagnostic>,
    /// Bytes that cells may still take from beyond their ends: where marimo slips, every cell
    /// could take the rest of the file.
    extra: usize,
}

const DECORATORS: [&str; 3] = ["cell", "function", "class_definition"];

/// Lines of the content; `starts` are those of lines that end with `\n`.
fn lines(text: &str, starts: &[u32]) -> Vec<Range<u32>> {
    let front = text.len() - text.trim_start_matches(|c| is_space(c) || c == '\u{feff}').len();
    let content = text.trim_matches(|c| is_space(c) || c == '\u{feff}');
    let front = front as u32;
    if content.contains('\r') {
        let lines = dedent::ranges(content).into_iter();
        return lines.map(|it| it.start + front..it.end + front).collect();
    }
    let end = front + content.len() as u32;
    let first = starts.partition_point(|it| *it <= front);
    let inner = starts.iter().copied().skip(first).take_while(|it| *it <= end);
    let starts: Vec<u32> = std::iter::once(front).chain(inner).collect();
    let ends = starts.iter().skip(1).map(|it| it - 1).chain([end]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

/// An outline together with the place of its text in the file.
struct Chunk<'a> {
    outline: &'a Outline,
    base: u32,
    strings: &'a [Range<u32>],
}

/// A longer file that has a broken cell is not parsed as a whole: its tree takes forty times the
/// memory of the text.
const LONGEST_WHOLE: usize = 1024 * 1024;

/// Bytes that are parsed together at least: starting the parser costs as much as a small cell.
const PIECE: u32 = 4 * 1024;

impl<'a> Reader<'a> {
    fn new(source: &'a Source, id: SourceId) -> Self {
        let text = source.text();
        Self {
            source: id,
            text,
            lines: lines(text, source.line_starts()),
            piece: 0..0,
            stage: Stage::Header,
            alias: "marimo".to_owned(),
            title: None,
            app: AppOptions::default(),
            cells: Vec::new(),
            diagnostics: Vec::new(),
            extra: text.len(),
        }
    }

    /// Reads a few cells at a time, so that only their tree is in memory; gives up at the first
    /// piece that does not parse, because a line that looks like a cell may stand in a string. If
    /// all parse, no string and no bracket is open at a cut, so the file means the same as a whole.
    fn read_pieces(&mut self, cuts: &[u32]) -> bool {
        let length = self.text.len() as u32;
        let mut rest = cuts;
        while let Some(&start) = rest.first() {
            let size = rest.partition_point(|it| it - start < PIECE);
            let (cells, after) = rest.split_at(size);
            let end = after.first().copied().unwrap_or(length);
            let Ok(outline) = self.outline(start, end) else { return false };
            let statements = &outline.statements;
            let begins = |cut: &u32| {
                statements.binary_search_by_key(&(cut - start), |it| it.range.start).is_ok()
            };
            if !cells.iter().skip(1).all(begins) {
                return false;
            }
            self.read(&outline, start, cells);
            rest = after;
        }
        true
    }

    fn whole(&self, cuts: &[u32]) -> Result<Outline, Vec<SyntaxError>> {
        if cuts.len() > 1 && self.text.len() > LONGEST_WHOLE {
            return Err(Vec::new());
        }
        Outline::parse(self.text)
    }

    fn span(&self, range: &Range<u32>, base: u32) -> Span {
        Span::new(self.source, range.start + base, range.end + base)
    }

    fn report(&mut self, errors: &[SyntaxError], base: u32) {
        // Later errors are often consequences of the first.
        for error in errors.iter().take(1) {
            let span = self.span(&error.range, base);
            self.diagnostics.push(super::syntax_diagnostic(error, span));
        }
    }

    /// Reads statements that stand at `base`; a cell knows the strings from the cut before it to
    /// the next one only, because marimo's slips may let it take lines from beyond.
    fn read(&mut self, outline: &Outline, base: u32, cuts: &[u32]) {
        let strings: Vec<_> =
            outline.long_strings.iter().map(|it| it.start + base..it.end + base).collect();
        self.piece = self.lines_of(outline, base);
        let mut index = 0;
        for (at, &cut) in cuts.iter().enumerate() {
            let next = cuts.get(at + 1).copied().unwrap_or(u32::MAX);
            let first = strings.partition_point(|it| it.start < cut);
            let last = strings.partition_point(|it| it.start < next);
            let strings = strings.get(first..last).unwrap_or_default();
            let chunk = Chunk { outline, base, strings };
            while let Some(statement) = outline.statements.get(index)
                && statement.range.start + base < next
            {
                self.statement(&chunk, index);
                index += 1;
            }
        }
    }

    fn statement(&mut self, chunk: &Chunk<'_>, index: usize) {
        let Some(statement) = chunk.outline.statements.get(index) else { return };
        let stray = match (self.stage, &statement.kind) {
            (Stage::Header, StatementKind::Text) => return,
            (Stage::Header, StatementKind::Import { module, alias }) if module == "marimo" => {
                self.alias = alias.clone().unwrap_or_else(|| module.clone());
                self.stage = Stage::Import;
                return;
            }
            // A script that is not a notebook has many of these; the missing import says it all.
            (Stage::Header, _) => "before `import marimo`",
            (Stage::Import, StatementKind::Assign { target, .. })
                if target == "__generated_with" =>
            {
                return;
            }
            (Stage::Import, StatementKind::Assign { target, call: Some(call) })
                if target == "app" && call.path == format!("{}.App", self.alias) =>
            {
                self.stage = Stage::App;
                self.app_options(&call.keywords, chunk.base);
                return;
            }
            (Stage::Import, _) => "before `app = marimo.App()`",
            (Stage::App | Stage::Body, StatementKind::RunGuard) => {
                self.stage = Stage::End;
                return;
            }
            (Stage::App, StatementKind::With { context, first })
                if context.path.as_deref() == Some("app.setup") =>
            {
                self.setup(chunk, index, context, first);
                self.stage = Stage::Body;
                return;
            }
            (Stage::Body, StatementKind::With { context, .. })
                if context.path.as_deref() == Some("app.setup") =>
            {
                "in a setup block that is not the first cell"
            }
            (Stage::App | Stage::Body, StatementKind::Definition(definition)) => {
                let marked = definition.decorators.iter().position(|it| {
                    it.path.as_deref().is_some_and(|path| {
                        path.rsplit_once('.').is_some_and(|(_, it)| DECORATORS.contains(&it))
                    })
                });
                let decorator = marked.and_then(|at| Some((at, definition.decorators.get(at)?)));
                match decorator {
                    Some((at, it))
                        if it.path.as_deref().is_some_and(|it| {
                            it.starts_with("app.") && it.matches('.').count() == 1
                        }) =>
                    {
                        let is_cell = it.path.as_deref() == Some("app.cell");
                        if !(is_cell && definition.is_class) {
                            self.stage = Stage::Body;
                            self.definition(chunk, index, statement, definition, at, is_cell);
                            return;
                        }
                        "in a class that is decorated as a cell"
                    }
                    _ => "between the cells",
                }
            }
            (Stage::App | Stage::Body, StatementKind::Call(call))
                if call.path == "app._unparsable_cell" && call.positional.len() == 1 =>
            {
                self.stage = Stage::Body;
                let code = match call.positional.first() {
                    Some(Constant::Str(text)) => text.clone(),
                    _ => String::new(),
                };
                self.unparsable(statement, &code, &call.keywords, chunk.base);
                return;
            }
            (Stage::App, _) => "before the first cell",
            (Stage::Body, _) => "between the cells",
            (Stage::End, _) => "after the run guard",
        };
        let message = format!("marimo drops this statement: it stands {stray}");
        let span = self.span(&statement.range, chunk.base);
        self.diagnostics.push(
            Diagnostic::error(Code::StrayStatement, span, message)
                .with_help("move it into a cell, or remove it"),
        );
    }

    fn app_options(&mut self, keywords: &[Argument], base: u32) {
        for keyword in keywords {
            let span = self.span(&keyword.range, base);
            let name = keyword.name.as_deref().unwrap_or("**");
            let text = match &keyword.value {
                Constant::Str(text) => Some(text.clone()),
                _ => None,
            };
            let slot = match name {
                "width" => &mut self.app.width,
                "app_title" => &mut self.title,
                "css_file" => &mut self.app.css_file,
                "layout_file" => &mut self.app.layout_file,
                "sql_output" => &mut self.app.sql_output,
                "auto_download" => continue,
                "html_head_file" => {
                    if text.is_some_and(|it| !it.is_empty()) {
                        let message = "`html_head_file` is refused: a notebook cannot write into the page's head";
                        self.diagnostics.push(
                            Diagnostic::error(Code::RefusedOption, span, message)
                                .with_help("remove the option; use `css_file` for styles"),
                        );
                    }
                    continue;
                }
                _ => {
                    let message = format!("`{name}` is no option of `marimo.App` and is ignored");
                    self.diagnostics.push(Diagnostic::warning(Code::IgnoredOption, span, message));
                    continue;
                }
            };
            match (text, &keyword.value) {
                (Some(text), _) => *slot = Some(text),
                (None, Constant::None) => {}
                (None, _) => {
                    let message = format!("`{name}` is not a constant string and is ignored");
                    self.diagnostics.push(Diagnostic::warning(Code::IgnoredOption, span, message));
                }
            }
        }
    }

    fn cell_options(&mut self, keywords: &[Argument], base: u32) -> CellOptions {
        let mut options = CellOptions::default();
        for keyword in keywords {
            let span = self.span(&keyword.range, base);
            let name = keyword.name.as_deref().unwrap_or("**");
            match (name, &keyword.value) {
                ("disabled", Constant::Bool(value)) => options.disabled = *value,
                ("hide_code", Constant::Bool(value)) => {
                    let visibility =
                        if *value { CodeVisibility::Hidden } else { CodeVisibility::Shown };
                    options.code = Some(visibility);
                }
                ("column", Constant::Int(value)) => options.column = u32::try_from(*value).ok(),
                ("column", Constant::None) | ("expand_output" | "name", _) => {}
                ("disabled" | "hide_code" | "column", _) => {
                    let message =
                        format!("`{name}` has no constant value of its type and is ignored");
                    self.diagnostics.push(Diagnostic::warning(Code::IgnoredOption, span, message));
                }
                _ => {
                    let message = format!("`{name}` is no option of a cell and is ignored");
                    self.diagnostics.push(Diagnostic::warning(Code::IgnoredOption, span, message));
                }
            }
        }
        options
    }

    /// The lines from the start of a piece to the end of its last statement.
    fn lines_of(&self, outline: &Outline, base: u32) -> Range<usize> {
        let end = outline.statements.last().map_or(base, |it| it.range.end + base);
        let line = |offset| self.lines.partition_point(|it| it.start <= offset);
        line(base).saturating_sub(1)..line(end)
    }

    /// Index of the line that holds an offset of the piece being read.
    fn line_of(&self, offset: u32) -> usize {
        let lines = self.lines.get(self.piece.clone()).unwrap_or_default();
        let after = self.piece.start + lines.partition_point(|it| it.start <= offset);
        after.saturating_sub(1)
    }

    fn line_text(&self, index: usize) -> &'a str {
        let range = self.lines.get(index).cloned().unwrap_or(0..0);
        self.text.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    /// The file from a line and column to a line and offset, both included, as lines.
    fn extract(&self, first: usize, column: usize, last: usize, end: Option<u32>) -> Vec<Line<'a>> {
        if last < first {
            // When marimo's line numbers slip past the end, it joins both ends, backwards.
            let mut lines = self.extract(first, column, first, None);
            let start = lines.first().map_or(0, |it| it.start);
            lines.push(Line { text: "".into(), start });
            lines.extend(self.extract(last, 0, last, end));
            return lines;
        }
        let mut found = Vec::new();
        for index in first..=last {
            let Some(range) = self.lines.get(index) else { break };
            let mut range = range.clone();
            if index == first {
                range.start = (range.start + column as u32).min(range.end);
            }
            if let Some(end) = end.filter(|_| index == last) {
                range.end = end.clamp(range.start, range.end);
            }
            let text = self.text.get(range.start as usize..range.end as usize);
            found.push(Line { text: text.unwrap_or_default().into(), start: range.start });
        }
        found
    }

    /// Comments after the last statement that are indented like the body belong to it.
    fn trailing(&self, after: usize, indent: &str) -> Vec<Line<'a>> {
        let belongs = |index: &usize| {
            let line = self.line_text(*index);
            line.chars().all(is_space) || line.starts_with(indent)
        };
        let end = (after..self.lines.len()).take_while(belongs).last();
        let Some(end) = end else { return Vec::new() };
        let mut lines = self.extract(after, 0, end, None);
        while lines.last().is_some_and(|it| it.text.chars().all(is_space)) {
            lines.pop();
        }
        if let Some(last) = lines.last_mut() {
            last.trim_end();
        }
        lines
    }

    fn indent_at(&self, offset: u32) -> &str {
        let line = self.line_text(self.line_of(offset));
        let length = line.len() - line.trim_start_matches(is_space).len();
        line.get(..length).unwrap_or_default()
    }

    fn setup(&mut self, chunk: &Chunk<'_>, index: usize, context: &Decorator, first: &Range<u32>) {
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

    fn definition(
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
        let mut to = self.line_of(end);
        let mut end = Some(end);
        if definition.ends_with_return {
            let return_line = self.line_of(last.start + base);
            match statements.len().checked_sub(2).and_then(|at| statements.get(at)) {
                Some(before) => {
                    let before = self.line_of(before.end + base);
                    to = before.max(return_line.saturating_sub(1));
                    end = None;
                    if self.line_of(last.end + base) == to {
                        end = Some(last.start + base);
                    }
                }
                None if from == self.line_of(first) => {
                    let code =
                        dedent::Code { text: String::new(), anchors: vec![(0, last.start + base)] };
                    return (code, true);
                }
                None => {
                    to = return_line.saturating_sub(1);
                    end = None;
                }
            }
        }
        let mut lines = self.extract(from, column, to, end);
        let one_line = keyword == self.line_of(last.start + base);
        if !definition.ends_with_return && !one_line {
            self.extra -= self.add_trailing(&mut lines, to);
        }
        let code = dedent(lines, chunk.strings);
        let regular = definition.body.is_some() && slip == 0;
        if !regular {
            let span = Span::new(self.source, definition.keyword + base, last.end + base);
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
        (code, regular)
    }

    /// Like [`Reader::trailing`] for cells: there marimo joins the first of these lines to the last
    /// line of the body, and requires two lines. Returns the number of bytes added.
    fn add_trailing(&self, lines: &mut Vec<Line<'a>>, to: usize) -> usize {
        // The whitespace in front of the body, which may go over several lines.
        let mut indent = String::new();
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                indent.push('\n');
            }
            let length = line.text.len() - line.text.trim_start_matches(is_space).len();
            indent.push_str(line.text.get(..length).unwrap_or_default());
            if length < line.text.len() {
                break;
            }
        }
        let mut size = 0;
        let belongs = |index: &usize| {
            let line = self.line_text(*index);
            size += line.len();
            size <= self.extra && (line.starts_with(&indent) || line.chars().all(is_space))
        };
        let end = (to + 1..self.lines.len()).take_while(belongs).last();
        let Some(end) = end.filter(|&end| end > to + 1) else { return 0 };
        let mut added = self.extract(to + 1, 0, end, None);
        while added.len() > 1 && added.last().is_some_and(|it| it.text.chars().all(is_space)) {
            added.pop();
        }
        if let Some(last) = added.last_mut() {
            last.trim_end();
        }
        let mut added = added.into_iter();
        if let (Some(last), Some(first)) = (lines.last_mut(), added.next()) {
            last.text.to_mut().push_str(&first.text);
        }
        lines.extend(added);
        size.min(self.extra)
    }

    fn unparsable(&mut self, statement: &Statement, text: &str, keywords: &[Argument], base: u32) {
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

    fn cell(
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
            self.diagnostics.push(super::syntax_diagnostic(error, place(&error.range)));
        }
        cell.kind = CellKind::Unparsable;
        self.cells.push(cell);
    }
}

/// Reading a file that does not parse as a whole.
impl<'a> Reader<'a> {
    /// Cuts the file at the lines where cells begin; returns whether there are any.
    fn recover(&mut self, cuts: &[u32], errors: &[SyntaxError]) -> bool {
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

    fn from(&self, start: u32) -> &str {
        self.text.get(start as usize..).unwrap_or_default()
    }

    fn outline(&self, start: u32, end: u32) -> Result<Outline, Vec<SyntaxError>> {
        Outline::parse(self.text.get(start as usize..end as usize).unwrap_or_default())
    }

    /// Offsets of the pieces of the file: of the part before the first cell, and of each cell.
    fn cuts(&self) -> Vec<u32> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "import marimo\napp = marimo.App()\n";

    fn codes(text: &str) -> Vec<String> {
        let mut sources = Sources::default();
        let id = sources.add("a.py".into(), None, text.to_owned());
        let notebook = parse(&sources, id).value.expect("a notebook");
        notebook.cells.into_iter().map(|it| it.code.to_string()).collect()
    }

    #[test]
    fn a_line_that_looks_like_a_cell_is_none_in_a_string_or_a_bracket() {
        let text = format!(
            "{HEAD}@app.cell\ndef _():\n    a = '''\n@app.cell\ndef b():\n    '''\n@app.cell\ndef _():\n    c = (1\n@app.cell\n)\n"
        );
        assert_eq!(codes(&text), ["a = '''\n@app.cell\ndef b():\n    '''", "c = (1\n@app.cell\n)"]);
    }

    #[test]
    fn decorators_in_a_row_are_looked_at_once() {
        let text = format!("{HEAD}{}def _():\n    1\n", "@app.cell\n".repeat(50_000));
        let mut sources = Sources::default();
        let id = sources.add("a.py".into(), None, text.clone());
        assert_eq!(Reader::new(sources.get(id), id).cuts(), [0, HEAD.len() as u32]);
    }

    #[test]
    fn cells_that_take_the_rest_of_the_file_take_no_more_than_it_holds() {
        // marimo's line numbers slip by the empty line.
        let cell = "@app.cell\n\ndef _():\n    x\n";
        let text = format!("{HEAD}{}", cell.repeat(2_000));
        let total: usize = codes(&text).iter().map(String::len).sum();
        assert!(total < 4 * text.len(), "{total}");
    }
}
