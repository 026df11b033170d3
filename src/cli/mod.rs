//! The command line: flags to calls of the phases, results to words and an exit code.

mod anchor;
mod args;
mod builder;
mod ceilings;
mod charts;
mod command;
mod compile;
mod exposure;
mod grants;
mod ignored;
mod inputs;
mod limits;
mod links;
mod look;
mod offered;
mod preparation;
mod printer;
mod progress;
mod publishing;
mod settings;
mod states;
mod timings;
mod trust;
mod unchanged;
mod workers;

use std::process::ExitCode;
use std::sync::Arc;

use camino::Utf8PathBuf;
use clap::Parser as _;

use args::{Cli, Command};
use printer::Printer;

use crate::cache::{self, Cache};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// The notebook, or the site, is at fault.
    Findings,
    /// nbc could not work.
    Failed,
    /// The user interrupted it.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Findings => 1,
            Exit::Failed => 2,
            Exit::Interrupted => 130,
        })
    }
}

/// What stopped a command, for a person: what, why, and the way out.
#[derive(Debug)]
pub struct Failure {
    message: String,
    help: Option<String>,
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            let text = next.to_string();
            // Errors that already tell their cause would say it twice.
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = next.source();
        }
        Self { message, help: None }
    }
}

impl Failure {
    /// Says what, why, and the way out.
    fn print(&self, printer: Printer) {
        printer.error(&self.message);
        if let Some(help) = &self.help {
            printer.help(help);
        }
    }

    fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Runs the command that the arguments ask for.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        Printer::panic(&place, panic.payload_as_str().unwrap_or_default());
    }));
    // clap ends usage errors with 2 and `--help` with 0, as documented.
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            // An argument may be the name of a foreign file.
            Printer::new(args::Color::Never).usage(&error.render().to_string());
            return Exit::Failed.into();
        }
        Err(error) => error.exit(),
    };
    let printer = Printer::new(cli.color);
    let result = match &cli.command {
        Command::Build(arguments) => command::build::run(arguments, settings::Goal::Site, printer),
        Command::States(arguments) => command::build::run(arguments, settings::Goal::List, printer),
        Command::Check(arguments) => command::check::run(arguments, printer),
        Command::Lock(arguments) => command::lock::run(arguments, printer),
        Command::Prepare(arguments) => command::prepare::run(arguments, printer),
        Command::Graph(arguments) => command::graph::run(arguments, printer),
        Command::Verify(arguments) => command::verify::run(arguments, printer),
        Command::Render(arguments) => command::render::run(arguments, printer),
        Command::Explain(arguments) => command::explain::run(arguments, printer),
        Command::Doctor(arguments) => command::doctor::run(arguments, printer),
        Command::Cache(command) => command::cache::run(*command, printer),
        Command::Completions(arguments) => command::completions::run(arguments, printer),
    };
    let exit = result.unwrap_or_else(|failure| {
        failure.print(printer);
        Exit::Failed
    });
    let interrupted = crate::process::interrupt::is_requested();
    if interrupted { Exit::Interrupted.into() } else { exit.into() }
}

/// What earlier builds found out.
fn entries(memory: &args::Memory) -> Result<Arc<Cache>, Failure> {
    let size = memory.cache_size.unwrap_or(cache::DEFAULT_SIZE);
    Ok(Arc::new(Cache::below(&cache_folder()?, size)))
}

/// The folder of the cache, which is the user's own: whoever could write to it would decide what is run.
fn cache_folder() -> Result<Utf8PathBuf, cache::PlaceError> {
    cache::claim(&cache::locate()?)
}
