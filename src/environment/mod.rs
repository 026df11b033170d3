//! Phase 3: from requirements of a notebook to an [`Environment`] that can run it.
//!
//! In: a notebook and its folder. Out: an interpreter, the folders the sandbox must show, a lock.
//! The only phase with network; it installs wheels only and runs no code of a notebook or of a
//! package outside the sandbox: interpreters are asked with `-I -S`, so that no `.pth` file is executed, and what
//! has to be built is built inside, by `source`.

mod bytecode;
mod cache;
mod confined;
mod contents;
mod draw;
mod fetch;
mod identity;
mod includes;
mod install;
mod installer;
mod interpreter;
mod lock;
mod make;
#[cfg(target_os = "linux")]
mod packages;
mod marker;
mod names;
mod pep508;
mod prefix;
mod recall;
mod pylock;
mod requirements;
mod resolve;
mod runtime;
mod settings;
mod source;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};

pub use cache::Lease;
pub use confined::Confinement;
pub use contents::ENVIRONMENT_SIZE;
pub use identity::Identity;
pub use install::{InstallError, Lock};
pub use interpreter::{Interpreter, InterpreterError, managed_folders};
pub use lock::{Locked, Pins};
pub use prefix::hidden;
use recall::{KnownInterpreter, Question};
pub use requirements::{Beside, Requirements, RequirementsError};
pub use runtime::cached_runtime;
pub use source::{PackageName, PackageNameError};

use cache::Cache;
use install::install;
use pylock::LockTarget;

use crate::cache::{Cache as Entries, Trees};
use crate::notebook::{Format, Notebook};
use crate::process::{Access, Mount};
use crate::source::project_file::MOST_PROJECT_BYTES;

/// Version of marimo that nbc brings where a notebook's environment has none.
pub const MARIMO: &str = "marimo==0.25.2";
/// IPython that nbc brings where a notebook's environment has none.
const IPYTHON: &str = "ipython>=8.12";
/// Draws Vega-Lite charts as static pictures, inside the sandbox.
const VEGA_CONVERTER: &str = "vl-convert-python==1.9.0.post1";

/// Plotly asks for it before it shows a figure; wherever Jupyter is installed, it is there.
const NBFORMAT: &str = "nbformat>=5.10,<6";

/// Path of the notebook's own environment inside the sandbox: the same on every machine, so that no page depends on the
/// place of a cache.
const INSIDE: &str = "/env";

/// Everything that a run needs of Python.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The interpreter, as a path inside the sandbox.
    pub program: Utf8PathBuf,
    /// Version of Python, `3.11.7`.
    pub python: String,
    /// Folders that the sandbox must show.
    pub mounts: Vec<Mount>,
    /// Folders of packages, on this machine: where files of them are taken from, by their digests.
    pub packages: Vec<Utf8PathBuf>,
    /// Folders inside the sandbox that come last on `sys.path`: packages that nbc adds.
    pub overlays: Vec<Utf8PathBuf>,
    /// Paths of the host that the run can see, each with what a page shows instead: a home folder
    /// names a person, and two machines must give the same page.
    pub masks: Vec<(String, &'static str)>,
    /// The installed packages; `None` for an interpreter that the user chose.
    pub lock: Option<Lock>,
    /// The origin of requirements that no lock pins: another day gives other packages.
    pub unlocked: Option<String>,
    /// Names of packages that were built from source.
    pub built: Vec<String>,
    /// Digest of all of it: an environment with the same identity gives a run the same. `None` if nobody asked, or if
    /// it cannot be told.
    pub identity: Option<Identity>,
    /// Keep the installed packages from being removed.
    pub leases: Vec<Arc<Lease>>,
}

/// Which interpreter to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// This one, as it is: nothing is installed.
    Given(Utf8PathBuf),
    /// The notebook's requirements decide, nbc installs them.
    FromNotebook,
}

