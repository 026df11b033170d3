//! What uv and pip are asked, and what they answer: requirements to pinned packages, pins to a folder.
//!
//! Neither is let build a package from source, and neither starts the interpreter of an environment that holds
//! packages: it would run their `.pth` files.

use std::collections::BTreeMap;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::cache::Scratch;
use super::contents::{Contents, Unfit};
use super::install::{InstallError, Lock, normalized};
use super::interpreter::lower_bound;
use super::pep508::{Requirement, shown_name};
use super::pylock::{Package, PyLock};
use super::requirements::UvProject;
use super::settings::Settings;
use super::source::{Built, Fetched, Source};
use super::{Interpreter, Requirements};
#[cfg(target_os = "linux")]
use crate::process::network::FetchProxy;
use crate::process::tool::{Tool, ToolError, ToolOutput, Written, on_path};

/// Longest that one step of an installation may take.
const TIME_LIMIT: Duration = Duration::from_secs(1200);
/// Fetches a source archive, with the code of the interpreter's own pip.
const FETCH: &str = include_str!("source/fetch.py");
/// pip that builds nothing, not even what is named by its address.
const WHEELS_ONLY: &str = include_str!("ask_pip.py");
/// How often the bytes of an environment may be fetched: versions that do not fit are, too.
#[cfg(target_os = "linux")]
const MOST_FETCHED: u64 = 4;
/// What an installer writes for itself: what it knows of indexes.
const OWN_WRITES: u64 = 256 << 20;
/// What uv takes when nothing names an index.
const DEFAULT_INDEX: &str = "https://pypi.org/simple";

enum Program {
    Uv(Utf8PathBuf),
    Pip,
}

/// The installer of this machine, at work for one interpreter.
pub(super) struct Installer<'a> {
    program: Program,
    interpreter: &'a Interpreter,
    /// Where its files lie; removed by the caller.
    folder: &'a Utf8Path,
    /// Most bytes that the packages of an environment unpack to.
    largest: u64,
    /// What the user's own settings name.
    settings: Settings,
    /// The way to the network; none where the user has proxies for everything.
    #[cfg(target_os = "linux")]
    proxy: Option<FetchProxy>,
    /// Wheels that were built, beside what indexes have; see [`Installer::with_wheels`].
    wheels: Option<Utf8PathBuf>,
    /// Their sources.
    sources: Vec<Source>,
}

impl<'a> Installer<'a> {
    /// uv if it is on `PATH`, else pip.
    pub(super) fn find(
        interpreter: &'a Interpreter,
        scratch: &'a Scratch,
    ) -> Result<Self, InstallError> {
        if let Some(uv) = on_path("uv") {
            return Self::new(Program::Uv(uv), Settings::of_uv(), interpreter, scratch);
        }
        let pip = base_python(interpreter, &scratch.folder);
        let pip = pip.args(["-m", "pip", "config", "list"]).run()?;
        if pip.status.success() {
            let settings = Settings::of_pip(&String::from_utf8_lossy(&pip.stdout));
            return Self::new(Program::Pip, settings, interpreter, scratch);
        }
        Err(InstallError::NoInstaller { python: interpreter.program.clone() })
    }

    fn new(
        program: Program,
        settings: Settings,
        interpreter: &'a Interpreter,
        scratch: &'a Scratch,
    ) -> Result<Self, InstallError> {
        let (folder, largest) = (scratch.folder.as_path(), scratch.largest);
        #[cfg(target_os = "linux")]
        let proxy = match (settings.proxies_http, settings.proxies_https) {
            (true, true) => None,
            _ => {
                let most = largest.saturating_mul(MOST_FETCHED).saturating_add(OWN_WRITES);
                let started = FetchProxy::start(settings.servers.clone(), most);
                Some(started.map_err(|source| InstallError::Proxy { source })?)
            }
        };
        Ok(Self {
            program,
            interpreter,
            folder,
            largest,
            settings,
            #[cfg(target_os = "linux")]
            proxy,
            wheels: None,
            sources: Vec::new(),
        })
    }

