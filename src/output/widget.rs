//! ipywidgets: what the saved state of a widget says that it shows.
//!
//! In: a view and the models that it needs, hostile. Out: native controls with the value of the build, which
//! the page's script enables where the inputs have states, and what `HTML`, `Image` and `Output` widgets hold. Models refer to each other, so
//! their number and depth are bounded.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::element::{Marimo, layout};
use super::image::Picture;
use super::notes::Notes;
use super::{ansi, bundle, markdown, media, note};
use crate::run::record::MimeBundle;
use crate::sanitize::{Gate, SafeHtml, UntrustedHtml};

pub(super) use crate::run::{WIDGET_STATE_MIME as STATE, WIDGET_VIEW_MIME as VIEW};

const REFERENCE: &str = "IPY_MODEL_";
/// Deepest nesting of boxes, and most widgets of one view.
const DEEPEST: usize = 12;
const MOST: usize = 500;
/// Elements around the content of a widget, for each box.
const LEVELS: usize = 4;
/// Most options of a list that are shown.
const MOST_OPTIONS: usize = 500;

const DISABLED: (&str, &str) = ("disabled", "");
const UNUSABLE: (&str, &str) = ("title", "Needs a running notebook");

/// Draws a view; `None` when its model is not there.
pub(super) fn html(
    view: &Value,
    state: &Value,
    gate: &mut Gate,
    notes: &Notes,
) -> Option<SafeHtml> {
    let models = state.get("state").and_then(Value::as_object)?;
    let id = view.get("model_id").and_then(Value::as_str)?;
    let widgets = Widgets { models, notes, left: Cell::new(MOST) };
    Some(SafeHtml::div("nbc-widgets", widgets.one(id, gate, 0)?))
}

struct Widgets<'a> {
    models: &'a Map<String, Value>,
    notes: &'a Notes,
    left: Cell<usize>,
}

/// One model.
struct Model<'a> {
    kind: &'a str,
    state: &'a Value,
    buffers: &'a Value,
}

