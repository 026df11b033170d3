//! One notebook, from what was read of it to its page: phases 3 to 7, for several notebooks at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use camino::Utf8Path;

use super::charts::Charts;
use super::command::Analyzed;
use super::compile::{self, Compiled};
use super::exposure;
use super::grants::Granted;
use super::inputs::Input;
use super::links::Origin;
use super::preparation::Preparation;
use super::progress::Progress;
use super::publishing;
use super::settings::{Goal, Settings};
use super::states;
use super::timings::{Phase, Timings};
use super::workers::Turns;
use super::{Failure, cache_folder};
use crate::cache::{Cache, Key, Kind as Entry, Trees};
use crate::charts::{Kind, Known, Runtime};
use crate::cli::args::{Execute, Format};
use crate::diagnostic::{self, Code, Diagnostic, Parsed};
use crate::emit::Provenance;
use crate::emit::manifest::Granted as Names;
use crate::environment::{Environment, Lock};
use crate::graph::{CellGraph, RunnableGraph};
use crate::notebook::Notebook;
use crate::output::Alive;
use crate::output::mask::{Host, Masks};
use crate::process::{Isolation, Layer};
use crate::render::Document;
use crate::run::grants::Shown;
use crate::run::record::CellStatus;
use crate::run::remembered::{self, NotKept, Remembered, Unchecked};
use crate::run::stored::{self, Policy};
use crate::run::warm::Brood;
use crate::run::{self, OnError, Places, RunPlan, RunRecord, RunnerFolder};
use crate::site::{Integrity, SitePath};
use crate::source::{Source, Sources};

/// What notebooks share; what not all of them need is made when the first one needs it.
pub(super) struct Builder<'a> {
    pub(super) settings: Settings,
    pub(super) granted: &'a Granted,
    pub(super) sources: &'a Sources,
    pub(super) timings: &'a Timings,
    pub(super) preparation: Preparation,
    pub(super) runner: OnceLock<RunnerFolder>,
    pub(super) charts: Charts,
    /// What earlier builds found out; `None`: everything is run.
    pub(super) cache: Option<Arc<Cache>>,
    pub(super) trees: Arc<Trees>,
    pub(super) unchecked: Unchecked,
    /// Number of runs that earlier builds had kept.
    pub(super) known: AtomicUsize,
    /// As many runs as there is memory for.
    pub(super) turns: Turns,
    /// What is taken out of outputs that no run of this build gave.
    pub(super) masks_of_stored: OnceLock<Masks>,
}

/// What one of those has that work on notebooks at the same time.
pub(super) struct Worker<'a> {
    pub(super) progress: Progress,
    /// Notebooks that are forked from one process, and the place of the next one among them.
    pub(super) brood: Option<(Brood<'a>, usize)>,
}

/// A notebook that can be built: phases 3 and 4 are done, as far as it takes them.
pub(super) struct Task {
    pub(super) input: Input,
    pub(super) notebook: Notebook,
    graph: CellGraph,
    path: SitePath,
    /// `None`: it is published as stored.
    run: Option<TaskRun>,
}

/// What a run needs beside its plan.
struct TaskRun {
    environment: Environment,
    key: Option<Key>,
    /// Whether an earlier build kept a run of this key.
    is_kept: bool,
}

impl Task {
    /// Whether a process has to run it, as far as is known.
    pub(super) fn is_to_run(&self) -> bool {
        self.run.as_ref().is_some_and(|it| !it.is_kept)
    }
}

/// What comes before the run of a notebook.
pub(super) enum Prepared {
    /// It can be built. The plan is apart, for it outlives the rest.
    Task(Box<Task>, Option<RunPlan>),
    /// It cannot.
    Nothing(Outcome),
}

/// What one notebook became.
pub(super) struct Built<D> {
    pub(super) document: D,
    pub(super) provenance: Provenance,
}

