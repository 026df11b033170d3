//! Packed data to the bytes in it, for the search for secrets: members of archives, streams of PDF files.
//!
//! In: the bytes of a file. Out: each piece of it, unpacked, handed to a caller. Bounded by bytes, members and depth; what
//! cannot be unpacked as a whole is refused, since it could not be searched.

use std::io::Read as _;

use super::digits;

/// Most members of an archive, those of archives in it included.
const MOST_MEMBERS: usize = 10_000;
/// Most bytes that one file is unpacked to.
const MOST_BYTES: u64 = 512 << 20;
/// Archives in archives.
const DEEPEST: usize = 3;
/// Longest comment behind an archive, and the record before it.
const TAIL: usize = 65_535 + 22;

/// What is left of the bounds.
pub(super) struct Unpacker<'a> {
    bytes: u64,
    members: usize,
    see: &'a mut dyn FnMut(&[u8]),
}

/// Why a file is not searched, as a clause.
pub(super) type NotSearched = &'static str;

const TOO_LARGE: NotSearched = "it unpacks to more than 512 MiB";
const BROKEN: NotSearched = "it is an archive that is not built like one";
const TOO_DEEP: NotSearched = "archives in it nest more than 3 deep";
const OTHER_WAY: NotSearched = "a member of it is packed in a way that nbc does not read";

/// First bytes of files that other programs pack: bzip2, xz, lzma, zstd, lz4, 7z, RAR, compress, ARJ, cabinets.
const OTHER_PACKERS: [&[u8]; 10] = [
    b"BZh",
    b"\xfd7zXZ\0",
    b"\x5d\0\0",
    b"\x28\xb5\x2f\xfd",
    b"\x04\x22\x4d\x18",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    b"\x1f\x9d",
    b"\x60\xea",
    b"MSCF\0\0\0\0",
];

impl<'a> Unpacker<'a> {
    /// Hands each piece to `see`.
    pub(super) fn new(see: &'a mut dyn FnMut(&[u8])) -> Self {
        Self { bytes: MOST_BYTES, members: MOST_MEMBERS, see }
    }

    /// The members of a zip archive, and their names.
    pub(super) fn archive(&mut self, bytes: &[u8]) -> Result<(), NotSearched> {
        self.archive_at(bytes, 0)
    }

    fn archive_at(&mut self, bytes: &[u8], depth: usize) -> Result<(), NotSearched> {
        if depth > DEEPEST {
            return Err(TOO_DEEP);
        }
        let Directory { start, end, count } = directory(bytes).ok_or(BROKEN)?;
        let mut at = start;
        let mut places = Vec::new();
        for _ in 0..count {
            self.members = self.members.checked_sub(1).ok_or("it has more than 10,000 members")?;
            let member = Member::read(bytes, at).ok_or(BROKEN)?;
            at = member.next;
            (self.see)(member.name);
            if member.is_encrypted {
                return Err("a member of it is encrypted");
            }
            let unpacked;
            let data = match member.method {
                0 => member.data,
                8 => {
                    let packed = flate2::read::DeflateDecoder::new(member.data);
                    unpacked = self.unpacked(packed)?;
                    &*unpacked
                }
                _ => return Err(OTHER_WAY),
            };
            places.push((member.place, member.end));
            self.piece(data, depth)?;
        }
        if at != end || has_gap(places, start) {
            return Err("there is something between the members that it lists");
        }
        Ok(())
    }

