//! One notebook and its run to a [`Document`]: phase 7 applied cell by cell.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;

use super::clearance::Cleared;
use super::left_out;
use super::links::{self, Anchors, Origin, Pages};
use super::offered;
use super::options::PageOptions;
use crate::charts::{Chart, Runtime};
use crate::diagnostic::{self, Code, Diagnostic, Parsed};
use crate::graph::{CellGraph, picture};
use crate::notebook::{Cell, CellId, CellKind, CodeVisibility, Format, Notebook};
use crate::output::{
    self, Heading, Interactivity, OutputKind, OutputPosition, RenderedCell, RenderedOutput,
};
use crate::process::Limits;
use crate::python::{self, Mode, TokenKind};
use crate::render::{Block, CodeBlock, Document, DrawnGraph, NodeLabel};
use crate::run::RunRecord;
use crate::run::hidden::{self, HiddenName};
use crate::run::record::{CellError, CellRun, CellStatus, MimeBundle, RawOutput};
use crate::sanitize::{self, SafeCss, SafeHtml};
use crate::site::SitePath;
use crate::source::{SourceId, Span};
use crate::states::{self, States};
use crate::verify;

/// Longest description in characters: what search engines show.
const DESCRIPTION_LENGTH: usize = 160;

/// Lays out what a reader sees of a notebook.
pub fn document(
    notebook: &Notebook,
    graph: &CellGraph,
    record: &Cleared<RunRecord>,
    origin: Origin<'_>,
    options: &PageOptions,
    interactivity: &Interactivity,
) -> Parsed<Unlinked> {
    let record = record.get();
    let file_name = &diagnostic::straight(origin.notebook.file_name().unwrap_or("notebook"));
    let states = states::compile(notebook, record, &options.shown, interactivity);
    let live = states.value.as_ref().map(States::live).unwrap_or_default();
    let has_live = !live.is_empty();
    let chosen = states.value.as_ref().map(States::chosen).unwrap_or_default();
    let interactivity = &Interactivity { widgets: live, chosen, ..interactivity.clone() };
    let first = |id: CellId| match states.value.as_ref().and_then(|it| it.first(id)) {
        Some(chosen) => chosen,
        None => record.cells.get(&id),
    };
    let mut diagnostics = Vec::new();
    let mut outline: Vec<Heading> = Vec::new();
    let mut title_cell = None;
    let (mut blocks, mut spans) = (Vec::new(), Vec::new());
    let laid_out = |(id, cell): &(CellId, &Cell)| {
        let scope = format!("c{}", id.0 + 1);
        let place = OutputPosition { span: cell.head(), scope: &scope };
        let code = code_block(cell, notebook.format, options.code);
        let parsed = if cell.kind == CellKind::Markdown {
            let none = serde_json::Map::new();
            let attachments = cell.attachments.as_deref().unwrap_or(&none);
            let Parsed { value: prose, diagnostics } =
                output::markdown(&cell.code, attachments, &place);
            let mut rendered = RenderedCell { headings: prose.headings, ..RenderedCell::default() };
            if !cell.code.is_empty() {
                rendered.outputs.push(prose.output);
            }
            Parsed { value: rendered, diagnostics }
        } else if let Some(run) = raw(cell) {
            output::cell(&run, &place, &options.shown, interactivity)
        } else if let Some(run) = first(*id)
            && !cell.options.hide_output
        {
            let is_state = states.value.as_ref().is_some_and(|it| it.first(*id).is_some());
            let interactivity = &Interactivity { is_state, ..interactivity.clone() };
            output::cell(run, &place, &options.shown, interactivity)
        } else {
            Parsed { value: RenderedCell::default(), diagnostics: Vec::new() }
        };
        (code, parsed)
    };
    let cells: Vec<_> = notebook.cells().filter(|(_, it)| !it.options.hide_cell).collect();
    let laid_out: Vec<_> = output::on_big_stack(|| cells.par_iter().map(laid_out).collect());
    for ((id, cell), (code, parsed)) in cells.into_iter().zip(laid_out) {
        let number = id.0 + 1;
        diagnostics.extend(parsed.diagnostics);
        let RenderedCell { outputs, headings, charts, .. } = parsed.value;
        outline.extend(headings);
        if title_cell.is_none() && outline.iter().any(|it| it.level == 1) {
            title_cell = Some(blocks.len() + 1);
        }
        let has_slot = states.value.as_ref().is_some_and(|it| it.has_slot(id));
        if code.is_none() && outputs.is_empty() && !has_slot {
            continue;
        }
        let slot = has_slot.then_some(number);
        let kind = if is_prose(cell) { "prose" } else { "code" };
        let name = cell.name.as_deref().map(diagnostic::straight);
        spans.push(cell.head());
        blocks.push(Block {
            id: format!("cell-{number}"),
            kind,
            name,
            code,
            slot,
            outputs,
            charts,
        });
    }
    for heading in &mut outline {
        heading.text = diagnostic::straight(&heading.text);
    }
    let first_heading = outline.iter().find(|it| it.level == 1).map(|it| it.text.clone());
    let (title, about) = options.about(notebook, origin.notebook);
    let title_cell = title_cell.unwrap_or_default();
    let title = title
        .or_else(|| notebook.title.clone())
        .filter(|it| !it.trim().is_empty())
        .or_else(|| first_heading.clone())
        .unwrap_or_else(|| title_of(file_name));
    let mut notes = Vec::new();
    let known: BTreeSet<(Code, Span, String)> =
        diagnostics.iter().map(|it| (it.code, it.span, it.message.clone())).collect();
    let of_states = states.diagnostics.into_iter();
    diagnostics
        .extend(of_states.filter(|it| !known.contains(&(it.code, it.span, it.message.clone()))));
    if diagnostics.iter().any(|it| it.code == Code::StaticWidget) {
        let which = if has_live { "Some controls" } else { "The controls" };
        notes.push(format!(
            "{which} on this page show the values that it was built with; they do not react."
        ));
    }
    let document = Document {
        path: origin.page.clone(),
        title: diagnostic::straight(&title),
        title_cell,
        print_title: first_heading.is_none(),
        print_description: about.description.is_some(),
        description: about
            .description
            .or_else(|| description(&blocks))
            .map(|it| diagnostic::straight(&it)),
        authors: about.authors.iter().map(|it| diagnostic::straight(it)).collect(),
        date: about.date.map(|it| diagnostic::straight(&it)),
        language: about.language.unwrap_or_else(|| "en".to_owned()),
        source: None,
        file_name: file_name.to_owned(),
        width: notebook
            .app
            .width
            .clone()
            .filter(|it| ["medium", "full", "columns"].contains(&it.as_str())),
        notes,
        outline,
        graph: options.show_graph.then(|| drawn(notebook, graph, &blocks)).flatten(),
        blocks,
        runtimes: Vec::new(),
        states: states.value.map(Arc::new),
    };
    let notebook = origin.notebook.to_owned();
    Parsed { value: Unlinked { document, notebook, spans }, diagnostics }
}

