//! Severities and places as all formats tell them.

use crate::diagnostic::Severity;
use crate::source::{LineColumn, Source, Span};

pub(super) fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// First and last place of a span.
pub(super) fn places(source: &Source, span: Span) -> (LineColumn, LineColumn) {
    let (start, end) = (clamp(source, span.start), clamp(source, span.end.max(span.start)));
    (source.line_column(start), source.line_column(end))
}

/// A byte offset that is inside the text and between two characters. Spans of code that marimo
/// rewrote may be off by some bytes, and must not bring a renderer down.
pub(super) fn clamp(source: &Source, offset: u32) -> u32 {
    let mut offset = (offset as usize).min(source.text().len());
    while !source.text().is_char_boundary(offset) {
        offset -= 1;
    }
    offset as u32
}
