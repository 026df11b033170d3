//! Pairs of jupytext: a notebook that is two files, a script for the code and an `.ipynb` for the outputs.
//!
//! In: the notebooks of a build, some of which say that they are a pair. Out: the same with one input a pair, and the
//! code of the script with the outputs that the other file has for the same code. Never takes files for a pair that do
//! not say so.

use std::collections::{BTreeMap, VecDeque};

use camino::{Utf8Path, Utf8PathBuf};

use super::Failure;
use super::events::Events;
use super::inputs::{self, Input};
use crate::diagnostic::{Code, Diagnostic};
use crate::notebook::{self, Cell, CellKind, Notebook, PairedFormat};
use crate::source::patterns::TooManyPatterns;
use crate::source::project_file::ProjectRoot;
use crate::source::{MAX_SOURCE_BYTES, Span};

/// Scripts whose cells nbc reads, by their endings.
const TEXTS: [&str; 2] = ["py", "qmd"];

/// Finds the notebooks of a build, one input a pair; a path that does not exist gets the usual help.
pub(super) fn find(
    paths: &[Utf8PathBuf],
    exclude: &[String],
    events: &dyn Events,
) -> Result<Vec<Input>, Failure> {
    let mut warnings = Vec::new();
    let found = inputs::find(paths, exclude, &mut warnings);
    warnings.iter().for_each(|it| events.warning(it));
    let joined = found.map(|it| {
        let (inputs, lines) = join(it);
        lines.iter().for_each(|it| events.line(it));
        inputs
    });
    joined.map_err(|error| {
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

/// Makes one input of each pair; tells which.
fn join(inputs: Vec<Input>) -> (Vec<Input>, Vec<String>) {
    let mut stems: BTreeMap<Utf8PathBuf, Vec<usize>> = BTreeMap::new();
    for (number, input) in inputs.iter().enumerate() {
        stems.entry(input.path.with_extension("")).or_default().push(number);
    }
    let mut partners: BTreeMap<usize, usize> = BTreeMap::new();
    for numbers in stems.into_values().filter(|it| it.len() > 1) {
        let with = |endings: &[&str]| {
            let ends = |it: &&usize| {
                let extension = inputs.get(**it).and_then(|it| it.path.extension());
                extension.is_some_and(|it| endings.contains(&it))
            };
            numbers.iter().copied().filter(|it| ends(&it)).collect::<Vec<_>>()
        };
        // Of three that belong together, nobody knows which one the author edits.
        if let ([stored], [text]) = (with(&["ipynb"]).as_slice(), with(&TEXTS).as_slice())
            && let (Some(a), Some(b)) = (inputs.get(*stored), inputs.get(*text))
            && a.folder() == b.folder()
            && are_pair(a, b)
        {
            partners.insert(*text, *stored);
        }
    }
    partners.extend(in_folders(&inputs));
    let mut lines = Vec::new();
    let stored: BTreeMap<usize, Utf8PathBuf> = partners
        .iter()
        .filter_map(|(text, stored)| Some((*text, inputs.get(*stored)?.relative.clone())))
        .collect();
    let mut joined = Vec::new();
    for (number, mut input) in inputs.into_iter().enumerate() {
        if partners.values().any(|it| *it == number) {
            continue;
        }
        input.stored = stored.get(&number).cloned();
        if let Some(stored) = &input.stored {
            let is_beside = stored.parent() == input.relative.parent();
            let file = stored.file_name().filter(|_| is_beside).unwrap_or(stored.as_str());
            lines.push(format!("{}: one page with {file}, which has its outputs", input.path));
        }
        joined.push(input);
    }
    (joined, lines)
}

/// Pairs whose files lie in two folders (`notebooks//ipynb,scripts//py:percent`): numbers of texts and of their stored files.
fn in_folders(inputs: &[Input]) -> BTreeMap<usize, usize> {
    let mut stems: BTreeMap<&str, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (number, input) in inputs.iter().enumerate().filter(|(_, it)| it.folder().is_some()) {
        let (texts, stored) = stems.entry(input.path.file_stem().unwrap_or_default()).or_default();
        match input.path.extension() {
            Some("ipynb") => stored.push(number),
            Some(it) if TEXTS.contains(&it) => texts.push(number),
            _ => {}
        }
    }
    let mut found = BTreeMap::new();
    for (texts, stored) in
        stems.values().filter(|(texts, stored)| !texts.is_empty() && !stored.is_empty())
    {
        for text in texts {
            let names = |from: &usize, to: &usize| {
                let (from, to) = (inputs.get(*from)?, inputs.get(*to)?);
                Some(
                    from.folder() == to.folder()
                        && other_file(from, to.path.extension()?)? == to.path,
                )
            };
            let partner = stored
                .iter()
                .find(|it| names(text, it).or_else(|| names(it, text)).unwrap_or(false));
            found.extend(partner.map(|it| (*text, *it)));
        }
    }
    found
}

/// The file of another kind that belongs to this one, in the folder that the formats name.
fn other_file(input: &Input, extension: &str) -> Option<Utf8PathBuf> {
    let formats = formats(input);
    let of = |extension: &str| formats.iter().find(|it| it.extension == extension);
    let (own, other) = (of(input.path.extension()?)?, of(extension)?);
    if own.folder == other.folder {
        return None;
    }
    let parent = input.path.parent()?.as_str();
    let base = Utf8Path::new(parent.strip_suffix(own.folder.as_str())?);
    let is_whole =
        own.folder.is_empty() || base.as_str().is_empty() || base.as_str().ends_with('/');
    is_whole.then(|| {
        base.join(&other.folder)
            .join(input.path.file_stem().unwrap_or_default())
            .with_extension(extension)
    })
}

/// Whether one of two files names the kinds of both as those of one notebook.
fn are_pair(stored: &Input, text: &Input) -> bool {
    let extension = text.path.extension().unwrap_or_default();
    [text, stored].into_iter().any(|input| {
        let formats = formats(input);
        let has = |it: &str| formats.iter().any(|format| format.extension == it);
        let first = formats.first().map(|it| &it.folder);
        let is_apart = formats.iter().any(|it| Some(&it.folder) != first);
        !is_apart && ["ipynb", extension].into_iter().all(has)
    })
}

fn formats(input: &Input) -> Vec<PairedFormat> {
    let folder = input.path.parent().filter(|it| !it.as_str().is_empty());
    let root = ProjectRoot::new(folder.unwrap_or(Utf8Path::new(".")));
    let name = Utf8Path::new(input.path.file_name().unwrap_or_default());
    let text = root.text(name, MAX_SOURCE_BYTES).unwrap_or_default();
    notebook::paired_formats(input.path.extension().unwrap_or_default(), &text)
}

/// Gives the cells of a script the outputs that another file has for the same code. Cells that differ have none, which is
/// a finding.
pub(super) fn attach(text: &mut Notebook, stored: Notebook, name: &str) -> Option<Diagnostic> {
    let key = |cell: &Cell| {
        let code = cell.code.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        let is_code = matches!(cell.kind, CellKind::Code | CellKind::Unparsable);
        (is_code, code.trim().to_owned())
    };
    let is_empty = |cell: &Cell| cell.code.trim().is_empty();
    let mut waiting: BTreeMap<_, VecDeque<Cell>> = BTreeMap::new();
    for cell in stored.cells.into_iter().filter(|it| !is_empty(it)) {
        waiting.entry(key(&cell)).or_default().push_back(cell);
    }
    let mut differing = Vec::new();
    for cell in text.cells.iter_mut().filter(|it| !is_empty(it)) {
        match waiting.get_mut(&key(cell)).and_then(VecDeque::pop_front) {
            Some(same) => {
                cell.stored_outputs = same.stored_outputs;
                cell.execution_count = same.execution_count;
                cell.attachments = same.attachments;
                cell.options.hide_like(&same.options);
            }
            None => differing.push(cell.head()),
        }
    }
    text.widgets = stored.widgets;
    let missing: usize = waiting.values().map(VecDeque::len).sum();
    if differing.is_empty() && missing == 0 {
        return None;
    }
    let cells = |number: usize, of: &str| match number {
        1 => format!("1 cell of {of} is"),
        number => format!("{number} cells of {of} are"),
    };
    let (this, that) = ("this text", format!("`{name}`"));
    let message = match (differing.len(), missing) {
        (here, 0) => format!("{} not in {that}", cells(here, this)),
        (0, there) => format!("{} not in {this}", cells(there, &that)),
        (here, there) => {
            format!("{} not in {that}, and {} not here", cells(here, this), cells(there, "that"))
        }
    };
    let span = differing.first().copied().unwrap_or(Span::new(text.source, 0, 0));
    let help = "the page has the cells of the text, and no outputs for code that `jupytext --sync` has not run yet";
    Some(Diagnostic::warning(Code::PairDiffers, span, message).with_help(help))
}
