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

use crate::diagnostic::{self, Diagnostic, Parsed, Severity};
use crate::driver::Analyzed;

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
