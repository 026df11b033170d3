//! Charts that libraries write as markup with a script: the script holds the figure as JSON.
//!
//! The script is never looked at beyond the few words before the figure, and never runs.

use serde_json::Value;

use super::{Chart, Kind, Refusal};

/// A chart found in markup.
#[derive(Debug)]
pub struct Found {
    /// Which library wrote the markup.
    pub kind: Kind,
    /// The chart, or why it stays a picture.
    pub chart: Result<Chart, Refusal>,
}

/// The first chart in markup or a script of Plotly, Altair or Bokeh; `None` when there is none.
pub fn in_markup(text: &str) -> Option<Found> {
    let found = |kind, chart: Option<_>| chart.map(|chart| Found { kind, chart });
    found(Kind::Plotly, plotly(text))
        .or_else(|| found(Kind::Bokeh, bokeh(text)))
        .or_else(|| found(Kind::Vega, altair(text)))
}

/// `Plotly.newPlot("id", [data], {layout}, …)`.
fn plotly(text: &str) -> Option<Result<Chart, Refusal>> {
    let call = ["Plotly.newPlot(", "Plotly.react("].iter().find_map(|it| text.split_once(it))?.1;
    let call = call.trim_start();
    let quote = call.chars().next().filter(|it| matches!(it, '"' | '\''))?;
    let (_, arguments) = call.get(1..)?.split_once(quote)?;
    let (data, rest) = json(arguments.trim_start().strip_prefix(',')?)?;
    let layout = rest.trim_start().strip_prefix(',').and_then(json);
    let layout = layout.map_or(Value::Null, |(layout, _)| layout);
    let frames = text.split_once("Plotly.addFrames(").and_then(|(_, call)| {
        let (_, list) = call.split_once(',')?;
        Some(json(list)?.0)
    });
    let figure = serde_json::json!({ "data": data, "layout": layout, "frames": frames });
    Some(Chart::plotly(&figure))
}

/// `const docs_json = {…};`, or a `<script type="application/json">` beside it.
fn bokeh(text: &str) -> Option<Result<Chart, Refusal>> {
    if !text.contains("docs_json") {
        return None;
    }
    let documents = text.match_indices("docs_json = ").find_map(|(at, word)| {
        let (value, _) = json(text.get(at + word.len()..)?)?;
        value.is_object().then_some(value)
    });
    let documents = documents.or_else(|| {
        let (_, element) = text.split_once("type=\"application/json\"")?;
        let (_, content) = element.split_once('>')?;
        let content = content.trim_start();
        if content.starts_with("{&#34;") || content.starts_with("{&quot;") {
            let (content, _) = content.split_once("</script")?;
            let quotes = content.replace("&#34;", "\"").replace("&quot;", "\"");
            let plain = quotes.replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">");
            return json(&plain.replace("&amp;", "&")).map(|(value, _)| value);
        }
        json(content).map(|(value, _)| value)
    })?;
    let items = text.split_once("render_items = ").and_then(|(_, rest)| json(rest));
    let root = items.as_ref().and_then(|(it, _)| it.pointer("/0/root_ids/0")?.as_str());
    Some(Chart::bokeh(&documents, root))
}

/// `})({spec}, {options})` after a function that calls `vegaEmbed`, or `spec = {…}`.
fn altair(text: &str) -> Option<Result<Chart, Refusal>> {
    if !text.contains("vegaEmbed") {
        return None;
    }
    let specification = |word: &str| {
        text.match_indices(word).find_map(|(at, word)| {
            let (value, _) = json(text.get(at + word.len()..)?)?;
            value.get("$schema").is_some().then_some(value)
        })
    };
    let spec = ["})(", "spec = ", "spec="].iter().find_map(|it| specification(it))?;
    Some(Chart::vega(&spec, true))
}

/// The JSON value that a text starts with, and what follows it. JavaScript's `NaN` and `Infinity`, which
/// Python writes as well, are `null`.
fn json(text: &str) -> Option<(Value, &str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    if let Ok(value) = values.next()? {
        return Some((value, text.get(values.byte_offset()..)?));
    }
    let (plain, end) = with_null_for_nan(text)?;
    Some((serde_json::from_str(&plain).ok()?, text.get(end..)?))
}

