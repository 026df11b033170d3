//! The gate: ammonia decides, then nbc's own markup goes into its slots.
//!
//! In: markup of the pass. Out: [`SafeHtml`].

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::sanitize::{SafeHtml, fixed, policy, scan, token};

/// The last step: ammonia, then nbc's own markup into its slots.
pub(super) fn gate(markup: String, slots: &[SafeHtml]) -> SafeHtml {
    let clean = if fixed::is_fixed(&markup) {
        debug_assert_eq!(policy::GATE.clean(&markup).to_string(), markup, "ammonia disagrees");
        markup
    } else {
        // A panic of the parser must not end the build; this markup is not shown then.
        let clean = catch_unwind(AssertUnwindSafe(|| cleaned(&markup)));
        let Ok(mut clean) = clean else { return SafeHtml::default() };
        if clean.contains('\r') {
            // `&#13;` leaves a raw carriage return, which parsers read differently.
            clean = clean.replace('\r', " ");
        }
        clean
    };
    if slots.is_empty() {
        return SafeHtml(clean);
    }
    let open = format!("<{} value=\"", policy::SLOT);
    let close = format!("\"></{}>", policy::SLOT);
    let mut out = String::with_capacity(clean.len());
    let mut rest = clean.as_str();
    while let Some((before, after)) = rest.split_once(open.as_str()) {
        out.push_str(before);
        let Some((number, after)) = after.split_once(close.as_str()) else { break };
        // In the gate's output every `<` of a text is escaped, so only the pass can have made
        // this element, and its number is one of ours.
        if let Some(slot) = number.parse::<usize>().ok().and_then(|it| slots.get(it)) {
            out.push_str(slot.as_str());
        }
        rest = after;
    }
    out.push_str(rest);
    SafeHtml(out)
}

/// Markup cleaned by ammonia. Its serializer scans the rest of a text again for each `&` and each
/// character from U+0080 to U+00BF: where that would take long, private-use characters replace them meanwhile.
fn cleaned(markup: &str) -> String {
    let heavy = memchr::memchr2_iter(b'&', 0xC2, markup.as_bytes()).count();
    if heavy.saturating_mul(markup.len()) < 1 << 32 {
        return policy::GATE.clean(markup).to_string();
    }
    let hidden = |it: char| match it {
        '\u{80}'..='\u{bf}' => char::from_u32(u32::from(it) + 0xf000),
        '\u{f080}'..='\u{f0ff}' => Some('\u{fffd}'),
        other => Some(other),
    };
    let mut out = String::with_capacity(markup.len());
    for piece in scan::pieces(markup) {
        match piece {
            scan::Piece::Tag(tag) => out.push_str(tag),
            scan::Piece::Text(text) => {
                let text: String = text.chars().filter_map(hidden).collect();
                out.push_str(&text.replace("&amp;", "\u{f0ff}").replace("&nbsp;", "\u{f0a0}"));
            }
        }
    }
    let clean = policy::GATE.clean(&out).to_string();
    let mut out = String::with_capacity(clean.len());
    for character in clean.chars() {
        match character {
            '\u{f0ff}' => out.push_str("&amp;"),
            '\u{f080}'..='\u{f0bf}' => {
                push_character(
                    &mut out,
                    char::from_u32(u32::from(character) - 0xf000).unwrap_or(' '),
                );
            }
            other => out.push(other),
        }
    }
    out
}

/// Writes text of a notebook as the gate's serializer would, where it is sure how that reads it; the
/// rest stays as written, and the gate's parser decides.
pub(super) fn push_text(out: &mut String, text: &str) {
    let mut rest = text;
    let special = |it: &u8| matches!(it, b'<' | b'>' | b'&' | b'\r' | 0xC2);
    while let Some(at) = rest.bytes().position(|it| special(&it)) {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let mut characters = after.chars();
        let first = characters.next().unwrap_or('&');
        rest = characters.as_str();
        match first {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\u{a0}' => out.push_str("&nbsp;"),
            // HTML parsers normalize line ends before anything else.
            '\r' if rest.starts_with('\n') => {}
            '\r' => out.push('\n'),
            '&' => match token::text_reference(rest) {
                Some((character, length)) => {
                    push_character(out, character);
                    rest = rest.get(length..).unwrap_or("");
                }
                None if rest.starts_with(|it: char| it.is_ascii_whitespace()) => {
                    out.push_str("&amp;");
                }
                None => out.push('&'),
            },
            other => out.push(other),
        }
    }
    out.push_str(rest);
}

pub(super) fn push_character(out: &mut String, character: char) {
    match character {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '\u{a0}' => out.push_str("&nbsp;"),
        other => out.push(other),
    }
}
