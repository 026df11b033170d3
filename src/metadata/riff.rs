//! RIFF: WebP pictures and WAV sound.

use super::exif::Orientation;
use super::{Cuts, Unstripped, little};

/// A chunk: its name, where it begins, where its data end and where the next one begins.
type Chunk<'a> = (&'a [u8], usize, usize, usize);

/// The chunks of a file, and its end; data may follow.
fn chunks(bytes: &[u8], start: usize, end: usize) -> (Vec<Chunk<'_>>, usize) {
    let mut found = Vec::new();
    let mut at = start;
    while at < end {
        let (Some(name), Some(length)) = (bytes.get(at..at + 4), little(bytes, at + 4, 4)) else {
            return (found, at);
        };
        let data_end = (at + 8 + length).min(end);
        let next = (at + 8 + length + length % 2).min(end);
        found.push((name, at, data_end, next));
        at = next;
    }
    (found, end)
}

/// The end that a file states; programs that write to a pipe state none.
fn stated_end(bytes: &[u8]) -> usize {
    match little(bytes, 4, 4) {
        Some(length) if length > 4 && length < bytes.len().saturating_sub(8) => {
            (8 + length + length % 2).min(bytes.len())
        }
        _ => bytes.len(),
    }
}

/// Writes the length that the file has after the other changes.
fn fit(cuts: &mut Cuts, bytes: &[u8]) {
    if cuts.0.is_empty() {
        return;
    }
    let removed: usize = cuts.0.iter().map(|it| it.end - it.start).sum();
    let added: usize = cuts.0.iter().map(|it| it.instead.len()).sum();
    let length = (bytes.len() + added).saturating_sub(removed + 8);
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    cuts.overwrite(bytes, 4, length.to_vec());
}

pub(super) fn webp(bytes: &[u8]) -> Result<Cuts, Unstripped> {
    let mut cuts = Cuts::default();
    let end = stated_end(bytes);
    let (all, last) = chunks(bytes, 12, end);
    let mut is_turned = false;
    let mut flags = None;
    for (name, at, data_end, next) in all {
        let data = bytes.get(at + 8..data_end).unwrap_or_default();
        match name {
            b"VP8X" if data.len() == 10 => flags = Some(at + 8),
            b"VP8 " | b"VP8L" | b"ALPH" | b"ICCP" => {}
            b"ANIM" if data.len() == 6 => {}
            b"ANMF" => {
                let (parts, _) = chunks(bytes, at + 24, data_end);
                if !parts.iter().all(|it| matches!(it.0, b"VP8 " | b"VP8L" | b"ALPH")) {
                    return Err(Unstripped("a frame of the WebP file holds other data"));
                }
            }
            b"EXIF" => {
                let tiff = data.strip_prefix(b"Exif\0\0").unwrap_or(data);
                let turned = Orientation::of(tiff).filter(|_| !is_turned && flags.is_some());
                is_turned |= turned.is_some();
                let instead = turned.map_or_else(Vec::new, |it| {
                    let tiff = it.tiff();
                    let length = u32::try_from(tiff.len()).unwrap_or(u32::MAX);
                    let mut chunk = b"EXIF".to_vec();
                    chunk.extend(length.to_le_bytes());
                    chunk.extend(tiff);
                    chunk
                });
                if bytes.get(at..next) != Some(&*instead) {
                    cuts.replace(at, next, instead);
                }
            }
            _ => cuts.remove(at, next),
        }
    }
    cuts.remove(last, bytes.len());
    if let Some(at) = flags
        && let Some(byte) = bytes.get(at)
    {
        const EXIF: u8 = 8;
        const XMP: u8 = 4;
        let flags = byte & !(EXIF | XMP) | if is_turned { EXIF } else { 0 };
        cuts.overwrite(bytes, at, vec![flags]);
    }
    fit(&mut cuts, bytes);
    Ok(cuts)
}

pub(super) fn wav(bytes: &[u8]) -> Result<Cuts, Unstripped> {
    let mut cuts = Cuts::default();
    let end = stated_end(bytes);
    let (all, last) = chunks(bytes, 12, end);
    for (name, at, data_end, next) in all {
        // The end that the file states may lie in the head of its last chunk.
        let length = data_end.saturating_sub(at + 8);
        let is_kept = match name {
            b"fmt " => length <= 128,
            b"fact" => length <= 12,
            b"data" => true,
            _ => false,
        };
        if !is_kept {
            cuts.remove(at, next);
        }
    }
    cuts.remove(last, bytes.len());
    fit(&mut cuts, bytes);
    Ok(cuts)
}
