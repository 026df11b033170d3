//! Findings about a notebook.
//!
//! In: findings of every phase. Out: [`Diagnostic`]s, sorted and rendered in one of the formats of
//! [`render`]. A diagnostic is about the notebook; when nbc itself cannot work, that is an error
//! type of the phase, not a diagnostic.

mod code;
pub mod render;

pub use crate::terminal::{Printable, indented, one_line, overrides, printable, straight, turns};
pub use code::Code;

use crate::source::Span;

/// How bad a finding is. Only errors stop a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The notebook cannot be built.
    Error,
    /// The notebook can be built, but its author should know.
    Warning,
}

/// A second place that takes part in a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// How that place takes part in the finding; lowercase, no period.
    pub message: String,
}

/// One finding about a notebook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code, see [`Code`].
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// Stands alone without labels: lowercase, no period, code in backticks.
    pub message: String,
    /// The place; the file as a whole is the empty span at its start.
    pub span: Span,
    /// Printed at `span`, under the marker.
    pub label: Option<String>,
    /// Other places.
    pub labels: Vec<Label>,
    /// The way out.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A finding that stops the build.
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, span, &message.into())
    }

    /// A finding that does not stop the build.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, span, &message.into())
    }

    fn new(code: Code, severity: Severity, span: Span, message: &str) -> Self {
        let message = printable(message);
        Self { code, severity, message, span, label: None, labels: Vec::new(), help: None }
    }

    /// Adds the text under the marker.
    #[must_use]
    pub fn with_label(mut self, message: impl Into<String>) -> Self {
        self.label = Some(printable(&message.into()));
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn with_other(mut self, span: Span, message: impl Into<String>) -> Self {
        self.labels.push(Label { span, message: printable(&message.into()) });
        self
    }

    /// Adds the way out.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(printable(&help.into()));
        self
    }
}

/// The result of a phase that reports instead of failing.
#[derive(Debug)]
pub struct Parsed<T> {
    /// The part of the input that could be understood.
    pub value: T,
    /// Findings about it.
    pub diagnostics: Vec<Diagnostic>,
}

/// Sorts findings by place, then code, so that two runs print alike; drops exact repetitions.
pub fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(|a, b| (a.span, a.code, &a.message).cmp(&(b.span, b.code, &b.message)));
    diagnostics.dedup();
}

/// Whether any finding stops the build.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|it| it.severity == Severity::Error)
}
