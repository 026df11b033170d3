//! Execution options of Quarto, and those of knitr and nbdev that mean the same.
//!
//! In: front matter, `#|` lines, braces of a fence, metadata of a cell. Out: [`Execution`], which says what is run and what
//! is shown. A value that is not understood hides code and runs nothing: an author who writes about `echo` or `eval` wants
//! something kept back.

use serde_json::{Map, Value};

use super::front_matter::{self, scalar_text};
use super::{CellOptions, CodeVisibility};

/// Formats of Quarto whose pages show no code unless the author asks for it.
const FORMATS_WITHOUT_CODE: [&str; 4] = ["revealjs", "dashboard", "pptx", "beamer"];

/// Options of one cell, or of all cells of a document; `None` says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Execution {
    echo: Option<bool>,
    fold: Option<CodeVisibility>,
    eval: Option<bool>,
    include: Option<bool>,
    output: Option<bool>,
    warning: Option<bool>,
    error: Option<bool>,
    /// What the cell prints is Markdown.
    as_is: Option<bool>,
}

impl Execution {
    /// Reads `execute:` of front matter or of a project, options beside it, and those of the format that a page is.
    pub(super) fn of_document(values: &Map<String, Value>) -> Self {
        let mut found = Self::of_level(values);
        if let Some((name, format)) = values.get("format").and_then(format_of_page) {
            let own = format.and_then(Value::as_object).map(Self::of_level).unwrap_or_default();
            found = own.or(&found);
            if FORMATS_WITHOUT_CODE.iter().any(|it| name.ends_with(it)) {
                found.echo = found.echo.or(Some(false));
            }
        }
        found
    }

    fn of_level(values: &Map<String, Value>) -> Self {
        // Of other tools' keys with these names, none is a truth value.
        let flags = values.iter().filter(|(_, value)| value.is_boolean());
        let beside = Self::of(flags.map(|(key, value)| (key.as_str(), value)));
        let execute = match values.get("execute") {
            Some(Value::Bool(false)) => Self { eval: Some(false), ..Self::default() },
            Some(Value::Object(options)) => {
                Self::of(options.iter().map(|(key, value)| (key.as_str(), value)))
            }
            _ => Self::default(),
        };
        execute.or(&beside)
    }

    /// Front matter in the place of a text that should be YAML and is not: whatever it speaks of is switched off.
    pub(super) fn of_broken(yaml: &str) -> Map<String, Value> {
        let speaks = |word: &str| yaml.contains(word);
        let mut off = Map::new();
        if speaks("echo") || speaks("include") || speaks("execute") {
            off.insert("echo".to_owned(), Value::Bool(false));
        }
        if speaks("eval") || speaks("enabled") || speaks("execute") {
            off.insert("eval".to_owned(), Value::Bool(false));
        }
        let mut values = Map::new();
        if !off.is_empty() {
            values.insert("execute".to_owned(), Value::Object(off));
        }
        values
    }

    /// Reads the metadata of a Jupyter cell, where Quarto keeps options as truth values.
    pub(super) fn of_metadata(metadata: &Map<String, Value>) -> Self {
        let flags = metadata.iter().filter(|(_, value)| value.is_boolean());
        Self::of(flags.map(|(key, value)| (key.as_str(), value)))
    }

    fn of<'a>(options: impl Iterator<Item = (&'a str, &'a Value)>) -> Self {
        let mut found = Self::default();
        for (key, value) in options {
            match key {
                "echo" => found.echo = Some(is_on(value)),
                "eval" | "enabled" => found.eval = Some(is_on(value) || is_list(value)),
                "include" => found.include = Some(is_on(value)),
                "output" => {
                    found.output = Some(!is_off(value));
                    found.as_is = Some(value.as_str() == Some("asis"));
                }
                "results" => {
                    found.as_is = Some(value.as_str() == Some("asis"));
                    let hides = value.as_str().is_some_and(|it| it.eq_ignore_ascii_case("hide"));
                    found.output = Some(!hides && !is_off(value));
                }
                "warning" => found.warning = Some(!is_off(value)),
                "error" => found.error = Some(is_on(value)),
                "code-fold" if is_on(value) || value.as_str() == Some("show") => {
                    found.fold = Some(CodeVisibility::Folded);
                }
                _ => {}
            }
        }
        found
    }

    /// These options, and those of `other` where these say nothing.
    pub(super) fn or(self, other: &Self) -> Self {
        Self {
            echo: self.echo.or(other.echo),
            fold: self.fold.or(other.fold),
            eval: self.eval.or(other.eval),
            include: self.include.or(other.include),
            output: self.output.or(other.output),
            warning: self.warning.or(other.warning),
            error: self.error.or(other.error),
            as_is: self.as_is.or(other.as_is),
        }
    }

    /// Whether readers get nothing of a cell's code.
    pub(super) fn hides_code(&self) -> bool {
        self.echo == Some(false) || self.include == Some(false)
    }

    /// Decides about a cell, whose tags are read already: its own options go before those of its document. What either
    /// the tags or the options hide stays hidden.
    pub(super) fn decide(self, document: &Self, options: &mut CellOptions) {
        let says_own = self.echo.is_some() || self.fold.is_some();
        let both = self.or(document);
        if both.hides_code() {
            options.code = Some(CodeVisibility::Hidden);
            options.is_withheld = true;
        } else if !options.is_withheld && (says_own || options.code.is_none()) {
            let open = both.echo.map(|_| CodeVisibility::Shown);
            options.code = both.fold.or(open).or(options.code);
        }
        options.hide_cell |= both.include == Some(false);
        options.hide_output |= both.output == Some(false);
        options.hide_warnings |= both.warning == Some(false);
        options.skip_execution |= both.eval == Some(false);
        options.prints_markdown |= both.as_is == Some(true);
        options.raises_exception |= both.error == Some(true);
    }
}

