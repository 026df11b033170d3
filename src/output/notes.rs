//! Findings about a cell's outputs, joined to one diagnostic a kind.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::placed_chart::PlacedChart;
use super::{Interactivity, Islands, Neighbours, RefusedFile, Shown};
use crate::charts::{self, Chart, Kind};
use crate::diagnostic::{Code, Diagnostic};
use crate::metadata;
use crate::sanitize::{IMAGE_OF_WEB, IslandKind, Removed};
use crate::source::Span;

/// The way to pictures of the web.
const TO_REMOTE: &str = "`nbc lock --remote-images` fetches and pins the pictures of the web that notebooks name, and \
                         `--remote-images` shows those that are pinned";

/// Most files beside the notebook that are told about for one cell.
const MOST_REFUSED: usize = 64;

/// Findings of one kind that are kept.
const MOST: usize = 32;
/// Longest message of an exception, in characters.
const LONGEST_MESSAGE: usize = 300;

/// Spans of the lines of a cell, from 1.
pub(super) type Lines<'a> = &'a dyn Fn(u32) -> Span;

/// A formula that is shown as its source.
#[derive(Debug)]
struct UndrawnFormula {
    line: Option<u32>,
    /// The formula, or its begin.
    shown: String,
}

/// Collects findings of one cell.
#[derive(Debug, Default)]
pub(super) struct Notes {
    removed: RefCell<BTreeMap<String, u32>>,
    unsupported: RefCell<BTreeSet<String>>,
    invalid: RefCell<BTreeSet<String>>,
    controls: RefCell<BTreeMap<String, u32>>,
    failed: RefCell<BTreeSet<String>>,
    charts: RefCell<Vec<PlacedChart>>,
    given_up: Cell<usize>,
    /// Kinds of charts that can be live.
    live: BTreeSet<Kind>,
    /// Versions of the runtimes that are not nbc's own.
    runtimes: BTreeMap<Kind, String>,
    islands: Islands,
    /// Inputs that work, by marimo's id.
    widgets: Arc<BTreeMap<String, u32>>,
    chosen: Arc<BTreeMap<String, serde_json::Value>>,
    is_state: bool,
    has_undrawn: Cell<bool>,
    is_turned: Cell<bool>,
    /// Kinds of islands that would show more, if they were allowed.
    needed: RefCell<BTreeSet<IslandKind>>,
    offered: RefCell<BTreeSet<IslandKind>>,
    /// Features that do not work in the frames.
    confined: RefCell<BTreeSet<String>>,
    helps: RefCell<BTreeSet<String>>,
    /// Unique in the page.
    scope: String,
    shortened: RefCell<Vec<String>>,
    /// Formulas that are shown as their source.
    undrawn_formulas: RefCell<Vec<UndrawnFormula>>,
    /// Labels that references name and no equation has.
    lost_references: RefCell<BTreeSet<String>>,
    /// Rows of a table that are shown.
    rows: Option<usize>,
    neighbours: Option<Arc<Neighbours>>,
    refused: RefCell<BTreeSet<RefusedFile>>,
}

impl Notes {
    pub(super) fn new(scope: &str, interactivity: &Interactivity) -> Self {
        let (live, islands) = (interactivity.charts.clone(), interactivity.islands.clone());
        let runtimes = interactivity.runtimes.clone();
        let widgets = Arc::clone(&interactivity.widgets);
        let chosen = Arc::clone(&interactivity.chosen);
        Self {
            live,
            islands,
            runtimes,
            widgets,
            chosen,
            is_state: interactivity.is_state,
            neighbours: interactivity.neighbours.clone(),
            scope: scope.to_owned(),
            ..Self::default()
        }
    }

    /// With another bound than the usual one for the rows of a table.
    pub(super) fn with_rows(self, rows: usize) -> Self {
        Self { rows: Some(rows), ..self }
    }

    /// With the files beside the notebook.
    pub(super) fn with_neighbours(self, neighbours: Option<&Arc<Neighbours>>) -> Self {
        Self { neighbours: neighbours.cloned(), ..self }
    }

    /// The files beside the notebook, if the page may show some.
    pub(super) fn neighbours(&self) -> Option<&Neighbours> {
        self.neighbours.as_deref()
    }

    /// Notes a file beside the notebook that is not shown, or not as what it says that it is.
    pub(super) fn refuse(&self, file: RefusedFile) {
        let mut all = self.refused.borrow_mut();
        if all.len() < MOST_REFUSED {
            all.insert(file);
        } else if !all.contains(&file) {
            let (address, reason) = ("…".to_owned(), "nor are others that it names".to_owned());
            let RefusedFile { code, is_error, .. } = file;
            let (is_shown, help) = (false, None);
            all.insert(RefusedFile { address, reason, is_shown, help, code, is_error });
        }
    }

    pub(super) fn take_refused(&self) -> Vec<RefusedFile> {
        self.refused.take().into_iter().collect()
    }

    /// Rows of a table that are shown.
    pub(super) fn rows(&self) -> usize {
        self.rows.unwrap_or(Shown::default().rows)
    }