impl Model<'_> {
    fn get(&self, name: &str) -> &Value {
        self.state.get(name).unwrap_or(&Value::Null)
    }

    fn text(&self, name: &str) -> String {
        match self.get(name) {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    fn number(&self, name: &str) -> Option<String> {
        self.get(name).as_f64().map(|_| self.text(name))
    }

    fn is(&self, name: &str) -> bool {
        *self.get(name) == Value::Bool(true)
    }

    /// Bytes that stand beside the state, as base64.
    fn buffer(&self, name: &str) -> Option<&str> {
        let buffers = self.buffers.as_array().into_iter().flatten();
        let path = |it: &&Value| it.get("path").and_then(|it| it.get(0)?.as_str()) == Some(name);
        let mut found = buffers.filter(path);
        found.next()?.get("data")?.as_str()
    }
}

impl Widgets<'_> {
    fn model(&self, id: &str) -> Option<Model<'_>> {
        let model = self.models.get(id)?;
        let state = model.get("state")?;
        let name = model.get("model_name").or_else(|| state.get("_model_name"))?.as_str()?;
        let buffers = model.get("buffers").unwrap_or(&Value::Null);
        Some(Model { kind: name.strip_suffix("Model").unwrap_or(name), state, buffers })
    }

    fn one(&self, id: &str, gate: &mut Gate, depth: usize) -> Option<SafeHtml> {
        let model = self.model(id)?;
        let left = self.left.get().checked_sub(1)?;
        self.left.set(left);
        if depth > DEEPEST || self.is_hidden(&model) {
            return Some(SafeHtml::default());
        }
        gate.within(LEVELS, |gate| {
            let known =
                self.boxes(&model, gate, depth).or_else(|| self.content(&model, gate, depth));
            let live = || self.live(id, &model);
            Some(known.or_else(live).unwrap_or_else(|| self.control(&model)))
        })
    }

    fn is_hidden(&self, model: &Model<'_>) -> bool {
        let layout = model.text("layout");
        let layout = layout.strip_prefix(REFERENCE).and_then(|it| self.model(it));
        layout.is_some_and(|it| it.text("display") == "none" || it.text("visibility") == "hidden")
    }

    fn children(&self, model: &Model<'_>, gate: &mut Gate, depth: usize) -> Vec<SafeHtml> {
        let ids = model.get("children").as_array().into_iter().flatten();
        let ids = ids.filter_map(|it| it.as_str()?.strip_prefix(REFERENCE));
        ids.filter_map(|it| self.one(it, gate, depth + 1)).collect()
    }

    fn boxes(&self, model: &Model<'_>, gate: &mut Gate, depth: usize) -> Option<SafeHtml> {
        let is_row = matches!(model.kind, "HBox" | "Box");
        Some(match model.kind {
            "Box" | "HBox" | "VBox" | "GridBox" | "AppLayout" | "TwoByTwoLayout"
            | "GridspecLayout" => {
                let class = if is_row { "nbc-box nbc-box-row" } else { "nbc-box" };
                SafeHtml::div(class, SafeHtml::concat(self.children(model, gate, depth)))
            }
            "Stack" => {
                let at = model.get("selected_index").as_u64().unwrap_or(0) as usize;
                self.children(model, gate, depth).into_iter().nth(at).unwrap_or_default()
            }
            "Tab" | "Accordion" => {
                let panels = self.children(model, gate, depth).into_iter().enumerate();
                // Version 7 keeps titles as `{"0": …}`.
                let titles = [model.get("titles"), model.get("_titles")];
                let title = |at: usize| {
                    let found =
                        titles.iter().find_map(|it| it.get(at).or_else(|| it.get(at.to_string())));
                    let text = found.and_then(Value::as_str).filter(|it| !it.is_empty());
                    text.map_or_else(|| (at + 1).to_string(), ToOwned::to_owned)
                };
                let panels =
                    panels.map(|(at, panel)| (SafeHtml::text(&title(at)), panel)).collect();
                let open = model.get("selected_index").as_u64().map(|it| it as usize);
                if model.kind == "Tab" {
                    layout::tabs(panels, open.unwrap_or(0), gate)
                } else {
                    let name = gate.group_name();
                    layout::accordion(panels, |at| open == Some(at), Some(&name))
                }
            }
            _ => return None,
        })
    }

    /// Widgets that show something.
    fn content(&self, model: &Model<'_>, gate: &mut Gate, depth: usize) -> Option<SafeHtml> {
        Some(match model.kind {
            "HTML" => {
                let text = UntrustedHtml::new(model.text("value"));
                let html = gate.fragment(&text, &Marimo::new(self.notes));
                described(model, SafeHtml::div("nbc-widget-html", html))
            }
            "HTMLMath" => {
                let html = markdown::render(&model.text("value"), gate, self.notes);
                described(model, SafeHtml::div("nbc-widget-html", html))
            }
            "Label" => {
                let text = model.text("value");
                let html = match text.contains('$') {
                    true => markdown::render(&text, gate, self.notes),
                    false => SafeHtml::text(&text),
                };
                SafeHtml::div("nbc-widget", html)
            }
            "Image" => match model.buffer("value").map(Picture::parse) {
                Some(Ok(picture)) => {
                    let size = ["width", "height"].map(|it| (it.to_owned(), model.get(it).clone()));
                    picture.html(&size.into_iter().filter(|(_, it)| it != "").collect())
                }
                Some(Err(why)) => {
                    self.notes.invalid(format!("an image of a widget {why}"));
                    note("An image stood here that can't be shown.")
                }
                None => note("An image stood here that is not part of the notebook."),
            },
            "Audio" | "Video" => match model.buffer("value") {
                Some(data) => media::player(data, model.kind == "Video", self.notes),
                None => return None,
            },
            "Output" => {
                let outputs = model.get("outputs").as_array()?;
                let html = outputs.iter().filter_map(|it| self.output(it, gate, depth));
                SafeHtml::concat(html.collect::<Vec<_>>())
            }
            _ => return None,
        })
    }

    /// One output that an `Output` widget caught.
    fn output(&self, output: &Value, gate: &mut Gate, depth: usize) -> Option<SafeHtml> {
        let text = |it: &Value| match it {
            Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
            other => other.as_str().unwrap_or("").to_owned(),
        };
        match output.get("output_type")?.as_str()? {
            "stream" => {
                let text = text(output.get("text")?);
                Some(SafeHtml::element("pre", &[("class", "nbc-stream")], ansi::html(&text)))
            }
            "error" => {
                let part = |name| output.get(name).and_then(Value::as_str).unwrap_or_default();
                self.notes.failed(part("ename"), part("evalue"));
                Some(note("This cell failed."))
            }
            _ => {
                let data = output.get("data")?.as_object()?;
                // A view in a view may hold itself: the depth is bounded.
                let view = data.get(VIEW).filter(|_| depth < DEEPEST);
                let view = view.and_then(|it| it.get("model_id")?.as_str());
                if let Some(shown) = view.and_then(|it| self.one(it, gate, depth + 1)) {
                    return Some(shown);
                }
                let data = data.iter().filter(|(name, _)| *name != VIEW && *name != STATE);
                let data: BTreeMap<String, Value> =
                    data.map(|(name, value)| (name.clone(), value.clone())).collect();
                let bundle = MimeBundle { data, metadata: Map::new() };
                Some(bundle::render(&bundle, gate, self.notes)?.html)
            }
        }
    }

    /// The control of an input that works, in its place for the page's script.
    fn live(&self, id: &str, model: &Model<'_>) -> Option<SafeHtml> {
        let index = self.notes.live_input(id)?.to_string();
        let chosen = self.notes.chosen(id).map(|it| with_value(model, it));
        let model = &Model { state: chosen.as_ref().unwrap_or(model.state), ..*model };
        let control = match model.kind {
            "IntSlider" | "FloatSlider" | "FloatLogSlider" => {
                framed(model, "slider", false, slider(model, &model.text("value")))
            }
            "SelectionSlider" => {
                let shown = choice(model, model.get("index"));
                framed(model, "slider", false, slider(model, &shown))
            }
            "IntRangeSlider" | "FloatRangeSlider" | "SelectionRangeSlider" => {
                framed(model, "slider", true, range(model))
            }
            "BoundedIntText" | "BoundedFloatText" => {
                let value = model.number("value").unwrap_or_default();
                framed(model, "field", false, input("number", &value))
            }
            "Dropdown" | "Select" => framed(model, "field", false, list(model)),
            "RadioButtons" | "ToggleButtons" => {
                framed(model, "radio", true, SafeHtml::concat(items(model, true)))
            }
            "Checkbox" | "ToggleButton" => framed(model, "check", false, checkbox(model)),
            _ => return None,
        };
        let attributes = [("class", "nbc-live"), ("data-widget", index.as_str())];
        Some(SafeHtml::element("div", &attributes, control))
    }

    /// The note in place of a widget that nbc does not know.
    fn unknown(&self, model: &Model<'_>) -> SafeHtml {
        let name: String = model
            .kind
            .chars()
            .filter(|it| it.is_ascii_alphanumeric() || *it == '_')
            .take(40)
            .collect();
        self.notes.unsupported(format!("the Jupyter widget `{name}`"));
        note(&format!(
            "Here the notebook shows the Jupyter widget {name}, which needs a running notebook."
        ))
    }

    /// Widgets that a reader would operate.
    fn control(&self, model: &Model<'_>) -> SafeHtml {
        let control = match model.kind {
            "IntSlider" | "FloatSlider" | "FloatLogSlider" => slider(model, &model.text("value")),
            "IntRangeSlider" | "FloatRangeSlider" | "SelectionRangeSlider" => {
                value_text(&ends_text(model))
            }
            "SelectionSlider" => value_text(&choice(model, model.get("index"))),
            "IntProgress" | "FloatProgress" => {
                return described(model, progress(model));
            }
            "IntText" | "BoundedIntText" | "FloatText" | "BoundedFloatText" => {
                input("number", &model.number("value").unwrap_or_default())
            }
            "Text" | "Combobox" | "Password" => {
                let is_secret = model.kind == "Password";
                input(
                    "text",
                    if is_secret { "" } else { model.get("value").as_str().unwrap_or("") },
                )
            }
            "Textarea" => {
                let text = SafeHtml::text(&format!("\n{}", model.text("value")));
                SafeHtml::element("textarea", &[("rows", "4"), DISABLED], text)
            }
            "Checkbox" | "Valid" => checkbox(model),
            "Button" | "ToggleButton" | "FileUpload" | "Play" => {
                self.notes.control(model.kind);
                return button(model);
            }
            "Dropdown" | "Select" | "SelectMultiple" | "RadioButtons" | "ToggleButtons" => {
                list(model)
            }
            "DatePicker" => date(model),
            "ColorPicker" => value_text(&model.text("value")),
            _ => {
                return self.unknown(model);
            }
        };
        self.notes.control(model.kind);
        described(model, control)
    }
}

