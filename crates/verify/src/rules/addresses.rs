//! Rules about what a page loads and links to.

use super::super::address::{self, Address, classify, is_image, resolve};
use super::super::style::{self, Reference};
use super::super::tokens::{Element, Namespace};
use super::super::{Layout, Report, Rule, excerpt};
use super::{Context, LinkKind, is_text_attribute, link_kind};

pub(super) fn active_address(context: &Context<'_>, report: &mut Report<'_>) {
    for element in &context.page.elements {
        for (name, value) in &element.attributes {
            if is_text_attribute(name) {
                continue;
            }
            let is_active = match classify(value) {
                Address::Scheme(scheme) => ACTIVE_SCHEMES.contains(&scheme.as_str()),
                Address::Data(kind) => !may_be_data(element, name, &kind),
                _ => false,
            };
            if is_active {
                let message = format!("`{}=\"{}\"`", excerpt(name), excerpt(value));
                report.add(element.line, Rule::ActiveAddress, message);
            }
        }
    }
}

const ACTIVE_SCHEMES: [&str; 9] = [
    "javascript",
    "vbscript",
    "livescript",
    "blob",
    "filesystem",
    "file",
    "view-source",
    "about",
    "jar",
];

fn may_be_data(element: &Element, name: &str, kind: &str) -> bool {
    match (element.name.as_str(), name) {
        ("img" | "image" | "input" | "source" | "video" | "feimage", _) if is_image(kind) => true,
        ("video" | "audio" | "source" | "track", "src") => {
            kind.starts_with("audio/") || kind.starts_with("video/") || kind == "text/vtt"
        }
        ("link", "href") => {
            link_kind(element) == LinkKind::Icon && (is_image(kind) || kind.is_empty())
        }
        ("a", "href") => {
            element.attribute("download").is_some() && address::is_passive_download(kind)
        }
        _ => false,
    }
}

/// Everything that a browser loads by itself when it shows the page.
pub(super) fn loads(context: &Context<'_>, report: &mut Report<'_>) {
    for element in &context.page.elements {
        for (name, value) in &element.attributes {
            match load_kind(element, name) {
                Load::Nothing => {}
                Load::One => check_load(context, report, element, value),
                Load::Many => {
                    for candidate in candidates(value) {
                        check_load(context, report, element, candidate);
                    }
                }
                Load::Fragment => {
                    if classify(value) != Address::Page {
                        let message = format!("`{}` must be `#…`", excerpt(name));
                        report.add(element.line, Rule::ForeignLoad, message);
                    }
                }
                Load::Paint => check_paint(report, element, name, value),
                Load::Never => {
                    let message = format!("the attribute `{}` loads or sends", excerpt(name));
                    report.add(element.line, Rule::ForeignLoad, message);
                }
            }
        }
        if link_kind(element) == LinkKind::Other {
            report.add(element.line, Rule::ForeignLoad, "a `<link>` of an unknown kind");
        }
    }
}

/// Addresses that a browser loads from the value of an attribute.
enum Load {
    Nothing,
    One,
    Many,
    /// Refers to an element of the page.
    Fragment,
    /// May hold `url()` between other things.
    Paint,
    Never,
}

fn load_kind(element: &Element, name: &str) -> Load {
    let is_foreign = element.namespace != Namespace::Html;
    match (element.name.as_str(), name) {
        (_, "src" | "poster") => Load::One,
        (_, "srcset" | "imagesrcset") => Load::Many,
        (
            _,
            "background" | "lowsrc" | "dynsrc" | "ping" | "manifest" | "codebase" | "classid"
            | "archive" | "srcdoc" | "attributionsrc" | "profile" | "action" | "formaction"
            | "xml:base" | "code" | "icon",
        ) => Load::Never,
        (_, "usemap") => Load::Fragment,
        ("object", "data") => Load::Never,
        ("a" | "area", "href" | "xlink:href") => Load::Nothing,
        ("link", "href") => match link_kind(element) {
            LinkKind::Icon | LinkKind::Stylesheet | LinkKind::Preload => Load::One,
            _ => Load::Nothing,
        },
        ("image" | "feimage", "href" | "xlink:href") => Load::One,
        ("base", "href") => Load::Never,
        (_, name) if name == "href" || name.ends_with(":href") => Load::Fragment,
        (_, name) if is_foreign && !is_text_attribute(name) => Load::Paint,
        _ => Load::Nothing,
    }
}

/// The addresses of a `srcset`. Commas inside `data:` addresses are why spaces split first.
fn candidates(srcset: &str) -> impl Iterator<Item = &str> {
    let words = srcset.split_ascii_whitespace().map(|word| word.trim_matches(','));
    words.filter(|word| {
        let is_descriptor = word.strip_suffix(['w', 'x', 'h']).is_some_and(|number| {
            !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit() || it == b'.')
        });
        !word.is_empty() && !is_descriptor
    })
}

