//! Files beside a notebook that its prose and its outputs name by their paths.
//!
//! In: an address as an author wrote it. Out: a picture, or the bytes of sound or film, whose kind is read from the
//! bytes and whose metadata are gone; or the reason why there is none. Reads by the one way for foreign files: nothing
//! outside of the project, nothing without an end. Never looks at an address with a scheme or a host.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::image::Picture;
use super::on_big_stack;
use super::remote::RemotePictures;
use crate::metadata;
use crate::sanitize::{MediaKind, Removed, SafePicture, UntrustedHtml};
use crate::site::Integrity;
use crate::source::credentials::Credentials;
use crate::source::project_file::{ProjectFileError, ProjectRoot};

/// Most bytes of a picture.
const MOST_PICTURE: u64 = 32 << 20;
/// Most bytes of a sound or a film.
const MOST_MEDIA: u64 = 128 << 20;
/// Most bytes of all files that a page shows; one that it shows twice counts twice.
const MOST_OF_PAGE: u64 = 256 << 20;
/// Longest address that is looked at, in bytes: no file system has longer paths.
const LONGEST: usize = 4096;
/// The notebook's folder, as a run sees it and as outputs name it.
const FOLDER_OF_RUN: &str = "nb/";

/// Files and pictures of the web that were asked for. Together they decide what a page shows of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    /// Files, each with the bound that it was read with: the digest of the bytes, or the reason why there are none.
    pub files: BTreeSet<(Utf8PathBuf, u64, String)>,
    /// Addresses of pictures of the web, each with what the lock says of it.
    pub pictures: BTreeMap<String, String>,
}

impl Taken {
    /// Whether nothing was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.pictures.is_empty()
    }
}

/// Why a file beside the notebook is not shown as it was meant to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A clause about the file.
    pub reason: String,
    /// The way out.
    pub help: Option<&'static str>,
}

impl Refusal {
    fn new(reason: impl Into<String>, help: Option<&'static str>) -> Self {
        Self { reason: reason.into(), help }
    }
}

/// Looks for secrets in a text that a page would hold; tells their kind.
pub type Search = Box<dyn Fn(&[u8]) -> Option<String> + Send + Sync>;

/// The files beside one notebook.
pub struct Neighbours {
    root: ProjectRoot,
    /// The path of the root.
    place: Utf8PathBuf,
    /// The notebook's folder, below the root.
    folder: Utf8PathBuf,
    search: Search,
    /// Pictures of the web; `None`: none is shown.
    remote: Option<RemotePictures>,
    state: Mutex<State>,
}

/// Files that were read.
#[derive(Default)]
struct State {
    files: BTreeMap<Utf8PathBuf, (u64, Read)>,
    /// Bytes of all uses.
    used: u64,
}

/// The bytes of a file, or why there are none; and whether there is a file at all.
pub type Read = Result<Arc<[u8]>, (Refusal, bool)>;

impl fmt::Debug for Neighbours {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Neighbours").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// A picture, and what is to be told about it.
pub(super) struct CheckedPicture {
    pub(super) picture: SafePicture,
    pub(super) removed: Vec<Removed>,
    /// Its type, by its bytes.
    pub(super) mime: &'static str,
    pub(super) told: Option<String>,
}

/// Sound or film without its metadata.
pub(super) struct NeighbourMedia {
    pub(super) kind: MediaKind,
    pub(super) bytes: Vec<u8>,
    pub(super) name: String,
}

impl Neighbours {
    /// The files below `root`, for a notebook in `folder` below it.
    #[must_use]
    pub fn new(root: &Utf8Path, folder: &Utf8Path, search: Search) -> Self {
        let (place, folder) = (root.to_owned(), folder.to_owned());
        let root = ProjectRoot::new(root);
        Self { root, place, folder, search, remote: None, state: Mutex::default() }
    }

    /// The same, with pictures of the web.
    #[must_use]
    pub fn with_remote(self, remote: Option<RemotePictures>) -> Self {
        Self { remote, ..self }
    }

    /// Pictures of the web, if the page may show some.
    #[must_use]
    pub fn remote(&self) -> Option<&RemotePictures> {
        self.remote.as_ref()
    }

    /// The root, and the notebook's folder below it.
    #[must_use]
    pub fn place(&self) -> (&Utf8Path, &Utf8Path) {
        (&self.place, &self.folder)
    }