/// A document whose links are still those of the notebook.
#[derive(Debug)]
pub struct Unlinked {
    document: Document,
    /// The notebook, relative to what is built.
    notebook: Utf8PathBuf,
    /// The cell of each block.
    spans: Vec<Span>,
}

impl Unlinked {
    /// Resolves the links, once it is known which pages the site will have.
    pub fn link(mut self, pages: &Pages) -> Parsed<Document> {
        let mut diagnostics = Vec::new();
        let origin = Origin { page: &self.document.path, notebook: &self.notebook };
        let anchors = Anchors::new(&self.document.outline);
        let mut places: BTreeMap<String, (Span, Vec<&mut RenderedOutput>)> = BTreeMap::new();
        for (block, span) in self.document.blocks.iter_mut().zip(self.spans) {
            places.insert(block.id.clone(), (span, block.outputs.iter_mut().collect()));
        }
        let states = self.document.states.as_mut().map(Arc::make_mut);
        for content in states.into_iter().flat_map(States::contents_mut) {
            if let Some((_, outputs)) = places.get_mut(&format!("cell-{}", content.cell.0 + 1)) {
                outputs.extend(&mut content.outputs);
            }
        }
        let places: Vec<_> = places.into_values().collect();
        let looked_at = |(span, outputs): (Span, Vec<&mut RenderedOutput>)| {
            let (mut broken, mut refused) = (BTreeSet::new(), BTreeSet::new());
            for output in outputs {
                broken.extend(links::resolve(output, &anchors, origin, pages));
                refused.extend(refuse(output));
            }
            (span, broken, refused)
        };
        let looked_at: Vec<_> = places.into_par_iter().map(looked_at).collect();
        for (span, broken, refused) in looked_at {
            for reason in refused {
                let message = format!("an output cannot be shown: {reason}");
                diagnostics.push(Diagnostic::warning(Code::RefusedOutput, span, message));
            }
            if !broken.is_empty() {
                let broken = broken.into_iter().collect::<Vec<_>>();
                let message = format!("no page of the site is at `{}`", broken.join("`, `"));
                diagnostics.push(
                    Diagnostic::warning(Code::BrokenLink, span, message).with_help(
                        "the text stays, the link goes; link to other files with `https:`",
                    ),
                );
            }
        }
        // A refused output has no place for its charts.
        for block in &mut self.document.blocks {
            output::keep_placed(&mut block.charts, &block.outputs);
        }
        let states = self.document.states.as_mut().map(Arc::make_mut);
        for content in states.into_iter().flat_map(States::contents_mut) {
            output::keep_placed(&mut content.charts, &content.outputs);
        }
        Parsed { value: self.document, diagnostics }
    }

