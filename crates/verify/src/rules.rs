//! The rules about one file, one function a rule.

use std::collections::BTreeSet;

use addresses::{active_address, links, loads};

use super::address::{Address, classify, is_image, resolve};
use super::charts;
use super::island;
use super::own::{downloads, meta_names, overlays, own_address, referrer};
use super::policy::Policy;
use super::seen::Seen;
use super::states;
use super::style::{self, Reference};
use super::tokens::{self, Element, Namespace, Page};
use super::{Expected, Files, Layout, Report, Rule, excerpt, integrity_of};

mod addresses;

/// A page with all that its rules look at.
pub(super) struct Context<'a> {
    pub(super) path: &'a str,
    pub(super) page: &'a Page,
    policy: Policy,
    files: &'a Seen<'a>,
    layout: Layout,
    /// The page that a piece is to be a part of.
    around: Option<&'a Page>,
    /// None for a piece of a page.
    pub(super) stated: Option<Stated<'a>>,
}

/// Statements about the whole site.
#[derive(Clone, Copy)]
pub(super) struct Stated<'a> {
    pub(super) layout: Layout,
    /// The address of the site.
    pub(super) base_url: Option<&'a str>,
    pub(super) expected: &'a Expected,
}

type PageRule = fn(&Context<'_>, &mut Report<'_>);

const PAGE_RULES: [PageRule; 24] = [
    markup,
    policy_place,
    policy_strength,
    script_hash,
    known_scripts,
    runtimes,
    style_hash,
    unused_hash,
    integrity,
    attributes,
    active_address,
    loads,
    links,
    forbidden_element,
    frames,
    meta_directive,
    meta_names,
    inline_style_addresses,
    check_charts,
    check_states,
    referrer,
    own_address,
    overlays,
    downloads,
];

/// Rules about what an output holds, whatever page it stands in.
const FRAGMENT_RULES: &[PageRule] = &[
    markup,
    attributes,
    active_address,
    loads,
    forbidden_element,
    inline_style_addresses,
    overlays,
    downloads,
];

/// A page around a piece of one.
fn page_of(html: &str, css: &str) -> Page {
    // Deeper than any page puts it.
    let (open, close) = ("<div>".repeat(16), "</div>".repeat(16));
    let text = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>x</title>\
         <style>{css}</style></head><body>{open}{html}{close}</body></html>"
    );
    tokens::read(text.as_bytes())
}

/// Checks a piece of a page.
pub(super) fn check_fragment(report: &mut Report<'_>, html: &str, css: &str) {
    let page = page_of(html, css);
    let files = Files::new();
    let files = Seen::new(&files);
    let policy = Policy::parse("");
    let context = Context {
        path: "x.html",
        page: &page,
        policy,
        files: &files,
        layout: Layout::Single,
        around: None,
        stated: None,
    };
    for rule in FRAGMENT_RULES {
        rule(&context, report);
    }
}

/// Checks one file: a page in full, a stylesheet for what it loads.
pub(super) fn check_file(
    report: &mut Report<'_>,
    path: &str,
    bytes: &[u8],
    files: &Seen<'_>,
    stated: Stated<'_>,
) {
    let layout = stated.layout;
    match path.rsplit_once('.') {
        Some((_, extension)) if extension.eq_ignore_ascii_case("html") => {
            let page = tokens::read(bytes);
            let policy = Policy::parse(policies(&page).next().map_or("", |(_, text)| text));
            let stated = Some(stated);
            let context =
                Context { path, page: &page, policy, files, layout, around: None, stated };
            if island::is_island(path) {
                policy_place(&context, report);
                let text = policies(&page).next().map_or("", |(_, text)| text);
                return island::check(report, &page, text, layout);
            }
            for rule in PAGE_RULES {
                rule(&context, report);
            }
        }
        Some((_, extension)) if extension.eq_ignore_ascii_case("css") => {
            let Ok(text) = std::str::from_utf8(bytes) else {
                return report.add(1, Rule::StyleAddress, "the stylesheet is not UTF-8");
            };
            let line_of = |offset| lines_before(text, offset) + 1;
            style_addresses(report, text, line_of, |address| file_of(address, path, files));
        }
        _ => {}
    }
}

