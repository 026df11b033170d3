//! Jupyter `.ipynb`, nbformat 2 to 4.5.
//!
//! In: the JSON of a file. Out: its cells; each becomes a source of its own, because people know
//! `cell 3, line 2` and not a line of the JSON. Unknown fields are ignored; what nbc does not read
//! may have any shape. Stored outputs are kept as they are: hostile data for a later phase.

mod file;
mod names;

use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::diagnostic::{Code, Diagnostic, Parsed};
use crate::python::CellNames;
use crate::source::{SourceId, Sources, Span};

use super::execution::{CodeOptions, Execution};
use super::hiding::{self, Dialect};
use super::options::tags;
use super::quarto::Document;
use super::stored::StoredOutputs;
use super::{
    About, AppOptions, Cell, CellCode, CellKind, CellOptions, CodeVisibility, Format, Notebook,
    Origin, QuartoSettings, marks, script, syntax_diagnostic,
};
use file::{Metadata, RawCell, Worksheet, modern, read};
pub(super) use names::cell_names;

/// Most cells of a notebook; the largest of 4,631 public notebooks has 1,600.
const MAX_CELLS: usize = 50_000;

/// Reads a Jupyter notebook; `None` when the file is not one.
pub(super) fn parse(
    sources: &mut Sources,
    source: SourceId,
    settings: &QuartoSettings,
) -> Parsed<Option<Notebook>> {
    let mut diagnostics = Vec::new();
    let file = match read(sources.get(source), &mut diagnostics) {
        Ok(file) => file,
        Err(diagnostic) => {
            diagnostics.push(diagnostic);
            return Parsed { value: None, diagnostics };
        }
    };
    let whole = Span::new(source, 0, 0);
    let old = file.cells.is_none();
    let cells = match cells_of(file.nbformat, file.cells, file.worksheets, whole) {
        Ok(cells) => cells,
        Err(diagnostic) => {
            diagnostics.push(diagnostic);
            return Parsed { value: None, diagnostics };
        }
    };
    let Metadata { members: metadata, widgets } = file.metadata;
    let language = language(&metadata);
    if language != "python" {
        let message = format!("the notebook is written in `{language}`; nbc runs Python only");
        diagnostics.push(
            Diagnostic::warning(Code::OtherKernel, whole, message)
                .with_help("the page shows the outputs that are stored in the file"),
        );
    }
    let mut notebook = Notebook {
        source,
        format: Format::Jupyter,
        title: text_at(&metadata, "title"),
        about: About::of(&metadata),
        app: AppOptions::default(),
        script: None,
        language,
        widgets: widgets.map(CellCode::from),
        cells: Vec::with_capacity(cells.len()),
    };
    let document = document(settings, cells.first());
    for (index, raw) in cells.into_iter().enumerate() {
        let place = (index as u32 + 1, &document);
        let mut cell = cell(sources, &notebook, place, raw, old, &mut diagnostics);
        if metadata.get("hide_input") == Some(&Value::Bool(true)) {
            cell.options.code.get_or_insert(CodeVisibility::Hidden);
        }
        if notebook.script.is_none() && cell.kind == CellKind::Code {
            let id = cell.origin.source();
            notebook.script = script::find(&cell.code, id, &mut diagnostics);
        }
        notebook.cells.push(cell);
    }
    let dialect = Dialect::of(&document);
    let left_out = hiding::hide(&mut notebook.cells, &document, dialect);
    diagnostics.extend(marks::findings(&notebook.cells, dialect, left_out));
    Parsed { value: Some(notebook), diagnostics }
}

/// What the author says about the whole notebook: the first cell may be front matter.
fn document<O>(settings: &QuartoSettings, first: Option<&RawCell<O>>) -> Document {
    let mut document = Document::new(settings, &Map::new());
    let first = first.filter(|it| it.cell_type != "code");
    if let Some(text) = first.and_then(|it| it.source.as_ref()) {
        document.add_front_matter(&text.0);
    }
    document
}