    /// A member, which may be packed once more.
    fn piece(&mut self, data: &[u8], depth: usize) -> Result<(), NotSearched> {
        (self.see)(data);
        if data.starts_with(b"PK\x03\x04") || data.starts_with(b"PK\x05\x06") {
            return self.archive_at(data, depth + 1);
        }
        if data.starts_with(b"%PDF-") {
            self.streams(data);
        }
        if data.starts_with(b"\x1f\x8b") {
            if depth == DEEPEST {
                return Err(TOO_DEEP);
            }
            let inner = self.unpacked(flate2::read::MultiGzDecoder::new(data))?;
            return self.piece(&inner, depth + 1);
        }
        if is_zlib(data) && depth < DEEPEST {
            let packed = flate2::read::ZlibDecoder::new(data);
            let mut inner = Vec::new();
            // Text may begin like this, too.
            if packed.take(self.bytes).read_to_end(&mut inner).is_ok() {
                self.bytes = self.bytes.saturating_sub(inner.len() as u64);
                return self.piece(&inner, depth + 1);
            }
        }
        if OTHER_PACKERS.iter().any(|it| data.starts_with(it)) {
            return Err(OTHER_WAY);
        }
        // One that begins behind other bytes is an archive for most programs.
        match end_record(data) {
            Some(_) => Err("an archive in it stands behind other bytes"),
            None => Ok(()),
        }
    }

    fn unpacked(&mut self, packed: impl std::io::Read) -> Result<Vec<u8>, NotSearched> {
        let mut unpacked = Vec::new();
        let read = packed.take(self.bytes + 1).read_to_end(&mut unpacked);
        self.bytes = self.bytes.checked_sub(unpacked.len() as u64).ok_or(TOO_LARGE)?;
        read.map_err(|_| BROKEN)?;
        Ok(unpacked)
    }

    /// The streams of a PDF file that are packed as zlib does, or written as text (ISO 32000-1, section 7.4); others are
    /// among its plain bytes, or are pictures.
    pub(super) fn streams(&mut self, bytes: &[u8]) {
        for at in memchr::memmem::find_iter(bytes, b"stream") {
            let rest = bytes.get(at + b"stream".len()..).unwrap_or_default();
            let data = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n"));
            let Some(data) = data else { continue };
            let of_text;
            let data = if data.first().is_some_and(|it| it & 0x0f == 8) {
                data
            } else {
                let most = usize::try_from(self.bytes).unwrap_or(usize::MAX);
                let Some(found) = digits::bytes(data.get(..most).unwrap_or(data)) else { continue };
                self.bytes = self.bytes.saturating_sub(found.len() as u64);
                (self.see)(&found);
                of_text = found;
                &*of_text
            };
            let mut unpacked = Vec::new();
            // A stream that breaks off is searched as far as it goes.
            let _ =
                flate2::read::ZlibDecoder::new(data).take(self.bytes).read_to_end(&mut unpacked);
            self.bytes = self.bytes.saturating_sub(unpacked.len() as u64);
            (self.see)(&unpacked);
        }
    }
}

/// Whether bytes begin as zlib's do (RFC 1950, section 2.2).
fn is_zlib(bytes: &[u8]) -> bool {
    matches!(bytes, [0x78, second, ..] if (0x7800 | u16::from(*second)) % 31 == 0)
}

/// Whether members leave room between them or before them that could hold another one. Behind a member may stand its sizes
/// once more (APPNOTE 6.3.10, section 4.3.9).
fn has_gap(mut members: Vec<(usize, usize)>, directory: usize) -> bool {
    const DESCRIPTOR: usize = 24;
    members.sort_unstable();
    let mut before = 0;
    let ends = std::iter::once((directory, directory));
    members.into_iter().chain(ends).any(|(start, end)| {
        let is_gap = start.saturating_sub(before) > if before == 0 { 0 } else { DESCRIPTOR };
        before = before.max(end);
        is_gap
    })
}

/// Whether bytes are a zip archive from their first to their last.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    (bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06"))
        && directory(bytes).is_some()
}

/// The list of the members of a zip archive.
struct Directory {
    start: usize,
    end: usize,
    count: usize,
}

/// The list of a zip archive (APPNOTE 6.3.10, section 4.3.16), behind which stands nothing but its own end. The large
/// form (zip64) is for archives beyond nbc's bounds.
fn directory(bytes: &[u8]) -> Option<Directory> {
    let end = end_record(bytes)?;
    let (count, at) = (number(bytes, end + 10, 2)?, number(bytes, end + 16, 4)?);
    let size = number(bytes, end + 12, 4)?;
    (at.checked_add(size)? == end && count != 0xffff).then_some(Directory { start: at, end, count })
}

