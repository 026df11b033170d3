//! Lock files of PEP 751: read whoever wrote them, and written.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use camino::Utf8Path;

use super::RequirementsError;
use super::marker::Target;
use super::names::normalized;
use super::pep508::{Requirement, shown_name};
use super::requirements::invalid_toml;
use super::source::Fetched;

/// The digest that nbc checks; others may stand beside it.
const HASH: &str = "sha256";

/// A lock file.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct PyLock {
    lock_version: String,
    /// Markers of the platforms that it is for; none means all.
    #[serde(default)]
    pub(super) environments: Vec<String>,
    pub(super) requires_python: Option<String>,
    #[serde(default)]
    default_groups: Vec<String>,
    #[serde(default)]
    pub(super) packages: Vec<Package>,
    #[serde(default)]
    tool: Tools,
}

#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
struct Tools {
    nbc: Option<NbcTable>,
}

/// The table `[tool.nbc]`: nbc's own part of a lock.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
pub(super) struct NbcTable {
    /// Digest of the requirements that were locked.
    pub(super) requirements: String,
    /// Packages that nbc adds to the notebook's own.
    #[serde(default)]
    pub(super) overlays: Vec<Overlay>,
}

/// Packages that nbc brings, pinned too.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
pub(super) struct Overlay {
    /// The requirement that nbc states.
    pub(super) requirement: String,
    /// The packages that it was resolved to.
    pub(super) packages: Vec<Package>,
}

/// A package of a lock.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: Option<String>,
    pub(super) marker: Option<String>,
    #[serde(default)]
    pub(super) wheels: Vec<File>,
    sdist: Option<File>,
    vcs: Option<serde::de::IgnoredAny>,
    directory: Option<serde::de::IgnoredAny>,
    archive: Option<File>,
}

/// A file of a package.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
pub(super) struct File {
    name: Option<String>,
    url: Option<String>,
    path: Option<String>,
    size: Option<u64>,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

impl Package {
    /// A package of which the installer told one file.
    pub(super) fn of_wheel(name: &str, version: &str, url: &str, sha256: &str) -> Self {
        let hashes = BTreeMap::from([(HASH.to_owned(), sha256.to_owned())]);
        let wheel = File { url: Some(url.to_owned()), hashes, ..File::default() };
        Self {
            name: normalized(name),
            version: Some(version.to_owned()),
            wheels: vec![wheel],
            ..Self::default()
        }
    }

    /// A package whose wheel was asked for by its address.
    pub(super) fn of_address(name: &str, version: &str, url: &str, sha256: &str) -> Self {
        let mut package = Self::of_wheel(name, version, url, sha256);
        package.archive = package.wheels.pop();
        package
    }

    /// A package that the installer took from somewhere else.
    pub(super) fn of_nothing(name: &str, version: &str) -> Self {
        let version = Some(version.to_owned());
        Self { name: normalized(name), version, ..Self::default() }
    }

    /// Pins the source, which was fetched, and not the wheel, which was built from it here.
    pub(super) fn pin_source(&mut self, sources: &[Fetched]) {
        let version = self.version.clone().unwrap_or_default();
        let is_own = |it: &&Fetched| it.source.name == self.name && it.source.version == version;
        if let Some(Fetched { source, url, .. }) = sources.iter().find(is_own) {
            let hashes = BTreeMap::from([(HASH.to_owned(), source.digest.clone())]);
            let url = Some(bare_address(url));
            (self.wheels, self.archive) = (Vec::new(), None);
            self.sdist = Some(File { url, hashes, ..File::default() });
        }
    }

