//! Messages are data: what a notebook, or the name of a file, says is no command of a log or a terminal.

#![expect(
    clippy::unwrap_used,
    reason = "tests start the real binary, and a failed step is a failed test"
)]

use std::process::Command;

use test_support::NbcTest;

const BIDI: &str = "\u{202e}";

/// The text of a notebook whose one cell does not parse, on a line that attacks.
fn notebook() -> String {
    let source = "def f(:\n    pass # \u{1b}[2J ##[error]forged \u{9b} \u{202e}\n";
    let cells = serde_json::json!([
        {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": null},
        {"cell_type": "code", "source": "  ::error::forged (\n", "metadata": {}, "outputs": [], "execution_count": null},
    ]);
    serde_json::json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells})
        .to_string()
}

/// Standard output and standard error of `nbc` in a folder with a notebook of a hostile name.
fn said(arguments: &[&str], is_github: bool) -> (String, String) {
    let name = format!("a\n::error file=x::forged\u{1b}[31m##[error]{BIDI}, b.ipynb");
    let test = NbcTest::new(&[(&name, &notebook())]);
    let mut command = nbc_in(&test, arguments);
    command.env_remove("GITHUB_ACTIONS");
    if is_github {
        command.env("GITHUB_ACTIONS", "true");
    }
    let said = test_support::said(&mut command);
    (said.stdout, said.stderr)
}

/// `nbc` with the folder as its user's home: what is told of a path does not depend on the machine.
fn nbc_in(test: &NbcTest, arguments: &[&str]) -> Command {
    let mut command = test.nbc(arguments);
    command.env("HOME", test.folder.path());
    command
}

/// Commands that the runner of a workflow would obey: `::x::` first in a line, `##[x]` anywhere, but for nbc's own.
fn commands(log: &str) -> Vec<&str> {
    let mut fence: Option<String> = None;
    let mut found = vec![];
    for line in log.split(['\n', '\r']) {
        let start = line.trim_start();
        if let Some(token) = &fence {
            if start.strip_prefix("::").and_then(|it| it.strip_suffix("::")) == Some(token) {
                fence = None;
            }
            continue;
        }
        if let Some(token) = start.strip_prefix("::stop-commands::") {
            fence = Some(token.to_owned());
        } else if start.starts_with("::") || line.contains("##[") {
            found.push(line);
        }
    }
    assert!(fence.is_none(), "a fence stays open: {log}");
    found
}

fn assert_steers_nothing(text: &str) {
    let bad = |it: char| (it.is_control() && it != '\n') || "\u{202e}\u{2066}".contains(it);
    assert!(!text.contains(bad), "{text:?}");
}

#[test]
fn no_format_and_no_path_prints_what_steers() {
    for arguments in [
        &["check", "."][..],
        &["check", ".", "--format", "concise"],
        &["check", ".", "--format", "json"],
        &["check", ".", "--format", "sarif"],
        &["check", ".", "--format", "github"],
        &["graph", "."],
        &["graph", ".", "--format", "json"],
        &["build", ".", "--execute", "never", "--timings"],
        &["explain", "\u{1b}[2J\u{202e}"],
        &["check", "\u{1b}[2J\u{202e}.ipynb"],
        &["verify", "\u{1b}[2J\u{202e}"],
        &["check", "--\u{1b}[2J\u{202e}\r::error::x"],
    ] {
        let (out, err) = said(arguments, false);
        assert!(!out.is_empty() || !err.is_empty(), "{arguments:?}");
        assert_steers_nothing(&out);
        assert_steers_nothing(&err);
    }
}

#[test]
fn a_workflow_takes_no_command_from_a_notebook() {
    for arguments in [
        &["check", "."][..],
        &["check", ".", "--format", "concise"],
        &["check", ".", "--format", "json"],
        &["check", ".", "--format", "sarif"],
        &["graph", "."],
        &["build", ".", "--execute", "never"],
        &["explain", "x\n::error::forged\n##[error]x"],
        &["check", "x\n ::error::forged ##[error]x.ipynb"],
        &["check", "--x\n::error::forged ##[error]x"],
    ] {
        let (out, err) = said(arguments, true);
        assert_eq!(commands(&out), <Vec<&str>>::new(), "{arguments:?}");
        assert_eq!(commands(&err), <Vec<&str>>::new(), "{arguments:?}");
    }
}

#[test]
fn foreign_text_is_fenced_and_the_fence_is_never_the_same() {
    let token = || {
        let (_, err) = said(&["check", "x\n::error::forged.ipynb"], true);
        let fence = err.lines().find_map(|it| it.strip_prefix("::stop-commands::"));
        let token = fence.unwrap_or_else(|| panic!("no fence: {err}")).to_owned();
        assert!(err.lines().any(|it| it == format!("::{token}::")), "{err}");
        token
    };
    let (one, other) = (token(), token());
    assert!(one != other && one.len() >= 32, "{one} {other}");
}

