//! Confinement on Linux: [`Sandbox`] starts a job so that it sees only what the job names.
//!
//! nbc executes itself again as a second stage ([`stage`]), because namespaces must be made by a process with
//! one thread. This file is nbc's side: it starts the stage, watches time and memory, and ends the whole tree.

mod census;
mod descriptors;
mod disk;
mod examine;
mod failure;
mod group;
mod in_place;
mod keeper;
mod landlock;
mod memory;
mod mounts;
mod network;
mod payload;
mod processes;
mod protocol;
mod seccomp;
mod stage;
mod system;
mod trees;
mod warm;
mod watch;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::process::{Pid, PidfdFlags, Signal};

use super::network::{Proxy, Reach};
use super::{
    Ended, Isolation, Job, Layer, Outcome, Relocation, Room, STAGE_ARGUMENT, SandboxError, Traffic,
};
use protocol::{Identity, Mode, Order, Report, Revealed, Subject};

pub use examine::examine;
pub use stage::sandbox_main;
pub use warm::{Stay, Warm};

/// The set-up takes milliseconds; only a host that hangs takes this long.
const SET_UP_TIME: Duration = Duration::from_secs(30);

/// A decision how notebook code runs, with every layer that holds, or does not.
#[derive(Debug, Clone)]
pub struct Sandbox {
    launcher: Utf8PathBuf,
    identity: Identity,
    mode: Mode,
    layers: Vec<Layer>,
    way_out: String,
}

impl Sandbox {
    /// Finds out, by setting one up, what can be had here of what `isolation` asks for.
    ///
    /// # Errors
    /// The first layer that cannot be had, why, and the way out.
    pub fn confined(isolation: Isolation) -> Result<Sandbox, SandboxError> {
        // The link stays right when the file is replaced by an update in the middle of a build.
        Sandbox::confined_with(isolation, Utf8Path::new("/proc/self/exe"))
    }

    /// Like [`Sandbox::confined`], with another executable as the second stage: tests are no `nbc`.
    ///
    /// # Errors
    /// As [`Sandbox::confined`].
    pub fn confined_with(
        isolation: Isolation,
        launcher: &Utf8Path,
    ) -> Result<Sandbox, SandboxError> {
        if let Isolation::None(_) = isolation {
            return Sandbox::attempt(launcher, own_identity(), Mode::Bare)
                .map(|it| it.lacking(&Cause::Wish));
        }
        let identity = choose_identity()?;
        let all = Mode::Namespaces { needs_landlock: true };
        let full = match Sandbox::attempt(launcher, identity, all) {
            Err(full) if isolation == Isolation::BestEffort => full,
            result => return result,
        };
        let cause = Cause::of(&full);
        if matches!(&full, SandboxError::LayerRefused { layer, .. } if layer == landlock::NAME) {
            let without = Mode::Namespaces { needs_landlock: false };
            if let Ok(sandbox) = Sandbox::attempt(launcher, identity, without) {
                return Ok(sandbox.lacking(&cause));
            }
        }
        match Sandbox::attempt(launcher, identity, Mode::InPlace) {
            Ok(sandbox) => Ok(sandbox.lacking(&cause)),
            Err(least) => {
                Err(SandboxError::NothingHolds { full: Box::new(full), least: Box::new(least) })
            }
        }
    }

    fn attempt(
        launcher: &Utf8Path,
        identity: Identity,
        mode: Mode,
    ) -> Result<Sandbox, SandboxError> {
        let mut sandbox = Sandbox {
            launcher: launcher.to_owned(),
            identity,
            mode,
            layers: vec![],
            way_out: String::new(),
        };
        let running = sandbox.launch(None, Relocation::nowhere(), Vec::new(), None)?;
        sandbox.layers.clone_from(&running.layers);
        drop(running.wait());
        Ok(sandbox)
    }

