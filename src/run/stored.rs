//! Outputs stored in an `.ipynb` to the record that a run would have given.
//!
//! In: nbformat 4 outputs (and nbformat 3's, which some tools still write). Out: a [`RunRecord`] and
//! what could not be read. Never fails: one broken output does not cost the others.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rayon::prelude::*;
use serde_json::{Map, Value};

use super::protocol::{WIDGET_STATE_MIME as STATE, WIDGET_VIEW_MIME as VIEW};
use super::record::{
    CellError, CellRun, CellStatus, EngineReport, MimeBundle, RECORD_VERSION, RawOutput, RunRecord,
    StreamName,
};
use super::warned;
use crate::charts::{self, Kind};
use crate::notebook::{Cell, CellId, CellKind, Notebook};

/// Name of the engine in a record that was not run but read from the notebook.
pub const STORED_ENGINE: &str = "stored";

/// An output that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its cell.
    pub cell: CellId,
    /// Its position among the cell's stored outputs, from 0.
    pub position: usize,
    /// Reason.
    pub reason: &'static str,
}

/// Keys of nbformat 3, which keeps representations beside other keys and under short names.
const OLD_NAMES: &[(&str, &str)] = &[
    ("text", "text/plain"),
    ("html", "text/html"),
    ("markdown", "text/markdown"),
    ("latex", "text/latex"),
    ("png", "image/png"),
    ("jpeg", "image/jpeg"),
    ("svg", "image/svg+xml"),
    ("json", "application/json"),
    ("javascript", "application/javascript"),
];

/// Whether a notebook that carries outputs is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// It is run only if it carries none.
    RunIfEmpty,
    /// It is run.
    AlwaysRun,
    /// It is not run, even if it carries none.
    NeverRun,
}

/// Whether a notebook is published with the outputs that it carries, and not run. Notebooks for a
/// kernel other than Python are never run.
pub fn is_published_as_stored(notebook: &Notebook, policy: Policy) -> bool {
    let carries_outputs = notebook.cells.iter().any(|cell| cell.stored_outputs.is_some());
    match policy {
        _ if notebook.language != "python" => true,
        Policy::RunIfEmpty => carries_outputs,
        Policy::AlwaysRun => false,
        Policy::NeverRun => true,
    }
}

/// Reads the outputs that a notebook carries.
pub fn stored(notebook: &Notebook) -> (RunRecord, Vec<LeftOut>) {
    let mut cells = BTreeMap::new();
    let mut left_out = Vec::new();
    let mut widgets = None;
    // Code that does not parse may have run: Python 2, or a kernel's own commands.
    let is_code = |cell: &Cell| matches!(cell.kind, CellKind::Code | CellKind::Unparsable);
    let code: Vec<_> = notebook.cells().filter(|(_, cell)| is_code(cell)).collect();
    let read = |(id, cell): &(CellId, &Cell)| {
        let mut run = CellRun::new(CellStatus::Finished, Vec::new());
        let outputs = cell.stored_outputs.as_ref().map(|it| it.read().into_owned());
        let mut left_out = Vec::new();
        for (position, output) in outputs.unwrap_or_default().into_iter().enumerate() {
            if let Err(reason) = add(&mut run, output) {
                left_out.push(LeftOut { cell: *id, position, reason });
            }
        }
        (*id, run, left_out)
    };
    let runs: Vec<_> = code.par_iter().map(read).collect();
    let lines = warned::code_lines(code.iter().map(|(_, cell)| &*cell.code));
    for (id, mut run, mut own) in runs {
        left_out.append(&mut own);
        for output in &mut run.outputs {
            if let RawOutput::Stream { name, text } = output
                && let Cow::Owned(clean) = warned::without_code(text, *name, &lines)
            {
                *text = clean;
            }
        }
        if run.outputs.iter().any(|it| view(it).is_some()) {
            let read = || Widgets::read(notebook.widgets.as_deref().unwrap_or_default());
            let widgets = widgets.get_or_insert_with(read);
            run.outputs.iter_mut().for_each(|it| widgets.attach(it));
        }
        cells.insert(id, run);
    }
    let engine = EngineReport {
        name: STORED_ENGINE.to_owned(),
        version: String::new(),
        python: String::new(),
    };
    (
        RunRecord {
            version: RECORD_VERSION,
            engine,
            source: None,
            facts: None,
            cells,
            sweep: None,
        },
        left_out,
    )
}

const REFERENCE: &str = "IPY_MODEL_";

