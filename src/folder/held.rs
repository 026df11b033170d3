//! [`Folder`] as a descriptor (Linux).

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;

use camino::Utf8Path;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, Stat, StatxAttributes};
use rustix::io::Errno;

use super::{Entry, Kind};

/// A folder, held by a descriptor: renamed or replaced, it stays the one that was opened.
#[derive(Debug)]
pub struct Folder(OwnedFd);

impl Folder {
    /// Opens a folder by a path that the user named; links in it are followed, here and never again.
    ///
    /// # Errors
    /// When there is none, or it may not be entered.
    pub fn open(path: &Utf8Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::openat(CWD, path.as_str(), flags, Mode::empty())?))
    }

    /// Opens a folder below; a link is none.
    ///
    /// # Errors
    /// When there is none, or it may not be read.
    pub fn below(&self, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::openat(&self.0, name, flags, Mode::empty())?))
    }

    /// Makes a folder that was not there, and opens it.
    ///
    /// # Errors
    /// When something has the name, or somebody else put another folder in its place.
    pub fn make(&self, name: &str, mode: u32) -> io::Result<Self> {
        rustix::fs::mkdirat(&self.0, name, Mode::from_raw_mode(mode))?;
        let made = self.below(name.as_ref())?;
        // Anybody who may write to the parent can exchange the entry between the two calls.
        if !made.own_entry()?.is_own || !made.names()?.is_empty() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(made)
    }

    /// Makes a file that was not there, for writing.
    ///
    /// # Errors
    /// When something has the name, be it a link that leads nowhere.
    pub fn create(&self, name: &str, mode: u32) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mode = Mode::from_raw_mode(mode);
        Ok(rustix::fs::openat(&self.0, name, flags | OFlags::CLOEXEC, mode)?.into())
    }

    /// Opens a regular file for reading; neither a link nor a pipe, which could wait for ever.
    ///
    /// # Errors
    /// When there is none.
    pub fn read(&self, name: &str) -> io::Result<File> {
        self.regular(name, OFlags::RDONLY)
    }

    /// Opens a regular file for reading and writing.
    ///
    /// # Errors
    /// When there is none.
    pub fn modify(&self, name: &str) -> io::Result<File> {
        self.regular(name, OFlags::RDWR)
    }

    fn regular(&self, name: &str, access: OFlags) -> io::Result<File> {
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.0, name, flags, Mode::empty())?;
        if told(&rustix::fs::fstat(&file)?).kind != Kind::File {
            return Err(io::Error::other("it is no regular file"));
        }
        Ok(file.into())
    }

    /// An entry, if there is one.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn entry(&self, name: &OsStr) -> io::Result<Option<Entry>> {
        match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => {
                let told = told(&stat);
                let is_mounted = told.kind == Kind::Folder && self.is_mounted(name, &told)?;
                Ok(Some(Entry { is_mounted, ..told }))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether something is mounted at a folder below. A bind mount may be of the same file system, and kernels before
    /// 5.8 do not tell it.
    fn is_mounted(&self, name: &OsStr, told: &Entry) -> io::Result<bool> {
        if told.identity.0 != self.own_entry()?.identity.0 {
            return Ok(true);
        }
        let found = rustix::fs::statx(
            &self.0,
            name,
            AtFlags::SYMLINK_NOFOLLOW,
            rustix::fs::StatxFlags::empty(),
        );
        let root = StatxAttributes::MOUNT_ROOT;
        Ok(found.is_ok_and(|it| it.stx_attributes.contains(root)))
    }

    /// The folder itself.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn own_entry(&self) -> io::Result<Entry> {
        Ok(told(&rustix::fs::fstat(&self.0)?))
    }

    /// The names of all entries, in no order, each with its kind where the folder itself holds it.
    ///
    /// # Errors
    /// When the folder may not be read.
    pub fn names(&self) -> io::Result<Vec<(OsString, Option<Kind>)>> {
        let mut names = Vec::new();
        // A folder that was opened by its path alone has to be opened again to be read.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        for entry in Dir::new(rustix::fs::openat(&self.0, ".", flags, Mode::empty())?)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                let kind = match entry.file_type() {
                    FileType::Unknown => None,
                    told => Some(kind(told)),
                };
                names.push((OsString::from_vec(name), kind));
            }
        }
        Ok(names)
    }

    /// Sets the rights of the folder itself.
    ///
    /// # Errors
    /// When it is somebody else's.
    pub fn set_mode(&self, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::fchmod(&self.0, Mode::from_raw_mode(mode & 0o7777))?)
    }

    /// Gives a file another name, in another folder.
    ///
    /// # Errors
    /// When the name is taken, or the file system has no second names.
    pub fn link(&self, name: &str, other: &Self, to: &str) -> io::Result<()> {
        Ok(rustix::fs::linkat(&self.0, name, &other.0, to, AtFlags::empty())?)
    }

    /// Renames; a file, or an empty folder, that has the name is replaced.
    ///
    /// # Errors
    /// Any error of the system.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, from, &self.0, to)?)
    }

    /// Exchanges two names in one step.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when one is not there, [`io::ErrorKind::Unsupported`] where it cannot be done.
    pub fn exchange(&self, one: &str, other: &str) -> io::Result<()> {
        match rustix::fs::renameat_with(&self.0, one, &self.0, other, RenameFlags::EXCHANGE) {
            // Some network file systems cannot exchange.
            Err(Errno::INVAL | Errno::NOSYS) => Err(io::ErrorKind::Unsupported.into()),
            other => Ok(other?),
        }
    }

    /// Removes an entry that is no folder; a link is not followed.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Removes an empty folder.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_folder(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }
}

fn kind(told: FileType) -> Kind {
    match told {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        _ => Kind::Other,
    }
}

fn told(stat: &Stat) -> Entry {
    let kind = kind(FileType::from_raw_mode(stat.st_mode));
    let is_own = stat.st_uid == rustix::process::geteuid().as_raw();
    let nanoseconds = |it| i64::try_from(it).unwrap_or_default();
    Entry {
        kind,
        is_own,
        owner: stat.st_uid,
        mode: stat.st_mode,
        identity: (stat.st_dev, stat.st_ino),
        size: stat.st_size.max(0).cast_unsigned(),
        has_one_name: stat.st_nlink == 1,
        modified: (stat.st_mtime, nanoseconds(stat.st_mtime_nsec)),
        changed: (stat.st_ctime, nanoseconds(stat.st_ctime_nsec)),
        is_mounted: false,
    }
}
