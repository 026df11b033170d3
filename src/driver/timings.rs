//! Time spent in each phase of a build.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

/// A part of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Finding, reading, parsing, resolving.
    Analyze,
    /// Interpreter, resolution, installation.
    Environment,
    /// Digests of what runs can read, and the records of earlier runs.
    Cache,
    /// Finding out that the sandbox can be had.
    Sandbox,
    /// Everything between starting the sandbox and its end, but for the states: Python's time, and the sandbox's.
    Run,
    /// The states of inputs, in the same sandbox.
    States,
    /// Sanitizing and laying out.
    Output,
    /// Looking for secrets, names and paths of the machine in what a page would show.
    Exposure,
    /// Hashing, policies, manifest.
    Emit,
    /// Reading it all back.
    Verify,
    /// Writing and renaming.
    Publish,
}

impl Phase {
    /// Whether it is others who work: Python, installers.
    fn is_outside(self) -> bool {
        matches!(self, Self::Run | Self::States | Self::Environment)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Analyze => "analyze",
            Self::Environment => "environment",
            Self::Cache => "cache",
            Self::Sandbox => "try the sandbox",
            Self::Run => "run (Python, sandbox)",
            Self::States => "states of inputs",
            Self::Output => "sanitize and render",
            Self::Exposure => "look for secrets",
            Self::Emit => "emit",
            Self::Verify => "verify",
            Self::Publish => "publish",
        }
    }
}

/// A piece of work.
#[derive(Debug)]
struct Piece {
    phase: Phase,
    start: Duration,
    end: Duration,
    notebook: Option<String>,
}

/// A stopwatch for work that several threads do.
#[derive(Debug)]
pub struct Timings {
    start: Instant,
    pieces: Mutex<Vec<Piece>>,
}

thread_local! {
    /// The notebook that this thread works on.
    static NOTEBOOK: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Counts what a thread does as work on a notebook.
pub fn on_notebook<T>(name: &str, work: impl FnOnce() -> T) -> T {
    NOTEBOOK.set(Some(name.to_owned()));
    let result = work();
    NOTEBOOK.set(None);
    result
}

impl Timings {
    /// Starts.
    pub fn start() -> Self {
        Self { start: Instant::now(), pieces: Mutex::default() }
    }

    fn pieces(&self) -> MutexGuard<'_, Vec<Piece>> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Measures a piece of work.
    pub fn measure<T>(&self, phase: Phase, work: impl FnOnce() -> T) -> T {
        let start = self.start.elapsed();
        let result = work();
        let notebook = NOTEBOOK.with_borrow(Clone::clone);
        self.pieces().push(Piece { phase, start, end: self.start.elapsed(), notebook });
        result
    }

    /// Counts the end of this thread's last piece of work as another phase.
    pub fn split(&self, whole: Phase, part: Phase, time: Duration) {
        let notebook = NOTEBOOK.with_borrow(Clone::clone);
        let mut pieces = self.pieces();
        let last = pieces.iter_mut().rev().find(|it| it.phase == whole && it.notebook == notebook);
        let Some(last) = last else { return };
        let end = last.end;
        last.end = last.start.max(end.saturating_sub(time));
        let start = last.end;
        pieces.push(Piece { phase: part, start, end, notebook });
    }

    /// A table; accounts for the whole time. Phases that several threads work on at once overlap.
    pub fn table(&self) -> String {
        let (total, pieces) = (self.start.elapsed(), self.pieces());
        let mut lines: Vec<String> = phases(pieces.iter())
            .into_iter()
            .map(|phase| row(phase.name(), union(pieces.iter().filter(|it| it.phase == phase))))
            .collect();
        lines.push(row("other", total.saturating_sub(union(pieces.iter()))));
        lines.push(row("total", total));
        let outside = union(pieces.iter().filter(|it| it.phase.is_outside()));
        lines.push(row("nbc's own share", total.saturating_sub(outside)));
        lines.join("\n")
    }

    /// The same for programs, and by notebook. Milliseconds; `wall` is by the clock, `work` the sum of all threads.
    pub fn json(&self) -> String {
        let (total, pieces) = (self.start.elapsed(), self.pieces());
        let by_phase = |pieces: &[&Piece]| -> Map<String, Value> {
            let of = |phase: Phase| {
                let own = || pieces.iter().copied().filter(|it| it.phase == phase);
                let work: Duration = own().map(|it| it.end.saturating_sub(it.start)).sum();
                (phase.name().to_owned(), json!({ "wall": ms(union(own())), "work": ms(work) }))
            };
            phases(pieces.iter().copied()).into_iter().map(of).collect()
        };
        let all: Vec<&Piece> = pieces.iter().collect();
        let mut notebooks: BTreeMap<&str, Vec<&Piece>> = BTreeMap::new();
        for piece in &all {
            if let Some(name) = &piece.notebook {
                notebooks.entry(name).or_default().push(piece);
            }
        }
        let notebooks: Vec<Value> = notebooks
            .into_iter()
            .map(|(name, own)| {
                let wall = ms(union(own.iter().copied()));
                json!({ "notebook": name, "wall": wall, "phases": by_phase(&own) })
            })
            .collect();
        json!({ "timings": {
            "total": ms(total),
            "other": ms(total.saturating_sub(union(all.iter().copied()))),
            "phases": by_phase(&all),
            "notebooks": notebooks,
        }})
        .to_string()
    }
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn phases<'a>(pieces: impl IntoIterator<Item = &'a Piece>) -> BTreeSet<Phase> {
    pieces.into_iter().map(|it| it.phase).collect()
}

/// Time in which at least one of them went on.
fn union<'a>(pieces: impl Iterator<Item = &'a Piece>) -> Duration {
    let mut spans: Vec<(Duration, Duration)> = pieces.map(|it| (it.start, it.end)).collect();
    spans.sort();
    let (mut whole, mut until) = (Duration::ZERO, Duration::ZERO);
    for (start, end) in spans {
        whole += end.saturating_sub(start.max(until));
        until = until.max(end);
    }
    whole
}

fn row(name: &str, time: Duration) -> String {
    format!("{name:<24}{:>10.1} ms", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_time_is_accounted_for_once() {
        let piece = |phase, start, end| Piece {
            phase,
            start: Duration::from_millis(start),
            end: Duration::from_millis(end),
            notebook: None,
        };
        let pieces = [
            piece(Phase::Run, 0, 10),
            piece(Phase::Output, 5, 15),
            piece(Phase::Run, 8, 9),
            piece(Phase::Run, 20, 25),
        ];
        assert_eq!(union(pieces.iter()), Duration::from_millis(20));
        let runs = pieces.iter().filter(|it| it.phase == Phase::Run);
        assert_eq!(union(runs), Duration::from_millis(15));
    }
}
