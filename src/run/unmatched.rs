//! Patterns of `inputs` that name nothing: most often a name was misspelled, and a run that lacks its data fails late
//! or, worse, goes on without them.
//!
//! In: a folder, and the patterns of a notebook in it. Out: those that no file or folder has the name of. Never decides
//! what a run sees.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use ignore::Match;

use super::hidden;
use crate::source::credentials::Credentials;

/// Names that are looked at. Where a folder has more, nothing is said about its patterns.
const MOST_NAMES: usize = 20_000;

/// Names below a folder, with those of credentials left out: a pattern that names nothing else shows nothing.
#[derive(Debug, Default)]
pub struct Names {
    /// Paths relative to the folder, each with whether it is a folder.
    all: Vec<(Utf8PathBuf, bool)>,
    folder: Utf8PathBuf,
}

impl Names {
    /// Looks through a folder. `None` when it has too many names, or a part of it cannot be read.
    #[must_use]
    pub fn below(folder: &Utf8Path) -> Option<Self> {
        let credentials = Credentials::new().ok()?;
        let mut names = Self { all: Vec::new(), folder: folder.to_owned() };
        let mut waiting = vec![Utf8PathBuf::new()];
        while let Some(below) = waiting.pop() {
            for entry in fs_err::read_dir(folder.join(&below)).ok()? {
                let entry = entry.ok()?;
                let path = below.join(entry.file_name().to_string_lossy().as_ref());
                let is_folder = entry.file_type().is_ok_and(|it| it.is_dir());
                if credentials.hold(&path, is_folder) {
                    continue;
                }
                if is_folder {
                    waiting.push(path.clone());
                }
                names.all.push((path, is_folder));
                if names.all.len() > MOST_NAMES {
                    return None;
                }
            }
        }
        Some(names)
    }

    /// The patterns that name nothing. One that is not valid is told elsewhere, and one that takes something away does
    /// no harm.
    #[must_use]
    pub fn unmatched<'a>(&self, patterns: &'a [String]) -> Vec<&'a str> {
        let shows = |it: &&str| !it.trim().is_empty() && !it.starts_with(['!', '#']);
        let (above, own): (Vec<&str>, Vec<&str>) =
            patterns.iter().map(String::as_str).filter(shows).partition(|it| it.starts_with("../"));
        let mut left: BTreeSet<&str> = own.into_iter().collect();
        // Of several patterns for a name the matcher tells the last: those before it have another turn.
        loop {
            let Ok(matcher) = hidden::matcher(left.iter().copied()) else { return Vec::new() };
            let mut matched = BTreeSet::new();
            for (path, is_folder) in &self.all {
                if let Match::Ignore(glob) = matcher.matched(path, *is_folder) {
                    matched.insert(glob.original().to_owned());
                }
            }
            let before = left.len();
            left.retain(|it| !matched.contains(*it));
            if left.is_empty() || left.len() == before {
                break;
            }
        }
        left.extend(above.into_iter().filter(|it| !self.folder.join(it).exists()));
        left.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_without_a_file_are_found_whatever_stands_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        for name in ["nb/data/a.csv", "nb/deep/er/b.txt", "nb/.env", "nb/nb.py", "beside.csv"] {
            fs_err::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs_err::write(root.join(name), "").unwrap();
        }
        let names = Names::below(&root.join("nb")).unwrap();
        let check = |patterns: &[&str], expected: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(|it| (*it).to_owned()).collect();
            assert_eq!(names.unmatched(&patterns), expected, "{patterns:?}");
        };
        check(&["data/", "b.txt", "*.csv", "data/*.csv", "**/er/*", "/data"], &[]);
        check(&["data/a.csv", "data", "date/", "*.tsv"], &["*.tsv", "date/"]);
        check(&["/b.txt", "!c.txt", "# a word", ""], &["/b.txt"]);
        check(&["*", "*.py", "nope"], &["nope"]);
        // No run sees it.
        check(&[".env"], &[".env"]);
        check(&["../beside.csv", "../other.csv"], &["../other.csv"]);
    }
}
