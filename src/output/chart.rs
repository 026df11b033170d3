//! Charts: a picture that is always there, and a figure that the page's script draws in its place.

use std::collections::BTreeSet;

use serde_json::Value;

use super::notes::Notes;
use super::placed_chart::PlacedChart;
use super::text::text_of;
use super::{RenderedOutput, note};
use crate::charts::{self, Chart, Kind, Refusal};
use crate::metadata::STUCK;
use crate::sanitize::SafeHtml;

/// MIME types of charts; the first that a prefix fits counts.
const TYPES: &[(&str, Family)] = &[
    ("application/vnd.vegalite.", Family::VegaLite),
    ("application/vnd.vega.", Family::Vega),
    ("application/vnd.plotly.", Family::Plotly),
    ("application/vnd.bokehjs", Family::Bokeh),
    ("application/vnd.holoviews", Family::HoloViews),
];

/// The library that made a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Vega,
    VegaLite,
    Plotly,
    Bokeh,
    HoloViews,
}

impl Family {
    /// The family of a MIME type.
    pub(super) fn of_type(name: &str) -> Option<Self> {
        TYPES.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, family)| *family)
    }

    /// The family of a chart that was found in markup.
    pub(super) fn of_kind(kind: Kind) -> Self {
        match kind {
            Kind::Plotly => Self::Plotly,
            Kind::Bokeh => Self::Bokeh,
            Kind::Vega => Self::VegaLite,
        }
    }

    /// Its name in sentences.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Vega => "a Vega chart",
            Self::VegaLite => "a Vega-Lite chart",
            Self::Plotly => "a Plotly chart",
            Self::Bokeh => "a Bokeh chart",
            Self::HoloViews => "a HoloViews chart",
        }
    }

    /// The figure in a MIME bundle.
    pub(super) fn read(self, value: &Value, types: &[(String, &Value)]) -> Result<Chart, Refusal> {
        let parsed = value.as_str().and_then(super::data::parse);
        let value = parsed.as_ref().unwrap_or(value);
        match self {
            Self::Vega => Chart::vega(value, false),
            Self::VegaLite => Chart::vega(value, true),
            Self::Plotly => Chart::plotly(value),
            // The document is in the script next to it.
            Self::Bokeh | Self::HoloViews => {
                let scripts = types.iter().filter(|(name, _)| {
                    matches!(name.as_str(), "application/javascript" | "text/html")
                });
                let mut texts = scripts.map(|(_, it)| text_of(it));
                let found = texts.find_map(|it| charts::in_markup(&it));
                let none = || Err(Refusal("its data are not in the notebook".to_owned()));
                found.map_or_else(none, |it| it.chart)
            }
        }
    }
}

/// Drops charts whose figures are in none of these outputs.
pub fn keep_placed(charts: &mut Vec<PlacedChart>, outputs: &[RenderedOutput]) {
    if charts.is_empty() {
        return;
    }
    let before = outputs.iter().flat_map(|it| it.html.as_str().split("\" data-chart=\""));
    let ids: BTreeSet<&str> =
        before.filter_map(|it| it.rsplit_once("id=\"")).map(|(_, id)| id).collect();
    charts.retain(|it| ids.contains(it.id.as_str()));
}

/// The picture of a chart.
pub(super) enum ChartPicture {
    /// It is there.
    Picture(SafeHtml),
    /// The build tried to draw one, and could not.
    NotDrawn,
    /// Nobody tried.
    None,
}

impl ChartPicture {
    /// Of a bundle, whose Vega charts the build draws.
    pub(super) fn of(picture: Option<SafeHtml>, family: Family, notes: &Notes) -> Self {
        match picture {
            Some(picture) => Self::Picture(picture),
            None if notes.is_state() => Self::None,
            None if matches!(family, Family::Vega | Family::VegaLite) => Self::NotDrawn,
            None => Self::None,
        }
    }
}

/// The markup of a chart, live where its runtime can be had.
pub(super) fn figure(
    family: Family,
    read: Result<Chart, Refusal>,
    still: ChartPicture,
    notes: &Notes,
) -> SafeHtml {
    let what = family.title();
    let (still, is_too_much) = match still {
        ChartPicture::Picture(picture) => (Some(picture), false),
        ChartPicture::NotDrawn => (None, true),
        ChartPicture::None => (None, false),
    };
    let has_still = still.is_some();
    let live = match read {
        // A chart that the build could not draw in its bounds would hang a reader's browser.
        Ok(_) if is_too_much => {
            notes.unsupported(format!("{what} that could not be drawn within bounds"));
            notes.undrawn();
            None
        }
        Ok(chart) => {
            if chart.lost() > 0 {
                notes.invalid(format!("a picture in {what} {STUCK}"));
            }
            notes.live(chart)
        }
        Err(Refusal(reason)) => {
            notes.unsupported(format!("the interaction of {what}: {reason}"));
            None
        }
    };
    let Some(placed) = live else {
        if !has_still {
            notes.unsupported(format!("{what} without a picture"));
        }
        return still
            .unwrap_or_else(|| note(&format!("{}, which can't be shown here.", opening(what))));
    };
    let still = still.unwrap_or_else(|| note(&format!("{}, which needs scripts.", opening(what))));
    let label = match placed.chart.title() {
        Some(title) => format!("Chart: {title}"),
        None => "Chart".to_owned(),
    };
    let kind = placed.chart.kind().name();
    let mut attributes = vec![
        ("class", "nbc-chart"),
        ("id", placed.id.as_str()),
        ("data-chart", kind),
        ("role", "group"),
        ("aria-label", label.as_str()),
    ];
    if placed.chart.has_own_paper() || placed.chart.kind() != Kind::Vega {
        attributes.push(("data-paper", "own"));
    }
    SafeHtml::element("figure", &attributes, SafeHtml::div("nbc-chart-still", still))
}

fn opening(what: &str) -> String {
    format!("Here the notebook shows {what}")
}

/// Types of pictures that come with a chart, best first.
pub(super) const PICTURES: [&str; 4] = ["image/svg+xml", "image/png", "image/jpeg", "image/webp"];

/// Whether an output only loads a library, or is the place that its script would fill: it shows nothing.
pub(super) fn is_only_loading(types: &[(String, &Value)]) -> bool {
    let text = |name: &str| types.iter().find(|(it, _)| it == name).map(|(_, it)| text_of(it));
    let loads = ["application/vnd.bokehjs_load", "application/vnd.holoviews_load"];
    if types.iter().any(|(name, _)| loads.iter().any(|it| name.starts_with(it))) {
        return true;
    }
    if types.iter().any(|(name, _)| Family::of_type(name).is_some()) {
        return false;
    }
    let Some(html) = text("text/html") else { return false };
    let is_library = html.contains("window.PlotlyConfig") && !html.contains("Plotly.newPlot(");
    let is_banner = html.contains("bk-notebook-logo") && html.contains("Loading BokehJS");
    let is_place = html.contains("data-root-id=") && html.len() < 1000 && !html.contains("<script");
    is_library || is_banner || is_place
}
