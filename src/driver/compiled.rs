//! The pages of a build, and what was found on the way: phases 8 to 11.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;

use super::Failure;
use super::anchors::Anchors;
use super::document::Unlinked;
use super::events::Warning;
use super::inputs::{Input, page_paths};
use super::last_site::{self, Known, Note, PageLine};
use super::linked_files::{self, LinkedFiles};
use super::links::{Asked, Pages};
use super::looks::Looks;
use super::options::Settings;
use super::timings::{Phase, Timings};
use super::unit::Built;
use super::{allowed, exposure};
use crate::cache::{Cache, Key};
use crate::diagnostic::{self, Diagnostic, Parsed, Severity};
use crate::emit::{self, Emitted, Layout, Piece, Provenance};
use crate::output::Taken;
use crate::publish::{self, Destination, LeftoverFolder, Stamps};
use crate::render::{self, Document, Ways};
use crate::secret::Scanner;
use crate::site::{Asset, Site, SitePath};
use crate::source::Sources;
use crate::verify::{self, Expected, Finding, VerifiedSite};

/// The pages of a build, not yet written.
pub struct Compiled<'a> {
    pub(super) pages: Vec<PageOf>,
    pub(super) findings: Vec<Diagnostic>,
    pub(super) failures: Vec<Failure>,
    pub(super) warnings: Vec<Warning>,
    pub(super) sources: Sources,
    /// Number of notebooks, those without a page included.
    pub(super) notebooks: usize,
    pub(super) shows_secret: bool,
    pub(super) keeps_going: bool,
    pub(super) layout: Layout,
    /// The page that leads to all others.
    pub(super) list: Option<SitePath>,
    pub(super) looks: &'a Looks,
    pub(super) title: String,
    pub(super) scanner: Scanner,
    pub(super) expected: Expected,
    pub(super) cache: Option<Arc<Cache>>,
    /// Name under which the pages are kept for the next build, and the stamps of files that stand; `None`: they are not
    /// kept.
    pub(super) last: Option<(Key, Arc<Stamps>)>,
    pub(super) timings: &'a Timings,
    pub(super) packages: Vec<PackageFolders>,
    /// Files beside the notebooks that decided about pages, below their roots.
    pub(super) taken: Vec<(Utf8PathBuf, Taken)>,
    /// Files that new pages link to.
    pub(super) files: Vec<Asset>,
}

/// A page of a build.
pub(super) enum PageOf {
    /// It is made.
    Made(Box<MadePage>),
    /// It is the one of the last build.
    Known(Box<Known>),
}

/// A page that is made.
pub(super) struct MadePage {
    document: Document,
    provenance: Provenance,
    /// Kept of it for the next build.
    note: Option<Note>,
}

impl PageOf {
    pub(super) fn path(&self) -> &SitePath {
        match self {
            Self::Made(page) => &page.document.path,
            Self::Known(page) => &page.path,
        }
    }
}

/// A page whose links are resolved.
pub(super) struct LinkedPage {
    pub(super) built: Built<Document>,
    pub(super) asked: Asked,
    pub(super) taken: Taken,
    pub(super) anchors: Arc<Anchors>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl LinkedPage {
    pub(super) fn made(self, note: Option<Note>) -> MadePage {
        let Built { document, provenance, .. } = self.built;
        MadePage { document, provenance, note }
    }
}

/// Folders of packages that nbc did not install, with what they come to.
pub(crate) type PackageFolders = (Vec<Utf8PathBuf>, Option<String>);

/// A site that was written.
#[derive(Debug)]
pub struct Published {
    /// Number of its pages.
    pub pages: usize,
    /// Number of files that are new or differ.
    pub changed: usize,
    /// Digest of `manifest.json`, by which the site can be known from outside of it.
    pub manifest: String,
    /// Files that could not be removed.
    pub left: Option<LeftoverFolder>,
    /// Its files, as the file system tells them; `None` where somebody else has a share in one.
    pub(crate) stamps: Option<Stamps>,
}

/// Why a site was not written.
#[derive(Debug)]
pub enum NotPublished {
    /// It does not pass its own verification.
    Unverified {
        /// Findings of the proof.
        findings: Vec<Finding>,
        /// The way out.
        help: &'static str,
    },
    /// Something else.
    Failed(Failure),
}

impl From<Failure> for NotPublished {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<NotPublished> for Failure {
    fn from(error: NotPublished) -> Self {
        match error {
            NotPublished::Failed(failure) => failure,
            NotPublished::Unverified { findings, help } => Self {
                message: format!(
                    "the site does not pass its own verification ({}), so it is not published",
                    super::counted(findings.len(), "finding")
                ),
                help: Some(help.to_owned()),
            },
        }
    }
}

impl Compiled<'_> {
    /// Findings about the notebooks, sorted by place; values of secrets are masked.
    pub fn findings(&self) -> &[Diagnostic] {
        &self.findings
    }

