//! Digests that somebody states, in a flag or a setting: of the right form, and of bytes that are not here.

use std::str::FromStr;

/// `sha384-` and 64 digits of base64, as `--trust-runtime SHA384` takes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StatedIntegrity(String);

impl StatedIntegrity {
    /// `sha384-…`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no [`StatedIntegrity`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no digest: write `sha384-` and 64 characters of base64")]
pub struct StatedIntegrityError(String);

impl FromStr for StatedIntegrity {
    type Err = StatedIntegrityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_base64 = |it: u8| it.is_ascii_alphanumeric() || it == b'+' || it == b'/';
        match text.strip_prefix("sha384-") {
            Some(digest) if digest.len() == 64 && digest.bytes().all(is_base64) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(StatedIntegrityError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stated_digest_is_whole() {
        let digest = format!("sha384-{}", "A".repeat(64));
        assert!(digest.parse::<StatedIntegrity>().is_ok());
        for bad in ["", "sha384-", "sha256-AAAA", &digest[..70]] {
            assert!(bad.parse::<StatedIntegrity>().is_err(), "{bad}");
        }
    }
}
