//! A package that has only its source, to a wheel: fetched outside, which runs nothing of it, and built in the
//! sandbox without network, among build requirements that are wheels themselves.

mod wheel;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest as _, Sha256};

use super::cache::{Cache, Lease};
use super::confined::{Confinement, TIME_LIMIT, Task, number, taken};
use super::install::{InstallError, install};
use super::installer::Installer;
use super::names::{digest_of, hexadecimal, normalized};
use super::pep508::Requirement;
use super::{INSIDE, Interpreter, Requirements, read_only, system_mounts};
use crate::source::toml_error;

const PROGRAM: &str = include_str!("build.py");
/// Path of the archive inside.
const ARCHIVE: &str = "/run/nbc-source";
/// Part of the cache's key: a change of how wheels are built makes them anew.
const FORMAT: &str = "wheel-1";
/// Longest answer of a build that is no wheel.
const LONGEST: u32 = 1 << 20;
/// Largest source archive, and largest wheel that a build gives.
pub(super) const LARGEST: u32 = 512 << 20;
/// How often a build may ask for more.
const ROUNDS: usize = 3;
/// Most build requirements, and the longest of them.
const MOST_REQUIREMENTS: usize = 100;
const LONGEST_REQUIREMENT: usize = 500;

/// The name of a package, as a flag has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageName(String);

/// Why a text is no [`PackageName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name of a package; versions are named where it is asked for")]
pub struct PackageNameError(String);

impl PackageName {
    /// The name in the form in which names are compared (PEP 503).
    #[must_use]
    pub fn normalized(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for PackageName {
    type Err = PackageNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
        let ends = |it: Option<char>| it.is_some_and(|it| it.is_ascii_alphanumeric());
        if !ends(text.chars().next()) || !ends(text.chars().last()) || !text.chars().all(is_plain) {
            return Err(PackageNameError(text.to_owned()));
        }
        Ok(Self(normalized(text)))
    }
}

/// The source archive of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// Normalized.
    pub(super) name: String,
    pub(super) version: String,
    /// SHA-256 of the archive.
    pub(super) digest: String,
}

/// A source archive on disk.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) source: Source,
    pub(super) url: String,
    pub(super) archive: Utf8PathBuf,
}

/// A wheel on disk.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) wheel: Utf8PathBuf,
    pub(super) digest: String,
    _lease: Lease,
}

/// The build section of a source archive.
#[derive(Debug, PartialEq, Eq)]
struct Backend {
    requires: Vec<String>,
    object: String,
    paths: Vec<String>,
}

impl Source {
    /// The source in a pinned line: `name==version … --source=sha256:DIGEST`, which is nbc's own way of
    /// writing it.
    pub(super) fn of_line(line: &str) -> Option<Self> {
        let digest = line.split_once(" --source=sha256:")?.1.split(' ').next()?;
        let (name, rest) = line.split_once("==")?;
        let version = rest.split([' ', ';']).next()?;
        Some(Self {
            name: normalized(name),
            version: version.to_owned(),
            digest: digest.to_owned(),
        })
    }

    /// The line with the hash of a wheel in the place of the source's.
    pub(super) fn with_wheel(line: &str, digest: &str) -> String {
        let pin = line.split(" --").next().unwrap_or_default();
        format!("{pin} --hash=sha256:{digest}")
    }

    /// A pinned line in the place of one that an installer wrote for the wheel.
    pub(super) fn line(&self, written: &str) -> String {
        format!(
            "{} --source=sha256:{}",
            written.split(" --").next().unwrap_or_default(),
            self.digest
        )
    }

