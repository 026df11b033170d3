//! Checks an environment that an installer has filled before anything uses it: its size is bounded, it holds files and
//! folders only, and it is still the environment that the installer was given.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use camino::Utf8Path;

/// Most bytes that the packages of an environment unpack to, unless the user says otherwise.
pub const ENVIRONMENT_SIZE: u64 = 2 << 30;
/// Most files and folders; the largest collections of packages have a tenth of it.
const MOST_FILES: usize = 1_000_000;
/// Says which interpreter an environment has, and which other packages it sees.
const SETTINGS: &str = "pyvenv.cfg";

/// An environment before packages came into it.
pub(super) struct Contents {
    /// Each link with where it leads.
    links: BTreeMap<PathBuf, PathBuf>,
    settings: Vec<u8>,
}

/// A fault of an environment.
#[derive(Debug)]
pub(super) enum EnvironmentFault {
    /// It is larger than it may be.
    TooLarge,
    /// Something is there that no package may bring; told from the environment on.
    Foreign(PathBuf, &'static str),
    /// It cannot be looked at.
    Unread(io::Error),
}

impl From<io::Error> for EnvironmentFault {
    fn from(error: io::Error) -> Self {
        Self::Unread(error)
    }
}

impl Contents {
    /// Notes the files of an environment without packages.
    pub(super) fn of(folder: &Utf8Path) -> io::Result<Self> {
        let mut links = BTreeMap::new();
        let settings = fs_err::read(folder.join(SETTINGS))?;
        let noted = walk(folder.as_std_path(), &mut |path, metadata| {
            if metadata.is_symlink() {
                links.insert(path.to_owned(), fs_err::read_link(path)?);
            }
            Ok(())
        });
        match noted {
            Ok(()) => Ok(Self { links, settings }),
            Err(EnvironmentFault::Unread(error)) => Err(error),
            Err(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Whether packages brought files and folders only, of at most `largest` bytes, and left what was there: wheels
    /// may place files anywhere in an environment, also over its interpreter.
    pub(super) fn check(&self, folder: &Utf8Path, largest: u64) -> Result<(), EnvironmentFault> {
        let (mut bytes, mut files, mut links) = (0_u64, 0_usize, 0_usize);
        let foreign = |path: &Path, reason| {
            let path = path.strip_prefix(folder).unwrap_or(path);
            EnvironmentFault::Foreign(path.to_owned(), reason)
        };
        walk(folder.as_std_path(), &mut |path, metadata| {
            files += 1;
            if metadata.is_symlink() {
                if self.links.get(path) != Some(&fs_err::read_link(path)?) {
                    return Err(foreign(path, "is a link"));
                }
                links += 1;
            } else if metadata.is_file() {
                bytes = bytes.saturating_add(metadata.len());
            } else if !metadata.is_dir() {
                return Err(foreign(path, "is neither a file nor a folder"));
            }
            if bytes > largest || files > MOST_FILES {
                Err(EnvironmentFault::TooLarge)
            } else {
                Ok(())
            }
        })?;
        if links != self.links.len() {
            let is_gone = |it: &&PathBuf| !it.is_symlink();
            let path = self.links.keys().find(is_gone).map_or(folder.as_std_path(), |it| it);
            return Err(foreign(path, "replaces a part of the environment itself"));
        }
        let settings = folder.join(SETTINGS);
        if fs_err::read(&settings)? != self.settings {
            return Err(foreign(
                settings.as_std_path(),
                "replaces a part of the environment itself",
            ));
        }
        Ok(())
    }
}

/// Shows everything below a folder, no link followed.
fn walk(
    folder: &Path,
    show: &mut impl FnMut(&Path, &std::fs::Metadata) -> Result<(), EnvironmentFault>,
) -> Result<(), EnvironmentFault> {
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs_err::read_dir(&folder)? {
            let path = entry?.path();
            let metadata = fs_err::symlink_metadata(&path)?;
            show(&path, &metadata)?;
            if metadata.is_dir() {
                waiting.push(path);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_bring_files_and_leave_what_was_there() {
        type Attack = fn(&Utf8Path);
        let attacks: [(Attack, &str); 6] = [
            (|it| std::os::unix::fs::symlink("/etc", it.join("lib/x")).unwrap(), "lib/x"),
            (|it| std::os::unix::fs::symlink("a.py", it.join("lib/x")).unwrap(), "lib/x"),
            (
                |it| {
                    fs_err::remove_file(it.join("bin/python")).unwrap();
                    fs_err::write(it.join("bin/python"), "#!/bin/sh").unwrap();
                },
                "bin/python",
            ),
            (
                |it| {
                    fs_err::remove_file(it.join("bin/python")).unwrap();
                    std::os::unix::fs::symlink("/bin/sh", it.join("bin/python")).unwrap();
                },
                "bin/python",
            ),
            (|it| fs_err::write(it.join(SETTINGS), "home = /evil").unwrap(), SETTINGS),
            (|it| drop(std::os::unix::net::UnixListener::bind(it.join("lib/s")).unwrap()), "lib/s"),
        ];
        for (attack, expected) in attacks {
            let directory = tempfile::tempdir().unwrap();
            let folder = Utf8Path::from_path(directory.path()).unwrap();
            fs_err::create_dir(folder.join("bin")).unwrap();
            fs_err::create_dir(folder.join("lib")).unwrap();
            std::os::unix::fs::symlink("/usr/bin/python3", folder.join("bin/python")).unwrap();
            fs_err::write(folder.join(SETTINGS), "home = /usr/bin").unwrap();
            let contents = Contents::of(folder).unwrap();
            fs_err::write(folder.join("lib/a.py"), "x".repeat(100)).unwrap();
            contents.check(folder, 200).unwrap();
            assert!(matches!(contents.check(folder, 50), Err(EnvironmentFault::TooLarge)));
            attack(folder);
            match contents.check(folder, 200) {
                Err(EnvironmentFault::Foreign(path, _)) => assert_eq!(path, Path::new(expected)),
                other => panic!("{expected}: {other:?}"),
            }
        }
    }
}
