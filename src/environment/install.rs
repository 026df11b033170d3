//! Requirements to a folder of packages: resolved to a lock with hashes, installed from wheels,
//! kept by the digest of the lock.
//!
//! `uv` does it if it is on `PATH`, else `venv` and `pip`. Both use the user's own index settings.

use std::collections::BTreeMap;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest as _, Sha256};

use super::bytecode::compile;
use super::cache::{Cache, Lease};
use super::confined::Confinement;
use super::installer::Installer;
use super::names::{digest_of, hexadecimal, normalized};
use super::pep508::Requirement;
use super::source::{Built, Fetched, Source};
use super::{Interpreter, InterpreterError, Requirements};

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

    /// The lines, in the form that nbc keeps.
    fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }

    /// The lines for an installer: wheels in the place of the sources that they were built from.
    pub(super) fn installable(&self, built: &[(Source, Built)]) -> String {
        let lines = self.lines.iter().map(|line| {
            let source = Source::of_line(line);
            let wheel = built.iter().find(|(it, _)| Some(it) == source.as_ref());
            wheel.map_or(line.clone(), |(_, it)| Source::with_wheel(line, &it.digest))
        });
        lines.collect::<Vec<_>>().join("\n") + "\n"
    }

    /// Packages that are built from source; each name → SHA-256 of the source.
    #[must_use]
    pub fn built(&self) -> BTreeMap<String, String> {
        self.sources().map(|it| (it.name, it.digest)).collect()
    }

    fn sources(&self) -> impl Iterator<Item = Source> {
        self.lines.iter().filter_map(|it| Source::of_line(it))
    }
}

/// An environment on disk.
#[derive(Debug)]
pub(super) struct Installed {
    /// The virtual environment.
    pub(super) folder: Utf8PathBuf,
    /// Its packages.
    pub(super) lock: Lock,
    /// Keeps it from being removed.
    pub(super) lease: Lease,
}

