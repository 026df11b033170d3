//! Tokens of TeX: enough to find commands, groups and arguments.

/// One token, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A command without its backslash: letters, or one other character.
    Command(&'a str),
    /// `{`
    Open,
    /// `}`
    Close,
    /// `%` to the end of the line.
    Comment(&'a str),
    /// Any other character.
    Other(char),
}

/// A position in TeX source.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self { source, at: 0 }
    }

    /// Bytes read.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// The source that is still to be read.
    pub(super) fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    /// The source between two positions.
    pub(super) fn between(&self, from: usize, to: usize) -> &'a str {
        self.source.get(from..to).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<Token<'a>> {
        self.clone().next()
    }

    pub(super) fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// `*`, if it is next.
    pub(super) fn star(&mut self) -> bool {
        let is_next = self.rest().starts_with('*');
        self.at += usize::from(is_next);
        is_next
    }

    /// The inside of the group that is next, or the one token that stands for it.
    pub(super) fn argument(&mut self) -> Option<&'a str> {
        self.skip_space();
        let start = self.at;
        match self.next()? {
            Token::Open => self.close().map(|end| self.between(start + 1, end)),
            Token::Close => None,
            _ => Some(self.between(start, self.at)),
        }
    }

    /// Reads a text that must be next.
    pub(super) fn after(&mut self, text: &str) -> Option<()> {
        self.rest().starts_with(text).then(|| self.at += text.len())
    }

    /// What stands before a delimiter outside of groups, which is read, too.
    pub(super) fn until(&mut self, delimiter: &str) -> Option<&'a str> {
        let start = self.at;
        loop {
            let at = self.at;
            if self.after(delimiter).is_some() {
                return Some(self.between(start, at));
            }
            match self.next()? {
                Token::Open => self.close().map(|_| ())?,
                Token::Close => return None,
                _ => {}
            }
        }
    }

    /// The inside of the brackets that are next, if any and not too long: what has no `]` is read again.
    pub(super) fn optional(&mut self) -> Option<&'a str> {
        const LONGEST: usize = 1_000;
        let mut ahead = self.clone();
        ahead.skip_space();
        if !ahead.rest().starts_with('[') {
            return None;
        }
        let start = ahead.at + 1;
        let mut depth = 0usize;
        loop {
            let at = ahead.at;
            if at.saturating_sub(start) > LONGEST {
                return None;
            }
            match ahead.next()? {
                Token::Open => depth += 1,
                Token::Close => depth = depth.checked_sub(1)?,
                Token::Other(']') if depth == 0 => {
                    let inside = ahead.between(start, at);
                    *self = ahead;
                    return Some(inside);
                }
                _ => {}
            }
        }
    }

    /// Reads to the end of the open group, and returns where its `}` is.
    fn close(&mut self) -> Option<usize> {
        let mut depth = 0usize;
        loop {
            let at = self.at;
            match self.next()? {
                Token::Open => depth += 1,
                Token::Close if depth == 0 => return Some(at),
                Token::Close => depth -= 1,
                _ => {}
            }
        }
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = self.rest();
        let first = rest.chars().next()?;
        let (token, length) = match first {
            '{' => (Token::Open, 1),
            '}' => (Token::Close, 1),
            '%' => {
                let end = rest.find('\n').map_or(rest.len(), |it| it + 1);
                (Token::Comment(rest.get(..end).unwrap_or_default()), end)
            }
            '\\' => {
                let name = rest.get(1..).unwrap_or_default();
                let letters = name.bytes().take_while(u8::is_ascii_alphabetic).count();
                let length = if letters > 0 {
                    letters
                } else {
                    name.chars().next().map_or(0, char::len_utf8)
                };
                (Token::Command(name.get(..length).unwrap_or_default()), 1 + length)
            }
            other => (Token::Other(other), other.len_utf8()),
        };
        self.at += length;
        Some(token)
    }
}

/// TeX under construction: a command and a letter after it do not run into one name.
#[derive(Debug, Default)]
pub(super) struct Writer {
    text: String,
    after_word: bool,
}

impl Writer {
    /// Appends source that begins and ends between tokens.
    pub(super) fn push(&mut self, source: &str) {
        if source.is_empty() {
            return;
        }
        if self.after_word && source.starts_with(|it: char| it.is_ascii_alphabetic()) {
            self.text.push(' ');
        }
        self.text.push_str(source);
        let letters = source.bytes().rev().take_while(u8::is_ascii_alphabetic).count();
        let before = source.len() - letters;
        let is_word = letters > 0 && source.get(..before).is_some_and(ends_with_backslash);
        self.after_word = is_word;
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// True when the last backslash begins a command, and is not itself escaped.
fn ends_with_backslash(text: &str) -> bool {
    text.bytes().rev().take_while(|it| *it == b'\\').count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_groups_or_single_tokens() {
        let mut reader = Reader::new(r" {a{b}\}c}x\alpha[d{]}]e");
        assert_eq!(reader.argument(), Some(r"a{b}\}c"));
        assert_eq!(reader.argument(), Some("x"));
        assert_eq!(reader.argument(), Some(r"\alpha"));
        assert_eq!(reader.optional(), Some("d{]}"));
        assert_eq!(reader.rest(), "e");
        assert_eq!(Reader::new("{open").argument(), None);
    }

    #[test]
    fn names_and_letters_stay_apart() {
        let mut writer = Writer::default();
        for piece in [r"\mathbf", "x", r"\\", "y", r"\a", "{b}", r"\c", "2"] {
            writer.push(piece);
        }
        assert_eq!(writer.finish(), r"\mathbf x\\y\a{b}\c2");
    }
}
