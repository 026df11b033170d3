//! `nbc check`: phases 1 and 2 only.

use crate::cli::Exit;
use crate::cli::args::{Check, Format};
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::diagnostic::{self, Severity};
use crate::driver::{Checked, Failure, Goal, Project, counted};

pub(in crate::cli) fn run(arguments: &Check, printer: Printer) -> Result<Exit, Failure> {
    let progress = Progress::new(printer, false);
    let options = arguments.options();
    let project = Project::open_for(Goal::Reading, &arguments.inputs, options, &progress)?;
    let Checked { findings, sources, shows_secret } = project.check()?;
    let format = match arguments.format {
        Format::Full if shows_secret => Format::Concise,
        format => format,
    };
    printer.diagnostics(&findings, &sources, format);
    if !arguments.format.is_for_machines() {
        let errors = findings.iter().filter(|it| it.severity == Severity::Error).count();
        let warnings = findings.len() - errors;
        printer.line(&format!(
            "checked {}: {}, {}",
            counted(project.inputs().len(), "notebook"),
            counted(errors, "error"),
            counted(warnings, "warning")
        ));
    }
    Ok(if diagnostic::has_errors(&findings) { Exit::Findings } else { Exit::Done })
}
