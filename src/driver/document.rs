//! One notebook and its run to a [`Document`]: phase 7 applied cell by cell.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;

use super::anchors::{self, Anchors};
use super::clearance::Cleared;
use super::code::{code_block, is_prose};
use super::linked_files::{FoundFiles, LinkedFiles};
use super::links::{Asked, CellText, DeadLinks, Origin, Pages, Resolver};
use super::offered;
use super::options::PageOptions;
use crate::charts::{Chart, Runtime};
use crate::diagnostic::{self, Code, Diagnostic, Parsed};
use crate::graph::{CellGraph, picture};
use crate::interrupt::Cancel;
use crate::notebook::{Cell, CellId, CellKind, CodeVisibility, Notebook};
use crate::output::{
    self, Heading, Interactivity, Mathematics, Neighbours, OutputKind, OutputPosition,
    RenderedCell, RenderedOutput, Rule, Taken,
};
use crate::render::{Block, CodeBlock, Document, DrawnGraph, NodeLabel};
use crate::run::RunRecord;
use crate::run::record::{CellRun, CellStatus, MimeBundle, RawOutput};
use crate::sanitize::{self, SafeCss, SafeHtml};
use crate::site::SitePath;
use crate::source::Span;
use crate::states::{self, States};
use crate::verify;

/// Longest description in characters: what search engines show.
const DESCRIPTION_LENGTH: usize = 160;

/// Lays out the page of a notebook.
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
    let layout = Layout {
        notebook,
        record,
        states: states.value.as_ref(),
        options,
        interactivity: Interactivity { widgets: live, chosen, ..interactivity.clone() },
        mathematics: mathematics(notebook, origin.notebook),
    };
    let Parts { blocks, texts, outline, title_cell, anchors, mut diagnostics, .. } = layout.parts();
    add_new(&mut diagnostics, states.diagnostics);
    let first_heading = outline.iter().find(|it| it.level == 1).map(|it| it.text.clone());
    let (title, about) = options.about(notebook, origin.notebook);
    let title = title
        .or_else(|| notebook.title.clone())
        .filter(|it| !it.trim().is_empty())
        .or_else(|| first_heading.clone())
        .unwrap_or_else(|| title_of(file_name));
    let width = notebook.app.width.clone();
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
        width: width.filter(|it| ["medium", "full", "columns"].contains(&it.as_str())),
        notes: note_of_controls(&diagnostics, has_live).into_iter().collect(),
        outline,
        graph: options.show_graph.then(|| drawn(notebook, graph, &blocks)).flatten(),
        blocks,
        runtimes: Vec::new(),
        files: Vec::new(),
        states: states.value.map(Arc::new),
    };
    let neighbours = interactivity.neighbours.as_deref();
    if neighbours.is_some_and(Neighbours::are_too_many) {
        diagnostics.push(neighbours_are_too_many(notebook));
    }
    let taken = neighbours.map(Neighbours::taken).unwrap_or_default();
    let place = neighbours.filter(|_| options.publishes_files(origin.notebook));
    let place_of_files = place.map(Neighbours::place).map(|(a, b)| (a.to_owned(), b.to_owned()));
    let notebook = origin.notebook.to_owned();
    let readable = Arc::new(anchors.readable());
    let unlinked = Unlinked { document, notebook, texts, taken, place_of_files, anchors, readable };
    Parsed { value: unlinked, diagnostics }
}

/// Adds findings that are not among the others: those of states are often those of the page.
fn add_new(diagnostics: &mut Vec<Diagnostic>, more: Vec<Diagnostic>) {
    let known: BTreeSet<(Code, Span, String)> =
        diagnostics.iter().map(|it| (it.code, it.span, it.message.clone())).collect();
    let is_new = |it: &Diagnostic| !known.contains(&(it.code, it.span, it.message.clone()));
    diagnostics.extend(more.into_iter().filter(is_new));
}

/// A line for readers of a page on which inputs do not react.
fn note_of_controls(diagnostics: &[Diagnostic], has_live: bool) -> Option<String> {
    diagnostics.iter().any(|it| it.code == Code::StaticWidget).then(|| {
        let which = if has_live { "Some controls" } else { "The controls" };
        format!("{which} on this page show the values that it was built with; they do not react.")
    })
}

/// A notebook and its run, of which cells are laid out one by one.
struct Layout<'a> {
    notebook: &'a Notebook,
    record: &'a RunRecord,
    states: Option<&'a States>,
    options: &'a PageOptions,
    interactivity: Interactivity,
    mathematics: Mathematics,
}

