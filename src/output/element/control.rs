//! Inputs: native controls, disabled, with the value of the build.

use serde_json::Value;

use super::{Compiled, formula, plain, shortened};
use crate::diagnostic::{overrides, turns};
use crate::sanitize::{Gate, SafeHtml};

const DISABLED: (&str, &str) = ("disabled", "");

impl Compiled<'_, '_> {
    /// Elements that a reader would operate.
    pub(super) fn control(&self, children: &SafeHtml, gate: &mut Gate) -> Option<SafeHtml> {
        if self.name == "tex" {
            return Some(formula(&children.plain_text(), gate, self.marimo.notes));
        }
        let initial = self.marimo.chosen().unwrap_or_else(|| self.json("initial-value"));
        let inner = match self.name {
            "slider" => self.slider(&initial),
            "range-slider" => self.range(&initial),
            "number" => self.input("number", &number(&initial).unwrap_or_default()),
            "dropdown" | "multiselect" => self.choice(&initial),
            "radio" => self.radio(&initial),
            "checkbox" => self.check(&initial, "checkbox"),
            "switch" => self.check(&initial, "switch"),
            "text" => self.input("text", &plain(&initial)),
            "code-editor" if !self.marimo.is_live() && plain(&initial).contains(turns) => {
                self.turned_code(&plain(&initial))
            }
            "text-area" | "code-editor" => text_area(&plain(&initial)),
            "date" => self.input("date", &plain(&initial)),
            "datetime" => self.input("datetime-local", &plain(&initial)),
            "date-range" => self.dates(&initial),
            "button" => return Some(self.button(gate)),
            "refresh" | "file" | "file-browser" | "microphone" => {
                self.marimo.control(&self.name.replace('-', " "));
                let inner = self.inert_button();
                return Some(self.labelled(inner, gate));
            }
            "chatbot" => return Some(self.chat(&initial, gate)),
            "matrix" => matrix(&initial),
            "form" => return Some(self.form(children, gate)),
            "dict" | "array" | "batch" => {
                // The tree of an array names itself.
                let label = self.markup("label", gate).filter(|_| !is_labelled(children));
                let label = label.map(|it| SafeHtml::div("nbc-widget-label", it));
                return Some(SafeHtml::div(
                    "nbc-widget-group",
                    SafeHtml::concat([label.unwrap_or_default(), children.clone()]),
                ));
            }
            "lazy" => {
                self.marimo.notes.unsupported("marimo's `lazy`");
                return Some(SafeHtml::concat([
                    super::note(
                        "This part is made when a reader opens it, which needs a running notebook.",
                    ),
                    children.clone(),
                ]));
            }
            _ => return None,
        };
        self.marimo.control(&self.name.replace('-', " "));
        Some(SafeHtml::concat([self.labelled(inner, gate), children.clone()]))
    }

    /// Code with marks of direction: a field to type into shows no marks.
    fn turned_code(&self, code: &str) -> SafeHtml {
        if code.contains(overrides) {
            self.marimo.notes.turned();
        }
        let class = ("class", "nbc-widget-code-text");
        SafeHtml::element("code", &[class], SafeHtml::code(code))
    }

    /// The first and the last day of a range.
    fn dates(&self, initial: &Value) -> SafeHtml {
        let dates = initial.as_array().cloned().unwrap_or_default();
        let one = |at: usize| self.input("date", &dates.get(at).map(plain).unwrap_or_default());
        SafeHtml::concat([one(0), SafeHtml::text(" – "), one(1)])
    }

    /// A button that needs a running notebook.
    fn inert_button(&self) -> SafeHtml {
        let text = match self.name {
            "refresh" => "Refresh",
            "file" => "Choose a file",
            "file-browser" => "Browse files",
            _ => "Record",
        };
        let button =
            SafeHtml::element("button", &[("type", "button"), DISABLED], SafeHtml::text(text));
        let interval = self.text("default-interval");
        let when = match interval.as_str() {
            "" => "needs a running notebook".to_owned(),
            every => format!("every {every} in a running notebook"),
        };
        SafeHtml::concat([button, Self::value_text(&when)])
    }

