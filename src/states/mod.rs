//! The states of a notebook's inputs: a sweep to the tables of a page.
//!
//! In: the inputs that a run found, and what cells gave for other values of them, all of it hostile. Out:
//! [`States`]: which inputs work, what each cell shows for their values, and every content once. What is broken
//! in a sweep is left out and told; nothing here runs or decides which states there are.

mod catalogue;
mod sweep;
mod table;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::charts::Kind;
use crate::diagnostic::{Code, Diagnostic, Parsed};
use crate::interrupt::Cancel;
use crate::notebook::{Cell, CellId, CellKind, Notebook};
use crate::output::{
    self, Interactivity, OutputPosition, PlacedChart, RenderedCell, RenderedOutput, Shown,
};
use crate::run::RunRecord;
use crate::run::record::{CellRun, CellStatus};
use crate::source::Span;
use catalogue::Entry;
use sweep::{CellResult, Key, Read};
use table::Tables;
pub use write::Chunk;

/// Most bytes of all contents of a page.
const MOST_BYTES: usize = 512 << 20;
/// Most findings of one kind about the states of a cell.
const MOST_TOLD: usize = 3;

/// Outputs of a page for each choice of input values.
#[derive(Debug, Clone)]
pub struct States {
    entries: Vec<Entry>,
    tables: Tables,
    contents: Vec<Content>,
    live: Arc<BTreeMap<String, u32>>,
    chosen: Arc<BTreeMap<String, Value>>,
    first: BTreeMap<CellId, Option<CellRun>>,
}

/// Outputs of a cell, shared by some states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The cell, or the first of several that show nothing.
    pub cell: CellId,
    /// Its outputs.
    pub outputs: Vec<RenderedOutput>,
    /// Charts in them that a runtime draws.
    pub charts: Vec<PlacedChart>,
}

impl Content {
    /// The markup of the outputs.
    pub fn html(&self) -> String {
        self.outputs.iter().map(|it| it.html.as_str()).collect()
    }

    /// Their rules.
    pub fn css(&self) -> String {
        self.outputs.iter().map(|it| it.css.as_str()).collect()
    }
}

impl States {
    /// Whether a cell's outputs depend on an input.
    pub fn has_slot(&self, cell: CellId) -> bool {
        self.tables.roots.contains_key(&cell)
    }

    /// The inputs of the first paint that work: by marimo's id, their number on the page.
    pub fn live(&self) -> Arc<BTreeMap<String, u32>> {
        Arc::clone(&self.live)
    }

    /// Values of inputs that differ between the first paint and the run: by marimo's id, as a browser sends them.
    pub fn chosen(&self) -> Arc<BTreeMap<String, Value>> {
        Arc::clone(&self.chosen)
    }

    /// A cell's result in the state that the page shows first, if that is not the run's own: `Some(None)`
    /// if the cell was not run.
    pub fn first(&self, cell: CellId) -> Option<Option<&CellRun>> {
        self.first.get(&cell).map(Option::as_ref)
    }

    /// The contents.
    pub fn contents(&self) -> &[Content] {
        &self.contents
    }

    /// Whether the markup of some output is so.
    pub fn any_html(&self, is_so: impl Fn(&str) -> bool) -> bool {
        let outputs = self.contents.iter().flat_map(|it| &it.outputs);
        outputs.into_iter().any(|it| is_so(it.html.as_str()))
    }

    /// The contents, to be linked and looked through. Their number stays.
    pub fn contents_mut(&mut self) -> &mut [Content] {
        &mut self.contents
    }

    /// Names and labels of the inputs: what readers see of them.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let names = self.entries.iter().filter_map(|it| it.name.as_deref());
        names.chain(self.entries.iter().flat_map(|it| it.labels.iter().map(String::as_str)))
    }
}

