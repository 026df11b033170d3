//! The small binary `nbc-verify`, built alone as its users build it, beside `nbc verify`: the same words and exit codes.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests start the real binaries, and a failed step is a failed test"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::json;
use test_support::{NbcTest, Said, code_cell, notebook, said};

/// Most crates that `nbc-verify` may be made of, itself included.
const MOST_CRATES: usize = 60;

/// Built by cargo into the target folder of this test: its features are not those that `nbc` asks for.
static NBC_VERIFY: LazyLock<PathBuf> = LazyLock::new(|| {
    let target = Path::new(env!("CARGO_BIN_EXE_nbc")).parent().unwrap().parent().unwrap();
    let mut build = cargo(&["build", "--quiet", "--package", "nbc-verify"]);
    let said = said(build.arg("--target-dir").arg(target));
    assert_eq!(said.code, 0, "{}", said.stderr);
    target.join("debug/nbc-verify")
});

/// Cargo without a network: the workspace's crates were fetched when this test was built.
fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments);
    command.args(["--offline", "--locked"]);
    command
}

/// Sites in a folder: `out` as nbc built it, `edited`, and `islands`.
struct Sites(NbcTest);

impl std::ops::Deref for Sites {
    type Target = NbcTest;

    fn deref(&self) -> &NbcTest {
        &self.0
    }
}

impl Sites {
    fn new() -> Self {
        let sites = Self(NbcTest::new(&[]));
        let cell = |data: &serde_json::Value| {
            let output = json!({ "output_type": "display_data", "metadata": {}, "data": data });
            notebook(&json!([code_cell("show()", &json!([output]))]))
        };
        let table =
            "<table><thead><tr><th>n</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>";
        sites.write("in/a.ipynb", &cell(&json!({ "text/html": table })));
        sites.write("in/b.ipynb", &cell(&json!({ "text/plain": "two" })));
        let script = "<p id=x></p><script>document.getElementById('x').textContent = 1</script>";
        sites.write("islands.ipynb", &cell(&json!({ "text/html": script })));
        for (input, output) in [("in", "out"), ("in", "edited")] {
            sites.build(&[input, "-o", output]);
        }
        sites.build(&[
            "islands.ipynb",
            "-o",
            "islands",
            "--layout",
            "site",
            "--allow-island",
            "html",
        ]);
        let page = sites.read("edited/a.html");
        let edited =
            page.replace("</main>", "<script>alert(1)</script><p onclick=\"x()\"></p></main>");
        assert_ne!(page, edited);
        sites.write("edited/a.html", &edited);
        sites.write("edited/x\u{1b}[2J::error::\u{202e}.html", "<p>");
        std::fs::create_dir(sites.folder.path().join("empty")).unwrap();
        sites
    }

    fn build(&self, arguments: &[&str]) {
        let fixed = ["build", "--execute", "never"];
        let said = said(&mut self.0.nbc(&[&fixed, arguments].concat()));
        assert_eq!(said.code, 0, "{}", said.stderr);
    }

    fn nbc_verify(&self, arguments: &[&str]) -> Said {
        said(Command::new(NBC_VERIFY.as_path()).args(arguments).current_dir(self.folder.path()))
    }

    fn nbc(&self, arguments: &[&str]) -> Said {
        said(self.0.nbc(&["verify"]).args(arguments))
    }
}

