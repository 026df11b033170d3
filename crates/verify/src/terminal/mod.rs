//! Words for people, on a terminal or in a log: `nbc` and `nbc-verify` write them alike.
//!
//! In: messages, which may quote foreign text. Out: [`Printable`] text on standard output or standard error. Only the
//! command uses this module: no rule of a site does.

mod printable;

use std::borrow::Cow;
use std::error::Error;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::OnceLock;

use anstyle::{AnsiColor, Style};

pub use printable::{Printable, indented, one_line, overrides, printable, straight, turns};

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Whether messages on standard error are coloured.
    pub fn is_on(self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                io::stderr().is_terminal()
                    && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty())
            }
        }
    }
}

/// How a message begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It stopped the command.
    Error,
    /// The user should know it.
    Warning,
    /// It is a way out.
    Help,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Help => "help",
        }
    }

    fn style(self) -> Style {
        let color = match self {
            Self::Error => AnsiColor::Red,
            Self::Warning => AnsiColor::Yellow,
            Self::Help => AnsiColor::Cyan,
        };
        color.on_default().bold()
    }
}

/// `error: …`, with later lines indented.
pub fn message(kind: Kind, text: &str, has_color: bool) -> Printable {
    let (word, style, text) = (kind.word(), kind.style(), indented(text));
    if has_color {
        Printable::colored(&format!("{style}{word}{style:#}: {text}\n"))
    } else {
        Printable::of(&format!("{word}: {text}\n"))
    }
}

/// An error with its causes, in one sentence.
pub fn with_causes(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let text = next.to_string();
        // Errors that already tell their cause would say it twice.
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        cause = next.source();
    }
    message
}

/// Makes a panic say where nbc itself went wrong, and why. A cause can quote foreign text: that of a slice does.
pub fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        write_error(&panicked(&place, panic.payload_as_str().unwrap_or_default()));
    }));
}

fn panicked(place: &str, cause: &str) -> Printable {
    Printable::of(&format!("error: nbc went wrong at {place}: {}\n", one_line(cause)))
}

/// The first error that kept results from being written.
static UNWRITTEN: OnceLock<io::Error> = OnceLock::new();

/// Writes to standard output. An error is kept for the end of the command; see [`unwritten`].
pub fn write_result(text: &Printable) {
    if UNWRITTEN.get().is_none() {
        let mut stdout = io::stdout().lock();
        note(stdout.write_all(for_log(text).as_bytes()).and_then(|()| stdout.flush()));
    }
}

/// Flushes standard output after `written`, and keeps an error as [`write_result`] does.
pub fn finish_result(written: io::Result<()>) {
    note(written.and_then(|()| io::stdout().flush()));
}

/// Keeps an error. A reader that has gone away is none: `nbc … | head` has all that it wanted.
fn note(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        // Only the first one counts.
        let _ = UNWRITTEN.set(error);
    }
}

/// Says that results could not be written, and why. A program that reads them must not take a part for the whole, so
/// the command fails.
pub fn unwritten() -> Option<String> {
    let error = UNWRITTEN.get()?;
    Some(format!("the results cannot be written to standard output: {error}"))
}

/// Writes to standard error.
pub fn write_error(text: &Printable) {
    let _ = io::stderr().lock().write_all(for_log(text).as_bytes());
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
            !said.as_str().trim_end().contains(|it: char| it.is_control() || it == '\u{202e}'),
            "{said:?}"
        );
    }
}
