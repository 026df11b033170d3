//! One notebook, from what was read of it to its page: phases 3 to 7, for several notebooks at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use camino::{Utf8Path, Utf8PathBuf};

use super::analysis::Analyzed;
use super::basis::{self, Basis, Now};
use super::clearance::{self, Cleared, Rules};
use super::document::Unlinked;
use super::events::{Events, Watched};
use super::grants::Granted as Grants;
use super::inputs::Input;
use super::options::{Goal, Settings};
use super::page::{Drawing, PageMaker};
use super::page_key::{PageParts, SiteParts};
use super::preparation::Preparation;
use super::runtimes::Charts;
use super::states;
use super::timings::{Phase, Timings};
use super::workers::Semaphore;
use super::{Failure, cache_folder};
use crate::cache::{Cache, Key, KeyBuilder, Kind as Entry, Trees};
use crate::charts::{Kind, KnownRuntime, Runtime};
use crate::diagnostic::{Code, Diagnostic, Parsed};
use crate::emit::Provenance;
use crate::environment::{Environment, Lock};
use crate::graph::RunnableGraph;
use crate::notebook::Notebook;
use crate::output::mask::{Host, Masks};
use crate::process::{Isolation, Layer};
use crate::run::grants::{GrantError, Shown};
use crate::run::reach::Reach;
use crate::run::record::{Facts, Granted, Package};
use crate::run::remembered::{self, NotKept, Parts, Remembered, Unchecked};
use crate::run::stored::{self, stored};
use crate::run::warm::BatchRun;
use crate::run::{self, HostPaths, RunPlan, RunRecord, RunnerFolder};
use crate::site::{Integrity, SitePath};
use crate::source::{Source, Sources};

/// State shared by all notebooks of a build; optional parts are created lazily.
pub(super) struct Builder<'a> {
    pub(super) settings: Settings,
    pub(super) granted: &'a Grants,
    pub(super) sources: &'a Sources,
    /// Paths that the build was called with, absolute.
    pub(super) paths: &'a [Utf8PathBuf],
    pub(super) timings: &'a Timings,
    pub(super) preparation: Preparation,
    pub(super) runner: OnceLock<RunnerFolder>,
    pub(super) charts: Charts,
    /// Results of earlier builds; `None`: everything is run.
    pub(super) cache: Option<Arc<Cache>>,
    pub(super) trees: Arc<Trees>,
    /// Everything that decides about pages, where it is known.
    pub(super) site_parts: Option<&'a SiteParts>,
    pub(super) unchecked: Unchecked,
    /// Number of runs that earlier builds had kept.
    pub(super) known: AtomicUsize,
    /// Limits the number of runs by the memory that there is.
    pub(super) semaphore: Semaphore,
    /// Names that are masked in outputs that no run of this build gave.
    pub(super) masks_of_stored: OnceLock<Masks>,
}

/// State of one worker thread.
pub(super) struct Worker<'a> {
    pub(super) events: Box<dyn Events>,
    /// Notebooks that are forked from one process, and the place of the next one among them.
    pub(super) batch_run: Option<(BatchRun<'a>, usize)>,
}

/// A notebook that can be built: phases 3 and 4 are done, as far as it takes them.
pub(super) struct Task {
    pub(super) analyzed: Analyzed,
    path: SitePath,
    /// `None`: it is published as stored.
    run: Option<TaskRun>,
    /// Parts of its key, or the reason why it has none.
    pub(super) basis: Now,
}

/// A run's environment and key, beside its plan.
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

/// A notebook before its run.
pub(super) enum Prepared {
    /// It can be built. The plan is apart, for it outlives the rest.
    Task(Box<Task>, Option<Box<RunPlan>>),
    /// It cannot.
    Nothing(Box<Outcome>),
}

/// A built notebook.
pub(super) struct Built<D> {
    pub(super) document: D,
    pub(super) provenance: Provenance,
    /// Whether another build, for which the key is the same, would make the same.
    pub(super) is_settled: bool,
}

/// The result of a notebook.
#[derive(Default)]
pub(super) struct Outcome {
    /// Its page, unless its findings forbid one.
    pub(super) built: Option<Built<Unlinked>>,
    /// Findings of phases 3 to 7.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Why it has no environment.
    pub(super) without_environment: Option<Failure>,
    /// Its inputs and their states, where these were asked for.
    pub(super) listed: Option<states::Listed>,
}

