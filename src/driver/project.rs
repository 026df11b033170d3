//! A project: notebooks, `nbc.toml`, and what a caller asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;

use super::analysis::{Analyzed, Reading, analyze_all, read_all};
use super::basis::Now;
use super::compiled::{self, Compiled, LinkedPage, MadePage, PackageFolders, PageOf, link};
use super::events::{Events, Warning, counted};
use super::exposure;
use super::grants::{self, Granted};
use super::inputs::{Input, list_page, page_paths};
use super::last_site::{Known, LastSite, Note};
use super::limits;
use super::linked_files::LinkedFiles;
use super::links::Pages;
use super::looks::Looks;
use super::named_pictures;
use super::options::{Goal, Options, Settings, site_title};
use super::page_key::{SiteParts, Whole};
use super::pairs;
use super::preparation::Preparation;
use super::remote;
use super::runtimes::Charts;
use super::schedule;
use super::texts::{Digests, Texts};
use super::timings::{Phase, Timings};
use super::trust::Trust;
use super::unit::{Builder, Outcome, Prepared};
use super::unmatched;
use super::workers::Semaphore;
use super::{Failure, Listed, cache_folder};
use crate::cache::{Cache, Key, Trees};
use crate::config::{ByteSize, Config};
use crate::diagnostic::{self, Diagnostic, Parsed, Severity};
use crate::emit::Layout;
use crate::process::{Limits, interrupt};
use crate::publish::Destination;
use crate::remote::AssetsLock;
use crate::run::remembered::Unchecked;
use crate::run::{Unobserved, stored};
use crate::site::SitePath;
use crate::source::Sources;
use crate::verify::Expected;

/// Notebooks, `nbc.toml`, and what a caller asks for.
pub struct Project {
    pub(super) options: Options,
    pub(super) config: Config,
    pub(super) looks: Looks,
    pub(super) inputs: Vec<Input>,
    folder: Utf8PathBuf,
    /// Paths that the caller named, absolute.
    pub(super) paths: Vec<Utf8PathBuf>,
    /// Whether the caller named one notebook and nothing else.
    is_one_file: bool,
    /// Results of earlier builds; `None` where nothing runs.
    entries: Option<Arc<Cache>>,
    trees: Arc<Trees>,
    texts: Texts,
    pub(super) timings: Timings,
}

/// All notebooks, as they were read.
struct Read {
    sources: Sources,
    findings: Vec<Diagnostic>,
    /// Notebooks, relative to what is built, each with the place of its page.
    places: Vec<(Utf8PathBuf, SitePath)>,
    /// Notebooks whose pages are those of the last build.
    known: Vec<Known>,
    /// Of the others, those whose pages may be kept.
    told: BTreeMap<SitePath, Told>,
}

/// A notebook whose page may be kept.
struct Told {
    key: Key,
    /// Relative to what is built.
    notebook: Utf8PathBuf,
    findings: Vec<Diagnostic>,
}

impl Project {
    /// Finds the notebooks of `paths`, files or folders, and reads the `nbc.toml` beside the first.
    ///
    /// # Errors
    /// When a path or a setting is wrong, there is no notebook, or there is no folder for nbc's cache.
    pub fn open(paths: &[Utf8PathBuf], options: Options) -> Result<Self, Failure> {
        Self::open_for(Goal::Site, paths, options, &Unobserved)
    }

    /// Like [`Project::open`], for one purpose; reports files that were passed over.
    ///
    /// # Errors
    /// The same as [`Project::open`].
    pub fn open_for(
        goal: Goal,
        paths: &[Utf8PathBuf],
        options: Options,
        events: &dyn Events,
    ) -> Result<Self, Failure> {
        options.cancel.clone().during(|| Self::find(goal, paths, options, events))
    }

