//! Tries each layer by itself, so that a host can be described even where the first layer is refused.
//!
//! Every attempt is made by a process of its own that ends right after it. Nothing is read from settings
//! of the kernel: they are often hidden, and do not tell what an outer filter refuses.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use camino::Utf8Path;

use super::failure::{Failure, LIMITS, Named, RIGHTS, VIEW, errno_of};
use super::group::Group;
use super::mounts;
use super::protocol::{self, INSIDE_ID, Order, Report};
use super::refusal::way_out;
use super::seccomp::{self, Sockets, Surroundings};
use super::start::{SET_UP_TIME, stage_command};
use super::system::{self, Fork, NAMESPACES};
use super::{landlock, payload};
use crate::layer::{Examined, LayerRefusal};

/// Tries every layer by itself; a layer that the host refuses comes with the reason and the way out.
///
/// # Errors
/// The second stage cannot be started at all.
pub fn examine() -> io::Result<Vec<Examined>> {
    let mut examined = examine_in_stage()?;
    let limits = payload::probe_limits();
    let refusal = Group::make(&limits).err().map(|error| LayerRefusal {
        reason: error.to_string(),
        way_out: Some(GROUP_WAY_OUT.to_owned()),
    });
    examined.push(Examined { name: GROUP.to_owned(), refusal });
    Ok(examined)
}

/// The control group, which no level needs: a watch measures the tree where the kernel does not count it.
const GROUP: &str = "control group";
const GROUP_WAY_OUT: &str = "no level needs it: nbc measures the memory of the tree every 25 ms. \
     `systemd-run --user --scope -p Delegate=yes nbc build ...` has the kernel count it, and so does \
     running nbc as root where control groups of version 1 can be written to";

fn examine_in_stage() -> io::Result<Vec<Examined>> {
    let (control, its_control) = UnixStream::pair()?;
    let mut child = stage_command(Utf8Path::new("/proc/self/exe"))
        .stdin(std::os::fd::OwnedFd::from(its_control))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()?;
    let answer = protocol::send(&control, &Order::Examine).and_then(|()| {
        control.set_read_timeout(Some(SET_UP_TIME))?;
        protocol::receive(&control)
    });
    drop(control);
    child.wait()?;
    match answer? {
        Report::Examined { layers } => Ok(layers),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The second stage's side.
pub(super) fn answer(control: &UnixStream) -> Result<i32, Failure> {
    const USER: &str = "user namespace";

    let user = layer(USER, user_namespace);
    // A failure that another layer causes says nothing about this one.
    let blamed = |mut found: Examined| {
        if user.refusal.is_some()
            && let Some(refusal) = &mut found.refusal
        {
            *refusal = LayerRefusal { reason: format!("needs the {USER}"), way_out: None };
        }
        found
    };
    let mut layers = vec![user.clone()];
    for (flag, name) in NAMESPACES.into_iter().filter(|(_, name)| *name != USER) {
        layers.push(blamed(layer(name, || namespace(flag))));
    }
    layers.push(blamed(layer(VIEW, view)));
    layers.push(layer(RIGHTS, payload::forget_capabilities));
    layers.push(layer(landlock::NAME, || {
        landlock::restrict(&[], std::iter::empty(), None).map(drop)
    }));
    layers.push(layer(landlock::ALONE, || {
        // Only root can run a notebook as a user that owns nothing.
        let owns_files = !rustix::process::geteuid().is_root();
        landlock::restrict_in_place(&[], None, owns_files).map(drop)
    }));
    layers.push(layer(seccomp::NAME, || {
        rustix::thread::set_no_new_privs(true)?;
        seccomp::restrict(Surroundings::Own(Sockets::Unix))
    }));
    layers.push(layer(LIMITS, || Ok(())));
    protocol::send(control, &Report::Examined { layers })
        .named(LIMITS, || "reporting".to_owned())?;
    Ok(0)
}

fn layer(name: &str, attempt: impl FnOnce() -> io::Result<()>) -> Examined {
    let refusal = in_a_child(attempt).err().map(|error| LayerRefusal {
        reason: error.to_string(),
        way_out: Some(way_out(name, error.raw_os_error().unwrap_or(0)).to_owned()),
    });
    Examined { name: name.to_owned(), refusal }
}

/// The result of an attempt in a child process.
fn in_a_child(attempt: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let (mut answer, say) = io::pipe()?;
    let child = match system::fork()? {
        Fork::Child => {
            drop(answer);
            let errno = attempt().map_or_else(|it| it.raw_os_error().unwrap_or(libc::EIO), |()| 0);
            drop((&say).write_all(&errno.to_le_bytes()));
            system::exit_now(0);
        }
        Fork::Parent(child) => child,
    };
    drop(say);
    let mut errno = [0; 4];
    let read = answer.read_exact(&mut errno);
    payload::wait_for(child)?;
    read?;
    match i32::from_le_bytes(errno) {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Makes a user namespace in which this user has an id.
fn user_namespace() -> io::Result<()> {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    system::unshare(libc::CLONE_NEWUSER)?;
    fs_err::write("/proc/self/setgroups", "deny")?;
    fs_err::write("/proc/self/uid_map", format!("{INSIDE_ID} {uid} 1\n"))?;
    fs_err::write("/proc/self/gid_map", format!("{INSIDE_ID} {gid} 1\n"))
}

/// Other namespaces need the rights that a user namespace gives; some hosts grant it without them.
fn namespace(flag: libc::c_int) -> io::Result<()> {
    user_namespace().map_err(|it| kernel_error(&it))?;
    if flag == libc::CLONE_NEWUSER { Ok(()) } else { system::unshare(flag) }
}

fn view() -> io::Result<()> {
    user_namespace().map_err(|it| kernel_error(&it))?;
    system::unshare(libc::CLONE_NEWNS)?;
    mounts::try_mounting().map_err(|it| kernel_error(&it))
}

/// The kernel's answer below an error that names a path.
fn kernel_error(error: &io::Error) -> io::Error {
    io::Error::from_raw_os_error(errno_of(error))
}
