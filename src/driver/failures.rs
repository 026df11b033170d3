//! Findings about cells that failed or were not run.

use camino::Utf8Path;

use super::left_out;
use crate::diagnostic::{Code, Diagnostic};
use crate::notebook::{Cell, CellId, Format, Notebook};
use crate::process::Limits;
use crate::run::RunRecord;
use crate::run::hidden::{self, HiddenName};
use crate::run::record::{CellError, CellStatus};
use crate::source::Span;

/// Findings about cells that failed. The build log shows them, the page does not.
pub fn failures(
    notebook: &Notebook,
    record: &RunRecord,
    tolerated: bool,
    limits: Option<&Limits>,
) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for (id, run) in &record.cells {
        let Some(cell) = notebook.cell(*id) else { continue };
        let CellStatus::Failed { error } = &run.status else { continue };
        if cell.options.raises_exception {
            continue;
        }
        let found = failure(notebook, *id, cell, error, tolerated);
        let help = help_of_confinement(error, limits).or_else(|| {
            let way_out =
                "mend the cell, or pass `--allow-errors` to publish the page with a neutral box";
            (!tolerated).then(|| way_out.to_owned())
        });
        diagnostics.push(match help {
            Some(help) => found.with_help(help),
            None => found,
        });
    }
    diagnostics.extend(left_out::findings(notebook, record));
    diagnostics.extend(skipped(notebook, record));
    if notebook.format == Format::Jupyter && record.engine.name == "python" {
        let message = "IPython is not in the environment: cells ran as plain Python".to_owned();
        let span = Span::new(notebook.source, 0, 0);
        diagnostics.push(
            Diagnostic::warning(Code::PlainPython, span, message)
                .with_help("add `ipython` to the notebook's packages"),
        );
    }
    diagnostics
}

