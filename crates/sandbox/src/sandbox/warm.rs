//! nbc's side of a sandbox whose payload is forked for one notebook after the other: see `supervisor.rs`.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use super::protocol::{self, Order};
use super::refusal::failed;
use super::running::{Killer, Running};
use super::watch::SlotReport;
use super::{Sandbox, descriptors};
use crate::error::SandboxError;
use crate::job::{Ended, Job, Slot};
use crate::layer::Layer;
use crate::relocation::Relocation;

/// Longest time for an order: attaching takes a millisecond, clearing at most as long as the first process tries.
const ORDER_TIME: Duration = Duration::from_secs(10);

impl Sandbox {
    /// Whether [`Sandbox::start_warm`] can be asked for: it takes a view of its own.
    #[must_use]
    pub fn has_slots(&self) -> bool {
        !self.mode.is_on_host()
    }

    /// Starts a job whose program is forked once for each of these slots, of which one at a time is attached. The
    /// program itself finds none.
    ///
    /// # Errors
    /// The same as [`Sandbox::start`]; or the host shows no list of processes.
    pub fn start_warm(&self, job: &Job, slots: Vec<Slot>) -> Result<Warm, SandboxError> {
        let is_closed = job.openings.hosts.is_empty()
            && job.openings.files.is_empty()
            && job.openings.variables.is_empty();
        if !self.has_slots() || !is_closed || slots.is_empty() {
            return Err(failed("a warm start is not for this job")(
                io::ErrorKind::InvalidInput.into(),
            ));
        }
        let (say, reports) = mpsc::channel();
        let running = self.launch(Some(job.clone()), Relocation::nowhere(), slots, Some(say))?;
        Ok(Warm { running, reports })
    }
}

/// A confined process that waits to be forked. Dropping it kills the whole tree.
#[derive(Debug)]
pub struct Warm {
    running: Running,
    reports: Receiver<SlotReport>,
}

impl std::fmt::Debug for SlotReport {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SlotReport")
    }
}

impl Warm {
    /// The conversation with the process that is forked.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn channel(&self) -> io::Result<UnixStream> {
        self.running.channel()
    }

    /// Passes one end of a socket to that process; gives the other one.
    ///
    /// # Errors
    /// It is gone.
    pub fn open_channel(&self) -> io::Result<UnixStream> {
        let (ours, theirs) = UnixStream::pair()?;
        descriptors::pass(&self.running.channel, theirs.as_fd())?;
        Ok(ours)
    }

    /// Attaches a slot; limits count from here. Each can be entered once.
    ///
    /// # Errors
    /// The sandbox is gone, or does not answer.
    pub fn enter(&self, slot: usize) -> io::Result<AttachedSlot<'_>> {
        self.killer().allow(Duration::ZERO, Duration::ZERO);
        match self.order(&Order::Enter { slot })? {
            SlotReport::Entered => Ok(AttachedSlot { warm: self }),
            SlotReport::Cleared(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn order(&self, order: &Order) -> io::Result<SlotReport> {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        protocol::send(self.running.shared.orders.get().ok_or_else(gone)?, order)?;
        self.reports.recv_timeout(ORDER_TIME).map_err(|_| gone())
    }

    /// The layers of this process, those that hold and those that do not.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        self.running.layers()
    }

    /// A map from paths of the job to paths of this process.
    #[must_use]
    pub fn relocation(&self) -> &Relocation {
        self.running.relocation()
    }

    /// A handle that can kill the tree from another thread.
    #[must_use]
    pub fn killer(&self) -> Killer {
        self.running.killer()
    }

    /// Waits until nothing of the tree is left.
    #[must_use]
    pub fn wait(self) -> Ended {
        self.running.wait()
    }
}

/// A slot that is attached, until it is cleared.
#[derive(Debug)]
pub struct AttachedSlot<'a> {
    warm: &'a Warm,
}

impl AttachedSlot<'_> {
    /// Ends every process but the one that is forked, and detaches the slot; gives the outcome of its run.
    ///
    /// # Errors
    /// The sandbox is gone, or cannot be trusted any longer.
    pub fn clear(self) -> io::Result<Ended> {
        match self.warm.order(&Order::Clear)? {
            SlotReport::Cleared(ended) => Ok(ended),
            SlotReport::Entered => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}
