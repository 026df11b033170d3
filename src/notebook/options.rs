//! Options of Jupyter cells: tags and metadata. Quarto's are in [`super::execution`].

use serde_json::{Map, Value};

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;

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
    // The extensions of Jupyter that fold cells, and VS Code.
    if flag(metadata, "hide_input") || flag(metadata, "inputCollapsed") {
        options.code = Some(CodeVisibility::Folded);
    }
    options.hide_output |= flag(metadata, "outputCollapsed");
    options.scrolled = metadata.get("scrolled").and_then(Value::as_bool);
    services(metadata, options);
    for tag in tag_names(metadata) {
        match tag.replace('_', "-").as_str() {
            "hide-input" => options.code = Some(CodeVisibility::Folded),
            "remove-input" => withhold(options),
            "hide-output" | "remove-output" => options.hide_output = true,
            "hide-cell" => {
                options.code = Some(CodeVisibility::Folded);
                options.hide_output = true;
            }
            "remove-cell" => {
                options.hide_cell = true;
                withhold(options);
            }
            "raises-exception" => options.raises_exception = true,
            "parameters" => options.injected = true,
            "skip-execution" => options.skip_execution = true,
            _ => {}
        }
    }
}

/// Metadata in the place of a text that cannot be read: its words count as tags, and the code is hidden for good.
pub(super) fn unreadable(
    text: &str,
    place: Span,
    diagnostics: &mut Vec<Diagnostic>,
) -> Map<String, Value> {
    let message = "the options of the cell cannot be read: its code is not shown";
    diagnostics.push(Diagnostic::warning(Code::IgnoredOption, place, message));
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"_-".contains(c));
    let words = words.filter(|it| !it.is_empty()).chain(["remove-input"]);
    Map::from_iter([("tags".to_owned(), words.collect())])
}

fn withhold(options: &mut CellOptions) {
    options.code = Some(CodeVisibility::Hidden);
    options.is_withheld = true;
}

/// Marks of services that publish notebooks: Kaggle, Colab, Databricks, Deepnote, nbsphinx, and the extension "Hide code".
/// Most of them give readers a button for the code, as a page does with `--code shown`.
fn services(metadata: &Map<String, Value>, options: &mut CellOptions) {
    let databricks = metadata.get("application/vnd.databricks.v1+cell").and_then(Value::as_object);
    let is_set = |key: &str| {
        let places = [Some(metadata), databricks];
        places.into_iter().flatten().any(|it| it.get(key) == Some(&Value::Bool(true)))
    };
    let any = |keys: &[&str]| keys.iter().any(|it| is_set(it));
    let is_form = metadata.get("cellView").and_then(Value::as_str) == Some("form");
    if is_form || any(&["_kg_hide-input", "hideCommandCode", "is_code_hidden", "hideCode"]) {
        options.code = Some(CodeVisibility::Hidden);
    }
    options.hide_output |=
        any(&["_kg_hide-output", "hideCommandResult", "is_output_hidden", "hideOutput"]);
    // Its cells are in the documentation, or in the notebook alone.
    if metadata.get("nbsphinx").and_then(Value::as_str) == Some("hidden") {
        options.hide_cell = true;
        withhold(options);
    }
}

/// The tags of a cell; YAML may have one without a list around it.
fn tag_names(metadata: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let tags = match metadata.get("tags") {
        Some(Value::Array(tags)) => tags.as_slice(),
        Some(tag @ Value::String(_)) => std::slice::from_ref(tag),
        _ => &[],
    };
    let words = tags.iter().filter_map(Value::as_str);
    words.flat_map(|it| it.split([',', ' '])).filter(|it| !it.is_empty())
}
