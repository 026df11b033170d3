//! Watches a confined tree until nothing of it is left: time, memory, console.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

use super::super::{Ended, Limits, Outcome};
use super::census::Census;
use super::disk::Disk;
use super::protocol::{self, Report};
use super::{Shared, Stage, system};

/// How often memory is measured: 2 GB/s of fresh pages overshoot by 50 MB in this time.
pub(super) const PERIOD: Duration = Duration::from_millis(25);

/// The niceness of the watch, which runs little, and before what it watches.
const FIRST: i32 = -20;

/// How long a look at shared pages may take. After that they count in each of their users.
const PATIENCE: Duration = Duration::from_secs(2);

/// Waits for the end of the tree, and brings it about when a limit is reached.
pub(super) fn supervise(
    mut stage: Stage,
    limits: Option<&Limits>,
    temporary: Option<Utf8PathBuf>,
    shared: &Shared,
    news: Option<&Sender<News>>,
) -> Ended {
    // An ordinary user may not; then the limits hold as soon as the system lets this thread run.
    let _ = rustix::process::setpriority_process(None, FIRST);
    // The kernel counts the tree of a group to the byte.
    let census = limits.filter(|_| stage.group.is_none()).and_then(|_| Census::start(stage.first));
    let first = stage.first;
    let look = |held, payload| {
        let mut seen = measure(first, held, payload);
        seen.add(census.as_ref().map_or(0, Census::bytes));
        seen
    };
    let mut shares = Shares::default();
    let mut start = Instant::now();
    // Of several runs, one after the other, each counts for itself; before the first the payload gets ready.
    let mut is_running = true;
    let mut cpu_before = Duration::ZERO;
    let mut payload = None;
    let kills_before = kernel_kills();
    let mut group_before = 0;
    let mut console = Console::new(limits.map_or(0, |it| it.console));
    let mut own_word = None;
    let mut stopped_by = None;
    let mut cpu = Duration::ZERO;
    let mut most_memory = 0;
    let mut disk = temporary.map(Disk::new);
    let mut control_open = true;
    let stage_pid = i32::try_from(stage.child.id()).ok().and_then(Pid::from_raw);
    let stage_end =
        stage_pid.and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok());
    let mut measure_at = start;

    while let Some(stage_end) = &stage_end {
        let seen = wait(stage_end, &stage.console, control_open.then_some(&stage.control));
        if seen.console {
            console.read(&stage.console);
        }
        if seen.control {
            match protocol::receive(&stage.control) {
                Ok(Report::Ended { status, cpu_micros }) => {
                    own_word = Some((status, Duration::from_micros(cpu_micros)));
                }
                Ok(Report::Entered) => {
                    while console.read(&stage.console) {}
                    console.bytes.clear();
                    payload = payload.or_else(|| tree(stage.first).get(1).copied());
                    (start, is_running, most_memory) = (Instant::now(), true, 0);
                    (cpu_before, cpu) = (cpu_of(&tree(stage.first)), Duration::ZERO);
                    group_before = stage.kills();
                    tell(news, News::Entered);
                }
                Ok(Report::Cleared) => {
                    while console.read(&stage.console) {}
                    console.cut();
                    is_running = false;
                    cpu = cpu_of(&tree(stage.first)).saturating_sub(cpu_before).max(cpu);
                    let console = std::mem::take(&mut console.bytes);
                    // The kernel may have ended the fork before the watch could see why.
                    let outcome = match stage.kills() > group_before {
                        true => Outcome::OutOfMemory,
                        false => Outcome::Exited(0),
                    };
                    tell(news, News::Cleared(Ended { outcome, console, cpu, memory: most_memory }));
                }
                Ok(_) => {}
                Err(_) => control_open = false,
            }
        }
        if seen.end {
            break;
        }
        let Some(limits) = limits else { continue };
        let now = Instant::now();
        let [extra_wall, extra_cpu] = shared.extra();
        let wall = limits.wall.saturating_add(extra_wall);
        let is_late = is_running && now.duration_since(start) >= wall;
        if stopped_by.is_none() && own_word.is_none() && is_late {
            stopped_by = Some(Outcome::TimedOut);
        }
        if now >= measure_at {
            let used = own_time();
            let held = if disk.is_some() { Held::ByHost } else { Held::Inside };
            let seen = look(held, payload);
            if is_running {
                cpu = cpu.max(seen.cpu.saturating_sub(cpu_before));
            }
            let memory = shares.judge(&seen, limits.memory);
            most_memory = most_memory.max(if shares.is_guess { seen.least } else { memory });
            if stopped_by.is_none() && own_word.is_none() {
                if stage.kills() > group_before {
                    // Of version 1 the kernel kills one process, and the notebook may be another one.
                    stopped_by = Some(Outcome::OutOfMemory);
                } else if is_running && cpu > limits.cpu.saturating_add(extra_cpu) {
                    stopped_by = Some(Outcome::OutOfCpuTime);
                } else if memory > limits.memory
                    // Forks and exits between two reads can count a page twice.
                    && (shares.is_sure()
                        || shares.judge(&look(held, payload), limits.memory)
                            > limits.memory)
                {
                    stopped_by = Some(Outcome::OutOfMemory);
                } else if disk
                    .as_mut()
                    .is_some_and(|it| it.holds_more_than(limits.temporary, stage.first))
                {
                    stopped_by = Some(Outcome::OutOfDisk);
                }
            }
            // A tree of hundreds takes a while to measure; the watch must not eat what it guards. Time in which a busy
            // machine lets it wait eats nothing, and must not make it look away.
            measure_at = Instant::now() + PERIOD.max(own_time().saturating_sub(used) * 4);
        }
        if stopped_by.is_some() {
            shared.end_tree();
        }
    }
    if stage_end.is_none() {
        shared.end_tree();
    }
    drop(stage.child.wait());
    let has_group = stage.group.is_some();
    let by_group = stage.kills() > group_before;
    if let Some(group) = stage.group.take().filter(|_| by_group) {
        most_memory = most_memory.max(group.peak());
    }
    // Every writer is dead, so what is left in the pipe is all there will be.
    while console.read(&stage.console) {}
    if control_open && own_word.is_none() {
        own_word = match protocol::receive(&stage.control) {
            Ok(Report::Ended { status, cpu_micros }) => {
                Some((status, Duration::from_micros(cpu_micros)))
            }
            _ => None,
        };
    }
    let outcome = match (stopped_by, own_word) {
        (Some(limit), _) => limit,
        // nbc gives up whoever breaks off in the middle, and that may be the kernel's doing.
        _ if by_group => Outcome::OutOfMemory,
        _ if shared.killed.load(Ordering::SeqCst) => Outcome::Killed,
        (None, Some((status, _))) => decode(status),
        // The first process itself was killed, and not by nbc.
        (None, None) => Outcome::Signalled(libc::SIGKILL),
    };
    // The CPU time of all runs together says nothing about the last one.
    let cpu = own_word.filter(|_| news.is_none()).map_or(cpu, |(_, it)| it.max(cpu));
    let outcome = match outcome {
        Outcome::Signalled(libc::SIGXCPU) => Outcome::OutOfCpuTime,
        Outcome::Signalled(libc::SIGKILL)
            if limits.is_some_and(|it| cpu > it.cpu.saturating_add(shared.extra()[1])) =>
        {
            Outcome::OutOfCpuTime
        }
        // Without a group of its own, whom the kernel killed can only be guessed.
        Outcome::Signalled(libc::SIGKILL) if !has_group && kernel_kills() > kills_before => {
            Outcome::OutOfMemory
        }
        other => other,
    };
    console.cut();
    Ended { outcome, console: console.bytes, cpu, memory: most_memory }
}

