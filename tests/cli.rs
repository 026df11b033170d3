//! The binary as its users meet it: output, exit codes, and what is left on the disk.
//!
//! Runs use the interpreter of `NBC_TEST_PYTHON`, which `tests/run.sh` makes; see CONTRIBUTING.md.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "tests start the real binary, and a failed step is a failed test"
)]

#[path = "cli/links.rs"]
mod links;
#[path = "cli/pairs.rs"]
mod pairs;
#[path = "cli/remote.rs"]
mod remote;
#[path = "cli/several.rs"]
mod several;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use test_support::{NbcTest, Said, jupyter, marimo, python, said};

#[test]
fn one_notebook_becomes_one_file_that_verifies() {
    let test = NbcTest::new(&[("report.py", &marimo(&["x = 20", "print(x + 1)\nx + 2"]))]);
    let said = test.run(&["build", "report.py", "-o", "out"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let page = test.read("out/report.html");
    assert!(page.contains("21") && page.contains("22"), "{page}");
    assert!(!test.path("out/index.html").exists());
    let verified = test.run(&["verify", "out"]);
    assert_eq!((verified.code, verified.stdout.as_str()), (0, ""), "{}", verified.stderr);
    assert_eq!(test.listing(), ["out", "report.py"]);
}

#[test]
fn a_folder_becomes_a_site_with_an_index() {
    let test = NbcTest::new(&[
        ("in/b.ipynb", &jupyter(&["print('from jupyter')"])),
        ("in/sub/a.py", &marimo(&["'from marimo'"])),
        ("in/script.py", "print('not a notebook')"),
        ("in/drafts/x.py", &marimo(&["1/0"])),
        ("in/nbc.toml", "title = 'Our <reports>'\nexclude = ['drafts/']\n"),
    ]);
    let said = test.run(&["build", "in", "-o", "out"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let index = test.read("out/index.html");
    assert!(index.contains("Our &lt;reports&gt;"), "{index}");
    assert!(index.contains("href=\"sub/a.html\"") && index.contains("href=\"b.html\""), "{index}");
    let page = test.read("out/sub/a.html");
    assert!(page.contains("href=\"../index.html\"") && page.contains("../assets/nbc."), "{page}");
    assert!(!index.contains("drafts"));
    assert_eq!(test.run(&["verify", "out"]).code, 0);
}

#[test]
fn two_builds_give_the_same_bytes() {
    let cells = [
        "import marimo as mo",
        "s = mo.ui.slider(1, 9)\ns",
        "{1, 2, 'a'}",
        "print(object(), mo)\nclass Thing: pass\nThing()",
    ];
    let test = NbcTest::new(&[("n.py", &marimo(&cells))]);
    assert_eq!(test.run(&["build", "n.py", "-o", "a"]).code, 0);
    let other =
        said(test.command(&["build", "n.py", "-o", "b"]).env("TZ", "Asia/Tokyo").env("LANG", "C"));
    assert_eq!(other.code, 0, "{}", other.stderr);
    for name in ["n.html", "manifest.json"] {
        assert_eq!(test.read(&format!("a/{name}")), test.read(&format!("b/{name}")), "{name}");
    }
}

#[test]
fn a_failing_cell_leaves_the_previous_site() {
    let test = NbcTest::new(&[("n.py", &marimo(&["'first'"]))]);
    assert_eq!(test.run(&["build", "n.py", "-o", "out"]).code, 0);
    let before = test.read("out/n.html");
    test.write("n.py", marimo(&["secret = 'hunter2'", "raise ValueError(secret)"]).as_bytes());
    let said = test.run(&["build", "n.py", "-o", "out"]);
    assert_eq!(said.code, 1, "{}", said.stderr);
    assert!(said.stderr.contains("error[NBC301]"), "{}", said.stderr);
    assert!(said.stderr.contains("n.py:14:"), "{}", said.stderr);
    // A traceback keeps its lines, each behind a mark.
    assert!(said.stderr.contains("a cell failed:\n  | Traceback"), "{}", said.stderr);
    assert!(!said.stderr.contains("\\n"), "{}", said.stderr);
    assert_eq!(test.read("out/n.html"), before);
    assert_eq!(test.listing(), ["n.py", "out"]);
}

#[test]
fn allowed_errors_are_published_as_a_neutral_box() {
    let cells = ["x = 1", "raise ValueError('hunter2 /root/secret')", "x + 41"];
    let test = NbcTest::new(&[("n.py", &marimo(&cells))]);
    let said = test.run(&["build", "n.py", "-o", "out", "--allow-errors", "--code", "hidden"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let page = test.read("out/n.html");
    assert!(page.contains("This cell failed") && page.contains("42"), "{page}");
    for word in ["hunter2", "ValueError", "Traceback", "/root"] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn a_page_does_not_say_where_python_lies() {
    let cell = "import sys, os, warnings\nwarnings.warn('careful')\nprint(os.__file__, sys.prefix, sys.executable)\n[os.__file__]";
    let test = NbcTest::new(&[("n.py", &marimo(&[cell])), ("m.ipynb", &jupyter(&[cell]))]);
    let said = test.run(&["build", "n.py", "m.ipynb", "-o", "out", "--code", "hidden"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    for page in ["out/n.html", "out/m.html"] {
        let page = test.read(page);
        assert!(page.contains("careful"), "{page}");
        let folder = Path::new(&python()).parent().unwrap().parent().unwrap().display().to_string();
        for word in [folder.as_str(), ".pyenv", "/root", "/home"] {
            assert!(!page.contains(word), "{word}: {page}");
        }
    }
}

#[test]
fn keep_going_publishes_the_good_notebooks_and_still_fails() {
    let test = NbcTest::new(&[
        ("in/bad.py", &marimo(&["1/0"])),
        ("in/cycle.py", &marimo(&["a = b", "b = a"])),
        ("in/good.py", &marimo(&["'fine'"])),
    ]);
    let stopped = test.run(&["build", "in", "-o", "out"]);
    assert_eq!(stopped.code, 1);
    assert!(!test.path("out").exists());
    let said = test.run(&["build", "in", "-o", "out", "--keep-going"]);
    assert_eq!(said.code, 1, "{}", said.stderr);
    assert!(test.path("out/good.html").exists());
    assert!(!test.path("out/bad.html").exists());
    assert!(said.stderr.contains("NBC202") && said.stderr.contains("NBC301"), "{}", said.stderr);
}

/// nbc where an outer filter refuses user namespaces, as many containers do.
#[cfg(target_os = "linux")]
fn without_namespaces(test: &NbcTest, arguments: &[&str]) -> Said {
    let deny = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attack/deny.py");
    let mut command = Command::new(python());
    command.arg(deny).args(["unshare=EPERM", env!("CARGO_BIN_EXE_nbc")]).args(arguments);
    // Here root runs notebooks as nobody, who may read no developer's home.
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs_err::set_permissions(test.folder.path(), readable).unwrap();
    let system = Path::new("/usr/bin/python3");
    let python = if system.exists() { system.into() } else { PathBuf::from(python()) };
    command.env("NBC_PYTHON", python).env("NBC_CACHE_DIR", test.path("cache"));
    said(command.current_dir(test.folder.path()))
}

#[test]
#[cfg(target_os = "linux")]
fn keep_going_does_not_go_on_without_the_sandbox() {
    let stored = r#"{"cells": [{"cell_type": "code", "metadata": {}, "execution_count": 1, "source": "1",
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "kept"}]}],
        "metadata": {}, "nbformat": 4, "nbformat_minor": 4}"#;
    let test = NbcTest::new(&[
        ("in/a-stored.ipynb", stored),
        ("in/b-runs.ipynb", &jupyter(&["print(1)"])),
    ]);
    let said = without_namespaces(&test, &["build", "in", "-o", "out", "--keep-going"]);
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(said.stderr.contains("user namespace"), "{}", said.stderr);
    assert!(!test.path("out").exists());
}

#[test]
#[cfg(target_os = "linux")]
fn hidden_names_stay_unread_without_namespaces() {
    let read = "for name in ['data.txt', '.env', '.git/config', 'plain', 'a/b/tls.pem', 'a/.x/y']:\n\
                \x20   try:\n        print(name, open(name).read())\n\
                \x20   except OSError as error:\n        print(name, type(error).__name__)";
    let test = NbcTest::new(&[
        ("nb/n.ipynb", &jupyter(&[read])),
        ("nb/data.txt", "for-readers"),
        ("nb/.env", "token-of-the-host"),
        ("nb/.git/config", "token-of-the-host"),
        ("nb/a/b/tls.pem", "token-of-the-host"),
        ("nb/a/.x/y", "token-of-the-host"),
    ]);
    std::os::unix::fs::symlink(".env", test.path("nb/plain")).unwrap();
    let arguments = ["build", "nb", "-o", "out", "--isolation", "best-effort"];
    let said = without_namespaces(&test, &arguments);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let page = test.read("out/n.html");
    assert!(page.contains("data.txt for-readers"), "{page}");
    for name in [".env", ".git/config", "plain", "a/b/tls.pem", "a/.x/y"] {
        assert!(page.contains(&format!("{name} PermissionError")), "{name}: {page}");
    }
    assert!(!page.contains("token-of-the-host"));
}

/// An `.ipynb` whose only cell stores these displays.
fn displays(bundles: &[serde_json::Value]) -> String {
    let outputs = bundles.iter().map(
        |data| serde_json::json!({"output_type": "display_data", "metadata": {}, "data": data}),
    );
    serde_json::json!({
        "cells": [{
            "cell_type": "code", "metadata": {}, "execution_count": 1, "source": "draw()",
            "outputs": outputs.collect::<Vec<_>>(),
        }],
        "metadata": {}, "nbformat": 4, "nbformat_minor": 4,
    })
    .to_string()
}

#[test]
fn a_chart_is_live_only_if_the_build_could_draw_it() {
    let schema = "https://vega.github.io/schema/vega-lite/v6.json";
    let rows = serde_json::json!({"values": [{"a": 1}]});
    let x = serde_json::json!({"x": {"field": "a", "type": "quantitative"}});
    let good = serde_json::json!({"$schema": schema, "data": rows, "mark": "bar", "encoding": x});
    let bad = serde_json::json!({"$schema": schema, "data": rows, "mark": "no such mark"});
    let html =
        format!("<p>beside it</p><script>(function(s){{vegaEmbed('#v', s)}})({good});</script>");
    let test = NbcTest::new(&[(
        "n.ipynb",
        &displays(&[
            serde_json::json!({"application/vnd.vegalite.v6+json": good}),
            serde_json::json!({"application/vnd.vegalite.v6+json": bad}),
            serde_json::json!({ "text/html": html }),
        ]),
    )]);
    let said = test.run(&["build", "n.ipynb", "-o", "out"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("could not be drawn within bounds"), "{}", said.stderr);
    let page = test.read("out/n.html");
    assert_eq!(page.matches("data-chart=\"vega\"").count(), 2, "{}", said.stderr);
    let stills = page.matches("<div class=\"nbc-chart-still\"><img ").count();
    assert_eq!(stills, 2, "each live chart has its picture");
    assert!(page.contains("beside it"), "what stands beside a chart stays");
}

#[test]
fn a_secret_that_only_readers_see_whole_stops_the_page() {
    // Put together here, so that no scanner of repositories takes it for a real one.
    let token = format!("{}_{}", "ghp", "a8Kd02mXq7Zr4LtY9vBn3HsW6cJf1PgE5uQo");
    let (start, end) = token.split_at(20);
    let rows = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        format!("a,b\n{token},1\n"),
    );
    let chart = serde_json::json!({
        "data": {"url": format!("data:text/csv;base64,{rows}")}, "mark": "bar",
        "encoding": {"x": {"field": "a", "type": "nominal"}},
    });
    for bundle in [
        serde_json::json!({"text/markdown": token.replace('_', "\\_")}),
        serde_json::json!({"text/html": format!("<p>{start}<b>{end}</b></p>")}),
        serde_json::json!({"text/plain": format!("{start}\u{1b}[31m{end}\u{1b}[0m")}),
        serde_json::json!({"application/vnd.vegalite.v6+json": chart}),
    ] {
        let test = NbcTest::new(&[("n.ipynb", &displays(std::slice::from_ref(&bundle)))]);
        let said = test.run(&["build", "n.ipynb", "-o", "out"]);
        assert_eq!(said.code, 1, "{bundle}: {}", said.stderr);
        assert!(said.stderr.contains("NBC420") && !said.stderr.contains(end), "{}", said.stderr);
        assert!(!test.path("out").exists());
    }
}

/// A notebook that stores a Plotly figure.
fn with_a_chart() -> NbcTest {
    let figure = serde_json::json!({
        "data": [{"type": "bar", "x": ["</script> < b"], "y": [1]}],
        "layout": {"title": {"text": "Sales"}}, "config": {"plotlyServerURL": "https://e.example"},
    });
    let bundle =
        serde_json::json!({"application/vnd.plotly.v1+json": figure, "text/plain": "Figure()"});
    NbcTest::new(&[("n.ipynb", &displays(&[bundle]))])
}

#[test]
fn charts_are_data_and_what_draws_them() {
    let test = with_a_chart();
    let said = test.run(&["build", "n.ipynb", "-o", "out"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let page = test.read("out/n.html");
    for part in [
        "data-chart=\"plotly\"",
        "aria-label=\"Chart: Sales\"",
        "trusted-types nbc",
        "[\" \\u0026lt; b\"]",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(
        !page.contains("e.example") && page.contains("data-runtime=\"plotly\">H4sI"),
        "{}",
        said.stderr
    );
    let said = test.run(&["build", "n.ipynb", "-o", "site", "--layout", "site"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(test.read("site/n.html").contains("data-src=\"assets/plotly."));
    let said = test.run(&["build", "n.ipynb", "-o", "still", "--charts", "static"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let page = test.read("still/n.html");
    assert!(page.contains("Here the notebook shows a Plotly chart"), "{page}");
    assert!(
        !page.contains("data-runtime") && page.contains("trusted-types &#39;none&#39;"),
        "{page}"
    );
}

#[test]
fn where_a_runtime_cannot_be_had_charts_are_pictures() {
    let test = with_a_chart();
    let mut command = test.command(&["build", "n.ipynb", "-o", "out"]);
    command.env("NBC_CACHE_DIR", test.path("cache")).env("PATH", "/usr/bin:/bin");
    command.env("PIP_INDEX_URL", "http://127.0.0.1:9/simple").env("PIP_RETRIES", "0");
    command.env_remove("PIP_FIND_LINKS").env_remove("PIP_EXTRA_INDEX_URL");
    let said = said(&mut command);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("charts of Plotly are not interactive"), "{}", said.stderr);
    assert!(!test.read("out/n.html").contains("data-runtime"));
}

#[test]
fn a_file_that_only_looks_like_a_runtime_is_not_taken() {
    let test = with_a_chart();
    test.write("cache/runtimes-1/plotly-7.1.0.js", b"document.title = 'attacked'");
    let mut command = test.command(&["build", "n.ipynb", "-o", "out"]);
    command.env("NBC_CACHE_DIR", test.path("cache"));
    let said = said(&mut command);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let page = test.read("out/n.html");
    assert!(page.contains("data-runtime=\"plotly\">H4sI") && !page.contains("attacked"));
    assert!(!test.read("cache/runtimes-1/plotly-7.1.0.js").contains("attacked"), "mended");
}

#[test]
fn diagrams_are_drawn_or_shown_as_their_source() {
    // A state in itself takes more stack than there is.
    let states = "stateDiagram-v2\nstate A {\nstate A {\n}\n}\nA --> A\n";
    let sources = ["graph LR\n  A[Start] --> B\n", "packet-beta\n 0-999999999: \"a\"", states];
    let outputs = sources.map(|source| serde_json::json!({ "text/vnd.mermaid": source }));
    let test = NbcTest::new(&[("n.ipynb", &displays(&outputs))]);
    let said = test.run(&["build", "n.ipynb", "-o", "out"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let page = test.read("out/n.html");
    assert_eq!(page.matches("class=\"nbc-diagram\"").count(), 3);
    assert_eq!(page.matches("Source of the diagram").count(), 1, "{page}");
    assert_eq!(page.matches("shown as its source").count(), 2);
}

#[test]
fn stored_outputs_are_published_without_running() {
    let notebook = serde_json::json!({
        "cells": [{
            "cell_type": "code", "metadata": {}, "execution_count": 1,
            "source": "open('/nb/ran', 'w')\n1/0",
            "outputs": [{"output_type": "stream", "name": "stdout", "text": ["kept ", "output"]}],
        }],
        "metadata": {}, "nbformat": 4, "nbformat_minor": 4,
    });
    let test = NbcTest::new(&[("n.ipynb", &notebook.to_string())]);
    // No Python is asked for: an interpreter that does not exist does not matter.
    let said = said(test.command(&["build", "n.ipynb", "-o", "out"]).env("NBC_PYTHON", "/nowhere"));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(test.read("out/n.html").contains("kept output"));
    let ran = test.run(&["build", "n.ipynb", "-o", "out", "--execute", "always"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
}

#[test]
fn a_cell_that_does_not_parse_keeps_its_code_and_its_stored_outputs() {
    let test = NbcTest::new(&[("n.ipynb", &stored("print 'two'", &printed("from Python 2")))]);
    let said = test.run(&["build", "n.ipynb", "-o", "out", "--code", "shown"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let page = test.read("out/n.html");
    assert!(said.stderr.contains("NBC104") && page.contains("from Python 2"), "{page}");
    assert!(page.contains("two") && page.contains("print"), "{page}");
}

#[test]
fn a_notebook_for_another_kernel_is_published_as_stored() {
    let notebook = serde_json::json!({
        "cells": [{
            "cell_type": "code", "metadata": {}, "execution_count": 1, "source": "x <- c(1, 2)",
            "outputs": [{"output_type": "stream", "name": "stdout", "text": "from R"}],
        }],
        "metadata": {"kernelspec": {"language": "R", "name": "ir", "display_name": "R"}},
        "nbformat": 4, "nbformat_minor": 4,
    });
    let test = NbcTest::new(&[("n.ipynb", &notebook.to_string())]);
    let said = test.run(&["build", "n.ipynb", "-o", "out", "--execute", "always"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("NBC109"), "{}", said.stderr);
    assert!(test.read("out/n.html").contains("from R"));
}

#[test]
fn links_lead_to_pages_and_headings_or_nowhere() {
    let prose = |text: &str| {
        serde_json::json!({
            "cells": [{"cell_type": "markdown", "metadata": {}, "source": text}],
            "metadata": {}, "nbformat": 4, "nbformat_minor": 4,
        })
        .to_string()
    };
    let text = "[b](sub/b.ipynb) [self](a.ipynb) [data](data.csv) [here](#Here-We-Are) [web](https://x.org)\n\n## Here We Are";
    let test = NbcTest::new(&[
        ("in/a.ipynb", &prose(text)),
        ("in/sub/b.ipynb", &prose("[up](../a.ipynb)")),
    ]);
    let said = test.run(&["build", "in", "-o", "out", "--execute", "never"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(
        said.stderr.contains("NBC405") && said.stderr.contains("`data.csv`"),
        "{}",
        said.stderr
    );
    let page = test.read("out/a.html");
    assert!(page.contains("href=\"sub/b.html\""), "{page}");
    assert!(page.contains("href=\"#here-we-are\""), "{page}");
    assert!(page.contains("href=\"https://x.org\""), "{page}");
    assert!(!page.contains("data.csv\""), "{page}");
    assert!(test.read("out/sub/b.html").contains("href=\"../a.html\""));
}

#[test]
fn a_recorded_run_renders_without_python() {
    let test = NbcTest::new(&[("n.py", &marimo(&["'recorded'"]))]);
    let built = test.run(&["build", "n.py", "-o", "out", "--record", "runs"]);
    assert_eq!(built.code, 0, "{}", built.stderr);
    let arguments = ["render", "n.py", "runs/n.run.json", "-o", "again"];
    test.write("other.py", marimo(&["'changed'"]).as_bytes());
    let other = test.run(&["render", "other.py", "runs/n.run.json", "-o", "wrong"]);
    assert_eq!(other.code, 2, "{}", other.stderr);
    assert!(other.stderr.contains("another notebook"), "{}", other.stderr);
    assert!(!test.path("wrong").exists());
    let rendered = said(test.command(&arguments).env("NBC_PYTHON", "/nowhere").env("PATH", ""));
    assert_eq!(rendered.code, 0, "{}", rendered.stderr);
    assert_eq!(test.read("out/n.html"), test.read("again/n.html"));
}

/// Builds with a record, renders that, and compares every file.
fn compare_rendered(notebook: &str, files: &[(&str, &str)], flags: &[&str], of_build: &[&str]) {
    let all: Vec<_> = [("n.ipynb", notebook)].into_iter().chain(files.iter().copied()).collect();
    let test = NbcTest::new(&all);
    let case = format!("{files:?} {flags:?}");
    let build = [&["build", "n.ipynb", "-o", "out", "--record", "runs"], flags, of_build].concat();
    let built = said(test.command(&build).env("A_VARIABLE", "of some length"));
    assert_eq!(built.code, 0, "{case}: {}", built.stderr);
    let render = ["render", "n.ipynb", "runs/n.run.json", "-o", "again"];
    let again = test.run(&[&render, flags].concat());
    assert_eq!(again.code, 0, "{case}: {}", again.stderr);
    let said_less = built.stderr.contains("are not interactive")
        == again.stderr.contains("are not interactive");
    assert!(said_less, "{case}: {}{}", built.stderr, again.stderr);
    let (built, again) = (test.site("out"), test.site("again"));
    let names = |it: &BTreeMap<PathBuf, Vec<u8>>| it.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&built), names(&again), "{case}");
    for (name, bytes) in &built {
        assert!(again[name] == *bytes, "{case}: {} differs", name.display());
    }
    let is_hidden = !test.read("again/n.html").contains("recipe_that_is_private");
    assert_eq!(is_hidden, case.contains("hidden"), "{case}");
}

const CHART: &str = "class Chart:\n    def _repr_mimebundle_(self, **_):\n        spec = {'$schema': \
    'https://vega.github.io/schema/vega-lite/v5.json', 'mark': 'bar', 'data': {'values': [{'a': 1}]}, \
    'encoding': {'x': {'field': 'a', 'type': 'quantitative'}}}\n        return \
    {'application/vnd.vegalite.v5+json': spec, 'text/plain': 'a chart'}\nChart()";

/// A page rendered from a record hides whatever its build hides: every key of the file.
#[test]
fn a_rendered_page_follows_nbc_toml_as_the_build_does() {
    let notebook = jupyter(&[
        "recipe_that_is_private = 1",
        CHART,
        "display('<b>x</b>' * recipe_that_is_private)",
    ]);
    // Those that need `--trust-config` for a build; the page's part of them needs it for a rendering.
    let granted = ["python", "allow-net", "read", "env", "isolation", "trust", "remote-images"];
    let python = python();
    let python = format!("python = '{python}'");
    let settings: [(&str, &str); 27] = [
        ("title", "layout = 'site'\ntitle = 'A title'"),
        ("exclude", "exclude = ['x']"),
        ("code", "code = 'hidden'"),
        ("layout", "layout = 'site'"),
        ("charts", "charts = 'static'"),
        ("show-graph", "show-graph = true"),
        ("python", &python),
        ("allow-net", "allow-net = ['example.org']"),
        ("read", "read = ['x']"),
        ("inputs", "inputs = ['x']"),
        ("env", "env = ['A_VARIABLE']"),
        ("isolation", "isolation = 'strict'"),
        ("remote-images", "remote-images = true"),
        ("limits", "limits = { timeout = 100 }"),
        ("shown", "[shown]\nlines = 1"),
        ("states", "[states]\n"),
        ("sweep", "[sweep]\nmax-states = 3"),
        ("strict-sanitize", "strict-sanitize = true"),
        ("allow-secret", "allow-secret = ['jwt:12ab34cd']"),
        ("trust", "layout = 'site'\ntrust = { islands = ['html'] }"),
        ("base-url", "layout = 'site'\nbase-url = 'https://example.org/a/'"),
        ("page", "[page]\nsource = true\nauthor = 'A'"),
        ("page", "[page]\npackages = false"),
        ("pages", "[pages.'n.ipynb']\ntitle = 'Its title'\nsource = true"),
        ("theme", "[theme]\naccent = '#123456'"),
        ("theme", "[theme]\ncss = 'x.css'"),
        ("trust", "[trust]\nislands = ['folium']"),
    ];
    let named: BTreeSet<&str> = settings.iter().map(|it| it.0).collect();
    let error = nbc::config::Config::parse("zzz = 1").unwrap_err().to_string();
    let known = error.split("expected one of").nth(1).unwrap();
    let known: BTreeSet<&str> = known.split('`').skip(1).step_by(2).collect();
    assert_eq!(named, known, "each key of the file has its case");
    for (key, text) in settings {
        let files = [("nbc.toml", text), ("x", "x"), ("x.css", "p { color: red }")];
        let flags: &[&str] = if granted.contains(&key) { &["--trust-config"] } else { &[] };
        compare_rendered(&notebook, &files, flags, &[]);
    }
}

#[test]
fn a_rendered_page_follows_every_flag_as_the_build_does() {
    let notebook = jupyter(&["recipe_that_is_private = 1", CHART, "print('x\\n' * 50)"]);
    let digest = format!("sha384-{}", "A".repeat(64));
    let flags: [&[&str]; 16] = [
        &["--layout", "site"],
        &["--layout", "site", "--title", "A title"],
        &["--code", "hidden"],
        &["--charts", "static"],
        &["--include-source"],
        &["--show-graph"],
        &["--strict-sanitize"],
        &["--allow-secret", "jwt"],
        &["--layout", "site", "--allow-island", "html"],
        &["--trust-runtime", &digest],
        &["--shown-text", "1MiB"],
        &["--shown-lines", "3"],
        &["--shown-rows", "3"],
        &["--shown-markup", "1MiB"],
        &["--shown-pixels", "100"],
        &["--shown-pictures", "1MiB"],
    ];
    for flags in flags {
        compare_rendered(&notebook, &[], flags, &[]);
    }
    // The flag comes before the file.
    compare_rendered(&notebook, &[("nbc.toml", "code = 'shown'")], &["--code", "hidden"], &[]);
    compare_rendered(
        &jupyter(&["recipe_that_is_private = 1", "1 / 0"]),
        &[],
        &["--allow-errors"],
        &[],
    );
    // The manifest lists the permissions of the run, names and no values.
    compare_rendered(&notebook, &[], &[], &["--env", "A_VARIABLE"]);
}

#[test]
fn what_is_raised_while_an_output_is_displayed_is_a_finding_and_stays_off_the_page() {
    let bad = "class A:\n    def _repr_html_(self): raise ValueError('detail of a display')\nA()";
    let test = NbcTest::new(&[("n.ipynb", &jupyter(&[bad, "1"]))]);
    let built = test.run(&["build", "n.ipynb", "-o", "out"]);
    assert_eq!(built.code, 1, "{}", built.stderr);
    assert!(
        built.stderr.contains("NBC301") && built.stderr.contains("detail of a display"),
        "{}",
        built.stderr
    );
    assert!(!test.path("out").exists());
    let built = test.run(&["build", "n.ipynb", "-o", "out", "--allow-errors"]);
    assert_eq!(built.code, 0, "{}", built.stderr);
    let page = test.read("out/n.html");
    // The code that raises it is the author's word.
    let shown = page.matches("detail of a display").count();
    assert!(page.contains("This cell failed.") && shown <= 1, "{page}");
    assert!(!page.contains("ValueError: "), "{page}");
}

#[test]
fn nbc_toml_cannot_raise_a_bound_beyond_its_ceiling() {
    let notebook = jupyter(&["1"]);
    let cases = [
        ("[limits]\nmemory = '900GiB'", "--memory"),
        ("title = 'x'\n[limits]\ntimeout = 604800", "--timeout"),
        ("[sweep]\nsweep-timeout = 604800", "--sweep-timeout"),
        ("[shown]\nmax-rows = 1000000", "--shown-rows"),
    ];
    for (setting, flag) in cases {
        let test = NbcTest::new(&[("n.ipynb", &notebook), ("nbc.toml", setting)]);
        let line = format!("nbc.toml:{}`", setting.lines().count());
        for arguments in [&["build", "n.ipynb", "-o", "out"][..], &["states", "n.ipynb"]] {
            let said = test.run(arguments);
            assert_eq!(said.code, 2, "{setting}: {}", said.stderr);
            for part in [flag, "--trust-config", &line] {
                assert!(said.stderr.contains(part), "{setting}: {part}: {}", said.stderr);
            }
        }
        assert!(!test.path("out").exists());
        let trusted = test.run(&["build", "n.ipynb", "-o", "out", "--trust-config"]);
        assert_eq!(trusted.code, 0, "{setting}: {}", trusted.stderr);
    }
    let test = NbcTest::new(&[("n.ipynb", &notebook), ("nbc.toml", "[limits]\nmemory = '900GiB'")]);
    let rendering = NbcTest::new(&[("n.ipynb", &notebook)]);
    let built = rendering.run(&["build", "n.ipynb", "-o", "out", "--record", "runs"]);
    assert_eq!(built.code, 0, "{}", built.stderr);
    rendering.write("nbc.toml", b"[shown]\nlines = 100001");
    let render = ["render", "n.ipynb", "runs/n.run.json", "-o", "again"];
    assert_eq!(rendering.run(&render).code, 2);
    let trusted = [&render[..], &["--trust-config"]].concat();
    assert_eq!(rendering.run(&trusted).code, 0);
    let prepared = test.run(&["prepare", "n.ipynb"]);
    assert_eq!(prepared.code, 2, "{}", prepared.stderr);
    let flagged = test.run(&["build", "n.ipynb", "-o", "out", "--memory", "1GiB"]);
    assert_eq!(flagged.code, 0, "{}", flagged.stderr);
}

/// Every limit that a user can set: what runs into it, the finding, the flag that the help names.
#[test]
fn each_limit_strikes_with_a_finding_that_names_its_flag() {
    let touch = "x = bytearray(900 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\n";
    let cases: &[(&[&str], &str, &str)] = &[
        (&["--timeout", "2"], "import time\ntime.sleep(60)", "NBC302"),
        (&["--cell-timeout", "2"], "import time\ntime.sleep(60)", "NBC302"),
        (&["--cpu-time", "2"], "while True: pass", "NBC309"),
        (&["--memory", "512MiB"], &format!("{touch}import time\ntime.sleep(5)"), "NBC303"),
        (
            &["--processes", "40"],
            "import threading, time\nfor _ in range(200): threading.Thread(target=time.sleep, args=[9], daemon=True).start()",
            "NBC301",
        ),
        (&["--open-files", "128"], "keep = [open('/dev/null') for _ in range(200)]", "NBC301"),
        (&["--disk", "5MiB"], "open('/tmp/a', 'wb').write(bytes(9 << 20))", "NBC301"),
        (&["--file-size", "1MiB"], "open('/tmp/a', 'wb').write(bytes(9 << 20))", "NBC301"),
        (&["--output-size", "10KiB"], "print('x' * 50_000)", "NBC305"),
        (&["--outputs-size", "20KiB"], "print('x' * 50_000)", "NBC305"),
        (&["--outputs", "5"], "for i in range(50): display(i)", "NBC305"),
    ];
    for (flag, code, finding) in cases {
        let test = NbcTest::new(&[("n.ipynb", &jupyter(&["1", code]))]);
        let said = test.run(&[&["build", "n.ipynb", "-o", "out"], *flag].concat());
        let is_warning = *finding == "NBC305";
        assert_eq!(said.code, if is_warning { 0 } else { 1 }, "{flag:?} {}", said.stderr);
        assert!(said.stderr.contains(finding), "{flag:?} {}", said.stderr);
        assert!(said.stderr.contains("n.ipynb:cell 2"), "{flag:?} {}", said.stderr);
        let help = said.stderr.lines().find(|it| it.contains("help")).unwrap_or_default();
        assert!(help.contains(flag[0]), "{flag:?} {}", said.stderr);
        assert_eq!(test.path("out").exists(), is_warning, "{flag:?}");
    }
}

#[test]
fn a_display_over_its_limit_is_a_finding_whatever_stands_in_its_place() {
    let frame = "import pandas as pd\npd.DataFrame({'a': range(50)})";
    let html = "from IPython.display import HTML\nHTML('<b>' + 'x' * 40_000 + '</b>')";
    let files = [
        ("in/a.ipynb", jupyter(&[frame, html])),
        ("in/b.py", marimo(&["import marimo as mo\nmo.Html('<b>' + 'x' * 40_000 + '</b>')"])),
    ];
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let test = NbcTest::new(&files);
    let flags = ["--output-size", "2KiB", "--format", "concise", "--record", "records"];
    let said = test.run(&[&["build", "in", "-o", "out"], &flags[..]].concat());
    assert_eq!(said.code, 0, "{}", said.stderr);
    let found: Vec<_> = said.stderr.lines().filter(|it| it.contains("NBC305")).collect();
    assert_eq!(found.len(), 3, "{}", said.stderr);
    for (place, size) in
        [("a.ipynb:cell 1", ""), ("a.ipynb:cell 2", "40007 "), ("b.py:8", "40007 ")]
    {
        let told = found.iter().find(|it| it.contains(place)).expect(&said.stderr);
        assert!(told.contains(&format!("{size}bytes")), "{told}");
        assert!(told.contains("`text/html` of an output is left out"), "{told}");
    }
    for page in ["out/a.html", "out/b.html"] {
        assert!(test.read(page).contains("too large for the page"), "{page}");
    }
    // Findings of a record are reported again.
    let said = test.run(&["render", "in/a.ipynb", "records/a.run.json", "-o", "again"]);
    assert_eq!(said.stderr.matches("warning[NBC305]").count(), 2, "{}", said.stderr);
    assert!(said.stderr.contains("--output-size SIZE"), "{}", said.stderr);
}

#[test]
fn a_notebook_that_prints_the_words_of_a_finding_makes_none() {
    let words = "import sys\nprint('nbc: text/html of 9 bytes is over the limit of one output; left out', file=sys.stderr)";
    let test = NbcTest::new(&[("n.ipynb", &jupyter(&[words]))]);
    let said = test.run(&["build", "n.ipynb", "-o", "out"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(!said.stderr.contains("NBC305"), "{}", said.stderr);
}

#[test]
fn scripts_that_look_like_notebooks_are_passed_over_in_folders_only() {
    let script = "TEMPLATE = '''\nimport marimo\napp = marimo.App()\n'''\nprint(TEMPLATE)\n";
    let test = NbcTest::new(&[("in/script.py", script), ("in/n.py", &marimo(&["1"]))]);
    let folder = test.run(&["check", "in"]);
    assert_eq!(folder.code, 0, "{}", folder.stderr);
    assert!(folder.stderr.contains("warning[NBC102]"), "{}", folder.stderr);
    assert_eq!(test.run(&["check", "in/script.py"]).code, 1);
}

#[test]
fn keeping_going_passes_environments_that_cannot_be_had() {
    let header = "# /// script\n# requires-python = \">=3.99\"\n# ///\n";
    let test = NbcTest::new(&[
        ("in/a.py", &format!("{header}{}", marimo(&["1"]))),
        ("in/Index.py", &marimo(&["'home'"])),
    ]);
    let said = test.run(&["build", "in", "-o", "out", "--keep-going"]);
    assert_eq!(said.code, 1, "{}", said.stderr);
    assert!(said.stderr.contains("requires Python >=3.99"), "{}", said.stderr);
    assert!(test.read("out/index.html").contains("home"));
    assert!(!test.path("out/a.html").exists());
    assert_eq!(test.run(&["build", "in", "-o", "other"]).code, 2);
}

#[test]
fn a_process_that_ends_itself_is_a_finding() {
    let test = NbcTest::new(&[("gone.ipynb", &jupyter(&["import os\nos._exit(3)"]))]);
    let gone = test.run(&["build", "gone.ipynb", "-o", "out"]);
    assert_eq!(gone.code, 1, "{}", gone.stderr);
    assert!(gone.stderr.contains("NBC304"), "{}", gone.stderr);
    assert!(!test.path("out").exists());
}

#[test]
fn limits_of_the_configuration_hold_and_wrong_ones_are_refused() {
    let sleepy = jupyter(&["import time\ntime.sleep(60)"]);
    let test = NbcTest::new(&[("n.ipynb", &sleepy), ("nbc.toml", "[limits]\ntimeout = 2\n")]);
    let said = test.run(&["build", "n.ipynb", "-o", "out"]);
    assert_eq!((said.code, said.stderr.contains("NBC302")), (1, true), "{}", said.stderr);
    for (flag, value) in [("--timeout", "0"), ("--memory", "1MiB"), ("--processes", "1")] {
        let said = test.run(&["build", "n.ipynb", "-o", "out", flag, value]);
        assert_eq!(said.code, 2, "{flag} {}", said.stderr);
    }
}

#[test]
fn no_isolation_takes_two_words_and_is_told_each_time() {
    let test = NbcTest::new(&[("n.ipynb", &jupyter(&["print('ran')"]))]);
    let one = test.run(&["build", "n.ipynb", "-o", "out", "--isolation", "none"]);
    assert_eq!(one.code, 2, "{}", one.stderr);
    assert!(one.stderr.contains("--trust-notebooks"), "{}", one.stderr);
    assert!(!test.path("out").exists());
    let flags = ["--isolation", "none", "--trust-notebooks"];
    let two = test.run(&[&["build", "n.ipynb", "-o", "out"], &flags[..]].concat());
    assert_eq!(two.code, 0, "{}", two.stderr);
    assert!(two.stderr.contains("warning: notebooks run without isolation"), "{}", two.stderr);
    let manifest = test.read("out/manifest.json");
    assert!(manifest.contains("\"not asked for\""), "{manifest}");
    let strict = test.run(&["build", "n.ipynb", "-o", "strict"]);
    let layers = "isolation: user namespace, mount namespace, pid namespace, network namespace";
    assert!(strict.stderr.contains(layers), "{}", strict.stderr);
    assert!(!strict.stderr.contains("warning"), "{}", strict.stderr);
    assert_eq!(test.read("out/n.html"), test.read("strict/n.html"));
    // Without a file system of its own, the run's folder is measured.
    let full = "import tempfile, time\nkeep = [tempfile.NamedTemporaryFile() for _ in range(4)]\nfor file in keep: file.write(bytes(3 << 20))\ntime.sleep(30)";
    let test = NbcTest::new(&[("n.ipynb", &jupyter(&[full]))]);
    let full =
        test.run(&[&["build", "n.ipynb", "-o", "out", "--disk", "5MiB"], &flags[..]].concat());
    assert_eq!(full.code, 1, "{}", full.stderr);
    assert!(full.stderr.contains("NBC310") && full.stderr.contains("--disk"), "{}", full.stderr);
    let file =
        NbcTest::new(&[("n.ipynb", &jupyter(&["1"])), ("nbc.toml", "isolation = \"none\"\n")]);
    assert_eq!(file.run(&["build", "n.ipynb", "-o", "out"]).code, 2);
}

#[test]
fn a_loud_notebook_is_shortened_and_says_so() {
    let loud = "for _ in range(3000): print('x' * 100_000)\nprint('the end')";
    let test = NbcTest::new(&[("n.ipynb", &jupyter(&[loud]))]);
    let said = test.run(&["build", "n.ipynb", "-o", "out", "--code", "hidden"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let page = test.read("out/n.html");
    assert!(page.len() < 4 << 20, "{} bytes", page.len());
    assert!(page.contains("left out") || page.contains("shortened"), "no note");
}

#[test]
fn bad_input_is_told_what_where_and_what_to_do() {
    let test = NbcTest::new(&[
        ("empty/readme.txt", "nothing here"),
        ("plain.py", "print('hello')"),
        ("cut.ipynb", "{\"cells\": [{\"cell_type\": \"code\", \"sou"),
        ("text.ipynb", "hello"),
        ("list.ipynb", "[1, 2]"),
        ("syntax.py", &marimo(&["x = = 1", "y = 2"])),
        ("bad.toml/nbc.toml", "exlude = []"),
        ("bad.toml/n.py", &marimo(&["1"])),
    ]);
    std::fs::File::create(test.path("huge.ipynb")).unwrap().set_len(200 << 20).unwrap();
    test.write("latin.py", b"import marimo\napp = marimo.App()\n# caf\xe9\n");
    // (arguments, exit code, words that the message must have)
    let cases: &[(&[&str], i32, &[&str])] = &[
        (&["build", "missing.py"], 2, &["missing.py"]),
        (&["build", "empty"], 2, &["empty", "no notebook"]),
        (&["build", "plain.py"], 1, &["NBC102", "plain.py"]),
        (&["build", "cut.ipynb"], 1, &["NBC103", "cut.ipynb:1:"]),
        (&["build", "text.ipynb"], 1, &["NBC102"]),
        (&["build", "list.ipynb"], 1, &["NBC10"]),
        (&["build", "latin.py"], 1, &["NBC101", "UTF-8"]),
        (&["build", "huge.ipynb"], 1, &["NBC101", "huge.ipynb", "at most"]),
        (&["build", "syntax.py"], 1, &["NBC104", "syntax.py:8:"]),
        (&["build", "bad.toml"], 2, &["nbc.toml", "exlude"]),
        (&["build", "plain.py", "-o", "/"], 2, &["--output"]),
        (&["build", "plain.py", "-o", "empty"], 2, &["readme.txt"]),
        (&["build", "plain.py", "-o", "/proc/site"], 2, &["/proc/"]),
        (&["build"], 2, &["required"]),
        (&["build", "syntax.py", "--memory", "much"], 2, &["much"]),
        (&["verify", "nowhere"], 2, &["nowhere"]),
        (&["verify", "empty"], 1, &[]),
        (&["explain", "NBC999"], 2, &["NBC999"]),
    ];
    for (arguments, code, words) in cases {
        let said = test.run(arguments);
        assert_eq!(said.code, *code, "{arguments:?}: {}{}", said.stdout, said.stderr);
        for word in *words {
            assert!(said.stderr.contains(word), "{arguments:?} lacks {word:?}: {}", said.stderr);
        }
        assert!(!said.stderr.contains("panicked"), "{arguments:?}: {}", said.stderr);
    }
    assert!(!test.path("site").exists());
}

#[test]
fn odd_names_become_pages() {
    let names = ["my report.py", "it's \"it\".py", "a#b?.py", "été ☃.py", "..py", "-x.py"];
    let test = NbcTest::new(&[]);
    for name in names {
        test.write(&format!("in/{name}"), marimo(&["'shown'"]).as_bytes());
    }
    let said = test.run(&["build", "in", "-o", "out"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(test.run(&["verify", "out"]).code, 0);
    let manifest: serde_json::Value =
        serde_json::from_str(&test.read("out/manifest.json")).unwrap();
    // `..py` is a hidden file, which a walk leaves out.
    let pages = manifest.get("pages").and_then(serde_json::Value::as_array).unwrap();
    assert_eq!(pages.len(), names.len() - 1);
}

#[test]
fn a_wrong_python_is_named() {
    let test = NbcTest::new(&[("n.py", &marimo(&["1"]))]);
    test.write("fake", b"#!/bin/sh\necho hello\n");
    Command::new("chmod").args(["+x"]).arg(test.path("fake")).status().unwrap();
    for (python, word) in [("/nowhere/python", "/nowhere/python"), ("./fake", "fake")] {
        let said = test.run(&["build", "n.py", "--python", python]);
        assert_eq!(said.code, 2, "{}", said.stderr);
        assert!(said.stderr.contains(word), "{}", said.stderr);
    }
    let without = |set: fn(&mut Command) -> &mut Command| {
        let none = said(set(test.command(&["build", "n.py"]).env("PATH", "/nowhere")));
        assert_eq!(none.code, 2, "{}", none.stderr);
        assert!(none.stderr.contains("--python"), "{}", none.stderr);
    };
    without(|it| it.env_remove("NBC_PYTHON"));
    without(|it| it.env("NBC_PYTHON", ""));
}

#[test]
fn a_package_that_does_not_exist_is_named() {
    let header = "# /// script\n# dependencies = ['nbc-no-such-package-7']\n# ///\n";
    let test = NbcTest::new(&[("n.py", &(header.to_owned() + &marimo(&["1"])))]);
    let cache = test.path("cache");
    let said =
        said(test.command(&["build", "n.py"]).env_remove("NBC_PYTHON").env("NBC_CACHE_DIR", cache));
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(said.stderr.contains("nbc-no-such-package-7"), "{}", said.stderr);
    assert!(!test.path("site").exists());
}

/// A folder that holds only `uv`, the one that the test tools hold.
fn path_with_uv(test: &NbcTest) -> String {
    let uv = Path::new(&python()).with_file_name("uv");
    assert!(uv.exists(), "{} is part of tests/requirements.txt", uv.display());
    std::fs::create_dir_all(test.path("tools")).unwrap();
    let link = test.path("tools/uv");
    if !link.exists() {
        std::os::unix::fs::symlink(uv, link).unwrap();
    }
    format!("{}:{}", test.path("tools").display(), std::env::var("PATH").unwrap())
}

#[test]
fn environments_are_made_from_headers_and_files_by_uv_and_by_pip() {
    let code = "import six\nprint('six', six.__version__)";
    let header = format!("# /// script\n# dependencies = ['six==1.16.0']\n# ///\n{code}");
    let hash = "8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254";
    let pylock = format!(
        "lock-version = '1.0'\ncreated-by = 'test'\n[[packages]]\nname = 'six'\nversion = '1.16.0'\n\
         [[packages.wheels]]\nname = 'six-1.16.0-py2.py3-none-any.whl'\nhashes = {{sha256 = '{hash}'}}\n"
    );
    let project = "[project]\nname = 'x'\nversion = '1'\ndependencies = ['six==1.16.0']\n\
                   requires-python = '>=3.11'\n";
    let test = NbcTest::new(&[
        ("header/n.ipynb", &jupyter(&[&header])),
        ("pylock/n.ipynb", &jupyter(&[code])),
        ("pylock/pylock.toml", &pylock),
        ("requirements/n.ipynb", &jupyter(&[code])),
        ("requirements/requirements.txt", "six==1.16.0\n"),
        ("project/n.ipynb", &jupyter(&[code])),
        ("project/pyproject.toml", project),
        ("locked/n.ipynb", &jupyter(&[code])),
        ("locked/pyproject.toml", project),
    ]);
    let with_uv = path_with_uv(&test);
    let locked = said(
        Command::new(test.path("tools/uv"))
            .args(["lock", "--quiet"])
            .current_dir(test.path("locked")),
    );
    assert_eq!(locked.code, 0, "{}", locked.stderr);
    let folders = ["header", "pylock", "requirements", "project", "locked"];
    for folder in folders {
        // A lock of uv is read by uv alone.
        let paths =
            [Some(with_uv.clone()), (folder != "locked").then(|| std::env::var("PATH").unwrap())];
        for (tool, path) in ["uv", "pip"].into_iter().zip(paths) {
            let Some(path) = path else { continue };
            let mut command = test.command(&["build", folder, "-o", "out"]);
            command.env_remove("NBC_PYTHON").env("PATH", path);
            command.env("NBC_CACHE_DIR", test.path(&format!("cache-{tool}")));
            let built = said(&mut command);
            assert_eq!(built.code, 0, "{folder} by {tool}: {}", built.stderr);
            assert!(test.read("out/n.html").contains("six 1.16.0"), "{folder} by {tool}");
            assert!(test.read("out/manifest.json").contains("six==1.16.0"), "{folder} by {tool}");
        }
    }
}

#[test]
fn a_second_build_into_the_same_folder_is_refused() {
    let test = NbcTest::new(&[("n.ipynb", &jupyter(&["import time\ntime.sleep(4)"]))]);
    let mut first =
        test.command(&["build", "n.ipynb", "-o", "out"]).stderr(Stdio::null()).spawn().unwrap();
    wait_for(&test.path(".out.nbc-lock"));
    let second = test.run(&["build", "n.ipynb", "-o", "out"]);
    assert_eq!(second.code, 2, "{}", second.stderr);
    assert!(second.stderr.contains("another nbc build"), "{}", second.stderr);
    assert_eq!(first.wait().unwrap().code(), Some(0));
    assert_eq!(test.listing(), ["n.ipynb", "out"]);
}

#[test]
fn an_interrupted_or_killed_build_leaves_the_old_site() {
    let test = NbcTest::new(&[("n.ipynb", &jupyter(&["print('old')"]))]);
    assert_eq!(test.run(&["build", "n.ipynb", "-o", "out"]).code, 0);
    let before = test.read("out/n.html");
    test.write("n.ipynb", jupyter(&["import time\ntime.sleep(30)"]).as_bytes());
    for (signal, code) in [("-INT", Some(130)), ("-TERM", Some(130)), ("-KILL", None)] {
        let mut build =
            test.command(&["build", "n.ipynb", "-o", "out"]).stderr(Stdio::null()).spawn().unwrap();
        wait_for(&test.path(".out.nbc-lock"));
        std::thread::sleep(Duration::from_millis(700));
        Command::new("kill").args([signal, &build.id().to_string()]).status().unwrap();
        assert_eq!(build.wait().unwrap().code(), code, "{signal}");
        assert_eq!(test.read("out/n.html"), before, "{signal}");
    }
    test.write("n.ipynb", jupyter(&["print('new')"]).as_bytes());
    let said = test.run(&["build", "n.ipynb", "-o", "out"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(test.read("out/n.html").contains("new"));
    assert_eq!(test.listing(), ["n.ipynb", "out"]);
}

#[test]
fn an_interrupt_ends_an_installation_too() {
    let header = "# /// script\n# dependencies = ['six']\n# ///\n";
    let test = NbcTest::new(&[("n.py", &(header.to_owned() + &marimo(&["1"])))]);
    test.write("tools/uv", b"#!/bin/sh\ntouch \"$HOME/begun\"\nsleep 60 & sleep 60\n");
    Command::new("chmod").arg("+x").arg(test.path("tools/uv")).status().unwrap();
    let path = format!("{}:{}", test.path("tools").display(), std::env::var("PATH").unwrap());
    let mut command = test.command(&["build", "n.py", "-o", "out"]);
    command.env_remove("NBC_PYTHON").env("PATH", path).env("HOME", test.folder.path());
    // A login shell's shims look for their tools at home.
    command.env("NBC_CACHE_DIR", test.path("cache")).stderr(Stdio::null());
    let mut build = command.spawn().unwrap();
    wait_for(&test.path("begun"));
    let start = Instant::now();
    Command::new("kill").args(["-INT", &build.id().to_string()]).status().unwrap();
    assert_eq!(build.wait().unwrap().code(), Some(130));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(!test.path("out").exists() && !test.path(".out.nbc-lock").exists());
}

#[test]
fn a_full_disk_leaves_the_old_site() {
    let test = NbcTest::new(&[("n.ipynb", &jupyter(&["print('old')"]))]);
    std::fs::create_dir(test.path("small")).unwrap();
    // A file system of 64 KiB in a mount namespace of its own: a page needs more.
    let nbc = env!("CARGO_BIN_EXE_nbc");
    let script = format!(
        "mount -t tmpfs -o size=64k none small && echo kept >small/other && \
         '{nbc}' build n.ipynb -o small/out; code=$?; ls -A small; exit $code"
    );
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
    command.current_dir(test.folder.path()).env("NBC_PYTHON", python());
    let said = said(&mut command);
    assert_eq!(said.code, 2, "{}{}", said.stdout, said.stderr);
    assert!(said.stderr.contains("room") || said.stderr.contains("space"), "{}", said.stderr);
    assert_eq!(said.stdout, "other\n");
}

#[test]
fn findings_come_as_json_lines_and_pictures() {
    let test = NbcTest::new(&[("n.py", &marimo(&["total = 1", "total = 2"]))]);
    let concise = test.run(&["check", "n.py", "--format", "concise"]);
    assert_eq!(concise.code, 1);
    assert!(concise.stderr.contains("n.py:14:5: error[NBC201]"), "{}", concise.stderr);
    let full = test.run(&["check", "n.py"]);
    assert!(full.stderr.contains("defined again here"), "{}", full.stderr);
    assert!(!full.stderr.contains('\u{1b}'), "no colours into a pipe");
    let json = test.run(&["check", "n.py", "--format", "json"]);
    let parsed: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert!(json.stdout.contains("NBC201"), "{parsed}");
    let github = test.run(&["check", "n.py", "--format", "github"]);
    assert!(
        github.stdout.starts_with("::error title=nbc (NBC201),file=n.py,line=14"),
        "{}",
        github.stdout
    );
    let graph = test.run(&["graph", "n.py", "--format", "mermaid"]);
    assert!(graph.stdout.starts_with("flowchart"), "{}", graph.stdout);
}

#[test]
fn sarif_is_what_its_schema_asks_for() {
    let test = NbcTest::new(&[
        ("my n.py", &marimo(&["total = 1", "total = 2"])),
        ("n.ipynb", &jupyter(&["x = = 1", "print(y)"])),
    ]);
    let said = test.run(&["check", ".", "--format", "sarif"]);
    assert_eq!((said.code, said.stderr.as_str()), (1, ""));
    // A model that was made of the schema of SARIF 2.1.0, and forbids what that does not name.
    fs_err::write(test.folder.path().join("log.sarif"), &said.stdout).unwrap();
    let model = "from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Log; import sys; Log.model_validate_json(open(sys.argv[1]).read())";
    let valid = crate::said(
        Command::new(python()).args(["-c", model, "log.sarif"]).current_dir(test.folder.path()),
    );
    assert_eq!((valid.code, valid.stderr.as_str()), (0, ""));
    let log: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let runs = log["runs"].as_array().unwrap();
    let driver = &runs[0]["tool"]["driver"];
    assert_eq!(driver["name"], "nbc");
    let rules = driver["rules"].as_array().unwrap();
    let results = runs[0]["results"].as_array().unwrap();
    assert!(results.len() >= 2, "{log:#}");
    let check_place = |place: &serde_json::Value| {
        let physical = &place["physicalLocation"];
        let uri = physical["artifactLocation"]["uri"].as_str().unwrap();
        assert!(!uri.contains([' ', '\\']), "{uri}");
        let region = &physical["region"];
        let number = |key: &str| region[key].as_u64().filter(|it| *it >= 1).unwrap();
        let (start, end) = (number("startLine"), number("endLine"));
        assert!(start < end || start == end && number("startColumn") <= number("endColumn"));
    };
    for result in results {
        let rule = &rules[result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(rule["shortDescription"]["text"].is_string());
        assert!(["error", "warning"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let related = result["relatedLocations"].as_array().unwrap();
        result["locations"].as_array().unwrap().iter().chain(related).for_each(check_place);
        let ids: BTreeSet<u64> = related.iter().map(|it| it["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), related.len(), "ids are unique");
    }
}

#[test]
fn every_code_is_explained() {
    let test = NbcTest::new(&[]);
    let list = test.run(&["explain"]).stdout;
    assert!(list.lines().count() > 30, "{list}");
    for line in list.lines() {
        let (code, slug) = line.split_once(' ').unwrap();
        for name in [code, slug] {
            let said = test.run(&["explain", name]);
            assert!(
                said.code == 0 && said.stdout.trim_end().ends_with('.'),
                "{name}: {}",
                said.stdout
            );
        }
    }
}

#[test]
fn markdown_and_percent_notebooks_become_pages() {
    let test = NbcTest::new(&[
        (
            "in/dataflow.md",
            "# Prose without `mo`\n\n[gone](gone.csv)\n\n```python {.marimo}\nx + 1\n```\n\n```python {.marimo name=\"first\"}\nx = 41\n```\n",
        ),
        (
            "in/quarto.qmd",
            "---\ntitle: In Quarto\n---\n\nText\n\n```{python}\n#| echo: false\n%config Completer.use_jedi = False\nprint('from', 'quarto')\n```\n",
        ),
        (
            "in/script.py",
            "# %% [markdown]\n# Some *prose*\n# %%\n# %matplotlib inline\nprint('from', 'percent')\n",
        ),
        ("in/plain.py", "print('no notebook')\n"),
        ("in/README.md", "# No notebook\n"),
    ]);
    let built = test.run(&["build", "in", "-o", "out", "--show-graph"]);
    assert_eq!(built.code, 0, "{}", built.stderr);
    assert!(built.stderr.contains("NBC405"), "{}", built.stderr);
    let dataflow = test.read("out/dataflow.html");
    assert!(dataflow.contains("Prose without") && dataflow.contains("42"), "{dataflow}");
    assert!(dataflow.contains("<svg class=\"dataflow-picture\""), "{dataflow}");
    assert!(dataflow.contains("aria-label=\"cell 2, uses first\""), "{dataflow}");
    assert!(test.read("out/quarto.html").contains("from quarto"));
    let script = test.read("out/script.html");
    assert!(script.contains("<em>prose</em>") && script.contains("from percent"), "{script}");
    assert!(!test.path("out/plain.html").exists() && !test.path("out/README.html").exists());
    assert_eq!(test.run(&["verify", "out"]).code, 0);
}

#[test]
fn raw_cells_and_attachments_are_shown_sanitized() {
    let pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    let raw = |mime: &str, source: &str| serde_json::json!({"cell_type": "raw", "metadata": {"raw_mimetype": mime}, "source": source});
    let notebook = serde_json::json!({
        "cells": [
            raw("text/html", "<b>bold</b><script>alert(1)</script>"),
            raw("text/markdown", "a *b*"),
            raw("text/x-rst", "``rst <text>``"),
            {"cell_type": "raw", "metadata": {}, "source": "meant for others"},
            {"cell_type": "markdown", "metadata": {}, "source": "![dot](attachment:dot.png)",
             "attachments": {"dot.png": {"image/png": pixel}}},
        ],
        "metadata": {"kernelspec": {"language": "julia", "name": "julia-1.10"}}, "nbformat": 4, "nbformat_minor": 4,
    });
    let test = NbcTest::new(&[("n.ipynb", &notebook.to_string())]);
    let built = said(
        test.command(&["build", "n.ipynb", "-o", "out", "--execute", "always"])
            .env("NBC_PYTHON", "/nowhere"),
    );
    assert_eq!(built.code, 0, "{}", built.stderr);
    assert!(built.stderr.contains("NBC109") && built.stderr.contains("NBC401"), "{}", built.stderr);
    let page = test.read("out/n.html");
    assert!(page.contains("<b>bold</b>") && !page.contains("alert(1)"), "{page}");
    assert!(page.contains("<em>b</em>") && page.contains("rst &lt;text&gt;"), "{page}");
    assert!(page.contains("meant for others"));
    assert!(page.contains("src=\"data:image/png;base64,iVBOR"), "{page}");
}

#[test]
fn a_cell_after_a_failed_one_is_told() {
    let test = NbcTest::new(&[("n.py", &marimo(&["x = 1 / 0", "x + 1"]))]);
    let built = test.run(&["build", "n.py", "-o", "out", "--allow-errors"]);
    assert_eq!(built.code, 0, "{}", built.stderr);
    assert!(built.stderr.contains("NBC308"), "{}", built.stderr);
}

#[test]
fn never_executing_publishes_a_notebook_without_outputs() {
    let test = NbcTest::new(&[("n.ipynb", &jupyter(&["1/0"]))]);
    let arguments = ["build", "n.ipynb", "-o", "out", "--execute", "never"];
    let built = said(test.command(&arguments).env("NBC_PYTHON", "/nowhere"));
    assert_eq!(built.code, 0, "{}", built.stderr);
    assert_eq!(test.run(&["build", "n.ipynb", "-o", "out"]).code, 1, "auto runs it");
}

#[test]
fn help_and_completions_name_every_command() {
    let test = NbcTest::new(&[]);
    let help = test.run(&["--help"]);
    assert_eq!(help.code, 0);
    for command in ["build", "check", "graph", "verify", "render", "explain", "completions"] {
        assert!(help.stdout.contains(command), "{command}");
    }
    assert!(test.run(&["completions", "bash"]).stdout.contains("_nbc"));
    assert!(test.run(&["explain", "duplicate-definition"]).stdout.starts_with("NBC201"));
}

#[test]
fn the_docs_name_every_flag() {
    let docs =
        fs_err::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md")).unwrap();
    let is_part = |it: char| it.is_ascii_alphanumeric() || it == '-';
    let named: BTreeSet<&str> =
        docs.split(|it| !is_part(it)).filter(|it| it.starts_with("--")).collect();
    let test = NbcTest::new(&[]);
    for command in ["build", "verify", "lock", "prepare"] {
        let help = test.run(&[command, "--help"]).stdout;
        let flags = help.lines().filter_map(|it| {
            // `-o, --output <DIR>`, `--color <COLOR>`; not `- auto: on a terminal, unless …`.
            let it = it.trim_start();
            let long = it.starts_with('-').then(|| it.find("--"))??;
            it.get(long..)?.split(|it| !is_part(it)).next()
        });
        let flags: Vec<&str> = flags.collect();
        assert!(flags.len() > 2, "{help}");
        let missing: Vec<_> =
            flags.iter().filter(|it| **it != "--help" && !named.contains(**it)).collect();
        assert!(missing.is_empty(), "docs/cli.md does not name {missing:?} of `nbc {command}`");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let test = NbcTest::new(&[]);
    let script =
        format!("'{}' explain | head -1; exit ${{PIPESTATUS[0]}}", env!("CARGO_BIN_EXE_nbc"));
    let said = said(Command::new("bash").args(["-c", &script]).current_dir(test.folder.path()));
    assert_eq!(said.code, 0, "{}", said.stderr);
}

fn wait_for(path: &Path) {
    let start = Instant::now();
    while !path.exists() {
        assert!(start.elapsed() < Duration::from_secs(20), "{} does not appear", path.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A notebook whose one cell has this output stored.
fn stored(code: &str, output: &str) -> String {
    format!(
        r#"{{"cells": [{{"cell_type": "code", "id": "a", "metadata": {{}}, "execution_count": 1,
        "source": {code:?}, "outputs": [{output}]}}], "metadata": {{"language_info": {{"name": "python"}}}},
        "nbformat": 4, "nbformat_minor": 5}}"#
    )
}

fn printed(text: &str) -> String {
    let text = serde_json::Value::from(text);
    format!(r#"{{"output_type": "stream", "name": "stdout", "text": {text}}}"#)
}

#[test]
fn what_looks_like_a_secret_stops_the_page_until_its_fingerprint_is_allowed() {
    // In pieces, so that no scanner of repositories takes it for real.
    let token = format!("{}_{}", "ghp", "x7Kq2Lm9Zt4Vb8Nc1Rf6Wd3Hs5Jg0PyAeUiO");
    let code = format!("token = \"{token}\"\n");
    let output = printed(&format!("<b>{token}</b>"));
    let test = NbcTest::new(&[
        ("code.ipynb", &stored(&format!("a = 1\n{code}"), &printed("fine"))),
        ("output.ipynb", &stored("a = 1", &output)),
    ]);
    let tell = |said: &Said| {
        assert!(!said.stderr.contains(&token) && !said.stdout.contains(&token), "{}", said.stderr);
        assert!(!said.stderr.contains("x7Kq2"), "{}", said.stderr);
        assert_eq!(said.code, 1, "{}", said.stderr);
        assert!(said.stderr.contains("NBC420"), "{}", said.stderr);
        let (_, rest) = said.stderr.split_once("`github-token:").unwrap();
        format!("github-token:{}", &rest[..8])
    };
    let checked = test.run(&["check", "code.ipynb"]);
    let fingerprint = tell(&checked);
    assert!(checked.stderr.contains("code.ipynb:cell 1:2"), "{}", checked.stderr);
    for name in ["code.ipynb", "output.ipynb"] {
        assert_eq!(tell(&test.run(&["build", name])), fingerprint);
        assert!(!test.path("site").join("index.html").exists());
        let allowed = test.run(&["build", name, "--allow-secret", &fingerprint]);
        assert_eq!(allowed.code, 0, "{}", allowed.stderr);
        let by_rule = test.run(&["build", name, "--allow-secret", "github-token"]);
        assert_eq!(by_rule.code, 0, "{}", by_rule.stderr);
    }
    // Code that no reader sees is not published.
    assert_eq!(test.run(&["build", "code.ipynb", "--code", "hidden"]).code, 0);
    assert_eq!(test.run(&["build", "output.ipynb", "--allow-secret", "jwt:00000000"]).code, 1);
    assert_eq!(test.run(&["build", "output.ipynb", "--allow-secret", "nonsense"]).code, 2);
    test.write(".nbc-secrets", format!("{fingerprint}  # a sample\n").as_bytes());
    assert_eq!(test.run(&["build", "output.ipynb"]).code, 0);
    test.write(".nbc-secrets", b"ghp_odd\n");
    assert_eq!(test.run(&["build", "output.ipynb"]).code, 2);
}

#[test]
fn names_and_paths_of_a_machine_are_not_published() {
    let text = "/home/ada/x.csv C:\\Users\\ada\\y /tmp/ipykernel_1/2.py:3: UserWarning: odd, \
                https://example.org/home/ada, hunter-value-77";
    let test = NbcTest::new(&[("a.ipynb", &stored("a = 1", &printed(text)))]);
    let said = said(test.command(&["build", "a.ipynb"]).env("MY_API_TOKEN", "hunter-value-77"));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("NBC421") && !said.stderr.contains("hunter"), "{}", said.stderr);
    let page = test.read("site/a.html");
    let expected = "~/x.csv ~\\y …:3: UserWarning: odd, https://example.org/home/ada, ***";
    assert!(page.contains(expected), "{page}");
}

#[test]
fn strict_sanitizing_refuses_what_had_to_be_removed() {
    let html = r#"{"output_type": "display_data", "metadata": {},
        "data": {"text/html": "<p onclick=x()>hello</p>"}}"#;
    let test = NbcTest::new(&[("a.ipynb", &stored("a = 1", html))]);
    assert_eq!(test.run(&["build", "a.ipynb"]).code, 0);
    let said = test.run(&["build", "a.ipynb", "--strict-sanitize"]);
    assert_eq!(said.code, 1, "{}", said.stderr);
    assert!(said.stderr.contains("error[NBC401]"), "{}", said.stderr);
    test.write("nbc.toml", b"strict-sanitize = true\n");
    assert_eq!(test.run(&["build", "a.ipynb"]).code, 1);
}

#[test]
fn a_long_output_is_shortened_on_the_page_and_told() {
    let lines: String = (1..=500).map(|it| format!("line {it}\n")).collect();
    let test = NbcTest::new(&[("a.ipynb", &stored("a = 1", &printed(&lines)))]);
    let said = test.run(&["build", "a.ipynb", "--shown-lines", "20"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("NBC422") && said.stderr.contains("500 lines"), "{}", said.stderr);
    let page = test.read("site/a.html");
    assert!(
        page.contains("line 10\n") && page.contains("line 491\n") && !page.contains("line 200\n")
    );
    assert!(page.contains("… 480 lines ("), "{page}");
    test.write("nbc.toml", b"[shown]\nlines = 20\n");
    assert!(test.run(&["build", "a.ipynb"]).stderr.contains("NBC422"));
}

#[test]
fn a_table_says_which_of_its_rows_are_on_the_page() {
    let test = NbcTest::new(&[(
        "n.py",
        &marimo(&["import marimo as mo\nmo.ui.table([{'n': i} for i in range(12_000)])"]),
    )]);
    for (flags, file, said, rows) in [
        (&[][..], "", "Rows 1 to 5,000 of 12,000.", 5000),
        (&["--max-rows", "40"], "", "Rows 1 to 40 of 12,000.", 40),
        (&[], "[shown]\nmax-rows = 7\n", "Rows 1 to 7 of 12,000.", 7),
        (&["--shown-rows", "20000"], "", "", 12_000),
    ] {
        test.write("nbc.toml", file.as_bytes());
        let told = test.run(&[&["build", "n.py"], flags].concat());
        assert_eq!(told.code, 0, "{}", told.stderr);
        assert_eq!(told.stderr.contains("NBC422"), !said.is_empty(), "{}", told.stderr);
        let page = test.read("site/n.html");
        assert!(page.contains(said), "{said}");
        assert_eq!(page.matches("<tr>").count(), rows + 1, "{said}");
    }
}

/// A stored output that is nothing without its scripts.
fn island_output(html: &str) -> String {
    let output = serde_json::json!([
        {"output_type": "display_data", "metadata": {}, "data": {"text/html": html}}
    ]);
    serde_json::json!({
        "cells": [{"cell_type": "code", "metadata": {}, "execution_count": 1, "source": "1", "outputs": output}],
        "metadata": {}, "nbformat": 4, "nbformat_minor": 4,
    })
    .to_string()
}

const NETWORK: &str = "<div id=\"n\" onclick=\"a()\"></div><script>new vis.Network(document.getElementById('n'))</script>";

#[test]
fn scripts_of_outputs_run_in_frames_and_only_where_the_author_allows_it() {
    let test = NbcTest::new(&[
        ("in/a.ipynb", &island_output(NETWORK)),
        ("in/b.ipynb", &island_output(NETWORK)),
    ]);
    let said = test.run(&["build", "in", "-o", "off"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(
        said.stderr.contains("NBC402") && said.stderr.contains("`--allow-island pyvis`"),
        "{}",
        said.stderr
    );
    assert!(!test.path("off/islands").exists() && !test.read("off/a.html").contains("<iframe"));
    assert!(test.read("off/a.html").contains("whose code pages of this site don"));
    assert!(test.read("off/_headers").contains("X-Frame-Options: DENY\n"));

    let said = test.run(&["build", "in", "-o", "on", "--allow-island", "pyvis:a.ipynb"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(
        said.stderr.contains("NBC408") && said.stderr.contains("handlers in attributes (1)"),
        "{}",
        said.stderr
    );
    let page = test.read("on/a.html");
    assert!(
        page.contains("<iframe class=\"island\" sandbox=\"allow-scripts\" src=\"islands/a."),
        "{page}"
    );
    assert!(
        page.contains("; frame-src &#39;self&#39;; ") && !page.contains("vis.Network"),
        "{page}"
    );
    assert!(!test.read("on/b.html").contains("frame"), "b.ipynb was not named");
    let headers = test.read("on/_headers");
    assert!(headers.contains("/islands/*\n  X-Frame-Options: SAMEORIGIN\n"), "{headers}");
    assert!(headers.contains("/a.html\n  X-Frame-Options: DENY\n"), "{headers}");
    assert_eq!(test.run(&["verify", "on", "--allow-island"]).code, 0);
    let refused = test.run(&["verify", "on"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stdout.contains("`--allow-island`"), "{}", refused.stdout);

    let said = test.run(&["build", "in/a.ipynb", "-o", "one", "--allow-island", "pyvis"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("build with `--layout site`"), "{}", said.stderr);
    assert!(!test.read("one/a.html").contains("vis.Network"));
}

#[test]
fn scripts_of_other_hosts_are_named_and_not_fetched() {
    let map = "<div class=\"folium-map\"></div><script src=\"https://a.example/leaflet.js\"></script><script>L.map(1)</script>";
    let test = NbcTest::new(&[("in/a.ipynb", &island_output(map))]);
    let said = test.run(&["build", "in", "-o", "site", "--allow-island", "folium"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("https://a.example/leaflet.js"), "{}", said.stderr);
    let page = test.read("site/a.html");
    assert!(
        page.contains("wants files that are not part of this site") && !page.contains("<iframe"),
        "{page}"
    );
}

#[test]
fn a_configuration_cannot_trust_foreign_code_by_itself() {
    let config =
        format!("[trust]\nislands = [\"pyvis\"]\nruntimes = [\"sha384-{}\"]\n", "A".repeat(64));
    let test = NbcTest::new(&[("in/a.ipynb", &island_output(NETWORK)), ("in/nbc.toml", &config)]);
    let said = test.run(&["build", "in", "-o", "site"]);
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(
        said.stderr.contains("`--trust-config`")
            && said.stderr.contains("scripts of outputs (`pyvis`)"),
        "{}",
        said.stderr
    );
    assert!(!test.path("site").exists());
    let said = test.run(&["build", "in", "-o", "site", "--trust-config"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(test.read("site/a.html").contains("<iframe"));
    test.write("in/nbc.toml", b"[trust]\nislands = [\"everything\"]\n");
    let said = test.run(&["build", "in", "-o", "site", "--trust-config"]);
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(said.stderr.contains("no kind of island"), "{}", said.stderr);
}
