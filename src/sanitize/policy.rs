//! Allowed elements and attributes of notebook markup, as tables, and the ammonia gate made of them.
//!
//! In: names of elements and attributes. Out: whether they pass. Measured against 530 payloads and
//! 300,000 mutated strings (`facts/web.md`, section 3): change a table only together with the
//! hostile corpus.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::bytes;
use super::fixed::LINK_RELATION;
use crate::metadata;

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

const HTML: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "address",
    "area",
    "article",
    "aside",
    "b",
    "bdi",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "center",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "details",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "i",
    "img",
    "input",
    "ins",
    "kbd",
    "label",
    "li",
    "mark",
    "nav",
    "ol",
    "p",
    "pre",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "section",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "time",
    "tr",
    "tt",
    "u",
    "ul",
    "var",
    "wbr",
];

const SVG: &[&str] = &[
    "circle",
    "clipPath",
    "defs",
    "ellipse",
    "feBlend",
    "feColorMatrix",
    "feComponentTransfer",
    "feComposite",
    "feConvolveMatrix",
    "feDiffuseLighting",
    "feDisplacementMap",
    "feDistantLight",
    "feDropShadow",
    "feFlood",
    "feFuncA",
    "feFuncB",
    "feFuncG",
    "feFuncR",
    "feGaussianBlur",
    "feMerge",
    "feMergeNode",
    "feMorphology",
    "feOffset",
    "fePointLight",
    "feSpecularLighting",
    "feSpotLight",
    "feTile",
    "feTurbulence",
    "filter",
    "g",
    "image",
    "line",
    "linearGradient",
    "marker",
    "mask",
    "path",
    "pattern",
    "polygon",
    "polyline",
    "radialGradient",
    "rect",
    "stop",
    "svg",
    "symbol",
    "text",
    "textPath",
    "tspan",
    "use",
];

const MATHML: &[&str] = &[
    "math",
    "merror",
    "mfrac",
    "mi",
    "mmultiscripts",
    "mn",
    "mo",
    "mover",
    "mpadded",
    "mphantom",
    "mprescripts",
    "mroot",
    "mrow",
    "ms",
    "mspace",
    "msqrt",
    "mstyle",
    "msub",
    "msubsup",
    "msup",
    "mtable",
    "mtd",
    "mtext",
    "mtr",
    "munder",
    "munderover",
    "semantics",
];

/// Elements that go together with what they hold: it is code, or text of another language.
pub(super) const REMOVED_WITH_CONTENT: &[&str] = &[
    "animate",
    "animatecolor",
    "animatemotion",
    "animatetransform",
    "annotation",
    "annotation-xml",
    "applet",
    "audio",
    "button",
    "canvas",
    "desc",
    "dialog",
    "discard",
    "embed",
    "fencedframe",
    "foreignobject",
    "frame",
    "frameset",
    "handler",
    "head",
    "iframe",
    "listener",
    "metadata",
    "noembed",
    "noframes",
    "noscript",
    "object",
    "option",
    "plaintext",
    "portal",
    "script",
    "select",
    "set",
    "style",
    "template",
    "textarea",
    "title",
    "video",
    "xmp",
];

/// Elements whose text the HTML tokenizer does not read as markup.
pub(super) const RAW_TEXT: &[&str] = &[
    "iframe",
    "noembed",
    "noframes",
    "noscript",
    "plaintext",
    "script",
    "style",
    "textarea",
    "title",
    "xmp",
];

/// Elements without content.
pub(super) const VOID: &[&str] = &[
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];

const GENERIC: &[&str] = &[
    "aria-controls",
    "aria-current",
    "aria-describedby",
    "aria-details",
    "aria-expanded",
    "aria-hidden",
    "aria-label",
    "aria-labelledby",
    "aria-level",
    "aria-owns",
    "aria-roledescription",
    "class",
    "dir",
    "hidden",
    "id",
    "lang",
    "role",
    "title",
    "translate",
];