fn lines_before(text: &str, offset: usize) -> u32 {
    let count = text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
    u32::try_from(count).unwrap_or(u32::MAX - 1)
}

/// The policies of a page: element index and text.
fn policies(page: &Page) -> impl Iterator<Item = (usize, &str)> {
    page.elements.iter().enumerate().filter_map(|(index, element)| {
        let directive = element.attribute("http-equiv")?;
        let is_policy =
            element.is_html("meta") && directive.eq_ignore_ascii_case("content-security-policy");
        is_policy.then(|| (index, element.attribute("content").unwrap_or_default()))
    })
}

fn markup(context: &Context<'_>, report: &mut Report<'_>) {
    for (line, message) in &context.page.problems {
        report.add(*line, Rule::Markup, message);
    }
}

fn policy_place(context: &Context<'_>, report: &mut Report<'_>) {
    let page = context.page;
    let starts: Vec<&str> = page.elements.iter().take(3).map(|it| it.name.as_str()).collect();
    let charset = page.elements.get(2).and_then(|it| it.attribute("charset")).unwrap_or_default();
    if starts != ["html", "head", "meta"] || !charset.eq_ignore_ascii_case("utf-8") {
        report.add(1, Rule::PolicyPlace, "the page must start with `<meta charset=\"utf-8\">`");
    }
    let places: Vec<usize> = policies(page).map(|(index, _)| index).collect();
    match places.as_slice() {
        [] => report.add(1, Rule::PolicyPlace, "the page has no policy"),
        [3] if page.elements_before_text >= 4 => {}
        [_] => report.add(1, Rule::PolicyPlace, "the policy must follow `<meta charset>` at once"),
        _ => report.add(1, Rule::PolicyPlace, "the page has more than one policy"),
    }
}

fn policy_strength(context: &Context<'_>, report: &mut Report<'_>) {
    for (index, text) in policies(context.page) {
        let line = context.page.elements.get(index).map_or(1, |it| it.line);
        for weakness in Policy::parse(text).weaknesses(text, context.layout) {
            report.add(line, Rule::PolicyStrength, weakness);
        }
    }
}

/// Whether a `<script>` holds data that no browser runs. Every type that is not known to be data
/// counts as a script: `importmap` and `speculationrules` act as well.
fn is_data(script: &Element) -> bool {
    const KINDS: [&str; 3] = ["application/json", "application/ld+json", "text/plain"];
    let kind = script.attribute("type").unwrap_or_default().to_ascii_lowercase();
    script.attribute("src").is_none() && KINDS.contains(&kind.trim())
}

fn scripts<'a>(context: &Context<'a>) -> impl Iterator<Item = &'a Element> {
    context.page.elements.iter().filter(|it| it.name == "script" && !is_data(it))
}

fn styles<'a>(context: &Context<'a>) -> impl Iterator<Item = &'a Element> {
    context.page.elements.iter().filter(|it| it.name == "style")
}

/// Digests that a browser looks for in the policy when it comes to a script.
fn script_digests(script: &Element) -> Vec<String> {
    match script.attribute("src") {
        None => vec![integrity_of(script.text.as_bytes())],
        Some(_) => {
            let tokens = script.attribute("integrity").unwrap_or_default().split_ascii_whitespace();
            tokens.map(ToOwned::to_owned).collect()
        }
    }
}

fn script_hash(context: &Context<'_>, report: &mut Report<'_>) {
    let allowed = context.policy.hashes("script-src");
    for script in scripts(context) {
        // After `<!--` a `<script` inside the text hides the next `</script>` from browsers.
        if script.text.contains("<!--") {
            report.add(script.line, Rule::ScriptHash, "a script must not hold `<!--`");
        }
        for digest in script_digests(script) {
            if !allowed.contains(digest.as_str()) {
                let message = format!("the script `{}` is not in the policy", excerpt(&digest));
                report.add(script.line, Rule::ScriptHash, message);
            }
        }
    }
    for data in context.page.elements.iter().filter(|it| it.name == "script" && is_data(it)) {
        if data.text.contains("<!--") {
            report.add(data.line, Rule::ScriptHash, "a script must not hold `<!--`");
        }
    }
}

