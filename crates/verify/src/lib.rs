//! Phase 10: proves on the written bytes that a site keeps its promises.
//!
//! In: the files of a site, from memory or from a folder. Out: every broken rule with its place, or a [`VerifiedSite`].
//! The rules share the types and lists of [`site`] with the writer, and no other code: this crate depends on neither
//! the sanitizer nor the templates, reads HTML with another tokenizer (html5gum), and has its own readers of policies,
//! addresses and stylesheets. Bytes that can be read in two ways are a finding, so a browser that reads them the other
//! way can't surprise us.
//!
//! [`command`] is `nbc verify` and the binary `nbc-verify`; [`terminal`] holds its words.

#![forbid(unsafe_code)]

mod address;
mod allowed;
mod charts;
pub mod command;
mod expected;
mod folder;
mod island;
mod kinds;
mod manifest;
mod own;
mod place;
mod policy;
mod rule;
mod rules;
mod seen;
pub mod site;
mod states;
mod style;
pub mod terminal;
mod tokens;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::OnceLock;

use base64::Engine as _;
use rayon::prelude::*;
use sha2::{Digest as _, Sha384};

pub use allowed::{AllowedFile, AllowedFileError};
pub use expected::{Expected, own_scripts};
pub use folder::{VerifyError, verify_folder};
pub use rule::Rule;

use seen::Seen;
use site::References;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Path of the file in the site.
    pub file: String,
    /// Line in the file, from 1; 1 also where the file as a whole is meant.
    pub line: u32,
    /// The rule.
    pub rule: Rule,
    /// The problem; lowercase, no period.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, rule, message } = self;
        write!(out, "{file}:{line}: {message} [{}]", rule.slug())
    }
}

/// Proof that a site passed; only [`verify`] makes one. Of a file that stands in the earlier site, whose bytes are not
/// here, it says that it may be where it is, and that each file it was proved with still is what it was.
///
/// ```compile_fail
/// let forged = nbc_verify::VerifiedSite { site: nbc_verify::site::Site::default() };
/// ```
#[derive(Debug)]
pub struct VerifiedSite {
    site: site::Site,
    references: BTreeMap<String, References>,
}

impl VerifiedSite {
    /// The site that passed.
    pub fn site(&self) -> &site::Site {
        &self.site
    }

    /// Files that the proof of a file asked for.
    pub fn references(&self, path: &site::SitePath) -> References {
        self.references.get(path.as_str()).cloned().unwrap_or_default()
    }
}

/// Verifies a site before it is published.
///
/// # Errors
/// Every broken rule, sorted by file and line.
pub fn verify(site: site::Site, expected: &Expected) -> Result<VerifiedSite, Vec<Finding>> {
    let read = site.files().map(|asset| (asset.path().as_str(), File::new(asset.bytes())));
    let standing = site.standing().map(|it| (it.path().as_str(), File::standing(it)));
    let files = read.chain(standing).collect();
    let (findings, references) = verify_borrowed(&files, expected);
    if findings.is_empty() { Ok(VerifiedSite { site, references }) } else { Err(findings) }
}

/// Verifies the files of a site by relative path. Never panics, whatever the bytes are.
pub fn verify_files(files: &BTreeMap<String, Vec<u8>>, expected: &Expected) -> Vec<Finding> {
    let borrowed = files.iter().map(|(path, bytes)| (path.as_str(), File::new(bytes))).collect();
    verify_borrowed(&borrowed, expected).0
}

/// Findings that a page would have with this piece of markup, under these rules of style. Links between pages are not
/// looked at. A build calls it for each output, so that an odd one costs its own place and not the site.
pub fn verify_fragment(html: &str, css: &str) -> Vec<Finding> {
    let mut report = Report::new("");
    rules::check_fragment(&mut report, html, css);
    report.findings
}

/// The files of a site, borrowed: a site may hold hundreds of megabytes.
type Files<'a> = BTreeMap<&'a str, File<'a>>;

/// The bytes of a file, and their digest, which the manifest and many pages may state.
#[derive(Clone)]
struct File<'a> {
    /// None of a file that stands in the earlier site.
    bytes: &'a [u8],
    length: u64,
    digest: OnceLock<[u8; 48]>,
    /// Names of the places of a page that links lead to.
    places: OnceLock<BTreeSet<String>>,
    /// A file of the earlier site.
    standing: Option<&'a site::Standing>,
}

