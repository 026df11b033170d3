//! Text and cells that their author hides: conditional text of Quarto, cells of other languages whose code is not shown,
//! comments of MyST.
//!
//! In: the cells of a notebook. Out: the same without this text; cells inside it run, and are not shown. Divs go across
//! cells, as they do in Quarto, where a cell is a block of the document.

use std::collections::BTreeSet;
use std::ops::Range;

use super::code::{CellCode, Origin};
use super::execution::CodeOptions;
use super::pieces::{FencedBlock, Piece, pieces};
use super::quarto::Document;
use super::{Cell, CellKind, CodeVisibility};
use crate::source::Span;

/// Lines in which the tags of a cell are looked for that nbc does not run.
const LONGEST_HEAD: usize = 20;

/// The tool whose marks a notebook's prose has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Jupyter's.
    Plain,
    Quarto,
    Myst,
    Marimo,
}

impl Dialect {
    /// The dialect of a format that other tools than Quarto read as well.
    pub(super) fn of(document: &Document) -> Self {
        if document.is_quarto { Self::Quarto } else { Self::Plain }
    }
}

/// An open div.
struct Div {
    hides: bool,
    /// Whether formulas in it are kept, which define what others use.
    keeps_formulas: bool,
    /// Whether its own lines are marks that are understood.
    is_understood: bool,
}

/// The divs that are open where a cell begins.
struct Hider<'a> {
    /// Cells that nbc does not run and whose code is not shown, each with its language.
    left_out: Vec<(Span, String)>,
    document: &'a Document,
    dialect: Dialect,
    divs: Vec<Div>,
    /// Open elements of HTML, from the `div` on that hides what is in it.
    hidden_elements: usize,
    is_in_formula: bool,
}

/// Leaves out what the author hides. Gives the cells that nothing remains of, because nbc does not run them.
pub(super) fn hide(
    cells: &mut [Cell],
    document: &Document,
    dialect: Dialect,
) -> Vec<(Span, String)> {
    let (left_out, divs) = (Vec::new(), Vec::new());
    let mut hider =
        Hider { left_out, document, dialect, divs, hidden_elements: 0, is_in_formula: false };
    for cell in cells {
        match cell.kind {
            CellKind::Markdown => hider.prose(cell),
            _ if hider.is_hiding() => {
                cell.options.hide_cell = true;
                cell.options.is_withheld = true;
                cell.options.code = Some(CodeVisibility::Hidden);
            }
            _ => {}
        }
    }
    hider.left_out
}