const BY_ELEMENT: &[(&str, &[&str])] = &[
    ("a", &["href", "target"]),
    ("bdo", &["dir"]),
    ("blockquote", &[]),
    ("col", &["span", "width"]),
    ("colgroup", &["span", "width"]),
    ("del", &["datetime"]),
    ("details", &["open"]),
    ("img", &["src", "alt", "width", "height"]),
    ("input", &["type", "checked", "disabled"]),
    ("ins", &["datetime"]),
    ("label", &["for"]),
    ("li", &["value"]),
    ("ol", &["start", "type", "reversed"]),
    ("table", &["border", "cellpadding", "cellspacing"]),
    ("td", &["colspan", "rowspan", "headers", "align", "valign", "width"]),
    ("th", &["colspan", "rowspan", "headers", "scope", "align", "valign", "width"]),
    ("time", &["datetime"]),
    ("tr", &["align", "valign"]),
];

const SVG_ATTRIBUTES: &[&str] = &[
    "alignment-baseline",
    "amplitude",
    "azimuth",
    "baseFrequency",
    "baseline-shift",
    "bias",
    "clip-path",
    "clip-rule",
    "clipPathUnits",
    "color",
    "color-interpolation",
    "color-interpolation-filters",
    "cx",
    "cy",
    "d",
    "diffuseConstant",
    "direction",
    "display",
    "divisor",
    "dominant-baseline",
    "dx",
    "dy",
    "edgeMode",
    "elevation",
    "exponent",
    "fill",
    "fill-opacity",
    "fill-rule",
    "filter",
    "filterUnits",
    "flood-color",
    "flood-opacity",
    "font-family",
    "font-size",
    "font-size-adjust",
    "font-stretch",
    "font-style",
    "font-variant",
    "font-weight",
    "fr",
    "fx",
    "fy",
    "gradientTransform",
    "gradientUnits",
    "height",
    "href",
    "in",
    "in2",
    "intercept",
    "k1",
    "k2",
    "k3",
    "k4",
    "kernelMatrix",
    "lengthAdjust",
    "letter-spacing",
    "lighting-color",
    "limitingConeAngle",
    "marker-end",
    "marker-mid",
    "marker-start",
    "markerHeight",
    "markerUnits",
    "markerWidth",
    "mask",
    "maskContentUnits",
    "maskUnits",
    "mode",
    "numOctaves",
    "offset",
    "opacity",
    "operator",
    "order",
    "orient",
    "overflow",
    "paint-order",
    "pathLength",
    "patternContentUnits",
    "patternTransform",
    "patternUnits",
    "pointer-events",
    "points",
    "preserveAlpha",
    "preserveAspectRatio",
    "primitiveUnits",
    "r",
    "radius",
    "refX",
    "refY",
    "result",
    "rotate",
    "rx",
    "ry",
    "scale",
    "seed",
    "shape-rendering",
    "slope",
    "specularConstant",
    "specularExponent",
    "spreadMethod",
    "startOffset",
    "stdDeviation",
    "stitchTiles",
    "stop-color",
    "stop-opacity",
    "stroke",
    "stroke-dasharray",
    "stroke-dashoffset",
    "stroke-linecap",
    "stroke-linejoin",
    "stroke-miterlimit",
    "stroke-opacity",
    "stroke-width",
    "surfaceScale",
    "tableValues",
    "targetX",
    "targetY",
    "text-anchor",
    "text-decoration",
    "text-rendering",
    "textLength",
    "transform",
    "type",
    "values",
    "vector-effect",
    "version",
    "viewBox",
    "visibility",
    "width",
    "word-spacing",
    "writing-mode",
    "x",
    "x1",
    "x2",
    "xChannelSelector",
    "xlink:href",
    "y",
    "y1",
    "y2",
    "yChannelSelector",
    "z",
];

const MATHML_ATTRIBUTES: &[&str] = &[
    "accent",
    "accentunder",
    "columnalign",
    "columnlines",
    "columnspacing",
    "columnspan",
    "depth",
    "display",
    "displaystyle",
    "fence",
    "frame",
    "height",
    "largeop",
    "linebreak",
    "linethickness",
    "lspace",
    "mathbackground",
    "mathcolor",
    "mathsize",
    "mathvariant",
    "maxsize",
    "minsize",
    "movablelimits",
    "notation",
    "rowalign",
    "rowlines",
    "rowspacing",
    "rowspan",
    "rspace",
    "scriptlevel",
    "separator",
    "stretchy",
    "symmetric",
    "voffset",
    "width",
];

