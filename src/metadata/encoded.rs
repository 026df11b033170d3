//! Metadata of files that are written as base64, in addresses or alone.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use super::{Cut, Kind, MOST_TEXT, Unstripped, is_known, png, searchable, strip, texts};

/// Stands before base64 in an address.
const MARK: &[u8] = b";base64,";
/// Digits that tell the kind of a file.
const HEAD: usize = 16;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

/// A file as base64 that has all of its padding.
struct Encoded<'text>(&'text str);

impl png::Source for Encoded<'_> {
    fn length(&self) -> usize {
        let padding = self.0.bytes().rev().take_while(|it| *it == b'=').count();
        (self.0.len() / 4 * 3).saturating_sub(padding)
    }

    fn read(&self, at: usize, length: usize) -> Option<Vec<u8>> {
        let end = at.checked_add(length).filter(|it| *it <= self.length())?;
        let digits = self.0.get(at / 3 * 4..(end.div_ceil(3) * 4).min(self.0.len()))?;
        let bytes = STANDARD.decode(digits).ok()?;
        bytes.get(at % 3..at % 3 + length).map(<[u8]>::to_vec)
    }
}

/// Whether base64 begins like a file that [`strip`] understands.
pub fn is_known_base64(data: &str) -> bool {
    let head = data.get(..HEAD).and_then(|it| LENIENT.decode(it).ok());
    head.is_some_and(|it| is_known(&it))
}

/// Takes the metadata out of a file that is given as base64, as [`strip`] does. Of a PNG file only what changes is
/// decoded.
///
/// # Errors
/// When the file begins like one of a known kind, and is not built like one.
pub fn strip_base64(data: &str) -> Result<Cow<'_, str>, Unstripped> {
    let head = data.get(..HEAD).and_then(|it| LENIENT.decode(it).ok());
    let Some(kind) = head.as_deref().and_then(Kind::of) else { return Ok(Cow::Borrowed(data)) };
    if kind == Kind::Png && data.len().is_multiple_of(4) {
        let encoded = Encoded(data);
        let cuts = png::cuts(&encoded)?.sorted();
        if cuts.is_empty() {
            return Ok(Cow::Borrowed(data));
        }
        if let Some(stripped) = spliced(&encoded, &cuts) {
            return Ok(Cow::Owned(stripped));
        }
    }
    let bytes = LENIENT.decode(data).map_err(|_| Unstripped("its data is no base64"))?;
    Ok(match strip(&bytes)? {
        Cow::Borrowed(_) => Cow::Borrowed(data),
        Cow::Owned(stripped) => Cow::Owned(STANDARD.encode(stripped)),
    })
}

/// Changes base64 without decoding the rest of it: possible where what follows each change keeps its place in
/// groups of three bytes.
fn spliced(file: &Encoded<'_>, cuts: &[Cut]) -> Option<String> {
    use png::Source as _;
    let length = file.length();
    let keeps =
        |it: &Cut| it.end == length || (it.end - it.start + 2 * it.instead.len()).is_multiple_of(3);
    if !cuts.iter().all(keeps) {
        return None;
    }
    let mut out = String::with_capacity(file.0.len());
    let mut from = 0;
    let mut rest = cuts.iter().peekable();
    while let Some(cut) = rest.next() {
        let group = cut.start / 3 * 3;
        out.push_str(file.0.get(from / 3 * 4..group / 3 * 4)?);
        let mut changed = file.read(group, cut.start - group)?;
        changed.extend_from_slice(&cut.instead);
        let mut end = cut.end;
        while let Some(next) = rest.next_if(|it| it.start < end.next_multiple_of(3)) {
            changed.extend(file.read(end, next.start - end)?);
            changed.extend_from_slice(&next.instead);
            end = next.end;
        }
        from = end.next_multiple_of(3).min(length);
        changed.extend(file.read(end, from - end)?);
        STANDARD.encode_string(changed, &mut out);
    }
    if from < length {
        out.push_str(file.0.get(from / 3 * 4..)?);
    }
    Some(out)
}

/// The files in a text: where their base64 begins and ends.
fn files(text: &str) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut last = 0;
    for mark in memchr::memmem::find_iter(bytes, MARK) {
        let start = mark + MARK.len();
        if start < last {
            continue;
        }
        let is_data = |it: &&u8| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/' | b'=');
        let rest = bytes.get(start..).unwrap_or_default();
        last = start + rest.iter().take_while(is_data).count();
        found.push((start, last));
    }
    found
}

/// Takes the metadata out of every file that is an address in a text. What can't be cleaned is left out.
pub fn strip_in_text(text: &str) -> Cow<'_, str> {
    let (mut out, mut from) = (String::new(), 0);
    for (start, end) in files(text) {
        let Some(data) = text.get(start..end) else { continue };
        let stripped = match strip_base64(data) {
            Ok(Cow::Borrowed(_)) => continue,
            Ok(Cow::Owned(stripped)) => stripped,
            Err(_) => String::new(),
        };
        out.push_str(text.get(from..start).unwrap_or_default());
        out.push_str(&stripped);
        from = end;
    }
    if from == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(out)
}

/// The metadata of the files in a text, which may itself be base64, for a search.
pub fn texts_in(text: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let start = text.trim_start();
    let begins = start.get(..HEAD).and_then(|it| LENIENT.decode(it).ok());
    if begins.is_some_and(|it| is_known(&it)) {
        found.extend(texts_of(start));
    }
    // With line breaks in it, the data is longer than its first line.
    for (start, end) in files(text) {
        let data = match text.starts_with("data:") {
            true => text.get(start..),
            false => text.get(start..end),
        };
        found.extend(data.into_iter().flat_map(texts_of));
    }
    found
}

fn texts_of(data: &str) -> Vec<Vec<u8>> {
    let head = data.get(..HEAD).and_then(|it| LENIENT.decode(it).ok());
    let is_broken = memchr::memchr3(b'\n', b'\r', b' ', data.trim_ascii_end().as_bytes()).is_some();
    if head.as_deref().and_then(Kind::of) == Some(Kind::Png) && !is_broken {
        let encoded = Encoded(data.trim_ascii_end());
        if encoded.0.len().is_multiple_of(4)
            && let Ok(cuts) = png::cuts(&encoded)
        {
            let read = |it: &Cut| {
                png::Source::read(&encoded, it.start, (it.end - it.start).min(MOST_TEXT))
            };
            let removed: Option<Vec<_>> = cuts.sorted().iter().map(read).collect();
            // What can't be read in pieces may be read as a whole.
            if let Some(removed) = removed {
                return removed.into_iter().flat_map(|it| searchable(Kind::Png, it)).collect();
            }
        }
    }
    let compact: Cow<'_, str> = match data.bytes().any(|it| it.is_ascii_whitespace()) {
        true => Cow::Owned(data.chars().filter(|it| !it.is_ascii_whitespace()).collect()),
        false => Cow::Borrowed(data),
    };
    LENIENT.decode(compact.as_bytes()).map(|it| texts(&it)).unwrap_or_default()
}
