//! The settings of Quarto's projects that notebooks lie in.
//!
//! In: a folder. Out: `_quarto.yml` of the project that it belongs to, with the files that go before it: those that it
//! names, those of active profiles, and `_metadata.yml` of the folders down to this one. A file that cannot be read hides
//! code and runs nothing, and is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::ignored::is_believed;
use crate::notebook::{self, QuartoSettings};
use crate::source::MAX_SOURCE_BYTES;
use crate::source::patterns::PatternBudget;
use crate::source::project_file::{MOST_PROJECT_BYTES, ProjectRoot};

/// Names that a project is known by.
const PROJECT: [&str; 2] = ["_quarto.yml", "_quarto.yaml"];
/// Most folders above a notebook in which its project is looked for.
const MOST_FOLDERS: usize = 64;
/// Most files that a project adds to its own.
const MOST_FILES: usize = 32;

/// The settings of each folder that was asked for.
#[derive(Debug, Default)]
pub(super) struct QuartoProjects {
    by_folder: BTreeMap<Utf8PathBuf, Arc<QuartoSettings>>,
    by_file: BTreeMap<Utf8PathBuf, Option<String>>,
    warnings: Vec<String>,
}

impl QuartoProjects {
    /// The settings that hold for a notebook.
    pub(super) fn of(&mut self, notebook: &Utf8Path) -> Arc<QuartoSettings> {
        let absolute = camino::absolute_utf8(notebook).unwrap_or_else(|_| notebook.to_owned());
        let folder = absolute.parent().unwrap_or(&absolute).to_owned();
        if let Some(known) = self.by_folder.get(&folder) {
            return Arc::clone(known);
        }
        let settings =
            Arc::new(root_of(&folder).map(|it| self.read(it, &folder)).unwrap_or_default());
        self.by_folder.insert(folder, Arc::clone(&settings));
        settings
    }

    /// Why a notebook that was found in a folder is no page of its project; `None` where it is one.
    pub(super) fn leaves_out(
        &self,
        notebook: &Utf8Path,
        settings: &QuartoSettings,
    ) -> Option<LeftOut> {
        let extension = notebook.extension().unwrap_or_default();
        if !matches!(extension, "qmd" | "ipynb" | "md") {
            return None;
        }
        let absolute = camino::absolute_utf8(notebook).ok()?;
        let root = absolute.parent().and_then(root_of);
        let is_listed = |patterns: &[String]| root.map(|it| listed(patterns, it, &absolute));
        let rendered = settings.rendered();
        if !rendered.is_empty() && is_listed(&rendered) == Some(false) {
            return Some(LeftOut::NotListed);
        }
        let (drafts, is_shown) = settings.drafts();
        // A notebook for Jupyter alone may be large, and says nothing to Quarto.
        let own = match root {
            None if extension == "ipynb" => None,
            _ => {
                let folder = absolute.parent().map(ProjectRoot::new);
                let name = Utf8Path::new(absolute.file_name().unwrap_or_default());
                let text = folder.and_then(|it| it.text(name, MAX_SOURCE_BYTES).ok());
                text.and_then(|it| notebook::says_draft(extension, &it))
            }
        };
        let is_named = !drafts.is_empty() && is_listed(&drafts) == Some(true);
        let is_draft = own.unwrap_or(settings.is_draft()) || is_named;
        (is_draft && !is_shown).then_some(LeftOut::Draft)
    }

    /// Files that could not be read, each told once.
    pub(super) fn into_warnings(self) -> Vec<String> {
        self.warnings
    }

    fn read(&mut self, root: &Utf8Path, folder: &Utf8Path) -> QuartoSettings {
        let mut settings = QuartoSettings::default();
        let project = |name: &str| [format!("{name}.yml"), format!("{name}.yaml")];
        for name in PROJECT {
            self.add(root, Utf8Path::new(name), &mut settings);
        }
        for name in settings.metadata_files().iter().take(MOST_FILES) {
            self.add(root, Utf8Path::new(name), &mut settings);
        }
        for profile in settings.profiles().to_vec().into_iter().take(MOST_FILES) {
            for name in project(&format!("_quarto-{profile}")) {
                self.add(root, Utf8Path::new(&name), &mut settings);
            }
        }
        for name in PROJECT {
            self.add(root, Utf8Path::new(&format!("{name}.local")), &mut settings);
        }
        let below = folder.strip_prefix(root).unwrap_or(Utf8Path::new(""));
        let mut folders: Vec<&Utf8Path> = below.ancestors().collect();
        folders.reverse();
        for folder in folders {
            for name in project("_metadata") {
                self.add(root, &folder.join(name), &mut settings);
            }
        }
        settings
    }

    /// Adds a file of a project, if there is one.
    fn add(&mut self, root: &Utf8Path, relative: &Utf8Path, settings: &mut QuartoSettings) {
        let path = root.join(relative);
        let is_first = !self.by_file.contains_key(&path);
        if is_first {
            let read = ProjectRoot::new(root).optional_text(relative, MOST_PROJECT_BYTES);
            let text = read.unwrap_or_else(|error| {
                self.warnings.push(format!(
                    "cannot read `{path}`: {error}; until it can be read, no code below it is shown or run"
                ));
                Some("execute: {echo: false, eval: false}".to_owned())
            });
            self.by_file.insert(path.clone(), text);
        }
        let Some(Some(text)) = self.by_file.get(&path) else { return };
        if !settings.add(text) && is_first {
            self.warnings.push(format!(
                "`{path}` is no YAML that nbc can read; if it speaks of `echo` or `eval`, no code below it is shown or run"
            ));
        }
    }
}

