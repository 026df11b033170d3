//! Memory of a confined tree, from the files of `/proc`.
//!
//! In: the processes of a tree. Out: bounds of their memory, the cheap ones at once, and the exact number when another
//! thread has asked the kernel for it.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::processes::{cpu_of, open_files, tree};

/// Interval between two measurements: 2 GB/s of fresh pages overshoot by 50 MB in this time.
pub(super) const PERIOD: Duration = Duration::from_millis(25);

/// Longest time for a look at shared pages, and the time added for each process: a busy machine takes seconds for
/// hundreds of forks. After that, shared pages count in each of their users.
const PATIENCE: Duration = Duration::from_secs(2);
const PATIENCE_EACH: Duration = Duration::from_millis(10);

/// The time that a look at so many processes gets.
fn patience(processes: usize) -> Duration {
    PATIENCE + PATIENCE_EACH * u32::try_from(processes).unwrap_or(u32::MAX)
}

#[derive(Debug, Default, Clone, Copy)]
struct Usage {
    resident: u64,
    /// Resident memory that belongs to no file.
    anonymous: u64,
    bound: u64,
}

/// Upper bound of the bytes in all sockets that the tree has open, each taken for full: there are pairs of streams
/// only, and none can be on its way inside a message.
fn open_sockets(tree: &[i32]) -> u64 {
    let links = tree.iter().flat_map(|pid| open_files(*pid));
    let names = links.filter_map(|it| std::fs::read_link(it).ok());
    // Forked children share them.
    let sockets: BTreeSet<_> =
        names.filter(|it| it.as_os_str().as_encoded_bytes().starts_with(b"socket:")).collect();
    u64::try_from(sockets.len()).unwrap_or(u64::MAX).saturating_mul(full_socket())
}

/// File systems that hold the tree's shared memory and temporary files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileSystems {
    /// Its own, beside a network of its own.
    Own,
    /// Those of the host.
    Host,
}

/// Memory and CPU time of a tree, read from the cheap files of `/proc`.
pub(super) struct Measured {
    each: Vec<(i32, Usage)>,
    /// Memory of files and sockets.
    nobodys: u64,
    /// Lower bound of the tree's memory, whatever its processes share.
    pub(super) least: u64,
    pub(super) cpu: Duration,
}

impl Measured {
    /// Upper bound of the memory: each shared page counts in each of its users.
    fn all(&self) -> u64 {
        self.nobodys + self.each.iter().map(|(_, it)| it.resident + it.bound).sum::<u64>()
    }

    /// Counts memory of the kernel as well.
    pub(super) fn add(&mut self, bytes: u64) {
        self.nobodys += bytes;
        self.least += bytes;
    }

    /// The memory, if this much of it is resident.
    fn with(&self, resident: u64) -> u64 {
        self.nobodys + self.each.iter().map(|(_, it)| it.bound).sum::<u64>() + resident
    }
}

/// Memory and CPU time of the tree under `first`. The memory of `payload`, which many runs share and none of them
/// can change, does not count: its forks show as much as they have of it. Reads no file for which the kernel would
/// take a lock of the process: those wait as long as the process likes.
pub(super) fn measure(first: Pid, file_systems: FileSystems, payload: Option<i32>) -> Measured {
    let tree = tree(first);
    let cpu = cpu_of(&tree);
    let counted = tree.iter().filter(|pid| Some(**pid) != payload);
    let each = counted.map(|pid| (*pid, usage(*pid).unwrap_or_default())).collect::<Vec<_>>();
    let nobodys = match file_systems {
        FileSystems::Own => temporary_files(&tree) + sockets(first),
        FileSystems::Host => open_sockets(&tree),
    };
    // Of all forks only the largest is certain, and of that only the pages that it does not have from the payload.
    let of_payload = payload.and_then(usage).map_or(0, |it| it.anonymous);
    let largest = each.iter().map(|(_, it)| it.anonymous).max().unwrap_or(0);
    let mut measured = Measured { each, nobodys, least: 0, cpu };
    measured.least = measured.with(largest.saturating_sub(of_payload));
    measured
}

/// Measures the memory that processes of a tree share. The kernel walks all pages of a process for that, under the lock
/// of its memory; so another thread asks, and until it answers the watch uses the bounds that are certain.
#[derive(Default)]
pub(super) struct Shares {
    /// Start of the look that is under way, and the channel of its answer.
    look: Option<(Instant, Receiver<u64>)>,
    /// Looks that were given up; the thread of each ends with the process that it asks about.
    given_up: usize,
    /// Judgements in a row that found too much. One that knows nothing yet leaves them as they are: the second look
    /// may take longer than the watch waits, as the first did.
    over: usize,
    /// Whether the last judgement counts shared pages in each of their users, since nobody could tell: it decides, and
    /// is no figure to tell.
    pub(super) is_guess: bool,
}

