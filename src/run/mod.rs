//! Phases 4 and 5: [`mod@plan`], then [`execute()`] to a [`RunRecord`].
//!
//! In: a runnable graph, an environment and a sandbox. Out: the displays of the cells, as plain,
//! hostile data. Never trusts what comes back, and never runs a cell outside the sandbox.

mod above;
mod addresses;
mod execute;
pub mod grants;
pub mod hidden;
pub mod inputs;
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

use std::io::{Read, Write};

pub use execute::{Execution, RunnerFolder, execute};
pub use grants::{GrantError, Grants};
pub use plan::{Bounds, HostPaths, OnError, RunPlan};
pub use protocol::{Engine, OutputLimits, ProtocolError, Start};
pub use record::RunRecord;
pub use runner::RUNNER_FILES;
pub use stored::stored;
pub use sweep::{Foreseen, SweepPlan};

use sha2::{Digest as _, Sha256};

use crate::notebook::{CellId, Notebook};
use crate::source::Sources;
use protocol::{Command, Conversation, Frames, Step};
use record::CellRun;

/// Name of the environment variable that tells the runner the number of its descriptor.
pub const CHANNEL_VARIABLE: &str = "NBC_CHANNEL";

/// MIME type that the runner puts beside HTML with marimo's chart elements: a JSON list with one SVG
/// text, or null, for each `<marimo-vega>` and each `<marimo-mime-renderer>` of a Vega type, in
/// document order. As hostile as the rest.
pub const CHARTS_MIME: &str = "application/vnd.nbc.charts+json";

/// MIME type that the runner puts beside the view of a Jupyter widget: the state of all models that
/// the view shows, in the form that notebooks store it. As hostile as the rest.
pub const WIDGET_STATE_MIME: &str = "application/vnd.jupyter.widget-state+json";

/// Watches a run.
pub trait Observer {
    /// The engine is imported and set up, the first cell is next.
    fn engine_ready(&mut self) {}
    /// A cell begins.
    fn cell_started(&mut self, cell: CellId);
    /// A cell is over.
    fn cell_finished(&mut self, cell: CellId, run: &CellRun);
    /// The run is over, and its inputs are looked for.
    fn sweep_started(&mut self) {}
    /// The inputs are known, and their states are next.
    fn sweep_foreseen(&mut self, _foreseen: Foreseen<'_>) {}
    /// The sweep ended before all states had run.
    /// `None`: its time was over.
    fn sweep_broke(&mut self, _error: Option<&ProtocolError>) {}
    /// `done` of all `states` are over.
    fn state_finished(&mut self, _done: u64, _states: u64) {}
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn cell_started(&mut self, _cell: CellId) {}
    fn cell_finished(&mut self, _cell: CellId, _run: &CellRun) {}
}

/// Reasons why a run gave no record.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The engine could not start: marimo is not installed, its version is not supported.
    #[error("{message}")]
    Unavailable {
        /// Message of the runner.
        message: String,
    },
    /// The conversation broke off or made no sense.
    #[error("the run broke off")]
    Broken {
        /// The cell that ran at that moment.
        running: Option<CellId>,
        /// Cause.
        #[source]
        source: ProtocolError,
    },
}

/// SHA-256 of a notebook's text, hexadecimal: ties a record to what was run.
pub fn source_digest(sources: &Sources, notebook: &Notebook) -> String {
    let digest = Sha256::digest(sources.get(notebook.source).text());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Drives one conversation, from the first word to the last, over the channel of a runner that was
/// just started.
///
/// # Errors
/// [`RunError::Unavailable`] when the runner says that it cannot run this notebook here,
/// [`RunError::Broken`] when it goes away or breaks the protocol.
pub fn converse(
    channel: impl Read + Write,
    start: &Start,
    observer: &mut dyn Observer,
) -> Result<RunRecord, RunError> {
    let mut conversation = Conversation::new(start);
    let mut frames = Frames::new(channel, conversation.budget());
    match exchange(&mut frames, &mut conversation, start, observer) {
        Ok(None) => {
            let mut record = conversation
                .into_record()
                .map_err(|source| RunError::Broken { running: None, source })?;
            addresses::normalize(&mut record);
            Ok(record)
        }
        Ok(Some(message)) => Err(RunError::Unavailable { message }),
        Err(source) => Err(RunError::Broken { running: conversation.running, source }),
    }
}

/// Gives the reason when the runner says that it cannot run the notebook.
fn exchange<C: Read + Write>(
    frames: &mut Frames<C>,
    conversation: &mut Conversation<'_>,
    start: &Start,
    observer: &mut dyn Observer,
) -> Result<Option<String>, ProtocolError> {
    frames.send(&Command::Start { start })?;
    let unavailable = loop {
        match conversation.accept(frames.next()?)? {
            Step::Ready => observer.engine_ready(),
            Step::Updated => {}
            Step::Started(cell) => observer.cell_started(cell),
            Step::Finished(cell) => {
                if let Some(run) = conversation.result_of(cell) {
                    observer.cell_finished(cell, run);
                }
            }
            Step::Done => break None,
            Step::Unavailable(message) => break Some(message),
        }
    };
    if let (None, Some(plan)) = (&unavailable, &start.sweep) {
        let sweep = sweep::sweep(frames, conversation, plan, observer);
        conversation.keep(sweep);
    }
    // The record is complete: whether the runner still hears this does not matter.
    let _ = frames.send(&Command::Finish);
    Ok(unavailable)
}