    /// Files that were asked for until now.
    #[must_use]
    pub fn taken(&self) -> Taken {
        let state = self.state();
        let found = state.files.iter().map(|(path, (most, read))| {
            let found = match read {
                Ok(bytes) => Integrity::of(bytes).as_str().to_owned(),
                Err((refusal, _)) => refusal.reason.clone(),
            };
            (path.clone(), *most, found)
        });
        let pictures = self.remote.as_ref().map(RemotePictures::decided).unwrap_or_default();
        Taken { files: found.collect(), pictures }
    }

    /// Whether the files below a root are what they were when a page took them.
    #[must_use]
    pub fn still_hold(root: &Utf8Path, taken: &Taken) -> bool {
        let root = ProjectRoot::new(root);
        taken.files.iter().all(|(path, most, then)| match read_neighbour(&root, path, *most) {
            Ok(bytes) => Integrity::of(&bytes).as_str() == then,
            Err((refusal, _)) => refusal.reason == *then,
        })
    }

    /// Whether the page shows more of them than a page may.
    #[must_use]
    pub fn are_too_many(&self) -> bool {
        self.state().used > MOST_OF_PAGE
    }

    /// The picture at an address.
    pub(super) fn picture(&self, address: &str) -> Result<CheckedPicture, Refusal> {
        let (path, bytes) = self.find(address, MOST_PICTURE)?;
        let found = self.checked(&bytes, path.file_name().unwrap_or_default())?;
        let told = disguised(&path, found.mime);
        Ok(CheckedPicture { told, ..found })
    }

    /// Bytes as a picture without its metadata, of a file with a name.
    pub(super) fn checked(&self, bytes: &[u8], name: &str) -> Result<CheckedPicture, Refusal> {
        self.search(bytes)?;
        picture_of(bytes, name)
    }

    /// Counts bytes that the page shows.
    pub(super) fn count(&self, bytes: usize) -> Result<(), Refusal> {
        let mut state = self.state();
        state.used = state.used.saturating_add(bytes as u64);
        if state.used > MOST_OF_PAGE {
            // The page is not made, and its cells need no more memory.
            return Err(Refusal::new("there are too many such files", None));
        }
        Ok(())
    }

    /// The sound or film at an address.
    pub(super) fn media(&self, address: &str, is_film: bool) -> Result<NeighbourMedia, Refusal> {
        let (path, bytes) = self.find(address, MOST_MEDIA)?;
        self.search(&bytes)?;
        let what = if is_film { "video" } else { "audio" };
        let kind = MediaKind::of(&bytes, is_film).ok_or_else(|| match is_pointer(&bytes) {
            true => Refusal::new(
                "it is a Git LFS pointer, and not the file",
                Some("get the file itself: `git lfs pull`"),
            ),
            false => Refusal::new(
                format!("it is no {what} of a kind that browsers play, by its content"),
                None,
            ),
        })?;
        let stripped = metadata::strip(&bytes).map_err(|_| {
            Refusal::new(format!("it {}", metadata::STUCK), Some("save it with another program"))
        })?;
        let name = path.file_name().unwrap_or_default().to_owned();
        Ok(NeighbourMedia { kind, bytes: stripped.into_owned(), name })
    }

    /// Refuses a drawing, or a file whose metadata, hold what looks like a secret. Metadata are not shown, but their author
    /// may have published them elsewhere.
    fn search(&self, bytes: &[u8]) -> Result<(), Refusal> {
        let texts = metadata::texts(bytes);
        let own = drawing(bytes).map(str::as_bytes);
        let found = texts.iter().map(Vec::as_slice).chain(own).find_map(|it| (self.search)(it));
        let help = "revoke it, and take it out of the file";
        match found {
            Some(what) => Err(Refusal::new(format!("it holds what looks like {what}"), Some(help))),
            None => Ok(()),
        }
    }

    /// The first file that an address may mean.
    fn find(&self, address: &str, most: u64) -> Result<(Utf8PathBuf, Arc<[u8]>), Refusal> {
        let help = Some("name the folder that holds both: `nbc build FOLDER`");
        let mut refusal = None;
        for path in neighbour_paths(&self.folder, address) {
            let Some(path) = path else {
                refusal =
                    refusal.or(Some(Refusal::new(ProjectFileError::Outside.to_string(), help)));
                continue;
            };
            match self.read(&path, most) {
                Ok(bytes) => {
                    self.count(bytes.len())?;
                    return Ok((path, bytes));
                }
                Err((_, false)) => {}
                Err((found, true)) => refusal = Some(found),
            }
        }
        Err(refusal.unwrap_or_else(|| Refusal::new("there is no such file in the project", None)))
    }

