//! Flags and `nbc.toml` to what a run may reach, read and know.
//!
//! `nbc.toml` lies beside notebooks that somebody else may have written, so what it asks for is granted only
//! when the user says so.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStringExt as _;
use std::sync::Arc;

use camino::Utf8PathBuf;

use super::Failure;
use super::events::Events;
use super::options::Options;
use crate::config::{Config, IsolationSetting};
use crate::process::AllowedHost;
use crate::run::Grants;
use crate::run::record::Granted as Names;
use crate::secret::{Scanner, Secret};

/// Permissions of runs, and the scanner that keeps their values from being seen.
pub(super) struct Granted {
    pub(super) grants: Grants,
    pub(super) scanner: Scanner,
}

/// A `--secret NAME=FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile {
    name: String,
    path: Utf8PathBuf,
}

/// Why a text is no `NAME=FILE`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretFileError {
    /// It has no `=`.
    #[error("write `NAME=FILE`")]
    NoFile,
    /// The name would be no plain file name.
    #[error("`{0}` is no name for a secret: use letters, digits, `_` and `-`")]
    BadName(String),
}

impl std::str::FromStr for SecretFile {
    type Err = SecretFileError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, path) = text.split_once('=').ok_or(SecretFileError::NoFile)?;
        let is_plain = |it: u8| it.is_ascii_alphanumeric() || it == b'_' || it == b'-';
        if path.is_empty() {
            return Err(SecretFileError::NoFile);
        }
        if name.is_empty() || name.len() > 128 || !name.bytes().all(is_plain) {
            return Err(SecretFileError::BadName(name.to_owned()));
        }
        Ok(Self { name: name.to_owned(), path: path.into() })
    }
}

/// Most bytes of all values together.
const MOST_BYTES: usize = 4 << 20;

/// Reads what the user grants.
pub(super) fn collect(
    options: &Options,
    config: &Config,
    own_paths: Vec<Utf8PathBuf>,
    events: &dyn Events,
) -> Result<Granted, Failure> {
    let mut hosts = options.allow_net.clone();
    let mut reads = options.read.clone();
    let mut names = options.env.clone();
    check_config(options, config, wishes(config))?;
    for host in &config.allow_net {
        hosts.push(host.parse::<AllowedHost>()?);
    }
    reads.extend(config.read.iter().cloned());
    names.extend(config.env.iter().cloned());
    hosts.sort();
    hosts.dedup();

    let mut variables = BTreeMap::new();
    for name in names {
        if let Some(reason) = refused_variable(&name) {
            let message = format!("`--env {name}` cannot be granted: {reason}");
            return Err(Failure { message, help: None });
        }
        let Some(value) = std::env::var_os(&name) else {
            let message = format!("`--env {name}`: the variable is not set");
            let help = "set it for nbc, or leave the flag out".to_owned();
            return Err(Failure { message, help: Some(help) });
        };
        variables.insert(name, Secret::new(value.into_vec()));
    }
    let mut files = BTreeMap::new();
    for SecretFile { name, path } in &options.secret {
        let value = Secret::load(path).map_err(Failure::from)?;
        if files.insert(name.clone(), value).is_some() {
            let message = format!("`--secret {name}` is given twice");
            return Err(Failure { message, help: None });
        }
    }
    let values = variables.values().chain(files.values());
    if values.map(Secret::length).sum::<usize>() > MOST_BYTES {
        let message = "the secrets are longer than 4 MiB together".to_owned();
        return Err(Failure { message, help: None });
    }
    let all = variables.iter().chain(&files).map(|(name, it)| (name.as_str(), it));
    let scanner = Scanner::new(all)?;
    for name in scanner.unscannable() {
        events.warning(&format!(
            "the value of `{name}` is too short to be looked for in what is published"
        ));
    }
    let source_date = source_date()?;
    let outlines = Arc::default();
    let grants = Grants { hosts, reads, variables, files, source_date, own_paths, outlines };
    Ok(Granted { grants, scanner })
}

/// `SOURCE_DATE_EPOCH`, as reproducible-builds.org has it.
fn source_date() -> Result<Option<u64>, Failure> {
    let Some(text) = std::env::var_os("SOURCE_DATE_EPOCH").filter(|it| !it.is_empty()) else {
        return Ok(None);
    };
    let seconds = text.to_str().and_then(|it| it.parse().ok());
    seconds.map(Some).ok_or_else(|| Failure {
        message: "`SOURCE_DATE_EPOCH` is no number of seconds since 1970".to_owned(),
        help: None,
    })
}

/// Refuses what a configuration asks for and the user did not grant: what is given, and what holds for
/// every command that makes environments.
pub(super) fn check_config(
    options: &Options,
    config: &Config,
    mut wishes: Vec<String>,
) -> Result<(), Failure> {
    // It is asked for its version before any sandbox exists, so it could be any program.
    let interpreter = config.python.as_ref().filter(|_| options.runtime.python.is_none());
    wishes.extend(interpreter.map(|it| format!("the interpreter `{it}`")));
    if config.isolation == Some(IsolationSetting::BestEffort) && options.runtime.isolation.is_none()
    {
        wishes.push("less isolation (`best-effort`)".to_owned());
    }
    wishes.extend(remote_images(options, config));
    refuse(&wishes, options.trust_config)
}