    /// Adds the layers that do not hold, each with the reason.
    fn lacking(mut self, cause: &Cause) -> Sandbox {
        self.layers = stage::every_layer()
            .map(|name| {
                let held = self.layers.iter().find(|it| it.name == name).cloned();
                let detail = || match cause {
                    Cause::Wish => "not asked for".to_owned(),
                    Cause::Refusal { layer, reason, .. } if layer == name => reason.clone(),
                    Cause::Refusal { layer, .. } => format!("not used without the {layer}"),
                };
                held.unwrap_or_else(|| Layer {
                    name: name.to_owned(),
                    active: false,
                    detail: detail(),
                })
            })
            .collect();
        if let Cause::Refusal { way_out, .. } = cause {
            self.way_out.clone_from(way_out);
        }
        self
    }

    /// How to get the layers that do not hold; empty when all do, or when nobody wanted them.
    #[must_use]
    pub fn way_out(&self) -> &str {
        &self.way_out
    }

    /// The layers, those that hold and those that do not.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Whether runs see the host's own files, as a user that owns none of them.
    #[must_use]
    pub fn is_other_user_on_host(&self) -> bool {
        self.mode.is_on_host() && matches!(self.identity, Identity::Switched { .. })
    }

    /// Starts a job, and comes back when its program runs.
    ///
    /// # Errors
    /// A mount or the program is not what the job says, or the host changed its mind about a layer.
    pub fn start(&self, job: &Job) -> Result<Running, SandboxError> {
        let relocation = self.relocate(job)?;
        self.launch(Some(relocation.job(job)), relocation, Vec::new(), None)
    }

    fn relocate(&self, job: &Job) -> Result<Relocation, SandboxError> {
        if !self.mode.is_on_host() {
            return Ok(Relocation::nowhere());
        }
        for (wish, is_asked_for) in [
            ("--allow-net", !job.openings.hosts.is_empty()),
            ("--secret", !job.openings.files.is_empty()),
        ] {
            if is_asked_for {
                return Err(SandboxError::NeedsNamespaces { wish });
            }
        }
        let relocation =
            Relocation::onto_host(job).map_err(failed("finding a place for temporary files"))?;
        if let Identity::Switched { .. } = self.identity {
            for mount in &job.mounts {
                check_readable(&mount.host)?;
            }
        }
        Ok(relocation)
    }

    fn launch(
        &self,
        job: Option<Job>,
        relocation: Relocation,
        rooms: Vec<Room>,
        news: Option<mpsc::Sender<watch::News>>,
    ) -> Result<Running, SandboxError> {
        let shared = Arc::new(Shared::default());
        let (say, hear) = mpsc::channel();
        let mut sandbox = self.clone();
        sandbox.identity = self.identity.of_next_run();
        let temporary = relocation.temporary().map(Utf8Path::to_owned);
        let shared_there = Arc::clone(&shared);
        // The kernel ends the second stage with the thread that started it, so that thread has to wait for it.
        let supervisor = std::thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(move || {
                let (job, temporary_there) = (job.as_ref(), temporary.as_deref());
                match start_stage(&sandbox, job, rooms, temporary_there, &shared_there) {
                    Err(error) => {
                        shared_there.end_network();
                        drop(say.send(Err(error)));
                        None
                    }
                    Ok((stage, channel, layers)) => {
                        drop(say.send(Ok((channel, layers))));
                        let limits = job.map(|it| &it.limits);
                        let news = news.as_ref();
                        let ended = watch::supervise(stage, limits, temporary, &shared_there, news);
                        shared_there.end_network();
                        Some(ended)
                    }
                }
            })
            .map_err(failed("starting a thread"))?;
        let gone = || failed("its thread ended")(io::ErrorKind::BrokenPipe.into());
        let (channel, mut layers) = hear.recv().map_err(|_| gone())??;
        layers.extend(self.layers.iter().filter(|it| !it.active).cloned());
        Ok(Running { channel, layers, relocation, shared, supervisor: Some(supervisor) })
    }
}

/// Why layers do not hold.
enum Cause {
    /// The user wants none.
    Wish,
    /// The host refuses one of them.
    Refusal { layer: String, reason: String, way_out: String },
}

impl Cause {
    fn of(error: &SandboxError) -> Cause {
        match error {
            SandboxError::LayerRefused { layer, step, way_out, source } => Cause::Refusal {
                layer: layer.clone(),
                reason: format!("{step} failed: {source}"),
                way_out: way_out.clone(),
            },
            other => Cause::Refusal {
                layer: String::new(),
                reason: String::new(),
                way_out: other.to_string(),
            },
        }
    }
}

