//! The files of a folder that ignore files leave in.
//!
//! In: a folder, patterns of `exclude`. Out: the paths of its regular files. The ignore files are read as files that
//! others wrote, which the walk of the crate `ignore` does not do: a `.gitignore` that is a link to `/dev/zero`
//! takes all memory there, and one that is a pipe never ends.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use ignore::overrides::Override;

use super::inputs::InputError;
use crate::source::project_file::{MOST_PROJECT_BYTES, ProjectFileError, ProjectRoot, read_named};

/// What the ignore files of a folder say, and those above it.
struct Level {
    above: Option<Arc<Level>>,
    /// `.ignore`, `.gitignore` and `.git/info/exclude`, the stronger first.
    lists: [Gitignore; 3],
    /// Whether a repository begins here: the lists of git of the folders above are not its own.
    is_repository: bool,
}

impl Level {
    /// Whether the lists leave a path out, or take it in though its name is hidden; the innermost list of the strongest
    /// kind decides.
    fn says(&self, path: &Utf8Path, is_folder: bool) -> Match<()> {
        (0..self.lists.len())
            .map(|kind| self.says_of_kind(kind, path, is_folder))
            .find(|it| !it.is_none())
            .unwrap_or(Match::None)
    }

    fn says_of_kind(&self, kind: usize, path: &Utf8Path, is_folder: bool) -> Match<()> {
        let mut level = Some(self);
        while let Some(here) = level {
            let found = here.lists.get(kind).map(|it| it.matched(path, is_folder).map(drop));
            if let Some(found) = found.filter(|it| !it.is_none()) {
                return found;
            }
            let is_of_git = kind > 0;
            level = here.above.as_deref().filter(|_| !(is_of_git && here.is_repository));
        }
        Match::None
    }
}

/// Reads one of the files of a folder, whose text is `None` where there is none.
type Reader<'a> = &'a dyn Fn(&str) -> Result<Option<Vec<u8>>, ProjectFileError>;

/// The lists of a folder; `place` is where it really lies, `folder` what the user calls it.
fn level(
    place: &Utf8Path,
    folder: &Utf8Path,
    above: Option<Arc<Level>>,
    read: Reader<'_>,
) -> Result<Arc<Level>, InputError> {
    let list = |name: &str| {
        let mut builder = GitignoreBuilder::new(place);
        let bytes = read(name)
            .map_err(|error| InputError::IgnoreFile { path: folder.join(name), source: error })?;
        let text = String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned();
        for line in text.trim_start_matches('\u{feff}').lines() {
            // git passes over what is no pattern, too.
            drop(builder.add_line(None, line));
        }
        Ok(builder.build().unwrap_or_else(|_| Gitignore::empty()))
    };
    let repository = folder.join(".git").symlink_metadata();
    // The `.git` of a linked work tree is a file, which names a folder elsewhere.
    let exclude = match &repository {
        Ok(it) if it.is_dir() => list(".git/info/exclude")?,
        _ => Gitignore::empty(),
    };
    let lists = [list(".ignore")?, list(".gitignore")?, exclude];
    Ok(Arc::new(Level { above, lists, is_repository: repository.is_ok() }))
}

fn optional(found: Result<Vec<u8>, ProjectFileError>) -> Result<Option<Vec<u8>>, ProjectFileError> {
    match found {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The lists of the folders above, which are the user's: a link there may lead anywhere.
fn levels_above(place: &Utf8Path) -> Result<Option<Arc<Level>>, InputError> {
    let mut folders: Vec<&Utf8Path> = place.ancestors().skip(1).collect();
    folders.reverse();
    let mut above = None;
    for folder in folders {
        let read = |name: &str| optional(read_named(&folder.join(name), MOST_PROJECT_BYTES));
        above = Some(level(folder, folder, above, &read)?);
    }
    Ok(above)
}

/// The regular files below a folder that are neither hidden nor ignored, as paths below it.
pub(super) fn files(
    folder: &Utf8Path,
    overrides: &Override,
) -> Result<Vec<Utf8PathBuf>, InputError> {
    let unreadable = |path: &Utf8Path, error: &std::io::Error| InputError::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let root = ProjectRoot::new(folder);
    let place = folder.canonicalize_utf8().map_err(|error| unreadable(folder, &error))?;
    let mut waiting = vec![(Utf8PathBuf::new(), levels_above(&place)?)];
    let mut found = Vec::new();
    while let Some((below, above)) = waiting.pop() {
        let path = folder.join(&below);
        let read = |name: &str| optional(root.read(&below.join(name), MOST_PROJECT_BYTES));
        let lists = level(&place.join(&below), &path, above, &read)?;
        for entry in fs_err::read_dir(&path).map_err(|error| unreadable(&path, &error))? {
            let entry = entry.map_err(|error| unreadable(&path, &error))?;
            // A name that is not UTF-8 cannot become a page; it is left to be named by hand.
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let kind = entry.file_type().map_err(|error| unreadable(&path, &error))?;
            let relative = below.join(&name);
            let says = match overrides.matched(folder.join(&relative), kind.is_dir()).map(drop) {
                Match::None => lists.says(&place.join(&relative), kind.is_dir()),
                decided => decided,
            };
            let is_hidden = name.starts_with('.') && !says.is_whitelist();
            if says.is_ignore() || is_hidden || name == "__pycache__" {
                continue;
            }
            if kind.is_dir() {
                waiting.push((relative, Some(Arc::clone(&lists))));
            } else if kind.is_file() {
                found.push(relative);
            }
        }
    }
    Ok(found)
}
