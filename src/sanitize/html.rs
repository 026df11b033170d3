//! HTML: the pass before the gate, and the gate.
//!
//! In: markup of a notebook. Out: [`SafeHtml`], rules for the page's stylesheet, and what was
//! removed. The pass makes the markup regular (every element closed, bounded depth, ids and classes
//! prefixed, styles moved out) and counts what goes; ammonia, with the tables of [`super::policy`],
//! then decides. Nothing is safe because of the pass.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::build::marked;
use super::policy::{self, Vocabulary};
use super::token::{self, Tag, Token, Tokens};
use super::{Removed, SafeCss, SafeHtml, Sanitized, UntrustedHtml, css, fixed, reference, scan};
use crate::diagnostic::{overrides, turns};
use crate::metadata;

/// Longest markup that is read, in bytes.
pub const LONGEST_MARKUP: usize = 8 << 20;
/// Most markup of one output, with what stands in attributes of custom elements: that is read
/// again, once a level.
const MOST_MARKUP: usize = 2 * LONGEST_MARKUP;
/// Deepest nesting of elements; what nests deeper loses its tags.
const DEEPEST: usize = 256;
/// Deepest nesting of an output over all its pieces. Parsers repair at 512, and a table in a table
/// has four levels where three were written.
const DEEPEST_OUTPUT: usize = 280;
/// Levels that nbc puts around the content of a custom element, at most.
const WRAPPERS: usize = 12;
/// Deepest nesting of elements that nbc compiles.
const DEEPEST_CUSTOM: usize = 24;

/// Compiles elements that no browser knows, such as marimo's, to markup that nbc makes.
pub trait CustomElements {
    /// Whether this (lowercase) name is compiled.
    fn claims(&self, name: &str) -> bool;

    /// Whether what it becomes may stand in a paragraph.
    fn is_inline(&self, name: &str) -> bool;

    /// Is told of each before what stands in it; [`Self::compile`] follows.
    fn open(&self, _element: &CustomElement) {}

    /// Compiles one. `children` is already safe; HTML in attributes goes through
    /// [`Gate::fragment`].
    fn compile(&self, element: &CustomElement, children: SafeHtml, gate: &mut Gate) -> SafeHtml;
}

/// No custom element is known.
pub struct NoCustomElements;

impl CustomElements for NoCustomElements {
    fn claims(&self, _name: &str) -> bool {
        false
    }

    fn is_inline(&self, _name: &str) -> bool {
        true
    }

    fn compile(&self, _element: &CustomElement, children: SafeHtml, _gate: &mut Gate) -> SafeHtml {
        children
    }
}

/// A custom element as the notebook wrote it.
#[derive(Debug)]
pub struct CustomElement {
    /// Lowercase name.
    pub name: String,
    /// Attributes, names lowercase, values decoded; hostile.
    pub attributes: BTreeMap<String, String>,
}

/// Collects one output: ids share a prefix, rules share a scope.
pub struct Gate {
    /// Class of the element that holds the output.
    scope: String,
    prefix: String,
    ids: BTreeSet<String>,
    /// Ids that a `use` shows, and ids of elements that hold a `use`.
    used: BTreeSet<String>,
    users: BTreeSet<String>,
    /// Class → declarations; the class is a digest, so equal styles are stored once.
    styles: BTreeMap<String, String>,
    /// Style text as written → class.
    known_styles: BTreeMap<String, Option<String>>,
    sheets: String,
    removed: BTreeMap<String, u32>,
    depth: usize,
    /// Levels of elements around what is read now.
    around: usize,
    /// Bytes of markup that were read.
    read: usize,
    groups: usize,
    /// Whether code in it holds a mark that turns what follows.
    is_turned: bool,
}

struct Frame {
    element: CustomElement,
    out: String,
    open: Vec<policy::Element>,
    open_ids: Vec<(usize, String)>,
    slots: Vec<SafeHtml>,
}

impl Gate {
    /// A gate for one output. `scope` is unique in the page: `c3-1`.
    pub fn new(scope: &str) -> Self {
        let scope: String =
            scope.chars().filter(|it| it.is_ascii_alphanumeric() || *it == '-').collect();
        Self {
            prefix: format!("o-{scope}-"),
            scope: format!("nbc-out-{scope}"),
            ids: BTreeSet::new(),
            used: BTreeSet::new(),
            users: BTreeSet::new(),
            styles: BTreeMap::new(),
            known_styles: BTreeMap::new(),
            sheets: String::new(),
            removed: BTreeMap::new(),
            depth: 0,
            around: 0,
            read: 0,
            groups: 0,
            is_turned: false,
        }
    }

