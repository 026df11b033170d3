//! Markdown documents whose code cells run from top to bottom: Quarto, MyST, jupytext.
//!
//! In: front matter and lines. Out: a notebook with the semantics of Jupyter. Cells are Quarto's
//! ```` ```{python} ```` and MyST's ```` ```{code-cell} ````; everything else is prose. Options are
//! Quarto's `#|` lines, MyST's `:key: value` lines, and YAML between `---`.

use serde_json::{Map, Value};

use crate::diagnostic::{Code, Diagnostic, Parsed};
use crate::source::{Source, Span};

use super::execution::CodeOptions;
use super::front_matter::{self, scalar_text};
use super::hiding::{self, Dialect};
use super::line::Line;
use super::markdown::{Head, assemble, directive_option, empty, named, prose};
use super::options::{tags, unreadable};
use super::quarto::Document;
use super::{
    About, AppOptions, Cell, CellKind, CellOptions, Format, Notebook, QuartoSettings, jupyter,
    marks, script,
};

/// Whether a Markdown file is such a document; a `.qmd` is one in any case.
pub(super) fn is_document(head: &Head<'_>) -> bool {
    ["jupytext", "kernelspec", "jupyter"].iter().any(|it| head.values.contains_key(*it))
        || head
            .body()
            .any(|it| it.text.trim_start_matches([' ', '`', '~']).starts_with("{code-cell}"))
}

/// The notebook of a front matter.
fn without_cells(source: &Source, head: &Head<'_>, diagnostics: &mut Vec<Diagnostic>) -> Notebook {
    let notebook = Notebook {
        source: source.id(),
        format: Format::Jupyter,
        title: head.values.get("title").and_then(scalar_text),
        about: About::of(&head.values),
        app: AppOptions::default(),
        script: None,
        language: language(&head.values),
        widgets: None,
        cells: Vec::new(),
    };
    if notebook.language != "python" {
        let message =
            format!("the notebook is written in `{}`; nbc runs Python only", notebook.language);
        diagnostics.push(
            Diagnostic::warning(Code::OtherKernel, head.span, message)
                .with_help("the page shows its text"),
        );
    }
    notebook
}

/// Reads the document.
pub(super) fn parse(
    source: &Source,
    mut head: Head<'_>,
    settings: &QuartoSettings,
    dialect: Dialect,
    mut diagnostics: Vec<Diagnostic>,
) -> Parsed<Option<Notebook>> {
    let is_quarto = dialect == Dialect::Quarto;
    let blocks = if is_quarto { head.add_blocks(&mut diagnostics) } else { Vec::new() };
    let is_prose = |line: &Line<'_>| {
        let block = blocks.get(blocks.partition_point(|it| it.end <= line.start));
        !block.is_some_and(|it| it.contains(&line.start))
    };
    let mut notebook = without_cells(source, &head, &mut diagnostics);
    let document = Document::new(settings, &head.values);
    let mut text: Vec<Line<'_>> = Vec::new();
    let mut metadata_of_text = Map::new();
    let mut rest = head.body().filter(is_prose);
    while let Some(line) = rest.next() {
        let Some(open) = Fence::of(&line.text) else {
            // MyST's `+++` ends a cell.
            if let Some(metadata) = line.text.strip_prefix("+++") {
                flush(&mut text, source, &mut notebook.cells, &mut metadata_of_text);
                let place = Span::new(source.id(), line.start, line.start + line.text.len() as u32);
                metadata_of_text = front_matter::parse(metadata).unwrap_or_else(|_| {
                    // A title may stand there.
                    let is_stated = metadata.contains('{');
                    if is_stated {
                        unreadable(metadata, place, &mut diagnostics)
                    } else {
                        Map::new()
                    }
                });
            } else {
                text.push(line);
            }
            continue;
        };
        let mut inner: Vec<Line<'_>> = Vec::new();
        let end = rest.by_ref().find_map(|it| {
            if open.is_closed_by(&it.text) {
                return Some(it);
            }
            inner.push(it);
            None
        });
        match open.cell() {
            Some(syntax) if end.is_some() && notebook.language == "python" => {
                flush(&mut text, source, &mut notebook.cells, &mut metadata_of_text);
                let inner = open.without_indent(&inner);
                let cell = code_cell(&inner, (&open, syntax), source, &document, &mut diagnostics);
                if notebook.script.is_none() {
                    notebook.script = script_of(&cell, &mut diagnostics);
                }
                notebook.cells.push(cell);
            }
            Some(CellSyntax::Raw) if end.is_some() => {
                flush(&mut text, source, &mut notebook.cells, &mut metadata_of_text);
                let (code, origin) = assemble(&open.without_indent(&inner), source);
                notebook.cells.push(empty(CellKind::Raw, code, origin));
            }
            _ => {
                text.push(line);
                text.append(&mut inner);
                text.extend(end);
            }
        }
    }
    flush(&mut text, source, &mut notebook.cells, &mut metadata_of_text);
    let left_out = hiding::hide(&mut notebook.cells, &document, dialect);
    diagnostics.extend(marks::findings(&notebook.cells, dialect, left_out));
    Parsed { value: Some(notebook), diagnostics }
}

