//! Flags and configuration to what a build does.

use camino::{Utf8Path, Utf8PathBuf};

use super::args::{Build, ChosenValue, Execute, Format, Publishing, Render, States};
use super::command::{folder_of, visibility};
use super::compile::PageOptions;
use super::publishing::{self, Allowed};
use super::trust::Trust;
use super::{Failure, ceilings, limits};
use crate::config::{ChartSetting, CodeSetting, Config, LayoutSetting};
use crate::diagnostic;
use crate::emit::Layout;
use crate::notebook::Notebook;
use crate::run::{Bounds, OnError, SweepPlan};

/// Everything that the flags and the configuration decide.
pub(super) struct Settings {
    pub(super) goal: Goal,
    pub(super) bounds: Bounds,
    /// Whether everything is run twice and compared.
    pub(super) checks_reproducible: bool,
    /// Whether notebooks are built although others cannot.
    pub(super) keeps_going: bool,
    /// Notebooks that are worked on at once.
    pub(super) jobs: usize,
    /// What notebooks see of their own folders, where neither they nor their pages say it.
    inputs: Option<Vec<String>>,
    /// What the states of inputs may take; `None`: they are not run.
    pub(super) sweep: Option<SweepPlan>,
    /// Values that a page shows first.
    pub(super) chosen: Vec<ChosenValue>,
    pub(super) on_error: OnError,
    pub(super) page: PageOptions,
    pub(super) execute: Execute,
    pub(super) record: Option<Utf8PathBuf>,
    pub(super) allowed: Allowed,
    pub(super) is_strict: bool,
    pub(super) trust: Trust,
    pub(super) format: Format,
}

/// What a build is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// A site.
    Site,
    /// A list of inputs and their states.
    List,
}

impl Settings {
    /// As flags and configuration decide.
    pub(super) fn new(arguments: &Build, config: &Config) -> Result<Self, Failure> {
        let flags = ceilings::Flags {
            limits: arguments.limits,
            shown: arguments.publishing.shown,
            sweep: arguments.sweep,
            trusts_config: arguments.runtime.trust_config,
        };
        ceilings::check(config, &flags, folder_of(&arguments.inputs))?;
        let jobs = limits::jobs(arguments.sweep.or(config.sweep));
        let mut bounds = limits::bounds(arguments.limits.or(config.limits))?;
        bounds.outputs.rows = publishing::shown(&arguments.publishing, config).rows;
        let sweep = (arguments.states == States::Run)
            .then(|| {
                limits::sweep(arguments.sweep.or(config.sweep), &bounds, config.states.clone())
            })
            .transpose()?;
        Ok(Self {
            goal: Goal::Site,
            bounds,
            checks_reproducible: arguments.check_reproducible,
            keeps_going: arguments.keep_going,
            jobs,
            inputs: config.inputs.clone(),
            sweep,
            chosen: arguments.state.clone(),
            on_error: if arguments.allow_errors { OnError::Continue } else { OnError::Stop },
            page: PageFlags::of_build(arguments).options(config),
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

    /// What a notebook sees of its own folder: its page's word, its own, that of all.
    pub(super) fn inputs<'a>(
        &'a self,
        relative: &Utf8Path,
        notebook: &'a Notebook,
    ) -> Option<&'a [String]> {
        let page = self.page.pages.get(relative.as_str()).and_then(|it| it.inputs.as_ref());
        page.or(notebook.about.inputs.as_ref()).or(self.inputs.as_ref()).map(Vec::as_slice)
    }
}

/// What pages show, by flags, else by `nbc.toml`: the one merge of `nbc build` and `nbc render`, since a page that is
/// rendered must not show code that a build hides.
pub(super) struct PageFlags<'a> {
    pub(super) code: Option<CodeSetting>,
    pub(super) charts: Option<ChartSetting>,
    pub(super) layout: Option<LayoutSetting>,
    pub(super) show_graph: bool,
    pub(super) include_source: bool,
    pub(super) publishing: &'a Publishing,
}

impl<'a> PageFlags<'a> {
    pub(super) fn of_build(arguments: &'a Build) -> Self {
        Self {
            code: arguments.code,
            charts: arguments.charts,
            layout: arguments.layout,
            show_graph: arguments.show_graph,
            include_source: arguments.include_source,
            publishing: &arguments.publishing,
        }
    }

    pub(super) fn of_render(arguments: &'a Render) -> Self {
        Self {
            code: arguments.code,
            charts: arguments.charts,
            layout: arguments.layout,
            show_graph: arguments.show_graph,
            include_source: arguments.include_source,
            publishing: &arguments.publishing,
        }
    }

    pub(super) fn options(&self, config: &Config) -> PageOptions {
        let code = visibility(self.code.or(config.code));
        let show_graph = self.show_graph || config.show_graph;
        let shown = publishing::shown(self.publishing, config);
        let mut page = PageOptions::new(code, show_graph, shown, config);
        if self.include_source {
            page.page.source = Some(true);
        }
        page
    }

    pub(super) fn charts(&self, config: &Config) -> ChartSetting {
        self.charts.or(config.charts).unwrap_or(ChartSetting::Interactive)
    }

    /// The layout that is asked for; otherwise single files for one notebook that was named, else a site.
    pub(super) fn layout(&self, config: &Config, is_one_file: bool) -> Layout {
        match self.layout.or(config.layout) {
            Some(LayoutSetting::Single) => Layout::Single,
            Some(LayoutSetting::Site) => Layout::Site,
            None if is_one_file => Layout::Single,
            None => Layout::Site,
        }
    }
}

/// The title of a site.
pub(super) fn site_title(config: &Config) -> String {
    config.title.as_deref().map_or_else(|| "Notebooks".to_owned(), diagnostic::straight)
}
