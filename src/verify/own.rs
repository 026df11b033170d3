//! Rules about powers that only nbc's own parts of a page may have: to open over it, to speak to a
//! screen reader, to state its address.

use super::rules::Context;
use super::tokens::Element;
use super::{Report, Rule, excerpt};
use crate::site::EXECUTABLE;

/// Ids of elements that nbc lets open over a page. It writes none.
const OVERLAY_IDS: [&str; 0] = [];

/// Roles that are read out when their content changes, that claim the whole page, or that switch a
/// screen reader to another mode.
const TALKING_ROLES: [&str; 8] =
    ["alert", "alertdialog", "application", "dialog", "log", "marquee", "status", "timer"];

const TALKING_ATTRIBUTES: [&str; 5] =
    ["aria-atomic", "aria-busy", "aria-live", "aria-modal", "aria-relevant"];

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
        "input" if is_password(element) => {
            return Some("a password field that takes input".to_owned());
        }
        _ => {}
    }
    if element.attributes.is_empty() {
        return None;
    }
    let talking = TALKING_ATTRIBUTES.iter().find(has);
    let covering = OVERLAY_ATTRIBUTES.iter().filter(|_| !is_own).find(has);
    if let Some(name) = talking.or(covering) {
        return Some(format!("the attribute `{name}`"));
    }
    let role = element.attribute("role")?.to_ascii_lowercase();
    let talks = role.split_ascii_whitespace().any(|it| TALKING_ROLES.contains(&it));
    talks.then(|| format!("`role=\"{}\"`", excerpt(&role)))
}

fn is_password(element: &Element) -> bool {
    let kind = element.attribute("type").unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("password")
        && !element.attributes.contains_key("disabled")
        && !element.attributes.contains_key("readonly")
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
            "meta" if names(element, "property", "og:url") => element.attribute("content"),
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

/// Whether a file of this name starts a program when it is opened. Windows drops dots and blanks at
/// the end.
fn is_executable(name: &str) -> bool {
    let name = name.trim_end_matches(['.', ' ']).to_ascii_lowercase();
    name.rsplit_once('.').is_some_and(|(_, extension)| EXECUTABLE.contains(&extension.trim()))
}

/// Links that save such a file.
pub(super) fn downloads(context: &Context<'_>, report: &mut Report<'_>) {
    for element in &context.page.elements {
        let Some(name) = element.attribute("download") else { continue };
        let address = element.attribute("href").unwrap_or_default();
        let address = address.split(['?', '#']).next().unwrap_or_default();
        let is_bad = is_executable(name)
            || !address.starts_with("data:") && !address.contains("://") && is_executable(address);
        if is_bad {
            let message = format!("the download `{}` starts a program", excerpt(name));
            report.add(element.line, Rule::ActiveAddress, message);
        }
    }
}
