//! Grammars of attribute values.
//!
//! In: the decoded value of an allowed attribute. Out: the value as it may stay, or a refusal.

use std::borrow::Cow;

use super::SLOT;
use crate::metadata;
use crate::sanitize::bytes;

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
pub(in crate::sanitize) fn value<'v>(
    element: &str,
    name: &str,
    value: &'v str,
) -> Option<Cow<'v, str>> {
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
pub(in crate::sanitize) fn has_scheme(value: &str) -> bool {
    value.trim_start_matches(|it: char| it <= ' ').split_once(':').is_some_and(|(scheme, _)| {
        let is_legal = |it: char| {
            it.is_ascii_alphanumeric() || it.is_ascii_whitespace() || matches!(it, '+' | '-' | '.')
        };
        scheme.starts_with(|it: char| it.is_ascii_alphabetic()) && scheme.chars().all(is_legal)
    })
}

/// Whether an address may stand in a link: it opens a page or writes a mail, and runs nothing.
fn is_link(address: &str) -> bool {
    let address = address.trim();
    if address.chars().any(|it| it.is_control() || it == '\\') {
        return false;
    }
    let lower = address.to_ascii_lowercase();
    if ["http://", "https://", "mailto:", "tel:"].iter().any(|scheme| lower.starts_with(scheme)) {
        return true;
    }
    // Jupyter's anchors may hold a colon, which ends a scheme only where no `#` comes before it.
    let file = address.split('#').next().unwrap_or_default();
    !file.contains(':') && !address.starts_with("//")
}

/// The address of an image in the text itself, taken apart: what stands before the data, and the data, which
/// is nothing but base64.
pub(in crate::sanitize) fn image_data(address: &str) -> Option<(&str, &str)> {
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
pub(in crate::sanitize) fn is_stuck_image(address: &str) -> bool {
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
