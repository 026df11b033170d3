//! Reads markup that is already safe: links within a page, headings.
//!
//! In: [`SafeHtml`], which is regular (quoted attributes, no raw `<` in text). Out: [`SafeHtml`].

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::{SafeHtml, bytes, token};
use crate::site::download_name;

/// Most headings of a piece that a table of contents lists.
pub const MOST_HEADINGS: usize = 500;

/// A heading, for a table of contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// 1 to 6.
    pub level: u8,
    /// Its text, unescaped.
    pub text: String,
    /// Id of its element.
    pub id: String,
}

pub(super) enum Piece<'a> {
    Text(&'a str),
    Tag(&'a str),
}

pub(super) fn pieces(html: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = html;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let length = if rest.starts_with('<') {
            let mut quoted = false;
            let end = memchr::memchr2_iter(b'"', b'>', rest.as_bytes()).find(|at| {
                let is_end = rest.as_bytes().get(*at) == Some(&b'>');
                quoted ^= !is_end;
                is_end && !quoted
            });
            end.map_or(rest.len(), |it| it + 1)
        } else {
            rest.find('<').unwrap_or(rest.len())
        };
        let (piece, after) = rest.split_at_checked(length)?;
        rest = after;
        Some(if piece.starts_with('<') { Piece::Tag(piece) } else { Piece::Text(piece) })
    })
}

/// Value of an attribute of a tag, still escaped, with the place where it stands.
pub(super) fn attribute<'t>(tag: &'t str, name: &str) -> Option<(usize, &'t str)> {
    let marker = format!(" {name}=\"");
    // A value can't hold the marker: its quotes are escaped.
    let start = tag.find(&marker)? + marker.len();
    let value = tag.get(start..)?.split('"').next()?;
    Some((start, value))
}

/// Decision about a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// It stays.
    Keep,
    /// It leads to this id of the same page.
    Fragment(String),
    /// It leads to this page of the site, given relative to its own; with query and fragment, if it has them.
    Page(String),
    /// It saves this file of the site, given relative to its page, under a name.
    File {
        /// The file.
        path: String,
        /// The name.
        name: String,
    },
    /// Its text stays, its address goes.
    Remove,
}

/// Decides about the address of each link. An address that `resolve` makes is escaped, and one that
/// could leave the site is removed.
pub fn resolve_links(html: SafeHtml, mut resolve: impl FnMut(&str) -> Link) -> SafeHtml {
    if !html.as_str().contains(" href=\"") {
        return html;
    }
    let mut out = String::with_capacity(html.as_str().len());
    for piece in pieces(html.as_str()) {
        let (Piece::Tag(text) | Piece::Text(text)) = piece;
        let link = match piece {
            // A download of nbc's making holds its file itself.
            Piece::Tag(tag) if tag.starts_with("<a ") && attribute(tag, "download").is_none() => {
                attribute(tag, "href")
            }
            Piece::Tag(_) | Piece::Text(_) => None,
        };
        let Some((start, value)) = link else {
            out.push_str(text);
            continue;
        };
        let mut saved = None;
        let address = match resolve(&token::decode(value)) {
            Link::Keep => {
                out.push_str(text);
                continue;
            }
            Link::Fragment(id) => Some(format!("#{id}")),
            Link::Page(page) => {
                let path = page.split(['?', '#']).next().unwrap_or_default();
                let stays = !path.contains([':', '\\']) && !path.starts_with('/');
                Some(page).filter(|_| stays)
            }
            Link::File { path, name } => {
                saved = Some(name);
                Some(path).filter(|it| !it.contains([':', '\\']) && !it.starts_with('/'))
            }
            Link::Remove => None,
        };
        let rest = text.get(start + value.len()..).unwrap_or("");
        if let Some(address) = address {
            out.push_str(text.get(..start).unwrap_or(""));
            out.push_str(SafeHtml::text(&address).as_str());
            if let Some(name) = saved {
                let name = download_name(&name);
                out.push_str("\" download=\"");
                out.push_str(SafeHtml::text(&name).as_str());
            }
            out.push_str(rest);
        } else {
            out.push_str(text.get(..start - " href=\"".len()).unwrap_or(""));
            out.push_str(rest.strip_prefix('"').unwrap_or(rest));
        }
    }
    SafeHtml(out)
}

/// Gives links `#id` the address that `resolve` knows; others stay as they are.
pub fn link_fragments(html: SafeHtml, resolve: impl Fn(&str) -> Option<String>) -> SafeHtml {
    resolve_links(html, |address| match address.strip_prefix('#').and_then(&resolve) {
        Some(id) => Link::Fragment(id),
        None => Link::Keep,
    })
}

