//! Refusals of the host: which layer cannot be had, the likely cause, and the way out.

use std::io;

use super::protocol::Subject;
use super::{failure, landlock, seccomp};
use crate::error::SandboxError;
use crate::job::Job;

/// The error for a failed step of nbc's own.
pub(super) fn failed(step: &'static str) -> impl Fn(io::Error) -> SandboxError {
    move |source| SandboxError::StageFailed { step, console: String::new(), source }
}

/// The error for a failure that the second stage reported.
pub(super) fn explain(
    subject: Subject,
    step: String,
    source: io::Error,
    job: Option<&Job>,
) -> SandboxError {
    match subject {
        Subject::Layer(layer) => refused(&layer, &step, source),
        Subject::Mount(path) => SandboxError::MountRefused { path: path.into(), step, source },
        Subject::Program => {
            let program = job.map(|it| it.program.clone()).unwrap_or_default();
            SandboxError::ProgramRefused { program, source }
        }
    }
}

pub(super) fn refused(layer: &str, step: &str, source: io::Error) -> SandboxError {
    let way_out = way_out(layer, source.raw_os_error().unwrap_or(0)).to_owned();
    SandboxError::LayerRefused { layer: layer.to_owned(), step: step.to_owned(), way_out, source }
}

/// The cause, as far as the answer of the kernel tells it, and what to do.
pub(super) fn way_out(layer: &str, errno: i32) -> &'static str {
    match (layer, errno) {
        ("user namespace", libc::ENOSPC | libc::EUSERS) => {
            "user namespaces are switched off or used up here; `sudo sysctl -w user.max_user_namespaces=15000` allows them"
        }
        ("user namespace" | "mount namespace" | failure::VIEW, libc::EPERM | libc::EACCES) => {
            "this host forbids user namespaces, or forbids to mount in them. \
             On Ubuntu 24.04 and later (AppArmor): `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, \
             or an AppArmor profile for nbc that allows `userns`. \
             On Debian: `sudo sysctl -w kernel.unprivileged_userns_clone=1`. \
             In Docker: `--security-opt seccomp=PROFILE` with a profile that allows `unshare`, `mount` and `pivot_root`"
        }
        (failure::VIEW, libc::ENOSYS | libc::EINVAL | libc::ENODEV) => {
            "the kernel is too old, or was built without overlay or tmpfs; nbc needs Linux 5.12 or later"
        }
        (landlock::ALONE, _) => {
            "where namespaces are refused, Landlock has to keep the user's files from being cut short, \
             which it can from Linux 6.2; run by root, Linux 5.13 will do"
        }
        (landlock::NAME, _) => {
            "the kernel has no Landlock, or does not use it; nbc needs Linux 5.13 or later, \
             with `landlock` in the list `lsm=` of its command line"
        }
        (seccomp::NAME, _) => {
            "the kernel was built without system call filters, or an outer filter forbids more of them"
        }
        (failure::RIGHTS, _) => {
            "run nbc as an ordinary user, or as a root that may change to another user"
        }
        _ => "the kernel refused it",
    }
}