/// The record of a run, or of stored outputs, with its environment and confinement.
struct RunResult {
    record: RunRecord,
    environment: Option<Environment>,
    layers: Vec<Layer>,
    granted: Granted,
    /// Paths of the host that the run could see.
    masks: Vec<(String, String)>,
}

impl RunResult {
    /// Names that are masked in the outputs. Where every layer holds, a run cannot have seen the host's names: its page
    /// must not depend on where it was built.
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
    /// An error that keeps nbc from working on any notebook.
    pub(super) fn prepare(
        &self,
        events: &dyn Events,
        analyzed: Analyzed,
        path: SitePath,
    ) -> Result<Prepared, Failure> {
        if stored::is_published_as_stored(&analyzed.notebook, self.settings.execute) {
            let digest = self.sources.get(analyzed.notebook.source).digest();
            let parts =
                Parts::of_stored(&KeyBuilder::new("stored").bytes("notebook", digest).end());
            let page = self.page_parts(&analyzed, &path);
            let basis = Ok(Basis { is_stored: true, parts, page });
            self.keep_basis(&analyzed.input, &basis)?;
            let task = Task { analyzed, path, run: None, basis };
            return Ok(Prepared::Task(Box::new(task), None));
        }
        let page = self.page_parts(&analyzed, &path);
        let Analyzed { input, notebook, graph } = analyzed;
        // The findings that forbid a run are told since the analysis.
        let Ok(graph) = graph.into_runnable() else {
            return Ok(Prepared::Nothing(Box::default()));
        };
        let absolute = camino::absolute_utf8(&input.path)?;
        events.moment(&format!("{}: preparing its environment", input.path));
        let limits = &self.settings.bounds.process;
        let environment = self.timings.measure(Phase::Environment, || {
            self.preparation.environment(&notebook, &input, limits, events)
        });
        let environment = match environment {
            Ok(environment) => environment,
            Err(failure) => {
                let without_environment = Some(failure);
                let outcome = Outcome { without_environment, ..Outcome::default() };
                return Ok(Prepared::Nothing(Box::new(outcome)));
            }
        };
        let plan = self.plan(&notebook, &graph, &input, &absolute, &environment)?;
        let parts = self
            .timings
            .measure(Phase::Cache, || self.parts(&plan, &environment, &input.path, events))?;
        let key = parts.as_ref().ok().map(Parts::key);
        let basis = parts.map(|parts| Basis { is_stored: false, parts, page });
        self.keep_basis(&input, &basis)?;
        let is_kept = match (&self.cache, &key) {
            (Some(cache), Some(key)) => cache.has(Entry::Run, key),
            _ => false,
        };
        let run = Some(TaskRun { environment, key, is_kept });
        let analyzed = Analyzed { input, notebook, graph: graph.into_graph() };
        let task = Task { analyzed, path, run, basis };
        Ok(Prepared::Task(Box::new(task), Some(Box::new(plan))))
    }

