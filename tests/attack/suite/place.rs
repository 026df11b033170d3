//! The folder of the suite, which every user can read, with the probes and the programs in it.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use camino::{Utf8Path, Utf8PathBuf};

use super::Word;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    None,
    Strict,
    /// Every layer, in the fork of a warm process.
    Warm,
    BestEffort,
}

pub(super) const LEVELS: [Level; 4] = [Level::None, Level::Strict, Level::Warm, Level::BestEffort];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum User {
    Root,
    Ordinary,
}

/// The id of the ordinary user, which no user of a machine has. Each suite has its own: probes count, signal and exhaust
/// what belongs to their user, and would do so to those of another suite on the same machine.
fn ordinary() -> u32 {
    const FIRST: u32 = 54_321;
    const IDS: u32 = 10_000;
    FIRST + std::process::id() % IDS
}

pub(super) fn level(level: Level) -> &'static str {
    match level {
        Level::None => "none",
        Level::Strict => "strict",
        Level::Warm => "warm",
        Level::BestEffort => "best-effort",
    }
}

pub(super) fn user(user: User) -> &'static str {
    match user {
        User::Root => "root",
        User::Ordinary => "user",
    }
}

pub(super) fn word(word: Word) -> &'static str {
    match word {
        Word::Contained => "contained",
        Word::Escaped => "ESCAPED",
        Word::Broken => "BROKEN",
    }
}

#[derive(Debug)]
pub(super) struct Place {
    folder: tempfile::TempDir,
    is_root: bool,
}

impl Place {
    pub(super) fn make() -> Place {
        let folder = tempfile::Builder::new()
            .prefix("attack-")
            .permissions(std::fs::Permissions::from_mode(0o755))
            .tempdir()
            .expect("a folder");
        let is_root = folder.path().metadata().expect("its owner").uid() == 0;
        let place = Place { folder, is_root };
        let probes = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attack");
        fs_err::create_dir(place.path("probes")).expect("made");
        for entry in probes.read_dir_utf8().expect("listed").flatten() {
            if entry.path().extension() == Some("py") {
                let to = place.path("probes").join(entry.file_name());
                fs_err::copy(entry.path(), &to).expect("copied");
                set_mode(&to, 0o644);
            }
        }
        set_mode(&place.path("probes"), 0o755);
        // A thousand starts of Python need not read the same text.
        let mut compile = place.python();
        compile.args(["-m", "compileall", "-q", "."]);
        assert!(compile.status().expect("python starts").success());
        // The target folder may lie where an ordinary user cannot go.
        for (from, name) in [
            (std::env::current_exe().expect("this program"), "suite"),
            (env!("CARGO_BIN_EXE_nbc").into(), "nbc"),
        ] {
            fs_err::copy(from, place.path(name)).expect("copied");
            set_mode(&place.path(name), 0o755);
        }
        place
    }

    pub(super) fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.folder.path()).expect("UTF-8").join(name)
    }

    pub(super) fn users(&self) -> &'static [User] {
        if self.is_root { &[User::Root, User::Ordinary] } else { &[User::Ordinary] }
    }

    /// Python, among the probes.
    pub(super) fn python(&self) -> Command {
        let mut command = Command::new(python());
        command.current_dir(self.path("probes"));
        command
    }

    /// A new folder that belongs to a user.
    pub(super) fn folder_of(&self, user: User) -> Utf8PathBuf {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}", self::user(user), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = self.path(&name);
        for path in [folder.clone(), folder.join("temporary")] {
            fs_err::create_dir(&path).expect("made");
            if self.is_root && user == User::Ordinary {
                std::os::unix::fs::chown(&path, Some(ordinary()), Some(ordinary())).expect("given");
            }
        }
        folder
    }

    /// This program as another user, below the host that is to be attacked; at best-effort it is refused
    /// namespaces, as in a container.
    pub(super) fn worker(&self, level: Level, user: User, arguments: &[&str]) -> Command {
        let folder = self.folder_of(user);
        let mut words: Vec<String> = vec![];
        let python = python().into_string();
        if self.is_root && user == User::Ordinary {
            let id = ordinary().to_string();
            words.extend(["setpriv", "--reuid", &id, "--regid", &id].map(str::to_owned));
            words.push("--clear-groups".to_owned());
        }
        if level == Level::BestEffort {
            words.extend([python.clone(), self.path("probes/deny.py").into_string()]);
            words.push("unshare=EPERM".to_owned());
        }
        words.extend([python, "-B".to_owned(), self.path("probes/host.py").into_string()]);
        words.extend([folder.to_string(), self.path("suite").into_string()]);
        words.extend(arguments.iter().map(|it| (*it).to_owned()));
        let (program, rest) = words.split_first().expect("a program");
        let mut command = Command::new(program);
        command.args(rest).current_dir(&folder).env("TMPDIR", folder.join("temporary"));
        command.env("HOME", &folder).env("NBC_CACHE_DIR", folder.join("cache"));
        command.env("ATTACK_PLACE", self.folder.path());
        command
    }
}

fn set_mode(path: &Utf8Path, mode: u32) {
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
}

/// The system's own Python: that of a developer may lie in a home that others cannot read.
pub(super) fn python() -> Utf8PathBuf {
    let of_the_system = Utf8Path::new("/usr/bin/python3");
    if of_the_system.exists() { of_the_system.to_owned() } else { "python3".into() }
}
