//! Foreign text on its way to a terminal, a log or a program.
//!
//! In: text of anybody's choice. Out: text that steers nothing: a character that a reader cannot see, and that
//! a terminal, or the order of writing, would obey, is written as its number. [`Printable`] is the only thing that
//! `cli::printer` prints.

use std::borrow::Cow;

/// Text that holds no character that steers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printable {
    text: String,
    kind: Kind,
}

/// How a log takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Lines for people.
    Text,
    /// A document for programs in a language whose strings have no escapes of their own.
    Source,
    /// A document in which no command of others can stand.
    Document,
}

impl Printable {
    /// Any text; line breaks and tabs stay.
    pub fn of(text: &str) -> Self {
        Self { text: printable(text), kind: Kind::Text }
    }

    /// JSON: the same characters become JSON's own escapes, so that it still says the same.
    pub fn json(text: &str) -> Self {
        Self { text: json_text(text), kind: Kind::Document }
    }

    /// A document in another language, which a fence would break.
    pub fn source(text: &str) -> Self {
        Self { text: printable(text), kind: Kind::Source }
    }

    /// Workflow commands of nbc itself.
    pub fn commands(text: &str) -> Self {
        let is_ours = |line: &&str| {
            let kinds = ["::error title=nbc (", "::warning title=nbc ("];
            kinds.iter().any(|it| line.starts_with(it)) && !line.contains("##[")
        };
        let lines = text.split_inclusive('\n').filter(is_ours);
        Self { text: lines.map(printable).collect(), kind: Kind::Document }
    }

    /// A document for programs that an earlier build printed, out of a cache: JSON, or workflow commands.
    pub fn again(text: &str) -> Self {
        if text.starts_with(['[', '{']) { Self::json(text) } else { Self::commands(text) }
    }

    /// Text with colours, whose foreign pieces are escaped already. What is no colour is not let through here, either.
    pub fn colored(text: &str) -> Self {
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            clean.push_str(&printable(before));
            let is_color = |it: &&str| it.bytes().all(|it| it.is_ascii_digit() || it == b';');
            let color = after.strip_prefix('[').and_then(|it| it.split_once('m'));
            match color.filter(|(numbers, _)| is_color(numbers)) {
                Some((numbers, after)) => {
                    clean.push_str(&format!("\u{1b}[{numbers}m"));
                    rest = after;
                }
                None => {
                    clean.push_str("\\u{1b}");
                    rest = after;
                }
            }
        }
        clean.push_str(&printable(rest));
        Self { text: clean, kind: Kind::Text }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text for the log of a GitHub workflow, whose runner obeys `::command::` at the beginning of a line and
    /// `##[command]` anywhere in it: without either, and between two lines of which only nbc knows the token. A fence
    /// alone would not do, since standard output and standard error reach the runner in any order, so that the
    /// fence of one may end within that of the other.
    pub fn fenced(&self, token: impl FnOnce() -> String) -> Cow<'_, str> {
        let has_marks = self.text.contains("::") || self.text.contains("##[");
        match self.kind {
            Kind::Text if has_marks => {
                let (token, text) = (token(), self.without_commands());
                let end = if text.ends_with('\n') { "" } else { "\n" };
                Cow::Owned(format!("::stop-commands::{token}\n{text}{end}::{token}::\n"))
            }
            Kind::Source if has_marks => Cow::Owned(self.without_commands()),
            _ => Cow::Borrowed(&self.text),
        }
    }

    fn without_commands(&self) -> String {
        let line = |line: &str| {
            let line = line.replace("##[", "#\\u{23}[");
            let start = line.len() - line.trim_start().len();
            match line.split_at_checked(start) {
                Some((blanks, rest)) if rest.starts_with("::") => {
                    format!("{blanks}\\u{{3a}}{}", rest.get(1..).unwrap_or_default())
                }
                _ => line,
            }
        };
        self.text.split('\n').map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Foreign text with each character that steers written as its number, `\u{1b}`. Line breaks and tabs stay. Twice is
/// the same as once.
pub fn printable(text: &str) -> String {
    escaped(text, |it| it != '\n' && it != '\t' && steers(it))
}

/// The same on one line, for names: a line break in one could begin a line of its own choice.
pub fn one_line(text: &str) -> String {
    escaped(text, steers)
}

/// The same with later lines indented, for messages: a line break in a name begins no line that reads like one of nbc.
pub fn indented(text: &str) -> String {
    printable(text.trim_end()).replace('\n', "\n    ")
}

/// Text for a title, which stands among words of others: in a tab, a list, a search result. Marks that turn all
/// that follows (embeddings, overrides, isolates) are left out; those that stand for one letter (LRM, RLM, ALM)
/// stay, since Hebrew and Arabic need them.
pub fn straight(text: &str) -> String {
    text.replace(overrides, "")
}

fn escaped(text: &str, is_unwanted: impl Fn(char) -> bool) -> String {
    if !text.chars().any(&is_unwanted) {
        return text.to_owned();
    }
    let mut clean = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' if is_unwanted(character) => clean.push_str("\\n"),
            '\t' if is_unwanted(character) => clean.push_str("\\t"),
            '\r' => clean.push_str("\\r"),
            other if is_unwanted(other) => clean.extend(other.escape_unicode()),
            other => clean.push(other),
        }
    }
    clean
}