    /// Gives a chart its place, if there is a runtime that draws it.
    pub(super) fn live(&self, chart: Chart) -> Option<PlacedChart> {
        if !self.live.contains(&chart.kind()) {
            return None;
        }
        let own = self.runtimes.get(&chart.kind());
        let is_own = own.is_some_and(|it| charts::fits(chart.kind(), it, chart.version()));
        if !is_own && charts::known(chart.kind(), chart.version()).is_none() {
            let version = chart.version().unwrap_or_default();
            let what = chart.kind().title();
            self.unsupported(format!("the interaction of a chart of {what} {version}"));
            return None;
        }
        let mut all = self.charts.borrow_mut();
        let placed = PlacedChart { id: format!("o-{}-chart-{}", self.scope, all.len() + 1), chart };
        all.push(placed.clone());
        Some(placed)
    }

    /// Which input of the page marimo's id names, if it works.
    pub(super) fn live_input(&self, id: &str) -> Option<u32> {
        self.widgets.get(id).copied()
    }

    /// The value that an input has instead of that of the build.
    pub(super) fn chosen(&self, id: &str) -> Option<&serde_json::Value> {
        self.chosen.get(id)
    }

    /// A chart that the build tried to draw, and could not.
    pub(super) fn undrawn(&self) {
        self.has_undrawn.set(true);
    }

    /// Code that is shown holds a mark that turns the direction of what follows.
    pub(super) fn turned(&self) {
        self.is_turned.set(true);
    }

    pub(super) fn has_undrawn(&self) -> bool {
        self.has_undrawn.get()
    }

    /// Whether the outputs are those of a state.
    pub(super) fn is_state(&self) -> bool {
        self.is_state
    }

    pub(super) fn islands(&self) -> &Islands {
        &self.islands
    }

    /// An output that shows nothing, or less, unless it may run its scripts.
    pub(super) fn need_island(&self, kind: IslandKind) {
        self.needed.borrow_mut().insert(kind);
    }

    /// An output that could run its scripts: told only if something of it cannot be shown.
    pub(super) fn offer_island(&self, kind: IslandKind) {
        self.offered.borrow_mut().insert(kind);
    }

    /// Notes the features that do not work in the frame of an output.
    pub(super) fn confined(&self, what: &str, losses: &[String]) {
        let text = format!("in the frame of {what} there is no use of {}", losses.join("; "));
        self.confined.borrow_mut().insert(text);
    }

    /// Adds a hint about an output that cannot be shown.
    pub(super) fn help(&self, text: &str) {
        self.helps.borrow_mut().insert(text.to_owned());
    }

    /// Notes an exception raised by a widget's code.
    pub(super) fn failed(&self, name: &str, message: &str) {
        let mut all = self.failed.borrow_mut();
        if all.len() < 8 {
            let message: String = message.chars().take(LONGEST_MESSAGE).collect();
            all.insert(format!("the code of a widget raised `{name}`: {message}"));
        }
    }

    /// Counts something that took too long.
    pub(super) fn give_up(&self) {
        self.given_up.set(self.given_up.get() + 1);
    }

    pub(super) fn given_up(&self) -> usize {
        self.given_up.get()
    }

    pub(super) fn take_charts(&self) -> Vec<PlacedChart> {
        self.charts.take()
    }

    pub(super) fn removed(&self, removed: &[Removed]) {
        let mut all = self.removed.borrow_mut();
        for it in removed {
            *all.entry(it.what.clone()).or_insert(0) += it.count;
        }
    }

    /// Notes an output that the page can't show; `what` is a noun phrase.
    pub(super) fn unsupported(&self, what: impl Into<String>) {
        let mut all = self.unsupported.borrow_mut();
        if all.len() < MOST {
            all.insert(what.into());
        }
    }

    /// Notes a formula that is shown as its source; `line` is that of the cell, if it has one there.
    pub(super) fn undrawn_formula(&self, written: &str, line: Option<u32>) {
        const LONGEST: usize = 60;
        let one_line: String = written.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut shown: String = one_line.chars().take(LONGEST).collect();
        if shown.len() < one_line.len() {
            shown.push('…');
        }
        self.undrawn_formulas.borrow_mut().push(UndrawnFormula { line, shown });
    }

    /// Findings about formulas, each at its line.
    pub(super) fn undrawn_formulas(&self, span: Span, lines: Lines<'_>) -> Vec<Diagnostic> {
        let all = self.undrawn_formulas.take();
        let more = all.len().saturating_sub(MOST);
        let mut found: Vec<_> = all
            .into_iter()
            .take(MOST)
            .map(|it| {
                let span = it.line.map_or(span, lines);
                let message = format!("`{}` cannot be drawn, and is shown as its source", it.shown);
                Diagnostic::warning(Code::UndrawnFormula, span, message)
            })
            .collect();
        if more > 0 {
            let message = format!(
                "{more} more formulas of this cell cannot be drawn, and are shown as their source"
            );
            found.push(Diagnostic::warning(Code::UndrawnFormula, span, message));
        }
        found
    }

