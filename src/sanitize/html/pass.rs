//! The pass before the gate, which makes markup regular.
//!
//! In: markup of a notebook. Out: markup in which every element is closed and in its place, with custom elements
//! compiled. Nothing is safe because of it.

mod attributes;

use super::{CustomElement, CustomElements, DEEPEST_CUSTOM, DEEPEST_OUTPUT, Gate, clean};
use crate::diagnostic::{overrides, turns};
use crate::sanitize::SafeHtml;
use crate::sanitize::build::marked;
use crate::sanitize::policy::{self, Vocabulary};
use crate::sanitize::token::{self, Tag, Token, Tokens};
use attributes::is_mark;

/// Deepest nesting of elements; deeper elements lose their tags.
const DEEPEST: usize = 256;
/// Levels that nbc puts around the content of a custom element, at most.
const WRAPPERS: usize = 12;

/// A custom element that is open, and the pass's state around it.
struct Frame {
    element: CustomElement,
    out: String,
    open: Vec<policy::Element>,
    open_ids: Vec<(usize, String)>,
    slots: Vec<SafeHtml>,
}

/// The state of one pass.
pub(super) struct Pass<'g> {
    gate: &'g mut Gate,
    custom: &'g dyn CustomElements,
    out: String,
    open: Vec<policy::Element>,
    /// Ids of open elements, with how many elements are open inside them and with them.
    open_ids: Vec<(usize, String)>,
    /// Id of the element that is being written.
    id: Option<String>,
    slots: Vec<SafeHtml>,
    frames: Vec<Frame>,
    /// The element whose content is dropped, and the number of its open tags.
    skipped: Option<(String, u32)>,
}

impl<'g> Pass<'g> {
    pub(super) fn new(gate: &'g mut Gate, custom: &'g dyn CustomElements) -> Self {
        Self {
            gate,
            custom,
            out: String::new(),
            open: Vec::new(),
            open_ids: Vec::new(),
            id: None,
            slots: Vec::new(),
            frames: Vec::new(),
            skipped: None,
        }
    }

    pub(super) fn run(mut self, text: &str) -> SafeHtml {
        self.out.reserve(text.len() + text.len() / 8);
        let mut tokens = Tokens::new(text);
        loop {
            if self.is_foreign()
                && let Some(text) = tokens.cdata()
            {
                if self.skipped.is_none() {
                    self.out.push_str(SafeHtml::text(text).as_str());
                }
                continue;
            }
            match tokens.next() {
                None => break,
                Some(Token::Text(text)) if self.skipped.is_none() => self.text(text),
                Some(Token::Text(_)) => {}
                Some(Token::Start(tag)) => self.start(&tag, &mut tokens),
                Some(Token::End(name)) => self.end(&name),
            }
        }
        while !self.frames.is_empty() {
            self.close_frame();
        }
        self.close_to(0);
        clean::gate(std::mem::take(&mut self.out), &self.slots)
    }

    fn text(&mut self, text: &str) {
        let start = self.out.len();
        let is_code = |it: &policy::Element| matches!(it.name, "pre" | "code" | "samp" | "kbd");
        let may_turn = text.contains('&') || text.contains(turns);
        if !may_turn || !self.open.iter().any(is_code) {
            return clean::push_text(&mut self.out, text);
        }
        clean::push_text(&mut self.out, &token::with_marks(text));
        let written = self.out.get(start..).unwrap_or_default();
        if !written.contains(turns) {
            return;
        }
        self.gate.is_turned |= written.contains(overrides);
        // A mark alone in its own element turns nothing; this pass itself may have written it.
        let is_alone = written.chars().count() == 1;
        if !(is_alone && self.open.last().is_some_and(|it| it.name == "bdi")) {
            let marked = marked(written);
            self.out.truncate(start);
            self.out.push_str(&marked);
        }
    }

    /// Levels of elements around the next token.
    fn level(&self) -> usize {
        let frames = self.frames.iter().map(|it| it.open.len() + WRAPPERS).sum::<usize>();
        self.gate.around + frames + self.open.len()
    }

    fn is_foreign(&self) -> bool {
        self.open.last().is_some_and(|it| it.vocabulary != Vocabulary::Html)
    }

