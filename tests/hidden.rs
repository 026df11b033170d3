//! Credentials beside a notebook, and beside the interpreter that runs it, do not exist for the run.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests start the real binary, and a failed step is a failed test"
)]

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use test_support::{NbcTest, is_root, python, said};

const SECRET: &str = "token-of-the-host";
/// Prints every file below the working folder and below the interpreter that holds the secret or can't be read, as
/// bytes and by changing what keeps it away.
const SEARCH: &str = r#"# %%
import os, sys, json, ssl, ctypes
def look(top):
    for folder, folders, files in os.walk(os.fsencode(top)):
        for name in folders:
            try:
                os.chmod(os.path.join(folder, name), 0o755)
            except OSError:
                pass
        for name in files:
            try:
                with open(os.path.join(folder, name), "rb") as file:
                    text = file.read(4096)
            except OSError:
                continue
            if b"token-of" + b"-the-host" in text:
                print("found", os.path.join(folder, name))
            if b"honest" + b" data" in text:
                print("honest", name)
for top in [".", sys.prefix, sys.base_prefix]:
    if not top.startswith("/usr"):
        look(top)
for path in [b"locked/id_rsa", b"caf\xe9/.env"]:
    try:
        os.chmod(os.path.dirname(path), 0o755)
        print("found" if b"-the-host" in open(path, "rb").read() else "no", path)
    except OSError as error:
        print("not there", path)
print("looked", "everywhere")
"#;

/// A notebook that searches, with files beside it.
struct Beside(NbcTest);

impl std::ops::Deref for Beside {
    type Target = NbcTest;

    fn deref(&self) -> &NbcTest {
        &self.0
    }
}

impl Beside {
    fn new(names: &[&[u8]]) -> Self {
        let test = NbcTest::new(&[("nb.py", SEARCH), ("data.csv", "honest data")]);
        test.open_to_all();
        for name in names {
            test.write(OsStr::from_bytes(name), SECRET);
        }
        Self(test)
    }

    /// Names of files need not be UTF-8.
    fn write(&self, name: &[u8], text: &str) {
        self.0.write(OsStr::from_bytes(name), text);
    }

    fn nbc(&self, notebook: &str, python: &str, site: &Path) -> Command {
        let mut command = self.0.nbc(&["build", notebook, "--python", python, "-o"]);
        command.arg(site);
        command
    }

    /// The page of a notebook.
    fn page(&self, notebook: &str, python: &str, more: &[&str]) -> String {
        let out = tempfile::tempdir().unwrap();
        let site = out.path().join("site");
        let said = said(self.nbc(notebook, python, &site).args(more));
        assert_eq!(said.code, 0, "{}", said.stderr);
        page_in(&site)
    }
}

fn page_in(site: &Path) -> String {
    let pages: Vec<PathBuf> = fs_err::read_dir(site)
        .unwrap()
        .map(|it| it.unwrap().path())
        .filter(|it| it.extension().is_some_and(|it| it == "html"))
        .filter(|it| it.file_name().is_some_and(|it| it != "404.html"))
        .collect();
    let texts: Vec<String> = pages.iter().map(|it| fs_err::read_to_string(it).unwrap()).collect();
    texts.join("\n")
}

fn assert_nothing_found(page: &str) {
    assert!(page.contains("looked everywhere"), "{page}");
    assert!(!page.contains("found "), "{page}");
}

#[test]
fn an_environment_in_the_projects_own_folder_shows_no_credentials() {
    let test = Beside::new(&[
        b".env",
        b".git/config",
        b"id_rsa",
        b"pip.conf",
        b"bin/.netrc",
        b"lib/.env",
        b"share/keyrings/login",
        b"etc/pip.conf",
    ]);
    let made = Command::new(python())
        .args(["-m", "venv", "--without-pip", "."])
        .current_dir(test.folder.path())
        .status()
        .unwrap();
    assert!(made.success());
    for level in ["strict", "best-effort"] {
        let page = test.page("nb.py", "bin/python", &["--isolation", level]);
        assert_nothing_found(&page);
        assert!(page.contains("honest"), "{page}");
    }
}

