//! The command that verifies a folder: `nbc verify` and `nbc-verify` are both this one.
//!
//! In: arguments. Out: an [`Answer`], in words for people or in JSON for programs, and the exit code.

use std::process::ExitCode;

use camino::Utf8PathBuf;
use clap::builder::PossibleValue;
use clap::{Args, Parser, ValueEnum};

use crate::site::{BaseUrl, StatedIntegrity};
use crate::terminal::{self, Color, Kind, Printable, one_line};
use crate::{AllowedFile, Expected, Finding, VerifyError, own_scripts, verify_folder};

/// Arguments of the command.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Folder that a build wrote
    #[arg(required_unless_present = "print_scripts")]
    pub folder: Option<Utf8PathBuf>,
    /// Print the digests of this version's own scripts, for `--allow-script` of another version
    #[arg(long, exclusive = true)]
    pub print_scripts: bool,
    /// Allow a script with this digest, such as one of another version of nbc (repeatable)
    #[arg(long, value_name = "SHA384")]
    pub allow_script: Vec<StatedIntegrity>,
    /// Allow what draws charts with this digest, as the build did (repeatable)
    #[arg(long, value_name = "SHA384")]
    pub trust_runtime: Vec<StatedIntegrity>,
    /// Digest of `manifest.json` that the build printed: nothing in the site has changed since
    #[arg(long, value_name = "SHA384")]
    pub manifest_digest: Option<StatedIntegrity>,
    /// Allow islands, in which code of notebooks runs in sandboxed frames, as the build did
    #[arg(long)]
    pub allow_island: bool,
    /// Allow this file of the host's, such as `CNAME`, `robots.txt` or `.nojekyll`; with a digest, these bytes of it (repeatable)
    ///
    /// A path below the folder. Texts and pictures only: nothing that a browser runs, and no settings of a host.
    #[arg(long, value_name = "PATH[=SHA384]")]
    pub allow_file: Vec<AllowedFile>,
    /// Address of the site, which pages may state as theirs [default: what the manifest says]
    #[arg(long, value_name = "URL")]
    pub base_url: Option<BaseUrl>,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t = Format::Concise)]
    pub format: Format,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One line each
    Concise,
    /// One JSON document
    Json,
}

impl ValueEnum for Color {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Auto, Self::Always, Self::Never]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Auto => PossibleValue::new("auto").help("On a terminal, unless NO_COLOR is set"),
            Self::Always => PossibleValue::new("always").help("Always"),
            Self::Never => PossibleValue::new("never").help("Never"),
        })
    }
}

/// Writes the text of `--help` or `--version`.
pub fn write_help(help: &clap::Error) {
    terminal::finish_result(help.print());
}

/// The words of a command that could do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Text for standard output.
    pub result: Printable,
    /// A line for people, on standard error.
    pub remark: Option<String>,
    /// Whether a rule is broken.
    pub has_findings: bool,
}

impl Arguments {
    /// Verifies the folder, or lists nbc's own scripts.
    ///
    /// # Errors
    /// When the folder cannot be verified at all.
    pub fn answer(&self) -> Result<Answer, VerifyError> {
        let Some(folder) = self.folder.as_ref().filter(|_| !self.print_scripts) else {
            let list: String =
                own_scripts().map(|(name, digest)| format!("{digest} {name}\n")).collect();
            let result = Printable::of(&list);
            return Ok(Answer { result, remark: None, has_findings: false });
        };
        let findings = verify_folder(folder, &self.expected())?;
        let has_findings = !findings.is_empty();
        if self.format == Format::Json {
            let result = Printable::json(&format!("{:#}\n", as_json(&findings)));
            return Ok(Answer { result, remark: None, has_findings });
        }
        let lines: String = findings.iter().map(|it| format!("{}\n", line(it))).collect();
        let remark = match findings.len() {
            0 => format!("{folder}: every rule holds"),
            1 => format!("{folder}: 1 finding"),
            number => format!("{folder}: {number} findings"),
        };
        Ok(Answer { result: Printable::of(&lines), remark: Some(remark), has_findings })
    }

    fn expected(&self) -> Expected {
        let digests = self.allow_script.iter().chain(&self.trust_runtime);
        Expected::default()
            .with_scripts(digests.map(|it| it.as_str().to_owned()))
            .with_manifest(self.manifest_digest.as_ref().map(|it| it.as_str().to_owned()))
            .with_base_url(self.base_url.as_ref().map(|it| it.as_str().to_owned()))
            .with_files(self.allow_file.iter().cloned())
            .with_islands(self.allow_island)
    }
}

/// A finding on one line: `report.html:3: [inline-handler] …`
pub fn line(finding: &Finding) -> String {
    let file = one_line(&finding.file);
    let message = one_line(&finding.message);
    format!("{file}:{}: [{}] {message}", finding.line, finding.rule.slug())
}

fn as_json(findings: &[Finding]) -> serde_json::Value {
    findings
        .iter()
        .map(|it| {
            serde_json::json!({
                "file": it.file, "line": it.line, "rule": it.rule.slug(), "message": it.message,
            })
        })
        .collect()
}

/// Proves that a written site of nbc keeps its promises.
///
/// Exit codes: 0 every rule holds; 1 a rule is broken; 2 the folder could not be verified, or the arguments are wrong.
#[derive(Debug, Parser)]
#[command(name = "nbc-verify", version)]
struct Cli {
    /// When to use colours
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    color: Color,
    #[command(flatten)]
    arguments: Arguments,
}

/// The binary `nbc-verify`, whole.
pub fn main() -> ExitCode {
    terminal::tell_panics();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            // An argument may be the name of a foreign file.
            terminal::write_error(&Printable::of(&error.render().to_string()));
            return ExitCode::from(2);
        }
        Err(help) => {
            write_help(&help);
            return ended(0, Color::Auto);
        }
    };
    match cli.arguments.answer() {
        Ok(answer) => {
            terminal::write_result(&answer.result);
            if let Some(remark) = &answer.remark {
                terminal::write_error(&Printable::of(&format!("{remark}\n")));
            }
            ended(u8::from(answer.has_findings), cli.color)
        }
        Err(error) => {
            let message = terminal::with_causes(&error);
            terminal::write_error(&terminal::message(Kind::Error, &message, cli.color.is_on()));
            ExitCode::from(2)
        }
    }
}

/// The exit code: results that could not be written were not given.
fn ended(code: u8, color: Color) -> ExitCode {
    let Some(message) = terminal::unwritten() else { return ExitCode::from(code) };
    terminal::write_error(&terminal::message(Kind::Error, &message, color.is_on()));
    ExitCode::from(2)
}
