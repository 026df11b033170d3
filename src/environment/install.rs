//! Requirements to a folder of packages: resolved to a lock with hashes, installed from wheels,
//! kept by the digest of the lock.
//!
//! `uv` does it if it is on `PATH`, else `venv` and `pip`. Both use the user's own index settings.

use std::collections::BTreeMap;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest as _, Sha256};

use super::bytecode::{Confinement, compile};
use super::cache::{Cache, Lease};
use super::resolve::Installer;
use super::{Interpreter, Requirements};

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
    pub(super) fn of(lines: impl IntoIterator<Item = String>) -> Self {
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

    /// Whether nothing is to be installed.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }
}

/// An environment on disk.
#[derive(Debug)]
pub(super) struct Installed {
    /// The virtual environment.
    pub(super) folder: Utf8PathBuf,
    /// What is in it.
    pub(super) lock: Lock,
    /// Keeps it there.
    pub(super) lease: Lease,
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
    /// A package would have to be built, which runs its code.
    #[error(
        "`{package}`, which {origin} asks for, has no wheel for Python {python} on this platform, only \
         its source: to install it, code of the package would have to run"
    )]
    SourceOnly {
        /// The package.
        package: String,
        /// Where the requirements come from.
        origin: String,
        /// Version of Python.
        python: String,
    },
    /// The packages could not be compiled in the sandbox.
    #[error("byte-compiling the packages in the sandbox failed: {reason}")]
    Compilation {
        /// Why.
        reason: String,
    },
    /// The user interrupted nbc while it waited for another build.
    #[error("interrupted while another build makes the environment")]
    Interrupted,
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

impl InstallError {
    /// The way out, if it is not in the message.
    pub(super) fn help(&self) -> Option<String> {
        match self {
            Self::SourceOnly { package, .. } => Some(format!(
                "ask for a version that has a wheel, or let nbc build it in the sandbox with \
                 `--allow-build {package}`"
            )),
            _ => None,
        }
    }
}

/// Resolves and installs, or finds what an earlier build installed.
pub(super) fn install(
    cache: &Cache,
    requirements: &Requirements,
    interpreter: &Interpreter,
    confinement: Confinement<'_>,
) -> Result<Installed, InstallError> {
    let mut lock = resolve(cache, requirements, interpreter)?;
    let key = digest_of(&[
        &lock.digest,
        &interpreter.version,
        interpreter.base_prefix.as_str(),
        std::env::consts::ARCH,
    ]);
    let (folder, lease) = cache.get(&key, |scratch| {
        let staging = scratch.folder.join("environment");
        let installer = Installer::find(interpreter, &scratch.folder)?;
        installer.make_environment(&staging, &lock, requirements)?;
        compile(&staging, interpreter, confinement)?;
        Ok(staging)
    })?;
    lock.packages = packages_in(&interpreter.packages_below(&folder));
    Ok(Installed { folder, lock, lease })
}

/// A lock for requirements: they are one already, or an earlier build resolved them, or the
/// installer does it. Removing the cache resolves anew.
fn resolve(
    cache: &Cache,
    requirements: &Requirements,
    interpreter: &Interpreter,
) -> Result<Lock, InstallError> {
    if requirements.is_locked || requirements.lines.is_empty() {
        return Ok(Lock::of(requirements.lines.iter().cloned()));
    }
    let key = digest_of(&[
        &requirements.lines.join("\n"),
        &interpreter.version,
        std::env::consts::OS,
        std::env::consts::ARCH,
    ]);
    if let Some(text) = cache.resolved(&key) {
        return Ok(Lock::of(text.lines().map(str::to_owned)));
    }
    let scratch = cache.scratch()?;
    let lock = Installer::find(interpreter, &scratch.folder)?.pins(requirements)?;
    cache.remember(&key, &lock.text(), &scratch)?;
    Ok(lock)
}

/// What is installed, told by the names of the folders of metadata: a lock may hold packages of other
/// platforms.
fn packages_in(folder: &Utf8Path) -> BTreeMap<String, String> {
    let entries = folder.read_dir_utf8().into_iter().flatten().filter_map(Result::ok);
    let names = entries.filter_map(|it| {
        let (name, version) = it.file_name().strip_suffix(".dist-info")?.split_once('-')?;
        Some((normalized(name), version.to_owned()))
    });
    names.collect()
}

/// Package names compare as PEP 503 says.
pub(super) fn normalized(name: &str) -> String {
    let base = name.split('[').next().unwrap_or_default().trim();
    let parts: Vec<String> =
        base.split(['-', '_', '.']).filter(|it| !it.is_empty()).map(str::to_lowercase).collect();
    parts.join("-")
}

/// The digest of several texts, each with its length.
pub(super) fn digest_of(parts: &[&str]) -> String {
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
}
