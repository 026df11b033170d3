//! Landlock over the new view: what may be written is named, and nothing outside can be signalled or bound.
//!
//! The view alone already hides the host. This layer holds when a bug in mounts or namespaces would not.

use std::io;
use std::os::fd::BorrowedFd;

use camino::{Utf8Path, Utf8PathBuf};
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};

use super::trees::{SYSTEM_FILES, SYSTEM_FOLDERS};

/// Name of the layer that this file makes.
pub(super) const NAME: &str = "landlock";

/// Name of the layer where Landlock alone keeps files away.
pub(super) const ALONE: &str = "landlock, by itself";

/// Newest version of Landlock whose rights the pinned crate knows.
const NEWEST: ABI = ABI::V7;

/// Restricts this process and everything it starts; tells what the kernel grants. Of all ports, `port` alone
/// can be connected to, and none can be bound. Roots of file systems that are not attached yet can be named, too.
pub(super) fn restrict<'a>(
    writable: &[Utf8PathBuf],
    roots: impl Iterator<Item = BorrowedFd<'a>>,
    port: Option<u16>,
) -> io::Result<String> {
    let status = rules(writable, roots, port).map_err(io::Error::other)?;
    let detail = match status {
        RulesetStatus::FullyEnforced => "files, ports, signals and abstract sockets",
        RulesetStatus::PartiallyEnforced => {
            "files; what this kernel knows of ports, signals and abstract sockets"
        }
        RulesetStatus::NotEnforced => return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)),
    };
    Ok(detail.to_owned())
}

/// The oldest Landlock that alone keeps the files of a user: earlier ones let a program cut them short.
const OLDEST_FOR_OWNERS: ABI = ABI::V3;
/// The oldest Landlock that is enough for a user that owns nothing.
const OLDEST_FOR_OTHERS: ABI = ABI::V1;

/// Files that programs read beside the system's folders, where the host's own files are all there is. Its process list
/// is not among them: it shows the command lines of others.
const HOST_FILES: &[&str] = &[
    "/etc/localtime",
    "/dev/urandom",
    "/dev/random",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/loadavg",
    "/proc/uptime",
    "/proc/version",
    "/sys/devices/system/cpu",
];

/// Files in which a program reads about itself. Its mounts and network are the host's, and left out.
const OWN_FILES: &[&str] = &[
    "/proc/self/cgroup",
    "/proc/self/cmdline",
    "/proc/self/comm",
    "/proc/self/limits",
    "/proc/self/maps",
    "/proc/self/smaps",
    "/proc/self/stat",
    "/proc/self/statm",
    "/proc/self/status",
];

/// A part of the host that may be read.
pub(super) enum Readable {
    /// A file, or a folder with all that is below it.
    Whole(Utf8PathBuf),
    /// The names in a folder and below, and no content.
    Names(Utf8PathBuf),
}

/// Restricts this process, and everything it starts, to these files of the host; tells what the kernel grants.
pub(super) fn restrict_in_place(
    readable: &[Readable],
    writable: Option<&Utf8Path>,
    owns_files: bool,
) -> io::Result<String> {
    let oldest = if owns_files { OLDEST_FOR_OWNERS } else { OLDEST_FOR_OTHERS };
    let status = rules_in_place(readable, writable, oldest)
        .map_err(|_| io::Error::from_raw_os_error(libc::EOPNOTSUPP))?;
    let detail = match status {
        RulesetStatus::FullyEnforced => "files and signals",
        RulesetStatus::PartiallyEnforced => "files; signals only as far as this kernel can",
        RulesetStatus::NotEnforced => return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)),
    };
    Ok(detail.to_owned())
}

fn rules_in_place(
    readable: &[Readable],
    writable: Option<&Utf8Path>,
    oldest: ABI,
) -> Result<RulesetStatus, landlock::RulesetError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(oldest))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?
        .scope(Scope::AbstractUnixSocket | Scope::Signal)?
        .create()?;
    let system = SYSTEM_FOLDERS.iter().chain(&SYSTEM_FILES);
    for path in system.chain(HOST_FILES).chain(OWN_FILES) {
        ruleset = allow(ruleset, path, reading())?;
    }
    for part in readable {
        ruleset = match part {
            Readable::Whole(path) => allow(ruleset, path.as_str(), reading())?,
            Readable::Names(path) => allow(ruleset, path.as_str(), AccessFs::ReadDir.into())?,
        };
    }
    for path in DEVICES {
        ruleset = allow(ruleset, path, AccessFs::ReadFile | AccessFs::WriteFile)?;
    }
    if let Some(path) = writable {
        ruleset = allow(ruleset, path.as_str(), writing())?;
    }
    Ok(ruleset.restrict_self()?.ruleset)
}

const DEVICES: [&str; 3] = ["/dev/null", "/dev/zero", "/dev/full"];

fn rules<'a>(
    writable: &[Utf8PathBuf],
    roots: impl Iterator<Item = BorrowedFd<'a>>,
    port: Option<u16>,
) -> Result<RulesetStatus, landlock::RulesetError> {
    let everything = AccessFs::from_all(NEWEST);
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(everything)?
        .handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?
        .scope(Scope::AbstractUnixSocket | Scope::Signal)?
        .create()?;
    ruleset = allow(ruleset, "/", reading())?;
    for path in writable {
        ruleset = allow(ruleset, path.as_str(), writing())?;
    }
    for root in roots {
        ruleset = ruleset.add_rule(PathBeneath::new(root, writing()))?;
    }
    for path in DEVICES {
        ruleset = allow(ruleset, path, AccessFs::ReadFile | AccessFs::WriteFile)?;
    }
    if let Some(port) = port {
        ruleset = ruleset.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
    }
    Ok(ruleset.restrict_self()?.ruleset)
}

fn reading() -> landlock::BitFlags<AccessFs> {
    AccessFs::Execute | AccessFs::ReadFile | AccessFs::ReadDir
}

fn writing() -> landlock::BitFlags<AccessFs> {
    // A process that could make a device node could reach the disk below every mount.
    AccessFs::from_all(NEWEST) & !(AccessFs::MakeBlock | AccessFs::MakeChar | AccessFs::IoctlDev)
}

fn allow(
    ruleset: landlock::RulesetCreated,
    name: &str,
    rights: landlock::BitFlags<AccessFs>,
) -> Result<landlock::RulesetCreated, landlock::RulesetError> {
    // A path that is gone cannot be written to either.
    let Ok(path) = PathFd::new(name) else { return Ok(ruleset) };
    let is_folder = fs_err::metadata(name).is_ok_and(|it| it.is_dir());
    // The kernel refuses rights of folders for a file.
    let rights = if is_folder { rights } else { rights & AccessFs::from_file(NEWEST) };
    ruleset.add_rule(PathBeneath::new(path, rights))
}
