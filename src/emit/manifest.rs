//! `manifest.json`: every file with its digest, and what each page was made from.

use serde::Serialize;

use crate::process::Layer;
use crate::run::record::Granted;
use crate::site::{Integrity, Listed, Site, SitePath};

/// Version of the manifest's shape.
pub const MANIFEST_FORMAT: u32 = 1;

/// How one page came about.
#[derive(Debug, Clone, Serialize)]
pub struct Provenance {
    /// The page.
    pub path: SitePath,
    /// Title of the page.
    pub title: String,
    /// The notebook, relative to the folder that was built.
    pub source: String,
    /// Digest of the notebook's bytes.
    pub source_integrity: Integrity,
    /// `marimo`, `ipython`, `python`, or `stored` when nothing was run.
    pub engine: String,
    /// Version of Python, empty when nothing was run.
    pub python: String,
    /// Packages of the environment, `name==version`, sorted.
    pub packages: Vec<String>,
    /// Digest of the environment's lock, if nbc made the environment.
    pub lock: Option<String>,
    /// Layers of isolation that were active during the run.
    pub isolation: Vec<Layer>,
    /// Permissions that the user granted to the run.
    #[serde(skip_serializing_if = "Granted::is_empty")]
    pub granted: Granted,
}

#[derive(Serialize)]
struct Manifest<'a> {
    format: u32,
    generator: &'a str,
    layout: &'a str,
    /// The address of the site, to which those of its pages belong.
    #[serde(skip_serializing_if = "Option::is_none")]
    base_url: Option<&'a str>,
    files: Vec<Listed<'a>>,
    pages: &'a [Provenance],
}

/// The manifest of a site, as JSON text.
///
/// # Errors
/// Never in practice: all keys are strings.
pub fn manifest(
    site: &Site,
    generator: &str,
    layout: &str,
    base_url: Option<&str>,
    pages: &[Provenance],
) -> Result<String, serde_json::Error> {
    let files = site.listed();
    let manifest = Manifest { format: MANIFEST_FORMAT, generator, layout, base_url, files, pages };
    serde_json::to_string_pretty(&manifest).map(|text| text + "\n")
}
