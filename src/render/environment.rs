//! The template engine, set up so that a template cannot opt out of escaping.
//!
//! In: a template's name, values and [`Slots`]. Out: text. The `safe` filter does not exist, an undefined
//! variable is an error, and no value skips escaping: what must not be escaped is a slot, which a
//! template places and cannot read. That holds for a site's own templates too; what they write around
//! slots and values is markup without powers, or is refused.

use std::borrow::Cow;
use std::collections::BTreeMap;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use super::slots::{Author, EndsElement, Mark, Slots};
use crate::sanitize::SafeHtml;

const TEMPLATES: &[(&str, &str)] = &[
    ("document.html", include_str!("../../templates/document.html")),
    ("head.html", include_str!("../../templates/head.html")),
    ("page.html", include_str!("../../templates/page.html")),
    ("graph.html", include_str!("../../templates/graph.html")),
    ("notes.html", include_str!("../../templates/notes.html")),
    ("code.html", include_str!("../../templates/code.html")),
    ("slot.html", include_str!("../../templates/slot.html")),
    ("island.html", include_str!("../../templates/island.html")),
    ("index.html", include_str!("../../templates/index.html")),
    ("not_found.html", include_str!("../../templates/not_found.html")),
];

/// Steps that one rendering may take: a page of 50,000 cells needs a few million.
const FUEL: u64 = 50_000_000;

/// Whether nbc has a template of this name.
pub fn is_template(name: &str) -> bool {
    TEMPLATES.iter().any(|(known, _)| *known == name)
}

/// The one template that writes a frame.
const ISLAND: &str = "island.html";

/// The templates of a site.
#[derive(Debug)]
pub struct Templates<'text> {
    environment: Environment<'text>,
    author: Author,
}

impl<'text> Templates<'text> {
    /// nbc's templates, of which `overrides` replace those that they are named like; others are parts
    /// for them to include.
    ///
    /// # Errors
    /// When a template is not valid; the error names it and the line.
    pub fn new(overrides: &'text BTreeMap<String, String>) -> Result<Self, RenderError> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.remove_filter("safe");
        // The engine's own escaping turns every `/` into an entity, which makes addresses unreadable.
        environment.set_formatter(|output, _, value| {
            if let Some(mark) = value.downcast_object_ref::<Mark>() {
                return output.write_str(&mark.text()).map_err(minijinja::Error::from);
            }
            // A page of megabytes is a value, too.
            let text = value.as_str().map_or_else(|| value.to_string().into(), Cow::Borrowed);
            // Text that a template captured was escaped when it was written.
            let written = if value.is_safe() {
                output.write_str(&text)
            } else {
                output.write_str(SafeHtml::text(&text).as_str())
            };
            written.map_err(minijinja::Error::from)
        });
        let own = TEMPLATES.iter().copied().filter(|(name, _)| !overrides.contains_key(*name));
        let theirs = overrides.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        for (name, text) in own.chain(theirs) {
            environment.add_template(name, text).map_err(|error| RenderError::of(name, &error))?;
        }
        let author = if overrides.is_empty() { Author::Nbc } else { Author::Site };
        Ok(Self { environment, author })
    }

    /// Renders a template without slots.
    ///
    /// # Errors
    /// When the template does not exist, names a value that is not there, does not end, or is a site's
    /// own and writes what only nbc may.
    pub fn render(&self, template: &str, values: Value) -> Result<Rendered, RenderError> {
        self.fill(template, values, Slots::default())
    }

    /// Renders a template, and fills the slots that it places.
    ///
    /// # Errors
    /// Those of [`Self::render`], and a slot that is not where it must be.
    pub fn fill(
        &self,
        template: &str,
        values: Value,
        slots: Slots<'_>,
    ) -> Result<Rendered, RenderError> {
        let fail = |error: minijinja::Error| RenderError::of(template, &error);
        let found = self.environment.get_template(template).map_err(fail)?;
        let text = found.render(values).map_err(fail)?;
        slots.fill(&text, self.author, template == ISLAND).map_err(|reason| RenderError {
            template: template.to_owned(),
            reason: format!("{reason}; only nbc writes scripts, styles, frames and the policy"),
        })
    }
}