impl Shares {
    /// The tree's memory: the upper bound if that is not above `most`, the lower bound if that is above it already, and
    /// between them the exact number once it is known.
    pub(super) fn judge(&mut self, seen: &Measured, most: u64) -> u64 {
        let memory = self.look(seen, most);
        if self.look.is_none() {
            self.over = if memory > most { self.over + 1 } else { 0 };
        }
        memory
    }

    /// Whether two judgements in a row found too much.
    pub(super) fn is_sure(&self) -> bool {
        self.over >= 2
    }

    fn look(&mut self, seen: &Measured, most: u64) -> u64 {
        let all = seen.all();
        self.is_guess = false;
        if all <= most {
            return all;
        }
        if seen.least > most {
            return seen.least;
        }
        if self.given_up > 0 {
            self.is_guess = true;
            return all;
        }
        let (since, answer) = self.look.take().unwrap_or_else(|| {
            let (sender, answer) = std::sync::mpsc::channel();
            let each: Vec<(i32, u64)> =
                seen.each.iter().map(|(pid, it)| (*pid, it.resident)).collect();
            std::thread::spawn(move || {
                // Forked children share pages, which the cheap number counts once for each of them.
                let shared = each.iter().map(|(pid, it)| proportional(*pid, *it)).sum();
                // A watch that has ended needs no answer.
                let _ = sender.send(shared);
            });
            (Instant::now(), answer)
        });
        match answer.recv_timeout(PERIOD) {
            Ok(resident) => seen.with(resident),
            Err(RecvTimeoutError::Timeout) if since.elapsed() < patience(seen.each.len()) => {
                self.look = Some((since, answer));
                seen.least
            }
            Err(_) => {
                self.given_up += 1;
                self.is_guess = true;
                all
            }
        }
    }
}

/// Files in `/tmp` (with every private layer) and `/dev/shm`, which lie in memory. Mapped parts
/// count in a process as well: shared memory without a file looks the same from here.
fn temporary_files(tree: &[i32]) -> u64 {
    let used = |pid: i32, folder: &str| {
        let it = rustix::fs::statfs(format!("/proc/{pid}/root/{folder}")).ok()?;
        (it.f_type == libc::TMPFS_MAGIC)
            .then(|| (it.f_blocks - it.f_bfree) * u64::try_from(it.f_bsize).unwrap_or(4096))
    };
    // The first is nbc itself, which gives nobody a look at its root.
    let inside = tree.iter().skip(1);
    inside.filter_map(|&pid| Some(used(pid, "tmp")? + used(pid, "dev/shm")?)).next().unwrap_or(0)
}

/// Upper bound of the bytes in all sockets of the sandbox's network, each taken for full: the kernel tells only their
/// number. Sockets on their way inside a message are counted, too.
fn sockets(first: Pid) -> u64 {
    let path = format!("/proc/{}/net/unix", first.as_raw_nonzero());
    let Ok(list) = fs_err::read_to_string(path) else { return 0 };
    let messages = |line: &str| match line.split_whitespace().nth(4) {
        // A datagram socket keeps ten messages and one, and each of them may fill its sender's bound.
        Some("0002") => 11,
        _ => 1,
    };
    list.lines().skip(1).map(messages).sum::<u64>() * full_socket() + tcp(first)
}

/// The most that one socket holds.
fn full_socket() -> u64 {
    let default = fs_err::read_to_string("/proc/sys/net/core/wmem_default");
    let default: u64 = default.ok().and_then(|it| it.trim().parse().ok()).unwrap_or(212_992);
    // A sender may go beyond its bound by one piece.
    default + 64 * 1024
}

/// Upper bound of the bytes in TCP sockets of the sandbox's network; there are none without a proxy.
fn tcp(first: Pid) -> u64 {
    /// Both buffers as `sandbox::network` bounds them, and half as much again for the last piece.
    const FULL: u64 = 192 * 1024;
    let pid = first.as_raw_nonzero();
    // The lists of sockets (`net/tcp`) would have the kernel walk the table of the whole machine.
    let counts = ["sockstat", "sockstat6"].map(|it| {
        let text = fs_err::read_to_string(format!("/proc/{pid}/net/{it}")).unwrap_or_default();
        tcp_in_use(&text)
    });
    counts.iter().sum::<u64>().saturating_mul(FULL)
}

/// Sockets that hold a connection or wait for one, accepted or not, as `sockstat` counts them.
fn tcp_in_use(sockstat: &str) -> u64 {
    let lines = sockstat.lines().filter(|it| it.starts_with("TCP"));
    lines.filter_map(|it| it.split_whitespace().nth(2)?.parse::<u64>().ok()).sum()
}

fn usage(pid: i32) -> Option<Usage> {
    let status = fs_err::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let slots = status.lines().find_map(|it| it.strip_prefix("FDSize:"));
    let open: u64 = slots.and_then(|it| it.trim().parse().ok()).unwrap_or(0);
    let bound = sum(&status, &BOUND) + open * OPEN_FILE;
    let (resident, anonymous) = (sum(&status, &["VmRSS:"]), sum(&status, &["RssAnon:"]));
    Some(Usage { resident, anonymous, bound })
}

