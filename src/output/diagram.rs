//! Diagrams: Mermaid's text to a picture.
//!
//! In: the source of a diagram. Out: a figure with the picture, or with the source where it is no
//! diagram or more than a page should need. The picture passes the sanitizer as any SVG image.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mermaid_svg::Theme;

use super::notes::Notes;
use crate::sanitize::{SafeHtml, UntrustedHtml, svg};

/// Longest picture, in bytes.
const LONGEST_PICTURE: usize = 1 << 20;
/// Longest source that is drawn, in bytes.
const LONGEST: usize = 12_000;
/// Most lines of a source, most nodes that `a & b --> c & d` joins in it, and longest number.
const MOST_LINES: usize = 400;
const MOST_JOINED: usize = 40;
const LONGEST_NUMBER: usize = 6;

/// Kinds that are drawn. The others count up to numbers in their source, or nest in ways that let
/// a short source take minutes, or more stack than there is.
const KINDS: &[&str] = &[
    "graph",
    "flowchart",
    "sequenceDiagram",
    "classDiagram",
    "erDiagram",
    "stateDiagram",
    "stateDiagram-v2",
    "pie",
    "mindmap",
    "timeline",
    "journey",
    "gitGraph",
];

/// Whether drawing stays within bounds: found by drawing mutated sources for hours of processor
/// time, since the drawing itself has none.
fn is_bounded(source: &str) -> bool {
    let lines = || source.lines().map(str::trim).filter(|it| !it.is_empty());
    if source.len() > LONGEST
        || lines().count() > MOST_LINES
        || source.matches('&').count() > MOST_JOINED
        || source.split(|it: char| !it.is_ascii_digit()).any(|it| it.len() > LONGEST_NUMBER)
    {
        return false;
    }
    // A header between `---` and directives change nothing that a page needs.
    let Some(first) = lines().find(|it| !it.starts_with("%%")) else { return false };
    let kind = first.split([' ', ';', ':', '\t']).next().unwrap_or("");
    if !KINDS.contains(&kind) {
        return false;
    }
    match kind {
        // A state in itself would be drawn without end.
        "stateDiagram" | "stateDiagram-v2" => !source.contains('{'),
        "graph" | "flowchart" => are_groups_plain(source),
        _ => true,
    }
}

/// Whether no name of a group of a flowchart stands anywhere else: a group in itself would be drawn
/// without end.
fn are_groups_plain(source: &str) -> bool {
    let words = || source.split(|it: char| !it.is_alphanumeric() && it != '_' && it != '-');
    let names = source.lines().filter_map(|line| line.trim().strip_prefix("subgraph"));
    names.take(50).all(|name| {
        let name = name.trim();
        let id = name.split(|it: char| !it.is_alphanumeric() && it != '_' && it != '-').next();
        id.is_none_or(|id| id.is_empty() || words().filter(|it| *it == id).count() == 1)
    })
}

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
    let source = &without_breaks(source);
    if !is_bounded(source) {
        return None;
    }
    let theme = Theme {
        font_family: "ui-sans-serif, system-ui, sans-serif".into(),
        responsive: false,
        ..Theme::default()
    };
    let drawn = catch_unwind(AssertUnwindSafe(|| mermaid_svg::render_with(source, &theme)));
    let text = drawn.ok()?.ok().filter(|it| it.len() <= LONGEST_PICTURE)?;
    let image = svg::image(&UntrustedHtml::new(text), "Diagram")?;
    notes.removed(&image.removed);
    Some(image.html)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str) -> String {
        html(source, &Notes::default()).as_str().to_owned()
    }

    #[test]
    fn a_diagram_becomes_a_picture_beside_its_source() {
        let html = of("graph LR\n  A[Start] --> B{Is it?}\n  B -->|Yes| C\n");
        assert!(
            html.starts_with("<figure class=\"nbc-diagram\"><img src=\"data:image/svg+xml;base64,")
        );
        assert!(of("graph TD\n a[\"two\nlines\"] --> b\n").contains("<img"));
        assert!(html.contains("<summary>Source of the diagram</summary><pre>graph LR\n"), "{html}");
    }

    #[test]
    fn what_is_not_drawn_is_shown_as_its_source() {
        let nested = "graph TD\nsubgraph A\n A --> B\nend\n";
        let many = format!("graph TD\n{} --> b", vec!["a"; 100].join(" & "));
        for source in ["packet-beta\n 0-99999: \"a\"", "nonsense <script>", nested, &many] {
            let html = of(source);
            assert!(!html.contains("<img") && html.contains("shown as its source"), "{source}");
            assert!(!html.contains("<script>"));
        }
    }
}
