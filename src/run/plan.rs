//! Phase 4: graph and environment to a [`RunPlan`].
//!
//! In: a notebook that can be run, its environment, grants and bounds. Out: the job for the sandbox and the
//! first message to the runner. Never starts a process.

use std::collections::BTreeMap;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::grants::AppliedGrants;
use super::hidden;
pub(super) use super::protocol::NOTEBOOK_FOLDER;
use super::protocol::{OutputLimits, Start};
use super::sweep::SweepPlan;
use crate::environment::Environment;
use crate::graph::RunnableGraph;
use crate::notebook::Notebook;
use crate::process::{Access, Job, Limits, Mount};

/// Name of the environment variable that tells the runner the number of its descriptor.
pub const CHANNEL_VARIABLE: &str = "NBC_CHANNEL";

/// Path of the runner's files inside the sandbox.
pub(super) const RUNNER_FOLDER: &str = "/runner";

/// Effect of a failing cell on the cells after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// The build fails; a Jupyter notebook is not run further.
    Stop,
    /// The run goes on, and the page says where a cell failed.
    Continue,
}

/// Paths on the host of a notebook and of the runner that runs it.
#[derive(Debug, Clone, Copy)]
pub struct HostPaths<'a> {
    /// The notebook, absolute.
    pub notebook: &'a Utf8Path,
    /// The folder with the runner's files.
    pub runner: &'a Utf8Path,
}

/// Every bound of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Bounds that the sandbox enforces.
    pub process: Limits,
    /// Wall-clock time of one cell.
    pub cell: Duration,
    /// Bounds of the outputs.
    pub outputs: OutputLimits,
    /// Bounds of its states; `None`: no state is run.
    pub sweep: Option<SweepPlan>,
}

/// Everything that decides the result of a run.
#[derive(Debug)]
pub struct RunPlan {
    /// Job for the sandbox.
    pub job: Job,
    /// First message to the runner.
    pub start: Start,
    /// Wall-clock time of one cell.
    pub cell_time: Duration,
    /// Of the paths inside that the run sees, those that another notebook of the folder does not: their digests are
    /// taken one by one, so that all notebooks have the rest in common.
    pub apart: Vec<Utf8PathBuf>,
}

/// Plans the one run of a notebook.
pub fn plan(
    notebook: &Notebook,
    graph: &RunnableGraph,
    environment: &Environment,
    places: HostPaths<'_>,
    bounds: Bounds,
    on_error: OnError,
    opened: AppliedGrants,
) -> RunPlan {
    let folder = places.notebook.parent().unwrap_or(places.notebook);
    let file_name = places.notebook.file_name().unwrap_or("notebook");
    let mount = |host: &Utf8Path, inside: &str, access| Mount {
        host: host.to_owned(),
        inside: inside.into(),
        access,
    };
    let mut mounts = environment.mounts.clone();
    mounts.push(mount(folder, NOTEBOOK_FOLDER, Access::Overlay));
    mounts.push(mount(places.runner, RUNNER_FOLDER, Access::ReadOnly));
    let mut openings = opened.openings;
    let expected = hidden::expected().map(|it| Utf8Path::new(NOTEBOOK_FOLDER).join(it));
    openings
        .hidden
        .extend(expected.filter(|it| !opened.mounts.iter().any(|mount| mount.inside == *it)));
    mounts.extend(opened.mounts);
    let mut environment_variables = variables(environment);
    let given = opened.variables.into_iter();
    environment_variables.extend(given.map(|(name, value)| (name.to_owned(), value)));
    let job = Job {
        program: environment.program.clone(),
        // A user's own packages do not come before the environment's; `main.py` sees to its folder by itself, since
        // Python 3.10 has no `-P`.
        arguments: ["-s", "-B", "/runner/main.py"].map(str::to_owned).to_vec(),
        environment: environment_variables,
        mounts,
        working_folder: NOTEBOOK_FOLDER.into(),
        limits: bounds.process,
        openings,
    };
    let file = Utf8PathBuf::from(NOTEBOOK_FOLDER).join(file_name);
    let mut start = Start::new(notebook, &graph.graph().order, file);
    start.overlays.clone_from(&environment.overlays);
    start.allow_errors = on_error == OnError::Continue;
    start.limits = bounds.outputs;
    start.replays = bounds.sweep.as_ref().map_or(0, |it| it.jobs);
    start.sweep = bounds.sweep;
    RunPlan { job, start, cell_time: bounds.cell, apart: opened.apart }
}

/// The whole environment of a run: the same on every machine.
fn variables(environment: &Environment) -> BTreeMap<String, String> {
    let folder = environment.program.parent().map(ToString::to_string).unwrap_or_default();
    let fixed = [
        (CHANNEL_VARIABLE, "3"),
        ("HOME", "/tmp"),
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("TZ", "UTC"),
        ("PYTHONHASHSEED", "0"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PYTHONNOUSERSITE", "1"),
        ("MPLBACKEND", "Agg"),
        ("MPLCONFIGDIR", "/tmp"),
        // Fontconfig and others would look for a cache in a home that is not there.
        ("XDG_CACHE_HOME", "/tmp"),
        ("TMPDIR", "/tmp"),
        // The first moment that a zip file can hold, unless the user names another one.
        (super::grants::SOURCE_DATE, "315532800"),
    ];
    fixed
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .chain([("PATH".to_owned(), format!("{folder}:/usr/local/bin:/usr/bin:/bin"))])
        .collect()
}
