//! Finding Python and asking it about itself, without running anybody's code.

use std::collections::BTreeSet;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::process::tool::{Tool, on_path, search_path};

/// Oldest Python that nbc runs notebooks with: the oldest that marimo 0.25 supports.
const OLDEST: (u32, u32) = (3, 10);
/// Newest minor version of Python 3 that is looked for by name.
const NEWEST: u32 = 20;

/// A Python interpreter on the host.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Interpreter {
    /// The program, absolute. In a virtual environment, the one there.
    pub program: Utf8PathBuf,
    /// `3.11.7`.
    pub version: String,
    /// Major and minor version.
    pub minor: (u32, u32),
    /// The prefix under which the standard library is installed.
    pub base_prefix: Utf8PathBuf,
    /// The virtual environment that the program belongs to.
    pub virtual_environment: Option<Utf8PathBuf>,
    /// Whether it is no alpha, beta or candidate.
    pub is_final: bool,
}

/// Why there is no usable interpreter.
#[derive(Debug, thiserror::Error)]
pub enum InterpreterError {
    /// Nothing on `PATH` fits.
    #[error(
        "no Python {wanted} on PATH{found}; install it, or name an interpreter with `--python PATH`"
    )]
    NotFound {
        /// The version that was looked for.
        wanted: String,
        /// Those that are there, with a word before them.
        found: String,
    },
    /// Its program is as it was, but it says something else about itself.
    #[error(
        "`{path}` is another Python than the last build found, though its file did not change; build again"
    )]
    Changed {
        /// The program.
        path: Utf8PathBuf,
    },
    /// The program is there but does not answer as Python does.
    #[error("`{path}` is not a usable Python: {reason}")]
    Unusable {
        /// The program.
        path: Utf8PathBuf,
        /// The wrong answer, or why there was none.
        reason: String,
    },
}

#[derive(serde::Deserialize)]
struct Answer {
    executable: String,
    version: Vec<u32>,
    base_prefix: String,
    implementation: String,
    level: String,
}

const QUESTION: &str = "import json, sys
print(json.dumps({'executable': sys.executable, 'version': list(sys.version_info[:3]), \
'base_prefix': sys.base_prefix, 'implementation': sys.implementation.name, \
'level': sys.version_info.releaselevel}))";

impl Interpreter {
    /// Asks a program about itself: an answer names the program that is started outside the sandbox, so that nothing is
    /// started by one from a file that somebody may have restored. `-I -S` keeps it from running `site`, hence any
    /// package's code.
    ///
    /// # Errors
    /// When it is no CPython, or too old.
    pub fn probe(path: &Utf8Path) -> Result<Self, InterpreterError> {
        Self::of(path, Self::ask(path)?)
    }

    /// Path of the program that the user names: a name alone is looked for on `PATH`.
    pub(super) fn located(path: &Utf8Path) -> Option<Utf8PathBuf> {
        if path.components().count() == 1 && path.file_name().is_some_and(|it| it == path.as_str())
        {
            return on_path(path.as_str());
        }
        Utf8PathBuf::from_path_buf(std::path::absolute(path).ok()?).ok()
    }

    fn ask(path: &Utf8Path) -> Result<Answer, InterpreterError> {
        let unusable =
            |reason: String| InterpreterError::Unusable { path: path.to_owned(), reason };
        let program = Self::located(path)
            .ok_or_else(|| unusable("there is no such program on PATH".to_owned()))?;
        // Version managers such as asdf put programs on `PATH` that read a file of the working folder to find out
        // which Python to start, and the notebook's folder would have a say.
        let output = Tool::new(program)
            .folder("/")
            .args(["-I", "-S", "-c", QUESTION])
            .time_limit(Duration::from_secs(20))
            .run()
            .map_err(|error| unusable(error.to_string()))?;
        serde_json::from_slice(&output.stdout)
            .map_err(|_| unusable("it does not answer as Python does".to_owned()))
    }

