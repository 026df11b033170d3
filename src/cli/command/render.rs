//! `nbc render`: a recorded run to a page.

use std::slice;

use super::build;
use crate::cli::Exit;
use crate::cli::args::Render;
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::driver::{self, Failure, Goal, Project};

pub(in crate::cli) fn run(arguments: &Render, printer: Printer) -> Result<Exit, Failure> {
    let progress = Progress::new(printer, false);
    let notebook = slice::from_ref(&arguments.notebook);
    let project = Project::open_for(Goal::Record, notebook, arguments.options(), &progress)?;
    let destination = driver::claim(&arguments.output)?;
    let folder = destination.folder().to_owned();
    let compiled = project.render(&arguments.record, &progress)?;
    build::tell(&compiled, arguments.format, printer);
    if !compiled.is_publishable() {
        return Ok(Exit::Findings);
    }
    let Some(published) = build::publish(compiled, destination, printer)? else {
        return Ok(Exit::Failed);
    };
    printer.line(&format!("manifest digest: {}", published.manifest));
    printer.line(&format!("built 1 page into {folder}"));
    Ok(Exit::Done)
}
