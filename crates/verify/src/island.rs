//! The rules about frames: the files below `islands/`, in which code of a notebook runs, and the elements that show
//! them.
//!
//! A file has one script that is a script, which stops where the file has an origin; all of the notebook is JSON
//! beside it. Its policy names that script and those in the JSON by digest, and no address.

use std::collections::BTreeSet;

use serde_json::Value;

use super::address::{Address, classify, resolve};
use super::policy::Policy;
use super::seen::Seen;
use super::tokens::{Element, Page};
use super::{Layout, Report, Rule, excerpt, integrity_of};

/// Folder of the islands.
const FOLDER: &str = "islands/";

/// Without it, the file would run code of a notebook with the rights of the site when somebody opens it.
const GUARD: &str = "if (self.origin !== 'null' || self === top) throw new Error('not here');\n";

/// With it, a script that the policy names stops where the script of the file has not run: a frame in a frame
/// takes the policy along.
const ONLY_HERE: &str = "if (self.nbcIsland !== true) throw new Error('not here');\n";

/// Whether a file is an island.
pub(super) fn is_island(path: &str) -> bool {
    path.starts_with(FOLDER)
}

/// The rules about the file of an island, beside those about how every page starts.
pub(super) fn check(report: &mut Report<'_>, page: &Page, policy: &str, layout: Layout) {
    if layout == Layout::Single {
        report.add(1, Rule::SelfContained, "a frame of a page in one file has the page's policy");
    }
    for (line, message) in &page.problems {
        report.add(*line, Rule::Markup, message);
    }
    check_elements(report, page);
    check_policy(report, policy);
    check_code(report, page, &Policy::parse(policy));
}

/// The one skeleton that an island has.
fn check_elements(report: &mut Report<'_>, page: &Page) {
    const ELEMENTS: [&str; 13] = [
        "html", "head", "meta", "meta", "meta", "meta", "meta", "title", "style", "body", "p",
        "script", "script",
    ];
    let names: Vec<&str> = page.elements.iter().map(|it| it.name.as_str()).collect();
    if names != ELEMENTS {
        report.add(1, Rule::Island, "the elements are not those of an island");
    }
    for element in &page.elements {
        for name in element.attributes.keys() {
            let is_known = matches!(
                (element.name.as_str(), name.as_str()),
                ("html", "lang")
                    | ("meta", "charset" | "name" | "content" | "http-equiv")
                    | ("script", "type" | "id")
            );
            if !is_known {
                let message = format!("the attribute `{}` of `<{}>`", excerpt(name), element.name);
                report.add(element.line, Rule::Island, message);
            }
        }
    }
    let directives = page.elements.iter().filter_map(|it| it.attribute("http-equiv"));
    for directive in directives.filter(|it| !it.eq_ignore_ascii_case("content-security-policy")) {
        report.add(1, Rule::MetaDirective, format!("`http-equiv=\"{}\"`", excerpt(directive)));
    }
}

/// Each directive with the sources that it must name; scripts and styles are named by digest.
fn check_policy(report: &mut Report<'_>, text: &str) {
    const FIXED: [(&str, &str); 9] = [
        ("default-src", "'none'"),
        ("img-src", "data:"),
        ("font-src", "data:"),
        ("connect-src", "'none'"),
        ("frame-src", "'none'"),
        ("worker-src", "'none'"),
        ("base-uri", "'none'"),
        ("form-action", "'none'"),
        ("object-src", "'none'"),
    ];
    if text.contains(',') || !text.bytes().all(|it| (b' '..=b'~').contains(&it)) {
        report.add(
            1,
            Rule::PolicyStrength,
            "the policy holds characters that browsers read differently",
        );
    }
    let mut seen = BTreeSet::new();
    for directive in text.split(';').map(str::trim) {
        let (name, sources) = directive.split_once(' ').unwrap_or((directive, ""));
        let is_fixed = FIXED.contains(&(name, sources.trim()));
        let are_digests = matches!(name, "script-src" | "style-src")
            && !sources.trim().is_empty()
            && sources.split_ascii_whitespace().count()
                == Policy::parse(directive).hashes(name).len();
        if !is_fixed && !are_digests || !seen.insert(name.to_owned()) {
            let message = format!("an island must not have `{}`", excerpt(directive));
            report.add(1, Rule::PolicyStrength, message);
        }
    }
    let names = FIXED.iter().map(|(name, _)| *name).chain(["script-src", "style-src"]);
    for name in names.filter(|it| !seen.contains(*it)) {
        report.add(1, Rule::PolicyStrength, format!("the policy lacks `{name}`"));
    }
}

