//! Everything that decides about a page, in one list: the parts of its key.
//!
//! In: settings, looks and host for all pages of a site, and the notebook for one of them. Out: names, each with a value
//! or the digest of one. Settings and looks are taken apart field by field, so that a new one does not compile before it
//! is said here whether it decides.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use super::inputs::Input;
use super::looks::Looks;
use super::options::{PageOptions, Settings};
use crate::cache::{Key, KeyBuilder, Stamp};
use crate::emit::Layout;
use crate::notebook::QuartoSettings;
use crate::output::mask::Host;
use crate::output::pictures_in_text;
use crate::remote::AssetsLock;
use crate::render::Look;
use crate::secret;
use crate::site::SitePath;
use crate::source::Source;

/// Longest value that stands in a part as it is.
const LONGEST_VALUE: usize = 160;

/// A number that this start of the machine has, and nothing that is written to a disk.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// Parts of a key: names, each with a value or the digest of one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct PageParts(BTreeMap<String, String>);

impl PageParts {
    /// The parts, by name.
    pub(super) fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    fn value(&mut self, name: &str, value: &impl Debug) {
        self.text(name, self::value(value));
    }

    fn text(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), value);
    }

    /// A value that may be private.
    fn digest(&mut self, name: &str, value: &impl Debug) {
        self.text(name, digest(&format!("{value:?}")));
    }

    fn key(&self, subject: &str) -> Key {
        KeyBuilder::new(subject).value("parts", &self.0).end()
    }
}

/// A value as a part, or its digest.
fn value(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    if text.len() <= LONGEST_VALUE { text } else { digest(&text) }
}

fn digest(text: &str) -> String {
    format!("sha256:{}", KeyBuilder::new("part").text("text", text).end().as_str())
}

/// Everything that decides about all pages of a site.
#[derive(Debug)]
pub(super) struct SiteParts {
    parts: PageParts,
    key: Key,
    /// Settings of single pages.
    options: PageOptions,
    /// The lock of pictures of the web.
    pub(super) pictures: Option<Arc<AssetsLock>>,
    quarto: QuartoPart,
}

/// The part that settings of Quarto are, of the project that was asked for last: all notebooks of one share them.
#[derive(Debug, Default)]
struct QuartoPart(Mutex<Option<(Arc<QuartoSettings>, String)>>);

impl QuartoPart {
    fn of(&self, settings: &Arc<QuartoSettings>) -> String {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((known, part)) if Arc::ptr_eq(known, settings) => part.clone(),
            _ => {
                let part = value(settings);
                *last = Some((Arc::clone(settings), part.clone()));
                part
            }
        }
    }
}

/// The site that pages are to be a part of.
pub(super) struct Whole<'a> {
    pub(super) title: &'a str,
    pub(super) layout: Layout,
    /// The page that leads to all others.
    pub(super) list: Option<&'a SitePath>,
    /// Paths that the build was called with, absolute.
    pub(super) paths: &'a [Utf8PathBuf],
}

impl SiteParts {
    /// `None` where not everything can be told.
    pub(super) fn new(settings: &Settings, looks: &Looks, whole: &Whole<'_>) -> Option<Self> {
        let Whole { title, layout, list, paths } = whole;
        let mut parts = PageParts::default();
        let program = fs_err::metadata(std::env::current_exe().ok()?).ok()?;
        parts.value("nbc", &env!("CARGO_PKG_VERSION"));
        parts.value("nbc program", &Stamp::of(&program));
        parts.value("layout", layout);
        parts.value("list of all notebooks", list);
        parts.value("paths", paths);
        settings.decide(&mut parts);
        let look = looks.look(title, *layout).ok()?;
        decide(&look, &mut parts);
        parts.value("templates", looks.overrides());
        host(&Host::this(), &mut parts)?;
        let key = parts.key("pages");
        let pictures = settings.remote.as_ref().map(|it| Arc::clone(&it.lock));
        let (options, quarto) = (settings.page.clone(), QuartoPart::default());
        Some(Self { parts, key, options, pictures, quarto })
    }

    /// The key of a page whose outputs are stored in its notebook, and its parts.
    pub(super) fn page(
        &self,
        input: &Input,
        path: &SitePath,
        digest: &[u8; 48],
    ) -> (Key, PageParts) {
        // The path that the user would name stands in findings, which are told with it anew.
        // Pages of pairs are not kept.
        let Input { path: _, relative, is_named, stored: _, quarto } = input;
        let mut own = PageParts::default();
        let notebook = KeyBuilder::new("notebook").bytes("digest", digest).end();
        own.value("notebook, with its outputs", &notebook.as_str());
        own.value("notebook path", relative);
        own.value("notebook is named", is_named);
        own.text("settings of Quarto", self.quarto.of(quarto));
        own.value("path", path);
        own.value("settings of the page", &self.options.of_page(relative));
        let key = KeyBuilder::new("page").text("site", self.key.as_str()).value("own", &own).end();
        (key, own)
    }

