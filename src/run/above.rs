//! Files of other folders of the project that a notebook names in `inputs`: `../data/x.csv`.
//!
//! In: a pattern, the notebook's folder, the folder that is built. Out: the file or folder of the host, or the reason
//! why it cannot be shown. Nothing outside of the folder that is built is shown, and no credentials: the patterns may
//! have come with the notebook.

#[cfg(unix)]
use std::os::unix::fs::FileTypeExt as _;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::hidden;

/// Why a path of another folder cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AboveError {
    /// It has a wildcard, or `..` in the middle.
    #[error(
        "`{0}` of `inputs` names files of another folder by a pattern: name one file or folder, such as `../data`"
    )]
    Pattern(String),
    /// It leads out of the folder that is built, perhaps by a link.
    #[error(
        "`{pattern}` of `inputs` lies outside of `{root}`, the folder that is built: build a folder that holds both, or \
         show it with `--read PATH`"
    )]
    Outside {
        /// Pattern, as the author wrote it.
        pattern: String,
        /// The folder that is built.
        root: Utf8PathBuf,
    },
    /// The notebook's own folder lies in it, or it is a part of that folder.
    #[error(
        "`{0}` of `inputs` holds the notebook, or lies in its own folder: name what the notebook reads there"
    )]
    Own(String),
    /// It is a socket, a device or a pipe.
    #[error("`{0}` of `inputs` is neither a folder nor a plain file")]
    NoFile(String),
    /// Something else is there.
    #[error("`{pattern}` of `inputs` would be `{inside}` for the notebook, and there is {what}")]
    Taken {
        /// Pattern, as the author wrote it.
        pattern: String,
        /// Path inside that it needs.
        inside: Utf8PathBuf,
        /// Thing that already lies there.
        what: String,
    },
}

/// A path that a pattern names.
#[derive(Debug)]
pub struct NamedPath {
    /// The path, whether it is there or not.
    pub named: Utf8PathBuf,
    /// Its target, free of links; `None` if it does not exist, or no run may see it.
    pub host: Option<Utf8PathBuf>,
}

/// Whether a pattern of `inputs` leads out of the notebook's folder.
#[must_use]
pub fn is_above(pattern: &str) -> bool {
    let pattern = pattern.strip_prefix('!').unwrap_or(pattern);
    pattern == ".." || pattern.starts_with("../")
}