fn progress(model: &Model<'_>) -> SafeHtml {
    let (value, most) = (model.number("value"), model.number("max"));
    let (value, most) = (value.unwrap_or_default(), most.unwrap_or_default());
    let text = SafeHtml::text(&format!("{value} of {most}"));
    let attributes =
        [("value", value.as_str()), ("max", most.as_str()), ("aria-label", "Progress")];
    SafeHtml::element("progress", &attributes, text)
}

/// A button that needs a running notebook.
fn button(model: &Model<'_>) -> SafeHtml {
    let label = match model.text("description") {
        text if text.is_empty() => model.kind.to_owned(),
        text => text,
    };
    let pressed = if model.is("value") { "true" } else { "false" };
    let mut attributes = vec![("type", "button"), DISABLED];
    attributes.extend((model.kind == "ToggleButton").then_some(("aria-pressed", pressed)));
    let button = SafeHtml::element("button", &attributes, SafeHtml::text(&label));
    SafeHtml::div("nbc-widget nbc-widget-button", button)
}

fn date(model: &Model<'_>) -> SafeHtml {
    let date = model.get("value");
    let part = |name| date.get(name).and_then(Value::as_i64).unwrap_or(0);
    // Months count from 0.
    let text = format!("{:04}-{:02}-{:02}", part("year"), part("month") + 1, part("date"));
    input("date", if date.is_object() { &text } else { "" })
}

