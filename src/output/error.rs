//! Errors that a page may tell: type, message and line, as text.

use serde_json::json;

use super::{OutputKind, UnframedOutput};
use crate::run::record::{MimeBundle, RawOutput};
use crate::sanitize::SafeHtml;

/// The type of their data, which nbc alone writes.
const MIME: &str = "application/vnd.nbc.error+json";

/// An error as an output; of the line the number and the text.
#[must_use]
pub fn told_error(name: &str, message: &str, line: Option<(u32, &str)>) -> RawOutput {
    let data = json!({"name": name, "message": message, "line": line});
    let data = [(MIME.to_owned(), data)].into();
    RawOutput::Display { bundle: MimeBundle { data, metadata: serde_json::Map::new() } }
}

/// Whether an output is such an error, or pretends to be one.
#[must_use]
pub fn is_told_error(output: &RawOutput) -> bool {
    matches!(output, RawOutput::Display { bundle } if bundle.data.contains_key(MIME))
}

/// The box of an error; `None` for any other output.
pub(super) fn drawn(bundle: &MimeBundle) -> Option<UnframedOutput> {
    let error = bundle.data.get(MIME)?;
    let text = |key: &str| error.get(key).and_then(|it| it.as_str()).unwrap_or_default();
    let line = error.get("line").and_then(|it| it.as_array()).and_then(|it| {
        let (number, text) = (it.first()?.as_u64()?, it.get(1)?.as_str()?);
        Some(SafeHtml::concat([
            SafeHtml::element(
                "span",
                &[("class", "nbc-error-line")],
                SafeHtml::text(&format!("Line {number}: ")),
            ),
            SafeHtml::code(text),
            SafeHtml::text("\n"),
        ]))
    });
    let (name, message) = (text("name"), text("message"));
    let name = if name.is_empty() { "Error" } else { name };
    let message = if message.is_empty() { String::new() } else { format!(": {message}") };
    let attributes = [("tabindex", "0"), ("role", "group"), ("aria-label", "Error")];
    let name = SafeHtml::element("strong", &[], SafeHtml::code(name));
    let said = [line.unwrap_or_default(), name, SafeHtml::code(&message)];
    let html =
        SafeHtml::concat([failed(), SafeHtml::element("pre", &attributes, SafeHtml::concat(said))]);
    Some(UnframedOutput::new(OutputKind::Error, html))
}

/// The neutral box of a cell that failed.
pub(super) fn failed() -> SafeHtml {
    SafeHtml::element("p", &[], SafeHtml::text("This cell failed."))
}
