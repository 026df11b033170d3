//! Trusted tools (`uv`, `pip`, `python -m venv`): not confined, but cleared, limited, and ended as a group.
//!
//! They run on behalf of the person who started nbc, with that person's package index settings and no
//! other part of the environment, so that a token meant for another program does not come along. They are named by
//! absolute paths, and look for others only below such: a relative entry of `PATH` would be a folder of the notebook.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;

/// Bytes of each stream that are kept. The end tells why a tool failed.
const KEPT: usize = 256 * 1024;
/// Interval between two looks at a tool; most tools run for seconds.
const POLL: Duration = Duration::from_millis(10);
/// Interval between two counts of written bytes; a disk takes a few hundred megabytes in this time.
#[cfg(target_os = "linux")]
const COUNT: Duration = Duration::from_millis(200);

/// Variables that a package installer may need of the caller's environment.
const ALLOWED: [&str; 12] = [
    "HOME",
    "PATH",
    "LANG",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "NETRC",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
];

/// Folders searched for tools if `PATH` names nothing usable: without any, some shells look in the working folder.
const USUAL_PATH: &str = "/usr/bin:/bin";

/// The folders of `PATH` that programs are looked for in: absolute ones alone. An empty or relative entry means the
/// working folder, which may hold the files of somebody else.
#[must_use]
pub fn search_path() -> Vec<Utf8PathBuf> {
    absolute_folders(&std::env::var_os("PATH").unwrap_or_default())
}

fn absolute_folders(path: &OsStr) -> Vec<Utf8PathBuf> {
    std::env::split_paths(path)
        .filter_map(|folder| Utf8PathBuf::from_path_buf(folder).ok())
        .filter(|folder| folder.is_absolute())
        .collect()
}

/// The first file with this name in the folders of [`search_path`].
#[must_use]
pub fn on_path(name: &str) -> Option<Utf8PathBuf> {
    search_path().into_iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// A trusted tool, about to run.
#[derive(Debug, Clone)]
pub struct Tool {
    program: Utf8PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    withheld: Vec<OsString>,
    folder: Option<Utf8PathBuf>,
    time_limit: Duration,
    most_written: Option<Written>,
}

/// Bounds of a tool's writes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// In one file.
    pub file: u64,
    /// In all, wherever it goes.
    pub total: u64,
}

/// Exit status and output of a tool.
#[derive(Debug, Clone)]
pub struct ToolOutput {
    /// How it ended.
    pub status: ExitStatus,
    /// The last 256 KiB of its standard output.
    pub stdout: Vec<u8>,
    /// The last 256 KiB of its standard error.
    pub stderr: Vec<u8>,
}

/// Reasons why a tool gave no usable output.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// There is no such program.
    #[error("`{program}` is not installed, or not on PATH")]
    NotFound {
        /// The program.
        program: Utf8PathBuf,
    },
    /// The program could not be started or followed.
    #[error("`{program}` could not be run")]
    NotRun {
        /// The program.
        program: Utf8PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The user interrupted nbc; the tool and its children are gone.
    #[error("`{program}` was stopped, because nbc was interrupted")]
    Interrupted {
        /// The program.
        program: Utf8PathBuf,
    },
    /// The time limit came first; the tool and its children are gone.
    #[error("`{program}` was stopped after {} seconds", limit.as_secs())]
    TimedOut {
        /// The program.
        program: Utf8PathBuf,
        /// The limit.
        limit: Duration,
        /// The end of its output.
        stderr: Vec<u8>,
    },
    /// It wrote too much; the tool and its children are gone.
    #[error("`{program}` was stopped, because it wrote more than {} MiB", limit >> 20)]
    WroteTooMuch {
        /// The program.
        program: Utf8PathBuf,
        /// The limit that it reached.
        limit: u64,
    },
}

