//! The one place that starts processes, and the one crate with unsafe code.
//!
//! In: a [`Job`] or a [`tool::Tool`]. Out: a process that gets what is listed, and nothing else of nbc's environment.
//! [`Sandbox`] runs notebook code: confined as [`Isolation`] asks, limited, the whole tree killed at the end. [`tool`]
//! runs trusted tools (`uv`, `pip`): a cleared environment and a time limit. [`apart`] runs nbc itself, for work that
//! may not end. [`interrupt`] is Ctrl-C, which ends every wait. [`secret`] holds values that only a job may see.
//!
//! The crate depends on no other of nbc, whose other crates forbid unsafe code.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
mod sandbox;
#[cfg(not(target_os = "linux"))]
#[path = "sandbox/unsupported.rs"]
mod sandbox;
pub mod apart;
pub mod claims;
pub mod interrupt;
pub mod names;
pub mod network;
mod on_demand;
mod relocation;
pub mod secret;
pub mod tool;
#[cfg(target_os = "linux")]
mod written;

pub use network::{AllowedHost, AllowedHostError, Refusal, Traffic};
#[cfg(unix)]
pub use on_demand::let_runs_pass;
pub use on_demand::{OnDemand, PASSABLE};
pub use relocation::Relocation;
pub use sandbox::{
    AttachedSlot, Killer, NetworkWatch, Running, Sandbox, Warm, examine, sandbox_main,
};
use secret::Secret;

/// The hidden first argument that makes `nbc` act as the second stage of the sandbox.
pub const STAGE_ARGUMENT: &str = "__sandbox";

/// Level of confinement that a run needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Every layer, or no run.
    Strict,
    /// The strongest confinement that the host grants: files and system calls are confined at least, and every
    /// limit holds.
    BestEffort,
    /// Limits only.
    None(Trusted),
}

/// Proof that the user trusts a notebook with everything that they may do themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trusted(());

impl Trusted {
    /// Records the user's explicit request, made for this very build.
    #[must_use]
    pub fn by_request_of_the_user() -> Self {
        Self(())
    }
}

/// How a folder of the host appears inside the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// Readable, recursively read-only. A file or a folder.
    ReadOnly,
    /// Readable; writes go to a private layer that is thrown away after the run. A folder, without the file
    /// systems that are mounted below it.
    Overlay,
}

/// One folder or file of the host that is visible inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Path on the host.
    pub host: Utf8PathBuf,
    /// Path inside.
    pub inside: Utf8PathBuf,
    /// Access.
    pub access: Access,
}

/// Bounds of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Wall-clock time.
    pub wall: Duration,
    /// CPU time of the whole process tree.
    pub cpu: Duration,
    /// Memory of the whole process tree, in bytes.
    pub memory: u64,
    /// Processes and threads.
    pub processes: u32,
    /// Open files of one process.
    pub open_files: u32,
    /// Bytes of one file.
    pub file_size: u64,
    /// Bytes in the private temporary folder.
    pub temporary: u64,
    /// Bytes of console text (file descriptors 1 and 2 of the runner itself) that are kept.
    pub console: u64,
}

/// A program to run inside, and everything that it gets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// Program, as a path inside.
    pub program: Utf8PathBuf,
    /// Arguments.
    pub arguments: Vec<String>,
    /// The whole environment of the process; `NBC_CHANNEL=3` is added.
    pub environment: BTreeMap<String, String>,
    /// Parts of the host that are visible, beside the system's libraries.
    pub mounts: Vec<Mount>,
    /// Working folder inside.
    pub working_folder: Utf8PathBuf,
    /// Bounds.
    pub limits: Limits,
    /// Permissions and exclusions that the user asked for.
    pub openings: Openings,
}

/// Permissions and exclusions of a job that the user asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Openings {
    /// Hosts that can be reached through nbc's proxy. Without any there is no network at all.
    pub hosts: Vec<AllowedHost>,
    /// Paths inside that are not there for the job, as [`names::text_of`] writes them. Right below an
    /// [`Access::Overlay`], also those that are not there yet.
    pub hidden: Vec<Utf8PathBuf>,
    /// Variables whose values nobody may see; they come last.
    #[serde(skip)]
    pub variables: BTreeMap<String, Secret>,
    /// Contents of files in `/run/secrets`, by name.
    #[serde(skip)]
    pub files: BTreeMap<String, Secret>,
}

