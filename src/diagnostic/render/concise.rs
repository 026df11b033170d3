//! `report.py:12:5: error[NBC201] message`.

use super::place;
use crate::diagnostic::{Diagnostic, one_line, printable};
use crate::source::Sources;

pub(super) fn render(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    diagnostics
        .iter()
        .map(|it| {
            let word = place::word(it.severity);
            format!(
                "{}: {word}[{}] {}\n",
                address(it, sources),
                it.code.number(),
                printable(&it.message.replace('\n', " "))
            )
        })
        .collect()
}

/// `report.ipynb:cell 3:2:8`.
pub(super) fn address(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let source = sources.get(diagnostic.span.source);
    let (start, _) = place::places(source, diagnostic.span);
    format!("{}:{}:{}", one_line(&source.name()), start.line, start.column)
}
