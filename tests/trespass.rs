//! Folders that others may write to: an output or a cache there is written where it was opened, or not at all.
//!
//! Attackers are other users, so that their attacks are run by root; otherwise the tests say so.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests start the real binary, and a failed step is a failed test"
)]

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::process::{Command, Stdio};
use test_support::NbcTest;

/// An id that no other test uses.
const ATTACKER: u32 = 23_456;
/// Published as it is stored, so that no Python is needed.
const NOTEBOOK: &str = r##"{"cells": [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": ["# Built"]}],
"metadata": {}, "nbformat": 4, "nbformat_minor": 5}"##;

struct Trespass(NbcTest);

impl std::ops::Deref for Trespass {
    type Target = NbcTest;

    fn deref(&self) -> &NbcTest {
        &self.0
    }
}

impl Trespass {
    fn new() -> Self {
        let test = NbcTest::new(&[("report.ipynb", NOTEBOOK), ("victim/index.html", "precious")]);
        test.open_to_all();
        fs_err::create_dir_all(test.path("home/.cache")).unwrap();
        fs_err::create_dir(test.path("theirs")).unwrap();
        Self(test)
    }

    fn nbc(&self) -> Command {
        let mut command = self.0.nbc(&[]);
        command.env_remove("NBC_CACHE_DIR").env_remove("XDG_CACHE_HOME").env_remove("NBC_NO_CACHE");
        command.env("HOME", self.path("home"));
        command
    }

    fn build(&self) -> (i32, String) {
        said(self.nbc().args(["build", "report.ipynb", "--execute", "never", "-o", "theirs/site"]))
    }

    /// A victim is neither changed nor emptied.
    fn is_unharmed(&self) {
        let mut names: Vec<_> = fs_err::read_dir(self.path("victim"))
            .unwrap()
            .map(|it| it.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["index.html"]);
        assert_eq!(fs_err::read_to_string(self.path("victim/index.html")).unwrap(), "precious");
    }
}

fn said(command: &mut Command) -> (i32, String) {
    let said = test_support::said(command);
    (said.code, said.stderr)
}

/// Only root can make another user's folders.
fn is_root() -> bool {
    let is_root = test_support::is_root();
    if !is_root {
        eprintln!("not attacked: it takes root to be another user");
    }
    is_root
}

#[test]
fn a_link_or_a_foreign_folder_in_the_place_of_the_staging_folder_is_refused() {
    let test = Trespass::new();
    let trap = test.path("theirs/.site.nbc-new");
    symlink(test.path("victim"), &trap).unwrap();
    let (code, text) = test.build();
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("`.site.nbc-new`, which nbc did not write"), "{text}");
    test.is_unharmed();
    fs_err::remove_file(&trap).unwrap();
    if is_root() {
        fs_err::create_dir(&trap).unwrap();
        symlink(test.path("victim/index.html"), trap.join("index.html")).unwrap();
        chown(&trap, Some(ATTACKER), Some(ATTACKER)).unwrap();
        let (code, text) = test.build();
        assert_eq!(code, 2, "{text}");
        test.is_unharmed();
    }
}

#[test]
fn a_link_in_the_place_of_the_lock_is_refused() {
    let test = Trespass::new();
    for target in ["victim/index.html", "nowhere"] {
        let lock = test.path("theirs/.site.nbc-lock");
        symlink(test.path(target), &lock).unwrap();
        let (code, text) = test.build();
        assert_eq!(code, 2, "{text}");
        assert!(text.contains("`.site.nbc-lock`, which nbc did not write"), "{text}");
        assert!(!test.path("nowhere").exists());
        test.is_unharmed();
        fs_err::remove_file(lock).unwrap();
    }
}

#[test]
fn traps_that_come_while_it_builds_are_not_written_through() {
    // One that exchanges the staging folder for a link as fast as it can, as the owner of the parent folder may.
    let test = Trespass::new();
    if is_root() {
        chown(test.path("theirs"), Some(ATTACKER), Some(ATTACKER)).unwrap();
    }
    let stop = std::sync::atomic::AtomicBool::new(false);
    let (staging, aside) = (test.path("theirs/.site.nbc-new"), test.path("theirs/aside"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                number += 1;
                if fs_err::rename(&staging, aside.with_extension(number.to_string())).is_ok() {
                    drop(symlink(test.path("victim"), &staging));
                    std::thread::sleep(std::time::Duration::from_micros(200));
                }
            }
        });
        for _ in 0..20 {
            let (code, text) = test.build();
            assert!([0, 2].contains(&code), "{text}");
            drop(fs_err::remove_file(&staging));
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    test.is_unharmed();
}

