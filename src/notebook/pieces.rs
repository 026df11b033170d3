//! Prose cut into the pieces in which marks of other tools mean something, and those in which they are text.
//!
//! In: Markdown. Out: its lines, its fenced blocks, its comments. Quotes and lists are not followed: a fence in them is one
//! however far it is indented.

use std::ops::Range;

/// A piece of prose, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A line, with its break.
    Line(Range<usize>),
    /// A fenced block.
    Fence(FencedBlock<'a>),
    /// A comment of HTML that begins a line.
    Comment(Range<usize>),
}

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FencedBlock<'a> {
    /// The block with its fences.
    pub(super) whole: Range<usize>,
    /// The text behind the opening fence.
    pub(super) info: &'a str,
    /// The text between the fences.
    pub(super) body: Range<usize>,
}

impl FencedBlock<'_> {
    /// The word in the braces of ```` ```{word options} argument ````, and the options. Attributes, as in
    /// ```` ```{.python} ````, are no word.
    pub(super) fn braces(&self) -> Option<(&str, &str)> {
        let inner = self.info.strip_prefix('{')?;
        let inner = inner.split_once('}').map_or(inner, |(inner, _)| inner);
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_-:+".contains(c);
        let (word, options) =
            inner.split_at(inner.find(|c: char| !is_name(c)).unwrap_or(inner.len()));
        let is_word = word.starts_with(|c: char| c.is_ascii_alphabetic());
        is_word.then_some((word, options))
    }
}

/// A line that opens or closes a fence.
struct Mark<'a> {
    character: u8,
    length: usize,
    info: &'a str,
}

impl<'a> Mark<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let text = line.trim_start_matches([' ', '\t', '>']);
        let character = *text.as_bytes().first().filter(|it| [b'`', b'~'].contains(it))?;
        let info = text.trim_start_matches(char::from(character));
        let length = text.len() - info.len();
        let is_mark = length >= 3 && !(character == b'`' && info.contains('`'));
        is_mark.then(|| Self { character, length, info: info.trim() })
    }

    fn is_closed_by(&self, other: &Self) -> bool {
        other.info.is_empty() && other.character == self.character && other.length >= self.length
    }
}

/// All pieces of a text, in their order.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut start = 0;
    let lines = text.split_inclusive('\n').map(|line| {
        let range = start..start + line.len();
        start = range.end;
        range
    });
    let lines: Vec<Range<usize>> = lines.collect();
    let line_at = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
    let mut found = Vec::with_capacity(lines.len());
    // Fences as long as this are not closed in the rest of the text, so that none is looked for twice.
    let mut unclosed: [usize; 2] = [usize::MAX; 2];
    let mut at = 0;
    while let Some(range) = lines.get(at) {
        let line = line_at(range);
        let rest = lines.get(at + 1..).unwrap_or_default();
        at += 1;
        if line.trim_start().starts_with("<!--") {
            let ends = |it: &Range<usize>| line_at(it).contains("-->");
            let more = if line.contains("-->") {
                0
            } else {
                rest.iter().position(ends).map_or(rest.len(), |it| it + 1)
            };
            let end = rest.get(..more).and_then(<[_]>::last).map_or(range.end, |it| it.end);
            found.push(Piece::Comment(range.start..end));
            at += more;
            continue;
        }
        let Some(mark) = Mark::of(line) else {
            found.push(Piece::Line(range.clone()));
            continue;
        };
        let kind = usize::from(mark.character == b'~');
        let known = unclosed.get(kind).copied().unwrap_or(usize::MAX);
        let closes =
            |it: &Range<usize>| Mark::of(line_at(it)).is_some_and(|it| mark.is_closed_by(&it));
        let close = if mark.length >= known { None } else { rest.iter().position(closes) };
        // Without an end, only a cell is one.
        let length = match close {
            Some(close) => close,
            None if mark.info.starts_with('{') => rest.len(),
            None => {
                if let Some(it) = unclosed.get_mut(kind) {
                    *it = mark.length.min(known);
                }
                found.push(Piece::Line(range.clone()));
                continue;
            }
        };
        let body =
            range.end..rest.get(..length).and_then(<[_]>::last).map_or(range.end, |it| it.end);
        let end = rest.get(length).map_or(body.end, |it| it.end);
        found.push(Piece::Fence(FencedBlock { whole: range.start..end, info: mark.info, body }));
        at += length + usize::from(close.is_some());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Vec<String> {
        let all = pieces(text);
        let mut end = 0;
        let told = all.iter().map(|it| {
            let (range, name) = match it {
                Piece::Line(range) => (range, "line".to_owned()),
                Piece::Fence(it) => {
                    (&it.whole, format!("{} <{}>", it.info, text[it.body.clone()].trim_end()))
                }
                Piece::Comment(range) => (range, "comment".to_owned()),
            };
            assert_eq!(range.start, end, "{text}");
            end = range.end;
            name
        });
        let told = told.collect();
        assert_eq!(end, text.len(), "{text}");
        told
    }

    #[test]
    fn fences_and_comments_are_set_apart_from_lines() {
        assert_eq!(
            check("a\n```{r}\nx\n```\n> ~~~\n> b\n> ~~~\n<!-- a\nb --> c\nd"),
            ["line", "{r} <x>", " <> b>", "comment", "line"]
        );
        assert_eq!(check("````\n```\nx\n````"), [" <```\nx>"]);
        assert_eq!(check("    ```{python}\n    x"), ["{python} <    x>"]);
        assert_eq!(check("```python\na\n"), ["line", "line"]);
        assert_eq!(check("<!-- a\n```\n"), ["comment"]);
        assert_eq!(check("```a``` b\n"), ["line"]);
        assert_eq!(check(""), [""; 0]);
    }

    #[test]
    fn many_fences_without_an_end_cost_one_look() {
        assert_eq!(check(&"```a\n".repeat(200_000)).len(), 200_000);
    }

    #[test]
    fn words_in_braces_are_told_from_attributes() {
        let of = |info| {
            let block = FencedBlock { whole: 0..0, info, body: 0..0 };
            block.braces().map(|(word, rest)| (word.to_owned(), rest.to_owned()))
        };
        let some = |word: &str, rest: &str| Some((word.to_owned(), rest.to_owned()));
        assert_eq!(of("{python, echo=FALSE}"), some("python", ", echo=FALSE"));
        assert_eq!(of("{code-cell} ipython3"), some("code-cell", ""));
        assert_eq!(of("{prf:theorem} A"), some("prf:theorem", ""));
        for info in ["{.python}", "{=html}", "{#id .a}", "python", "{{python}}"] {
            assert_eq!(of(info), None, "{info}");
        }
    }
}