    fn find(
        goal: Goal,
        paths: &[Utf8PathBuf],
        options: Options,
        events: &dyn Events,
    ) -> Result<Self, Failure> {
        let timings = Timings::start();
        let folder = folder_of(paths);
        let mut config = Config::load(folder)?;
        config.title = options.title.clone().or(config.title);
        // A wrong setting is reported before anything else.
        Settings::new(&options, &config, folder, goal)?;
        let looks = match goal.has_pages() {
            true => Looks::load(folder, &config)?,
            false => Looks::default(),
        };
        let size = ByteSize(options.memory.cache_size);
        let entries = match goal.has_runs() {
            true => Some(Arc::new(Cache::below(&cache_folder()?, size))),
            false => None,
        };
        let inputs =
            timings.measure(Phase::Analyze, || pairs::find(paths, &config.exclude, events))?;
        let is_one_file = inputs.len() == 1 && paths.iter().all(|it| !it.is_dir());
        let (folder, trees) = (folder.to_owned(), Arc::default());
        let absolute = paths.iter().map(camino::absolute_utf8);
        let paths = absolute.collect::<Result<Vec<_>, _>>()?;
        let project = Self {
            options,
            config,
            looks,
            inputs,
            folder,
            paths,
            is_one_file,
            entries,
            trees,
            texts: Texts::default(),
            timings,
        };
        Ok(project)
    }

    /// The notebooks, sorted by path.
    #[must_use]
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Time spent so far, by phase.
    #[must_use]
    pub fn timings(&self) -> &Timings {
        &self.timings
    }

    /// Bounds of a process, as options and `nbc.toml` decide.
    ///
    /// # Errors
    /// When a bound is one that no run can do with.
    pub fn process_limits(&self) -> Result<Limits, Failure> {
        Ok(limits::bounds(self.options.limits.or(self.config.limits))?.process)
    }

    /// Refuses what `nbc.toml` asks of environments and the caller did not grant.
    ///
    /// # Errors
    /// When there is such a wish.
    pub fn check_grants(&self) -> Result<(), Failure> {
        grants::check_config(&self.options, &self.config, Vec::new())
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The folder whose `nbc.toml` holds.
    pub(crate) fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    /// Results of earlier builds; `None`: this build must not use them.
    pub(crate) fn cache(&self) -> Option<&Arc<Cache>> {
        self.entries.as_ref().filter(|_| !self.options.memory.no_cache)
    }

    /// The digests of each notebook, in their order; `None` where one cannot be read. A build that follows takes the
    /// texts that were read here.
    pub(crate) fn digests(&self) -> Option<Vec<Digests>> {
        self.texts.digests(&self.inputs)
    }

    pub(crate) fn trees(&self) -> &Arc<Trees> {
        &self.trees
    }

    /// Runs what has to run, and makes the pages. Every notebook is tried, whatever becomes of the others. `None` when
    /// [`Options::cancel`] stopped it.
    ///
    /// # Errors
    /// When nbc cannot work on any notebook: no sandbox, a grant that was refused.
    pub fn compile(
        &self,
        destination: &Destination,
        events: &dyn Events,
    ) -> Result<Option<Compiled<'_>>, Failure> {
        self.options.cancel.during(|| self.compile_all(destination, events))
    }

