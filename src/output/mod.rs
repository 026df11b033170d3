//! Phase 7: MIME bundles to something a page can show.
//!
//! In: a cell's raw outputs. Out: [`RenderedOutput`]s (safe markup, rules, warnings).
//! Never lets raw markup through: every piece passes [`crate::sanitize`].

mod ansi;
mod bundle;
mod chart;
mod data;
mod diagram;
mod element;
mod error;
mod formulas;
mod headings;
mod image;
mod island;
mod markdown;
pub mod mask;
mod math;
mod media;
mod neighbours;
mod notes;
mod placed_chart;
mod refused;
mod remote;
mod shorten;
mod text;
mod widget;

pub use crate::sanitize::Heading;
pub use chart::keep_placed;
pub use diagram::draw_diagram;
pub use error::{is_told_error, told_error};
pub use headings::heading_sources;
pub use island::Islands;
pub use math::{Mathematics, Rule};
pub use neighbours::{
    Neighbours, Read, Refusal, Search, Taken, is_local, neighbour_paths, picture_type,
    read_neighbour,
};
pub use placed_chart::PlacedChart;
pub use refused::{RefusedFile, place_of, refused_files};
pub use remote::{RemotePictures, TO_LOCK, pictures_hold, pictures_in_text};
pub use shorten::Shown;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use crate::charts::Kind;
use crate::diagnostic::Parsed;
use crate::run::record::{CellRun, CellStatus, RawOutput, StreamName};
use crate::sanitize::{
    Gate, Island, MOST_HEADINGS, SafeCss, SafeHtml, headings, without_empty_headers,
};
use crate::source::Span;
use notes::Notes;

/// The stack of the thread that renders: parsers of styles and formulas are recursive.
const STACK: usize = 64 << 20;

/// Position of an output.
#[derive(Debug, Clone, Copy)]
pub struct OutputPosition<'a> {
    /// The cell, for diagnostics.
    pub span: Span,
    /// Unique in the page, letters and digits: `c3`. Ids and rules of the cell are made of it.
    pub scope: &'a str,
}

/// Kinds of outputs, as readers see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    /// Printed text.
    Stream,
    /// The text of a value.
    Text,
    /// Markup.
    Html,
    /// Prose: Markdown of the notebook, or `mo.md`.
    Prose,
    /// A picture.
    Image,
    /// A formula.
    Math,
    /// A neutral box: the cell failed.
    Error,
    /// A table.
    Table,
    /// A chart.
    Chart,
    /// Controls.
    Widget,
    /// A frame in which the notebook's code runs.
    Island,
    /// A tree of data.
    Data,
    /// A neutral box: something can't be shown.
    Note,
}

impl OutputKind {
    fn class(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Text => "text",
            Self::Html => "html",
            Self::Prose => "prose",
            Self::Image => "image",
            Self::Math => "math",
            Self::Error => "error",
            Self::Table => "table",
            Self::Chart => "chart",
            Self::Widget => "widget",
            Self::Island => "island",
            Self::Data => "data",
            Self::Note => "note",
        }
    }
}

/// One output, ready for the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedOutput {
    /// One `div` of class `nbc-out` and `nbc-out-KIND`.
    pub html: SafeHtml,
    /// Rules for the page's stylesheet; they reach only this output.
    pub css: SafeCss,
    /// Its kind.
    pub kind: OutputKind,
    /// Island below it, in a frame.
    pub island: Option<Island>,
    /// Start of the ids in it that nobody has made readable.
    pub prefix: String,
}

/// Which outputs may be interactive.
#[derive(Debug, Clone, Default)]
pub struct Interactivity {
    /// Kinds of charts that a runtime draws.
    pub charts: BTreeSet<Kind>,
    /// Versions of the runtimes that are not nbc's own.
    pub runtimes: BTreeMap<Kind, String>,
    /// Outputs that may run their own scripts.
    pub islands: Islands,
    /// Inputs that work, by marimo's `object-id`; the number is theirs on the page.
    pub widgets: Arc<BTreeMap<String, u32>>,
    /// Their values, where these are others than those of the build.
    pub chosen: Arc<BTreeMap<String, serde_json::Value>>,
    /// Whether the output is of a state: for those the build draws no pictures of charts.
    pub is_state: bool,
    /// Files beside the notebook; `None`: none of them is shown.
    pub neighbours: Option<Arc<Neighbours>>,
}

