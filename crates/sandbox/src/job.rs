//! Jobs of the sandbox: a program with everything that it gets, and the way in which it ended.

use std::collections::BTreeMap;
use std::time::Duration;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::network::AllowedHost;
use crate::secret::Secret;

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
    /// Paths inside that are not there for the job, as [`crate::names::text_of`] writes them. Right below an
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