    /// A line of a requirements file, without the marker; an error says what is wrong with it.
    fn line(&self) -> Result<String, String> {
        let name = &self.name;
        // All of it becomes one line of a file for the installer.
        let version = self.version.as_deref().unwrap_or_default();
        let pin = if version.is_empty() { name.clone() } else { format!("{name}=={version}") };
        let is_pin = |it: Requirement<'_>| {
            it.name == name && it.address.is_none() && it.versions.get(2..).unwrap_or("") == version
        };
        if !Requirement::parse(&pin).is_ok_and(is_pin) {
            return Err(match shown_name(name) {
                Some(name) => {
                    format!("the version of `{name}` is none, or its name is that of a file")
                }
                None => "a name of a package in it is none".to_owned(),
            });
        }
        let from_source = "which runs code of the package to install it; nbc installs wheels only";
        if self.vcs.is_some() {
            return Err(format!("`{name}` comes from a version control system, {from_source}"));
        }
        if self.directory.is_some() {
            return Err(format!("`{name}` comes from a folder, {from_source}"));
        }
        if let Some(archive) = &self.archive {
            let hash = archive.checked(name)?;
            let url = archive.url.as_deref().unwrap_or_default();
            // Installers go by the address, not by the name beside it.
            if !bare_address(url).ends_with(".whl") {
                return Err(format!("`{name}` comes from an archive of its source, {from_source}"));
            }
            return Ok(format!("{name} @ {}{hash}", bare_address(url)));
        }
        if version.is_empty() {
            return Err(format!("`{name}` has no version"));
        }
        if self.wheels.is_empty() {
            // The installer decides which packages may be built.
            let Some(source) = &self.sdist else {
                return Err(format!("`{name}` has no wheel in the lock; nbc installs wheels only"));
            };
            let hash = source.checked(name)?.replace("--hash=", "--source=");
            return Ok(format!("{name}=={version}{hash}"));
        }
        let mut line = format!("{name}=={version}");
        for wheel in &self.wheels {
            line.push_str(&wheel.checked(name)?);
        }
        Ok(line)
    }
}

impl File {
    /// The hash as an option of a requirements file, after a look at where the file comes from.
    fn checked(&self, package: &str) -> Result<String, String> {
        match (&self.url, &self.path) {
            (Some(url), _) if url.starts_with("https://") || url.starts_with("http://") => {}
            (Some(_), _) => {
                return Err(format!(
                    "`{package}` has an address that nbc does not take: only those of `https:` and `http:`"
                ));
            }
            (None, Some(_)) => {
                return Err(format!("`{package}` comes from a file, not from an index"));
            }
            // Files are asked for by name and hash, so this one can be had all the same.
            (None, None) => {}
        }
        let hash = self.hashes.get(HASH).map(|it| it.to_ascii_lowercase());
        let is_digest = |it: &String| it.len() == 64 && it.chars().all(|it| it.is_ascii_hexdigit());
        match hash.filter(is_digest) {
            Some(hash) => Ok(format!(" --hash={HASH}:{hash}")),
            None => Err(format!("a file of `{package}` has no SHA-256 hash")),
        }
    }
}

/// An address without what may be a credential: user, query and fragment.
fn bare_address(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit('@').next().unwrap_or_default();
    let address = format!("{scheme}://{host}{path}");
    address.chars().filter(|it| !it.is_whitespace() && !it.is_control()).collect()
}

impl PyLock {
    /// A lock of pip's resolution for one machine, with that machine's markers.
    pub(super) fn of_platform(packages: Vec<Package>, machine: &BTreeMap<String, String>) -> Self {
        let names = ["implementation_name", "platform_machine", "python_version", "sys_platform"];
        let parts: Vec<String> = names
            .into_iter()
            .filter_map(|name| Some(format!("{name} == '{}'", machine.get(name)?)))
            .collect();
        let environments = vec![parts.join(" and ")];
        // So that a build chooses that Python, whichever else there is.
        let requires_python = machine.get("python_version").map(|it| format!("=={it}.*"));
        Self { environments, packages, requires_python, ..Self::default() }
    }

    /// Reads a lock file; `path` is for messages.
    pub(super) fn read(path: &Utf8Path, text: &str) -> Result<Self, RequirementsError> {
        let invalid = |reason| RequirementsError::Invalid { path: path.to_owned(), reason };
        let lock: Self = toml::from_str(text).map_err(|error| invalid_toml(path, &error, text))?;
        if lock.lock_version.split('.').next() != Some("1") {
            return Err(invalid(
                "its `lock-version` is another than 1.0, which nbc reads".to_owned(),
            ));
        }
        Ok(lock)
    }

    /// Whether a build would take every package, whatever the machine.
    pub(super) fn check(&self, path: &Utf8Path) -> Result<(), RequirementsError> {
        let overlays = self.own().map(|it| it.overlays.as_slice()).unwrap_or_default();
        let packages = self.packages.iter().chain(overlays.iter().flat_map(|it| &it.packages));
        for package in packages {
            let invalid = |reason| RequirementsError::Invalid { path: path.to_owned(), reason };
            package.line().map_err(invalid)?;
        }
        Ok(())
    }

