//! Markdown notebooks as marimo reads them: `.md`, `.qmd` and MyST with marimo cells.
//!
//! In: the text of a file. Out: its cells in document order, prose as Markdown cells. The fences are
//! found as `pymdownx.superfences` finds them, because marimo uses that; [`super::literate`] reads
//! the documents whose cells are not marimo's.

use std::borrow::Cow;
use std::ops::Range;

use crate::diagnostic::{Code, Diagnostic, Parsed};
use crate::python::{self, CellNames, Mode};
use crate::source::{Source, SourceId, Sources, Span};

use super::execution::Execution;
use super::front_matter::{self, scalar_text};
use super::hiding::{self, Dialect};
use super::line::{Line, lines};
use super::quarto::Document;
use super::{
    About, AppOptions, Cell, CellCode, CellKind, CellOptions, CodeVisibility, Format, Notebook,
    Origin, QuartoSettings, ScriptMetadata, literate, script, yaml_blocks,
};

/// Front matter, and the lines after it.
pub(super) struct Head<'a> {
    /// Its values; empty when there is none.
    pub values: serde_json::Map<String, serde_json::Value>,
    /// Its position.
    pub span: Span,
    /// The text after it.
    text: &'a str,
    /// Offset of that text in the file.
    start: u32,
}

impl<'a> Head<'a> {
    /// Adds the values of later blocks of YAML. Gives their places in the file.
    pub fn add_blocks(&mut self, diagnostics: &mut Vec<Diagnostic>) -> Vec<Range<u32>> {
        let mut places = Vec::new();
        for block in yaml_blocks::find(self.text) {
            let place = self.start + block.place.start as u32..self.start + block.place.end as u32;
            if block.is_broken {
                let span = Span::new(self.span.source, place.start, place.end);
                let message = "the block is not valid YAML: no code is shown, or none is run";
                diagnostics.push(Diagnostic::warning(Code::InvalidFrontMatter, span, message));
            }
            for (key, value) in block.values {
                front_matter::insert(&mut self.values, key, value);
            }
            places.push(place);
        }
        places
    }

    /// The lines after the front matter: made when asked for, because they take more memory than
    /// their text.
    pub fn body(&self) -> impl Iterator<Item = Line<'a>> + use<'a> {
        lines(self.text, self.start)
    }
}

/// Splits a text into front matter and body; front matter that is no YAML is a finding.
pub(super) fn head<'a>(
    text: &'a str,
    source: SourceId,
    code: Code,
    diagnostics: &mut Vec<Diagnostic>,
) -> Head<'a> {
    let front = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let text = text.get(front..).unwrap_or_default();
    let start = front as u32;
    let is_rule = |line: &Line<'_>| line.text.trim_end() == "---";
    let mut rest = lines(text, start);
    let mut yaml = Vec::new();
    let first = rest.find(|it| !it.text.trim().is_empty());
    let end = first.filter(is_rule).and_then(|_| {
        rest.find(|it| {
            yaml.push(it.clone());
            yaml_blocks::is_end(&it.text)
        })
    });
    // The last line of a file has no break, and a rule without one ends nothing.
    let (Some(end), Some(next)) = (end, rest.next()) else {
        let span = Span::new(source, 0, 0);
        return Head { values: serde_json::Map::new(), span, text, start };
    };
    let span = Span::new(source, start, end.start + end.text.len() as u32);
    yaml.pop();
    let yaml = joined(&yaml);
    let values = front_matter::parse(&yaml).unwrap_or_else(|reason| {
        let off = Execution::of_broken(&yaml);
        let message = format!("the front matter is not valid YAML and is ignored: {reason}");
        let found = Diagnostic::warning(code, span, message);
        let help =
            "it speaks of `echo` or `eval`: until it can be read, no code is shown, or none is run";
        diagnostics.push(if off.is_empty() { found } else { found.with_help(help) });
        off
    });
    let first = std::iter::once(next).chain(rest).find(|it| !it.text.is_empty());
    let start = first.map_or(start + text.len() as u32, |it| it.start);
    let text = text.get(start as usize - front..).unwrap_or_default();
    Head { values, span, text, start }
}

