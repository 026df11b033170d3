//! Links of a notebook on the pages of a site: to places of the page, to pages of other notebooks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use super::anchors::{Anchors, decoded, has_number};
use super::inputs::Input;
use super::linked_files::{FoundFiles, PageFiles};
use crate::diagnostic::{Code, Diagnostic, Label};
use crate::notebook::{Cell, CellCode, Origin as CodeOrigin};
use crate::output::RenderedOutput;
use crate::sanitize::{self, Link};
use crate::site::SitePath;
use crate::source::Span;

/// Schemes of addresses that lead out of the site.
const SCHEMES: [&str; 4] = ["http://", "https://", "mailto:", "tel:"];

/// Most addresses that a finding names, whose lines are looked for, and most lines that it points to.
const MOST_NAMED: usize = 5;
const MOST_LOOKED_FOR: usize = 100;
const MOST_LINES: usize = 10;

/// The page of a notebook.
#[derive(Debug)]
struct Target {
    page: SitePath,
    /// Its places; `None` where they are not known yet.
    anchors: Option<Arc<Anchors>>,
}

/// The pages of all notebooks of a build, by the paths that links may give them.
#[derive(Debug, Default)]
pub struct Pages {
    targets: Vec<Target>,
    /// By the notebook's path.
    notebooks: BTreeMap<String, usize>,
    /// By the page's path.
    pages: BTreeMap<String, usize>,
    /// By the notebook's path with `.html`; `None` where several notebooks would have it.
    stems: BTreeMap<String, Option<usize>>,
    /// The index page, where nbc makes one.
    index: Option<SitePath>,
}

/// A question of a page: where does a link to one of these paths, and to a place there, lead?
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    paths: Vec<String>,
    fragment: Option<String>,
}

/// Where a link leads.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Destination {
    /// To no page.
    Nowhere,
    /// To a page that does not have the place.
    Placeless(SitePath),
    /// To a page, and a place there.
    Found(SitePath, Option<String>),
}

impl Destination {
    /// The destination as text; `None` where there is no page. A place that is missing has no name.
    fn address(&self) -> Option<String> {
        match self {
            Self::Nowhere => None,
            Self::Placeless(page) => Some(format!("{}#", page.as_str())),
            Self::Found(page, id) => {
                let id = id.as_ref().map(|it| format!("#{it}")).unwrap_or_default();
                Some(format!("{}{id}", page.as_str()))
            }
        }
    }
}

/// Questions of a page about other pages, each with the address that it leads to, where there is one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Asked(BTreeSet<(Question, Option<String>)>);

impl Asked {
    /// Adds those of another part of the page.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

impl Pages {
    /// Notebooks, each with its page and the places of that, where these are known.
    pub fn new<'a>(
        known: impl IntoIterator<Item = (&'a Utf8Path, &'a SitePath, Option<Arc<Anchors>>)>,
    ) -> Self {
        let mut all = Self::default();
        for (notebook, page, anchors) in known {
            let number = all.targets.len();
            all.notebooks.insert(composed(notebook.as_str()), number);
            all.pages.insert(composed(page.as_str()), number);
            let stem = composed(notebook.with_extension("html").as_str());
            all.stems.entry(stem).and_modify(|it| *it = None).or_insert(Some(number));
            all.targets.push(Target { page: page.clone(), anchors });
        }
        all
    }

    /// The same with a page that leads to all others.
    #[must_use]
    pub fn with_index(mut self, has_index: bool) -> Self {
        let index = SitePath::new("index.html").ok();
        self.index = index.filter(|it| has_index && !self.pages.contains_key(it.as_str()));
        self
    }

    /// The same, with the other file of each pair as another name of its notebook.
    #[must_use]
    pub fn with_pairs(mut self, inputs: &[Input]) -> Self {
        for input in inputs {
            if let Some(stored) = &input.stored
                && let Some(target) =
                    self.notebooks.get(&composed(input.relative.as_str())).copied()
            {
                self.notebooks.insert(composed(stored.as_str()), target);
            }
        }
        self
    }

    /// Whether links that asked for these are led to the same places. Of a page that is to be made, the places are not
    /// known.
    pub fn answer_as(&self, asked: &Asked) -> bool {
        asked.0.iter().all(|(question, then)| {
            let target = question.paths.iter().find_map(|it| self.target(it));
            let is_known = question.fragment.is_none()
                || target
                    .is_none_or(|it| self.targets.get(it).is_some_and(|it| it.anchors.is_some()));
            is_known && self.answer(question).address() == *then
        })
    }

