//! Options of a caller and `nbc.toml` to what a build does: their one merge, for every command.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::allowed::{self, Allowed};
use super::grants::SecretFile;
use super::remote::Remote;
use super::states::ChosenValue;
use super::told_errors::ErrorRules;
use super::trust::{AllowedIsland, Trust};
use super::{Failure, ceilings, limits};
use crate::cache;
use crate::config::{
    ChartSetting, CodeSetting, Config, ErrorSetting, IsolationSetting, LayoutSetting,
    LimitSettings, PageSettings, ShownSettings, SweepSettings,
};
use crate::diagnostic;
use crate::emit::Layout;
use crate::environment::PackageName;
use crate::interrupt::Cancel;
use crate::notebook::{About, CodeVisibility, Notebook};
use crate::output::Shown;
use crate::process::{AllowedHost, Isolation, Trusted};
use crate::run::stored::Policy;
use crate::run::{Bounds, OnError, SweepPlan};
use crate::site::StatedIntegrity;

/// Options of a caller. `nbc.toml` decides if an option is `None` or empty, else the default; lists of grants are added
/// to those of the file.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Layout; default: single for one notebook, site for a folder or several.
    pub layout: Option<LayoutSetting>,
    /// Whether readers see code; default: folded.
    pub code: Option<CodeSetting>,
    /// Whether readers can hover, zoom and select in charts; default: interactive.
    pub charts: Option<ChartSetting>,
    /// What readers see of errors that the author expects or keeps; default: their message.
    pub errors: Option<ErrorSetting>,
    /// Title of the site; default: "Notebooks".
    pub title: Option<String>,
    /// Whether readers may download each notebook without its outputs.
    pub include_source: bool,
    /// Whether files that prose links to stay unpublished.
    pub no_files: bool,
    /// Whether each page draws how its cells depend on each other.
    pub show_graph: bool,
    /// Whether a failed cell becomes a neutral box, instead of an error.
    pub allow_errors: bool,
    /// Whether notebooks that can be built are published although others cannot.
    pub keep_going: bool,
    /// A folder for the run of each notebook.
    pub record: Option<Utf8PathBuf>,
    /// Files that the caller itself writes: no run sees them.
    pub own_files: Vec<Utf8PathBuf>,
    /// Whether every notebook is run twice and compared.
    pub check_reproducible: bool,
    /// Whether states of inputs stay unrun.
    pub without_states: bool,
    /// Values of inputs that a page shows first.
    pub chosen: Vec<ChosenValue>,
    /// Results of a run that may be published.
    pub publishing: Publishing,
    /// Environment and sandbox of notebooks.
    pub runtime: Runtime,
    /// Hosts that notebooks may reach.
    pub allow_net: Vec<AllowedHost>,
    /// Files and folders that notebooks may read, relative to each notebook.
    pub read: Vec<Utf8PathBuf>,
    /// Variables of the environment that are handed to notebooks.
    pub env: Vec<String>,
    /// Files that are handed to notebooks as secrets.
    pub secret: Vec<SecretFile>,
    /// Bounds of a run.
    pub limits: LimitSettings,
    /// Bounds of the states of inputs.
    pub sweep: SweepSettings,
    /// Whether pages show the pictures of the web that `nbc-assets.lock` names.
    pub remote_images: bool,
    /// Memory of earlier builds.
    pub memory: Memory,
    /// Whether the user grants what `nbc.toml` asks for.
    pub trust_config: bool,
    /// A request that stops the work on the project.
    pub cancel: Cancel,
}

impl Options {
    /// Whether pages show pictures of the web. A wish of `nbc.toml` is granted apart.
    pub(super) fn wants_remote_images(&self, config: &Config) -> bool {
        self.remote_images || config.remote_images
    }
}

/// Results of a run that may be published.
#[derive(Debug, Clone, Default)]
pub struct Publishing {
    /// Whether what has to be removed from an output is an error.
    pub strict_sanitize: bool,
    /// Fingerprints and rules of what looks like a secret and is none.
    pub allow_secret: Vec<String>,
    /// Outputs that run their own scripts, in frames without network.
    pub allow_island: Vec<AllowedIsland>,
    /// Digests of programs of the environment that draw charts.
    pub trust_runtime: Vec<StatedIntegrity>,
    /// Bounds of what a page shows.
    pub shown: ShownSettings,
}

