//! Folders that must stay the same for as long as this process lives.
//!
//! In: a folder and its identity when it was checked. Out: an error once another folder has its name. Programs that are
//! started outside the sandbox read and write in the cache by path.

use std::sync::{Mutex, MutexGuard, PoisonError};

use camino::Utf8PathBuf;

/// Another folder has the name of one that was checked.
#[derive(Debug, thiserror::Error)]
#[error("the cache `{folder}` is no longer the folder that this build began with")]
pub struct Replaced {
    folder: Utf8PathBuf,
}

/// A folder, with its device and inode number.
struct Claim {
    folder: Utf8PathBuf,
    identity: (u64, u64),
}

/// The claims of this process.
fn claimed() -> MutexGuard<'static, Vec<Claim>> {
    static CLAIMED: Mutex<Vec<Claim>> = Mutex::new(Vec::new());
    CLAIMED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Claims that a folder, of this device and inode number, keeps its name. Each start of a tool checks the claim.
pub fn add(folder: Utf8PathBuf, identity: (u64, u64)) {
    claimed().push(Claim { folder, identity });
}

/// Checks every claim. A folder that was removed breaks none: nothing can be read from it or written to it.
///
/// # Errors
/// When another folder has the name.
pub(crate) fn check() -> Result<(), Replaced> {
    for Claim { folder, identity } in claimed().iter() {
        if identity_of(folder).is_some_and(|it| it != *identity) {
            return Err(Replaced { folder: folder.clone() });
        }
    }
    Ok(())
}

#[cfg(unix)]
fn identity_of(folder: &Utf8PathBuf) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    folder.symlink_metadata().ok().map(|it| (it.dev(), it.ino()))
}

/// Elsewhere folders have no identity that std tells.
#[cfg(not(unix))]
fn identity_of(_folder: &Utf8PathBuf) -> Option<(u64, u64)> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use camino::Utf8Path;

    #[test]
    fn another_folder_in_the_place_of_a_claimed_one_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(directory.path()).unwrap().join("nbc");
        fs_err::create_dir(&folder).unwrap();
        add(folder.clone(), identity_of(&folder).unwrap());
        let is_it = |it: &Replaced| it.folder == folder;
        assert!(check().err().as_ref().is_none_or(|it| !is_it(it)));
        fs_err::rename(&folder, folder.with_extension("aside")).unwrap();
        fs_err::create_dir(&folder).unwrap();
        assert!(check().err().as_ref().is_some_and(is_it));
        // Other tests of this process start tools.
        fs_err::remove_dir(&folder).unwrap();
    }
}
