//! Settings of Quarto that hold for several documents: `_quarto.yml` and its like.
//!
//! In: YAML texts, the weaker first. Out: [`QuartoSettings`]. Of its many keys, those count that say what is run and shown.

use serde_json::{Map, Value};

use super::execution::Execution;
use super::{front_matter, yaml_blocks};

/// What a project of Quarto says about its documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuartoSettings {
    execution: Execution,
    /// Values that conditions of text may ask for.
    metadata: Map<String, Value>,
    /// Profiles that are active without anybody's asking.
    profiles: Vec<String>,
    is_project: bool,
}

impl QuartoSettings {
    /// Adds a file that goes before those that were added. False when it is no YAML: what it speaks of is switched off.
    pub fn add(&mut self, yaml: &str) -> bool {
        let read = front_matter::parse(yaml);
        let is_read = read.is_ok();
        let values = read.unwrap_or_else(|_| Execution::of_broken(yaml));
        let weaker = std::mem::take(&mut self.execution);
        self.execution = Execution::of_document(&values).or(&weaker);
        self.profiles.extend(values.get("profile").map(default_profiles).unwrap_or_default());
        self.metadata.extend(values);
        self.is_project = true;
        is_read
    }

    /// Names of the profiles that are active.
    pub fn profiles(&self) -> &[String] {
        &self.profiles
    }

    /// Patterns of the documents that the project renders: `render` of `project`. Without any it renders all.
    pub fn rendered(&self) -> Vec<String> {
        strings(
            self.metadata.get("project").and_then(|it| it.get("render")).unwrap_or(&Value::Null),
        )
    }

    /// Patterns of documents that the project calls drafts, and whether it shows drafts to readers.
    pub fn drafts(&self) -> (Vec<String>, bool) {
        let parts = ["website", "book"].map(|it| self.metadata.get(it));
        let get = |name: &str| {
            let found = parts.iter().flatten().find_map(|it| it.get(name));
            found.or_else(|| self.metadata.get(name)).cloned().unwrap_or_default()
        };
        (strings(&get("drafts")), get("draft-mode").as_str() == Some("visible"))
    }

    /// Whether the settings of a notebook's folders call it a draft.
    pub fn is_draft(&self) -> bool {
        self.metadata.get("draft") == Some(&Value::Bool(true))
    }

    /// Other files that the last one names.
    pub fn metadata_files(&self) -> Vec<String> {
        strings(self.metadata.get("metadata-files").unwrap_or(&Value::Null))
    }
}

/// Whether the front matter of a document calls it a draft; `None` says nothing.
pub fn says_draft(extension: &str, text: &str) -> Option<bool> {
    if !text.contains("draft") {
        return None;
    }
    let first_cell = || {
        let notebook: Value = serde_json::from_str(text).ok()?;
        let source = notebook.get("cells")?.get(0)?.get("source")?.clone();
        Some(match source {
            Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
            other => other.as_str()?.to_owned(),
        })
    };
    let text = if extension == "ipynb" { first_cell()? } else { text.to_owned() };
    let values =
        yaml_blocks::first(text.trim_start_matches('\u{feff}')).map(front_matter::parse)?;
    values.ok()?.get("draft")?.as_bool()
}

/// `default` of `profile`, and the first of each group.
fn default_profiles(profile: &Value) -> Vec<String> {
    let mut found = profile.get("default").map(strings).unwrap_or_default();
    match profile.get("group") {
        Some(Value::Array(groups)) if groups.iter().any(Value::is_array) => {
            found.extend(groups.iter().filter_map(|it| strings(it).into_iter().next()));
        }
        Some(group) => found.extend(strings(group).into_iter().next()),
        None => {}
    }
    found
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// What an author says about a whole document: the project's settings, and the front matter, which goes before them.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// Options of all cells.
    pub(super) execution: Execution,
    metadata: Map<String, Value>,
    profiles: Vec<String>,
    /// Whether it says so itself, where its format does not.
    pub(super) is_quarto: bool,
}

impl Document {
    pub(super) fn new(settings: &QuartoSettings, front_matter: &Map<String, Value>) -> Self {
        let mut metadata = settings.metadata.clone();
        metadata.extend(front_matter.iter().map(|(key, value)| (key.clone(), value.clone())));
        Self {
            execution: Execution::of_document(front_matter).or(&settings.execution),
            metadata,
            profiles: settings.profiles.clone(),
            is_quarto: settings.is_project,
        }
    }

    /// Reads the front matter that the first cell of a Jupyter notebook or a script may be.
    pub(super) fn add_front_matter(&mut self, text: &str) {
        let Some(yaml) = yaml_blocks::first(text) else { return };
        let values = front_matter::parse(yaml).unwrap_or_else(|_| Execution::of_broken(yaml));
        self.execution = Execution::of_document(&values).or(&self.execution);
        self.is_quarto |= ["format", "execute"].iter().any(|it| values.contains_key(*it));
        self.metadata.extend(values);
    }

