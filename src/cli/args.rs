//! The command line: what can be said, not what it does.

mod lock;

use camino::Utf8PathBuf;
use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use lock::Lock;

use super::bounds::{Charts, Code, Errors, Layout, LimitFlags, ShownFlags, SweepFlags};
use crate::cache;
use crate::config::ByteSize;
use crate::driver::{self, AllowedIsland, ChosenValue, Options, SecretFile};
use crate::environment::PackageName;
use crate::interrupt::Cancel;
use crate::process::AllowedHost;
use crate::run::stored::Policy;
use crate::site::StatedIntegrity;
use crate::terminal::Color;
use crate::verify;

/// Compiles Python notebooks into static web apps that need no server.
///
/// Exit codes: 0 done; 1 the notebook is at fault (a diagnostic, a failed cell, a broken page);
/// 2 nbc could not work (usage, configuration, environment, sandbox, disk); 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "nbc", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// The command to run
    #[command(subcommand)]
    pub command: Command,
}

/// A command of nbc.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build notebooks into a static site
    Build(Box<Build>),
    /// Report what is wrong with notebooks, without running them
    Check(Check),
    /// Pin the packages that notebooks ask for, and pictures of the web that they show, with their hashes
    ///
    /// A notebook with a header of its own gets `pylock.NAME.toml` beside it, the others of its folder share
    /// `pylock.toml` (PEP 751). Builds install exactly that. With uv on PATH, a lock holds for all
    /// platforms; with pip, for this one.
    Lock(Lock),
    /// Make the environments that a build needs, without running notebooks
    ///
    /// Afterwards `nbc build` with the same flags needs no network.
    Prepare(Box<Prepare>),
    /// Run notebooks, and list their inputs, the values of these, and how many states they make
    ///
    /// No state is run and nothing is published. Takes all flags of `nbc build`; those that only matter to pages
    /// are not listed here.
    #[command(mut_args(|it| {
        let hidden = OF_PAGES.contains(&it.get_id().as_str());
        it.hide(hidden)
    }))]
    States(Box<Build>),
    /// Print the dataflow of notebooks, without running them
    Graph(Graph),
    /// Prove that a written site keeps its promises
    Verify(verify::command::Arguments),
    /// Build a page from a recorded run, without Python
    Render(Render),
    /// Explain a diagnostic code
    Explain(Explain),
    /// Show what this machine gives to confine notebooks, and how to get the rest
    Doctor(Doctor),
    /// Show, check or remove what builds remember of earlier ones
    ///
    /// It lies below NBC_CACHE_DIR, else in `nbc` in the user's cache folder. Environments lie beside it; builds
    /// remove those that nobody used for 30 days.
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Print a completion script for a shell
    Completions(Completions),
}

/// `nbc cache`.
#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// Tell why a build would run a notebook: the parts of its key, and which differ from the last build
    ///
    /// Nothing is run. Takes all flags of `nbc build`; a flag that the last build had and this call has not is a
    /// difference. Flags that only matter to pages are not listed here.
    #[command(mut_args(|it| {
        let hidden = OF_PAGES.contains(&it.get_id().as_str());
        it.hide(hidden)
    }))]
    Why(Box<Build>),
    /// Show its contents and their size on disk
    Stats {
        /// How the report is printed
        #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
        format: ReportFormat,
    },
    /// Remove it; environments stay
    Clear,
    /// Read every entry, and report those that are damaged
    Verify,
}

/// How diagnostics are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// With the lines of the notebook
    Full,
    /// One line each
    Concise,
    /// One JSON document
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// GitHub workflow commands, shown at the lines of a change
    Github,
}

impl Format {
    /// Whether other programs read the findings: they are a result, on standard output.
    pub fn is_for_machines(self) -> bool {
        matches!(self, Self::Json | Self::Sarif | Self::Github)
    }
}

/// Flags of `nbc build` that change pages only.
const OF_PAGES: [&str; 16] = [
    "output",
    "digest_file",
    "layout",
    "code",
    "charts",
    "errors",
    "title",
    "include_source",
    "no_files",
    "remote_images",
    "record",
    "show_graph",
    "state",
    "states",
    "check_reproducible",
    "strict_sanitize",
];

