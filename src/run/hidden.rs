//! Names in a notebook's folder that do not exist for the run: the one list, which the sandbox's view and the key of
//! the cache both follow.
//!
//! In: a folder, and the `inputs` of its notebook, or what its code names. Out: the paths below it that are hidden, as
//! [`text_of`] writes them. Follows no link.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::sync::{Arc, Mutex, PoisonError};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::plan::NOTEBOOK_FOLDER;
use super::reach::{Reach, module_name};
use crate::notebook;
use crate::process::interrupt;
use crate::process::names::{path_of, text_of};
use crate::remote::LOCK;
use crate::source::MAX_SOURCE_BYTES;
use crate::source::credentials::{CREDENTIALS, Credentials};
use crate::source::patterns::{PatternBudget, TooManyPatterns};
use crate::source::project_file::ProjectRoot;

/// Most names in a folder; each must be looked at.
pub const MOST_NAMES: usize = 500_000;
/// Most paths that are hidden; each takes a place in the run's private layer, which has 65,536.
const MOST_HIDDEN: usize = 32_768;
/// Most notebooks of a folder that are hidden from each other: each run has a list of them. More stay visible, and in
/// the key.
const MOST_NOTEBOOKS: usize = 1000;
/// Folders of packages, in which no file is a notebook of the project.
const PACKAGES: [&str; 3] = ["site-packages", "dist-packages", "node_modules"];
/// Bytes at the start of a manifest that tell who wrote it.
const MANIFEST_HEAD: u64 = 256;

/// Why a folder cannot be shown in part.
#[derive(Debug, thiserror::Error)]
pub enum HiddenError {
    /// A pattern is none.
    #[error("the `inputs` pattern `{pattern}` is not valid: {source}")]
    Pattern {
        /// Pattern, as the author wrote it.
        pattern: String,
        /// Reason.
        source: ignore::Error,
    },
    /// The list of patterns is too long.
    #[error("`inputs` cannot be used: {0}; {help}", help = TooManyPatterns::HELP)]
    TooManyPatterns(#[from] TooManyPatterns),
    /// Patterns that are valid each for itself cannot be used together.
    #[error("the patterns of `inputs` cannot be used together: {0}")]
    Patterns(ignore::Error),
    /// The user asked nbc to stop.
    #[error("nbc was stopped while it looked through `{path}`")]
    Interrupted {
        /// The folder.
        path: Utf8PathBuf,
    },
    /// It holds too much to look through.
    #[error(
        "`{path}` holds more than {MOST_NAMES} files and folders, the last of them in `{within}`: each is looked at before a \
         run; move data out of the notebook's folder, and show it with `--read PATH`"
    )]
    TooManyNames {
        /// The folder.
        path: Utf8PathBuf,
        /// The folder in it that was being looked at.
        within: Utf8PathBuf,
    },
    /// Too much of it is hidden.
    #[error(
        "`{path}` holds more than {MOST_HIDDEN} names that are hidden from the run, the last of them in `{within}`: move \
         or delete them (`dot_clean` removes the `._*` files of macOS), or write `inputs`: a folder of which they list \
         nothing counts once"
    )]
    TooManyHidden {
        /// The folder.
        path: Utf8PathBuf,
        /// The folder in it that was being looked at.
        within: Utf8PathBuf,
    },
    /// A part of it cannot be looked at, and so not be hidden.
    #[error("`{path}` cannot be looked through")]
    Unreadable {
        /// The folder.
        path: Utf8PathBuf,
        /// Answer of the system.
        source: io::Error,
    },
}

/// `inputs` of a notebook: the patterns that name its files.
#[derive(Debug)]
pub struct Listed<'a> {
    /// Name of the notebook's file.
    pub notebook: &'a str,
    patterns: Gitignore,
    /// Patterns that spell a name with a dot.
    dotted: Gitignore,
}

