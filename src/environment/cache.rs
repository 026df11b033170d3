//! Environments on disk: shared by builds, never changed, removed when nobody used them for long.
//!
//! `KEY` is an environment, `KEY.lock` is held while it is made (alone) or used (together), `KEY.txt` is what
//! requirements were resolved to, `making-…` is work of a build that runs, or of one that died.

use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::InstallError;
use crate::cache::now;
use crate::process::interrupt;

/// Version of the cache's layout: part of the path, so that versions of nbc do not meet.
const FORMAT: &str = "environments-1";
/// Folders that nobody used for so long are removed.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// Younger work may be that of a build which has not taken its lock yet.
const SETTLED: Duration = Duration::from_secs(60);
/// Folders that one build removes at most: nobody should wait for the remains of others.
const MOST_REMOVED: usize = 8;
/// Longest list of packages that is read, in bytes.
const LONGEST: u64 = 64 << 20;
/// How often a lock that another build holds is tried.
const POLL: Duration = Duration::from_millis(50);
/// The file in a folder of work that its maker holds.
const HELD: &str = "held.lock";

/// The folder of all environments.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    folder: Utf8PathBuf,
    /// Most bytes that the packages of an environment unpack to.
    largest: u64,
}

/// Keeps an environment from being removed while it is used.
#[derive(Debug)]
pub struct Lease {
    _file: File,
}

/// A folder for work; gone at the end.
pub(super) struct Scratch {
    pub(super) folder: Utf8PathBuf,
    /// Most bytes that the packages of an environment unpack to.
    pub(super) largest: u64,
    _held: File,
    _directory: tempfile::TempDir,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LockMode {
    Shared,
    Exclusive,
}

impl Cache {
    pub(super) fn new(cache: &Utf8Path, largest: u64) -> Self {
        Self { folder: cache.join(FORMAT), largest }
    }

    pub(super) fn path(&self, name: &str) -> Utf8PathBuf {
        self.folder.join(name)
    }

    /// Makes the folder, and removes what nobody needs any more.
    pub(super) fn open(&self) -> Result<(), InstallError> {
        crate::cache::make(&self.folder, 0o755).map_err(failed(&self.folder))?;
        self.clean();
        Ok(())
    }

    /// The environment of a key: found, or made by `make` in a folder that becomes it.
    pub(super) fn get(
        &self,
        key: &str,
        make: impl FnOnce(&Scratch) -> Result<Utf8PathBuf, InstallError>,
    ) -> Result<(Utf8PathBuf, Lease), InstallError> {
        let folder = self.path(key);
        let mut file = self.hold(key, LockMode::Shared)?;
        if !is_folder(&folder)? {
            drop(file);
            // Two builds that need the same environment: the second waits and finds it made.
            file = self.hold(key, LockMode::Exclusive)?;
            if !is_folder(&folder)? {
                let scratch = self.scratch()?;
                let made = make(&scratch)?;
                std::fs::rename(&made, &folder).map_err(failed(&folder))?;
            }
            // For a moment nobody holds it, but it was used a moment ago.
            touch(&file);
            file.lock_shared().map_err(failed(&folder))?;
        }
        touch(&file);
        Ok((folder, Lease { _file: file }))
    }

    /// The result of an earlier build's resolution.
    pub(super) fn resolved(&self, key: &str) -> Option<String> {
        let path = self.path(&format!("{key}.txt"));
        let mut file = without_links(File::options().read(true), &path).ok()?;
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        let mut text = String::new();
        Read::by_ref(&mut file).take(LONGEST).read_to_string(&mut text).ok()?;
        touch(&file);
        Some(text)
    }

    /// Remembers what requirements were resolved to.
    pub(super) fn remember(
        &self,
        key: &str,
        text: &str,
        scratch: &Scratch,
    ) -> Result<(), InstallError> {
        let (fresh, known) =
            (scratch.folder.join("resolved.txt"), self.path(&format!("{key}.txt")));
        fs_err::write(&fresh, text).map_err(failed(&fresh))?;
        std::fs::rename(&fresh, &known).map_err(failed(&known))
    }