    /// Whether a text is left out that has these classes and conditions: `.content-hidden when-format="html"`. `None`
    /// for a text without conditions.
    pub(super) fn hides(&self, attributes: &str) -> Option<bool> {
        let has = |class: &str| {
            let mut words = attributes.split([' ', '\t', '\n', '{', '}']);
            let mut stated = pairs(attributes).filter(|(key, _)| *key == "class");
            words.any(|it| it.strip_prefix('.').unwrap_or(it) == class)
                || stated.any(|(_, value)| value.split_ascii_whitespace().any(|it| it == class))
        };
        let (is_hidden, is_visible) = (has("content-hidden"), has("content-visible"));
        if !is_hidden && !is_visible {
            return None;
        }
        let conditions = pairs(attributes).map(|(key, it)| (key.trim_start_matches("data-"), it));
        let mut conditions =
            conditions.filter(|(key, _)| key.starts_with("when-") || key.starts_with("unless-"));
        let holds = conditions.all(|(key, value)| match key {
            "when-format" => is_html(value),
            "unless-format" => !is_html(value),
            "when-profile" => self.has_profile(value),
            "unless-profile" => !self.has_profile(value),
            "when-meta" => self.says(value),
            "unless-meta" => !self.says(value),
            // A condition that is not understood hides the text.
            _ => is_hidden,
        });
        Some(holds == is_hidden)
    }

    fn has_profile(&self, name: &str) -> bool {
        self.profiles.iter().any(|it| it == name)
    }

    fn says(&self, path: &str) -> bool {
        let mut names = path.split('.');
        let first = names.next().and_then(|it| self.metadata.get(it));
        names.fold(first, |value, name| value?.get(name)) == Some(&Value::Bool(true))
    }
}

fn is_html(format: &str) -> bool {
    let format = format.trim().to_ascii_lowercase();
    format.split([':', '+', '-']).next().is_some_and(|it| it.starts_with("html"))
}

/// The attributes that have a value.
fn pairs(attributes: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = attributes;
    std::iter::from_fn(move || {
        let (before, after) = rest.split_once('=')?;
        let key = before.trim_end().rsplit([' ', '\t', '\n', '{', '"', '\'']).next()?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|it| ['"', '\''].contains(it));
        let (value, next) = match quote {
            Some(quote) => after.get(1..)?.split_once(quote).unwrap_or((after, "")),
            None => after.split_at(after.find([' ', '\t', '\n', '}']).unwrap_or(after.len())),
        };
        rest = next;
        Some((key, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(project: &str, front: &str) -> Document {
        let mut settings = QuartoSettings::default();
        assert!(settings.add(project));
        Document::new(&settings, &front_matter::parse(front).unwrap())
    }

    #[test]
    fn a_condition_decides_as_quarto_does_for_a_page() {
        let document = document(
            "profile: {default: team, group: [[basic, advanced], [a]]}\nflags: {draft: true}",
            "flags: {draft: true, final: \"true\"}",
        );
        for (attributes, hidden) in [
            (".content-hidden", true),
            (".content-visible", false),
            (".content-hidden when-format=\"html\"", true),
            (".content-hidden when-format=html:js", true),
            (".content-hidden when-format=\"pdf\"", false),
            (".content-hidden unless-format=\"pdf\"", true),
            (".content-visible when-format=\"pdf\"", true),
            (".content-visible when-format=\"html\"", false),
            (".content-visible unless-format='html'", true),
            (".content-visible when-profile=\"customer\"", true),
            (".content-hidden unless-profile=\"customer\"", true),
            (".content-visible when-profile=\"team\"", false),
            (".content-hidden when-profile=\"basic\"", true),
            (".content-hidden when-profile=\"advanced\"", false),
            (".content-hidden when-meta=\"flags.draft\"", true),
            (".content-visible when-meta=\"flags.final\"", true),
            (".content-visible unless-meta=\"flags.draft\"", true),
            (".content-hidden when-format=\"html\" when-profile=\"none\"", false),
            (".content-visible when-weather=\"fine\"", true),
            (".content-hidden when-weather=\"fine\"", true),
            ("content-hidden", true),
        ] {
            assert_eq!(document.hides(attributes), Some(hidden), "{attributes}");
        }
        assert_eq!(document.hides(".callout-note"), None);
        assert_eq!(document.hides(".x title=\"content-hidden\""), None);
    }

    #[test]
    fn files_that_are_no_yaml_switch_off_what_they_speak_of() {
        let mut settings = QuartoSettings::default();
        assert!(settings.add("execute: {echo: true}\nmetadata-files: [a.yml]"));
        assert_eq!(settings.metadata_files(), ["a.yml"]);
        assert!(!settings.add("execute:\n  echo: [\n"));
        assert!(Document::new(&settings, &Map::new()).execution.hides_code());
    }
}