/// Makes the tables of a notebook's states. `None` when no input works. Of `interactivity` the charts count.
pub fn compile(
    notebook: &Notebook,
    record: &RunRecord,
    shown: &Shown,
    interactivity: &Interactivity,
) -> Parsed<Option<States>> {
    let Some(sweep) = record.sweep.as_ref().filter(|it| !it.widgets.is_empty()) else {
        return Parsed { value: None, diagnostics: Vec::new() };
    };
    let is_shown = |id: CellId| notebook.cell(id).is_some_and(may_have_slot);
    let mut read = Read::of(sweep, &is_shown);
    let mut told = LimitedFindings::default();
    let jobs = Jobs::of(&read, record);
    let rendered = jobs.render(notebook, shown, interactivity);
    let mut contents = Contents::default();
    let mut tables = Tables::default();
    let mut numbers: BTreeMap<usize, u32> = BTreeMap::new();
    for (cell, keys) in &jobs.by_cell {
        let span = notebook.cell(*cell).map_or(Span::new(notebook.source, 0, 0), Cell::head);
        let mut results = Vec::new();
        for (key, job) in keys {
            let number = match numbers.get(job) {
                Some(number) => Some(*number),
                None => rendered.get(*job).and_then(|it| contents.add(*cell, &it.value)),
            };
            match number {
                Some(number) => {
                    numbers.insert(*job, number);
                    results.push((key, number));
                }
                None => told.warn(span, "the states of the page have too many bytes"),
            }
        }
        if let Err(reason) = tables.add(*cell, &results, &mut read) {
            told.warn(span, reason);
        }
    }
    told.sweep(notebook, record, &read, rendered);
    let (_, scope) = &read.first;
    let live = Arc::new(read.live(scope));
    let first = first_results(&read);
    let chosen = Arc::new(chosen_values(&read));
    let states = (!live.is_empty()).then(|| {
        let mut states = States {
            entries: read.catalogue.entries,
            tables,
            contents: contents.all,
            live,
            chosen,
            first,
        };
        states.keep_used();
        states
    });
    Parsed { value: states, diagnostics: told.all }
}

/// Results of the cells in the state that the page shows first.
fn first_results(read: &Read<'_>) -> BTreeMap<CellId, Option<CellRun>> {
    let (key, _) = &read.first;
    let first = read.given.iter().filter_map(|(cell, given)| {
        let own = read.restricted(key, *cell);
        let run = given.get(&own).filter(|_| !own.is_empty())?;
        Some((*cell, run.run.cloned()))
    });
    first.collect()
}

/// Values of inputs in the state that the page shows first, by id.
fn chosen_values(read: &Read<'_>) -> BTreeMap<String, Value> {
    let (key, _) = &read.first;
    let chosen = key.iter().filter_map(|(input, value)| {
        let input = read.catalogue.inputs.get(*input)?;
        let entry = read.catalogue.entries.get(input.entry as usize)?;
        Some((input.id.clone(), entry.values.get(*value as usize)?.clone()))
    });
    chosen.collect()
}

/// Whether the outputs of a cell come from a run and are on the page.
fn may_have_slot(cell: &Cell) -> bool {
    let is_hidden = cell.options.hide_cell || cell.options.hide_output;
    !is_hidden && cell.kind == CellKind::Code
}

/// Contents, each once.
#[derive(Default)]
struct Contents {
    all: Vec<Content>,
    known: BTreeMap<[u8; 32], u32>,
    bytes: usize,
}

impl Contents {
    /// The number of a content. `None` when there is no room.
    fn add(&mut self, cell: CellId, rendered: &RenderedCell) -> Option<u32> {
        let RenderedCell { outputs, charts, .. } = rendered;
        let texts = outputs.iter().map(|it| [it.html.as_str(), it.css.as_str()]);
        let texts = texts.chain(charts.iter().map(|it| [it.id.as_str(), it.chart.json()]));
        let mut hash = Sha256::new();
        let mut bytes = 0usize;
        for text in texts.flatten() {
            hash.update(text.len().to_le_bytes());
            hash.update(text);
            bytes = bytes.saturating_add(text.len());
        }
        let digest = hash.finalize().into();
        if let Some(known) = self.known.get(&digest) {
            return Some(*known);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MOST_BYTES {
            return None;
        }
        let number = u32::try_from(self.all.len()).ok()?;
        self.all.push(Content { cell, outputs: outputs.clone(), charts: charts.clone() });
        self.known.insert(digest, number);
        Some(number)
    }
}

/// A run of a cell, to be rendered.
struct Job<'a> {
    cell: CellId,
    run: Option<&'a CellRun>,
    live: Arc<BTreeMap<String, u32>>,
}