/// The shown cells of a page.
#[derive(Default)]
struct Parts {
    blocks: Vec<Block>,
    /// The cell of each block.
    texts: Vec<CellText>,
    outline: Vec<Heading>,
    /// Headings whose formulas are not their text: by id, as the author wrote them.
    sources: BTreeMap<String, String>,
    /// Places that links lead to.
    anchors: Anchors,
    /// Number of blocks up to and with the one that has the first title, or zero.
    title_cell: usize,
    diagnostics: Vec<Diagnostic>,
}

impl Layout<'_> {
    fn parts(&self) -> Parts {
        let cells: Vec<_> = self.notebook.cells().filter(|(_, it)| !it.options.hide_cell).collect();
        let cancel = Cancel::current();
        let rendered: Vec<_> = output::on_big_stack(|| {
            let each = |(id, cell): &(CellId, &Cell)| (self.code(cell), self.rendered(*id, cell));
            cells.par_iter().map(|it| cancel.during(|| each(it))).collect()
        });
        let mut parts = Parts::default();
        for ((id, cell), (code, outputs)) in cells.into_iter().zip(rendered) {
            parts.diagnostics.extend(outputs.diagnostics);
            self.add(&mut parts, id, cell, code, outputs.value);
        }
        let mut outputs: Vec<_> = parts.blocks.iter_mut().flat_map(|it| &mut it.outputs).collect();
        parts.anchors = anchors::settle(&mut outputs, &mut parts.outline, &parts.sources);
        for heading in &mut parts.outline {
            heading.text = diagnostic::straight(&heading.text);
        }
        parts
    }

    fn code(&self, cell: &Cell) -> Option<CodeBlock> {
        code_block(cell, self.notebook.format, self.options.code)
    }

    /// The outputs of one cell.
    fn rendered(&self, id: CellId, cell: &Cell) -> Parsed<RenderedCell> {
        let scope = scope(id);
        let place = OutputPosition { span: cell.head(), scope: &scope };
        let shown = &self.options.shown;
        if cell.kind == CellKind::Markdown {
            return self.prose(cell, &place);
        }
        if let Some(run) = raw(cell) {
            return told_files(cell, output::cell(&run, &place, shown, &self.interactivity));
        }
        let first = self.states.and_then(|it| it.first(id));
        let is_state = first.is_some();
        let run = first.unwrap_or_else(|| self.record.cells.get(&id));
        match run.filter(|_| !cell.options.hide_output) {
            Some(run) => {
                let interactivity = &Interactivity { is_state, ..self.interactivity.clone() };
                let printed = cell.options.prints_markdown.then(|| output::printed_markdown(run));
                let run = printed.as_ref().unwrap_or(run);
                told_files(cell, output::cell(run, &place, shown, interactivity))
            }
            None => Parsed { value: RenderedCell::default(), diagnostics: Vec::new() },
        }
    }

    fn prose(&self, cell: &Cell, place: &OutputPosition<'_>) -> Parsed<RenderedCell> {
        let none = serde_json::Map::new();
        let attachments = cell.attachments.as_deref().unwrap_or(&none);
        let neighbours = self.interactivity.neighbours.as_ref();
        let Parsed { value: prose, diagnostics } = output::markdown(
            &cell.code,
            attachments,
            neighbours,
            &self.mathematics,
            place,
            &|it| cell.line_span(it),
        );
        let (headings, refused) = (prose.headings, prose.refused);
        let mut rendered = RenderedCell { headings, refused, ..RenderedCell::default() };
        if !cell.code.is_empty() {
            rendered.outputs.push(prose.output);
        }
        told_files(cell, Parsed { value: rendered, diagnostics })
    }

    /// Adds the block of a cell, if there is anything to show.
    fn add(
        &self,
        parts: &mut Parts,
        id: CellId,
        cell: &Cell,
        code: Option<CodeBlock>,
        rendered: RenderedCell,
    ) {
        let RenderedCell { outputs, headings, charts, .. } = rendered;
        let number = id.0 + 1;
        parts.sources.extend(heading_sources(cell, &headings));
        parts.outline.extend(headings);
        if parts.title_cell == 0 && parts.outline.iter().any(|it| it.level == 1) {
            parts.title_cell = parts.blocks.len() + 1;
        }
        let has_slot = self.states.is_some_and(|it| it.has_slot(id));
        if code.is_none() && outputs.is_empty() && !has_slot {
            return;
        }
        parts.texts.push(CellText::of(cell));
        parts.blocks.push(Block {
            id: format!("cell-{number}"),
            kind: if is_prose(cell) { "prose" } else { "code" },
            name: cell.name.as_deref().map(diagnostic::straight),
            code,
            scroll: cell.options.scrolled.map(|it| if it { "scrolled" } else { "whole" }),
            slot: has_slot.then_some(number),
            outputs,
            charts,
        });
    }
}

