//! `nbc lock`: pins what notebooks ask for.

use super::unreadable;
use crate::cli::args::{Format, Lock};
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::cli::{Exit, print_failure};
use crate::diagnostic;
use crate::driver::{Failure, Goal, Options, PackageBuilder, Project, cache_folder, counted};
use crate::environment::{ENVIRONMENT_SIZE, EnvironmentError, Locked, Pins};
use crate::interrupt::{self, Cancel};

pub(in crate::cli) fn run(arguments: &Lock, printer: Printer) -> Result<Exit, Failure> {
    Cancel::current().on_signals()?;
    let progress = Progress::new(printer, false);
    let options = Options { cancel: Cancel::current(), ..Options::default() };
    let project = Project::open_for(Goal::Reading, &arguments.inputs, options, &progress)?;
    let (sources, analyzed) = project.analyze();
    let (findings, notebooks) = unreadable(analyzed);
    printer.diagnostics(&findings, &sources, Format::Full);
    if diagnostic::has_errors(&findings) {
        return Ok(Exit::Findings);
    }
    let (locks, errors) = Locked::of(notebooks.iter().map(|it| (&it.notebook, it.input.beside())));
    // All that can be done is done, and all that cannot is told; notebooks often share a fault.
    let mut failures = Failures::default();
    errors.into_iter().for_each(|it| failures.add(it));
    if locks.is_empty() && failures.0.is_empty() {
        printer.line("nothing to lock: no notebook asks for packages");
        return Ok(Exit::Done);
    }
    if arguments.check {
        return Ok(check(&locks, failures, printer));
    }
    let pins = if arguments.upgrade { Pins::Upgrade } else { Pins::Keep };
    let level = arguments.isolation.map(Into::into);
    let builder = PackageBuilder::new(&arguments.allow_build, level)?;
    let confinement = builder.as_ref().map(PackageBuilder::confinement);
    let cache = cache_folder()?;
    let largest = arguments.environment_size.map_or(ENVIRONMENT_SIZE, |it| it.0);
    for lock in &locks {
        match lock.write(pins, (&cache, largest), confinement) {
            Ok(changed) => {
                let done = if changed { "locked" } else { "unchanged" };
                printer.line(&format!("{done}: {}", diagnostic::one_line(lock.path.as_str())));
            }
            Err(_) if interrupt::is_requested() => return Ok(Exit::Interrupted),
            Err(error) => failures.add(error),
        }
    }
    Ok(if failures.are_told(printer) { Exit::Failed } else { Exit::Done })
}

fn check(locks: &[Locked], mut failures: Failures, printer: Printer) -> Exit {
    let mut stale = 0;
    for lock in locks {
        match lock.is_current() {
            Ok(true) => {}
            Ok(false) => {
                let state = if lock.path.is_file() { "does not match" } else { "is missing for" };
                printer.error(&format!("`{}` {state} what its notebooks ask for", lock.path));
                stale += 1;
            }
            Err(error) => failures.add(error),
        }
    }
    if stale > 0 {
        printer.help("write them with `nbc lock`, and commit them");
    }
    if failures.are_told(printer) {
        return Exit::Failed;
    }
    if stale > 0 {
        return Exit::Findings;
    }
    printer.line(&format!("{} up to date", counted(locks.len(), "lock")));
    Exit::Done
}

/// Locks that could not be made or read, each fault once.
#[derive(Default)]
struct Failures(Vec<Failure>);

impl Failures {
    fn add(&mut self, error: EnvironmentError) {
        let help = error.help();
        let failure = Failure { help, ..Failure::from(error) };
        if !self.0.iter().any(|it| it.message == failure.message) {
            self.0.push(failure);
        }
    }

    /// Tells them; true if there are any.
    fn are_told(&self, printer: Printer) -> bool {
        self.0.iter().for_each(|it| print_failure(it, printer));
        !self.0.is_empty()
    }
}
