//! Outputs that are nothing without their own scripts, made into documents of their own.
//!
//! In: markup, or a widget, of a kind that the author allowed. Out: an [`Island`], the bytes of a document that a
//! page shows in a sandboxed frame. Its policy lets through the scripts that were found here, by digest, and nothing
//! from anywhere else. What the notebook wrote stands in it as JSON, which `assets/island.js` puts in place; that
//! script refuses to do so where the document would have the origin of the site.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::token::{Token, Tokens, decode};
use super::{SafeHtml, UntrustedHtml};
use crate::metadata::{self, TextOf};
use crate::site::{Asset, Integrity, SitePath, SitePathError};

/// Begins with what stops it where the file has an origin: opened by itself, or framed by somebody else without a
/// sandbox, it would have that of the site.
const BOOTSTRAP: &str = concat!(
    "if (self.origin !== 'null' || self === top) throw new Error('not here');\n",
    include_str!("../../assets/sheet.js"),
    include_str!("../../assets/island.js")
);
const STYLE: &str = "html{background:#fff;color:#111;color-scheme:light;font:1rem/1.5 system-ui,sans-serif}body{margin:0}";
const ONLY_HERE: &str = "if (self.nbcIsland !== true) throw new Error('not here');";
/// Largest island, in bytes of markup, scripts and styles.
const LARGEST: usize = 16 << 20;
/// Most scripts: each is a digest in the policy.
const MOST_SCRIPTS: usize = 200;
/// Frames in frames that are unpacked.
const DEEPEST: u8 = 3;

/// Kinds of islands, each allowed by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IslandKind {
    /// Widgets with code of their own.
    Anywidget,
    /// Documents of Bokeh with `CustomJS`.
    Bokeh,
    /// Maps of folium.
    Folium,
    /// Figures of mpld3.
    Mpld3,
    /// Networks of pyvis.
    Pyvis,
    /// Any other markup with scripts.
    Html,
}

impl IslandKind {
    /// All kinds.
    const ALL: [Self; 6] =
        [Self::Anywidget, Self::Bokeh, Self::Folium, Self::Html, Self::Mpld3, Self::Pyvis];

    /// The kind of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// Its name in flags and `nbc.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anywidget => "anywidget",
            Self::Bokeh => "bokeh",
            Self::Folium => "folium",
            Self::Mpld3 => "mpld3",
            Self::Pyvis => "pyvis",
            Self::Html => "html",
        }
    }

    /// Noun phrase for its content, used in sentences.
    pub fn title(self) -> &'static str {
        match self {
            Self::Anywidget => "a custom widget",
            Self::Bokeh => "a Bokeh document with code of its own",
            Self::Folium => "a map of folium",
            Self::Mpld3 => "a figure of mpld3",
            Self::Pyvis => "a network of pyvis",
            Self::Html => "markup with scripts",
        }
    }

    /// The kind of some markup, by what its library always writes; [`IslandKind::Html`] where only that fits, and
    /// none without a script.
    pub fn of(html: &UntrustedHtml) -> Option<Self> {
        let text = html.expose();
        let has = |word: &str| text.contains(word);
        if !["<script", "&lt;script", "data:text/html"].iter().any(|it| has(it)) {
            return None;
        }
        Some(if has("folium-map") {
            Self::Folium
        } else if has("new vis.Network(") {
            Self::Pyvis
        } else if has("mpld3.draw_figure(") {
            Self::Mpld3
        } else if has("docs_json") && has("CustomJS") {
            Self::Bokeh
        } else {
            Self::Html
        })
    }

    /// Scripts from elsewhere that its outputs ask for and do without.
    fn is_dispensable(self, address: &str) -> bool {
        self == Self::Pyvis && address.contains("/bootstrap")
    }
}

/// A document for a sandboxed frame. Only this module makes one.
///
/// ```compile_fail
/// let forged = nbc::sanitize::Island { document: String::new() };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Island {
    kind: IslandKind,
    document: String,
    height: u32,
    losses: Vec<String>,
    lost: usize,
}

