//! `nbc prepare`: the environments and the pictures of a later build, which then needs no network.

use super::{Pictures, unreadable};
use crate::cli::args::{Format, Prepare};
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::cli::{Exit, print_failure};
use crate::diagnostic;
use crate::driver::{Events as _, Failure, Goal, Project, counted};
use crate::interrupt::{self, Cancel};
use crate::run::stored;

pub(in crate::cli) fn run(arguments: &Prepare, printer: Printer) -> Result<Exit, Failure> {
    Cancel::current().on_signals()?;
    let progress = Progress::new(printer, false);
    let options = arguments.options();
    let execute = options.runtime.execute;
    let project = Project::open_for(Goal::Environments, &arguments.inputs, options, &progress)?;
    project.check_grants()?;
    let limits = project.process_limits()?;
    let preparation = project.preparation()?;
    let (sources, analyzed) = project.analyze();
    let (findings, notebooks) = unreadable(analyzed);
    printer.diagnostics(&findings, &sources, Format::Full);
    if diagnostic::has_errors(&findings) {
        return Ok(Exit::Findings);
    }
    let mut lines = Vec::new();
    // Notebooks often lack the same thing, for the same reason.
    let mut failures: Vec<Failure> = Vec::new();
    for it in &notebooks {
        let path = &it.input.path;
        if stored::is_published_as_stored(&it.notebook, execute) {
            lines.push(format!("nothing to prepare: {path} is published as stored"));
            continue;
        }
        progress.step(&format!("{path}: preparing its environment"));
        let made = preparation.environment(&it.notebook, &it.input, &limits, &progress);
        if interrupt::is_requested() {
            progress.finish();
            return Ok(Exit::Interrupted);
        }
        match made {
            Ok(made) => lines.push(format!("prepared: {path} (Python {})", made.python)),
            Err(failure) if failures.iter().any(|it| it.message == failure.message) => {}
            Err(failure) => failures.push(failure),
        }
    }
    let pictures = project.prepare_pictures(&notebooks, &progress)?;
    progress.finish();
    if interrupt::is_requested() {
        return Ok(Exit::Interrupted);
    }
    let mut exit = Exit::Done;
    if let Some(report) = pictures {
        let (sources, format) = (&sources, Format::Full);
        exit = Pictures { findings: Vec::new(), sources, format }.tell(&report, printer);
        let (named, fetched) = (counted(report.pictures, "picture"), report.fetched);
        lines.push(format!("prepared: {} ({named}, {fetched} fetched)", report.path));
    }
    for warning in preparation.warnings() {
        printer.warning(&warning.message);
        warning.help.iter().for_each(|it| printer.help(it));
    }
    lines.iter().for_each(|it| printer.line(&diagnostic::one_line(it)));
    failures.iter().for_each(|it| print_failure(it, printer));
    Ok(if failures.is_empty() { exit } else { Exit::Failed })
}