/// A page's policy is written by whoever writes the page, so a digest in it proves nothing.
fn known_scripts(context: &Context<'_>, report: &mut Report<'_>) {
    let Some(stated) = context.stated else { return };
    let allowed = context.policy.hashes("script-src");
    let drawing = context.page.elements.iter().filter(|it| is_runtime(it));
    let drawing = drawing.filter_map(|it| Some((it.line, runtime_digest(context, it).ok()?)));
    let running =
        scripts(context).flat_map(|it| script_digests(it).into_iter().map(|d| (it.line, d)));
    for (line, digest) in running.chain(drawing) {
        // `script_hash` and `runtimes` name those that the policy stops.
        if allowed.contains(digest.as_str()) && !stated.expected.allows_script(&digest) {
            let message =
                format!("the script `{}` is not one of this nbc", excerpt_digest(&digest));
            report.add(line, Rule::KnownScript, message);
        }
    }
}

/// Whole, since it is what a user hands to `--allow-script`.
fn excerpt_digest(digest: &str) -> String {
    if digest.len() == 71 && digest.is_ascii() { digest.to_owned() } else { excerpt(digest) }
}

/// Scripts that our own code turns from text into code: packed in the page, or files beside it. The browser
/// compares each with the policy when it runs, so here it must be what the policy names.
fn runtimes(context: &Context<'_>, report: &mut Report<'_>) {
    let allowed = context.policy.hashes("script-src");
    let has_any = context.page.elements.iter().any(is_runtime);
    for (directive, source) in [("trusted-types", "nbc"), ("img-src", "blob:")] {
        if !has_any && context.policy.allows(directive, source) {
            let message = format!("`{directive}` allows `{source}`, and no runtime needs it");
            report.add(1, Rule::PolicyStrength, message);
        }
    }
    for element in context.page.elements.iter().filter(|it| is_runtime(it)) {
        match runtime_digest(context, element) {
            Ok(digest) if allowed.contains(digest.as_str()) => {}
            Ok(digest) => {
                let message = format!("the runtime `{digest}` is not in the policy");
                report.add(element.line, Rule::ScriptHash, message);
            }
            Err(message) => report.add(element.line, Rule::Integrity, message),
        }
    }
}

fn is_runtime(element: &Element) -> bool {
    element.name == "script" && element.attribute("data-runtime").is_some()
}

fn runtime_digest(context: &Context<'_>, element: &Element) -> Result<String, String> {
    let kind = element.attribute("type").unwrap_or_default();
    if kind != "text/plain" || element.attribute("src").is_some() {
        return Err("a runtime must be text".to_owned());
    }
    let Some(address) = element.attribute("data-src") else {
        return unpacked_digest(&element.text)
            .ok_or_else(|| "a runtime cannot be unpacked".to_owned());
    };
    let Address::Relative(relative) = classify(address) else {
        return Err(format!("`{}` is not a file of the site", excerpt(address)));
    };
    let file = resolve(context.path, &relative).and_then(|it| context.files.get(it.as_str()));
    let Some(file) = file else { return Err(format!("`{}` is not there", excerpt(address))) };
    let digest = file.integrity();
    match element.attribute("data-integrity") {
        Some(stated) if stated == digest => Ok(digest.into_owned()),
        _ => Err(format!("`data-integrity` does not match `{}`", excerpt(address))),
    }
}

/// The digest of a script that is gzip in base64.
fn unpacked_digest(text: &str) -> Option<String> {
    use std::io::Read as _;

    use base64::Engine as _;

    /// Longest script, in bytes: a few compressed bytes can become very many.
    const LONGEST: u64 = 64 << 20;
    let packed = base64::engine::general_purpose::STANDARD.decode(text.trim()).ok()?;
    let mut script = Vec::new();
    let mut unpack = flate2::bufread::GzDecoder::new(packed.as_slice());
    unpack.by_ref().take(LONGEST + 1).read_to_end(&mut script).ok()?;
    // Browsers refuse what stands behind the end.
    let is_whole = script.len() as u64 <= LONGEST && unpack.into_inner().is_empty();
    is_whole.then(|| integrity_of(&script))
}

