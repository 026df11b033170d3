//! Flags of bounds, and their settings as `nbc.toml` has them.
//!
//! Each conversion takes a group of flags apart and names every field of both sides: a flag without a setting, or a
//! setting without a flag, does not compile.

use std::num::NonZeroU64;

use clap::{Args, ValueEnum};

use crate::config::{
    ByteSize, ChartSetting, CodeSetting, ErrorSetting, LayoutSetting, LimitSettings, ShownSettings,
    SweepSettings,
};

/// A number from a command line, where nobody knows of types.
fn whole(text: &str) -> Result<NonZeroU64, String> {
    text.parse().map_err(|_| "write a whole number without a unit, 1 or more".to_owned())
}

/// Bounds of a run.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitFlags {
    /// Longest time that a notebook may run [default: 600]
    #[arg(long, value_name = "SECONDS", value_parser = whole)]
    pub timeout: Option<NonZeroU64>,
    /// Longest time that a cell may run [default: as long as the notebook]
    #[arg(long, value_name = "SECONDS", value_parser = whole)]
    pub cell_timeout: Option<NonZeroU64>,
    /// CPU time of all processes of a notebook [default: the timeout on every core]
    #[arg(long, value_name = "SECONDS", value_parser = whole)]
    pub cpu_time: Option<NonZeroU64>,
    /// Memory of all processes of a notebook, such as 512MiB [default: 2GiB]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<ByteSize>,
    /// Processes and threads of a notebook [default: 512, or 16 a core]
    #[arg(long, value_name = "NUMBER", value_parser = whole)]
    pub processes: Option<NonZeroU64>,
    /// Files that one process holds open [default: 1024]
    #[arg(long, value_name = "NUMBER", value_parser = whole)]
    pub open_files: Option<NonZeroU64>,
    /// Temporary files of a notebook; they lie in memory, and count as such [default: 1GiB]
    #[arg(long, value_name = "SIZE")]
    pub disk: Option<ByteSize>,
    /// One temporary file [default: as much as `--disk`]
    #[arg(long, value_name = "SIZE")]
    pub file_size: Option<ByteSize>,
    /// One output of a cell [default: 16MiB]
    #[arg(long, value_name = "SIZE")]
    pub output_size: Option<ByteSize>,
    /// All outputs of a notebook [default: 256MiB]
    #[arg(long, value_name = "SIZE")]
    pub outputs_size: Option<ByteSize>,
    /// Outputs of one cell [default: 1000]
    #[arg(long, value_name = "NUMBER", value_parser = whole)]
    pub outputs: Option<NonZeroU64>,
    /// Unpacked size of an environment's packages [default: 2GiB]
    #[arg(long, value_name = "SIZE")]
    pub environment_size: Option<ByteSize>,
}

impl From<LimitFlags> for LimitSettings {
    fn from(flags: LimitFlags) -> Self {
        let LimitFlags {
            timeout,
            cell_timeout,
            cpu_time,
            memory,
            processes,
            open_files,
            disk,
            file_size,
            output_size,
            outputs_size,
            outputs,
            environment_size,
        } = flags;
        Self {
            timeout,
            cell_timeout,
            cpu_time,
            memory,
            processes,
            open_files,
            disk,
            file_size,
            output_size,
            outputs_size,
            outputs,
            environment_size,
        }
    }
}