    fn read(&self, path: &Utf8Path, most: u64) -> Read {
        if let Some((bound, known)) = self.state().files.get(path)
            && *bound >= most
        {
            return known.clone();
        }
        let found = read_neighbour(&self.root, path, most);
        self.state().files.insert(path.to_owned(), (most, found.clone()));
        found
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes as a picture without its metadata, of a file with a name. Its kind is that of the bytes.
fn picture_of(bytes: &[u8], name: &str) -> Result<CheckedPicture, Refusal> {
    if let Some(text) = drawing(bytes) {
        let found = SafePicture::of_drawing(&UntrustedHtml::new(text.to_owned()));
        let (picture, removed) = found.ok_or_else(|| {
            Refusal::new("it is an SVG image that is too large or too complex to be shown", None)
        })?;
        return Ok(CheckedPicture { picture, removed, mime: "image/svg+xml", told: None });
    }
    let data = STANDARD.encode(bytes);
    let picture = Picture::parse(&data).map_err(|why| match why {
        metadata::STUCK => Refusal::new(format!("it {why}"), Some("save it with another program")),
        _ if is_pointer(bytes) => Refusal::new(
            "it is a Git LFS pointer, and not the picture",
            Some("get the file itself: `git lfs pull`"),
        ),
        "has more pixels than a page may show" => Refusal::new(format!("it {why}"), None),
        _ => Refusal::new("it is no PNG, JPEG, GIF, WebP or SVG image by its content", None),
    })?;
    let mime = picture.mime();
    let found = SafePicture::of_pixels(picture.address(), Some(name), picture.size());
    let picture = found.ok_or_else(|| Refusal::new("it is no image that a page may hold", None))?;
    Ok(CheckedPicture { picture, removed: Vec::new(), mime, told: None })
}

/// The type of bytes that a page can show as a picture; the error is a clause about them.
///
/// # Errors
/// When they are none.
pub fn picture_type(bytes: &[u8]) -> Result<&'static str, String> {
    on_big_stack(|| picture_of(bytes, "").map(|it| it.mime).map_err(|it| it.reason))
}

/// Whether an address means a file of the project, and neither another host nor a place in the page.
#[must_use]
pub fn is_local(address: &str) -> bool {
    let address = address.trim();
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let first = path.split('/').next().unwrap_or_default();
    !path.is_empty() && address.len() <= LONGEST && !first.contains(':') && {
        let slashes = address.bytes().take(2).filter(|it| matches!(it, b'/' | b'\\')).count();
        slashes < 2
    }
}

/// The paths below the root that an address may mean, the likeliest first; `None` for one that leads out of it.
/// Browsers decode escapes and drop what stands behind `?`; Windows has other separators; a path that begins with `/` counts from
/// the root of the project, or from the folder of a notebook that is served from there (marimo's `public/`).
#[must_use]
pub fn neighbour_paths(folder: &Utf8Path, address: &str) -> Vec<Option<Utf8PathBuf>> {
    let written = address.trim().split(['?', '#']).next().unwrap_or_default();
    let decoded = percent_decoded(written);
    let mut found: Vec<Option<Utf8PathBuf>> = Vec::new();
    let mut add = |path: Option<Utf8PathBuf>| {
        if !found.contains(&path) {
            found.push(path);
        }
    };
    for text in [&*decoded, written] {
        if text.contains(char::is_control) {
            continue;
        }
        for text in [Cow::Borrowed(text), Cow::Owned(text.replace('\\', "/"))] {
            match text.strip_prefix('/') {
                Some(rest) => {
                    add(normalized(Utf8Path::new(""), rest));
                    add(normalized(folder, rest));
                    if let Some(rest) = rest.strip_prefix(FOLDER_OF_RUN) {
                        add(normalized(folder, rest));
                    }
                }
                None => add(normalized(folder, &text)),
            }
        }
    }
    found
}

/// A path seen from a folder, both below the root; `None` when it leads out of it.
fn normalized(folder: &Utf8Path, path: &str) -> Option<Utf8PathBuf> {
    let mut found = Utf8PathBuf::new();
    for component in folder.components().chain(Utf8Path::new(path).components()) {
        match component {
            Utf8Component::Normal(name) => found.push(name),
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir => {
                if !found.pop() {
                    return None;
                }
            }
            Utf8Component::RootDir | Utf8Component::Prefix(_) => return None,
        }
    }
    Some(found)
}

/// `%20` is a space. Escapes that are none, or of no text, stay as they are.
pub(super) fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let digit = |it: Option<&u8>| it.and_then(|it| char::from(*it).to_digit(16));
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let escaped = (*byte == b'%')
            .then(|| digit(bytes.get(at + 1)).zip(digit(bytes.get(at + 2))))
            .flatten()
            .and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        out.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Reads a file of a project, unless its name says that it holds credentials.
///
/// # Errors
/// When it cannot be read; with whether there is a file at all.
pub fn read_neighbour(root: &ProjectRoot, path: &Utf8Path, most: u64) -> Read {
    static CREDENTIALS: LazyLock<Option<Credentials>> = LazyLock::new(|| Credentials::new().ok());
    let holds =
        |name: &str| CREDENTIALS.as_ref().is_none_or(|it| it.hold(Utf8Path::new(name), false));
    let found = match path.components().any(|it| holds(it.as_str())) {
        true => Err(ProjectFileError::Credentials),
        false => root.read(path, most),
    };
    found.map(Arc::from).map_err(|error| {
        let is_there = !error.is_missing();
        let reason = match &error {
            ProjectFileError::System(error) => system_reason(error.kind()).to_owned(),
            other => other.to_string(),
        };
        (Refusal { reason, help: error.help() }, is_there)
    })
}

/// The system's words differ between machines, and pages are to be equal.
fn system_reason(kind: std::io::ErrorKind) -> &'static str {
    match kind {
        std::io::ErrorKind::NotFound => "there is no such file in the project",
        std::io::ErrorKind::PermissionDenied => "the system does not let nbc read it",
        _ => "it cannot be read",
    }
}

/// The text of an SVG file: its first element is `svg`.
fn drawing(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    loop {
        let end = match rest {
            it if it.starts_with("<!--") => "-->",
            it if it.starts_with("<?") || it.starts_with("<!") => ">",
            it => {
                break it
                    .get(..4)
                    .is_some_and(|it| it.eq_ignore_ascii_case("<svg"))
                    .then_some(text);
            }
        };
        rest = rest.split_once(end)?.1.trim_start();
    }
}

fn is_pointer(bytes: &[u8]) -> bool {
    bytes.starts_with(b"version https://git-lfs.github.com/spec/")
}

/// The words about a file whose name says another kind than its bytes.
fn disguised(path: &Utf8Path, mime: &str) -> Option<String> {
    let said = match path.extension()?.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" | "jpe" | "jfif" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        _ => return None,
    };
    let name = match mime {
        "image/png" => "PNG",
        "image/jpeg" => "JPEG",
        "image/gif" => "GIF",
        "image/webp" => "WebP",
        _ => "SVG",
    };
    (said != mime).then(|| {
        format!("it is {} {name} image by its content, and is shown as one", article(name))
    })
}

