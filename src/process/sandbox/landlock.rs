//! Landlock over the new view: what may be written is named, and nothing outside can be signalled or bound.
//!
//! The view alone already hides the host. This layer holds when a bug in mounts or namespaces would not.

use std::io;

use camino::Utf8PathBuf;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};

/// The layer that this file makes.
pub(super) const NAME: &str = "landlock";

/// Rights beyond these are unknown to the pinned crate's newest tested version.
const NEWEST: ABI = ABI::V7;

/// Restricts this process and everything it starts; tells what the kernel grants. Of all ports, `port` alone
/// can be connected to, and none can be bound.
pub(super) fn restrict(writable: &[Utf8PathBuf], port: Option<u16>) -> io::Result<String> {
    let status = rules(writable, port).map_err(io::Error::other)?;
    let detail = match status {
        RulesetStatus::FullyEnforced => "files, ports, signals and abstract sockets",
        RulesetStatus::PartiallyEnforced => {
            "files; what this kernel knows of ports, signals and abstract sockets"
        }
        RulesetStatus::NotEnforced => return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)),
    };
    Ok(detail.to_owned())
}

fn rules(
    writable: &[Utf8PathBuf],
    port: Option<u16>,
) -> Result<RulesetStatus, landlock::RulesetError> {
    let everything = AccessFs::from_all(NEWEST);
    let reading = AccessFs::Execute | AccessFs::ReadFile | AccessFs::ReadDir;
    // Whoever could make a device node could reach the disk below every mount.
    let writing = everything & !(AccessFs::MakeBlock | AccessFs::MakeChar | AccessFs::IoctlDev);
    let device = AccessFs::ReadFile | AccessFs::WriteFile;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(everything)?
        .handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?
        .scope(Scope::AbstractUnixSocket | Scope::Signal)?
        .create()?;
    ruleset = allow(ruleset, "/", reading)?;
    for path in writable {
        ruleset = allow(ruleset, path.as_str(), writing)?;
    }
    for path in ["/dev/null", "/dev/zero", "/dev/full"] {
        ruleset = allow(ruleset, path, device)?;
    }
    if let Some(port) = port {
        ruleset = ruleset.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
    }
    Ok(ruleset.restrict_self()?.ruleset)
}

fn allow(
    ruleset: landlock::RulesetCreated,
    path: &str,
    rights: landlock::BitFlags<AccessFs>,
) -> Result<landlock::RulesetCreated, landlock::RulesetError> {
    // A path that is gone cannot be written to either.
    let Ok(path) = PathFd::new(path) else { return Ok(ruleset) };
    ruleset.add_rule(PathBeneath::new(path, rights))
}
