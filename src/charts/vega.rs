//! Vega and Vega-Lite specifications.

use base64::Engine as _;
use serde_json::{Map, Value};

use super::{Chart, Kind, Refusal, names_an_address};

/// Most rows that a `sequence` makes by itself.
const LONGEST_SEQUENCE: f64 = 100_000.0;
/// A role of its marks lets a chart speak over the page (`alert`) as soon as it is drawn.
const ROLE: &str = "ariaRole";
/// Transforms of encoded marks: each writes members of its own, or those that `as` names.
const OF_MARKS: [&str; 9] = [
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
/// Languages of charts, as `$schema` names them.
const SCHEMAS: [(&str, bool); 2] = [("/schema/vega-lite/", true), ("/schema/vega/", false)];

pub(super) fn read(spec: &Value, is_lite: bool) -> Result<Chart, Refusal> {
    let Value::Object(spec) = spec else {
        return Refusal::because("its specification is no object");
    };
    let schema = spec.get("$schema").and_then(Value::as_str).unwrap_or_default();
    let stated = SCHEMAS.iter().find(|(name, _)| schema.contains(name)).map(|(_, lite)| *lite);
    let is_lite = stated.unwrap_or(is_lite);
    let mut spec = spec.clone();
    spec.remove("usermeta");
    if let Some(Value::Object(config)) = spec.get_mut("config") {
        // Which events a chart may listen to is the page's affair.
        config.remove("events");
    }
    let title = title(&spec);
    let has_own_paper = has_own_paper(&spec);
    for (name, value) in &mut spec {
        clean(name, value)?;
    }
    let data = serde_json::json!({ "lite": is_lite, "spec": spec });
    Ok(Chart { title, has_own_paper, ..Chart::new(Kind::Vega, &data)? })
}

fn title(spec: &Map<String, Value>) -> Option<String> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(lines) => {
            Some(lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "))
        }
        _ => None,
    };
    let title = spec.get("title")?;
    text(title).or_else(|| text(title.get("text")?)).or_else(|| {
        let described = spec.get("description")?;
        text(described)
    })
}

fn has_own_paper(spec: &Map<String, Value>) -> bool {
    let config = spec.get("config").and_then(|it| it.get("background"));
    let background = spec.get("background").or(config).and_then(Value::as_str);
    background.is_some_and(|it| !matches!(it, "transparent" | "none" | ""))
}

