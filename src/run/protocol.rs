//! The conversation with the runner: frames of bytes to typed [`Event`]s, checked as they come.
//!
//! In: a stream of bytes that the notebook's process wrote. Out: events that fit together, within
//! bounds. Never trusts a length, a name or an order, and never panics.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use super::record::{
    CellRun, CellStatus, EngineReport, LeftOut, Lost, RECORD_VERSION, RawOutput, RunRecord, Sweep,
    Widget,
};
use super::sweep::{SweepOptions, SweepPlan};
use crate::config::Samples;
use crate::notebook::{Cell, CellId, CellKind, Format, Notebook};
use crate::process::Relocation;
use crate::source::json;

/// Version of the protocol; both sides check it.
pub const PROTOCOL_VERSION: u32 = 2;

/// Longest frame that is read.
pub const MAX_FRAME: u32 = 64 << 20;

/// Memory that the values of one frame may take: 500,000 numbers in lists take a quarter of it.
const MAX_FRAME_VALUES: u64 = 128 << 20;

/// Memory that the values of all frames of a run may take.
const MAX_RUN_VALUES: u64 = 512 << 20;

/// Text of one exception that is taken over: message and traceback.
const MAX_ERROR_BYTES: usize = 1 << 20;

/// Most kinds of things that a cell may say to have left out.
const MOST_LEFT_OUT: usize = 64;

/// Longest MIME type in what was left out, in bytes.
const LONGEST_MIME: usize = 100;

/// What a frame costs beyond its outputs, for the bound on all frames together.
const FRAME_ALLOWANCE: u64 = 64 << 10;

/// Who runs the cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// marimo's kernel.
    Marimo,
    /// IPython's shell.
    Ipython,
    /// Plain Python.
    Plain,
    /// IPython where the environment has it, otherwise plain Python.
    Jupyter,
}

/// Bounds on what a run may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OutputLimits {
    /// Bytes of one output.
    pub output_bytes: u64,
    /// Bytes of all outputs together.
    pub total_bytes: u64,
    /// Outputs of one cell.
    pub outputs: usize,
    /// Rows of a table that the notebook's library would hand out page by page.
    pub rows: usize,
    /// Bytes of the message with all outputs of one cell.
    pub cell_bytes: u64,
    /// Bytes of the message with all that one state gives.
    pub state_bytes: u64,
}

impl OutputLimits {
    /// Bytes that the outputs of one cell may have, whatever the user allows: its message must fit into [`MAX_FRAME`].
    pub const CELL_BYTES: u64 = 48 << 20;

    /// Bytes that one state may give.
    pub const STATE_BYTES: u64 = 24 << 20;
}

impl Default for OutputLimits {
    fn default() -> Self {
        Self {
            output_bytes: 16 << 20,
            total_bytes: 256 << 20,
            outputs: 1000,
            rows: 5000,
            cell_bytes: Self::CELL_BYTES,
            state_bytes: Self::STATE_BYTES,
        }
    }
}

/// A cell as the runner gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StartCell {
    /// Its id.
    pub id: CellId,
    /// Its code.
    pub code: String,
    /// `code`, `setup`, `function`, `class` or `unparsable`.
    pub kind: &'static str,
    /// Its name.
    pub name: Option<String>,
    /// marimo `disabled`.
    pub disabled: bool,
    /// Jupyter `raises-exception`: an exception does not end the run.
    pub raises_exception: bool,
    /// Jupyter `skip-execution`.
    pub skip_execution: bool,
}

impl StartCell {
    fn of(id: CellId, cell: &Cell) -> Option<Self> {
        let kind = match cell.kind {
            CellKind::Code => "code",
            CellKind::Setup => "setup",
            CellKind::Function => "function",
            CellKind::Class => "class",
            CellKind::Unparsable => "unparsable",
            CellKind::Markdown | CellKind::Raw => return None,
        };
        Some(Self {
            id,
            code: cell.code.to_string(),
            kind,
            name: cell.name.clone(),
            disabled: cell.options.disabled,
            raises_exception: cell.options.raises_exception,
            skip_execution: cell.options.skip_execution,
        })
    }
}

