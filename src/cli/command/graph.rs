//! `nbc graph`: the dataflow, for people and for programs.

use super::{analyze, configuration, find_inputs};
use crate::cli::args::{Format, Graph, GraphFormat};
use crate::cli::printer::Printer;
use crate::cli::{Exit, Failure};
use crate::diagnostic;
use crate::graph::print;
use crate::source::Sources;

pub(in crate::cli) fn run(arguments: &Graph, printer: Printer) -> Result<Exit, Failure> {
    let config = configuration(&arguments.inputs)?;
    let inputs = find_inputs(&arguments.inputs, &config.exclude)?;
    let mut sources = Sources::default();
    let mut diagnostics = Vec::new();
    for input in inputs {
        let mut own = Vec::new();
        if let Some(it) = analyze(input, &mut sources, &mut own) {
            let text = match arguments.format {
                GraphFormat::Json => print::json(&sources, &it.notebook, &it.graph),
                GraphFormat::Mermaid => print::mermaid(&it.notebook, &it.graph),
                GraphFormat::Dot => print::dot(&it.notebook, &it.graph),
            };
            printer.result(&text);
        }
        diagnostics.append(&mut own);
    }
    diagnostic::sort(&mut diagnostics);
    printer.diagnostics(&diagnostics, &sources, Format::Concise);
    Ok(if diagnostic::has_errors(&diagnostics) { Exit::Findings } else { Exit::Done })
}