    /// The wheel of it: found, or built.
    pub(super) fn wheel(
        &self,
        cache: &Cache,
        interpreter: &Interpreter,
        confinement: Confinement<'_>,
        archive: Option<&Utf8Path>,
    ) -> Result<Built, InstallError> {
        if !confinement.buildable.contains(&self.name) {
            return Err(InstallError::SourceOnly {
                package: self.name.clone(),
                origin: "the lock".to_owned(),
                python: interpreter.version.clone(),
            });
        }
        let sandbox = confinement.sandbox.get();
        let layers = sandbox.map_err(|error| self.failed(error.to_string()))?.layers();
        if !layers.iter().any(|it| it.active && it.name == "seccomp") {
            return Err(self.failed("there is no sandbox to build it in".to_owned()));
        }
        let key = digest_of(&[
            FORMAT,
            &self.name,
            &self.version,
            &self.digest,
            &interpreter.version,
            interpreter.base_prefix.as_str(),
            std::env::consts::ARCH,
        ]);
        let (folder, lease) = cache.get(&key, |scratch| {
            let archive = match archive {
                Some(archive) => archive.to_owned(),
                None => {
                    let installer = Installer::find(interpreter, scratch)?;
                    let specifiers = format!("=={}", self.version);
                    installer.fetch(&self.name, &specifiers, Some(&self.digest))?.archive
                }
            };
            let (file, data) = self.build(cache, interpreter, confinement, &archive)?;
            let staging = scratch.folder.join("wheel");
            let write = || {
                fs_err::create_dir(&staging)?;
                fs_err::write(staging.join(file), data)
            };
            write().map_err(|error| self.failed(error.to_string()))?;
            Ok(staging)
        })?;
        let entries = folder.read_dir_utf8().into_iter().flatten().filter_map(Result::ok);
        let mut wheels = entries.map(|it| it.path().to_owned());
        let wheel = wheels.find(|it| it.extension() == Some("whl"));
        let wheel = wheel.ok_or_else(|| self.failed(format!("`{folder}` holds no wheel")))?;
        let data = fs_err::read(&wheel).map_err(|error| self.failed(error.to_string()))?;
        Ok(Built { wheel, digest: hexadecimal(&Sha256::digest(data)), _lease: lease })
    }

    /// Builds until nothing is missing.
    fn build(
        &self,
        cache: &Cache,
        interpreter: &Interpreter,
        confinement: Confinement<'_>,
        archive: &Utf8Path,
    ) -> Result<(String, Vec<u8>), InstallError> {
        let failed = |reason: String| self.failed(reason);
        let program = interpreter.program_outside_environments();
        let ask = |program: Utf8PathBuf, mut mounts: Vec<_>, more: &[String]| {
            let suffix = if archive.as_str().ends_with(".zip") { ".zip" } else { ".tar.gz" };
            let inside = format!("{ARCHIVE}{suffix}");
            mounts.push(read_only(archive, Utf8Path::new(&inside)));
            let arguments = ["-I", "-c", PROGRAM, &inside, "/tmp"].map(str::to_owned);
            let task = Task {
                program,
                arguments: arguments.into_iter().chain(more.iter().cloned()).collect(),
                environment: variables(),
                mounts,
                time_limit: TIME_LIMIT,
            };
            confinement.ask(task, &[], receive, failed)
        };
        let (name, pyproject) = ask(program, system_mounts(interpreter), &[])?;
        if name != "pyproject.toml" {
            return Err(failed("it did not answer as it should".to_owned()));
        }
        let backend = Backend::of(&pyproject).map_err(failed)?;
        let mut requires = backend.requires;
        // A package cannot be needed for its own build, however many steps away.
        let mut buildable: BTreeSet<String> = confinement.buildable.clone();
        buildable.remove(&self.name);
        let paths = json(&backend.paths);
        for _ in 0..ROUNDS {
            let requirements = Requirements::of_build(&self.name, requires.clone());
            let confinement = Confinement { buildable: &buildable, ..confinement };
            let environment = install(cache, &requirements, interpreter, confinement, &|| Ok(()))?;
            let mut mounts = system_mounts(interpreter);
            mounts.push(read_only(&environment.folder, Utf8Path::new(INSIDE)));
            let program = Utf8Path::new(INSIDE).join("bin/python");
            let build = [backend.object.clone(), paths.clone(), json(&requires)];
            let (file, data) = ask(program, mounts, &build)?;
            if file != "requires" {
                wheel::check(&file, &data, &self.name, &self.version).map_err(failed)?;
                return Ok((file, data));
            }
            let more: Vec<String> =
                serde_json::from_slice(&data).map_err(|error| failed(error.to_string()))?;
            requires.extend(more);
            check(&requires).map_err(failed)?;
        }
        Err(failed("it asks for ever more".to_owned()))
    }

    fn failed(&self, reason: String) -> InstallError {
        InstallError::Build { package: format!("{} {}", self.name, self.version), reason }
    }
}

