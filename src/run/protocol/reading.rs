//! Events in the order in which they may come, each within its bounds, to a record.

use std::collections::{BTreeMap, BTreeSet};

use super::super::record::{
    CellRun, CellStatus, EngineReport, LeftOut, RECORD_VERSION, RawOutput, RunRecord, Sweep,
};
use super::limits::{Constants, FRAME_ALLOWANCE, MAX_REASON, OutputLimits, PROTOCOL_VERSION};
use super::messages::{Event, ProtocolError, Start};
use crate::notebook::CellId;

/// Holds events against what may come, and collects the record.
pub(in crate::run) struct Conversation<'a> {
    limits: OutputLimits,
    known: BTreeSet<CellId>,
    expected: BTreeSet<CellId>,
    engine: Option<EngineReport>,
    started: BTreeSet<CellId>,
    cells: BTreeMap<CellId, CellRun>,
    /// The cell that runs.
    pub(in crate::run) running: Option<CellId>,
    sweep: Option<Sweep>,
    start: &'a Start,
}

/// An accepted event, as the caller needs it.
#[derive(Debug, PartialEq)]
pub(in crate::run) enum Step {
    Ready,
    Started(CellId),
    Finished(CellId),
    Updated,
    Done,
    Unavailable(String),
}

impl<'a> Conversation<'a> {
    pub(in crate::run) fn new(start: &'a Start) -> Self {
        Self {
            limits: start.limits,
            known: start.cells.iter().map(|cell| cell.id).collect(),
            expected: start.order.iter().copied().collect(),
            engine: None,
            started: BTreeSet::new(),
            cells: BTreeMap::new(),
            running: None,
            sweep: None,
            start,
        }
    }

    /// Bytes that all frames of this run may have.
    pub(in crate::run) fn budget(&self) -> u64 {
        let frames = self.start.order.len() as u64 + 16;
        self.limits.total_bytes.saturating_add(frames.saturating_mul(FRAME_ALLOWANCE))
    }

    pub(in crate::run) fn result_of(&self, cell: CellId) -> Option<&CellRun> {
        self.cells.get(&cell)
    }

    /// Takes an event over, or says why not.
    pub(in crate::run) fn accept(&mut self, event: Event) -> Result<Step, ProtocolError> {
        if self.engine.is_none() && !matches!(event, Event::Hello { .. } | Event::Fatal { .. }) {
            return Err(ProtocolError::OutOfOrder { event: name(&event) });
        }
        match event {
            Event::Hello { protocol, engine, engine_version, python } => {
                self.hello(protocol, engine, engine_version, python)
            }
            Event::Started { cell } => {
                self.expect(cell)?;
                if !self.started.insert(cell) || self.cells.contains_key(&cell) {
                    return Err(ProtocolError::OutOfOrder { event: "started" });
                }
                self.running = Some(cell);
                Ok(Step::Started(cell))
            }
            Event::Finished { cell, run } => {
                self.expect(cell)?;
                self.check(&run)?;
                // Only a cell that did not run may end without a beginning; a failed one may be
                // refused by the engine before it runs.
                let without_start =
                    matches!(run.status, CellStatus::Skipped | CellStatus::Failed { .. });
                let began = self.started.contains(&cell) || without_start;
                if !began || self.cells.contains_key(&cell) {
                    return Err(ProtocolError::OutOfOrder { event: "finished" });
                }
                self.cells.insert(cell, run);
                if self.running == Some(cell) {
                    self.running = None;
                }
                Ok(Step::Finished(cell))
            }
            Event::Updated { cell, run } => {
                self.expect(cell)?;
                self.check(&run)?;
                let Some(known) = self.cells.get_mut(&cell) else {
                    return Err(ProtocolError::OutOfOrder { event: "updated" });
                };
                *known = run;
                Ok(Step::Updated)
            }
            Event::Done {} => {
                if self.running.is_some() {
                    return Err(ProtocolError::OutOfOrder { event: "done" });
                }
                Ok(Step::Done)
            }
            Event::Fatal { mut message } => {
                truncate(&mut message, MAX_REASON);
                Ok(Step::Unavailable(message))
            }
            Event::Widgets { .. } | Event::State { .. } | Event::Lost(_) | Event::Swept {} => {
                Err(ProtocolError::OutOfOrder { event: name(&event) })
            }
        }
    }

