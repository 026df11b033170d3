//! GitHub workflow commands.

use super::place;
use crate::diagnostic::{Diagnostic, printable};
use crate::source::Sources;

pub(super) fn render(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    diagnostics
        .iter()
        .map(|it| {
            let source = sources.get(it.span.source);
            let (start, end) = place::places(source, it.span);
            // A line of a cell is no line of the file that GitHub could show.
            let place = match source.cell() {
                Some(_) => "line=1,col=1".to_owned(),
                None => format!(
                    "line={},col={},endLine={},endColumn={}",
                    start.line, start.column, end.line, end.column
                ),
            };
            let number = it.code.number();
            format!(
                "::{} title=nbc ({number}),file={},{place}::{}\n",
                place::word(it.severity),
                property(source.path().as_str()),
                data(&format!("{}: {number} {}", super::concise::address(it, sources), it.message)),
            )
        })
        .collect()
}

/// A line break in a message would start a command of the notebook's own choice, and `##[` is a command anywhere.
fn data(text: &str) -> String {
    let text = printable(text).replace("##[", "#\\u{23}[");
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
