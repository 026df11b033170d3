//! The error of a sandbox that could not be had, with the way out.

use std::io;

use camino::Utf8PathBuf;

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
        /// The layer, as in [`crate::Layer::name`].
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
