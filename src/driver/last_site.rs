//! Pages of the last build into a folder: those that this build would make again, byte for byte.
//!
//! In: the key of a page, and the files of the earlier site. Out: what was found out about the page, whose bytes stand in
//! the site itself. The cache holds keys and digests, and no bytes of a page: a page is taken over only if each of its
//! files is the one that was proved and published, by its stamp, and everything that decides about it is the same. An
//! entry that is damaged, or a file that somebody changed, costs the page's making, and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::anchors::Anchors;
use super::inputs::Input;
use super::links::{Asked, Pages};
use super::page_key::SiteParts;
use crate::cache::{Cache, Key, KeyBuilder, Kind};
use crate::diagnostic::{Code, Diagnostic, Label, Severity};
use crate::emit::{Needs, Piece, Provenance, Summary};
use crate::output::{Neighbours, Taken, pictures_hold};
use crate::publish::Stamps;
use crate::run::record::Granted;
use crate::site::{Integrity, References, SitePath, Standing};
use crate::source::{SourceId, Sources, Span};

/// A page, as the last build left it. Nothing in it changes as long as the page stands.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownPage {
    key: Key,
    summary: Summary,
    needs: Needs,
    files: Vec<KnownFile>,
    /// Pages that its links lead to, or would.
    asked: Asked,
    /// Files beside the notebook that it shows, or would.
    taken: Taken,
    /// Its places that links of other pages lead to.
    anchors: Anchors,
    /// Texts that its findings point into.
    texts: Vec<KnownText>,
    findings: Vec<KnownFinding>,
    /// Whether a line of the notebook may hold a secret.
    shows_secret: bool,
    engine: String,
}

/// A file of a page. Its stamp is another one in each site that it stands in, and is kept apart.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownFile {
    path: String,
    bytes: u64,
    integrity: String,
    references: References,
}

/// A cell of the notebook, or the notebook itself, whose text is in its file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownText {
    cell: Option<(u32, String)>,
}

/// A place in one of the texts.
type Place = (usize, u32, u32);

/// A finding about the notebook.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownFinding {
    code: String,
    message: String,
    place: Place,
    label: Option<String>,
    labels: Vec<(Place, String)>,
    help: Option<String>,
}

/// A page in the form in which it is kept: one line of JSON, which is read when its notebook is.
pub(super) type PageLine = Box<str>;

/// The pages of the last build into a folder, as far as they can be taken over.
#[derive(Debug)]
pub(super) struct LastSite {
    entry: Key,
    pub(super) parts: SiteParts,
    /// Files of the earlier site that are the ones that the last build published.
    standing: Arc<Stamps>,
    /// By the path of the notebook, whose letters are compared faster than its parts.
    pages: BTreeMap<String, PageLine>,
}

impl LastSite {
    /// Reads what the last build into `folder` kept, whose files are now `earlier`.
    pub(super) fn load(
        cache: &Cache,
        folder: &Utf8Path,
        parts: SiteParts,
        earlier: Stamps,
    ) -> Self {
        let entry = KeyBuilder::new("pages of a site").text("folder", folder.as_str()).end();
        let body = if earlier.is_empty() { None } else { cache.get(Kind::Site, &entry) };
        let kept = body.and_then(|it| read(std::str::from_utf8(&it).ok()?));
        let (then, pages) = kept.unwrap_or_default();
        let mut standing = earlier;
        standing.retain(|path, now| then.get(path) == Some(now));
        Self { entry, parts, standing: Arc::new(standing), pages }
    }

    /// The page of a notebook, if this build would make it again. The notebook was read, and need not be parsed.
    pub(super) fn known(
        &self,
        input: &Input,
        path: &SitePath,
        notebook: SourceId,
        sources: &mut Sources,
    ) -> Option<Known> {
        // The digest of a pair would have to be that of both files.
        if input.stored.is_some() {
            return None;
        }
        let digest = *sources.get(notebook).digest();
        let line = self.pages.get(input.relative.as_str())?;
        let page: KnownPage = serde_json::from_str(line).ok()?;
        let is_same = page.key == self.parts.page(input, path, &digest).0;
        let stands = page.files.iter().all(|it| self.standing.contains_key(&it.path));
        let lock = self.parts.pictures.as_deref();
        if !is_same
            || !stands
            || !Neighbours::still_hold(input.place().0, &page.taken)
            || !pictures_hold(lock, &page.taken.pictures)
        {
            return None;
        }
        let findings = page.findings(notebook, sources)?;
        let provenance = page.provenance(path, &input.relative, &digest);
        let KnownPage { summary, needs, files, asked, taken, anchors, shows_secret, .. } = page;
        Some(Known {
            notebook: input.relative.clone(),
            path: path.clone(),
            piece: piece(files, summary, needs)?,
            provenance,
            findings,
            asked,
            taken,
            anchors: Arc::new(anchors),
            shows_secret,
            line: line.clone(),
        })
    }

