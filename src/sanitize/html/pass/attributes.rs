//! Attributes of elements that are allowed.
//!
//! In: attributes as a notebook wrote them. Out: those that the policy keeps, with ids and classes prefixed and styles
//! moved to the stylesheet.

use super::{Pass, clean, printable};
use crate::metadata;
use crate::sanitize::html::prefixed_class;
use crate::sanitize::policy::{self, Vocabulary};
use crate::sanitize::token::{self, Tag};
use crate::sanitize::{FoundPicture, IMAGE_OF_WEB, SafeHtml, fixed};

/// Elements of old pages whose `align` is the place of their text.
const ALIGNED: [&str; 8] = ["p", "div", "h1", "h2", "h3", "h4", "h5", "h6"];
/// Elements that `align` puts to a side, with text around them.
const FLOATED: [&str; 3] = ["img", "table", "video"];

impl Pass<'_> {
    /// Puts the text of an image in the place of one that the page can't have, so that readers
    /// see that something stood there.
    pub(super) fn is_missing_image(&mut self, tag: &Tag<'_>) -> bool {
        let source = value_of(tag, "src").unwrap_or_default();
        if policy::value("img", "src", &source).is_some() {
            return false;
        }
        self.gate.remove(refusal("img", "src", &source));
        self.missing_image(tag);
        true
    }

    /// The text of an image that is not on the page. One of the web is a link to it, which a reader may follow.
    fn missing_image(&mut self, tag: &Tag<'_>) {
        let alternative = value_of(tag, "alt").unwrap_or_default();
        let source = value_of(tag, "src").unwrap_or_default();
        let host = web_host(&source);
        let is_link = host.is_some() && !self.is_in_link();
        let what = match &host {
            Some(host) => format!("image at {host}"),
            None => "image not included".to_owned(),
        };
        let text = match alternative.trim() {
            "" => format!("[{what}]"),
            text => format!("[{what}: {text}]"),
        };
        self.out.push_str("<span class=\"x-missing-image\">");
        if is_link {
            self.out.push_str("<a");
            self.push_attribute("href", source.trim());
            self.push_attribute("rel", fixed::LINK_RELATION);
            self.out.push('>');
        }
        self.out.push_str(SafeHtml::text(&text).as_str());
        self.out.push_str(if is_link { "</a></span>" } else { "</span>" });
    }

    /// Whether a link is open: one in another would end it.
    fn is_in_link(&self) -> bool {
        let outer = self.frames.iter().flat_map(|it| &it.open);
        outer.chain(&self.open).any(|it| it.name == "a")
    }

    /// Puts a picture that is not in the markup itself in its place, if somebody has it. Other attributes pass the gate as
    /// they always do; the picture, which may be megabytes, was checked.
    pub(super) fn is_placed_picture(&mut self, element: policy::Element, tag: &Tag<'_>) -> bool {
        let source = value_of(tag, "src").unwrap_or_default();
        if source.is_empty() || source.trim_start().starts_with("data:") {
            return false;
        }
        let picture = match self.custom.picture(&source) {
            FoundPicture::NotAsked => return false,
            FoundPicture::Refused => {
                self.missing_image(tag);
                return true;
            }
            FoundPicture::Found(picture) => picture,
        };
        let others = tag.attributes.iter().filter(|(name, _)| name != "src");
        let attributes = others.cloned().collect();
        let others = Tag { name: tag.name.clone(), attributes, is_closed: false };
        let before = std::mem::take(&mut self.out);
        self.open_element(element, &others, false);
        let written = std::mem::replace(&mut self.out, before);
        match picture.element(&clean::gate(written, &[])) {
            Some(html) => self.push_slot(html),
            None => self.missing_image(tag),
        }
        true
    }

    pub(super) fn attributes(&mut self, element: policy::Element, tag: &Tag<'_>) {
        let mut classes = Vec::new();
        let mut attributes: Vec<&(String, &str)> = tag.attributes.iter().collect();
        if element.vocabulary == Vocabulary::MathMl {
            // katex-rs keeps them in a hash map, and two builds must give the same bytes.
            attributes.sort_unstable();
        }
        for (name, raw) in attributes {
            match name.as_str() {
                "class" => classes.extend(
                    token::decode(raw)
                        .split_ascii_whitespace()
                        .filter(|it| !it.starts_with("nbc-"))
                        .map(prefixed_class),
                ),
                "style" => {
                    let text = token::decode(raw);
                    if !text.trim().is_empty() {
                        classes.extend(self.gate.style_class(&text));
                    }
                }
                "align" if ALIGNED.contains(&element.name) => {
                    let value = token::decode(raw).trim().to_ascii_lowercase();
                    if ["left", "center", "right", "justify"].contains(&value.as_str()) {
                        classes.extend(self.gate.style_class(&format!("text-align:{value}")));
                    }
                }
                "align" if FLOATED.contains(&element.name) => {
                    let rule = match token::decode(raw).trim().to_ascii_lowercase().as_str() {
                        "left" => Some("float:left"),
                        "right" => Some("float:right"),
                        "center" if element.name == "table" => Some("margin-inline:auto"),
                        _ => None,
                    };
                    classes.extend(rule.and_then(|it| self.gate.style_class(it)));
                }
                "xmlns" | "scoped" => {}
                _ if name.starts_with("data-") || name.starts_with("xmlns:") => {}
                _ => self.attribute(element, name, raw),
            }
        }
        if element.name == "input" {
            let has =
                |names: &[&str]| tag.attributes.iter().any(|(it, _)| names.contains(&it.as_str()));
            // A task list's box has no label of its own.
            if !has(&["id", "aria-label", "aria-labelledby"])
                && !self.open.iter().any(|it| it.name == "label")
            {
                self.push_attribute("aria-label", "Task");
            }
        }
        if !classes.is_empty() {
            classes.dedup();
            let classes = classes.join(" ");
            self.push_attribute("class", &classes);
        }
        if element.name == "a" && element.vocabulary == Vocabulary::Html {
            if self.id.is_none() {
                self.id_of_name(tag);
            }
            self.push_attribute("rel", fixed::LINK_RELATION);
        }
    }

    /// `<a name="x">` is what `id="x"` is. A page has no names, which other elements give to fields and documents.
    fn id_of_name(&mut self, tag: &Tag<'_>) {
        if let Some(id) = value_of(tag, "name").and_then(|it| self.own_id(&it)) {
            self.id = Some(id.clone());
            self.push_attribute("id", &id);
        }
    }

    /// A link target for a name that an anchor has beside its id.
    pub(super) fn push_second_name(&mut self, tag: &Tag<'_>) {
        let Some(id) = value_of(tag, "name").and_then(|it| self.own_id(&it)) else { return };
        if self.id.as_ref() != Some(&id) {
            self.out.push_str("<span");
            self.push_attribute("id", &id);
            self.out.push_str("></span>");
        }
    }

    /// An id as the page may have it; it is noted.
    fn own_id(&mut self, written: &str) -> Option<String> {
        let id = written.trim();
        // Characters, and without the prefix: neither grows when the result is sanitized again.
        let own = id.strip_prefix(&self.gate.prefix).unwrap_or(id).chars().count();
        if own == 0 || own > 256 || id.contains(char::is_whitespace) {
            return None;
        }
        let id = self.gate.prefixed(id);
        self.gate.ids.insert(id.clone());
        Some(id)
    }

    fn attribute(&mut self, element: policy::Element, name: &str, raw: &str) {
        let Some(allowed) = policy::attribute(element.name, name) else {
            if name.starts_with("on") {
                self.gate.remove(format!("`{}` attribute", printable(name)));
            } else if matches!(
                name,
                "srcset" | "background" | "ping" | "formaction" | "srcdoc" | "action"
            ) {
                self.gate.remove(format!("`{name}` attribute"));
            }
            return;
        };
        let decoded = token::decode(raw);
        let Some(value) = policy::value(element.name, allowed, &decoded) else {
            self.gate.remove(refusal(element.name, allowed, &decoded));
            return;
        };
        let value = match allowed {
            "id" => {
                let Some(id) = self.own_id(&value) else { return };
                self.id = Some(id.clone());
                id
            }
            "href" if element.name == "a" => value.into_owned(),
            "href" | "xlink:href" if value.starts_with('#') => {
                let id = self.gate.prefixed(value.trim_start_matches('#'));
                if element.name == "use" && self.is_nested_use(&id) {
                    self.gate.remove("`<use>` of a `<use>`");
                    return;
                }
                format!("#{id}")
            }
            _ if policy::REFERENCES.contains(&allowed) => {
                let ids = value.split_ascii_whitespace().map(|id| self.gate.prefixed(id));
                ids.collect::<Vec<_>>().join(" ")
            }
            _ if value.contains("url(#")
                && !value.contains(&format!("url(#{}", self.gate.prefix)) =>
            {
                value.replace("url(#", &format!("url(#{}", self.gate.prefix))
            }
            _ => value.into_owned(),
        };
        self.push_attribute(allowed, &value);
    }

    /// Whether a `use` would show another one: thirty such levels of two make a billion elements
    /// in the reader's browser.
    fn is_nested_use(&mut self, target: &str) -> bool {
        let is_shown =
            self.open_ids.iter().any(|(_, id)| self.gate.used.contains(id) || id == target);
        if is_shown || self.gate.users.contains(target) {
            return true;
        }
        self.gate.used.insert(target.to_owned());
        self.gate.users.extend(self.open_ids.iter().map(|(_, id)| id.clone()));
        false
    }

    fn push_attribute(&mut self, name: &str, value: &str) {
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        let mut rest = value;
        let special = |it: u8| matches!(it, b'&' | b'"' | b'<' | b'>' | 0xC2);
        while let Some(at) = rest.bytes().position(special) {
            let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
            self.out.push_str(before);
            let mut characters = after.chars();
            match characters.next() {
                Some('"') => self.out.push_str("&quot;"),
                Some(other) => clean::push_character(&mut self.out, other),
                None => {}
            }
            rest = characters.as_str();
        }
        self.out.push_str(rest);
        self.out.push('"');
    }
}

