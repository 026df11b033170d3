//! Without namespaces: the payload runs among the host's own files, behind Landlock and seccomp, or, if
//! the user asks for that by name, behind nothing but limits.
//!
//! The outer process stays free of both, and is the parent of the payload and of every orphan: when the
//! payload is over, or nbc is gone, it ends whatever is left and removes the temporary folder.
//!
//! The payload confines itself before it becomes the job's program, because a rule of Landlock for a file of
//! its own in `/proc` holds for the process that made it.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};

use super::failure::{self, Failure, LIMITS, LIMITS_DETAIL, NO_PARENT, Named, RIGHTS, holds};
use super::landlock::Readable;
use super::protocol::{self, Identity, Report, Subject};
use super::seccomp::{self, Surroundings};
use super::system::{self, Fork};
use super::{landlock, payload, processes};
use crate::job::Job;
use crate::layer::Layer;
use crate::names::path_of;

/// The identity, confinement and temporary folder of a payload without namespaces.
pub(super) struct HostPayload {
    pub(super) identity: Identity,
    /// Whether Landlock and seccomp hold; false when the user wants limits only.
    pub(super) is_confined: bool,
    pub(super) temporary: Option<Utf8PathBuf>,
}

/// How often orphans that ended are collected.
const PERIOD: Duration = Duration::from_millis(200);
/// Longest time for killing a tree: one that still grows would have to fork faster than it is killed.
const LONGEST_SWEEP: Duration = Duration::from_secs(20);

/// The outer process, to the end of the run; gives the exit code.
pub(super) fn run(
    control: &UnixStream,
    channel: OwnedFd,
    place: &HostPayload,
    job: Option<&Job>,
) -> Result<i32, Failure> {
    // This process has to outlive nbc, to end the others. It sees nbc's end on the socket.
    rustix::process::set_parent_process_death_signal(None)
        .and_then(|()| rustix::process::set_child_subreaper(Some(rustix::process::getpid())))
        .map_err(io::Error::from)
        .named(LIMITS, || "becoming the parent of orphans".to_owned())?;
    drop(fs_err::write("/proc/self/oom_score_adj", "500"));
    let temporary =
        Temporary::make(place).named(LIMITS, || "making a temporary folder".to_owned())?;
    // The kernel counts every process of a user, and this user may have many.
    let others = match place.identity {
        Identity::Own { uid, .. } => tasks_of(uid),
        Identity::Switched { .. } => 0,
    };
    let pipe = io::pipe().named(LIMITS, || "making a pipe".to_owned())?;
    let (mut told, tell) = pipe;
    let fork = system::fork().named(LIMITS, || "starting the payload".to_owned())?;
    let Fork::Parent(payload) = fork else {
        // The outer process removes it.
        std::mem::forget(temporary);
        let failure = become_payload(&channel, place, job, others, &tell);
        if let Err(failure) = failure {
            failure::report_failure(control, failure);
        }
        return Ok(NO_PARENT);
    };
    drop((channel, tell));
    let end = rustix::process::pidfd_open(payload, PidfdFlags::empty())
        .map_err(io::Error::from)
        .named(LIMITS, || "holding the payload".to_owned())?;
    let mut layers = Vec::new();
    // The end of the pipe is the start of the program, or the end of a payload that said why on its own.
    told.read_to_end(&mut layers).named(LIMITS, || "reading its layers".to_owned())?;
    if let Ok(layers) = serde_json::from_slice(&layers) {
        protocol::send(control, &Report::Ready { layers })
            .named(LIMITS, || "reporting".to_owned())?;
    }
    while !is_over(control, &end) {
        collect_except(payload);
    }
    if let Ok(Some((_, status))) = rustix::process::waitpid(Some(payload), WaitOptions::NOHANG) {
        let cpu_micros = system::children_cpu_micros();
        // An error means that nbc is gone, and nobody needs the report.
        drop(protocol::send(control, &Report::Ended { status: status.as_raw(), cpu_micros }));
    }
    sweep(place.identity);
    drop(temporary);
    Ok(0)
}

/// The only folder that the payload may write to; removed with this value.
struct Temporary(Option<Utf8PathBuf>);

