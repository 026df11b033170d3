//! Questions to uv and pip, and their answers: requirements to pinned packages.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::Requirements;
use super::install::{InstallError, Lock};
use super::installer::{Installer, Program, cache_error, read, refused};
use super::interpreter::lower_bound;
use super::names::normalized;
use super::pep508::Requirement;
use super::pylock::{Package, PyLock};
use super::requirements::UvProject;

/// pip that builds nothing, not even what is named by its address.
const WHEELS_ONLY: &str = include_str!("ask_pip.py");

impl Installer<'_> {
    /// Pins for this machine.
    pub(super) fn pins(&self, requirements: &Requirements) -> Result<Lock, InstallError> {
        self.check_wanted(requirements)?;
        match &self.program {
            Program::Uv(uv) => {
                let resolved = self.folder.join("compiled.txt");
                let form = ["--generate-hashes", "--python", self.interpreter.program.as_str()];
                self.ask_uv(uv, requirements, &resolved, "requirements-txt", &form)?;
                let lines = joined_lines(&read(&resolved)?).into_iter().map(|line| {
                    let (name, rest) = line.split_once("==").unwrap_or_default();
                    let version = rest.split([' ', ';']).next().unwrap_or_default();
                    self.source(name, version).map_or(line.clone(), |it| it.line(&line))
                });
                Ok(Lock::of(lines))
            }
            Program::Pip => {
                let report = self.ask_pip(requirements, &[])?;
                let lines = report.install.iter().map(|item| {
                    let Metadata { name, version } = &item.metadata;
                    let pin = format!("{}=={version}", normalized(name));
                    if let Some(source) = self.source(name, version) {
                        return Ok(source.line(&pin));
                    }
                    let hash = item.sha256(requirements)?;
                    if let Some(address) = item.address() {
                        return Ok(format!(
                            "{} @ {address} --hash=sha256:{hash}",
                            normalized(name)
                        ));
                    }
                    Ok(format!("{pin} --hash=sha256:{hash}"))
                });
                Ok(Lock::of(lines.collect::<Result<Vec<_>, InstallError>>()?))
            }
        }
    }

    /// Packages for a lock file: for all platforms with uv, for this one with pip. Pins of an earlier
    /// lock stay where they still fit.
    pub(super) fn packages(
        &self,
        requirements: &Requirements,
        earlier: &[Package],
    ) -> Result<PyLock, InstallError> {
        self.check_wanted(requirements)?;
        let constraints: Vec<String> = earlier
            .iter()
            .filter_map(|it| Some(format!("{}=={}", it.name, it.version.as_ref()?)))
            // They are from a file that others may have written.
            .filter(|it| Requirement::parse(it).is_ok())
            .collect();
        match &self.program {
            Program::Uv(uv) => {
                let resolved = self.folder.join("pylock.toml");
                drop(fs_err::remove_file(&resolved));
                if !earlier.is_empty() {
                    let known = super::pylock::packages_only(earlier);
                    fs_err::write(&resolved, known).map_err(cache_error(&resolved))?;
                }
                let (major, minor) = self.interpreter.minor;
                let asked = requirements.requires_python.as_deref().and_then(lower_bound);
                let oldest = asked.unwrap_or_else(|| format!("{major}.{minor}"));
                let form = ["--universal", "--python-version", &oldest];
                self.ask_uv(uv, requirements, &resolved, "pylock.toml", &form)?;
                let refused = |reason: String| refused("locking", requirements, &reason);
                let mut lock = PyLock::read(&resolved, &read(&resolved)?)
                    .map_err(|error| refused(error.to_string()))?;
                let requires = requirements.requires_python.clone();
                lock.requires_python = requires.or(lock.requires_python);
                Ok(lock)
            }
            Program::Pip => {
                let kept = self.ask_pip(requirements, &constraints);
                let report = match kept {
                    // An old pin may be in the way of a new requirement.
                    Err(InstallError::Refused { .. }) if !constraints.is_empty() => {
                        self.ask_pip(requirements, &[])
                    }
                    other => other,
                }?;
                let packages = report.install.iter().map(|item| {
                    let Metadata { name, version } = &item.metadata;
                    if self.source(name, version).is_some() {
                        return Ok(Package::of_nothing(name, version));
                    }
                    let hash = item.sha256(requirements)?;
                    if let Some(address) = item.address() {
                        return Ok(Package::of_address(name, version, address, hash));
                    }
                    Ok(Package::of_wheel(name, version, &item.download_info.url, hash))
                });
                let packages = packages.collect::<Result<Vec<_>, InstallError>>()?;
                Ok(PyLock::of_platform(packages, &report.environment))
            }
        }
    }

    /// Looks at the addresses of requirements that are lines.
    fn check_wanted(&self, requirements: &Requirements) -> Result<(), InstallError> {
        let lines = requirements.lines.iter().chain(&requirements.constraints);
        let lines = lines.filter(|_| requirements.uv_project.is_none());
        self.check_addresses(lines.map(String::as_str), requirements)
    }

    fn ask_uv(
        &self,
        uv: &Utf8Path,
        requirements: &Requirements,
        resolved: &Utf8Path,
        format: &str,
        form: &[&str],
    ) -> Result<(), InstallError> {
        let uv = self.uv(uv);
        let tool = match &requirements.uv_project {
            // Settings of the project would choose where uv's cache lies; an export needs none.
            Some(project) => uv
                .args(["export", "--no-config", "--frozen", "--no-emit-project", "--no-header"])
                .args(["--no-annotate", "--format", format])
                .args(["--project", self.project(project)?.as_str()]),
            None => uv
                .args(["pip", "compile", "--only-binary", ":all:", "--no-header"])
                .args(["--no-annotate", "--format", format])
                .args(form)
                .args(["--constraint", self.constraints(requirements, &[])?.as_str()])
                .args(self.links())
                .arg(self.list(requirements)?.as_str()),
        };
        // Only the end of a tool's output is kept, so the answer comes as a file.
        let tool = tool.args(["--quiet", "--output-file", resolved.as_str()]);
        let output = self.run(tool, &requirements.origin)?;
        self.accepted("resolving", requirements, output).map(drop)
    }

    fn ask_pip(
        &self,
        requirements: &Requirements,
        pins: &[String],
    ) -> Result<Report, InstallError> {
        if requirements.uv_project.is_some() {
            let reason = "a `uv.lock` is read by uv, which is not on PATH: install it (`pip install \
                          uv`), or write a `pylock.toml` with `uv export`";
            return Err(refused("resolving", requirements, reason));
        }
        let (report, list) = (self.folder.join("report.json"), self.list(requirements)?);
        let constraints = self.constraints(requirements, pins)?;
        let pip = self
            .base_python()
            .args(["-c", WHEELS_ONLY, "install", "--dry-run", "--ignore-installed", "--quiet"])
            .args(["--no-input", "--only-binary", ":all:", "--report", report.as_str()])
            .args(["-r", list.as_str(), "-c", constraints.as_str()])
            .args(self.links());
        let output = self.run(pip, &requirements.origin)?;
        self.accepted("resolving", requirements, output)?;
        let text = read(&report)?;
        serde_json::from_str(&text)
            .map_err(|error| refused("resolving", requirements, &error.to_string()))
    }

    /// The files of a project in a folder of nbc's own: in the author's, uv would follow links, and look into the folders
    /// above.
    fn project(&self, project: &UvProject) -> Result<Utf8PathBuf, InstallError> {
        let folder = self.folder.join("project");
        let written = fs_err::create_dir_all(&folder)
            .and_then(|()| fs_err::write(folder.join("uv.lock"), &project.lock))
            .and_then(|()| fs_err::write(folder.join("pyproject.toml"), &project.project));
        written.map_err(cache_error(&folder))?;
        Ok(folder)
    }

    /// A file of the constraints of requirements, and of pins that are to stay.
    fn constraints(
        &self,
        requirements: &Requirements,
        pins: &[String],
    ) -> Result<Utf8PathBuf, InstallError> {
        let file = self.folder.join("constraints.txt");
        let lines = [&requirements.constraints, pins].concat().join("\n") + "\n";
        fs_err::write(&file, lines).map_err(cache_error(&file))?;
        Ok(file)
    }

    fn list(&self, requirements: &Requirements) -> Result<Utf8PathBuf, InstallError> {
        let list = self.folder.join("requirements.txt");
        fs_err::write(&list, requirements.lines.join("\n") + "\n").map_err(cache_error(&list))?;
        Ok(list)
    }
}

