//! The rule about charts: each figure has its data, data have their figure, and what a runtime of the page is to draw
//! names no code and loads nothing. The page's policy says the same to browsers; this is read without its help.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::excerpt;
use super::tokens::{Element, Page};

/// Longest data of a chart, in bytes.
const LONGEST: usize = 64 << 20;

/// Data of charts by the ids of their figures, each with its line.
pub(super) type Data<'a> = Vec<(&'a str, &'a str, u32)>;

/// The data that stand in a page: every JSON that has an id.
pub(super) fn data_of(page: &Page) -> Data<'_> {
    let is_json =
        |it: &&Element| it.name == "script" && it.attribute("type") == Some("application/json");
    let named = page.elements.iter().filter(is_json).filter_map(|it| {
        let id = it.attribute("id")?;
        Some((id.strip_suffix("-data").unwrap_or_default(), it.text.as_str(), it.line))
    });
    named.collect()
}

/// Kinds of runtimes that a page has.
pub(super) fn runtimes(page: &Page) -> BTreeSet<&str> {
    page.elements.iter().filter_map(|it| it.attribute("data-runtime")).collect()
}

/// Checks the charts of a page or of a content; `add` gets the line and the problem.
pub(super) fn check(
    page: &Page,
    data: &Data<'_>,
    runtimes: &BTreeSet<&str>,
    add: &mut dyn FnMut(u32, String),
) {
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let named: BTreeSet<&str> = data.iter().map(|(id, ..)| *id).collect();
    for figure in page.elements.iter().filter(|it| it.attributes.contains_key("data-chart")) {
        let kind = figure.attribute("data-chart").unwrap_or_default();
        let id = figure.attribute("id").unwrap_or_default();
        if !figure.is_html("figure") || id.is_empty() || kinds.insert(id, kind).is_some() {
            add(figure.line, format!("the chart `{}` has no place of its own", excerpt(id)));
        } else if !runtimes.contains(kind) {
            add(figure.line, format!("no runtime of the page draws `{}`", excerpt(kind)));
        } else if !named.contains(id) {
            add(figure.line, format!("the chart `{}` has no data", excerpt(id)));
        }
    }
    for (id, text, line) in data {
        // A second time it is gone.
        let Some(kind) = kinds.remove(id) else {
            add(*line, format!("data of a chart `{}`, which is not there", excerpt(id)));
            continue;
        };
        if let Some(problem) = problem(kind, text) {
            add(*line, format!("the data of the chart `{}`: {problem}", excerpt(id)));
        }
    }
}

fn problem(kind: &str, text: &str) -> Option<String> {
    if text.len() > LONGEST {
        return Some("they are too long".to_owned());
    }
    let Ok(Value::Object(data)) = serde_json::from_str(text) else {
        return Some("they are no object of JSON".to_owned());
    };
    let has = |names: &[&str]| {
        data.len() == names.len() && data.keys().all(|it| names.contains(&it.as_str()))
    };
    let other_shape = || Some(format!("they are none that `{}` draws", excerpt(kind)));
    match (kind, data.get("spec"), data.get("data"), data.get("doc")) {
        ("vega", Some(Value::Object(spec)), ..) if has(&["lite", "spec"]) => {
            spec.iter().find_map(|(name, value)| vega(name, value))
        }
        ("plotly", _, Some(Value::Array(traces)), _) if has(&["data", "layout", "frames"]) => {
            let frames = data.get("frames").and_then(Value::as_array).into_iter().flatten();
            let framed = frames.filter_map(|it| it.get("data")?.as_array()).flatten();
            let traces = traces.iter().chain(framed);
            let trace = traces.filter_map(|it| it.get("type")).find_map(trace);
            trace.or_else(|| data.iter().find_map(|(name, value)| plotly(name, value)))
        }
        ("bokeh", _, _, Some(document)) if has(&["doc", "root"]) => bokeh(document),
        _ => other_shape(),
    }
}

/// Whether a browser would load what a text says, where it is a style.
fn loads(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["url(", "image-set(", "@import"].iter().any(|it| text.contains(it))
}

/// Everything but rows of data.
fn vega(name: &str, value: &Value) -> Option<String> {
    match value {
        Value::Object(fields) => {
            let forbidden = ["cursor", "href", "url", "ariaRole"]
                .into_iter()
                .find(|it| fields.contains_key(*it));
            if let Some(forbidden) = forbidden {
                return Some(format!("the member `{forbidden}`"));
            }
            if name == "marks" && !are_plain(fields) {
                return Some("marks that change after they are drawn".to_owned());
            }
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            if text("type") == Some("image") || text("mark") == Some("image") {
                return Some("pictures from addresses".to_owned());
            }
            let format = fields.get("format").and_then(|it| it.get("type")).and_then(Value::as_str);
            if text("values").is_some() && matches!(format, Some("csv" | "tsv" | "dsv")) {
                return Some("rows whose header becomes code".to_owned());
            }
            if fields.get("bind").is_some_and(|it| it.get("element").is_some()) {
                return Some("a control outside of it".to_owned());
            }
            let rest =
                fields.iter().filter(|(key, _)| !matches!(key.as_str(), "values" | "datasets"));
            rest.into_iter().find_map(|(key, field)| vega(key, field))
        }
        Value::Array(items) => items.iter().find_map(|it| vega(name, it)),
        Value::String(mark) if name == "mark" && mark == "image" => {
            Some("pictures from addresses".to_owned())
        }
        // A role may speak over the page as soon as the chart is drawn.
        Value::String(text) if text == "ariaRole" => Some("marks with a role".to_owned()),
        Value::String(text) if loads(text) && text.contains('(') => {
            Some("a style that loads something".to_owned())
        }
        _ => None,
    }
}