    fn compile_all(
        &self,
        destination: &Destination,
        events: &dyn Events,
    ) -> Result<Option<Compiled<'_>>, Failure> {
        let settings = self.settings(Goal::Site)?;
        let own_paths = self.own_paths(&destination.own_paths());
        let granted = grants::collect(&self.options, &self.config, own_paths, events)?;
        let mut last = self.last_site(&settings, &granted, destination);
        let Some(made) = self.run(settings, &granted, &mut last, events)? else { return Ok(None) };
        let Made { settings, read, outcomes, warnings, packages, secretive, is_settled } = made;
        let Read { sources, mut findings, places, known, mut told } = read;
        tell_known_pages(known.len(), events);
        let mut shows_secret = !secretive.is_empty() || known.iter().any(|it| it.shows_secret);
        let (mut built, mut failures) = (Vec::new(), Vec::new());
        for outcome in outcomes {
            let page = outcome.built.as_ref().and_then(|it| told.get_mut(it.document.place().1));
            if let Some(page) = page {
                page.findings.extend(outcome.diagnostics.iter().cloned());
            }
            findings.extend(outcome.diagnostics);
            failures.extend(outcome.without_environment);
            built.extend(outcome.built);
        }
        shows_secret |= remote::hides_query(&findings);
        let is_whole = failures.is_empty() && !diagnostic::has_errors(&findings);
        // A page that is missing is told once, by what it is missing for; only others' readers can miss it.
        let pages = match is_whole || settings.keeps_going {
            true => {
                let known = known.iter().map(Known::target);
                Pages::new(built.iter().map(|it| it.document.target()).chain(known))
            }
            false => Pages::new(places.iter().map(|(it, page)| (it.as_path(), page, None))),
        };
        let pages = pages.with_index(self.has_index(&settings)).with_pairs(&self.inputs);
        let layout = settings.layout(self.is_one_file);
        let files = LinkedFiles::new(layout, &granted.scanner, &settings.allowed);
        let linked = self
            .timings
            .measure(Phase::Output, || link(built, (&pages, &files), &settings, &mut findings));
        let (taken, files) = (compiled::taken(&self.inputs, &linked, &known), files.into_files()?);
        told.retain(|_, _| is_settled);
        let made = linked.into_iter().map(|it| {
            let told = told.remove(&it.built.document.path);
            let shows_secret = secretive.contains(&it.built.document.path);
            PageOf::Made(Box::new(noted(it, told, shows_secret, &sources)))
        });
        let known = known.into_iter().map(|it| PageOf::Known(Box::new(it)));
        let mut pages: Vec<PageOf> = made.chain(known).collect();
        let order = page_paths(&self.inputs).into_iter().enumerate().map(|(at, it)| (it, at));
        let order: BTreeMap<SitePath, usize> = order.collect();
        pages.sort_by_key(|it| order.get(it.path()).copied());
        Ok(Some(Compiled {
            pages,
            last: last.map(|it| (it.entry().clone(), Arc::clone(it.standing()))),
            findings: compiled::told(findings, &granted.scanner),
            failures,
            warnings,
            sources,
            notebooks: self.inputs.len(),
            shows_secret,
            keeps_going: settings.keeps_going,
            layout,
            list: list_page(&page_paths(&self.inputs), layout),
            looks: &self.looks,
            title: site_title(&self.config),
            scanner: granted.scanner,
            expected: expected(&settings.trust),
            cache: self.entries.clone(),
            timings: &self.timings,
            packages,
            taken,
            files,
        }))
    }

    /// Runs all notebooks, and lists their inputs with the states that these make. No state is run, and the site stays
    /// as it is. `None` when [`Options::cancel`] stopped it.
    ///
    /// # Errors
    /// The same as [`Project::compile`].
    pub fn list_states(&self, events: &dyn Events) -> Result<Option<ListedStates>, Failure> {
        self.options.cancel.during(|| self.list_all(events))
    }

    fn list_all(&self, events: &dyn Events) -> Result<Option<ListedStates>, Failure> {
        let settings = self.settings(Goal::States)?;
        let granted = grants::collect(&self.options, &self.config, self.own_paths(&[]), events)?;
        let made = self.run(settings, &granted, &mut None, events)?;
        let Some(made) = made else { return Ok(None) };
        let Read { sources, mut findings, .. } = made.read;
        let (mut listed, mut failures) = (Vec::new(), Vec::new());
        for outcome in made.outcomes {
            findings.extend(outcome.diagnostics);
            failures.extend(outcome.without_environment);
            listed.extend(outcome.listed);
        }
        let findings = compiled::told(findings, &granted.scanner);
        Ok(Some(ListedStates { listed, findings, failures, sources }))
    }

    /// Files that this build makes, or that only nbc reads, wherever they lie.
    fn own_paths(&self, output: &[Utf8PathBuf]) -> Vec<Utf8PathBuf> {
        let theme = &self.config.theme;
        let read = [&theme.css, &theme.templates].into_iter().flatten();
        let written = self.options.record.iter().chain(&self.options.own_files).chain(output);
        read.chain(written).cloned().collect()
    }

    fn settings(&self, goal: Goal) -> Result<Settings, Failure> {
        let mut settings = Settings::new(&self.options, &self.config, &self.folder, goal)?;
        let has_files = settings.layout(self.is_one_file) == Layout::Site;
        settings.trust = Trust::new(&self.options.publishing, &self.config, has_files)?;
        Ok(settings)
    }

    /// Phases 1 to 7. `None` when they were cancelled.
    fn run(
        &self,
        settings: Settings,
        granted: &Granted,
        last: &mut Option<LastSite>,
        events: &dyn Events,
    ) -> Result<Option<Made>, Failure> {
        if self.inputs.len() > 1 && !settings.chosen.is_empty() {
            let number = self.inputs.len();
            let message = format!("`--state` chooses for one notebook, and these are {number}");
            return Err(Failure { message, help: Some("build the notebook by itself".to_owned()) });
        }
        let preparation = self.preparation()?;
        let (read, notebooks) = self.read(&settings, last.as_mut());
        let secretive = self.timings.measure(Phase::Exposure, || {
            let shows = |it: &Analyzed| shows_secret(it, &read.sources, granted, &settings);
            let found = notebooks.par_iter().filter(|(_, it)| shows(it));
            found.map(|(path, _)| path.clone()).collect::<BTreeSet<_>>()
        });
        let mut read = read;
        read.findings.extend(unmatched::findings(&settings, notebooks.iter().map(|it| &it.1)));
        // All static findings come before the first run, which may take minutes.
        let can_run = settings.keeps_going || !diagnostic::has_errors(&read.findings);
        let notebooks = if can_run { notebooks } else { Vec::new() };
        let is_warm = !self.options.memory.no_warm;
        let site_parts = last.as_ref().map(|it| &it.parts);
        let builder = self.builder(settings, granted, &read.sources, (preparation, site_parts));
        let outcomes = schedule::build_all(&builder, notebooks, is_warm, events);
        let Builder { settings, preparation, charts, cache, trees, unchecked, known, .. } = builder;
        if let Some(cache) = &cache {
            self.timings.measure(Phase::Cache, || unchecked.end(cache, &trees));
        }
        if let Some(entries) = &self.entries {
            entries.trim();
            entries.take_warnings().iter().for_each(|it| events.warning(it));
        }
        tell_known(known.into_inner(), events);
        if interrupt::is_requested() {
            return Ok(None);
        }
        let outcomes = outcomes?;
        let (mut warnings, of_charts) = (preparation.warnings(), charts.warnings());
        let is_settled = of_charts.is_empty();
        warnings.extend(of_charts);
        let packages = preparation.folders();
        Ok(Some(Made { settings, read, outcomes, warnings, packages, secretive, is_settled }))
    }

    /// State that all notebooks of a build share.
    fn builder<'a>(
        &'a self,
        settings: Settings,
        granted: &'a Granted,
        sources: &'a Sources,
        (preparation, site_parts): (Preparation, Option<&'a SiteParts>),
    ) -> Builder<'a> {
        let build_memory = self.options.memory.build_memory;
        Builder {
            semaphore: Semaphore::new(limits::runs_at_once(build_memory, &settings.bounds)),
            charts: Charts::new(settings.charts),
            settings,
            granted,
            sources,
            paths: &self.paths,
            timings: &self.timings,
            preparation,
            runner: OnceLock::new(),
            cache: self.cache().cloned(),
            trees: Arc::clone(&self.trees),
            site_parts,
            unchecked: Unchecked::default(),
            known: AtomicUsize::new(0),
            masks_of_stored: OnceLock::new(),
        }
    }

    /// Leaves out all notebooks but one.
    pub(super) fn keep_only(&mut self, notebook: &Utf8Path) {
        let is_it = |it: &Input| camino::absolute_utf8(&it.path).is_ok_and(|it| it == notebook);
        self.inputs.retain(is_it);
    }

    /// The parts of the key of each notebook, as a build would have them. Nothing is run.
    ///
    /// # Errors
    /// When a setting is wrong, or an environment cannot be made.
    pub(super) fn bases(&self, events: &dyn Events) -> Result<Vec<(Utf8PathBuf, Now)>, Failure> {
        let settings = self.settings(Goal::Key)?;
        let granted = grants::collect(&self.options, &self.config, self.own_paths(&[]), events)?;
        let preparation = self.preparation()?;
        let (read, notebooks) = self.read(&settings, None);
        let layout = settings.layout(self.is_one_file);
        let title = &site_title(&self.config);
        let list = list_page(&page_paths(&self.inputs), layout);
        let whole = Whole { title, layout, list: list.as_ref(), paths: &self.paths };
        let site_parts = SiteParts::new(&settings, &self.looks, &whole);
        let parts = (preparation, site_parts.as_ref());
        let builder = self.builder(settings, &granted, &read.sources, parts);
        let mut bases = Vec::new();
        for (page, analyzed) in notebooks {
            let path = analyzed.input.path.clone();
            let basis = match builder.prepare(events, analyzed, page)? {
                Prepared::Task(task, _) => task.basis,
                Prepared::Nothing(outcome) => match outcome.without_environment {
                    Some(failure) => return Err(failure),
                    None => Err("`nbc check` tells why it cannot be run".to_owned()),
                },
            };
            bases.push((path, basis));
        }
        Ok(bases)
    }

    /// Phases 1 and 2 of all notebooks.
    #[must_use]
    pub fn analyze(&self) -> (Sources, Vec<Parsed<Option<Analyzed>>>) {
        self.timings.measure(Phase::Analyze, || analyze_all(self.inputs.clone()))
    }

    /// Findings about the notebooks, as far as they can be told without a run.
    ///
    /// # Errors
    /// When a setting is wrong.
    pub fn check(&self) -> Result<Checked, Failure> {
        let settings = Settings::new(&self.options, &self.config, &self.folder, Goal::Reading)?;
        let (sources, analyzed) = self.analyze();
        let notebooks = analyzed.iter().filter_map(|it| it.value.as_ref());
        let (mut findings, mut shows_secret) = (unmatched::findings(&settings, notebooks), false);
        let lock = self
            .options
            .wants_remote_images(&self.config)
            .then(|| AssetsLock::load(&self.folder).map_err(|it| remote::unusable(&it)))
            .transpose()?;
        for analyzed in analyzed {
            if let (Some(lock), Some(notebook)) = (&lock, &analyzed.value) {
                findings.extend(named_pictures::unpinned(notebook, &settings.page.shown, lock));
            }
            findings.extend(analyzed.diagnostics);
            let leaks = analyzed
                .value
                .map(|it| exposure::in_code(&it.notebook, &settings.allowed, |_| true))
                .unwrap_or_default();
            shows_secret |= !leaks.is_empty();
            findings.extend(leaks);
        }
        shows_secret |= remote::hides_query(&findings);
        diagnostic::sort(&mut findings);
        Ok(Checked { findings, sources, shows_secret })
    }

    /// The maker of environments.
    ///
    /// # Errors
    /// When the interpreter or the isolation cannot be had as it is asked for.
    pub fn preparation(&self) -> Result<Preparation, Failure> {
        Preparation::new(
            &self.options,
            &self.config,
            self.entries.clone(),
            !self.options.memory.no_cache,
            Arc::clone(&self.trees),
        )
    }

    /// The pages of the last build into a folder; `None`: this build neither takes over nor keeps any.
    fn last_site(
        &self,
        settings: &Settings,
        granted: &Granted,
        destination: &Destination,
    ) -> Option<LastSite> {
        let layout = settings.layout(self.is_one_file);
        // Pages by themselves have a link to others only where there are others, which is known when all are read.
        let is_alone = layout == Layout::Site || self.inputs.len() == 1;
        let is_usual = !settings.keeps_going
            && !settings.checks_reproducible
            && settings.record.is_none()
            && granted.scanner.is_empty();
        let cache = self.cache().filter(|_| is_alone && is_usual)?;
        self.timings.measure(Phase::Cache, || {
            let title = &site_title(&self.config);
            let list = list_page(&page_paths(&self.inputs), layout);
            let whole = Whole { title, layout, list: list.as_ref(), paths: &self.paths };
            let parts = SiteParts::new(settings, &self.looks, &whole)?;
            Some(LastSite::load(cache, destination.folder(), parts, destination.earlier()))
        })
    }

    /// Whether nbc makes a page that leads to all others, unless a notebook takes its place.
    fn has_index(&self, settings: &Settings) -> bool {
        settings.layout(self.is_one_file) == Layout::Site || self.inputs.len() > 1
    }

    /// Phases 1 and 2, but for notebooks whose pages are known.
    fn read(
        &self,
        settings: &Settings,
        mut last: Option<&mut LastSite>,
    ) -> (Read, Vec<(SitePath, Analyzed)>) {
        // Pages that are made anew for their links alone have the places that they had.
        let mut anchors = BTreeMap::new();
        loop {
            let paths = page_paths(&self.inputs);
            let inputs = self.inputs.iter().cloned().zip(paths).collect();
            let read =
                |last| self.timings.measure(Phase::Analyze, || read_all(inputs, &self.texts, last));
            let (sources, readings) = read(last.as_deref());
            let (read, notebooks) = sorted(settings, last.as_deref(), sources, readings);
            let known = read.known.iter();
            anchors.extend(known.map(|it| (it.path.clone(), Arc::clone(&it.anchors))));
            let places = read.places.iter();
            let pages = places.map(|(it, page)| (it.as_path(), page, anchors.get(page).cloned()));
            let pages = Pages::new(pages).with_index(self.has_index(settings));
            let pages = pages.with_pairs(&self.inputs);
            let moved = read.known.iter().filter(|it| !it.leads_where_it_did(&pages));
            let moved: BTreeSet<Utf8PathBuf> = moved.map(|it| it.notebook.clone()).collect();
            match &mut last {
                Some(last) if !moved.is_empty() => last.forget(&moved),
                _ => return (read, notebooks),
            }
        }
    }
}

