//! Phase 7, the gate: untrusted markup to [`SafeHtml`].
//!
//! In: text that a notebook made. Out: markup that runs nothing, loads nothing and stays in its
//! place, and a list of what was removed. This folder is the only one that can make the safe types.

mod anchor;
mod autolink;
mod build;
pub(crate) mod bytes;
mod css;
mod fixed;
mod html;
mod island;
mod picture;
mod policy;
mod reference;
mod scan;
pub mod svg;
mod theme;
mod token;

pub use anchor::{NamedElement, NamedKind, named_elements, rename_ids};
pub use autolink::autolink;
pub use build::MediaKind;
pub use html::{
    CustomElement, CustomElements, FoundPicture, Gate, LONGEST_MARKUP, NoCustomElements, html,
};
pub use island::{Frame, Island, IslandKind, IslandRefusal, island, widget_island};
pub use picture::{MarkedFile, SafePicture, place_files};
pub use scan::{
    Heading, Link, MOST_HEADINGS, children, first_paragraph, first_picture, headings,
    link_fragments, resolve_links, slug, without_empty_headers,
};
pub use theme::{ThemeError, theme};

/// A removed image of the web, as a finding names it.
pub const IMAGE_OF_WEB: &str = "image of the web, which a page does not load";

/// Markup that a notebook made. It cannot be printed, compared or serialized by accident; only the
/// sanitizer reads it.
///
/// ```compile_fail
/// let raw = nbc::sanitize::UntrustedHtml::new("<b>hi</b>".to_owned());
/// println!("{raw}");
/// ```
pub struct UntrustedHtml(String);

impl UntrustedHtml {
    /// Wraps text that came from a notebook.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    fn expose(&self) -> &str {
        &self.0
    }
}

/// Flow content that may stand in a page: it was sanitized, or made of escaped text.
///
/// ```compile_fail
/// let forged = nbc::sanitize::SafeHtml("<script>".to_owned());
/// ```
/// ```compile_fail
/// let forged: nbc::sanitize::SafeHtml = String::from("<script>").into();
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SafeHtml(String);

impl SafeHtml {
    /// Escapes text, so that it shows as it is.
    pub fn text(text: &str) -> Self {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        loop {
            // Most of the bytes of a page are of pictures and of tables, where next to nothing is escaped.
            let (plain, after) = rest.split_at_checked(bytes::plain(rest)).unwrap_or((rest, ""));
            out.push_str(plain);
            let mut characters = after.chars();
            let Some(character) = characters.next() else { break };
            rest = characters.as_str();
            match character {
                // A line's end is one character in pages, as browsers read it.
                '\r' if rest.starts_with('\n') => {}
                '\r' => out.push('\n'),
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                // NUL and other controls are no HTML; browsers differ in what they make of them.
                '\t' | '\n' => out.push(character),
                control if control.is_control() => out.push('\u{fffd}'),
                other => out.push(other),
            }
        }
        Self(out)
    }

    /// The markup.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The markup, to be kept.
    pub fn into_string(self) -> String {
        self.0
    }

    /// Puts safe pieces one after the other.
    pub fn concat(pieces: impl IntoIterator<Item = SafeHtml>) -> Self {
        Self(pieces.into_iter().map(|piece| piece.0).collect())
    }
}

/// Rules for a stylesheet of the page: parsed, restricted, scoped, without any address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SafeCss(String);

impl SafeCss {
    /// The rules.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Puts rules one after the other.
    pub fn concat(pieces: impl IntoIterator<Item = SafeCss>) -> Self {
        Self(pieces.into_iter().map(|piece| piece.0).collect())
    }
}

/// Something that the sanitizer took out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Removed {
    /// Its name: `<script>` element, `onclick` attribute, `javascript:` link…
    pub what: String,
    /// How often.
    pub count: u32,
}

/// Result of sanitizing one output.
#[derive(Debug, Clone, Default)]
pub struct Sanitized {
    /// The markup.
    pub html: SafeHtml,
    /// Rules that its `style` attributes and `<style>` elements became, scoped to this output.
    pub css: SafeCss,
    /// Removed parts, sorted.
    pub removed: Vec<Removed>,
    /// Whether code in it holds a mark that turns the direction of all that follows.
    pub is_turned: bool,
}
