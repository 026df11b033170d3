//! Markdown notebooks and percent scripts. What marimo makes of Markdown is in `differential`.

use nbc::notebook::{CellKind, CodeVisibility, Format, Notebook};

use crate::check;

/// The kinds and texts of all cells, without findings.
fn cells(path: &str, text: &str) -> (Notebook, Vec<(CellKind, String)>) {
    let checked = check(path, text);
    assert!(checked.diagnostics.is_empty(), "{}", checked.concise());
    let notebook = checked.notebook.expect("a notebook");
    let cells = notebook.cells.iter().map(|it| (it.kind, it.code.to_string())).collect();
    (notebook, cells)
}

fn code(text: &str) -> (CellKind, String) {
    (CellKind::Code, text.to_owned())
}

fn prose(text: &str) -> (CellKind, String) {
    (CellKind::Markdown, text.to_owned())
}

#[test]
fn quarto_cells_run_in_document_order_and_obey_their_options() {
    let text = "---\ntitle: Sales\n---\n\nIntro\n\n```{python}\n#| echo: false\n#| label: load\nx = 1\n```\n\n\
                ```python\nshown = 1\n```\n\n```{python}\n%matplotlib inline\nx + 1\n```\n";
    let (notebook, found) = cells("a.qmd", text);
    assert_eq!(notebook.format, Format::Jupyter);
    assert_eq!(notebook.title.as_deref(), Some("Sales"));
    assert_eq!(
        found,
        [
            prose("Intro"),
            code("#| echo: false\n#| label: load\nx = 1"),
            prose("```python\nshown = 1\n```"),
            code("%matplotlib inline\nx + 1"),
        ]
    );
    assert_eq!(notebook.cells[1].options.code, Some(CodeVisibility::Hidden));
    assert_eq!(notebook.cells[1].name.as_deref(), Some("load"));
}

#[test]
fn a_quarto_document_with_marimo_cells_is_marimos() {
    let (notebook, found) =
        cells("a.qmd", "```{marimo .python}\ny = x\n```\n```{marimo .python}\nx = 1\n```\n");
    assert_eq!(notebook.format, Format::Marimo);
    assert_eq!(found, [code("y = x"), code("x = 1")]);
}

#[test]
fn myst_cells_have_tags() {
    let text = "---\nkernelspec:\n  name: python3\n---\n# T\n\n```{code-cell} ipython3\n:tags: [remove-input]\n\nx = 1\n```\n\
                a\n+++\nb\n\n```{code-cell}\n---\ntags: [skip-execution]\nname: slow\n---\nx + 1\n```\n\n> c\n";
    let (notebook, found) = cells("a.md", text);
    assert_eq!(notebook.format, Format::Jupyter);
    assert_eq!(
        found,
        [prose("# T"), code("x = 1"), prose("a"), prose("b"), code("x + 1"), prose("> c")]
    );
    assert_eq!(notebook.cells[1].options.code, Some(CodeVisibility::Hidden));
    assert!(notebook.cells[4].options.skip_execution);
    assert_eq!(notebook.cells[4].name.as_deref(), Some("slow"));
}

#[test]
fn cells_in_lists_obey_their_options() {
    let text = "1. step\n\n   ```{python}\n   #| echo: false\n   x = 1\n   if x:\n       x\n   ```\n\n\
                2. step\n\n   ```{python}\n   #| eval: false\n   x + 1\n   ```\n\n   ```{python}\n#| echo: false\n   x\n   ```\n";
    let (notebook, found) = cells("a.qmd", text);
    assert_eq!(found[1], code("#| echo: false\nx = 1\nif x:\n    x"));
    assert_eq!(found[4], code("#| echo: false\nx"));
    assert!(notebook.cells[1].options.is_withheld && notebook.cells[4].options.is_withheld);
    assert!(notebook.cells[3].options.skip_execution);
    let text = "---\nkernelspec: {name: python3}\n---\n\n- a\n\n  ```{code-cell}\n  :tags: [remove-input]\n  x = 1\n  ```\n\n  ```{code-cell}\n  ---\n  tags: [remove-cell]\n  ---\n  x + (\n   1)\n  ```\n";
    let (notebook, found) = cells("a.md", text);
    assert_eq!(found[1..], [code("x = 1"), code("x + (\n 1)")]);
    assert!(notebook.cells[1].options.is_withheld && notebook.cells[2].options.hide_cell);
    let text = "  ```{python}\n  x = 1\n  y = = 2\n  ```\n";
    assert!(check("a.qmd", text).concise().starts_with("a.qmd:3:7: error[NBC104]"));
}