    /// The frame of a control. The label element names the control without an id.
    fn labelled(&self, control: SafeHtml, gate: &mut Gate) -> SafeHtml {
        let mut class = format!("nbc-widget nbc-widget-{}", self.class_name());
        if self.text("orientation") == "vertical" {
            class.push_str(" nbc-widget-vertical");
        }
        if self.flag("debounce") {
            class.push_str(" nbc-widget-debounced");
        }
        if self.flag("full-width") {
            class.push_str(" nbc-widget-full");
        }
        if self.flag("include-input") {
            class.push_str(" nbc-widget-typed");
        }
        let label = self.markup("label", gate);
        let is_group = matches!(self.name, "radio" | "date-range" | "range-slider" | "matrix");
        let label = match label {
            Some(label) => SafeHtml::element("span", &[("class", "nbc-widget-label")], label),
            None => {
                let text = SafeHtml::text(&self.name.replace('-', " "));
                SafeHtml::element("span", &[("class", "nbc-hidden-label")], text)
            }
        };
        let inner = SafeHtml::concat([label, control]);
        let title = ("title", "Needs a running notebook");
        if is_group {
            return SafeHtml::element("div", &[("class", &class), ("role", "group"), title], inner);
        }
        let row = SafeHtml::element("label", &[("class", "nbc-widget-row")], inner);
        SafeHtml::element("div", &[("class", &class), title], row)
    }

