//! Options of Jupyter cells: tags, and Quarto's `#|` lines of the same meaning.

use serde_json::{Map, Value};

use super::{CellOptions, CodeVisibility};

/// Reads the metadata of a cell. Tags are written with `-` or `_`.
pub(super) fn tags(metadata: &Map<String, Value>, options: &mut CellOptions) {
    let flag = |outer: &Map<String, Value>, key: &str| outer.get(key) == Some(&Value::Bool(true));
    if let Some(Value::Object(jupyter)) = metadata.get("jupyter") {
        if flag(jupyter, "source_hidden") {
            options.code = Some(CodeVisibility::Folded);
        }
        options.hide_output |= flag(jupyter, "outputs_hidden");
    }
    if flag(metadata, "hide_input") {
        options.code = Some(CodeVisibility::Folded);
    }
    let Some(Value::Array(tags)) = metadata.get("tags") else { return };
    for tag in tags.iter().filter_map(Value::as_str) {
        match tag.replace('_', "-").as_str() {
            "hide-input" => options.code = Some(CodeVisibility::Folded),
            "remove-input" => options.code = Some(CodeVisibility::Hidden),
            "hide-output" | "remove-output" => options.hide_output = true,
            "hide-cell" => {
                options.code = Some(CodeVisibility::Folded);
                options.hide_output = true;
            }
            "remove-cell" => options.hide_cell = true,
            "raises-exception" => options.raises_exception = true,
            "parameters" => options.injected = true,
            "skip-execution" => options.skip_execution = true,
            _ => {}
        }
    }
}

/// Reads the `#|` lines that a cell starts with; returns its label.
pub(super) fn quarto(code: &str, options: &mut CellOptions) -> Option<String> {
    let mut label = None;
    for line in code.lines() {
        let Some(option) = line.strip_prefix("#|") else { break };
        let Some((key, value)) = option.split_once(':') else { continue };
        let value = value.trim().trim_matches(['"', '\'']);
        match (key.trim(), value) {
            ("echo", "false") => options.code = Some(CodeVisibility::Hidden),
            ("echo", "true" | "fenced") => options.code = Some(CodeVisibility::Shown),
            ("code-fold", "true" | "show") => options.code = Some(CodeVisibility::Folded),
            ("output", "false") => options.hide_output = true,
            ("include", "false") => options.hide_cell = true,
            ("eval", "false") => options.skip_execution = true,
            ("error", "true") => options.raises_exception = true,
            ("label", name) if !name.is_empty() => label = Some(name.to_owned()),
            _ => {}
        }
    }
    label
}
