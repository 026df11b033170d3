//! A small HTML tokenizer: the eyes of the pass before the gate.
//!
//! In: markup. Out: tags, text and raw text, as the HTML standard cuts them (section 13.2.5). It
//! decides nothing about safety: what it makes is parsed again by ammonia. It exists because it is
//! linear and bounded on any input, and because it sees what is about to be removed.

use std::borrow::Cow;

use crate::diagnostic::turns;

/// One token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Text as written: character references are not decoded, and a `<` starts no tag.
    Text(&'a str),
    /// `<name …>`.
    Start(Tag<'a>),
    /// `</name>`, lowercase.
    End(String),
}

/// A start tag.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    /// Lowercase.
    pub(super) name: String,
    /// Lowercase name and value as written; the first of a name counts.
    pub(super) attributes: Vec<(String, &'a str)>,
    /// Ends with `/>`.
    pub(super) is_closed: bool,
}

/// More attributes than this are not read: comparing names pairwise is quadratic.
const MOST_ATTRIBUTES: usize = 128;

/// Reads tokens.
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, length: usize) -> &'a str {
        let taken = self.text.get(self.at..self.at.saturating_add(length)).unwrap_or("");
        self.at = self.at.saturating_add(length).min(self.text.len());
        taken
    }

    fn take_while(&mut self, test: impl Fn(u8) -> bool) -> &'a str {
        let length = self.rest().bytes().take_while(|it| test(*it)).count();
        self.take(length)
    }

    /// Skips to behind the next occurrence of `end`, or to the end of the text.
    fn skip_behind(&mut self, end: &str) {
        self.at = match self.rest().find(end) {
            Some(found) => self.at + found + end.len(),
            None => self.text.len(),
        };
    }

    /// The text of a raw text element up to its end tag, which is skipped.
    pub(super) fn raw_text(&mut self, name: &str) -> &'a str {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut from = self.at;
        while let Some(found) = self.text.get(from..).and_then(|it| it.find("</")) {
            let end = from + found;
            let behind = end + 2 + name.len();
            let is_name =
                self.text.get(end + 2..behind).is_some_and(|it| it.eq_ignore_ascii_case(name));
            let follows = bytes.get(behind);
            let is_end =
                follows.is_none_or(|it| it.is_ascii_whitespace() || matches!(it, b'/' | b'>'));
            if is_name && is_end && name != "plaintext" {
                self.at = end;
                self.skip_behind(">");
                return self.text.get(start..end).unwrap_or("");
            }
            from = end + 2;
        }
        self.at = self.text.len();
        self.text.get(start..).unwrap_or("")
    }

    /// The text of a CDATA section if one starts here; they exist only in SVG and MathML.
    pub(super) fn cdata(&mut self) -> Option<&'a str> {
        let content = self.rest().strip_prefix("<![CDATA[")?;
        let content = content.split_once("]]>").map_or(content, |(content, _)| content);
        self.at += "<![CDATA[".len() + content.len();
        self.take("]]>".len());
        Some(content)
    }

    /// Length of the rest of a comment with its end, `-->` or `--!>`.
    fn comment_length(&self) -> usize {
        let rest = self.rest();
        let mut from = 0;
        while let Some(found) = rest.get(from..).and_then(|it| it.find("--")) {
            let behind = from + found + 2;
            let tail = rest.get(behind..).unwrap_or("");
            if tail.starts_with('>') {
                return behind + 1;
            }
            if tail.starts_with("!>") {
                return behind + 2;
            }
            from = behind - 1;
        }
        rest.len()
    }

    fn tag(&mut self) -> Tag<'a> {
        let name = self.take_while(|it| !it.is_ascii_whitespace() && !matches!(it, b'/' | b'>'));
        let mut tag =
            Tag { name: name.to_ascii_lowercase(), attributes: Vec::new(), is_closed: false };
        loop {
            let gap = self.take_while(|it| it.is_ascii_whitespace() || it == b'/');
            match self.byte() {
                None => return tag,
                Some(b'>') => {
                    tag.is_closed = gap.ends_with('/');
                    self.take(1);
                    return tag;
                }
                Some(_) => {}
            }
            let start = self.at;
            // A `=` at the start of a name belongs to the name.
            self.take_char();
            self.take_while(|it| !it.is_ascii_whitespace() && !matches!(it, b'/' | b'>' | b'='));
            let name = self.text.get(start..self.at).unwrap_or("").to_ascii_lowercase();
            let before = self.at;
            self.take_while(|it| it.is_ascii_whitespace());
            let value = if self.byte() == Some(b'=') {
                self.take(1);
                self.take_while(|it| it.is_ascii_whitespace());
                self.value()
            } else {
                self.at = before;
                ""
            };
            let known = tag.attributes.iter().any(|(other, _)| *other == name);
            if !known && tag.attributes.len() < MOST_ATTRIBUTES {
                tag.attributes.push((name, value));
            }
        }
    }

    fn take_char(&mut self) {
        let length = self.rest().chars().next().map_or(0, char::len_utf8);
        self.take(length);
    }

    fn value(&mut self) -> &'a str {
        match self.byte() {
            Some(quote @ (b'"' | b'\'')) => {
                self.take(1);
                let value = self.take_while(|it| it != quote);
                self.take(1);
                value
            }
            _ => self.take_while(|it| !it.is_ascii_whitespace() && it != b'>'),
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = self.rest();
            if rest.is_empty() {
                return None;
            }
            let mut bytes = rest.bytes();
            if bytes.next() != Some(b'<') {
                let length = rest.find('<').unwrap_or(rest.len());
                return Some(Token::Text(self.take(length)));
            }
            match bytes.next() {
                Some(it) if it.is_ascii_alphabetic() => {
                    self.take(1);
                    return Some(Token::Start(self.tag()));
                }
                Some(b'/') => match bytes.next() {
                    Some(it) if it.is_ascii_alphabetic() => {
                        self.take(2);
                        return Some(Token::End(self.tag().name));
                    }
                    Some(_) => self.skip_behind(">"),
                    None => return Some(Token::Text(self.take(2))),
                },
                Some(b'!') if rest.starts_with("<!-->") => {
                    self.take(5);
                }
                Some(b'!') if rest.starts_with("<!--->") => {
                    self.take(6);
                }
                Some(b'!') if rest.starts_with("<!--") => {
                    self.take(4);
                    let end = self.comment_length();
                    self.take(end);
                }
                Some(b'!' | b'?') => self.skip_behind(">"),
                _ => return Some(Token::Text(self.take(1))),
            }
        }
    }
}