/// The report of pip about a resolution.
#[derive(serde::Deserialize)]
struct Report {
    install: Vec<Item>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

#[derive(serde::Deserialize)]
struct Item {
    metadata: Metadata,
    download_info: Download,
    /// Whether an address was asked for, not a name.
    #[serde(default)]
    is_direct: bool,
}

#[derive(serde::Deserialize)]
struct Metadata {
    name: String,
    version: String,
}

#[derive(serde::Deserialize)]
struct Download {
    url: String,
    archive_info: Option<Archive>,
}

#[derive(serde::Deserialize)]
struct Archive {
    hashes: Option<BTreeMap<String, String>>,
}

impl Item {
    /// The address that was asked for: an index may have another wheel of that name, or none.
    fn address(&self) -> Option<&str> {
        let bare = self.download_info.url.split('#').next().unwrap_or_default();
        self.is_direct.then_some(bare).filter(|it| it.starts_with("http"))
    }

    fn sha256(&self, requirements: &Requirements) -> Result<&str, InstallError> {
        let Metadata { name, version } = &self.metadata;
        let hashes = self.download_info.archive_info.as_ref().and_then(|it| it.hashes.as_ref());
        hashes.and_then(|it| it.get("sha256")).map(String::as_str).ok_or_else(|| {
            let reason = format!("the index tells no SHA-256 of {name} {version}");
            refused("resolving", requirements, &reason)
        })
    }
}

/// Lines of a requirements file with their continuations, without comments.
fn joined_lines(text: &str) -> Vec<String> {
    text.replace("\\\n", " ")
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}
