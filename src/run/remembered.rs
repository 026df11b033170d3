//! Phase 5 without Python: the run of an earlier build that saw exactly the same.
//!
//! Nothing outside of the key is visible in the sandbox, so a record that is found is the one that a run would give. A
//! record out of the cache is as hostile as one from a runner.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use super::execute::Execution;
use super::plan::{RUNNER_FOLDER, RunPlan};
use super::protocol::PROTOCOL_VERSION;
use super::record::{CellStatus, Loss, RECORD_VERSION, RunRecord};
use super::runner::RUNNER_FILES;
use super::sweep::SweepPlan;
#[cfg(doc)]
use crate::cache;
use crate::cache::{Cache, Key, KeyBuilder, Kind, Pending, Trees, UncachedTree, is_unchanged};
use crate::environment::Environment;
use crate::notebook::Notebook;
use crate::process::{Layer, Mount};

/// Parts of a run that are kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remembered {
    /// Layers of isolation that were active.
    pub layers: Vec<Layer>,
    /// Paths of the host with their replacements, see [`Execution::masks`].
    pub masks: Vec<(String, String)>,
    /// Results of the cells.
    pub record: RunRecord,
}

/// Reasons why a run is neither looked for in the cache nor kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// Another day gives something else, or it knew a secret.
    #[error("it may reach hosts, or knows variables or secrets")]
    Opened,
    /// The contents of its environment are unknown.
    #[error("what its environment holds cannot be told")]
    UnknownEnvironment,
    /// A file that it can read has no digest.
    #[error("what it can read has no digest: {0}")]
    Tree(#[from] UncachedTree),
}

/// The parts of a run's key: names, each with a value or the digest of one. Everything that decides is in a part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Parts(BTreeMap<String, String>);

/// Longest value that stands in a part as it is.
const LONGEST_VALUE: usize = 160;
/// Begins the name of a part that is the digest of a tree; [`cache::listing`] has its files.
pub const FILES: &str = "files ";

impl Parts {
    /// The key.
    #[must_use]
    pub fn key(&self) -> Key {
        KeyBuilder::new("run").value("parts", &self.0).end()
    }

    /// The one part of a page whose outputs are stored in the notebook.
    #[must_use]
    pub fn of_stored(notebook: &Key) -> Self {
        Self([("notebook, with its outputs".to_owned(), notebook.as_str().to_owned())].into())
    }

    /// The parts, by name.
    #[must_use]
    pub fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    fn text(&mut self, name: &str, text: &str) {
        self.0.insert(name.to_owned(), text.to_owned());
    }

    /// Adds a value as JSON; of a long one its digest, which is no JSON and so never taken for a value.
    fn value(&mut self, name: &str, value: &impl Serialize) {
        // A value without JSON, such as a map with keys that are no text, is no part of any key.
        let json = serde_json::to_string(value).unwrap_or_default();
        let value = match json.len() <= LONGEST_VALUE {
            true => json,
            false => {
                format!("sha256:{}", KeyBuilder::new("part").text("json", &json).end().as_str())
            }
        };
        self.0.insert(name.to_owned(), value);
    }

    /// Adds each field of a value by itself.
    fn fields(&mut self, name: &str, value: &impl Serialize) {
        match serde_json::to_value(value) {
            Ok(serde_json::Value::Object(fields)) => {
                for (field, value) in fields {
                    self.value(&format!("{name} {field}"), &value);
                }
            }
            _ => self.value(name, value),
        }
    }
}