    fn of(path: &Utf8Path, answer: Answer) -> Result<Self, InterpreterError> {
        let unusable =
            |reason: String| InterpreterError::Unusable { path: path.to_owned(), reason };
        if answer.implementation != "cpython" {
            return Err(unusable(format!("it is {}, not CPython", answer.implementation)));
        }
        let &[major, minor, micro] = answer.version.as_slice() else {
            return Err(unusable("it tells no version".to_owned()));
        };
        if (major, minor) < OLDEST {
            return Err(unusable(format!(
                "it is Python {major}.{minor}; nbc needs {}.{} or newer",
                OLDEST.0, OLDEST.1
            )));
        }
        let program = Utf8PathBuf::from(answer.executable);
        if !program.is_absolute() {
            return Err(unusable("it does not tell where it lies".to_owned()));
        }
        let virtual_environment = program
            .parent()
            .and_then(Utf8Path::parent)
            .filter(|folder| folder.join("pyvenv.cfg").is_file())
            .map(Utf8Path::to_owned);
        Ok(Self {
            program,
            version: format!("{major}.{minor}.{micro}"),
            minor: (major, minor),
            base_prefix: Utf8PathBuf::from(answer.base_prefix),
            virtual_environment,
            is_final: answer.level == "final",
        })
    }

    /// The interpreter that the user works with: the active virtual environment, else `PATH`.
    ///
    /// # Errors
    /// When there is none.
    pub fn active() -> Result<Self, InterpreterError> {
        let found = active_environments().find_map(|it| Self::probe(&it).ok());
        found.map_or_else(|| Self::base(None), Ok)
    }

    /// The programs that [`Self::active`] may ask.
    pub(super) fn active_programs() -> Vec<Utf8PathBuf> {
        active_environments().chain(Self::base_programs()).filter(|it| it.is_file()).collect()
    }

    /// The programs that [`Self::base`] may ask.
    pub(super) fn base_programs() -> Vec<Utf8PathBuf> {
        let folders = search_path();
        let managed = managed_folders();
        let mut programs = Vec::new();
        for name in ["python3", "python"] {
            programs.extend(folders.iter().map(|it| it.join(name)));
        }
        for minor in OLDEST.1..=NEWEST {
            let all = folders.iter().chain(&managed);
            programs.extend(all.map(|it| it.join(format!("python3.{minor}"))));
        }
        programs.retain(|it| it.is_file());
        programs
    }

    /// The newest interpreter on `PATH`, or among those that uv installed, that meets a `requires-python`
    /// specifier; without one, the one that `python3` means. Nothing is downloaded.
    ///
    /// # Errors
    /// When there is none.
    pub fn base(requires: Option<&str>) -> Result<Self, InterpreterError> {
        let requires = requires.filter(|it| !it.trim().is_empty());
        let folders = search_path();
        let mut search = Search {
            requires,
            best: None,
            seen: BTreeSet::new(),
            asked: BTreeSet::new(),
            last: None,
        };
        for name in ["python3", "python"] {
            for folder in &folders {
                search.look_at(&folder.join(name));
                if search.best.is_some() && requires.is_none() {
                    break;
                }
            }
        }
        if requires.is_some() || search.best.is_none() {
            let managed = managed_folders();
            for minor in (OLDEST.1..=NEWEST).rev() {
                // A name tells the version, so older ones need not be started.
                if search.best.as_ref().is_some_and(|it| it.minor >= (3, minor)) {
                    break;
                }
                for folder in folders.iter().chain(&managed) {
                    search.look_at(&folder.join(format!("python3.{minor}")));
                }
            }
        }
        search.end()
    }

    /// The folder of packages of an environment made with this interpreter.
    pub fn packages_below(&self, prefix: &Utf8Path) -> Utf8PathBuf {
        prefix.join(format!("lib/python{}.{}/site-packages", self.minor.0, self.minor.1))
    }

    /// The program as a job in the sandbox starts it that sees no environment.
    pub(super) fn program_outside_environments(&self) -> Utf8PathBuf {
        let (major, minor) = self.minor;
        match &self.virtual_environment {
            Some(_) => self.base_prefix.join(format!("bin/python{major}.{minor}")),
            None => self.program.clone(),
        }
    }

    /// Whether a package can be imported, told from the files alone.
    pub fn has_module(&self, module: &str) -> bool {
        let prefixes = self.virtual_environment.iter().chain(std::iter::once(&self.base_prefix));
        prefixes.take(1).any(|prefix| self.packages_below(prefix).join(module).exists())
            || self.virtual_environment.is_none()
                && [
                    Utf8PathBuf::from("/usr/lib/python3/dist-packages"),
                    self.base_prefix.join(format!(
                        "local/lib/python{}.{}/dist-packages",
                        self.minor.0, self.minor.1
                    )),
                ]
                .iter()
                .any(|folder| folder.join(module).exists())
    }
}

