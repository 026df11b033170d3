//! Edges, order, contradictions.

use insta::assert_snapshot;
use nbc::notebook::CellId;

use crate::{check, jupyter, marimo};

#[test]
fn every_definer_of_a_name_is_shown() {
    let checked = check("a.py", &marimo(&["total = 1", "total = 2", "total = 3"]));
    assert_snapshot!(checked.full());
    assert!(checked.graph.expect("a notebook").into_runnable().is_err());
}

#[test]
fn a_cycle_shows_its_whole_path() {
    let checked = check("a.py", &marimo(&["x = z", "y = x", "z = y", "w = z"]));
    assert_snapshot!(checked.full());
    assert!(checked.graph.expect("a notebook").order.is_empty());
}

#[test]
fn cells_run_in_dataflow_order_and_ties_in_document_order() {
    let checked = check("a.py", &marimo(&["c = b", "a = 1", "b = a", "d = 1"]));
    let order: Vec<u32> = checked.graph.expect("a notebook").order.iter().map(|it| it.0).collect();
    assert_eq!(order, [1, 2, 0, 3]);
}

#[test]
fn what_hangs_on_a_disabled_cell_does_not_run() {
    let text =
        marimo(&["a = 1", "b = a", "c = 1"]).replacen("@app.cell", "@app.cell(disabled=True)", 1);
    let checked = check("a.py", &text);
    let graph = checked.graph.expect("a notebook");
    assert_eq!(graph.order, [CellId(2)]);
    assert_eq!(graph.full_order.len(), 3);
    assert!(graph.into_runnable().is_ok());
}

#[test]
fn a_jupyter_notebook_keeps_its_order_and_is_warned_about_it() {
    let checked = check(
        "a.ipynb",
        &jupyter(&[
            "def f():\n    return later()",
            "print(x)",
            "x = 1",
            "x",
            "later = 1\n%run s.py",
            "y + z",
            "z = y = 1",
        ]),
    );
    assert_snapshot!(checked.concise(), @"a.ipynb:cell 2:1:7: warning[NBC205] `x` is used before any cell defines it");
    let graph = checked.graph.expect("a notebook");
    assert_eq!(graph.order.len(), 7);
    assert!(graph.parents[&CellId(3)].contains(&CellId(2)));
    assert!(graph.into_runnable().is_ok());
}

#[test]
fn cells_that_all_make_and_read_one_table_get_a_bounded_number_of_edges() {
    let cell = |it: usize| match it % 2 {
        0 => "mo.sql('CREATE TABLE t (x INT)')".to_owned(),
        _ => format!("mo.sql('SELECT * FROM t, s{it}.t, t{it}')"),
    };
    let cells: Vec<String> = (0..2_000).map(cell).collect();
    let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
    let graph = check("a.py", &marimo(&cells)).graph.expect("a notebook");
    let edges: usize = graph.children.values().map(std::collections::BTreeSet::len).sum();
    assert!((100_000..=200_000).contains(&edges), "{edges} edges");
}

#[test]
fn the_graph_prints_as_mermaid_dot_and_json() {
    let checked = check("a.py", &marimo(&["a = '\"<'", "b = a"]));
    let (notebook, graph) =
        (checked.notebook.expect("it is one"), checked.graph.expect("it has one"));
    assert_snapshot!(nbc::graph::print::mermaid(&notebook, &graph), @r#"
    flowchart TD
        c0["cell 1: a"]
        c1["cell 2: b"]
        c0 --> c1
    "#);
    assert_snapshot!(nbc::graph::print::dot(&notebook, &graph), @r#"
    digraph notebook {
        node [shape=box];
        c0 [label="cell 1: a"];
        c1 [label="cell 2: b"];
        c0 -> c1;
    }
    "#);
    let json = nbc::graph::print::json(&checked.sources, &notebook, &graph);
    let json: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(json["order"], serde_json::json!([0, 1]));
    assert_eq!(json["cells"][1]["refs"], serde_json::json!(["a"]));
}

#[test]
fn findings_about_many_cells_do_not_grow_with_their_square() {
    let same: Vec<&str> = std::iter::repeat_n("x = 1", 3000).collect();
    let knot: Vec<String> =
        (0..1000).map(|idx| format!("x{} = x{idx}", (idx + 1) % 1000)).collect();
    let knot: Vec<&str> = knot.iter().map(String::as_str).collect();
    let both = ["x = x\nx"].repeat(2000);
    for (cells, code) in [(same, "NBC201"), (knot, "NBC202"), (both, "NBC201")] {
        let checked = check("a.py", &marimo(&cells));
        let shown = checked.concise();
        assert!(shown.contains(code), "{shown}");
        let (notebook, graph) =
            (checked.notebook.expect("it is one"), checked.graph.expect("it has one"));
        let json = nbc::graph::print::json(&checked.sources, &notebook, &graph);
        // Each cell has a bounded number of edges and of entries in lists.
        assert!(json.len() < cells.len() * 3000, "{}", json.len());
    }
}
