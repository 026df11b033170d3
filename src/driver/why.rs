//! Parts of the keys of a notebook's run and page, beside those of earlier builds: why a build runs it, or does not, and
//! why it makes its page anew.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::basis::{Basis, Kept, Now};
use super::events::Events;
use super::options::{Goal, Options};
use super::project::Project;
use super::{Failure, cache_folder};
use crate::cache::{Cache, Key, Kind, listing};
use crate::config::ByteSize;
use crate::run::remembered::{FILES, Parts};

/// Why a build would run a notebook, or not.
#[derive(Debug)]
pub struct Why {
    /// The notebook.
    pub notebook: String,
    /// How its key compares with that of the last build.
    pub verdict: Verdict,
    /// Whether its run is kept under the key that it has.
    pub is_known: bool,
    /// Whether it is published as stored, so that nothing is run.
    pub is_stored: bool,
    /// All parts by name, of this key and of those of earlier builds.
    pub parts: BTreeMap<String, Part>,
    /// The same of its page: everything that decides about it beside the run. Empty where that is not known.
    pub page: BTreeMap<String, Part>,
}

/// How a key compares with that of the last build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// No build of this notebook is known.
    NeverBuilt,
    /// It is the same.
    Same,
    /// It is another one.
    Differs,
    /// The run has none, for this reason; it is run each time.
    NoKey(String),
}

/// A value, or the digest of one, of one part of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// Its present value.
    pub now: Option<String>,
    /// In the last build.
    pub last: Option<String>,
    /// In the last build that had another key than that.
    pub before: Option<String>,
}

/// Selects the field of a part that holds the value of one build.
type Field = fn(&mut Part) -> &mut Option<String>;

/// Tells of each notebook of some paths why a build would run it. A notebook is looked at as the last build of it was
/// called, be it for a folder above. Its environment is made if it is not there; no notebook is run.
///
/// # Errors
/// When a path or a setting is wrong, or an environment cannot be made.
pub fn why(
    paths: &[Utf8PathBuf],
    options: &Options,
    events: &dyn Events,
) -> Result<Vec<Why>, Failure> {
    options.cancel.during(|| compare_all(paths, options, events))
}

fn compare_all(
    paths: &[Utf8PathBuf],
    options: &Options,
    events: &dyn Events,
) -> Result<Vec<Why>, Failure> {
    let cache = Cache::below(&cache_folder()?, ByteSize(options.memory.cache_size));
    let mut all = Vec::new();
    for path in paths {
        let absolute = camino::absolute_utf8(path)?;
        let kept = if path.is_dir() { None } else { Kept::of(&cache, &absolute) };
        // The cache must not choose whose `nbc.toml` is trusted.
        let kept = kept.filter(|_| !options.trust_config);
        let built = kept.map(|it| it.paths).filter(|it| {
            let holds = |it: &Utf8PathBuf| absolute.starts_with(it);
            it.iter().all(|it| it.exists()) && it.first().is_some_and(holds)
        });
        let is_alone = !path.is_dir();
        let paths = built.unwrap_or_else(|| vec![path.clone()]);
        let mut project = Project::open_for(Goal::Key, &paths, options.clone(), events)?;
        if is_alone {
            project.keep_only(&absolute);
        }
        for (notebook, now) in project.bases(events)? {
            all.push(compare(&cache, &notebook, now)?);
        }
    }
    Ok(all)
}

fn compare(cache: &Cache, notebook: &Utf8Path, now: Now) -> Result<Why, Failure> {
    let kept = Kept::of(cache, &camino::absolute_utf8(notebook)?);
    let verdict = match (&now, &kept) {
        (Err(reason), _) => Verdict::NoKey(reason.clone()),
        (Ok(_), None) => Verdict::NeverBuilt,
        (Ok(now), Some(kept)) if now.is_run_of(&kept.last) => Verdict::Same,
        (Ok(_), Some(_)) => Verdict::Differs,
    };
    let now = now.ok();
    let is_stored = now.as_ref().is_some_and(|it| it.is_stored);
    let is_known = now.as_ref().is_some_and(|it| cache.has(Kind::Run, &it.parts.key()));
    let mut parts: BTreeMap<String, Part> = BTreeMap::new();
    let mut page: BTreeMap<String, Part> = BTreeMap::new();
    let (last, before) = kept.map_or((None, None), |it| (Some(it.last), it.before));
    let of_page: [(&Option<Basis>, Field); 2] =
        [(&now, |it| &mut it.now), (&last, |it| &mut it.last)];
    for (basis, place) in of_page {
        for (name, value) in basis.iter().flat_map(|it| it.page.all()) {
            *place(page.entry(name.clone()).or_default()) = Some(value.clone());
        }
    }
    let all: [(Option<Basis>, Field); 3] =
        [(now, |it| &mut it.now), (last, |it| &mut it.last), (before, |it| &mut it.before)];
    for (basis, place) in all {
        for (name, value) in basis.iter().flat_map(|it| files(cache, &it.parts)) {
            *place(parts.entry(name).or_default()) = Some(value);
        }
    }
    Ok(Why { notebook: notebook.to_string(), verdict, is_known, is_stored, parts, page })
}

/// The parts, with single files where a list of them is kept.
fn files(cache: &Cache, parts: &Parts) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, value) in parts.all() {
        let tree = name.strip_prefix(FILES);
        let key = || serde_json::from_value::<Key>(value.clone().into()).ok();
        match tree.and_then(|tree| Some((tree, listing(cache, &key()?)?))) {
            None => all.push((name.clone(), value.clone())),
            Some((tree, files)) => {
                let named = files.into_iter().map(|(name, value)| {
                    (format!("file {}", Utf8Path::new(tree).join(name)), value)
                });
                all.extend(named);
            }
        }
    }
    all
}
