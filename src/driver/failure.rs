//! Errors that stop a build, for a person.

use crate::terminal::with_causes;

/// The error that stopped a command: the message, and the way out.
#[derive(Debug)]
pub struct Failure {
    /// The problem and its cause.
    pub message: String,
    /// The way out.
    pub help: Option<String>,
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { message: with_causes(&error), help: None }
    }
}

impl Failure {
    /// The same, with the name of the notebook that it is about.
    #[must_use]
    pub fn of(mut self, notebook: &str) -> Self {
        self.message = format!("{notebook}: {}", self.message);
        self
    }

    /// The same with a way out.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
