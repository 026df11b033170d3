//! Files with metadata of every kind, made here, and what is left of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;

/// Stands for a name, a place, a token.
const MARK: &[u8] = b"MARK-59.33N";

fn has_mark(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, MARK).is_some()
}

fn png_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut sum = flate2::Crc::new();
    sum.update(kind);
    sum.update(data);
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    [&length, &kind[..], data, &sum.sum().to_be_bytes()].concat()
}

fn tiff(orientation: u8) -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    tiff.extend([orientation, 0, 0, 0]);
    tiff.extend(b"\x0e\x01\x02\0\x0b\0\0\0\x26\0\0\0\0\0\0\0");
    tiff.extend(MARK);
    tiff
}

/// A picture whose text has so many bytes more than a mark.
fn png(more: usize) -> Vec<u8> {
    let text = [b"Comment\0", MARK, &vec![b'x'; more]].concat();
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        png_chunk(b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]),
        png_chunk(b"tEXt", &text),
        png_chunk(b"eXIf", &tiff(6)),
        png_chunk(b"iCCP", b"profile\0\0x"),
        png_chunk(b"pHYs", &[0, 0, 1, 0, 0, 0, 1, 0, 1]),
        png_chunk(b"tIME", MARK),
        png_chunk(b"IDAT", &[0x78, 0x9c, 0x63, 0x60, 0, 0, 0, 2, 0, 1]),
        png_chunk(b"iTXt", &[b"XML:com.adobe.xmp\0\0\0\0\0", MARK].concat()),
        png_chunk(b"IEND", b""),
        MARK.to_vec(),
    ]
    .concat()
}

fn segment(marker: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len() + 2).unwrap().to_be_bytes();
    [&[0xff, marker][..], &length, data].concat()
}

fn jpeg() -> Vec<u8> {
    [
        vec![0xff, 0xd8],
        segment(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
        segment(0xe1, &[b"Exif\0\0", &*tiff(6)].concat()),
        segment(0xe1, &[b"http://ns.adobe.com/xap/1.0/\0", MARK].concat()),
        segment(0xe2, b"ICC_PROFILE\0\x01\x01colours"),
        segment(0xe2, &[b"MPF\0", MARK].concat()),
        segment(0xed, &[b"Photoshop 3.0\0", MARK].concat()),
        segment(0xfe, MARK),
        segment(0xdb, &[0; 65]),
        segment(0xc0, &[8, 0, 2, 0, 3, 1, 1, 0x11, 0]),
        segment(0xda, &[1, 1, 0, 0, 63, 0]),
        vec![1, 2, 0xff, 0, 3, 0xff, 0xd0, 4, 0xff, 0xd9],
        MARK.to_vec(),
    ]
    .concat()
}

fn gif() -> Vec<u8> {
    let application = |name: &[u8; 11], data: &[u8]| {
        [&[0x21, 0xff, 11][..], name, &[u8::try_from(data.len()).unwrap()], data, &[0]].concat()
    };
    let length = u8::try_from(MARK.len()).unwrap();
    [
        b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff".to_vec(),
        application(b"NETSCAPE2.0", &[1, 0, 0]),
        application(b"XMP DataXMP", MARK),
        [&[0x21, 0xfe, length][..], MARK, &[0]].concat(),
        b"\x21\xf9\x04\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;".to_vec(),
        MARK.to_vec(),
    ]
    .concat()
}

fn riff_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap().to_le_bytes();
    [&kind[..], &length, data, &vec![0; data.len() % 2]].concat()
}

fn riff(kind: &[u8; 4], chunks: &[Vec<u8>]) -> Vec<u8> {
    riff_chunk(b"RIFF", &[&kind[..], &chunks.concat()].concat())
}

