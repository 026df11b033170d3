//! Pages of the last build that are taken over: each build gives the bytes and the findings of one that knows no other.
//!
//! Notebooks hold outputs, so that no test needs Python.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "tests start the real binary, and a failed step is a failed test"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use proptest::prelude::*;
use serde_json::{Value, json};

/// A folder with a project and a cache of its own.
struct PageTest {
    folder: tempfile::TempDir,
}

impl PageTest {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nbc"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("NBC_CACHE_DIR", self.path("cache")).env_remove("NBC_NO_CACHE");
        command.env_remove("SOURCE_DATE_EPOCH");
        command
    }

    fn build(&self, more: &[&str]) -> String {
        let said = self.command(&[&["build", "in", "-o", "out"], more].concat()).output().unwrap();
        let text = String::from_utf8(said.stderr).unwrap();
        assert!(said.status.success(), "{text}");
        text
    }

    /// The site, after a look whether it is the one of a build that knows no other.
    fn checked(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let fresh = self.command(&["build", "in", "-o", "fresh", "--no-cache"]).output().unwrap();
        assert!(fresh.status.success(), "{}", String::from_utf8_lossy(&fresh.stderr));
        let (site, fresh) = (self.site("out"), self.site("fresh"));
        assert!(site == fresh, "{:?}", differing(&site, &fresh));
        assert!(self.command(&["verify", "out"]).output().unwrap().status.success());
        site
    }

    fn site(&self, name: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let root = self.path(name);
        let files = files_below(&root).into_iter();
        files
            .map(|it| (it.strip_prefix(&root).unwrap().into(), fs_err::read(&it).unwrap()))
            .collect()
    }
}

fn differing<'a>(
    one: &'a BTreeMap<PathBuf, Vec<u8>>,
    other: &'a BTreeMap<PathBuf, Vec<u8>>,
) -> Vec<&'a PathBuf> {
    one.keys().chain(other.keys()).filter(|it| one.get(*it) != other.get(*it)).collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => all.extend(files_below(&entry.path())),
            false => all.push(entry.path()),
        }
    }
    all.sort();
    all
}

/// A notebook that holds an output, a link to another one, and markup that has to be removed.
fn stored(text: &str, link: &str) -> String {
    let html = format!("<p>{text}</p><script>x</script><table><tr><td>1</td></tr></table>");
    let cells = json!([
        {"cell_type": "markdown", "metadata": {}, "source": format!("# About {text}\n\n[other]({link})")},
        {
            "cell_type": "code", "metadata": {}, "execution_count": 1,
            "source": format!("show('{text}')"),
            "outputs": [
                {"output_type": "stream", "name": "stdout", "text": format!("printed {text} t0k-en-v4lue\n")},
                {"output_type": "display_data", "metadata": {}, "data": {"text/html": html}},
            ],
        },
    ]);
    json!({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}).to_string()
}

/// Thirty notebooks; of each, the link leads to the one before.
fn thirty() -> PageTest {
    let test = PageTest::new();
    for idx in 0..30 {
        let before = format!("n{:02}.ipynb", (idx + 29) % 30);
        test.write(&format!("in/n{idx:02}.ipynb"), &stored(&format!("number {idx}"), &before));
    }
    test
}

fn taken_over(said: &str) -> usize {
    let line = said.lines().find(|it| it.contains("as the last build left"));
    line.map_or(0, |it| it.trim().split(' ').next().unwrap().parse().unwrap())
}

#[test]
fn one_changed_notebook_of_many_costs_one_page() {
    let test = thirty();
    assert_eq!(taken_over(&test.build(&[])), 0);
    test.write("in/n07.ipynb", &stored("seven", "n06.ipynb"));
    let said = test.build(&[]);
    assert_eq!(taken_over(&said), 29, "{said}");
    // The page, the index that names its title, and the manifest.
    assert!(said.contains("3 files new or changed"), "{said}");
    test.checked();
    // Pages that were taken over are taken over again.
    test.write("in/n08.ipynb", &stored("eight", "n07.ipynb"));
    assert_eq!(taken_over(&test.build(&[])), 29);
    // A page whose link led to one that is gone is made anew.
    std::fs::remove_file(test.path("in/n20.ipynb")).unwrap();
    assert_eq!(taken_over(&test.build(&[])), 28);
    test.checked();
    test.write("in/n20.ipynb", &stored("number 20", "n19.ipynb"));
    assert_eq!(taken_over(&test.build(&[])), 28);
    test.checked();
    // The title of the site stands on other pages only.
    test.write("in/nbc.toml", "[page]\ndescription = 'All of them.'\n");
    test.build(&[]);
    test.checked();
}