/// The format that a page of HTML is made for, or the first one, with its options.
fn format_of_page(formats: &Value) -> Option<(&str, Option<&Value>)> {
    match formats {
        Value::String(name) => Some((name, None)),
        Value::Object(all) => {
            let is_html = |name: &str| name.split(['-', '+', ':']).any(|it| it.starts_with("html"));
            let found = all.iter().find(|(name, _)| is_html(name)).or_else(|| all.iter().next());
            found.map(|(name, options)| (name.as_str(), Some(options)))
        }
        _ => None,
    }
}

/// Whether a value says yes, in YAML or in R.
fn is_on(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(word) => {
            ["true", "t", "yes", "y", "on", "fenced"].contains(&word.to_ascii_lowercase().as_str())
        }
        _ => false,
    }
}

/// Whether a value says no, or nothing.
fn is_off(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => !*flag,
        Value::Null => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(word) => {
            ["false", "f", "no", "n", "off", ""].contains(&word.to_ascii_lowercase().as_str())
        }
        _ => false,
    }
}

fn is_list(value: &Value) -> bool {
    value.as_array().is_some_and(|it| !it.is_empty())
}

/// The options that a cell's code starts with.
#[derive(Debug, Default)]
pub(super) struct CodeOptions {
    pub(super) execution: Execution,
    pub(super) label: Option<String>,
    /// Names of all options, in their order.
    pub(super) keys: Vec<String>,
}

impl CodeOptions {
    /// Reads the `#|` lines of a cell.
    pub(super) fn of(code: &str) -> Self {
        Self::after(code, &["#"])
    }

    /// Reads such lines behind the comment signs of any language that Quarto has cells of.
    pub(super) fn of_other(code: &str) -> Self {
        Self::after(code, &["#", "//", "--", "%%", "%"])
    }

    fn after(code: &str, comments: &[&str]) -> Self {
        let lines: Vec<&str> = option_lines(code, comments).collect();
        if lines.is_empty() {
            return Self::default();
        }
        match front_matter::parse(&lines.join("\n")) {
            Ok(values) => Self::of_values(&values),
            Err(_) => Self::of_lines(&lines),
        }
    }

    /// Reads the braces of a fence, without the language: `echo=FALSE, label="a"`.
    pub(super) fn of_braces(text: &str) -> Self {
        Self::of_values(&pairs(text))
    }

    fn of_values(values: &Map<String, Value>) -> Self {
        let options = values.iter().map(|(key, value)| (key.as_str(), value));
        Self {
            execution: Execution::of(options),
            label: values.get("label").and_then(scalar_text).filter(|it| !it.is_empty()),
            keys: values.keys().cloned().collect(),
        }
    }

    /// Reads lines that are no YAML together: words of nbdev, pairs of knitr, and YAML line by line.
    fn of_lines(lines: &[&str]) -> Self {
        let mut values = Map::new();
        let mut words = Execution::default();
        for line in lines {
            match line.trim() {
                "hide" => words.include = Some(false),
                "hide_input" | "hide-input" => words.echo = Some(false),
                "hide_output" | "hide-output" => words.output = Some(false),
                text => values_of_line(text)
                    .into_iter()
                    .for_each(|(key, value)| front_matter::insert(&mut values, key, value)),
            }
        }
        let found = Self::of_values(&values);
        Self { execution: found.execution.or(&words), ..found }
    }
}

fn values_of_line(line: &str) -> Map<String, Value> {
    if let Ok(values) = front_matter::parse(line) {
        return values;
    }
    let mut values = pairs(line);
    if let Some((key, value)) = line.split_once(':').filter(|_| values.is_empty()) {
        let value = value.trim().trim_matches(['"', '\'']);
        values.insert(key.trim().to_owned(), Value::from(value));
    }
    values
}