    fn start(&mut self, tag: &Tag<'_>, tokens: &mut Tokens<'_>) {
        let name = tag.name.as_str();
        let is_closed = tag.is_closed && (self.is_foreign() || is_empty_if_closed(name));
        let allowed = policy::element(name);
        if allowed.is_none() && policy::RAW_TEXT.contains(&name) && !is_closed {
            return self.raw_text(tag, tokens.raw_text(name));
        }
        if let Some((skipped, count)) = &mut self.skipped {
            if skipped == name && !is_closed {
                *count += 1;
            }
            return;
        }
        if name == "font" {
            let style = font_style(tag);
            let is_own = |(name, _): &&(String, &str)| {
                !["color", "size", "face", "style"].contains(&name.as_str())
            };
            let mut attributes: Vec<_> = tag.attributes.iter().filter(is_own).cloned().collect();
            attributes.push(("style".to_owned(), style.as_str()));
            let tag = Tag { name: "span".to_owned(), attributes, is_closed: tag.is_closed };
            return self.start(&tag, tokens);
        }
        if self.custom.claims(name)
            && self.frames.len() < DEEPEST_CUSTOM
            && self.level() + WRAPPERS < DEEPEST_OUTPUT
        {
            return self.start_custom(tag, is_closed);
        }
        let Some(element) = allowed else { return self.drop_element(name, is_closed) };
        let Some(element) = self.place(element) else {
            self.gate.remove(format!("`<{name}>` tag out of place"));
            return;
        };
        self.close_implied(element);
        if self.is_misplaced(name) {
            self.gate.remove(format!("`<{name}>` tag out of place"));
            return;
        }
        self.open_table_body(name);
        if name == "img" && (self.is_placed_picture(element, tag) || self.is_missing_image(tag)) {
            return;
        }
        if name == "input" && !is_mark(tag) {
            self.gate.remove("`<input>` field".to_owned());
            return;
        }
        if self.open.len() >= DEEPEST || self.level() >= DEEPEST_OUTPUT {
            self.gate.remove("tag nested too deeply");
            return;
        }
        self.open_element(element, tag, is_closed);
    }

    /// An element whose content is no markup, and which is not allowed.
    fn raw_text(&mut self, tag: &Tag<'_>, text: &str) {
        let name = tag.name.as_str();
        if self.skipped.is_some() {
            return;
        }
        match name {
            _ if self.custom.claims(name) => self.start_custom(tag, true),
            "style" => self.gate.sheet(text),
            "title" if self.is_foreign() => {}
            _ => self.gate.remove(format!("`<{name}>` element")),
        }
    }

    /// Drops the tag of an element that is not allowed, of some elements with their content.
    fn drop_element(&mut self, name: &str, is_closed: bool) {
        if !policy::REMOVED_WITH_CONTENT.contains(&name) {
            if !matches!(name, "html" | "body") {
                self.gate.remove(format!("`<{}>` tag", printable(name)));
            }
            return;
        }
        // `head` of a whole document, and descriptions in a figure, are no loss to speak of.
        if !matches!(name, "head" | "metadata" | "desc" | "annotation" | "annotation-xml") {
            self.gate.remove(format!("`<{name}>` element"));
        }
        if !is_closed && !policy::VOID.contains(&name) {
            self.skipped = Some((name.to_owned(), 1));
        }
    }

    /// Whether a parser would move this element before the table, where it may close or be closed by others, or drops it
    /// because it is part of no table.
    fn is_misplaced(&self, name: &str) -> bool {
        let is_table_content = matches!(
            name,
            "caption" | "colgroup" | "col" | "tbody" | "thead" | "tfoot" | "tr" | "td" | "th"
        );
        if is_table_content {
            return !self.open.iter().any(|it| it.name == "table");
        }
        self.open.last().is_some_and(|it| {
            matches!(it.name, "table" | "tbody" | "thead" | "tfoot" | "tr" | "colgroup")
        })
    }

    /// Opens the `tbody` that a parser adds around a row.
    fn open_table_body(&mut self, name: &str) {
        if name == "tr"
            && self.open.last().is_some_and(|it| it.name == "table")
            && self.open.len() < DEEPEST
            && let Some(body) = policy::element("tbody")
        {
            self.out.push_str("<tbody>");
            self.open.push(body);
        }
    }