#[test]
fn a_link_to_a_heading_follows_the_page_that_has_it() {
    let test = PageTest::new();
    test.write("in/a.ipynb", &stored("a", "b.ipynb#About-b"));
    test.write("in/b.ipynb", &stored("b", "a.ipynb#About-a"));
    test.write("in/c.ipynb", &stored("c", "b.ipynb"));
    test.build(&[]);
    // Whether the heading is still there is known when its page is made: the page that links to it is made anew.
    test.write("in/b.ipynb", &stored("bee", "a.ipynb#About-a"));
    let said = test.build(&[]);
    assert!(taken_over(&said) == 1 && said.contains("NBC415"), "{said}");
    test.checked();
    // A page that is made anew links to one that stands.
    test.write("in/c.ipynb", &stored("c", "b.ipynb#About-bee"));
    let said = test.build(&[]);
    assert!(taken_over(&said) == 2 && said.contains("NBC415"), "{said}");
    test.checked();
}

#[test]
fn a_pair_follows_both_of_its_files() {
    let test = PageTest::new();
    let header = "# ---\n# jupyter:\n#   jupytext:\n#     formats: ipynb,py:percent\n# ---\n\n";
    let code = |text: &str| format!("{header}# %%\nshow('{text}')\n");
    test.write("in/a.py", &code("a"));
    test.write("in/a.ipynb", &stored("a", "b.ipynb"));
    test.write("in/b.ipynb", &stored("b", "a.ipynb"));
    test.build(&[]);
    let printed = |now: &str| {
        test.checked()[Path::new("a.html")].windows(now.len()).any(|it| it == now.as_bytes())
    };
    assert!(printed("printed a"));
    test.write("in/a.ipynb", &stored("a", "b.ipynb").replace("printed a", "printed anew"));
    test.build(&[]);
    assert!(printed("printed anew"));
    test.write("in/a.py", &format!("{}\n# %% [markdown]\n# More prose\n", code("a")));
    test.build(&[]);
    assert!(printed("printed anew") && printed("More prose"));
}

#[test]
fn pages_in_folders_are_taken_over_and_nothing_else_of_the_last_site_is() {
    let test = PageTest::new();
    let name = |idx: usize| {
        let folder = ["", "part/", "part/deep/", "part-two/"][idx % 4];
        format!("in/{folder}n{idx:02}.ipynb")
    };
    for idx in 0..24 {
        test.write(&name(idx), &stored(&format!("number {idx}"), "n00.ipynb"));
    }
    test.build(&[]);
    let inode = |site: &str| {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = std::fs::metadata(test.path(site)).unwrap();
        (metadata.ino(), metadata.mtime_nsec())
    };
    let (stays, goes) = (inode("out/part/deep/n06.html"), inode("out/part/deep/n02.html"));
    test.write(&name(2), &stored("changed", "n00.ipynb"));
    std::fs::remove_file(test.path(&name(3))).unwrap();
    assert_eq!(taken_over(&test.build(&[])), 22);
    assert_eq!(inode("out/part/deep/n06.html"), stays);
    assert_ne!(inode("out/part/deep/n02.html"), goes);
    assert!(!test.path("out/part-two/n03.html").exists());
    test.checked();
    // Nothing is left of the last site beside the new one, whose pages have one name each.
    let beside = std::fs::read_dir(test.folder.path()).unwrap().map(Result::unwrap);
    let beside: Vec<_> =
        beside.filter(|it| it.file_name().to_string_lossy().contains("out")).collect();
    assert_eq!(beside.len(), 1, "{beside:?}");
    // A second name of a page is somebody's: it could be written to.
    std::fs::hard_link(test.path("out/n00.html"), test.path("mine.html")).unwrap();
    test.write(&name(2), &stored("again", "n00.ipynb"));
    assert_eq!(taken_over(&test.build(&[])), 21);
    fs_err::write(test.path("mine.html"), "mine").unwrap();
    test.checked();
}

