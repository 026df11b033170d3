//! Files of each kind, and those that are none, as links name them.

use super::archive::tests::zip;
use super::*;

/// A token of the form that a rule knows, in pieces, so that this file holds none.
fn token() -> Vec<u8> {
    ["token = \"gh", "p_", "x7Kq2LmZ9vRt4WnB8cYdJ5sHfGp3Aa1EuQ6o\""].concat().into_bytes()
}

struct Folder {
    directory: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.directory.path()).unwrap()
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }

    /// Each answer as a text.
    fn ask(&self, layout: Layout, addresses: &[&str]) -> Vec<String> {
        let (scanner, allowed) = (Scanner::default(), Allowed::default());
        let files = LinkedFiles::new(layout, &scanner, &allowed);
        let mut taken = Taken::default();
        let one =
            |address: &&str| match files.find((self.path(), "sub".into()), address, &mut taken) {
                LinkedFile::Missing => "missing".to_owned(),
                LinkedFile::Published { path, name } => format!("{} as {name}", path.as_str()),
                LinkedFile::Refused(refusal) => refusal.reason,
                LinkedFile::Leaked(leaks) => leaks.iter().map(|it| it.rule).collect(),
                LinkedFile::Exposed(name) => name,
            };
        let said = addresses.iter().map(one).collect();
        let held = files.into_files().unwrap();
        assert!(held.iter().all(|it| it.path().as_str().starts_with("assets/")));
        said
    }
}

#[test]
fn files_of_exactly_eleven_kinds_are_published_by_name_and_content() {
    let folder = Folder::new();
    let archive = zip(&[("a.txt", b"text")]);
    let notebook = br#"{"cells": [{"cell_type": "code", "source": "1", "outputs": [{"x": "shown"}]}], "metadata": {}}"#;
    for (name, bytes) in [
        ("sub/My data (1).csv", &b"a,b\n1,2\n"[..]),
        ("sub/a.tsv", b"a\tb"),
        ("sub/a.txt", b"text"),
        ("sub/a.json", b"{}"),
        ("sub/a.xlsx", &archive),
        ("sub/a.ods", &archive),
        ("sub/a.zip", &archive),
        ("sub/a.parquet", b"PAR1....PAR1"),
        ("sub/a.ipynb", notebook),
        ("sub/a.py", b"x = 1\n"),
        ("b.CSV", b"a"),
    ] {
        folder.put(name, bytes);
    }
    let said = folder.ask(
        Layout::Site,
        &[
            "My%20data%20(1).csv",
            "a.tsv",
            "a.txt",
            "a.json",
            "a.xlsx",
            "a.ods",
            "a.zip",
            "a.parquet",
            "a.ipynb",
            "a.py",
            "../b.CSV",
        ],
    );
    for (said, (start, end)) in said.iter().zip([
        ("assets/my-data-1.", ".csv as My data (1).csv"),
        ("assets/a.", ".tsv as a.tsv"),
        ("assets/a.", ".txt as a.txt"),
        ("assets/a.", ".json as a.json"),
        ("assets/a.", ".xlsx as a.xlsx"),
        ("assets/a.", ".ods as a.ods"),
        ("assets/a.", ".zip as a.zip"),
        ("assets/a.", ".parquet as a.parquet"),
        ("assets/a.", ".ipynb as a.ipynb"),
        ("assets/a.", ".py as a.py"),
        ("assets/b.", ".csv as b.CSV"),
    ]) {
        assert!(said.starts_with(start) && said.ends_with(end), "{said}");
    }
    // Outputs of a notebook that is no page may hold anything.
    let bytes = contents("ipynb", &Arc::from(&notebook[..])).unwrap();
    assert!(!String::from_utf8(bytes).unwrap().contains("shown"));
    let single = folder.ask(Layout::Single, &["a.csv", "a.txt"]);
    assert_eq!(single, ["missing", "a page that is one file has no others beside it"]);
}

