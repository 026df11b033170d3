//! Phase 5 without Python: the run of an earlier build that saw exactly the same.
//!
//! What is not in the key is not in the sandbox, so a record that is found is the one that a run would give. A
//! record out of the cache is as hostile as one from a runner.

use serde::{Deserialize, Serialize};

use super::execute::Execution;
use super::plan::RUNNER_FOLDER;
use super::protocol::PROTOCOL_VERSION;
use super::record::{CellStatus, Loss, RECORD_VERSION};
use super::{RUNNER_FILES, RunPlan, RunRecord};
use crate::cache::{Cache, Key, KeyBuilder, Kind, Trees, UncachedTree};
use crate::environment::Environment;
use crate::notebook::Notebook;
use crate::process::{Layer, Mount};

/// What is kept of a run.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remembered {
    /// Layers of isolation that were active.
    pub layers: Vec<Layer>,
    /// As in [`Execution::masks`].
    pub masks: Vec<(String, String)>,
    /// What the cells gave.
    pub record: RunRecord,
}

/// Why a run is not looked for, and not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// Another day gives something else, or it knew a secret.
    #[error("it may reach hosts, or knows variables or secrets")]
    Opened,
    /// Nobody knows what is in its environment.
    #[error("what its environment holds cannot be told")]
    UnknownEnvironment,
    /// What it can read has no digest.
    #[error("what it can read has no digest: {0}")]
    Tree(#[from] UncachedTree),
}

/// The key of a run: everything that the sandbox shows and passes. Not in it, though a run could see them: the
/// times of files, the number of cores and the model of the processor, and how many states run at once.
///
/// # Errors
/// When not everything can be told beforehand; see [`NotKept`].
pub fn key(
    plan: &RunPlan,
    environment: &Environment,
    isolation: &[&str],
    cache: &Cache,
    trees: &Trees,
) -> Result<Key, NotKept> {
    let openings = &plan.job.openings;
    let is_closed =
        openings.hosts.is_empty() && openings.variables.is_empty() && openings.files.is_empty();
    if !is_closed {
        return Err(NotKept::Opened);
    }
    let identity = environment.identity.as_deref().ok_or(NotKept::UnknownEnvironment)?;
    let mut start = plan.start.clone();
    start.replays = 0;
    let sweep = start.sweep.take().map(|it| super::SweepPlan { jobs: 0, ..it });
    let job = &plan.job;
    let mut key = KeyBuilder::new("run")
        .text("nbc", env!("CARGO_PKG_VERSION"))
        .value("formats", &(RECORD_VERSION, PROTOCOL_VERSION))
        .value("runner", &RUNNER_FILES)
        .value("isolation", &isolation)
        .text("environment", identity)
        .text("program", job.program.as_str())
        .value("arguments", &job.arguments)
        .value("variables", &job.environment)
        .text("folder", job.working_folder.as_str())
        .value("limits", &(&job.limits, plan.cell_time))
        .value("start", &start)
        .value("sweep", &sweep);
    for mount in &job.mounts {
        let is_known =
            environment.mounts.contains(mount) || mount.inside.starts_with(RUNNER_FOLDER);
        key = key.value("mount", &(&mount.inside, mount.access));
        if !is_known {
            key = key.text("tree", trees.digest(cache, &mount.host, &hidden(plan, mount))?.as_str());
        }
    }
    Ok(key.end())
}

/// Paths of the host below a mount that the run does not see.
fn hidden(plan: &RunPlan, mount: &Mount) -> Vec<camino::Utf8PathBuf> {
    let inside = plan.job.openings.hidden.iter();
    inside.filter_map(|it| Some(mount.host.join(it.strip_prefix(&mount.inside).ok()?))).collect()
}

/// The run of a key, if an earlier build kept it.
#[must_use]
pub fn find(cache: &Cache, key: &Key) -> Option<Remembered> {
    let found: Remembered = serde_json::from_slice(&cache.get(Kind::Run, key)?).ok()?;
    (found.record.version == RECORD_VERSION).then_some(found)
}

/// Keeps a run, if another one would give the same: not one that failed, was cut, or lost a state to its time.
/// Tells whether it would.
pub fn keep(cache: &Cache, key: &Key, execution: &Execution, notebook: &Notebook) -> bool {
    let Some(record) = &execution.record else { return false };
    let is_failure = record.cells.iter().any(|(id, run)| {
        let is_expected = notebook.cell(*id).is_some_and(|it| it.options.raises_exception);
        matches!(run.status, CellStatus::Failed { .. }) && !is_expected
    });
    let is_lost = record.sweep.as_ref().is_some_and(|sweep| {
        let by_chance = |why| matches!(why, Loss::Time | Loss::End | Loss::Process);
        sweep.is_cut || sweep.lost.iter().any(|it| by_chance(it.why))
    });
    if is_failure || is_lost || !execution.diagnostics.is_empty() {
        return false;
    }
    let remembered = Remembered {
        layers: execution.layers.clone(),
        masks: execution.masks.clone(),
        record: record.clone(),
    };
    if let Ok(body) = serde_json::to_vec(&remembered) {
        cache.put(Kind::Run, key, &body);
    }
    true
}
