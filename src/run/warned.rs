//! Warnings in the text of a stream that a notebook carries: Python prints a line of code below each.
//!
//! In: the text, and the lines of the notebook's code. Out: the text without these lines, since the page may hide the
//! code. A run prints none (`runner/nbc_runner/console.py`).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::record::StreamName;

/// `/tmp/ipykernel_1/2.py:6: RuntimeWarning: divide by zero`, also behind the prefix of a log.
static HEAD: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r":[0-9]+: ([A-Za-z_][A-Za-z0-9_.]*): ").ok());

/// The lines of code that a warning could quote, without the blanks around them.
pub(super) fn code_lines<'a>(cells: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    cells.flat_map(str::lines).map(str::trim).filter(|it| !it.is_empty()).collect()
}

/// The text without the code below its warnings. The first line below one that looks like code goes even if no cell
/// holds it: the code may be another since the notebook ran. Code has two blanks before it (`warnings.formatwarning`);
/// lines of a message that have more, or none but blanks, are kept.
pub(super) fn without_code<'text>(
    text: &'text str,
    name: StreamName,
    code: &BTreeSet<&str>,
) -> Cow<'text, str> {
    let category = |line: &str| {
        let found = HEAD.as_ref()?.captures(line)?;
        Some(found.get(1)?.as_str().ends_with("Warning"))
    };
    if !text.lines().any(|it| category(it).is_some()) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    let (mut is_below, mut is_warned) = (false, false);
    for line in text.split_inclusive('\n') {
        let quoted = line.strip_prefix("  ").filter(|it| !it.starts_with(char::is_whitespace));
        let quoted = quoted.map(str::trim).filter(|it| !it.is_empty());
        let is_code = is_warned && quoted.is_some_and(|it| code.contains(it));
        if let Some(is_warning) = category(line).filter(|_| !is_code) {
            is_warned = true;
            is_below = is_warning && name == StreamName::Stderr;
            kept.push_str(line);
        } else if is_code || is_below && quoted.is_some() {
            (is_below, is_warned) = (false, false);
        } else {
            is_below &= line.starts_with("   ") || line.trim().is_empty();
            kept.push_str(line);
        }
    }
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, name: StreamName, code: &str) -> String {
        without_code(text, name, &code_lines([code].into_iter())).into_owned()
    }

    #[test]
    fn no_line_of_code_stands_below_a_warning() {
        let code = "import numpy as np\nif True:\n    price = np.log(-1) * 17.3\n";
        let quoted = "  price = np.log(-1) * 17.3\n";
        for head in [
            "/tmp/ipykernel_1/2.py:6: RuntimeWarning: invalid value\n",
            "<cell 0>:6: RuntimeWarning: invalid value\nin two lines\n",
            "WARNING:py.warnings:a.py:6: numpy.exceptions.Odd: x\n",
        ] {
            for name in [StreamName::Stderr, StreamName::Stdout] {
                let text = format!("before\n{head}{quoted}after\n{head}{quoted}");
                assert_eq!(check(&text, name, code), format!("before\n{head}after\n{head}"));
            }
        }
        // The code of an earlier version of the notebook.
        let old = "a.py:6: UserWarning: x\n  secret = 1\n  more\n";
        assert_eq!(check(old, StreamName::Stderr, code), "a.py:6: UserWarning: x\n  more\n");
        assert_eq!(check(old, StreamName::Stdout, code), old);
    }

    #[test]
    fn indented_lines_of_a_message_stay() {
        let message = "a.py:283: UserWarning: \n    Found a device\n    that is old.\n    \n";
        let text = format!("{message}  warnings.warn(\nafter\n  indented\n");
        let expected = format!("{message}after\n  indented\n");
        assert_eq!(check(&text, StreamName::Stderr, ""), expected);
    }

    #[test]
    fn other_text_stays() {
        let code = "x = 1\nprint('a')";
        for text in ["  x = 1\n", "12:30: Start: now\n  next\n", "a:1: B: c", "  x = 1\na:1: W: \n"]
        {
            for name in [StreamName::Stderr, StreamName::Stdout] {
                assert_eq!(check(text, name, code), text);
            }
        }
    }
}
