//! `nbc build`: every phase, in order.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use camino::Utf8Path;
use rayon::prelude::*;

use super::{Analyzed, analyze_all, configuration, counted, find_inputs, folder_of};
use crate::cache::{Cache, Trees};
use crate::cli::anchor::DigestFile;
use crate::cli::args::{Build, Format};
use crate::cli::builder::{Builder, Built, Outcome, Prepared, Worker, policy};
use crate::cli::charts::Charts;
use crate::cli::compile::Compiled;
use crate::cli::exposure;
use crate::cli::grants;
use crate::cli::inputs::page_paths;
use crate::cli::limits;
use crate::cli::links::Pages;
use crate::cli::look::Looks;
use crate::cli::preparation::Preparation;
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::cli::publishing;
use crate::cli::settings::{Goal, PageFlags, Settings, site_title};
use crate::cli::timings::{Phase, Timings, on_notebook};
use crate::cli::trust::Trust;
use crate::cli::unchanged::{self, LastBuild};
use crate::cli::workers::{self, Line, Turns};
use crate::cli::{Exit, Failure, entries};
use crate::diagnostic::{self, Diagnostic, Severity};
use crate::emit::{self, Layout, Provenance};
use crate::process::interrupt;
use crate::publish::Destination;
use crate::render::{self, Document};
use crate::run::RunPlan;
use crate::run::remembered::Unchecked;
use crate::run::stored;
use crate::run::warm::{Batch, Brood, Nursery};
use crate::secret::Scanner;
use crate::site::SitePath;
use crate::verify::{self, Expected};

