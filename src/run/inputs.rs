//! Whether a notebook can have inputs at all: most have none, and need not be asked for states.

use camino::Utf8Path;

use crate::notebook::{Cell, CellKind, Format, Notebook};
use crate::python::{self, Mode};

/// Words of code that makes an input: `mo.ui.slider`, `ipywidgets`, `interact`, an anywidget.
const WORDS: [&str; 7] =
    ["ui", "widget", "Widget", "interact", "input", "import_module", "__import__"];

/// Packages that make no inputs by themselves: they show tables, figures or text. Others may make inputs.
const WITHOUT: [&str; 58] = [
    "PIL",
    "__future__",
    "abc",
    "altair",
    "argparse",
    "ast",
    "base64",
    "bisect",
    "calendar",
    "collections",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "duckdb",
    "enum",
    "fractions",
    "functools",
    "glob",
    "hashlib",
    "heapq",
    "html",
    "io",
    "itertools",
    "json",
    "logging",
    "marimo",
    "math",
    "matplotlib",
    "networkx",
    "numpy",
    "operator",
    "os",
    "pandas",
    "pathlib",
    "plotly",
    "polars",
    "pprint",
    "pyarrow",
    "random",
    "re",
    "scipy",
    "seaborn",
    "sklearn",
    "statistics",
    "statsmodels",
    "string",
    "sympy",
    "sys",
    "tempfile",
    "textwrap",
    "time",
    "typing",
    "uuid",
    "vega_datasets",
    "warnings",
];

/// False only where no cell can make an input: none names one, and all that they import is known to make none. An
/// input that is made all the same stays as it is in the run, disabled.
#[must_use]
pub fn may_have_inputs(notebook: &Notebook, folder: &Utf8Path) -> bool {
    let mode = match notebook.format {
        Format::Marimo => Mode::Python,
        Format::Jupyter => Mode::Ipython,
    };
    let runs = |it: &&Cell| !matches!(it.kind, CellKind::Markdown | CellKind::Raw);
    notebook.cells.iter().filter(runs).any(|cell| makes_inputs(&cell.code, mode, folder))
}

fn makes_inputs(code: &str, mode: Mode, folder: &Utf8Path) -> bool {
    // `build` has the letters of `ui`, and costs no more than a question.
    if WORDS.iter().any(|it| code.contains(it)) {
        return true;
    }
    let Some(imports) = python::every_import(code, mode) else { return true };
    imports.iter().any(|name| {
        let top = name.split('.').next().unwrap_or(name);
        let is_own = || folder.join(top).is_dir() || folder.join(format!("{top}.py")).is_file();
        !WITHOUT.contains(&top) || is_own()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_surely_has_no_inputs_is_not_asked_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        fs_err::write(folder.join("scipy.py"), "").unwrap();
        let check = |code: &str| makes_inputs(code, Mode::Ipython, folder);
        for code in [
            "mo.ui.slider(1, 2)",
            "from marimo import ui",
            "import ipywidgets",
            "interact(f, x=3)",
            "def f():\n    import wigglystuff",
            "import scipy",
            "x = (",
        ] {
            assert!(check(code), "{code}");
        }
        for code in
            ["import numpy as np\nnp.ones(3)", "from pandas import DataFrame", "%time 1 + 1", ""]
        {
            assert!(!check(code), "{code}");
        }
    }
}
