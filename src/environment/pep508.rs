//! One requirement (PEP 508): a name, extras, versions or the address of a wheel, a marker, and hashes after it.
//!
//! In: a line that a notebook, a requirements file or a lock holds. Out: its parts, or the reason why an installer
//! never sees it. No reason quotes the line, which may be a line of any file. A grammar of its own, stricter than
//! that of the installers: they take options, paths, variables and file names in the same place.

use super::marker;
use super::names::normalized;

/// Ends of names that pip or uv take for a file, whatever stands before.
const ARCHIVES: [&str; 15] = [
    ".whl",
    ".zip",
    ".egg",
    ".tar",
    ".tar.gz",
    ".tgz",
    ".tar.bz2",
    ".tbz",
    ".tbz2",
    ".tar.xz",
    ".txz",
    ".tar.lz",
    ".tlz",
    ".tar.lzma",
    ".tar.zst",
];
/// Operators of versions; the longer ones first, where one begins like another.
const OPERATORS: [&str; 8] = ["===", "==", "~=", "!=", "<=", ">=", "<", ">"];

const NOT_ONE: &str =
    "is no requirement: a package by its name, with versions and a marker (PEP 508)";
const A_FILE: &str = "is the name of a file, not of a package";
const NO_WHEEL: &str = "is not a wheel on a server: nbc runs no code of a package to install it";
const OTHER_WHEEL: &str =
    "has the address of a wheel whose file name is none, or that of another package";
const NO_HASH: &str = "has an option: only `--hash` may stand after a package";

/// The parts of a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Requirement<'a> {
    /// The name as it is written.
    pub(super) name: &'a str,
    /// Extras between their brackets; empty without.
    pub(super) extras: &'a str,
    /// Version specifiers, separated by commas; empty without.
    pub(super) versions: &'a str,
    /// The address of a wheel, instead of versions.
    pub(super) address: Option<&'a str>,
    /// Whether hashes follow.
    pub(super) has_hashes: bool,
}

impl<'a> Requirement<'a> {
    /// Reads a line.
    pub(super) fn parse(line: &'a str) -> Result<Self, &'static str> {
        let (line, options) = line.split_at(line.find(" --").unwrap_or(line.len()));
        if !options.split_whitespace().all(is_hash) {
            return Err(NO_HASH);
        }
        // pip ends a line at each character that Unicode calls an end of one, a comment begins with ` #`, an option
        // with ` -`, and a variable with `$`.
        let is_text = |it: char| (it.is_ascii_graphic() || it == ' ') && it != '$' && it != '\\';
        if !line.chars().all(is_text) || line.contains(" -") || line.contains(" #") {
            return Err(NOT_ONE);
        }
        let line = line.trim();
        let (name, rest) = line.split_at(line.find(|it| !is_name_part(it)).unwrap_or(line.len()));
        if !is_name(name) {
            return Err(NOT_ONE);
        }
        let (extras, rest) = extras(rest.trim_start()).ok_or(NOT_ONE)?;
        if is_file(name) || extras.split(',').any(|it| is_file(it.trim())) {
            return Err(A_FILE);
        }
        let has_hashes = !options.is_empty();
        if let Some(rest) = rest.strip_prefix('@') {
            let address = address(name, rest.trim_start())?;
            return Ok(Self { name, extras, versions: "", address: Some(address), has_hashes });
        }
        let (versions, marker) = match rest.split_once(';') {
            Some((versions, marker)) => (versions, Some(marker)),
            None => (rest, None),
        };
        if marker.is_some_and(|it| !marker::is_marker(it)) {
            return Err(NOT_ONE);
        }
        let versions = versions_of(versions.trim()).ok_or(NOT_ONE)?;
        // The end decides: a file `six==1.0.zip` may lie beside the notebook.
        if versions.split(',').any(|it| is_file(it.trim())) {
            return Err(A_FILE);
        }
        Ok(Self { name, extras, versions, address: None, has_hashes })
    }
}

/// The name of a line, if it is one that may be shown.
pub(super) fn shown_name(text: &str) -> Option<&str> {
    Some(text).filter(|it| is_name(it))
}

fn is_hash(option: &str) -> bool {
    let hash = option.strip_prefix("--hash=").and_then(|it| it.split_once(':'));
    let is_plain = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric());
    hash.is_some_and(|(name, digest)| is_plain(name) && is_plain(digest))
}