/// Why packages could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The interpreter cannot be asked about itself.
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
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
        /// The origin of the requirements.
        origin: String,
        /// The end of the tool's output.
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
        /// The origin of the requirements.
        origin: String,
        /// Version of Python.
        python: String,
    },
    /// Packages are larger than an environment may be.
    #[error("the packages of {origin} unpack to more than {} MiB, which is the bound of an environment", most >> 20)]
    TooLarge {
        /// The origin of the requirements.
        origin: String,
        /// The bound, in bytes.
        most: u64,
    },
    /// The way to the network could not be made.
    #[error("cannot listen on loopback for the proxy between the installer and the network")]
    Proxy {
        /// The system's answer.
        source: io::Error,
    },
    /// Others named a server that is this machine or of its network.
    #[error(
        "{place} leads to `{server}`, which is this machine or of its network, and no server of your own settings"
    )]
    Home {
        /// The file and line, or where the requirements come from.
        place: String,
        /// The server.
        server: String,
    },
    /// Packages would have to be fetched that are larger than an environment may be.
    #[error("fetching the packages of {origin} took more bytes than an environment of {} MiB needs", most >> 20)]
    FetchedTooMuch {
        /// The origin of the requirements.
        origin: String,
        /// The bound of an environment, in bytes.
        most: u64,
    },
    /// A package could not be built from source.
    #[error("building `{package}` from source failed: {reason}")]
    Build {
        /// The package, with its version once that is known.
        package: String,
        /// Why.
        reason: String,
    },
    /// A program that draws charts could not be had.
    #[error("{name} {version} for charts that stay interactive cannot be had: {reason}")]
    Runtime {
        /// The charts that it draws.
        name: &'static str,
        /// Version of the package that holds it.
        version: &'static str,
        /// Why.
        reason: String,
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
        /// The system's answer.
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
            Self::Home { .. } => Some(
                "if the server is yours, name it in your own settings of pip or uv (`index-url`, \
                 `extra-index-url`, `find-links`, `trusted-host`)"
                    .to_owned(),
            ),
            Self::FetchedTooMuch { .. } => {
                Some("raise the bound with `--environment-size SIZE`".to_owned())
            }
            Self::TooLarge { .. } => Some(
                "ask for fewer packages, or raise the bound with `--environment-size SIZE`; what was \
                 unpacked may still be in the installer's own cache (`uv cache clean`, `pip cache purge`)"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// Called before the interpreter is started.
pub(super) type Ready<'a> = &'a dyn Fn() -> Result<(), InterpreterError>;

/// Resolves and installs, or finds what an earlier build installed.
pub(super) fn install(
    cache: &Cache,
    requirements: &Requirements,
    interpreter: &Interpreter,
    confinement: Confinement<'_>,
    ready: Ready<'_>,
) -> Result<Installed, InstallError> {
    let mut lock = resolve(cache, requirements, interpreter, confinement, ready)?;
    if let Some(refused) = lock.sources().find(|it| !confinement.buildable.contains(&it.name)) {
        return Err(InstallError::SourceOnly {
            package: refused.name,
            origin: requirements.origin.clone(),
            python: interpreter.version.clone(),
        });
    }
    let key = digest_of(&[
        &lock.digest,
        &interpreter.version,
        interpreter.base_prefix.as_str(),
        std::env::consts::ARCH,
    ]);
    let (folder, lease) = cache.get(&key, |scratch| {
        ready()?;
        (confinement.say)(&format!("installing the packages of {}", requirements.origin));
        let staging = scratch.folder.join("environment");
        let wheels = lock.sources().map(|it| {
            let wheel = it.wheel(cache, interpreter, confinement, None)?;
            Ok((it, wheel))
        });
        let wheels = wheels.collect::<Result<Vec<_>, InstallError>>()?;
        let installer = Installer::find(interpreter, scratch)?;
        let installer = installer.with_wheels(wheels.iter().map(|(it, wheel)| (it, wheel)))?;
        installer.make_environment(&staging, &lock, &wheels, requirements)?;
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
    confinement: Confinement<'_>,
    ready: Ready<'_>,
) -> Result<Lock, InstallError> {
    if requirements.is_locked || requirements.lines.is_empty() {
        return Ok(Lock::of(requirements.lines.iter().cloned()));
    }
    let lines = requirements.asked();
    let machine = [&interpreter.version, std::env::consts::OS, std::env::consts::ARCH];
    let key = digest_of(&[&[lines.as_str()], machine.as_slice()].concat());
    let allowed: Vec<&str> = confinement.buildable.iter().map(String::as_str).collect();
    let source_key = digest_of(&[&["sources", &key], allowed.as_slice()].concat());
    // A lock of wheels alone, made without the permission to build, holds with it as well.
    for key in [&key, &source_key] {
        // Installers read the lines outside the sandbox: lines that nbc would not have written are resolved anew.
        let known = cache.resolved(key);
        let is_plain = |it: &String| it.lines().all(is_pin);
        if let Some(text) = known.filter(is_plain) {
            return Ok(Lock::of(text.lines().map(str::to_owned)));
        }
    }
    ready()?;
    (confinement.say)(&format!("resolving the packages of {}", requirements.origin));
    let scratch = cache.scratch()?;
    let ask = |installer: &Installer<'_>| installer.pins(requirements);
    let known = BTreeMap::new();
    let (lock, sources) =
        with_sources(cache, requirements, interpreter, Some(confinement), &known, ask)?;
    let key = if sources.is_empty() { &key } else { &source_key };
    cache.remember(key, &lock.text(), &scratch)?;
    Ok(lock)
}

/// Whether a line is one that [`Lock::text`] writes: a package with hashes, or with the digest of its source.
fn is_pin(line: &str) -> bool {
    match line.split_once(" --source=sha256:") {
        Some((pin, digest)) => {
            Requirement::parse(pin).is_ok() && digest.bytes().all(|it| it.is_ascii_hexdigit())
        }
        None => line.is_empty() || Requirement::parse(line).is_ok(),
    }
}

/// Asks an installer, and builds the wheels that it misses and that may be built. `known` versions are tried
/// first.
pub(super) fn with_sources<T>(
    cache: &Cache,
    requirements: &Requirements,
    interpreter: &Interpreter,
    confinement: Option<Confinement<'_>>,
    known: &BTreeMap<String, String>,
    ask: impl Fn(&Installer<'_>) -> Result<T, InstallError>,
) -> Result<(T, Vec<Fetched>), InstallError> {
    let mut found: Vec<(Fetched, Built)> = Vec::new();
    let mut scratches = Vec::new();
    loop {
        let scratch = cache.scratch()?;
        let installer = Installer::find(interpreter, &scratch)?;
        let wheels = found.iter().map(|(fetched, built)| (&fetched.source, built));
        let installer = installer.with_wheels(wheels)?;
        let (missing, error) = match ask(&installer) {
            Ok(answer) => return Ok((answer, found.into_iter().map(|it| it.0).collect())),
            Err(error) => match &error {
                InstallError::SourceOnly { package, .. } => (normalized(package), error),
                _ => return Err(error),
            },
        };
        let confinement = confinement.filter(|it| it.buildable.contains(&missing));
        let is_built = found.iter().any(|(it, _)| it.source.name == missing);
        let Some(confinement) = confinement.filter(|_| !is_built) else { return Err(error) };
        let asked = requirements.specifiers(&missing);
        let kept = known.get(&missing).map(|it| format!("=={it},{asked}"));
        let kept = kept.map(|it| installer.fetch(&missing, it.trim_end_matches(','), None));
        let fetched = match kept {
            Some(Ok(fetched)) => fetched,
            Some(Err(_)) | None => {
                drop(fs_err::remove_dir_all(scratch.folder.join(format!("source-{missing}"))));
                installer.fetch(&missing, &asked, None)?
            }
        };
        let archive = Some(fetched.archive.as_path());
        let built = fetched.source.wheel(cache, interpreter, confinement, archive)?;
        found.push((fetched, built));
        scratches.push(scratch);
    }
}

/// Installed packages, by the names of their metadata folders: a lock may hold packages of other platforms.
fn packages_in(folder: &Utf8Path) -> BTreeMap<String, String> {
    let entries = folder.read_dir_utf8().into_iter().flatten().filter_map(Result::ok);
    let names = entries.filter_map(|it| {
        let (name, version) = it.file_name().strip_suffix(".dist-info")?.split_once('-')?;
        Some((normalized(name), version.to_owned()))
    });
    names.collect()
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
