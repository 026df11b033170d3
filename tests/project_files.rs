//! Files that a project's author names, against what they can be made: links to devices, links out, pipes, folders,
//! and more than anybody reads. Each reader is tried with each, and must end, tell the file, and tell nothing else.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests start the real binary, and a failed step is a failed test"
)]

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A word that no message may hold: it parses as the name of a package, too.
const SECRET: &str = "hunter2-of-the-builder";
/// A notebook without a header: the files beside it decide.
const NOTEBOOK: &str = r#"{"cells": [{"cell_type": "code", "metadata": {}, "source": "1",
    "outputs": [], "execution_count": null}], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}"#;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attack {
    Device,
    LinkOut,
    LinkAbsolute,
    Environment,
    Pipe,
    Folder,
    Oversized,
}

const ATTACKS: [Attack; 7] = [
    Attack::Device,
    Attack::LinkOut,
    Attack::LinkAbsolute,
    Attack::Environment,
    Attack::Pipe,
    Attack::Folder,
    Attack::Oversized,
];

impl Attack {
    fn put(self, outer: &Path, path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        drop(std::fs::remove_file(path));
        match self {
            Self::Device => symlink("/dev/zero", path).unwrap(),
            Self::LinkOut => {
                let depth = path.strip_prefix(outer).unwrap().components().count() - 1;
                symlink(format!("{}secret", "../".repeat(depth)), path).unwrap();
            }
            Self::LinkAbsolute => symlink(outer.join("secret"), path).unwrap(),
            Self::Environment => symlink("/proc/self/environ", path).unwrap(),
            Self::Pipe => {
                assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
            }
            Self::Folder => std::fs::create_dir(path).unwrap(),
            Self::Oversized => {
                std::fs::File::create(path).unwrap().set_len(1 << 40).unwrap();
            }
        }
    }
}

/// A reader: the file that it reads, what stands beside it, and the command that makes it read.
struct Reader {
    file: &'static str,
    beside: &'static [(&'static str, &'static str)],
    command: &'static [&'static str],
    /// The file's name in messages.
    told: &'static str,
}

const CHECK: &[&str] = &["check", "in"];
const LOCK: &[&str] = &["lock", "in"];
const BUILD: &[&str] = &["build", "in", "-o", "out", "--isolation", "best-effort"];

const READERS: [Reader; 16] = [
    Reader { file: "in/.gitignore", beside: &[], command: CHECK, told: ".gitignore" },
    Reader { file: "in/.ignore", beside: &[], command: CHECK, told: ".ignore" },
    Reader { file: "in/sub/.gitignore", beside: &[], command: CHECK, told: "sub/.gitignore" },
    Reader { file: "in/.git/info/exclude", beside: &[], command: CHECK, told: "info/exclude" },
    Reader { file: "in/nbc.toml", beside: &[], command: CHECK, told: "nbc.toml" },
    Reader { file: "in/.nbc-secrets", beside: &[], command: BUILD, told: ".nbc-secrets" },
    Reader {
        file: "in/style.css",
        beside: &[("in/nbc.toml", "[theme]\ncss = 'style.css'")],
        command: BUILD,
        told: "style.css",
    },
    Reader {
        file: "in/t/document.html",
        beside: &[("in/nbc.toml", "[theme]\ntemplates = 't'")],
        command: &["build", "in", "-o", "out", "--trust-config"],
        told: "document.html",
    },
    Reader { file: "in/requirements.txt", beside: &[], command: LOCK, told: "requirements.txt" },
    Reader {
        file: "in/more.txt",
        beside: &[("in/requirements.txt", "six\n-r more.txt\n")],
        command: LOCK,
        told: "`in/requirements.txt`, line 2: cannot read `more.txt`",
    },
    Reader {
        file: "in/more.txt",
        beside: &[("in/requirements.txt", "six\n-c more.txt\n")],
        command: LOCK,
        told: "`in/requirements.txt`, line 2: cannot read `more.txt`",
    },
    Reader { file: "in/pyproject.toml", beside: &[], command: LOCK, told: "pyproject.toml" },
    Reader {
        file: "in/uv.lock",
        beside: &[("in/pyproject.toml", "[project]\nname = 'x'\nversion = '1'")],
        command: LOCK,
        told: "uv.lock",
    },
    Reader {
        file: "in/pyproject.toml",
        beside: &[("in/uv.lock", "version = 1")],
        command: LOCK,
        told: "pyproject.toml",
    },
    Reader { file: "in/pylock.toml", beside: &[], command: BUILD, told: "pylock.toml" },
    Reader { file: "in/named.ipynb", beside: &[], command: &["check", "in/named.ipynb"], told: "" },
];