/// Environment and sandbox that notebooks run with.
#[derive(Debug, Clone)]
pub struct Runtime {
    /// Whether notebooks are run that hold outputs already.
    pub execute: Policy,
    /// An interpreter that is used with its packages as they are; default: an environment is made.
    pub python: Option<Utf8PathBuf>,
    /// Packages that are built from source, inside the sandbox.
    pub allow_build: Vec<PackageName>,
    /// How much of the confinement there must be; default: every layer.
    pub isolation: Option<IsolationLevel>,
    /// Whether the notebooks may do whatever the user may; [`IsolationLevel::None`] needs it.
    pub trust_notebooks: bool,
}

impl Default for Runtime {
    fn default() -> Self {
        Self {
            execute: Policy::RunIfEmpty,
            python: None,
            allow_build: Vec::new(),
            isolation: None,
            trust_notebooks: false,
        }
    }
}

/// How much of the confinement there must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsolationLevel {
    /// Every layer, or no build.
    Strict,
    /// The host's strongest confinement.
    BestEffort,
    /// Limits only, for notebooks that the user trusts.
    None,
}

/// Memory of earlier builds, and the number of runs at once.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Whether every notebook is run, whatever earlier builds found out.
    pub no_cache: bool,
    /// Whether every notebook gets a process of its own from the start.
    pub no_warm: bool,
    /// Bytes that records of earlier runs may take on disk.
    pub cache_size: u64,
    /// Bytes of memory of all notebooks that run at the same time; default: three quarters of the machine's.
    pub build_memory: Option<u64>,
}

impl Default for Memory {
    fn default() -> Self {
        let cache_size = cache::DEFAULT_SIZE.0;
        Self { no_cache: false, no_warm: false, cache_size, build_memory: None }
    }
}

/// The purpose of an opened project. It decides which bounds of `nbc.toml` matter, and which files have to exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Pages of notebooks.
    Site,
    /// A list of inputs and their states.
    States,
    /// Pages of runs that are over.
    Record,
    /// Environments.
    Environments,
    /// Reports that need no run.
    Reading,
    /// Keys of runs and pages, as a build would have them.
    Key,
}

impl Goal {
    /// Whether notebooks run, or what they run with is made.
    pub(super) fn has_runs(self) -> bool {
        matches!(self, Self::Site | Self::States | Self::Environments | Self::Key)
    }

    /// Whether something is shown of a run, or told about that.
    pub(super) fn has_pages(self) -> bool {
        matches!(self, Self::Site | Self::States | Self::Record | Self::Key)
    }
}

/// Everything that options and `nbc.toml` decide.
pub(super) struct Settings {
    pub(super) goal: Goal,
    pub(super) bounds: Bounds,
    /// Whether everything is run twice and compared.
    pub(super) checks_reproducible: bool,
    /// Whether notebooks are built although others cannot.
    pub(super) keeps_going: bool,
    /// Notebooks that are worked on at once.
    pub(super) jobs: usize,
    /// Files of their own folders that notebooks see, where neither they nor their pages say it.
    pub(super) inputs: Option<Vec<String>>,
    /// Bounds of the states of inputs; `None`: they are not run.
    pub(super) sweep: Option<SweepPlan>,
    /// Values that a page shows first.
    pub(super) chosen: Vec<ChosenValue>,
    pub(super) on_error: OnError,
    pub(super) page: PageOptions,
    pub(super) charts: ChartSetting,
    /// The layout that is asked for.
    pub(super) layout: Option<LayoutSetting>,
    pub(super) execute: Policy,
    pub(super) record: Option<Utf8PathBuf>,
    pub(super) allowed: Arc<Allowed>,
    pub(super) is_strict: bool,
    pub(super) trust: Trust,
    /// Pictures of the web; `None`: they are links.
    pub(super) remote: Option<Remote>,
}

