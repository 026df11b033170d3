//! `nbc lock`: pins what notebooks ask for: packages, and pictures of the web.

use super::{Pictures, unreadable};
use crate::cli::args::Lock;
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::cli::{Exit, print_failure};
use crate::diagnostic;
use crate::driver::{
    Analyzed, Failure, Goal, PackageBuilder, PictureReport, Project, cache_folder, counted,
};
use crate::environment::{ENVIRONMENT_SIZE, EnvironmentError, Locked};
use crate::interrupt::{self, Cancel};
use crate::remote::LOCK;

pub(in crate::cli) fn run(arguments: &Lock, printer: Printer) -> Result<Exit, Failure> {
    Cancel::current().on_signals()?;
    let progress = Progress::new(printer, false);
    let options = arguments.options();
    let project = Project::open_for(Goal::Reading, &arguments.inputs, options, &progress)?;
    // Nothing is locked before that is settled.
    project.check_remote_images()?;
    let (sources, analyzed) = project.analyze();
    let (findings, notebooks) = unreadable(analyzed);
    if diagnostic::has_errors(&findings) {
        printer.diagnostics(&findings, &sources, arguments.format);
        return Ok(Exit::Findings);
    }
    let of_packages = packages(arguments, &notebooks, printer)?;
    if interrupt::is_requested() {
        return Ok(Exit::Interrupted);
    }
    let report = pictures(arguments, &project, &notebooks, &progress)?;
    progress.finish();
    if interrupt::is_requested() {
        return Ok(Exit::Interrupted);
    }
    let of_pictures = match &report {
        Some(report) => {
            let pictures = Pictures { findings, sources: &sources, format: arguments.format };
            let exit = pictures.tell(report, printer);
            summary(arguments, report, printer);
            let is_stale = arguments.check && !report.findings.is_empty();
            Some(if exit == Exit::Done && is_stale { Exit::Findings } else { exit })
        }
        None => {
            printer.diagnostics(&findings, &sources, arguments.format);
            None
        }
    };
    match (of_packages, of_pictures) {
        (None, None) => {
            printer.line("nothing to lock: no notebook asks for packages");
            Ok(Exit::Done)
        }
        (packages, pictures) => {
            let all = [packages, pictures];
            let worst = [Exit::Failed, Exit::Findings]
                .into_iter()
                .find(|it| all.iter().flatten().any(|own| own == it));
            Ok(worst.unwrap_or(Exit::Done))
        }
    }
}

/// Pins packages, or checks their pins; `None` where no notebook asks for any.
fn packages(
    arguments: &Lock,
    notebooks: &[Analyzed],
    printer: Printer,
) -> Result<Option<Exit>, Failure> {
    let (locks, errors) = Locked::of(notebooks.iter().map(|it| (&it.notebook, it.input.beside())));
    // All that can be done is done, and all that cannot is told; notebooks often share a fault.
    let mut failures = Failures::default();
    errors.into_iter().for_each(|it| failures.add(it));
    if locks.is_empty() && failures.0.is_empty() {
        return Ok(None);
    }
    if arguments.check {
        return Ok(Some(check(&locks, failures, printer)));
    }
    let builder = PackageBuilder::new(&arguments.allow_build, arguments.isolation.map(Into::into))?;
    let confinement = builder.as_ref().map(PackageBuilder::confinement);
    let cache = cache_folder()?;
    let largest = arguments.environment_size.map_or(ENVIRONMENT_SIZE, |it| it.0);
    for lock in &locks {
        match lock.write(arguments.pins(), (&cache, largest), confinement) {
            Ok(changed) => {
                let done = if changed { "locked" } else { "unchanged" };
                printer.line(&format!("{done}: {}", diagnostic::one_line(lock.path.as_str())));
            }
            Err(_) if interrupt::is_requested() => return Ok(None),
            Err(error) => failures.add(error),
        }
    }
    Ok(Some(if failures.are_told(printer) { Exit::Failed } else { Exit::Done }))
}

/// Pins pictures of the web, or looks which are not pinned; `None` where nobody wants them.
fn pictures(
    arguments: &Lock,
    project: &Project,
    notebooks: &[Analyzed],
    progress: &Progress,
) -> Result<Option<PictureReport>, Failure> {
    match arguments.check {
        true => project.unlocked_pictures(notebooks),
        false => project.lock_pictures(notebooks, arguments.pins(), progress),
    }
}

fn summary(arguments: &Lock, report: &PictureReport, printer: Printer) {
    let pictures = counted(report.pictures, "picture");
    let path = diagnostic::one_line(report.path.as_str());
    if arguments.check {
        printer.line(&format!("{pictures} of the web in `{LOCK}`"));
        return;
    }
    let done = if report.is_changed { "locked" } else { "unchanged" };
    let (fetched, removed) = (report.fetched, report.removed);
    printer.line(&format!("{done}: {path} ({pictures}, {fetched} fetched, {removed} removed)"));
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
