//! Rules about the site as a whole: names of files, and the manifest that lists them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::folder::MOST_FILES;
use super::{Expected, Files, Finding, Layout, Rule, excerpt, place};

const MANIFEST: &str = "manifest.json";

/// In bytes.
const LONGEST: usize = 64 << 20;

#[derive(Deserialize)]
struct Manifest {
    format: u32,
    generator: String,
    layout: Layout,
    base_url: Option<String>,
    files: Vec<Listed>,
    pages: Vec<Object>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    path: String,
    bytes: u64,
    integrity: String,
}

/// An object, whatever it holds. It takes no memory, however many there are.
struct Object;

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Object;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Object)
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

/// The content of the manifest, or the reason why it cannot be read.
pub(super) struct Stated(Result<Manifest, String>);

impl Stated {
    pub(super) fn read(files: &Files<'_>) -> Self {
        Self(read(files))
    }

    /// Without a readable manifest the layout is taken as `site`: the other rules of `single` would
    /// only repeat that the manifest is missing.
    pub(super) fn layout(&self) -> Layout {
        self.0.as_ref().map_or(Layout::Site, |it| it.layout)
    }

    /// The address of the site, where the manifest names one.
    pub(super) fn base_url(&self) -> Option<&str> {
        self.0.as_ref().ok()?.base_url.as_deref()
    }

    /// The address of the site against the one that was named outside of it.
    fn check_address(&self, expected: &Expected, findings: &mut Vec<Finding>) {
        let Some(wanted) = expected.base_url() else { return };
        let stated = self.base_url().unwrap_or_default();
        if stated != wanted {
            let message = format!("`base_url` is `{}`, not `{}`", excerpt(stated), excerpt(wanted));
            add(findings, MANIFEST, Rule::OwnAddress, message);
        }
    }

    /// Checks names and manifest.
    pub(super) fn check(&self, files: &Files<'_>, expected: &Expected) -> Vec<Finding> {
        let mut findings = Vec::new();
        check_digest(files, expected, &mut findings);
        check_paths(files, &mut findings);
        place::check(files, self.layout(), expected, &mut findings);
        self.check_address(expected, &mut findings);
        check_hashed_names(files, &mut findings);
        match &self.0 {
            Ok(manifest) => check_listed(files, manifest, &mut findings),
            Err(message) => add(&mut findings, MANIFEST, Rule::Manifest, message.as_str()),
        }
        findings
    }
}

fn add(findings: &mut Vec<Finding>, file: &str, rule: Rule, message: impl Into<String>) {
    findings.push(Finding { file: file.to_owned(), line: 1, rule, message: message.into() });
}

fn read(files: &Files<'_>) -> Result<Manifest, String> {
    let bytes = files.get(MANIFEST).ok_or("there is no `manifest.json`")?;
    if bytes.bytes.len() > LONGEST {
        return Err("it is longer than 64 MiB".to_owned());
    }
    let manifest: Manifest = serde_json::from_slice(bytes.bytes)
        .map_err(|error| format!("not a manifest: {}", excerpt(&error.to_string())))?;
    if manifest.format != 1 {
        return Err(format!("format {} is unknown; this nbc knows format 1", manifest.format));
    }
    if !manifest.generator.starts_with("nbc ") {
        return Err("the site was not made by nbc".to_owned());
    }
    if manifest.files.len() > MOST_FILES || manifest.pages.len() > MOST_FILES {
        return Err("it lists more than 50,000 files".to_owned());
    }
    Ok(manifest)
}

/// The manifest against the digest that was kept outside the site: who can change a page there can
/// write a manifest that fits it.
fn check_digest(files: &Files<'_>, expected: &Expected, findings: &mut Vec<Finding>) {
    let Some(wanted) = expected.manifest() else { return };
    let found = files.get(MANIFEST).map(super::File::integrity);
    if found.as_deref() != Some(wanted) {
        let found = found.unwrap_or(Cow::Borrowed("missing"));
        let message = format!("the manifest is `{found}`, not `{wanted}`: the site was changed");
        add(findings, MANIFEST, Rule::Manifest, message);
    }
}

fn check_paths(files: &Files<'_>, findings: &mut Vec<Finding>) {
    // Letters of any script, and their marks; no controls, blanks, or marks that turn the direction of text.
    let is_plain = |it: char| {
        it.is_alphanumeric()
            || "-_.~".contains(it)
            || !it.is_ascii() && unicode_normalization::char::is_combining_mark(it)
    };
    let mut folded: BTreeMap<String, &str> = BTreeMap::new();
    for path in files.keys() {
        let is_safe = path.len() <= 512
            && path.split('/').all(|segment| {
                !segment.is_empty()
                    && !segment.starts_with('.')
                    && !segment.ends_with('.')
                    && segment.len() <= 255
                    && segment.chars().all(is_plain)
            })
            && unicode_normalization::is_nfc(path);
        if !is_safe {
            add(findings, path, Rule::SafePath, "the name is not safe in every address and system");
        }
        if let Some(other) = folded.insert(path.to_lowercase(), path) {
            let message = format!("differs from `{}` in letter case only", excerpt(other));
            add(findings, path, Rule::SafePath, message);
        }
    }
}

fn check_hashed_names(files: &Files<'_>, findings: &mut Vec<Finding>) {
    for (path, file) in files {
        let name = ["assets/", "islands/"].iter().find_map(|it| path.strip_prefix(it));
        let Some(name) = name else {
            continue;
        };
        let hash = file.digest().iter().take(8).fold(String::new(), |mut hash, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hash, "{byte:02x}");
            hash
        });
        let name = name.rsplit('/').next().unwrap_or_default();
        let mut parts = name.rsplitn(3, '.').skip(1);
        let (named, stem) = (parts.next(), parts.next());
        if named != Some(hash.as_str()) || stem.is_none_or(str::is_empty) {
            let message = format!("the name should be `NAME.{hash}.EXTENSION`");
            add(findings, path, Rule::HashedName, message);
        }
    }
}

fn check_listed(files: &Files<'_>, manifest: &Manifest, findings: &mut Vec<Finding>) {
    if !manifest.files.is_sorted_by(|a, b| a.path < b.path) {
        add(findings, MANIFEST, Rule::Manifest, "`files` is not sorted, or lists a file twice");
    }
    let mut listed = BTreeSet::from([MANIFEST]);
    for entry in &manifest.files {
        let path = entry.path.as_str();
        if path == MANIFEST {
            add(findings, MANIFEST, Rule::Manifest, "the manifest lists itself");
            continue;
        }
        listed.insert(path);
        let Some(file) = files.get(path) else {
            let message = format!("lists `{}`, which is not there", excerpt(path));
            add(findings, MANIFEST, Rule::ListedFile, message);
            continue;
        };
        let length = file.length;
        if length != entry.bytes {
            let message = format!("has {length} bytes; the manifest says {}", entry.bytes);
            add(findings, path, Rule::ListedFile, message);
        }
        if file.integrity() != entry.integrity {
            add(findings, path, Rule::ListedFile, "was changed: not the digest of the manifest");
        }
    }
    for path in files.keys().filter(|path| !listed.contains(*path)) {
        add(findings, path, Rule::ListedFile, "is not in the manifest");
    }
}
