//! Requirements of a notebook: its own header first, else the files beside it.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::Interpreter;
use super::includes::requirements_txt;
use super::names::{digest_of, normalized};
use super::pep508::Requirement;
use super::pylock::{LockTarget, PyLock};
use crate::notebook::Notebook;
use crate::source::project_file::{MOST_PROJECT_BYTES, ProjectFileError, ProjectRoot};
use crate::source::toml_error;

/// Packages that an environment must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Requirements {
    /// Lines in the format of a requirements file.
    pub lines: Vec<String>,
    /// Versions of packages, if something asks for them; lines of the same format.
    pub constraints: Vec<String>,
    /// Python versions that will do, a PEP 440 specifier set.
    pub requires_python: Option<String>,
    /// Their origin, for messages.
    pub origin: String,
    /// Lines with an address, each with its file and line number.
    pub(super) places: BTreeMap<String, String>,
    /// Whether every line is pinned and carries a hash already.
    pub is_locked: bool,
    /// A uv project whose lock is to be exported.
    pub(super) uv_project: Option<UvProject>,
    /// The lock file that decides, and where it lies.
    pub(super) lock: Option<(Utf8PathBuf, PyLock)>,
}

/// The files of a uv project as they were read: uv gets copies, and never looks into the project itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct UvProject {
    /// `uv.lock`.
    pub(super) lock: String,
    /// `pyproject.toml`.
    pub(super) project: String,
}

/// Why requirements cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RequirementsError {
    /// The file cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Unreadable {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: ProjectFileError,
    },
    /// A requirements file includes one that cannot be read.
    #[error("`{path}`, line {line}: cannot read `{included}`: {source}")]
    Included {
        /// The file.
        path: Utf8PathBuf,
        /// Its line, from 1.
        line: usize,
        /// The file that the line names.
        included: String,
        /// Why.
        source: ProjectFileError,
    },
    /// A line of a requirements file is none that nbc takes.
    #[error("`{path}`, line {line}, {reason}")]
    Line {
        /// The file.
        path: Utf8PathBuf,
        /// Its line, from 1.
        line: usize,
        /// Why; quotes nothing of the line.
        reason: String,
    },
    /// A dependency of a script header is none that nbc takes.
    #[error("`{path}`, line {line} of its script header, {reason}")]
    Header {
        /// The notebook.
        path: Utf8PathBuf,
        /// Line of the header, from 1.
        line: usize,
        /// Why; quotes nothing of the line.
        reason: String,
    },
    /// A requirements file leads to more than nbc reads.
    #[error("cannot read `{path}`: {bound}")]
    Includes {
        /// The file that is one too many.
        path: Utf8PathBuf,
        /// The bound that was reached.
        bound: &'static str,
    },
    /// The file is not TOML, or not of the expected shape.
    #[error("`{path}` is not valid: {reason}")]
    Invalid {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        reason: String,
    },
    /// The requirements changed after they were locked.
    #[error("the lock `{path}` was made for other requirements than those of {origin}")]
    Stale {
        /// The lock.
        path: Utf8PathBuf,
        /// The origin of the requirements.
        origin: String,
    },
    /// The lock lacks something that this nbc brings.
    #[error(
        "the lock `{path}` was made by another nbc, or for other notebooks: it lacks `{requirement}`"
    )]
    LacksOverlay {
        /// The lock.
        path: Utf8PathBuf,
        /// The missing requirement.
        requirement: String,
    },
    /// The lock was made by a tool that sees one platform only.
    #[error("the lock `{path}` is for other machines than this one: {environments}")]
    OtherPlatform {
        /// The lock.
        path: Utf8PathBuf,
        /// Markers of the machines that it is for.
        environments: String,
    },
}

impl RequirementsError {
    /// A line of a file that is none that nbc takes.
    pub(super) fn line(path: &Utf8Path, line: usize, reason: String) -> Self {
        Self::Line { path: path.to_owned(), line, reason }
    }

