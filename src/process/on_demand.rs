//! A sandbox that is made when the first job needs one.

use std::sync::OnceLock;

use super::{Isolation, Sandbox, SandboxError};

/// What a build runs jobs in, if it runs any.
#[derive(Debug)]
pub struct OnDemand {
    isolation: Isolation,
    made: OnceLock<Sandbox>,
}

impl OnDemand {
    /// Nothing is tried yet.
    #[must_use]
    pub fn new(isolation: Isolation) -> Self {
        Self { isolation, made: OnceLock::new() }
    }

    /// One that is there already.
    #[must_use]
    pub fn ready(isolation: Isolation, sandbox: Sandbox) -> Self {
        Self { isolation, made: OnceLock::from(sandbox) }
    }

    /// What was asked for.
    #[must_use]
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// The sandbox.
    ///
    /// # Errors
    /// As [`Sandbox::confined`].
    pub fn get(&self) -> Result<&Sandbox, SandboxError> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let sandbox = Sandbox::confined(self.isolation)?;
        Ok(self.made.get_or_init(|| sandbox))
    }
}
