//! Phase 11: [`VerifiedSite`](crate::verify::VerifiedSite) to a folder, whole or not at all.
//!
//! In: a site that passed verification. Out: a folder that readers see change in one step.
//! Never leaves half a site: a build that fails, is killed or fills the disk leaves the earlier
//! folder as it was.

mod staging;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};

use camino::{Utf8Path, Utf8PathBuf};
pub use staging::Staging;

use crate::cache::Stamp;
use crate::folder::{Entry, Folder, Kind, Leaf};

/// Longest manifest of an earlier site that is read, in bytes.
const LONGEST_MANIFEST: u64 = 256 << 20;

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
        /// The thing that was found in it.
        found: String,
    },
    /// Another build publishes to the same folder.
    #[error("another nbc build is writing to `{path}`")]
    Busy {
        /// The folder.
        path: Utf8PathBuf,
    },
    /// Something is mounted at the folder, which keeps its name from being given to another one.
    #[error("`{path}` is a mount point, and cannot be replaced by another folder")]
    Mounted {
        /// The folder.
        path: Utf8PathBuf,
    },
    /// A file of the earlier site, which was to be taken over, is another one by now.
    #[error("`{path}` was changed while the site was built")]
    Changed {
        /// The file.
        path: Utf8PathBuf,
    },
    /// The system refused: no room, no permission.
    #[error("cannot write `{path}`: {source}")]
    Io {
        /// The path that was written.
        path: Utf8PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// The right to publish to a folder, held from before the build until after it, so that two builds
/// into one folder are found out early. Dropping it removes everything that is half-written.
///
/// The parent folder is opened once: whoever may write to it, or to those above it, can put a link in the place of
/// each name at any moment, and root would write through it.
#[derive(Debug)]
pub struct Destination {
    path: Utf8PathBuf,
    parent_path: Utf8PathBuf,
    parent: Folder,
    name: String,
    lock: Lock,
    /// Rights that a new folder gets here.
    folder_mode: u32,
    /// The folder under the name of the staging folder that this build put there.
    staged: Cell<Option<(u64, u64)>>,
}

impl Destination {
    /// Claims a folder. It need not exist; its parents are made.
    ///
    /// # Errors
    /// When the folder holds something of somebody else, when another build has claimed it, or
    /// when its parent cannot be written.
    pub fn claim(folder: &Utf8Path) -> Result<Self, PublishError> {
        let path = camino::absolute_utf8(folder)
            .map_err(|source| PublishError::Io { path: folder.to_owned(), source })?;
        let no_folder = || PublishError::NoFolder { path: folder.to_owned() };
        let name = path.file_name().ok_or_else(no_folder)?.to_owned();
        let parent_path = path.parent().ok_or_else(no_folder)?.to_owned();
        let failed = |source| PublishError::Io { path: parent_path.clone(), source };
        fs_err::create_dir_all(&parent_path).map_err(failed)?;
        let parent = Folder::open(&parent_path).map_err(failed)?;
        refuse_foreign(&parent, &name, &path)?;
        let lock = Lock::take(&parent, &parent_path, &name)?;
        let mut destination =
            Self { path, parent_path, parent, name, lock, folder_mode: 0, staged: Cell::new(None) };
        destination.remove_stale()?;
        // A folder that cannot be written is better found before a long run than after it.
        let probe = destination.make_staging(0o777)?;
        destination.folder_mode = probe.own_entry().map_err(|it| destination.failed(it))?.mode;
        drop(destination.sweep());
        Ok(destination)
    }

    /// The folder.
    pub fn folder(&self) -> &Utf8Path {
        &self.path
    }

    /// Paths that this build writes: the folder, and its neighbours while the build goes on.
    pub fn own_paths(&self) -> [Utf8PathBuf; 3] {
        let beside = |name: &str| self.parent_path.join(name);
        [self.path.clone(), beside(&self.staging_name()), beside(&self.lock.name)]
    }

    /// Files of the earlier site that can be taken over: those that are nobody else's, and that everybody has the
    /// rights to that a new file gives. Each with its stamp, by its path in the site.
    #[must_use]
    pub fn earlier(&self) -> Stamps {
        let mut stamps = Stamps::new();
        let folder = self.parent.below(self.name.as_ref());
        if let (Ok(folder), Ok(new)) = (folder, mode(&self.lock.file)) {
            let walked = folder.walk(&mut |Leaf { folder, name, path }| {
                let found = folder.entry(name)?.filter(|it| it.kind == Kind::File);
                let found = found.ok_or(io::ErrorKind::InvalidInput)?;
                if is_free(&found, new) {
                    stamps.insert(path.to_owned(), Stamp::of_entry(&found));
                }
                Ok(())
            });
            // Links, pipes and the like belong to no site of nbc's.
            if walked.is_err() {
                stamps.clear();
            }
        }
        stamps
    }

    /// Begins the new site beside the earlier one, with files of that: each has to be the one that its stamp tells.
    /// Nobody sees the new site, and a site that is not proved can't be published from here.
    ///
    /// # Errors
    /// When a file is another one by now, or the folder cannot be written.
    pub fn stage(self, standing: &Stamps) -> Result<Staging, PublishError> {
        // Nobody else looks in, let alone puts something there, before it is whole.
        let new = self.make_staging(0o700)?;
        let earlier = self.parent.below(self.name.as_ref()).ok();
        Staging::begin(self, new, earlier, standing)
    }

    fn staging_name(&self) -> String {
        format!(".{}.nbc-new", self.name)
    }

    fn failed(&self, source: io::Error) -> PublishError {
        PublishError::Io { path: self.path.clone(), source }
    }

    fn entry(&self, name: &str) -> Result<Option<Entry>, PublishError> {
        self.parent.entry(name.as_ref()).map_err(|it| self.failed(it))
    }

    fn foreign(&self, found: String) -> PublishError {
        PublishError::Foreign { path: self.parent_path.clone(), found }
    }

    /// Makes the staging folder, which must not be there.
    fn make_staging(&self, mode: u32) -> Result<Folder, PublishError> {
        let name = self.staging_name();
        let made = self.parent.make(&name, mode).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => self.foreign(name),
            _ => self.failed(source),
        })?;
        self.staged.set(Some(made.own_entry().map_err(|it| self.failed(it))?.identity));
        Ok(made)
    }

    /// Removes the remains of a killed build; the lock says that no living build owns them.
    fn remove_stale(&self) -> Result<(), PublishError> {
        let name = self.staging_name();
        match self.entry(&name)? {
            None => Ok(()),
            Some(it) if it.is_own && it.kind == Kind::Folder => {
                self.parent.remove(&name).map_err(|it| self.failed(it))
            }
            // A build makes a folder. A link, or what belongs to another user, is a trap or their work.
            Some(_) => Err(self.foreign(name)),
        }
    }

    /// Removes what this build put beside the folder, and nothing that came in its place. Tells what it left.
    fn sweep(&self) -> Option<LeftoverFolder> {
        let staged = self.staged.take()?;
        let name = self.staging_name();
        let entry = self.entry(&name).ok().flatten()?;
        if entry.identity != staged {
            return None;
        }
        let reason = self.parent.remove(&name).err()?;
        Some(LeftoverFolder { path: self.parent_path.join(name), reason })
    }

    /// Puts the staging folder in the place of the folder.
    fn swap(&self, new: &Folder) -> Result<(), PublishError> {
        let (staging, failed) = (self.staging_name(), |it| self.failed(it));
        let made = new.own_entry().map_err(failed)?.identity;
        if self.entry(&staging)?.is_none_or(|it| it.identity != made) {
            return Err(self.foreign(staging));
        }
        let old = self.entry(&self.name)?;
        match self.parent.exchange(&staging, &self.name) {
            // The old site has now the name of the staging folder, which is swept.
            Ok(()) => self.staged.set(old.map(|it| it.identity)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.parent.rename(&staging, &self.name).map_err(failed)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                self.swap_in_two_steps(&staging).map_err(failed)?;
            }
            Err(error) => return Err(self.failed(error)),
        }
        Ok(())
    }

    /// Two renames, where one cannot do it; a failure of the second puts the old folder back.
    fn swap_in_two_steps(&self, staging: &str) -> io::Result<()> {
        let Some(old) = self.parent.entry(self.name.as_ref())? else {
            return self.parent.rename(staging, &self.name);
        };
        let aside = format!("{staging}.nbc-old");
        if self.parent.entry(aside.as_ref())?.is_some() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("`{aside}` exists")));
        }
        self.parent.rename(&self.name, &aside)?;
        if let Err(error) = self.parent.rename(staging, &self.name) {
            self.parent.rename(&aside, &self.name)?;
            return Err(error);
        }
        if self.parent.entry(aside.as_ref())?.is_some_and(|it| it.identity == old.identity) {
            let _ = self.parent.remove(&aside);
        }
        Ok(())
    }
}

