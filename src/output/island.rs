//! Outputs that need their own scripts: a frame where the author allowed it, else a note that says so.

use std::collections::BTreeSet;

use serde_json::Value;

use super::notes::Notes;
use super::text::text_of;
use super::widget::{STATE, VIEW};
use super::{OutputKind, UnframedOutput, data, note};
use crate::metadata::STUCK;
use crate::run::record::MimeBundle;
use crate::sanitize::{
    Island, IslandKind, IslandRefusal, SafeHtml, UntrustedHtml, island, widget_island,
};

/// The author's permissions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Islands {
    /// Kinds of outputs that may run their scripts in frames.
    pub allowed: BTreeSet<IslandKind>,
    /// Whether a page may have other files: a frame without one has the page's policy.
    pub has_files: bool,
}

/// Markup and island of a bundle that needs its scripts. `None` if it needs none, or shows something
/// without.
pub(super) fn drawn(
    bundle: &MimeBundle,
    notes: &Notes,
) -> Option<(UnframedOutput, Option<Island>)> {
    let found = find(bundle)?;
    let kind = found.kind;
    let islands = notes.islands();
    let what = kind.title();
    if !islands.allowed.contains(&kind) {
        return not_allowed(kind, notes).map(|it| (it, None));
    }
    if !islands.has_files {
        notes.unsupported(format!("{what} in a page of the layout `single`"));
        notes.help(
            "build with `--layout site`: a frame needs a file of its own to have a policy of its own",
        );
        return Some((
            said(&format!("Here the notebook shows {what}, which a page in one file can't hold.")),
            None,
        ));
    }
    let made = match &found.source {
        Source::Markup(text) => island(kind, &UntrustedHtml::new(text.clone())),
        Source::Widget { state, buffers } => widget_island(state, buffers),
    };
    match made {
        Ok(island) => {
            if !island.losses().is_empty() {
                notes.confined(what, island.losses());
            }
            if island.lost() > 0 {
                notes.invalid(format!("a picture in the frame of {what} {STUCK}"));
            }
            let text =
                SafeHtml::text("Runs code of the notebook, in a frame that reaches nothing else.");
            let label = SafeHtml::element("p", &[("class", "nbc-island-label")], text);
            Some((UnframedOutput::new(OutputKind::Island, label), Some(island)))
        }
        Err(refusal) => refused(what, refusal, notes).map(|it| (it, None)),
    }
}

/// The note in place of an island of a kind that the author did not allow.
fn not_allowed(kind: IslandKind, notes: &Notes) -> Option<UnframedOutput> {
    match kind {
        // Charts of Bokeh are drawn otherwise, and most other markup says something without its scripts.
        IslandKind::Bokeh | IslandKind::Html => {
            notes.offer_island(kind);
            None
        }
        IslandKind::Anywidget => {
            notes.need_island(kind);
            None
        }
        IslandKind::Folium | IslandKind::Mpld3 | IslandKind::Pyvis => {
            let what = kind.title();
            notes.need_island(kind);
            notes.unsupported(what);
            Some(said(&format!(
                "Here the notebook shows {what}, whose code pages of this site don't run."
            )))
        }
    }
}

/// The note in place of an output that cannot be an island.
fn refused(what: &str, refusal: IslandRefusal, notes: &Notes) -> Option<UnframedOutput> {
    match refusal {
        IslandRefusal::NoScript => None,
        IslandRefusal::Elsewhere(addresses) => {
            let list = shortened(&addresses);
            notes.unsupported(format!("{what}, whose scripts lie elsewhere: {list}"));
            notes.help(
                "nothing is fetched for a page; let the notebook put these scripts into its output",
            );
            Some(said(&format!(
                "Here the notebook shows {what}, which wants files that are not part of this site: {list}."
            )))
        }
        IslandRefusal::Unusable(reason) => {
            notes.unsupported(format!("{what}: {reason}"));
            Some(said(&format!("Here the notebook shows {what}, which can't be shown here.")))
        }
    }
}

fn said(text: &str) -> UnframedOutput {
    UnframedOutput::new(OutputKind::Note, note(text))
}

fn shortened(addresses: &[String]) -> String {
    let short =
        |it: &String| it.chars().filter(|it| !it.is_control()).take(100).collect::<String>();
    let shown: Vec<String> = addresses.iter().take(4).map(short).collect();
    match addresses.len().saturating_sub(4) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

enum Source {
    Markup(String),
    Widget { state: Value, buffers: Value },
}

struct Found {
    kind: IslandKind,
    source: Source,
}

fn find(bundle: &MimeBundle) -> Option<Found> {
    let inner = bundle.data.get("application/vnd.marimo+mimebundle");
    let parsed = inner.and_then(|it| it.as_str().and_then(data::parse));
    let inner = parsed.as_ref().or(inner).and_then(Value::as_object);
    let get = |name: &str| {
        let own = bundle.data.iter().find(|(it, _)| it.split(';').next() == Some(name));
        own.map(|(_, value)| value).or_else(|| inner?.get(name))
    };
    if let (Some(view), Some(state)) = (get(VIEW), get(STATE)) {
        let id = view.get("model_id").and_then(Value::as_str)?;
        let model = state.get("state")?.get(id)?;
        let values = model.get("state")?;
        values.get("_esm").and_then(Value::as_str).filter(|it| !it.is_empty())?;
        let buffers = model.get("buffers").cloned().unwrap_or_default();
        let source = Source::Widget { state: values.clone(), buffers };
        return Some(Found { kind: IslandKind::Anywidget, source });
    }
    let text = text_of(get("text/html")?);
    // Marimo's own markup is compiled.
    let html = UntrustedHtml::new(text.into_owned());
    let kind = IslandKind::of(&html)?;
    let text = text_of(get("text/html")?).into_owned();
    if kind == IslandKind::Html && text.contains("<marimo-") {
        return None;
    }
    Some(Found { kind, source: Source::Markup(text) })
}
