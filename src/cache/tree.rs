//! Digests of what a run can read: a file, or a folder with all that is in it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::key::hexadecimal;
use super::{Cache, Key, KeyBuilder, Kind, now, open};
use crate::folder::Entry;
use crate::interrupt::{self, Cancel};

/// Smaller files are read each time; of larger ones the digest is remembered.
const LARGE: u64 = 1 << 20;
/// A file that changed so shortly ago may change again within one tick of the file system's clock.
const RACY: Duration = Duration::from_secs(3);
/// Permission bits of a file's mode: a run that may not read a file gives something else.
const RIGHTS: u32 = 0o777;
/// Most names in one tree.
const MOST_FILES: usize = 200_000;
/// Most bytes of one tree.
const MOST_BYTES: u64 = 64 << 30;
/// Most names in the list that is kept of a tree.
const MOST_LISTED: usize = 20_000;

/// Why a tree has no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UncachedTree {
    /// A pipe, a socket or a device gives its reader what somebody else writes.
    #[error("`{0}` is neither a file nor a folder")]
    Special(Utf8PathBuf),
    /// It cannot be read, or changes while it is read.
    #[error("`{0}` cannot be read")]
    Unreadable(Utf8PathBuf),
    /// The user asked nbc to stop.
    #[error("nbc was stopped while it read `{0}`")]
    Interrupted(Utf8PathBuf),
    /// There is too much in it.
    #[error("`{0}` holds more than {MOST_FILES} files or 64 GiB")]
    TooLarge(Utf8PathBuf),
}

/// A file, as the file system tells it: what changes it changes this, but for a change within one tick of the clock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Numbers", into = "Numbers")]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The form in which a stamp is kept, of which a large site has many.
type Numbers = (u64, u64, u64, (i64, i64), (i64, i64));

impl From<Numbers> for Stamp {
    fn from((device, inode, size, modified, changed): Numbers) -> Self {
        Self { device, inode, size, modified, changed }
    }
}

impl From<Stamp> for Numbers {
    fn from(Stamp { device, inode, size, modified, changed }: Stamp) -> Self {
        (device, inode, size, modified, changed)
    }
}

impl Stamp {
    /// The stamp of a file, from its metadata.
    #[must_use]
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// The same of an entry of a folder.
    #[must_use]
    pub fn of_entry(entry: &Entry) -> Self {
        let Entry { identity: (device, inode), size, modified, changed, .. } = *entry;
        Self { device, inode, size, modified, changed }
    }

    /// Whether it last changed long enough ago that another change would show.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let now = now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let settled = |at: i64| Duration::from_secs(at.max(0).cast_unsigned()) + RACY < now;
        settled(self.modified.0) && settled(self.changed.0)
    }
}

/// A root, and what lies below it that does not count.
type TreeRoot = (Utf8PathBuf, Vec<Utf8PathBuf>);

/// Takes digests of trees, each once a build, and remembers what it took.
#[derive(Debug, Default)]
pub struct Trees {
    known: Mutex<BTreeMap<TreeRoot, Result<Key, UncachedTree>>>,
    is_incomplete: AtomicBool,
}

/// A file or folder that decided, and its digest; `None` where there was none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    path: Utf8PathBuf,
    hidden: Vec<Utf8PathBuf>,
    digest: Option<Key>,
}

impl Trees {
    /// The digest of a file or folder without what lies at the paths below it that are `hidden`: names, kinds,
    /// contents, targets of links, and who may do what; not their times and owners.
    ///
    /// # Errors
    /// When there is something in it whose content is not known beforehand, or too much.
    pub fn digest(
        &self,
        cache: &Cache,
        path: &Utf8Path,
        hidden: &[Utf8PathBuf],
    ) -> Result<Key, UncachedTree> {
        let place = (path.to_owned(), hidden.to_vec());
        // Held meanwhile: another notebook of the folder waits rather than reads it, too.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(place).or_insert_with(|| digest(cache, path, hidden)).clone()
    }