/// PEP 723 comments in the first code cell that has them.
fn script_of(cell: &Cell, diagnostics: &mut Vec<Diagnostic>) -> Option<super::ScriptMetadata> {
    let from = diagnostics.len();
    let found = script::find(&cell.code, cell.origin.source(), diagnostics);
    let place = |span: Span| cell.span(span.start, span.end);
    for diagnostic in diagnostics.iter_mut().skip(from) {
        diagnostic.span = place(diagnostic.span);
        for label in &mut diagnostic.labels {
            label.span = place(label.span);
        }
    }
    found.map(|it| super::ScriptMetadata { span: place(it.span), ..it })
}

/// Ends a cell of prose, whose metadata MyST writes behind `+++`.
fn flush(
    lines: &mut Vec<Line<'_>>,
    source: &Source,
    cells: &mut Vec<Cell>,
    metadata: &mut Map<String, Value>,
) {
    let mut cell = prose(lines, source);
    tags(&std::mem::take(metadata), &mut cell.options);
    if !cell.code.is_empty() {
        cells.push(cell);
    }
    lines.clear();
}

/// Language of the kernel that the front matter names, in any of the places where tools put it.
fn language(values: &Map<String, Value>) -> String {
    let nested =
        values.get("jupyter").or_else(|| values.get("jupytext")).and_then(Value::as_object);
    let spec = values.get("kernelspec").or_else(|| nested?.get("kernelspec"));
    let stated = spec
        .and_then(|it| it.get("language").or_else(|| it.get("name")))
        .or_else(|| values.get("jupyter"))
        .or_else(|| values.get("engine"))
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_ascii_lowercase();
    match stated.as_str() {
        "knitr" => "r".to_owned(),
        "ir" => "r".to_owned(),
        it if it.starts_with("julia") => "julia".to_owned(),
        "r" | "javascript" | "typescript" | "rust" | "bash" => stated,
        _ => "python".to_owned(),
    }
}

/// The first line of a fenced block, as CommonMark has it.
struct Fence<'a> {
    /// Blanks before it.
    indent: usize,
    mark: char,
    length: usize,
    info: &'a str,
}

/// The tool whose syntax a cell is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CellSyntax {
    Quarto,
    Myst,
    Raw,
}

