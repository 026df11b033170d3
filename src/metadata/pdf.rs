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
static NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"([0-9]{1,10})~+[0-9]{1,5}~+R"));
static OBJECT: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"([0-9]{1,10})~+[0-9]{1,5}~+obj(?:~*([0-9]{1,10})~*endobj)?"));
static STREAM_HERE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"\A>>~*stream(?:\r\n|\n|\r)"));
static STREAM: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r">>~*stream(?:\r\n|\n|\r)"));
static LENGTH: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"/Length~+([0-9]{1,10})(~+[0-9]{1,5}~+R)?"));
static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"/([A-Za-z0-9#]{1,24})"));

const COMPRESSED: Unstripped =
    Unstripped("the information of the PDF file lies in a compressed object");
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
    // Some programs give each text of the information an object of its own (`/Author 6 0 R`).
    let texts = texts_of(&objects, &needed, bytes)?;
    for object in objects.iter().filter(|it| texts.contains(it.id)) {
        ranges.push((object.start, object.end));
    }
    for object in &objects {
        let head = bytes.get(object.start..object.head).unwrap_or_default();
        if named.contains(object.id) || is_xmp(head)? {
            needed.remove(object.id);
            ranges.push((object.start, object.end));
        }
    }
    if !needed.is_empty() {
        return Err(COMPRESSED);
    }
    for start in memchr::memmem::find_iter(bytes, b"<?xpacket begin") {
        let rest = bytes.get(start..).unwrap_or_default();
        let end = memchr::memmem::find(rest, b"<?xpacket end").unwrap_or(rest.len());
        ranges.push((start, start + end));
    }
    Ok(blanked(bytes, ranges))
}

/// The objects that the document's information names, if they hold texts. Other values, such as names and numbers, stay.
fn texts_of<'a>(
    objects: &[Object<'a>],
    information: &BTreeSet<&[u8]>,
    bytes: &[u8],
) -> Result<BTreeSet<&'a [u8]>, Unstripped> {
    let head = |it: &Object<'_>| bytes.get(it.start..it.head).unwrap_or_default();
    let number = NUMBER.as_ref().ok_or(UNREADABLE)?;
    let mut wanted: BTreeSet<Vec<u8>> = BTreeSet::new();
    for object in objects.iter().filter(|it| information.contains(it.id)) {
        let words = without_strings(head(object));
        let found =
            number.captures_iter(&words).filter_map(|it| Some(it.get(1)?.as_bytes().to_vec()));
        wanted.extend(found);
    }
    let mut texts = BTreeSet::new();
    let mut missing = wanted.clone();
    for object in objects.iter().filter(|it| wanted.contains(it.id)) {
        missing.remove(object.id);
        let words = head(object).trim_ascii();
        let is_hexadecimal = words.starts_with(b"<") && !words.starts_with(b"<<");
        if object.stream.is_none() && (is_hexadecimal || words.starts_with(b"(")) {
            texts.insert(object.id);
        } else if words.contains(&b'(') || words.contains(&b'<') {
            return Err(Unstripped("the information of the PDF file lies in several objects"));
        }
    }
    missing.is_empty().then_some(texts).ok_or(COMPRESSED)
}

/// The words of an object with spaces in the place of its strings.
fn without_strings(words: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(words.len());
    let mut at = 0;
    while let Some(&byte) = words.get(at) {
        if byte == b'(' {
            at = string_end(words, at).unwrap_or(words.len());
            out.push(b' ');
        } else {
            out.push(byte);
            at += 1;
        }
    }
    out
}

/// End of the string that begins here: parentheses in it come in pairs, or behind a backslash.
fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 1,
            b'(' => depth += 1,
            b')' if depth == 1 => return Some(at + 1),
            b')' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
}

/// End of an object's words, at `endobj` or at its stream, and the start of the stream's data. Neither word counts
/// in a string. `None` if a string does not end.
fn end_of_words(bytes: &[u8], start: usize, stream: &Regex) -> Option<(usize, Option<usize>)> {
    let mut at = start;
    loop {
        let rest = bytes.get(at..)?;
        at += memchr::memchr3(b'(', b'e', b'>', rest)?;
        let rest = bytes.get(at..)?;
        if rest.starts_with(b"(") {
            at = string_end(bytes, at)?;
        } else if rest.starts_with(b"endobj") {
            return Some((at, None));
        } else if rest.starts_with(b">>")
            && let Some(found) = stream.find(rest)
        {
            return Some((at, Some(at + found.end())));
        } else {
            at += 1;
        }
    }
}

/// The same for a file with a string that does not end, in which all words count.
fn end_of_any_words(bytes: &[u8], start: usize, stream: &Regex) -> (usize, Option<usize>) {
    let rest = bytes.get(start..).unwrap_or_default();
    let end = memchr::memmem::find(rest, b"endobj").unwrap_or(rest.len());
    match stream.find(rest.get(..end).unwrap_or_default()) {
        Some(found) => (start + found.start(), Some(start + found.end())),
        None => (start + end, None),
    }
}

/// The objects that are not compressed, in the order of the file.
fn objects(bytes: &[u8]) -> Result<Vec<Object<'_>>, Unstripped> {
    let pattern = OBJECT.as_ref().ok_or(UNREADABLE)?;
    let here = STREAM_HERE.as_ref().ok_or(UNREADABLE)?;
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
    let (mut last, mut is_whole) = (0, true);
    for (id, at, start, _) in begins {
        if at < last {
            continue;
        }
        let words = if is_whole { end_of_words(bytes, start, here) } else { None };
        is_whole = words.is_some();
        let (head, data) = words.unwrap_or_else(|| end_of_any_words(bytes, start, stream));
        let Some(data) = data else {
            found.push(Object { id, start, head, stream: None, end: head });
            last = head;
            continue;
        };
        let stated = length.captures(bytes.get(start..head).unwrap_or_default());
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
