//! Findings as text.
//!
//! In: sorted [`Diagnostic`]s. Out: one string in one of the [`Format`]s. Addresses in Jupyter
//! notebooks name the cell: `report.ipynb:cell 3:2:8`.

mod concise;
mod full;
mod github;
mod json;
mod place;
mod sarif;

use super::{Diagnostic, Printable};
use crate::source::Sources;

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// With the source, for people.
    #[default]
    Full,
    /// One line each, for editors and pipes.
    Concise,
    /// A JSON array.
    Json,
    /// SARIF 2.1.0.
    Sarif,
    /// Workflow commands, which GitHub shows at the lines of a change.
    Github,
}

/// Prints findings; `color` counts for [`Format::Full`] only. Empty for no findings in the formats
/// for people and lines, a whole document in the others.
pub fn render(
    diagnostics: &[Diagnostic],
    sources: &Sources,
    format: Format,
    color: bool,
) -> Printable {
    let text = match format {
        Format::Full => full::render(diagnostics, sources, color),
        Format::Concise => concise::render(diagnostics, sources),
        Format::Json => json::render(diagnostics, sources),
        Format::Sarif => sarif::render(diagnostics, sources),
        Format::Github => github::render(diagnostics, sources),
    };
    match format {
        Format::Full | Format::Concise => Printable::colored(&text),
        Format::Json | Format::Sarif => Printable::json(&text),
        // Annotations are commands of nbc itself, so none of them may be fenced.
        Format::Github => Printable::commands(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Code;
    use crate::source::Span;

    fn check(format: Format) -> String {
        let mut sources = Sources::default();
        let text = "a = 1\nb = 'é' + total\ntotal = 2\n";
        let file = sources.add("my report.py".into(), None, text.to_owned());
        let cell = sources.add("r.ipynb".into(), Some(3), "x = (\n".to_owned());
        let first = Diagnostic::error(
            Code::DuplicateDefinition,
            Span::new(file, 23, 28),
            "`total` is defined twice",
        )
        .with_label("defined again here")
        .with_other(Span::new(file, 0, 1), "first defined here")
        .with_other(Span::new(cell, 0, 1), "and here")
        .with_help("rename one of them");
        let second =
            Diagnostic::warning(Code::SyntaxError, Span::new(cell, 4, 900), "never closed, 100%");
        render(&[first, second], &sources, format, false).as_str().to_owned()
    }

    #[test]
    fn full_shows_every_place() {
        insta::assert_snapshot!(check(Format::Full));
    }

    #[test]
    fn concise_has_a_line_for_each() {
        insta::assert_snapshot!(check(Format::Concise), @r"
        my report.py:3:1: error[NBC201] `total` is defined twice
        r.ipynb:cell 3:1:5: warning[NBC104] never closed, 100%
        ");
    }

    #[test]
    fn json_keeps_its_keys() {
        insta::assert_snapshot!(check(Format::Json));
    }

    #[test]
    fn sarif_names_rules_and_places() {
        insta::assert_snapshot!(check(Format::Sarif).replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    }

    #[test]
    fn github_commands_cannot_be_forged_by_a_message() {
        insta::assert_snapshot!(check(Format::Github), @r"
        ::error title=nbc (NBC201),file=my report.py,line=3,col=1,endLine=3,endColumn=6::my report.py:3:1: NBC201 `total` is defined twice
        ::warning title=nbc (NBC104),file=r.ipynb,line=1,col=1::r.ipynb:cell 3:1:5: NBC104 never closed, 100%25
        ");
    }

    #[test]
    fn a_span_outside_its_text_is_no_panic() {
        let mut sources = Sources::default();
        for text in ["", "é", "a\r\rb", "\0", "\u{feff}x", "a\n\n\n"] {
            let id = sources.add("a.py".into(), None, text.to_owned());
            for span in [(0, 0), (1, 1), (0, 99), (98, 99), (1, 2)] {
                let diagnostic =
                    Diagnostic::error(Code::SyntaxError, Span::new(id, span.0, span.1), "m")
                        .with_other(Span::new(id, 5, 7), "here");
                for format in
                    [Format::Full, Format::Concise, Format::Json, Format::Sarif, Format::Github]
                {
                    assert!(
                        !render(std::slice::from_ref(&diagnostic), &sources, format, true)
                            .as_str()
                            .is_empty()
                    );
                }
            }
        }
    }
}