/// Reasons why a notebook of a project is no page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LeftOut {
    /// `draft: true`, of its own or of its project.
    Draft,
    /// `render` of the project does not name it.
    NotListed,
}

/// Whether patterns, as in `.gitignore`, name a file below a folder; `!` takes names away. With nothing but such patterns,
/// all other files are named. Patterns that cannot be used name nothing.
fn listed(patterns: &[String], root: &Utf8Path, file: &Utf8Path) -> bool {
    let mut builder = ignore::gitignore::GitignoreBuilder::new(root);
    let mut budget = PatternBudget::of_list();
    for pattern in patterns {
        if budget.take(pattern).is_err() || builder.add_line(None, pattern).is_err() {
            return false;
        }
    }
    let Ok(list) = builder.build() else { return false };
    match list.matched_path_or_any_parents(file, false) {
        ignore::Match::Ignore(_) => true,
        ignore::Match::Whitelist(_) => false,
        ignore::Match::None => patterns.iter().all(|it| it.starts_with('!')),
    }
}

/// The innermost folder with a project file, within the repository. One of another user is not believed: anybody may put
/// one into `/tmp`.
fn root_of(folder: &Utf8Path) -> Option<&Utf8Path> {
    for ancestor in folder.ancestors().take(MOST_FOLDERS) {
        let root = ProjectRoot::new(ancestor);
        if PROJECT.iter().any(|it| root.has(it) && is_believed(&ancestor.join(it))) {
            return Some(ancestor);
        }
        if root.has(".git") {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_before_those_above_it() {
        let outer = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(outer.path()).unwrap();
        let write = |name: &str, text: &str| {
            let path = root.join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        };
        let of = |name: &str| {
            let mut projects = QuartoProjects::default();
            let settings = projects.of(&root.join(name));
            (format!("{settings:?}"), projects.into_warnings())
        };
        let none = format!("{:?}", QuartoSettings::default());
        write(".git/HEAD", "");
        assert_eq!(of("a/b.qmd"), (none.clone(), Vec::new()));
        write("_quarto.yml", "profile: {default: team}\nmetadata-files: [more.yml, ../out.yml]\n");
        write("more.yml", "execute: {echo: false}\n");
        write("_quarto-team.yml", "execute: {eval: false}\n");
        write("a/_metadata.yml", "execute: {echo: true}\n");
        let (found, warnings) = of("a/b.qmd");
        assert!(
            found.contains("echo: Some(true)") && found.contains("eval: Some(false)"),
            "{found}"
        );
        assert!(of("c.qmd").0.contains("echo: Some(false)"));
        assert!(warnings.iter().any(|it| it.contains("out.yml")), "{warnings:?}");
        // A project ends where another begins, and a repository too.
        write("a/.git/HEAD", "");
        assert_eq!(of("a/b.qmd").0, none);
        write("a/_quarto.yml", "execute: [\n");
        assert_eq!(of("a/b.qmd").1.len(), 1);
        write("a/_quarto.yml", "execute:\n  echo: [\n");
        fs_err::remove_file(root.join("a/_metadata.yml")).unwrap();
        assert!(of("a/b.qmd").0.contains("echo: Some(false)"));
    }

    #[test]
    fn drafts_and_documents_that_are_not_rendered_are_no_pages() {
        let outer = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(outer.path()).unwrap();
        let write = |name: &str, text: &str| {
            let path = root.join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        };
        let of = |name: &str| {
            let mut projects = QuartoProjects::default();
            let settings = projects.of(&root.join(name));
            projects.leaves_out(&root.join(name), &settings)
        };
        write(".git/HEAD", "");
        write("a.qmd", "---\ntitle: A\ndraft: true\n---\n");
        write("b.qmd", "---\ndraft: false\n---\nA draft: true\n");
        write("sub/c.ipynb", r#"{"cells": [{"source": ["---\n", "draft: true\n", "---"]}]}"#);
        write("sub/d.qmd", "text");
        let all = |names: [&str; 4]| names.map(of);
        let names = ["a.qmd", "b.qmd", "sub/c.ipynb", "sub/d.qmd"];
        let draft = Some(LeftOut::Draft);
        assert_eq!(all(names), [draft, None, None, None]);
        write("_quarto.yml", "project: {type: website}");
        assert_eq!(all(names), [draft, None, draft, None]);
        write("_quarto.yml", "website: {drafts: [sub/d.qmd, b.qmd]}\ndraft: true");
        assert_eq!(all(names), [draft; 4]);
        write("_quarto.yml", "website: {draft-mode: visible}");
        assert_eq!(all(names), [None; 4]);
        write("a.qmd", "");
        write("sub/c.ipynb", "{}");
        let not = Some(LeftOut::NotListed);
        for (patterns, found) in [
            ("['*.qmd']", [None, None, not, None]),
            ("['/*.qmd']", [None, None, not, not]),
            ("[sub/, '!sub/c.ipynb']", [not, not, not, None]),
            ("['!sub/']", [None, None, not, not]),
            ("a.qmd", [None, not, not, not]),
        ] {
            write("_quarto.yml", &format!("project: {{render: {patterns}}}"));
            assert_eq!(all(names), found, "{patterns}");
        }
    }
}
