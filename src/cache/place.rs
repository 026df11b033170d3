//! The folder of the cache: found, made, and proved to be the user's own.
//!
//! In: variables and the password database. Out: a folder that nobody else can write to, or an error. What lies in
//! the cache is believed (environments are started in the sandbox, records are published), so a folder that others
//! may fill is none.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

/// Why there is no folder for the cache.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Neither the environment nor the password database names a folder.
    #[error(
        "there is no folder for the cache: HOME is not set, and the password database names no home; name one of \
         your own in NBC_CACHE_DIR"
    )]
    Nowhere,
    /// The name of the folder cannot be one.
    #[error("`{value}`, from {variable}, is no absolute path of a folder for the cache")]
    Relative {
        /// Variable that names it.
        variable: &'static str,
        /// Its value.
        value: String,
    },
    /// Another user could change what lies there.
    #[error(
        "the cache `{folder}` is not your own: `{path}` {reason}; name a folder of your own in NBC_CACHE_DIR, or give \
         it back to the user who runs nbc (`chown`)"
    )]
    Foreign {
        /// The cache.
        folder: Utf8PathBuf,
        /// The folder, file or link at fault.
        path: Utf8PathBuf,
        /// Property that is at fault.
        reason: String,
    },
    /// The system refused.
    #[error("cannot make the cache `{folder}` ({source}); name another folder in NBC_CACHE_DIR")]
    Io {
        /// The cache.
        folder: Utf8PathBuf,
        /// Answer of the system.
        source: io::Error,
    },
}

/// `NBC_CACHE_DIR`, else the user's cache folder, as the XDG Base Directory Specification says. Without `HOME` the
/// password database is asked; a folder that users share is never taken.
///
/// # Errors
/// When nothing names a folder.
pub fn locate() -> Result<Utf8PathBuf, PlaceError> {
    let variable = |name| std::env::var(name).ok().filter(|it| !it.is_empty());
    if let Some(value) = variable("NBC_CACHE_DIR") {
        return camino::absolute_utf8(&value)
            .map_err(|_| PlaceError::Relative { variable: "NBC_CACHE_DIR", value });
    }
    // The specification: a relative path is to be ignored.
    if let Some(base) = variable("XDG_CACHE_HOME").filter(|it| it.starts_with('/')) {
        return Ok(Utf8PathBuf::from(base).join("nbc"));
    }
    // The standard library asks the password database (`getpwuid_r`) where HOME is not set.
    let home = std::env::home_dir().and_then(|it| Utf8PathBuf::from_path_buf(it).ok());
    let home = home.filter(|it| !it.as_str().is_empty()).ok_or(PlaceError::Nowhere)?;
    if !home.is_absolute() {
        return Err(PlaceError::Relative { variable: "HOME", value: home.into_string() });
    }
    Ok(home.join(".cache/nbc"))
}

/// Makes the folder if it is not there, takes the rights of others from it, and proves that neither it, nor what
/// lies in it, nor a folder above it is in other hands. Gives its path without links.
///
/// # Errors
/// When it is somebody else's, or cannot be made.
#[cfg(unix)]
pub fn claim(folder: &Utf8Path) -> Result<Utf8PathBuf, PlaceError> {
    use crate::folder::{Folder, Kind};

    let failed = |source| PlaceError::Io { folder: folder.to_owned(), source };
    let foreign = |path: Utf8PathBuf, reason: &str| PlaceError::Foreign {
        folder: folder.to_owned(),
        path,
        reason: reason.to_owned(),
    };
    refuse_foreign_above(folder, folder)?;
    super::make_private(folder).map_err(failed)?;
    let real = folder.canonicalize_utf8().map_err(failed)?;
    refuse_foreign_above(&real, folder)?;
    let held = Folder::open(&real).map_err(failed)?;
    let entry = held.own_entry().map_err(failed)?;
    if !entry.is_own {
        return Err(foreign(real, "belongs to another user"));
    }
    let mode = entry.mode & 0o7777;
    if mode & 0o777 != PRIVATE && mode != PASSABLE {
        std::fs::set_permissions(&real, std::os::unix::fs::PermissionsExt::from_mode(PRIVATE))
            .map_err(failed)?;
    }
    for name in held.names().map_err(failed)? {
        let Some(it) = held.entry(&name).map_err(failed)? else { continue };
        let path = || real.join(name.to_string_lossy().as_ref());
        if !it.is_own {
            return Err(foreign(path(), "belongs to another user"));
        }
        // A restored cache would lead nbc to another place.
        if it.kind == Kind::Other {
            return Err(foreign(path(), "is a link, or no file"));
        }
    }
    Ok(real)
}

