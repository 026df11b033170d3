//! Figures of Plotly.

use serde_json::{Map, Value};

use super::{Chart, Kind, Refusal, names_an_address};

/// Traces that draw without a network and without making code from text.
const TRACES: &[&str] = &[
    "bar",
    "barpolar",
    "box",
    "candlestick",
    "carpet",
    "cone",
    "contour",
    "contourcarpet",
    "funnel",
    "funnelarea",
    "heatmap",
    "histogram",
    "histogram2d",
    "histogram2dcontour",
    "icicle",
    "image",
    "indicator",
    "isosurface",
    "mesh3d",
    "ohlc",
    "parcats",
    "pie",
    "sankey",
    "scatter",
    "scatter3d",
    "scattercarpet",
    "scatterpolar",
    "scattersmith",
    "scatterternary",
    "streamtube",
    "sunburst",
    "surface",
    "table",
    "treemap",
    "violin",
    "volume",
    "waterfall",
];

/// WebGL variants, which make code from text, and the types that draw the same without it.
const WITHOUT_GL: [(&str, &str); 3] =
    [("scattergl", "scatter"), ("scatterpolargl", "scatterpolar"), ("heatmapgl", "heatmap")];

/// Most points of a trace that is drawn without WebGL in its place.
const MOST_POINTS: usize = 50_000;

pub(super) fn read(figure: &Value) -> Result<Chart, Refusal> {
    let Value::Object(figure) = figure else {
        return Refusal::because("its figure is no object");
    };
    let take = |name: &str| figure.get(name).filter(|it| !it.is_null()).cloned();
    let mut data = take("data").unwrap_or_else(|| Value::Array(Vec::new()));
    let mut layout = take("layout").unwrap_or_else(|| Value::Object(Map::new()));
    let Value::Array(traces) = &mut data else {
        return Refusal::because("its data are no list of traces");
    };
    traces.iter_mut().try_for_each(trace)?;
    let title = layout.get("title").and_then(|it| it.get("text").unwrap_or(it).as_str());
    let title = title.map(without_markup);
    clean("layout", &mut layout)?;
    clean("data", &mut data)?;
    let mut frames = take("frames").unwrap_or_else(|| Value::Array(Vec::new()));
    for frame in frames.as_array_mut().into_iter().flatten() {
        for own in frame.get_mut("data").and_then(Value::as_array_mut).into_iter().flatten() {
            // A frame may leave out what does not change.
            if own.get("type").is_some() {
                trace(own)?;
            }
        }
    }
    clean("frames", &mut frames)?;
    let data = serde_json::json!({ "data": data, "layout": layout, "frames": frames });
    Ok(Chart { title, ..Chart::new(Kind::Plotly, &data)? })
}

fn trace(trace: &mut Value) -> Result<(), Refusal> {
    let Value::Object(trace) = trace else {
        return Refusal::because("one of its traces is no object");
    };
    let kind = trace.get("type").map_or(Some("scatter"), Value::as_str);
    let Some(kind) = kind else { return Refusal::because("the type of a trace is no text") };
    if TRACES.contains(&kind) {
        return Ok(());
    }
    if let Some((_, same)) = WITHOUT_GL.iter().find(|(gl, _)| *gl == kind) {
        let points = ["x", "y", "r", "theta", "z"].iter().filter_map(|it| points(trace.get(*it)?));
        if points.max().is_some_and(|it| it > MOST_POINTS) {
            return Refusal::because(format!(
                "it has more points than can be drawn without WebGL ({MOST_POINTS})"
            ));
        }
        trace.insert("type".to_owned(), Value::from(*same));
        return Ok(());
    }
    let shown: String = kind.chars().filter(char::is_ascii_alphanumeric).take(30).collect();
    let maps = ["geo", "map", "choropleth", "density"];
    Refusal::because(match maps.iter().any(|it| kind.contains(it)) {
        true => format!("`{shown}` takes its map from the network"),
        false => format!("`{shown}` needs WebGL that makes code from text"),
    })
}

/// Number of points in a list, or in numpy's bytes as base64.
fn points(value: &Value) -> Option<usize> {
    match value {
        Value::Array(items) => Some(items.len()),
        Value::Object(packed) => {
            let (bytes, kind) = (packed.get("bdata")?.as_str()?, packed.get("dtype")?.as_str()?);
            let size: usize = kind.get(1..)?.parse().ok().filter(|it| *it > 0)?;
            Some(bytes.len() / 4 * 3 / size)
        }
        _ => None,
    }
}

fn clean(name: &str, value: &mut Value) -> Result<(), Refusal> {
    match value {
        Value::Object(fields) => {
            for forbidden in ["mapbox", "map", "geo"] {
                // A default of templates that nothing draws on.
                fields.shift_remove(forbidden);
            }
            for (key, field) in fields.iter_mut() {
                // `images[0].source` sets a source as well.
                let last = key.rsplit('.').next().unwrap_or(key);
                if last == "source" && field.as_str().is_some_and(|it| !is_picture(it)) {
                    *field = Value::Null;
                }
                if last == "geojson" {
                    *field = Value::Null;
                }
                clean(key, field)?;
            }
        }
        Value::Array(items) => items.iter_mut().try_for_each(|it| clean(name, it))?,
        Value::String(text) => {
            if name == "source" {
                return Ok(());
            }
            if text.contains('<') {
                *text = plain_markup(text);
            }
            if text.contains('(') && names_an_address(text) {
                text.clear();
            }
        }
        _ => {}
    }
    Ok(())
}

