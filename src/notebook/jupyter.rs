//! Jupyter `.ipynb`, nbformat 2 to 4.5.
//!
//! In: the JSON of a file. Out: its cells; each becomes a source of its own, because people know
//! `cell 3, line 2` and not a line of the JSON. Unknown fields are ignored; what nbc does not read
//! may have any shape. Stored outputs are kept as they are: hostile data for a later phase.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::diagnostic::{Code, Diagnostic, Parsed};
use crate::python::{self, CellNames, Mode, Names, SyntaxError};
use crate::source::{Source, SourceId, Sources, Span, json};

use super::options::{quarto, tags};
use super::stored::{RawOutputs, StoredOutputs};
use super::{
    About, AppOptions, Cell, CellCode, CellKind, CellOptions, Format, Notebook, Origin, script,
    syntax_diagnostic,
};

/// Most cells of a notebook; the largest of 4,631 public notebooks has 1,600.
const MAX_CELLS: usize = 50_000;

#[derive(Deserialize)]
#[serde(bound(deserialize = "O: Deserialize<'de>"))]
struct File<O> {
    nbformat: Option<u64>,
    #[serde(default, deserialize_with = "read_metadata")]
    metadata: Metadata,
    cells: Option<Vec<RawCell<O>>>,
    worksheets: Option<Vec<Worksheet<O>>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "O: Deserialize<'de>"))]
struct Worksheet<O> {
    #[serde(default = "Vec::new")]
    cells: Vec<RawCell<O>>,
}

/// A cell, its outputs as values or as the text of the file.
#[derive(Deserialize)]
#[serde(bound(deserialize = "O: Deserialize<'de>"))]
struct RawCell<O> {
    cell_type: String,
    #[serde(default)]
    source: Option<Text>,
    /// Source of a code cell in nbformat 3.
    #[serde(default)]
    input: Option<Text>,
    #[serde(default)]
    level: Option<u64>,
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
    #[serde(default)]
    outputs: Option<O>,
    /// nbformat 3 says `prompt_number`.
    #[serde(default, alias = "prompt_number")]
    execution_count: Option<Value>,
    #[serde(default)]
    attachments: Option<Map<String, Value>>,
}

impl<O> File<O> {
    fn with_outputs<P>(self, change: impl Fn(O) -> Option<P>) -> File<P> {
        let cells = |it: Vec<RawCell<O>>| -> Vec<RawCell<P>> {
            it.into_iter().map(|it| it.with_outputs(&change)).collect()
        };
        let sheets = |it: Vec<Worksheet<O>>| {
            it.into_iter().map(|it| Worksheet { cells: cells(it.cells) }).collect()
        };
        File {
            nbformat: self.nbformat,
            metadata: self.metadata,
            cells: self.cells.map(cells),
            worksheets: self.worksheets.map(sheets),
        }
    }
}

impl<O> RawCell<O> {
    fn with_outputs<P>(self, change: impl Fn(O) -> Option<P>) -> RawCell<P> {
        RawCell {
            outputs: self.outputs.and_then(change),
            cell_type: self.cell_type,
            source: self.source,
            input: self.input,
            level: self.level,
            metadata: self.metadata,
            execution_count: self.execution_count,
            attachments: self.attachments,
        }
    }
}

/// Members of the notebook's metadata that nbc reads; the state of widgets can be the largest part of a file.
const METADATA: [&str; 8] =
    ["title", "kernelspec", "language_info", "author", "authors", "date", "description", "lang"];

#[derive(Default)]
struct Metadata {
    members: Map<String, Value>,
    /// The state of widgets, as it stands in the file: few notebooks need it.
    widgets: Option<Box<str>>,
}

fn read_metadata<'de, D: Deserializer<'de>>(from: D) -> Result<Metadata, D::Error> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Metadata;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("an object")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Metadata::default())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
            let mut read = Metadata::default();
            while let Some(key) = members.next_key::<String>()? {
                if METADATA.contains(&key.as_str()) {
                    read.members.insert(key, members.next_value()?);
                } else if key == "widgets" {
                    let widgets: Box<RawValue> = members.next_value()?;
                    read.widgets = (widgets.get().len() > 2).then(|| widgets.into());
                } else {
                    members.next_value::<IgnoredAny>()?;
                }
            }
            Ok(read)
        }
    }
    from.deserialize_any(Members)
}

