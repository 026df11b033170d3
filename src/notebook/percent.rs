//! Percent scripts: Python files whose cells start with `# %%`, as jupytext, Spyder and VS Code
//! write them.
//!
//! In: the text of a file. Out: a notebook with the semantics of Jupyter: cells run from top to
//! bottom, and magics that jupytext commented out (`# %matplotlib inline`) are magics again.

use std::ops::Range;

use serde_json::{Map, Value};

use crate::diagnostic::{Code, Diagnostic, Parsed};
use crate::source::{Source, SourceId, Sources, Span};

use super::execution::{CodeOptions, Execution};
use super::front_matter::{self, scalar_text};
use super::hiding::{self, Dialect};
use super::line::{Line, lines};
use super::markdown::{assemble, empty, named, prose};
use super::options::{tags, unreadable};
use super::quarto::Document;
use super::{
    About, AppOptions, Cell, CellKind, CellOptions, Format, Notebook, PairedFormat, QuartoSettings,
    jupyter, light, marks, script,
};

/// Whether a `.py` text is a percent script.
pub(super) fn is_percent(text: &str) -> bool {
    light::is_databricks(text)
        || text.contains("%%") && text.lines().any(|it| Marker::of(it).is_some())
        || text.contains("jupytext")
            && header(lines(text, 0)).is_some_and(|(it, _)| it.contains_key("jupyter"))
}

/// The line that starts a cell.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Marker {
    pub(super) kind: Option<CellKind>,
    pub(super) title: String,
    pub(super) metadata: Map<String, Value>,
    /// Whether prose stands there as it is, and not as comments.
    pub(super) is_text: bool,
    /// Metadata that cannot be read.
    pub(super) unread: Option<String>,
    /// Its line in the file.
    pub(super) place: Range<u32>,
}

impl Marker {
    /// `# %% Title [markdown] tags=["hide-input"] key="value"`, or `# %% Title {"tags": ["hide-input"]}`, as older
    /// versions of jupytext write it.
    fn of(line: &str) -> Option<Self> {
        let rest = line.strip_prefix('#')?;
        let rest = rest.strip_prefix(' ').unwrap_or(rest).strip_prefix("%%")?;
        // More signs are cells inside cells; they run as all others do.
        let rest = rest.trim_start_matches('%');
        // `# %%time` is a magic.
        if !rest.is_empty() && !rest.starts_with([' ', '\t', '[']) {
            return None;
        }
        Some(Self::behind(rest))
    }

    /// `# + tags=["hide-input"]` of a light script, and its like.
    pub(super) fn of_light(line: &str) -> Option<Self> {
        let rest = line.strip_prefix('#')?;
        let rest = rest.strip_prefix(' ').unwrap_or(rest).strip_prefix('+')?;
        (rest.is_empty() || rest.starts_with([' ', '\t'])).then(|| Self::behind(rest))
    }

    /// With its place in the file.
    pub(super) fn at(self, line: &Line<'_>) -> Self {
        Self { place: line.start..line.start + line.text.len() as u32, ..self }
    }

    /// The text behind the sign of a marker.
    fn behind(rest: &str) -> Self {
        let mut marker = Self::default();
        let mut text = rest.trim().to_owned();
        for (word, kind) in [
            ("[markdown]", CellKind::Markdown),
            ("[md]", CellKind::Markdown),
            ("[raw]", CellKind::Raw),
        ] {
            if let Some((before, after)) = text.split_once(word) {
                marker.kind = Some(kind);
                text = format!("{} {}", before.trim(), after.trim()).trim().to_owned();
                break;
            }
        }
        let (title, stated) = text.split_at(metadata_start(&text));
        marker.title = title.trim().to_owned();
        match metadata(stated) {
            Some(found) => marker.metadata = found,
            None if speaks_of_options(stated) => marker.unread = Some(stated.to_owned()),
            None => marker.title = text,
        }
        marker
    }
}