impl Temporary {
    fn make(place: &HostPayload) -> io::Result<Temporary> {
        use std::os::unix::fs::DirBuilderExt;

        if let Some(folder) = &place.temporary {
            std::fs::DirBuilder::new().mode(0o700).create(folder)?;
        }
        let temporary = Temporary(place.temporary.clone());
        if let (Identity::Switched { id }, Some(folder)) = (place.identity, &place.temporary) {
            let (user, group) = (rustix::fs::Uid::from_raw(id), rustix::fs::Gid::from_raw(id));
            rustix::fs::chown(folder.as_str(), Some(user), Some(group))?;
        }
        Ok(temporary)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            drop(fs_err::remove_dir_all(folder));
        }
    }
}

/// Waits a while; true when the payload has ended, or nbc wants the end or is gone.
fn is_over(control: &UnixStream, first: &OwnedFd) -> bool {
    // nbc sends nothing any more: what makes the socket readable is its end.
    let mut polled = [
        PollFd::from_borrowed_fd(control.as_fd(), PollFlags::IN),
        PollFd::new(first, PollFlags::IN),
    ];
    let period = Timespec::try_from(PERIOD).ok();
    let _ = rustix::event::poll(&mut polled, period.as_ref());
    polled.iter().any(|it| it.revents().intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR))
}

/// Collects orphans that ended, but not the first process, whose descriptor must stay meaningful.
fn collect_except(first: Pid) {
    for pid in processes::tree(rustix::process::getpid()).into_iter().skip(1) {
        let orphan = Pid::from_raw(pid).filter(|it| *it != first);
        if let Some(orphan) = orphan {
            let _ = rustix::process::waitpid(Some(orphan), WaitOptions::NOHANG);
        }
    }
}

/// Kills and collects until no descendant is left.
fn sweep(identity: Identity) {
    let start = Instant::now();
    while start.elapsed() < LONGEST_SWEEP {
        match identity {
            Identity::Switched { id } => kill_all_of(id),
            Identity::Own { .. } => {
                for pid in processes::tree(rustix::process::getpid()).into_iter().skip(1) {
                    if let Some(pid) = Pid::from_raw(pid) {
                        let _ = rustix::process::kill_process(pid, Signal::KILL);
                    }
                }
            }
        }
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                // No child is left, and so no descendant.
                Err(_) => return,
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Kills every process of a user id that only this run has: all at once, so that none can fork meanwhile.
fn kill_all_of(id: u32) {
    let Ok(fork) = system::fork() else { return };
    match fork {
        Fork::Child => {
            if system::become_user(id, id).is_ok() {
                system::kill_everyone_of_this_user();
            }
            system::exit_now(0);
        }
        Fork::Parent(child) => drop(rustix::process::waitpid(Some(child), WaitOptions::empty())),
    }
}

/// Processes and threads of a user, as the kernel's limit counts them.
fn tasks_of(uid: u32) -> u32 {
    use std::os::unix::fs::MetadataExt;

    let Ok(processes) = fs_err::read_dir("/proc") else { return 0 };
    let own = processes.flatten().filter(|it| it.metadata().is_ok_and(|it| it.uid() == uid));
    let threads = own.filter_map(|it| Some(fs_err::read_dir(it.path().join("task")).ok()?.count()));
    u32::try_from(threads.sum::<usize>()).unwrap_or(u32::MAX)
}

/// Confines this process and turns it into the job's program; comes back with an error, or without a job.
fn become_payload(
    channel: &OwnedFd,
    place: &HostPayload,
    job: Option<&Job>,
    others: u32,
    mut tell: &io::PipeWriter,
) -> Result<(), Failure> {
    payload::die_with_parent().named(LIMITS, || "following its parent to the end".to_owned())?;
    system::fix_addresses();
    let mut layers = Vec::new();
    if place.is_confined {
        confine(place, job, &mut layers)?;
    }
    layers.push(holds(LIMITS, LIMITS_DETAIL));
    let layers = serde_json::to_vec(&layers).map_err(io::Error::from);
    let say = || tell.write_all(&layers?);
    let Some(job) = job else {
        return say().named(LIMITS, || "reporting its layers".to_owned());
    };
    let failed = |source| Failure { subject: Subject::Program, step: String::new(), source };
    let processes = job.limits.processes.saturating_add(others);
    let program = payload::prepare_payload(job, channel, processes).map_err(failed)?;
    say().named(LIMITS, || "reporting its layers".to_owned())?;
    Err(failed(payload::execute(&program)))
}

fn confine(place: &HostPayload, job: Option<&Job>, layers: &mut Vec<Layer>) -> Result<(), Failure> {
    let give_up = || match place.identity {
        Identity::Own { .. } => payload::forget_capabilities(),
        Identity::Switched { id } => {
            payload::shrink_bounding_set()?;
            system::leave_groups()?;
            system::become_user(id, id)?;
            payload::forget_capabilities()
        }
    };
    give_up().named(RIGHTS, || "giving up capabilities".to_owned())?;
    layers.push(holds(RIGHTS, "no capabilities, no new privileges, not the host's root"));
    let owns_files = matches!(place.identity, Identity::Own { .. });
    let mut readable = job.map_or_else(Vec::new, readable);
    readable.extend(own_shares());
    let detail = landlock::restrict_in_place(&readable, place.temporary.as_deref(), owns_files)
        .named(landlock::ALONE, || "restricting files and signals".to_owned())?;
    layers.push(holds(landlock::NAME, &detail));
    seccomp::restrict(Surroundings::Host { owns_files })
        .named(seccomp::NAME, || "loading the filters".to_owned())?;
    let detail = "a list of refused calls, then a list of allowed ones; no sockets but pairs";
    layers.push(holds(seccomp::NAME, detail));
    Ok(())
}

/// Files that tell how much of the machine this process may use. DuckDB aborts where it sees them and
/// cannot read them.
fn own_shares() -> Vec<Readable> {
    const FOLDER: &str = "/sys/fs/cgroup";
    const FILES: [&str; 6] = [
        "cpu.max",
        "memory.high",
        "memory.max",
        "cpu.cfs_period_us",
        "cpu.cfs_quota_us",
        "memory.limit_in_bytes",
    ];
    let groups = fs_err::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let folders = groups.lines().flat_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let controllers = fields.next().unwrap_or_default();
        let group = fields.next().unwrap_or_default().trim_start_matches('/');
        let folder = Utf8Path::new(FOLDER).join(controllers);
        // A container often sees its own group as the root of all.
        [folder.clone(), folder.join(group)]
    });
    folders
        .flat_map(|folder| FILES.map(|file| folder.join(file)))
        .filter(|it| it.is_file())
        .map(Readable::Whole)
        .collect()
}

