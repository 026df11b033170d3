//! Identity of an environment, for the keys of runs: two with one identity give a run the same.

use camino::Utf8Path;

use super::Interpreter;
use crate::cache::{Cache, KeyBuilder, Trees};

/// Lists of what is installed, of package managers of Linux: the system's libraries and fonts, which runs can read.
const SYSTEM: [&str; 5] = [
    "/etc/os-release",
    "/var/lib/dpkg/status",
    "/var/lib/rpm/rpmdb.sqlite",
    "/lib/apk/db/installed",
    "/var/lib/pacman/local/ALPM_DB_VERSION",
];

/// The system and an interpreter: its program's bytes stand for its standard library.
pub(super) fn of_interpreter(
    cache: &Cache,
    trees: &Trees,
    interpreter: &Interpreter,
) -> Option<String> {
    let real = interpreter.program.canonicalize_utf8().ok()?;
    let program = trees.digest(cache, &real, &[]).ok()?;
    let mut key = KeyBuilder::new("interpreter")
        .text("architecture", std::env::consts::ARCH)
        .text("version", &interpreter.version)
        .text("prefix", interpreter.base_prefix.as_str())
        .text("program", program.as_str());
    for path in SYSTEM {
        let path = Utf8Path::new(path).canonicalize_utf8();
        let digest = path.ok().and_then(|it| trees.digest(cache, &it, &[]).ok());
        key = key.text("system", digest.as_ref().map_or("", |it| it.as_str()));
    }
    Some(key.end().as_str().to_owned())
}
