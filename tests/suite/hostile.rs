//! Inputs that nobody wrote on purpose: no panic, no overflow, a finding.

use nbc::diagnostic::render::{Format, render};
use nbc::python::{Mode, highlight};
use proptest::prelude::*;

use crate::{Checked, check, jupyter, marimo};

/// Renders everything, so that each span is used.
fn exercise(checked: &Checked) {
    for format in [Format::Full, Format::Concise, Format::Json, Format::Sarif, Format::Github] {
        render(&checked.diagnostics, &checked.sources, format, true);
    }
    if let (Some(notebook), Some(graph)) = (&checked.notebook, &checked.graph) {
        nbc::graph::print::json(&checked.sources, notebook, graph);
        nbc::graph::print::mermaid(notebook, graph);
        for cell in &notebook.cells {
            let mut last = 0;
            for (range, _) in highlight(&cell.code, Mode::Ipython) {
                assert!(last <= range.start && range.start < range.end);
                assert!(cell.code.get(range.start as usize..range.end as usize).is_some());
                last = range.end;
            }
            for line in 0..5 {
                cell.line_span(line);
            }
        }
    }
}

#[test]
fn deep_nesting_is_a_finding_and_no_overflow() {
    let terms = "a+".repeat(200_000) + "a";
    let texts = [
        terms.clone(),
        "(".repeat(100_000),
        format!("{}{}", "(".repeat(100_000), ")".repeat(100_000)),
        "[".repeat(5_000),
        "-".repeat(200_000) + "1",
        "not ".repeat(100_000) + "1",
        format!("{}1", "lambda:".repeat(100_000)),
        format!("{}1", "lambda a, b:".repeat(50_000)),
        format!("x{}", ".a".repeat(100_000)),
        format!("f{}", "()".repeat(100_000)),
        format!("{}1", "1 if 1 else ".repeat(50_000)),
        format!("{}x{}", "f'{".repeat(2_000), "}'".repeat(2_000)),
        (0..2_000).map(|it| " ".repeat(it) + "if 1:\n").collect::<String>(),
        "(\")\"+".repeat(20_000),
        "await ".repeat(50_000) + "x",
        format!("x{}", "[0]".repeat(900)),
    ];
    for text in &texts {
        for (path, notebook) in
            [("a.py", marimo(&["ok = 1", text])), ("a.ipynb", jupyter(&["ok = 1", text]))]
        {
            let checked = check(path, &notebook);
            exercise(&checked);
            let graph = checked.graph.expect("the other cell is left");
            assert!(graph.names.values().any(|it| it.definitions.contains("ok")), "{path}");
        }
        highlight(text, Mode::Python);
    }
    let deep = check("a.ipynb", &jupyter(&[&terms]));
    assert!(deep.concise().contains("NBC110"), "{}", &deep.concise()[..200]);
}

#[test]
fn code_that_is_deep_but_written_by_people_is_read() {
    let sum = vec!["a"; 400].join(" + ");
    let table = format!("x = [{}]", vec!["-1.5"; 5_000].join(", "));
    let checked = check("a.py", &marimo(&[&sum, &table]));
    assert!(checked.diagnostics.is_empty(), "{}", checked.concise());
}

#[test]
fn odd_bytes_are_survived() {
    let plain = marimo(&["a = 1", "b = '''\n  a\n'''"]);
    let json = jupyter(&["a = 1", "b = a"]);
    for text in [
        plain.replace('\n', "\r"),
        plain.replace('\n', "\r\n"),
        format!("\u{feff}{plain}"),
        format!("\u{feff}{json}"),
        plain.replace("a = 1", "a = '\0'"),
        plain.replace("a = 1", "\0"),
        plain.replace("a = 1", "a\u{a0}= 1"),
        plain.replace("a = 1", "a = 1\u{c}\u{b}\u{1c}\u{85}\u{2028}"),
        "\u{feff}".to_owned(),
        "\r".to_owned(),
        "\0".repeat(1000),
        "x".repeat(10_000_000),
        format!("a = '{}'", "x".repeat(10_000_000)),
    ] {
        for path in ["a.py", "a.ipynb", "a"] {
            exercise(&check(path, &text));
        }
    }
    let marked = check("a.py", &format!("\u{feff}{plain}"));
    assert!(marked.diagnostics.is_empty(), "{}", marked.concise());
    for text in [plain.replace('\n', "\r"), plain.replace('\n', "\r\n")] {
        let checked = check("a.py", &text);
        assert!(checked.diagnostics.is_empty(), "{}", checked.concise());
        assert_eq!(
            checked.notebook.expect("a notebook").cells[1].code,
            &*"b = '''\na\n'''".replace("\na\n", "\n  a\n")
        );
    }
}

const SEED: &str = include_str!("../differential/notebooks/extraction.py");

fn mutated() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\"\"\""),
        Just("("),
        Just(")"),
        Just("\n"),
        Just("@app.cell\n"),
        Just("def _():\n"),
        Just("    return\n"),
        Just("with app.setup:\n"),
        Just("'"),
        Just("{"),
        Just("\\"),
        Just("é"),
        Just("\r"),
        Just("\0"),
        Just("f'{"),
        Just("# /// script\n"),
        Just("app._unparsable_cell("),
        Just("\t"),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), 0usize..40, piece), 1..6).prop_map(
        |edits| {
            let mut text: Vec<char> = SEED.chars().collect();
            for (at, cut, piece) in edits {
                let start = at.index(text.len());
                let end = (start + cut).min(text.len());
                text.splice(start..end, piece.chars());
            }
            text.into_iter().collect()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_notebook_is_no_panic(text in mutated()) {
        exercise(&check("a.py", &text));
    }

    #[test]
    fn any_text_is_no_panic(text in "\\PC{0,200}") {
        exercise(&check("a.py", &text));
        exercise(&check("a.ipynb", &text));
        exercise(&check("a.py", &marimo(&[&text])));
        exercise(&check("a.ipynb", &jupyter(&[&text])));
    }

    #[test]
    fn truncated_json_is_a_finding(at in any::<prop::sample::Index>()) {
        let text = jupyter(&["a = 1", "é = 2\n%time b"]);
        let mut end = at.index(text.len());
        while !text.is_char_boundary(end) { end -= 1; }
        let checked = check("a.ipynb", &text[..end]);
        prop_assert!(!checked.diagnostics.is_empty());
        exercise(&checked);
    }
}