impl Settings {
    /// The settings that options and `nbc.toml`, which lies in `folder`, decide.
    pub(super) fn new(
        options: &Options,
        config: &Config,
        folder: &Utf8Path,
        goal: Goal,
    ) -> Result<Self, Failure> {
        ceilings::check(config, options, folder, goal)?;
        // A run that is over takes nothing any more.
        let (limits, sweep_settings) = match goal.has_runs() {
            true => (options.limits.or(config.limits), options.sweep.or(config.sweep)),
            false => (options.limits, options.sweep),
        };
        let shows_remote = goal.has_pages() && options.wants_remote_images(config);
        let shown = allowed::shown(options.publishing.shown.or(config.shown));
        let mut bounds = limits::bounds(limits)?;
        bounds.outputs.rows = shown.rows;
        let sweep = (!options.without_states)
            .then(|| limits::sweep(sweep_settings, &bounds, config.states.clone()))
            .transpose()?
            .map(|it| SweepPlan { is_dry: goal == Goal::States, ..it });
        Ok(Self {
            goal,
            bounds,
            checks_reproducible: options.check_reproducible,
            keeps_going: options.keep_going,
            jobs: limits::jobs(sweep_settings),
            inputs: config.inputs.clone(),
            sweep,
            chosen: options.chosen.clone(),
            on_error: if options.allow_errors { OnError::Continue } else { OnError::Stop },
            page: PageOptions::new(options, shown, config),
            charts: options.charts.or(config.charts).unwrap_or(ChartSetting::Interactive),
            layout: options.layout.or(config.layout),
            execute: options.runtime.execute,
            record: options.record.clone(),
            allowed: Arc::new(Allowed::new(&options.publishing.allow_secret, config, folder)?),
            is_strict: options.publishing.strict_sanitize || config.strict_sanitize,
            trust: Trust::default(),
            remote: shows_remote.then(|| Remote::open(folder)).transpose()?,
        })
    }

    /// Files of its own folder that a notebook sees: its page's setting, its own, that of all.
    pub(super) fn inputs<'a>(
        &'a self,
        relative: &Utf8Path,
        notebook: &'a Notebook,
    ) -> Option<&'a [String]> {
        self.written_inputs(relative, notebook).map(|(_, patterns)| patterns)
    }

    /// The same, with the place where they are written.
    pub(super) fn written_inputs<'a>(
        &'a self,
        relative: &Utf8Path,
        notebook: &'a Notebook,
    ) -> Option<(Written, &'a [String])> {
        let page = self.page.pages.get(relative.as_str()).and_then(|it| it.inputs.as_ref());
        let page = page.map(|it| (Written::OfPage, it));
        let own = notebook.about.inputs.as_ref().map(|it| (Written::InNotebook, it));
        let of_all = self.inputs.as_ref().map(|it| (Written::OfAll, it));
        page.or(own).or(of_all).map(|(written, patterns)| (written, patterns.as_slice()))
    }

    /// The layout that is asked for; otherwise single files for one notebook that was named, else a site.
    pub(super) fn layout(&self, is_one_file: bool) -> Layout {
        match self.layout {
            Some(LayoutSetting::Single) => Layout::Single,
            Some(LayoutSetting::Site) => Layout::Site,
            None if is_one_file => Layout::Single,
            None => Layout::Site,
        }
    }
}

/// How much of the confinement there must be.
pub(super) fn isolation(runtime: &Runtime, config: &Config) -> Result<Isolation, Failure> {
    let asked = runtime.isolation.unwrap_or(match config.isolation {
        Some(IsolationSetting::BestEffort) => IsolationLevel::BestEffort,
        Some(IsolationSetting::Strict) | None => IsolationLevel::Strict,
    });
    match asked {
        IsolationLevel::Strict => Ok(Isolation::Strict),
        IsolationLevel::BestEffort => Ok(Isolation::BestEffort),
        IsolationLevel::None if runtime.trust_notebooks => {
            Ok(Isolation::None(Trusted::by_request_of_the_user()))
        }
        IsolationLevel::None => Err(Failure {
            message: "without isolation, notebooks may read and change whatever you may".to_owned(),
            help: Some(
                "if you trust every one of them, add `--trust-notebooks`; `nbc doctor` shows what \
                 this machine can give instead"
                    .to_owned(),
            ),
        }),
    }
}