/// `App(…)` options that change what marimo's kernel does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StartApp {
    /// `width`.
    pub width: Option<String>,
    /// `sql_output`.
    pub sql_output: Option<String>,
}

/// The first frame: one run of one notebook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Start {
    /// [`PROTOCOL_VERSION`].
    pub protocol: u32,
    /// Who runs the cells.
    pub engine: Engine,
    /// The notebook's path inside the sandbox; becomes `__file__`.
    pub file: Utf8PathBuf,
    /// Arguments after the file in `sys.argv`.
    pub argv: Vec<String>,
    /// Options of a marimo app.
    pub app: StartApp,
    /// All cells with code, in document order: marimo's ids of cells depend on their positions.
    pub cells: Vec<StartCell>,
    /// Cells to run, in this order.
    pub order: Vec<CellId>,
    /// Folders with packages, searched after the environment's own.
    pub overlays: Vec<Utf8PathBuf>,
    /// Seed of Python's `random`, if it is to be seeded.
    pub seed: Option<u64>,
    /// Whether a Jupyter notebook goes on after a cell that failed.
    pub allow_errors: bool,
    /// Bounds.
    pub limits: OutputLimits,
    /// Processes that are kept for states whose libraries do not survive a fork.
    pub replays: u32,
    /// What is asked for after the run: the states of the notebook's inputs.
    #[serde(skip)]
    pub sweep: Option<SweepPlan>,
}

impl Start {
    /// A run of `notebook`, its cells in `order`, with nothing but defaults otherwise.
    pub fn new(notebook: &Notebook, order: &[CellId], file: Utf8PathBuf) -> Self {
        Self {
            protocol: PROTOCOL_VERSION,
            engine: match notebook.format {
                Format::Marimo => Engine::Marimo,
                Format::Jupyter => Engine::Jupyter,
            },
            file,
            argv: Vec::new(),
            app: StartApp {
                width: notebook.app.width.clone(),
                sql_output: notebook.app.sql_output.clone(),
            },
            cells: notebook.cells().filter_map(|(id, cell)| StartCell::of(id, cell)).collect(),
            order: order.to_vec(),
            overlays: Vec::new(),
            seed: None,
            allow_errors: false,
            limits: OutputLimits::default(),
            replays: 0,
            sweep: None,
        }
    }
}

impl Start {
    /// The same run where its paths lie elsewhere.
    #[must_use]
    pub fn relocated(&self, relocation: &Relocation) -> Self {
        let mut start = self.clone();
        start.file = relocation.path(&self.file);
        start.overlays = self.overlays.iter().map(|it| relocation.path(it)).collect();
        start
    }
}

/// What nbc says.
#[derive(Debug, Serialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub(super) enum Command<'a> {
    /// Run this.
    Start { start: &'a Start },
    /// Say which inputs there are.
    Widgets { samples: &'a BTreeMap<String, Samples>, most_states: u64, most_values: u64 },
    /// Run their states.
    Sweep { options: SweepOptions },
    /// End the process.
    Finish,
}

/// What the runner says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// The engine is ready.
    Hello {
        /// Version of the protocol.
        protocol: u32,
        /// `marimo`, `ipython` or `python`.
        engine: String,
        /// Version of the engine.
        engine_version: String,
        /// Version of Python.
        python: String,
    },
    /// A cell begins.
    Started {
        /// The cell.
        cell: CellId,
    },
    /// A cell is over, or is not run at all.
    Finished {
        /// The cell.
        cell: CellId,
        /// What it gave.
        run: CellRun,
    },
    /// Something changed a cell after its end: a display handle, `mo.state`, a thread.
    Updated {
        /// The cell.
        cell: CellId,
        /// What it gives in the end.
        run: CellRun,
    },
    /// No cell is left.
    Done {},
    /// The inputs, and how many states they have: all, and those to be run.
    Widgets {
        /// The inputs.
        widgets: Vec<Widget>,
        /// Number of states if no value is left out.
        wanted: u64,
        /// Number of states that will be run.
        states: u64,
    },
    /// What one state gave.
    State {
        /// As in [`super::record::State`].
        path: Vec<super::record::Step>,
        /// The cells that ran again.
        cells: Vec<(CellId, CellRun)>,
        /// Inputs that these cells made anew.
        widgets: Vec<Widget>,
    },
    /// A state gave nothing.
    Lost(Lost),
    /// No state is left.
    Swept {},
    /// The run cannot take place.
    Fatal {
        /// Why.
        message: String,
    },
}

