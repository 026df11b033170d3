//! Lines of a notebook and marimo's way of removing their indentation.
//!
//! In: lines that know where they stand in the file. Out: the code of a cell, byte for byte what
//! marimo 0.25 makes of it, and the map back to the file. What looks odd here (blank lines are
//! filled up before they are cut, the inside of some strings is cut as well) changes the values of
//! strings, so the engine and nbc must do the same.

use std::borrow::Cow;
use std::ops::Range;

use super::Origin;
use crate::source::SourceId;

/// A line, or a part of one, without its line break.
#[derive(Debug, Clone)]
pub(super) struct Line<'a> {
    /// The text.
    pub(super) text: Cow<'a, str>,
    /// Offset of its start in the file.
    pub(super) start: u32,
}

impl Line<'_> {
    /// Removes bytes at the start, which must be whole characters.
    fn cut(&mut self, bytes: usize) {
        match &mut self.text {
            Cow::Borrowed(text) => *text = text.get(bytes..).unwrap_or_default(),
            Cow::Owned(text) => {
                text.drain(..bytes);
            }
        }
    }

    /// Removes whitespace at the end.
    pub(super) fn trim_end(&mut self) {
        let length = self.text.trim_end_matches(is_space).len();
        match &mut self.text {
            Cow::Borrowed(text) => *text = text.get(..length).unwrap_or_default(),
            Cow::Owned(text) => text.truncate(length),
        }
    }
}

/// A cell's code and where it comes from.
#[derive(Debug)]
pub(super) struct Code {
    /// The code.
    pub(super) text: String,
    /// (offset in the code, offset in the source) of every line.
    pub(super) anchors: Vec<(u32, u32)>,
}

impl Code {
    pub(super) fn origin(&mut self, source: SourceId) -> Origin {
        Origin::pieces(source, std::mem::take(&mut self.anchors))
    }

    fn join(lines: &[Line<'_>]) -> Self {
        let length = lines.iter().map(|it| it.text.len() + 1).sum();
        let text = String::with_capacity(length);
        let mut code = Self { text, anchors: Vec::with_capacity(lines.len()) };
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                code.text.push('\n');
            }
            code.anchors.push((code.text.len() as u32, line.start));
            code.text.push_str(&line.text);
        }
        code
    }

    /// Python's `str.strip`.
    pub(super) fn strip(mut self) -> Self {
        let front = self.text.len() - self.text.trim_start_matches(is_space).len();
        self.text.drain(..front);
        let length = self.text.trim_end_matches(is_space).len();
        self.text.truncate(length);
        let front = front as u32;
        let first = self.anchors.partition_point(|&(code, _)| code <= front).saturating_sub(1);
        self.anchors.drain(..first);
        for (code, source) in &mut self.anchors {
            *source += front.saturating_sub(*code);
            *code = code.saturating_sub(front);
        }
        self
    }
}

/// Whitespace as Python's `str` methods know it.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// Leading whitespace, in bytes and in characters.
fn indent(line: &str) -> (usize, usize) {
    let rest = line.trim_start_matches(is_space);
    let bytes = line.len() - rest.len();
    (bytes, line.get(..bytes).unwrap_or_default().chars().count())
}

fn is_blank(line: &str) -> bool {
    line.chars().all(is_space)
}

/// Splits as Python's tokenizer does: at `\n`, `\r` and `\r\n` only.
pub(super) fn split(text: &str, start: u32) -> Vec<Line<'_>> {
    let piece = |range: Range<u32>| Line {
        text: text.get(range.start as usize..range.end as usize).unwrap_or_default().into(),
        start: start + range.start,
    };
    ranges(text).into_iter().map(piece).collect()
}

/// The ranges of the lines, without their breaks.
pub(super) fn ranges(text: &str) -> Vec<Range<u32>> {
    let mut found = Vec::new();
    let mut from = 0u32;
    if !text.contains('\r') {
        for (at, _) in text.match_indices('\n') {
            found.push(from..at as u32);
            from = at as u32 + 1;
        }
        found.push(from..text.len() as u32);
        return found;
    }
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        if matches!(byte, b'\n' | b'\r') {
            found.push(from..at as u32);
            from = at as u32 + 1;
            if byte == b'\r' && bytes.next_if(|&(_, next)| next == b'\n').is_some() {
                from += 1;
            }
        }
    }
    found.push(from..text.len() as u32);
    found
}

