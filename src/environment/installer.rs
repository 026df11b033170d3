//! Runs uv or pip, and bounds the servers, files and messages of each.
//!
//! Neither is let build a package from source, and neither starts the interpreter of an environment that holds
//! packages: it would run their `.pth` files. Both work in a folder of nbc's own.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::cache::Scratch;
use super::install::InstallError;
use super::names::normalized;
use super::settings::Settings;
use super::source::{Built, Source};
use super::{Interpreter, Requirements};
#[cfg(target_os = "linux")]
use crate::process::network::FetchProxy;
use crate::process::tool::{Tool, ToolError, ToolOutput, Written, on_path};

/// Longest that one step of an installation may take.
const TIME_LIMIT: Duration = Duration::from_secs(1200);
/// How often the bytes of an environment may be fetched: versions that do not fit are, too.
#[cfg(target_os = "linux")]
const MOST_FETCHED: u64 = 4;
/// Room for an installer's own files: its knowledge of indexes.
const OWN_WRITES: u64 = 256 << 20;

pub(super) enum Program {
    Uv(Utf8PathBuf),
    Pip,
}

/// The installer of this machine, at work for one interpreter.
pub(super) struct Installer<'a> {
    pub(super) program: Program,
    pub(super) interpreter: &'a Interpreter,
    /// The folder of its files; removed by the caller.
    pub(super) folder: &'a Utf8Path,
    /// Most bytes that the packages of an environment unpack to.
    pub(super) largest: u64,
    /// Servers and proxies that the user's own settings name.
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
    pub(super) fn reaching(&self, tool: Tool) -> Tool {
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
    pub(super) fn refused_way(&self, origin: &str) -> Option<InstallError> {
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
    pub(super) fn check_addresses<'b>(
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
    pub(super) fn links(&self) -> Vec<&str> {
        self.wheels.iter().flat_map(|it| ["--find-links", it.as_str()]).collect()
    }

    /// The source of a pin, if its wheel was built.
    pub(super) fn source(&self, name: &str, version: &str) -> Option<&Source> {
        let name = normalized(name);
        self.sources.iter().find(|it| it.name == name && it.version == version)
    }

    /// Runs a tool that fetches or unpacks. A wheel is written as often as three times: as it came, as it is kept, and
    /// unpacked.
    pub(super) fn run(&self, tool: Tool, origin: &str) -> Result<ToolOutput, InstallError> {
        let total = self.largest.saturating_mul(3).saturating_add(OWN_WRITES);
        let most = Written { file: self.largest.max(OWN_WRITES), total };
        self.reaching(tool).most_written(most).run().map_err(|error| match error {
            ToolError::WroteTooMuch { .. } => self.too_large(origin),
            other => other.into(),
        })
    }

    pub(super) fn too_large(&self, origin: &str) -> InstallError {
        InstallError::TooLarge { origin: origin.to_owned(), most: self.largest }
    }

    /// uv, in a folder without a project: the notebook's author chooses no indexes.
    pub(super) fn uv(&self, uv: &Utf8Path) -> Tool {
        // Compiling would start the environment's interpreter, and the variable contradicts the flag.
        Tool::new(uv).folder(self.folder).env_remove("UV_COMPILE_BYTECODE").time_limit(TIME_LIMIT)
    }

    /// Python, and with it pip, in the same folder.
    pub(super) fn base_python(&self) -> Tool {
        base_python(self.interpreter, self.folder)
    }

    pub(super) fn accepted(
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

pub(super) fn read(path: &Utf8Path) -> Result<String, InstallError> {
    fs_err::read_to_string(path).map_err(cache_error(path))
}

pub(super) fn cache_error(path: &Utf8Path) -> impl FnOnce(std::io::Error) -> InstallError {
    let path = path.to_owned();
    move |source| InstallError::Cache { path, source }
}

pub(super) fn refused(step: &'static str, requirements: &Requirements, said: &str) -> InstallError {
    let lines: Vec<&str> = said.trim().lines().collect();
    let tail = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default().join("\n");
    InstallError::Refused { step, origin: requirements.origin.clone(), output: tail }
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
