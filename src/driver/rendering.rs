//! The page of a recorded run: phases 7 to 11 without Python and without a sandbox.

use std::collections::BTreeMap;

use camino::Utf8Path;

use super::analysis::{Analyzed, analyze_all};
use super::clearance::{self, Cleared, Rules};
use super::compiled::{Compiled, PageOf, link, told};
use super::document::Unlinked;
use super::events::Events;
use super::inputs::{Input, list_page, page_paths};
use super::linked_files::LinkedFiles;
use super::links::Pages;
use super::options::{Goal, Settings, site_title};
use super::page::{Drawing, PageMaker};
use super::project::{Project, expected};
use super::runtimes::Charts;
use super::trust::Trust;
use super::unit::{Built, provenance};
use super::{Failure, cache_folder, exposure, grants};
use crate::charts::{Kind, KnownRuntime};
use crate::diagnostic::Parsed;
use crate::emit::Layout;
use crate::environment::cached_runtime;
use crate::output::mask::{Host, Masks};
use crate::run::{self, RunRecord};
use crate::secret::Scanner;
use crate::site::SitePath;

impl Project {
    /// Makes the page of a notebook from its recorded run, without Python and without a sandbox.
    ///
    /// # Errors
    /// When the record cannot be read, is that of another notebook, or `nbc.toml` asks for what the caller does not
    /// grant.
    pub fn render(&self, record: &Utf8Path, events: &dyn Events) -> Result<Compiled<'_>, Failure> {
        self.options.cancel.during(|| self.page_of(record, events))
    }

    fn page_of(&self, record: &Utf8Path, events: &dyn Events) -> Result<Compiled<'_>, Failure> {
        grants::check_page(&self.options, &self.config)?;
        let mut settings = Settings::new(&self.options, &self.config, self.folder(), Goal::Record)?;
        let layout = settings.layout(true);
        settings.trust =
            Trust::new(&self.options.publishing, &self.config, layout == Layout::Site)?;
        let (sources, mut analyzed) = analyze_all(self.inputs.clone());
        let (mut findings, scanner) = (Vec::new(), Scanner::default());
        let (mut built, mut warnings, mut shows_secret) = (Vec::new(), Vec::new(), false);
        let analyzed = analyzed.pop().and_then(|it| {
            findings.extend(it.diagnostics);
            it.value
        });
        if let (Some(analyzed), Some(path)) =
            (analyzed, page_paths(&self.inputs).into_iter().next())
        {
            let notebook = &analyzed.notebook;
            shows_secret = !exposure::in_code(notebook, &settings.allowed, |_| true).is_empty();
            let loaded = load(record, &run::source_digest(&sources, notebook), &analyzed.input)?;
            let masks = Masks::new([], Host::this());
            let errors = settings.page.error_rules();
            let rules =
                Rules { scanner: &scanner, allowed: &settings.allowed, masks: &masks, errors };
            let charts = Charts::new(settings.charts);
            let maker = PageMaker {
                settings: &settings,
                sources: &sources,
                charts: &charts,
                scanner: &scanner,
                timings: &self.timings,
                events,
                limits: None,
            };
            if let Some(record) = clearance::clear(loaded, notebook, rules, &mut findings) {
                let document = draw(maker, &analyzed, &path, &record);
                findings.extend(document.diagnostics);
                built.extend(document.value.map(|document| {
                    let source = sources.get(notebook.source);
                    let provenance =
                        provenance(&document, &analyzed.input, source, record.get(), &settings);
                    Built { document, provenance, is_settled: false }
                }));
            }
            warnings = charts.warnings();
        }
        let known = Pages::new(built.iter().map(|it| it.document.target()));
        let known = known.with_index(layout == Layout::Site);
        let files = LinkedFiles::new(layout, &scanner, &settings.allowed);
        let pages = link(built, (&known, &files), &settings, &mut findings);
        let files = files.into_files()?;
        let pages = pages.into_iter().map(|it| PageOf::Made(Box::new(it.made(None)))).collect();
        Ok(Compiled {
            pages,
            findings: told(findings, &scanner),
            failures: Vec::new(),
            warnings,
            sources,
            notebooks: self.inputs.len(),
            shows_secret,
            keeps_going: false,
            layout,
            list: list_page(&page_paths(&self.inputs), layout),
            looks: &self.looks,
            title: site_title(&self.config),
            scanner,
            expected: expected(&settings.trust),
            cache: None,
            last: None,
            timings: &self.timings,
            packages: Vec::new(),
            taken: Vec::new(),
            files,
        })
    }
}

/// The record of a notebook, and of no other.
fn load(path: &Utf8Path, digest: &str, input: &Input) -> Result<RunRecord, Failure> {
    let record = RunRecord::load(path)?;
    if record.source.as_deref().is_some_and(|it| it != digest) {
        return Err(Failure {
            message: format!(
                "`{path}` is the run of another notebook, or of an earlier version of `{}`",
                input.relative
            ),
            help: Some("record it anew with `nbc build --record DIR`".to_owned()),
        });
    }
    Ok(record)
}

/// The page, with charts drawn by what earlier builds fetched.
fn draw(
    maker: PageMaker<'_>,
    analyzed: &Analyzed,
    path: &SitePath,
    record: &Cleared<RunRecord>,
) -> Parsed<Option<Unlinked>> {
    let packages = record.get().facts.as_ref().map(|it| &it.packages);
    let made_by = |kind: Kind| Some(packages?.get(kind.name())?.version.clone());
    let have = |known: &'static KnownRuntime| {
        cached_runtime(known, &cache_folder()?).ok_or_else(|| Failure {
            message: "an earlier `nbc build` has to have fetched what draws them".to_owned(),
            help: None,
        })
    };
    let drawing = Drawing { own: BTreeMap::new(), made_by: &made_by, have: &have };
    maker.page(analyzed, path, record, &drawing)
}
