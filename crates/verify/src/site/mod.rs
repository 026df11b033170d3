//! The target: files of a site, with types for what must hold about them.
//!
//! [`SitePath`] stays inside the site, [`Asset`] carries the digest of its own bytes. The lists are data: the scripts
//! that pages may hold ([`scripts`], [`runtimes`]), and the files that they may save ([`PASSIVE`]).

mod base_url;
mod passive;
pub mod runtimes;
pub mod scripts;
mod standing;
mod stated;

use std::collections::BTreeMap;

use base64::Engine as _;
use sha2::{Digest as _, Sha384};
use unicode_normalization::char::is_combining_mark;
use unicode_normalization::is_nfc;

pub use base_url::BaseUrl;
pub use passive::{PASSIVE, download_name};
pub use standing::{Listed, Reference, References, Standing};
pub use stated::{StatedIntegrity, StatedIntegrityError};

/// Most values of an input of a page, those of its parts together included.
pub const MOST_VALUES: u64 = 10_000;

/// Longest name of a file or folder, in bytes, that file systems take.
const LONGEST_SEGMENT: usize = 255;

/// Whether a path in a site may hold a character: a letter or digit of any script, a mark on one, or one of `-_.~`.
/// None of them ends or divides an address, an attribute or a word of a shell, and browsers encode the letters
/// themselves.
pub fn is_site_character(character: char) -> bool {
    match character {
        '-' | '_' | '.' | '~' => true,
        it if it.is_ascii() => it.is_ascii_alphanumeric(),
        it => it.is_alphanumeric() || is_combining_mark(it),
    }
}

/// Path of a file in the site: relative, `/`-separated, no `..`, no dot-files, URL-safe as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct SitePath(String);

/// Why a text is no [`SitePath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` cannot be a path in a site: {reason}")]
pub struct SitePathError {
    path: String,
    reason: &'static str,
}

impl SitePath {
    /// Checks a path. Segments hold letters and digits, with their marks in one piece (NFC), and `- _ . ~`: nothing that
    /// needs escaping in an attribute or a shell, and nothing that a file system writes in two ways.
    ///
    /// # Errors
    /// When the path is empty, absolute, leaves the site, or holds other characters.
    pub fn new(path: &str) -> Result<Self, SitePathError> {
        let refuse = |reason| Err(SitePathError { path: path.to_owned(), reason });
        if path.len() > 512 {
            return refuse("it is longer than 512 bytes");
        }
        for segment in path.split('/') {
            if segment.is_empty() {
                return refuse("it has an empty segment");
            }
            // GitHub's Pages action leaves dot-files out, and `..` leaves the site.
            if segment.starts_with('.') {
                return refuse("a segment starts with a dot");
            }
            if segment.len() > LONGEST_SEGMENT {
                return refuse("a segment is longer than 255 bytes");
            }
            if !segment.chars().all(is_site_character) {
                return refuse("it holds characters that need escaping in a URL");
            }
        }
        if !is_nfc(path) {
            return refuse("letters and their marks are apart");
        }
        Ok(Self(path.to_owned()))
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Number of folders above the file.
    pub fn depth(&self) -> usize {
        self.0.matches('/').count()
    }

    /// A link from this file to another file of the site; works below any base.
    pub fn link_to(&self, other: &SitePath) -> String {
        format!("{}{}", "../".repeat(self.depth()), other.0)
    }
}

/// Digest of some bytes in the form of Subresource Integrity (W3C SRI, section 3.1): SHA-384.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct Integrity(String);

impl Integrity {
    /// Hashes bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_digest(&Sha384::digest(bytes))
    }

    /// The same of a SHA-384 that was taken before.
    pub fn of_sha384(digest: &[u8; 48]) -> Self {
        Self::of_digest(digest)
    }

    fn of_digest(digest: &[u8]) -> Self {
        Self(format!("sha384-{}", base64::engine::general_purpose::STANDARD.encode(digest)))
    }

