//! File names as text, without loss.
//!
//! In: a name of any bytes. Out: a text that stands for this name and no other, and the name again.

use std::ffi::OsStr;
use std::path::PathBuf;

use camino::Utf8Path;

/// First of 256 characters that stand for bytes, in an area that Unicode gives to nobody.
const BYTES: u32 = 0x10_FF00;

/// A name as text: bytes that are no UTF-8, and characters that could be taken for such, become characters of a private
/// area, so that no name is passed over, and none is taken for another.
#[must_use]
pub fn text_of(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            if u32::from(character) >= BYTES {
                text.extend(character.encode_utf8(&mut [0; 4]).bytes().filter_map(stand_in));
            } else {
                text.push(character);
            }
        }
        text.extend(chunk.invalid().iter().copied().filter_map(stand_in));
    }
    text
}

fn stand_in(byte: u8) -> Option<char> {
    char::from_u32(BYTES + u32::from(byte))
}

/// The path that a text of [`text_of`] means.
#[must_use]
pub fn path_of(text: &Utf8Path) -> PathBuf {
    let mut bytes = Vec::new();
    for character in text.as_str().chars() {
        match u32::from(character).checked_sub(BYTES).map(u8::try_from) {
            Some(Ok(byte)) => bytes.push(byte),
            _ => bytes.extend(character.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    #[cfg(unix)]
    return PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes));
    #[cfg(not(unix))]
    return text.as_std_path().to_owned();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn every_name_has_a_text_of_its_own() {
        use std::os::unix::ffi::OsStrExt as _;
        let names: [&[u8]; 5] =
            [b"caf\xe9", "caf\u{e9}".as_bytes(), "\u{10ffe9}".as_bytes(), b"\xff.env", b"a/b"];
        for name in names {
            let text = text_of(OsStr::from_bytes(name));
            assert_eq!(path_of(Utf8Path::new(&text)).as_os_str().as_bytes(), name);
        }
        assert_ne!(text_of(OsStr::from_bytes(b"\xe9")), text_of(OsStr::new("\u{10ffe9}")));
    }
}
