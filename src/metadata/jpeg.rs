//! JPEG: of the application segments only JFIF, colour profiles, Adobe's colour transform and the orientation stay.

use super::exif::Orientation;
use super::{Cuts, Unstripped, big};

/// Most bytes between two segments.
const MOST_PADDING: usize = 16;

pub(super) fn cuts(bytes: &[u8]) -> Result<Cuts, Unstripped> {
    let mut cuts = Cuts::default();
    let mut is_turned = false;
    let mut at = 2;
    while let Some(&byte) = bytes.get(at) {
        if byte != 0xff {
            // Some cameras fill up their segments.
            let rest = bytes.get(at..).unwrap_or_default();
            let padding = memchr::memchr(0xff, rest).filter(|it| *it <= MOST_PADDING);
            let padding =
                padding.ok_or(Unstripped("a segment of the JPEG file begins with no marker"))?;
            cuts.remove(at, at + padding);
            at += padding;
            continue;
        }
        let Some(&marker) = bytes.get(at + 1) else { break };
        match marker {
            0xff => {
                at += 1;
                continue;
            }
            0x01 | 0xd0..=0xd8 => {
                at += 2;
                continue;
            }
            // Other pictures, films and programs' data lie behind the end of the first.
            0xd9 => {
                cuts.remove(at + 2, bytes.len());
                break;
            }
            0 => return Err(Unstripped("a segment of the JPEG file has no kind")),
            _ => {}
        }
        let length = big(bytes, at + 2, 2).filter(|it| *it >= 2);
        let Some(end) = length.map(|it| at + 2 + it).filter(|it| *it <= bytes.len()) else {
            if is_cut_off(marker, length, bytes.get(at + 4..).unwrap_or_default()) {
                cuts.remove(at, bytes.len());
            }
            break;
        };
        let data = bytes.get(at + 4..end).unwrap_or_default();
        match marker {
            0xda => at = end_of_scan(bytes, end),
            0xe0..=0xfe => {
                if !is_kept(marker, data) {
                    let turned = data.strip_prefix(b"Exif\0\0").and_then(Orientation::of);
                    let turned = turned.filter(|_| marker == 0xe1 && !is_turned);
                    is_turned |= turned.is_some();
                    let instead = turned.map(segment).unwrap_or_default();
                    if bytes.get(at..end) != Some(&*instead) {
                        cuts.replace(at, end, instead);
                    }
                }
                at = end;
            }
            _ => at = end,
        }
    }
    Ok(cuts)
}

/// Whether the rest of a file is a segment of metadata without its end. A file may be only the beginning of a picture in
/// somebody's code, which stays.
fn is_cut_off(marker: u8, length: Option<usize>, data: &[u8]) -> bool {
    let is_start = marker == 0xe0 && length.is_none_or(|it| it == 16);
    let is_start = is_start && data.iter().zip(b"JFIF\0").all(|(it, name)| it == name);
    !is_start && (0xe0..=0xfe).contains(&marker)
}

fn is_kept(marker: u8, data: &[u8]) -> bool {
    match marker {
        // With a small picture in it, the segment is longer.
        0xe0 => data.starts_with(b"JFIF\0") && data.len() == 14,
        0xe2 => data.starts_with(b"ICC_PROFILE\0"),
        0xee => data.starts_with(b"Adobe") && data.len() == 12,
        _ => false,
    }
}

fn segment(turned: Orientation) -> Vec<u8> {
    let tiff = turned.tiff();
    let length = u16::try_from(tiff.len() + 8).unwrap_or(u16::MAX);
    let mut segment = vec![0xff, 0xe1];
    segment.extend(length.to_be_bytes());
    segment.extend(b"Exif\0\0");
    segment.extend(tiff);
    segment
}

/// The marker after compressed data, in which `ff 00` is a byte and `ff d0` to `ff d7` are marks for restarting.
fn end_of_scan(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(found) = bytes.get(at..).and_then(|it| memchr::memchr(0xff, it)) {
        at += found;
        match bytes.get(at + 1) {
            Some(0 | 0xd0..=0xd7) => at += 2,
            Some(0xff) => at += 1,
            Some(_) => return at,
            None => break,
        }
    }
    bytes.len()
}
