//! Diagrams: Mermaid's text to a picture.
//!
//! In: the source of a diagram. Out: a figure with the picture, or with the source where it is no
//! diagram or more than a page should need. The picture passes the sanitizer as any SVG image.

use mermaid_svg::Theme;

use super::notes::Notes;
use crate::process::apart::{self, DIAGRAM_ARGUMENT};
use crate::sanitize::{SafeHtml, UntrustedHtml, svg};

/// Longest picture, in bytes.
const LONGEST_PICTURE: usize = 1 << 20;
/// Longest source that is drawn, in bytes.
const LONGEST: usize = 64 << 10;
/// Diagrams of a cell that are given up before no more are tried.
const MOST_GIVEN_UP: usize = 2;

/// The figure.
pub(super) fn html(source: &str, notes: &Notes) -> SafeHtml {
    let text = SafeHtml::element("pre", &[], SafeHtml::text(source));
    let content = match picture(source, notes) {
        Some(picture) => {
            let summary =
                SafeHtml::element("summary", &[], SafeHtml::text("Source of the diagram"));
            let source = SafeHtml::element("details", &[], SafeHtml::concat([summary, text]));
            SafeHtml::concat([picture, source])
        }
        None => {
            notes.unsupported("a Mermaid diagram of this kind or size (shown as its source)");
            let caption = SafeHtml::text("A Mermaid diagram, shown as its source");
            let caption = SafeHtml::element("figcaption", &[], caption);
            SafeHtml::concat([text, caption])
        }
    };
    SafeHtml::element("figure", &[("class", "nbc-diagram")], content)
}

/// Labels may hold line breaks, as in polars' query plans; the drawing knows them as `<br/>` only.
fn without_breaks(source: &str) -> String {
    let pieces = source.split('"').enumerate();
    let is_even = source.matches('"').count().is_multiple_of(2);
    let pieces = pieces.map(|(at, piece)| match at % 2 == 1 && is_even {
        true => piece.replace('\n', "<br/>"),
        false => piece.to_owned(),
    });
    pieces.collect::<Vec<_>>().join("\"")
}

fn picture(source: &str, notes: &Notes) -> Option<SafeHtml> {
    if source.len() > LONGEST || notes.given_up() >= MOST_GIVEN_UP {
        return None;
    }
    // The drawing has no bounds of its own: some short sources take minutes, or more stack than there is.
    let drawn = apart::ask(DIAGRAM_ARGUMENT, source.as_bytes());
    let text = drawn.and_then(|it| String::from_utf8(it).ok());
    let Some(text) = text.filter(|it| it.len() <= LONGEST_PICTURE) else {
        notes.give_up();
        return None;
    };
    let image = svg::image(&UntrustedHtml::new(text), "Diagram")?;
    notes.removed(&image.removed);
    Some(image.html)
}

/// Draws a diagram as SVG, which nobody has checked; `None` for what is no diagram. It may take any time,
/// memory or stack, and panic: see [`crate::process::apart`].
pub fn draw_diagram(source: &str) -> Option<String> {
    let theme = Theme {
        font_family: "ui-sans-serif, system-ui, sans-serif".into(),
        responsive: false,
        ..Theme::default()
    };
    mermaid_svg::render_with(&without_breaks(source), &theme).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_a_drawing() {
        let drawn = draw_diagram("graph LR\n  A[Start] --> B{Is it?}\n  B -->|Yes| C\n");
        assert!(drawn.is_some_and(|it| it.contains("<svg") && it.contains("Start")));
        assert!(draw_diagram("graph TD\n a[\"two\nlines\"] --> b\n").is_some());
        assert_eq!(draw_diagram("nonsense <script>"), None);
    }

    #[test]
    fn what_is_not_drawn_is_shown_as_its_source() {
        let html = html(&"x".repeat(LONGEST + 1), &Notes::default());
        assert!(html.as_str().contains("shown as its source"));
    }
}
