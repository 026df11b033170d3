//! Phase 5 against the real sandbox: starts the runner, talks to it, and turns what went wrong into
//! findings about the notebook.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest as _, Sha256};

use super::converse::{RunError, converse};
use super::observer::Observer;
use super::plan::RunPlan;
use super::protocol::{ProtocolError, Start};
use super::record::{CellRun, RunRecord};
use super::runner::RUNNER_FILES;
use super::sweep::Foreseen;
use crate::diagnostic::{Code, Diagnostic};
use crate::folder;
use crate::interrupt::Cancel;
use crate::notebook::{CellId, Notebook};
use crate::process::{Ended, Killer, Layer, Outcome, Refusal, Sandbox, SandboxError, Traffic};
use crate::source::Span;

/// The runner's files in a folder of the cache: it stays, so that a killed build leaves nothing new.
#[derive(Debug)]
pub struct RunnerFolder {
    path: Utf8PathBuf,
}

impl RunnerFolder {
    /// Finds the folder below `cache`, or writes it.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn below(cache: &Utf8Path) -> std::io::Result<Self> {
        let all: String =
            RUNNER_FILES.iter().map(|(name, text)| format!("{name}\n{text}\n")).collect();
        let path = cache.join("runner-1").join(digest(&all));
        if is_whole(&path) {
            return Ok(Self { path });
        }
        let parent = path.parent().unwrap_or(&path);
        crate::cache::make(parent, 0o755)?;
        let staging = tempfile::Builder::new().prefix("making-").tempdir_in(parent)?;
        let staged = Utf8PathBuf::from_path_buf(staging.path().join("runner"))
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::InvalidFilename))?;
        fs_err::create_dir(&staged)?;
        readable(&staged, 0o755)?;
        for (name, text) in RUNNER_FILES {
            let file = staged.join(name);
            let folder = file.parent().unwrap_or(&staged);
            let missing = folder.ancestors().take_while(|it| !it.is_dir());
            for it in missing.collect::<Vec<_>>().into_iter().rev() {
                fs_err::create_dir(it)?;
                readable(it, 0o755)?;
            }
            fs_err::write(&file, text)?;
            readable(&file, 0o644)?;
        }
        // This puts nothing in the place of a folder that holds something. Another build that was faster may have
        // mounted its own by now, which must not go away below its run.
        if std::fs::rename(&staged, &path).is_ok() || is_whole(&path) {
            return Ok(Self { path });
        }
        // Somebody changed the files.
        std::fs::rename(&path, staging.path().join("old"))?;
        match std::fs::rename(&staged, &path) {
            Err(error) if !is_whole(&path) => Err(error),
            _ => Ok(Self { path }),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }
}

/// Whether this folder holds the runner's files as they are in this nbc.
fn is_whole(path: &Utf8Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|it| it.is_dir())
        && RUNNER_FILES.iter().all(|(name, text)| {
            // A restored cache may hold a pipe, which is never written to, or a link to `/dev/zero`.
            folder::read(&path.join(name), text.len() as u64)
                .is_ok_and(|found| found == text.as_bytes())
        })
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Inside the sandbox nobody is the owner, and a user's umask may forbid others to read.
fn readable(path: &Utf8Path, mode: u32) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    let _ = (path, mode);
    Ok(())
}

/// The result of a run: its record, and facts about it.
#[derive(Debug)]
pub struct Execution {
    /// Results of the cells; `None` when the run broke off, and a finding says why.
    pub record: Option<RunRecord>,
    /// Findings about the run as a whole.
    pub diagnostics: Vec<Diagnostic>,
    /// Paths of the host that the run could see, each with the one that a page shows instead.
    pub masks: Vec<(String, String)>,
    /// The last words of the process itself: for the build log, not for the page.
    pub console: String,
    /// Layers of isolation that were active.
    pub layers: Vec<Layer>,
    /// CPU time of the process tree.
    pub cpu: Duration,
    /// Its requests to the network.
    pub traffic: Traffic,
}

