//! Printing: results to standard output, everything else to standard error.

use std::borrow::Cow;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anstyle::{AnsiColor, Style};

use super::args::{Color, Format};
use crate::diagnostic::{self, Diagnostic, Printable};
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
    /// To standard output, for programs.
    Document(String),
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

    /// Messages since [`Printer::remember`].
    pub fn remembered() -> Vec<Said> {
        said().take().unwrap_or_default()
    }

    /// Says it again.
    pub fn repeat(self, all: &[Said]) {
        for it in all {
            match it {
                Said::Result(text) => self.result(text),
                Said::Document(text) => self.document(&Printable::again(text)),
                // It was kept in a cache, so it passes the gate again.
                Said::Text(text) => self.text(&Printable::colored(text)),
            }
        }
    }

    fn text(self, text: &Printable) {
        if let Some(said) = &mut *said() {
            said.push(Said::Text(text.as_str().to_owned()));
        }
        let _ = std::io::stderr().lock().write_all(for_log(text).as_bytes());
    }

    /// Prints a result: text for people.
    pub fn result(self, text: &str) {
        if let Some(said) = &mut *said() {
            said.push(Said::Result(text.to_owned()));
        }
        self.out(&Printable::of(text));
    }

    /// Prints a result for programs.
    pub fn json(self, text: &str) {
        self.document(&Printable::json(text));
    }

    /// Prints a result in a language of its own.
    pub fn document(self, text: &Printable) {
        if let Some(said) = &mut *said() {
            said.push(Said::Document(text.as_str().to_owned()));
        }
        self.out(text);
    }

    fn out(self, text: &Printable) {
        let _ = std::io::stdout().lock().write_all(for_log(text).as_bytes());
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
        self.text(&Printable::of(&format!("{text}\n")));
    }

    /// Prints what is wrong with the arguments.
    pub fn usage(self, text: &str) {
        self.text(&Printable::of(text));
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
            self.document(&text);
        } else {
            self.text(&text);
        }
    }

    /// Prints where nbc itself went wrong, and why. A cause can quote foreign text: that of a slice does.
    pub fn panic(place: &str, cause: &str) {
        let text = Printable::of(&panicked(place, cause));
        let _ = std::io::stderr().lock().write_all(for_log(&text).as_bytes());
    }

    fn message(self, kind: &str, style: Style, message: &str) {
        let message = diagnostic::indented(message);
        if self.colored(std::io::stderr().is_terminal()) {
            self.text(&Printable::colored(&format!("{style}{kind}{style:#}: {message}\n")));
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

fn panicked(place: &str, cause: &str) -> String {
    format!("error: nbc went wrong at {place}: {}\n", diagnostic::one_line(cause))
}

/// The form of a text for a log. The runner of a GitHub workflow takes its commands out of the log.
fn for_log(text: &Printable) -> Cow<'_, str> {
    if std::env::var_os("GITHUB_ACTIONS").is_none_or(|it| it.is_empty() || it == "false") {
        return Cow::Borrowed(text.as_str());
    }
    text.fenced(token)
}

/// A word that nobody can foresee: hashes under keys that the system draws.
fn token() -> String {
    let half = || RandomState::new().hash_one(std::process::id());
    format!("nbc-{:016x}{:016x}", half(), half())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_quotes_nothing_that_steers() {
        let cause = "byte index 1 is not a char boundary of `\u{e9}\n::error::x \u{1b}[2J\u{202e}`";
        let said = panicked("src/a.rs:1:2", cause);
        assert!(
            !said.trim_end().contains(|it: char| it.is_control() || it == '\u{202e}'),
            "{said}"
        );
    }
}
