//! Text and cells that their author hides: conditional text of Quarto, cells of other languages whose code is not shown,
//! comments of MyST.
//!
//! In: the cells of a notebook. Out: the same without this text; cells inside it run, and are not shown. Divs go across
//! cells, as they do in Quarto, where a cell is a block of the document.

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
    is_in_formula: bool,
}

/// Leaves out what the author hides. Gives the cells that nothing remains of, because nbc does not run them.
pub(super) fn hide(
    cells: &mut [Cell],
    document: &Document,
    dialect: Dialect,
) -> Vec<(Span, String)> {
    let (left_out, divs) = (Vec::new(), Vec::new());
    let mut hider = Hider { left_out, document, dialect, divs, is_in_formula: false };
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
        self.divs.iter().any(|it| it.hides)
    }

    fn prose(&mut self, cell: &mut Cell) {
        let text = &*cell.code;
        let may_hide = [":::", "content-", "{"].iter().any(|it| text.contains(it))
            || self.dialect == Dialect::Myst && text.contains('%');
        if !may_hide && self.divs.is_empty() {
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
        let text = line.trim_start_matches([' ', '\t', '>']).trim_end();
        let was_hiding = self.is_hiding();
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
                return (!was_hiding && !is_mark, was_hiding || hides);
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
        let (mut hidden, mut at) = (false, 0);
        while let Some(found) =
            bytes.get(at..).and_then(|it| memchr::memchr3(b'[', b']', b'\n', it))
        {
            let place = at + found;
            at = place + 1;
            let is_escaped = place > 0 && bytes.get(place - 1) == Some(&b'\\');
            match bytes.get(place) {
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
        hidden
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
