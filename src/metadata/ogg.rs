//! Ogg: the comments of Vorbis, Opus and Theora become empty ones of the same length.

use std::collections::BTreeMap;

use super::{Cuts, Unstripped, little};

/// One logical stream.
#[derive(Default)]
struct Stream {
    /// First bytes of its comments.
    prefix: &'static [u8],
    /// Whether a bit follows the comments.
    has_bit: bool,
    packets: usize,
    /// The pieces of the packet with the comments.
    pieces: Vec<(usize, usize)>,
}

/// A page: where it begins, where its data do, and where it ends.
type Page = (usize, usize, usize);

pub(super) fn cuts(bytes: &[u8]) -> Result<Cuts, Unstripped> {
    const BROKEN: Unstripped = Unstripped("a page of the Ogg file is cut off");
    let mut streams: BTreeMap<usize, Stream> = BTreeMap::new();
    let mut pages: Vec<Page> = Vec::new();
    let mut blanks: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
    let mut cuts = Cuts::default();
    let mut at = 0;
    while at < bytes.len() {
        let head = bytes.get(at..at + 27).filter(|it| it.starts_with(b"OggS"));
        let Some(&count) = head.and_then(|it| it.get(26)) else {
            if pages.is_empty() {
                return Err(BROKEN);
            }
            cuts.remove(at, bytes.len());
            break;
        };
        let serial = little(bytes, at + 14, 4).ok_or(BROKEN)?;
        let data = at + 27 + usize::from(count);
        let lacing = bytes.get(at + 27..data).ok_or(BROKEN)?;
        let end = data + lacing.iter().map(|it| usize::from(*it)).sum::<usize>();
        if end > bytes.len() {
            cuts.remove(at, bytes.len());
            break;
        }
        if bytes.get(at + 5).is_some_and(|it| it & 2 != 0) {
            streams.insert(serial, Stream::of(bytes.get(data..end).unwrap_or_default())?);
        }
        let stream = streams.get_mut(&serial).ok_or(BROKEN)?;
        stream.page(bytes, data, lacing, &mut blanks)?;
        pages.push((at, data, end));
        at = end;
    }
    if streams.values().any(|it| it.packets < 2 && !it.pieces.is_empty()) {
        return Err(BROKEN);
    }
    for page in pages {
        rewrite(bytes, page, &blanks, &mut cuts);
    }
    Ok(cuts)
}

impl Stream {
    fn of(first: &[u8]) -> Result<Self, Unstripped> {
        let (prefix, has_bit): (&[u8], bool) = if first.starts_with(b"\x01vorbis") {
            (b"\x03vorbis", true)
        } else if first.starts_with(b"OpusHead") {
            (b"OpusTags", false)
        } else if first.starts_with(b"\x80theora") {
            (b"\x81theora", false)
        } else {
            return Err(Unstripped(
                "the Ogg file holds something else than Vorbis, Opus or Theora",
            ));
        };
        Ok(Self { prefix, has_bit, ..Self::default() })
    }

    /// Follows the packets of a page up to the second, which holds the comments.
    fn page(
        &mut self,
        bytes: &[u8],
        data: usize,
        lacing: &[u8],
        blanks: &mut BTreeMap<usize, Vec<u8>>,
    ) -> Result<(), Unstripped> {
        let mut at = data;
        for &length in lacing {
            let end = at + usize::from(length);
            if self.packets == 1 {
                self.pieces.push((at, end));
            }
            at = end;
            if length < 255 {
                self.packets += 1;
                if self.packets == 2 {
                    self.blank(bytes, blanks)?;
                }
            }
        }
        Ok(())
    }

    fn blank(&self, bytes: &[u8], blanks: &mut BTreeMap<usize, Vec<u8>>) -> Result<(), Unstripped> {
        let pieces = self.pieces.iter().filter_map(|(start, end)| bytes.get(*start..*end));
        let packet: Vec<u8> = pieces.flatten().copied().collect();
        let blank = no_comments(&packet, self.prefix, self.has_bit)
            .ok_or(Unstripped("the Ogg file has no comments where they belong"))?;
        let mut rest = blank.as_slice();
        for (start, end) in &self.pieces {
            let (piece, after) = rest.split_at_checked(end - start).unwrap_or((rest, &[]));
            blanks.insert(*start, piece.to_vec());
            rest = after;
        }
        Ok(())
    }
}

/// The header of comments, as long as this one and without any.
pub(super) fn no_comments(packet: &[u8], prefix: &[u8], has_bit: bool) -> Option<Vec<u8>> {
    let fixed = prefix.len() + 8 + usize::from(has_bit);
    let vendor = packet.len().checked_sub(fixed).filter(|_| packet.starts_with(prefix))?;
    let mut blank = prefix.to_vec();
    blank.extend(u32::try_from(vendor).unwrap_or(u32::MAX).to_le_bytes());
    blank.resize(blank.len() + vendor, b' ');
    blank.extend([0; 4]);
    if has_bit {
        blank.push(1);
    }
    Some(blank)
}

fn rewrite(
    bytes: &[u8],
    (at, data, end): Page,
    blanks: &BTreeMap<usize, Vec<u8>>,
    cuts: &mut Cuts,
) {
    let own: Vec<(&usize, &Vec<u8>)> = blanks.range(data..end).collect();
    let is_new = |(start, piece): &(&usize, &Vec<u8>)| {
        bytes.get(**start..**start + piece.len()) != Some(piece.as_slice())
    };
    if !own.iter().any(is_new) {
        return;
    }
    let mut page = bytes.get(at..end).unwrap_or_default().to_vec();
    for (start, piece) in own {
        let place = page.get_mut(start - at..start - at + piece.len());
        place.into_iter().for_each(|it| it.copy_from_slice(piece));
        cuts.overwrite(bytes, *start, piece.clone());
    }
    page.get_mut(22..26).into_iter().for_each(|it| it.fill(0));
    cuts.overwrite(bytes, at + 22, sum(&page).to_le_bytes().to_vec());
}

/// Ogg's own checksum (RFC 3533): the polynomial of CRC-32, bits not turned around.
fn sum(page: &[u8]) -> u32 {
    page.iter().fold(0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << 24, |sum, _| {
            if sum & 0x8000_0000 != 0 { sum << 1 ^ 0x04c1_1db7 } else { sum << 1 }
        })
    })
}
