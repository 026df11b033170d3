//! Identity of an environment, for the keys of runs: two with one identity give a run the same.

use std::collections::BTreeMap;

use camino::Utf8Path;

use super::Interpreter;
use crate::cache::{Cache, Trees};

/// Everything that an environment is, part by part: names, each with a digest or a version.
pub type Identity = BTreeMap<String, String>;

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
) -> Option<Identity> {
    let real = interpreter.program.canonicalize_utf8().ok()?;
    let program = trees.digest(cache, &real, &[]).ok()?;
    let mut identity: Identity = [
        ("architecture", std::env::consts::ARCH),
        ("python", &interpreter.version),
        ("python prefix", interpreter.base_prefix.as_str()),
        ("python program", program.as_str()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    for path in SYSTEM {
        let real = Utf8Path::new(path).canonicalize_utf8();
        let digest = real.ok().and_then(|it| trees.digest(cache, &it, &[]).ok());
        let digest = digest.map(|it| it.as_str().to_owned()).unwrap_or_default();
        identity.insert(format!("system {path}"), digest);
    }
    Some(identity)
}