    /// Writes the start tag of an allowed element.
    fn open_element(&mut self, element: policy::Element, tag: &Tag<'_>, is_closed: bool) {
        self.out.push('<');
        self.out.push_str(element.name);
        self.id = None;
        self.attributes(element, tag);
        self.out.push('>');
        if element.is_void {
            return;
        }
        if element.name == "a" && element.vocabulary == Vocabulary::Html {
            self.push_second_name(tag);
        }
        if is_closed {
            self.push_end(element.name);
        } else {
            self.open.push(element);
            self.open_ids.extend(self.id.take().map(|id| (self.open.len(), id)));
        }
    }

    /// Moves to where an element of this vocabulary may stand; `None` when it may not stand here.
    fn place(&mut self, element: policy::Element) -> Option<policy::Element> {
        let current = self.open.last().map_or(Vocabulary::Html, |it| it.vocabulary);
        let root = |name: &str| matches!(name, "svg" | "math");
        match (current, element.vocabulary) {
            (Vocabulary::Html, Vocabulary::Html) => Some(element),
            (Vocabulary::Html, _) => root(element.name).then_some(element),
            (current, wanted) if current == wanted && element.name != "math" => Some(element),
            // An SVG link is an `a`, too.
            (Vocabulary::Svg, Vocabulary::Html) if element.name == "a" => {
                Some(policy::Element { vocabulary: Vocabulary::Svg, ..element })
            }
            (_, Vocabulary::Html) => {
                let outside = self.open.iter().position(|it| it.vocabulary != Vocabulary::Html);
                self.close_to(outside.unwrap_or(0));
                Some(element)
            }
            _ => None,
        }
    }

    /// Closes what a start tag closes by the standard's rules, so that the gate's parser finds
    /// nothing to repair: repairing is where its cost could grow beyond the input.
    fn close_implied(&mut self, element: policy::Element) {
        if element.vocabulary != Vocabulary::Html {
            return;
        }
        let (closed, within): (&[&str], &[&str]) = match element.name {
            "li" => (&["li"], &["ul", "ol", "table", "td", "th"]),
            "dt" | "dd" => (&["dt", "dd"], &["dl", "table", "td", "th"]),
            "td" | "th" => (&["td", "th", "caption"], &["tr", "table"]),
            "tr" => (&["tr", "caption", "colgroup"], &["tbody", "thead", "tfoot", "table"]),
            "tbody" | "thead" | "tfoot" => {
                (&["tbody", "thead", "tfoot", "caption", "colgroup"], &["table"])
            }
            "rt" | "rp" => (&["rt", "rp"], &["ruby"]),
            "a" => (&["a"], &["table", "td", "th", "caption"]),
            "p" | "div" | "ul" | "ol" | "dl" | "table" | "pre" | "blockquote" | "h1" | "h2"
            | "h3" | "h4" | "h5" | "h6" | "hr" | "section" | "article" | "aside" | "header"
            | "footer" | "nav" | "figure" | "figcaption" | "details" | "summary" | "address"
            | "center" => (&["p"], &["table", "td", "th", "caption", "button"]),
            _ => return,
        };
        let found = self.open.iter().rposition(|it| {
            it.vocabulary != Vocabulary::Html
                || closed.contains(&it.name)
                || within.contains(&it.name)
        });
        if let Some(at) = found
            && self.open.get(at).is_some_and(|it| closed.contains(&it.name))
        {
            self.close_to(at);
        }
        let is_heading = |name: &str| matches!(name, "h1" | "h2" | "h3" | "h4" | "h5" | "h6");
        if is_heading(element.name) && self.open.last().is_some_and(|it| is_heading(it.name)) {
            self.close_to(self.open.len().saturating_sub(1));
        }
    }

    fn end(&mut self, name: &str) {
        let name = if name == "font" { "span" } else { name };
        if let Some((skipped, count)) = &mut self.skipped {
            if skipped == name {
                *count -= 1;
                if *count == 0 {
                    self.skipped = None;
                }
            }
            return;
        }
        if let Some(at) = self.frames.iter().rposition(|it| it.element.name == name) {
            while self.frames.len() > at {
                self.close_frame();
            }
            return;
        }
        let is_table_part = |name: &str| {
            matches!(name, "table" | "tr" | "td" | "th" | "tbody" | "thead" | "tfoot" | "caption")
        };
        for at in (0..self.open.len()).rev() {
            let Some(open) = self.open.get(at) else { return };
            if open.name.eq_ignore_ascii_case(name) {
                self.close_to(at);
                return;
            }
            if is_table_part(open.name) && !is_table_part(name) {
                return;
            }
        }
    }