/// The widget that an output shows.
fn view(output: &RawOutput) -> Option<&str> {
    let RawOutput::Display { bundle } = output else { return None };
    bundle.data.get(VIEW)?.get("model_id")?.as_str()
}

/// The models of all widgets of a notebook, which the file keeps in one place.
struct Widgets {
    models: Map<String, Value>,
    /// Bytes that may still be attached: a model may be shown by many outputs.
    left: usize,
}

impl Widgets {
    fn read(json: &str) -> Self {
        let mut stored: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
        let models = stored.get_mut(STATE).and_then(|it| it.get_mut("state")).map(Value::take);
        let models = match models {
            Some(Value::Object(models)) => models,
            _ => Map::new(),
        };
        Self { models, left: 4 * json.len().max(1 << 20) }
    }

    /// Puts the models that a view needs beside it, as a run does.
    fn attach(&mut self, output: &mut RawOutput) {
        let Some(root) = view(output).map(ToOwned::to_owned) else { return };
        let mut found = Map::new();
        let mut waiting = vec![root];
        while let Some(id) = waiting.pop() {
            let Some(model) = self.models.get(&id).filter(|_| !found.contains_key(&id)) else {
                continue;
            };
            let Some(left) = self.left.checked_sub(model.to_string().len()) else { return };
            self.left = left;
            references(model, &mut waiting);
            caught(model, &mut waiting);
            found.insert(id, model.clone());
        }
        if let RawOutput::Display { bundle } = output
            && !found.is_empty()
        {
            bundle.data.insert(STATE.to_owned(), serde_json::json!({ "state": found }));
        }
    }
}

/// Models that views among the outputs of an `Output` widget show.
fn caught(model: &Value, found: &mut Vec<String>) {
    let outputs = model.get("state").and_then(|it| it.get("outputs")).and_then(Value::as_array);
    let views = outputs.into_iter().flatten().filter_map(|it| it.get("data")?.get(VIEW));
    let ids = views.filter_map(|it| it.get("model_id")?.as_str());
    found.extend(ids.map(ToOwned::to_owned));
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            found.extend(text.strip_prefix(REFERENCE).map(ToOwned::to_owned));
        }
        Value::Array(items) => items.iter().for_each(|it| references(it, found)),
        Value::Object(items) => items.values().for_each(|it| references(it, found)),
        _ => {}
    }
}

fn add(run: &mut CellRun, output: Value) -> Result<(), &'static str> {
    let Value::Object(mut output) = output else { return Err("it is not an object") };
    match output.get("output_type").and_then(Value::as_str) {
        Some("stream") => {
            let name = match output.get("name").or_else(|| output.get("stream")) {
                Some(Value::String(name)) if name == "stderr" => StreamName::Stderr,
                _ => StreamName::Stdout,
            };
            let text = output.get_mut("text").map(Value::take).and_then(|it| text(it).ok());
            let text = text.ok_or("its text is not a text")?;
            let text = if text.contains('\r') { text.replace("\r\n", "\n") } else { text };
            add_text(run, name, text);
        }
        Some("display_data" | "execute_result" | "pyout") => {
            run.outputs.push(RawOutput::Display { bundle: bundle(output)? });
        }
        Some("error" | "pyerr") => run.status = CellStatus::Failed { error: error(&output) },
        Some(_) => return Err("its `output_type` is not one of nbformat"),
        None => return Err("it has no `output_type`"),
    }
    Ok(())
}

fn add_text(run: &mut CellRun, name: StreamName, text: String) {
    if let Some(RawOutput::Stream { name: last, text: before }) = run.outputs.last_mut()
        && *last == name
    {
        before.push_str(&text);
        return;
    }
    run.outputs.push(RawOutput::Stream { name, text });
}

fn bundle(mut output: Map<String, Value>) -> Result<MimeBundle, &'static str> {
    let mut data = BTreeMap::new();
    match output.get_mut("data").map(Value::take) {
        Some(Value::Object(members)) => {
            for (mime, value) in members {
                let value = joined(&mime, value);
                data.insert(mime, value);
            }
        }
        Some(_) => return Err("its `data` is not an object"),
        None => {
            for (old, mime) in OLD_NAMES {
                if let Some(value) = output.get_mut(*old) {
                    data.insert((*mime).to_owned(), joined(mime, value.take()));
                }
            }
        }
    }
    if data.is_empty() {
        return Err("it holds no data");
    }
    let metadata = match output.get_mut("metadata").map(Value::take) {
        Some(Value::Object(metadata)) => metadata,
        _ => Map::new(),
    };
    Ok(MimeBundle { data, metadata })
}

