//! Phase 11: [`VerifiedSite`] to a folder, whole or not at all.
//!
//! In: a site that passed verification. Out: a folder that readers see change in one step.
//! Never leaves half a site: a build that fails, is killed or fills the disk leaves the earlier
//! folder as it was.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io;
#[cfg(target_os = "linux")]
use std::io::Read as _;

use camino::{Utf8Path, Utf8PathBuf};

use crate::verify::VerifiedSite;

/// Why a site could not be published. The earlier folder is untouched in every case.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The path names no folder that can be replaced, such as `/`.
    #[error("`{path}` is not the path of a folder that can be replaced")]
    NoFolder {
        /// The path.
        path: Utf8PathBuf,
    },
    /// The folder holds something that no build of nbc wrote.
    #[error("`{path}` holds `{found}`, which nbc did not write; nbc replaces only its own output")]
    Foreign {
        /// The folder.
        path: Utf8PathBuf,
        /// What was found in it.
        found: String,
    },
    /// Another build publishes to the same folder.
    #[error("another nbc build is writing to `{path}`")]
    Busy {
        /// The folder.
        path: Utf8PathBuf,
    },
    /// The system refused: no room, no permission.
    #[error("cannot write `{path}`: {source}")]
    Io {
        /// What was written.
        path: Utf8PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The right to publish to a folder, held from before the build until after it, so that two builds
/// into one folder are found out early. Dropping it removes everything that is half-written.
#[derive(Debug)]
pub struct Destination {
    folder: Utf8PathBuf,
    parent: Utf8PathBuf,
    name: String,
    lock_path: Utf8PathBuf,
    /// Made as every file is, so that it has the rights that a new one gets.
    lock: File,
}

impl Destination {
    /// Claims a folder. It need not exist; its parents are made.
    ///
    /// # Errors
    /// When the folder holds something of somebody else, when another build has claimed it, or
    /// when its parent cannot be written.
    pub fn claim(folder: &Utf8Path) -> Result<Self, PublishError> {
        let absolute = camino::absolute_utf8(folder)
            .map_err(|source| PublishError::Io { path: folder.to_owned(), source })?;
        let no_folder = || PublishError::NoFolder { path: folder.to_owned() };
        let name = absolute.file_name().ok_or_else(no_folder)?.to_owned();
        let parent = absolute.parent().ok_or_else(no_folder)?.to_owned();
        let failed = |path: &Utf8Path| {
            let path = path.to_owned();
            move |source| PublishError::Io { path, source }
        };
        fs_err::create_dir_all(&parent).map_err(failed(&parent))?;
        refuse_foreign(&absolute)?;
        let lock_path = parent.join(format!(".{name}.nbc-lock"));
        let lock = lock(&lock_path, &absolute)?;
        let destination = Self { folder: absolute, parent, name, lock_path, lock };
        destination.sweep();
        // A folder that cannot be written is better found before a long run than after it.
        let probe = destination.staging();
        fs_err::create_dir(&probe).map_err(failed(&probe))?;
        destination.sweep();
        Ok(destination)
    }

    /// The folder.
    pub fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    /// What this build writes: the folder, and what is beside it while the build goes on.
    pub fn own_paths(&self) -> [Utf8PathBuf; 3] {
        [self.folder.clone(), self.staging(), self.lock_path.clone()]
    }

    /// Replaces the folder by the site, in one rename. Files that it has already, byte for byte, are taken over
    /// with their times. Gives the number of files that were written.
    ///
    /// # Errors
    /// When a file cannot be written or the folder cannot be swapped.
    pub fn publish(self, site: &VerifiedSite) -> Result<usize, PublishError> {
        let staging = self.staging();
        let failed = |source| PublishError::Io { path: self.lock_path.clone(), source };
        let new = self.lock.metadata().map_err(failed)?;
        let mut written = 0;
        for asset in site.site().files() {
            let path = staging.join(asset.path().as_str());
            let failed = |source| PublishError::Io { path: path.clone(), source };
            if let Some(folder) = path.parent() {
                fs_err::create_dir_all(folder).map_err(failed)?;
            }
            let earlier = self.folder.join(asset.path().as_str());
            if !take_over(&earlier, &path, asset.bytes(), &new) {
                fs_err::write(&path, asset.bytes()).map_err(failed)?;
                written += 1;
            }
        }
        // What came meanwhile into the folder is somebody's, too.
        refuse_foreign(&self.folder)?;
        swap(&staging, &self.folder)
            .map_err(|source| PublishError::Io { path: self.folder.clone(), source })?;
        Ok(written)
    }

    fn staging(&self) -> Utf8PathBuf {
        self.parent.join(format!(".{}.nbc-new", self.name))
    }

    /// Removes what a killed build left; the lock says that no living build owns it.
    fn sweep(&self) {
        let _ = fs_err::remove_dir_all(self.staging());
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        self.sweep();
        let _ = fs_err::remove_file(&self.lock_path);
    }
}

/// Gives an earlier file another name, if it holds just these bytes, is nobody else's, and everybody has the rights
/// to it that a new file gives.
#[cfg(target_os = "linux")]
fn take_over(earlier: &Utf8Path, path: &Utf8Path, bytes: &[u8], new: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let is_own = std::fs::symlink_metadata(earlier).is_ok_and(|it| {
        it.is_file()
            && it.nlink() == 1
            && it.len() == bytes.len() as u64
            && it.uid() == rustix::process::geteuid().as_raw()
            && it.mode() == new.mode()
    });
    is_own && holds(earlier, bytes).unwrap_or(false) && std::fs::hard_link(earlier, path).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn take_over(_earlier: &Utf8Path, _path: &Utf8Path, _bytes: &[u8], _new: &Metadata) -> bool {
    false
}

/// Compares piece by piece: a file may be as large as a page with many pictures.
#[cfg(target_os = "linux")]
fn holds(path: &Utf8Path, bytes: &[u8]) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 64 << 10];
    for part in bytes.chunks(64 << 10) {
        let Some(read) = buffer.get_mut(..part.len()) else { return Ok(false) };
        file.read_exact(read)?;
        if read != part {
            return Ok(false);
        }
    }
    Ok(file.read(&mut buffer)? == 0)
}

