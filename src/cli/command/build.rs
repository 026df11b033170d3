//! `nbc build`: every phase, in order.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;

use super::{
    Analyzed, analyze, configuration, counted, find_inputs, folder_of, layout, visibility,
};
use crate::charts::{Kind, Known, Runtime};
use crate::cli::args::{Build, ChosenValue, Execute, Format, States};
use crate::cli::charts::Charts;
use crate::cli::compile::{self, Compiled, PageOptions};
use crate::cli::exposure;
use crate::cli::grants::{self, Granted};
use crate::cli::inputs::page_paths;
use crate::cli::limits;
use crate::cli::links::{Origin, Pages};
use crate::cli::look::Looks;
use crate::cli::preparation::Preparation;
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::cli::publishing::{self, Allowed};
use crate::cli::states;
use crate::cli::timings::{Phase, Timings};
use crate::cli::trust::Trust;
use crate::cli::{Exit, Failure, cache_folder};
use crate::config::{ChartSetting, Config};
use crate::diagnostic::{self, Code, Diagnostic, Parsed, Severity};
use crate::emit::manifest::Granted as Names;
use crate::emit::{self, Layout, Provenance};
use crate::environment::{Environment, Lock};
use crate::graph::{CellGraph, RunnableGraph};
use crate::notebook::Notebook;
use crate::output::Alive;
use crate::output::mask::{Host, Masks};
use crate::process::{Layer, interrupt};
use crate::publish::Destination;
use crate::render::{self, Document};
use crate::run::stored::{self, Policy};
use crate::run::{self, Bounds, OnError, Places, RunRecord, RunnerFolder, SweepPlan};
use crate::secret::Scanner;
use crate::site::{Integrity, SitePath};
use crate::source::Sources;
use crate::verify;

/// Everything that the flags and the configuration decide.
struct Settings {
    goal: Goal,
    bounds: Bounds,
    /// Whether everything is run twice and compared.
    checks_determinism: bool,
    /// What the states of inputs may take; `None`: they are not run.
    sweep: Option<SweepPlan>,
    /// Values that a page shows first.
    chosen: Vec<ChosenValue>,
    on_error: OnError,
    page: PageOptions,
    execute: Execute,
    record: Option<Utf8PathBuf>,
    allowed: Allowed,
    is_strict: bool,
    trust: Trust,
    format: Format,
}

/// What one notebook became.
struct Built<D> {
    document: D,
    provenance: Provenance,
}

/// Links of the pages to each other; only now is it known which of them there are.
fn link(
    built: Vec<Built<Compiled>>,
    is_strict: bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Built<Document>> {
    let pages = Pages::new(built.iter().map(|it| it.document.place()));
    let linked = built.into_iter().map(|Built { document, provenance }| {
        let mut document = document.link(&pages);
        if is_strict {
            publishing::refuse_removals(&mut document.diagnostics);
        }
        diagnostics.append(&mut document.diagnostics);
        Built { document: document.value, provenance }
    });
    linked.collect()
}

/// What a build is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Goal {
    /// A site.
    Site,
    /// A list of inputs and their states.
    List,
}