impl<'a> Listed<'a> {
    /// Reads the patterns.
    ///
    /// # Errors
    /// When one of them is none.
    pub fn new(notebook: &'a str, patterns: &[String]) -> Result<Self, HiddenError> {
        let mut budget = PatternBudget::of_list();
        patterns.iter().try_for_each(|it| budget.take(it))?;
        let patterns = patterns.iter().map(String::as_str);
        let spells_dot =
            |it: &&str| it.starts_with('!') || it.split('/').any(|it| it.starts_with('.'));
        let dotted = matcher(patterns.clone().filter(spells_dot))?;
        Ok(Self { notebook, patterns: matcher(patterns)?, dotted })
    }

    /// Whether a pattern names a path. Below a name with a dot counts only one that spells such a name, so that `*`
    /// does not show what tools hide.
    fn holds(&self, path: &Utf8Path, is_folder: bool, is_in_dot: bool) -> bool {
        let patterns = if is_in_dot { &self.dotted } else { &self.patterns };
        patterns.matched_path_or_any_parents(path, is_folder).is_ignore()
    }
}

pub(super) fn matcher<'a>(
    patterns: impl Iterator<Item = &'a str>,
) -> Result<Gitignore, HiddenError> {
    let mut builder = GitignoreBuilder::new("");
    let refused =
        |pattern: &str, source| HiddenError::Pattern { pattern: pattern.to_owned(), source };
    for pattern in patterns {
        builder.add_line(None, pattern).map_err(|it| refused(pattern, it))?;
    }
    builder.build().map_err(HiddenError::Patterns)
}

/// Outline of a folder for the runs of its notebooks. Paths are relative to it, and sorted.
#[derive(Debug, Default)]
pub struct Outline {
    /// Hidden from every run; a folder of which nothing is seen is named as a whole.
    pub hidden: Vec<Utf8PathBuf>,
    /// Notebooks; each is there for its own run, and for those that name it.
    pub notebooks: Vec<Utf8PathBuf>,
    /// Files whose contents decided about the above.
    pub decided: Vec<Utf8PathBuf>,
    /// Python files by the last part of their name as a module.
    modules: BTreeMap<String, Vec<Utf8PathBuf>>,
    /// Names in modules, by path: many notebooks import the same.
    reaches: Mutex<BTreeMap<Utf8PathBuf, Arc<Reach>>>,
}

/// Looks through a folder. `own` are paths below it that nbc makes, or that only nbc reads. With `listed`, notebooks are
/// files like others.
///
/// # Errors
/// When the folder holds too much, or cannot be read; see [`HiddenError`].
pub fn below(
    folder: &Utf8Path,
    own: &[Utf8PathBuf],
    listed: Option<&Listed<'_>>,
) -> Result<Outline, HiddenError> {
    below_bounded(folder, own, listed, (MOST_NAMES, MOST_HIDDEN))
}

fn below_bounded(
    folder: &Utf8Path,
    own: &[Utf8PathBuf],
    listed: Option<&Listed<'_>>,
    most: (usize, usize),
) -> Result<Outline, HiddenError> {
    let credentials = credentials()?;
    let outline = Outline::default();
    let mut walk = Walk { folder, own, listed, credentials, most, names: 0, outline };
    if walk.below(Utf8Path::new(""), false)? == Visibility::Locked {
        let source = io::ErrorKind::PermissionDenied.into();
        return Err(HiddenError::Unreadable { path: folder.to_owned(), source });
    }
    let mut outline = walk.outline;
    if outline.notebooks.len() > MOST_NOTEBOOKS {
        outline.notebooks.clear();
    }
    for list in [&mut outline.hidden, &mut outline.notebooks, &mut outline.decided] {
        list.sort();
    }
    Ok(outline)
}

