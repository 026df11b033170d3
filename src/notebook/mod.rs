//! Phase 1: text to [`Notebook`].
//!
//! In: a source. Out: cells with their code, options and stored outputs, and diagnostics.
//! Never imports or runs anything, and never fails: what cannot be read becomes a diagnostic.

mod about;
mod code;
mod damaged;
mod dedent;
mod execution;
mod front_matter;
mod hiding;
mod jupyter;
mod light;
mod line;
mod literate;
mod marimo;
mod markdown;
mod marks;
mod options;
mod percent;
mod pieces;
mod quarto;
mod script;
mod stored;
mod yaml_blocks;

use std::sync::Arc;

pub use about::About;
pub use code::{CellCode, Origin};
pub use quarto::{QuartoSettings, says_draft};
pub use stored::StoredOutputs;

use crate::diagnostic::{Code, Diagnostic, Parsed, Severity};
use crate::python::{CellNames, SyntaxError};
use crate::source::{SourceId, Sources, Span};

/// Position of a cell in its notebook, from 0; the key of a cell in every later phase.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct CellId(pub u32);

/// The file format of a notebook, which also decides how its cells are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// marimo, `.py` or Markdown: cells run in dataflow order.
    Marimo,
    /// Jupyter `.ipynb`, Quarto, MyST, percent scripts: cells run in document order.
    Jupyter,
}

/// A notebook as its author wrote it.
#[derive(Debug)]
pub struct Notebook {
    /// The file.
    pub source: SourceId,
    /// Its format.
    pub format: Format,
    /// `App(app_title=…)`, or the title in the metadata; the first heading is not looked at here.
    pub title: Option<String>,
    /// Authors, date, language, description.
    pub about: About,
    /// `App(…)` options of a marimo notebook.
    pub app: AppOptions,
    /// PEP 723 header: of the file (marimo), or of the first code cell that has one (Jupyter).
    pub script: Option<ScriptMetadata>,
    /// Language of a Jupyter kernel, lowercase; `python` when nothing is stated.
    pub language: String,
    /// JSON of the widgets that a Jupyter file holds, by MIME type; hostile.
    pub widgets: Option<CellCode>,
    /// Cells in document order; the position is the [`CellId`].
    pub cells: Vec<Cell>,
}

impl Notebook {
    /// Cells with their ids.
    pub fn cells(&self) -> impl Iterator<Item = (CellId, &Cell)> {
        self.cells.iter().enumerate().map(|(at, cell)| (CellId(at as u32), cell))
    }

    /// The cell with this id, if it is one of this notebook's.
    pub fn cell(&self, id: CellId) -> Option<&Cell> {
        self.cells.get(id.0 as usize)
    }
}

/// Kinds of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellKind {
    /// Python code.
    Code,
    /// `with app.setup:` of marimo; runs first.
    Setup,
    /// `@app.function` of marimo.
    Function,
    /// `@app.class_definition` of marimo.
    Class,
    /// Text that is not Python: `app._unparsable_cell`, or a cell that does not parse. Never run.
    Unparsable,
    /// Markdown prose (Jupyter, Markdown notebooks).
    Markdown,
    /// Raw text (Jupyter), meant for other tools.
    Raw,
}

impl CellKind {
    /// Whether the cell takes part in the dataflow and is run.
    pub fn is_runnable(self) -> bool {
        matches!(self, Self::Code | Self::Setup | Self::Function | Self::Class)
    }
}

/// One cell.
#[derive(Debug)]
pub struct Cell {
    /// Its kind.
    pub kind: CellKind,
    /// Function name (marimo) or cell name; `None` for `_` and for unnamed cells.
    pub name: Option<String>,
    /// The text exactly as the engine gets it (marimo: body, dedented as marimo does).
    pub code: CellCode,
    /// Source position of each line of `code`.
    pub origin: Origin,
    /// Options.
    pub options: CellOptions,
    /// Names that the code defines and uses; empty when the cell is not Python or does not parse.
    pub names: Arc<CellNames>,
    /// Outputs stored in the file (Jupyter), if there are any.
    pub stored_outputs: Option<Box<StoredOutputs>>,
    /// The number of the cell's last run that the file holds (Jupyter).
    pub execution_count: Option<u64>,
    /// Attachments of a Jupyter Markdown cell: file name → MIME type → base64; hostile.
    pub attachments: Option<Box<serde_json::Map<String, serde_json::Value>>>,
}

impl Cell {
    /// The span in the source of a range of bytes of `code`.
    pub fn span(&self, start: u32, end: u32) -> Span {
        Span::new(self.origin.source(), self.origin.locate(start), self.origin.locate(end))
    }

    /// The span of the whole cell.
    pub fn whole(&self) -> Span {
        self.span(0, self.code.len() as u32)
    }

    /// The span of the first line that says something: a finding about a cell as a whole points
    /// there, so that it does not print all of it.
    pub fn head(&self) -> Span {
        let mut lines = self.code.split('\n').zip(1..);
        lines
            .find(|(line, _)| !line.trim().is_empty())
            .map_or_else(|| self.span(0, 0), |(_, number)| self.line_span(number))
    }