#[test]
fn a_notebook_that_changes_and_changes_back_is_never_mixed_up() {
    let test = thirty();
    test.build(&[]);
    for round in 0..4 {
        let text = if round % 2 == 0 { "seven" } else { "number 7" };
        test.write("in/n07.ipynb", &stored(text, "n06.ipynb"));
        // The first build compares, and makes the page of the very text that it compared.
        assert_eq!(taken_over(&test.build(&[])), 29, "{round}");
        test.checked();
        let said = test.build(&[]);
        assert!(said.contains("nothing has changed") || taken_over(&said) == 30, "{said}");
        test.checked();
    }
}

#[test]
fn what_was_damaged_or_changed_by_hand_is_made_anew() {
    let test = thirty();
    test.build(&[]);
    let whole: Vec<(PathBuf, Vec<u8>)> = files_below(&test.path("cache/entries-1/sites"))
        .into_iter()
        .map(|it| (it.clone(), fs_err::read(&it).unwrap()))
        .collect();
    assert!(!whole.is_empty());
    for damage in 0..3 {
        for (path, bytes) in &whole {
            let mut bytes = bytes.clone();
            match damage {
                0 => bytes.truncate(bytes.len() / 2),
                1 => *bytes.last_mut().unwrap() ^= 1,
                _ => bytes = b"junk\n".to_vec(),
            }
            fs_err::write(path, bytes).unwrap();
        }
        let said = test.build(&[]);
        assert!(said.contains("is left aside"), "{said}");
        assert_eq!(taken_over(&said), 0, "{said}");
        test.checked();
    }
    // Keeps its size, and is not nbc's any more.
    let page = test.path("out/n03.html");
    let text = fs_err::read_to_string(&page).unwrap();
    fs_err::write(&page, text.replace("number 3", "NUMBER 3")).unwrap();
    test.write("in/n07.ipynb", &stored("seven", "n06.ipynb"));
    assert_eq!(taken_over(&test.build(&[])), 28);
    test.checked();
    // An entry of another folder's site is of no use.
    std::fs::remove_dir_all(test.path("out")).unwrap();
    assert_eq!(taken_over(&test.build(&[])), 0);
    test.checked();
}

/// A picture whose only pixel has one of these colours.
fn picture(red: u8) -> Vec<u8> {
    let head = b"GIF89a\x01\0\x01\0\x80\0\0";
    let rest = b"\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
    [&head[..], &[red], &rest[..]].concat()
}

#[test]
fn a_changed_picture_remakes_its_page() {
    let test = thirty();
    std::fs::create_dir(test.path("in/img")).unwrap();
    for idx in [4, 5] {
        let text = stored(&format!("number {idx} ![p](img/p%20q.gif)"), "n00.ipynb");
        test.write(&format!("in/n{idx:02}.ipynb"), &text);
    }
    // The page without the picture knows that there was none.
    let said = test.build(&[]);
    assert!(said.contains("`img/p%20q.gif` is not on the page: there is no such file"), "{said}");
    for red in [1, 2] {
        fs_err::write(test.path("in/img/p q.gif"), picture(red)).unwrap();
        let said = test.build(&[]);
        assert_eq!(taken_over(&said), 28, "{said}");
        assert!(!said.contains("NBC410"), "{said}");
        let site = test.checked();
        let files = site.iter().filter(|(path, _)| path.extension().is_some_and(|it| it == "gif"));
        let files: Vec<_> = files.collect();
        assert_eq!(files.len(), 1, "{:?}", site.keys());
        assert!(files[0].0.to_str().unwrap().starts_with("assets/p-q."), "{:?}", files[0].0);
        assert_eq!(*files[0].1, picture(red));
        // All is as it was.
        assert!(!test.build(&[]).contains("new or changed"));
    }
    std::fs::remove_file(test.path("in/img/p q.gif")).unwrap();
    assert_eq!(taken_over(&test.build(&[])), 28);
    assert!(test.checked().keys().all(|it| it.extension().is_none_or(|it| it != "gif")));
}

