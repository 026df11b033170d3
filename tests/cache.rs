//! Results of earlier builds: a hit is what a run would give, and everything else is a run.
//!
//! Runs use the interpreter of `NBC_TEST_PYTHON`, which `tests/run.sh` makes; see CONTRIBUTING.md.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "tests start the real binary, and a failed step is a failed test"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proptest::prelude::*;
use test_support::{NbcTest, Said, files_below, jupyter, python, said};

/// A folder with a project and a cache of its own.
struct CacheTest(NbcTest);

impl std::ops::Deref for CacheTest {
    type Target = NbcTest;

    fn deref(&self) -> &NbcTest {
        &self.0
    }
}

impl CacheTest {
    fn new(files: &[(&str, &str)]) -> Self {
        Self(NbcTest::new(files))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.0.command(arguments);
        command.env("NBC_CACHE_DIR", self.path("cache")).env_remove("NBC_NO_CACHE");
        command.env_remove("SOURCE_DATE_EPOCH");
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        said(&mut self.command(arguments))
    }

    fn entries(&self, kind: &str) -> Vec<PathBuf> {
        files_below(&self.path("cache/entries-1").join(kind))
    }
}

/// Two notebooks, one of which reads a file.
fn project() -> CacheTest {
    CacheTest::new(&[
        ("in/a.ipynb", &jupyter(&["print(open('data.txt').read())"])),
        ("in/b.ipynb", &jupyter(&["print(6 * 7)"])),
        ("in/data.txt", "first"),
    ])
}

const BUILD: [&str; 4] = ["build", "in", "-o", "out"];

#[test]
fn what_is_unchanged_is_not_run_again() {
    let test = project();
    assert_eq!(test.run(&BUILD).runs(), 2);
    let before = test.site("out");
    assert!(test.run(&BUILD).is_untouched());
    // Another place for the site: the runs are the same.
    let elsewhere = test.run(&["build", "in", "-o", "other"]);
    assert_eq!(elsewhere.runs(), 0, "{}", elsewhere.stderr);
    assert!(
        elsewhere.stderr.contains("2 runs are those of earlier builds"),
        "{}",
        elsewhere.stderr
    );
    assert_eq!(test.site("other"), before);
    assert_eq!(test.run(&["build", "in", "-o", "out", "--no-cache"]).runs(), 2);
    assert_eq!(test.site("out"), before);
}