/// The programs of the environments that are active.
fn active_environments() -> impl Iterator<Item = Utf8PathBuf> {
    let folders =
        ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(|it| std::env::var(it).ok());
    folders.map(Utf8PathBuf::from).filter(|it| it.is_absolute()).map(|it| it.join("bin/python"))
}

/// The programs that uv installed, without asking uv.
pub fn managed_folders() -> Vec<Utf8PathBuf> {
    // A relative folder would be one of the working folder.
    let variable = |name| std::env::var(name).ok().filter(|it| it.starts_with('/'));
    let data = variable("XDG_DATA_HOME").map(Utf8PathBuf::from);
    let home = || variable("HOME").map(|it| Utf8PathBuf::from(it).join(".local/share"));
    let own = variable("UV_PYTHON_INSTALL_DIR").map(Utf8PathBuf::from);
    let Some(root) = own.or_else(|| Some(data.or_else(home)?.join("uv/python"))) else {
        return Vec::new();
    };
    let entries = root.read_dir_utf8().into_iter().flatten().filter_map(Result::ok);
    let mut folders: Vec<Utf8PathBuf> = entries
        .filter(|it| it.file_name().starts_with("cpython-3."))
        .map(|it| it.path().join("bin"))
        .collect();
    folders.sort();
    folders
}

/// A look at interpreters one after the other.
struct Search<'a> {
    requires: Option<&'a str>,
    best: Option<Interpreter>,
    /// Versions that were there.
    seen: BTreeSet<(Vec<u32>, String)>,
    /// Programs that were asked: one often has several names.
    asked: BTreeSet<Utf8PathBuf>,
    last: Option<InterpreterError>,
}

impl Search<'_> {
    fn look_at(&mut self, program: &Utf8Path) {
        let Ok(real) = program.canonicalize_utf8() else { return };
        if !real.is_file() || !self.asked.insert(real) {
            return;
        }
        let found = match Interpreter::probe(program) {
            Ok(found) => found,
            Err(error) => {
                self.last = Some(error);
                return;
            }
        };
        self.seen.insert((numbers(&found.version), found.version.clone()));
        // A test version of Python is taken only where nothing else fits.
        let rank = |it: &Interpreter| (it.is_final, numbers(&it.version));
        let is_newer = |best: &Interpreter| rank(&found) > rank(best);
        if meets(found.minor, &found.version, self.requires)
            && self.best.as_ref().is_none_or(is_newer)
        {
            self.best = Some(found);
        }
    }

    fn end(self) -> Result<Interpreter, InterpreterError> {
        if let Some(best) = self.best {
            return Ok(best);
        }
        let wanted = self.requires.map_or_else(
            || format!("{}.{} or newer", OLDEST.0, OLDEST.1),
            |requires| format!("`{requires}`"),
        );
        let seen: Vec<String> = self.seen.into_iter().map(|(_, version)| version).collect();
        match self.last {
            // A shim that starts nothing tells less than what was looked for.
            Some(error) if self.requires.is_none() => Err(error),
            _ if seen.is_empty() => {
                Err(InterpreterError::NotFound { wanted, found: String::new() })
            }
            _ => {
                let found = format!(" (there is {})", seen.join(", "));
                Err(InterpreterError::NotFound { wanted, found })
            }
        }
    }
}

impl Interpreter {
    /// Whether it meets a `requires-python` specifier.
    pub fn meets(&self, requires: &str) -> bool {
        meets(self.minor, &self.version, Some(requires))
    }
}

/// Whether a version meets a PEP 440 specifier set. Clauses that nbc does not know are left to the
/// installer, which knows them all.
fn meets(minor: (u32, u32), version: &str, requires: Option<&str>) -> bool {
    clauses(requires.unwrap_or_default()).all(|(operator, wanted)| {
        compare_versions(version, operator, wanted).unwrap_or(minor >= OLDEST)
    })
}

/// The oldest version that a specifier set names, such as `3.11`.
pub(super) fn lower_bound(requires: &str) -> Option<String> {
    let bounds = clauses(requires)
        .filter(|(operator, _)| [">=", ">", "==", "~="].contains(operator))
        .map(|(_, wanted)| numbers(wanted));
    let highest = bounds.filter(|it| !it.is_empty()).max()?;
    Some(highest.iter().map(u32::to_string).collect::<Vec<_>>().join("."))
}