/// Decodes the character references that attribute values of notebooks hold: numbers, and the
/// names that matter to addresses and JSON. Unknown names stay as written.
pub(super) fn decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(rest.get(..at).unwrap_or(""));
        rest = rest.get(at..).unwrap_or("");
        let head: String = rest.chars().skip(1).take(12).collect();
        let name =
            head.split(|it: char| !it.is_ascii_alphanumeric() && it != '#').next().unwrap_or("");
        let has_end = rest.as_bytes().get(1 + name.len()) == Some(&b';');
        match reference(name, has_end) {
            Some(character) => {
                out.push(character);
                rest = rest.get(1 + name.len() + usize::from(has_end)..).unwrap_or("");
            }
            None => {
                out.push('&');
                rest = rest.get(1..).unwrap_or("");
            }
        }
    }
    out.push_str(rest);
    out
}

/// The character reference that a text holds behind its `&`, and its length, where every parser
/// reads it so.
pub(super) fn text_reference(rest: &str) -> Option<(char, usize)> {
    let length = rest.bytes().take(12).position(|it| it == b';')?;
    let name = rest.get(..length)?;
    if !name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'#') {
        return None;
    }
    let character = reference(name, true)?;
    // Controls, and what old code pages mean by numbers, are for the parser.
    let is_plain = !character.is_control() && character != '\u{fffd}' && character != '\u{feff}';
    let is_number = !name.starts_with('#') || name.bytes().skip(2).all(|it| it.is_ascii_hexdigit());
    let is_text =
        u32::from(character) & 0xfffe != 0xfffe && !matches!(character, '\u{fdd0}'..='\u{fdef}');
    (is_plain && is_number && is_text).then_some((character, length + 1))
}

