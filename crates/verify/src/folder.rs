//! Reads a written site from disk, bounded, without following links.

use std::collections::BTreeMap;
use std::io::{self, Read as _};

use camino::{Utf8Path, Utf8PathBuf};

use super::{Expected, Finding, Rule, verify_files};

/// Most files of a site.
pub(super) const MOST_FILES: usize = 50_000;
const MOST_BYTES_OF_A_FILE: u64 = 512 << 20;
const MOST_BYTES: u64 = 4 << 30;
const DEEPEST: usize = 16;

/// Why a folder could not be verified at all.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The folder is missing or is none.
    #[error("`{path}` is not a folder")]
    NotAFolder {
        /// The folder.
        path: Utf8PathBuf,
    },
    /// A file or folder cannot be read; the cause names it.
    #[error("the site cannot be read")]
    Unreadable(#[source] io::Error),
    /// The folder holds more than a site of nbc does.
    #[error("`{path}` is too large to verify: {limit}")]
    TooLarge {
        /// The folder or file.
        path: Utf8PathBuf,
        /// The limit that it passes.
        limit: &'static str,
    },
}

/// Verifies a written site. Symbolic links, special files and dot-files are findings, not followed.
///
/// # Errors
/// When the folder cannot be read, or is larger than any site.
pub fn verify_folder(folder: &Utf8Path, expected: &Expected) -> Result<Vec<Finding>, VerifyError> {
    if !folder.is_dir() {
        return Err(VerifyError::NotAFolder { path: folder.to_owned() });
    }
    let (files, findings) = (BTreeMap::new(), Vec::new());
    let mut reader = Reader { root: folder, expected, files, findings, bytes: 0 };
    reader.read(folder, "", 0)?;
    let mut findings = verify_files(&reader.files, expected);
    findings.append(&mut reader.findings);
    findings.sort();
    Ok(findings)
}

struct Reader<'a> {
    root: &'a Utf8Path,
    expected: &'a Expected,
    files: BTreeMap<String, Vec<u8>>,
    findings: Vec<Finding>,
    bytes: u64,
}

impl Reader<'_> {
    fn read(&mut self, folder: &Utf8Path, prefix: &str, depth: usize) -> Result<(), VerifyError> {
        for entry in fs_err::read_dir(folder).map_err(VerifyError::Unreadable)? {
            let entry = entry.map_err(VerifyError::Unreadable)?;
            let kind = entry.file_type().map_err(VerifyError::Unreadable)?;
            let Some(name) = entry.file_name().to_str().map(ToOwned::to_owned) else {
                let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
                self.refuse(path, "the name is not UTF-8");
                continue;
            };
            let path = format!("{prefix}{name}");
            if self.files.len() + self.findings.len() >= MOST_FILES {
                return Err(self.too_large(self.root, "it holds more than 50,000 files"));
            }
            let is_allowed = match kind.is_dir() {
                true => self.expected.has_files_below(&format!("{path}/")),
                false => self.expected.file(&path).is_some(),
            };
            if name.starts_with('.') && !is_allowed {
                self.refuse(path, "a dot-file: hosts leave it out, and it may hold anything");
            } else if kind.is_dir() {
                if depth >= DEEPEST {
                    return Err(self.too_large(folder, "its folders nest too deeply"));
                }
                self.read(&folder.join(&name), &format!("{path}/"), depth + 1)?;
            } else if kind.is_file() {
                let bytes = self.read_file(&folder.join(&name))?;
                self.files.insert(path, bytes);
            } else {
                self.refuse(path, "a symbolic link or special file");
            }
        }
        Ok(())
    }

    fn read_file(&mut self, path: &Utf8Path) -> Result<Vec<u8>, VerifyError> {
        let file = fs_err::File::open(path).map_err(VerifyError::Unreadable)?;
        let mut bytes = Vec::new();
        // The limit holds for a file that grows while it is read as well.
        file.take(MOST_BYTES_OF_A_FILE + 1)
            .read_to_end(&mut bytes)
            .map_err(VerifyError::Unreadable)?;
        let length = bytes.len() as u64;
        self.bytes += length;
        if length > MOST_BYTES_OF_A_FILE {
            return Err(self.too_large(path, "a file may have 512 MiB"));
        }
        if self.bytes > MOST_BYTES {
            return Err(self.too_large(self.root, "a site may have 4 GiB"));
        }
        Ok(bytes)
    }

    fn refuse(&mut self, file: String, message: &str) {
        let message = message.to_owned();
        self.findings.push(Finding { file, line: 1, rule: Rule::SafePath, message });
    }

    fn too_large(&self, path: &Utf8Path, limit: &'static str) -> VerifyError {
        VerifyError::TooLarge { path: path.to_owned(), limit }
    }
}
