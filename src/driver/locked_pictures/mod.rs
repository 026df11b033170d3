//! `nbc lock` and `nbc prepare` of pictures of the web: fetched, checked as pictures, and pinned.
//!
//! In: the notebooks of a project, and its lock. Out: the lock with an entry for each picture that could be had, and
//! findings about the others. A picture is decoded by nobody here: its type is read from its bytes, and a drawing has to
//! pass the sanitizer, as each that a page shows.

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use camino::Utf8PathBuf;

use super::analysis::Analyzed;
use super::events::{Events, counted};
use super::named_pictures::{named, unlocked};
use super::options::{Goal, Settings};
use super::project::Project;
use super::remote::{hides_query, unusable};
use super::{Failure, cache_folder, grants};
use crate::diagnostic::{self, Code, Diagnostic};
use crate::environment::Pins;
use crate::interrupt::Cancel;
use crate::output;
use crate::remote::{
    Address, AssetsLock, FetchError, Fetcher, LOCK, LockError, LockedPicture, MOST_OF_PROJECT,
    MOST_PICTURES, Route, Store,
};
use crate::source::Span;

/// Pictures that are fetched at the same time.
const AT_ONCE: usize = 8;
/// The way to other bytes than those that are pinned.
const TO_UPGRADE: &str =
    "`nbc lock --upgrade --remote-images` pins what comes now; look at it first";

/// The result of locking, or fetching, the pictures of a project.
#[derive(Debug, Default)]
pub struct PictureReport {
    /// The lock.
    pub path: Utf8PathBuf,
    /// Pictures that the lock names.
    pub pictures: usize,
    /// Pictures that were fetched.
    pub fetched: usize,
    /// Entries that no notebook names any more, and that are gone.
    pub removed: usize,
    /// Whether the file changed.
    pub is_changed: bool,
    /// Findings about pictures, sorted by place.
    pub findings: Vec<Diagnostic>,
    /// Pictures that no notebook names, and that could not be had.
    pub failures: Vec<Failure>,
}

impl PictureReport {
    /// Whether lines must not be quoted, since one may hold a token in the query of an address.
    #[must_use]
    pub fn hides_query(&self) -> bool {
        hides_query(&self.findings)
    }
}

/// A picture that is to be fetched.
struct Job<'a> {
    address: &'a Address,
    /// The bytes that it must have.
    pinned: Option<&'a LockedPicture>,
}

