//! Pictures of the web that prose and outputs name: those that the project's lock pins.
//!
//! In: an address as an author wrote it. Out: a picture whose bytes are those that the lock names, checked as each
//! picture of a file is; or the reason why there is none. Never reaches a network.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::neighbours::{CheckedPicture, Neighbours, Refusal, percent_decoded};
use crate::diagnostic::Code;
use crate::remote::{Address, AssetsLock, LOCK, LockedPicture, Store, is_web};

/// The way to a lock that names a picture.
pub const TO_LOCK: &str = "`nbc lock --remote-images` fetches and pins the pictures that prose and stored outputs name; put a \
                       picture that a run names beside the notebook";
/// The way to the bytes of a picture that the lock names.
const TO_BYTES: &str = "`nbc lock --remote-images` or `nbc prepare --remote-images` fetches them";

/// Pictures of the web that a page may show.
pub struct RemotePictures {
    source: Source,
    /// Addresses that were asked for, each as it was first written, with its entry in the lock.
    asked: Mutex<BTreeMap<Address, (String, Option<LockedPicture>)>>,
}

enum Source {
    /// Those that a lock names, from the store of this machine.
    Locked(Arc<AssetsLock>, Store),
    /// None: addresses are only noted.
    Noted,
}

/// Why a picture of the web is not shown.
pub(super) struct RemoteRefusal {
    pub(super) refusal: Refusal,
    pub(super) code: Code,
    pub(super) is_error: bool,
}

impl fmt::Debug for RemotePictures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("RemotePictures").finish_non_exhaustive()
    }
}

impl RemotePictures {
    /// The pictures that a lock names.
    #[must_use]
    pub fn locked(lock: Arc<AssetsLock>, store: Store) -> Self {
        Self { source: Source::Locked(lock, store), asked: Mutex::default() }
    }

    /// No pictures; notes their addresses.
    #[must_use]
    pub fn noted() -> Self {
        Self { source: Source::Noted, asked: Mutex::default() }
    }

    /// Whether addresses are only noted, so that nothing is shown.
    pub(super) fn only_notes(&self) -> bool {
        matches!(self.source, Source::Noted)
    }

    /// The addresses that were asked for until now, each as it was first written.
    #[must_use]
    pub fn asked(&self) -> BTreeMap<Address, String> {
        let asked = self.asked_of();
        asked.iter().map(|(address, (written, _))| (address.clone(), written.clone())).collect()
    }

    /// What the lock says of each of them; it decides what a page shows.
    pub(super) fn decided(&self) -> BTreeMap<String, String> {
        let asked = self.asked_of();
        let all = asked
            .iter()
            .map(|(address, (_, picture))| (address.as_str().to_owned(), said(picture.as_ref())));
        all.collect()
    }

    fn asked_of(&self) -> MutexGuard<'_, BTreeMap<Address, (String, Option<LockedPicture>)>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The picture at an address; `None` for one that is not of the web, or where addresses are only noted.
    pub(super) fn picture(
        &self,
        written: &str,
        neighbours: &Neighbours,
    ) -> Option<Result<CheckedPicture, RemoteRefusal>> {
        if !is_web(written) {
            return None;
        }
        let address = match Address::parse(written) {
            Ok(address) => address,
            Err(error) => {
                let help =
                    "put the picture beside the notebook, or name it by a plain `https:` address";
                return Some(Err(unlocked(error.to_string(), help)));
            }
        };
        let Source::Locked(lock, store) = &self.source else {
            self.note(address, written, None);
            return None;
        };
        let name = percent_decoded(address.file_name()).into_owned();
        let picture = lock.get(&address);
        self.note(address, written, picture);
        Some(match picture {
            Some(picture) => shown(picture, store, neighbours, &name),
            None => Err(unlocked(format!("`{LOCK}` does not name it"), TO_LOCK)),
        })
    }

    fn note(&self, address: Address, written: &str, picture: Option<&LockedPicture>) {
        let asked = || (written.to_owned(), picture.cloned());
        self.asked_of().entry(address).or_insert_with(asked);
    }
}

fn unlocked(reason: String, help: &'static str) -> RemoteRefusal {
    let refusal = Refusal { reason, help: Some(help) };
    RemoteRefusal { refusal, code: Code::UnlockedPicture, is_error: false }
}