    /// Offers the notebook to readers, if the options say so. Tells of files that readers do not get, and of code that
    /// they get although the page hides it.
    pub fn offer_source(
        &mut self,
        text: &str,
        source: SourceId,
        options: &PageOptions,
    ) -> Vec<Diagnostic> {
        if !options.offers_source(&self.notebook) {
            return Vec::new();
        }
        let span = Span::new(source, 0, 0);
        let offered = offered::without_outputs(text);
        let mut told: Vec<Diagnostic> = offered.finding(span).into_iter().collect();
        if options.code == CodeVisibility::Hidden {
            let message = "the page hides the code, and offers the notebook with all of it";
            let help = "leave out `--include-source` and `source` of `[page]`, or show the code";
            told.push(Diagnostic::warning(Code::OfferedCode, span, message).with_help(help));
        }
        self.document.source = Some(offered.bytes);
        told
    }

    /// Charts that a runtime is to draw.
    pub fn charts(&self) -> impl Iterator<Item = &Chart> {
        let states = self.document.states.as_deref().map(States::contents).unwrap_or_default();
        let of_states = states.iter().flat_map(|it| &it.charts);
        let of_page = self.document.blocks.iter().flat_map(|it| &it.charts);
        of_page.chain(of_states).map(|it| &it.chart)
    }

    /// Gives the charts what draws them.
    pub fn draw_with(&mut self, runtimes: Vec<Arc<Runtime>>) {
        self.document.runtimes = runtimes;
    }

    /// The notebook and its page.
    pub fn place(&self) -> (&Utf8Path, &SitePath) {
        (&self.notebook, &self.document.path)
    }

    /// The shown part of each cell, and its place.
    pub fn blocks(&self) -> impl Iterator<Item = (&Block, Span)> {
        self.document.blocks.iter().zip(self.spans.iter().copied())
    }

    /// The document, its links not yet resolved.
    pub fn document(&self) -> &Document {
        &self.document
    }
}