#[test]
fn other_files_are_told_and_not_published() {
    let folder = Folder::new();
    let archive = zip(&[("a", &vec![0; 300 << 20]), ("b", &vec![0; 300 << 20])]);
    for (name, bytes) in [
        ("sub/a.docx", &archive[..]),
        ("sub/a.html", b"<script>"),
        ("sub/bomb.zip", &archive),
        ("sub/page.pdf", b"<html>"),
        ("sub/program.csv", b"MZ\x90\0\x03"),
        ("sub/page.xlsx", b"<html>"),
        ("sub/half.parquet", b"PAR1"),
        ("sub/front.txt", b"---\npermalink: /x.html\n---\n"),
        ("sub/.env", b"x=1"),
        ("sub/bad.py", b"\xff\xfe\xff"),
        ("sub/real.csv", b"a"),
    ] {
        folder.put(name, bytes);
    }
    let huge = folder.path().join("sub/huge.csv");
    fs_err::File::create(huge).unwrap().set_len(1 << 30).unwrap();
    #[cfg(unix)]
    for (target, link) in
        [("/etc/hostname", "out.csv"), (".env", "env.csv"), ("real.csv", "inner.csv")]
    {
        std::os::unix::fs::symlink(target, folder.path().join("sub").join(link)).unwrap();
    }
    for (address, reason) in [
        ("none.csv", "missing"),
        ("a.docx", ONLY),
        ("a.html", ONLY),
        ("bomb.zip", "unpacks to more than 512 MiB"),
        ("page.pdf", "another kind"),
        ("program.csv", "another kind"),
        ("page.xlsx", "another kind"),
        ("half.parquet", "another kind"),
        ("bad.py", "another kind"),
        ("front.txt", "first line is `---`"),
        ("huge.csv", "larger than 50 MiB"),
        ("../../up.csv", "leads out of the folder"),
        ("out.csv", "leads out of the folder"),
        ("env.csv", "it is a link"),
        ("inner.csv", "it is a link"),
        (".env", "missing"),
    ] {
        let said = folder.ask(Layout::Site, &[address]);
        assert!(said.first().is_some_and(|it| it.contains(reason)), "{address}: {said:?}");
    }
}

#[test]
fn secrets_in_files_are_found_member_by_member() {
    let folder = Folder::new();
    let token = token();
    let inner = zip(&[("deep/config.txt", &token)]);
    let outer = zip(&[("a.txt", b"plain"), ("in.zip", &inner)]);
    let wide: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(token.iter().flat_map(|it| [*it, 0])).collect();
    let text = String::from_utf8(token.clone()).unwrap();
    let escaped = format!(r#"{{"a": "{}"}}"#, text.replace("gh", r"\u0067h").replace('"', "'"));
    let runs = text.replace("p_", "<t>p_</t></r><r><t>");
    let runs = zip(&[("s.xml", format!("<si><r><t>{runs}</t></r></si>").as_bytes())]);
    let digits: String = token.iter().map(|it| format!("{it:02x}")).collect();
    let pdf = format!("%PDF-1.4\n1 0 obj <<>> stream\n{digits}>\nendstream\n%%EOF\n");
    for (name, bytes) in [
        ("sub/a.csv", &token),
        ("sub/a.xlsx", &inner),
        ("sub/a.zip", &outer),
        ("sub/wide.txt", &wide),
        ("sub/escaped.json", &escaped.into_bytes()),
        ("sub/runs.xlsx", &runs),
        ("sub/digits.pdf", &pdf.into_bytes()),
    ] {
        folder.put(name, bytes);
        let address = name.strip_prefix("sub/").unwrap();
        let said = folder.ask(Layout::Site, &[address]);
        assert!(said.first().is_some_and(|it| it.starts_with("github")), "{address}: {said:?}");
    }
    // A value that the build was given.
    let secret = secret::Secret::new("hunter2hunter2");
    let scanner = Scanner::new([("API", &secret)]).unwrap();
    let allowed = Allowed::default();
    folder.put("sub/b.zip", &zip(&[("a.txt", b"it is hunter2hunter2")]));
    let files = LinkedFiles::new(Layout::Site, &scanner, &allowed);
    let found = files.find((folder.path(), "sub".into()), "b.zip", &mut Taken::default());
    assert!(matches!(found, LinkedFile::Exposed(name) if name == "API"));
}

#[test]
fn a_site_has_at_most_500_mib_of_files() {
    let folder = Folder::new();
    folder.put("sub/a.txt", b"four");
    folder.put("sub/b.txt", b"five.");
    let (scanner, allowed) = (Scanner::default(), Allowed::default());
    for (names, is_published) in [(&["a.txt", "a.txt"][..], true), (&["b.txt"], false)] {
        let files = LinkedFiles::new(Layout::Site, &scanner, &allowed);
        files.state().bytes = MOST_OF_SITE - 4;
        for name in names {
            files.find((folder.path(), "sub".into()), name, &mut Taken::default());
        }
        assert_eq!(files.into_files().is_ok(), is_published);
    }
}
