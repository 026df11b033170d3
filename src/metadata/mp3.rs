//! MP3: ID3 of all versions, APE and Lyrics3, before and behind the sound.

use super::{Cuts, Unstripped, little};

pub(super) fn cuts(bytes: &[u8]) -> Result<Cuts, Unstripped> {
    let mut cuts = Cuts::default();
    let start = after_start(bytes).ok_or(Unstripped("the MP3 file ends before its sound"))?;
    cuts.remove(0, start);
    match bytes.get(start..start + 2) {
        Some([0xff, second]) if second & 0xe0 == 0xe0 => {}
        _ if start == bytes.len() => return Ok(cuts),
        _ => return Err(Unstripped("the sound of the MP3 file is of another kind")),
    }
    let end = without_end(bytes, start);
    let mut at = start;
    for (tag, stop) in between(bytes, start, end) {
        if stop > at {
            cuts.remove(tag.max(at), stop);
            at = stop;
        }
    }
    cuts.remove(end, bytes.len());
    Ok(cuts)
}

/// End of the tags before the sound.
fn after_start(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        if rest.starts_with(b"ID3") {
            let length =
                rest.get(6..10)?.iter().fold(0, |all, it| all << 7 | usize::from(it & 0x7f));
            let footer = if rest.get(5)? & 0x10 != 0 { 10 } else { 0 };
            at += 10 + length + footer;
        } else if rest.starts_with(b"APETAGEX") {
            at += 32 + little(rest, 12, 4)?;
        } else if at > 0 && rest.first() == Some(&0) {
            at += rest.iter().take_while(|it| **it == 0).count();
        } else {
            return Some(at);
        }
    }
}

/// Tags in the sound, in the order of the file: where files were joined, behind the sound, and before zeros that fill up
/// the file. Each has so many bytes of a fixed form that sound does not meet them by chance.
fn between(bytes: &[u8], start: usize, end: usize) -> Vec<(usize, usize)> {
    let sound = bytes.get(start..end).unwrap_or_default();
    let mut found = Vec::new();
    for at in memchr::memmem::find_iter(sound, b"ID3") {
        let head = sound.get(at + 3..at + 10).unwrap_or_default();
        if let [2..=4, 0, flags, size @ ..] = head
            && flags & 0x0f == 0
            && size.iter().all(|it| *it < 0x80)
        {
            let length = size.iter().fold(0, |all, it| all << 7 | usize::from(*it));
            let footer = if flags & 0x10 != 0 { 10 } else { 0 };
            found.push((at, at + 10 + length + footer));
        }
    }
    for at in memchr::memmem::find_iter(sound, b"APETAGEX") {
        const IS_HEAD: u8 = 0x20;
        let (Some(size), Some(flags)) = (little(sound, at + 12, 4), sound.get(at + 23)) else {
            continue;
        };
        let version = little(sound, at + 8, 4);
        if matches!(version, Some(1000 | 2000)) && flags & IS_HEAD != 0 {
            found.push((at, at + 32 + size));
        } else if matches!(version, Some(1000 | 2000)) {
            found.push(((at + 32).saturating_sub(size), at + 32));
        }
    }
    for at in memchr::memmem::find_iter(sound, b"TAG") {
        let texts = sound.get(at + 3..at + 97).unwrap_or_default();
        let rest = sound.get(at + 128..).unwrap_or_default();
        let is_followed = matches!(rest, [0xff, 0xe0..=0xff, ..])
            || rest.starts_with(b"ID3")
            || !rest.is_empty() && rest.iter().all(|it| *it == 0);
        // Title, artist and album: texts that zeros fill up.
        if texts.len() == 94 && !texts.iter().any(|it| (1..32).contains(it)) && is_followed {
            found.push((at, at + 128));
        }
    }
    found.sort_unstable();
    found.into_iter().map(|it| (start + it.0, (start + it.1).min(end))).collect()
}

/// End of the sound, before the tags. `start` is the sound's start.
pub(super) fn without_end(bytes: &[u8], start: usize) -> usize {
    let mut end = bytes.len();
    loop {
        let Some(sound) = bytes.get(start..end) else { return end };
        let length = sound.len();
        let before = |tail: usize| length.checked_sub(tail).and_then(|at| sound.get(at..));
        let tail = if before(128).is_some_and(|it| it.starts_with(b"TAG")) {
            128
        } else if before(227).is_some_and(|it| it.starts_with(b"TAG+")) {
            227
        } else if let Some(footer) = before(32).filter(|it| it.starts_with(b"APETAGEX")) {
            let head = if footer.get(23).is_some_and(|it| it & 0x80 != 0) { 32 } else { 0 };
            little(footer, 12, 4).unwrap_or(0).max(32) + head
        } else if sound.ends_with(b"LYRICS200") {
            let digits = before(15).and_then(|it| std::str::from_utf8(it.get(..6)?).ok());
            digits.and_then(|it| it.parse::<usize>().ok()).unwrap_or(0) + 15
        } else if let Some(footer) = before(10).filter(|it| it.starts_with(b"3DI")) {
            let size = footer.get(6..10).unwrap_or_default();
            20 + size.iter().fold(0, |all, it| all << 7 | usize::from(it & 0x7f))
        } else {
            return end;
        };
        end = start + length.saturating_sub(tail);
    }
}
