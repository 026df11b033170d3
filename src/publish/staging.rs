//! The new site beside the earlier one, until it takes its place.
//!
//! In: the right to publish to a folder, and stamps of files that stand in it. Out: a folder that nobody else looks into,
//! with these files and those of a site that was proved; then the exchange of the two.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _, Write as _};

use super::{
    Destination, PublishError, Published, Stamps, identity, is_free, mode, refuse_foreign,
};
use crate::cache::Stamp;
use crate::folder::{Entry, Folder, Kind};
use crate::verify::VerifiedSite;

/// A site that is put together.
#[derive(Debug)]
pub struct Staging {
    destination: Destination,
    new: Folder,
    earlier: Option<Folder>,
    /// Files that it has from the earlier site.
    standing: BTreeSet<String>,
}

impl Staging {
    /// Gives files of the earlier site their names in the new one.
    pub(super) fn begin(
        destination: Destination,
        new: Folder,
        earlier: Option<Folder>,
        stamps: &Stamps,
    ) -> Result<Self, PublishError> {
        let mut pair = None;
        for (path, stamp) in stamps {
            let failed = |source| PublishError::Io { path: destination.path.join(path), source };
            let changed = || PublishError::Changed { path: destination.path.join(path) };
            let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
            let (folder, old) =
                Pair::at(&mut pair, folders, &new, earlier.as_ref()).map_err(failed)?;
            let old = old.ok_or_else(changed)?;
            if !link_standing(old, folder, name, stamp).map_err(failed)? {
                return Err(changed());
            }
        }
        let standing = stamps.keys().cloned().collect();
        Ok(Self { destination, new, earlier, standing })
    }

    /// Replaces the folder by the site, in one rename. Files that it has already, byte for byte, are taken over
    /// with their times; those that stand in the earlier site have to be here.
    ///
    /// # Errors
    /// When a file cannot be written or the folder cannot be swapped.
    pub fn publish(mut self, site: &VerifiedSite) -> Result<Published, PublishError> {
        self.check_standing(site)?;
        let written = self.write_new(site)?;
        let destination = self.destination;
        let failed = |source| destination.failed(source);
        self.new.set_mode(destination.folder_mode).map_err(failed)?;
        // Files that appeared in the folder meanwhile are somebody's, too.
        refuse_foreign(&destination.parent, &destination.name, &destination.path)?;
        destination.swap(&self.new)?;
        let left = destination.sweep();
        Ok(Published { written, left, stamps: destination.earlier() })
    }

    /// Files of the earlier site are here if, and only if, they are in the new one.
    fn check_standing(&mut self, site: &VerifiedSite) -> Result<(), PublishError> {
        let path = |path: &str| self.destination.path.join(path);
        let (site, standing) = (site.site(), &self.standing);
        let missing = site.standing().map(|it| it.path().as_str());
        if let Some(it) = missing.into_iter().find(|it| !standing.contains(*it)) {
            return Err(PublishError::Changed { path: path(it) });
        }
        let listed: BTreeSet<&str> = site.listed().into_iter().map(|it| it.path.as_str()).collect();
        match standing.iter().find(|it| !listed.contains(it.as_str())) {
            Some(it) => Err(PublishError::Changed { path: path(it) }),
            None => Ok(()),
        }
    }

    /// Writes the files that the earlier site does not have; gives their number.
    fn write_new(&self, site: &VerifiedSite) -> Result<usize, PublishError> {
        let Self { destination, new, earlier, standing } = self;
        let mode = mode(&destination.lock.file).map_err(|it| destination.failed(it))?;
        let (mut written, mut pair) = (0, None);
        // One that a page of the earlier site has as well has the same bytes.
        let fresh = site.site().files().filter(|it| !standing.contains(it.path().as_str()));
        for asset in fresh {
            let path = asset.path().as_str();
            let failed = |source| PublishError::Io { path: destination.path.join(path), source };
            let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
            let (new, old) = Pair::at(&mut pair, folders, new, earlier.as_ref()).map_err(failed)?;
            let is_taken_over = old
                .is_some_and(|old| take_over(old, new, name, asset.bytes(), mode).unwrap_or(false));
            if !is_taken_over {
                let mut file = new.create(name, 0o666).map_err(failed)?;
                file.write_all(asset.bytes()).map_err(failed)?;
                written += 1;
            }
        }
        Ok(written)
    }
}

/// Folders in each other, each opened below the one before it.
struct Chain<'a> {
    root: &'a Folder,
    last: Option<Folder>,
}

impl<'a> Chain<'a> {
    fn last(&self) -> &Folder {
        self.last.as_ref().unwrap_or(self.root)
    }

    fn find(root: &'a Folder, path: &str) -> io::Result<Self> {
        let mut chain = Self { root, last: None };
        for name in path.split('/').filter(|it| !it.is_empty()) {
            chain.last = Some(chain.last().below(name.as_ref())?);
        }
        Ok(chain)
    }

    /// The same, with those made that are not there. One that is there has to be one of ours.
    fn make(root: &'a Folder, path: &str) -> io::Result<Self> {
        let mut chain = Self { root, last: None };
        for name in path.split('/').filter(|it| !it.is_empty()) {
            let next = match chain.last().entry(name.as_ref())? {
                None => chain.last().make(name, 0o777)?,
                Some(it) if it.is_own => chain.last().below(name.as_ref())?,
                Some(_) => return Err(io::ErrorKind::AlreadyExists.into()),
            };
            chain.last = Some(next);
        }
        Ok(chain)
    }
}

/// The folders of one path in the new site and in the earlier one. Files come sorted, those of a folder together.
struct Pair<'a> {
    path: String,
    new: Chain<'a>,
    old: Option<Chain<'a>>,
}