    fn answer(&self, question: &Question) -> Destination {
        let Question { paths, fragment } = question;
        let target = paths.iter().find_map(|it| self.target(it));
        let Some(target) = target.and_then(|it| self.targets.get(it)) else {
            let names_index = |it: &String| it.is_empty() || it == "index.html" || it == "index";
            return match self.index.clone().filter(|_| paths.iter().any(names_index)) {
                None => Destination::Nowhere,
                // It has no places but its start.
                Some(index) if fragment.is_some() => Destination::Placeless(index),
                Some(index) => Destination::Found(index, None),
            };
        };
        let page = target.page.clone();
        match (fragment, &target.anchors) {
            (None, _) => Destination::Found(page, None),
            (Some(fragment), None) => Destination::Found(page, Some(fragment.clone())),
            (Some(fragment), Some(anchors)) => match anchors.find(fragment) {
                Some(id) => Destination::Found(page, Some(id.to_owned())),
                None => Destination::Placeless(page),
            },
        }
    }

    /// The page that a path of the site names: by its notebook, by its own name, or by the name that other tools give it.
    fn target(&self, path: &str) -> Option<usize> {
        if let Some(found) = self.notebooks.get(path).or_else(|| self.pages.get(path)) {
            return Some(*found);
        }
        let folder = path.strip_suffix('/').unwrap_or(path);
        let start = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        // Hosts answer so to an address without an ending.
        let as_folder = [format!("{folder}.html"), format!("{start}index.html")];
        let found = as_folder.iter().find_map(|it| self.pages.get(it)).copied();
        found.or_else(|| {
            let html = path.strip_suffix(".html").or_else(|| path.strip_suffix(".htm"));
            *self.stems.get(&format!("{}.html", html.unwrap_or(folder)))?
        })
    }
}

/// The place that the links of a page are relative to.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The page.
    pub page: &'a SitePath,
    /// The notebook, relative to what is built.
    pub notebook: &'a Utf8Path,
}

/// Links of an output that lead nowhere.
#[derive(Debug, Default)]
pub struct DeadLinks {
    /// Addresses of files that no page is of.
    files: BTreeSet<String>,
    /// Addresses of places that their page does not have.
    places: BTreeSet<String>,
}

/// Resolves links of a page.
pub struct Resolver<'a> {
    /// The page and its notebook.
    pub origin: Origin<'a>,
    /// Places of the page.
    pub anchors: &'a Anchors,
    /// All pages.
    pub pages: &'a Pages,
    /// Files that are no pages; `None` where none is published.
    pub(super) files: Option<PageFiles<'a>>,
}

impl Resolver<'_> {
    /// Resolves the links of an output; those that lead nowhere lose their address. Notes the pages that they ask for.
    pub(super) fn resolve(
        &self,
        output: &mut RenderedOutput,
        asked: &mut Asked,
        dead: &mut DeadLinks,
        files: &mut FoundFiles,
    ) {
        let html = std::mem::take(&mut output.html);
        // The output itself may have a place, and be no part of the page before a reader chooses it.
        let has_own = html.as_str().contains(" href=\"#o-");
        let own = if has_own { sanitize::named_elements(&html) } else { Vec::new() };
        let own: BTreeSet<String> = own.into_iter().map(|it| it.id).collect();
        output.html = sanitize::resolve_links(html, |address| {
            if SCHEMES.iter().any(|it| starts_with(address, it)) {
                return Link::Keep;
            }
            if let Some(fragment) = address.strip_prefix('#') {
                if has_number(fragment) && own.contains(fragment) {
                    return Link::Keep;
                }
                return self.place(fragment).unwrap_or_else(|| {
                    dead.places.insert(address.to_owned());
                    Link::Remove
                });
            }
            self.page(address, asked, dead).unwrap_or_else(|is_file| {
                let link = self.files.as_ref().filter(|_| is_file);
                if let Some(link) = link.and_then(|it| it.link(address, files)) {
                    return link;
                }
                let dead = if is_file { &mut dead.files } else { &mut dead.places };
                dead.insert(address.to_owned());
                Link::Remove
            })
        });
    }

    /// A place of the page itself.
    fn place(&self, fragment: &str) -> Option<Link> {
        let found = self.anchors.find(fragment).map(ToOwned::to_owned);
        // Browsers take both for the start of a page.
        let start = || matches!(fragment, "" | "top").then(|| "content".to_owned());
        found.or_else(start).map(Link::Fragment)
    }

    /// Another page, at its start where it does not have the place. The error says whether it is the page that is missing.
    fn page(&self, address: &str, asked: &mut Asked, dead: &mut DeadLinks) -> Result<Link, bool> {
        let (rest, fragment) =
            address.split_once('#').map_or((address, None), |(a, b)| (a, Some(b)));
        let (file, query) = rest.split_once('?').map_or((rest, None), |(a, b)| (a, Some(b)));
        let Origin { page, notebook } = self.origin;
        let mut paths = Vec::new();
        for origin in [notebook, Utf8Path::new(page.as_str())] {
            for file in [file, &decoded(file)] {
                let path = normalized(origin, file).map(|it| composed(&it));
                paths.extend(path.filter(|it| !paths.contains(it)));
            }
        }
        let own = Some(page.as_str());
        let target = |it: &String| self.pages.target(it).and_then(|it| self.pages.targets.get(it));
        let found = paths.iter().find_map(target);
        let fragment = fragment.filter(|it| !matches!(*it, "" | "top"));
        if file.is_empty() || found.is_some_and(|it| Some(it.page.as_str()) == own) {
            return self.place(fragment.unwrap_or_default()).ok_or(false);
        }
        let question = Question { paths, fragment: fragment.map(ToOwned::to_owned) };
        let answer = self.pages.answer(&question);
        asked.0.insert((question, answer.address()));
        let (target, id) = match answer {
            Destination::Found(target, id) => (target, id),
            Destination::Placeless(target) => {
                dead.places.insert(address.to_owned());
                (target, None)
            }
            Destination::Nowhere => return Err(true),
        };
        let query = query.map(|it| format!("?{}", encoded(it))).unwrap_or_default();
        let id = id.map(|it| format!("#{}", encoded(&it))).unwrap_or_default();
        Ok(Link::Page(format!("{}{query}{id}", page.link_to(&target))))
    }
}