/// Links of the pages to each other; only now is it known which of them there are.
fn link(
    built: Vec<Built<Compiled>>,
    is_strict: bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Built<Document>> {
    let pages = Pages::new(built.iter().map(|it| it.document.place()));
    let linked = built.into_par_iter().map(|Built { document, provenance }| {
        let mut document = document.link(&pages);
        if is_strict {
            publishing::refuse_removals(&mut document.diagnostics);
        }
        (document.diagnostics, Built { document: document.value, provenance })
    });
    let (found, linked): (Vec<_>, Vec<_>) = linked.unzip();
    diagnostics.extend(found.into_iter().flatten());
    linked
}

pub(in crate::cli) fn run(
    arguments: &Build,
    goal: Goal,
    printer: Printer,
) -> Result<Exit, Failure> {
    let timings = Timings::start();
    interrupt::install()?;
    let mut config = configuration(&arguments.inputs)?;
    config.title = arguments.title.clone().or(config.title);
    let mut settings = Settings::new(arguments, &config)?;
    settings.goal = goal;
    if let Some(sweep) = &mut settings.sweep {
        sweep.is_dry = goal == Goal::List;
    }
    let looks = Looks::load(folder_of(&arguments.inputs), &config)?;
    let entries = entries(&arguments.memory)?;
    let cache = (!arguments.memory.no_cache).then(|| Arc::clone(&entries));
    let trees = Arc::new(Trees::default());
    let folder = folder_of(&arguments.inputs);
    let last = (goal == Goal::Site)
        .then(|| LastBuild::of(arguments, &config, folder, cache.as_ref(), &trees, printer))
        .flatten();
    let inputs = timings
        .measure(Phase::Analyze, || find_inputs(&arguments.inputs, &config.exclude, printer))?;
    let pages =
        timings.measure(Phase::Cache, || last.as_ref().and_then(|it| it.repeat(&inputs, printer)));
    if let Some((pages, manifest)) = pages {
        if let Some(file) = digest_file(arguments)? {
            file.keep(&manifest)?;
        }
        if !arguments.format.is_for_machines() {
            printer.line(&format!(
                "nothing has changed: {} in {} as the last build left them",
                counted(pages, "page"),
                arguments.output
            ));
            printer.line(&format!("manifest digest: {manifest}"));
        }
        if arguments.timings {
            printer.line(&told(&timings, arguments.format));
        }
        return Ok(Exit::Done);
    }
    let preparation = Preparation::new(
        &arguments.runtime,
        &config,
        arguments.limits.or(config.limits),
        Some(Arc::clone(&entries)),
        cache.is_some(),
        Arc::clone(&trees),
    )?;
    // A list leaves the site alone.
    let scratch = (goal == Goal::List).then(tempfile::tempdir).transpose()?;
    let output = match scratch.as_ref().and_then(|it| Utf8Path::from_path(it.path())) {
        Some(folder) => folder.join("site"),
        None => arguments.output.clone(),
    };
    let destination = Destination::claim(&output).map_err(helped)?;
    let digest_file = digest_file(arguments)?;
    let granted = grants::collect(arguments, &config, &destination, printer)?;

    let (sources, analyzed) = timings.measure(Phase::Analyze, || analyze_all(inputs.clone()));
    let runs = policy(arguments.runtime.execute);
    let (mut diagnostics, mut notebooks) = (Vec::new(), Vec::new());
    for (mut analyzed, path) in analyzed.into_iter().zip(page_paths(&inputs)) {
        if let Some(it) = &analyzed.value
            && stored::is_published_as_stored(&it.notebook, runs)
        {
            // What is not run need not be able to run.
            analyzed.diagnostics.iter_mut().for_each(|it| it.severity = Severity::Warning);
        }
        diagnostics.append(&mut analyzed.diagnostics);
        notebooks.push((path, analyzed.value));
    }
    let digest = timings.measure(Phase::Cache, || {
        last.as_ref().and_then(|_| unchanged::digest_of_read(&inputs, &sources))
    });
    let number = notebooks.len();
    if number > 1 && !arguments.state.is_empty() {
        let message = format!("`--state` chooses for one notebook, and these are {number}");
        let help = Some("build the notebook by itself".to_owned());
        return Err(Failure { message, help });
    }
    let page_flags = PageFlags::of_build(arguments);
    let is_one_file = number == 1 && arguments.inputs.iter().all(|it| !it.is_dir());
    let layout = page_flags.layout(&config, is_one_file);
    // What the file asks for was granted when the grants were collected.
    settings.trust = Trust::new(&arguments.publishing, Some(&config), layout == Layout::Site)?;

    let expected = Expected::default()
        .with_scripts(settings.trust.runtimes().iter().cloned())
        .with_islands(settings.trust.has_islands());

    // The lines of a finding are printed as they are.
    let shows_secret = timings.measure(Phase::Exposure, || {
        notebooks.par_iter().filter_map(|(_, it)| it.as_ref()).any(|it| {
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
    let turns = Turns::new(limits::runs_at_once(arguments.memory.build_memory, &settings.bounds));
    let builder = Builder {
        settings,
        granted: &granted,
        sources: &sources,
        timings: &timings,
        preparation,
        runner: OnceLock::new(),
        charts: Charts::new(page_flags.charts(&config)),
        cache: cache.clone(),
        trees,
        unchecked: Unchecked::default(),
        known: AtomicUsize::new(0),
        turns,
        masks_of_stored: OnceLock::new(),
    };
    let progress = Progress::new(printer);
    // All static findings come before the first run, which may take minutes.
    let can_run = arguments.keep_going || !diagnostic::has_errors(&diagnostics);
    let notebooks: Vec<_> = notebooks
        .into_iter()
        .filter_map(|(path, it)| Some((path, it.filter(|_| can_run)?)))
        .enumerate()
        .collect();
    let goes_on = arguments.keep_going || goal == Goal::List;
    let outcomes = build_all(&builder, notebooks, goes_on, arguments, &progress);
    progress.finish();
    if let Some(cache) = &cache {
        timings.measure(Phase::Cache, || builder.unchecked.end(cache, &builder.trees));
    }
    entries.trim();
    entries.take_warnings().iter().for_each(|it| printer.warning(it));
    let known = builder.known.load(Ordering::Relaxed);
    if known > 0 {
        let whose = if known == 1 { "is that" } else { "are those" };
        printer.line(&format!(
            "{} {whose} of earlier builds: nothing that they can read has changed",
            counted(known, "run")
        ));
    }
    if interrupt::is_requested() {
        printer.warning(&format!("interrupted; `{}` is as it was", destination.folder()));
        return Ok(Exit::Interrupted);
    }
    let (mut built, mut failures) = (Vec::new(), Vec::new());
    for outcome in outcomes? {
        let outcome = outcome?;
        diagnostics.extend(outcome.diagnostics);
        failures.extend(outcome.without_environment);
        outcome.listed.iter().for_each(|it| printer.result(&format!("{it}\n")));
        built.extend(outcome.built);
    }
    if goal == Goal::List {
        exposure::mask(&mut diagnostics, &granted.scanner);
        diagnostic::sort(&mut diagnostics);
        printer.diagnostics(&diagnostics, &sources, Format::Concise);
        let failed = diagnostic::has_errors(&diagnostics);
        return Ok(if failed { Exit::Findings } else { Exit::Done });
    }
    // What holds for the notebooks, not for this build of them.
    Printer::remember();
    builder.preparation.warn(printer);
    builder.charts.warn(printer);
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
    let Builder { preparation, .. } = builder;
    drop(sources);
    let title = site_title(&config);
    let pages = built.len();
    let folder = destination.folder().to_owned();
    let scanner = &granted.scanner;
    let published = publish(
        built,
        layout,
        (&looks, &title),
        destination,
        &timings,
        printer,
        (scanner, Some(&entries), &expected),
    )?;
    let Some(Published { changed, manifest }) = published else { return Ok(Exit::Failed) };
    digest_file.map_or(Ok(()), |it| it.keep(&manifest))?;
    if let (Some(last), 0) = (last, errors) {
        let said = Printer::remembered();
        timings.measure(Phase::Cache, || last.keep(digest, &preparation, said, (pages, &manifest)));
    }
    if !arguments.format.is_for_machines() {
        let changed = counted(changed, "file");
        printer.line(&format!(
            "built {} into {folder}: {changed} new or changed",
            counted(pages, "page")
        ));
        printer.line(&format!("manifest digest: {manifest}"));
    }
    if arguments.timings {
        printer.line(&told(&timings, arguments.format));
    }
    Ok(if errors == 0 { Exit::Done } else { Exit::Findings })
}

fn digest_file(arguments: &Build) -> Result<Option<DigestFile>, Failure> {
    let file = arguments.digest_file.as_deref();
    file.map(|it| DigestFile::claim(it, &arguments.output)).transpose()
}

/// Phases 3 to 7 of all notebooks, several at once.
fn build_all(
    builder: &Builder<'_>,
    notebooks: Vec<(usize, (SitePath, Analyzed))>,
    goes_on: bool,
    arguments: &Build,
    progress: &Progress,
) -> Result<Vec<Result<Outcome, Failure>>, Failure> {
    let (jobs, line) = (builder.settings.jobs, Line::new());
    let number = notebooks.len();
    let prepared = workers::each(notebooks, jobs, &line, |(place, (path, analyzed)), tell| {
        if line.is_before_end(place) && !interrupt::is_requested() {
            let name = analyzed.input.path.clone();
            let prepared = on_notebook(name.as_str(), || builder.prepare(progress, analyzed, path));
            if prepared.is_err() {
                line.end_at(place);
            }
            tell(place, prepared);
        }
    });
    let (mut tasks, mut plans) = (Vec::new(), Vec::new());
    for prepared in prepared {
        let (task, plan) = match prepared? {
            Prepared::Task(task, plan) => (Ok(task), plan),
            Prepared::Nothing(outcome) => (Err(outcome), None),
        };
        tasks.push(task);
        plans.push(plan);
    }
    if interrupt::is_requested() || tasks.len() < number {
        return Ok(Vec::new());
    }
    // Notebooks that a process has to run, and those of them that one process is forked for.
    let to_run: Vec<usize> = (0..tasks.len())
        .filter(|it| tasks.get(*it).is_some_and(|it| it.as_ref().is_ok_and(|it| it.is_to_run())))
        .collect();
    let nursery = Nursery::default();
    let mut units: Vec<(Vec<usize>, Option<Batch>)> = Vec::new();
    let sandbox = match to_run.is_empty() || arguments.memory.no_warm {
        true => None,
        false => Some(
            builder.timings.measure(Phase::Sandbox, || builder.preparation.sandbox(progress))?,
        ),
    };
    let pairs: Vec<_> = to_run
        .iter()
        .filter_map(|it| {
            Some((plans.get(*it)?.as_ref()?, &tasks.get(*it)?.as_ref().ok()?.notebook))
        })
        .collect();
    let own_plans: Vec<&RunPlan> = pairs.iter().map(|it| it.0).collect();
    for batch in sandbox.map(|it| nursery.batches(it, &pairs, jobs)).unwrap_or_default() {
        let places = batch.members.iter().filter_map(|it| to_run.get(*it).copied()).collect();
        units.push((places, Some(batch)));
    }
    drop(pairs);
    let in_batches: BTreeSet<usize> = units.iter().flat_map(|it| it.0.iter().copied()).collect();
    let single = (0..tasks.len()).filter(|it| !in_batches.contains(it));
    units.extend(single.map(|it| (vec![it], None)));
    let tasks: Vec<_> = tasks.into_iter().map(|it| Mutex::new(Some(it))).collect();
    let outcomes = workers::each(units, jobs, &line, |(places, batch), tell| {
        let mut worker = Worker { progress: progress.another(), brood: None };
        let batch = batch.as_ref().zip(sandbox);
        worker.brood =
            batch.map(|(batch, sandbox)| (Brood::new(&nursery, sandbox, batch, &own_plans), 0));
        // What a warm process holds it holds between two notebooks as well.
        let _turn = worker.brood.is_some().then(|| builder.turns.take());
        for place in places {
            if !line.is_before_end(place) || interrupt::is_requested() {
                break;
            }
            let task = tasks
                .get(place)
                .and_then(|it| it.lock().unwrap_or_else(PoisonError::into_inner).take());
            let outcome = match task {
                Some(Ok(task)) => {
                    let plan = plans.get(place).and_then(Option::as_ref);
                    let name = task.input.path.clone();
                    on_notebook(name.as_str(), || builder.build(&mut worker, *task, plan))
                }
                Some(Err(outcome)) => Ok(outcome),
                None => continue,
            };
            if outcome.as_ref().map_or(true, |it| it.built.is_none() && !goes_on) {
                line.end_at(place);
            }
            tell(place, outcome);
        }
        if let Some((brood, done)) = worker.brood.as_ref().filter(|_| arguments.timings) {
            let forked = brood.forked();
            let notebooks = counted(*done, "notebook");
            worker.progress.line(&format!("warm start: {forked} of {notebooks} forked"));
            for remark in brood.remarks() {
                worker.progress.line(&format!("warm start: {remark}"));
            }
        }
    });
    Ok(outcomes)
}

/// Where the time went, for people or for programs.
fn told(timings: &Timings, format: Format) -> String {
    if format == Format::Json { timings.json() } else { timings.table() }
}

/// Phases 8 to 11. False when the site does not pass verification, which is a defect of nbc.
pub(super) fn publish_site(
    documents: Vec<(Document, Provenance)>,
    layout: Layout,
    look: (&Looks, &str),
    destination: Destination,
    expected: &Expected,
    printer: Printer,
) -> Result<bool, Failure> {
    let built = documents
        .into_iter()
        .map(|(document, provenance)| Built { document, provenance })
        .collect();
    let (timings, scanner) = (&Timings::start(), &Scanner::default());
    let published =
        publish(built, layout, look, destination, timings, printer, (scanner, None, expected))?;
    if let Some(published) = &published {
        printer.line(&format!("manifest digest: {}", published.manifest));
    }
    Ok(published.is_some())
}

/// A site that was written.
struct Published {
    /// Files that are new or differ.
    changed: usize,
    /// Digest of `manifest.json`, by which the site can be known from outside of it.
    manifest: String,
}

/// Phases 8 to 11. `None` when the site does not pass verification.
fn publish(
    built: Vec<Built<Document>>,
    layout: Layout,
    (looks, title): (&Looks, &str),
    destination: Destination,
    timings: &Timings,
    printer: Printer,
    (scanner, cache, expected): (&Scanner, Option<&Cache>, &Expected),
) -> Result<Option<Published>, Failure> {
    let index = SitePath::new("index.html")?;
    let look = looks.look(title, layout)?;
    let has_home = layout == Layout::Site || built.len() > 1;
    let (pages, provenance): (Vec<_>, Vec<_>) = timings
        .measure(Phase::Output, || {
            let pages = built.into_par_iter().map(|Built { document, provenance }| {
                let home =
                    (has_home && document.path != index).then(|| document.path.link_to(&index));
                Ok((render::page(document, home.as_deref(), &look)?, provenance))
            });
            let pages = pages.collect::<Result<Vec<_>, render::LayoutError>>()?;
            Ok(pages.into_iter().unzip())
        })
        .map_err(|error| match &error {
            render::LayoutError::Render(template) => looks.failure(template),
            render::LayoutError::Path(_) => error.into(),
        })?;
    let site = timings
        .measure(Phase::Emit, || emit::assemble(pages, &provenance, layout, &look, cache))
        .map_err(|error| match &error {
            emit::EmitError::Render(template) => looks.failure(template),
            _ => error.into(),
        })?;
    let site = match timings.measure(Phase::Verify, || verify::verify(site, expected)) {
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
                "the site's own templates may write what pages must not hold, such as a `<meta>` that is \
                 not known; docs/themes.md says what they may"
            } else {
                "this is a defect of nbc: please report it with the notebook"
            });
            return Ok(None);
        }
    };
    let exposed = timings.measure(Phase::Exposure, || exposure::in_site(site.site(), scanner));
    if let Some(message) = exposed {
        printer.error(&message);
        return Ok(None);
    }
    let manifest = site.site().files().find(|it| it.path().as_str() == "manifest.json");
    let manifest = manifest.map(|it| it.integrity().as_str().to_owned()).unwrap_or_default();
    let published = timings.measure(Phase::Publish, || destination.publish(&site));
    let published = published.map_err(helped)?;
    published.left.iter().for_each(|it| printer.warning(&it.to_string()));
    Ok(Some(Published { changed: published.written, manifest }))
}

fn helped(error: crate::publish::PublishError) -> Failure {
    use crate::publish::PublishError;

    let help = match &error {
        PublishError::NoFolder { .. } => "name a folder for the site, such as `--output site`",
        PublishError::Foreign { .. } => "choose another folder with `--output`, or empty this one",
        PublishError::Busy { .. } => "wait for it to end, or choose another folder with `--output`",
        PublishError::Mounted { path } => {
            let help = format!("name a folder below it, such as `--output {path}/site`");
            return Failure::from(error).with_help(help);
        }
        PublishError::Io { source, .. } => match source.kind() {
            std::io::ErrorKind::CrossesDevices => {
                "unmount it, or choose another folder with `--output`"
            }
            std::io::ErrorKind::StorageFull => "make room on the disk; the earlier site is whole",
            std::io::ErrorKind::PermissionDenied => "choose a folder that you may write to",
            _ => "the earlier site, if there was one, is whole",
        },
    };
    Failure::from(error).with_help(help)
}
