//! The folder of the cache: found, made, and proved to be the user's own.
//!
//! In: variables and the password database. Out: a folder that nobody else can write to, or an error. What lies in
//! the cache is believed (environments are started in the sandbox, records are published), so a folder that others
//! may fill is none.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

/// Why there is no folder for the cache.
#[derive(Debug, thiserror::Error)]
pub enum CacheFolderError {
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
    /// Something that leads elsewhere lies in the cache.
    #[error(
        "`{path}` in the cache `{folder}` is a link, or no file: nbc follows none there; put a folder in its place, or \
         keep the whole cache elsewhere by naming a folder there in NBC_CACHE_DIR"
    )]
    Link {
        /// The cache.
        folder: Utf8PathBuf,
        /// The link.
        path: Utf8PathBuf,
    },
    /// The folder is used for other things, and others may look into it.
    #[error(
        "the cache `{folder}` holds `{found}`, which is not nbc's, and others may enter it (mode {mode:o}): name a folder \
         in NBC_CACHE_DIR that is for nbc alone, such as `{folder}/nbc`"
    )]
    Shared {
        /// The cache.
        folder: Utf8PathBuf,
        /// A name in it.
        found: String,
        /// Its rights.
        mode: u32,
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
pub fn locate() -> Result<Utf8PathBuf, CacheFolderError> {
    let variable = |name| std::env::var(name).ok().filter(|it| !it.is_empty());
    if let Some(value) = variable("NBC_CACHE_DIR") {
        return camino::absolute_utf8(&value)
            .map_err(|_| CacheFolderError::Relative { variable: "NBC_CACHE_DIR", value });
    }
    // The specification: a relative path is to be ignored.
    if let Some(base) = variable("XDG_CACHE_HOME").filter(|it| it.starts_with('/')) {
        return Ok(Utf8PathBuf::from(base).join("nbc"));
    }
    // The standard library asks the password database (`getpwuid_r`) where HOME is not set.
    let home = std::env::home_dir().and_then(|it| Utf8PathBuf::from_path_buf(it).ok());
    let home = home.filter(|it| !it.as_str().is_empty()).ok_or(CacheFolderError::Nowhere)?;
    if !home.is_absolute() {
        return Err(CacheFolderError::Relative { variable: "HOME", value: home.into_string() });
    }
    Ok(home.join(".cache/nbc"))
}

/// Makes the folder if it is not there, takes the rights of others from it, and proves that neither it, nor what
/// lies in it, nor a folder above it is in other hands. Gives its path without links.
///
/// # Errors
/// When it is somebody else's, or cannot be made.
#[cfg(unix)]
pub fn claim(folder: &Utf8Path) -> Result<Utf8PathBuf, CacheFolderError> {
    use crate::folder::Folder;
    use crate::process::{PASSABLE, claims};

    let failed = |source| CacheFolderError::Io { folder: folder.to_owned(), source };
    let foreign = |path: Utf8PathBuf, reason: &str| CacheFolderError::Foreign {
        folder: folder.to_owned(),
        path,
        reason: reason.to_owned(),
    };
    refuse_foreign_above(folder, folder)?;
    // A user who may put a link into a folder that users share would choose a folder of root's that it makes private.
    match folder.symlink_metadata() {
        Ok(it) if it.is_symlink() && foreign_owner(&it).is_some() => {
            return Err(foreign(folder.to_owned(), "is a link of another user"));
        }
        _ => {}
    }
    super::make_private(folder).map_err(failed)?;
    let real = folder.canonicalize_utf8().map_err(failed)?;
    refuse_foreign_above(&real, folder)?;
    let (Some(parent), Some(name)) = (real.parent(), real.file_name()) else {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    };
    let held = Folder::open(parent).and_then(|it| it.below(name.as_ref())).map_err(failed)?;
    let entry = held.own_entry().map_err(failed)?;
    if !entry.is_own {
        let owner = real.metadata().map(|it| std::os::unix::fs::MetadataExt::uid(&it));
        let ids = owner.map(told_ids).unwrap_or_default();
        return Err(foreign(real, &format!("belongs to another user{ids}")));
    }
    // All names are looked at before anything is changed.
    let other = other_name(&held, &real, folder)?;
    let mode = entry.mode & 0o7777;
    if mode & 0o777 != PRIVATE && mode != PASSABLE {
        // `NBC_CACHE_DIR=/srv` would close a folder that others need.
        if let Some(found) = other {
            return Err(CacheFolderError::Shared { folder: folder.to_owned(), found, mode });
        }
        held.set_mode(PRIVATE).map_err(failed)?;
    }
    claims::add(real.clone(), entry.identity);
    Ok(real)
}

/// Looks at every name in a folder; gives one that is not nbc's.
#[cfg(unix)]
fn other_name(
    held: &crate::folder::Folder,
    real: &Utf8Path,
    folder: &Utf8Path,
) -> Result<Option<String>, CacheFolderError> {
    let failed = |source| CacheFolderError::Io { folder: folder.to_owned(), source };
    let mut other = None;
    for (name, _) in held.names().map_err(failed)? {
        let Some(it) = held.entry(&name).map_err(failed)? else { continue };
        let shown = name.to_string_lossy().into_owned();
        if !is_of_nbc(&shown) {
            // The root of a volume has a `lost+found` of root's, which is nobody's.
            other = other.or((shown != "lost+found").then_some(shown));
            continue;
        }
        let (folder, path) = (folder.to_owned(), real.join(shown));
        // A restored cache would lead nbc to another place.
        if it.kind == crate::folder::Kind::Other {
            return Err(CacheFolderError::Link { folder, path });
        }
        if !it.is_own {
            let reason = "belongs to another user".to_owned();
            return Err(CacheFolderError::Foreign { folder, path, reason });
        }
    }
    Ok(other)
}

/// Whether a name in the cache is one that nbc, of some version, gives.
#[cfg(unix)]
fn is_of_nbc(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(stem, version)| {
        ["entries", "environments", "runtimes", "runner"].contains(&stem)
            && !version.is_empty()
            && version.bytes().all(|it| it.is_ascii_digit())
    })
}

