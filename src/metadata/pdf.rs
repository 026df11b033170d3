//! PDF: the document's information and XMP are overwritten with spaces, so that no place in the file moves.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::{Cuts, Unstripped};

fn pattern(text: &str) -> Option<Regex> {
    regex::bytes::RegexBuilder::new(text).unicode(false).build().ok()
}

static REFERENCE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"/(Info|Metadata)\s*([0-9]{1,10})\s+[0-9]{1,5}\s+R"));
static OBJECT: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"([0-9]{1,10})\s+[0-9]{1,5}\s+obj"));
static XMP: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"/Type\s*/Metadata|/Subtype\s*/XML"));

pub(super) fn cuts(bytes: &[u8]) -> Result<Cuts, Unstripped> {
    const UNREADABLE: Unstripped = Unstripped("the PDF file can't be read");
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    let mut named: BTreeSet<&[u8]> = BTreeSet::new();
    let mut needed: BTreeSet<&[u8]> = BTreeSet::new();
    for found in REFERENCE.as_ref().ok_or(UNREADABLE)?.captures_iter(bytes) {
        let (Some(whole), Some(kind), Some(id)) = (found.get(0), found.get(1), found.get(2)) else {
            continue;
        };
        ranges.push((whole.start(), whole.end()));
        named.insert(id.as_bytes());
        if kind.as_bytes() == b"Info" {
            needed.insert(id.as_bytes());
        }
    }
    for found in OBJECT.as_ref().ok_or(UNREADABLE)?.captures_iter(bytes) {
        let (Some(whole), Some(id)) = (found.get(0), found.get(1)) else { continue };
        let rest = bytes.get(whole.end()..).unwrap_or_default();
        let length = memchr::memmem::find(rest, b"endobj").unwrap_or(rest.len());
        let object = rest.get(..length).unwrap_or_default();
        // Only the beginning of a stream says what it is.
        let head = memchr::memmem::find(object, b"stream").unwrap_or(length);
        let head = object.get(..head).unwrap_or_default();
        if named.contains(id.as_bytes()) || XMP.as_ref().ok_or(UNREADABLE)?.is_match(head) {
            needed.remove(id.as_bytes());
            ranges.push((whole.end(), whole.end() + length));
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