    fn push_end(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    fn close_to(&mut self, length: usize) {
        while self.open_ids.last().is_some_and(|(at, _)| *at > length) {
            self.open_ids.pop();
        }
        while self.open.len() > length {
            if let Some(element) = self.open.pop() {
                self.push_end(element.name);
            }
        }
    }

    fn start_custom(&mut self, tag: &Tag<'_>, is_closed: bool) {
        if self.is_foreign() {
            let outside = self.open.iter().position(|it| it.vocabulary != Vocabulary::Html);
            self.close_to(outside.unwrap_or(0));
        }
        if !self.custom.is_inline(&tag.name)
            && let Some(block) = policy::element("div")
        {
            // A browser would end the paragraph here; so that it finds nothing to repair, do it first.
            self.close_implied(block);
        }
        let attributes = tag
            .attributes
            .iter()
            .map(|(name, value)| (name.clone(), token::decode(value)))
            .collect();
        let element = CustomElement { name: tag.name.clone(), attributes };
        self.custom.open(&element);
        self.frames.push(Frame {
            element,
            out: std::mem::take(&mut self.out),
            open: std::mem::take(&mut self.open),
            open_ids: std::mem::take(&mut self.open_ids),
            slots: std::mem::take(&mut self.slots),
        });
        if is_closed || policy::VOID.contains(&tag.name.as_str()) {
            self.close_frame();
        }
    }

    fn close_frame(&mut self) {
        self.close_to(0);
        let Some(frame) = self.frames.pop() else { return };
        let children = clean::gate(std::mem::take(&mut self.out), &self.slots);
        self.out = frame.out;
        self.open = frame.open;
        self.open_ids = frame.open_ids;
        self.slots = frame.slots;
        let levels = self.level() + WRAPPERS - self.gate.around;
        let custom = self.custom;
        let compiled =
            self.gate.within(levels, |gate| custom.compile(&frame.element, children, gate));
        self.push_slot(compiled);
    }

    /// Puts markup of nbc's own here.
    fn push_slot(&mut self, html: SafeHtml) {
        self.out.push_str(&format!("<{0} value=\"{1}\"></{0}>", policy::SLOT, self.slots.len()));
        self.slots.push(html);
    }
}

/// Whether `<name/>` is read as an empty element. In HTML it opens one; here that would take what follows for content
/// that is removed or not shown, and authors mean what JupyterLab reads: an element without content.
fn is_empty_if_closed(name: &str) -> bool {
    policy::RAW_TEXT.contains(&name)
        || policy::REMOVED_WITH_CONTENT.contains(&name)
        || matches!(name, "svg" | "math")
}

/// The rules of style that `<font color size face>` means.
fn font_style(tag: &Tag<'_>) -> String {
    let value = |name| {
        let found = tag.attributes.iter().find(|(it, _)| it == name);
        found.map(|(_, raw)| token::decode(raw).trim().to_owned()).filter(|it| !it.is_empty())
    };
    let mut style = String::new();
    if let Some(color) = value("color") {
        // Old pages leave the sign of a number out.
        let is_number =
            matches!(color.len(), 3 | 6) && color.bytes().all(|it| it.is_ascii_hexdigit());
        style.push_str(&format!("color:{}{color};", if is_number { "#" } else { "" }));
    }
    let size = value("size").and_then(|it| match it.as_str() {
        "1" => Some("x-small"),
        "2" => Some("small"),
        "3" => Some("medium"),
        "4" => Some("large"),
        "5" => Some("x-large"),
        "6" => Some("xx-large"),
        "7" => Some("xxx-large"),
        it if it.starts_with('+') => Some("larger"),
        it if it.starts_with('-') => Some("smaller"),
        _ => None,
    });
    style.extend(size.map(|it| format!("font-size:{it};")));
    style.extend(value("face").map(|it| format!("font-family:{it};")));
    style.extend(value("style"));
    style
}

/// A name of a notebook as findings may show it.
fn printable(name: &str) -> String {
    name.chars()
        .filter(|it| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | ':'))
        .take(40)
        .collect()
}
