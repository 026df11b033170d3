//! Files as base64 in other texts: markup, style sheets, JSON, code.
//!
//! In: a text that somebody else wrote, with the escapes and line breaks of its language. Out: the same text, in which
//! files have lost their metadata. A file that is changed is written without escapes; all others stay as they are.

use std::borrow::Cow;

use super::encoded::{decoded, kind_of, strip_base64};
use super::{Kind, texts};

/// Stands before base64 in an address, in letters of any case.
const MARK: &[u8] = b";base64";
/// Digits of data that are too few for a file with metadata.
pub(super) const SHORTEST: usize = 64;
/// Longest line of data that is wrapped.
const LONGEST_LINE: usize = 200;

/// Kinds of texts, which decide about pictures of formats that are not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextOf {
    /// Something that a page shows: such pictures are left out.
    Page,
    /// A notebook's source: they stay, since nobody knows that they are pictures.
    Source,
}

/// A text whose files have no metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaned<'text> {
    /// The text.
    pub text: Cow<'text, str>,
    /// Files that are left out, since their metadata can't be removed.
    pub refused: usize,
}

/// A file in a text: its place, its base64 without what the text writes into it, and whether it is called a picture.
pub(super) struct Found<'text> {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) data: Cow<'text, str>,
    is_picture: bool,
}

/// Takes the metadata out of every file that is an address in a text. What can't be cleaned is left out; the
/// beginning of a file, such as an example in code has it, holds none and stays.
pub fn strip_in_text(text: &str, kind: TextOf) -> Cleaned<'_> {
    let (mut out, mut from, mut refused) = (String::new(), 0, 0);
    for file in files(text) {
        let stripped = match strip_base64(whole_digits(&file.data)) {
            _ if file.data.len() < SHORTEST => continue,
            Ok(Cow::Borrowed(_)) => {
                let is_known = kind_of(&file.data).is_some();
                if is_known || kind == TextOf::Source || !file.is_picture {
                    continue;
                }
                None
            }
            Ok(Cow::Owned(stripped)) => Some(stripped),
            Err(_) => None,
        };
        refused += usize::from(stripped.is_none());
        out.push_str(text.get(from..file.start).unwrap_or_default());
        out.push_str(&stripped.unwrap_or_default());
        from = file.end;
    }
    if from == 0 {
        return Cleaned { text: Cow::Borrowed(text), refused };
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Cleaned { text: Cow::Owned(out), refused }
}

/// Base64 without a last digit that says nothing: somebody cut it off.
fn whole_digits(data: &str) -> &str {
    match data.len() % 4 {
        1 => data.get(..data.len() - 1).unwrap_or(data),
        _ => data,
    }
}

/// The files in a text, in its order. Each byte is looked at a fixed number of times.
pub(super) fn files(text: &str) -> Vec<Found<'_>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut last = 0;
    for mark in memchr::memchr2_iter(b';', b'\\', bytes) {
        if mark < last {
            continue;
        }
        let Some(start) = after_mark(bytes, mark) else { continue };
        let (end, data) = read(text, start);
        let before = bytes.get(last.max(mark.saturating_sub(64))..mark).unwrap_or_default();
        let address = before.to_ascii_lowercase();
        let address = memchr::memmem::rfind(&address, b"data:")
            .map_or(&[][..], |it| address.get(it + 5..).unwrap_or_default());
        last = end;
        found.push(Found { start, end, data, is_picture: address.starts_with(b"image") });
    }
    found
}

/// The end of `;base64,`, some of which a text may write as an escape.
fn after_mark(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let semicolon = match rest.first()? {
        b';' => 1,
        _ => escape(rest).filter(|it| it.0 == b';')?.1,
    };
    let word = rest.get(semicolon..semicolon + MARK.len() - 1)?;
    if !word.eq_ignore_ascii_case(b"base64") {
        return None;
    }
    let after = semicolon + word.len();
    let rest = rest.get(after..)?;
    let comma = match rest.first()? {
        b',' => 1,
        _ => escape(rest).filter(|it| it.0 == b',')?.1,
    };
    Some(at + after + comma)
}

const fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// Reads base64 up to its end.
fn read(text: &str, start: usize) -> (usize, Cow<'_, str>) {
    let bytes = text.as_bytes();
    let rest = bytes.get(start..).unwrap_or_default();
    let plain = rest.iter().take_while(|it| is_digit(**it)).count();
    let end = start + plain;
    let borrowed = Cow::Borrowed(text.get(start..end).unwrap_or_default());
    let next = rest.get(plain).copied();
    if !matches!(next, Some(b'\\' | b'&' | b'%' | b'\n' | b'\r' | b' ' | b'\t')) {
        return (end, borrowed);
    }
    let (mut end, mut data) = (start, String::new());
    let mut width = None;
    let mut line = line(rest);
    loop {
        data.push_str(&line.digits);
        end += line.length;
        let count = line.digits.len();
        let is_last = width.is_some_and(|it| count < it);
        if is_last || count > LONGEST_LINE || data.ends_with('=') {
            break;
        }
        let rest = bytes.get(end..).unwrap_or_default();
        let Some(gap) = gap(rest) else { break };
        let next = self::line(rest.get(gap..).unwrap_or_default());
        let (full, next_count) = (width.unwrap_or(count), next.digits.len());
        let fits = width.is_none() || next_count <= full;
        // A word below a whole file is prose.
        if next_count == 0 || !fits || !next.ends_well || next_count < full && is_whole(&data) {
            break;
        }
        // The address takes up a part of the first line.
        width = width.or(Some(count.max(next_count)));
        end += gap;
        line = next;
    }
    match end == start + plain {
        true => (end, borrowed),
        false => (end, Cow::Owned(data)),
    }
}