impl Island {
    /// Kind of its content.
    pub fn kind(&self) -> IslandKind {
        self.kind
    }

    /// Height of its frame, in pixels of CSS.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Features that do not work in it: noun phrases for the log.
    pub fn losses(&self) -> &[String] {
        &self.losses
    }

    /// Files in it that are left out, since their metadata can't be removed.
    pub fn lost(&self) -> usize {
        self.lost
    }

    /// Its file in the site.
    ///
    /// # Errors
    /// When `stem` is no part of a path.
    pub fn file(&self, stem: &str) -> Result<Asset, SitePathError> {
        Asset::hashed("islands", stem, "html", self.document.clone().into_bytes())
    }

    /// The frame that shows its file in the page at `page`.
    pub fn frame(&self, page: &SitePath, file: &SitePath) -> Frame {
        Frame { source: page.link_to(file), height: self.height, title: self.kind.title() }
    }
}

/// Attributes of an island's frame on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The file, relative to the page.
    pub source: String,
    /// In pixels of CSS.
    pub height: u32,
    /// Its title: a noun phrase for its content.
    pub title: &'static str,
}

/// Why an output cannot be an island.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IslandRefusal {
    /// It has no script, so it needs no island.
    NoScript,
    /// Its scripts lie elsewhere, at these addresses.
    Elsewhere(Vec<String>),
    /// It is too large, or is not what it says.
    Unusable(&'static str),
}

/// Makes an island of markup.
///
/// # Errors
/// Why it cannot run in a frame without network.
pub fn island(kind: IslandKind, html: &UntrustedHtml) -> Result<Island, IslandRefusal> {
    if html.expose().len() > LARGEST {
        return Err(IslandRefusal::Unusable("it is too large"));
    }
    let mut reader = Reader::new(kind);
    reader.document(html.expose(), 0);
    if kind == IslandKind::Mpld3 && reader.scripts.iter().all(|it| it.text.len() < 50_000) {
        // It loads d3 and itself by code.
        reader.elsewhere.extend(reader.named.iter().cloned());
    }
    if !reader.elsewhere.is_empty() {
        return Err(IslandRefusal::Elsewhere(reader.elsewhere.into_iter().collect()));
    }
    if reader.scripts.is_empty() {
        return Err(IslandRefusal::NoScript);
    }
    if kind == IslandKind::Bokeh {
        reader.add_functions();
    }
    reader.finish(&Value::Null)
}

