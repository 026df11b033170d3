//! Checks the result of a build before anything opens it: a plain wheel of that package, or nothing.

use std::collections::BTreeSet;

use super::super::names::normalized;

/// Most files, and most bytes of all of them when they are unpacked.
const MOST_FILES: usize = 50_000;
const LARGEST: u64 = 2 << 30;
/// Longest name of the wheel, and of a file in it.
const LONGEST_NAME: usize = 255;
const LONGEST_PATH: usize = 1024;

const END: &[u8] = b"PK\x05\x06";
const END_LENGTH: usize = 22;
const ENTRY: &[u8] = b"PK\x01\x02";
const ENTRY_LENGTH: usize = 46;
const LOCAL: &[u8] = b"PK\x03\x04";

/// Why some bytes are no wheel of a package; the reason, for a person.
pub(super) fn check(file: &str, data: &[u8], name: &str, version: &str) -> Result<(), String> {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_.+!".contains(it);
    let stem = file.strip_suffix(".whl").unwrap_or_default();
    let parts: Vec<&str> = stem.split('-').collect();
    let (Some(own_name), Some(own_version), 5 | 6) = (parts.first(), parts.get(1), parts.len())
    else {
        return Err(format!("`{file}` is no name of a wheel"));
    };
    if file.len() > LONGEST_NAME || !stem.chars().all(is_plain) || stem.starts_with(['.', '-']) {
        return Err(format!("`{file}` is no name of a wheel"));
    }
    let versions = [canonical(own_version), canonical(version)];
    if normalized(own_name) != normalized(name) || versions[0] != versions[1] {
        return Err(format!("it made `{file}`, and {name} {version} was asked for"));
    }
    let names = entries(data)?;
    let mut metadata = names.iter().filter_map(|it| it.strip_suffix("/METADATA"));
    let info = metadata.find_map(|it| it.strip_suffix(".dist-info"));
    let info = info.and_then(|it| it.rsplit_once('-'));
    match info {
        Some((it, own)) if normalized(it) == normalized(name) && canonical(own) == versions[1] => {
            Ok(())
        }
        _ => Err(format!("the wheel has no metadata of {name} {version}")),
    }
}

/// Versions that backends write in several ways: `1.0_1`, `1.0+1`, `1.0.post1`.
fn canonical(version: &str) -> String {
    version.to_ascii_lowercase().replace(['_', '-', '+'], ".")
}

/// The names in the directory of a zip file that is nothing but that.
fn entries(data: &[u8]) -> Result<BTreeSet<&str>, String> {
    let broken = || "the wheel is no plain zip file".to_owned();
    let at = data.len().checked_sub(END_LENGTH).ok_or_else(broken)?;
    // Without a comment the end is at the end, so that every reader finds the same one.
    let end = data.get(at..).filter(|it| it.starts_with(END)).ok_or_else(broken)?;
    let count = short(end, 10).ok_or_else(broken)?;
    let size = long(end, 12).ok_or_else(broken)?;
    let start = long(end, 16).ok_or_else(broken)?;
    // One disk, and a directory right before the end. More than 65534 files would need another format.
    let disks = [short(end, 4), short(end, 6)];
    let is_whole = start.checked_add(size) == Some(at) && disks == [Some(0), Some(0)];
    if !is_whole || short(end, 8) != Some(count) || count > MOST_FILES || !data.starts_with(LOCAL) {
        return Err(broken());
    }
    let mut rest = data.get(start..at).ok_or_else(broken)?;
    let (mut names, mut total) = (BTreeSet::new(), 0_u64);
    for _ in 0..count {
        let head = rest.get(..ENTRY_LENGTH).filter(|it| it.starts_with(ENTRY));
        let head = head.ok_or_else(broken)?;
        let field = |place| short(head, place).ok_or_else(broken);
        let (flags, method) = (field(8)?, field(10)?);
        let (name, extra, comment) = (field(28)?, field(30)?, field(32)?);
        let unpacked = long(head, 24).ok_or_else(broken)?;
        let attributes = long(head, 38).ok_or_else(broken)?;
        let bytes = rest.get(ENTRY_LENGTH..ENTRY_LENGTH + name).ok_or_else(broken)?;
        let path = std::str::from_utf8(bytes).map_err(|_| broken())?;
        // Encrypted, or packed by a method that not every installer knows.
        if flags & 1 != 0 || ![0, 8].contains(&method) {
            return Err(broken());
        }
        let kind = (attributes >> 16) & 0o170_000;
        if !is_plain(path) || ![0, 0o100_000, 0o040_000].contains(&kind) {
            return Err(format!("the wheel holds `{}`", path.escape_debug()));
        }
        if !names.insert(path) {
            return Err(format!("the wheel holds `{path}` twice"));
        }
        total = total.saturating_add(unpacked as u64);
        rest = rest.get(ENTRY_LENGTH + name + extra + comment..).ok_or_else(broken)?;
    }
    if !rest.is_empty() {
        return Err(broken());
    }
    if total > LARGEST {
        return Err("the wheel is too large when it is unpacked".to_owned());
    }
    Ok(names)
}