pub(in crate::cli) fn run(
    arguments: &Build,
    goal: Goal,
    printer: Printer,
) -> Result<Exit, Failure> {
    let mut timings = Timings::start();
    interrupt::install()?;
    let mut config = configuration(&arguments.inputs)?;
    config.title = arguments.title.clone().or(config.title);
    let mut settings = settings(arguments, &config)?;
    settings.goal = goal;
    if let Some(sweep) = &mut settings.sweep {
        sweep.is_dry = goal == Goal::List;
    }
    let looks = Looks::load(folder_of(&arguments.inputs), &config)?;
    let preparation = Preparation::new(&arguments.runtime, &config)?;
    // A list leaves the site alone.
    let scratch = (goal == Goal::List).then(tempfile::tempdir).transpose()?;
    let output = match scratch.as_ref().and_then(|it| Utf8Path::from_path(it.path())) {
        Some(folder) => folder.join("site"),
        None => arguments.output.clone(),
    };
    let destination = Destination::claim(&output).map_err(helped)?;
    let granted = grants::collect(arguments, &config, &destination, printer)?;

    let mut sources = Sources::default();
    let mut diagnostics = Vec::new();
    let analyzed = timings.measure(Phase::Analyze, || -> Result<_, Failure> {
        let inputs = find_inputs(&arguments.inputs, &config.exclude)?;
        let paths = page_paths(&inputs);
        let mut found = Vec::new();
        for (input, path) in inputs.into_iter().zip(paths) {
            let mut own = Vec::new();
            let analyzed = analyze(input, &mut sources, &mut own);
            let runs = policy(arguments.runtime.execute);
            if let Some(it) = &analyzed
                && stored::is_published_as_stored(&it.notebook, runs)
            {
                // What is not run need not be able to run.
                own.iter_mut().for_each(|it| it.severity = Severity::Warning);
            }
            diagnostics.append(&mut own);
            found.push((path, analyzed));
        }
        Ok(found)
    })?;
    let number = analyzed.len();
    if number > 1 && !arguments.state.is_empty() {
        let message = format!("`--state` chooses for one notebook, and these are {number}");
        let help = Some("build the notebook by itself".to_owned());
        return Err(Failure { message, help });
    }
    let layout = chosen_layout(arguments, &config, number);
    // What the file asks for was granted when the grants were collected.
    settings.trust = Trust::new(&arguments.publishing, Some(&config), layout == Layout::Site)?;

    // The lines of a finding are printed as they are.
    let shows_secret = timings.measure(Phase::Exposure, || {
        analyzed.iter().filter_map(|(_, it)| it.as_ref()).any(|it| {
            let text = sources.get(it.notebook.source).text();
            !granted.scanner.find(text.as_bytes()).is_empty()
                || !exposure::in_code(&it.notebook, &settings.allowed, |_| true).is_empty()
        })
    });
    let format = match arguments.format {
        Format::Full if shows_secret => Format::Concise,
        format => format,
    };
    let is_strict = settings.is_strict;
    let mut builder = Builder {
        settings,
        granted: &granted,
        sources: &sources,
        timings: &mut timings,
        progress: Progress::new(printer),
        preparation,
        runner: None,
        charts: Charts::new(
            arguments.charts.or(config.charts).unwrap_or(ChartSetting::Interactive),
        ),
        keeps_going: arguments.keep_going,
        without_environment: Vec::new(),
    };
    let mut built = Vec::new();
    // All static findings come before the first run, which may take minutes.
    if arguments.keep_going || !diagnostic::has_errors(&diagnostics) {
        for (path, analyzed) in analyzed {
            let Some(analyzed) = analyzed else { continue };
            let result = builder.notebook(analyzed, &path, &mut diagnostics)?;
            if interrupt::is_requested() {
                builder.progress.finish();
                printer.warning(&format!("interrupted; `{}` is as it was", destination.folder()));
                return Ok(Exit::Interrupted);
            }
            match result {
                Some(result) => built.push(result),
                None if arguments.keep_going || goal == Goal::List => {}
                None => break,
            }
        }
    }
    builder.progress.finish();
    if goal == Goal::List {
        exposure::mask(&mut diagnostics, &granted.scanner);
        diagnostic::sort(&mut diagnostics);
        printer.diagnostics(&diagnostics, &sources, Format::Concise);
        let failed = diagnostic::has_errors(&diagnostics);
        return Ok(if failed { Exit::Findings } else { Exit::Done });
    }
    builder.preparation.warn(printer);
    builder.charts.warn(printer);
    let failures = builder.without_environment;
    for failure in &failures {
        failure.print(printer);
    }
    let built = timings.measure(Phase::Output, || link(built, is_strict, &mut diagnostics));

    exposure::mask(&mut diagnostics, &granted.scanner);
    diagnostic::sort(&mut diagnostics);
    printer.diagnostics(&diagnostics, &sources, format);
    let errors = diagnostics.iter().filter(|it| it.severity == Severity::Error).count();
    let errors = errors + failures.len();
    let publishable = !built.is_empty() && (errors == 0 || arguments.keep_going);
    if !publishable {
        printer.error(&format!(
            "nothing was published: {} in {}; `{}` is as it was",
            counted(errors, "error"),
            counted(number, "notebook"),
            destination.folder(),
        ));
        return Ok(if failures.is_empty() { Exit::Findings } else { Exit::Failed });
    }

    // The text of all notebooks is of no more use.
    drop(sources);
    let title = config_title(&config);
    let pages = built.len();
    let folder = destination.folder().to_owned();
    let scanner = &granted.scanner;
    if !publish(built, layout, (&looks, &title), destination, &mut timings, printer, scanner)? {
        return Ok(Exit::Failed);
    }
    if !arguments.format.is_for_machines() {
        printer.line(&format!("built {} into {folder}", counted(pages, "page")));
    }
    if arguments.timings {
        printer.line(&timings.table());
    }
    Ok(if errors == 0 { Exit::Done } else { Exit::Findings })
}

