//! Phase 9: pages to a [`Site`].
//!
//! In: pages. Out: files with their digests, each page under a policy that names exactly what it
//! holds, and a manifest. Never reads a clock or a random source: same pages, same bytes.

pub mod csp;
mod document;
pub mod manifest;
mod piece;
mod states;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use minijinja::{Value, context};
use rayon::prelude::*;

use document::document;
pub use manifest::Provenance;
pub use piece::{Emitted, Needs, Piece, Summary};

use crate::cache::{Cache, KeyBuilder, Kind as Entry};
use crate::config::BaseUrl;
use crate::render::{self, Look, Page, RenderError};
use crate::site::scripts::{
    CHARTS as CHART_SCRIPT, PAGE as PAGE_SCRIPT, STATES as STATE_SCRIPT, TABLES as TABLE_SCRIPT,
};
use crate::site::{Asset, Integrity, Site, SitePath, SitePathError};

/// `nbc 0.1.0`.
pub const GENERATOR: &str = concat!("nbc ", env!("CARGO_PKG_VERSION"));

const PAGE_STYLE: &str = {
    const WRITTEN: &str =
        concat!(include_str!("../../assets/nbc.css"), include_str!("../../assets/output.css"));
    static BYTES: [u8; without_comments(WRITTEN, &mut [])] = {
        let mut bytes = [0; without_comments(WRITTEN, &mut [])];
        without_comments(WRITTEN, &mut bytes);
        bytes
    };
    match std::str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => WRITTEN,
    }
};

/// Writes a stylesheet without its comments, which are for those who change it. Gives the length; bytes beyond the end of
/// `out` are only counted.
#[expect(clippy::indexing_slicing, reason = "runs when nbc is compiled")]
const fn without_comments(style: &str, out: &mut [u8]) -> usize {
    let text = style.as_bytes();
    let (mut at, mut length) = (0, 0);
    while at < text.len() {
        let begins_line = at == 0 || text[at - 1] == b'\n';
        if text[at] == b'/' && at + 1 < text.len() && text[at + 1] == b'*' {
            at += 2;
            while at + 1 < text.len() && !(text[at] == b'*' && text[at + 1] == b'/') {
                at += 1;
            }
            at += 2;
            // A comment that stands alone takes its line with it.
            if begins_line && at < text.len() && text[at] == b'\n' {
                at += 1;
            }
            continue;
        }
        if length < out.len() {
            out[length] = text[at];
        }
        length += 1;
        at += 1;
    }
    length
}
const MATH_STYLE: &str = include_str!("../../assets/math.css");
const CHART_STYLE: &str = include_str!("../../assets/charts.css");
const TABLE_STYLE: &str = include_str!("../../assets/tables.css");
const STATE_STYLE: &str = include_str!("../../assets/states.css");

/// How a site is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Each page is one file that needs no other and works from `file://`.
    Single,
    /// Stylesheet and script are shared, hashed files. For http: Chromium refuses `integrity` on
    /// `file://`.
    Site,
}

impl Layout {
    /// `single` or `site`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Site => "site",
        }
    }
}