/// A string, or the list of its lines.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lines;
        impl<'de> Visitor<'de> for Lines {
            type Value = String;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a string or a list of strings")
            }

            fn visit_str<E>(self, text: &str) -> Result<String, E> {
                Ok(text.to_owned())
            }

            fn visit_string<E>(self, text: String) -> Result<String, E> {
                Ok(text)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut lines: A) -> Result<String, A::Error> {
                let mut text = String::new();
                while let Some(Line(line)) = lines.next_element()? {
                    text.push_str(&line);
                }
                Ok(text)
            }
        }
        deserializer.deserialize_any(Lines).map(Text)
    }
}

/// A line, borrowed where it holds no escapes.
#[derive(Deserialize)]
struct Line<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads a Jupyter notebook; `None` when the file is not one.
pub(super) fn parse(sources: &mut Sources, source: SourceId) -> Parsed<Option<Notebook>> {
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
    let cells = match (file.cells, file.worksheets) {
        (Some(cells), _) => cells,
        (None, Some(sheets)) => sheets.into_iter().flat_map(|it| it.cells).collect(),
        (None, None) => {
            let message = "a JSON file without `cells` is no notebook";
            diagnostics.push(Diagnostic::error(Code::NotANotebook, whole, message));
            return Parsed { value: None, diagnostics };
        }
    };
    if let Some(version @ 5..) = file.nbformat {
        let message = format!("the notebook has nbformat {version}; nbc reads 2 to 4");
        diagnostics.push(
            Diagnostic::error(Code::InvalidJson, whole, message)
                .with_help("save the notebook as nbformat 4"),
        );
        return Parsed { value: None, diagnostics };
    }
    if cells.len() > MAX_CELLS {
        let message = format!("the notebook has {} cells; nbc reads {MAX_CELLS}", cells.len());
        diagnostics.push(Diagnostic::error(Code::TooComplex, whole, message));
        return Parsed { value: None, diagnostics };
    }
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
    for (index, raw) in cells.into_iter().enumerate() {
        let number = index as u32 + 1;
        let cell = cell(sources, &notebook, number, raw, old, &mut diagnostics);
        if notebook.script.is_none() && cell.kind == CellKind::Code {
            let id = cell.origin.source();
            notebook.script = script::find(&cell.code, id, &mut diagnostics);
        }
        notebook.cells.push(cell);
    }
    Parsed { value: Some(notebook), diagnostics }
}