/// Why there is no environment.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// No interpreter, or one that cannot be used.
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
    /// The interpreter that the user chose is not one that the notebook runs with.
    #[error("`{path}` is Python {version}, but the notebook requires Python {requires}")]
    WrongPython {
        /// The interpreter.
        path: Utf8PathBuf,
        /// Its version.
        version: String,
        /// The requirement in the notebook's header.
        requires: String,
    },
    /// The requirements cannot be read.
    #[error(transparent)]
    Requirements(#[from] RequirementsError),
    /// The requirements cannot be installed.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// Two notebooks would share a lock, but ask for different packages.
    #[error(
        "`{first}` and `{second}` would share the lock `{path}`, but ask for different packages"
    )]
    SharedLock {
        /// A notebook.
        first: Utf8PathBuf,
        /// Another one.
        second: Utf8PathBuf,
        /// The lock.
        path: Utf8PathBuf,
    },
}

impl EnvironmentError {
    /// The way out, if it is not in the message.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Requirements(error) => error.help(),
            Self::Install(error) => error.help(),
            Self::SharedLock { .. } => Some("rename one of them".to_owned()),
            Self::Interpreter(_) | Self::WrongPython { .. } => None,
        }
    }
}

/// Makes environments, and remembers those of earlier builds.
#[derive(Debug)]
pub struct Provisioner {
    choice: Choice,
    cache: Cache,
    /// Results of earlier builds; `None`: nothing is remembered.
    entries: Option<Arc<Entries>>,
    /// Whether runs are kept, so that it has to be known what an environment is.
    keeps_runs: bool,
    /// Interpreters that were looked for.
    interpreters: Mutex<BTreeMap<Question, KnownInterpreter>>,
    /// Package identities, keyed by site-packages folder.
    identities: Mutex<BTreeMap<Vec<Utf8PathBuf>, Option<Base>>>,
    trees: Arc<Trees>,
}

/// Digests of the interpreter and the packages that environments are made on.
#[derive(Debug)]
struct Base {
    interpreter: Identity,
    packages: String,
}

impl Provisioner {
    /// Environments are kept below `cache`; those that nobody used for long are removed. The packages of one unpack to
    /// at most `largest` bytes.
    ///
    /// # Errors
    /// When the cache cannot be made.
    pub fn new(
        choice: Choice,
        (cache, largest): (&Utf8Path, u64),
        entries: Option<Arc<Entries>>,
        keeps_runs: bool,
        trees: Arc<Trees>,
    ) -> Result<Self, EnvironmentError> {
        let cache = Cache::new(cache, largest);
        if choice == Choice::FromNotebook {
            cache.open()?;
        }
        let (interpreters, identities) = (Mutex::default(), Mutex::default());
        Ok(Self { choice, cache, entries, keeps_runs, interpreters, identities, trees })
    }

    fn entries(&self) -> Option<&Entries> {
        self.entries.as_deref()
    }

    /// Runs of earlier builds, if they are kept.
    fn runs(&self) -> Option<&Entries> {
        self.entries().filter(|_| self.keeps_runs)
    }

    /// The environment for a notebook.
    ///
    /// # Errors
    /// When no interpreter fits, a lock does not, or a requirement cannot be had as a wheel.
    pub fn provision(
        &self,
        notebook: &Notebook,
        beside: Beside<'_>,
        confinement: Confinement<'_>,
    ) -> Result<Environment, EnvironmentError> {
        let path = beside.notebook();
        self.look(notebook, beside);
        if let Choice::Given(program) = &self.choice {
            return self.with_given(program, notebook, path);
        }
        let requirements = requirements::find(notebook, beside)?;
        let Some(requirements) = requirements else {
            let interpreter = self.found(Question::Active)?;
            let mut environment = existing(&interpreter, path);
            let locks =
                self.add_engine(&mut environment, notebook, &interpreter, None, confinement)?;
            environment.identity = self.identity(&interpreter, &environment, &locks);
            return Ok(environment);
        };
        let interpreter = self.found(Question::Base(requirements.requires_python.clone()))?;
        let requirements = requirements.pinned_for(&interpreter)?;
        let ready = &|| self.confirm();
        let installed = install(&self.cache, &requirements, &interpreter, confinement, ready)?;
        let is_open = !requirements.is_pinned() && !requirements.lines.is_empty();
        let mut environment = Environment {
            program: Utf8Path::new(INSIDE).join("bin/python"),
            python: interpreter.version.clone(),
            mounts: prefix::mounts(&interpreter.base_prefix, &interpreter, path.parent()),
            packages: vec![interpreter.packages_below(&installed.folder)],
            overlays: Vec::new(),
            masks: masks(&interpreter),
            lock: Some(installed.lock.clone()),
            unlocked: is_open.then(|| requirements.origin.clone()),
            built: Vec::new(),
            identity: None,
            leases: vec![Arc::new(installed.lease)],
        };
        environment.mounts.push(read_only(&installed.folder, Utf8Path::new(INSIDE)));
        environment.built.extend(installed.lock.built().into_keys());
        let mut locks = self.add_engine(
            &mut environment,
            notebook,
            &interpreter,
            Some(&requirements),
            confinement,
        )?;
        locks.push(installed.lock.digest);
        environment.identity = self.identity(&interpreter, &environment, &locks);
        Ok(environment)
    }

