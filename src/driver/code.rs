//! The code of cells as pages show it.

use crate::notebook::{Cell, CellKind, CodeVisibility, Format};
use crate::python::{self, Mode, TokenKind};
use crate::render::CodeBlock;
use crate::sanitize::SafeHtml;

/// The code of a cell, unless it is hidden.
pub fn code_block(cell: &Cell, format: Format, default: CodeVisibility) -> Option<CodeBlock> {
    let is_code = cell.kind.is_runnable() || cell.kind == CellKind::Unparsable;
    if !is_code || cell.code.trim().is_empty() {
        return None;
    }
    let visibility = match (cell.options.code, default) {
        _ if cell.options.is_withheld => CodeVisibility::Hidden,
        (_, CodeVisibility::Hidden) | (Some(CodeVisibility::Hidden), CodeVisibility::Folded) => {
            CodeVisibility::Hidden
        }
        // Code that its author folds away stays within reach of a reader who asked for all code.
        (Some(CodeVisibility::Hidden), CodeVisibility::Shown) => CodeVisibility::Folded,
        // The source of prose is the prose itself.
        (None, CodeVisibility::Folded) if is_prose(cell) => CodeVisibility::Hidden,
        (asked, default) => asked.unwrap_or(default),
    };
    if visibility == CodeVisibility::Hidden {
        return None;
    }
    let mode = match format {
        Format::Marimo => Mode::Python,
        Format::Jupyter => Mode::Ipython,
    };
    Some(CodeBlock { visibility, html: highlighted(cell.code.trim_end(), mode) })
}

/// Longest code that gets colours, in bytes: each token costs an element of the page.
const LONGEST_HIGHLIGHTED: usize = 256 * 1024;

fn highlighted(code: &str, mode: Mode) -> SafeHtml {
    if code.len() > LONGEST_HIGHLIGHTED {
        return SafeHtml::code(code);
    }
    let mut pieces = Vec::new();
    let mut end = 0;
    for (range, kind) in python::highlight(code, mode) {
        let (start, stop) = (range.start as usize, range.end as usize);
        pieces.push(SafeHtml::code(code.get(end..start).unwrap_or_default()));
        let text = SafeHtml::code(code.get(start..stop).unwrap_or_default());
        pieces.push(SafeHtml::element("span", &[("class", class(kind))], text));
        end = stop;
    }
    pieces.push(SafeHtml::code(code.get(end..).unwrap_or_default()));
    SafeHtml::concat(pieces)
}

fn class(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Keyword => "tok-keyword",
        TokenKind::Constant | TokenKind::Number => "tok-number",
        TokenKind::Builtin => "tok-builtin",
        TokenKind::Definition => "tok-definition",
        TokenKind::Decorator => "tok-decorator",
        TokenKind::String => "tok-string",
        TokenKind::Comment => "tok-comment",
        TokenKind::Operator => "tok-operator",
        TokenKind::Magic => "tok-magic",
    }
}

/// True for prose: Markdown, or a marimo cell that only calls `mo.md`.
pub fn is_prose(cell: &Cell) -> bool {
    let code = cell.code.trim();
    cell.kind == CellKind::Markdown || code.starts_with("mo.md(") && code.ends_with(')')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic;

    #[test]
    fn marks_in_code_stand_alone_and_the_text_stays_what_it_is() {
        let code = "if x: # \u{202e} } \u{2066}if admin\n    y = '\u{200f}a'\u{202c}";
        let long = format!("{}{code}", "# long\n".repeat(LONGEST_HIGHLIGHTED / 7));
        for (code, mode) in
            [(code, Mode::Python), (code, Mode::Ipython), (long.as_str(), Mode::Python)]
        {
            let html = highlighted(code, mode);
            for mark in ['\u{202e}', '\u{2066}', '\u{200f}', '\u{202c}'] {
                let shown =
                    format!("<bdi class=\"x-turns x-turns-{:04x}\">{mark}</bdi>", u32::from(mark));
                assert!(html.as_str().contains(&shown), "{}", html.as_str());
            }
            let marks = html.as_str().chars().filter(|it| diagnostic::turns(*it)).count();
            assert_eq!(marks, html.as_str().matches("<bdi").count());
            let mut text = String::new();
            for piece in html.as_str().split('<') {
                text.push_str(piece.split_once('>').map_or(piece, |it| it.1));
            }
            assert_eq!(text.replace("&#39;", "'"), code, "what a reader copies");
        }
        assert_eq!(SafeHtml::code("a < b").as_str(), SafeHtml::text("a < b").as_str());
    }
}