    /// Takes note of a file or folder that decides something, or would if it were there.
    pub fn look(&self, cache: &Cache, path: &Utf8Path) {
        if self.digest(cache, path, &[]).is_err() && path.symlink_metadata().is_ok() {
            self.give_up();
        }
    }

    /// Something decided that has no digest.
    pub fn give_up(&self) {
        self.is_incomplete.store(true, Ordering::SeqCst);
    }

    /// Everything that was looked at; `None` if that is not all that decided.
    #[must_use]
    pub fn evidence(&self) -> Option<Vec<Evidence>> {
        (!self.is_incomplete.load(Ordering::SeqCst)).then(|| self.read())
    }

    /// Everything that was looked at.
    #[must_use]
    pub fn read(&self) -> Vec<Evidence> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let all = known.iter().map(|((path, hidden), digest)| Evidence {
            path: path.clone(),
            hidden: hidden.clone(),
            digest: digest.clone().ok(),
        });
        all.collect()
    }
}

/// Whether all of it is as it was.
#[must_use]
pub fn is_unchanged(cache: &Cache, evidence: &[Evidence]) -> bool {
    let cancel = Cancel::current();
    let is_same =
        |it: &Evidence| cancel.during(|| digest(cache, &it.path, &it.hidden)).ok() == it.digest;
    // A digest that an interrupt ended is none, as if there were nothing.
    evidence.par_iter().all(is_same) && !cancel.is_cancelled()
}

fn digest(cache: &Cache, root: &Utf8Path, hidden: &[Utf8PathBuf]) -> Result<Key, UncachedTree> {
    let memory_key = KeyBuilder::new("digests").text("root", root.as_str()).end();
    if root.symlink_metadata().is_err() {
        return Err(UncachedTree::Unreadable(root.to_owned()));
    }
    let mut memory = Memory { cache, key: memory_key, digests: None, has_news: false };
    let mut key = KeyBuilder::new("tree");
    let mut listed = BTreeMap::new();
    let (mut files, mut bytes) = (0_usize, 0_u64);
    let entries = walkdir::WalkDir::new(root).sort_by_file_name().same_file_system(true);
    let hidden: BTreeSet<&std::path::Path> = hidden.iter().map(|it| it.as_std_path()).collect();
    let is_hidden = |path: &std::path::Path| hidden.contains(path);
    for entry in entries.into_iter().filter_entry(|it| !is_hidden(it.path())) {
        let unreadable = |path: Option<&std::path::Path>| {
            let path = path.unwrap_or(root.as_std_path()).to_string_lossy().into_owned();
            UncachedTree::Unreadable(path.into())
        };
        let entry = entry.map_err(|it| unreadable(it.path()))?;
        let path =
            Utf8Path::from_path(entry.path()).ok_or_else(|| unreadable(Some(entry.path())))?;
        if interrupt::is_requested() {
            return Err(UncachedTree::Interrupted(path.to_owned()));
        }
        let kind = entry.file_type();
        if kind.is_fifo() || kind.is_socket() || kind.is_block_device() || kind.is_char_device() {
            return Err(UncachedTree::Special(path.to_owned()));
        }
        files += 1;
        let name = path.strip_prefix(root).unwrap_or(path).as_str();
        key = key.text("path", name);
        let value = if kind.is_dir() {
            let metadata = entry.metadata().map_err(|it| unreadable(it.path()))?;
            let rights = metadata.mode() & RIGHTS;
            key = key.value("folder", &rights);
            format!("folder {rights:o}")
        } else if kind.is_symlink() {
            let target = fs_err::read_link(path).map_err(|_| unreadable(Some(entry.path())))?;
            key = key.text("link", &target.to_string_lossy());
            format!("link to {}", target.to_string_lossy())
        } else {
            let (size, digest, rights) =
                memory.file(path, MOST_BYTES - bytes).map_err(|error| match error.kind() {
                    io::ErrorKind::FileTooLarge => UncachedTree::TooLarge(root.to_owned()),
                    _ if interrupt::is_requested() => UncachedTree::Interrupted(path.to_owned()),
                    _ => unreadable(Some(entry.path())),
                })?;
            bytes += size;
            key = key.text("file", &digest).value("rights", &rights);
            format!("{digest} {rights:o}")
        };
        if files <= MOST_LISTED {
            listed.insert(name.to_owned(), value);
        }
        if files > MOST_FILES {
            return Err(UncachedTree::TooLarge(root.to_owned()));
        }
    }
    memory.store();
    let key = key.end();
    // A file by itself is its own list.
    if files > 1 && files <= MOST_LISTED && !cache.has(Kind::Parts, &listing_key(&key)) {
        let body = serde_json::to_vec(&listed).unwrap_or_default();
        cache.put(Kind::Parts, &listing_key(&key), &body);
    }
    Ok(key)
}

