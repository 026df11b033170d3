//! The record of a run: plain data, serializable, and hostile, since the notebook's process wrote it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use crate::notebook::CellId;
use crate::process::Layer;
use crate::source::project_file::{ProjectFileError, read_named};

/// Version of the record; a record of another version is not read.
pub const RECORD_VERSION: u32 = 2;

/// Everything that one run of a notebook gave. Holds no durations and no dates: two equal runs
/// give equal records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// [`RECORD_VERSION`].
    pub version: u32,
    /// Engine that ran the cells.
    pub engine: EngineReport,
    /// Digest of the notebook that was run, as [`super::source_digest`] tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How the run came about; told by records that are kept for `nbc render`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
    /// Results by cell; a cell that was not reached is absent.
    pub cells: BTreeMap<CellId, CellRun>,
    /// Results for other values of the notebook's inputs, if they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
}

/// How a run came about, as the manifest of a site tells it. Names, and no values.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Packages that the run could import, by name.
    pub packages: BTreeMap<String, Package>,
    /// SHA-256 of the lock that pins them, in hexadecimal digits.
    pub lock: Option<String>,
    /// Layers of isolation.
    pub isolation: Vec<Layer>,
    /// Grants of the user.
    #[serde(default, skip_serializing_if = "Granted::is_empty")]
    pub granted: Granted,
}

/// Grants of a run beyond its folder: names, no values, counts or times.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Granted {
    /// Hosts that it reached, `host:port`.
    pub contacted: BTreeSet<String>,
    /// Variables.
    pub variables: BTreeSet<String>,
    /// Secrets.
    pub secrets: BTreeSet<String>,
}

impl Granted {
    /// Whether it was given nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A package of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Name, as the package index spells it.
    pub version: String,
    /// SHA-256 of the source that it was built from, for one that was built in the sandbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_from: Option<String>,
}

/// Longest record that is read, in bytes: runs with their states hold less.
const LONGEST: u64 = 2 << 30;

/// Why a record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be read; the cause names it.
    #[error("the recorded run cannot be read")]
    Read(#[source] io::Error),
    /// The file cannot be written; the cause names it.
    #[error("the recorded run cannot be written")]
    Write(#[source] io::Error),
    /// The file is no record.
    #[error("this is not a recorded run")]
    Malformed(#[source] serde_json::Error),
    /// Another nbc wrote it.
    #[error("the recorded run has version {found}, this nbc reads version {RECORD_VERSION}")]
    Version {
        /// Its version.
        found: u32,
    },
}

impl RunRecord {
    /// Reads a record from JSON.
    ///
    /// # Errors
    /// When the text is no record, or one of another version.
    pub fn parse(json: &[u8]) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        // The version first: a later version may have members that this one would call unknown.
        let Versioned { version } = serde_json::from_slice(json).map_err(RecordError::Malformed)?;
        if version != RECORD_VERSION {
            return Err(RecordError::Version { found: version });
        }
        serde_json::from_slice(json).map_err(RecordError::Malformed)
    }

    /// Reads a record from a file.
    ///
    /// # Errors
    /// When the file cannot be read, is no record, or is one of another version.
    pub fn load(path: &Utf8Path) -> Result<Self, RecordError> {
        let json = read_named(path, LONGEST).map_err(|error| match error {
            ProjectFileError::System(source) => RecordError::Read(source),
            other => RecordError::Read(io::Error::other(other)),
        })?;
        Self::parse(&json)
    }

    /// Results of every cell, in the run itself and in each of its states.
    pub fn runs_mut(&mut self) -> impl Iterator<Item = (CellId, &mut CellRun)> {
        let states = self.sweep.iter_mut().flat_map(|it| &mut it.states);
        let states = states.flat_map(|it| &mut it.cells);
        self.cells.iter_mut().chain(states).map(|(id, run)| (*id, run))
    }

    /// Writes the record; the file appears with its whole content or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn store(&self, path: &Utf8Path) -> Result<(), RecordError> {
        let mut json = serde_json::to_vec(self).map_err(RecordError::Malformed)?;
        json.push(b'\n');
        // Outputs before they are sanitized are nobody else's.
        crate::folder::replace(path, &json, 0o600).map_err(RecordError::Write)
    }
}

/// The states of a notebook: its inputs, and the results of its cells for their values.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Inputs of the run itself, in the order in which they were made.
    pub widgets: Vec<Widget>,
    /// States other than the run's own, in the order of their paths.
    pub states: Vec<State>,
    /// States that gave nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<Lost>,
    /// Number of states if no value had been left out.
    #[serde(default)]
    pub wanted: u64,
    /// Number of states that were to be run, as far as it could be foreseen: inputs that others make are counted as
    /// the run itself made them.
    #[serde(default)]
    pub planned: u64,
    /// Whether the sweep ended before all states had run, for its time or its size.
    #[serde(default)]
    pub is_cut: bool,
    /// The state that a page shows first, if it is not the run's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chosen: Vec<Step>,
}

/// A state that gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lost {
    /// Values of the inputs, as in [`State`].
    pub path: Vec<Step>,
    /// Why.
    pub why: Loss,
}

/// Why a state gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// It took longer than a state may.
    Time,
    /// Its process ended, or said something else.
    End,
    /// Its outputs were too large.
    Size,
    /// There was no process for it.
    Process,
    /// There were more states than foreseen.
    Limit,
}

