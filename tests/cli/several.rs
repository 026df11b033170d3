//! Faults of several notebooks at once, and results that cannot be written.

use std::process::Stdio;

use test_support::{NbcTest, jupyter, marimo, said};

/// Two notebooks that fail, and a good one with links to both of them.
fn two_fail() -> NbcTest {
    NbcTest::new(&[
        ("in/a.py", &marimo(&["raise ValueError('first fault')"])),
        ("in/b.ipynb", &jupyter(&["raise KeyError('second fault')"])),
        ("in/good.py", &marimo(&["import marimo as mo\nmo.md('[a](a.py) and [b](b.ipynb)')"])),
    ])
}

#[test]
fn all_notebooks_that_fail_are_told_at_once_and_nothing_is_published() {
    let test = two_fail();
    let said = test.run(&["build", "in", "-o", "out"]);
    assert_eq!(said.code, 1, "{}", said.stderr);
    for fault in ["first fault", "second fault"] {
        assert!(said.stderr.contains(fault), "{fault}: {}", said.stderr);
    }
    assert_eq!(said.stderr.matches("error[NBC301]").count(), 2, "{}", said.stderr);
    // The page that a link leads to is missing for a reason of its own.
    assert!(!said.stderr.contains("NBC405"), "{}", said.stderr);
    assert!(said.stderr.contains("2 errors in 3 notebooks"), "{}", said.stderr);
    assert!(!test.path("out").exists());
}

#[test]
fn keeping_going_publishes_what_succeeded_and_tells_all_that_failed() {
    let test = two_fail();
    let said = test.run(&["build", "in", "-o", "out", "--keep-going"]);
    assert_eq!(said.code, 1, "{}", said.stderr);
    assert_eq!(said.stderr.matches("error[NBC301]").count(), 2, "{}", said.stderr);
    assert!(test.path("out/good.html").exists());
    for failed in ["out/a.html", "out/b.html"] {
        assert!(!test.path(failed).exists(), "{failed}");
    }
    assert_eq!(test.run(&["verify", "out"]).code, 0);
}

/// Headers that no interpreter satisfies, each in words of its own.
fn without_environments() -> NbcTest {
    let header = |version| format!("# /// script\n# requires-python = \">={version}\"\n# ///\n");
    let notebook = |version| format!("{}{}", header(version), marimo(&["1"]));
    NbcTest::new(&[
        ("in/a.py", &notebook("3.98")),
        ("in/b.py", &notebook("3.99")),
        ("in/good.py", &marimo(&["'fine'"])),
    ])
}

#[test]
fn all_environments_that_cannot_be_had_are_told_at_once() {
    let test = without_environments();
    for command in [&["build", "in", "-o", "out"][..], &["prepare", "in"]] {
        let said = test.run(command);
        assert_eq!(said.code, 2, "{command:?} {}", said.stderr);
        for version in ["requires Python >=3.98", "requires Python >=3.99"] {
            assert_eq!(said.stderr.matches(version).count(), 1, "{command:?} {}", said.stderr);
        }
        assert!(!test.path("out").exists());
    }
    let prepared = test.run(&["prepare", "in"]);
    assert!(prepared.stderr.contains("prepared: in/good.py"), "{}", prepared.stderr);
    let kept = test.run(&["build", "in", "-o", "out", "--keep-going"]);
    assert_eq!(kept.code, 1, "{}", kept.stderr);
    assert_eq!(kept.stderr.matches("requires Python >=3.9").count(), 2, "{}", kept.stderr);
    assert!(test.path("out/good.html").exists() && !test.path("out/a.html").exists());
}

#[test]
fn the_source_of_every_kind_of_notebook_can_be_offered_in_both_layouts() {
    let markdown =
        "---\ntitle: M\nmarimo-version: 0.10.0\n---\n\n```python {.marimo}\nprint(1)\n```\n";
    let quarto = "---\ntitle: Q\n---\n\n```{python}\nprint(2)\n```\n";
    let files = [
        ("q.qmd", quarto.to_owned()),
        ("m.md", markdown.to_owned()),
        ("other.markdown", markdown.to_owned()),
        ("p.py", "# %%\nprint(3)\n".to_owned()),
        ("w.py", marimo(&["4"])),
        ("j.ipynb", jupyter(&["5"])),
    ];
    let test = NbcTest::new(&[]);
    for (name, text) in &files {
        test.write(&format!("in/{name}"), text.as_bytes());
    }
    for (layout, setting) in [("site", false), ("single", false), ("site", true), ("single", true)]
    {
        let settings = if setting { "[page]\nsource = true\n" } else { "" };
        test.write("in/nbc.toml", settings.as_bytes());
        let output = format!("out-{layout}-{setting}");
        let mut arguments = vec!["build", "in", "-o", &output, "--layout", layout];
        arguments.extend((!setting).then_some("--include-source"));
        let said = test.run(&arguments);
        assert_eq!(said.code, 0, "{layout} {setting}: {}", said.stderr);
        let verified = test.run(&["verify", &output]);
        assert_eq!((verified.code, verified.stdout.as_str()), (0, ""), "{layout} {setting}");
        for (name, _) in &files {
            let stem = name.split('.').next().unwrap();
            let page = test.read(&format!("{output}/{stem}.html"));
            assert!(page.contains(&format!("download=\"{name}\"")), "{layout} {setting}: {name}");
        }
    }
}

