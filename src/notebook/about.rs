//! The facts that a notebook states about itself: authors, date, language, description.
//!
//! In: front matter, metadata of a file, or `[tool.nbc]` of a script header. Out: [`About`]. Says nothing of
//! values that it cannot read: the same keys mean other things to other tools.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::front_matter::scalar_text;
use crate::config::{Samples, is_language};

/// Most authors that are named.
const MOST_AUTHORS: usize = 50;
/// Longest text of a field, in characters.
const LONGEST: usize = 500;

/// The facts that a notebook states about itself, besides its title.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// A sentence or two.
    pub description: Option<String>,
    /// Names.
    pub authors: Vec<String>,
    /// The date exactly as the author wrote it; never that of a build.
    pub date: Option<String>,
    /// BCP 47 language tag of the prose.
    pub language: Option<String>,
    /// Values that its inputs have on the page, by variable: `[tool.nbc.states]`.
    pub samples: BTreeMap<String, Samples>,
    /// Names in that table whose values cannot be read.
    pub unread_samples: Vec<String>,
    /// Patterns as in `.gitignore` of the files that a run sees: `inputs` in `[tool.nbc]`.
    pub inputs: Option<Vec<String>>,
}

impl About {
    /// Keys allowed in `[tool.nbc]` of a script header.
    pub(super) const KEYS: [&str; 9] = [
        "abstract",
        "author",
        "authors",
        "date",
        "description",
        "inputs",
        "lang",
        "language",
        "states",
    ];

    /// Reads front matter or the metadata of a file.
    pub(super) fn of(values: &Map<String, Value>) -> Self {
        let text = |key: &str| values.get(key).and_then(scalar_text).and_then(|it| plain(&it));
        let people = values.get("authors").or_else(|| values.get("author"));
        Self {
            description: text("description").or_else(|| text("abstract")),
            authors: people.map(names).unwrap_or_default(),
            // `today` of Quarto asks for a clock.
            date: text("date")
                .filter(|it| it.starts_with(|c: char| c.is_ascii_digit()))
                .map(|it| of_epoch(&it).unwrap_or(it)),
            language: text("lang").filter(|it| is_language(it)),
            samples: BTreeMap::new(),
            unread_samples: Vec::new(),
            inputs: None,
        }
    }

    /// Reads `[tool.nbc]` of a script header.
    pub(super) fn of_header(table: &toml::Table) -> Self {
        let own = table.get("tool").and_then(|it| it.get("nbc"));
        match own.and_then(|it| serde_json::to_value(it).ok()) {
            // A date of TOML is a table to JSON.
            Some(Value::Object(mut values)) => {
                // In the metadata of files this is the language of the code.
                if let Some(language) = values.remove("language") {
                    values.insert("lang".to_owned(), language);
                }
                if let Some(date) =
                    own.and_then(|it| it.get("date")).and_then(|it| it.as_datetime())
                {
                    values.insert("date".to_owned(), Value::from(date.to_string()));
                }
                let states = own.and_then(|it| it.get("states")?.as_table());
                Self {
                    samples: states.map(Samples::read).unwrap_or_default(),
                    unread_samples: states.map(Samples::left_out).unwrap_or_default(),
                    inputs: values
                        .get("inputs")
                        .and_then(|it| serde_json::from_value(it.clone()).ok()),
                    ..Self::of(&values)
                }
            }
            _ => Self::default(),
        }
    }

    /// Fills missing fields from the other one.
    pub fn or(self, other: Self) -> Self {
        Self {
            description: self.description.or(other.description),
            authors: if self.authors.is_empty() { other.authors } else { self.authors },
            date: self.date.or(other.date),
            language: self.language.or(other.language),
            samples: if self.samples.is_empty() { other.samples } else { self.samples },
            unread_samples: [self.unread_samples, other.unread_samples].concat(),
            inputs: self.inputs.or(other.inputs),
        }
    }
}

/// `A`, `[A, B]`, `{name: A}`, `[{name: {given: A, family: B}}]`: what Quarto, MyST and Jupyter write.
fn names(value: &Value) -> Vec<String> {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    items.iter().filter_map(name).take(MOST_AUTHORS).collect()
}

fn name(value: &Value) -> Option<String> {
    let Value::Object(person) = value else { return scalar_text(value).and_then(|it| plain(&it)) };
    let parts = match person.get("name")? {
        Value::Object(parts) => parts,
        whole => return scalar_text(whole).and_then(|it| plain(&it)),
    };
    let part = |key: &str| parts.get(key).and_then(scalar_text);
    let joined =
        [part("given"), part("family")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    plain(&part("literal").unwrap_or(joined))
}

/// The day (UTC) of a number of seconds or milliseconds since 1970: some tools write dates so.
fn of_epoch(text: &str) -> Option<String> {
    /// From 1973 on: what is smaller may be a year, or a day without hyphens.
    const SECONDS: std::ops::Range<f64> = 100_000_000.0..100_000_000_000.0;
    const DAY: i64 = 86_400;
    let number: f64 = text.parse().ok()?;
    let seconds = if SECONDS.contains(&number) { number } else { number / 1000.0 };
    if !SECONDS.contains(&seconds) || number < SECONDS.end && text.len() == 8 {
        return None;
    }
    // Days of the Gregorian calendar, counted from 1 March 0000 (H. Hinnant, "chrono-compatible low-level date algorithms").
    let days = seconds as i64 / DAY + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Some(format!("{year:04}-{month:02}-{day:02}"))
}

fn plain(text: &str) -> Option<String> {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!words.is_empty()).then(|| words.chars().take(LONGEST).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(value: &Value) -> About {
        value.as_object().map(About::of).unwrap_or_default()
    }

    #[test]
    fn authors_are_read_in_every_form() {
        let names = |value| of(&json!({ "author": value })).authors;
        assert_eq!(names(json!("Ana  Novak")), ["Ana Novak"]);
        assert_eq!(names(json!(["A", {"name": "B"}])), ["A", "B"]);
        assert_eq!(names(json!({"name": {"given": "C", "family": "D"}})), ["C D"]);
        assert_eq!(names(json!([{"orcid": "1"}, 3, null, " "])), ["3"]);
    }

    #[test]
    fn a_date_is_that_of_the_source_only() {
        assert_eq!(of(&json!({"date": "2024-05-01"})).date.as_deref(), Some("2024-05-01"));
        assert_eq!(of(&json!({"date": "today"})).date, None);
        for (date, shown) in [
            (json!(951_782_400), "2000-02-29"),
            (json!(1_735_689_599.5), "2024-12-31"),
            (json!("1735689600000"), "2025-01-01"),
            (json!(2024), "2024"),
            (json!(20_240_501), "20240501"),
            (json!("2024.5"), "2024.5"),
        ] {
            assert_eq!(of(&json!({"date": date})).date.as_deref(), Some(shown), "{date}");
        }
    }

    #[test]
    fn a_script_header_speaks_for_its_notebook() {
        let table = "[tool.nbc]\nauthors = ['A']\ndate = 2024-05-01\nlanguage = 'de'\n";
        let about = About::of_header(&table.parse().unwrap());
        assert_eq!(about.authors, ["A"]);
        assert_eq!(about.date.as_deref(), Some("2024-05-01"));
        assert_eq!(about.language.as_deref(), Some("de"));
    }
}
