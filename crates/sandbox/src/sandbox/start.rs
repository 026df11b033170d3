//! The start of the second stage, as nbc's side sees it: from an executable to a program that runs in its sandbox.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use camino::Utf8Path;
use rustix::process::{Pid, PidfdFlags};

use super::super::network::{Proxy, Reach};
use super::group::Group;
use super::identity::write_id_maps;
use super::protocol::{self, Identity, Mode, Order, Report, Revealed};
use super::refusal::{explain, failed, refused};
use super::running::Shared;
use super::{failure, network};
use crate::error::SandboxError;
use crate::job::{Job, Limits, Slot};
use crate::layer::{Layer, STAGE_ARGUMENT};

/// Longest time for the set-up, which takes milliseconds unless the host hangs.
pub(super) const SET_UP_TIME: Duration = Duration::from_secs(30);

/// The second stage, running.
pub(super) struct Stage {
    pub(super) child: Child,
    /// The root process of the whole tree.
    pub(super) first: Pid,
    pub(super) control: UnixStream,
    pub(super) console: OwnedFd,
    /// The control group of the tree, if there is one.
    pub(super) group: Option<Group>,
}

/// Starts the second stage, and comes back when the program of the job runs, or the set-up is over without a job.
pub(super) fn start(launch: Launch<'_>, shared: &Shared) -> Result<Started, SandboxError> {
    let Launch { identity, mode, job, .. } = launch;
    let has_slots = !launch.slots.is_empty();
    let (mut starting, channel) = Starting::spawn(&launch, has_slots)?;
    let secrets = job.map_or_else(Revealed::default, |it| Revealed::of(&it.openings));
    let setup = Order::SetUp {
        identity,
        mode,
        temporary: launch.temporary.map(Utf8Path::to_owned),
        job: job.cloned().map(Box::new),
        secrets,
        slots: launch.slots,
    };
    starting.send(&setup)?;
    if mode.is_on_host() {
        drop(shared.control.set(starting.handle()?));
        starting.first = starting.number().and_then(Pid::from_raw);
    }
    let mut layers = starting.until_ready(identity, job, shared)?;
    let gone = io::ErrorKind::BrokenPipe;
    let first = starting.first.ok_or_else(|| starting.went_away(gone.into()))?;
    if has_slots {
        drop(shared.orders.set(starting.handle()?));
    }
    if starting.group.as_ref().is_some_and(Group::is_told) {
        count_by_kernel(&mut layers);
    }
    let Some(child) = starting.child.0.take() else { return Err(starting.went_away(gone.into())) };
    let Starting { control, console, group, .. } = starting;
    Ok((Stage { child, first, control, console, group }, channel, layers))
}

/// The second stage, nbc's end of the payload's socket, and the layers that hold.
pub(super) type Started = (Stage, UnixStream, Vec<Layer>);

/// Everything that decides how the second stage is started.
pub(super) struct Launch<'a> {
    pub(super) launcher: &'a Utf8Path,
    pub(super) identity: Identity,
    pub(super) mode: Mode,
    pub(super) job: Option<&'a Job>,
    pub(super) slots: Vec<Slot>,
    pub(super) temporary: Option<&'a Utf8Path>,
}

/// The second stage before it is ready.
struct Starting {
    child: KillOnDrop,
    /// The root process of the whole tree, once it is known.
    first: Option<Pid>,
    group: Option<Group>,
    console: OwnedFd,
    control: UnixStream,
}

impl Starting {
    /// Executes nbc again; gives nbc's end of the payload's socket, too.
    fn spawn(launch: &Launch<'_>, has_slots: bool) -> Result<(Self, UnixStream), SandboxError> {
        let (control, its_control) = UnixStream::pair().map_err(failed("making a socket"))?;
        let (channel, its_channel) = UnixStream::pair().map_err(failed("making a socket"))?;
        let (console, its_console) = io::pipe().map_err(failed("making a pipe"))?;
        let console = OwnedFd::from(console);
        if let Identity::Switched { id } = launch.identity {
            // A program may open `/dev/stdout`, which only the owner of the pipe can. It can do without.
            let (user, group) = (rustix::fs::Uid::from_raw(id), rustix::fs::Gid::from_raw(id));
            let _ = rustix::fs::fchown(&console, Some(user), Some(group));
        }
        rustix::io::ioctl_fionbio(&console, true)
            .map_err(|it| failed("making a pipe")(it.into()))?;
        for way in [UnixStream::set_read_timeout, UnixStream::set_write_timeout] {
            way(&control, Some(SET_UP_TIME)).map_err(failed("making a socket"))?;
        }
        let mut command = stage_command(launch.launcher);
        command
            .stdin(OwnedFd::from(its_control))
            .stdout(OwnedFd::from(its_channel))
            .stderr(Stdio::from(its_console));
        let limits = launch.job.map(|it| counted(&it.limits, has_slots));
        let mut group = limits.and_then(|it| Group::make(&it).ok());
        // It waits for its first order, so nothing of the tree is counted elsewhere.
        let started = Group::start(&mut group, &mut command);
        let child = KillOnDrop(Some(started.map_err(failed("executing nbc again"))?));
        // It owns the other ends, which must close when the second stage ends.
        drop(command);
        Ok((Self { child, first: None, group, console, control }, channel))
    }

