//! The first process of a warm sandbox: it attaches one slot after the other for the forks of its payload.
//!
//! It keeps the right to mount in its own namespaces, which the payload never has. It reads nothing but nbc's
//! socket and the numbers of processes, and nobody inside can signal, trace or read it: it is number 1 of its
//! namespace, and not dumpable. A message that it does not understand ends it, and with it everything inside.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use rustix::process::{DumpableBehavior, Pid, Signal, WaitOptions};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::failure::{Failure, LIMITS, NO_PARENT, Named, RIGHTS, VIEW, report_failure};
use super::mounts::{SlotMounts, View};
use super::payload::{become_payload, die_with_parent, wait_for};
use super::protocol::{self, Order, Report};
use super::system::{self, Fork, Settings};
use crate::job::Job;
use crate::layer::Layer;

/// Time in which the remaining processes of a notebook have to die; after it, the whole sandbox is killed.
const CLEARING_TIME: Duration = Duration::from_secs(5);
/// Process numbers that are taken: the first process, and the payload after it.
const OWN_NUMBERS: i32 = 2;

/// Starts the payload, and carries out nbc's orders until the payload or nbc is gone.
pub(super) fn run(
    control: &UnixStream,
    channel: OwnedFd,
    view: &mut View,
    job: &Job,
    confine: impl Fn(&View) -> Result<Vec<Layer>, Failure>,
) -> Result<i32, Failure> {
    let needed = || io::Error::from(io::ErrorKind::Unsupported);
    if !view.has_process_list {
        return Err(needed()).named(VIEW, || "showing `/proc`".to_owned());
    }
    let processes = view.processes.take().ok_or_else(needed);
    let processes = processes.named(VIEW, || "keeping a list of processes".to_owned())?;
    let ended = system::watch_children().named(LIMITS, || "watching children".to_owned())?;
    // The payload gives up its rights by itself, which takes a right as well.
    let rights = CapabilitySet::SYS_ADMIN | CapabilitySet::SYS_PTRACE;
    keep_rights(rights | CapabilitySet::SETPCAP)
        .named(RIGHTS, || "giving up capabilities".to_owned())?;
    let forked = system::fork().named("pid namespace", || "starting the payload".to_owned())?;
    let payload = match forked {
        Fork::Child => {
            let confined = confine(view).and_then(|layers| {
                protocol::send(control, &Report::Ready { layers })
                    .named(LIMITS, || "reporting".to_owned())
            });
            match confined {
                // The first process is one more than others have, and so is the payload itself.
                Ok(()) => drop(become_payload(job, &channel, job.limits.processes + 1)),
                Err(failure) => report_failure(control, failure),
            }
            system::exit_now(NO_PARENT);
        }
        Fork::Parent(payload) => payload,
    };
    keep_rights(rights).named(RIGHTS, || "giving up capabilities".to_owned())?;
    drop(channel);
    let slot_mounts = std::mem::take(&mut view.slot_mounts).into_iter().map(Some).collect();
    let mut supervisor =
        Supervisor { payload, processes, ended, slot_mounts, present: None, settings: None };
    let status = supervisor.serve(control).named(VIEW, || "attaching slots".to_owned())?;
    let report = Report::Ended { status, cpu_micros: system::children_cpu_micros() };
    protocol::send(control, &report).named(LIMITS, || "reporting".to_owned())?;
    Ok(0)
}

/// Uses up a process number, so that the next process has another one.
pub(super) fn use_up_a_number() -> io::Result<()> {
    match system::fork()? {
        Fork::Child => system::exit_now(0),
        Fork::Parent(child) => wait_for(child).map(drop),
    }
}

/// Mounting takes one right, and seeing all processes another one; both in this user namespace only.
fn keep_rights(kept: CapabilitySet) -> io::Result<()> {
    rustix::thread::clear_ambient_capability_set()?;
    let sets =
        CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets)?;
    rustix::thread::set_no_new_privs(true)?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // A change of credentials forgets the signal.
    die_with_parent()
}

struct Supervisor {
    payload: Pid,
    processes: OwnedFd,
    /// Readable when a child has ended.
    ended: OwnedFd,
    slot_mounts: Vec<Option<SlotMounts>>,
    present: Option<SlotMounts>,
    /// Settings of the payload that any process of this user could change, as they were before the first run.
    settings: Option<Settings>,
}

impl Supervisor {
    /// Gives the payload's wait status.
    fn serve(&mut self, control: &UnixStream) -> io::Result<i32> {
        loop {
            if let Some(status) = self.collect()? {
                return Ok(status);
            }
            let mut polled =
                [PollFd::new(control, PollFlags::IN), PollFd::new(&self.ended, PollFlags::IN)];
            match rustix::event::poll(&mut polled, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let [order, _] = polled.map(|it| !it.revents().is_empty());
            if !order {
                continue;
            }
            match protocol::receive(control)? {
                Order::Enter { slot } => {
                    self.enter(slot)?;
                    protocol::send(control, &Report::Entered)?;
                }
                Order::Clear => {
                    self.clear()?;
                    protocol::send(control, &Report::Cleared)?;
                }
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }

    /// Collects every child that has ended; gives the status of the payload if it is among them.
    fn collect(&self) -> io::Result<Option<i32>> {
        system::forget_signals(self.ended.as_fd());
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.payload => return Ok(Some(status.as_raw())),
                Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn enter(&mut self, slot: usize) -> io::Result<()> {
        let slot_mounts = self.slot_mounts.get_mut(slot).and_then(Option::take);
        let (Some(slot_mounts), None) = (slot_mounts, &self.present) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        slot_mounts.attach()?;
        self.present = Some(slot_mounts);
        if self.settings.is_none() {
            self.settings = Some(Settings::of(self.payload)?);
        }
        // Each notebook finds its process under the same number. Where that cannot be had, it does not matter.
        drop(self.write_setting("sys/kernel/ns_last_pid", OWN_NUMBERS));
        Ok(())
    }

    fn write_setting(&self, name: &str, value: i32) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.processes, name, flags, Mode::empty())?;
        rustix::io::write(file, value.to_string().as_bytes())?;
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + CLEARING_TIME;
        loop {
            if self.collect()?.is_some() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let others = self.others()?;
            if others.is_empty() {
                break;
            }
            for pid in others {
                // A process that is gone needs no signal.
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
            // A notebook may have stopped it, and it has to collect its forks.
            let _ = rustix::process::kill_process(self.payload, Signal::CONT);
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let pause = Timespec { tv_sec: 0, tv_nsec: 300_000 };
            let _ =
                rustix::event::poll(&mut [PollFd::new(&self.ended, PollFlags::IN)], Some(&pause));
        }
        if let Some(slot_mounts) = self.present.take() {
            slot_mounts.detach()?;
        }
        // Limits and schedules of other processes are no secret of theirs: a notebook can set those of the payload.
        if self.settings.is_some() && self.settings != Some(Settings::of(self.payload)?) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(())
    }

    /// All processes but this one and the payload.
    fn others(&self) -> io::Result<Vec<Pid>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let listing = rustix::fs::openat(&self.processes, c".", flags, Mode::empty())?;
        let mut others = vec![];
        for entry in rustix::fs::Dir::new(listing)? {
            let entry = entry?;
            let number = entry.file_name().to_str().ok().and_then(|it| it.parse::<i32>().ok());
            let pid = number.filter(|it| *it > 1).and_then(Pid::from_raw);
            others.extend(pid.filter(|it| *it != self.payload));
        }
        Ok(others)
    }
}