#[test]
fn annotations_are_outside_of_every_fence_and_name_the_file_in_full() {
    let (out, _) = said(&["check", ".", "--format", "github"], true);
    let lines = commands(&out);
    assert!(!lines.is_empty());
    for line in lines {
        assert!(
            line.starts_with("::error title=nbc (") || line.starts_with("::warning title=nbc ("),
            "{line}"
        );
        assert!(!line.contains("##["), "{line}");
    }
    assert!(out.contains("%2C b.ipynb,line="), "{out}");
}

#[test]
fn a_file_for_programs_is_whole_in_a_workflow() {
    let (out, _) = said(&["check", ".", "--format", "json"], true);
    let findings: serde_json::Value = serde_json::from_str(&out).unwrap();
    let file = findings.pointer("/0/location/file").and_then(|it| it.as_str()).unwrap();
    assert!(file.contains("##[error]\u{202e}, b.ipynb"), "{file:?}");
}

#[test]
fn a_line_break_in_a_name_begins_no_line_of_a_message() {
    for name in ["x\nwarning: forged.ipynb", "x\nbuilt 1 page into .site.ipynb"] {
        let (_, err) = said(&["check", name], false);
        let forged = |it: &str| it.starts_with("warning: forged") || it.starts_with("built 1 page");
        assert!(err.contains("error") && !err.lines().any(forged), "{err}");
    }
}

#[test]
fn a_title_turns_nothing_that_follows() {
    let cells = serde_json::json!([
        {"cell_type": "markdown", "source": "# A\u{202e}B\u{2067}C \u{200f}שלום\n\nText \u{202e}kept", "metadata": {}},
    ]);
    let test = NbcTest::new(&[
        ("project/a\u{202e}b.ipynb", &test_support::notebook(&cells)),
        ("project/nbc.toml", "title = \"S\\u202ET\"\n"),
    ]);
    let arguments = ["build", ".", "--execute", "never", "--layout", "site", "--output", "../site"];
    let said = test_support::said(nbc_in(&test, &arguments).current_dir(test.path("project")));
    assert_eq!(said.code, 0, "{}", said.stderr);
    let is_page = |it: &walkdir::DirEntry| it.path().extension().is_some_and(|it| it == "html");
    let files = walkdir::WalkDir::new(test.path("site")).into_iter().flatten();
    let pages: Vec<_> =
        files.filter(is_page).map(|it| fs_err::read_to_string(it.path()).unwrap()).collect();
    assert!(pages.len() >= 2, "a page and an index");
    let turns = |text: &str| text.contains(['\u{202e}', '\u{2067}']);
    for page in &pages {
        // Prose keeps its marks, in blocks of its own.
        let (page, prose) = page.split_once("Text \u{202e}kept").unwrap_or((page, ""));
        let page = page.replace("<h1", "\n<h1").replace("</h1>", "</h1>\n");
        let others = page.lines().filter(|it| !it.starts_with("<h1"));
        let turned: Vec<_> = others.filter(|it| turns(it)).collect();
        assert!(turned.is_empty() && !turns(prose), "{turned:?}");
    }
    let has_title = |it: &&String| it.contains("<title>ABC \u{200f}שלום");
    assert!(pages.iter().any(|it| has_title(&it)), "letters of its own direction keep their marks");
}

/// Builds a notebook from its cells with the outputs that it stores, and returns its page and what was told.
fn built(cells: &serde_json::Value) -> (String, String) {
    built_with(cells, "shown")
}

fn built_with(cells: &serde_json::Value, code: &str) -> (String, String) {
    let test = NbcTest::new(&[("a.ipynb", &test_support::notebook(cells))]);
    let arguments = ["build", "a.ipynb", "--execute", "never", "--code", code, "--output", "out"];
    let said = test_support::said(&mut nbc_in(&test, &arguments));
    assert_eq!(said.code, 0, "{}", said.text());
    (only_page(&test.path("out")), said.text())
}

fn only_page(folder: &std::path::Path) -> String {
    let files = fs_err::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let pages: Vec<_> = files.filter(|it| it.extension().is_some_and(|it| it == "html")).collect();
    assert_eq!(pages.len(), 1, "{pages:?}");
    fs_err::read_to_string(pages.first().unwrap()).unwrap()
}

