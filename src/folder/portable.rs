//! [`Folder`] as a path, where nbc runs no notebooks: names are looked up each time.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::path::PathBuf;

use camino::Utf8Path;

use super::{Entry, Kind};

/// A folder, by its path.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Opens a folder by a path that the user named.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(path: &Utf8Path) -> io::Result<Self> {
        Ok(Self(path.as_std_path().canonicalize()?))
    }

    /// Opens a folder below; a link is none.
    ///
    /// # Errors
    /// When there is none.
    pub fn below(&self, name: &OsStr) -> io::Result<Self> {
        let path = self.0.join(name);
        match std::fs::symlink_metadata(&path)?.is_dir() {
            true => Ok(Self(path)),
            false => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// Makes a folder that was not there.
    ///
    /// # Errors
    /// When something has the name.
    pub fn make(&self, name: &str, _mode: u32) -> io::Result<Self> {
        std::fs::create_dir(self.0.join(name))?;
        self.below(name.as_ref())
    }

    /// Makes a file that was not there, for writing.
    ///
    /// # Errors
    /// When something has the name.
    pub fn create(&self, name: &str, _mode: u32) -> io::Result<File> {
        File::options().read(true).write(true).create_new(true).open(self.0.join(name))
    }

    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// When there is none.
    pub fn read(&self, name: &str) -> io::Result<File> {
        self.regular(name, File::options().read(true))
    }

    /// Opens a regular file for reading and writing.
    ///
    /// # Errors
    /// When there is none.
    pub fn modify(&self, name: &str) -> io::Result<File> {
        self.regular(name, File::options().read(true).write(true))
    }

    fn regular(&self, name: &str, options: &std::fs::OpenOptions) -> io::Result<File> {
        let path = self.0.join(name);
        match std::fs::symlink_metadata(&path)?.is_file() {
            true => options.open(path),
            false => Err(io::Error::other("it is no regular file")),
        }
    }

    /// An entry, if there is one.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn entry(&self, name: &OsStr) -> io::Result<Option<Entry>> {
        match std::fs::symlink_metadata(self.0.join(name)) {
            Ok(metadata) => Ok(Some(told(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The folder itself.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn own_entry(&self) -> io::Result<Entry> {
        Ok(told(&std::fs::symlink_metadata(&self.0)?))
    }

    /// The names of all entries, in no order, each with its kind where the folder itself holds it.
    ///
    /// # Errors
    /// When the folder may not be read.
    pub fn names(&self) -> io::Result<Vec<(OsString, Option<Kind>)>> {
        std::fs::read_dir(&self.0)?.map(|it| it.map(|it| (it.file_name(), None))).collect()
    }

    /// Rights are left as the system makes them.
    ///
    /// # Errors
    /// None.
    pub fn set_mode(&self, _mode: u32) -> io::Result<()> {
        Ok(())
    }

    /// Second names are not used here.
    ///
    /// # Errors
    /// Always.
    pub fn link(&self, _name: &str, _other: &Self, _to: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Renames; a file, or an empty folder, that has the name is replaced.
    ///
    /// # Errors
    /// Any error of the system.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.0.join(from), self.0.join(to))
    }

    /// Two names cannot be exchanged in one step here.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when the second is not there, [`io::ErrorKind::Unsupported`] otherwise.
    pub fn exchange(&self, _one: &str, other: &str) -> io::Result<()> {
        match self.entry(other.as_ref())? {
            Some(_) => Err(io::ErrorKind::Unsupported.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Removes an entry that is no folder.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        std::fs::remove_file(self.0.join(name))
    }

    /// Removes an empty folder.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_folder(&self, name: &OsStr) -> io::Result<()> {
        std::fs::remove_dir(self.0.join(name))
    }
}

fn told(metadata: &Metadata) -> Entry {
    let kind = match metadata {
        it if it.is_file() => Kind::File,
        it if it.is_dir() => Kind::Folder,
        _ => Kind::Other,
    };
    #[cfg(unix)]
    let (owner, mode, identity, modified, changed) = {
        use std::os::unix::fs::MetadataExt as _;
        let identity = (metadata.dev(), metadata.ino());
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        (metadata.uid(), metadata.mode(), identity, modified, changed)
    };
    #[cfg(not(unix))]
    let (owner, mode, identity, modified, changed) = (0, 0, (0, 0), (0, 0), (0, 0));
    let size = metadata.len();
    // Files are not taken over here.
    let has_one_name = false;
    Entry {
        kind,
        is_own: true,
        owner,
        mode,
        identity,
        size,
        has_one_name,
        modified,
        changed,
        is_mounted: false,
    }
}
