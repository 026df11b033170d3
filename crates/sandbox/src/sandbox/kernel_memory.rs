//! Memory of the kernel that the cheap files of `/proc` do not show: mappings, and files that an epoll watches.
//!
//! In: the first process of a tree. Out: a number that a thread of its own keeps up to date, since these files take
//! locks of the processes that they tell of, and the watch waits for nobody. A control group counts all of it.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::processes::{open_files, tree};

/// Shortest pause between two counts of the tree.
const PERIOD: Duration = Duration::from_millis(200);

/// Least ratio of the pause to the count before it: a tree of many mappings must not cost a core.
const REST: u32 = 8;

/// Kernel memory of one mapping: its structure, and its part of a process's tree. Measured on Linux 6.18: 223 bytes for
/// a mapping without pages.
const MAPPING: u64 = 256;

/// Kernel memory of one file that an epoll watches. Measured on Linux 6.18: 209 bytes.
const WATCH: u64 = 224;

/// A count that is kept up to date until it is dropped.
#[derive(Debug)]
pub(super) struct KernelMemory {
    bytes: Arc<AtomicU64>,
    _end: Sender<()>,
}

impl KernelMemory {
    /// Begins to count. `None` where the system gives no thread.
    pub(super) fn start(first: Pid) -> Option<KernelMemory> {
        let (end, ended) = mpsc::channel::<()>();
        let bytes = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&bytes);
        let count = move || {
            let mut pause = PERIOD;
            while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let start = Instant::now();
                let mut sum = 0;
                for pid in tree(first) {
                    sum += mappings(pid) * MAPPING + watches(pid) * WATCH;
                    // A look at a large tree takes a while, and may be enough before its end.
                    told.fetch_max(sum, Ordering::Relaxed);
                }
                told.store(sum, Ordering::Relaxed);
                pause = PERIOD.max(start.elapsed() * REST);
            }
        };
        std::thread::Builder::new().spawn(count).ok()?;
        Some(KernelMemory { bytes, _end: end })
    }

    /// Bytes that the last look found.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// Mappings of a process, one a line.
fn mappings(pid: i32) -> u64 {
    lines(&format!("/proc/{pid}/maps"))
}

/// Files that the epolls of a process watch. Forks that share an epoll each count it: honest ones watch few files.
fn watches(pid: i32) -> u64 {
    let is_epoll = |it: &std::path::PathBuf| {
        std::fs::read_link(it).is_ok_and(|it| it.as_os_str() == "anon_inode:[eventpoll]")
    };
    let epolls = open_files(pid).filter(is_epoll);
    let numbers = epolls.filter_map(|it| Some(it.file_name()?.to_str()?.to_owned()));
    // Four lines are about the epoll itself.
    numbers.map(|it| lines(&format!("/proc/{pid}/fdinfo/{it}")).saturating_sub(4)).sum()
}

/// Lines of a file, however long; none where it cannot be read.
fn lines(path: &str) -> u64 {
    let Ok(mut file) = fs_err::File::open(path) else { return 0 };
    let mut buffer = [0; 32 * 1024];
    let mut lines = 0;
    while let Ok(count @ 1..) = file.read(&mut buffer) {
        let seen = buffer.get(..count).unwrap_or_default();
        lines += u64::try_from(seen.iter().filter(|it| **it == b'\n').count()).unwrap_or(0);
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use rustix::event::{EventfdFlags, epoll, eventfd};

    use super::*;

    #[test]
    fn watches_of_this_process_are_counted() {
        let own = i32::try_from(std::process::id()).unwrap();
        let before = watches(own);
        let events: Vec<_> = (0..50).map(|_| eventfd(0, EventfdFlags::empty()).unwrap()).collect();
        let epolls: Vec<_> =
            (0..4).map(|_| epoll::create(epoll::CreateFlags::CLOEXEC).unwrap()).collect();
        for watching in &epolls {
            for event in &events {
                let data = epoll::EventData::new_u64(0);
                epoll::add(watching, event.as_fd(), data, epoll::EventFlags::IN).unwrap();
            }
        }
        // Other tests of this process open and close theirs.
        assert!(watches(own) >= before.saturating_sub(50) + 200, "{before} {}", watches(own));
        assert!(mappings(own) > 10);
        assert_eq!(lines("/proc/self/no such file"), 0);
    }

    #[test]
    fn a_count_begins_and_ends() {
        let kernel_memory = KernelMemory::start(rustix::process::getpid()).unwrap();
        let start = Instant::now();
        while kernel_memory.bytes() == 0 && start.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(kernel_memory.bytes() > 10 * MAPPING, "{}", kernel_memory.bytes());
    }
}