    /// Why notebooks have no environment.
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// Warnings about the whole build.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The texts that findings point into.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Whether a line of a notebook may hold a secret, so that findings must not quote lines.
    pub fn shows_secret(&self) -> bool {
        self.shows_secret
    }

    /// Number of notebooks, those without a page included.
    pub fn notebooks(&self) -> usize {
        self.notebooks
    }

    /// Number of errors.
    pub fn errors(&self) -> usize {
        let errors = self.findings.iter().filter(|it| it.severity == Severity::Error);
        errors.count() + self.failures.len()
    }

    /// Whether there is a page, and no error that the caller did not ask to pass over.
    pub fn is_publishable(&self) -> bool {
        !self.pages.is_empty() && (self.errors() == 0 || self.keeps_going)
    }

    pub(crate) fn taken(&self) -> Vec<(Utf8PathBuf, Taken)> {
        self.taken.clone()
    }

    pub(crate) fn packages(&self) -> Vec<PackageFolders> {
        self.packages.clone()
    }

    /// Lays out the pages, proves the site, and puts it in place, whole or not at all.
    ///
    /// # Errors
    /// When a template or the disk fails, or the site does not pass its own verification. The earlier site is whole.
    pub fn publish(self, destination: Destination) -> Result<Published, NotPublished> {
        let Self {
            pages, layout, list, looks, title, scanner, expected, cache, last, timings, ..
        } = self;
        let files = self.files;
        // The text of all notebooks is of no more use.
        drop(self.sources);
        let number = pages.len();
        let cache = cache.as_deref();
        let standing = standing(&pages, last.as_ref().map(|(_, stamps)| &**stamps));
        let prove = || -> Result<_, NotPublished> {
            let Assembled { site, emitted, notes, known } =
                assemble((pages, files), (layout, list.as_ref()), (looks, &title), cache, timings)?;
            linked_files::check_size(&site)?;
            let verified = timings.measure(Phase::Verify, || verify::verify(site, &expected));
            let site = verified.map_err(|findings| unverified(findings, looks))?;
            Ok((site, emitted, notes, known))
        };
        // Naming the files that stand is the kernel's work mostly, and does not wait for the proof of the others.
        let (proved, staging) =
            rayon::join(prove, || timings.measure(Phase::Publish, || destination.stage(&standing)));
        let (site, emitted, notes, known) = proved?;
        let exposed = timings.measure(Phase::Exposure, || exposure::in_site(site.site(), &scanner));
        if let Some(message) = exposed {
            return Err(Failure { message, help: None }.into());
        }
        let manifest = site.site().files().find(|it| it.path().as_str() == "manifest.json");
        let manifest = manifest.map(|it| it.integrity().as_str().to_owned()).unwrap_or_default();
        let staging = staging.map_err(helped)?;
        let published = timings.measure(Phase::Publish, || staging.publish(&site));
        let published = published.map_err(helped)?;
        if let (Some(cache), Some((entry, _))) = (cache, &last) {
            timings.measure(Phase::Cache, || {
                let pages = known.into_iter().chain(made_pages(emitted, notes, &site));
                last_site::keep(cache, entry, &published.stamps, pages);
                cache.trim();
            });
        }
        let (files, publish::Published { written, left, stamps }) =
            (site.site().listed().len(), published);
        let stamps = (stamps.len() == files).then_some(stamps);
        Ok(Published { pages: number, changed: written, manifest, left, stamps })
    }
}

/// A laid-out site, and what is kept of its pages.
struct Assembled {
    site: Site,
    /// Facts about the new pages, and with each its notes and its engine.
    emitted: Vec<Emitted>,
    notes: Vec<(Option<Note>, String)>,
    known: Vec<(Utf8PathBuf, PageLine)>,
}

fn unverified(findings: Vec<Finding>, looks: &Looks) -> NotPublished {
    let help = if looks.has_templates() {
        "the site's own templates may write what pages must not hold, such as a `<meta>` that is \
         not known; docs/themes.md says what they may"
    } else {
        "this is a defect of nbc: please report it with the notebook"
    };
    NotPublished::Unverified { findings, help }
}

/// The files that are taken over.
fn standing(pages: &[PageOf], earlier: Option<&Stamps>) -> Stamps {
    let files = pages.iter().flat_map(|it| match it {
        PageOf::Made(_) => &[],
        PageOf::Known(page) => page.piece.standing(),
    });
    let stamps = files.filter_map(|it| {
        let (path, stamp) = earlier?.get_key_value(it.path().as_str())?;
        Some((path.clone(), stamp.clone()))
    });
    stamps.collect()
}

/// The new pages that the next build may take over.
fn made_pages(
    emitted: Vec<Emitted>,
    notes: Vec<(Option<Note>, String)>,
    site: &VerifiedSite,
) -> Vec<(Utf8PathBuf, PageLine)> {
    let pages = emitted.into_iter().zip(notes).filter_map(|(emitted, (note, engine))| {
        let Emitted { summary, needs, files } = emitted;
        let files = files.into_iter().map(|path| {
            let file = site.site().file(&path)?;
            let references = site.references(&path);
            Some((path, file.bytes().len() as u64, file.integrity().clone(), references))
        });
        note?.page((summary, needs), &engine, files.collect::<Option<_>>()?)
    });
    pages.collect()
}

/// Phases 8 and 9.
fn assemble(
    (built, files): (Vec<PageOf>, Vec<Asset>),
    (layout, list): (Layout, Option<&SitePath>),
    (looks, title): (&Looks, &str),
    cache: Option<&Cache>,
    timings: &Timings,
) -> Result<Assembled, Failure> {
    let index = SitePath::new("index.html")?;
    let look = looks.look(title, layout)?;
    let has_home = layout == Layout::Site || built.len() > 1;
    let list_of = |page: &SitePath| list.filter(|it| **it != index).map(|it| page.link_to(it));
    let made = timings.measure(Phase::Output, || {
        let pages = built.into_par_iter().map(|page| {
            let page = match page {
                PageOf::Made(page) => *page,
                PageOf::Known(known) => {
                    let Known { notebook, piece, provenance, line, .. } = *known;
                    return Ok((piece, provenance, Origin::Known(notebook, line)));
                }
            };
            let MadePage { document, provenance, note } = page;
            let home = (has_home && document.path != index).then(|| document.path.link_to(&index));
            let ways = Ways { home, list: list_of(&document.path) };
            let page = render::page(document, &ways, &look)?;
            Ok((page.into(), provenance, Origin::Made(note)))
        });
        pages.collect::<Result<Vec<_>, render::LayoutError>>()
    });
    let made = made.map_err(|error| match &error {
        render::LayoutError::Render(template) => looks.failure(template),
        render::LayoutError::Path(_) => error.into(),
    })?;
    let (mut pages, mut provenances) = (Vec::<Piece>::new(), Vec::<Provenance>::new());
    let (mut notes, mut known) = (Vec::new(), Vec::new());
    for (page, provenance, origin) in made {
        match origin {
            Origin::Made(note) => notes.push((note, provenance.engine.clone())),
            Origin::Known(notebook, line) => known.push((notebook, line)),
        }
        pages.push(page);
        provenances.push(provenance);
    }
    let (site, emitted) = timings
        .measure(Phase::Emit, || {
            emit::assemble(pages, files, &provenances, (layout, list), &look, cache)
        })
        .map_err(|error| match &error {
            emit::EmitError::Render(template) => looks.failure(template),
            _ => error.into(),
        })?;
    Ok(Assembled { site, emitted, notes, known })
}

/// Where a page of a site comes from.
enum Origin {
    Made(Option<Note>),
    Known(Utf8PathBuf, PageLine),
}

/// Claims the folder of a site, before anything runs.
///
/// # Errors
/// When the folder is somebody else's, is busy, or cannot be written; with the way out.
pub fn claim(folder: &Utf8Path) -> Result<Destination, Failure> {
    Destination::claim(folder).map_err(helped)
}

/// Links of the pages to each other, once it is known which of them there are.
pub(super) fn link(
    built: Vec<Built<Unlinked>>,
    (pages, files): (&Pages, &LinkedFiles<'_>),
    settings: &Settings,
    findings: &mut Vec<Diagnostic>,
) -> Vec<LinkedPage> {
    let linked = built.into_par_iter().map(|Built { document, provenance, is_settled }| {
        let anchors = Arc::clone(document.anchors());
        let linked = document.link(pages, files);
        let Parsed { value: (document, asked, taken), mut diagnostics } = linked;
        if settings.is_strict {
            allowed::refuse_removals(&mut diagnostics);
        }
        let built = Built { document, provenance, is_settled };
        LinkedPage { built, asked, taken, anchors, diagnostics }
    });
    let linked: Vec<LinkedPage> = linked.collect();
    findings.extend(linked.iter().flat_map(|it| it.diagnostics.iter().cloned()));
    linked
}

/// Files beside notebooks that decided about their pages, below their roots.
pub(super) fn taken(
    inputs: &[Input],
    linked: &[LinkedPage],
    known: &[Known],
) -> Vec<(Utf8PathBuf, Taken)> {
    let linked = linked.iter().map(|it| (&it.built.document.path, &it.taken));
    let known = known.iter().map(|it| (&it.path, &it.taken));
    let taken: BTreeMap<&SitePath, &Taken> = linked.chain(known).collect();
    let places = page_paths(inputs);
    let all = inputs.iter().zip(&places).filter_map(|(input, page)| {
        let taken = taken.get(page).filter(|it| !it.is_empty())?;
        Some((input.place().0.to_owned(), (*taken).clone()))
    });
    all.collect()
}

/// Masks and sorts findings before they are told.
pub(super) fn told(mut findings: Vec<Diagnostic>, scanner: &Scanner) -> Vec<Diagnostic> {
    exposure::mask(&mut findings, scanner);
    diagnostic::sort(&mut findings);
    findings
}

/// An error of writing, with its way out.
fn helped(error: publish::PublishError) -> Failure {
    use publish::PublishError;

    let help = match &error {
        PublishError::NoFolder { .. } => "name a folder for the site, such as `--output site`",
        PublishError::Foreign { .. } => "choose another folder with `--output`, or empty this one",
        PublishError::Busy { .. } => "wait for it to end, or choose another folder with `--output`",
        PublishError::Changed { .. } => "build again: the page will be made anew",
        PublishError::Mounted { path } => {
            let help = format!("name a folder below it, such as `--output {path}/site`");
            return Failure::from(error).with_help(help);
        }
        PublishError::Io { source, .. } => match source.kind() {
            std::io::ErrorKind::CrossesDevices => {
                "unmount it, or choose another folder with `--output`"
            }
            std::io::ErrorKind::StorageFull => "make room on the disk; the earlier site is whole",
            std::io::ErrorKind::PermissionDenied => "choose a folder that you may write to",
            _ => "the earlier site, if there was one, is whole",
        },
    };
    Failure::from(error).with_help(help)
}