/// Adds the findings about files that a cell names.
fn told_files(cell: &Cell, mut rendered: Parsed<RenderedCell>) -> Parsed<RenderedCell> {
    rendered.diagnostics.extend(output::refused_files(cell, &rendered.value.refused));
    rendered
}

fn neighbours_are_too_many(notebook: &Notebook) -> Diagnostic {
    let span = Span::new(notebook.source, 0, 0);
    let message = "the files beside the notebook that its page shows hold over 256 MiB together";
    Diagnostic::error(Code::UnshownFile, span, message)
        .with_help("make them smaller, or show fewer; one that is shown twice counts twice")
}

/// The headings of a cell as they are written, by id, where one of them may hold a formula.
fn heading_sources(cell: &Cell, headings: &[Heading]) -> Vec<(String, String)> {
    if cell.kind != CellKind::Markdown || headings.is_empty() || !cell.code.contains(['$', '\\']) {
        return Vec::new();
    }
    let sources = output::heading_sources(&cell.code);
    // Headings that are HTML are none of Markdown: then nobody knows which is which.
    let pairs = headings.iter().map(|it| it.id.clone()).zip(sources.iter().cloned());
    if sources.len() == headings.len() { pairs.collect() } else { Vec::new() }
}

/// Scope of a cell's ids and rules.
fn scope(id: CellId) -> String {
    format!("c{}", id.0 + 1)
}

/// The formulas of a notebook's prose, by the rule of its format.
fn mathematics(notebook: &Notebook, path: &Utf8Path) -> Mathematics {
    let rule = match path.extension() {
        Some("qmd" | "Rmd") => Rule::Pandoc,
        _ => Rule::Jupyter,
    };
    let prose = notebook.cells().filter(|(_, it)| it.kind == CellKind::Markdown);
    Mathematics::read(
        prose.filter(|(_, it)| !it.options.hide_cell).map(|(id, it)| (scope(id), &*it.code)),
        rule,
    )
}

/// A document whose links are still those of the notebook.
#[derive(Debug)]
pub struct Unlinked {
    document: Document,
    /// The notebook, relative to what is built.
    notebook: Utf8PathBuf,
    /// The cell of each block.
    texts: Vec<CellText>,
    /// Files beside the notebook that decide about the page.
    taken: Taken,
    /// The root and the folder of files that links may lead to; `None`: none is published.
    place_of_files: Option<(Utf8PathBuf, Utf8PathBuf)>,
    /// Places that links of the page lead to.
    anchors: Anchors,
    /// Those that links of other pages lead to.
    readable: Arc<Anchors>,
}

