//! What an environment is, for the keys of runs: two with one identity give a run the same.

use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use camino::{Utf8Path, Utf8PathBuf};

use rayon::prelude::*;

use super::Interpreter;
use crate::cache::{Cache, Key, KeyBuilder, Trees};

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
    // Each package by itself, so that all cores can look.
    let mut parts = Vec::new();
    for folder in folders {
        let entries = folder.read_dir_utf8().into_iter().flatten();
        let mut names: Vec<Utf8PathBuf> =
            entries.filter_map(|it| Some(it.ok()?.path().to_owned())).collect();
        names.sort();
        parts.push(folder.clone());
        parts.extend(names);
    }
    let left = AtomicUsize::new(MOST_FILES);
    let keys: Option<Vec<Key>> =
        parts.par_iter().map(|part| of_part(part, &left, !folders.contains(part))).collect();
    let keys = KeyBuilder::new("packages").value("folders", &folders).value("parts", &keys?);
    Some(keys.end().as_str().to_owned())
}

fn of_part(part: &Utf8Path, left: &AtomicUsize, is_deep: bool) -> Option<Key> {
    let mut key = KeyBuilder::new("package");
    let depth = if is_deep { usize::MAX } else { 0 };
    let entries = walkdir::WalkDir::new(part).max_depth(depth).sort_by_file_name();
    for entry in entries.into_iter().filter_entry(|it| it.file_name() != "__pycache__") {
        // What is not there holds nothing.
        let Ok(entry) = entry else { continue };
        let metadata = entry.metadata().ok()?;
        // Below zero it wraps, which is more than anybody has.
        if left.fetch_sub(1, Ordering::Relaxed) > MOST_FILES {
            return None;
        }
        key = key.text("path", entry.path().to_str()?);
        if !metadata.is_dir() {
            let numbers = [metadata.size(), metadata.ino(), metadata.mode().into()];
            for number in numbers {
                key = key.bytes("number", &number.to_le_bytes());
            }
            for number in [metadata.mtime(), metadata.mtime_nsec()] {
                key = key.bytes("time", &number.to_le_bytes());
            }
        }
    }
    Some(key.end())
}