/// Elsewhere no notebook is run.
///
/// # Errors
/// When it cannot be made.
#[cfg(not(unix))]
pub fn claim(folder: &Utf8Path) -> Result<Utf8PathBuf, CacheFolderError> {
    super::make_private(folder)
        .map_err(|source| CacheFolderError::Io { folder: folder.to_owned(), source })?;
    Ok(folder.to_owned())
}

/// Rights of the folder: the owner's alone.
#[cfg(unix)]
const PRIVATE: u32 = 0o700;
/// An owner of a folder above, or a user who may write to it, can exchange what is below. A sticky folder (`/tmp`)
/// keeps what users put there from each other.
#[cfg(unix)]
fn refuse_foreign_above(path: &Utf8Path, folder: &Utf8Path) -> Result<(), CacheFolderError> {
    use std::os::unix::fs::MetadataExt as _;

    for above in path.ancestors().skip(1).filter(|it| !it.as_str().is_empty()) {
        let metadata = match std::fs::symlink_metadata(above) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(CacheFolderError::Io { folder: folder.to_owned(), source }),
        };
        let mode = metadata.mode();
        let is_open = |bit: u32| metadata.is_dir() && mode & (0o1000 | bit) == bit;
        let reason = if let Some(owner) = foreign_owner(&metadata) {
            format!("belongs to another user{}", told_ids(owner))
        } else if is_open(0o002) {
            "can be written by everybody".to_owned()
        } else if is_open(0o020) && !is_private_group(metadata.gid()) {
            format!("can be written by the group {}", metadata.gid())
        } else {
            continue;
        };
        return Err(CacheFolderError::Foreign {
            folder: folder.to_owned(),
            path: above.to_owned(),
            reason,
        });
    }
    Ok(())
}

