//! Jobs of nbc's own in the sandbox, whose answer comes back over the channel: nothing inside can write to the
//! host.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::time::Duration;

use camino::Utf8PathBuf;

use super::InstallError;
use crate::process::{Job, Limits, Mount, OnDemand, Openings, interrupt};

/// Longest that a job with packages of any size may take.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(1200);
/// Least memory: the default of a notebook may have been made smaller.
const LEAST_MEMORY: u64 = 1 << 30;

/// The sandbox for packages that are inspected by other than their own code, and its bounds.
#[derive(Clone, Copy)]
pub struct Confinement<'a> {
    /// The sandbox.
    pub sandbox: &'a OnDemand,
    /// Bounds of a run.
    pub limits: &'a Limits,
    /// Packages, by their normalized names, that may be built from source, inside.
    pub buildable: &'a BTreeSet<String>,
    /// Told before work that takes a while.
    pub say: &'a (dyn Fn(&str) + Sync),
}

impl std::fmt::Debug for Confinement<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Confinement")
            .field("buildable", self.buildable)
            .finish_non_exhaustive()
    }
}

/// A program, its mounts and its environment.
pub(super) struct Task {
    pub(super) program: Utf8PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) mounts: Vec<Mount>,
    pub(super) time_limit: Duration,
}

impl Confinement<'_> {
    /// Runs a task without network, hands it a question unless that is empty, its length first, and takes its
    /// answer; an error is built from what went wrong.
    pub(super) fn ask<T>(
        self,
        task: Task,
        question: &[u8],
        receive: impl FnOnce(&mut dyn Read) -> io::Result<T>,
        failed: impl Fn(String) -> InstallError,
    ) -> Result<T, InstallError> {
        let mut limits = self.limits.clone();
        let Task { program, arguments, environment, mounts, time_limit } = task;
        limits.wall = time_limit;
        limits.cpu = limits.cpu.max(time_limit);
        limits.memory = limits.memory.max(LEAST_MEMORY);
        let hidden = super::hidden(&mounts).map_err(|error| failed(error.to_string()))?;
        let openings = Openings { hidden, ..Openings::default() };
        let working_folder = "/tmp".into();
        let job = Job { program, arguments, environment, mounts, working_folder, limits, openings };
        let sandbox = self.sandbox.get().map_err(|error| failed(error.to_string()))?;
        let running = sandbox.start(&job).map_err(|error| failed(error.to_string()))?;
        let channel = running.channel().map_err(|error| failed(error.to_string()))?;
        let wait = Some(Duration::from_millis(100));
        channel.set_read_timeout(wait).map_err(|error| failed(error.to_string()))?;
        let received =
            tell(&channel, question).and_then(|()| receive(&mut InterruptibleReader(channel)));
        if received.is_err() {
            running.kill();
        }
        let ended = running.wait();
        if interrupt::is_requested() {
            return Err(InstallError::Interrupted);
        }
        received.map_err(|error| {
            let said = String::from_utf8_lossy(&ended.console);
            failed(format!("{error} ({:?}) {}", ended.outcome, said.trim()).trim().to_owned())
        })
    }
}

/// Hands over a question; the task reads all of it before it answers.
fn tell(mut channel: impl Write, question: &[u8]) -> io::Result<()> {
    if question.is_empty() {
        return Ok(());
    }
    let length = u32::try_from(question.len()).map_err(io::Error::other)?;
    channel.write_all(&length.to_le_bytes())?;
    channel.write_all(question)
}

/// Reads through the pauses of the other side, until an interrupt.
struct InterruptibleReader<R>(R);

impl<R: Read> Read for InterruptibleReader<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(bytes) {
                Err(error)
                    if [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut]
                        .contains(&error.kind())
                        && !interrupt::is_requested() => {}
                other => return other,
            }
        }
    }
}

/// The next number of an answer.
pub(super) fn number(channel: &mut (impl Read + ?Sized)) -> io::Result<u32> {
    let mut bytes = [0; 4];
    channel.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// The next bytes of an answer.
pub(super) fn taken(channel: &mut (impl Read + ?Sized), length: u32) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    channel.take(u64::from(length)).read_to_end(&mut bytes)?;
    if bytes.len() == length as usize {
        Ok(bytes)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
