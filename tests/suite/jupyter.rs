//! Jupyter files: tags, kernels, raw cells.

use base64::Engine as _;
use nbc::notebook::{CellKind, CellOptions, CodeVisibility};
use nbc::output::{self, OutputPosition};
use serde_json::json;

use crate::check;

fn options(metadata: serde_json::Value, source: &str) -> CellOptions {
    let cell = json!({"cell_type": "code", "metadata": metadata, "source": source, "outputs": []});
    let text = json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]});
    let checked = check("a.ipynb", &text.to_string());
    assert!(checked.diagnostics.is_empty(), "{}", checked.concise());
    checked.notebook.expect("a notebook").cells[0].options.clone()
}

#[test]
fn every_tag_has_its_meaning() {
    let plain = CellOptions::default();
    let code = |it| CellOptions { code: Some(it), ..plain.clone() };
    let withheld = CellOptions { is_withheld: true, ..code(CodeVisibility::Hidden) };
    for (tag, expected) in [
        ("hide-input", code(CodeVisibility::Folded)),
        ("hide_input", code(CodeVisibility::Folded)),
        ("remove-input", withheld.clone()),
        ("hide-output", CellOptions { hide_output: true, ..plain.clone() }),
        ("remove-output", CellOptions { hide_output: true, ..plain.clone() }),
        ("hide-cell", CellOptions { hide_output: true, ..code(CodeVisibility::Folded) }),
        ("remove-cell", CellOptions { hide_cell: true, ..withheld }),
        ("parameters", CellOptions { injected: true, ..plain.clone() }),
        ("raises-exception", CellOptions { raises_exception: true, ..plain.clone() }),
        ("skip-execution", CellOptions { skip_execution: true, ..plain.clone() }),
        ("something-else", plain.clone()),
    ] {
        assert_eq!(options(json!({"tags": [tag]}), "1"), expected, "{tag}");
    }
}

#[test]
fn every_quarto_option_has_its_meaning() {
    let plain = CellOptions::default();
    let code = |it| CellOptions { code: Some(it), ..plain.clone() };
    let withheld = CellOptions { is_withheld: true, ..code(CodeVisibility::Hidden) };
    for (line, expected) in [
        ("echo: false", withheld.clone()),
        ("echo: true", code(CodeVisibility::Shown)),
        ("code-fold: true", code(CodeVisibility::Folded)),
        ("output: false", CellOptions { hide_output: true, ..plain.clone() }),
        ("include: false", CellOptions { hide_cell: true, ..withheld }),
        ("warning: false", CellOptions { hide_warnings: true, ..plain.clone() }),
        ("eval: false", CellOptions { skip_execution: true, ..plain.clone() }),
        ("error: true", CellOptions { raises_exception: true, ..plain.clone() }),
    ] {
        assert_eq!(options(json!({}), &format!("#| {line}\n1")), expected, "{line}");
    }
}

#[test]
fn a_parameter_may_be_one_that_no_cell_defines() {
    let cell = |tags: &[&str], source: &str| json!({"cell_type": "code", "metadata": {"tags": tags}, "source": source, "outputs": []});
    let text = json!({"nbformat": 4, "metadata": {}, "cells": [cell(&["parameters"], "a = 1"), cell(&[], "b")]});
    assert!(check("a.ipynb", &text.to_string()).diagnostics.is_empty());
}

#[test]
fn another_kernel_is_told_and_its_cells_are_not_parsed() {
    let text = json!({"nbformat": 4, "metadata": {"kernelspec": {"language": "R", "name": "ir"}},
        "cells": [{"cell_type": "code", "metadata": {}, "source": "x <- c(1", "outputs": []}]});
    insta::assert_snapshot!(check("a.ipynb", &text.to_string()).concise(), @"a.ipynb:1:1: warning[NBC109] the notebook is written in `r`; nbc runs Python only");
    let text = "---\njupyter: julia-1.10\n---\n```{julia}\nx = 1\n```\n";
    assert!(check("a.qmd", text).concise().contains("NBC109"));
    let text =
        "# ---\n# jupyter:\n#   kernelspec:\n#     language: julia\n# ---\n# %%\nf(x) = 2x\n";
    assert!(check("a.py", text).concise().contains("NBC109"));
}

