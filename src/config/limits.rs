//! Bounds of a run, as flags and as the table `limits` of `nbc.toml`.

use std::num::NonZeroU64;

use serde::Deserialize;

use super::ByteSize;

/// Bounds that were asked for; what is not set has its default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[command(next_help_heading = "Limits")]
pub struct LimitSettings {
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

/// A number from a command line, where nobody knows of types.
pub(super) fn whole(text: &str) -> Result<NonZeroU64, String> {
    text.parse().map_err(|_| "write a whole number without a unit, 1 or more".to_owned())
}

impl LimitSettings {
    /// These settings, and those of `other` where these say nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            timeout: self.timeout.or(other.timeout),
            cell_timeout: self.cell_timeout.or(other.cell_timeout),
            cpu_time: self.cpu_time.or(other.cpu_time),
            memory: self.memory.or(other.memory),
            processes: self.processes.or(other.processes),
            open_files: self.open_files.or(other.open_files),
            disk: self.disk.or(other.disk),
            file_size: self.file_size.or(other.file_size),
            output_size: self.output_size.or(other.output_size),
            outputs_size: self.outputs_size.or(other.outputs_size),
            outputs: self.outputs.or(other.outputs),
            environment_size: self.environment_size.or(other.environment_size),
        }
    }
}
