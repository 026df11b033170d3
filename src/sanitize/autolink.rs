//! Addresses in the text of prose become links, as GitHub and Jupyter make them.
//!
//! In: markup that is already safe. Out: the same with links around `https://…`, `http://…`, `www.…` and mail addresses
//! that stand in its text: not in code, formulas, figures or links.

use super::SafeHtml;
use super::fixed::LINK_RELATION;
use super::scan::{Piece, pieces};

/// Elements whose text stays as it is.
const QUIET: [&str; 12] = [
    "a", "button", "code", "kbd", "label", "math", "pre", "samp", "script", "style", "summary",
    "svg",
];

/// Longest address of the web behind its scheme, in bytes.
const LONGEST: usize = 1024;

/// Longest parts of a mail address before and behind its `@` (RFC 5321).
const LONGEST_LOCAL: usize = 64;
const LONGEST_DOMAIN: usize = 255;

/// Makes links of the addresses in a text.
pub fn autolink(html: SafeHtml) -> SafeHtml {
    let has = |it: &str| html.as_str().contains(it);
    if !["://", "www.", "WWW.", "@"].into_iter().any(has) {
        return html;
    }
    let mut out = String::with_capacity(html.as_str().len() + 256);
    let mut quiet: Vec<&str> = Vec::new();
    for piece in pieces(html.as_str()) {
        match piece {
            Piece::Text(text) if quiet.is_empty() => link_text(text, &mut out),
            Piece::Text(text) => out.push_str(text),
            Piece::Tag(tag) => {
                let name = tag.trim_start_matches('<').split([' ', '>']).next().unwrap_or("");
                match name.strip_prefix('/') {
                    Some(end) if quiet.last() == Some(&end) => drop(quiet.pop()),
                    None if QUIET.contains(&name) => quiet.push(name),
                    _ => {}
                }
                out.push_str(tag);
            }
        }
    }
    SafeHtml(out)
}

/// A link in a text: where it starts, and its length, both in bytes.
struct Found {
    start: usize,
    length: usize,
    /// Put before the text to make its address.
    scheme: &'static str,
}

fn link_text(text: &str, out: &mut String) {
    let mut written = 0;
    while let Some(found) = next(text, written) {
        let end = found.start + found.length;
        out.push_str(text.get(written..found.start).unwrap_or_default());
        let shown = text.get(found.start..end).unwrap_or_default();
        let scheme = found.scheme;
        out.push_str(&format!("<a href=\"{scheme}{shown}\" rel=\"{LINK_RELATION}\">{shown}</a>"));
        written = end;
    }
    out.push_str(text.get(written..).unwrap_or_default());
}

/// The first link that starts at `from` or behind it.
fn next(text: &str, from: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let mut at = from;
    loop {
        // Each of the kinds has one of these characters.
        at += memchr::memchr3(b':', b'.', b'@', bytes.get(at..)?)?;
        let found = match bytes.get(at)? {
            b':' => web(text, from, at, "://"),
            b'.' => web(text, from, at, "."),
            _ => mail(text, from, at),
        };
        if found.is_some() {
            return found;
        }
        at += 1;
    }
}

/// An address of the web whose scheme, or `www`, ends at `at`.
fn web(text: &str, from: usize, at: usize, mark: &str) -> Option<Found> {
    let before = text.get(from..at)?;
    let behind = text.get(at..)?.strip_prefix(mark)?;
    let heads = if mark == "." { &["www"][..] } else { &["https", "http"][..] };
    let is_head = |it: &&&str| {
        let start = before.len().checked_sub(it.len());
        start.and_then(|start| before.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(it))
    };
    let head = heads.iter().find(is_head)?;
    let start = at - head.len();
    // `xhttps://` is no address, nor is `a.www.b`.
    let is_joined = |it: char| it.is_ascii_alphanumeric() || "._-/@".contains(it);
    if text.get(..start)?.chars().next_back().is_some_and(is_joined) {
        return None;
    }
    if !behind.starts_with(char::is_alphanumeric) {
        return None;
    }
    let length = trimmed(behind)?;
    let host = behind.get(..length)?.split(['/', '?', '#', ':']).next()?;
    let is_label = |it: &str| {
        let is_legal = |it: char| it.is_alphanumeric() || it == '-' || it == '_';
        !it.is_empty() && it.chars().all(is_legal)
    };
    if !host.split('.').all(is_label) || mark == "." && !host.contains('.') {
        return None;
    }
    let scheme = if mark == "." { "http://" } else { "" };
    Some(Found { start, length: head.len() + mark.len() + length, scheme })
}