fn style_hash(context: &Context<'_>, report: &mut Report<'_>) {
    let allowed = context.policy.hashes("style-src");
    for style in styles(context) {
        let digest = integrity_of(style.text.as_bytes());
        if !allowed.contains(digest.as_str()) {
            let message = format!("the style `{digest}` is not in the policy");
            report.add(style.line, Rule::StyleHash, message);
        }
    }
    let mut links = context.page.elements.iter().filter(|it| link_kind(it) == LinkKind::Stylesheet);
    if let Some(link) = links.next()
        && !context.policy.allows("style-src", "'self'")
    {
        report.add(link.line, Rule::StyleHash, "the policy does not allow the stylesheet");
    }
}

fn unused_hash(context: &Context<'_>, report: &mut Report<'_>) {
    let drawing = context.page.elements.iter().filter(|it| is_runtime(it));
    let drawing = drawing.filter_map(|it| runtime_digest(context, it).ok());
    let scripts: BTreeSet<String> =
        scripts(context).flat_map(script_digests).chain(drawing).collect();
    let styles: BTreeSet<String> =
        styles(context).map(|style| integrity_of(style.text.as_bytes())).collect();
    for (directive, used) in [("script-src", scripts), ("style-src", styles)] {
        for hash in context.policy.hashes(directive) {
            if !used.contains(hash) {
                let message =
                    format!("`{directive}` allows `{hash}`, which the page does not have");
                report.add(1, Rule::UnusedHash, message);
            }
        }
    }
}

/// Charts of the first paint; those of states come with their contents.
fn check_charts(context: &Context<'_>, report: &mut Report<'_>) {
    let (page, data) = (context.page, charts::data_of(context.page));
    charts::check(page, &data, &charts::runtimes(page), &mut |line, message| {
        report.add(line, Rule::Charts, message);
    });
}

/// States are unpacked and looked at like outputs; what the policy allows for them is there for a reason.
fn check_states(context: &Context<'_>, report: &mut Report<'_>) {
    let Context { path, page, policy, files, layout, .. } = context;
    let around = Some(*page);
    let place = states::PageFiles { path, page, files, layout: *layout };
    let mut plays = page.elements.iter().any(is_media);
    let runtimes = charts::runtimes(page);
    let summary = states::check(report, &place, &mut |report, line, model, content| {
        let page = page_of(content.html, content.css);
        plays |= page.elements.iter().any(is_media);
        let mut own = Report::new(context.path);
        for element in page.elements.iter().skip(6) {
            if let Some(message) =
                content_problem(element).or_else(|| model.widget_problem(element))
            {
                own.add(line, Rule::States, message);
            }
        }
        let starts = page.elements.iter().map(|it| it.name.as_str()).take(6);
        if !starts.eq(["html", "head", "meta", "title", "style", "body"]) {
            own.add(line, Rule::States, "rules that end their element");
        }
        let data = content.charts.iter().map(|(id, text)| (*id, *text, line)).collect();
        charts::check(&page, &data, &runtimes, &mut |_, message| {
            own.add(line, Rule::Charts, message);
        });
        // No picture of an output is a file.
        let policy = Policy::parse("");
        let layout = Layout::Single;
        let context = Context { path, page: &page, policy, files, layout, around, stated: None };
        for rule in FRAGMENT_RULES.iter().chain(&[links as PageRule]) {
            rule(&context, &mut own);
        }
        for finding in own.findings {
            report.add(line, finding.rule, format!("in a state: {}", finding.message));
        }
    });
    let needs = [
        ("trusted-types", "nbc-states", summary.has_states),
        ("connect-src", "'self'", summary.has_files),
    ];
    for (directive, source, is_needed) in needs {
        if policy.allows(directive, source) != is_needed {
            let message = format!("`{directive} {source}` and what needs it must come together");
            report.add(1, Rule::PolicyStrength, message);
        }
    }
    if policy.allows("media-src", "data:") && !plays {
        let message = "`media-src` allows media, which the page does not have";
        report.add(1, Rule::PolicyStrength, message);
    }
}

