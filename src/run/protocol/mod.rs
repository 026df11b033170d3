//! The conversation with the runner: frames of bytes to typed [`Event`]s, checked as they come.
//!
//! In: a stream of bytes that the notebook's process wrote. Out: events that fit together, within
//! bounds. Never trusts a length, a name or an order, and never panics.

mod frames;
mod limits;
mod messages;
mod reading;

#[cfg(test)]
mod tests;

pub(super) use frames::Frames;
pub(super) use limits::NOTEBOOK_FOLDER;
pub use limits::{
    CHARTS_MIME, Constants, DEEPEST_INPUTS, MAX_FRAME, OutputLimits, PROTOCOL_VERSION,
    WIDGET_STATE_MIME, WIDGET_VIEW_MIME,
};
pub(super) use messages::Command;
pub use messages::{Engine, Event, ProtocolError, Start, StartApp, StartCell};
pub(super) use reading::{Conversation, Step};
