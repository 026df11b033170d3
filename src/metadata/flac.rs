//! FLAC: the description of the stream and the table for seeking stay.

use super::{Cuts, Unstripped, big, mp3};

pub(super) fn cuts(bytes: &[u8]) -> Result<Cuts, Unstripped> {
    let mut cuts = Cuts::default();
    let mut kept = None;
    let mut at = 4;
    loop {
        let (Some(&head), Some(length)) = (bytes.get(at), big(bytes, at + 1, 3)) else {
            return Err(Unstripped("the FLAC file ends before its sound"));
        };
        let end = at + 4 + length;
        if end > bytes.len() {
            return Err(Unstripped("the FLAC file ends before its sound"));
        }
        match (head & 0x7f, length) {
            (0, 34) => kept = Some(at),
            (3, length) if length % 18 == 0 => kept = Some(at),
            _ => cuts.remove(at, end),
        }
        at = end;
        if head & 0x80 != 0 {
            break;
        }
    }
    let last = kept.ok_or(Unstripped("the FLAC file does not say what it holds"))?;
    if let Some(head) = bytes.get(last) {
        cuts.overwrite(bytes, last, vec![head | 0x80]);
    }
    let end = mp3::without_end(bytes, at);
    cuts.remove(end, bytes.len());
    Ok(cuts)
}

/// Makes padding of all blocks but those that a player needs, where other files keep them: no place moves.
pub(super) fn pad(
    bytes: &[u8],
    (start, end): (usize, usize),
    cuts: &mut Cuts,
) -> Result<(), Unstripped> {
    const PADDING: u8 = 1;
    const BROKEN: Unstripped = Unstripped("a block of FLAC is cut off");
    let mut at = start;
    while at < end {
        let (Some(&head), Some(length)) = (bytes.get(at), big(bytes, at + 1, 3)) else {
            return Err(BROKEN);
        };
        let next = at + 4 + length;
        if next > end {
            return Err(BROKEN);
        }
        if !matches!((head & 0x7f, length), (0, 34)) {
            cuts.overwrite(bytes, at, vec![head & 0x80 | PADDING]);
            cuts.overwrite(bytes, at + 4, vec![0; length]);
        }
        at = next;
    }
    Ok(())
}