/// Attributes whose value may name a paint server or filter: `fill="url(#gradient)"`.
const PAINT: &[&str] = &[
    "clip-path",
    "color",
    "fill",
    "filter",
    "flood-color",
    "lighting-color",
    "marker-end",
    "marker-mid",
    "marker-start",
    "mask",
    "stop-color",
    "stroke",
];

/// Attributes that hold ids of other elements.
pub(super) const REFERENCES: &[&str] = &[
    "aria-controls",
    "aria-describedby",
    "aria-details",
    "aria-labelledby",
    "aria-owns",
    "for",
    "headers",
];

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

/// Attributes of HTML and of all elements that have a few values.
const ENUMERATED: &[(&str, &[&str])] = &[
    ("align", &["left", "center", "right", "justify", "char", "middle", "top", "bottom"]),
    ("dir", &["ltr", "rtl", "auto"]),
    ("hidden", &["", "hidden", "until-found"]),
    ("scope", &["row", "col", "rowgroup", "colgroup", "auto"]),
    ("translate", &["", "yes", "no"]),
    ("valign", &["top", "middle", "bottom", "baseline"]),
];

/// Functions that attributes of SVG and MathML may call: none takes an address.
const FUNCTIONS: &[&str] = &[
    "blur",
    "brightness",
    "calc",
    "circle",
    "clamp",
    "color",
    "color-mix",
    "contrast",
    "drop-shadow",
    "ellipse",
    "grayscale",
    "hsl",
    "hsla",
    "hue-rotate",
    "hwb",
    "inset",
    "invert",
    "lab",
    "lch",
    "light-dark",
    "matrix",
    "max",
    "min",
    "oklab",
    "oklch",
    "opacity",
    "polygon",
    "rgb",
    "rgba",
    "rotate",
    "saturate",
    "scale",
    "sepia",
    "skewx",
    "skewy",
    "translate",
    "var",
];

/// Longest value that holds more than plain ASCII, in bytes.
const LONGEST_VALUE: usize = 16 << 10;

/// Most rows or columns that a table cell may span: beyond, laying out takes browsers seconds.
const WIDEST_SPAN: u32 = 1000;

/// The value of an allowed attribute as it may stay, or `None`. `value` is decoded.
pub(super) fn value<'v>(element: &str, name: &str, value: &'v str) -> Option<Cow<'v, str>> {
    // The serializer is quadratic in characters that it looks at twice.
    if value.len() > LONGEST_VALUE && (!value.is_ascii() || value.contains(['&', '"', '<', '>'])) {
        return None;
    }
    match (element, name) {
        ("a", "href") if is_link(value) => Some(Cow::Borrowed(value.trim())),
        ("a", "href") => None,
        ("img", "src") => image_address(value),
        ("image", "href" | "xlink:href") => image_address(value),
        (_, "href" | "xlink:href") => value.starts_with('#').then_some(Cow::Borrowed(value)),
        (_, "src") => None,
        ("a", "target") => (value == "_blank").then_some(Cow::Borrowed(value)),
        // The only control that a notebook may bring is a checkbox: task lists and disclosure
        // tricks need it. It can't be named or sent.
        ("input", "type") => Some(Cow::Borrowed("checkbox")),
        (_, "width" | "height") => value
            .chars()
            .all(|it| it.is_ascii_alphanumeric() || matches!(it, '.' | '%' | '+' | '-' | ' '))
            .then_some(Cow::Borrowed(value)),
        _ => plain_value(element, name, value),
    }
}

