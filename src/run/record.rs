//! What a run gave: plain data, serializable, and hostile, since the notebook's process wrote it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::notebook::CellId;

/// Version of the record; a record of another version is not read.
pub const RECORD_VERSION: u32 = 1;

/// Everything that one run of a notebook gave. Holds no durations and no dates: two equal runs
/// give equal records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// [`RECORD_VERSION`].
    pub version: u32,
    /// Who ran the cells.
    pub engine: EngineReport,
    /// Results by cell; a cell that was not reached is absent.
    pub cells: BTreeMap<CellId, CellRun>,
}

/// Who ran the cells, as the runner says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineReport {
    /// `marimo`, `ipython` or `python`.
    pub name: String,
    /// Version of the engine.
    pub version: String,
    /// Version of Python.
    pub python: String,
}

/// How a cell ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum CellStatus {
    /// It ran to its end.
    Finished,
    /// `mo.stop` ended it, its descendants were not run.
    Stopped,
    /// It raised.
    Failed {
        /// The exception, for the build log; never published.
        error: CellError,
    },
    /// It was not run: an ancestor failed or stopped, or it is disabled.
    Skipped,
}

/// An exception. Goes to the build log only: its text may hold paths and secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellError {
    /// Class name, `ZeroDivisionError`.
    pub name: String,
    /// `str(exception)`.
    pub message: String,
    /// Frames in the notebook's own cells, outermost first; `line` counts from 1 in the cell.
    pub frames: Vec<Frame>,
    /// The whole traceback as text, without colours.
    pub traceback: String,
}

/// One frame of a traceback that lies in a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frame {
    /// The cell.
    pub cell: CellId,
    /// Line in the cell's code, from 1.
    pub line: u32,
}

/// The result of one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellRun {
    /// How it ended.
    pub status: CellStatus,
    /// Outputs in the order in which they appeared. marimo: streams, then the cell's output.
    pub outputs: Vec<RawOutput>,
}

/// One output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum RawOutput {
    /// Text written to a stream.
    Stream {
        /// `stdout` or `stderr`.
        name: StreamName,
        /// The text, with control sequences.
        text: String,
    },
    /// A display, or the value of the last expression.
    Display {
        /// Representations of one value.
        bundle: MimeBundle,
    },
}

/// Which stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamName {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Representations of one value, by MIME type, as the display protocol gives them: text as a JSON
/// string, binary data as a base64 string, `+json` types as JSON. Hostile.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MimeBundle {
    /// MIME type → data.
    pub data: BTreeMap<String, serde_json::Value>,
    /// Metadata, by MIME type or flat.
    #[serde(default)]
    pub metadata: serde_json::Map<String, serde_json::Value>,
}