/// Offset of the first `key=` of a line, or of its JSON.
fn metadata_start(text: &str) -> usize {
    let equals = text.find('=').unwrap_or(text.len());
    let before = text.get(..equals).unwrap_or_default();
    if let Some(brace) = before.find('{') {
        return brace;
    }
    if equals == text.len() {
        return equals;
    }
    before.trim_end().rfind([' ', '\t']).map_or(0, |at| at + 1)
}

/// `key=value`, any number of times, or JSON. `None` when a value is none of JSON or Python.
fn metadata(text: &str) -> Option<Map<String, Value>> {
    if text.starts_with('{') {
        let (value, rest) = text.split_at(literal_end(text));
        let Value::Object(found) = literal(value)? else { return None };
        return rest.trim().is_empty().then_some(found);
    }
    let mut found = Map::new();
    let mut rest = text;
    while let Some((key, after)) = rest.split_once('=') {
        // Words before it have no value.
        let key = key.trim().rsplit([' ', '\t']).next().unwrap_or_default();
        let after = after.trim_start();
        let (value, next) = after.split_at(literal_end(after));
        front_matter::insert(&mut found, key.to_owned(), literal(value)?);
        rest = next;
    }
    Some(found)
}

/// The length of the literal that a text begins with.
fn literal_end(text: &str) -> usize {
    let (mut depth, mut quote, mut is_escaped) = (0usize, None, false);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(_), _) if is_escaped => is_escaped = false,
            (Some(_), '\\') => is_escaped = true,
            (Some(open), _) if c == open => {
                quote = None;
                if depth == 0 {
                    return at + 1;
                }
            }
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '(' | '{') => depth += 1,
            (None, ']' | ')' | '}') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            (None, _) if depth == 0 && c.is_whitespace() => return at,
            _ => {}
        }
    }
    text.len()
}

/// A value of JSON or of Python, whose lists and mappings are YAML as well.
fn literal(text: &str) -> Option<Value> {
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value);
    }
    match text {
        "True" => Some(Value::Bool(true)),
        "False" => Some(Value::Bool(false)),
        "None" => Some(Value::Null),
        _ if text.starts_with(['[', '{', '\'']) => {
            front_matter::parse(&format!("value: {text}")).ok()?.remove("value")
        }
        _ => None,
    }
}

/// Whether metadata that cannot be read may hide the cell: a title may have an equals sign, too.
fn speaks_of_options(text: &str) -> bool {
    let plain = text.replace('_', "-");
    let is_key = |key: &str| {
        text.match_indices(key).any(|(at, _)| {
            let after = text.get(at + key.len()..).unwrap_or_default();
            after.trim_start_matches(['"', '\'']).trim_start().starts_with(['=', ':'])
        })
    };
    ["remove-", "hide-", "skip-execution", "source-hidden"].iter().any(|it| plain.contains(it))
        || ["tags", "echo", "eval", "include"].into_iter().any(is_key)
}

/// The YAML comment that a script may start with, and the number of its lines.
fn header<'a>(mut lines: impl Iterator<Item = Line<'a>>) -> Option<(Map<String, Value>, usize)> {
    let text = |line: &Line<'_>| {
        let line = line.text.strip_prefix('#')?;
        Some(line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned())
    };
    let is_rule = |line: &Line<'_>| text(line).as_deref() == Some("---");
    let is_before = |line: &Line<'_>| {
        line.text.starts_with("#!") || line.text.trim().is_empty() || line.text.contains("coding")
    };
    let mut count = 1;
    let first = lines.by_ref().inspect(|_| count += 1).find(|it| !is_before(it))?;
    if !is_rule(&first) {
        return None;
    }
    let mut yaml = Vec::new();
    loop {
        let line = lines.next()?;
        if is_rule(&line) {
            break;
        }
        yaml.push(text(&line)?);
    }
    let text = yaml.join("\n");
    let values = match front_matter::parse(&text) {
        Ok(values) => values,
        Err(_) => Some(Execution::of_broken(&text)).filter(|it| !it.is_empty())?,
    };
    Some((values, count + yaml.len()))
}

