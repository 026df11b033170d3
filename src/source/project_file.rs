//! Files that belong to a project which others may have written: read below its folder, or not at all.
//!
//! In: a folder, a path below it, a bound. Out: the bytes of a regular file, or the reason why there are none.
//! Never follows a link out of the folder, waits for a pipe, or reads without an end; no reason quotes what a
//! file holds.

use std::fs::File;
use std::io::{self, Read as _};

use camino::{Utf8Path, Utf8PathBuf};

/// Most bytes of a file that says something about a project: requirements, locks, lists of what is ignored.
pub const MOST_PROJECT_BYTES: u64 = 16 << 20;

/// The folder that files of a project lie in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectRoot {
    folder: Utf8PathBuf,
}

/// Why a file of a project is not read.
#[derive(Debug, thiserror::Error)]
pub enum ProjectFileError {
    /// A link, `..` or an absolute path leads elsewhere.
    #[error("it leads out of the folder of the project, and nbc reads nothing there")]
    Outside,
    /// A folder, a pipe, a socket or a device.
    #[error("it is no regular file")]
    NotRegular,
    /// There is more than the bound.
    #[error("it is larger than {}", shown(*.most))]
    TooLarge {
        /// The bound.
        most: u64,
    },
    /// A line of another file names a file that holds credentials by its name.
    #[error("it holds credentials, by its name")]
    Credentials,
    /// A text is asked for, and this is none.
    #[error("it is not UTF-8: invalid byte at offset {offset}")]
    NotUtf8 {
        /// Offset of the first byte that is not UTF-8.
        offset: usize,
    },
    /// There is no such file, or the system refuses.
    #[error(transparent)]
    System(#[from] io::Error),
}

fn shown(bytes: u64) -> String {
    if bytes >= 1 << 20 { format!("{} MiB", bytes >> 20) } else { format!("{bytes} bytes") }
}

impl ProjectFileError {
    /// Whether there is no file of that name, which is often no error.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::System(error) if error.kind() == io::ErrorKind::NotFound)
    }

    /// The way out.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Outside => Some("put a copy of the file into the folder of the project"),
            Self::Credentials => Some("give the file another name, if it holds none"),
            Self::NotRegular => Some("put a plain file in its place"),
            Self::TooLarge { .. } => Some("make it smaller, or leave it out"),
            Self::NotUtf8 { .. } => Some("save it as UTF-8"),
            Self::System(_) => None,
        }
    }
}

impl From<ProjectFileError> for io::Error {
    fn from(error: ProjectFileError) -> Self {
        match error {
            ProjectFileError::System(error) => error,
            other => Self::other(other),
        }
    }
}

impl ProjectRoot {
    /// The folder as a root; looks at nothing yet.
    #[must_use]
    pub fn new(folder: &Utf8Path) -> Self {
        let folder = if folder.as_str().is_empty() { Utf8Path::new(".") } else { folder };
        Self { folder: folder.to_owned() }
    }

    /// Reads a file below the folder; links that stay below it are followed.
    ///
    /// # Errors
    /// When it lies elsewhere, is no regular file, holds more than `most` bytes, or cannot be read.
    pub fn read(&self, relative: &Utf8Path, most: u64) -> Result<Vec<u8>, ProjectFileError> {
        bounded(self.open(relative)?, most)
    }

    /// The same of a text, without the byte order mark that some editors begin it with.
    ///
    /// # Errors
    /// When it cannot be read as above, or is not UTF-8.
    pub fn text(&self, relative: &Utf8Path, most: u64) -> Result<String, ProjectFileError> {
        let text = utf8(self.read(relative, most)?)?;
        Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
    }

    /// The same of a text that need not be there.
    ///
    /// # Errors
    /// When it is there and cannot be read as above.
    pub fn optional_text(
        &self,
        relative: &Utf8Path,
        most: u64,
    ) -> Result<Option<String>, ProjectFileError> {
        match self.text(relative, most) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether something of that name stands there, be it a link that leads nowhere.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.folder.join(name).symlink_metadata().is_ok()
    }

    /// Checks that a folder lies below this one.
    ///
    /// # Errors
    /// When it lies elsewhere, or is no folder.
    pub fn check_folder(&self, relative: &Utf8Path) -> Result<(), ProjectFileError> {
        let file = self.open(relative)?;
        if file.metadata()?.is_dir() {
            return Ok(());
        }
        Err(ProjectFileError::System(io::ErrorKind::NotADirectory.into()))
    }