/// Removes the indentation of a cell's body; `strings` are the strings of the file that span
/// lines, in order.
pub(super) fn dedent(mut lines: Vec<Line<'_>>, strings: &[Range<u32>]) -> Code {
    // The first line begins with code, wherever a slip of marimo's arithmetic made it begin.
    let inside = |index: usize, line: &Line<'_>| {
        index > 0 && {
            let after = strings.partition_point(|it| it.start < line.start);
            after > 0 && strings.get(after - 1).is_some_and(|it| line.start < it.end)
        }
    };
    let protected: Vec<bool> = lines.iter().enumerate().map(|(at, it)| inside(at, it)).collect();
    let first_code = lines.iter().zip(&protected).find(|(it, kept)| !**kept && !is_blank(&it.text));
    let Some((first, _)) = first_code else {
        for line in &mut lines {
            if line.text.chars().all(|c| c == ' ' || c == '\t') {
                line.text = Cow::Borrowed("");
            }
        }
        return Code::join(&lines);
    };
    let prefix: String = first.text.get(..indent(&first.text).0).unwrap_or_default().to_owned();
    if lines.len() > 1 && lines.last().is_some_and(|it| it.text.is_empty()) {
        lines.pop();
    }
    let mut filled = vec![0usize; lines.len()];
    for ((line, kept), filled) in lines.iter_mut().zip(&protected).zip(&mut filled) {
        if !kept && !line.text.starts_with(&prefix) {
            line.text.to_mut().insert_str(0, &prefix);
            *filled = prefix.len();
        }
    }
    let base = lines
        .iter()
        .zip(&protected)
        .filter(|(line, kept)| !**kept && !is_blank(&line.text))
        .map(|(line, _)| indent(&line.text).1)
        .min()
        .unwrap_or(0);
    if base == 0 {
        return Code::join(&lines);
    }
    let kept = kept_strings(&lines, &protected, base);
    for ((line, kept), filled) in lines.iter_mut().zip(kept).zip(filled) {
        if kept {
            continue;
        }
        let cut = line.text.bytes().take(base).take_while(|it| matches!(it, b' ' | b'\t')).count();
        line.cut(cut);
        line.start += cut.saturating_sub(filled) as u32;
    }
    Code::join(&lines)
}

/// Lines in strings whose inside is indented less than the code: cutting would eat their text.
fn kept_strings(lines: &[Line<'_>], protected: &[bool], base: usize) -> Vec<bool> {
    let mut kept = Vec::with_capacity(lines.len());
    let mut from = 0;
    while from < lines.len() {
        let inside = protected.get(from).copied().unwrap_or(false);
        let run = protected.iter().skip(from).take_while(|it| **it == inside).count();
        let run = run.clamp(1, lines.len() - from);
        let block = lines.iter().skip(from).take(run);
        let under =
            inside && block.filter(|it| !is_blank(&it.text)).any(|it| indent(&it.text).1 < base);
        kept.extend(std::iter::repeat_n(under, run));
        from += run;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> String {
        let strings = crate::python::long_strings(&format!("if 1:\n{text}"));
        let strings: Vec<_> = strings
            .into_iter()
            .map(|it| it.start.saturating_sub(6)..it.end.saturating_sub(6))
            .collect();
        dedent(split(text, 0), &strings).text
    }

    #[test]
    fn a_string_is_cut_with_its_code_unless_that_would_eat_its_text() {
        assert_eq!(check("    a = '''\n    b\n    '''"), "a = '''\nb\n'''");
        assert_eq!(check("    a = '''\n  b\n    '''"), "a = '''\n  b\n    '''");
    }

    #[test]
    fn lines_break_where_python_breaks_them() {
        assert_eq!(check("    a\r    b\r\n    c\x0cd"), "a\nb\nc\x0cd");
    }

    #[test]
    fn every_line_leads_back_to_the_file() {
        let code = dedent(split("    a\n\n    b", 10), &[]);
        assert_eq!(code.text, "a\n\nb");
        assert_eq!(code.anchors, [(0, 14), (2, 16), (3, 21)]);
    }
}
