//! The markup that a site's own templates write around slots and values, read strictly.
//!
//! In: a whole piece of it. Out: the names of its elements, or the first thing that has no place there:
//! a script, a style, a frame, a handler, and whatever browsers read in more than one way. `verify` asks
//! again, of the whole page and with a reader of its own.

/// Elements that run, load, frame or rewrite, and those whose text is not read as markup.
const FORBIDDEN: [&str; 31] = [
    "animate",
    "animatecolor",
    "animatemotion",
    "animatetransform",
    "annotation-xml",
    "applet",
    "base",
    "discard",
    "embed",
    "fencedframe",
    "foreignobject",
    "frame",
    "frameset",
    "handler",
    "iframe",
    "keygen",
    "listener",
    "listing",
    "noembed",
    "noframes",
    "noscript",
    "object",
    "param",
    "plaintext",
    "portal",
    "script",
    "selectedcontent",
    "set",
    "style",
    "template",
    "xmp",
];

/// Attributes that run, style, command or give an element a second life; those that start with `on` aside.
const FORBIDDEN_ATTRIBUTES: [&str; 9] = [
    "data-runtime",
    "data-states",
    "http-equiv",
    "is",
    "nonce",
    "shadowroot",
    "shadowrootmode",
    "srcdoc",
    "style",
];

/// The names of the elements that a piece of markup opens.
///
/// # Errors
/// The offending markup, as the end of a sentence that starts with the template.
pub(super) fn check(text: &str, has_frames: bool) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('<') {
        rest = if let Some(comment) = after.strip_prefix("!--") {
            behind_comment(comment)?
        } else if let Some(name) = after.strip_prefix('/') {
            let (name, after) = split_name(name);
            let end = after.trim_ascii_start().strip_prefix('>').filter(|_| !name.is_empty());
            end.ok_or_else(|| unended(&format!("</{name}")))?
        } else if let Some(doctype) = strip_doctype(after) {
            doctype
        } else {
            let tag = Tag::read(after)?;
            tag.check(has_frames)?;
            let behind = tag.behind_text()?;
            names.push(tag.name);
            behind
        };
    }
    Ok(names)
}

fn unended(start: &str) -> String {
    format!("it writes `{}`, which does not end before a slot or the template does", shorten(start))
}

fn shorten(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_debug).collect()
}

fn strip_doctype(text: &str) -> Option<&str> {
    let (start, rest) = text.split_at_checked("!doctype html>".len())?;
    start.eq_ignore_ascii_case("!doctype html>").then_some(rest)
}

/// Browsers end a comment at `-->`, and at three other marks.
fn behind_comment(text: &str) -> Result<&str, String> {
    let (comment, rest) = text.split_once("-->").ok_or_else(|| unended("<!--"))?;
    let is_odd =
        comment.starts_with(['>', '-']) || ["--!", "<!--"].iter().any(|it| comment.contains(it));
    if is_odd {
        Err("it writes a comment that browsers read in two ways".to_owned())
    } else {
        Ok(rest)
    }
}