/// A relative path that leads down, whoever reads it.
fn is_plain(path: &str) -> bool {
    let parts = path.strip_suffix('/').unwrap_or(path).split('/');
    path.len() <= LONGEST_PATH
        && !path.chars().any(|it| it.is_control() || it == '\\' || it == ':')
        && parts.into_iter().all(|it| !it.is_empty() && it != "." && it != "..")
}

fn short(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(usize::from(u16::from_le_bytes(bytes)))
}

fn long(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A zip file with empty files of these names and attributes.
    fn zip(files: &[(&str, u32, u32)]) -> Vec<u8> {
        let (mut data, mut directory) = (Vec::new(), Vec::new());
        for (name, unpacked, mode) in files {
            let start = data.len() as u32;
            let length = (name.len() as u16).to_le_bytes();
            data.extend([LOCAL, &[0; 22], &length, &[0; 2], name.as_bytes()].concat());
            let mode = (mode << 16).to_le_bytes();
            directory.extend([ENTRY, &[0; 20], &unpacked.to_le_bytes(), &length].concat());
            directory.extend([&[0; 8][..], &mode, &start.to_le_bytes(), name.as_bytes()].concat());
        }
        let (start, size) =
            ((data.len() as u32).to_le_bytes(), (directory.len() as u32).to_le_bytes());
        let count = (files.len() as u16).to_le_bytes();
        data.extend(directory);
        data.extend([END, &[0; 4], &count, &count, &size, &start, &[0; 2]].concat());
        data
    }

    const METADATA: (&str, u32, u32) = ("a_b-1.0.dist-info/METADATA", 1, 0);
    const FILE: &str = "a_b-1.0-py3-none-any.whl";

    #[test]
    fn a_wheel_of_the_package_is_taken() {
        let data = zip(&[("a_b.py", 1, 0o100_644), METADATA]);
        assert_eq!(check(FILE, &data, "a-b", "1.0"), Ok(()));
        let local = zip(&[("a_b-1.0+x.1.dist-info/METADATA", 1, 0)]);
        assert_eq!(check("a_b-1.0+x.1-1-cp311-cp311-linux.whl", &local, "A.b", "1.0+x.1"), Ok(()));
    }

    #[test]
    fn a_wheel_of_something_else_is_refused() {
        let data = zip(&[METADATA]);
        for bad in [
            "a_b-1.0.whl",
            "a_b-1.0.tar.gz",
            "a_b-2.0-py3-none-any.whl",
            "other-1.0-py3-none-any.whl",
            "../a_b-1.0-py3-none-any.whl",
            ".whl",
        ] {
            assert!(check(bad, &data, "a-b", "1.0").is_err(), "{bad}");
        }
        for bad in ["other-1.0.dist-info/METADATA", "a_b-2.0.dist-info/METADATA", "a_b.py"] {
            assert!(check(FILE, &zip(&[(bad, 1, 0)]), "a-b", "1.0").is_err(), "{bad}");
        }
    }

    #[test]
    fn a_wheel_that_is_no_plain_archive_is_refused() {
        for bad in
            ["/etc/x", "../x", "a/../../x", "a//b", "./a", "a\\b", "c:x", "a\nb", "", METADATA.0]
        {
            assert!(check(FILE, &zip(&[(bad, 1, 0), METADATA]), "a-b", "1.0").is_err(), "{bad}");
        }
        let link = zip(&[("link", 1, 0o120_777), METADATA]);
        let bomb = zip(&[("x", u32::MAX, 0), METADATA]);
        let whole = zip(&[METADATA]);
        let torn: Vec<u8> = whole.iter().copied().take(40).collect();
        let trailing = [whole.as_slice(), b"x"].concat();
        let leading = [b"#!/bin/sh\n", whole.as_slice()].concat();
        for bad in [&link, &bomb, &trailing, &leading, &torn, &Vec::new()] {
            assert!(check(FILE, bad, "a-b", "1.0").is_err());
        }
    }
}