/// The runs to be rendered, each once.
struct Jobs<'a> {
    all: Vec<Job<'a>>,
    by_cell: BTreeMap<CellId, BTreeMap<Key, usize>>,
}

impl<'a> Jobs<'a> {
    fn of(read: &Read<'a>, record: &'a RunRecord) -> Self {
        let mut jobs = Self { all: Vec::new(), by_cell: BTreeMap::new() };
        let mut known: BTreeMap<[u8; 32], usize> = BTreeMap::new();
        let mut scopes = BTreeMap::new();
        let empty = Key::new();
        for (cell, given) in &read.given {
            let base = CellResult { run: record.cells.get(cell), scope: read.start.clone() };
            let mut keys = BTreeMap::new();
            for (key, given) in std::iter::once((&empty, &base)).chain(given) {
                let json = serde_json::to_vec(
                    &given.run.map(|it| (&it.outputs, &it.left_out, is_failed(it))),
                );
                let json = json.unwrap_or_default();
                let has_inputs = INPUTS.iter().any(|it| memchr::memmem::find(&json, it).is_some());
                let live = match has_inputs {
                    false => Arc::default(),
                    true => Arc::clone(
                        scopes
                            .entry(given.scope.clone())
                            .or_insert_with(|| Arc::new(read.live(&given.scope))),
                    ),
                };
                let mut hash = Sha256::new();
                hash.update(cell.0.to_le_bytes());
                hash.update(json.len().to_le_bytes());
                hash.update(&json);
                for (id, index) in live.iter() {
                    hash.update(id.len().to_le_bytes());
                    hash.update(id);
                    hash.update(index.to_le_bytes());
                }
                let job = *known.entry(hash.finalize().into()).or_insert_with(|| {
                    jobs.all.push(Job { cell: *cell, run: given.run, live });
                    jobs.all.len() - 1
                });
                keys.insert(key.clone(), job);
            }
            jobs.by_cell.insert(*cell, keys);
        }
        jobs
    }

    /// Cells with a chart that the build could not draw in the run itself: nobody tries in other states.
    fn undrawn(
        &self,
        notebook: &Notebook,
        shown: &Shown,
        interactivity: &Interactivity,
    ) -> BTreeSet<CellId> {
        let is_undrawn = |(cell, keys): (&CellId, &BTreeMap<Key, usize>)| {
            let run = self.all.get(*keys.get(&Key::new())?)?.run?;
            let json = serde_json::to_vec(&run.outputs).ok()?;
            json.windows(VEGA.len()).find(|it| *it == VEGA)?;
            let span = notebook.cell(*cell)?.head();
            let interactivity =
                Interactivity { charts: interactivity.charts.clone(), ..Interactivity::default() };
            let place = OutputPosition { span, scope: "s" };
            output::cell(run, &place, shown, &interactivity).value.has_undrawn.then_some(*cell)
        };
        self.by_cell.iter().filter_map(is_undrawn).collect()
    }

