//! What an environment is, for the keys of runs: two with one identity give a run the same.

use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};

use super::Interpreter;
use crate::cache::{Cache, KeyBuilder, Trees};

/// Most names in an environment that nbc did not make.
const MOST_FILES: usize = 400_000;

/// Lists of what is installed, of package managers of Linux: the system's libraries and fonts, which runs can read.
const SYSTEM: [&str; 5] = [
    "/etc/os-release",
    "/var/lib/dpkg/status",
    "/var/lib/rpm/rpmdb.sqlite",
    "/lib/apk/db/installed",
    "/var/lib/pacman/local/ALPM_DB_VERSION",
];

/// The system and an interpreter: its program's bytes stand for its standard library.
pub(super) fn of_interpreter(
    cache: &Cache,
    trees: &Trees,
    interpreter: &Interpreter,
) -> Option<String> {
    let real = interpreter.program.canonicalize_utf8().ok()?;
    let program = trees.digest(cache, &real, &[]).ok()?;
    let mut key = KeyBuilder::new("interpreter")
        .text("architecture", std::env::consts::ARCH)
        .text("version", &interpreter.version)
        .text("prefix", interpreter.base_prefix.as_str())
        .text("program", program.as_str());
    for path in SYSTEM {
        let path = Utf8Path::new(path).canonicalize_utf8();
        let digest = path.ok().and_then(|it| trees.digest(cache, &it, &[]).ok());
        key = key.text("system", digest.as_ref().map_or("", |it| it.as_str()));
    }
    Some(key.end().as_str().to_owned())
}

/// Packages that nbc did not install, by what the file system says of their files: reading them all would
/// take longer than many a run.
pub(super) fn of_packages(folders: &[Utf8PathBuf]) -> Option<String> {
    let mut key = KeyBuilder::new("packages");
    let mut files = 0;
    for folder in folders {
        key = key.text("folder", folder.as_str());
        let entries = walkdir::WalkDir::new(folder).sort_by_file_name();
        for entry in entries.into_iter().filter_entry(|it| it.file_name() != "__pycache__") {
            // A folder that is not there holds nothing.
            let Ok(entry) = entry else { continue };
            let metadata = entry.metadata().ok()?;
            files += 1;
            if files > MOST_FILES {
                return None;
            }
            key = key.text("path", entry.path().to_str()?);
            if !metadata.is_dir() {
                let times = [metadata.mtime(), metadata.mtime_nsec()];
                key = key.value("file", &(metadata.size(), times, metadata.ino(), metadata.mode()));
            }
        }
    }
    Some(key.end().as_str().to_owned())
}
