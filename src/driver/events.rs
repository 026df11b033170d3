//! Events of a build. A command line prints them; a library user may drop them with [`Unobserved`].

use std::time::{Duration, Instant};

use crate::notebook::CellId;
use crate::run::record::CellRun;
use crate::run::{Foreseen, Observer, ProtocolError, Unobserved};

/// Listens to a build, or to the part of it that one worker does. Foreign text reaches it as data: whoever prints it has
/// to escape it.
pub trait Events: Observer + Send + Sync {
    /// A listener of its own for another worker of the same build.
    fn another(&self) -> Box<dyn Events>;
    /// Something begins that takes a moment.
    fn moment(&self, _text: &str) {}
    /// Something begins that takes a while.
    fn step(&self, _text: &str) {}
    /// The run of a notebook begins, with so many cells.
    fn notebook(&mut self, _name: &str, _cells: usize) {}
    /// How the work went, for who measures it.
    fn detail(&self, _text: &str) {}
    /// A finished step, for the log.
    fn line(&self, _text: &str) {}
    /// Foreign text of several lines, for the log.
    fn quote(&self, _title: &str, _foreign: &str) {}
    /// A warning for the user.
    fn warning(&self, _text: &str) {}
    /// The way out of the warning before.
    fn help(&self, _text: &str) {}
}

impl Events for Unobserved {
    fn another(&self) -> Box<dyn Events> {
        Box::new(Unobserved)
    }
}

/// A warning that the user gets when a build is over, and the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The warning.
    pub message: String,
    /// The way out.
    pub help: Option<String>,
}

impl Warning {
    pub(super) fn new(message: impl Into<String>, help: Option<&str>) -> Self {
        Self { message: message.into(), help: help.map(str::to_owned) }
    }
}

/// `1 notebook`, `2 notebooks`.
#[must_use]
pub fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Hands on what a run tells, and measures the states of its inputs.
pub(super) struct Watched<'a> {
    events: &'a mut dyn Events,
    sweep_since: Option<Instant>,
}

impl<'a> Watched<'a> {
    pub(super) fn new(events: &'a mut dyn Events) -> Self {
        Self { events, sweep_since: None }
    }

    /// How long the states of inputs have taken, if they ran.
    pub(super) fn sweep_time(&self) -> Option<Duration> {
        self.sweep_since.map(|it| it.elapsed())
    }
}

impl Observer for Watched<'_> {
    fn engine_ready(&mut self) {
        self.events.engine_ready();
    }

    fn cell_started(&mut self, cell: CellId) {
        self.events.cell_started(cell);
    }

    fn cell_finished(&mut self, cell: CellId, run: &CellRun) {
        self.events.cell_finished(cell, run);
    }

    fn sweep_started(&mut self) {
        self.events.sweep_started();
    }

    fn sweep_foreseen(&mut self, foreseen: Foreseen<'_>) {
        if foreseen.states > 0 {
            self.sweep_since = Some(Instant::now());
        }
        self.events.sweep_foreseen(foreseen);
    }

    fn sweep_broke(&mut self, error: Option<&ProtocolError>) {
        self.events.sweep_broke(error);
    }

    fn state_finished(&mut self, done: u64, states: u64) {
        self.events.state_finished(done, states);
    }
}