impl Tool {
    /// A tool by its absolute path; ten minutes of time. A relative one does not run.
    #[must_use]
    pub fn new(program: impl Into<Utf8PathBuf>) -> Tool {
        Tool {
            program: program.into(),
            arguments: vec![],
            environment: vec![],
            withheld: vec![],
            folder: None,
            time_limit: Duration::from_secs(600),
            most_written: None,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Tool {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Tool {
        arguments.into_iter().fold(self, Tool::arg)
    }

    /// Adds a variable to the cleared environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Tool {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Keeps a variable of the caller away.
    #[must_use]
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Tool {
        self.withheld.push(name.as_ref().to_owned());
        self
    }

    /// Sets the working folder; without it that of nbc.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<Utf8PathBuf>) -> Tool {
        self.folder = Some(folder.into());
        self
    }

    /// Sets the wall-clock limit.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Tool {
        self.time_limit = limit;
        self
    }

    /// Bounds the tool's writes. Linux alone counts them.
    #[must_use]
    pub fn most_written(mut self, most: Written) -> Tool {
        self.most_written = Some(most);
        self
    }

    /// Runs the tool to its end, whatever its exit code.
    ///
    /// # Errors
    /// It is not there, does not start, takes too long or writes too much.
    pub fn run(&self) -> Result<ToolOutput, ToolError> {
        let not_run = |source: io::Error| {
            let program = self.program.clone();
            match source.kind() {
                io::ErrorKind::NotFound => ToolError::NotFound { program },
                _ => ToolError::NotRun { program, source },
            }
        };
        super::claims::check().map_err(|it| not_run(io::Error::other(it)))?;
        if !self.program.is_absolute() {
            let reason = "a program outside the sandbox is named by its absolute path";
            return Err(not_run(io::Error::new(io::ErrorKind::InvalidInput, reason)));
        }
        let mut group = Group(self.command().spawn().map_err(not_run)?);
        let mut watch = group.watch(self.most_written).map_err(not_run)?;
        let end = Instant::now() + self.time_limit;
        let stdout = keep(group.0.stdout.take());
        let stderr = keep(group.0.stderr.take());
        let (mut in_time, mut interrupted, mut in_bounds) = (true, false, true);
        while !group.is_over().map_err(not_run)? {
            interrupted = super::interrupt::is_requested();
            in_time = Instant::now() < end;
            in_bounds = watch.holds(&group);
            if interrupted || !in_time || !in_bounds {
                break;
            }
            std::thread::sleep(POLL);
        }
        // A child that went to the background would hold the pipes open.
        group.kill();
        let status = group.0.wait().map_err(not_run)?;
        let (stdout, stderr) =
            (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
        if interrupted {
            return Err(ToolError::Interrupted { program: self.program.clone() });
        }
        let wrote_too_much =
            |limit| ToolError::WroteTooMuch { program: self.program.clone(), limit };
        if let Some(most) = self.most_written {
            if !in_bounds {
                return Err(wrote_too_much(most.total));
            }
            if is_over_a_file(status, &stderr) {
                return Err(wrote_too_much(most.file));
            }
        }
        if in_time {
            return Ok(ToolOutput { status, stdout, stderr });
        }
        Err(ToolError::TimedOut { program: self.program.clone(), limit: self.time_limit, stderr })
    }

    fn command(&self) -> Command {
        #[expect(clippy::disallowed_methods, reason = "this is the module that starts processes")]
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear();
        let is_kept = |name: &OsString| is_allowed(name) && !self.withheld.contains(name);
        command.envs(std::env::vars_os().filter(|(name, _)| is_kept(name)));
        command.env("PATH", joined(&search_path()));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        #[cfg(target_os = "linux")]
        super::sandbox::end_with_nbc(&mut command);
        command
    }
}

/// The value of `PATH` for tools.
fn joined(folders: &[Utf8PathBuf]) -> OsString {
    let is_empty = folders.is_empty();
    let joined = std::env::join_paths(folders.iter().map(|it| it.as_std_path()));
    joined.ok().filter(|_| !is_empty).unwrap_or_else(|| USUAL_PATH.into())
}

fn is_allowed(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let is_proxy = name.to_ascii_uppercase().ends_with("_PROXY");
    is_proxy || name.starts_with("PIP_") || name.starts_with("UV_") || ALLOWED.contains(&name)
}

/// Whether the kernel refused to let a file grow: by the signal for it, or by the error of a program that ignores that.
fn is_over_a_file(status: ExitStatus, stderr: &[u8]) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    const XFSZ: i32 = 25;
    let said = || String::from_utf8_lossy(stderr).contains("File too large");
    status.signal() == Some(XFSZ) || (!status.success() && said())
}

/// Checks from time to time how much a group has written.
struct Watch {
    #[cfg(target_os = "linux")]
    most: Option<u64>,
    #[cfg(target_os = "linux")]
    next: Instant,
}

impl Watch {
    #[cfg(target_os = "linux")]
    fn holds(&mut self, group: &Group) -> bool {
        let (Some(most), Some(id)) = (self.most, group.id()) else { return true };
        if Instant::now() < self.next {
            return true;
        }
        self.next = Instant::now() + COUNT;
        super::written::by_group(id) <= most
    }

    #[cfg(not(target_os = "linux"))]
    fn holds(&mut self, _group: &Group) -> bool {
        true
    }
}

/// A process group that ends with this value.
struct Group(Child);

impl Group {
    #[cfg(target_os = "linux")]
    fn watch(&self, most: Option<Written>) -> io::Result<Watch> {
        if let (Some(most), Some(id)) = (most, self.id()) {
            super::written::limit_files(id, most.file)?;
        }
        Ok(Watch { most: most.map(|it| it.total), next: Instant::now() + COUNT })
    }

    #[cfg(not(target_os = "linux"))]
    fn watch(&self, _most: Option<Written>) -> io::Result<Watch> {
        Ok(Watch {})
    }