/// Whether marks get no members but those of their encoding, and such as are named in so many words.
fn are_plain(mark: &Map<String, Value>) -> bool {
    const KNOWN: [&str; 9] = [
        "force",
        "formula",
        "geopath",
        "geopoint",
        "geoshape",
        "label",
        "linkpath",
        "voronoi",
        "wordcloud",
    ];
    let items = |name: &str| match mark.get(name) {
        Some(Value::Array(items)) => items.clone(),
        Some(other) => vec![other.clone()],
        None => Vec::new(),
    };
    let is_name = |it: &Value| {
        it.is_string() || it.as_array().is_some_and(|it| it.iter().all(Value::is_string))
    };
    let is_known = |it: &Value| {
        let kind = it.get("type").and_then(Value::as_str).unwrap_or_default();
        KNOWN.contains(&kind) && it.get("as").is_none_or(is_name)
    };
    items("transform").iter().all(is_known)
        && items("on").iter().all(|it| it.get("trigger").is_none())
}

/// Traces that take their map from the network, or make code from text.
fn trace(kind: &Value) -> Option<String> {
    const STARTS: [&str; 7] =
        ["choropleth", "density", "scattergeo", "scattermap", "splom", "parcoords", "pointcloud"];
    let kind = kind.as_str().unwrap_or("?");
    let is_refused =
        kind == "?" || kind.ends_with("gl") || STARTS.iter().any(|it| kind.starts_with(it));
    is_refused.then(|| format!("a trace `{}`", excerpt(kind)))
}

fn plotly(name: &str, value: &Value) -> Option<String> {
    match value {
        Value::Object(fields) => fields.iter().find_map(|(key, field)| {
            let last = key.rsplit('.').next().unwrap_or(key);
            let is_map = matches!(key.as_str(), "mapbox" | "map" | "geo");
            if is_map || (last == "geojson" && !field.is_null()) {
                return Some(format!("the member `{}`", excerpt(key)));
            }
            if last == "source" && field.as_str().is_some_and(|it| !is_picture(it)) {
                return Some("a picture from an address".to_owned());
            }
            plotly(key, field)
        }),
        Value::Array(items) => items.iter().find_map(|it| plotly(name, it)),
        Value::String(text) if name != "source" => {
            if text.contains('(') && loads(text) {
                return Some("a style that loads something".to_owned());
            }
            // Tags without attributes only style text.
            let is_bare = |tag: &str| {
                let inside = tag.split_once('>').map(|(inside, _)| inside);
                inside
                    .is_some_and(|it| it.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'/'))
            };
            let is_plain = text.split('<').skip(1).all(is_bare);
            (!is_plain).then(|| "markup that is more than style".to_owned())
        }
        _ => None,
    }
}

fn is_picture(source: &str) -> bool {
    let kind = source.strip_prefix("data:image/").and_then(|it| it.split_once(";base64,"));
    kind.is_some_and(|(kind, _)| matches!(kind, "png" | "jpeg" | "jpg" | "gif" | "webp"))
}

fn bokeh(value: &Value) -> Option<String> {
    match value {
        Value::Object(fields) => match fields.get("type").and_then(Value::as_str) {
            Some("object") => bokeh_model(fields),
            // Rows of data.
            Some("ndarray" | "bytes" | "typed_array") => None,
            _ => fields.values().find_map(bokeh),
        },
        Value::Array(items) => items.iter().find_map(bokeh),
        Value::String(text) if loads(text) => Some("a style that loads something".to_owned()),
        _ => None,
    }
}

/// Models that hold code, markup or addresses.
fn bokeh_model(fields: &Map<String, Value>) -> Option<String> {
    const STARTS: [&str; 5] = ["CustomJS", "Ajax", "ServerSent", "WebSource", "HTML"];
    const ENDS: [&str; 8] = [
        "Callback",
        "StyleSheet",
        "TileSource",
        "TileRenderer",
        "Button",
        "Input",
        "TeX",
        "Template",
    ];
    const WHOLE: [&str; 7] = ["", "Div", "Paragraph", "PreText", "MathML", "ImageURL", "OpenURL"];
    const MEMBERS: [&str; 4] =
        ["callback", "js_event_callbacks", "js_property_callbacks", "subscribed_events"];
    let name = fields.get("name").and_then(Value::as_str).unwrap_or_default();
    let is_refused = WHOLE.contains(&name)
        || STARTS.iter().any(|it| name.starts_with(it))
        || ENDS.iter().any(|it| name.ends_with(it));
    if is_refused {
        return Some(format!("a model `{}`", excerpt(name)));
    }
    let attributes = fields.get("attributes")?.as_object()?;
    if let Some(member) = MEMBERS.into_iter().find(|it| attributes.contains_key(*it)) {
        return Some(format!("the member `{member}`"));
    }
    if attributes.get("url").is_some_and(|it| !it.is_null()) {
        return Some("an address to load".to_owned());
    }
    attributes.values().find_map(bokeh)
}