/// Goes through everything but rows of data, which are values and nothing else.
fn clean(name: &str, value: &mut Value) -> Result<(), Refusal> {
    match value {
        Value::Object(fields) => {
            if matches!(name, "data" | "from") || fields.contains_key("format") {
                source(fields)?;
            }
            for forbidden in ["cursor", "href", "url", ROLE] {
                fields.shift_remove(forbidden);
            }
            if name == "marks" {
                written(fields)?;
            }
            if name == "sequence" {
                sequence(fields)?;
            }
            if let Some(Value::Object(binding)) = fields.get_mut("bind") {
                // The control is put into the chart, even if the notebook asks for another place.
                binding.shift_remove("element");
            }
            if matches!(fields.get("type").and_then(Value::as_str), Some("image")) {
                return Refusal::because("it draws pictures from addresses");
            }
            for (key, field) in fields.iter_mut() {
                if !matches!(key.as_str(), "values" | "datasets") {
                    clean(key, field)?;
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                if name == "data"
                    && let Value::Object(fields) = item
                {
                    source(fields)?;
                }
                clean(name, item)?;
            }
        }
        Value::String(mark) if name == "mark" && mark == "image" => {
            return Refusal::because("it draws pictures from addresses");
        }
        Value::String(text) if text == ROLE => {
            return Refusal::because("it gives its marks a role on the page");
        }
        // A paint that would be loaded.
        Value::String(text) if text.contains('(') && names_an_address(text) => text.clear(),
        _ => {}
    }
    Ok(())
}

/// Members that marks get beside their encoding: with names that an expression or a row makes up, a role could be one.
fn written(mark: &Map<String, Value>) -> Result<(), Refusal> {
    let list = |name: &str| match mark.get(name) {
        Some(Value::Array(items)) => items.as_slice(),
        Some(other) => std::slice::from_ref(other),
        None => &[],
    };
    let is_name = |it: &Value| match it {
        Value::Array(names) => names.iter().all(Value::is_string),
        it => it.is_string(),
    };
    let is_known = |it: &Value| {
        it.get("type").and_then(Value::as_str).is_some_and(|it| OF_MARKS.contains(&it))
            && it.get("as").is_none_or(is_name)
    };
    if list("on").iter().any(|it| it.get("trigger").is_some())
        || !list("transform").iter().all(is_known)
    {
        return Refusal::because("it changes its marks after they are drawn");
    }
    Ok(())
}

/// Data that come from an address: from one that holds them, or from nowhere. Rows in a text become values
/// here: the runtime would make code from their header.
fn source(fields: &mut Map<String, Value>) -> Result<(), Refusal> {
    if let Some(url) = fields.shift_remove("url") {
        let Some(url) = url.as_str() else {
            return Refusal::because("the address of its data is made by an expression");
        };
        let Some((kind, text)) = data_url(url) else {
            return Refusal::because("its data are not in the notebook");
        };
        fields.insert("values".to_owned(), Value::String(text));
        let format = fields.entry("format").or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(format) = format else {
            return Refusal::because("the format of its data is no object");
        };
        format.entry("type").or_insert_with(|| Value::from(kind));
    }
    let Some(Value::String(text)) = fields.get("values") else { return Ok(()) };
    let format = fields.get("format").and_then(|it| it.get("type")).and_then(Value::as_str);
    let values = match format {
        Some("csv") => rows(text, b',')?,
        Some("tsv") => rows(text, b'\t')?,
        None | Some("json") => serde_json::from_str(text)
            .map_err(|_| Refusal("its data are not the JSON that they say".to_owned()))?,
        Some(_) => return Refusal::because("its data have a format of their own"),
    };
    fields.insert("values".to_owned(), values);
    if let Some(Value::Object(format)) = fields.get_mut("format") {
        format.insert("type".to_owned(), Value::from("json"));
        format.shift_remove("delimiter");
    }
    Ok(())
}

/// Rows of a text with a header. What looks like a number is one, as the runtime would guess.
fn rows(text: &str, delimiter: u8) -> Result<Value, Refusal> {
    let refuse = |_| Refusal("its data are not the table that they say".to_owned());
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
    let names = reader.headers().map_err(refuse)?.clone();
    let rows = reader.records().map(|row| {
        let row = row.map_err(refuse)?;
        let cells = names.iter().zip(&row).map(|(name, cell)| (name.to_owned(), guessed(cell)));
        Ok(Value::Object(cells.collect()))
    });
    rows.collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn guessed(cell: &str) -> Value {
    let number = || serde_json::Number::from_f64(cell.trim().parse().ok()?);
    match cell {
        "" => Value::Null,
        _ => number().map_or_else(|| Value::from(cell), Value::Number),
    }
}

/// The kind and the text of data that an address holds.
fn data_url(url: &str) -> Option<(&'static str, String)> {
    let (head, body) = url.strip_prefix("data:")?.split_once(',')?;
    let kind = match head.split(';').next().unwrap_or_default().trim() {
        "text/csv" => "csv",
        "text/tab-separated-values" => "tsv",
        "application/json" | "text/json" => "json",
        _ => return None,
    };
    if !head.ends_with(";base64") {
        return None;
    }
    let bytes = base64::engine::general_purpose::STANDARD.decode(body.trim()).ok()?;
    Some((kind, String::from_utf8(bytes).ok()?))
}

fn sequence(fields: &Map<String, Value>) -> Result<(), Refusal> {
    let number = |name: &str, default: f64| match fields.get(name) {
        None => Some(default),
        Some(value) => value.as_f64(),
    };
    let length = match (number("start", 0.0), number("stop", 0.0), number("step", 1.0)) {
        (Some(start), Some(stop), Some(step)) if step != 0.0 => ((stop - start) / step).abs(),
        _ => return Refusal::because("it makes a sequence of unknown length"),
    };
    if length > LONGEST_SEQUENCE {
        return Refusal::because(format!("it makes a sequence of {length:.0} rows"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "a value that is not there fails the test")]

    use serde_json::json;

    use super::*;

    fn spec(chart: &Chart) -> Value {
        serde_json::from_str::<Value>(chart.json()).unwrap()["spec"].take()
    }

    #[test]
    fn addresses_and_settings_of_the_page_are_dropped() {
        let chart = read(
            &json!({
                "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
                "title": {"text": "Growth"},
                "usermeta": {"embedOptions": {"actions": true}},
                "config": {"events": {"selector": true}, "bar": {"color": "red"}},
                "data": {"values": [{"url": "https://a.example", "href": "b"}]},
                "mark": {"type": "bar", "href": "https://evil.example", "fill": "URL(https://evil.example)"},
                "encoding": {"x": {"field": "url"}, "href": {"field": "url"}},
                "params": [{"name": "n", "bind": {"input": "range", "element": "#content"}}],
            }),
            false,
        )
        .unwrap();
        let spec = spec(&chart);
        assert_eq!(chart.title(), Some("Growth"));
        assert_eq!(spec["config"], json!({"bar": {"color": "red"}}));
        assert_eq!(spec["mark"], json!({"type": "bar", "fill": ""}));
        assert_eq!(spec["encoding"], json!({"x": {"field": "url"}}));
        assert_eq!(spec["params"], json!([{"name": "n", "bind": {"input": "range"}}]));
        assert_eq!(spec["data"]["values"][0]["url"], "https://a.example", "rows are values");
        assert!(spec.get("usermeta").is_none());
    }

    #[test]
    fn marks_have_no_role_of_their_own() {
        let loud = json!({"type": "bar", "ariaRole": "alert", "description": "a"});
        let chart = read(
            &json!({
                "config": {"mark": {"ariaRole": "alert"}, "style": {"x": {"ariaRole": "log"}}},
                "data": {"values": [{"ariaRole": "a column"}]},
                "layer": [{"mark": loud}],
                "marks": [{
                    "type": "rect",
                    "encode": {"update": {"ariaRole": {"value": "alert"}, "x": {"value": 1}}},
                    "transform": [{"type": "formula", "as": "y", "expr": "1"}],
                    "on": [{"events": "click"}],
                }],
            }),
            false,
        )
        .unwrap();
        let spec = spec(&chart);
        assert_eq!(spec["layer"][0]["mark"], json!({"type": "bar", "description": "a"}));
        assert_eq!(spec["config"], json!({"mark": {}, "style": {"x": {}}}));
        assert_eq!(spec["marks"][0]["encode"], json!({"update": {"x": {"value": 1}}}));
        assert_eq!(spec["data"]["values"], json!([{"ariaRole": "a column"}]));
    }

    #[test]
    fn data_in_an_address_are_taken_out_of_it() {
        let csv = "data:text/csv;base64,YSxiCjEsdHdvCiw=";
        let chart = read(&json!({"data": {"url": csv}, "mark": "bar"}), true).unwrap();
        let values = json!([{"a": 1.0, "b": "two"}, {"a": null, "b": null}]);
        assert_eq!(spec(&chart)["data"], json!({"values": values, "format": {"type": "json"}}));
        let inline =
            json!({"values": "a\tb\n1\t2", "format": {"type": "tsv", "parse": {"a": "number"}}});
        let chart = read(&json!({ "data": inline }), true).unwrap();
        assert_eq!(spec(&chart)["data"]["values"], json!([{"a": 1.0, "b": 2.0}]));
    }

    #[test]
    fn what_would_load_or_never_end_is_refused() {
        for (it, reason) in [
            (json!({"data": {"url": "https://example.org/a.csv"}}), "not in the notebook"),
            (json!({"data": [{"name": "a", "url": "//example.org/a"}]}), "not in the notebook"),
            (json!({"data": [{"url": {"signal": "'a' + 'b'"}}]}), "expression"),
            (json!({"data": {"values": "a", "format": {"type": "dsv"}}}), "format of their own"),
            (json!({"layer": [{"mark": {"type": "image"}}]}), "pictures"),
            (json!({"layer": [{"mark": "image"}]}), "pictures"),
            (json!({"data": {"sequence": {"start": 0, "stop": 1e8}}}), "100000000 rows"),
            (json!({"data": {"sequence": {"stop": {"signal": "n"}}}}), "unknown length"),
            (json!({"transform": [{"calculate": "'alert'", "as": "ariaRole"}]}), "a role"),
            (
                json!({"marks": [{"transform": [{"type": "formula", "as": ["ariaRole"]}]}]}),
                "a role",
            ),
            (
                json!({"marks": [{"transform": [{"type": "formula", "as": {"signal": "n"}}]}]}),
                "changes its marks",
            ),
            (
                json!({"marks": [{"marks": [{"transform": [
                    {"type": "lookup", "from": "r", "key": "k", "fields": ["k"], "values": ["ariaRole"]},
                ]}]}]}),
                "changes its marks",
            ),
            (
                json!({"marks": [{"on": [{"trigger": "a", "modify": "b", "values": "data('r')[0]"}]}]}),
                "changes its marks",
            ),
            (json!([1]), "no object"),
        ] {
            let Refusal(said) = read(&it, true).unwrap_err();
            assert!(said.contains(reason), "{it}: {said}");
        }
    }
}