#[test]
fn a_changed_file_behind_a_link_remakes_its_page() {
    let test = thirty();
    for idx in [4, 5] {
        let text = stored(&format!("number {idx} [data](d%20e.csv)"), "n00.ipynb");
        test.write(&format!("in/n{idx:02}.ipynb"), &text);
    }
    let said = test.build(&[]);
    assert!(said.contains("`d%20e.csv`") && said.contains("NBC405"), "{said}");
    for text in ["a,b\n1,2\n", "a,b\n3,4\n"] {
        test.write("in/d e.csv", text);
        let said = test.build(&[]);
        assert_eq!(taken_over(&said), 28, "{said}");
        let site = test.checked();
        let found: Vec<_> =
            site.iter().filter(|it| it.0.extension().is_some_and(|it| it == "csv")).collect();
        assert_eq!(found.len(), 1, "{:?}", site.keys());
        assert_eq!(found[0].1.as_slice(), text.as_bytes());
        let path = found[0].0.to_str().unwrap();
        assert!(path.starts_with("assets/d-e."), "{path}");
        let page = String::from_utf8(site[Path::new("n04.html")].clone()).unwrap();
        assert!(page.contains(&format!("href=\"{path}\" download=\"d e.csv\"")), "{page}");
        let manifest = String::from_utf8(site[Path::new("manifest.json")].clone()).unwrap();
        assert!(manifest.contains(path), "{manifest}");
        // A page that is taken over keeps its file; another one is made.
        test.write(
            "in/n20.ipynb",
            &stored(&format!("other {}", text.len() + text.find('3').unwrap_or(0)), "n19.ipynb"),
        );
        assert_eq!(taken_over(&test.build(&[])), 29);
        assert_eq!(test.checked()[Path::new(path)].as_slice(), text.as_bytes());
    }
    for (more, code) in [(&["--no-files"][..], "NBC405"), (&["--layout", "single"], "NBC411")] {
        let said = test.build(more);
        assert!(said.contains("`d%20e.csv`") && said.contains(code), "{said}");
        assert!(test.site("out").keys().all(|it| it.extension().is_none_or(|it| it != "csv")));
    }
    test.write("in/nbc.toml", "[page]\nfiles = false\n[pages.'n04.ipynb']\nfiles = true\n");
    test.build(&[]);
    let site = test.checked();
    assert!(String::from_utf8_lossy(&site[Path::new("n04.html")]).contains("download=\"d e.csv\""));
    assert!(
        !String::from_utf8_lossy(&site[Path::new("n05.html")]).contains("download=\"d e.csv\"")
    );
}

#[test]
fn why_names_what_decides_about_the_page() {
    let test = thirty();
    test.build(&[]);
    let why = |more: &[&str]| {
        let arguments = [&["cache", "why", "in/n03.ipynb"], more].concat();
        String::from_utf8(test.command(&arguments).output().unwrap().stdout).unwrap()
    };
    assert!(
        why(&[]).contains("its page is decided by the same as in the last build"),
        "{}",
        why(&[])
    );
    let text = why(&["--code", "hidden"]);
    assert!(
        text.contains("its page is made anew, by\n  changed  code  Folded -> Hidden\n"),
        "{text}"
    );
    test.write("in/nbc.toml", "[theme]\ncss = 'theme.css'\n[pages.'n03.ipynb']\ntitle = 'Three'\n");
    test.write("in/theme.css", "main { color: #123456 }\n");
    let told: Value = serde_json::from_str(&why(&["--format", "json"])).unwrap();
    let parts = told[0]["page"].as_array().unwrap().iter();
    let changed: Vec<_> = parts.filter(|it| it["change"] != "same").map(|it| &it["name"]).collect();
    assert_eq!(changed, ["settings of the page", "theme"]);
}

/// A change that somebody makes between two builds.
#[derive(Debug, Clone)]
enum Edit {
    /// The text of a notebook.
    Text(u8, u8),
    /// Whether a third notebook is there, which others lead to.
    Third(bool),
    Config(usize),
    Theme(u8),
    Template(u8),
    Flag(usize),
    /// A picture that a notebook shows; 0: there is none.
    Picture(u8),
    /// Whether a variable of nbc's own process has a value that an output holds.
    Masked(u8),
    /// Nothing but the times of files.
    Touch,
}

const CONFIGS: [&str; 8] = [
    "",
    "title = 'Reports'\n",
    "[page]\nauthor = 'Ada'\nlanguage = 'de'\n",
    "[page]\ndescription = 'All of them'\n",
    "[pages.'a.ipynb']\ntitle = 'Alpha'\n",
    "base-url = 'https://example.org/x'\n",
    "[theme]\ncss = 'theme.css'\n",
    "[theme]\ntemplates = 'templates'\n",
];