    pub(super) fn scratch(&self) -> Result<Scratch, InstallError> {
        let failed = |source| InstallError::Cache { path: self.folder.clone(), source };
        let directory =
            tempfile::Builder::new().prefix("making-").tempdir_in(&self.folder).map_err(failed)?;
        let folder = Utf8PathBuf::from_path_buf(directory.path().to_owned())
            .map_err(|_| failed(io::ErrorKind::InvalidFilename.into()))?;
        let held = File::create(folder.join(HELD)).map_err(failed)?;
        held.lock().map_err(failed)?;
        Ok(Scratch { folder, largest: self.largest, _held: held, _directory: directory })
    }

    /// Waits for the lock of a key; an interrupt ends the wait.
    fn hold(&self, key: &str, hold: LockMode) -> Result<File, InstallError> {
        let path = self.path(&format!("{key}.lock"));
        loop {
            if let Some(file) = try_hold(&path, hold).map_err(failed(&path))? {
                return Ok(file);
            }
            if interrupt::is_requested() {
                return Err(InstallError::Interrupted);
            }
            std::thread::sleep(POLL);
        }
    }

    /// Removes what was not used for long, and what builds left that were killed. A failure is no
    /// reason to stop: the next build tries again.
    fn clean(&self) {
        let Ok(entries) = self.folder.read_dir_utf8() else { return };
        let mut removed = 0;
        for entry in entries.filter_map(Result::ok) {
            let (name, path) = (entry.file_name(), entry.path());
            if removed >= MOST_REMOVED || interrupt::is_requested() {
                break;
            }
            if name.starts_with("making-") {
                removed += usize::from(is_older(path, SETTLED) && remove_dead_work(path));
            } else if let Some(key) = name.strip_suffix(".lock") {
                removed += usize::from(is_older(path, SETTLED) && self.remove_unused(key, path));
            } else if name.ends_with(".txt") && is_older(path, KEPT) {
                drop(fs_err::remove_file(path));
            }
        }
    }

