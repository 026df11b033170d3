//! A page as a list of elements, and everything about its markup that could be read in two ways.
//!
//! html5gum tokenizes; this file switches its states and follows the nesting. There is no tree
//! builder: markup that a tree builder would repair (unclosed, misnested, in a foreign namespace
//! where it does not belong) is a problem instead. What remains is read alike by every parser.

use std::collections::{BTreeMap, BTreeSet};

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{Error, StartTag, State, Token, Tokenizer};

/// The vocabulary in which an element stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Namespace {
    Html,
    Svg,
    MathMl,
}

/// An element of a page.
#[derive(Debug)]
pub(super) struct Element {
    /// In lowercase.
    pub(super) name: String,
    /// Names in lowercase, values with their entities resolved; the first of two counts.
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) namespace: Namespace,
    pub(super) line: u32,
    /// Content of a `<script>` or `<style>`.
    pub(super) text: String,
}

impl Element {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    pub(super) fn is_html(&self, name: &str) -> bool {
        self.namespace == Namespace::Html && self.name == name
    }
}

/// A page, read.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// In document order.
    pub(super) elements: Vec<Element>,
    /// Line and message.
    pub(super) problems: Vec<(u32, String)>,
    /// Number of elements before the first text or comment inside `<html>` that is more than space.
    pub(super) elements_before_text: usize,
}

pub(super) fn read(bytes: &[u8]) -> Page {
    let Ok(text) = std::str::from_utf8(bytes) else {
        let problems = vec![(1, "the page is not UTF-8".to_owned())];
        return Page { problems, ..Page::default() };
    };
    let mut reader = Reader::new(text);
    if text.starts_with('\u{feff}') {
        reader.problem(0, "a byte order mark outranks `<meta charset>`");
    }
    // Browsers turn it into a line feed before they hash a script; other readers do not.
    if let Some(offset) = text.find('\r') {
        reader.problem(offset, "a carriage return");
    }
    let mut tokenizer = Tokenizer::new_with_emitter(text, DefaultEmitter::<usize>::new_with_span());
    while let Some(Ok(token)) = tokenizer.next() {
        if let Some(state) = reader.token(token) {
            tokenizer.set_state(state);
        }
    }
    reader.finish()
}

struct Reader<'a> {
    text: &'a str,
    line_starts: Vec<usize>,
    page: Page,
    /// Names and namespaces of the open elements. Empty and unused once the nesting is broken.
    open: Vec<(String, Namespace)>,
    is_nested: bool,
    seen_doctype: bool,
    seen_text: bool,
    /// Which of `html`, `head` and `body` there were.
    seen_frame: BTreeSet<String>,
    /// Whether the text that comes next is the content of the last element.
    in_raw_text: bool,
}

impl<'a> Reader<'a> {
    /// A tree builder starts to behave oddly at 512.
    const DEEPEST: usize = 500;

