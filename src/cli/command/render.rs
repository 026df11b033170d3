//! `nbc render`: phases 7 to 11 on a recorded run, without Python and without a sandbox.

use std::collections::{BTreeMap, BTreeSet};

use super::build::publish_site;
use super::{analyze, configuration, folder_of};
use crate::charts::Kind;
use crate::cli::args::{Format, Render};
use crate::cli::charts::Charts;
use crate::cli::compile;
use crate::cli::exposure;
use crate::cli::grants;
use crate::cli::inputs::{Input, page_paths};
use crate::cli::links::{Origin, Pages};
use crate::cli::look::Looks;
use crate::cli::printer::Printer;
use crate::cli::publishing::{self, Allowed};
use crate::cli::settings::{PageFlags, site_title};
use crate::cli::trust::Trust;
use crate::cli::{Exit, Failure, cache_folder, ceilings};
use crate::config::Config;
use crate::diagnostic::{self, Parsed};
use crate::emit::manifest::Granted;
use crate::emit::{Layout, Provenance};
use crate::environment::cached_runtime;
use crate::output::Alive;
use crate::output::mask::{Host, Masks};
use crate::publish::Destination;
use crate::run::{self, RunRecord};
use crate::site::Integrity;
use crate::source::Sources;
use crate::verify::Expected;

pub(in crate::cli) fn run(arguments: &Render, printer: Printer) -> Result<Exit, Failure> {
    let file_name = arguments.notebook.file_name().unwrap_or("notebook").to_owned();
    let relative = file_name.as_str().into();
    let input = Input { path: arguments.notebook.clone(), relative, is_named: true };
    let paths = page_paths(std::slice::from_ref(&input));
    let mut sources = Sources::default();
    let Parsed { value, mut diagnostics } = analyze(input, &mut sources);
    let (Some(analyzed), Some(path)) = (value, paths.into_iter().next()) else {
        printer.diagnostics(&diagnostics, &sources, arguments.format);
        return Ok(Exit::Findings);
    };
    let notebook = analyzed.notebook;
    let mut record = RunRecord::load(&arguments.record)?;
    if record.source.as_deref().is_some_and(|it| it != run::source_digest(&sources, &notebook)) {
        return Err(Failure {
            message: format!(
                "`{}` is the run of another notebook, or of an earlier version of `{file_name}`",
                arguments.record
            ),
            help: Some("record it anew with `nbc build --record DIR`".to_owned()),
        });
    }
    let destination = Destination::claim(&arguments.output)?;
    let inputs = std::slice::from_ref(&arguments.notebook);
    let config = configuration(inputs)?;
    grants::check_templates(arguments.trust_config, &config)?;
    let flags = &arguments.publishing;
    // There is nothing to run, so only what a page shows of a cell can be too much.
    let asked = Config { shown: config.shown, lines: config.lines.clone(), ..Config::default() };
    let trusts_config = arguments.trust_config;
    let own = ceilings::Flags { shown: flags.shown, trusts_config, ..ceilings::Flags::default() };
    ceilings::check(&asked, &own, folder_of(inputs))?;
    let allowed = Allowed::new(&flags.allow_secret, &config, folder_of(inputs))?;
    let is_strict = flags.strict_sanitize || config.strict_sanitize;
    // The lines of a finding are printed as they are.
    let shows_secret = !exposure::in_code(&notebook, &allowed, |_| true).is_empty();
    let format = match arguments.format {
        Format::Full if shows_secret => Format::Concise,
        format => format,
    };
    diagnostics.extend(exposure::leaks_in_record(&mut record, &notebook, &allowed));
    let masked = Masks::new([], Host::this()).record(&mut record);
    diagnostics.extend(exposure::masked(&notebook, masked));
    diagnostics.extend(compile::failures(&notebook, &record, arguments.allow_errors, None));
    let looks = Looks::load(folder_of(inputs), &config)?;
    let page_flags = PageFlags::of_render(arguments);
    let page = page_flags.options(&config);
    let layout = page_flags.layout(&config, true);
    let origin = Origin { page: &path, notebook: &analyzed.input.relative };
    let charts = Charts::new(page_flags.charts(&config));
    let trust = Trust::new(flags, None, layout == Layout::Site)?;
    let islands = trust.islands(origin.notebook);
    let compile = |live: &BTreeSet<Kind>| {
        let alive = Alive { charts: live.clone(), islands: islands.clone(), ..Alive::default() };
        compile::document(&notebook, &analyzed.graph, &record, origin, &page, &alive)
    };
    let have = |known| {
        cached_runtime(known, &cache_folder()?).ok_or_else(|| Failure {
            message: "an earlier `nbc build` has to have fetched what draws them".to_owned(),
            help: None,
        })
    };
    let mut document = charts.compile(compile, &BTreeMap::new(), |_| None, have);
    charts.warn(printer);
    let text = sources.get(notebook.source).text();
    document.diagnostics.extend(document.value.offer_source(text, notebook.source, &page));
    diagnostics.extend(document.diagnostics);
    diagnostics.extend(exposure::leaks_in_page(&document.value, &notebook, &allowed));
    let pages = Pages::new([document.value.place()]);
    let document = document.value.link(&pages);
    diagnostics.extend(document.diagnostics);
    if is_strict {
        publishing::refuse_removals(&mut diagnostics);
    }
    diagnostic::sort(&mut diagnostics);
    printer.diagnostics(&diagnostics, &sources, format);
    if diagnostic::has_errors(&diagnostics) {
        return Ok(Exit::Findings);
    }
    let provenance = Provenance {
        path: document.value.path.clone(),
        title: document.value.title.clone(),
        source: file_name,
        source_integrity: Integrity::of(sources.get(notebook.source).text().as_bytes()),
        engine: record.engine.name,
        python: record.engine.python,
        packages: Vec::new(),
        lock: None,
        isolation: Vec::new(),
        granted: Granted::default(),
    };
    let folder = destination.folder().to_owned();
    let title = site_title(&config);
    let built = vec![(document.value, provenance)];
    let runtimes = flags.trust_runtime.iter().map(|it| it.as_str().to_owned());
    let expected = Expected::default().with_scripts(runtimes).with_islands(trust.has_islands());
    if !publish_site(built, layout, (&looks, &title), destination, &expected, printer)? {
        return Ok(Exit::Failed);
    }
    printer.line(&format!("built 1 page into {folder}"));
    Ok(Exit::Done)
}