/// Runs a notebook once.
///
/// # Errors
/// When the sandbox cannot be set up: that is no fault of the notebook.
pub fn execute(
    plan: &RunPlan,
    sandbox: &Sandbox,
    notebook: &Notebook,
    observer: &mut dyn Observer,
) -> Result<Execution, SandboxError> {
    let running = sandbox.start(&plan.job)?;
    let network = running.watch_network();
    let start = plan.start.relocated(running.relocation());
    let conversation =
        WatchedConversation::hold(plan, &start, running.channel(), &running.killer(), observer);
    if conversation.is_broken() {
        // A process that breaks the protocol, or cannot go on, must not decide when the build goes on.
        running.kill();
    }
    let masks = running.relocation().masks();
    let layers = running.layers().to_vec();
    let ended = running.wait();
    Ok(conversation.conclude(
        &ended,
        plan,
        notebook,
        HostFacts { masks, layers, traffic: network.traffic() },
    ))
}

/// Facts about a run that nbc found out by itself: nothing of it was said by the runner.
pub(super) struct HostFacts {
    pub(super) masks: Vec<(String, String)>,
    pub(super) layers: Vec<Layer>,
    pub(super) traffic: Traffic,
}

/// A conversation with the runner from its start to its end, under watch for time and interrupts.
pub(super) struct WatchedConversation {
    outcome: Result<RunRecord, RunError>,
    watch: Watch,
}

impl WatchedConversation {
    /// Has the runner on the other end of `channel` run the notebook.
    pub(super) fn hold(
        plan: &RunPlan,
        start: &Start,
        channel: std::io::Result<std::os::unix::net::UnixStream>,
        killer: &Killer,
        observer: &mut dyn Observer,
    ) -> WatchedConversation {
        let sweep_time = plan.start.sweep.as_ref().map_or(Duration::ZERO, |it| it.time);
        let watch = Watch::start(killer.clone(), plan.cell_time, sweep_time);
        let jobs = plan.start.sweep.as_ref().map_or(0, |it| it.jobs);
        let extend = || killer.allow(sweep_time, sweep_time.saturating_mul(jobs));
        let conversation = match channel {
            Ok(channel) => {
                converse(channel, start, &mut watch.observing(&extend, sweep_time, observer))
            }
            Err(error) => {
                Err(RunError::Broken { running: None, source: ProtocolError::Connection(error) })
            }
        };
        WatchedConversation { outcome: conversation, watch }
    }

    /// Whether the conversation ended early, or its sweep did: the runner said that it cannot go on, went away or broke
    /// the protocol.
    pub(super) fn is_broken(&self) -> bool {
        let is_cut = |it: &RunRecord| it.sweep.as_ref().is_some_and(|it| it.is_cut);
        self.outcome.as_ref().map_or(true, is_cut)
    }

    /// Builds the [`Execution`].
    pub(super) fn conclude(
        self,
        ended: &Ended,
        plan: &RunPlan,
        notebook: &Notebook,
        facts: HostFacts,
    ) -> Execution {
        let is_cell_too_slow = self.watch.end();
        let console = String::from_utf8_lossy(&ended.console).into_owned();
        let HostFacts { masks, layers, traffic } = facts;
        let mut diagnostics = refused_hosts(&traffic, notebook);
        let record = match self.outcome {
            Ok(record) => Some(record),
            Err(error) => {
                diagnostics.push(if is_cell_too_slow {
                    slow_cell(&error, plan, notebook)
                } else {
                    finding(&error, ended, plan, notebook)
                });
                None
            }
        };
        Execution { record, diagnostics, masks, console, layers, cpu: ended.cpu, traffic }
    }
}

/// Warnings about hosts that the notebook could not reach: its cells may have taken another way silently.
fn refused_hosts(traffic: &Traffic, notebook: &Notebook) -> Vec<Diagnostic> {
    let file = Span::new(notebook.source, 0, 0);
    let warning = |message| Diagnostic::warning(Code::RefusedHost, file, message);
    let refused = traffic.refused.iter().map(|(target, refusal)| match refusal {
        Refusal::NotNamed => warning(format!("the notebook may not reach `{target}`"))
            .with_help(format!("allow it with `--allow-net {target}`")),
        Refusal::PrivateAddress => {
            warning(format!("`{target}` leads to this machine or to a private network"))
                .with_help("name its address with `--allow-net` as well, if you mean it")
        }
    });
    let cut_off = traffic.is_cut_off.then(|| {
        let most = Traffic::MOST_BYTES >> 30;
        warning(format!("the notebook's network was cut off after {most} GiB"))
    });
    refused.chain(cut_off).collect()
}

