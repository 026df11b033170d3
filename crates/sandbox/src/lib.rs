//! The one place that starts processes, and the one crate with unsafe code.
//!
//! In: a [`Job`] or a [`tool::Tool`]. Out: a process that gets what is listed, and nothing else of nbc's environment.
//! [`Sandbox`] runs notebook code: confined as [`Isolation`] asks, limited, the whole tree killed at the end. [`tool`]
//! runs trusted tools (`uv`, `pip`): a cleared environment and a time limit. [`apart`] runs nbc itself, for work that
//! may not end. [`interrupt`] is Ctrl-C, which ends every wait. [`secret`] holds values that only a job may see.
//!
//! The crate depends on no other of nbc, whose other crates forbid unsafe code.

#[cfg(target_os = "linux")]
mod sandbox;
#[cfg(not(target_os = "linux"))]
#[path = "sandbox/unsupported.rs"]
mod sandbox;
pub mod apart;
pub mod claims;
mod error;
pub mod interrupt;
mod job;
mod layer;
pub mod names;
pub mod network;
mod on_demand;
mod relocation;
pub mod secret;
pub mod tool;
#[cfg(target_os = "linux")]
mod written;

pub use error::SandboxError;
pub use job::{Access, Ended, Job, Limits, Mount, Openings, Outcome, Slot};
pub use layer::{Examined, Isolation, Layer, LayerRefusal, STAGE_ARGUMENT, Trusted};
pub use network::{AllowedHost, AllowedHostError, Refusal, Traffic};
#[cfg(unix)]
pub use on_demand::let_runs_pass;
pub use on_demand::{OnDemand, PASSABLE};
pub use relocation::Relocation;
pub use sandbox::{
    AttachedSlot, Killer, NetworkWatch, Running, Sandbox, Warm, examine, sandbox_main,
};
