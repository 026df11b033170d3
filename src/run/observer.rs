//! Observers of a run: whoever shows its progress, or watches its time.

use super::protocol::ProtocolError;
use super::record::CellRun;
use super::sweep::Foreseen;
use crate::notebook::CellId;

/// Watches a run.
pub trait Observer {
    /// The engine is imported and set up, the first cell is next.
    fn engine_ready(&mut self) {}
    /// A cell begins.
    fn cell_started(&mut self, cell: CellId);
    /// A cell is over.
    fn cell_finished(&mut self, cell: CellId, run: &CellRun);
    /// The run is over, and its inputs are looked for.
    fn sweep_started(&mut self) {}
    /// The inputs are known, and their states are next.
    fn sweep_foreseen(&mut self, _foreseen: Foreseen<'_>) {}
    /// The sweep ended before all states had run.
    /// `None`: its time was over.
    fn sweep_broke(&mut self, _error: Option<&ProtocolError>) {}
    /// `done` of all `states` are over.
    fn state_finished(&mut self, _done: u64, _states: u64) {}
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn cell_started(&mut self, _cell: CellId) {}
    fn cell_finished(&mut self, _cell: CellId, _run: &CellRun) {}
}
