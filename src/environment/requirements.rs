//! What a notebook asks for: its own header first, else the files beside it.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::Interpreter;
use super::install::{digest_of, normalized};
use super::pylock::{LockTarget, PyLock};
use super::resolve::without_credentials;
use crate::notebook::Notebook;
use crate::source::project_file::{MOST_PROJECT_BYTES, ProjectFileError, ProjectRoot};

/// Packages that an environment must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Requirements {
    /// Lines in the format of a requirements file.
    pub lines: Vec<String>,
    /// Python versions that will do, a PEP 440 specifier set.
    pub requires_python: Option<String>,
    /// Where they come from, for messages.
    pub origin: String,
    /// Lines with an address, each with the file and the number where it stands.
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
        /// Where the requirements are.
        origin: String,
    },
    /// The lock lacks something that this nbc brings.
    #[error(
        "the lock `{path}` was made by another nbc, or for other notebooks: it lacks `{requirement}`"
    )]
    LacksOverlay {
        /// The lock.
        path: Utf8PathBuf,
        /// What is missing.
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
            Self::Unreadable { source, .. } | Self::Included { source, .. } => {
                source.help().map(str::to_owned)
            }
            Self::Line { .. } => Some(
                "list packages by name and version, or the address of a wheel; `-r` includes files \
                 of the notebook's folder"
                    .to_owned(),
            ),
            Self::Invalid { .. } => None,
        }
    }
}

impl Requirements {
    /// What nbc itself brings.
    pub(super) fn engine(requirement: &str) -> Self {
        Self::of("nbc", vec![requirement.to_owned()], None)
    }

    /// What nbc itself brings, as a lock pins it.
    pub(super) fn pinned_engine(lines: Vec<String>) -> Self {
        Self { is_locked: true, ..Self::of("nbc", lines, None) }
    }

    /// What the build of a package asks for.
    pub(super) fn of_build(package: &str, lines: Vec<String>) -> Self {
        Self::of(format!("the build of `{package}`"), lines, None)
    }

    /// The address of a line, if it names one.
    pub(super) fn address(line: &str) -> Option<&str> {
        let (_, address) = line.split(" --").next()?.split_once('@')?;
        address.split_whitespace().next()
    }

    /// The versions of a package that the lines themselves ask for.
    pub(super) fn specifiers(&self, package: &str) -> String {
        let of_line = |line: &String| {
            let line = line.split([';', '#']).next()?.split(" --").next()?;
            let is_name = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
            let (name, rest) = line.trim().split_at(line.trim().find(|it| !is_name(it))?);
            let rest = rest.trim_start();
            let rest = match rest.strip_prefix('[') {
                Some(extras) => extras.split_once(']')?.1,
                None => rest,
            };
            let rest = rest.trim().trim_start_matches('(').trim_end_matches(')');
            let is_asked = normalized(name) == package && !rest.starts_with('@');
            (is_asked && !rest.is_empty()).then(|| rest.to_owned())
        };
        self.lines.iter().filter_map(of_line).collect::<Vec<_>>().join(",")
    }

    fn of(origin: impl Into<String>, lines: Vec<String>, requires_python: Option<String>) -> Self {
        let (origin, is_locked, uv_project) = (origin.into(), false, None);
        let (places, lock) = (BTreeMap::new(), None);
        Self { lines, requires_python, origin, places, is_locked, uv_project, lock }
    }

    /// Whether another day gives the same packages.
    pub(super) fn is_pinned(&self) -> bool {
        self.is_locked || self.uv_project.is_some()
    }