/// Kernel memory that one open file may keep: a pipe has two pages when its user has many.
const OPEN_FILE: u64 = 8 * 1024;

/// Memory that no resident page shows: swapped out, page tables (which a sparse mapping makes large), huge pages.
const BOUND: [&str; 3] = ["VmSwap:", "VmPTE:", "HugetlbPages:"];

/// The sum of these lines of a file in `/proc`, in bytes.
fn sum(text: &str, names: &[&str]) -> u64 {
    let kilobytes = |line: &str| {
        let value = names.iter().find_map(|it| line.strip_prefix(it))?;
        value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    text.lines().filter_map(kilobytes).sum::<u64>() * 1024
}

/// Resident memory in which a shared page counts for a part in each of its users.
fn proportional(pid: i32, resident: u64) -> u64 {
    match fs_err::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
        Ok(text) => sum(&text, &["Pss:"]),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => resident,
        // It ended meanwhile.
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_status_file_add_up() {
        let status =
            "Name:\tVmRSS: 9 kB\nVmRSS:\t     100 kB\nVmSwap:\t 20 kB\nVmPTE:\t3 kB\nThreads:\t1\n";
        assert_eq!(sum(status, &["VmRSS:"]), 100 * 1024);
        assert_eq!(sum(status, &BOUND), 23 * 1024);
    }

    #[test]
    fn connections_are_counted_before_somebody_accepts_them() {
        let sockstat =
            "sockets: used 78\nTCP: inuse 43 orphan 20 tw 15 alloc 43 mem 0\nUDP: inuse 9 mem 0\n";
        assert_eq!(tcp_in_use(sockstat), 43);
        assert_eq!(tcp_in_use("TCP6: inuse 2\nUDP6: inuse 1\n"), 2);
    }

    #[test]
    fn the_tree_of_this_process_has_memory() {
        let seen = measure(rustix::process::getpid(), FileSystems::Host, None);
        assert!(seen.all() > 100 * 1024, "{}", seen.all());
        assert!(seen.least > 0 && seen.least <= seen.all());
    }

    /// Processes of which each has `resident` bytes, and page tables of `bound` bytes.
    fn forks(count: i32, resident: u64, bound: u64) -> Measured {
        let usage = Usage { resident, anonymous: resident, bound };
        // No process has such a number, so nothing is shared and nothing is left of what is looked at slowly.
        let each = (0..count).map(|it| (i32::MAX - it, usage)).collect();
        Measured {
            each,
            nobodys: 0,
            least: resident + u64::from(count.unsigned_abs()) * bound,
            cpu: Duration::ZERO,
        }
    }

    #[test]
    fn what_is_certain_needs_no_slow_look() {
        let mut shares = Shares::default();
        // Page tables beside resident pages: each below the limit, and over it together.
        let seen = forks(1, 60, 50);
        assert_eq!(shares.judge(&seen, 100), 110);
        assert!(shares.look.is_none());
    }

    #[test]
    fn two_slow_looks_in_a_row_are_enough() {
        let mut shares = Shares::default();
        let seen = forks(2, 60, 1);
        let answered = |shares: &mut Shares| {
            let (sender, answer) = std::sync::mpsc::channel();
            sender.send(120).unwrap();
            shares.look = Some((Instant::now(), answer));
            shares.judge(&seen, 100)
        };
        assert_eq!((answered(&mut shares), shares.is_sure()), (122, false));
        // The second look is not over at once, and says nothing about the first.
        let (_keep, answer) = std::sync::mpsc::channel();
        shares.look = Some((Instant::now(), answer));
        assert_eq!((shares.judge(&seen, 100), shares.is_sure()), (62, false));
        assert_eq!((answered(&mut shares), shares.is_sure()), (122, true));
        assert_eq!((shares.judge(&forks(1, 10, 1), 100), shares.is_sure()), (11, false));
    }

    #[test]
    fn a_slow_look_is_not_waited_for() {
        let mut shares = Shares::default();
        let seen = forks(2, 60, 1);
        // Nobody answers: the file of a process that holds its own lock.
        let (keep, answer) = std::sync::mpsc::channel();
        shares.look = Some((Instant::now(), answer));
        let start = Instant::now();
        assert_eq!(shares.judge(&seen, 100), 62);
        assert!(start.elapsed() < PATIENCE / 2);
        // Only the certain part counts until then.
        assert_eq!(shares.judge(&forks(1, 90, 20), 100), 110);
        // After a bounded time pages that may be shared count in each process.
        let answer = shares.look.take().map(|(_, answer)| answer).unwrap();
        shares.look = Instant::now().checked_sub(patience(2)).map(|since| (since, answer));
        assert_eq!((shares.judge(&seen, 100), shares.is_guess), (122, true));
        assert_eq!((shares.judge(&seen, 200), shares.is_guess), (122, false));
        drop(keep);
    }
}