#[test]
fn names_of_any_bytes_and_copies_are_hidden() {
    let test = Beside::new(&[
        b"caf\xe9/.env",
        b".ssh\xff/k",
        b"deep/caf\xe9/\xff/server.key",
        b"secrets.toml~",
        b".netrc.bak",
        b"deep/kaggle.json.orig",
    ]);
    test.write(b"caf\xe9/\xe9.csv", "honest data");
    let page = test.page("nb.py", &python(), &[]);
    assert_nothing_found(&page);
    assert_eq!(page.matches("honest b").count(), 2, "{page}");
}

#[test]
fn a_folder_that_cannot_be_listed_is_hidden_as_a_whole() {
    const USER: u32 = 23_457;
    if !is_root() {
        eprintln!("not run: root starts it as another user");
        return;
    }
    // One that every user may start; it needs no packages.
    let python = "/usr/bin/python3";
    if !Path::new(python).exists() {
        eprintln!("not run: there is no {python}");
        return;
    }
    let test = Beside::new(&[b"locked/id_rsa", b"blind/.env"]);
    fs_err::create_dir(test.path("home")).unwrap();
    let own = ["locked/id_rsa", "locked", "blind/.env", "blind", "home", "nb.py", "data.csv", ""];
    for name in own {
        chown(test.path(name), Some(USER), Some(USER)).unwrap();
    }
    fs_err::set_permissions(test.path("locked"), Permissions::from_mode(0o311)).unwrap();
    fs_err::set_permissions(test.path("blind"), Permissions::from_mode(0o444)).unwrap();
    let mut command = test.nbc("nb.py", python, &test.path("site"));
    command.env("HOME", test.path("home")).env_remove("NBC_CACHE_DIR");
    std::os::unix::process::CommandExt::uid(&mut command, USER);
    std::os::unix::process::CommandExt::gid(&mut command, USER);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let page = page_in(&test.path("site"));
    assert_nothing_found(&page);
    assert!(page.contains("not there b"), "{page}");
}

#[test]
fn a_notebook_among_credentials_sees_itself_alone() {
    let test = Beside::new(&[b".kube/config", b".kube/deep/token-file"]);
    test.write(b".kube/nb.py", SEARCH);
    test.write(b".gitignore", "!.kube\n");
    fs_err::write(test.path("index.md"), "# Index").unwrap();
    let page = test.page(".kube/nb.py", &python(), &[]);
    assert_nothing_found(&page);
    // Nor does a foreign ignore file lead there.
    let out = tempfile::tempdir().unwrap();
    let site = out.path().join("site");
    let output = test.nbc(".", &python(), &site).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(site.join("nb.html").exists() && !site.join(".kube").exists());
}

