//! Charts that stay interactive: untrusted figures to [`Chart`]s, and the [`Runtime`]s that draw them.
//!
//! In: the JSON of a figure. Out: data that was checked and bounded, as text that may stand in a page. A
//! figure that would load something, run an expression that the policy forbids, or show markup is refused with
//! a reason; the page then shows its picture. What a runtime may do is decided here and by `assets/charts/`,
//! never by the notebook: configuration that a figure brings along is dropped.

mod bokeh;
mod html;
mod plotly;
mod runtime;
mod vega;

use std::borrow::Cow;

use serde_json::Value;

use crate::metadata::{self, TextOf};

pub use html::{Found, in_markup};
pub use runtime::{KnownRuntime, Origin, Runtime, file_of, fits, known};

/// Longest chart that goes into a page as data, in bytes of JSON.
const LONGEST: usize = 16 << 20;

/// Which runtime draws a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// BokehJS.
    Bokeh,
    /// plotly.js.
    Plotly,
    /// Vega, with Vega-Lite and the interpreter of expressions.
    Vega,
}

impl Kind {
    /// Its name in `assets/charts/figures.js`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bokeh => "bokeh",
            Self::Plotly => "plotly",
            Self::Vega => "vega",
        }
    }

    /// Its name for readers.
    pub fn title(self) -> &'static str {
        match self {
            Self::Bokeh => "Bokeh",
            Self::Plotly => "Plotly",
            Self::Vega => "Vega",
        }
    }
}

/// Why a figure stays a picture: a clause for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

impl Refusal {
    fn because<T>(reason: impl Into<String>) -> Result<T, Self> {
        Err(Self(reason.into()))
    }
}

/// A figure that may be drawn in a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    kind: Kind,
    json: String,
    title: Option<String>,
    version: Option<String>,
    has_own_paper: bool,
    lost: usize,
}

impl Chart {
    /// Reads a Vega-Lite specification (`is_lite`) or a Vega one.
    ///
    /// # Errors
    /// Why it cannot be drawn in a page.
    pub fn vega(spec: &Value, is_lite: bool) -> Result<Self, Refusal> {
        vega::read(spec, is_lite)
    }

    /// Reads a Plotly figure: an object with `data`, `layout`, `frames`.
    ///
    /// # Errors
    /// Why it cannot be drawn in a page.
    pub fn plotly(figure: &Value) -> Result<Self, Refusal> {
        plotly::read(figure)
    }

    /// Reads a Bokeh document, as `bokeh.embed` writes it, and draws its root of this id, or its only one.
    ///
    /// # Errors
    /// Why it cannot be drawn in a page.
    pub fn bokeh(document: &Value, root: Option<&str>) -> Result<Self, Refusal> {
        bokeh::read(document, root)
    }

    fn new(kind: Kind, data: &Value) -> Result<Self, Refusal> {
        let json = script_json(data);
        let cleaned = metadata::strip_in_text(&json, TextOf::Page);
        let lost = cleaned.refused;
        let json = match cleaned.text {
            Cow::Borrowed(_) => json,
            Cow::Owned(stripped) => stripped,
        };
        if json.len() > LONGEST {
            return Refusal::because(format!("its data are {} MiB", json.len() >> 20));
        }
        // Readers of JSON limit its depth.
        if serde_json::from_str::<serde::de::IgnoredAny>(&json).is_err() {
            return Refusal::because("its data nest too deeply");
        }
        Ok(Self { kind, json, title: None, version: None, has_own_paper: false, lost })
    }

    /// Pictures in it that are left out, since their metadata can't be removed.
    pub fn lost(&self) -> usize {
        self.lost
    }

    /// Which runtime draws it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The figure as JSON that cannot end a `<script>` element.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The figure's own title.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref().map(str::trim).filter(|it| !it.is_empty())
    }

    /// The version of the library that made it, where its runtime has to be the same.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Whether it asks for a background, and so for colours that fit it.
    pub fn has_own_paper(&self) -> bool {
        self.has_own_paper
    }
}

/// JSON without characters that mean something to HTML or to old JavaScript: in JSON they stand in
/// strings only.
fn script_json(value: &Value) -> String {
    let json = value.to_string();
    if !json.contains(['<', '>', '&', '\u{2028}', '\u{2029}']) {
        return json;
    }
    let mut safe = String::with_capacity(json.len() + 64);
    for character in json.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                safe.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => safe.push(other),
        }
    }
    safe
}

/// Whether a text could make a browser load something, where a runtime uses it as CSS.
fn names_an_address(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains("url(") || lower.contains("image-set(") || lower.contains("@import")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "a value that is not there fails the test")]

    use super::*;

    #[test]
    fn data_cannot_end_its_element() {
        let text = script_json(&serde_json::json!({"a": "</script><!--\u{2028}&amp;"}));
        assert_eq!(text, r#"{"a":"\u003c/script\u003e\u003c!--\u2028\u0026amp;"}"#);
        let back: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back["a"], "</script><!--\u{2028}&amp;");
    }
}
