//! GIF: comments, plain texts and data of applications go; loops and colour profiles stay.

use super::{Cuts, Unstripped};

pub(super) fn cuts(bytes: &[u8]) -> Result<Cuts, Unstripped> {
    let mut cuts = Cuts::default();
    let mut at = 13 + table(bytes.get(10).copied());
    while let Some(kind) = bytes.get(at) {
        match kind {
            0x3b => {
                cuts.remove(at + 1, bytes.len());
                break;
            }
            0x2c => {
                let data = at + 11 + table(bytes.get(at + 9).copied());
                at = blocks(bytes, data).unwrap_or(bytes.len());
            }
            0x21 => {
                let label = bytes.get(at + 1).copied();
                let Some(end) = blocks(bytes, at + 2) else {
                    cuts.remove(at, bytes.len());
                    break;
                };
                let is_kept = match label {
                    Some(0xf9) => end - at == 8,
                    Some(0xff) => is_kept(bytes.get(at + 2..end).unwrap_or_default()),
                    _ => false,
                };
                let data = bytes.get(at + 2..end).unwrap_or_default();
                let instead = repeats(data).filter(|_| label == Some(0xff)).unwrap_or_default();
                if !is_kept && bytes.get(at..end) != Some(&*instead) {
                    cuts.replace(at, end, instead);
                }
                at = end;
            }
            // Some programs end a block twice.
            0 => {
                cuts.remove(at, at + 1);
                at += 1;
            }
            _ => return Err(Unstripped("a block of the GIF file has no kind")),
        }
    }
    Ok(cuts)
}

fn is_kept(blocks: &[u8]) -> bool {
    blocks.get(1..12) == Some(b"ICCRGBG1012")
}

/// The block of an application that says how often a film repeats, without the others beside it: 1 is the number of
/// times, 2 the bytes that a player is to have first.
fn repeats(blocks: &[u8]) -> Option<Vec<u8>> {
    let name = blocks.get(..12)?;
    if !matches!(name.get(1..), Some(b"NETSCAPE2.0" | b"ANIMEXTS1.0")) {
        return None;
    }
    let mut at = 12;
    loop {
        let length = usize::from(*blocks.get(at)?);
        let block = blocks.get(at + 1..at + 1 + length)?;
        match block {
            [] => return None,
            [id, _, _] if id & 7 == 1 => {
                let times = blocks.get(at..at + 4)?;
                return Some([&[0x21, 0xff], name, times, &[0]].concat());
            }
            _ => at += 1 + length,
        }
    }
}

/// The bytes of a colour table, by the byte that announces it.
fn table(packed: Option<u8>) -> usize {
    packed.filter(|it| it & 0x80 != 0).map_or(0, |it| 3 << ((it & 7) + 1))
}

/// End of a chain of blocks, each of which begins with its length.
fn blocks(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        match usize::from(*bytes.get(at)?) {
            0 => return Some(at + 1),
            length => at += 1 + length,
        }
    }
}
