//! A build that would do what the last one did: it reads, compares, and says the same again.
//!
//! Everything that the last build of a folder depended on is kept as digests; if all of them hold, and the site is as
//! that build left it, there is nothing to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::args::Build;
use super::printer::{PrintedMessage, Printer};
use crate::cache::{Cache, Evidence, Key, KeyBuilder, Kind, Stamp, Trees, is_unchanged};
use crate::config::BASELINE;
use crate::driver::{Compiled, Digests, Input, Project, Published, cache_folder, host_key};
use crate::environment;
use crate::notebook::QuartoSettings;
use crate::output::{Neighbours, Taken};
use crate::process::tool::search_path;
use crate::publish::Stamps;
use crate::remote::LOCK;
use crate::source::{Source, Sources};

/// Variables that decide about interpreters, packages and pages.
const VARIABLES: [&str; 10] = [
    "PATH",
    "HOME",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "XDG_CONFIG_HOME",
    "SOURCE_DATE_EPOCH",
    "NO_COLOR",
    "TERM",
];
/// Beginnings of the names of others.
const PREFIXES: [&str; 3] = ["NBC_", "UV_", "PIP_"];

/// The dependencies of a build, its messages and its files.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RememberedBuild {
    /// How nbc was called, and which nbc.
    call: Key,
    /// The notebooks.
    inputs: Key,
    /// Files and folders that decided.
    evidence: Vec<Evidence>,
    /// Packages that nbc did not install.
    packages: Vec<(Vec<Utf8PathBuf>, Option<String>)>,
    /// Files beside the notebooks that decided about pages, below their roots.
    taken: Vec<(Utf8PathBuf, Taken)>,
    /// Folders in which interpreters are looked for.
    searched: Vec<(Utf8PathBuf, Option<Stamp>)>,
    /// Every file of the site.
    written: Stamps,
    said: Vec<PrintedMessage>,
    pages: usize,
    /// Digest of the manifest.
    manifest: String,
}

/// The last build into a folder, as far as it can be compared with this one.
pub(super) struct LastBuild {
    cache: Arc<Cache>,
    trees: Arc<Trees>,
    entry: Key,
    call: Key,
    folder: Utf8PathBuf,
}

impl LastBuild {
    /// `None` for a build that has to run all the same: one that knows secrets, may reach hosts, keeps records, or
    /// is there to compare.
    pub(super) fn of(arguments: &Build, project: &Project, printer: Printer) -> Option<Self> {
        let config = project.config();
        let is_closed = arguments.allow_net.is_empty()
            && config.allow_net.is_empty()
            && arguments.env.is_empty()
            && config.env.is_empty()
            && arguments.secret.is_empty();
        if !is_closed || arguments.record.is_some() || arguments.check_reproducible {
            return None;
        }
        let (cache, trees) = (Arc::clone(project.cache()?), Arc::clone(project.trees()));
        let call = call(printer)?;
        let output = camino::absolute_utf8(&arguments.output).ok()?;
        let entry = KeyBuilder::new("site").text("folder", output.as_str()).end();
        let names = ["nbc.toml", BASELINE, LOCK].map(|it| project.folder().join(it));
        let theme = [&config.theme.css, &config.theme.templates].into_iter().flatten();
        for path in names.iter().chain(theme) {
            trees.look(&cache, path);
        }
        Some(Self { cache, trees, entry, call, folder: output })
    }

    /// Says what the last build said, if this one would do the same; gives the number of its pages, and the digest
    /// of its manifest.
    pub(super) fn repeat(&self, project: &Project, printer: Printer) -> Option<(usize, String)> {
        let body = self.cache.get(Kind::Site, &self.entry)?;
        let seen: RememberedBuild = serde_json::from_slice(&body).ok()?;
        let is_same = seen.call == self.call
            && written(&self.folder)? == seen.written
            && digest(project.inputs(), &project.digests()?) == seen.inputs
            && searched().as_ref() == Some(&seen.searched)
            && is_unchanged(&self.cache, &seen.evidence)
            && seen.taken.par_iter().all(|(root, it)| Neighbours::still_hold(root, it))
            && seen.packages.iter().all(|(it, known)| environment::packages_identity(it) == *known);
        if !is_same {
            return None;
        }
        printer.repeat(&seen.said);
        Some((seen.pages, seen.manifest))
    }

    /// Keeps what this build depended on, if all of that can be told.
    pub(super) fn keep(
        &self,
        dependencies: Dependencies,
        said: Vec<PrintedMessage>,
        published: &Published,
    ) {
        let Dependencies { inputs, packages, taken } = dependencies;
        let seen = || {
            Some(RememberedBuild {
                call: self.call.clone(),
                inputs: inputs?,
                evidence: self.trees.evidence()?,
                packages,
                taken,
                searched: searched()?,
                written: match &published.stamps {
                    Some(stamps) => stamps.clone(),
                    None => written(&self.folder)?,
                },
                said,
                pages: published.pages,
                manifest: published.manifest.clone(),
            })
        };
        if let Some(seen) = seen()
            && let Ok(body) = serde_json::to_vec(&seen)
        {
            self.cache.put(Kind::Site, &self.entry, &body);
            self.cache.trim();
        }
    }
}

