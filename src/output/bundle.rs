//! Which representation of a value is shown: the richest one that is safe.
//!
//! In: a MIME bundle. Out: markup, or a box that says what is missing. A bundle is never dropped
//! without a word.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::chart::{self, ChartPicture, Family};
use super::element::Marimo;
use super::image::{self, Picture};
use super::math;
use super::notes::Notes;
use super::text::text_of;
use super::{OutputKind, UnframedOutput, ansi, data, diagram, markdown, media, note, widget};
use crate::charts;
use crate::run::CHARTS_MIME;
use crate::run::record::MimeBundle;
use crate::sanitize::{Gate, LONGEST_MARKUP, SafeHtml, UntrustedHtml, svg};

/// Types in the order in which they are tried.
const RICHEST_FIRST: &[&str] = &[
    "text/html",
    "image/svg+xml",
    // A formula is text that grows and can be read aloud; its picture is neither.
    "text/latex",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "video/mp4",
    "video/webm",
    "video/ogg",
    "audio/mpeg",
    "audio/mp3",
    "audio/wav",
    "audio/x-wav",
    "audio/ogg",
    "audio/flac",
    "audio/mp4",
    "audio/webm",
    "text/vnd.mermaid",
    "text/markdown",
    "application/vnd.dataresource+json",
    "application/geo+json",
    "application/json",
    "application/pdf",
    "text/plain",
];

/// Code for the page of a notebook server.
const SCRIPTS: &[&str] = &["application/javascript", "text/javascript"];

/// Renders a bundle; `None` when it is empty.
pub(super) fn render(
    bundle: &MimeBundle,
    gate: &mut Gate,
    notes: &Notes,
) -> Option<UnframedOutput> {
    let mut types: Vec<(String, &Value)> = Vec::new();
    for (name, value) in &bundle.data {
        types.push((plain_type(name), value));
    }
    render_types(&types, &bundle.metadata, gate, notes, 0)
}