/// `nbc build`.
#[derive(Debug, Args)]
pub struct Build {
    /// Notebooks, or folders of notebooks (`.gitignore` is respected)
    #[arg(required = true)]
    pub inputs: Vec<Utf8PathBuf>,
    /// Folder that the site replaces
    #[arg(short, long, value_name = "DIR", default_value = "site")]
    pub output: Utf8PathBuf,
    /// Write the digest of the site's manifest to this file outside of it, for `nbc verify --manifest-digest`
    #[arg(long, value_name = "FILE")]
    pub digest_file: Option<Utf8PathBuf>,
    /// Layout; default: single for one notebook, site for a folder or several
    #[arg(long, value_enum)]
    pub layout: Option<Layout>,
    /// Whether readers see code [default: folded]
    #[arg(long, value_enum)]
    pub code: Option<Code>,
    /// Whether readers can hover, zoom and select in charts [default: interactive]
    #[arg(long, value_enum)]
    pub charts: Option<Charts>,
    /// What readers see of errors that the author expects (`raises-exception`) or keeps in the notebook [default: message]
    #[arg(long, value_enum)]
    pub errors: Option<Errors>,
    /// Title of the site
    #[arg(long)]
    pub title: Option<String>,
    /// Let readers download each notebook, without its outputs
    #[arg(long)]
    pub include_source: bool,
    /// Publish no files that prose links to
    #[arg(long)]
    pub no_files: bool,
    /// Show the pictures of the web that `nbc-assets.lock` pins
    #[arg(long)]
    pub remote_images: bool,
    /// Environment and sandbox of notebooks
    #[command(flatten)]
    pub runtime: Runtime,
    /// Let notebooks reach this host, on ports 443 and 80 unless one is named (repeatable)
    #[arg(long, value_name = "HOST[:PORT]")]
    pub allow_net: Vec<AllowedHost>,
    /// Let notebooks read this file or folder, at its place relative to the notebook (repeatable)
    #[arg(long, value_name = "PATH")]
    pub read: Vec<Utf8PathBuf>,
    /// Hand this variable to notebooks; its value is never published or logged (repeatable)
    #[arg(long, value_name = "NAME")]
    pub env: Vec<String>,
    /// Hand this file to notebooks as `/run/secrets/NAME`; never published or logged (repeatable)
    #[arg(long, value_name = "NAME=FILE")]
    pub secret: Vec<SecretFile>,
    /// Publish notebooks with failed cells, each shown as a neutral box
    #[arg(long)]
    pub allow_errors: bool,
    /// Publish the notebooks that can be built although others cannot (exit code 1 all the same)
    #[arg(long)]
    pub keep_going: bool,
    /// Keep the run of each notebook in this folder, for `nbc render`
    #[arg(long, value_name = "DIR")]
    pub record: Option<Utf8PathBuf>,
    /// Draw on each page how its cells depend on each other
    #[arg(long)]
    pub show_graph: bool,
    /// Print where the time went; with `--format json` as one line of JSON, on standard error
    #[arg(long)]
    pub timings: bool,
    /// Run every notebook twice, states and all, and report the cells that differ
    #[arg(long)]
    pub check_reproducible: bool,
    /// Memory of earlier builds
    #[command(flatten)]
    pub memory: Memory,
    /// How diagnostics are printed
    #[arg(long, value_enum, default_value_t = Format::Full)]
    pub format: Format,
    /// Bounds of a run
    #[command(flatten)]
    pub limits: LimitFlags,
    /// Whether inputs of notebooks work on the page, because their states were run
    #[arg(long, value_enum, default_value_t = States::Run, help_heading = "States of inputs")]
    pub states: States,
    /// Show this value of an input first, such as `alpha=0.5` (repeatable)
    #[arg(long, value_name = "NAME=VALUE", help_heading = "States of inputs")]
    pub state: Vec<ChosenValue>,
    /// Bounds of the states
    #[command(flatten)]
    pub sweep: SweepFlags,
    /// Permissions to publish
    #[command(flatten)]
    pub publishing: Publishing,
}