fn is_media(element: &Element) -> bool {
    matches!(element.name.as_str(), "audio" | "video")
}

/// The problem with an element that a page may have, but the content of a state may not.
fn content_problem(element: &Element) -> Option<String> {
    const NAMES: [&str; 14] = [
        "script",
        "style",
        "link",
        "meta",
        "title",
        "base",
        "html",
        "head",
        "body",
        "template",
        "slot",
        "form",
        // They open over the page.
        "dialog",
        "permission",
    ];
    let name = element.name.as_str();
    if NAMES.contains(&name) {
        return Some(format!("`<{name}>`"));
    }
    const ATTRIBUTES: [&str; 7] = [
        "data-slot",
        "data-states",
        "data-runtime",
        "data-src",
        "popover",
        "popovertarget",
        "command",
    ];
    let name = ATTRIBUTES.into_iter().find(|it| element.attributes.contains_key(*it))?;
    Some(format!("the attribute `{name}`"))
}

/// Effect of a `<link>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LinkKind {
    /// No `<link>` at all.
    None,
    Stylesheet,
    /// Loads code ahead of its use.
    Preload,
    Icon,
    /// Only says something about the page.
    Relation,
    /// Anything else: it connects, fetches or opens something.
    Other,
}

fn link_kind(element: &Element) -> LinkKind {
    // None of which says where else the page is (`alternate`), or whose it is (`me`).
    const RELATIONS: [&str; 7] = ["canonical", "author", "license", "next", "prev", "help", "up"];
    if element.name != "link" {
        return LinkKind::None;
    }
    let rel = element.attribute("rel").unwrap_or_default().to_ascii_lowercase();
    let tokens: Vec<&str> = rel.split_ascii_whitespace().collect();
    let all = |known: &[&str]| !tokens.is_empty() && tokens.iter().all(|it| known.contains(it));
    if all(&["stylesheet"]) {
        LinkKind::Stylesheet
    } else if all(&["preload"]) || all(&["modulepreload"]) {
        LinkKind::Preload
    } else if all(&["icon", "shortcut", "apple-touch-icon", "mask-icon"]) {
        LinkKind::Icon
    } else if all(&RELATIONS) {
        LinkKind::Relation
    } else {
        LinkKind::Other
    }
}

fn integrity(context: &Context<'_>, report: &mut Report<'_>) {
    for element in &context.page.elements {
        let address = match (element.name.as_str(), link_kind(element)) {
            ("script", _) => element.attribute("src"),
            (_, LinkKind::Stylesheet | LinkKind::Preload) => element.attribute("href"),
            _ => None,
        };
        let Some(address) = address else {
            continue;
        };
        let Address::Relative(relative) = classify(address) else {
            let message = format!("`{}` is not a file of the site", excerpt(address));
            report.add(element.line, Rule::Integrity, message);
            continue;
        };
        let path = resolve(context.path, &relative);
        let Some(file) = path.and_then(|path| context.files.get(path.as_str())) else {
            let message = format!("`{}` is not there", excerpt(address));
            report.add(element.line, Rule::Integrity, message);
            continue;
        };
        match element.attribute("integrity") {
            None => report.add(element.line, Rule::Integrity, "no `integrity`"),
            Some(integrity) if integrity != file.integrity() => {
                let message = format!("`integrity` does not match `{}`", excerpt(address));
                report.add(element.line, Rule::Integrity, message);
            }
            Some(_) => {}
        }
    }
}

fn attributes(context: &Context<'_>, report: &mut Report<'_>) {
    for element in &context.page.elements {
        for name in element.attributes.keys() {
            let shown = excerpt(name);
            if name.starts_with("on") {
                report.add(element.line, Rule::InlineHandler, format!("the attribute `{shown}`"));
            }
            if name == "style" || name.ends_with(":style") {
                report.add(element.line, Rule::StyleAttribute, "a `style` attribute");
            }
        }
    }
}