    /// Lets a tool reach what it may: by nbc's proxy, or by the user's, which decides where names lead. No list of
    /// exceptions lets what others name go around either.
    fn reaching(&self, tool: Tool) -> Tool {
        #[cfg(target_os = "linux")]
        let tool = {
            let set = |tool: Tool, names: [&str; 2], value: &str| {
                names.into_iter().fold(tool, |tool, name| tool.env(name, value))
            };
            let exceptions = std::env::var("no_proxy").or_else(|_| std::env::var("NO_PROXY"));
            let (http, https) = (self.settings.proxies_http, self.settings.proxies_https);
            let exceptions = match exceptions {
                Ok(list) if http || https => self.settings.exceptions(&list),
                _ => String::new(),
            };
            let mut tool = set(tool, ["NO_PROXY", "no_proxy"], &exceptions);
            if let Some(proxy) = &self.proxy {
                if !http {
                    tool = set(tool, ["HTTP_PROXY", "http_proxy"], proxy.address());
                }
                if !https {
                    tool = set(tool, ["HTTPS_PROXY", "https_proxy"], proxy.address());
                }
                if !http && !https {
                    tool = set(tool, ["ALL_PROXY", "all_proxy"], proxy.address());
                }
            }
            tool
        };
        tool
    }

    /// Why the network was in the way, if it was.
    fn refused_way(&self, origin: &str) -> Option<InstallError> {
        #[cfg(target_os = "linux")]
        if let Some(proxy) = &self.proxy {
            if let Some(server) = proxy.refused().into_iter().next() {
                let place = format!("what the packages of {origin} ask for");
                return Some(InstallError::Home { place, server });
            }
            if proxy.is_cut_off() {
                let origin = origin.to_owned();
                return Some(InstallError::FetchedTooMuch { origin, most: self.largest });
            }
        }
        let _ = origin;
        None
    }

