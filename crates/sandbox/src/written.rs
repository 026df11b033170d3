//! Bytes that a tool and its children have written, by the kernel's own count.
//!
//! An archive of a few megabytes can unpack to any size, and installers unpack into folders that others use as well
//! (their caches), so that looking at folders tells nothing. What each process wrote is counted whatever the place.

use std::io;

use rustix::process::{Pid, Resource, Rlimit};

/// Keeps each file that a process and its children write below a size.
pub(super) fn limit_files(process: Pid, bytes: u64) -> io::Result<()> {
    let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
    rustix::process::prlimit(Some(process), Resource::Fsize, limit).map_err(io::Error::from)?;
    Ok(())
}

/// Bytes that the processes of a group have written, those that ended and were collected among them. Zero where the
/// kernel does not say.
pub(super) fn by_group(group: Pid) -> u64 {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let processes = entries.filter_map(|it| it.file_name().to_str()?.parse::<u32>().ok());
    let own = group.as_raw_nonzero().get().to_string();
    let written = processes.filter_map(|process| {
        let stat = fs_err::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name of the program, in parentheses, may hold anything.
        let is_own = stat.rsplit_once(')')?.1.split_whitespace().nth(2)? == own;
        let counts =
            is_own.then(|| fs_err::read_to_string(format!("/proc/{process}/io")).ok())??;
        counts.lines().find_map(|it| it.strip_prefix("wchar: ")?.trim().parse::<u64>().ok())
    });
    written.fold(0, u64::saturating_add)
}
