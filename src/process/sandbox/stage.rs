//! The second stage: `nbc __sandbox`, one thread, an empty environment.
//!
//! Three processes come of it. The *outer* one makes the namespaces and waits. The *first* one is number 1
//! inside: it builds the view, gives up every right, starts the payload and waits for it; when it ends, the
//! kernel ends everything inside. The *payload* is the job's program.

use std::ffi::CString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::process::{DumpableBehavior, Signal, WaitOptions};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::super::network::PROXY_PORT;
use super::super::{Job, Layer, Limits, Openings, Room};
use super::mounts::{self, INSIDE_ID, VIEW};
use super::protocol::{self, Identity, Mode, Order, Report, Subject};
use super::seccomp::{self, Sockets, Surroundings};
use super::system::{self, Fork, NAMESPACES};
use super::{examine, in_place, keeper, landlock, network};

/// The layer of user ids and capabilities.
pub(super) const RIGHTS: &str = "no privileges";
pub(super) const LIMITS: &str = "resource limits";
/// The exit code when nbc itself is gone, or something else stands on the other end.
pub(super) const NO_PARENT: i32 = 70;

/// The step at which the set-up stopped, and why.
pub(super) struct Failure {
    pub(super) subject: Subject,
    pub(super) step: String,
    pub(super) source: io::Error,
}

/// Names the layer that an error belongs to.
pub(super) trait Named<T> {
    fn named(self, layer: &str, step: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T> Named<T> for io::Result<T> {
    fn named(self, layer: &str, step: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|source| Failure {
            subject: Subject::Layer(layer.to_owned()),
            step: step(),
            source,
        })
    }
}

/// The second stage of the sandbox; gives the exit code.
///
/// `main` calls it before anything else when the first argument is [`super::super::STAGE_ARGUMENT`].
pub fn sandbox_main() -> i32 {
    let Ok((control, channel)) = system::claim_descriptors() else { return NO_PARENT };
    let control = UnixStream::from(control);
    match outer(&control, channel) {
        Ok(code) => code,
        Err(failure) => {
            report_failure(&control, failure);
            NO_PARENT
        }
    }
}

pub(super) fn report_failure(control: &UnixStream, failure: Failure) {
    let errno = errno_of(&failure.source);
    let report = Report::Failed { subject: failure.subject, step: failure.step, errno };
    // Without a listener there is nobody to tell.
    drop(protocol::send(control, &report));
}

/// The kernel's answer behind an error, or the nearest one to what the error says.
pub(super) fn errno_of(error: &io::Error) -> i32 {
    let errno = error.raw_os_error().or_else(|| {
        // An error of fs_err wraps the one of the kernel.
        let inner = error.get_ref()?.source()?;
        inner.downcast_ref::<io::Error>()?.raw_os_error()
    });
    errno.unwrap_or(match error.kind() {
        io::ErrorKind::NotFound => libc::ENOENT,
        io::ErrorKind::PermissionDenied => libc::EACCES,
        io::ErrorKind::NotADirectory => libc::ENOTDIR,
        io::ErrorKind::InvalidInput => libc::EINVAL,
        _ => libc::EIO,
    })
}

fn outer(control: &UnixStream, channel: OwnedFd) -> Result<i32, Failure> {
    const START: &str = "start";
    let started =
        rustix::process::setsid().map_err(io::Error::from).and_then(|_| die_with_parent());
    started.named(START, || "leaving the session of nbc".to_owned())?;
    let order = protocol::receive(control).named(START, || "reading the job".to_owned())?;
    let (identity, mode, temporary, mut job, secrets, rooms) = match order {
        Order::Examine => return examine::answer(control),
        Order::SetUp { identity, mode, temporary, job, secrets, rooms } => {
            (identity, mode, temporary, job, secrets, rooms)
        }
        Order::Mapped | Order::Go | Order::Enter { .. } | Order::Clear => return Ok(NO_PARENT),
    };
    if let Some(job) = &mut job {
        secrets.hide_in(&mut job.openings).named(START, || "reading the job".to_owned())?;
    }
    let needs_landlock = match mode {
        Mode::Namespaces { needs_landlock } => needs_landlock,
        Mode::InPlace | Mode::Bare => {
            let is_confined = mode == Mode::InPlace;
            let place = in_place::Place { identity, is_confined, temporary };
            return in_place::run(control, channel, &place, job.as_deref());
        }
    };
    // If the whole machine runs out of memory, the kernel should kill the notebook, not nbc. A refusal costs only that.
    drop(fs_err::write("/proc/self/oom_score_adj", "500"));

    let mounts = job.as_ref().map_or(&[][..], |it| &it.mounts);
    if let Identity::Switched { .. } = identity {
        system::leave_groups().named(RIGHTS, || "leaving root's groups".to_owned())?;
    }
    // Root can open paths that the unused id cannot. A root without that right (in a container) does without.
    let opened_by_root = match identity {
        Identity::Switched { id } if may_mount() => Some(mounts::open(mounts, &rooms, Some(id))?),
        _ => None,
    };
    enter_namespaces()?;
    // The id maps in /proc belong to a dumpable process only.
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)
        .map_err(io::Error::from)
        .named("user namespace", || "staying readable for nbc".to_owned())?;
    protocol::send(control, &Report::Unshared).named(START, || "reporting".to_owned())?;
    let Order::Mapped =
        protocol::receive(control).named(START, || "reading the answer".to_owned())?
    else {
        return Ok(NO_PARENT);
    };
    if let Identity::Switched { .. } = identity {
        system::become_user(INSIDE_ID, INSIDE_ID)
            .named(RIGHTS, || "leaving the id of root".to_owned())?;
    }
    // A change of credentials forgets the signal.
    die_with_parent().named(START, || "following nbc to its end".to_owned())?;
    let trees = match opened_by_root {
        Some(trees) => trees,
        None => mounts::open(mounts, &rooms, None)?,
    };

