//! `nbc graph`: the dataflow, for people and for programs.

use super::{analyze_all, configuration, find_inputs};
use crate::cli::args::{Format, Graph, GraphFormat};
use crate::cli::printer::Printer;
use crate::cli::{Exit, Failure};
use crate::diagnostic::{self, Printable};
use crate::graph::print;

pub(in crate::cli) fn run(arguments: &Graph, printer: Printer) -> Result<Exit, Failure> {
    let config = configuration(&arguments.inputs)?;
    let inputs = find_inputs(&arguments.inputs, &config.exclude, printer)?;
    let (sources, analyzed) = analyze_all(inputs);
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