/// Elsewhere no notebook is run.
///
/// # Errors
/// When it cannot be made.
#[cfg(not(unix))]
pub fn claim(folder: &Utf8Path) -> Result<Utf8PathBuf, PlaceError> {
    super::make_private(folder)
        .map_err(|source| PlaceError::Io { folder: folder.to_owned(), source })?;
    Ok(folder.to_owned())
}

/// Rights of the folder: the owner's alone.
#[cfg(unix)]
const PRIVATE: u32 = 0o700;
/// Others may pass through to a name that they know, and can neither list nor write.
#[cfg(unix)]
const PASSABLE: u32 = 0o711;

/// Lets a run of root's that has another user id reach its environment, where there are no namespaces to show it by.
///
/// # Errors
/// When the folder is not the user's.
#[cfg(unix)]
pub fn let_runs_pass(folder: &Utf8Path) -> io::Result<()> {
    std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(PASSABLE))
}

/// Who owns a folder above, or may write to it, can exchange what is below. A sticky folder (`/tmp`) keeps what
/// users put there from each other.
#[cfg(unix)]
fn refuse_foreign_above(path: &Utf8Path, folder: &Utf8Path) -> Result<(), PlaceError> {
    use std::os::unix::fs::MetadataExt as _;

    let user = effective_user();
    for above in path.ancestors().skip(1).filter(|it| !it.as_str().is_empty()) {
        let metadata = match std::fs::symlink_metadata(above) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(PlaceError::Io { folder: folder.to_owned(), source }),
        };
        let (owner, mode) = (metadata.uid(), metadata.mode());
        let reason = match () {
            () if owner != 0 && Some(owner) != user && !is_unmapped(owner) => {
                "belongs to another user"
            }
            () if metadata.is_dir() && mode & 0o1002 == 0o0002 => "can be written by everybody",
            () => continue,
        };
        let reason = reason.to_owned();
        return Err(PlaceError::Foreign {
            folder: folder.to_owned(),
            path: above.to_owned(),
            reason,
        });
    }
    Ok(())
}

/// In a user namespace the system's own folders belong to an id that stands for all that have none there.
#[cfg(unix)]
fn is_unmapped(owner: u32) -> bool {
    const OVERFLOW: u32 = 65_534;
    let is_whole = |map: &str| map.split_whitespace().eq(["0", "0", "4294967295"]);
    owner == OVERFLOW && fs_err::read_to_string("/proc/self/uid_map").is_ok_and(|it| !is_whole(&it))
}

#[cfg(target_os = "linux")]
fn effective_user() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

/// Elsewhere nbc does not know its user, and no folder above but root's will do.
#[cfg(all(unix, not(target_os = "linux")))]
fn effective_user() -> Option<u32> {
    None
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    fn mode(path: &Utf8Path) -> u32 {
        std::os::unix::fs::MetadataExt::mode(&fs_err::metadata(path).unwrap()) & 0o7777
    }

    fn set_mode(path: &Utf8Path, mode: u32) {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs_err::set_permissions(path, permissions).unwrap();
    }

    #[test]
    fn the_folder_is_made_private_and_put_back_to_it() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(directory.path()).unwrap().join("a/nbc");
        claim(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
        for wide in [0o777, 0o755, 0o750] {
            set_mode(&folder, wide);
            claim(&folder).unwrap();
            assert_eq!(mode(&folder), 0o700, "{wide:o}");
        }
        let_runs_pass(&folder).unwrap();
        claim(&folder).unwrap();
        assert_eq!(mode(&folder), 0o711, "a run may be on its way");
    }

    #[test]
    fn a_folder_below_one_that_everybody_may_write_to_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let shared = Utf8Path::from_path(directory.path()).unwrap().join("shared");
        fs_err::create_dir(&shared).unwrap();
        set_mode(&shared, 0o777);
        assert!(matches!(claim(&shared.join("nbc")), Err(PlaceError::Foreign { .. })));
        set_mode(&shared, 0o1777);
        claim(&shared.join("nbc")).unwrap();
    }

    #[test]
    fn a_link_in_the_folder_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(directory.path()).unwrap().join("nbc");
        claim(&folder).unwrap();
        std::os::unix::fs::symlink("/etc", folder.join("entries-1")).unwrap();
        assert!(matches!(claim(&folder), Err(PlaceError::Foreign { .. })));
    }
}
