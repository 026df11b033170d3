//! Watches a confined tree until nothing of it is left: time, memory, console.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

use super::super::{Ended, Limits, Outcome};
use super::census::Census;
use super::disk::Disk;
use super::memory::{Held, PERIOD, Shares, measure};
use super::processes::{cpu_of, own_time, tree};
use super::protocol::{self, Report};
use super::{Shared, Stage};

/// The niceness of the watch, which runs little, and before what it watches.
const FIRST: i32 = -20;

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

/// How often the kernel has killed for want of memory, on the whole machine.
fn kernel_kills() -> Option<u64> {
    let text = fs_err::read_to_string("/proc/vmstat").ok()?;
    text.lines().find_map(|it| it.strip_prefix("oom_kill "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_keeps_its_end() {
        let mut console = Console::new(4);
        console.bytes.extend_from_slice(b"abcdefg");
        console.cut();
        assert_eq!(console.bytes, b"defg");
    }
}
