//! Parts of the keys of a notebook's run and page, kept from build to build.
//!
//! Each build keeps the parts of the last key of each notebook, in the cache. They are there to be read by people, and
//! decide nothing.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::page_key::PageParts;
use crate::cache::{Cache, Key, KeyBuilder, Kind};
use crate::run::remembered::Parts;

/// A basis of a page: the parts of a run's key, or the digest of outputs that are stored in the notebook, and beside these
/// the parts of the page's own key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Basis {
    pub(super) is_stored: bool,
    pub(super) parts: Parts,
    pub(super) page: PageParts,
}

impl Basis {
    /// Whether it is a basis of the same run.
    pub(super) fn is_run_of(&self, other: &Self) -> bool {
        self.is_stored == other.is_stored && self.parts == other.parts
    }
}

/// A basis, or the reason why there is none.
pub(super) type Now = Result<Basis, String>;

/// Kept of the builds of one notebook.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// Paths that the last build was called with, absolute.
    pub(super) paths: Vec<Utf8PathBuf>,
    pub(super) last: Basis,
    pub(super) before: Option<Basis>,
}

impl Kept {
    /// Kept of the builds of a notebook, by its absolute path.
    pub(super) fn of(cache: &Cache, notebook: &Utf8Path) -> Option<Self> {
        serde_json::from_slice(&cache.get(Kind::Parts, &entry(notebook))?).ok()
    }
}

fn entry(notebook: &Utf8Path) -> Key {
    KeyBuilder::new("parts").text("notebook", notebook.as_str()).end()
}

/// Keeps the basis of a notebook in a build.
pub(super) fn keep(cache: &Cache, paths: &[Utf8PathBuf], notebook: &Utf8Path, basis: &Basis) {
    let earlier = Kept::of(cache, notebook);
    let before = match earlier {
        Some(it) if it.last == *basis && it.paths == paths => return,
        Some(it) if it.last.is_run_of(basis) => it.before,
        Some(it) => Some(it.last),
        None => None,
    };
    let kept = Kept { paths: paths.to_vec(), last: basis.clone(), before };
    if let Ok(body) = serde_json::to_vec(&kept) {
        cache.put(Kind::Parts, &entry(notebook), &body);
    }
}