impl<'a> Pair<'a> {
    /// The folders of a path; `last` holds those of the file before.
    fn at<'b>(
        last: &'b mut Option<Self>,
        path: &str,
        staging: &'a Folder,
        earlier: Option<&'a Folder>,
    ) -> io::Result<(&'b Folder, Option<&'b Folder>)> {
        let pair = match last.take().filter(|it| it.path == path) {
            Some(pair) => pair,
            None => Self {
                path: path.to_owned(),
                new: Chain::make(staging, path)?,
                old: earlier.and_then(|it| Chain::find(it, path).ok()),
            },
        };
        let Self { new, old, .. } = last.insert(pair);
        Ok((new.last(), old.as_ref().map(Chain::last)))
    }
}

/// Gives an earlier file another name, if it holds just these bytes, is nobody else's, and everybody has the rights
/// to it that a new file gives.
fn take_over(
    old: &Folder,
    folder: &Folder,
    name: &str,
    bytes: &[u8],
    mode: u32,
) -> io::Result<bool> {
    let found = old.entry(name.as_ref())?;
    let is_like = |it: &Entry| is_free(it, mode) && it.size == bytes.len() as u64;
    let Some(found) = found.filter(is_like) else { return Ok(false) };
    let mut file = old.read(name)?;
    // It stays open, so that no other file can get its number meanwhile.
    let is_it = identity(&file)?.is_none_or(|it| it == found.identity) && holds(&mut file, bytes)?;
    Ok(is_it && link(old, folder, name, &found)?)
}

/// Gives the file of a stamp another name.
fn link_standing(old: &Folder, folder: &Folder, name: &str, stamp: &Stamp) -> io::Result<bool> {
    let found = old.entry(name.as_ref())?;
    match found.filter(|it| it.kind == Kind::File && Stamp::of_entry(it) == *stamp) {
        Some(found) => link(old, folder, name, &found),
        None => Ok(false),
    }
}

/// Gives a file that was looked at a moment ago another name. Another file may have got its name since, even one with
/// its number; only this user could give that one its owner, size and time as well.
fn link(old: &Folder, folder: &Folder, name: &str, found: &Entry) -> io::Result<bool> {
    old.link(name, folder, name)?;
    let essence = |it: &Entry| (it.identity, it.owner, it.mode, it.size, it.modified);
    let now = folder.entry(name.as_ref())?;
    let is_it = now.is_some_and(|it| essence(&it) == essence(found));
    if !is_it {
        folder.remove_file(name.as_ref())?;
    }
    Ok(is_it)
}

/// Compares piece by piece: a file may be as large as a page with many pictures.
fn holds(file: &mut File, bytes: &[u8]) -> io::Result<bool> {
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

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use camino::{Utf8Path, Utf8PathBuf};

    use super::*;

    struct LinkTest {
        folder: tempfile::TempDir,
    }

    impl LinkTest {
        fn new() -> Self {
            let test = Self { folder: tempfile::tempdir().unwrap() };
            fs_err::create_dir(test.path("old")).unwrap();
            fs_err::create_dir(test.path("new")).unwrap();
            fs_err::write(test.path("old/a.html"), "one").unwrap();
            test
        }

        fn path(&self, name: &str) -> Utf8PathBuf {
            Utf8Path::from_path(self.folder.path()).unwrap().join(name)
        }

        fn stamp(&self) -> Stamp {
            Stamp::of(&fs_err::metadata(self.path("old/a.html")).unwrap())
        }

        /// Whether the file of a stamp, and a file with these bytes, get another name.
        fn is_taken(&self, stamp: &Stamp, bytes: &[u8]) -> [bool; 2] {
            let [old, new] = ["old", "new"].map(|it| Folder::open(&self.path(it)).unwrap());
            let mode = mode(&File::open(self.path("new/like")).unwrap()).unwrap();
            let taken = |link: &dyn Fn() -> io::Result<bool>| {
                let is_taken = link().unwrap_or(false);
                assert_eq!(self.path("new/a.html").exists(), is_taken);
                drop(fs_err::remove_file(self.path("new/a.html")));
                is_taken
            };
            [
                taken(&|| link_standing(&old, &new, "a.html", stamp)),
                taken(&|| take_over(&old, &new, "a.html", bytes, mode)),
            ]
        }
    }

    #[test]
    fn only_the_file_that_was_proved_gets_another_name() {
        let test = LinkTest::new();
        fs_err::write(test.path("new/like"), "").unwrap();
        assert_eq!(test.is_taken(&test.stamp(), b"one"), [true, true]);
        assert_eq!(test.is_taken(&test.stamp(), b"two"), [true, false]);
        // A name more changes the stamp, as whatever else happens to a file does.
        let stamp = test.stamp();
        let file = test.path("old/a.html");
        let modified = fs_err::metadata(&file).unwrap().modified().unwrap();
        let changes: [&dyn Fn(); 5] = [
            // The same size, and the time set back.
            &|| {
                fs_err::write(&file, "two").unwrap();
                File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
            },
            &|| {
                fs_err::write(test.path("old/b"), "one").unwrap();
                fs_err::rename(test.path("old/b"), &file).unwrap();
            },
            &|| fs_err::hard_link(&file, test.path("old/c")).unwrap(),
            &|| {
                fs_err::remove_file(&file).unwrap();
                std::os::unix::fs::symlink("c", &file).unwrap();
            },
            &|| fs_err::remove_file(&file).unwrap(),
        ];
        for (number, change) in changes.iter().enumerate() {
            change();
            let by_bytes = number == 1;
            assert_eq!(test.is_taken(&stamp, b"one"), [false, by_bytes], "{number}");
        }
    }
}
