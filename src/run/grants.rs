//! Grants of the user for a run, as mounts and variables of the sandbox.
//!
//! In: hosts, paths, variables and secrets that flags name. Out: mounts, variables and [`Openings`], or the
//! reason why a path cannot be shown. Looks at the disk, and changes nothing.

use std::collections::BTreeMap;
use std::io;
#[cfg(unix)]
use std::os::unix::fs::FileTypeExt as _;
use std::sync::{Arc, Mutex, PoisonError};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::above::{self, AboveError, NamedPath};
use super::hidden::{self, HiddenError, Listed, Outline};
use super::plan::{NOTEBOOK_FOLDER, RUNNER_FOLDER};
use super::reach::Reach;
use crate::environment;
use crate::process::network::PROXY_PORT;
use crate::process::{Access, AllowedHost, Mount, Openings};
use crate::secret::Secret;
#[cfg(doc)]
use crate::source::credentials::CREDENTIALS;

/// Grants of the user, for all notebooks of a build.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// Hosts that can be reached.
    pub hosts: Vec<AllowedHost>,
    /// Files and folders that can be read.
    pub reads: Vec<Utf8PathBuf>,
    /// Variables.
    pub variables: BTreeMap<String, Secret>,
    /// Files in `/run/secrets`.
    pub files: BTreeMap<String, Secret>,
    /// Seconds since 1970 that stand for the time of the build: `SOURCE_DATE_EPOCH` of reproducible-builds.org.
    pub source_date: Option<u64>,
    /// Paths that this build itself makes, or that only nbc reads: no run needs them.
    pub own_paths: Vec<Utf8PathBuf>,
    /// Outlines of folders: a folder of many notebooks is looked through once.
    pub outlines: Arc<Mutex<BTreeMap<Utf8PathBuf, Arc<Outline>>>>,
}

