//! Phase 9: pages to a [`Site`].
//!
//! In: pages. Out: files with their digests, each page under a policy that names exactly what it
//! holds, and a manifest. Never reads a clock or a random source: same pages, same bytes.

pub mod csp;
pub mod manifest;

use minijinja::{Value, context};

use csp::{Contents, Csp, OwnFiles};
pub use manifest::Provenance;

use crate::render::environment::{self, raw_text_value, rendered_value};
use crate::render::{Page, RenderError, Rendered};
use crate::sanitize::SafeCss;
use crate::site::{Asset, Integrity, Site, SitePath, SitePathError};

/// `nbc 0.1.0`.
pub const GENERATOR: &str = concat!("nbc ", env!("CARGO_PKG_VERSION"));

const PAGE_STYLE: &str =
    concat!(include_str!("../../assets/nbc.css"), include_str!("../../assets/output.css"));
const PAGE_SCRIPT: &str = include_str!("../../assets/nbc.js");

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
    /// The manifest could not be written as JSON.
    #[error("the manifest cannot be written: {0}")]
    Manifest(#[from] serde_json::Error),
}

/// Assembles pages into a site; with several pages, an index page leads to them.
///
/// # Errors
/// See [`EmitError`].
pub fn assemble(
    pages: &[Page],
    provenance: &[Provenance],
    layout: Layout,
    title: &str,
) -> Result<Site, EmitError> {
    let mut site = Site::default();
    let shared = match layout {
        Layout::Single => None,
        Layout::Site => Some(SharedFiles::add_to(&mut site)?),
    };
    for page in pages {
        let text = document(page, shared.as_ref())?;
        site.add(Asset::new(page.path.clone(), text.into_bytes()))?;
    }
    let index_path = SitePath::new("index.html")?;
    if needs_index(pages, layout) {
        let index = index_page(pages, title, index_path)?;
        let text = document(&index, shared.as_ref())?;
        site.add(Asset::new(index.path.clone(), text.into_bytes()))?;
    }
    if layout == Layout::Site {
        // A host serves 404.html at any depth, where relative links would miss the shared files.
        let missing = not_found_page()?;
        let text = document(&missing, None)?;
        site.add(Asset::new(missing.path.clone(), text.into_bytes()))?;
        site.add(Asset::new(SitePath::new("_headers")?, HEADERS.as_bytes().to_vec()))?;
    }
    let text = manifest::manifest(&site, GENERATOR, layout.name(), provenance)?;
    site.add(Asset::new(SitePath::new("manifest.json")?, text.into_bytes()))?;
    Ok(site)
}

/// Whether a site of these pages gets an index page of nbc's making: not if it is one file, nor if
/// a notebook takes the place.
pub fn needs_index(pages: &[Page], layout: Layout) -> bool {
    let taken = pages.iter().any(|page| page.path.as_str() == "index.html");
    !taken && (pages.len() > 1 || layout == Layout::Site)
}

/// What only a header can say (a `<meta>` policy ignores `frame-ancestors`), in the form that
/// Netlify and Cloudflare Pages read.
const HEADERS: &str = "\
/*
  X-Content-Type-Options: nosniff
  X-Frame-Options: DENY
  Content-Security-Policy: frame-ancestors 'none'
  Referrer-Policy: no-referrer
  Cross-Origin-Opener-Policy: same-origin
  Permissions-Policy: camera=(), geolocation=(), microphone=()
/assets/*
  Cache-Control: public, max-age=31536000, immutable
";

struct SharedFiles {
    style: Asset,
    script: Asset,
}

impl SharedFiles {
    fn add_to(site: &mut Site) -> Result<Self, EmitError> {
        let style = Asset::hashed("assets", "nbc", "css", PAGE_STYLE.as_bytes().to_vec())?;
        let script = Asset::hashed("assets", "nbc", "js", PAGE_SCRIPT.as_bytes().to_vec())?;
        site.add(style.clone())?;
        site.add(script.clone())?;
        Ok(Self { style, script })
    }
}

/// A whole HTML document around the body of a page.
fn document(page: &Page, shared: Option<&SharedFiles>) -> Result<Rendered, RenderError> {
    let body = page.body.as_str();
    let has_media = ["<audio ", "<video "].iter().any(|it| body.contains(it));
    let mut contents = Contents { has_media, ..Contents::default() };
    let mut inline_style = page.style.as_str().to_owned();
    let mut inline_script = "";
    let (mut stylesheet, mut script_link) = (Value::from(false), Value::from(false));
    if let Some(SharedFiles { style, script }) = shared {
        contents.own_files = OwnFiles::Linked;
        contents.scripts.push(script.integrity().clone());
        stylesheet = link(page, style);
        script_link = link(page, script);
    } else {
        inline_style.insert_str(0, PAGE_STYLE);
        inline_script = PAGE_SCRIPT;
        contents.scripts.push(Integrity::of(PAGE_SCRIPT.as_bytes()));
    }
    if !inline_style.is_empty() {
        contents.styles.push(Integrity::of(inline_style.as_bytes()));
    }
    environment::render(
        "document.html",
        context! {
            language => page.language.as_str(),
            policy => Csp::of(&contents).as_str(),
            generator => GENERATOR,
            title => page.title.as_str(),
            description => page.description.as_deref().unwrap_or_default(),
            stylesheet,
            style => raw_text_value("style", &inline_style)?,
            script_link,
            body => rendered_value(&page.body),
            script => raw_text_value("script", inline_script)?,
        },
    )
}

fn link(page: &Page, asset: &Asset) -> Value {
    context! {
        href => page.path.link_to(asset.path()),
        integrity => asset.integrity().as_str(),
    }
}

fn index_page(pages: &[Page], title: &str, path: SitePath) -> Result<Page, RenderError> {
    let cards: Vec<Value> = pages
        .iter()
        .map(|page| {
            context! {
                href => path.link_to(&page.path),
                title => page.title.as_str(),
                description => page.description.as_deref().unwrap_or_default(),
                file_name => page.file_name.as_str(),
            }
        })
        .collect();
    let body = environment::render("index.html", context! { title, pages => cards })?;
    Ok(own_page(path, title, body))
}

fn not_found_page() -> Result<Page, EmitError> {
    let body = environment::render("not_found.html", context! {})?;
    Ok(own_page(SitePath::new("404.html")?, "Page not found", body))
}

/// A page that is not made from a notebook.
fn own_page(path: SitePath, title: &str, body: Rendered) -> Page {
    Page {
        path,
        title: title.to_owned(),
        description: None,
        language: "en".to_owned(),
        file_name: String::new(),
        style: SafeCss::default(),
        body,
    }
}