/// A user that owns nothing can read a file that all may read, below folders that all may enter.
fn check_readable(path: &Utf8Path) -> Result<(), SandboxError> {
    let refuse = || SandboxError::NotReadable { path: path.to_owned() };
    let mode = |path: &Utf8Path| fs_err::metadata(path).map(|it| it.mode()).map_err(|_| refuse());
    let needed = if path.is_dir() { 0o005 } else { 0o004 };
    if mode(path)? & needed != needed {
        return Err(refuse());
    }
    for folder in path.ancestors().skip(1).filter(|it| !it.as_str().is_empty()) {
        if mode(folder)? & 0o001 == 0 {
            return Err(SandboxError::NotReadable { path: folder.to_owned() });
        }
    }
    Ok(())
}

/// A confined process. Dropping it kills the whole tree.
#[derive(Debug)]
pub struct Running {
    channel: UnixStream,
    layers: Vec<Layer>,
    relocation: Relocation,
    shared: Arc<Shared>,
    supervisor: Option<JoinHandle<Option<Ended>>>,
}

impl Running {
    /// This end of the private socket that the program holds as descriptor 3.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn channel(&self) -> io::Result<UnixStream> {
        self.channel.try_clone()
    }

    /// The layers of this process, those that hold and those that do not.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// A map from paths of the job to paths of this process.
    #[must_use]
    pub fn relocation(&self) -> &Relocation {
        &self.relocation
    }

    /// Kills the whole tree; [`Running::wait`] tells the rest.
    pub fn kill(&self) {
        self.shared.kill();
    }

    /// A handle that can kill the tree from another thread.
    #[must_use]
    pub fn killer(&self) -> Killer {
        Killer { shared: Arc::clone(&self.shared) }
    }

    /// A view of what the process asks for on the network, that outlives it.
    #[must_use]
    pub fn watch_network(&self) -> NetworkWatch {
        NetworkWatch { shared: Arc::clone(&self.shared) }
    }

    /// Waits until nothing of the tree is left.
    #[must_use]
    pub fn wait(mut self) -> Ended {
        let ended = self.supervisor.take().and_then(|it| it.join().ok()).flatten();
        ended.unwrap_or_else(|| Ended {
            outcome: Outcome::Killed,
            console: vec![],
            cpu: Duration::ZERO,
            memory: 0,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(supervisor) = self.supervisor.take() {
            self.shared.kill();
            drop(supervisor.join());
        }
    }
}

/// Kills a [`Running`] from another thread; does nothing once it has ended.
#[derive(Debug, Clone)]
pub struct Killer {
    shared: Arc<Shared>,
}

impl Killer {
    /// Lets the tree take more time than its limits say.
    pub fn allow(&self, wall: Duration, cpu: Duration) {
        for (extra, more) in self.shared.extra.iter().zip([wall, cpu]) {
            let more = u64::try_from(more.as_millis()).unwrap_or(u64::MAX);
            extra.store(more, Ordering::SeqCst);
        }
    }

    /// Kills the whole tree.
    pub fn kill(&self) {
        self.shared.kill();
    }
}

/// Tells what a [`Running`] asked for on the network.
#[derive(Debug, Clone)]
pub struct NetworkWatch {
    shared: Arc<Shared>,
}

impl NetworkWatch {
    /// Requests of the run so far; empty when it has no network.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.shared.proxy.get().map(Proxy::traffic).unwrap_or_default()
    }
}

/// State shared by the supervisor and the handles.
#[derive(Debug, Default)]
struct Shared {
    /// The first process inside. A descriptor, because a number may mean someone else by then.
    first: OnceLock<OwnedFd>,
    /// The socket of a stage without namespaces: it ends the tree when the socket closes.
    control: OnceLock<UnixStream>,
    /// The socket on which the first process of a warm sandbox receives orders.
    orders: OnceLock<UnixStream>,
    killed: AtomicBool,
    /// Milliseconds that it may take beyond its limits: by the clock, and of CPU time.
    extra: [AtomicU64; 2],
    /// The proxy between the run and the hosts that it may reach.
    proxy: OnceLock<Proxy>,
}

