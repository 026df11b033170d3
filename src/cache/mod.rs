//! Results of earlier builds, by their dependencies: a hit is what a miss would give.
//!
//! In: a [`Key`], the digest of everything that decides. Out: the bytes that were stored under it, or nothing.
//! No entry decides which program is started, or anything else about code that runs outside the sandbox.
//! Builds of any number share the folder. Never an error: an entry that is damaged, or that another program
//! wrote, is a miss with a warning, and what cannot be written is not kept.

mod key;
mod place;
mod tree;

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

pub use key::{Key, KeyBuilder};
pub use place::{CacheFolderError, claim, locate};
pub use tree::{Evidence, Stamp, Trees, UncachedTree, is_unchanged, listing};

use crate::config::ByteSize;

/// Version of the layout: part of the path, so that versions of nbc do not meet.
const FORMAT: &str = "entries-1";
/// Size of all entries, unless another is asked for.
pub const DEFAULT_SIZE: ByteSize = ByteSize(2 << 30);
/// Largest entry that is read or written, in bytes.
const LARGEST: u64 = 1 << 30;
/// Bytes of the first line: its words and two digests in hexadecimal.
const HEADER: usize = 256;
/// An entry is marked as used at most this often.
const MARKED: Duration = Duration::from_secs(600);
/// Younger files without their name may be the work of a build that runs.
const SETTLED: Duration = Duration::from_secs(3600);

/// Kinds of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The run of a notebook.
    Run,
    /// Pictures of charts.
    Picture,
    /// Digests of large files, by what the file system says of these.
    Digest,
    /// Files that a whole build read, and its messages.
    Site,
    /// Scripts of charts, compressed.
    Packed,
    /// Parts of keys, and lists of files: what `nbc cache why` compares. They decide nothing.
    Parts,
    /// Answers of interpreters about themselves. They decide keys, and never which program is started.
    Answer,
    /// Pictures of the web, by their own digests.
    WebPicture,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Run,
        Self::Picture,
        Self::Digest,
        Self::Site,
        Self::Packed,
        Self::Parts,
        Self::Answer,
        Self::WebPicture,
    ];

    /// Name of its folder.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "runs",
            Self::Picture => "pictures",
            Self::Digest => "digests",
            Self::Site => "sites",
            Self::Packed => "packed",
            Self::Parts => "parts",
            Self::Answer => "answers",
            Self::WebPicture => "web-pictures",
        }
    }
}

/// The entries of one folder.
#[derive(Debug)]
pub struct Cache {
    folder: Utf8PathBuf,
    size: u64,
    /// Bytes that were written since the last look at its size.
    written: AtomicU64,
    warnings: Mutex<Vec<String>>,
}

/// Why the file of an entry is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Damage {
    /// Its first line is not one of nbc's.
    #[error("nbc did not write it")]
    Foreign,
    /// It is one of nbc's, but not what its name says.
    #[error("it is another entry than its name says")]
    Misplaced,
    /// The body is shorter or longer than when it was written, or another one.
    #[error("it is cut short, or was changed")]
    Changed,
}

/// An entry that is written and not yet found; dropped, it is gone.
#[derive(Debug)]
pub struct Pending {
    file: tempfile::TempPath,
    path: Utf8PathBuf,
    bytes: u64,
}

/// Writing since somebody last looked whether all entries are below the bound.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    bytes: u64,
    /// The bound that held then.
    bound: u64,
}

/// Number and bytes of the entries of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Number of entries.
    pub entries: u64,
    /// Their bytes on disk.
    pub bytes: u64,
}

