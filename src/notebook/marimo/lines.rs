//! Lines of a file as marimo counts them, and the pieces that it takes out.

use std::ops::Range;

use crate::notebook::dedent::{self, Line, is_space};
use crate::python::Outline;

use super::Reader;

/// Lines of the content; `starts` are those of lines that end with `\n`.
pub(super) fn lines(text: &str, starts: &[u32]) -> Vec<Range<u32>> {
    let front = text.len() - text.trim_start_matches(|c| is_space(c) || c == '\u{feff}').len();
    let content = text.trim_matches(|c| is_space(c) || c == '\u{feff}');
    let front = front as u32;
    if content.contains('\r') {
        let lines = dedent::ranges(content).into_iter();
        return lines.map(|it| it.start + front..it.end + front).collect();
    }
    let end = front + content.len() as u32;
    let first = starts.partition_point(|it| *it <= front);
    let inner = starts.iter().copied().skip(first).take_while(|it| *it <= end);
    let starts: Vec<u32> = std::iter::once(front).chain(inner).collect();
    let ends = starts.iter().skip(1).map(|it| it - 1).chain([end]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

impl<'a> Reader<'a> {
    /// The lines from the start of a piece to the end of its last statement.
    pub(super) fn lines_of(&self, outline: &Outline, base: u32) -> Range<usize> {
        let end = outline.statements.last().map_or(base, |it| it.range.end + base);
        let line = |offset| self.lines.partition_point(|it| it.start <= offset);
        line(base).saturating_sub(1)..line(end)
    }

    /// Index of the line that holds an offset of the piece being read.
    pub(super) fn line_of(&self, offset: u32) -> usize {
        let lines = self.lines.get(self.piece.clone()).unwrap_or_default();
        let after = self.piece.start + lines.partition_point(|it| it.start <= offset);
        after.saturating_sub(1)
    }

    pub(super) fn line_text(&self, index: usize) -> &'a str {
        let range = self.lines.get(index).cloned().unwrap_or(0..0);
        self.text.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    /// The file from a line and column to a line and offset, both included, as lines.
    pub(super) fn extract(
        &self,
        first: usize,
        column: usize,
        last: usize,
        end: Option<u32>,
    ) -> Vec<Line<'a>> {
        if last < first {
            // When marimo's line numbers slip past the end, it joins both ends, backwards.
            let mut lines = self.extract(first, column, first, None);
            let start = lines.first().map_or(0, |it| it.start);
            lines.push(Line { text: "".into(), start });
            lines.extend(self.extract(last, 0, last, end));
            return lines;
        }
        let mut found = Vec::new();
        for index in first..=last {
            let Some(range) = self.lines.get(index) else { break };
            let mut range = range.clone();
            if index == first {
                range.start = (range.start + column as u32).min(range.end);
            }
            if let Some(end) = end.filter(|_| index == last) {
                range.end = end.clamp(range.start, range.end);
            }
            let text = self.text.get(range.start as usize..range.end as usize);
            found.push(Line { text: text.unwrap_or_default().into(), start: range.start });
        }
        found
    }

    /// Comments after the last statement that are indented like the body belong to it.
    pub(super) fn trailing(&self, after: usize, indent: &str) -> Vec<Line<'a>> {
        let belongs = |index: &usize| {
            let line = self.line_text(*index);
            line.chars().all(is_space) || line.starts_with(indent)
        };
        let end = (after..self.lines.len()).take_while(belongs).last();
        let Some(end) = end else { return Vec::new() };
        let mut lines = self.extract(after, 0, end, None);
        while lines.last().is_some_and(|it| it.text.chars().all(is_space)) {
            lines.pop();
        }
        if let Some(last) = lines.last_mut() {
            last.trim_end();
        }
        lines
    }

    pub(super) fn indent_at(&self, offset: u32) -> &str {
        let line = self.line_text(self.line_of(offset));
        let length = line.len() - line.trim_start_matches(is_space).len();
        line.get(..length).unwrap_or_default()
    }

    /// Like [`Reader::trailing`] for cells: there marimo joins the first of these lines to the last
    /// line of the body, and requires two lines. Returns the number of bytes added.
    pub(super) fn add_trailing(&self, lines: &mut Vec<Line<'a>>, to: usize) -> usize {
        // The whitespace in front of the body, which may go over several lines.
        let mut indent = String::new();
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                indent.push('\n');
            }
            let length = line.text.len() - line.text.trim_start_matches(is_space).len();
            indent.push_str(line.text.get(..length).unwrap_or_default());
            if length < line.text.len() {
                break;
            }
        }
        let mut size = 0;
        let belongs = |index: &usize| {
            let line = self.line_text(*index);
            size += line.len();
            size <= self.extra && (line.starts_with(&indent) || line.chars().all(is_space))
        };
        let end = (to + 1..self.lines.len()).take_while(belongs).last();
        let Some(end) = end.filter(|&end| end > to + 1) else { return 0 };
        let mut added = self.extract(to + 1, 0, end, None);
        while added.len() > 1 && added.last().is_some_and(|it| it.text.chars().all(is_space)) {
            added.pop();
        }
        if let Some(last) = added.last_mut() {
            last.trim_end();
        }
        let mut added = added.into_iter();
        if let (Some(last), Some(first)) = (lines.last_mut(), added.next()) {
            last.text.to_mut().push_str(&first.text);
        }
        lines.extend(added);
        size.min(self.extra)
    }
}