/// The outputs of a cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RenderedCell {
    /// In the order in which they appeared; streams that follow each other are one.
    pub outputs: Vec<RenderedOutput>,
    /// Headings in them, in order.
    pub headings: Vec<Heading>,
    /// Charts in them that a runtime draws.
    pub charts: Vec<PlacedChart>,
    /// Whether the build could not draw one of its charts, which would hang a reader's browser.
    pub has_undrawn: bool,
    /// Files beside the notebook that are to be told about.
    pub refused: Vec<RefusedFile>,
}

/// Prose of the notebook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedProse {
    /// The prose.
    pub output: RenderedOutput,
    /// Its headings, in order.
    pub headings: Vec<Heading>,
    /// Files beside the notebook that are to be told about.
    pub refused: Vec<RefusedFile>,
}

/// Renders the outputs of a cell.
///
/// A failed cell shows what it printed and displayed before, and a neutral box; nothing of its
/// error, which may hold paths and secrets, but what [`told_error`] says of it. What is not in `interactivity` is a picture or a note.
pub fn cell(
    run: &CellRun,
    place: &OutputPosition<'_>,
    shown: &Shown,
    interactivity: &Interactivity,
) -> Parsed<RenderedCell> {
    on_big_stack(|| {
        let notes = Notes::new(place.scope, interactivity).with_rows(shown.rows);
        let mut left = *shown;
        let mut cell = RenderedCell::default();
        for (at, raw) in merged(&run.outputs).iter().enumerate() {
            let scope = format!("{}-{}", place.scope, at + 1);
            let mut island = None;
            let drawn = match raw {
                Merged::Stream(name, text) => Some(stream(text, *name, &mut left, &notes)),
                Merged::Display(bundle)
                    if let Some((drawn, own)) = island::drawn(bundle, &notes) =>
                {
                    island = own;
                    Some(drawn)
                }
                Merged::Display(bundle) if let Some(drawn) = error::drawn(bundle) => Some(drawn),
                Merged::Display(bundle) => {
                    let mut gate = Gate::new(&scope);
                    let (bundle, said) = shorten::bundle(bundle, &mut left, &notes);
                    let drawn = bundle::render(&bundle, &mut gate, &notes)
                        .map(|drawn| UnframedOutput { gate: Some(gate), ..drawn });
                    noted(drawn, &said)
                }
            };
            if let Some(drawn) = drawn {
                let is_empty = drawn.html.is_empty();
                let (mut output, mut found) = wrap(drawn, &scope, &notes);
                output.island = island;
                if is_empty {
                    continue;
                }
                cell.outputs.push(output);
                cell.headings.append(&mut found);
                cell.headings.truncate(MOST_HEADINGS);
            }
        }
        if !run.left_out.is_empty() {
            let text = "A part of what this cell gave is too large for the page, and is left out.";
            let drawn = UnframedOutput::new(OutputKind::Note, note(text));
            cell.outputs.push(wrap(drawn, &format!("{}-left-out", place.scope), &notes).0);
        }
        let is_failed = matches!(run.status, CellStatus::Failed { .. });
        if is_failed && !run.outputs.iter().any(is_told_error) {
            let drawn = UnframedOutput::new(OutputKind::Error, error::failed());
            cell.outputs.push(wrap(drawn, &format!("{}-failed", place.scope), &notes).0);
        }
        cell.charts = notes.take_charts();
        cell.has_undrawn = notes.has_undrawn();
        cell.refused = notes.take_refused();
        // Markup that was drawn and then not taken may have had charts.
        keep_placed(&mut cell.charts, &cell.outputs);
        Parsed { value: cell, diagnostics: notes.into_diagnostics(place.span) }
    })
}

/// Renders prose of the notebook, its formulas as `mathematics` read them. `attachments` are a Jupyter cell's: file name →
/// MIME → base64. Findings about a line are at its span in `lines`.
pub fn markdown(
    text: &str,
    attachments: &serde_json::Map<String, serde_json::Value>,
    neighbours: Option<&Arc<Neighbours>>,
    mathematics: &Mathematics,
    place: &OutputPosition<'_>,
    lines: &(dyn Fn(u32) -> Span + Sync),
) -> Parsed<RenderedProse> {
    on_big_stack(|| {
        let notes = Notes::default().with_neighbours(neighbours);
        let mut gate = Gate::new(place.scope);
        let html = markdown::prose(text, attachments, mathematics, place.scope, &mut gate, &notes);
        let drawn = UnframedOutput { kind: OutputKind::Prose, html, gate: Some(gate) };
        let (output, headings) = wrap(drawn, place.scope, &notes);
        let refused = notes.take_refused();
        let mut diagnostics = notes.undrawn_formulas(place.span, lines);
        diagnostics.extend(notes.into_diagnostics(place.span));
        Parsed { value: RenderedProse { output, headings, refused }, diagnostics }
    })
}

