//! Headings of prose as they are written: a link to one may spell its formulas as the author did.
//!
//! In: Markdown. Out: the text of each heading, with formulas as TeX. Renders nothing.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The texts of the headings of a piece of prose, without emphasis and links, with formulas as they are written.
pub fn heading_sources(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_GFM;
    for event in Parser::new_ext(text, options) {
        match (event, &mut open) {
            (Event::Start(Tag::Heading { .. }), _) => open = Some(String::new()),
            (Event::End(TagEnd::Heading(_)), _) => found.extend(open.take()),
            (Event::Text(text) | Event::Code(text), Some(open)) => open.push_str(&text),
            (Event::SoftBreak | Event::HardBreak, Some(open)) => open.push(' '),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_of_a_heading_stay_as_they_are_written() {
        assert_eq!(
            heading_sources("# With `code` and $x^2$\n\ntext\n\n## The *$\\alpha$* parameter\n"),
            ["With code and $x^2$", "The $\\alpha$ parameter"]
        );
    }
}