/// Puts a note in the place of each figure that refers to something in one, or of all.
pub(super) fn without_figures(html: &SafeHtml, note: &SafeHtml, all: bool) -> SafeHtml {
    let mut out = String::with_capacity(html.as_str().len());
    let mut rest = html.as_str();
    while let Some(start) = rest.find("<svg") {
        let (before, figure) = rest.split_at_checked(start).unwrap_or((rest, ""));
        out.push_str(before);
        let mut depth = 0usize;
        let mut length = 0;
        for piece in pieces(figure) {
            let (Piece::Tag(text) | Piece::Text(text)) = piece;
            length += text.len();
            match text {
                "</svg>" => depth = depth.saturating_sub(1),
                _ if text.starts_with("<svg") => depth += 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        let (figure, after) = figure.split_at_checked(length).unwrap_or((figure, ""));
        let is_kept = !all && !figure.contains("url(#") && !figure.contains("href=\"#");
        out.push_str(if is_kept { figure } else { note.as_str() });
        rest = after;
    }
    out.push_str(rest);
    SafeHtml(out)
}

/// Ids of a piece.
pub(super) fn ids(html: &SafeHtml) -> BTreeSet<String> {
    let tags = pieces(html.as_str()).filter_map(|piece| match piece {
        Piece::Tag(tag) => attribute(tag, "id").map(|(_, id)| token::decode(id)),
        Piece::Text(_) => None,
    });
    tags.collect()
}

/// Makes headers of tables that say nothing plain cells: readers by ear hear a header for each cell.
pub fn without_empty_headers(html: SafeHtml) -> SafeHtml {
    if !html.as_str().contains("<th") {
        return html;
    }
    let mut out = String::with_capacity(html.as_str().len());
    let mut all = pieces(html.as_str()).peekable();
    let mut is_empty = false;
    while let Some(piece) = all.next() {
        let (Piece::Tag(text) | Piece::Text(text)) = piece;
        if text == "<th>" || text.starts_with("<th ") {
            let mut blank = "";
            if let Some(Piece::Text(next)) = all.peek()
                && (next.trim().is_empty() || *next == "&nbsp;")
            {
                blank = next;
                all.next();
            }
            is_empty = matches!(all.peek(), Some(Piece::Tag("</th>")));
            out.push_str(if is_empty { "<td" } else { "<th" });
            out.push_str(text.get("<th".len()..).unwrap_or(""));
            out.push_str(blank);
        } else if std::mem::take(&mut is_empty) {
            out.push_str("</td>");
        } else {
            out.push_str(text);
        }
    }
    SafeHtml(out)
}

/// The address of the first picture that is part of the markup, if it has at most so many bytes.
pub fn first_picture(html: &SafeHtml, most: usize) -> Option<String> {
    let found = pieces(html.as_str()).find_map(|piece| match piece {
        Piece::Tag(tag) if tag.starts_with("<img ") => {
            let (_, address) = attribute(tag, "src")?;
            let data = address.strip_prefix("data:image/")?.split_once(";base64,")?.1;
            if address.len() > most {
                return Some(String::new());
            }
            bytes::are_base64(data.as_bytes()).then(|| address.to_owned())
        }
        _ => None,
    });
    found.filter(|it| !it.is_empty())
}

/// The text of the first paragraph of prose that says something and holds no formula.
pub fn first_paragraph(html: &SafeHtml) -> Option<String> {
    const SHORTEST: usize = 20;
    let mut open: Option<(&str, String)> = None;
    let mut quiet = 0usize;
    for piece in pieces(html.as_str()) {
        match (piece, &mut open) {
            (Piece::Text(text), Some((_, plain))) => plain.push_str(text),
            (Piece::Tag(tag), Some((end, plain))) if tag == *end => {
                let text = token::decode(plain).split_whitespace().collect::<Vec<_>>().join(" ");
                if text.chars().count() > SHORTEST {
                    return Some(text);
                }
                open = None;
            }
            (Piece::Tag(tag), Some(_)) if tag.starts_with("<math") => open = None,
            // Text in these elements is not the notebook's own prose.
            (Piece::Tag(tag), None)
                if ["<table", "<details", "<blockquote"].iter().any(|it| tag.starts_with(it)) =>
            {
                quiet += 1;
            }
            (Piece::Tag("</table>" | "</details>" | "</blockquote>"), None) => {
                quiet = quiet.saturating_sub(1);
            }
            (Piece::Tag(tag), None) if quiet == 0 => {
                let class = attribute(tag, "class").map(|(_, it)| it).unwrap_or_default();
                if tag == "<p>" || (tag.starts_with("<p ") && !class.contains("nbc-")) {
                    open = Some(("</p>", String::new()));
                } else if tag.starts_with("<span ")
                    && class.split(' ').any(|it| it == "x-paragraph")
                {
                    open = Some(("</span>", String::new()));
                }
            }
            _ => {}
        }
    }
    None
}

/// Finds the headings and gives those without an id one, made of `prefix` and their text.
pub fn headings(html: SafeHtml, prefix: &str) -> (SafeHtml, Vec<Heading>) {
    if !html.as_str().contains("<h") {
        return (html, Vec::new());
    }
    let mut taken = ids(&html);
    let mut counts = BTreeMap::new();
    let mut found: Vec<Heading> = Vec::new();
    let mut out = String::with_capacity(html.as_str().len());
    // Level, opening tag, markup inside, text inside.
    let mut open: Option<(u8, &str, String, String)> = None;
    for piece in pieces(html.as_str()) {
        let text = match piece {
            Piece::Tag(text) | Piece::Text(text) => text,
        };
        let Some((level, tag, inside, plain)) = &mut open else {
            match heading_level(text) {
                Some(level) => open = Some((level, text, String::new(), String::new())),
                None => out.push_str(text),
            }
            continue;
        };
        if text != format!("</h{level}>") {
            if let Piece::Text(text) = piece {
                plain.push_str(text);
            }
            inside.push_str(text);
            continue;
        }
        let text = token::decode(plain).split_whitespace().collect::<Vec<_>>().join(" ");
        let id = match attribute(tag, "id") {
            Some((_, id)) => {
                out.push_str(tag);
                token::decode(id)
            }
            None => {
                let id = free_id(&taken, &mut counts, prefix, &text);
                taken.insert(id.clone());
                let (name, rest) = tag.split_at_checked(3).unwrap_or((tag, ""));
                out.push_str(&format!("{name} id=\"{}\"{rest}", SafeHtml::text(&id).as_str()));
                id
            }
        };
        out.push_str(inside);
        out.push_str(&format!("</h{level}>"));
        if !text.is_empty() && found.len() < MOST_HEADINGS {
            found.push(Heading { level: *level, text, id });
        }
        open = None;
    }
    if let Some((_, tag, inside, _)) = open {
        out.push_str(tag);
        out.push_str(&inside);
    }
    (SafeHtml(out), found)
}

fn heading_level(tag: &str) -> Option<u8> {
    let mut bytes = tag.strip_prefix("<h")?.bytes();
    let level = bytes.next().filter(|it| (b'1'..=b'6').contains(it))? - b'0';
    matches!(bytes.next(), Some(b'>' | b' ')).then_some(level)
}

/// An id that is not taken. `counts` remembers the last number of each text, since counting from
/// the start each time takes minutes for a page of equal headings.
fn free_id(
    taken: &BTreeSet<String>,
    counts: &mut BTreeMap<String, u32>,
    prefix: &str,
    text: &str,
) -> String {
    let slug = slug(text);
    let base = format!("{prefix}{}", if slug.is_empty() { "section" } else { &slug });
    let count = counts.entry(base.clone()).or_insert(0);
    loop {
        *count += 1;
        let id = if *count == 1 { base.clone() } else { format!("{base}-{count}") };
        if !taken.contains(&id) {
            return id;
        }
    }
}

/// Size of an `svg` root in CSS pixels: its `width` and `height`, or those of its `viewBox`.
pub(super) fn size(tag: &str) -> (Option<u32>, Option<u32>) {
    let length = |name| {
        let (_, text) = attribute(tag, name)?;
        let digits = text.trim_end_matches(|it: char| it.is_ascii_alphabetic());
        let factor = match text.get(digits.len()..)? {
            "pt" => 4.0 / 3.0,
            "" | "px" => 1.0,
            "in" => 96.0,
            "cm" => 37.8,
            "mm" => 3.78,
            _ => return None,
        };
        let pixels = digits.trim().parse::<f64>().ok()? * factor;
        (1.0..=20_000.0).contains(&pixels).then_some(pixels.round() as u32)
    };
    if let (Some(width), Some(height)) = (length("width"), length("height")) {
        return (Some(width), Some(height));
    }
    let Some((_, view)) = attribute(tag, "viewBox") else { return (None, None) };
    let numbers: Vec<f64> = view
        .split([' ', ','])
        .filter(|it| !it.is_empty())
        .filter_map(|it| it.parse().ok())
        .collect();
    match numbers.as_slice() {
        [_, _, width, height]
            if (1.0..=20_000.0).contains(width) && (1.0..=20_000.0).contains(height) =>
        {
            (Some(width.round() as u32), Some(height.round() as u32))
        }
        _ => (None, None),
    }
}

impl SafeHtml {
    /// The text without its markup, unescaped.
    pub fn plain_text(&self) -> String {
        let texts = pieces(self.as_str()).filter_map(|piece| match piece {
            Piece::Text(text) => Some(text),
            Piece::Tag(_) => None,
        });
        token::decode(&texts.collect::<String>())
    }
}

/// The top-level elements of a piece; text between them that is not blank counts as one.
pub fn children(html: &SafeHtml) -> Vec<SafeHtml> {
    let mut found = Vec::new();
    let mut current = String::new();
    let mut depth = 0usize;
    for piece in pieces(html.as_str()) {
        let (text, is_element_end) = match piece {
            Piece::Text(text) => (text, false),
            Piece::Tag(tag) if tag.starts_with("</") => {
                depth = depth.saturating_sub(1);
                (tag, depth == 0)
            }
            Piece::Tag(tag) => {
                let name = tag.trim_start_matches('<').split([' ', '>']).next().unwrap_or("");
                let is_void = super::policy::VOID.contains(&name);
                if depth == 0 && !current.trim().is_empty() {
                    found.push(SafeHtml(std::mem::take(&mut current)));
                }
                depth += usize::from(!is_void);
                (tag, is_void && depth == 0)
            }
        };
        current.push_str(text);
        if is_element_end {
            found.push(SafeHtml(std::mem::take(&mut current)));
        }
    }
    if !current.trim().is_empty() {
        found.push(SafeHtml(current));
    }
    found
}

/// The text of a heading as its id writes it: `Set up & run` is `set-up-run`, and `What's new?` is `whats-new`.
pub fn slug(text: &str) -> String {
    let mut slug = String::new();
    for character in text.to_lowercase().nfc().take(80) {
        if character.is_alphanumeric() || is_combining_mark(character) {
            slug.push(character);
        } else if matches!(character, '\'' | '’') {
            // An apostrophe divides no word.
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_paragraph_is_prose() {
        let of = |html: &str| first_paragraph(&SafeHtml(html.to_owned()));
        assert_eq!(
            of("<h1>T</h1><p>Short.</p><p>A <b>long</b> &amp; winding\nsentence here.</p>")
                .as_deref(),
            Some("A long & winding sentence here.")
        );
        let marimo = "<span class=\"x-paragraph\">What does a loan cost each month?</span>";
        assert_eq!(of(marimo).as_deref(), Some("What does a loan cost each month?"));
        assert_eq!(of("<p>Where <math><mi>x</mi></math> is the number of things</p>"), None);
        assert_eq!(of("<table><p>A cell of a table is no description.</p></table>"), None);
    }

    #[test]
    fn a_header_that_says_nothing_is_a_plain_cell() {
        let of = |html: &str| without_empty_headers(SafeHtml(html.to_owned())).0;
        assert_eq!(
            of("<tr><th></th><th class=\"x\">&nbsp;</th><th>a</th><th> <b>c</b></th></tr>"),
            "<tr><td></td><td class=\"x\">&nbsp;</td><th>a</th><th> <b>c</b></th></tr>"
        );
        assert_eq!(of("<th></th>"), "<td></td>");
    }

    #[test]
    fn a_picture_is_data_of_the_page() {
        let of = |html: &str| first_picture(&SafeHtml(html.to_owned()), 100);
        let address = "data:image/png;base64,AAAA";
        assert_eq!(
            of(&format!("<p><img alt=\"\" src=\"{address}\"></p>")).as_deref(),
            Some(address)
        );
        assert_eq!(of("<img src=\"https://e.x/a.png\">"), None);
        let large = format!("data:image/png;base64,{}", "A".repeat(100));
        assert_eq!(of(&format!("<img src=\"{large}\"><img src=\"{address}\">")), None);
    }

    fn of(markup: &str) -> SafeHtml {
        super::super::html(&super::super::UntrustedHtml::new(markup.to_owned()), "c1").html
    }

    #[test]
    fn children_are_the_top_level_elements() {
        let found = children(&of("<p title='a>b'>x <b>y</b></p> <br>text<div><div>z</div></div>"));
        let found: Vec<&str> = found.iter().map(SafeHtml::as_str).collect();
        assert_eq!(
            found,
            ["<p title=\"a&gt;b\">x <b>y</b></p>", " <br>", "text", "<div><div>z</div></div>"]
        );
    }

    #[test]
    fn a_link_in_text_is_no_link() {
        let html = of("<p>&lt;a href=\"#x\"&gt; <a href=\"#x\">y</a>");
        let linked = link_fragments(html, |id| Some(format!("o-{id}\"<")));
        assert_eq!(
            linked.as_str(),
            "<p>&lt;a href=\"#x\"&gt; <a href=\"#o-x&quot;&lt;\" \
             rel=\"noopener noreferrer nofollow\">y</a></p>"
        );
    }

    #[test]
    fn a_heading_without_end_stays() {
        let (html, found) = headings(of("<h2 class=a>One</h2><h3></h3><p>x"), "o-");
        assert_eq!(
            html.as_str(),
            "<h2 id=\"o-one\" class=\"x-a\">One</h2><h3 id=\"o-section\"></h3><p>x</p>"
        );
        assert_eq!(found.len(), 1);
    }
}