fn joined(lines: &[Line<'_>]) -> String {
    lines.iter().map(|it| &*it.text).collect::<Vec<_>>().join("\n")
}

/// Code or prose made of lines, with the place of each.
pub(super) fn assemble(lines: &[Line<'_>], source: &Source) -> (CellCode, Origin) {
    let mut text = String::new();
    let mut places = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        places.extend(line.places(text.len()));
        text.push_str(&line.text);
    }
    let origin = Origin::places(source.id(), places);
    (CellCode::of(text, &origin, source), origin)
}

/// A cell of prose, without the blank lines around it.
pub(super) fn prose(lines: &[Line<'_>], source: &Source) -> Cell {
    let is_blank = |it: &Line<'_>| it.text.trim().is_empty();
    let from = lines.iter().position(|it| !is_blank(it)).unwrap_or(lines.len());
    let to = lines.iter().rposition(|it| !is_blank(it)).map_or(from, |it| it + 1);
    let mut kept = lines.get(from..to).unwrap_or_default().to_vec();
    if let Some(first) = kept.first_mut() {
        let text = first.text.trim_start();
        first.start += (first.text.len() - text.len()) as u32;
        first.text = text.to_owned().into();
    }
    if let Some(last) = kept.last_mut() {
        last.text = last.text.trim_end().to_owned().into();
    }
    let (code, origin) = assemble(&kept, source);
    empty(CellKind::Markdown, code, origin)
}

/// A cell of which only the text is known.
pub(super) fn empty(kind: CellKind, code: CellCode, origin: Origin) -> Cell {
    Cell {
        kind,
        name: None,
        code,
        origin,
        options: CellOptions::default(),
        names: CellNames::none(),
        stored_outputs: None,
        execution_count: None,
        attachments: None,
    }
}

/// Whether a Markdown text looks like a notebook: folders are walked with it.
pub(super) fn is_notebook(text: &str) -> bool {
    let start = text.trim_start_matches('\u{feff}');
    let mut diagnostics = Vec::new();
    let mut sources = Sources::default();
    if !start.contains("marimo") {
        return false;
    }
    let source = sources.add("".into(), None, String::new());
    let head = head(start, source, Code::InvalidFrontMatter, &mut diagnostics);
    is_marimo(&head)
}

/// Kinds of files that the front matter names as those of one notebook.
pub(super) fn paired_formats(text: &str) -> Vec<super::PairedFormat> {
    let (mut sources, mut diagnostics) = (Sources::default(), Vec::new());
    let source = sources.add("".into(), None, String::new());
    let head = head(text, source, Code::InvalidFrontMatter, &mut diagnostics);
    let nested = head.values.get("jupyter").and_then(|it| it.get("jupytext"));
    super::formats_of(nested.or_else(|| head.values.get("jupytext")))
}

/// Whether a document says that its cells are marimo's.
fn is_marimo(head: &Head<'_>) -> bool {
    let names_marimo = |value: &serde_json::Value| {
        let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        items.iter().filter_map(serde_json::Value::as_str).any(|it| it.contains("marimo"))
    };
    head.values.contains_key("marimo-version")
        || ["engine", "filters"].iter().any(|it| head.values.get(*it).is_some_and(names_marimo))
        || head.text.contains("marimo")
            && fences(&normalized(&head.body().collect::<Vec<_>>()).0).iter().any(|it| {
                it.is_cell
                    && it.header.trim_start().trim_start_matches(['`', '~']).contains("marimo")
            })
}

/// Reads a Markdown notebook; `None` when the file is not one.
pub(super) fn parse(
    sources: &Sources,
    id: SourceId,
    settings: &QuartoSettings,
) -> Parsed<Option<Notebook>> {
    let source = sources.get(id);
    let path = source.path();
    let mut diagnostics = Vec::new();
    let head = head(source.text(), id, Code::InvalidFrontMatter, &mut diagnostics);
    let is_quarto = path.extension().is_some_and(|it| it.eq_ignore_ascii_case("qmd"));
    if !is_marimo(&head) && (is_quarto || literate::is_document(&head)) {
        let dialect = if is_quarto { Dialect::Quarto } else { Dialect::Myst };
        return literate::parse(source, head, settings, dialect, diagnostics);
    }
    let lines: Vec<Line<'_>> = head.body().collect();
    let (body, config) = normalized(&lines);
    let fences = fences(&body);
    if !head.values.contains_key("marimo-version") && !fences.iter().any(|it| it.is_cell) {
        let span = Span::new(id, 0, 0);
        let message =
            "a Markdown file without cells, such as ```` ```python {.marimo} ````, is no notebook";
        diagnostics.push(Diagnostic::error(Code::NotANotebook, span, message));
        return Parsed { value: None, diagnostics };
    }
    let mut values = head.values;
    for (key, value) in config {
        if ["header", "pyproject", "width"].contains(&key.as_str()) && value.is_string() {
            values.insert(key, value);
        }
    }
    let mut notebook = Notebook {
        source: id,
        format: Format::Marimo,
        title: values.get("title").or_else(|| values.get("app_title")).and_then(scalar_text),
        about: About::of(&values),
        app: AppOptions::default(),
        script: script_of(&values, head.span, &mut diagnostics),
        language: "python".to_owned(),
        widgets: None,
        cells: Vec::new(),
    };
    app_options(&values, head.span, &mut notebook.app, &mut diagnostics);
    let mut prose_start = 0;
    let mut prose_lines: Vec<Line<'_>> = Vec::new();
    for fence in fences.iter().filter(|it| it.is_cell) {
        prose_lines.extend_from_slice(body.get(prose_start..fence.first).unwrap_or_default());
        split_prose(&mut prose_lines, source, &mut notebook.cells);
        prose_start = fence.last + 1;
        let cell = code_cell(fence, &body, source, &mut diagnostics);
        notebook.cells.push(cell);
    }
    prose_lines.extend_from_slice(body.get(prose_start..).unwrap_or_default());
    split_prose(&mut prose_lines, source, &mut notebook.cells);
    let document = Document::new(settings, &values);
    hiding::hide(&mut notebook.cells, &document, Dialect::Marimo);
    Parsed { value: Some(notebook), diagnostics }
}

/// marimo's `<!---->` ends a cell of prose.
fn split_prose(lines: &mut Vec<Line<'_>>, source: &Source, cells: &mut Vec<Cell>) {
    for part in lines.split(|it| it.text.trim() == "<!---->") {
        let mut part = part;
        if let [rest @ .., last] = part
            && last.text.trim().is_empty()
        {
            part = rest;
        }
        if !part.is_empty() {
            cells.push(prose(part, source));
        }
    }
    lines.clear();
}

fn app_options(
    values: &serde_json::Map<String, serde_json::Value>,
    span: Span,
    app: &mut AppOptions,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for (key, slot) in [
        ("width", &mut app.width),
        ("css_file", &mut app.css_file),
        ("layout_file", &mut app.layout_file),
        ("sql_output", &mut app.sql_output),
    ] {
        *slot = values.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
    }
    if values
        .get("html_head_file")
        .and_then(serde_json::Value::as_str)
        .is_some_and(|it| !it.is_empty())
    {
        let message = "`html_head_file` is refused: a notebook cannot write into the page's head";
        diagnostics.push(
            Diagnostic::error(Code::RefusedOption, span, message)
                .with_help("remove the option; use `css_file` for styles"),
        );
    }
}

/// `pyproject` holds the TOML of a script header, `header` the comments of a Python file.
fn script_of(
    values: &serde_json::Map<String, serde_json::Value>,
    span: Span,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<ScriptMetadata> {
    let text = |key: &str| values.get(key).and_then(serde_json::Value::as_str);
    let from = diagnostics.len();
    let found = match (text("pyproject"), text("header")) {
        (Some(toml), _) => script::read(toml, span, diagnostics),
        (None, Some(header)) => script::find(header, span.source, diagnostics),
        (None, None) => None,
    };
    // Offsets in a YAML string are none of the file.
    for diagnostic in diagnostics.iter_mut().skip(from) {
        diagnostic.span = span;
        diagnostic.labels.clear();
    }
    found.map(|it| ScriptMetadata { span, ..it })
}

/// A fenced block.
#[derive(Debug)]
struct Fence {
    /// Its first and its last line.
    first: usize,
    last: usize,
    /// The first line.
    header: String,
    /// Whether marimo takes it for a cell.
    is_cell: bool,
}

/// The text after the opening backticks, parsed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Info<'a> {
    language: Option<&'a str>,
    attributes: Option<&'a str>,
}

/// Splits the first line of a fence, without the characters before it, as superfences does;
/// `None` when it starts no fence.
fn info(line: &str) -> Option<(&str, Info<'_>)> {
    let mark = line.chars().next().filter(|it| ['`', '~'].contains(it))?;
    let length = line.len() - line.trim_start_matches(mark).len();
    if length < 3 {
        return None;
    }
    let (fence, rest) = line.split_at(length);
    let space = [' ', '\t'];
    let mut info = Info::default();
    let mut rest = rest.trim_matches(space);
    let word = rest.split(space).next().unwrap_or_default();
    let plain = word.strip_prefix('.').unwrap_or(word);
    let is_language = |c: char| c.is_alphanumeric() || "_#.+-".contains(c);
    if !plain.is_empty() && plain.chars().all(is_language) {
        info.language = Some(plain);
        rest = rest.get(word.len()..).unwrap_or_default().trim_start_matches(space);
    }
    if let Some(attributes) = rest.strip_prefix('{').and_then(|it| it.strip_suffix('}')) {
        info.attributes = Some(attributes);
        return Some((fence, info));
    }
    // Options of the highlighter may stand there, and nothing else.
    let known = ["hl_lines=", "linenums=", "title="];
    let are_options = rest.is_empty() || known.iter().any(|it| rest.starts_with(it));
    are_options.then_some((fence, info))
}

/// All fenced blocks, from top to bottom.
fn fences(lines: &[Line<'_>]) -> Vec<Fence> {
    struct Open<'a> {
        first: usize,
        fence: &'a str,
        indent: usize,
    }
    let mut found = Vec::new();
    let mut open: Option<Open<'_>> = None;
    for (at, line) in lines.iter().enumerate() {
        let Some(block) = &mut open else {
            let text = line.text.trim_start_matches([' ', '\t']);
            if let Some((fence, _)) = info(text) {
                let indent =
                    expand(line.text.get(..line.text.len() - text.len()).unwrap_or_default());
                open = Some(Open { first: at, fence, indent: indent.len() });
            }
            continue;
        };
        let expanded_line = line.expanded();
        let expanded = &*expanded_line.text;
        let indent = expanded.len() - expanded.trim_start_matches(' ').len();
        let content = expanded.get(block.indent.min(indent)..).unwrap_or_default();
        if expanded.trim().is_empty() {
            continue;
        }
        if indent < block.indent {
            open = None;
        } else if content.trim_end() == block.fence {
            let header = lines.get(block.first).map(|it| expand(&it.text)).unwrap_or_default();
            let is_cell = is_cell(&header);
            found.push(Fence { first: block.first, last: at, header, is_cell });
            open = None;
        }
    }
    found
}

fn expand(text: &str) -> String {
    Line::new(text, 0).expanded().text.into_owned()
}

/// Whether braces on the first line name one of marimo's languages.
fn is_cell(header: &str) -> bool {
    let inner = header.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}'));
    inner.is_some_and(|(inner, _)| ["python", "sql", "marimo"].iter().any(|it| inner.contains(it)))
}

fn language<'a>(info: &Info<'a>) -> &'a str {
    if let Some(language) = info.language {
        return language;
    }
    let words =
        || info.attributes.unwrap_or_default().split(|c: char| c == '.' || c.is_whitespace());
    ["python", "sql", "markdown"]
        .into_iter()
        .find(|it| words().any(|word| word == *it))
        .unwrap_or("python")
}