/// Like [`check_config`], for a page of a run that is over.
pub(super) fn check_page(options: &Options, config: &Config) -> Result<(), Failure> {
    let of_remote = remote_images(options, config);
    let wishes: Vec<String> = super::trust::wishes(config).chain(of_remote).collect();
    refuse(&wishes, options.trust_config)
}

fn refuse(wishes: &[String], is_trusted: bool) -> Result<(), Failure> {
    if wishes.is_empty() || is_trusted {
        return Ok(());
    }
    let message = format!("`nbc.toml` asks for {}", wishes.join(", "));
    let help = "pass `--trust-config` to grant it; read the file first if others wrote it";
    Err(Failure { message, help: Some(help.to_owned()) })
}

/// Permissions that a configuration asks for, in a person's words.
fn wishes(config: &Config) -> Vec<String> {
    let hosts = config.allow_net.iter().map(|it| format!("the host `{it}`"));
    let reads = config.read.iter().map(|it| format!("the file `{it}`"));
    let names = config.env.iter().map(|it| format!("the variable `{it}`"));
    hosts.chain(reads).chain(names).chain(super::trust::wishes(config)).collect()
}

/// The wish of a configuration for pictures of the web, unless a flag says the same.
fn remote_images(options: &Options, config: &Config) -> Option<String> {
    let is_own = config.remote_images && !options.remote_images;
    is_own.then(|| "pictures of the web (`remote-images`)".to_owned())
}

/// Refuses the wish of a configuration for pictures of the web, if the user did not grant it.
pub(super) fn check_remote_images(options: &Options, config: &Config) -> Result<(), Failure> {
    refuse(&Vec::from_iter(remote_images(options, config)), options.trust_config)
}

/// Why a variable is not handed to a run.
fn refused_variable(name: &str) -> Option<&'static str> {
    let mut bytes = name.bytes();
    let starts = bytes.next().is_some_and(|it| it.is_ascii_alphabetic() || it == b'_');
    if !starts || !bytes.all(|it| it.is_ascii_alphanumeric() || it == b'_') {
        return Some("this is no name of a variable");
    }
    let upper = name.to_ascii_uppercase();
    let starts_with = |starts: &[&str]| starts.iter().any(|it| upper.starts_with(it));
    if starts_with(&["LD_", "GLIBC_", "MALLOC_", "DYLD_"])
        || ["GCONV_PATH", "LOCPATH", "NLSPATH", "BASH_ENV", "ENV", "IFS"].contains(&upper.as_str())
    {
        return Some("it changes how programs are loaded");
    }
    if starts_with(&["PYTHON"]) {
        return Some("it changes what Python runs");
    }
    if starts_with(&["NBC_"]) {
        return Some("it belongs to nbc");
    }
    if upper.ends_with("_PROXY") || starts_with(&["SSL_CERT_", "REQUESTS_CA", "CURL_CA"]) {
        return Some("nbc sets what the network needs; see `--allow-net`");
    }
    let fixed = ["PATH", "HOME", "LANG", "TZ", "SOURCE_DATE_EPOCH", "XDG_CACHE_HOME"];
    if starts_with(&["LC_", "MPL"]) || fixed.contains(&upper.as_str()) {
        return Some("nbc sets it, so that a build gives the same pages everywhere");
    }
    None
}

impl Granted {
    /// Names, without values, for the manifest of a run that reached these hosts.
    pub(super) fn names(&self, contacted: impl IntoIterator<Item = String>) -> Names {
        Names {
            contacted: contacted.into_iter().collect(),
            variables: self.grants.variables.keys().cloned().collect(),
            secrets: self.grants.files.keys().cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_steer_programs_are_refused() {
        for name in [
            "LD_PRELOAD",
            "PYTHONPATH",
            "pythonpath",
            "NBC_CHANNEL",
            "PATH",
            "HOME",
            "https_proxy",
            "NO_PROXY",
            "A=B",
            "",
            "1A",
            "GLIBC_TUNABLES",
            "LC_ALL",
            "SSL_CERT_FILE",
        ] {
            assert!(refused_variable(name).is_some(), "{name}");
        }
        for name in ["API_KEY", "_x", "DATABASE_URL", "HOMEPAGE"] {
            assert_eq!(refused_variable(name), None, "{name}");
        }
    }

    #[test]
    fn a_secret_has_a_plain_name_and_a_file() {
        assert!("key-1=/a=b".parse::<SecretFile>().is_ok_and(|it| it.path == "/a=b"));
        for bad in ["key", "key=", "=x", "a/b=x", "..=x", "a b=x"] {
            assert!(bad.parse::<SecretFile>().is_err(), "{bad}");
        }
    }
}