impl Stage {
    /// How many processes the group of the tree has killed.
    fn kills(&self) -> u64 {
        self.group.as_ref().map_or(0, super::group::Group::kills)
    }
}

/// The result of an order, for whoever gave it.
pub(super) enum News {
    /// The room is furnished, and its run counts from here.
    Entered,
    /// The run is over, and this is what it took.
    Cleared(Ended),
}

fn tell(news: Option<&Sender<News>>, what: News) {
    // Whoever does not wait any longer has given the sandbox up.
    drop(news.map(|it| it.send(what)));
}

/// CPU time of this thread, which is the watch's.
pub(super) fn own_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// CPU time of these processes, and of children that they have collected.
fn cpu_of(tree: &[i32]) -> Duration {
    tree.iter().filter_map(|pid| cpu_time(*pid)).sum()
}

struct Seen {
    end: bool,
    console: bool,
    control: bool,
}

fn wait(
    end: &OwnedFd,
    console: &OwnedFd,
    control: Option<&std::os::unix::net::UnixStream>,
) -> Seen {
    let mut polled = vec![PollFd::new(end, PollFlags::IN), PollFd::new(console, PollFlags::IN)];
    if let Some(control) = control {
        polled.push(PollFd::from_borrowed_fd(control.as_fd(), PollFlags::IN));
    }
    let period = Timespec::try_from(PERIOD).ok();
    // An interrupted wait saw nothing, and is called again.
    let _ = rustix::event::poll(&mut polled, period.as_ref());
    let is_set =
        |idx: usize, flags| polled.get(idx).is_some_and(|it| it.revents().intersects(flags));
    Seen {
        end: is_set(0, PollFlags::IN),
        console: is_set(1, PollFlags::IN),
        control: is_set(2, PollFlags::IN | PollFlags::HUP),
    }
}