/// Phases 8 to 11. False when the site does not pass verification, which is a defect of nbc.
pub(super) fn publish_site(
    documents: Vec<(Document, Provenance)>,
    layout: Layout,
    look: (&Looks, &str),
    destination: Destination,
    printer: Printer,
) -> Result<bool, Failure> {
    let built = documents
        .into_iter()
        .map(|(document, provenance)| Built { document, provenance })
        .collect();
    let (timings, scanner) = (&mut Timings::start(), &Scanner::default());
    publish(built, layout, look, destination, timings, printer, scanner)
}

fn publish(
    built: Vec<Built<Document>>,
    layout: Layout,
    (looks, title): (&Looks, &str),
    destination: Destination,
    timings: &mut Timings,
    printer: Printer,
    scanner: &Scanner,
) -> Result<bool, Failure> {
    let index = SitePath::new("index.html")?;
    let look = looks.look(title, layout)?;
    let has_home = layout == Layout::Site || built.len() > 1;
    let (pages, provenance): (Vec<_>, Vec<_>) =
        timings.measure(Phase::Output, || -> Result<_, Failure> {
            let laid_out = built.into_par_iter().map(|Built { document, provenance }| {
                let home =
                    (has_home && document.path != index).then(|| document.path.link_to(&index));
                Ok((render::page(document, home.as_deref(), &look)?, provenance))
            });
            laid_out.collect::<Vec<Result<_, Failure>>>().into_iter().collect()
        })?;
    let site =
        timings.measure(Phase::Emit, || emit::assemble(pages, &provenance, layout, &look))?;
    let site = match timings.measure(Phase::Verify, || verify::verify(site)) {
        Ok(site) => site,
        Err(findings) => {
            for finding in &findings {
                printer.line(&super::verify::text(finding));
            }
            printer.error(&format!(
                "the site does not pass its own verification ({}), so it is not published",
                counted(findings.len(), "finding")
            ));
            printer.help(if looks.has_templates() {
                "the site's own templates may write what pages must not hold; see docs/themes.md"
            } else {
                "this is a defect of nbc: please report it with the notebook"
            });
            return Ok(false);
        }
    };
    let exposed = timings.measure(Phase::Exposure, || exposure::in_site(site.site(), scanner));
    if let Some(message) = exposed {
        printer.error(&message);
        return Ok(false);
    }
    timings.measure(Phase::Publish, || destination.publish(&site)).map_err(helped)?;
    Ok(true)
}

fn helped(error: crate::publish::PublishError) -> Failure {
    use crate::publish::PublishError;

    let help = match &error {
        PublishError::NoFolder { .. } => "name a folder for the site, such as `--output site`",
        PublishError::Foreign { .. } => "choose another folder with `--output`, or empty this one",
        PublishError::Busy { .. } => "wait for it to end, or choose another folder with `--output`",
        PublishError::Io { source, .. } => match source.kind() {
            std::io::ErrorKind::StorageFull => "make room on the disk; the earlier site is whole",
            std::io::ErrorKind::PermissionDenied => "choose a folder that you may write to",
            _ => "the earlier site, if there was one, is whole",
        },
    };
    Failure::from(error).with_help(help)
}