/// Texts may be stored as lists of lines; JSON is stored as it is.
fn joined(mime: &str, value: Value) -> Value {
    if mime == "application/json" || mime.ends_with("+json") || mime.ends_with(".json") {
        return value;
    }
    text(value).map_or_else(|value| value, Value::String)
}

/// A text, or the value if it is no text.
fn text(value: Value) -> Result<String, Value> {
    match value {
        Value::String(text) => Ok(text),
        Value::Array(lines) => {
            let joined: Option<String> = lines.iter().map(Value::as_str).collect();
            joined.ok_or(Value::Array(lines))
        }
        other => Err(other),
    }
}

fn error(output: &Map<String, Value>) -> CellError {
    let part =
        |key: &str| output.get(key).cloned().and_then(|it| text(it).ok()).unwrap_or_default();
    let traceback = match output.get("traceback") {
        Some(Value::Array(lines)) => {
            lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
        }
        _ => part("traceback"),
    };
    CellError {
        name: part("ename"),
        message: without_colours(&part("evalue")),
        frames: Vec::new(),
        traceback: without_colours(&traceback),
    }
}

/// Drops ANSI control sequences.
pub(crate) fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        if character != '\u{1b}' {
            plain.push(character);
            continue;
        }
        let mut after = rest.clone();
        if after.next() == Some('[') {
            // A sequence ends with a letter, or with one of the characters around the letters.
            rest = after;
            rest.by_ref().find(|it| ('@'..='~').contains(it));
        }
    }
    plain
}

/// A Vega chart without a picture.
#[derive(Debug)]
pub struct UndrawnChart<'a> {
    /// `[language, major version, specification]`.
    pub chart: Value,
    bundle: &'a mut MimeBundle,
}

impl UndrawnChart<'_> {
    /// Adds the picture.
    pub fn draw(self, svg: String) {
        self.bundle.data.insert("image/svg+xml".to_owned(), Value::String(svg));
    }
}

/// The Vega charts of the run itself that have no picture for pages, and readers, without scripts.
pub fn undrawn(record: &mut RunRecord) -> Vec<UndrawnChart<'_>> {
    undrawn_in(record.cells.values_mut())
}

/// Those of its other states.
pub fn undrawn_states(record: &mut RunRecord) -> Vec<UndrawnChart<'_>> {
    let states = record.sweep.iter_mut().flat_map(|it| &mut it.states);
    undrawn_in(states.flat_map(|it| it.cells.values_mut()))
}

fn undrawn_in<'a>(runs: impl Iterator<Item = &'a mut CellRun>) -> Vec<UndrawnChart<'a>> {
    let outputs = runs.flat_map(|it| &mut it.outputs);
    let bundles = outputs.filter_map(|it| match it {
        RawOutput::Display { bundle } => Some(bundle),
        RawOutput::Stream { .. } => None,
    });
    let charts = bundles.filter_map(|bundle| {
        if bundle.data.keys().any(|it| it.starts_with("image/")) {
            return None;
        }
        let chart = bundle.data.iter().find_map(|(name, value)| in_type(name, value));
        let chart = chart.or_else(|| in_html(bundle.data.get("text/html")?))?;
        Some(UndrawnChart { chart, bundle })
    });
    charts.collect()
}

/// The chart that a MIME type states.
fn in_type(name: &str, spec: &Value) -> Option<Value> {
    let (language, rest) = name.strip_prefix("application/vnd.")?.split_once(".v")?;
    let major: String = rest.chars().take_while(char::is_ascii_digit).collect();
    matches!(language, "vega" | "vegalite").then(|| serde_json::json!([language, major, spec]))
}

