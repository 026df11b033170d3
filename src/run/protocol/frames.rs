//! Frames of bytes to [`Event`]s, and [`Command`]s to frames: four bytes of length, then JSON.

use std::io::{self, Read, Write};

use super::limits::{MAX_FRAME, MAX_FRAME_VALUES, MAX_RUN_VALUES};
use super::messages::{Command, Event, ProtocolError};
use crate::source::json;

/// Reads frames within a budget.
pub(in crate::run) struct Frames<C> {
    channel: C,
    left: u64,
    limit: u64,
    values_left: u64,
}

impl<C: Read> Frames<C> {
    pub(in crate::run) fn new(channel: C, limit: u64) -> Self {
        Self { channel, left: limit, limit, values_left: MAX_RUN_VALUES }
    }

    /// Allows this many bytes more.
    pub(in crate::run) fn allow(&mut self, bytes: u64) {
        self.left = bytes;
        self.limit = bytes;
        self.values_left = bytes.saturating_mul(4).max(MAX_RUN_VALUES);
    }

    /// The next event.
    pub(in crate::run) fn next(&mut self) -> Result<Event, ProtocolError> {
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
    pub(in crate::run) fn send(&mut self, command: &Command<'_>) -> Result<(), ProtocolError> {
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