/// A control with its description, which names it.
fn described(model: &Model<'_>, control: SafeHtml) -> SafeHtml {
    let text = model.text("description");
    if text.is_empty() && matches!(model.kind, "HTML" | "HTMLMath") {
        return control;
    }
    let is_control = control.as_str().starts_with("<input")
        || control.as_str().starts_with("<select")
        || control.as_str().starts_with("<textarea");
    let element = if is_control { "label" } else { "div" };
    let inner = SafeHtml::concat([label(model), control]);
    let row = SafeHtml::element(element, &[("class", "nbc-widget-row")], inner);
    SafeHtml::element("div", &[("class", "nbc-widget nbc-widget-field"), UNUSABLE], row)
}

fn label(model: &Model<'_>) -> SafeHtml {
    let text = model.text("description");
    let (class, text) = match text.as_str() {
        "" => ("nbc-hidden-label", model.kind),
        text => ("nbc-widget-label", text),
    };
    SafeHtml::element("span", &[("class", class)], SafeHtml::text(text))
}

/// The frame of a control that works: that of marimo's inputs, which the page's script knows.
fn framed(model: &Model<'_>, class: &str, is_group: bool, control: SafeHtml) -> SafeHtml {
    let class = format!("nbc-widget nbc-widget-{class}");
    let inner = SafeHtml::concat([label(model), control]);
    if is_group {
        let attributes = [("class", class.as_str()), ("role", "group"), UNUSABLE];
        return SafeHtml::element("div", &attributes, inner);
    }
    let row = SafeHtml::element("label", &[("class", "nbc-widget-row")], inner);
    SafeHtml::element("div", &[("class", &class), UNUSABLE], row)
}

