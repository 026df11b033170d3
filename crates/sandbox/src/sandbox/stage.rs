//! The second stage: `nbc __sandbox`, one thread, an empty environment.
//!
//! Three processes come of it. The *outer* one makes the namespaces and waits. The *first* one is number 1
//! inside: it builds the view, gives up every right, starts the payload and waits for it; when it ends, the
//! kernel ends everything inside. The *payload* is the job's program.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::process::DumpableBehavior;
use rustix::thread::CapabilitySet;

use super::super::network::PROXY_PORT;
use super::failure::{
    Failure, LIMITS, LIMITS_DETAIL, NO_PARENT, Named, RIGHTS, VIEW, holds, report_failure,
};
use super::payload::{
    die_with_parent, drop_rights, probe_limits, start_payload, wait_for, wait_for_payload,
};
use super::protocol::{self, INSIDE_ID, Identity, Mode, Order, Report};
use super::seccomp::{self, Sockets, Surroundings};
use super::system::{self, Fork, NAMESPACES};
use super::trees::{self, Trees};
use super::{examine, in_place, landlock, mounts, network, supervisor};
use crate::job::{Job, Openings, Slot};
use crate::layer::Layer;

/// The step before any layer.
const START: &str = "start";

/// The second stage of the sandbox; gives the exit code.
///
/// `main` calls it before anything else when the first argument is [`crate::STAGE_ARGUMENT`].
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

fn outer(control: &UnixStream, channel: OwnedFd) -> Result<i32, Failure> {
    let started =
        rustix::process::setsid().map_err(io::Error::from).and_then(|_| die_with_parent());
    started.named(START, || "leaving the session of nbc".to_owned())?;
    let order = protocol::receive(control).named(START, || "reading the job".to_owned())?;
    let (identity, mode, temporary, mut job, secrets, slots) = match order {
        Order::Examine => return examine::answer(control),
        Order::SetUp { identity, mode, temporary, job, secrets, slots } => {
            (identity, mode, temporary, job, secrets, slots)
        }
        Order::Mapped | Order::Go | Order::Enter { .. } | Order::Clear => return Ok(NO_PARENT),
    };
    if let Some(job) = &mut job {
        secrets.hide_in(&mut job.openings).named(START, || "reading the job".to_owned())?;
    }
    let job = job.as_deref();
    match mode {
        Mode::Namespaces { needs_landlock } => {
            let Some(trees) = enter(control, identity, job, &slots)? else { return Ok(NO_PARENT) };
            start_first(control, channel, trees, needs_landlock, job, &slots)
        }
        Mode::InPlace | Mode::Bare => {
            let is_confined = mode == Mode::InPlace;
            let place = in_place::HostPayload { identity, is_confined, temporary };
            in_place::run(control, channel, &place, job)
        }
    }
}

/// Opens the parts of the host that the job sees, and makes the namespaces; `None` when nbc is gone.
fn enter(
    control: &UnixStream,
    identity: Identity,
    job: Option<&Job>,
    slots: &[Slot],
) -> Result<Option<Trees>, Failure> {
    // If the whole machine runs out of memory, the kernel should kill the notebook, not nbc. A refusal costs only that.
    drop(fs_err::write("/proc/self/oom_score_adj", "500"));

    let mounts = job.map_or(&[][..], |it| &it.mounts);
    if let Identity::Switched { .. } = identity {
        system::leave_groups().named(RIGHTS, || "leaving root's groups".to_owned())?;
    }
    // Root can open paths that the unused id cannot. A root without that right (in a container) does without.
    let opened_by_root = match identity {
        Identity::Switched { id } if may_mount() => Some(trees::open(mounts, slots, Some(id))?),
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
        return Ok(None);
    };
    if let Identity::Switched { .. } = identity {
        system::become_user(INSIDE_ID, INSIDE_ID)
            .named(RIGHTS, || "leaving the id of root".to_owned())?;
    }
    // A change of credentials forgets the signal.
    die_with_parent().named(START, || "following nbc to its end".to_owned())?;
    match opened_by_root {
        Some(trees) => Ok(Some(trees)),
        None => trees::open(mounts, slots, None).map(Some),
    }
}

/// Starts process number 1 inside, and waits for its end.
fn start_first(
    control: &UnixStream,
    channel: OwnedFd,
    trees: Trees,
    needs_landlock: bool,
    job: Option<&Job>,
    slots: &[Slot],
) -> Result<i32, Failure> {
    match system::fork().named("pid namespace", || "starting the first process".to_owned())? {
        Fork::Child => {
            let code = first(control, channel, trees, needs_landlock, job, slots);
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
    trees: Trees,
    needs_landlock: bool,
    job: Option<&Job>,
    slots: &[Slot],
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
    let mut view = mounts::enter(trees, limits, openings, slots)?;
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
    if !slots.is_empty() {
        return supervisor::run(control, channel, &mut view, job, confine);
    }
    let layers = confine(&view)?;
    // A fork of a warm process is number 3, and a number may reach a page.
    supervisor::use_up_a_number().named("pid namespace", || "counting".to_owned())?;
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
    let roots = view.slot_mounts.iter().flat_map(mounts::SlotMounts::roots);
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

/// The names of all layers, in the order in which they are reported.
pub(super) fn every_layer() -> impl Iterator<Item = &'static str> {
    let others = [VIEW, RIGHTS, landlock::NAME, seccomp::NAME, LIMITS];
    NAMESPACES.iter().map(|(_, name)| *name).chain(others)
}

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