#[test]
fn tags_that_cannot_be_read_hide_what_they_speak_of() {
    let text = "---\nkernelspec: {name: python3}\n---\n\n```{code-cell}\n:tags: [skip-execution\nx = 1\n```\n\n\
                +++ {\"tags\": [\"remove-cell\"\n\nText\n";
    let checked = check("a.md", text);
    assert_eq!(checked.concise().matches("warning[NBC107]").count(), 2, "{}", checked.concise());
    let notebook = checked.notebook.expect("a notebook");
    assert!(notebook.cells[0].options.is_withheld && notebook.cells[0].options.skip_execution);
    assert!(notebook.cells[1].options.hide_cell);
}

#[test]
fn findings_in_markdown_point_into_the_file() {
    let text = "Text\n\n```python {.marimo}\nok = 1\nx = = 2\n```\n";
    insta::assert_snapshot!(check("a.md", text).concise(), @"a.md:5:5: error[NBC104] the cell is not valid Python: expected an expression");
    let text = "Text\r\n\r\n```{python}\r\n\tx = (1\r\n```\r\n";
    assert!(check("a.qmd", text).concise().starts_with("a.qmd:4:"));
}

#[test]
fn front_matter_that_is_no_yaml_is_a_warning() {
    let text = "---\ntitle: [\n---\n\n```python {.marimo}\nx = 1\n```\n";
    let checked = check("a.md", text);
    assert!(checked.concise().starts_with("a.md:1:1: warning[NBC111]"), "{}", checked.concise());
    assert_eq!(checked.notebook.expect("a notebook").cells.len(), 1);
}

#[test]
fn the_front_matter_of_marimo_holds_the_script_header() {
    let text = "---\nmarimo-version: 0.25.2\nheader: |\n  # /// script\n  # dependencies = [\"pandas\"]\n  # ///\n---\nText\n";
    let (notebook, found) = cells("a.md", text);
    assert_eq!(notebook.script.expect("a header").dependencies, ["pandas"]);
    assert_eq!(found, [prose("Text")]);
}

#[test]
fn markdown_without_cells_is_no_notebook() {
    assert!(check("a.md", "# Readme\n\n```python\nx = 1\n```\n").concise().contains("NBC102"));
}

#[test]
fn a_folder_gives_only_what_is_a_notebook() {
    use nbc::notebook::is_notebook;

    assert!(is_notebook("md", "---\nmarimo-version: 1\n---\n"));
    assert!(is_notebook("md", "a\n```{.python.marimo}\n```\n"));
    assert!(!is_notebook("md", "a\n```{python}\n1\n```\nmarimo\n"));
    assert!(!is_notebook("md", "How to write ```` ```python {.marimo} ````\n"));
    assert!(is_notebook("py", "# %%\nx = 1\n"));
    assert!(is_notebook(
        "py",
        "# ---\n# jupyter:\n#   jupytext:\n#     text_representation:\n#       format_name: percent\n# ---\nx = 1\n"
    ));
    assert!(!is_notebook("py", "print('%%')\n# %%time\n"));
    assert!(is_notebook("qmd", ""));
}

#[test]
fn percent_scripts_are_cut_at_their_markers() {
    let text = "# ---\n# title: Report\n# jupyter:\n#   kernelspec:\n#     language: python\n# ---\n\n# %% [markdown]\n# # Title\n#\n# Text\n\n\
                # %% Load it tags=[\"hide-input\"]\n# %matplotlib inline\n# !ls\nimport os\n\n\n# a comment: 5 % of it\n# %% [markdown]\n\"\"\"\nMore\n\"\"\"\n\
                #%%\n# %%bash\n# echo 1\n# %% [raw]\n# <b>\n# %%\n";
    let (notebook, found) = cells("a.py", text);
    assert_eq!(notebook.format, Format::Jupyter);
    assert_eq!(notebook.title.as_deref(), Some("Report"));
    assert_eq!(
        found,
        [
            prose("# Title\n\nText"),
            code("%matplotlib inline\n!ls\nimport os\n\n\n# a comment: 5 % of it"),
            prose("More"),
            code("%%bash\necho 1"),
            (CellKind::Raw, "<b>".to_owned()),
        ]
    );
    assert_eq!(notebook.cells[1].name.as_deref(), Some("Load it"));
    assert_eq!(notebook.cells[1].options.code, Some(CodeVisibility::Folded));
}

