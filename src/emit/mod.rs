//! Phase 9: pages to a [`Site`].
//!
//! In: pages. Out: files with their digests, each page under a policy that names exactly what it
//! holds, and a manifest. Never reads a clock or a random source: same pages, same bytes.

pub mod csp;
pub mod manifest;

use minijinja::{Value, context};

use csp::{Contents, Csp, OwnFiles};
pub use manifest::Provenance;

use crate::render::environment::{raw_text_value, rendered_value};
use crate::render::{self, Look, Page, RenderError, Rendered};
use crate::site::{Asset, Integrity, Site, SitePath, SitePathError};

/// `nbc 0.1.0`.
pub const GENERATOR: &str = concat!("nbc ", env!("CARGO_PKG_VERSION"));

const PAGE_STYLE: &str =
    concat!(include_str!("../../assets/nbc.css"), include_str!("../../assets/output.css"));
const PAGE_SCRIPT: &str = include_str!("../../assets/nbc.js");

/// Three cells and what leads from one to the next. Without an icon, browsers ask for `/favicon.ico`.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
    %3Crect width='16' height='16' rx='3.5' fill='%230b5cad'/%3E%3Cpath d='M4 4.5h8M4 8h5M4 11.5h8' \
    stroke='%23fff' stroke-width='2' stroke-linecap='round'/%3E%3C/svg%3E";

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
    look: &Look<'_>,
) -> Result<Site, EmitError> {
    let mut site = Site::default();
    let shared = match layout {
        Layout::Single => None,
        Layout::Site => Some(SharedFiles::add_to(&mut site, look)?),
    };
    for page in pages {
        let text = document(page, shared.as_ref(), look)?;
        site.add(Asset::new(page.path.clone(), text.into_bytes()))?;
        for file in &page.files {
            site.add(file.clone())?;
        }
    }
    let index_path = SitePath::new("index.html")?;
    if needs_index(pages, layout) {
        let index = index_page(pages, look, index_path)?;
        let text = document(&index, shared.as_ref(), look)?;
        site.add(Asset::new(index.path.clone(), text.into_bytes()))?;
    }
    if layout == Layout::Site {
        // A host serves 404.html at any depth, where relative links would miss the shared files.
        let missing = not_found_page(look)?;
        let text = document(&missing, None, look)?;
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
    fn add_to(site: &mut Site, look: &Look<'_>) -> Result<Self, EmitError> {
        let style = Asset::hashed("assets", "nbc", "css", page_style(look).into_bytes())?;
        let script = Asset::hashed("assets", "nbc", "js", PAGE_SCRIPT.as_bytes().to_vec())?;
        site.add(style.clone())?;
        site.add(script.clone())?;
        Ok(Self { style, script })
    }
}

/// nbc's rules, and behind them the site's own, which win.
fn page_style(look: &Look<'_>) -> String {
    format!("{PAGE_STYLE}{}", look.theme.as_str())
}

/// A whole HTML document around the body of a page.
fn document(
    page: &Page,
    shared: Option<&SharedFiles>,
    look: &Look<'_>,
) -> Result<Rendered, RenderError> {
    let mut contents = Contents::default();
    let mut inline_style = page.style.as_str().to_owned();
    let mut inline_script = "";
    let (mut stylesheet, mut script_link) = (Value::from(false), Value::from(false));
    if let Some(SharedFiles { style, script }) = shared {
        contents.own_files = OwnFiles::Linked;
        contents.scripts.push(script.integrity().clone());
        stylesheet = link(page, style);
        script_link = link(page, script);
    } else {
        inline_style.insert_str(0, &page_style(look));
        inline_script = PAGE_SCRIPT;
        contents.scripts.push(Integrity::of(PAGE_SCRIPT.as_bytes()));
    }
    if !inline_style.is_empty() {
        contents.styles.push(Integrity::of(inline_style.as_bytes()));
    }
    look.templates.render(
        "document.html",
        context! {
            language => page.language.as_str(),
            direction => render::direction(&page.language),
            policy => Csp::of(&contents).as_str(),
            generator => GENERATOR,
            head => rendered_value(&page.head),
            icon => ICON,
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

/// Most bytes of pictures on the index page.
const INDEX_PICTURES: usize = 400_000;

fn index_page(pages: &[Page], look: &Look<'_>, path: SitePath) -> Result<Page, RenderError> {
    let mut room = INDEX_PICTURES;
    let cards: Vec<Value> = pages
        .iter()
        .map(|page| {
            let picture = page.picture.as_deref().unwrap_or_default();
            let left = room.checked_sub(picture.len());
            room = left.unwrap_or(room);
            context! {
                href => path.link_to(&page.path),
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