/// Values without an address; each attribute has a grammar, since what a value is taken for
/// elsewhere is not for this check to guess.
fn plain_value<'v>(element: &str, name: &str, value: &'v str) -> Option<Cow<'v, str>> {
    let kept = |is_kept: bool| is_kept.then_some(Cow::Borrowed(value));
    if let Some((_, known)) = ENUMERATED.iter().find(|(it, _)| *it == name) {
        return kept(known.iter().any(|it| it.eq_ignore_ascii_case(value)));
    }
    match (element, name) {
        (_, "alt" | "title" | "class" | "id") => kept(true),
        (_, "for" | "headers") | (SLOT, "value") => kept(true),
        _ if name.starts_with("aria-") => kept(true),
        (_, "lang") => kept(
            value.len() <= 40 && value.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-'),
        ),
        (_, "role") => {
            let is_plain = |it: u8| it.is_ascii_alphabetic() || matches!(it, b'-' | b' ');
            kept(value.bytes().all(is_plain) && !is_talking(value))
        }
        ("input", "checked" | "disabled") | ("details", "open") | ("ol", "reversed") => {
            Some(Cow::Borrowed(""))
        }
        ("td" | "th", "colspan" | "rowspan") | ("col" | "colgroup", "span") => {
            let span = value.trim().parse::<u32>().ok()?;
            Some(Cow::Owned(span.min(WIDEST_SPAN).to_string()))
        }
        ("ol", "start") | ("li", "value") => kept(value.trim().parse::<i32>().is_ok()),
        ("ol", "type") => kept(matches!(value, "1" | "a" | "A" | "i" | "I")),
        ("table", _) => kept(value.len() <= 8 && value.bytes().all(|it| it.is_ascii_digit())),
        (_, "datetime") => {
            kept(value.chars().all(|it| it.is_ascii_digit() || "TZPWYMDHStz-:+., ".contains(it)))
        }
        (_, "d") => kept(value.bytes().all(|it| {
            it.is_ascii_alphanumeric() || it.is_ascii_whitespace() || b"+-.,".contains(&it)
        })),
        _ => kept(is_presentation(value, PAINT.contains(&name))),
    }
}

/// Whether a role lets an element speak to a screen reader unasked (`alert`), claim the whole page
/// (`dialog`, `main`), or take over its keys (`application`).
fn is_talking(role: &str) -> bool {
    const ROLES: [&str; 11] = [
        "alert",
        "alertdialog",
        "application",
        "banner",
        "contentinfo",
        "dialog",
        "log",
        "main",
        "marquee",
        "status",
        "timer",
    ];
    role.split_ascii_whitespace().any(|it| ROLES.iter().any(|role| it.eq_ignore_ascii_case(role)))
}

/// Whether a value of SVG or MathML, read as the piece of a stylesheet that it is to browsers,
/// calls only functions that load nothing. With `has_references`, `url(#id)` may stand in it.
fn is_presentation(value: &str, has_references: bool) -> bool {
    let is_name = |it: char| it.is_alphanumeric() || matches!(it, '-' | '_') || !it.is_ascii();
    let mut depth = 0usize;
    let mut rest = value;
    let mut name = "";
    while let Some(character) = rest.chars().next() {
        let length = match character {
            '\\' | ':' | '@' | '<' | '>' | '{' | '}' | '&' => return false,
            '/' if rest.starts_with("/*") || rest.starts_with("//") => return false,
            '\t' | '\n' | '\r' => 1,
            it if it.is_control() => return false,
            '"' | '\'' => {
                let inside = rest.get(1..).unwrap_or("");
                let Some(end) = inside.find(character) else { return false };
                if inside
                    .get(..end)
                    .is_none_or(|it| it.contains(['\\', '\n', '\r', '\u{c}', ':', '(']))
                {
                    return false;
                }
                end + 2
            }
            '(' if name == "url" => {
                let Some((id, _)) = rest.strip_prefix("(#").and_then(|it| it.split_once(')'))
                else {
                    return false;
                };
                let plain = |it: char| it.is_alphanumeric() || matches!(it, '-' | '_' | '.' | ':');
                if !has_references || !id.chars().all(plain) {
                    return false;
                }
                id.len() + 3
            }
            '(' => {
                if !name.is_empty() && !FUNCTIONS.contains(&name.to_ascii_lowercase().as_str()) {
                    return false;
                }
                depth += 1;
                1
            }
            ')' if depth == 0 => return false,
            ')' => {
                depth -= 1;
                1
            }
            it if is_name(it) => rest.find(|it| !is_name(it)).unwrap_or(rest.len()),
            it => it.len_utf8(),
        };
        name = if is_name(character) { rest.get(..length).unwrap_or("") } else { "" };
        rest = rest.get(length..).unwrap_or("");
    }
    depth == 0
}