/// Bounds of what a page shows of a cell.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "What a page shows of a cell")]
pub struct ShownFlags {
    /// Printed text and texts of values; their beginning and their end stay [default: 1MiB]
    #[arg(long = "shown-text", value_name = "SIZE")]
    pub text: Option<ByteSize>,
    /// Lines of them [default: 10000]
    #[arg(long = "shown-lines", value_name = "NUMBER", value_parser = whole)]
    pub lines: Option<NonZeroU64>,
    /// Rows of a table [default: 5000]
    #[arg(long = "shown-rows", visible_alias = "max-rows", value_name = "NUMBER", value_parser = whole)]
    pub rows: Option<NonZeroU64>,
    /// Markup; one output never more than 8MiB [default: 16MiB]
    #[arg(long = "shown-markup", value_name = "SIZE")]
    pub markup: Option<ByteSize>,
    /// Pixels of pictures [default: 150000000]
    #[arg(long = "shown-pixels", value_name = "NUMBER", value_parser = whole)]
    pub pixels: Option<NonZeroU64>,
    /// Files of pictures [default: 32MiB]
    #[arg(long = "shown-pictures", value_name = "SIZE")]
    pub pictures: Option<ByteSize>,
}

impl From<ShownFlags> for ShownSettings {
    fn from(flags: ShownFlags) -> Self {
        let ShownFlags { text, lines, rows, markup, pixels, pictures } = flags;
        Self { text, lines, rows, markup, pixels, pictures }
    }
}

/// Bounds of the states of a notebook.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "States of inputs")]
pub struct SweepFlags {
    /// States of one notebook; beyond, values of inputs are left out [default: 2000]
    #[arg(long, value_name = "NUMBER", value_parser = whole)]
    pub max_states: Option<NonZeroU64>,
    /// Values of one input [default: 250]
    #[arg(long, value_name = "NUMBER", value_parser = whole)]
    pub max_values: Option<NonZeroU64>,
    /// Outputs of all states of a notebook, such as 64MiB [default: 256MiB]
    #[arg(long, value_name = "SIZE")]
    pub max_bytes: Option<ByteSize>,
    /// Longest time that all states of a notebook may take [default: 600]
    #[arg(long, value_name = "SECONDS", value_parser = whole)]
    pub sweep_timeout: Option<NonZeroU64>,
    /// Longest time that one state may take [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = whole)]
    pub state_timeout: Option<NonZeroU64>,
    /// Notebooks, and states of a notebook, that run at the same time [default: one a core]
    #[arg(long, value_name = "NUMBER", value_parser = whole)]
    pub jobs: Option<NonZeroU64>,
}

impl From<SweepFlags> for SweepSettings {
    fn from(flags: SweepFlags) -> Self {
        let SweepFlags { max_states, max_values, max_bytes, sweep_timeout, state_timeout, jobs } =
            flags;
        Self { max_states, max_values, max_bytes, sweep_timeout, state_timeout, jobs }
    }
}

/// Whether readers see code.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Code {
    /// Open
    Shown,
    /// Behind a disclosure
    Folded,
    /// Not in the page at all
    Hidden,
}

impl From<Code> for CodeSetting {
    fn from(flag: Code) -> Self {
        match flag {
            Code::Shown => Self::Shown,
            Code::Folded => Self::Folded,
            Code::Hidden => Self::Hidden,
        }
    }
}

/// How charts of Vega, Plotly and Bokeh are shown.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Charts {
    /// Drawn by the library that made them, in the reader's browser
    Interactive,
    /// Pictures; pages carry no script of a chart library
    Static,
}

impl From<Charts> for ChartSetting {
    fn from(flag: Charts) -> Self {
        match flag {
            Charts::Interactive => Self::Interactive,
            Charts::Static => Self::Static,
        }
    }
}

/// What readers see of errors that the author expects, or that a notebook holds.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Errors {
    /// That the cell failed
    Hidden,
    /// Their type, their message and the line of the cell
    Message,
}

impl From<Errors> for ErrorSetting {
    fn from(flag: Errors) -> Self {
        match flag {
            Errors::Hidden => Self::Hidden,
            Errors::Message => Self::Message,
        }
    }
}

/// How the files are laid out.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Layout {
    /// One file a notebook; works from disk
    Single,
    /// Shared hashed files and an index page; for a web server
    Site,
}

impl From<Layout> for LayoutSetting {
    fn from(flag: Layout) -> Self {
        match flag {
            Layout::Single => Self::Single,
            Layout::Site => Self::Site,
        }
    }
}