    /// The span of a line of `code`, counted from 1, as a traceback does; the whole cell when the
    /// line does not exist.
    pub fn line_span(&self, line: u32) -> Span {
        let Some(index) = line.checked_sub(1) else { return self.whole() };
        let mut start = 0u32;
        for (at, text) in self.code.split('\n').enumerate() {
            if at as u32 == index {
                let indent = (text.len() - text.trim_start().len()) as u32;
                let end = start + text.trim_end().len() as u32;
                return self.span((start + indent).min(end), end);
            }
            start += text.len() as u32 + 1;
        }
        self.whole()
    }
}

/// Whether a reader sees a cell's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CodeVisibility {
    /// Open.
    Shown,
    /// Behind a disclosure.
    #[default]
    Folded,
    /// Not in the page at all.
    Hidden,
}

/// Options of one cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CellOptions {
    /// marimo `disabled=True`: the cell and its descendants do not run.
    pub disabled: bool,
    /// The author's choice: marimo `hide_code`, Jupyter tags; `None` leaves it to the page.
    pub code: Option<CodeVisibility>,
    /// Whether readers get the code, or a part of the text, in no way: `remove-input`, Quarto's `echo: false` and
    /// `content-hidden`. No setting of a build shows it, and the notebook is not for download.
    pub is_withheld: bool,
    /// Quarto's `warning: false`: what the cell writes to standard error is not shown.
    pub hide_warnings: bool,
    /// Quarto's `output: asis`: what the cell prints is Markdown.
    pub prints_markdown: bool,
    /// Jupyter `remove-output`, `hide-output`.
    pub hide_output: bool,
    /// Jupyter `remove-cell`: the cell runs but is not on the page.
    pub hide_cell: bool,
    /// Jupyter `scrolled`: whether long outputs are in a box that scrolls.
    pub scrolled: Option<bool>,
    /// Jupyter `raises-exception`: an exception is the cell's expected result.
    pub raises_exception: bool,
    /// Jupyter `skip-execution`.
    pub skip_execution: bool,
    /// Jupyter `parameters`: another tool may put values, or a cell with them, after this one.
    pub injected: bool,
    /// MIME type of a Jupyter `raw` cell, lowercase.
    pub raw_type: Option<String>,
    /// marimo `column=N`.
    pub column: Option<u32>,
}

impl CellOptions {
    /// Hides, and runs not, what the other file of a pair does not show or run: tags may stand in one of the two.
    pub fn hide_like(&mut self, other: &Self) {
        if other.is_withheld || self.code.is_none() {
            self.code = other.code;
        }
        self.is_withheld |= other.is_withheld;
        self.hide_cell |= other.hide_cell;
        self.hide_output |= other.hide_output;
        self.hide_warnings |= other.hide_warnings;
        self.skip_execution |= other.skip_execution;
    }

    /// Whether readers must not get the whole source of the cell.
    pub fn withholds(&self) -> bool {
        self.is_withheld || self.hide_cell
    }
}

/// `marimo.App(…)` options that nbc knows (marimo 0.25 `_ast/app_config.py`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppOptions {
    /// `width`: `compact`, `medium`, `full`, `columns`.
    pub width: Option<String>,
    /// `css_file`, relative to the notebook.
    pub css_file: Option<String>,
    /// `layout_file`, relative to the notebook.
    pub layout_file: Option<String>,
    /// `sql_output`.
    pub sql_output: Option<String>,
}

/// Inline script metadata (PEP 723).
#[derive(Debug, Clone, PartialEq)]
pub struct ScriptMetadata {
    /// `dependencies`, PEP 508 requirement strings.
    pub dependencies: Vec<String>,
    /// Lines of the block where they stand, its first one being 1.
    pub dependency_lines: Vec<usize>,
    /// `requires-python`, a PEP 440 specifier set.
    pub requires_python: Option<String>,
    /// The whole table, for `[tool.nbc]` and `[tool.uv]`.
    pub table: toml::Table,
    /// Position of the block.
    pub span: Span,
}

/// Reads a notebook. `None` when the text is no notebook at all; a diagnostic says why.
pub fn parse(sources: &mut Sources, source: SourceId) -> Parsed<Option<Notebook>> {
    parse_in(sources, source, &QuartoSettings::default())
}