/// The place where `inputs` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// The page's table of `nbc.toml`.
    OfPage,
    /// The notebook.
    InNotebook,
    /// The top of `nbc.toml`.
    OfAll,
}

/// Parts of a page beside the outputs.
#[derive(Debug, Clone)]
pub(super) struct PageOptions {
    /// Default for cells that ask for nothing else.
    pub(super) code: CodeVisibility,
    /// Whether the dataflow is drawn.
    pub(super) show_graph: bool,
    /// How much of a cell's outputs is shown.
    pub(super) shown: Shown,
    /// Whether the caller wants no files that prose links to.
    forbids_files: bool,
    /// Titles and descriptions of pages whose notebook gives none.
    page: PageSettings,
    /// Titles and descriptions of single pages, by the path of the notebook.
    pages: BTreeMap<String, PageSettings>,
}

/// Options that all pages share.
pub(super) struct SharedOptions<'a> {
    pub(super) code: CodeVisibility,
    pub(super) show_graph: bool,
    pub(super) shown: Shown,
    pub(super) forbids_files: bool,
    pub(super) page: &'a PageSettings,
}

impl PageOptions {
    fn new(options: &Options, shown: Shown, config: &Config) -> Self {
        let code = match options.code.or(config.code) {
            Some(CodeSetting::Shown) => CodeVisibility::Shown,
            Some(CodeSetting::Hidden) => CodeVisibility::Hidden,
            Some(CodeSetting::Folded) | None => CodeVisibility::Folded,
        };
        let mut page = config.page.clone();
        if options.include_source {
            page.source = Some(true);
        }
        page.errors = options.errors.or(page.errors);
        let forbids_files = options.no_files;
        let show_graph = options.show_graph || config.show_graph;
        Self { code, show_graph, shown, forbids_files, page, pages: config.pages.clone() }
    }

    /// Title and description of a page: from the configuration of this page, the notebook, the configuration of all
    /// pages.
    pub(super) fn about(&self, notebook: &Notebook, path: &Utf8Path) -> (Option<String>, About) {
        let own = self.pages.get(path.as_str());
        let about = own.map(about_of).unwrap_or_default().or(notebook.about.clone());
        // A site's description is not that of each page.
        let shared = About { description: None, ..about_of(&self.page) };
        (own.and_then(|it| it.title.clone()), about.or(shared))
    }

    /// Settings of one page.
    pub(super) fn of_page(&self, path: &Utf8Path) -> Option<&PageSettings> {
        self.pages.get(path.as_str())
    }

    /// The options that all pages share; those of single pages are left out.
    pub(super) fn of_all(&self) -> SharedOptions<'_> {
        let Self { code, show_graph, shown, forbids_files, page, pages: _ } = self;
        let (code, show_graph, shown) = (*code, *show_graph, *shown);
        SharedOptions { code, show_graph, shown, forbids_files: *forbids_files, page }
    }

    pub(super) fn offers_source(&self, path: &Utf8Path) -> bool {
        let own = self.pages.get(path.as_str()).and_then(|it| it.source);
        own.or(self.page.source).unwrap_or_default()
    }

    /// Which errors a page tells.
    pub(super) fn error_rules(&self) -> ErrorRules {
        let errors = self.page.errors.unwrap_or(ErrorSetting::Message);
        ErrorRules { errors, code: self.code }
    }

    /// Whether files that a page's prose links to are published. A caller who forbids them is not overruled by one page.
    pub(super) fn publishes_files(&self, path: &Utf8Path) -> bool {
        let own = self.pages.get(path.as_str()).and_then(|it| it.files);
        !self.forbids_files && own.or(self.page.files).unwrap_or(true)
    }

    /// Whether the manifest names packages.
    pub(super) fn names_packages(&self) -> bool {
        self.page.packages.unwrap_or(true)
    }
}

fn about_of(settings: &PageSettings) -> About {
    About {
        description: settings.description.clone(),
        authors: settings.author.clone(),
        date: settings.date.clone(),
        language: settings.language.clone(),
        ..About::default()
    }
}

/// The title of a site.
pub(super) fn site_title(config: &Config) -> String {
    config.title.as_deref().map_or_else(|| "Notebooks".to_owned(), diagnostic::straight)
}
