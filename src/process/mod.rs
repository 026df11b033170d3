//! The one place that starts processes.
//!
//! [`Sandbox`] runs notebook code: confined, limited, the whole tree killed at the end.
//! [`tool`] runs trusted tools (`uv`, `pip`): a cleared environment and a time limit.

use std::collections::BTreeMap;
use std::time::Duration;

use camino::Utf8PathBuf;

/// How a folder of the host appears inside the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Readable, recursively read-only.
    ReadOnly,
    /// Readable; writes go to a private layer that is thrown away after the run.
    Overlay,
}

/// One folder or file of the host that is visible inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Path on the host.
    pub host: Utf8PathBuf,
    /// Path inside.
    pub inside: Utf8PathBuf,
    /// Access.
    pub access: Access,
}

/// Bounds of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Wall-clock time.
    pub wall: Duration,
    /// Memory of the whole process tree, in bytes.
    pub memory: u64,
    /// Processes and threads.
    pub processes: u32,
    /// Bytes in the private temporary folder.
    pub temporary: u64,
    /// Bytes of console text (file descriptors 1 and 2 of the runner itself) that are kept.
    pub console: u64,
}

/// What to run inside.
#[derive(Debug, Clone)]
pub struct Job {
    /// Program, as a path inside.
    pub program: Utf8PathBuf,
    /// Arguments.
    pub arguments: Vec<String>,
    /// The whole environment of the process.
    pub environment: BTreeMap<String, String>,
    /// What is visible of the host, beside the system's libraries.
    pub mounts: Vec<Mount>,
    /// Working folder inside.
    pub working_folder: Utf8PathBuf,
    /// Bounds.
    pub limits: Limits,
}

/// A layer of isolation, and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Layer {
    /// `user namespace`, `network namespace`, `seccomp`…
    pub name: String,
    /// Whether it was active.
    pub active: bool,
    /// Why it was not, or what it limits.
    pub detail: String,
}

/// How the process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// By itself, with this exit code.
    Exited(i32),
    /// By a signal that nbc did not send.
    Signalled(i32),
    /// nbc killed it at the wall-clock limit.
    TimedOut,
    /// nbc or the kernel killed it at the memory limit.
    OutOfMemory,
    /// nbc killed it because the caller asked to.
    Killed,
}

/// Everything known after the end.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub outcome: Outcome,
    /// The last bytes of its console (standard output and error), at most `Limits::console`.
    pub console: Vec<u8>,
    /// Layers that were active.
    pub layers: Vec<Layer>,
    /// CPU time of the tree.
    pub cpu: Duration,
}