/// Markup with the beginnings of its pictures' data only, which the sanitizer looked at digit by digit. The page is
/// verified as a whole; this only tells beforehand which output would fail it.
fn without_data(html: &str) -> Cow<'_, str> {
    const MARK: &[u8] = b" src=\"data:image/";
    const KEPT: usize = 256;
    if html.len() < 16 * KEPT {
        return Cow::Borrowed(html);
    }
    let bytes = html.as_bytes();
    let (mut short, mut from) = (String::new(), 0);
    for at in memchr::memmem::find_iter(bytes, MARK) {
        let start = at + MARK.len() + KEPT;
        let end = bytes.get(start..).and_then(|it| Some(start + memchr::memchr(b'"', it)?));
        // Text may hold the mark as well; what is cut there is no address, and stays.
        if let Some(end) = end.filter(|end| start >= from && end - start > KEPT)
            && let (Some(kept), Some(data)) = (html.get(from..start), html.get(start..end))
            && sanitize::bytes::are_base64(data.as_bytes())
        {
            short.push_str(kept);
            from = end;
        }
    }
    if from == 0 {
        return Cow::Borrowed(html);
    }
    short.push_str(html.get(from..).unwrap_or_default());
    Cow::Owned(short)
}

/// Puts a neutral box in the place of an output that would keep the page from being published.
fn refuse(output: &mut RenderedOutput) -> Option<String> {
    let html = without_data(output.html.as_str());
    let findings = verify::verify_fragment(&html, output.css.as_str());
    let reason = findings.into_iter().next()?.message;
    let text = SafeHtml::text("This output cannot be shown on a page that runs no foreign code.");
    let note = SafeHtml::element("p", &[], text);
    output.html = SafeHtml::element("div", &[("class", "nbc-out nbc-out-note")], note);
    output.css = SafeCss::default();
    output.kind = OutputKind::Note;
    output.island = None;
    Some(reason)
}

/// The dataflow as it is drawn; cells that are on the page are links.
fn drawn(notebook: &Notebook, graph: &CellGraph, blocks: &[Block]) -> Option<DrawnGraph> {
    let picture = picture::draw(graph)?;
    let name = |id: CellId| {
        let own = notebook.cell(id).and_then(|it| it.name.as_deref().map(diagnostic::straight));
        own.unwrap_or_else(|| format!("cell {}", id.0 + 1))
    };
    let labels = picture.nodes.iter().map(|node| {
        let anchor = format!("cell-{}", node.cell.0 + 1);
        let uses = graph.parents.get(&node.cell).into_iter().flatten().map(|it| name(*it));
        let uses = uses.collect::<Vec<_>>().join(", ");
        let own = name(node.cell);
        NodeLabel {
            description: if uses.is_empty() { own.clone() } else { format!("{own}, uses {uses}") },
            name: own,
            anchor: blocks.iter().any(|it| it.id == anchor).then_some(anchor),
        }
    });
    let labels = labels.collect();
    Some(DrawnGraph { picture, labels })
}

/// A `raw` cell that says what it holds, as if a run had displayed it. Without a type it is meant
/// for another tool.
fn raw(cell: &Cell) -> Option<CellRun> {
    let stated = cell.options.raw_type.as_deref()?;
    let mime = match stated {
        "text/html" | "text/markdown" | "text/latex" | "image/svg+xml" => stated,
        "application/x-latex" => "text/latex",
        _ => "text/plain",
    };
    let data = BTreeMap::from([(mime.to_owned(), serde_json::Value::from(&*cell.code))]);
    let bundle = MimeBundle { data, metadata: serde_json::Map::new() };
    (cell.kind == CellKind::Raw)
        .then(|| CellRun::new(CellStatus::Finished, vec![RawOutput::Display { bundle }]))
}

