//! The formulas of a page's prose.
//!
//! In: the Markdown of its cells, in their order. Out: for each the text with marks in the place of formulas, and the
//! formulas: without macros, with their numbers.

use std::collections::BTreeMap;
use std::ops::Range;

use pulldown_cmark::{Event, Parser, Tag};

use super::Display;
use super::delimiters::{self, Kind, Rule};
use super::equations::{Equations, Number, Target};
use super::macros::Macros;

/// Characters around the number of a formula: noncharacters, which no text has for itself.
const OPEN: char = '\u{fdd0}';
const CLOSE: char = '\u{fdd1}';

/// Longest formula in bytes, its macros expanded.
pub(super) const LONGEST: usize = 20_000;

/// Formulas of a page; macros and labels hold for all of it.
#[derive(Debug, Default)]
pub struct Mathematics {
    prose: BTreeMap<String, Prepared>,
    equations: Equations,
}

impl Mathematics {
    /// Reads the prose of a page: scopes as in [`Place`](crate::output::OutputPosition), and Markdown.
    pub fn read<'a>(prose: impl IntoIterator<Item = (String, &'a str)>, rule: Rule) -> Self {
        let mut found = Self { equations: Equations::counting(), ..Self::default() };
        let mut macros = Macros::default();
        for (scope, text) in prose {
            let prepared = Prepared::read(text, rule, &mut macros, &mut found.equations);
            found.prose.insert(scope, prepared);
        }
        found
    }

    /// The prose of a cell.
    pub(in crate::output) fn of(&self, scope: &str) -> Option<&Prepared> {
        self.prose.get(scope)
    }

    pub(in crate::output) fn equations(&self) -> &Equations {
        &self.equations
    }
}

/// Markdown without its formulas.
#[derive(Debug, Default)]
pub(in crate::output) struct Prepared {
    text: String,
    pieces: Vec<Piece>,
}

/// What a mark stands for.
#[derive(Debug)]
pub(in crate::output) struct Piece {
    /// As the author wrote it, with its delimiters.
    pub written: String,
    /// Line of the cell, from 1.
    pub line: u32,
    pub kind: PieceKind,
}

#[derive(Debug)]
pub(in crate::output) enum PieceKind {
    Formula(Formula),
    Reference { label: String, is_equation: bool },
}

/// A formula for the converter.
#[derive(Debug)]
pub(in crate::output) struct Formula {
    /// None if its macros come to more than [`LONGEST`].
    pub tex: Option<String>,
    pub display: Display,
    pub number: Option<Number>,
    pub id: Option<String>,
    /// Its last column is the numbers of its rows.
    pub has_numbered_rows: bool,
}

impl Formula {
    fn read(
        source: &str,
        display: Display,
        macros: &mut Macros,
        equations: &mut Equations,
    ) -> Self {
        let tex = macros.apply(source, LONGEST).ok();
        let Some(read) = tex.map(|it| equations.read(&it)) else {
            let (number, id, has_numbered_rows) = (None, None, false);
            return Self { tex: None, display, number, id, has_numbered_rows };
        };
        let (number, id, has_numbered_rows) = (read.number, read.id, read.has_numbered_rows);
        Self { tex: Some(read.tex), display, number, id, has_numbered_rows }
    }

    /// True if it only defines macros.
    pub fn is_empty(&self) -> bool {
        self.tex.as_ref().is_some_and(|it| it.trim().is_empty())
    }
}

impl Prepared {
    fn read(text: &str, rule: Rule, macros: &mut Macros, equations: &mut Equations) -> Self {
        let clean = match text.contains(OPEN) {
            true => text.replace(OPEN, "\u{fffd}"),
            false => text.to_owned(),
        };
        let found = match has_delimiter(&clean) {
            true if rule == Rule::Latex => delimiters::find(&clean, &[], rule),
            true => delimiters::find(&clean, &code(&clean), rule),
            false => Vec::new(),
        };
        let mut prepared = Self { text: String::with_capacity(clean.len()), pieces: Vec::new() };
        let (mut at, mut counted, mut line) = (0, 0, 1);
        for piece in found {
            prepared.text.push_str(clean.get(at..piece.range.start).unwrap_or_default());
            at = piece.range.end;
            let written = clean.get(piece.range.clone()).unwrap_or_default();
            let kind = match piece.kind {
                // A formula that is nothing else is a link, too.
                Kind::Formula(source, display) => match alone_reference(source) {
                    // It is a link, as it is in text.
                    Some((label, is_equation))
                        if display == Display::Inline && rule != Rule::Latex =>
                    {
                        PieceKind::Reference { label: label.to_owned(), is_equation }
                    }
                    _ => {
                        let source = without_quote_marks(source);
                        PieceKind::Formula(Formula::read(&source, display, macros, equations))
                    }
                },
                Kind::Reference(label, is_equation) => {
                    PieceKind::Reference { label: label.to_owned(), is_equation }
                }
            };
            prepared.text.push_str(&format!("{OPEN}{}{CLOSE}", prepared.pieces.len()));
            line += clean.get(counted..piece.range.start).unwrap_or_default().matches('\n').count()
                as u32;
            counted = piece.range.start;
            prepared.pieces.push(Piece { written: written.to_owned(), line, kind });
        }
        prepared.text.push_str(clean.get(at..).unwrap_or_default());
        prepared
    }

