//! Pictures of the web: links without a word of the user, pinned ones with it. Nothing here reaches a server; the tests of
//! `src/driver/locked_pictures` do.

use test_support::{NbcTest, Said};

const LOCK: &str = "in/nbc-assets.lock";
/// SHA-256 of bytes that nobody has.
const SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn notebook() -> String {
    let text = "# Title\n\n![A figure](https://a.example/figure.png?token=hunter2 'x')\n\n<img src=\"http://a.example/b.png\">";
    let output = serde_json::json!({"output_type": "display_data", "metadata": {},
        "data": {"text/html": "<img src='//b.example/c.gif'>"}});
    let cells = serde_json::json!([
        {"cell_type": "markdown", "metadata": {}, "source": text},
        {"cell_type": "code", "execution_count": 1, "metadata": {}, "source": "1", "outputs": [output]},
    ]);
    test_support::notebook(&cells)
}

fn entry(url: &str) -> String {
    format!(
        "\n[[picture]]\nurl = \"{url}\"\nsha256 = \"{SHA256}\"\ntype = \"image/png\"\nsize = 4\n"
    )
}

fn test(lock: Option<&str>) -> NbcTest {
    let notebook = notebook();
    let mut files = vec![("in/a.ipynb", notebook.as_str())];
    files.extend(lock.map(|it| (LOCK, it)));
    NbcTest::new(&files)
}

fn build(test: &NbcTest, more: &[&str]) -> Said {
    test.run(&[&["build", "in", "-o", "out", "--format", "concise"], more].concat())
}

/// The findings, without what else is said.
fn findings(said: &Said) -> Vec<&str> {
    said.stderr.lines().filter(|it| it.contains("[NBC")).collect()
}

