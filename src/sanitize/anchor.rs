//! Elements that links lead to, in markup that is already safe.
//!
//! In: [`SafeHtml`] of one output, whose ids start with the prefix of that output. Out: its elements with ids, and the
//! same markup under other ids. The caller chooses them; see `driver::anchors`.

use std::collections::BTreeMap;

use super::scan::{Piece, attribute, pieces};
use super::{SafeHtml, policy, token};

/// An element with an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedElement {
    /// Its id on the page.
    pub id: String,
    /// Its kind.
    pub kind: NamedKind,
}

/// Kinds of elements with ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedKind {
    /// `h1` to `h6`.
    Heading,
    /// `a`, with an id or a name.
    Anchor,
    /// A part of a figure, or a note that only its own output refers to.
    Part,
    /// A formula, or a part of one.
    Formula,
    /// Any other.
    Other,
}

/// The elements of a piece that have an id, in their order.
pub fn named_elements(html: &SafeHtml) -> Vec<NamedElement> {
    let mut found = Vec::new();
    if !html.as_str().contains(" id=\"") {
        return found;
    }
    let (mut figures, mut formulas) = (0usize, 0usize);
    for piece in pieces(html.as_str()) {
        let Piece::Tag(tag) = piece else { continue };
        let name = name(tag);
        match name {
            "svg" => figures += 1,
            "/svg" => figures = figures.saturating_sub(1),
            "math" => formulas += 1,
            "/math" => formulas = formulas.saturating_sub(1),
            _ => {}
        }
        let Some((_, id)) = attribute(tag, "id") else { continue };
        let class = attribute(tag, "class").map(|(_, it)| it).unwrap_or_default();
        let is_note = class.split(' ').any(|it| it == "x-footnote-definition");
        let kind = match name {
            _ if figures > 0 || is_note => NamedKind::Part,
            _ if formulas > 0 => NamedKind::Formula,
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => NamedKind::Heading,
            "a" => NamedKind::Anchor,
            _ => NamedKind::Other,
        };
        found.push(NamedElement { id: token::decode(id), kind });
    }
    found
}

/// Name of a tag; an end tag's begins with `/`.
fn name(tag: &str) -> &str {
    tag.trim_start_matches('<').split([' ', '>']).next().unwrap_or("")
}

/// Gives elements other ids. References to them within the same markup follow. All old ids start with `prefix`.
pub fn rename_ids(html: SafeHtml, prefix: &str, names: &BTreeMap<String, String>) -> SafeHtml {
    if names.is_empty() {
        return html;
    }
    let mut out = String::with_capacity(html.as_str().len());
    for piece in pieces(html.as_str()) {
        match piece {
            Piece::Tag(tag) if tag.contains(prefix) => rename_in(tag, names, &mut out),
            Piece::Tag(text) | Piece::Text(text) => out.push_str(text),
        }
    }
    SafeHtml(out)
}

fn rename_in(tag: &str, names: &BTreeMap<String, String>, out: &mut String) {
    let renamed = |id: &str| names.get(&token::decode(id)).map(|it| SafeHtml::text(it).0);
    let mut rest = tag;
    while let Some((before, after)) = rest.split_once("=\"") {
        let Some((value, behind)) = after.split_once('"') else { break };
        let changed = match before.rsplit(' ').next().unwrap_or(before) {
            "id" => renamed(value),
            "href" => value.strip_prefix('#').and_then(renamed).map(|it| format!("#{it}")),
            name if policy::REFERENCES.contains(&name) => {
                let ids = value.split(' ').map(|it| renamed(it).unwrap_or_else(|| it.to_owned()));
                Some(ids.collect::<Vec<_>>().join(" "))
            }
            _ => None,
        };
        out.push_str(before);
        out.push_str("=\"");
        out.push_str(changed.as_deref().unwrap_or(value));
        out.push('"');
        rest = behind;
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::super::{UntrustedHtml, html};
    use super::*;

    fn of(markup: &str) -> SafeHtml {
        html(&UntrustedHtml::new(markup.to_owned()), "c1").html
    }

    #[test]
    fn elements_with_ids_are_told_apart() {
        let found = named_elements(&of(
            "<h2 id=a>A</h2><a name=b></a><p id=\"c'd\">C</p><svg><g id=e></g></svg>\
             <math><mi id=g>x</mi></math><div class=footnote-definition id=1>note</div><p>&lt;p id=\"f\"&gt;</p>",
        ));
        let found: Vec<_> = found.iter().map(|it| (it.id.as_str(), it.kind)).collect();
        assert_eq!(
            found,
            [
                ("o-c1-a", NamedKind::Heading),
                ("o-c1-b", NamedKind::Anchor),
                ("o-c1-c'd", NamedKind::Other),
                ("o-c1-e", NamedKind::Part),
                ("o-c1-g", NamedKind::Formula),
                ("o-c1-1", NamedKind::Part),
            ]
        );
    }

    #[test]
    fn an_anchor_with_a_name_beside_its_id_has_both() {
        let found = named_elements(&of("<a id=b name=c>x</a><a name=d id=d>y</a>"));
        let ids: Vec<_> = found.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids, ["o-c1-b", "o-c1-c", "o-c1-d"]);
    }

    #[test]
    fn references_follow_their_element_and_text_stays() {
        let html = of(
            "<h2 id=a>o-c1-a</h2><p aria-labelledby='a b' title='id=&quot;o-c1-a'>x <a href=#a>y</a>",
        );
        let names = BTreeMap::from([("o-c1-a".to_owned(), "results\"<".to_owned())]);
        assert_eq!(
            rename_ids(html, "o-c1-", &names).as_str(),
            "<h2 id=\"results&quot;&lt;\">o-c1-a</h2>\
             <p aria-labelledby=\"results&quot;&lt; o-c1-b\" title=\"id=&quot;o-c1-a\">x \
             <a href=\"#results&quot;&lt;\" rel=\"noopener noreferrer nofollow\">y</a></p>"
        );
    }
}