#[test]
fn raw_cells_keep_their_type() {
    let text = json!({"nbformat": 4, "metadata": {}, "cells": [
        {"cell_type": "raw", "metadata": {"raw_mimetype": "Text/HTML"}, "source": "<b>"},
        {"cell_type": "raw", "metadata": {"format": "text/latex"}, "source": "$x$"},
        {"cell_type": "raw", "metadata": {}, "source": "---"},
    ]});
    let notebook = check("a.ipynb", &text.to_string()).notebook.expect("a notebook");
    let types: Vec<_> = notebook.cells.iter().map(|it| it.options.raw_type.as_deref()).collect();
    assert_eq!(types, [Some("text/html"), Some("text/latex"), None]);
    assert!(notebook.cells.iter().all(|it| it.kind == CellKind::Raw));
}

#[test]
fn more_cells_than_nbc_reads_are_refused() {
    let cells = vec![json!({"cell_type": "code", "source": ""}); 50_001];
    let text = json!({"nbformat": 4, "metadata": {}, "cells": cells}).to_string();
    assert!(check("a.ipynb", &text).concise().contains("NBC110"));
}

/// HTML of prose with attachments, and the findings.
fn prose(source: &str, attachments: serde_json::Value) -> (String, Vec<String>) {
    let cell = json!({"cell_type": "markdown", "metadata": {}, "source": source, "attachments": attachments});
    let text = json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]});
    let checked = check("a.ipynb", &text.to_string());
    assert!(checked.diagnostics.is_empty(), "{}", checked.concise());
    let cell = checked.notebook.expect("a notebook").cells.remove(0);
    let place = OutputPosition { span: cell.head(), scope: "c1" };
    let attachments = cell.attachments.unwrap_or_default();
    let mathematics =
        output::Mathematics::read([(place.scope.to_owned(), &*cell.code)], output::Rule::Jupyter);
    let parsed =
        output::markdown(&cell.code, &attachments, None, &mathematics, &place, &|_| place.span);
    let said = parsed.diagnostics.iter().map(|it| it.message.clone()).collect();
    (parsed.value.output.html.as_str().to_owned(), said)
}

#[test]
fn an_attachment_that_is_missing_broken_or_another_cell_is_left_out_and_told() {
    for (attachments, told) in [
        (json!({}), "image that is not in the notebook"),
        (json!({"a.png": {}}), "image that is not in the notebook"),
        (json!({"a.png": 1}), "image that is not in the notebook"),
        (json!({"a.png": {"image/png": ["no", "text"]}}), "image that is not in the notebook"),
        (json!({"a.png": {"text/html": "<img src=attachment:a.png>"}}), "not in the notebook"),
        (json!({"a.png": {"image/png": "!"}}), "an attachment"),
        (json!({"a.png": {"image/png": "attachment:a.png"}}), "an attachment"),
        (json!({"a.png": {"image/svg+xml": "<image href='attachment:a.png'/>"}}), "an attachment"),
    ] {
        let (html, said) = prose("before ![x](attachment:a.png) after", attachments.clone());
        assert!(!html.contains("attachment:"), "{attachments}: {html}");
        assert!(html.contains("before") && html.contains("after"), "{html}");
        assert!(said.iter().any(|it| it.contains(told)), "{attachments}: {said:?}");
    }
}

#[test]
fn an_attachment_takes_no_more_room_than_the_notebook_gives_it() {
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        [&u32::try_from(data.len()).unwrap().to_be_bytes(), kind.as_slice(), data, &[0; 4]].concat()
    };
    let header = chunk(b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]);
    let pixels = chunk(b"IDAT", &vec![0; 3_000_000]);
    let png = [b"\x89PNG\r\n\x1a\n".as_slice(), &header, &pixels, &chunk(b"IEND", &[])].concat();
    let large = base64::engine::general_purpose::STANDARD.encode(png);
    let once = prose("![x](attachment:a.png)", json!({"a.png": {"image/png": large}}));
    assert!(once.0.len() > large.len() && once.1.is_empty(), "{:?}", once.1);
    let often = "![x](attachment:a.png)\n".repeat(2_000);
    let (html, said) = prose(&often, json!({"a.png": {"image/png": large}}));
    assert!(html.len() < 3 * large.len(), "{} bytes", html.len());
    assert!(said.iter().any(|it| it.contains("shown too often")), "{said:?}");
}

