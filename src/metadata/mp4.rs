//! MPEG-4 and QuickTime: boxes that a player does not need become free space, so that no place in the file moves.

use super::{Cuts, Unstripped, big};

/// Boxes that stay, by the box that they are in. Those that are named twice hold boxes themselves.
const KEPT: &[(&[u8], &[&[u8]])] = &[
    (b"", &[b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"mfra", b"sidx", b"ssix", b"free"]),
    (b"moov", &[b"mvhd", b"trak", b"mvex", b"free"]),
    (b"trak", &[b"tkhd", b"mdia", b"edts", b"tref", b"free"]),
    (b"mdia", &[b"mdhd", b"hdlr", b"minf", b"free"]),
    (b"minf", &[b"vmhd", b"smhd", b"hmhd", b"nmhd", b"sthd", b"dinf", b"stbl", b"free"]),
    (
        b"stbl",
        &[
            b"stsd", b"stts", b"ctts", b"cslg", b"stsc", b"stsz", b"stz2", b"stco", b"co64",
            b"stss", b"stsh", b"sdtp", b"sbgp", b"sgpd", b"subs", b"saiz", b"saio", b"free",
        ],
    ),
    (b"moof", &[b"mfhd", b"traf", b"free"]),
    (
        b"traf",
        &[
            b"tfhd", b"tfdt", b"trun", b"sdtp", b"sbgp", b"sgpd", b"subs", b"saiz", b"saio",
            b"senc", b"free",
        ],
    ),
];

pub(super) fn cuts(bytes: &[u8]) -> Result<Cuts, Unstripped> {
    let brand = bytes.get(8..12).unwrap_or_default();
    if [b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1", b"miaf", b"avio"]
        .iter()
        .any(|it| *it == brand)
    {
        return Err(Unstripped("it is a picture, no film"));
    }
    let mut cuts = Cuts::default();
    inside(bytes, (0, bytes.len()), b"", &mut cuts)?;
    Ok(cuts)
}

fn inside(
    bytes: &[u8],
    (start, end): (usize, usize),
    parent: &[u8],
    cuts: &mut Cuts,
) -> Result<(), Unstripped> {
    const BROKEN: Unstripped = Unstripped("a box of the MPEG-4 file is cut off");
    let kept = KEPT.iter().find(|it| it.0 == parent).map_or(&[][..], |it| it.1);
    let mut at = start;
    while at < end {
        let size = big(bytes, at, 4).ok_or(BROKEN)?;
        let name = bytes.get(at + 4..at + 8).ok_or(BROKEN)?;
        let (head, size) = match size {
            0 => (8, end - at),
            1 => (16, big(bytes, at + 8, 8).ok_or(BROKEN)?),
            size => (8, size),
        };
        let next = at.checked_add(size).ok_or(BROKEN)?;
        if size < head || next > end {
            return Err(BROKEN);
        }
        let data = at + head;
        if name == b"free" || !kept.contains(&name) {
            cuts.overwrite(bytes, at + 4, b"free".to_vec());
            cuts.overwrite(bytes, data, vec![0; next - data]);
        } else if KEPT.iter().any(|it| it.0 == name) {
            inside(bytes, (data, next), name, cuts)?;
        } else {
            leaf(bytes, name, (data, next), cuts)?;
        }
        at = next;
    }
    Ok(())
}

fn leaf(
    bytes: &[u8],
    name: &[u8],
    (data, end): (usize, usize),
    cuts: &mut Cuts,
) -> Result<(), Unstripped> {
    match name {
        // When it was made and changed.
        b"mvhd" | b"tkhd" | b"mdhd" => {
            let length = if bytes.get(data) == Some(&1) { 16 } else { 8 };
            if data + 4 + length <= end {
                cuts.overwrite(bytes, data + 4, vec![0; length]);
            }
        }
        b"hdlr" => {
            // Cameras write places and movements into tracks of their own, whose data lie among the film's.
            let kind = bytes.get(data + 8..data + 12).unwrap_or_default();
            if ![b"vide", b"soun", b"text", b"sbtl", b"subt"].iter().any(|it| *it == kind) {
                return Err(Unstripped("a track of the film is neither picture nor sound"));
            }
            if data + 24 <= end {
                cuts.overwrite(bytes, data + 12, vec![0; end - data - 12]);
            }
        }
        _ => {}
    }
    Ok(())
}