    #[cfg(target_os = "linux")]
    fn open(&self, relative: &Utf8Path) -> Result<File, ProjectFileError> {
        beneath::open(&self.folder, relative)
    }

    /// Elsewhere nothing of a project runs; where a file leads is asked before it is opened.
    #[cfg(not(target_os = "linux"))]
    fn open(&self, relative: &Utf8Path) -> Result<File, ProjectFileError> {
        let path = self.folder.join(relative).canonicalize_utf8()?;
        if !path.starts_with(self.folder.canonicalize_utf8()?) {
            return Err(ProjectFileError::Outside);
        }
        let metadata = fs_err::metadata(&path)?;
        if !metadata.is_file() && !metadata.is_dir() {
            return Err(ProjectFileError::NotRegular);
        }
        Ok(File::open(path)?)
    }
}

/// Reads a file that the user names: it may be a link, and lie anywhere.
///
/// # Errors
/// When it is no regular file, holds more than `most` bytes, or cannot be read.
pub fn read_named(path: &Utf8Path, most: u64) -> Result<Vec<u8>, ProjectFileError> {
    let mut options = File::options();
    options.read(true);
    // Opening a pipe would wait for somebody who writes.
    #[cfg(target_os = "linux")]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        libc::O_NONBLOCK | libc::O_NOCTTY,
    );
    #[cfg(not(target_os = "linux"))]
    if !fs_err::metadata(path)?.is_file() {
        return Err(ProjectFileError::NotRegular);
    }
    bounded(options.open(path)?, most)
}

/// The text of bytes that were read.
pub(crate) fn utf8(bytes: Vec<u8>) -> Result<String, ProjectFileError> {
    String::from_utf8(bytes)
        .map_err(|error| ProjectFileError::NotUtf8 { offset: error.utf8_error().valid_up_to() })
}

/// All of an open file. Its size may be told wrongly, or grow, so the bound holds for what is read.
fn bounded(file: File, most: u64) -> Result<Vec<u8>, ProjectFileError> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(ProjectFileError::NotRegular);
    }
    if metadata.len() > most {
        return Err(ProjectFileError::TooLarge { most });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(ProjectFileError::TooLarge { most });
    }
    Ok(bytes)
}

#[cfg(target_os = "linux")]
mod beneath {
    use std::fs::File;
    use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

    use camino::{Utf8Component, Utf8Path};
    use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
    use rustix::io::Errno;

    use super::ProjectFileError;

    /// A pipe is not waited for, and no terminal becomes that of nbc.
    fn flags() -> OFlags {
        OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY
    }

    pub(super) fn open_root(folder: &Utf8Path) -> Result<OwnedFd, Errno> {
        rustix::fs::open(
            folder.as_str(),
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
    }

    pub(super) fn open(folder: &Utf8Path, relative: &Utf8Path) -> Result<File, ProjectFileError> {
        let root = open_root(folder).map_err(refusal)?;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        // The kernel asks for another try when a folder was renamed meanwhile.
        for _ in 0..16 {
            match openat2(&root, relative.as_str(), flags(), Mode::empty(), resolve) {
                Ok(file) => return Ok(File::from(file)),
                Err(Errno::AGAIN) => {}
                // Kernels before 5.6, and filters that do not know the call.
                Err(Errno::NOSYS | Errno::PERM) => return by_steps(root.as_fd(), relative),
                Err(error) => return Err(refusal(error)),
            }
        }
        Err(refusal(Errno::AGAIN))
    }

    /// One component after the other, none of them a link.
    pub(super) fn by_steps(
        root: BorrowedFd<'_>,
        relative: &Utf8Path,
    ) -> Result<File, ProjectFileError> {
        let step = |folder: BorrowedFd<'_>, name: &str, flags: OFlags| {
            let found = openat(folder, name, flags | OFlags::NOFOLLOW, Mode::empty());
            found.map_err(|error| match error {
                // A link in the place of a folder is told as one or the other.
                Errno::LOOP => ProjectFileError::Outside,
                other => refusal(other),
            })
        };
        let mut above: Vec<OwnedFd> = Vec::new();
        let mut components = relative.components().peekable();
        while let Some(component) = components.next() {
            match component {
                Utf8Component::CurDir => {}
                Utf8Component::ParentDir => {
                    above.pop().ok_or(ProjectFileError::Outside)?;
                }
                Utf8Component::Normal(name) => {
                    let folder = above.last().map_or(root, |it| it.as_fd());
                    if components.peek().is_none() {
                        return Ok(File::from(step(folder, name, flags())?));
                    }
                    let folder =
                        step(folder, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC)?;
                    above.push(folder);
                }
                Utf8Component::RootDir | Utf8Component::Prefix(_) => {
                    return Err(ProjectFileError::Outside);
                }
            }
        }
        let folder = above.last().map_or(root, |it| it.as_fd());
        Ok(File::from(step(folder, ".", flags())?))
    }