/// A page with what is kept of it for the next build.
fn noted(
    mut linked: LinkedPage,
    told: Option<Told>,
    shows_secret: bool,
    sources: &Sources,
) -> MadePage {
    let told = told.filter(|_| linked.built.is_settled);
    let note = told.and_then(|Told { key, notebook, mut findings }| {
        findings.append(&mut linked.diagnostics);
        let (asked, taken) = (std::mem::take(&mut linked.asked), std::mem::take(&mut linked.taken));
        let decided = (asked, taken, Arc::clone(&linked.anchors));
        Note::new((key, notebook), decided, shows_secret, &findings, sources)
    });
    linked.made(note)
}

/// Sorts notebooks that were read by what is to be done with them.
fn sorted(
    settings: &Settings,
    last: Option<&LastSite>,
    sources: Sources,
    readings: Vec<Reading>,
) -> (Read, Vec<(SitePath, Analyzed)>) {
    let (mut findings, mut notebooks, mut known) = (Vec::new(), Vec::new(), Vec::new());
    let (mut places, mut told) = (Vec::new(), BTreeMap::new());
    for reading in readings {
        let (path, mut analyzed) = match reading {
            Reading::Known(page) => {
                places.push((page.notebook.clone(), page.path.clone()));
                findings.extend(page.findings.iter().cloned());
                known.push(*page);
                continue;
            }
            Reading::New(path, analyzed) => (path, *analyzed),
        };
        if let Some(Analyzed { input, notebook, .. }) = &analyzed.value
            && stored::is_published_as_stored(notebook, settings.execute)
        {
            // A notebook that is not run need not be able to run.
            analyzed.diagnostics.iter_mut().for_each(|it| it.severity = Severity::Warning);
            if let Some(last) = last {
                let digest = sources.get(notebook.source).digest();
                let (key, _) = last.parts.page(input, &path, digest);
                let (notebook, findings) = (input.relative.clone(), analyzed.diagnostics.clone());
                if input.stored.is_none() {
                    told.insert(path.clone(), Told { key, notebook, findings });
                }
            }
        }
        findings.append(&mut analyzed.diagnostics);
        if let Some(it) = analyzed.value {
            places.push((it.input.relative.clone(), path.clone()));
            notebooks.push((path, it));
        }
    }
    (Read { sources, findings, places, known, told }, notebooks)
}