    /// What a lock is compared by: the order of the lines and blanks do not count.
    pub(super) fn digest(&self) -> String {
        let mut lines: Vec<String> =
            self.lines.iter().map(|it| it.split_whitespace().collect()).collect();
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

/// Where the lock of a notebook lies: beside it, its own if it has a header, else that of the folder.
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

/// Whether the requirements beside a notebook name files elsewhere.
pub(super) fn includes_others(path: &Utf8Path) -> bool {
    let text = read(&path.with_file_name("requirements.txt")).unwrap_or_default();
    text.lines().any(|it| it.trim_start().starts_with('-'))
}

/// The requirements of a notebook with the lock for them, if there is one; `None` if it asks for nothing.
///
/// # Errors
/// When a file is there but cannot be understood, or a lock is for other requirements.
pub(super) fn find(
    notebook: &Notebook,
    path: &Utf8Path,
) -> Result<Option<Requirements>, RequirementsError> {
    let folder = path.parent().unwrap_or(Utf8Path::new(""));
    let wanted = wanted(notebook, folder)?;
    let candidates = [own_lock_path(path), lock_path(notebook, path)];
    let Some(path) = candidates.into_iter().find(|it| is_there(it)) else { return Ok(wanted) };
    let lock = PyLock::read(&path, &read(&path)?)?;
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

/// What a notebook asks for, whether locked or not: PEP 723 header, then beside it `uv.lock`,
/// `requirements.txt`, `pyproject.toml`; `None` if it asks for nothing.
///
/// # Errors
/// When a file is there but cannot be understood.
pub(super) fn wanted(
    notebook: &Notebook,
    folder: &Utf8Path,
) -> Result<Option<Requirements>, RequirementsError> {
    let found = declared(notebook, folder)?;
    if let Some(found) = found.as_ref().filter(|it| it.uv_project.is_none()) {
        // Those of a requirements file were checked where their numbers are known.
        let lines = found.lines.iter().filter(|_| found.origin != REQUIREMENTS);
        for line in lines {
            check_line(line).map_err(|reason| RequirementsError::Invalid {
                path: found.origin.clone().into(),
                reason: format!("`{}` {reason}", without_credentials(line).escape_debug()),
            })?;
        }
    }
    Ok(found)
}

/// What a notebook's author wrote, here or in a lock, becomes lines of a file for an installer that is not
/// confined: no option, no path, no variable, and no address but that of a wheel, since all else is built, which runs its code.
pub(super) fn check_line(line: &str) -> Result<(), &'static str> {
    let (line, options) = line.split_at(line.find(" --").unwrap_or(line.len()));
    let is_hash = |it: &str| {
        let hash = it.strip_prefix("--hash=").and_then(|it| it.split_once(':'));
        let is_plain = |it: &str| it.bytes().all(|it| it.is_ascii_alphanumeric());
        hash.is_some_and(|(name, digest)| is_plain(name) && is_plain(digest))
    };
    if !options.split_whitespace().all(is_hash) {
        return Err("has an option: only `--hash` may stand after a package");
    }
    // pip ends a line at each character that Unicode calls an end of one.
    let is_text = |it: char| (it.is_ascii_graphic() || it == ' ') && it != '$' && it != '\\';
    if !line.chars().all(is_text) || line.contains(" -") {
        return Err("is not supported: list packages by name");
    }
    let (package, address) = match line.split_once('@') {
        Some((package, address)) => (package, Some(address.trim_start())),
        None => (line.split(';').next().unwrap_or_default(), None),
    };
    if let Some(address) = address {
        // A marker stands after a blank.
        let url = address.split_whitespace().next().unwrap_or_default();
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let is_web = url.starts_with("https://") || url.starts_with("http://");
        if !is_web || !path.ends_with(".whl") {
            return Err("is not a wheel on a server: nbc runs no code of a package to install it");
        }
    }
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_.[],<>=!~()*+ ".contains(it);
    let starts = package.starts_with(|it: char| it.is_ascii_alphanumeric());
    if starts && package.chars().all(is_plain) {
        Ok(())
    } else {
        Err(
            "is not supported: list packages by name, and set indexes in pip's or uv's own configuration",
        )
    }
}

fn declared(
    notebook: &Notebook,
    folder: &Utf8Path,
) -> Result<Option<Requirements>, RequirementsError> {
    if let Some(script) = &notebook.script {
        let lines = script.dependencies.clone();
        return Ok(Some(Requirements::of(
            "the script header",
            lines,
            script.requires_python.clone(),
        )));
    }
    let [lock, requirements, pyproject] =
        ["uv.lock", REQUIREMENTS, "pyproject.toml"].map(|it| folder.join(it));
    if is_there(&lock) && is_there(&pyproject) {
        let project = UvProject { lock: read(&lock)?, project: read(&pyproject)? };
        let lines = vec![project.lock.clone(), project.project.clone()];
        let mut found = Requirements::of("uv.lock", lines, None);
        found.uv_project = Some(project);
        return Ok(Some(found));
    }
    if is_there(&requirements) {
        return requirements_txt(&requirements, &read(&requirements)?).map(Some);
    }
    if is_there(&pyproject) {
        return read(&pyproject).and_then(|text| pyproject_toml(&pyproject, &text));
    }
    Ok(None)
}

/// The name of a requirements file.
const REQUIREMENTS: &str = "requirements.txt";

/// Whether something is there, be it a link that leads nowhere: it is read or refused, not passed over.
fn is_there(path: &Utf8Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Reads a file beside a notebook, which its author may have made a link to anything.
pub(super) fn read(path: &Utf8Path) -> Result<String, RequirementsError> {
    let folder = path.parent().unwrap_or(Utf8Path::new(""));
    let name = Utf8Path::new(path.file_name().unwrap_or_default());
    ProjectRoot::new(folder)
        .text(name, MOST_PROJECT_BYTES)
        .map_err(|source| RequirementsError::Unreadable { path: path.to_owned(), source })
}

/// What an included file counts for at least: even empty ones end.
const LEAST_SHARE: u64 = 16 << 10;
/// Longest name of an included file that a message shows.
const LONGEST_SHOWN: usize = 200;

/// Includes (`-r`) are read by nbc, so that the cache key holds all that is asked for, and below the folder of the
/// file: others' files would be told to the index by their lines. Other options (`--index-url`, `-e`, paths) are
/// refused: index settings belong to the user, and a path or an editable install is built from source.
fn requirements_txt(path: &Utf8Path, text: &str) -> Result<Requirements, RequirementsError> {
    let folder = path.parent().unwrap_or(Utf8Path::new(""));
    let mut reader = Includes {
        root: ProjectRoot::new(folder),
        folder,
        lines: Vec::new(),
        places: BTreeMap::new(),
        left: MOST_PROJECT_BYTES,
    };
    let name = Utf8Path::new(path.file_name().unwrap_or_default());
    reader.add(name, text, 0)?;
    let Includes { lines, places, .. } = reader;
    let is_locked = !lines.is_empty()
        && lines.iter().all(|line| line.contains("==") && line.contains("--hash="));
    let mut found = Requirements::of(path.file_name().unwrap_or_default(), lines, None);
    found.is_locked = is_locked;
    found.places = places;
    Ok(found)
}

/// Reads a requirements file with all that it includes.
struct Includes<'a> {
    root: ProjectRoot,
    /// The same, for messages.
    folder: &'a Utf8Path,
    lines: Vec<String>,
    /// Of lines with an address.
    places: BTreeMap<String, String>,
    /// Bytes that may still come.
    left: u64,
}

impl Includes<'_> {
    /// Adds the lines of a file; `path` is below the root.
    fn add(&mut self, path: &Utf8Path, text: &str, depth: u32) -> Result<(), RequirementsError> {
        let shown = self.folder.join(path);
        let invalid = |reason: &str| RequirementsError::Invalid {
            path: shown.clone(),
            reason: reason.to_owned(),
        };
        if depth > 8 {
            return Err(invalid("files include each other too deeply"));
        }
        // Files that include the next one twice are many after a few steps.
        self.left = self
            .left
            .checked_sub((text.len() as u64).max(LEAST_SHARE))
            .ok_or_else(|| invalid("files include each other too often, or are too large"))?;
        for (number, line) in numbered_lines(text) {
            let refused = |reason: &str| RequirementsError::Line {
                path: shown.clone(),
                line: number,
                reason: reason.to_owned(),
            };
            let included = line.strip_prefix("-r ").or_else(|| line.strip_prefix("--requirement "));
            if let Some(included) = included.map(str::trim) {
                let other = path.parent().unwrap_or(Utf8Path::new("")).join(included);
                let text = self.root.text(&other, MOST_PROJECT_BYTES).map_err(|source| {
                    let included = included.escape_debug().take(LONGEST_SHOWN).collect();
                    let path = shown.clone();
                    RequirementsError::Included { path, line: number, included, source }
                })?;
                self.add(&other, &text, depth + 1)?;
            } else if line.starts_with(['-', '.', '/']) {
                return Err(refused(
                    "is not supported: list packages by name, and set indexes in pip's or uv's own \
                     configuration",
                ));
            } else {
                let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
                check_line(&line).map_err(refused)?;
                if line.contains('@') {
                    let place = format!("`{shown}`, line {number},");
                    self.places.entry(line.clone()).or_insert(place);
                }
                self.lines.push(line);
            }
        }
        Ok(())
    }
}

/// The lines of a requirements file without comments, each with its number; a backslash at the end continues it.
fn numbered_lines(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut raw = text.lines().enumerate();
    std::iter::from_fn(move || {
        let (idx, first) = raw.next()?;
        let mut line = first.to_owned();
        while line.ends_with('\\') {
            line.pop();
            line.push(' ');
            line.push_str(raw.next().map(|it| it.1).unwrap_or_default());
        }
        Some((idx + 1, line.split(" #").next().unwrap_or_default().trim().to_owned()))
    })
    .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

fn pyproject_toml(path: &Utf8Path, text: &str) -> Result<Option<Requirements>, RequirementsError> {
    #[derive(serde::Deserialize)]
    struct PyProject {
        project: Option<Project>,
    }
    #[derive(serde::Deserialize)]
    struct Project {
        #[serde(default)]
        dependencies: Vec<String>,
        #[serde(rename = "requires-python")]
        requires_python: Option<String>,
    }
    let parsed: PyProject = toml::from_str(text).map_err(|error| invalid_toml(path, &error))?;
    Ok(parsed
        .project
        .map(|it| Requirements::of("pyproject.toml", it.dependencies, it.requires_python)))
}

fn invalid_toml(path: &Utf8Path, error: &toml::de::Error) -> RequirementsError {
    RequirementsError::Invalid { path: path.to_owned(), reason: error.message().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirements_file_loses_comments_and_joins_lines() {
        let text = "# top\nnumpy>=2 # why\npandas==2.0 \\\n  --hash=sha256:ab\n\n";
        let found = requirements_txt(Utf8Path::new("requirements.txt"), text).unwrap();
        assert_eq!(found.lines, ["numpy>=2", "pandas==2.0 --hash=sha256:ab"]);
        assert!(!found.is_locked);
    }

    #[test]
    fn a_requirement_is_a_package_by_name_or_a_wheel() {
        for good in [
            "numpy",
            "a-b[c, d] >=1,<2 ; python_version > '3' and sys_platform != \"win32\"",
            "a==1.0 ; os_name == 'nt' --hash=sha256:ab --hash=sha256:cd",
            "a @ https://h/a-1-py3-none-any.whl#sha256=ab",
            "a[b]@http://h/a-1-py3-none-any.whl ; os_name == 'nt'",
            "a (>=1)",
        ] {
            assert_eq!(check_line(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "--index-url=https://evil",
            "-r /etc/hostname",
            "-e .",
            "a --index-url=https://evil",
            "a --config-settings=x=y",
            "a -r x",
            "a\n-r x",
            "a @ https://h/a.tar.gz",
            "a @ https://h/a.tar.gz#x.whl",
            "a @ https://h/a.tar.gz?x.whl",
            "a @ https://h/a.tar.gz ; os_name == '.whl'",
            "a @ git+https://h/a.whl",
            "a @ file:///a.whl",
            "a @ /a.whl",
            "a @ https://h/${HOME}/a.whl",
            "./a.whl",
            "/a/b.tar.gz",
            "a/b.tar.gz",
            "https://h/a.tar.gz",
            "git+https://h/a",
            "a ; os_name == '${HOME}'",
            "a ; os_name == 'nt'\u{2028}--index-url=https://evil",
            "a ; os_name == 'nt'\u{85}-r x",
        ] {
            assert!(check_line(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_versions_of_a_package_are_those_that_lines_name() {
        let lines = ["a_B [x] >=1,<3 ; python_version > '3'", "a-b~=2.0 --hash=x", "ab==9", "A.b"];
        let asked = Requirements::of("x", lines.map(str::to_owned).to_vec(), None);
        assert_eq!(asked.specifiers("a-b"), ">=1,<3,~=2.0");
        assert_eq!(asked.specifiers("c"), "");
    }

    #[test]
    fn a_requirements_file_cannot_choose_an_index_or_build_a_path() {
        for bad in ["--index-url https://example.org", "-e .", "./package", "/package"] {
            let found = requirements_txt(Utf8Path::new("requirements.txt"), bad);
            assert!(matches!(found, Err(RequirementsError::Line { line: 1, .. })), "{bad}");
        }
    }

    #[test]
    fn includes_end() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(directory.path()).unwrap();
        for idx in 0..7 {
            let text = format!("-r r{}.txt\n", idx + 1).repeat(30);
            fs_err::write(folder.join(format!("r{idx}.txt")), text).unwrap();
        }
        fs_err::write(folder.join("r7.txt"), "").unwrap();
        for included in ["r0.txt", "/dev/zero", "."] {
            let found = requirements_txt(&folder.join("x.txt"), &format!("-r {included}"));
            assert!(found.is_err(), "{included}");
        }
        assert!(requirements_txt(&folder.join("x.txt"), "-r r5.txt").is_ok());
    }
}