/// The host of an address of the web, if a link may lead there.
fn web_host(address: &str) -> Option<String> {
    let address = policy::value("a", "href", address)?;
    let (scheme, rest) = address.split_once("://")?;
    let is_web = ["http", "https"].iter().any(|it| scheme.eq_ignore_ascii_case(it));
    let host = rest.split(['/', '?', '#']).next().filter(|_| is_web)?;
    // A name before the host could be taken for it.
    let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | ':');
    let is_host = !host.is_empty() && host.len() <= 100 && host.chars().all(is_plain);
    is_host.then(|| host.to_ascii_lowercase())
}

/// The value of an attribute, decoded.
fn value_of(tag: &Tag<'_>, name: &str) -> Option<String> {
    tag.attributes.iter().find(|(it, _)| it == name).map(|(_, raw)| token::decode(raw))
}

/// Name of a refused value in findings; the value itself may be a secret or a page long.
fn refusal(element: &str, name: &str, value: &str) -> String {
    let scheme = value.trim_start().split(':').next().unwrap_or("").to_ascii_lowercase();
    match (element, name) {
        ("a", "href") if scheme == "javascript" || scheme == "vbscript" => {
            format!("`{scheme}:` link")
        }
        ("a", "href") => "link to an unsafe address".to_owned(),
        ("img" | "image", "src" | "href" | "xlink:href") if policy::is_stuck_image(value) => {
            metadata::STUCK_IMAGE.to_owned()
        }
        ("img", "src") if web_host(value).is_some() => IMAGE_OF_WEB.to_owned(),
        ("img", "src") => "image that is not in the notebook".to_owned(),
        (_, "href" | "xlink:href") => format!("reference of `<{element}>` to elsewhere"),
        _ => format!("`{name}` attribute with an unsafe value"),
    }
}

/// Whether an input is a checkbox or a radio button, which stay as checkboxes. Other fields take typed text, and a
/// checkbox in their place would be misleading.
pub(super) fn is_mark(tag: &Tag<'_>) -> bool {
    let kind = tag.attributes.iter().find(|(name, _)| name == "type");
    kind.is_some_and(|(_, raw)| {
        let kind = token::decode(raw);
        ["checkbox", "radio"].iter().any(|it| kind.trim().eq_ignore_ascii_case(it))
    })
}
