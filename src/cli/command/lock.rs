//! `nbc lock`: pins what notebooks ask for.

use std::collections::BTreeSet;

use super::{analyze_all, configuration, counted, find_inputs};
use crate::cli::args::{Format, IsolationLevel, Lock};
use crate::cli::inputs::Input;
use crate::cli::preparation::buildable;
use crate::cli::printer::Printer;
use crate::cli::{Exit, Failure, cache_folder, limits};
use crate::config::LimitSettings;
use crate::diagnostic::{self, Severity};
use crate::environment::{Confinement, ENVIRONMENT_SIZE, EnvironmentError, Locked, Pins};
use crate::notebook::Notebook;
use crate::process::{Isolation, Limits, OnDemand, interrupt};

pub(in crate::cli) fn run(arguments: &Lock, printer: Printer) -> Result<Exit, Failure> {
    interrupt::install()?;
    let config = configuration(&arguments.inputs)?;
    let (sources, analyzed) =
        analyze_all(find_inputs(&arguments.inputs, &config.exclude, printer)?);
    let mut diagnostics = Vec::new();
    let mut notebooks: Vec<(Input, Notebook)> = Vec::new();
    for analyzed in analyzed {
        diagnostics.extend(analyzed.diagnostics);
        notebooks.extend(analyzed.value.map(|it| (it.input, it.notebook)));
    }
    // What a notebook does is of no matter here, only what cannot be read.
    diagnostics.retain(|it| it.severity == Severity::Error && it.code.number().starts_with("NBC1"));
    diagnostic::sort(&mut diagnostics);
    printer.diagnostics(&diagnostics, &sources, Format::Full);
    if diagnostic::has_errors(&diagnostics) {
        return Ok(Exit::Findings);
    }
    let locks =
        Locked::of(notebooks.iter().map(|(input, it)| (it, input.beside()))).map_err(helped)?;
    if locks.is_empty() {
        printer.line("nothing to lock: no notebook asks for packages");
        return Ok(Exit::Done);
    }
    if arguments.check {
        return check(&locks, printer);
    }
    let pins = if arguments.upgrade { Pins::Upgrade } else { Pins::Keep };
    let builder = Builder::new(arguments)?;
    let confinement = builder.as_ref().map(Builder::confinement);
    let cache = cache_folder()?;
    let largest = arguments.environment_size.map_or(ENVIRONMENT_SIZE, |it| it.0);
    for lock in &locks {
        let changed = lock.write(pins, (&cache, largest), confinement).map_err(helped)?;
        let done = if changed { "locked" } else { "unchanged" };
        printer.line(&format!("{done}: {}", diagnostic::one_line(lock.path.as_str())));
    }
    Ok(Exit::Done)
}

/// Where packages are built, for which a lock needs their metadata.
struct Builder {
    sandbox: OnDemand,
    limits: Limits,
    buildable: BTreeSet<String>,
}

impl Builder {
    fn new(arguments: &Lock) -> Result<Option<Self>, Failure> {
        let asked = arguments.isolation.unwrap_or(IsolationLevel::Strict);
        let buildable = buildable(&arguments.allow_build, asked != IsolationLevel::None)?;
        if buildable.is_empty() {
            return Ok(None);
        }
        let isolation = match asked {
            IsolationLevel::BestEffort => Isolation::BestEffort,
            IsolationLevel::Strict | IsolationLevel::None => Isolation::Strict,
        };
        let sandbox = OnDemand::new(isolation, Some(cache_folder()?));
        sandbox.get()?;
        let limits = limits::bounds(LimitSettings::default())?.process;
        Ok(Some(Self { sandbox, limits, buildable }))
    }

    fn confinement(&self) -> Confinement<'_> {
        let Self { sandbox, limits, buildable } = self;
        Confinement { sandbox, limits, buildable, say: &|_| () }
    }
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
