//! Lines of a text with their places in the file, which stay right when a line is rewritten.

use std::borrow::Cow;
use std::ops::Range;

/// Offset of a piece in a text, and its range in the file.
type Piece = (u32, Range<u32>);

/// One line without its break.
#[derive(Debug, Clone)]
pub(super) struct Line<'a> {
    /// The text; a line that marimo rewrites is not the one of the file.
    pub text: Cow<'a, str>,
    /// Offset of its start in the file.
    pub start: u32,
    /// Origins of the pieces of a rewritten text; none when the text is the file's.
    places: Option<Box<[Piece]>>,
}

impl<'a> Line<'a> {
    /// A line as it is in the file.
    pub fn new(text: impl Into<Cow<'a, str>>, start: u32) -> Self {
        Self { text: text.into(), start, places: None }
    }

    /// Takes bytes away from its start.
    pub fn cut(&mut self, length: usize) {
        if self.text.is_char_boundary(length) {
            self.text.to_mut().drain(..length);
            self.start += length as u32;
        }
    }

    /// A text that is not in the file.
    pub fn made(text: impl Into<Cow<'a, str>>, start: u32) -> Self {
        Self { text: text.into(), start, places: Some([(0, start..start)].into()) }
    }

    /// The line without the first blanks, at most so many. It is one of the file.
    pub fn without_blanks(&self, most: usize) -> Self {
        let cut = self.text.bytes().take(most).take_while(|it| *it == b' ').count();
        let mut line = self.clone();
        line.start += cut as u32;
        line.text = match line.text {
            Cow::Borrowed(text) => text.get(cut..).unwrap_or_default().into(),
            Cow::Owned(text) => text.get(cut..).unwrap_or_default().to_owned().into(),
        };
        line
    }

    /// Origins of its pieces, for a text that has `before` in front.
    pub fn places(&self, before: usize) -> impl Iterator<Item = (u32, Range<u32>)> {
        let whole = self.start..self.start + self.text.len() as u32;
        let unchanged = self.places.is_none().then_some((0, whole));
        let pieces = self.places.iter().flatten().cloned();
        unchanged.into_iter().chain(pieces).map(move |(at, range)| (at + before as u32, range))
    }

    /// Text put before the line.
    pub fn after(self, before: &str) -> Self {
        let made = std::iter::once((0, self.start..self.start));
        let places = Some(made.chain(self.places(before.len())).collect());
        Self { text: format!("{before}{}", self.text).into(), start: self.start, places }
    }

    /// The line without tabs: they reach to the next multiple of 4; marimo hands cells to Python
    /// that way.
    pub fn expanded(&self) -> Self {
        /// Text after more tabs has no place of its own, so that a line of tabs costs little.
        const MOST_PLACES: usize = 1000;
        if !self.text.contains('\t') {
            return self.clone();
        }
        let mut text = String::with_capacity(self.text.len() + 8);
        let mut places = Vec::new();
        let (mut column, mut at) = (0, self.start);
        for part in self.text.split_inclusive('\t') {
            let end = at + part.len() as u32;
            if places.len() <= MOST_PLACES {
                let stop = if places.len() < MOST_PLACES { end } else { at };
                places.push((text.len() as u32, at..stop));
            }
            at = end;
            let plain = part.strip_suffix('\t');
            text.push_str(plain.unwrap_or(part));
            column += plain.unwrap_or(part).chars().count();
            if plain.is_some() {
                let width = 4 - column % 4;
                text.extend(std::iter::repeat_n(' ', width));
                column += width;
            }
        }
        Self { text: text.into(), start: self.start, places: Some(places.into()) }
    }
}

/// The lines of a text. A `\r` ends a line, too: Python opens files that way.
pub(super) fn lines(text: &str, base: u32) -> impl Iterator<Item = Line<'_>> {
    let (mut rest, mut start) = (Some(text), base);
    std::iter::from_fn(move || {
        let text = rest?;
        let found = memchr::memchr2(b'\n', b'\r', text.as_bytes());
        let end = found.unwrap_or(text.len());
        let line = Line::new(text.get(..end).unwrap_or_default(), start);
        let after = text.get(end..).unwrap_or_default();
        let width = if after.starts_with("\r\n") { 2 } else { 1 };
        start += (end + width) as u32;
        rest = found.and_then(|_| after.get(width..));
        Some(line)
    })
}