#[test]
fn a_value_for_an_input_of_a_notebook_without_inputs_is_an_error() {
    let stored = r#"{"cells": [{"cell_type": "code", "metadata": {}, "execution_count": 1, "source": "1",
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "kept"}]}],
        "metadata": {}, "nbformat": 4, "nbformat_minor": 4}"#;
    let slider = ["import marimo as mo", "n = mo.ui.slider(1, 3)\nn", "n.value"];
    let slider = marimo(&slider).replacen("return", "return mo,", 1);
    let slider = slider.replacen("def _():\n    n =", "def _(mo):\n    n =", 1);
    let test = NbcTest::new(&[
        ("plain.py", &marimo(&["1"])),
        ("stored.ipynb", stored),
        ("slider.py", &slider),
    ]);
    for (arguments, help) in [
        (&["build", "plain.py"][..], "the notebook has no inputs"),
        (&["build", "stored.ipynb"], "--execute always"),
        (&["build", "slider.py", "--states", "off"], "--states off"),
        (&["states", "plain.py"], ""),
    ] {
        let output = if arguments[0] == "build" { &["-o", "out"][..] } else { &[] };
        let said = test.run(&[arguments, output, &["--state", "depth=3"]].concat());
        assert_eq!(said.code, 1, "{arguments:?} {}", said.stderr);
        assert!(said.stderr.contains("[NBC434]"), "{arguments:?} {}", said.stderr);
        assert!(said.stderr.contains("no input is called `depth`"), "{}", said.stderr);
        assert!(said.stderr.contains(help), "{arguments:?} {}", said.stderr);
        assert!(!test.path("out").exists(), "{arguments:?}");
    }
}

#[test]
fn patterns_of_inputs_that_name_nothing_are_told_with_their_place() {
    let own = "# /// script\n# dependencies = []\n# [tool.nbc]\n# inputs = [\"*.tsv\", \"data/\"]\n# ///\n";
    let test = NbcTest::new(&[
        ("in/a.py", &marimo(&["1"])),
        ("in/deep/b.py", &marimo(&["1"])),
        ("in/own.py", &format!("{own}{}", marimo(&["1"]))),
        ("in/page.py", &marimo(&["1"])),
        ("in/data/x.csv", "1\n"),
        ("in/deep/y.json", "1\n"),
        (
            "in/nbc.toml",
            "inputs = [\"data\", \"*.json\", \"dta/*.csv\"]\n[pages.\"page.py\"]\ninputs = [\"z.csv\"]\n",
        ),
    ]);
    for command in [&["check", "in"][..], &["build", "in", "-o", "out"]] {
        let said = test.run(&[command, &["--format", "concise"]].concat());
        assert_eq!(said.code, 0, "{command:?} {}", said.stderr);
        let told: Vec<_> = said.stderr.lines().filter(|it| it.contains("[NBC321]")).collect();
        assert_eq!(told.len(), 3, "{command:?} {}", said.stderr);
        // A pattern may name something beside one notebook and nothing beside the others.
        for (pattern, place) in [
            ("`dta/*.csv` of `inputs` (`nbc.toml`)", "in/a.py:"),
            ("`*.tsv` of `inputs` (`[tool.nbc]` of it)", "in/own.py:"),
            ("`z.csv` of `inputs` (`[pages.\"page.py\"]` of `nbc.toml`)", "in/page.py:"),
        ] {
            let found = told.iter().any(|it| it.contains(pattern) && it.starts_with(place));
            assert!(found, "{pattern}: {}", said.stderr);
        }
    }
}

/// A device that takes nothing, as a full disk does.
#[test]
#[cfg(target_os = "linux")]
fn results_that_cannot_be_written_end_with_one_message_and_exit_code_2() {
    let test = NbcTest::new(&[("n.py", &marimo(&["1"]))]);
    assert_eq!(test.run(&["build", "n.py", "-o", "site"]).code, 0);
    let results: &[&[&str]] = &[
        &["states", "n.py"],
        &["states", "n.py", "--format", "json"],
        &["graph", "n.py"],
        &["graph", "n.py", "--format", "json"],
        &["check", "n.py", "--format", "json"],
        &["check", "n.py", "--format", "sarif"],
        &["build", "n.py", "-o", "site", "--format", "json"],
        &["verify", "site", "--format", "json"],
        &["verify", "--print-scripts"],
        &["explain"],
        &["explain", "NBC301"],
        &["completions", "bash"],
        &["cache", "stats"],
        &["cache", "stats", "--format", "json"],
        &["doctor"],
        &["--help"],
        &["--version"],
    ];
    for arguments in results {
        let full = fs_err::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = test.command(arguments);
        command.env("NBC_CACHE_DIR", test.path("cache")).stdin(Stdio::null());
        command.stdout(Stdio::from(full.into_parts().0)).stderr(Stdio::piped());
        let output = command.output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?} {told}");
        let message = "the results cannot be written to standard output: No space left on device";
        assert_eq!(told.matches(message).count(), 1, "{arguments:?} {told}");
        assert_eq!(told.matches("error:").count(), 1, "{arguments:?} {told}");
    }
}

/// A reader that has what it wanted goes away.
#[test]
fn a_reader_that_closes_its_pipe_is_not_a_fault_of_any_command() {
    let test = NbcTest::new(&[("n.py", &marimo(&["1"]))]);
    for arguments in [&["graph", "n.py"][..], &["explain"], &["check", "n.py", "--format", "json"]]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = test.command(arguments);
        let output = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?} {told}");
        assert!(!told.contains("cannot be written"), "{arguments:?} {told}");
    }
    assert_eq!(said(&mut test.command(&["graph", "n.py"])).code, 0);
}