impl Build {
    /// The options that the flags ask for.
    pub fn options(&self) -> Options {
        // Each flag by its name, so that a new one without an option does not compile.
        let Self {
            inputs: _,
            output: _,
            digest_file,
            layout,
            code,
            charts,
            errors,
            title,
            include_source,
            no_files,
            remote_images,
            runtime,
            allow_net,
            read,
            env,
            secret,
            allow_errors,
            keep_going,
            record,
            show_graph,
            timings: _,
            check_reproducible,
            memory,
            format: _,
            limits,
            states,
            state,
            sweep,
            publishing,
        } = self;
        Options {
            own_files: digest_file.iter().cloned().collect(),
            layout: layout.map(Into::into),
            code: code.map(Into::into),
            charts: charts.map(Into::into),
            errors: errors.map(Into::into),
            title: title.clone(),
            include_source: *include_source,
            no_files: *no_files,
            remote_images: *remote_images,
            show_graph: *show_graph,
            allow_errors: *allow_errors,
            keep_going: *keep_going,
            record: record.clone(),
            check_reproducible: *check_reproducible,
            without_states: *states == States::Off,
            chosen: state.clone(),
            publishing: publishing.options(),
            allow_net: allow_net.clone(),
            read: read.clone(),
            env: env.clone(),
            secret: secret.clone(),
            limits: (*limits).into(),
            sweep: (*sweep).into(),
            memory: memory.options(),
            trust_config: runtime.trust_config,
            runtime: runtime.options(),
            cancel: Cancel::current(),
        }
    }
}

/// Memory of earlier builds, and the number of runs at once.
#[derive(Debug, Args)]
#[command(next_help_heading = "Speed")]
pub struct Memory {
    /// Run every notebook, whatever earlier builds found out
    #[arg(long, env = "NBC_NO_CACHE", value_parser = FalseyValueParser::new())]
    pub no_cache: bool,
    /// Give every notebook a process of its own from the start, instead of forks of one that holds its packages
    #[arg(long)]
    pub no_warm: bool,
    /// Disk space for the records of earlier runs [default: 2GiB]
    #[arg(long, value_name = "SIZE", env = "NBC_CACHE_SIZE")]
    pub cache_size: Option<ByteSize>,
    /// Memory of all notebooks that run at the same time [default: three quarters of the machine's]
    #[arg(long, value_name = "SIZE")]
    pub build_memory: Option<ByteSize>,
}

impl Memory {
    fn options(&self) -> driver::Memory {
        let Self { no_cache, no_warm, cache_size, build_memory } = *self;
        driver::Memory {
            no_cache,
            no_warm,
            cache_size: cache_size.unwrap_or(cache::DEFAULT_SIZE).0,
            build_memory: build_memory.map(|it| it.0),
        }
    }
}

/// Whether inputs work on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum States {
    /// Run the states of the inputs, so that they work
    Run,
    /// Show inputs as they are in the run, disabled
    Off,
}

/// Results of a run that may be published.
#[derive(Debug, Args)]
#[command(next_help_heading = "What may be published")]
pub struct Publishing {
    /// Fail where anything had to be removed from an output (NBC401, NBC406)
    #[arg(long)]
    pub strict_sanitize: bool,
    /// Publish what looks like a secret and is none: a fingerprint, or a rule's name (repeatable)
    #[arg(long, value_name = "ID")]
    pub allow_secret: Vec<String>,
    /// Let outputs of this kind run their own scripts, each in a frame without network (repeatable)
    ///
    /// Kinds: anywidget, bokeh, folium, html, mpld3, pyvis. Needs the layout `site`.
    #[arg(long, value_name = "KIND[:NOTEBOOK]")]
    pub allow_island: Vec<AllowedIsland>,
    /// Draw charts with the environment's own plotly.js or BokehJS, if it has this digest (repeatable)
    #[arg(long, value_name = "SHA384")]
    pub trust_runtime: Vec<StatedIntegrity>,
    /// Bounds of what a page shows
    #[command(flatten)]
    pub shown: ShownFlags,
}

impl Publishing {
    fn options(&self) -> driver::Publishing {
        let Self { strict_sanitize, allow_secret, allow_island, trust_runtime, shown } = self;
        driver::Publishing {
            strict_sanitize: *strict_sanitize,
            allow_secret: allow_secret.clone(),
            allow_island: allow_island.clone(),
            trust_runtime: trust_runtime.clone(),
            shown: (*shown).into(),
        }
    }
}

