//! Outputs that are nothing without their own scripts, made into documents of their own.
//!
//! In: markup, or a widget, of a kind that the author allowed. Out: an [`Island`], the bytes of a document that a
//! page shows in a sandboxed frame. Its policy lets through the scripts that were found here, by digest, and nothing
//! from anywhere else. The notebook's markup is in it as JSON, which `assets/island/` puts in place; that
//! script refuses to do so where the document would have the origin of the site.

mod document;
mod reader;
mod script;

use serde_json::{Value, json};

use super::UntrustedHtml;
use crate::site::{Asset, SitePath, SitePathError};
use reader::Reader;

/// Largest island, in bytes of markup, scripts and styles.
const LARGEST: usize = 16 << 20;
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
    /// Its scripts are not in the notebook, but at these addresses.
    Elsewhere(Vec<String>),
    /// It is too large, or malformed.
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
    let imports = script::imports(code);
    if !imports.is_empty() {
        return Err(IslandRefusal::Elsewhere(imports));
    }
    let Some(code) = script::with_named_exports(code) else {
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

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "a value that is not there fails the test")]

    use super::reader::ONLY_HERE;
    use super::*;
    use crate::site::Integrity;

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
