//! Phase 4: graph and environment to a [`RunPlan`].
//!
//! In: a notebook that can be run, and what to run it with. Out: the job for the sandbox and the
//! first message to the runner. Never starts a process.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use crate::environment::Environment;
use crate::graph::RunnableGraph;
use crate::notebook::{CellKind, Format, Notebook};
use crate::process::{Access, Job, Limits, Mount};
use crate::run::protocol::{self, Start, StartCell};

/// Where the notebook's folder appears inside the sandbox.
const NOTEBOOK_FOLDER: &str = "/nb";
/// Where the runner's files appear.
const RUNNER_FOLDER: &str = "/runner";

/// What a failing cell means for the cells after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// The build fails; a Jupyter notebook is not run further.
    Stop,
    /// The run goes on, and the page says where a cell failed.
    Continue,
}

/// Everything that decides what a run gives.
#[derive(Debug)]
pub struct RunPlan {
    /// For the sandbox.
    pub job: Job,
    /// For the runner.
    pub start: Start,
}

/// Plans a run. `folder` is the notebook's on the host, `runner` the folder with the runner's files.
pub fn plan(
    notebook: &Notebook,
    graph: &RunnableGraph,
    environment: &Environment,
    folder: &Utf8Path,
    file_name: &str,
    runner: &Utf8Path,
    limits: Limits,
    on_error: OnError,
) -> RunPlan {
    let mut mounts = environment.mounts.clone();
    mounts.push(Mount {
        host: folder.to_owned(),
        inside: NOTEBOOK_FOLDER.into(),
        access: Access::Overlay,
    });
    mounts.push(Mount {
        host: runner.to_owned(),
        inside: RUNNER_FOLDER.into(),
        access: Access::ReadOnly,
    });
    let job = Job {
        program: environment.program.clone(),
        arguments: vec![
            // Neither the working folder nor a user's own packages come before the environment's.
            "-P".to_owned(),
            "-s".to_owned(),
            "-B".to_owned(),
            format!("{RUNNER_FOLDER}/main.py"),
        ],
        environment: variables(environment),
        mounts,
        working_folder: NOTEBOOK_FOLDER.into(),
        limits,
    };
    let cells = notebook
        .cells()
        .filter(|(_, cell)| cell.kind.is_runnable())
        .map(|(id, cell)| StartCell {
            id,
            code: cell.code.clone(),
            kind: kind(cell.kind),
            name: cell.name.clone(),
            disabled: cell.options.disabled,
            raises_exception: cell.options.raises_exception,
            skip_execution: cell.options.skip_execution,
        })
        .collect();
    let start = Start {
        protocol: protocol::PROTOCOL_VERSION,
        engine: match notebook.format {
            Format::Marimo => protocol::Engine::Marimo,
            Format::Jupyter => protocol::Engine::Jupyter,
        },
        file: Utf8PathBuf::from(NOTEBOOK_FOLDER).join(file_name).into_string(),
        argv: Vec::new(),
        cells,
        order: graph.graph().order.clone(),
        overlays: environment.overlays.iter().map(ToString::to_string).collect(),
        seed: None,
        allow_errors: on_error == OnError::Continue,
        limits: protocol::OutputLimits::default(),
    };
    RunPlan { job, start }
}

fn kind(kind: CellKind) -> protocol::StartKind {
    match kind {
        CellKind::Setup => protocol::StartKind::Setup,
        CellKind::Function => protocol::StartKind::Function,
        CellKind::Class => protocol::StartKind::Class,
        CellKind::Code | CellKind::Unparsable | CellKind::Markdown | CellKind::Raw => {
            protocol::StartKind::Code
        }
    }
}

/// The whole environment of a run: the same on every machine.
fn variables(environment: &Environment) -> BTreeMap<String, String> {
    let folder = environment.program.parent().map(ToString::to_string).unwrap_or_default();
    let fixed = [
        ("HOME", "/tmp"),
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("TZ", "UTC"),
        ("PYTHONHASHSEED", "0"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PYTHONNOUSERSITE", "1"),
        ("PYTHONUNBUFFERED", "1"),
        ("MPLBACKEND", "Agg"),
        ("MPLCONFIGDIR", "/tmp"),
        // Fontconfig and others would look for a cache in a home that is not there.
        ("XDG_CACHE_HOME", "/tmp"),
        ("MARIMO_SKIP_UPDATE_CHECK", "1"),
        ("SOURCE_DATE_EPOCH", "0"),
    ];
    fixed
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .chain([("PATH".to_owned(), format!("{folder}:/usr/local/bin:/usr/bin:/bin"))])
        .collect()
}
