//! The gate's short way: markup that ammonia would give back as it is.
//!
//! In: what the pass made. Out: whether it is written exactly as ammonia's serializer writes it, nests
//! so that an HTML parser repairs nothing, and holds only what the tables of [`super::policy`] allow.
//! It shares no decision with the pass. Whatever is not plainly so goes through ammonia; in debug
//! builds, and so in each test and fuzz target, what is goes through it as well and must be equal.

use std::borrow::Cow;

use super::policy::{self, Vocabulary};
use super::token;

/// The value of `rel`, the last attribute of each link.
pub(super) const LINK_RELATION: &str = "noopener noreferrer nofollow";

/// How the tree builder treats an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Anything in running text.
    Phrasing,
    Link,
    /// Its start tag closes an open `p`.
    Block,
    Paragraph,
    Preformatted,
    Heading,
    List,
    Item,
    Definitions,
    Definition,
    Table,
    Caption,
    Columns,
    Column,
    Section,
    Row,
    Cell,
    Figure,
    Slot,
}

fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "abbr" | "acronym" | "b" | "bdi" | "bdo" | "big" | "br" | "cite" | "code" | "del"
        | "dfn" | "em" | "i" | "img" | "input" | "ins" | "kbd" | "label" | "mark" | "q" | "s"
        | "samp" | "small" | "span" | "strike" | "strong" | "sub" | "sup" | "time" | "tt" | "u"
        | "var" | "wbr" => Kind::Phrasing,
        "a" => Kind::Link,
        "address" | "article" | "aside" | "blockquote" | "center" | "details" | "div"
        | "figcaption" | "figure" | "footer" | "header" | "hr" | "nav" | "section" | "summary" => {
            Kind::Block
        }
        "p" => Kind::Paragraph,
        "pre" => Kind::Preformatted,
        "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => Kind::Heading,
        "ul" | "ol" => Kind::List,
        "li" => Kind::Item,
        "dl" => Kind::Definitions,
        "dt" | "dd" => Kind::Definition,
        "table" => Kind::Table,
        "caption" => Kind::Caption,
        "colgroup" => Kind::Columns,
        "col" => Kind::Column,
        "tbody" | "thead" | "tfoot" => Kind::Section,
        "tr" => Kind::Row,
        "td" | "th" => Kind::Cell,
        policy::SLOT => Kind::Slot,
        // `ruby` and MathML have rules of their own, and are rare.
        _ => return None,
    })
}

/// Position of a text: quotes are plain in text, and escaped in attribute values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    Text,
    Value,
}

#[derive(Clone, Copy)]
struct Open<'a> {
    name: &'a str,
    kind: Kind,
    in_paragraph: bool,
    in_link: bool,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    open: Vec<Open<'a>>,
}

/// Whether ammonia, with nbc's tables, gives this markup back as it is.
pub(super) fn is_fixed(markup: &str) -> bool {
    // A byte order mark at the start would go.
    !markup.starts_with('\u{feff}')
        && Reader { text: markup, at: 0, open: Vec::new() }.read().is_some()
}

impl<'a> Reader<'a> {
    fn read(&mut self) -> Option<()> {
        let text = self.text;
        loop {
            let rest = text.get(self.at..)?;
            let length = memchr::memchr(b'<', rest.as_bytes()).unwrap_or(rest.len());
            if length > 0 {
                self.characters(rest.get(..length)?)?;
                self.at += length;
            }
            let tag = rest.get(length..)?;
            if tag.is_empty() {
                return self.open.is_empty().then_some(());
            }
            if let Some(end) = tag.strip_prefix("</") {
                let name = self.open.pop()?.name;
                if !end.strip_prefix(name)?.starts_with('>') {
                    return None;
                }
                self.at += name.len() + 3;
            } else {
                self.start(tag)?;
            }
        }
    }

    fn characters(&self, text: &str) -> Option<()> {
        if let Some(parent) = self.open.last() {
            match parent.kind {
                // Anything else is moved before the table.
                Kind::Table | Kind::Columns | Kind::Section | Kind::Row => {
                    let is_space = |it: u8| matches!(it, b' ' | b'\n' | b'\t');
                    return text.bytes().all(is_space).then_some(());
                }
                // The first line break of a `pre` is not part of it.
                Kind::Preformatted
                    if text.starts_with('\n')
                        && self.text.get(..self.at).is_some_and(|it| it.ends_with('>')) =>
                {
                    return None;
                }
                _ => {}
            }
        }
        is_escaped(text, Position::Text).then_some(())
    }