    /// The way out, if it is not in the message.
    pub(super) fn help(&self) -> Option<String> {
        match self {
            Self::Stale { .. } | Self::LacksOverlay { .. } => {
                Some("lock them anew with `nbc lock`, and commit the file".to_owned())
            }
            Self::OtherPlatform { .. } => Some(
                "lock them here with `nbc lock`; with uv on PATH, a lock is for all platforms"
                    .to_owned(),
            ),
            Self::Included { source: ProjectFileError::Outside, .. } => Some(
                "put a copy of the file beside this one, or name the folder that holds both: \
                 `nbc build FOLDER`"
                    .to_owned(),
            ),
            Self::Unreadable { source, .. } | Self::Included { source, .. } => {
                source.help().map(str::to_owned)
            }
            Self::Line { .. } | Self::Header { .. } => Some(
                "list packages by name and version, or the address of a wheel; `-r` and `-c` of a \
                 requirements file name others of the folder that is built"
                    .to_owned(),
            ),
            Self::Includes { .. } => {
                Some("write what is asked for into one file, and name no file twice".to_owned())
            }
            Self::Invalid { .. } => None,
        }
    }
}

impl Requirements {
    /// Requirements of nbc itself.
    pub(super) fn engine(requirement: &str) -> Self {
        Self::of("nbc", vec![requirement.to_owned()], None)
    }

    /// Requirements of nbc itself, as a lock pins them.
    pub(super) fn pinned_engine(lines: Vec<String>) -> Self {
        Self { is_locked: true, ..Self::of("nbc", lines, None) }
    }

    /// Build requirements of a package.
    pub(super) fn of_build(package: &str, lines: Vec<String>) -> Self {
        Self::of(format!("the build of `{package}`"), lines, None)
    }

    /// The address of a line, if it names one.
    pub(super) fn address(line: &str) -> Option<&str> {
        Requirement::parse(line).ok()?.address
    }

    /// The versions of a package that the lines themselves ask for, and that constraints allow.
    pub(super) fn specifiers(&self, package: &str) -> String {
        let all = self.lines.iter().chain(&self.constraints);
        let own = all.filter_map(|it| Requirement::parse(it).ok());
        let own = own.filter(|it| normalized(it.name) == package && !it.versions.is_empty());
        own.map(|it| it.versions).collect::<Vec<_>>().join(",")
    }

    /// All that decides about a resolution, as a text: the same lines without constraints are the lines alone.
    pub(super) fn asked(&self) -> String {
        let constraints = self.constraints.iter().map(|it| format!("-c {it}"));
        self.lines.iter().cloned().chain(constraints).collect::<Vec<_>>().join("\n")
    }

    pub(super) fn of(
        origin: impl Into<String>,
        lines: Vec<String>,
        requires_python: Option<String>,
    ) -> Self {
        let (origin, is_locked, uv_project) = (origin.into(), false, None);
        let (constraints, places, lock) = (Vec::new(), BTreeMap::new(), None);
        Self { lines, constraints, requires_python, origin, places, is_locked, uv_project, lock }
    }

    /// Whether another day gives the same packages.
    pub(super) fn is_pinned(&self) -> bool {
        self.is_locked || self.uv_project.is_some()
    }

    /// Digest that a lock is compared by: the order of the lines and blanks do not count.
    pub(super) fn digest(&self) -> String {
        let compact = |it: &String| it.split_whitespace().collect::<String>();
        let mut lines: Vec<String> = self.lines.iter().map(compact).collect();
        lines.extend(self.constraints.iter().map(|it| format!("-c {}", compact(it))));
        lines.sort();
        lines.push(self.requires_python.clone().unwrap_or_default());
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        format!("sha256-{}", digest_of(&lines))
    }

    /// The same with the lines that a lock has for this machine.
    pub(super) fn pinned_for(
        mut self,
        interpreter: &Interpreter,
    ) -> Result<Self, RequirementsError> {
        if let Some((path, lock)) = &self.lock {
            self.lines = lock.lines(&LockTarget { path, interpreter })?;
        }
        Ok(self)
    }
}

/// A notebook's folder, and the folder that nothing read for it leaves.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    notebook: &'a Utf8Path,
    root: &'a Utf8Path,
}

impl<'a> Beside<'a> {
    /// The folder of the notebook at a path. Links and includes may lead to other files below `root`, the folder that
    /// the user named; without one, or where the notebook lies elsewhere, its own folder is the root.
    #[must_use]
    pub fn new(notebook: &'a Utf8Path, root: Option<&'a Utf8Path>) -> Self {
        let own = notebook.parent().unwrap_or(Utf8Path::new(""));
        Self { notebook, root: root.filter(|it| own.starts_with(it)).unwrap_or(own) }
    }