/// A picture that is in its address.
fn is_picture(source: &str) -> bool {
    ["png", "jpeg", "jpg", "gif", "webp"]
        .iter()
        .any(|it| source.starts_with(&format!("data:image/{it};base64,")))
}

/// Tags of Plotly's small markup (plotly.js, `svg_text_utils`) that only style text.
const STYLING: [&str; 11] = ["b", "strong", "i", "em", "u", "s", "sub", "sup", "br", "br/", "span"];

/// Keeps tags that style, without their attributes.
fn plain_markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, tag)) = rest.split_once('<') {
        out.push_str(before);
        let Some((inside, after)) = tag.split_once('>') else {
            out.push_str("&lt;");
            rest = tag;
            continue;
        };
        let name = inside.trim_start_matches('/').split([' ', '\t', '\n', '\r', '\u{c}']).next();
        let name = name.unwrap_or_default().to_ascii_lowercase();
        let is_tag = name.starts_with(|it: char| it.is_ascii_alphabetic());
        if STYLING.contains(&name.as_str()) {
            let slash = if inside.starts_with('/') { "/" } else { "" };
            out.push_str(&format!("<{slash}{}>", name.trim_end_matches('/')));
            rest = after;
        } else if is_tag || inside.starts_with(['!', '/']) {
            rest = after;
        } else {
            // `a < b`, as text.
            out.push_str("&lt;");
            rest = tag;
        }
    }
    out.push_str(rest);
    out
}

fn without_markup(text: &str) -> String {
    let mut inside = false;
    plain_markup(text)
        .replace("<br>", " ")
        .chars()
        .filter(|it| {
            let was = inside;
            inside = match it {
                '<' => true,
                '>' => false,
                _ => inside,
            };
            !was && !inside
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "a value that is not there fails the test")]

    use serde_json::json;

    use super::*;

    fn data(figure: &Value) -> Value {
        serde_json::from_str(read(figure).unwrap().json()).unwrap()
    }

    #[test]
    fn figures_keep_data_layout_and_frames_and_nothing_else() {
        let figure = json!({
            "data": [{"type": "scattergl", "x": [1], "text": ["<b>a</b> < b <a href='https://e.x'>c</a>"]}],
            "layout": {
                "title": {"text": "<b>Sales</b><br>2026"},
                "images": [{"source": "https://e.x/a.png"}, {"source": "data:image/png;base64,AA"}],
                "updatemenus": [{"buttons": [{"args": [{"images[0].source": "https://e.x"}]}]}],
                "annotations": [{"text": "<span style='background:url(https://e.x)'>n</span>"}],
                "template": {"layout": {"mapbox": {"style": "light"}, "geo": {"bgcolor": "white"}}},
            },
            "config": {"plotlyServerURL": "https://e.x", "showSendToCloud": true},
        });
        let data = data(&figure);
        assert_eq!(data["data"][0]["type"], "scatter");
        assert_eq!(data["data"][0]["text"][0], "<b>a</b> &lt; b c");
        assert_eq!(data["layout"]["images"][0]["source"], Value::Null);
        assert_eq!(data["layout"]["images"][1]["source"], "data:image/png;base64,AA");
        assert_eq!(data["layout"]["annotations"][0]["text"], "<span>n</span>");
        assert!(data.get("config").is_none());
        assert!(!data.to_string().contains("e.x"), "{data}");
        assert_eq!(read(&figure).unwrap().title(), Some("Sales 2026"));
    }

    #[test]
    fn maps_and_webgl_that_makes_code_are_refused() {
        let refused = |kind: &str| read(&json!({"data": [{"type": kind}]})).unwrap_err().0;
        assert!(refused("choropleth").contains("network"));
        assert!(refused("scattermapbox").contains("network"));
        assert!(refused("splom").contains("WebGL"));
        let many = json!({"data": [{"type": "scattergl", "x": vec![0; MOST_POINTS + 1]}]});
        assert!(read(&many).unwrap_err().0.contains("more points"));
        let packed = json!({"dtype": "f8", "bdata": "A".repeat(MOST_POINTS * 11)});
        let many = json!({"data": [{"type": "scattergl", "x": packed}]});
        assert!(read(&many).unwrap_err().0.contains("more points"));
    }

    #[test]
    fn markup_never_ends_in_a_tag_that_was_not_written() {
        for (from, to) in [
            ("a <b", "a &lt;b"),
            ("<<b>script>", "&lt;<b>script>"),
            ("<B CLASS=x>y</B >", "<b>y</b>"),
            ("<!-- c --> d", " d"),
            ("1 < 2 > 0", "1 &lt; 2 > 0"),
            ("<img src=x onerror=y>z", "z"),
        ] {
            assert_eq!(plain_markup(from), to);
        }
    }
}
