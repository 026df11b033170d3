//! The Content-Security-Policy of a page (W3C CSP 3), made from exactly what the page holds.
//!
//! There is no way to write a source by hand, and no `unsafe-*`: a policy is its hashes.

use crate::site::Integrity;

/// Parts of a page that its policy must name.
#[derive(Debug, Default)]
pub struct Contents {
    /// Inline and external scripts. A hash of an external script covers it only together with its
    /// `integrity` attribute, which `emit` always writes.
    pub scripts: Vec<Integrity>,
    /// Inline stylesheets.
    pub styles: Vec<Integrity>,
    /// Whether stylesheets and images come from files of the same site. CSP hashes cover inline
    /// styles only, so these need `'self'`.
    pub own_files: OwnFiles,
    /// Whether sound or film is in the page.
    pub has_media: bool,
    /// Whether the page has frames, which are files of the same site.
    pub has_islands: bool,
    /// Needs of the page's charts.
    pub charts: Charts,
    /// Needs of its states.
    pub states: States,
}

/// Permissions that the charts of a page need from its policy.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Charts {
    /// No runtime draws anything.
    #[default]
    None,
    /// A script of ours turns text into the runtimes that `scripts` names.
    Drawn,
    /// Beside that, readers may save a drawing, which is a picture from a `blob:` for a moment.
    Saved,
}

/// Permissions that the states of a page need from its policy.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum States {
    /// There are none.
    #[default]
    None,
    /// A script of ours puts their markup into the page.
    Held,
    /// Beside that, it fetches some of them from files of the site.
    Fetched,
}

/// Whether a page needs other files of its site.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum OwnFiles {
    /// Everything is in the page.
    #[default]
    None,
    /// Stylesheets and images are files beside it.
    Linked,
}

/// A Content-Security-Policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csp(String);

impl Csp {
    /// The policy that allows these contents and nothing else.
    pub fn of(contents: &Contents) -> Self {
        let own = contents.own_files == OwnFiles::Linked;
        let scripts = sources(&contents.scripts, false);
        let styles = sources(&contents.styles, own);
        let images = match (own, contents.charts) {
            (true, Charts::Saved) => "'self' data: blob:",
            (true, _) => "'self' data:",
            (false, Charts::Saved) => "data: blob:",
            (false, _) => "data:",
        };
        let types = match (contents.charts, contents.states) {
            (Charts::None, States::None) => "'none'",
            (_, States::None) => "nbc",
            (Charts::None, _) => "nbc-states",
            (_, _) => "nbc nbc-states",
        };
        let fetched = if contents.states == States::Fetched { "'self'" } else { "'none'" };
        let frames = if contents.has_islands { "frame-src 'self'; " } else { "" };
        let media = match (contents.has_media, own) {
            (true, true) => "media-src 'self' data:; ",
            (true, false) => "media-src data:; ",
            (false, _) => "",
        };
        Self(format!(
            "default-src 'none'; script-src {scripts}; style-src {styles}; img-src {images}; \
             font-src data:; {media}{frames}connect-src {fetched}; base-uri 'none'; \
             form-action 'none'; object-src 'none'; require-trusted-types-for 'script'; \
             trusted-types {types}"
        ))
    }

    /// The policy as the `content` of its `<meta>`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn sources(hashes: &[Integrity], own: bool) -> String {
    let mut sources: Vec<String> = own.then(|| "'self'".to_owned()).into_iter().collect();
    sources.extend(hashes.iter().map(|hash| format!("'{}'", hash.as_str())));
    if sources.is_empty() { "'none'".to_owned() } else { sources.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_scripts_allows_none() {
        let policy = Csp::of(&Contents::default());
        assert!(policy.as_str().contains("script-src 'none'; style-src 'none'; img-src data:;"));
    }

    #[test]
    fn only_a_page_with_media_may_play_it() {
        let with = Csp::of(&Contents { has_media: true, ..Contents::default() });
        assert!(with.as_str().contains("; media-src data:;"), "{}", with.as_str());
        assert!(!Csp::of(&Contents::default()).as_str().contains("media-src"));
        let linked =
            Contents { has_media: true, own_files: OwnFiles::Linked, ..Contents::default() };
        let with = Csp::of(&linked);
        assert!(with.as_str().contains("; media-src 'self' data:;"), "{}", with.as_str());
    }

    #[test]
    fn a_linked_page_names_its_own_files_and_its_hashes() {
        let contents = Contents {
            scripts: vec![Integrity::of(b"a")],
            styles: Vec::new(),
            own_files: OwnFiles::Linked,
            has_media: false,
            has_islands: false,
            charts: Charts::Saved,
            states: States::Fetched,
        };
        let policy = Csp::of(&contents);
        assert!(policy.as_str().contains("script-src 'sha384-VKWb"), "{}", policy.as_str());
        assert!(policy.as_str().contains("style-src 'self';"), "{}", policy.as_str());
        assert!(policy.as_str().contains("img-src 'self' data: blob:;"), "{}", policy.as_str());
        assert!(policy.as_str().contains("connect-src 'self';"), "{}", policy.as_str());
        assert!(policy.as_str().ends_with("trusted-types nbc nbc-states"), "{}", policy.as_str());
    }
}