    /// Whether the tool itself has ended. It is not collected yet, so its group cannot be anyone else's.
    #[cfg(target_os = "linux")]
    fn is_over(&mut self) -> io::Result<bool> {
        use rustix::process::{WaitId, WaitIdOptions};
        let Some(pid) = self.id() else { return Ok(true) };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match rustix::process::waitid(WaitId::Pid(pid), options) {
            Ok(status) => Ok(status.is_some()),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn is_over(&mut self) -> io::Result<bool> {
        Ok(self.0.try_wait()?.is_some())
    }

    #[cfg(target_os = "linux")]
    fn kill(&mut self) {
        if let Some(pid) = self.id() {
            // The call fails only if no process of the group is left.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn kill(&mut self) {
        drop(self.0.kill());
    }

    #[cfg(target_os = "linux")]
    fn id(&self) -> Option<rustix::process::Pid> {
        i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A tool that has ended as usual is collected already, and its number may be that of another process.
        if matches!(self.0.try_wait(), Ok(None)) {
            self.kill();
            drop(self.0.wait());
        }
    }
}

/// Reads a stream to its end on another thread; keeps the last of it.
fn keep(stream: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut kept = vec![];
        let Some(mut stream) = stream else { return kept };
        let mut buffer = vec![0; 32 * 1024];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => kept.extend_from_slice(buffer.get(..count).unwrap_or(&[])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
            if kept.len() > KEPT * 2 {
                kept.drain(..kept.len() - KEPT);
            }
        }
        kept.drain(..kept.len().saturating_sub(KEPT));
        kept
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Tool {
        Tool::new("/bin/sh").args(["-c", script])
    }

    #[test]
    fn a_tool_tells_status_and_both_streams() {
        let output = shell("echo out; echo err >&2; exit 3").run().expect("sh runs");
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(
            (output.stdout.as_slice(), output.stderr.as_slice()),
            (&b"out\n"[..], &b"err\n"[..])
        );
    }

    #[test]
    fn the_environment_is_a_list_of_names() {
        let output = Tool::new("/usr/bin/env").env("ADDED", "1").run().expect("env runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.lines().any(|it| it == "ADDED=1"));
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "the probe would be empty");
        assert!(!text.contains("CARGO_"), "{text}");
        for (name, expected) in [
            ("PIP_INDEX_URL", true),
            ("UV_INDEX", true),
            ("https_proxy", true),
            ("NO_PROXY", true),
            ("SSL_CERT_FILE", true),
            ("GITHUB_TOKEN", false),
            ("AWS_SECRET_ACCESS_KEY", false),
            ("PYTHONPATH", false),
            ("LD_PRELOAD", false),
        ] {
            assert_eq!(is_allowed(OsStr::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn a_slow_tool_is_stopped_with_its_children() {
        let start = Instant::now();
        let tool =
            shell("echo begun >&2; sleep 60 & sleep 60").time_limit(Duration::from_millis(200));
        let Err(ToolError::TimedOut { stderr, .. }) = tool.run() else { panic!("it is too slow") };
        assert_eq!(stderr, b"begun\n");
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_tool_that_writes_too_much_is_stopped_whatever_it_writes_to() {
        let folder = tempfile::tempdir().unwrap();
        let most = Written { file: 8 << 20, total: 64 << 20 };
        for (script, expected) in [
            // A child, many files, and a sleep so that nobody ends in time by themselves.
            (
                "(for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do \
                 head -c 5000000 /dev/zero > f$i; done; sleep 60)",
                most.total,
            ),
            ("exec head -c 20000000 /dev/zero > one", most.file),
        ] {
            let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
            let start = Instant::now();
            let ended = shell(script).folder(path).most_written(most).run();
            assert!(start.elapsed() < Duration::from_secs(30), "{script}");
            let Err(ToolError::WroteTooMuch { limit, .. }) = ended else { panic!("{ended:?}") };
            assert_eq!(limit, expected, "{script}");
        }
    }

    #[test]
    fn a_child_left_behind_does_not_hold_the_build() {
        let start = Instant::now();
        assert!(shell("sleep 60 &").run().expect("sh runs").status.success());
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn the_last_of_a_flood_is_kept() {
        let output = shell("seq 1 200000").run().expect("sh runs");
        assert_eq!(output.stdout.len(), KEPT);
        assert!(output.stdout.ends_with(b"\n200000\n"));
    }

    #[test]
    fn a_missing_tool_is_named() {
        let error = Tool::new("/no-such-tool").run().expect_err("it is missing");
        assert_eq!(error.to_string(), "`/no-such-tool` is not installed, or not on PATH");
    }

    #[test]
    fn a_program_of_the_working_folder_does_not_run() {
        for program in ["env", "./env", "bin/env", ""] {
            let error = Tool::new(program).run().expect_err(program);
            assert!(matches!(error, ToolError::NotRun { .. }), "{program}: {error}");
        }
        let folders = absolute_folders(OsStr::new(":/usr/bin:.:bin:../x::/bin:"));
        assert_eq!(folders, ["/usr/bin", "/bin"]);
        assert_eq!(joined(&folders), "/usr/bin:/bin");
        assert_eq!(joined(&[]), USUAL_PATH);
    }
}
