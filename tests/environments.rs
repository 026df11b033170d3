//! Locks and environments, by uv and by pip, from an index on loopback whose packages would leave marks if
//! their code ran outside the sandbox.
//!
//! The index is `tests/environments/index.py`; see `tests/cli.rs` for `NBC_TEST_PYTHON`.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "tests start the real binary, and a failed step is a failed test"
)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use test_support::{jupyter, nbc, python};

const PASSWORD: &str = "p4ss-w0rd";

/// A folder of notebooks, an index beside it, and one of the two installers.
struct EnvironmentTest {
    folder: tempfile::TempDir,
    tool: Tool,
    index: Index,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Uv,
    Pip,
}

const TOOLS: [Tool; 2] = [Tool::Uv, Tool::Pip];

struct Index {
    process: Child,
    port: String,
}

impl Drop for Index {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

struct Said {
    code: i32,
    text: String,
}

impl EnvironmentTest {
    fn new(tool: Tool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["index", "tools", "in"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        if tool == Tool::Uv {
            let uv = Path::new(&python()).with_file_name("uv");
            assert!(uv.exists(), "{} is part of tests/requirements.txt", uv.display());
            std::os::unix::fs::symlink(uv, folder.path().join("tools/uv")).unwrap();
        }
        let index = Self::serve(folder.path());
        Self { folder, tool, index }
    }

    fn serve(folder: &Path) -> Index {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/environments/index.py");
        let mut process = Command::new(python())
            .arg(script)
            .arg(folder.join("index"))
            .arg(format!("user:{PASSWORD}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Index { process, port: port.trim().to_owned() }
    }

    /// The same index on another port; `newer` adds a release.
    fn serve_again(&mut self, newer: bool) {
        if newer {
            fs_err::write(self.path("index/newer"), "").unwrap();
        }
        self.index = Self::serve(self.folder.path());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs_err::read_to_string(self.path(name)).unwrap()
    }

    /// A Jupyter notebook whose header asks for packages.
    fn notebook(&self, name: &str, packages: &[&str], code: &str) {
        let header = format!("# /// script\n# dependencies = {packages:?}\n# ///\n{code}");
        fs_err::write(self.path(&format!("in/{name}.ipynb")), jupyter(&[&header])).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let url = format!("http://user:{PASSWORD}@127.0.0.1:{}/simple/", self.index.port);
        // pip is used where there is no uv.
        let path = std::env::var_os("PATH").unwrap();
        let folders = std::env::split_paths(&path).filter(|it| !it.join("uv").exists());
        let path = std::env::join_paths(folders).unwrap().into_string().unwrap();
        let mut command = Command::new(nbc());
        command.args(arguments).current_dir(self.folder.path());
        command.env_remove("NBC_PYTHON").env_remove("PIP_FIND_LINKS").env_remove("VIRTUAL_ENV");
        command.env("PATH", format!("{}:{path}", self.path("tools").display()));
        command.env("NBC_CACHE_DIR", self.path("cache")).env("UV_CACHE_DIR", self.path("uv"));
        command.env("PIP_CACHE_DIR", self.path("pip")).env("PIP_CONFIG_FILE", "/dev/null");
        command.env("PIP_INDEX_URL", &url).env("UV_DEFAULT_INDEX", &url);
        // Variables that a user may have set, and that would start the environment's interpreter.
        command.env("UV_COMPILE_BYTECODE", "1").env("PIP_COMPILE", "1");
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        said(&mut self.command(arguments))
    }

    /// No code of a package ran outside the sandbox.
    fn assert_nothing_ran(&self) {
        for mark in ["pth", "imported", "sitecustomize", "built"] {
            assert!(!self.path("index").join(mark).exists(), "{mark} with {:?}", self.tool);
        }
    }
}

fn said(command: &mut Command) -> Said {
    let said = test_support::said(command);
    Said { code: said.code, text: said.text() }
}

#[test]
fn a_lock_pins_what_is_built_until_it_is_upgraded() {
    for tool in TOOLS {
        let mut test = EnvironmentTest::new(tool);
        test.notebook("n.1", &["demo"], "import demo\nprint('demo', demo.version)");
        let locked = test.run(&["lock", "in"]);
        assert_eq!(locked.code, 0, "{tool:?}: {}", locked.text);
        let lock = test.read("in/pylock.n-1.toml");
        for part in [
            "created-by = \"nbc\"",
            "name = \"demo\"\nversion = \"2.0\"",
            "name = \"helper\"",
            "requirement = \"ipython>=8.12\"",
            "hashes = { sha256 = \"",
            &format!(
                "url = \"http://127.0.0.1:{}/files/demo-2.0-py3-none-any.whl\"",
                test.index.port
            ),
        ] {
            assert!(lock.contains(part), "{tool:?} lacks {part}: {lock}");
        }
        // pip sees one platform, and says so.
        let is_for_here =
            ["environments = [", "requires-python = \"==3."].map(|it| lock.contains(it));
        assert_eq!(is_for_here, [tool == Tool::Pip; 2], "{lock}");
        assert_eq!(test.run(&["lock", "in", "--check"]).code, 0);

        test.serve_again(true);
        let kept = test.run(&["lock", "in"]);
        assert_eq!(kept.code, 0, "{tool:?}: {}", kept.text);
        assert!(test.read("in/pylock.n-1.toml").contains("version = \"2.0\""));
        let built = test.run(&["build", "in/n.1.ipynb", "-o", "out"]);
        assert_eq!(built.code, 0, "{tool:?}: {}", built.text);
        assert!(!built.text.contains("no lock pins"), "{}", built.text);
        assert!(test.read("out/n.1.html").contains("demo 2.0"), "{tool:?}");
        let manifest = test.read("out/manifest.json");
        assert!(manifest.contains("demo==2.0") && manifest.contains("helper==3.0"), "{manifest}");

        assert_eq!(test.run(&["lock", "in", "--upgrade"]).code, 0);
        assert!(test.read("in/pylock.n-1.toml").contains("version = \"3.0\""), "{tool:?}");
        let built = test.run(&["build", "in/n.1.ipynb", "-o", "out"]);
        assert_eq!(built.code, 0, "{tool:?}: {}", built.text);
        assert!(test.read("out/n.1.html").contains("demo 3.0"), "{tool:?}");
    }
}

#[test]
fn a_locked_build_needs_no_network_the_second_time() {
    for tool in TOOLS {
        let mut test = EnvironmentTest::new(tool);
        test.notebook("n", &["demo==1.0"], "import demo\nprint('demo', demo.version)");
        assert_eq!(test.run(&["lock", "in"]).code, 0);
        assert_eq!(test.run(&["build", "in", "-o", "out"]).code, 0);
        test.index.process.kill().unwrap();
        test.index.process.wait().unwrap();
        let asked = test.read("index/requests.log");
        let again = test.run(&["build", "in", "-o", "out"]);
        assert_eq!(again.code, 0, "{tool:?}: {}", again.text);
        assert!(test.read("out/n.html").contains("demo 1.0"));
        assert_eq!(test.read("index/requests.log"), asked);
    }
}

#[test]
fn locks_that_can_be_made_are_made_and_all_others_are_told() {
    let test = EnvironmentTest::new(Tool::Uv);
    test.notebook("a", &["no-such-package-a==1.0"], "1");
    test.notebook("b", &["demo==1.0"], "1");
    test.notebook("c", &["no-such-package-c==1.0"], "1");
    test.notebook("d", &["not a requirement"], "1");
    let locked = test.run(&["lock", "in"]);
    assert_eq!(locked.code, 2, "{}", locked.text);
    assert!(locked.text.contains("locked: in/pylock.b.toml"), "{}", locked.text);
    for missing in ["no-such-package-a", "no-such-package-c", "`in/d.ipynb`, line 2"] {
        assert!(locked.text.contains(missing), "{missing}: {}", locked.text);
    }
    for (name, is_there) in [("a", false), ("b", true), ("c", false), ("d", false)] {
        assert_eq!(test.path(&format!("in/pylock.{name}.toml")).exists(), is_there, "{name}");
    }
    let checked = test.run(&["lock", "in", "--check"]);
    assert_eq!(checked.code, 2, "{}", checked.text);
    for said in ["`in/d.ipynb`, line 2", "pylock.a.toml", "pylock.c.toml", "write them with"] {
        assert!(checked.text.contains(said), "{said}: {}", checked.text);
    }
}

#[test]
fn a_lock_for_other_requirements_is_refused() {
    let test = EnvironmentTest::new(Tool::Uv);
    test.notebook("n", &["demo==1.0"], "1");
    let missing = test.run(&["lock", "in", "--check"]);
    assert_eq!(missing.code, 1, "{}", missing.text);
    assert!(missing.text.contains("is missing"), "{}", missing.text);
    assert_eq!(test.run(&["lock", "in"]).code, 0);
    test.notebook("n", &["demo==2.0"], "1");
    let stale = test.run(&["lock", "in", "--check"]);
    assert_eq!(stale.code, 1, "{}", stale.text);
    assert!(stale.text.contains("does not match"), "{}", stale.text);
    let built = test.run(&["build", "in", "-o", "out"]);
    assert_eq!(built.code, 2, "{}", built.text);
    assert!(
        built.text.contains("other requirements") && built.text.contains("help: lock them anew"),
        "{}",
        built.text
    );
    assert!(!test.path("out").exists());
}

#[test]
fn a_package_with_another_hash_is_refused() {
    for tool in TOOLS {
        let test = EnvironmentTest::new(tool);
        test.notebook("n", &["demo==1.0"], "1");
        assert_eq!(test.run(&["lock", "in"]).code, 0);
        let lock = test.read("in/pylock.n.toml");
        for (place, name) in [(0, "demo"), (2, "ipython")] {
            let hashes: Vec<usize> =
                lock.match_indices("sha256 = \"").map(|it| it.0 + 10).collect();
            let mut tampered = lock.clone();
            tampered.replace_range(hashes[place]..hashes[place] + 8, "00000000");
            fs_err::write(test.path("in/pylock.n.toml"), tampered).unwrap();
            let built = test.run(&["build", "in", "-o", "out"]);
            assert_eq!(built.code, 2, "{name} by {tool:?}: {}", built.text);
            assert!(
                built.text.to_lowercase().contains("hash"),
                "{name} by {tool:?}: {}",
                built.text
            );
            assert!(!test.path("out").exists());
        }
    }
}

#[test]
fn a_build_without_a_lock_warns_once_and_records_what_it_got() {
    let test = EnvironmentTest::new(Tool::Uv);
    test.notebook("a", &["demo"], "1");
    test.notebook("b", &["helper"], "1");
    test.notebook("c", &[], "1");
    let built = test.run(&["build", "in", "-o", "out"]);
    assert_eq!(built.code, 0, "{}", built.text);
    assert_eq!(built.text.matches("no lock pins").count(), 1, "{}", built.text);
    assert!(built.text.contains("`in/a.ipynb` and 1 other notebook"), "{}", built.text);
    assert!(built.text.contains("help: pin them with `nbc lock`"), "{}", built.text);
    assert!(test.read("out/manifest.json").contains("demo==2.0"));
    let alone = test.run(&["build", "in/c.ipynb", "-o", "alone"]);
    assert!(alone.code == 0 && !alone.text.contains("no lock"), "{}", alone.text);
}

#[test]
fn no_code_of_a_package_runs_outside_the_sandbox() {
    for tool in TOOLS {
        let test = EnvironmentTest::new(tool);
        test.notebook("n", &["trap"], "print('ran')");
        assert_eq!(test.run(&["lock", "in"]).code, 0);
        for _ in 0..2 {
            // The traps are set off by the run, where the marks cannot be made.
            let built = test.run(&["build", "in", "-o", "out"]);
            assert!(built.text.contains("running 1 cell"), "{tool:?}: {}", built.text);
        }
        test.assert_nothing_ran();
        let cache = test.path("cache/environments-1");
        let compiled = Command::new("find").arg(&cache).args(["-name", "trap.*.pyc"]).output();
        assert!(!compiled.unwrap().stdout.is_empty(), "{tool:?}");
    }
}

#[test]
fn a_package_that_would_have_to_be_built_is_refused() {
    for tool in TOOLS {
        let test = EnvironmentTest::new(tool);
        test.notebook("n", &["onlysource", "demo"], "1");
        for command in [["lock", "in", "--upgrade", "--color=never"], ["build", "in", "-o", "out"]]
        {
            let refused = test.run(&command);
            assert_eq!(refused.code, 2, "{tool:?}: {}", refused.text);
            assert!(
                refused
                    .text
                    .contains("`onlysource`, which the script header asks for, has no wheel")
                    && refused.text.contains("`--allow-build onlysource`"),
                "{tool:?}: {}",
                refused.text
            );
        }
        test.notebook("n", &["no-such-package"], "1");
        let refused = test.run(&["build", "in", "-o", "out"]);
        assert_eq!(refused.code, 2, "{tool:?}: {}", refused.text);
        assert!(!refused.text.contains("--allow-build"), "{tool:?}: {}", refused.text);
        assert!(refused.text.contains("no-such-package"), "{tool:?}: {}", refused.text);
        test.assert_nothing_ran();
    }
}

#[test]
fn credentials_of_an_index_stay_with_the_installer() {
    for tool in TOOLS {
        let test = EnvironmentTest::new(tool);
        let code = "print(open('/proc/self/environ').read())\nimport os\nprint(dict(os.environ))";
        test.notebook("n", &["demo"], code);
        let unlocked = test.run(&["build", "in", "-o", "out", "--record", "records"]);
        let locked = test.run(&["lock", "in"]);
        let built = test.run(&["build", "in", "-o", "out", "--record", "records"]);
        for said in [&unlocked, &locked, &built] {
            assert_eq!(said.code, 0, "{tool:?}: {}", said.text);
            assert!(!said.text.contains(PASSWORD), "{tool:?}: {}", said.text);
        }
        let found = Command::new("grep")
            .args(["-r", "-l", PASSWORD, "in", "out", "records", "cache"])
            .current_dir(test.folder.path())
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(found.stdout).unwrap(), "", "{tool:?}");

        // The index answers, but not with this package; then it is gone, and the tools print its address.
        test.notebook("n", &["no-such-package"], "1");
        let mut gone = test.command(&["lock", "in"]);
        let url = format!("http://user:{PASSWORD}@127.0.0.1:1/simple/");
        gone.env("PIP_INDEX_URL", &url).env("UV_DEFAULT_INDEX", &url).env("PIP_RETRIES", "0");
        gone.env("UV_HTTP_RETRIES", "0");
        for said in [test.run(&["lock", "in"]), said(&mut gone)] {
            assert_eq!(said.code, 2, "{tool:?}: {}", said.text);
            assert!(!said.text.contains(PASSWORD), "{tool:?}: {}", said.text);
        }
    }
}

#[test]
fn the_wait_for_another_build_ends_with_an_interrupt() {
    let test = EnvironmentTest::new(Tool::Uv);
    test.notebook("n", &["demo"], "1");
    assert_eq!(test.run(&["build", "in", "-o", "out"]).code, 0);
    let cache = test.path("cache/environments-1");
    let mut held = Vec::new();
    for entry in std::fs::read_dir(cache).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.extension().is_some_and(|it| it == "lock") {
            let file = fs_err::File::open(path).unwrap().into_parts().0;
            file.lock().unwrap();
            held.push(file);
        }
    }
    assert!(!held.is_empty());
    let mut build =
        test.command(&["build", "in", "-o", "out"]).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(800));
    assert_eq!(build.try_wait().unwrap(), None, "it waits");
    let start = Instant::now();
    Command::new("kill").args(["-INT", &build.id().to_string()]).status().unwrap();
    assert_eq!(build.wait().unwrap().code(), Some(130));
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_prepared_build_needs_no_network() {
    for tool in TOOLS {
        let mut test = EnvironmentTest::new(tool);
        let code = "import trap, demo\nprint('demo', demo.version)";
        test.notebook("n", &["demo", "trap"], code);
        let prepared = test.run(&["prepare", "in"]);
        assert_eq!(prepared.code, 0, "{tool:?}: {}", prepared.text);
        assert!(prepared.text.contains("prepared: in/n.ipynb (Python 3."), "{}", prepared.text);
        assert!(prepared.text.contains("no lock pins"), "{}", prepared.text);
        assert!(!prepared.text.contains("running 1 cell"), "{}", prepared.text);
        test.assert_nothing_ran();
        test.index.process.kill().unwrap();
        test.index.process.wait().unwrap();
        test.notebook("n", &["demo", "trap"], "import demo\nprint('demo', demo.version)");
        let built = test.run(&["build", "in", "-o", "out"]);
        assert_eq!(built.code, 0, "{tool:?}: {}", built.text);
        assert!(test.read("out/n.html").contains("demo 2.0"), "{tool:?}");
    }
    let test = EnvironmentTest::new(Tool::Uv);
    fs_err::write(test.path("in/n.ipynb"), "{").unwrap();
    let refused = test.run(&["prepare", "in/n.ipynb"]);
    assert_eq!(refused.code, 1, "{}", refused.text);
    fs_err::write(test.path("in/nbc.toml"), "python = \"/usr/bin/python3\"").unwrap();
    test.notebook("n", &["demo"], "1");
    let refused = test.run(&["prepare", "in"]);
    assert_eq!(refused.code, 2, "{}", refused.text);
    assert!(refused.text.contains("--trust-config"), "{}", refused.text);
}

#[test]
fn a_package_is_built_in_the_sandbox_when_that_is_allowed() {
    for tool in TOOLS {
        let mut test = EnvironmentTest::new(tool);
        fs_err::write(test.path("host.txt"), "a file of the host").unwrap();
        let code = "import probing\nprint('probes that worked:', probing.done)";
        test.notebook("n", &["probing>=1"], code);
        test.notebook("m", &["probing==1.0", "demo"], code);
        let refused = test.run(&["build", "in", "-o", "out", "--allow-build", "demo"]);
        assert_eq!(refused.code, 2, "{tool:?}: {}", refused.text);
        assert!(refused.text.contains("`--allow-build probing`"), "{tool:?}: {}", refused.text);
        test.assert_nothing_ran();

        let allowed = ["--allow-build", "Probing"];
        let built = test.run(&[&["build", "in", "-o", "out"], &allowed[..]].concat());
        assert_eq!(built.code, 0, "{tool:?}: {}", built.text);
        let warning = "built from source in the sandbox, as `--allow-build` says: `probing`";
        assert_eq!(built.text.matches(warning).count(), 1, "{}", built.text);
        assert!(!built.text.contains(PASSWORD), "{}", built.text);
        for page in ["out/n.html", "out/m.html"] {
            let page = test.read(page);
            assert!(page.contains("probes that worked: []"), "{tool:?}: {page}");
        }
        let manifest = test.read("out/manifest.json");
        for version in ["1.0", "2.0"] {
            let entry = format!("\"probing=={version} built from sha256-");
            assert!(manifest.contains(&entry), "{tool:?}: {manifest}");
        }
        test.assert_nothing_ran();
        let mut marks = Command::new("find");
        marks.args([".", "-name", "probe.pth"]).current_dir(test.folder.path());
        let marks = marks.output().unwrap();
        assert!(marks.stdout.is_empty(), "{tool:?}");

        // Without the permission, what was built with it is not used.
        let refused = test.run(&["build", "in", "-o", "out"]);
        assert_eq!(refused.code, 2, "{tool:?}: {}", refused.text);
        test.index.process.kill().unwrap();
        test.index.process.wait().unwrap();
        let again = test.run(&[&["build", "in", "-o", "out"], &allowed[..]].concat());
        assert_eq!(again.code, 0, "{tool:?}: {}", again.text);
    }
}

#[test]
fn a_lock_pins_the_source_of_what_is_built() {
    for tool in TOOLS {
        let test = EnvironmentTest::new(tool);
        test.notebook("n", &["probing<2"], "import probing\nprint(probing.done)");
        let refused = test.run(&["lock", "in"]);
        assert_eq!(refused.code, 2, "{tool:?}: {}", refused.text);
        let locked = test.run(&["lock", "in", "--allow-build", "probing"]);
        assert_eq!(locked.code, 0, "{tool:?}: {}", locked.text);
        let lock = test.read("in/pylock.n.toml");
        let port = &test.index.port;
        let source = format!(
            "name = \"probing\"\nversion = \"1.0\"\nsdist = {{ url = \"http://127.0.0.1:{port}/files/probing-1.0.tar.gz\""
        );
        assert!(lock.contains(&source), "{tool:?}: {lock}");
        let kept = test.run(&["lock", "in", "--allow-build", "probing"]);
        assert!(kept.code == 0 && kept.text.contains("unchanged"), "{tool:?}: {}", kept.text);

        let refused = test.run(&["build", "in", "-o", "out"]);
        assert_eq!(refused.code, 2, "{tool:?}: {}", refused.text);
        assert!(refused.text.contains("`--allow-build probing`"), "{tool:?}: {}", refused.text);
        // The wheel that was built for the lock is thrown away, and the same source is built anew.
        fs_err::remove_dir_all(test.path("cache")).unwrap();
        let built = test.run(&["build", "in", "-o", "out", "--allow-build", "probing"]);
        assert_eq!(built.code, 0, "{tool:?}: {}", built.text);
        assert!(test.read("out/manifest.json").contains("probing==1.0 built from sha256-"));
        test.assert_nothing_ran();

        let at = lock.find("probing-1.0.tar.gz\", hashes = { sha256 = \"").unwrap() + 42;
        let mut tampered = lock.clone();
        tampered.replace_range(at..at + 8, "00000000");
        fs_err::write(test.path("in/pylock.n.toml"), tampered).unwrap();
        let refused = test.run(&["build", "in", "-o", "out", "--allow-build", "probing"]);
        assert_eq!(refused.code, 2, "{tool:?}: {}", refused.text);
        assert!(refused.text.contains("is the one asked for"), "{tool:?}: {}", refused.text);
    }
}

#[test]
fn a_build_that_fails_or_lies_ends_in_an_error() {
    let test = EnvironmentTest::new(Tool::Uv);
    for (package, reason) in
        [("onlysource", "No such file or directory"), ("liar", "`demo-9.0-py3-none-any.whl`")]
    {
        test.notebook("n", &[package], "1");
        let failed = test.run(&["build", "in", "-o", "out", "--allow-build", package]);
        assert_eq!(failed.code, 2, "{}", failed.text);
        let message = format!("building `{package} 1.0` from source failed");
        assert!(failed.text.contains(&message), "{}", failed.text);
        assert!(failed.text.contains(reason), "{}", failed.text);
        test.assert_nothing_ran();
    }
    let without = ["--isolation", "none", "--trust-notebooks", "--allow-build", "onlysource"];
    let refused = test.run(&[&["prepare", "in"], &without[..]].concat());
    assert_eq!(refused.code, 2, "{}", refused.text);
    assert!(refused.text.contains("`--allow-build` needs a sandbox"), "{}", refused.text);
}

#[test]
fn an_address_of_a_source_runs_nothing() {
    for tool in TOOLS {
        let test = EnvironmentTest::new(tool);
        let url = |file: &str| {
            format!("http://user:{PASSWORD}@127.0.0.1:{}/files/{file}", test.index.port)
        };
        let direct = format!("onlysource @ {}", url("onlysource-1.0.tar.gz"));
        // The metadata of this wheel asks for the address of a source.
        let wheel = format!("leads @ {}", url("leads-1.0-py3-none-any.whl"));
        for requirement in [direct.as_str(), "--index-url=http://127.0.0.1:1", &wheel, "leads"] {
            test.notebook("n", &[requirement], "1");
            for command in [&["lock", "in"][..], &["prepare", "in"]] {
                let refused = test.run(command);
                assert_eq!(refused.code, 2, "{requirement} by {tool:?}: {}", refused.text);
                assert!(!refused.text.contains(PASSWORD), "{}", refused.text);
                test.assert_nothing_ran();
            }
        }
    }
}

#[test]
fn an_address_in_a_lock_is_that_of_a_wheel_and_holds_no_variable() {
    for tool in TOOLS {
        let test = EnvironmentTest::new(tool);
        test.notebook("n", &["demo"], "1");
        assert_eq!(test.run(&["lock", "in"]).code, 0);
        let lock = test.read("in/pylock.n.toml");
        let hash = format!("hashes = {{ sha256 = \"{}\" }}", "0".repeat(64));
        let server = format!("http://user:{PASSWORD}@127.0.0.1:{}/files", test.index.port);
        for archive in [
            format!("name = \"demo.whl\", url = \"{server}/onlysource-1.0.tar.gz\""),
            format!("url = \"{server}/${{PIP_INDEX_URL}}/demo-1.0-py3-none-any.whl\""),
        ] {
            let package = format!(
                "[[packages]]\nname = \"evil\"\narchive = {{ {archive}, {hash} }}\n\n[tool.nbc]"
            );
            let hostile = lock.replacen("[tool.nbc]", &package, 1);
            fs_err::write(test.path("in/pylock.n.toml"), hostile).unwrap();
            let asked = test.read("index/requests.log");
            let refused = test.run(&["prepare", "in"]);
            assert_eq!(refused.code, 2, "{archive} by {tool:?}: {}", refused.text);
            assert!(!refused.text.contains(PASSWORD), "{}", refused.text);
            assert_eq!(test.read("index/requests.log"), asked, "{archive} by {tool:?}");
            test.assert_nothing_ran();
        }
    }
}

#[test]
fn packages_that_unpack_to_too_much_are_refused() {
    for tool in TOOLS {
        let test = EnvironmentTest::new(tool);
        test.notebook("n", &["bomb"], "1");
        let bounded = ["prepare", "in", "--environment-size", "30MiB"];
        let refused = test.run(&bounded);
        assert_eq!(refused.code, 2, "{tool:?}: {}", refused.text);
        for part in ["unpack to more than 30 MiB", "`--environment-size SIZE`"] {
            assert!(refused.text.contains(part), "{tool:?} lacks {part}: {}", refused.text);
        }
        // A refused environment is not there for the next build.
        assert_eq!(test.run(&bounded).code, 2, "{tool:?}");
        let enough = test.run(&["prepare", "in", "--environment-size", "50MiB"]);
        assert_eq!(enough.code, 0, "{tool:?}: {}", enough.text);
        fs_err::write(test.path("in/nbc.toml"), "[limits]\nenvironment-size = \"900GiB\"").unwrap();
        let refused = test.run(&["prepare", "in"]);
        assert_eq!(refused.code, 2, "{tool:?}: {}", refused.text);
        assert!(refused.text.contains("--trust-config"), "{tool:?}: {}", refused.text);
    }
}

#[test]
fn a_wheel_does_not_replace_a_part_of_the_environment() {
    for tool in TOOLS {
        let test = EnvironmentTest::new(tool);
        for (package, place) in [("usurper", "python"), ("settler", "pyvenv.cfg")] {
            test.notebook("n", &[package], "1");
            let refused = test.run(&["prepare", "in"]);
            assert_eq!(refused.code, 2, "{package} by {tool:?}: {}", refused.text);
            assert!(refused.text.contains(place), "{package} by {tool:?}: {}", refused.text);
        }
    }
}

#[test]
fn what_others_name_does_not_lead_to_this_machine() {
    for tool in TOOLS {
        let test = EnvironmentTest::new(tool);
        fs_err::create_dir(test.path("other")).unwrap();
        fs_err::create_dir(test.path("other/index")).unwrap();
        let other = EnvironmentTest::serve(&test.path("other"));
        let server = format!("127.0.0.1:{}", other.port);
        let elsewhere = format!("http://user:{PASSWORD}@{server}");
        fs_err::write(test.path("index/elsewhere"), &elsewhere).unwrap();
        let direct = format!("demo @ {elsewhere}/files/demo-1.0-py3-none-any.whl");
        // An index page, a redirect, an address, and what could lead anywhere without a proxy.
        for requirement in ["linked", "moved", &direct] {
            test.notebook("n", &[requirement], "1");
            let mut command = test.command(&["prepare", "in"]);
            command.env("PIP_RETRIES", "0").env("UV_HTTP_RETRIES", "0");
            command.env("NO_PROXY", "*").env("no_proxy", "*").env_remove("HTTP_PROXY");
            let refused = said(&mut command);
            assert_eq!(refused.code, 2, "{requirement} by {tool:?}: {}", refused.text);
            let message = format!("leads to `{server}`, which is this machine");
            for part in [message.as_str(), "help: if the server is yours"] {
                assert!(refused.text.contains(part), "{requirement}, {tool:?}: {}", refused.text);
            }
            assert!(!refused.text.contains(PASSWORD), "{tool:?}: {}", refused.text);
        }
        assert!(!test.path("other/index/requests.log").exists(), "{tool:?}");

        // With the number of its line, and before anything is fetched.
        fs_err::remove_file(test.path("in/n.ipynb")).unwrap();
        fs_err::write(test.path("in/m.py"), "# %%\nprint(1)\n").unwrap();
        fs_err::write(test.path("in/requirements.txt"), format!("demo\n\n{direct}\n")).unwrap();
        let asked = fs_err::read_to_string(test.path("index/requests.log")).unwrap_or_default();
        let refused = test.run(&["prepare", "in"]);
        assert_eq!(refused.code, 2, "{tool:?}: {}", refused.text);
        assert!(refused.text.contains("requirements.txt`, line 3, leads to"), "{}", refused.text);
        let after = fs_err::read_to_string(test.path("index/requests.log")).unwrap_or_default();
        assert_eq!(after, asked, "{tool:?}");

        // The user names the server, and it is reached.
        test.notebook("n", &["linked"], "1");
        fs_err::remove_file(test.path("in/m.py")).unwrap();
        let mut command = test.command(&["prepare", "in"]);
        command.env("PIP_TRUSTED_HOST", &server).env("UV_INSECURE_HOST", &server);
        let reached = said(&mut command);
        assert_eq!(reached.code, 0, "{tool:?}: {}", reached.text);
        assert!(test.path("other/index/requests.log").exists(), "{tool:?}");
    }
}

#[test]
fn a_wheel_that_is_asked_for_by_its_address_is_fetched_from_there() {
    for tool in TOOLS {
        let test = EnvironmentTest::new(tool);
        let file = "files/addressed-1.0-py3-none-any.whl";
        let url = format!("http://127.0.0.1:{}/{file}", test.index.port);
        let code = "import addressed\nprint('it is', addressed.__name__)";
        test.notebook("n", &[&format!("addressed @ {url}"), "demo"], code);
        let built = test.run(&["build", "in", "-o", "out"]);
        assert_eq!(built.code, 0, "{tool:?}: {}", built.text);
        assert!(test.read("out/n.html").contains("it is addressed"), "{tool:?}");
        let locked = test.run(&["lock", "in"]);
        assert_eq!(locked.code, 0, "{tool:?}: {}", locked.text);
        let lock = test.read("in/pylock.n.toml");
        assert!(lock.contains("archive = { url = \"http://127.0.0.1:"), "{tool:?}: {lock}");
        let built = test.run(&["build", "in", "-o", "out"]);
        assert_eq!(built.code, 0, "{tool:?}: {}", built.text);
        assert!(test.read("out/manifest.json").contains("addressed==1.0"), "{tool:?}");

        fs_err::write(test.path("in/nbc.toml"), "[page]\npackages = false").unwrap();
        let built = test.run(&["build", "in", "-o", "out"]);
        assert_eq!(built.code, 0, "{tool:?}: {}", built.text);
        let manifest = test.read("out/manifest.json");
        assert!(!manifest.contains("addressed") && !manifest.contains("demo"), "{manifest}");
    }
}

#[test]
fn a_package_is_never_a_file_beside_the_notebook() {
    for tool in TOOLS {
        let test = EnvironmentTest::new(tool);
        let wheel = "demo-1.0-py3-none-any.whl";
        for place in [wheel, "demo==1.0.zip", "in/demo-1.0-py3-none-any.whl"] {
            fs_err::write(test.path(place), "no wheel at all").unwrap();
        }
        for name in [wheel, "demo-1.0-py3-none-any.WHL", "demo==1.0.zip", "demo[x]==1.0.zip"] {
            test.notebook("n", &["helper", name], "1");
            for command in ["lock", "prepare"] {
                let refused = test.run(&[command, "in"]);
                assert_eq!(refused.code, 2, "{name} by {tool:?}: {}", refused.text);
                let place = "n.ipynb`, line 2 of its script header, is the name of a file";
                assert!(refused.text.contains(place), "{name} by {tool:?}: {}", refused.text);
                assert!(!refused.text.contains(name), "{name} by {tool:?}: {}", refused.text);
            }
        }
        // The installers do not work in that folder, either: a setting of the user counts from another one.
        fs_err::write(test.path("onlyhere-1.0-py3-none-any.whl"), "no wheel at all").unwrap();
        test.notebook("n", &["onlyhere"], "1");
        let mut command = test.command(&["prepare", "in"]);
        let refused = said(command.env("PIP_FIND_LINKS", ".").env("UV_FIND_LINKS", "."));
        assert_eq!(refused.code, 2, "{tool:?}: {}", refused.text);
        assert!(!refused.text.contains(".whl"), "{tool:?}: {}", refused.text);
        assert!(
            !test.path("index/requests.log").exists()
                || !test.read("index/requests.log").contains("demo")
        );
    }
}

#[test]
fn constraints_hold_for_locks_and_builds() {
    for tool in TOOLS {
        let test = EnvironmentTest::new(tool);
        let code = "# %%\nimport demo\nprint('demo', demo.version)\n";
        fs_err::create_dir(test.path("in/sub")).unwrap();
        fs_err::write(test.path("in/sub/m.py"), code).unwrap();
        let put = |name: &str, text: &str| fs_err::write(test.path(name), text).unwrap();
        // Both files stand above, in the folder that is built, and begin with a byte order mark.
        put("in/sub/requirements.txt", "\u{feff}-r ../requirements.txt\n");
        put("in/requirements.txt", "\u{feff}demo\n--constraint=constraints.txt\n");
        put("in/constraints.txt", "# of all\ndemo<2\nsettler==9.9\n");
        let built = test.run(&["build", "in", "-o", "out"]);
        assert_eq!(built.code, 0, "{tool:?}: {}", built.text);
        assert!(test.read("out/sub/m.html").contains("demo 1.0"), "{tool:?}");
        let locked = test.run(&["lock", "in"]);
        assert_eq!(locked.code, 0, "{tool:?}: {}", locked.text);
        let lock = test.read("in/sub/pylock.toml");
        assert!(lock.contains("name = \"demo\"\nversion = \"1.0\""), "{tool:?}: {lock}");
        assert!(!lock.contains("settler"), "{tool:?}: {lock}");
        assert_eq!(test.run(&["lock", "in", "--check"]).code, 0, "{tool:?}");
        // Pins of the lock stay, and constraints are a part of what was locked.
        put("in/constraints.txt", "demo<1\n");
        assert_eq!(test.run(&["lock", "in", "--check"]).code, 1, "{tool:?}");
        let refused = test.run(&["lock", "in"]);
        assert_eq!(refused.code, 2, "{tool:?}: {}", refused.text);
        put("in/constraints.txt", "demo==2.0\n");
        let locked = test.run(&["lock", "in"]);
        assert_eq!(locked.code, 0, "{tool:?}: {}", locked.text);
        let lock = test.read("in/sub/pylock.toml");
        assert!(lock.contains("name = \"demo\"\nversion = \"2.0\""), "{tool:?}: {lock}");

        // Of the notebook alone, the file above is outside.
        let refused = test.run(&["lock", "in/sub/m.py"]);
        assert_eq!(refused.code, 2, "{tool:?}: {}", refused.text);
        for part in ["sub/requirements.txt`, line 1: cannot read `../req", "name the folder that"] {
            assert!(refused.text.contains(part), "{tool:?}: {}", refused.text);
        }
        put("in/constraints.txt", "demo @ http://127.0.0.1:9/demo-1.0-py3-none-any.whl\n");
        let refused = test.run(&["lock", "in"]);
        assert_eq!(refused.code, 2, "{tool:?}: {}", refused.text);
        assert!(
            refused.text.contains("constraints.txt`, line 1, leads to `127.0.0.1:9`"),
            "{tool:?}: {}",
            refused.text
        );
    }
}

#[test]
fn a_build_sees_a_change_of_a_file_that_folders_share() {
    let test = EnvironmentTest::new(Tool::Uv);
    fs_err::create_dir(test.path("in/sub")).unwrap();
    let code = "# %%\nimport demo\nprint('demo', demo.version)\n";
    fs_err::write(test.path("in/sub/m.py"), code).unwrap();
    std::os::unix::fs::symlink("../shared.txt", test.path("in/sub/requirements.txt")).unwrap();
    for version in ["1.0", "2.0"] {
        fs_err::write(test.path("in/shared.txt"), format!("demo=={version}\n")).unwrap();
        let built = said(test.command(&["build", "in", "-o", "out"]).env_remove("NBC_NO_CACHE"));
        assert_eq!(built.code, 0, "{}", built.text);
        let page = test.read("out/sub/m.html");
        assert!(page.contains(&format!("demo {version}")), "{version}: {}", built.text);
    }
}