    fn new(text: &'a str) -> Self {
        let line_ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0).chain(line_ends.map(|(at, _)| at + 1)).collect();
        Self {
            text,
            line_starts,
            page: Page::default(),
            open: Vec::new(),
            is_nested: true,
            seen_doctype: false,
            seen_text: false,
            seen_frame: BTreeSet::new(),
            in_raw_text: false,
        }
    }

    fn line(&self, offset: usize) -> u32 {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        u32::try_from(line.max(1)).unwrap_or(u32::MAX)
    }

    fn problem(&mut self, offset: usize, message: impl Into<String>) {
        let line = self.line(offset);
        self.page.problems.push((line, message.into()));
    }

    fn token(&mut self, token: Token<usize>) -> Option<State> {
        match token {
            Token::StartTag(tag) => return self.start_tag(&tag),
            Token::EndTag(tag) => {
                self.in_raw_text = false;
                self.end_tag(tag.span.start, &lossy(&tag.name));
            }
            Token::String(text) => self.characters(text.span.start, &text.value),
            Token::Comment(comment) => {
                if !self.seen_doctype {
                    self.problem(comment.span.start, "a comment before the doctype");
                }
                self.note_text();
            }
            Token::Doctype(doctype) => {
                let is_plain = doctype.name.as_slice() == b"html"
                    && doctype.public_identifier.is_none()
                    && doctype.system_identifier.is_none()
                    && !doctype.force_quirks;
                let is_first = !self.seen_doctype && self.page.elements.is_empty();
                if !is_plain || !is_first {
                    self.problem(
                        doctype.span.start,
                        "the doctype must be `html`, first, and single",
                    );
                }
                self.seen_doctype = true;
            }
            Token::Error(error) => {
                // These name odd characters that every parser keeps as they are.
                let is_harmless = matches!(
                    error.value,
                    Error::NoncharacterInInputStream
                        | Error::NoncharacterCharacterReference
                        | Error::ControlCharacterInInputStream
                );
                if !is_harmless {
                    self.problem(error.span.start, format!("malformed markup: {}", error.value));
                }
            }
        }
        None
    }

    fn note_text(&mut self) {
        if !self.seen_text && !self.page.elements.is_empty() {
            self.seen_text = true;
            self.page.elements_before_text = self.page.elements.len();
        }
    }

    fn characters(&mut self, offset: usize, text: &[u8]) {
        if self.in_raw_text {
            if let Some(element) = self.page.elements.last_mut() {
                element.text.push_str(&lossy(text));
            }
            return;
        }
        if text.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        self.note_text();
        let parent = self.open.last().map(|(name, _)| name.as_str());
        if self.is_nested && matches!(parent, None | Some("html" | "head")) {
            self.problem(offset, "text outside `<body>`");
        }
    }

    fn start_tag(&mut self, tag: &StartTag<usize>) -> Option<State> {
        self.in_raw_text = false;
        let name = lossy(&tag.name);
        let offset = tag.span.start;
        if !self.seen_doctype {
            self.problem(offset, "no doctype before the first element");
            self.seen_doctype = true;
        }
        let inherited = self.open.last().map_or(Namespace::Html, |(_, namespace)| *namespace);
        let namespace = match (inherited, name.as_str()) {
            (Namespace::Html, "svg") => Namespace::Svg,
            (Namespace::Html, "math") => Namespace::MathMl,
            _ => inherited,
        };
        self.check_place(offset, &name, inherited);
        let is_void = namespace == Namespace::Html && VOID.contains(&name.as_str());
        let is_closed = is_void || (tag.self_closing && namespace != Namespace::Html);
        if tag.self_closing && !is_closed {
            self.problem(offset, format!("`<{}/>` does not close itself", super::excerpt(&name)));
        }
        if !is_closed && self.is_nested {
            self.open.push((name.clone(), namespace));
            if self.open.len() > Self::DEEPEST {
                self.problem(offset, "elements nest more than 500 deep");
                self.give_up_nesting();
            }
        }
        let state = match name.as_str() {
            _ if namespace != Namespace::Html => None,
            "script" => Some(State::ScriptData),
            "style" | "xmp" | "iframe" | "noembed" | "noframes" | "noscript" => {
                Some(State::RawText)
            }
            "title" | "textarea" => Some(State::RcData),
            "plaintext" => Some(State::PlainText),
            _ => None,
        };
        self.in_raw_text = state.is_some() && matches!(name.as_str(), "script" | "style");
        let attributes =
            tag.attributes.iter().map(|(name, value)| (lossy(name), lossy(&value.value))).collect();
        let line = self.line(offset);
        let element = Element { name, attributes, namespace, line, text: String::new() };
        self.page.elements.push(element);
        state
    }

    /// Elements that a tree builder would move, drop or read in another namespace.
    fn check_place(&mut self, offset: usize, name: &str, inherited: Namespace) {
        let shown = super::excerpt(name);
        let parent = self.open.last().map_or("", |(name, _)| name.as_str());
        let message = match inherited {
            Namespace::Svg if !is_svg(name) => format!("`<{shown}>` does not belong in `<svg>`"),
            Namespace::MathMl if !is_mathml(name) => {
                format!("`<{shown}>` does not belong in `<math>`")
            }
            Namespace::Svg | Namespace::MathMl => return,
            Namespace::Html => match (name, parent) {
                ("image", _) => "`<image>` becomes `<img>` outside `<svg>`".to_owned(),
                ("option" | "optgroup" | "hr" | "script", "select" | "optgroup") => return,
                (_, "select" | "optgroup" | "option") => {
                    format!("`<{shown}>` does not belong in `<select>`")
                }
                ("html", "") | ("head" | "body", "html") => {
                    if self.seen_frame.insert(name.to_owned()) {
                        return;
                    }
                    format!("a second `<{shown}>`")
                }
                ("html" | "head" | "body", _) => format!("`<{shown}>` in a wrong place"),
                (_, "" | "html") => format!("`<{shown}>` outside `<head>` and `<body>`"),
                ("meta" | "title" | "link" | "style" | "script" | "base" | "template", "head") => {
                    return;
                }
                (_, "head") => format!("`<{shown}>` ends the head"),
                _ => return,
            },
        };
        // Once the nesting is lost, places mean nothing; the loss itself was reported.
        if self.is_nested {
            self.problem(offset, message);
        }
    }

    fn end_tag(&mut self, offset: usize, name: &str) {
        if !self.is_nested {
            return;
        }
        match self.open.last() {
            Some((open, _)) if open == name => {
                self.open.pop();
            }
            other => {
                let open = other.map_or("nothing".to_owned(), |(open, _)| {
                    format!("`<{}>`", super::excerpt(open))
                });
                let name = super::excerpt(name);
                self.problem(offset, format!("`</{name}>` where {open} is open"));
                self.give_up_nesting();
            }
        }
    }

    fn give_up_nesting(&mut self) {
        self.is_nested = false;
        self.open.clear();
    }

    fn finish(mut self) -> Page {
        if let Some((name, _)) = self.open.last() {
            let message = format!("`<{}>` is never closed", super::excerpt(name));
            self.problem(self.text.len(), message);
        }
        if !self.seen_text {
            self.page.elements_before_text = self.page.elements.len();
        }
        if self.page.elements.is_empty() {
            self.problem(0, "the page has no element");
        }
        self.page
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const VOID: [&str; 13] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track",
    "wbr",
];

