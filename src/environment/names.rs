//! Names of packages, and digests of texts.

use sha2::{Digest as _, Sha256};

/// Package names compare as PEP 503 says.
pub(super) fn normalized(name: &str) -> String {
    let base = name.split('[').next().unwrap_or_default().trim();
    let parts: Vec<String> =
        base.split(['-', '_', '.']).filter(|it| !it.is_empty()).map(str::to_lowercase).collect();
    parts.join("-")
}

/// The digest of several texts, each with its length.
pub(super) fn digest_of(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hexadecimal(&hasher.finalize())
}

/// Bytes as text.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
