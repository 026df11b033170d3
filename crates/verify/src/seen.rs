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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_holds_as_long_as_each_file_that_it_asked_for_is_what_it_was() {
        let then = Files::from([("a.css", File::new(b"1")), ("b.html", File::new(b"2"))]);
        let seen = Seen::new(&then);
        assert!(seen.get("a.css").is_some());
        assert!(seen.contains_key("a.css") && seen.contains_key("b.html"));
        assert!(!seen.contains_key("c.html"));
        let references = seen.into_references();
        assert!(matches!(references.get("a.css"), Some(Reference::Holds(_))));
        let broken = |now: &Files<'_>| {
            let mut report = Report::new("page.html");
            check(&mut report, &references, now);
            report.findings.len()
        };
        assert_eq!(broken(&then), 0);
        // Of a page that a link leads to, it does not matter what it says.
        let mut now = then.clone();
        now.insert("b.html", File::new(b"other"));
        assert_eq!(broken(&now), 0);
        now.insert("a.css", File::new(b"other"));
        assert_eq!(broken(&now), 1);
        now.insert("c.html", File::new(b"new"));
        now.remove("b.html");
        assert_eq!(broken(&now), 3);
    }
}
