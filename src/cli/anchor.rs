//! The file that keeps the digest of a manifest, for `nbc verify --manifest-digest`.
//!
//! In: the path that the user named, and the folder of the site. Out: one line, replaced as a whole. It never lies in
//! the site: who can change a page there could change the digest, too.

use camino::{Utf8Path, Utf8PathBuf};

use crate::driver::Failure;
use crate::folder::{self, Folder};
use crate::site::StatedIntegrity;

/// Digests are no secret.
const MODE: u32 = 0o644;

/// Bytes of the file: `sha384-`, 64 characters and a line break, with room for blanks.
const LONGEST: u64 = 128;

/// A file outside of the site that gets the digest of its manifest.
#[derive(Debug)]
pub(super) struct DigestFile {
    path: Utf8PathBuf,
}

impl DigestFile {
    /// Checks the place before the run, which may take minutes.
    pub(super) fn claim(path: &Utf8Path, site: &Utf8Path) -> Result<Self, Failure> {
        let refuse = |why: &str| Failure {
            message: format!("`{path}` of `--digest-file` {why}"),
            help: Some(
                "name a file beside the site, such as `--digest-file site.digest`".to_owned(),
            ),
        };
        let absolute =
            camino::absolute_utf8(path).map_err(|it| refuse(&format!("is no path: {it}")))?;
        let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
            return Err(refuse("is not the path of a file"));
        };
        // Links and `..` on the way are followed once, here.
        let parent = parent
            .canonicalize_utf8()
            .map_err(|it| refuse(&format!("is in a folder that is not there: {it}")))?;
        let path = parent.join(name);
        if is_of(&path, site) {
            return Err(refuse("would lie in the site, whose digest it is to keep"));
        }
        let folder =
            Folder::open(&parent).map_err(|it| refuse(&format!("cannot be written: {it}")))?;
        let is_there = folder
            .entry(name.as_ref())
            .map_err(|it| refuse(&format!("cannot be looked at: {it}")))?
            .is_some();
        // A slip of the hand must not cost a notebook, and `/dev/stdout` is no file to replace.
        if is_there && !folder::read(&path, LONGEST).is_ok_and(|it| is_digest(&it)) {
            return Err(refuse("holds something else than a digest, and is left as it is"));
        }
        Ok(Self { path })
    }

    /// Replaces the file. A build that is killed before leaves the digest of the earlier site, which the new one fails.
    pub(super) fn keep(&self, digest: &str) -> Result<(), Failure> {
        folder::replace(&self.path, format!("{digest}\n").as_bytes(), MODE).map_err(|error| {
            Failure {
                message: format!(
                    "cannot write the digest of the manifest to `{}`: {error}",
                    self.path
                ),
                help: Some(
                    "the site is published; its digest is that of its `manifest.json`".to_owned(),
                ),
            }
        })
    }
}

/// Whether a path lies in a site, or is a name beside it that builds use.
fn is_of(path: &Utf8Path, site: &Utf8Path) -> bool {
    let Ok(site) = camino::absolute_utf8(site) else { return false };
    let (Some(parent), Some(name)) = (site.parent(), site.file_name()) else { return false };
    let beside = parent.canonicalize_utf8().unwrap_or_else(|_| parent.to_owned());
    let within = site.canonicalize_utf8().unwrap_or_else(|_| beside.join(name));
    path.starts_with(within)
        || path.starts_with(beside.join(name))
        || path
            .strip_prefix(beside)
            .is_ok_and(|it| it.as_str().starts_with(&format!(".{name}.nbc-")))
}

/// Whether a file holds a digest, or nothing, as `mktemp` makes it.
fn is_digest(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii();
    text.is_empty()
        || std::str::from_utf8(text).is_ok_and(|it| it.parse::<StatedIntegrity>().is_ok())
}
