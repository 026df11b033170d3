//! `nbc-assets.lock`: the pictures of the web that pages may show, each with the digest of its bytes.
//!
//! In: the text of the file, which may have come with foreign notebooks. Out: entries in the order of their addresses.
//! A build takes a picture only by its entry, so that nobody but the project decides what its pages show.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{Address, MOST_PICTURE};
use crate::folder;
use crate::source::project_file::{ProjectFileError, ProjectRoot};
use crate::source::toml_error;

/// Name of the file, which lies beside `nbc.toml`.
pub const LOCK: &str = "nbc-assets.lock";
/// Most pictures of a project.
pub const MOST_PICTURES: usize = 2000;
/// Most bytes of all pictures of a project.
pub const MOST_OF_PROJECT: u64 = 512 << 20;
/// Longest file: that of as many of the longest addresses.
const LONGEST: u64 = 16 << 20;
/// The version of the format.
const VERSION: u32 = 1;
/// Types of pictures that pages have.
const TYPES: [&str; 5] = ["image/gif", "image/jpeg", "image/png", "image/svg+xml", "image/webp"];

/// The pictures that pages may show, by their addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AssetsLock(BTreeMap<Address, LockedPicture>);

/// The bytes of a picture, as the lock knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedPicture {
    /// SHA-256 of the bytes, in hexadecimal.
    sha256: String,
    /// MIME type, by the bytes.
    mime: &'static str,
    /// Number of bytes.
    size: u64,
}

/// Why a lock of pictures cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Unreadable {
        /// The file.
        path: Utf8PathBuf,
        /// The reason.
        source: ProjectFileError,
    },
    /// It is none that nbc writes.
    #[error("`{path}` is no lock of pictures: {reason}")]
    Invalid {
        /// The file.
        path: Utf8PathBuf,
        /// The place and the rule; quotes no value.
        reason: String,
    },
    /// It cannot be written.
    #[error("cannot write `{path}`: {source}")]
    Unwritable {
        /// The file.
        path: Utf8PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    #[serde(default)]
    picture: Vec<Entry>,
}

/// One picture in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    url: String,
    sha256: String,
    r#type: String,
    size: u64,
}

impl LockedPicture {
    /// The entry of bytes that are a picture of a type; `None` for a type that no page shows.
    #[must_use]
    pub fn of(bytes: &[u8], mime: &str) -> Option<Self> {
        let mime = TYPES.into_iter().find(|it| *it == mime)?;
        Some(Self { sha256: sha256(bytes), mime, size: bytes.len() as u64 })
    }

    /// SHA-256 of the bytes, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// MIME type, by the bytes.
    #[must_use]
    pub fn mime(&self) -> &'static str {
        self.mime
    }

    /// Number of bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether bytes are those of the entry.
    #[must_use]
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.size && sha256(bytes) == self.sha256
    }
}

fn sha256(bytes: &[u8]) -> String {
    let digit = |it: u8| char::from_digit(u32::from(it), 16).unwrap_or_default();
    let digest = Sha256::digest(bytes);
    digest.iter().flat_map(|it| [digit(it >> 4), digit(it & 15)]).collect()
}

impl AssetsLock {
    /// Reads the lock of a folder; without one, it is empty.
    ///
    /// # Errors
    /// When it is there and cannot be read, or is none that nbc writes.
    pub fn load(folder: &Utf8Path) -> Result<Self, LockError> {
        let path = folder.join(LOCK);
        let read = ProjectRoot::new(folder).optional_text(LOCK.into(), LONGEST);
        let text = match read {
            Ok(Some(text)) => text,
            Ok(None) => return Ok(Self::default()),
            Err(source) => return Err(LockError::Unreadable { path, source }),
        };
        Self::parse(&text).map_err(|reason| LockError::Invalid { path, reason })
    }