fn webp() -> Vec<u8> {
    riff(
        b"WEBP",
        &[
            riff_chunk(b"VP8X", &[0x2c, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            riff_chunk(b"ICCP", b"colours"),
            riff_chunk(b"VP8L", &[0x2f, 0, 0, 0, 0]),
            riff_chunk(b"EXIF", &tiff(6)),
            riff_chunk(b"XMP ", MARK),
        ],
    )
}

fn wav() -> Vec<u8> {
    let info = [b"INFO", &*riff_chunk(b"IART", MARK)].concat();
    riff(
        b"WAVE",
        &[
            riff_chunk(b"fmt ", &[1, 0, 1, 0, 64, 31, 0, 0, 64, 31, 0, 0, 1, 0, 8, 0]),
            riff_chunk(b"LIST", &info),
            riff_chunk(b"data", b"sound"),
            riff_chunk(b"id3 ", MARK),
        ],
    )
}

fn pdf() -> Vec<u8> {
    let mark = std::str::from_utf8(MARK).unwrap();
    format!(
        "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Metadata 3 0 R >>\nendobj\n\
         2 0 obj\n<< /Author ({mark}) /CreationDate (D:2026) >>\nendobj\n\
         3 0 obj\n<< /Type /Metadata /Subtype /XML /Length 99 >>\nstream\n\
         <?xpacket begin?>{mark}<?xpacket end?>\nendstream\nendobj\n\
         4 0 obj\n<< /Kept true >>\nendobj\n\
         trailer\n<< /Root 1 0 R /Info 2 0 R >>\nstartxref\n9\n%%EOF\n"
    )
    .into_bytes()
}

fn mp4_box(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len() + 8).unwrap().to_be_bytes();
    [&length, &kind[..], data].concat()
}

fn mp4(handler: &[u8; 4]) -> Vec<u8> {
    let handler = [&[0; 8][..], handler, &[0; 12], MARK].concat();
    let track = mp4_box(b"trak", &mp4_box(b"mdia", &mp4_box(b"hdlr", &handler)));
    let moov = [track, mp4_box(b"udta", MARK), mp4_box(b"meta", MARK)].concat();
    [
        mp4_box(b"ftyp", b"isom\0\0\0\0"),
        mp4_box(b"moov", &moov),
        mp4_box(b"uuid", MARK),
        mp4_box(b"mdat", b"film"),
    ]
    .concat()
}

fn mp3() -> Vec<u8> {
    let tail = [b"TAG", MARK, &[0; 114]].concat();
    let length = u8::try_from(MARK.len()).unwrap();
    let ape = [b"APETAGEX\xd0\x07\0\0", &[length + 32, 0, 0, 0][..], &[0; 16]].concat();
    [b"ID3\x04\0\0\0\0\0", &[length][..], MARK, b"\xff\xfb\x90\0sound", MARK, &ape, &tail].concat()
}

fn flac() -> Vec<u8> {
    let length = u8::try_from(MARK.len()).unwrap();
    [b"fLaC\0\0\0\x22", &[0; 34][..], &[0x84, 0, 0, length], MARK, b"\xff\xf8sound"].concat()
}

fn ogg_page(flags: u8, packet: &[u8]) -> Vec<u8> {
    let length = u8::try_from(packet.len()).unwrap();
    [b"OggS\0", &[flags][..], &[0; 8], b"abcd", &[0; 8], &[1, length], packet].concat()
}

fn ogg() -> Vec<u8> {
    let length = u32::try_from(MARK.len()).unwrap().to_le_bytes();
    let comments = [b"\x03vorbis\0\0\0\0\x01\0\0\0", &length[..], MARK, &[1]].concat();
    [ogg_page(2, b"\x01vorbis"), ogg_page(0, &comments), ogg_page(4, b"sound")].concat()
}

fn element(id: &[u8], data: &[u8]) -> Vec<u8> {
    [id, &[0x80 | u8::try_from(data.len()).unwrap()], data].concat()
}

fn webm() -> Vec<u8> {
    let info = [element(b"\x4d\x80", MARK), element(b"\x7b\xa9", MARK)].concat();
    let segment = [
        element(b"\x15\x49\xa9\x66", &info),
        element(b"\x12\x54\xc3\x67", MARK),
        element(b"\x1f\x43\xb6\x75", b"\xe7\x81\0"),
    ]
    .concat();
    [element(b"\x1a\x45\xdf\xa3", b""), element(b"\x18\x53\x80\x67", &segment)].concat()
}

fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("png", png(0)),
        ("jpeg", jpeg()),
        ("gif", gif()),
        ("webp", webp()),
        ("wav", wav()),
        ("pdf", pdf()),
        ("mp4", mp4(b"vide")),
        ("mp3", mp3()),
        ("flac", flac()),
        ("ogg", ogg()),
        ("webm", webm()),
    ]
}