    /// Phases 5 to 7 of one notebook.
    ///
    /// # Errors
    /// An error that keeps nbc from working on any notebook.
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
    ) -> Result<Option<Built<Unlinked>>, Failure> {
        let Task { analyzed, path, run, .. } = task;
        let Analyzed { input, notebook, .. } = &analyzed;
        let is_stored = run.is_none();
        let mut ran = match (run, plan) {
            (Some(run), Some(plan)) => {
                let ran = self.execute(worker, input, notebook, run, plan, outcome)?;
                let Some(ran) = ran else { return Ok(None) };
                ran
            }
            _ => {
                let diagnostics = &mut outcome.diagnostics;
                let record =
                    self.timings.measure(Phase::Analyze, || as_stored(notebook, diagnostics));
                let (layers, granted) = (Vec::new(), Granted::default());
                RunResult { record, environment: None, layers, granted, masks: Vec::new() }
            }
        };
        let Outcome { diagnostics, listed, .. } = outcome;
        if let Some(sweep) = &ran.record.sweep {
            diagnostics.extend(states::findings(notebook, sweep));
        }
        let without_inputs = match (is_stored, &self.settings.sweep) {
            (true, _) => {
                "the notebook is published as stored, which has no inputs: run it with `--execute always`"
            }
            (false, None) => "states are off: leave `--states off` out",
            (false, Some(_)) => "the notebook has no inputs",
        };
        let unknown =
            states::choose(&mut ran.record, &self.settings.chosen, notebook, without_inputs);
        if self.settings.goal == Goal::States {
            diagnostics.extend(unknown);
            *listed = Some(states::Listed::of(input.path.as_str(), &ran.record));
            return Ok(None);
        }
        if !unknown.is_empty() {
            diagnostics.extend(unknown);
            return Ok(None);
        }
        let is_drawn = self.draw_charts(worker, &mut ran.record);
        let own = (!is_stored).then(|| ran.masks());
        // Nothing of a run is in what was stored.
        let masks = own
            .as_ref()
            .unwrap_or_else(|| self.masks_of_stored.get_or_init(|| Masks::new([], Host::this())));
        let (scanner, allowed) = (&self.granted.scanner, &self.settings.allowed);
        let rules = Rules { scanner, allowed, masks, errors: self.settings.page.error_rules() };
        let RunResult { record, environment, layers, granted, .. } = ran;
        let cleared = self
            .timings
            .measure(Phase::Exposure, || clearance::clear(record, notebook, rules, diagnostics));
        let Some(record) = cleared else { return Ok(None) };
        let environment = environment.as_ref();
        let facts = facts(environment.and_then(|it| it.lock.as_ref()), layers, granted);
        let mut record = record.with_facts(facts);
        if let Some(folder) = &self.settings.record {
            record = record.of_source(run::source_digest(self.sources, notebook));
            let name = path.as_str().trim_end_matches(".html").replace('/', "-");
            fs_err::create_dir_all(folder)?;
            record.get().store(&folder.join(format!("{name}.run.json")))?;
        }
        let made = self.document(worker, &analyzed, &path, &record, environment);
        diagnostics.extend(made.diagnostics);
        let Some(document) = made.value else { return Ok(None) };
        let provenance = self.timings.measure(Phase::Emit, || {
            let source = self.sources.get(notebook.source);
            provenance(&document, input, source, record.get(), &self.settings)
        });
        // The key of a page that is run would have to hold its record.
        let is_settled = is_stored && is_drawn;
        Ok(Some(Built { document, provenance, is_settled }))
    }

    /// Pictures of charts that are there as data only. False if they can't be drawn now.
    fn draw_charts(&self, worker: &Worker<'_>, record: &mut RunRecord) -> bool {
        let is_drawn = self.draw_undrawn(worker, stored::undrawn(record));
        // A reader who sees another state has scripts, and those draw its charts. Done apart, since states may have
        // more charts than there is time for.
        if !self.charts.are_live(Kind::Vega) {
            return self.draw_undrawn(worker, stored::undrawn_states(record)) && is_drawn;
        }
        is_drawn
    }

    fn draw_undrawn(&self, worker: &Worker<'_>, undrawn: Vec<stored::UndrawnChart<'_>>) -> bool {
        if undrawn.is_empty() {
            return true;
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
            self.preparation.draw(&charts, limits, worker.events.as_ref())
        });
        match &drawn {
            Ok(drawn) => {
                for (chart, place) in undrawn.into_iter().zip(places) {
                    if let Some(Some(svg)) = drawn.get(place) {
                        chart.draw(svg.clone());
                    }
                }
            }
            Err(failure) => worker
                .events
                .warning(&format!("charts have no still pictures: {}", failure.message)),
        }
        drawn.is_ok()
    }

    /// Phase 7, with the programs that draw its charts.
    fn document(
        &self,
        worker: &Worker<'_>,
        analyzed: &Analyzed,
        path: &SitePath,
        record: &Cleared<RunRecord>,
        environment: Option<&Environment>,
    ) -> Parsed<Option<Unlinked>> {
        let own: BTreeMap<Kind, Arc<Runtime>> = match self.settings.trust.runtimes() {
            // Without a digest of the author's, what an environment has is what nbc has.
            trusted if trusted.is_empty() => BTreeMap::new(),
            trusted => [Kind::Bokeh, Kind::Plotly]
                .into_iter()
                .filter_map(|kind| Some((kind, Arc::new(environment?.own_runtime(kind, trusted)?))))
                .collect(),
        };
        let lock = environment.and_then(|it| it.lock.as_ref());
        let made_by = |kind: Kind| lock?.packages.get(kind.name()).cloned();
        let (preparation, events) = (&self.preparation, worker.events.as_ref());
        let limits = &self.settings.bounds.process;
        let none = BTreeSet::new();
        let have = |known: &'static KnownRuntime| {
            let own = environment.and_then(|it| it.own_runtime(known.kind, &none));
            if let Some(runtime) = own.filter(|it| it.version() == known.version()) {
                return Ok(runtime);
            }
            self.timings.measure(Phase::Environment, || preparation.runtime(known, limits, events))
        };
        let maker = PageMaker {
            settings: &self.settings,
            sources: self.sources,
            charts: &self.charts,
            scanner: &self.granted.scanner,
            timings: self.timings,
            events,
            limits: Some(limits),
        };
        let drawing = Drawing { own, made_by: &made_by, have: &have };
        maker.page(analyzed, path, record, &drawing)
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
    ) -> Result<Option<RunResult>, Failure> {
        let TaskRun { environment, key, is_kept } = run;
        let (path, Worker { events, batch_run }) = (&input.path, worker);
        let key = self.cache.as_deref().zip(key);
        let kept = key.as_ref().filter(|_| is_kept).and_then(|(cache, key)| {
            self.timings.measure(Phase::Cache, || remembered::find(cache, key))
        });
        if let Some(Remembered { layers, masks, record }) = kept {
            self.known.fetch_add(1, Ordering::Relaxed);
            let (granted, environment) = (self.granted.names([]), Some(environment));
            return Ok(Some(RunResult { record, environment, layers, granted, masks }));
        }
        let sandbox =
            self.timings.measure(Phase::Sandbox, || self.preparation.sandbox(events.as_ref()))?;
        let permit = batch_run.is_none().then(|| self.semaphore.acquire());
        events.notebook(path.as_str(), plan.start.order.len());
        let mut execute = |is_first: bool| {
            let mut watched = Watched::new(events.as_mut());
            let result = self.timings.measure(Phase::Run, || match batch_run {
                Some((batch_run, place)) if is_first => {
                    *place += 1;
                    batch_run.execute(*place - 1, notebook, &mut watched)
                }
                _ => run::execute(plan, sandbox, notebook, &mut watched),
            });
            if let Some(time) = watched.sweep_time() {
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
        drop(permit);
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
            events.quote(&format!("{path}: the process said:"), &console);
        }
        let contacted = result.traffic.contacted;
        if !contacted.is_empty() {
            let hosts = contacted.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            events.line(&format!("{path}: reached {hosts}"));
        }
        let granted = self.granted.names(contacted);
        outcome.diagnostics.extend(result.diagnostics);
        let layers = result.layers;
        let (environment, masks) = (Some(environment), result.masks);
        Ok(result.record.map(|record| RunResult { record, environment, layers, granted, masks }))
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
        let places = HostPaths { notebook: absolute, runner: runner.path() };
        let mut bounds = self.settings.bounds.clone();
        let folder = absolute.parent().unwrap_or(absolute);
        // A list names each notebook, also those without inputs.
        if self.settings.goal == Goal::States || run::inputs::may_have_inputs(notebook, folder) {
            bounds.sweep.clone_from(&self.settings.sweep);
        }
        if let Some(sweep) = &mut bounds.sweep {
            sweep.samples.extend(notebook.about.samples.clone());
        }
        let patterns = self.settings.inputs(&input.relative, notebook);
        let reach = Reach::of_notebook(notebook);
        let root = input.folder();
        let shown = match (patterns, absolute.file_name()) {
            (Some(patterns), Some(notebook)) => Shown::Inputs { notebook, patterns, root },
            _ => Shown::Folder(&reach),
        };
        let grants = &self.granted.grants;
        let opened =
            run::grants::open(grants, absolute, &environment.mounts, shown).map_err(|error| {
                match error {
                    GrantError::Above(error) => Failure::from(error).of(input.path.as_str()),
                    other => Failure::from(other),
                }
            })?;
        if let Some(cache) = self.cache.as_deref() {
            opened.decided.iter().for_each(|it| self.trees.look(cache, it));
        }
        let on_error = self.settings.on_error;
        Ok(run::plan::plan(notebook, graph, environment, places, bounds, on_error, opened))
    }

    /// The parts of the key of a run, or the reason why it has none.
    fn parts(
        &self,
        plan: &RunPlan,
        environment: &Environment,
        path: &Utf8Path,
        events: &dyn Events,
    ) -> Result<Result<Parts, String>, Failure> {
        let Some(cache) = self.cache.as_deref().filter(|_| !self.settings.checks_reproducible)
        else {
            return Ok(Err("this build is not to know of earlier ones".to_owned()));
        };
        // Only the strict level says beforehand which layers hold.
        let layers = match self.preparation.isolation() {
            Isolation::Strict => vec!["strict"],
            _ => {
                let layers = self.preparation.sandbox(events)?.layers().iter();
                layers.filter(|it| it.active).map(|it| it.name.as_str()).collect()
            }
        };
        let parts = remembered::parts(plan, environment, &layers, cache, &self.trees);
        if let Err(reason) = &parts {
            if let NotKept::Tree(_) = reason {
                events.line(&format!("{path}: its run is not kept for later builds: {reason}"));
            }
            self.trees.give_up();
        }
        Ok(parts.map_err(|it| it.to_string()))
    }

    /// The parts of the key of a notebook's page.
    fn page_parts(&self, analyzed: &Analyzed, path: &SitePath) -> PageParts {
        let notebook = self.sources.get(analyzed.notebook.source);
        let all = self.site_parts.map(|it| it.all_of(&analyzed.input, path, notebook));
        all.unwrap_or_default()
    }

    /// Keeps the parts of a key for `nbc cache why`.
    fn keep_basis(&self, input: &Input, basis: &Now) -> Result<(), Failure> {
        if let (Some(cache), Ok(basis), Goal::Site) = (&self.cache, basis, self.settings.goal) {
            basis::keep(cache, self.paths, &camino::absolute_utf8(&input.path)?, basis);
        }
        Ok(())
    }
}

