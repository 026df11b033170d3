//! Paths on the command line to notebooks, each with the place of its page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use ignore::overrides::OverrideBuilder;
use unicode_normalization::UnicodeNormalization as _;

use super::ignored;
use super::quarto::{LeftOut, QuartoProjects};
use crate::emit::Layout;
use crate::environment::Beside;
use crate::notebook::{self, QuartoSettings};
use crate::site::{Integrity, SitePath, is_site_character};
use crate::source::MAX_SOURCE_BYTES;
use crate::source::patterns::{PatternBudget, TooManyPatterns};
use crate::source::project_file::{ProjectFileError, ProjectRoot};

/// A notebook to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The file, as the user would name it.
    pub path: Utf8PathBuf,
    /// Path below the folder that was named; the file name for a file that was named itself.
    pub relative: Utf8PathBuf,
    /// Whether the user named the file itself, not a folder that it was found in.
    pub is_named: bool,
    /// The other file of a jupytext pair, which holds the outputs: its path as [`Input::relative`] is.
    pub stored: Option<Utf8PathBuf>,
    /// Settings of the project of Quarto that it lies in.
    pub quarto: Arc<QuartoSettings>,
}

impl Input {
    /// The folder that it was found in; `None` for a file that was named itself.
    #[must_use]
    pub fn folder(&self) -> Option<&Utf8Path> {
        let above = self.path.as_str().strip_suffix(self.relative.as_str());
        let folder = above.filter(|_| !self.is_named)?;
        Some(Utf8Path::new(folder))
    }

    /// The folder that nothing read for it leaves, and its own folder below that.
    #[must_use]
    pub fn place(&self) -> (&Utf8Path, &Utf8Path) {
        let own = self.path.parent().unwrap_or(Utf8Path::new(""));
        let root = self.folder().unwrap_or(own);
        (root, own.strip_prefix(root).unwrap_or(Utf8Path::new("")))
    }

    /// The other file of a pair, as the user would name it.
    #[must_use]
    pub fn stored_path(&self) -> Option<Utf8PathBuf> {
        let stored = self.stored.as_ref()?;
        Some(match self.folder() {
            Some(folder) => folder.join(stored),
            None => self.path.with_file_name(stored.file_name()?),
        })
    }

    /// The files beside it, and how far links and includes of them may lead.
    #[must_use]
    pub fn beside(&self) -> Beside<'_> {
        Beside::new(&self.path, self.folder())
    }
}

/// Why inputs cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// There is no such file or folder.
    #[error("there is no file or folder `{path}`")]
    Missing {
        /// The path.
        path: Utf8PathBuf,
    },
    /// A folder holds no notebook.
    #[error(
        "`{path}` holds no notebook (marimo `.py` or `.md`, Jupyter `.ipynb`, Quarto `.qmd`, `.py` \
         with `# %%`) that `.gitignore` and `exclude` leave in"
    )]
    NoNotebooks {
        /// The folder.
        path: Utf8PathBuf,
    },
    /// A pattern of `exclude` is not valid.
    #[error("the `exclude` pattern `{pattern}` is not valid: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Why.
        reason: String,
    },
    /// The patterns of `exclude` are too many.
    #[error("`exclude` (nbc.toml, `--exclude`) cannot be used: {0}")]
    TooManyExcluded(#[from] TooManyPatterns),
    /// Patterns that are valid each for itself cannot be used together.
    #[error("the patterns of `exclude` cannot be used together: {reason}")]
    Excluded {
        /// Why.
        reason: String,
    },
    /// A list of what is ignored is too long.
    #[error("cannot use `{path}`, line {line}: {reason}")]
    TooManyPatterns {
        /// The file.
        path: Utf8PathBuf,
        /// The first line that is too much, from 1.
        line: usize,
        /// Why.
        reason: TooManyPatterns,
    },
    /// Lines of an ignore file that are valid each for itself cannot be used together.
    #[error("cannot use the patterns of `{path}` together: {reason}")]
    IgnoreList {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        reason: String,
    },
    /// The user asked nbc to stop.
    #[error("nbc was stopped while it looked for notebooks in `{path}`")]
    Interrupted {
        /// The folder.
        path: Utf8PathBuf,
    },
    /// A folder cannot be read.
    #[error("cannot read `{path}`: {reason}")]
    Unreadable {
        /// The folder.
        path: Utf8PathBuf,
        /// The system's answer.
        reason: String,
    },
    /// An ignore file is none that nbc reads.
    #[error("cannot read `{path}`: {source}")]
    IgnoreFile {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: ProjectFileError,
    },
}