/// What came of a notebook.
#[derive(Default)]
pub(super) struct Outcome {
    /// Its page, unless its findings forbid one.
    pub(super) built: Option<Built<Compiled>>,
    /// Findings of phases 3 to 7.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Why it has no environment.
    pub(super) without_environment: Option<Failure>,
    /// Its inputs and their states, where these were asked for.
    pub(super) listed: Option<String>,
}

/// A record, and how it came about.
struct Ran {
    record: RunRecord,
    environment: Option<Environment>,
    layers: Vec<Layer>,
    granted: Names,
    /// Paths of the host that the run could see.
    masks: Vec<(String, String)>,
}

impl Ran {
    /// What is taken out of the outputs. Where every layer holds, a run cannot have seen what the host is called: its
    /// page must not depend on where it was built.
    fn masks(&self) -> Masks {
        let saw_host = self.layers.is_empty() || self.layers.iter().any(|it| !it.active);
        let mut host = Host::this();
        if !saw_host {
            host.names.clear();
        }
        let environment = self.environment.iter().flat_map(|it| &it.masks);
        let environment = environment.map(|(path, shown)| (path.clone(), (*shown).to_owned()));
        Masks::new(self.masks.iter().cloned().chain(environment), host)
    }
}

impl Builder<'_> {
    /// Phases 3 and 4 of one notebook.
    ///
    /// # Errors
    /// What keeps nbc from working on any notebook.
    pub(super) fn prepare(
        &self,
        progress: &Progress,
        analyzed: Analyzed,
        path: SitePath,
    ) -> Result<Prepared, Failure> {
        let Analyzed { input, notebook, graph } = analyzed;
        if stored::is_published_as_stored(&notebook, policy(self.settings.execute)) {
            let task = Task { input, notebook, graph, path, run: None };
            return Ok(Prepared::Task(Box::new(task), None));
        }
        // The findings that forbid a run are told since the analysis.
        let Ok(graph) = graph.into_runnable() else {
            return Ok(Prepared::Nothing(Outcome::default()));
        };
        let absolute = camino::absolute_utf8(&input.path)?;
        progress.moment(&format!("{}: preparing its environment", input.path));
        let limits = &self.settings.bounds.process;
        let environment = self.timings.measure(Phase::Environment, || {
            self.preparation.environment(&notebook, &input, limits, progress)
        });
        let environment = match environment {
            Ok(environment) => environment,
            Err(failure) if self.settings.keeps_going => {
                let without_environment = Some(failure);
                return Ok(Prepared::Nothing(Outcome {
                    without_environment,
                    ..Outcome::default()
                }));
            }
            Err(failure) => return Err(failure),
        };
        let plan = self.plan(&notebook, &graph, &input, &absolute, &environment)?;
        let key = self
            .timings
            .measure(Phase::Cache, || self.key(&plan, &environment, &input.path, progress))?;
        let is_kept = match (&self.cache, &key) {
            (Some(cache), Some(key)) => cache.has(Entry::Run, key),
            _ => false,
        };
        let run = Some(TaskRun { environment, key, is_kept });
        let task = Task { input, notebook, graph: graph.into_graph(), path, run };
        Ok(Prepared::Task(Box::new(task), Some(plan)))
    }

    /// Phases 5 to 7 of one notebook.
    ///
    /// # Errors
    /// What keeps nbc from working on any notebook.
    pub(super) fn build(
        &self,
        worker: &mut Worker<'_>,
        task: Task,
        plan: Option<&RunPlan>,
    ) -> Result<Outcome, Failure> {
        let mut outcome = Outcome::default();
        outcome.built = self.page(worker, task, plan, &mut outcome)?;
        Ok(outcome)
    }

    fn page(
        &self,
        worker: &mut Worker<'_>,
        task: Task,
        plan: Option<&RunPlan>,
        outcome: &mut Outcome,
    ) -> Result<Option<Built<Compiled>>, Failure> {
        let Task { input, notebook, graph, path, run } = task;
        let path = &path;
        let is_stored = run.is_none();
        let mut ran = match (run, plan) {
            (Some(run), Some(plan)) => {
                let ran = self.execute(worker, &input, &notebook, run, plan, outcome)?;
                let Some(ran) = ran else { return Ok(None) };
                ran
            }
            _ => {
                let diagnostics = &mut outcome.diagnostics;
                let record =
                    self.timings.measure(Phase::Analyze, || as_stored(&notebook, diagnostics));
                let (layers, granted) = (Vec::new(), Names::default());
                Ran { record, environment: None, layers, granted, masks: Vec::new() }
            }
        };
        let Outcome { diagnostics, listed, .. } = outcome;
        if let Some(sweep) = &ran.record.sweep {
            diagnostics.extend(states::findings(&notebook, sweep));
        }
        if self.settings.goal == Goal::List {
            let states = states::Listed::of(input.path.as_str(), &ran.record);
            let is_json = self.settings.format == Format::Json;
            *listed = Some(if is_json { states.json() } else { states.text() });
            return Ok(None);
        }
        let unknown = states::choose(&mut ran.record, &self.settings.chosen, &notebook);
        if !unknown.is_empty() {
            diagnostics.extend(unknown);
            return Ok(None);
        }
        self.draw_charts(worker, &mut ran.record);
        let (scanner, allowed) = (&self.granted.scanner, &self.settings.allowed);
        let (exposed, masked) = self.timings.measure(Phase::Exposure, || {
            let mut exposed = exposure::in_record(&mut ran.record, &notebook, scanner);
            exposed.extend(exposure::leaks_in_record(&mut ran.record, &notebook, allowed));
            let own = (!is_stored).then(|| ran.masks());
            // Nothing of a run is in what was stored.
            let masks = own.as_ref().unwrap_or_else(|| {
                self.masks_of_stored.get_or_init(|| Masks::new([], Host::this()))
            });
            (exposed, masks.record(&mut ran.record))
        });
        diagnostics.extend(exposure::masked(&notebook, masked));
        if !exposed.is_empty() {
            diagnostics.extend(exposed);
            return Ok(None);
        }
        if let Some(folder) = &self.settings.record {
            let name = path.as_str().trim_end_matches(".html").replace('/', "-");
            fs_err::create_dir_all(folder)?;
            ran.record.source = Some(run::source_digest(self.sources, &notebook));
            ran.record.store(&folder.join(format!("{name}.run.json")))?;
        }
        let tolerated = self.settings.on_error == OnError::Continue;
        let failures = {
            let limits = &self.settings.bounds.process;
            compile::failures(&notebook, &ran.record, tolerated, Some(limits))
        };
        let failed = diagnostic::has_errors(&failures);
        for failure in &failures {
            log_traceback(&worker.progress, &input.path, failure, &ran.record, &notebook);
        }
        diagnostics.extend(failures);
        if failed {
            return Ok(None);
        }
        let origin = Origin { page: path, notebook: &input.relative };
        let mut document = self.document(worker, &notebook, &graph, &ran, origin);
        let source = self.sources.get(notebook.source);
        let text = source.text();
        let told = document.value.offer_source(text, notebook.source, &self.settings.page);
        document.diagnostics.extend(told);
        let (scanner, allowed) = (&self.granted.scanner, &self.settings.allowed);
        let exposed = self.timings.measure(Phase::Exposure, || {
            let mut exposed = exposure::in_page(&document.value, &notebook, scanner);
            exposed.extend(exposure::leaks_in_page(&document.value, &notebook, allowed));
            exposed
        });
        if self.settings.is_strict {
            publishing::refuse_removals(&mut document.diagnostics);
        }
        let failed = diagnostic::has_errors(&document.diagnostics) || !exposed.is_empty();
        diagnostics.extend(document.diagnostics);
        diagnostics.extend(exposed);
        if failed {
            return Ok(None);
        }
        let mut provenance = self.timings.measure(Phase::Emit, || {
            provenance(document.value.document(), input.relative.as_str(), source, &ran)
        });
        // Their names tell what a company calls its own.
        if !self.settings.page.names_packages() {
            provenance.packages.clear();
        }
        Ok(Some(Built { document: document.value, provenance }))
    }

    /// Pictures of charts that are there as data only.
    fn draw_charts(&self, worker: &Worker<'_>, record: &mut RunRecord) {
        self.draw_undrawn(worker, stored::undrawn(record));
        // Who sees another state has scripts, and those draw its charts. Apart, since states may have more charts
        // than there is time for.
        if !self.charts.are_live(Kind::Vega) {
            self.draw_undrawn(worker, stored::undrawn_states(record));
        }
    }

    fn draw_undrawn(&self, worker: &Worker<'_>, undrawn: Vec<stored::Undrawn<'_>>) {
        if undrawn.is_empty() {
            return;
        }
        // Many states may have the same chart.
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        let mut charts = Vec::new();
        let places: Vec<usize> = undrawn
            .iter()
            .map(|it| {
                *known.entry(it.chart.to_string()).or_insert_with(|| {
                    charts.push(it.chart.clone());
                    charts.len() - 1
                })
            })
            .collect();
        let limits = &self.settings.bounds.process;
        let drawn = self.timings.measure(Phase::Environment, || {
            self.preparation.draw(&charts, limits, &worker.progress)
        });
        match drawn {
            Ok(drawn) => {
                for (chart, place) in undrawn.into_iter().zip(places) {
                    if let Some(Some(svg)) = drawn.get(place) {
                        chart.draw(svg.clone());
                    }
                }
            }
            Err(failure) => worker
                .progress
                .warning(&format!("charts have no still pictures: {}", failure.message)),
        }
    }

    /// Phase 7, and what its charts are drawn with.
    fn document(
        &self,
        worker: &Worker<'_>,
        notebook: &Notebook,
        graph: &CellGraph,
        ran: &Ran,
        origin: Origin<'_>,
    ) -> Parsed<Compiled> {
        let page = &self.settings.page;
        let trust = &self.settings.trust;
        let islands = trust.islands(origin.notebook);
        let environment = ran.environment.as_ref();
        let own: BTreeMap<Kind, Arc<Runtime>> = match trust.runtimes() {
            // Without a digest of the author's, what an environment has is what nbc has.
            trusted if trusted.is_empty() => BTreeMap::new(),
            trusted => [Kind::Bokeh, Kind::Plotly]
                .into_iter()
                .filter_map(|kind| Some((kind, Arc::new(environment?.own_runtime(kind, trusted)?))))
                .collect(),
        };
        let versions: BTreeMap<Kind, String> =
            own.iter().map(|(kind, it)| (*kind, it.version().to_owned())).collect();
        let compile = |live: &BTreeSet<Kind>| {
            let alive = Alive {
                charts: live.clone(),
                islands: islands.clone(),
                runtimes: versions.clone(),
                ..Alive::default()
            };
            self.timings.measure(Phase::Output, || {
                compile::document(notebook, graph, &ran.record, origin, page, &alive)
            })
        };
        let lock = ran.environment.as_ref().and_then(|it| it.lock.as_ref());
        let made_by = |kind: Kind| lock?.packages.get(kind.name()).cloned();
        let (preparation, progress) = (&self.preparation, &worker.progress);
        let limits = &self.settings.bounds.process;
        let none = BTreeSet::new();
        let have = |known: &'static Known| {
            let own = environment.and_then(|it| it.own_runtime(known.kind, &none));
            if let Some(runtime) = own.filter(|it| it.version() == known.version) {
                return Ok(runtime);
            }
            self.timings
                .measure(Phase::Environment, || preparation.runtime(known, limits, progress))
        };
        self.charts.compile(compile, &own, made_by, have)
    }

    /// Phase 5. `None` when the run gave no record; a finding says why.
    fn execute(
        &self,
        worker: &mut Worker<'_>,
        input: &Input,
        notebook: &Notebook,
        run: TaskRun,
        plan: &RunPlan,
        outcome: &mut Outcome,
    ) -> Result<Option<Ran>, Failure> {
        let TaskRun { environment, key, is_kept } = run;
        let (path, Worker { progress, brood }) = (&input.path, worker);
        let key = self.cache.as_deref().zip(key);
        let kept = key.as_ref().filter(|_| is_kept).and_then(|(cache, key)| {
            self.timings.measure(Phase::Cache, || remembered::find(cache, key))
        });
        if let Some(Remembered { layers, masks, record }) = kept {
            self.known.fetch_add(1, Ordering::Relaxed);
            let (granted, environment) = (self.granted.names([]), Some(environment));
            return Ok(Some(Ran { record, environment, layers, granted, masks }));
        }
        let sandbox =
            self.timings.measure(Phase::Sandbox, || self.preparation.sandbox(progress))?;
        let turn = brood.is_none().then(|| self.turns.take());
        progress.notebook(path.as_str(), plan.start.order.len());
        let mut execute = |is_first: bool| {
            let result = self.timings.measure(Phase::Run, || match brood {
                Some((brood, place)) if is_first => {
                    *place += 1;
                    brood.execute(*place - 1, notebook, progress)
                }
                _ => run::execute(plan, sandbox, notebook, progress),
            });
            if let Some(time) = progress.sweep_time() {
                self.timings.split(Phase::Run, Phase::States, time);
            }
            result
        };
        let mut result = execute(true)?;
        if self.settings.checks_reproducible
            && let Some(record) = &result.record
        {
            // A process of its own, which never saw another notebook.
            let again = execute(false)?;
            if let Some(again) = &again.record {
                result.diagnostics.extend(states::unsteady(notebook, record, again));
            }
        }
        drop(turn);
        if let Some((cache, key)) = &key {
            self.timings.measure(Phase::Cache, || {
                match remembered::prepare(cache, key, &result, notebook) {
                    Some(entry) => self.unchecked.add(entry, cache, &self.trees),
                    None => self.trees.give_up(),
                }
            });
        }
        let is_cut =
            result.record.as_ref().and_then(|it| it.sweep.as_ref()).is_some_and(|it| it.is_cut);
        if !result.console.trim().is_empty() && (result.record.is_none() || is_cut) {
            let mut console = result.console;
            self.granted.scanner.mask(&mut console);
            crate::secret::mask_leaks(&mut console);
            progress.quote(&format!("{path}: the process said:"), &console);
        }
        let contacted = result.traffic.contacted;
        if !contacted.is_empty() {
            let hosts = contacted.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            progress.line(&format!("{path}: reached {hosts}"));
        }
        let granted = self.granted.names(contacted);
        outcome.diagnostics.extend(result.diagnostics);
        let layers = result.layers;
        let (environment, masks) = (Some(environment), result.masks);
        Ok(result.record.map(|record| Ran { record, environment, layers, granted, masks }))
    }

    /// Phase 4, with what the user opens, and what the notebook sees of its own folder.
    fn plan(
        &self,
        notebook: &Notebook,
        graph: &RunnableGraph,
        input: &Input,
        absolute: &Utf8Path,
        environment: &Environment,
    ) -> Result<RunPlan, Failure> {
        let runner = match self.runner.get() {
            Some(runner) => runner,
            None => {
                let made = RunnerFolder::below(&cache_folder()?)?;
                self.runner.get_or_init(|| made)
            }
        };
        let places = Places { notebook: absolute, runner: runner.path() };
        let mut bounds = self.settings.bounds.clone();
        let folder = absolute.parent().unwrap_or(absolute);
        // A list names each notebook, also those without inputs.
        if self.settings.goal == Goal::List || run::inputs::may_have_inputs(notebook, folder) {
            bounds.sweep.clone_from(&self.settings.sweep);
        }
        if let Some(sweep) = &mut bounds.sweep {
            sweep.samples.extend(notebook.about.samples.clone());
        }
        let patterns = self.settings.inputs(&input.relative, notebook);
        let shown = match (patterns, absolute.file_name()) {
            (Some(patterns), Some(notebook)) => Shown::Inputs { notebook, patterns },
            _ => Shown::Folder,
        };
        let grants = &self.granted.grants;
        let opened = run::grants::open(grants, absolute, &environment.mounts, shown)?;
        let on_error = self.settings.on_error;
        Ok(run::plan::plan(notebook, graph, environment, places, bounds, on_error, opened))
    }

    /// Where the run is kept, if it is.
    fn key(
        &self,
        plan: &RunPlan,
        environment: &Environment,
        path: &Utf8Path,
        progress: &Progress,
    ) -> Result<Option<Key>, Failure> {
        let Some(cache) = self.cache.as_deref().filter(|_| !self.settings.checks_reproducible)
        else {
            return Ok(None);
        };
        // Only the strict level says beforehand which layers hold.
        let layers = match self.preparation.isolation() {
            Isolation::Strict => vec!["strict"],
            _ => {
                let layers = self.preparation.sandbox(progress)?.layers().iter();
                layers.filter(|it| it.active).map(|it| it.name.as_str()).collect()
            }
        };
        match remembered::key(plan, environment, &layers, cache, &self.trees) {
            Ok(key) => Ok(Some(key)),
            Err(reason @ NotKept::Tree(_)) => {
                progress.line(&format!("{path}: its run is not kept for later builds: {reason}"));
                self.trees.give_up();
                Ok(None)
            }
            Err(NotKept::Opened | NotKept::UnknownEnvironment) => {
                self.trees.give_up();
                Ok(None)
            }
        }
    }
}