impl Hider<'_> {
    fn is_hiding(&self) -> bool {
        self.hidden_elements > 0 || self.divs.iter().any(|it| it.hides)
    }

    fn prose(&mut self, cell: &mut Cell) {
        let text = &*cell.code;
        let may_hide = [":::", "content-", "{"].iter().any(|it| text.contains(it))
            || self.dialect == Dialect::Myst && text.contains('%');
        if !may_hide && self.divs.is_empty() && self.hidden_elements == 0 {
            return;
        }
        let mut cut: Vec<Range<usize>> = Vec::new();
        let mut hidden = false;
        for piece in pieces(text) {
            let (range, keeps, is_hidden) = match &piece {
                Piece::Line(range) => {
                    let (keeps, is_hidden) = self.line(text.get(range.clone()).unwrap_or_default());
                    (range, keeps, is_hidden)
                }
                Piece::Fence(block) => {
                    let was_hiding = self.is_hiding();
                    let is_hidden = was_hiding || self.hides_block(block, text);
                    if let Some((word, _)) = block.braces().filter(|_| is_hidden && !was_hiding) {
                        let (start, end) = (block.whole.start as u32, block.body.start as u32);
                        let place = cell.span(start, end.saturating_sub(1).max(start));
                        self.left_out.push((place, word.to_owned()));
                    }
                    (&block.whole, !is_hidden, is_hidden)
                }
                Piece::Comment(range) => (range, !self.is_hiding(), self.is_hiding()),
            };
            hidden |= is_hidden;
            if !keeps {
                cut.push(range.clone());
            }
        }
        hidden |= self.spans(text, &mut cut);
        if cut.is_empty() {
            return;
        }
        let (code, origin) = without(cell, cut);
        (cell.code, cell.origin) = (code, origin);
        cell.options.is_withheld |= hidden;
    }

    /// Whether a line is kept, and whether it is hidden.
    fn line(&mut self, line: &str) -> (bool, bool) {
        let was_hiding = self.is_hiding();
        if self.is_in_hidden_element(line) {
            return (false, true);
        }
        let (text, is_item) = behind_markers(line);
        if let Some(rest) = text.strip_prefix(":::") {
            let rest = rest.trim_start_matches(':').trim();
            if rest.is_empty() {
                let closed = self.divs.pop();
                let is_mark = closed.is_some_and(|it| it.is_understood);
                return (!was_hiding && !is_mark, was_hiding);
            }
            if opens(rest) {
                let div = self.div(rest);
                let (is_mark, hides) = (div.is_understood, div.hides);
                self.divs.push(div);
                // The item of a list begins there.
                let keeps = is_item && !hides || !is_mark;
                return (!was_hiding && keeps, was_hiding || hides);
            }
        }
        if was_hiding {
            let ends_here = text.matches("$$").count();
            let is_formula = self.is_in_formula || ends_here > 0;
            self.is_in_formula ^= ends_here % 2 == 1;
            let keeps = self.divs.iter().filter(|it| it.hides).all(|it| it.keeps_formulas);
            return (keeps && is_formula, true);
        }
        self.is_in_formula = false;
        let is_comment = self.dialect == Dialect::Myst
            && line.strip_prefix('%').is_some_and(|it| it.starts_with([' ', '\n', '%']));
        (!is_comment, is_comment)
    }

    /// Whether a line is in a `div` of HTML that hides its content, which pandoc reads as its own; the lines with its
    /// tags are.
    fn is_in_hidden_element(&mut self, line: &str) -> bool {
        let mut is_inside = self.hidden_elements > 0;
        if !is_inside && !line.contains("content-") {
            return false;
        }
        for (start, tag) in tags(line, "div") {
            if self.hidden_elements > 0 {
                let is_end = tag.starts_with("</");
                self.hidden_elements =
                    self.hidden_elements.saturating_add_signed(if is_end { -1 } else { 1 });
            } else if self.document.hides(tag) == Some(true) && !is_in_code(line, start) {
                (self.hidden_elements, is_inside) = (1, true);
            }
        }
        is_inside
    }

    fn div(&self, attributes: &str) -> Div {
        let condition = self.document.hides(attributes);
        let is_hidden_by_style = attributes.starts_with('{')
            && attributes.split([' ', '{', '}']).any(|it| it == ".hidden");
        Div {
            hides: condition.unwrap_or(is_hidden_by_style),
            keeps_formulas: condition.is_none(),
            is_understood: condition.is_some() || is_hidden_by_style,
        }
    }

    /// Whether a fenced block is left out: its condition, or the options of a cell that nbc does not run.
    fn hides_block(&self, block: &FencedBlock<'_>, text: &str) -> bool {
        if self.document.hides(block.info) == Some(true) {
            return true;
        }
        let Some((word, options)) = block.braces() else { return false };
        let body = text.get(block.body.clone()).unwrap_or_default();
        let is_cell = word == "code-cell" || self.dialect != Dialect::Myst && !word.contains(':');
        if !is_cell || self.dialect == Dialect::Marimo {
            return false;
        }
        let head: String = body.split_inclusive('\n').take(LONGEST_HEAD).collect();
        if head.contains("tags:")
            && ["remove-input", "remove-cell"].iter().any(|it| head.contains(it))
        {
            return true;
        }
        let of_code = CodeOptions::of_other(&unindented(body)).execution;
        let own = of_code.or(&CodeOptions::of_braces(options).execution);
        // A directive of MyST is no cell that options of Quarto speak of.
        let is_quarto = self.dialect == Dialect::Quarto;
        if is_quarto { own.or(&self.document.execution).hides_code() } else { own.hides_code() }
    }

    /// Cuts `[text]{.content-hidden}`, and of text that is visible the marks around it.
    fn spans(&self, text: &str, cut: &mut Vec<Range<usize>>) -> bool {
        if !text.contains("content-hidden") && !text.contains("content-visible") {
            return false;
        }
        let bytes = text.as_bytes();
        let mut open: Vec<usize> = Vec::new();
        // Lengths of the signs of code that nothing ends.
        let mut unended = BTreeSet::new();
        let (mut hidden, mut at) = (false, 0);
        let is_sign = |it: &u8| [b'[', b']', b'\n', b'`'].contains(it);
        while let Some(found) = bytes.get(at..).and_then(|it| it.iter().position(is_sign)) {
            let place = at + found;
            at = place + 1;
            let before = bytes.get(..place).unwrap_or_default();
            let is_escaped = before.iter().rev().take_while(|it| **it == b'\\').count() % 2 == 1;
            match bytes.get(place) {
                Some(b'`') if !is_escaped => {
                    let code = text.get(place..).unwrap_or_default();
                    let length = code.len() - code.trim_start_matches('`').len();
                    at = place + length;
                    if !unended.contains(&length) {
                        match end_of_code(code, length) {
                            Some(end) => at = place + end,
                            None => drop(unended.insert(length)),
                        }
                    }
                }
                _ if is_escaped => {}
                Some(b'[') => open.push(place),
                // A paragraph ends, and with it what it opened.
                Some(b'\n') if bytes.get(place + 1) == Some(&b'\n') => open.clear(),
                Some(b']') => {
                    let Some(start) = open.pop() else { continue };
                    let attributes =
                        text.get(at..).and_then(|it| it.strip_prefix('{')?.split_once('}'));
                    let Some((attributes, _)) = attributes else { continue };
                    let Some(hides) = self.document.hides(attributes) else { continue };
                    let end = at + attributes.len() + 2;
                    hidden |= hides;
                    if hides {
                        cut.push(start..end);
                    } else {
                        cut.extend([start..start + 1, place..end]);
                    }
                }
                _ => {}
            }
        }
        let mut depth = 0_usize;
        let mut start = 0;
        for (place, tag) in tags(text, "span") {
            let is_end = tag.starts_with("</");
            if depth > 0 {
                depth = depth.saturating_add_signed(if is_end { -1 } else { 1 });
                if depth == 0 {
                    cut.push(start..place + tag.len());
                }
            } else if !is_end && self.document.hides(tag) == Some(true) && !is_in_code(text, place)
            {
                (depth, start, hidden) = (1, place, true);
            }
        }
        if depth > 0 {
            cut.push(start..text.len());
        }
        hidden
    }
}

