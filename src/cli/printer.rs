//! Printing: results to standard output, everything else to standard error.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::args::Format;
use crate::diagnostic::{self, Diagnostic, Printable};
use crate::source::Sources;
use crate::terminal::{self, Color, Kind};

/// Prints, with or without colours. A reader that has gone away is not an error: `nbc … | head`.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    color: Color,
}

/// Something that was printed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum PrintedMessage {
    /// To standard output.
    Result(String),
    /// To standard output, for programs.
    Document(String),
    /// To standard error.
    Text(String),
}

/// One process says one thing at a time.
static SAID: Mutex<Option<Vec<PrintedMessage>>> = Mutex::new(None);

fn said() -> MutexGuard<'static, Option<Vec<PrintedMessage>>> {
    SAID.lock().unwrap_or_else(PoisonError::into_inner)
}

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
    pub fn remembered() -> Vec<PrintedMessage> {
        said().take().unwrap_or_default()
    }

    /// Says it again.
    pub fn repeat(self, all: &[PrintedMessage]) {
        for it in all {
            match it {
                PrintedMessage::Result(text) => self.result(text),
                PrintedMessage::Document(text) => self.document(&Printable::again(text)),
                // It was kept in a cache, so it passes the gate again.
                PrintedMessage::Text(text) => self.text(&Printable::colored(text)),
            }
        }
    }

    fn text(self, text: &Printable) {
        if let Some(said) = &mut *said() {
            said.push(PrintedMessage::Text(text.as_str().to_owned()));
        }
        terminal::write_error(text);
    }

    /// Prints a result: text for people.
    pub fn result(self, text: &str) {
        if let Some(said) = &mut *said() {
            said.push(PrintedMessage::Result(text.to_owned()));
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
            said.push(PrintedMessage::Document(text.as_str().to_owned()));
        }
        self.out(text);
    }

    fn out(self, text: &Printable) {
        terminal::write_result(text);
    }

    /// Prints what stopped nbc, with its causes.
    pub fn error(self, message: &str) {
        self.text(&terminal::message(Kind::Error, message, self.is_colored()));
    }

    /// Prints what the user should know.
    pub fn warning(self, message: &str) {
        self.text(&terminal::message(Kind::Warning, message, self.is_colored()));
    }

    /// Prints the way out.
    pub fn help(self, message: &str) {
        self.text(&terminal::message(Kind::Help, message, self.is_colored()));
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
        let color = format == Format::Full && self.is_colored();
        let text = diagnostic::render::render(diagnostics, sources, kind, color);
        if format.is_for_machines() {
            self.document(&text);
        } else {
            self.text(&text);
        }
    }

    /// Whether messages for people are coloured.
    pub fn is_colored(self) -> bool {
        self.color.is_on()
    }
}
