//! One module a command; each calls the driver, and prints what it says.

pub mod build;
pub mod cache;
pub mod check;
pub mod completions;
pub mod doctor;
pub mod explain;
pub mod graph;
pub mod lock;
pub mod prepare;
pub mod render;
pub mod states;
pub mod verify;
pub mod why;

use super::args::Format;
use super::printer::Printer;
use super::{Exit, print_failure};
use crate::diagnostic::{self, Diagnostic, Parsed, Severity};
use crate::driver::{Analyzed, PictureReport};
use crate::source::Sources;

/// Prints what there is to say about pictures of the web, with the findings that were there before.
struct Pictures<'a> {
    findings: Vec<Diagnostic>,
    sources: &'a Sources,
    format: Format,
}

impl Pictures<'_> {
    /// Prints it; gives the exit code. A picture that is not pinned is at fault only where pins are checked.
    fn tell(mut self, report: &PictureReport, printer: Printer) -> Exit {
        let format = match self.format {
            Format::Full if report.hides_query() => Format::Concise,
            format => format,
        };
        self.findings.extend(report.findings.iter().cloned());
        diagnostic::sort(&mut self.findings);
        printer.diagnostics(&self.findings, self.sources, format);
        report.failures.iter().for_each(|it| print_failure(it, printer));
        if !report.failures.is_empty() {
            return Exit::Failed;
        }
        if diagnostic::has_errors(&self.findings) { Exit::Findings } else { Exit::Done }
    }
}

/// The notebooks for whose environments a command is, and what cannot be read. What a notebook does is of no matter.
fn unreadable(analyzed: Vec<Parsed<Option<Analyzed>>>) -> (Vec<Diagnostic>, Vec<Analyzed>) {
    let (mut findings, mut notebooks) = (Vec::new(), Vec::new());
    for analyzed in analyzed {
        findings.extend(analyzed.diagnostics);
        notebooks.extend(analyzed.value);
    }
    findings.retain(|it| it.severity == Severity::Error && it.code.number().starts_with("NBC1"));
    diagnostic::sort(&mut findings);
    (findings, notebooks)
}