/// Why a site could not be assembled: a defect of nbc, or two notebooks with one page path.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    /// A template is broken, or a stylesheet would end its element.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Two files would have the same path.
    #[error(transparent)]
    Path(#[from] SitePathError),
    /// A runtime or the states of a page could not be compressed.
    #[error("a part of a page cannot be compressed: {0}")]
    Compression(#[from] std::io::Error),
    /// The manifest or the states of a page could not be written as JSON.
    #[error("a part of the site cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Assembles pages, and the files that they link to, into a site; the page at `list` leads to all of them. Gives the facts
/// about each new page by which a later site can take it over, in the order of these.
///
/// # Errors
/// See [`EmitError`].
pub fn assemble(
    mut pages: Vec<Piece>,
    linked: Vec<Asset>,
    provenance: &[Provenance],
    (layout, list): (Layout, Option<&SitePath>),
    look: &Look<'_>,
    cache: Option<&Cache>,
) -> Result<(Site, Vec<Emitted>), EmitError> {
    let mut site = Site::default();
    for file in linked {
        site.add(file)?;
    }
    let shared = match layout {
        Layout::Single => None,
        Layout::Site => Some(SharedFiles::add_to(&mut site, &pages, look)?),
    };
    let packed = match layout {
        Layout::Single => pack_runtimes(&pages, cache)?,
        Layout::Site => BTreeMap::new(),
    };
    let has_islands = pages.iter().any(Piece::has_islands);
    let new = pages.par_iter_mut().filter_map(Piece::new_mut);
    let assembled = new.map(|page| page_files(page, shared.as_ref(), &packed, layout, look));
    let assembled: Vec<Result<_, EmitError>> = assembled.collect();
    let mut emitted = Vec::new();
    for made in assembled {
        let (files, facts) = made?;
        emitted.push(facts);
        for file in files {
            site.add(file)?;
        }
    }
    for file in pages.iter_mut().flat_map(Piece::take_standing) {
        site.take_over(file)?;
    }
    for path in lists(&pages, list)? {
        let mut index = index_page(&pages, look, path)?;
        let text = document(&mut index, shared.as_ref(), &packed, &[], look)?;
        site.add(Asset::new(index.path, text.into_bytes()))?;
    }
    if layout == Layout::Site {
        // A host serves 404.html at any depth, where relative links would miss the shared files.
        let mut missing = not_found_page(look)?;
        let text = document(&mut missing, None, &packed, &[], look)?;
        site.add(Asset::new(missing.path, text.into_bytes()))?;
        let headers = headers(&site, has_islands);
        site.add(Asset::new(SitePath::new("_headers")?, headers.into_bytes()))?;
    }
    let base_url = look.base_url.as_ref().map(BaseUrl::as_str);
    let text = manifest::manifest(&site, GENERATOR, layout.name(), base_url, provenance)?;
    site.add(Asset::new(SitePath::new("manifest.json")?, text.into_bytes()))?;
    Ok((site, emitted))
}

/// The files of a page, itself first, and the facts about it.
fn page_files(
    page: &mut Page,
    shared: Option<&SharedFiles>,
    packed: &BTreeMap<Integrity, String>,
    layout: Layout,
    look: &Look<'_>,
) -> Result<(Vec<Asset>, Emitted), EmitError> {
    let needs = Needs::of(page);
    let states = states::pack(page, layout)?;
    let text = document(page, shared, packed, &states, look)?;
    let mut files = vec![Asset::new(page.path.clone(), text.into_bytes())];
    files.append(&mut page.files);
    files.extend(states.into_iter().filter_map(states::Piece::into_file));
    let charts = shared.and_then(|it| it.charts.as_ref());
    let runtimes = page.runtimes.iter().filter_map(|it| charts?.runtimes.get(it.integrity()));
    let own = files.iter().chain(runtimes).map(|it| it.path().clone());
    let paths = own.chain(page.linked.iter().cloned()).collect();
    Ok((files, Emitted { summary: Summary::of(page), needs, files: paths }))
}

/// Pages of nbc's making that lead to all others: that of the site, and the first one, should the notebook that has this
/// place not be there.
fn lists(pages: &[Piece], list: Option<&SitePath>) -> Result<Vec<SitePath>, SitePathError> {
    let is_free = |path: &SitePath| pages.iter().all(|it| it.path() != path);
    let first = list.map(|_| SitePath::new("index.html")).transpose()?;
    let mut found: Vec<SitePath> = list.cloned().into_iter().chain(first).filter(is_free).collect();
    found.dedup();
    Ok(found)
}

/// Rules that work only as HTTP headers (a `<meta>` policy ignores `frame-ancestors`), in the form that
/// Netlify and Cloudflare Pages read.
///
/// These hosts join the values of all rules that fit a path, so no two rules may say the same: where a site has
/// islands, the rules about frames name the pages one by one.
fn headers(site: &Site, has_islands: bool) -> String {
    const ALONE: &str =
        "  X-Frame-Options: DENY\n  Content-Security-Policy: frame-ancestors 'none'\n";
    const FRAMED: &str =
        "  X-Frame-Options: SAMEORIGIN\n  Content-Security-Policy: frame-ancestors 'self'\n";
    const ISLAND: &str = "  X-Frame-Options: SAMEORIGIN\n  \
        Content-Security-Policy: sandbox allow-scripts; frame-ancestors 'self'\n";
    if !has_islands {
        return HEADERS.replacen("  Referrer", &format!("{ALONE}  Referrer"), 1);
    }
    let mut places = std::collections::BTreeSet::from(["/".to_owned()]);
    for file in site.listed() {
        let path = file.path.as_str();
        match path.split_once('/') {
            // Other files than pages gain nothing from being framed, and have rules of their own.
            Some(("islands" | "assets", _)) => {}
            Some((folder, _)) => drop(places.insert(format!("/{folder}/*"))),
            None => {
                places.insert(format!("/{path}"));
                places.extend(path.strip_suffix(".html").map(|it| format!("/{it}")));
            }
        }
    }
    if places.len() > MOST_RULES {
        return HEADERS.replacen("  Referrer", &format!("{FRAMED}  Referrer"), 1);
    }
    let rules: String = places.iter().map(|it| format!("{it}\n{ALONE}")).collect();
    format!("{HEADERS}/islands/*\n{ISLAND}{rules}")
}

/// Cloudflare reads a hundred.
const MOST_RULES: usize = 90;

const HEADERS: &str = "\
/*
  X-Content-Type-Options: nosniff
  Referrer-Policy: no-referrer
  Cross-Origin-Opener-Policy: same-origin
  Permissions-Policy: camera=(), geolocation=(), microphone=()
/assets/*
  Cache-Control: public, max-age=31536000, immutable
";

struct SharedFiles {
    style: Asset,
    script: Asset,
    charts: Option<ChartFiles>,
    tables: Option<ExtraFiles>,
    states: Option<ExtraFiles>,
}

/// Style and script that only some pages need.
struct ExtraFiles {
    style: Asset,
    script: Asset,
}

struct ChartFiles {
    style: Asset,
    script: Asset,
    /// By the digest of the runtime.
    runtimes: BTreeMap<Integrity, Asset>,
}

impl SharedFiles {
    fn add_to(site: &mut Site, pages: &[Piece], look: &Look<'_>) -> Result<Self, EmitError> {
        let mut add = |stem: &str, extension: &str, text: &str| -> Result<Asset, EmitError> {
            let asset = Asset::hashed("assets", stem, extension, text.as_bytes().to_vec())?;
            site.add(asset.clone())?;
            Ok(asset)
        };
        let style = add("nbc", "css", &page_style(look))?;
        let script = add("nbc", "js", PAGE_SCRIPT)?;
        let mut runtimes = BTreeMap::new();
        for runtime in pages.iter().filter_map(Piece::new_page).flat_map(|it| &it.runtimes) {
            if !runtimes.contains_key(runtime.integrity()) {
                let asset = add(runtime.kind().name(), "js", runtime.text())?;
                runtimes.insert(runtime.integrity().clone(), asset);
            }
        }
        let needs: Vec<Needs> = pages.iter().map(Piece::needs).collect();
        let charts = match needs.iter().any(|it| it.charts) {
            false => None,
            true => Some(ChartFiles {
                style: add("charts", "css", CHART_STYLE)?,
                script: add("charts", "js", CHART_SCRIPT)?,
                runtimes,
            }),
        };
        let mut extra = |is_needed: bool, stem: &str, style: &str, script: &str| {
            let files = || -> Result<ExtraFiles, EmitError> {
                Ok(ExtraFiles { style: add(stem, "css", style)?, script: add(stem, "js", script)? })
            };
            is_needed.then(files).transpose()
        };
        let tables = extra(needs.iter().any(|it| it.tables), "tables", TABLE_STYLE, TABLE_SCRIPT)?;
        let has_states = needs.iter().any(|it| it.states);
        let states = extra(has_states, "states", STATE_STYLE, STATE_SCRIPT)?;
        Ok(Self { style, script, charts, tables, states })
    }
}

/// The runtimes of pages, packed; one may take a quarter of a second, so that it is done once.
fn pack_runtimes(
    pages: &[Piece],
    cache: Option<&Cache>,
) -> Result<BTreeMap<Integrity, String>, EmitError> {
    let pages = pages.iter().filter_map(Piece::new_page);
    let runtimes = pages.flat_map(|it| &it.runtimes);
    let runtimes: BTreeMap<_, _> = runtimes.map(|it| (it.integrity(), it)).collect();
    let packed = runtimes.into_par_iter();
    packed.map(|(integrity, it)| Ok((integrity.clone(), pack(it.text(), cache)?))).collect()
}

/// A script as text in which HTML sees nothing: compressed, then base64. Browsers unpack it.
fn pack(script: &str, cache: Option<&Cache>) -> Result<String, EmitError> {
    let known = cache.map(|it| (it, KeyBuilder::new("gzip").text("script", script).end()));
    let found = known.as_ref().and_then(|(cache, key)| cache.get(Entry::Packed, key));
    let packed = match found.filter(|it| unpacks_to(it, script)) {
        Some(packed) => packed,
        None => {
            let packed = compress(script)?;
            if let Some((cache, key)) = known {
                cache.put(Entry::Packed, &key, &packed);
            }
            packed
        }
    };
    Ok(base64::engine::general_purpose::STANDARD.encode(packed))
}

/// Checks cached bytes, so that write access to the cache gives no control over scripts of pages.
fn unpacks_to(packed: &[u8], script: &str) -> bool {
    let mut unpacked = Vec::with_capacity(script.len());
    let most = script.len() as u64 + 1;
    let mut unpack = flate2::bufread::GzDecoder::new(packed);
    let read = unpack.by_ref().take(most).read_to_end(&mut unpacked);
    read.is_ok() && unpacked == script.as_bytes() && unpack.into_inner().is_empty()
}

fn compress(text: &str) -> Result<Vec<u8>, EmitError> {
    // The header of gzip has a time, which is left at zero.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(text.as_bytes())?;
    Ok(packed.finish()?)
}

/// nbc's rules, and behind them the site's own, which win.
fn page_style(look: &Look<'_>) -> String {
    format!("{PAGE_STYLE}{MATH_STYLE}{}", look.theme.as_str())
}

/// Most bytes of pictures on the index page.
const INDEX_PICTURES: usize = 400_000;

fn index_page(pages: &[Piece], look: &Look<'_>, path: SitePath) -> Result<Page, RenderError> {
    let mut room = INDEX_PICTURES;
    let cards: Vec<Value> = pages
        .iter()
        .map(|piece| {
            let page = piece.summary();
            let picture = page.picture.as_deref().unwrap_or_default();
            let left = room.checked_sub(picture.len());
            room = left.unwrap_or(room);
            context! {
                href => path.link_to(piece.path()),
                title => page.title.as_str(),
                description => page.description.as_deref().unwrap_or_default(),
                byline => page.byline.as_str(),
                picture => if left.is_some() { picture } else { "" },
                language => if page.language == look.language { "" } else { page.language.as_str() },
                file_name => page.file_name.as_str(),
            }
        })
        .collect();
    let (title, lead) = (look.title.as_str(), look.description.as_deref().unwrap_or_default());
    let body = look.templates.render("index.html", context! { title, lead, pages => cards })?;
    render::own_page(path, title, body, look)
}

fn not_found_page(look: &Look<'_>) -> Result<Page, EmitError> {
    let body = look.templates.render("not_found.html", context! {})?;
    Ok(render::own_page(SitePath::new("404.html")?, "Page not found", body, look)?)
}
