//! One module a command; each calls the phases in their order and prints what they say.

pub mod build;
pub mod cache;
pub mod check;
pub mod completions;
pub mod doctor;
pub mod explain;
pub mod graph;
pub mod lock;
pub mod prepare;
pub mod render;
pub mod verify;

use camino::{Utf8Path, Utf8PathBuf};

use super::Failure;
use super::inputs::{self, Input};
use super::printer::Printer;
use crate::config::{CodeSetting, Config};
use crate::diagnostic::{Code, Diagnostic, Parsed, Severity};
use crate::graph::{CellGraph, analyze as resolve};
use crate::notebook::{self, CodeVisibility, Notebook};
use crate::output::on_big_stack;
use crate::source::patterns::TooManyPatterns;
use crate::source::{Sources, Span};

/// A notebook after phases 1 and 2.
pub(super) struct Analyzed {
    pub(super) input: Input,
    pub(super) notebook: Notebook,
    pub(super) graph: CellGraph,
}

/// The configuration that holds for inputs: of the folder that is built, else of the notebook's.
fn configuration(inputs: &[Utf8PathBuf]) -> Result<Config, Failure> {
    Ok(Config::load(folder_of(inputs))?)
}

/// The folder whose settings hold for inputs.
pub(super) fn folder_of(inputs: &[Utf8PathBuf]) -> &Utf8Path {
    let first = inputs.first().map_or(Utf8Path::new("."), |it| it.as_path());
    let folder = if first.is_dir() { first } else { first.parent().unwrap_or(first) };
    if folder.as_str().is_empty() { Utf8Path::new(".") } else { folder }
}

/// Finds notebooks; a path that does not exist gets the usual help.
fn find_inputs(
    paths: &[Utf8PathBuf],
    exclude: &[String],
    printer: Printer,
) -> Result<Vec<Input>, Failure> {
    let mut warnings = Vec::new();
    let found = inputs::find(paths, exclude, &mut warnings);
    warnings.iter().for_each(|it| printer.warning(it));
    found.map_err(|error| {
        let help = match &error {
            inputs::InputError::Missing { .. } => Some("check the spelling of the path"),
            inputs::InputError::NoNotebooks { .. } => {
                Some("name a notebook itself to see why it is not taken for one")
            }
            inputs::InputError::IgnoreFile { source, .. } => source.help(),
            inputs::InputError::TooManyPatterns { .. } | inputs::InputError::TooManyExcluded(_) => {
                Some(TooManyPatterns::HELP)
            }
            _ => None,
        };
        let failure = Failure::from(error);
        match help {
            Some(help) => failure.with_help(help),
            None => failure,
        }
    })
}

/// Phases 1 and 2 of several notebooks, at once and in their order.
fn analyze_all(inputs: Vec<Input>) -> (Sources, Vec<Parsed<Option<Analyzed>>>) {
    // The parser of Python goes as deep as the notebook does.
    on_big_stack(|| Sources::each(inputs, analyze))
}

/// Phases 1 and 2 of one notebook. `None` when it cannot be read as a notebook at all.
fn analyze(input: Input, sources: &mut Sources) -> Parsed<Option<Analyzed>> {
    let loaded = match input.folder() {
        Some(folder) => sources.load_below(folder, &input.relative),
        None => sources.load(&input.path),
    };
    let source = match loaded {
        Ok(source) => source,
        Err(error) => {
            let empty = sources.add(input.path.clone(), None, String::new());
            let span = Span::new(empty, 0, 0);
            let diagnostic = Diagnostic::error(Code::UnreadableFile, span, error.to_string());
            return Parsed { value: None, diagnostics: vec![diagnostic] };
        }
    };
    let mut parsed = notebook::parse(sources, source);
    if !input.is_named {
        // It only looks like one: a script that writes notebooks, for example.
        for it in parsed.diagnostics.iter_mut().filter(|it| it.code == Code::NotANotebook) {
            it.severity = Severity::Warning;
            it.help = Some(
                "it is passed over; `exclude` in nbc.toml says so without a warning".to_owned(),
            );
        }
    }
    let mut diagnostics = parsed.diagnostics;
    let value = parsed.value.map(|notebook| {
        let graph = resolve(sources, &notebook);
        diagnostics.extend(graph.diagnostics);
        Analyzed { input, notebook, graph: graph.value }
    });
    Parsed { value, diagnostics }
}

pub(super) fn visibility(setting: Option<CodeSetting>) -> CodeVisibility {
    match setting {
        Some(CodeSetting::Shown) => CodeVisibility::Shown,
        Some(CodeSetting::Hidden) => CodeVisibility::Hidden,
        Some(CodeSetting::Folded) | None => CodeVisibility::Folded,
    }
}

/// `1 notebook`, `2 notebooks`.
pub(in crate::cli) fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
