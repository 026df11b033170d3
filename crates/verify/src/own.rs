//! Rules about powers that only nbc's own parts of a page may have: to open over it, to take text, to speak
//! to a screen reader, to state its address.

use super::rules::Context;
use super::tokens::Element;
use super::{Report, Rule, excerpt};
use crate::site::PASSIVE;

/// Ids of elements that nbc lets open over a page. It writes none.
const OVERLAY_IDS: [&str; 0] = [];

/// Roles that are read out when their content changes, that claim the whole page, or that switch a
/// screen reader to another mode.
const TALKING_ROLES: [&str; 8] =
    ["alert", "alertdialog", "application", "dialog", "log", "marquee", "status", "timer"];

const TALKING_ATTRIBUTES: [&str; 5] =
    ["aria-atomic", "aria-busy", "aria-live", "aria-modal", "aria-relevant"];

/// They take the reader's typing, or what a browser has stored.
const TAKING_ATTRIBUTES: [&str; 4] = ["contenteditable", "autofocus", "autocomplete", "accesskey"];

const OVERLAY_ATTRIBUTES: [&str; 7] = [
    "popover",
    "popovertarget",
    "popovertargetaction",
    "command",
    "commandfor",
    "interestfor",
    "interesttarget",
];

pub(super) fn overlays(context: &Context<'_>, report: &mut Report<'_>) {
    for element in &context.page.elements {
        if let Some(message) = problem(element) {
            report.add(element.line, Rule::Overlay, message);
        }
    }
}

fn problem(element: &Element) -> Option<String> {
    let is_own = element.attribute("id").is_some_and(|id| OVERLAY_IDS.contains(&id));
    let has = |name: &&&str| element.attributes.contains_key(**name);
    match element.name.as_str() {
        "dialog" if !is_own || element.attribute("open").is_some() => {
            return Some("`<dialog>`".to_owned());
        }
        // Its role is `status`.
        "output" => return Some("`<output>`".to_owned()),
        "form" | "marquee" | "permission" => return Some(format!("`<{}>`", element.name)),
        "input" | "textarea" if takes_text(element) => {
            return Some("a field that takes text".to_owned());
        }
        _ => {}
    }
    if element.attributes.is_empty() {
        return None;
    }
    let talking = TALKING_ATTRIBUTES.iter().find(has);
    let covering = OVERLAY_ATTRIBUTES.iter().filter(|_| !is_own).find(has);
    let taking = TAKING_ATTRIBUTES.iter().find(has);
    if let Some(name) = talking.or(covering).or(taking) {
        return Some(format!("the attribute `{name}`"));
    }
    let role = element.attribute("role")?.to_ascii_lowercase();
    let talks = role.split_ascii_whitespace().any(|it| TALKING_ROLES.contains(&it));
    talks.then(|| format!("`role=\"{}\"`", excerpt(&role)))
}

/// Fields of a page become alive by nbc's script only; a notebook may have a box to tick.
fn takes_text(element: &Element) -> bool {
    let kind = element.attribute("type").unwrap_or_default().trim().to_ascii_lowercase();
    let is_choice = matches!(kind.as_str(), "checkbox" | "radio" | "range");
    let is_box = element.name == "input" && is_choice;
    !is_box && !element.attributes.contains_key("disabled")
}

/// Policies that tell other sites no more than `no-referrer` does.
pub(super) fn referrer(context: &Context<'_>, report: &mut Report<'_>) {
    for element in &context.page.elements {
        let stated = match element.name.as_str() {
            "meta" if element.attribute("name").is_some_and(is_referrer) => {
                element.attribute("content").unwrap_or_default()
            }
            _ => match element.attribute("referrerpolicy") {
                Some(stated) => stated,
                None => continue,
            },
        };
        // The last one that a browser knows wins.
        if !stated.trim().eq_ignore_ascii_case("no-referrer") {
            let message = format!("the referrer policy `{}`", excerpt(stated));
            report.add(element.line, Rule::MetaDirective, message);
        }
    }
}

fn is_referrer(name: &str) -> bool {
    name.trim().eq_ignore_ascii_case("referrer")
}

