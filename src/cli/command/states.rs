//! `nbc states`: the inputs of notebooks, and the states that they make.

use crate::cli::args::{Build, Format};
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::cli::{Exit, print_failure};
use crate::diagnostic;
use crate::driver::{Failure, Goal, ListedStates, Project};
use crate::interrupt::Cancel;

pub(in crate::cli) fn run(arguments: &Build, printer: Printer) -> Result<Exit, Failure> {
    Cancel::current().on_signals()?;
    let progress = Progress::new(printer, arguments.timings);
    let project =
        Project::open_for(Goal::States, &arguments.inputs, arguments.options(), &progress)?;
    let listed = project.list_states(&progress);
    progress.finish();
    let Some(ListedStates { listed, findings, failures, sources }) = listed? else {
        return Ok(Exit::Interrupted);
    };
    let is_json = arguments.format == Format::Json;
    for one in &listed {
        printer.result(&format!("{}\n", if is_json { one.json() } else { one.text() }));
    }
    failures.iter().for_each(|it| print_failure(it, printer));
    printer.diagnostics(&findings, &sources, Format::Concise);
    Ok(match (failures.is_empty(), diagnostic::has_errors(&findings)) {
        (false, _) => Exit::Failed,
        (true, true) => Exit::Findings,
        (true, false) => Exit::Done,
    })
}
