//! Which parts of an interpreter's folder a run sees.
//!
//! In: an interpreter, or the folders that a job shows. Out: folders to show, and paths in them to hide. An interpreter
//! may lie in a folder of much else: an environment that was made in a project's own folder, or in a home.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use super::{Interpreter, read_only};
use crate::process::names::{path_of, text_of};
use crate::process::{Access, Mount};
use crate::source::credentials::Credentials;

/// Folders that programs, libraries and their data lie in. Not among them: settings (`etc`, `conda-meta`, `pip.conf`),
/// which may hold logins and tokens, and other environments.
const FOLDERS: [&str; 20] = [
    "bin",
    "lib",
    "lib32",
    "lib64",
    "libexec",
    "include",
    "share",
    "ssl",
    "etc/fonts",
    "etc/OpenCL",
    "fonts",
    "plugins",
    "translations",
    "resources",
    "qml",
    "mkspecs",
    "nvvm",
    "targets",
    "x86_64-conda-linux-gnu",
    "aarch64-conda-linux-gnu",
];
/// The file that marks a virtual environment.
const MARK: &str = "pyvenv.cfg";
/// Most libraries beside Python's own that are shown one by one.
const MOST_LIBRARIES: usize = 256;
/// Exceptions to the list of credentials, for folders of programs: certificates that everybody may know are none (with
/// `!`); `runtime` is one there, though elsewhere it is not.
const AMONG_PROGRAMS: [&str; 5] =
    ["!cacert.pem", "!cert.pem", "!ca-bundle*.pem", "!roots.pem", "runtime"];
/// Most names below one folder that are looked at.
const MOST_NAMES: usize = 500_000;

/// The parts of a prefix that a run needs. Of a home, and of a folder that holds the notebook as well, only what is
/// Python's own.
pub(super) fn mounts(
    prefix: &Utf8Path,
    interpreter: &Interpreter,
    notebook: Option<&Utf8Path>,
) -> Vec<Mount> {
    // The system's folders are shown anyway.
    if prefix.starts_with("/usr") || prefix == "/" {
        return Vec::new();
    }
    let (major, minor) = interpreter.minor;
    let mut paths = if is_shared(prefix, notebook) {
        let own = ["lib", "lib64", "include"].map(|it| format!("{it}/python{major}.{minor}"));
        let mut paths: Vec<Utf8PathBuf> = own.into_iter().map(|it| prefix.join(it)).collect();
        paths.push(prefix.join("bin"));
        paths.extend(libraries(&prefix.join("lib")));
        paths
    } else {
        FOLDERS.into_iter().map(|it| prefix.join(it)).collect()
    };
    paths.push(prefix.join(MARK));
    paths.retain(|it| it.exists());
    paths.iter().map(|it| read_only(it, it)).collect()
}

/// Whether more than an interpreter lies in a folder.
fn is_shared(prefix: &Utf8Path, notebook: Option<&Utf8Path>) -> bool {
    let real = |path: &Utf8Path| path.canonicalize_utf8().unwrap_or_else(|_| path.to_owned());
    let prefix = real(prefix);
    let home = std::env::var("HOME").ok().filter(|it| it.starts_with('/'));
    let home = home.map(|it| real(Utf8Path::new(&it)));
    home.is_some_and(|it| it.starts_with(&prefix) || it.join(".local") == prefix)
        || notebook.is_some_and(|it| real(it).starts_with(&prefix))
}

/// The shared libraries in a folder.
fn libraries(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let entries = folder.read_dir_utf8().into_iter().flatten().filter_map(Result::ok);
    let is_library = |name: &str| name.starts_with("lib") && name.contains(".so");
    let mut found: Vec<Utf8PathBuf> = entries
        .filter(|it| is_library(it.file_name()))
        .map(camino::Utf8DirEntry::into_path)
        .filter(|it| it.is_file())
        .collect();
    found.sort();
    found.truncate(MOST_LIBRARIES);
    found
}

