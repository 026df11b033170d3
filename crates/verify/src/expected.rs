//! Knowledge about a site from outside of it: scripts that may run, and the digest of its manifest.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::allowed::AllowedFile;
use super::integrity_of;
use crate::site::{runtimes, scripts};

/// Digests of this version's own scripts.
static OWN: LazyLock<BTreeSet<String>> =
    LazyLock::new(|| own_scripts().map(|(_, digest)| digest).collect());

/// Names and digests (`sha384-…`) of this version's own scripts, for whoever verifies a site with
/// another version.
pub fn own_scripts() -> impl Iterator<Item = (&'static str, String)> {
    scripts::ALL.iter().map(|(name, text)| (*name, integrity_of(text.as_bytes())))
}

/// Statements about a site that its own files can't make.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    scripts: BTreeSet<String>,
    manifest: Option<String>,
    base_url: Option<String>,
    has_islands: bool,
    files: Vec<AllowedFile>,
}

impl Expected {
    /// Allows scripts with these digests (`sha384-…`) beside nbc's own and the programs for charts
    /// that nbc knows.
    #[must_use]
    pub fn with_scripts(mut self, digests: impl IntoIterator<Item = String>) -> Self {
        self.scripts.extend(digests);
        self
    }

    /// Asks for the manifest with this digest. The manifest lists the digest of every other file, so
    /// nothing in the site can change.
    #[must_use]
    pub fn with_manifest(mut self, digest: Option<String>) -> Self {
        self.manifest = digest;
        self
    }

    /// Asks for this address of the site, with its `/`; without one, the site's own word counts.
    #[must_use]
    pub fn with_base_url(mut self, address: Option<String>) -> Self {
        self.base_url = address;
        self
    }

    /// Whether the site may have islands, in which code of notebooks runs.
    #[must_use]
    pub fn with_islands(mut self, may_be: bool) -> Self {
        self.has_islands = may_be;
        self
    }

    /// Allows files that nbc does not write, which a host asks for.
    #[must_use]
    pub fn with_files(mut self, files: impl IntoIterator<Item = AllowedFile>) -> Self {
        self.files.extend(files);
        self
    }

    /// The rule for a file that nbc did not write, where there is one.
    pub(super) fn file(&self, path: &str) -> Option<&AllowedFile> {
        self.files.iter().find(|it| it.path() == path)
    }

    /// Whether a file that is allowed lies below this folder, which ends in `/`.
    pub(super) fn has_files_below(&self, folder: &str) -> bool {
        self.files.iter().any(|it| it.path().starts_with(folder))
    }

    /// A known manifest lists the islands that the build was allowed to write.
    pub(super) fn allows_islands(&self) -> bool {
        self.has_islands || self.manifest.is_some()
    }

    pub(super) fn base_url(&self) -> Option<&str> {
        self.base_url.as_deref()
    }

    pub(super) fn allows_script(&self, digest: &str) -> bool {
        OWN.contains(digest) || runtimes::is_published(digest) || self.scripts.contains(digest)
    }

    pub(super) fn manifest(&self) -> Option<&str> {
        self.manifest.as_deref()
    }
}