    fn refusal(error: Errno) -> ProjectFileError {
        match error {
            Errno::XDEV | Errno::LOOP => ProjectFileError::Outside,
            // A socket, or a device without a driver.
            Errno::NXIO | Errno::NODEV => ProjectFileError::NotRegular,
            other => ProjectFileError::System(other.into()),
        }
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn project() -> (tempfile::TempDir, Utf8PathBuf) {
        let outer = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(outer.path()).unwrap().join("in");
        fs_err::create_dir_all(folder.join("sub")).unwrap();
        fs_err::write(folder.join("a"), "a").unwrap();
        fs_err::write(folder.join("sub/b"), "b").unwrap();
        fs_err::write(outer.path().join("secret"), "s").unwrap();
        for (target, link) in [
            ("a", "inner"),
            ("../a", "sub/up"),
            ("../secret", "out"),
            ("/dev/zero", "zero"),
            ("/proc/self/environ", "environ"),
            ("..", "parent"),
            ("loop", "loop"),
        ] {
            symlink(target, folder.join(link)).unwrap();
        }
        let pipe = folder.join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            pipe.as_str(),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from(0o600),
            0,
        )
        .unwrap();
        drop(std::os::unix::net::UnixListener::bind(folder.join("socket")).unwrap());
        File::create(folder.join("huge")).unwrap().set_len(1 << 40).unwrap();
        (outer, folder)
    }

    type Open = fn(&Utf8Path, &Utf8Path) -> Result<File, ProjectFileError>;

    /// With the kernel's help, and without.
    const WAYS: [Open; 2] = [beneath::open, |folder, relative| {
        beneath::by_steps(std::os::fd::AsFd::as_fd(&beneath::open_root(folder).unwrap()), relative)
    }];

    #[test]
    fn a_file_below_the_folder_is_read() {
        let (_outer, folder) = project();
        for open in WAYS {
            for (path, text) in
                [("a", "a"), ("sub/b", "b"), ("sub/../a", "a"), ("./a", "a"), ("sub/./b", "b")]
            {
                let found = open(&folder, path.into()).and_then(|it| bounded(it, 1)).unwrap();
                assert_eq!(found, text.as_bytes(), "{path}");
            }
        }
        let root = ProjectRoot::new(&folder);
        fs_err::write(folder.join("marked"), "\u{feff}a").unwrap();
        for link in ["inner", "sub/up"] {
            assert_eq!(root.text(link.into(), 1).unwrap(), "a", "{link}");
        }
        assert_eq!(root.text("marked".into(), 4).unwrap(), "a");
        assert!(root.check_folder("sub".into()).is_ok() && root.check_folder("a".into()).is_err());
        assert_eq!(root.optional_text("none".into(), 1).unwrap(), None);
    }

    #[test]
    fn nothing_else_is() {
        let (outer, folder) = project();
        let absolute = folder.join("a");
        for open in WAYS {
            for path in [
                "out",
                "../secret",
                "parent/secret",
                "sub/../../secret",
                "zero",
                "environ",
                "loop",
                "/proc/self/environ",
                absolute.as_str(),
                "pipe",
                "socket",
                "huge",
                ".",
                "sub",
                "none",
                "",
            ] {
                let found = open(&folder, path.into()).and_then(|it| bounded(it, 1 << 20));
                let error = found.expect_err(path).to_string();
                assert!(!error.is_empty(), "{path}");
            }
        }
        let root = ProjectRoot::new(&folder);
        assert!(matches!(root.read("out".into(), 9), Err(ProjectFileError::Outside)));
        assert!(matches!(root.read("pipe".into(), 9), Err(ProjectFileError::NotRegular)));
        assert!(matches!(root.read("huge".into(), 9), Err(ProjectFileError::TooLarge { most: 9 })));
        assert!(matches!(root.check_folder("parent".into()), Err(ProjectFileError::Outside)));
        drop(outer);
    }

    #[test]
    fn what_the_user_names_may_lie_anywhere_and_ends() {
        let (_outer, folder) = project();
        assert_eq!(read_named(&folder.join("out"), 1).unwrap(), b"s");
        for path in ["zero", "pipe", "socket", "huge", "sub", "none"] {
            assert!(read_named(&folder.join(path), 1 << 20).is_err(), "{path}");
        }
    }
}
