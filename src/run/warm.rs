//! Warm starts: notebooks that share an environment are forked from one process, which holds the interpreter,
//! the engine and the packages that all of them import.
//!
//! In: plans, as for [`execute()`](super::execute()). Out: the same executions. A notebook for which a fork could
//! differ from a process of its own gets one, and so does every notebook whose warm process fails.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::execute::{Execution, HostFacts, Watch, WatchedConversation, execute};
use super::observer::Observer;
use super::plan::{NOTEBOOK_FOLDER, RunPlan};
use super::protocol::{Engine, OutputLimits};
use crate::notebook::{CellKind, Format, Notebook};
use crate::process::{Access, Mount, Sandbox, SandboxError, Slot, Traffic, Warm};
use crate::python::{self, Mode};

/// Most slots of one warm process: each notebook has file systems of its own, which are made before the first one runs.
const MOST_SLOTS: usize = 64;
/// Fewest slots of a warm process, which takes about as long to start as a cold one.
const FEWEST_SLOTS: usize = 2;
/// Most warm processes that are tried for one batch.
const MOST_TRIES: u32 = 4;
/// Longest wait for an answer of a warm process; after that it is given up.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest time for the import of packages.
const IMPORT_TIME: Duration = Duration::from_secs(60);
/// Longest answer of a warm process.
const LONGEST_ANSWER: u32 = 1 << 20;

/// Words of a notebook that looks at what is loaded, or at other processes: a fork would show it something else.
const LOOKS_AROUND: [&str; 12] = [
    "sys.modules",
    "modules[",
    "gc.",
    "prlimit",
    "psutil",
    "getppid",
    "getpgid",
    "getsid",
    "process_time",
    "tracemalloc",
    "mountinfo",
    "/proc/",
];
/// Words of a notebook that may change what an import does: its packages are imported when it says so.
const ACTS_ON_IMPORTS: [&str; 15] = [
    "environ",
    "putenv",
    "%env",
    "%set_env",
    "sys.path",
    "sys.meta_path",
    "sys.std",
    "importlib",
    "__import__",
    "builtins",
    "logging",
    "\"error\"",
    "'error'",
    "\"always\"",
    "'always'",
];
/// Modules of Python itself that notebooks import most: they cost nothing, and would only part notebooks.
#[rustfmt::skip]
const CHEAP: [&str; 40] = [
    "__future__", "abc", "argparse", "ast", "asyncio", "base64", "bisect", "collections",
    "contextlib", "copy", "csv", "dataclasses", "datetime", "decimal", "enum", "fractions",
    "functools", "glob", "hashlib", "heapq", "html", "io", "itertools", "json", "math", "operator",
    "os", "pathlib", "pprint", "random", "re", "statistics", "string", "sys", "tempfile",
    "textwrap", "time", "typing", "uuid", "warnings",
];

/// State shared by all warm processes of a build: packages that they must not import, and kinds that do not start.
#[derive(Debug, Default)]
pub struct WarmPool {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Packages that may not be imported before a fork, by kind of process.
    left_out: BTreeMap<String, BTreeSet<String>>,
    /// Kinds of processes that could not be had at all.
    hopeless: BTreeSet<String>,
}

/// Notebooks that run one after the other, as forks of one process if there are enough of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Their places in the list that was given.
    pub members: Vec<usize>,
    /// Packages that are imported before the first fork.
    packages: BTreeSet<String>,
    /// Kind of their warm process; `None`: each notebook gets a process of its own.
    kind: Option<String>,
}

/// Requirements of a notebook on its warm process.
#[derive(Debug, Clone, PartialEq, Eq)]
struct WarmRequest {
    /// Notebooks with equal kinds can share a warm process.
    kind: String,
    /// Packages that it imports whatever its cells do.
    packages: BTreeSet<String>,
}

impl WarmPool {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Parts notebooks into batches, for as many workers.
    pub fn batches(
        &self,
        sandbox: &Sandbox,
        notebooks: &[(&RunPlan, &Notebook)],
        workers: usize,
    ) -> Vec<Batch> {
        let mut cold = Vec::new();
        let mut kinds: BTreeMap<String, Vec<(usize, BTreeSet<String>)>> = BTreeMap::new();
        for (place, (plan, notebook)) in notebooks.iter().enumerate() {
            match request(plan, notebook).filter(|_| sandbox.has_slots()) {
                Some(it) => kinds.entry(it.kind).or_default().push((place, it.packages)),
                None => cold.push(place),
            }
        }
        let mut batches = Vec::new();
        // A warm process runs its notebooks one after the other, so no worker may wait for another's.
        let number: usize = kinds.values().map(Vec::len).sum();
        let share = number.div_ceil(workers.max(1)).clamp(1, MOST_SLOTS);
        for (kind, members) in kinds {
            for (packages, members) in groups(members) {
                for members in members.chunks(share) {
                    if members.len() < FEWEST_SLOTS {
                        cold.extend(members);
                        continue;
                    }
                    let (members, packages) = (members.to_vec(), packages.clone());
                    batches.push(Batch { members, packages, kind: Some(kind.clone()) });
                }
            }
        }
        let alone = |place| Batch { members: vec![place], packages: BTreeSet::new(), kind: None };
        batches.extend(cold.into_iter().map(alone));
        batches.sort_by(|one, other| one.members.cmp(&other.members));
        batches
    }
}

