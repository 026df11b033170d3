//! `.nbc-secrets`: fingerprints of what looks like a secret and is none, one a line.

use std::collections::BTreeSet;

use camino::Utf8Path;

use super::{ConfigError, read_optional};

/// Name of the file, beside `nbc.toml`.
pub const BASELINE: &str = ".nbc-secrets";

/// Reads the fingerprints of a folder; what follows a `#` is for people.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn baseline(folder: &Utf8Path) -> Result<BTreeSet<String>, ConfigError> {
    let text = read_optional(folder, BASELINE)?.unwrap_or_default();
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    Ok(lines.filter(|it| !it.is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_fingerprint_and_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap();
        assert!(baseline(path).unwrap().is_empty());
        fs_err::write(path.join(BASELINE), "# ours\n\njwt:12ab34cd  # a sample of the docs\n")
            .unwrap();
        assert_eq!(baseline(path).unwrap(), BTreeSet::from(["jwt:12ab34cd".to_owned()]));
    }
}