/// An output before it has its frame.
struct UnframedOutput {
    kind: OutputKind,
    html: SafeHtml,
    gate: Option<Gate>,
}

impl UnframedOutput {
    fn new(kind: OutputKind, html: SafeHtml) -> Self {
        Self { kind, html, gate: None }
    }
}

/// Puts an output into its frame, whose class its rules start with.
fn wrap(drawn: UnframedOutput, scope: &str, notes: &Notes) -> (RenderedOutput, Vec<Heading>) {
    let gate = drawn.gate.unwrap_or_else(|| Gate::new(scope));
    let class = format!("nbc-out nbc-out-{} {}", drawn.kind.class(), gate.scope_class());
    let prefix = gate.id_prefix().to_owned();
    let (html, found) = match drawn.kind {
        OutputKind::Prose | OutputKind::Html | OutputKind::Widget => headings(drawn.html, &prefix),
        _ => (drawn.html, Vec::new()),
    };
    let result = gate.finish(without_empty_headers(html));
    notes.removed(&result.removed);
    if result.is_turned {
        notes.turned();
    }
    let mut attributes = vec![("class", class.as_str())];
    if drawn.kind == OutputKind::Html && result.html.as_str().contains("<table") {
        // Wide tables scroll in their box, which the keyboard must reach.
        attributes.extend([("tabindex", "0"), ("role", "group"), ("aria-label", "Output")]);
    }
    let html = SafeHtml::element("div", &attributes, result.html);
    (RenderedOutput { html, css: result.css, kind: drawn.kind, island: None, prefix }, found)
}

/// A cell's run whose printed text is Markdown, as Quarto's `output: asis` has it.
#[must_use]
pub fn printed_markdown(run: &CellRun) -> CellRun {
    let mut outputs: Vec<RawOutput> = Vec::new();
    let mut text = String::new();
    let flush = |text: &mut String, outputs: &mut Vec<RawOutput>| {
        if !text.trim().is_empty() {
            let data = [("text/markdown".to_owned(), std::mem::take(text).into())].into();
            let bundle = crate::run::record::MimeBundle { data, metadata: serde_json::Map::new() };
            outputs.push(RawOutput::Display { bundle });
        }
    };
    for output in &run.outputs {
        match output {
            RawOutput::Stream { name: StreamName::Stdout, text: more } => text.push_str(more),
            // Messages between two texts end no paragraph.
            RawOutput::Stream { .. } => outputs.push(output.clone()),
            other => {
                flush(&mut text, &mut outputs);
                outputs.push(other.clone());
            }
        }
    }
    flush(&mut text, &mut outputs);
    CellRun { outputs, ..run.clone() }
}

enum Merged<'a> {
    Stream(StreamName, String),
    Display(&'a crate::run::record::MimeBundle),
}

/// A `print` loop writes many small pieces; escape sequences may span them.
fn merged(outputs: &[RawOutput]) -> Vec<Merged<'_>> {
    let mut merged: Vec<Merged<'_>> = Vec::new();
    for output in outputs {
        match output {
            RawOutput::Stream { name, text } => match merged.last_mut() {
                Some(Merged::Stream(last, before)) if last == name => before.push_str(text),
                _ => merged.push(Merged::Stream(*name, text.clone())),
            },
            RawOutput::Display { bundle } => merged.push(Merged::Display(bundle)),
        }
    }
    merged.retain(|it| !matches!(it, Merged::Stream(_, text) if text.trim().is_empty()));
    merged
}