/// The exception of a cell, at the last of its lines, and the lines of other cells that called it.
fn failure(
    notebook: &Notebook,
    id: CellId,
    cell: &Cell,
    error: &CellError,
    tolerated: bool,
) -> Diagnostic {
    let own = error.frames.iter().rev().find(|frame| frame.cell == id);
    let span = own.map_or_else(|| cell.head(), |frame| cell.line_span(frame.line));
    let message = if error.message.is_empty() {
        format!("the cell raised `{}`", error.name)
    } else {
        format!("the cell raised `{}`: {}", error.name, error.message)
    };
    let mut found = if tolerated {
        Diagnostic::warning(Code::CellFailed, span, message)
    } else {
        Diagnostic::error(Code::CellFailed, span, message)
    };
    for frame in error.frames.iter().filter(|frame| frame.cell != id) {
        if let Some(other) = notebook.cell(frame.cell) {
            found = found.with_other(other.line_span(frame.line), "called here");
        }
    }
    found
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// The way out where the surroundings of a run made a cell fail. The text of an exception is the notebook's word, so it
/// decides about a line of help only.
fn help_of_confinement(error: &CellError, limits: Option<&Limits>) -> Option<String> {
    let says = |text: &str| error.message.contains(text);
    let is_network = matches!(error.name.as_str(), "gaierror" | "URLError" | "ConnectError")
        || says("Temporary failure in name resolution")
        || says("Name or service not known");
    let reached = |what: &str, value: fn(&Limits) -> String, flag: &str| {
        let value = limits.map(|it| format!(" ({})", value(it))).unwrap_or_default();
        Some(format!("the run reached its limit of {what}{value}; raise it with `{flag}`"))
    };
    match error.name.as_str() {
        "ModuleNotFoundError" => Some(
            "add the package to what the notebook asks for: a PEP 723 header in it, or \
             `requirements.txt` beside it"
                .to_owned(),
        ),
        "MemoryError" => reached("memory", |it| mebibytes(it.memory), "--memory SIZE"),
        _ if says("can't start new thread") || says("[Errno 11]") => {
            reached("processes and threads", |it| it.processes.to_string(), "--processes NUMBER")
        }
        _ if says("[Errno 24]") => {
            reached("open files", |it| it.open_files.to_string(), "--open-files NUMBER")
        }
        _ if says("[Errno 27]") => {
            reached("one file", |it| mebibytes(it.file_size), "--file-size SIZE")
        }
        _ if says("[Errno 28]") => {
            reached("temporary files", |it| mebibytes(it.temporary), "--disk SIZE")
        }
        _ if is_network => Some(
            "notebooks run without network; open a host with `--allow-net HOST`, or keep the data \
             beside the notebook"
                .to_owned(),
        ),
        "FileNotFoundError" if says("/run/secrets/") => {
            Some("hand the notebook a file there with `--secret NAME=FILE`".to_owned())
        }
        "FileNotFoundError" | "PermissionError" | "NotADirectoryError"
            if let Some(help) = of_a_hidden_name(&error.message) =>
        {
            Some(help)
        }
        "FileNotFoundError" => Some(
            "the run sees the folder of the notebook, without other notebooks and what only nbc reads, and nothing \
             else; show it more with `inputs = [\"*\", \"../data.csv\"]` or `--read PATH`"
                .to_owned(),
        ),
        _ => None,
    }
}

/// The way out where an exception is about a file whose name no run sees. Python quotes it, in either quotes; other
/// libraries put it last.
fn of_a_hidden_name(message: &str) -> Option<String> {
    let quoted = ['\'', '"'].into_iter().flat_map(|it| message.split(it).skip(1).step_by(2));
    let last = message.rsplit(": ").next().filter(|it| !it.contains(char::is_whitespace));
    let hidden = quoted.chain(last).find_map(|it| hidden::by_name(Utf8Path::new(it.trim())))?;
    Some(match hidden {
        HiddenName::Credentials(name) => format!(
            "`{name}` is hidden from the run, since files of such names often hold credentials (docs/security.md has \
             the list); if this one may be read, show it with `--read PATH`, or give it another name"
        ),
        HiddenName::Build(name) => format!(
            "`{name}` is hidden from the run, since only nbc and installers read it; show it with `--read PATH`"
        ),
        HiddenName::Notebook(name) => format!(
            "`{name}` is a notebook, and of other notebooks a run sees those that its code imports or names, and those \
             that `inputs` names, such as `inputs = [\"*\"]`"
        ),
        HiddenName::Dot(name, pattern) => format!(
            "`{name}` is hidden from the run, since its name begins with a dot; show it with `--read PATH`, or with a \
             pattern of `inputs` that spells the dot, such as `inputs = [\"*\", \"{pattern}\"]`"
        ),
    })
}

/// Cells that were not run because another one failed.
fn skipped(notebook: &Notebook, record: &RunRecord) -> Vec<Diagnostic> {
    let failed = record.cells.values().any(|it| matches!(it.status, CellStatus::Failed { .. }));
    let cells = record.cells.iter().filter(|(_, run)| failed && run.status == CellStatus::Skipped);
    let cells = cells.filter_map(|(id, _)| notebook.cell(*id));
    cells
        .filter(|it| !it.options.disabled && !it.options.skip_execution)
        .map(|it| {
            let message = "the cell was not run, because a cell before it failed";
            Diagnostic::warning(Code::SkippedCell, it.head(), message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_run_without_ipython_is_told() {
        use crate::run::record::{EngineReport, RECORD_VERSION};

        let mut sources = crate::source::Sources::default();
        let id = sources.add("a.qmd".into(), None, "```{python}\n1\n```\n".to_owned());
        let notebook = crate::notebook::parse(&mut sources, id).value.unwrap();
        let engine = EngineReport {
            name: "python".to_owned(),
            version: String::new(),
            python: "3.11".to_owned(),
        };
        let record = RunRecord {
            version: RECORD_VERSION,
            engine,
            source: None,
            facts: None,
            cells: BTreeMap::new(),
            sweep: None,
        };
        let found = failures(&notebook, &record, false, None);
        assert_eq!(found.iter().map(|it| it.code).collect::<Vec<_>>(), [Code::PlainPython]);
    }
}