/// Where the last record of a zip archive begins, which ends with the file.
fn end_record(bytes: &[u8]) -> Option<usize> {
    let start = bytes.len().saturating_sub(TAIL);
    let end = start + memchr::memmem::rfind(bytes.get(start..)?, b"PK\x05\x06")?;
    (end + 22 + number(bytes, end + 20, 2)? == bytes.len()).then_some(end)
}

/// A member of an archive.
struct Member<'a> {
    name: &'a [u8],
    data: &'a [u8],
    method: usize,
    is_encrypted: bool,
    /// Where it stands, with its own head.
    place: usize,
    end: usize,
    /// Place of the next entry.
    next: usize,
}

impl<'a> Member<'a> {
    fn read(bytes: &'a [u8], at: usize) -> Option<Self> {
        if bytes.get(at..at + 4)? != b"PK\x01\x02" {
            return None;
        }
        let field = |offset, length| number(bytes, at + offset, length);
        let (name, extra, comment) = (field(28, 2)?, field(30, 2)?, field(32, 2)?);
        let start = at + 46;
        let local = field(42, 4)?;
        if bytes.get(local..local.checked_add(4)?)? != b"PK\x03\x04" {
            return None;
        }
        let data = local + 30 + number(bytes, local + 26, 2)? + number(bytes, local + 28, 2)?;
        let end = data.checked_add(field(20, 4)?)?;
        Some(Self {
            name: bytes.get(start..start + name)?,
            data: bytes.get(data..end)?,
            place: local,
            end,
            method: field(10, 2)?,
            is_encrypted: field(8, 2)? & 1 == 1,
            next: start + name + extra + comment,
        })
    }
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

#[cfg(test)]
pub(super) mod tests {
    #![expect(clippy::indexing_slicing, reason = "a wrong place fails the test")]

    use std::io::Write as _;

    use super::*;

    /// A zip archive of packed members.
    pub(in super::super) fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
        let (mut out, mut entries) = (Vec::new(), Vec::new());
        let short = |it: usize| u16::try_from(it).unwrap().to_le_bytes();
        let long = |it: usize| u32::try_from(it).unwrap().to_le_bytes();
        for (name, data) in members {
            let mut packer =
                flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            packer.write_all(data).unwrap();
            let packed = packer.finish().unwrap();
            let place = out.len();
            let common = [
                &short(20)[..],
                &short(0),
                &short(8),
                &[0; 8],
                &long(packed.len()),
                &long(data.len()),
            ]
            .concat();
            out.extend(
                [
                    &b"PK\x03\x04"[..],
                    &common,
                    &short(name.len()),
                    &short(0),
                    name.as_bytes(),
                    &packed,
                ]
                .concat(),
            );
            entries.extend(
                [
                    &b"PK\x01\x02\x14\0"[..],
                    &common,
                    &short(name.len()),
                    &[0; 12],
                    &long(place),
                    name.as_bytes(),
                ]
                .concat(),
            );
        }
        let place = out.len();
        out.extend_from_slice(&entries);
        let count = short(members.len());
        out.extend(
            [
                &b"PK\x05\x06\0\0\0\0"[..],
                &count,
                &count,
                &long(entries.len()),
                &long(place),
                &[0; 2],
            ]
            .concat(),
        );
        out
    }

    fn seen(bytes: &[u8]) -> (Result<(), NotSearched>, Vec<Vec<u8>>) {
        let mut all = Vec::new();
        let result = Unpacker::new(&mut |it| all.push(it.to_vec())).archive(bytes);
        (result, all)
    }