    /// The environment of an interpreter that the user chose: its packages as they are.
    fn with_given(
        &self,
        program: &Utf8Path,
        notebook: &Notebook,
        path: &Utf8Path,
    ) -> Result<Environment, EnvironmentError> {
        let interpreter = self.found(Question::Given(program.to_owned()))?;
        let requires = notebook.script.as_ref().and_then(|it| it.requires_python.as_deref());
        if let Some(requires) = requires.filter(|it| !interpreter.meets(it)) {
            return Err(EnvironmentError::WrongPython {
                path: program.to_owned(),
                version: interpreter.version,
                requires: requires.to_owned(),
            });
        }
        let mut environment = existing(&interpreter, path);
        environment.identity = self.identity(&interpreter, &environment, &[]);
        Ok(environment)
    }

    /// Takes note of the files that decide about the environment of a notebook.
    fn look(&self, notebook: &Notebook, beside: Beside<'_>) {
        let Some(entries) = self.runs() else { return };
        for path in requirements::deciding(notebook, beside.notebook()) {
            // Nobody reads more of it, so there is no digest to wait for.
            let is_read = |it: std::fs::Metadata| it.is_file() && it.len() <= MOST_PROJECT_BYTES;
            match path.symlink_metadata() {
                // Of a link only its target is noted, and the file may lie above what is looked at.
                Ok(it) if it.is_symlink() || !path.metadata().is_ok_and(is_read) => {
                    self.trees.give_up();
                }
                _ => self.trees.look(entries, &path),
            }
        }
        if requirements::includes_others(beside) {
            self.trees.give_up();
        }
    }

    /// Packages that nbc did not install: each list of folders with its identity.
    #[must_use]
    pub fn folders(&self) -> Vec<(Vec<Utf8PathBuf>, Option<String>)> {
        let known = self.identities.lock().unwrap_or_else(PoisonError::into_inner);
        let packages = known.iter().filter(|(folders, _)| folders.len() > 1);
        packages
            .map(|(folders, found)| {
                let own = folders.split_last().map(|(_, own)| own.to_vec()).unwrap_or_default();
                (own, found.as_ref().map(|it| it.packages.clone()))
            })
            .collect()
    }

    /// Digest of an environment: the system, the interpreter, and the packages.
    fn identity(
        &self,
        interpreter: &Interpreter,
        environment: &Environment,
        locks: &[String],
    ) -> Option<Identity> {
        let entries = self.runs()?;
        let is_locked = environment.lock.is_some() && environment.built.is_empty();
        let mut folders = if is_locked { Vec::new() } else { environment.packages.clone() };
        folders.push(interpreter.program.clone());
        let mut known = self.identities.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.entry(folders).or_insert_with_key(|folders| {
            let own = identity::of_interpreter(entries, &self.trees, interpreter)?;
            let packages = match folders.split_last() {
                Some((_, own @ [_, ..])) => packages_identity(own)?,
                _ => String::new(),
            };
            Some(Base { interpreter: own, packages })
        });
        let Base { interpreter, packages } = found.as_ref()?;
        let mut identity = interpreter.clone();
        identity.insert("packages".to_owned(), packages.clone());
        identity.insert("locks".to_owned(), locks.join(" "));
        Some(identity)
    }