/// Digits in a row.
struct Line {
    digits: String,
    length: usize,
    /// Whether the text or the line ends behind them, or a sign that ends addresses follows.
    ends_well: bool,
}

fn line(rest: &[u8]) -> Line {
    let (mut digits, mut at) = (String::new(), 0);
    loop {
        let rest = rest.get(at..).unwrap_or_default();
        let (byte, length) = match rest.first() {
            Some(byte) if is_digit(*byte) => (*byte, 1),
            Some(b'\\' | b'&' | b'%') => match escape(rest).filter(|it| is_digit(it.0)) {
                Some(escaped) => escaped,
                None => return Line { digits, length: at, ends_well: true },
            },
            next => {
                let ends_well = matches!(
                    next,
                    None | Some(b'\n' | b'\r' | b'"' | b'\'' | b'`' | b')' | b'<' | b'>')
                );
                return Line { digits, length: at, ends_well };
            }
        };
        digits.push(char::from(byte));
        at += length;
    }
}

/// The length of one line break, with the blanks beside it.
fn gap(rest: &[u8]) -> Option<usize> {
    let (mut at, mut breaks, mut last) = (0, 0, 0);
    loop {
        let rest = rest.get(at..)?;
        let (byte, length) = match rest {
            [b'\\', byte @ (b'\n' | b'\r'), ..] => (*byte, 2),
            [byte @ (b'\n' | b'\r' | b' ' | b'\t'), ..] => (*byte, 1),
            _ => match escape(rest).filter(|it| it.0.is_ascii_whitespace()) {
                Some(escaped) => escaped,
                None => return (breaks == 1).then_some(at),
            },
        };
        if byte == b'\r' || byte == b'\n' && last != b'\r' {
            breaks += 1;
        }
        if breaks > 1 || at > 256 {
            return None;
        }
        last = byte;
        at += length;
    }
}

/// One byte that a text writes as an escape of JSON, JavaScript, CSS, HTML or addresses, and the length of the escape.
fn escape(rest: &[u8]) -> Option<(u8, usize)> {
    match rest.first()? {
        b'%' => Some((hexadecimal(rest.get(1..3)?)?, 3)),
        b'&' => {
            let end = memchr::memchr(b';', rest.get(..10).unwrap_or(rest))?;
            let byte = match rest.get(1..end)? {
                b"sol" => b'/',
                b"plus" => b'+',
                b"equals" => b'=',
                b"comma" => b',',
                b"NewLine" => b'\n',
                [b'#', b'x' | b'X', digits @ ..] => hexadecimal(digits)?,
                [b'#', digits @ ..] => std::str::from_utf8(digits).ok()?.parse().ok()?,
                _ => return None,
            };
            Some((byte, end + 1))
        }
        b'\\' => {
            // JSON in JSON writes more of them.
            let slashes = rest.iter().take(8).take_while(|it| **it == b'\\').count();
            let after = rest.get(slashes..)?;
            let (byte, length) = match after {
                [b'/', ..] => (b'/', 1),
                [b'n', ..] => (b'\n', 1),
                [b'r', ..] => (b'\r', 1),
                [b't', ..] => (b'\t', 1),
                [b'u', ..] => (hexadecimal(after.get(1..5)?)?, 5),
                [b'x', ..] => (hexadecimal(after.get(1..3)?)?, 3),
                // CSS: six digits, or fewer and a blank.
                [b'0', b'0', b'0', b'0', _, _, ..] => (hexadecimal(after.get(..6)?)?, 6),
                [b'2' | b'3', _, b' ', ..] => (hexadecimal(after.get(..2)?)?, 3),
                _ => return None,
            };
            Some((byte, slashes + length))
        }
        _ => None,
    }
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok().filter(|it| it.len() <= 6)?;
    u8::from_str_radix(digits, 16).ok()
}

/// Whether base64 is a picture up to its end.
fn is_whole(data: &str) -> bool {
    let Some(bytes) = decoded(whole_digits(data)) else { return false };
    match Kind::of(&bytes) {
        Some(Kind::Png) => bytes.ends_with(b"IEND\xae\x42\x60\x82"),
        Some(Kind::Jpeg) => bytes.ends_with(b"\xff\xd9"),
        Some(Kind::Gif) => bytes.ends_with(b";"),
        _ => false,
    }
}

/// The metadata of the files in a text, which may itself be base64, for a search.
pub fn texts_in(text: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let start = text.trim_start();
    if kind_of(start).is_some() {
        found.extend(super::encoded::texts_of(start));
    } else if Kind::of(start.as_bytes().get(..64).unwrap_or(start.as_bytes())) == Some(Kind::Svg) {
        found.extend(texts(start.as_bytes()));
    }
    // With line breaks of any other kind in it, the data is longer than what is understood.
    if text.starts_with("data:")
        && let Some(mark) = files(text.get(..256).unwrap_or_default()).first()
    {
        found.extend(text.get(mark.start..).into_iter().flat_map(super::encoded::texts_of));
        return found;
    }
    for file in files(text) {
        found.extend(super::encoded::texts_of(&file.data));
    }
    found
}