/// The state of a model with the value that a reader's browser would send.
fn with_value(model: &Model<'_>, value: &Value) -> Value {
    let mut state = model.state.clone();
    let labels = model.get("_options_labels").as_array();
    let index = |text: &str| {
        labels.and_then(|it| it.iter().position(|it| it.as_str().map(str::trim) == Some(text)))
    };
    let name = if labels.is_some() { "index" } else { "value" };
    let value = value.as_str().and_then(index).map_or_else(|| value.clone(), Value::from);
    if let Some(state) = state.as_object_mut() {
        state.insert(name.to_owned(), value);
    }
    state
}

fn value_text(text: &str) -> SafeHtml {
    SafeHtml::element("span", &[("class", "nbc-widget-value")], SafeHtml::text(text))
}

fn input(kind: &'static str, value: &str) -> SafeHtml {
    SafeHtml::element("input", &[("type", kind), ("value", value), DISABLED], SafeHtml::default())
}

fn checkbox(model: &Model<'_>) -> SafeHtml {
    let mut attributes = vec![("type", "checkbox"), DISABLED];
    attributes.extend(model.is("value").then_some(("checked", "")));
    SafeHtml::element("input", &attributes, SafeHtml::default())
}

fn slider(model: &Model<'_>, shown: &str) -> SafeHtml {
    let value = match model.kind {
        "SelectionSlider" => model.get("index").as_f64(),
        // Its ends are exponents.
        "FloatLogSlider" => {
            let base = model.get("base").as_f64().unwrap_or(10.0);
            model.get("value").as_f64().map(|it| it.log(base))
        }
        _ => model.get("value").as_f64(),
    };
    SafeHtml::concat([thumb(model, value, None), value_text(shown)])
}

/// Two thumbs.
fn range(model: &Model<'_>) -> SafeHtml {
    let ends = ends(model);
    let one = |at: usize, label| thumb(model, ends.get(at).and_then(Value::as_f64), Some(label));
    SafeHtml::concat([one(0, "From"), one(1, "To"), value_text(&ends_text(model))])
}

fn thumb(model: &Model<'_>, value: Option<f64>, label: Option<&str>) -> SafeHtml {
    let options = model.get("_options_labels").as_array().map(Vec::len);
    let (least, most) = match options {
        Some(count) => (Some(0.0), Some(count.saturating_sub(1) as f64)),
        None => (model.get("min").as_f64(), model.get("max").as_f64()),
    };
    let numbers = [("min", least), ("max", most), ("value", value)];
    let numbers = numbers
        .into_iter()
        .filter_map(|(name, it)| Some((name, it.filter(|it| it.is_finite())?.to_string())));
    let numbers: Vec<(&str, String)> = numbers.collect();
    let mut attributes = vec![("type", "range"), ("step", "any"), DISABLED];
    attributes.extend(numbers.iter().map(|(name, it)| (*name, it.as_str())));
    attributes.extend(label.map(|it| ("aria-label", it)));
    SafeHtml::element("input", &attributes, SafeHtml::default())
}