struct Said {
    code: i32,
    text: String,
}

fn project() -> tempfile::TempDir {
    let outer = tempfile::tempdir().unwrap();
    std::fs::create_dir(outer.path().join("in")).unwrap();
    fs_err::write(outer.path().join("in/a.ipynb"), NOTEBOOK).unwrap();
    fs_err::write(outer.path().join("secret"), format!("{SECRET}\n")).unwrap();
    outer
}

/// Runs nbc; one that does not end in time, or takes more than a GiB, fails the test.
fn said(outer: &Path, arguments: &[&str]) -> Said {
    let mut command = Command::new("prlimit");
    command.arg("--data=2147483648").arg(test_support::nbc()).args(arguments);
    command.current_dir(outer).env("NBC_CACHE_DIR", outer.join("cache")).env("TOKEN", SECRET);
    // No index is asked: what would be is refused before.
    command
        .env("PIP_INDEX_URL", "http://127.0.0.1:9/")
        .env("UV_DEFAULT_INDEX", "http://127.0.0.1:9/");
    let out = fs_err::File::create(outer.join("said")).unwrap().into_parts().0;
    command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
    let mut child = command.spawn().unwrap();
    let code = wait(&mut child);
    Said { code, text: fs_err::read_to_string(outer.join("said")).unwrap() }
}

fn wait(child: &mut Child) -> i32 {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or(-1);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    -1
}

#[test]
fn every_reader_refuses_what_is_no_file_of_the_project() {
    for (idx, reader) in READERS.iter().enumerate() {
        for attack in ATTACKS {
            // A path that the user names may be a link.
            let is_link = matches!(attack, Attack::LinkOut | Attack::LinkAbsolute);
            if reader.told.is_empty() && is_link {
                continue;
            }
            let outer = project();
            for (name, text) in reader.beside {
                fs_err::write(outer.path().join(name), text).unwrap();
            }
            attack.put(outer.path(), &outer.path().join(reader.file));
            let said = said(outer.path(), reader.command);
            let place = format!("{idx} {} {attack:?}: {} {}", reader.file, said.code, said.text);
            assert!(said.code == 1 || said.code == 2, "{place}");
            assert!(said.text.contains("error"), "{place}");
            assert!(said.text.contains(reader.told), "{place}");
            assert!(!said.text.contains(SECRET), "{place}");
            assert!(!outer.path().join("out").exists(), "{place}");
        }
    }
}

#[test]
fn requirements_include_nothing_from_elsewhere() {
    for include in [
        "/proc/self/environ",
        "../secret",
        "link",
        "sub/../../secret",
        "~/.netrc",
        "/dev/zero",
        ".",
    ] {
        let outer = project();
        symlink("../secret", outer.path().join("in/link")).unwrap();
        let text = format!("# ours\nsix\n-r {include}\n");
        fs_err::write(outer.path().join("in/requirements.txt"), text).unwrap();
        let said = said(outer.path(), LOCK);
        assert_eq!(said.code, 2, "{include}: {}", said.text);
        let told = format!("`in/requirements.txt`, line 3: cannot read `{include}`");
        assert!(said.text.contains(&told), "{include}: {}", said.text);
        assert!(!said.text.contains(SECRET), "{include}: {}", said.text);
        assert!(!outer.path().join("in/pylock.toml").exists());
    }
}