/// Paths that Landlock has to let the job read. A folder with hidden entries is replaced by its other entries, and the
/// list of their names.
fn readable(job: &Job) -> Vec<Readable> {
    let mut all = Vec::new();
    for mount in &job.mounts {
        let hidden: Vec<&Utf8Path> = job
            .openings
            .hidden
            .iter()
            .filter_map(|it| it.strip_prefix(&mount.inside).ok())
            // Names that may come yet are hidden by a layer only, and there is none.
            .filter(|it| !it.as_str().is_empty() && is_there(&mount.host, it))
            .collect();
        if hidden.is_empty() {
            all.push(Readable::Whole(mount.host.clone()));
        } else {
            except(&mount.host, &hidden, &mut all);
        }
    }
    all
}

fn is_there(folder: &Utf8Path, path: &Utf8Path) -> bool {
    let found = fs_err::symlink_metadata(folder.as_std_path().join(path_of(path)));
    !found.is_err_and(|it| it.kind() == io::ErrorKind::NotFound)
}

/// Adds the entries that are not hidden. One whose name is no UTF-8 is not among them: it cannot be read there.
fn except(folder: &Utf8Path, hidden: &[&Utf8Path], all: &mut Vec<Readable>) {
    all.push(Readable::Names(folder.to_owned()));
    let Ok(entries) = folder.read_dir_utf8() else { return };
    for entry in entries.flatten() {
        let name = Utf8Path::new(entry.file_name());
        // The target of a link is granted by its own name, or not at all.
        let is_link = entry.file_type().is_ok_and(|it| it.is_symlink());
        if is_link || hidden.contains(&name) {
            continue;
        }
        let deeper: Vec<&Utf8Path> =
            hidden.iter().filter_map(|it| it.strip_prefix(name).ok()).collect();
        if deeper.is_empty() {
            all.push(Readable::Whole(entry.into_path()));
        } else {
            except(entry.path(), &deeper, all);
        }
    }
}
