//! Requirements to a folder of packages: resolved to a lock with hashes, installed from wheels,
//! kept by the digest of the lock.
//!
//! `uv` does it if it is on `PATH`, else `venv` and `pip`. Both use the user's own index settings.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest as _, Sha256};

use super::{Interpreter, Requirements};
use crate::process::tool::{Tool, ToolOutput};

/// Version of the cache's layout: part of the path, so that versions of nbc do not meet.
const CACHE_FORMAT: &str = "environments-1";
/// Longest that one step of an installation may take.
const TIME_LIMIT: Duration = Duration::from_secs(1200);

/// The packages of an environment, each pinned to the digests of its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// Package name (normalized) → version.
    pub packages: BTreeMap<String, String>,
    /// SHA-256 of the pinned lines, hexadecimal.
    pub digest: String,
    lines: Vec<String>,
}

impl Lock {
    /// Reads pinned lines: `name==version [; marker] --hash=…`.
    fn of(lines: impl IntoIterator<Item = String>) -> Self {
        let mut lines: Vec<String> = lines
            .into_iter()
            .map(|line| line.trim().to_owned())
            .filter(|it| !it.is_empty())
            .collect();
        lines.sort();
        let packages = lines
            .iter()
            .filter_map(|line| line.split_once("=="))
            .map(|(name, rest)| {
                let version = rest.split([' ', ';']).next().unwrap_or_default();
                (normalized(name), version.to_owned())
            })
            .collect();
        let digest = hexadecimal(&Sha256::digest(lines.join("\n")));
        Self { packages, digest, lines }
    }

    /// Whether a package, by its normalized name, is in the environment.
    pub fn has(&self, package: &str) -> bool {
        self.packages.contains_key(package)
    }

    fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }
}

/// An environment on disk.
#[derive(Debug)]
pub struct Installed {
    /// The virtual environment.
    pub folder: Utf8PathBuf,
    /// What is in it.
    pub lock: Lock,
}

