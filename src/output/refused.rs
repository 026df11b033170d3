//! Files beside a notebook, and pictures of the web, that a page does not show as they were meant to be, and the findings
//! about them.

use super::neighbours::percent_decoded;
use crate::diagnostic::{Code, Diagnostic};
use crate::notebook::Cell;
use crate::remote;
use crate::source::Span;

/// A file beside the notebook, or a picture of the web, that is not shown as it was meant to be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefusedFile {
    /// The address, as it stands in the markup.
    pub address: String,
    /// A clause about the file.
    pub reason: String,
    /// Whether the page shows it all the same.
    pub is_shown: bool,
    /// The way out.
    pub help: Option<&'static str>,
    /// The kind of the finding.
    pub code: Code,
    /// Whether there is to be no page without it.
    pub is_error: bool,
}

/// Findings about files that a cell names, each at the name where the cell's own text has it.
#[must_use]
pub fn refused_files(cell: &Cell, refused: &[RefusedFile]) -> Vec<Diagnostic> {
    let finding = |it: &RefusedFile| {
        let RefusedFile { address, reason, is_shown, help, code, is_error } = it;
        let shown = remote::shown(address);
        let message = match is_shown {
            true => format!("`{shown}` is not what its name says: {reason}"),
            false => format!("`{shown}` is not on the page: {reason}"),
        };
        let span = place_of(cell, address);
        let found = match is_error {
            true => Diagnostic::error(*code, span, message),
            false => Diagnostic::warning(*code, span, message),
        };
        match help {
            Some(help) => found.with_help(*help),
            None => found,
        }
    };
    refused.iter().map(finding).collect()
}

/// The place of an address in the text of a cell; outputs may name files that it does not.
#[must_use]
pub fn place_of(cell: &Cell, address: &str) -> Span {
    let decoded = percent_decoded(address);
    let forms = [address, &*decoded, &decoded.replace('&', "&amp;")].map(str::to_owned);
    let found = forms.iter().find_map(|it| Some((cell.code.find(it.as_str())?, it.len())));
    let span = found.and_then(|(start, length)| {
        Some((u32::try_from(start).ok()?, u32::try_from(start + length).ok()?))
    });
    span.map_or_else(|| cell.head(), |(start, end)| cell.span(start, end))
}
