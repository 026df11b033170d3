//! Errors of TOML files as messages tell them: the place and the rule, never the line itself.
//!
//! In: an error of the parser, and the text that it is about. Out: `line 3, column 5: unknown field `exlude`, …`. The
//! parser's own text shows the line and wrong values, which may be a token that somebody put into the wrong file.

/// Longest key that a message names.
const LONGEST_KEY: usize = 64;

/// The place and the reason of an error.
#[must_use]
pub fn told(error: &toml::de::Error, text: &str) -> String {
    let reason = without_values(error.message());
    match error.span() {
        Some(span) => {
            let (line, column) = place(text, span.start);
            format!("line {line}, column {column}: {reason}")
        }
        None => reason,
    }
}

/// The line that an offset is in, from 1.
#[must_use]
pub fn line_at(text: &str, offset: usize) -> usize {
    place(text, offset).0
}

fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|it| *it != '\n').count() + 1;
    (line, column)
}

/// A message without the values that it quotes; keys stay if they are plain ones. The end of a message is from the
/// program, so what is expected is looked for from there.
#[must_use]
pub fn without_values(message: &str) -> String {
    for kind in ["invalid type: ", "invalid value: "] {
        let Some((found, expected)) =
            message.strip_prefix(kind).and_then(|it| it.rsplit_once(", expected "))
        else {
            continue;
        };
        // `string "…"`, `integer `…``
        let found = found.split(['"', '`']).next().unwrap_or_default().trim();
        return format!("{kind}{found}, expected {expected}");
    }
    if let Some(found) = message.strip_prefix("unknown variant ") {
        let expected = found.rsplit_once(", expected ").map(|it| format!(", expected {}", it.1));
        return format!("unknown value{}", expected.unwrap_or_default());
    }
    for kind in ["unknown field `", "missing field `", "duplicate field `"] {
        let Some(rest) = message.strip_prefix(kind) else { continue };
        let is_plain = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
        let key = rest.split(|it| !is_plain(it)).next().unwrap_or_default();
        let after = rest.get(key.len()..).unwrap_or_default();
        if key.len() <= LONGEST_KEY && after.starts_with('`') {
            return message.to_owned();
        }
        let kind = kind.trim_end_matches(" `");
        let expected = rest.rsplit_once("`, expected ").map(|it| format!(", expected {}", it.1));
        return format!("{kind}{}", expected.unwrap_or_default());
    }
    match (message.starts_with('`'), message.rsplit_once("` is no ")) {
        (true, Some((_, kind))) => format!("the value is no {kind}"),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is only read")]
    struct Settings {
        #[serde(default)]
        flag: bool,
        #[serde(default)]
        mode: Option<Mode>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Mode {
        Slow,
        Fast,
    }

    #[test]
    fn an_error_tells_its_place_and_quotes_no_value() {
        for (text, expected) in [
            ("\nflag = 'sk-live'", "line 2, column 8: invalid type: string, expected a boolean"),
            (
                "flag = '\", expected x'",
                "line 1, column 8: invalid type: string, expected a boolean",
            ),
            ("flag = 4711", "line 1, column 8: invalid type: integer, expected a boolean"),
            ("mode = 'sk-live'", "line 1, column 8: unknown value, expected `slow` or `fast`"),
            ("falg = 1", "line 1, column 1: unknown field `falg`, expected `flag` or `mode`"),
            ("'sk live!' = 1", "line 1, column 1: unknown field, expected `flag` or `mode`"),
        ] {
            let error = toml::from_str::<Settings>(text).unwrap_err();
            assert_eq!(told(&error, text), expected, "{text}");
        }
        for text in ["api_key = sk-live", "sk-live", "a = 'sk-live", "[sk-live", "= sk-live"] {
            let told = told(&toml::from_str::<Settings>(text).unwrap_err(), text);
            assert!(told.starts_with("line 1, column ") && !told.contains("sk-live"), "{told}");
        }
        assert_eq!(without_values("`sk` is no ` is no size; write"), "the value is no size; write");
    }
}
