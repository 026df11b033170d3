//! A cleared record to a page: the only way, for builds and for `nbc render`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use camino::Utf8Path;

use super::analysis::Analyzed;
use super::clearance::Cleared;
use super::document::{self, Unlinked};
use super::events::Events;
use super::failures;
use super::inputs::Input;
use super::links::Origin;
use super::options::Settings;
use super::remote::Remote;
use super::runtimes::Charts;
use super::timings::{Phase, Timings};
use super::{Failure, allowed, exposure};
use crate::charts::{Kind, KnownRuntime, Runtime};
use crate::diagnostic::{self, Diagnostic, Parsed};
use crate::notebook::Notebook;
use crate::output::{Interactivity, Neighbours};
use crate::process::Limits;
use crate::run::record::CellStatus;
use crate::run::{OnError, RunRecord};
use crate::secret::{self, Scanner};
use crate::site::SitePath;
use crate::source::Sources;

/// Settings and parts shared by all pages of a build.
#[derive(Clone, Copy)]
pub(super) struct PageMaker<'a> {
    pub(super) settings: &'a Settings,
    pub(super) sources: &'a Sources,
    pub(super) charts: &'a Charts,
    pub(super) scanner: &'a Scanner,
    pub(super) timings: &'a Timings,
    pub(super) events: &'a dyn Events,
    /// Bounds of the runs; `None` for runs that are over.
    pub(super) limits: Option<&'a Limits>,
}

/// Programs that draw the charts of a page.
pub(super) struct Drawing<'a> {
    /// Programs of the notebook's environment that the user trusts.
    pub(super) own: BTreeMap<Kind, Arc<Runtime>>,
    /// The version of a library in the notebook's environment.
    pub(super) made_by: &'a dyn Fn(Kind) -> Option<String>,
    /// Gets a program.
    pub(super) have: &'a dyn Fn(&'static KnownRuntime) -> Result<Runtime, Failure>,
}

impl PageMaker<'_> {
    /// Makes the page of a notebook. `None` when findings forbid one.
    pub(super) fn page(
        &self,
        analyzed: &Analyzed,
        path: &SitePath,
        record: &Cleared<RunRecord>,
        drawing: &Drawing<'_>,
    ) -> Parsed<Option<Unlinked>> {
        let Analyzed { input, notebook, .. } = analyzed;
        let tolerated = self.settings.on_error == OnError::Continue;
        let mut diagnostics = failures::failures(notebook, record.get(), tolerated, self.limits);
        for failure in &diagnostics {
            log_traceback(self.events, &input.path, failure, record.get(), notebook);
        }
        if diagnostic::has_errors(&diagnostics) {
            return Parsed { value: None, diagnostics };
        }
        let origin = Origin { page: path, notebook: &input.relative };
        let page = &self.settings.page;
        let islands = self.settings.trust.islands(origin.notebook);
        let versions: BTreeMap<Kind, String> =
            drawing.own.iter().map(|(kind, it)| (*kind, it.version().to_owned())).collect();
        let compile = |live: &BTreeSet<Kind>| {
            let interactivity = Interactivity {
                neighbours: Some(Arc::new(self.neighbours(input))),
                charts: live.clone(),
                islands: islands.clone(),
                runtimes: versions.clone(),
                ..Interactivity::default()
            };
            self.timings.measure(Phase::Output, || {
                document::document(notebook, &analyzed.graph, record, origin, page, &interactivity)
            })
        };
        let mut made = self.charts.compile(compile, &drawing.own, drawing.made_by, drawing.have);
        let text = self.sources.get(notebook.source).text();
        made.diagnostics.extend(made.value.offer_source(text, notebook, page));
        let exposed = self.timings.measure(Phase::Exposure, || {
            let mut exposed = exposure::in_page(&made.value, notebook, self.scanner);
            exposed.extend(exposure::leaks_in_page(&made.value, notebook, &self.settings.allowed));
            exposed
        });
        if self.settings.is_strict {
            allowed::refuse_removals(&mut made.diagnostics);
        }
        let failed = diagnostic::has_errors(&made.diagnostics) || !exposed.is_empty();
        diagnostics.extend(made.diagnostics);
        diagnostics.extend(exposed);
        Parsed { value: (!failed).then_some(made.value), diagnostics }
    }
}

impl PageMaker<'_> {
    /// The files beside a notebook, and pictures of the web, of which the page shows some.
    fn neighbours(&self, input: &Input) -> Neighbours {
        let (root, folder) = input.place();
        let allowed = Arc::clone(&self.settings.allowed);
        let search = move |text: &[u8]| {
            let leaks = secret::leaks(text).into_iter();
            leaks.filter(|it| !allowed.holds(it)).map(|it| it.what.to_owned()).next()
        };
        let remote = self.settings.remote.as_ref().map(Remote::pictures);
        Neighbours::new(root, folder, Box::new(search)).with_remote(remote)
    }
}

/// The traceback goes to the build log, never to a page.
fn log_traceback(
    events: &dyn Events,
    path: &Utf8Path,
    failure: &Diagnostic,
    record: &RunRecord,
    notebook: &Notebook,
) {
    let cell = notebook.cells().find(|(_, cell)| {
        let whole = cell.whole();
        whole.source == failure.span.source
            && whole.start <= failure.span.start
            && failure.span.end <= whole.end
    });
    let run = cell.and_then(|(id, _)| record.cells.get(&id));
    if let Some(CellStatus::Failed { error }) = run.map(|run| &run.status) {
        events.quote(&format!("{path}: a cell failed:"), &error.traceback);
    }
}