    /// Leaves out pages whose links lead elsewhere than they did.
    pub(super) fn forget(&mut self, notebooks: &BTreeSet<Utf8PathBuf>) {
        self.pages.retain(|it, _| !notebooks.contains(Utf8Path::new(it)));
    }

    /// The name of its entry.
    pub(super) fn entry(&self) -> &Key {
        &self.entry
    }

    /// Files of the earlier site that are the ones that the last build published.
    pub(super) fn standing(&self) -> &Arc<Stamps> {
        &self.standing
    }
}

/// A notebook whose page is that of the last build.
pub(super) struct Known {
    /// Relative to what is built.
    pub(super) notebook: Utf8PathBuf,
    pub(super) path: SitePath,
    pub(super) piece: Piece,
    pub(super) provenance: Provenance,
    pub(super) findings: Vec<Diagnostic>,
    /// Pages that its links lead to, or would.
    asked: Asked,
    /// Files beside the notebook that it shows, or would.
    pub(super) taken: Taken,
    /// Its places that links of other pages lead to.
    pub(super) anchors: Arc<Anchors>,
    /// Whether a line of the notebook may hold a secret.
    pub(super) shows_secret: bool,
    pub(super) line: PageLine,
}

impl Known {
    /// The notebook, its page, and the places of that which links of other pages lead to.
    pub(super) fn target(&self) -> (&Utf8Path, &SitePath, Option<Arc<Anchors>>) {
        (&self.notebook, &self.path, Some(Arc::clone(&self.anchors)))
    }

    /// Whether its links lead where they did.
    pub(super) fn leads_where_it_did(&self, pages: &Pages) -> bool {
        pages.answer_as(&self.asked)
    }
}

/// Keeps the pages of a site that was published, with the stamps of its files. One line holds the stamps, and two each
/// page: the path of its notebook, and the page.
pub(super) fn keep(
    cache: &Cache,
    entry: &Key,
    stamps: &Stamps,
    pages: impl IntoIterator<Item = (Utf8PathBuf, PageLine)>,
) {
    let Ok(mut body) = serde_json::to_string(stamps) else { return };
    for (notebook, page) in pages {
        let Ok(notebook) = serde_json::to_string(&notebook) else { continue };
        for line in [&*notebook, &*page] {
            body.push('\n');
            body.push_str(line);
        }
    }
    cache.put(Kind::Site, entry, body.as_bytes());
}

/// The stamps and pages of an entry. `None` for one that says what no build says.
fn read(body: &str) -> Option<(Stamps, BTreeMap<String, PageLine>)> {
    let mut lines = body.split('\n');
    let stamps = serde_json::from_str(lines.next()?).ok()?;
    let mut pages = BTreeMap::new();
    while let Some(notebook) = lines.next() {
        pages.insert(serde_json::from_str(notebook).ok()?, lines.next()?.into());
    }
    Some((stamps, pages))
}

/// Facts about a page that are known before its bytes are.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) key: Key,
    pub(super) notebook: Utf8PathBuf,
    pub(super) asked: Asked,
    taken: Taken,
    anchors: Arc<Anchors>,
    pub(super) shows_secret: bool,
    texts: Vec<KnownText>,
    findings: Vec<KnownFinding>,
}

impl Note {
    /// `None` for a page that another build may not get in the same way.
    pub(super) fn new(
        (key, notebook): (Key, Utf8PathBuf),
        (asked, taken, anchors): (Asked, Taken, Arc<Anchors>),
        shows_secret: bool,
        diagnostics: &[Diagnostic],
        sources: &Sources,
    ) -> Option<Self> {
        // A cell that failed is told in the log as well.
        let is_odd =
            |it: &Diagnostic| it.severity == Severity::Error || it.code == Code::CellFailed;
        if diagnostics.iter().any(is_odd) {
            return None;
        }
        let ids: BTreeSet<SourceId> = diagnostics
            .iter()
            .flat_map(|it| it.labels.iter().map(|label| label.span).chain([it.span]))
            .map(|it| it.source)
            .collect();
        let ids: Vec<SourceId> = ids.into_iter().collect();
        let texts = ids.iter().map(|it| {
            let source = sources.get(*it);
            KnownText { cell: source.cell().map(|cell| (cell, source.text().to_owned())) }
        });
        let texts = texts.collect();
        let findings = diagnostics.iter().map(|it| KnownFinding::of(it, &ids)).collect();
        Some(Self { key, notebook, asked, taken, anchors, shows_secret, texts, findings })
    }

