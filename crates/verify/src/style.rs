//! Reads a stylesheet far enough to find everything that it loads.
//!
//! A lexer of its own: comments, strings, names with escapes, functions, at-keywords (CSS Syntax
//! Level 3, section 4). Nothing else of CSS matters here, because only addresses load something.

use std::iter::Peekable;
use std::str::CharIndices;

/// Something in a stylesheet that a rule cares about, with its offset.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reference {
    /// The argument of `url()`.
    Address(usize, String),
    /// A function or at-rule that takes addresses in forms that we never write.
    Forbidden(usize, String),
    /// Text that browsers repair, each in its way.
    Broken(usize, &'static str),
}

/// `image-set("https://…" 1x)` and `src("…")` take addresses as plain strings.
const FUNCTIONS: [&str; 5] = ["image-set", "-webkit-image-set", "src", "image", "expression"];
const RULES: [&str; 3] = ["import", "namespace", "charset"];

pub(super) fn references(text: &str) -> Vec<Reference> {
    let mut lexer = Lexer { chars: text.char_indices().peekable(), found: Vec::new() };
    while let Some((offset, character)) = lexer.chars.next() {
        match character {
            '/' if lexer.eat('*') => lexer.comment(offset),
            '"' | '\'' => {
                lexer.string(offset, character);
            }
            '@' => {
                let name = lexer.name(None);
                if RULES.contains(&name.as_str()) {
                    lexer.found.push(Reference::Forbidden(offset, format!("@{name}")));
                }
            }
            '\0' => lexer.found.push(Reference::Broken(offset, "a null character")),
            it if is_name(it) || it == '\\' => {
                let name = lexer.name(Some(it));
                if lexer.eat('(') {
                    lexer.function(offset, &name);
                }
            }
            _ => {}
        }
    }
    lexer.found
}

fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_') || !character.is_ascii()
}

struct Lexer<'a> {
    chars: Peekable<CharIndices<'a>>,
    found: Vec<Reference>,
}

impl Lexer<'_> {
    fn eat(&mut self, wanted: char) -> bool {
        self.chars.next_if(|(_, it)| *it == wanted).is_some()
    }

    fn skip_space(&mut self) {
        while self.chars.next_if(|(_, it)| it.is_ascii_whitespace()).is_some() {}
    }

    fn comment(&mut self, start: usize) {
        while let Some((_, character)) = self.chars.next() {
            if character == '*' && self.eat('/') {
                return;
            }
        }
        self.found.push(Reference::Broken(start, "a comment without end"));
    }

    /// The rest of a string after its opening quote.
    fn string(&mut self, start: usize, quote: char) -> String {
        let mut text = String::new();
        while let Some((_, character)) = self.chars.next() {
            match character {
                it if it == quote => return text,
                '\\' => text.extend(self.escape()),
                '\n' | '\r' | '\u{c}' => break,
                other => text.push(other),
            }
        }
        self.found.push(Reference::Broken(start, "a string without end"));
        text
    }

    /// Character of an escape whose backslash was read; none for an escaped line break.
    fn escape(&mut self) -> Option<char> {
        let (_, first) = self.chars.next()?;
        if !first.is_ascii_hexdigit() {
            return (!matches!(first, '\n' | '\r' | '\u{c}')).then_some(first);
        }
        let mut value = first.to_digit(16).unwrap_or_default();
        for _ in 0..5 {
            let Some((_, digit)) = self.chars.next_if(|(_, it)| it.is_ascii_hexdigit()) else {
                break;
            };
            value = value * 16 + digit.to_digit(16).unwrap_or_default();
        }
        self.chars.next_if(|(_, it)| it.is_ascii_whitespace());
        Some(char::from_u32(value).unwrap_or('\u{fffd}'))
    }

    /// A name in lowercase with its escapes resolved, so that `\75rl(` is `url(`.
    fn name(&mut self, first: Option<char>) -> String {
        let mut name = String::new();
        match first {
            Some('\\') => name.extend(self.escape()),
            Some(other) => name.push(other),
            None => {}
        }
        while let Some((_, character)) = self.chars.next_if(|(_, it)| is_name(*it) || *it == '\\') {
            if character == '\\' {
                name.extend(self.escape());
            } else {
                name.push(character);
            }
        }
        name.make_ascii_lowercase();
        name
    }

    fn function(&mut self, start: usize, name: &str) {
        if FUNCTIONS.contains(&name) {
            self.found.push(Reference::Forbidden(start, format!("{name}()")));
        }
        if name != "url" && name != "url-prefix" {
            return;
        }
        self.skip_space();
        let quote = self.chars.next_if(|(_, it)| matches!(it, '"' | '\''));
        let address = match quote {
            Some((at, quote)) => {
                let text = self.string(at, quote);
                self.skip_space();
                if !self.eat(')') {
                    self.found.push(Reference::Broken(start, "an address with more behind it"));
                }
                text
            }
            None => self.unquoted(start),
        };
        self.found.push(Reference::Address(start, address));
    }

    fn unquoted(&mut self, start: usize) -> String {
        let mut text = String::new();
        while let Some((_, character)) = self.chars.next() {
            match character {
                ')' => return text,
                '\\' => text.extend(self.escape()),
                '"' | '\'' | '(' => break,
                it if it.is_ascii_whitespace() => {
                    self.skip_space();
                    if self.eat(')') {
                        return text;
                    }
                    break;
                }
                it if it.is_control() => break,
                other => text.push(other),
            }
        }
        self.found.push(Reference::Broken(start, "an address without end"));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(text: &str) -> Vec<String> {
        references(text)
            .into_iter()
            .map(|it| match it {
                Reference::Address(_, address) => address,
                Reference::Forbidden(_, name) => format!("!{name}"),
                Reference::Broken(_, what) => format!("?{what}"),
            })
            .collect()
    }

    #[test]
    fn every_spelling_of_url_is_found() {
        for text in [
            "a{b:url(x)}",
            "a{b:url( 'x' )}",
            "a{b:URL(\"x\")}",
            "a{b:\\75rl(x)}",
            "a{b:u\\72 l(x)}",
            "a{b:u\\rl(x)}",
            "a{b:url(\\78)}",
            "a{b:url(/**/x)}",
            "a{--b:url(x)}",
        ] {
            let expected = match text {
                // No comments inside an unquoted address.
                "a{b:url(/**/x)}" => "/**/x",
                // `\r` is `r`: no hexadecimal digit.
                _ => "x",
            };
            assert_eq!(addresses(text), [expected], "{text}");
        }
    }

    #[test]
    fn comments_strings_and_selectors_hold_no_address() {
        for text in ["/* url(x) */", "a{content:'url(x)'}", ".url{}", ".a\\:b{c:d}", "a{b:c/d}"] {
            assert_eq!(addresses(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn rules_and_functions_that_load_are_found() {
        assert_eq!(addresses("@import 'x';"), ["!@import"]);
        assert_eq!(addresses("@\\69mport 'x';"), ["!@import"]);
        assert_eq!(addresses("a{b:image-set('x' 1x)}"), ["!image-set()"]);
        assert_eq!(addresses("a{b:-WebKit-image-set(url(x) 1x)}"), ["!-webkit-image-set()", "x"]);
    }

    #[test]
    fn text_that_browsers_repair_is_broken() {
        assert_eq!(addresses("/* x"), ["?a comment without end"]);
        assert_eq!(addresses("a{b:'x\n}"), ["?a string without end"]);
        assert_eq!(addresses("a{b:url(x y)}"), ["?an address without end", "x"]);
    }
}
