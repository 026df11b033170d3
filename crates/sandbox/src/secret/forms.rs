//! The shapes in which a value turns up: escaped, encoded, or a part of it.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

/// Shortest value that is looked for: shorter ones would be found everywhere.
const SHORTEST: usize = 6;
/// A value up to this length is looked for as a whole; a longer one in pieces, so that a part of it is found.
const WHOLE: usize = 128;
/// Length of a piece of a long value.
const PIECE: usize = 48;
/// Most pieces of one value: the size of the search tables follows from it.
const MOST_PIECES: usize = 1024;
/// Shortest line of a longer value that is looked for by itself.
const SHORTEST_LINE: usize = 16;

/// The parts of a value that must not be seen.
pub(super) fn pieces(value: &[u8]) -> Vec<Vec<u8>> {
    let value = value.trim_ascii();
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    if value.len() <= WHOLE {
        pieces.push(value.to_vec());
    }
    if let Ok(text) = std::str::from_utf8(value) {
        pieces.extend(parts_of_text(text).map(|it| it.as_bytes().to_vec()));
        if let Ok(json) = serde_json::from_str(text) {
            leaves(&json, &mut pieces);
        }
    }
    let lines = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    for line in lines {
        // The frame of a key file is no secret.
        if line.starts_with(b"-----") || (line.len() < SHORTEST_LINE && line != value) {
            continue;
        }
        if line.len() <= WHOLE {
            pieces.push(line.to_vec());
        } else {
            pieces.extend(line.chunks_exact(PIECE).map(<[u8]>::to_vec));
        }
    }
    pieces.retain(|it| it.len() >= SHORTEST);
    pieces.sort();
    pieces.dedup();
    pieces.truncate(MOST_PIECES);
    pieces
}

/// The right side of `NAME=value` lines, and the password of an address such as `postgres://me:word@host`.
fn parts_of_text(text: &str) -> impl Iterator<Item = &str> {
    let assigned = text.lines().filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        let is_name = name.trim().trim_start_matches("export ").bytes();
        let mut is_name = is_name.filter(|it| !it.is_ascii_alphanumeric() && *it != b'_');
        let value = value.trim().trim_matches(['"', '\'']);
        (is_name.next().is_none() && !name.trim().is_empty() && value.len() >= 8).then_some(value)
    });
    let password = text.split_once("://").and_then(|(_, rest)| {
        let (user, _) = rest.split_once('@')?;
        user.split_once(':').map(|(_, password)| password)
    });
    assigned.chain(password)
}

/// The texts in a JSON file of credentials; addresses in them are no secrets.
fn leaves(value: &serde_json::Value, pieces: &mut Vec<Vec<u8>>) {
    match value {
        serde_json::Value::String(text)
            if text.len() >= SHORTEST_LINE && !text.starts_with("http") =>
        {
            for line in text.lines().filter(|it| !it.starts_with("-----")) {
                pieces.push(line.as_bytes().to_vec());
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|it| leaves(it, pieces)),
        serde_json::Value::Object(items) => items.values().for_each(|it| leaves(it, pieces)),
        _ => {}
    }
}

/// Spellings of one piece to look for.
pub(super) fn forms(piece: &[u8]) -> Vec<Vec<u8>> {
    let once = unescaped(piece);
    let twice = unescaped(&once);
    let dense = squeezed(&twice);
    let mut forms = vec![piece.to_vec(), once, twice, dense];
    for pad in 0..3 {
        for alphabet in [&alphabet::STANDARD, &alphabet::URL_SAFE] {
            forms.push(base64(piece, pad, alphabet));
        }
    }
    let hex = |digits: fn(u8) -> String| piece.iter().map(|it| digits(*it)).collect::<String>();
    forms.push(hex(|it| format!("{it:02x}")).into_bytes());
    forms.push(hex(|it| format!("{it:02X}")).into_bytes());
    // Unescaping finds these forms, too, but only a form that is found as it is written can be masked.
    if let Ok(text) = std::str::from_utf8(piece) {
        let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        forms.push(html.replace('"', "&quot;").replace('\'', "&#x27;").into_bytes());
        forms.push(html.into_bytes());
        let json = serde_json::Value::from(text).to_string();
        forms.push(json.trim_matches('"').as_bytes().to_vec());
    }
    let unreserved = |it: u8| it.is_ascii_alphanumeric() || b"-._~".contains(&it);
    let percent = piece
        .iter()
        .map(|it| if unreserved(*it) { char::from(*it).to_string() } else { format!("%{it:02X}") });
    forms.push(percent.collect::<String>().into_bytes());
    forms.retain(|it| it.len() >= SHORTEST);
    forms.sort();
    forms.dedup();
    forms
}

/// The characters that stand for the piece alone when `pad` bytes stand before it in a group of three.
fn base64(piece: &[u8], pad: usize, alphabet: &alphabet::Alphabet) -> Vec<u8> {
    let engine = GeneralPurpose::new(alphabet, NO_PAD);
    let padded: Vec<u8> = std::iter::repeat_n(0, pad).chain(piece.iter().copied()).collect();
    let text = engine.encode(&padded).into_bytes();
    let (first, end) = ((pad * 8).div_ceil(6), padded.len() * 8 / 6);
    text.get(first..end).unwrap_or_default().to_vec()
}

/// Replaces the escapes of HTML, addresses, JSON and Python by what they stand for, in one pass.
pub(super) fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let escape = match first {
            b'&' => entity(tail),
            b'%' => number(tail, 2).and_then(|it| Some((vec![u8::try_from(it).ok()?], 2))),
            b'\\' => backslash(tail),
            _ => None,
        };
        match escape {
            Some((bytes, length)) => {
                out.extend_from_slice(&bytes);
                rest = tail.get(length..).unwrap_or_default();
            }
            None => {
                out.push(first);
                rest = tail;
            }
        }
    }
    out
}