    /// The page, once it is proved.
    pub(super) fn page(
        self,
        (summary, needs): (Summary, Needs),
        engine: &str,
        files: Vec<(SitePath, u64, Integrity, References)>,
    ) -> Option<(Utf8PathBuf, PageLine)> {
        let Self { key, notebook, asked, taken, anchors, shows_secret, texts, findings } = self;
        let files = files.into_iter().map(|(path, bytes, integrity, references)| {
            let (path, integrity) = (path.as_str().to_owned(), integrity.as_str().to_owned());
            KnownFile { path, bytes, integrity, references }
        });
        let files = files.collect();
        let engine = engine.to_owned();
        let page = KnownPage {
            key,
            summary,
            needs,
            files,
            asked,
            taken,
            anchors: Arc::unwrap_or_clone(anchors),
            texts,
            findings,
            shows_secret,
            engine,
        };
        Some((notebook, serde_json::to_string(&page).ok()?.into()))
    }
}

impl KnownFinding {
    fn of(diagnostic: &Diagnostic, ids: &[SourceId]) -> Self {
        let place = |span: Span| {
            let text = ids.binary_search(&span.source).unwrap_or_default();
            (text, span.start, span.end)
        };
        let Diagnostic { code, severity: _, message, span, label, labels, help } = diagnostic;
        let labels = labels.iter().map(|it| (place(it.span), it.message.clone())).collect();
        Self {
            code: code.number().to_owned(),
            message: message.clone(),
            place: place(*span),
            label: label.clone(),
            labels,
            help: help.clone(),
        }
    }

    fn diagnostic(&self, ids: &[SourceId], sources: &Sources) -> Option<Diagnostic> {
        let span = |(text, start, end): Place| {
            let source = *ids.get(text)?;
            sources.get(source).text().get(start as usize..end as usize)?;
            Some(Span::new(source, start, end))
        };
        let labels = self
            .labels
            .iter()
            .map(|(place, message)| Some(Label { span: span(*place)?, message: message.clone() }));
        Some(Diagnostic {
            code: Code::find(&self.code)?,
            severity: Severity::Warning,
            message: self.message.clone(),
            span: span(self.place)?,
            label: self.label.clone(),
            labels: labels.collect::<Option<_>>()?,
            help: self.help.clone(),
        })
    }
}

impl KnownPage {
    /// The findings of the page, once more. `None` for an entry that says what no build says.
    fn findings(&self, notebook: SourceId, sources: &mut Sources) -> Option<Vec<Diagnostic>> {
        let ids = self.texts.iter().map(|it| match &it.cell {
            None => notebook,
            Some((cell, text)) => sources.add_cell(notebook, *cell, text.as_str().into()),
        });
        let ids: Vec<SourceId> = ids.collect();
        let sources = &*sources;
        self.findings.iter().map(|it| it.diagnostic(&ids, sources)).collect()
    }

    /// The manifest's entry.
    fn provenance(&self, path: &SitePath, notebook: &Utf8Path, digest: &[u8; 48]) -> Provenance {
        Provenance {
            path: path.clone(),
            title: self.summary.title.clone(),
            source: notebook.as_str().to_owned(),
            source_integrity: Integrity::of_sha384(digest),
            engine: self.engine.clone(),
            python: String::new(),
            packages: Vec::new(),
            lock: None,
            isolation: Vec::new(),
            granted: Granted::default(),
        }
    }
}

/// The page as a part of the next site.
fn piece(files: Vec<KnownFile>, summary: Summary, needs: Needs) -> Option<Piece> {
    let files = files.into_iter().map(|it| {
        let digest = it.integrity.strip_prefix("sha384-")?;
        let digest = base64::engine::general_purpose::STANDARD.decode(digest).ok()?;
        let digest: [u8; 48] = digest.try_into().ok()?;
        let path = SitePath::new(&it.path).ok()?;
        Some(Standing::new(path, it.bytes, digest, it.references))
    });
    let files = files.collect::<Option<Vec<_>>>()?;
    let path = files.first()?.path().clone();
    Some(Piece::Standing { path, summary, needs, files })
}