/// Operator and version of each clause.
fn clauses(requires: &str) -> impl Iterator<Item = (&str, &str)> {
    requires.split(',').map(str::trim).filter(|it| !it.is_empty()).map(|clause| {
        let at = clause.find(|it: char| it.is_ascii_digit()).unwrap_or(clause.len());
        let (operator, wanted) = clause.split_at(at);
        (operator.trim(), wanted.trim())
    })
}

fn numbers(text: &str) -> Vec<u32> {
    text.trim().split('.').map_while(|part| part.parse().ok()).collect()
}

/// One clause of a PEP 440 specifier set; `None` for an operator that nbc does not know.
pub(super) fn compare_versions(version: &str, operator: &str, wanted: &str) -> Option<bool> {
    let own = numbers(version);
    let wildcard = wanted.ends_with(".*");
    let wanted = numbers(wanted);
    let length = if wildcard { wanted.len() } else { own.len().max(wanted.len()) };
    let pad = |mut parts: Vec<u32>| {
        parts.resize(length, 0);
        parts
    };
    let order = pad(own.clone()).cmp(&pad(wanted.clone()));
    Some(match operator {
        ">=" => order.is_ge(),
        ">" => order.is_gt(),
        "<=" => order.is_le(),
        "<" => order.is_lt(),
        "==" | "===" => order.is_eq(),
        "!=" => !order.is_eq(),
        "~=" => {
            let prefix = wanted.len().saturating_sub(1);
            order.is_ge() && own.iter().take(prefix).eq(wanted.iter().take(prefix))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifiers_decide_as_pep_440_says() {
        let check = |requires| meets((3, 11), "3.11.7", Some(requires));
        for good in [">=3.10", ">=3.9,<3.13", "==3.11.*", "~=3.11", "~=3.11.2", "!=3.12.*", ""] {
            assert!(check(good), "{good}");
        }
        for bad in [">=3.12", "<3.11", "==3.12.*", "~=3.12", "!=3.11.*", "==3.11", ">3.11.7"] {
            assert!(!check(bad), "{bad}");
        }
    }

    #[test]
    fn the_newest_that_fits_is_chosen_and_the_others_are_named() {
        use std::os::unix::fs::PermissionsExt as _;

        let directory = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(directory.path()).unwrap();
        let fake = |name: &str, version: &str, level: &str| {
            let answer = format!(
                "{{\"executable\": \"/opt/{name}\", \"version\": [{version}], \"level\": \"{level}\", \
                 \"base_prefix\": \"/opt\", \"implementation\": \"cpython\"}}"
            );
            let path = folder.join(name);
            fs_err::write(&path, format!("#!/bin/sh\necho '{answer}'\n")).unwrap();
            fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let programs = [
            fake("a", "3, 11, 9", "final"),
            fake("b", "3, 12, 1", "final"),
            fake("c", "3, 11, 10", "final"),
            fake("d", "3, 13, 0", "beta"),
            fake("e", "3, 9, 1", "final"),
        ];
        let search = |requires| {
            let (seen, asked) = (BTreeSet::new(), BTreeSet::new());
            let mut search = Search { requires, best: None, seen, asked, last: None };
            programs.iter().for_each(|it| search.look_at(it));
            search.end().map(|it| it.program.to_string()).map_err(|it| it.to_string())
        };
        assert_eq!(search(Some(">=3.11")).unwrap(), "/opt/b");
        assert_eq!(search(Some(">=3.11,<3.12")).unwrap(), "/opt/c");
        assert_eq!(search(Some(">=3.13")).unwrap(), "/opt/d", "nothing else fits");
        assert_eq!(
            search(Some(">=3.14")).unwrap_err(),
            "no Python `>=3.14` on PATH (there is 3.11.9, 3.11.10, 3.12.1, 3.13.0); install it, or \
             name an interpreter with `--python PATH`"
        );
    }

    #[test]
    fn the_lower_bound_is_the_highest_of_those_named() {
        for (requires, expected) in [
            (">=3.11", Some("3.11")),
            (">=3.10,<4,>=3.12.1", Some("3.12.1")),
            ("==3.12.*", Some("3.12")),
            ("<4", None),
            ("", None),
        ] {
            assert_eq!(lower_bound(requires).as_deref(), expected, "{requires}");
        }
    }
}