    /// The notebook.
    pub(super) fn notebook(self) -> &'a Utf8Path {
        self.notebook
    }

    /// The folder that nothing leaves.
    pub(super) fn root(self) -> &'a Utf8Path {
        self.root
    }

    /// The notebook's folder.
    pub(super) fn folder(self) -> &'a Utf8Path {
        self.notebook.parent().unwrap_or(Utf8Path::new(""))
    }

    /// The text of a file, named from the notebook's folder.
    pub(super) fn text_at(self, relative: &Utf8Path) -> Result<String, ProjectFileError> {
        let folder = self.folder();
        let below = folder.strip_prefix(self.root).unwrap_or(Utf8Path::new(""));
        ProjectRoot::new(self.root).text(&below.join(relative), MOST_PROJECT_BYTES)
    }

    fn has(self, name: &str) -> bool {
        is_there(&self.folder().join(name))
    }

    /// The text of a file in the notebook's folder.
    pub(super) fn read(self, name: &str) -> Result<String, RequirementsError> {
        self.text_at(Utf8Path::new(name)).map_err(|source| RequirementsError::Unreadable {
            path: self.folder().join(name),
            source,
        })
    }
}

/// Path of a notebook's lock: beside it, its own if it has a header, else that of the folder.
pub(super) fn lock_path(notebook: &Notebook, path: &Utf8Path) -> Utf8PathBuf {
    match notebook.script {
        Some(_) => own_lock_path(path),
        None => path.with_file_name("pylock.toml"),
    }
}

fn own_lock_path(path: &Utf8Path) -> Utf8PathBuf {
    // PEP 751 allows no dot in the name.
    let stem = path.file_stem().unwrap_or("notebook").replace('.', "-");
    path.with_file_name(format!("pylock.{stem}.toml"))
}

/// Files that decide about the environment of a notebook, whether they are there or not.
pub(super) fn deciding(notebook: &Notebook, path: &Utf8Path) -> Vec<Utf8PathBuf> {
    let names = ["pylock.toml", "uv.lock", "requirements.txt", "pyproject.toml"];
    let mut all: Vec<Utf8PathBuf> = match notebook.script {
        Some(_) => Vec::new(),
        None => names.iter().map(|it| path.with_file_name(it)).collect(),
    };
    all.push(own_lock_path(path));
    all
}

/// Whether the requirements beside a notebook name other files.
pub(super) fn includes_others(beside: Beside<'_>) -> bool {
    let text = beside.text_at(Utf8Path::new(REQUIREMENTS)).unwrap_or_default();
    text.lines().any(|it| it.trim_start().starts_with('-'))
}

/// The requirements of a notebook with the lock for them, if there is one; `None` if it asks for nothing.
///
/// # Errors
/// When a file is there but cannot be understood, or a lock is for other requirements.
pub(super) fn find(
    notebook: &Notebook,
    beside: Beside<'_>,
) -> Result<Option<Requirements>, RequirementsError> {
    let wanted = wanted(notebook, beside)?;
    let path = beside.notebook();
    let candidates = [own_lock_path(path), lock_path(notebook, path)];
    let Some(path) = candidates.into_iter().find(|it| is_there(it)) else { return Ok(wanted) };
    let lock = PyLock::read(&path, &beside.read(path.file_name().unwrap_or_default())?)?;
    if let (Some(own), Some(wanted)) = (lock.own(), &wanted)
        && own.requirements != wanted.digest()
    {
        return Err(RequirementsError::Stale { path, origin: wanted.origin.clone() });
    }
    let asked = wanted.and_then(|it| it.requires_python);
    let both: Vec<String> = asked.into_iter().chain(lock.requires_python.clone()).collect();
    let requires = (!both.is_empty()).then(|| both.join(","));
    let mut found = Requirements::of(path.file_name().unwrap_or_default(), Vec::new(), requires);
    found.is_locked = true;
    found.lock = Some((path, lock));
    Ok(Some(found))
}