#[test]
fn the_script_header_of_a_percent_script_is_no_cell() {
    let header = "# /// script\n# dependencies = [\"pandas\"]\n# ///\n";
    let (notebook, found) = cells("a.py", &format!("{header}\n# %%\nx = 1\n"));
    assert_eq!(notebook.script.expect("a header").dependencies, ["pandas"]);
    assert_eq!(found, [code("x = 1")]);
    let (_, found) = cells("a.py", &format!("{header}\nimport os\n\n# %%\nx = 1\n"));
    assert_eq!(found, [code("import os"), code("x = 1")]);
}

#[test]
fn findings_in_a_percent_script_point_into_the_file() {
    insta::assert_snapshot!(check("a.py", "x = 1\n# %%\n# %time x = = 1\nx\ny = )\n").concise(), @"a.py:5:5: error[NBC104] the cell is not valid Python: expected an expression");
}

#[test]
fn paragraphs_of_a_light_script_are_its_cells() {
    let header = "# ---\n# jupyter:\n#   jupytext:\n#     text_representation:\n#       extension: .py\n#       format_name: light\n# ---\n\n";
    let text = "# # Title\n#\n# Text\n\n# A comment of the code\nimport os\n\n\ndef f():\n    a = 1\n\n    return a\n\n\
                # %matplotlib inline\nf()\n\n# + tags=[\"hide-input\"]\nb = 1\n\nb + 1\n# -\n\n# More\n\n# + [markdown]\n# Told\n\nc = \"\"\"\n\nd\n\"\"\"\n";
    let (notebook, found) = cells("a.py", &format!("{header}{text}"));
    assert_eq!(
        found,
        [
            prose("# Title\n\nText"),
            code("# A comment of the code\nimport os"),
            code("def f():\n    a = 1\n\n    return a"),
            code("%matplotlib inline\nf()"),
            code("b = 1\n\nb + 1"),
            prose("More"),
            prose("Told\n\nc = \"\"\"\n\nd\n\"\"\""),
        ]
    );
    assert_eq!(notebook.cells[4].options.code, Some(CodeVisibility::Folded));
    let (_, found) = cells("a.py", &format!("{header}c = \"\"\"\n\nd\n\"\"\"\n\nx = 1\n"));
    assert_eq!(found, [code("c = \"\"\"\n\nd\n\"\"\""), code("x = 1")]);
}

#[test]
fn a_source_file_of_databricks_is_cut_at_its_commands() {
    let text = "# Databricks notebook source\n# MAGIC %md\n# MAGIC # Title\n# MAGIC\n# MAGIC - a\n\n# COMMAND ----------\n\n\
                # DBTITLE 1,Load it\nimport os\n# MAGIC %time\n\n# COMMAND ----------\n\n# MAGIC %python\n# MAGIC x = 1\n\n# COMMAND ----------\n\nx = = 2\n\n\
                # COMMAND ----------\n\n# MAGIC %sql\n# MAGIC SELECT 1\n\n# COMMAND ----------\n\n# MAGIC %run ./other\n";
    assert!(nbc::notebook::is_notebook("py", text));
    let checked = check("a.py", text);
    let notebook = checked.notebook.as_ref().expect("a notebook");
    let found: Vec<_> = notebook.cells.iter().map(|it| (it.kind, it.code.to_string())).collect();
    assert_eq!(
        found,
        [
            prose("# Title\n\n- a"),
            code("import os\n%time"),
            code("x = 1"),
            (CellKind::Unparsable, "x = = 2".to_owned()),
            prose("```sql\nSELECT 1\n```"),
            prose("```run\n%run ./other\n```"),
        ]
    );
    assert_eq!(notebook.cells[1].name.as_deref(), Some("Load it"));
    insta::assert_snapshot!(checked.concise(), @r"
    a.py:20:5: error[NBC104] the cell is not valid Python: expected an expression
    a.py:24:9: warning[NBC113] cells that do not run: in another language, in a list or in a quote (`sql`); the first of 2 lines
    ");
}