/// The owner, if it is neither the user nor root.
#[cfg(unix)]
fn foreign_owner(metadata: &std::fs::Metadata) -> Option<u32> {
    let owner = std::os::unix::fs::MetadataExt::uid(metadata);
    let is_foreign = owner != 0 && Some(owner) != effective_user() && !is_unmapped(owner);
    is_foreign.then_some(owner)
}

/// In a container `HOME` often belongs to a user of the host: the numbers tell.
#[cfg(unix)]
fn told_ids(owner: u32) -> String {
    let user = effective_user().map(|it| format!(", nbc runs as {it}")).unwrap_or_default();
    format!(" (id {owner}{user})")
}

/// Whether a group is root's, or has nobody in it but the user: systems that give each user a group let it write.
#[cfg(target_os = "linux")]
fn is_private_group(group: u32) -> bool {
    if group == 0 || is_unmapped(group) {
        return true;
    }
    let user = rustix::process::geteuid().as_raw();
    let names = |table: &str, id: u32| {
        let text = fs_err::read_to_string(table).unwrap_or_default();
        text.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let &[name, _, number, ref rest @ ..] = fields.as_slice() else { return None };
            let last = rest.last().copied().unwrap_or_default().to_owned();
            (number.parse() == Ok(id)).then(|| (name.to_owned(), last))
        })
    };
    let own_name = names("/etc/passwd", user).map(|it| it.0);
    let is_own = rustix::process::getegid().as_raw() == group;
    match names("/etc/group", group) {
        Some((name, members)) => {
            let is_named_alike = Some(&name) == own_name.as_ref() || group == user;
            let mut members = members.split(',').filter(|it| !it.is_empty());
            is_own && is_named_alike && members.all(|it| Some(it) == own_name.as_deref())
        }
        None => is_own && group == user,
    }
}

/// Elsewhere no notebook is run.
#[cfg(all(unix, not(target_os = "linux")))]
fn is_private_group(_group: u32) -> bool {
    true
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
    use crate::process::let_runs_pass;

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
        assert!(matches!(claim(&shared.join("nbc")), Err(CacheFolderError::Foreign { .. })));
        set_mode(&shared, 0o1777);
        claim(&shared.join("nbc")).unwrap();
    }

    #[test]
    fn a_link_in_the_folder_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(directory.path()).unwrap().join("nbc");
        claim(&folder).unwrap();
        std::os::unix::fs::symlink("/etc", folder.join("entries-1")).unwrap();
        assert!(matches!(claim(&folder), Err(CacheFolderError::Link { .. })));
        // Files that nbc did not put there are not used.
        fs_err::remove_file(folder.join("entries-1")).unwrap();
        std::os::unix::fs::symlink("/etc", folder.join("lost+found")).unwrap();
        claim(&folder).unwrap();
    }

    #[test]
    fn a_folder_with_other_things_in_it_is_not_closed() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(directory.path()).unwrap().join("srv");
        fs_err::create_dir_all(folder.join("site")).unwrap();
        set_mode(&folder, 0o755);
        assert!(matches!(claim(&folder), Err(CacheFolderError::Shared { .. })));
        assert_eq!(mode(&folder), 0o755);
        fs_err::rename(folder.join("site"), folder.join("lost+found")).unwrap();
        fs_err::create_dir(folder.join("entries-1")).unwrap();
        claim(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
    }

    #[test]
    fn a_folder_below_one_that_a_group_may_write_to_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let shared = Utf8Path::from_path(directory.path()).unwrap().join("shared");
        fs_err::create_dir(&shared).unwrap();
        set_mode(&shared, 0o775);
        let group = Some(23_457);
        // Only root can give a folder to a group that it is not in.
        if std::os::unix::fs::chown(&shared, None, group).is_ok() {
            assert!(matches!(claim(&shared.join("nbc")), Err(CacheFolderError::Foreign { .. })));
        }
        let own = rustix::process::getegid().as_raw();
        std::os::unix::fs::chown(&shared, None, Some(own)).unwrap();
        let is_private = is_private_group(own);
        assert_eq!(claim(&shared.join("nbc")).is_ok(), is_private);
    }
}