/// Findings about cells that failed: what the build log says, and the page does not.
pub fn failures(
    notebook: &Notebook,
    record: &RunRecord,
    tolerated: bool,
    limits: Option<&Limits>,
) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for (id, run) in &record.cells {
        let Some(cell) = notebook.cell(*id) else { continue };
        let CellStatus::Failed { error } = &run.status else { continue };
        if cell.options.raises_exception {
            continue;
        }
        let own = error.frames.iter().rev().find(|frame| frame.cell == *id);
        let span = own.map_or_else(|| cell.head(), |frame| cell.line_span(frame.line));
        let message = if error.message.is_empty() {
            format!("the cell raised `{}`", error.name)
        } else {
            format!("the cell raised `{}`: {}", error.name, error.message)
        };
        let mut found = if tolerated {
            Diagnostic::warning(Code::CellFailed, span, message)
        } else {
            Diagnostic::error(Code::CellFailed, span, message)
        };
        let others = error.frames.iter().filter(|frame| frame.cell != *id);
        for frame in others {
            if let Some(other) = notebook.cell(frame.cell) {
                found = found.with_other(other.line_span(frame.line), "called here");
            }
        }
        if let Some(help) = help_of_confinement(error, limits) {
            found = found.with_help(help);
        } else if !tolerated {
            found = found.with_help(
                "mend the cell, or pass `--allow-errors` to publish the page with a neutral box",
            );
        }
        diagnostics.push(found);
    }
    diagnostics.extend(left_out::findings(notebook, record));
    diagnostics.extend(skipped(notebook, record));
    if notebook.format == Format::Jupyter && record.engine.name == "python" {
        let message = "IPython is not in the environment: cells ran as plain Python".to_owned();
        let span = Span::new(notebook.source, 0, 0);
        diagnostics.push(
            Diagnostic::warning(Code::PlainPython, span, message)
                .with_help("add `ipython` to the notebook's packages"),
        );
    }
    diagnostics
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// The way out where the surroundings of a run made a cell fail. What an exception says is the notebook's
/// word, so it decides about a line of help only.
fn help_of_confinement(error: &CellError, limits: Option<&Limits>) -> Option<String> {
    let says = |text: &str| error.message.contains(text);
    let is_network = matches!(error.name.as_str(), "gaierror" | "URLError" | "ConnectError")
        || says("Temporary failure in name resolution")
        || says("Name or service not known");
    let reached = |what: &str, value: fn(&Limits) -> String, flag: &str| {
        let value = limits.map(|it| format!(" ({})", value(it))).unwrap_or_default();
        Some(format!("the run reached its limit of {what}{value}; raise it with `{flag}`"))
    };
    match error.name.as_str() {
        "ModuleNotFoundError" => Some(
            "add the package to what the notebook asks for: a PEP 723 header in it, or \
             `requirements.txt` beside it"
                .to_owned(),
        ),
        "MemoryError" => reached("memory", |it| mebibytes(it.memory), "--memory SIZE"),
        _ if says("can't start new thread") || says("[Errno 11]") => {
            reached("processes and threads", |it| it.processes.to_string(), "--processes NUMBER")
        }
        _ if says("[Errno 24]") => {
            reached("open files", |it| it.open_files.to_string(), "--open-files NUMBER")
        }
        _ if says("[Errno 27]") => {
            reached("one file", |it| mebibytes(it.file_size), "--file-size SIZE")
        }
        _ if says("[Errno 28]") => {
            reached("temporary files", |it| mebibytes(it.temporary), "--disk SIZE")
        }
        _ if is_network => Some(
            "notebooks run without network; open a host with `--allow-net HOST`, or keep the data \
             beside the notebook"
                .to_owned(),
        ),
        "FileNotFoundError" if says("/run/secrets/") => {
            Some("hand the notebook a file there with `--secret NAME=FILE`".to_owned())
        }
        "FileNotFoundError" | "PermissionError" | "NotADirectoryError"
            if let Some(help) = of_a_hidden_name(&error.message) =>
        {
            Some(help)
        }
        "FileNotFoundError" => Some(
            "the run sees the folder of the notebook, without other notebooks and what only nbc reads, and nothing \
             else; show it more with `inputs = [\"*\", \"../data.csv\"]` or `--read PATH`"
                .to_owned(),
        ),
        _ => None,
    }
}