fn article(name: &str) -> &'static str {
    if name == "SVG" { "an" } else { "a" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(folder: &str, address: &str) -> Vec<String> {
        let found = neighbour_paths(Utf8Path::new(folder), address).into_iter();
        found.map(|it| it.map_or("outside".to_owned(), Utf8PathBuf::into_string)).collect()
    }

    #[test]
    fn an_address_is_read_as_authors_write_it() {
        for (address, path) in [
            ("img/a.png", "nb/img/a.png"),
            ("./img/./a.png", "nb/img/a.png"),
            ("../a.png", "a.png"),
            ("b%20c.png", "nb/b c.png"),
            ("b c.png", "nb/b c.png"),
            ("a.png?raw=true#x", "nb/a.png"),
            ("%C3%A9.png", "nb/é.png"),
            ("/img/a.png", "img/a.png"),
            ("x/../../a.png", "a.png"),
            ("../../a.png", "outside"),
            ("/../a.png", "outside"),
            ("%2e%2e/%2e%2e/a.png", "outside"),
        ] {
            assert_eq!(of("nb", address).first().map(String::as_str), Some(path), "{address}");
        }
        assert_eq!(of("", "img\\a.png"), ["img\\a.png", "img/a.png"]);
        assert_eq!(of("d", "100%.png"), ["d/100%.png"]);
        assert_eq!(of("d", "/public/a.png"), ["public/a.png", "d/public/a.png"]);
        assert_eq!(of("d", "/nb/a.png"), ["nb/a.png", "d/nb/a.png", "d/a.png"]);
        assert!(of("", "a\0.png").is_empty());
    }

    #[test]
    fn an_address_of_elsewhere_is_none_of_the_project() {
        for address in [
            "https://e.x/a.png",
            "//e.x/a",
            "\\\\e\\a",
            "/\\e",
            "data:x",
            "#a",
            "?a",
            "",
            "C:\\a",
            "attachment:a",
        ] {
            assert!(!is_local(address), "{address}");
        }
        for address in ["a.png", "/a.png", "../a.png", "a/b:c.png", "\\a.png"] {
            assert!(is_local(address), "{address}");
        }
        assert!(!is_local(&"a".repeat(LONGEST + 1)));
    }

    #[test]
    fn a_drawing_begins_with_its_element() {
        for text in
            ["<svg/>", "\u{feff} <?xml version='1.0'?>\n<!-- <svg> -->\n<!DOCTYPE svg>\n<SVG >"]
        {
            assert!(drawing(text.as_bytes()).is_some(), "{text}");
        }
        for text in ["<html><svg></svg></html>", "<!--", "", "<sv", "\u{ff}<svg>"] {
            assert!(drawing(text.as_bytes()).is_none(), "{text}");
        }
    }

    fn neighbours(folder: &Utf8Path) -> Neighbours {
        let search: Search =
            Box::new(|text| memchr::memmem::find(text, b"s3cret").map(|_| "a key".to_owned()));
        Neighbours::new(folder, Utf8Path::new(""), search)
    }

    const GIF: &[u8] = b"GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x08\xff";

    #[test]
    fn a_file_is_shown_by_its_content_or_told() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(directory.path()).unwrap();
        let put = |name: &str, bytes: &[u8]| fs_err::write(folder.join(name), bytes).unwrap();
        put("a.gif", GIF);
        put("a.png", GIF);
        put("page.png", b"<html><script>x</script>");
        put("pointer.png", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n");
        put("secret.svg", b"<svg><text>s3cret</text></svg>");
        put("empty.png", b"");
        put("huge.gif", b"");
        std::fs::File::options()
            .write(true)
            .open(folder.join("huge.gif"))
            .unwrap()
            .set_len(1 << 40)
            .unwrap();
        fs_err::create_dir(folder.join("folder.png")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc/hostname", folder.join("out.png")).unwrap();
        let found = neighbours(folder);
        assert!(found.picture("a.gif").is_ok_and(|it| it.told.is_none()));
        let told = found.picture("a.png").ok().and_then(|it| it.told).unwrap();
        assert!(told.contains("a GIF image by its content"), "{told}");
        for (address, reason) in [
            ("page.png", "no PNG, JPEG, GIF, WebP or SVG image"),
            ("empty.png", "no PNG, JPEG, GIF, WebP or SVG image"),
            ("pointer.png", "Git LFS pointer"),
            ("secret.svg", "looks like a key"),
            ("huge.gif", "larger than 32 MiB"),
            ("folder.png", "no regular file"),
            ("none.png", "no such file"),
            ("../up.png", "leads out"),
            ("out.png", "leads out"),
            (".env", "credentials"),
        ] {
            let refusal =
                found.picture(address).err().unwrap_or_else(|| panic!("{address} is shown"));
            assert!(refusal.reason.contains(reason), "{address}: {}", refusal.reason);
        }
        let refusal = found.media("a.gif", true).err().unwrap();
        assert!(refusal.reason.contains("no video"), "{}", refusal.reason);
        let taken = found.taken();
        assert!(taken.files.iter().any(|(path, ..)| path == "none.png"));
        assert!(Neighbours::still_hold(folder, &taken));
        put("none.png", GIF);
        assert!(!Neighbours::still_hold(folder, &taken));
    }

    #[test]
    fn a_page_shows_files_up_to_its_bound() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(directory.path()).unwrap();
        let mut bytes = GIF.to_vec();
        bytes.resize(20 << 20, 0);
        fs_err::write(folder.join("a.gif"), &bytes).unwrap();
        let found = neighbours(folder);
        for _ in 0..12 {
            assert!(found.find("a.gif", MOST_PICTURE).is_ok() && !found.are_too_many());
        }
        assert!(found.find("a.gif", MOST_PICTURE).is_err() && found.are_too_many());
    }
}
