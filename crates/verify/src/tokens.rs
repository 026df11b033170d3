//! A page as a list of elements, and everything about its markup that could be read in two ways.
//!
//! html5gum tokenizes; this file switches its states and follows the nesting. There is no tree
//! builder: markup that a tree builder would repair (unclosed, misnested, in a foreign namespace
//! where it does not belong) is a problem instead. What remains is read alike by every parser.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

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

impl Page {
    /// Names of the places that a link may lead to.
    pub(super) fn places(&self) -> BTreeSet<&str> {
        let named = |it: &'_ Element| it.is_html("a").then_some("name");
        let of = |it: &'_ Element| [Some("id"), named(it)];
        let names = self
            .elements
            .iter()
            .flat_map(|it| of(it).into_iter().flatten().map(move |name| (it, name)));
        names.filter_map(|(it, name)| it.attribute(name)).filter(|it| !it.is_empty()).collect()
    }
}

/// Digits of a picture's data that are read as all markup is.
const KEPT: usize = 64;

pub(super) fn read(bytes: &[u8]) -> Page {
    read_beside(bytes, KEPT)
}

fn read_beside(bytes: &[u8], kept: usize) -> Page {
    let Ok(text) = std::str::from_utf8(bytes) else {
        let problems = vec![(1, "the page is not UTF-8".to_owned())];
        return Page { problems, ..Page::default() };
    };
    let mut reader = Reader::new(text);
    if text.starts_with('\u{feff}') {
        reader.problem(0, "a byte order mark outranks `<meta charset>`");
    }
    // Browsers turn it into a line feed before they hash a script; other readers do not.
    if let Some(offset) = memchr::memchr(b'\r', bytes) {
        reader.problem(offset, "a carriage return");
    }
    let cuts = RefCell::default();
    let input = Shortened { rest: bytes, kept, position: 0, all: bytes, cuts: &cuts };
    let mut tokenizer =
        Tokenizer::new_with_emitter(input, DefaultEmitter::<usize>::new_with_span());
    while let Some(Ok(token)) = tokenizer.next() {
        for (position, passed) in cuts.borrow_mut().drain(..) {
            let before = reader.cuts.last().map_or(0, |(_, sum)| *sum);
            reader.cuts.push((position, before + passed));
        }
        if let Some(state) = reader.token(token) {
            tokenizer.set_state(state);
        }
    }
    reader.finish()
}

/// The bytes of a page without most of the data of its pictures, which the tokenizer would read byte by byte.
///
/// Only where the tokenizer asks for the whole value of `src` in double quotes, and only after `data:image/…;base64,`,
/// digits of base64 are passed over. Each of them was looked at: no digit ends a value, and what a picture is,
/// stands before them. No rule compares addresses of pictures with anything, as it does names and ids.
struct Shortened<'a, 'c> {
    all: &'a [u8],
    /// Bytes that the tokenizer did not get yet.
    rest: &'a [u8],
    /// Digits that stay of each picture.
    kept: usize,
    /// Bytes that the tokenizer was given.
    position: usize,
    /// Position behind which bytes were passed over, and how many.
    cuts: &'c RefCell<Vec<(usize, usize)>>,
}

impl<'a> Shortened<'a, '_> {
    /// Bytes that end a chunk in a value in double quotes, and in no other state of the tokenizer.
    const VALUE: &'static [u8] = b"\"&\0\r";

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, b""));
        self.rest = rest;
        self.position += taken.len();
        taken
    }

    /// Length of the start of a picture's address, some digits included, and of the other digits.
    fn picture(&self) -> Option<(usize, usize)> {
        const MARK: &[u8] = b";base64,";
        let given = self.all.len() - self.rest.len();
        self.all.get(..given).filter(|it| it.ends_with(b" src=\""))?;
        let kind = self.rest.strip_prefix(b"data:image/")?;
        let kind = kind.iter().take(16).take_while(|it| it.is_ascii_lowercase()).count();
        let start = b"data:image/".len() + kind;
        self.rest.get(start..)?.strip_prefix(MARK)?;
        let start = start + MARK.len();
        let digits = self.rest.get(start..)?;
        let end = memchr::memchr(b'"', digits)?;
        let passed = end.checked_sub(self.kept)?;
        // Asked of blocks, so that it takes less than a nanosecond a byte.
        let are_digits = |block: &[u8]| {
            block.iter().fold(true, |all, &it| {
                let is_letter = (it | 0x20).wrapping_sub(b'a') < 26;
                all & (is_letter | (it.wrapping_sub(b'/') < 11) | (it == b'+') | (it == b'='))
            })
        };
        let digits = digits.get(..end)?.chunks(64).all(are_digits);
        digits.then_some((start + self.kept, passed))
    }
}

