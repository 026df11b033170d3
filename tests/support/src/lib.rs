//! Shared by the integration tests of nbc: the built program, a Python, folders of files, and texts of notebooks.
//!
//! A crate, so that it is compiled once and not once for each test target. It does not know nbc's library.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests start the real binary, and a failed step is a failed test"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use camino::Utf8PathBuf;
use serde_json::json;
use tempfile::TempDir;

/// The program `nbc` that cargo built beside the test that runs.
pub fn nbc() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own file");
    let folder = test.parent().and_then(Path::parent).expect("tests lie in `deps`");
    folder.join(format!("nbc{}", std::env::consts::EXE_SUFFIX))
}

/// An interpreter with the packages of `tests/requirements.txt`.
///
/// # Panics
/// Without one: a test that is not run must not count as passed.
pub fn python() -> String {
    std::env::var("NBC_TEST_PYTHON").expect(
        "NBC_TEST_PYTHON names a Python with tests/requirements.txt; tests/run.sh makes one",
    )
}

/// Standard output of a Python script; the script has to succeed.
pub fn python_says(arguments: &[&str]) -> String {
    let said = said(Command::new(python()).args(arguments).env("PYTHONHASHSEED", "0"));
    assert_eq!(said.code, 0, "{}", said.stderr);
    said.stdout
}

/// The `python3` of the system, which tests of the sandbox show inside it.
#[derive(Debug)]
pub struct SystemPython {
    /// The path of the interpreter.
    pub executable: Utf8PathBuf,
    /// The folder of its installation.
    pub prefix: Utf8PathBuf,
}

impl SystemPython {
    /// Asks the `python3` on `PATH`.
    pub fn find() -> Self {
        let ask = "import sys; print(sys.executable); print(sys.base_prefix)";
        let said = said(Command::new("python3").args(["-c", ask]));
        let (executable, prefix) = said.stdout.trim_end().split_once('\n').expect("two lines");
        Self { executable: executable.into(), prefix: prefix.into() }
    }
}

/// True for root, who alone can be another user.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The exit code of a program (-1 after a signal) and its texts.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Said {
    /// Number of notebooks that were run by a build, which has to succeed.
    pub fn runs(&self) -> usize {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self.stderr.lines().filter(|it| it.contains(": running ") && it.contains("cell")).count()
    }

    /// True for a build, which has to succeed, that found nothing to do.
    pub fn is_untouched(&self) -> bool {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self.stderr.contains("nothing has changed")
    }

    /// Standard output and then standard error.
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// Runs a command to its end, with nothing on its standard input.
///
/// # Panics
/// If it cannot be started, or prints what is no UTF-8.
pub fn said(command: &mut Command) -> Said {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Said {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder of files in which nbc is started; it goes with the value.
#[derive(Debug)]
pub struct NbcTest {
    /// The folder.
    pub folder: TempDir,
}

impl NbcTest {
    /// A folder with these files: names with their texts.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let test = Self { folder: tempfile::tempdir().unwrap() };
        for (name, text) in files {
            test.write(name, text);
        }
        test
    }

    /// The path of a file in the folder.
    pub fn path(&self, name: &(impl AsRef<Path> + ?Sized)) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and makes the folders above it.
    pub fn write(&self, name: &(impl AsRef<Path> + ?Sized), bytes: &(impl AsRef<[u8]> + ?Sized)) {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }

    /// The text of a file.
    pub fn read(&self, name: &(impl AsRef<Path> + ?Sized)) -> String {
        fs_err::read_to_string(self.path(name)).unwrap()
    }

    /// Lets every user enter the folder, as the sandbox of another user needs it.
    pub fn open_to_all(&self) {
        use std::os::unix::fs::PermissionsExt as _;
        let permissions = std::fs::Permissions::from_mode(0o755);
        fs_err::set_permissions(self.folder.path(), permissions).unwrap();
    }

    /// Names in the folder, hidden ones too: nothing half-written may stay.
    pub fn listing(&self) -> Vec<String> {
        let names = fs_err::read_dir(self.folder.path()).unwrap().map(|it| it.unwrap().file_name());
        let mut names: Vec<_> = names.map(|it| it.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Every file of a site, by its path in it.
    pub fn site(&self, name: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let root = self.path(name);
        let files = files_below(&root).into_iter();
        files
            .map(|it| (it.strip_prefix(&root).unwrap().to_owned(), fs_err::read(&it).unwrap()))
            .collect()
    }

    /// `nbc` in the folder, for tests that need no Python.
    pub fn nbc(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(nbc());
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        // Findings of a test must come from its own run; `tests/cache.rs` is about the others.
        command.env("NBC_NO_CACHE", "1");
        command
    }

    /// `nbc` in the folder with [`python`] as its interpreter.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.nbc(arguments);
        command.env("NBC_PYTHON", python());
        command
    }

    /// Runs [`NbcTest::command`].
    pub fn run(&self, arguments: &[&str]) -> Said {
        said(&mut self.command(arguments))
    }
}

/// Every file below a folder, sorted; none if there is no folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs_err::read_dir(folder) else { return Vec::new() };
    let mut all = Vec::new();
    for entry in entries.map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => all.extend(files_below(&entry.path())),
            false => all.push(entry.path()),
        }
    }
    all.sort();
    all
}

/// A marimo notebook of these cells.
pub fn marimo(cells: &[&str]) -> String {
    let mut text = String::from("import marimo\n\napp = marimo.App()\n");
    for cell in cells {
        text.push_str("\n\n@app.cell\ndef _():\n");
        for line in cell.lines() {
            text.push_str(&format!("    {line}\n"));
        }
        text.push_str("    return\n");
    }
    text.push_str("\n\nif __name__ == \"__main__\":\n    app.run()\n");
    text
}

/// A Jupyter notebook of these code cells.
pub fn jupyter(cells: &[&str]) -> String {
    notebook(&cells.iter().map(|it| code_cell(it, &json!([]))).collect())
}

/// A code cell of Jupyter with the outputs that it stores.
pub fn code_cell(source: &str, outputs: &serde_json::Value) -> serde_json::Value {
    json!({
        "cell_type": "code", "metadata": {}, "source": source,
        "outputs": outputs, "execution_count": null,
    })
}

/// The text of a Jupyter notebook with these cells.
pub fn notebook(cells: &serde_json::Value) -> String {
    json!({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}).to_string()
}
