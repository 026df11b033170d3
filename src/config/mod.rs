//! `nbc.toml` and flags to [`Config`].
//!
//! In: the text of a configuration file. Out: settings with their defaults. Unknown keys are errors,
//! so that a misspelt one is not silently without effect.

mod baseline;
mod limits;
mod page;
mod shown;
mod states;

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

use crate::source::project_file::ProjectRoot;
use crate::source::toml_error;

pub use crate::site::BaseUrl;
pub use baseline::{BASELINE, baseline};
pub use limits::LimitSettings;
pub use page::{ColorSetting, ErrorSetting, PageSettings, ThemeSettings, is_language};
pub use shown::{DEFAULT_ROWS, ShownSettings};
pub use states::{SAMPLES_ARE, Samples, SweepSettings};

/// Settings of a build, before flags override them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Config {
    /// Title of the site.
    pub title: Option<String>,
    /// Patterns of files and folders that are no part of the site, as in `.gitignore`.
    pub exclude: Vec<String>,
    /// `shown`, `folded` or `hidden`.
    pub code: Option<CodeSetting>,
    /// `single` or `site`.
    pub layout: Option<LayoutSetting>,
    /// `interactive` or `static`.
    pub charts: Option<ChartSetting>,
    /// Whether pages show how their cells depend on each other.
    pub show_graph: bool,
    /// An interpreter to use as it is, relative to the file; counts only with `--trust-config`.
    pub python: Option<Utf8PathBuf>,
    /// Hosts that notebooks may reach, `"HOST"` or `"HOST:PORT"`; counts only with `--trust-config`.
    pub allow_net: Vec<String>,
    /// Files and folders that notebooks may read, relative to the file; counts only with `--trust-config`.
    pub read: Vec<Utf8PathBuf>,
    /// Files of its own folder that a notebook sees, as in `.gitignore`; default: all.
    pub inputs: Option<Vec<String>>,
    /// Variables that notebooks get; counts only with `--trust-config`.
    pub env: Vec<String>,
    /// Whether pages show the pictures of the web that `nbc-assets.lock` names; counts only with `--trust-config`.
    pub remote_images: bool,
    /// How much of the confinement there must be; less than all counts only with `--trust-config`.
    pub isolation: Option<IsolationSetting>,
    /// Bounds of a run.
    pub limits: LimitSettings,
    /// How much of a cell's outputs a page shows.
    pub shown: ShownSettings,
    /// Values that inputs have on pages, by variable.
    #[serde(deserialize_with = "states::samples")]
    pub states: BTreeMap<String, Samples>,
    /// Bounds of their runs.
    pub sweep: SweepSettings,
    /// Whether markup that has to be removed from an output keeps the page from being published.
    pub strict_sanitize: bool,
    /// Fingerprints of what looks like a secret and is none, as `.nbc-secrets` lists them.
    pub allow_secret: Vec<String>,
    /// Foreign code that pages may hold; counts only with `--trust-config`.
    pub trust: TrustSettings,
    /// Address of the published site, for links that must be absolute.
    pub base_url: Option<BaseUrl>,
    /// Titles and descriptions of all pages, where a notebook gives none.
    pub page: PageSettings,
    /// Titles and descriptions of single pages, by the notebook's path below the folder.
    pub pages: BTreeMap<String, PageSettings>,
    /// How pages look.
    pub theme: ThemeSettings,
    /// Lines of the file, by `table.key`, for messages.
    #[serde(skip)]
    pub lines: BTreeMap<String, usize>,
}

/// Foreign code that pages may hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TrustSettings {
    /// Outputs that run their own scripts in frames: `"KIND"`, or `"KIND:NOTEBOOK"`.
    pub islands: Vec<String>,
    /// SHA-384 digests of programs that draw charts, beside those that nbc knows.
    pub runtimes: Vec<String>,
}

/// How much of the confinement a file may ask for: to run without any takes a word on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IsolationSetting {
    /// Every layer, or no build
    Strict,
    /// The host's strongest confinement
    BestEffort,
}

/// Whether readers see code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodeSetting {
    /// Open
    Shown,
    /// Behind a disclosure
    Folded,
    /// Not in the page at all
    Hidden,
}

/// How charts of Vega, Plotly and Bokeh are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChartSetting {
    /// Drawn by the library that made them, in the reader's browser
    Interactive,
    /// Pictures; pages carry no script of a chart library
    Static,
}

/// How the files are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayoutSetting {
    /// One file a notebook; works from disk
    Single,
    /// Shared hashed files and an index page; for a web server
    Site,
}

/// A number of bytes, written `512MiB`, `2GiB` or as a plain number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct ByteSize(pub u64);

/// A text is no [`ByteSize`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no size; write for example `512MiB` or `2GiB`")]
pub struct ByteSizeError(String);

impl std::str::FromStr for ByteSize {
    type Err = ByteSizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ByteSizeError(text.to_owned());
        let text = text.trim();
        let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(at);
        let number: u64 = number.parse().map_err(|_| refuse())?;
        let factor: u64 = match unit.trim() {
            "" | "B" => 1,
            "KiB" | "K" => 1 << 10,
            "MiB" | "M" => 1 << 20,
            "GiB" | "G" => 1 << 30,
            "KB" | "kB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            _ => return Err(refuse()),
        };
        number.checked_mul(factor).filter(|&it| it > 0).map(ByteSize).ok_or_else(refuse)
    }
}

