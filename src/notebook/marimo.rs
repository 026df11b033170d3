//! marimo `.py`: header, `import marimo`, `app = marimo.App(…)`, setup, cells, run guard.
//!
//! In: the text of a file. Out: its cells, with the code that marimo 0.25 would give them.
//! marimo silently drops every other statement on the next save; here they are errors. A file that
//! does not parse is cut at the cells' decorators, so that only the broken cells are lost.

mod cells;
mod lines;
mod options;
mod recovery;

use std::ops::Range;

use crate::diagnostic::{Code, Diagnostic, Parsed};
use crate::python::{Decorator, Definition, Outline, Statement, StatementKind, SyntaxError};
use crate::source::{Source, SourceId, Sources, Span};

use super::{About, AppOptions, Cell, Format, Notebook, script};
use lines::lines;

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
    /// The lines of the current piece.
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

    fn from(&self, start: u32) -> &str {
        self.text.get(start as usize..).unwrap_or_default()
    }

    fn outline(&self, start: u32, end: u32) -> Result<Outline, Vec<SyntaxError>> {
        Outline::parse(self.text.get(start as usize..end as usize).unwrap_or_default())
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
                match self.decorated(chunk, index, statement, definition) {
                    Ok(()) => return,
                    Err(stray) => stray,
                }
            }
            (Stage::App | Stage::Body, StatementKind::Call(call))
                if call.path == "app._unparsable_cell" && call.positional.len() == 1 =>
            {
                self.stage = Stage::Body;
                self.unparsable(statement, call.positional.first(), &call.keywords, chunk.base);
                return;
            }
            (Stage::App, _) => "before the first cell",
            (Stage::Body, _) => "between the cells",
            (Stage::End, _) => "after the run guard",
        };
        self.stray(statement, stray, chunk.base);
    }

    /// Reports a statement that marimo drops, with its place.
    fn stray(&mut self, statement: &Statement, place: &str, base: u32) {
        let message = format!("marimo drops this statement: it stands {place}");
        let span = self.span(&statement.range, base);
        self.diagnostics.push(
            Diagnostic::error(Code::StrayStatement, span, message)
                .with_help("move it into a cell, or remove it"),
        );
    }

    /// Reads a function or class decorated as a cell; for any other, the error names its place.
    fn decorated(
        &mut self,
        chunk: &Chunk<'_>,
        index: usize,
        statement: &Statement,
        definition: &Definition,
    ) -> Result<(), &'static str> {
        let is_marked = |it: &Decorator| {
            let path = it.path.as_deref().and_then(|it| it.rsplit_once('.'));
            path.is_some_and(|(_, it)| DECORATORS.contains(&it))
        };
        let mut decorators = definition.decorators.iter().enumerate();
        let (at, path) = decorators
            .find(|(_, it)| is_marked(it))
            .and_then(|(at, it)| Some((at, it.path.as_deref()?)))
            .filter(|(_, path)| path.starts_with("app.") && path.matches('.').count() == 1)
            .ok_or("between the cells")?;
        let is_cell = path == "app.cell";
        if is_cell && definition.is_class {
            return Err("in a class that is decorated as a cell");
        }
        self.stage = Stage::Body;
        self.definition(chunk, index, statement, definition, at, is_cell);
        Ok(())
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
