//! Formulas in the place of their marks, while Markdown becomes markup.

use pulldown_cmark::{CowStr, Event, Tag, TagEnd};

use super::math::{self, Equations, Piece, PieceKind, Prepared, Split};
use super::notes::Notes;
use crate::sanitize::SafeHtml;

/// Elements in which MathJax looks for no formulas (`skipHtmlTags`).
const SKIPPED: [&str; 8] =
    ["annotation", "annotation-xml", "code", "noscript", "pre", "script", "style", "textarea"];

/// Puts the formulas of a text in their places.
pub(super) struct Formulas<'a> {
    prepared: &'a Prepared,
    equations: &'a Equations,
    notes: &'a Notes,
    /// Inside of a block of code, or of a picture's description.
    is_literal: bool,
    in_cell: bool,
    markup: Markup,
}

impl<'a> Formulas<'a> {
    pub(super) fn new(prepared: &'a Prepared, equations: &'a Equations, notes: &'a Notes) -> Self {
        Self {
            prepared,
            equations,
            notes,
            is_literal: false,
            in_cell: false,
            markup: Markup::default(),
        }
    }

    /// The events in the place of one.
    pub(super) fn place<'b>(&mut self, event: Event<'b>) -> Vec<Event<'b>> {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                self.is_literal = true;
                vec![Event::Start(Tag::CodeBlock(kind))]
            }
            Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
                self.is_literal = true;
                let (dest_url, title) = (self.restored(dest_url), self.restored(title));
                vec![Event::Start(Tag::Image { link_type, dest_url, title, id })]
            }
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                let (dest_url, title) = (self.restored(dest_url), self.restored(title));
                vec![Event::Start(Tag::Link { link_type, dest_url, title, id })]
            }
            Event::End(end) => {
                match end {
                    TagEnd::CodeBlock | TagEnd::Image => self.is_literal = false,
                    TagEnd::TableCell => self.in_cell = false,
                    _ => {}
                }
                vec![Event::End(end)]
            }
            Event::Start(Tag::TableCell) => {
                self.in_cell = true;
                vec![Event::Start(Tag::TableCell)]
            }
            Event::Code(text) => vec![Event::Code(self.restored(text))],
            Event::Text(text) if self.is_literal => vec![Event::Text(self.restored(text))],
            Event::Text(text) if self.markup.is_skipped() => vec![Event::Text(self.restored(text))],
            Event::Text(text) => self.text(text),
            Event::Html(text) => vec![Event::Html(self.html(text))],
            Event::InlineHtml(text) => vec![Event::InlineHtml(self.html(text))],
            other => vec![other],
        }
    }

    fn restored<'b>(&self, text: CowStr<'b>) -> CowStr<'b> {
        match math::is_marked(&text) {
            true => self.prepared.restore(&text).into(),
            false => text,
        }
    }

    fn text<'b>(&self, text: CowStr<'b>) -> Vec<Event<'b>> {
        if !math::is_marked(&text) {
            return vec![Event::Text(dollars(text))];
        }
        let pieces = self.prepared.split(&text).into_iter();
        let events = pieces.map(|it| match it {
            Split::Text(text) => Event::Text(dollars(text.to_owned().into())),
            Split::Piece(piece) => Event::InlineHtml(self.drawn(piece).into()),
        });
        events.collect()
    }

    /// HTML of the author's, with formulas in its text and their source in its tags.
    fn html<'b>(&mut self, text: CowStr<'b>) -> CowStr<'b> {
        if !math::is_marked(&text) {
            self.markup.read(&text);
            return text;
        }
        let mut out = String::with_capacity(text.len() * 2);
        for piece in self.prepared.split(&text) {
            match piece {
                Split::Text(text) => {
                    self.markup.read(text);
                    out.push_str(text);
                }
                Split::Piece(piece) if self.markup.in_tag || self.markup.is_skipped() => {
                    self.markup.read(&piece.written);
                    out.push_str(&piece.written);
                }
                Split::Piece(piece) => out.push_str(&self.drawn(piece)),
            }
        }
        out.into()
    }

    /// The markup of a formula, for the sanitizer.
    fn drawn(&self, piece: &Piece) -> String {
        match &piece.kind {
            PieceKind::Formula(formula) if formula.is_empty() => String::new(),
            PieceKind::Formula(formula) => math::drawn(formula, self.in_cell, self.equations)
                .unwrap_or_else(|| {
                    self.notes.undrawn_formula(&piece.written, Some(piece.line));
                    math::undrawn(formula, &piece.written)
                }),
            PieceKind::Reference { label, is_equation } => {
                let (text, target) = math::reference(label, *is_equation, self.equations);
                let text = SafeHtml::text(&text);
                match target {
                    Some(id) => format!(
                        "<a href=\"#{}\">{}</a>",
                        SafeHtml::text(&id).as_str(),
                        text.as_str()
                    ),
                    None => {
                        self.notes.lost_reference(label);
                        text.as_str().to_owned()
                    }
                }
            }
        }
    }
}

/// A dollar whose backslash Markdown kept (`\\$`), as MathJax shows it.
fn dollars(text: CowStr<'_>) -> CowStr<'_> {
    match text.contains("\\$") {
        true => text.replace("\\$", "$").into(),
        false => text,
    }
}

/// Reads HTML as far as it must be known whether a place is text.
#[derive(Debug, Default)]
struct Markup {
    in_tag: bool,
    quote: Option<char>,
    /// The tag so far.
    tag: String,
    /// Elements of [`SKIPPED`] that are open.
    skipped: usize,
}

impl Markup {
    fn is_skipped(&self) -> bool {
        self.skipped > 0
    }

    fn read(&mut self, text: &str) {
        for character in text.chars() {
            match (self.in_tag, self.quote, character) {
                (false, _, '<') => {
                    self.in_tag = true;
                    self.tag.clear();
                }
                (true, Some(quote), _) if character == quote => self.quote = None,
                (true, None, '"' | '\'') if self.tag.contains(' ') => self.quote = Some(character),
                (true, None, '>') => {
                    self.in_tag = false;
                    self.end_tag();
                }
                (true, None, _) if self.tag.len() < 40 => self.tag.push(character),
                _ => {}
            }
        }
    }

    fn end_tag(&mut self) {
        let name =
            self.tag.split([' ', '\n', '\t']).next().unwrap_or_default().to_ascii_lowercase();
        if let Some(closed) = name.strip_prefix('/') {
            if SKIPPED.contains(&closed) {
                self.skipped = self.skipped.saturating_sub(1);
            }
        } else if SKIPPED.contains(&name.as_str()) && !self.tag.ends_with('/') {
            self.skipped += 1;
        }
    }
}