/// All notebooks of the inputs, sorted by path, each once; `warnings` gets what was passed over.
///
/// # Errors
/// When an input does not exist, a folder holds no notebook, or a pattern is not valid.
pub fn find(
    inputs: &[Utf8PathBuf],
    exclude: &[String],
    warnings: &mut Vec<String>,
) -> Result<Vec<Input>, InputError> {
    let mut found = BTreeMap::new();
    for input in inputs {
        let metadata =
            std::fs::metadata(input).map_err(|_| InputError::Missing { path: input.clone() })?;
        if metadata.is_dir() {
            let before = found.len();
            walk(input, exclude, &mut found, warnings)?;
            if found.len() == before {
                return Err(InputError::NoNotebooks { path: input.clone() });
            }
        } else {
            let relative = Utf8PathBuf::from(input.file_name().unwrap_or("notebook"));
            found.insert(input.clone(), (relative, true));
        }
    }
    let mut projects = QuartoProjects::default();
    let mut left_out: BTreeMap<LeftOut, Vec<Utf8PathBuf>> = BTreeMap::new();
    let mut kept = Vec::new();
    for (path, (relative, is_named)) in found {
        let quarto = projects.of(&path);
        match projects.leaves_out(&path, &quarto).filter(|_| !is_named) {
            Some(reason) => left_out.entry(reason).or_default().push(relative),
            None => kept.push(Input { path, relative, is_named, stored: None, quarto }),
        }
    }
    for (reason, paths) in &left_out {
        let reason = match reason {
            LeftOut::Draft => ("a draft and no page", "drafts and no pages", "as `draft` says"),
            LeftOut::NotListed => {
                ("no page", "no pages", "since `render` of its `_quarto.yml` does not list it")
            }
        };
        warnings.extend(told_parts(paths, reason));
    }
    warnings.extend(projects.into_warnings());
    match inputs.first() {
        Some(path) if kept.is_empty() => Err(InputError::NoNotebooks { path: path.clone() }),
        _ => Ok(kept),
    }
}

fn walk(
    folder: &Utf8Path,
    exclude: &[String],
    found: &mut BTreeMap<Utf8PathBuf, (Utf8PathBuf, bool)>,
    warnings: &mut Vec<String>,
) -> Result<(), InputError> {
    let mut overrides = OverrideBuilder::new(folder);
    let mut budget = PatternBudget::of_list();
    for pattern in exclude {
        budget.take(pattern)?;
        overrides.add(&format!("!{pattern}")).map_err(|error| InputError::Pattern {
            pattern: pattern.clone(),
            reason: error.to_string(),
        })?;
    }
    let overrides =
        overrides.build().map_err(|error| InputError::Excluded { reason: error.to_string() })?;
    // `.gitignore` holds outside a git checkout as well: an export or a container copy of one.
    let root = ProjectRoot::new(folder);
    let is_quarto = root.has("_quarto.yml") || root.has("_quarto.yaml");
    let mut parts = Vec::new();
    for relative in ignored::files(folder, &overrides, warnings)? {
        if is_notebook(&root, &relative) {
            if is_part(&relative, is_quarto) {
                parts.push(relative);
            } else {
                found.entry(folder.join(&relative)).or_insert((relative, false));
            }
        }
    }
    parts.sort();
    let reason = ("a part and no page", "parts and no pages", "since the name begins with `_`");
    warnings.extend(told_parts(&parts, reason));
    Ok(())
}

/// Whether a notebook is a part of others, and no page: its name begins with `_`. A project of Quarto has such folders,
/// too.
fn is_part(path: &Utf8Path, is_quarto: bool) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.starts_with('_') || is_quarto && path.components().any(|it| it.as_str().starts_with('_'))
}

/// The warning about notebooks that are no pages: what one is, what several are, and why.
fn told_parts(parts: &[Utf8PathBuf], (one, several, why): (&str, &str, &str)) -> Option<String> {
    const MOST_NAMED: usize = 3;
    let names: Vec<String> = parts.iter().take(MOST_NAMED).map(|it| format!("`{it}`")).collect();
    let names = names.join(", ");
    let more = if parts.len() > MOST_NAMED { ", …" } else { "" };
    match parts.len() {
        0 => None,
        1 => Some(format!("{names} is {one}, {why}; name the file to build it")),
        count => Some(format!(
            "{count} notebooks are {several}, {why}: {names}{more}; name a file to build it"
        )),
    }
}

fn is_notebook(root: &ProjectRoot, path: &Utf8Path) -> bool {
    match path.extension() {
        // A file that is a notebook by its name may be too large to be read twice.
        Some(extension @ ("ipynb" | "qmd")) => notebook::is_notebook(extension, ""),
        Some(extension @ ("py" | "md" | "markdown")) => root
            .text(path, MAX_SOURCE_BYTES)
            .is_ok_and(|text| notebook::is_notebook(extension, &text)),
        _ => false,
    }
}