/// Why packages could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// There is neither uv nor pip.
    #[error(
        "neither `uv` nor `pip` is available for `{python}`; install one of them, or name an \
         environment that has the packages with `--python PATH`"
    )]
    NoInstaller {
        /// The interpreter.
        python: Utf8PathBuf,
    },
    /// The resolver or the installer refused.
    #[error("{step} the packages of {origin} failed:\n{output}")]
    Refused {
        /// `resolving` or `installing`.
        step: &'static str,
        /// Where the requirements come from.
        origin: String,
        /// The end of what the tool said.
        output: String,
    },
    /// The tool could not be run.
    #[error(transparent)]
    Tool(#[from] crate::process::tool::ToolError),
    /// The cache cannot be written.
    #[error("cannot write the environment cache `{path}`: {source}")]
    Cache {
        /// The folder or file.
        path: Utf8PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Installs environments into a cache.
#[derive(Debug)]
pub struct Installer {
    cache: Utf8PathBuf,
}

enum Program {
    Uv(Utf8PathBuf),
    Pip,
}

impl Installer {
    pub(super) fn new(cache: &Utf8Path) -> Self {
        Self { cache: cache.join(CACHE_FORMAT) }
    }

    /// Resolves and installs, or finds what an earlier build installed.
    pub(super) fn install(
        &self,
        requirements: &Requirements,
        interpreter: &Interpreter,
    ) -> Result<Installed, InstallError> {
        let failed = |path: &Utf8Path| {
            let path = path.to_owned();
            move |source| InstallError::Cache { path, source }
        };
        fs_err::create_dir_all(&self.cache).map_err(failed(&self.cache))?;
        let lock = self.resolve(requirements, interpreter)?;
        let key = digest_of(&[
            &lock.digest,
            &interpreter.version,
            interpreter.base_prefix.as_str(),
            std::env::consts::ARCH,
        ]);
        let folder = self.cache.join(&key);
        if folder.is_dir() {
            return Ok(Installed { folder, lock });
        }
        // Two builds that need the same environment: the second waits and finds it made.
        let guard_path = self.cache.join(format!("{key}.lock"));
        let guard = File::create(&guard_path).map_err(failed(&guard_path))?;
        guard.lock().map_err(failed(&guard_path))?;
        if folder.is_dir() {
            return Ok(Installed { folder, lock });
        }
        let scratch = self.scratch()?;
        let staging = scratch.folder.join("environment");
        let list = scratch.folder.join("lock.txt");
        fs_err::write(&list, lock.text()).map_err(failed(&list))?;
        make_environment(&staging, &list, requirements, interpreter)?;
        compile(&staging, interpreter)?;
        std::fs::rename(&staging, &folder).map_err(failed(&folder))?;
        Ok(Installed { folder, lock })
    }

    /// A lock for requirements: they are one already, or an earlier build resolved them, or the
    /// installer does it. Removing the cache resolves anew.
    fn resolve(
        &self,
        requirements: &Requirements,
        interpreter: &Interpreter,
    ) -> Result<Lock, InstallError> {
        if requirements.is_locked {
            return Ok(Lock::of(requirements.lines.iter().cloned()));
        }
        let key = digest_of(&[
            &requirements.lines.join("\n"),
            &interpreter.version,
            std::env::consts::OS,
            std::env::consts::ARCH,
        ]);
        let known = self.cache.join(format!("{key}.txt"));
        if let Ok(text) = fs_err::read_to_string(&known) {
            return Ok(Lock::of(text.lines().map(str::to_owned)));
        }
        let scratch = self.scratch()?;
        let failed = |path: Utf8PathBuf| move |source| InstallError::Cache { path, source };
        let lock = if requirements.lines.is_empty() {
            Lock::of([])
        } else {
            let list = scratch.folder.join("requirements.txt");
            fs_err::write(&list, requirements.lines.join("\n") + "\n")
                .map_err(failed(list.clone()))?;
            match program(interpreter)? {
                Program::Uv(uv) => {
                    resolve_with_uv(&uv, &list, &scratch.folder, requirements, interpreter)?
                }
                Program::Pip => {
                    resolve_with_pip(&list, &scratch.folder, requirements, interpreter)?
                }
            }
        };
        let fresh = scratch.folder.join("resolved.txt");
        fs_err::write(&fresh, lock.text()).map_err(failed(fresh.clone()))?;
        std::fs::rename(&fresh, &known).map_err(failed(known))?;
        Ok(lock)
    }

    fn scratch(&self) -> Result<Scratch, InstallError> {
        let failed = |source| InstallError::Cache { path: self.cache.clone(), source };
        let directory =
            tempfile::Builder::new().prefix("making-").tempdir_in(&self.cache).map_err(failed)?;
        let folder = Utf8PathBuf::from_path_buf(directory.path().to_owned())
            .map_err(|_| failed(io::ErrorKind::InvalidFilename.into()))?;
        Ok(Scratch { folder, _directory: directory })
    }
}

struct Scratch {
    folder: Utf8PathBuf,
    _directory: tempfile::TempDir,
}

fn program(interpreter: &Interpreter) -> Result<Program, InstallError> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths)
        .filter_map(|folder| Utf8PathBuf::from_path_buf(folder.join("uv")).ok())
        .find(|path| path.is_file());
    if let Some(uv) = found {
        return Ok(Program::Uv(uv));
    }
    let pip = base_python(interpreter).args(["-m", "pip", "--version"]).run()?;
    if pip.status.success() {
        return Ok(Program::Pip);
    }
    Err(InstallError::NoInstaller { python: interpreter.program.clone() })
}

/// The interpreter outside any virtual environment: what is installed never runs in it.
fn base_python(interpreter: &Interpreter) -> Tool {
    Tool::new(interpreter.program.as_str()).args(["-I"]).time_limit(TIME_LIMIT)
}

