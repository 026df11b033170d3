//! Rules about where files lie. A site has pages, the manifest, what hosts read as headers, and files named by
//! their hash below `assets/`; whatever else hosts take for settings, programs or documents has no place in it.

use std::collections::BTreeSet;

use super::allowed::{AllowedFile, is_allowable};
use super::{Expected, Files, Finding, Layout, Rule, kinds};

const FRONT_MATTER: &str = "starts with `---`: a host that runs Jekyll rewrites it";

/// Names and kinds of files, what they start with, and the headers.
pub(super) fn check(
    files: &Files<'_>,
    layout: Layout,
    expected: &Expected,
    findings: &mut Vec<Finding>,
) {
    let mut add = |file: &str, rule: Rule, message: &str| {
        let (file, message) = (file.to_owned(), message.to_owned());
        findings.push(Finding { file, line: 1, rule, message });
    };
    for (path, file) in files {
        if !has_place(path, layout) {
            let message = "not a file that nbc writes at this place";
            match is_allowable(path) {
                true => {
                    let way = "`--allow-file` says that the host may have it";
                    add(path, Rule::PassiveFile, &format!("{message}; {way}"));
                }
                false => add(path, Rule::PassiveFile, message),
            }
        }
        if has_front_matter(file.bytes) {
            add(path, Rule::PassiveFile, FRONT_MATTER);
        }
        // The bytes of a file that stands were looked at when it came.
        let asset = path.strip_prefix("assets/").filter(|_| file.standing.is_none());
        if asset.is_some_and(|name| !kinds::is_own_kind(name, file.bytes)) {
            add(path, Rule::PassiveFile, "its bytes are of another kind than its name says");
        }
        if path.starts_with("islands/") && !expected.allows_islands() {
            let message = "runs code of a notebook: `--allow-island` says that this site may";
            add(path, Rule::Island, message);
        }
    }
    if let Some(file) = files.get("_headers")
        && !headers(files).iter().any(|it| it.as_bytes() == file.bytes)
    {
        add("_headers", Rule::PassiveFile, "not the headers that nbc writes for these files");
    }
}

/// Files of the host: what they start with, and their bytes where these are known.
pub(super) fn check_allowed(files: &Files<'_>, expected: &Expected) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |file: &str, message: String| {
        let file = file.to_owned();
        findings.push(Finding { file, line: 1, rule: Rule::PassiveFile, message });
    };
    for (path, file) in files {
        if has_front_matter(file.bytes) {
            add(path, FRONT_MATTER.to_owned());
        }
        let wanted = expected.file(path).and_then(AllowedFile::integrity);
        let found = file.integrity();
        if let Some(wanted) = wanted.filter(|it| **it != *found) {
            add(path, format!("is `{found}`, not `{wanted}` as `--allow-file` says"));
        }
    }
    findings
}

fn has_place(path: &str, layout: Layout) -> bool {
    if path == "manifest.json" {
        return true;
    }
    let is_page = path.ends_with(".html");
    match (layout, path.split_once('/')) {
        (_, Some(("islands", _))) => is_page,
        (Layout::Single, _) => is_page && !path.starts_with("assets/"),
        (Layout::Site, Some(("assets", name))) => kinds::is_known(name),
        (Layout::Site, _) => is_page || path == "_headers",
    }
}

/// Jekyll takes any file for a template whose first line is `---`, and may write it anywhere.
fn has_front_matter(bytes: &[u8]) -> bool {
    let line = bytes.split(|it| *it == b'\n').next().unwrap_or_default();
    line.strip_prefix(b"---").is_some_and(|rest| rest.iter().all(u8::is_ascii_whitespace))
}

/// The texts that `_headers` may have for these files.
fn headers(files: &Files<'_>) -> Vec<String> {
    const COMMON: &str = concat!(
        "  Referrer-Policy: no-referrer\n  Cross-Origin-Opener-Policy: same-origin\n",
        "  Permissions-Policy: camera=(), geolocation=(), microphone=()\n",
        "/assets/*\n  Cache-Control: public, max-age=31536000, immutable\n",
    );
    let frames = |who: &str, ancestors: &str| {
        format!(
            "  X-Frame-Options: {who}\n  Content-Security-Policy: frame-ancestors '{ancestors}'\n"
        )
    };
    let (alone, framed) = (frames("DENY", "none"), frames("SAMEORIGIN", "self"));
    let start = "/*\n  X-Content-Type-Options: nosniff\n";
    if !files.keys().any(|it| it.starts_with("islands/")) {
        return vec![format!("{start}{alone}{COMMON}")];
    }
    let island = "/islands/*\n  X-Frame-Options: SAMEORIGIN\n  \
        Content-Security-Policy: sandbox allow-scripts; frame-ancestors 'self'\n";
    let places: String = places(files).iter().map(|it| format!("{it}\n{alone}")).collect();
    // The second is for sites of more places than hosts have room for.
    vec![format!("{start}{COMMON}{island}{places}"), format!("{start}{framed}{COMMON}")]
}

/// Places of pages in the notation of hosts: a page by its name with and without `.html`, a folder as a whole.
fn places(files: &Files<'_>) -> BTreeSet<String> {
    let mut places = BTreeSet::from(["/".to_owned()]);
    for path in files.keys().filter(|it| !["_headers", "manifest.json"].contains(it)) {
        match path.split_once('/') {
            Some(("islands" | "assets", _)) => {}
            Some((folder, _)) => {
                places.insert(format!("/{folder}/*"));
            }
            None => {
                places.insert(format!("/{path}"));
                places.extend(path.strip_suffix(".html").map(|it| format!("/{it}")));
            }
        }
    }
    places
}