/// A site that was published.
#[derive(Debug)]
pub struct Published {
    /// Number of files that were written.
    pub written: usize,
    /// The earlier site, if it could not be removed.
    pub left: Option<LeftoverFolder>,
    /// The files of the site, as the file system tells them.
    pub stamps: Stamps,
}

/// Files of a site, as the file system tells them, by their paths in it.
pub type Stamps = BTreeMap<String, Stamp>;

/// A folder beside the site that is of no use any more.
#[derive(Debug, thiserror::Error)]
#[error("the earlier site is left in `{path}`: {reason}")]
pub struct LeftoverFolder {
    path: Utf8PathBuf,
    reason: io::Error,
}

impl Drop for Destination {
    fn drop(&mut self) {
        drop(self.sweep());
        self.lock.remove(&self.parent);
    }
}

/// Whether a file is nobody else's, and everybody has the rights to it that a new file gives.
fn is_free(file: &Entry, mode: u32) -> bool {
    file.is_own && file.has_one_name && file.mode == mode
}

/// The lock file; the lock ends with the process, however it ends.
#[derive(Debug)]
struct Lock {
    name: String,
    /// Made as every file is, so that it has the rights that a new one gets.
    file: File,
    identity: (u64, u64),
}

impl Lock {
    fn take(parent: &Folder, path: &Utf8Path, folder: &str) -> Result<Self, PublishError> {
        let name = format!(".{folder}.nbc-lock");
        let failed = |source| PublishError::Io { path: path.join(&name), source };
        let busy = || PublishError::Busy { path: path.join(folder) };
        // The holder removes the file while others may have it open already: they must look again.
        for _ in 0..16 {
            let file = match parent.create(&name, 0o666) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    match parent.entry(name.as_ref()).map_err(failed)? {
                        None => continue,
                        Some(it) if it.is_own && it.kind == Kind::File => {}
                        Some(_) => {
                            let (path, found) = (path.to_owned(), name.clone());
                            return Err(PublishError::Foreign { path, found });
                        }
                    }
                    match parent.modify(&name) {
                        Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                        opened => opened.map_err(failed)?,
                    }
                }
                made => made.map_err(failed)?,
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(std::fs::TryLockError::WouldBlock) => return Err(busy()),
                Err(std::fs::TryLockError::Error(source)) => return Err(failed(source)),
            }
            let held = identity(&file).map_err(failed)?;
            let named = parent.entry(name.as_ref()).map_err(failed)?;
            if let Some(it) = named
                && held.is_none_or(|held| held == it.identity)
            {
                return Ok(Self { name, file, identity: it.identity });
            }
        }
        Err(busy())
    }

    fn remove(&self, parent: &Folder) {
        let name = self.name.as_ref();
        if let Ok(Some(it)) = parent.entry(name)
            && it.identity == self.identity
        {
            let _ = parent.remove_file(name);
        }
    }
}