/// The outputs that the notebook carries; those that cannot be read are findings.
fn as_stored(notebook: &Notebook, diagnostics: &mut Vec<Diagnostic>) -> RunRecord {
    let (record, left_out) = stored(notebook);
    for it in left_out {
        if let Some(cell) = notebook.cell(it.cell) {
            let message = format!("stored output {} is left out: {}", it.position + 1, it.reason);
            diagnostics.push(Diagnostic::warning(Code::InvalidData, cell.head(), message));
        }
    }
    record
}

/// How a run came about. Where nothing was run, there is nothing to tell.
fn facts(lock: Option<&Lock>, isolation: Vec<Layer>, granted: Granted) -> Facts {
    let mut facts = Facts { isolation, granted, ..Facts::default() };
    let Some(lock) = lock else { return facts };
    let mut built = lock.built();
    facts.lock = Some(lock.digest.clone());
    facts.packages = lock
        .packages
        .iter()
        .map(|(name, version)| {
            let built_from = built.remove(name);
            (name.clone(), Package { version: version.clone(), built_from })
        })
        .collect();
    facts
}

/// The manifest's entry for a page.
pub(super) fn provenance(
    document: &Unlinked,
    input: &Input,
    source: &Source,
    record: &RunRecord,
    settings: &Settings,
) -> Provenance {
    let (path, title) = (document.document().path.clone(), document.document().title.clone());
    let facts = record.facts.clone().unwrap_or_default();
    let packages = facts.packages.iter().map(|(name, it)| match &it.built_from {
        Some(source) => format!("{name}=={} built from sha256-{source}", it.version),
        None => format!("{name}=={}", it.version),
    });
    Provenance {
        path,
        title,
        source: input.relative.as_str().to_owned(),
        source_integrity: Integrity::of_sha384(source.digest()),
        engine: record.engine.name.clone(),
        python: record.engine.python.clone(),
        // Their names tell what a company calls its own.
        packages: if settings.page.names_packages() { packages.collect() } else { Vec::new() },
        lock: facts.lock.map(|it| format!("sha256-{it}")),
        isolation: facts.isolation,
        granted: facts.granted,
    }
}