/// Letters, digits and `-`, and the rest of the text.
fn split_name(text: &str) -> (&str, &str) {
    let is_name = |it: char| it.is_ascii_alphanumeric() || it == '-';
    let end = text.find(|it| !is_name(it)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or_default()
}

/// The start of an element.
struct Tag<'text> {
    /// In lower case.
    name: String,
    /// Names in lower case.
    attributes: Vec<(String, &'text str)>,
    rest: &'text str,
}

impl<'text> Tag<'text> {
    /// Reads the text after `<`.
    fn read(text: &'text str) -> Result<Self, String> {
        let (name, mut rest) = split_name(text);
        if !name.starts_with(|it: char| it.is_ascii_alphabetic()) {
            let start: String = text.chars().take(10).collect();
            return Err(format!("it writes `<{}`: as text, write `&lt;`", shorten(&start)));
        }
        let fail = || unended(&format!("<{name}"));
        let mut attributes = Vec::new();
        loop {
            let blank = rest.len();
            rest = rest.trim_ascii_start();
            let end = rest.strip_prefix("/>").or_else(|| rest.strip_prefix('>'));
            if let Some(rest) = end {
                return Ok(Self { name: name.to_ascii_lowercase(), attributes, rest });
            }
            if rest.is_empty() {
                return Err(fail());
            }
            let (attribute, value, behind) = Self::attribute(rest).ok_or_else(|| {
                let name = shorten(name);
                format!("an attribute of `<{name}>` is not `name=\"value\"`, or holds a slot")
            })?;
            if rest.len() == blank {
                return Err(format!("two attributes of `<{}>` touch", shorten(name)));
            }
            attributes.push((attribute.to_ascii_lowercase(), value));
            rest = behind;
        }
    }

    /// The name, the value, and the rest of the text.
    fn attribute(text: &'text str) -> Option<(&'text str, &'text str, &'text str)> {
        let is_name = |it: char| it.is_ascii_alphanumeric() || "-_:.".contains(it);
        let end = text.find(|it| !is_name(it)).unwrap_or(text.len());
        let (name, rest) = text.split_at_checked(end).filter(|(name, _)| !name.is_empty())?;
        let Some(value) = rest.trim_ascii_start().strip_prefix('=') else {
            return Some((name, "", rest));
        };
        let value = value.trim_ascii_start();
        let quote = ['"', '\''].into_iter().find(|it| value.starts_with(*it));
        if let Some(quote) = quote {
            let (value, rest) = value.get(1..)?.split_once(quote)?;
            return Some((name, value, rest));
        }
        let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_:.#%/".contains(it);
        let end = value.find(|it| !is_plain(it)).unwrap_or(value.len());
        let (value, rest) = value.split_at_checked(end).filter(|(value, _)| !value.is_empty())?;
        Some((name, value, rest))
    }

    fn check(&self, has_frames: bool) -> Result<(), String> {
        let value = |name: &str| self.attributes.iter().find(|it| it.0 == name).map(|it| it.1);
        let is_frame = has_frames && self.name == "iframe";
        let is_sandboxed = is_frame && value("sandbox") == Some("allow-scripts");
        if FORBIDDEN.contains(&self.name.as_str()) && !is_sandboxed {
            return Err(format!("it writes `<{}>` itself", self.name));
        }
        let rel = value("rel").unwrap_or_default().to_ascii_lowercase();
        if self.name == "link" && rel.contains("stylesheet") {
            return Err("it writes `<link rel=\"stylesheet\">` itself".to_owned());
        }
        for (index, (name, _)) in self.attributes.iter().enumerate() {
            if name.starts_with("on") || FORBIDDEN_ATTRIBUTES.contains(&name.as_str()) {
                return Err(format!("it writes the attribute `{}`", shorten(name)));
            }
            // The first one counts.
            if self.attributes.iter().take(index).any(|it| it.0 == *name) {
                return Err(format!("it writes the attribute `{}` twice", shorten(name)));
            }
        }
        Ok(())
    }

    /// The text behind the tag, or behind the whole element if it can hold text only.
    fn behind_text(&self) -> Result<&'text str, String> {
        if !matches!(self.name.as_str(), "title" | "textarea" | "iframe") {
            return Ok(self.rest);
        }
        // In a drawing, a `<title>` holds markup.
        let close = format!("</{}>", self.name);
        let (text, _) = self.rest.split_once('<').unwrap_or((self.rest, ""));
        let behind = self.rest.get(text.len()..).unwrap_or_default();
        let (end, rest) = behind.split_at_checked(close.len()).unwrap_or_default();
        if end.eq_ignore_ascii_case(&close) {
            Ok(rest)
        } else {
            Err(unended(&format!("<{}>", self.name)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_markup_is_read() {
        let text = "<!doctype html>\n<HTML lang=en><!-- a - b --><p class=\"a > b\" hidden>a &lt; b\
            <br/><title>a > b</title><a href='#x'>x</a></p >";
        assert_eq!(check(text, false).unwrap(), ["html", "p", "br", "title", "a"]);
        let frame = "<iframe sandbox=\"allow-scripts\" src=\"islands/a.html\"></iframe>";
        assert!(check(frame, true).is_ok());
        assert!(check(frame, false).is_err());
        assert!(check(&frame.replace("-scripts", "-same-origin"), true).is_err());
    }

    #[test]
    fn powers_are_refused_however_they_are_written() {
        for bad in [
            "<script>x</script>",
            "<SCRIPT src=x>",
            "<svg><script href=x /></svg>",
            "<svg/onload=x>",
            "<p onclick=\"x\">",
            "<p a='b'onclick=x>",
            "<p a=b\tONCLICK=x>",
            "<p \"onclick=x>",
            "<p style=\"x\">",
            "<style>",
            "<base href=/>",
            "<iframe>",
            "<object>",
            "<embed>",
            "<meta HTTP-EQUIV=refresh>",
            "<link rel=\"StyleSheet\" href=\"x\">",
            "<template><p></template>",
            "<noscript><p title=\"</noscript><script>\">",
            "<title><script></title>",
            "<svg><title><img src=x></title></svg>",
            "<textarea></textarea x>",
            "<!--><script>-->",
            "<!--->-->",
            "<!-- a --!> -->",
            "<!-- a",
            "<![CDATA[x]]>",
            "<?xml?>",
            "<!ENTITY>",
            "<p",
            "<p title=\"",
            "</p",
            "</ p>",
            "</p x>",
            "a < b",
            "<p title=a title=b>",
            "<script/x>",
            "<script\u{0}>",
            "<p data-runtime=x>",
        ] {
            assert!(check(bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_end_of_a_piece_is_an_error_or_text() {
        let text = "<!doctype html><p a=\"b\" c='d'>x<!-- y --></p><title>z</title>é";
        for (end, _) in text.char_indices() {
            let _ = check(text.get(..end).unwrap(), false);
        }
    }
}
