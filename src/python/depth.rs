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
    let mut nesting = Nesting { open: vec![Level::default()], total: 0, indents: 0 };
    for (kind, range) in tokens {
        nesting.add(kind);
        if nesting.is_too_deep() {
            let range = range.start().to_u32()..range.end().to_u32();
            let mut error = SyntaxError::new(range, "the code nests too deeply");
            error.too_deep = true;
            return Err(error);
        }
    }
    Ok(())
}

/// Levels around a token.
#[derive(Debug)]
struct Nesting {
    /// One for each open bracket, and one outside.
    open: Vec<Level>,
    /// Operators over all of them.
    total: u32,
    indents: u32,
}

impl Nesting {
    fn is_too_deep(&self) -> bool {
        self.open.len() as u32 + self.indents > MAX_NESTING || self.total > MAX_CHAIN
    }

    fn add(&mut self, kind: TokenKind) {
        let Some(level) = self.open.last_mut() else { return };
        match kind {
            TokenKind::Lpar
            | TokenKind::Lsqb
            | TokenKind::Lbrace
            | TokenKind::FStringStart
            | TokenKind::TStringStart => {
                // `f()()()` and `a[0][0]` nest although their brackets close.
                level.chain += 1;
                self.total += 1;
                self.open.push(Level::default());
            }
            TokenKind::Rpar
            | TokenKind::Rsqb
            | TokenKind::Rbrace
            | TokenKind::FStringEnd
            | TokenKind::TStringEnd => {
                if self.open.len() > 1
                    && let Some(closed) = self.open.pop()
                {
                    self.total -= closed.chain;
                }
            }
            TokenKind::Comma => {
                // The comma of a lambda's parameters does not end the lambda.
                self.total -= level.chain - level.lambdas;
                level.chain = level.lambdas;
            }
            TokenKind::Newline => {
                self.open.clear();
                self.open.push(Level::default());
                self.total = 0;
            }
            TokenKind::Indent => self.indents += 1,
            TokenKind::Dedent => self.indents = self.indents.saturating_sub(1),
            TokenKind::Lambda => {
                level.chain += 1;
                level.lambdas += 1;
                self.total += 1;
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
                self.total += 1;
            }
        }
    }
}

#[derive(Debug, Default)]
struct Level {
    chain: u32,
    lambdas: u32,
}
