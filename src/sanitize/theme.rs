//! The looks that a site's author chose: values of `[theme]`, and a stylesheet.
//!
//! In: CSS of the author. Out: rules that load nothing and leave outputs in their boxes. Unlike CSS of a
//! notebook it reaches the whole page, and what is not allowed is an error: its author is there to mend it.

use lightningcss::declaration::DeclarationBlock;
use lightningcss::properties::Property;
use lightningcss::rules::{CssRule, CssRuleList};
use lightningcss::stylesheet::{ParserOptions, StyleAttribute, StyleSheet};

use super::SafeCss;
use super::css::{self, REFUSED_TEXT};
use crate::config::{ColorSetting, ThemeSettings};

/// Why a theme cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThemeError {
    /// A value of `[theme]` is not what its key stands for.
    #[error("`{key} = \"{value}\"` in `[theme]` is not {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// The expected form.
        expected: &'static str,
    },
    /// The stylesheet is not CSS, or does what a theme may not.
    #[error("line {line}: {reason}")]
    Sheet {
        /// From 1.
        line: u32,
        /// The fault.
        reason: String,
    },
}

/// Properties that keep an output in its box.
const KEPT: [&str; 5] = ["all", "contain", "isolation", "behavior", "-moz-binding"];

/// Properties by which a sheet writes text of its own, prefixes apart.
const WRITING: [&str; 8] = [
    "content",
    "quotes",
    "list-style",
    "list-style-type",
    "text-emphasis",
    "text-emphasis-style",
    "text-overflow",
    "hyphenate-character",
];

/// Longest text of such a property, in characters.
const LONGEST_TEXT: usize = 4;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Color,
    Font,
    Length,
}

/// Rules of a theme. `sheet` is the text of its stylesheet.
///
/// # Errors
/// See [`ThemeError`].
pub fn theme(settings: &ThemeSettings, sheet: Option<&str>) -> Result<SafeCss, ThemeError> {
    let mut variables = String::new();
    let colors = [
        ("accent", &settings.accent),
        ("text", &settings.text),
        ("muted", &settings.muted),
        ("background", &settings.background),
        ("surface", &settings.surface),
        ("border", &settings.border),
    ];
    for (key, color) in colors {
        let value = match color {
            None => continue,
            Some(ColorSetting::Both(color)) => value(key, color, Kind::Color)?,
            Some(ColorSetting::Each { light, dark }) => {
                let light = value(key, light, Kind::Color)?;
                format!("light-dark({light},{})", value(key, dark, Kind::Color)?)
            }
        };
        variables.push_str(&format!("--nbc-{key}:{value};"));
    }
    let others = [
        ("font", "sans", &settings.font, Kind::Font),
        ("heading-font", "heading", &settings.heading_font, Kind::Font),
        ("code-font", "mono", &settings.code_font, Kind::Font),
        ("font-size", "size", &settings.font_size, Kind::Length),
        ("measure", "measure", &settings.measure, Kind::Length),
        ("prose-measure", "prose", &settings.prose_measure, Kind::Length),
        ("radius", "radius", &settings.radius, Kind::Length),
    ];
    for (key, name, text, kind) in others {
        if let Some(text) = text {
            variables.push_str(&format!("--nbc-{name}:{};", value(key, text, kind)?));
        }
    }
    let mut rules = String::new();
    if !variables.is_empty() {
        rules.push_str(&format!(":root{{{variables}}}\n"));
    }
    if let Some(text) = sheet {
        rules.push_str(&checked(text)?);
    }
    Ok(SafeCss(rules))
}