    /// Refuses lines whose address is this machine or its network, unless the user's settings name the server.
    fn check_addresses<'b>(
        &self,
        lines: impl IntoIterator<Item = &'b str>,
        requirements: &Requirements,
    ) -> Result<(), InstallError> {
        for line in lines {
            let refused = Requirements::address(line).and_then(|it| self.settings.refused(it));
            let Some(server) = refused else { continue };
            let name: String = line.chars().take_while(|it| *it != '@' && *it != ' ').collect();
            let place = requirements.places.get(line).cloned();
            let place = place.unwrap_or_else(|| format!("`{name}` in {}", requirements.origin));
            return Err(InstallError::Home { place, server });
        }
        Ok(())
    }

    /// Offers wheels that were built from sources, too.
    pub(super) fn with_wheels<'b>(
        mut self,
        built: impl IntoIterator<Item = (&'b Source, &'b Built)>,
    ) -> Result<Self, InstallError> {
        let folder = self.folder.join("wheels");
        for (source, built) in built {
            let name = built.wheel.file_name().unwrap_or_default();
            let copied = fs_err::create_dir_all(&folder)
                .and_then(|()| fs_err::copy(&built.wheel, folder.join(name)));
            copied.map_err(cache_error(&folder))?;
            self.sources.push(source.clone());
            self.wheels = Some(folder.clone());
        }
        Ok(self)
    }

    /// Options for the wheels that were built.
    fn links(&self) -> Vec<&str> {
        self.wheels.iter().flat_map(|it| ["--find-links", it.as_str()]).collect()
    }

    /// The source of a pin, if its wheel was built.
    fn source(&self, name: &str, version: &str) -> Option<&Source> {
        let name = normalized(name);
        self.sources.iter().find(|it| it.name == name && it.version == version)
    }

    /// Fetches the source archive of a package: the newest that fits, or the one with a digest. Runs none of
    /// it: no tool is asked for metadata, which may be made by the package's code.
    pub(super) fn fetch(
        &self,
        package: &str,
        specifiers: &str,
        digest: Option<&str>,
    ) -> Result<Fetched, InstallError> {
        #[derive(serde::Deserialize)]
        struct Told {
            version: String,
            url: String,
            sha256: String,
            file: String,
        }
        let failed = |reason: String| InstallError::Build { package: package.to_owned(), reason };
        let folder = self.folder.join(format!("source-{package}"));
        fs_err::create_dir(&folder).map_err(cache_error(&folder))?;
        let fetch = self.base_python().args(["-c", FETCH, package, specifiers]);
        let fetch = fetch.args([digest.unwrap_or_default(), folder.as_str()]);
        let fetch = match &self.program {
            // Where uv is used, its settings decide about indexes, not those of pip.
            Program::Uv(uv) => fetch.env("NBC_INDEXES", self.uv_indexes(uv, package)?.join("\n")),
            Program::Pip => fetch,
        };
        let output = self.run(fetch, package)?;
        if !output.status.success() {
            if let Some(error) = self.refused_way(&format!("`{package}`")) {
                return Err(error);
            }
            let said = without_credentials(&String::from_utf8_lossy(&output.stderr));
            let last = said.trim().lines().next_back().unwrap_or_default();
            let last = match last.split_once("No module named 'pip") {
                Some(_) => "fetching it takes pip, which this Python does not have",
                None => last,
            };
            return Err(failed(format!("its source cannot be fetched: {last}")));
        }
        let told: Told = serde_json::from_str(&read(&folder.join("fetched.json"))?)
            .map_err(|error| failed(error.to_string()))?;
        let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_.!+".contains(it);
        if !told.version.chars().all(is_plain) {
            return Err(failed(format!("`{}` is no version", told.version.escape_debug())));
        }
        let Told { version, url, sha256: digest, file } = told;
        let source = Source { name: normalized(package), version, digest };
        Ok(Fetched { source, url, archive: folder.join(file) })
    }

    /// The indexes of uv's settings, the first that is asked first.
    fn uv_indexes(&self, uv: &Utf8Path, package: &str) -> Result<Vec<String>, InstallError> {
        let nothing = self.folder.join("nothing.txt");
        fs_err::write(&nothing, "").map_err(cache_error(&nothing))?;
        let options = ["pip", "compile", "--emit-index-url", "--no-header", "--python"];
        let asked = self.uv(uv).args(options).arg(self.interpreter.program.as_str());
        let output = asked.arg(nothing.as_str()).run()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // Another index than the user's may have another package of that name.
        if !output.status.success() || text.lines().any(|it| it.trim() == "--no-index") {
            let reason = "uv tells no index to fetch its source from".to_owned();
            return Err(InstallError::Build { package: package.to_owned(), reason });
        }
        let of = |option: &str| -> Vec<String> {
            let found = text.lines().filter_map(|it| it.strip_prefix(option)?.strip_prefix(' '));
            found.map(|it| it.trim().to_owned()).collect()
        };
        let mut indexes = of("--extra-index-url");
        match of("--index-url") {
            default if !default.is_empty() => indexes.extend(default),
            _ => indexes.push(DEFAULT_INDEX.to_owned()),
        }
        Ok(indexes)
    }

    /// Pins for this machine.
    pub(super) fn pins(&self, requirements: &Requirements) -> Result<Lock, InstallError> {
        self.check_wanted(requirements)?;
        match &self.program {
            Program::Uv(uv) => {
                let resolved = self.folder.join("compiled.txt");
                let form = ["--generate-hashes", "--python", self.interpreter.program.as_str()];
                self.ask_uv(uv, requirements, &resolved, "requirements-txt", &form)?;
                let lines = joined_lines(&read(&resolved)?).into_iter().map(|line| {
                    let (name, rest) = line.split_once("==").unwrap_or_default();
                    let version = rest.split([' ', ';']).next().unwrap_or_default();
                    self.source(name, version).map_or(line.clone(), |it| it.line(&line))
                });
                Ok(Lock::of(lines))
            }
            Program::Pip => {
                let report = self.ask_pip(requirements, &[])?;
                let lines = report.install.iter().map(|item| {
                    let Metadata { name, version } = &item.metadata;
                    let pin = format!("{}=={version}", normalized(name));
                    if let Some(source) = self.source(name, version) {
                        return Ok(source.line(&pin));
                    }
                    let hash = item.sha256(requirements)?;
                    if let Some(address) = item.address() {
                        return Ok(format!(
                            "{} @ {address} --hash=sha256:{hash}",
                            normalized(name)
                        ));
                    }
                    Ok(format!("{pin} --hash=sha256:{hash}"))
                });
                Ok(Lock::of(lines.collect::<Result<Vec<_>, InstallError>>()?))
            }
        }
    }

    /// Packages for a lock file: for all platforms with uv, for this one with pip. Pins of an earlier
    /// lock stay where they still fit.
    pub(super) fn packages(
        &self,
        requirements: &Requirements,
        earlier: &[Package],
    ) -> Result<PyLock, InstallError> {
        self.check_wanted(requirements)?;
        let constraints: Vec<String> = earlier
            .iter()
            .filter_map(|it| Some(format!("{}=={}", it.name, it.version.as_ref()?)))
            // They are from a file that others may have written.
            .filter(|it| Requirement::parse(it).is_ok())
            .collect();
        match &self.program {
            Program::Uv(uv) => {
                let resolved = self.folder.join("pylock.toml");
                drop(fs_err::remove_file(&resolved));
                if !earlier.is_empty() {
                    let known = super::pylock::packages_only(earlier);
                    fs_err::write(&resolved, known).map_err(cache_error(&resolved))?;
                }
                let (major, minor) = self.interpreter.minor;
                let asked = requirements.requires_python.as_deref().and_then(lower_bound);
                let oldest = asked.unwrap_or_else(|| format!("{major}.{minor}"));
                let form = ["--universal", "--python-version", &oldest];
                self.ask_uv(uv, requirements, &resolved, "pylock.toml", &form)?;
                let refused = |reason: String| refused("locking", requirements, &reason);
                let mut lock = PyLock::read(&resolved, &read(&resolved)?)
                    .map_err(|error| refused(error.to_string()))?;
                let requires = requirements.requires_python.clone();
                lock.requires_python = requires.or(lock.requires_python);
                Ok(lock)
            }
            Program::Pip => {
                let kept = self.ask_pip(requirements, &constraints);
                let report = match kept {
                    // An old pin may be in the way of a new requirement.
                    Err(InstallError::Refused { .. }) if !constraints.is_empty() => {
                        self.ask_pip(requirements, &[])
                    }
                    other => other,
                }?;
                let packages = report.install.iter().map(|item| {
                    let Metadata { name, version } = &item.metadata;
                    if self.source(name, version).is_some() {
                        return Ok(Package::of_nothing(name, version));
                    }
                    let hash = item.sha256(requirements)?;
                    if let Some(address) = item.address() {
                        return Ok(Package::of_address(name, version, address, hash));
                    }
                    Ok(Package::of_wheel(name, version, &item.download_info.url, hash))
                });
                let packages = packages.collect::<Result<Vec<_>, InstallError>>()?;
                Ok(PyLock::of_platform(packages, &report.environment))
            }
        }
    }

    /// Looks at the addresses of requirements that are lines.
    fn check_wanted(&self, requirements: &Requirements) -> Result<(), InstallError> {
        let lines = requirements.lines.iter().chain(&requirements.constraints);
        let lines = lines.filter(|_| requirements.uv_project.is_none());
        self.check_addresses(lines.map(String::as_str), requirements)
    }

    fn ask_uv(
        &self,
        uv: &Utf8Path,
        requirements: &Requirements,
        resolved: &Utf8Path,
        format: &str,
        form: &[&str],
    ) -> Result<(), InstallError> {
        let uv = self.uv(uv);
        let tool = match &requirements.uv_project {
            // Settings of the project would choose where uv's cache lies; an export needs none.
            Some(project) => uv
                .args(["export", "--no-config", "--frozen", "--no-emit-project", "--no-header"])
                .args(["--no-annotate", "--format", format])
                .args(["--project", self.project(project)?.as_str()]),
            None => uv
                .args(["pip", "compile", "--only-binary", ":all:", "--no-header"])
                .args(["--no-annotate", "--format", format])
                .args(form)
                .args(["--constraint", self.constraints(requirements, &[])?.as_str()])
                .args(self.links())
                .arg(self.list(requirements)?.as_str()),
        };
        // Only the end of what a tool prints is kept, so the answer comes as a file.
        let tool = tool.args(["--quiet", "--output-file", resolved.as_str()]);
        let output = self.run(tool, &requirements.origin)?;
        self.accepted("resolving", requirements, output).map(drop)
    }

    fn ask_pip(
        &self,
        requirements: &Requirements,
        pins: &[String],
    ) -> Result<Report, InstallError> {
        if requirements.uv_project.is_some() {
            let reason = "a `uv.lock` is read by uv, which is not on PATH: install it (`pip install \
                          uv`), or write a `pylock.toml` with `uv export`";
            return Err(refused("resolving", requirements, reason));
        }
        let (report, list) = (self.folder.join("report.json"), self.list(requirements)?);
        let constraints = self.constraints(requirements, pins)?;
        let pip = self
            .base_python()
            .args(["-c", WHEELS_ONLY, "install", "--dry-run", "--ignore-installed", "--quiet"])
            .args(["--no-input", "--only-binary", ":all:", "--report", report.as_str()])
            .args(["-r", list.as_str(), "-c", constraints.as_str()])
            .args(self.links());
        let output = self.run(pip, &requirements.origin)?;
        self.accepted("resolving", requirements, output)?;
        let text = read(&report)?;
        serde_json::from_str(&text)
            .map_err(|error| refused("resolving", requirements, &error.to_string()))
    }

    /// The files of a project in a folder of nbc's own: in the author's, uv would follow links, and look into the folders
    /// above.
    fn project(&self, project: &UvProject) -> Result<Utf8PathBuf, InstallError> {
        let folder = self.folder.join("project");
        let written = fs_err::create_dir_all(&folder)
            .and_then(|()| fs_err::write(folder.join("uv.lock"), &project.lock))
            .and_then(|()| fs_err::write(folder.join("pyproject.toml"), &project.project));
        written.map_err(cache_error(&folder))?;
        Ok(folder)
    }

    /// A file of the constraints of requirements, and of pins that are to stay.
    fn constraints(
        &self,
        requirements: &Requirements,
        pins: &[String],
    ) -> Result<Utf8PathBuf, InstallError> {
        let file = self.folder.join("constraints.txt");
        let lines = [&requirements.constraints, pins].concat().join("\n") + "\n";
        fs_err::write(&file, lines).map_err(cache_error(&file))?;
        Ok(file)
    }

    fn list(&self, requirements: &Requirements) -> Result<Utf8PathBuf, InstallError> {
        let list = self.folder.join("requirements.txt");
        fs_err::write(&list, requirements.lines.join("\n") + "\n").map_err(cache_error(&list))?;
        Ok(list)
    }

    /// Installs pinned wheels into a new virtual environment, in one step: a later one would start the
    /// environment's own interpreter.
    pub(super) fn make_environment(
        &self,
        folder: &Utf8Path,
        lock: &Lock,
        wheels: &[(Source, Built)],
        requirements: &Requirements,
    ) -> Result<(), InstallError> {
        let list = self.folder.join("lock.txt");
        let text = lock.installable(wheels);
        for line in text.lines().filter(|it| !it.is_empty()) {
            Requirement::parse(line).map_err(|reason| {
                let name = line.split([' ', '=', '[']).next().and_then(shown_name);
                let said = format!("the line of `{}` {reason}", name.unwrap_or("a package"));
                refused("installing", requirements, &said)
            })?;
        }
        self.check_addresses(text.lines(), requirements)?;
        fs_err::write(&list, text).map_err(cache_error(&list))?;
        let python = folder.join("bin/python");
        let options =
            ["install", "--require-hashes", "--no-deps", "--only-binary", ":all:", "--quiet"];
        let make = match &self.program {
            Program::Uv(uv) => self.uv(uv).args(["venv", "--quiet", "--no-project"]).args([
                "--python",
                self.interpreter.program.as_str(),
                folder.as_str(),
            ]),
            Program::Pip => {
                self.base_python().args(["-m", "venv", "--without-pip", folder.as_str()])
            }
        };
        self.accepted("installing", requirements, make.run()?)?;
        if lock.is_empty() {
            return Ok(());
        }
        // Both flags that keep bytecode out are there because the user's settings may say otherwise, and
        // compiling would start the environment's interpreter when its packages are there.
        let install = match &self.program {
            Program::Uv(uv) => self.uv(uv).arg("pip").args(options).args([
                "--no-compile-bytecode",
                "--python",
                python.as_str(),
            ]),
            Program::Pip => self
                .base_python()
                .args(["-m", "pip", "--python", python.as_str()])
                .args(options)
                .args(["--no-compile", "--no-input"]),
        };
        let install = install.args(["-r", list.as_str()]).args(self.links());
        let before = Contents::of(folder).map_err(cache_error(folder))?;
        let output = self.run(install, &requirements.origin)?;
        self.accepted("installing", requirements, output)?;
        before.check(folder, self.largest).map_err(|unfit| match unfit {
            Unfit::TooLarge => self.too_large(&requirements.origin),
            Unfit::Unread(source) => cache_error(folder)(source),
            Unfit::Foreign(path, reason) => {
                let path = path.to_string_lossy();
                refused("installing", requirements, &format!("`{}` {reason}", path.escape_debug()))
            }
        })
    }

    /// Runs a tool that fetches or unpacks. A wheel is written as often as three times: as it came, as it is kept, and
    /// unpacked.
    fn run(&self, tool: Tool, origin: &str) -> Result<ToolOutput, InstallError> {
        let total = self.largest.saturating_mul(3).saturating_add(OWN_WRITES);
        let most = Written { file: self.largest.max(OWN_WRITES), total };
        self.reaching(tool).most_written(most).run().map_err(|error| match error {
            ToolError::WroteTooMuch { .. } => self.too_large(origin),
            other => other.into(),
        })
    }

    fn too_large(&self, origin: &str) -> InstallError {
        InstallError::TooLarge { origin: origin.to_owned(), most: self.largest }
    }

    /// uv, in a folder without a project: the notebook's author chooses no indexes.
    fn uv(&self, uv: &Utf8Path) -> Tool {
        // Compiling would start the environment's interpreter, and the variable contradicts the flag.
        Tool::new(uv).folder(self.folder).env_remove("UV_COMPILE_BYTECODE").time_limit(TIME_LIMIT)
    }

    /// Python, and with it pip, in the same folder.
    fn base_python(&self) -> Tool {
        base_python(self.interpreter, self.folder)
    }

    fn accepted(
        &self,
        step: &'static str,
        requirements: &Requirements,
        output: ToolOutput,
    ) -> Result<ToolOutput, InstallError> {
        if output.status.success() {
            return Ok(output);
        }
        if let Some(error) = self.refused_way(&requirements.origin) {
            return Err(error);
        }
        let said =
            if output.stderr.trim_ascii().is_empty() { &output.stdout } else { &output.stderr };
        let said = without_quotes(&without_credentials(&String::from_utf8_lossy(said)));
        if let Some(package) = self.source_only(&said) {
            return Err(InstallError::SourceOnly {
                package,
                origin: requirements.origin.clone(),
                python: self.interpreter.version.clone(),
            });
        }
        Err(refused(step, requirements, &said))
    }

    /// The package that has no wheel for this interpreter, only its source, if that is why it failed.
    fn source_only(&self, said: &str) -> Option<String> {
        match &self.program {
            Program::Uv(_) => {
                let unwrapped = said.split_whitespace().collect::<Vec<_>>().join(" ");
                let (_, after) = unwrapped.split_once("Wheels are required for `")?;
                after.split('`').next().map(str::to_owned)
            }
            Program::Pip => {
                let (_, after) = said.split_once("No matching distribution found for ")?;
                let is_name = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
                let name = after.split(|it| !is_name(it)).next().filter(|it| !it.is_empty())?;
                // pip says the same of a package that does not exist; it lists the versions of one that does.
                let asked =
                    self.base_python().args(["-m", "pip", "index", "versions", "--no-input", name]);
                let known = self.reaching(asked).run();
                known.is_ok_and(|it| it.status.success()).then(|| name.to_owned())
            }
        }
    }
}