    #[test]
    fn each_member_is_seen_those_of_archives_in_it_too() {
        let inner = zip(&[("b.txt", b"inside")]);
        let bytes = zip(&[("a.txt", b"outside"), ("in.zip", &inner)]);
        assert!(is_archive(&bytes) && !is_archive(&bytes[1..]));
        let (result, all) = seen(&bytes);
        assert_eq!(result, Ok(()));
        for text in [&b"outside"[..], b"inside", b"a.txt", b"b.txt"] {
            assert!(all.iter().any(|it| it == text), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_searched_as_a_whole_is_refused() {
        let mut bytes = zip(&[("a", b"x")]);
        for _ in 0..4 {
            bytes = zip(&[("a.zip", &bytes)]);
        }
        assert!(seen(&bytes).0.unwrap_err().contains("nest"));
        let zeros = vec![0; 1 << 20];
        let bomb = zip(&[("a", &zeros), ("b", &zeros), ("c", &zeros)]);
        assert!(bomb.len() < 1 << 17);
        for (bytes, result) in [(3 << 20, Ok(())), ((3 << 20) - 1, Err(TOO_LARGE))] {
            let mut unpacker = Unpacker { bytes, members: 9, see: &mut |_| {} };
            assert_eq!(unpacker.archive(&bomb), result);
        }
        let many: Vec<(&str, &[u8])> = vec![("a", b""); MOST_MEMBERS + 1];
        assert!(seen(&zip(&many)).0.unwrap_err().contains("members"));
        let plain = zip(&[("a", b"some text")]);
        for (at, byte) in [(plain.len() - 22 - 39, 1), (plain.len() - 22 - 37, 12)] {
            let mut broken = plain.clone();
            broken[at] = byte;
            assert!(seen(&broken).0.is_err(), "{at}");
        }
        for length in 0..plain.len() {
            assert!(seen(&plain[..length]).0.is_err(), "{length}");
        }
    }

    #[test]
    fn members_that_others_could_unpack_are_refused() {
        let packed = |data: &[u8]| {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packer.write_all(data).unwrap();
            packer.finish().unwrap()
        };
        let mut deep = b"text".to_vec();
        for _ in 0..4 {
            deep = packed(&deep);
        }
        let inner = zip(&[("b", b"text")]);
        let members = [
            deep,
            b"BZh91AY&SY".to_vec(),
            b"\xfd7zXZ\0\0".to_vec(),
            [b"#!/bin/sh\n", &*inner].concat(),
            // An archive of nothing, and one behind it.
            [&*zip(&[]), &*inner].concat(),
        ];
        for member in members {
            assert!(seen(&zip(&[("a", &member)])).0.is_err(), "{}", member.escape_ascii());
        }
        assert_eq!(seen(&zip(&[("a", &zip(&[])), ("b", b""), ("c", &packed(&inner))])).0, Ok(()));
    }

    #[test]
    fn members_that_the_list_does_not_name_are_refused() {
        let whole = zip(&[("a", b"first"), ("b", b"second")]);
        let at = |bytes: &[u8], offset: usize| bytes.len() - 22 + offset;
        let mut fewer = whole.clone();
        for offset in [8, 10] {
            fewer[at(&whole, offset)] = 1;
        }
        // A record of no members in the comment of the archive.
        let mut false_end = whole.clone();
        false_end[at(&whole, 20)] = 22;
        false_end.extend_from_slice(&zip(&[]));
        for bytes in [fewer, false_end, [b"x", &*whole].concat(), [&*whole, b"x"].concat()] {
            assert!(seen(&bytes).0.is_err());
        }
        assert_eq!(seen(&whole).0, Ok(()));
    }

    #[test]
    fn streams_of_a_pdf_are_unpacked() {
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(b"hidden text").unwrap();
        let bytes =
            [&b"%PDF-1.4\n1 0 obj <<>> stream\r\n"[..], &packer.finish().unwrap(), b"\nendstream"]
                .concat();
        let mut all = Vec::new();
        Unpacker::new(&mut |it| all.push(it.to_vec())).streams(&bytes);
        assert_eq!(all, [b"hidden text".to_vec()]);
    }
}