/// The way out where an exception is about a file whose name no run sees. Python quotes it, in either quotes; other
/// libraries put it last.
fn of_a_hidden_name(message: &str) -> Option<String> {
    let quoted = ['\'', '"'].into_iter().flat_map(|it| message.split(it).skip(1).step_by(2));
    let last = message.rsplit(": ").next().filter(|it| !it.contains(char::is_whitespace));
    let hidden = quoted.chain(last).find_map(|it| hidden::by_name(Utf8Path::new(it.trim())))?;
    Some(match hidden {
        HiddenName::Credentials(name) => format!(
            "`{name}` is hidden from the run, since files of such names often hold credentials (docs/security.md has \
             the list); if this one may be read, show it with `--read PATH`, or give it another name"
        ),
        HiddenName::Build(name) => format!(
            "`{name}` is hidden from the run, since only nbc and installers read it; show it with `--read PATH`"
        ),
        HiddenName::Notebook(name) => format!(
            "`{name}` is a notebook, and of other notebooks a run sees those that its code imports or names, and those \
             that `inputs` names, such as `inputs = [\"*\"]`"
        ),
        HiddenName::Dot(name, pattern) => format!(
            "`{name}` is hidden from the run, since its name begins with a dot; show it with `--read PATH`, or with a \
             pattern of `inputs` that spells the dot, such as `inputs = [\"*\", \"{pattern}\"]`"
        ),
    })
}

/// Cells that were not run because another one failed.
fn skipped(notebook: &Notebook, record: &RunRecord) -> Vec<Diagnostic> {
    let failed = record.cells.values().any(|it| matches!(it.status, CellStatus::Failed { .. }));
    let cells = record.cells.iter().filter(|(_, run)| failed && run.status == CellStatus::Skipped);
    let cells = cells.filter_map(|(id, _)| notebook.cell(*id));
    cells
        .filter(|it| !it.options.disabled && !it.options.skip_execution)
        .map(|it| {
            let message = "the cell was not run, because a cell before it failed";
            Diagnostic::warning(Code::SkippedCell, it.head(), message)
        })
        .collect()
}

fn code_block(cell: &Cell, format: Format, default: CodeVisibility) -> Option<CodeBlock> {
    let is_code = cell.kind.is_runnable() || cell.kind == CellKind::Unparsable;
    if !is_code || cell.code.trim().is_empty() {
        return None;
    }
    let visibility = match (cell.options.code, default) {
        (_, CodeVisibility::Hidden) | (Some(CodeVisibility::Hidden), CodeVisibility::Folded) => {
            CodeVisibility::Hidden
        }
        // Code that its author hides stays within reach of a reader who asked for all code.
        (Some(CodeVisibility::Hidden), CodeVisibility::Shown) => CodeVisibility::Folded,
        // The source of prose is the prose itself.
        (None, CodeVisibility::Folded) if is_prose(cell) => CodeVisibility::Hidden,
        (asked, default) => asked.unwrap_or(default),
    };
    if visibility == CodeVisibility::Hidden {
        return None;
    }
    let mode = match format {
        Format::Marimo => Mode::Python,
        Format::Jupyter => Mode::Ipython,
    };
    Some(CodeBlock { visibility, html: highlighted(cell.code.trim_end(), mode) })
}

/// Longest code that gets colours, in bytes: each token costs an element of the page.
const LONGEST_HIGHLIGHTED: usize = 256 * 1024;

fn highlighted(code: &str, mode: Mode) -> SafeHtml {
    if code.len() > LONGEST_HIGHLIGHTED {
        return SafeHtml::code(code);
    }
    let mut pieces = Vec::new();
    let mut end = 0;
    for (range, kind) in python::highlight(code, mode) {
        let (start, stop) = (range.start as usize, range.end as usize);
        pieces.push(SafeHtml::code(code.get(end..start).unwrap_or_default()));
        let text = SafeHtml::code(code.get(start..stop).unwrap_or_default());
        pieces.push(SafeHtml::element("span", &[("class", class(kind))], text));
        end = stop;
    }
    pieces.push(SafeHtml::code(code.get(end..).unwrap_or_default()));
    SafeHtml::concat(pieces)
}

fn class(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Keyword => "tok-keyword",
        TokenKind::Constant | TokenKind::Number => "tok-number",
        TokenKind::Builtin => "tok-builtin",
        TokenKind::Definition => "tok-definition",
        TokenKind::Decorator => "tok-decorator",
        TokenKind::String => "tok-string",
        TokenKind::Comment => "tok-comment",
        TokenKind::Operator => "tok-operator",
        TokenKind::Magic => "tok-magic",
    }
}

/// Whether a cell is prose: Markdown, or a marimo cell that only calls `mo.md`.
fn is_prose(cell: &Cell) -> bool {
    let code = cell.code.trim();
    cell.kind == CellKind::Markdown || code.starts_with("mo.md(") && code.ends_with(')')
}