#[test]
fn what_a_killed_build_left_goes_and_links_in_it_are_not_followed() {
    let test = Trespass::new();
    let left = test.path("theirs/.site.nbc-new");
    fs_err::create_dir_all(left.join("deep")).unwrap();
    symlink(test.path("victim"), left.join("deep/link")).unwrap();
    fs_err::write(test.path("theirs/.site.nbc-lock"), "").unwrap();
    let (code, text) = test.build();
    assert_eq!(code, 0, "{text}");
    let names: Vec<_> =
        fs_err::read_dir(test.path("theirs")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["site"]);
    test.is_unharmed();
    // Rights of the site are those of any new folder, although nobody could look into it before.
    fs_err::create_dir(test.path("plain")).unwrap();
    let mode = |name: &str| fs_err::metadata(test.path(name)).unwrap().mode();
    assert_eq!(mode("theirs/site"), mode("plain"));
}

#[test]
fn the_cache_is_made_private_and_put_back_to_it() {
    let test = Trespass::new();
    let cache = test.path("home/.cache/nbc");
    for wide in [None, Some(0o755), Some(0o777)] {
        if let Some(wide) = wide {
            fs_err::set_permissions(&cache, Permissions::from_mode(wide)).unwrap();
        }
        assert_eq!(said(test.nbc().args(["cache", "stats"])).0, 0);
        assert_eq!(fs_err::metadata(&cache).unwrap().mode() & 0o7777, 0o700);
    }
}

#[test]
fn a_cache_of_another_user_stops_the_build() {
    if !is_root() {
        return;
    }
    let test = Trespass::new();
    let cache = test.path("home/.cache/nbc");
    fs_err::create_dir(&cache).unwrap();
    // The folder, one above it, and something in it.
    fs_err::create_dir(cache.join("entries-1")).unwrap();
    for theirs in [cache.clone(), test.path("home/.cache"), cache.join("entries-1")] {
        chown(&theirs, Some(ATTACKER), Some(ATTACKER)).unwrap();
        let (code, text) = test.build();
        assert_eq!(code, 2, "{text}");
        assert!(text.contains("belongs to another user"), "{text}");
        assert!(text.contains("NBC_CACHE_DIR"), "{text}");
        assert!(!test.path("theirs/site").exists());
        chown(&theirs, Some(0), Some(0)).unwrap();
    }
    assert_eq!(test.build().0, 0);
}

#[test]
fn without_home_the_password_database_is_asked_and_no_shared_folder_is_taken() {
    let test = Trespass::new();
    let output = test.nbc().env_remove("HOME").args(["cache", "stats"]).output().unwrap();
    let folder = String::from_utf8(output.stdout).unwrap();
    assert!(!folder.starts_with("/tmp/nbc"), "{folder}");
    if is_root() {
        assert_eq!(output.status.code(), Some(0));
        assert!(folder.contains("/.cache/nbc/"), "{folder}");
        // An id that the password database does not know.
        let id = ATTACKER.to_string();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups", env!("CARGO_BIN_EXE_nbc")]);
        command.args(["cache", "stats"]).current_dir("/").stdin(Stdio::null());
        command.env_remove("HOME").env_remove("NBC_CACHE_DIR").env_remove("XDG_CACHE_HOME");
        let (code, text) = said(&mut command);
        assert_eq!(code, 2, "{text}");
        assert!(text.contains("HOME is not set") && text.contains("NBC_CACHE_DIR"), "{text}");
    }
}

#[test]
fn a_link_in_the_cache_is_not_followed() {
    let test = Trespass::new();
    let cache = test.path("home/.cache/nbc");
    fs_err::create_dir(&cache).unwrap();
    symlink(test.path("victim"), cache.join("entries-1")).unwrap();
    let (code, text) = said(test.nbc().args(["cache", "clear"]));
    assert_eq!(code, 2, "{text}");
    test.is_unharmed();
}

