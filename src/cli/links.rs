//! Links of a notebook on the pages of a site: to headings of the page, to pages of other notebooks.

use std::collections::BTreeMap;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::inputs::Input;
use crate::output::{Heading, RenderedOutput};
use crate::sanitize::{self, Link};
use crate::site::SitePath;

/// The pages of all notebooks of a build, by the notebook's path.
#[derive(Debug, Default)]
pub struct Pages(BTreeMap<Utf8PathBuf, SitePath>);

impl Pages {
    /// Notebooks and, in the same order, their pages.
    pub fn new(inputs: &[Input], paths: &[SitePath]) -> Self {
        let known = inputs.iter().zip(paths);
        Self(known.map(|(input, path)| (input.relative.clone(), path.clone())).collect())
    }
}

/// Where the links of a page start from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The page.
    pub page: &'a SitePath,
    /// The notebook, relative to what is built.
    pub notebook: &'a Utf8Path,
}

/// Resolves the links of an output; those that lead nowhere lose their address and are returned.
pub fn resolve(
    output: &mut RenderedOutput,
    outline: &[Heading],
    origin: Origin<'_>,
    pages: &Pages,
) -> Vec<String> {
    let mut broken = Vec::new();
    output.html = sanitize::resolve_links(&output.html, |address| {
        if let Some(id) = address.strip_prefix('#') {
            return fragment(id, outline);
        }
        if is_absolute(address) {
            return Link::Keep;
        }
        let (file, id) = address.split_once('#').unwrap_or((address, ""));
        let target = normalized(origin.notebook, file).and_then(|path| pages.0.get(&path));
        match target {
            Some(page) if page == origin.page => fragment(id, outline),
            Some(page) => Link::Page(origin.page.link_to(page)),
            None => {
                broken.push(address.to_owned());
                Link::Remove
            }
        }
    });
    broken
}

/// Jupyter and marimo make ids of headings in different ways; what is compared is their common core.
fn fragment(id: &str, outline: &[Heading]) -> Link {
    let wanted = sanitize::slug(id);
    let found = outline.iter().find(|heading| sanitize::slug(&heading.text) == wanted);
    found.map_or(Link::Keep, |heading| Link::Fragment(heading.id.clone()))
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
