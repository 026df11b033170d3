//! Takes markup apart: its scripts, its styles, and the rest.
//!
//! In: markup, or the code of a widget. Out: an [`Island`], with what is lost in it. Loads nothing.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Island, IslandKind, IslandRefusal, LARGEST, document, script};
use crate::metadata::{self, TextOf};
use crate::sanitize::token::{Tag, Token, Tokens, decode};
use crate::site::Integrity;
use crate::site::scripts::ISLAND;

pub(super) const ONLY_HERE: &str = "if (self.nbcIsland !== true) throw new Error('not here');";
/// Most scripts: each is a digest in the policy.
const MOST_SCRIPTS: usize = 200;
/// Frames in frames that are unpacked.
const DEEPEST: u8 = 3;

pub(super) struct Script {
    pub(super) text: String,
    is_module: bool,
}

/// Takes markup apart.
pub(super) struct Reader {
    kind: IslandKind,
    pub(super) html: String,
    pub(super) scripts: Vec<Script>,
    pub(super) styles: Vec<String>,
    /// Scripts that would have to be loaded.
    pub(super) elsewhere: BTreeSet<String>,
    /// Scripts that code names.
    pub(super) named: BTreeSet<String>,
    /// Style sheets and pictures that would have to be loaded.
    dropped: BTreeSet<String>,
    handlers: usize,
    evaluates: bool,
    pub(super) height: Option<u32>,
}

impl Reader {
    pub(super) fn new(kind: IslandKind) -> Self {
        Self {
            kind,
            html: String::new(),
            scripts: Vec::new(),
            styles: Vec::new(),
            elsewhere: BTreeSet::new(),
            named: BTreeSet::new(),
            dropped: BTreeSet::new(),
            handlers: 0,
            evaluates: false,
            height: None,
        }
    }

    pub(super) fn document(&mut self, text: &str, depth: u8) {
        let mut tokens = Tokens::new(text);
        while let Some(token) = tokens.next() {
            let tag = match token {
                Token::Text(text) => {
                    self.html.push_str(text);
                    continue;
                }
                Token::End(name) => {
                    if !matches!(name.as_str(), "iframe" | "base" | "object" | "embed") {
                        let _ = write!(self.html, "</{name}>");
                    }
                    continue;
                }
                Token::Start(tag) => tag,
            };
            match tag.name.as_str() {
                "script" => self.script(&tag, tokens.raw_text("script")),
                "style" => self.styles.push(tokens.raw_text("style").to_owned()),
                "link" => self.link(&tag),
                "iframe" => {
                    tokens.raw_text("iframe");
                    if let Some(document) = framed(&tag).filter(|_| depth < DEEPEST) {
                        if let Some(height) =
                            attribute(&tag, "height").and_then(|it| it.parse().ok())
                        {
                            self.height = Some(height);
                        }
                        // A library's frame is the output; the markup around it is only its border.
                        self.html.clear();
                        self.document(&document, depth + 1);
                        return;
                    }
                }
                // They load, navigate, or hold text that is no markup.
                name @ ("noscript" | "xmp" | "noembed" | "noframes" | "plaintext" | "title") => {
                    tokens.raw_text(name);
                }
                "base" | "object" | "embed" | "meta" | "frame" | "frameset" | "portal" => {}
                "textarea" => {
                    let content = tokens.raw_text("textarea");
                    self.start("textarea", &tag.attributes);
                    let _ = write!(self.html, "{content}</textarea>");
                }
                name => self.start(name, &tag.attributes),
            }
        }
    }

    /// A script is kept for the document's policy; one that lies elsewhere is noted.
    fn script(&mut self, tag: &Tag<'_>, content: &str) {
        let kind = attribute(tag, "type").unwrap_or_default().trim().to_ascii_lowercase();
        let is_code =
            matches!(kind.as_str(), "" | "module" | "text/javascript" | "application/javascript");
        if !is_code {
            self.start(&tag.name, &tag.attributes);
            self.html.push_str(content);
            self.html.push_str("</script>");
            return;
        }
        let text = match attribute(tag, "src") {
            Some(address) => match inline_data(&address) {
                Some(text) => text,
                None if self.kind.is_dispensable(&address) => {
                    self.dropped.insert(address);
                    return;
                }
                None => {
                    self.elsewhere.insert(address);
                    return;
                }
            },
            None => content.to_owned(),
        };
        let is_module = kind == "module";
        if is_module {
            self.elsewhere.extend(script::imports(&text));
        }
        self.look_at(&text);
        let number = self.scripts.len();
        self.add_script(&text, is_module);
        let place = Self::place(number);
        self.html.push_str(&place);
    }

