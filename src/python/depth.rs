//! How deep a text nests, found before it is parsed.
//!
//! The parser grows its stack as it needs, but walking and dropping its tree does not: a text of
//! `a+a+a+…` with 200,000 terms would abort the process. CPython itself refuses more than 200
//! brackets, and its compiler gives up on trees of a few thousand levels.

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::lexer;
use ruff_text_size::TextRange;

use super::SyntaxError;

/// Brackets and indentations; CPython's limits are 200 and 100.
const MAX_NESTING: u32 = 200;
/// Operators in a row, over all open brackets.
const MAX_CHAIN: u32 = 1000;

/// A shorter text cannot make the parser use much stack: a level needs a byte at least.
const SMALL: usize = 32 * 1024;

/// Refuses a text that would cost the parser too much memory; a short one is let through, and
/// is [measured](measure) when it is parsed, which spares it a second pass of the lexer.
pub(super) fn check(text: &str) -> Result<(), SyntaxError> {
    if text.len() <= SMALL {
        return Ok(());
    }
    let mut lexer = lexer::lex(text, ruff_python_parser::Mode::Module);
    let tokens = std::iter::from_fn(|| match lexer.next_token() {
        TokenKind::EndOfFile => None,
        kind => Some((kind, TextRange::default())),
    });
    measure(tokens)
}

/// Refuses tokens that nest too deeply.
pub(super) fn measure(
    tokens: impl Iterator<Item = (TokenKind, TextRange)>,
) -> Result<(), SyntaxError> {
    let mut open: Vec<Level> = vec![Level::default()];
    let mut total = 0u32;
    let mut indents = 0u32;
    for (kind, range) in tokens {
        let Some(level) = open.last_mut() else { return Ok(()) };
        match kind {
            TokenKind::Lpar
            | TokenKind::Lsqb
            | TokenKind::Lbrace
            | TokenKind::FStringStart
            | TokenKind::TStringStart => {
                // `f()()()` and `a[0][0]` nest although their brackets close.
                level.chain += 1;
                total += 1;
                open.push(Level::default());
            }
            TokenKind::Rpar
            | TokenKind::Rsqb
            | TokenKind::Rbrace
            | TokenKind::FStringEnd
            | TokenKind::TStringEnd => {
                if open.len() > 1
                    && let Some(closed) = open.pop()
                {
                    total -= closed.chain;
                }
            }
            TokenKind::Comma => {
                // The comma of a lambda's parameters does not end the lambda.
                total -= level.chain - level.lambdas;
                level.chain = level.lambdas;
            }
            TokenKind::Newline => {
                open.clear();
                open.push(Level::default());
                total = 0;
            }
            TokenKind::Indent => indents += 1,
            TokenKind::Dedent => indents = indents.saturating_sub(1),
            TokenKind::Lambda => {
                level.chain += 1;
                level.lambdas += 1;
                total += 1;
            }
            TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::FStringMiddle
            | TokenKind::TStringMiddle
            | TokenKind::Comment
            | TokenKind::NonLogicalNewline => {}
            _ => {
                level.chain += 1;
                total += 1;
            }
        }
        if open.len() as u32 + indents > MAX_NESTING || total > MAX_CHAIN {
            let range = range.start().to_u32()..range.end().to_u32();
            let mut error = SyntaxError::new(range, "the code nests too deeply");
            error.too_deep = true;
            return Err(error);
        }
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Level {
    chain: u32,
    lambdas: u32,
}