    fn class_name(&self) -> &'static str {
        match self.name {
            "slider" | "range-slider" => "slider",
            "radio" => "radio",
            "checkbox" | "switch" => "check",
            "text-area" => "area",
            "code-editor" => "code",
            _ => "field",
        }
    }

    fn value_text(text: &str) -> SafeHtml {
        SafeHtml::element("span", &[("class", "nbc-widget-value")], SafeHtml::text(text))
    }

    /// With `steps` the value is an index into them.
    fn step(&self, value: &Value) -> String {
        let steps = self.json("steps");
        let at = value.as_u64().and_then(|it| usize::try_from(it).ok());
        match steps.as_array().filter(|it| !it.is_empty()) {
            Some(steps) => at.and_then(|it| steps.get(it)).map_or_else(|| plain(value), plain),
            None => plain(value),
        }
    }

    /// The ends of a control's range, where they are numbers.
    fn bounds(&self) -> Vec<(&'static str, String)> {
        [("min", "start"), ("max", "stop")]
            .into_iter()
            .filter_map(|(name, from)| Some((name, number(&self.json(from))?)))
            .collect()
    }

    fn slider(&self, initial: &Value) -> SafeHtml {
        let bounds = self.bounds();
        let step = number(&self.json("step")).unwrap_or_else(|| "any".to_owned());
        let value = number(initial).unwrap_or_default();
        let mut attributes = vec![("type", "range")];
        attributes.extend(bounds.iter().map(|(name, it)| (*name, it.as_str())));
        attributes.extend([("step", step.as_str()), ("value", &value), DISABLED]);
        let input = SafeHtml::element("input", &attributes, SafeHtml::default());
        SafeHtml::concat([input, Self::value_text(&self.step(initial))])
    }

    fn range(&self, initial: &Value) -> SafeHtml {
        let ends = initial.as_array().cloned().unwrap_or_default();
        let bounds = self.bounds();
        let one = |at: usize, label: &'static str| {
            let value = ends.get(at).and_then(number).unwrap_or_default();
            let mut attributes = vec![("type", "range")];
            attributes.extend(bounds.iter().map(|(name, it)| (*name, it.as_str())));
            attributes.extend([
                ("step", "any"),
                ("value", value.as_str()),
                ("aria-label", label),
                DISABLED,
            ]);
            SafeHtml::element("input", &attributes, SafeHtml::default())
        };
        let text = ends.iter().map(|it| self.step(it)).collect::<Vec<_>>().join(" – ");
        SafeHtml::concat([one(0, "From"), one(1, "To"), Self::value_text(&text)])
    }

    fn input(&self, kind: &'static str, value: &str) -> SafeHtml {
        // A password that a notebook presets is not for readers.
        let is_secret = self.text("kind") == "password";
        let placeholder = self.text("placeholder");
        // Browsers complain on the console about a value that its control can't hold.
        let is_held = match kind {
            "date" | "datetime-local" => is_date(value),
            "number" => value.is_empty() || value.parse::<f64>().is_ok_and(f64::is_finite),
            _ => true,
        };
        let value = if is_secret || !is_held { "" } else { value };
        let mut attributes = vec![("type", kind), ("value", value), DISABLED];
        if !placeholder.is_empty() {
            attributes.push(("placeholder", &placeholder));
        }
        let bounds = self.bounds();
        if kind == "number" {
            attributes.extend(bounds.iter().map(|(name, it)| (*name, it.as_str())));
        }
        SafeHtml::element("input", &attributes, SafeHtml::default())
    }

    fn choice(&self, initial: &Value) -> SafeHtml {
        let chosen: Vec<String> = match initial {
            Value::Array(items) => items.iter().map(plain).collect(),
            Value::Null => Vec::new(),
            other => vec![plain(other)],
        };
        let options = self.json("options");
        let options: Vec<String> = options.as_array().into_iter().flatten().map(plain).collect();
        let items = options.iter().take(500).map(|option| {
            let selected: &[(&str, &str)] =
                if chosen.contains(option) { &[("selected", "")] } else { &[] };
            SafeHtml::element("option", selected, SafeHtml::text(option))
        });
        let mut items: Vec<SafeHtml> = items.collect();
        let mut attributes = vec![DISABLED];
        let size = options.len().clamp(2, 6).to_string();
        if self.name == "multiselect" {
            attributes.extend([("multiple", ""), ("size", size.as_str())]);
        } else if chosen.is_empty() {
            let none = SafeHtml::element("option", &[("selected", "")], SafeHtml::text("—"));
            items.insert(0, none);
        }
        let select = SafeHtml::element("select", &attributes, SafeHtml::concat(items));
        if options.len() > 500 {
            return SafeHtml::concat([select, shortened("Not all options are shown.")]);
        }
        select
    }

    fn radio(&self, initial: &Value) -> SafeHtml {
        let chosen = initial.as_str();
        let options = self.json("options");
        let items = options.as_array().into_iter().flatten().take(500).map(|option| {
            let text = plain(option);
            let mut attributes = vec![("type", "radio"), DISABLED];
            if chosen == Some(text.as_str()) {
                attributes.push(("checked", ""));
            }
            let input = SafeHtml::element("input", &attributes, SafeHtml::default());
            let text = SafeHtml::text(&format!(" {text}"));
            SafeHtml::element(
                "label",
                &[("class", "nbc-widget-option")],
                SafeHtml::concat([input, text]),
            )
        });
        SafeHtml::concat(items.collect::<Vec<_>>())
    }

    fn check(&self, initial: &Value, role: &'static str) -> SafeHtml {
        let mut attributes = vec![("type", "checkbox"), DISABLED];
        if role == "switch" {
            attributes.push(("role", "switch"));
        }
        if *initial == Value::Bool(true) {
            attributes.push(("checked", ""));
        }
        SafeHtml::element("input", &attributes, SafeHtml::default())
    }

    fn button(&self, gate: &mut Gate) -> SafeHtml {
        self.marimo.control("button");
        let label = self.markup("label", gate).unwrap_or_else(|| SafeHtml::text("Run"));
        let attributes = [("type", "button"), DISABLED];
        let button = SafeHtml::element("button", &attributes, label);
        let attributes =
            [("class", "nbc-widget nbc-widget-button"), ("title", "Needs a running notebook")];
        SafeHtml::element("div", &attributes, button)
    }

    /// The messages of the run, and a disabled field for more.
    fn chat(&self, initial: &Value, gate: &mut Gate) -> SafeHtml {
        self.marimo.control("chat");
        let label = self.markup("label", gate).unwrap_or_else(|| SafeHtml::text("Chat"));
        let messages = initial.get("messages").and_then(Value::as_array).into_iter().flatten();
        let messages = messages.take(200).map(|message| {
            let role = message.get("role").map(plain).unwrap_or_default();
            let content = match message.get("parts").and_then(Value::as_array) {
                Some(parts) => parts.iter().filter_map(|it| it.get("text")).map(plain).collect(),
                None => message.get("content").map(plain).unwrap_or_default(),
            };
            let role = SafeHtml::element("strong", &[], SafeHtml::text(&format!("{role}: ")));
            SafeHtml::element("p", &[], SafeHtml::concat([role, SafeHtml::text(&content)]))
        });
        let messages = SafeHtml::concat(messages.collect::<Vec<_>>());
        let placeholder = ("placeholder", "Needs a running notebook");
        let attributes = [("type", "text"), placeholder, ("aria-label", "Message"), DISABLED];
        let input = SafeHtml::element("input", &attributes, SafeHtml::default());
        let label = SafeHtml::div("nbc-widget-label", label);
        let inner = SafeHtml::div("nbc-widget", input);
        SafeHtml::div("nbc-widget-group", SafeHtml::concat([label, messages, inner]))
    }

    fn form(&self, children: &SafeHtml, gate: &mut Gate) -> SafeHtml {
        self.marimo.control("form");
        let label = self.markup("label", gate).map(|it| SafeHtml::div("nbc-widget-label", it));
        let text = self.text("submit-button-label");
        let attributes = [("type", "button"), DISABLED];
        let button = SafeHtml::element("button", &attributes, SafeHtml::text(&text));
        let inner = SafeHtml::concat([label.unwrap_or_default(), children.clone(), button]);
        SafeHtml::element("div", &[("class", "nbc-widget-form"), ("role", "group")], inner)
    }
}

