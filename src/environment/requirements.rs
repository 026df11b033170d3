//! What a notebook asks for: its own header first, else the files beside it.

use camino::{Utf8Path, Utf8PathBuf};

use crate::notebook::Notebook;

/// Packages that an environment must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

impl Requirements {
    /// What nbc itself brings.
    pub(super) fn engine(requirement: &str) -> Self {
        Self {
            lines: vec![requirement.to_owned()],
            requires_python: None,
            origin: "nbc".to_owned(),
            is_locked: false,
            uv_project: None,
        }
    }

    fn of(origin: impl Into<String>, lines: Vec<String>, requires_python: Option<String>) -> Self {
        let origin = origin.into();
        Self { lines, requires_python, origin, is_locked: false, uv_project: None }
    }
}

/// The requirements of a notebook: PEP 723 header, then beside it `pylock.toml`, `uv.lock`,
/// `requirements.txt`, `pyproject.toml`; `None` if it asks for nothing.
///
/// # Errors
/// When a file is there but cannot be understood.
pub(super) fn find(
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
    let pylock = folder.join("pylock.toml");
    if pylock.is_file() {
        return read(&pylock).and_then(|text| pylock_toml(&pylock, &text)).map(Some);
    }
    if folder.join("uv.lock").is_file() && folder.join("pyproject.toml").is_file() {
        let mut found = Requirements::of("uv.lock", vec![read(&folder.join("uv.lock"))?], None);
        found.uv_project = Some(folder.to_owned());
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

fn read(path: &Utf8Path) -> Result<String, RequirementsError> {
    fs_err::read_to_string(path)
        .map_err(|source| RequirementsError::Unreadable { path: path.to_owned(), source })
}

/// Includes (`-r`) are read by nbc, so that the cache key holds all that is asked for; other options
/// (`--index-url`, `-e`, paths) are refused: index settings belong to the user, and a path or an
/// editable install is built from source.
fn requirements_txt(path: &Utf8Path, text: &str) -> Result<Requirements, RequirementsError> {
    let mut lines = Vec::new();
    collect_lines(path, text, 0, &mut lines)?;
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
) -> Result<(), RequirementsError> {
    let invalid = |reason: String| RequirementsError::Invalid { path: path.to_owned(), reason };
    if depth > 8 {
        return Err(invalid("files include each other too deeply".to_owned()));
    }
    for line in text.replace("\\\r\n", " ").replace("\\\n", " ").lines() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let included = line.strip_prefix("-r ").or_else(|| line.strip_prefix("--requirement "));
        if let Some(included) = included {
            let other = path.parent().unwrap_or(Utf8Path::new("")).join(included.trim());
            collect_lines(&other, &read(&other)?, depth + 1, lines)?;
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

/// Turns a lock of PEP 751 into pinned lines with hashes, which pip and uv both install.
fn pylock_toml(path: &Utf8Path, text: &str) -> Result<Requirements, RequirementsError> {
    #[derive(serde::Deserialize)]
    struct PyLock {
        #[serde(rename = "requires-python")]
        requires_python: Option<String>,
        #[serde(default)]
        packages: Vec<Package>,
    }
    #[derive(serde::Deserialize)]
    struct Package {
        name: String,
        version: Option<String>,
        marker: Option<String>,
        #[serde(default)]
        wheels: Vec<Wheel>,
    }
    #[derive(serde::Deserialize)]
    struct Wheel {
        #[serde(default)]
        hashes: std::collections::BTreeMap<String, String>,
    }
    let lock: PyLock = toml::from_str(text).map_err(|error| invalid_toml(path, &error))?;
    let mut lines = Vec::new();
    for package in lock.packages {
        let name = package.name;
        let missing = |what: &str| RequirementsError::Invalid {
            path: path.to_owned(),
            reason: format!("`{name}` has no {what}, and nbc installs wheels only"),
        };
        let version = package.version.ok_or_else(|| missing("version"))?;
        let hashes: Vec<String> = package
            .wheels
            .iter()
            .filter_map(|wheel| wheel.hashes.get("sha256"))
            .map(|hash| format!(" --hash=sha256:{hash}"))
            .collect();
        if hashes.is_empty() {
            return Err(missing("wheel with a SHA-256 hash"));
        }
        let marker = package.marker.map(|marker| format!(" ; {marker}")).unwrap_or_default();
        lines.push(format!("{name}=={version}{marker}{}", hashes.concat()));
    }
    let mut found = Requirements::of("pylock.toml", lines, lock.requires_python);
    found.is_locked = true;
    Ok(found)
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
    fn a_requirements_file_cannot_choose_an_index_or_build_a_path() {
        for bad in ["--index-url https://example.org", "-e .", "./package", "/package"] {
            let found = requirements_txt(Utf8Path::new("requirements.txt"), bad);
            assert!(matches!(found, Err(RequirementsError::Invalid { .. })), "{bad}");
        }
    }

    #[test]
    fn a_pep_751_lock_becomes_pinned_lines() {
        let text = "lock-version = '1.0'\nrequires-python = '>=3.11'\n[[packages]]\nname = 'six'\n\
                    version = '1.16.0'\nmarker = \"python_version > '3'\"\n[[packages.wheels]]\n\
                    hashes = {sha256 = 'ab'}\n";
        let found = pylock_toml(Utf8Path::new("pylock.toml"), text).unwrap();
        assert_eq!(found.lines, ["six==1.16.0 ; python_version > '3' --hash=sha256:ab"]);
        assert!(found.is_locked);
    }
}
