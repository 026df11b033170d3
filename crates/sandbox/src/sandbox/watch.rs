//! Watches a confined tree until nothing of it is left: time, memory, console.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

use super::disk::Disk;
use super::kernel_memory::KernelMemory;
use super::memory::{self, FileSystems, Measured, PERIOD, Shares};
use super::processes::{cpu_of, own_time, tree};
use super::protocol::{self, Report};
use super::running::Shared;
use super::start::Stage;
use crate::job::{Ended, Limits, Outcome};

/// The niceness of the watch: it runs rarely, and before the tree.
const FIRST: i32 = -20;

/// Waits for the end of the tree, and brings it about when a limit is reached.
pub(super) fn supervise(
    stage: Stage,
    limits: Option<&Limits>,
    temporary: Option<Utf8PathBuf>,
    shared: &Shared,
    reports: Option<&Sender<SlotReport>>,
) -> Ended {
    // An ordinary user may not; then the limits hold as soon as the system lets this thread run.
    let _ = rustix::process::setpriority_process(None, FIRST);
    let mut watch = Watch::new(stage, limits, temporary, shared, reports);
    watch.until_end();
    watch.ended()
}

/// The state of the watch over one tree.
struct Watch<'a> {
    stage: Stage,
    limits: Option<&'a Limits>,
    shared: &'a Shared,
    reports: Option<&'a Sender<SlotReport>>,
    /// Memory of the kernel, where no control group counts it.
    kernel_memory: Option<KernelMemory>,
    shares: Shares,
    /// The temporary folder, if it is one of the host.
    disk: Option<Disk>,
    console: Console,
    is_control_open: bool,
    /// Status and CPU time, as the first process reported them at its end.
    report: Option<(i32, Duration)>,
    /// The limit that was reached first.
    stopped_by: Option<Outcome>,
    most_memory: u64,
    run: Run,
    /// Kills for want of memory on the whole machine, before the start.
    kills_before: Option<u64>,
    /// The process that runs are forked from, in a warm sandbox.
    payload: Option<i32>,
    measure_at: Instant,
}

/// One run of the tree. Several runs, one after the other, count each for itself.
struct Run {
    start: Instant,
    /// False between two runs. Before the first run it is true: the payload gets ready under the same limits.
    is_going: bool,
    /// CPU time of the run.
    cpu: Duration,
    /// CPU time of the tree before the run.
    cpu_before: Duration,
    /// Kills of the tree's control group before the run.
    kills_before: u64,
}

impl<'a> Watch<'a> {
    fn new(
        stage: Stage,
        limits: Option<&'a Limits>,
        temporary: Option<Utf8PathBuf>,
        shared: &'a Shared,
        reports: Option<&'a Sender<SlotReport>>,
    ) -> Self {
        // The kernel counts the tree of a group to the byte.
        let kernel_memory =
            limits.filter(|_| stage.group.is_none()).and_then(|_| KernelMemory::start(stage.first));
        let start = Instant::now();
        let (cpu, cpu_before) = (Duration::ZERO, Duration::ZERO);
        Self {
            stage,
            limits,
            shared,
            reports,
            kernel_memory,
            shares: Shares::default(),
            disk: temporary.map(Disk::new),
            console: Console::new(limits.map_or(0, |it| it.console)),
            is_control_open: true,
            report: None,
            stopped_by: None,
            most_memory: 0,
            run: Run { start, is_going: true, cpu, cpu_before, kills_before: 0 },
            kills_before: kernel_kills(),
            payload: None,
            measure_at: start,
        }
    }

