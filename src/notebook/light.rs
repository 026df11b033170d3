//! Cells of the other kinds of scripts that hold notebooks: jupytext's light format, and source files of Databricks.
//!
//! In: lines of a Python file. Out: cells, each with the line that begins it, for [`super::percent`]. Light scripts have no
//! markers: a paragraph of comments is prose, and one of code is a cell.

use crate::source::{SourceId, Span};

use super::CellKind;
use super::line::Line;
use super::percent::Marker;

/// The first line of a notebook that Databricks exports.
const DATABRICKS: &str = "# Databricks notebook source";
const SEPARATOR: &str = "# COMMAND ----------";

/// A cell: its marker, and its lines.
pub(super) type Lines<'a> = (Marker, Vec<Line<'a>>);

/// Whether a text is a notebook of Databricks.
pub(super) fn is_databricks(text: &str) -> bool {
    let first = text.trim_start_matches('\u{feff}').lines().next();
    first.is_some_and(|it| it.trim_end() == DATABRICKS)
}

/// Cells of Databricks. Those in other languages than Python are blocks of code in prose; `left_out` gets them.
pub(super) fn databricks<'a>(
    lines: impl Iterator<Item = Line<'a>>,
    source: SourceId,
    left_out: &mut Vec<(Span, String)>,
) -> Vec<Lines<'a>> {
    let mut cells: Vec<Lines<'a>> = vec![Lines::default()];
    for line in lines.filter(|it| it.text.trim_end() != DATABRICKS) {
        if line.text.trim_end() == SEPARATOR {
            cells.push(Lines::default());
        } else if let Some((marker, own)) = cells.last_mut() {
            match line.text.strip_prefix("# DBTITLE ") {
                Some(title) => {
                    let title = title.split_once(',').map_or(title, |(_, title)| title);
                    marker.title = title.trim().to_owned();
                }
                None => own.push(line),
            }
        }
    }
    cells.into_iter().map(|it| without_magic(it, source, left_out)).collect()
}

/// A cell of Databricks with `# MAGIC` taken away.
fn without_magic<'a>(
    (mut marker, lines): Lines<'a>,
    source: SourceId,
    left_out: &mut Vec<(Span, String)>,
) -> Lines<'a> {
    let is_magic = |it: &Line<'_>| it.text.starts_with("# MAGIC");
    let mut lines: Vec<Line<'a>> = lines;
    for line in lines.iter_mut().filter(|it| is_magic(it)) {
        line.cut("# MAGIC".len());
        line.cut(usize::from(line.text.starts_with(' ')));
    }
    let Some(at) = lines.iter().position(|it| !it.text.trim().is_empty()) else {
        return (marker, Vec::new());
    };
    lines.drain(..at);
    let first = lines.first().map(|it| it.text.to_string()).unwrap_or_default();
    let Some(rest) = first.strip_prefix('%') else { return (marker, lines) };
    let word: String =
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    let span = lines.first().map_or(Span::new(source, 0, 0), |it| {
        Span::new(source, it.start, it.start + it.text.len() as u32)
    });
    let cut = 1 + word.len();
    match word.as_str() {
        "md" | "md-sandbox" => {
            marker.kind = Some(CellKind::Markdown);
            marker.is_text = true;
            if let Some(first) = lines.first_mut() {
                first.cut(cut);
            }
        }
        "python" => {
            if let Some(first) = lines.first_mut() {
                first.cut(cut);
            }
        }
        "pip" | "conda" => {}
        _ => {
            marker.kind = Some(CellKind::Markdown);
            marker.is_text = true;
            left_out.push((span, word.clone()));
            if !["run", "fs"].contains(&word.as_str()) {
                trim(&mut lines, cut);
            }
            while lines.last().is_some_and(|it| it.text.trim().is_empty()) {
                lines.pop();
            }
            let start = lines.first().map_or(0, |it| it.start);
            let end = lines.last().map_or(start, |it| it.start + it.text.len() as u32);
            let fence = "`".repeat(3.max(longest_run(&lines) + 1));
            lines.insert(0, Line::made(format!("{fence}{word}"), start));
            lines.push(Line::made(fence, end));
        }
    }
    (marker, lines)
}

/// Takes a word away from the first line, and the line if nothing else is on it.
fn trim(lines: &mut Vec<Line<'_>>, length: usize) {
    if let Some(first) = lines.first_mut() {
        first.cut(length);
        if first.text.trim().is_empty() {
            lines.remove(0);
        }
    }
}

/// The most backticks that follow each other.
fn longest_run(lines: &[Line<'_>]) -> usize {
    let runs = lines
        .iter()
        .flat_map(|it| it.text.split(|c: char| c != '`').map(str::len).collect::<Vec<_>>());
    runs.max().unwrap_or(0)
}

/// Cells of a light script: paragraphs, and what stands between `# +` and `# -`.
pub(super) fn light<'a>(lines: impl Iterator<Item = Line<'a>>) -> Vec<Lines<'a>> {
    let lines: Vec<Line<'a>> = lines.collect();
    let mut cells = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let rest = lines.get(at..).unwrap_or_default();
        if line.text.trim().is_empty() || is_end(line) {
            at += 1;
        } else if let Some(marker) = Marker::of_light(&line.text) {
            let inner = rest.get(1..).unwrap_or_default();
            let ends = |it: &Line<'_>| is_end(it) || Marker::of_light(&it.text).is_some();
            let length = inner.iter().position(ends).unwrap_or(inner.len());
            cells.push((marker.at(line), inner.get(..length).unwrap_or_default().to_vec()));
            at += 1 + length;
        } else {
            let (kind, length) = paragraph(rest);
            let marker = Marker { kind, ..Marker::default() };
            cells.push((marker, rest.get(..length).unwrap_or_default().to_vec()));
            at += length;
        }
    }
    cells
}

fn is_end(line: &Line<'_>) -> bool {
    line.text.trim_end() == "# -"
}

/// The kind and the number of lines of the paragraph at the start. Blank lines within a block or a string end no cell.
fn paragraph(lines: &[Line<'_>]) -> (Option<CellKind>, usize) {
    let is_blank = |it: &Line<'_>| it.text.trim().is_empty();
    let comments = lines.iter().take_while(|it| is_prose(&it.text)).count();
    if comments > 0 && lines.get(comments).is_none_or(is_blank) {
        return (Some(CellKind::Markdown), comments);
    }
    let mut quotes = 0;
    for (at, line) in lines.iter().enumerate() {
        let stops = at > 0 && (is_end(line) || Marker::of_light(&line.text).is_some());
        if stops {
            return (None, at);
        }
        if is_blank(line) && quotes % 2 == 0 {
            let next = lines.get(at..).unwrap_or_default().iter().find(|it| !is_blank(it));
            let goes_on = |it: &Line<'_>| it.text.starts_with([' ', '\t', ')', ']', '}']);
            if !next.is_some_and(goes_on) {
                return (None, at);
            }
        }
        quotes += line.text.matches("\"\"\"").count() + line.text.matches("'''").count();
    }
    (None, lines.len())
}

/// Whether a line is a comment, and neither a magic nor a directive of the file.
fn is_prose(text: &str) -> bool {
    text.starts_with('#') && !text.starts_with("#!") && super::percent::magic(text).is_none()
}