/// Why the runner's words were not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// The stream failed.
    #[error("the connection to the notebook's process failed")]
    Connection(#[source] io::Error),
    /// The process went away before the end.
    #[error("the notebook's process ended before its run did")]
    Closed,
    /// A frame says that it is longer than any frame may be.
    #[error("the notebook's process sent a message of {length} bytes")]
    FrameTooLong {
        /// Stated length.
        length: u32,
    },
    /// The runner could not go on.
    #[error("{message}")]
    Failed {
        /// What it says.
        message: String,
    },
    /// All frames together are too long.
    #[error("the notebook's outputs are larger than {limit} bytes altogether")]
    TooMuch {
        /// The bound.
        limit: u64,
    },
    /// A frame, or all of them, would take too much memory as values.
    #[error("the notebook's outputs hold more JSON values than nbc reads")]
    TooManyValues,
    /// A frame is not an event.
    #[error("the notebook's process sent a message that nbc does not understand")]
    Malformed(#[source] serde_json::Error),
    /// The runner speaks another protocol.
    #[error("the runner speaks protocol {found}, nbc speaks {PROTOCOL_VERSION}")]
    Version {
        /// Its version.
        found: u32,
    },
    /// An event at a moment where it makes no sense.
    #[error("the notebook's process sent `{event}` at the wrong moment")]
    OutOfOrder {
        /// The event.
        event: &'static str,
    },
    /// A cell that the notebook does not have, or that was not to be run.
    #[error("the notebook's process spoke of cell {}, which is not part of the run", .cell.0)]
    UnknownCell {
        /// The cell.
        cell: CellId,
    },
    /// A value is over its bound.
    #[error("the notebook's process sent {what} over the limit")]
    OverLimit {
        /// Which value.
        what: &'static str,
    },
}

/// Reads frames within a budget.
pub(super) struct Frames<C> {
    channel: C,
    left: u64,
    limit: u64,
    values_left: u64,
}

impl<C: Read> Frames<C> {
    pub(super) fn new(channel: C, limit: u64) -> Self {
        Self { channel, left: limit, limit, values_left: MAX_RUN_VALUES }
    }

    /// Allows this many bytes more.
    pub(super) fn allow(&mut self, bytes: u64) {
        self.left = bytes;
        self.limit = bytes;
        self.values_left = bytes.saturating_mul(4).max(MAX_RUN_VALUES);
    }

    /// The next event.
    pub(super) fn next(&mut self) -> Result<Event, ProtocolError> {
        let mut head = [0; 4];
        self.channel.read_exact(&mut head).map_err(cut)?;
        let length = u32::from_be_bytes(head);
        if length > MAX_FRAME {
            return Err(ProtocolError::FrameTooLong { length });
        }
        self.left = self
            .left
            .checked_sub(u64::from(length))
            .ok_or(ProtocolError::TooMuch { limit: self.limit })?;
        // Grows as bytes come in: a stated length alone must not cost memory.
        let mut body = Vec::new();
        let read =
            (&mut self.channel).take(u64::from(length)).read_to_end(&mut body).map_err(cut)?;
        if read as u64 != u64::from(length) {
            return Err(ProtocolError::Closed);
        }
        let values = json::weight(&body);
        let left = self.values_left.checked_sub(values).filter(|_| values <= MAX_FRAME_VALUES);
        self.values_left = left.ok_or(ProtocolError::TooManyValues)?;
        serde_json::from_slice(&body).map_err(ProtocolError::Malformed)
    }
}

impl<C: Write> Frames<C> {
    /// Says something.
    pub(super) fn send(&mut self, command: &Command<'_>) -> Result<(), ProtocolError> {
        let body = serde_json::to_vec(command).map_err(ProtocolError::Malformed)?;
        let length = u32::try_from(body.len())
            .map_err(|_| ProtocolError::OverLimit { what: "a notebook" })?;
        self.channel.write_all(&length.to_be_bytes()).map_err(cut)?;
        self.channel.write_all(&body).map_err(cut)?;
        self.channel.flush().map_err(cut)
    }
}

fn cut(error: io::Error) -> ProtocolError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionReset => ProtocolError::Closed,
        _ => ProtocolError::Connection(error),
    }
}

