//! `.nbc-secrets`: fingerprints of what looks like a secret and is none, one a line.

use std::collections::BTreeSet;

use camino::Utf8Path;

use super::{ConfigError, read_optional};

/// Name of the file, beside `nbc.toml`.
pub const BASELINE: &str = ".nbc-secrets";

/// Reads the fingerprints of a folder; what follows a `#` is for people.
///
/// # Errors
/// When the file is there and cannot be read, or a line is no fingerprint. The line is not quoted: nobody wrote what it
/// says for a message.
pub fn baseline(
    folder: &Utf8Path,
    is_fingerprint: impl Fn(&str) -> bool,
) -> Result<BTreeSet<String>, ConfigError> {
    let text = read_optional(folder, BASELINE)?.unwrap_or_default();
    let mut found = BTreeSet::new();
    for (idx, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        if !is_fingerprint(line) {
            return Err(ConfigError::Fingerprint { path: folder.join(BASELINE), line: idx + 1 });
        }
        found.insert(line.to_owned());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_fingerprint_and_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap();
        let read = || baseline(path, |it| it.starts_with("jwt:"));
        assert!(read().unwrap().is_empty());
        let text = "\u{feff}# ours\n\njwt:12ab34cd  # a sample of the docs\n";
        fs_err::write(path.join(BASELINE), text).unwrap();
        assert_eq!(read().unwrap(), BTreeSet::from(["jwt:12ab34cd".to_owned()]));
        fs_err::write(path.join(BASELINE), format!("{text}root:x:0:0\n")).unwrap();
        let told = read().unwrap_err().to_string();
        assert!(told.ends_with(".nbc-secrets`, line 4, is no fingerprint of a finding"), "{told}");
    }
}
