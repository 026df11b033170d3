//! Phase 5 against the real sandbox: starts the runner, talks to it, and turns what went wrong into
//! findings about the notebook.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest as _, Sha256};

use super::plan::RunPlan;
use super::protocol::ProtocolError;
use super::{Observer, RUNNER_FILES, RunError, RunRecord, converse};
use crate::diagnostic::{Code, Diagnostic};
use crate::notebook::{CellId, Notebook};
use crate::process::{
    Ended, Killer, Layer, Outcome, Refusal, Sandbox, SandboxError, Traffic, interrupt,
};
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
        let is_whole = RUNNER_FILES.iter().all(|(name, text)| {
            fs_err::read_to_string(path.join(name)).is_ok_and(|found| found == *text)
        });
        if is_whole {
            return Ok(Self { path });
        }
        let parent = path.parent().unwrap_or(&path);
        fs_err::create_dir_all(parent)?;
        let staging = tempfile::Builder::new().prefix("making-").tempdir_in(parent)?;
        let staged = Utf8PathBuf::from_path_buf(staging.path().join("runner"))
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::InvalidFilename))?;
        fs_err::create_dir(&staged)?;
        for (name, text) in RUNNER_FILES {
            fs_err::write(staged.join(name), text)?;
            readable(&staged.join(name), 0o644)?;
        }
        readable(&staged, 0o755)?;
        // Somebody changed the files, or another build was faster; a folder in use stays readable.
        if path.exists() {
            std::fs::rename(&path, staging.path().join("old"))?;
        }
        match std::fs::rename(&staged, &path) {
            Err(error) if !path.is_dir() => Err(error),
            _ => Ok(Self { path }),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }
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

/// What a run gave, and what is known about it.
#[derive(Debug)]
pub struct Execution {
    /// What the cells gave; `None` when the run broke off, and a finding says why.
    pub record: Option<RunRecord>,
    /// Findings about the run as a whole.
    pub diagnostics: Vec<Diagnostic>,
    /// The last words of the process itself: for the build log, not for the page.
    pub console: String,
    /// Layers of isolation that were active.
    pub layers: Vec<Layer>,
    /// CPU time of the process tree.
    pub cpu: Duration,
    /// What it asked for on the network.
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
    let watch = InterruptWatch::start(running.killer());
    let conversation = match running.channel() {
        Ok(channel) => converse(channel, &plan.start, observer),
        Err(error) => {
            Err(RunError::Broken { running: None, source: ProtocolError::Connection(error) })
        }
    };
    if matches!(conversation, Err(RunError::Broken { .. })) {
        // A process that breaks the protocol must not decide when the build goes on.
        running.kill();
    }
    let ended = running.wait();
    drop(watch);
    let console = String::from_utf8_lossy(&ended.console).into_owned();
    let traffic = network.traffic();
    let mut diagnostics = refused_hosts(&traffic, notebook);
    let record = match conversation {
        Ok(record) => Some(record),
        Err(error) => {
            diagnostics.push(finding(&error, &ended, plan, notebook));
            None
        }
    };
    Ok(Execution { record, diagnostics, console, layers: ended.layers, cpu: ended.cpu, traffic })
}

/// What the notebook wanted to reach and could not: its cells may have taken another way silently.
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

/// Kills the run when the user interrupts nbc.
struct InterruptWatch {
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl InterruptWatch {
    fn start(killer: Killer) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let thread = std::thread::Builder::new()
            .name("interrupt".to_owned())
            .spawn(move || {
                while !seen.load(Ordering::Relaxed) {
                    if interrupt::is_requested() {
                        killer.kill();
                        return;
                    }
                    std::thread::park_timeout(Duration::from_millis(50));
                }
            })
            .ok();
        Self { over, thread }
    }
}

impl Drop for InterruptWatch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
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
    match ended.outcome {
        Outcome::TimedOut => Diagnostic::error(
            Code::TimedOut,
            span,
            format!("the notebook ran longer than {} seconds", limits.wall.as_secs()),
        )
        .with_help("raise the limit with `--timeout SECONDS`"),
        Outcome::OutOfMemory => Diagnostic::error(
            Code::OutOfMemory,
            span,
            format!("the notebook used more than {} MiB of memory", limits.memory >> 20),
        )
        .with_help("raise the limit with `--memory SIZE`"),
        Outcome::Signalled(signal) => Diagnostic::error(
            Code::ProcessDied,
            span,
            format!("the notebook's process was killed by signal {signal}"),
        ),
        // nbc kills a process that breaks the protocol, so `Killed` tells nothing of the cause.
        Outcome::Exited(_) | Outcome::Killed => broken(cause, ended, span),
    }
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
        }
        _ => Diagnostic::error(Code::ProtocolViolation, span, cause.to_string()),
    }
}

fn cell_span(notebook: &Notebook, cell: Option<CellId>) -> Option<Span> {
    notebook.cell(cell?).map(crate::notebook::Cell::head)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_process_that_says_something_else_is_told_apart_from_one_that_says_too_much() {
        let source = crate::source::Sources::default().add("a.py".into(), None, String::new());
        let ended = Ended {
            outcome: Outcome::Killed,
            console: Vec::new(),
            layers: Vec::new(),
            cpu: Duration::ZERO,
        };
        let code = |cause| broken(&cause, &ended, Span::new(source, 0, 0)).code;
        assert_eq!(code(ProtocolError::TooMuch { limit: 1 }), Code::OutputTooLarge);
        assert_eq!(code(ProtocolError::FrameTooLong { length: 9 }), Code::ProtocolViolation);
        assert_eq!(code(ProtocolError::Closed), Code::ProcessDied);
    }
}