/// A file, as an [`Entry`] would tell it, where the system has such numbers.
#[cfg(unix)]
fn identity(file: &File) -> io::Result<Option<(u64, u64)>> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = file.metadata()?;
    Ok(Some((metadata.dev(), metadata.ino())))
}

#[cfg(not(unix))]
fn identity(_file: &File) -> io::Result<Option<(u64, u64)>> {
    Ok(None)
}

/// Kind and rights of a file.
#[cfg(unix)]
fn mode(file: &File) -> io::Result<u32> {
    Ok(std::os::unix::fs::MetadataExt::mode(&file.metadata()?))
}

#[cfg(not(unix))]
fn mode(_file: &File) -> io::Result<u32> {
    Ok(0)
}

/// Refuses a folder with files that its own manifest does not name.
fn refuse_foreign(parent: &Folder, name: &str, path: &Utf8Path) -> Result<(), PublishError> {
    let foreign =
        |found: &str| PublishError::Foreign { path: path.to_owned(), found: found.to_owned() };
    let failed = |source| PublishError::Io { path: path.to_owned(), source };
    match parent.entry(name.as_ref()).map_err(failed)? {
        None => return Ok(()),
        // A link or a file in the place of the folder was made by somebody else.
        Some(it) if it.kind != Kind::Folder => return Err(foreign("something that is no folder")),
        Some(it) if it.is_mounted => return Err(PublishError::Mounted { path: path.to_owned() }),
        Some(_) => {}
    }
    let folder = parent.below(name.as_ref()).map_err(failed)?;
    let known = files_of_manifest(&folder).unwrap_or_default();
    let mut found = None;
    let walked = folder.walk(&mut |Leaf { path: relative, .. }| {
        let is_own_manifest = relative == "manifest.json" && !known.is_empty();
        if known.contains(relative) || is_own_manifest {
            return Ok(());
        }
        found = Some(relative.to_owned());
        Err(io::ErrorKind::AlreadyExists.into())
    });
    match found {
        Some(found) => Err(foreign(&found)),
        None => walked.map_err(failed),
    }
}

/// The files that the manifest of an earlier site names.
fn files_of_manifest(folder: &Folder) -> Option<BTreeSet<String>> {
    #[derive(serde::Deserialize)]
    struct Manifest {
        generator: String,
        files: Vec<Listed>,
    }
    #[derive(serde::Deserialize)]
    struct Listed {
        path: String,
    }

    let mut text = Vec::new();
    folder.read("manifest.json").ok()?.take(LONGEST_MANIFEST).read_to_end(&mut text).ok()?;
    let manifest: Manifest = serde_json::from_slice(&text).ok()?;
    let is_own = manifest.generator.starts_with("nbc ");
    is_own.then(|| manifest.files.into_iter().map(|it| it.path).collect())
}