    /// An interpreter. It may be recalled: [`Self::confirm`] comes before anything is started.
    fn found(&self, question: Question) -> Result<Interpreter, InterpreterError> {
        let mut known = self.interpreters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&question) {
            return Ok(found.interpreter.clone());
        }
        let recalled = self.runs().and_then(|it| question.recall(it));
        let is_asked = recalled.is_none();
        let interpreter = match recalled {
            Some(recalled) => recalled,
            None => self.ask(&question)?,
        };
        known.insert(question, KnownInterpreter { interpreter: interpreter.clone(), is_asked });
        Ok(interpreter)
    }

    fn ask(&self, question: &Question) -> Result<Interpreter, InterpreterError> {
        let found = question.ask()?;
        if let Some(entries) = self.runs() {
            question.keep(entries, &found);
        }
        Ok(found)
    }

    /// Asks the interpreters whose answers are those of an earlier build: each once, before the first Python of a
    /// build is started.
    ///
    /// # Errors
    /// When one cannot be asked, or says something else than it did.
    pub fn confirm(&self) -> Result<(), InterpreterError> {
        let mut known = self.interpreters.lock().unwrap_or_else(PoisonError::into_inner);
        for (question, it) in known.iter_mut().filter(|(_, it)| !it.is_asked) {
            if self.ask(question)? != it.interpreter {
                return Err(InterpreterError::Changed { path: it.interpreter.program.clone() });
            }
            it.is_asked = true;
        }
        Ok(())
    }

    /// The interpreter for nbc's own jobs.
    fn own_interpreter(&self) -> Result<Interpreter, InterpreterError> {
        self.found(match &self.choice {
            Choice::Given(path) => Question::Given(path.clone()),
            Choice::FromNotebook => Question::Base(None),
        })
    }

    /// Adds what nbc itself needs inside, where the environment lacks it; gives the digests of its locks.
    fn add_engine(
        &self,
        environment: &mut Environment,
        notebook: &Notebook,
        interpreter: &Interpreter,
        requirements: Option<&Requirements>,
        confinement: Confinement<'_>,
    ) -> Result<Vec<String>, EnvironmentError> {
        let mut locks = Vec::new();
        let wanted = engine(notebook.format, |module, package| match &environment.lock {
            Some(lock) => lock.has(package),
            None => interpreter.has_module(module),
        });
        for requirement in wanted {
            let pinned = match requirements.and_then(|it| it.lock.as_ref()) {
                Some((path, lock)) if lock.own().is_some() => {
                    let lines =
                        lock.overlay_lines(requirement, &LockTarget { path, interpreter })?;
                    Some(lines.ok_or_else(|| RequirementsError::LacksOverlay {
                        path: path.clone(),
                        requirement: requirement.to_owned(),
                    })?)
                }
                _ => None,
            };
            let is_pinned = pinned.is_some();
            let own = pinned
                .map_or_else(|| Requirements::engine(requirement), Requirements::pinned_engine);
            let ready = &|| self.confirm();
            let installed = match install(&self.cache, &own, interpreter, confinement, ready) {
                Ok(installed) => installed,
                // Only marimo cannot be done without; the runner says what else is missing.
                Err(error @ (InstallError::Refused { .. } | InstallError::SourceOnly { .. }))
                    if requirement != MARIMO && !is_pinned =>
                {
                    drop(error);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if let Some(it) = requirements.filter(|it| !is_pinned && !it.lines.is_empty()) {
                environment.unlocked.get_or_insert_with(|| it.origin.clone());
            }
            let number = environment.overlays.len();
            let inside = Utf8PathBuf::from(format!("/overlay/{number}"));
            let packages = interpreter.packages_below(&inside);
            environment.mounts.push(read_only(&installed.folder, &inside));
            environment.overlays.push(packages);
            environment.built.extend(installed.lock.built().into_keys());
            locks.push(installed.lock.digest);
            environment.leases.push(Arc::new(installed.lease));
        }
        Ok(locks)
    }
}

/// Identity of packages that nbc did not install, from metadata of their files.
#[must_use]
pub fn packages_identity(folders: &[Utf8PathBuf]) -> Option<String> {
    #[cfg(target_os = "linux")]
    return packages::of_packages(folders);
    // Elsewhere nothing runs.
    #[cfg(not(target_os = "linux"))]
    return folders.first().map(ToString::to_string);
}

/// Packages that nbc adds for a notebook; `has` tells whether its environment has a module of a package.
fn engine(format: Format, has: impl Fn(&str, &str) -> bool) -> Vec<&'static str> {
    let mut wanted = Vec::new();
    match format {
        Format::Marimo if !has("marimo", "marimo") => wanted.push(MARIMO),
        Format::Jupyter if !has("IPython", "ipython") => wanted.push(IPYTHON),
        Format::Marimo | Format::Jupyter => {}
    }
    if format == Format::Jupyter && has("plotly", "plotly") && !has("nbformat", "nbformat") {
        wanted.push(NBFORMAT);
    }
    if has("altair", "altair") && !has("vl_convert", "vl-convert-python") {
        wanted.push(VEGA_CONVERTER);
    }
    wanted
}