/// The requirements of a notebook, whether locked or not: PEP 723 header, then beside it `uv.lock`,
/// `requirements.txt`, `pyproject.toml`; `None` if it asks for nothing. They become lines of a file for an installer
/// that is not confined, so each parses as a requirement.
///
/// # Errors
/// When a file is there but cannot be understood.
pub(super) fn wanted(
    notebook: &Notebook,
    beside: Beside<'_>,
) -> Result<Option<Requirements>, RequirementsError> {
    if let Some(script) = &notebook.script {
        for (idx, line) in script.dependencies.iter().enumerate() {
            Requirement::parse(line).map_err(|reason| RequirementsError::Header {
                path: beside.notebook().to_owned(),
                line: script.dependency_lines.get(idx).copied().unwrap_or(1),
                reason: reason.to_owned(),
            })?;
        }
        let (lines, requires) = (script.dependencies.clone(), script.requires_python.clone());
        return Ok(Some(Requirements::of("the script header", lines, requires)));
    }
    let [lock, pyproject] = ["uv.lock", "pyproject.toml"];
    if beside.has(lock) && beside.has(pyproject) {
        let project = UvProject { lock: beside.read(lock)?, project: beside.read(pyproject)? };
        // uv quotes the line of what is no TOML.
        for (name, text) in [(lock, &project.lock), (pyproject, &project.project)] {
            toml::from_str::<toml::Table>(text)
                .map_err(|error| invalid_toml(&beside.folder().join(name), &error, text))?;
        }
        let lines = vec![project.lock.clone(), project.project.clone()];
        let mut found = Requirements::of(lock, lines, None);
        found.uv_project = Some(project);
        return Ok(Some(found));
    }
    if beside.has(REQUIREMENTS) {
        return requirements_txt(beside, REQUIREMENTS, &beside.read(REQUIREMENTS)?).map(Some);
    }
    if beside.has(pyproject) {
        let text = beside.read(pyproject)?;
        return pyproject_toml(&beside.folder().join(pyproject), &text);
    }
    Ok(None)
}

/// The name of a requirements file.
const REQUIREMENTS: &str = "requirements.txt";

/// Whether something is there, be it a link that leads nowhere: it is read or refused, not passed over.
fn is_there(path: &Utf8Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn pyproject_toml(path: &Utf8Path, text: &str) -> Result<Option<Requirements>, RequirementsError> {
    #[derive(serde::Deserialize)]
    struct PyProject {
        project: Option<Project>,
    }
    #[derive(serde::Deserialize)]
    struct Project {
        #[serde(default)]
        dependencies: Vec<toml::Spanned<String>>,
        #[serde(rename = "requires-python")]
        requires_python: Option<String>,
    }
    let parsed: PyProject =
        toml::from_str(text).map_err(|error| invalid_toml(path, &error, text))?;
    let Some(project) = parsed.project else { return Ok(None) };
    let lines = project.dependencies.into_iter().map(|dependency| {
        let line = toml_error::line_at(text, dependency.span().start);
        Requirement::parse(dependency.get_ref())
            .map_err(|reason| RequirementsError::line(path, line, reason.to_owned()))?;
        Ok(dependency.into_inner())
    });
    let lines = lines.collect::<Result<Vec<_>, RequirementsError>>()?;
    Ok(Some(Requirements::of("pyproject.toml", lines, project.requires_python)))
}

/// A file that is no TOML, or of another shape, told without quotes of it.
pub(super) fn invalid_toml(
    path: &Utf8Path,
    error: &toml::de::Error,
    text: &str,
) -> RequirementsError {
    RequirementsError::Invalid { path: path.to_owned(), reason: toml_error::told(error, text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_of_a_package_are_those_that_lines_name() {
        let lines =
            ["a_B [x] >=1,<3 ; python_version > '3'", "a-b~=2.0 --hash=sha256:ab", "ab==9", "A.b"];
        let asked = Requirements::of("x", lines.map(str::to_owned).to_vec(), None);
        assert_eq!(asked.specifiers("a-b"), ">=1,<3,~=2.0");
        assert_eq!(asked.specifiers("c"), "");
    }

    #[test]
    fn a_dependency_that_is_none_is_told_by_its_line() {
        let path = Utf8Path::new("in/pyproject.toml");
        let text = "[project]\ndependencies = [\n  'six',\n  'login me password hunter2',\n]";
        let told = pyproject_toml(path, text).unwrap_err().to_string();
        assert!(told.starts_with("`in/pyproject.toml`, line 4, is no requirement"), "{told}");
        for text in ["[project]\ndependencies = 'hunter2'", "hunter2", "a = 1\nb = hunter2"] {
            let told = pyproject_toml(path, text).unwrap_err().to_string();
            assert!(told.contains("is not valid: line ") && !told.contains("hunter2"), "{told}");
        }
    }
}