fn check_load(context: &Context<'_>, report: &mut Report<'_>, element: &Element, value: &str) {
    if let Some((rule, message)) = load_problem(context, value) {
        report.add(element.line, rule, message);
    }
}

fn load_problem(context: &Context<'_>, value: &str) -> Option<(Rule, String)> {
    let shown = excerpt(value);
    match classify(value) {
        // `may_be_data` looks at the type.
        Address::Data(_) => None,
        Address::Relative(_) if context.layout == Layout::Single => {
            Some((Rule::SelfContained, format!("the page needs `{shown}`")))
        }
        Address::Relative(relative) => {
            let path = resolve(context.path, &relative);
            let is_there = path.is_some_and(|path| context.files.contains_key(path.as_str()));
            (!is_there).then(|| (Rule::BrokenLink, format!("`{shown}` is not there")))
        }
        Address::Page => Some((Rule::ForeignLoad, "an empty address loads the page".to_owned())),
        Address::Scheme(_) | Address::Host | Address::Root | Address::Odd => {
            Some((Rule::ForeignLoad, format!("`{shown}` is not a file of the site")))
        }
    }
}

/// `fill="url(#a)"` and its like, read as the piece of a stylesheet that they are.
fn check_paint(report: &mut Report<'_>, element: &Element, name: &str, value: &str) {
    for reference in style::references(value) {
        let is_fragment = match &reference {
            Reference::Address(_, address) => classify(address) == Address::Page,
            // An apostrophe in an attribute of plain text looks like a string without end.
            Reference::Broken(..) => !value.contains('('),
            Reference::Forbidden(..) => false,
        };
        if !is_fragment {
            let message = format!("`{}=\"{}\"`", excerpt(name), excerpt(value));
            report.add(element.line, Rule::ForeignLoad, message);
        }
    }
}

pub(super) fn links(context: &Context<'_>, report: &mut Report<'_>) {
    let mut places = context.page.places();
    if let Some(page) = context.around {
        places.extend(page.places());
    } else {
        context.files.note_places(places.iter().copied());
    }
    for element in &context.page.elements {
        let is_anchor = matches!(element.name.as_str(), "a" | "area");
        for name in ["href", "xlink:href", "cite", "longdesc"] {
            let is_link =
                is_anchor || !name.ends_with("href") || link_kind(element) == LinkKind::Relation;
            let Some(value) = element.attribute(name).filter(|_| is_link) else {
                continue;
            };
            let shown = excerpt(value);
            match classify(value) {
                Address::Data(_) => {}
                Address::Page => {
                    let names = address::fragment(value);
                    if names.is_some_and(|it| !it.iter().any(|it| places.contains(it.as_str()))) {
                        let message = format!("the page has no `{shown}`");
                        report.add(element.line, Rule::BrokenLink, message);
                    }
                }
                Address::Relative(relative) => {
                    let path = resolve(context.path, &relative);
                    let path = path.filter(|path| context.files.contains_key(path));
                    let message = match (path, address::fragment(value)) {
                        (None, _) => format!("`{shown}` is not there"),
                        (Some(path), Some(names)) if !context.files.has_place(&path, &names) => {
                            format!("`{path}` has no place for `{shown}`")
                        }
                        _ => continue,
                    };
                    report.add(element.line, Rule::BrokenLink, message);
                }
                Address::Scheme(scheme) => {
                    let is_known = ["https", "http", "mailto", "tel"].contains(&scheme.as_str());
                    // `active_address` names those that run code.
                    if !is_known && !ACTIVE_SCHEMES.contains(&scheme.as_str()) {
                        let message = format!("`{shown}` starts a program on the reader's machine");
                        report.add(element.line, Rule::ActiveAddress, message);
                    }
                }
                Address::Host | Address::Root | Address::Odd => {
                    let message = format!("`{shown}` leads elsewhere when the site is moved");
                    report.add(element.line, Rule::BrokenLink, message);
                }
            }
        }
        check_opener(report, element);
    }
}

fn check_opener(report: &mut Report<'_>, element: &Element) {
    let target = element.attribute("target").unwrap_or_default().to_ascii_lowercase();
    let rel = element.attribute("rel").unwrap_or_default().to_ascii_lowercase();
    let stays = matches!(target.as_str(), "" | "_self");
    if !stays && !rel.split_ascii_whitespace().any(|it| it == "noopener") {
        report.add(element.line, Rule::LinkOpener, "`target` without `rel=\"noopener\"`");
    }
}