    /// Watches until the second stage has ended.
    fn until_end(&mut self) {
        let pid = i32::try_from(self.stage.child.id()).ok().and_then(Pid::from_raw);
        let end = pid.and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok());
        let Some(end) = end else { return self.shared.end_tree() };
        loop {
            let control = self.is_control_open.then_some(&self.stage.control);
            let seen = wait(&end, &self.stage.console, control);
            if seen.console {
                self.console.read(&self.stage.console);
            }
            if seen.control {
                self.hear();
            }
            if seen.end {
                return;
            }
            let Some(limits) = self.limits else { continue };
            self.check_clock(limits);
            if Instant::now() >= self.measure_at {
                self.check_usage(limits);
            }
            if self.stopped_by.is_some() {
                self.shared.end_tree();
            }
        }
    }

    /// Takes one report of the second stage.
    fn hear(&mut self) {
        match protocol::receive(&self.stage.control) {
            Ok(Report::Ended { status, cpu_micros }) => {
                self.report = Some((status, Duration::from_micros(cpu_micros)));
            }
            Ok(Report::Entered) => self.begin_run(),
            Ok(Report::Cleared) => self.finish_run(),
            Ok(_) => {}
            Err(_) => self.is_control_open = false,
        }
    }

    fn begin_run(&mut self) {
        self.drain();
        self.console.bytes.clear();
        let tree = tree(self.stage.first);
        self.payload = self.payload.or_else(|| tree.get(1).copied());
        self.most_memory = 0;
        self.run = Run {
            start: Instant::now(),
            is_going: true,
            cpu: Duration::ZERO,
            cpu_before: cpu_of(&tree),
            kills_before: self.stage.kills(),
        };
        tell(self.reports, SlotReport::Entered);
    }

    fn finish_run(&mut self) {
        self.drain();
        self.console.cut();
        self.run.is_going = false;
        let cpu = cpu_of(&tree(self.stage.first)).saturating_sub(self.run.cpu_before);
        self.run.cpu = cpu.max(self.run.cpu);
        let console = std::mem::take(&mut self.console.bytes);
        // The kernel may have ended the fork before the watch could see why.
        let outcome = match self.has_kernel_stopped() {
            true => Outcome::OutOfMemory,
            false => Outcome::Exited(0),
        };
        let (cpu, memory) = (self.run.cpu, self.most_memory);
        tell(self.reports, SlotReport::Cleared(Ended { outcome, console, cpu, memory }));
    }

    /// Whether the kernel has killed a process of the tree's group in this run.
    fn has_kernel_killed(&self) -> bool {
        self.stage.kills() > self.run.kills_before
    }

    /// Whether such a kill ends the run.
    fn has_kernel_stopped(&self) -> bool {
        self.has_kernel_killed() && !self.has_states()
    }

    /// Whether the run is over but for its states, which have time of their own: each is lost by itself.
    fn has_states(&self) -> bool {
        !self.shared.extra()[0].is_zero()
    }

    /// Whether a limit may still decide the outcome.
    fn is_undecided(&self) -> bool {
        self.stopped_by.is_none() && self.report.is_none()
    }

    fn check_clock(&mut self, limits: &Limits) {
        let wall = limits.wall.saturating_add(self.shared.extra()[0]);
        if self.is_undecided() && self.run.is_going && self.run.start.elapsed() >= wall {
            self.stopped_by = Some(Outcome::TimedOut);
        }
    }

    /// Measures the tree, and compares it with its limits.
    fn check_usage(&mut self, limits: &Limits) {
        let used = own_time();
        let seen = self.measure();
        if self.run.is_going {
            self.run.cpu = self.run.cpu.max(seen.cpu.saturating_sub(self.run.cpu_before));
        }
        let memory = self.judge(&seen, limits.memory);
        let told = if self.shares.is_guess { seen.least } else { memory };
        self.most_memory = self.most_memory.max(told);
        if self.is_undecided() {
            self.stopped_by = self.excess(limits, memory);
        }
        // A tree of hundreds takes a while to measure; the watch must not eat what it guards. Time in which a busy
        // machine lets it wait eats nothing, and must not make it look away.
        self.measure_at = Instant::now() + PERIOD.max(own_time().saturating_sub(used) * 4);
    }

    fn measure(&self) -> Measured {
        let file_systems = if self.disk.is_some() { FileSystems::Host } else { FileSystems::Own };
        let mut seen = memory::measure(self.stage.first, file_systems, self.payload);
        seen.add(self.kernel_memory.as_ref().map_or(0, KernelMemory::bytes));
        seen
    }

    /// The limit that the run goes beyond, if there is one; `memory` is that of the last look.
    fn excess(&mut self, limits: &Limits, memory: u64) -> Option<Outcome> {
        // The kernel kills one process, and the notebook may be another one.
        if self.has_kernel_stopped() {
            return Some(Outcome::OutOfMemory);
        }
        if self.run.is_going && self.run.cpu > limits.cpu.saturating_add(self.shared.extra()[1]) {
            return Some(Outcome::OutOfCpuTime);
        }
        if memory > limits.memory && self.holds_more_again(limits.memory) {
            return Some(Outcome::OutOfMemory);
        }
        let first = self.stage.first;
        let is_full = self.disk.as_mut()?.holds_more_than(limits.temporary, first);
        is_full.then_some(Outcome::OutOfDisk)
    }

    /// Whether a second look finds more than `most` as well: forks and exits between two reads can count a page twice.
    fn holds_more_again(&mut self, most: u64) -> bool {
        if self.shares.is_sure() {
            return true;
        }
        let seen = self.measure();
        self.judge(&seen, most) > most
    }

    /// The memory to hold against the limit. With a control group the kernel counts what processes share, so that the
    /// watch only looks at what is certain.
    fn judge(&mut self, seen: &Measured, most: u64) -> u64 {
        if self.stage.group.is_some() { seen.least } else { self.shares.judge(seen, most) }
    }

    /// Reads all that the console holds now.
    fn drain(&mut self) {
        while self.console.read(&self.stage.console) {}
    }

    /// The outcome, once the second stage has ended.
    fn ended(mut self) -> Ended {
        drop(self.stage.child.wait());
        let has_group = self.stage.group.is_some();
        let by_group = self.has_kernel_killed();
        if let Some(group) = self.stage.group.take().filter(|_| by_group) {
            self.most_memory = self.most_memory.max(group.peak());
        }
        // Every writer is dead, so what is left in the pipe is all there will be.
        self.drain();
        if self.is_control_open && self.report.is_none() {
            self.report = match protocol::receive(&self.stage.control) {
                Ok(Report::Ended { status, cpu_micros }) => {
                    Some((status, Duration::from_micros(cpu_micros)))
                }
                _ => None,
            };
        }
        let outcome = self.outcome(by_group);
        // The CPU time of all runs together says nothing about the last one.
        let report = self.report.filter(|_| self.reports.is_none());
        let cpu = report.map_or(self.run.cpu, |(_, it)| it.max(self.run.cpu));
        let outcome = self.explained(outcome, cpu, has_group);
        self.console.cut();
        Ended { outcome, console: self.console.bytes, cpu, memory: self.most_memory }
    }

    fn outcome(&mut self, by_group: bool) -> Outcome {
        let is_killed = self.shared.killed.load(Ordering::SeqCst);
        match (self.stopped_by.take(), self.report) {
            (Some(limit), _) => limit,
            // States whose processes the kernel ended are lost, and the run is whole.
            (None, Some((0, _))) if self.has_states() && !is_killed => Outcome::Exited(0),
            // nbc gives up a run that breaks off in the middle, and the kernel may have ended it.
            _ if by_group => Outcome::OutOfMemory,
            _ if is_killed => Outcome::Killed,
            (None, Some((status, _))) => decode(status),
            // The first process itself was killed, and not by nbc.
            (None, None) => Outcome::Signalled(libc::SIGKILL),
        }
    }

    /// The limit behind a signal, if one is.
    fn explained(&self, outcome: Outcome, cpu: Duration, has_group: bool) -> Outcome {
        let extra = self.shared.extra()[1];
        match outcome {
            Outcome::Signalled(libc::SIGXCPU) => Outcome::OutOfCpuTime,
            Outcome::Signalled(libc::SIGKILL)
                if self.limits.is_some_and(|it| cpu > it.cpu.saturating_add(extra)) =>
            {
                Outcome::OutOfCpuTime
            }
            // Without a control group of its own, nbc can only guess which process the kernel killed.
            Outcome::Signalled(libc::SIGKILL)
                if !has_group && kernel_kills() > self.kills_before =>
            {
                Outcome::OutOfMemory
            }
            other => other,
        }
    }
}