    /// The part that nbc wrote into it.
    pub(super) fn own(&self) -> Option<&NbcTable> {
        self.tool.nbc.as_ref()
    }

    /// Whether any platform of the lock needs a package; the name is normalized.
    pub(super) fn has(&self, package: &str) -> bool {
        self.packages.iter().any(|it| normalized(&it.name) == package)
    }

    /// The pinned lines for one machine.
    pub(super) fn lines(&self, target: &LockTarget<'_>) -> Result<Vec<String>, RequirementsError> {
        let markers = &self.environments;
        let mut is_for_us = markers.is_empty();
        for marker in markers {
            is_for_us |= target.meets(self, marker)? != Some(false);
        }
        if !is_for_us {
            return Err(RequirementsError::OtherPlatform {
                path: target.path.to_owned(),
                environments: markers.join("; "),
            });
        }
        self.lines_of(&self.packages, target)
    }

    /// The pinned lines of the packages that nbc adds; `None` when the lock does not say.
    pub(super) fn overlay_lines(
        &self,
        requirement: &str,
        target: &LockTarget<'_>,
    ) -> Result<Option<Vec<String>>, RequirementsError> {
        let overlays = self.own().map(|it| it.overlays.as_slice()).unwrap_or_default();
        let found = overlays.iter().find(|it| it.requirement == requirement);
        found.map(|it| self.lines_of(&it.packages, target)).transpose()
    }

    fn lines_of(
        &self,
        packages: &[Package],
        target: &LockTarget<'_>,
    ) -> Result<Vec<String>, RequirementsError> {
        let mut lines = Vec::new();
        for package in packages {
            let marker = match &package.marker {
                None => String::new(),
                Some(marker) => match target.meets(self, marker)? {
                    Some(true) => String::new(),
                    Some(false) => continue,
                    None => {
                        format!(" ; {}", marker.split_whitespace().collect::<Vec<_>>().join(" "))
                    }
                },
            };
            let refused =
                |reason| RequirementsError::Invalid { path: target.path.to_owned(), reason };
            let line = package.line().map_err(refused)?;
            let (pin, hashes) = line.split_at(line.find(" --").unwrap_or(line.len()));
            lines.push(format!("{pin}{marker}{hashes}"));
        }
        Ok(lines)
    }
}

/// The machine that a lock is read for.
pub(super) struct LockTarget<'a> {
    /// The lock file.
    pub(super) path: &'a Utf8Path,
    /// The interpreter.
    pub(super) interpreter: &'a super::Interpreter,
}

impl LockTarget<'_> {
    /// Whether a marker holds; `None` is left to the installer, in a line where ` -` begins an option.
    fn meets(&self, lock: &PyLock, marker: &str) -> Result<Option<bool>, RequirementsError> {
        let answer = Target::new(self.interpreter, &lock.default_groups).meets(marker);
        answer.filter(|it| it.is_some() || !marker.contains(" -")).ok_or_else(|| {
            let reason = "a marker in it cannot be read".to_owned();
            RequirementsError::Invalid { path: self.path.to_owned(), reason }
        })
    }
}

/// A lock file as nbc writes it: the same bytes for the same packages.
pub(super) fn write(lock: &PyLock, own: &NbcTable) -> String {
    let mut text = "# Written by `nbc lock`; the format is that of PEP 751.\n\
                    lock-version = \"1.0\"\ncreated-by = \"nbc\"\n"
        .to_owned();
    if let Some(requires) = &lock.requires_python {
        line(&mut text, "requires-python", requires);
    }
    if !lock.environments.is_empty() {
        let markers: Vec<String> = lock.environments.iter().map(|it| quoted(it)).collect();
        let _ = writeln!(text, "environments = [{}]", markers.join(", "));
    }
    packages(&mut text, "packages", &lock.packages);
    text.push_str("\n[tool.nbc]\n");
    line(&mut text, "requirements", &own.requirements);
    for overlay in &own.overlays {
        text.push_str("\n[[tool.nbc.overlays]]\n");
        line(&mut text, "requirement", &overlay.requirement);
        packages(&mut text, "tool.nbc.overlays.packages", &overlay.packages);
    }
    text
}