/// The first sentences of the page's prose, as they are shown; not those that depend on an input.
fn description(blocks: &[Block]) -> Option<String> {
    let prose = blocks.iter().filter(|block| block.kind == "prose" && block.slot.is_none());
    let mut paragraphs = prose.flat_map(|block| &block.outputs);
    let text = paragraphs.find_map(|output| sanitize::first_paragraph(&output.html))?;
    if text.chars().count() <= DESCRIPTION_LENGTH {
        return Some(text);
    }
    let cut: String = text.chars().take(DESCRIPTION_LENGTH - 1).collect();
    let end = cut.rfind(' ').unwrap_or(cut.len());
    Some(format!("{}…", cut.get(..end).unwrap_or(&cut)))
}

/// `sales_report.py` is titled "Sales report".
fn title_of(file_name: &str) -> String {
    let stem = file_name.rsplit_once('.').map_or(file_name, |(stem, _)| stem);
    let words = stem.replace(['_', '-'], " ");
    let mut characters = words.trim().chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => "Notebook".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_in_code_stand_alone_and_the_text_stays_what_it_is() {
        let code = "if x: # \u{202e} } \u{2066}if admin\n    y = '\u{200f}a'\u{202c}";
        let long = format!("{}{code}", "# long\n".repeat(LONGEST_HIGHLIGHTED / 7));
        for (code, mode) in
            [(code, Mode::Python), (code, Mode::Ipython), (long.as_str(), Mode::Python)]
        {
            let html = highlighted(code, mode);
            for mark in ['\u{202e}', '\u{2066}', '\u{200f}', '\u{202c}'] {
                let shown =
                    format!("<bdi class=\"x-turns x-turns-{:04x}\">{mark}</bdi>", u32::from(mark));
                assert!(html.as_str().contains(&shown), "{}", html.as_str());
            }
            let marks = html.as_str().chars().filter(|it| diagnostic::turns(*it)).count();
            assert_eq!(marks, html.as_str().matches("<bdi").count());
            let mut text = String::new();
            for piece in html.as_str().split('<') {
                text.push_str(piece.split_once('>').map_or(piece, |it| it.1));
            }
            assert_eq!(text.replace("&#39;", "'"), code, "what a reader copies");
        }
        assert_eq!(SafeHtml::code("a < b").as_str(), SafeHtml::text("a < b").as_str());
    }

    #[test]
    fn a_run_without_ipython_is_told() {
        use crate::run::record::{EngineReport, RECORD_VERSION};

        let mut sources = crate::source::Sources::default();
        let id = sources.add("a.qmd".into(), None, "```{python}\n1\n```\n".to_owned());
        let notebook = crate::notebook::parse(&mut sources, id).value.unwrap();
        let engine = EngineReport {
            name: "python".to_owned(),
            version: String::new(),
            python: "3.11".to_owned(),
        };
        let record = RunRecord {
            version: RECORD_VERSION,
            engine,
            source: None,
            facts: None,
            cells: BTreeMap::new(),
            sweep: None,
        };
        let found = failures(&notebook, &record, false, None);
        assert_eq!(found.iter().map(|it| it.code).collect::<Vec<_>>(), [Code::PlainPython]);
    }

    #[test]
    fn an_output_that_verification_refuses_costs_its_own_place() {
        // Deeper than a browser's parser nests.
        let html = (0..600).fold(SafeHtml::text("odd"), |it, _| SafeHtml::element("div", &[], it));
        let mut output =
            RenderedOutput { html, css: SafeCss::default(), kind: OutputKind::Html, island: None };
        // The build reports it as NBC406.
        assert!(refuse(&mut output).is_some());
        assert!(!output.html.as_str().contains("odd"));
        assert_eq!(refuse(&mut output), None);
    }

    #[test]
    fn a_file_name_becomes_a_title() {
        assert_eq!(title_of("sales_report.py"), "Sales report");
        assert_eq!(title_of(".py"), "Notebook");
    }
}
