//! Hosts, files, variables and secrets that the user opens for a run, end to end, with a real notebook.
//!
//! Runs use the interpreter of `NBC_TEST_PYTHON`, which `tests/run.sh` makes; see CONTRIBUTING.md.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "tests start the real binary, and a failed step is a failed test"
)]

use std::io::{Read as _, Write as _};
use std::process::Command;

use camino::Utf8PathBuf;
use test_support::{NbcTest, Said, marimo, nbc, said};

const VALUE: &str = "correct-horse<battery>&\"staple\"";

/// A folder `project` with a notebook in it, in a folder of its own.
struct Project {
    test: NbcTest,
    root: Utf8PathBuf,
    notebook: String,
}

impl Project {
    /// A marimo notebook with these cells.
    fn new(cells: &[&str]) -> Self {
        let test = NbcTest::new(&[("project/notebook.py", &marimo(cells))]);
        let root = test.folder.path().canonicalize().unwrap();
        let root = Utf8PathBuf::from_path_buf(root).unwrap();
        Self { test, root, notebook: "notebook.py".to_owned() }
    }

    fn write(&self, name: &str, text: &str) {
        self.test.write(name, text);
    }

    fn build(&self, flags: &[&str]) -> Said {
        let mut command = self.command(&["--layout", "single"]);
        let said = said(command.args(flags).env("TOKEN", VALUE).env("PIN", "1234"));
        assert!(!said.stderr.contains(VALUE), "{}", said.stderr);
        assert!(!said.stderr.contains("correct-horse"), "{}", said.stderr);
        assert!(said.stdout.is_empty());
        said
    }

    /// A build of the notebook in its own folder.
    fn command(&self, flags: &[&str]) -> Command {
        let mut command = self.test.command(&["build", self.notebook.as_str()]);
        command.args(flags).current_dir(self.root.join("project"));
        command
    }

    /// The part of standard output that the page shows.
    fn page(&self) -> String {
        let page = fs_err::read_to_string(self.root.join("project/site/notebook.html")).unwrap();
        let printed = page.split_once("aria-label=\"Output\">").map_or("", |it| it.1);
        let printed = printed.split_once("</pre>").map_or("", |it| it.0);
        printed.replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">")
    }

    fn manifest(&self) -> serde_json::Value {
        let path = self.root.join("project/site/manifest.json");
        serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
    }

    /// Builds without a finding; gives the page.
    fn built(&self, flags: &[&str]) -> String {
        let said = self.build(flags);
        assert_eq!(said.code, 0, "{}", said.stderr);
        let verified = Command::new(nbc())
            .args(["verify", "site"])
            .current_dir(self.root.join("project"))
            .status()
            .unwrap();
        assert!(verified.success());
        self.page()
    }
}