/// Grants as they apply to one notebook.
#[derive(Debug, Default)]
pub struct AppliedGrants {
    /// Mounts beside those of every run.
    pub mounts: Vec<Mount>,
    /// Variables that are no secrets.
    pub variables: Vec<(&'static str, String)>,
    /// The rest.
    pub openings: Openings,
    /// Paths of this notebook alone, see [`super::RunPlan::apart`].
    pub apart: Vec<Utf8PathBuf>,
    /// Files of the host whose contents, or absence, decided about the mounts.
    pub decided: Vec<Utf8PathBuf>,
}

/// Why a path cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// It cannot be looked at.
    #[error("`--read {path}` cannot be shown to the notebook: {source}")]
    Unreadable {
        /// Path, as the user wrote it.
        path: Utf8PathBuf,
        /// Answer of the system.
        source: io::Error,
    },
    /// It is a socket, a device or a pipe.
    #[error("`--read {path}` is neither a folder nor a plain file")]
    NoFile {
        /// Path, as the user wrote it.
        path: Utf8PathBuf,
    },
    /// The notebook's folder cannot be shown without what is hidden in it.
    #[error(transparent)]
    Hidden(#[from] HiddenError),
    /// A file of another folder that `inputs` names cannot be shown.
    #[error(transparent)]
    Above(#[from] AboveError),
    /// The interpreter's folders cannot be shown without credentials in them.
    #[error("the folders of the interpreter cannot be looked through for credentials")]
    Programs(#[source] io::Error),
    /// Something else is there.
    #[error("`--read {path}` would be `{inside}` for the notebook, and there is {what}")]
    Taken {
        /// Path, as the user wrote it.
        path: Utf8PathBuf,
        /// Path inside that it needs.
        inside: Utf8PathBuf,
        /// Thing that already lies there.
        what: String,
    },
}

/// Variable with the time that programs write into files, in place of the present one.
pub(super) const SOURCE_DATE: &str = "SOURCE_DATE_EPOCH";

/// Folders inside that are not the user's. Those of the system are shown as they are.
const SYSTEM: [&str; 10] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/proc", "/dev", "/run/secrets"];
/// Folders of the system that show the host's own.
const SHOWN: [&str; 6] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"];

/// Files with trusted certificates, by distribution; the first that exists counts.
const CERTIFICATES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Path inside of the trusted certificates.
const CERTIFICATES_INSIDE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Part of its own folder that a notebook sees.
#[derive(Debug, Clone, Copy)]
pub enum Shown<'a> {
    /// All but names with a dot, [`CREDENTIALS`], files for nbc only, and other notebooks that its code does not name.
    Folder(&'a Reach),
    /// Itself, and what these patterns name, written as in `.gitignore`.
    Inputs {
        /// Name of the notebook's file.
        notebook: &'a str,
        /// The patterns; those that begin with `../` name files of other folders.
        patterns: &'a [String],
        /// The folder that is built, below which those lie; `None`: it is the notebook's own.
        root: Option<&'a Utf8Path>,
    },
}

/// Applies the grants to one notebook, beside the mounts that it has anyway.
///
/// # Errors
/// When a path cannot be shown, or a pattern cannot be read; see [`GrantError`].
pub fn open(
    grants: &Grants,
    notebook: &Utf8Path,
    present: &[Mount],
    shown: Shown<'_>,
) -> Result<AppliedGrants, GrantError> {
    let mut opened = AppliedGrants::default();
    let folder = notebook.parent().unwrap_or(notebook);
    let folder = folder.canonicalize_utf8().unwrap_or_else(|_| folder.to_owned());
    let mut extra = ExtraMounts { folder: &folder, present, mounts: Vec::new() };
    for path in &grants.reads {
        extra.add(path)?;
    }
    opened.mounts = extra.mounts;
    // A notebook may have been put beside the logins of its user.
    let shown = match (shown, notebook.file_name()) {
        (_, Some(name)) if hidden::is_of_credentials(&folder) => {
            Shown::Inputs { notebook: name, patterns: &[], root: None }
        }
        (shown, _) => shown,
    };
    let mut hidden = hidden_in_folder(grants, notebook, &folder, shown, &mut opened)?;
    // A folder that the user names is shown whole.
    let whole = opened.mounts.clone();
    hidden.retain(|it| !is_below_one(it, &whole));
    if let Shown::Inputs { patterns, root, .. } = shown {
        let own: Vec<_> = grants.own_paths.iter().filter_map(|it| placed(it)).collect();
        for pattern in patterns.iter().filter(|it| above::is_above(it)) {
            let place = above::find(pattern, &folder, root, &own)?;
            let inside = inside(&folder, &place.named);
            if !is_below_one(&inside, &whole) {
                let shown = show(&place, &inside, &own, present, &mut opened);
                hidden.extend(shown.map_err(|it| it.of_pattern(pattern, inside))?);
            }
        }
    }
    hidden.extend(environment::hidden(present).map_err(GrantError::Programs)?);
    opened.openings = Openings {
        hosts: grants.hosts.clone(),
        hidden,
        variables: grants.variables.clone(),
        files: grants.files.clone(),
    };
    opened.variables.extend(grants.source_date.map(|it| (SOURCE_DATE, it.to_string())));
    if !grants.hosts.is_empty() {
        open_network(&mut opened);
    }
    Ok(opened)
}

/// The paths inside that a notebook does not see of its own folder.
fn hidden_in_folder(
    grants: &Grants,
    notebook: &Utf8Path,
    folder: &Utf8Path,
    shown: Shown<'_>,
    opened: &mut AppliedGrants,
) -> Result<Vec<Utf8PathBuf>, GrantError> {
    match shown {
        Shown::Folder(reach) => Ok(beside(grants, notebook, folder, reach, opened)?),
        Shown::Inputs { notebook, patterns, .. } => {
            let own: Vec<String> =
                patterns.iter().filter(|it| !above::is_above(it)).cloned().collect();
            let listed = Listed::new(notebook, &own)?;
            let own = own_below(folder, &grants.own_paths);
            let outline = hidden::below(folder, &own, Some(&listed))?;
            opened.decided.extend(outline.decided.iter().map(|it| folder.join(it)));
            Ok(inside_folder(&with_own(&outline.hidden, own)))
        }
    }
}

/// Whether a path inside is shown by one of these mounts.
fn is_below_one(path: &Utf8Path, mounts: &[Mount]) -> bool {
    mounts.iter().any(|mount| path.starts_with(&mount.inside))
}

/// Adds what programs need to find nbc's proxy, and to trust hosts behind it.
fn open_network(opened: &mut AppliedGrants) {
    let proxy = format!("http://127.0.0.1:{PROXY_PORT}");
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"] {
        opened.variables.push((name, proxy.clone()));
    }
    for name in ["no_proxy", "NO_PROXY"] {
        opened.variables.push((name, String::new()));
    }
    let bundles = CERTIFICATES.iter().map(Utf8Path::new);
    if let Some(bundle) = bundles.filter_map(|it| it.canonicalize_utf8().ok()).next() {
        let inside = CERTIFICATES_INSIDE.into();
        opened.mounts.push(Mount { host: bundle, inside, access: Access::ReadOnly });
        for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"] {
            opened.variables.push((name, CERTIFICATES_INSIDE.to_owned()));
        }
    }
}

/// Why a file of another folder is not shown.
enum NotShown {
    /// Something else is there.
    Taken(String),
    /// It cannot be shown without what is hidden in it.
    Hidden(HiddenError),
}

impl NotShown {
    /// The error about the pattern that names the file, which needs this path inside.
    fn of_pattern(self, pattern: &str, inside: Utf8PathBuf) -> GrantError {
        match self {
            Self::Taken(what) => {
                AboveError::Taken { pattern: pattern.to_owned(), inside, what }.into()
            }
            Self::Hidden(error) => error.into(),
        }
    }
}

/// Shows a file or folder of another folder of the project; gives the paths inside that are hidden in it.
fn show(
    place: &NamedPath,
    inside: &Utf8Path,
    own: &[Utf8PathBuf],
    present: &[Mount],
    opened: &mut AppliedGrants,
) -> Result<Vec<Utf8PathBuf>, NotShown> {
    if place.host.as_ref() != Some(&place.named) {
        opened.decided.push(place.named.clone());
    }
    let Some(host) = &place.host else { return Ok(Vec::new()) };
    let mounts = std::mem::take(&mut opened.mounts);
    let mut extra = ExtraMounts { folder: host, present, mounts };
    let put = extra.put(host, inside);
    opened.mounts = extra.mounts;
    put.map_err(NotShown::Taken)?;
    if !host.is_dir() {
        return Ok(Vec::new());
    }
    let own = own_below(host, own);
    let outline = hidden::below(host, &own, None).map_err(NotShown::Hidden)?;
    opened.decided.extend(outline.decided.iter().map(|it| host.join(it)));
    Ok(with_own(&outline.hidden, own).iter().map(|it| inside.join(it)).collect())
}

/// The paths inside that a notebook without `inputs` does not see of its folder.
fn beside(
    grants: &Grants,
    notebook: &Utf8Path,
    folder: &Utf8Path,
    reach: &Reach,
    opened: &mut AppliedGrants,
) -> Result<Vec<Utf8PathBuf>, HiddenError> {
    let own = own_below(folder, &grants.own_paths);
    let mut known = grants.outlines.lock().unwrap_or_else(PoisonError::into_inner);
    let outline = match known.get(folder) {
        Some(outline) => Arc::clone(outline),
        None => {
            let outline = Arc::new(hidden::below(folder, &own, None)?);
            // Evidence is noted once for all notebooks of the folder.
            opened.decided.extend(outline.decided.iter().map(|it| folder.join(it)));
            known.insert(folder.to_owned(), Arc::clone(&outline));
            outline
        }
    };
    drop(known);
    let name = Utf8Path::new(notebook.file_name().unwrap_or_default());
    // It may be a link to another file of its folder.
    let target = notebook.canonicalize_utf8().unwrap_or_default();
    let target = target.strip_prefix(folder).unwrap_or(name);
    let seen = outline.seen_by(folder, &[name, target], reach);
    let others = outline.notebooks.iter().filter(|it| seen.binary_search(it).is_err());
    let mut hidden = with_own(&outline.hidden, own);
    hidden.extend(others.cloned());
    opened.apart = inside_folder(&seen);
    Ok(inside_folder(&hidden))
}

/// Those of some paths of the host that lie below a folder, relative to it.
fn own_below(folder: &Utf8Path, paths: &[Utf8PathBuf]) -> Vec<Utf8PathBuf> {
    let placed = paths.iter().filter_map(|it| placed(it));
    let below = placed.filter_map(|it| it.strip_prefix(folder).ok().map(ToOwned::to_owned));
    below.filter(|it| !it.as_str().is_empty()).collect()
}

/// A path in a folder that is free of links; `None` if there is no such folder.
fn placed(path: &Utf8Path) -> Option<Utf8PathBuf> {
    let parent = path.parent().filter(|it| !it.as_str().is_empty());
    let parent = parent.unwrap_or(Utf8Path::new(".")).canonicalize_utf8().ok()?;
    Some(parent.join(path.file_name()?))
}

/// The hidden paths, with those that nbc itself makes: the run must not see them once they are made, either.
fn with_own(hidden: &[Utf8PathBuf], mut own: Vec<Utf8PathBuf>) -> Vec<Utf8PathBuf> {
    let mut all = hidden.to_vec();
    own.retain(|it| !it.ancestors().any(|above| hidden.iter().any(|it| it == above)));
    all.extend(own);
    all.sort();
    all.dedup();
    all
}

fn inside_folder(paths: &[Utf8PathBuf]) -> Vec<Utf8PathBuf> {
    paths.iter().map(|it| Utf8Path::new(NOTEBOOK_FOLDER).join(it)).collect()
}

struct ExtraMounts<'a> {
    folder: &'a Utf8Path,
    present: &'a [Mount],
    mounts: Vec<Mount>,
}