/// Kinds of files that the header names as those of one notebook.
pub(super) fn paired_formats(text: &str) -> Vec<PairedFormat> {
    let (values, _) = header(lines(text, 0)).unwrap_or_default();
    // A script of another format is read otherwise than jupytext reads it.
    if !text.lines().any(|it| Marker::of(it).is_some()) && !is_light(&values) {
        return Vec::new();
    }
    super::formats_of(values.get("jupyter").and_then(|it| it.get("jupytext")))
}

/// Whether the header says that the script is in jupytext's light format.
fn is_light(values: &Map<String, Value>) -> bool {
    let jupytext = values.get("jupyter").and_then(|it| it.get("jupytext"));
    let name = jupytext.and_then(|it| it.get("text_representation")?.get("format_name")?.as_str());
    name == Some("light")
}

/// Reads a percent script, a light one, or one of Databricks.
pub(super) fn parse(
    sources: &Sources,
    id: SourceId,
    settings: &QuartoSettings,
) -> Parsed<Option<Notebook>> {
    let source = sources.get(id);
    let text = source.text();
    let front = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let all = || lines(text.get(front..).unwrap_or_default(), front as u32);
    let mut diagnostics = Vec::new();
    let (values, skip) = header(all()).unwrap_or_default();
    let spec = values.get("jupyter").and_then(|it| it.get("kernelspec"));
    let language = spec.and_then(|it| it.get("language")).and_then(Value::as_str);
    let mut notebook = Notebook {
        source: id,
        format: Format::Jupyter,
        title: values.get("title").and_then(scalar_text),
        about: About::of(&values),
        app: AppOptions::default(),
        script: script::find(text, id, &mut diagnostics),
        language: language.unwrap_or("python").to_ascii_lowercase(),
        widgets: None,
        cells: Vec::new(),
    };
    if notebook.language != "python" {
        let message =
            format!("the notebook is written in `{}`; nbc runs Python only", notebook.language);
        let span = Span::new(id, 0, 0);
        diagnostics.push(Diagnostic::warning(Code::OtherKernel, span, message));
    }
    let mut document = Document::new(settings, &values);
    // The script header is for tools, as the one of YAML above is.
    let header = notebook.script.as_ref().map(|it| it.span.start..it.span.end).unwrap_or_default();
    let rest = all().skip(skip).filter(|it| !header.contains(&it.start));
    let mut foreign = Vec::new();
    let cells = if light::is_databricks(text) {
        light::databricks(rest, id, &mut foreign)
    } else if is_light(&values) {
        light::light(rest)
    } else {
        marked(rest)
    };
    for cell in cells {
        push(cell, source, &mut document, &mut notebook, &mut diagnostics);
    }
    let dialect = Dialect::of(&document);
    let mut left_out = hiding::hide(&mut notebook.cells, &document, dialect);
    left_out.extend(foreign);
    diagnostics.extend(marks::findings(&notebook.cells, dialect, left_out));
    Parsed { value: Some(notebook), diagnostics }
}

/// Cells that begin with their markers.
fn marked<'a>(lines: impl Iterator<Item = Line<'a>>) -> Vec<light::Lines<'a>> {
    let mut cells = vec![light::Lines::default()];
    for line in lines {
        match (Marker::of(&line.text), cells.last_mut()) {
            (Some(marker), _) => cells.push((marker.at(&line), Vec::new())),
            (None, Some((_, own))) => own.push(line),
            (None, None) => {}
        }
    }
    cells
}