fn stream(text: &str, name: StreamName, left: &mut Shown, notes: &Notes) -> UnframedOutput {
    let (label, name) = match name {
        StreamName::Stdout => ("Output", "stdout"),
        StreamName::Stderr => ("Messages", "stderr"),
    };
    let class = format!("nbc-stream nbc-{name}");
    let attributes =
        [("class", class.as_str()), ("tabindex", "0"), ("role", "group"), ("aria-label", label)];
    let block = |text: &str| SafeHtml::element("pre", &attributes, ansi::html(text));
    let html = match shorten::text(text, left, notes) {
        None => block(text),
        Some(ends) => {
            let blocks = [ends.head, ends.tail].map(|it| match it {
                "" => SafeHtml::default(),
                text => block(text),
            });
            let [head, tail] = blocks;
            SafeHtml::concat([head, shortened(&ends.note), tail])
        }
    };
    UnframedOutput::new(OutputKind::Stream, html)
}

/// An output, with notes about its missing parts.
fn noted(drawn: Option<UnframedOutput>, said: &[String]) -> Option<UnframedOutput> {
    if said.is_empty() {
        return drawn;
    }
    let drawn = drawn.unwrap_or(UnframedOutput::new(OutputKind::Note, SafeHtml::default()));
    let notes = said.iter().map(|it| shortened(it));
    let html = SafeHtml::concat(std::iter::once(drawn.html).chain(notes));
    Some(UnframedOutput { html, ..drawn })
}

/// The note beside something that is not shown as a whole.
fn shortened(text: &str) -> SafeHtml {
    SafeHtml::element("p", &[("class", "nbc-shortened")], SafeHtml::text(text))
}

/// A neutral box.
fn note(text: &str) -> SafeHtml {
    let attributes = [("class", "nbc-note"), ("role", "note")];
    SafeHtml::element("p", &attributes, SafeHtml::text(text))
}