/// `key="value"` in any order.
fn attributes(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("=\"") {
        let Some((value, next)) = after.split_once('"') else { break };
        let is_word = |c: &char| c.is_alphanumeric() || *c == '_';
        let key: String = before.chars().rev().take_while(is_word).collect();
        if key.is_empty() {
            rest = after;
            continue;
        }
        found.push((key.chars().rev().collect(), unescaped(value)));
        rest = next;
    }
    found
}

fn unescaped(value: &str) -> String {
    let entities =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&amp;", "&")];
    entities.iter().fold(value.to_owned(), |text, (entity, plain)| text.replace(entity, plain))
}

fn code_cell(
    fence: &Fence,
    body: &[Line<'_>],
    source: &Source,
    diagnostics: &mut Vec<Diagnostic>,
) -> Cell {
    // marimo matches from the start of the line: an indented fence has no attributes.
    let (_, info) = info(&fence.header).unwrap_or_default();
    let mut options = CellOptions::default();
    let (mut name, mut query, mut engine, mut hide_output) = (None, "_df".to_owned(), None, false);
    let inside = body.get(fence.first + 1..fence.last).unwrap_or_default().iter();
    let lines: Vec<_> = inside.map(Line::expanded).collect();
    let start = lines.first().map_or(0, |it| it.start);
    for (key, value) in attributes(info.attributes.unwrap_or_default()) {
        match key.as_str() {
            "name" => name = Some(value).filter(|it| it != "_"),
            "hide_code" if value == "true" => options.code = Some(CodeVisibility::Hidden),
            "disabled" => options.disabled = value == "true",
            "column" => match value.parse() {
                Ok(column) => options.column = Some(column),
                Err(_) => {
                    let message = format!("`column` is no number and is ignored: `{value}`");
                    let span = Span::new(source.id(), start, start);
                    diagnostics.push(Diagnostic::warning(Code::IgnoredOption, span, message));
                }
            },
            "query" => query = value,
            "engine" => engine = Some(value).filter(|it| !it.is_empty()),
            "hide_output" => hide_output = value.eq_ignore_ascii_case("true"),
            _ => {}
        }
    }
    let lines = if language(&info) == "sql" {
        sql(lines, &query, engine.as_deref(), hide_output, start)
    } else {
        lines
    };
    let (code, origin) = assemble(&lines, source);
    let cell = Cell { name, options, ..empty(CellKind::Code, code, origin) };
    named(cell, |code| python::names(code, Mode::Python), diagnostics)
}

/// The call that marimo makes of a SQL cell.
fn sql<'a>(
    code: Vec<Line<'a>>,
    query: &str,
    engine: Option<&str>,
    hide_output: bool,
    start: u32,
) -> Vec<Line<'a>> {
    let made = |text: String| Line::made(text, start);
    let mut lines = vec![made(format!("{query} = mo.sql(")), made("    f\"\"\"".to_owned())];
    let own = if code.is_empty() { vec![made(String::new())] } else { code };
    lines.extend(
        own.into_iter().map(|it| if it.text.trim().is_empty() { it } else { it.after("    ") }),
    );
    let mut end = vec!["    \"\"\"".to_owned()];
    end.extend(hide_output.then(|| "    output=False".to_owned()));
    end.extend(engine.map(|it| format!("    engine={it}")));
    let last = end.len() - 1;
    lines.extend(
        end.into_iter()
            .enumerate()
            .map(|(at, it)| made(if at < last { format!("{it},") } else { it })),
    );
    lines.push(made(")".to_owned()));
    lines
}

