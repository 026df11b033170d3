//! The command line: flags to options of the driver, results to words and an exit code.

mod anchor;
mod args;
mod bounds;
mod command;
mod printer;
mod progress;
mod unchanged;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command};
use printer::Printer;

use crate::driver::Failure;
use crate::interrupt::Cancel;
use crate::terminal::{self, Color};
use crate::verify;

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

/// Says what stopped nbc, why, and the way out.
fn print_failure(failure: &Failure, printer: Printer) {
    printer.error(&failure.message);
    if let Some(help) = &failure.help {
        printer.help(help);
    }
}

/// Runs the command that the arguments ask for.
pub fn main() -> ExitCode {
    terminal::tell_panics();
    // clap ends usage errors with 2 and `--help` with 0, as documented.
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            // An argument may be the name of a foreign file.
            Printer::new(Color::Never).usage(&error.render().to_string());
            return Exit::Failed.into();
        }
        Err(help) => {
            verify::command::write_help(&help);
            return ended(Exit::Done, Printer::new(Color::Auto)).into();
        }
    };
    let printer = Printer::new(cli.color);
    let cancel = Cancel::default();
    let result = cancel.during(|| match &cli.command {
        Command::Build(arguments) => command::build::run(arguments, printer),
        Command::States(arguments) => command::states::run(arguments, printer),
        Command::Check(arguments) => command::check::run(arguments, printer),
        Command::Lock(arguments) => command::lock::run(arguments, printer),
        Command::Prepare(arguments) => command::prepare::run(arguments, printer),
        Command::Graph(arguments) => command::graph::run(arguments, printer),
        Command::Verify(arguments) => command::verify::run(arguments, printer),
        Command::Render(arguments) => command::render::run(arguments, printer),
        Command::Explain(arguments) => command::explain::run(arguments, printer),
        Command::Doctor(arguments) => command::doctor::run(arguments, printer),
        Command::Cache(command) => command::cache::run(command, printer),
        Command::Completions(arguments) => command::completions::run(arguments, printer),
    });
    let exit = result.unwrap_or_else(|failure| {
        print_failure(&failure, printer);
        Exit::Failed
    });
    if cancel.is_cancelled() { Exit::Interrupted.into() } else { ended(exit, printer).into() }
}

/// How a command ended: results that could not be written were not given.
fn ended(exit: Exit, printer: Printer) -> Exit {
    let Some(message) = terminal::unwritten() else { return exit };
    printer.error(&message);
    Exit::Failed
}
