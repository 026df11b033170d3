//! nbc against marimo's own library: the same cells, names, edges, order and errors.
//!
//! Needs an interpreter with marimo in `NBC_TEST_PYTHON`. `NBC_TEST_CORPUS`, a file with one path
//! a line, takes notebooks that are not in the project in place of the examples.
#![expect(
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test may print, and fail by panic"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use camino::Utf8PathBuf;
use serde_json::Value;
use test_support::python_says;

#[derive(Default, Debug)]
struct Tally {
    notebooks: usize,
    cells: usize,
    equal_cells: usize,
    equal_orders: usize,
    equal_errors: usize,
    differences: Vec<String>,
}

/// marimo's HTML for a cell of prose.
fn prose(code: &str) -> String {
    if code.is_empty() {
        return String::new();
    }
    format!("mo.md(r\"\"\"\n{}\n\"\"\")", code.replace("\"\"\"", "\\\"\\\"\\\""))
}

/// Prose of a Markdown notebook is no Python to nbc: its edges to the cell that imports `mo` and its
/// place in the order are marimo's only, its text must be the same.
fn without_prose(theirs: &mut Value, ours: &mut Value) {
    let mut left_out = BTreeSet::new();
    let own = ours["cells"].as_array_mut().expect("nbc prints cells");
    let cells = theirs["cells"].as_array_mut().expect("marimo has cells");
    for (own, cell) in own.iter_mut().zip(cells.iter_mut()) {
        if own["kind"] != "markdown" {
            continue;
        }
        left_out.insert(own["index"].as_u64());
        own["code"] = Value::from(prose(own["code"].as_str().unwrap_or_default()));
        for key in [
            "defs",
            "refs",
            "private",
            "deleted_refs",
            "language",
            "parents",
            "children",
            "compiled",
        ] {
            own[key] = cell[key].clone();
        }
        own["parents"] = Value::Array(Vec::new());
        cell["parents"] = Value::Array(Vec::new());
    }
    let keep = |list: &mut Value| {
        if let Some(list) = list.as_array_mut() {
            list.retain(|it| !left_out.contains(&it.as_u64()));
        }
    };
    for cell in cells.iter_mut() {
        keep(&mut cell["children"]);
    }
    for cell in own.iter_mut() {
        keep(&mut cell["children"]);
    }
    keep(&mut theirs["order"]);
    keep(&mut theirs["run_order"]);
}

/// nbc's view of a file; `None` when it is no notebook.
fn ours(path: &str) -> Option<Value> {
    let mut sources = nbc::source::Sources::default();
    let id = sources.load(&Utf8PathBuf::from(path)).ok()?;
    let notebook = nbc::notebook::parse(&mut sources, id).value?;
    let graph = nbc::graph::analyze(&sources, &notebook).value;
    let json = nbc::graph::print::json(&sources, &notebook, &graph);
    Some(serde_json::from_str(&json).expect("nbc prints JSON"))
}

fn errors(graph: &Value) -> BTreeSet<(u64, String, String)> {
    let list = graph["errors"].as_array().cloned().unwrap_or_default();
    let one = |it: &Value| {
        let text = |key: &str| it[key].as_str().unwrap_or_default().to_owned();
        match it.as_array() {
            Some(it) => (
                it[0].as_u64().unwrap_or_default(),
                it[1].as_str().unwrap_or_default().to_owned(),
                it[2].as_str().unwrap_or_default().to_owned(),
            ),
            None => (it["cell"].as_u64().unwrap_or_default(), text("type"), text("name")),
        }
    };
    list.iter().map(one).collect()
}