impl Cache {
    /// The cache below a folder, kept below `size` bytes. Nothing is read or made yet.
    #[must_use]
    pub fn below(folder: &Utf8Path, size: ByteSize) -> Self {
        Self {
            folder: folder.join(FORMAT),
            size: size.0,
            written: AtomicU64::new(0),
            warnings: Mutex::default(),
        }
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    fn path(&self, kind: Kind, key: &Key) -> Utf8PathBuf {
        let name = key.as_str();
        self.folder.join(kind.name()).join(name.get(..2).unwrap_or_default()).join(name)
    }

    /// Whether there is an entry for a key; it may still turn out to be damaged.
    #[must_use]
    pub fn has(&self, kind: Kind, key: &Key) -> bool {
        self.path(kind, key).is_file()
    }

    /// The bytes that were stored under a key, unchanged.
    #[must_use]
    pub fn get(&self, kind: Kind, key: &Key) -> Option<Vec<u8>> {
        let path = self.path(kind, key);
        let mut file = open(&path).ok()?;
        let read = read(&mut file, kind, key.as_str());
        match read {
            Ok(Ok(body)) => {
                mark(&file);
                Some(body)
            }
            Ok(Err(damage)) => {
                self.warn(format!("the cache entry `{path}` is left aside: {damage}"));
                // The entry that replaces it will be whole.
                let _ = fs_err::remove_file(&path);
                None
            }
            Err(_) => None,
        }
    }

    /// Stores what belongs to a key. The entry appears whole or not at all.
    pub fn put(&self, kind: Kind, key: &Key, body: &[u8]) {
        if let Some(pending) = self.prepare(kind, key, body) {
            self.commit(pending);
        }
    }

    /// Writes what belongs to a key; nobody finds it before it is committed.
    #[must_use]
    pub fn prepare(&self, kind: Kind, key: &Key, body: &[u8]) -> Option<Pending> {
        if body.len() as u64 > LARGEST.min(self.size) {
            return None;
        }
        let written = self.write(kind, key, body);
        written.map_err(|error| self.warn_of(&error)).ok()
    }

    /// Lets others find an entry.
    pub fn commit(&self, pending: Pending) {
        match pending.file.persist(pending.path) {
            Ok(()) => drop(self.written.fetch_add(pending.bytes, Ordering::Relaxed)),
            Err(error) => self.warn_of(&error.error),
        }
    }

    fn warn_of(&self, error: &io::Error) {
        self.warn(format!("the cache `{}` cannot be written: {error}", self.folder));
    }

    fn write(&self, kind: Kind, key: &Key, body: &[u8]) -> io::Result<Pending> {
        let path = self.path(kind, key);
        let folder = path.parent().unwrap_or(&self.folder);
        if let Some(shared) = self.folder.parent() {
            fs_err::create_dir_all(shared)?;
        }
        make_private(folder)?;
        let between = folder.ancestors().take_while(|it| it.starts_with(&self.folder));
        // A restored cache may hold links, which would lead out of it.
        for it in between {
            if !std::fs::symlink_metadata(it)?.is_dir() {
                return Err(io::Error::other(format!("`{it}` is a link")));
            }
        }
        // Only the owner may read it: outputs of notebooks are nobody else's, and not yet sanitized.
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
        let header = header(kind, key.as_str(), body);
        file.write_all(header.as_bytes())?;
        file.write_all(body)?;
        let bytes = (header.len() + body.len()) as u64;
        Ok(Pending { file: file.into_temp_path(), path, bytes })
    }

    /// Says a thing once.
    fn warn(&self, message: String) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk says the same for each entry.
        if !warnings.contains(&message) && warnings.len() < 20 {
            warnings.push(message);
        }
    }

    /// Warnings for the user, each once.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Removes what was not used for longest until the rest fits. Builds that write little do not look at each entry:
    /// a hundredth of the bound may be written between two looks.
    pub fn trim(&self) {
        let written = self.written.swap(0, Ordering::Relaxed);
        if written == 0 {
            return;
        }
        let key = KeyBuilder::new("unchecked").end();
        let seen = self.get(Kind::Parts, &key).and_then(|it| serde_json::from_slice(&it).ok());
        let seen: Option<Unchecked> = seen.filter(|it: &Unchecked| it.bound <= self.size);
        let bytes = seen.map_or(self.size, |it| it.bytes.saturating_add(written));
        let is_due = bytes >= self.size / 100;
        if is_due {
            self.trim_to(self.size);
        }
        let now = Unchecked { bytes: if is_due { 0 } else { bytes }, bound: self.size };
        if let Ok(body) = serde_json::to_vec(&now) {
            self.put(Kind::Parts, &key, &body);
            self.written.store(0, Ordering::Relaxed);
        }
    }

