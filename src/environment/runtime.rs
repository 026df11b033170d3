//! The programs that draw charts in a page: out of pinned wheels, into the cache, by their digests.
//!
//! Of a wheel only one file is taken, and none of its code runs outside the sandbox.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use camino::{Utf8Path, Utf8PathBuf};

use super::cache::Cache;
use super::confined::{Confinement, TIME_LIMIT, Task, number, taken};
use super::install::{InstallError, Lock, install};
use super::installer::Installer;
use super::{
    Environment, EnvironmentError, INSIDE, Interpreter, Provisioner, Requirements, read_only,
    system_mounts,
};
use crate::cache::make_private;
use crate::charts::{Kind, KnownRuntime, Origin, Runtime, file_of};
use crate::folder;

/// Version of the layout of the folder in the cache.
const FORMAT: &str = "runtimes-1";
/// Longest script, in bytes.
const LONGEST: u32 = 32 << 20;

impl Provisioner {
    /// A runtime, from the package index; the next time it is in the cache. A runtime that is printed needs
    /// the sandbox.
    ///
    /// # Errors
    /// When there is no interpreter, the wheel cannot be had, or the file in it is another one.
    pub fn runtime(
        &self,
        known: &'static KnownRuntime,
        cache: &Utf8Path,
        confinement: Option<Confinement<'_>>,
    ) -> Result<Runtime, EnvironmentError> {
        let interpreter = self.own_interpreter()?;
        self.confirm()?;
        self.cache.open()?;
        let file = match known.origin {
            Origin::File(path) => from_wheel(&self.cache, known, path, &interpreter)?,
            Origin::Printed(program) => {
                let sandbox = || failed(known, "printing it takes a sandbox".to_owned());
                let confinement = confinement.ok_or_else(sandbox)?;
                printed(&self.cache, known, program, &interpreter, confinement)?
            }
        };
        let runtime = known.runtime(&file).ok_or_else(|| {
            failed(known, "the file in the package is not the one that nbc knows".to_owned())
        })?;
        let path = place(known, cache);
        store(&path, &file).map_err(|source| InstallError::Cache { path, source })?;
        Ok(runtime)
    }
}

impl Environment {
    /// The runtime that the notebook's own packages have of a kind, if its digest is one that nbc knows or one of
    /// `trusted`. Charts are then drawn by the version that made them.
    pub fn own_runtime(&self, kind: Kind, trusted: &BTreeSet<String>) -> Option<Runtime> {
        self.packages.iter().find_map(|folder| {
            let path = folder.join(file_of(kind)?);
            let metadata = std::fs::metadata(&path).ok()?;
            if !metadata.is_file() || metadata.len() > u64::from(LONGEST) {
                return None;
            }
            let version = version_of(folder, kind.name())?;
            Runtime::of_environment(kind, &version, &fs_err::read(&path).ok()?, trusted)
        })
    }
}

/// The version of an installed package, by the name of its folder of metadata.
fn version_of(folder: &Utf8Path, name: &str) -> Option<String> {
    folder.read_dir_utf8().ok()?.filter_map(Result::ok).find_map(|entry| {
        let stem = entry.file_name().strip_suffix(".dist-info")?;
        let (package, version) = stem.split_once('-')?;
        package.eq_ignore_ascii_case(name).then(|| version.to_owned())
    })
}

/// A runtime that an earlier build took.
pub fn cached_runtime(known: &'static KnownRuntime, cache: &Utf8Path) -> Option<Runtime> {
    // In a cache that was restored a pipe may lie in its place, which nobody writes to.
    known.runtime(&folder::read(&place(known, cache), u64::from(LONGEST)).ok()?)
}

fn place(known: &KnownRuntime, cache: &Utf8Path) -> Utf8PathBuf {
    cache.join(FORMAT).join(format!("{}-{}.js", known.kind.name(), known.version()))
}

fn store(path: &Utf8Path, file: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    make_private(folder)?;
    folder::replace(path, file, 0o600)
}

fn failed(known: &KnownRuntime, reason: String) -> InstallError {
    InstallError::Runtime { name: known.kind.title(), version: known.version(), reason }
}

fn from_wheel(
    cache: &Cache,
    known: &KnownRuntime,
    path: &str,
    interpreter: &Interpreter,
) -> Result<Vec<u8>, InstallError> {
    let requirements = Requirements::pinned_engine(vec![known.requirement.to_owned()]);
    let scratch = cache.scratch()?;
    let installer = Installer::find(interpreter, &scratch)?;
    let folder = scratch.folder.join("environment");
    let lock = Lock::of([known.requirement.to_owned()]);
    installer.make_environment(&folder, &lock, &[], &requirements)?;
    let path = interpreter.packages_below(&folder).join(path);
    fs_err::read(&path).map_err(|error| failed(known, error.to_string()))
}

fn printed(
    cache: &Cache,
    known: &KnownRuntime,
    program: &str,
    interpreter: &Interpreter,
    confinement: Confinement<'_>,
) -> Result<Vec<u8>, InstallError> {
    let requirements = Requirements::engine(known.requirement);
    let installed = install(cache, &requirements, interpreter, confinement, &|| Ok(()))?;
    let mut mounts = system_mounts(interpreter);
    mounts.push(read_only(&installed.folder, Utf8Path::new(INSIDE)));
    let task = Task {
        program: Utf8Path::new(INSIDE).join("bin/python"),
        arguments: ["-I", "-c", program].map(str::to_owned).to_vec(),
        environment: BTreeMap::from([("LC_ALL".to_owned(), "C.UTF-8".to_owned())]),
        mounts,
        time_limit: TIME_LIMIT,
    };
    let receive = |channel: &mut dyn Read| {
        let length = number(channel)?;
        if length > LONGEST {
            return Err(io::Error::other("it is too long"));
        }
        taken(channel, length)
    };
    confinement.ask(task, &[], receive, |reason| failed(known, reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::Integrity;

    #[test]
    fn an_environment_gives_its_runtime_only_by_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        let file = folder.join("plotly/package_data/plotly.min.js");
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::create_dir_all(folder.join("plotly-6.3.0.dist-info")).unwrap();
        let script = "window.Plotly = {}";
        fs_err::write(&file, script).unwrap();
        let environment = Environment {
            program: "python".into(),
            python: "3.11.0".to_owned(),
            mounts: Vec::new(),
            packages: vec![folder.join("none"), folder.to_owned()],
            overlays: Vec::new(),
            masks: Vec::new(),
            lock: None,
            unlocked: None,
            built: Vec::new(),
            identity: None,
            leases: Vec::new(),
        };
        let trusted = BTreeSet::from([Integrity::of(script.as_bytes()).as_str().to_owned()]);
        assert_eq!(environment.own_runtime(Kind::Plotly, &BTreeSet::new()), None);
        assert_eq!(environment.own_runtime(Kind::Bokeh, &trusted), None);
        let runtime = environment.own_runtime(Kind::Plotly, &trusted).unwrap();
        assert_eq!((runtime.version(), runtime.text()), ("6.3.0", script));
        fs_err::write(&file, "window.Plotly = { changed: true }").unwrap();
        assert_eq!(environment.own_runtime(Kind::Plotly, &trusted), None);
    }
}