#[test]
fn a_line_that_is_no_package_is_told_by_its_number() {
    let outer = project();
    fs_err::write(outer.path().join("in/requirements.txt"), "-r more.txt").unwrap();
    for line in [
        "--index-url https://u:hunter2@h",
        "a @ file:///x.whl",
        "login me password hunter2",
        "sk-live-hunter2_value!!",
        "hunter2==1.0.whl",
        "hunter2.tar.gz",
        "a ; hunter2 == value",
        "machine=hunter2",
    ] {
        fs_err::write(outer.path().join("in/more.txt"), format!("six\\\n  ==1.0\n{line}\n"))
            .unwrap();
        let said = said(outer.path(), LOCK);
        assert_eq!(said.code, 2, "{line}: {}", said.text);
        assert!(said.text.contains("`in/more.txt`, line 3, is"), "{line}: {}", said.text);
        assert!(!said.text.contains("hunter2"), "{line}: {}", said.text);
        assert!(said.text.contains("help: list packages by name"), "{line}: {}", said.text);
    }
}

#[test]
fn no_reader_quotes_what_it_cannot_read() {
    let lock = "lock-version = '1.0'\n[[packages]]\n";
    for (file, text, command, told) in [
        (".nbc-secrets", "# ours\nroot:hunter2:0:0\n".to_owned(), BUILD, ".nbc-secrets`, line 2,"),
        (".nbc-secrets", "hunter2".to_owned(), CHECK, ".nbc-secrets`, line 1,"),
        ("nbc.toml", "\napi_key = 'hunter2'".to_owned(), CHECK, "nbc.toml` is not a valid configuration: line 2"),
        ("nbc.toml", "code = 'hunter2'".to_owned(), CHECK, "line 1, column 8: unknown value"),
        ("nbc.toml", "'hunter2 is it' = 1".to_owned(), CHECK, "line 1, column 1: unknown field, "),
        ("nbc.toml", "title = hunter2".to_owned(), CHECK, "line 1, column 9: "),
        ("nbc.toml", "[limits]\nmemory = 'hunter2'".to_owned(), CHECK, "line 2, column 10: "),
        ("nbc.toml", "allow-secret = ['hunter2']".to_owned(), CHECK, "entry number 1"),
        ("pyproject.toml", "[project]\ndependencies = ['six', 'is hunter2']".to_owned(), LOCK, "pyproject.toml`, line 2, is no requirement"),
        ("pyproject.toml", "hunter2".to_owned(), LOCK, "pyproject.toml` is not valid: line 1, column "),
        ("pyproject.toml", "project = 'hunter2'".to_owned(), LOCK, "pyproject.toml` is not valid: line 1, column "),
        ("pylock.toml", "hunter2".to_owned(), BUILD, "pylock.toml` is not valid: line 1, column "),
        ("pylock.toml", "lock-version = 'hunter2'".to_owned(), BUILD, "another than 1.0"),
        ("pylock.toml", format!("{lock}name = 'is hunter2'\nversion = '1'"), BUILD, "a name of a package in it"),
        ("pylock.toml", format!("{lock}name = 'six'\nversion = 'is hunter2'"), BUILD, "the version of `six`"),
        ("pylock.toml", format!("{lock}name = 'six'\nmarker = 'is hunter2'"), BUILD, "a marker in it"),
        ("pylock.toml", format!("{lock}name = 'six'\nversion = '1'\nwheels = [{{path = '/hunter2', hashes = {{}}}}]"), BUILD, "`six` comes from a file"),
        ("b.py", "# /// script\n# x = hunter2\n# ///\nimport marimo\napp = marimo.App()\n".to_owned(), CHECK, "not valid TOML: line 2, column "),
        ("b.py", "# /// script\n# dependencies = ['six',\n#   'is hunter2']\n# ///\nimport marimo\napp = marimo.App()\n".to_owned(), LOCK, "b.py`, line 3 of its script header, is no"),
    ] {
        let outer = project();
        fs_err::write(outer.path().join("in").join(file), &text).unwrap();
        let said = said(outer.path(), command);
        let place = format!("{file} {text:?}: {} {}", said.code, said.text);
        assert!(said.code == 1 || said.code == 2, "{place}");
        assert!(said.text.contains(told), "{place}");
        // A finding about a notebook shows its line, which is what the notebook publishes, too.
        assert!(!said.text.contains("hunter2") || told.contains("TOML"), "{place}");
        assert!(!outer.path().join("out").exists(), "{place}");
    }
    // uv reads copies, and would show their lines.
    let outer = project();
    for (name, text) in
        [("uv.lock", "version = 1"), ("pyproject.toml", "[project]\nname = hunter2")]
    {
        fs_err::write(outer.path().join("in").join(name), text).unwrap();
    }
    let said = said(outer.path(), LOCK);
    assert_eq!(said.code, 2, "{}", said.text);
    assert!(said.text.contains("pyproject.toml` is not valid: line 2, column 8"), "{}", said.text);
    assert!(!said.text.contains("hunter2"), "{}", said.text);
}

