//! Folders that are held open: names below them lead nowhere else.
//!
//! In: the path of a folder, followed once. Out: a [`Folder`], below which files are made that were not there, and
//! links are never followed. Who may write to a folder can put a link in the place of a name at any moment: a path
//! that is looked up twice may mean two files, a name below a descriptor cannot.

#[cfg(target_os = "linux")]
#[path = "held.rs"]
mod held;
#[cfg(not(target_os = "linux"))]
#[path = "portable.rs"]
mod held;

use std::ffi::OsStr;
use std::io::{self, Read as _, Write as _};

use camino::Utf8Path;

pub use held::Folder;

/// Folders in folders that are walked or removed. Below descriptors no length of a path bounds them.
const DEEPEST: usize = 256;

/// The kind of an entry of a folder, its own and not that of the target of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A link, a pipe, a socket or a device.
    Other,
}

/// An entry of a folder, as the file system tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its kind.
    pub kind: Kind,
    /// Whether it belongs to the user who runs nbc.
    pub is_own: bool,
    /// Number of the user whom it belongs to.
    pub owner: u32,
    /// Rights and special bits.
    pub mode: u32,
    /// The file system and the number there: equal for two names of one file.
    pub identity: (u64, u64),
    /// Number of its bytes.
    pub size: u64,
    /// Whether it has no other name.
    pub has_one_name: bool,
    /// When its bytes last changed: seconds and nanoseconds.
    pub modified: (i64, i64),
    /// When anything about it last changed, a name that it got or lost included. Nobody can set this time.
    pub changed: (i64, i64),
    /// Whether it is a folder that something is mounted at.
    pub is_mounted: bool,
}

/// Something below a folder that is no folder.
#[derive(Debug, Clone, Copy)]
pub struct Leaf<'a> {
    /// The folder that it lies in.
    pub folder: &'a Folder,
    /// Its name there.
    pub name: &'a OsStr,
    /// Its path below the folder that is walked.
    pub path: &'a str,
}

impl Folder {
    /// Calls `see` with everything below that is no folder. An error of `see` ends the walk.
    ///
    /// # Errors
    /// That of `see`, a folder that cannot be read or that something is mounted at, or too many folders in each other.
    pub fn walk(&self, see: &mut dyn FnMut(Leaf<'_>) -> io::Result<()>) -> io::Result<()> {
        self.walk_below("", 0, see)
    }

    fn walk_below(
        &self,
        above: &str,
        depth: usize,
        see: &mut dyn FnMut(Leaf<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut names = self.names()?;
        names.sort();
        for (name, kind) in names {
            let path = format!("{above}{}", name.to_string_lossy());
            let leaf = Leaf { folder: self, name: &name, path: &path };
            // Only a folder may have something mounted at it that has to be asked for.
            if matches!(kind, Some(Kind::File | Kind::Other)) {
                see(leaf)?;
                continue;
            }
            match self.entry(&name)? {
                Some(Entry { kind: Kind::Folder, is_mounted: true, .. }) => {
                    return Err(mounted(&path));
                }
                Some(Entry { kind: Kind::Folder, .. }) => {
                    if depth >= DEEPEST {
                        return Err(too_deep());
                    }
                    self.below(&name)?.walk_below(&format!("{path}/"), depth + 1, see)?;
                }
                Some(_) => see(leaf)?,
                None => {}
            }
        }
        Ok(())
    }

    /// Removes a file or a folder with all that is below it. Links are removed, never followed. What is mounted there
    /// lies elsewhere, and is left: then nothing more is removed.
    ///
    /// # Errors
    /// When something cannot be removed; [`io::ErrorKind::CrossesDevices`] names the mount.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        self.remove_below(name.as_ref(), name, 0)
    }

    fn remove_below(&self, name: &OsStr, path: &str, depth: usize) -> io::Result<()> {
        match self.entry(name)? {
            None => return Ok(()),
            Some(Entry { is_mounted: true, .. }) => return Err(mounted(path)),
            Some(Entry { kind: Kind::Folder, .. }) => {}
            Some(_) => return self.remove_file(name),
        }
        if depth >= DEEPEST {
            return Err(too_deep());
        }
        let below = self.below(name)?;
        for (inner, kind) in below.names()? {
            if kind == Some(Kind::File) {
                match below.remove_file(&inner) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => continue,
                }
            }
            let path = format!("{path}/{}", inner.to_string_lossy());
            below.remove_below(&inner, &path, depth + 1)?;
        }
        self.remove_folder(name)
    }
}

fn mounted(path: &str) -> io::Error {
    let said = format!("something is mounted at `{path}`, and is left as it is");
    io::Error::new(io::ErrorKind::CrossesDevices, said)
}

fn too_deep() -> io::Error {
    io::Error::other("there are too many folders in each other")
}

