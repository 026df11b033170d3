//! Findings about marimo files.

use insta::assert_snapshot;

use crate::{check, marimo};

#[test]
fn a_broken_cell_leaves_the_others_alone() {
    let text = marimo(&["a = 1", "b = = a", "c = a", "d = \"\"\"\nopen", "e = c"]);
    let checked = check("a.py", &text);
    assert_snapshot!(checked.concise());
    let graph = checked.graph.expect("a notebook");
    assert_eq!(graph.order.len(), 3);
    assert!(graph.into_runnable().is_err());
}

#[test]
fn statements_that_marimo_would_drop_are_errors() {
    let text = marimo(&["a = 1"])
        .replace(
            "import marimo\n",
            "\"\"\"doc\"\"\"\nimport os\nimport marimo\n__generated_with = \"1\"\n",
        )
        .replace("\n\n@app.cell", "\n\nx = 1\n\n@app.cell")
        .replace("\n\nif __name__", "\n\ny = 2\n\nwith app.setup:\n    z = 1\n\nif __name__")
        + "\nafter = 1\n";
    assert_snapshot!(check("a.py", &text).concise());
}

#[test]
fn options_are_read_ignored_or_refused() {
    let text = marimo(&["a = 1"])
        .replace(
            "App()",
            "App(width=\"full\", app_title=\"T\", html_head_file=\"h.html\", nope=1, css_file=f())",
        )
        .replace("@app.cell", "@app.cell(hide_code=True, column=2, odd=3)");
    let checked = check("a.py", &text);
    assert_snapshot!(checked.concise());
    let notebook = checked.notebook.expect("a notebook");
    assert_eq!(notebook.title.as_deref(), Some("T"));
    assert_eq!(notebook.app.width.as_deref(), Some("full"));
    assert_eq!(notebook.cells[0].options.column, Some(2));
}

#[test]
fn a_script_header_is_read_and_its_errors_are_told() {
    let header =
        "# /// script\n# requires-python = \">=3.11\"\n# dependencies = [\"a\", \"b>1\"]\n# ///\n";
    let text = marimo(&["a = 1"]);
    let checked = check("a.py", &format!("{header}{text}"));
    assert!(checked.diagnostics.is_empty(), "{}", checked.concise());
    let script = checked.notebook.expect("a notebook").script.expect("a header");
    assert_eq!(script.dependencies, ["a", "b>1"]);
    assert_eq!(script.requires_python.as_deref(), Some(">=3.11"));
    let broken = check("a.py", &format!("# /// script\n# = 1\n# ///\n{text}"));
    assert!(broken.concise().contains("NBC106"), "{}", broken.concise());
    let twice = check("a.py", &format!("{header}\n{header}{text}"));
    assert!(twice.concise().contains("a second `script` block"), "{}", twice.concise());
}

#[test]
fn what_a_script_header_says_to_nbc_must_be_readable() {
    let told = |own: &str| {
        let header = format!("# /// script\n# [tool.nbc]\n# {own}\n# ///\n");
        check("a.py", &format!("{header}{}", marimo(&["a = 1"]))).concise()
    };
    assert_snapshot!(told("inputs = ['data/*.csv']"), @"");
    assert_snapshot!(told("inputs = 'data.csv'"), @"a.py:1:1: error[NBC106] `inputs` of `[tool.nbc]` must be a list of patterns, as in `.gitignore`");
    assert_snapshot!(told("inputs = [1]"), @"a.py:1:1: error[NBC106] `inputs` of `[tool.nbc]` must be a list of patterns, as in `.gitignore`");
    assert_snapshot!(told("input = ['data.csv']"), @"a.py:1:1: warning[NBC107] `input` of `[tool.nbc]` is nothing that nbc reads");
}

#[test]
fn a_file_that_is_no_notebook_says_so() {
    assert_snapshot!(check("a.py", "x = 1\n").concise(), @"a.py:1:1: error[NBC102] a Python file without `import marimo` is no notebook");
    assert_snapshot!(check("a.py", "import marimo\nx = 1\n").concise(), @"a.py:1:1: error[NBC102] a Python file without `app = marimo.App()` is no notebook");
    assert_snapshot!(check("a.txt", "hello").concise(), @"a.txt:1:1: error[NBC102] the file is neither a marimo nor a Jupyter notebook");
    assert_snapshot!(check("a.py", "").concise(), @"a.py:1:1: error[NBC102] a Python file without `import marimo` is no notebook");
}

#[test]
fn a_line_of_a_traceback_leads_to_the_line_of_the_file() {
    let text = marimo(&["a = 1", "if a:\n    b = 2"]);
    let checked = check("a.py", &text);
    let notebook = checked.notebook.expect("a notebook");
    let span = notebook.cells[1].line_span(2);
    assert_eq!(&text[span.start as usize..span.end as usize], "b = 2");
}