#[test]
fn a_picture_of_the_web_is_a_link_and_the_finding_says_how_to_have_it() {
    let test = test(None);
    let said = build(&test, &[]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let page = test.read("out/a.html");
    assert!(
        page.contains("[image at a.example: A figure]</a>") && !page.contains("<img"),
        "{page}"
    );
    let expected = [
        "in/a.ipynb:cell 1:1:1: warning[NBC401] removed from an output: image of the web, which a page does not load (2×)",
        "in/a.ipynb:cell 2:1:1: warning[NBC401] removed from an output: image that is not in the notebook",
    ];
    assert_eq!(findings(&said), expected, "{}", said.stderr);
    let said = test.run(&["build", "in", "-o", "out"]);
    assert!(said.stderr.contains("`nbc lock --remote-images` fetches and pins"), "{}", said.stderr);
}

#[test]
fn a_picture_that_is_not_pinned_is_told_and_stays_a_link() {
    let test = test(None);
    let expected = [
        "in/a.ipynb:cell 1:3:13: warning[NBC412] `https://a.example/figure.png?…` is not on the page: `nbc-assets.lock` does not name it",
        "in/a.ipynb:cell 1:5:11: warning[NBC412] `http://a.example/b.png` is not on the page: its address is `http:`, and pictures are fetched by `https:` only",
        "in/a.ipynb:cell 2:1:1: warning[NBC412] `//b.example/c.gif` is not on the page: `nbc-assets.lock` does not name it",
    ];
    let said = build(&test, &["--remote-images"]);
    assert_eq!((said.code, findings(&said)), (0, expected.to_vec()), "{}", said.stderr);
    // The line, which holds the query, is not quoted.
    let said = test.run(&["build", "in", "-o", "out", "--remote-images"]);
    assert!(!said.stderr.contains("hunter2"), "{}", said.stderr);
    let page = test.read("out/a.html");
    assert!(
        page.contains("[image at a.example: A figure]</a>") && !page.contains("<img"),
        "{page}"
    );
    for arguments in
        [&["check", "in", "--remote-images"][..], &["lock", "in", "--remote-images", "--check"]]
    {
        let said = test.run(arguments);
        assert!(
            said.stderr.contains("`https://b.example/c.gif` is not locked")
                && !said.stderr.contains("hunter2"),
            "{}",
            said.stderr
        );
    }
    assert_eq!(test.run(&["lock", "in", "--remote-images", "--check"]).code, 1);
}

#[test]
fn nbc_toml_wants_pictures_of_the_web_only_with_trust() {
    let test = test(None);
    test.write("in/nbc.toml", "remote-images = true\n");
    for command in ["build", "lock", "prepare"] {
        let said = test.run(&[command, "in"]);
        assert_eq!(said.code, 2, "{command}: {}", said.stderr);
        assert!(
            said.stderr.contains("`nbc.toml` asks for pictures of the web (`remote-images`)"),
            "{}",
            said.stderr
        );
        assert!(said.stderr.contains("--trust-config"), "{}", said.stderr);
    }
    let said = build(&test, &["--trust-config"]);
    assert_eq!((said.code, findings(&said).len()), (0, 3), "{}", said.stderr);
    // Nothing is opened by a report.
    let said = test.run(&["check", "in"]);
    assert!(said.code == 0 && said.stderr.contains("NBC412"), "{}", said.stderr);
}

#[test]
fn a_lock_without_its_bytes_keeps_the_site_as_it_is() {
    let lock = format!("version = 1\n{}", entry("https://b.example/c.gif"));
    let test = test(Some(&lock));
    let said = build(&test, &["--remote-images"]);
    assert_eq!(said.code, 1, "{}", said.stderr);
    assert!(
        findings(&said).iter().any(|it| {
            it.ends_with(
        "error[NBC413] `//b.example/c.gif` is not on the page: its bytes are not on this machine"
    )
        }),
        "{}",
        said.stderr
    );
    assert!(!test.path("out").exists());
    let said = build(&test, &[]);
    assert_eq!(said.code, 0, "{}", said.stderr);
}

#[test]
fn a_lock_that_nbc_did_not_write_is_refused_without_its_values() {
    let lock = format!("version = 1\n{}", entry("http://secret.example/c.gif"));
    let test = test(Some(&lock));
    for command in [&["build", "in", "--remote-images"][..], &["check", "in", "--remote-images"]] {
        let said = test.run(command);
        assert_eq!(said.code, 2, "{}", said.stderr);
        assert!(
            said.stderr.contains("is no lock of pictures: picture 1: its address is `http:`"),
            "{}",
            said.stderr
        );
        assert!(!said.stderr.contains("secret.example"), "{}", said.stderr);
    }
    assert_eq!(build(&test, &[]).code, 0);
}

#[test]
fn no_flag_leads_to_this_machine() {
    let cells = serde_json::json!([{"cell_type": "markdown", "metadata": {},
        "source": "![a](https://127.0.0.1:9/a.png) ![b](https://localhost/b.png) <img src=https://[::1]/c.png> ![d](https://169.254.169.254/latest)"}]);
    let test = NbcTest::new(&[("in/a.ipynb", &test_support::notebook(&cells))]);
    let said = test.run(&["lock", "in", "--remote-images", "--format", "json"]);
    assert_eq!(said.code, 1, "{}", said.stderr);
    assert_eq!(
        said.stdout.matches("is this machine or in a private network").count(),
        4,
        "{}",
        said.stdout
    );
    assert!(serde_json::from_str::<serde_json::Value>(&said.stdout).is_ok(), "{}", said.stdout);
    assert!(
        said.stderr.contains("unchanged: in/nbc-assets.lock (0 pictures, 0 fetched, 0 removed)"),
        "{}",
        said.stderr
    );
    assert!(!test.path(LOCK).exists());
}

#[test]
fn prose_of_marimo_names_pictures_as_prose_of_jupyter_does() {
    let cell = "mo.md(\n    r\"\"\"\n    # Title\n\n    ![x](https://a.example/x.png)\n\n        code ![y](https://a.example/y.png)\n    \"\"\"\n)";
    let files = [("in/m.py", test_support::marimo(&["import marimo as mo", cell]))];
    let test = NbcTest::new(&files.each_ref().map(|(name, text)| (*name, text.as_str())));
    let said = test.run(&["check", "in", "--remote-images", "--format", "concise"]);
    let told = findings(&said);
    assert!(
        matches!(told.as_slice(), [one] if one.contains("`https://a.example/x.png` is not locked")),
        "{}",
        said.stderr
    );
}
