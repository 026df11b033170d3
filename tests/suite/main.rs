//! Notebooks in, findings and graphs out; and inputs that nobody wrote on purpose.
#![expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::needless_pass_by_value,
    reason = "a test may fail by panic, and is written to be read"
)]

mod formulas;
mod graph;
mod hostile;
mod hygiene;
mod jupyter;
mod literate;
mod marimo;
mod marks;

use nbc::diagnostic::Diagnostic;
use nbc::graph::CellGraph;
use nbc::notebook::Notebook;
use nbc::source::Sources;
use test_support::{jupyter, marimo};

/// A notebook that was read and analysed.
pub struct Checked {
    /// All texts.
    pub sources: Sources,
    /// The notebook, if the text is one.
    pub notebook: Option<Notebook>,
    /// Its graph.
    pub graph: Option<CellGraph>,
    /// Findings of both phases.
    pub diagnostics: Vec<Diagnostic>,
}

impl Checked {
    /// Findings in the concise format.
    pub fn concise(&self) -> String {
        use nbc::diagnostic::render::{Format, render};
        render(&self.diagnostics, &self.sources, Format::Concise, false).as_str().to_owned()
    }

    /// Findings in the full format.
    pub fn full(&self) -> String {
        use nbc::diagnostic::render::{Format, render};
        render(&self.diagnostics, &self.sources, Format::Full, false).as_str().to_owned()
    }
}

/// Reads and analyses a text.
pub fn check(path: &str, text: &str) -> Checked {
    let mut sources = Sources::default();
    let id = sources.add(path.into(), None, text.to_owned());
    let parsed = nbc::notebook::parse(&mut sources, id);
    let mut diagnostics = parsed.diagnostics;
    let graph = parsed.value.as_ref().map(|notebook| {
        let graph = nbc::graph::analyze(&sources, notebook);
        diagnostics.extend(graph.diagnostics);
        graph.value
    });
    nbc::diagnostic::sort(&mut diagnostics);
    Checked { sources, notebook: parsed.value, graph, diagnostics }
}