impl Outline {
    /// The notebooks that a run sees: its own, and what its code, and the modules that this may import, name.
    #[must_use]
    pub fn seen_by(&self, folder: &Utf8Path, own: &[&Utf8Path], reach: &Reach) -> Vec<Utf8PathBuf> {
        let mut reach = reach.clone();
        let mut read = std::collections::BTreeSet::new();
        let mut waiting: Vec<String> = reach.modules().map(ToOwned::to_owned).collect();
        while let Some(name) = waiting.pop() {
            for path in self.modules.get(&name).into_iter().flatten() {
                if read.insert(path) {
                    let named = self.reach_of(folder, path);
                    waiting.extend(named.modules().map(ToOwned::to_owned));
                    reach.add(&named);
                }
            }
        }
        let is_seen = |it: &&Utf8PathBuf| own.contains(&it.as_path()) || reach.names(it);
        self.notebooks.iter().filter(is_seen).cloned().collect()
    }

    fn reach_of(&self, folder: &Utf8Path, module: &Utf8Path) -> Arc<Reach> {
        let mut known = self.reaches.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.entry(module.to_owned()).or_insert_with(|| {
            let text = ProjectRoot::new(folder).text(module, MAX_SOURCE_BYTES);
            // A file that cannot be read here is no Python for the run either.
            Arc::new(text.map(|it| Reach::of_module(&it)).unwrap_or_default())
        });
        Arc::clone(found)
    }
}

/// Whether a file of this name is for nbc and installers only, or for Python's own use. An honest notebook has no need
/// of it; `requirements.txt` and `pyproject.toml` are documents, and stay.
fn is_of_build(name: &str, is_folder: bool) -> bool {
    match is_folder {
        true => name == "__pycache__",
        false => {
            ["nbc.toml", "uv.lock", "pylock.toml", LOCK].contains(&name)
                || name.starts_with("pylock.") && name.ends_with(".toml")
        }
    }
}

/// Whether a folder is a site that nbc made.
fn is_site(folder: &Utf8Path) -> bool {
    let Ok(file) = crate::cache::open(&folder.join("manifest.json")) else { return false };
    if !file.metadata().is_ok_and(|it| it.is_file()) {
        return false;
    }
    let mut head = Vec::new();
    file.take(MANIFEST_HEAD).read_to_end(&mut head).is_ok()
        && memchr::memmem::find(&head, b"\"generator\": \"nbc ").is_some()
}

/// Names without a wildcard that are hidden beside a notebook even before they are there: a run sees the folder as it is
/// meanwhile.
pub fn expected() -> impl Iterator<Item = &'static str> {
    // Folders of such names may be made by an honest notebook, which not every kernel lets it where a name is hidden.
    let may_be_made = ["secrets", "secrets.d", "credentials", "token"];
    CREDENTIALS.iter().copied().filter(move |it| !it.contains('*') && !may_be_made.contains(it))
}

/// A name that a run does not see, wherever it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HiddenName {
    /// Files of this name often hold credentials.
    Credentials(String),
    /// It is for nbc and installers only.
    Build(String),
    /// It is that of a notebook.
    Notebook(String),
    /// It begins with a dot, and is none of these; with the pattern of `inputs` that shows it.
    Dot(String, String),
}

/// The part of a path, as a notebook names it, that no run sees: a credential's name, else one with a dot.
#[must_use]
pub fn by_name(path: &Utf8Path) -> Option<HiddenName> {
    let credentials = credentials().ok()?;
    let below = path.strip_prefix(NOTEBOOK_FOLDER).unwrap_or(path);
    let names: Vec<&str> = below
        .components()
        .filter_map(|it| match it {
            Utf8Component::Normal(name) => Some(name),
            _ => None,
        })
        .collect();
    let last = names.len().saturating_sub(1);
    let credential = names
        .iter()
        .enumerate()
        .find(|(at, name)| credentials.hold(Utf8Path::new(name), *at < last));
    let credential = credential.map(|(_, name)| HiddenName::Credentials((*name).to_owned()));
    let of_project = || {
        let name = (*names.last()?).to_owned();
        match Utf8Path::new(&name).extension() {
            _ if is_of_build(&name, false) => Some(HiddenName::Build(name)),
            Some("ipynb" | "qmd") => Some(HiddenName::Notebook(name)),
            _ => None,
        }
    };
    credential.or_else(of_project).or_else(|| {
        let at = names.iter().position(|it| it.starts_with('.'))?;
        let pattern = names.get(..=at)?.join("/") + if at < last { "/**" } else { "" };
        Some(HiddenName::Dot((*names.get(at)?).to_owned(), pattern))
    })
}