/// Kills the run when it is cancelled, or when a cell takes too long.
pub(super) struct Watch {
    state: Arc<WatchState>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
struct WatchState {
    over: AtomicBool,
    is_cell_too_slow: AtomicBool,
    /// Start of the cell that is running.
    cell_since: Mutex<Option<Instant>>,
    /// Start of the sweep.
    sweep_since: Mutex<Option<Instant>>,
}

impl WatchState {
    fn cell_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.cell_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sweep_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.sweep_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    pub(super) fn start(killer: Killer, cell_time: Duration, sweep_time: Duration) -> Self {
        let state = Arc::new(WatchState::default());
        let seen = Arc::clone(&state);
        let cancel = Cancel::current();
        let thread = std::thread::Builder::new()
            .name("interrupt".to_owned())
            .spawn(move || {
                while !seen.over.load(Ordering::Relaxed) {
                    let is_slow = seen.cell_since().is_some_and(|it| it.elapsed() >= cell_time);
                    if is_slow {
                        seen.is_cell_too_slow.store(true, Ordering::Relaxed);
                    }
                    // States that have arrived by then are kept.
                    let is_swept = seen.sweep_since().is_some_and(|it| it.elapsed() >= sweep_time);
                    if is_slow || is_swept || cancel.is_cancelled() {
                        killer.kill();
                        return;
                    }
                    std::thread::park_timeout(Duration::from_millis(50));
                }
            })
            .ok();
        Self { state, thread }
    }

    /// Passes on what happens, and notes when a cell began.
    fn observing<'a>(
        &'a self,
        extend: &'a dyn Fn(),
        sweep_time: Duration,
        observer: &'a mut dyn Observer,
    ) -> Observing<'a> {
        Observing { state: &self.state, extend, sweep_time, observer }
    }

    /// Stops watching; tells whether a cell took too long.
    fn end(mut self) -> bool {
        self.stop();
        self.state.is_cell_too_slow.load(Ordering::Relaxed)
    }

    fn stop(&mut self) {
        self.state.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Observing<'a> {
    state: &'a WatchState,
    /// States have time of their own.
    extend: &'a dyn Fn(),
    sweep_time: Duration,
    observer: &'a mut dyn Observer,
}

impl Observer for Observing<'_> {
    fn engine_ready(&mut self) {
        self.observer.engine_ready();
    }

    fn cell_started(&mut self, cell: CellId) {
        *self.state.cell_since() = Some(Instant::now());
        self.observer.cell_started(cell);
    }

    fn cell_finished(&mut self, cell: CellId, run: &CellRun) {
        *self.state.cell_since() = None;
        self.observer.cell_finished(cell, run);
    }

    fn sweep_started(&mut self) {
        (self.extend)();
        *self.state.sweep_since() = Some(Instant::now());
        self.observer.sweep_started();
    }

    fn sweep_foreseen(&mut self, foreseen: Foreseen<'_>) {
        self.observer.sweep_foreseen(foreseen);
    }

    fn sweep_broke(&mut self, error: Option<&ProtocolError>) {
        let is_over = self.state.sweep_since().is_some_and(|it| it.elapsed() >= self.sweep_time);
        self.observer.sweep_broke(error.filter(|_| !is_over));
    }

    fn state_finished(&mut self, done: u64, states: u64) {
        self.observer.state_finished(done, states);
    }
}

fn slow_cell(error: &RunError, plan: &RunPlan, notebook: &Notebook) -> Diagnostic {
    let running = match error {
        RunError::Broken { running, .. } => *running,
        RunError::Unavailable { .. } => None,
    };
    let span = cell_span(notebook, running).unwrap_or(Span::new(notebook.source, 0, 0));
    let message = format!("the cell ran longer than {}", seconds(plan.cell_time));
    Diagnostic::error(Code::TimedOut, span, message)
        .with_help("raise the limit with `--cell-timeout SECONDS`")
}

fn seconds(time: Duration) -> String {
    let number = time.as_secs();
    if number == 1 { "1 second".to_owned() } else { format!("{number} seconds") }
}

