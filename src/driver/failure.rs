//! Errors that stop a build, for a person.

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
        Self { message, help: None }
    }
}

impl Failure {
    /// The same with a way out.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
