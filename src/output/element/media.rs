//! Sound, film and embedded documents.

use super::{Compiled, beside};
use crate::charts;
use crate::output::chart::{self, ChartPicture, Family};
use crate::output::{bundle, media, note};
use crate::sanitize::{Gate, SafeHtml};

/// Ends of the names of sounds: `<source>` need not say what it is.
const SOUNDS: [&str; 6] = [".mp3", ".wav", ".oga", ".flac", ".m4a", ".opus"];

impl Compiled<'_, '_> {
    /// Sound, film and embedded documents. Their content is a fallback for browsers without support.
    pub(super) fn media(&self, children: &SafeHtml, gate: &mut Gate) -> Option<SafeHtml> {
        let notes = self.marimo.notes;
        let attribute = |name: &str| self.element.attributes.get(name).map_or("", String::as_str);
        let length =
            |name: &str| attribute(name).trim().parse().ok().filter(|it| (1..10_000).contains(it));
        let source = attribute("src").trim();
        Some(match self.name {
            "audio" | "video" if !source.is_empty() => {
                let (is_film, size) = (self.name == "video", (length("width"), length("height")));
                beside::player(source, is_film, size, notes)
                    .unwrap_or_else(|| media::player(source, is_film, notes))
            }
            "audio" | "video" => {
                let mut inner = crate::sanitize::children(children).into_iter();
                let is_player = |it: &SafeHtml| {
                    ["<audio ", "<video ", "<p class=\"nbc-note\""]
                        .iter()
                        .any(|start| it.as_str().trim_start().starts_with(start))
                };
                inner.find(is_player).unwrap_or_else(|| {
                    notes.unsupported(format!("{} without a source", self.name));
                    note(&format!(
                        "Here the notebook plays {}, which is not part of it.",
                        self.name
                    ))
                })
            }
            "source" if !source.is_empty() => {
                let is_sound = |it: &str| SOUNDS.iter().any(|end| it.ends_with(end));
                let is_film = !attribute("type").starts_with("audio")
                    && !source.starts_with("data:audio")
                    && !is_sound(&source.to_ascii_lowercase());
                beside::player(source, is_film, (None, None), notes)
                    .unwrap_or_else(|| media::player(source, is_film, notes))
            }
            "source" => {
                gate.remove("`<source>` tag");
                SafeHtml::default()
            }
            "iframe" if let Some(found) = self.framed_chart() => {
                chart::figure(Family::of_kind(found.kind), found.chart, ChartPicture::None, notes)
            }
            "iframe" => self.embedded(source, attribute("srcdoc"), gate),
            _ => return None,
        })
    }

    /// A document in the page: a PDF is offered, a page that says something without its code is
    /// shown (marimo frames what libraries draw with a script), of others the address is told.
    fn embedded(&self, source: &str, document: &str, gate: &mut Gate) -> SafeHtml {
        let notes = self.marimo.notes;
        if let Some(pdf) =
            Some(source).filter(|it| it.starts_with("data:")).and_then(|it| media::pdf(it, notes))
        {
            return pdf;
        }
        if !document.trim().is_empty() {
            let inner = self.marimo.html(document, gate);
            if bundle::has_content(inner.as_str()) {
                return SafeHtml::div("nbc-embedded", inner);
            }
        }
        if document.trim().is_empty() && !source.is_empty() && !source.starts_with("data:") {
            return media::elsewhere(source, "a page", notes);
        }
        notes.unsupported("an embedded page (`iframe`)");
        note("An embedded page stood here; pages of this site embed none.")
    }

    /// The chart in a page that a library writes around it.
    fn framed_chart(&self) -> Option<charts::Found> {
        charts::in_markup(self.element.attributes.get("srcdoc")?)
    }
}