    /// Notes a reference to an equation that the page does not have.
    pub(super) fn lost_reference(&self, label: &str) {
        let mut all = self.lost_references.borrow_mut();
        if all.len() < MOST {
            all.insert(format!("`{label}`"));
        }
    }

    /// Notes malformed data; `what` is a clause.
    pub(super) fn invalid(&self, what: impl Into<String>) {
        let mut all = self.invalid.borrow_mut();
        if all.len() < MOST {
            all.insert(what.into());
        }
    }

    /// Notes an output that is shown in part; `what` is a noun phrase with its size.
    pub(super) fn shortened(&self, what: String) {
        let mut all = self.shortened.borrow_mut();
        if all.len() < MOST {
            all.push(what);
        }
    }

    /// A control that does nothing without Python.
    pub(super) fn control(&self, kind: &str) {
        *self.controls.borrow_mut().entry(kind.to_owned()).or_insert(0) += 1;
    }

    pub(super) fn has_controls(&self) -> bool {
        !self.controls.borrow().is_empty()
    }

    /// The finding about outputs that need more than a page, with the flags that let them have it.
    fn unsupported_outputs(&self, span: Span) -> Option<Diagnostic> {
        let unsupported: Vec<String> = self.unsupported.take().into_iter().collect();
        if unsupported.is_empty() {
            return None;
        }
        let message = format!("cannot be shown on a page without Python: {}", list(&unsupported));
        let mut diagnostic = Diagnostic::warning(Code::UnsupportedOutput, span, message);
        let needed = match self.needed.take() {
            needed if needed.is_empty() => self.offered.take(),
            needed => needed,
        };
        let mut helps: Vec<String> = self.helps.take().into_iter().collect();
        if !needed.is_empty() {
            let flags: Vec<String> =
                needed.iter().map(|it| format!("`--allow-island {}`", it.name())).collect();
            helps.push(format!(
                "{} lets it run its own scripts, in a frame without network and without access to the page",
                flags.join(" ")
            ));
        }
        if !helps.is_empty() {
            diagnostic = diagnostic.with_help(helps.join("; "));
        }
        Some(diagnostic)
    }

    pub(super) fn into_diagnostics(self, span: Span) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let mut removed = self.removed.take();
        if removed.remove(metadata::STUCK_IMAGE).is_some() {
            let message = format!("an image {}", metadata::STUCK);
            found.push(Diagnostic::warning(Code::StuckMetadata, span, message));
        }
        if !removed.is_empty() {
            let message = format!("removed from an output: {}", list(&counted(&removed)));
            let diagnostic = Diagnostic::warning(Code::RemovedMarkup, span, message);
            found.push(match removed.contains_key(IMAGE_OF_WEB) {
                true => diagnostic.with_help(TO_REMOTE),
                false => diagnostic,
            });
        }
        if self.is_turned.get() {
            let message =
                "code that is shown holds a character that turns the direction of writing";
            let help = "it may read as something else than what it is; write it as an escape, or remove it";
            found.push(Diagnostic::warning(Code::TurnedText, span, message).with_help(help));
        }
        found.extend(self.unsupported_outputs(span));
        found.extend(self.undrawn_formulas(span, &|_| span));
        for message in self.confined.into_inner() {
            found.push(Diagnostic::warning(Code::ConfinedOutput, span, message));
        }
        for what in self.invalid.into_inner() {
            found.push(match what.ends_with(metadata::STUCK) {
                true => Diagnostic::warning(Code::StuckMetadata, span, what),
                false => Diagnostic::warning(Code::InvalidData, span, what),
            });
        }
        let labels: Vec<String> = self.lost_references.take().into_iter().collect();
        if !labels.is_empty() {
            let message = format!("no equation of this page has the label {}", list(&labels));
            found.push(Diagnostic::warning(Code::DeadAnchor, span, message));
        }
        let shortened = self.shortened.into_inner();
        if !shortened.is_empty() {
            let message = format!("shown only in part: {}", list(&shortened));
            found.push(
                Diagnostic::warning(Code::ShortenedOutput, span, message)
                    .with_help("raise the bound: `--shown-text`, `--max-rows` and their like"),
            );
        }
        for message in self.failed.into_inner() {
            found.push(Diagnostic::warning(Code::CellFailed, span, message));
        }
        let controls = self.controls.into_inner();
        if !controls.is_empty() {
            let message = format!(
                "shown with the value of the build, but disabled: {}",
                list(&counted(&controls))
            );
            found.push(Diagnostic::warning(Code::StaticWidget, span, message));
        }
        found
    }
}

fn counted(items: &BTreeMap<String, u32>) -> Vec<String> {
    items
        .iter()
        .map(|(what, count)| if *count == 1 { what.clone() } else { format!("{what} ({count}×)") })
        .collect()
}

/// The first few, so that a message stays a line.
fn list(items: &[String]) -> String {
    const MOST: usize = 6;
    let shown = items.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    match items.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