fn push(
    (mut marker, mut lines): light::Lines<'_>,
    source: &Source,
    document: &mut Document,
    notebook: &mut Notebook,
    diagnostics: &mut Vec<Diagnostic>,
) {
    while lines.last().is_some_and(|it| it.text.trim().is_empty()) {
        lines.pop();
    }
    let blank = lines.iter().take_while(|it| it.text.trim().is_empty()).count();
    lines.drain(..blank);
    let kind = marker.kind.unwrap_or(CellKind::Code);
    if lines.is_empty() {
        return;
    }
    if let Some(unread) = &marker.unread {
        let place = Span::new(source.id(), marker.place.start, marker.place.end);
        marker.metadata = unreadable(unread, place, diagnostics);
    }
    if kind != CellKind::Code {
        let lines = if marker.is_text { lines } else { uncommented(&lines) };
        let mut cell = prose(&lines, source);
        cell.kind = kind;
        tags(&marker.metadata, &mut cell.options);
        if notebook.cells.is_empty() {
            document.add_front_matter(&cell.code);
        }
        notebook.cells.push(cell);
        return;
    }
    let (code, origin) = assemble(&with_magics(lines), source);
    let mut options = CellOptions::default();
    tags(&marker.metadata, &mut options);
    let own = CodeOptions::of(&code);
    let execution = own.execution.or(&Execution::of_metadata(&marker.metadata));
    execution.decide(&document.execution, &mut options);
    let named_by = marker.metadata.get("name").and_then(scalar_text).or(own.label);
    let name = named_by.or_else(|| Some(marker.title).filter(|it| !it.is_empty()));
    let cell = Cell { name, options, ..empty(CellKind::Code, code, origin) };
    notebook.cells.push(if notebook.language == "python" {
        named(cell, jupyter::cell_names, diagnostics)
    } else {
        cell
    });
}

/// Prose is a string of its own, or a run of comments.
fn uncommented<'a>(lines: &[Line<'a>]) -> Vec<Line<'a>> {
    for quote in ["\"\"\"", "'''"] {
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else { break };
        let start = first.text.trim_start_matches(['r', 'R']);
        if start.starts_with(quote) && last.text.trim_end().ends_with(quote) {
            let mut own = lines.to_vec();
            if let Some(last) = own.last_mut() {
                let text = last.text.trim_end();
                let length = text.len() - quote.len();
                last.text.to_mut().truncate(length);
            }
            if let Some(first) = own.first_mut() {
                let cut = first.text.len().min(first.text.find(quote).unwrap_or(0) + quote.len());
                first.text.to_mut().drain(..cut);
                first.start += cut as u32;
            }
            return own;
        }
    }
    let strip = |line: &Line<'a>| {
        let mut line = line.clone();
        line.cut(usize::from(line.text.starts_with('#')));
        line.cut(usize::from(line.text.starts_with(' ')));
        line
    };
    lines.iter().map(strip).collect()
}

/// Gives back the magics that were commented out to keep the script plain Python.
fn with_magics(mut lines: Vec<Line<'_>>) -> Vec<Line<'_>> {
    let strip = |line: &mut Line<'_>| {
        let indent = line.text.len() - line.text.trim_start().len();
        let body = line.text.get(indent..).unwrap_or_default();
        let body = body.strip_prefix('#').unwrap_or(body);
        let body = body.strip_prefix(' ').unwrap_or(body);
        let cut = line.text.len() - indent - body.len();
        line.text.to_mut().drain(indent..indent + cut);
        line.start += cut as u32;
    };
    let first = lines.iter().position(|it| !it.text.trim().is_empty()).unwrap_or(0);
    let is_foreign = lines
        .get(first)
        .and_then(|it| magic(&it.text))
        .is_some_and(|it| crate::python::cell_magic(it).is_some_and(|magic| !magic.is_python));
    for (at, line) in lines.iter_mut().enumerate() {
        let is_comment = line.text.starts_with('#');
        if is_foreign && at >= first && is_comment || magic(&line.text).is_some() {
            strip(line);
        }
    }
    lines
}

/// `%matplotlib inline` of `# %matplotlib inline`, and its like.
pub(super) fn magic(line: &str) -> Option<&str> {
    let body = line.trim_start().strip_prefix('#')?;
    let body = body.strip_prefix(' ').unwrap_or(body);
    let name = body.strip_prefix("%%").or_else(|| body.strip_prefix(['%', '!']))?;
    let word: String =
        name.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let starts = word.starts_with(|c: char| c.is_ascii_alphabetic()) && word.len() > 1;
    // `# %s items` in a comment is no magic.
    let ends = name.get(word.len()..).is_some_and(|it| it.is_empty() || it.starts_with(' '));
    (starts && (ends || body.starts_with('!'))).then_some(body)
}