const FLAGS: [&[&str]; 11] = [
    &[],
    &["--code", "hidden"],
    &["--code", "shown"],
    &["--include-source"],
    &["--show-graph"],
    &["--title", "Told"],
    &["--layout", "single"],
    &["--charts", "static"],
    &["--shown-text", "8B"],
    &["--keep-going"],
    // A removal is an error, and nothing is published.
    &["--strict-sanitize"],
];

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        3 => (0..2_u8, 0..3_u8).prop_map(|(which, text)| Edit::Text(which, text)),
        2 => any::<bool>().prop_map(Edit::Third),
        3 => (0..CONFIGS.len()).prop_map(Edit::Config),
        1 => (0..2_u8).prop_map(Edit::Theme),
        1 => (0..2_u8).prop_map(Edit::Template),
        3 => (0..FLAGS.len()).prop_map(Edit::Flag),
        2 => (0..3_u8).prop_map(Edit::Picture),
        2 => (0..3_u8).prop_map(Edit::Masked),
        1 => Just(Edit::Touch),
    ]
}

impl PageTest {
    fn theme(&self, number: u8) {
        self.write("in/theme.css", &format!("main {{ color: #12345{number} }}\n"));
    }

    fn template(&self, number: u8) {
        self.write("in/templates/notes.html", &format!("<p>Note {number}</p>\n"));
        self.write(
            "in/templates/not_found.html",
            &format!("<main id=\"content\"><p>{number}</p></main>\n"),
        );
    }

    /// The findings, and whether it went well, of a build with this variable.
    fn told(
        &self,
        output: &str,
        flags: &[&str],
        masked: u8,
        more: &[&str],
    ) -> (i32, Vec<Value>, String) {
        let base = ["build", "in", "-o", output, "--format", "json", "--trust-config"];
        let mut command = self.command(&[&base, flags, more].concat());
        command.env_remove("REPORT_TOKEN");
        match masked {
            0 => {}
            1 => drop(command.env("REPORT_TOKEN", "t0k-en-v4lue")),
            _ => drop(command.env("REPORT_TOKEN", "an0ther-v4lue")),
        }
        let Output { status, stdout, stderr } = command.output().unwrap();
        let findings = serde_json::from_slice(&stdout).unwrap_or(Value::Null);
        (status.code().unwrap(), vec![findings], String::from_utf8(stderr).unwrap())
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 12, max_shrink_iters: 20, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn a_build_that_takes_pages_over_equals_one_that_does_not(
        edits in prop::collection::vec(edit(), 4..9)
    ) {
        let test = PageTest::new();
        test.write("in/a.ipynb", &stored("alpha 0", "b.ipynb"));
        test.write("in/b.ipynb", &stored("beta 0 <img src='p.gif'>", "deep/c.ipynb#About"));
        test.theme(0);
        test.template(0);
        let (mut flags, mut masked) = (0, 0);
        for step in edits.into_iter().chain([Edit::Flag(0), Edit::Text(0, 1), Edit::Touch]) {
            match &step {
                Edit::Text(0, text) => test.write("in/a.ipynb", &stored(&format!("alpha {text}"), "b.ipynb")),
                Edit::Text(_, text) => {
                    let text = format!("beta {text} <img src='p.gif'>");
                    test.write("in/b.ipynb", &stored(&text, "deep/c.ipynb#About"));
                }
                Edit::Third(true) => test.write("in/deep/c.ipynb", &stored("gamma", "../a.ipynb")),
                Edit::Third(false) => drop(std::fs::remove_file(test.path("in/deep/c.ipynb"))),
                Edit::Config(which) => test.write("in/nbc.toml", CONFIGS[*which]),
                Edit::Theme(number) => test.theme(*number),
                Edit::Template(number) => test.template(*number),
                Edit::Flag(which) => flags = *which,
                Edit::Picture(0) => drop(std::fs::remove_file(test.path("in/p.gif"))),
                Edit::Picture(red) => fs_err::write(test.path("in/p.gif"), picture(*red)).unwrap(),
                Edit::Masked(which) => masked = *which,
                Edit::Touch => {
                    let file = std::fs::File::open(test.path("in/b.ipynb")).unwrap();
                    file.set_modified(std::time::SystemTime::now()).unwrap();
                }
            }
            let with = test.told("with", FLAGS[flags], masked, &[]);
            let without = test.told("without", FLAGS[flags], masked, &["--no-cache"]);
            prop_assert_eq!(with.0, without.0, "after {:?}: {}{}", step, with.2, without.2);
            prop_assert!(with.0 < 2, "{}", with.2);
            prop_assert_eq!(&with.1, &without.1, "findings after {:?}", step);
            if with.0 == 0 {
                let (one, other) = (test.site("with"), test.site("without"));
                prop_assert!(one == other, "after {step:?}: {:?}", differing(&one, &other));
            }
        }
    }
}
