//! A sandbox that is made when the first job needs one.

use std::io;
use std::sync::OnceLock;

use camino::{Utf8Path, Utf8PathBuf};

use crate::error::SandboxError;
use crate::layer::Isolation;
use crate::sandbox::Sandbox;

/// Rights of a cache that runs pass through: others can neither list nor write it, and reach a name that they know.
pub const PASSABLE: u32 = 0o711;

/// Lets a run of root's that has another user id reach its environment, where there are no namespaces to show it by.
///
/// # Errors
/// When the folder is not the user's.
#[cfg(unix)]
pub fn let_runs_pass(cache: &Utf8Path) -> io::Result<()> {
    std::fs::set_permissions(cache, std::os::unix::fs::PermissionsExt::from_mode(PASSABLE))
}

/// The sandbox of a build, made when the first job runs.
#[derive(Debug)]
pub struct OnDemand {
    isolation: Isolation,
    /// The cache, in which runners and environments lie.
    cache: Option<Utf8PathBuf>,
    made: OnceLock<Sandbox>,
}

impl OnDemand {
    /// A sandbox that is not tried yet. Runs with another user id than nbc may pass through `cache`, which is otherwise
    /// its owner's alone.
    #[must_use]
    pub fn new(isolation: Isolation, cache: Option<Utf8PathBuf>) -> Self {
        Self { isolation, cache, made: OnceLock::new() }
    }

    /// A sandbox that exists already.
    #[must_use]
    pub fn ready(isolation: Isolation, sandbox: Sandbox) -> Self {
        Self { isolation, cache: None, made: OnceLock::from(sandbox) }
    }

    /// The isolation that was asked for.
    #[must_use]
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// The sandbox.
    ///
    /// # Errors
    /// The same as [`Sandbox::confined`].
    pub fn get(&self) -> Result<&Sandbox, SandboxError> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let sandbox = Sandbox::confined(self.isolation)?;
        #[cfg(target_os = "linux")]
        if let Some(cache) = self.cache.as_ref().filter(|_| sandbox.is_other_user_on_host()) {
            // A path that cannot be opened is reported when a run needs it.
            let _ = let_runs_pass(cache);
        }
        Ok(self.made.get_or_init(|| sandbox))
    }
}
