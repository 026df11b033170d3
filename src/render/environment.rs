//! The template engine, set up so that a template cannot opt out of escaping.
//!
//! In: a template's name and values. Out: text. The `safe` filter does not exist, an undefined
//! variable is an error, and only [`html_value`],
//! [`rendered_value`] and [`raw_text_value`] skip escaping.

use std::sync::LazyLock;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use crate::sanitize::SafeHtml;

const TEMPLATES: &[(&str, &str)] = &[
    ("document.html", include_str!("../../templates/document.html")),
    ("page.html", include_str!("../../templates/page.html")),
    ("graph.html", include_str!("../../templates/graph.html")),
    ("code.html", include_str!("../../templates/code.html")),
    ("index.html", include_str!("../../templates/index.html")),
    ("not_found.html", include_str!("../../templates/not_found.html")),
];

static ENVIRONMENT: LazyLock<Result<Environment<'static>, minijinja::Error>> =
    LazyLock::new(|| {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.remove_filter("safe");
        // The engine's own escaping turns every `/` into an entity, which makes addresses unreadable.
        environment.set_formatter(|output, _, value| {
            let text = value.to_string();
            let written = if value.is_safe() {
                output.write_str(&text)
            } else {
                output.write_str(SafeHtml::text(&text).as_str())
            };
            written.map_err(minijinja::Error::from)
        });
        for (name, text) in TEMPLATES {
            environment.add_template(name, text)?;
        }
        Ok(environment)
    });

/// A template did not render: a defect of nbc or of a user's template, never of a notebook.
#[derive(Debug, thiserror::Error)]
#[error("the template `{template}` cannot be rendered: {reason}")]
pub struct RenderError {
    template: String,
    reason: String,
}

/// Markup that the template engine made, every value in it escaped or proved safe.
#[derive(Debug, Clone)]
pub struct Rendered(String);

impl Rendered {
    /// The markup.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The markup as bytes of a file.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

/// Renders a template.
///
/// # Errors
/// When the template does not exist or names a value that is not there.
pub fn render(template: &str, values: Value) -> Result<Rendered, RenderError> {
    let fail = |error: &minijinja::Error| RenderError {
        template: template.to_owned(),
        reason: format!("{error:#}"),
    };
    let environment = ENVIRONMENT.as_ref().map_err(fail)?;
    let found = environment.get_template(template).map_err(|error| fail(&error))?;
    found.render(values).map(Rendered).map_err(|error| fail(&error))
}

/// Sanitized markup as a value that is not escaped again.
#[expect(
    clippy::disallowed_methods,
    reason = "the one door for notebook markup; `SafeHtml` proves that it may pass"
)]
pub fn html_value(html: &SafeHtml) -> Value {
    Value::from_safe_string(html.as_str().to_owned())
}

/// Rendered markup as a value that is not escaped again, to put one template into another.
#[expect(clippy::disallowed_methods, reason = "`Rendered` is escaped template output")]
pub fn rendered_value(rendered: &Rendered) -> Value {
    Value::from_safe_string(rendered.0.clone())
}

/// Text of a `<style>` or `<script>` element, where HTML escapes do not apply. Refuses text that
/// would end the element or open a comment in it.
///
/// # Errors
/// When the text holds `</`, `<!--` or `<script`, which would change where the element ends.
#[expect(clippy::disallowed_methods, reason = "the text was checked not to end its element")]
pub fn raw_text_value(element: &'static str, text: &str) -> Result<Value, RenderError> {
    let lower = text.to_ascii_lowercase();
    if let Some(bad) = ["</", "<!--", "<script"].into_iter().find(|bad| lower.contains(bad)) {
        return Err(RenderError {
            template: element.to_owned(),
            reason: format!("its text holds `{bad}`"),
        });
    }
    Ok(Value::from_safe_string(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::context;

    #[test]
    fn text_is_escaped_and_safe_markup_is_not() {
        let values = context! {
            policy => "", generator => "<g>", title => "</title><script>", language => "en",
            description => "", stylesheets => [""; 0], style => "", script_links => [""; 0],
            body => html_value(&SafeHtml::text("a & b")), scripts => [""; 0],
            charts => [""; 0], runtimes => [""; 0],
        };
        let text = render("document.html", values).unwrap();
        assert!(text.as_str().contains("&lt;/title&gt;&lt;script&gt;"), "{}", text.as_str());
        assert!(text.as_str().contains("a &amp; b"));
    }

    #[test]
    fn a_missing_value_is_an_error() {
        assert!(render("document.html", context! {}).is_err());
    }

    #[test]
    fn style_text_cannot_end_its_element() {
        assert!(raw_text_value("style", "a{content:'</StYle>'}").is_err());
        assert!(raw_text_value("style", "a{color:red}").is_ok());
    }
}
