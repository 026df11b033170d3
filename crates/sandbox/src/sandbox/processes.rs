//! Processes of a confined tree, and what `/proc` tells of each: open files, CPU time.

use std::time::Duration;

use rustix::process::Pid;

use super::system;

/// The processes under `first`: orphans inside become its children, so none is missed for long.
pub(super) fn tree(first: Pid) -> Vec<i32> {
    let mut tree = vec![first.as_raw_nonzero().get()];
    let mut idx = 0;
    while let Some(pid) = tree.get(idx).copied() {
        idx += 1;
        // Children belong to the thread that forked them.
        let Ok(threads) = fs_err::read_dir(format!("/proc/{pid}/task")) else { continue };
        for thread in threads.flatten() {
            let Ok(children) = fs_err::read_to_string(thread.path().join("children")) else {
                continue;
            };
            tree.extend(children.split_whitespace().filter_map(|it| it.parse::<i32>().ok()));
        }
    }
    tree
}

/// The links to the files that a process has open.
pub(super) fn open_files(pid: i32) -> impl Iterator<Item = std::path::PathBuf> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).ok();
    entries.into_iter().flatten().flatten().map(|it| it.path())
}

/// CPU time of this thread, which is the watch's.
pub(super) fn own_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// CPU time of these processes, and of children that they have collected.
pub(super) fn cpu_of(tree: &[i32]) -> Duration {
    tree.iter().filter_map(|pid| cpu_time(*pid)).sum()
}

fn cpu_time(pid: i32) -> Option<Duration> {
    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program comes second, and may hold spaces and parentheses.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
    // Time in programs and in the kernel: its own, then that of children that ended and were waited for.
    let ticks: u64 = fields.by_ref().skip(11).take(4).filter_map(|it| it.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(ticks * 1000 / system::ticks_per_second()))
}
