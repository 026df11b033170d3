//! WebM: elements that a player does not need become `Void`, so that no place in the file moves.

use super::{Cuts, Unstripped, flac, number, ogg};

const SEGMENT: usize = 0x1853_8067;
const INFO: usize = 0x1549_A966;
const TRACKS: usize = 0x1654_AE6B;
const TRACK: usize = 0xAE;
const CLUSTER: usize = 0x1F43_B675;
const CODEC_PRIVATE: usize = 0x63A2;
const VOID: usize = 0xEC;

const BROKEN: Unstripped = Unstripped("an element of the WebM file is cut off");

pub(super) fn cuts(bytes: &[u8]) -> Result<Cuts, Unstripped> {
    let mut cuts = Cuts::default();
    inside(bytes, (0, bytes.len()), 0, &mut cuts)?;
    Ok(cuts)
}

/// Elements that stay, by the element that they are in.
fn is_kept(parent: usize, id: usize) -> bool {
    match parent {
        // The head of the file, the segment.
        0 => matches!(id, 0x1A45_DFA3 | SEGMENT),
        // The table of places, Info, Tracks, Cluster, Cues.
        SEGMENT => matches!(id, 0x114D_9B74 | INFO | TRACKS | CLUSTER | 0x1C53_BB6B),
        // The unit of time, the duration, the programs.
        INFO => matches!(id, 0x2A_D7B1 | 0x4489 | 0x4D80 | 0x5741),
        TRACKS => id == TRACK,
        // Not the name (536E), nor a codec's name (258688), nor attachments (7446), nor additions with names (41E4).
        TRACK => !matches!(id, 0x536E | 0x25_8688 | 0x7446 | 0x41E4 | 0xBF),
        _ => true,
    }
}

fn inside(
    bytes: &[u8],
    (start, end): (usize, usize),
    parent: usize,
    cuts: &mut Cuts,
) -> Result<(), Unstripped> {
    let mut at = start;
    while at < end {
        let (id, id_length) = id(bytes, at)?;
        let (size, size_length) = size(bytes, at + id_length)?;
        let data = at + id_length + size_length;
        let is_open = size.is_none();
        let next = match size {
            Some(size) => data.checked_add(size).ok_or(BROKEN)?,
            // A live recording: the segment goes on to the end, and elements of a cluster stand beside it.
            None if id == SEGMENT => end,
            None if id == CLUSTER => data,
            None => return Err(BROKEN),
        };
        // The last cluster of a recording that was cut off.
        let is_cut = next > end;
        if is_cut && id != CLUSTER && id != SEGMENT {
            return Err(BROKEN);
        }
        let next = next.min(end);
        let is_of_cluster = parent == SEGMENT && matches!(id, 0xE7 | 0xA3 | 0xA0 | 0xA7 | 0xAB);
        if id == VOID {
            cuts.overwrite(bytes, data, vec![0; next - data]);
        } else if !is_kept(parent, id) && !is_of_cluster {
            if let Some(void) = void(next - at) {
                cuts.overwrite(bytes, at, void);
            } else {
                return Err(BROKEN);
            }
        } else if id == CODEC_PRIVATE && parent == TRACK {
            let data = (data, next);
            if is_text_track(bytes, (start, end)) {
                // Subtitles begin with their title and the names of those who wrote them; no browser shows them.
                cuts.overwrite(bytes, at, void(next - at).ok_or(BROKEN)?);
            } else {
                codec_private(bytes, data, cuts)?;
            }
        } else if matches!(id, 0x4D80 | 0x5741) && parent == INFO {
            cuts.overwrite(bytes, data, vec![b' '; next - data]);
        } else if matches!(id, SEGMENT | INFO | TRACKS | TRACK) && !(is_open && id != SEGMENT) {
            inside(bytes, (data, next), id, cuts)?;
        }
        at = next;
    }
    Ok(())
}

/// Whether a track holds text, by the name of its codec.
fn is_text_track(bytes: &[u8], (start, end): (usize, usize)) -> bool {
    const CODEC: usize = 0x86;
    let mut at = start;
    while at < end {
        let Ok((id, id_length)) = id(bytes, at) else { return false };
        let Ok((Some(size), size_length)) = size(bytes, at + id_length) else { return false };
        let data = at + id_length + size_length;
        if id == CODEC {
            let name = bytes.get(data..).unwrap_or_default();
            return name.starts_with(b"S_") || name.starts_with(b"D_");
        }
        at = data.saturating_add(size);
    }
    false
}

/// Initialization data of a codec: FLAC, Vorbis and Theora keep their comments there.
fn codec_private(
    bytes: &[u8],
    (data, end): (usize, usize),
    cuts: &mut Cuts,
) -> Result<(), Unstripped> {
    let private = bytes.get(data..end).unwrap_or_default();
    if private.starts_with(b"fLaC") {
        return flac::pad(bytes, (data + 4, end), cuts);
    }
    // Three packets: the lengths of the first two stand before them, as sums of bytes.
    let Some((2, mut rest)) = private.split_first().map(|(count, rest)| (*count, rest)) else {
        return Ok(());
    };
    let mut lengths = [0_usize; 2];
    for length in &mut lengths {
        loop {
            let Some((byte, after)) = rest.split_first() else { return Ok(()) };
            rest = after;
            *length += usize::from(*byte);
            if *byte < 255 {
                break;
            }
        }
    }
    let [first, second] = lengths;
    let start = end - rest.len() + first;
    let comments = bytes.get(start..(start + second).min(end)).unwrap_or_default();
    let blank = ogg::no_comments(comments, b"\x03vorbis", true)
        .or_else(|| ogg::no_comments(comments, b"\x81theora", false));
    match blank {
        Some(blank) => cuts.overwrite(bytes, start, blank),
        None if rest.starts_with(b"\x01vorbis") || rest.starts_with(b"\x80theora") => {
            return Err(Unstripped("the WebM file has no comments where they belong"));
        }
        None => {}
    }
    Ok(())
}

/// An empty element of so many bytes.
fn void(length: usize) -> Option<Vec<u8>> {
    let mut void = vec![0xec];
    match length {
        0 | 1 => return None,
        2..=100 => void.push(0x80 | u8::try_from(length - 2).ok()?),
        _ => {
            let size = u64::try_from(length - 9).ok()? | 1 << 56;
            void.extend(size.to_be_bytes());
        }
    }
    void.resize(length, 0);
    Some(void)
}

fn id(bytes: &[u8], at: usize) -> Result<(usize, usize), Unstripped> {
    let first = *bytes.get(at).ok_or(BROKEN)?;
    let length = first.leading_zeros() as usize + 1;
    if length > 4 {
        return Err(Unstripped("an element of the WebM file has no kind"));
    }
    Ok((number(bytes.get(at..at + length).ok_or(BROKEN)?), length))
}

/// A size, or `None` where it is not known; and the bytes that it takes.
fn size(bytes: &[u8], at: usize) -> Result<(Option<usize>, usize), Unstripped> {
    let first = *bytes.get(at).ok_or(BROKEN)?;
    let length = first.leading_zeros() as usize + 1;
    if length > 8 {
        return Err(Unstripped("an element of the WebM file has no size"));
    }
    let all = number(bytes.get(at..at + length).ok_or(BROKEN)?);
    let mask = (1_usize << (7 * length)) - 1;
    let size = all & mask;
    Ok(((size != mask).then_some(size), length))
}