type Escape = Option<(Vec<u8>, usize)>;

fn number(text: &[u8], digits: usize) -> Option<u32> {
    let digits = text.get(..digits)?;
    // `from_str_radix` takes a sign.
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn encoded(code: u32) -> Option<Vec<u8>> {
    char::from_u32(code).map(|it| it.to_string().into_bytes())
}

fn entity(tail: &[u8]) -> Escape {
    let end = tail.iter().take(10).position(|it| *it == b';')?;
    let name = std::str::from_utf8(tail.get(..end)?).ok()?;
    let code = match name {
        "amp" => 38,
        "lt" => 60,
        "gt" => 62,
        "quot" => 34,
        "apos" => 39,
        "nbsp" => 32,
        _ => {
            let digits = name.strip_prefix('#')?;
            match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => digits.parse().ok()?,
            }
        }
    };
    Some((encoded(code)?, end + 1))
}

fn backslash(tail: &[u8]) -> Escape {
    let (&kind, digits) = tail.split_first()?;
    let plain = |byte| Some((vec![byte], 1));
    match kind {
        b'n' => plain(b'\n'),
        b't' => plain(b'\t'),
        b'r' => plain(b'\r'),
        b'"' | b'\'' | b'\\' | b'/' => plain(kind),
        b'x' => Some((vec![u8::try_from(number(digits, 2)?).ok()?], 3)),
        b'U' => Some((encoded(number(digits, 8)?)?, 9)),
        b'u' => {
            let high = number(digits, 4)?;
            if let Some(it) = encoded(high) {
                return Some((it, 5));
            }
            let low = number(digits.get(4..)?.strip_prefix(b"\\u")?, 4)?;
            let code = 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
            Some((encoded(code)?, 11))
        }
        _ => None,
    }
}

/// Without blanks and markup: what a highlighter or a line break has taken apart is whole again.
pub(super) fn squeezed(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut has_end = true;
    while let Some((&first, tail)) = rest.split_first() {
        let starts_tag =
            first == b'<' && tail.first().is_some_and(|it| it.is_ascii_alphabetic() || *it == b'/');
        if starts_tag && has_end {
            match tail.iter().position(|it| *it == b'>') {
                Some(end) => {
                    rest = tail.get(end + 1..).unwrap_or_default();
                    continue;
                }
                // Looking again at each `<` would make this quadratic.
                None => has_end = false,
            }
        }
        if !first.is_ascii_whitespace() {
            out.push(first);
        }
        rest = tail;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        let check = |text: &str| String::from_utf8(unescaped(text.as_bytes())).unwrap();
        assert_eq!(check("a&amp;b&#60;&#x3E;&quot;"), "a&b<>\"");
        assert_eq!(check("%41%62+%zz%4"), "Ab+%zz%4");
        assert_eq!(check(r#"\u0041\ud83d\ude00\x42\"\\\q"#), "A😀B\"\\\\q");
        assert_eq!(check("&unknown;&#99999999;& \\"), "&unknown;&#99999999;& \\");
    }

    #[test]
    fn markup_and_blanks_go() {
        assert_eq!(squeezed(b"a <b class=\"x\">c</b>\nd < e <f"), b"acd<e<f");
    }

    #[test]
    fn base64_is_found_at_each_place_of_its_group() {
        for before in ["", "x", "xy", "xyz"] {
            let engine = base64::engine::general_purpose::STANDARD;
            let text = engine.encode(format!("{before}correct-horse{before}"));
            let found = (0..3).any(|pad| {
                let form = base64(b"correct-horse", pad, &alphabet::STANDARD);
                text.contains(std::str::from_utf8(&form).unwrap())
            });
            assert!(found, "{before}");
        }
    }

    #[test]
    fn parts_of_credentials_are_pieces() {
        let has = |value: &str, piece: &str| {
            let found = pieces(value.as_bytes()).contains(&piece.as_bytes().to_vec());
            assert!(found, "{piece}");
        };
        has("postgres://me:wordpass@db/x", "wordpass");
        has("A=1\nexport KEY=\"abcdefgh\"\n", "abcdefgh");
        has("{\"id\": {\"k\": \"0123456789abcdef\"}}", "0123456789abcdef");
        let key = format!("-----BEGIN KEY-----\n{}\n-----END KEY-----\n", "q".repeat(64));
        has(&key, &"q".repeat(64));
        assert!(!pieces(key.as_bytes()).contains(&b"-----BEGIN KEY-----".to_vec()));
        assert!(pieces(&[7; 1 << 20]).len() <= MOST_PIECES);
    }
}