    /// The class that the element around the output must have for its rules to apply.
    pub fn scope_class(&self) -> &str {
        &self.scope
    }

    /// Prefix of all ids of this output.
    pub fn id_prefix(&self) -> &str {
        &self.prefix
    }

    /// A name for a group of elements of nbc's own that no other group of the page has.
    pub fn group_name(&mut self) -> String {
        self.groups += 1;
        format!("{}group-{}", self.prefix, self.groups)
    }

    /// Notes a removal.
    pub fn remove(&mut self, what: impl Into<String>) {
        let mut what = what.into();
        if what.len() > 80 {
            what = what.chars().take(60).collect();
        }
        // A document with 100,000 invented names must not make 100,000 findings.
        if self.removed.len() >= 64 && !self.removed.contains_key(&what) {
            what = "other markup".to_owned();
        }
        *self.removed.entry(what).or_insert(0) += 1;
    }

    /// Sanitizes markup.
    pub fn fragment(&mut self, raw: &UntrustedHtml, custom: &dyn CustomElements) -> SafeHtml {
        let text = raw.expose();
        self.read = self.read.saturating_add(text.len());
        if text.len() > LONGEST_MARKUP || self.read > MOST_MARKUP {
            self.remove("markup longer than 8 MiB");
            return too_large();
        }
        if self.depth >= DEEPEST_CUSTOM || self.around >= DEEPEST_OUTPUT {
            self.remove("markup nested too deeply");
            return SafeHtml::text(text);
        }
        self.depth += 1;
        let safe = Pass::new(self, custom).run(text);
        self.depth -= 1;
        safe
    }

    /// Reads something that nbc will put `levels` deeper into the output.
    pub fn within<T>(&mut self, levels: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        self.around += levels;
        let result = read(self);
        self.around -= levels;
        result
    }

    /// Ends the output: links within it are resolved, its rules written.
    pub fn finish(mut self, html: SafeHtml) -> Sanitized {
        let mut ids = std::mem::take(&mut self.ids);
        if html.as_str().contains(" href=\"#") {
            ids.append(&mut scan::ids(&html));
        }
        let html = scan::link_fragments(html, |id| {
            // Jupyter's own heading ids keep capitals: `#Set-up`.
            let written = format!("{}{id}", self.prefix);
            let slug = format!("{}{}", self.prefix, scan::slug(id));
            [written, slug].into_iter().find(|it| ids.contains(it))
        });
        let mut sheet = std::mem::take(&mut self.sheets);
        for (class, declarations) in &self.styles {
            // Three ids' worth of weight: a style attribute wins over a sheet's selectors.
            sheet.push_str(&format!(
                ".{} .{class}:not(#_):not(#_):not(#_){{{declarations}}}\n",
                self.scope
            ));
        }
        let html = if reference::multiply(&html, &sheet) {
            self.remove("figure whose references multiply");
            let note = too_complex();
            // Rules may bring references to any figure.
            let all = sheet.contains("url(#");
            sheet = sheet.split_inclusive('\n').filter(|it| !it.contains("url(#")).collect();
            scan::without_figures(&html, &note, all)
        } else {
            html
        };
        let removed =
            self.removed.into_iter().map(|(what, count)| Removed { what, count }).collect();
        Sanitized { html, css: SafeCss(sheet), removed, is_turned: self.is_turned }
    }

    fn sheet(&mut self, text: &str) {
        let result = css::sheet(text, &self.scope, &self.prefix);
        self.sheets.push_str(&result.text);
        for what in result.removed {
            self.remove(what);
        }
    }

    fn style_class(&mut self, text: &str) -> Option<String> {
        if let Some(known) = self.known_styles.get(text) {
            return known.clone();
        }
        let result = css::declarations(text, &self.prefix);
        for what in result.removed {
            self.remove(what);
        }
        let class = (!result.text.is_empty()).then(|| css::style_class(&result.text));
        if let Some(class) = &class {
            self.styles.insert(class.clone(), result.text);
        }
        if self.known_styles.len() < 10_000 {
            self.known_styles.insert(text.to_owned(), class.clone());
        }
        class
    }