#[test]
fn a_run_that_misses_a_hidden_name_is_told_the_name_and_the_way_out() {
    let test = Beside::new(&[]);
    for name in [
        "secrets.toml",
        "client_secret_1.json",
        ".app/data.csv",
        "deep/.app/more/data.csv",
        ".settings",
        "it's/server.key",
    ] {
        test.write(name.as_bytes(), "honest data");
    }
    let inputs = |text: &str| {
        let header = text.split_once("`inputs = ").and_then(|(_, it)| it.split_once('`'))?;
        Some(format!("# /// script\n# [tool.nbc]\n# inputs = {}\n# ///\n", header.0))
    };
    let said = |more: &[&str]| {
        let out = tempfile::tempdir().unwrap();
        let site = out.path().join("site");
        let output = test.nbc("nb.py", &python(), &site).args(more).output().unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).replace("\n          ", " "),
        )
    };
    for (opened, name, is_dot) in [
        ("secrets.toml", "secrets.toml", false),
        ("./client_secret_1.json", "client_secret_1.json", false),
        ("/nb/secrets.toml", "secrets.toml", false),
        ("it's/server.key", "server.key", false),
        (".app/data.csv", ".app", true),
        ("deep/.app/more/data.csv", ".app", true),
        (".settings", ".settings", true),
    ] {
        let code = format!("# %%\nprint(open({opened:?}).read())\n");
        test.write(b"nb.py", &code);
        for level in ["strict", "best-effort"] {
            let (is_built, text) = said(&["--isolation", level]);
            assert!(!is_built && text.contains("NBC301"), "{opened}: {text}");
            assert!(text.contains(&format!("`{name}` is hidden from the run")), "{opened}: {text}");
            assert!(text.contains("`--read PATH`"), "{opened}: {text}");
            assert_eq!(text.contains("`inputs`"), is_dot, "{opened}: {text}");
        }
        // Each way out is one.
        let path = opened.strip_prefix("/nb/").unwrap_or(opened);
        let (is_built, text) = said(&["--read", path]);
        assert!(is_built, "{opened}: {text}");
        if is_dot {
            let (_, text) = said(&[]);
            let header = inputs(&text).unwrap();
            test.write(b"nb.py", &format!("{header}{code}"));
            let (is_built, text) = said(&[]);
            assert!(is_built, "{opened}: {header} {text}");
        }
    }
    // A missing file with another name is only missing.
    test.write(b"nb.py", "# %%\nprint(open('data2.csv').read())\n");
    let (_, text) = said(&[]);
    assert!(text.contains("NBC301") && !text.contains("is hidden"), "{text}");
}

#[test]
fn a_run_that_misses_another_notebook_is_told_why() {
    let test = Beside::new(&[]);
    test.write(
        b"other.ipynb",
        "{\"cells\": [], \"metadata\": {}, \"nbformat\": 4, \"nbformat_minor\": 4}",
    );
    test.write(b"nbc.toml", "# nothing\n");
    for (code, name, words) in [
        ("open('other' + '.ip' + 'ynb')", "other.ipynb", "`inputs` names"),
        ("open('nbc.toml')", "nbc.toml", "only nbc and installers read it"),
    ] {
        test.write(b"nb.py", &format!("# %%\n{code}\n"));
        let out = tempfile::tempdir().unwrap();
        let output = test.nbc("nb.py", &python(), &out.path().join("site")).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).replace("\n          ", " ");
        assert!(text.contains("NBC301") && text.contains(&format!("`{name}` is ")), "{text}");
        assert!(text.contains(words), "{text}");
        // The way out is one.
        let more = ["--read", name];
        let output =
            test.nbc("nb.py", &python(), &out.path().join("site")).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    test.write(b"nb.py", "# %%\nopen('other.ipynb')\n");
    test.page("nb.py", &python(), &[]);
}

#[test]
fn a_login_that_appears_during_the_run_is_not_there() {
    let test = Beside::new(&[]);
    // The look at a name that is not there yet may be kept, so that there is one.
    let wait = "# %%\nimport os, time\ntime.sleep(12)\nprint('late', os.path.exists('late.txt'))\n\
                for name in ['.env', '.netrc', 'kaggle.json', '.git/config']:\n\
                \x20   print(name, os.path.exists(name))\n\
                os.mkdir('.ssh')\nprint('made', os.path.isdir('.ssh'))\n";
    test.write(b"nb.py", wait);
    let folder = test.folder.path().to_owned();
    let writer = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_secs(6));
        fs_err::create_dir(folder.join(".git")).unwrap();
        for name in [".env", ".netrc", "kaggle.json", ".git/config", "late.txt"] {
            fs_err::write(folder.join(name), SECRET).unwrap();
        }
    });
    let page = test.page("nb.py", &python(), &[]);
    writer.join().unwrap();
    assert!(page.contains("late True"), "{page}");
    for name in [".env", ".netrc", "kaggle.json", ".git/config"] {
        assert!(page.contains(&format!("{name} False")), "{page}");
    }
    assert!(page.contains("made True"), "{page}");
}
