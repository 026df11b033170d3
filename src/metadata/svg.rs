//! SVG: removes comments, `<metadata>`, instructions and private data of editors; the drawing stays.

use super::encoded::strip_base64;
use super::text::{SHORTEST, files};
use super::{Cuts, Unstripped};

/// Namespaces of editors and of descriptions, as everybody calls them.
const FOREIGN: &[&str] = &[
    "rdf", "cc", "dc", "dcterms", "xmp", "xmpMM", "x", "sodipodi", "inkscape", "i", "serif",
    "sketch",
];
const BROKEN: Unstripped = Unstripped("a tag of the SVG file is cut off");

/// A start tag: its name without the namespace, whether it goes, and whether it has no content.
struct Tag {
    is_foreign: bool,
    is_svg: bool,
    is_empty: bool,
    end: usize,
}

pub(super) fn cuts(bytes: &[u8]) -> Result<Cuts, Unstripped> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return match memchr::memmem::find(bytes, b"s\0v\0g").is_some() {
            true => Err(Unstripped("the SVG file is written in UTF-16")),
            false => Ok(Cuts::default()),
        };
    }
    let (mut removed, mut at) = (Vec::new(), 0);
    // Start of an element that is removed, and its depth of open tags.
    let mut skipped: Option<(usize, usize)> = None;
    let mut is_root = true;
    while let Some(found) = bytes.get(at..).and_then(|it| memchr::memchr(b'<', it)) {
        at += found;
        let rest = bytes.get(at..).unwrap_or_default();
        if let Some((end, goes)) = aside(rest)? {
            if goes && skipped.is_none() {
                removed.push((at, at + end));
            }
            at += end;
        } else if rest.starts_with(b"</") {
            at += memchr::memchr(b'>', rest).ok_or(BROKEN)? + 1;
            if let Some((start, open)) = skipped {
                skipped = (open > 1).then_some((start, open - 1));
                if open <= 1 {
                    removed.push((start, at));
                }
            }
        } else {
            let mut attributes = Vec::new();
            let tag = tag(bytes, at, &mut attributes)?;
            // Some other XML, or a page.
            if is_root && !tag.is_svg {
                return Ok(Cuts::default());
            }
            is_root = false;
            match &mut skipped {
                Some((_, open)) => *open += usize::from(!tag.is_empty),
                None if tag.is_foreign && tag.is_empty => removed.push((at, tag.end)),
                None if tag.is_foreign => skipped = Some((at, 1)),
                None => removed.append(&mut attributes),
            }
            at = tag.end;
        }
    }
    if let Some((start, _)) = skipped {
        removed.push((start, bytes.len()));
    }
    if is_root {
        return Ok(Cuts::default());
    }
    with_files(bytes, removed)
}

/// A comment, an instruction or a declaration: its length, and whether it goes.
fn aside(rest: &[u8]) -> Result<Option<(usize, bool)>, Unstripped> {
    let until = |end: &[u8]| memchr::memmem::find(rest, end).map(|it| it + end.len());
    Ok(Some(if rest.starts_with(b"<!--") {
        (until(b"-->").unwrap_or(rest.len()), true)
    } else if rest.starts_with(b"<![CDATA[") {
        (until(b"]]>").ok_or(BROKEN)?, false)
    } else if rest.starts_with(b"<?") {
        (until(b"?>").unwrap_or(rest.len()), !rest.starts_with(b"<?xml "))
    } else if rest.starts_with(b"<!") {
        let end = until(b">").ok_or(BROKEN)?;
        if rest.get(..end).is_some_and(|it| it.contains(&b'[')) {
            return Err(Unstripped("the SVG file declares entities"));
        }
        (end, false)
    } else {
        return Ok(None);
    }))
}

/// Reads a start tag and the places of its attributes that go.
fn tag(bytes: &[u8], start: usize, removed: &mut Vec<(usize, usize)>) -> Result<Tag, Unstripped> {
    let mut at = start + 1;
    let name = word(bytes, &mut at);
    let (space, local) = parts(name);
    let is_foreign = local == "metadata" || FOREIGN.contains(&space);
    let is_svg = local == "svg";
    loop {
        let before = at;
        while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
            at += 1;
        }
        match bytes.get(at).ok_or(BROKEN)? {
            b'>' => return Ok(Tag { is_foreign, is_svg, is_empty: false, end: at + 1 }),
            b'/' if bytes.get(at + 1) == Some(&b'>') => {
                return Ok(Tag { is_foreign, is_svg, is_empty: true, end: at + 2 });
            }
            b'/' | b'=' | b'"' | b'\'' | b'<' => {
                at += 1;
                continue;
            }
            _ => {}
        }
        let (space, _) = parts(word(bytes, &mut at));
        let mut value = at;
        while bytes.get(value).is_some_and(|it| it.is_ascii_whitespace() || *it == b'=') {
            value += 1;
        }
        if let Some(quote @ (b'"' | b'\'')) = bytes.get(value) {
            let rest = bytes.get(value + 1..).unwrap_or_default();
            at = value + 2 + memchr::memchr(*quote, rest).ok_or(BROKEN)?;
        }
        if FOREIGN.contains(&space) {
            removed.push((before, at));
        }
    }
}

/// A name; at least one byte is passed over.
fn word<'a>(bytes: &'a [u8], at: &mut usize) -> &'a str {
    let rest = bytes.get(*at..).unwrap_or_default();
    let is_name =
        |it: &&u8| !it.is_ascii_whitespace() && !matches!(it, b'=' | b'>' | b'/' | b'"' | b'\'');
    let length = rest.iter().take_while(is_name).count();
    *at += length.max(1);
    std::str::from_utf8(rest.get(..length).unwrap_or_default()).unwrap_or_default()
}

fn parts(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("", name))
}

/// Removes what was found, and the metadata of the files in what stays.
fn with_files(bytes: &[u8], removed: Vec<(usize, usize)>) -> Result<Cuts, Unstripped> {
    let mut cuts = Cuts::default();
    let mut from = 0;
    for (start, end) in removed.into_iter().chain([(bytes.len(), bytes.len())]) {
        let kept = bytes.get(from..start).unwrap_or_default();
        let kept = std::str::from_utf8(kept)
            .map_err(|_| Unstripped("the SVG file is not written in UTF-8"))?;
        for file in files(kept).into_iter().filter(|it| it.data.len() >= SHORTEST) {
            if let std::borrow::Cow::Owned(stripped) = strip_base64(&file.data)? {
                cuts.replace(from + file.start, from + file.end, stripped.into_bytes());
            }
        }
        cuts.remove(start, end);
        from = end;
    }
    Ok(cuts)
}