fn settings(arguments: &Build, config: &Config) -> Result<Settings, Failure> {
    let mut bounds = limits::bounds(arguments.limits.or(config.limits))?;
    bounds.outputs.rows = publishing::shown(&arguments.publishing, config).rows;
    let sweep = (arguments.states == States::Run)
        .then(|| limits::sweep(arguments.sweep.or(config.sweep), &bounds, config.states.clone()))
        .transpose()?;
    Ok(Settings {
        goal: Goal::Site,
        bounds,
        checks_determinism: arguments.check_determinism,
        sweep,
        chosen: arguments.state.clone(),
        on_error: if arguments.allow_errors { OnError::Continue } else { OnError::Stop },
        page: page_options(arguments, config),
        execute: arguments.runtime.execute,
        record: arguments.record.clone(),
        allowed: Allowed::new(
            &arguments.publishing.allow_secret,
            config,
            folder_of(&arguments.inputs),
        )?,
        is_strict: arguments.publishing.strict_sanitize || config.strict_sanitize,
        trust: Trust::default(),
        format: arguments.format,
    })
}

fn page_options(arguments: &Build, config: &Config) -> PageOptions {
    let code = visibility(arguments.code.or(config.code));
    let show_graph = arguments.show_graph || config.show_graph;
    let shown = publishing::shown(&arguments.publishing, config);
    let mut page = PageOptions::new(code, show_graph, shown, config);
    if arguments.include_source {
        page.page.source = Some(true);
    }
    page
}

fn chosen_layout(arguments: &Build, config: &Config, notebooks: usize) -> Layout {
    let is_one_file = notebooks == 1 && arguments.inputs.iter().all(|it| !it.is_dir());
    match arguments.layout.or(config.layout) {
        Some(setting) => layout(setting),
        None if is_one_file => Layout::Single,
        None => Layout::Site,
    }
}

fn config_title(config: &Config) -> String {
    config.title.clone().unwrap_or_else(|| "Notebooks".to_owned())
}

