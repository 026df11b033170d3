//! PDF: the document's information and XMP are overwritten with spaces, so that no place in the file moves.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::{Cuts, Unstripped};

fn pattern(text: &str) -> Option<Regex> {
    // Between two words may stand whitespace, NUL among it, and comments.
    let text = text.replace('~', r"(?:[\s\x00]|%[^\r\n]*[\r\n])");
    regex::bytes::RegexBuilder::new(&text).unicode(false).build().ok()
}

static REFERENCE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"/([A-Za-z#][A-Za-z0-9#]{3,23})~*([0-9]{1,10})~+[0-9]{1,5}~+R"));
static INLINE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"/([A-Za-z#][A-Za-z0-9#]{3,11})~*<<"));
static OBJECT: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"([0-9]{1,10})~+[0-9]{1,5}~+obj(?:~*([0-9]{1,10})~*endobj)?"));
static STREAM: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r">>~*stream(?:\r\n|\n|\r)"));
static LENGTH: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"/Length~+([0-9]{1,10})(~+[0-9]{1,5}~+R)?"));
static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"/([A-Za-z0-9#]{1,24})"));

const UNREADABLE: Unstripped = Unstripped("the PDF file can't be read");

/// An object: its number, and where its words, its stream and it itself end. Streams are data: bytes in them that look
/// like an object are none.
struct Object<'a> {
    id: &'a [u8],
    start: usize,
    head: usize,
    stream: Option<(usize, usize)>,
    end: usize,
}

pub(super) fn cuts(bytes: &[u8]) -> Result<Cuts, Unstripped> {
    let objects = objects(bytes)?;
    let streams: Vec<(usize, usize)> = objects.iter().filter_map(|it| it.stream).collect();
    let is_data = |at: usize| {
        let next = streams.partition_point(|it| it.0 <= at);
        next.checked_sub(1).and_then(|it| streams.get(it)).is_some_and(|it| at < it.1)
    };
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    let mut named: BTreeSet<&[u8]> = BTreeSet::new();
    let mut needed: BTreeSet<&[u8]> = BTreeSet::new();
    for found in REFERENCE.as_ref().ok_or(UNREADABLE)?.captures_iter(bytes) {
        let (Some(whole), Some(name), Some(id)) = (found.get(0), found.get(1), found.get(2)) else {
            continue;
        };
        let name = plain(name.as_bytes());
        if !matches!(&*name, b"Info" | b"Metadata") || is_data(whole.start()) {
            continue;
        }
        ranges.push((whole.start(), whole.end()));
        named.insert(id.as_bytes());
        if *name == *b"Info" {
            needed.insert(id.as_bytes());
        }
    }
    for found in INLINE.as_ref().ok_or(UNREADABLE)?.captures_iter(bytes) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else { continue };
        if *plain(name.as_bytes()) == *b"Info" && !is_data(whole.start()) {
            return Err(Unstripped("the information of the PDF file is no object of its own"));
        }
    }
    for object in &objects {
        let head = bytes.get(object.start..object.head).unwrap_or_default();
        if named.contains(object.id) || is_xmp(head)? {
            needed.remove(object.id);
            ranges.push((object.start, object.end));
        }
    }
    if !needed.is_empty() {
        return Err(Unstripped("the information of the PDF file lies in a compressed object"));
    }
    for start in memchr::memmem::find_iter(bytes, b"<?xpacket begin") {
        let rest = bytes.get(start..).unwrap_or_default();
        let end = memchr::memmem::find(rest, b"<?xpacket end").unwrap_or(rest.len());
        ranges.push((start, start + end));
    }
    Ok(blanked(bytes, ranges))
}

