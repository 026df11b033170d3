//! Files to notebooks with their dataflow: phases 1 and 2, for every command.

use camino::Utf8Path;

use super::inputs::Input;
use super::last_site::{Known, LastSite};
use super::pairs;
use super::texts::Texts;
use crate::diagnostic::{Code, Diagnostic, Parsed, Severity};
use crate::graph::{CellGraph, analyze as resolve};
use crate::notebook::{self, Notebook};
use crate::output::on_big_stack;
use crate::site::SitePath;
use crate::source::{SourceError, SourceId, Sources, Span};

/// A notebook after phases 1 and 2.
#[derive(Debug)]
pub struct Analyzed {
    /// Its path.
    pub input: Input,
    /// The notebook itself.
    pub notebook: Notebook,
    /// Names that its cells define and use.
    pub graph: CellGraph,
}

/// Phases 1 and 2 of several notebooks, at once and in their order.
#[must_use]
pub fn analyze_all(inputs: Vec<Input>) -> (Sources, Vec<Parsed<Option<Analyzed>>>) {
    // The parser of Python goes as deep as the notebook does.
    let texts = Texts::default();
    on_big_stack(|| Sources::each(inputs, |input, sources| analyze(input, &texts, sources)))
}

/// A notebook that was read, with the place of its page.
pub(super) enum Reading {
    /// Its page is that of the last build.
    Known(Box<Known>),
    /// Its page has to be made.
    New(SitePath, Box<Parsed<Option<Analyzed>>>),
}

/// Phases 1 and 2 of several notebooks, but for those whose pages are known.
pub(super) fn read_all(
    inputs: Vec<(Input, SitePath)>,
    texts: &Texts,
    last: Option<&LastSite>,
) -> (Sources, Vec<Reading>) {
    on_big_stack(|| {
        Sources::each(inputs, |(input, path), sources| {
            let loaded = texts.load(&input, sources);
            if let (Some(last), Ok(source)) = (last, &loaded)
                && let Some(known) = last.known(&input, &path, *source, sources)
            {
                return Reading::Known(Box::new(known));
            }
            Reading::New(path, Box::new(analyze_loaded(input, loaded, sources)))
        })
    })
}

/// Phases 1 and 2 of one notebook. `None` when it cannot be read as a notebook at all.
fn analyze(input: Input, texts: &Texts, sources: &mut Sources) -> Parsed<Option<Analyzed>> {
    let loaded = texts.load(&input, sources);
    analyze_loaded(input, loaded, sources)
}

/// Gives a script the outputs of the other file of its pair.
fn attach(
    input: &Input,
    stored: &Utf8Path,
    notebook: &mut Notebook,
    sources: &mut Sources,
) -> Vec<Diagnostic> {
    let loaded = match input.folder() {
        Some(folder) => sources.load_below(folder, stored),
        None => sources.load(&input.stored_path().unwrap_or_default()),
    };
    let name = stored.file_name().unwrap_or_default();
    let start = Span::new(notebook.source, 0, 0);
    let help = "the page has the cells of the text, and no outputs";
    let source = match loaded {
        Ok(source) => source,
        Err(error) => {
            let message = format!("`{name}` cannot be read: {error}");
            return vec![Diagnostic::warning(Code::PairDiffers, start, message).with_help(help)];
        }
    };
    // The script is what is shown and run: findings about the code of the other file would be told twice.
    let Parsed { value, diagnostics } = notebook::parse(sources, source);
    match value {
        Some(other) => pairs::attach(notebook, other, name).into_iter().collect(),
        None => diagnostics
            .into_iter()
            .map(|it| Diagnostic { severity: Severity::Warning, ..it })
            .collect(),
    }
}

fn analyze_loaded(
    input: Input,
    loaded: Result<SourceId, SourceError>,
    sources: &mut Sources,
) -> Parsed<Option<Analyzed>> {
    let source = match loaded {
        Ok(source) => source,
        Err(error) => {
            let empty = sources.add(input.path.clone(), None, String::new());
            let span = Span::new(empty, 0, 0);
            let diagnostic = Diagnostic::error(Code::UnreadableFile, span, error.to_string());
            return Parsed { value: None, diagnostics: vec![diagnostic] };
        }
    };
    let mut parsed = notebook::parse_in(sources, source, &input.quarto);
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
    if let (Some(stored), Some(notebook)) = (&input.stored, &mut parsed.value) {
        diagnostics.extend(attach(&input, stored, notebook, sources));
    }
    let value = parsed.value.map(|notebook| {
        let graph = resolve(sources, &notebook);
        diagnostics.extend(graph.diagnostics);
        Analyzed { input, notebook, graph: graph.value }
    });
    Parsed { value, diagnostics }
}