#[test]
fn a_site_of_nbc_passes_and_an_edited_one_does_not() {
    let sites = Sites::new();
    let passed = sites.nbc_verify(&["out"]);
    let expected =
        Said { code: 0, stdout: String::new(), stderr: "out: every rule holds\n".into() };
    assert_eq!(passed, expected);
    let refused = sites.nbc_verify(&["edited"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    for rule in ["script-hash", "inline-handler", "listed-file", "safe-path"] {
        assert!(refused.stdout.contains(&format!(": [{rule}] ")), "{rule}: {}", refused.stdout);
    }
    assert_eq!(sites.nbc_verify(&["islands"]).code, 1);
    assert_eq!(sites.nbc_verify(&["islands", "--allow-island"]).code, 0);
}

#[test]
fn both_commands_say_the_same() {
    let sites = Sites::new();
    let digest = nbc::site::Integrity::of(sites.read("out/manifest.json").as_bytes());
    let other = nbc::site::Integrity::of(b"other");
    let (digest, other) = (digest.as_str(), other.as_str());
    let rows: &[(&[&str], i32)] = &[
        (&["out"], 0),
        (&["edited"], 1),
        (&["edited", "--format", "json"], 1),
        (&["out", "--format", "json"], 0),
        (&["islands"], 1),
        (&["islands", "--allow-island"], 0),
        (&["empty"], 1),
        (&["nowhere"], 2),
        (&["nowhere", "--color", "always"], 2),
        (&["--color", "never", "nowhere"], 2),
        (&["\u{1b}[2J\u{202e}"], 2),
        (&["out", "--manifest-digest", digest], 0),
        (&["out", "--manifest-digest", other], 1),
        (&["out", "--manifest-digest", "sha384-x"], 2),
        (&["out", "--allow-script", other, "--trust-runtime", other], 0),
        (&["out", "--allow-script", "a\n::error::\u{202e}"], 2),
        (&["out", "--allow-file", "CNAME", "--allow-file", &format!("robots.txt={other}")], 0),
        (&["out", "--allow-file", "robots.txt=sha384-x"], 2),
        (&["out", "--allow-file", "x.html"], 2),
        (&["out", "--base-url", "https://example.org/x"], 1),
        (&["out", "--base-url", "ftp:x"], 2),
        (&["--print-scripts"], 0),
        (&["--print-scripts", "out"], 2),
        (&[], 2),
        (&["out", "edited"], 2),
        (&["out", "--allow-ilsand"], 2),
        (&["out", "--format", "jsno"], 2),
    ];
    for (arguments, code) in rows {
        let (small, mut whole) = (sites.nbc_verify(arguments), sites.nbc(arguments));
        whole.stderr = whole.stderr.replace("Usage: nbc verify ", "Usage: nbc-verify ");
        assert_eq!(small.code, *code, "{arguments:?}: {small:?}");
        assert_eq!(small, whole, "{arguments:?}");
    }
}

#[test]
fn both_commands_have_the_same_flags() {
    let sites = Sites(NbcTest::new(&[]));
    let flags = |said: Said| -> BTreeSet<String> {
        assert_eq!(said.code, 0, "{}", said.stderr);
        let words = said.stdout.split_whitespace().filter(|it| it.starts_with("--"));
        words.map(|it| it.trim_end_matches([',', '.']).to_owned()).collect()
    };
    let small = flags(sites.nbc_verify(&["-h"]));
    assert!(small.contains("--manifest-digest"), "{small:?}");
    assert_eq!(small, flags(sites.nbc(&["-h"])));
    assert_eq!(sites.nbc_verify(&["--version"]).stdout, sites.nbc(&["--version"]).stdout);
}

#[test]
fn it_is_made_of_few_crates_and_none_of_the_writer() {
    let tree = said(&mut cargo(&[
        "tree",
        "--package",
        "nbc-verify",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--no-dedupe",
    ]));
    assert_eq!(tree.code, 0, "{}", tree.stderr);
    let crates: BTreeSet<&str> =
        tree.stdout.lines().filter_map(|it| it.split_whitespace().next()).collect();
    assert!(crates.contains("html5gum") && crates.len() < MOST_CRATES, "{}", crates.len());
    let is_writer = |it: &&&str| {
        ["nbc", "ammonia", "minijinja", "html5ever", "lightningcss", "mermaid-svg"].contains(it)
            || it.starts_with("ruff_")
    };
    assert_eq!(crates.iter().find(is_writer), None);
}