#[test]
fn code_that_reads_as_something_else_is_told() {
    let source = "x = 1\nif x: # \u{202e} } \u{2066}if admin\u{2069} \u{2066}\n    x = 2\n";
    let cells =
        json!([{"cell_type": "code", "source": source}, {"cell_type": "code", "source": "y = 1"}]);
    let text = json!({"nbformat": 4, "metadata": {}, "cells": cells}).to_string();
    let checked = check("a.ipynb", &text);
    let concise = checked.concise();
    assert_eq!(concise.matches("NBC112").count(), 1, "{concise}");
    assert!(concise.starts_with("a.ipynb:cell 1:2:1: warning[NBC112]"), "{concise}");
    // The line is quoted with the numbers of what cannot be seen.
    let full = checked.full();
    assert!(full.contains("\\u{202e} } \\u{2066}if admin\\u{2069}"), "{full}");
    assert!(!full.contains('\u{202e}'), "{full}");
}

#[test]
fn a_file_that_is_not_the_notebook_says_what_it_is() {
    let said = |path: &str, text: &str| {
        let checked = check(path, text);
        let found = checked.concise();
        assert_eq!(found.lines().filter(|it| it.contains("NBC")).count(), 1, "{found}");
        found
    };
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    assert!(
        said("a.ipynb", pointer)
            .contains("a.ipynb:1:1: error[NBC114] the file is a pointer of Git LFS")
    );
    assert!(said("a.py", pointer).contains("error[NBC114]"));
    assert!(said("a.ipynb", "\n<!DOCTYPE html><p>Not found").contains("page of HTML"));
    let conflict = "{\n <<<<<<< HEAD\n \"cells\": [],\n=======\n \"cells\": [ ],\n>>>>>>> other\n \"nbformat\": 4}";
    assert!(
        said("a.ipynb", conflict)
            .contains("a.ipynb:2:1: error[NBC114] the file holds a merge conflict")
    );
    let example = "Text\n\n```\n<<<<<<< a\n1\n=======\n2\n>>>>>>> b\n```\n";
    assert!(said("a.qmd", example).contains("a.qmd:4:1: warning[NBC114]"));
    assert_eq!(check("a.qmd", "Heading\n=======\n\n<<<<<<< a\n").concise(), "");
}

#[test]
fn numbers_that_only_python_writes_are_read() {
    let outputs = r#"{"output_type": "display_data", "metadata": {}, "data": {"application/json": {"a": NaN, "b": [-Infinity,Infinity], "c": "NaN \" -Infinity"}}}"#;
    let text = format!(
        r#"{{"nbformat": 4, "metadata": {{"papermill": {{"parameters": {{"rate": NaN}}}}}}, "cells": [{{"cell_type": "code", "source": "x = 'NaN'", "metadata": {{}}, "outputs": [{outputs}]}}]}}"#
    );
    let checked = check("a.ipynb", &text);
    assert!(
        checked.concise().contains("warning[NBC103] `NaN` and `Infinity` are no numbers"),
        "{}",
        checked.concise()
    );
    let cell = checked.notebook.expect("a notebook").cells.remove(0);
    assert_eq!(&*cell.code, "x = 'NaN'");
    let stored = cell.stored_outputs.expect("an output");
    assert_eq!(
        stored.read()[0]["data"]["application/json"],
        json!({"a": null, "b": [null, null], "c": "NaN \" -Infinity"})
    );
    assert!(check("a.ipynb", "{\"cells\": [Nan]}").concise().contains("NBC103"));
}