/// Finds what a pattern names. `folder` is free of links; `own` are paths that no run sees.
///
/// # Errors
/// When it is no plain path, lies outside of the folder that is built, or holds the notebook.
pub fn find(
    pattern: &str,
    folder: &Utf8Path,
    root: Option<&Utf8Path>,
    own: &[Utf8PathBuf],
) -> Result<NamedPath, AboveError> {
    if pattern.contains(['*', '?', '[', '\\']) || pattern.starts_with('!') {
        return Err(AboveError::Pattern(pattern.to_owned()));
    }
    let root = root.and_then(|it| it.canonicalize_utf8().ok());
    let root = root.filter(|it| folder.starts_with(it)).unwrap_or_else(|| folder.to_owned());
    let outside = || AboveError::Outside { pattern: pattern.to_owned(), root: root.clone() };
    let mut named = folder.to_owned();
    let mut is_down = false;
    for component in Utf8Path::new(pattern).components() {
        match component {
            Utf8Component::ParentDir if !is_down => {
                if !named.pop() || !named.starts_with(&root) {
                    return Err(outside());
                }
            }
            Utf8Component::Normal(name) => {
                is_down = true;
                named.push(name);
            }
            Utf8Component::CurDir => {}
            _ => return Err(AboveError::Pattern(pattern.to_owned())),
        }
    }
    let Ok(host) = named.canonicalize_utf8() else { return Ok(NamedPath { named, host: None }) };
    if !host.starts_with(&root) {
        return Err(outside());
    }
    if [&named, &host].iter().any(|it| it.starts_with(folder) || folder.starts_with(it)) {
        return Err(AboveError::Own(pattern.to_owned()));
    }
    let Ok(kind) = fs_err::metadata(&host).map(|it| it.file_type()) else {
        return Ok(NamedPath { named, host: None });
    };
    #[cfg(unix)]
    let is_special = kind.is_socket() || kind.is_fifo() || kind.is_char_device();
    #[cfg(not(unix))]
    let is_special = false;
    if is_special || !(kind.is_file() || kind.is_dir()) {
        return Err(AboveError::NoFile(pattern.to_owned()));
    }
    // The name that the author wrote, and the one that a link has it lead to.
    let is_hidden = [&named, &host].iter().any(|it| {
        it.strip_prefix(&root).is_ok_and(|it| hidden::is_never_shown(it, kind.is_dir()))
            || own.iter().any(|own| it.starts_with(own))
    });
    Ok(NamedPath { named, host: (!is_hidden).then_some(host) })
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Resolves a pattern for a notebook in `p/in/deep`, of which `p/in` or another folder is built.
    fn found(pattern: &str, built: &str) -> String {
        let outer = tempfile::tempdir().unwrap();
        let outer = Utf8Path::from_path(outer.path()).unwrap().canonicalize_utf8().unwrap();
        for name in [
            "p/in/deep/own.csv",
            "p/in/data/x.csv",
            "p/in/.env",
            "p/in/secrets/a",
            "p/in/.app/b",
            "p/out.csv",
        ] {
            fs_err::create_dir_all(outer.join(name).parent().unwrap()).unwrap();
            fs_err::write(outer.join(name), "").unwrap();
        }
        symlink("../out.csv", outer.join("p/in/leads-out.csv")).unwrap();
        symlink("/etc", outer.join("p/in/etc")).unwrap();
        symlink(".env", outer.join("p/in/innocent.csv")).unwrap();
        symlink("data", outer.join("p/in/link")).unwrap();
        symlink("deep", outer.join("p/in/back")).unwrap();
        let own = [outer.join("p/in/site")];
        let built = outer.join(built);
        match find(pattern, &outer.join("p/in/deep"), Some(&built), &own) {
            Ok(it) => {
                it.host.map_or("nothing".into(), |it| it.as_str().replace(outer.as_str(), "~"))
            }
            Err(error) => error.to_string().replace(outer.as_str(), "~"),
        }
    }

    #[test]
    fn a_file_below_the_folder_that_is_built_is_found() {
        assert_eq!(found("../data/x.csv", "p/in"), "~/p/in/data/x.csv");
        assert_eq!(found("../data", "p/in"), "~/p/in/data");
        assert_eq!(found("../link/x.csv", "p/in"), "~/p/in/data/x.csv");
        assert_eq!(found("../.app/b", "p/in"), "~/p/in/.app/b");
        assert_eq!(found("../../out.csv", "p"), "~/p/out.csv");
        assert_eq!(found("../leads-out.csv", "p"), "~/p/out.csv");
        assert_eq!(found("../none.csv", "p/in"), "nothing");
    }

    #[test]
    fn nothing_else_is() {
        for pattern in
            ["../../out.csv", "../leads-out.csv", "../etc/passwd", "../../../../../etc/passwd"]
        {
            assert!(found(pattern, "p/in").contains("outside of `~/p/in`"), "{pattern}");
        }
        // A notebook that was named itself: its own folder is all.
        assert!(found("../data/x.csv", "p/in/deep").contains("outside of `~/p/in/deep`"));
        for pattern in ["../.env", "../secrets", "../secrets/a", "../innocent.csv"] {
            assert_eq!(found(pattern, "p/in"), "nothing", "{pattern}");
        }
        for pattern in ["../*.csv", "!../data", "../data/../.env"] {
            assert!(found(pattern, "p/in").contains("by a pattern"), "{pattern}");
        }
        for pattern in ["..", "../", "../deep/own.csv", "../back/own.csv"] {
            assert!(found(pattern, "p/in").contains("holds the notebook"), "{pattern}");
        }
    }
}