#[test]
fn ignore_files_say_what_they_said() {
    let outer = project();
    let put = |name: &str, text: &str| {
        let path = outer.path().join("in").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    };
    for name in [
        "b.ipynb",
        "c.ipynb",
        "d.ipynb",
        ".h.ipynb",
        ".seen.ipynb",
        "deep/b.ipynb",
        "deep/x.ipynb",
        "own/b.ipynb",
        "build/z.ipynb",
        "anchored.ipynb",
        "deep/anchored.ipynb",
        "e.ipynb",
        "__pycache__/p.ipynb",
    ] {
        put(name, NOTEBOOK);
    }
    put(".gitignore", "\u{feff}b.ipynb\nbuild/\n/anchored.ipynb\n!.seen.ipynb\nd.ipynb\n[z-a\n");
    put(".ignore", "c.ipynb\n!d.ipynb\n");
    put(".git/info/exclude", "e.ipynb\n");
    put("deep/.gitignore", "!b.ipynb\nx.ipynb\n");
    // A repository of its own: the lists of git above are not its.
    put("own/.git/HEAD", "");
    symlink("ignored", outer.path().join("in/deep/.ignore")).unwrap();
    put("deep/ignored", "anchored.ipynb\n!anchored.ipynb\n");
    symlink("a.ipynb", outer.path().join("in/link.ipynb")).unwrap();
    put("nbc.toml", "exclude = ['nothing.ipynb']");
    let said = said(outer.path(), &["graph", "in"]);
    assert_eq!(said.code, 0, "{}", said.text);
    let mut found: Vec<&str> = said
        .text
        .split(|it: char| it.is_whitespace() || "\"'`:,()".contains(it))
        .filter(|it| it.ends_with(".ipynb"))
        .filter_map(|it| it.strip_prefix("in/"))
        .collect();
    found.sort_unstable();
    found.dedup();
    let expected =
        [".seen.ipynb", "a.ipynb", "d.ipynb", "deep/anchored.ipynb", "deep/b.ipynb", "own/b.ipynb"];
    assert_eq!(found, expected, "{}", said.text);
}

/// Patterns that cost much to compile, and are hardly ever meant.
fn costly(number: usize) -> impl Iterator<Item = String> {
    (0..number).map(|idx| format!("**/a{idx}*/**/b*"))
}

#[test]
fn lists_of_patterns_are_bounded_before_they_are_compiled() {
    let ignored = || costly(100_000).map(|it| format!("{it}\n")).collect::<String>();
    let excluded = || format!("exclude = {:?}", costly(30_000).collect::<Vec<_>>());
    for (file, text, told) in [
        ("in/.gitignore", ignored(), ".gitignore`, line "),
        ("in/sub/.ignore", ignored(), "sub/.ignore`, line "),
        ("in/.git/info/exclude", ignored(), "exclude`, line "),
        ("in/nbc.toml", excluded(), "`exclude` (nbc.toml, `--exclude`) cannot be used"),
    ] {
        let outer = project();
        let path = outer.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
        let start = Instant::now();
        let said = said(outer.path(), CHECK);
        assert_eq!(said.code, 2, "{file}: {}", said.text);
        assert!(said.text.contains(told), "{file}: {}", said.text);
        assert!(said.text.contains("64 KiB of patterns with wildcards"), "{file}: {}", said.text);
        assert!(said.text.contains("help: name folders"), "{file}: {}", said.text);
        assert!(said.text.len() < 1000, "{file}: {}", said.text);
        assert!(start.elapsed() < Duration::from_secs(20), "{file}: {:?}", start.elapsed());
    }
    // A list of names is no danger.
    let outer = project();
    let names: String = (0..9_000).map(|idx| format!("data/file-{idx}.csv\n")).collect();
    fs_err::write(outer.path().join("in/.gitignore"), names).unwrap();
    assert_eq!(said(outer.path(), CHECK).code, 0);
}