#[test]
fn a_hit_starts_no_cell_and_no_sandbox() {
    let test = project();
    let traced = |output: &str| {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-e", "trace=execve", "-o"]).arg(test.path("trace"));
        command.arg(env!("CARGO_BIN_EXE_nbc")).args(["build", "in", "-o", output]);
        command.current_dir(test.folder.path()).env("NBC_PYTHON", python());
        command.env("NBC_CACHE_DIR", test.path("cache")).env_remove("NBC_NO_CACHE");
        said(&mut command)
    };
    if Command::new("strace").arg("-V").output().is_err() {
        // Without it the words of nbc have to do, as in the test above.
        return;
    }
    assert_eq!(test.run(&BUILD).runs(), 2);
    assert_eq!(traced("other").runs(), 0);
    let trace = fs_err::read_to_string(test.path("trace")).unwrap();
    let started = trace.lines().filter(|it| it.contains("execve(") && it.contains("= 0"));
    // Only nbc itself.
    assert_eq!(started.count(), 1, "{trace}");
    // Before any Python runs, the interpreter is asked, without packages (`-I -S`): which one to start is never read
    // from the cache.
    test.write("in/data.txt", "second");
    assert_eq!(traced("third").runs(), 2);
    let trace = fs_err::read_to_string(test.path("trace")).unwrap();
    let mut started = trace.lines().filter(|it| it.contains("execve(") && it.contains("= 0"));
    let first = started.by_ref().find(|it| it.contains("python")).unwrap();
    assert!(first.contains(r#""-I", "-S""#), "{trace}");
}

#[test]
fn a_change_runs_what_could_have_read_it() {
    let test = project();
    assert_eq!(test.run(&BUILD).runs(), 2);
    test.write("in/data.txt", "second");
    // Both see the whole folder.
    assert_eq!(test.run(&BUILD).runs(), 2);
    assert!(
        String::from_utf8(test.site("out")[Path::new("a.html")].clone())
            .unwrap()
            .contains("second")
    );
    // The first state is known still.
    test.write("in/data.txt", "first");
    assert_eq!(test.run(&BUILD).runs(), 0);
    assert!(
        String::from_utf8(test.site("out")[Path::new("a.html")].clone()).unwrap().contains("first")
    );
}

#[test]
fn inputs_narrow_what_is_seen_and_what_counts() {
    let test = project();
    test.write("in/nbc.toml", "inputs = []\n[pages.\"a.ipynb\"]\ninputs = ['data.txt']\n");
    assert_eq!(test.run(&BUILD).runs(), 2);
    test.write("in/data.txt", "second");
    assert_eq!(test.run(&BUILD).runs(), 1);
    test.write("in/c.txt", "no input of any");
    assert_eq!(test.run(&BUILD).runs(), 0);
    // A file that is no input cannot be read.
    let reads = "import os\nprint(sorted(os.listdir('.')), os.path.exists('data.txt'))";
    test.write("in/b.ipynb", &jupyter(&[reads]));
    assert_eq!(test.run(&BUILD).runs(), 1);
    let page = String::from_utf8(test.site("out")[Path::new("b.html")].clone()).unwrap();
    assert!(
        page.contains("[&#39;b.ipynb&#39;] False") || page.contains("['b.ipynb'] False"),
        "{page}"
    );
}

#[test]
fn a_header_names_inputs_too() {
    let notebook = |inputs: &str| {
        format!(
            "# /// script\n# dependencies = []\n# [tool.nbc]\n# inputs = {inputs}\n# ///\n\n# %%\nimport os\n\n\
             print('sees', sorted(os.listdir('.')))\n"
        )
    };
    let test =
        CacheTest::new(&[("in/a.csv", ""), ("in/b.csv", ""), ("in/n.py", &notebook("['a.*']"))]);
    let build = |test: &CacheTest| {
        let said = test.run(&["build", "in/n.py", "-o", "out"]);
        let page = String::from_utf8(test.site("out")[Path::new("n.html")].clone()).unwrap();
        (
            said.runs(),
            page.contains("a.csv&#39;,") || page.contains("a.csv',"),
            page.contains("b.csv"),
        )
    };
    assert_eq!(build(&test), (1, true, false));
    test.write("in/b.csv", "changed");
    assert_eq!(build(&test), (0, true, false));
    test.write("in/n.py", &notebook("[]"));
    assert_eq!(build(&test), (1, false, false));
}

#[test]
fn a_pattern_that_is_none_is_told() {
    let test = project();
    test.write("in/nbc.toml", "inputs = ['[z-a]']\n");
    let said = test.run(&BUILD);
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("the `inputs` pattern `[z-a]` is not valid"), "{}", said.stderr);
}

#[test]
fn what_fails_or_knows_secrets_is_run_each_time() {
    let test = CacheTest::new(&[("in/a.ipynb", &jupyter(&["print(1)"])), ("key", "s3cr3t-value")]);
    let secret = ["build", "in", "-o", "out", "--secret", "key=key"];
    assert_eq!(test.run(&secret).runs(), 1);
    assert_eq!(test.run(&secret).runs(), 1);
    test.write("in/a.ipynb", &jupyter(&["1/0"]));
    let failing = ["build", "in", "-o", "out", "--allow-errors"];
    assert_eq!(test.run(&failing).runs(), 1);
    // The outcome of a failure may be another one the next time: out of memory, for example.
    assert_eq!(test.run(&failing).runs(), 1);
    assert!(test.entries("runs").is_empty());
}

#[test]
fn warnings_are_shown_again() {
    let markup = "from IPython.display import HTML\nHTML('<p onclick=\"x()\">text</p>')";
    let test = CacheTest::new(&[("in/a.ipynb", &jupyter(&[markup]))]);
    let first = test.run(&BUILD);
    assert!(first.stderr.contains("NBC401"), "{}", first.stderr);
    let warnings = |said: &Said| said.stderr.matches("NBC401").count();
    let repeated = test.run(&BUILD);
    assert!(repeated.is_untouched());
    let elsewhere = test.run(&["build", "in", "-o", "other"]);
    assert_eq!(elsewhere.runs(), 0);
    assert_eq!((warnings(&repeated), warnings(&elsewhere)), (warnings(&first), warnings(&first)));
    let json = ["build", "in", "-o", "out", "--format", "json"];
    let first = test.run(&json);
    assert_eq!(test.run(&json).stdout, first.stdout);
    assert!(first.stdout.contains("NBC401"));
}

#[test]
fn a_damaged_entry_is_a_miss_and_never_another_page() {
    let test = project();
    assert_eq!(test.run(&BUILD).runs(), 2);
    let before = test.site("out");
    let other = ["build", "in", "-o", "other"];
    for damage in ["cut", "flip", "empty", "swap"] {
        let entries = test.entries("runs");
        assert_eq!(entries.len(), 2);
        let bytes = fs_err::read(&entries[0]).unwrap();
        let damaged = match damage {
            "cut" => bytes[..bytes.len() / 2].to_vec(),
            "flip" => {
                let mut bytes = bytes;
                let at = bytes.len() - 9;
                bytes[at] ^= 4;
                bytes
            }
            "empty" => Vec::new(),
            _ => fs_err::read(&entries[1]).unwrap(),
        };
        fs_err::write(&entries[0], damaged).unwrap();
        let verified = test.run(&["cache", "verify"]);
        assert_eq!(verified.code, 1);
        assert!(verified.stdout.contains(entries[0].to_str().unwrap()), "{}", verified.stdout);
        let _ = std::fs::remove_dir_all(test.path("other"));
        let said = test.run(&other);
        assert_eq!(said.runs(), 1, "{damage}");
        assert!(said.stderr.contains("warning: the cache entry"), "{}", said.stderr);
        assert_eq!(test.site("other"), before, "{damage}");
    }
    assert_eq!(test.run(&["cache", "verify"]).code, 0);
}

#[test]
fn a_record_that_was_written_by_hand_is_as_hostile_as_one_of_a_runner() {
    let test = CacheTest::new(&[("in/a.ipynb", &jupyter(&["print('HERE')"]))]);
    assert_eq!(test.run(&BUILD).runs(), 1);
    let entry = test.entries("runs").remove(0);
    let text = fs_err::read_to_string(&entry).unwrap();
    let (head, body) = text.split_once('\n').unwrap();
    let evil = body.replace(
        r#""kind":"stream","name":"stdout","text":"HERE\n""#,
        r#""kind":"display","bundle":{"data":{"text/html":"<script>alert(1)</script>EVIL"}}"#,
    );
    assert_ne!(body, evil);
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(&evil);
    let digest: String = digest.iter().map(|it| format!("{it:02x}")).collect();
    let words: Vec<&str> = head.split(' ').take(4).collect();
    fs_err::write(&entry, format!("{} {} {digest}\n{evil}", words.join(" "), evil.len())).unwrap();
    let said = test.run(&["build", "in", "-o", "other"]);
    assert_eq!(said.runs(), 0);
    let page = String::from_utf8(test.site("other")[Path::new("a.html")].clone()).unwrap();
    assert!(page.contains("EVIL") && !page.contains("alert(1)"), "{page}");
}

#[test]
fn time_is_told_by_phase_and_notebook() {
    let test = project();
    let said = test.run(&["build", "in", "-o", "out", "--timings", "--format", "json"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let line = said.stderr.lines().find(|it| it.starts_with("{\"timings\"")).unwrap();
    let told: serde_json::Value = serde_json::from_str(line).unwrap();
    let told = &told["timings"];
    let names: Vec<&str> = told["notebooks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["notebook"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["in/a.ipynb", "in/b.ipynb"]);
    let run = told["phases"]["run (Python, sandbox)"]["wall"].as_f64().unwrap();
    assert!(run > 0.0 && run <= told["total"].as_f64().unwrap(), "{told}");
}

#[test]
fn the_time_of_the_build_is_a_number_or_refused() {
    let test = CacheTest::new(&[(
        "in/a.ipynb",
        &jupyter(&["import os\nprint(os.environ['SOURCE_DATE_EPOCH'])"]),
    )]);
    let build = |date: &str| said(test.command(&BUILD).env("SOURCE_DATE_EPOCH", date));
    for (date, shown) in [("", "315532800"), ("86400", "86400")] {
        assert_eq!(build(date).runs(), 1);
        let page = String::from_utf8(test.site("out")[Path::new("a.html")].clone()).unwrap();
        assert!(page.contains(shown), "{page}");
    }
    let refused = build("yesterday");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("SOURCE_DATE_EPOCH"), "{}", refused.stderr);
}

#[test]
fn builds_at_once_share_a_cache() {
    let test = project();
    let children: Vec<_> = (0..4)
        .map(|idx| {
            let out = format!("out{idx}");
            let mut command = test.command(&["build", "in", "-o", &out]);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    for idx in 1..4 {
        assert_eq!(test.site(&format!("out{idx}")), test.site("out0"));
    }
    assert_eq!(test.run(&["cache", "verify"]).code, 0);
}

#[test]
fn what_it_holds_is_told_bounded_and_removed() {
    let test = project();
    assert_eq!(test.run(&BUILD).runs(), 2);
    let stats = || -> serde_json::Value {
        serde_json::from_str(&test.run(&["cache", "stats", "--format", "json"]).stdout).unwrap()
    };
    assert_eq!(stats()["kinds"]["runs"]["entries"], 2);
    assert!(test.run(&["cache", "stats"]).stdout.contains("2 entries"));
    use std::os::unix::fs::PermissionsExt as _;
    for entry in test.entries("runs") {
        // Outputs before they are sanitized are nobody else's.
        assert_eq!(fs_err::metadata(&entry).unwrap().permissions().mode() & 0o077, 0);
    }
    assert_eq!(test.run(&["cache", "clear"]).code, 0);
    assert_eq!(stats()["kinds"]["runs"]["entries"], 0);
    // Nothing that is over the bound is kept.
    let small = ["build", "in", "-o", "out", "--cache-size", "1KiB"];
    assert_eq!(test.run(&small).runs(), 2);
    assert!(
        files_below(&test.path("cache/entries-1"))
            .iter()
            .all(|it| { fs_err::metadata(it).unwrap().len() <= 1024 })
    );
}

#[test]
fn a_cache_that_cannot_be_written_costs_a_warning() {
    let test = project();
    fs_err::create_dir_all(test.path("cache")).unwrap();
    fs_err::write(test.path("cache/entries-1"), "a file in the way").unwrap();
    let said = test.run(&BUILD);
    assert_eq!(said.runs(), 2);
    assert!(said.stderr.contains("warning: the cache"), "{}", said.stderr);
    assert_eq!(test.run(&["verify", "out"]).code, 0);
}

#[test]
fn only_what_changed_is_written() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt};

    let test = project();
    assert_eq!(test.run(&BUILD).runs(), 2);
    let before = test.site("out");
    let file = |name: &str| {
        let metadata = fs_err::metadata(test.path("out").join(name)).unwrap();
        (metadata.ino(), metadata.mtime_nsec(), metadata.nlink())
    };
    let (a, b) = (file("a.html"), file("b.html"));
    test.write("in/b.ipynb", &jupyter(&["print(6 * 8)"]));
    let said = test.run(&BUILD);
    // The page, and the manifest that names its digest.
    assert!(said.stderr.contains("2 files new or changed"), "{}", said.stderr);
    assert_eq!(file("a.html"), a);
    assert_ne!(file("b.html").0, b.0);
    assert_eq!(test.run(&["verify", "out"]).code, 0);
    // A file that somebody changed in place, keeping the size, is not nbc's any more.
    let page = fs_err::read_to_string(test.path("out/a.html")).unwrap();
    fs_err::write(test.path("out/a.html"), page.replace("first", "FIRST")).unwrap();
    test.write("in/b.ipynb", &jupyter(&["print(6 * 7)"]));
    assert!(test.run(&BUILD).stderr.contains("3 files new or changed"));
    assert_eq!(test.site("out"), before);
    // Nor is what others may write.
    let mode = || fs_err::metadata(test.path("out/a.html")).unwrap().permissions();
    let usual = mode();
    fs_err::set_permissions(test.path("out/a.html"), PermissionsExt::from_mode(0o666)).unwrap();
    assert!(test.run(&BUILD).stderr.contains("1 file new or changed"));
    assert_eq!(mode(), usual);
}

#[test]
fn a_page_that_was_changed_by_hand_is_written_again() {
    let test = project();
    assert_eq!(test.run(&BUILD).runs(), 2);
    let before = test.site("out");
    let page = test.path("out/a.html");
    let text = fs_err::read_to_string(&page).unwrap();
    fs_err::write(&page, text.replace("first", "forged")).unwrap();
    let said = test.run(&BUILD);
    assert_eq!(said.runs(), 0);
    assert!(!said.is_untouched());
    assert_eq!(test.site("out"), before);
    fs_err::remove_file(test.path("out/b.html")).unwrap();
    assert!(!test.run(&BUILD).is_untouched());
    assert_eq!(test.site("out"), before);
}

#[test]
fn why_names_the_part_that_differs() {
    let test = project();
    let why = |more: &[&str]| {
        let said = test.run(&[&["cache", "why", "in/a.ipynb"], more].concat());
        assert_eq!((said.code, said.runs()), (0, 0), "{}", said.stderr);
        said.stdout
    };
    let told = |more: &[&str]| -> serde_json::Value {
        let all: serde_json::Value =
            serde_json::from_str(&why(&[&["--format", "json"], more].concat())).unwrap();
        assert_eq!(all.as_array().unwrap().len(), 1, "{all}");
        all[0].clone()
    };
    /// Names of the parts that differ, with how they do.
    fn differing(told: &serde_json::Value) -> Vec<(&str, &str)> {
        let parts = told["parts"].as_array().unwrap().iter();
        let parts = parts.map(|it| (it["change"].as_str().unwrap(), it["name"].as_str().unwrap()));
        parts.filter(|it| it.0 != "same").collect()
    }
    let text = why(&[]);
    assert!(text.starts_with("in/a.ipynb: never built here; a build would run it\n"), "{text}");
    for part in [
        "environment python  3.",
        "limit memory  ",
        "nbc  ",
        "isolation  ",
        "runner  ",
        "file /nb/data.txt  ",
    ] {
        assert!(text.contains(&format!("  part     {part}")), "{part}: {text}");
    }
    assert_eq!(test.run(&BUILD).runs(), 2);
    let same = told(&[]);
    assert_eq!((same["verdict"].as_str(), same["known"].as_bool()), (Some("same"), Some(true)));
    assert!(differing(&same).is_empty(), "{same}");
    assert!(why(&[]).contains("whose run is kept; it would not be run"));

    test.write("in/data.txt", "second");
    let text = why(&[]);
    assert!(
        text.contains("1 part of its key differs from the last build; a build would run it"),
        "{text}"
    );
    assert!(text.contains("  changed  file /nb/data.txt  "), "{text}");
    assert_eq!(differing(&told(&[])), [("changed", "file /nb/data.txt")]);
    test.write("in/new.txt", "");
    assert_eq!(
        differing(&told(&[])),
        [("changed", "file /nb/data.txt"), ("added", "file /nb/new.txt")]
    );
    // Another notebook, and the looks of the site, are no parts.
    test.write("in/b.ipynb", &jupyter(&["print(7)"]));
    test.write("in/nbc.toml", "title = 'other'\n");
    assert_eq!(differing(&told(&[])).len(), 2);
    assert_eq!(test.run(&BUILD).runs(), 2);
    // Whoever asks after the build learns why that one ran.
    let text = why(&[]);
    let (_, since) = text.split_once("the build before that had another key, by\n").expect(&text);
    assert!(since.starts_with("  changed  file /nb/data.txt"), "{text}");
    assert!(since.contains("  added    file /nb/new.txt"), "{text}");

    std::fs::remove_file(test.path("in/new.txt")).unwrap();
    assert_eq!(differing(&told(&[])), [("removed", "file /nb/new.txt")]);
    test.write("in/new.txt", "");
    assert_eq!(differing(&told(&["--memory", "1GiB"])), [("changed", "limit memory")]);
    test.write("in/a.ipynb", &jupyter(&["print(open('data.txt').read(), 2)"]));
    assert_eq!(
        differing(&told(&[])),
        [("changed", "file /nb/a.ipynb"), ("changed", "notebook cells")]
    );
    // Known are the runs of every build, not of the last one only.
    test.write("in/a.ipynb", &jupyter(&["print(open('data.txt').read())"]));
    test.write("in/data.txt", "first");
    std::fs::remove_file(test.path("in/new.txt")).unwrap();
    assert!(why(&[]).contains("an earlier build kept this run"), "{}", why(&[]));
}

#[test]
fn why_tells_of_notebooks_that_have_no_key_or_no_run() {
    let stored = jupyter(&["6 * 7"]).replace(
        r#""outputs":[]"#,
        r#""outputs":[{"output_type":"stream","name":"stdout","text":"42"}]"#,
    );
    assert!(stored.contains("42"));
    let test = CacheTest::new(&[
        ("in/stored.ipynb", &stored),
        ("in/deep/run.ipynb", &jupyter(&["print(1)"])),
        ("in/nbc.toml", "[limits]\nmemory = '1GiB'\n"),
        ("key", "s3cr3t-value"),
    ]);
    let why = |more: &[&str]| {
        let said = test.run(&[&["cache", "why"], more].concat());
        assert_eq!((said.code, said.runs()), (0, 0), "{}", said.stderr);
        said.stdout
    };
    assert!(why(&["in/stored.ipynb"]).contains("never built here; published as stored"));
    assert_eq!(test.run(&BUILD).runs(), 1);
    assert!(why(&["in/stored.ipynb"]).contains("published as stored, and as in the last build"));
    test.write("in/stored.ipynb", &stored.replace("42", "43"));
    let text = why(&["in/stored.ipynb"]);
    assert!(text.contains("it is published as stored; nothing is run"), "{text}");
    assert!(text.contains("  changed  notebook, with its outputs  "), "{text}");
    // The `nbc.toml` of the build holds, though it lies above the notebook that is asked for.
    let text = why(&["in/deep/run.ipynb"]);
    assert!(text.contains("its key is that of the last build"), "{text}");
    let text = why(&["in/deep/run.ipynb", "--secret", "key=key"]);
    assert!(text.contains("it is run by each build: it may reach hosts"), "{text}");
    // All notebooks of a folder, and nothing that is kept for this decides anything.
    assert_eq!(why(&["in"]).lines().filter(|it| it.starts_with("in/")).count(), 2);
    for entry in test.entries("parts") {
        fs_err::write(entry, "damaged").unwrap();
    }
    assert!(why(&["in/deep/run.ipynb"]).contains("never built here"));
    assert_eq!(test.run(&["build", "in", "-o", "other"]).runs(), 0);
}

/// A notebook that tells which of some files it can open. Its code names none of them, so that it opens no door.
fn spy(names: &[&str]) -> String {
    let hex: Vec<String> =
        names.iter().map(|name| name.bytes().map(|it| format!("{it:02x}")).collect()).collect();
    let look = format!(
        "import helper\nfor name in '{}'.split():\n    name = bytes.fromhex(name).decode()\n    try:\n        \
         open(name, 'rb').close()\n        print('opened', name + ';')\n    except OSError:\n        pass\n\
         print('looked', 'everywhere')",
        hex.join(" ")
    );
    jupyter(&[&look])
}

#[test]
fn each_file_of_a_project_is_in_the_key_or_absent() {
    let percent = "# %%\nx = 1\n";
    let marimo = "import marimo\napp = marimo.App()\n\n@app.cell\ndef _():\n    return\n";
    let theme = "title = 'first'\n[theme]\ncss = 'theme.css'\ntemplates = 'looks'\n";
    let files = [
        ("nb.ipynb", "", true),
        ("data.txt", "0", true),
        ("sub/deep.csv", "0", true),
        ("helper.py", "import part\n", true),
        ("part.py", percent, true),
        ("requirements.txt", "", true),
        ("pyproject.toml", "[tool.x]\n", true),
        ("README.md", "# Read me\n", true),
        ("other.ipynb", &jupyter(&["1"]), false),
        ("sub/other.py", percent, false),
        ("dashboard.py", marimo, false),
        ("page.qmd", "```{python}\n1\n```\n", false),
        ("nbc.toml", theme, false),
        ("theme.css", "main { color: #123456 }\n", false),
        ("looks/_note.html", "<p>note</p>\n", false),
        ("uv.lock", "version = 1\n", false),
        ("pylock.other.toml", "lock-version = '1.0'\n", false),
        ("__pycache__/old.pyc", "0", false),
        (".env", "KEY=0\n", false),
        ("credentials.json", "{}\n", false),
        (".settings", "0\n", false),
        ("digest.txt", "", false),
        ("out/index.html", "", false),
        ("earlier/manifest.json", "", false),
        ("earlier/index.html", "", false),
    ];
    let names: Vec<&str> = files.iter().map(|it| it.0).collect();
    let test = CacheTest::new(&[]);
    let made = ["digest.txt", "out/index.html", "earlier/manifest.json", "earlier/index.html"];
    for (name, text, _) in files.iter().filter(|it| !made.contains(&it.0)) {
        test.write(&format!("in/{name}"), text);
    }
    test.write("in/nb.ipynb", &spy(&names));
    let build = |output: &str| {
        let site = format!("in/{output}");
        let said = test.run(&[
            "build",
            "in/nb.ipynb",
            "-o",
            &site,
            "--layout",
            "site",
            "--digest-file",
            "in/digest.txt",
            "--trust-config",
        ]);
        said.runs()
    };
    assert_eq!(build("earlier"), 1);
    assert_eq!(build("out"), 0);
    let page = String::from_utf8(test.site("in/out")[Path::new("nb.html")].clone()).unwrap();
    assert!(page.contains("looked everywhere"), "{page}");
    for (name, _, is_seen) in files {
        assert_eq!(page.contains(&format!("opened {name};")), is_seen, "{name}: {page}");
        let path = format!("in/{name}");
        let before = fs_err::read_to_string(test.path(&path)).unwrap();
        let after = match name {
            "nb.ipynb" => spy(&["data.txt"]),
            "other.ipynb" => jupyter(&["2"]),
            "nbc.toml" => before.replace("first", "second"),
            // nbc itself writes these three.
            "digest.txt" | "out/index.html" => continue,
            "theme.css" => "main { color: #654321 }\n".to_owned(),
            _ => format!("{before}\n"),
        };
        test.write(&path, &after);
        assert_eq!(build("out"), usize::from(is_seen), "{name}");
        test.write(&path, &before);
        assert_eq!(build("out"), 0, "{name}");
    }
    // A file that is new is seen, or is none of the notebook's.
    for (name, text, is_seen) in
        [("new.csv", "", true), ("new.py", "", true), ("new.ipynb", "{}", false)]
    {
        test.write(&format!("in/{name}"), text);
        assert_eq!(build("out"), usize::from(is_seen), "{name}");
    }
    // A former notebook is a module like others.
    test.write("in/sub/other.py", "x = 1\n");
    assert_eq!(build("out"), 1);
}

#[test]
fn of_a_hundred_notebooks_one_that_changed_is_run_and_looks_run_nothing() {
    let test = CacheTest::new(&[("in/theme.css", "main { color: #123456 }\n")]);
    let write = |idx: usize, value: usize| {
        test.write(&format!("in/n{idx:03}.ipynb"), &jupyter(&[&format!("print({value})")]));
    };
    (0..100).for_each(|idx| write(idx, idx));
    test.write("in/nbc.toml", "title = 'first'\n[theme]\ncss = 'theme.css'\n");
    assert_eq!(test.run(&BUILD).runs(), 100);
    write(50, 1000);
    assert_eq!(test.run(&BUILD).runs(), 1);
    for (name, text) in [
        ("in/theme.css", "main { color: #654321 }\n"),
        ("in/nbc.toml", "title = 'second'\n[theme]\ncss = 'theme.css'\n"),
    ] {
        test.write(name, text);
        let said = test.run(&BUILD);
        assert!(!said.is_untouched(), "{name}");
        assert_eq!(said.runs(), 0, "{name}");
    }
}

#[test]
fn files_of_other_folders_of_the_project_are_inputs_without_a_grant() {
    let notebook = |inputs: &str, path: &str| {
        format!(
            "# /// script\n# dependencies = []\n# [tool.nbc]\n# inputs = {inputs}\n# ///\n\n# %%\nimport os\n\
             print('read', open({path:?}).read())\nprint('sees', sorted(os.listdir('../data')))\n"
        )
    };
    let test = CacheTest::new(&[
        ("in/data/x.csv", "first"),
        ("in/data/y.csv", "y"),
        ("in/data/.env", "KEY=secret"),
        ("in/data/nbc.toml", ""),
        ("in/deep/n.py", &notebook("['../data/x.csv']", "../data/x.csv")),
        ("outside.csv", "outside"),
    ]);
    let page = || String::from_utf8(test.site("out")[Path::new("deep/n.html")].clone()).unwrap();
    let plain = |text: &str| text.replace("&#39;", "'").replace("&#x27;", "'");
    assert_eq!(test.run(&BUILD).runs(), 1);
    assert!(plain(&page()).contains("read first") && plain(&page()).contains("sees ['x.csv']"));
    test.write("in/data/y.csv", "another");
    assert_eq!(test.run(&BUILD).runs(), 0);
    test.write("in/data/x.csv", "second");
    assert_eq!(test.run(&BUILD).runs(), 1);
    assert!(page().contains("read second"));
    // A folder is shown without what no run sees.
    test.write("in/deep/n.py", &notebook("['../data']", "../data/x.csv"));
    assert_eq!(test.run(&BUILD).runs(), 1);
    assert!(plain(&page()).contains("sees ['x.csv', 'y.csv']"), "{}", page());
    for (name, runs) in [("in/data/y.csv", 1), ("in/data/.env", 0), ("in/data/nbc.toml", 0)] {
        test.write(name, "# changed");
        assert_eq!(test.run(&BUILD).runs(), runs, "{name}");
    }
    // One that is not there yet is noticed when it comes.
    let later = notebook("['../data/x.csv', '../later.csv']", "../data/x.csv");
    test.write("in/deep/n.py", &later);
    assert_eq!(test.run(&BUILD).runs(), 1);
    assert!(test.run(&BUILD).is_untouched());
    test.write("in/later.csv", "");
    assert_eq!(test.run(&BUILD).runs(), 1);
    // Nothing leads out of what is built, by its name or by a link.
    std::os::unix::fs::symlink("../outside.csv", test.path("in/link.csv")).unwrap();
    for path in ["../../outside.csv", "../link.csv", "../../../../../../../../etc/passwd"] {
        test.write("in/deep/n.py", &notebook(&format!("['{path}']"), path));
        let said = test.run(&BUILD);
        assert_eq!(said.code, 2, "{}", said.stderr);
        assert!(
            said.stderr.contains("in/deep/n.py: ") && said.stderr.contains("lies outside of"),
            "{}",
            said.stderr
        );
    }
    let credentials = notebook("['../data/.env']", "../data/.env");
    test.write("in/deep/n.py", &credentials);
    let said = test.run(&BUILD);
    assert_eq!(said.code, 1, "{}", said.stderr);
    assert!(said.stderr.contains("`.env` is hidden from the run"), "{}", said.stderr);
}

/// A change that a user, a colleague or a CI makes between two builds.
#[derive(Debug, Clone)]
enum Edit {
    Source(u8),
    Data(u8),
    Helper(u8),
    Package(u8),
    Rename(bool),
    Flag(usize),
    Date(u8),
    Inputs(usize),
    /// Nothing but the times of files.
    Touch,
}

const FLAGS: [&[&str]; 5] = [
    &[],
    &["--timeout", "77"],
    &["--open-files", "200"],
    &["--output-size", "2KiB"],
    &["--states", "off"],
];
const INPUTS: [&str; 4] =
    ["", "inputs = ['*']\n", "inputs = ['helper.py', '*.txt']\n", "inputs = ['helper.py']\n"];

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (0..3_u8).prop_map(Edit::Source),
        (0..3_u8).prop_map(Edit::Data),
        (0..3_u8).prop_map(Edit::Helper),
        (0..2_u8).prop_map(Edit::Package),
        any::<bool>().prop_map(Edit::Rename),
        (0..FLAGS.len()).prop_map(Edit::Flag),
        (0..2_u8).prop_map(Edit::Date),
        (0..INPUTS.len()).prop_map(Edit::Inputs),
        Just(Edit::Touch),
    ]
}

/// All that a notebook can find out in one line each.
fn curious(source: u8) -> String {
    jupyter(&[
        "import os, resource, helper\ntry:\n    import tool\nexcept ImportError:\n    tool = None",
        &format!("print('source', {source}, 'x' * 3000)"),
        "print('files', sorted(os.listdir('.')))",
        "print('data', open('data.txt').read() if os.path.exists('data.txt') else None)",
        "print(helper.VALUE, tool and tool.VALUE)",
        "print(resource.getrlimit(resource.RLIMIT_NOFILE), os.environ['SOURCE_DATE_EPOCH'])",
    ])
}

/// A virtual environment outside of the notebook's folder, with IPython from the one of the tests.
fn environment(test: &CacheTest) -> PathBuf {
    let base = python();
    let made = Command::new(&base)
        .args(["-m", "venv", "--without-pip", "--system-site-packages"])
        .arg(test.path("venv"))
        .status();
    assert!(made.unwrap().success());
    test.path("venv/bin/python")
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 5, max_shrink_iters: 8, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn a_build_with_a_cache_equals_one_without(edits in prop::collection::vec(edit(), 4..8)) {
        let test = CacheTest::new(&[
            ("in/n.ipynb", &curious(0)),
            ("in/data.txt", "0"),
            ("in/helper.py", "VALUE = 'helper 0'\n"),
        ]);
        let python = environment(&test);
        let packages = files_below(&test.path("venv/lib"));
        let packages = packages.first().map_or_else(
            || std::fs::read_dir(test.path("venv/lib")).unwrap().next().unwrap().unwrap().path().join("site-packages"),
            |it| it.parent().unwrap().to_owned(),
        );
        let (mut flags, mut date) = (0, 0);
        let mut edits = edits;
        // Back to where it began: hits are part of it.
        edits.extend([Edit::Source(0), Edit::Flag(0), Edit::Touch]);
        for step in edits {
            match &step {
                Edit::Source(value) => test.write("in/n.ipynb", &curious(*value)),
                Edit::Data(value) => test.write("in/data.txt", &value.to_string()),
                Edit::Helper(value) => {
                    test.write("in/helper.py", &format!("VALUE = 'helper {value}'\n"));
                }
                Edit::Package(value) => {
                    fs_err::write(packages.join("tool.py"), format!("VALUE = 'tool {value}'\n")).unwrap();
                }
                Edit::Rename(is_there) => {
                    let (from, to) = if *is_there { ("b.txt", "c.txt") } else { ("c.txt", "b.txt") };
                    test.write(&format!("in/{to}"), "");
                    let _ = std::fs::remove_file(test.path(&format!("in/{from}")));
                }
                Edit::Flag(which) => flags = *which,
                Edit::Date(value) => date = *value,
                Edit::Inputs(which) => test.write("in/nbc.toml", INPUTS[*which]),
                Edit::Touch => {
                    let file = std::fs::File::open(test.path("in/data.txt")).unwrap();
                    file.set_modified(std::time::SystemTime::now()).unwrap();
                }
            }
            let build = |output: &str, more: &[&str]| {
                let arguments = [&["build", "in", "-o", output], FLAGS[flags], more].concat();
                let mut command = test.command(&arguments);
                command.env("NBC_PYTHON", &python);
                if date > 0 {
                    command.env("SOURCE_DATE_EPOCH", "1700000000");
                }
                said(&mut command)
            };
            let (with, without) = (build("with", &[]), build("without", &["--no-cache"]));
            prop_assert_eq!(with.code, 0, "{}", with.stderr);
            prop_assert_eq!(without.code, 0, "{}", without.stderr);
            prop_assert_eq!(test.site("with"), test.site("without"), "after {:?}", step);
        }
    }
}