    /// Renders all runs, in their order. Ids and rules of states never meet those of the first paint.
    fn render(
        &self,
        notebook: &Notebook,
        shown: &Shown,
        interactivity: &Interactivity,
    ) -> Vec<Parsed<RenderedCell>> {
        let undrawn = self.undrawn(notebook, shown, interactivity);
        let one = |job: &Job<'_>| {
            let Some(run) = job.run else {
                return Parsed { value: Default::default(), diagnostics: Vec::new() };
            };
            let span = notebook.cell(job.cell).map_or(Span::new(notebook.source, 0, 0), Cell::head);
            let scope = format!("s{}", job.cell.0 + 1);
            let mut charts = interactivity.charts.clone();
            if undrawn.contains(&job.cell) {
                charts.remove(&Kind::Vega);
            }
            let interactivity = Interactivity {
                charts,
                runtimes: interactivity.runtimes.clone(),
                widgets: Arc::clone(&job.live),
                is_state: true,
                neighbours: interactivity.neighbours.clone(),
                ..Interactivity::default()
            };
            let place = OutputPosition { span, scope: &scope };
            let cell = notebook.cell(job.cell);
            let is_markdown = cell.is_some_and(|it| it.options.prints_markdown);
            let printed = is_markdown.then(|| output::printed_markdown(run));
            let run = printed.as_ref().unwrap_or(run);
            let mut parsed = output::cell(run, &place, shown, &interactivity);
            let refused = cell.map(|it| output::refused_files(it, &parsed.value.refused));
            parsed.diagnostics.extend(refused.into_iter().flatten());
            parsed
        };
        // Threads of another pool would take up the next one, and the next, while they wait for each.
        let cancel = Cancel::current();
        output::on_big_stack(|| self.all.par_iter().map(|it| cancel.during(|| one(it))).collect())
    }
}

/// Bytes that occur in the outputs of a cell with a Vega or Vega-Lite chart.
const VEGA: &[u8] = b"vnd.vega";
/// Bytes that occur in the outputs of a cell with inputs: marimo's, and ipywidgets.
const INPUTS: [&[u8]; 2] = [b"marimo-ui-element", b"jupyter.widget-view+json"];

fn is_failed(run: &CellRun) -> bool {
    matches!(run.status, CellStatus::Failed { .. })
}

/// Findings, of which only the first few of a kind are told for each cell.
#[derive(Default)]
struct LimitedFindings {
    all: Vec<Diagnostic>,
    known: BTreeSet<(Code, Span, String)>,
    counts: BTreeMap<(Code, Span), usize>,
}

impl LimitedFindings {
    fn warn(&mut self, span: Span, message: &str) {
        let message = format!("states of the page are left out: {message}");
        self.extend(vec![Diagnostic::warning(Code::BrokenState, span, message)]);
    }

    fn extend(&mut self, diagnostics: Vec<Diagnostic>) {
        for it in diagnostics {
            if !self.known.insert((it.code, it.span, it.message.clone())) {
                continue;
            }
            let count = self.counts.entry((it.code, it.span)).or_default();
            *count += 1;
            if *count <= MOST_TOLD {
                self.all.push(it);
            }
        }
    }

    /// Findings of the outputs, of failed cells, and of unusable results.
    fn sweep(
        &mut self,
        notebook: &Notebook,
        record: &RunRecord,
        read: &Read<'_>,
        rendered: Vec<Parsed<RenderedCell>>,
    ) {
        for parsed in rendered {
            self.extend(parsed.diagnostics);
        }
        self.failures(notebook, record, read);
        let file = Span::new(notebook.source, 0, 0);
        for (reason, count) in &read.dropped {
            self.warn(file, &format!("{reason} ({count}×)"));
        }
    }

    /// Cells that fail in some states, and not in the run itself.
    fn failures(&mut self, notebook: &Notebook, record: &RunRecord, read: &Read<'_>) {
        for (id, given) in &read.given {
            let Some(cell) = notebook.cell(*id).filter(|it| !it.options.raises_exception) else {
                continue;
            };
            let errors = given.values().filter_map(|it| match &it.run?.status {
                CellStatus::Failed { error } => Some(error),
                _ => None,
            });
            let errors: Vec<_> = errors.collect();
            let fails_anyway = record.cells.get(id).is_some_and(is_failed);
            let Some(first) = errors.first().filter(|_| !fails_anyway) else { continue };
            let message = format!(
                "the cell raised `{}` in {} of its {} states, which show a neutral box: {}",
                first.name,
                errors.len(),
                given.len() + 1,
                first.message
            );
            self.extend(vec![Diagnostic::warning(Code::CellFailed, cell.head(), message)]);
        }
    }
}