    /// A stylesheet in a `data:` address is kept.
    fn link(&mut self, tag: &Tag<'_>) {
        let address = attribute(tag, "href").unwrap_or_default();
        let is_style =
            attribute(tag, "rel").is_some_and(|it| it.to_ascii_lowercase().contains("stylesheet"));
        match inline_data(&address) {
            Some(text) if is_style => self.styles.push(text),
            _ if is_style => {
                self.dropped.insert(address);
            }
            _ => {}
        }
    }

    fn start(&mut self, name: &str, attributes: &[(String, &str)]) {
        let _ = write!(self.html, "<{name}");
        for (attribute, value) in attributes {
            if attribute.starts_with("on") {
                self.handlers += 1;
                continue;
            }
            if attribute.starts_with("data-nbc") {
                continue;
            }
            let address = value.trim_start();
            if attribute == "src" && (address.starts_with("http") || address.starts_with("//")) {
                self.dropped.insert(decode(value));
            }
            let attribute = if attribute == "style" { "data-nbc-style" } else { attribute };
            let _ = write!(self.html, " {attribute}=\"{}\"", value.replace('"', "&quot;"));
        }
        self.html.push('>');
    }

    /// Notes features of code that do not work here. A hint for the log: code may hide their use.
    pub(super) fn look_at(&mut self, code: &str) {
        let has = |word: &str| code.contains(word);
        self.evaluates |= code.len() < 50_000 && (has("new Function(") || has("eval("));
        let words = code.split(['"', '\'', '`', '\n', '(', ')', ' ']);
        let is_address = |it: &&str| it.starts_with("https://") || it.starts_with("http://");
        let is_script = |it: &&str| it.ends_with(".js") || it.ends_with(".mjs");
        if code.len() < 50_000 {
            let found = words.filter(is_address).filter(is_script).take(16);
            self.named.extend(found.map(str::to_owned));
        }
    }

    /// Keeps a script, with a first line that stops it in a frame within the frame: such a frame inherits the policy, but
    /// has all that `assets/island/main.js` removed from its own.
    pub(super) fn add_script(&mut self, text: &str, is_module: bool) {
        let start = text.trim_start();
        let is_strict = ["'use strict'", "\"use strict\""].iter().any(|it| start.starts_with(it));
        let strict = if is_strict { "'use strict';" } else { "" };
        self.scripts.push(Script { text: format!("{strict}{ONLY_HERE}\n{text}"), is_module });
    }

    /// Placeholder of a script in the markup.
    pub(super) fn place(number: usize) -> String {
        format!("<script type=\"text/plain\" data-nbc-script=\"{number}\"></script>")
    }

    /// Makes the functions of a Bokeh document ahead, since the policy forbids BokehJS to make them from text.
    pub(super) fn add_functions(&mut self) {
        let mut made = BTreeSet::new();
        let texts = self.scripts.iter().map(|it| it.text.as_str()).chain([self.html.as_str()]);
        for text in texts {
            for (at, _) in text.match_indices("\"name\":\"CustomJS\"") {
                let start = text.get(..at).and_then(|it| it.rfind('{'));
                let model = start.and_then(|it| text.get(it..)).and_then(|it| {
                    serde_json::Deserializer::from_str(it).into_iter::<Value>().next()?.ok()
                });
                made.extend(model.as_ref().and_then(script::function_of));
            }
        }
        let (mut html, mut number) = (String::new(), self.scripts.len());
        for text in made {
            self.add_script(&text, false);
            html.push_str(&Self::place(number));
            number += 1;
        }
        // Before any other script runs.
        self.html.insert_str(0, &html);
    }

    /// Features of the output that do not work in a frame.
    fn losses(&self) -> Vec<String> {
        let mut losses = Vec::new();
        if self.handlers > 0 {
            losses.push(format!("handlers in attributes ({})", self.handlers));
        }
        if self.evaluates && self.kind != IslandKind::Bokeh {
            losses.push("code made from text (`eval`, `new Function`)".to_owned());
        }
        let addresses: Vec<String> =
            self.dropped.iter().chain(&self.named).take(8).map(|it| format!("`{it}`")).collect();
        if !addresses.is_empty() {
            losses.push(format!("what lies elsewhere: {}", addresses.join(", ")));
        }
        losses
    }