/// An input of a notebook whose values were run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Widget {
    /// marimo's `object-id`; the id of the model of an ipywidget.
    pub id: String,
    /// The cell that made it, or shows it.
    pub cell: CellId,
    /// The variable that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Kind of input.
    pub kind: WidgetKind,
    /// Message of the browser for each value; empty for an input with parts.
    #[serde(default)]
    pub values: Vec<serde_json::Value>,
    /// Label of each value, as a reader reads it.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Index of the value of the run itself.
    pub initial: u32,
    /// Number of values before any were left out.
    pub total: u64,
    /// Inputs that it is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Widget>,
    /// Cells that run again when it changes.
    #[serde(default)]
    pub reach: BTreeSet<CellId>,
    /// The inputs, by id, that make it anew when they change. If nothing says so, those that reach its cell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub makers: Option<BTreeSet<String>>,
}

/// Kinds of inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WidgetKind {
    /// One of a row of numbers; an index where the row is given.
    Slider,
    /// Two of a row of numbers.
    Range,
    /// A number, or none.
    Number,
    /// One of a list of labels, or none.
    Choice,
    /// Some of a list of labels.
    Multi,
    /// One of a list of labels, all of which are seen.
    Radio,
    /// True or false.
    Check,
    /// A day, or a moment.
    Date,
    /// The first and the last day.
    Dates,
    /// Number of clicks.
    Button,
    /// True only in the state caused by pressing it.
    RunButton,
    /// The open panel.
    Tabs,
    /// Chosen rows.
    Table,
    /// One of the texts that the author named.
    Text,
    /// Its value is that of its parts: an array, a dictionary, a batch.
    Group,
    /// Nothing, then the value that its part had when it was submitted.
    Form,
}

/// Results of some cells for other values of the inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Values of inputs, in the order in which they were set. Other inputs have the value that they were made with.
    pub path: Vec<Step>,
    /// The cells that ran again.
    pub cells: BTreeMap<CellId, CellRun>,
    /// Inputs that these cells made anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub widgets: Vec<Widget>,
}

/// One input set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// [`Widget::id`].
    pub widget: String,
    /// Index of its value. With parts: the indices of their values as digits of one number, the first the
    /// most significant; a form adds one, and zero is a form that was not submitted.
    pub value: u32,
}

/// Engine that ran the cells, as the runner says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineReport {
    /// `marimo`, `ipython` or `python`; `stored` for outputs that were read from the notebook.
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
    /// Parts of them that the runner left out, for their size or number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// Something that the runner left out of the outputs of a cell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what", deny_unknown_fields)]
pub enum LeftOut {
    /// Representations of displays, each over the limit of one output.
    Display {
        /// Their MIME type, without parameters.
        mime: String,
        /// Size of the largest.
        bytes: u64,
        /// Number of displays.
        count: u64,
    },
    /// Printed text over the limit of one output.
    Text {
        /// Its size.
        bytes: u64,
    },
    /// Outputs over the number that a cell may have.
    Outputs {
        /// Their number.
        count: u64,
    },
    /// Metadata of a display.
    Metadata {
        /// Its size.
        bytes: u64,
    },
    /// Representations of one display over the number that is read.
    Types {
        /// Their number.
        count: u64,
    },
    /// All outputs of the cell: over the limit of the notebook, or of one cell.
    Cell {
        /// Their size.
        bytes: u64,
    },
}

impl CellRun {
    /// The result of a cell of which nothing was left out.
    #[must_use]
    pub fn new(status: CellStatus, outputs: Vec<RawOutput>) -> Self {
        Self { status, outputs, left_out: Vec::new() }
    }

    /// Bytes of its outputs, as the record holds them.
    #[must_use]
    pub fn size(&self) -> usize {
        let size = |output: &RawOutput| match output {
            RawOutput::Stream { text, .. } => text.len(),
            RawOutput::Display { bundle } => bundle
                .data
                .values()
                .map(|it| it.as_str().map_or_else(|| it.to_string().len(), str::len))
                .sum(),
        };
        self.outputs.iter().map(size).sum()
    }
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

/// Standard streams.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_another_version_is_refused_before_its_members_are_looked_at() {
        for (json, version) in [
            (&br#"{"version": 1, "engine": 3, "cells": {}}"#[..], 1),
            (br#"{"version": 3, "engine": 3, "later": []}"#, 3),
        ] {
            let Err(RecordError::Version { found }) = RunRecord::parse(json) else {
                panic!("version {version} was read");
            };
            assert_eq!(found, version);
        }
    }

    #[test]
    fn unknown_members_and_other_files_are_refused() {
        let record = r#"{"version":2,"engine":{"name":"python","version":"3","python":"3"},"cells":{"0":{"status":{"kind":"finished"},"outputs":[]}}}"#;
        assert!(RunRecord::parse(record.as_bytes()).is_ok());
        let more = record.replace("\"cells\"", "\"more\":1,\"cells\"");
        assert!(matches!(RunRecord::parse(more.as_bytes()), Err(RecordError::Malformed(_))));
        assert!(matches!(RunRecord::parse(b"[]"), Err(RecordError::Malformed(_))));
    }
}
