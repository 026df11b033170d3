//! `nbc check`: phases 1 and 2 only.

use super::{analyze, configuration, counted, find_inputs};
use crate::cli::args::Check;
use crate::cli::printer::Printer;
use crate::cli::{Exit, Failure};
use crate::diagnostic::{self, Severity};
use crate::source::Sources;

pub(in crate::cli) fn run(arguments: &Check, printer: Printer) -> Result<Exit, Failure> {
    let config = configuration(&arguments.inputs)?;
    let inputs = find_inputs(&arguments.inputs, &config.exclude)?;
    let number = inputs.len();
    let mut sources = Sources::default();
    let mut diagnostics = Vec::new();
    for input in inputs {
        analyze(input, &mut sources, &mut diagnostics);
    }
    diagnostic::sort(&mut diagnostics);
    printer.diagnostics(&diagnostics, &sources, arguments.format);
    if !arguments.format.is_for_machines() {
        let errors = diagnostics.iter().filter(|it| it.severity == Severity::Error).count();
        let warnings = diagnostics.len() - errors;
        printer.line(&format!(
            "checked {}: {}, {}",
            counted(number, "notebook"),
            counted(errors, "error"),
            counted(warnings, "warning")
        ));
    }
    Ok(if diagnostic::has_errors(&diagnostics) { Exit::Findings } else { Exit::Done })
}
