//! `nbc completions`: a script for a shell.

use clap::CommandFactory as _;

use crate::cli::Exit;
use crate::cli::args::{Cli, Completions};
use crate::cli::printer::Printer;
use crate::diagnostic::Printable;
use crate::driver::Failure;

pub(in crate::cli) fn run(arguments: &Completions, printer: Printer) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "nbc", &mut script);
    printer.document(&Printable::source(&String::from_utf8_lossy(&script)));
    Ok(Exit::Done)
}