fn starts_with(address: &str, scheme: &str) -> bool {
    address.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
}

/// One form for paths that look the same: some file systems take names apart.
fn composed(path: &str) -> String {
    if path.is_ascii() { path.to_owned() } else { path.nfc().collect() }
}

/// A query or fragment in which nothing ends an address, or is read in two ways.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || character.is_whitespace() || "\"<>\\^`{|}".contains(character)
        {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        } else {
            out.push(character);
        }
    }
    out
}

/// The path in the site that an address names, seen from a file of it; `None` when it leaves the site. A `/` at its start
/// is the folder that is built.
fn normalized(from: &Utf8Path, file: &str) -> Option<String> {
    let folder = from.parent().unwrap_or(Utf8Path::new(""));
    let joined = match file.strip_prefix('/') {
        Some(rest) => Utf8PathBuf::from(rest),
        None => folder.join(file),
    };
    let mut path = Utf8PathBuf::new();
    for component in joined.components() {
        match component {
            Utf8Component::Normal(name) => path.push(name),
            Utf8Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Utf8Component::CurDir => {}
            Utf8Component::RootDir | Utf8Component::Prefix(_) => return None,
        }
    }
    let is_folder = file.ends_with('/') && !path.as_str().is_empty();
    Some(format!("{path}{}", if is_folder { "/" } else { "" }))
}

/// The text of a cell, in which the lines of its links are looked for.
#[derive(Debug)]
pub(super) struct CellText {
    /// The first line that says something.
    pub(super) head: Span,
    code: CellCode,
    origin: CodeOrigin,
}

impl CellText {
    pub(super) fn of(cell: &Cell) -> Self {
        Self { head: cell.head(), code: cell.code.clone(), origin: cell.origin.clone() }
    }

