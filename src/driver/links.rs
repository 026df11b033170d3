//! Links of a notebook on the pages of a site: to headings of the page, to pages of other notebooks.

use std::collections::BTreeMap;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use crate::output::{Heading, RenderedOutput};
use crate::sanitize::{self, Link};
use crate::site::SitePath;

/// The pages of all notebooks of a build, by the notebook's path.
#[derive(Debug, Default)]
pub struct Pages(BTreeMap<Utf8PathBuf, SitePath>);

/// Notebooks that links of a page lead to, each with its page, where there is one.
pub type Asked = BTreeMap<Utf8PathBuf, Option<String>>;

impl Pages {
    /// Notebooks, each with its page.
    pub fn new<'a>(known: impl IntoIterator<Item = (&'a Utf8Path, &'a SitePath)>) -> Self {
        let known = known.into_iter();
        Self(known.map(|(notebook, page)| (notebook.to_owned(), page.clone())).collect())
    }

    /// Whether links that asked for these notebooks are led to the same pages.
    pub fn answer_as(&self, asked: &Asked) -> bool {
        asked.iter().all(|(it, page)| self.0.get(it).map(SitePath::as_str) == page.as_deref())
    }
}

/// The headings of a page, by what an address must have in common with their text.
#[derive(Debug)]
pub struct Anchors(BTreeMap<String, String>);

impl Anchors {
    /// Of headings with one text, the first is led to.
    pub fn new(outline: &[Heading]) -> Self {
        let last_first = outline.iter().rev();
        Self(last_first.map(|it| (sanitize::slug(&it.text), it.id.clone())).collect())
    }

    /// Jupyter and marimo make ids of headings in different ways; their common core is compared.
    fn find(&self, id: &str) -> Option<Link> {
        self.0.get(&sanitize::slug(id)).cloned().map(Link::Fragment)
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

/// Resolves the links of an output; those that lead nowhere lose their address and are returned. Notes the notebooks
/// that they lead to.
pub fn resolve(
    output: &mut RenderedOutput,
    anchors: &Anchors,
    origin: Origin<'_>,
    pages: &Pages,
    asked: &mut Asked,
) -> Vec<String> {
    let mut broken = Vec::new();
    output.html = sanitize::resolve_links(std::mem::take(&mut output.html), |address| {
        if let Some(id) = address.strip_prefix('#') {
            return anchors.find(id).unwrap_or(Link::Keep);
        }
        if is_absolute(address) {
            return Link::Keep;
        }
        let (file, id) = address.split_once('#').unwrap_or((address, ""));
        let target = normalized(origin.notebook, file).and_then(|path| {
            let found = pages.0.get(&path);
            asked.insert(path, found.map(|it| it.as_str().to_owned()));
            found
        });
        match target {
            // The heading may be gone; the page is still there.
            Some(page) if page == origin.page => {
                anchors.find(id).unwrap_or_else(|| Link::Fragment("content".to_owned()))
            }
            Some(page) => Link::Page(origin.page.link_to(page)),
            None => {
                broken.push(address.to_owned());
                Link::Remove
            }
        }
    });
    broken
}

fn is_absolute(address: &str) -> bool {
    ["http://", "https://", "mailto:"].iter().any(|scheme| {
        address.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    })
}

/// The path that a relative address names, seen from the notebook; `None` when it leaves the site.
fn normalized(notebook: &Utf8Path, file: &str) -> Option<Utf8PathBuf> {
    let file = file.split('?').next().unwrap_or_default();
    let folder = notebook.parent().unwrap_or(Utf8Path::new(""));
    let mut path = Utf8PathBuf::new();
    for component in folder.join(file).components() {
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
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_addresses_are_seen_from_the_notebook() {
        let path = |file| normalized(Utf8Path::new("a/b.py"), file);
        assert_eq!(path("c.py").as_deref(), Some(Utf8Path::new("a/c.py")));
        assert_eq!(path("../c.py").as_deref(), Some(Utf8Path::new("c.py")));
        assert_eq!(path("../../c.py"), None);
        assert_eq!(path("/c.py"), None);
    }
}