/// Adds names to a cell of code; one that does not parse is set apart.
pub(super) fn named(
    mut cell: Cell,
    names: impl Fn(&str) -> Result<python::Names, Vec<python::SyntaxError>>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Cell {
    match names(&cell.code) {
        Ok(found) => {
            let names = CellNames::new(found, |range| cell.span(range.start, range.end));
            cell.names = names.into();
        }
        // The author expects a failure, or does not want the cell to run.
        Err(_) if cell.options.raises_exception || cell.options.skip_execution => {}
        Err(errors) => {
            // Later errors are often consequences of the first.
            for error in errors.iter().take(1) {
                let span = cell.span(error.range.start, error.range.end);
                diagnostics.push(super::syntax_diagnostic(error, span));
            }
            cell.kind = CellKind::Unparsable;
        }
    }
    cell
}

/// Rewrites MyST directives (```` ```{marimo} python ````) to marimo's own fences; also returns what
/// `{marimo-config}` says.
fn normalized<'s, 'a>(
    lines: &'s [Line<'a>],
) -> (Cow<'s, [Line<'a>]>, serde_json::Map<String, serde_json::Value>) {
    let mut config = serde_json::Map::new();
    if !lines.iter().any(|it| it.text.contains("{marimo")) {
        return (Cow::Borrowed(lines), config);
    }
    let mut normal = Vec::with_capacity(lines.len());
    let mut has_directive = false;
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let Some((fence, info)) = myst_header(&line.text) else {
            normal.push(line.clone());
            at += 1;
            continue;
        };
        let is_end = |it: &Line<'_>| {
            let text = it.text.trim();
            text.len() >= fence.len() && text.bytes().all(|it| it == b'`')
        };
        let rest = lines.get(at + 1..).unwrap_or_default();
        let Some(length) = rest.iter().position(is_end) else {
            normal.extend_from_slice(lines.get(at..).unwrap_or_default());
            break;
        };
        let inner = rest.get(..length).unwrap_or_default();
        let next = at + length + 2;
        match info.strip_prefix("{marimo}").map(str::trim) {
            Some(language)
                if language.chars().all(|c| c.is_alphanumeric() || c == '_')
                    && info.get(8..).is_some_and(|it| {
                        language.is_empty() || it.starts_with(char::is_whitespace)
                    }) =>
            {
                has_directive = true;
                let (options, body) = directive_options(inner);
                let language = if language.is_empty() { "python" } else { language };
                let text = format!("{fence}{language} {{.marimo{options}}}");
                normal.push(Line::made(text, line.start));
                normal.extend_from_slice(body);
                let end = lines.get(next - 1).map_or(line.start, |it| it.start);
                normal.push(Line::made(fence.to_owned(), end));
            }
            _ if info == "{marimo-config}" => {
                has_directive = true;
                let inner = match inner.split_first() {
                    Some((first, rest)) if first.text == "---" => {
                        let end = rest.iter().position(|it| it.text == "---");
                        rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
                    }
                    _ => inner,
                };
                config.extend(front_matter::parse(&joined(inner)).unwrap_or_default());
            }
            _ => normal.extend_from_slice(lines.get(at..next).unwrap_or_default()),
        }
        at = next;
    }
    (if has_directive { Cow::Owned(normal) } else { Cow::Borrowed(lines) }, config)
}