fn is_labelled(children: &SafeHtml) -> bool {
    children.as_str().trim_start().starts_with("<div class=\"nbc-widget-label\">")
}

/// A number as HTML writes it.
fn number(value: &Value) -> Option<String> {
    let text = plain(value);
    let is_plain = |it: u8| it.is_ascii_digit() || matches!(it, b'+' | b'-' | b'.' | b'e' | b'E');
    let is_number = text.bytes().all(is_plain) && text.parse::<f64>().is_ok_and(f64::is_finite);
    is_number.then_some(text)
}

fn text_area(text: &str) -> SafeHtml {
    let rows = text.lines().count().clamp(2, 20).to_string();
    let attributes = [("rows", rows.as_str()), DISABLED];
    SafeHtml::element("textarea", &attributes, SafeHtml::text(&format!("\n{text}")))
}

fn matrix(initial: &Value) -> SafeHtml {
    let rows = initial.as_array().into_iter().flatten().take(200).map(|row| {
        let cells: Vec<Value> = row.as_array().cloned().unwrap_or_else(|| vec![row.clone()]);
        let cells = cells
            .iter()
            .take(200)
            .map(|it| SafeHtml::element("td", &[], SafeHtml::text(&plain(it))));
        SafeHtml::element("tr", &[], SafeHtml::concat(cells.collect::<Vec<_>>()))
    });
    let body = SafeHtml::element("tbody", &[], SafeHtml::concat(rows.collect::<Vec<_>>()));
    SafeHtml::element("table", &[("class", "nbc-matrix")], body)
}
/// `2024-01-31`, and `2024-01-31T12:30` with or without seconds.
fn is_date(value: &str) -> bool {
    let shape: String =
        value.chars().map(|it| if it.is_ascii_digit() { '0' } else { it }).collect();
    let part = |range| value.get(range).and_then(|it: &str| it.parse::<u32>().ok());
    let is_day = part(5..7).is_some_and(|it| (1..=12).contains(&it))
        && part(8..10).is_some_and(|it| (1..=31).contains(&it));
    is_day && matches!(shape.as_str(), "0000-00-00" | "0000-00-00T00:00" | "0000-00-00T00:00:00")
}