/// A template did not render: a defect of nbc or of a site's own template, never of a notebook.
#[derive(Debug, thiserror::Error)]
#[error("the template `{template}` cannot be rendered: {reason}")]
pub struct RenderError {
    template: String,
    reason: String,
}

impl RenderError {
    fn of(template: &str, error: &minijinja::Error) -> Self {
        // The error may be in a template that this one includes.
        let template = error.name().unwrap_or(template).to_owned();
        let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
        let detail = error.detail().map(|it| format!(": {it}")).unwrap_or_default();
        Self { template, reason: format!("{line}{}{detail}", error.kind()) }
    }
}

impl From<EndsElement> for RenderError {
    fn from(error: EndsElement) -> Self {
        Self { template: "document.html".to_owned(), reason: error.to_string() }
    }
}

/// Markup that the template engine made, every value in it escaped or proved safe.
#[derive(Debug, Clone, Default)]
pub struct Rendered(String);

impl Rendered {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// The markup, taken.
    pub fn into_string(self) -> String {
        self.0
    }

    /// The markup.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The markup as bytes of a file.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::context;

    fn render(
        template: &str,
        own: &[(&str, &str)],
        values: Value,
    ) -> Result<Rendered, RenderError> {
        let own = own.iter().map(|(name, text)| (String::from(*name), String::from(*text)));
        Templates::new(&own.collect())?.render(template, values)
    }

    #[test]
    fn text_is_escaped_and_safe_markup_is_not() {
        let mut slots = Slots::default();
        let output = slots.html("output", SafeHtml::text("a & b"));
        let values = context! {
            home => "", list => "", has_code => false, file_name => "</title><script>",
            heading => "", title_cell => 0, notes => Vec::<String>::new(), byline => false, lead => "", graph => false,
            outline => Vec::<String>::new(), width => "", source => false, name => "",
            cells => [context! {
                id => "cell-1", kind => "code", scroll => "", name => "", code_state => "hidden", code_label => "",
                code => "", outputs => [output],
            }],
        };
        let none = BTreeMap::new();
        let text = Templates::new(&none).unwrap().fill("page.html", values, slots).unwrap();
        assert!(text.as_str().contains("&lt;/title&gt;&lt;script&gt;"), "{}", text.as_str());
        assert!(text.as_str().contains("a &amp; b"));
    }

    #[test]
    fn a_missing_value_is_an_error() {
        assert!(render("document.html", &[], context! {}).is_err());
    }

    #[test]
    fn a_template_of_a_site_cannot_opt_out_of_escaping() {
        for text in [
            "{{ x }}",
            "{% autoescape false %}{{ x }}{% endautoescape %}",
            "{% set y %}{{ x }}{% endset %}{{ y }}",
            "{% macro m(it) %}{{ it }}{% endmacro %}{{ m(x) }}",
            "{{ x|replace('b', 'i') }}",
            "{{ [x, x]|join('') }}",
            "{{ ('<p>' ~ x)|upper }}",
        ] {
            let made = render("page.html", &[("page.html", text)], context! { x => "<b>" });
            let made = made.unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(!made.as_str().contains('<'), "{text}: {}", made.as_str());
        }
        let refused = [("{{ x|safe }}", "safe"), ("\n{{ y }}", "line 2"), ("{% if", "page.html")];
        for (text, reason) in refused {
            let error = render("page.html", &[("page.html", text)], context! { x => "<b>" });
            let error = error.unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_template_without_end_is_stopped() {
        let loops =
            "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}";
        assert!(render("page.html", &[("page.html", loops)], context! {}).is_err());
        let itself = "{% include 'page.html' %}";
        assert!(render("page.html", &[("page.html", itself)], context! {}).is_err());
    }
}