/// The parts of the key of a run: everything that the sandbox shows and passes. Not in it, though a run could see them: the
/// times of files, the number of cores and the model of the processor, and how many states run at once.
///
/// # Errors
/// When not everything can be told beforehand; see [`NotKept`].
pub fn parts(
    plan: &RunPlan,
    environment: &Environment,
    isolation: &[&str],
    cache: &Cache,
    trees: &Trees,
) -> Result<Parts, NotKept> {
    let openings = &plan.job.openings;
    let is_closed =
        openings.hosts.is_empty() && openings.variables.is_empty() && openings.files.is_empty();
    if !is_closed {
        return Err(NotKept::Opened);
    }
    let identity = environment.identity.as_ref().ok_or(NotKept::UnknownEnvironment)?;
    let mut start = plan.start.clone();
    start.replays = 0;
    let sweep = start.sweep.take().map(|it| SweepPlan { jobs: 0, ..it });
    let job = &plan.job;
    let mut parts = Parts::default();
    parts.text("nbc", env!("CARGO_PKG_VERSION"));
    parts.value("formats", &(RECORD_VERSION, PROTOCOL_VERSION));
    parts.value("runner", &RUNNER_FILES);
    parts.value("isolation", &isolation);
    parts.fields("environment", identity);
    parts.text("program", job.program.as_str());
    parts.value("arguments", &job.arguments);
    parts.fields("variable", &job.environment);
    parts.text("folder", job.working_folder.as_str());
    parts.fields("limit", &job.limits);
    parts.value("limit cell-time", &plan.cell_time);
    parts.fields("notebook", &start);
    parts.fields("sweep", &sweep);
    for mount in &job.mounts {
        let is_known =
            environment.mounts.contains(mount) || mount.inside.starts_with(RUNNER_FOLDER);
        parts.value(&format!("mount {}", mount.inside), &mount.access);
        if is_known {
            continue;
        }
        // Without a view, the run sees what is hidden elsewhere.
        let has_view = isolation.iter().any(|it| VIEWS.contains(it));
        let (hidden, apart) = match has_view {
            true => (below(&plan.job.openings.hidden, mount), below(&plan.apart, mount)),
            false => (Vec::new(), Vec::new()),
        };
        let mut left_out: Vec<_> = hidden.iter().chain(&apart).cloned().collect();
        left_out.sort();
        left_out.dedup();
        let tree = trees.digest(cache, &mount.host, &left_out)?;
        parts.text(&format!("{FILES}{}", mount.inside), tree.as_str());
        for path in apart.iter().filter(|it| hidden.binary_search(it).is_err()) {
            let name = path.strip_prefix(&mount.host).unwrap_or(path);
            let digest = trees.digest(cache, path, &[])?;
            parts.text(&format!("file {}", mount.inside.join(name)), digest.as_str());
        }
    }
    Ok(parts)
}

/// Layers, or levels, that show a run its own files and no others.
const VIEWS: [&str; 3] = ["strict", "mount namespace", "landlock"];

/// Paths of the host for those of some paths inside that lie below a mount.
fn below(inside: &[Utf8PathBuf], mount: &Mount) -> Vec<Utf8PathBuf> {
    let below =
        inside.iter().filter_map(|it| Some(mount.host.join(it.strip_prefix(&mount.inside).ok()?)));
    let mut below: Vec<_> = below.collect();
    below.sort();
    below
}

/// The run of a key, if an earlier build kept it.
#[must_use]
pub fn find(cache: &Cache, key: &Key) -> Option<Remembered> {
    let found: Remembered = serde_json::from_slice(&cache.get(Kind::Run, key)?).ok()?;
    (found.record.version == RECORD_VERSION).then_some(found)
}

/// Prepares a run to be kept, if another one would give the same: not one that failed, was cut, or lost a state to
/// its time.
#[must_use]
pub fn prepare(
    cache: &Cache,
    key: &Key,
    execution: &Execution,
    notebook: &Notebook,
) -> Option<Pending> {
    let record = execution.record.as_ref()?;
    let is_failure = record.cells.iter().any(|(id, run)| {
        let is_expected = notebook.cell(*id).is_some_and(|it| it.options.raises_exception);
        matches!(run.status, CellStatus::Failed { .. }) && !is_expected
    });
    let is_lost = record.sweep.as_ref().is_some_and(|sweep| {
        let by_chance = |why| matches!(why, Loss::Time | Loss::End | Loss::Process);
        sweep.is_cut || sweep.lost.iter().any(|it| by_chance(it.why))
    });
    if is_failure || is_lost || !execution.diagnostics.is_empty() {
        return None;
    }
    let remembered = Remembered {
        layers: execution.layers.clone(),
        masks: execution.masks.clone(),
        record: record.clone(),
    };
    cache.prepare(Kind::Run, key, &serde_json::to_vec(&remembered).ok()?)
}

/// Runs of this build, until it is known that nothing changed that they may have read before or after.
#[derive(Debug, Default)]
pub struct Unchecked {
    state: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: Vec<Pending>,
    /// Time of the last comparison, and its duration.
    checked: Option<(Instant, Duration)>,
}

/// Largest share of a build's time that comparing takes: one part of so many.
const PART: u32 = 20;

impl Unchecked {
    /// Adds a run, and compares if it was long ago.
    pub fn add(&self, entry: Pending, cache: &Cache, trees: &Trees) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.entries.push(entry);
        let is_due = state.checked.is_none_or(|(at, took)| at.elapsed() >= took * PART);
        if is_due {
            state.check(cache, trees);
        }
    }

    /// Compares; runs that may have read something else are not kept.
    pub fn end(&self, cache: &Cache, trees: &Trees) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).check(cache, trees);
    }
}

impl Waiting {
    fn check(&mut self, cache: &Cache, trees: &Trees) {
        if self.entries.is_empty() {
            return;
        }
        let start = Instant::now();
        let entries = std::mem::take(&mut self.entries);
        if is_unchanged(cache, &trees.read()) {
            entries.into_iter().for_each(|it| cache.commit(it));
        } else {
            trees.give_up();
        }
        self.checked = Some((Instant::now(), start.elapsed()));
    }
}