/// `key = VALUE`, separated by commas or blanks.
fn pairs(text: &str) -> Map<String, Value> {
    let mut found = Map::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('=') {
        let key = before.trim().rsplit([',', ' ', '\t']).next().unwrap_or_default();
        let after = after.trim_start();
        let quote = after.chars().next().filter(|it| ['"', '\''].contains(it));
        let (value, next) = match quote {
            Some(quote) => {
                after.get(1..).and_then(|it| it.split_once(quote)).unwrap_or((after, ""))
            }
            None => after.split_at(after.find([',', ' ', '\t']).unwrap_or(after.len())),
        };
        if !key.is_empty() {
            front_matter::insert(&mut found, key.replace('.', "-"), Value::from(value));
        }
        rest = next;
    }
    found
}

/// The texts of the `#|` lines that a cell starts with. Formatters of code write `# |`.
fn option_lines<'a>(code: &'a str, comments: &[&str]) -> impl Iterator<Item = &'a str> {
    let lines = code.lines().skip_while(|line| line.trim().is_empty());
    lines.map_while(|line| {
        // Code in a list is indented. What an author indents by mistake is meant, too.
        let line = line.trim_start();
        let comment = comments.iter().find_map(|it| line.strip_prefix(it))?;
        let option = comment.trim_start_matches([' ', '\t']).strip_prefix('|')?;
        Some(option.strip_prefix(' ').unwrap_or(option))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(document: &str, code: &str) -> CellOptions {
        let values =
            front_matter::parse(document).unwrap_or_else(|_| Execution::of_broken(document));
        let mut options = CellOptions::default();
        CodeOptions::of(code).execution.decide(&Execution::of_document(&values), &mut options);
        options
    }

    #[test]
    fn code_is_withheld_however_its_author_says_so() {
        for code in [
            "#| echo: false",
            "#| echo: false  # not for customers",
            "#|echo:   False",
            "# | echo: false",
            "\n#| echo: no",
            "   #| echo: false\n   x = 1",
            "#| echo:\n#|   false",
            "#| {echo: false}",
            "#| echo: \"false\"",
            "#| echo:",
            "#| echo: [2, 3]",
            "#| echo: !expr show",
            "#| label: x\n#| fig-cap: a: b\n#| echo: false",
            "#| label: x\n#| echo = FALSE, eval = TRUE",
            "#| export\n#| hide_input",
            "#| include: false",
            "#| echo: false\n#| echo: true",
            "#| echo = FALSE, echo = TRUE",
        ] {
            assert!(decided("", code).is_withheld, "{code}");
            assert_eq!(decided("", code).code, Some(CodeVisibility::Hidden), "{code}");
        }
        for document in [
            "execute:\n  echo: false",
            "echo: false",
            "format:\n  html:\n    echo: false",
            "format:\n  pdf: default\n  html:\n    execute: {include: false}",
            "format: revealjs",
            "format: {acme-dashboard: {theme: x}}",
            "execute: {echo: false\n",
            "execute:\n  echo: false\n  echo: true",
            "execute: {echo: false}\nexecute: {eval: true}",
        ] {
            assert!(decided(document, "x = 1").is_withheld, "{document}");
        }
    }

    #[test]
    fn a_cell_goes_before_its_document_and_a_format_before_the_rest() {
        let shown = decided("execute: {echo: false, warning: false}", "#| echo: true\n1");
        assert_eq!((shown.code, shown.is_withheld), (Some(CodeVisibility::Shown), false));
        assert!(shown.hide_warnings && !shown.skip_execution);
        let html = "echo: false\nformat: {html: {echo: true}, pdf: {echo: false}}";
        assert!(!decided(html, "1").is_withheld);
        assert!(!decided("output: html_document\ninclude: [a.tex]", "1").hide_output);
        assert_eq!(decided("", "1"), CellOptions::default());
    }

    #[test]
    fn nothing_runs_that_is_switched_off() {
        for document in ["execute: {eval: false}", "execute: false", "execute: {enabled: false}"] {
            assert!(decided(document, "1").skip_execution, "{document}");
            assert!(!decided(document, "1").is_withheld, "{document}");
            assert!(decided(document, "#| echo: false").is_withheld, "{document}");
        }
        assert!(decided("", "#| eval: !expr interactive()").skip_execution);
        assert!(!decided("execute: {eval: false}", "#| eval: true").skip_execution);
        assert!(!decided("", "#| eval: [1, 2]").skip_execution);
    }

    #[test]
    fn braces_hold_options_of_knitr() {
        let of = |text: &str| CodeOptions::of_braces(text);
        assert!(of(", echo=FALSE").execution.hides_code());
        assert!(of("echo=false label=\"a, b=1\"").execution.hides_code());
        assert!(of("setup, include = F").execution.hides_code());
        assert_eq!(of("label='x'").label.as_deref(), Some("x"));
        assert!(!of("fig.cap=\"echo=FALSE\"").execution.hides_code());
    }
}