/// The object or list that a text starts with, with `null` for the numbers that JSON doesn't have, and
/// where it ends. `None` when there are none of them.
fn with_null_for_nan(text: &str) -> Option<(String, usize)> {
    let mut plain = String::new();
    let (mut depth, mut copied, mut at) = (0_usize, 0, 0);
    let bytes = text.as_bytes();
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while *bytes.get(at)? != b'"' {
                    at += if bytes.get(at) == Some(&b'\\') { 2 } else { 1 };
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    plain.push_str(text.get(copied..=at)?);
                    return (copied > 0).then_some((plain, at + 1));
                }
            }
            b'N' | b'I' | b'-' => {
                let rest = bytes.get(at..)?;
                let word = [&b"NaN"[..], b"Infinity", b"-Infinity"];
                if let Some(word) = word.iter().find(|it| rest.starts_with(it)) {
                    plain.push_str(text.get(copied..at)?);
                    plain.push_str("null");
                    copied = at + word.len();
                    at = copied - 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> (Kind, String) {
        let found = in_markup(text).unwrap();
        (found.kind, found.chart.unwrap().json().to_owned())
    }

    #[test]
    fn figures_are_found_where_libraries_write_them() {
        let plotly = "<div></div><script>if (a) { Plotly.newPlot(  \"id\",  [{\"type\":\"bar\",\"y\":[1]}],\
                      {\"title\":{\"text\":\"T\"}}, {\"responsive\": true} ) };</script>";
        let (kind, json) = found(plotly);
        assert_eq!(kind, Kind::Plotly);
        assert!(json.contains("\"y\":[1]") && !json.contains("responsive"), "{json}");
        let old = "Plotly.newPlot('id', [], {}).then(function(){Plotly.addFrames('id', [{\"name\":\"f\"}]);";
        assert!(found(old).1.contains("\"frames\":[{\"name\":\"f\"}]"));
        let altair = "<script>(function(spec, o){ vegaEmbed(d, spec, o) })({\"mark\": \"bar\", \
                      \"$schema\": \"https://vega.github.io/schema/vega-lite/v6.json\"}, {});</script>";
        assert_eq!(found(altair).0, Kind::Vega);
        let roots = "{\"d\":{\"version\":\"3.9.2\",\"roots\":[{\"type\":\"object\",\"name\":\"Figure\",\
                     \"id\":\"p2\"}]}}";
        let script = format!(
            "const docs_json = {roots};\nconst render_items = [{{\"root_ids\":[\"p2\"]}}];"
        );
        assert_eq!(found(&script).0, Kind::Bokeh);
        let page = format!(
            "<script type=\"application/json\" id=\"x\">\n{roots}\n</script>\
             <script>const docs_json = document.getElementById('x').textContent;</script>"
        );
        assert_eq!(found(&page).0, Kind::Bokeh);
    }

    #[test]
    fn numbers_that_json_has_not_are_null() {
        let altair = r#"<script>(function(spec){ vegaEmbed(d, spec) })({"$schema": "https://vega.github.io/schema/vega-lite/v6.json",
            "data": {"values": [{"a": NaN, "b": -Infinity, "NaN \"": "NaN, Infinity"}, {"a": -1.5}]}}, {});</script>"#;
        let (_, json) = found(altair);
        for part in [r#""a":null"#, r#""b":null"#, r#""NaN \"":"NaN, Infinity""#, "\"a\":-1.5"] {
            assert!(json.contains(part), "{json}");
        }
        for text in [
            "Plotly.newPlot('a', [NaN",
            "Plotly.newPlot('a', [NaN}",
            "Plotly.newPlot('a', [\"NaN\\\"] {",
        ] {
            assert!(in_markup(text).is_none(), "{text}");
        }
    }

    #[test]
    fn what_is_not_json_is_no_figure() {
        for text in [
            "Plotly.newPlot(",
            "Plotly.newPlot(id, data, layout)",
            "Plotly.newPlot(\"é",
            "Plotly.newPlot(\"a\", fetch('x'))",
            "vegaEmbed('#a', spec)",
            "docs_json = load()",
            "",
        ] {
            assert!(in_markup(text).is_none(), "{text}");
        }
    }
}