/// Results of all notebooks.
struct Made {
    settings: Settings,
    read: Read,
    outcomes: Vec<Outcome>,
    warnings: Vec<Warning>,
    packages: Vec<PackageFolders>,
    /// Pages of notebooks with lines that may hold a secret.
    secretive: BTreeSet<SitePath>,
    /// Whether all that draws charts could be had.
    is_settled: bool,
}

/// Findings about notebooks.
#[derive(Debug)]
pub struct Checked {
    /// Sorted by place.
    pub findings: Vec<Diagnostic>,
    /// The texts that findings point into.
    pub sources: Sources,
    /// Whether a line of a notebook may hold a secret, so that findings must not quote lines.
    pub shows_secret: bool,
}

/// The inputs of notebooks, and what was found on the way.
#[derive(Debug)]
pub struct ListedStates {
    /// By notebook.
    pub listed: Vec<Listed>,
    /// Findings about the notebooks, sorted by place.
    pub findings: Vec<Diagnostic>,
    /// Why notebooks have no environment.
    pub failures: Vec<Failure>,
    /// The texts that findings point into.
    pub sources: Sources,
}

/// Whether lines of a notebook may hold a secret. The lines of a finding are printed as they are.
fn shows_secret(
    analyzed: &Analyzed,
    sources: &Sources,
    granted: &Granted,
    settings: &Settings,
) -> bool {
    let text = sources.get(analyzed.notebook.source).text();
    !granted.scanner.find(text.as_bytes()).is_empty()
        || !exposure::in_code(&analyzed.notebook, &settings.allowed, |_| true).is_empty()
}

/// Scripts and frames that a proof of the site may find beside nbc's own.
pub(super) fn expected(trust: &Trust) -> Expected {
    Expected::default()
        .with_scripts(trust.runtimes().iter().cloned())
        .with_islands(trust.has_islands())
}

fn tell_known_pages(known: usize, events: &dyn Events) {
    if known > 0 {
        let stand = if known == 1 {
            "stands as the last build left it"
        } else {
            "stand as the last build left them"
        };
        events.line(&format!("{} {stand}", counted(known, "page")));
    }
}

fn tell_known(known: usize, events: &dyn Events) {
    if known > 0 {
        let whose = if known == 1 { "is that" } else { "are those" };
        events.line(&format!(
            "{} {whose} of earlier builds: nothing that they can read has changed",
            counted(known, "run")
        ));
    }
}

/// The folder whose settings hold for paths: the first one, or that of the first notebook.
#[must_use]
pub fn folder_of(paths: &[Utf8PathBuf]) -> &Utf8Path {
    let first = paths.first().map_or(Utf8Path::new("."), |it| it.as_path());
    let folder = if first.is_dir() { first } else { first.parent().unwrap_or(first) };
    if folder.as_str().is_empty() { Utf8Path::new(".") } else { folder }
}