    /// `tag` begins with `<`.
    fn start(&mut self, tag: &'a str) -> Option<()> {
        let length = tag.bytes().skip(1).take_while(u8::is_ascii_alphanumeric).count() + 1;
        let name = tag.get(1..length)?;
        let parent = self.open.last().copied();
        let element = if name == policy::SLOT {
            policy::Element { name: policy::SLOT, vocabulary: Vocabulary::Html, is_void: false }
        } else {
            policy::exact_element(name)?
        };
        let kind = match element.vocabulary {
            // Nothing in SVG that is allowed leads back to HTML.
            Vocabulary::Svg => Kind::Figure,
            Vocabulary::Html => kind(name)?,
            Vocabulary::MathMl => return None,
        };
        let (in_paragraph, in_link) =
            parent.map_or((false, false), |it| (it.in_paragraph, it.in_link));
        let of_parent = parent.map(|it| it.kind);
        let is_flow = !matches!(
            of_parent,
            Some(Kind::Table | Kind::Columns | Kind::Section | Kind::Row | Kind::Figure)
        );
        let is_placed = match kind {
            Kind::Phrasing | Kind::Slot => is_flow,
            // A link would end one that is open.
            Kind::Link => is_flow && !in_link,
            Kind::Block
            | Kind::Paragraph
            | Kind::Preformatted
            | Kind::List
            | Kind::Definitions
            | Kind::Table => is_flow && !in_paragraph,
            Kind::Heading => is_flow && !in_paragraph && of_parent != Some(Kind::Heading),
            Kind::Item => of_parent == Some(Kind::List),
            Kind::Definition => of_parent == Some(Kind::Definitions),
            Kind::Caption | Kind::Columns | Kind::Section => of_parent == Some(Kind::Table),
            Kind::Column => of_parent == Some(Kind::Columns),
            Kind::Row => of_parent == Some(Kind::Section),
            Kind::Cell => of_parent == Some(Kind::Row),
            Kind::Figure => of_parent == Some(Kind::Figure) || is_flow && name == "svg",
        };
        if !is_placed {
            return None;
        }
        let behind = attributes(element, tag.get(length..)?)?;
        self.at += length + behind;
        if !element.is_void {
            self.open.push(Open {
                name,
                kind,
                in_paragraph: in_paragraph || kind == Kind::Paragraph,
                in_link: in_link || kind == Kind::Link,
            });
        }
        Some(())
    }
}

/// Length of the attributes with the `>` behind them, if all may stay as they are.
fn attributes(element: policy::Element, tag: &str) -> Option<usize> {
    let mut rest = tag;
    let mut names: [&str; 16] = [""; 16];
    let mut count = 0;
    while let Some(attribute) = rest.strip_prefix(' ') {
        let (name, behind) = attribute.split_once("=\"")?;
        let length = memchr::memchr(b'"', behind.as_bytes())?;
        let value = behind.get(..length)?;
        rest = behind.get(length + 1..)?;
        // Of two with a name the parser keeps the first.
        if names.get(..count)?.contains(&name) {
            return None;
        }
        *names.get_mut(count)? = name;
        count += 1;
        if element.name == "a" && name == "rel" {
            return (value == LINK_RELATION && rest.starts_with('>'))
                .then_some(tag.len() - rest.len() + 1);
        }
        if element.name == policy::SLOT {
            let is_number = name == "value" && value.bytes().all(|it| it.is_ascii_digit());
            is_number.then_some(())?;
            continue;
        }
        if policy::exact_attribute(element.name, name).is_none()
            || !is_escaped(value, Position::Value)
        {
            return None;
        }
        let value = if value.contains('&') {
            Cow::Owned(token::decode(value))
        } else {
            Cow::Borrowed(value)
        };
        let is_link = element.name == "a" && name == "href";
        if is_link && !is_plain_link(&value)
            || policy::value(element.name, name, &value).is_none_or(|it| it != value)
        {
            return None;
        }
    }
    // Ammonia gives every link its relation.
    (rest.starts_with('>') && element.name != "a").then_some(tag.len() - rest.len() + 1)
}

