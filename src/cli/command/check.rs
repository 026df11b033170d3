//! `nbc check`: phases 1 and 2 only.

use super::{analyze_all, configuration, counted, find_inputs, folder_of};
use crate::cli::args::{Check, Format};
use crate::cli::exposure;
use crate::cli::printer::Printer;
use crate::cli::publishing::Allowed;
use crate::cli::{Exit, Failure};
use crate::diagnostic::{self, Severity};

pub(in crate::cli) fn run(arguments: &Check, printer: Printer) -> Result<Exit, Failure> {
    let config = configuration(&arguments.inputs)?;
    let inputs = find_inputs(&arguments.inputs, &config.exclude, printer)?;
    let number = inputs.len();
    let (sources, analyzed) = analyze_all(inputs);
    let mut diagnostics = Vec::new();
    let allowed = Allowed::new(&arguments.allow_secret, &config, folder_of(&arguments.inputs))?;
    let mut format = arguments.format;
    for analyzed in analyzed {
        diagnostics.extend(analyzed.diagnostics);
        let leaks = analyzed.value.map(|it| exposure::in_code(&it.notebook, &allowed, |_| true));
        let leaks = leaks.unwrap_or_default();
        if !leaks.is_empty() && format == Format::Full {
            // The lines of a finding are printed as they are.
            format = Format::Concise;
        }
        diagnostics.extend(leaks);
    }
    diagnostic::sort(&mut diagnostics);
    printer.diagnostics(&diagnostics, &sources, format);
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