/// A line without the marks of quotes, lists and definitions before its text, and whether it begins an item.
fn behind_markers(line: &str) -> (&str, bool) {
    let mut text = line.trim_start_matches([' ', '\t', '>']).trim_end();
    let mut is_item = false;
    loop {
        let digits = text.len() - text.trim_start_matches(|it: char| it.is_ascii_digit()).len();
        let signs: &[char] = if digits > 0 { &['.', ')'] } else { &['-', '*', '+', ':', '~'] };
        let rest = text.get(digits..).and_then(|it| it.strip_prefix(signs));
        let Some(rest) = rest.filter(|it| it.starts_with([' ', '\t'])) else {
            return (text, is_item);
        };
        text = rest.trim_start_matches([' ', '\t', '>']);
        is_item = true;
    }
}

/// The start and end tags of elements of HTML with this name, each with its place.
fn tags<'t>(text: &'t str, name: &'static str) -> impl Iterator<Item = (usize, &'t str)> {
    memchr::memchr_iter(b'<', text.as_bytes()).filter_map(move |start| {
        let rest = text.get(start..)?;
        let inner = rest.get(1..)?;
        let inner = inner.strip_prefix('/').unwrap_or(inner);
        let is_name = inner.get(..name.len())?.eq_ignore_ascii_case(name);
        let after = inner.get(name.len()..)?;
        let is_tag = is_name
            && after.starts_with(|it: char| it.is_ascii_whitespace() || it == '>' || it == '/');
        let tag = rest.split_inclusive('>').next()?;
        is_tag.then_some((start, tag))
    })
}

/// Whether a place of a text is in a code span of its line.
fn is_in_code(text: &str, place: usize) -> bool {
    let before = text.get(..place).unwrap_or_default();
    before.rsplit('\n').next().is_some_and(|it| it.matches('`').count() % 2 == 1)
}

/// Where a code span ends that begins with so many signs.
fn end_of_code(text: &str, length: usize) -> Option<usize> {
    let mut at = length;
    loop {
        at += text.get(at..)?.find('`')?;
        let rest = text.get(at..)?;
        let run = rest.len() - rest.trim_start_matches('`').len();
        at += run;
        if run == length {
            return Some(at);
        }
    }
}

/// Whether the text behind the colons makes them a div: attributes, a class, or a directive of MyST.
pub(super) fn opens(rest: &str) -> bool {
    let rest = rest.trim_end_matches(':').trim_end();
    rest.starts_with('{') || !rest.contains(char::is_whitespace)
}

/// Code in a list or a quote, with its options at the start of their lines.
fn unindented(body: &str) -> String {
    body.split_inclusive('\n').map(|it| it.trim_start_matches([' ', '\t', '>'])).collect()
}

/// The code of a cell without some ranges, and the places of the rest.
fn without(cell: &Cell, mut cut: Vec<Range<usize>>) -> (CellCode, Origin) {
    cut.sort_by_key(|it| (it.start, it.end));
    let text = &*cell.code;
    let (mut kept, mut places) = (String::with_capacity(text.len()), Vec::new());
    let mut from = 0;
    let end = std::iter::once(text.len()..text.len());
    for range in cut.into_iter().chain(end) {
        if let Some(piece) = text.get(from..range.start).filter(|it| !it.is_empty()) {
            let (start, end) = (from as u32, range.start as u32);
            places.push((kept.len() as u32, cell.origin.locate(start)..cell.origin.locate(end)));
            kept.push_str(piece);
        }
        from = from.max(range.end);
    }
    (kept.into(), Origin::places(cell.origin.source(), places))
}
