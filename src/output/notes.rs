//! What is to be said about a cell's outputs: one diagnostic a kind.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use super::chart::PlacedChart;
use crate::charts::{self, Chart, Kind};
use crate::diagnostic::{Code, Diagnostic};
use crate::sanitize::Removed;
use crate::source::Span;

/// Collects findings of one cell.
#[derive(Debug, Default)]
pub(super) struct Notes {
    removed: RefCell<BTreeMap<String, u32>>,
    unsupported: RefCell<BTreeSet<String>>,
    invalid: RefCell<BTreeSet<String>>,
    controls: RefCell<BTreeMap<String, u32>>,
    charts: RefCell<Vec<PlacedChart>>,
    given_up: Cell<usize>,
    /// Kinds of charts that can be live.
    live: BTreeSet<Kind>,
    /// Unique in the page.
    scope: String,
    shortened: RefCell<Vec<String>>,
}

impl Notes {
    pub(super) fn new(scope: &str, live: &BTreeSet<Kind>) -> Self {
        Self { live: live.clone(), scope: scope.to_owned(), ..Self::default() }
    }

    /// Gives a chart its place, if there is a runtime that draws it.
    pub(super) fn live(&self, chart: Chart) -> Option<PlacedChart> {
        if !self.live.contains(&chart.kind()) {
            return None;
        }
        if charts::known(chart.kind(), chart.version()).is_none() {
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

    /// Something that the page can't show; `what` is a noun phrase.
    pub(super) fn unsupported(&self, what: impl Into<String>) {
        let mut all = self.unsupported.borrow_mut();
        if all.len() < 32 {
            all.insert(what.into());
        }
    }

    /// Data that is not what it says; `what` is a clause.
    pub(super) fn invalid(&self, what: impl Into<String>) {
        let mut all = self.invalid.borrow_mut();
        if all.len() < 32 {
            all.insert(what.into());
        }
    }

    /// Something of which only a part is shown; `what` is a noun phrase with its size.
    pub(super) fn shortened(&self, what: String) {
        let mut all = self.shortened.borrow_mut();
        if all.len() < 32 {
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

    pub(super) fn into_diagnostics(self, span: Span) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let removed = self.removed.into_inner();
        if !removed.is_empty() {
            let message = format!("removed from an output: {}", list(&counted(&removed)));
            found.push(Diagnostic::warning(Code::RemovedMarkup, span, message));
        }
        let unsupported: Vec<String> = self.unsupported.into_inner().into_iter().collect();
        if !unsupported.is_empty() {
            let message =
                format!("cannot be shown on a page without Python: {}", list(&unsupported));
            found.push(Diagnostic::warning(Code::UnsupportedOutput, span, message));
        }
        for what in self.invalid.into_inner() {
            found.push(Diagnostic::warning(Code::InvalidData, span, what));
        }
        let shortened = self.shortened.into_inner();
        if !shortened.is_empty() {
            let message = format!("shown only in part: {}", list(&shortened));
            found.push(
                Diagnostic::warning(Code::ShortenedOutput, span, message)
                    .with_help("raise the bound with `--shown-text` and its like"),
            );
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