/// The printed form of a value, which is one value of its kind and nothing more.
fn value(key: &'static str, text: &str, kind: Kind) -> Result<String, ThemeError> {
    let (property, expected) = match kind {
        Kind::Color => ("color", "a CSS colour"),
        Kind::Font => ("font-family", "a list of CSS font families"),
        Kind::Length => ("width", "a CSS length"),
    };
    let refuse = || ThemeError::Value { key, value: text.to_owned(), expected };
    if css::depth(text) > css::DEEPEST || text.len() > 1000 {
        return Err(refuse());
    }
    let printed = css::guarded(|| {
        let style = format!("{property}:{text}");
        let parsed = StyleAttribute::parse(&style, ParserOptions::default()).ok()?;
        let DeclarationBlock { declarations, important_declarations } = &parsed.declarations;
        let [declaration] = declarations.as_slice() else { return None };
        let is_read = matches!(
            (declaration, kind),
            (Property::Color(_), Kind::Color)
                | (Property::FontFamily(_), Kind::Font)
                | (Property::Width(_), Kind::Length)
        );
        (is_read && important_declarations.is_empty())
            .then(|| declaration.value_to_css_string(css::options()).ok())
            .flatten()
    });
    let printed = printed.flatten().filter(|it| !is_refused(it) && css::is_balanced(it));
    printed.ok_or_else(refuse)
}

fn is_refused(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    REFUSED_TEXT.iter().any(|it| lower.contains(it))
}

/// A stylesheet as it is printed again, once all of its rules are known to be allowed.
fn checked(text: &str) -> Result<String, ThemeError> {
    let fail = |line, reason: &str| ThemeError::Sheet { line, reason: reason.to_owned() };
    if css::depth(text) > css::DEEPEST {
        return Err(fail(1, "brackets are nested too deeply"));
    }
    let read = css::guarded(|| {
        let sheet = StyleSheet::parse(text, ParserOptions::default()).map_err(|error| {
            let line = error.loc.as_ref().map_or(1, |it| it.line + 1);
            ThemeError::Sheet { line, reason: format!("not CSS: {}", error.kind) }
        })?;
        rules(&sheet.rules)?;
        let printed = sheet.to_css(css::options()).map_err(|error| fail(1, &error.to_string()))?;
        Ok(printed.code)
    });
    let printed = read.unwrap_or_else(|| Err(fail(1, "it cannot be read as CSS")))?;
    // Nothing in a style element is an escape: its end is where the letters stand.
    if printed.contains("</") || printed.contains("<!--") {
        return Err(fail(1, "`<` may not be part of it"));
    }
    Ok(printed)
}

fn rules(list: &CssRuleList<'_>) -> Result<(), ThemeError> {
    for rule in &list.0 {
        match rule {
            CssRule::Style(rule) => {
                block(&rule.declarations, rule.loc.line + 1)?;
                rules(&rule.rules)?;
            }
            CssRule::NestedDeclarations(rule) => block(&rule.declarations, rule.loc.line + 1)?,
            CssRule::Media(rule) => rules(&rule.rules)?,
            CssRule::Supports(rule) => rules(&rule.rules)?,
            CssRule::Ignored => {}
            other => {
                let (name, line) = match other {
                    CssRule::Import(it) => ("@import", it.loc.line),
                    CssRule::FontFace(it) => ("@font-face", it.loc.line),
                    CssRule::Keyframes(it) => ("@keyframes", it.loc.line),
                    _ => ("this at-rule", 0),
                };
                let reason = format!(
                    "{name} has no place in a theme: it holds rules, `@media` and `@supports`"
                );
                return Err(ThemeError::Sheet { line: line + 1, reason });
            }
        }
    }
    Ok(())
}

fn block(block: &DeclarationBlock<'_>, line: u32) -> Result<(), ThemeError> {
    for (property, is_important) in block.iter() {
        let _ = is_important;
        let text = property.to_css_string(false, css::options()).unwrap_or_default();
        let (name, value) = text.split_once(':').unwrap_or((&text, ""));
        let name = name.trim().to_ascii_lowercase();
        let fail = |reason| Err(ThemeError::Sheet { line, reason });
        if KEPT.contains(&name.as_str()) {
            return fail(format!("`{name}` keeps outputs in their place and cannot be changed"));
        }
        let plain = ["-webkit-", "-moz-"].iter().find_map(|it| name.strip_prefix(it));
        let plain = plain.unwrap_or(&name);
        if WRITING.contains(&plain) && writes_words(value) {
            return fail(format!("`{name}` writes words, which only templates may"));
        }
        if plain == "position" && !["static", "relative", "absolute"].contains(&value.trim()) {
            return fail(
                "`position` may not stay over the page: a theme can't cover it".to_owned(),
            );
        }
        if is_refused(value) || !css::is_balanced(&text) {
            return fail(format!("`{name}` loads something: a theme is one file"));
        }
    }
    Ok(())
}

