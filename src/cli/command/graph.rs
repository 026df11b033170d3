//! `nbc graph`: the dataflow, for people and for programs.

use crate::cli::Exit;
use crate::cli::args::{Format, Graph, GraphFormat};
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::diagnostic::{self, Printable};
use crate::driver::{Failure, Goal, Options, Project};
use crate::graph::print;

pub(in crate::cli) fn run(arguments: &Graph, printer: Printer) -> Result<Exit, Failure> {
    let progress = Progress::new(printer, false);
    let options = Options::default();
    let project = Project::open_for(Goal::Reading, &arguments.inputs, options, &progress)?;
    let (sources, analyzed) = project.analyze();
    let mut diagnostics = Vec::new();
    for analyzed in analyzed {
        if let Some(it) = analyzed.value {
            let text = match arguments.format {
                GraphFormat::Json => {
                    Printable::json(&print::json(&sources, &it.notebook, &it.graph))
                }
                GraphFormat::Mermaid => Printable::source(&print::mermaid(&it.notebook, &it.graph)),
                GraphFormat::Dot => Printable::source(&print::dot(&it.notebook, &it.graph)),
            };
            printer.document(&text);
        }
        diagnostics.extend(analyzed.diagnostics);
    }
    diagnostic::sort(&mut diagnostics);
    printer.diagnostics(&diagnostics, &sources, Format::Concise);
    Ok(if diagnostic::has_errors(&diagnostics) { Exit::Findings } else { Exit::Done })
}
