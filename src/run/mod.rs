//! Phases 4 and 5: [`mod@plan`], then [`execute()`] to a [`RunRecord`].
//!
//! In: a runnable graph, an environment and a sandbox. Out: the displays of the cells, as plain,
//! hostile data. Never trusts what comes back, and never runs a cell outside the sandbox.

mod above;
mod addresses;
mod converse;
mod execute;
pub mod grants;
pub mod hidden;
pub mod inputs;
mod observer;
pub mod plan;
pub mod protocol;
pub mod reach;
pub mod record;
pub mod remembered;
mod runner;
pub mod stored;
pub mod sweep;
pub mod unmatched;
pub mod warm;
mod warned;

pub use converse::{RunError, converse};
pub use execute::{Execution, RunnerFolder, execute};
pub use grants::{GrantError, Grants};
pub use observer::{Observer, Unobserved};
pub use plan::{Bounds, CHANNEL_VARIABLE, HostPaths, OnError, RunPlan};
pub use protocol::{
    CHARTS_MIME, Engine, OutputLimits, ProtocolError, Start, WIDGET_STATE_MIME, WIDGET_VIEW_MIME,
};
pub use record::RunRecord;
pub use runner::RUNNER_FILES;
pub use stored::stored;
pub use sweep::{Foreseen, SweepPlan};

use sha2::{Digest as _, Sha256};

use crate::notebook::Notebook;
use crate::source::Sources;

/// SHA-256 of a notebook's text, hexadecimal: ties a record to what was run.
pub fn source_digest(sources: &Sources, notebook: &Notebook) -> String {
    let digest = Sha256::digest(sources.get(notebook.source).text());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
