//! `nbc prepare`: the environments of a later build, which then needs no network.

use std::sync::Arc;

use super::{analyze_all, configuration, find_inputs, folder_of};
use crate::cli::args::{Format, Prepare};
use crate::cli::builder::policy;
use crate::cli::preparation::Preparation;
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::cli::{Exit, Failure, ceilings, grants, limits};
use crate::config::Config;
use crate::diagnostic::{self, Severity};
use crate::process::interrupt;
use crate::run::stored;

pub(in crate::cli) fn run(arguments: &Prepare, printer: Printer) -> Result<Exit, Failure> {
    interrupt::install()?;
    let config = configuration(&arguments.inputs)?;
    let flags = ceilings::Flags {
        limits: arguments.limits,
        trusts_config: arguments.runtime.trust_config,
        ..ceilings::Flags::default()
    };
    // The others hold for builds.
    let asked = Config { limits: config.limits, lines: config.lines.clone(), ..Config::default() };
    ceilings::check(&asked, &flags, folder_of(&arguments.inputs))?;
    let asked = arguments.limits.or(config.limits);
    let bounds = limits::bounds(asked)?;
    grants::check_config(&arguments.runtime, &config, Vec::new())?;
    let preparation =
        Preparation::new(&arguments.runtime, &config, asked, None, false, Arc::default())?;
    let (sources, analyzed) =
        analyze_all(find_inputs(&arguments.inputs, &config.exclude, printer)?);
    let mut diagnostics = Vec::new();
    let mut notebooks = Vec::new();
    for analyzed in analyzed {
        diagnostics.extend(analyzed.diagnostics);
        notebooks.extend(analyzed.value);
    }
    // What a notebook does is of no matter here, only what cannot be read.
    diagnostics.retain(|it| it.severity == Severity::Error && it.code.number().starts_with("NBC1"));
    diagnostic::sort(&mut diagnostics);
    printer.diagnostics(&diagnostics, &sources, Format::Full);
    if diagnostic::has_errors(&diagnostics) {
        return Ok(Exit::Findings);
    }
    let progress = Progress::new(printer);
    let runs = policy(arguments.runtime.execute);
    let mut lines = Vec::new();
    for it in &notebooks {
        let path = &it.input.path;
        if stored::is_published_as_stored(&it.notebook, runs) {
            lines.push(format!("nothing to prepare: {path} is published as stored"));
            continue;
        }
        progress.step(&format!("{path}: preparing its environment"));
        let made = preparation.environment(&it.notebook, &it.input, &bounds.process, &progress)?;
        if interrupt::is_requested() {
            progress.finish();
            return Ok(Exit::Interrupted);
        }
        lines.push(format!("prepared: {path} (Python {})", made.python));
    }
    progress.finish();
    preparation.warn(printer);
    lines.iter().for_each(|it| printer.line(&diagnostic::one_line(it)));
    Ok(Exit::Done)
}
