//! Pictures: checked bytes as `data:` addresses.
//!
//! In: base64 text that claims to be an image. Out: `<img>` with the size that its header states,
//! so that the page does not jump. Never trusts the stated type.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use serde_json::{Map, Value};

use super::note;
use super::notes::Notes;
use crate::metadata;
use crate::sanitize::SafeHtml;
use crate::sanitize::bytes::are_base64;

/// More pixels than this are not shown: a small file can hold an image that fills the memory of
/// the reader's machine.
const MOST_PIXELS: u64 = 150_000_000;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

/// Bytes that were checked to be an image.
pub(super) struct Picture<'text> {
    mime: &'static str,
    /// Base64 as nbc writes it.
    data: Cow<'text, str>,
    size: Option<(u32, u32)>,
}

/// Decodes base64, with or without `data:…;base64,` before it.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let text = match text.trim_start().strip_prefix("data:") {
        Some(address) => address.split_once(";base64,")?.1,
        None => text,
    };
    let compact: String = text.chars().filter(|it| !it.is_ascii_whitespace()).collect();
    LENIENT.decode(compact).ok()
}

/// Data that is written exactly as nbc would write it again: no spaces, all of its padding.
fn as_written(text: &str) -> Option<&str> {
    let data = match text.trim_start().strip_prefix("data:") {
        // The type is short; a search through megabytes of data would find nothing.
        Some(address) => {
            let (before, _) = address.split_at_checked(address.len().min(128))?;
            address.get(before.find(";base64,")? + ";base64,".len()..)?
        }
        None => text,
    };
    let data = data.trim_ascii();
    let digits = data.trim_end_matches('=').as_bytes();
    // The last group says how many bits of its digits count; the decoder knows.
    let last = data.get(data.len().checked_sub(4)?..)?;
    let is_whole = data.len().is_multiple_of(4) && STANDARD.decode(last).is_ok();
    (is_whole && are_base64(digits) && !digits.contains(&b'=')).then_some(data)
}

/// The beginning of the bytes.
fn beginning(data: &str, length: usize) -> Option<Vec<u8>> {
    STANDARD.decode(data.get(..data.len().min(length))?).ok()
}

impl<'text> Picture<'text> {
    /// Checks an image; the error is a clause about its fault.
    pub(super) fn parse(text: &'text str) -> Result<Self, &'static str> {
        /// Base64 digits that hold the header of most formats.
        const HEADER: usize = 64;
        let data = as_written(text);
        let whole = || decode(text).ok_or("is not base64");
        let mut bytes = match data.and_then(|it| beginning(it, HEADER)) {
            Some(bytes) => bytes,
            None => whole()?,
        };
        let mime = kind(&bytes).ok_or("is no PNG, JPEG, GIF or WebP image")?;
        // The size of a JPEG may stand anywhere.
        if mime == "image/jpeg" && data.is_some() {
            bytes = whole()?;
        }
        let size = size(mime, &bytes);
        if size.is_some_and(|(width, height)| u64::from(width) * u64::from(height) > MOST_PIXELS) {
            return Err("has more pixels than a page may show");
        }
        let stripped = match data {
            // Its bytes are all here.
            Some(data) if mime == "image/jpeg" => metadata::strip(&bytes).map(|it| match it {
                Cow::Borrowed(_) => Cow::Borrowed(data),
                Cow::Owned(bytes) => STANDARD.encode(bytes).into(),
            }),
            Some(data) => metadata::strip_base64(data),
            None => metadata::strip(&bytes).map(|it| STANDARD.encode(it).into()),
        };
        let data = stripped.map_err(|_| metadata::STUCK)?;
        Ok(Self { mime, data, size })
    }

    /// A picture among other values. Data of another kind are for the caller to show; those whose metadata stay are
    /// not shown at all, not as text either.
    pub(super) fn leaf(text: &'text str, notes: &Notes) -> Option<SafeHtml> {
        match Self::parse(text) {
            Ok(picture) => Some(picture.html(&Map::new())),
            Err(why) if why == metadata::STUCK => {
                notes.invalid(format!("an image among values {why}"));
                Some(note("An image stood here whose metadata can't be removed."))
            }
            Err(_) => None,
        }
    }

    /// The type, read from the bytes.
    pub(super) fn mime(&self) -> &'static str {
        self.mime
    }

    /// Width and height, by the header.
    pub(super) fn size(&self) -> Option<(u32, u32)> {
        self.size
    }

    /// The `data:` address.
    pub(super) fn address(&self) -> String {
        format!("data:{};base64,{}", self.mime, self.data)
    }

    /// The element. Size and text from the metadata win over the header's.
    pub(super) fn html(&self, metadata: &Map<String, Value>) -> SafeHtml {
        let stated = |name: &str| {
            let value = metadata.get(name)?;
            let number = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
            (1.0..20_000.0).contains(&number).then(|| (number.round() as u32).to_string())
        };
        let (width, height) = match (stated("width"), stated("height")) {
            (None, None) => {
                self.size.map_or((None, None), |(w, h)| (Some(w.to_string()), Some(h.to_string())))
            }
            stated => stated,
        };
        let address = self.address();
        let alternative = alternative(metadata);
        let mut attributes = vec![("src", address.as_str()), ("alt", alternative)];
        attributes.extend(width.as_deref().map(|it| ("width", it)));
        attributes.extend(height.as_deref().map(|it| ("height", it)));
        SafeHtml::element("img", &attributes, SafeHtml::default())
    }
}

