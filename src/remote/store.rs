//! The bytes of locked pictures, by their digests, in the cache.
//!
//! In: an entry of the lock. Out: exactly the bytes that it names, or nothing. Bytes that were changed in the cache
//! are nothing.

use std::sync::Arc;

use camino::Utf8Path;

use super::LockedPicture;
use crate::cache::{Cache, DEFAULT_SIZE, Key, KeyBuilder, Kind};

/// The pictures that this machine has.
#[derive(Debug, Clone)]
pub struct Store(Arc<Cache>);

impl Store {
    /// The pictures in the cache below a folder.
    #[must_use]
    pub fn below(folder: &Utf8Path) -> Self {
        Self(Arc::new(Cache::below(folder, DEFAULT_SIZE)))
    }

    /// The bytes of a picture.
    #[must_use]
    pub fn get(&self, picture: &LockedPicture) -> Option<Vec<u8>> {
        let bytes = self.0.get(Kind::WebPicture, &key(picture))?;
        picture.is_of(&bytes).then_some(bytes)
    }

    /// Keeps the bytes of a picture; false when they are others, or cannot be written.
    pub fn put(&self, picture: &LockedPicture, bytes: &[u8]) -> bool {
        if !picture.is_of(bytes) {
            return false;
        }
        self.0.put(Kind::WebPicture, &key(picture), bytes);
        self.0.has(Kind::WebPicture, &key(picture))
    }

    /// Makes the bytes of a picture others than they were.
    #[cfg(test)]
    pub(crate) fn forget(&self, picture: &LockedPicture) {
        self.0.put(Kind::WebPicture, &key(picture), b"other");
    }

    /// Warnings about the cache, each once.
    #[must_use]
    pub fn take_warnings(&self) -> Vec<String> {
        self.0.take_warnings()
    }
}

fn key(picture: &LockedPicture) -> Key {
    KeyBuilder::new("picture of the web").text("sha256", picture.sha256()).end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_only_if_they_are_those_of_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap();
        let store = Store::below(path);
        let picture = LockedPicture::of(b"one", "image/png").unwrap();
        assert_eq!(store.get(&picture), None);
        assert!(!store.put(&picture, b"two"));
        assert_eq!(store.get(&picture), None);
        assert!(store.put(&picture, b"one"));
        assert_eq!(store.get(&picture).as_deref(), Some(&b"one"[..]));
        // An entry of the cache that is whole, and holds other bytes.
        store.0.put(Kind::WebPicture, &key(&picture), b"two");
        assert_eq!(store.get(&picture), None);
    }
}