/// Parts notebooks so that whatever is imported before a fork is imported by each of its group: a module that is
/// there although the notebook never asked for it can be seen, and changes what others do.
fn groups(mut members: Vec<(usize, BTreeSet<String>)>) -> Vec<(BTreeSet<String>, Vec<usize>)> {
    let mut groups: BTreeMap<BTreeSet<String>, Vec<usize>> = BTreeMap::new();
    for (place, packages) in &members {
        groups.entry(packages.clone()).or_default().push(*place);
    }
    groups.retain(|_, places| places.len() >= FEWEST_SLOTS);
    members.retain(|(_, packages)| !groups.contains_key(packages));
    // The others are grouped by their most common package, with all other packages that they share.
    loop {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for name in members.iter().flat_map(|(_, packages)| packages) {
            *counts.entry(name).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count);
        let Some((name, FEWEST_SLOTS..)) = most else { break };
        let name = name.to_owned();
        let (with, without): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|(_, packages)| packages.contains(&name));
        let shared = with.iter().map(|(_, packages)| packages.clone());
        let shared = shared.reduce(|one, other| &one & &other).unwrap_or_default();
        groups.entry(shared).or_default().extend(with.into_iter().map(|(place, _)| place));
        members = without;
    }
    if !members.is_empty() {
        let rest = members.into_iter().map(|(place, _)| place);
        groups.entry(BTreeSet::new()).or_default().extend(rest);
    }
    for places in groups.values_mut() {
        places.sort_unstable();
    }
    groups.into_iter().collect()
}

/// Requirements of a notebook on a warm process; `None` when it needs a process of its own.
fn request(plan: &RunPlan, notebook: &Notebook) -> Option<WarmRequest> {
    let openings = &plan.job.openings;
    let is_closed =
        openings.hosts.is_empty() && openings.variables.is_empty() && openings.files.is_empty();
    let (_, rest) = slot(plan)?;
    // A slot covers everything below its places.
    let is_covered = |it: &Mount| {
        ["/tmp", "/dev/shm", NOTEBOOK_FOLDER].iter().any(|place| it.inside.starts_with(place))
    };
    if !is_closed || rest.iter().any(is_covered) {
        return None;
    }
    let codes = || {
        let cells = notebook.cells.iter();
        cells.filter(|it| !matches!(it.kind, CellKind::Markdown | CellKind::Raw))
    };
    let says = |words: &[&str]| codes().any(|it| words.iter().any(|word| it.code.contains(word)));
    if says(&LOOKS_AROUND) {
        return None;
    }
    let kind = (
        (&plan.job.program, &plan.job.arguments, &plan.job.environment, rest),
        (&plan.job.limits, plan.start.engine, &plan.start.overlays),
        openings.hidden.iter().filter(|it| !it.starts_with(NOTEBOOK_FOLDER)).collect::<Vec<_>>(),
    );
    let kind = serde_json::to_string(&kind).ok()?;
    let mut packages = BTreeSet::new();
    if !says(&ACTS_ON_IMPORTS) {
        let mode = match notebook.format {
            Format::Marimo => Mode::Python,
            Format::Jupyter => Mode::Ipython,
        };
        let run = codes().filter(|it| {
            let is_code = matches!(it.kind, CellKind::Code | CellKind::Setup);
            is_code && !it.options.disabled && !it.options.skip_execution
        });
        packages = run.flat_map(|it| python::imports(&it.code, mode)).collect();
        packages.retain(|it| {
            let top = it.split('.').next().unwrap_or(it);
            !CHEAP.contains(&top) && !is_of_engine(top, plan.start.engine)
        });
    }
    Some(WarmRequest { kind, packages })
}

fn is_of_engine(top: &str, engine: Engine) -> bool {
    match engine {
        Engine::Marimo => top == "marimo",
        Engine::Ipython | Engine::Jupyter => top == "IPython",
        Engine::Plain => false,
    }
}