/// Length of an address without what ends the sentence around it; `None` for one that is too long. The text is escaped.
fn trimmed(text: &str) -> Option<usize> {
    let (text, _) = text.split_at_checked(text.floor_char_boundary(LONGEST)).unwrap_or((text, ""));
    let is_end = |it: char| {
        it.is_whitespace() || it.is_control() || "\"`，。、；：！？（）《》「」【】“”".contains(it)
    };
    let mut end = text.find(is_end).or_else(|| (text.len() < LONGEST).then_some(text.len()))?;
    for reference in ["&lt;", "&gt;", "&nbsp;", "&quot;", "&#39;"] {
        let head = text.get(..end).unwrap_or_default();
        end = head.find(reference).unwrap_or(end);
    }
    // Counted once, and kept as the end moves.
    let head = text.get(..end).unwrap_or_default();
    let count = |it: char| head.matches(it).count();
    let (mut round, mut square) = ((count('('), count(')')), (count('['), count(']')));
    loop {
        let head = text.get(..end).unwrap_or_default();
        match head.bytes().next_back() {
            Some(b'?' | b'!' | b'.' | b',' | b':' | b'*' | b'_' | b'~' | b'\'') => end -= 1,
            Some(b')') if round.1 > round.0 => {
                round.1 -= 1;
                end -= 1;
            }
            Some(b']') if square.1 > square.0 => {
                square.1 -= 1;
                end -= 1;
            }
            Some(b';') => {
                // A character reference goes as a whole.
                let body = |it: usize| head.get(it + 1..end - 1).unwrap_or("-");
                let is_name = |it: &usize| body(*it).bytes().all(|it| it.is_ascii_alphanumeric());
                end = head.rfind('&').filter(is_name).unwrap_or(end - 1);
            }
            _ => return Some(end),
        }
    }
}

/// A mail address around the `@` at `at`.
fn mail(text: &str, from: usize, at: usize) -> Option<Found> {
    let is_local = |it: &u8| it.is_ascii_alphanumeric() || b"._+-".contains(it);
    let before = text.as_bytes().get(from..at)?;
    let local = before.iter().rev().take(LONGEST_LOCAL + 1).take_while(|it| is_local(it)).count();
    let is_domain = |it: &u8| it.is_ascii_alphanumeric() || b".-_".contains(it);
    let behind = text.as_bytes().get(at + 1..)?;
    let length = behind.iter().take(LONGEST_DOMAIN + 1).take_while(|it| is_domain(it)).count();
    let domain = text.get(at + 1..at + 1 + length)?.trim_end_matches('.');
    let (_, last) = domain.rsplit_once('.')?;
    let is_plain = domain.split('.').all(|it| !it.is_empty())
        && last.starts_with(|it: char| it.is_ascii_alphabetic())
        && !last.ends_with(['-', '_'])
        && (1..=LONGEST_LOCAL).contains(&local)
        && domain.len() <= LONGEST_DOMAIN;
    let start = at - local;
    let is_path = text.get(..start)?.ends_with(['/', ':', '@']);
    (is_plain && !is_path).then(|| Found {
        start,
        length: local + 1 + domain.len(),
        scheme: "mailto:",
    })
}

#[cfg(test)]
mod tests {
    use super::super::{UntrustedHtml, html};
    use super::*;

    /// Addresses of the links in a text.
    fn links(text: &str) -> Vec<String> {
        let html = html(&UntrustedHtml::new(text.to_owned()), "c1").html;
        let linked = autolink(html);
        let parts = linked.as_str().split("<a href=\"").skip(1);
        parts.map(|it| it.split('"').next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn addresses_in_prose_are_links_without_the_sentence_around_them() {
        for (text, address) in [
            ("See https://example.org/page, then", "https://example.org/page"),
            ("(https://example.org/x_(y))", "https://example.org/x_(y)"),
            ("www.example.org.", "http://www.example.org"),
            ("HTTPS://Example.org/?a=1&b=2;", "HTTPS://Example.org/?a=1&amp;b=2"),
            ("&lt;https://example.org/a&gt;", "https://example.org/a"),
            ("http://localhost:8888/tree", "http://localhost:8888/tree"),
            ("看https://例子.测试/路径。", "https://例子.测试/路径"),
            ("mail me@example.org.", "mailto:me@example.org"),
            ("<b>https://example.org</b>", "https://example.org"),
            ("\"https://example.org/q?x='1'\"", "https://example.org/q?x='1"),
        ] {
            assert_eq!(links(text), [address], "{text}");
        }
        assert_eq!(links("https://a.org www.b.org c@d.org").len(), 3);
    }

    #[test]
    fn what_is_no_address_of_a_sentence_stays() {
        for text in [
            "xhttps://example.org",
            "https:// example",
            "https://",
            "http://[::1]/",
            "www.example",
            "numpy@1.26.4",
            "@decorator and user@host",
            "<code>https://example.org</code>",
            "<pre>https://example.org</pre>",
            "git@github.com:a/b https",
        ] {
            let found = links(text);
            assert!(found.is_empty() || text.starts_with("git@"), "{text}: {found:?}");
        }
        assert_eq!(links("<a href=https://a.org>https://a.org</a>").len(), 1);
    }

    #[test]
    fn a_text_of_marks_alone_takes_no_time() {
        for mark in ["https://a)", "a@", "www.", "a.b@", "http://&amp;"] {
            let text = mark.repeat(20_000);
            let start = std::time::Instant::now();
            autolink(SafeHtml(text));
            assert!(start.elapsed().as_secs() < 10, "{mark}");
        }
    }
}