/// Backticks at most three spaces in, and what follows them.
fn myst_header(line: &str) -> Option<(&str, &str)> {
    let text = line.trim_start_matches(' ');
    let length = text.len() - text.trim_start_matches('`').len();
    (length >= 3 && line.len() - text.len() <= 3)
        .then(|| text.split_at(length))
        .map(|(fence, info)| (fence, info.trim_end()))
}

/// The `:key: value` lines of a directive as attributes, and the lines after them.
pub(super) fn directive_options<'s, 'a>(lines: &'s [Line<'a>]) -> (String, &'s [Line<'a>]) {
    let mut options = String::new();
    let mut from = 0;
    for line in lines {
        let Some((key, value)) = directive_option(&line.text) else { break };
        let value = if value.is_empty() { "true" } else { value };
        let escaped = value.replace('&', "&amp;").replace('"', "&quot;");
        let escaped = escaped.replace('<', "&lt;").replace('>', "&gt;");
        options.push_str(&format!(" {}=\"{escaped}\"", key.replace('-', "_")));
        from += 1;
    }
    if from > 0 && lines.get(from).is_some_and(|it| it.text.is_empty()) {
        from += 1;
    }
    (options, lines.get(from..).unwrap_or_default())
}

/// `:key: value`.
pub(super) fn directive_option(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.strip_prefix(':')?.split_once(':')?;
    let is_key = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    let is_option = !key.is_empty()
        && key.chars().all(is_key)
        && (value.is_empty() || value.starts_with(char::is_whitespace));
    is_option.then(|| (key, value.trim_start()))
}