fn decode(status: i32) -> Outcome {
    if libc::WIFEXITED(status) {
        Outcome::Exited(libc::WEXITSTATUS(status))
    } else {
        Outcome::Signalled(libc::WTERMSIG(status))
    }
}

/// The last bytes of what the tree printed.
struct Console {
    bytes: Vec<u8>,
    most: usize,
}

impl Console {
    fn new(most: u64) -> Console {
        Console { bytes: vec![], most: usize::try_from(most).unwrap_or(usize::MAX) }
    }

    /// Reads once; tells whether there may be more.
    fn read(&mut self, pipe: &OwnedFd) -> bool {
        let mut buffer = [0; 64 * 1024];
        let Ok(count @ 1..) = rustix::io::read(pipe, &mut buffer) else { return false };
        self.bytes.extend_from_slice(buffer.get(..count).unwrap_or(&[]));
        // Cutting at twice the size moves each byte once on average.
        if self.bytes.len() > self.most.saturating_mul(2) {
            self.cut();
        }
        true
    }

    fn cut(&mut self) {
        let surplus = self.bytes.len().saturating_sub(self.most);
        self.bytes.drain(..surplus);
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Usage {
    resident: u64,
    /// Resident memory that is nobody's file.
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

/// The links to the files that a process has open.
pub(super) fn open_files(pid: i32) -> impl Iterator<Item = std::path::PathBuf> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).ok();
    entries.into_iter().flatten().flatten().map(|it| it.path())
}

/// The place of the tree's shared memory and temporary files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    /// In file systems and a network of its own.
    Inside,
    /// In those of the host.
    ByHost,
}

/// Memory and CPU time of a tree, read from the cheap files of `/proc`.
struct Measured {
    each: Vec<(i32, Usage)>,
    /// Memory of files and sockets.
    nobodys: u64,
    /// Lower bound of the tree's memory, whatever its processes share.
    least: u64,
    cpu: Duration,
}

impl Measured {
    /// With each shared page in each of its users.
    fn all(&self) -> u64 {
        self.nobodys + self.each.iter().map(|(_, it)| it.resident + it.bound).sum::<u64>()
    }

    /// Counts memory of the kernel as well.
    fn add(&mut self, bytes: u64) {
        self.nobodys += bytes;
        self.least += bytes;
    }