/// The bytes of a regular file of at most `most` bytes. A link in its place is not followed, and a pipe not waited for.
///
/// # Errors
/// When there is none, or it is larger.
pub fn read(path: &Utf8Path, most: u64) -> io::Result<Vec<u8>> {
    let (parent, name) = split(path)?;
    let file = Folder::open(parent)?.read(name)?;
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

fn split(path: &Utf8Path) -> io::Result<(&Utf8Path, &str)> {
    let parent = path.parent().filter(|it| !it.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    Ok((parent, path.file_name().ok_or(io::ErrorKind::InvalidFilename)?))
}

/// Replaces a file as a whole, with the given rights: a reader sees the old one or the new one. In its place may be
/// a file or a link of the user who runs nbc, or of the owner of the folder, who may do there as they like: root builds
/// in folders of others. A link is replaced and not followed.
///
/// # Errors
/// When the folder cannot be written, or the file is somebody else's.
pub fn replace(path: &Utf8Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let (parent, name) = split(path)?;
    let folder = Folder::open(parent)?;
    let owner = folder.own_entry()?.owner;
    let is_replaceable = |it: Entry| (it.is_own || it.owner == owner) && it.kind != Kind::Folder;
    if !folder.entry(name.as_ref())?.is_none_or(is_replaceable) {
        let said = format!("`{path}` belongs neither to you nor to the owner of its folder");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, said));
    }
    let (fresh, mut file) = folder.create_fresh(name)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| set_mode(&file, mode))
        .and_then(|()| folder.rename(&fresh, name));
    if written.is_err() {
        let _ = folder.remove_file(fresh.as_ref());
    }
    written
}

#[cfg(unix)]
fn set_mode(file: &std::fs::File, mode: u32) -> io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_file: &std::fs::File, _mode: u32) -> io::Result<()> {
    Ok(())
}

impl Folder {
    /// A new file under a name that nobody could guess, with its name.
    fn create_fresh(&self, name: &str) -> io::Result<(String, std::fs::File)> {
        use std::hash::{BuildHasher as _, RandomState};

        for _ in 0..16 {
            let fresh = format!(".{name}.{:016x}", RandomState::new().hash_one(()));
            match self.create(&fresh, 0o600) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return Ok((fresh, made?)),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    struct FolderTest {
        directory: tempfile::TempDir,
    }

    impl FolderTest {
        fn new() -> Self {
            Self { directory: tempfile::tempdir().unwrap() }
        }

        fn path(&self, name: &str) -> camino::Utf8PathBuf {
            Utf8Path::from_path(self.directory.path()).unwrap().join(name)
        }

        fn folder(&self) -> Folder {
            Folder::open(&self.path("")).unwrap()
        }
    }

    #[test]
    fn nothing_is_made_through_a_link_or_over_a_file() {
        let test = FolderTest::new();
        fs_err::create_dir(test.path("other")).unwrap();
        fs_err::write(test.path("other/file"), "kept").unwrap();
        for name in ["other", "other/file", "nowhere"] {
            std::os::unix::fs::symlink(test.path(name), test.path("link")).unwrap();
            let folder = test.folder();
            assert!(folder.make("link", 0o700).is_err(), "{name}");
            assert!(folder.create("link", 0o600).is_err(), "{name}");
            assert!(folder.below("link".as_ref()).is_err(), "{name}");
            assert!(folder.read("link").is_err(), "{name}");
            folder.remove("link").unwrap();
        }
        assert_eq!(fs_err::read_to_string(test.path("other/file")).unwrap(), "kept");
        assert!(!test.path("nowhere").exists());
    }

    #[test]
    fn a_tree_is_removed_and_links_in_it_are_not_followed() {
        let test = FolderTest::new();
        fs_err::create_dir_all(test.path("tree/deep")).unwrap();
        fs_err::create_dir(test.path("kept")).unwrap();
        fs_err::write(test.path("kept/file"), "").unwrap();
        std::os::unix::fs::symlink("../../kept", test.path("tree/deep/link")).unwrap();
        test.folder().remove("tree").unwrap();
        assert!(!test.path("tree").exists() && test.path("kept/file").exists());
    }

    #[test]
    fn a_link_in_the_place_of_a_file_is_replaced() {
        let test = FolderTest::new();
        fs_err::write(test.path("kept"), "kept").unwrap();
        std::os::unix::fs::symlink("kept", test.path("lock")).unwrap();
        replace(&test.path("lock"), b"new", 0o644).unwrap();
        assert_eq!(fs_err::read_to_string(test.path("kept")).unwrap(), "kept");
        assert_eq!(fs_err::read_to_string(test.path("lock")).unwrap(), "new");
        assert_eq!(test.folder().names().unwrap().len(), 2);
    }
}
