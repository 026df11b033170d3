//! Packages that nbc did not install, identified by metadata of their files.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

use camino::{Utf8DirEntry, Utf8Path, Utf8PathBuf};
use rayon::prelude::*;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};

use crate::cache::{Key, KeyBuilder};

/// Most names in an environment that nbc did not make.
const MOST_FILES: usize = 400_000;

/// Packages that nbc did not install, by what the file system says of their files: reading them all would
/// take longer than many a run.
pub(super) fn of_packages(folders: &[Utf8PathBuf]) -> Option<String> {
    // Each package by itself, so that all cores can look.
    let mut parts: Vec<(&Utf8Path, Option<String>)> = Vec::new();
    for folder in folders {
        parts.push((folder, None));
        let entries = folder.read_dir_utf8().into_iter().flatten().flatten();
        let is_folder = |it: &Utf8DirEntry| it.file_type().is_ok_and(|it| it.is_dir());
        let mut names: Vec<String> =
            entries.filter(is_folder).map(|it| it.file_name().to_owned()).collect();
        names.sort();
        parts.extend(names.into_iter().map(|it| (folder.as_path(), Some(it))));
    }
    let left = AtomicUsize::new(MOST_FILES);
    let keys = parts.par_iter().map(|(folder, name)| {
        let mut key = KeyBuilder::new("package").text("name", name.as_deref().unwrap_or_default());
        let opened = match name {
            Some(name) => open(CWD, folder.join(name).as_str()),
            None => open(CWD, folder.as_str()),
        };
        // A folder that is not there holds nothing.
        let Ok(opened) = opened else { return Some(key.end()) };
        let mut text = Vec::new();
        look(&opened, name.is_some(), &left, &mut text)?;
        key = key.bytes("files", &text);
        Some(key.end())
    });
    let keys: Option<Vec<Key>> = keys.collect();
    let key = KeyBuilder::new("packages").value("folders", &folders).value("parts", &keys?);
    Some(key.end().as_str().to_owned())
}

fn open(folder: impl AsFd, name: &str) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::empty())
}

/// Writes down every file of a folder, and of those in it if it `is_deep`. Names are looked up from the folder itself:
/// an environment has tens of thousands of files, and paths are long.
fn look(folder: &OwnedFd, is_deep: bool, left: &AtomicUsize, text: &mut Vec<u8>) -> Option<()> {
    let mut entries: Vec<(CString, FileType)> = Vec::new();
    for entry in Dir::read_from(folder).ok()? {
        let entry = entry.ok()?;
        let name = entry.file_name();
        // Bytecode follows from the sources.
        if !matches!(name.to_bytes(), b"." | b".." | b"__pycache__") {
            entries.push((name.to_owned(), entry.file_type()));
        }
    }
    if left.fetch_sub(entries.len().min(MOST_FILES), Ordering::Relaxed) > MOST_FILES {
        return None;
    }
    entries.sort_by(|one, other| one.0.cmp(&other.0));
    for (name, kind) in entries {
        text.extend_from_slice(name.as_bytes_with_nul());
        if kind == FileType::Directory {
            if is_deep {
                let inner = open(folder, name.to_str().ok()?).ok()?;
                text.push(b'(');
                look(&inner, is_deep, left, text)?;
                text.push(b')');
            }
            continue;
        }
        let stat = rustix::fs::statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        text.extend_from_slice(&stat.st_size.to_le_bytes());
        text.extend_from_slice(&stat.st_mtime.to_le_bytes());
        text.extend_from_slice(&stat.st_mtime_nsec.to_le_bytes());
        // Whoever sets the time of a change back cannot set this one.
        text.extend_from_slice(&stat.st_ctime.to_le_bytes());
        text.extend_from_slice(&stat.st_ctime_nsec.to_le_bytes());
        text.extend_from_slice(&stat.st_ino.to_le_bytes());
        text.extend_from_slice(&stat.st_mode.to_le_bytes());
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_told_apart_by_every_file() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap().to_owned();
        let write = |name: &str, text: &str| {
            let path = root.join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        };
        write("numpy/core/a.py", "1");
        write("single.py", "1");
        let mut seen = vec![of_packages(std::slice::from_ref(&root)).unwrap()];
        for (name, text) in
            [("numpy/core/a.py", "12"), ("single.py", "12"), ("numpy/b.py", ""), ("new/x.py", "")]
        {
            write(name, text);
            let found = of_packages(std::slice::from_ref(&root)).unwrap();
            assert!(!seen.contains(&found), "{name}");
            seen.push(found);
        }
        // The same size, and the same time of change.
        let path = root.join("single.py");
        let modified = fs_err::metadata(&path).unwrap().modified().unwrap();
        fs_err::write(&path, "13").unwrap();
        std::fs::File::options().append(true).open(&path).unwrap().set_modified(modified).unwrap();
        seen.push(of_packages(std::slice::from_ref(&root)).unwrap());
        assert_ne!(seen.last(), seen.get(seen.len() - 2));
        write("numpy/__pycache__/a.pyc", "");
        assert_eq!(seen.last(), of_packages(std::slice::from_ref(&root)).as_ref());
        assert!(of_packages(&[root.join("nowhere")]).is_some());
    }
}
