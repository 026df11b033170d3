//! Messages of both sides, and the reasons for which nbc refuses one.

use std::collections::BTreeMap;
use std::io;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use super::super::record::{CellRun, Lost, Step, Widget};
use super::super::sweep::{SweepOptions, SweepPlan};
use super::limits::{OutputLimits, PROTOCOL_VERSION};
use crate::config::Samples;
use crate::notebook::{Cell, CellId, CellKind, Format, Notebook};
use crate::process::Relocation;

/// The program that runs the cells.
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
    /// The program that runs the cells.
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
    /// The states of the notebook's inputs, if they are asked for after the run.
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

/// A message of nbc.
#[derive(Debug, Serialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub(in crate::run) enum Command<'a> {
    /// Run this.
    Start { start: &'a Start },
    /// Say which inputs there are.
    Widgets { samples: &'a BTreeMap<String, Samples>, most_states: u64, most_values: u64 },
    /// Run their states.
    Sweep { options: SweepOptions },
    /// End the process.
    Finish,
}

/// A message of the runner.
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
        /// Its result.
        run: CellRun,
    },
    /// Something changed a cell after its end: a display handle, `mo.state`, a thread.
    Updated {
        /// The cell.
        cell: CellId,
        /// Its result in the end.
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
    /// The results of one state.
    State {
        /// Its path, see [`State`](super::super::record::State).
        path: Vec<Step>,
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

/// The reason for which a message was not accepted.
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
        /// Its reason.
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
