//! Tokens: for highlighting, and to know which lines lie in a string.

use std::ops::Range;

use ruff_python_ast::token::{Token, TokenKind as Kind, Tokens};
use ruff_python_parser::{ParseOptions, parse_unchecked};
use ruff_text_size::Ranged;

use super::names::bytes;
use super::{Mode, depth, ipython};

/// Kinds of tokens, for their colour. Names and punctuation that need none are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenKind {
    /// `for`, `def`, `match` where it is one.
    Keyword,
    /// `True`, `False`, `None`, `...`.
    Constant,
    /// A builtin function or class, or `self`.
    Builtin,
    /// The name after `def` or `class`.
    Definition,
    /// `@app.cell`: the sign and the dotted name.
    Decorator,
    /// A string, quotes included; the code in the braces of an f-string is no part of it.
    String,
    /// A number.
    Number,
    /// A comment.
    Comment,
    /// An operator.
    Operator,
    /// A line for IPython: `%magic`, `!command`, `help?`.
    Magic,
}

const BUILTINS: &[&str] = &[
    "abs",
    "all",
    "any",
    "ascii",
    "bin",
    "bool",
    "bytearray",
    "bytes",
    "callable",
    "chr",
    "classmethod",
    "complex",
    "dict",
    "dir",
    "display",
    "divmod",
    "enumerate",
    "filter",
    "float",
    "format",
    "frozenset",
    "getattr",
    "globals",
    "hasattr",
    "hash",
    "hex",
    "id",
    "input",
    "int",
    "isinstance",
    "issubclass",
    "iter",
    "len",
    "list",
    "locals",
    "map",
    "max",
    "min",
    "next",
    "object",
    "oct",
    "open",
    "ord",
    "pow",
    "print",
    "property",
    "range",
    "repr",
    "reversed",
    "round",
    "self",
    "set",
    "setattr",
    "slice",
    "sorted",
    "staticmethod",
    "str",
    "sum",
    "super",
    "tuple",
    "type",
    "vars",
    "zip",
];

/// Pieces of code with their kinds, in order and without overlap; broken code gets what can be
/// told of it.
pub fn highlight(code: &str, mode: Mode) -> Vec<(Range<u32>, TokenKind)> {
    let magic = if mode == Mode::Ipython { super::cell_magic(code) } else { None };
    if let Some(magic) = magic {
        let mut found = vec![(0..magic.end, TokenKind::Magic)];
        if magic.is_python
            && let Some(rest) = code.get(magic.end as usize..)
        {
            let rest = highlight(rest, mode).into_iter();
            found.extend(
                rest.map(|(range, kind)| (range.start + magic.end..range.end + magic.end, kind)),
            );
        }
        return found;
    }
    if mode == Mode::Python {
        return plain(code);
    }
    let python = ipython::plain(code);
    let in_cell = |(range, kind): (Range<u32>, TokenKind)| (python.locate(&range), kind);
    let mut found: Vec<_> = plain(&python.text).into_iter().map(in_cell).collect();
    let commands = python.commands.iter().cloned();
    found.extend(commands.map(|range| (range, TokenKind::Magic)));
    // A command and its replacement share a place; the command comes first.
    found.sort_by_key(|(range, kind)| (range.start, *kind != TokenKind::Magic));
    let mut end = 0;
    found.retain(|(range, _)| {
        let is_next = range.start >= end && range.start < range.end;
        end = if is_next { range.end } else { end };
        is_next
    });
    found
}

fn plain(code: &str) -> Vec<(Range<u32>, TokenKind)> {
    if depth::check(code).is_err() {
        return Vec::new();
    }
    let parsed = parse_unchecked(code, ParseOptions::from(ruff_python_parser::Mode::Module));
    let found = classify(code, parsed.tokens());
    if depth::measure(parsed.tokens().iter().map(Token::as_tuple)).is_err() {
        std::mem::forget(parsed);
    }
    found
}

