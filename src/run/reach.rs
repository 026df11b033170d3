//! Names in code: which modules and notebooks of its folder a notebook may import or open, told without running it.
//!
//! In: the code of a notebook, or of a module. Out: whether a file of the folder is named. In doubt it is: a name too
//! many costs a run that was not needed, a name too few would fail one.

use std::collections::BTreeSet;

use camino::Utf8Path;

use crate::notebook::{CellKind, Format, Notebook};
use crate::python::{self, Mode};

/// Words of code that imports or runs modules which it does not name.
const OPEN: [&str; 10] = [
    "importlib",
    "__import__",
    "runpy",
    "run_module",
    "run_path",
    "pkgutil",
    "exec(",
    "execfile",
    "find_module",
    " -m ",
];
/// Words of packages that import notebooks of Jupyter's format as modules.
const NOTEBOOK_IMPORTERS: [&str; 4] = ["import_ipynb", "importnb", "nbimporter", "ipynb.fs"];
/// Longest text in quotes that can be a name.
const LONGEST_NAME: usize = 300;

/// Names of modules and files in code.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// Whether the code may import what it does not name.
    is_open: bool,
    /// Whether notebooks of Jupyter's format can be modules.
    imports_notebooks: bool,
    /// Parts of dotted names.
    modules: BTreeSet<String>,
    /// Names of files; `.ipynb` alone stands for all of that kind, which the code makes or matches.
    files: BTreeSet<String>,
}

impl Reach {
    /// Names in the cells of a notebook that can run. What its prose names is not opened.
    #[must_use]
    pub fn of_notebook(notebook: &Notebook) -> Self {
        let mode = match notebook.format {
            Format::Marimo => Mode::Python,
            Format::Jupyter => Mode::Ipython,
        };
        let mut reach = Self::default();
        let cells = notebook.cells.iter();
        for cell in cells.filter(|it| !matches!(it.kind, CellKind::Markdown | CellKind::Raw)) {
            reach.add(&Self::of_code(&cell.code, mode));
        }
        reach
    }

    /// Names in the text of a module.
    #[must_use]
    pub fn of_module(text: &str) -> Self {
        Self::of_code(text, Mode::Python)
    }

    fn of_code(code: &str, mode: Mode) -> Self {
        let says = |words: &[&str]| words.iter().any(|it| code.contains(it));
        let imported = python::module_names(code, mode);
        let mut reach = Self {
            is_open: imported.is_none() || says(&OPEN),
            imports_notebooks: says(&NOTEBOOK_IMPORTERS),
            modules: imported.unwrap_or_default(),
            files: BTreeSet::new(),
        };
        let is_end = |it: char| it.is_whitespace() || "'\"`()[]{}<>,;:=|&*?/\\".contains(it);
        for word in code.split(is_end).filter(|it| it.contains('.')) {
            reach.files.insert(word.to_owned());
        }
        // `__all__ = ["part"]`, `run("other")`, `open("my notebook.ipynb")`.
        for quoted in code.split(['\'', '"']).filter(|it| it.len() <= LONGEST_NAME) {
            if let Some(name) = Utf8Path::new(quoted).file_name().filter(|it| it.contains('.')) {
                reach.files.insert(name.to_owned());
            }
            let is_name =
                |it: &str| !it.is_empty() && it.chars().all(|it| it.is_alphanumeric() || it == '_');
            if quoted.split('.').all(is_name) {
                reach.modules.extend(quoted.split('.').map(ToOwned::to_owned));
            }
        }
        reach
    }

    /// Adds what other code names.
    pub fn add(&mut self, other: &Self) {
        self.is_open |= other.is_open;
        self.imports_notebooks |= other.imports_notebooks;
        self.modules.extend(other.modules.iter().cloned());
        self.files.extend(other.files.iter().cloned());
    }

    /// Whether a notebook of the folder, by its path there, may be imported or opened.
    #[must_use]
    pub fn names(&self, path: &Utf8Path) -> bool {
        let is_named = path.file_name().is_some_and(|it| self.files.contains(it));
        let extension = path.extension().unwrap_or_default();
        is_named
            || self.files.contains(&format!(".{extension}"))
            || match extension {
                "py" => self.is_open || self.imports(path),
                "ipynb" => self.imports_notebooks,
                _ => false,
            }
    }

    /// Whether a statement may mean a module by this path.
    #[must_use]
    pub fn imports(&self, path: &Utf8Path) -> bool {
        module_name(path).is_some_and(|it| self.modules.contains(it))
    }

    /// The modules that may be meant.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.modules.iter().map(String::as_str)
    }
}

/// Last part of the name of a module.
#[must_use]
pub fn module_name(path: &Utf8Path) -> Option<&str> {
    match path.file_stem()? {
        "__init__" => path.parent()?.file_name(),
        stem => Some(stem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_code_may_import_or_open_is_named() {
        let names =
            |code: &str, path: &str| Reach::of_code(code, Mode::Ipython).names(Utf8Path::new(path));
        for (code, path) in [
            ("import part", "part.py"),
            ("import lib.part as p", "lib/part.py"),
            ("def f():\n    from .lib import part", "lib/part.py"),
            ("from part import *", "part.py"),
            ("import lib", "lib/__init__.py"),
            ("__all__ = ['part']", "lib/part.py"),
            ("load(\"lib.part\")", "lib/part.py"),
            ("import importlib", "part.py"),
            ("x = (", "part.py"),
            ("%run part.py", "part.py"),
            ("!python -m part", "part.py"),
            ("%run other.ipynb", "other.ipynb"),
            ("open('../a/my other.ipynb')", "my other.ipynb"),
            ("glob('*.ipynb')", "other.ipynb"),
            ("open(f'{name}.qmd')", "other.qmd"),
            ("import import_ipynb, other", "other.ipynb"),
        ] {
            assert!(names(code, path), "{code}: {path}");
        }
        for (code, path) in [
            ("import pandas as pd\nprint('part of it', part)", "part.py"),
            ("import other", "other.ipynb"),
            ("open('data.csv')", "other.ipynb"),
            ("x = 'README.md'", "other.md"),
            ("", "part.py"),
        ] {
            assert!(!names(code, path), "{code}: {path}");
        }
    }
}