    fn trim_to(&self, size: u64) {
        let mut files = Vec::new();
        for (path, metadata) in self.files() {
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let is_named = !path.file_name().unwrap_or_default().starts_with('.');
            if is_named {
                files.push((used, metadata.len(), path));
            } else if now().duration_since(used).is_ok_and(|it| it > SETTLED) {
                let _ = fs_err::remove_file(path);
            }
        }
        let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        if total <= size - size / 100 {
            return;
        }
        files.sort();
        // Some room is left, so that not every build has to look for more.
        let aim = size - size / 10;
        for (_, bytes, path) in files {
            if total <= aim {
                break;
            }
            if fs_err::remove_file(path).is_ok() {
                total -= bytes;
            }
        }
    }

    fn files(&self) -> impl Iterator<Item = (Utf8PathBuf, std::fs::Metadata)> {
        // A link in the place of the folder would have `clear` empty another one.
        let walk = walkdir::WalkDir::new(&self.folder).follow_root_links(false);
        let entries = walk.min_depth(1).into_iter();
        entries.filter_map(Result::ok).filter(|it| it.file_type().is_file()).filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            Some((Utf8PathBuf::from_path_buf(entry.into_path()).ok()?, metadata))
        })
    }

    /// Disk space of the entries, by kind.
    #[must_use]
    pub fn usage(&self) -> Vec<(Kind, Usage)> {
        let mut all: Vec<(Kind, Usage)> =
            Kind::ALL.into_iter().map(|kind| (kind, Usage::default())).collect();
        for (path, metadata) in self.files() {
            let found = all.iter_mut().find(|it| is_below(&self.folder, &path, it.0));
            if let Some((_, usage)) = found {
                usage.entries += 1;
                usage.bytes += metadata.len();
            }
        }
        all
    }

    /// Removes every entry; gives what they took.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn clear(&self) -> io::Result<Usage> {
        let mut removed = Usage::default();
        for (path, metadata) in self.files() {
            match fs_err::remove_file(path) {
                Ok(()) => {
                    removed.entries += 1;
                    removed.bytes += metadata.len();
                }
                // Another build was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(removed)
    }

    /// Reads every entry; gives the number of those that are whole, and the others with the reason.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn verify(&self) -> io::Result<(u64, Vec<(Utf8PathBuf, String)>)> {
        let (mut whole, mut damaged) = (0, Vec::new());
        for (path, _) in self.files() {
            let name = path.file_name().unwrap_or_default();
            if name.starts_with(".new-") {
                continue;
            }
            let kind = Kind::ALL.into_iter().find(|it| is_below(&self.folder, &path, *it));
            let result = match (kind, open(&path)) {
                (None, _) => Err(Damage::Foreign),
                (Some(kind), Ok(mut file)) => read(&mut file, kind, name)?.map(drop),
                (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => continue,
                (_, Err(error)) => return Err(error),
            };
            match result {
                Ok(()) => whole += 1,
                Err(damage) => damaged.push((path, damage.to_string())),
            }
        }
        damaged.sort();
        Ok((whole, damaged))
    }
}

fn is_below(folder: &Utf8Path, path: &Utf8Path, kind: Kind) -> bool {
    path.strip_prefix(folder).is_ok_and(|it| it.starts_with(kind.name()))
}

/// A folder that only the owner may enter.
pub(crate) fn make_private(folder: &Utf8Path) -> io::Result<()> {
    make(folder, 0o700)
}

/// A folder with at most these rights, whatever the mask of the user is.
pub(crate) fn make(folder: &Utf8Path, mode: u32) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, mode);
    #[cfg(not(unix))]
    let _ = mode;
    builder.recursive(true).create(folder)
}

