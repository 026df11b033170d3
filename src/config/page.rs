//! `[page]`, `[pages."FILE"]`, `[theme]` and `base-url`: what pages say of themselves and how they look.

use camino::Utf8PathBuf;
use serde::{Deserialize, Deserializer};

/// `[page]`, and one table of `[pages]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PageSettings {
    /// Title; counts in `[pages]` only.
    pub title: Option<String>,
    /// A sentence or two, for the index page and for search engines.
    pub description: Option<String>,
    /// A name, or a list of names.
    #[serde(deserialize_with = "names")]
    pub author: Vec<String>,
    /// A date, printed as it is.
    #[serde(deserialize_with = "date")]
    pub date: Option<String>,
    /// BCP 47 language tag of the prose.
    #[serde(deserialize_with = "language")]
    pub language: Option<String>,
    /// Whether readers may download the notebook, without its outputs.
    pub source: Option<bool>,
    /// Whether files that prose links to are published with the site.
    pub files: Option<bool>,
    /// Whether the manifest names the packages that the notebook ran with; counts in `[page]` only.
    pub packages: Option<bool>,
    /// What readers see of errors that the author expects or keeps; counts in `[page]` only.
    pub errors: Option<ErrorSetting>,
    /// Files of its own folder that the notebook sees, as in `.gitignore`; counts in `[pages]` only.
    pub inputs: Option<Vec<String>>,
}

/// What readers see of an error that the author of a notebook expects (`raises-exception`), or that its file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorSetting {
    /// That the cell failed
    Hidden,
    /// Its type, its message and the line of the cell
    Message,
}

/// `[theme]`: changes of the page's looks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ThemeSettings {
    /// Links, focus, the current section.
    pub accent: Option<ColorSetting>,
    /// Text.
    pub text: Option<ColorSetting>,
    /// Less important text.
    pub muted: Option<ColorSetting>,
    /// The page.
    pub background: Option<ColorSetting>,
    /// Code, heads of tables, notes.
    pub surface: Option<ColorSetting>,
    /// Lines.
    pub border: Option<ColorSetting>,
    /// Font of the page.
    pub font: Option<String>,
    /// Font of headings.
    pub heading_font: Option<String>,
    /// Font of code.
    pub code_font: Option<String>,
    /// Size of text.
    pub font_size: Option<String>,
    /// Width of the page.
    pub measure: Option<String>,
    /// Width of lines of prose.
    pub prose_measure: Option<String>,
    /// Roundness of corners.
    pub radius: Option<String>,
    /// A stylesheet, relative to `nbc.toml`.
    pub css: Option<Utf8PathBuf>,
    /// A folder of templates that replace nbc's, relative to `nbc.toml`.
    pub templates: Option<Utf8PathBuf>,
}

/// A colour, or one for light and one for dark pages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum ColorSetting {
    /// Always
    Both(String),
    /// By scheme
    Each {
        /// On light pages
        light: String,
        /// On dark pages
        dark: String,
    },
}

/// Whether a text has the form of a BCP 47 language tag.
pub fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    (2..=8).contains(&first.len())
        && first.bytes().all(|it| it.is_ascii_alphabetic())
        && text.len() <= 35
        && parts.all(|it| {
            (1..=8).contains(&it.len()) && it.bytes().all(|it| it.is_ascii_alphanumeric())
        })
}

fn names<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Names {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Names::deserialize(from)? {
        Names::One(name) => vec![name],
        Names::Many(names) => names,
    })
}

fn date<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    match toml::Value::deserialize(from)? {
        toml::Value::Datetime(date) => Ok(Some(date.to_string())),
        toml::Value::String(text) => Ok(Some(text)),
        _ => Err(serde::de::Error::custom("a date is written `2024-05-01`")),
    }
}

fn language<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    if is_language(&text) {
        return Ok(Some(text));
    }
    Err(serde::de::Error::custom(format!("`{text}` is no language tag, such as `en` or `pt-BR`")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_page_and_a_theme_are_read() {
        let text = "base-url = 'https://e.org/a'\n[page]\nauthor = 'A'\ndate = 2024-05-01\n\
            language = 'pt-BR'\n[pages.'a.py']\ntitle = 'T'\nauthor = ['B', 'C']\n\
            [theme]\naccent = { light = '#000', dark = 'white' }\ntext = 'red'\n";
        let config: Config = toml::from_str(text).unwrap();
        assert_eq!(config.base_url.unwrap().as_str(), "https://e.org/a/");
        assert_eq!(config.page.date.as_deref(), Some("2024-05-01"));
        assert_eq!(config.pages.get("a.py").unwrap().author, ["B", "C"]);
        assert_eq!(config.theme.text, Some(ColorSetting::Both("red".to_owned())));
    }

    #[test]
    fn wrong_values_are_errors() {
        for bad in [
            "base-url = 'example.org'",
            "base-url = 'https://e.org/\"x'",
            "base-url = 'javascript:x'",
            "[page]\nlanguage = 'en_US'",
            "[page]\ndate = 3",
            "[page]\nautor = 'A'",
            "[theme]\naccent = { light = 'red' }",
        ] {
            assert!(toml::from_str::<Config>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_language_has_the_form_of_a_tag() {
        for good in ["en", "pt-BR", "zh-Hant-TW", "sl"] {
            assert!(is_language(good), "{good}");
        }
        for bad in ["", "e", "en_US", "en\" onload=", "en-", "-en", "x y"] {
            assert!(!is_language(bad), "{bad}");
        }
    }
}
