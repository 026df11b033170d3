//! Bounds of a run: the table `limits` of `nbc.toml`.

use std::num::NonZeroU64;

use serde::Deserialize;

use super::ByteSize;

/// Bounds that were asked for; what is not set has its default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LimitSettings {
    /// Longest time that a notebook may run [default: 600]
    pub timeout: Option<NonZeroU64>,
    /// Longest time that a cell may run [default: as long as the notebook]
    pub cell_timeout: Option<NonZeroU64>,
    /// CPU time of all processes of a notebook [default: the timeout on every core]
    pub cpu_time: Option<NonZeroU64>,
    /// Memory of all processes of a notebook, such as 512MiB [default: 2GiB]
    pub memory: Option<ByteSize>,
    /// Processes and threads of a notebook [default: 512, or 16 a core]
    pub processes: Option<NonZeroU64>,
    /// Files that one process holds open [default: 1024]
    pub open_files: Option<NonZeroU64>,
    /// Temporary files of a notebook; they lie in memory, and count as such [default: 1GiB]
    pub disk: Option<ByteSize>,
    /// One temporary file [default: as much as `--disk`]
    pub file_size: Option<ByteSize>,
    /// One output of a cell [default: 16MiB]
    pub output_size: Option<ByteSize>,
    /// All outputs of a notebook [default: 256MiB]
    pub outputs_size: Option<ByteSize>,
    /// Outputs of one cell [default: 1000]
    pub outputs: Option<NonZeroU64>,
    /// Unpacked size of an environment's packages [default: 2GiB]
    pub environment_size: Option<ByteSize>,
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