    /// Markdown that stands by itself.
    pub(in crate::output) fn alone(text: &str, rule: Rule) -> (Self, Equations) {
        let mut equations = Equations::default();
        let prepared = Self::read(text, rule, &mut Macros::alone(), &mut equations);
        (prepared, equations)
    }

    /// A formula that stands by itself.
    pub(in crate::output) fn formula(source: &str, display: Display) -> (Formula, Equations) {
        let mut equations = Equations::default();
        let formula = Formula::read(source, display, &mut Macros::alone(), &mut equations);
        (formula, equations)
    }

    pub(in crate::output) fn has_formulas(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// True if there is more than formulas.
    pub(in crate::output) fn has_text(&self) -> bool {
        let is_text = |it: &Split<'_>| matches!(it, Split::Text(text) if !text.trim().is_empty());
        self.split(&self.text).iter().any(is_text)
    }

    /// Makes a block of each formula.
    pub(in crate::output) fn stand_alone(&mut self) {
        for piece in &mut self.pieces {
            if let PieceKind::Formula(formula) = &mut piece.kind {
                formula.display = Display::Block;
            }
        }
    }

    /// The Markdown, with a mark in the place of each formula.
    pub(in crate::output) fn text(&self) -> &str {
        &self.text
    }

    /// The text between marks, and what the marks stand for.
    pub(in crate::output) fn split<'a>(&'a self, text: &'a str) -> Vec<Split<'a>> {
        let mut found = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(OPEN) {
            found.push(Split::Text(before));
            let Some((number, after)) = after.split_once(CLOSE) else {
                rest = after;
                continue;
            };
            let piece = number.parse::<usize>().ok().and_then(|it| self.pieces.get(it));
            found.extend(piece.map(Split::Piece));
            rest = after;
        }
        found.push(Split::Text(rest));
        found.retain(|it| !matches!(it, Split::Text("")));
        found
    }

    /// The text as its author wrote it.
    pub(in crate::output) fn restore(&self, text: &str) -> String {
        let all = self.split(text);
        all.into_iter()
            .map(|it| match it {
                Split::Text(text) => text,
                Split::Piece(piece) => piece.written.as_str(),
            })
            .collect()
    }
}

/// Text or a mark.
#[derive(Debug, Clone, Copy)]
pub(in crate::output) enum Split<'a> {
    Text(&'a str),
    Piece(&'a Piece),
}

/// True if the text has a mark.
pub(in crate::output) fn is_marked(text: &str) -> bool {
    text.contains(OPEN)
}

/// The link of a reference: its text and the id that it leads to.
pub(in crate::output) fn reference(
    label: &str,
    is_equation: bool,
    equations: &Equations,
) -> (String, Option<String>) {
    let target: Option<&Target> = equations.find(label);
    let number = target.and_then(|it| it.number.as_ref());
    let text = match (number, is_equation) {
        (Some(number), true) => number.shown(),
        (Some(number), false) => number.text().to_owned(),
        (None, true) => "(???)".to_owned(),
        (None, false) => "???".to_owned(),
    };
    (text, target.map(|it| it.id.clone()))
}

fn has_delimiter(text: &str) -> bool {
    text.contains('$') || ["\\(", "\\[", "\\begin{", "ref{"].iter().any(|it| text.contains(it))
}

/// Ranges of code, in order.
fn code(text: &str) -> Vec<Range<usize>> {
    if !["`", "~~~", "    ", "\t"].iter().any(|it| text.contains(it)) {
        return Vec::new();
    }
    let events = Parser::new(text).into_offset_iter();
    let code = events
        .filter(|(event, _)| matches!(event, Event::Code(_) | Event::Start(Tag::CodeBlock(_))));
    code.map(|(_, range)| range).collect()
}

/// The label of a formula that is a reference and nothing else; `true` for `\eqref`.
fn alone_reference(source: &str) -> Option<(&str, bool)> {
    let source = source.trim();
    let (inner, is_equation) = match source.strip_prefix("\\eqref{") {
        Some(inner) => (inner, true),
        None => (source.strip_prefix("\\ref{")?, false),
    };
    let label = inner.strip_suffix('}')?;
    let is_label = !label.is_empty() && !label.contains(['{', '}', '\\', '\n']);
    is_label.then_some((label, is_equation))
}

/// A formula in a block quote, without the marks of its lines.
fn without_quote_marks(source: &str) -> String {
    let mut lines = source.lines();
    let first = lines.next().unwrap_or_default();
    let rest: Vec<&str> = lines.collect();
    if rest.is_empty() || !rest.iter().all(|it| it.trim_start().starts_with('>')) {
        return source.to_owned();
    }
    let rest = rest.iter().map(|it| it.trim_start().trim_start_matches('>'));
    std::iter::once(first).chain(rest).collect::<Vec<_>>().join("\n")
}