    /// Removes an environment that nobody holds or used lately, or a lock without environment. True if
    /// there was a folder to remove.
    fn remove_unused(&self, key: &str, lock: &Utf8Path) -> bool {
        let folder = self.path(key);
        if folder.is_dir() && !is_older(lock, KEPT) {
            return false;
        }
        let Ok(Some(_file)) = try_hold(lock, LockMode::Exclusive) else { return false };
        let has_folder = folder.is_dir();
        if has_folder {
            // Another build may have used it between the look and the lock.
            if !is_older(lock, KEPT) {
                return false;
            }
            let Ok(grave) = self.scratch() else { return false };
            // Renamed first, so that nobody finds half of it.
            if std::fs::rename(&folder, grave.folder.join("unused")).is_err() {
                return false;
            }
        }
        drop(fs_err::remove_file(lock));
        has_folder
    }
}

fn failed(path: &Utf8Path) -> impl Fn(io::Error) -> InstallError {
    let path = path.to_owned();
    move |source| InstallError::Cache { path: path.clone(), source }
}

/// A lock, if no other build holds it. A file that was removed in the meantime locks nothing.
fn try_hold(path: &Utf8Path, hold: LockMode) -> io::Result<Option<File>> {
    loop {
        let file = without_links(File::options().create(true).append(true), path)?;
        let answer = match hold {
            LockMode::Shared => file.try_lock_shared(),
            LockMode::Exclusive => file.try_lock(),
        };
        match answer {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let own = file.metadata()?;
        if std::fs::metadata(path).is_ok_and(|it| (it.dev(), it.ino()) == (own.dev(), own.ino())) {
            return Ok(Some(file));
        }
    }
}

/// Opens a file; neither a link, which a restored cache may hold and which leads out of it, nor a pipe, which could
/// wait for ever.
fn without_links(options: &mut std::fs::OpenOptions, path: &Utf8Path) -> io::Result<File> {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
        options.custom_flags(flags.bits() as i32);
    }
    options.open(path)
}

/// Whether an environment is there. A link in its place would show the notebook another folder of the host.
fn is_folder(path: &Utf8Path) -> Result<bool, InstallError> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(true),
        Ok(_) => Err(failed(path)(io::Error::other("it is a link, or no folder; remove it"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(path)(error)),
    }
}

/// Removes a folder of work whose maker is dead.
fn remove_dead_work(folder: &Utf8Path) -> bool {
    let held = folder.join(HELD);
    let is_dead = match File::open(&held) {
        Ok(file) => file.try_lock().is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    is_dead && fs_err::remove_dir_all(folder).is_ok()
}

fn touch(file: &File) {
    drop(file.set_modified(now()));
}

fn is_older(path: &Utf8Path, age: Duration) -> bool {
    let modified = fs_err::metadata(path).and_then(|it| it.modified());
    modified.is_ok_and(|it| now().duration_since(it).is_ok_and(|it| it > age))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct CacheTest {
        cache: Cache,
        _folder: tempfile::TempDir,
    }

    impl CacheTest {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let cache = Cache::new(Utf8Path::from_path(folder.path()).unwrap(), u64::MAX);
            cache.open().unwrap();
            Self { cache, _folder: folder }
        }

        fn make(&self, key: &str) -> Lease {
            let made = self.cache.get(key, |scratch| {
                let folder = scratch.folder.join("environment");
                fs_err::create_dir(&folder).unwrap();
                Ok(folder)
            });
            made.unwrap().1
        }

        fn age(&self, name: &str, days: u64) {
            let then = now() - Duration::from_secs(days * 24 * 3600);
            File::open(self.cache.path(name)).unwrap().set_modified(then).unwrap();
        }

        fn names(&self) -> Vec<String> {
            let entries = self.cache.folder.read_dir_utf8().unwrap();
            let mut names: Vec<String> =
                entries.map(|it| it.unwrap().file_name().to_owned()).collect();
            names.sort();
            names
        }
    }

    #[test]
    fn an_environment_goes_thirty_days_after_its_last_use() {
        let test = CacheTest::new();
        drop(test.make("old"));
        drop(test.make("new"));
        test.age("old.lock", 31);
        test.age("new.lock", 29);
        test.cache.open().unwrap();
        assert_eq!(test.names(), ["new", "new.lock"]);
    }

    #[test]
    fn an_environment_in_use_stays() {
        let test = CacheTest::new();
        let lease = test.make("old");
        test.age("old.lock", 31);
        test.cache.open().unwrap();
        assert_eq!(test.names(), ["old", "old.lock"]);
        drop(lease);
        // Finding it is a use.
        drop(test.make("old"));
        test.cache.open().unwrap();
        assert_eq!(test.names(), ["old", "old.lock"]);
    }

    #[test]
    fn the_remains_of_dead_builds_go_and_work_stays() {
        let test = CacheTest::new();
        let alive = test.cache.scratch().unwrap();
        let dead = test.cache.path("making-dead");
        fs_err::create_dir_all(dead.join("environment")).unwrap();
        fs_err::write(dead.join(HELD), "").unwrap();
        fs_err::write(test.cache.path("gone.lock"), "").unwrap();
        fs_err::write(test.cache.path("known.txt"), "").unwrap();
        fs_err::write(test.cache.path("forgotten.txt"), "").unwrap();
        let own = alive.folder.file_name().unwrap().to_owned();
        for name in ["making-dead", "gone.lock", &own] {
            test.age(name, 1);
        }
        test.age("forgotten.txt", 31);
        test.cache.open().unwrap();
        assert_eq!(test.names(), ["known.txt", own.as_str()]);
    }

    #[test]
    fn one_build_removes_a_few_only() {
        let test = CacheTest::new();
        for idx in 0..MOST_REMOVED + 3 {
            drop(test.make(&format!("k{idx}")));
            test.age(&format!("k{idx}.lock"), 40);
        }
        test.cache.open().unwrap();
        assert_eq!(test.names().len(), 3 * 2);
        test.cache.open().unwrap();
        assert!(test.names().is_empty());
    }

    #[test]
    fn builds_that_need_the_same_environment_make_it_once() {
        let test = CacheTest::new();
        let made = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let make = |scratch: &Scratch| {
                        made.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(100));
                        let folder = scratch.folder.join("environment");
                        fs_err::create_dir(&folder).unwrap();
                        Ok(folder)
                    };
                    assert!(test.cache.get("k", make).unwrap().0.is_dir());
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
        assert_eq!(test.names(), ["k", "k.lock"]);
    }
}
