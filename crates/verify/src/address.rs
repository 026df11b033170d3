//! Addresses as a browser reads them: text of an attribute in, its kind out.
//!
//! Follows the URL standard where it matters: controls at the ends and tabs and line breaks inside
//! do not count, letter case of the scheme does not count, `\` is `/`.

/// Target of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// The page itself: empty, or `#…`.
    Page,
    /// A file below or beside the page: the path without query and fragment.
    Relative(String),
    /// `data:`, with its type in lowercase; empty where it has none.
    Data(String),
    /// Any other scheme, in lowercase.
    Scheme(String),
    /// `//host/…`.
    Host,
    /// `/path`: another file on the host, wherever the site lies.
    Root,
    /// Something that no tool of ours writes, and that readers could take in two ways.
    Odd,
}

pub(super) fn classify(text: &str) -> Address {
    let text = text.trim_matches(|it: char| it <= ' ');
    let mut characters = text.chars().filter(|it| !matches!(it, '\t' | '\n' | '\r'));
    if let Some(scheme) = scheme(&mut characters) {
        if scheme != "data" {
            return Address::Scheme(scheme);
        }
        // The data may be megabytes, and a type is short.
        let kind: String = characters.take_while(|it| !matches!(it, ';' | ',')).take(100).collect();
        return Address::Data(kind.trim().to_ascii_lowercase());
    }
    let clean: String = text.chars().filter(|it| !matches!(it, '\t' | '\n' | '\r')).collect();
    let path = clean.split(['?', '#']).next().unwrap_or_default();
    if path.chars().any(char::is_control) || path.contains(['\\', ':', '%', '"', '<', '>', ' ']) {
        return Address::Odd;
    }
    if path.starts_with("//") {
        Address::Host
    } else if path.starts_with('/') {
        Address::Root
    } else if path.contains("//") {
        // An empty segment counts for a browser, and is dropped by some hosts.
        Address::Odd
    } else if path.is_empty() {
        // `?query` loads the page again under another name; nothing of ours writes it.
        if clean.starts_with('?') { Address::Odd } else { Address::Page }
    } else {
        Address::Relative(path.to_owned())
    }
}

/// The fragment of an address, as it is and without its percent-encoding: browsers look for both. None where there is
/// none, or where it means the start of the page.
pub(super) fn fragment(text: &str) -> Option<[String; 2]> {
    let text = text.trim_matches(|it: char| it <= ' ');
    let clean: String = text.chars().filter(|it| !matches!(it, '\t' | '\n' | '\r')).collect();
    let (_, raw) = clean.split_once('#')?;
    let mut bytes = Vec::new();
    let mut rest = raw.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        let digits = match (first, behind) {
            (b'%', [high, low, ..]) => {
                char::from(*high).to_digit(16).zip(char::from(*low).to_digit(16))
            }
            _ => None,
        };
        match digits {
            Some((high, low)) => {
                bytes.extend(u8::try_from(16 * high + low));
                rest = behind.get(2..).unwrap_or_default();
            }
            None => bytes.push(*first),
        }
    }
    let decoded = String::from_utf8_lossy(&bytes).into_owned();
    let is_start = raw.is_empty() || decoded.eq_ignore_ascii_case("top");
    (!is_start).then(|| [raw.to_owned(), decoded])
}

/// Reads a scheme and its colon.
fn scheme(characters: &mut impl Iterator<Item = char>) -> Option<String> {
    let mut scheme = String::new();
    for character in characters {
        match character {
            ':' if !scheme.is_empty() => return Some(scheme),
            it if it.is_ascii_alphabetic() => scheme.push(it.to_ascii_lowercase()),
            it if !scheme.is_empty() && (it.is_ascii_digit() || "+-.".contains(it)) => {
                scheme.push(it);
            }
            _ => return None,
        }
    }
    None
}

/// Whether a `data:` type is a picture. `<img>` runs no script, in SVG neither.
pub(super) fn is_image(kind: &str) -> bool {
    const KINDS: [&str; 9] =
        ["png", "jpeg", "gif", "webp", "avif", "bmp", "svg+xml", "x-icon", "vnd.microsoft.icon"];
    kind.strip_prefix("image/").is_some_and(|it| KINDS.contains(&it))
}

/// Whether a browser that opens a `data:` address of this type shows or saves it without running it.
pub(super) fn is_passive_download(kind: &str) -> bool {
    const KINDS: [&str; 8] = [
        "application/pdf",
        "application/octet-stream",
        "application/json",
        "application/x-ipynb+json",
        "application/zip",
        "text/csv",
        "text/plain",
        "text/x-python",
    ];
    KINDS.contains(&kind) || (is_image(kind) && kind != "image/svg+xml")
}

/// The path in the site that a relative address in `base` leads to; none when it leaves the site.
/// A folder means its `index.html`.
pub(super) fn resolve(base: &str, relative: &str) -> Option<String> {
    let mut segments: Vec<&str> = base.split('/').collect();
    segments.pop();
    let mut is_folder = true;
    for segment in relative.split('/') {
        is_folder = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop()?;
            }
            other => segments.push(other),
        }
    }
    if is_folder {
        segments.push("index.html");
    }
    Some(segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scheme(name: &str) -> Address {
        Address::Scheme(name.to_owned())
    }

    #[test]
    fn disguised_schemes_are_seen_through() {
        for text in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "  javascript:alert(1)",
            "\u{1}\u{1f}javascript:alert(1)",
            "java\tscr\nipt\r:alert(1)",
        ] {
            assert_eq!(classify(text), scheme("javascript"), "{text:?}");
        }
        assert_eq!(classify("DATA:Text/HTML;base64,AA"), Address::Data("text/html".into()));
    }

    #[test]
    fn what_is_no_scheme_and_no_plain_path_is_odd() {
        for text in
            ["java\u{1}script:alert(1)", "\\\\host\\x", "/\\host", "a%2fb", "a//b", "1a:b", "?x"]
        {
            assert_eq!(classify(text), Address::Odd, "{text:?}");
        }
    }

    #[test]
    fn hosts_roots_and_pages_are_told_apart() {
        assert_eq!(classify("//host/x"), Address::Host);
        assert_eq!(classify("/x"), Address::Root);
        assert_eq!(classify("#a:b"), Address::Page);
        assert_eq!(classify(""), Address::Page);
        assert_eq!(classify("a/b.html?x#y"), Address::Relative("a/b.html".into()));
    }

    #[test]
    fn a_fragment_is_read_as_browsers_read_it() {
        let of = |text| fragment(text).map(|[raw, decoded]| format!("{raw} {decoded}"));
        assert_eq!(of("a.html?x#%C3%BCber%20uns").as_deref(), Some("%C3%BCber%20uns über uns"));
        assert_eq!(of(" #a%zz\n#b ").as_deref(), Some("a%zz#b a%zz#b"));
        assert_eq!(of("#\u{fc}").as_deref(), Some("\u{fc} \u{fc}"));
        for start in ["a.html", "", "#", "#Top", "a.html#"] {
            assert_eq!(of(start), None, "{start}");
        }
    }

    #[test]
    fn relative_paths_never_leave_the_site() {
        assert_eq!(resolve("a/b.html", "../c.css").as_deref(), Some("c.css"));
        assert_eq!(resolve("a/b.html", "./").as_deref(), Some("a/index.html"));
        assert_eq!(resolve("a/b.html", "..").as_deref(), Some("index.html"));
        assert_eq!(resolve("b.html", "../c.css"), None);
    }
}