fn is_name_part(it: char) -> bool {
    it.is_ascii_alphanumeric() || "-_.".contains(it)
}

/// Letters, digits, and `-`, `_`, `.` between them.
fn is_name(text: &str) -> bool {
    let is_edge = |it: char| it.is_ascii_alphanumeric();
    text.starts_with(is_edge) && text.ends_with(is_edge) && text.chars().all(is_name_part)
}

fn is_file(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ARCHIVES.iter().any(|it| text.ends_with(it))
}

/// The text between brackets at the start, if there are any, and the text after them.
fn extras(text: &str) -> Option<(&str, &str)> {
    let Some(inner) = text.strip_prefix('[') else { return Some(("", text)) };
    let (extras, rest) = inner.split_once(']')?;
    let is_empty = extras.trim().is_empty();
    let are_names = is_empty || extras.split(',').all(|it| is_name(it.trim()));
    are_names.then_some((extras, rest.trim_start()))
}

/// Specifiers, without the parentheses that may stand around them.
fn versions_of(text: &str) -> Option<&str> {
    let inner = match text.strip_prefix('(') {
        Some(inner) => inner.strip_suffix(')')?.trim(),
        None => text,
    };
    let is_specifier = |text: &str| {
        let text = text.trim();
        let Some(operator) = OPERATORS.iter().find(|it| text.starts_with(**it)) else {
            return false;
        };
        let version = text.get(operator.len()..).unwrap_or_default().trim_start();
        let is_part = |it: char| it.is_ascii_alphanumeric() || ".*+!-_".contains(it);
        version.starts_with(|it: char| it.is_ascii_alphanumeric()) && version.chars().all(is_part)
    };
    (text.is_empty() || inner.split(',').all(is_specifier)).then_some(inner)
}

/// The address of a wheel of a package, and the marker that may follow after a blank.
fn address<'a>(package: &str, text: &'a str) -> Result<&'a str, &'static str> {
    let (url, rest) = text.split_at(text.find(' ').unwrap_or(text.len()));
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let is_web = path.starts_with("https://") || path.starts_with("http://");
    if !is_web || !path.ends_with(".whl") {
        return Err(NO_WHEEL);
    }
    if !is_wheel_of(package, path) {
        return Err(OTHER_WHEEL);
    }
    let marker = rest.trim();
    if !marker.is_empty() && !marker.strip_prefix(';').is_some_and(marker::is_marker) {
        return Err(NOT_ONE);
    }
    Ok(url)
}