/// The places of the pages: the notebook's path with `.html`, whose letters stay, and whose other characters that need
/// care in an address become hyphens. Notebooks of one stem carry their extensions. An address that others would have as
/// well stays with the notebook that is named just so, and the others carry a digest of their own path: which neighbours
/// there are decides about no number.
pub fn page_paths(inputs: &[Input]) -> Vec<SitePath> {
    let stem = |it: &Input| composed(it.relative.with_extension("").as_str());
    let stems = counted(inputs.iter().map(stem));
    let names: Vec<String> = inputs
        .iter()
        .map(|input| {
            let name = slug(&input.relative.with_extension(""));
            let is_alone = stems.get(&stem(input)) == Some(&1) && name != "404";
            let extension = input.relative.extension().unwrap_or("notebook");
            if is_alone { name } else { format!("{name}-{}", segment(extension)) }
        })
        .collect();
    // Some hosts and file systems do not tell upper from lower case.
    let folded = counted(names.iter().map(|it| it.to_lowercase()));
    let is_verbatim =
        |(input, name): &(&Input, &String)| stem(input) == **name && name.to_lowercase() == **name;
    let verbatim = counted(inputs.iter().zip(&names).filter(is_verbatim).map(|(_, it)| it.clone()));
    let relatives = counted(inputs.iter().map(|it| it.relative.clone()));
    let mut taken = BTreeSet::new();
    let mut paths = Vec::new();
    for (input, name) in inputs.iter().zip(&names) {
        let is_owner = is_verbatim(&(input, name)) && verbatim.get(name) == Some(&1);
        let is_alone = folded.get(&name.to_lowercase()) == Some(&1);
        let is_one = relatives.get(&input.relative) == Some(&1);
        let own = || digest(if is_one { &input.relative } else { &input.path });
        let mut name =
            if is_alone || is_owner { name.clone() } else { format!("{name}-{}", own()) };
        while !taken.insert(name.to_lowercase()) {
            name = format!("{name}-{}", own());
        }
        let path = SitePath::new(&format!("{name}.html"));
        paths.extend(path.or_else(|_| SitePath::new(&format!("notebook-{}.html", own()))));
    }
    paths
}

/// The page that leads to all others of a site: the first one, unless a notebook takes its place. `None` for a page alone.
pub(super) fn list_page(paths: &[SitePath], layout: Layout) -> Option<SitePath> {
    let is_taken = |name: &str| paths.iter().any(|it| it.as_str().to_lowercase() == name);
    let names: &[&str] = match is_taken("index.html") {
        false if layout == Layout::Site || paths.len() > 1 => &["index.html"],
        true if paths.len() > 1 => &["notebooks.html", "all-notebooks.html", "site-notebooks.html"],
        _ => &[],
    };
    names.iter().find(|it| !is_taken(it)).and_then(|it| SitePath::new(it).ok())
}

fn counted<T: Ord>(all: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for one in all {
        *counts.entry(one).or_default() += 1;
    }
    counts
}

/// One form for names that look the same: some file systems take letters and their marks apart.
fn composed(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { text.nfc().collect() }
}

/// Eight digits that tell a path from others.
fn digest(path: &Utf8Path) -> String {
    Integrity::short(composed(path.as_str()).as_bytes()).chars().take(8).collect()
}

fn slug(path: &Utf8Path) -> String {
    let segments: Vec<String> = path
        .components()
        .filter_map(|component| match component {
            camino::Utf8Component::Normal(name) => Some(segment(name)),
            _ => None,
        })
        .collect();
    let joined = segments.join("/");
    let folded = joined.to_lowercase();
    // The page of this name opens the site, which hosts look for in lower case.
    if folded == "index" {
        folded
    } else if joined.is_empty() || folded.starts_with("assets/") || folded.starts_with("islands/") {
        format!("notebook-{joined}")
    } else {
        joined
    }
}