/// A plain file; neither a link nor a pipe, which could wait for ever.
pub(crate) fn open(path: &Utf8Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
        options.custom_flags(flags.bits() as i32);
    }
    options.open(path)
}

/// The first line of an entry: all that must hold of the rest.
fn header(kind: Kind, name: &str, body: &[u8]) -> String {
    format!("nbc {FORMAT} {} {name} {} {}\n", kind.name(), body.len(), key::digest(body))
}

fn read(file: &mut File, kind: Kind, name: &str) -> io::Result<Result<Vec<u8>, Damage>> {
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > LARGEST + HEADER as u64 {
        return Ok(Err(Damage::Foreign));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.take(LARGEST + HEADER as u64).read_to_end(&mut bytes)?;
    let start = bytes.get(..bytes.len().min(HEADER)).unwrap_or_default();
    let Some(end) = memchr::memchr(b'\n', start) else { return Ok(Err(Damage::Foreign)) };
    let line = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned();
    let body = bytes.split_off(end + 1);
    let words: Vec<&str> = line.split(' ').collect();
    let &["nbc", FORMAT, its_kind, its_name, length, digest] = words.as_slice() else {
        return Ok(Err(Damage::Foreign));
    };
    Ok(if (its_kind, its_name) != (kind.name(), name) {
        Err(Damage::Misplaced)
    } else if length != body.len().to_string() || digest != key::digest(&body) {
        Err(Damage::Changed)
    } else {
        Ok(body)
    })
}

/// The time, for what is kept on this machine.
pub(crate) fn now() -> SystemTime {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long nobody used an entry is no input of a page"
    )]
    SystemTime::now()
}

