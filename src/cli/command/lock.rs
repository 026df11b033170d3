//! `nbc lock`: pins what notebooks ask for.

use super::unreadable;
use crate::cli::Exit;
use crate::cli::args::{Format, Lock};
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::diagnostic;
use crate::driver::{Failure, Goal, Options, PackageBuilder, Project, cache_folder, counted};
use crate::environment::{ENVIRONMENT_SIZE, EnvironmentError, Locked, Pins};
use crate::process::interrupt;

pub(in crate::cli) fn run(arguments: &Lock, printer: Printer) -> Result<Exit, Failure> {
    interrupt::install()?;
    let progress = Progress::new(printer, false);
    let options = Options::default();
    let project = Project::open_for(Goal::Reading, &arguments.inputs, options, &progress)?;
    let (sources, analyzed) = project.analyze();
    let (findings, notebooks) = unreadable(analyzed);
    printer.diagnostics(&findings, &sources, Format::Full);
    if diagnostic::has_errors(&findings) {
        return Ok(Exit::Findings);
    }
    let locks =
        Locked::of(notebooks.iter().map(|it| (&it.notebook, it.input.beside()))).map_err(helped)?;
    if locks.is_empty() {
        printer.line("nothing to lock: no notebook asks for packages");
        return Ok(Exit::Done);
    }
    if arguments.check {
        return check(&locks, printer);
    }
    let pins = if arguments.upgrade { Pins::Upgrade } else { Pins::Keep };
    let level = arguments.isolation.map(Into::into);
    let builder = PackageBuilder::new(&arguments.allow_build, level)?;
    let confinement = builder.as_ref().map(PackageBuilder::confinement);
    let cache = cache_folder()?;
    let largest = arguments.environment_size.map_or(ENVIRONMENT_SIZE, |it| it.0);
    for lock in &locks {
        let changed = lock.write(pins, (&cache, largest), confinement).map_err(helped)?;
        let done = if changed { "locked" } else { "unchanged" };
        printer.line(&format!("{done}: {}", diagnostic::one_line(lock.path.as_str())));
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