#[test]
fn marks_in_any_code_of_a_page_are_seen_and_told() {
    let html = |text: &str| serde_json::json!({"output_type": "display_data", "metadata": {}, "data": {"text/html": text}});
    let markdown = |text: &str| serde_json::json!({"output_type": "display_data", "metadata": {}, "data": {"text/markdown": text}});
    let editor = serde_json::Value::from("x = 1 # \u{202e}").to_string().replace('"', "&quot;");
    let editor = format!(
        "<marimo-code-editor data-initial-value='{editor}' data-language='&quot;python&quot;'></marimo-code-editor>"
    );
    let prose =
        |text: &str| serde_json::json!({"cell_type": "markdown", "metadata": {}, "source": text});
    let output = |output: serde_json::Value| serde_json::json!({"cell_type": "code", "metadata": {}, "source": "1", "execution_count": 1, "outputs": [output]});
    for cell in [
        prose("```python\nif admin: # \u{202e}\n```"),
        prose("text `a \u{202e}` text"),
        prose("    indented \u{202e}"),
        output(markdown("~~~\na \u{202e}\n~~~")),
        output(html(
            "<div class=codehilite><pre><span class=n>a</span> <i>&#x202E;</i></pre></div>",
        )),
        output(html("<code>a &#8238 b</code>")),
        output(html("<kbd>a &#x0000000000202E; b</kbd>")),
        output(html(&editor)),
    ] {
        let (page, told) = built(&serde_json::json!([cell]));
        let marks = page.matches('\u{202e}').count();
        let alone = page.matches("<bdi class=\"x-turns x-turns-202e\">\u{202e}</bdi>").count();
        assert_eq!((marks, alone), (1, 1), "{cell}\n{page}");
        assert_eq!(told.matches("NBC112").count(), 1, "{cell}\n{told}");
    }
}

#[test]
fn marks_that_hebrew_needs_are_seen_and_not_told() {
    let code = "names = ['\u{200f}שלום!\u{200f}', 'a\u{200e}', '\u{61c}']";
    let cells = serde_json::json!([
        {"cell_type": "code", "metadata": {}, "source": code, "execution_count": 1, "outputs": []},
        {"cell_type": "markdown", "metadata": {}, "source": "`\u{200f}שלום`"},
    ]);
    let (page, told) = built(&cells);
    assert!(!told.contains("NBC112"), "{told}");
    for (mark, count) in [("200f", 3), ("200e", 1), ("061c", 1)] {
        assert_eq!(page.matches(&format!("\"x-turns x-turns-{mark}\"")).count(), count, "{page}");
    }
}

#[test]
fn names_of_a_notebook_turn_nothing_beside_them() {
    let name = "a\u{202e}ipynb.py.ipynb";
    let notebook = serde_json::json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {"author": "E\u{202e}ve"}, "cells": [
        {"cell_type": "code", "metadata": {"name": "c\u{202e}d"}, "source": "#| label: e\u{2067}f\n1", "execution_count": 1, "outputs": []},
    ]});
    let test = NbcTest::new(&[(name, &notebook.to_string())]);
    let mut command = nbc_in(&test, &["build", name, "--execute", "never", "--include-source"]);
    command.args(["--show-graph", "--output", "out", "--code", "folded"]);
    let said = test_support::said(&mut command);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let page = only_page(&test.path("out"));
    assert!(
        page.contains("<span class=\"file-name\" dir=\"ltr\">aipynb.py.ipynb</span>"),
        "{page}"
    );
    assert!(page.contains("download=\"aipynb.py.ipynb\""), "{page}");
    let outside = page.replace("<bdi class=\"x-turns x-turns-2067\">\u{2067}</bdi>", "");
    assert!(!outside.contains(['\u{202e}', '\u{2067}']), "{page}");
}

#[test]
fn a_download_of_hidden_code_is_told() {
    let cells = serde_json::json!([
        {"cell_type": "code", "metadata": {}, "source": "price = 17.3", "execution_count": 1, "outputs": []},
    ]);
    let test = NbcTest::new(&[("a.ipynb", &test_support::notebook(&cells))]);
    let told = |flags: &[&str], config: &str| {
        test.write("nbc.toml", config);
        let mut command = nbc_in(&test, &["build", "a.ipynb", "--execute", "never"]);
        let said = test_support::said(command.args(flags));
        assert_eq!(said.code, 0, "{}", said.stderr);
        said.stderr.contains("NBC424")
    };
    assert!(told(&["--code", "hidden", "--include-source"], ""));
    assert!(told(&[], "code = \"hidden\"\n[page]\nsource = true\n"));
    assert!(!told(&["--code", "hidden"], "") && !told(&["--include-source"], ""));
}

#[test]
fn a_stored_warning_shows_no_line_of_hidden_code() {
    let text =
        "/tmp/ipykernel_1/2.py:6: RuntimeWarning: invalid value\n  price = np.log(-1) * 17.3\n";
    let cells = serde_json::json!([
        {"cell_type": "code", "metadata": {}, "source": "price = np.log(-1) * 17.3", "execution_count": 1,
         "outputs": [{"output_type": "stream", "name": "stderr", "text": [text]}]},
    ]);
    let (page, _) = built_with(&cells, "hidden");
    assert!(page.contains("RuntimeWarning: invalid value") && !page.contains("17.3"), "{page}");
}