    /// All parts of the key of a page, those that all pages have included, and what the lock says of pictures of the web
    /// that the notebook names.
    pub(super) fn all_of(&self, input: &Input, path: &SitePath, notebook: &Source) -> PageParts {
        let (_, mut own) = self.page(input, path, notebook.digest());
        let pictures = self.pictures.iter().flat_map(|it| pictures_in_text(it, notebook.text()));
        own.0.extend(pictures.map(|(address, said)| (format!("picture {address}"), said)));
        own.0.extend(self.parts.0.iter().map(|(name, value)| (name.clone(), value.clone())));
        own
    }
}

impl Settings {
    /// Adds what decides of the settings.
    fn decide(&self, parts: &mut PageParts) {
        let Self {
            // Builds that list states, or that compare or record runs, keep no pages.
            goal: _,
            checks_reproducible: _,
            record: _,
            keeps_going: _,
            // When something is done, and not what.
            jobs: _,
            // A run's, as is what bounds its states.
            inputs: _,
            bounds,
            sweep: _,
            chosen,
            on_error,
            page,
            charts,
            // The layout that comes of it is a part.
            layout: _,
            execute,
            allowed,
            is_strict,
            trust,
            remote,
        } = self;
        parts.value("limits", &bounds.process);
        parts.value("states that are shown first", chosen);
        parts.value("failed cells", on_error);
        parts.value("charts", charts);
        parts.value("which notebooks are run", execute);
        parts.value("secrets that are allowed", allowed);
        parts.value("strict sanitizing", is_strict);
        parts.value("trust", trust);
        // Of the lock, only what it says of a page's own pictures decides.
        parts.value("pictures of the web", &remote.is_some());
        page.decide(parts);
    }
}

impl PageOptions {
    /// Adds what decides of the options of all pages.
    fn decide(&self, parts: &mut PageParts) {
        let shared = self.of_all();
        parts.value("code", &shared.code);
        parts.value("dataflow", &shared.show_graph);
        parts.value("shown", &shared.shown);
        parts.value("no files", &shared.forbids_files);
        parts.value("settings of all pages", &shared.page);
    }
}

/// Adds what decides of the looks. The site's title stands on other pages, and is a part of none of these.
fn decide(look: &Look<'_>, parts: &mut PageParts) {
    let Look {
        title: _,
        site_name,
        description: _,
        language: _,
        // They are made of nbc's own, and the overrides.
        templates: _,
        theme,
        base_url,
        has_files,
    } = look;
    parts.value("site name", site_name);
    parts.value("theme", theme);
    parts.value("address of the site", base_url);
    parts.value("pages have files", has_files);
}

/// The key of all that is masked in outputs; `None` where it can't be told.
pub(crate) fn host_key() -> Option<Key> {
    let mut parts = PageParts::default();
    host(&Host::this(), &mut parts)?;
    Some(parts.key("host"))
}

/// Adds what is masked in outputs. Values of secrets are told apart by a digest that nobody can try values on who has
/// the cache alone.
fn host(host: &Host, parts: &mut PageParts) -> Option<()> {
    let Host { names, workspace, secrets } = host;
    parts.digest("names of the host", names);
    parts.digest("folder of the build", workspace);
    if !secrets.is_empty() {
        let boot = fs_err::read(BOOT).ok().filter(|it| it.len() >= 32)?;
        parts.digest("masked variables", &secret::keyed_digest(&boot, secrets));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn a_masked_value_is_told_apart_and_not_told() {
        let of = |value: &str| {
            let secrets = vec![("API_TOKEN".to_owned(), Secret::new(value))];
            let mut parts = PageParts::default();
            host(&Host { secrets, ..Host::default() }, &mut parts).unwrap();
            parts
        };
        assert_eq!(of("hunter2hunter2"), of("hunter2hunter2"));
        assert_ne!(of("hunter2hunter2"), of("hunter3hunter3"));
        assert_ne!(of("hunter2hunter2").key("t"), of("hunter3hunter3").key("t"));
        let mut none = PageParts::default();
        host(&Host::default(), &mut none).unwrap();
        assert_ne!(of("hunter2hunter2"), none);
        // Without the key of this start of the machine, a guess can't be compared.
        let guess =
            secret::keyed_digest(b"", &[("API_TOKEN".to_owned(), Secret::new("hunter2hunter2"))]);
        assert!(
            !of("hunter2hunter2").all().values().any(|it| *it == digest(&format!("{guess:?}")))
        );
    }
}