impl TryFrom<String> for ByteSize {
    type Error = ByteSizeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Unreadable {
        /// The file.
        path: Utf8PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// It is not valid.
    #[error("`{path}` is not a valid configuration: {reason}")]
    Invalid {
        /// The file.
        path: Utf8PathBuf,
        /// The place and the rule; quotes no value.
        reason: String,
    },
    /// A line of `.nbc-secrets` is none.
    #[error("`{path}`, line {line}, is no fingerprint of a finding")]
    Fingerprint {
        /// The file.
        path: Utf8PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

/// Longest file of settings, and of a theme.
const LONGEST: u64 = 1 << 20;

/// The text of a file of settings in a folder, if there is one; it may have come with foreign notebooks.
fn read_optional(folder: &Utf8Path, name: &str) -> Result<Option<String>, ConfigError> {
    ProjectRoot::new(folder)
        .optional_text(name.into(), LONGEST)
        .map_err(|error| ConfigError::Unreadable { path: folder.join(name), source: error.into() })
}

/// Reads a file that a configuration names: plain, bounded, and below the folder.
///
/// # Errors
/// When it is not that, or cannot be read as UTF-8.
pub fn read_plain(folder: &Utf8Path, path: &Utf8Path) -> std::io::Result<String> {
    let relative = path.strip_prefix(folder).unwrap_or(path);
    Ok(ProjectRoot::new(folder).text(relative, LONGEST)?)
}

/// Checks that a folder that a configuration names lies below its own.
///
/// # Errors
/// When it lies elsewhere, or is none.
pub fn check_folder(folder: &Utf8Path, path: &Utf8Path) -> std::io::Result<()> {
    let relative = path.strip_prefix(folder).unwrap_or(path);
    Ok(ProjectRoot::new(folder).check_folder(relative)?)
}

impl Config {
    /// Reads the text of a `nbc.toml`; paths stay as they are written.
    ///
    /// # Errors
    /// When it holds an unknown key or a wrong value.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let mut config: Self = toml::from_str(text)?;
        config.lines = lines(text);
        Ok(config)
    }

    /// Reads `nbc.toml` in a folder; without one, every setting has its default.
    ///
    /// # Errors
    /// When the file is there and cannot be read, or holds an unknown key or a wrong value.
    pub fn load(folder: &Utf8Path) -> Result<Self, ConfigError> {
        let Some(text) = read_optional(folder, "nbc.toml")? else { return Ok(Self::default()) };
        let path = folder.join("nbc.toml");
        let mut config = Self::parse(&text).map_err(|error| ConfigError::Invalid {
            path,
            reason: toml_error::told(&error, &text),
        })?;
        config.python = config.python.map(|python| folder.join(python));
        for path in [&mut config.theme.css, &mut config.theme.templates].into_iter().flatten() {
            *path = folder.join(&*path);
        }
        config.read = config.read.iter().map(|path| folder.join(path)).collect();
        Ok(config)
    }
}

/// The lines of keys in tables.
fn lines(text: &str) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    let Ok(tables) = toml::de::DeTable::parse(text) else { return lines };
    for (table, values) in tables.get_ref() {
        let Some(values) = values.get_ref().as_table() else { continue };
        for (key, value) in values {
            let line = toml_error::line_at(text, value.span().start);
            lines.insert(format!("{}.{}", table.get_ref(), key.get_ref()), line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!("2GiB".parse(), Ok(ByteSize(2_147_483_648)));
        assert_eq!("512 MiB".parse(), Ok(ByteSize(536_870_912)));
        for bad in ["", "-1", "2 parsecs", "99999999999999999GiB", "0"] {
            assert!(bad.parse::<ByteSize>().is_err(), "{bad}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_device_or_out_of_the_folder_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap();
        for target in ["/dev/zero", "/etc/hostname"] {
            std::os::unix::fs::symlink(target, path.join("nbc.toml")).unwrap();
            assert!(matches!(Config::load(path), Err(ConfigError::Unreadable { .. })), "{target}");
            fs_err::remove_file(path.join("nbc.toml")).unwrap();
        }
        assert_eq!(Config::load(path).unwrap(), Config::default());
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let error = toml::from_str::<Config>("exlude = []").unwrap_err();
        assert!(error.to_string().contains("unknown field `exlude`"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap();
        for (text, told) in [
            (
                "api_key = 'sk-live'",
                "nbc.toml` is not a valid configuration: line 1, column 1: unknown",
            ),
            ("\nstrict-sanitize = 'sk-live'", "line 2, column 19: invalid type: string, expected"),
            ("code = 'sk-live'", "line 1, column 8: unknown value, expected one of `"),
            ("[limits]\nmemory = 'sk-live'", "line 2, column 10: the value is no size; write"),
            ("[page]\nlanguage = 'sk live'", "line 2, column 12: the value is no language tag"),
            ("sk-live", "line 1, column 8: "),
            ("\u{feff}[limits]\nmemory = 4", "line 2, column 10: invalid type: integer"),
        ] {
            fs_err::write(path.join("nbc.toml"), text).unwrap();
            let error = Config::load(path).unwrap_err().to_string();
            assert!(error.contains(told) && !error.contains("sk-live"), "{text}: {error}");
        }
    }
}
