//! Packages that `nbc lock` builds from source to know what they need.

use std::collections::BTreeSet;

use super::options::IsolationLevel;
use super::preparation::buildable;
use super::{Failure, cache_folder, limits};
use crate::config::LimitSettings;
use crate::environment::{Confinement, PackageName};
use crate::process::{Isolation, Limits, OnDemand};

/// A sandbox that builds packages whose metadata a lock needs.
pub struct PackageBuilder {
    sandbox: OnDemand,
    limits: Limits,
    buildable: BTreeSet<String>,
}

impl PackageBuilder {
    /// For these packages; `None` for no package.
    ///
    /// # Errors
    /// When there is no sandbox.
    pub fn new(
        packages: &[PackageName],
        level: Option<IsolationLevel>,
    ) -> Result<Option<Self>, Failure> {
        let asked = level.unwrap_or(IsolationLevel::Strict);
        let buildable = buildable(packages, asked != IsolationLevel::None)?;
        if buildable.is_empty() {
            return Ok(None);
        }
        let isolation = match asked {
            IsolationLevel::BestEffort => Isolation::BestEffort,
            IsolationLevel::Strict | IsolationLevel::None => Isolation::Strict,
        };
        let sandbox = OnDemand::new(isolation, Some(cache_folder()?));
        sandbox.get()?;
        let limits = limits::bounds(LimitSettings::default())?.process;
        Ok(Some(Self { sandbox, limits, buildable }))
    }

    /// The confinement in which a lock builds them.
    #[must_use]
    pub fn confinement(&self) -> Confinement<'_> {
        let Self { sandbox, limits, buildable } = self;
        Confinement { sandbox, limits, buildable, say: &|_| () }
    }
}