/// Whether a folder, or one above it, is one where programs keep credentials. The two folders of this kind that hold
/// projects as well do not count.
#[must_use]
pub fn is_of_credentials(folder: &Utf8Path) -> bool {
    let Ok(credentials) = credentials() else { return true };
    let names = folder.components().map(|it| Utf8Path::new(it.as_str()));
    let mut names = names.filter(|it| ![".config", ".local"].map(Utf8Path::new).contains(it));
    names.any(|it| credentials.hold(it, true))
}

/// Whether a path has a part that not even `inputs` shows.
#[must_use]
pub(super) fn is_never_shown(path: &Utf8Path, is_folder: bool) -> bool {
    let Ok(credentials) = credentials() else { return true };
    let last = path.components().count().saturating_sub(1);
    path.components().enumerate().any(|(at, it)| {
        let is_folder = is_folder || at < last;
        credentials.hold(Utf8Path::new(it.as_str()), is_folder)
            || is_of_build(it.as_str(), is_folder)
    })
}

fn credentials() -> Result<Credentials, HiddenError> {
    Credentials::new().map_err(|source| HiddenError::Pattern { pattern: String::new(), source })
}

/// Result of looking through a folder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visibility {
    /// A part of it is seen.
    Visible,
    /// No part of it is seen.
    Hidden,
    /// Its contents are unknown. The run could change the mode of its own copy, and then look.
    Locked,
}

struct Walk<'a> {
    folder: &'a Utf8Path,
    own: &'a [Utf8PathBuf],
    listed: Option<&'a Listed<'a>>,
    credentials: Credentials,
    /// Bounds of the next two.
    most: (usize, usize),
    names: usize,
    outline: Outline,
}

