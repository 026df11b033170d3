//! The user that a payload runs as: the caller's own, or for root an id that nobody uses.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU32, Ordering};

use camino::Utf8Path;

use super::protocol::Identity;
use super::refusal::refused;
use super::{failure, protocol};
use crate::error::SandboxError;

/// The user who runs nbc.
pub(super) fn own_identity() -> Identity {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    Identity::Own { uid, gid }
}

/// Notebook code is never the host's root, not even one without rights: root owns `/proc/sys`.
pub(super) fn choose_identity() -> Result<Identity, SandboxError> {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    // In a user namespace "root" may be an ordinary user of the host; then the owner here is "nobody".
    let is_host_root =
        uid == 0 && fs_err::metadata("/proc/sys/kernel").map_or(true, |it| it.uid() == 0);
    if !is_host_root {
        return Ok(Identity::Own { uid, gid });
    }
    let unused =
        unused_id().map_err(|it| refused(failure::RIGHTS, "finding an unused user id", it))?;
    Ok(Identity::Switched { id: unused })
}

/// First id of runs: above the ids of users, services and containers.
const UNUSED_IDS: u32 = 1_800_000_000;
/// Ids that each nbc has for its runs: the processes of one must not end with those of another.
const RUNS_AT_ONCE: u32 = 32;

impl Identity {
    /// An id for one run, where there are enough of them.
    pub(super) fn of_next_run(self) -> Identity {
        static NEXT: AtomicU32 = AtomicU32::new(0);

        match self {
            Identity::Switched { id } if id >= UNUSED_IDS => {
                let next = NEXT.fetch_add(1, Ordering::Relaxed) % RUNS_AT_ONCE;
                Identity::Switched { id: id + next }
            }
            other => other,
        }
    }
}

/// The first of the ids of this nbc alone.
fn unused_id() -> io::Result<u32> {
    let wanted = UNUSED_IDS + (std::process::id() % 4_000_000) * RUNS_AT_ONCE;
    let mut highest = None;
    for file in ["/proc/self/uid_map", "/proc/self/gid_map"] {
        let text = fs_err::read_to_string(file)?;
        let last = text
            .lines()
            .filter_map(|line| {
                let mut numbers = line.split_whitespace().map(str::parse::<u32>);
                let (first, count) = (numbers.next()?.ok()?, numbers.nth(1)?.ok()?);
                first.checked_add(count)?.checked_sub(1)
            })
            .max();
        highest = Some(highest.map_or(last, |it: Option<u32>| it.min(last))).flatten().map(Some);
    }
    match highest.flatten() {
        Some(highest) if highest > 0 => Ok(wanted.min(highest.saturating_sub(RUNS_AT_ONCE).max(1))),
        _ => Err(io::Error::other("this user namespace has one id, that of root")),
    }
}

/// Writes the maps of ids for a new user namespace, in which the payload has an ordinary id.
pub(super) fn write_id_maps(pid: i32, identity: Identity) -> io::Result<()> {
    let (uid, gid) = match identity {
        Identity::Own { uid, gid } => (uid, gid),
        Identity::Switched { id } => (id, id),
    };
    let inside = protocol::INSIDE_ID;
    fs_err::write(format!("/proc/{pid}/setgroups"), "deny")?;
    fs_err::write(format!("/proc/{pid}/uid_map"), format!("{inside} {uid} 1\n"))?;
    fs_err::write(format!("/proc/{pid}/gid_map"), format!("{inside} {gid} 1\n"))
}

/// A user that owns nothing can read a file that all may read, below folders that all may enter.
pub(super) fn check_readable(path: &Utf8Path) -> Result<(), SandboxError> {
    let refuse = || SandboxError::NotReadable { path: path.to_owned() };
    let mode = |path: &Utf8Path| fs_err::metadata(path).map(|it| it.mode()).map_err(|_| refuse());
    let needed = if path.is_dir() { 0o005 } else { 0o004 };
    if mode(path)? & needed != needed {
        return Err(refuse());
    }
    for folder in path.ancestors().skip(1).filter(|it| !it.as_str().is_empty()) {
        if mode(folder)? & 0o001 == 0 {
            return Err(SandboxError::NotReadable { path: folder.to_owned() });
        }
    }
    Ok(())
}