/// Holds events against what may come, and collects the record.
pub(super) struct Conversation<'a> {
    limits: OutputLimits,
    known: BTreeSet<CellId>,
    expected: BTreeSet<CellId>,
    engine: Option<EngineReport>,
    started: BTreeSet<CellId>,
    cells: BTreeMap<CellId, CellRun>,
    /// The cell that runs.
    pub(super) running: Option<CellId>,
    sweep: Option<Sweep>,
    start: &'a Start,
}

/// What an accepted event means for the caller.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Ready,
    Started(CellId),
    Finished(CellId),
    Updated,
    Done,
    Unavailable(String),
}

impl<'a> Conversation<'a> {
    pub(super) fn new(start: &'a Start) -> Self {
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
    pub(super) fn budget(&self) -> u64 {
        let frames = self.start.order.len() as u64 + 16;
        self.limits.total_bytes.saturating_add(frames.saturating_mul(FRAME_ALLOWANCE))
    }

    pub(super) fn result_of(&self, cell: CellId) -> Option<&CellRun> {
        self.cells.get(&cell)
    }

    /// Takes an event over, or says why not.
    pub(super) fn accept(&mut self, event: Event) -> Result<Step, ProtocolError> {
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
                truncate(&mut message, MAX_ERROR_BYTES);
                Ok(Step::Unavailable(message))
            }
            Event::Widgets { .. } | Event::State { .. } | Event::Lost(_) | Event::Swept {} => {
                Err(ProtocolError::OutOfOrder { event: name(&event) })
            }
        }
    }

    /// The record, once the run is done.
    pub(super) fn into_record(self) -> Result<RunRecord, ProtocolError> {
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
    pub(super) fn keep(&mut self, sweep: Sweep) {
        self.sweep = Some(sweep);
    }

    pub(super) fn expect(&self, cell: CellId) -> Result<(), ProtocolError> {
        if self.expected.contains(&cell) {
            Ok(())
        } else {
            Err(ProtocolError::UnknownCell { cell })
        }
    }

    pub(super) fn check(&self, run: &CellRun) -> Result<(), ProtocolError> {
        if run.outputs.len() > self.limits.outputs {
            return Err(ProtocolError::OverLimit { what: "a number of outputs" });
        }
        if run.left_out.len() > MOST_LEFT_OUT {
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
            if error.name.len() > 1000
                || error.message.len() > MAX_ERROR_BYTES
                || error.traceback.len() > MAX_ERROR_BYTES
                || error.frames.len() > 1000
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
    text.len() <= LONGEST_MIME
        && text.split_once('/').is_some_and(|(kind, rest)| is_part(kind) && is_part(rest))
}

fn truncate(text: &mut String, limit: usize) {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::run::{RunError, Unobserved, converse};

    /// A channel that says what it was given, and takes everything.
    struct Recorded<'a>(&'a [u8]);

    impl Read for Recorded<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Recorded<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn start() -> Start {
        let cell = |id| StartCell {
            id: CellId(id),
            code: String::new(),
            kind: "code",
            name: None,
            disabled: false,
            raises_exception: false,
            skip_execution: false,
        };
        Start {
            protocol: PROTOCOL_VERSION,
            engine: Engine::Plain,
            file: "/nb/a.py".into(),
            argv: Vec::new(),
            app: StartApp::default(),
            cells: vec![cell(0), cell(1), cell(2)],
            order: vec![CellId(0), CellId(1)],
            overlays: Vec::new(),
            seed: None,
            allow_errors: false,
            limits: OutputLimits {
                output_bytes: 100,
                total_bytes: 1000,
                outputs: 3,
                rows: 10,
                ..OutputLimits::default()
            },
            replays: 0,
            sweep: None,
        }
    }

    fn bytes(frames: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for frame in frames {
            bytes.extend((frame.len() as u32).to_be_bytes());
            bytes.extend(frame.as_bytes());
        }
        bytes
    }

    const HELLO: &str = r#"{"event":"hello","protocol":2,"engine":"python","engine_version":"3.11.7","python":"3.11.7"}"#;
    const STARTED: &str = r#"{"event":"started","cell":0}"#;
    const FINISHED: &str =
        r#"{"event":"finished","cell":0,"run":{"status":{"kind":"finished"},"outputs":[]}}"#;
    const UPDATED: &str = r#"{"event":"updated","cell":0,"run":{"status":{"kind":"finished"},"outputs":[{"kind":"stream","name":"stdout","text":"a"}]}}"#;
    const DONE: &str = r#"{"event":"done"}"#;

    fn hear(frames: &[&str]) -> Result<RunRecord, RunError> {
        converse(Recorded(&bytes(frames)), &start(), &mut Unobserved)
    }

    /// What is wrong with a conversation, in its own words.
    fn refusal(frames: &[&str]) -> String {
        match hear(frames) {
            Err(RunError::Broken { source, .. }) => source.to_string(),
            other => panic!("{other:?}"),
        }
    }

    fn finished(status: &str, outputs: &str) -> String {
        format!(
            r#"{{"event":"finished","cell":0,"run":{{"status":{status},"outputs":[{outputs}]}}}}"#
        )
    }

    #[test]
    fn a_whole_conversation_gives_a_record() {
        let record = hear(&[HELLO, STARTED, FINISHED, UPDATED, DONE]).unwrap();
        assert_eq!(record.engine.name, "python");
        assert_eq!(record.cells.keys().copied().collect::<Vec<_>>(), [CellId(0)]);
        assert_eq!(record.cells.values().next().unwrap().outputs.len(), 1);
    }

    #[test]
    fn events_that_do_not_fit_are_refused() {
        let wrong = "the notebook's process sent `NAME` at the wrong moment";
        for (name, frames) in [
            ("finished", &[FINISHED][..]),
            ("done", &[DONE]),
            ("hello", &[HELLO, HELLO]),
            ("finished", &[HELLO, FINISHED]),
            ("finished", &[HELLO, STARTED, FINISHED, FINISHED]),
            ("started", &[HELLO, STARTED, STARTED]),
            ("started", &[HELLO, STARTED, FINISHED, STARTED]),
            ("updated", &[HELLO, STARTED, UPDATED]),
            ("done", &[HELLO, STARTED, DONE]),
        ] {
            assert_eq!(refusal(frames), wrong.replace("NAME", name), "{frames:?}");
        }
    }

    #[test]
    fn cells_outside_the_run_are_refused() {
        let foreign = STARTED.replace('0', "2");
        assert!(refusal(&[HELLO, &foreign]).contains("cell 2"));
        let status = r#"{"kind":"failed","error":{"name":"E","message":"","frames":[{"cell":9,"line":1}],"traceback":""}}"#;
        assert!(refusal(&[HELLO, STARTED, &finished(status, "")]).contains("cell 9"));
    }

    #[test]
    fn bounds_hold() {
        let output = r#"{"kind":"stream","name":"stdout","text":"a"}"#;
        let many = [output; 5].join(",");
        let done = r#"{"kind":"finished"}"#;
        assert!(refusal(&[HELLO, STARTED, &finished(done, &many)]).contains("number of outputs"));
        let long = output.replace(r#""a""#, &format!("\"{}\"", "a".repeat(401)));
        assert!(
            refusal(&[HELLO, STARTED, &finished(done, &long)]).contains("a text over the limit")
        );
        let big = output.replace(r#""a""#, &format!("\"{}\"", "a".repeat(2_000_000)));
        assert!(refusal(&[HELLO, STARTED, &finished(done, &big)]).contains("altogether"));
        let mut run = start();
        run.limits.total_bytes = 64 << 20;
        for bomb in [r#"{"":0},"#, "[0],"] {
            let display = format!(
                r#"{{"kind":"display","bundle":{{"data":{{"application/json":[{}0]}}}}}}"#,
                bomb.repeat(1_000_000)
            );
            let frame = finished(done, &display);
            let result =
                converse(Recorded(&bytes(&[HELLO, STARTED, &frame])), &run, &mut Unobserved);
            let Err(RunError::Broken { source, .. }) = result else { panic!("{result:?}") };
            assert!(matches!(source, ProtocolError::TooManyValues), "{source}");
        }
        let deep = format!("{{\"event\":{}1{}}}", "[".repeat(500), "]".repeat(500));
        assert!(refusal(&[HELLO, &deep]).contains("does not understand"));
        let claim = [0xff; 4];
        let result = converse(Recorded(&claim), &start(), &mut Unobserved);
        assert!(matches!(
            result,
            Err(RunError::Broken { source: ProtocolError::FrameTooLong { .. }, .. })
        ));
    }

    #[test]
    fn what_was_left_out_is_held_to_its_form() {
        let said = |left_out: &str| {
            let run = format!(
                r#"{{"status":{{"kind":"finished"}},"outputs":[],"left_out":[{left_out}]}}"#
            );
            format!(r#"{{"event":"finished","cell":0,"run":{run}}}"#)
        };
        let html = r#"{"what":"display","mime":"text/html","bytes":9,"count":1}"#;
        let record = hear(&[HELLO, STARTED, &said(html), DONE]).unwrap();
        let expected = LeftOut::Display { mime: "text/html".to_owned(), bytes: 9, count: 1 };
        assert_eq!(record.cells.values().next().unwrap().left_out, [expected]);
        let many = [html; 65].join(",");
        assert!(refusal(&[HELLO, STARTED, &said(&many)]).contains("a list of what was left out"));
        for mime in ["text", "text/", "text/a b", r"text/\u001b[31m", "a/b/c"] {
            let odd = html.replace("text/html", mime);
            assert!(refusal(&[HELLO, STARTED, &said(&odd)]).contains("a type"), "{mime}");
        }
        let other = html.replace("display", "other");
        assert!(refusal(&[HELLO, STARTED, &said(&other)]).contains("does not understand"));
    }

    #[test]
    fn a_greeting_is_held_to_its_form() {
        assert!(refusal(&[&HELLO.replace(":2,", ":3,")]).contains("protocol 3"));
        assert!(refusal(&[&HELLO.replace("3.11.7", "<b>")]).contains("a version"));
        assert!(refusal(&[&HELLO.replace("\"python\",", "\"evil\",")]).contains("engine"));
        assert!(refusal(&[&HELLO.replace("}", ",\"more\":1}")]).contains("does not understand"));
    }

    #[test]
    fn an_end_before_the_end_names_the_cell_that_ran() {
        let result = hear(&[HELLO, STARTED]);
        let Err(RunError::Broken { running, source: ProtocolError::Closed }) = result else {
            panic!("{result:?}");
        };
        assert_eq!(running, Some(CellId(0)));
    }

    #[test]
    fn a_reason_not_to_run_is_passed_on() {
        let result = hear(&[r#"{"event":"fatal","message":"no marimo"}"#]);
        assert!(matches!(result, Err(RunError::Unavailable { message }) if message == "no marimo"));
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_a_record_or_an_error(noise in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = converse(Recorded(&noise), &start(), &mut Unobserved);
        }

        #[test]
        fn any_texts_in_frames_end_in_a_record_or_an_error(frames in proptest::collection::vec(".{0,80}", 0..6)) {
            let frames: Vec<_> = frames.iter().map(String::as_str).collect();
            let _ = hear(&frames);
        }

        #[test]
        fn a_damaged_conversation_ends_in_a_record_or_an_error(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            length in any::<prop::sample::Index>(),
        ) {
            let mut stream = bytes(&[HELLO, STARTED, FINISHED, UPDATED, DONE]);
            for (at, value) in &changes {
                let at = at.index(stream.len());
                if let Some(byte) = stream.get_mut(at) {
                    *byte = *value;
                }
            }
            stream.truncate(length.index(stream.len() + 1));
            let _ = converse(Recorded(&stream), &start(), &mut Unobserved);
        }

        #[test]
        fn events_in_any_order_end_in_a_record_or_an_error(
            order in proptest::collection::vec(prop::sample::select(vec![HELLO, STARTED, FINISHED, UPDATED, DONE]), 0..12),
        ) {
            if let Ok(record) = hear(&order) {
                prop_assert_eq!(order.first(), Some(&HELLO));
                prop_assert!(order.contains(&DONE));
                prop_assert!(record.cells.len() <= 1);
            }
        }
    }
}