impl ExtraMounts<'_> {
    fn add(&mut self, path: &Utf8Path) -> Result<(), GrantError> {
        let unreadable = |source| GrantError::Unreadable { path: path.to_owned(), source };
        // Looked up once: what the sandbox opens afterwards has no link in it.
        let host = path.canonicalize_utf8().map_err(unreadable)?;
        let kind = fs_err::metadata(&host).map_err(unreadable)?.file_type();
        #[cfg(unix)]
        let is_special = kind.is_socket() || kind.is_fifo() || kind.is_char_device();
        #[cfg(not(unix))]
        let is_special = false;
        if is_special || !(kind.is_file() || kind.is_dir()) {
            return Err(GrantError::NoFile { path: path.to_owned() });
        }
        if SHOWN.iter().any(|it| host.starts_with(it)) {
            return Ok(());
        }
        let named = named_place(path, &host).map_err(unreadable)?;
        let is_own_link = named != host && named.starts_with(self.folder);
        let beside = [inside(self.folder, &named), inside(self.folder, &host)];
        let mut found = 0;
        let mut refusal = None;
        // A link in the notebook's own folder stays, and leads to where its target is shown.
        for (idx, place) in beside.into_iter().enumerate().skip(usize::from(is_own_link)) {
            match self.put(&host, &place) {
                Ok(()) => found += 1,
                Err(what) if idx == 0 => {
                    return Err(GrantError::Taken { path: path.to_owned(), inside: place, what });
                }
                Err(what) => refusal = Some((place, what)),
            }
        }
        if self.put(&host, &host).is_ok() {
            found += 1;
        }
        match refusal {
            Some((inside, what)) if found == 0 => {
                Err(GrantError::Taken { path: path.to_owned(), inside, what })
            }
            _ => Ok(()),
        }
    }

    /// Mounts `host` at a path inside. The error names the thing that already lies there.
    fn put(&mut self, host: &Utf8Path, place: &Utf8Path) -> Result<(), String> {
        if let Some(system) = SYSTEM.iter().find(|it| place.starts_with(it)) {
            return Err(format!("the system's folder `{system}`"));
        }
        let own = ["/", "/tmp", "/run", NOTEBOOK_FOLDER];
        if own.iter().any(|it| place == *it) || place.starts_with(RUNNER_FOLDER) {
            return Err("a folder of the sandbox".to_owned());
        }
        for mount in self.present {
            if place.starts_with(&mount.inside) || mount.inside.starts_with(place) {
                return Err(format!("`{}`, which the run needs", mount.inside));
            }
        }
        for mount in &self.mounts {
            let (inner, outer) = if place.starts_with(&mount.inside) {
                ((host, place), (mount.host.as_path(), mount.inside.as_path()))
            } else if mount.inside.starts_with(place) {
                ((mount.host.as_path(), mount.inside.as_path()), (host, place))
            } else {
                continue;
            };
            // One shows a part of what the other shows, at the place where it is anyway.
            let below = inner.1.strip_prefix(outer.1).unwrap_or(inner.1);
            if inner.0.strip_prefix(outer.0).ok() != Some(below) {
                return Err("another `--read`".to_owned());
            }
            if mount.inside == place {
                return Ok(());
            }
        }
        let (host, inside) = (host.to_owned(), place.to_owned());
        self.mounts.push(Mount { host, inside, access: Access::ReadOnly });
        Ok(())
    }
}