/// The dependencies of a build beside the evidence in its trees.
pub(super) struct Dependencies {
    inputs: Option<Key>,
    packages: Vec<(Vec<Utf8PathBuf>, Option<String>)>,
    taken: Vec<(Utf8PathBuf, Taken)>,
}

impl Dependencies {
    pub(super) fn of(project: &Project, compiled: &Compiled<'_>) -> Self {
        let inputs = digest_of_read(project.inputs(), compiled.sources());
        Self { inputs, packages: compiled.packages(), taken: compiled.taken() }
    }
}

/// How nbc was called, and which nbc.
fn call(printer: Printer) -> Option<Key> {
    let program = fs_err::metadata(std::env::current_exe().ok()?).ok()?;
    let mut key = KeyBuilder::new("call")
        .text("nbc", env!("CARGO_PKG_VERSION"))
        .value("program", &Stamp::of(&program))
        .text("folder", std::env::current_dir().ok()?.to_str()?)
        .text("cache", cache_folder().ok()?.as_str())
        .text("host", host_key()?.as_str())
        .value("colors", &printer.is_colored());
    for argument in std::env::args_os().skip(1) {
        key = key.bytes("argument", argument.as_encoded_bytes());
    }
    let mut variables: Vec<_> = std::env::vars_os().collect();
    variables.sort();
    for (name, value) in variables {
        let Some(name) = name.to_str() else { continue };
        if VARIABLES.contains(&name) || PREFIXES.iter().any(|it| name.starts_with(it)) {
            key = key.text("variable", name).bytes("value", value.as_encoded_bytes());
        }
    }
    Some(key.end())
}

/// The digest of all notebooks, with their places, from those of their texts.
fn digest(inputs: &[Input], texts: &[Digests]) -> Key {
    let mut key = KeyBuilder::new("inputs");
    // Notebooks of one project share its settings.
    let mut last: Option<(&Arc<QuartoSettings>, String)> = None;
    for (input, Digests { own, stored }) in inputs.iter().zip(texts) {
        let quarto = match last.take() {
            Some((settings, text)) if Arc::ptr_eq(settings, &input.quarto) => text,
            _ => format!("{:?}", input.quarto),
        };
        key = key
            .text("path", input.path.as_str())
            .text("relative", input.relative.as_str())
            .value("named", &input.is_named)
            .text("quarto", &quarto)
            .bytes("text", own)
            .bytes("outputs", stored.as_ref().map_or(&[], |it| it.as_slice()));
        last = Some((&input.quarto, quarto));
    }
    key.end()
}

/// The same of texts that a build took, whatever stands in the files by now.
fn digest_of_read(inputs: &[Input], sources: &Sources) -> Option<Key> {
    let sources = sources.files().map(|it| (it.path().as_str(), it));
    let sources: BTreeMap<&str, &Source> = sources.collect();
    let read = |path: &Utf8Path| Some(*sources.get(path.as_str())?.digest());
    let one = |input: &Input| {
        let stored = match input.stored_path() {
            Some(path) => Some(read(&path)?),
            None => None,
        };
        Some(Digests { own: read(&input.path)?, stored })
    };
    let texts = inputs.iter().map(one).collect::<Option<Vec<_>>>()?;
    Some(digest(inputs, &texts))
}

/// The files of a site, as the file system tells them; `None` where nothing can be told.
fn written(folder: &Utf8Path) -> Option<Stamps> {
    let mut all = Stamps::new();
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.ok()?;
        let metadata = entry.metadata().ok()?;
        if metadata.is_dir() {
            continue;
        }
        let path = entry.path().strip_prefix(folder).ok()?.to_str()?;
        all.insert(path.to_owned(), Stamp::of(&metadata));
    }
    (!all.is_empty()).then_some(all)
}

/// Folders in which interpreters are looked for: their times tell when a program came or went.
fn searched() -> Option<Vec<(Utf8PathBuf, Option<Stamp>)>> {
    let mut folders = search_path();
    folders.extend(environment::managed_folders());
    for name in ["VIRTUAL_ENV", "CONDA_PREFIX"] {
        folders.extend(std::env::var(name).ok().map(|it| Utf8PathBuf::from(it).join("bin")));
    }
    let stamps = folders.into_iter().map(|it| {
        let stamp = fs_err::metadata(&it).ok().map(|it| Stamp::of(&it));
        // Another program may come within the same tick of the clock.
        stamp.as_ref().is_none_or(Stamp::is_settled).then_some((it, stamp))
    });
    stamps.collect()
}