impl Backend {
    /// Reads `pyproject.toml`, which may be empty: then it is setuptools, as PEP 517 says.
    fn of(pyproject: &[u8]) -> Result<Self, String> {
        #[derive(Default, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct System {
            requires: Option<Vec<String>>,
            build_backend: Option<String>,
            #[serde(default)]
            backend_path: Vec<String>,
        }
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Project {
            build_system: Option<System>,
        }
        let text = std::str::from_utf8(pyproject).map_err(|error| error.to_string())?;
        let invalid =
            |error: toml::de::Error| format!("pyproject.toml: {}", toml_error::told(&error, text));
        let project: Project = toml::from_str(text).map_err(invalid)?;
        let system = project.build_system.unwrap_or_default();
        let requires = system.requires.unwrap_or_else(|| vec!["setuptools>=40.8.0".to_owned()]);
        check(&requires)?;
        let legacy = || "setuptools.build_meta:__legacy__".to_owned();
        let object = system.build_backend.unwrap_or_else(legacy);
        Ok(Self { requires, object, paths: system.backend_path })
    }
}

/// Build requirements become lines of a file for the installer, so they are names with versions and markers:
/// no option, no address, no path.
fn check(requires: &[String]) -> Result<(), String> {
    if requires.len() > MOST_REQUIREMENTS {
        return Err(format!("it has more than {MOST_REQUIREMENTS} build requirements"));
    }
    for (idx, it) in requires.iter().enumerate() {
        let is_named = |it: Requirement<'_>| it.address.is_none() && !it.has_hashes;
        if it.len() > LONGEST_REQUIREMENT || !Requirement::parse(it).is_ok_and(is_named) {
            return Err(format!("its build requirement number {} is no package", idx + 1));
        }
    }
    Ok(())
}

/// One record of [`PROGRAM`]. Its bounds are all that is sure about it.
fn receive(channel: &mut dyn Read) -> io::Result<(String, Vec<u8>)> {
    let (length, size) = (number(channel)?, number(channel)?);
    let most = || io::Error::other("the answer is too long");
    if length > 512 || size > LARGEST {
        return Err(most());
    }
    let name = String::from_utf8(taken(channel, length)?).map_err(io::Error::other)?;
    if !name.ends_with(".whl") && size > LONGEST {
        return Err(most());
    }
    Ok((name, taken(channel, size)?))
}

fn variables() -> BTreeMap<String, String> {
    let variables = [
        ("HOME", "/tmp"),
        ("LC_ALL", "C.UTF-8"),
        ("PATH", "/env/bin:/usr/local/bin:/usr/bin:/bin"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PYTHONHASHSEED", "0"),
        // The first day that a zip file can tell.
        ("SOURCE_DATE_EPOCH", "315619200"),
        ("TMPDIR", "/tmp"),
        ("TZ", "UTC"),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn json(list: &[String]) -> String {
    serde_json::Value::from(list).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_without_a_build_system_is_built_by_setuptools() {
        let found = Backend::of(b"[project]\nname = 'x'\n").unwrap();
        assert_eq!(found.object, "setuptools.build_meta:__legacy__");
        assert_eq!(found.requires, ["setuptools>=40.8.0"]);
        let text = "[build-system]\nrequires = []\nbuild-backend = 'b:c'\nbackend-path = ['.']";
        let found = Backend::of(text.as_bytes()).unwrap();
        let paths = vec![".".to_owned()];
        assert_eq!(found, Backend { requires: Vec::new(), object: "b:c".to_owned(), paths });
    }

    #[test]
    fn a_build_requirement_is_a_package_and_nothing_else() {
        let check = |it: &str| check(&[it.to_owned()]);
        for good in ["wheel", "setuptools_scm[toml]>=3.4", "a ~= 1.0 ; python_version < '3.11'"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "-r /etc/passwd",
            "--index-url=https://evil.example",
            "./x",
            "/x",
            "x @ https://evil.example/x.whl",
            "x --hash=sha256:0",
            "x\n-r y",
            "${HOME}",
            "x/y",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_line_tells_its_source() {
        let source = Source { name: "a-b".into(), version: "1.0".into(), digest: "ab".into() };
        let line = source.line("a_b==1.0 ; x == 'y' --hash=sha256:00");
        assert_eq!(line, "a_b==1.0 ; x == 'y' --source=sha256:ab");
        assert_eq!(Source::of_line(&line), Some(source));
        assert_eq!(Source::with_wheel(&line, "cd"), "a_b==1.0 ; x == 'y' --hash=sha256:cd");
        assert_eq!(Source::of_line("a==1 --hash=sha256:ab"), None);
    }
}