/// The paths inside that are hidden in what a job shows of interpreters and of environments that nbc did not install:
/// those that lie where they lie on the host.
///
/// # Errors
/// When a folder cannot be looked through.
pub fn hidden(mounts: &[Mount]) -> io::Result<Vec<Utf8PathBuf>> {
    let credentials = Credentials::with(&AMONG_PROGRAMS).map_err(io::Error::other)?;
    let mut hidden = Vec::new();
    for mount in mounts.iter().filter(|it| it.host == it.inside && it.access == Access::ReadOnly) {
        let is_of_python = |it: &str| it.starts_with("python3.");
        if mount.host.is_dir() && !mount.host.file_name().is_some_and(is_of_python) {
            Programs { credentials: &credentials, names: 0, hidden: &mut hidden }
                .below(&mount.host)?;
        }
    }
    Ok(hidden)
}

struct Programs<'a> {
    credentials: &'a Credentials,
    names: usize,
    hidden: &'a mut Vec<Utf8PathBuf>,
}

impl Programs<'_> {
    /// Adds what is hidden below a folder; false if nobody can say what is in it. Python's own library, and its packages,
    /// are not looked through: an installer writes those.
    fn below(&mut self, folder: &Utf8Path) -> io::Result<bool> {
        let place = path_of(folder);
        let entries = match fs_err::read_dir(&place) {
            Ok(entries) if fs_err::symlink_metadata(place.join(".")).is_ok() => entries,
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            self.names += 1;
            if self.names > MOST_NAMES {
                let reason = format!(
                    "`{folder}` is in a folder of more than {MOST_NAMES} names: name an interpreter in an environment \
                     of its own with `--python PATH`"
                );
                return Err(io::Error::other(reason));
            }
            let name = text_of(&entry.file_name());
            let path = folder.join(&name);
            let is_folder = entry.file_type().is_ok_and(|it| it.is_dir());
            let is_hidden = self.credentials.hold(Utf8Path::new(&name), is_folder)
                || is_folder && !name.starts_with("python3.") && !self.below(&path)?;
            if is_hidden {
                self.hidden.push(path);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(names: &[&str]) -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
        for name in names {
            fs_err::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs_err::write(root.join(name), "").unwrap();
        }
        (folder, root)
    }

    fn shown(root: &Utf8Path, notebook: Option<&Utf8Path>) -> Vec<String> {
        let interpreter = Interpreter {
            program: root.join("bin/python"),
            version: "3.11.7".to_owned(),
            minor: (3, 11),
            base_prefix: root.to_owned(),
            virtual_environment: None,
            is_final: true,
        };
        let mounts = mounts(root, &interpreter, notebook);
        let mut all: Vec<String> =
            mounts.iter().map(|it| it.host.strip_prefix(root).unwrap().to_string()).collect();
        all.sort();
        all
    }

    #[test]
    fn of_a_prefix_only_programs_and_libraries_are_shown() {
        let (_folder, root) = made(&[
            "bin/python",
            "lib/python3.11/os.py",
            "lib/libpython3.11.so.1.0",
            "lib/mine/notes.txt",
            "share/a",
            "pyvenv.cfg",
            ".env",
            ".git/config",
            "id_rsa",
            "etc/pip.conf",
            "conda-meta/history",
            "envs/other/x",
            "pip.conf",
            "nb/nb.ipynb",
        ]);
        assert_eq!(shown(&root, None), ["bin", "lib", "pyvenv.cfg", "share"]);
        let elsewhere = root.parent().unwrap();
        assert_eq!(shown(&root, Some(elsewhere)), shown(&root, None));
        let own = ["bin", "lib/libpython3.11.so.1.0", "lib/python3.11", "pyvenv.cfg"];
        assert_eq!(shown(&root, Some(&root.join("nb"))), own);
        assert_eq!(shown(&root, Some(&root)), own);
    }

    #[test]
    fn a_folder_of_an_interpreter_keeps_its_packages_and_no_credentials() {
        let (_folder, root) = made(&[
            "lib/python3.11/site-packages/certifi/x.pem",
            "lib/python3.11/site-packages/x/.env",
            "lib/cert.pem",
            "lib/own.pem",
            "lib/x/.env",
            "lib/keyrings/login",
            "lib/libx.so",
        ]);
        let mut found = hidden(&[read_only(&root.join("lib"), &root.join("lib"))]).unwrap();
        found.sort();
        assert_eq!(found, ["lib/keyrings", "lib/own.pem", "lib/x/.env"].map(|it| root.join(it)));
        let installed = read_only(&root.join("lib"), Utf8Path::new("/env"));
        assert!(hidden(&[installed]).unwrap().is_empty());
    }
}