impl html5gum::Reader for Shortened<'_, '_> {
    type Error = Infallible;

    fn read_byte(&mut self) -> Result<Option<u8>, Infallible> {
        Ok(self.take(1).first().copied())
    }

    fn try_read_string(&mut self, wanted: &[u8], case_matters: bool) -> Result<bool, Infallible> {
        let found = self
            .rest
            .get(..wanted.len())
            .is_some_and(|it| it == wanted || (!case_matters && it.eq_ignore_ascii_case(wanted)));
        if found {
            self.take(wanted.len());
        }
        Ok(found)
    }

    fn read_until<'b>(
        &'b mut self,
        ends: &[u8],
        _: &'b mut [u8; 4],
    ) -> Result<Option<&'b [u8]>, Infallible> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        if ends == Self::VALUE
            && let Some((kept, passed)) = self.picture()
        {
            let taken = self.take(kept);
            self.cuts.borrow_mut().push((self.position, passed));
            self.rest = self.rest.get(passed..).unwrap_or_default();
            return Ok(Some(taken));
        }
        let end = match ends {
            [] => self.rest.len(),
            [a] => memchr::memchr(*a, self.rest).unwrap_or(self.rest.len()),
            [a, b] => memchr::memchr2(*a, *b, self.rest).unwrap_or(self.rest.len()),
            [a, b, c] => memchr::memchr3(*a, *b, *c, self.rest).unwrap_or(self.rest.len()),
            many => {
                let mut is_end = [false; 256];
                for byte in many {
                    if let Some(it) = is_end.get_mut(usize::from(*byte)) {
                        *it = true;
                    }
                }
                let is_end = |it: &u8| is_end.get(usize::from(*it)).copied().unwrap_or_default();
                self.rest.iter().position(is_end).unwrap_or(self.rest.len())
            }
        };
        // An end comes alone.
        Ok(Some(self.take(end.max(1))))
    }
}

