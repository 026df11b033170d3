//! The orientation of a picture, the only thing of EXIF that a reader needs.

use super::{big, little};

/// Which way up a picture is: 2 to 8. 1, the usual way, needs no word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Orientation(u8);

impl Orientation {
    /// Reads it from a TIFF structure.
    pub(super) fn of(tiff: &[u8]) -> Option<Self> {
        let read = match tiff.get(..4)? {
            b"II*\0" => little,
            b"MM\0*" => big,
            _ => return None,
        };
        let folder = read(tiff, 4, 4)?;
        let entries = read(tiff, folder, 2)?;
        for idx in 0..entries {
            let at = folder.checked_add(2 + 12 * idx)?;
            if read(tiff, at, 2)? == 0x0112 && read(tiff, at + 2, 2)? == 3 {
                let value = u8::try_from(read(tiff, at + 8, 2)?).ok()?;
                return (2..=8).contains(&value).then_some(Self(value));
            }
        }
        None
    }

    /// The smallest TIFF structure that says it.
    pub(super) fn tiff(self) -> Vec<u8> {
        let mut tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
        tiff.extend([self.0, 0, 0, 0, 0, 0, 0]);
        tiff
    }
}
