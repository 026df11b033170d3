//! PNG: chunks that a picture needs stay, all others go.

use super::exif::Orientation;
use super::{Cuts, Unstripped, number};

/// Chunks that stay, with the most bytes that each may have: one that is longer carries something else.
const KEPT: &[(&[u8], usize)] = &[
    (b"IHDR", 13),
    (b"PLTE", 768),
    (b"IDAT", usize::MAX),
    (b"fdAT", usize::MAX),
    (b"iCCP", 4 << 20),
    (b"tRNS", 256),
    (b"gAMA", 4),
    (b"cHRM", 32),
    (b"sRGB", 1),
    (b"cICP", 4),
    (b"cLLI", 8),
    (b"cLLi", 8),
    (b"mDCV", 24),
    (b"mDCv", 24),
    (b"sBIT", 4),
    (b"bKGD", 6),
    (b"pHYs", 9),
    (b"acTL", 8),
    (b"fcTL", 26),
];
/// A chunk of nbc's that says nothing: browsers pass over it, as over every chunk with such a name.
const FILLER: &[u8] = b"npAd";

/// The bytes of a file, or its base64.
pub(super) trait Source {
    fn length(&self) -> usize;
    /// Some bytes of it; `None` where it has no so many.
    fn read(&self, at: usize, length: usize) -> Option<Vec<u8>>;
}

impl Source for &[u8] {
    fn length(&self) -> usize {
        self.len()
    }

    fn read(&self, at: usize, length: usize) -> Option<Vec<u8>> {
        self.get(at..at.checked_add(length)?).map(<[u8]>::to_vec)
    }
}

pub(super) fn cuts(file: &impl Source) -> Result<Cuts, Unstripped> {
    let mut cuts = Cuts::default();
    let length = file.length();
    let mut at = 8;
    let mut is_turned = false;
    while at < length {
        // The beginning of a picture in somebody's code.
        let Some(head) = file.read(at, 8) else { break };
        let (size, kind) = head.split_at(4);
        let size = number(size);
        if !kind.iter().all(u8::is_ascii_alphabetic) {
            return Err(Unstripped("a chunk of the PNG file has no name"));
        }
        let end = at.saturating_add(size).saturating_add(12);
        if kind == b"IEND" {
            if size > 0 {
                return Err(Unstripped("the end of the PNG file holds data"));
            }
            cuts.remove(end.min(length), length);
            break;
        }
        let is_kept = KEPT.iter().any(|(name, most)| *name == kind && size <= *most)
            || kind == FILLER && size <= 2 && file.read(at, 12 + size) == Some(filler(size));
        if end > length {
            // Browsers show a file that was cut off, up to its end.
            if !is_kept || kind == b"iCCP" {
                cuts.remove(at, length);
            }
            break;
        }
        if is_kept && kind == b"iCCP" {
            unname(file, at, end, &mut cuts)?;
        }
        if !is_kept {
            let turned = match kind {
                b"eXIf" if !is_turned && size <= 1 << 20 => {
                    file.read(at + 8, size).as_deref().and_then(Orientation::of)
                }
                _ => None,
            };
            is_turned |= turned.is_some();
            let mut instead = turned.map(|it| chunk(b"eXIf", &it.tiff())).unwrap_or_default();
            // Later bytes keep their place in groups of three, so that their base64 does not change.
            let shift = (end - at + 2 * instead.len()) % 3;
            if shift != 0 {
                instead.extend(filler(shift));
            }
            if file.read(at, end - at).as_ref() != Some(&instead) {
                cuts.replace(at, end, instead);
            }
        }
        at = end;
    }
    Ok(cuts)
}

/// Replaces the name of the colour profile in a chunk, and the checksum with it.
fn unname(file: &impl Source, at: usize, end: usize, cuts: &mut Cuts) -> Result<(), Unstripped> {
    let whole = file.read(at, end - at).unwrap_or_default();
    let named =
        unnamed(&whole).ok_or(Unstripped("the colour profile of the PNG file has no name"))?;
    let sum = whole.len() - 4;
    for (start, stop) in [(8, sum.min(88)), (sum, sum + 4)] {
        let (old, new) = (whole.get(start..stop), named.get(start..stop));
        if old != new {
            cuts.replace(at + start, at + stop, new.unwrap_or_default().to_vec());
        }
    }
    Ok(())
}

/// The chunk of a colour profile with a name that says nothing, and is as long: programs write the name of a monitor or
/// of a file there.
fn unnamed(profile: &[u8]) -> Option<Vec<u8>> {
    let data = profile.get(8..profile.len().checked_sub(4)?)?;
    let length = data.iter().take(80).position(|it| *it == 0).filter(|it| *it > 0)?;
    let name = b"icc".iter().copied().cycle().take(length);
    let data: Vec<u8> = name.chain(data.get(length..)?.iter().copied()).collect();
    Some(chunk(b"iCCP", &data))
}

fn filler(length: usize) -> Vec<u8> {
    chunk(FILLER, [0, 0].get(..length).unwrap_or_default())
}

fn chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
    let mut chunk = u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    chunk.extend_from_slice(kind);
    chunk.extend_from_slice(data);
    let mut sum = flate2::Crc::new();
    sum.update(kind);
    sum.update(data);
    chunk.extend(sum.sum().to_be_bytes());
    chunk
}

/// The compressed text of a `zTXt` or `iTXt` chunk.
pub(super) fn packed_text(chunk: &[u8]) -> Option<&[u8]> {
    let data = chunk.get(8..)?;
    let (_, rest) = data.split_at_checked(memchr::memchr(0, data)?.checked_add(1)?)?;
    match chunk.get(4..8)? {
        b"zTXt" => rest.get(1..),
        b"iTXt" if rest.first() == Some(&1) => {
            let rest = rest.get(2..)?;
            let rest = rest.get(memchr::memchr(0, rest)? + 1..)?;
            rest.get(memchr::memchr(0, rest)? + 1..)
        }
        _ => None,
    }
}
