//! Pairs of jupytext: two files, one page.

use serde_json::json;
use test_support::{NbcTest, Said, code_cell};

const HEADER: &str = "# ---\n# jupyter:\n#   jupytext:\n#     formats: ipynb,py:percent\n# ---\n\n";

/// The text of a pair, whose second cell of code is this.
fn text(header: &str, code: &str) -> String {
    format!("{header}# %% [markdown]\n# # Both\n\n# %%\nfirst = 1\n\n# %%\n{code}\n")
}

/// The other file, with an output for each cell.
fn stored(formats: &str) -> String {
    let output = |text: &str| json!([{"output_type": "stream", "name": "stdout", "text": text}]);
    json!({
        "cells": [
            {"cell_type": "markdown", "metadata": {}, "source": "# Both"},
            code_cell("first = 1", &output("of the first\n")),
            code_cell("first + 1", &output("of the second\n")),
        ],
        "metadata": {"jupytext": {"formats": formats}}, "nbformat": 4, "nbformat_minor": 4,
    })
    .to_string()
}

fn built(files: &[(&str, &str)]) -> (NbcTest, Said) {
    let test = NbcTest::new(files);
    let said = test.run(&["build", "in", "-o", "out", "--layout", "site", "--code", "shown"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    (test, said)
}

#[test]
fn a_pair_is_one_page_with_the_code_of_one_and_the_outputs_of_the_other() {
    let link = json!({"cells": [{"cell_type": "markdown", "metadata": {}, "source": "[a](a.ipynb) [b](a.py)"}],
        "metadata": {}, "nbformat": 4, "nbformat_minor": 4});
    let (test, said) = built(&[
        ("in/a.py", &text(HEADER, "first + 1")),
        ("in/a.ipynb", &stored("")),
        ("in/link.ipynb", &link.to_string()),
    ]);
    assert!(said.stderr.contains("in/a.py: one page with a.ipynb"), "{}", said.stderr);
    assert!(!said.stderr.contains("NBC119"), "{}", said.stderr);
    let page = test.read("out/a.html");
    assert!(page.contains("of the first") && page.contains("of the second"), "{page}");
    assert!(!test.path("out/a-py.html").exists() && !test.path("out/a-ipynb.html").exists());
    assert_eq!(test.read("out/link.html").matches("href=\"a.html\"").count(), 2);
    // One of the two says so.
    let (test, _) =
        built(&[("in/a.py", &text("", "first + 1")), ("in/a.ipynb", &stored("ipynb,py:percent"))]);
    assert!(test.read("out/a.html").contains("of the second"));
}

#[test]
fn code_that_differs_has_no_output_and_is_told() {
    let (test, said) =
        built(&[("in/a.py", &text(HEADER, "first + 2")), ("in/a.ipynb", &stored(""))]);
    let page = test.read("out/a.html");
    // The code is coloured.
    assert!(page.contains("+</span> <span class=\"tok-number\">2</span>"), "{page}");
    assert!(page.contains("of the first") && !page.contains("of the second"), "{page}");
    let message = "1 cell of this text is not in `a.ipynb`, and 1 cell of that is not here";
    assert!(said.stderr.contains(message) && said.stderr.contains("NBC119"), "{}", said.stderr);
    assert!(said.stderr.contains("in/a.py:14:1"), "{}", said.stderr);
}

#[test]
fn files_that_do_not_say_that_they_are_a_pair_are_two_pages() {
    for formats in ["", "ipynb", "ipynb,md"] {
        let (test, _) =
            built(&[("in/a.py", &text("", "first + 1")), ("in/a.ipynb", &stored(formats))]);
        assert!(test.path("out/a-py.html").exists() && test.path("out/a-ipynb.html").exists());
        assert!(!test.path("out/a.html").exists());
    }
}

#[test]
fn a_pair_whose_other_file_cannot_be_read_is_the_page_of_its_text() {
    let (test, said) = built(&[("in/a.py", &text(HEADER, "first + 1")), ("in/a.ipynb", "{")]);
    assert!(said.stderr.contains("NBC103"), "{}", said.stderr);
    assert!(test.read("out/a.html").contains("+</span> <span class=\"tok-number\">1</span>"));
}

#[test]
fn a_pair_may_lie_in_two_folders() {
    let formats = "notebooks//ipynb,scripts//py:percent";
    let header = HEADER.replace("ipynb,py:percent", formats);
    let (script, notebook) = (text(&header, "first + 1"), stored(formats));
    for files in [
        [("in/deep/scripts/a.py", script.as_str()), ("in/deep/notebooks/a.ipynb", &stored(""))],
        [
            ("in/deep/scripts/a.py", &text("", "first + 1")),
            ("in/deep/notebooks/a.ipynb", &notebook),
        ],
    ] {
        let (test, said) = built(&files);
        let one = "in/deep/scripts/a.py: one page with deep/notebooks/a.ipynb";
        assert!(said.stderr.contains(one), "{}", said.stderr);
        assert!(test.read("out/deep/scripts/a.html").contains("of the second"));
        assert!(!test.path("out/deep/notebooks/a.html").exists());
    }
    // In other folders than the formats name, and beside each other, they are two notebooks.
    for (a, b) in [("in/a.py", "in/a.ipynb"), ("in/scripts/a.py", "in/other/a.ipynb")] {
        let (_, said) = built(&[(a, &script), (b, &notebook)]);
        assert!(!said.stderr.contains("one page with"), "{}", said.stderr);
    }
}

#[test]
fn a_light_script_is_a_pair_too() {
    let header = HEADER
        .replace("ipynb,py:percent", "ipynb,py:light")
        .replace("# ---\n\n", "#     text_representation:\n#       format_name: light\n# ---\n\n");
    let script = format!("{header}# # Both\n\nfirst = 1\n\nfirst + 1\n");
    let (test, said) = built(&[("in/a.py", &script), ("in/a.ipynb", &stored(""))]);
    assert!(said.stderr.contains("one page with a.ipynb"), "{}", said.stderr);
    assert!(!said.stderr.contains("NBC119"), "{}", said.stderr);
    assert!(test.read("out/a.html").contains("of the second"));
}
