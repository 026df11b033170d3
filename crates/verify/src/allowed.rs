//! Files of a host in a site: named one by one, and never anything that runs or that steers the host.

use std::str::FromStr;

use crate::site::{StatedIntegrity, StatedIntegrityError};

/// Kinds of files that a browser shows as text or as a picture, whoever wrote them. Neither SVG nor XML: both run scripts.
const KINDS: [&str; 7] = ["txt", "ico", "png", "jpg", "jpeg", "gif", "webp"];

/// Files without a kind that hosts ask for, and that decide about no page: the domain of the site, and that no Jekyll
/// is to run.
const NAMES: [&str; 3] = ["CNAME", ".domains", ".nojekyll"];

/// A file that a host wants beside the pages, such as `robots.txt`, by its path in the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedFile {
    /// Of a kind that a browser only shows.
    path: String,
    /// `sha384-…`; without one, whatever stands in the file counts.
    integrity: Option<StatedIntegrity>,
}

/// Why a text is no [`AllowedFile`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowedFileError {
    /// The path leads out of the site, or no file could have it.
    #[error("`{0}` is no path below the site: write one such as `robots.txt`, exactly")]
    Path(String),
    /// The folder belongs to nbc.
    #[error("`{0}` lies in a folder that only nbc writes to")]
    Own(String),
    /// A file that could run code, or settings of a host.
    #[error(
        "`{0}` may run code or steer the host: only texts (`.txt`), pictures (`.ico`, `.png`, `.jpg`, \
         `.gif`, `.webp`), `CNAME`, `.domains` and `.nojekyll` can be allowed"
    )]
    Kind(String),
    /// The text behind `=` is no digest.
    #[error(transparent)]
    Digest(#[from] StatedIntegrityError),
}

impl AllowedFile {
    /// The path in the site.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The digest that the file must have.
    pub(super) fn integrity(&self) -> Option<&str> {
        self.integrity.as_ref().map(StatedIntegrity::as_str)
    }
}

/// Whether `--allow-file` can name this path.
pub(super) fn is_allowable(path: &str) -> bool {
    AllowedFile::from_str(path).is_ok()
}

impl FromStr for AllowedFile {
    type Err = AllowedFileError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (path, integrity) = match text.split_once('=') {
            Some((path, digest)) => (path, Some(digest)),
            None => (text, None),
        };
        let is_plain = |segment: &str| {
            let bytes = segment.trim_start_matches('.').as_bytes();
            !bytes.is_empty()
                && !segment.starts_with("..")
                && !segment.ends_with('.')
                && bytes.iter().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(it))
        };
        if path.len() > 512 || !path.split('/').all(is_plain) {
            return Err(AllowedFileError::Path(path.to_owned()));
        }
        let folded = path.to_ascii_lowercase();
        if ["assets/", "islands/"].iter().any(|it| folded.starts_with(it)) {
            return Err(AllowedFileError::Own(path.to_owned()));
        }
        // Hidden folders such as `.git` are whole worlds of settings; `.well-known` is the one that sites have.
        let is_hidden = path.rsplit_once('/').is_some_and(|(folders, _)| {
            folders.split('/').any(|it| it.starts_with('.') && it != ".well-known")
        });
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
        // `x.php.txt` is a program to some servers.
        let is_text = name
            .split_once('.')
            .is_some_and(|(stem, kind)| !stem.is_empty() && KINDS.contains(&kind));
        if is_hidden || !(is_text || NAMES.contains(&path)) {
            return Err(AllowedFileError::Kind(path.to_owned()));
        }
        let integrity = integrity.map(StatedIntegrity::from_str).transpose()?;
        Ok(Self { path: path.to_owned(), integrity })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_pictures_and_two_names_can_be_allowed() {
        for good in [
            "CNAME",
            ".nojekyll",
            ".domains",
            "robots.txt",
            "ads.txt",
            "favicon.ico",
            "apple-touch-icon.png",
            ".well-known/security.txt",
            "a/b/robots.txt",
        ] {
            assert!(is_allowable(good), "{good}");
        }
        for bad in [
            "",
            "/robots.txt",
            "../robots.txt",
            "a/../robots.txt",
            "./robots.txt",
            "a//robots.txt",
            "robots.txt/",
            "robots.txt.",
            "ro\u{202e}bots.txt",
            "*.txt",
            "*",
            "robots.txt?x",
            "a\\robots.txt",
            "assets/x.txt",
            "Assets/x.txt",
            "islands/x.png",
            "_headers",
            "_redirects",
            "_worker.js",
            "_routes.json",
            "a/CNAME",
            ".htaccess",
            ".git/description.txt",
            ".txt",
            "x",
            "x.html",
            "x.htm",
            "x.svg",
            "x.xml",
            "x.js",
            "x.css",
            "x.md",
            "x.php.txt",
            "x.TXT",
            "x.exe",
            "x.json",
            "vercel.json",
            "web.config",
            "index.html",
            "manifest.json",
        ] {
            assert!(!is_allowable(bad), "{bad}");
        }
    }

    #[test]
    fn a_file_may_be_bound_to_its_bytes() {
        let digest = format!("sha384-{}", "A".repeat(64));
        let file: AllowedFile = format!("CNAME={digest}").parse().unwrap();
        assert_eq!((file.path(), file.integrity()), ("CNAME", Some(digest.as_str())));
        for bad in ["CNAME=", "CNAME=sha384-", "CNAME=sha256-AAAA"] {
            assert!(bad.parse::<AllowedFile>().is_err(), "{bad}");
        }
    }
}