/// The environments, and the sandbox that they are made and used in.
#[derive(Debug, Args)]
pub struct Runtime {
    /// Run notebooks that hold outputs already
    #[arg(long, value_enum, default_value_t = Execute::Auto)]
    pub execute: Execute,
    /// Use this interpreter and its packages as they are; nothing is installed
    #[arg(long, value_name = "PATH", env = "NBC_PYTHON")]
    pub python: Option<Utf8PathBuf>,
    /// Build this package from source, inside the sandbox, where it has no wheel (repeatable)
    #[arg(long, value_name = "PACKAGE")]
    pub allow_build: Vec<PackageName>,
    /// How much of the confinement there must be [default: strict]
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub isolation: Option<IsolationLevel>,
    /// The notebooks may do on this machine whatever you may; needed for `--isolation none`
    #[arg(long)]
    pub trust_notebooks: bool,
    /// Grant what `nbc.toml` asks for: `allow-net`, `read`, `env`, `python`, `isolation`, `trust`, `templates`,
    /// `remote-images`, high limits
    #[arg(long)]
    pub trust_config: bool,
}

impl Runtime {
    fn options(&self) -> driver::Runtime {
        let Self { execute, python, allow_build, isolation, trust_notebooks, trust_config: _ } =
            self;
        driver::Runtime {
            execute: match execute {
                Execute::Auto => Policy::RunIfEmpty,
                Execute::Always => Policy::AlwaysRun,
                Execute::Never => Policy::NeverRun,
            },
            // A variable that is set to nothing names none.
            python: python.clone().filter(|it| !it.as_str().is_empty()),
            allow_build: allow_build.clone(),
            isolation: isolation.map(Into::into),
            trust_notebooks: *trust_notebooks,
        }
    }
}

/// `nbc prepare`.
#[derive(Debug, Args)]
pub struct Prepare {
    /// Notebooks, or folders of notebooks (`.gitignore` is respected)
    #[arg(required = true)]
    pub inputs: Vec<Utf8PathBuf>,
    /// Environment and sandbox of notebooks
    #[command(flatten)]
    pub runtime: Runtime,
    /// Fetch the pictures of the web that `nbc-assets.lock` names
    #[arg(long)]
    pub remote_images: bool,
    /// Bounds of a run
    #[command(flatten)]
    pub limits: LimitFlags,
}

impl Prepare {
    /// The options that the flags ask for.
    pub fn options(&self) -> Options {
        let Self { inputs: _, runtime, remote_images, limits } = self;
        Options {
            remote_images: *remote_images,
            runtime: runtime.options(),
            limits: (*limits).into(),
            trust_config: runtime.trust_config,
            memory: driver::Memory { no_cache: true, ..driver::Memory::default() },
            cancel: Cancel::current(),
            ..Options::default()
        }
    }
}

/// How much of the confinement there must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IsolationLevel {
    /// Every layer, or no build
    Strict,
    /// The host's strongest: files and system calls confined, every limit; says what is missing
    BestEffort,
    /// Limits only, for notebooks that you trust (with `--trust-notebooks`)
    None,
}

impl From<IsolationLevel> for driver::IsolationLevel {
    fn from(level: IsolationLevel) -> Self {
        match level {
            IsolationLevel::Strict => Self::Strict,
            IsolationLevel::BestEffort => Self::BestEffort,
            IsolationLevel::None => Self::None,
        }
    }
}

/// Whether a Jupyter notebook with stored outputs is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Execute {
    /// Run it only if it holds no output
    Auto,
    /// Run it, and drop what it holds
    Always,
    /// Publish what it holds
    Never,
}

/// `nbc check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Notebooks, or folders of notebooks
    #[arg(required = true)]
    pub inputs: Vec<Utf8PathBuf>,
    /// Report pictures of the web that `nbc-assets.lock` does not pin; so does `remote-images` of `nbc.toml`
    #[arg(long)]
    pub remote_images: bool,
    /// Pass over what looks like a secret and is none: a fingerprint, or a rule's name (repeatable)
    #[arg(long, value_name = "ID")]
    pub allow_secret: Vec<String>,
    /// How diagnostics are printed
    #[arg(long, value_enum, default_value_t = Format::Full)]
    pub format: Format,
}

