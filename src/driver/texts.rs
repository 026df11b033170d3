//! Notebooks that were read to see whether anything has changed: the build that follows takes these texts.
//!
//! In: the notebooks of a project. Out: the digest of each, and once the bytes, as long as all of them are few. What is
//! compared and what is built is one reading, so that no change falls between the two.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use camino::Utf8Path;
use rayon::prelude::*;
use sha2::{Digest as _, Sha384};

use super::inputs::Input;
use crate::source::project_file::{ProjectRoot, read_named};
use crate::source::{MAX_SOURCE_BYTES, SourceError, SourceId, Sources};

/// Most bytes that are kept; notebooks beyond them are read again.
const MOST_KEPT: usize = 64 << 20;

/// The SHA-384 of a notebook, and of the other file of its pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digests {
    pub(crate) own: [u8; 48],
    pub(crate) stored: Option<[u8; 48]>,
}

/// Texts that were read and not yet taken.
#[derive(Debug, Default)]
pub(super) struct Texts(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// By path, whose letters are compared faster than its parts.
    texts: BTreeMap<String, (Vec<u8>, [u8; 48])>,
    bytes: usize,
}

impl Texts {
    /// The digests of each notebook, in their order; `None` where one cannot be read.
    pub(super) fn digests(&self, inputs: &[Input]) -> Option<Vec<Digests>> {
        let read = |input: &Input, path: &Utf8Path, relative: &Utf8Path| {
            let bytes = match input.folder() {
                Some(folder) => ProjectRoot::new(folder).read(relative, MAX_SOURCE_BYTES),
                None => read_named(path, MAX_SOURCE_BYTES),
            };
            bytes.ok()
        };
        let one = |input: &Input| {
            let bytes = read(input, &input.path, &input.relative)?;
            let own = Sha384::digest(&bytes).into();
            self.keep(input, bytes, own);
            let stored = match (&input.stored, input.stored_path()) {
                (Some(relative), Some(path)) => {
                    Some(Sha384::digest(read(input, &path, relative)?).into())
                }
                _ => None,
            };
            Some(Digests { own, stored })
        };
        inputs.par_iter().map(one).collect()
    }

    fn keep(&self, input: &Input, bytes: Vec<u8>, digest: [u8; 48]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes.saturating_add(bytes.len()) <= MOST_KEPT {
            kept.bytes += bytes.len();
            kept.texts.insert(input.path.to_string(), (bytes, digest));
        }
    }

    /// The source of a notebook: its text, if it is kept, and else what stands in the file.
    pub(super) fn load(
        &self,
        input: &Input,
        sources: &mut Sources,
    ) -> Result<SourceId, SourceError> {
        let path = input.path.as_str();
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).texts.remove(path);
        match (kept, input.folder()) {
            (Some((bytes, digest)), _) => sources.add_read(input.path.clone(), bytes, digest),
            (None, Some(folder)) => sources.load_below(folder, &input.relative),
            (None, None) => sources.load(&input.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use camino::Utf8PathBuf;

    use super::*;

    #[test]
    fn a_text_that_was_compared_is_the_one_that_is_built_and_is_given_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(folder.path().join("a.py")).unwrap();
        let input = Input {
            path: path.clone(),
            relative: "a.py".into(),
            is_named: false,
            stored: None,
            quarto: Arc::default(),
        };
        let (texts, mut sources) = (Texts::default(), Sources::default());
        fs_err::write(&path, "1").unwrap();
        let digests = texts.digests(std::slice::from_ref(&input)).unwrap();
        fs_err::write(&path, "2").unwrap();
        let first = texts.load(&input, &mut sources).unwrap();
        let second = texts.load(&input, &mut sources).unwrap();
        let (first, second) = (sources.get(first), sources.get(second));
        assert_eq!((first.text(), second.text()), ("1", "2"));
        assert_eq!((first.path(), second.path()), (path.as_path(), path.as_path()));
        assert_eq!(Some(first.digest()), digests.first().map(|it| &it.own));
        assert_eq!(*first.digest(), <[u8; 48]>::from(Sha384::digest("1")));
        fs_err::write(&path, b"\xff").unwrap();
        texts.digests(std::slice::from_ref(&input)).unwrap();
        assert!(texts.load(&input, &mut sources).is_err());
        fs_err::remove_file(&path).unwrap();
        assert!(texts.digests(&[input]).is_none());
    }
}