#[test]
fn ignore_files_above_are_the_users_own_and_end_at_the_repository() {
    let outer = project();
    let pipe = outer.path().join(".gitignore");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs_err::create_dir(outer.path().join(".ignore")).unwrap();
    let found = said(outer.path(), CHECK);
    assert_eq!(found.code, 0, "{}", found.text);
    assert!(found.text.contains("warning: cannot read `"), "{}", found.text);
    assert!(found.text.contains("it is passed over"), "{}", found.text);
    fs_err::remove_file(&pipe).unwrap();
    fs_err::write(&pipe, "*\n").unwrap();
    assert_eq!(said(outer.path(), CHECK).code, 2, "a list of the user's own holds");
    if test_support::is_root() {
        std::os::unix::fs::chown(&pipe, Some(23_456), None).unwrap();
        let found = said(outer.path(), CHECK);
        assert_eq!(found.code, 0, "{}", found.text);
        assert!(found.text.contains("belongs to another user"), "{}", found.text);
        std::os::unix::fs::chown(&pipe, Some(0), None).unwrap();
    }
    std::fs::create_dir(outer.path().join("in/.git")).unwrap();
    let found = said(outer.path(), CHECK);
    assert_eq!(found.code, 0, "{}", found.text);
    assert!(!found.text.contains("passed over"), "{}", found.text);
}

#[test]
fn a_file_of_six_tebibytes_beside_a_notebook_is_not_read() {
    let outer = project();
    fs_err::File::create(outer.path().join("in/data.bin")).unwrap().set_len(6 << 40).unwrap();
    let start = Instant::now();
    let said = said(outer.path(), BUILD);
    // Whether notebooks can be run here or not, it ends.
    assert!([0, 2].contains(&said.code), "{}", said.text);
    assert!(start.elapsed() < Duration::from_secs(50), "{:?}", start.elapsed());
}

/// A GIF of one pixel, with a comment that no page may hold.
const COMMENTED: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xfe\x0aby hunter2\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

