//! Warnings about hidden state, and about names that come from nowhere.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::{check, jupyter, marimo};

/// A Jupyter notebook of cells with their counts and numbered results.
fn ran(cells: &[(&str, u64, Option<u64>)]) -> String {
    let cell = |(source, count, result): &(&str, u64, Option<u64>)| {
        let output = |number: &u64| json!({"output_type": "execute_result", "execution_count": number, "data": {"text/plain": "1"}, "metadata": {}});
        let outputs: Vec<Value> = result.iter().map(output).collect();
        json!({"cell_type": "code", "metadata": {}, "source": source, "execution_count": count, "outputs": outputs})
    };
    let cells: Vec<Value> = cells.iter().map(cell).collect();
    json!({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}).to_string()
}

#[test]
fn a_name_that_no_cell_defines_is_told_once() {
    let text = jupyter(&["x = 1\nprint(x, y)", "y + z", "def f():\n    return z"]);
    assert_snapshot!(check("a.ipynb", &text.replace("y + z", "z + 1")).concise(), @r"
    a.ipynb:cell 1:2:10: warning[NBC206] `y` is used, but no cell defines it
    a.ipynb:cell 2:1:1: warning[NBC206] `z` is used, but no cell defines it
    ");
}

#[test]
fn nothing_is_undefined_where_a_name_may_come_from_anywhere() {
    for cells in [
        &["from os import *", "y"][..],
        &["%run setup.py", "y"],
        &["%%capture\n1", "y"],
        &["exec('y = 1')", "y"],
        &["globals()['y'] = 1", "y"],
        &["try:\n    y\nexcept NameError:\n    y = 1", "y"],
        &["_", "__file__", "In[1]", "display(1)", "get_ipython"],
        &["y = 1", "del y", "y"],
        &["class C[T](list[T]): pass"],
        &[
            "def f(items):\n    for it in items:\n        if it: return last\n        last, it = it, 1",
        ],
    ] {
        let checked = check("a.ipynb", &jupyter(cells));
        assert!(!checked.concise().contains("NBC206"), "{cells:?}: {}", checked.concise());
    }
}

#[test]
fn a_cell_that_needs_a_later_one_is_told() {
    let text = jupyter(&["print(total)", "total = 1"]);
    assert_snapshot!(check("a.ipynb", &text).concise(), @"a.ipynb:cell 1:1:7: warning[NBC205] `total` is used before any cell defines it");
}

#[test]
fn cells_that_ran_out_of_order_are_told() {
    let text = ran(&[("x = 1", 7, None), ("y = 2", 3, None), ("z = 3", 1, None)]);
    assert_snapshot!(check("a.ipynb", &text).full(), @r"
    warning[NBC207]: the cells were run out of order: `In [3]` stands below `In [7]`
     --> a.ipynb:cell 2:1:1
      |
    1 | y = 2
      | ^^^^^ ran as number 3
      |
     ::: a.ipynb:cell 1:1:1
      |
    1 | x = 1
      | ----- ran later, as number 7
      |
      = help: restart the kernel, run all cells and save the notebook
    ");
}

#[test]
fn a_count_of_zero_is_that_of_a_cell_that_was_not_run() {
    let text = ran(&[("x = 1", 1, None), ("", 0, None), ("y = 2", 2, None)]);
    assert_eq!(check("a.ipynb", &text).concise(), "");
}

#[test]
fn outputs_older_than_their_code_are_told() {
    let text =
        ran(&[("x = 1", 5, None), ("x + 1", 4, Some(4)), ("2", 6, Some(3)), ("", 7, Some(7))]);
    assert_snapshot!(check("a.ipynb", &text).concise(), @r"
    a.ipynb:cell 2:1:1: warning[NBC207] the cells were run out of order: `In [4]` stands below `In [5]`
    a.ipynb:cell 2:1:1: warning[NBC208] the output is older than a cell that it depends on
    a.ipynb:cell 3:1:1: warning[NBC208] the output is of run 3, the cell of run 6
    a.ipynb:cell 4:1:1: warning[NBC208] the cell is empty, but holds an output
    ");
}

#[test]
fn a_clean_run_says_nothing() {
    let text = ran(&[("x = 1", 1, None), ("x + 1", 2, Some(2)), ("x", 9, Some(9))]);
    assert!(check("a.ipynb", &text).diagnostics.is_empty());
}

#[test]
fn a_notebook_named_like_what_it_imports_is_told() {
    let text = marimo(&["import json\nimport pandas as pd"]);
    assert!(check("pandas.py", &text).concise().contains("NBC209"));
    assert!(
        check("json.py", &text).concise().contains("warning[NBC209] the notebook imports `json`")
    );
    assert!(check("pd.py", &text).diagnostics.is_empty());
    assert!(check("pandas.ipynb", &jupyter(&["import pandas"])).diagnostics.is_empty());
    assert!(check("json.py", "# %%\nimport json\n").concise().contains("NBC209"));
}

#[test]
fn a_star_import_hides_what_a_marimo_cell_defines() {
    assert_snapshot!(check("a.py", &marimo(&["from os import *"])).concise(), @"a.py:8:5: error[NBC203] `import *` hides which names the cell defines");
}

#[test]
fn the_setup_cell_needs_no_other_cell() {
    let text = marimo(&["x = 1"])
        .replace("marimo.App()\n", "marimo.App()\n\nwith app.setup:\n    y = x\n");
    assert_snapshot!(check("a.py", &text).concise(), @"a.py:6:9: error[NBC204] the setup cell uses `x`, which another cell defines");
}
