//! What a notebook asks for: its own header first, else the files beside it.

use camino::{Utf8Path, Utf8PathBuf};

use super::Interpreter;
use super::install::{digest_of, normalized};
use super::pylock::{LockTarget, PyLock};
use super::resolve::without_credentials;
use crate::notebook::Notebook;

/// Packages that an environment must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Requirements {
    /// Lines in the format of a requirements file.
    pub lines: Vec<String>,
    /// Python versions that will do, a PEP 440 specifier set.
    pub requires_python: Option<String>,
    /// Where they come from, for messages.
    pub origin: String,
    /// Whether every line is pinned and carries a hash already.
    pub is_locked: bool,
    /// A uv project whose `uv.lock` is to be exported.
    pub uv_project: Option<Utf8PathBuf>,
    /// The lock file that decides, and where it lies.
    pub(super) lock: Option<(Utf8PathBuf, PyLock)>,
}

/// Why requirements cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RequirementsError {
    /// The file cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Unreadable {
        /// The file.
        path: Utf8PathBuf,
        /// What the system said.
        source: std::io::Error,
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
            Self::Unreadable { .. } | Self::Invalid { .. } => None,
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
        Self { lines, requires_python, origin, is_locked, uv_project, lock: None }
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
    let Some(path) = candidates.into_iter().find(|it| it.is_file()) else { return Ok(wanted) };
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
        for line in &found.lines {
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
    if folder.join("uv.lock").is_file() && folder.join("pyproject.toml").is_file() {
        let mut found = Requirements::of("uv.lock", vec![read(&folder.join("uv.lock"))?], None);
        // uv runs elsewhere.
        found.uv_project =
            Some(camino::absolute_utf8(folder).unwrap_or_else(|_| folder.to_owned()));
        return Ok(Some(found));
    }
    let requirements = folder.join("requirements.txt");
    if requirements.is_file() {
        return read(&requirements)
            .and_then(|text| requirements_txt(&requirements, &text))
            .map(Some);
    }
    let pyproject = folder.join("pyproject.toml");
    if pyproject.is_file() {
        return read(&pyproject).and_then(|text| pyproject_toml(&pyproject, &text));
    }
    Ok(None)
}

/// Reads a file that the notebook's author names: a device or a pipe would never end.
pub(super) fn read(path: &Utf8Path) -> Result<String, RequirementsError> {
    let unreadable = |source| RequirementsError::Unreadable { path: path.to_owned(), source };
    let metadata = fs_err::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        let reason = std::io::Error::other("it is no plain file, or larger than 64 MiB");
        return Err(unreadable(reason));
    }
    fs_err::read_to_string(path).map_err(unreadable)
}

/// Most bytes of a file, and of a requirements file with all that it includes.
const LARGEST: u64 = 64 << 20;
/// What an included file counts for at least: even empty ones end.
const LEAST_SHARE: u64 = 16 << 10;

/// Includes (`-r`) are read by nbc, so that the cache key holds all that is asked for; other options
/// (`--index-url`, `-e`, paths) are refused: index settings belong to the user, and a path or an
/// editable install is built from source.
fn requirements_txt(path: &Utf8Path, text: &str) -> Result<Requirements, RequirementsError> {
    let mut lines = Vec::new();
    collect_lines(path, text, 0, &mut lines, &mut { LARGEST })?;
    let is_locked = !lines.is_empty()
        && lines.iter().all(|line| line.contains("==") && line.contains("--hash="));
    let mut found = Requirements::of(path.file_name().unwrap_or_default(), lines, None);
    found.is_locked = is_locked;
    Ok(found)
}

fn collect_lines(
    path: &Utf8Path,
    text: &str,
    depth: u32,
    lines: &mut Vec<String>,
    left: &mut u64,
) -> Result<(), RequirementsError> {
    let invalid = |reason: String| RequirementsError::Invalid { path: path.to_owned(), reason };
    if depth > 8 {
        return Err(invalid("files include each other too deeply".to_owned()));
    }
    // Files that include the next one twice are many after a few steps.
    *left = left
        .checked_sub((text.len() as u64).max(LEAST_SHARE))
        .ok_or_else(|| invalid("files include each other too often".to_owned()))?;
    for line in text.replace("\\\r\n", " ").replace("\\\n", " ").lines() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let included = line.strip_prefix("-r ").or_else(|| line.strip_prefix("--requirement "));
        if let Some(included) = included {
            let other = path.parent().unwrap_or(Utf8Path::new("")).join(included.trim());
            collect_lines(&other, &read(&other)?, depth + 1, lines, left)?;
        } else if line.starts_with('-') || line.starts_with('.') || line.starts_with('/') {
            return Err(invalid(format!(
                "`{line}` is not supported: list packages by name, and set indexes in pip's or \
                 uv's own configuration"
            )));
        } else {
            lines.push(line.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    Ok(())
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
            assert!(matches!(found, Err(RequirementsError::Invalid { .. })), "{bad}");
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