#[test]
fn a_record_does_not_replace_the_file_of_another_user() {
    if !is_root() {
        return;
    }
    let test = Trespass::new();
    let record = test.path("theirs/report.run.json");
    let build = || {
        let mut command = test.nbc();
        command.args(["build", "report.ipynb", "--execute", "never", "-o", "site"]);
        said(command.args(["--record", "theirs"]))
    };
    symlink(test.path("victim/index.html"), &record).unwrap();
    let (code, text) = build();
    assert_eq!(code, 0, "{text}");
    test.is_unharmed();
    fs_err::write(&record, "theirs").unwrap();
    chown(&record, Some(ATTACKER), Some(ATTACKER)).unwrap();
    let (code, text) = build();
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("neither to you nor to the owner of its folder"), "{text}");
    assert_eq!(fs_err::read_to_string(&record).unwrap(), "theirs");
    // In a container root builds in the folder of a user of the host, who owns all that lies there.
    chown(test.path("theirs"), Some(ATTACKER), Some(ATTACKER)).unwrap();
    let (code, text) = build();
    assert_eq!(code, 0, "{text}");
    assert_ne!(fs_err::read_to_string(&record).unwrap(), "theirs");
}

#[test]
fn a_link_of_another_user_does_not_choose_the_cache() {
    if !is_root() {
        return;
    }
    let test = Trespass::new();
    let roots = test.path("roots");
    fs_err::create_dir(&roots).unwrap();
    fs_err::set_permissions(&roots, Permissions::from_mode(0o755)).unwrap();
    let link = test.path("home/lnk");
    symlink(&roots, &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(ATTACKER), Some(ATTACKER)).unwrap();
    let (code, text) = said(test.nbc().args(["cache", "stats"]).env("NBC_CACHE_DIR", &link));
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("is a link of another user"), "{text}");
    assert_eq!(fs_err::metadata(&roots).unwrap().mode() & 0o7777, 0o755);
    // A link of one's own may lead to a larger disk.
    fs_err::remove_file(&link).unwrap();
    symlink(&roots, &link).unwrap();
    let (code, text) = said(test.nbc().args(["cache", "stats"]).env("NBC_CACHE_DIR", &link));
    assert_eq!(code, 0, "{text}");
}

#[test]
fn a_folder_that_is_used_for_other_things_stays_open() {
    let test = Trespass::new();
    let srv = test.path("srv");
    fs_err::create_dir_all(srv.join("www")).unwrap();
    fs_err::set_permissions(&srv, Permissions::from_mode(0o755)).unwrap();
    let stats = || said(test.nbc().args(["cache", "stats"]).env("NBC_CACHE_DIR", &srv));
    let (code, text) = stats();
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("holds `www`") && text.contains("srv/nbc`"), "{text}");
    assert_eq!(fs_err::metadata(&srv).unwrap().mode() & 0o7777, 0o755);
    // The root of a volume: `lost+found` belongs to root.
    fs_err::rename(srv.join("www"), srv.join("lost+found")).unwrap();
    if is_root() {
        chown(srv.join("lost+found"), Some(ATTACKER), Some(ATTACKER)).unwrap();
    }
    let (code, text) = stats();
    assert_eq!(code, 0, "{text}");
    assert_eq!(fs_err::metadata(&srv).unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn a_cache_below_a_folder_of_a_group_is_refused() {
    if !is_root() {
        return;
    }
    let test = Trespass::new();
    let above = test.path("home/.cache");
    fs_err::set_permissions(&above, Permissions::from_mode(0o775)).unwrap();
    assert_eq!(test.build().0, 0, "the group of root");
    chown(&above, None, Some(ATTACKER)).unwrap();
    let (code, text) = test.build();
    assert_eq!(code, 2, "{text}");
    assert!(text.contains(&format!("can be written by the group {ATTACKER}")), "{text}");
}

#[test]
fn what_is_mounted_at_the_output_or_below_is_found_before_a_run_and_left_alone() {
    let test = Trespass::new();
    assert_eq!(test.build().0, 0);
    let nbc = env!("CARGO_BIN_EXE_nbc");
    let mounted = |at: &str| {
        let script = format!(
            "mkdir -p theirs/site/other other && mount --bind other {at} && touch other/kept && \
             {nbc} build report.ipynb --execute never -o theirs/site; code=$?; umount {at}; exit $code"
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c", &script]);
        command.current_dir(test.folder.path()).stdin(Stdio::null());
        said(command.env("NBC_CACHE_DIR", test.path("home/.cache/nbc")))
    };
    let (code, text) = mounted("theirs/site");
    if text.contains("unshare failed") || text.contains("permission denied") {
        eprintln!("not attacked: nothing can be mounted here: {text}");
        return;
    }
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("is a mount point") && text.contains("theirs/site/site"), "{text}");
    let (code, text) = mounted("theirs/site/other");
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("something is mounted at `other`"), "{text}");
    assert!(test.path("other/kept").exists());
    let names: Vec<_> =
        fs_err::read_dir(test.path("theirs")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["site"]);
}