fn read(
    source: &Source,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<File<StoredOutputs>, Diagnostic> {
    let (shared, text, source) = (source.shared_text(), source.text(), source.id());
    let front = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let json = text.get(front..).unwrap_or_default();
    if json::weight(json.as_bytes()) > json::MOST_OF_NOTEBOOK {
        let message = "the JSON holds more values than nbc reads";
        let help = "clear outputs that hold large JSON or widgets, or write fewer of them";
        return Err(
            Diagnostic::error(Code::TooComplex, Span::new(source, 0, 0), message).with_help(help)
        );
    }
    // nbformat 2 and 3 keep their cells in worksheets, and need changes.
    if let Ok(file @ File { cells: Some(_), .. }) =
        serde_json::from_str::<File<RawOutputs<'_>>>(json)
        && file.nbformat != Some(2)
    {
        return Ok(file.with_outputs(|it| it.shared(shared)));
    }
    let error = match serde_json::from_str::<File<Vec<Value>>>(json) {
        Ok(File { nbformat: Some(2), .. }) => match with_line_breaks(json) {
            Ok(file) => return Ok(file.with_outputs(StoredOutputs::of_values)),
            Err(error) => error,
        },
        Ok(file) => return Ok(file.with_outputs(StoredOutputs::of_values)),
        Err(error) => error,
    };
    // Python writes half of a surrogate pair as an escape, which stands for no character at all.
    if let Some((repaired, first)) = without_lone_surrogates(json)
        && let Ok(file) = serde_json::from_str::<File<Vec<Value>>>(&repaired)
    {
        let at = (front + first) as u32;
        let message = "half of a surrogate pair stands for no character; it is shown as U+FFFD";
        let span = Span::new(source, at, at + 6);
        diagnostics.push(Diagnostic::warning(Code::InvalidJson, span, message));
        return Ok(file.with_outputs(StoredOutputs::of_values));
    }
    if json.trim().is_empty() {
        return Err(Diagnostic::error(
            Code::NotANotebook,
            Span::new(source, 0, 0),
            "the file is empty",
        ));
    }
    if !json.trim_start().starts_with('{') {
        let span = Span::new(source, 0, 0);
        return Err(Diagnostic::error(Code::NotANotebook, span, "the file holds no JSON object"));
    }
    let at = (front + offset(json, error.line(), error.column())) as u32;
    let full = error.to_string();
    let reason = full.rsplit_once(" at line ").map_or(full.as_str(), |(reason, _)| reason);
    let message = if error.is_eof() {
        format!("the JSON ends too early: {reason}")
    } else if error.is_data() {
        format!("the JSON is no notebook: {reason}")
    } else {
        format!("the JSON is broken: {reason}")
    };
    Err(Diagnostic::error(Code::InvalidJson, Span::new(source, at, at), message)
        .with_label("here")
        .with_help("open the notebook in Jupyter and save it, or get a whole copy of it"))
}

/// Reads nbformat 2, whose lists of lines have lost their line breaks.
fn with_line_breaks(json: &str) -> serde_json::Result<File<Vec<Value>>> {
    let mut file: Value = serde_json::from_str(json)?;
    break_lines(&mut file);
    serde_json::from_value(file)
}

fn break_lines(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(break_lines),
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => {
            let last = items.len() - 1;
            for item in items.iter_mut().take(last) {
                if let Value::String(line) = item {
                    line.push('\n');
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(break_lines),
        _ => {}
    }
}

/// Byte offset of a line and column, both from 1, columns in bytes.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let mut start = 0;
    for _ in 1..line {
        match text.get(start..).and_then(|it| it.find('\n')) {
            Some(at) => start += at + 1,
            None => break,
        }
    }
    let mut at = (start + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Replaces `\ud800` and its like; also tells where the first one stands.
fn without_lone_surrogates(json: &str) -> Option<(String, usize)> {
    let bytes = json.as_bytes();
    let unit = |at: usize| -> Option<u32> {
        let escape = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u32::from_str_radix(std::str::from_utf8(escape).ok()?, 16).ok()
    };
    let mut lone: Vec<usize> = Vec::new();
    let mut at = 0;
    while let Some(next) = bytes.get(at..).and_then(|it| it.iter().position(|b| *b == b'\\')) {
        at += next;
        match unit(at) {
            Some(0xD800..=0xDBFF) if matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => at += 12,
            Some(0xD800..=0xDFFF) => {
                lone.push(at);
                at += 6;
            }
            Some(_) => at += 6,
            None => at += 2,
        }
    }
    let first = *lone.first()?;
    let mut repaired = String::with_capacity(json.len());
    let mut from = 0;
    for at in lone {
        repaired.push_str(json.get(from..at)?);
        repaired.push_str("\\ufffd");
        from = at + 6;
    }
    repaired.push_str(json.get(from..)?);
    Some((repaired, first))
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

fn cell(
    sources: &mut Sources,
    notebook: &Notebook,
    number: u32,
    raw: RawCell<StoredOutputs>,
    old: bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> Cell {
    let metadata = raw.metadata.unwrap_or_default();
    let text = raw.source.or(raw.input).map(|it| it.0).unwrap_or_default();
    let (kind, text) = match raw.cell_type.as_str() {
        "code" => (CellKind::Code, text),
        "markdown" | "html" => (CellKind::Markdown, text),
        "heading" => {
            let level = raw.level.unwrap_or(1).clamp(1, 6) as usize;
            (CellKind::Markdown, format!("{} {text}", "#".repeat(level)))
        }
        _ => (CellKind::Raw, text),
    };
    let text: Arc<str> = text.into();
    let source = sources.add_cell(notebook.source, number, Arc::clone(&text));
    let mut options = CellOptions::default();
    let mut name = text_at(&metadata, "name");
    tags(&metadata, &mut options);
    if kind == CellKind::Code {
        let label = quarto(&text, &mut options);
        name = name.or(label);
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

/// Names of a cell as IPython reads it.
pub(super) fn cell_names(code: &str) -> Result<Names, Vec<SyntaxError>> {
    if let Some(magic) = python::cell_magic(code) {
        let mut names = Names { is_opaque: true, ..Names::default() };
        if magic.is_python {
            let rest = code.get(magic.end as usize..).unwrap_or_default();
            names = match python::names(rest, Mode::Ipython) {
                Ok(names) => moved(names, magic.end as i64),
                Err(errors) => return Err(moved_errors(errors, magic.end as i64)),
            };
            // `%%capture output` defines `output`.
            names.is_opaque |= magic.name == "capture";
        }
        return Ok(names);
    }
    let errors = match python::names(code, Mode::Ipython) {
        Ok(names) => return Ok(names),
        Err(errors) => errors,
    };
    if is_automagic(code) {
        return Ok(Names { is_opaque: true, ..Names::default() });
    }
    Err(errors)
}

/// Magics that people write without `%`, in a cell of one line: the only place where IPython
/// takes them so.
const AUTOMAGICS: [&str; 24] = [
    "alias",
    "cat",
    "cd",
    "conda",
    "cp",
    "env",
    "ll",
    "ls",
    "lx",
    "man",
    "matplotlib",
    "mkdir",
    "more",
    "mv",
    "pip",
    "pwd",
    "pycat",
    "pylab",
    "rm",
    "rmdir",
    "run",
    "time",
    "timeit",
    "who",
];

fn is_automagic(code: &str) -> bool {
    let line = code.trim();
    let word = line.split(char::is_whitespace).next().unwrap_or_default();
    !line.contains('\n') && AUTOMAGICS.contains(&word)
}

fn shift(range: &Range<u32>, by: i64) -> Range<u32> {
    let one = |at: u32| u32::try_from(i64::from(at) + by).unwrap_or(0);
    one(range.start)..one(range.end)
}

fn moved(mut names: Names, by: i64) -> Names {
    for range in names.places_mut() {
        *range = shift(range, by);
    }
    names
}

fn moved_errors(errors: Vec<SyntaxError>, by: i64) -> Vec<SyntaxError> {
    errors.into_iter().map(|it| SyntaxError { range: shift(&it.range, by), ..it }).collect()
}

/// An output of nbformat 2 or 3 in the shape of nbformat 4.
fn modern(output: Value) -> Value {
    let Value::Object(mut old) = output else { return output };
    let kind = old.remove("output_type");
    let kind = match kind.as_ref().and_then(Value::as_str) {
        Some("pyout") => "execute_result",
        Some("pyerr") => "error",
        Some("stream") => "stream",
        Some("display_data") => "display_data",
        _ => {
            old.extend(kind.map(|it| ("output_type".to_owned(), it)));
            return Value::Object(old);
        }
    };
    let mut new = Map::new();
    new.insert("output_type".to_owned(), Value::from(kind));
    match kind {
        "stream" => {
            let name = old.remove("stream").unwrap_or_else(|| Value::from("stdout"));
            new.insert("name".to_owned(), name);
            new.extend(old.remove("text").map(|it| ("text".to_owned(), it)));
        }
        "error" => new.extend(old),
        _ => {
            let mut data = Map::new();
            for (key, value) in old {
                let mime = match key.as_str() {
                    "text" => "text/plain",
                    "html" => "text/html",
                    "svg" => "image/svg+xml",
                    "png" => "image/png",
                    "jpeg" => "image/jpeg",
                    "latex" => "text/latex",
                    "json" => "application/json",
                    "javascript" => "application/javascript",
                    "pdf" => "application/pdf",
                    "metadata" => {
                        new.insert(key, value);
                        continue;
                    }
                    "prompt_number" => {
                        new.insert("execution_count".to_owned(), value);
                        continue;
                    }
                    _ if key.contains('/') => key.as_str(),
                    _ => continue,
                };
                data.insert(mime.to_owned(), value);
            }
            new.insert("data".to_owned(), Value::Object(data));
        }
    }
    Value::Object(new)
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may fail by panic")]
mod tests {
    use super::super::CodeVisibility;
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