/// Text with the references to marks that turn the direction of writing resolved as every parser does: the final `;` may
/// be missing, and there may be any number of zeros.
pub(super) fn with_marks(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let number = after.strip_prefix('#').unwrap_or_default();
        let (digits, radix) = match number.strip_prefix(['x', 'X']) {
            Some(digits) => (digits, 16),
            None => (number, 10),
        };
        let length = digits.find(|it: char| !it.is_digit(radix)).unwrap_or(digits.len());
        let (number, end) = digits.split_at_checked(length).unwrap_or_default();
        let mark = u32::from_str_radix(number, radix).ok().and_then(char::from_u32);
        let named = [("lrm;", '\u{200e}'), ("rlm;", '\u{200f}')];
        let named = named.iter().find_map(|(name, it)| Some((after.strip_prefix(name)?, *it)));
        let numbered =
            || Some((end.strip_prefix(';').unwrap_or(end), mark.filter(|it| turns(*it))?));
        match named.or_else(numbered) {
            Some((after, mark)) => {
                out.push(mark);
                rest = after;
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn reference(name: &str, has_end: bool) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        return Some(
            code.ok().filter(|it| *it != 0).and_then(char::from_u32).unwrap_or('\u{fffd}'),
        );
    }
    let character = match name {
        "amp" | "AMP" => '&',
        "lt" | "LT" => '<',
        "gt" | "GT" => '>',
        "quot" | "QUOT" => '"',
        "nbsp" => '\u{a0}',
        _ if !has_end => return None,
        "apos" => '\'',
        "colon" => ':',
        "Tab" => '\t',
        "NewLine" => '\n',
        "sol" => '/',
        "bsol" => '\\',
        "lpar" => '(',
        "rpar" => ')',
        "num" => '#',
        "period" => '.',
        "comma" => ',',
        "semi" => ';',
        _ => return None,
    };
    Some(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> String {
        let names = Tokens::new(text).map(|token| match token {
            Token::Text(text) => format!("{text:?}"),
            Token::Start(tag) => format!("<{} {}>", tag.name, tag.attributes.len()),
            Token::End(name) => format!("</{name}>"),
        });
        names.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn tags_are_cut_as_browsers_cut_them() {
        assert_eq!(names("a<B x='>' y=\"<\" z=1/ w>b</B x>"), "\"a\" <b 4> \"b\" </b>");
        assert_eq!(
            names("1 < 2 <3 </ >x</>y<?p?>z"),
            "\"1 \" \"<\" \" 2 \" \"<\" \"3 \" \"x\" \"y\" \"z\""
        );
        assert_eq!(names("<!-- <p> --!>a<!-->b<!--->c<!doctype x>d"), "\"a\" \"b\" \"c\" \"d\"");
        assert_eq!(names("<a\n=b =c d = 'e'>"), "<a 2>");
    }

    #[test]
    fn raw_text_ends_at_its_own_end_tag_only() {
        let mut tokens = Tokens::new("a</styles></b></STYLE >c");
        assert_eq!(tokens.raw_text("style"), "a</styles></b>");
        assert_eq!(tokens.next(), Some(Token::Text("c")));
    }

    #[test]
    fn references_are_decoded() {
        assert_eq!(
            decode("&quot;&#92;u003c&#x27;&amp;lt;&colon;&unknown;&"),
            "\"\\u003c'&lt;:&unknown;&"
        );
    }
}