#[test]
fn a_granted_path_is_there_to_be_read_only() {
    let project = Project::new(&["\
import os
_all = [open('../data/table.csv').read(), open(os.environ['PLACE']).read(), open('local/x').read()]
for _path in ['../data/table.csv', '../data/new', 'local/x']:
    try:
        open(_path, 'a').write('changed')
    except OSError as _error:
        _all.append(_error.strerror)
print(_all)"]);
    project.write("data/table.csv", "one");
    project.write("project/local/x", "two");
    let place = project.root.join("data/table.csv");
    fs_err::hard_link(&place, project.root.join("data/hard")).unwrap();
    std::os::unix::fs::symlink("/etc/shadow", project.root.join("data/out")).unwrap();
    // The variable is only a way to tell the notebook where the folder is on the host.
    let text = fs_err::read_to_string(project.root.join("project/notebook.py")).unwrap();
    let text = text.replace("os.environ['PLACE']", &format!("'{place}'"));
    project.write("project/notebook.py", &text);
    let page = project.built(&["--read", "../data", "--read", "local"]);
    let plain = "['one', 'one', 'two', 'Read-only file system', 'Read-only file system', 'Read-only file system']";
    assert!(page.contains(plain), "{page}");
    assert_eq!(fs_err::read_to_string(place).unwrap(), "one");
}

#[test]
fn nothing_else_is_there() {
    let probe = "\
import os
_found = []
for _path in ['../data/table.csv', '../data/out', '../other', '.git/config', '.env', '.env.local', 'site', '.site.nbc-lock',
              '.aws', '/run/secrets', '/etc/ssl/certs']:
    if os.path.exists(_path):
        _found.append(_path)
os.makedirs('.git/objects')
print('found', _found, os.listdir('.git'), sorted(os.listdir('.')))";
    let project = Project::new(&[probe]);
    for name in [
        "project/.git/config",
        "project/.env",
        "project/.env.local",
        "project/.aws/key",
        "data/table.csv",
    ] {
        project.write(name, "x");
    }
    project.write("other", "x");
    std::os::unix::fs::symlink("../other", project.root.join("data/out")).unwrap();
    let page = project.built(&[]);
    assert!(page.contains("found [] ['objects'] ['.git', 'notebook.py']"), "{page}");
    // The earlier site is there by now.
    let page = project.built(&["--read", "../data"]);
    assert!(
        page.contains("found ['../data/table.csv'] ['objects'] ['.git', 'notebook.py']"),
        "{page}"
    );
    assert!(project.root.join("project/.git/config").exists());
    assert!(!project.root.join("project/.git/objects").exists());
}

#[test]
fn credentials_at_every_depth_do_not_exist_for_the_run() {
    let probe = "\
import os
_found = []
for _folder, _, _names in os.walk('.'):
    _found += [os.path.join(_folder, _name) for _name in _names]
for _path in ['data/alias', 'data/.cache/x', 'data/deep/tls.pem']:
    _found += ['at ' + _path] if os.path.exists(_path) else []
open('data/deep/new.csv', 'w').write('written')
print('found', sorted(_found), open('data/deep/new.csv').read())";
    let project = Project::new(&[probe]);
    let secret = [
        "data/deep/tls.pem",
        "data/deep/ID_RSA",
        "data/.cache/x",
        "data/secrets.toml",
        "dbt/profiles.yml",
        "data/credentials.json",
        ".streamlit/config.toml",
        "data/.Renviron",
        "a.tfstate",
    ];
    for name in secret {
        project.write(&format!("project/{name}"), "token-of-the-host");
    }
    project.write("project/data/deep/a.csv", "1");
    std::os::unix::fs::symlink("deep/tls.pem", project.root.join("project/data/alias")).unwrap();
    let seen = |more: &str| {
        format!(
            "found [{more}&#x27;./data/alias&#x27;, &#x27;./data/deep/a.csv&#x27;, &#x27;./notebook.py&#x27;] written"
        )
    };
    let plain = |page: &str| page.replace("&#x27;", "'").replace("&#39;", "'");
    let page = plain(&project.built(&[]));
    assert!(page.contains(&plain(&seen(""))), "{page}");
    // Only what `inputs` spell, and never a credential; `--read` shows what it names.
    project.write("project/nbc.toml", "inputs = ['*', '.streamlit/', 'data/secrets.toml']");
    let page = plain(&project.built(&[]));
    assert!(
        page.contains("./.streamlit/config.toml") && !page.contains("./data/secrets.toml"),
        "{page}"
    );
    let page = plain(&project.built(&["--read", "data/secrets.toml", "--read", "data/.cache"]));
    assert!(page.contains("./data/secrets.toml") && page.contains("./data/.cache/x"), "{page}");
    assert!(!page.contains("./data/deep/tls.pem"), "{page}");
}

#[test]
fn a_hidden_path_is_shown_when_it_is_named() {
    let project = Project::new(&[
        "import os\nprint('seen', open('.git/config').read(), os.path.exists('.git/HEAD'))",
    ]);
    project.write("project/.git/config", "kept");
    project.write("project/.git/HEAD", "x");
    assert!(project.built(&["--read", ".git"]).contains("seen kept True"));
    assert!(project.built(&["--read", ".git/config"]).contains("seen kept False"));
}

#[test]
fn a_path_that_cannot_be_shown_is_named() {
    let project = Project::new(&["1"]);
    std::os::unix::net::UnixListener::bind(project.root.join("socket")).unwrap();
    for (path, reason) in [
        ("../nowhere", "No such file"),
        ("../socket", "neither a folder nor a plain file"),
        ("/dev/null", "neither a folder nor a plain file"),
        ("/etc/hostname", "the system's folder `/etc`"),
        (".", "a folder of the sandbox"),
    ] {
        let said = project.build(&["--read", path]);
        assert_eq!(said.code, 2, "{}", said.stderr);
        assert!(said.stderr.contains(reason), "{path}: {}", said.stderr);
    }
}

#[test]
fn values_can_be_used_and_are_in_no_output() {
    let project = Project::new(&["\
import os
_token, _file = os.environ['TOKEN'], open('/run/secrets/key-1').read()
print('used', len(_token), len(_file), os.environ.get('PIN'), oct(os.stat('/run/secrets/key-1').st_mode))
try:
    open('/run/secrets/key-1', 'w')
except OSError as _error:
    print(_error.strerror)"]);
    project.write("key", "battery-staple\n");
    let page = project.built(&["--env", "TOKEN", "--secret", "key-1=../key", "--record", "runs"]);
    assert!(page.contains("used 31 15 None 0o100400"), "{page}");
    assert!(page.contains("Read-only file system"), "{page}");
    let granted = &project.manifest()["pages"][0]["granted"];
    assert_eq!(granted["variables"], serde_json::json!(["TOKEN"]));
    assert_eq!(granted["secrets"], serde_json::json!(["key-1"]));
    assert!(project.root.join("project/runs/notebook.run.json").exists());
}

#[test]
fn a_value_in_an_output_stops_the_page_in_every_form() {
    for form in [
        "print(_it)",
        "print(_it[:9], end=''); print(_it[9:])",
        "import html; print(html.escape(_it))",
        "import urllib.parse; print(urllib.parse.quote(_it, safe=''))",
        "import json; print(json.dumps(json.dumps(_it)))",
        "import base64; print(base64.b64encode(b'x' + _it.encode()).decode())",
        "import base64; print(base64.b64encode(b'xy' + _it.encode() + b'z').decode())",
        "import base64; print(base64.urlsafe_b64encode(_it.encode()).decode())",
        "print(_it.encode().hex())",
        "import marimo as _mo, html; _out = _mo.Html('<p title=\"' + html.escape(_it) + '\">x</p>'); _mo.output.append(_out)",
        "import marimo as _mo; _mo.output.append(_mo.Html('<svg xmlns=\"http://www.w3.org/2000/svg\"><text>' + _it.replace('&', '&amp;').replace('<', '&lt;') + '</text></svg>'))",
        "import marimo as _mo; _mo.output.append(_mo.tree({_it: 1}))",
        // The packed text of a picture.
        "import marimo as _mo, base64, struct, zlib
_chunk = lambda kind, data: struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
_parts = [(b'IHDR', struct.pack('>IIBBBBB', 1, 1, 8, 0, 0, 0, 0)), (b'zTXt', b'Comment\\0\\0' + zlib.compress(_it.encode())), (b'IDAT', zlib.compress(b'\\0\\0')), (b'IEND', b'')]
_png = bytes([137]) + b'PNG\\r\\n\\x1a\\n' + b''.join(_chunk(*part) for part in _parts)
_mo.output.append(_mo.Html('<img src=\"data:image/png;base64,' + base64.b64encode(_png).decode() + '\">'))",
    ] {
        let project =
            Project::new(&["1", &format!("import os; _it = os.environ['TOKEN']\n{form}")]);
        project.write("project/site/.keep", "");
        std::fs::remove_dir_all(project.root.join("project/site")).unwrap();
        let said = project.build(&["--env", "TOKEN", "--record", "runs"]);
        assert_eq!(said.code, 1, "{form}: {}", said.stderr);
        let message = "error[NBC407]: an output of cell 2 holds the value of `TOKEN`";
        assert!(said.stderr.contains(message), "{form}: {}", said.stderr);
        assert!(!project.root.join("project/site").exists());
        assert!(!project.root.join("project/runs/notebook.run.json").exists(), "{form}");
    }
}

#[test]
fn a_value_in_code_or_title_stops_the_page() {
    let value = "plain-old-password";
    for (cell, flags) in [
        (format!("_password = '{value}'"), vec![]),
        (format!("import marimo as _mo\n_mo.md('# The {value}')"), vec![]),
        ("1".to_owned(), vec!["--title", value, "--layout", "site"]),
    ] {
        let project = Project::new(&[&cell]);
        project.write("key", value);
        // The last `--layout` counts.
        let flags: Vec<&str> = ["--secret", "key=../key"].into_iter().chain(flags).collect();
        let flags: Vec<&str> = flags.into_iter().collect();
        let said = project.build_raw(&flags);
        assert_ne!(said.code, 0, "{cell}: {}", said.stderr);
        assert!(said.stderr.contains("the value of `key`"), "{cell}: {}", said.stderr);
        assert!(!said.stderr.contains(value), "{cell}: {}", said.stderr);
        assert!(!project.root.join("project/site").exists());
    }
}

impl Project {
    /// Like [`Project::build`], without a layout.
    fn build_raw(&self, flags: &[&str]) -> Said {
        said(&mut self.command(flags))
    }
}

#[test]
fn a_value_in_an_error_is_masked_in_the_log() {
    let project =
        Project::new(&["import os\nraise ValueError('no ' + os.environ['TOKEN'] + ' here')"]);
    let said = project.build(&["--env", "TOKEN", "--record", "runs"]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("the cell raised `ValueError`: no *** here"), "{}", said.stderr);
    assert!(said.stderr.contains("  | ValueError: no *** here"), "{}", said.stderr);
    let record =
        fs_err::read_to_string(project.root.join("project/runs/notebook.run.json")).unwrap();
    assert!(!record.contains("correct-horse"), "{record}");
}

#[test]
fn a_value_on_the_console_is_masked_in_the_log() {
    let project = Project::new(&[
        "import os\nfor _fd in [1, 2, *range(100, 110)]:\n    try:\n        os.write(_fd, os.environ['TOKEN'].encode())\n    except OSError: pass\nos._exit(3)",
    ]);
    let said = project.build(&["--env", "TOKEN"]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("***"), "{}", said.stderr);
}

#[test]
fn what_cannot_be_granted_is_told_with_the_reason() {
    let project = Project::new(&["1"]);
    for (flags, reason) in [
        (["--env", "NO_SUCH_NAME"], "the variable is not set"),
        (["--env", "LD_PRELOAD"], "changes how programs are loaded"),
        (["--env", "PYTHONPATH"], "changes what Python runs"),
        (["--env", "PATH"], "the same pages everywhere"),
        (["--env", "HTTPS_PROXY"], "--allow-net"),
        (["--secret", "key=../no-such-file"], "no-such-file"),
        (["--secret", "../key=x"], "is no name for a secret"),
        (["--allow-net", "https://example.org/"], "names no host"),
        (["--allow-net", "*.example.org"], "wildcards are not known"),
    ] {
        let said = project.build(&flags);
        assert_eq!(said.code, 2, "{flags:?}: {}", said.stderr);
        assert!(said.stderr.contains(reason), "{flags:?}: {}", said.stderr);
    }
    let said = project.build(&["--env", "PIN"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("the value of `PIN` is too short"), "{}", said.stderr);
}

#[test]
fn what_a_configuration_asks_for_counts_only_when_trusted() {
    let project = Project::new(&[
        "import os\nprint('seen', open('../data/x').read(), 'TOKEN' in os.environ, 'http_proxy' in os.environ)",
    ]);
    project.write("data/x", "kept");
    project.write(
        "project/nbc.toml",
        "allow-net = [\"example.org\"]\nread = [\"../data\"]\nenv = [\"TOKEN\"]\n",
    );
    let said = project.build(&[]);
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("`nbc.toml` asks for the host `example.org`"), "{}", said.stderr);
    assert!(said.stderr.contains("--trust-config"), "{}", said.stderr);
    assert!(project.built(&["--trust-config"]).contains("seen kept True True"));
}

#[test]
fn an_interpreter_of_a_configuration_is_not_started() {
    use std::os::unix::fs::PermissionsExt as _;
    let project = Project::new(&["1"]);
    project.write("project/nbc.toml", "python = \"evil\"\n");
    project.write("project/evil", "#!/bin/sh\ntouch started\n");
    let evil = project.root.join("project/evil");
    fs_err::set_permissions(evil, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new(nbc())
        .args(["build", "notebook.py"])
        .current_dir(project.root.join("project"))
        .env_remove("NBC_PYTHON")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("`nbc.toml` asks for the interpreter"), "{stderr}");
    assert!(!project.root.join("project/started").exists());
}

#[test]
fn a_named_host_is_contacted_and_others_are_told() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let _ = stream.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\na,b\n1,2",
            );
        }
    });
    let cell = format!(
        "import urllib.request\n\
         _text = urllib.request.urlopen('http://localhost:{port}/table.csv').read()\n\
         try:\n    urllib.request.urlopen('https://example.org/')\n\
         except OSError as _error:\n    print('refused', _error)\n\
         print('got', _text)"
    );
    let project = Project::new(&[&cell]);
    let host = format!("localhost:{port}");
    let said = project.build(&["--allow-net", &host]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(project.page().contains("got b'a,b\\n1,2'"), "{}", project.page());
    assert!(project.page().contains("403 Forbidden"), "{}", project.page());
    assert!(said.stderr.contains(&format!("notebook.py: reached {host}")), "{}", said.stderr);
    let refused = "warning[NBC320]: the notebook may not reach `example.org:443`";
    assert!(said.stderr.contains(refused), "{}", said.stderr);
    assert!(said.stderr.contains("--allow-net example.org:443"), "{}", said.stderr);
    let granted = &project.manifest()["pages"][0]["granted"];
    assert_eq!(granted["contacted"], serde_json::json!([host]));
    let first = fs_err::read(project.root.join("project/site/manifest.json")).unwrap();
    assert_eq!(project.build(&["--allow-net", &host]).code, 0);
    assert_eq!(first, fs_err::read(project.root.join("project/site/manifest.json")).unwrap());
}
