//! Metadata of pictures, sound, film and PDF files: found, and taken out.
//!
//! In: the bytes of a file. Out: the same file without places, names, dates, comments and whatever else no reader of
//! the page needs. Pixels and sound are neither decoded nor encoded again; colour profiles and the orientation of a
//! picture stay. A file whose structure is not understood is refused, never passed on.

mod encoded;
mod exif;
mod flac;
mod gif;
mod jpeg;
mod mp3;
mod mp4;
mod ogg;
mod pdf;
mod png;
mod riff;
mod svg;
mod text;
mod webm;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io::Read as _;

pub use encoded::{is_known_base64, strip_base64};
pub use text::{Cleaned, TextOf, strip_in_text, texts_in};

/// The end of each message about a file that is refused for its metadata.
pub const STUCK: &str = "has metadata that can't be removed";
/// An image in markup that is refused for its metadata.
pub const STUCK_IMAGE: &str = "image whose metadata can't be removed";

/// A file whose metadata cannot be taken out, with the reason as a clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its metadata can't be removed: {0}")]
pub struct Unstripped(&'static str);

/// A change of a file: a range of its bytes, and their replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cut {
    start: usize,
    end: usize,
    instead: Vec<u8>,
}

/// The changes of one file. Never overlapping, those that change nothing left out.
#[derive(Debug, Default)]
struct Cuts(Vec<Cut>);

impl Cuts {
    fn remove(&mut self, start: usize, end: usize) {
        self.replace(start, end, Vec::new());
    }

    fn replace(&mut self, start: usize, end: usize, instead: Vec<u8>) {
        if start < end || !instead.is_empty() {
            self.0.push(Cut { start, end, instead });
        }
    }

    /// Overwrites bytes, unless they already are so.
    fn overwrite(&mut self, bytes: &[u8], start: usize, instead: Vec<u8>) {
        let end = start.saturating_add(instead.len());
        if bytes.get(start..end).is_some_and(|it| it != instead) {
            self.replace(start, end, instead);
        }
    }

    fn sorted(mut self) -> Vec<Cut> {
        self.0.sort_by_key(|it| (it.start, it.end));
        self.0
    }
}

/// Kinds of files that are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Png,
    Jpeg,
    Gif,
    WebP,
    Wav,
    Pdf,
    Mp4,
    Mp3,
    Ogg,
    Flac,
    WebM,
    Svg,
    Tiff,
}

impl Kind {
    /// Reads the kind from the first 12 bytes.
    fn of(bytes: &[u8]) -> Option<Self> {
        if is_xml(bytes) {
            return Some(Self::Svg);
        }
        Some(match bytes {
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Self::Png,
            [0xff, 0xd8, 0xff, ..] => Self::Jpeg,
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Self::Gif,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Self::WebP,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Self::Wav,
            [b'%', b'P', b'D', b'F', b'-', ..] => Self::Pdf,
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => Self::Mp4,
            [b'I', b'D', b'3', ..] | [0xff, 0xfb | 0xf3 | 0xf2 | 0xfa, ..] => Self::Mp3,
            [b'O', b'g', b'g', b'S', ..] => Self::Ogg,
            [b'f', b'L', b'a', b'C', ..] => Self::Flac,
            [0x1a, 0x45, 0xdf, 0xa3, ..] => Self::WebM,
            [b'I', b'I', b'*' | b'+', 0, ..] | [b'M', b'M', 0, b'*' | b'+', ..] => Self::Tiff,
            _ => return None,
        })
    }
}

fn cuts(kind: Kind, bytes: &[u8]) -> Result<Vec<Cut>, Unstripped> {
    let cuts = match kind {
        Kind::Png => png::cuts(&bytes)?,
        Kind::Jpeg => jpeg::cuts(bytes)?,
        Kind::Gif => gif::cuts(bytes)?,
        Kind::WebP => riff::webp(bytes)?,
        Kind::Wav => riff::wav(bytes)?,
        Kind::Pdf => pdf::cuts(bytes)?,
        Kind::Mp4 => mp4::cuts(bytes)?,
        Kind::Mp3 => mp3::cuts(bytes)?,
        Kind::Ogg => ogg::cuts(bytes)?,
        Kind::Flac => flac::cuts(bytes)?,
        Kind::WebM => webm::cuts(bytes)?,
        Kind::Svg => svg::cuts(bytes)?,
        Kind::Tiff => return Err(Unstripped("it is a TIFF picture")),
    };
    Ok(cuts.sorted())
}

