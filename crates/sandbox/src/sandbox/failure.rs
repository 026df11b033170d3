//! Failures of the set-up and names of layers, for all that run as the second stage.

use std::io;
use std::os::unix::net::UnixStream;

use super::protocol::{self, Report, Subject};
use crate::layer::Layer;

/// Name of the layer that `mounts` makes.
pub(super) const VIEW: &str = "file system view";
/// Name of the layer of user ids and capabilities.
pub(super) const RIGHTS: &str = "no privileges";
pub(super) const LIMITS: &str = "resource limits";
/// The exit code when nbc itself is gone, or something else stands on the other end.
pub(super) const NO_PARENT: i32 = 70;

/// The step at which the set-up stopped, and why.
pub(super) struct Failure {
    pub(super) subject: Subject,
    pub(super) step: String,
    pub(super) source: io::Error,
}

/// Names the layer that an error belongs to.
pub(super) trait Named<T> {
    fn named(self, layer: &str, step: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T> Named<T> for io::Result<T> {
    fn named(self, layer: &str, step: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|source| Failure {
            subject: Subject::Layer(layer.to_owned()),
            step: step(),
            source,
        })
    }
}

/// Reports a failure to nbc.
pub(super) fn report_failure(control: &UnixStream, failure: Failure) {
    let errno = errno_of(&failure.source);
    let report = Report::Failed { subject: failure.subject, step: failure.step, errno };
    // If nbc is gone, nobody reads the report.
    drop(protocol::send(control, &report));
}

/// The kernel's error number behind an error, or the nearest one to the error's kind.
pub(super) fn errno_of(error: &io::Error) -> i32 {
    let errno = error.raw_os_error().or_else(|| {
        // An error of fs_err wraps the one of the kernel.
        let inner = error.get_ref()?.source()?;
        inner.downcast_ref::<io::Error>()?.raw_os_error()
    });
    errno.unwrap_or(match error.kind() {
        io::ErrorKind::NotFound => libc::ENOENT,
        io::ErrorKind::PermissionDenied => libc::EACCES,
        io::ErrorKind::NotADirectory => libc::ENOTDIR,
        io::ErrorKind::InvalidInput => libc::EINVAL,
        _ => libc::EIO,
    })
}

/// A layer that holds.
pub(super) fn holds(name: &str, detail: &str) -> Layer {
    Layer { name: name.to_owned(), active: true, detail: detail.to_owned() }
}

/// Detail of the limits, which hold at every level of isolation.
pub(super) const LIMITS_DETAIL: &str =
    "time, memory of the tree (measured every 25 ms), processes, files, temporary disk";