fn compare(theirs: &Value, tally: &mut Tally) {
    let path = theirs["file"].as_str().expect("every line names its file");
    let ours = ours(path);
    if theirs["notebook"] != true {
        if ours.as_ref().is_some_and(|it| !it["cells"].as_array().is_none_or(Vec::is_empty)) {
            tally.differences.push(format!("{path}: marimo does not take it for a notebook"));
        }
        return;
    }
    tally.notebooks += 1;
    let Some(mut ours) = ours else {
        tally.differences.push(format!("{path}: nbc does not take it for a notebook"));
        tally.cells += theirs["cells"].as_array().map_or(0, Vec::len);
        return;
    };
    let mut theirs = theirs.clone();
    if !path.ends_with(".py") {
        without_prose(&mut theirs, &mut ours);
    }
    let theirs = &theirs;
    let empty = Vec::new();
    let cells = theirs["cells"].as_array().unwrap_or(&empty);
    let own = ours["cells"].as_array().unwrap_or(&empty);
    if cells.len() != own.len() {
        tally.differences.push(format!("{path}: {} cells, nbc has {}", cells.len(), own.len()));
    }
    for (at, cell) in cells.iter().enumerate() {
        tally.cells += 1;
        let mut keys = vec!["name", "code", "compiled"];
        if cell["compiled"] == true {
            keys.extend(["defs", "refs", "private", "deleted_refs", "language", "parents"]);
            keys.push("children");
        }
        let Some(own) = own.get(at) else { continue };
        let wrong: Vec<&str> = keys.into_iter().filter(|it| cell[it] != own[it]).collect();
        if wrong.is_empty() {
            tally.equal_cells += 1;
        }
        for key in wrong {
            tally.differences.push(format!(
                "{path}: cell {at}: {key}\n    marimo {}\n    nbc    {}",
                cell[key], own[key]
            ));
        }
    }
    let order = ["order", "run_order"].iter().all(|it| theirs[it] == ours[it]);
    tally.equal_orders += usize::from(order);
    if !order {
        let differ =
            format!("{path}: order\n    marimo {}\n    nbc    {}", theirs["order"], ours["order"]);
        tally.differences.push(differ);
    }
    let same = errors(theirs) == errors(&ours);
    tally.equal_errors += usize::from(same);
    if !same {
        tally.differences.push(format!(
            "{path}: errors\n    marimo {:?}\n    nbc    {:?}",
            errors(theirs),
            errors(&ours)
        ));
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(folder).expect("the folder exists");
    let paths = entries.map(|it| it.expect("the folder can be listed").path());
    let mut found: Vec<PathBuf> = paths
        .filter(|it| it.extension().is_some_and(|e| e == "py" || e == "md" || e == "qmd"))
        .collect();
    found.sort();
    found
}

fn check(paths: &[String]) -> Tally {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential/facts.py");
    let mut tally = Tally::default();
    for chunk in paths.chunks(200) {
        let arguments: Vec<&str> =
            std::iter::once(script).chain(chunk.iter().map(String::as_str)).collect();
        for line in python_says(&arguments).lines() {
            let theirs = serde_json::from_str(line).expect("the script prints JSON lines");
            compare(&theirs, &mut tally);
        }
    }
    tally
}

fn texts(paths: Vec<PathBuf>) -> Vec<String> {
    paths.into_iter().map(|it| it.to_str().expect("UTF-8 paths").to_owned()).collect()
}

#[test]
fn marimos_tutorials_come_out_as_marimo_sees_them() {
    let folder = python_says(&["-c", "import marimo._tutorials as t; print(t.__path__[0])"]);
    let tally = check(&texts(files(Path::new(folder.trim()))));
    assert!(tally.notebooks >= 8, "{} tutorials", tally.notebooks);
    assert!(tally.differences.is_empty(), "{}", tally.differences.join("\n"));
}

#[test]
fn every_construct_of_the_fixtures_comes_out_as_marimo_sees_it() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential/notebooks");
    let tally = check(&texts(files(Path::new(folder))));
    assert!(tally.notebooks > 0);
    assert!(tally.differences.is_empty(), "{}", tally.differences.join("\n"));
}

#[test]
fn a_corpus_agrees_in_995_of_1000_cells() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let paths: Vec<String> = match std::env::var("NBC_TEST_CORPUS") {
        Ok(list) => {
            let list = fs_err::read_to_string(list).expect("NBC_TEST_CORPUS is a file of paths");
            list.lines().map(str::to_owned).collect()
        }
        Err(_) => {
            let folders = fs_err::read_dir(root).expect("the examples");
            let folders = folders.map(|it| it.expect("an entry").path()).filter(|it| it.is_dir());
            folders.chain([PathBuf::from(root)]).flat_map(|it| texts(files(&it))).collect()
        }
    };
    let tally = check(&paths);
    println!("{}", tally.differences.join("\n"));
    println!(
        "{} notebooks: {} of {} cells equal, {} orders equal, {} errors equal",
        tally.notebooks, tally.equal_cells, tally.cells, tally.equal_orders, tally.equal_errors
    );
    assert!(tally.notebooks > 2, "{} notebooks", tally.notebooks);
    assert!(tally.equal_cells * 1000 >= tally.cells * 995);
}

/// Compares Python's verdicts on the snippets of a file with those of nbc.
fn compiled(kind: &str, file: &str, ours: impl Fn(&str) -> Option<String>) -> usize {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential");
    let (script, file) = (format!("{folder}/compiled.py"), format!("{folder}/compiled/{file}"));
    let mut differences = Vec::new();
    let mut snippets = 0;
    for line in python_says(&[&script, kind, &file]).lines() {
        let snippet: Value = serde_json::from_str(line).expect("the script prints JSON lines");
        let code = snippet["code"].as_str().expect("a snippet");
        let (theirs, own) = (snippet["why"].as_str(), ours(code));
        snippets += 1;
        if theirs.is_some() != own.is_some() {
            differences.push(format!("{code}    Python {theirs:?}\n    nbc    {own:?}\n"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    snippets
}

#[test]
fn what_python_refuses_to_compile_is_an_error_and_nothing_else_is() {
    let snippets = compiled("python", "python.txt", |code| {
        let errors = nbc::python::names(code, nbc::python::Mode::Python).err()?;
        errors.first().map(|it| it.message.clone())
    });
    assert!(snippets > 200, "{snippets} snippets");
}

#[test]
fn a_jupyter_cell_is_an_error_when_ipython_cannot_compile_it_and_only_then() {
    let snippets = compiled("ipython", "ipython.txt", |code| {
        let cell = serde_json::json!({"cell_type": "code", "metadata": {}, "source": code});
        let file = serde_json::json!({"nbformat": 4, "metadata": {}, "cells": [cell]});
        let mut sources = nbc::source::Sources::default();
        let id = sources.add("a.ipynb".into(), None, file.to_string());
        let parsed = nbc::notebook::parse(&mut sources, id);
        let notebook = parsed.value.expect("a notebook");
        let refused = notebook.cells[0].kind == nbc::notebook::CellKind::Unparsable;
        assert!(parsed.diagnostics.len() <= usize::from(refused), "{:?}", parsed.diagnostics);
        refused.then(|| parsed.diagnostics[0].message.clone())
    });
    assert!(snippets > 200, "{snippets} snippets");
}
