//! Metadata of files that are written as base64.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use super::{Cut, Kind, Unstripped, png, searchable, strip, texts};

/// Digits that tell the kind of a file.
const HEAD: usize = 24;

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
    kind_of(data).is_some()
}

/// The kind of a file, by the digits that it begins with.
pub(super) fn kind_of(data: &str) -> Option<Kind> {
    let length = data.len().min(HEAD) / 4 * 4;
    LENIENT.decode(data.get(..length)?).ok().as_deref().and_then(Kind::of)
}

/// The bytes of base64, which may lack its padding.
pub(super) fn decoded(data: &str) -> Option<Vec<u8>> {
    LENIENT.decode(data).ok()
}

/// Takes the metadata out of a file that is given as base64, as [`strip`] does. Of a PNG file only what changes is
/// decoded.
///
/// # Errors
/// When the file begins like one of a known kind, and is not built like one.
pub fn strip_base64(data: &str) -> Result<Cow<'_, str>, Unstripped> {
    let Some(kind) = kind_of(data) else { return Ok(Cow::Borrowed(data)) };
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

pub(super) fn texts_of(data: &str) -> Vec<Vec<u8>> {
    let is_broken = memchr::memchr3(b'\n', b'\r', b' ', data.trim_ascii_end().as_bytes()).is_some();
    if kind_of(data) == Some(Kind::Png) && !is_broken {
        let encoded = Encoded(data.trim_ascii_end());
        if encoded.0.len().is_multiple_of(4)
            && let Ok(cuts) = png::cuts(&encoded)
        {
            let read = |it: &Cut| png::Source::read(&encoded, it.start, it.end - it.start);
            let removed: Option<Vec<_>> = cuts.sorted().iter().map(read).collect();
            // A picture that can't be read in pieces may be readable as a whole.
            if let Some(removed) = removed {
                return searchable(Kind::Png, removed);
            }
        }
    }
    let compact: Cow<'_, str> = match data.bytes().any(|it| it.is_ascii_whitespace()) {
        true => Cow::Owned(data.chars().filter(|it| !it.is_ascii_whitespace()).collect()),
        false => Cow::Borrowed(data),
    };
    LENIENT.decode(compact.as_bytes()).map(|it| texts(&it)).unwrap_or_default()
}