/// Makes an island of an anywidget: its code, its style sheet, its values and the bytes beside them.
///
/// # Errors
/// Why it cannot run in a frame without network.
pub fn widget_island(state: &Value, buffers: &Value) -> Result<Island, IslandRefusal> {
    let text = |name: &str| state.get(name).and_then(Value::as_str).unwrap_or_default();
    let code = text("_esm");
    if code.len() > LARGEST {
        return Err(IslandRefusal::Unusable("it is too large"));
    }
    let mut reader = Reader::new(IslandKind::Anywidget);
    let imports = imports(code);
    if !imports.is_empty() {
        return Err(IslandRefusal::Elsewhere(imports));
    }
    let Some(code) = with_named_exports(code) else {
        return Err(IslandRefusal::Unusable("its code has no `export default`"));
    };
    reader.look_at(&code);
    reader.add_script(&code, true);
    reader.html.push_str("<div id=\"nbc-widget\"></div>");
    let place = Reader::place(0);
    reader.html.push_str(&place);
    reader.styles.push(text("_css").to_owned());
    let values: serde_json::Map<String, Value> = state
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !matches!(name.as_str(), "_esm" | "_css"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let buffers: Vec<Value> = buffers
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| {
            Some(json!({ "path": it.get("path")?, "data": it.get("data")?.as_str()? }))
        })
        .collect();
    reader.height = Some(320);
    reader.finish(&json!({ "state": values, "buffers": buffers }))
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

struct Script {
    text: String,
    is_module: bool,
}

/// Takes markup apart.
struct Reader {
    kind: IslandKind,
    html: String,
    scripts: Vec<Script>,
    styles: Vec<String>,
    /// Scripts that would have to be loaded.
    elsewhere: BTreeSet<String>,
    /// Scripts that code names.
    named: BTreeSet<String>,
    /// Style sheets and pictures that would have to be loaded.
    dropped: BTreeSet<String>,
    handlers: usize,
    evaluates: bool,
    height: Option<u32>,
}

impl Reader {
    fn new(kind: IslandKind) -> Self {
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

    fn document(&mut self, text: &str, depth: u8) {
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
            let attribute = |name: &str| {
                let found = tag.attributes.iter().find(|(it, _)| it == name);
                found.map(|(_, value)| decode(value))
            };
            match tag.name.as_str() {
                "script" => {
                    let content = tokens.raw_text("script");
                    let kind = attribute("type").unwrap_or_default().trim().to_ascii_lowercase();
                    let is_code = matches!(
                        kind.as_str(),
                        "" | "module" | "text/javascript" | "application/javascript"
                    );
                    if !is_code {
                        self.start(&tag.name, &tag.attributes);
                        self.html.push_str(content);
                        self.html.push_str("</script>");
                        continue;
                    }
                    let text = match attribute("src") {
                        Some(address) => match inline_data(&address) {
                            Some(text) => text,
                            None if self.kind.is_dispensable(&address) => {
                                self.dropped.insert(address);
                                continue;
                            }
                            None => {
                                self.elsewhere.insert(address);
                                continue;
                            }
                        },
                        None => content.to_owned(),
                    };
                    let is_module = kind == "module";
                    if is_module {
                        self.elsewhere.extend(imports(&text));
                    }
                    self.look_at(&text);
                    let number = self.scripts.len();
                    self.add_script(&text, is_module);
                    let place = Self::place(number);
                    self.html.push_str(&place);
                }
                "style" => self.styles.push(tokens.raw_text("style").to_owned()),
                "link" => {
                    let address = attribute("href").unwrap_or_default();
                    let is_style = attribute("rel")
                        .is_some_and(|it| it.to_ascii_lowercase().contains("stylesheet"));
                    match inline_data(&address) {
                        Some(text) if is_style => self.styles.push(text),
                        _ if is_style => {
                            self.dropped.insert(address);
                        }
                        _ => {}
                    }
                }
                "iframe" => {
                    tokens.raw_text("iframe");
                    let document = attribute("srcdoc").or_else(|| {
                        let source = attribute("src")?;
                        source.starts_with("data:text/html").then(|| inline_data(&source))?
                    });
                    if let Some(document) = document.filter(|_| depth < DEEPEST) {
                        if let Some(height) = attribute("height").and_then(|it| it.parse().ok()) {
                            self.height = Some(height);
                        }
                        // A library's frame is the output; what stands around it are its borders.
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
    fn look_at(&mut self, code: &str) {
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

    /// A frame in the frame would take the policy along, and have again what `assets/island.js` took away: in such
    /// a one no script of the notebook goes on.
    fn add_script(&mut self, text: &str, is_module: bool) {
        let start = text.trim_start();
        let is_strict = ["'use strict'", "\"use strict\""].iter().any(|it| start.starts_with(it));
        let strict = if is_strict { "'use strict';" } else { "" };
        self.scripts.push(Script { text: format!("{strict}{ONLY_HERE}\n{text}"), is_module });
    }

    /// Placeholder of a script in the markup.
    fn place(number: usize) -> String {
        format!("<script type=\"text/plain\" data-nbc-script=\"{number}\"></script>")
    }

    /// BokehJS makes functions out of texts; those of its documents are made here.
    fn add_functions(&mut self) {
        let mut made = BTreeSet::new();
        let texts = self.scripts.iter().map(|it| it.text.as_str()).chain([self.html.as_str()]);
        for text in texts {
            for (at, _) in text.match_indices("\"name\":\"CustomJS\"") {
                let start = text.get(..at).and_then(|it| it.rfind('{'));
                let model = start.and_then(|it| text.get(it..)).and_then(|it| {
                    serde_json::Deserializer::from_str(it).into_iter::<Value>().next()?.ok()
                });
                made.extend(model.as_ref().and_then(function_of));
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

    fn finish(mut self, widget: &Value) -> Result<Island, IslandRefusal> {
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
        let texts =
            std::iter::once(BOOTSTRAP).chain(self.scripts.iter().map(|it| it.text.as_str()));
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
        let document = document(self.kind, &digests, &data);
        let height = self.height.or_else(|| tallest(&self.html, &self.styles));
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
        Ok(Island {
            kind: self.kind,
            document,
            height: height.unwrap_or(480).clamp(80, 1200),
            losses,
            lost,
        })
    }
}

/// The file. Its policy is written here, of what this file holds: that of pages is another one.
fn document(kind: IslandKind, digests: &[Integrity], data: &Value) -> String {
    let scripts: Vec<String> = digests.iter().map(|it| format!("'{}'", it.as_str())).collect();
    let style = Integrity::of(STYLE.as_bytes());
    let mut json = String::new();
    for character in data.to_string().chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(json, "\\u{:04x}", u32::from(character));
            }
            other => json.push(other),
        }
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src {}; \
         style-src '{}'; img-src data:; font-src data:; connect-src 'none'; frame-src 'none'; \
         worker-src 'none'; base-uri 'none'; form-action 'none'; object-src 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>{}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<p>This file is a part of a page, and shows nothing by itself.</p>\n\
         <script type=\"application/json\" id=\"island\">{json}</script>\n\
         <script>{BOOTSTRAP}</script>\n</body>\n</html>\n",
        scripts.join(" "),
        style.as_str(),
        SafeHtml::text(kind.title()).as_str(),
    )
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

/// Imports of a module. A module that a policy names by digest may not load others.
fn imports(code: &str) -> Vec<String> {
    let mut found = BTreeSet::new();
    for (at, word) in code.match_indices("from").chain(code.match_indices("import")) {
        let before = code.get(..at).and_then(|it| it.chars().next_back());
        if before.is_some_and(|it| it.is_alphanumeric() || matches!(it, '_' | '$' | '.')) {
            continue;
        }
        let rest = code.get(at + word.len()..).unwrap_or("").trim_start();
        let rest = rest.strip_prefix('(').map_or(rest, str::trim_start);
        let Some(quote) = rest.chars().next().filter(|it| matches!(it, '"' | '\'')) else {
            continue;
        };
        let Some((address, _)) = rest.get(1..).and_then(|it| it.split_once(quote)) else {
            continue;
        };
        let is_address = ["https://", "http://", "//", "./", "../", "data:", "blob:"];
        if is_address.iter().any(|it| address.starts_with(it)) {
            found.insert(address.chars().take(200).collect());
        }
    }
    found.into_iter().collect()
}

/// A module that hands what it exports to `nbcWidget`: no other script can import an inline one. `None` where no
/// export is found.
fn with_named_exports(code: &str) -> Option<String> {
    const TAKE: &str = "\n;self.nbcWidget(self.nbcExports);\n";
    let starts = |it: &usize| {
        let before = code.get(..*it).map(|it| it.trim_end_matches([' ', '\t']));
        before.is_some_and(|it| it.is_empty() || it.ends_with(['\n', ';', '}', '/']))
    };
    let all = code.match_indices("export").map(|(at, _)| at).filter(starts);
    let mut text = code.to_owned();
    let (mut names, mut is_found) = (BTreeMap::new(), false);
    // From the end, so that places before stay where they are.
    for at in all.collect::<Vec<_>>().into_iter().rev() {
        let rest = text.get(at + "export".len()..)?.to_owned();
        let head = text.get(..at)?.to_owned();
        let trimmed = rest.trim_start();
        if let Some(list) = trimmed.strip_prefix('{') {
            let (list, tail) = list.split_once('}')?;
            for item in list.split(',').map(str::trim).filter(|it| !it.is_empty()) {
                let (own, shown) = item.split_once(" as ").unwrap_or((item, item));
                names.insert(shown.trim().to_owned(), own.trim().to_owned());
            }
            text = format!("{head}{tail}");
            is_found = true;
        } else if let Some(value) =
            trimmed.strip_prefix("default").filter(|it| !it.starts_with(char::is_alphanumeric))
        {
            text = format!("{head}self.nbcDefault = {}", value.trim_start());
            names.insert("default".to_owned(), "self.nbcDefault".to_owned());
            is_found = true;
        } else {
            let words: Vec<&str> =
                trimmed.split(|it: char| !it.is_alphanumeric() && it != '_' && it != '$').collect();
            let words: Vec<&str> = words.into_iter().filter(|it| !it.is_empty()).take(3).collect();
            let name = match words.as_slice() {
                ["async", "function", name] => *name,
                ["function" | "const" | "let" | "var" | "class", name, ..] => *name,
                _ => continue,
            };
            names.insert(name.to_owned(), name.to_owned());
            text = format!("{head}{trimmed}");
            is_found = true;
        }
    }
    let list: Vec<String> = names.iter().map(|(shown, own)| format!("{shown}: {own}")).collect();
    is_found.then(|| format!("{text}\n;self.nbcExports = {{ {} }};{TAKE}", list.join(", ")))
}

/// `CustomJS` of a Bokeh document as a function, under the texts by which BokehJS asks for it.
fn function_of(model: &Value) -> Option<String> {
    let attributes = model.get("attributes")?;
    let code = attributes.get("code")?.as_str()?;
    let arguments = attributes.get("args");
    let mut names: Vec<String> = Vec::new();
    let entries = arguments.and_then(|it| it.get("entries")).and_then(Value::as_array);
    for entry in entries.into_iter().flatten() {
        names.push(entry.get(0)?.as_str()?.to_owned());
    }
    let is_plain = |it: &String| {
        !it.is_empty() && it.chars().all(|it| it.is_alphanumeric() || it == '_' || it == '$')
    };
    if !names.iter().all(is_plain) {
        return None;
    }
    names.extend(["cb_obj", "cb_data", "cb_context"].map(str::to_owned));
    let body = format!("'use strict';\n{code}");
    let mut key = names.clone();
    key.push(body.clone());
    Some(format!(
        "self.nbcFunction({}, function ({}) {{\n{body}\n}});",
        serde_json::to_string(&key).ok()?,
        names.join(", ")
    ))
}

/// The largest height in pixels that rules and styles state.
fn tallest(html: &str, styles: &[String]) -> Option<u32> {
    let texts = std::iter::once(html).chain(styles.iter().map(String::as_str));
    let heights = texts.flat_map(|text| {
        text.match_indices("height:").filter_map(move |(at, word)| {
            let value = text.get(at + word.len()..)?.trim_start();
            let digits = value.find(|it: char| !it.is_ascii_digit())?;
            let (number, rest) = value.split_at(digits);
            rest.starts_with("px").then(|| number.parse::<u32>().ok())?
        })
    });
    heights.filter(|it| (80..=1200).contains(it)).max().map(|it| it + 24)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "a value that is not there fails the test")]

    use super::*;

    fn read(kind: IslandKind, html: &str) -> Result<Island, IslandRefusal> {
        island(kind, &UntrustedHtml::new(html.to_owned()))
    }

    fn data(island: &Island) -> Value {
        let (_, json) = island.document.split_once("id=\"island\">").unwrap();
        serde_json::from_str(json.split_once("</script>").unwrap().0).unwrap()
    }

    #[test]
    fn kinds_are_told_by_what_libraries_write() {
        let kind = |text: &str| IslandKind::of(&UntrustedHtml::new(text.to_owned()));
        assert_eq!(kind("<p>folium-map"), None);
        assert_eq!(
            kind("<iframe srcdoc=\"&lt;script>&quot;folium-map\"></iframe>"),
            Some(IslandKind::Folium)
        );
        assert_eq!(kind("<script>new vis.Network(a)</script>"), Some(IslandKind::Pyvis));
        assert_eq!(kind("<script>1</script>"), Some(IslandKind::Html));
    }

    #[test]
    fn what_the_notebook_wrote_is_data_and_its_scripts_are_digests() {
        let html = "<p style=\"color:red\" onclick=\"a()\">A</p><style>p{margin:0}</style>\
                    <script>let a = '<!--<script>';</script></p>";
        let island = read(IslandKind::Html, html).unwrap();
        let data = data(&island);
        assert_eq!(data["scripts"][0]["text"], format!("{ONLY_HERE}\nlet a = '<!--<script>';"));
        assert_eq!(data["styles"][0], "p{margin:0}");
        assert_eq!(
            data["html"],
            "<p data-nbc-style=\"color:red\">A</p>\
             <script type=\"text/plain\" data-nbc-script=\"0\"></script></p>"
        );
        let digest = Integrity::of(format!("{ONLY_HERE}\nlet a = '<!--<script>';").as_bytes());
        assert!(island.document.contains(digest.as_str()));
        assert!(!island.document.contains("<!--") && !island.document.contains("unsafe"));
        assert_eq!(island.losses(), ["handlers in attributes (1)"]);
    }

    #[test]
    fn scripts_from_elsewhere_are_named_and_not_fetched() {
        let html = "<script src=https://a.example/x.js></script><script src='b.js'></script>";
        let wanted = vec!["b.js".to_owned(), "https://a.example/x.js".to_owned()];
        assert_eq!(read(IslandKind::Html, html), Err(IslandRefusal::Elsewhere(wanted)));
        let module = "<script type=module>import a from 'https://a.example/a.js';</script>";
        assert!(matches!(read(IslandKind::Html, module), Err(IslandRefusal::Elsewhere(_))));
        assert_eq!(read(IslandKind::Html, "<p>x"), Err(IslandRefusal::NoScript));
        // pyvis asks for this script, and works without it.
        let html = "<script src=https://a/bootstrap.js></script><script>new vis.Network()</script>";
        assert!(read(IslandKind::Pyvis, html).is_ok());
    }

    #[test]
    fn a_frame_in_the_output_is_what_is_shown() {
        let html = "<div>Make this trusted<iframe height=300 srcdoc=\"&lt;p&gt;Map&lt;/p&gt;\
                    &lt;script src=&quot;data:text/javascript,let%20a&quot;&gt;&lt;/script&gt;\"></iframe></div>";
        let island = read(IslandKind::Folium, html).unwrap();
        let data = data(&island);
        assert!(data["html"].as_str().unwrap().starts_with("<p>Map</p>"), "{data}");
        assert!(data["scripts"][0]["text"].as_str().unwrap().ends_with("\nlet a"), "{data}");
        assert_eq!(island.height(), 300);
    }

    #[test]
    fn exports_of_a_module_are_handed_over() {
        let code = |text: &str| with_named_exports(text).unwrap();
        assert!(code("export default { render }").starts_with("self.nbcDefault = { render }"));
        let bundled = code("function a(){}\nexport{a as default,a as render};");
        assert!(bundled.contains("self.nbcExports = { default: a, render: a };"), "{bundled}");
        let old = code("export async function render() {}\nexport const exporter = 1;");
        assert!(old.starts_with("async function render() {}\nconst exporter"), "{old}");
        assert_eq!(with_named_exports("let a = 1"), None);
        assert_eq!(imports("import * as d3 from \"https://esm.sh/d3\"; x.from('./a')").len(), 1);
    }

    #[test]
    fn functions_of_bokeh_are_made_by_the_build() {
        let html = "<script>const docs_json = {\"a\":{\"type\":\"object\",\"name\":\"CustomJS\",\"id\":\"p1\",\
                    \"attributes\":{\"args\":{\"type\":\"map\",\"entries\":[[\"d\",{\"id\":\"p2\"}]]},\
                    \"code\":\"d.text='x'\"}}};</script>";
        let data = data(&read(IslandKind::Bokeh, html).unwrap());
        let made = data["scripts"][1]["text"].as_str().unwrap();
        assert!(
            made.contains("function (d, cb_obj, cb_data, cb_context) {\n'use strict';\nd.text='x'")
        );
    }
}
