//! Bounds of the conversation, and the constants that both of its sides use. The runner has none of its own for
//! them: they come with nbc's first message.

use serde::Serialize;

use super::super::record::Loss;
use crate::config::DEFAULT_ROWS;
use crate::site::MOST_VALUES;

/// Version of the protocol.
pub const PROTOCOL_VERSION: u32 = 2;

/// Longest frame that is read.
pub const MAX_FRAME: u32 = 64 << 20;

/// Memory that the values of one frame may take: 500,000 numbers in lists take a quarter of it.
pub(super) const MAX_FRAME_VALUES: u64 = 128 << 20;

/// Memory that the values of all frames of a run may take.
pub(super) const MAX_RUN_VALUES: u64 = 512 << 20;

/// Bytes of the reason for which a run cannot take place.
pub(super) const MAX_REASON: usize = 1 << 20;

/// Bytes of a frame beyond its outputs, for the bound on all frames together.
pub(super) const FRAME_ALLOWANCE: u64 = 64 << 10;

/// MIME type that the runner puts beside HTML with marimo's chart elements: a JSON list with one SVG
/// text, or null, for each `<marimo-vega>` and each `<marimo-mime-renderer>` of a Vega type, in
/// document order. As hostile as the rest.
pub const CHARTS_MIME: &str = "application/vnd.nbc.charts+json";

/// MIME type of the view of a Jupyter widget: the id of its model.
pub const WIDGET_VIEW_MIME: &str = "application/vnd.jupyter.widget-view+json";

/// MIME type that the runner puts beside the view of a Jupyter widget: the state of all models that
/// the view shows, in the form that notebooks store it. As hostile as the rest.
pub const WIDGET_STATE_MIME: &str = "application/vnd.jupyter.widget-state+json";

/// The notebook's folder inside the sandbox.
pub(in crate::run) const NOTEBOOK_FOLDER: &str = "/nb";

/// Deepest nesting of inputs, as parts, and longest path of a state.
pub const DEEPEST_INPUTS: usize = 8;

/// Numbers and names that both sides of the protocol use, and that no user sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Constants {
    /// [`DEEPEST_INPUTS`].
    pub deepest_inputs: usize,
    /// Values of one input that are looked at before some of them are chosen.
    pub listed_values: u64,
    /// Largest number of states or values: the largest that scripts hold exactly.
    pub largest_count: u64,
    /// Inputs of a Jupyter notebook, each of which is tried.
    pub tried_inputs: usize,
    /// Characters of a label or of the name of a part.
    pub label: usize,
    /// Names of [`Loss`].
    pub losses: [Loss; 5],
    /// Kinds of things that a cell may say to have left out.
    pub left_out: usize,
    /// Bytes of a MIME type among them.
    pub mime: usize,
    /// Representations of one display.
    pub representations: usize,
    /// Bytes of the metadata of one display.
    pub metadata: usize,
    /// Nesting of a display's JSON, which parsers of JSON bound.
    pub nesting: usize,
    /// Bytes of rows in the outputs of a cell, as they stand in the markup.
    pub table: u64,
    /// Characters of an exception's name.
    pub error_name: usize,
    /// Characters of its message.
    pub error_message: usize,
    /// Characters of its traceback.
    pub error_traceback: usize,
    /// Frames of its traceback.
    pub error_frames: usize,
    /// [`CHARTS_MIME`].
    pub charts_mime: &'static str,
    /// [`WIDGET_VIEW_MIME`].
    pub widget_view_mime: &'static str,
    /// [`WIDGET_STATE_MIME`].
    pub widget_state_mime: &'static str,
    /// The notebook's folder, where the sandbox has a view of its own.
    pub notebook_folder: &'static str,
}

impl Constants {
    /// All of them.
    pub const ALL: Self = Self {
        deepest_inputs: DEEPEST_INPUTS,
        listed_values: MOST_VALUES,
        largest_count: (1 << 53) - 1,
        tried_inputs: 300,
        label: 200,
        losses: [Loss::Time, Loss::End, Loss::Size, Loss::Process, Loss::Limit],
        left_out: 32,
        mime: 100,
        representations: 32,
        metadata: 100_000,
        nesting: 90,
        table: 6 << 20,
        error_name: 200,
        error_message: 16_000,
        error_traceback: 64_000,
        error_frames: 100,
        charts_mime: CHARTS_MIME,
        widget_view_mime: WIDGET_VIEW_MIME,
        widget_state_mime: WIDGET_STATE_MIME,
        notebook_folder: NOTEBOOK_FOLDER,
    };

    /// Most bytes of a text of so many characters, and of the mark that stands for its middle.
    pub(super) const fn bytes(characters: usize) -> usize {
        4 * (characters + 16)
    }
}

/// Bounds of a run's messages.
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
    /// Bytes of the message with the results of one state.
    pub state_bytes: u64,
    /// Bounds that nobody sets.
    pub constants: Constants,
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
            rows: DEFAULT_ROWS,
            cell_bytes: Self::CELL_BYTES,
            state_bytes: Self::STATE_BYTES,
            constants: Constants::ALL,
        }
    }
}