impl Shared {
    /// Time beyond the limits: by the clock, and of CPU.
    fn extra(&self) -> [Duration; 2] {
        self.extra.each_ref().map(|it| Duration::from_millis(it.load(Ordering::SeqCst)))
    }

    fn kill(&self) {
        self.killed.store(true, Ordering::SeqCst);
        self.end_network();
        self.end_tree();
    }

    fn end_network(&self) {
        if let Some(proxy) = self.proxy.get() {
            proxy.stop();
        }
    }

    fn end_tree(&self) {
        // The only refusal is that it is gone already.
        if let Some(control) = self.control.get() {
            let _ = control.shutdown(std::net::Shutdown::Both);
        } else if let Some(first) = self.first.get() {
            let _ = rustix::process::pidfd_send_signal(first, Signal::KILL);
        }
    }
}

/// The second stage, running, as its supervisor holds it.
struct Stage {
    child: Child,
    /// The process under which the whole tree is.
    first: Pid,
    control: UnixStream,
    console: OwnedFd,
    /// The control group of the tree, if there is one.
    group: Option<group::Group>,
}

/// Has the kernel end a tool when nbc is gone, however that came about.
pub(super) fn end_with_nbc(command: &mut Command) {
    system::before_exec(command, payload::die_with_parent);
}

/// Ends the second stage when the start stops half way.
struct Unless(Option<Child>);

