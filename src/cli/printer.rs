//! Where words go: results to standard output, everything else to standard error.

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anstyle::{AnsiColor, Style};

use super::args::{Color, Format};
use crate::diagnostic::{self, Diagnostic, printable};
use crate::source::Sources;

/// Prints, with or without colours. A reader that has gone away is not an error: `nbc … | head`.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    color: Color,
}

/// Something that was printed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Said {
    /// To standard output.
    Result(String),
    /// To standard error.
    Text(String),
}

/// One process says one thing at a time.
static SAID: Mutex<Option<Vec<Said>>> = Mutex::new(None);

fn said() -> MutexGuard<'static, Option<Vec<Said>>> {
    SAID.lock().unwrap_or_else(PoisonError::into_inner)
}

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const NOTE: Style = AnsiColor::Cyan.on_default().bold();

impl Printer {
    /// A printer that follows the `--color` flag.
    pub fn new(color: Color) -> Self {
        Self { color }
    }

    /// Remembers what is said from now on, to be said again.
    pub fn remember() {
        *said() = Some(Vec::new());
    }

    /// What was said since [`Printer::remember`].
    pub fn remembered() -> Vec<Said> {
        said().take().unwrap_or_default()
    }

    /// Says it again.
    pub fn repeat(self, all: &[Said]) {
        for it in all {
            match it {
                Said::Result(text) => self.result(text),
                Said::Text(text) => self.text(text),
            }
        }
    }

    fn text(self, text: &str) {
        if let Some(said) = &mut *said() {
            said.push(Said::Text(text.to_owned()));
        }
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    /// Prints a result.
    pub fn result(self, text: &str) {
        if let Some(said) = &mut *said() {
            said.push(Said::Result(text.to_owned()));
        }
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }

    /// Prints what stopped nbc, with its causes.
    pub fn error(self, message: &str) {
        self.message("error", ERROR, message);
    }

    /// Prints what the user should know.
    pub fn warning(self, message: &str) {
        self.message("warning", WARNING, message);
    }

    /// Prints the way out.
    pub fn help(self, message: &str) {
        self.message("help", NOTE, message);
    }

    /// Prints progress or a log line as it is.
    pub fn line(self, text: &str) {
        self.text(&format!("{text}\n"));
    }

    /// Prints findings: a result for programs, or text for people.
    pub fn diagnostics(self, diagnostics: &[Diagnostic], sources: &Sources, format: Format) {
        let kind = match format {
            Format::Full => diagnostic::render::Format::Full,
            Format::Concise => diagnostic::render::Format::Concise,
            Format::Json => diagnostic::render::Format::Json,
            Format::Sarif => diagnostic::render::Format::Sarif,
            Format::Github => diagnostic::render::Format::Github,
        };
        let color = format == Format::Full && self.colored(std::io::stderr().is_terminal());
        let text = diagnostic::render::render(diagnostics, sources, kind, color);
        if format.is_for_machines() {
            self.result(&text);
        } else {
            self.text(&text);
        }
    }

    fn message(self, kind: &str, style: Style, message: &str) {
        let message = printable(message);
        if self.colored(std::io::stderr().is_terminal()) {
            self.line(&format!("{style}{kind}{style:#}: {message}"));
        } else {
            self.line(&format!("{kind}: {message}"));
        }
    }

    /// Whether messages for people are coloured.
    pub fn is_colored(self) -> bool {
        self.colored(std::io::stderr().is_terminal())
    }

    fn colored(self, is_terminal: bool) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                is_terminal && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty())
            }
        }
    }
}