    /// The number of the second stage's process.
    fn number(&self) -> Option<i32> {
        i32::try_from(self.child.0.as_ref()?.id()).ok()
    }

    /// Another handle of the socket for orders.
    fn handle(&self) -> Result<UnixStream, SandboxError> {
        self.control.try_clone().map_err(failed("making a socket"))
    }

    fn send(&self, order: &Order) -> Result<(), SandboxError> {
        protocol::send(&self.control, order).map_err(|it| self.went_away(it))
    }

    fn went_away(&self, source: io::Error) -> SandboxError {
        SandboxError::StageFailed {
            step: "the second stage went away",
            console: last_words(&self.console),
            source,
        }
    }

    /// Answers reports until the set-up is over; gives the layers that hold.
    fn until_ready(
        &mut self,
        identity: Identity,
        job: Option<&Job>,
        shared: &Shared,
    ) -> Result<Vec<Layer>, SandboxError> {
        loop {
            match protocol::receive(&self.control).map_err(|it| self.went_away(it))? {
                Report::Unshared => self.map_ids(identity)?,
                Report::First { pid } => self.hold_first(pid, shared)?,
                Report::Listening => self.open_proxy(job, shared)?,
                Report::Failed { subject, step, errno } => {
                    return Err(explain(subject, step, io::Error::from_raw_os_error(errno), job));
                }
                Report::Ready { layers } => return Ok(layers),
                Report::Ended { .. }
                | Report::Examined { .. }
                | Report::Entered
                | Report::Cleared => {
                    return Err(self.went_away(io::ErrorKind::InvalidData.into()));
                }
            }
        }
    }

    fn map_ids(&self, identity: Identity) -> Result<(), SandboxError> {
        let Some(pid) = self.number() else { return Ok(()) };
        write_id_maps(pid, identity)
            .map_err(|source| refused("user namespace", "writing its id map", source))?;
        self.send(&Order::Mapped)
    }

    fn hold_first(&mut self, pid: i32, shared: &Shared) -> Result<(), SandboxError> {
        let Some(pid) = Pid::from_raw(pid) else { return Ok(()) };
        let opened = rustix::process::pidfd_open(pid, PidfdFlags::empty());
        let opened = opened
            .map_err(|it| refused("pid namespace", "holding its first process", it.into()))?;
        drop(shared.first.set(opened));
        self.first = Some(pid);
        self.send(&Order::Go)
    }

    fn open_proxy(&self, job: Option<&Job>, shared: &Shared) -> Result<(), SandboxError> {
        let hosts = job.map_or_else(Vec::new, |it| it.openings.hosts.clone());
        let proxy =
            network::take(&self.control).and_then(|it| Proxy::start(it, hosts, Reach::Named));
        let proxy =
            proxy.map_err(|source| refused("network namespace", "opening the proxy", source))?;
        drop(shared.proxy.set(proxy));
        Ok(())
    }
}

/// The second stage while it starts: dropping it, when the start stops half way, kills the process.
struct KillOnDrop(Option<Child>);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// nbc itself, as the second stage: with nothing of nbc's own environment.
pub(super) fn stage_command(launcher: &Utf8Path) -> Command {
    #[expect(clippy::disallowed_methods, reason = "this is the module that starts processes")]
    let mut command = Command::new(launcher);
    command.arg0("nbc").arg(STAGE_ARGUMENT).env_clear().current_dir("/");
    command
}

/// Limits for the control group of a sandbox: pages that a fork has changed exist twice.
fn counted(limits: &Limits, has_slots: bool) -> Limits {
    let mut limits = limits.clone();
    if has_slots {
        limits.memory = limits.memory.saturating_add(limits.memory / 4);
        limits.processes = limits.processes.saturating_add(1);
    }
    limits
}

fn count_by_kernel(layers: &mut [Layer]) {
    if let Some(limits) = layers.iter_mut().find(|it| it.name == failure::LIMITS) {
        limits.detail =
            "time, memory of the tree (a control group, and measured every 25 ms), processes, \
                         files, temporary disk"
                .to_owned();
    }
}

fn last_words(console: &OwnedFd) -> String {
    let mut bytes = [0; 2048];
    let read = rustix::io::read(console, &mut bytes).unwrap_or(0);
    let text = String::from_utf8_lossy(bytes.get(..read).unwrap_or(&[]));
    if text.trim().is_empty() { String::new() } else { format!("\n{}", text.trim_end()) }
}
