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
        let found =
            file.map_or(Reference::Missing, |it| Reference::Holds(it.integrity().into_owned()));
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

    /// Whether the page at a path has one of these places.
    pub(super) fn has_place(&self, path: &str, names: &[String]) -> bool {
        let file = self.files.get(path);
        let found = names.iter().find(|it| file.is_some_and(|file| file.has_place(it)));
        let (found, name) = match found.or(names.first()) {
            Some(name) => (found.is_some(), name),
            None => return false,
        };
        let reference = if found { Reference::Present } else { Reference::Missing };
        self.references.borrow_mut().insert(format!("{path}{PLACE}{name}"), reference);
        found
    }

    /// Notes the places of the page itself, for pages that link to it when it stands.
    pub(super) fn note_places<'n>(&self, names: impl IntoIterator<Item = &'n str>) {
        let names = names.into_iter().filter(|it| !has_number(it));
        let own = names.map(|it| (format!("{PLACE}{it}"), Reference::Present));
        self.references.borrow_mut().extend(own);
    }

    pub(super) fn into_references(self) -> References {
        self.references.into_inner()
    }
}

/// Divides the path of a page from the name of a place there; no path holds it.
const PLACE: char = '#';

/// Whether an id holds the number of a cell. Other pages do not link to it.
fn has_number(id: &str) -> bool {
    let rest = id.strip_prefix("o-c").or_else(|| id.strip_prefix("o-s"));
    rest.is_some_and(|it| it.starts_with(|it: char| it.is_ascii_digit()))
}

/// Whether a page had a place when it was proved.
pub(super) fn has_own_place(references: &References, name: &str) -> bool {
    references.contains_key(&format!("{PLACE}{name}"))
}

/// Reports each file that is not what it was when a file of the earlier site was proved.
pub(super) fn check(report: &mut Report<'_>, references: &References, files: &Files<'_>) {
    for (path, then) in references.iter().filter(|(path, _)| !path.starts_with(PLACE)) {
        let (file, place) =
            path.split_once(PLACE).map_or((path.as_str(), None), |(a, b)| (a, Some(b)));
        let now = files.get(file).filter(|it| place.is_none_or(|place| it.has_place(place)));
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

    #[test]
    fn a_proof_holds_as_long_as_a_page_has_the_place_that_a_link_leads_to() {
        let then = Files::from([("b.html", File::new(b"<h2 id=\"x\">X</h2><a name=\"y\"></a>"))]);
        let seen = Seen::new(&then);
        let has = |name: &str| seen.has_place("b.html", &[name.to_owned()]);
        assert!(has("x") && has("y") && !has("z"));
        let references = seen.into_references();
        let broken = |bytes: &'static [u8]| {
            let mut report = Report::new("a.html");
            check(&mut report, &references, &Files::from([("b.html", File::new(bytes))]));
            report.findings.len()
        };
        assert_eq!(broken(b"<p id=\"x\"></p><p id=\"y\"></p>"), 0);
        assert_eq!(broken(b"<p id=\"x\"></p>"), 1);
        // A page that stands is known by what was noted of it.
        let own = Seen::new(&then);
        own.note_places(["x", "o-c3-y"]);
        let references = own.into_references();
        assert!(has_own_place(&references, "x") && !has_own_place(&references, "o-c3-y"));
        assert!(!has_own_place(&references, "y"));
    }
}