fn classify(code: &str, tokens: &Tokens) -> Vec<(Range<u32>, TokenKind)> {
    let mut found: Vec<(Range<u32>, TokenKind)> = Vec::new();
    let (mut before, mut decorator, mut line_start) = (Kind::Newline, false, true);
    for token in tokens.iter() {
        let range = bytes(token.range());
        let kind = match token.kind() {
            Kind::Comment => Some(TokenKind::Comment),
            Kind::Int | Kind::Float | Kind::Complex => Some(TokenKind::Number),
            Kind::String
            | Kind::FStringStart
            | Kind::FStringMiddle
            | Kind::FStringEnd
            | Kind::TStringStart
            | Kind::TStringMiddle
            | Kind::TStringEnd => Some(TokenKind::String),
            Kind::True | Kind::False | Kind::None | Kind::Ellipsis => Some(TokenKind::Constant),
            Kind::At if line_start => {
                decorator = true;
                Some(TokenKind::Decorator)
            }
            Kind::Name if decorator => Some(TokenKind::Decorator),
            Kind::Dot if decorator => Some(TokenKind::Decorator),
            Kind::Name if matches!(before, Kind::Def | Kind::Class) => Some(TokenKind::Definition),
            Kind::Name if before != Kind::Dot => {
                let text = code.get(range.start as usize..range.end as usize).unwrap_or_default();
                BUILTINS.binary_search(&text).is_ok().then_some(TokenKind::Builtin)
            }
            kind if kind.is_keyword() => Some(TokenKind::Keyword),
            kind if kind.is_operator() && !is_punctuation(kind) => Some(TokenKind::Operator),
            _ => None,
        };
        if !matches!(token.kind(), Kind::At | Kind::Name | Kind::Dot) {
            decorator = false;
        }
        line_start = match token.kind() {
            Kind::Newline | Kind::Indent | Kind::Dedent => true,
            Kind::NonLogicalNewline | Kind::Comment => line_start,
            _ => false,
        };
        before = token.kind();
        let Some(kind) = kind.filter(|_| range.start < range.end) else { continue };
        match found.last_mut() {
            // The parts of an f-string, of a decorator: one piece.
            Some((last, same)) if *same == kind && last.end == range.start => last.end = range.end,
            Some((last, _)) if last.end > range.start => {}
            _ => found.push((range, kind)),
        }
    }
    found
}

fn is_punctuation(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Lpar
            | Kind::Rpar
            | Kind::Lsqb
            | Kind::Rsqb
            | Kind::Lbrace
            | Kind::Rbrace
            | Kind::Comma
            | Kind::Colon
            | Kind::Semi
            | Kind::Dot
    )
}

/// Strings of a text that span lines, in order.
pub fn long_strings(text: &str) -> Vec<Range<u32>> {
    if depth::check(text).is_err() {
        return Vec::new();
    }
    let parsed = parse_unchecked(text, ParseOptions::from(ruff_python_parser::Mode::Module));
    let found = long_ranges(parsed.tokens(), text);
    if depth::measure(parsed.tokens().iter().map(Token::as_tuple)).is_err() {
        std::mem::forget(parsed);
    }
    found
}

pub(super) fn long_ranges(tokens: &Tokens, text: &str) -> Vec<Range<u32>> {
    let mut found = Vec::new();
    let mut open: Vec<u32> = Vec::new();
    for token in tokens.iter() {
        let range = bytes(token.range());
        let range = match token.kind() {
            Kind::String if open.is_empty() => range,
            Kind::FStringStart | Kind::TStringStart => {
                open.push(range.start);
                continue;
            }
            Kind::FStringEnd | Kind::TStringEnd => match (open.pop(), open.is_empty()) {
                (Some(start), true) => start..range.end,
                _ => continue,
            },
            _ => continue,
        };
        let text = text.get(range.start as usize..range.end as usize).unwrap_or_default();
        if text.contains(['\n', '\r']) {
            found.push(range);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, mode: Mode) -> String {
        let pieces = highlight(code, mode).into_iter().map(|(range, kind)| {
            let text = code.get(range.start as usize..range.end as usize).unwrap_or("OUTSIDE");
            format!("{text}:{kind:?}")
        });
        pieces.collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn code_falls_into_kinds() {
        assert_eq!(
            check("@app.cell\ndef f(a=1): # c\n    return print(f'{a}x', None)", Mode::Python),
            "@app.cell:Decorator | def:Keyword | f:Definition | =:Operator | 1:Number | # c:Comment | \
             return:Keyword | print:Builtin | f':String | x':String | None:Constant"
        );
        assert_eq!(check("match = 1\nx.print", Mode::Python), "=:Operator | 1:Number");
    }

    #[test]
    fn broken_code_is_coloured_as_far_as_it_goes() {
        assert_eq!(check("for = '", Mode::Python), "for:Keyword | =:Operator | ':String");
        assert_eq!(
            check("x = (1,\ndef f", Mode::Python),
            "=:Operator | 1:Number | def:Keyword | f:Definition"
        );
    }

    #[test]
    fn magics_are_pieces_of_their_own() {
        assert_eq!(check("%%bash\nfor i in x", Mode::Ipython), "%%bash\n:Magic");
        assert_eq!(check("%%time\nfor", Mode::Ipython), "%%time\n:Magic | for:Keyword");
        assert_eq!(check("!ls\nx = %pwd", Mode::Ipython), "!ls:Magic | =:Operator | %pwd:Magic");
    }
}