fn listing_key(tree: &Key) -> Key {
    KeyBuilder::new("listing").text("tree", tree.as_str()).end()
}

/// The names of a tree that some build took the digest of, each with a digest and its rights; for people only. `None`
/// for a tree of very many.
#[must_use]
pub fn listing(cache: &Cache, tree: &Key) -> Option<BTreeMap<String, String>> {
    serde_json::from_slice(&cache.get(Kind::Parts, &listing_key(tree))?).ok()
}

/// Digests of large files, remembered by an earlier build.
struct Memory<'a> {
    cache: &'a Cache,
    key: Key,
    /// Read when the first large file comes.
    digests: Option<BTreeMap<String, (Stamp, String)>>,
    has_news: bool,
}

impl Memory<'_> {
    fn digests(&mut self) -> &mut BTreeMap<String, (Stamp, String)> {
        self.digests.get_or_insert_with(|| {
            let known = self.cache.get(Kind::Digest, &self.key);
            known.and_then(|it| serde_json::from_slice(&it).ok()).unwrap_or_default()
        })
    }

    /// Size, digest, and who may do what; of a file that takes at most `most` bytes.
    fn file(&mut self, path: &Utf8Path, most: u64) -> io::Result<(u64, String, u32)> {
        // Since the walk told its kind, it may have become a link or a pipe.
        let mut file = open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let rights = metadata.mode() & RIGHTS;
        let stamp = Stamp::of(&metadata);
        // A sparse file of 6 TiB takes no room on the disk, and days to read.
        if stamp.size > most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if stamp.size >= LARGE
            && let Some((known, digest)) = self.digests().get(path.as_str())
            && *known == stamp
        {
            return Ok((stamp.size, digest.clone(), rights));
        }
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 64 << 10];
        let mut left = most;
        loop {
            if interrupt::is_requested() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            // It may grow while it is read.
            left = left.checked_sub(read as u64).ok_or(io::ErrorKind::FileTooLarge)?;
            hasher.update(buffer.get(..read).unwrap_or_default());
        }
        let digest = hexadecimal(&hasher.finalize());
        // A file that changed meanwhile has another stamp, or will have one soon.
        if stamp.size >= LARGE && stamp.is_settled() && Stamp::of(&file.metadata()?) == stamp {
            self.digests().insert(path.to_string(), (stamp.clone(), digest.clone()));
            self.has_news = true;
        }
        Ok((stamp.size, digest, rights))
    }

    fn store(&self) {
        if self.has_news
            && let Ok(body) = serde_json::to_vec(&self.digests)
        {
            self.cache.put(Kind::Digest, &self.key, &body);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::cache::DEFAULT_SIZE;

    struct TreeTest {
        folder: tempfile::TempDir,
    }

    impl TreeTest {
        fn new() -> Self {
            let test = Self { folder: tempfile::tempdir().unwrap() };
            fs_err::create_dir_all(test.path("data/deep")).unwrap();
            fs_err::write(test.path("data/a.csv"), "1").unwrap();
            fs_err::write(test.path("data/deep/b.csv"), "2").unwrap();
            test
        }

        fn path(&self, name: &str) -> Utf8PathBuf {
            Utf8Path::from_path(self.folder.path()).unwrap().join("tree").join(name)
        }

        fn digest(&self, hidden: &[&str]) -> Result<Key, UncachedTree> {
            let folder = Utf8Path::from_path(self.folder.path()).unwrap();
            let cache = Cache::below(&folder.join("cache"), DEFAULT_SIZE);
            let hidden: Vec<Utf8PathBuf> = hidden.iter().map(|it| self.path(it)).collect();
            Trees::default().digest(&cache, &folder.join("tree"), &hidden)
        }
    }

    #[test]
    fn every_change_that_a_run_can_read_gives_another_digest() {
        let test = TreeTest::new();
        let mut seen = vec![test.digest(&[]).unwrap()];
        assert_eq!(Some(&test.digest(&[]).unwrap()), seen.first());
        let mut changed = |what: &str| {
            let digest = test.digest(&[]).unwrap();
            assert!(!seen.contains(&digest), "{what}");
            seen.push(digest);
        };
        fs_err::write(test.path("data/a.csv"), "3").unwrap();
        changed("content");
        fs_err::rename(test.path("data/a.csv"), test.path("data/c.csv")).unwrap();
        changed("name");
        fs_err::create_dir(test.path("empty")).unwrap();
        changed("an empty folder");
        std::os::unix::fs::symlink("data", test.path("link")).unwrap();
        changed("a link");
        use std::os::unix::fs::PermissionsExt as _;
        let executable = std::fs::Permissions::from_mode(0o755);
        fs_err::set_permissions(test.path("data/c.csv"), executable).unwrap();
        changed("a program");
    }

    #[test]
    fn what_is_hidden_does_not_count() {
        let test = TreeTest::new();
        let before = test.digest(&["data/deep", "data/a.csv"]).unwrap();
        fs_err::write(test.path("data/deep/b.csv"), "other").unwrap();
        fs_err::remove_file(test.path("data/a.csv")).unwrap();
        assert_eq!(test.digest(&["data/deep", "data/a.csv"]).unwrap(), before);
        assert_ne!(test.digest(&[]).unwrap(), before);
    }

    #[test]
    fn a_large_file_is_read_once_and_again_when_it_changed() {
        let test = TreeTest::new();
        let big = test.path("data/big.bin");
        fs_err::write(&big, vec![1; 2 << 20]).unwrap();
        let first = test.digest(&[]).unwrap();
        let old = now() - Duration::from_secs(100);
        File::open(&big).unwrap().set_modified(old).unwrap();
        assert_eq!(test.digest(&[]).unwrap(), first);
        // The same size and time: only the file system's own clock tells.
        fs_err::write(&big, vec![2; 2 << 20]).unwrap();
        File::open(&big).unwrap().set_modified(old).unwrap();
        assert_ne!(test.digest(&[]).unwrap(), first);
    }

    #[test]
    fn a_pipe_has_no_digest() {
        let test = TreeTest::new();
        let pipe = test.path("data/pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, pipe.as_str(), rustix::fs::Mode::RWXU).unwrap();
        assert_eq!(test.digest(&[]), Err(UncachedTree::Special(pipe)));
        assert!(test.digest(&["data/pipe"]).is_ok());
    }

    #[test]
    fn a_tree_that_is_too_large_is_told_before_it_is_read() {
        let test = TreeTest::new();
        // Nothing of it is on the disk.
        let hole = |name: &str, size: u64| {
            File::create(test.path(name)).unwrap().set_len(size).unwrap();
        };
        hole("data/z.bin", 6 << 40);
        let start = std::time::Instant::now();
        let too_large =
            Err(UncachedTree::TooLarge(test.path("").as_str().trim_end_matches('/').into()));
        assert_eq!(test.digest(&[]), too_large);
        assert!(start.elapsed() < Duration::from_secs(5));
        assert!(test.digest(&["data/z.bin"]).is_ok());
    }
}