/// Whether a path ends in the file name of a wheel of a package; pip ends in a traceback where it does not.
fn is_wheel_of(package: &str, path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or_default();
    let parts: Vec<&str> = file.trim_end_matches(".whl").split('-').collect();
    let is_whole = matches!(parts.len(), 5 | 6) && parts.iter().all(|it| !it.is_empty());
    is_whole && parts.first().is_some_and(|it| normalized(it) == normalized(package))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_requirement() {
        let line = "a-B.c[d, e_f] (>=1, !=2.*) ; python_version > '3' --hash=sha256:ab";
        let found = Requirement::parse(line).unwrap();
        assert_eq!((found.name, found.extras, found.address), ("a-B.c", "d, e_f", None));
        assert_eq!((found.versions, found.has_hashes), (">=1, !=2.*", true));
        let url = "https://u:p@h/a_b_c-1-py3-none-any.whl#sha256=ab";
        let line = format!("a.b-c [d]@{url} ; os_name == 'nt'");
        let found = Requirement::parse(&line).unwrap();
        assert_eq!((found.name, found.extras, found.address), ("a.b-c", "d", Some(url)));
    }

    #[test]
    fn a_requirement_is_a_package_by_name_or_a_wheel() {
        for good in [
            "numpy",
            "a-b[c, d] >=1,<2 ; python_version > '3' and sys_platform != \"win32\"",
            "a==1.0 ; os_name == 'nt' --hash=sha256:ab --hash=sha256:cd",
            "a @ https://h/a-1-py3-none-any.whl#sha256=ab",
            "a[b]@http://h/a-1-py3-none-any.whl ; os_name == 'nt'",
            "torch @ https://h/torch-2.0%2Bcpu-1-cp311-cp311-linux_x86_64.whl",
            "a (>=1)",
            "a[]",
            "a~=1.0.post1, ===1!2+local.3-4",
            "zip",
            "tar.gz-reader",
            "a.zipper<2",
            "a;extra=='x' or (sys.platform == 'x' and 'd' in dependency_groups)",
        ] {
            assert!(Requirement::parse(good).is_ok(), "{good}: {:?}", Requirement::parse(good));
        }
        for bad in [
            "",
            "--index-url=https://evil",
            "-r /etc/hostname",
            "-e .",
            "a --index-url=https://evil",
            "a --config-settings=x=y",
            "a --hash=sha256:",
            "a -r x",
            "a\n-r x",
            "a @ https://h/a.tar.gz",
            "a @ https://h/a-1.tar.gz#x-1-py3-none-any.whl",
            "a @ https://h/a-1.tar.gz?a-1-py3-none-any.whl",
            "a @ https://h/a.tar.gz ; os_name == '.whl'",
            "a @ git+https://h/a-1-py3-none-any.whl",
            "a @ file:///a-1-py3-none-any.whl",
            "a @ /a-1-py3-none-any.whl",
            "a @ https://h/${HOME}/a-1-py3-none-any.whl",
            "a @ https://h/a-1-py3-none-any.whl os_name == 'nt'",
            "a @ https://h/x-1-py3-none-any.whl",
            "a @ https://h/a.whl",
            "./a.whl",
            "/a/b.tar.gz",
            "a/b.tar.gz",
            "a/b",
            ".a",
            "..",
            "~a",
            "C:\\a",
            "https://h/a.tar.gz",
            "git+https://h/a",
            "a ; os_name == '${HOME}'",
            "a ; os_name == 'nt'\u{2028}--index-url=https://evil",
            "a ; os_name == 'nt'\u{85}-r x",
            "a ; os_name == 'x #y'",
            "a ; token == value",
            "a ; os_name <> 'nt'",
            "a ;",
            "a >=",
            "a 1.0",
            "a >=1,",
            "a ()",
            "a [b",
            "a[b/c]",
            "a-",
            "login me password hunter2",
            "sk-live-secret_token_value!!",
            "user:password",
            "KEY=value",
            "é",
        ] {
            assert!(Requirement::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_that_installers_take_for_a_file_is_refused() {
        for end in ARCHIVES {
            for name in ["evil-1.0-py3-none-any", "x"] {
                for (file, rest) in [
                    (format!("{name}{end}"), ""),
                    (format!("{name}{}", end.to_ascii_uppercase()), ""),
                    (format!("{name}{end}"), "[extra]"),
                    (format!("{name}{end}"), ">=1"),
                    (format!("{name}{end}"), " ; os_name == 'posix'"),
                    (format!("{name}==1.0{end}"), ""),
                    (format!("{name}<2,!=1{end}"), " --hash=sha256:ab"),
                    (format!("{name} (==1{end})"), ""),
                ] {
                    let line = format!("{file}{rest}");
                    assert_eq!(Requirement::parse(&line), Err(A_FILE), "{line}");
                }
            }
        }
    }
}