impl Stage {
    /// Number of processes that the kernel has killed in the group of the tree.
    fn kills(&self) -> u64 {
        self.group.as_ref().map_or(0, super::group::Group::kills)
    }
}

/// Report that an order about a slot was carried out.
pub(super) enum SlotReport {
    /// The slot is attached, and its run counts from here.
    Entered,
    /// The run is over, with its outcome and resources.
    Cleared(Ended),
}

fn tell(reports: Option<&Sender<SlotReport>>, what: SlotReport) {
    // If nobody waits any longer, the sandbox was given up.
    drop(reports.map(|it| it.send(what)));
}

struct ReadyDescriptors {
    end: bool,
    console: bool,
    control: bool,
}

fn wait(
    end: &OwnedFd,
    console: &OwnedFd,
    control: Option<&std::os::unix::net::UnixStream>,
) -> ReadyDescriptors {
    let mut polled = vec![PollFd::new(end, PollFlags::IN), PollFd::new(console, PollFlags::IN)];
    if let Some(control) = control {
        polled.push(PollFd::from_borrowed_fd(control.as_fd(), PollFlags::IN));
    }
    let period = Timespec::try_from(PERIOD).ok();
    // An interrupted wait saw nothing, and is called again.
    let _ = rustix::event::poll(&mut polled, period.as_ref());
    let is_set =
        |idx: usize, flags| polled.get(idx).is_some_and(|it| it.revents().intersects(flags));
    ReadyDescriptors {
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

/// The last bytes that the tree printed.
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

/// Number of processes that the kernel has killed for want of memory, on the whole machine.
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