/// Whether a browser or a reader could take a value for an address with a scheme.
pub(super) fn has_scheme(value: &str) -> bool {
    value.trim_start_matches(|it: char| it <= ' ').split_once(':').is_some_and(|(scheme, _)| {
        let is_legal = |it: char| {
            it.is_ascii_alphanumeric() || it.is_ascii_whitespace() || matches!(it, '+' | '-' | '.')
        };
        scheme.starts_with(|it: char| it.is_ascii_alphabetic()) && scheme.chars().all(is_legal)
    })
}

/// Whether an address may stand in a link: it opens a page or writes a mail, and runs nothing.
pub(super) fn is_link(address: &str) -> bool {
    let address = address.trim();
    if address.chars().any(|it| it.is_control() || it == '\\') {
        return false;
    }
    let lower = address.to_ascii_lowercase();
    if ["http://", "https://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme)) {
        return true;
    }
    // Jupyter's anchors may hold a colon, which ends a scheme only where no `#` comes before it.
    let file = address.split('#').next().unwrap_or_default();
    !file.contains(':') && !address.starts_with("//")
}

/// The address of an image in the text itself, taken apart: what stands before the data, and the data, which
/// is nothing but base64.
pub(super) fn image_data(address: &str) -> Option<(&str, &str)> {
    const MARK: &str = ";base64,";
    let rest = address.strip_prefix("data:image/")?;
    // A search through megabytes that are no image would find nothing.
    let mark = rest.as_bytes().iter().take(8).position(|it| *it == b';')?;
    let data = rest.get(mark..)?.strip_prefix(MARK)?;
    let is_known = is_image_kind(rest.get(..mark)?) && bytes::are_base64(data.as_bytes());
    is_known.then(|| address.split_at_checked(address.len() - data.len())).flatten()
}

// `svg+xml` is not in the list: an SVG image is cleaned before nbc writes its address itself.
fn is_image_kind(kind: &str) -> bool {
    matches!(kind, "png" | "jpeg" | "jpg" | "gif" | "webp")
}

/// An image in the text itself, without the line breaks that matplotlib puts into its data.
fn image_address(address: &str) -> Option<Cow<'_, str>> {
    let address = plain_image_address(address)?;
    match stripped(&address)? {
        Cow::Borrowed(_) => Some(address),
        Cow::Owned(stripped) => Some(Cow::Owned(stripped)),
    }
}

/// An image in the text itself without its metadata; `None` where these can't be found.
fn stripped(address: &str) -> Option<Cow<'_, str>> {
    /// Digits of data that are too few for a picture with metadata.
    const SHORTEST: usize = 64;
    let (before, data) = image_data(address)?;
    let is_known = metadata::is_known_base64(data) || data.len() < SHORTEST;
    Some(match metadata::strip_base64(data).ok().filter(|_| is_known)? {
        Cow::Borrowed(_) => Cow::Borrowed(address),
        Cow::Owned(data) => Cow::Owned(format!("{before}{data}")),
    })
}

/// Whether an address is an image whose metadata can't be removed.
pub(super) fn is_stuck_image(address: &str) -> bool {
    plain_image_address(address).is_some_and(|it| stripped(&it).is_none())
}

fn plain_image_address(address: &str) -> Option<Cow<'_, str>> {
    if let Some((before, _)) = image_data(address)
        && before != "data:image/jpg;base64,"
    {
        return Some(Cow::Borrowed(address));
    }
    let compact: Cow<'_, str> = if address.bytes().any(|it| it.is_ascii_whitespace()) {
        Cow::Owned(address.chars().filter(|it| !it.is_ascii_whitespace()).collect())
    } else {
        Cow::Borrowed(address)
    };
    let data = compact.strip_prefix("data:image/")?;
    let (kind, data) = data.split_once(";base64,")?;
    if !is_image_kind(kind) || !bytes::are_base64(data.as_bytes()) {
        return None;
    }
    // `image/jpg` is no type, though browsers guess right.
    Some(if kind == "jpg" { Cow::Owned(format!("data:image/jpeg;base64,{data}")) } else { compact })
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
    builder.add_url_schemes(["http", "https", "mailto", "data"]);
    builder.url_relative(ammonia::UrlRelative::PassThrough);
    builder.link_rel(Some(LINK_RELATION));
    builder.strip_comments(true);
    builder.attribute_filter(value);
    builder
});