    /// With this much resident memory.
    fn with(&self, resident: u64) -> u64 {
        self.nobodys + self.each.iter().map(|(_, it)| it.bound).sum::<u64>() + resident
    }
}

/// Memory and CPU time of the tree under `first`. The memory of `payload`, which many runs share and none of them
/// can change, does not count: its forks show as much as they have of it. Reads no file for which the kernel would
/// take a lock of the process: those wait as long as the process likes.
fn measure(first: Pid, held: Held, payload: Option<i32>) -> Measured {
    let tree = tree(first);
    let cpu = cpu_of(&tree);
    let counted = tree.iter().filter(|pid| Some(**pid) != payload);
    let each = counted.map(|pid| (*pid, usage(*pid).unwrap_or_default())).collect::<Vec<_>>();
    let nobodys = match held {
        Held::Inside => temporary_files(&tree) + sockets(first),
        Held::ByHost => open_sockets(&tree),
    };
    // Of forks the largest alone is certain, and of that only what it does not have from the payload.
    let of_payload = payload.and_then(usage).map_or(0, |it| it.anonymous);
    let largest = each.iter().map(|(_, it)| it.anonymous).max().unwrap_or(0);
    let mut measured = Measured { each, nobodys, least: 0, cpu };
    measured.least = measured.with(largest.saturating_sub(of_payload));
    measured
}

/// Measures the memory that processes of a tree share. The kernel walks all pages of a process for that, under the lock
/// of its memory; so another thread asks, and until it answers the watch uses the bounds that are certain.
#[derive(Default)]
struct Shares {
    /// Since when somebody looks, and where the answer comes.
    look: Option<(Instant, Receiver<u64>)>,
    /// Looks that were given up; the thread of each ends with the process that it asks about.
    given_up: usize,
    /// Judgements in a row that found too much. One that knows nothing yet leaves them as they are: the second look
    /// may take longer than the watch waits, as the first did.
    over: usize,
    /// Whether the last judgement counts shared pages in each of their users, since nobody could tell: it decides, and
    /// is no figure to tell.
    is_guess: bool,
}

impl Shares {
    /// The most that may be said of the tree's memory by now, if that decides.
    fn judge(&mut self, seen: &Measured, most: u64) -> u64 {
        let memory = self.look(seen, most);
        if self.look.is_none() {
            self.over = if memory > most { self.over + 1 } else { 0 };
        }
        memory
    }

    /// Whether two judgements in a row found too much.
    fn is_sure(&self) -> bool {
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
            Err(RecvTimeoutError::Timeout) if since.elapsed() < PATIENCE => {
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

/// Files in `/tmp` (with every private layer) and `/dev/shm`, which lie in memory. What of them is
/// mapped counts in a process as well: shared memory without a file looks the same from here.
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

fn cpu_time(pid: i32) -> Option<Duration> {
    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program comes second, and may hold spaces and parentheses.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
    // Time in programs and in the kernel: its own, then that of children that ended and were waited for.
    let ticks: u64 = fields.by_ref().skip(11).take(4).filter_map(|it| it.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(ticks * 1000 / system::ticks_per_second()))
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

/// How often the kernel has killed for want of memory, on the whole machine.
fn kernel_kills() -> Option<u64> {
    let text = fs_err::read_to_string("/proc/vmstat").ok()?;
    text.lines().find_map(|it| it.strip_prefix("oom_kill "))?.trim().parse().ok()
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
        let seen = measure(rustix::process::getpid(), Held::ByHost, None);
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
        shares.look = Instant::now().checked_sub(PATIENCE).map(|since| (since, answer));
        assert_eq!((shares.judge(&seen, 100), shares.is_guess), (122, true));
        assert_eq!((shares.judge(&seen, 200), shares.is_guess), (122, false));
        drop(keep);
    }

    #[test]
    fn the_console_keeps_its_end() {
        let mut console = Console::new(4);
        console.bytes.extend_from_slice(b"abcdefg");
        console.cut();
        assert_eq!(console.bytes, b"defg");
    }
}