impl Drop for Unless {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn failed(step: &'static str) -> impl Fn(io::Error) -> SandboxError {
    move |source| SandboxError::StageFailed { step, console: String::new(), source }
}

/// nbc itself, as the second stage: with nothing of nbc's own environment.
fn stage_command(launcher: &Utf8Path) -> Command {
    #[expect(clippy::disallowed_methods, reason = "this is the module that starts processes")]
    let mut command = Command::new(launcher);
    command.arg0("nbc").arg(STAGE_ARGUMENT).env_clear().current_dir("/");
    command
}

fn start_stage(
    sandbox: &Sandbox,
    job: Option<&Job>,
    rooms: Vec<Room>,
    temporary: Option<&Utf8Path>,
    shared: &Shared,
) -> Result<(Stage, UnixStream, Vec<Layer>), SandboxError> {
    let (control, its_control) = UnixStream::pair().map_err(failed("making a socket"))?;
    let (channel, its_channel) = UnixStream::pair().map_err(failed("making a socket"))?;
    let (console, its_console) = io::pipe().map_err(failed("making a pipe"))?;
    let console = OwnedFd::from(console);
    if let Identity::Switched { id } = sandbox.identity {
        // A program may open `/dev/stdout`, which only the owner of the pipe can. It can do without.
        let (user, group) = (rustix::fs::Uid::from_raw(id), rustix::fs::Gid::from_raw(id));
        let _ = rustix::fs::fchown(&console, Some(user), Some(group));
    }
    rustix::io::ioctl_fionbio(&console, true).map_err(|it| failed("making a pipe")(it.into()))?;
    for way in [UnixStream::set_read_timeout, UnixStream::set_write_timeout] {
        way(&control, Some(SET_UP_TIME)).map_err(failed("making a socket"))?;
    }
    let mut command = stage_command(&sandbox.launcher);
    command
        .stdin(OwnedFd::from(its_control))
        .stdout(OwnedFd::from(its_channel))
        .stderr(Stdio::from(its_console));
    let has_rooms = !rooms.is_empty();
    let mut group =
        job.and_then(|it| group::Group::make(&warm::counted(&it.limits, has_rooms)).ok());
    // It waits for its first order, so nothing of the tree is counted elsewhere.
    let started = group::Group::start(&mut group, &mut command);
    let mut child = Unless(Some(started.map_err(failed("executing nbc again"))?));
    // It owns the other ends, which must close when the second stage ends.
    drop(command);

    let said_nothing = |source| SandboxError::StageFailed {
        step: "the second stage went away",
        console: last_words(&console),
        source,
    };
    let (identity, mode) = (sandbox.identity, sandbox.mode);
    let temporary = temporary.map(Utf8Path::to_owned);
    let secrets = job.map_or_else(Revealed::default, |it| Revealed::of(&it.openings));
    let job_there = job.cloned().map(Box::new);
    let setup = Order::SetUp { identity, mode, temporary, job: job_there, secrets, rooms };
    protocol::send(&control, &setup).map_err(said_nothing)?;
    let mut first = None;
    if mode.is_on_host() {
        let handle = control.try_clone().map_err(failed("making a socket"))?;
        drop(shared.control.set(handle));
        first = child.0.as_ref().and_then(|it| Pid::from_raw(i32::try_from(it.id()).ok()?));
    }
    loop {
        match protocol::receive(&control).map_err(said_nothing)? {
            Report::Unshared => {
                let Some(Ok(pid)) = child.0.as_ref().map(|it| i32::try_from(it.id())) else {
                    continue;
                };
                write_id_maps(pid, identity)
                    .map_err(|source| refused("user namespace", "writing its id map", source))?;
                protocol::send(&control, &Order::Mapped).map_err(said_nothing)?;
            }
            Report::First { pid } => {
                let Some(pid) = Pid::from_raw(pid) else { continue };
                let opened = rustix::process::pidfd_open(pid, PidfdFlags::empty());
                let opened = opened.map_err(|it| {
                    refused("pid namespace", "holding its first process", it.into())
                })?;
                drop(shared.first.set(opened));
                first = Some(pid);
                protocol::send(&control, &Order::Go).map_err(said_nothing)?;
            }
            Report::Listening => {
                let hosts = job.map_or_else(Vec::new, |it| it.openings.hosts.clone());
                let proxy =
                    network::take(&control).and_then(|it| Proxy::start(it, hosts, Reach::Named));
                let proxy = proxy
                    .map_err(|source| refused("network namespace", "opening the proxy", source))?;
                drop(shared.proxy.set(proxy));
            }
            Report::Failed { subject, step, errno } => {
                return Err(explain(subject, step, io::Error::from_raw_os_error(errno), job));
            }
            Report::Ready { mut layers } => {
                let gone = || said_nothing(io::ErrorKind::BrokenPipe.into());
                let (first, child) = (first.ok_or_else(gone)?, child.0.take().ok_or_else(gone)?);
                if has_rooms {
                    let handle = control.try_clone().map_err(failed("making a socket"))?;
                    drop(shared.orders.set(handle));
                }
                if group.as_ref().is_some_and(group::Group::is_told) {
                    count_by_kernel(&mut layers);
                }
                return Ok((Stage { child, first, control, console, group }, channel, layers));
            }
            Report::Ended { .. } | Report::Examined { .. } | Report::Entered | Report::Cleared => {
                return Err(said_nothing(io::ErrorKind::InvalidData.into()));
            }
        }
    }
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

fn write_id_maps(pid: i32, identity: Identity) -> io::Result<()> {
    let (uid, gid) = match identity {
        Identity::Own { uid, gid } => (uid, gid),
        Identity::Switched { id } => (id, id),
    };
    let inside = protocol::INSIDE_ID;
    fs_err::write(format!("/proc/{pid}/setgroups"), "deny")?;
    fs_err::write(format!("/proc/{pid}/uid_map"), format!("{inside} {uid} 1\n"))?;
    fs_err::write(format!("/proc/{pid}/gid_map"), format!("{inside} {gid} 1\n"))
}

/// The user who runs nbc.
fn own_identity() -> Identity {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    Identity::Own { uid, gid }
}

/// Notebook code is never the host's root, not even one without rights: root owns `/proc/sys`.
fn choose_identity() -> Result<Identity, SandboxError> {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    // In a user namespace "root" may be an ordinary user of the host; then the owner here is "nobody".
    let is_host_root =
        uid == 0 && fs_err::metadata("/proc/sys/kernel").map_or(true, |it| it.uid() == 0);
    if !is_host_root {
        return Ok(Identity::Own { uid, gid });
    }
    let unused =
        unused_id().map_err(|it| refused(failure::RIGHTS, "finding an unused user id", it))?;
    Ok(Identity::Switched { id: unused })
}

/// Above the ids of users, services and containers.
const UNUSED_IDS: u32 = 1_800_000_000;
/// Ids that each nbc has for its runs: the processes of one must not end with those of another.
const RUNS_AT_ONCE: u32 = 32;

impl Identity {
    /// An id for one run, where there are enough of them.
    fn of_next_run(self) -> Identity {
        static NEXT: AtomicU32 = AtomicU32::new(0);

        match self {
            Identity::Switched { id } if id >= UNUSED_IDS => {
                let next = NEXT.fetch_add(1, Ordering::Relaxed) % RUNS_AT_ONCE;
                Identity::Switched { id: id + next }
            }
            other => other,
        }
    }
}

/// The first of the ids of this nbc alone.
fn unused_id() -> io::Result<u32> {
    let wanted = UNUSED_IDS + (std::process::id() % 4_000_000) * RUNS_AT_ONCE;
    let mut highest = None;
    for file in ["/proc/self/uid_map", "/proc/self/gid_map"] {
        let text = fs_err::read_to_string(file)?;
        let last = text
            .lines()
            .filter_map(|line| {
                let mut numbers = line.split_whitespace().map(str::parse::<u32>);
                let (first, count) = (numbers.next()?.ok()?, numbers.nth(1)?.ok()?);
                first.checked_add(count)?.checked_sub(1)
            })
            .max();
        highest = Some(highest.map_or(last, |it: Option<u32>| it.min(last))).flatten().map(Some);
    }
    match highest.flatten() {
        Some(highest) if highest > 0 => Ok(wanted.min(highest.saturating_sub(RUNS_AT_ONCE).max(1))),
        _ => Err(io::Error::other("this user namespace has one id, that of root")),
    }
}

fn explain(subject: Subject, step: String, source: io::Error, job: Option<&Job>) -> SandboxError {
    match subject {
        Subject::Layer(layer) => refused(&layer, &step, source),
        Subject::Mount(path) => SandboxError::MountRefused { path: path.into(), step, source },
        Subject::Program => {
            let program = job.map(|it| it.program.clone()).unwrap_or_default();
            SandboxError::ProgramRefused { program, source }
        }
    }
}

fn refused(layer: &str, step: &str, source: io::Error) -> SandboxError {
    let way_out = way_out(layer, source.raw_os_error().unwrap_or(0)).to_owned();
    SandboxError::LayerRefused { layer: layer.to_owned(), step: step.to_owned(), way_out, source }
}

/// The cause, as far as the answer of the kernel tells it, and what to do.
fn way_out(layer: &str, errno: i32) -> &'static str {
    match (layer, errno) {
        ("user namespace", libc::ENOSPC | libc::EUSERS) => {
            "user namespaces are switched off or used up here; `sudo sysctl -w user.max_user_namespaces=15000` allows them"
        }
        ("user namespace" | "mount namespace" | failure::VIEW, libc::EPERM | libc::EACCES) => {
            "this host forbids user namespaces, or forbids to mount in them. \
             On Ubuntu 24.04 and later (AppArmor): `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, \
             or an AppArmor profile for nbc that allows `userns`. \
             On Debian: `sudo sysctl -w kernel.unprivileged_userns_clone=1`. \
             In Docker: `--security-opt seccomp=PROFILE` with a profile that allows `unshare`, `mount` and `pivot_root`"
        }
        (failure::VIEW, libc::ENOSYS | libc::EINVAL | libc::ENODEV) => {
            "the kernel is too old, or was built without overlay or tmpfs; nbc needs Linux 5.12 or later"
        }
        (landlock::ALONE, _) => {
            "where namespaces are refused, Landlock has to keep the user's files from being cut short, \
             which it can from Linux 6.2; run by root, Linux 5.13 will do"
        }
        (landlock::NAME, _) => {
            "the kernel has no Landlock, or does not use it; nbc needs Linux 5.13 or later, \
             with `landlock` in the list `lsm=` of its command line"
        }
        (seccomp::NAME, _) => {
            "the kernel was built without system call filters, or an outer filter forbids more of them"
        }
        (failure::RIGHTS, _) => {
            "run nbc as an ordinary user, or as a root that may change to another user"
        }
        _ => "the kernel refused it",
    }
}
