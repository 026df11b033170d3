//! The files of a folder that ignore files leave in.
//!
//! In: a folder, patterns of `exclude`. Out: the paths of its regular files. The ignore files are read as files that
//! others wrote, which the walk of the crate `ignore` does not do: a `.gitignore` that is a link to `/dev/zero`
//! takes all memory there, and one that is a pipe never ends.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use ignore::overrides::Override;

use super::inputs::InputError;
use crate::interrupt;
use crate::source::credentials::Credentials;
use crate::source::patterns::PatternBudget;
use crate::source::project_file::{MOST_PROJECT_BYTES, ProjectFileError, ProjectRoot, read_named};

/// Patterns of the ignore files of a folder, and of those above it.
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

/// Gives one of the lists of a folder by its name; an empty one where there is none.
type Reader<'a> = &'a dyn Fn(&str) -> Result<Gitignore, InputError>;

/// The lists of a folder.
fn level(
    folder: &Utf8Path,
    above: Option<Arc<Level>>,
    list: Reader<'_>,
) -> Result<Arc<Level>, InputError> {
    let repository = folder.join(".git").symlink_metadata();
    // The `.git` of a linked work tree is a file, which names a folder elsewhere.
    let exclude = match &repository {
        Ok(it) if it.is_dir() => list(".git/info/exclude")?,
        _ => Gitignore::empty(),
    };
    let lists = [list(".ignore")?, list(".gitignore")?, exclude];
    Ok(Arc::new(Level { above, lists, is_repository: repository.is_ok() }))
}

/// The patterns of an ignore file. `place` is where its folder really lies, `path` what the user calls it.
fn compiled(
    place: &Utf8Path,
    path: &Utf8Path,
    found: Result<Vec<u8>, ProjectFileError>,
    all: &Cell<PatternBudget>,
) -> Result<Gitignore, InputError> {
    let bytes = match found {
        Err(error) if error.is_missing() => return Ok(Gitignore::empty()),
        found => {
            found.map_err(|source| InputError::IgnoreFile { path: path.to_owned(), source })?
        }
    };
    let text = String::from_utf8_lossy(&bytes);
    let mut builder = GitignoreBuilder::new(place);
    let (mut own, mut together) = (PatternBudget::of_list(), all.get());
    for (idx, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        own.take(line).and_then(|()| together.take(line)).map_err(|reason| {
            InputError::TooManyPatterns { path: path.to_owned(), line: idx + 1, reason }
        })?;
        // git passes over what is no pattern, too.
        drop(builder.add_line(None, line));
    }
    all.set(together);
    // Taken for an empty list, it would publish what its author left out.
    builder.build().map_err(|error| InputError::IgnoreList {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// The lists of the folders above, up to that of the repository. Links there may lead anywhere, but of a file of another
/// user nothing is believed: anybody may put one into `/tmp`. One that cannot be read is told, and passed over, since
/// it may be out of the user's hands.
fn levels_above(
    place: &Utf8Path,
    all: &Cell<PatternBudget>,
    warnings: &mut Vec<String>,
) -> Result<Option<Arc<Level>>, InputError> {
    let is_repository = |it: &Utf8Path| it.join(".git").symlink_metadata().is_ok();
    let mut folders: Vec<&Utf8Path> = Vec::new();
    for folder in place.ancestors() {
        if folders.last().is_some_and(|it| is_repository(it)) {
            break;
        }
        folders.push(folder);
    }
    let told = RefCell::new(warnings);
    let mut above = None;
    for folder in folders.into_iter().skip(1).rev() {
        let list = |name: &str| {
            let path = folder.join(name);
            let passed_over = |why: String| {
                told.borrow_mut().push(format!("{why}; it is passed over"));
                Gitignore::empty()
            };
            if !is_believed(&path) {
                return Ok(passed_over(format!("`{path}` belongs to another user")));
            }
            let read = compiled(folder, &path, read_named(&path, MOST_PROJECT_BYTES), all);
            Ok(read.unwrap_or_else(|error| passed_over(error.to_string())))
        };
        above = Some(level(folder, above, &list)?);
    }
    Ok(above)
}

/// Whether a file, and a link to it, belong to the user or to root; so does what is not there.
#[cfg(target_os = "linux")]
pub(super) fn is_believed(path: &Utf8Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let own = [0, rustix::process::geteuid().as_raw()];
    let is_own =
        |it: std::io::Result<std::fs::Metadata>| it.is_ok_and(|it| own.contains(&it.uid()));
    match path.symlink_metadata() {
        Ok(link) => is_own(Ok(link)) && (is_own(path.metadata()) || path.metadata().is_err()),
        Err(_) => true,
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_believed(_path: &Utf8Path) -> bool {
    true
}

/// The regular files below a folder that are neither hidden nor ignored, as paths below it. Tells which lists above
/// were passed over.
pub(super) fn files(
    folder: &Utf8Path,
    overrides: &Override,
    warnings: &mut Vec<String>,
) -> Result<Vec<Utf8PathBuf>, InputError> {
    let unreadable = |path: &Utf8Path, error: &std::io::Error| InputError::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let credentials =
        Credentials::new().map_err(|error| unreadable(folder, &std::io::Error::other(error)))?;
    let root = ProjectRoot::new(folder);
    let place = folder.canonicalize_utf8().map_err(|error| unreadable(folder, &error))?;
    let all = Cell::new(PatternBudget::of_walk());
    let mut waiting = vec![(Utf8PathBuf::new(), levels_above(&place, &all, warnings)?)];
    let mut found = Vec::new();
    while let Some((below, above)) = waiting.pop() {
        let path = folder.join(&below);
        let list = |name: &str| {
            let bytes = root.read(&below.join(name), MOST_PROJECT_BYTES);
            compiled(&place.join(&below), &path.join(name), bytes, &all)
        };
        let lists = level(&path, above, &list)?;
        for entry in fs_err::read_dir(&path).map_err(|error| unreadable(&path, &error))? {
            let entry = entry.map_err(|error| unreadable(&path, &error))?;
            if interrupt::is_requested() {
                return Err(InputError::Interrupted { path: folder.to_owned() });
            }
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
            // A hidden folder of credentials is never searched, even if an ignore file takes it in.
            if kind.is_dir() && name.starts_with('.') && credentials.hold(&relative, true) {
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