/// Kinds of files that the metadata name as those of one notebook.
pub(super) fn paired_formats(text: &str) -> Vec<super::PairedFormat> {
    #[derive(serde::Deserialize)]
    struct File {
        metadata: Stated,
    }
    #[derive(serde::Deserialize)]
    struct Stated {
        jupytext: Option<Value>,
    }
    let file = serde_json::from_str::<File>(text.trim_start_matches('\u{feff}'));
    let jupytext = file.ok().and_then(|it| it.metadata.jupytext);
    let within = jupytext.map(|it| serde_json::json!({ "formats": it.get("formats") }));
    super::formats_of(within.as_ref())
}

type RawCells = Vec<RawCell<StoredOutputs>>;

/// The cells of a file of any version that nbc reads.
fn cells_of(
    version: Option<u64>,
    cells: Option<RawCells>,
    worksheets: Option<Vec<Worksheet<StoredOutputs>>>,
    whole: Span,
) -> Result<RawCells, Diagnostic> {
    let cells: RawCells = match (cells, worksheets) {
        (Some(cells), _) => cells,
        (None, Some(sheets)) => sheets.into_iter().flat_map(|it| it.cells).collect(),
        (None, None) => {
            let message = "a JSON file without `cells` is no notebook";
            return Err(Diagnostic::error(Code::NotANotebook, whole, message));
        }
    };
    if let Some(version @ 5..) = version {
        let message = format!("the notebook has nbformat {version}; nbc reads 2 to 4");
        return Err(Diagnostic::error(Code::InvalidJson, whole, message)
            .with_help("save the notebook as nbformat 4"));
    }
    if cells.len() > MAX_CELLS {
        let message = format!("the notebook has {} cells; nbc reads {MAX_CELLS}", cells.len());
        return Err(Diagnostic::error(Code::TooComplex, whole, message));
    }
    Ok(cells)
}

fn text_at(map: &Map<String, Value>, key: &str) -> Option<String> {
    map.get(key).and_then(Value::as_str).map(str::to_owned).filter(|it| !it.is_empty())
}

fn language(metadata: &Map<String, Value>) -> String {
    let at = |outer: &str, inner: &str| {
        let value = metadata.get(outer)?.get(inner)?.as_str()?;
        Some(value.to_ascii_lowercase()).filter(|it| !it.is_empty())
    };
    let stated = at("kernelspec", "language").or_else(|| at("language_info", "name"));
    match stated.as_deref() {
        None | Some("python" | "python2" | "python3" | "ipython") => "python".to_owned(),
        Some(other) => other.to_owned(),
    }
}

/// Kind and text of a cell of any nbformat; version 3 had cells for headings.
fn kind_and_text(cell_type: &str, level: Option<u64>, text: String) -> (CellKind, String) {
    match cell_type {
        "code" => (CellKind::Code, text),
        "markdown" | "html" => (CellKind::Markdown, text),
        "heading" => {
            let level = level.unwrap_or(1).clamp(1, 6) as usize;
            (CellKind::Markdown, format!("{} {text}", "#".repeat(level)))
        }
        _ => (CellKind::Raw, text),
    }
}