/// SVG that stays in its namespace. `title`, `style`, `script` and `foreignObject` are missing:
/// they are read in one way in SVG and in another one in HTML, the usual start of an attack.
fn is_svg(name: &str) -> bool {
    const NAMES: [&str; 31] = [
        "svg",
        "g",
        "defs",
        "symbol",
        "use",
        "path",
        "rect",
        "circle",
        "ellipse",
        "line",
        "polyline",
        "polygon",
        "text",
        "tspan",
        "textpath",
        "clippath",
        "mask",
        "pattern",
        "marker",
        "lineargradient",
        "radialgradient",
        "stop",
        "filter",
        "image",
        "a",
        "view",
        "switch",
        "metadata",
        "hatch",
        "hatchpath",
        "mesh",
    ];
    NAMES.contains(&name)
        || (name.starts_with("fe") && name.bytes().all(|it| it.is_ascii_lowercase()))
}

fn is_mathml(name: &str) -> bool {
    const NAMES: [&str; 33] = [
        "math",
        "mi",
        "mn",
        "mo",
        "ms",
        "mtext",
        "mspace",
        "mrow",
        "mfrac",
        "msqrt",
        "mroot",
        "mstyle",
        "merror",
        "mpadded",
        "mphantom",
        "msub",
        "msup",
        "msubsup",
        "munder",
        "mover",
        "munderover",
        "mmultiscripts",
        "mprescripts",
        "none",
        "mtable",
        "mtr",
        "mtd",
        "mlabeledtr",
        "semantics",
        "annotation",
        "menclose",
        "mfenced",
        "maction",
    ];
    NAMES.contains(&name)
}