/// An interpreter with the packages that it has, at the paths that it has on the host, for the notebook at `path`.
fn existing(interpreter: &Interpreter, path: &Utf8Path) -> Environment {
    let beside = path.parent();
    let mut mounts = prefix::mounts(&interpreter.base_prefix, interpreter, beside);
    let folder = interpreter.virtual_environment.as_ref().unwrap_or(&interpreter.base_prefix);
    let packages = vec![interpreter.packages_below(folder)];
    if let Some(folder) = &interpreter.virtual_environment {
        mounts.extend(prefix::mounts(folder, interpreter, beside));
    }
    Environment {
        program: interpreter.program.clone(),
        python: interpreter.version.clone(),
        mounts,
        packages,
        overlays: Vec::new(),
        masks: masks(interpreter),
        lock: None,
        unlocked: None,
        built: Vec::new(),
        identity: None,
        leases: Vec::new(),
    }
}

/// Longest first: an environment may lie below the interpreter's own folder, or the other way round.
fn masks(interpreter: &Interpreter) -> Vec<(String, &'static str)> {
    let mut masks: Vec<(String, &str)> = Vec::new();
    masks.extend(interpreter.virtual_environment.iter().map(|it| (it.to_string(), "/env")));
    if !interpreter.base_prefix.starts_with("/usr") {
        masks.push((interpreter.base_prefix.to_string(), "/python"));
    }
    masks.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
    masks
}

/// The interpreter itself, where it is not part of the system.
fn system_mounts(interpreter: &Interpreter) -> Vec<Mount> {
    prefix::mounts(&interpreter.base_prefix, interpreter, None)
}

fn read_only(host: &Utf8Path, inside: &Utf8Path) -> Mount {
    Mount { host: host.to_owned(), inside: inside.to_owned(), access: Access::ReadOnly }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ByteSize;

    #[test]
    fn the_cache_says_nothing_of_which_program_to_start() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(directory.path()).unwrap();
        let program = folder.join("python");
        fs_err::copy("/bin/true", &program).unwrap();
        let theirs = Interpreter {
            program: folder.join("theirs"),
            version: "3.11.7".to_owned(),
            minor: (3, 11),
            base_prefix: "/usr".into(),
            virtual_environment: None,
            is_final: true,
        };
        let entries = Arc::new(Entries::below(&folder.join("cache"), ByteSize(1 << 20)));
        let question = Question::Given(program.clone());
        question.keep(&entries, &theirs);
        let places = (folder, 1 << 30);
        let made =
            Provisioner::new(Choice::Given(program), places, Some(entries), true, Arc::default());
        let provisioner = made.unwrap();
        assert_eq!(provisioner.found(question.clone()).unwrap(), theirs);
        // The program is asked, and says nothing; the answer of the cache does not stand for it.
        assert!(provisioner.confirm().is_err());
        assert!(provisioner.confirm().is_err());
        fs_err::write(folder.join("python"), "#!/bin/sh\n").unwrap();
        assert!(provisioner.confirm().is_err());
    }
}