/// The slot of a notebook, and the mounts that it shares with others.
fn slot(plan: &RunPlan) -> Option<(Slot, Vec<Mount>)> {
    let is_own = |it: &&Mount| it.inside == NOTEBOOK_FOLDER && it.access == Access::Overlay;
    let mount = plan.job.mounts.iter().find(is_own)?.clone();
    let rest = plan.job.mounts.iter().filter(|it| !is_own(it)).cloned().collect();
    Some((Slot { mount, hidden: plan.job.openings.hidden.clone() }, rest))
}

/// Runs the notebooks of one batch, as forks of a warm process where that can be had.
#[derive(Debug)]
pub struct BatchRun<'a> {
    pool: &'a WarmPool,
    sandbox: &'a Sandbox,
    batch: &'a Batch,
    plans: Vec<&'a RunPlan>,
    process: Option<WarmProcess>,
    tries: u32,
    /// Number of notebooks that ran as forks.
    warm: usize,
    remarks: Vec<String>,
}

/// A warm process, and the first notebook that it has a slot for.
#[derive(Debug)]
struct WarmProcess {
    warm: Warm,
    first: usize,
}

#[derive(Serialize)]
#[serde(tag = "command", rename_all = "snake_case")]
enum Order<'a> {
    Warm {
        overlays: &'a [camino::Utf8PathBuf],
        engine: Engine,
        packages: Vec<&'a str>,
        folder: &'a str,
        limits: OutputLimits,
    },
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
enum Answer {
    Warm { left_out: Vec<(String, String)> },
    Fit {},
    Unfit { why: String },
    Fatal { message: String },
}

impl<'a> BatchRun<'a> {
    /// Starts nothing yet. `plans` are those of the whole list that the batch is a part of.
    pub fn new(
        pool: &'a WarmPool,
        sandbox: &'a Sandbox,
        batch: &'a Batch,
        plans: &[&'a RunPlan],
    ) -> Self {
        let plans = batch.members.iter().filter_map(|it| plans.get(*it).copied()).collect();
        Self { pool, sandbox, batch, plans, process: None, tries: 0, warm: 0, remarks: vec![] }
    }

    /// Number of notebooks that ran as forks so far.
    pub fn forked(&self) -> usize {
        self.warm
    }

    /// Reasons why notebooks did not start warm.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Runs the notebook at this place of the batch; the places are to come in order, and each once.
    ///
    /// # Errors
    /// The same as [`execute()`](super::execute()).
    pub fn execute(
        &mut self,
        place: usize,
        notebook: &Notebook,
        observer: &mut dyn Observer,
    ) -> Result<Execution, SandboxError> {
        let Some(plan) = self.plans.get(place).copied() else {
            let source = io::ErrorKind::InvalidInput.into();
            let console = String::new();
            return Err(SandboxError::StageFailed { step: "finding a plan", console, source });
        };
        // The last ones of a batch that lost its process are not worth another one.
        if self.process.is_none() && self.plans.len().saturating_sub(place) >= FEWEST_SLOTS {
            self.process = self.start(place);
        }
        if let Some(process) = self.process.take() {
            let (forked, process) = process.fork(place, plan, notebook, observer);
            self.process = process;
            match forked {
                Ok(execution) => {
                    self.warm += 1;
                    return Ok(execution);
                }
                Err(why) => self.remarks.push(format!("a process of its own: {why}")),
            }
        }
        execute(plan, self.sandbox, notebook, observer)
    }

    /// Starts a warm process for the notebooks from this place on; `None` when that cannot be had.
    fn start(&mut self, first: usize) -> Option<WarmProcess> {
        let kind = self.batch.kind.as_ref()?;
        while self.tries < MOST_TRIES {
            self.tries += 1;
            let state = self.pool.state();
            if state.hopeless.contains(kind) {
                return None;
            }
            let left_out = state.left_out.get(kind).cloned().unwrap_or_default();
            drop(state);
            let packages = self.batch.packages.difference(&left_out).map(String::as_str).collect();
            match WarmProcess::start(self.sandbox, self.plans.get(first..)?, first, packages) {
                Ok((process, refused)) if refused.is_empty() => return Some(process),
                Ok((_, refused)) => {
                    for (name, why) in &refused {
                        self.remarks
                            .push(format!("`{name}` is not imported before a fork: it {why}"));
                    }
                    let mut state = self.pool.state();
                    let known = state.left_out.entry(kind.clone()).or_default();
                    known.extend(refused.into_iter().map(|(name, _)| name));
                }
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    self.remarks
                        .push(format!("no warm start: {error} {}", cause.unwrap_or_default()));
                    self.pool.state().hopeless.insert(kind.clone());
                    return None;
                }
            }
        }
        None
    }
}