#[test]
fn no_mark_is_left_in_any_kind_and_stripping_twice_is_stripping_once() {
    for (name, bytes) in all() {
        assert!(has_mark(&bytes), "{name}");
        let stripped = strip(&bytes).unwrap_or_else(|it| panic!("{name}: {it}"));
        if name == "mp3" {
            // The mark before APE's footer is a part of the tag.
            assert!(stripped.ends_with(b"sound"), "{name}");
        }
        assert!(!has_mark(&stripped), "{name}: {:?}", String::from_utf8_lossy(&stripped));
        assert!(matches!(strip(&stripped), Ok(Cow::Borrowed(_))), "{name}");
        assert!(texts(&bytes).iter().any(|it| has_mark(it)), "{name}");
    }
}

#[test]
fn what_a_reader_needs_stays() {
    let holds = |bytes: &[u8], part: &[u8]| memchr::memmem::find(bytes, part).is_some();
    let stripped = |bytes: Vec<u8>| strip(&bytes).unwrap().into_owned();
    let (png, jpeg, webp, wav) =
        (stripped(png(0)), stripped(jpeg()), stripped(webp()), stripped(wav()));
    for part in
        [&b"iCCP"[..], b"pHYs", b"IDAT", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06"]
    {
        assert!(holds(&png, part), "{part:?}");
    }
    assert!(png.ends_with(b"IEND\xaeB`\x82"));
    for part in [&b"JFIF"[..], b"colours", b"\x01\x12\0\x03\0\0\0\x01\0\x06"] {
        assert!(holds(&jpeg, part), "{part:?}");
    }
    assert!(jpeg.ends_with(&[1, 2, 0xff, 0, 3, 0xff, 0xd0, 4, 0xff, 0xd9]));
    assert!(holds(&webp, b"colours") && holds(&webp, b"\x01\x12\0\x03\0\0\0\x01\0\x06"));
    assert_eq!(little(&webp, 4, 4), Some(webp.len() - 8));
    assert_eq!(webp.get(20), Some(&0x28));
    assert!(holds(&wav, b"sound") && little(&wav, 4, 4) == Some(wav.len() - 8));
    assert!(holds(&stripped(gif()), b"NETSCAPE2.0"));
    assert!(holds(&stripped(pdf()), b"/Kept true"));
    // Places in these files do not move.
    for (name, bytes) in all() {
        if ["pdf", "mp4", "ogg", "webm"].contains(&name) {
            assert_eq!(strip(&bytes).unwrap().len(), bytes.len(), "{name}");
        }
    }
}

#[test]
fn a_pdf_file_is_read_as_readers_do() {
    let name = std::str::from_utf8(MARK).unwrap();
    for (info, xmp) in [
        ("/#49nfo 2 0 R", "/Type /Metadata"),
        ("/Info% said so\n2\x000\tR", "/#54ype/#4d#65tadata"),
        ("/I#6efo 2 0 R", "/Subtype %\n/XM#4C"),
    ] {
        let bytes = format!(
            "%PDF-1.4\n2 0 obj\n<< /Author (>> {name}) >>\nendobj\n\
             3 0 obj\n<< {xmp} /Length 12 >>\nstream\n{name}\nendstream\nendobj\n\
             trailer\n<< {info} >>\n%%EOF\n"
        );
        let stripped = strip(bytes.as_bytes()).unwrap();
        assert!(!has_mark(&stripped), "{}", String::from_utf8_lossy(&stripped));
        assert_eq!(stripped.len(), bytes.len());
    }
    // A file in the file, and data that by chance look like an object.
    let data = "endstream 2 0 obj << (kept) >> endobj /Info 9 0 R";
    for length in [format!("/Length {}", data.len()), "/Length 7 0 R".to_owned()] {
        let bytes = format!(
            "%PDF-1.4\n2 0 obj\n<< /Author ({name}) >>\nendobj\n\
             5 0 obj\n<< {length} >>\nstream\r\n{data}\nendstream\nendobj\n\
             7 0 obj\n{}\nendobj\ntrailer\n<< /Info 2 0 R >>\n%%EOF\n",
            data.len()
        );
        let stripped = strip(bytes.as_bytes()).unwrap();
        assert!(!has_mark(&stripped));
        let kept = memchr::memmem::find(&stripped, data.as_bytes());
        assert!(kept.is_some(), "{}", String::from_utf8_lossy(&stripped));
    }
    assert!(strip(b"%PDF-1.4\ntrailer << /Info << /Author (Ada) >> >>").is_err());
}

#[test]
fn base64_is_stripped_as_its_bytes_are() {
    for more in 0..6 {
        let bytes = png(more);
        let text = STANDARD.encode(&bytes);
        let expected = STANDARD.encode(strip(&bytes).unwrap());
        assert_eq!(strip_base64(&text).unwrap(), expected, "{more}");
        let page = format!("<img src=\"data:image/png;base64,{text}\"> and text");
        let clean = format!("<img src=\"data:image/png;base64,{expected}\"> and text");
        assert_eq!(cleaned(&page), clean);
        assert!(texts_in(&page).iter().any(|it| has_mark(it)));
        let lines = text.as_bytes().chunks(76).map(|it| std::str::from_utf8(it).unwrap());
        let lines = lines.collect::<Vec<_>>().join("\n");
        assert!(texts_in(&lines).iter().any(|it| has_mark(it)));
    }
}

#[test]
fn a_file_that_is_not_built_like_its_kind_is_refused() {
    for bytes in [
        &b"\xff\xd8\xff\xe0\0\x02plain"[..],
        b"\x89PNG\r\n\x1a\n\0\0\0\0\0\0\0\0\0\0\0\0",
        b"GIF89a\x01\0\x01\0\0\0\0plain",
        b"fLaCplain",
        b"OggSplain",
        b"%PDF-1.5\ntrailer << /Info 7 0 R >>",
        b"\x1a\x45\xdf\xa3\0",
        b"\0\0\0\x10ftypavif\0\0\0\0",
        &mp4(b"meta"),
    ] {
        assert!(strip(bytes).is_err(), "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic_and_twice_is_once(
        kind in 0_usize..11,
        keep in 0_usize..300,
        noise in proptest::collection::vec((0_usize..300, any::<u8>()), 0..6),
    ) {
        let (_, mut bytes) = all().swap_remove(kind);
        bytes.truncate(keep.max(12));
        for (at, byte) in noise {
            if let Some(it) = bytes.get_mut(at) {
                *it = byte;
            }
        }
        let _ = texts(&bytes);
        let text = STANDARD.encode(&bytes);
        let encoded = strip_base64(&text);
        if let Ok(once) = strip(&bytes) {
            let encoded = encoded.unwrap();
            prop_assert_eq!(&*encoded, &STANDARD.encode(&once));
            if let Ok(twice) = strip(&once) {
                prop_assert_eq!(&*twice, &*once);
            }
        }
    }
}

fn cleaned(text: &str) -> String {
    strip_in_text(text, TextOf::Page).text.into_owned()
}

#[test]
fn the_beginning_of_a_file_in_code_stays_as_it_is() {
    let pictures = [(&STANDARD.encode(png(0)), 44), (&STANDARD.encode(jpeg()), 22)];
    for (text, most) in pictures {
        for length in 0..=most {
            let code = format!("x = \"data:image/png;base64,{}\"", text.get(..length).unwrap());
            let cleaned = strip_in_text(&code, TextOf::Source);
            assert_eq!((&*cleaned.text, cleaned.refused), (&*code, 0));
        }
    }
    // The same beginning with more digits than an example has.
    let long =
        [png(0).get(..33).unwrap(), png_chunk(b"IDAT", &[7; 99]).get(..80).unwrap()].concat();
    let code = format!("data:image/png;base64,{}", STANDARD.encode(long).trim_end_matches('='));
    assert_eq!(strip_in_text(&code, TextOf::Source).text, code);
}

#[test]
fn a_film_of_pictures_repeats_as_it_did() {
    let application = b"\x21\xff\x0bNETSCAPE2.0";
    let film =
        |blocks: &[u8]| [&b"GIF89a\x01\0\x01\0\0\0\0"[..], application, blocks, b"\0\x3b"].concat();
    let (times, buffer) = (b"\x03\x01\x05\0", b"\x05\x02\0\0\x01\0");
    let named = [&[11][..], MARK].concat();
    for blocks in [[&times[..], buffer].concat(), [&buffer[..], times, &named].concat()] {
        assert_eq!(strip(&film(&blocks)).unwrap(), film(times));
    }
}

#[test]
fn a_photo_with_padding_between_its_segments_is_shown() {
    let mut padded = jpeg();
    let at = memchr::memmem::find(&padded, &[0xff, 0xdb]).unwrap();
    padded.splice(at..at, [0, 0]);
    assert_eq!(strip(&padded).unwrap(), strip(&jpeg()).unwrap());
}

#[test]
fn files_are_found_however_a_text_writes_them() {
    let text = STANDARD.encode(jpeg());
    let clean = STANDARD.encode(strip(&jpeg()).unwrap());
    let wrapped = |between: &str| {
        let lines = text.as_bytes().chunks(76).map(|it| std::str::from_utf8(it).unwrap());
        lines.collect::<Vec<_>>().join(between)
    };
    for written in [
        text.replace('/', "\\u002f"),
        text.replace('/', "\\\\u002F"),
        text.replace('/', "\\/").replace('+', "\\u002b"),
        text.replace('/', "\\x2f"),
        text.replace('/', "\\2f "),
        text.replace('/', "&#47;").replace('=', "&#x3d;"),
        text.replace('/', "%2F").replace('+', "%2B"),
        wrapped("\n"),
        wrapped("\r\n  "),
        wrapped("\\n"),
        wrapped("\\\n"),
        wrapped("%0A"),
    ] {
        for mark in ["data:image/jpeg;base64,", "DATA:image\\/jpeg;BASE64,", "data:;base64\\u002c"]
        {
            let page = format!("a \"{mark}{written}\" b");
            assert_eq!(cleaned(&page), format!("a \"{mark}{clean}\" b"));
            assert!(texts_in(&page).iter().any(|it| has_mark(it)), "{page}");
        }
    }
    // Words below a file are none of it.
    for prose in ["\nThanks\n", "\n\nThanks\n", " Thanks", "\nThanks to all"] {
        let page = format!("![a](data:image/jpeg;base64,{text}{prose}");
        assert_eq!(cleaned(&page), format!("![a](data:image/jpeg;base64,{clean}{prose}"));
    }
}

#[test]
fn a_picture_of_a_kind_that_is_not_understood_is_left_out_of_pages() {
    let unknown = STANDARD.encode([b"BM", MARK, &[7; 90]].concat());
    let page = format!("url(data:image/bmp;base64,{unknown})");
    let cleaned = strip_in_text(&page, TextOf::Page);
    assert_eq!((&*cleaned.text, cleaned.refused), ("url(data:image/bmp;base64,)", 1));
    assert_eq!(strip_in_text(&page, TextOf::Source).text, page);
    for (kind, bytes) in [("tiff", &tiff(6)[..]), ("avif", b"\0\0\0\x10ftypavif\0\0\0\0")] {
        let bytes = [bytes, &[7; 90]].concat();
        let page = format!("url(data:image/{kind};base64,{})", STANDARD.encode(bytes));
        for text in [TextOf::Page, TextOf::Source] {
            assert_eq!(strip_in_text(&page, text).refused, 1, "{kind}");
        }
    }
}

#[test]
fn svg_keeps_what_is_drawn() {
    let mark = std::str::from_utf8(MARK).unwrap();
    let photo = STANDARD.encode(jpeg());
    let clean = STANDARD.encode(strip(&jpeg()).unwrap());
    let drawing = |photo: &str, notes: [String; 4]| {
        let [before, inside, attribute, child] = notes;
        format!(
            "<?xml version=\"1.0\"?>\n{before}<svg xmlns=\"http://www.w3.org/2000/svg\"{attribute} width='9'>{inside}\
             <g id='a > b'{attribute}><path d=\"M0 0\"/>{child}</g><image href=\"data:image/jpeg;base64,{photo}\"/></svg>"
        )
    };
    let with = drawing(
        &photo,
        [
            format!("<!-- {mark} -->"),
            format!("<metadata><rdf:RDF><dc:creator>{mark}</dc:creator><x/></rdf:RDF></metadata>"),
            format!(" inkscape:export-filename = '/home/{mark}'"),
            format!("<sodipodi:namedview name=\"{mark}\"/><?xpacket {mark}?>"),
        ],
    );
    let without = drawing(&clean, [const { String::new() }; 4]);
    assert_eq!(strip(with.as_bytes()).unwrap(), without.as_bytes());
    assert!(matches!(strip(without.as_bytes()), Ok(Cow::Borrowed(_))));
    assert!(texts(with.as_bytes()).iter().any(|it| has_mark(it)));
    for refused in ["<!DOCTYPE svg [<!ENTITY a 'b'>]><svg/>", "\u{feff}<svg a='"] {
        assert!(strip(refused.as_bytes()).is_err(), "{refused}");
    }
    for other in
        ["<?xml version='1.0'?><!-- x --><kml><metadata/></kml>", "<!DOCTYPE html><!-- x --><p>"]
    {
        assert!(matches!(strip(other.as_bytes()), Ok(Cow::Borrowed(_))), "{other}");
    }
}

#[test]
fn what_players_need_stays_and_wide_letters_are_searched() {
    let format = riff_chunk(b"fmt ", &[2; 50]);
    let sound = riff(b"WAVE", &[format, riff_chunk(b"data", b"sound")]);
    assert!(matches!(strip(&sound), Ok(Cow::Borrowed(_))));
    let light = [png_chunk(b"cLLI", &[1; 8]), png_chunk(b"mDCV", &[1; 24])].concat();
    let end = png_chunk(b"IEND", b"");
    let picture = [png(0).get(..33).unwrap(), &light, &end].concat();
    assert!(matches!(strip(&picture), Ok(Cow::Borrowed(_))));
    for brand in [b"miaf", b"avio"] {
        assert!(strip(&[b"\0\0\0\x10ftyp", &brand[..], &[0; 4]].concat()).is_err());
    }
    let wide: Vec<u8> = MARK.iter().flat_map(|it| [*it, 0]).collect();
    let far = [&b"Comment\0"[..], &vec![b'x'; 2 << 20], &wide].concat();
    let picture = [png(0).get(..33).unwrap(), &png_chunk(b"tEXt", &far), &end].concat();
    assert!(texts(&picture).iter().any(|it| has_mark(it)));
    assert!(texts_in(&STANDARD.encode(&picture)).iter().any(|it| has_mark(it)));
}

#[test]
fn packed_texts_of_a_picture_are_unpacked_to_so_many_bytes_and_no_more() {
    use std::io::Write as _;
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(&vec![b'a'; 1 << 20]).unwrap();
    let bomb = png_chunk(b"zTXt", &[b"k\0\0".as_slice(), &packer.finish().unwrap()].concat());
    let mut picture = b"\x89PNG\r\n\x1a\n".to_vec();
    picture.extend(png_chunk(b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]));
    picture.extend(bomb.repeat(64));
    picture.extend(png_chunk(b"IEND", b""));
    for found in [texts(&picture), encoded::texts_of(&STANDARD.encode(&picture))] {
        let unpacked: usize = found.iter().map(Vec::len).filter(|it| *it >= 1 << 19).sum();
        assert_eq!(unpacked, 16 << 20);
    }
}

#[test]
fn information_of_a_pdf_file_in_objects_of_its_own_goes() {
    let mark = std::str::from_utf8(MARK).unwrap();
    let hex: String = MARK.iter().map(|it| format!("{it:02x}")).collect();
    let file = |info: &str, more: &str| {
        format!(
            "%PDF-1.3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n2 0 obj\n<< {info} >>\nendobj\n{more}\n\
             trailer\n<< /Root 1 0 R /Info 2 0 R >>\n%%EOF\n"
        )
    };
    // The form that macOS writes, and an earlier version of the same object.
    for (info, more) in [
        ("/Author 6 0 R /Trapped /False", format!("6 0 obj\n({mark})\nendobj")),
        ("/Title 6%\n0\tR", format!("6 0 obj ( a \\) ( {mark} ) endobj ) endobj")),
        ("/Author 6 0 R", format!("6 0 obj\n<{hex}>\nendobj\n6 0 obj ({mark}) endobj")),
        ("/Count 5 0 R", "5 0 obj 12 endobj".to_owned()),
    ] {
        let bytes = file(info, &more);
        let stripped = strip(bytes.as_bytes()).unwrap();
        let is_left = memchr::memmem::find(&stripped, hex.as_bytes()).is_some();
        assert!(!has_mark(&stripped) && !is_left, "{}", String::from_utf8_lossy(&stripped));
        assert_eq!(stripped.len(), bytes.len());
        assert!(memchr::memmem::find(&stripped, b"/Type /Catalog").is_some());
    }
    // Words in a string are none, neither the end of an object nor a reference.
    let bytes = file(&format!("/Title (see 1 0 R, endobj) /Author ({mark})"), "");
    let stripped = strip(bytes.as_bytes()).unwrap();
    assert!(!has_mark(&stripped) && memchr::memmem::find(&stripped, b"/Catalog").is_some());
    let bytes = file(&format!("/Title (>> stream\nendstream endobj) /Author ({mark})"), "");
    assert!(!has_mark(&strip(bytes.as_bytes()).unwrap()));
    // Objects that are not to be seen, and others than texts.
    assert!(strip(file("/Author 6 0 R", "").as_bytes()).is_err());
    let values = format!("6 0 obj << /Name ({mark}) >> endobj");
    assert!(strip(file("/Author 6 0 R", &values).as_bytes()).is_err());
    // A string that does not end makes the file no longer than it is.
    let _ = strip(file("/Author (never ends", "3 0 obj (x) endobj").as_bytes());
}

#[test]
fn what_a_film_says_of_its_codecs_and_places_goes() {
    let entry = |format: &[u8; 4], fields: usize, children: &[u8]| {
        let fields: Vec<u8> = std::iter::repeat_n(0, fields).collect();
        mp4_box(format, &[&fields, children].concat())
    };
    let film = |entry: &[u8], reference: &[u8]| {
        let list = |kind, items: &[u8]| mp4_box(kind, &[&[0, 0, 0, 0, 0, 0, 0, 1], items].concat());
        let places = mp4_box(b"dinf", &list(b"dref", reference));
        let table = mp4_box(b"stbl", &list(b"stsd", entry));
        let media = mp4_box(b"minf", &[places, table].concat());
        let moov = mp4_box(b"trak", &mp4_box(b"mdia", &media));
        [mp4_box(b"ftyp", b"isom\0\0\0\0"), mp4_box(b"moov", &moov)].concat()
    };
    let children = [mp4_box(b"avcC", b"decode"), mp4_box(b"udta", MARK), mp4_box(b"uuid", MARK)];
    let children = [children.concat(), vec![0; 4]].concat();
    let own = mp4_box(b"url ", &[0, 0, 0, 1]);
    let mut named = entry(b"avc1", 78, &children);
    named.splice(8 + 43..8 + 43 + MARK.len(), MARK.iter().copied());
    let comments = [&[0x84, 0, 0, 11][..], MARK].concat();
    let flac = [&[0, 0, 0, 0, 0, 0, 0, 34][..], &[7; 34], &comments].concat();
    let path = |kind| mp4_box(kind, &[&[0, 0, 0, 0][..], MARK].concat());
    let mut second = entry(b"mp4a", 44, &mp4_box(b"wave", &mp4_box(b"name", MARK)));
    second.splice(16..18, [0, 1]);
    second.splice(36..40, [0, 0, 4, 0]);
    for (film, kept) in [
        (film(&named, &own), &b"avcCdecode"[..]),
        (film(&entry(b"fLaC", 28, &mp4_box(b"dfLa", &flac)), &own), &[7; 34]),
        (film(&second, &own), b"wave"),
        (film(&entry(b"vp09", 78, b""), &path(b"alis")), b"\0\0\0\x17alis\0\0\0\x01\0"),
        (film(&entry(b"vp09", 78, b""), &path(b"url ")), b"url \0\0\0\x01\0"),
    ] {
        assert!(has_mark(&film));
        let stripped = strip(&film).unwrap();
        assert!(!has_mark(&stripped) && stripped.len() == film.len());
        let holds = memchr::memmem::find(&stripped, kept).is_some();
        assert!(holds, "{}", String::from_utf8_lossy(&stripped));
        assert!(matches!(strip(&stripped), Ok(Cow::Borrowed(_))));
    }
    assert!(strip(&film(&entry(b"mett", 78, MARK), &own)).is_err());
}

#[test]
fn comments_that_webm_keeps_with_its_codec_go() {
    let film = |codec: &[u8], private: &[u8]| {
        let length = u16::try_from(private.len()).unwrap() | 0x4000;
        let private = [b"\x63\xa2", &length.to_be_bytes()[..], private].concat();
        let track = [element(b"\x86", codec), private].concat();
        let track = [&[0xae, 0x40, u8::try_from(track.len()).unwrap()][..], &track].concat();
        let tracks =
            [b"\x16\x54\xae\x6b\x40", &[u8::try_from(track.len()).unwrap()][..], &track].concat();
        let segment =
            [b"\x18\x53\x80\x67\x40", &[u8::try_from(tracks.len()).unwrap()][..], &tracks].concat();
        [element(b"\x1a\x45\xdf\xa3", b""), segment].concat()
    };
    let comments = [b"\x03vorbis\x02\0\0\0ab\x01\0\0\0\x0b\0\0\0", MARK, b"\x01"].concat();
    let lengths = [2, 7, u8::try_from(comments.len()).unwrap()];
    let vorbis = [&lengths[..], b"\x01vorbis", &comments, b"\x05vorbis"].concat();
    let flac = [b"fLaC\0\0\0\x22", &[7; 34][..], b"\x84\0\0\x0b", MARK].concat();
    let titled = [b"[Script Info]\nTitle: ", MARK].concat();
    for (codec, private, kept) in [
        (&b"A_VORBIS"[..], &vorbis, Some(&b"\x05vorbis"[..])),
        (b"A_FLAC", &flac, Some(&[7; 34])),
        (b"S_TEXT/ASS", &titled, None),
    ] {
        let film = film(codec, private);
        let stripped = strip(&film).unwrap();
        assert!(has_mark(&film) && !has_mark(&stripped) && film.len() == stripped.len());
        assert!(kept.is_none_or(|it| memchr::memmem::find(&stripped, it).is_some()));
        assert!(matches!(strip(&stripped), Ok(Cow::Borrowed(_))));
    }
    assert!(strip(&film(b"A_VORBIS", b"\x02\x07\x09\x01vorbis\x03othersound")).is_err());
    let other = film(b"A_AAC", b"\x02\x01");
    assert!(matches!(strip(&other), Ok(Cow::Borrowed(_))));
}

#[test]
fn tags_at_odd_places_of_sound_go() {
    let frame = [b"\xff\xfb\x90\0", &[b'~'; 40][..]].concat();
    let length = u8::try_from(MARK.len()).unwrap();
    let second = [b"ID3\x03\0\0\0\0\0", &[length][..], MARK].concat();
    let first = [b"TAG", MARK, &[0; 30 - 11], &[b'a'; 30], &[0; 65]].concat();
    let ape = [b"APETAGEX\xd0\x07\0\0", &[length + 32, 0, 0, 0][..], &[0; 16]].concat();
    let ape = [MARK, &ape].concat();
    let join = |parts: &[&[u8]]| parts.concat();
    let clean = join(&[&frame, &frame]);
    assert_eq!(first.len(), 128);
    for (file, expected) in [
        (join(&[&frame, &frame, &second]), clean.clone()),
        (join(&[&second, &frame, &second, &frame]), clean.clone()),
        (join(&[&frame, &first, &second, &frame, &first]), clean.clone()),
        (join(&[&frame, &ape, &frame, &ape]), clean.clone()),
        (join(&[&frame, &frame, &first, &[0; 64]]), join(&[&clean, &[0; 64]])),
    ] {
        assert!(has_mark(&file));
        let stripped = strip(&file).unwrap();
        assert_eq!(stripped, expected);
        assert!(matches!(strip(&stripped), Ok(Cow::Borrowed(_))));
    }
    // Letters in the sound are none of these.
    let sound = join(&[&frame, b"ID3\xff~TAG~\x01\x02APETAGEX~", &[b'~'; 200], &frame]);
    assert!(matches!(strip(&sound), Ok(Cow::Borrowed(_))));
}

#[test]
fn a_colour_profile_loses_its_name_and_stays() {
    let profile = [MARK, b"\0\0packed colours"].concat();
    let picture =
        |chunk: &[u8]| [png(0).get(..33).unwrap(), chunk, &png_chunk(b"IEND", b"")].concat();
    let named = picture(&png_chunk(b"iCCP", &profile));
    let unnamed = picture(&png_chunk(b"iCCP", b"iccicciccic\0\0packed colours"));
    assert_eq!(strip(&named).unwrap(), unnamed);
    assert_eq!(strip_base64(&STANDARD.encode(&named)).unwrap(), STANDARD.encode(&unnamed));
    assert!(matches!(strip(&unnamed), Ok(Cow::Borrowed(_))));
    assert!(texts(&named).iter().any(|it| has_mark(it)));
    assert!(strip(&picture(&png_chunk(b"iCCP", &[b'a'; 90]))).is_err());
}