    /// The document of all that was read.
    pub(super) fn finish(mut self, widget: &Value) -> Result<Island, IslandRefusal> {
        let mut lost = 0;
        let texts = self.styles.iter_mut().chain(self.scripts.iter_mut().map(|it| &mut it.text));
        for text in texts.chain(std::iter::once(&mut self.html)) {
            let cleaned = metadata::strip_in_text(text, TextOf::Page);
            lost += cleaned.refused;
            if let Cow::Owned(stripped) = cleaned.text {
                *text = stripped;
            }
        }
        if let Some(clean) = without_descriptions(&self.html) {
            self.html = clean;
        }
        let size = self.html.len()
            + self.scripts.iter().map(|it| it.text.len()).sum::<usize>()
            + self.styles.iter().map(String::len).sum::<usize>();
        if size > LARGEST {
            return Err(IslandRefusal::Unusable("it is too large"));
        }
        if self.scripts.len() > MOST_SCRIPTS {
            return Err(IslandRefusal::Unusable("it has too many scripts"));
        }
        let mut digests: Vec<Integrity> = Vec::new();
        let texts = std::iter::once(ISLAND).chain(self.scripts.iter().map(|it| it.text.as_str()));
        for text in texts {
            let digest = Integrity::of(text.as_bytes());
            if !digests.contains(&digest) {
                digests.push(digest);
            }
        }
        let scripts: Vec<Value> = self
            .scripts
            .iter()
            .map(|it| json!({ "text": it.text, "is_module": it.is_module }))
            .collect();
        let data = json!({
            "html": self.html, "styles": self.styles, "scripts": scripts, "widget": widget,
        });
        let document = document::text(self.kind, &digests, &data);
        let height = self.height.or_else(|| document::tallest(&self.html, &self.styles));
        let losses = self.losses();
        Ok(Island {
            kind: self.kind,
            document,
            height: height.unwrap_or(480).clamp(80, 1200),
            losses,
            lost,
        })
    }
}

/// A decoded attribute.
fn attribute(tag: &Tag<'_>, name: &str) -> Option<String> {
    let found = tag.attributes.iter().find(|(it, _)| it == name);
    found.map(|(_, value)| decode(value))
}

/// The document in a frame.
fn framed(tag: &Tag<'_>) -> Option<String> {
    attribute(tag, "srcdoc").or_else(|| {
        let source = attribute(tag, "src")?;
        source.starts_with("data:text/html").then(|| inline_data(&source))?
    })
}

/// The text of a `data:` address.
fn inline_data(address: &str) -> Option<String> {
    let (head, data) = address.trim().strip_prefix("data:")?.split_once(',')?;
    if head.ends_with(";base64") {
        String::from_utf8(STANDARD.decode(data.trim()).ok()?).ok()
    } else {
        let bytes = data.as_bytes();
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            let digits = data.get(at + 1..at + 3).filter(|_| *byte == b'%');
            match digits.and_then(|it| u8::from_str_radix(it, 16).ok()) {
                Some(decoded) => {
                    out.push(decoded);
                    at += 3;
                }
                None => {
                    out.push(*byte);
                    at += 1;
                }
            }
        }
        String::from_utf8(out).ok()
    }
}

/// Markup without the `<metadata>` of its pictures, where it has any.
fn without_descriptions(html: &str) -> Option<String> {
    let (mut out, mut from) = (String::new(), 0);
    let mut ends = memchr::memmem::find_iter(html.as_bytes(), "</metadata>").peekable();
    for start in memchr::memmem::find_iter(html.as_bytes(), "<metadata") {
        while ends.next_if(|it| *it < start).is_some() {}
        let is_tag = matches!(html.as_bytes().get(start + 9), Some(b'>' | b' ' | b'\n'));
        let Some(end) = ends.peek().filter(|_| is_tag && start >= from) else { continue };
        out.push_str(html.get(from..start)?);
        from = end + "</metadata>".len();
    }
    (from > 0).then(|| out + html.get(from..).unwrap_or_default())
}