/// A name without what needs care in an address. One that would lose its end, or all of it, carries a digest.
fn segment(name: &str) -> String {
    /// In bytes: file systems take 255, with what is put behind.
    const LONGEST: usize = 160;
    let mut out = String::new();
    for character in name.nfc() {
        if is_site_character(character) && character != '-' {
            out.push(character);
        } else if !out.ends_with('-') {
            out.push('-');
        }
    }
    let trimmed = out.trim_matches(['-', '.']);
    if trimmed.is_empty() {
        return format!("notebook-{}", digest(Utf8Path::new(name)));
    }
    match trimmed.split_at_checked(trimmed.floor_char_boundary(LONGEST)) {
        Some((head, rest)) if !rest.is_empty() => {
            format!("{}-{}", head.trim_end_matches(['-', '.']), digest(Utf8Path::new(name)))
        }
        _ => trimmed.to_owned(),
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may fail by panic")]
mod tests {
    use super::*;

    fn paths(names: &[&str]) -> Vec<String> {
        let inputs: Vec<Input> = names
            .iter()
            .map(|name| Input {
                path: name.into(),
                relative: name.into(),
                is_named: true,
                stored: None,
                quarto: Arc::default(),
            })
            .collect();
        page_paths(&inputs).into_iter().map(|path| path.as_str().to_owned()).collect()
    }

    #[test]
    fn odd_names_become_plain_ones() {
        assert_eq!(
            paths(&[
                "my report.py",
                "a#b?.ipynb",
                "sub dir/it's.py",
                "../up.py",
                "My Report (v2).py"
            ]),
            ["my-report.html", "a-b.html", "sub-dir/it-s.html", "up.html", "My-Report-v2.html"]
        );
    }

    #[test]
    fn a_name_that_begins_with_a_line_is_that_of_a_part() {
        assert!(is_part("_a.qmd".into(), false) && is_part("b/_a.ipynb".into(), true));
        assert!(!is_part("_b/a.ipynb".into(), false) && is_part("_b/a.ipynb".into(), true));
        assert!(!is_part("a_b.py".into(), true));
        let of = |names: &[&str]| {
            told_parts(
                &names.iter().map(Utf8PathBuf::from).collect::<Vec<_>>(),
                ("a part", "parts", "since"),
            )
        };
        assert_eq!(of(&[]), None);
        assert!(of(&["_a.qmd"]).unwrap().starts_with("`_a.qmd` is a part"));
        assert!(of(&["_a", "_b", "_c", "_d"]).unwrap().contains("`_c`, …;"));
    }

    #[test]
    fn letters_of_every_script_stay() {
        let found =
            paths(&["été.py", "报告.ipynb", "Größe.ipynb", "हिन्दी.py", "отчёт 1.py", "עברית.md"]);
        assert_eq!(
            found,
            ["été.html", "报告.html", "Größe.html", "हिन्दी.html", "отчёт-1.html", "עברית.html"]
        );
        // Taken apart, as macOS has it, it is the same name.
        assert_eq!(paths(&["Gro\u{308}ße.ipynb"]), paths(&["Größe.ipynb"]));
    }

    #[test]
    fn a_name_without_letters_is_known_by_its_digest() {
        let found = paths(&["…", "🚀.ipynb"]);
        assert!(found.iter().all(|it| it.starts_with("notebook-") && it.len() == 22), "{found:?}");
        assert_eq!(paths(&["🚀.ipynb"]), found[1..]);
        let long = "ä".repeat(200);
        let found = paths(&[&format!("{long}a.py"), &format!("{long}b.py")]);
        assert!(found[0] != found[1] && found[0].len() < 200, "{found:?}");
    }

    #[test]
    fn a_notebook_named_index_opens_the_site() {
        assert_eq!(paths(&["Index.ipynb", "a.py"]), ["index.html", "a.html"]);
        let found = paths(&["Index.ipynb", "index.py"]);
        assert!(found[0].starts_with("index-") && found[1] == "index.html", "{found:?}");
        assert_eq!(paths(&["404.ipynb"]), ["404-ipynb.html"]);
    }

    #[test]
    fn notebooks_of_one_stem_carry_their_extensions() {
        assert_eq!(
            paths(&["a.ipynb", "a.py", "b/a.ipynb"]),
            ["a-ipynb.html", "a-py.html", "b/a.html"]
        );
    }

    #[test]
    fn an_address_stays_when_a_neighbour_comes_or_goes() {
        let alone = paths(&["x-y.py", "a.ipynb", "a-py.ipynb", "大阪.ipynb"]);
        let found = paths(&[
            "x-y.py",
            "a.ipynb",
            "a-py.ipynb",
            "大阪.ipynb",
            "x y.py",
            "A.ipynb",
            "東京.ipynb",
        ]);
        assert_eq!(found[..4], alone);
        assert!(found[4].starts_with("x-y-") && found[5].starts_with("A-"), "{found:?}");
        // The digest is that of its own path.
        assert_eq!(paths(&["x y.py", "x-y.py"])[0], found[4]);
        let both = paths(&["a.ipynb", "a.py", "a-py.ipynb"]);
        assert!(both[2] == "a-py.html" && both[1].starts_with("a-py-"), "{both:?}");
    }
}