/// Does work on threads whose stack is large enough for the parsers of styles and formulas; rayon's operations in
/// it use all of them.
pub fn on_big_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    static THREADS: LazyLock<Option<rayon::ThreadPool>> = LazyLock::new(|| {
        let threads = rayon::ThreadPoolBuilder::new().stack_size(STACK);
        threads.thread_name(|it| format!("output-{it}")).build().ok()
    });
    match &*THREADS {
        Some(threads) => threads.install(work),
        // No thread could be made. The work's need is bounded, so that this stack mostly suffices.
        None => work(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "a missing output fails the test")]

    use super::*;
    use crate::diagnostic::Code;
    use crate::run::record::{CellError, MimeBundle};
    use crate::source::Sources;

    fn place_in(sources: &mut Sources) -> OutputPosition<'static> {
        let source = sources.add("a.ipynb".into(), None, String::new());
        OutputPosition { span: Span::new(source, 0, 0), scope: "c3" }
    }

    fn render(status: CellStatus, outputs: Vec<RawOutput>) -> Parsed<RenderedCell> {
        let mut sources = Sources::default();
        let place = place_in(&mut sources);
        cell(&CellRun::new(status, outputs), &place, &Shown::default(), &Interactivity::default())
    }

    fn display(types: &[(&str, &str)]) -> RawOutput {
        let data: BTreeMap<String, serde_json::Value> =
            types.iter().map(|(mime, text)| ((*mime).to_owned(), (*text).into())).collect();
        RawOutput::Display { bundle: MimeBundle { data, metadata: serde_json::Map::new() } }
    }

    fn print(name: StreamName, text: &str) -> RawOutput {
        RawOutput::Stream { name, text: text.to_owned() }
    }

    fn only(types: &[(&str, &str)]) -> (OutputKind, String) {
        let rendered = render(CellStatus::Finished, vec![display(types)]).value;
        let [output] = rendered.outputs.as_slice() else { panic!("{rendered:?}") };
        (output.kind, output.html.as_str().to_owned())
    }

    #[test]
    fn style_sheets_for_jupyters_page_show_nothing_and_are_no_loss() {
        let css =
            "<link href='https://f.example/a' rel=stylesheet>\n<style>h1 {color: red}</style>";
        for script in ["", "<script>\n MathJax.Hub.Config({});</script>"] {
            let shown = render(
                CellStatus::Finished,
                vec![display(&[
                    ("text/html", &format!("{css}{script}")),
                    ("text/plain", "<HTML>"),
                ])],
            );
            let codes: Vec<_> = shown.diagnostics.iter().map(|it| it.code).collect();
            assert_eq!(codes, [Code::RemovedMarkup], "{script}");
        }
        let drawing = format!("{css}<script>draw()</script>");
        let shown = render(CellStatus::Finished, vec![display(&[("text/html", &drawing)])]);
        assert!(shown.diagnostics.iter().any(|it| it.code == Code::UnsupportedOutput));
    }

    #[test]
    fn streams_that_follow_each_other_are_one() {
        let outputs = vec![
            print(StreamName::Stdout, "a"),
            print(StreamName::Stdout, "b\n"),
            print(StreamName::Stderr, "\n"),
            print(StreamName::Stderr, "c"),
        ];
        let rendered = render(CellStatus::Finished, outputs).value;
        let shown: Vec<&str> = rendered.outputs.iter().map(|it| it.html.as_str()).collect();
        assert_eq!(shown.len(), 2);
        assert!(shown[0].contains(">ab\n</pre>"), "{}", shown[0]);
        assert!(shown[1].contains("nbc-stderr"), "{}", shown[1]);
    }

    #[test]
    fn a_table_names_the_rows_and_columns_that_are_there() {
        let table = r#"{"schema": {"fields": [{"name": "a", "type": "integer"}]},
            "data": [{"a": 1}, {"a": 2}, {"a": 3}]}"#;
        let of = |rows, mime, text| {
            let mut sources = Sources::default();
            let run = CellRun::new(CellStatus::Finished, vec![display(&[(mime, text)])]);
            let shown = Shown { rows, ..Shown::default() };
            let parsed = cell(&run, &place_in(&mut sources), &shown, &Interactivity::default());
            (parsed.value.outputs[0].html.as_str().to_owned(), parsed.diagnostics)
        };
        let (html, told) = of(2, "application/vnd.dataresource+json", table);
        assert!(
            html.contains("<td class=\"nbc-number\">2</td>") && !html.contains(">3</td>"),
            "{html}"
        );
        assert!(html.contains("Rows 1 to 2 of 3.") && told.len() == 1, "{html}");
        let (html, told) = of(3, "application/vnd.dataresource+json", table);
        assert!(!html.contains("Rows 1") && told.is_empty(), "{html}");
        // marimo names every column, and sends the rows of the first ones.
        let element = "<marimo-table data-data='&quot;[{\\&quot;a\\&quot;: 1}]&quot;' data-total-rows='1500' \
            data-total-columns='2' data-field-types='[[&quot;a&quot;, [&quot;integer&quot;, &quot;i64&quot;]], \
            [&quot;b&quot;, [&quot;integer&quot;, &quot;i64&quot;]]]'></marimo-table>";
        let (html, _) = of(3, "text/html", element);
        assert!(html.contains("Rows 1 to 1 of 1,500. Columns 1 to 1 of 2."), "{html}");
    }

    #[test]
    fn a_failed_cell_tells_nothing_of_its_error() {
        let error = CellError {
            name: "KeyError".into(),
            message: "/home/ada/secret".into(),
            frames: Vec::new(),
            traceback: "Traceback".into(),
        };
        let rendered =
            render(CellStatus::Failed { error }, vec![print(StreamName::Stdout, "before")]).value;
        let html: String = rendered.outputs.iter().map(|it| it.html.as_str()).collect();
        assert!(html.contains("before") && html.contains("This cell failed."), "{html}");
        assert!(!html.contains("KeyError") && !html.contains("secret") && !html.contains("Trace"));
        assert_eq!(rendered.outputs.last().map(|it| it.kind), Some(OutputKind::Error));
    }

    #[test]
    fn the_richest_safe_representation_is_shown() {
        assert_eq!(only(&[("text/plain", "p"), ("text/html", "<b>h</b>")]).0, OutputKind::Html);
        assert_eq!(only(&[("text/plain", "p"), ("text/latex", "$x$")]).0, OutputKind::Math);
        let script = "<div id=a></div><script>draw()</script>";
        assert_eq!(only(&[("text/plain", "p"), ("text/html", script)]).0, OutputKind::Text);
        assert_eq!(only(&[("text/html", script)]).0, OutputKind::Note);
    }

    #[test]
    fn a_formula_goes_before_its_picture_but_not_latex_that_is_none() {
        let png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==";
        let of =
            |latex: &str| only(&[("text/plain", "x"), ("image/png", png), ("text/latex", latex)]).0;
        assert_eq!(of("$$\\frac{1}{x}$$"), OutputKind::Math);
        assert_eq!(of("Let $x$ be\n\\begin{align}x &= 1\\end{align}\nand so on"), OutputKind::Math);
        assert_eq!(of("\\begin{tikzpicture}\\draw (0,0);\\end{tikzpicture}"), OutputKind::Image);
        let source = only(&[("text/plain", "x"), ("text/latex", "\\unknown{x}")]);
        assert!(source.0 == OutputKind::Math && source.1.contains("\\unknown"), "{}", source.1);
    }

    #[test]
    fn latex_with_text_around_it_is_text_with_formulas() {
        let latex =
            "Let \\(x\\) be *any*:\n\\begin{align}x &= 1\\end{align}\n# and \\[y\\] for <b>";
        let (kind, html) = only(&[("text/latex", latex)]);
        assert_eq!((kind, html.matches("<math").count()), (OutputKind::Math, 3), "{html}");
        for text in ["Let ", " be *any*:", "# and ", " for &lt;b&gt;"] {
            assert!(html.contains(text), "{html}");
        }
        let rendered =
            render(CellStatus::Finished, vec![display(&[("text/latex", "a $\\frac{$")])]);
        assert_eq!(
            rendered.diagnostics.iter().map(|it| it.code).collect::<Vec<_>>(),
            [Code::UndrawnFormula]
        );
    }

    #[test]
    fn what_ipython_says_of_an_object_is_no_output() {
        let object = ("text/plain", "<IPython.core.display.HTML object>");
        let rendered = render(CellStatus::Finished, vec![display(&[object, ("text/html", " ")])]);
        assert_eq!(rendered.value.outputs, []);
        let script = ("text/html", "<div id=a></div><script>draw()</script>");
        assert_eq!(only(&[object, script]).0, OutputKind::Note);
        assert_eq!(only(&[object]).0, OutputKind::Text);
        let unknown = ("application/x-unknown", "1");
        assert_eq!(only(&[object, unknown]).0, OutputKind::Note);
    }

    #[test]
    fn headings_get_ids_and_are_listed() {
        let mut sources = Sources::default();
        let place = place_in(&mut sources);
        let parsed = markdown(
            "# A & `b`\n\n## A & b\n\n[up](#A-&-b)",
            &serde_json::Map::new(),
            None,
            &Mathematics::default(),
            &place,
            &|_| place.span,
        );
        let found: Vec<_> = parsed
            .value
            .headings
            .iter()
            .map(|it| (it.level, it.text.as_str(), it.id.as_str()))
            .collect();
        assert_eq!(found, [(1, "A & b", "o-c3-a-b"), (2, "A & b", "o-c3-a-b-2")]);
        let html = parsed.value.output.html.as_str();
        assert!(html.contains("<h1 id=\"o-c3-a-b\">A &amp; <code>b</code></h1>"), "{html}");
        assert!(html.contains("href=\"#o-c3-a-b\""), "{html}");
        let prose = "<span class=\"markdown prose\"><h1 id=\"t\">T</h1></span>";
        let rendered =
            render(CellStatus::Finished, vec![display(&[("text/markdown", prose)])]).value;
        assert_eq!(rendered.headings.len(), 1);
        assert_eq!(rendered.headings[0].id, "o-c3-1-t");
    }

    #[test]
    fn a_kind_of_removal_is_told_once_a_cell() {
        let attack = display(&[("text/html", "<p onclick=x>a</p><script>x</script>")]);
        let parsed = render(CellStatus::Finished, vec![attack.clone(), attack]);
        let messages: Vec<&str> = parsed.diagnostics.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(
            messages,
            ["removed from an output: `<script>` element (2×), `onclick` attribute (2×)"]
        );
    }

    #[test]
    fn styles_become_rules_of_their_output() {
        let table = "<style scoped>.dataframe th{text-align:right}</style>\
                     <table class=dataframe><tr style='color:red'><th>a</table>";
        let rendered = render(CellStatus::Finished, vec![display(&[("text/html", table)])]).value;
        let output = &rendered.outputs[0];
        assert!(!output.html.as_str().contains("style"), "{}", output.html.as_str());
        let css = output.css.as_str();
        assert!(css.starts_with(".nbc-out-c3-1 .x-dataframe th{text-align:right}"), "{css}");
        assert!(css.contains("{color:red}"), "{css}");
    }

    #[test]
    fn a_sheet_for_jupyter_shows_nothing_and_is_told() {
        let sheet = display(&[("text/html", "<style>.container{width:100%}</style>")]);
        let parsed = render(CellStatus::Finished, vec![sheet]);
        assert!(parsed.value.outputs.is_empty());
        assert_eq!(parsed.diagnostics.len(), 1);
    }
}
