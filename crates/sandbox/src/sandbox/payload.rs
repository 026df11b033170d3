//! The last steps of a payload: rights, limits and environment of the process that becomes the program.

use std::ffi::CString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{DumpableBehavior, Signal, WaitOptions};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::failure::{Failure, NO_PARENT};
use super::protocol::Subject;
use super::system::{self, Fork};
use crate::job::{Job, Limits};

/// Starts the program, and comes back when the exec has succeeded.
pub(super) fn start_payload(job: &Job, channel: &OwnedFd) -> Result<rustix::process::Pid, Failure> {
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

/// Collects every process that ends inside, until the payload has ended; then the kernel ends the others.
pub(super) fn wait_for_payload(payload: rustix::process::Pid) -> io::Result<i32> {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == payload => return Ok(status.as_raw()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
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

/// Limits of a set-up without a job.
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

/// Gives up every right of this process beyond those of its user.
pub(super) fn drop_rights() -> io::Result<()> {
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