    /// Reads the text of a lock; the error is its place and rule.
    ///
    /// # Errors
    /// When it is none that nbc writes.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|it| toml_error::told(&it, text))?;
        if file.version != VERSION {
            return Err(format!("its version is {}, and this nbc knows {VERSION}", file.version));
        }
        let mut lock = Self::default();
        for (at, entry) in file.picture.into_iter().enumerate() {
            let told = |reason: &str| format!("picture {}: {reason}", at + 1);
            let (address, picture) = entry.checked().map_err(|it| told(&it))?;
            if lock.0.insert(address, picture).is_some() {
                return Err(told("its `url` stands there twice"));
            }
        }
        match lock.excess() {
            Some(reason) => Err(reason),
            None => Ok(lock),
        }
    }

    /// Why it holds more than a project may have.
    #[must_use]
    pub fn excess(&self) -> Option<String> {
        if self.0.len() > MOST_PICTURES {
            return Some(format!("it names more than {MOST_PICTURES} pictures"));
        }
        let bytes: u64 = self.0.values().map(|it| it.size).fold(0, u64::saturating_add);
        let most = MOST_OF_PROJECT >> 20;
        (bytes > MOST_OF_PROJECT).then(|| format!("its pictures hold over {most} MiB together"))
    }

    /// The text of the file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "# Pictures of the web that pages show, by the digests of their bytes. `nbc lock` writes this file.\n\
             version = {VERSION}\n"
        );
        for (address, LockedPicture { sha256, mime, size }) in &self.0 {
            // Basic strings of TOML have the escapes of JSON.
            let url = serde_json::Value::from(address.as_str());
            text.push_str(&format!(
                "\n[[picture]]\nurl = {url}\nsha256 = \"{sha256}\"\ntype = \"{mime}\"\nsize = {size}\n"
            ));
        }
        text
    }

    /// Writes the lock of a folder, unless it says the same already; true when the file changed. An empty one is
    /// written only over another.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Utf8Path) -> Result<bool, LockError> {
        let path = folder.join(LOCK);
        let text = self.to_text();
        let old = ProjectRoot::new(folder).optional_text(LOCK.into(), LONGEST);
        match old {
            Ok(Some(old)) if old == text => return Ok(false),
            Ok(None) if self.0.is_empty() => return Ok(false),
            _ => {}
        }
        folder::replace(&path, text.as_bytes(), 0o644)
            .map_err(|source| LockError::Unwritable { path, source })?;
        Ok(true)
    }

    /// The entry of an address.
    #[must_use]
    pub fn get(&self, address: &Address) -> Option<&LockedPicture> {
        self.0.get(address)
    }

    /// Adds or replaces an entry.
    pub fn insert(&mut self, address: Address, picture: LockedPicture) {
        self.0.insert(address, picture);
    }

    /// Removes the entry of an address.
    pub fn remove(&mut self, address: &Address) {
        self.0.remove(address);
    }

    /// The entries, in the order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = (&Address, &LockedPicture)> {
        self.0.iter()
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it names nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Entry {
    fn checked(self) -> Result<(Address, LockedPicture), String> {
        let address = Address::parse(&self.url).map_err(|it| it.to_string())?;
        if address.as_str() != self.url {
            return Err("its `url` is not as nbc writes it".to_owned());
        }
        let is_digit = |it: u8| it.is_ascii_digit() || matches!(it, b'a'..=b'f');
        if self.sha256.len() != 64 || !self.sha256.bytes().all(is_digit) {
            return Err("its `sha256` is no SHA-256 in hexadecimal".to_owned());
        }
        let mime = TYPES.into_iter().find(|it| *it == self.r#type);
        let mime = mime.ok_or_else(|| format!("its `type` is none of {}", TYPES.join(", ")))?;
        if self.size == 0 || self.size > MOST_PICTURE {
            return Err(format!("its `size` is none from 1 to {MOST_PICTURE}"));
        }
        Ok((address, LockedPicture { sha256: self.sha256, mime, size: self.size }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock() -> AssetsLock {
        let mut lock = AssetsLock::default();
        for (url, bytes) in [
            ("https://b.example/b.png", &b"two"[..]),
            ("https://a.example/a.png?x=\\\"1\"", b"one"),
        ] {
            let picture = LockedPicture::of(bytes, "image/png").unwrap();
            lock.insert(Address::parse(url).unwrap(), picture);
        }
        lock
    }

    #[test]
    fn a_lock_is_read_as_it_is_written_in_the_order_of_addresses() {
        let text = lock().to_text();
        assert_eq!(AssetsLock::parse(&text), Ok(lock()), "{text}");
        assert!(text.find("a.example") < text.find("b.example"), "{text}");
        let picture = LockedPicture::of(b"two", "image/png").unwrap();
        assert!(picture.is_of(b"two") && !picture.is_of(b"owt") && !picture.is_of(b"two "));
        assert_eq!(LockedPicture::of(b"two", "text/html"), None);
    }

    #[test]
    fn a_lock_that_nbc_does_not_write_is_refused_and_not_quoted() {
        let one = lock().to_text();
        let (head, _) = one.split_once("\n[[picture]]").unwrap();
        let entry = |url: &str, sha256: &str, kind: &str, size: u64| {
            format!(
                "{head}\n[[picture]]\nurl = \"{url}\"\nsha256 = \"{sha256}\"\ntype = \"{kind}\"\nsize = {size}\n"
            )
        };
        let (url, sha256) = ("https://a.example/?secret", "0".repeat(64));
        let good = entry(url, &sha256, "image/png", 1);
        assert!(AssetsLock::parse(&good).is_ok());
        let twice = format!("{good}{}", good.trim_start_matches(head));
        for (text, told) in [
            (entry("http://a.example/?secret", &sha256, "image/png", 1), "picture 1: its address"),
            (entry("https://A.example/?secret", &sha256, "image/png", 1), "not as nbc writes it"),
            (entry(url, "secret", "image/png", 1), "no SHA-256"),
            (entry(url, &sha256.replace('0', "A"), "image/png", 1), "no SHA-256"),
            (entry(url, &sha256, "text/secret", 1), "its `type` is none of image/gif"),
            (entry(url, &sha256, "image/png", 0), "its `size`"),
            (entry(url, &sha256, "image/png", MOST_PICTURE + 1), "its `size`"),
            (twice, "picture 2: its `url` stands there twice"),
            (good.replace("version = 1", "version = 2"), "its version is 2"),
            (good.replace("size", "secret"), "unknown field"),
            (good.replace("size = 1", "size = 'secret'"), "invalid type"),
            ("[[picture]]\n".to_owned(), "missing field"),
        ] {
            let error = AssetsLock::parse(&text).unwrap_err();
            assert!(error.contains(told) && !error.contains("?secret"), "{error}");
        }
    }

    #[test]
    fn a_project_has_so_many_pictures_and_bytes() {
        let filled = |number: usize, size: u64| {
            let picture = LockedPicture { size, ..LockedPicture::of(b"x", "image/png").unwrap() };
            let address = |at| Address::parse(&format!("https://a.example/{at}")).unwrap();
            AssetsLock((0..number).map(|at| (address(at), picture.clone())).collect())
        };
        assert_eq!(filled(MOST_PICTURES, 1).excess(), None);
        assert!(filled(MOST_PICTURES + 1, 1).excess().is_some());
        assert_eq!(filled(16, MOST_PICTURE).excess(), None);
        assert!(AssetsLock::parse(&filled(17, MOST_PICTURE).to_text()).is_err());
    }

    #[test]
    fn a_lock_is_written_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap();
        assert!(!AssetsLock::default().write(path).unwrap());
        assert!(!path.join(LOCK).exists());
        assert!(lock().write(path).unwrap());
        assert!(!lock().write(path).unwrap());
        assert_eq!(AssetsLock::load(path).unwrap(), lock());
        assert!(AssetsLock::default().write(path).unwrap());
        fs_err::remove_file(path.join(LOCK)).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", path.join(LOCK)).unwrap();
        assert!(matches!(AssetsLock::load(path), Err(LockError::Unreadable { .. })));
    }
}
