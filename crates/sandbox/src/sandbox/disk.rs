//! Disk space of a run whose temporary folder lies on the host's disk, measured since no file system bounds it.

use std::collections::BTreeMap;
use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::process::Pid;

use super::memory::PERIOD;
use super::processes::{open_files, own_time, tree};

/// The temporary folder of a run that lies on the host's disk.
#[derive(Debug)]
pub(super) struct Disk {
    folder: Utf8PathBuf,
    look_at: Instant,
}

impl Disk {
    pub(super) fn new(folder: Utf8PathBuf) -> Self {
        Self { folder, look_at: Instant::now() }
    }

    /// Walks the folder, a few times a second at most and never for most of the time.
    pub(super) fn holds_more_than(&mut self, bytes: u64, first: Pid) -> bool {
        if Instant::now() < self.look_at {
            return false;
        }
        let used = own_time();
        let held = size_of_folder(&self.folder) + files_without_names(&tree(first), &self.folder);
        self.look_at = Instant::now() + PERIOD.max(own_time().saturating_sub(used) * 4);
        held > bytes
    }
}

/// Disk space of all files, and a page for each name, since names take space too.
fn size_of_folder(folder: &Utf8Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;

    let files = walkdir::WalkDir::new(folder).into_iter().flatten();
    files.map(|it| it.metadata().map_or(0, |it| it.blocks() * 512) + 4096).sum()
}

/// Files of the folder that were removed, and take up space while a process has them open or mapped.
fn files_without_names(tree: &[i32], folder: &Utf8Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;

    let mut sizes = BTreeMap::new();
    for pid in tree {
        for file in open_files(*pid) {
            let Ok(metadata) = std::fs::metadata(&file) else { continue };
            if metadata.is_file() && metadata.nlink() == 0 {
                sizes.insert((metadata.dev(), metadata.ino()), metadata.blocks() * 512);
            }
        }
        // Whoever maps a file may close it.
        let Ok(maps) = fs_err::read_to_string(format!("/proc/{pid}/maps")) else { continue };
        for line in maps.lines().filter(|it| it.ends_with("(deleted)")) {
            if let Some((inode, size)) = removed_mapping(line, folder) {
                let size_so_far = sizes.entry((0, inode)).or_default();
                *size_so_far = size.max(*size_so_far);
            }
        }
    }
    sizes.values().sum()
}

/// Inode and end, within the file, of a mapping of a file that was in this folder.
fn removed_mapping(line: &str, folder: &Utf8Path) -> Option<(u64, u64)> {
    let mut fields = line.splitn(6, ' ');
    let (from, to) = fields.next()?.split_once('-')?;
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let (offset, inode) = (number(fields.nth(1)?)?, fields.nth(1)?.parse().ok()?);
    let path = fields.next()?.trim_start();
    let size = number(to)?.checked_sub(number(from)?)?.checked_add(offset)?;
    path.starts_with(folder.as_str()).then_some((inode, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_of_a_removed_file_counts_to_its_end() {
        let line =
            "7f00-9f00 rw-s 00001000 fe:01 77                         /tmp/nbc-run-1/a b (deleted)";
        let folder = Utf8Path::new("/tmp/nbc-run-1");
        assert_eq!(removed_mapping(line, folder), Some((77, 0x3000)));
        assert_eq!(removed_mapping(line, Utf8Path::new("/tmp/other")), None);
    }
}