fn ends<'a>(model: &'a Model<'_>) -> &'a [Value] {
    let ends = model.get(if model.kind.starts_with('S') { "index" } else { "value" });
    ends.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn ends_text(model: &Model<'_>) -> String {
    ends(model).iter().map(|it| choice(model, it)).collect::<Vec<_>>().join(" – ")
}

fn options(model: &Model<'_>) -> Vec<String> {
    let labels = model.get("_options_labels").as_array().into_iter().flatten();
    labels.filter_map(Value::as_str).take(MOST_OPTIONS).map(ToOwned::to_owned).collect()
}

/// The option at an index; another value as it is.
fn choice(model: &Model<'_>, value: &Value) -> String {
    let labels = model.get("_options_labels");
    let at = value.as_u64().and_then(|it| usize::try_from(it).ok());
    let label = at.and_then(|it| labels.get(it)?.as_str());
    match label.filter(|_| model.kind.starts_with("Selection")) {
        Some(label) => label.to_owned(),
        None if value.is_null() => String::new(),
        None => value.to_string(),
    }
}

/// The options of a list, as they stand in it.
fn items(model: &Model<'_>, is_buttons: bool) -> Vec<SafeHtml> {
    let chosen: Vec<u64> = match model.get("index") {
        Value::Array(items) => items.iter().filter_map(Value::as_u64).collect(),
        one => one.as_u64().into_iter().collect(),
    };
    let items = options(model).into_iter().enumerate().map(|(at, text)| {
        let is_chosen = chosen.contains(&(at as u64));
        if is_buttons {
            let mut attributes = vec![("type", "radio"), DISABLED];
            attributes.extend(is_chosen.then_some(("checked", "")));
            let input = SafeHtml::element("input", &attributes, SafeHtml::default());
            let text = SafeHtml::text(&format!(" {text}"));
            let inner = SafeHtml::concat([input, text]);
            return SafeHtml::element("label", &[("class", "nbc-widget-option")], inner);
        }
        let attributes: &[(&str, &str)] = if is_chosen { &[("selected", "")] } else { &[] };
        SafeHtml::element("option", attributes, SafeHtml::text(&text))
    });
    items.collect()
}

fn list(model: &Model<'_>) -> SafeHtml {
    let is_buttons = matches!(model.kind, "RadioButtons" | "ToggleButtons");
    let items = SafeHtml::concat(items(model, is_buttons));
    if is_buttons {
        let attributes = [("class", "nbc-widget-options"), ("role", "radiogroup")];
        return SafeHtml::element("span", &attributes, items);
    }
    let mut attributes = vec![DISABLED];
    match model.kind {
        "Select" => attributes.push(("size", "5")),
        "SelectMultiple" => attributes.extend([("size", "5"), ("multiple", "")]),
        _ => {}
    }
    SafeHtml::element("select", &attributes, items)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::output::Interactivity;

    fn draw(state: &Value) -> String {
        let notes = Notes::default();
        let view = json!({"model_id": "a", "version_major": 2});
        let mut gate = Gate::new("c1");
        html(&view, state, &mut gate, &notes).unwrap_or_default().as_str().to_owned()
    }

    #[test]
    fn a_box_shows_what_is_in_it() {
        let state = json!({"state": {
            "a": {"model_name": "HBoxModel", "state": {"children": ["IPY_MODEL_b", "IPY_MODEL_c", "IPY_MODEL_gone"]}},
            "b": {"model_name": "IntSliderModel", "state": {"min": 0, "max": 9, "value": 4, "description": "n <b>"}},
            "c": {"model_name": "HTMLModel", "state": {"value": "<b>x</b><script>y</script>"}},
        }});
        let html = draw(&state);
        assert!(
            html.contains("n &lt;b&gt;") && html.contains("min=\"0\" max=\"9\" value=\"4\""),
            "{html}"
        );
        assert!(html.contains("<b>x</b>") && !html.contains("<script>"), "{html}");
    }

    #[test]
    fn an_input_with_states_is_drawn_as_the_script_of_the_page_knows_it() {
        let options = json!(["x", "y"]);
        let state = json!({"state": {
            "a": {"model_name": "VBoxModel", "state": {"children":
                ["IPY_MODEL_b", "IPY_MODEL_c", "IPY_MODEL_d", "IPY_MODEL_e", "IPY_MODEL_f"]}},
            "b": {"model_name": "IntRangeSliderModel", "state": {"min": 0, "max": 9, "value": [2, 4]}},
            "c": {"model_name": "ToggleButtonsModel", "state": {"_options_labels": options, "index": 0}},
            "d": {"model_name": "ToggleButtonModel", "state": {"value": true, "description": "grid"}},
            "e": {"model_name": "SelectionSliderModel", "state": {"_options_labels": options, "index": 0}},
            "f": {"model_name": "TextModel", "state": {"value": "any"}},
        }});
        let live = ["b", "c", "d", "e", "f"].map(ToOwned::to_owned).into_iter().zip(3..);
        let chosen = [("c".to_owned(), json!("y")), ("e".to_owned(), json!(1))];
        let interactivity = Interactivity {
            widgets: Arc::new(live.collect()),
            chosen: Arc::new(chosen.into()),
            ..Interactivity::default()
        };
        let notes = Notes::new("c1", &interactivity);
        let view = json!({"model_id": "a"});
        let html = html(&view, &state, &mut Gate::new("c1"), &notes).unwrap_or_default();
        let html = html.as_str();
        for wanted in [
            "<div class=\"nbc-live\" data-widget=\"3\"><div class=\"nbc-widget nbc-widget-slider\" role=\"group\"",
            "value=\"4\" aria-label=\"To\"",
            "<div class=\"nbc-live\" data-widget=\"4\"><div class=\"nbc-widget nbc-widget-radio\" role=\"group\"",
            "checked=\"\"> y",
            "<span class=\"nbc-widget-label\">grid</span><input type=\"checkbox\" disabled=\"\" checked=\"\">",
            "max=\"1\" value=\"1\"><span class=\"nbc-widget-value\">y</span>",
        ] {
            assert!(html.contains(wanted), "{wanted}\n{html}");
        }
        assert!(!html.contains("data-widget=\"7\""), "{html}");
    }

    #[test]
    fn a_box_in_itself_ends() {
        let inside = vec!["IPY_MODEL_a"; 30];
        let state =
            json!({"state": {"a": {"model_name": "VBoxModel", "state": {"children": inside}}}});
        assert!(draw(&state).len() < 100_000);
        assert_eq!(draw(&json!({"state": {}})), "");
        assert_eq!(draw(&json!(3)), "");
    }

    #[test]
    fn widgets_that_a_widget_caught_are_widgets() {
        let shown = |id: &str| {
            json!({"output_type": "display_data",
            "data": {VIEW: {"model_id": id}, "text/plain": format!("repr of {id}")}})
        };
        let html = draw(&json!({"state": {
            "a": {"model_name": "OutputModel", "state": {"outputs": [shown("b"), shown("c"), shown("gone")]}},
            "b": {"model_name": "HTMLModel", "state": {"value": "<b>caught</b>"}},
            "c": {"model_name": "IntSliderModel", "state": {"min": 0, "max": 9, "value": 4}},
        }}));
        assert!(html.contains("<b>caught</b>") && html.contains("type=\"range\""), "{html}");
        assert!(html.contains("repr of gone") && html.matches("repr of").count() == 1, "{html}");
    }

    #[test]
    fn outputs_that_a_widget_caught_are_shown() {
        let state = json!({"state": {"a": {"model_name": "OutputModel", "state": {"outputs": [
            {"output_type": "stream", "name": "stdout", "text": ["a\n", "b"]},
            {"output_type": "display_data", "data": {"text/html": "<i>c</i>", "text/plain": "c"}},
            {"output_type": "display_data", "data": {VIEW: {"model_id": "a"}, "text/plain": "d"}},
        ]}}}});
        let html = draw(&state);
        assert!(
            html.contains("a\nb") && html.contains("<i>c</i>") && html.contains(">d<"),
            "{html}"
        );
    }
}