    fn prefixed(&self, id: &str) -> String {
        if id.starts_with(&self.prefix) { id.to_owned() } else { format!("{}{id}", self.prefix) }
    }
}

/// The class of the notebook's as it stands in the page: it can't meet a class of nbc's.
pub(super) fn prefixed_class(class: &str) -> String {
    let is_style = class
        .strip_prefix("s-")
        .is_some_and(|it| it.len() == 10 && it.bytes().all(|it| it.is_ascii_hexdigit()));
    if is_style || class.starts_with("x-") { class.to_owned() } else { format!("x-{class}") }
}

struct Pass<'g> {
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
    /// The element whose content is dropped, and how often it is open.
    skipped: Option<(String, u32)>,
}

impl<'g> Pass<'g> {
    fn new(gate: &'g mut Gate, custom: &'g dyn CustomElements) -> Self {
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

    fn run(mut self, text: &str) -> SafeHtml {
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
        gate(std::mem::take(&mut self.out), &self.slots)
    }

    fn text(&mut self, text: &str) {
        let start = self.out.len();
        let is_code = |it: &policy::Element| matches!(it.name, "pre" | "code" | "samp" | "kbd");
        let may_turn = text.contains('&') || text.contains(turns);
        if !may_turn || !self.open.iter().any(is_code) {
            return push_text(&mut self.out, text);
        }
        push_text(&mut self.out, &token::with_marks(text));
        let written = self.out.get(start..).unwrap_or_default();
        if !written.contains(turns) {
            return;
        }
        self.gate.is_turned |= written.contains(overrides);
        // Alone in its own element it turns nothing, and may be what this pass wrote.
        let is_alone = written.chars().count() == 1;
        if !(is_alone && self.open.last().is_some_and(|it| it.name == "bdi")) {
            let marked = marked(written);
            self.out.truncate(start);
            self.out.push_str(&marked);
        }
    }

    /// Levels of elements around what comes next.
    fn level(&self) -> usize {
        let frames = self.frames.iter().map(|it| it.open.len() + WRAPPERS).sum::<usize>();
        self.gate.around + frames + self.open.len()
    }

    fn is_foreign(&self) -> bool {
        self.open.last().is_some_and(|it| it.vocabulary != Vocabulary::Html)
    }

    fn start(&mut self, tag: &Tag<'_>, tokens: &mut Tokens<'_>) {
        let name = tag.name.as_str();
        let is_closed = tag.is_closed && self.is_foreign();
        let allowed = policy::element(name);
        if allowed.is_none() && policy::RAW_TEXT.contains(&name) && !is_closed {
            let text = tokens.raw_text(name);
            if self.skipped.is_none() {
                match name {
                    _ if self.custom.claims(name) => {
                        self.start_custom(tag);
                        self.close_frame();
                    }
                    "style" => self.gate.sheet(text),
                    "title" if self.is_foreign() => {}
                    _ => self.gate.remove(format!("`<{name}>` element")),
                }
            }
            return;
        }
        if let Some((skipped, count)) = &mut self.skipped {
            if skipped == name && !is_closed {
                *count += 1;
            }
            return;
        }
        if self.custom.claims(name)
            && self.frames.len() < DEEPEST_CUSTOM
            && self.level() + WRAPPERS < DEEPEST_OUTPUT
        {
            self.start_custom(tag);
            return;
        }
        if allowed.is_none() && policy::REMOVED_WITH_CONTENT.contains(&name) {
            // `head` of a whole document, and descriptions in a figure, are no loss to speak of.
            if !matches!(name, "head" | "metadata" | "desc" | "annotation" | "annotation-xml") {
                self.gate.remove(format!("`<{name}>` element"));
            }
            if !is_closed && !policy::VOID.contains(&name) {
                self.skipped = Some((name.to_owned(), 1));
            }
            return;
        }
        let Some(element) = allowed else {
            if !matches!(name, "html" | "body") {
                self.gate.remove(format!("`<{}>` tag", printable(name)));
            }
            return;
        };
        let Some(element) = self.place(element) else {
            self.gate.remove(format!("`<{name}>` tag out of place"));
            return;
        };
        self.close_implied(element);
        // The parser would move it before the table, where it may close or be closed by others.
        let in_table = self.open.last().is_some_and(|it| {
            matches!(it.name, "table" | "tbody" | "thead" | "tfoot" | "tr" | "colgroup")
        });
        let is_table_content = matches!(
            name,
            "caption" | "colgroup" | "col" | "tbody" | "thead" | "tfoot" | "tr" | "td" | "th"
        );
        if in_table && !is_table_content {
            self.gate.remove(format!("`<{name}>` tag out of place"));
            return;
        }
        // The parser would.
        if name == "tr"
            && self.open.last().is_some_and(|it| it.name == "table")
            && self.open.len() < DEEPEST
            && let Some(body) = policy::element("tbody")
        {
            self.out.push_str("<tbody>");
            self.open.push(body);
        }
        if name == "img" && self.is_missing_image(tag) {
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
        self.out.push('<');
        self.out.push_str(element.name);
        self.id = None;
        self.attributes(element, tag);
        self.out.push('>');
        if element.is_void {
            return;
        }
        if is_closed {
            self.push_end(element.name);
        } else {
            self.open.push(element);
            self.open_ids.extend(self.id.take().map(|id| (self.open.len(), id)));
        }
    }

    /// Puts the text of an image in the place of one that the page can't have, so that readers
    /// see that something stood there.
    fn is_missing_image(&mut self, tag: &Tag<'_>) -> bool {
        let value = |name| {
            tag.attributes.iter().find(|(it, _)| it == name).map(|(_, raw)| token::decode(raw))
        };
        let source = value("src").unwrap_or_default();
        if policy::value("img", "src", &source).is_some() {
            return false;
        }
        self.gate.remove(refusal("img", "src", &source));
        let text = match value("alt").filter(|it| !it.trim().is_empty()) {
            Some(text) => format!("[image not included: {}]", text.trim()),
            None => "[image not included]".to_owned(),
        };
        self.out.push_str("<span class=\"x-missing-image\">");
        self.out.push_str(SafeHtml::text(&text).as_str());
        self.out.push_str("</span>");
        true
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

    fn start_custom(&mut self, tag: &Tag<'_>) {
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
        if policy::VOID.contains(&tag.name.as_str()) {
            self.close_frame();
        }
    }

    fn close_frame(&mut self) {
        self.close_to(0);
        let Some(frame) = self.frames.pop() else { return };
        let children = gate(std::mem::take(&mut self.out), &self.slots);
        self.out = frame.out;
        self.open = frame.open;
        self.open_ids = frame.open_ids;
        self.slots = frame.slots;
        let levels = self.level() + WRAPPERS - self.gate.around;
        let custom = self.custom;
        let compiled =
            self.gate.within(levels, |gate| custom.compile(&frame.element, children, gate));
        self.out.push_str(&format!("<{0} value=\"{1}\"></{0}>", policy::SLOT, self.slots.len()));
        self.slots.push(compiled);
    }

    fn attributes(&mut self, element: policy::Element, tag: &Tag<'_>) {
        let mut classes = Vec::new();
        let mut attributes: Vec<&(String, &str)> = tag.attributes.iter().collect();
        if element.vocabulary == Vocabulary::MathMl {
            // katex-rs keeps them in a hash map, and two builds must give the same bytes.
            attributes.sort_unstable();
        }
        for (name, raw) in attributes {
            match name.as_str() {
                "class" => classes.extend(
                    token::decode(raw)
                        .split_ascii_whitespace()
                        .filter(|it| !it.starts_with("nbc-"))
                        .map(prefixed_class),
                ),
                "style" => {
                    let text = token::decode(raw);
                    if !text.trim().is_empty() {
                        classes.extend(self.gate.style_class(&text));
                    }
                }
                "xmlns" | "scoped" => {}
                _ if name.starts_with("data-") || name.starts_with("xmlns:") => {}
                _ => self.attribute(element, name, raw),
            }
        }
        if element.name == "input" {
            let has =
                |names: &[&str]| tag.attributes.iter().any(|(it, _)| names.contains(&it.as_str()));
            // A task list's box has no label of its own.
            if !has(&["id", "aria-label", "aria-labelledby"])
                && !self.open.iter().any(|it| it.name == "label")
            {
                self.push_attribute("aria-label", "Task");
            }
        }
        if !classes.is_empty() {
            classes.dedup();
            let classes = classes.join(" ");
            self.push_attribute("class", &classes);
        }
        if element.name == "a" && element.vocabulary == Vocabulary::Html {
            self.push_attribute("rel", fixed::LINK_RELATION);
        }
    }

    fn attribute(&mut self, element: policy::Element, name: &str, raw: &str) {
        let Some(allowed) = policy::attribute(element.name, name) else {
            if name.starts_with("on") {
                self.gate.remove(format!("`{}` attribute", printable(name)));
            } else if matches!(
                name,
                "srcset" | "background" | "ping" | "formaction" | "srcdoc" | "action"
            ) {
                self.gate.remove(format!("`{name}` attribute"));
            }
            return;
        };
        let decoded = token::decode(raw);
        let Some(value) = policy::value(element.name, allowed, &decoded) else {
            self.gate.remove(refusal(element.name, allowed, &decoded));
            return;
        };
        let value = match allowed {
            "id" => {
                let id = value.trim();
                // Characters, and without the prefix: neither grows when the result is sanitized again.
                let own = id.strip_prefix(&self.gate.prefix).unwrap_or(id).chars().count();
                if own == 0 || own > 256 || id.contains(char::is_whitespace) {
                    return;
                }
                let id = self.gate.prefixed(id);
                self.gate.ids.insert(id.clone());
                self.id = Some(id.clone());
                id
            }
            "href" if element.name == "a" => value.into_owned(),
            "href" | "xlink:href" if value.starts_with('#') => {
                let id = self.gate.prefixed(value.trim_start_matches('#'));
                if element.name == "use" && self.is_nested_use(&id) {
                    self.gate.remove("`<use>` of a `<use>`");
                    return;
                }
                format!("#{id}")
            }
            _ if policy::REFERENCES.contains(&allowed) => {
                let ids = value.split_ascii_whitespace().map(|id| self.gate.prefixed(id));
                ids.collect::<Vec<_>>().join(" ")
            }
            _ if value.contains("url(#")
                && !value.contains(&format!("url(#{}", self.gate.prefix)) =>
            {
                value.replace("url(#", &format!("url(#{}", self.gate.prefix))
            }
            _ => value.into_owned(),
        };
        self.push_attribute(allowed, &value);
    }

    /// Whether a `use` would show another one: thirty such levels of two make a billion elements
    /// in the reader's browser.
    fn is_nested_use(&mut self, target: &str) -> bool {
        let is_shown =
            self.open_ids.iter().any(|(_, id)| self.gate.used.contains(id) || id == target);
        if is_shown || self.gate.users.contains(target) {
            return true;
        }
        self.gate.used.insert(target.to_owned());
        self.gate.users.extend(self.open_ids.iter().map(|(_, id)| id.clone()));
        false
    }

    fn push_attribute(&mut self, name: &str, value: &str) {
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        let mut rest = value;
        let special = |it: u8| matches!(it, b'&' | b'"' | b'<' | b'>' | 0xC2);
        while let Some(at) = rest.bytes().position(special) {
            let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
            self.out.push_str(before);
            let mut characters = after.chars();
            match characters.next() {
                Some('"') => self.out.push_str("&quot;"),
                Some(other) => push_character(&mut self.out, other),
                None => {}
            }
            rest = characters.as_str();
        }
        self.out.push_str(rest);
        self.out.push('"');
    }
}

/// Writes text of a notebook as the gate's serializer would, where it is sure how that reads it; the
/// rest stays as written, and the gate's parser decides.
fn push_text(out: &mut String, text: &str) {
    let mut rest = text;
    let special = |it: &u8| matches!(it, b'<' | b'>' | b'&' | b'\r' | 0xC2);
    while let Some(at) = rest.bytes().position(|it| special(&it)) {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let mut characters = after.chars();
        let first = characters.next().unwrap_or('&');
        rest = characters.as_str();
        match first {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\u{a0}' => out.push_str("&nbsp;"),
            // HTML parsers normalize line ends before anything else.
            '\r' if rest.starts_with('\n') => {}
            '\r' => out.push('\n'),
            '&' => match token::text_reference(rest) {
                Some((character, length)) => {
                    push_character(out, character);
                    rest = rest.get(length..).unwrap_or("");
                }
                None if rest.starts_with(|it: char| it.is_ascii_whitespace()) => {
                    out.push_str("&amp;");
                }
                None => out.push('&'),
            },
            other => out.push(other),
        }
    }
    out.push_str(rest);
}

fn push_character(out: &mut String, character: char) {
    match character {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '\u{a0}' => out.push_str("&nbsp;"),
        other => out.push(other),
    }
}

/// Name of a refused value in findings; the value itself may be a secret or a page long.
fn refusal(element: &str, name: &str, value: &str) -> String {
    let scheme = value.trim_start().split(':').next().unwrap_or("").to_ascii_lowercase();
    match (element, name) {
        ("a", "href") if scheme == "javascript" || scheme == "vbscript" => {
            format!("`{scheme}:` link")
        }
        ("a", "href") => "link to an unsafe address".to_owned(),
        ("img" | "image", "src" | "href" | "xlink:href") if policy::is_stuck_image(value) => {
            metadata::STUCK_IMAGE.to_owned()
        }
        ("img", "src") => "image that is not in the notebook".to_owned(),
        (_, "href" | "xlink:href") => format!("reference of `<{element}>` to elsewhere"),
        _ => format!("`{name}` attribute with an unsafe value"),
    }
}

fn printable(name: &str) -> String {
    name.chars()
        .filter(|it| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | ':'))
        .take(40)
        .collect()
}

/// Whether an input is a box or a dot to mark, which stay as boxes. Other fields take what readers type, and a box in their
/// place would say what nobody meant.
fn is_mark(tag: &Tag<'_>) -> bool {
    let kind = tag.attributes.iter().find(|(name, _)| name == "type");
    kind.is_some_and(|(_, raw)| {
        let kind = token::decode(raw);
        ["checkbox", "radio"].iter().any(|it| kind.trim().eq_ignore_ascii_case(it))
    })
}

/// The last step: ammonia, then nbc's own markup into its slots.
fn gate(markup: String, slots: &[SafeHtml]) -> SafeHtml {
    let clean = if fixed::is_fixed(&markup) {
        debug_assert_eq!(policy::GATE.clean(&markup).to_string(), markup, "ammonia disagrees");
        markup
    } else {
        // A panic of the parser must not take the build down; what it was reading is not shown.
        let clean = catch_unwind(AssertUnwindSafe(|| cleaned(&markup)));
        let Ok(mut clean) = clean else { return SafeHtml::default() };
        if clean.contains('\r') {
            // Of `&#13;`: readers of the page disagree about what a raw one is.
            clean = clean.replace('\r', " ");
        }
        clean
    };
    if slots.is_empty() {
        return SafeHtml(clean);
    }
    let open = format!("<{} value=\"", policy::SLOT);
    let close = format!("\"></{}>", policy::SLOT);
    let mut out = String::with_capacity(clean.len());
    let mut rest = clean.as_str();
    while let Some((before, after)) = rest.split_once(open.as_str()) {
        out.push_str(before);
        let Some((number, after)) = after.split_once(close.as_str()) else { break };
        // In the gate's output every `<` of a text is escaped, so only the pass can have made
        // this element, and its number is one of ours.
        if let Some(slot) = number.parse::<usize>().ok().and_then(|it| slots.get(it)) {
            out.push_str(slot.as_str());
        }
        rest = after;
    }
    out.push_str(rest);
    SafeHtml(out)
}

/// Markup cleaned by ammonia. Its serializer scans the rest of a text again for each `&` and each
/// character from U+0080 to U+00BF: where that would take long, private-use characters replace them meanwhile.
fn cleaned(markup: &str) -> String {
    let heavy = memchr::memchr2_iter(b'&', 0xC2, markup.as_bytes()).count();
    if heavy.saturating_mul(markup.len()) < 1 << 32 {
        return policy::GATE.clean(markup).to_string();
    }
    let hidden = |it: char| match it {
        '\u{80}'..='\u{bf}' => char::from_u32(u32::from(it) + 0xf000),
        '\u{f080}'..='\u{f0ff}' => Some('\u{fffd}'),
        other => Some(other),
    };
    let mut out = String::with_capacity(markup.len());
    for piece in scan::pieces(markup) {
        match piece {
            scan::Piece::Tag(tag) => out.push_str(tag),
            scan::Piece::Text(text) => {
                let text: String = text.chars().filter_map(hidden).collect();
                out.push_str(&text.replace("&amp;", "\u{f0ff}").replace("&nbsp;", "\u{f0a0}"));
            }
        }
    }
    let clean = policy::GATE.clean(&out).to_string();
    let mut out = String::with_capacity(clean.len());
    for character in clean.chars() {
        match character {
            '\u{f0ff}' => out.push_str("&amp;"),
            '\u{f080}'..='\u{f0bf}' => {
                push_character(
                    &mut out,
                    char::from_u32(u32::from(character) - 0xf000).unwrap_or(' '),
                );
            }
            other => out.push(other),
        }
    }
    out
}

/// The note shown in place of markup that is too large to read.
fn too_large() -> SafeHtml {
    note("This output is too large to be shown.")
}

/// The note shown in place of a figure that would keep the reader's browser busy.
fn too_complex() -> SafeHtml {
    note("This figure is too complex to be shown.")
}

fn note(text: &str) -> SafeHtml {
    let attributes = [("class", "nbc-note"), ("role", "note")];
    SafeHtml::element("span", &attributes, SafeHtml::text(text))
}

/// Sanitizes one piece of markup by itself.
pub fn html(raw: &UntrustedHtml, scope: &str) -> Sanitized {
    let mut gate = Gate::new(scope);
    let html = gate.fragment(raw, &NoCustomElements);
    gate.finish(html)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(markup: &str) -> String {
        html(&UntrustedHtml::new(markup.to_owned()), "c1").html.as_str().to_owned()
    }

    #[test]
    fn nothing_talks_over_the_page() {
        for markup in [
            "<p aria-live=assertive aria-atomic=true>a</p>",
            "<p aria-modal=true aria-busy=true>a</p>",
            "<p role=alert>a</p>",
            "<p role='note STATUS'>a</p>",
            "<p role=main>a</p>",
            "<div role=banner>a</div>",
            "<div role=contentinfo>a</div>",
            "<p role=alertdialog>a</p>",
            "<output role=log>a</output>",
            "<svg role=timer><text aria-live=polite role=marquee>a</text></svg>",
            "<math role=application><mi aria-live=polite>a</mi></math>",
            "<marimo-callout-output role=alert aria-live=polite>a</marimo-callout-output>",
        ] {
            let kept = of(markup);
            let is_silent = !["aria-", "role", "<output"].iter().any(|it| kept.contains(it));
            assert!(is_silent, "{markup}: {kept}");
        }
        assert_eq!(
            of("<p role=note aria-label=b>a</p>"),
            "<p role=\"note\" aria-label=\"b\">a</p>"
        );
    }

    #[test]
    fn a_field_to_type_into_is_no_box_to_mark() {
        for kind in ["", " type=text", " type=password", " type=file", " type=''", " type=submit"] {
            assert_eq!(of(&format!("<p>a<input{kind} checked>b</p>")), "<p>ab</p>", "{kind}");
        }
        for kind in ["checkbox", "CheckBox", "radio"] {
            let kept = of(&format!("<input type={kind}>"));
            assert!(kept.contains("type=\"checkbox\""), "{kept}");
        }
    }

    #[test]
    fn a_use_shows_no_other_use() {
        let forward =
            "<svg><g id=a><use href=#b /></g><g id=b><use href=#c /></g><path id=c /></svg>";
        assert_eq!(of(forward).matches("href").count(), 1, "{}", of(forward));
        let backward =
            "<svg><path id=c /><g id=b><use href=#c /></g><g id=a><use href=#b /></g></svg>";
        assert_eq!(of(backward).matches("href").count(), 1, "{}", of(backward));
        let figure =
            "<svg><g id=f><g id=t><use href=#c /><use href=#c /></g></g><use href=#c /></svg>";
        assert_eq!(of(figure).matches("href").count(), 3, "{}", of(figure));
    }

    #[test]
    fn unclosed_elements_close_where_browsers_close_them() {
        assert_eq!(
            of("<ul><li>a<li>b<ul><li>c</ul></ul>"),
            "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>"
        );
        assert_eq!(of("<p>a<p>b<div>c"), "<p>a</p><p>b</p><div>c</div>");
        assert_eq!(
            of("<table><tr><td>a<td>b<tr><td>c</table>"),
            "<table><tbody><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></tbody></table>"
        );
    }

    #[test]
    fn classes_and_ids_can_meet_nothing_of_the_page() {
        assert_eq!(
            of("<label class='nbc-a b s-0123456789' id=x for='y'>z</label>"),
            "<label id=\"o-c1-x\" for=\"o-c1-y\" class=\"x-b s-0123456789\">z</label>"
        );
    }
}
