//! The runner's files: Python, compiled into nbc.
//!
//! They are a package of their own in `runner/` of the repository; see `runner/main.py`.

/// Text of a file of the runner, by its path below `runner/`.
macro_rules! files {
    ($($path:literal,)*) => {
        &[$(($path, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/runner/", $path))),)*]
    };
}

/// The runner: paths and texts of the files that nbc puts into one folder, which the sandbox shows
/// as `/runner`. `main.py` is started as `PYTHON -s /runner/main.py`.
pub const RUNNER_FILES: &[(&str, &str)] = files![
    "main.py",
    "matplotlibrc",
    "nbc_runner/__init__.py",
    "nbc_runner/bundles.py",
    "nbc_runner/charts.py",
    "nbc_runner/console.py",
    "nbc_runner/conversation.py",
    "nbc_runner/engine/__init__.py",
    "nbc_runner/engine/ipython.py",
    "nbc_runner/engine/marimo.py",
    "nbc_runner/engine/plain.py",
    "nbc_runner/errors.py",
    "nbc_runner/imports.py",
    "nbc_runner/inputs/__init__.py",
    "nbc_runner/inputs/ipython.py",
    "nbc_runner/inputs/marimo.py",
    "nbc_runner/inputs/rows.py",
    "nbc_runner/inputs/values.py",
    "nbc_runner/inputs/widgets.py",
    "nbc_runner/protocol/__init__.py",
    "nbc_runner/protocol/channel.py",
    "nbc_runner/protocol/constants.py",
    "nbc_runner/protocol/messages.py",
    "nbc_runner/session.py",
    "nbc_runner/states/__init__.py",
    "nbc_runner/states/child.py",
    "nbc_runner/states/explore.py",
    "nbc_runner/states/plan.py",
    "nbc_runner/states/processes.py",
    "nbc_runner/states/replay.py",
    "nbc_runner/states/traces.py",
    "nbc_runner/states/wire.py",
    "nbc_runner/uncaught.py",
    "nbc_runner/warm.py",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_of_the_package_reaches_the_sandbox() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/runner/nbc_runner");
        let found = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap).filter_map(|it| {
            let path = it.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            path.ends_with(".py").then(|| format!("nbc_runner/{path}"))
        });
        let listed = RUNNER_FILES.iter().map(|(path, _)| (*path).to_owned());
        let found: BTreeSet<_> = found.collect();
        let mut listed: BTreeSet<_> = listed.collect();
        assert!(listed.remove("main.py") && listed.remove("matplotlibrc"));
        assert_eq!(found, listed);
    }
}