/// The objects that are not compressed, in the order of the file.
fn objects(bytes: &[u8]) -> Result<Vec<Object<'_>>, Unstripped> {
    let pattern = OBJECT.as_ref().ok_or(UNREADABLE)?;
    let (stream, length) = (STREAM.as_ref().ok_or(UNREADABLE)?, LENGTH.as_ref().ok_or(UNREADABLE)?);
    let begins = pattern.captures_iter(bytes).filter_map(|found| {
        let (whole, id) = (found.get(0)?, found.get(1)?);
        // The number in an object is a part of the match; the object's words are not.
        let number = found.get(2);
        let end = number.map_or(whole.end(), |it| it.start());
        Some((id.as_bytes(), whole.start(), end, number.map(|it| it.as_bytes())))
    });
    let begins: Vec<_> = begins.collect();
    let numbers: BTreeMap<&[u8], &[u8]> =
        begins.iter().filter_map(|(id, _, _, number)| Some((*id, (*number)?))).collect();
    let mut found: Vec<Object<'_>> = Vec::new();
    let mut last = 0;
    for (id, at, start, _) in begins {
        if at < last {
            continue;
        }
        let rest = bytes.get(start..).unwrap_or_default();
        let end = memchr::memmem::find(rest, b"endobj").map_or(bytes.len(), |it| start + it);
        let words = bytes.get(start..end).unwrap_or_default();
        let Some(begin) = stream.find(words) else {
            found.push(Object { id, start, head: end, stream: None, end });
            last = end;
            continue;
        };
        let (head, data) = (start + begin.start(), start + begin.end());
        let stated = length.captures(words.get(..begin.start()).unwrap_or_default());
        let stated = stated.and_then(|it| match (it.get(1), it.get(2)) {
            (Some(id), Some(_)) => numbers.get(id.as_bytes()).copied().and_then(decimal),
            (number, _) => decimal(number?.as_bytes()),
        });
        let stop = end_of_stream(bytes, data, stated);
        let rest = bytes.get(stop..).unwrap_or_default();
        let end = memchr::memmem::find(rest, b"endobj").map_or(bytes.len(), |it| stop + it);
        found.push(Object { id, start, head, stream: Some((data, stop)), end });
        last = end;
    }
    Ok(found)
}

/// The length that is stated counts where the word `endstream` confirms it, as it does for readers.
fn end_of_stream(bytes: &[u8], data: usize, stated: Option<usize>) -> usize {
    let rest = bytes.get(data..).unwrap_or_default();
    let is_end = |at: &usize| {
        let tail = rest.get(*at..).unwrap_or_default();
        tail.get(..16).unwrap_or(tail).trim_ascii_start().starts_with(b"endstream")
    };
    let length = stated.filter(is_end);
    let length = length.or_else(|| memchr::memmem::find(rest, b"endstream"));
    data + length.unwrap_or(rest.len())
}

fn decimal(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Whether the words of an object say that it is XMP.
fn is_xmp(head: &[u8]) -> Result<bool, Unstripped> {
    let names = NAME.as_ref().ok_or(UNREADABLE)?.captures_iter(head);
    let names: Vec<_> = names.filter_map(|it| Some(plain(it.get(1)?.as_bytes()))).collect();
    Ok(names.windows(2).any(|it| match it {
        [kind, value] => {
            **kind == *b"Type" && **value == *b"Metadata"
                || **kind == *b"Subtype" && **value == *b"XML"
        }
        _ => false,
    }))
}

/// A name without its escapes: `#49nfo` is `Info`.
fn plain(name: &[u8]) -> Cow<'_, [u8]> {
    if !name.contains(&b'#') {
        return Cow::Borrowed(name);
    }
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|it| std::str::from_utf8(it).ok());
        let byte = digits.and_then(|it| u8::from_str_radix(it, 16).ok());
        match byte.filter(|_| *first == b'#') {
            Some(byte) => {
                plain.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    Cow::Owned(plain)
}

fn blanked(bytes: &[u8], mut ranges: Vec<(usize, usize)>) -> Cuts {
    ranges.sort_unstable();
    let mut cuts = Cuts::default();
    let mut last = 0;
    for (start, end) in ranges {
        // An object in an object is gone with it.
        let start = start.max(last);
        if start < end {
            cuts.overwrite(bytes, start, vec![b' '; end - start]);
            last = end;
        }
    }
    cuts
}