/// The chart in markup of Altair.
fn in_html(html: &Value) -> Option<Value> {
    let html = match html {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        other => other.as_str()?.to_owned(),
    };
    let found = charts::in_markup(&html).filter(|it| it.kind == Kind::Vega)?;
    let chart = found.chart.ok()?;
    let data: Value = serde_json::from_str(chart.json()).ok()?;
    let spec = data.get("spec")?;
    let schema = spec.get("$schema")?.as_str()?;
    let (_, rest) = schema.split_once("/schema/")?;
    let (language, version) = rest.split_once("/v")?;
    let major: String = version.chars().take_while(char::is_ascii_digit).collect();
    let language = if language == "vega" { "vega" } else { "vegalite" };
    Some(serde_json::json!([language, major, spec]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The run of one cell with these outputs, and the reasons for those that were left out.
    fn check(outputs: &[Value]) -> (CellRun, Vec<&'static str>) {
        let mut run = CellRun::new(CellStatus::Finished, Vec::new());
        let reasons =
            outputs.iter().filter_map(|output| add(&mut run, output.clone()).err()).collect();
        (run, reasons)
    }

    fn data(run: &CellRun) -> Value {
        match run.outputs.first() {
            Some(RawOutput::Display { bundle }) => json!(bundle.data),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn neighbouring_texts_of_one_stream_become_one() {
        let (run, reasons) = check(&[
            json!({"output_type": "stream", "name": "stdout", "text": ["a\n", "b\r\n"]}),
            json!({"output_type": "stream", "name": "stdout", "text": "c"}),
            json!({"output_type": "stream", "name": "stderr", "text": "d"}),
        ]);
        assert!(reasons.is_empty());
        assert_eq!(
            run.outputs,
            [
                RawOutput::Stream { name: StreamName::Stdout, text: "a\nb\nc".to_owned() },
                RawOutput::Stream { name: StreamName::Stderr, text: "d".to_owned() },
            ]
        );
    }

    #[test]
    fn lines_are_joined_and_json_is_left_alone() {
        let (run, _) = check(&[json!({
            "output_type": "execute_result",
            "execution_count": 3,
            "metadata": {},
            "data": {"text/plain": ["a", "b"], "application/json": ["a", "b"], "image/png": "aGk="},
        })]);
        let expected =
            json!({"text/plain": "ab", "application/json": ["a", "b"], "image/png": "aGk="});
        assert_eq!(data(&run), expected);
    }

    #[test]
    fn outputs_of_nbformat_3_are_read() {
        let (run, reasons) = check(&[
            json!({"output_type": "pyout", "prompt_number": 1, "text": ["1"], "html": "<b>", "png": "aGk="}),
            json!({"output_type": "stream", "stream": "stderr", "text": "e"}),
            json!({"output_type": "pyerr", "ename": "E", "evalue": "v", "traceback": ["t"]}),
        ]);
        assert!(reasons.is_empty());
        assert_eq!(data(&run), json!({"text/plain": "1", "text/html": "<b>", "image/png": "aGk="}));
        assert!(matches!(&run.status, CellStatus::Failed { error } if error.name == "E"));
    }

    #[test]
    fn an_error_fails_the_cell_and_loses_its_colours() {
        let (run, _) = check(&[json!({
            "output_type": "error",
            "ename": "NameError",
            "evalue": "name 'x' is not defined",
            "traceback": ["\u{1b}[0;31mNameError\u{1b}[0m", "\u{1b}[1;32m      1\u{1b}[0m x"],
        })]);
        let CellStatus::Failed { error } = run.status else { panic!("{run:?}") };
        assert_eq!(error.traceback, "NameError\n      1 x");
    }

    #[test]
    fn a_view_gets_the_models_that_it_needs() {
        let view = json!({"output_type": "display_data", "data": {VIEW: {"model_id": "a"}}});
        let (mut run, _) = check(&[view]);
        let state = json!({STATE: {"state": {
            "a": {"state": {"children": ["IPY_MODEL_b", "IPY_MODEL_a"], "layout": "IPY_MODEL_gone"}},
            "b": {"state": {"value": 1}},
            "c": {"state": {}},
        }}});
        let mut widgets = Widgets::read(&state.to_string());
        run.outputs.iter_mut().for_each(|it| widgets.attach(it));
        let attached = data(&run);
        let models = attached.get(STATE).and_then(|it| it.get("state")?.as_object());
        assert_eq!(models.map(Map::len), Some(2), "{attached}");
        for broken in ["[]", "{}", "", r#"{"a": 3}"#] {
            run.outputs.iter_mut().for_each(|it| Widgets::read(broken).attach(it));
        }
    }

    #[test]
    fn broken_outputs_are_named_and_cost_no_other() {
        let (run, reasons) = check(&[
            json!(3),
            json!({"output_type": "mystery"}),
            json!({"output_type": "stream", "name": "stdout", "text": 3}),
            json!({"output_type": "display_data", "data": []}),
            json!({"output_type": "display_data"}),
            json!({}),
            json!({"output_type": "stream", "name": "stdout", "text": "whole"}),
        ]);
        assert_eq!(reasons.len(), 6);
        assert_eq!(run.outputs.len(), 1);
    }
}