/// Whether a printed value shows more than marks, such as arrows, or takes its text from elsewhere.
fn writes_words(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    if lower.contains('\\') || ["var(", "attr(", "env("].iter().any(|it| lower.contains(it)) {
        return true;
    }
    let (mut quote, mut length) = (None, 0);
    for it in value.chars() {
        match quote {
            Some(end) if it == end => quote = None,
            Some(_) if it.is_alphanumeric() || length == LONGEST_TEXT => return true,
            Some(_) => length += 1,
            None => quote = Some(it).filter(|it| matches!(it, '"' | '\'')),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> ThemeSettings {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn values_become_variables() {
        let text = "accent = {light = '#0a0a0a', dark = 'white'}\nfont = 'Georgia, serif'\nmeasure = '60rem'";
        assert_eq!(
            theme(&settings(text), None).unwrap().as_str(),
            ":root{--nbc-accent:light-dark(#0a0a0a,#fff);--nbc-sans:Georgia,serif;--nbc-measure:60rem;}\n"
        );
        assert_eq!(theme(&ThemeSettings::default(), None).unwrap().as_str(), "");
    }

    #[test]
    fn a_value_is_one_value() {
        for bad in [
            "accent = 'red;} body{display:none'",
            "accent = 'url(x)'",
            "accent = 'var(--x)'",
            "accent = ''",
            "accent = 'red !important'",
            "font = '\"</style>\"'",
            "measure = 'wide'",
            "measure = '1px;color:red'",
        ] {
            assert!(theme(&settings(bad), None).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_sheet_styles_the_page_and_loads_nothing() {
        let sheet = |text| theme(&ThemeSettings::default(), Some(text)).map(|it| it.0);
        assert_eq!(sheet(".bar { color: red }").unwrap(), ".bar{color:red}");
        assert_eq!(
            sheet("@media print { .bar::after { content: '“' } }").unwrap(),
            "@media print{.bar:after{content:\"“\"}}"
        );
        assert!(sheet("li{list-style:square;position:absolute}q{quotes:'»' '«'}").is_ok());
        assert!(sheet("h2::before{content:counter(a) '. '}").is_ok());
        for (bad, line) in [
            ("\n\na{background:url(https://e.x/)}", 3),
            ("\na{background:image-set('x' 1x)}", 2),
            ("@import 'x';", 1),
            ("a{}\n@font-face{font-family:x;src:local(x)}", 2),
            (".nbc-out{contain:none}", 1),
            (".nbc-out{contain:none!important}", 1),
            (".nbc-out{all:unset!important}", 1),
            ("*{all:revert}", 1),
            ("a{b{isolation:auto}}", 1),
            ("a{content:'</style>'}", 1),
            ("a{--x:url(x)}", 1),
            ("body::before{content:'Your session has expired'}", 1),
            ("a{content:'a'}", 1),
            ("a{--x:'Log in';content:var(--x)}", 1),
            ("a::after{content:attr(href)}", 1),
            ("a{content:'\\4c'}", 1),
            ("ul{list-style-type:'Log in'}", 1),
            ("ul{list-style:'Log in'}", 1),
            ("q{quotes:'Log in' 'x'}", 1),
            ("a{content:'----' '----'}", 1),
            ("a{-webkit-text-emphasis:'Log'}", 1),
            (".bar{position:fixed}", 1),
            ("\n@media print{.bar{position:STICKY}}", 2),
            (".bar{position:-webkit-sticky}", 1),
            (".bar{--x:fixed;position:var(--x)}", 1),
            ("a{\ncolor", 2),
            ("}", 1),
        ] {
            match sheet(bad) {
                Err(ThemeError::Sheet { line: found, .. }) => assert_eq!(found, line, "{bad}"),
                other => panic!("{bad}: {other:?}"),
            }
        }
        assert!(sheet(&"a{".repeat(10_000)).is_err());
    }
}
