//! The settings of Quarto's projects that notebooks lie in.
//!
//! In: a folder. Out: `_quarto.yml` of the project that it belongs to, with the files that go before it: those that it
//! names, those of active profiles, and `_metadata.yml` of the folders down to this one. A file that cannot be read hides
//! code and runs nothing, and is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::ignored::is_believed;
use crate::notebook::QuartoSettings;
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
}
