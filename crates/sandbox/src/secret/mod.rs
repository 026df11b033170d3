//! Values that a run may use but that must not be published.
//!
//! In: variables and files that the user hands to a run. Out: [`Secret`], which cannot be printed, and
//! [`Scanner`], which finds the values in the outputs of a run. [`leaks`] finds secrets that the user did not name, by
//! their form.

#[cfg(test)]
mod fixtures;
mod forms;
mod leak;
mod rules;
mod scan;

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use camino::Utf8Path;
use sha2::{Digest as _, Sha256};

pub use leak::{Leak, is_rule, leaks, leaks_however_escaped, mask_leaks};
pub use scan::{Scanner, ScannerError};

/// Most bytes of one value.
pub const LONGEST: usize = 1 << 20;

/// A value that must not be seen. It has no `Display`, is not serializable, and its `Debug` tells nothing;
/// copies share the bytes.
#[derive(Clone)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// Takes a value.
    pub fn new(value: impl Into<Vec<u8>>) -> Self {
        Self(value.into().into())
    }

    /// Reads a value from a file, which may be a pipe.
    ///
    /// # Errors
    /// When it cannot be read, or is longer than [`LONGEST`].
    pub fn load(path: &Utf8Path) -> io::Result<Self> {
        let most = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(1);
        let mut value = Vec::new();
        fs_err::File::open(path)?.take(most).read_to_end(&mut value)?;
        if value.len() > LONGEST {
            let message = format!("`{path}` is longer than 1 MiB");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        Ok(Self::new(value))
    }

    /// Number of bytes.
    pub fn length(&self) -> usize {
        self.0.len()
    }

    /// The value. Only `process`, which hands it to the run, and this module name this method.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

/// One digest of all values under a key: it tells whether they are those of another time, and to nobody who does not have
/// the key what they are.
#[must_use]
pub fn keyed_digest(key: &[u8], values: &[(String, Secret)]) -> [u8; 32] {
    let mut sorted: Vec<_> = values.iter().collect();
    sorted.sort_by(|a, b| (&a.0, a.1.reveal()).cmp(&(&b.0, b.1.reveal())));
    let named = sorted.into_iter().flat_map(|(name, it)| [name.as_bytes(), it.reveal()]);
    let mut hasher = Sha256::new();
    for part in std::iter::once(key).chain(named) {
        // Two lists of parts never read alike.
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_itself() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }
}