impl Check {
    /// The options that the flags ask for.
    pub fn options(&self) -> Options {
        let Self { inputs: _, remote_images, allow_secret, format: _ } = self;
        let (remote_images, allow_secret) = (*remote_images, allow_secret.clone());
        let publishing = driver::Publishing { allow_secret, ..driver::Publishing::default() };
        Options { publishing, remote_images, ..Options::default() }
    }
}

/// `nbc graph`.
#[derive(Debug, Args)]
pub struct Graph {
    /// Notebooks, or folders of notebooks
    #[arg(required = true)]
    pub inputs: Vec<Utf8PathBuf>,
    /// Language of the graph
    #[arg(long, value_enum, default_value_t = GraphFormat::Json)]
    pub format: GraphFormat,
}

/// Languages for graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// One JSON object a notebook and line
    Json,
    /// Mermaid flowchart
    Mermaid,
    /// Graphviz
    Dot,
}

/// `nbc render`.
#[derive(Debug, Args)]
pub struct Render {
    /// The notebook that was run
    pub notebook: Utf8PathBuf,
    /// Its recorded run, from `nbc build --record`
    pub record: Utf8PathBuf,
    /// Folder that the page replaces
    #[arg(short, long, value_name = "DIR", default_value = "site")]
    pub output: Utf8PathBuf,
    /// Layout [default: single]
    #[arg(long, value_enum)]
    pub layout: Option<Layout>,
    /// Whether readers see code [default: folded]
    #[arg(long, value_enum)]
    pub code: Option<Code>,
    /// Whether readers can hover, zoom and select in charts [default: interactive]
    #[arg(long, value_enum)]
    pub charts: Option<Charts>,
    /// What readers see of errors that the author expects (`raises-exception`) or keeps in the notebook [default: message]
    #[arg(long, value_enum)]
    pub errors: Option<Errors>,
    /// Title of the site
    #[arg(long)]
    pub title: Option<String>,
    /// Let readers download the notebook, without its outputs
    #[arg(long)]
    pub include_source: bool,
    /// Publish no files that prose links to
    #[arg(long)]
    pub no_files: bool,
    /// Show the pictures of the web that `nbc-assets.lock` pins
    #[arg(long)]
    pub remote_images: bool,
    /// Publish failed cells, each shown as a neutral box
    #[arg(long)]
    pub allow_errors: bool,
    /// Draw on the page how its cells depend on each other
    #[arg(long)]
    pub show_graph: bool,
    /// Grant what `nbc.toml` asks for: `trust`, `templates`, `remote-images`, high limits
    #[arg(long)]
    pub trust_config: bool,
    /// How diagnostics are printed
    #[arg(long, value_enum, default_value_t = Format::Full)]
    pub format: Format,
    /// Permissions to publish
    #[command(flatten)]
    pub publishing: Publishing,
}

impl Render {
    /// The options that the flags ask for.
    pub fn options(&self) -> Options {
        let Self {
            notebook: _,
            record: _,
            output: _,
            layout,
            code,
            charts,
            errors,
            title,
            include_source,
            no_files,
            remote_images,
            allow_errors,
            show_graph,
            trust_config,
            format: _,
            publishing,
        } = self;
        Options {
            layout: layout.map(Into::into),
            code: code.map(Into::into),
            charts: charts.map(Into::into),
            errors: errors.map(Into::into),
            title: title.clone(),
            include_source: *include_source,
            no_files: *no_files,
            remote_images: *remote_images,
            allow_errors: *allow_errors,
            show_graph: *show_graph,
            trust_config: *trust_config,
            publishing: publishing.options(),
            ..Options::default()
        }
    }
}

/// `nbc explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// A code or its name: `NBC201`, `duplicate-definition`; without one, all are listed
    pub code: Option<String>,
}

/// `nbc doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// How the report is printed
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub format: ReportFormat,
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For a person
    Text,
    /// One JSON document
    Json,
}

/// `nbc completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests;
