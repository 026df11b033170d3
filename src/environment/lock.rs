//! `nbc lock`: which locks notebooks need, whether those on disk fit, and making them.
//!
//! A lock pins what the notebook asks for and, in a table of nbc's own, what nbc brings beside it: other
//! installers read the first, a build with the lock installs exactly both.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use super::cache::Cache;
use super::confined::Confinement;
use super::install::with_sources;
use super::installer::Installer;
use super::pylock::{self, NbcTable, Overlay, Package, PyLock};
use super::requirements::{self, Beside};
use super::{EnvironmentError, InstallError, Interpreter, Requirements, RequirementsError, engine};
use crate::folder;
use crate::notebook::{Format, Notebook};

/// A lock that notebooks need.
#[derive(Debug)]
pub struct Locked {
    /// The file.
    pub path: Utf8PathBuf,
    /// The folder that a link in its place does not leave.
    root: Utf8PathBuf,
    requirements: Requirements,
    formats: BTreeSet<Format>,
    /// The first of its notebooks.
    notebook: Utf8PathBuf,
}

/// The treatment of the pins of an earlier lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pins {
    /// They stay where they fit.
    Keep,
    /// Everything is resolved anew.
    Upgrade,
}

impl Locked {
    /// The locks of notebooks, each with its place; notebooks that ask for nothing need none. Also the errors of notebooks
    /// whose requirements cannot be read, or who would have to share a lock and cannot.
    pub fn of<'a>(
        notebooks: impl IntoIterator<Item = (&'a Notebook, Beside<'a>)>,
    ) -> (Vec<Self>, Vec<EnvironmentError>) {
        let mut found: BTreeMap<Utf8PathBuf, Self> = BTreeMap::new();
        let (mut errors, mut torn) = (Vec::new(), BTreeSet::new());
        for (notebook, beside) in notebooks {
            let file = beside.notebook();
            let requirements = match requirements::wanted(notebook, beside) {
                Ok(Some(requirements)) => requirements,
                Ok(None) => continue,
                Err(error) => {
                    errors.push(EnvironmentError::from(error));
                    continue;
                }
            };
            let path = requirements::lock_path(notebook, file);
            let own = found.entry(path.clone()).or_insert_with(|| Self {
                path: path.clone(),
                root: beside.root().to_owned(),
                requirements: requirements.clone(),
                formats: BTreeSet::new(),
                notebook: file.to_owned(),
            });
            if own.requirements.digest() != requirements.digest() && torn.insert(path.clone()) {
                let (first, second) = (own.notebook.clone(), file.to_owned());
                errors.push(EnvironmentError::SharedLock { first, second, path });
            }
            own.formats.insert(notebook.format);
        }
        found.retain(|path, _| !torn.contains(path));
        (found.into_values().collect(), errors)
    }

    /// Whether the lock on disk is for the requirements as they are now.
    ///
    /// # Errors
    /// When it cannot be read as a lock.
    pub fn is_current(&self) -> Result<bool, EnvironmentError> {
        let Some(lock) = self.on_disk()? else { return Ok(false) };
        let Some(own) = lock.own() else { return Ok(true) };
        let pinned: BTreeSet<&str> =
            own.overlays.iter().map(|it| it.requirement.as_str()).collect();
        let wanted = self.engines(&lock);
        Ok(own.requirements == self.requirements.digest()
            && wanted.iter().all(|it| pinned.contains(it)))
    }

    /// Resolves and writes the lock, with packages that unpack to at most `largest` bytes; true when the file changed. Without a sandbox nothing is built.
    ///
    /// # Errors
    /// When no interpreter fits, or a requirement cannot be had as a wheel.
    pub fn write(
        &self,
        pins: Pins,
        (cache, largest): (&Utf8Path, u64),
        confinement: Option<Confinement<'_>>,
    ) -> Result<bool, EnvironmentError> {
        let cache = Cache::new(cache, largest);
        cache.open()?;
        let interpreter = Interpreter::base(self.requirements.requires_python.as_deref())?;
        let earlier = match pins {
            // A file that is broken is no reason not to write a good one.
            Pins::Keep => self.on_disk().ok().flatten().unwrap_or_default(),
            Pins::Upgrade => PyLock::default(),
        };
        let resolve = |requirements: &Requirements, earlier: &[Package]| {
            if requirements.lines.is_empty() {
                return Ok::<_, InstallError>(PyLock::default());
            }
            let known =
                earlier.iter().filter_map(|it| Some((it.name.clone(), it.version.clone()?)));
            let (known, ask) = (known.collect(), |installer: &Installer<'_>| {
                installer.packages(requirements, earlier)
            });
            let (mut lock, sources) =
                with_sources(&cache, requirements, &interpreter, confinement, &known, ask)?;
            lock.packages.iter_mut().for_each(|it| it.pin_source(&sources));
            Ok(lock)
        };
        let mut lock = resolve(&self.requirements, &earlier.packages)?;
        let mut overlays = Vec::new();
        for requirement in self.engines(&lock) {
            let known = earlier.own().map(|it| it.overlays.as_slice()).unwrap_or_default();
            let known = known.iter().find(|it| it.requirement == requirement);
            let mut own = Requirements::engine(requirement);
            own.requires_python = self.requirements.requires_python.clone();
            let packages = known.map(|it| it.packages.as_slice()).unwrap_or_default();
            let resolved = resolve(&own, packages)?;
            if lock.environments.is_empty() && !resolved.environments.is_empty() {
                lock.environments = resolved.environments;
                lock.requires_python = resolved.requires_python;
            }
            let requirement = requirement.to_owned();
            overlays.push(Overlay { requirement, packages: resolved.packages });
        }
        if lock.requires_python.is_none() {
            lock.requires_python = self.requirements.requires_python.clone();
        }
        let own = NbcTable { requirements: self.requirements.digest(), overlays };
        let text = pylock::write(&lock, &own);
        // The written lock must be one that a build takes: a source that is no index is reported now.
        let written = PyLock::read(&self.path, &text)?;
        written.check(&self.path)?;
        if self.text().is_ok_and(|it| it == text) {
            return Ok(false);
        }
        folder::replace(&self.path, text.as_bytes(), 0o644)
            .map_err(|source| InstallError::Cache { path: self.path.clone(), source })?;
        Ok(true)
    }

    fn on_disk(&self) -> Result<Option<PyLock>, RequirementsError> {
        if self.path.symlink_metadata().is_err() {
            return Ok(None);
        }
        PyLock::read(&self.path, &self.text()?).map(Some)
    }

    fn text(&self) -> Result<String, RequirementsError> {
        Beside::new(&self.path, Some(&self.root)).read(self.path.file_name().unwrap_or_default())
    }

    fn engines(&self, lock: &PyLock) -> BTreeSet<&'static str> {
        let has = |_: &str, package: &str| lock.has(package);
        self.formats.iter().flat_map(|it| engine(*it, has)).collect()
    }
}