/// Whether bytes begin like XML, in UTF-8 or UTF-16. Whether it is SVG is seen later.
fn is_xml(bytes: &[u8]) -> bool {
    // Base64 is looked at for the same number of bytes.
    let bytes = bytes.get(..18).unwrap_or(bytes);
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let begins = [&b"<svg"[..], b"<?xml", b"<!--", b"<!DOCTYPE", b"<!doctype"];
    begins.iter().any(|it| text.starts_with(it))
        || bytes.starts_with(b"\xff\xfe<\0")
        || bytes.starts_with(b"\xfe\xff\0<")
}

/// Whether the bytes begin like a file that [`strip`] understands.
pub fn is_known(bytes: &[u8]) -> bool {
    Kind::of(bytes).is_some()
}

/// Takes the metadata out of a file; one of another kind is given back as it is.
///
/// # Errors
/// When the file begins like one of a known kind, and is not built like one.
pub fn strip(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Unstripped> {
    let Some(kind) = Kind::of(bytes) else { return Ok(Cow::Borrowed(bytes)) };
    let cuts = cuts(kind, bytes)?;
    if cuts.is_empty() {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut from = 0;
    for cut in &cuts {
        // Boxes and objects that overlap are no file of any program.
        let kept = bytes.get(from..cut.start).ok_or(Unstripped("its parts overlap"))?;
        out.extend_from_slice(kept);
        out.extend_from_slice(&cut.instead);
        from = cut.end;
    }
    out.extend_from_slice(bytes.get(from..).ok_or(Unstripped("its parts overlap"))?);
    Ok(Cow::Owned(out))
}

/// Most bytes that one compressed text is unpacked to.
const MOST_TEXT: u64 = 1 << 20;
/// Most bytes that all compressed texts of one file are unpacked to: a file may have thousands, each a bomb.
const MOST_TEXTS: u64 = 16 << 20;

/// The bytes that [`strip`] would take out, for a search: texts of PNG files are unpacked.
pub fn texts(bytes: &[u8]) -> Vec<Vec<u8>> {
    let Some(kind) = Kind::of(bytes) else { return Vec::new() };
    let cuts = cuts(kind, bytes).unwrap_or_default();
    let removed = cuts.iter().filter_map(|it| bytes.get(it.start..it.end));
    searchable(kind, removed.map(<[u8]>::to_vec))
}

/// Pieces that are taken out of a file, and the texts that are packed in them.
fn searchable(kind: Kind, pieces: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut left = MOST_TEXTS;
    pieces.into_iter().flat_map(|it| views(kind, it, &mut left)).collect()
}

/// One piece as it is, unpacked while bytes are `left` for that, and without the zeros of UTF-16.
fn views(kind: Kind, removed: Vec<u8>, left: &mut u64) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    if kind == Kind::Png
        && let Some(packed) = png::packed_text(&removed)
    {
        let mut text = Vec::new();
        // A text that is cut off is searched as far as it goes.
        let most = MOST_TEXT.min(*left);
        let _ = flate2::read::ZlibDecoder::new(packed).take(most).read_to_end(&mut text);
        *left = left.saturating_sub(text.len() as u64);
        found.push(text);
    }
    // UTF-16, as Windows, ID3 and PDF write it.
    if removed.contains(&0) {
        found.push(removed.iter().copied().filter(|it| *it != 0).collect());
    }
    found.push(removed);
    found
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// A number of at most eight bytes, the largest first.
fn big(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    Some(number(bytes.get(at..at.checked_add(length)?)?))
}

/// A number of at most eight bytes, the smallest first.
fn little(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}