struct Reader<'a> {
    text: &'a str,
    /// Positions of the tokenizer behind which it was not given something, and how much that is with all that
    /// it was not given before.
    cuts: Vec<(usize, usize)>,
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
        let line_ends = memchr::memchr_iter(b'\n', text.as_bytes());
        let line_starts = std::iter::once(0).chain(line_ends.map(|at| at + 1)).collect();
        Self {
            text,
            cuts: Vec::new(),
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
        let cuts = self.cuts.partition_point(|(position, _)| *position <= offset);
        let passed = cuts.checked_sub(1).and_then(|it| self.cuts.get(it)).map_or(0, |it| it.1);
        let offset = offset + passed;
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: [&str; 2] = [
        "<!doctype html><html><head><meta charset=\"utf-8\"><title>x</title></head><body>\n",
        "\n</body></html>",
    ];

    fn page(body: &str) -> Page {
        let [open, close] = FRAME;
        read(format!("{open}{body}{close}").as_bytes())
    }

    #[test]
    fn data_of_pictures_is_passed_over_and_everything_around_it_is_seen() {
        let address = format!("data:image/png;base64,{}", "iVBOR/w+".repeat(1000));
        let picture = format!("<img src=\"{address}==\" alt=\"a\">");
        let read = page(&format!("{picture}\n<p onclick=\"x\">\n{picture}<b></p>"));
        let images: Vec<_> = read.elements.iter().filter(|it| it.name == "img").collect();
        let [first, second] = images.as_slice() else { panic!("{read:?}") };
        assert_eq!((first.line, second.line), (2, 4));
        for image in images {
            let source = image.attribute("src").unwrap();
            assert!(address.starts_with(source) && source.len() > 60, "{source}");
            assert_eq!(image.attribute("alt"), Some("a"));
        }
        assert_eq!(read.problems.first().map(|it| it.0), Some(4), "{:?}", read.problems);
    }

    /// The markup around a small picture was once taken for its data.
    #[test]
    fn pictures_of_every_size_end_at_their_quote() {
        for length in 0..200 {
            for room in 1..80 {
                let (digits, room) = ("A".repeat(length), " ".repeat(room));
                let image = format!("<img src=\"data:image/gif;base64,{digits}\"{room}alt=\"\">");
                let read =
                    page(&format!("<h2>{image}</h2><i class=\"abcd\" onclick=\"abcd\"></i>"));
                assert_eq!(read.problems, [], "{length} digits");
                let names: Vec<_> = read.elements.iter().map(|it| it.name.as_str()).collect();
                assert!(names.ends_with(&["h2", "img", "i"]), "{length} digits: {names:?}");
                assert_eq!(read.elements.last().unwrap().attribute("onclick"), Some("abcd"));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever stands around pictures, passing over their data changes nothing but their data.
        #[test]
        fn a_page_reads_alike_with_and_without_the_data_of_its_pictures(
            pieces in prop::collection::vec((prop::sample::select(&PIECES[..]), 0usize..150), 0..40),
        ) {
            let body: String = pieces.iter().map(|&(piece, times)| match piece {
                digit @ ("A" | "/w+") => digit.repeat(times),
                other => other.to_owned(),
            }).collect();
            let [open, close] = FRAME;
            let text = format!("{open}{body}{close}");
            let whole = read_beside(text.as_bytes(), usize::MAX);
            let read = read(text.as_bytes());
            prop_assert_eq!(&read.problems, &whole.problems);
            prop_assert_eq!(read.elements.len(), whole.elements.len());
            for (read, whole) in read.elements.iter().zip(&whole.elements) {
                prop_assert_eq!((&read.name, read.line, &read.text), (&whole.name, whole.line, &whole.text));
                prop_assert!(read.attributes.keys().eq(whole.attributes.keys()));
                for ((name, read), whole) in read.attributes.iter().zip(whole.attributes.values()) {
                    let is_picture = name == "src" && whole.starts_with("data:image/") && read.len() > KEPT;
                    prop_assert!(read == whole || is_picture && whole.starts_with(read), "{}: {}", read, whole);
                }
            }
        }
    }

    /// Pieces of the markup of the property above.
    const PIECES: [&str; 22] = [
        " src=\"",
        "&#39;",
        "A",
        "/w+",
        "<img src=\"data:image/png;base64,",
        "data:image/png;base64,",
        "data:image/gif;base64,",
        "data:image/svg+xml;base64,",
        "<img src=\"",
        "\"",
        "\" alt=\"",
        ">",
        "\">",
        "\n",
        "&amp;",
        "'",
        "<i class=\"a\" onclick=\"",
        "</i>",
        "<!--",
        "-->",
        "<script>",
        "</script>",
    ];

    #[test]
    fn what_is_no_data_of_a_picture_is_seen_whole() {
        let digits = "A".repeat(1000);
        for value in [
            format!("data:image/png;base64,{digits}\u{1}"),
            format!("data:image/png;base64,{digits}&lt;{digits}"),
            format!("data:image/svg+xml;base64,{digits}"),
            format!("data:text/html;base64,{digits}"),
            format!(" data:image/png;base64,{digits}"),
            format!("data:image/png,{digits}"),
            format!("x{digits}"),
            format!("&#39;data:image/png;base64,{digits}"),
        ] {
            let read = page(&format!("<img src=\"{value}\">"));
            let source = read.elements.last().and_then(|it| it.attribute("src")).unwrap();
            assert_eq!(source, value.replace("&lt;", "<").replace("&#39;", "'"));
        }
        let address = format!("data:image/png;base64,{digits}");
        // Ids are compared.
        let read = page(&format!("<i id=\"{address}-data\"></i>"));
        assert_eq!(
            read.elements.last().unwrap().attribute("id"),
            Some(format!("{address}-data").as_str())
        );
        for (markup, problem) in [
            (format!("<img src=\"{address}"), "eof"),
            (
                format!(
                    "<p>\"{address}\"</p><!--\"{address}\"--><script>\"{address}\"</script><b>"
                ),
                "`<b>` is open",
            ),
            (format!("<img src=\"{address}<\" a\u{0}>"), "null"),
        ] {
            let read = page(&markup);
            let problems = read.problems.iter().map(|it| it.1.to_lowercase()).collect::<String>();
            assert!(problems.contains(problem), "{problem}: {problems}");
            if let Some(script) = read.elements.iter().find(|it| it.name == "script") {
                assert_eq!(script.text, format!("\"{address}\""));
            }
        }
    }
}