fn resolve_with_uv(
    uv: &Utf8Path,
    list: &Utf8Path,
    scratch: &Utf8Path,
    requirements: &Requirements,
    interpreter: &Interpreter,
) -> Result<Lock, InstallError> {
    let resolved = scratch.join("compiled.txt");
    let uv = Tool::new(uv.as_str()).time_limit(TIME_LIMIT);
    let tool = match &requirements.uv_project {
        Some(project) => uv
            .args(["export", "--frozen", "--no-emit-project", "--no-header"])
            .args(["--no-annotate", "--project", project.as_str()]),
        None => uv
            .args(["pip", "compile", "--generate-hashes", "--only-binary", ":all:", "--no-header"])
            .args(["--no-annotate", "--python", interpreter.program.as_str()])
            .arg(list.as_str()),
    };
    // Only the end of what a tool prints is kept, so the lock comes as a file.
    let tool = tool.args(["--quiet", "--output-file", resolved.as_str()]);
    accepted("resolving", requirements, tool.run()?)?;
    let text = fs_err::read_to_string(&resolved)
        .map_err(|source| InstallError::Cache { path: resolved.clone(), source })?;
    Ok(Lock::of(joined_lines(&text)))
}

/// Lines of a requirements file with their continuations, without comments.
fn joined_lines(text: &str) -> Vec<String> {
    text.replace("\\\n", " ")
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

fn resolve_with_pip(
    list: &Utf8Path,
    scratch: &Utf8Path,
    requirements: &Requirements,
    interpreter: &Interpreter,
) -> Result<Lock, InstallError> {
    #[derive(serde::Deserialize)]
    struct Report {
        install: Vec<Item>,
    }
    #[derive(serde::Deserialize)]
    struct Item {
        metadata: Metadata,
        download_info: Download,
    }
    #[derive(serde::Deserialize)]
    struct Metadata {
        name: String,
        version: String,
    }
    #[derive(serde::Deserialize)]
    struct Download {
        archive_info: Option<Archive>,
    }
    #[derive(serde::Deserialize)]
    struct Archive {
        hashes: Option<BTreeMap<String, String>>,
    }
    if requirements.uv_project.is_some() {
        let output = "a `uv.lock` is read by uv, which is not on PATH: install it (`pip install \
                      uv`), or write a `pylock.toml` with `uv export`"
            .to_owned();
        let origin = requirements.origin.clone();
        return Err(InstallError::Refused { step: "resolving", origin, output });
    }
    let report = scratch.join("report.json");
    let output = base_python(interpreter)
        .args(["-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--no-input"])
        .args(["--only-binary", ":all:", "--report", report.as_str(), "-r", list.as_str()])
        .run()?;
    let output = accepted("resolving", requirements, output)?;
    let refused = |reason: String| InstallError::Refused {
        step: "resolving",
        origin: requirements.origin.clone(),
        output: format!("{reason}\n{}", String::from_utf8_lossy(&output.stderr)),
    };
    let text = fs_err::read_to_string(&report).map_err(|error| refused(error.to_string()))?;
    let report: Report = serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?;
    let mut lines = Vec::new();
    for item in report.install {
        let Metadata { name, version } = item.metadata;
        let hashes = item.download_info.archive_info.and_then(|it| it.hashes).unwrap_or_default();
        let Some(hash) = hashes.get("sha256") else {
            return Err(refused(format!("the index tells no SHA-256 of {name} {version}")));
        };
        lines.push(format!("{}=={version} --hash=sha256:{hash}", normalized(&name)));
    }
    Ok(Lock::of(lines))
}

/// Installs the pinned wheels of `list` into a new virtual environment, in one step: a later one
/// would start the environment's own interpreter, which runs `.pth` files of packages.
fn make_environment(
    folder: &Utf8Path,
    list: &Utf8Path,
    requirements: &Requirements,
    interpreter: &Interpreter,
) -> Result<(), InstallError> {
    let python = folder.join("bin/python");
    let options = ["install", "--require-hashes", "--no-deps", "--only-binary", ":all:", "--quiet"];
    match program(interpreter)? {
        Program::Uv(uv) => {
            let make = Tool::new(uv.as_str())
                .time_limit(TIME_LIMIT)
                .args(["venv", "--quiet", "--no-project", "--python", interpreter.program.as_str()])
                .arg(folder.as_str());
            accepted("installing", requirements, make.run()?)?;
            if requirements.lines.is_empty() {
                return Ok(());
            }
            let install = Tool::new(uv.as_str())
                .time_limit(TIME_LIMIT)
                .arg("pip")
                .args(options)
                .args(["--python", python.as_str(), "-r", list.as_str()]);
            accepted("installing", requirements, install.run()?)?;
        }
        Program::Pip => {
            let make =
                base_python(interpreter).args(["-m", "venv", "--without-pip", folder.as_str()]);
            accepted("installing", requirements, make.run()?)?;
            if requirements.lines.is_empty() {
                return Ok(());
            }
            let install = base_python(interpreter)
                .args(["-m", "pip", "--python", python.as_str()])
                .args(options)
                .args(["--no-compile", "--no-input", "-r", list.as_str()]);
            accepted("installing", requirements, install.run()?)?;
        }
    }
    Ok(())
}

/// Compiles the packages once: imports without bytecode cost three times as much, and the sandbox
/// shows the folder read-only. `-I -S` compiles without running any of it; a module that does not
/// compile (a template, a test of a syntax error) fails when it is imported, not here.
fn compile(folder: &Utf8Path, interpreter: &Interpreter) -> Result<(), InstallError> {
    Tool::new(interpreter.program.as_str())
        .args(["-I", "-S", "-m", "compileall", "-q", "-q", "-j", "0"])
        .args(["--invalidation-mode", "unchecked-hash", "-s", folder.as_str(), "-p", "/env"])
        .arg(folder.join("lib").as_str())
        .time_limit(TIME_LIMIT)
        .run()?;
    Ok(())
}

fn accepted(
    step: &'static str,
    requirements: &Requirements,
    output: ToolOutput,
) -> Result<ToolOutput, InstallError> {
    if output.status.success() {
        return Ok(output);
    }
    let said = if output.stderr.trim_ascii().is_empty() { &output.stdout } else { &output.stderr };
    let said = String::from_utf8_lossy(said);
    let lines: Vec<&str> = said.trim().lines().collect();
    let tail = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default().join("\n");
    Err(InstallError::Refused {
        step,
        origin: requirements.origin.clone(),
        output: without_credentials(&tail),
    })
}

/// Masks `user:password@` in addresses: an index's credentials must not reach a log.
fn without_credentials(text: &str) -> String {
    text.split_inclusive(char::is_whitespace)
        .map(|word| match (word.find("://"), word.find('@')) {
            (Some(scheme), Some(at)) if scheme < at => {
                let head = word.get(..scheme + 3).unwrap_or_default();
                format!("{head}****{}", word.get(at..).unwrap_or_default())
            }
            _ => word.to_owned(),
        })
        .collect()
}

/// Package names compare as PEP 503 says.
fn normalized(name: &str) -> String {
    let base = name.split('[').next().unwrap_or_default().trim();
    let parts: Vec<String> =
        base.split(['-', '_', '.']).filter(|it| !it.is_empty()).map(str::to_lowercase).collect();
    parts.join("-")
}

fn digest_of(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hexadecimal(&hasher.finalize())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_does_not_depend_on_the_order_of_its_lines() {
        let a = Lock::of(["b==1".to_owned(), "A_x[extra]==2 --hash=sha256:0".to_owned()]);
        let b = Lock::of(["A_x[extra]==2 --hash=sha256:0".to_owned(), "b==1".to_owned()]);
        assert_eq!(a, b);
        assert!(a.has("a-x"));
        assert_eq!(a.packages.get("a-x").map(String::as_str), Some("2"));
    }

    #[test]
    fn credentials_of_an_index_are_masked() {
        let text = without_credentials("at https://user:secret@host/simple and mail@host");
        assert_eq!(text, "at https://****@host/simple and mail@host");
    }
}