    /// `sha384-…`, as an `integrity` attribute or a CSP source without its quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 16 hexadecimal digits, for a file name.
    pub fn short(bytes: &[u8]) -> String {
        Sha384::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A file of the site with the digest of its bytes; neither can be changed afterwards.
#[derive(Debug, Clone)]
pub struct Asset {
    path: SitePath,
    bytes: Vec<u8>,
    integrity: Integrity,
}

impl Asset {
    /// A file under a fixed name: pages, `manifest.json`.
    pub fn new(path: SitePath, bytes: Vec<u8>) -> Self {
        let integrity = Integrity::of(&bytes);
        Self { path, bytes, integrity }
    }

    /// A file under `folder/stem.HASH.extension`, so that a host may cache it for ever.
    ///
    /// # Errors
    /// When the parts do not make a [`SitePath`].
    pub fn hashed(
        folder: &str,
        stem: &str,
        extension: &str,
        bytes: Vec<u8>,
    ) -> Result<Self, SitePathError> {
        let hash = Integrity::short(&bytes);
        Ok(Self::new(SitePath::new(&format!("{folder}/{stem}.{hash}.{extension}"))?, bytes))
    }

    /// Path in the site.
    pub fn path(&self) -> &SitePath {
        &self.path
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Digest of its bytes.
    pub fn integrity(&self) -> &Integrity {
        &self.integrity
    }

    fn listed(&self) -> Listed<'_> {
        Listed { path: &self.path, bytes: self.bytes.len() as u64, integrity: &self.integrity }
    }
}

/// All files of a site, by path.
#[derive(Debug, Clone, Default)]
pub struct Site {
    files: BTreeMap<SitePath, Asset>,
    standing: BTreeMap<SitePath, Standing>,
}

impl Site {
    /// Adds a file. A second file with the same path and bytes is the same file.
    ///
    /// # Errors
    /// When another file has this path.
    pub fn add(&mut self, asset: Asset) -> Result<(), SitePathError> {
        let is_other = |it: &Asset| it.bytes != asset.bytes;
        let stands_other = |it: &Standing| *it.integrity() != asset.integrity;
        if self.files.get(asset.path()).is_some_and(is_other)
            || self.standing.get(asset.path()).is_some_and(stands_other)
        {
            let path = asset.path.0;
            return Err(SitePathError { path, reason: "two files would have this path" });
        }
        self.standing.remove(asset.path());
        self.files.insert(asset.path.clone(), asset);
        Ok(())
    }

    /// Adds a file that stands in the earlier site. One with the same path and bytes is the same file.
    ///
    /// # Errors
    /// When another file has this path.
    pub fn take_over(&mut self, file: Standing) -> Result<(), SitePathError> {
        let asset = self.files.get(file.path()).map(Asset::integrity);
        let present = asset.or_else(|| self.standing.get(file.path()).map(Standing::integrity));
        match present {
            Some(it) if it != file.integrity() => {
                let path = file.path().0.clone();
                Err(SitePathError { path, reason: "two files would have this path" })
            }
            Some(_) => Ok(()),
            None => {
                self.standing.insert(file.path().clone(), file);
                Ok(())
            }
        }
    }

    /// The file at a path, if its bytes are here.
    pub fn file(&self, path: &SitePath) -> Option<&Asset> {
        self.files.get(path)
    }

    /// The files whose bytes are here, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = &Asset> {
        self.files.values()
    }

    /// The files that stand in the earlier site, sorted by path.
    pub fn standing(&self) -> impl Iterator<Item = &Standing> {
        self.standing.values()
    }

    /// Path, size and digest of every file, sorted by path.
    pub fn listed(&self) -> Vec<Listed<'_>> {
        let standing = self.standing.values().map(Standing::listed);
        let mut all: Vec<_> = self.files.values().map(Asset::listed).chain(standing).collect();
        all.sort_by_key(|it| it.path);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leaves_the_site() {
        for bad in [
            "",
            "/a",
            "a//b",
            "../a",
            "a/../b",
            ".git",
            "a b",
            "a?b",
            "a#b",
            "e\u{301}",
            "a\\b",
            "a\u{202e}b",
            "a\u{200d}b",
            "🚀",
            "a。b",
        ] {
            assert!(SitePath::new(bad).is_err(), "{bad}");
        }
        assert!(SitePath::new(&"ä".repeat(128)).is_err());
        for good in ["é", "報告/大阪.html", "हिन्दी.html", "A-b_c.~1"] {
            assert!(SitePath::new(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn links_climb_out_of_folders() {
        let page = SitePath::new("a/b/page.html").unwrap();
        assert_eq!(page.link_to(&SitePath::new("assets/x.css").unwrap()), "../../assets/x.css");
    }
}