impl Walk<'_> {
    /// Adds what is hidden below a folder.
    fn below(&mut self, folder: &Utf8Path, is_in_dot: bool) -> Result<Visibility, HiddenError> {
        let path = self.folder.join(folder);
        let place = path_of(&path);
        // The second look needs the right to pass through.
        let entries = fs_err::read_dir(&place)
            .and_then(|entries| fs_err::symlink_metadata(place.join(".")).map(|_| entries));
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Ok(Visibility::Locked);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Visibility::Hidden),
            Err(source) => return Err(HiddenError::Unreadable { path, source }),
        };
        let mut sight = Visibility::Hidden;
        for entry in entries {
            if interrupt::is_requested() {
                return Err(HiddenError::Interrupted { path: self.folder.to_owned() });
            }
            let unreadable = |source| HiddenError::Unreadable { path: path.clone(), source };
            let entry = entry.map_err(unreadable)?;
            self.names += 1;
            let (most_names, most_hidden) = self.most;
            if self.names > most_names {
                return Err(HiddenError::TooManyNames {
                    path: self.folder.to_owned(),
                    within: path,
                });
            }
            if self.outline.hidden.len() > most_hidden {
                return Err(HiddenError::TooManyHidden {
                    path: self.folder.to_owned(),
                    within: path,
                });
            }
            let path = folder.join(text_of(&entry.file_name()));
            // A name that is gone meanwhile is no folder.
            let is_folder = entry.file_type().is_ok_and(|it| it.is_dir());
            let before = (self.outline.hidden.len(), self.outline.notebooks.len());
            if self.is_shown(&path, is_folder, is_in_dot)? {
                sight = Visibility::Visible;
                if !is_folder && self.listed.is_none() {
                    self.take_note(path);
                }
            } else {
                self.outline.hidden.truncate(before.0);
                self.outline.notebooks.truncate(before.1);
                self.outline.hidden.push(path);
            }
        }
        Ok(sight)
    }

    /// Tells notebooks from other files. A doubtful file is another one, which all runs see.
    fn take_note(&mut self, path: Utf8PathBuf) {
        let is_of_package = path.components().any(|it| PACKAGES.contains(&it.as_str()));
        let Some(extension) = path.extension().filter(|_| !is_of_package) else { return };
        let is_notebook = match extension {
            "ipynb" | "qmd" => true,
            "py" | "md" | "markdown" => {
                let text = ProjectRoot::new(self.folder).text(&path, MAX_SOURCE_BYTES);
                text.is_ok_and(|it| notebook::is_notebook(extension, &it))
            }
            _ => return,
        };
        if extension == "py"
            && let Some(name) = module_name(&path)
        {
            self.outline.modules.entry(name.to_owned()).or_default().push(path.clone());
        }
        if is_notebook {
            if !["ipynb", "qmd"].contains(&extension) {
                self.outline.decided.push(path.clone());
            }
            self.outline.notebooks.push(path);
        }
    }

    fn is_shown(
        &mut self,
        path: &Utf8Path,
        is_folder: bool,
        is_in_dot: bool,
    ) -> Result<bool, HiddenError> {
        if self.listed.is_some_and(|it| path == it.notebook) {
            return Ok(true);
        }
        if self.credentials.hold(path, is_folder) || self.own.iter().any(|it| it == path) {
            return Ok(false);
        }
        if path.file_name().is_some_and(|it| is_of_build(it, is_folder)) {
            return Ok(false);
        }
        if is_folder && is_site(&self.folder.join(path)) {
            self.outline.decided.push(path.join("manifest.json"));
            return Ok(false);
        }
        let is_in_dot = is_in_dot || path.file_name().is_some_and(|it| it.starts_with('.'));
        let Some(listed) = self.listed else {
            let is_locked =
                !is_in_dot && is_folder && self.below(path, false)? == Visibility::Locked;
            return Ok(!is_in_dot && !is_locked);
        };
        if !is_folder {
            return Ok(listed.holds(path, false, is_in_dot));
        }
        Ok(match self.below(path, is_in_dot)? {
            Visibility::Visible => true,
            Visibility::Hidden => listed.holds(path, true, is_in_dot),
            Visibility::Locked => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(names: &[&str], inputs: Option<&[&str]>) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        for name in names {
            fs_err::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs_err::write(root.join(name), "").unwrap();
        }
        let patterns = inputs.unwrap_or_default().iter().map(|it| (*it).to_owned());
        let patterns: Vec<String> = patterns.collect();
        let listed = inputs.map(|_| Listed::new("nb.py", &patterns).unwrap());
        let found = below(root, &[], listed.as_ref()).unwrap().hidden;
        found.into_iter().map(Utf8PathBuf::into_string).collect()
    }

    #[test]
    fn a_bound_that_is_hit_is_told_with_its_folder_and_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        fs_err::create_dir(root.join("photos")).unwrap();
        for idx in 0..9 {
            fs_err::write(root.join(format!("photos/._{idx}.jpg")), "").unwrap();
        }
        let told = |most| below_bounded(root, &[], None, most).unwrap_err().to_string();
        let photos = root.join("photos");
        for (most, parts) in [
            ((5, 99), ["500000 files and folders", "`--read PATH`"]),
            ((99, 5), ["32768 names that are hidden", "`dot_clean`"]),
        ] {
            let told = told(most);
            for part in parts.into_iter().chain([photos.as_str()]) {
                assert!(told.contains(part), "{told}");
            }
        }
        assert_eq!(below_bounded(root, &[], None, (99, 9)).unwrap().hidden.len(), 9);
    }

    #[test]
    fn credentials_and_names_with_a_dot_are_hidden_at_every_depth() {
        let bad = [
            "a/.x/y",
            "a/b/.app",
            "a/server.pem",
            "a/b/c/tls.KEY",
            "a/.dvc/config.local",
            "a/secrets.toml.bak",
            "a/.condarc",
            "id_rsa",
            "a/id_ed25519.pub",
            "a/secrets.toml",
            "dbt/profiles.yml",
            "a/credentials.json",
            "Credentials",
            "a/.Renviron",
            "a/.python_history",
            "psql_history",
            "a/vault.kdbx",
            "a/x.tfstate",
            "a/x.tfstate.backup",
            "gha-creds-0f.json",
            "a/prod.env",
            "my-service-account-1.json",
            "a/release.jks",
            "a/id.p12",
        ];
        for name in bad {
            let found = hidden(&["nb.py", "a/data.csv", name], None);
            assert_eq!(found.len(), 1, "{name}: {found:?}");
            assert!(name.starts_with(found.first().unwrap().as_str()), "{name}: {found:?}");
            // `inputs` may be foreign: they can show names with a dot, and no credentials.
            let found = hidden(&["nb.py", name], Some(&["*", "**/*", name]));
            assert_eq!(
                found.is_empty(),
                name.contains(".x/") || name.contains(".app"),
                "{name}: {found:?}"
            );
        }
        let good = [
            "nb.py",
            "a/keys.csv",
            "a/monkey",
            "a/environment.yml",
            "b/tokenizer.json",
            "a/history.csv",
            "order_history/a.csv",
            "service_account_demo.py",
            "credentials_utils.py",
        ];
        assert!(hidden(&good, None).is_empty());
    }

    #[test]
    fn inputs_show_a_name_with_a_dot_only_where_they_spell_the_dot() {
        let names = [".app/a.csv", ".app/b.txt", "x/.app/c.csv", "nb.py"];
        assert_eq!(hidden(&names, Some(&["*"])), [".app", "x/.app"]);
        assert_eq!(hidden(&names, Some(&["*", "/.app/*.csv"])), [".app/b.txt", "x/.app"]);
        assert!(hidden(&names, Some(&[".app", "x"])).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn names_of_any_bytes_are_hidden_and_looked_through() {
        use std::os::unix::ffi::OsStrExt as _;
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let names: [&[u8]; 5] =
            [b"caf\xe9/.env", b"caf\xe9/data.csv", b".ssh\xff/k", b"id_rsa\xe9", b"caf\xe9.csv"];
        for name in names {
            let path = folder.path().join(std::ffi::OsStr::from_bytes(name));
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "").unwrap();
        }
        let found = below(root, &[], None).unwrap().hidden;
        let found: Vec<_> = found.iter().map(|it| path_of(it).into_os_string()).collect();
        let found: Vec<&[u8]> = found.iter().map(|it| it.as_bytes()).collect();
        assert_eq!(found, [&b".ssh\xff"[..], b"caf\xe9/.env", b"id_rsa\xe9"]);
    }

    #[test]
    fn a_notebook_is_there_for_itself_and_for_those_that_name_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let percent = "# %%\nx = 1\n";
        let marimo = "import marimo\napp = marimo.App()\n";
        for (name, text) in [
            ("a.ipynb", ""),
            ("sub/b.qmd", ""),
            ("part.py", percent),
            ("deep.py", marimo),
            ("other.py", marimo),
            ("page.md", "---\nmarimo-version: 1\n---\n"),
            ("README.md", "# Read me"),
            ("helper.py", "def f():\n    import deep\n"),
            ("lib/__init__.py", "from .inner import y"),
            ("lib/inner.py", percent),
            ("venv/lib/site-packages/x.py", percent),
        ] {
            fs_err::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs_err::write(root.join(name), text).unwrap();
        }
        let outline = below(root, &[], None).unwrap();
        let all =
            ["a.ipynb", "deep.py", "lib/inner.py", "other.py", "page.md", "part.py", "sub/b.qmd"];
        assert_eq!(outline.notebooks, all);
        assert!(outline.hidden.is_empty());
        assert_eq!(outline.decided, ["deep.py", "lib/inner.py", "other.py", "page.md", "part.py"]);
        let seen = |code: &str| {
            outline.seen_by(root, &[Utf8Path::new("a.ipynb")], &Reach::of_module(code))
        };
        assert_eq!(seen("import pandas"), ["a.ipynb"]);
        assert_eq!(seen("import part"), ["a.ipynb", "part.py"]);
        assert_eq!(seen("import helper"), ["a.ipynb", "deep.py"]);
        assert_eq!(seen("import lib"), ["a.ipynb", "lib/inner.py"]);
        let modules = ["a.ipynb", "deep.py", "lib/inner.py", "other.py", "part.py"];
        assert_eq!(seen("import importlib"), modules);
        assert_eq!(seen("open('sub/b.qmd')"), ["a.ipynb", "sub/b.qmd"]);
    }

    #[test]
    fn what_only_nbc_reads_is_hidden_whatever_inputs_say() {
        let names =
            ["nbc.toml", "a/nbc.toml", "uv.lock", "pylock.toml", "pylock.nb.toml", LOCK, "nb.py"];
        let hidden_names =
            ["a/nbc.toml", LOCK, "nbc.toml", "pylock.nb.toml", "pylock.toml", "uv.lock"];
        assert_eq!(hidden(&names, Some(&["*"])), hidden_names);
        assert_eq!(hidden(&names, None), hidden_names);
        let kept = ["requirements.txt", "pyproject.toml", "poetry.lock", "pylock.md", "a.toml"];
        assert!(hidden(&kept, None).is_empty());
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        for (name, text) in [
            ("site/manifest.json", "{\n  \"format\": 1,\n  \"generator\": \"nbc 0.1.0\",\n"),
            ("data/manifest.json", "{\"name\": \"data\"}"),
        ] {
            fs_err::create_dir(root.join(name).parent().unwrap()).unwrap();
            fs_err::write(root.join(name), text).unwrap();
        }
        let outline = below(root, &[], None).unwrap();
        assert_eq!(outline.hidden, ["site"]);
        assert_eq!(outline.decided, ["site/manifest.json"]);
    }

    #[test]
    fn a_path_that_is_hidden_is_told_by_its_names() {
        let of = |path: &str| by_name(Utf8Path::new(path));
        for (path, name) in [
            (".env", ".env"),
            ("./a/secrets.toml", "secrets.toml"),
            ("/nb/credentials_2024.csv", "credentials_2024.csv"),
            ("id_rsa", "id_rsa"),
            (".ssh/config", ".ssh"),
            (".x/id_rsa", "id_rsa"),
        ] {
            assert_eq!(of(path), Some(HiddenName::Credentials(name.to_owned())), "{path}");
        }
        for (path, name, pattern) in [
            ("../.x/y", ".x", ".x/**"),
            ("a/.app/b/c.csv", ".app", "a/.app/**"),
            ("/nb/.dvc", ".dvc", ".dvc"),
        ] {
            let hidden = HiddenName::Dot(name.to_owned(), pattern.to_owned());
            assert_eq!(of(path), Some(hidden), "{path}");
        }
        for path in ["data.csv", "../data.csv", "./order_history/a.csv", "/tmp/x", "", "."] {
            assert_eq!(of(path), None, "{path}");
        }
    }

    #[test]
    fn folders_of_credentials_are_told_by_any_part_of_their_path() {
        for folder in ["/home/a/.kube", "/home/a/.kube/b", "/p/.ssh/x", "/p/secrets"] {
            assert!(is_of_credentials(Utf8Path::new(folder)), "{folder}");
        }
        for folder in ["/home/a", "/home/a/.local/share/x", "/p/order_history", "/p/keys"] {
            assert!(!is_of_credentials(Utf8Path::new(folder)), "{folder}");
        }
    }
}