/// Remembers the use. A folder that cannot be written can still be used.
fn mark(file: &File) {
    let now = now();
    let used = file.metadata().and_then(|it| it.modified());
    if used.is_ok_and(|it| now.duration_since(it).is_ok_and(|it| it > MARKED)) {
        let _ = file.set_modified(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct CacheTest {
        cache: Cache,
        _folder: tempfile::TempDir,
    }

    impl CacheTest {
        fn new(size: u64) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = Utf8Path::from_path(folder.path()).unwrap();
            Self { cache: Cache::below(path, ByteSize(size)), _folder: folder }
        }

        fn put(&self, name: &str, body: &[u8]) -> Utf8PathBuf {
            self.cache.put(Kind::Run, &key(name), body);
            self.cache.path(Kind::Run, &key(name))
        }

        fn get(&self, name: &str) -> Option<Vec<u8>> {
            self.cache.get(Kind::Run, &key(name))
        }
    }

    fn key(name: &str) -> Key {
        KeyBuilder::new("test").text("name", name).end()
    }

    #[test]
    fn what_was_stored_comes_back() {
        let test = CacheTest::new(1 << 20);
        assert_eq!(test.get("a"), None);
        test.put("a", b"one");
        test.put("b", b"");
        assert_eq!(test.get("a").as_deref(), Some(&b"one"[..]));
        assert_eq!(test.get("b").as_deref(), Some(&b""[..]));
        // Kinds do not meet.
        assert_eq!(test.cache.get(Kind::Picture, &key("a")), None);
        assert!(test.cache.take_warnings().is_empty());
    }

    #[test]
    fn a_damaged_or_foreign_entry_is_a_miss_with_a_warning() {
        let test = CacheTest::new(1 << 20);
        let whole = fs_err::read(test.put("a", b"some output")).unwrap();
        let path = test.cache.path(Kind::Run, &key("a"));
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        let other = fs_err::read(test.put("b", b"some output")).unwrap();
        let longer = [&whole[..], b"x"].concat();
        let empty = Vec::new();
        for bytes in [&flipped, &other, &longer, &empty, &b"junk\n".to_vec(), &vec![0; 400]] {
            fs_err::write(&path, bytes).unwrap();
            assert_eq!(test.cache.verify().unwrap().1.len(), 1);
            assert_eq!(test.get("a"), None);
            assert_eq!(test.cache.take_warnings().len(), 1);
            assert!(!path.exists());
        }
        for end in 0..whole.len() {
            fs_err::write(&path, whole.get(..end).unwrap()).unwrap();
            assert_eq!(test.get("a"), None, "{end}");
        }
        test.put("a", b"some output");
        assert_eq!(test.get("a").as_deref(), Some(&b"some output"[..]));
    }

    #[test]
    fn a_link_or_a_folder_in_the_place_of_an_entry_is_a_miss() {
        let test = CacheTest::new(1 << 20);
        let path = test.put("a", b"x");
        let moved = path.with_file_name("moved");
        fs_err::rename(&path, &moved).unwrap();
        std::os::unix::fs::symlink(&moved, &path).unwrap();
        assert_eq!(test.get("a"), None);
        fs_err::remove_file(&path).unwrap();
        fs_err::create_dir(&path).unwrap();
        assert_eq!(test.get("a"), None);
        test.put("a", b"y");
        assert_eq!(test.cache.take_warnings().len(), 2);
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let test = CacheTest::new(4000);
        let days = |days: u64| now() - Duration::from_secs(days * 24 * 3600);
        for (name, age) in [("a", 3), ("b", 9), ("c", 1), ("d", 5)] {
            let path = test.put(name, &[0; 1000]);
            File::open(path).unwrap().set_modified(days(age)).unwrap();
        }
        // A use makes it young.
        assert!(test.get("b").is_some());
        test.cache.trim();
        let left = ["a", "b", "c", "d"].map(|it| test.get(it).is_some());
        assert_eq!(left, [true, true, true, false]);
    }

    #[test]
    fn builds_that_write_little_do_not_look_at_each_entry_and_all_stay_below_the_bound() {
        let test = CacheTest::new(1 << 20);
        let entries = || test.cache.files().filter(|(it, _)| it.as_str().contains("/runs/"));
        let (mut looks, mut builds) = (0, 0);
        for build in 0..400 {
            // Found by each look, and gone then.
            let stray = test.put("stray", b"").with_file_name(".new-stray");
            fs_err::write(&stray, "").unwrap();
            File::open(&stray).unwrap().set_modified(now() - 2 * SETTLED).unwrap();
            test.put(&format!("of build {build}"), &[0; 3000]);
            test.cache.trim();
            builds += 1;
            looks += usize::from(!stray.exists());
            assert!(entries().map(|it| it.1.len()).sum::<u64>() <= 1 << 20);
        }
        assert!(looks > builds / 10 && looks < builds / 2, "{looks} of {builds}");
        // A smaller bound holds at once.
        let small = Cache::below(test.cache.folder().parent().unwrap(), ByteSize(100_000));
        small.put(Kind::Run, &key("a"), b"");
        small.trim();
        assert!(entries().map(|it| it.1.len()).sum::<u64>() <= 100_000);
    }

    #[test]
    fn an_entry_over_the_bound_is_not_kept() {
        let test = CacheTest::new(100);
        test.put("a", &[0; 101]);
        assert_eq!(test.get("a"), None);
        assert_eq!(test.cache.usage().iter().map(|it| it.1.entries).sum::<u64>(), 0);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = Utf8Path::from_path(folder.path()).unwrap().join("file");
        fs_err::write(&file, "").unwrap();
        let cache = Cache::below(&file, DEFAULT_SIZE);
        cache.put(Kind::Run, &key("a"), b"");
        cache.put(Kind::Run, &key("b"), b"");
        assert_eq!(cache.take_warnings().len(), 1);
    }

    #[test]
    fn builds_that_write_the_same_entry_do_not_disturb_each_other() {
        let test = CacheTest::new(1 << 30);
        let body = vec![7; 1 << 20];
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        test.put("a", &body);
                        let got = test.get("a");
                        assert!(got.is_none_or(|it| it == body));
                        test.cache.trim_to(10);
                    }
                });
            }
        });
        assert!(test.cache.take_warnings().is_empty());
    }
}