    /// The line that holds an address, which may be written with or without percent-encoding.
    pub(super) fn line_of(&self, address: &str) -> Span {
        let is_before = |at: usize| {
            let before = self.code.get(..at).and_then(|it| it.chars().next_back());
            before.is_none_or(|it| "(\"'<=: \t\n".contains(it))
        };
        let find = |text: &str| {
            self.code.match_indices(text).take(100).map(|(at, _)| at).find(|at| is_before(*at))
        };
        let found = find(address).or_else(|| find(&decoded(address)));
        let Some(at) = found else { return self.head };
        let start = self.code.get(..at).and_then(|it| it.rfind('\n')).map_or(0, |it| it + 1);
        let rest = self.code.get(start..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default();
        let indent = line.len() - line.trim_start().len();
        let end = start + line.trim_end().len();
        self.origin.span((start + indent).min(end), end)
    }
}

impl DeadLinks {
    /// What is told of them, at most once a kind.
    pub(super) fn findings(&self, cell: &CellText) -> Vec<Diagnostic> {
        let files = told(&self.files, cell, Code::BrokenLink, |it| {
            format!("no page of the site is at {it}")
        });
        let places = told(&self.places, cell, Code::DeadAnchor, |it| {
            format!("no heading or anchor is at {it}")
        });
        let help = "the text stays, the link goes; link to other files with `https:`";
        let files = files.map(|it| it.with_help(help));
        let help = "a link within a page goes, one to another page leads to its start; a heading is `#its-text`, any other place an `<a id=\"…\">`";
        files.into_iter().chain(places.map(|it| it.with_help(help))).collect()
    }
}

fn told(
    dead: &BTreeSet<String>,
    cell: &CellText,
    code: Code,
    message: impl Fn(&str) -> String,
) -> Option<Diagnostic> {
    let mut lines: BTreeMap<(u32, u32), (Span, Vec<&str>)> = BTreeMap::new();
    for (number, address) in dead.iter().enumerate() {
        let is_looked_for = number < MOST_LOOKED_FOR && lines.len() < MOST_LINES;
        let span = if is_looked_for { cell.line_of(address) } else { cell.head };
        let place = lines.entry((span.start, span.end)).or_insert((span, Vec::new()));
        place.1.push(address);
    }
    let named = |all: &[&str]| {
        let shown: Vec<String> = all.iter().take(MOST_NAMED).map(|it| format!("`{it}`")).collect();
        let more = all.len().saturating_sub(MOST_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", shown.join(", "))
    };
    let mut lines = lines.into_values();
    let (span, first) = lines.next()?;
    let others: Vec<_> = lines.collect();
    let rest = others.iter().flat_map(|(_, it)| it.iter().copied());
    let all: Vec<&str> = first.into_iter().chain(rest).collect();
    let mut diagnostic = Diagnostic::warning(code, span, message(&named(&all)));
    let label = |(span, all): &(Span, Vec<&str>)| Label { span: *span, message: named(all) };
    diagnostic.labels.extend(others.iter().map(label));
    Some(diagnostic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_addresses_are_seen_from_the_notebook() {
        let path = |file| normalized(Utf8Path::new("a/b.py"), file);
        assert_eq!(path("c.py").as_deref(), Some("a/c.py"));
        assert_eq!(path("../c.py").as_deref(), Some("c.py"));
        assert_eq!(path("../../c.py"), None);
        assert_eq!(path("/c.py").as_deref(), Some("c.py"));
        assert_eq!(path("d/").as_deref(), Some("a/d/"));
        assert_eq!(path("../").as_deref(), Some(""));
    }

    #[test]
    fn a_query_holds_nothing_that_ends_an_address() {
        assert_eq!(encoded("x=\"1 2\"&é"), "x=%221%202%22&é");
    }

    fn pages(all: &[(&str, &str)]) -> Pages {
        let all: Vec<_> = all
            .iter()
            .map(|(notebook, page)| (Utf8PathBuf::from(*notebook), SitePath::new(page).unwrap()))
            .collect();
        Pages::new(all.iter().map(|(notebook, page)| (notebook.as_path(), page, None)))
    }

    #[test]
    fn a_page_is_known_by_its_notebook_and_by_its_own_name() {
        let pages = pages(&[
            ("my notes.ipynb", "my-notes.html"),
            ("b.ipynb", "b.html"),
            ("sub/index.ipynb", "sub/index.html"),
            ("x.ipynb", "x-ipynb.html"),
            ("x.py", "x-py.html"),
        ])
        .with_index(true);
        let of = |path: &str| {
            let question = Question { paths: vec![path.to_owned()], fragment: None };
            pages.answer(&question).address()
        };
        for (path, page) in [
            ("my notes.ipynb", "my-notes.html"),
            ("my-notes.html", "my-notes.html"),
            ("my notes.html", "my-notes.html"),
            ("b.html", "b.html"),
            ("b/", "b.html"),
            ("b", "b.html"),
            ("sub/", "sub/index.html"),
            ("sub", "sub/index.html"),
            ("x.py", "x-py.html"),
            ("x-ipynb.html", "x-ipynb.html"),
            ("", "index.html"),
            ("index.html", "index.html"),
        ] {
            assert_eq!(of(path).as_deref(), Some(page), "{path}");
        }
        for gone in ["x.html", "data.csv", "c.ipynb", "sub/b.html"] {
            assert_eq!(of(gone), None, "{gone}");
        }
    }
}
