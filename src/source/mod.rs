//! Texts that diagnostics point into.
//!
//! In: paths or texts. Out: [`Sources`], which maps an offset to a line and a column.
//! Never interprets a text: that is the job of [`crate::notebook`].

pub mod credentials;
pub mod json;
pub mod patterns;
pub mod project_file;
pub mod toml_error;

use std::sync::{Arc, OnceLock};

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;
use sha2::{Digest as _, Sha384};

use project_file::{ProjectFileError, ProjectRoot, read_named};

/// Largest file that nbc reads, in bytes. Spans are 32 bits wide and a page of this size opens in
/// no browser; the bound keeps the memory of a build predictable.
pub const MAX_SOURCE_BYTES: u64 = 128 * 1024 * 1024;

/// Names one text in [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId {
    group: u32,
    number: u32,
}

/// A range of bytes in one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The text that `start` and `end` index.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// One past the last byte; never before `start`.
    pub end: u32,
}

impl Span {
    /// Makes a span; an `end` before `start` is taken as empty.
    pub fn new(source: SourceId, start: u32, end: u32) -> Self {
        Self { source, start, end: end.max(start) }
    }
}

/// A place as people say it: both numbers count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineColumn {
    /// Line, from 1.
    pub line: u32,
    /// Column in Unicode scalar values, from 1.
    pub column: u32,
}

/// One text: a file, or a cell of a Jupyter notebook (whose code has no place of its own in the
/// JSON file that a person would recognize).
#[derive(Debug)]
pub struct Source {
    id: SourceId,
    /// Shared by the cells of a notebook, as the text is by what is made of it.
    path: Arc<Utf8Path>,
    cell: Option<u32>,
    text: Arc<str>,
    digest: OnceLock<[u8; 48]>,
    line_starts: Box<[u32]>,
}

impl Source {
    /// Its identity among all sources.
    pub fn id(&self) -> SourceId {
        self.id
    }

    /// The path as the user gave it.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Number of the cell (from 1) when the source is a cell of a Jupyter notebook.
    pub fn cell(&self) -> Option<u32> {
        self.cell
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-384 of the text, which is hashed once: it may be megabytes.
    pub fn digest(&self) -> &[u8; 48] {
        self.digest.get_or_init(|| Sha384::digest(self.text.as_bytes()).into())
    }

    /// The text, to be kept.
    pub(crate) fn shared_text(&self) -> &Arc<str> {
        &self.text
    }

    /// Offsets at which lines start; they end with `\n` only.
    pub(crate) fn line_starts(&self) -> &[u32] {
        &self.line_starts
    }

    /// `report.py`, or `report.ipynb:cell 3`.
    pub fn name(&self) -> String {
        match self.cell {
            Some(cell) => format!("{}:cell {cell}", self.path),
            None => self.path.to_string(),
        }
    }

    /// Line and column of a byte offset; an offset past the end is the end.
    pub fn line_column(&self, offset: u32) -> LineColumn {
        let offset = (offset as usize).min(self.text.len());
        let line = self.line_starts.partition_point(|&start| start as usize <= offset).max(1);
        let start = self.line_starts.get(line - 1).map_or(0, |&start| start as usize);
        let column = self.text.get(start..offset).map_or(0, |prefix| prefix.chars().count());
        LineColumn { line: line as u32, column: column as u32 + 1 }
    }
}

/// All texts of one command.
#[derive(Debug, Default)]
pub struct Sources {
    /// Groups that were read beside each other, by their places.
    others: Vec<Vec<Source>>,
    own: Vec<Source>,
    /// Place of its own group, behind the others or, while they are read, among them.
    place: u32,
}

/// Why a file could not become a source.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file could not be read.
    #[error("cannot read `{path}`: {source}")]
    Unreadable {
        /// The file.
        path: Utf8PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is larger than [`MAX_SOURCE_BYTES`].
    #[error("`{path}` is too large: nbc reads at most {} MiB", MAX_SOURCE_BYTES >> 20)]
    TooLarge {
        /// The file.
        path: Utf8PathBuf,
    },
    /// The file is UTF-16, as some programs of Windows write texts.
    #[error("`{path}` is written in UTF-16: save it as UTF-8")]
    Utf16 {
        /// The file.
        path: Utf8PathBuf,
    },
    /// The file is not UTF-8.
    #[error("`{path}` is not UTF-8: invalid byte at offset {offset}")]
    NotUtf8 {
        /// The file.
        path: Utf8PathBuf,
        /// Offset of the first byte that is not UTF-8.
        offset: usize,
    },
}

impl Sources {
    /// Reads several things at once, on rayon's threads; what is made of each, and all that was read.
    ///
    /// Identifiers, and with them the order of findings, do not depend on which one was read first.
    pub fn each<I: Send, T: Send>(
        items: Vec<I>,
        read: impl Fn(I, &mut Self) -> T + Sync,
    ) -> (Self, Vec<T>) {
        let one = |(place, item): (usize, I)| {
            let mut sources = Self { place: place as u32, ..Self::default() };
            let made = read(item, &mut sources);
            (sources.own, made)
        };
        let (others, made): (Vec<_>, Vec<_>) = items.into_par_iter().enumerate().map(one).unzip();
        let place = others.len() as u32;
        (Self { others, place, ..Self::default() }, made)
    }