fn cell(
    sources: &mut Sources,
    notebook: &Notebook,
    (number, document): (u32, &Document),
    raw: RawCell<StoredOutputs>,
    old: bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> Cell {
    let metadata = raw.metadata.unwrap_or_default();
    let text = raw.source.or(raw.input).map(|it| it.0).unwrap_or_default();
    let (kind, text) = kind_and_text(&raw.cell_type, raw.level, text);
    let text: Arc<str> = text.into();
    let source = sources.add_cell(notebook.source, number, Arc::clone(&text));
    let mut options = CellOptions::default();
    let mut name = text_at(&metadata, "name");
    tags(&metadata, &mut options);
    if kind == CellKind::Code {
        let own = CodeOptions::of(&text);
        let execution = own.execution.or(&Execution::of_metadata(&metadata));
        execution.decide(&document.execution, &mut options);
        name = name.or(own.label);
    } else if kind == CellKind::Raw {
        let stated = text_at(&metadata, "raw_mimetype").or_else(|| text_at(&metadata, "format"));
        options.raw_type = stated.map(|it| it.to_ascii_lowercase());
    }
    let outputs = raw.outputs.filter(|_| kind == CellKind::Code);
    let outputs = if old { outputs.and_then(|it| it.map(modern)) } else { outputs };
    let mut cell = Cell {
        kind,
        name,
        code: text.into(),
        origin: Origin::verbatim(source, 0),
        options,
        names: CellNames::none(),
        stored_outputs: outputs.map(Box::new),
        execution_count: raw.execution_count.as_ref().and_then(Value::as_u64),
        attachments: raw.attachments.filter(|it| !it.is_empty()).map(Box::new),
    };
    if kind != CellKind::Code || notebook.language != "python" {
        return cell;
    }
    let place = |range: &Range<u32>| Span::new(source, range.start, range.end);
    match cell_names(&cell.code) {
        Ok(names) => cell.names = CellNames::new(names, place).into(),
        // The author expects a failure, or does not want the cell to run.
        Err(_) if cell.options.raises_exception || cell.options.skip_execution => {}
        Err(errors) => {
            // Later errors are often consequences of the first.
            for error in errors.iter().take(1) {
                diagnostics.push(syntax_diagnostic(error, place(&error.range)));
            }
            cell.kind = CellKind::Unparsable;
        }
    }
    cell
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may fail by panic")]
mod tests {
    use super::*;

    fn check(json: &str) -> (Option<Notebook>, Vec<String>) {
        let mut sources = Sources::default();
        let id = sources.add("a.ipynb".into(), None, json.to_owned());
        let parsed = super::super::parse(&mut sources, id);
        let said = parsed.diagnostics.iter().map(|it| {
            let at = sources.get(it.span.source).line_column(it.span.start);
            let name = sources.get(it.span.source).name();
            format!("{name}:{}:{} {} {}", at.line, at.column, it.code.number(), it.message)
        });
        (parsed.value, said.collect())
    }

    fn notebook(cells: &str) -> String {
        format!(r#"{{"nbformat": 4, "nbformat_minor": 5, "metadata": {{}}, "cells": [{cells}]}}"#)
    }

    #[test]
    fn a_syntax_error_is_addressed_by_its_cell() {
        let (_, said) = check(&notebook(
            r#"{"cell_type": "markdown", "source": []}, {"cell_type": "code", "source": ["a = 1\n", "b = = 2"]}"#,
        ));
        assert_eq!(
            said,
            ["a.ipynb:cell 2:2:5 NBC104 the cell is not valid Python: expected an expression"]
        );
    }

    #[test]
    fn ipython_syntax_is_no_error() {
        let (notebook, said) = check(&notebook(
            r#"{"cell_type": "code", "source": "%matplotlib inline\nfiles = !ls\nlen?\n!pip install x\nx = 1"},
               {"cell_type": "code", "source": "%%bash\nfor i in 1 2; do echo $i; done"},
               {"cell_type": "code", "source": "%%time\ny = x"},
               {"cell_type": "code", "source": "  z = 1\n  await z"}"#,
        ));
        assert!(said.is_empty(), "{said:?}");
        let names: Vec<String> = notebook
            .iter()
            .flat_map(|it| &it.cells)
            .map(|it| it.names.definitions.keys().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(names, ["files x", "", "y", "z"]);
    }

    #[test]
    fn broken_json_is_a_finding_at_its_place() {
        assert_eq!(
            check("{\n \"cells\": [").1,
            ["a.ipynb:2:11 NBC103 the JSON ends too early: EOF while parsing a list"]
        );
        assert_eq!(
            check(r#"{"cells": [], "cells": []}"#).1,
            ["a.ipynb:1:21 NBC103 the JSON is no notebook: duplicate field `cells`"]
        );
        assert_eq!(check("[1]").1, ["a.ipynb:1:1 NBC102 the file holds no JSON object"]);
        assert_eq!(
            check("{}").1,
            ["a.ipynb:1:1 NBC102 a JSON file without `cells` is no notebook"]
        );
        assert_eq!(check("").1, ["a.ipynb:1:1 NBC102 the file is empty"]);
        let deep = format!("{{\"cells\": {}", "[".repeat(100_000));
        assert_eq!(check(&deep).0.map(|_| ()), None);
    }

    #[test]
    fn a_file_of_too_many_values_is_refused_before_they_are_built() {
        for bomb in [r#"{"":0},"#, "[0],"] {
            let outputs = format!("{}0", bomb.repeat(1_500_000));
            let cell = format!(r#"{{"cell_type": "code", "source": "", "outputs": [{outputs}]}}"#);
            let (found, said) = check(&notebook(&cell));
            assert!(found.is_none());
            assert_eq!(said, ["a.ipynb:1:1 NBC110 the JSON holds more values than nbc reads"]);
        }
    }

    #[test]
    fn metadata_that_nobody_reads_may_have_any_shape() {
        let text =
            r#"{"metadata": {"title": "T", "widgets": [{"a": 1}], "kernelspec": 3}, "cells": []}"#;
        let (found, said) = check(text);
        assert!(said.is_empty(), "{said:?}");
        assert_eq!(found.expect("it parses").title.as_deref(), Some("T"));
        assert!(check(r#"{"metadata": null, "cells": []}"#).0.is_some());
    }

    #[test]
    fn half_a_surrogate_pair_and_a_byte_order_mark_are_survived() {
        let text =
            notebook(r#"{"cell_type": "code", "source": "a = '\ud800 \ud83d\ude00 \\ud800'"}"#);
        let (found, said) = check(&format!("\u{feff}{text}"));
        assert_eq!(said.len(), 1, "{said:?}");
        assert_eq!(found.expect("it parses").cells[0].code, "a = '\u{fffd} \u{1f600} \\ud800'");
    }

    #[test]
    fn tags_and_quarto_lines_become_options() {
        let (found, said) = check(&notebook(
            r##"{"cell_type": "code", "metadata": {"tags": ["remove-input", "raises-exception"]}, "source": "1 +"},
               {"cell_type": "code", "source": "#| echo: false\n#| output: false\n1"}"##,
        ));
        assert!(said.is_empty(), "{said:?}");
        let cells = found.expect("it parses").cells;
        assert_eq!(cells[0].options.code, Some(CodeVisibility::Hidden));
        assert!(cells[0].options.raises_exception);
        assert_eq!(cells[1].options.code, Some(CodeVisibility::Hidden));
        assert!(cells[1].options.hide_output);
    }

    #[test]
    fn old_notebooks_are_read_as_new_ones() {
        let (found, said) = check(
            r##"{"nbformat": 3, "metadata": {"name": ""}, "worksheets": [{"cells": [
                {"cell_type": "heading", "level": 2, "source": "T"},
                {"cell_type": "code", "input": "1", "language": "python",
                 "outputs": [{"output_type": "pyout", "prompt_number": 1, "png": "AA==", "text": ["1"]}]}]}]}"##,
        );
        assert!(said.is_empty(), "{said:?}");
        let cells = found.expect("it parses").cells;
        assert_eq!(cells[0].code, "## T");
        assert_eq!(
            cells[1].stored_outputs.as_ref().unwrap().read()[0],
            serde_json::json!({"output_type": "execute_result", "execution_count": 1,
                "data": {"image/png": "AA==", "text/plain": ["1"]}})
        );
    }

    #[test]
    fn lines_of_nbformat_2_get_their_breaks_back() {
        let (found, said) = check(
            r#"{"nbformat": 2, "metadata": {}, "worksheets": [{"cells": [
                {"cell_type": "code", "input": ["a = 1", "b = a"],
                 "outputs": [{"output_type": "stream", "text": ["x", "y"]}]}]}]}"#,
        );
        assert!(said.is_empty(), "{said:?}");
        let cells = found.expect("it parses").cells;
        assert_eq!(cells[0].code, "a = 1\nb = a");
        assert_eq!(
            cells[0].stored_outputs.as_ref().unwrap().read()[0]["text"],
            serde_json::json!(["x\n", "y"])
        );
    }

    #[test]
    fn a_magic_without_its_sign_is_known_in_a_cell_of_one_line_only() {
        let cell = |code: &str| {
            let source = serde_json::json!(code);
            check(&notebook(&format!(r#"{{"cell_type": "code", "source": {source}}}"#))).1.len()
        };
        assert_eq!(cell("ls $profile"), 0);
        assert_eq!(cell("pycat $profile/config.py\n"), 0);
        assert_ne!(cell("a = 1\nls $profile"), 0);
        assert_ne!(cell("print $profile"), 0);
    }

    #[test]
    fn hostile_json_is_a_finding_or_read() {
        let long = "x".repeat(10_000_000);
        let deep = |open: &str| open.repeat(100_000);
        let of_metadata =
            |json: &str| format!(r#"{{"nbformat": 4, "cells": [], "metadata": {json}}}"#);
        for text in [
            of_metadata(&deep("[")),
            of_metadata(&deep("{\"a\":")),
            notebook(&deep(r#"{"cell_type": "code", "outputs": [{"a": "#)),
            "{\0}".to_owned(),
            "{\r\"cells\": [\r".to_owned(),
            r#"{"cells": 1}"#.to_owned(),
            r#"{"cells": [{"cell_type": "code", "cell_type": "raw"}]}"#.to_owned(),
            r#"{"cells": [{"cell_type": "code", "source": 1}]}"#.to_owned(),
            r#"{"cells": [null]}"#.to_owned(),
            r#"{"cells": [], "nbformat": 99}"#.to_owned(),
            r#"{"cells": [], "nbformat": -1}"#.to_owned(),
        ] {
            let (found, said) = check(&text);
            assert!(found.is_none(), "{text:.80}");
            assert_eq!(said.len(), 1, "{said:?}");
        }
        // Numbers and names that no schema has do no harm, and the last of two keys counts.
        let (found, said) = check(&notebook(&format!(
            r#"{{"cell_type": "code", "source": "a = '{long}'\u0000", "metadata": {{"tags": ["x"], "tags": ["remove-cell"]}},
                "outputs": [{{"output_type": 1e400, "data": [[]]}}]}},
               {{"cell_type": "novel", "source": "{long}", "execution_count": "x"}}"#
        ).replace("1e400", "1e300")));
        let cells = found.expect("it parses").cells;
        assert!(cells[0].options.hide_cell);
        assert_eq!(cells[0].kind, CellKind::Unparsable);
        assert!(!said.is_empty() && said.iter().all(|it| it.len() < 200), "{said:?}");
        assert_eq!(cells[1].kind, CellKind::Raw);
    }

    #[test]
    fn another_language_is_not_parsed() {
        let text = r#"{"nbformat": 4, "metadata": {"kernelspec": {"language": "Julia"}},
            "cells": [{"cell_type": "code", "source": "f(x) = 2x"}]}"#;
        let (found, said) = check(text);
        assert_eq!(
            said,
            ["a.ipynb:1:1 NBC109 the notebook is written in `julia`; nbc runs Python only"]
        );
        assert_eq!(found.expect("it parses").language, "julia");
    }
}
