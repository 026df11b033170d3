//! One conversation with a runner, from the first message to the last.
//!
//! In: a channel to a runner that was just started, and the first message. Out: a [`RunRecord`], or the reason why there is
//! none. Never trusts the other end: the notebook's process writes there.

use std::io::{Read, Write};

use super::observer::Observer;
use super::protocol::{Command, Conversation, Frames, ProtocolError, Start, Step};
use super::record::RunRecord;
use super::{addresses, sweep};
use crate::notebook::CellId;

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