/// A search engine lists a page under the address that it states.
pub(super) fn own_address(context: &Context<'_>, report: &mut Report<'_>) {
    let base = context.stated.and_then(|it| it.base_url);
    let path = if context.path == "index.html" { "" } else { context.path };
    let own = base.map(|base| format!("{base}{path}"));
    for element in &context.page.elements {
        let stated = match element.name.as_str() {
            "link" if names(element, "rel", "canonical") => element.attribute("href"),
            "meta" if ["name", "property"].iter().any(|it| names(element, it, "og:url")) => {
                element.attribute("content")
            }
            _ => None,
        };
        let Some(stated) = stated else { continue };
        if own.as_deref() != Some(stated) {
            let message = match &own {
                Some(own) => format!("`{}` is not the page's own `{own}`", excerpt(stated)),
                None => format!("`{}`, and the site has no `base-url`", excerpt(stated)),
            };
            report.add(element.line, Rule::OwnAddress, message);
        }
    }
}

fn names(element: &Element, attribute: &str, word: &str) -> bool {
    let value = element.attribute(attribute).unwrap_or_default();
    value.split_ascii_whitespace().any(|it| it.eq_ignore_ascii_case(word))
}

/// Whether a name of `<meta>` only describes the page. Others tell programs where the page is, whose it is, or what to
/// do with it.
fn is_plain_name(name: &str) -> bool {
    const NAMES: [&str; 17] = [
        "application-name",
        "author",
        "color-scheme",
        "date",
        "description",
        "generator",
        "keywords",
        "referrer",
        "theme-color",
        "twitter:card",
        "twitter:description",
        "twitter:image",
        "twitter:image:alt",
        "twitter:title",
        "viewport",
        "dcterms.date",
        "dcterms.creator",
    ];
    const GRAPH: [&str; 10] = [
        "og:description",
        "og:image",
        "og:image:alt",
        "og:image:height",
        "og:image:width",
        "og:locale",
        "og:site_name",
        "og:title",
        "og:type",
        // `own_address` compares it.
        "og:url",
    ];
    NAMES.contains(&name) || GRAPH.contains(&name) || name.starts_with("article:")
}

/// `<meta>` with a name that is not known, or none: search engines, apps and payment services read orders there.
pub(super) fn meta_names(context: &Context<'_>, report: &mut Report<'_>) {
    for element in context.page.elements.iter().filter(|it| it.name == "meta") {
        let mut keys = element.attributes.keys();
        let odd = keys.find(|it| {
            !["charset", "content", "http-equiv", "media", "name", "property"]
                .contains(&it.as_str())
        });
        if let Some(key) = odd {
            let message = format!("the attribute `{}` of `<meta>`", excerpt(key));
            report.add(element.line, Rule::MetaDirective, message);
        }
        for key in ["name", "property"] {
            let Some(name) = element.attribute(key) else { continue };
            let name = name.trim().to_ascii_lowercase();
            if !is_plain_name(&name) {
                let message = format!("`<meta {key}=\"{}\">`", excerpt(&name));
                report.add(element.line, Rule::MetaDirective, message);
            }
        }
    }
}

/// Whether a file of this name is data, which starts no program when it is opened, on any system. Windows drops
/// dots and blanks at the end, and some characters turn the direction of what is behind them.
fn is_passive(name: &str) -> bool {
    // Bidirectional and invisible characters, and what no file system has in a name.
    let is_plain = |it: char| {
        let is_format = matches!(u32::from(it), 0xad | 0x61c | 0x180e | 0x200b..=0x200f | 0x202a..=0x202e
            | 0x2060..=0x206f | 0xfeff | 0xfff9..=0xfffb);
        let is_blank = it.is_whitespace() && it != ' ';
        !(is_format || is_blank || it.is_control() || "/\\:*?\"<>|%".contains(it))
    };
    if name.ends_with(['.', ' ']) || !name.chars().all(is_plain) {
        return false;
    }
    let kind = name.rsplit_once('.').map(|(_, kind)| kind.to_ascii_lowercase());
    kind.is_none_or(|it| PASSIVE.contains(&it.as_str()))
}

/// Links that save another kind of file.
pub(super) fn downloads(context: &Context<'_>, report: &mut Report<'_>) {
    for element in &context.page.elements {
        let Some(name) = element.attribute("download") else { continue };
        let address = element.attribute("href").unwrap_or_default();
        let address = address.split(['?', '#']).next().unwrap_or_default();
        let is_file = !address.starts_with("data:") && !address.contains("://");
        let file = address.rsplit('/').next().unwrap_or_default();
        if !is_passive(name) || is_file && !is_passive(file) {
            let message = format!("the download `{}` may start a program", excerpt(name));
            report.add(element.line, Rule::ActiveAddress, message);
        }
    }
}