    /// Reads a file that the user names.
    ///
    /// # Errors
    /// When the file cannot be read, is no regular file, is too large or is not UTF-8.
    pub fn load(&mut self, path: &Utf8Path) -> Result<SourceId, SourceError> {
        self.take(path.to_owned(), read_named(path, MAX_SOURCE_BYTES))
    }

    /// Reads a file that was found below a folder, and is read there or not at all.
    ///
    /// # Errors
    /// When the file cannot be read, leads elsewhere, is no regular file, is too large or is not UTF-8.
    pub fn load_below(
        &mut self,
        folder: &Utf8Path,
        relative: &Utf8Path,
    ) -> Result<SourceId, SourceError> {
        let read = ProjectRoot::new(folder).read(relative, MAX_SOURCE_BYTES);
        self.take(folder.join(relative), read)
    }

    /// Adds a file that was read before, with the SHA-384 of its bytes.
    ///
    /// # Errors
    /// When they are not UTF-8.
    pub(crate) fn add_read(
        &mut self,
        path: Utf8PathBuf,
        bytes: Vec<u8>,
        digest: [u8; 48],
    ) -> Result<SourceId, SourceError> {
        let id = self.take(path, Ok(bytes))?;
        // Nobody can have asked for the digest yet.
        let _ = self.get(id).digest.set(digest);
        Ok(id)
    }

    fn take(
        &mut self,
        path: Utf8PathBuf,
        read: Result<Vec<u8>, ProjectFileError>,
    ) -> Result<SourceId, SourceError> {
        if read.as_ref().is_ok_and(|it| is_utf16(it)) {
            return Err(SourceError::Utf16 { path });
        }
        match read.and_then(project_file::utf8) {
            Ok(text) => Ok(self.add(path, None, text)),
            Err(ProjectFileError::TooLarge { .. }) => Err(SourceError::TooLarge { path }),
            Err(ProjectFileError::NotUtf8 { offset }) => Err(SourceError::NotUtf8 { path, offset }),
            Err(other) => Err(SourceError::Unreadable { path, source: other.into() }),
        }
    }

    /// Adds a text that is already in memory; `cell` numbers a Jupyter cell from 1.
    pub fn add(&mut self, path: Utf8PathBuf, cell: Option<u32>, text: String) -> SourceId {
        self.push(path.into(), cell, text.into())
    }

    /// Adds a cell, numbered from 1, of a Jupyter notebook that is here already.
    pub(crate) fn add_cell(&mut self, notebook: SourceId, cell: u32, text: Arc<str>) -> SourceId {
        let path = Arc::clone(&self.get(notebook).path);
        self.push(path, Some(cell), text)
    }

    fn push(&mut self, path: Arc<Utf8Path>, cell: Option<u32>, text: Arc<str>) -> SourceId {
        let line_starts = line_starts(&text);
        let id = SourceId { group: self.place, number: self.own.len() as u32 };
        let digest = OnceLock::new();
        self.own.push(Source { id, path, cell, text, digest, line_starts });
        id
    }

    /// The files among the sources.
    pub fn files(&self) -> impl Iterator<Item = &Source> {
        self.others.iter().flatten().chain(&self.own).filter(|it| it.cell.is_none())
    }

    /// The source with this id.
    #[expect(clippy::indexing_slicing, reason = "an id is made only by `add`, which pushed it")]
    pub fn get(&self, id: SourceId) -> &Source {
        let group =
            if id.group == self.place { &self.own } else { &self.others[id.group as usize] };
        &group[id.number as usize]
    }
}

/// Whether bytes begin as a text in UTF-16 does: with its mark, or with two characters of ASCII.
fn is_utf16(bytes: &[u8]) -> bool {
    match bytes {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => true,
        [a, 0, b, 0, ..] | [0, a, 0, b, ..] => *a != 0 && *b != 0,
        _ => false,
    }
}

/// Offsets of the first byte of each line.
fn line_starts(text: &str) -> Box<[u32]> {
    let breaks = memchr::memchr_iter(b'\n', text.as_bytes());
    std::iter::once(0).chain(breaks.map(|at| at as u32 + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_from_one() {
        let mut sources = Sources::default();
        let id = sources.add("a.py".into(), None, "é = 1\nb".to_owned());
        assert_eq!(sources.get(id).line_column(3), LineColumn { line: 1, column: 3 });
        assert_eq!(sources.get(id).line_column(7), LineColumn { line: 2, column: 1 });
        assert_eq!(sources.get(id).line_column(900), LineColumn { line: 2, column: 2 });
    }

    #[test]
    fn what_is_read_at_once_is_in_the_order_in_which_it_was_named() {
        let names: Vec<String> = (0..100).map(|it| format!("{it:03}.ipynb")).collect();
        let (mut sources, ids) = Sources::each(names.clone(), |name, sources| {
            let file = sources.add(name.into(), None, String::new());
            [file, sources.add_cell(file, 1, "x".into())]
        });
        let last = sources.add("last.py".into(), None, String::new());
        assert!(ids.concat().into_iter().chain([last]).is_sorted());
        for (name, [file, cell]) in names.iter().zip(ids) {
            assert_eq!(sources.get(file).path(), name.as_str());
            assert_eq!(sources.get(cell).name(), format!("{name}:cell 1"));
        }
        assert!(
            sources
                .files()
                .map(|it| it.path().as_str())
                .eq(names.iter().map(String::as_str).chain(["last.py"]))
        );
    }
}
