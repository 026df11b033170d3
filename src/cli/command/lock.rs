//! `nbc lock`: pins what notebooks ask for.

use super::{analyze, configuration, counted, find_inputs};
use crate::cli::args::{Format, Lock};
use crate::cli::inputs::Input;
use crate::cli::printer::Printer;
use crate::cli::{Exit, Failure, cache_folder};
use crate::diagnostic::{self, Severity};
use crate::environment::{EnvironmentError, Locked, Pins};
use crate::notebook::Notebook;
use crate::process::interrupt;
use crate::source::Sources;

pub(in crate::cli) fn run(arguments: &Lock, printer: Printer) -> Result<Exit, Failure> {
    interrupt::install()?;
    let config = configuration(&arguments.inputs)?;
    let mut sources = Sources::default();
    let mut diagnostics = Vec::new();
    let mut notebooks: Vec<(Input, Notebook)> = Vec::new();
    for input in find_inputs(&arguments.inputs, &config.exclude)? {
        if let Some(analyzed) = analyze(input, &mut sources, &mut diagnostics) {
            notebooks.push((analyzed.input, analyzed.notebook));
        }
    }
    // What a notebook does is of no matter here, only what cannot be read.
    diagnostics.retain(|it| it.severity == Severity::Error && it.code.number().starts_with("NBC1"));
    diagnostic::sort(&mut diagnostics);
    printer.diagnostics(&diagnostics, &sources, Format::Full);
    if diagnostic::has_errors(&diagnostics) {
        return Ok(Exit::Findings);
    }
    let locks = Locked::of(notebooks.iter().map(|(input, it)| (it, input.path.as_path())))
        .map_err(helped)?;
    if locks.is_empty() {
        printer.line("nothing to lock: no notebook asks for packages");
        return Ok(Exit::Done);
    }
    if arguments.check {
        return check(&locks, printer);
    }
    let pins = if arguments.upgrade { Pins::Upgrade } else { Pins::Keep };
    for lock in &locks {
        let changed = lock.write(pins, &cache_folder()).map_err(helped)?;
        let done = if changed { "locked" } else { "unchanged" };
        printer.line(&format!("{done}: {}", lock.path));
    }
    Ok(Exit::Done)
}

fn check(locks: &[Locked], printer: Printer) -> Result<Exit, Failure> {
    let mut stale = 0;
    for lock in locks {
        if !lock.is_current().map_err(helped)? {
            let state = if lock.path.is_file() { "does not match" } else { "is missing for" };
            printer.error(&format!("`{}` {state} what its notebooks ask for", lock.path));
            stale += 1;
        }
    }
    if stale == 0 {
        printer.line(&format!("{} up to date", counted(locks.len(), "lock")));
        return Ok(Exit::Done);
    }
    printer.help("write them with `nbc lock`, and commit them");
    Ok(Exit::Findings)
}

fn helped(error: EnvironmentError) -> Failure {
    let help = error.help();
    Failure { help, ..Failure::from(error) }
}