impl Unlinked {
    /// Resolves the links, once it is known which pages the site will have; tells the notebooks that they asked for.
    pub(super) fn link(
        mut self,
        pages: &Pages,
        files: &LinkedFiles<'_>,
    ) -> Parsed<(Document, Asked, Taken)> {
        let (mut diagnostics, mut all_asked) = (Vec::new(), Asked::default());
        let origin = Origin { page: &self.document.path, notebook: &self.notebook };
        let place = self.place_of_files.as_ref();
        let files = place.map(|(root, folder)| files.of_page(root, folder, &self.document.path));
        let resolver = Resolver { origin, anchors: &self.anchors, pages, files };
        let mut places: BTreeMap<String, (CellText, Vec<&mut RenderedOutput>)> = BTreeMap::new();
        for (block, text) in self.document.blocks.iter_mut().zip(self.texts) {
            places.insert(block.id.clone(), (text, block.outputs.iter_mut().collect()));
        }
        let states = self.document.states.as_mut().map(Arc::make_mut);
        for content in states.into_iter().flat_map(States::contents_mut) {
            if let Some((_, outputs)) = places.get_mut(&format!("cell-{}", content.cell.0 + 1)) {
                outputs.extend(&mut content.outputs);
            }
        }
        let places: Vec<_> = places.into_values().collect();
        let looked_at = |(text, outputs): (CellText, Vec<&mut RenderedOutput>)| {
            let (mut dead, mut refused) = (DeadLinks::default(), BTreeSet::new());
            let (mut asked, mut files) = (Asked::default(), FoundFiles::default());
            for output in outputs {
                resolver.resolve(output, &mut asked, &mut dead, &mut files);
                refused.extend(refuse(output));
            }
            (text, dead, refused, asked, files)
        };
        let looked_at: Vec<_> = places.into_par_iter().map(looked_at).collect();
        let mut published = BTreeSet::new();
        for (text, dead, refused, asked, files) in looked_at {
            all_asked.extend(asked);
            for reason in refused {
                let message = format!("an output cannot be shown: {reason}");
                diagnostics.push(Diagnostic::warning(Code::RefusedOutput, text.head, message));
            }
            diagnostics.extend(dead.findings(&text));
            diagnostics.extend(files.findings(&|address| text.line_of(address)));
            self.taken.files.extend(files.taken.files);
            published.extend(files.published);
        }
        self.document.files = published.into_iter().collect();
        // A refused output has no place for its charts.
        for block in &mut self.document.blocks {
            output::keep_placed(&mut block.charts, &block.outputs);
        }
        let states = self.document.states.as_mut().map(Arc::make_mut);
        for content in states.into_iter().flat_map(States::contents_mut) {
            output::keep_placed(&mut content.charts, &content.outputs);
        }
        Parsed { value: (self.document, all_asked, self.taken), diagnostics }
    }

    /// Offers the notebook to readers, if the options say so. Tells of files that readers do not get, and of code that
    /// they get although the page hides it.
    pub fn offer_source(
        &mut self,
        text: &str,
        notebook: &Notebook,
        options: &PageOptions,
    ) -> Vec<Diagnostic> {
        if !options.offers_source(&self.notebook) {
            return Vec::new();
        }
        let span = Span::new(notebook.source, 0, 0);
        if let Some(cell) = notebook.cells.iter().find(|it| it.options.withholds()) {
            let message =
                "readers cannot download the notebook, since its author hides code or text in it";
            let help =
                "show it there, or build without `--include-source` and `source` of `[page]`";
            return vec![
                Diagnostic::warning(Code::OfferedCode, cell.head(), message).with_help(help),
            ];
        }
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

    /// The same, with the places of the page that links of other pages lead to.
    pub fn target(&self) -> (&Utf8Path, &SitePath, Option<Arc<Anchors>>) {
        (&self.notebook, &self.document.path, Some(Arc::clone(&self.readable)))
    }

    /// Places of the page that links of other pages lead to.
    pub fn anchors(&self) -> &Arc<Anchors> {
        &self.readable
    }

    /// The shown part of each cell, and its place.
    pub fn blocks(&self) -> impl Iterator<Item = (&Block, Span)> {
        self.document.blocks.iter().zip(self.texts.iter().map(|it| it.head))
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

/// A `raw` cell, as if a run had displayed it. Without a type it is text, as JupyterLab shows it; front matter is for
/// tools.
pub(super) fn raw(cell: &Cell) -> Option<CellRun> {
    let stated = cell.options.raw_type.as_deref().unwrap_or_default();
    let mime = match stated {
        "text/html" | "text/markdown" | "text/latex" | "image/svg+xml" => stated,
        "application/x-latex" => "text/latex",
        "" if is_front_matter(&cell.code) => return None,
        _ => "text/plain",
    };
    let data = BTreeMap::from([(mime.to_owned(), serde_json::Value::from(&*cell.code))]);
    let bundle = MimeBundle { data, metadata: serde_json::Map::new() };
    (cell.kind == CellKind::Raw)
        .then(|| CellRun::new(CellStatus::Finished, vec![RawOutput::Display { bundle }]))
}

/// Whether a text is empty, or begins as YAML does.
fn is_front_matter(text: &str) -> bool {
    text.trim_start().lines().next().is_none_or(|it| it.trim_end() == "---")
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
    fn an_output_that_verification_refuses_costs_its_own_place() {
        // Deeper than a browser's parser nests.
        let html = (0..600).fold(SafeHtml::text("odd"), |it, _| SafeHtml::element("div", &[], it));
        let mut output = RenderedOutput {
            html,
            css: SafeCss::default(),
            kind: OutputKind::Html,
            island: None,
            prefix: String::new(),
        };
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
