//! Files that the proof of one file asks for: noted, so that the proof holds as long as they are what they were.
//!
//! In: the files of a site, and a path that a page names. Out: that file, and in the end the list of all that were asked
//! for. [`check`] compares such a list with the files of the next site.

use std::cell::RefCell;

use super::site::{Reference, References};
use super::{File, Files, Report, Rule, excerpt};

/// The files of a site, as one file of it sees them.
pub(super) struct Seen<'a> {
    files: &'a Files<'a>,
    references: RefCell<References>,
}

impl<'a> Seen<'a> {
    pub(super) fn new(files: &'a Files<'a>) -> Self {
        Self { files, references: RefCell::default() }
    }

    /// The file at a path, whose bytes matter.
    pub(super) fn get(&self, path: &str) -> Option<&'a File<'a>> {
        let file = self.files.get(path);
        let found = file.map_or(Reference::Missing, |it| Reference::Holds(it.integrity()));
        self.references.borrow_mut().insert(path.to_owned(), found);
        file
    }

    /// Whether there is a file at a path.
    pub(super) fn contains_key(&self, path: &str) -> bool {
        let is_there = self.files.contains_key(path);
        let found = if is_there { Reference::Present } else { Reference::Missing };
        self.references.borrow_mut().entry(path.to_owned()).or_insert(found);
        is_there
    }

    pub(super) fn into_references(self) -> References {
        self.references.into_inner()
    }
}

/// Reports each file that is not what it was when a file of the earlier site was proved.
pub(super) fn check(report: &mut Report<'_>, references: &References, files: &Files<'_>) {
    for (path, then) in references {
        let now = files.get(path.as_str());
        let holds = match (then, now) {
            (Reference::Missing, now) => now.is_none(),
            (Reference::Present, now) => now.is_some(),
            (Reference::Holds(digest), now) => now.is_some_and(|it| it.integrity() == *digest),
        };
        if !holds {
            let message = format!("`{}` is not what the page was proved with", excerpt(path));
            report.add(1, Rule::BrokenLink, message);
        }
    }
}
