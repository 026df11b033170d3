//! The code of a cell and the way back to the file.
//!
//! In: pieces of a source, changed or not. Out: [`CellCode`], which shares the text of the source
//! where it can, and [`Origin`], which maps offsets.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::source::{Source, SourceId, Span};

/// The code of a cell: a part of its source's text, or a text of its own.
#[derive(Clone, Default)]
pub struct CellCode {
    text: Arc<str>,
    start: u32,
    end: u32,
}

impl CellCode {
    /// The text that `origin` leads to, if that is `text` to the byte; else `text` itself.
    pub(super) fn of(text: String, origin: &Origin, source: &Source) -> Self {
        let start = origin.first.start as usize;
        let place = start..start + text.len();
        let own = source.text().get(place.clone()).filter(|_| origin.rest.is_empty());
        if own == Some(&text) { Self::part(source.shared_text(), place) } else { text.into() }
    }

    /// A part of a text.
    pub(super) fn part(text: &Arc<str>, range: Range<usize>) -> Self {
        Self { text: Arc::clone(text), start: range.start as u32, end: range.end as u32 }
    }
}

impl<T: Into<Arc<str>>> From<T> for CellCode {
    fn from(text: T) -> Self {
        let text = text.into();
        let end = text.len() as u32;
        Self { text, start: 0, end }
    }
}

impl Deref for CellCode {
    type Target = str;

    fn deref(&self) -> &str {
        self.text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

impl fmt::Debug for CellCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, out)
    }
}

impl PartialEq<&str> for CellCode {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

/// Maps offsets in a cell's code to offsets in its source, piece by piece: marimo's bodies are
/// dedented, so one shift for the whole cell would not do.
#[derive(Debug, Clone)]
pub struct Origin {
    source: SourceId,
    first: Anchor,
    /// In the order of the code.
    rest: Box<[Anchor]>,
}

/// Source position of a piece of code.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    code: u32,
    start: u32,
    /// Offsets in the code that lead beyond are taken as this.
    end: u32,
}

impl Anchor {
    const WHOLE: Self = Self { code: 0, start: 0, end: u32::MAX };

    /// Whether offsets before `next` lead to where they would if both were one piece.
    fn goes_on_in(self, next: Self) -> bool {
        let length = next.code.saturating_sub(self.code);
        next.start.checked_sub(self.start) == Some(length)
            && next.start <= self.end.saturating_add(1)
    }
}

impl Origin {
    /// Code that stands in its source unchanged, from `start` on.
    pub fn verbatim(source: SourceId, start: u32) -> Self {
        let first = Anchor { start, ..Anchor::WHOLE };
        Self { source, first, rest: Box::default() }
    }

    /// Code whose pieces start at the given (code, source) offsets, sorted by code offset; an
    /// empty list is taken as verbatim from 0.
    pub fn pieces(source: SourceId, anchors: Vec<(u32, u32)>) -> Self {
        let endless = anchors.into_iter().map(|(code, start)| (code, start..u32::MAX));
        Self::places(source, endless)
    }

    /// Code whose pieces, that start at these offsets, come from these ranges of the source: what
    /// is longer than its range was made, and stands at the end of it.
    pub fn places(source: SourceId, places: impl IntoIterator<Item = (u32, Range<u32>)>) -> Self {
        let anchors = places.into_iter();
        let mut anchors =
            anchors.map(|(code, range)| Anchor { code, start: range.start, end: range.end });
        let mut first = anchors.next().unwrap_or(Anchor::WHOLE);
        let mut rest: Vec<Anchor> = Vec::new();
        for next in anchors {
            let last = rest.last_mut().unwrap_or(&mut first);
            if last.goes_on_in(next) {
                last.end = next.end;
            } else {
                rest.push(next);
            }
        }
        Self { source, first, rest: rest.into() }
    }

    /// The source that the code comes from.
    pub fn source(&self) -> SourceId {
        self.source
    }

    /// The span in the source of a range of bytes of the code.
    pub fn span(&self, start: usize, end: usize) -> Span {
        let locate = |offset: usize| self.locate(u32::try_from(offset).unwrap_or(u32::MAX));
        Span::new(self.source, locate(start), locate(end))
    }

    /// The offset in the source of one in the code.
    pub(super) fn locate(&self, offset: u32) -> u32 {
        let after = self.rest.partition_point(|it| it.code <= offset);
        let anchor = after.checked_sub(1).and_then(|it| self.rest.get(it)).unwrap_or(&self.first);
        (anchor.start + offset.saturating_sub(anchor.code)).min(anchor.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    #[test]
    fn pieces_that_follow_each_other_are_one() {
        let mut sources = Sources::default();
        let id = sources.add("a.py".into(), None, "ab\ncd\n  ef".to_owned());
        let source = sources.get(id);
        let places = [(0, 0..2), (3, 3..5), (6, 8..10)];
        let origin = Origin::places(id, places.clone());
        assert_eq!(origin.rest.len(), 1);
        for (code, range) in places {
            for at in 0..=2 {
                assert_eq!(origin.locate(code + at), range.start + at);
            }
        }
        assert_eq!(origin.locate(99), 10);
        let own = CellCode::of("ab\ncd\nef".to_owned(), &origin, source);
        assert_eq!(own, "ab\ncd\nef");
        assert!(!Arc::ptr_eq(&own.text, source.shared_text()));
        let shared = CellCode::of("cd".to_owned(), &Origin::verbatim(id, 3), source);
        assert_eq!(shared, "cd");
        assert!(Arc::ptr_eq(&shared.text, source.shared_text()));
    }

    #[test]
    fn made_text_stands_at_the_end_of_its_place() {
        let mut sources = Sources::default();
        let id = sources.add("a.py".into(), None, "a\nb".to_owned());
        // `a` grew by two bytes.
        let origin = Origin::places(id, [(0, 0..1), (4, 2..3)]);
        assert_eq!((0..5).map(|it| origin.locate(it)).collect::<Vec<_>>(), [0, 1, 1, 1, 2]);
    }
}
