//! Systems without confinement: nothing starts, and the error says so.

use std::convert::Infallible;
use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use camino::Utf8Path;

use crate::error::SandboxError;
use crate::job::{Ended, Job, Slot};
use crate::layer::{Examined, Isolation, Layer};
use crate::network::Traffic;
use crate::relocation::Relocation;

/// A decision that notebook code runs confined; there is none on this system.
#[derive(Debug, Clone)]
pub struct Sandbox(Infallible);

impl Sandbox {
    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn confined(_isolation: Isolation) -> Result<Sandbox, SandboxError> {
        Err(SandboxError::UnknownSystem { system: std::env::consts::OS })
    }

    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn confined_with(
        isolation: Isolation,
        _launcher: &Utf8Path,
    ) -> Result<Sandbox, SandboxError> {
        Sandbox::confined(isolation)
    }

    /// The layers that hold.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        match self.0 {}
    }

    /// Cannot be called.
    #[must_use]
    pub fn way_out(&self) -> &str {
        match self.0 {}
    }

    /// Cannot be called.
    ///
    /// # Errors
    /// None: there is no value to call it on.
    pub fn start(&self, _job: &Job) -> Result<Running, SandboxError> {
        match self.0 {}
    }
}

/// A confined process.
#[derive(Debug)]
pub struct Running(Infallible);

impl Running {
    /// Cannot be called.
    ///
    /// # Errors
    /// None: there is no value to call it on.
    pub fn channel(&self) -> io::Result<UnixStream> {
        match self.0 {}
    }

    /// Cannot be called.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        match self.0 {}
    }

    /// Cannot be called.
    #[must_use]
    pub fn relocation(&self) -> &Relocation {
        match self.0 {}
    }

    /// Cannot be called.
    pub fn kill(&self) {
        match self.0 {}
    }

    /// Cannot be called.
    #[must_use]
    pub fn killer(&self) -> Killer {
        match self.0 {}
    }

    /// Cannot be called.
    #[must_use]
    pub fn watch_network(&self) -> NetworkWatch {
        match self.0 {}
    }

    /// Cannot be called.
    #[must_use]
    pub fn wait(self) -> Ended {
        match self.0 {}
    }
}

/// Kills a [`Running`] from another thread.
#[derive(Debug, Clone)]
pub struct Killer(Infallible);

impl Killer {
    /// Cannot be called.
    pub fn allow(&self, _wall: Duration, _cpu: Duration) {
        match self.0 {}
    }

    /// Cannot be called.
    pub fn kill(&self) {
        match self.0 {}
    }
}

/// No layer is known here.
///
/// # Errors
/// None.
pub fn examine() -> io::Result<Vec<Examined>> {
    Ok(Vec::new())
}

/// Lists the requests of a [`Running`] on the network.
#[derive(Debug, Clone)]
pub struct NetworkWatch(Infallible);

impl NetworkWatch {
    /// Cannot be called.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        match self.0 {}
    }
}

/// The second stage, which nothing starts here; gives the exit code.
pub fn sandbox_main() -> i32 {
    2
}

impl Sandbox {
    /// Cannot be called.
    #[must_use]
    pub fn has_slots(&self) -> bool {
        match self.0 {}
    }

    /// Cannot be called.
    ///
    /// # Errors
    /// None: there is no value to call it on.
    pub fn start_warm(&self, _job: &Job, _slots: Vec<Slot>) -> Result<Warm, SandboxError> {
        match self.0 {}
    }
}

/// A confined process that waits to be forked.
#[derive(Debug)]
pub struct Warm(Infallible);

impl Warm {
    /// Cannot be called.
    ///
    /// # Errors
    /// None: there is no value to call it on.
    pub fn channel(&self) -> io::Result<UnixStream> {
        match self.0 {}
    }

    /// Cannot be called.
    ///
    /// # Errors
    /// None: there is no value to call it on.
    pub fn open_channel(&self) -> io::Result<UnixStream> {
        match self.0 {}
    }

    /// Cannot be called.
    ///
    /// # Errors
    /// None: there is no value to call it on.
    pub fn enter(&self, _slot: usize) -> io::Result<AttachedSlot<'_>> {
        match self.0 {}
    }

    /// Cannot be called.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        match self.0 {}
    }

    /// Cannot be called.
    #[must_use]
    pub fn relocation(&self) -> &Relocation {
        match self.0 {}
    }

    /// Cannot be called.
    #[must_use]
    pub fn killer(&self) -> Killer {
        match self.0 {}
    }

    /// Cannot be called.
    #[must_use]
    pub fn wait(self) -> Ended {
        match self.0 {}
    }
}

/// An attached slot.
#[derive(Debug)]
pub struct AttachedSlot<'a>(&'a Warm);

impl AttachedSlot<'_> {
    /// Cannot be called.
    ///
    /// # Errors
    /// None: there is no value to call it on.
    pub fn clear(self) -> io::Result<Ended> {
        match self.0.0 {}
    }
}