/// `TEXT/HTML; charset=utf-8` is `text/html`.
fn plain_type(name: &str) -> String {
    name.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

fn render_types(
    types: &[(String, &Value)],
    metadata: &Map<String, Value>,
    gate: &mut Gate,
    notes: &Notes,
    depth: u8,
) -> Option<UnframedOutput> {
    if types.is_empty() {
        return None;
    }
    let find = |name: &str| types.iter().find(|(it, _)| it == name).map(|(_, value)| *value);
    if let Some(inner) = find("application/vnd.marimo+mimebundle").filter(|_| depth < 4) {
        let parsed = inner.as_str().and_then(data::parse);
        if let Some(Value::Object(inner)) = parsed.as_ref().or(Some(inner)) {
            return marimo_bundle(inner, gate, notes, depth);
        }
    }
    let is_error = |name: &str| {
        name.starts_with("application/vnd.marimo+error")
            || name.starts_with("application/vnd.marimo+traceback")
    };
    if types.iter().any(|(name, _)| is_error(name)) {
        let text = SafeHtml::element("p", &[], SafeHtml::text("This cell failed."));
        return Some(UnframedOutput::new(OutputKind::Error, text));
    }
    if chart::is_only_loading(types) {
        return None;
    }
    if let Some(drawn) = chart_of(types, metadata, gate, notes) {
        return Some(drawn);
    }
    if let Some(view) = find(widget::VIEW) {
        let drawn = find(widget::STATE).and_then(|it| widget::html(view, it, gate, notes));
        return Some(match drawn {
            Some(html) => UnframedOutput::new(OutputKind::Widget, html),
            None => unknown_widget(types, metadata, gate, notes),
        });
    }
    if types.iter().any(|(name, _)| SCRIPTS.contains(&name.as_str())) && !has_picture(types) {
        notes.unsupported("JavaScript of the notebook");
        let text = "Here the notebook runs JavaScript, which pages of this site never do.";
        return Some(UnframedOutput::new(OutputKind::Note, note(text)));
    }
    match richest(types, metadata, gate, notes) {
        Ok(drawn) => Some(*drawn),
        Err(NotShownReason::TooLarge) => {
            let text = "This output is too large to be shown.";
            Some(UnframedOutput::new(OutputKind::Note, note(text)))
        }
        Err(NotShownReason::OnlyScript) => {
            notes.unsupported("an output that is nothing without its script");
            let text = "This output needs code that pages of this site don't run.";
            Some(UnframedOutput::new(OutputKind::Note, note(text)))
        }
        Err(NotShownReason::Unknown) => other(types, metadata, gate, notes),
    }
}

/// A chart of a known library.
fn chart_of(
    types: &[(String, &Value)],
    metadata: &Map<String, Value>,
    gate: &mut Gate,
    notes: &Notes,
) -> Option<UnframedOutput> {
    let mut charts =
        types.iter().filter_map(|(name, value)| Some((Family::of_type(name)?, *value)));
    let (family, value) = charts.next()?;
    let still = picture(types, metadata, gate, notes);
    let still = ChartPicture::of(still, family, notes);
    let html = chart::figure(family, family.read(value, types), still, notes);
    Some(UnframedOutput::new(OutputKind::Chart, html))
}

/// Reasons why no known type of a bundle is shown.
enum NotShownReason {
    TooLarge,
    /// Nothing of its markup works without its script.
    OnlyScript,
    /// It has no type that nbc shows.
    Unknown,
}

/// The richest representation that can be shown.
fn richest(
    types: &[(String, &Value)],
    metadata: &Map<String, Value>,
    gate: &mut Gate,
    notes: &Notes,
) -> Result<Box<UnframedOutput>, NotShownReason> {
    let find = |name: &str| types.iter().find(|(it, _)| it == name).map(|(_, value)| *value);
    // Markup that needs its script comes after types that need none.
    let (mut is_empty, mut is_too_large) = (false, false);
    let mut source: Option<Box<UnframedOutput>> = None;
    let told = |source: Box<UnframedOutput>| {
        let written = find("text/latex").map(text_of).unwrap_or_default();
        notes.undrawn_formula(&written, None);
        source
    };
    for name in RICHEST_FIRST {
        let Some(value) = find(name) else { continue };
        if *name == "text/plain" && types.len() > 1 && is_stand_in(&text_of(value)) {
            continue;
        }
        match one(name, value, types, metadata, gate, notes) {
            // LaTeX that is no formula is better as its picture.
            Shown::Source(drawn) => source = source.or(Some(drawn)),
            Shown::Whole(drawn) if !name.starts_with("image/") => {
                return Ok(source.map_or(drawn, told));
            }
            Shown::Whole(drawn) => return Ok(drawn),
            Shown::Empty => is_empty = true,
            Shown::TooLarge => is_too_large = true,
            Shown::Not => {}
        }
    }
    source.map(told).ok_or(match (is_too_large, is_empty) {
        (true, _) => NotShownReason::TooLarge,
        (false, true) => NotShownReason::OnlyScript,
        (false, false) => NotShownReason::Unknown,
    })
}

/// A bundle without a type that nbc shows.
fn other(
    types: &[(String, &Value)],
    metadata: &Map<String, Value>,
    gate: &mut Gate,
    notes: &Notes,
) -> Option<UnframedOutput> {
    let find = |name: &str| types.iter().find(|(it, _)| it == name).map(|(_, value)| *value);
    let is_blank = |name: &str| find(name).is_some_and(|it| text_of(it).trim().is_empty());
    if types.iter().all(|(name, _)| name == "text/plain" || is_blank(name))
        && find("text/plain").is_some_and(|it| is_stand_in(&text_of(it)))
    {
        // `display(HTML(""))`, with which programs clear what they showed.
        return None;
    }
    // Other text is text, whatever language it is in.
    let text = types.iter().find(|(name, _)| {
        name.starts_with("text/") && !["text/html", "text/plain"].contains(&name.as_str())
    });
    if let Some((_, value)) = text
        && let Shown::Whole(drawn) = one("text/plain", value, types, metadata, gate, notes)
    {
        return Some(*drawn);
    }
    let names: Vec<&str> = types.iter().map(|(name, _)| name.as_str()).collect();
    let what = printable(names.first().copied().unwrap_or(""));
    if let Some((_, value)) = types.iter().find(|(name, _)| name.ends_with("+json")) {
        notes.unsupported(format!("data of type `{what}` (shown as a tree)"));
        return Some(UnframedOutput::new(OutputKind::Data, data::tree(value, &mut |_, _| None)));
    }
    notes.unsupported(format!("an output of type `{what}`"));
    Some(UnframedOutput::new(
        OutputKind::Note,
        note(&format!("An output of type {what} can't be shown here.")),
    ))
}

/// Whether a text is only what IPython writes beside a representation: `<IPython.core.display.HTML object>`.
fn is_stand_in(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("<IPython.") && text.ends_with('>') && !text.contains('\n')
}

/// Whether a picture or markup shows the same as a script would draw.
fn has_picture(types: &[(String, &Value)]) -> bool {
    types.iter().any(|(name, _)| name.starts_with("image/") || name == "text/html")
}

fn printable(name: &str) -> String {
    let plain = |it: &char| it.is_ascii_alphanumeric() || matches!(it, '/' | '.' | '+' | '-' | '_');
    name.chars().filter(plain).take(80).collect()
}

/// marimo's own bundle: images are `data:` addresses, metadata is a type of its own.
fn marimo_bundle(
    inner: &Map<String, Value>,
    gate: &mut Gate,
    notes: &Notes,
    depth: u8,
) -> Option<UnframedOutput> {
    let metadata =
        inner.get("__metadata__").and_then(Value::as_object).cloned().unwrap_or_default();
    let types: Vec<(String, &Value)> = inner
        .iter()
        .filter(|(name, _)| *name != "__metadata__")
        .map(|(name, value)| (plain_type(name), value))
        .collect();
    render_types(&types, &metadata, gate, notes, depth + 1)
}

/// The picture in a bundle.
fn picture(
    types: &[(String, &Value)],
    metadata: &Map<String, Value>,
    gate: &mut Gate,
    notes: &Notes,
) -> Option<SafeHtml> {
    let mut pictures = chart::PICTURES.iter().filter_map(|name| {
        let (_, value) = types.iter().find(|(it, _)| it == name)?;
        match one(name, value, types, metadata, gate, notes) {
            Shown::Whole(drawn) => Some(drawn.html),
            _ => None,
        }
    });
    pictures.next()
}

/// A Jupyter widget by the picture or text that came with it.
fn unknown_widget(
    types: &[(String, &Value)],
    metadata: &Map<String, Value>,
    gate: &mut Gate,
    notes: &Notes,
) -> UnframedOutput {
    if let Some(html) = picture(types, metadata, gate, notes) {
        return UnframedOutput::new(OutputKind::Chart, html);
    }
    notes.unsupported("a Jupyter widget");
    let mut pieces =
        vec![note("Here the notebook shows a Jupyter widget, which needs a running notebook.")];
    if let Some((_, value)) = types.iter().find(|(it, _)| it == "text/plain") {
        pieces.push(SafeHtml::element("pre", &[], SafeHtml::text(&text_of(value))));
    }
    UnframedOutput::new(OutputKind::Widget, SafeHtml::concat(pieces))
}

enum Shown {
    Whole(Box<UnframedOutput>),
    /// A formula of it is shown as its source.
    Source(Box<UnframedOutput>),
    /// Nothing was left of it.
    Empty,
    TooLarge,
    /// It is malformed.
    Not,
}

fn one(
    name: &str,
    value: &Value,
    types: &[(String, &Value)],
    metadata: &Map<String, Value>,
    gate: &mut Gate,
    notes: &Notes,
) -> Shown {
    let whole = metadata;
    // Metadata is flat, or by type.
    let metadata = metadata.get(name).and_then(Value::as_object).unwrap_or(metadata);
    let drawn = match name {
        "text/html" => return html(&text_of(value), types, whole, gate, notes),
        "text/markdown" => return prose(&text_of(value), types, whole, gate, notes),
        "image/svg+xml" => return svg_image(text_of(value), metadata, notes),
        _ if name.starts_with("image/") => match Picture::parse(&text_of(value)) {
            Ok(picture) => UnframedOutput::new(OutputKind::Image, picture.html(metadata)),
            Err(why) => {
                notes.invalid(format!("an output of type `{name}` {why}"));
                return Shown::Not;
            }
        },
        _ if name.starts_with("audio/") || name.starts_with("video/") => {
            let html = media::player(&text_of(value), name.starts_with("video/"), notes);
            UnframedOutput::new(OutputKind::Html, html)
        }
        "application/pdf" => match media::pdf(&text_of(value), notes) {
            Some(html) => UnframedOutput::new(OutputKind::Html, html),
            None => {
                notes.invalid("an output of type `application/pdf` is no PDF");
                return Shown::Not;
            }
        },
        "text/vnd.mermaid" => {
            UnframedOutput::new(OutputKind::Image, diagram::html(&text_of(value), notes))
        }
        "application/vnd.dataresource+json" => match data::resource(value, notes) {
            Some(html) => UnframedOutput::new(OutputKind::Table, html),
            None => return Shown::Not,
        },
        "text/latex" => {
            let (html, drawing) = math::latex(&text_of(value), gate);
            let drawn = UnframedOutput::new(OutputKind::Math, html);
            match drawing {
                math::Drawing::Whole => drawn,
                math::Drawing::Source => return Shown::Source(Box::new(drawn)),
            }
        }
        "application/json" => UnframedOutput::new(OutputKind::Data, json(value, gate, notes)),
        "application/geo+json" => UnframedOutput::new(OutputKind::Data, map(value, gate, notes)),
        _ => return plain_text(&text_of(value)),
    };
    Shown::Whole(Box::new(drawn))
}

/// Markdown. marimo states this type for the HTML that it made of Markdown, too.
fn prose(
    text: &str,
    types: &[(String, &Value)],
    metadata: &Map<String, Value>,
    gate: &mut Gate,
    notes: &Notes,
) -> Shown {
    if text.trim_start().starts_with("<span class=\"markdown") {
        return html(text, types, metadata, gate, notes);
    }
    let html = markdown::render(text, gate, notes);
    Shown::Whole(Box::new(UnframedOutput::new(OutputKind::Prose, html)))
}

/// An SVG image, as markup or as a `data:` address.
fn svg_image(text: Cow<'_, str>, metadata: &Map<String, Value>, notes: &Notes) -> Shown {
    let text = match text.trim_start().starts_with("data:") {
        true => match image::decode(&text).map(String::from_utf8) {
            Some(Ok(text)) => text,
            _ => return Shown::Not,
        },
        false => text.into_owned(),
    };
    if text.len() > LONGEST_MARKUP {
        let size = text.len() >> 20;
        notes.unsupported(format!("an image of {size} MiB, which is too large"));
        return Shown::TooLarge;
    }
    let Some(image) = svg::image(&UntrustedHtml::new(text), image::alternative(metadata)) else {
        notes.invalid("an SVG image holds no `svg` element");
        return Shown::Not;
    };
    notes.removed(&image.removed);
    Shown::Whole(Box::new(UnframedOutput::new(OutputKind::Image, image.html)))
}

/// JSON as a tree; some programs write it as a text.
fn json(value: &Value, gate: &mut Gate, notes: &Notes) -> SafeHtml {
    let parsed = value.as_str().and_then(data::parse);
    tree(parsed.as_ref().unwrap_or(value), gate, notes)
}

fn tree(value: &Value, gate: &mut Gate, notes: &Notes) -> SafeHtml {
    let marimo = Marimo::new(notes);
    data::tree(value, &mut |text, depth| marimo.leaf(text, depth, gate))
}

/// GeoJSON as a tree below the number of its features.
fn map(value: &Value, gate: &mut Gate, notes: &Notes) -> SafeHtml {
    let parsed = value.as_str().and_then(data::parse);
    let value = parsed.as_ref().unwrap_or(value);
    let html = tree(value, gate, notes);
    let features = value.get("features").and_then(Value::as_array);
    let Some(features) = features else { return html };
    let plural = if features.len() == 1 { "" } else { "s" };
    let text = format!("A map of {} feature{plural}", features.len());
    let text = SafeHtml::div("nbc-widget-label", SafeHtml::text(&text));
    SafeHtml::concat([text, html])
}

fn plain_text(text: &str) -> Shown {
    if text.is_empty() {
        return Shown::Not;
    }
    let attributes =
        [("class", "nbc-text"), ("tabindex", "0"), ("role", "group"), ("aria-label", "Result")];
    let html = SafeHtml::element("pre", &attributes, ansi::html(text));
    Shown::Whole(Box::new(UnframedOutput::new(OutputKind::Text, html)))
}

/// `types` is the bundle that the markup comes from.
fn html(
    text: &str,
    types: &[(String, &Value)],
    metadata: &Map<String, Value>,
    gate: &mut Gate,
    notes: &Notes,
) -> Shown {
    if text.len() > LONGEST_MARKUP {
        notes.unsupported(format!("an output of {} MiB, which is too large", text.len() >> 20));
        return Shown::TooLarge;
    }
    let controls = notes.has_controls();
    let pictures = types.iter().find(|(it, _)| it == CHARTS_MIME);
    let pictures = pictures.and_then(|(_, it)| it.as_array()).into_iter().flatten();
    let pictures = pictures.map(|it| it.as_str().map(str::to_owned)).collect();
    let marimo = Marimo::with_charts(notes, pictures);
    let html = gate.fragment(&UntrustedHtml::new(text.to_owned()), &marimo);
    if text.contains("<script")
        && let Some(found) = charts::in_markup(text)
    {
        let family = Family::of_kind(found.kind);
        // The build adds one to Altair's markup.
        let still = ChartPicture::of(picture(types, metadata, gate, notes), family, notes);
        let figure = chart::figure(family, found.chart, still, notes);
        let html =
            if has_content(html.as_str()) { SafeHtml::concat([html, figure]) } else { figure };
        return Shown::Whole(Box::new(UnframedOutput::new(OutputKind::Chart, html)));
    }
    if !has_content(html.as_str()) {
        if is_style(text) {
            // Notebooks widen or colour Jupyter's own page this way; there is nothing to show.
            gate.remove("style sheet for Jupyter's page");
            return Shown::Whole(Box::new(UnframedOutput::new(
                OutputKind::Html,
                SafeHtml::default(),
            )));
        }
        return if text.trim().is_empty() { Shown::Not } else { Shown::Empty };
    }
    let start = text.trim_start();
    let kind = if start.starts_with("<span class=\"markdown") {
        OutputKind::Prose
    } else if html.as_str().starts_with("<div class=\"nbc-table-frame") {
        OutputKind::Table
    } else if !controls && notes.has_controls() {
        OutputKind::Widget
    } else {
        OutputKind::Html
    };
    Shown::Whole(Box::new(UnframedOutput::new(kind, html)))
}

/// Whether markup that shows nothing is style sheets, with settings of MathJax at most.
fn is_style(text: &str) -> bool {
    let start = text.trim_start();
    let is_setting = |script: &str| {
        let content = script.split_once('>').filter(|(tag, _)| !tag.contains("src"));
        content.is_some_and(|(_, it)| it.trim_start().starts_with("MathJax."))
    };
    (start.starts_with("<style") || start.starts_with("<link"))
        && text.split("<script").skip(1).all(is_setting)
}

/// Whether a reader would see anything.
pub(super) fn has_content(html: &str) -> bool {
    if ["<img", "<svg", "<input", "<math", "<hr", "<table", "<audio", "<video"]
        .iter()
        .any(|it| html.contains(it))
    {
        return true;
    }
    let mut in_tag = false;
    html.chars().any(|it| {
        match it {
            '<' => in_tag = true,
            '>' => in_tag = false,
            _ => return !in_tag && !it.is_whitespace(),
        }
        false
    })
}