/// Runs notebooks one after the other; what they share is made when the first one needs it.
struct Builder<'a> {
    settings: Settings,
    granted: &'a Granted,
    sources: &'a Sources,
    timings: &'a mut Timings,
    progress: Progress,
    preparation: Preparation,
    runner: Option<RunnerFolder>,
    charts: Charts,
    keeps_going: bool,
    /// Why notebooks have no environment, where others are built all the same.
    without_environment: Vec<Failure>,
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
    /// Phases 3 to 7 of one notebook. `None` when its findings forbid a page.
    fn notebook(
        &mut self,
        analyzed: Analyzed,
        path: &SitePath,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Result<Option<Built<Compiled>>, Failure> {
        let Analyzed { input, notebook, graph } = analyzed;
        let is_stored = stored::is_published_as_stored(&notebook, policy(self.settings.execute));
        let (mut ran, graph) = if is_stored {
            let record = self.timings.measure(Phase::Analyze, || as_stored(&notebook, diagnostics));
            let (layers, granted) = (Vec::new(), Names::default());
            let masks = Vec::new();
            (Ran { record, environment: None, layers, granted, masks }, graph)
        } else {
            // The findings that forbid a run are in `diagnostics` since the analysis.
            let Ok(runnable) = graph.into_runnable() else { return Ok(None) };
            let Some(ran) = self.execute(&input.path, &notebook, &runnable, diagnostics)? else {
                return Ok(None);
            };
            (ran, runnable.into_graph())
        };
        if let Some(sweep) = &ran.record.sweep {
            diagnostics.extend(states::findings(&notebook, sweep));
        }
        if self.settings.goal == Goal::List {
            let states = states::Listed::of(input.path.as_str(), &ran.record);
            let is_json = self.settings.format == Format::Json;
            self.progress.result(&if is_json { states.json() } else { states.text() });
            return Ok(None);
        }
        let unknown = states::choose(&mut ran.record, &self.settings.chosen, &notebook);
        if !unknown.is_empty() {
            diagnostics.extend(unknown);
            return Ok(None);
        }
        self.draw_charts(&mut ran.record);
        let (scanner, allowed) = (&self.granted.scanner, &self.settings.allowed);
        let (exposed, masked) = self.timings.measure(Phase::Exposure, || {
            let mut exposed = exposure::in_record(&mut ran.record, &notebook, scanner);
            exposed.extend(exposure::leaks_in_record(&mut ran.record, &notebook, allowed));
            (exposed, ran.masks().record(&mut ran.record))
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
            self.log_traceback(&input.path, failure, &ran.record, &notebook);
        }
        diagnostics.extend(failures);
        if failed {
            return Ok(None);
        }
        let origin = Origin { page: path, notebook: &input.relative };
        let mut document = self.document(&notebook, &graph, &ran, origin);
        let text = self.sources.get(notebook.source).text();
        document.value.offer_source(text, &self.settings.page);
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
        let provenance = self.timings.measure(Phase::Emit, || {
            provenance(document.value.document(), input.relative.as_str(), text, &ran)
        });
        Ok(Some(Built { document: document.value, provenance }))
    }

    /// Pictures of charts that are there as data only.
    fn draw_charts(&mut self, record: &mut RunRecord) {
        self.draw_undrawn(stored::undrawn(record));
        // Who sees another state has scripts, and those draw its charts. Apart, since states may have more charts
        // than there is time for.
        if !self.charts.are_live(Kind::Vega) {
            self.draw_undrawn(stored::undrawn_states(record));
        }
    }

    fn draw_undrawn(&mut self, undrawn: Vec<stored::Undrawn<'_>>) {
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
        let (preparation, progress) = (&mut self.preparation, &self.progress);
        let drawn = self
            .timings
            .measure(Phase::Environment, || preparation.draw(&charts, limits, progress));
        match drawn {
            Ok(drawn) => {
                for (chart, place) in undrawn.into_iter().zip(places) {
                    if let Some(Some(svg)) = drawn.get(place) {
                        chart.draw(svg.clone());
                    }
                }
            }
            Err(failure) => self
                .progress
                .warning(&format!("charts have no still pictures: {}", failure.message)),
        }
    }

    /// Phase 7, and what its charts are drawn with.
    fn document(
        &mut self,
        notebook: &Notebook,
        graph: &CellGraph,
        ran: &Ran,
        origin: Origin<'_>,
    ) -> Parsed<Compiled> {
        let timings = RefCell::new(&mut *self.timings);
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
            timings.borrow_mut().measure(Phase::Output, || {
                compile::document(notebook, graph, &ran.record, origin, page, &alive)
            })
        };
        let lock = ran.environment.as_ref().and_then(|it| it.lock.as_ref());
        let made_by = |kind: Kind| lock?.packages.get(kind.name()).cloned();
        let (preparation, progress) = (&mut self.preparation, &self.progress);
        let limits = &self.settings.bounds.process;
        let none = BTreeSet::new();
        let have = |known: &'static Known| {
            let own = environment.and_then(|it| it.own_runtime(known.kind, &none));
            if let Some(runtime) = own.filter(|it| it.version() == known.version) {
                return Ok(runtime);
            }
            timings
                .borrow_mut()
                .measure(Phase::Environment, || preparation.runtime(known, limits, progress))
        };
        self.charts.compile(compile, &own, made_by, have)
    }

    /// Phases 3 to 5. `None` when the run gave no record; a finding says why.
    fn execute(
        &mut self,
        path: &Utf8Path,
        notebook: &Notebook,
        graph: &RunnableGraph,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Result<Option<Ran>, Failure> {
        let (preparation, progress) = (&mut self.preparation, &self.progress);
        self.timings.measure(Phase::Sandbox, || preparation.sandbox(progress).map(drop))?;
        if self.runner.is_none() {
            self.runner = Some(RunnerFolder::below(&cache_folder())?);
        }
        let absolute = camino::absolute_utf8(path)?;
        self.progress.step(&format!("{path}: preparing its environment"));
        let limits = &self.settings.bounds.process;
        let environment = self.timings.measure(Phase::Environment, || {
            preparation.environment(notebook, path, limits, progress)
        });
        let environment = match environment {
            Ok(environment) => environment,
            Err(failure) if self.keeps_going => {
                self.without_environment.push(failure);
                return Ok(None);
            }
            Err(failure) => return Err(failure),
        };
        let Some(runner) = &self.runner else { return Ok(None) };
        let sandbox = preparation.sandbox(progress)?;
        let places = Places { notebook: &absolute, runner: runner.path() };
        let mut bounds = self.settings.bounds.clone();
        bounds.sweep.clone_from(&self.settings.sweep);
        if let Some(sweep) = &mut bounds.sweep {
            sweep.samples.extend(notebook.about.samples.clone());
        }
        let on_error = self.settings.on_error;
        let folder = absolute.parent().unwrap_or(&absolute);
        let opened = run::grants::open(&self.granted.grants, folder, &environment.mounts)?;
        let plan = run::plan::plan(notebook, graph, &environment, places, bounds, on_error, opened);
        self.progress.notebook(path.as_str(), plan.start.order.len());
        let progress = &mut self.progress;
        let mut execute = || {
            let result = self
                .timings
                .measure(Phase::Run, || run::execute(&plan, sandbox, notebook, progress));
            if let Some(time) = progress.sweep_time() {
                self.timings.split(Phase::Run, Phase::States, time);
            }
            result
        };
        let mut result = execute()?;
        if self.settings.checks_determinism
            && let Some(record) = &result.record
        {
            let again = execute()?;
            if let Some(again) = &again.record {
                result.diagnostics.extend(states::unsteady(notebook, record, again));
            }
        }
        let is_cut =
            result.record.as_ref().and_then(|it| it.sweep.as_ref()).is_some_and(|it| it.is_cut);
        if !result.console.trim().is_empty() && (result.record.is_none() || is_cut) {
            let mut console = result.console;
            self.granted.scanner.mask(&mut console);
            crate::secret::mask_leaks(&mut console);
            self.progress.line(&format!("{path}: the process said:\n{}", quoted(&console)));
        }
        let contacted = result.traffic.contacted;
        if !contacted.is_empty() {
            let hosts = contacted.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            self.progress.line(&format!("{path}: reached {hosts}"));
        }
        let granted = self.granted.names(contacted);
        diagnostics.extend(result.diagnostics);
        let layers = result.layers;
        let (environment, masks) = (Some(environment), result.masks);
        Ok(result.record.map(|record| Ran { record, environment, layers, granted, masks }))
    }

    /// The traceback goes to the build log, never to a page.
    fn log_traceback(
        &self,
        path: &Utf8Path,
        failure: &Diagnostic,
        record: &RunRecord,
        notebook: &Notebook,
    ) {
        use crate::run::record::CellStatus;

        let cell = notebook.cells().find(|(_, cell)| {
            let whole = cell.whole();
            whole.source == failure.span.source
                && whole.start <= failure.span.start
                && failure.span.end <= whole.end
        });
        let run = cell.and_then(|(id, _)| record.cells.get(&id));
        if let Some(CellStatus::Failed { error }) = run.map(|run| &run.status) {
            self.progress.line(&format!("{path}: a cell failed:\n{}", quoted(&error.traceback)));
        }
    }
}

/// Foreign text behind a mark, so that no line of it passes for one of nbc's own.
fn quoted(text: &str) -> String {
    let lines: Vec<String> = text.trim_end().lines().map(|line| format!("  | {line}")).collect();
    lines.join("\n")
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

fn provenance(document: &Document, source: &str, text: &str, ran: &Ran) -> Provenance {
    let lock = ran.environment.as_ref().and_then(|it| it.lock.as_ref());
    Provenance {
        path: document.path.clone(),
        title: document.title.clone(),
        source: source.to_owned(),
        source_integrity: Integrity::of(text.as_bytes()),
        engine: ran.record.engine.name.clone(),
        python: ran.record.engine.python.clone(),
        packages: lock.map(packages).unwrap_or_default(),
        lock: lock.map(|lock| format!("sha256-{}", lock.digest)),
        isolation: ran.layers.clone(),
        granted: ran.granted.clone(),
    }
}