impl<'a> File<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let (digest, places) = (OnceLock::new(), OnceLock::new());
        Self { bytes, length: bytes.len() as u64, digest, places, standing: None }
    }

    fn standing(file: &'a site::Standing) -> Self {
        let (digest, places) = (OnceLock::from(*file.digest()), OnceLock::new());
        Self { bytes: &[], length: file.bytes(), digest, places, standing: Some(file) }
    }

    /// Whether a link to a place of this name has a target in the page.
    fn has_place(&self, name: &str) -> bool {
        if let Some(file) = self.standing {
            return seen::has_own_place(file.references(), name);
        }
        let read = || {
            let page = tokens::read(self.bytes);
            page.places().into_iter().map(ToOwned::to_owned).collect()
        };
        self.places.get_or_init(read).contains(name)
    }

    fn digest(&self) -> &[u8] {
        self.digest.get_or_init(|| Sha384::digest(self.bytes).into())
    }

    /// `sha384-…` of the bytes.
    fn integrity(&self) -> Cow<'a, str> {
        match self.standing {
            Some(file) => Cow::Borrowed(file.integrity().as_str()),
            None => Cow::Owned(integrity(self.digest())),
        }
    }
}

/// Findings, and the files that each file was proved with.
fn verify_borrowed(files: &Files<'_>, expected: &Expected) -> (Vec<Finding>, Proofs) {
    // Those of the host are no part of what nbc built: pages cannot refer to them, nor the manifest list them.
    let (hosts, own): (Files<'_>, Files<'_>) = files
        .iter()
        .map(|(path, file)| (*path, file.clone()))
        .partition(|(path, _)| expected.file(path).is_some());
    let mut findings = place::check_allowed(&hosts, expected);
    let (found, references) = verify_own(&own, expected);
    findings.extend(found);
    findings.sort();
    findings.dedup();
    (findings, references)
}

/// Files that the proof of each file asked for.
type Proofs = BTreeMap<String, References>;

fn verify_own(files: &Files<'_>, expected: &Expected) -> (Vec<Finding>, Proofs) {
    let manifest = manifest::Stated::read(files);
    let stated =
        rules::Stated { layout: manifest.layout(), base_url: manifest.base_url(), expected };
    let (mut findings, per_file) = rayon::join(
        || {
            // Most of the time of what follows.
            files.par_iter().for_each(|(_, file)| {
                file.digest();
            });
            manifest.check(files, expected)
        },
        || -> Vec<(Vec<Finding>, (String, References))> {
            let check = |(path, file): (&&str, &File<'_>)| {
                let (mut report, seen) = (Report::new(path), Seen::new(files));
                match file.standing {
                    Some(standing) => seen::check(&mut report, standing.references(), files),
                    None => rules::check_file(&mut report, path, file.bytes, &seen, stated),
                }
                (report.findings, ((*path).to_owned(), seen.into_references()))
            };
            files.par_iter().map(check).collect()
        },
    );
    let (found, references): (Vec<_>, Proofs) = per_file.into_iter().unzip();
    findings.extend(found.into_iter().flatten());
    (findings, references)
}

/// Layout of a site, from its manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Layout {
    /// Every page holds all that it needs.
    Single,
    /// Pages share files.
    Site,
}

/// Collects findings about one file.
struct Report<'a> {
    file: &'a str,
    findings: Vec<Finding>,
    counts: BTreeMap<Rule, usize>,
}

impl<'a> Report<'a> {
    /// A hostile file could break a rule a million times; nobody reads that.
    const MOST_PER_RULE: usize = 50;

    fn new(file: &'a str) -> Self {
        Self { file, findings: Vec::new(), counts: BTreeMap::new() }
    }

    fn add(&mut self, line: u32, rule: Rule, message: impl Into<String>) {
        let count = self.counts.entry(rule).or_default();
        *count += 1;
        if *count <= Self::MOST_PER_RULE {
            let (file, message) = (self.file.to_owned(), message.into());
            self.findings.push(Finding { file, line, rule, message });
        }
    }
}

/// `sha384-…` of some bytes. The writer has its own; a slip in one of them shows as a difference.
fn integrity_of(bytes: &[u8]) -> String {
    integrity(&Sha384::digest(bytes))
}

fn integrity(digest: &[u8]) -> String {
    format!("sha384-{}", base64::engine::general_purpose::STANDARD.encode(digest))
}

/// The start of a text that came from the file, fit for a message.
fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() {
        short.push('…');
    }
    short
}