/// A notebook of one cell of prose.
fn prose(source: &str) -> String {
    let cells = serde_json::json!([{"cell_type": "markdown", "metadata": {}, "source": source}]);
    serde_json::json!({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
        .to_string()
}

#[test]
fn pictures_beside_a_notebook_are_on_its_page() {
    let outer = project();
    let folder = outer.path().join("in");
    std::fs::create_dir_all(folder.join("sub/img")).unwrap();
    for name in ["a b.gif", "sub/img/c.gif", "sub/d.gif"] {
        fs_err::write(folder.join(name), COMMENTED).unwrap();
    }
    fs_err::write(
        folder.join("sub/e.svg"),
        "<svg width='5' height='4'><script>x</script><path d='M0 0'/></svg>",
    )
    .unwrap();
    fs_err::write(folder.join("sub/f.wav"), b"RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x04\0\0\0\x80\x80\x80\x80").unwrap();
    let text = "# Pictures\n\n![up](../a%20b.gif \"title\")\n\n![root](</a b.gif>)\n\n![q](img/c.gif?raw=true)\n\n\
        ![back](img\\c.gif)\n\n<center><img src='./d.gif' width='200' height=80 alt='own' style='width:50%'></center>\n\n\
        ![r]\n\n![drawn](e.svg)\n\n<audio controls src='f.wav'></audio>\n\n\
        <audio><source src='f.wav' type='audio/wav'></audio>\n\n[r]: d.gif";
    fs_err::write(folder.join("sub/n.ipynb"), prose(text)).unwrap();
    let build = |layout: &str| {
        let said = said(
            outer.path(),
            &["build", "in", "-o", "out", "--layout", layout, "--execute", "never"],
        );
        assert!(said.code == 0 && !said.text.contains("NBC410"), "{}", said.text);
        assert_eq!(self::said(outer.path(), &["verify", "out"]).code, 0);
        fs_err::read_to_string(outer.path().join("out/sub/n.html")).unwrap()
    };
    let page = build("site");
    let files = |page: &str| page.matches("src=\"../assets/").count();
    assert_eq!(files(&page), 9, "{page}");
    assert_eq!(page.matches("<img ").count(), 7, "{page}");
    let own = page.split("<img ").find(|it| it.contains("alt=\"own\"")).unwrap();
    assert!(own.contains(" width=\"200\"") && own.contains(" height=\"80\""), "{own}");
    assert!(page.contains("title=\"title\""), "{page}");
    assert!(page.contains("src=\"data:image/svg+xml;base64,"), "{page}");
    assert!(
        page.contains("media-src &#39;self&#39; data:;") && !page.contains("data-file"),
        "{page}"
    );
    let names = std::fs::read_dir(outer.path().join("out/assets")).unwrap();
    let names: Vec<_> = names
        .map(|it| it.unwrap())
        .filter(|it| {
            let bytes = fs_err::read(it.path()).unwrap();
            assert!(!bytes.windows(7).any(|it| it == b"hunter2"));
            !["css", "js"].iter().any(|end| it.path().extension().is_some_and(|it| it == *end))
        })
        .collect();
    // One content, one file for each name.
    assert_eq!(names.len(), 4, "{names:?}");
    let page = build("single");
    assert_eq!((files(&page), page.matches("data:image/gif;base64,").count()), (0, 6), "{page}");
    assert!(page.contains("media-src data:;") && !page.contains("data-file"), "{page}");
}

#[test]
fn a_picture_that_is_none_is_told_with_its_path_and_line() {
    let outer = project();
    let folder = outer.path().join("in");
    symlink("../secret", folder.join("link.png")).unwrap();
    symlink("/dev/zero", folder.join("zero.png")).unwrap();
    symlink(".", folder.join("loop")).unwrap();
    assert!(Command::new("mkfifo").arg(folder.join("pipe.png")).status().unwrap().success());
    std::fs::File::create(folder.join("huge.png")).unwrap().set_len(1 << 40).unwrap();
    // A page of HTML, and a picture of 40,000 times 40,000 pixels in 60 bytes.
    fs_err::write(folder.join("lie.png"), "<html><script>alert(1)</script>").unwrap();
    let bomb = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x9c\x40\0\0\x9c\x40\x08\0\0\0\0\0\0\0\0";
    fs_err::write(folder.join("bomb.png"), bomb).unwrap();
    fs_err::write(folder.join("kind.png"), COMMENTED).unwrap();
    let paths = [
        ("none.png", "no such file"),
        ("../secret", "leads out of the folder"),
        ("link.png", "leads out of the folder"),
        ("zero.png", "leads out of the folder"),
        ("loop/loop/../../../secret", "leads out of the folder"),
        ("pipe.png", "no regular file"),
        ("huge.png", "larger than 32 MiB"),
        ("lie.png", "no PNG, JPEG, GIF, WebP or SVG image"),
        ("bomb.png", "more pixels than a page may show"),
        (".netrc", "credentials"),
        ("kind.png", "is a GIF image by its content"),
    ];
    let lines = paths.iter().map(|(path, _)| format!("\n![x]({path})\n"));
    fs_err::write(folder.join("a.ipynb"), prose(&lines.collect::<String>())).unwrap();
    let said = said(outer.path(), &["build", "in", "-o", "out", "--format", "concise"]);
    assert_eq!(said.code, 0, "{}", said.text);
    for (idx, (path, reason)) in paths.iter().enumerate() {
        let told = said.text.lines().find(|it| it.contains(&format!("`{path}`")));
        let told = told.unwrap_or_else(|| panic!("{path}: {}", said.text));
        let line = 2 * idx + 2;
        assert!(told.contains(reason) && told.contains("NBC410"), "{told}");
        assert!(told.contains(&format!("a.ipynb:cell 1:{line}:6")), "{told}");
    }
    assert!(!said.text.contains(SECRET), "{}", said.text);
    let page = fs_err::read_to_string(outer.path().join("out/a.html")).unwrap();
    assert_eq!(page.matches("<img ").count(), 1, "{page}");
}