/// Width and height, by the header alone.
pub(super) fn dimensions(text: &str) -> Option<(u32, u32)> {
    const HEADER: usize = 1 << 18;
    // Of most pictures, the first bytes tell.
    if let Some(bytes) = text.get(..64).and_then(|it| LENIENT.decode(it).ok())
        && let Some(mime) = kind(&bytes).filter(|it| *it != "image/jpeg")
    {
        return size(mime, &bytes);
    }
    let text = text.get(..HEADER.min(text.len())).unwrap_or(text);
    let address = text.trim_start().strip_prefix("data:");
    let text = address.and_then(|it| it.split_once(";base64,")).map_or(text, |it| it.1);
    if !text.is_ascii() {
        return None;
    }
    let mut compact: String = text.chars().filter(|it| !it.is_ascii_whitespace()).collect();
    compact.truncate(compact.len() / 4 * 4);
    let bytes = LENIENT.decode(compact).ok()?;
    size(kind(&bytes)?, &bytes)
}

/// Text alternative of the picture.
pub(super) fn alternative(metadata: &Map<String, Value>) -> &str {
    metadata
        .get("alt")
        .and_then(Value::as_str)
        .filter(|it| !it.trim().is_empty())
        .unwrap_or("Figure")
}

fn kind(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

fn big(bytes: &[u8], at: usize, length: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + length)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

fn little(bytes: &[u8], at: usize, length: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + length)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

fn size(mime: &str, bytes: &[u8]) -> Option<(u32, u32)> {
    let size = match mime {
        "image/png" => (big(bytes, 16, 4)?, big(bytes, 20, 4)?),
        "image/gif" => (little(bytes, 6, 2)?, little(bytes, 8, 2)?),
        "image/webp" => match bytes.get(12..16)? {
            b"VP8X" => (little(bytes, 24, 3)? + 1, little(bytes, 27, 3)? + 1),
            b"VP8L" => {
                let bits = little(bytes, 21, 4)?;
                ((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)
            }
            b"VP8 " => (little(bytes, 26, 2)? & 0x3fff, little(bytes, 28, 2)? & 0x3fff),
            _ => return None,
        },
        _ => jpeg_size(bytes)?,
    };
    (size.0 > 0 && size.1 > 0).then_some(size)
}

/// Walks the segments of a JPEG file to its frame header.
fn jpeg_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        if bytes.get(at)? != &0xff {
            return None;
        }
        let marker = *bytes.get(at + 1)?;
        match marker {
            0xff => at += 1,
            0x01 | 0xd0..=0xd8 => at += 2,
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                return Some((big(bytes, at + 7, 2)?, big(bytes, at + 5, 2)?));
            }
            _ => at += 2 + big(bytes, at + 2, 2)?.max(2) as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_that_nbc_would_write_again_is_passed_through_and_other_data_is_written_anew() {
        let bytes: Vec<u8> = b"GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x08\xff"
            .iter()
            .copied()
            .chain(0..=255)
            .collect();
        for length in [200, 201, 202] {
            let data = STANDARD.encode(bytes.get(..length).unwrap());
            let lines = data.as_bytes().chunks(76).map(|it| std::str::from_utf8(it).unwrap());
            let broken = lines.collect::<Vec<_>>().join("\n");
            let address = format!("data:image/gif;base64,{data}");
            let unpadded = data.trim_end_matches('=').to_owned();
            for text in [format!("{data}\n"), address.clone(), broken, unpadded, data.clone()] {
                let picture = Picture::parse(&text).map(|it| it.address());
                assert_eq!(picture.as_deref(), Ok(address.as_str()), "{text}");
            }
            let (start, end) = data.split_at(100);
            for text in [format!("{start}-{end}"), format!("{start}={end}"), format!("{data}=")] {
                assert!(Picture::parse(&text).is_err(), "{text}");
            }
        }
        // Bits that stand for nothing.
        let start = STANDARD.encode(bytes.get(..66).unwrap());
        assert!(Picture::parse(&format!("{start}iR==")).is_err());
    }

    #[test]
    fn a_type_is_read_from_the_bytes() {
        let png = "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAYAAACddGYaAAAAC0lEQVR4nGNgQAcAABIAAXfx+ZMAAAAASUVORK5CYII=";
        let picture =
            Picture::parse(png).map(|it| it.html(&Map::new()).as_str().to_owned()).unwrap();
        assert!(picture.starts_with("<img src=\"data:image/png;base64,"), "{picture}");
        assert!(picture.ends_with("alt=\"Figure\" width=\"3\" height=\"2\">"), "{picture}");
        assert!(Picture::parse("PHNjcmlwdD4=").is_err());
        assert!(Picture::parse("data:text/html;base64,PHNjcmlwdD4=").is_err());
    }
}
