//! Allowed elements and attributes of notebook markup, as tables, and the ammonia gate made of them.
//!
//! In: names of elements and attributes. Out: whether they pass. Measured against 530 payloads and
//! 300,000 mutated strings (`facts/web.md`, section 3): change a table only together with the
//! hostile corpus.

mod tables;
mod value;

use std::sync::LazyLock;

use super::fixed::LINK_RELATION;
use tables::{BY_ELEMENT, GENERIC, HTML, MATHML, MATHML_ATTRIBUTES, SVG, SVG_ATTRIBUTES};
pub(super) use tables::{RAW_TEXT, REFERENCES, REMOVED_WITH_CONTENT, VOID};
pub(super) use value::{has_scheme, image_data, is_stuck_image, value};

/// Which vocabulary an element belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vocabulary {
    /// HTML.
    Html,
    /// SVG; only inside `svg`.
    Svg,
    /// MathML; only inside `math`.
    MathMl,
}

/// An element that may stay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element {
    /// The name as HTML and SVG spell it (`linearGradient`).
    pub(super) name: &'static str,
    pub(super) vocabulary: Vocabulary,
    /// Has no content.
    pub(super) is_void: bool,
}

/// The stand-in for markup that nbc itself makes; notebook markup can't hold this element, since
/// it is in no table above.
pub(super) const SLOT: &str = "data";

/// A table of names that never changes: looked up for every tag.
struct Names<T> {
    buckets: Vec<Vec<(String, T)>>,
}

impl<T> Names<T> {
    fn new(all: impl IntoIterator<Item = (String, T)>) -> Self {
        let mut buckets: Vec<Vec<(String, T)>> = Vec::new();
        buckets.resize_with(256, Vec::new);
        for (name, value) in all {
            if let Some(bucket) = buckets.get_mut(bucket(&name)) {
                bucket.push((name, value));
            }
        }
        Self { buckets }
    }

    fn get(&self, name: &str) -> Option<&T> {
        let bucket = self.buckets.get(bucket(name))?;
        bucket.iter().find(|(it, _)| it == name).map(|(_, value)| value)
    }
}

fn bucket(name: &str) -> usize {
    let bytes = name.as_bytes();
    let middle = bytes.get(bytes.len() / 2).copied().unwrap_or(0);
    let end = |it: Option<&u8>| usize::from(it.copied().unwrap_or(0));
    (bytes.len() * 5 + end(bytes.first()) * 31 + end(bytes.last()) * 7 + usize::from(middle) * 13)
        % 256
}

struct Entry {
    element: Element,
    /// Attributes by their lowercase names.
    attributes: Names<&'static str>,
}

fn all_elements() -> impl Iterator<Item = Element> {
    let of = |names: &'static [&'static str], vocabulary| {
        let element =
            move |name: &&'static str| Element { name, vocabulary, is_void: VOID.contains(name) };
        names.iter().map(element)
    };
    of(HTML, Vocabulary::Html).chain(of(SVG, Vocabulary::Svg)).chain(of(MATHML, Vocabulary::MathMl))
}

fn attributes_of(element: Element) -> impl Iterator<Item = &'static str> {
    let own = match element.vocabulary {
        Vocabulary::Html => BY_ELEMENT
            .iter()
            .find(|(name, _)| *name == element.name)
            .map_or(&[] as &[&str], |(_, attributes)| attributes),
        Vocabulary::Svg => SVG_ATTRIBUTES,
        Vocabulary::MathMl => MATHML_ATTRIBUTES,
    };
    GENERIC.iter().chain(own).copied()
}

/// Each attribute of each element.
#[cfg(test)]
pub(super) fn all_attributes() -> impl Iterator<Item = (Element, &'static str)> {
    all_elements().flat_map(|it| attributes_of(it).map(move |name| (it, name)))
}

/// By lowercase name.
static ELEMENTS: LazyLock<Names<Entry>> = LazyLock::new(|| {
    Names::new(all_elements().map(|element| {
        let attributes = attributes_of(element).map(|it| (it.to_ascii_lowercase(), it));
        let entry = Entry { element, attributes: Names::new(attributes) };
        (element.name.to_ascii_lowercase(), entry)
    }))
});

/// The element with this lowercase name, if it may stay.
pub(super) fn element(name: &str) -> Option<Element> {
    ELEMENTS.get(name).map(|it| it.element)
}

/// The element that is spelled like this.
pub(super) fn exact_element(name: &str) -> Option<Element> {
    lowercase(name, element).filter(|it| it.name == name)
}

/// The attribute with this lowercase name, if the element may have it.
pub(super) fn attribute(element: &str, name: &str) -> Option<&'static str> {
    let entry = lowercase(element, |element| ELEMENTS.get(element))?;
    entry.attributes.get(name).copied()
}

/// The attribute that is spelled like this.
pub(super) fn exact_attribute(element: &str, name: &str) -> Option<&'static str> {
    lowercase(name, |name| attribute(element, name)).filter(|it| *it == name)
}

fn lowercase<T>(name: &str, read: impl FnOnce(&str) -> T) -> T {
    if name.bytes().any(|it| it.is_ascii_uppercase()) {
        read(&name.to_ascii_lowercase())
    } else {
        read(name)
    }
}

/// The gate that everything passes last. Built once: ammonia checks its tables on each build.
pub(super) static GATE: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
    let mut builder = ammonia::Builder::empty();
    builder.add_tags(all_elements().map(|it| it.name));
    builder.add_tags([SLOT]);
    builder.add_tag_attributes(SLOT, ["value"]);
    builder.add_clean_content_tags(REMOVED_WITH_CONTENT.iter().copied());
    builder.add_clean_content_tags([
        "foreignObject",
        "animateMotion",
        "animateTransform",
        "link",
        "base",
        "meta",
        "source",
        "track",
        "form",
    ]);
    for element in all_elements() {
        builder.add_tag_attributes(element.name, attributes_of(element));
    }
    builder.add_url_schemes(["http", "https", "mailto", "tel", "data"]);
    builder.url_relative(ammonia::UrlRelative::PassThrough);
    builder.link_rel(Some(LINK_RELATION));
    builder.strip_comments(true);
    builder.attribute_filter(value);
    builder
});