fn finding(error: &RunError, ended: &Ended, plan: &RunPlan, notebook: &Notebook) -> Diagnostic {
    let file = Span::new(notebook.source, 0, 0);
    let (running, cause) = match error {
        RunError::Unavailable { message } => {
            return Diagnostic::error(Code::ProcessDied, file, message.clone());
        }
        RunError::Broken { running, source } => (*running, source),
    };
    let span = cell_span(notebook, running).unwrap_or(file);
    let limits = &plan.job.limits;
    let (code, message, help) = match ended.outcome {
        Outcome::TimedOut => (
            Code::TimedOut,
            format!("the notebook ran longer than {}", seconds(limits.wall)),
            "raise the limit with `--timeout SECONDS`",
        ),
        Outcome::OutOfCpuTime => (
            Code::OutOfCpuTime,
            format!(
                "the notebook used {:.1} seconds of CPU time, and may use {}",
                ended.cpu.as_secs_f64(),
                seconds(limits.cpu)
            ),
            "raise the limit with `--cpu-time SECONDS`",
        ),
        Outcome::OutOfMemory => (
            Code::OutOfMemory,
            used_memory(limits.memory, ended.memory),
            "raise the limit with `--memory SIZE`",
        ),
        Outcome::OutOfDisk => (
            Code::OutOfDisk,
            format!("the notebook wrote more than {} MiB", limits.temporary >> 20),
            "raise the limit with `--disk SIZE`",
        ),
        Outcome::Signalled(signal) => {
            let message = format!("the notebook's process was killed by signal {signal}");
            return Diagnostic::error(Code::ProcessDied, span, message);
        }
        // nbc kills a process that breaks the protocol, so `Killed` tells nothing of the cause.
        Outcome::Exited(_) | Outcome::Killed => return broken(cause, ended, span),
    };
    Diagnostic::error(code, span, message).with_help(help)
}

fn broken(cause: &ProtocolError, ended: &Ended, span: Span) -> Diagnostic {
    match cause {
        ProtocolError::Closed => {
            let how = match ended.outcome {
                Outcome::Exited(code) => format!(" with exit code {code}"),
                _ => String::new(),
            };
            let message = format!("the notebook's process ended{how} before all cells had run");
            Diagnostic::error(Code::ProcessDied, span, message)
        }
        ProtocolError::TooMuch { .. } | ProtocolError::TooManyValues => {
            Diagnostic::error(Code::OutputTooLarge, span, cause.to_string())
                .with_help("raise the limit with `--outputs-size SIZE`")
        }
        _ => Diagnostic::error(Code::ProtocolViolation, span, cause.to_string()),
    }
}

fn cell_span(notebook: &Notebook, cell: Option<CellId>) -> Option<Span> {
    notebook.cell(cell?).map(crate::notebook::Cell::head)
}

/// Message about the memory of a run that was stopped. The amount is left out where it is unknown: shared pages of forks
/// could not be told apart in time.
fn used_memory(most: u64, seen: u64) -> String {
    let told = match seen >> 20 {
        seen if seen > most >> 20 => format!(" ({seen} MiB when it was stopped)"),
        _ => String::new(),
    };
    format!("the notebook used more than {} MiB of memory{told}", most >> 20)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_folder_of_the_runner_stays_below_those_who_use_it() {
        for _ in 0..20 {
            let cache = tempfile::tempdir().unwrap();
            let cache = Utf8Path::from_path(cache.path()).unwrap();
            let start = std::sync::Barrier::new(8);
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        start.wait();
                        let folder = RunnerFolder::below(cache).unwrap();
                        // As a mount does, this holds the folder itself, whatever stands at its path later.
                        let held = std::fs::File::open(folder.path()).unwrap();
                        start.wait();
                        let held = format!("/proc/self/fd/{}", held.as_raw_fd());
                        let held = Utf8PathBuf::from_path_buf(std::fs::read_link(held).unwrap());
                        assert!(is_whole(&held.unwrap()));
                    });
                }
            });
        }
    }

    #[test]
    fn a_process_that_says_something_else_is_told_apart_from_one_that_says_too_much() {
        let source = crate::source::Sources::default().add("a.py".into(), None, String::new());
        let ended =
            Ended { outcome: Outcome::Killed, console: Vec::new(), cpu: Duration::ZERO, memory: 0 };
        let code = |cause| broken(&cause, &ended, Span::new(source, 0, 0)).code;
        assert_eq!(code(ProtocolError::TooMuch { limit: 1 }), Code::OutputTooLarge);
        assert_eq!(code(ProtocolError::FrameTooLong { length: 9 }), Code::ProtocolViolation);
        assert_eq!(code(ProtocolError::Closed), Code::ProcessDied);
    }
}
