//! Where the time of a build went.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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

/// A stopwatch with a hand for each phase.
#[derive(Debug)]
pub struct Timings {
    start: Instant,
    phases: Mutex<BTreeMap<Phase, Duration>>,
}

impl Timings {
    /// Starts.
    pub fn start() -> Self {
        Self { start: Instant::now(), phases: Mutex::default() }
    }

    fn phases(&self) -> MutexGuard<'_, BTreeMap<Phase, Duration>> {
        self.phases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Measures a piece of work.
    pub fn measure<T>(&self, phase: Phase, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        *self.phases().entry(phase).or_default() += start.elapsed();
        result
    }

    /// Counts a part of one phase as another.
    pub fn split(&self, whole: Phase, part: Phase, time: Duration) {
        let mut phases = self.phases();
        let whole = phases.entry(whole).or_default();
        let time = time.min(*whole);
        *whole -= time;
        *phases.entry(part).or_default() += time;
    }

    /// A table; accounts for the whole time.
    pub fn table(&self) -> String {
        let total = self.start.elapsed();
        let phases = self.phases();
        let known: Duration = phases.values().sum();
        let outside: Duration = [Phase::Run, Phase::States, Phase::Environment]
            .iter()
            .filter_map(|phase| phases.get(phase))
            .sum();
        let mut lines: Vec<String> =
            phases.iter().map(|(phase, time)| row(phase.name(), *time)).collect();
        lines.push(row("other", total.saturating_sub(known)));
        lines.push(row("total", total));
        lines.push(row("nbc's own share", total.saturating_sub(outside)));
        lines.join("\n")
    }
}

fn row(name: &str, time: Duration) -> String {
    format!("{name:<24}{:>10.1} ms", time.as_secs_f64() * 1000.0)
}
