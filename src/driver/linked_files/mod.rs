//! Files that prose links to: published with the site, each once, named by its name and its content.
//!
//! In: the address of a link as an author wrote it. Out: a file of the site, or the reason why there is none. Of exactly
//! eleven kinds, read by the one way for foreign files, and searched for secrets, archives member by member.

mod archive;
mod decoded;
mod digits;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};

use super::allowed::Allowed;
use super::{Failure, exposure, offered};
use crate::diagnostic::{Code, Diagnostic};
use crate::emit::Layout;
use crate::metadata;
use crate::output::{Refusal, Taken, is_local, neighbour_paths, read_neighbour};
use crate::render::readable;
use crate::sanitize::Link;
use crate::secret::{self, Leak, Scanner};
use crate::site::{Asset, Integrity, Site, SitePath};
use crate::source::Span;
use crate::source::project_file::{ProjectFileError, ProjectRoot};
use archive::{Unpacker, is_archive};

/// Kinds of files that are published: data and code that no browser runs.
const KINDS: [&str; 11] =
    ["csv", "tsv", "txt", "json", "pdf", "xlsx", "ods", "zip", "parquet", "ipynb", "py"];
/// Most bytes of a file.
const MOST_OF_FILE: u64 = 50 << 20;
/// Most bytes of all of them.
const MOST_OF_SITE: u64 = 500 << 20;
/// The list of kinds, as findings tell it.
const ONLY: &str = "only csv, tsv, txt, json, pdf, xlsx, ods, zip, parquet, ipynb and py files are published with a site";

/// An answer to the question for the file behind a link.
#[derive(Debug, Clone)]
pub(super) enum LinkedFile {
    /// There is no such file.
    Missing,
    /// It is a file of the site.
    Published {
        path: SitePath,
        /// Name that readers save it under.
        name: String,
    },
    /// It is there and not published.
    Refused(Refusal),
    /// It holds what looks like secrets.
    Leaked(Vec<Leak>),
    /// It holds the value of a variable or file that the build was given.
    Exposed(String),
}

/// A file that was looked at: the digest of its bytes or the reason why there are none, and what became of it.
type Known = (String, LinkedFile);

/// The files that the pages of a build link to.
pub(super) struct LinkedFiles<'a> {
    layout: Layout,
    scanner: &'a Scanner,
    allowed: &'a Allowed,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    known: BTreeMap<Utf8PathBuf, Known>,
    files: BTreeMap<SitePath, Asset>,
    bytes: u64,
}

impl<'a> LinkedFiles<'a> {
    pub(super) fn new(layout: Layout, scanner: &'a Scanner, allowed: &'a Allowed) -> Self {
        Self { layout, scanner, allowed, state: Mutex::default() }
    }

    /// The file behind a link of a notebook, whose folder lies below a root. Adds to `taken` what decided.
    fn find(
        &self,
        (root, folder): (&Utf8Path, &Utf8Path),
        address: &str,
        taken: &mut Taken,
    ) -> LinkedFile {
        let mut found = LinkedFile::Missing;
        for path in neighbour_paths(folder, address) {
            let Some(path) = path else {
                let is_published =
                    Utf8Path::new(address.split(['?', '#']).next().unwrap_or_default())
                        .extension()
                        .is_some_and(|it| KINDS.contains(&it.to_ascii_lowercase().as_str()));
                if is_published {
                    let help = Some("name the folder that holds both: `nbc build FOLDER`");
                    let reason = ProjectFileError::Outside.to_string();
                    found = LinkedFile::Refused(Refusal { reason, help });
                }
                continue;
            };
            let (decided, file) = self.known(root, &path);
            taken.files.insert((path, MOST_OF_FILE, decided));
            if !matches!(file, LinkedFile::Missing) {
                return file;
            }
        }
        found
    }