    /// The record, once the run is done.
    pub(in crate::run) fn into_record(self) -> Result<RunRecord, ProtocolError> {
        let engine = self.engine.ok_or(ProtocolError::OutOfOrder { event: "done" })?;
        Ok(RunRecord {
            version: RECORD_VERSION,
            engine,
            source: None,
            facts: None,
            cells: self.cells,
            sweep: self.sweep,
        })
    }

    fn hello(
        &mut self,
        protocol: u32,
        name: String,
        version: String,
        python: String,
    ) -> Result<Step, ProtocolError> {
        if protocol != PROTOCOL_VERSION {
            return Err(ProtocolError::Version { found: protocol });
        }
        if self.engine.is_some() {
            return Err(ProtocolError::OutOfOrder { event: "hello" });
        }
        if !matches!(name.as_str(), "marimo" | "ipython" | "python") {
            return Err(ProtocolError::OverLimit { what: "an engine's name" });
        }
        if !is_version(&version) || !is_version(&python) {
            return Err(ProtocolError::OverLimit { what: "a version" });
        }
        self.engine = Some(EngineReport { name, version, python });
        Ok(Step::Ready)
    }

    /// Takes the states over that a sweep gave.
    pub(in crate::run) fn keep(&mut self, sweep: Sweep) {
        self.sweep = Some(sweep);
    }

    pub(in crate::run) fn expect(&self, cell: CellId) -> Result<(), ProtocolError> {
        if self.expected.contains(&cell) {
            Ok(())
        } else {
            Err(ProtocolError::UnknownCell { cell })
        }
    }

    pub(in crate::run) fn check(&self, run: &CellRun) -> Result<(), ProtocolError> {
        if run.outputs.len() > self.limits.outputs {
            return Err(ProtocolError::OverLimit { what: "a number of outputs" });
        }
        if run.left_out.len() > Constants::ALL.left_out {
            return Err(ProtocolError::OverLimit { what: "a list of what was left out" });
        }
        for it in &run.left_out {
            if let LeftOut::Display { mime, .. } = it
                && !is_mime(mime)
            {
                return Err(ProtocolError::OverLimit { what: "a type of an output" });
            }
        }
        for output in &run.outputs {
            if let RawOutput::Stream { text, .. } = output
                && text.len() as u64 > self.limits.output_bytes
            {
                return Err(ProtocolError::OverLimit { what: "a text" });
            }
        }
        if let CellStatus::Failed { error } = &run.status {
            let most = Constants::ALL;
            if error.name.len() > Constants::bytes(most.error_name)
                || error.message.len() > Constants::bytes(most.error_message)
                || error.traceback.len() > Constants::bytes(most.error_traceback)
                || error.frames.len() > most.error_frames
            {
                return Err(ProtocolError::OverLimit { what: "an exception" });
            }
            for frame in &error.frames {
                if !self.known.contains(&frame.cell) {
                    return Err(ProtocolError::UnknownCell { cell: frame.cell });
                }
            }
        }
        Ok(())
    }
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Hello { .. } => "hello",
        Event::Started { .. } => "started",
        Event::Finished { .. } => "finished",
        Event::Updated { .. } => "updated",
        Event::Done {} => "done",
        Event::Widgets { .. } => "widgets",
        Event::State { .. } => "state",
        Event::Lost(_) => "lost",
        Event::Swept {} => "swept",
        Event::Fatal { .. } => "fatal",
    }
}

/// Versions go into the page and the manifest, so they are held to what a version looks like.
fn is_version(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 80
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+-_!".contains(&byte))
}

/// Types go into findings, so they are held to what a type looks like.
fn is_mime(text: &str) -> bool {
    let is_part = |part: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".+-_".contains(&byte);
        !part.is_empty() && part.bytes().all(is_allowed)
    };
    text.len() <= Constants::ALL.mime
        && text.split_once('/').is_some_and(|(kind, rest)| is_part(kind) && is_part(rest))
}

fn truncate(text: &mut String, limit: usize) {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit));
    }
}