/// The traceback goes to the build log, never to a page.
fn log_traceback(
    progress: &Progress,
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
        progress.quote(&format!("{path}: a cell failed:"), &error.traceback);
    }
}

pub(super) fn policy(execute: Execute) -> Policy {
    match execute {
        Execute::Auto => Policy::RunIfEmpty,
        Execute::Always => Policy::AlwaysRun,
        Execute::Never => Policy::NeverRun,
    }
}

/// The outputs that the notebook carries; those that cannot be read are findings.
fn as_stored(notebook: &Notebook, diagnostics: &mut Vec<Diagnostic>) -> RunRecord {
    let (record, left_out) = stored::stored(notebook);
    for it in left_out {
        if let Some(cell) = notebook.cell(it.cell) {
            let message = format!("stored output {} is left out: {}", it.position + 1, it.reason);
            diagnostics.push(Diagnostic::warning(Code::InvalidData, cell.head(), message));
        }
    }
    record
}

/// What was installed, and of what was built here: from which source.
fn packages(lock: &Lock) -> Vec<String> {
    let built = lock.built();
    let packages = lock.packages.iter().map(|(name, version)| match built.get(name) {
        Some(source) => format!("{name}=={version} built from sha256-{source}"),
        None => format!("{name}=={version}"),
    });
    packages.collect()
}

fn provenance(document: &Document, place: &str, source: &Source, ran: &Ran) -> Provenance {
    let lock = ran.environment.as_ref().and_then(|it| it.lock.as_ref());
    Provenance {
        path: document.path.clone(),
        title: document.title.clone(),
        source: place.to_owned(),
        source_integrity: Integrity::of_source(source),
        engine: ran.record.engine.name.clone(),
        python: ran.record.engine.python.clone(),
        packages: lock.map(packages).unwrap_or_default(),
        lock: lock.map(|lock| format!("sha256-{}", lock.digest)),
        isolation: ran.layers.clone(),
        granted: ran.granted.clone(),
    }
}