    /// The files for a page, whose notebook lies in a folder below a root.
    pub(super) fn of_page<'it>(
        &'it self,
        root: &'it Utf8Path,
        folder: &'it Utf8Path,
        page: &'it SitePath,
    ) -> PageFiles<'it> {
        PageFiles { files: self, place: (root, folder), page }
    }

    /// The files that are published.
    ///
    /// # Errors
    /// When they are more than a site may have.
    pub(super) fn into_files(self) -> Result<Vec<Asset>, Failure> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        match state.bytes > MOST_OF_SITE {
            true => Err(too_many()),
            false => Ok(state.files.into_values().collect()),
        }
    }

    /// A file, looked at once for all pages.
    fn known(&self, root: &Utf8Path, path: &Utf8Path) -> Known {
        let place = root.join(path);
        if let Some(known) = self.state().known.get(&place) {
            return known.clone();
        }
        let known = self.look(root, path);
        self.state().known.insert(place, known.clone());
        known
    }

    fn look(&self, root: &Utf8Path, path: &Utf8Path) -> Known {
        let kind = path.extension().unwrap_or_default().to_ascii_lowercase();
        let bytes = match read_neighbour(&ProjectRoot::new(root), path, MOST_OF_FILE) {
            Ok(bytes) => bytes,
            Err((refusal, is_there)) => {
                let reason = refusal.reason.clone();
                let is_file = is_there && KINDS.contains(&kind.as_str());
                let file = if is_file { LinkedFile::Refused(refusal) } else { LinkedFile::Missing };
                return (reason, file);
            }
        };
        let decided = Integrity::of(&bytes).as_str().to_owned();
        let file = match self.published(root, path, &kind, &bytes) {
            Ok(file) | Err(file) => file,
        };
        (decided, file)
    }

    fn published(
        &self,
        root: &Utf8Path,
        path: &Utf8Path,
        kind: &str,
        bytes: &Arc<[u8]>,
    ) -> Result<LinkedFile, LinkedFile> {
        let refused =
            |reason: &str, help| LinkedFile::Refused(Refusal { reason: reason.to_owned(), help });
        if !KINDS.contains(&kind) {
            return Err(refused(ONLY, Some("link to files of other kinds with `https:`")));
        }
        if self.layout == Layout::Single {
            let reason = "a page that is one file has no others beside it";
            return Err(refused(reason, Some("`--layout site` publishes it")));
        }
        if has_link(root, path) {
            let reason = "it is a link, or lies behind one";
            return Err(refused(reason, Some("put the file itself in its place")));
        }
        if ["ipynb", "py"].contains(&kind) && offered::withholds(&root.join(path), kind, bytes) {
            let reason = "it is a notebook whose author hides code or text in it";
            return Err(refused(reason, Some("link to its page, or show the code there")));
        }
        let kept = contents(kind, bytes).map_err(|(reason, help)| refused(reason, help))?;
        self.search(kind, &kept)?;
        let name = path.file_name().unwrap_or("file").to_owned();
        let stem = readable(path.file_stem().unwrap_or_default());
        let stem = stem.unwrap_or_else(|| "file".to_owned());
        let file = Asset::hashed("assets", &stem, kind, kept).map_err(|_| LinkedFile::Missing)?;
        let place = file.path().clone();
        let mut state = self.state();
        if !state.files.contains_key(&place) {
            state.bytes = state.bytes.saturating_add(file.bytes().len() as u64);
            // The build fails then, and needs no more memory.
            if state.bytes <= MOST_OF_SITE {
                state.files.insert(place.clone(), file);
            }
        }
        Ok(LinkedFile::Published { path: place, name })
    }

    /// Looks for secrets in all that a reader can get out of a file.
    fn search(&self, kind: &str, bytes: &[u8]) -> Result<(), LinkedFile> {
        let (mut leaks, mut exposed) = (BTreeMap::new(), None);
        let mut look = |text: &[u8]| {
            let mut one = |text: &[u8]| {
                exposed = exposed
                    .take()
                    .or_else(|| self.scanner.find(text).into_iter().next().map(str::to_owned));
                let found = secret::leaks(text).into_iter().filter(|it| !self.allowed.holds(it));
                leaks.extend(found.map(|it| (it.fingerprint.clone(), it)));
            };
            one(text);
            if let Some(text) = decoded::decoded(text) {
                one(text.as_bytes());
            }
            // UTF-16, as spreadsheets and Windows write it.
            if text.contains(&0) {
                one(&text.iter().copied().filter(|it| *it != 0).collect::<Vec<_>>());
            }
        };
        look(bytes);
        let mut unpacker = Unpacker::new(&mut look);
        let searched = match kind {
            "zip" | "xlsx" | "ods" => unpacker.archive(bytes),
            "pdf" => {
                unpacker.streams(bytes);
                Ok(())
            }
            _ => Ok(()),
        };
        if let Some(name) = exposed {
            return Err(LinkedFile::Exposed(name));
        }
        if !leaks.is_empty() {
            return Err(LinkedFile::Leaked(leaks.into_values().collect()));
        }
        searched.map_err(|reason| {
            let reason = format!("{reason}, so it cannot be searched for secrets");
            LinkedFile::Refused(Refusal { reason, help: None })
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks the size of all files of a site that readers may save, those of pages that stand included.
pub(super) fn check_size(site: &Site) -> Result<(), Failure> {
    let listed = site.listed();
    let data = listed.iter().filter(|it| {
        let path = Utf8Path::new(it.path.as_str());
        path.starts_with("assets") && path.extension().is_some_and(|it| KINDS.contains(&it))
    });
    match data.map(|it| it.bytes).sum::<u64>() > MOST_OF_SITE {
        true => Err(too_many()),
        false => Ok(()),
    }
}

fn too_many() -> Failure {
    Failure {
        message: "the files that prose links to hold over 500 MiB together".to_owned(),
        help: Some(
            "link to large files with `https:`; `--no-files` or `files = false` of `[page]` publishes none"
                .to_owned(),
        ),
    }
}

/// The files that one page links to.
pub(super) struct PageFiles<'a> {
    files: &'a LinkedFiles<'a>,
    place: (&'a Utf8Path, &'a Utf8Path),
    page: &'a SitePath,
}

impl PageFiles<'_> {
    /// The link to the file behind an address; `None` where there is no such file.
    pub(super) fn link(&self, address: &str, found: &mut FoundFiles) -> Option<Link> {
        if !is_local(address) {
            return None;
        }
        match self.files.find(self.place, address, &mut found.taken) {
            LinkedFile::Missing => None,
            LinkedFile::Published { path, name } => {
                let link = self.page.link_to(&path);
                found.published.insert(path);
                Some(Link::File { path: link, name })
            }
            refused => {
                found.refused.insert(address.to_owned(), refused);
                Some(Link::Remove)
            }
        }
    }
}

/// Files that the links of a cell lead to.
#[derive(Debug, Default)]
pub(super) struct FoundFiles {
    pub(super) published: BTreeSet<SitePath>,
    /// Files that were looked at.
    pub(super) taken: Taken,
    /// Files that are there and not published, by their addresses.
    refused: BTreeMap<String, LinkedFile>,
}

impl FoundFiles {
    /// The findings, each at the place of its address.
    pub(super) fn findings(&self, place: &dyn Fn(&str) -> Span) -> Vec<Diagnostic> {
        let mut all = Vec::new();
        for (address, file) in &self.refused {
            let span = place(address);
            match file {
                LinkedFile::Missing | LinkedFile::Published { .. } => {}
                LinkedFile::Refused(Refusal { reason, help }) => {
                    let message = format!("`{address}` is not published: {reason}");
                    let found = Diagnostic::warning(Code::UnpublishedFile, span, message);
                    all.push(help.map_or(found.clone(), |it| found.with_help(it)));
                }
                LinkedFile::Leaked(leaks) => {
                    let place = format!("the file `{address}`, which prose links to, holds");
                    all.extend(leaks.iter().map(|it| exposure::leaked(it, span, &place)));
                }
                LinkedFile::Exposed(name) => {
                    let message = format!("the file `{address}` holds the value of `{name}`");
                    all.push(exposure::finding(span, &message));
                }
            }
        }
        all
    }
}

/// Why a file is not published, and the way out.
type Reason = (&'static str, Option<&'static str>);

/// The bytes that readers get of a file: those of its kind, without metadata of its author where nbc can take them out.
fn contents(kind: &str, bytes: &Arc<[u8]>) -> Result<Vec<u8>, Reason> {
    const OTHER: Reason = ("it is of another kind than its name says", None);
    let kept = match kind {
        "pdf" if bytes.starts_with(b"%PDF-") => {
            let stuck = (metadata::STUCK, Some("save it with another program"));
            metadata::strip(bytes).map_err(|_| stuck)?.into_owned()
        }
        "zip" | "xlsx" | "ods" if is_archive(bytes) => bytes.to_vec(),
        "parquet"
            if bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1") && bytes.len() >= 12 =>
        {
            bytes.to_vec()
        }
        "ipynb" | "py" => {
            let text = std::str::from_utf8(bytes).map_err(|_| OTHER)?;
            offered::without_outputs(text).bytes
        }
        "csv" | "tsv" | "txt" | "json" if is_text(bytes) => bytes.to_vec(),
        _ => return Err(OTHER),
    };
    let first = kept.split(|it| *it == b'\n').next().unwrap_or_default();
    if first.strip_prefix(b"---").is_some_and(|rest| rest.iter().all(u8::is_ascii_whitespace)) {
        // A host that runs Jekyll makes a page of it.
        return Err(("its first line is `---`, which some hosts take for a template", None));
    }
    Ok(kept)
}

/// Whether bytes are text in some encoding: zeros are in UTF-16 only, which says what it is.
fn is_text(bytes: &[u8]) -> bool {
    let is_wide = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    is_wide || memchr::memchr(0, bytes).is_none()
}

/// Whether a component of a path below a root is a link: a name that leads to another file, which its author may not have meant
/// to publish.
fn has_link(root: &Utf8Path, path: &Utf8Path) -> bool {
    let mut place = root.to_owned();
    path.components().any(|it| {
        place.push(it.as_str());
        place.symlink_metadata().map_or(true, |it| it.is_symlink())
    })
}