/// What pip tells of a resolution.
#[derive(serde::Deserialize)]
struct Report {
    install: Vec<Item>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

#[derive(serde::Deserialize)]
struct Item {
    metadata: Metadata,
    download_info: Download,
    /// Whether an address was asked for, not a name.
    #[serde(default)]
    is_direct: bool,
}

#[derive(serde::Deserialize)]
struct Metadata {
    name: String,
    version: String,
}

#[derive(serde::Deserialize)]
struct Download {
    url: String,
    archive_info: Option<Archive>,
}

#[derive(serde::Deserialize)]
struct Archive {
    hashes: Option<BTreeMap<String, String>>,
}

impl Item {
    /// The address that was asked for: an index may have another wheel of that name, or none.
    fn address(&self) -> Option<&str> {
        let bare = self.download_info.url.split('#').next().unwrap_or_default();
        self.is_direct.then_some(bare).filter(|it| it.starts_with("http"))
    }

    fn sha256(&self, requirements: &Requirements) -> Result<&str, InstallError> {
        let Metadata { name, version } = &self.metadata;
        let hashes = self.download_info.archive_info.as_ref().and_then(|it| it.hashes.as_ref());
        hashes.and_then(|it| it.get("sha256")).map(String::as_str).ok_or_else(|| {
            let reason = format!("the index tells no SHA-256 of {name} {version}");
            refused("resolving", requirements, &reason)
        })
    }
}

/// The interpreter outside any virtual environment: what is installed never runs in it. It works in a folder of nbc's
/// own: pip takes the name of a package for a file of the working folder if one is called so.
fn base_python(interpreter: &Interpreter, folder: &Utf8Path) -> Tool {
    // Settings that are right for a person's own installations, and would send these elsewhere.
    let settings = ["PIP_TARGET", "PIP_PREFIX", "PIP_ROOT"];
    let tool = Tool::new(interpreter.program.as_str()).folder(folder).args(["-I"]);
    let tool = tool.time_limit(TIME_LIMIT);
    let tool = tool.env("PIP_REQUIRE_VIRTUALENV", "0").env("PIP_USER", "0");
    settings.into_iter().fold(tool, Tool::env_remove)
}

fn read(path: &Utf8Path) -> Result<String, InstallError> {
    fs_err::read_to_string(path).map_err(cache_error(path))
}

fn cache_error(path: &Utf8Path) -> impl FnOnce(std::io::Error) -> InstallError {
    let path = path.to_owned();
    move |source| InstallError::Cache { path, source }
}

fn refused(step: &'static str, requirements: &Requirements, said: &str) -> InstallError {
    let lines: Vec<&str> = said.trim().lines().collect();
    let tail = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default().join("\n");
    InstallError::Refused { step, origin: requirements.origin.clone(), output: tail }
}

/// Lines of a requirements file with their continuations, without comments.
fn joined_lines(text: &str) -> Vec<String> {
    text.replace("\\\n", " ")
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

/// Leaves out lines of files that uv shows with their numbers, `3 | …`, and the marks below them.
fn without_quotes(text: &str) -> String {
    let is_quote = |line: &&str| {
        let number = line.trim_start().split_once('|').map(|it| it.0.trim_end());
        number.is_some_and(|it| it.bytes().all(|it| it.is_ascii_digit()))
    };
    text.lines().filter(|it| !is_quote(it)).collect::<Vec<_>>().join("\n")
}

/// Masks `user:password@` in addresses: an index's credentials must not reach a log.
pub(super) fn without_credentials(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, after) = rest.split_at(at + 3);
        // A password may hold an `@`, and in the variables of careless people also a `/`.
        let is_end = |it: char| it.is_whitespace() || "\"'`<>,".contains(it);
        let (word, tail) = after.split_at(after.find(is_end).unwrap_or(after.len()));
        masked.push_str(head);
        match word.rsplit_once('@') {
            Some((_, host)) => masked.push_str(&format!("****@{host}")),
            None => masked.push_str(word),
        }
        rest = tail;
    }
    masked + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_files_are_left_out() {
        let said = "error: bad\n  |\n3 | key = sk-live\n  | ^^^\n    | x\nexpected a | b";
        assert_eq!(without_quotes(said), "error: bad\nexpected a | b");
    }

    #[test]
    fn credentials_of_an_index_are_masked() {
        for (text, expected) in [
            (
                "at https://user:secret@host/simple and me@host",
                "at https://****@host/simple and me@host",
            ),
            ("https://u:p@ss@host:8/x", "https://****@host:8/x"),
            ("'https://u:p@host/', https://v:q@host", "'https://****@host/', https://****@host"),
            ("https://token@host", "https://****@host"),
            ("https://u:p/a@host", "https://****@host"),
            ("https://host/six@1", "https://****@1"),
            ("no address", "no address"),
        ] {
            assert_eq!(without_credentials(text), expected);
        }
    }
}