/// A lock file of packages alone, for an installer that keeps pins.
pub(super) fn packages_only(list: &[Package]) -> String {
    let mut text = "lock-version = \"1.0\"\ncreated-by = \"nbc\"\n".to_owned();
    packages(&mut text, "packages", list);
    text
}

fn packages(text: &mut String, table: &str, packages: &[Package]) {
    let mut sorted: Vec<&Package> = packages.iter().collect();
    sorted.sort_by_key(|it| (&it.name, &it.version, &it.marker));
    if sorted.is_empty() {
        // The key must be there, and an array of tables cannot be empty.
        if table == "packages" {
            text.push_str("packages = []\n");
        }
        return;
    }
    for package in sorted {
        let _ = writeln!(text, "\n[[{table}]]");
        line(text, "name", &package.name);
        for (key, value) in [("version", &package.version), ("marker", &package.marker)] {
            if let Some(value) = value {
                line(text, key, value);
            }
        }
        if let Some(archive) = &package.archive {
            let _ = writeln!(text, "archive = {}", file(archive));
        }
        if let Some(source) = package.sdist.as_ref().filter(|_| package.wheels.is_empty()) {
            let _ = writeln!(text, "sdist = {}", file(source));
        }
        let mut wheels: Vec<String> = package.wheels.iter().map(file).collect();
        wheels.sort();
        if !wheels.is_empty() {
            let _ = writeln!(text, "wheels = [\n    {},\n]", wheels.join(",\n    "));
        }
    }
}

fn file(file: &File) -> String {
    let url = bare_address(file.url.as_deref().unwrap_or_default());
    let size = file.size.map(|it| format!(", size = {it}")).unwrap_or_default();
    let hash = file.hashes.get(HASH).map(String::as_str).unwrap_or_default();
    format!("{{ url = {}{size}, hashes = {{ {HASH} = {} }} }}", quoted(&url), quoted(hash))
}