/// Whether text or a value is written as the serializer writes it. No raw `<` can be in it.
fn is_escaped(text: &str, position: Position) -> bool {
    let is_special = |it: &u8| matches!(it, b'<' | b'>' | b'&' | b'\r' | 0 | 0xC2);
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|it| it.iter().position(is_special)) {
        at += found;
        let rest = bytes.get(at..).unwrap_or_default();
        match rest {
            [b'&', reference @ ..] => {
                let known: [&[u8]; 5] = [b"amp;", b"lt;", b"gt;", b"nbsp;", b"quot;"];
                let Some(name) = known.iter().find(|it| reference.starts_with(it)) else {
                    return false;
                };
                if name.starts_with(b"quot") && position == Position::Text {
                    return false;
                }
                at += 1 + name.len();
            }
            // U+00A0 is written by its name.
            [0xC2, after, ..] if *after != 0xA0 => at += 2,
            _ => return false,
        }
    }
    true
}

/// Whether an address is one that any parser of addresses takes: the rest is left to ammonia's.
fn is_plain_link(address: &str) -> bool {
    let Some((scheme, rest)) = address.split_once(':') else { return true };
    match scheme {
        "mailto" | "tel" => true,
        "http" | "https" => rest.strip_prefix("//").is_some_and(|rest| {
            let host = rest.split(['/', '?', '#']).next().unwrap_or("");
            let legal =
                |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-' || it == b'.';
            // A last label of digits would be read as an address of the network.
            let last = host.rsplit('.').next().unwrap_or("");
            host.bytes().all(legal)
                && host
                    .split('.')
                    .all(|it| !it.is_empty() && !it.starts_with('-') && !it.contains("--"))
                && last.starts_with(|it: char| it.is_ascii_lowercase())
        }),
        // A relative one with a colon behind a `#`.
        _ => address.starts_with('#'),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{UntrustedHtml, html};
    use super::*;

    /// Whether the fast path is taken; then the result must equal ammonia's.
    fn is_same(markup: &str) -> bool {
        let clean = policy::GATE.clean(markup).to_string();
        let is_fixed = is_fixed(markup);
        assert!(!is_fixed || clean == markup, "{markup}\n{clean}");
        is_fixed
    }

    #[test]
    fn what_the_pass_makes_of_common_outputs_takes_the_short_way() {
        for markup in [
            "<div>\n<style scoped>.dataframe td{}</style>\n<table border=\"1\" class=\"dataframe\">\n<thead>\n\
             <tr style=\"text-align: right;\">\n<th></th><th>a</th></tr></thead>\n<tbody><tr><th>0</th>\
             <td>x &amp; y&nbsp;&lt;&gt;\"'</td></tr></tbody></table>\n<p>1 rows × 1 columns</p></div>",
            "<table><tr><td>a<td>b<tr><td rowspan=2>c</table>",
            "<table id=T><caption>a > b</caption><colgroup><col><col></colgroup><tr><th>&#x27;a&#39;&quot;</table>",
            "<ul><li>a<li><a href='https://a.example.org/b?c=d&e=f#g' target=_blank>b</a><ol><li>c</ol></ul>",
            "<p>a<p><b><i>c</i></b><br><img src='data:image/png;base64,AAAA' alt='a \"b\" < c'>\u{a0}</p>\r\n<hr>",
            "<svg width=1 viewBox='0 0 1 1'><defs><clipPath id=a><rect x=1 /></clipPath></defs>\
             <g clip-path='url(#a)' style='fill:red'><use xlink:href='#a' /><text>a<tspan>b</tspan></text></g></svg>",
            "<details><summary>a</summary><dl><dt>b<dd>c</dl></details><pre>x\n\ny</pre><h2>z</h2>",
        ] {
            let result = html(&UntrustedHtml::new(markup.to_owned()), "c1");
            assert!(is_same(result.html.as_str()), "{}", result.html.as_str());
        }
    }

    #[test]
    fn what_a_parser_would_repair_does_not_take_the_short_way() {
        for markup in [
            "<b>a",
            "a</b>",
            "<b></i>",
            "<p><p></p></p>",
            "<p><div></div></p>",
            "<p><table></table></p>",
            "<p><b><hr></b></p>",
            "<table>a</table>",
            "<table><tr></tr></table>",
            "<table><b></b></table>",
            "<table><tbody><td></td></tbody></table>",
            "<li><li></li></li>",
            "<ul><li><li></li></li></ul>",
            "<h1><h2></h2></h1>",
            "<a rel=\"noopener noreferrer nofollow\"><b><a rel=\"noopener noreferrer nofollow\"></a></b></a>",
            "<a></a>",
            "<a rel=\"opener\"></a>",
            "<a rel=\"noopener noreferrer nofollow\" rel=\"x\"></a>",
            "<a rel=\"noopener noreferrer nofollow\" href=\"#a\"></a>",
            "<pre>\na</pre>",
            "&",
            "&copy;",
            "&quot;",
            "a\r",
            "a\0",
            "\u{feff}a",
            "\u{a0}",
            ">",
            "<p title=\"a>\"></p>",
            "<p title='a'></p>",
            "<p title=a></p>",
            "<p title></p>",
            "<p  title=\"\"></p>",
            "<P></P>",
            "<p title=\"\" title=\"\"></p>",
            "<p onclick=\"a\"></p>",
            "<p style=\"a\"></p>",
            "<script></script>",
            "<br></br>",
            "<br/>",
            "<svg/>",
            "<svg><p></p></svg>",
            "<svg><svg:g></svg:g></svg>",
            "<g></g>",
            "<svg><clippath></clippath></svg>",
            "<svg><title></title></svg>",
            "<svg><style></style></svg>",
            "<math></math>",
            "<svg><data value=\"0\"></data></svg>",
            "<a href=\"javascript:a\" rel=\"noopener noreferrer nofollow\"></a>",
            "<a href=\"http://[\" rel=\"noopener noreferrer nofollow\"></a>",
            "<a href=\"http://1.2.3.256/\" rel=\"noopener noreferrer nofollow\"></a>",
            "<img src=\"http://a.b/\">",
            "<!-- a -->",
            "<?a?>",
            "<",
            "<table><data value=\"0\"></data></table>",
            "<data value=\"x\"></data>",
            "<data id=\"x\"></data>",
            "<svg><use href=\"http://a.b/\"></use></svg>",
            "<td></td>",
            "<ruby><rt></rt></ruby>",
        ] {
            assert!(!is_fixed(markup), "{markup}");
        }
    }

    #[test]
    fn each_element_and_attribute_is_read_as_ammonia_reads_it() {
        let around = |name: &str, inner: &str| {
            let (before, after) = match name {
                "li" => ("<ul>", "</ul>"),
                "dt" | "dd" => ("<dl>", "</dl>"),
                "caption" | "colgroup" | "tbody" | "thead" | "tfoot" => ("<table>", "</table>"),
                "col" => ("<table><colgroup>", "</colgroup></table>"),
                "tr" => ("<table><tbody>", "</tbody></table>"),
                "td" | "th" => ("<table><tbody><tr>", "</tr></tbody></table>"),
                _ => ("", ""),
            };
            format!("{before}{inner}{after}")
        };
        let values = [
            "",
            "1",
            "a",
            "#a",
            "url(#a)",
            "&lt;a&gt;&amp;&quot;&nbsp;",
            "https://a.b/",
            "_blank",
            "checkbox",
            "data:image/png;base64,AAAA",
            "a b",
            "é",
            "left",
        ];
        let mut fixed = 0;
        for (element, attribute) in policy::all_attributes() {
            for value in values {
                let relation = if element.name == "a" {
                    format!(" rel=\"{LINK_RELATION}\"")
                } else {
                    String::new()
                };
                let tag = format!("{} {attribute}=\"{value}\"{relation}>", element.name);
                let end =
                    if element.is_void { String::new() } else { format!("</{}>", element.name) };
                let mut markup = around(element.name, &format!("<{tag}{end}"));
                if element.vocabulary == Vocabulary::Svg {
                    markup = format!("<svg><g>{markup}</g></svg>");
                }
                fixed += usize::from(is_same(&markup));
            }
        }
        assert!(fixed > 10_000, "{fixed}");
    }
}