/// Reads a notebook of a project of Quarto.
pub fn parse_in(
    sources: &mut Sources,
    source: SourceId,
    settings: &QuartoSettings,
) -> Parsed<Option<Notebook>> {
    let text = sources.get(source).text();
    let extension = sources.get(source).path().extension().unwrap_or_default();
    let content = text.trim_start_matches(|c: char| c == '\u{feff}' || c.is_whitespace());
    let extension = extension.to_ascii_lowercase();
    let damage = damaged::finding(source, &extension, text);
    let mut parsed = match extension.as_str() {
        _ if damage.as_ref().is_some_and(|it| it.severity == Severity::Error) => {
            Parsed { value: None, diagnostics: Vec::new() }
        }
        "ipynb" => jupyter::parse(sources, source, settings),
        "md" | "markdown" | "qmd" => markdown::parse(sources, source, settings),
        "py" if !is_marimo(text) && percent::is_percent(text) => {
            percent::parse(sources, source, settings)
        }
        "py" => marimo::parse(sources, source),
        _ if content.starts_with('{') => jupyter::parse(sources, source, settings),
        _ if is_marimo(text) => marimo::parse(sources, source),
        _ => {
            let message = "the file is neither a marimo nor a Jupyter notebook";
            let span = Span::new(source, 0, 0);
            let diagnostic = Diagnostic::error(Code::NotANotebook, span, message);
            Parsed { value: None, diagnostics: vec![diagnostic] }
        }
    };
    parsed.diagnostics.extend(damage);
    if let Some(notebook) = &mut parsed.value
        && let Some(script) = &notebook.script
    {
        let file = std::mem::take(&mut notebook.about);
        notebook.about = About::of_header(&script.table).or(file);
    }
    if let Some(notebook) = &parsed.value {
        parsed.diagnostics.extend(notebook.cells.iter().filter_map(turned));
    }
    crate::diagnostic::sort(&mut parsed.diagnostics);
    parsed
}

/// The finding about code that may read differently from how it runs, at its first such line. Prose may change direction.
/// Code in prose is looked for where the prose is rendered.
fn turned(cell: &Cell) -> Option<Diagnostic> {
    if !matches!(cell.kind, CellKind::Code | CellKind::Unparsable) {
        return None;
    }
    let at = cell.code.find(crate::diagnostic::overrides)?;
    let before = cell.code.get(..at).unwrap_or_default();
    let line = before.bytes().filter(|it| *it == b'\n').count() + 1;
    let mark = cell.code.get(at..).and_then(|it| it.chars().next()).unwrap_or_default();
    let message = format!(
        "the code holds U+{:04X}, which turns the direction of writing without being seen",
        u32::from(mark)
    );
    let span = cell.line_span(u32::try_from(line).unwrap_or(1));
    let help =
        "it may read as something else than what Python runs; write it as an escape, or remove it";
    Some(Diagnostic::warning(Code::TurnedText, span, message).with_help(help))
}

/// Whether a text in a file with this extension looks like a notebook: folders are walked with it,
/// so that plain scripts and readmes beside notebooks are not taken for broken ones.
pub fn is_notebook(extension: &str, text: &str) -> bool {
    match extension {
        "ipynb" | "qmd" => true,
        "py" => is_marimo(text) || percent::is_percent(text),
        "md" | "markdown" => markdown::is_notebook(text),
        _ => false,
    }
}

/// A kind of file in the `formats` of jupytext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairedFormat {
    /// The folder that files of this kind lie in (`notebooks//ipynb`); empty where the formats name none.
    pub folder: String,
    /// `ipynb`, `py`.
    pub extension: String,
}

/// Kinds of files that a file names as those of one notebook: the `formats` of jupytext.
pub fn paired_formats(extension: &str, text: &str) -> Vec<PairedFormat> {
    if !text.contains("jupytext") {
        return Vec::new();
    }
    match extension {
        "ipynb" => jupyter::paired_formats(text),
        "py" => percent::paired_formats(text),
        _ => markdown::paired_formats(text),
    }
}

/// The kinds in `ipynb,notebooks//py:percent` or a list of such names.
fn formats_of(jupytext: Option<&serde_json::Value>) -> Vec<PairedFormat> {
    let formats = jupytext.and_then(|it| it.get("formats"));
    let texts: Vec<&str> = match formats {
        Some(serde_json::Value::String(text)) => text.split(',').collect(),
        Some(serde_json::Value::Array(all)) => all.iter().filter_map(|it| it.as_str()).collect(),
        _ => Vec::new(),
    };
    let format = |text: &str| {
        let kind = text.split(':').next().unwrap_or_default().trim();
        let (folder, kind) = kind.split_once("//").unwrap_or(("", kind));
        let extension = kind.rsplit(['/', '.']).next().unwrap_or_default().trim().to_owned();
        PairedFormat { folder: folder.trim_matches('/').to_owned(), extension }
    };
    texts.into_iter().map(format).collect()
}

fn is_marimo(text: &str) -> bool {
    text.contains("marimo.App(") || text.contains(".App(") && text.contains("import marimo")
}

fn syntax_diagnostic(error: &SyntaxError, span: Span) -> Diagnostic {
    if error.too_deep {
        return Diagnostic::error(Code::TooComplex, span, error.message.clone())
            .with_help("split the expression, or load the data from a file");
    }
    Diagnostic::error(
        Code::SyntaxError,
        span,
        format!("the cell is not valid Python: {}", error.message),
    )
    .with_label(error.message.clone())
}
