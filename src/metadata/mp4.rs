//! MPEG-4 and QuickTime: boxes that a player does not need become free space, so that no place in the file moves.

use super::{Cuts, Unstripped, big, flac};

/// Boxes that stay, by the box that they are in. Those that are named twice hold boxes themselves.
const KEPT: &[(&[u8], &[&[u8]])] = &[
    (b"", &[b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"mfra", b"sidx", b"ssix", b"free"]),
    (b"moov", &[b"mvhd", b"trak", b"mvex", b"free"]),
    (b"trak", &[b"tkhd", b"mdia", b"edts", b"tref", b"free"]),
    (b"mdia", &[b"mdhd", b"hdlr", b"minf", b"free"]),
    (b"dinf", &[b"dref", b"free"]),
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

const BROKEN: Unstripped = Unstripped("a box of the MPEG-4 file is cut off");

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
        b"dref" => references(bytes, (data, end), cuts)?,
        b"stsd" => sample_entries(bytes, (data, end), cuts)?,
        _ => {}
    }
    Ok(())
}

/// A box: its name, where it begins, where its data do, and where it ends.
type BoxExtent<'a> = (&'a [u8], usize, usize, usize);

/// The boxes of a list without boxes in boxes. Some programs end one with four zeros.
fn places(bytes: &[u8], (start, end): (usize, usize)) -> Result<Vec<BoxExtent<'_>>, Unstripped> {
    let mut found = Vec::new();
    let mut at = start;
    while at < end {
        let rest = bytes.get(at..end).ok_or(BROKEN)?;
        if rest.len() <= 8 && rest.iter().all(|it| *it == 0) {
            break;
        }
        let next = at.checked_add(big(bytes, at, 4).ok_or(BROKEN)?).ok_or(BROKEN)?;
        if next < at + 8 || next > end {
            return Err(BROKEN);
        }
        found.push((bytes.get(at + 4..at + 8).ok_or(BROKEN)?, at, at + 8, next));
        at = next;
    }
    Ok(found)
}

/// Data references: paths and addresses of the machine that wrote the film. All samples are in this file.
fn references(
    bytes: &[u8],
    (data, end): (usize, usize),
    cuts: &mut Cuts,
) -> Result<(), Unstripped> {
    for (_, _, data, next) in places(bytes, (data + 8, end))? {
        let mut own = vec![0; next - data];
        if let Some(flags) = own.get_mut(..4) {
            flags.copy_from_slice(&[0, 0, 0, 1]);
        }
        cuts.overwrite(bytes, data, own);
    }
    Ok(())
}

/// Formats of samples that a film may have, by what they are.
const VIDEO: &[&[u8]] = &[
    b"avc1", b"avc2", b"avc3", b"avc4", b"hvc1", b"hev1", b"dvh1", b"dvhe", b"dvav", b"dva1",
    b"vp08", b"vp09", b"av01", b"mp4v", b"s263", b"encv", b"jpeg", b"mjpa", b"mjpb", b"apch",
    b"apcn", b"apcs", b"apco", b"ap4h", b"png ",
];
const SOUND: &[&[u8]] = &[
    b"mp4a", b"ac-3", b"ec-3", b"ac-4", b"Opus", b"fLaC", b"alac", b"enca", b"samr", b"sawb",
    b"lpcm", b"ipcm", b"fpcm", b"sowt", b"twos", b"in24", b"in32", b"fl32", b"fl64", b"raw ",
    b"ulaw", b"alaw", b".mp3",
];
const TEXT: &[&[u8]] = &[b"tx3g", b"text", b"wvtt", b"stpp", b"c608", b"sbtl"];
/// Boxes of a format that stay: how the samples are to be decoded, and their colours and shape.
const DECODING: &[&[u8]] = &[
    b"avcC", b"hvcC", b"lhvC", b"vpcC", b"av1C", b"esds", b"d263", b"dvcC", b"dvvC", b"glbl",
    b"pasp", b"colr", b"clap", b"btrt", b"fiel", b"gama", b"mdcv", b"clli", b"SmDm", b"CoLL",
    b"sinf", b"wave", b"chan", b"chnl", b"dOps", b"dfLa", b"dac3", b"dec3", b"dac4", b"alac",
    b"srat", b"pcmC", b"damr", b"free",
];
/// Boxes of QuickTime's `wave`.
const WAVE: &[&[u8]] = &[b"frma", b"esds", b"mp4a", b"enda", b"alac", b"chan", b"free", &[0; 4]];

fn sample_entries(
    bytes: &[u8],
    (data, end): (usize, usize),
    cuts: &mut Cuts,
) -> Result<(), Unstripped> {
    for (format, _, data, next) in places(bytes, (data + 8, end))? {
        let children = if VIDEO.contains(&format) {
            let name = data + 42;
            if data + 78 > next {
                return Err(BROKEN);
            }
            // The compressor's name.
            cuts.overwrite(bytes, name, vec![0; 32]);
            data + 78
        } else if SOUND.contains(&format) {
            // QuickTime's second version has more fields; so has its first, and files of MPEG-4 give that number another
            // meaning.
            match big(bytes, data + 8, 2) {
                Some(2) => data + 64,
                Some(1) if places(bytes, (data + 28, next)).is_err() => data + 44,
                _ => data + 28,
            }
        } else if TEXT.contains(&format) {
            continue;
        } else {
            return Err(Unstripped("a track of the film has a format that is not understood"));
        };
        if children > next {
            return Err(BROKEN);
        }
        only(bytes, (children, next), DECODING, cuts)?;
    }
    Ok(())
}

/// Makes free space of all boxes but these.
fn only(
    bytes: &[u8],
    range: (usize, usize),
    kept: &[&[u8]],
    cuts: &mut Cuts,
) -> Result<(), Unstripped> {
    for (name, at, data, next) in places(bytes, range)? {
        if name == b"free" || !kept.contains(&name) {
            cuts.overwrite(bytes, at + 4, b"free".to_vec());
            cuts.overwrite(bytes, data, vec![0; next - data]);
        } else if name == b"wave" {
            only(bytes, (data, next), WAVE, cuts)?;
        } else if name == b"dfLa" {
            flac::pad(bytes, (data + 4, next), cuts)?;
        }
    }
    Ok(())
}
