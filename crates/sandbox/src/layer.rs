//! Levels and layers of the confinement.

use serde::{Deserialize, Serialize};

/// The hidden first argument that makes `nbc` act as the second stage of the sandbox.
pub const STAGE_ARGUMENT: &str = "__sandbox";

/// Level of confinement that a run needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Every layer, or no run.
    Strict,
    /// The strongest confinement that the host grants: files and system calls are confined at least, and every
    /// limit holds.
    BestEffort,
    /// Limits only.
    None(Trusted),
}

/// Proof that the user trusts a notebook with everything that they may do themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trusted(());

impl Trusted {
    /// Records the user's explicit request, made for this very build.
    #[must_use]
    pub fn by_request_of_the_user() -> Self {
        Self(())
    }
}

/// A layer of isolation, and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// `user namespace`, `network namespace`, `seccomp`…
    pub name: String,
    /// Whether it was active.
    pub active: bool,
    /// The reason why it does not hold, or the limits that it sets.
    pub detail: String,
}

/// The result of trying a layer by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examined {
    /// The layer, as in [`Layer::name`].
    pub name: String,
    /// Why this host does not grant it.
    pub refusal: Option<LayerRefusal>,
}

/// Why a host does not grant a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRefusal {
    /// The kernel's answer, or another layer that this one needs.
    pub reason: String,
    /// The likely cause and what to do about it; `None` when another layer is the cause.
    pub way_out: Option<String>,
}
