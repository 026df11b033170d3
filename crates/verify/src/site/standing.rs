//! Files of an earlier site that the next one takes over: known by their digests, their bytes are not read again.
//!
//! In: size, digest and references of a file, as they were when it was proved. Out: the same as a part of the next
//! site. It holds no bytes, so that nothing can be written from it: whoever publishes gives the file itself, which has
//! to be the one that was proved, another name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Integrity, SitePath};

/// A file that another one names, as it was found when that one was proved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reference {
    /// There was none.
    Missing,
    /// It was there; its bytes did not matter.
    Present,
    /// It had this digest (`sha384-…`).
    Holds(String),
}

/// Files that a proof asked for, by path.
pub type References = BTreeMap<String, Reference>;

/// A file of the earlier site.
#[derive(Debug, Clone)]
pub struct Standing {
    path: SitePath,
    bytes: u64,
    digest: [u8; 48],
    integrity: Integrity,
    references: References,
}

impl Standing {
    /// A file of this size and SHA-384, whose proof asked for `references`.
    pub fn new(path: SitePath, bytes: u64, digest: [u8; 48], references: References) -> Self {
        Self { path, bytes, digest, integrity: Integrity::of_sha384(&digest), references }
    }

    /// Path in the site.
    pub fn path(&self) -> &SitePath {
        &self.path
    }

    /// Digest of its bytes.
    pub fn integrity(&self) -> &Integrity {
        &self.integrity
    }

    /// Number of its bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// SHA-384 of its bytes.
    pub fn digest(&self) -> &[u8; 48] {
        &self.digest
    }

    /// Files that its proof asked for.
    pub fn references(&self) -> &References {
        &self.references
    }

    pub(super) fn listed(&self) -> Listed<'_> {
        Listed { path: &self.path, bytes: self.bytes, integrity: &self.integrity }
    }
}

/// The entry of a file in the manifest.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Listed<'a> {
    /// Path in the site.
    pub path: &'a SitePath,
    /// Number of its bytes.
    pub bytes: u64,
    /// Digest of its bytes.
    pub integrity: &'a Integrity,
}