impl<'a> Fence<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let text = line.trim_start_matches(' ');
        let mark = text.chars().next().filter(|it| ['`', '~'].contains(it))?;
        let info = text.trim_start_matches(mark);
        let length = text.len() - info.len();
        let indent = line.len() - text.len();
        let is_fence = length >= 3 && indent <= 3 && !(mark == '`' && info.contains('`'));
        is_fence.then(|| Self { indent, mark, length, info: info.trim() })
    }

    /// Its lines without the indent that they share with it, as Quarto and CommonMark have them.
    fn without_indent<'b>(&self, lines: &[Line<'b>]) -> Vec<Line<'b>> {
        lines.iter().map(|it| it.without_blanks(self.indent)).collect()
    }

    fn is_closed_by(&self, line: &str) -> bool {
        let text = line.trim();
        text.len() >= self.length && text.chars().all(|it| it == self.mark)
    }

    /// The words in the braces, and the text behind them.
    fn braces(&self) -> Option<(&'a str, &'a str, &'a str)> {
        let (inner, after) = self.info.strip_prefix('{')?.split_once('}')?;
        let (word, options) = inner.split_at(inner.find([' ', ',', '\t']).unwrap_or(inner.len()));
        Some((word, options, after.trim()))
    }

    fn cell(&self) -> Option<CellSyntax> {
        let (word, _, after) = self.braces()?;
        match (word, after) {
            ("python", "") => Some(CellSyntax::Quarto),
            ("code-cell", "" | "python" | "python3" | "ipython" | "ipython3") => {
                Some(CellSyntax::Myst)
            }
            ("raw-cell", _) => Some(CellSyntax::Raw),
            _ => None,
        }
    }
}

fn code_cell(
    lines: &[Line<'_>],
    (open, syntax): (&Fence<'_>, CellSyntax),
    source: &Source,
    document: &Document,
    diagnostics: &mut Vec<Diagnostic>,
) -> Cell {
    let mut options = CellOptions::default();
    let mut name = None;
    let mut lines = lines;
    if syntax == CellSyntax::Myst {
        let (values, rest) = myst_options(lines, source, diagnostics);
        tags(&values, &mut options);
        name = values.get("name").or_else(|| values.get("label")).and_then(scalar_text);
        lines = rest;
    }
    let (code, origin) = assemble(lines, source);
    let own = CodeOptions::of(&code);
    // knitr's place for options.
    let braces = open.braces().map(|(_, it, _)| CodeOptions::of_braces(it)).unwrap_or_default();
    own.execution.or(&braces.execution).decide(&document.execution, &mut options);
    let name = name.or(own.label).or(braces.label);
    let cell = Cell { name, options, ..empty(CellKind::Code, code, origin) };
    named(cell, jupyter::cell_names, diagnostics)
}

/// The options of a `{code-cell}`, and the lines after them.
fn myst_options<'s, 'a>(
    lines: &'s [Line<'a>],
    source: &Source,
    diagnostics: &mut Vec<Diagnostic>,
) -> (Map<String, Value>, &'s [Line<'a>]) {
    let first = lines.first().map_or(0..0, |it| it.start..it.start + it.text.len() as u32);
    let place = Span::new(source.id(), first.start, first.end);
    let mut yaml = |lines: &[String]| {
        let text = lines.join("\n");
        front_matter::parse(&text).unwrap_or_else(|_| unreadable(&text, place, diagnostics))
    };
    if lines.first().is_some_and(|it| it.text.trim_end() == "---") {
        let rest = lines.get(1..).unwrap_or_default();
        if let Some(end) = rest.iter().position(|it| it.text.trim_end() == "---") {
            let inner = rest.iter().take(end).map(|it| it.text.to_string()).collect::<Vec<_>>();
            return (yaml(&inner), rest.get(end + 1..).unwrap_or_default());
        }
    }
    let options: Vec<String> = lines
        .iter()
        .map_while(|it| directive_option(&it.text))
        .map(|(key, value)| format!("{key}: {value}"))
        .collect();
    let rest = lines.get(options.len()..).unwrap_or_default();
    let blank =
        usize::from(!options.is_empty() && rest.first().is_some_and(|it| it.text.is_empty()));
    (yaml(&options), rest.get(blank..).unwrap_or_default())
}