/// A picture that the lock names. What keeps it from being shown is of this machine, or a lock that is wrong, so there is
/// no page without it.
fn shown(
    picture: &LockedPicture,
    store: &Store,
    neighbours: &Neighbours,
    name: &str,
) -> Result<CheckedPicture, RemoteRefusal> {
    let lost = |refusal| RemoteRefusal { refusal, code: Code::UnfetchedPicture, is_error: true };
    let because = |reason: &str, help| Refusal { reason: reason.to_owned(), help: Some(help) };
    let bytes = store.get(picture);
    let bytes =
        bytes.ok_or_else(|| lost(because("its bytes are not on this machine", TO_BYTES)))?;
    neighbours.count(bytes.len()).map_err(lost)?;
    let found = neighbours.checked(&bytes, name).map_err(lost)?;
    if found.mime != picture.mime() {
        let reason = format!("its bytes are not of the type that `{LOCK}` says");
        let help = "`nbc lock --upgrade --remote-images` writes the lock anew";
        return Err(lost(because(&reason, help)));
    }
    Ok(found)
}

/// An entry of a lock, or that there is none.
fn said(picture: Option<&LockedPicture>) -> String {
    picture.map_or_else(
        || "not locked".to_owned(),
        |it| format!("sha256:{} {} {}", it.sha256(), it.mime(), it.size()),
    )
}

/// Whether a lock says of the pictures of a page what it said when the page was made.
#[must_use]
pub fn pictures_hold(lock: Option<&AssetsLock>, then: &BTreeMap<String, String>) -> bool {
    then.iter().all(|(address, then)| {
        let address = Address::parse(address).ok();
        said(address.and_then(|it| lock?.get(&it))) == *then
    })
}

/// The entries of a lock whose addresses stand in the text of a notebook: names for people, each with what the lock says.
#[must_use]
pub fn pictures_in_text(lock: &AssetsLock, text: &str) -> BTreeMap<String, String> {
    let mut named = BTreeMap::new();
    for at in memchr::memmem::find_iter(text.as_bytes(), b"//") {
        let before = text.get(..at).unwrap_or_default();
        let start = before.strip_suffix("https:").map_or(at, str::len);
        let rest = text.get(start..).unwrap_or_default();
        let is_end =
            |it: char| it.is_whitespace() || matches!(it, '"' | '\'' | '<' | '>' | ')' | '\\');
        let written = rest.split(is_end).next().unwrap_or_default().replace("&amp;", "&");
        if let Ok(address) = Address::parse(&written)
            && let Some(picture) = lock.get(&address)
        {
            named.insert(address, picture);
        }
    }
    // Several addresses may differ in what is not told of them.
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (address, picture) in named {
        let all = found.entry(address.shown()).or_default();
        let separator = if all.is_empty() { "" } else { ", " };
        all.push_str(&format!("{separator}{}", said(Some(picture))));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_the_text_of_a_notebook_are_those_of_the_lock() {
        let mut lock = AssetsLock::default();
        let picture = LockedPicture::of(b"x", "image/png").unwrap();
        for url in ["https://a.example/a.png", "https://b.example/b.png?x=1&y=2"] {
            lock.insert(Address::parse(url).unwrap(), picture.clone());
        }
        let text = r#"![a](https://a.example/a.png) <img src=\"//b.example/b.png?x=1&amp;y=2\"> https://c.example/ //"#;
        let found = pictures_in_text(&lock, text);
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["https://a.example/a.png", "https://b.example/b.png?…"]);
        let other = "https://b.example/b.png?x=2";
        lock.insert(Address::parse(other).unwrap(), picture.clone());
        let both = pictures_in_text(&lock, &format!("{text} {other}"));
        let said_of_both = both.get("https://b.example/b.png?…").unwrap();
        assert_eq!(said_of_both.matches("sha256:").count(), 2);
        let then = [("https://a.example/a.png".to_owned(), said(Some(&picture)))].into();
        assert!(pictures_hold(Some(&lock), &then));
        assert!(!pictures_hold(None, &then));
        assert!(!pictures_hold(Some(&AssetsLock::default()), &then));
    }
}