fn line(text: &mut String, key: &str, value: &str) {
    let _ = writeln!(text, "{key} = {}", quoted(value));
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Interpreter;

    fn lines(text: &str) -> Result<Vec<String>, String> {
        let path = Utf8Path::new("pylock.toml");
        let interpreter = Interpreter {
            program: "/usr/bin/python3".into(),
            version: "3.11.7".to_owned(),
            minor: (3, 11),
            base_prefix: "/usr".into(),
            virtual_environment: None,
            is_final: true,
        };
        let lock = PyLock::read(path, text).map_err(|error| error.to_string())?;
        lock.lines(&LockTarget { path, interpreter: &interpreter }).map_err(|it| it.to_string())
    }

    const HEAD: &str = "lock-version = '1.0'\ncreated-by = 'x'\n";

    fn package(rest: &str) -> Result<Vec<String>, String> {
        lines(&format!("{HEAD}[[packages]]\nname = 'six'\nversion = '1.16.0'\n{rest}"))
    }

    fn hashes() -> (String, String) {
        let digest = "ab".repeat(32);
        (format!("hashes = {{sha256 = '{digest}'}}"), format!(" --hash=sha256:{digest}"))
    }

    #[test]
    fn a_lock_of_anyone_becomes_pinned_lines() {
        let (hash, option) = hashes();
        let wheels =
            format!("wheels = [{{url = 'https://h/six-1.16.0-py3-none-any.whl', {hash}}}]");
        assert_eq!(package(&wheels).unwrap(), [format!("six==1.16.0{option}")]);
        for (marker, expected) in [
            ("python_version > '3'", vec![format!("six==1.16.0{option}")]),
            ("sys_platform == 'win32'", vec![]),
            ("'test' in dependency_groups", vec![]),
            ("'x' in extras", vec![]),
            (
                "platform_release > '1'",
                vec![format!("six==1.16.0 ; platform_release > '1'{option}")],
            ),
        ] {
            let found = package(&format!("marker = \"{marker}\"\n{wheels}"));
            assert_eq!(found.unwrap(), expected, "{marker}");
        }
        let direct =
            format!("archive = {{url = 'https://u:p@h/six-1.16.0-py3-none-any.whl#x', {hash}}}");
        let expected = format!("six @ https://h/six-1.16.0-py3-none-any.whl{option}");
        assert_eq!(package(&direct).unwrap(), [expected]);
        // Installing decides who may be built.
        let source = format!("sdist = {{url = 'https://h/six.tar.gz', {hash}}}");
        let expected = format!("six==1.16.0{}", option.replace("--hash", "--source"));
        assert_eq!(package(&source).unwrap(), [expected]);
        // Of another platform, so its source does not matter.
        let other = "marker = \"os_name == 'nt'\"\nvcs = {type = 'git', url = 'https://h/x'}";
        assert_eq!(package(other).unwrap(), [""; 0]);
        let groups = format!(
            "{HEAD}default-groups = ['test']\n[[packages]]\nname = 'six'\n\
             version = '1'\nmarker = \"'test' in dependency_groups\"\n{wheels}"
        );
        assert_eq!(lines(&groups).unwrap(), [format!("six==1{option}")]);
    }

    #[test]
    fn what_would_be_built_or_cannot_be_checked_is_refused() {
        let (hash, _) = hashes();
        for (rest, reason) in [
            ("vcs = {type = 'git', url = 'https://h/x'}", "from a version control system"),
            ("directory = {path = '.'}", "comes from a folder"),
            (
                &format!("archive = {{url = 'https://h/six.tar.gz', {hash}}}"),
                "archive of its source",
            ),
            (
                &format!("archive = {{name = 'six.whl', url = 'https://h/six.tar.gz', {hash}}}"),
                "archive of its source",
            ),
            ("sdist = {url = 'https://h/six.tar.gz', hashes = {}}", "has no SHA-256"),
            (&format!("sdist = {{path = 'six.tar.gz', {hash}}}"), "from a file, not"),
            ("", "has no wheel in the lock"),
            (
                "wheels = [{url = 'https://h/six.whl', hashes = {}}]",
                "a file of `six` has no SHA-256",
            ),
            ("wheels = [{url = 'https://h/six.whl', hashes = {sha256 = 'ab --x'}}]", "no SHA-256"),
            (&format!("wheels = [{{path = 'six.whl', {hash}}}]"), "from a file, not"),
            (&format!("wheels = [{{url = 'file:///six.whl', {hash}}}]"), "only those of `https:`"),
            (
                &format!("wheels = [{{url = 'ssh://u:p@h/six.whl', {hash}}}]"),
                "only those of `https:`",
            ),
        ] {
            let refused = package(rest).unwrap_err();
            assert!(refused.contains(reason), "{rest}: {refused}");
        }
        for marker in
            ["os_name", "platform_release > '1' --no-binary", "platform_release > '1 --x'"]
        {
            let refused = package(&format!("marker = \"{marker}\"")).unwrap_err();
            assert!(refused.contains("cannot be read"), "{marker}: {refused}");
        }
        let (hash, _) = hashes();
        let injected = format!(
            "{HEAD}[[packages]]\nname = 'six'\nversion = \"1\\n--index-url https://evil\"\n\
             wheels = [{{url = 'https://h/six.whl', {hash}}}]"
        );
        assert!(lines(&injected).unwrap_err().contains("the version of `six` is none"));
        assert!(lines("lock-version = '2.0'").unwrap_err().contains("another than 1.0"));
        let elsewhere = format!("{HEAD}environments = [\"sys_platform == 'win32'\"]\n");
        assert!(lines(&elsewhere).unwrap_err().contains("for other machines"));
    }

    #[test]
    fn a_lock_is_written_the_same_whatever_the_order_and_without_credentials() {
        let package = |name: &str| {
            let url = format!("https://user:p@ss@h/{name}.whl?token=1#sha256=ab");
            Package::of_wheel(name, "1", &url, &"ab".repeat(32))
        };
        let own = NbcTable { requirements: "sha256-00".to_owned(), overlays: Vec::new() };
        let written = |names: [&str; 2]| {
            let packages = names.map(package).to_vec();
            let lock = PyLock { packages, ..PyLock::default() };
            write(&lock, &own)
        };
        let text = written(["A_b", "c"]);
        assert_eq!(text, written(["c", "A_b"]));
        assert!(text.contains("url = \"https://h/A_b.whl\"") && text.contains("name = \"a-b\""));
        let read = PyLock::read(Utf8Path::new("pylock.toml"), &text).unwrap();
        assert_eq!(read.own(), Some(&own));
        assert_eq!(write(&read, &own), text);
        let empty = write(&PyLock::default(), &own);
        assert!(PyLock::read(Utf8Path::new("pylock.toml"), &empty).is_ok(), "{empty}");
    }
}