/// Slot of a warm process for one notebook: a folder of the host with a private layer, beside a temporary folder of its
/// own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The folder; its access is [`Access::Overlay`].
    pub mount: Mount,
    /// Hidden paths, written like [`Openings::hidden`].
    pub hidden: Vec<Utf8PathBuf>,
}

/// A layer of isolation, and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// `user namespace`, `network namespace`, `seccomp`…
    pub name: String,
    /// Whether it was active.
    pub active: bool,
    /// The reason why it does not hold, or the limits that it sets.
    pub detail: String,
}

/// The result of trying a layer by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examined {
    /// The layer, as in [`Layer::name`].
    pub name: String,
    /// Why this host does not grant it.
    pub refusal: Option<LayerRefusal>,
}

/// Why a host does not grant a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRefusal {
    /// The kernel's answer, or another layer that this one needs.
    pub reason: String,
    /// The likely cause and what to do about it; `None` when another layer is the cause.
    pub way_out: Option<String>,
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
    /// nbc or the kernel killed it at the limit of CPU time.
    OutOfCpuTime,
    /// nbc or the kernel killed it at the memory limit.
    OutOfMemory,
    /// nbc killed it at the limit of the temporary folder.
    OutOfDisk,
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
    /// CPU time of the tree.
    pub cpu: Duration,
    /// Most memory of the tree that was measured, in bytes.
    pub memory: u64,
}

/// Reasons why a confined process could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The operating system has no confinement that nbc knows.
    #[error(
        "notebooks cannot be confined on {system}: nbc knows the layers of Linux only; build in a Linux container or virtual machine"
    )]
    UnknownSystem {
        /// Name of the operating system.
        system: &'static str,
    },
    /// The host refuses a layer that the strict level needs.
    #[error("the `{layer}` layer cannot be had: {step} failed; {way_out}")]
    LayerRefused {
        /// The layer, as in [`Layer::name`].
        layer: String,
        /// The step that failed.
        step: String,
        /// The likely cause and what to do about it.
        way_out: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// Neither the strict level nor the least that the best-effort level accepts.
    #[error(
        "{full}; and what is left, files and system calls alone, cannot be had either: {least}"
    )]
    NothingHolds {
        /// Reason why not every layer holds.
        full: Box<SandboxError>,
        /// Reason why not even the fewest layers hold.
        #[source]
        least: Box<SandboxError>,
    },
    /// Without namespaces the notebook runs as a user that owns nothing, who cannot read this.
    #[error(
        "`{path}` can be read by its owner only, and without namespaces nbc, run by root, runs notebooks as a user that owns nothing; allow others to read it, name another folder for the cache in NBC_CACHE_DIR, or run nbc as an ordinary user"
    )]
    NotReadable {
        /// The folder or file.
        path: Utf8PathBuf,
    },
    /// The job asks for something that takes namespaces, and there are none.
    #[error(
        "`{wish}` needs every namespace, and this run has none; `nbc doctor` tells how to get them"
    )]
    NeedsNamespaces {
        /// The isolation that was asked for.
        wish: &'static str,
    },
    /// A folder or file that the job needs inside cannot be shown there.
    #[error("`{path}` cannot be mounted in the sandbox ({step})")]
    MountRefused {
        /// The path on the host.
        path: Utf8PathBuf,
        /// The step that failed.
        step: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The program of the job did not start.
    #[error(
        "`{program}` did not start in the sandbox; is its folder among the mounts, and its interpreter, too?"
    )]
    ProgramRefused {
        /// The program, as a path inside.
        program: Utf8PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The second stage could not be started, or went away without a word.
    #[error("the sandbox did not start: {step}{console}")]
    StageFailed {
        /// The step that failed.
        step: &'static str,
        /// Output of the second stage, on lines of its own.
        console: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
}