/// Attributes that hold text for people or for our own scripts, never an address.
fn is_text_attribute(name: &str) -> bool {
    const NAMES: [&str; 16] = [
        "alt",
        "title",
        "content",
        "value",
        "placeholder",
        "label",
        "name",
        "id",
        "class",
        "lang",
        "role",
        "summary",
        "d",
        "for",
        "headers",
        "integrity",
    ];
    NAMES.contains(&name) || name.starts_with("aria-") || name.starts_with("data-")
}

fn forbidden_element(context: &Context<'_>, report: &mut Report<'_>) {
    const NAMES: [&str; 33] = [
        "base",
        "iframe",
        "frame",
        "frameset",
        "object",
        "embed",
        "applet",
        "portal",
        "fencedframe",
        "param",
        "foreignobject",
        "animate",
        "animatemotion",
        "animatetransform",
        "animatecolor",
        "set",
        "discard",
        "handler",
        "listener",
        "noscript",
        "xmp",
        "plaintext",
        "noembed",
        "noframes",
        "listing",
        "isindex",
        "keygen",
        "bgsound",
        "annotation-xml",
        "mglyph",
        "malignmark",
        "mpath",
        "selectedcontent",
    ];
    // A piece of an output has none, nor has a page that is one file.
    let is_page = context.layout == Layout::Site;
    for element in &context.page.elements {
        let name = element.name.as_str();
        let is_foreign_code =
            element.namespace != Namespace::Html && matches!(name, "script" | "style");
        let is_frame = is_page && island::is_frame(element);
        if NAMES.contains(&name) && !is_frame || is_foreign_code {
            report.add(element.line, Rule::ForbiddenElement, format!("`<{name}>`"));
        }
        // `is` and shadow roots give an element a second life that no rule here sees.
        for attribute in ["shadowrootmode", "shadowroot", "is"] {
            if element.attributes.contains_key(attribute) {
                let message = format!("the attribute `{attribute}`");
                report.add(element.line, Rule::ForbiddenElement, message);
            }
        }
    }
}

fn frames(context: &Context<'_>, report: &mut Report<'_>) {
    let Context { path, page, policy, files, layout, .. } = context;
    island::check_frames(report, path, page, policy, files, *layout);
}

fn meta_directive(context: &Context<'_>, report: &mut Report<'_>) {
    for element in &context.page.elements {
        if let Some(directive) = element.attribute("http-equiv")
            && !directive.eq_ignore_ascii_case("content-security-policy")
        {
            let message = format!("`http-equiv=\"{}\"`", excerpt(directive));
            report.add(element.line, Rule::MetaDirective, message);
        }
    }
}

fn inline_style_addresses(context: &Context<'_>, report: &mut Report<'_>) {
    for style in styles(context) {
        let line_of = |offset| style.line.saturating_add(lines_before(&style.text, offset));
        style_addresses(report, &style.text, line_of, |address| {
            context.layout == Layout::Site && file_of(address, context.path, context.files)
        });
    }
}

fn file_of(relative: &str, base: &str, files: &Seen<'_>) -> bool {
    resolve(base, relative).is_some_and(|path| files.contains_key(path.as_str()))
}

fn style_addresses(
    report: &mut Report<'_>,
    text: &str,
    line_of: impl Fn(usize) -> u32,
    is_file: impl Fn(&str) -> bool,
) {
    // Counting lines from the start is linear, and so is done for few only.
    let found = style::references(text).into_iter();
    let bad = found.filter_map(|reference| match reference {
        Reference::Address(offset, address) => {
            let is_allowed = match classify(&address) {
                Address::Page => true,
                Address::Data(kind) => {
                    is_image(&kind)
                        || kind.starts_with("font/")
                        || kind.starts_with("application/font-")
                        || kind.starts_with("application/x-font-")
                }
                Address::Relative(relative) => is_file(&relative),
                _ => false,
            };
            (!is_allowed).then(|| (offset, format!("`url({})`", excerpt(&address))))
        }
        Reference::Forbidden(offset, name) => Some((offset, format!("`{}`", excerpt(&name)))),
        Reference::Broken(offset, what) => Some((offset, what.to_owned())),
    });
    for (offset, message) in bad.take(Report::MOST_PER_RULE) {
        report.add(line_of(offset), Rule::StyleAddress, message);
    }
}
