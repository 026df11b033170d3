//! Digests of everything that decides.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Names an entry: a SHA-256, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key(String);

impl Key {
    /// The key's text, 64 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Takes what decides, part by part. Each part has a name and a length, so that no two lists of parts read alike.
#[derive(Debug, Clone)]
pub struct KeyBuilder {
    hasher: Sha256,
}

impl KeyBuilder {
    /// Begins the key of something.
    #[must_use]
    pub fn new(subject: &str) -> Self {
        Self { hasher: Sha256::new() }.text("subject", subject)
    }

    /// Adds bytes.
    #[must_use]
    pub fn bytes(mut self, name: &str, bytes: &[u8]) -> Self {
        for part in [name.as_bytes(), bytes] {
            self.hasher.update((part.len() as u64).to_le_bytes());
            self.hasher.update(part);
        }
        self
    }

    /// Adds text.
    #[must_use]
    pub fn text(self, name: &str, text: &str) -> Self {
        self.bytes(name, text.as_bytes())
    }

    /// Adds a value, as JSON.
    #[must_use]
    pub fn value(self, name: &str, value: &impl Serialize) -> Self {
        // A value without JSON, such as a map with keys that are no text, is no part of any key.
        let json = serde_json::to_vec(value).unwrap_or_default();
        self.bytes(name, &json)
    }

    /// The key.
    #[must_use]
    pub fn end(self) -> Key {
        Key(hexadecimal(&self.hasher.finalize()))
    }
}

/// SHA-256, in hexadecimal.
pub(super) fn digest(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Bytes as text.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |it: u8| char::from_digit(u32::from(it), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        let of = |parts: &[(&str, &str)]| {
            parts.iter().fold(KeyBuilder::new("t"), |it, (name, text)| it.text(name, text)).end()
        };
        assert_ne!(of(&[("a", "bc")]), of(&[("ab", "c")]));
        assert_ne!(of(&[("a", "b"), ("c", "d")]), of(&[("a", "bcd")]));
        assert_ne!(of(&[]), of(&[("", "")]));
        assert_eq!(of(&[("a", "b")]).as_str().len(), 64);
    }
}