    match system::fork().named("pid namespace", || "starting the first process".to_owned())? {
        Fork::Child => {
            let job = job.as_deref();
            let code = first(control, channel, trees, needs_landlock, job, &rooms);
            Ok(code.unwrap_or_else(|failure| {
                report_failure(control, failure);
                NO_PARENT
            }))
        }
        Fork::Parent(child) => {
            // The payload's end of stream must reach nbc, so nobody else may hold its socket.
            drop((channel, trees));
            let report = Report::First { pid: child.as_raw_nonzero().get() };
            protocol::send(control, &report).named(START, || "reporting".to_owned())?;
            wait_for(child).named(START, || "waiting".to_owned())?;
            Ok(0)
        }
    }
}

fn may_mount() -> bool {
    let sets = rustix::thread::capabilities(None);
    sets.is_ok_and(|it| it.effective.contains(CapabilitySet::SYS_ADMIN))
}

/// The kernel kills this process when nbc is gone, however that came about.
pub(super) fn die_with_parent() -> io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?)
}

pub(super) fn wait_for(child: rustix::process::Pid) -> io::Result<i32> {
    loop {
        match rustix::process::waitpid(Some(child), WaitOptions::empty()) {
            Ok(Some((_, status))) => return Ok(status.as_raw()),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn enter_namespaces() -> Result<(), Failure> {
    let all = NAMESPACES.iter().fold(0, |flags, (flag, _)| flags | flag);
    let Err(source) = system::unshare(all) else { return Ok(()) };
    // One call for all is fastest; the single calls are made only to learn which one is refused.
    for (flag, name) in NAMESPACES {
        system::unshare(flag).named(name, || "making it".to_owned())?;
    }
    Err(source).named("user namespace", || "making all namespaces at once".to_owned())
}

/// Process number 1 inside, to the end of the run.
fn first(
    control: &UnixStream,
    channel: OwnedFd,
    trees: mounts::Trees,
    needs_landlock: bool,
    job: Option<&Job>,
    rooms: &[Room],
) -> Result<i32, Failure> {
    die_with_parent().named("pid namespace", || "following nbc to its end".to_owned())?;
    // nbc holds a descriptor of this process once it says so; should it die before, the read fails.
    let order =
        protocol::receive(control).named("pid namespace", || "reading the answer".to_owned())?;
    let Order::Go = order else { return Ok(NO_PARENT) };

    let probe = probe_limits();
    let limits = job.map_or(&probe, |it| &it.limits);
    let nothing = Openings::default();
    let openings = job.map_or(&nothing, |it| &it.openings);
    let has_network = !openings.hosts.is_empty();
    if has_network {
        network::open(control).named("network namespace", || "opening the proxy".to_owned())?;
    }
    let mut view = mounts::enter(trees, limits, openings, rooms)?;
    rustix::system::sethostname(b"notebook")
        .and_then(|()| rustix::system::setdomainname(b""))
        .map_err(io::Error::from)
        .named("uts namespace", || "naming the host".to_owned())?;
    // The addresses in `<Thing object at 0x7f…>` reach pages, and same inputs must give same bytes.
    // A notebook's own process has nothing to hide from the notebook.
    system::fix_addresses();
    let sockets = if has_network { Sockets::Tcp } else { Sockets::Unix };
    let port = has_network.then_some(PROXY_PORT);
    let confine = |view: &mounts::View| confine(view, port, sockets, needs_landlock);
    let Some(job) = job else {
        let layers = confine(&view)?;
        protocol::send(control, &Report::Ready { layers })
            .named(LIMITS, || "reporting".to_owned())?;
        return Ok(0);
    };
    if !rooms.is_empty() {
        return keeper::keep(control, channel, &mut view, job, confine);
    }
    let layers = confine(&view)?;
    // A fork of a warm process is number 3, and a number may reach a page.
    keeper::use_up_a_number().named("pid namespace", || "counting".to_owned())?;
    let payload = start_payload(job, &channel)?;
    drop(channel);
    protocol::send(control, &Report::Ready { layers }).named(LIMITS, || "reporting".to_owned())?;
    let status = wait_for_payload(payload).named(LIMITS, || "waiting".to_owned())?;
    let report = Report::Ended { status, cpu_micros: system::children_cpu_micros() };
    protocol::send(control, &report).named(LIMITS, || "reporting".to_owned())?;
    Ok(0)
}

/// Gives up every right, and enters Landlock and the filters; gives the layers that hold.
fn confine(
    view: &mounts::View,
    port: Option<u16>,
    sockets: Sockets,
    needs_landlock: bool,
) -> Result<Vec<Layer>, Failure> {
    drop_rights().named(RIGHTS, || "giving up capabilities".to_owned())?;
    let roots = view.furniture.iter().flat_map(mounts::Furniture::roots);
    let landlock = landlock::restrict(&view.writable, roots, port)
        .named(landlock::NAME, || "restricting files, ports and signals".to_owned());
    let landlock = match landlock {
        Err(failure) if needs_landlock => return Err(failure),
        other => other.ok(),
    };
    seccomp::restrict(Surroundings::Own(sockets))
        .named(seccomp::NAME, || "loading the filters".to_owned())?;
    let mut layers = layers(view, landlock.as_deref());
    if port.is_some() {
        let namespace = layers.iter_mut().find(|it| it.name == "network namespace");
        namespace.into_iter().for_each(|it| it.detail = network::DETAIL.to_owned());
    }
    Ok(layers)
}

pub(super) fn probe_limits() -> Limits {
    const SMALL: u64 = 1024 * 1024;
    Limits {
        wall: std::time::Duration::from_secs(10),
        cpu: std::time::Duration::from_secs(10),
        memory: 64 * SMALL,
        processes: 8,
        open_files: 64,
        file_size: SMALL,
        temporary: SMALL,
        console: SMALL,
    }
}

/// Gives up what this process may do beyond its user.
fn drop_rights() -> io::Result<()> {
    shrink_bounding_set()?;
    forget_capabilities()
}

/// Takes from root the right to pass capabilities on to programs.
pub(super) fn shrink_bounding_set() -> io::Result<()> {
    for capability in CapabilitySet::all().iter() {
        // The kernel may know fewer than rustix; those beyond its last are nobody's.
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// No capability now, and none to come from any program.
pub(super) fn forget_capabilities() -> io::Result<()> {
    rustix::thread::clear_ambient_capability_set()?;
    let nothing = CapabilitySet::empty();
    let sets = CapabilitySets { effective: nothing, permitted: nothing, inheritable: nothing };
    rustix::thread::set_capabilities(None, sets)?;
    rustix::thread::set_no_new_privs(true)?;
    die_with_parent()?;
    // The payload has the same user, and must not read this process by way of /proc.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// The names of all layers, in the order in which they are reported.
pub(super) fn every_layer() -> impl Iterator<Item = &'static str> {
    let others = [VIEW, RIGHTS, landlock::NAME, seccomp::NAME, LIMITS];
    NAMESPACES.iter().map(|(_, name)| *name).chain(others)
}

/// A layer that holds.
pub(super) fn holds(name: &str, detail: &str) -> Layer {
    Layer { name: name.to_owned(), active: true, detail: detail.to_owned() }
}

/// Detail of the limits, which hold at every level of isolation.
pub(super) const LIMITS_DETAIL: &str =
    "time, memory of the tree (measured every 25 ms), processes, files, temporary disk";

fn layers(view: &mounts::View, landlock: Option<&str>) -> Vec<Layer> {
    let mut layers = NAMESPACES.iter().map(|(_, name)| holds(name, "")).collect::<Vec<_>>();
    let process_list =
        if view.has_process_list { "" } else { "without `/proc`: the host covers its own" };
    layers.push(holds(VIEW, process_list));
    layers.push(holds(RIGHTS, "no capabilities, no new privileges, not the host's root"));
    layers.extend(landlock.map(|detail| holds(landlock::NAME, detail)));
    layers.push(holds(seccomp::NAME, "a list of refused calls, then a list of allowed ones"));
    layers.push(holds(LIMITS, LIMITS_DETAIL));
    layers
}

/// Starts the program, and comes back when it truly runs.
fn start_payload(job: &Job, channel: &OwnedFd) -> Result<rustix::process::Pid, Failure> {
    let failed = |source| Failure { subject: Subject::Program, step: String::new(), source };
    let (mut broken, say_broken) = io::pipe().map_err(failed)?;
    let payload = match system::fork().map_err(failed)? {
        Fork::Child => {
            // The same bound as for a fork of a warm process; the fork itself is the one more.
            let error = become_payload(job, channel, job.limits.processes + 1);
            let errno = error.raw_os_error().unwrap_or(libc::EIO);
            drop((&say_broken).write_all(&errno.to_le_bytes()));
            system::exit_now(NO_PARENT);
        }
        Fork::Parent(payload) => payload,
    };
    drop(say_broken);
    let mut errno = Vec::new();
    broken.read_to_end(&mut errno).map_err(failed)?;
    match <[u8; 4]>::try_from(errno) {
        Ok(errno) => Err(failed(io::Error::from_raw_os_error(i32::from_le_bytes(errno)))),
        // The pipe was closed by the exec.
        Err(_) => Ok(payload),
    }
}

pub(super) fn become_payload(job: &Job, channel: &OwnedFd, processes: u32) -> io::Error {
    match prepare_payload(job, channel, processes) {
        Ok(program) => execute(&program),
        Err(error) => error,
    }
}

/// A program with its arguments and its environment.
pub(super) type Program = (CString, Vec<CString>, Vec<CString>);

/// Turns this process into the program; comes back only with an error.
pub(super) fn execute((program, arguments, environment): &Program) -> io::Error {
    system::execute(program, arguments, environment)
}

/// Sets everything of this process that the job decides, but for the program itself. The kernel counts the
/// processes of a user, so `processes` has to include those that are none of the run's.
pub(super) fn prepare_payload(job: &Job, channel: &OwnedFd, processes: u32) -> io::Result<Program> {
    rustix::process::setsid()?;
    rustix::process::chdir(job.working_folder.as_str())?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    rustix::io::fcntl_setfd(channel.as_fd(), rustix::io::FdFlags::empty())?;
    let program = CString::new(job.program.as_str())?;
    let mut arguments = vec![program.clone()];
    for argument in &job.arguments {
        arguments.push(CString::new(argument.as_str())?);
    }
    let mut environment = vec![CString::new("NBC_CHANNEL=3")?];
    for (name, value) in job.environment.iter().filter(|(name, _)| *name != "NBC_CHANNEL") {
        environment.push(CString::new(format!("{name}={value}"))?);
    }
    for (name, value) in &job.openings.variables {
        let pair = [name.as_bytes(), b"=", value.reveal()].concat();
        environment.push(CString::new(pair)?);
    }
    system::reset_signals()?;
    set_limits(&job.limits, processes)?;
    Ok((program, arguments, environment))
}

fn set_limits(limits: &Limits, processes: u32) -> io::Result<()> {
    for (resource, value) in [
        // The outer and the first process are of the same user, and count.
        (libc::RLIMIT_NPROC, u64::from(processes) + 2),
        // It counts address space of every thread's stack, so it stands well above the limit that nbc watches.
        (libc::RLIMIT_DATA, limits.memory.saturating_mul(4)),
        (libc::RLIMIT_FSIZE, limits.file_size),
        (libc::RLIMIT_NOFILE, u64::from(limits.open_files)),
        // A second line behind the watch, should nbc itself be stopped.
        (libc::RLIMIT_CPU, limits.cpu.as_secs().saturating_add(2)),
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_MSGQUEUE, 0),
        (libc::RLIMIT_SIGPENDING, 1024),
        (libc::RLIMIT_MEMLOCK, 64 * 1024),
        (libc::RLIMIT_RTPRIO, 0),
        (libc::RLIMIT_NICE, 0),
    ] {
        system::limit(resource, value)?;
    }
    Ok(())
}

/// Collects everyone who ends inside, until it is the payload; then the kernel ends the others.
fn wait_for_payload(payload: rustix::process::Pid) -> io::Result<i32> {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == payload => return Ok(status.as_raw()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