#[test]
fn a_pipe_in_a_restored_cache_is_not_waited_for() {
    let test = Trespass::new();
    let cache = test.path("home/.cache/nbc");
    let build = || {
        let mut command = Command::new("timeout");
        command.args(["60", env!("CARGO_BIN_EXE_nbc"), "build", "report.ipynb", "-o", "site"]);
        command.args(["--isolation", "best-effort"]).current_dir(test.folder.path());
        command.env("NBC_CACHE_DIR", &cache).env_remove("NBC_NO_CACHE").stdin(Stdio::null());
        said(&mut command)
    };
    let code =
        NOTEBOOK.replace("\"markdown\"", "\"code\", \"outputs\": [], \"execution_count\": null");
    fs_err::write(test.path("report.ipynb"), code.replace("# Built", "print(6 * 7)")).unwrap();
    let (code, text) = build();
    if code != 0 {
        eprintln!("not attacked: notebooks do not run here: {text}");
        return;
    }
    let runner = fs_err::read_dir(cache.join("runner-1")).unwrap().next().unwrap().unwrap();
    let main = runner.path().join("main.py");
    fs_err::remove_file(&main).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &main, rustix::fs::Mode::RWXU).unwrap();
    fs_err::remove_dir_all(cache.join("entries-1")).unwrap();
    let (code, text) = build();
    assert_eq!(code, 0, "{text}");
    assert!(fs_err::symlink_metadata(&main).unwrap().is_file());
}

#[test]
fn a_program_in_the_folder_of_a_notebook_is_never_started() {
    let test = Trespass::new();
    let notebook =
        "# /// script\n# requires-python = \">=3.10\"\n# dependencies = [\"x\"]\n# ///\n# %%\n1\n";
    fs_err::write(test.path("theirs/s.py"), notebook).unwrap();
    let mark = test.path("mark");
    let program = format!("#!/bin/sh\necho $0 >> {}\n", mark.display());
    fs_err::create_dir(test.path("theirs/bin")).unwrap();
    for folder in ["theirs", "theirs/bin"] {
        for name in ["python3", "python", "python3.12", "python3.13", "uv", "pip", "git"] {
            let path = test.path(folder).join(name);
            fs_err::write(&path, &program).unwrap();
            fs_err::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        }
    }
    let nothing = test.path("home");
    for path in ["", ".", "bin", "./bin", "../theirs"] {
        let mut nbc = test.nbc();
        let path = format!("{}:{path}", nothing.display());
        nbc.env("PATH", path).env_remove("NBC_PYTHON").env_remove("VIRTUAL_ENV");
        nbc.env("UV_PYTHON_INSTALL_DIR", "bin").env("CONDA_PREFIX", ".");
        let (code, text) = said(nbc.current_dir(test.path("theirs")).args(["build", "s.py"]));
        assert_eq!(code, 2, "{text}");
        assert!(text.contains("no Python"), "{text}");
        assert!(!mark.exists(), "{}", fs_err::read_to_string(&mark).unwrap());
    }
    // A name alone is one of `PATH`.
    let mut nbc = test.nbc();
    nbc.env("PATH", format!("{}:", nothing.display())).current_dir(test.path("theirs"));
    let (code, text) = said(nbc.args(["build", "s.py", "--python", "python3"]));
    assert_eq!(code, 2, "{text}");
    assert!(!mark.exists(), "{}", fs_err::read_to_string(&mark).unwrap());
}
