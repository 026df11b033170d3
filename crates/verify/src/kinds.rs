//! Kinds of files below `assets/`: exactly these, by their names and by their bytes.
//!
//! In: the name and the bytes of a file. Out: whether pages may show it or lead to it. A file that says another kind than
//! it is could be read by a browser in a way that nobody looked at.

/// Kinds whose bytes other rules look at, or that are text to whoever opens them.
const TEXTS: [&str; 6] = ["css", "js", "bin", "py", "ipynb", "txt"];

/// Whether a file of this name may be there. Markdown is text only: hosts turn `.md` into pages.
pub(super) fn is_known(name: &str) -> bool {
    let kind = kind(name);
    !name.contains('/') && (TEXTS.contains(&kind) || begins_like(kind).is_some())
}

/// Whether the bytes are of the kind that the name says.
pub(super) fn is_own_kind(name: &str, bytes: &[u8]) -> bool {
    begins_like(kind(name)).is_none_or(|begins| begins(bytes))
}

fn kind(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, kind)| kind)
}

/// How a picture, sound, film or file of data of a kind begins.
fn begins_like(kind: &str) -> Option<fn(&[u8]) -> bool> {
    Some(match kind {
        "png" => |it| it.starts_with(b"\x89PNG\r\n\x1a\n"),
        "jpeg" => |it| it.starts_with(b"\xff\xd8\xff"),
        "gif" => |it| it.starts_with(b"GIF87a") || it.starts_with(b"GIF89a"),
        "webp" => |it| it.starts_with(b"RIFF") && it.get(8..12).is_some_and(|it| it == b"WEBP"),
        "wav" => |it| it.starts_with(b"RIFF") && it.get(8..12).is_some_and(|it| it == b"WAVE"),
        "mp4" | "m4a" => |it| it.get(4..8).is_some_and(|it| it == b"ftyp"),
        "webm" => |it| it.starts_with(b"\x1a\x45\xdf\xa3"),
        "ogg" | "ogv" => |it| it.starts_with(b"OggS"),
        "flac" => |it| it.starts_with(b"fLaC"),
        "mp3" => |it| it.starts_with(b"ID3") || matches!(it, [0xff, 0xfb | 0xf3 | 0xf2 | 0xfa, ..]),
        "csv" | "tsv" | "json" => is_text,
        "pdf" => |it| it.starts_with(b"%PDF-"),
        "zip" | "xlsx" | "ods" => {
            |it| it.starts_with(b"PK\x03\x04") || it.starts_with(b"PK\x05\x06")
        }
        "parquet" => |it| it.starts_with(b"PAR1") && it.ends_with(b"PAR1"),
        _ => return None,
    })
}

/// Whether bytes are text: zeros are in UTF-16 only, which says what it is.
fn is_text(bytes: &[u8]) -> bool {
    let is_wide = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    is_wide || !bytes.contains(&0)
}