/// The path as the user names it, its folder free of links.
fn named_place(path: &Utf8Path, host: &Utf8Path) -> io::Result<Utf8PathBuf> {
    let Some(name) = path.file_name() else { return Ok(host.to_owned()) };
    let parent = path.parent().filter(|it| !it.as_str().is_empty());
    Ok(parent.unwrap_or(Utf8Path::new(".")).canonicalize_utf8()?.join(name))
}

/// Path inside that a notebook reaches by `..` from its own folder, as on the host. The root has no folder above it,
/// so further `..` stay there.
fn inside(folder: &Utf8Path, path: &Utf8Path) -> Utf8PathBuf {
    let mut above = folder.components().peekable();
    let mut rest = path.components().peekable();
    while above.peek().is_some() && above.peek() == rest.peek() {
        above.next();
        rest.next();
    }
    let is_below = above.peek().is_none();
    let base = if is_below { NOTEBOOK_FOLDER } else { "/" };
    let names = rest.filter(|it| matches!(it, Utf8Component::Normal(_)));
    names.fold(Utf8PathBuf::from(base), |place, name| place.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_keeps_its_place_relative_to_the_notebook() {
        let check = |path: &str| inside(Utf8Path::new("/home/me/project"), Utf8Path::new(path));
        assert_eq!(check("/home/me/project/data/x"), "/nb/data/x");
        assert_eq!(check("/home/me/data"), "/data");
        assert_eq!(check("/srv/data"), "/srv/data");
        assert_eq!(check("/home/me/project"), "/nb");
        assert_eq!(check("/home/me"), "/");
    }

    /// Names of the mounts that reading these paths gives to a notebook in `project/`.
    fn opened(reads: &[&str]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap().canonicalize_utf8().unwrap();
        for name in ["project/.git", "project/site", "data/deep", "other/data", "env"] {
            fs_err::create_dir_all(root.join(name)).unwrap();
        }
        fs_err::write(root.join("project/.env.local"), "").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("../data", root.join("project/link")).unwrap();
        let grants = Grants {
            reads: reads.iter().map(|it| root.join(it)).collect(),
            own_paths: vec![root.join("project/site"), root.join("project/.site.nbc-lock")],
            ..Grants::default()
        };
        let host = root.join("env");
        let present = Mount { host, inside: "/env".into(), access: Access::ReadOnly };
        let shown = Shown::Folder(&Reach::default());
        let opened = open(&grants, &root.join("project/nb.py"), &[present], shown);
        let opened = opened.map_err(|it| it.to_string().replace(root.as_str(), "~"))?;
        let mounts = opened.mounts.iter();
        let mounts =
            mounts.map(|it| format!("{}={}", it.inside, it.host).replace(root.as_str(), "~"));
        let hidden = opened.openings.hidden.iter().map(|it| format!("-{it}"));
        Ok(mounts.chain(hidden).collect())
    }

    #[test]
    fn what_is_not_meant_for_the_run_is_hidden() {
        let always = ["-/nb/.env.local", "-/nb/.git", "-/nb/.site.nbc-lock", "-/nb/site"];
        assert_eq!(opened(&[]).unwrap(), always);
        let read = opened(&["project/.git"]).unwrap();
        assert_eq!(read.first().unwrap(), "/nb/.git=~/project/.git");
        assert!(!read.contains(&"-/nb/.git".to_owned()));
    }

    /// Paths that are hidden from a notebook with these inputs.
    fn hidden_beside(patterns: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap().canonicalize_utf8().unwrap();
        for name in ["data/old/a.csv", "data/b.csv", "data/b.txt", "other/c.csv", "nb.py", "x.py"] {
            fs_err::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs_err::write(root.join(name), "").unwrap();
        }
        let patterns: Vec<String> = patterns.iter().map(|it| (*it).to_owned()).collect();
        let shown = Shown::Inputs { notebook: "nb.py", patterns: &patterns, root: None };
        let opened = open(&Grants::default(), &root.join("nb.py"), &[], shown).unwrap();
        opened.openings.hidden.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn inputs_and_the_notebook_are_all_that_is_seen() {
        let check = |patterns: &[&str], hidden: &[&str]| {
            assert_eq!(hidden_beside(patterns), hidden, "{patterns:?}");
        };
        check(&[], &["/nb/data", "/nb/other", "/nb/x.py"]);
        check(&["data"], &["/nb/other", "/nb/x.py"]);
        check(&["data/", "!data/old"], &["/nb/data/old", "/nb/other", "/nb/x.py"]);
        check(&["*.csv"], &["/nb/data/b.txt", "/nb/x.py"]);
        check(&["data/*.csv"], &["/nb/data/b.txt", "/nb/data/old", "/nb/other", "/nb/x.py"]);
        check(&["*"], &[]);
        check(&["/c.csv", "elsewhere"], &["/nb/data", "/nb/other", "/nb/x.py"]);
    }

    #[test]
    fn a_path_is_shown_at_two_places() {
        for reads in [&["data"][..], &["data", "data/deep"], &["project/link"]] {
            let shown = opened(reads).unwrap();
            assert_eq!(shown.get(..2).unwrap(), ["/data=~/data", "~/data=~/data"]);
        }
    }

    #[test]
    fn a_clash_is_an_error() {
        let check = |reads: &[&str]| opened(reads).unwrap_err();
        assert_eq!(
            check(&["env"]),
            "`--read ~/env` would be `/env` for the notebook, and there is `/env`, which the run needs"
        );
        assert!(check(&["."]).ends_with("there is a folder of the sandbox"));
        assert!(check(&["nowhere"]).contains("No such file"));
        assert!(check(&["../../etc/passwd"]).ends_with("there is the system's folder `/etc`"));
        assert_eq!(
            check(&["../../dev/null"]),
            "`--read ~/../../dev/null` is neither a folder nor a plain file"
        );
    }
}