/// JSON in which the characters that steer are JSON's own escapes, and so is the `##[` of a workflow's log. All of
/// them stand in strings, since JSON has no other place for them.
fn json_text(json: &str) -> String {
    let mut clean = String::with_capacity(json.len());
    for character in json.chars() {
        if character != '\n' && character != '\t' && steers(character) {
            // None lies beyond the first plane.
            clean.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            clean.push(character);
        }
    }
    clean.replace("##[", "\\u0023\\u0023[")
}

/// Whether a character is obeyed instead of seen: controls (C0, DEL, C1), breaks of lines and paragraphs, and marks that
/// turn the direction of writing.
fn steers(character: char) -> bool {
    character.is_control()
        || turns(character)
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// Whether a character turns the direction of writing without being seen, so that text reads as something else
/// (CVE-2021-42574).
pub fn turns(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// Whether it turns all that follows (embeddings, overrides, isolates). The other three of [`turns`] stand for one
/// letter without a shape (LRM, RLM, ALM), and texts in Hebrew and Arabic need them.
pub fn overrides(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_written_as_its_number() {
        assert_eq!(printable("a\x1b[2Jb\n\tc\r\u{9b}"), "a\\u{1b}[2Jb\n\tc\\r\\u{9b}");
        assert_eq!(one_line("a\n::x::\u{202e}.py\u{7f}"), "a\\n::x::\\u{202e}.py\\u{7f}");
        for mark in ['\u{61c}', '\u{200e}', '\u{2066}', '\u{2069}', '\u{202a}', '\u{2028}'] {
            assert!(printable(&mark.to_string()).is_ascii());
        }
        assert_eq!(printable("é שלום 👩\u{200d}💻"), "é שלום 👩\u{200d}💻");
        let once = printable("\x1b\u{202e}");
        assert_eq!(printable(&once), once);
    }

    #[test]
    fn a_line_break_in_a_name_begins_no_line() {
        assert_eq!(indented("no `a\nwarning: b\u{202e}`\n"), "no `a\n    warning: b\\u{202e}`");
    }

    #[test]
    fn a_title_turns_nothing_that_follows() {
        assert_eq!(straight("a\u{202e}b\u{2066}c\u{202a}d\u{2069}"), "abcd");
        assert_eq!(straight("\u{200f}שלום!\u{200e} \u{61c}"), "\u{200f}שלום!\u{200e} \u{61c}");
    }

    #[test]
    fn json_says_the_same_in_escapes() {
        let value = serde_json::json!({ "file": "a\x1b\u{202e}\u{7f}\u{9b}##[error]x.py" });
        let text = Printable::json(&format!("{value:#}"));
        assert!(text.as_str().is_ascii() && !text.as_str().contains("##["), "{}", text.as_str());
        let again: serde_json::Value = serde_json::from_str(text.as_str()).unwrap();
        assert_eq!(again, value);
    }

    #[test]
    fn a_log_has_no_commands_of_others() {
        let text = Printable::of("::stop::\n \u{a0} ::error::x\nstd::fmt ##[group]y ##[");
        let told = text.fenced(|| "T".to_owned());
        assert_eq!(
            told,
            "::stop-commands::T\n\\u{3a}:stop::\n \u{a0} \\u{3a}:error::x\n\
             std::fmt #\\u{23}[group]y #\\u{23}[\n::T::\n"
        );
        assert_eq!(Printable::of("plain").fenced(|| "T".to_owned()), "plain");
        assert_eq!(Printable::source("::x::\n").fenced(|| "T".to_owned()), "\\u{3a}:x::\n");
    }

    #[test]
    fn only_colours_pass_with_colours() {
        let text = Printable::colored("\x1b[1;31mred\x1b[0m \x1b[2J \x1b]0;title\x07 \x1b");
        assert_eq!(text.as_str(), "\x1b[1;31mred\x1b[0m \\u{1b}[2J \\u{1b}]0;title\\u{7} \\u{1b}");
    }
}