/// A picture that was fetched, or the reason and the way out.
type Fetched = Result<LockedPicture, (String, Option<&'static str>)>;

impl Project {
    /// Refuses pictures of the web that `nbc.toml` asks for and the caller did not grant.
    ///
    /// # Errors
    /// When it asks for them.
    pub fn check_remote_images(&self) -> Result<(), Failure> {
        grants::check_remote_images(&self.options, &self.config)
    }

    /// Fetches the pictures of the web that notebooks name in prose and stored outputs, and pins them. `None` where
    /// neither the caller nor `nbc.toml` wants pictures of the web.
    ///
    /// # Errors
    /// When `nbc.toml` asks for what the caller does not grant, the lock cannot be read or written, or nothing can be
    /// fetched at all.
    pub fn lock_pictures(
        &self,
        notebooks: &[Analyzed],
        pins: Pins,
        events: &dyn Events,
    ) -> Result<Option<PictureReport>, Failure> {
        self.lock_pictures_by(&Route::public, notebooks, pins, events)
    }

    /// The same, over a route.
    pub(super) fn lock_pictures_by(
        &self,
        route: &dyn Fn() -> Result<Route, FetchError>,
        notebooks: &[Analyzed],
        pins: Pins,
        events: &dyn Events,
    ) -> Result<Option<PictureReport>, Failure> {
        let Some((places, findings)) = self.named_pictures(notebooks)? else { return Ok(None) };
        let mut report =
            PictureReport { path: self.folder().join(LOCK), findings, ..PictureReport::default() };
        let old = match (AssetsLock::load(self.folder()), pins) {
            // A file that is broken is no reason not to write a good one, if that is asked for.
            (Err(LockError::Invalid { .. }), Pins::Upgrade) => AssetsLock::default(),
            (read, _) => read.map_err(|it| unusable(&it))?,
        };
        if let Some((_, span)) = places.iter().nth(MOST_PICTURES) {
            let message = format!(
                "a project may show {MOST_PICTURES} pictures of the web, and this is one more"
            );
            report.findings.push(Diagnostic::error(Code::UnfetchedPicture, *span, message));
            report.pictures = old.len();
            return Ok(Some(report));
        }
        let store = Store::below(&cache_folder()?);
        let mut lock = old.clone();
        let is_whole_folder = self.paths.first().is_some_and(|it| it.is_dir());
        for (address, _) in old.iter().filter(|(it, _)| is_whole_folder && !places.contains_key(it))
        {
            lock.remove(address);
            report.removed += 1;
        }
        let pinned = |address: &Address| old.get(address).filter(|_| pins == Pins::Keep);
        let is_here = |it: &&Address| pinned(it).is_some_and(|it| store.get(it).is_some());
        let wanted = places.keys().filter(|it| !is_here(it));
        let jobs: Vec<Job<'_>> =
            wanted.map(|address| Job { address, pinned: pinned(address) }).collect();
        for (address, fetched) in fetch_all(&jobs, route, &store, events)? {
            match fetched {
                Ok(picture) => {
                    lock.insert(address.clone(), picture);
                    report.fetched += 1;
                }
                Err(why) => report.tell(address, why, places.get(address)),
            }
        }
        if let Some(reason) = lock.excess() {
            let message = format!("`{}` cannot be written: {reason}", report.path);
            report.failures.push(Failure { message, help: None });
        } else if !Cancel::current().is_cancelled() {
            report.is_changed = lock.write(self.folder()).map_err(|it| unusable(&it))?;
        }
        report.pictures = lock.len();
        diagnostic::sort(&mut report.findings);
        Ok(Some(report))
    }

    /// Pictures that the lock should name, and does not. Nothing is fetched. `None` where nobody wants pictures of the
    /// web.
    ///
    /// # Errors
    /// When `nbc.toml` asks for what the caller does not grant, or the lock cannot be read.
    pub fn unlocked_pictures(
        &self,
        notebooks: &[Analyzed],
    ) -> Result<Option<PictureReport>, Failure> {
        let Some((places, mut findings)) = self.named_pictures(notebooks)? else {
            return Ok(None);
        };
        let lock = AssetsLock::load(self.folder()).map_err(|it| unusable(&it))?;
        findings.extend(unlocked(&places, &lock));
        diagnostic::sort(&mut findings);
        let (path, pictures) = (self.folder().join(LOCK), lock.len());
        Ok(Some(PictureReport { path, pictures, findings, ..PictureReport::default() }))
    }

    /// Fetches the pictures that the lock names and this machine does not have. Other bytes than the lock names are
    /// refused. `None` where nobody wants pictures of the web.
    ///
    /// # Errors
    /// The same as [`Project::lock_pictures`].
    pub fn prepare_pictures(
        &self,
        notebooks: &[Analyzed],
        events: &dyn Events,
    ) -> Result<Option<PictureReport>, Failure> {
        self.prepare_pictures_by(&Route::public, notebooks, events)
    }

    /// The same, over a route.
    pub(super) fn prepare_pictures_by(
        &self,
        route: &dyn Fn() -> Result<Route, FetchError>,
        notebooks: &[Analyzed],
        events: &dyn Events,
    ) -> Result<Option<PictureReport>, Failure> {
        let Some((places, _)) = self.named_pictures(notebooks)? else { return Ok(None) };
        let lock = AssetsLock::load(self.folder()).map_err(|it| unusable(&it))?;
        let store = Store::below(&cache_folder()?);
        let (path, pictures) = (self.folder().join(LOCK), lock.len());
        let mut report = PictureReport { path, pictures, ..PictureReport::default() };
        let missing = lock.iter().filter(|(_, picture)| store.get(picture).is_none());
        let jobs: Vec<Job<'_>> =
            missing.map(|(address, picture)| Job { address, pinned: Some(picture) }).collect();
        for (address, fetched) in fetch_all(&jobs, route, &store, events)? {
            match fetched {
                Ok(_) => report.fetched += 1,
                Err(why) => report.tell(address, why, places.get(address)),
            }
        }
        diagnostic::sort(&mut report.findings);
        Ok(Some(report))
    }

    /// The pictures of the web that notebooks name, each with its first place, and findings about others; `None` where
    /// nobody wants them.
    fn named_pictures(&self, notebooks: &[Analyzed]) -> Result<Option<NamedPictures>, Failure> {
        if !self.options.wants_remote_images(&self.config) {
            return Ok(None);
        }
        self.check_remote_images()?;
        let settings = Settings::new(&self.options, &self.config, self.folder(), Goal::Reading)?;
        let (mut places, mut findings) = (BTreeMap::new(), Vec::new());
        for notebook in notebooks {
            let found = named(notebook, &settings.page.shown);
            for (address, span) in found.places {
                places.entry(address).or_insert(span);
            }
            findings.extend(found.findings);
        }
        Ok(Some((places, findings)))
    }
}

/// The first place of each address, and findings about addresses that nothing is fetched from.
type NamedPictures = (BTreeMap<Address, Span>, Vec<Diagnostic>);

impl PictureReport {
    fn tell(
        &mut self,
        address: &Address,
        (reason, help): (String, Option<&'static str>),
        place: Option<&Span>,
    ) {
        let message = format!("`{}` cannot be fetched: {reason}", address.shown());
        match place {
            Some(span) => {
                let found = Diagnostic::error(Code::UnfetchedPicture, *span, message);
                self.findings.push(match help {
                    Some(help) => found.with_help(help),
                    None => found,
                });
            }
            None => self.failures.push(Failure { message, help: help.map(str::to_owned) }),
        }
    }
}

/// Fetches pictures, several at once; the results are in the order of the jobs.
fn fetch_all<'a>(
    jobs: &[Job<'a>],
    route: &dyn Fn() -> Result<Route, FetchError>,
    store: &Store,
    events: &dyn Events,
) -> Result<Vec<(&'a Address, Fetched)>, Failure> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let route = route().map_err(|error| Failure {
        message: format!("pictures of the web cannot be fetched: {error}"),
        help: matches!(error, FetchError::NoRoots).then(|| {
            "install `ca-certificates`, or name a file of them in SSL_CERT_FILE".to_owned()
        }),
    })?;
    events.step(&format!("fetching {}", counted(jobs.len(), "picture")));
    let fetcher = Fetcher::new(route);
    let (next, bytes, cancel) = (AtomicUsize::new(0), AtomicU64::new(0), Cancel::current());
    let results: Mutex<BTreeMap<usize, Fetched>> = Mutex::default();
    let work = || loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(job) = jobs.get(at) else { return };
        events.moment(&format!("picture {} of {}: {}", at + 1, jobs.len(), job.address.host()));
        let fetched = job.fetched(&fetcher, store, &bytes);
        results.lock().unwrap_or_else(PoisonError::into_inner).insert(at, fetched);
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs.len().min(AT_ONCE) {
            let (cancel, work) = (cancel.clone(), &work);
            scope.spawn(move || cancel.during(work));
        }
    });
    store.take_warnings().iter().for_each(|it| events.warning(it));
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let addresses = results.into_iter().filter_map(|(at, it)| Some((jobs.get(at)?.address, it)));
    Ok(addresses.collect())
}

impl Job<'_> {
    /// Fetches the picture, checks that it is one, and keeps its bytes.
    fn fetched(&self, fetcher: &Fetcher, store: &Store, all_bytes: &AtomicU64) -> Fetched {
        let bytes = fetcher.fetch(self.address).map_err(|it| (it.to_string(), None))?;
        let length = bytes.len() as u64;
        if all_bytes.fetch_add(length, Ordering::Relaxed).saturating_add(length) > MOST_OF_PROJECT {
            let most = MOST_OF_PROJECT >> 20;
            return Err((format!("the pictures of a project may hold {most} MiB together"), None));
        }
        if self.pinned.is_some_and(|it| !it.is_of(&bytes)) {
            let reason = format!("it has other bytes than `{LOCK}` names");
            return Err((reason, Some(TO_UPGRADE)));
        }
        let mime = output::picture_type(&bytes).map_err(|it| (it, None))?;
        let picture = LockedPicture::of(&bytes, mime)
            .ok_or_else(|| ("it is no picture that a page may hold".to_owned(), None))?;
        if !store.put(&picture, &bytes) {
            return Err(("it cannot be kept in nbc's cache".to_owned(), None));
        }
        Ok(picture)
    }
}