/// Opens and locks the lock file; the lock ends with the process, however it ends.
fn lock(path: &Utf8Path, folder: &Utf8Path) -> Result<File, PublishError> {
    let failed = |source| PublishError::Io { path: path.to_owned(), source };
    // The holder removes the file while others may have it open already: they must look again.
    for _ in 0..16 {
        let file = open_lock(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(PublishError::Busy { path: folder.to_owned() });
            }
            Err(std::fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
        if is_still_at(&file, path) {
            return Ok(file);
        }
    }
    Err(PublishError::Busy { path: folder.to_owned() })
}

/// A named pipe in the place of the file would make an open wait for ever, a link would lead away.
fn open_lock(path: &Utf8Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
        options.custom_flags(flags.bits() as i32);
    }
    options.open(path)
}

#[cfg(unix)]
fn is_still_at(file: &File, path: &Utf8Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(held), Ok(named)) => (held.dev(), held.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_still_at(_file: &File, path: &Utf8Path) -> bool {
    path.exists()
}

/// Refuses a folder with files that its own manifest does not name.
fn refuse_foreign(folder: &Utf8Path) -> Result<(), PublishError> {
    #[derive(serde::Deserialize)]
    struct Manifest {
        generator: String,
        files: Vec<Entry>,
    }
    #[derive(serde::Deserialize)]
    struct Entry {
        path: String,
    }

    let foreign = |found: &str| {
        Err(PublishError::Foreign { path: folder.to_owned(), found: found.to_owned() })
    };
    match std::fs::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(PublishError::Io { path: folder.to_owned(), source }),
        // A link or a file in the place of the folder was made by somebody else.
        Ok(metadata) if !metadata.is_dir() => return foreign("something that is no folder"),
        Ok(_) => {}
    }
    let text = fs_err::read_to_string(folder.join("manifest.json")).unwrap_or_default();
    let manifest: Option<Manifest> = serde_json::from_str(&text).ok();
    let known: BTreeSet<String> = manifest
        .filter(|it| it.generator.starts_with("nbc "))
        .map(|it| it.files.into_iter().map(|file| file.path).collect())
        .unwrap_or_default();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry
            .map_err(|error| PublishError::Io { path: folder.to_owned(), source: error.into() })?;
        if entry.file_type().is_dir() {
            continue;
        }
        let relative = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let relative = relative.to_string_lossy();
        let is_own_manifest = relative == "manifest.json" && !known.is_empty();
        if !known.contains(relative.as_ref()) && !is_own_manifest {
            return foreign(&relative);
        }
    }
    Ok(())
}

/// Puts `new` in the place of `old`.
#[cfg(target_os = "linux")]
fn swap(new: &Utf8Path, old: &Utf8Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};

    match renameat_with(CWD, new.as_str(), CWD, old.as_str(), RenameFlags::EXCHANGE) {
        // The old site is now in the staging folder, which is swept.
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::NOENT) => std::fs::rename(new, old),
        // Some network file systems cannot exchange.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => swap_in_two_steps(new, old),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn swap(new: &Utf8Path, old: &Utf8Path) -> io::Result<()> {
    if old.exists() { swap_in_two_steps(new, old) } else { std::fs::rename(new, old) }
}

/// Two renames, where one cannot do it; a failure of the second puts the old folder back.
fn swap_in_two_steps(new: &Utf8Path, old: &Utf8Path) -> io::Result<()> {
    let aside = old.with_file_name(format!("{}.nbc-old", new.file_name().unwrap_or_default()));
    std::fs::rename(old, &aside)?;
    if let Err(error) = std::fs::rename(new, old) {
        std::fs::rename(&aside, old)?;
        return Err(error);
    }
    let _ = std::fs::remove_dir_all(&aside);
    Ok(())
}