impl WarmProcess {
    /// Gives the process, and the packages that it refused, with the reason.
    fn start(
        sandbox: &Sandbox,
        plans: &[&RunPlan],
        first: usize,
        packages: Vec<&str>,
    ) -> io::Result<(WarmProcess, Vec<(String, String)>)> {
        let plan = plans.first().ok_or(io::ErrorKind::InvalidInput)?;
        let slots = plans.iter().filter_map(|it| slot(it)).map(|(slot, _)| slot).collect();
        let mut job = plan.job.clone();
        job.mounts = slot(plan).map(|(_, rest)| rest).unwrap_or_default();
        // Mounts of the slots come with them.
        job.openings.hidden.retain(|it| !it.starts_with(NOTEBOOK_FOLDER));
        job.working_folder = "/".into();
        let warm = sandbox.start_warm(&job, slots).map_err(io::Error::other)?;
        let channel = warm.channel()?;
        let order = Order::Warm {
            overlays: &plan.start.overlays,
            engine: plan.start.engine,
            packages,
            folder: NOTEBOOK_FOLDER,
            limits: plan.start.limits,
        };
        say(&channel, &order)?;
        let _interruptible = Watch::start(warm.killer(), IMPORT_TIME, IMPORT_TIME);
        match hear(&channel, IMPORT_TIME)? {
            Answer::Warm { left_out } => Ok((WarmProcess { warm, first }, left_out)),
            Answer::Fatal { message } => Err(io::Error::other(message)),
            Answer::Fit {} | Answer::Unfit { .. } => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Runs one notebook; gives the process back if it can be forked again. No execution means that this
    /// notebook needs a process of its own, or that the warm one failed before the notebook began.
    fn fork(
        self,
        place: usize,
        plan: &RunPlan,
        notebook: &Notebook,
        observer: &mut dyn Observer,
    ) -> (Result<Execution, String>, Option<WarmProcess>) {
        let Some(slot) = place.checked_sub(self.first) else {
            return (Err("it has no slot".to_owned()), Some(self));
        };
        let attached = match self.warm.enter(slot) {
            Ok(attached) => attached,
            Err(error) => return (Err(error.to_string()), None),
        };
        let channel = match self.warm.open_channel().and_then(|channel| {
            let answer = hear(&channel, PATIENCE)?;
            Ok((channel, answer))
        }) {
            Ok((channel, Answer::Fit {})) => channel,
            Ok((_, Answer::Unfit { why })) => {
                let is_cleared = attached.clear().is_ok();
                return (Err(format!("its folder has `{why}`")), is_cleared.then_some(self));
            }
            Ok(_) => return (Err("its fork said something else".to_owned()), None),
            Err(error) => return (Err(error.to_string()), None),
        };
        let conversation = WatchedConversation::hold(
            plan,
            &plan.start,
            Ok(channel),
            &self.warm.killer(),
            observer,
        );
        let masks = self.warm.relocation().masks();
        let facts =
            HostFacts { masks, layers: self.warm.layers().to_vec(), traffic: Traffic::default() };
        // A process that breaks the protocol, or cannot go on, must not decide when the build goes on.
        let cleared = if conversation.is_broken() { None } else { attached.clear().ok() };
        match cleared {
            Some(ended) => (Ok(conversation.conclude(&ended, plan, notebook, facts)), Some(self)),
            None => {
                self.warm.killer().kill();
                let ended = self.warm.wait();
                (Ok(conversation.conclude(&ended, plan, notebook, facts)), None)
            }
        }
    }
}

fn say(mut channel: &UnixStream, order: &Order<'_>) -> io::Result<()> {
    let body = serde_json::to_vec(order)?;
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    channel.write_all(&length.to_be_bytes())?;
    channel.write_all(&body)
}

fn hear(mut channel: &UnixStream, patience: Duration) -> io::Result<Answer> {
    channel.set_read_timeout(Some(patience))?;
    let mut length = [0; 4];
    channel.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > LONGEST_ANSWER {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = Vec::new();
    channel.take(u64::from(length)).read_to_end(&mut body)?;
    channel.set_read_timeout(None)?;
    Ok(serde_json::from_slice(&body)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|it| (*it).to_owned()).collect()
    }

    #[test]
    fn nothing_is_imported_that_a_notebook_of_the_group_does_not_ask_for() {
        let sets = [
            &["numpy", "pandas"][..],
            &["pandas", "numpy"],
            &["numpy"],
            &["numpy", "altair"],
            &["polars"],
            &[],
        ];
        let members: Vec<_> = sets.iter().map(|it| set(it)).enumerate().collect();
        let groups = groups(members.clone());
        assert_eq!(
            groups,
            [
                (set(&[]), vec![4, 5]),
                (set(&["numpy"]), vec![2, 3]),
                (set(&["numpy", "pandas"]), vec![0, 1]),
            ]
        );
        for (packages, places) in groups {
            let asked = members.iter().filter(|(place, _)| places.contains(place));
            assert!(asked.into_iter().all(|(_, asked)| packages.is_subset(asked)));
        }
    }
}
