//! Texts as their readers see them: without the escapes of JSON and the markup of XML, which part a secret.
//!
//! In: bytes. Out: the text that stands behind escapes, tags and references; `None` where that is the text itself.

/// The text behind the escapes of a JSON file, or the markup of an XML file.
pub(super) fn decoded(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let start = text.trim_start_matches('\u{feff}').trim_start();
    if start.starts_with('<') {
        return Some(without_markup(start));
    }
    text.contains('\\').then(|| without_escapes(text))
}

/// Text with the characters that escapes stand for (RFC 8259, section 7).
fn without_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        if let Some((found, length)) = character_of_units(after) {
            out.push(found);
            rest = after.get(length..).unwrap_or_default();
            continue;
        }
        let mut characters = after.chars();
        // What else an escape stands for separates words.
        out.extend(characters.next().map(|it| if "/\"\\".contains(it) { it } else { ' ' }));
        rest = characters.as_str();
    }
    out.push_str(rest);
    out
}

/// The character of `u0041`, or of two units that are one, and the length of what it is written as.
fn character_of_units(text: &str) -> Option<(char, usize)> {
    let unit = |text: &str| u16::from_str_radix(text.strip_prefix('u')?.get(..4)?, 16).ok();
    let first = unit(text)?;
    let second = text.get(5..).and_then(|it| unit(it.strip_prefix('\\')?));
    let second = second.filter(|it| (0xdc00..0xe000).contains(it));
    let length = if second.is_some() { 11 } else { 5 };
    let found = char::decode_utf16(std::iter::once(first).chain(second)).next()?;
    Some((found.unwrap_or(char::REPLACEMENT_CHARACTER), length))
}

/// Text without tags, and with the characters that references stand for (XML 1.0, section 4.1).
fn without_markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        if after.starts_with('<') {
            let Some(end) = after.find('>') else { return out };
            let tag = after.get(..end).unwrap_or_default();
            // Runs of one text stay together; cells, rows and paragraphs do not.
            let name = tag.trim_start_matches(['<', '/']);
            let is_run = ["r", "t", "rPr", "b", "i", "u", "sz", "color", "rFont", "text:span"];
            if !is_run.contains(&name.split([' ', '/', '>']).next().unwrap_or_default()) {
                out.push(' ');
            }
            rest = after.get(end + 1..).unwrap_or_default();
            continue;
        }
        let reference = after.get(1..).and_then(|it| it.split_once(';'));
        let found = reference.and_then(|(name, _)| character(name).map(|it| (name.len(), it)));
        let (length, character) = found.map_or((1, '&'), |(length, it)| (length + 2, it));
        out.push(character);
        rest = after.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// The character that a reference names.
fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let hexadecimal = number.strip_prefix(['x', 'X']);
        let code = match hexadecimal {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        return char::from_u32(code.ok()?);
    }
    let known = [("lt", '<'), ("gt", '>'), ("amp", '&'), ("quot", '"'), ("apos", '\'')];
    known.iter().find(|(it, _)| *it == name).map(|(_, it)| *it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_markup_part_no_word() {
        for (written, read) in [
            (r#"{"a": "\u0041KI\u0041"}"#, r#"{"a": "AKIA"}"#),
            (
                r#"{"a": "x\/y\\z\"\n\ud83d\ude00\ud83d"}"#,
                "{\"a\": \"x/y\\z\" \u{1f600}\u{fffd}\"}",
            ),
            (r"\", ""),
            (r"\u00", " 00"),
            ("<a><t>AK</t><r><t>IA</t></r></a>", " AKIA "),
            ("<?xml?><c>&#65;&#x4b;I&amp;</c><c>A</c>&x;&#1114112;", "  AKI&  A &x;&#1114112;"),
            ("<a", ""),
        ] {
            assert_eq!(decoded(written.as_bytes()).as_deref(), Some(read), "{written}");
        }
        assert_eq!(decoded(b"plain"), None);
        assert_eq!(decoded(b"\xff\\"), None);
    }
}