/// Scripts and styles are exactly those that the policy names, and only one is run by the browser itself.
fn check_code(report: &mut Report<'_>, page: &Page, policy: &Policy) {
    let mut used = BTreeSet::new();
    let scripts: Vec<&Element> = page.elements.iter().filter(|it| it.name == "script").collect();
    let [data, code] = scripts.as_slice() else {
        return report.add(1, Rule::Island, "an island has its data and one script");
    };
    for script in &scripts {
        if script.text.contains("<!--") {
            report.add(script.line, Rule::ScriptHash, "a script must not hold `<!--`");
        }
    }
    if data.attribute("type") != Some("application/json") || data.attribute("id") != Some("island")
    {
        report.add(data.line, Rule::Island, "the data must be `application/json`");
    }
    if !code.attributes.is_empty() {
        report.add(code.line, Rule::Island, "the script must have no attribute");
    }
    if !code.text.starts_with(GUARD) {
        report.add(code.line, Rule::Island, "the script must stop where the file has an origin");
    }
    used.insert(integrity_of(code.text.as_bytes()));
    let json: Option<Value> = serde_json::from_str(&data.text).ok();
    let scripts = json.as_ref().and_then(|it| it.get("scripts")).and_then(Value::as_array);
    let texts = scripts.map(|all| all.iter().map(|it| it.get("text").and_then(Value::as_str)));
    match texts.and_then(Iterator::collect::<Option<Vec<&str>>>) {
        Some(texts) => {
            for text in &texts {
                let text = text.strip_prefix("'use strict';").unwrap_or(text);
                if !text.starts_with(ONLY_HERE) {
                    report.add(
                        data.line,
                        Rule::Island,
                        "a script that runs in frames of the frame",
                    );
                }
            }
            used.extend(texts.iter().map(|it| integrity_of(it.as_bytes())));
        }
        None => report.add(data.line, Rule::Island, "the data name no scripts"),
    }
    compare(report, policy, "script-src", &used);
    let styles = page.elements.iter().filter(|it| it.name == "style");
    let styles = styles.map(|it| integrity_of(it.text.as_bytes())).collect();
    compare(report, policy, "style-src", &styles);
}

fn compare(report: &mut Report<'_>, policy: &Policy, directive: &str, used: &BTreeSet<String>) {
    let allowed: BTreeSet<String> =
        policy.hashes(directive).iter().map(|it| (*it).to_owned()).collect();
    let rule = if directive == "script-src" { Rule::ScriptHash } else { Rule::StyleHash };
    for digest in used.difference(&allowed) {
        report.add(1, rule, format!("`{digest}` is not in the policy"));
    }
    for digest in allowed.difference(used) {
        let message = format!("`{directive}` allows `{digest}`, which the island does not have");
        report.add(1, Rule::UnusedHash, message);
    }
}

/// The frames of a page: exactly as nbc writes them, and only where the policy says so.
pub(super) fn check_frames(
    report: &mut Report<'_>,
    path: &str,
    page: &Page,
    policy: &Policy,
    files: &Seen<'_>,
    layout: Layout,
) {
    let mut has_frames = false;
    for frame in page.elements.iter().filter(|it| is_frame(it)) {
        has_frames = true;
        if let Some(message) = frame_problem(path, frame, files, layout) {
            report.add(frame.line, Rule::Island, message);
        }
    }
    if has_frames != policy.allows("frame-src", "'self'") {
        let message = "`frame-src 'self'` and frames must come together";
        report.add(1, Rule::PolicyStrength, message);
    }
}

/// Whether an element is a frame that [`check_frames`] looks at. All others are forbidden.
pub(super) fn is_frame(element: &Element) -> bool {
    element.is_html("iframe")
}

fn frame_problem(path: &str, frame: &Element, files: &Seen<'_>, layout: Layout) -> Option<String> {
    if layout == Layout::Single {
        return Some("`<iframe>` in a page that is one file".to_owned());
    }
    if frame.attribute("sandbox") != Some("allow-scripts") {
        return Some("`sandbox` must be `allow-scripts` and nothing else".to_owned());
    }
    const NAMES: [&str; 6] = ["class", "sandbox", "src", "loading", "height", "title"];
    if let Some(name) = frame.attributes.keys().find(|it| !NAMES.contains(&it.as_str())) {
        return Some(format!("the attribute `{}` of a frame", excerpt(name)));
    }
    if frame.attribute("title").is_none_or(|it| it.trim().is_empty()) {
        return Some("a frame needs a title".to_owned());
    }
    let source = frame.attribute("src").unwrap_or_default();
    // Neither query nor fragment: the file is all that the frame is told.
    let target = match classify(source) {
        Address::Relative(relative) if relative == source => resolve(path, &relative),
        _ => None,
    };
    let is_island = target.is_some_and(|it| is_island(&it) && files.contains_key(it.as_str()));
    (!is_island).then(|| format!("`{}` is no island of the site", excerpt(source)))
}
