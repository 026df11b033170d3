//! Files of a project in markup: pictures in the place of their addresses, and the same as files of a site.
//!
//! In: bytes that were checked to be of a known kind. Out: markup that holds them as `data:`, and a mark by which a
//! site takes them out into files of their own. A notebook can't write the mark: attributes that begin with `data-`
//! are dropped from its markup.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::scan::{Piece, attribute, pieces};
use super::{MediaKind, Removed, SafeHtml, UntrustedHtml, policy, svg, token};

/// The mark of a file that may stand by itself; its value is the name of the file.
const MARK: &str = " data-file=\"";

/// A picture that may stand in a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafePicture {
    /// A `data:` address.
    address: String,
    /// Name of a file that may hold it; `None` for a kind that no site has files of.
    name: Option<String>,
    /// Width and height of its own.
    size: Option<(u32, u32)>,
}

impl SafePicture {
    /// A picture of pixels, by its `data:` address; with a name, a site may make a file of it. `None` when it is none that a
    /// page may have.
    pub fn of_pixels(
        address: String,
        name: Option<&str>,
        size: Option<(u32, u32)>,
    ) -> Option<Self> {
        policy::image_data(&address)?;
        Some(Self { address, name: name.map(str::to_owned), size })
    }

    /// A drawing, cleaned like each that an output holds, with what was removed. `None` when the text holds none. It never
    /// becomes a file: whoever opened that would run what a defect of the cleaning left in it.
    pub fn of_drawing(raw: &UntrustedHtml) -> Option<(Self, Vec<Removed>)> {
        let image = svg::image(raw, "")?;
        let tag = image.html.as_str();
        let number = |name| attribute(tag, name).and_then(|(_, it)| it.parse().ok());
        let address = attribute(tag, "src").map(|(_, it)| it.to_owned())?;
        let size = number("width").zip(number("height"));
        Some((Self { address, name: None, size }, image.removed))
    }

    /// The element, with a text in place of the picture.
    pub fn html(&self, alternative: &str) -> SafeHtml {
        let other = SafeHtml::element("img", &[("alt", alternative)], SafeHtml::default());
        self.element(&other).unwrap_or_default()
    }

    /// The element, from one with the other attributes that a notebook wrote and that passed the gate.
    pub(super) fn element(&self, other: &SafeHtml) -> Option<SafeHtml> {
        let rest = other.as_str().strip_prefix("<img")?.strip_suffix('>')?;
        let has = |name: &str| attribute(other.as_str(), name).is_some();
        let mut out = format!("<img src=\"{}\"", self.address);
        if let Some(name) = &self.name {
            out.push_str(&format!("{MARK}{}\"", SafeHtml::text(name).as_str()));
        }
        out.push_str(rest);
        if !has("alt") {
            out.push_str(" alt=\"\"");
        }
        // The page does not jump when the picture comes.
        if let Some((width, height)) = self.size.filter(|_| !has("width") && !has("height")) {
            out.push_str(&format!(" width=\"{width}\" height=\"{height}\""));
        }
        out.push('>');
        Some(SafeHtml(out))
    }
}

impl SafeHtml {
    /// A player for sound or film of a file, as wide as the notebook says.
    pub fn player_of_file(
        kind: MediaKind,
        bytes: &[u8],
        name: &str,
        (width, height): (Option<u32>, Option<u32>),
    ) -> SafeHtml {
        let label = if kind.is_film() { "Video" } else { "Audio" };
        let player = Self::player(kind, bytes, label);
        let mut more = format!("{MARK}{}\"", Self::text(name).as_str());
        for (name, value) in [("width", width), ("height", height)] {
            if let Some(value) = value.filter(|_| kind.is_film()) {
                more.push_str(&format!(" {name}=\"{value}\""));
            }
        }
        Self(player.0.replacen(" src=\"", &format!("{more} src=\""), 1))
    }
}

/// A file in the markup of a page.
pub struct MarkedFile<'a> {
    /// Its name, as the notebook's author wrote it.
    pub name: String,
    /// Its MIME type.
    pub mime: &'a str,
    data: &'a str,
}

impl MarkedFile<'_> {
    /// Its bytes.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.data).ok()
    }
}

/// Takes the marks out. A file for which `place` gives a path relative to the page is led to; others stay in the page.
pub fn place_files(
    html: SafeHtml,
    mut place: impl FnMut(&MarkedFile<'_>) -> Option<String>,
) -> SafeHtml {
    if memchr::memmem::find(html.as_str().as_bytes(), MARK.as_bytes()).is_none() {
        return html;
    }
    let mut out = String::with_capacity(html.as_str().len());
    for piece in pieces(html.as_str()) {
        let (Piece::Tag(text) | Piece::Text(text)) = piece;
        let marked = match piece {
            Piece::Tag(tag)
                if ["<img ", "<audio ", "<video "].iter().any(|it| tag.starts_with(it)) =>
            {
                attribute(tag, "data-file").zip(attribute(tag, "src"))
            }
            Piece::Tag(_) | Piece::Text(_) => None,
        };
        let Some(((_, name), (_, address))) = marked else {
            out.push_str(text);
            continue;
        };
        let found = address.strip_prefix("data:").and_then(|it| it.split_once(";base64,"));
        let file = found.map(|(mime, data)| MarkedFile { name: token::decode(name), mime, data });
        let path = file.as_ref().and_then(&mut place);
        let path = path.filter(|it| !it.contains([':', '\\']) && !it.starts_with('/'));
        let without_mark = text.replacen(&format!("{MARK}{name}\""), "", 1);
        match path {
            Some(path) => {
                let path = SafeHtml::text(&path);
                out.push_str(&without_mark.replacen(address, path.as_str(), 1));
            }
            None => out.push_str(&without_mark),
        }
    }
    SafeHtml(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIXEL: &str = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAAIAP8=";

    fn picture(other: &str) -> SafeHtml {
        let found =
            SafePicture::of_pixels(PIXEL.to_owned(), Some("a \"b\".gif"), Some((3, 2))).unwrap();
        found.element(&SafeHtml(other.to_owned())).unwrap()
    }

    #[test]
    fn a_picture_keeps_what_the_author_wrote_beside_it() {
        let html = picture("<img alt=\"x\" width=\"200\" class=\"x-a\">");
        assert!(html.as_str().contains(" alt=\"x\" width=\"200\" class=\"x-a\">"), "{html:?}");
        let html = picture("<img>");
        assert!(html.as_str().ends_with(" alt=\"\" width=\"3\" height=\"2\">"), "{html:?}");
        assert_eq!(SafePicture::of_pixels("data:text/html;base64,AA".into(), None, None), None);
        assert_eq!(SafePicture::of_pixels("https://e.x/a.png".into(), None, None), None);
    }

    #[test]
    fn a_file_is_placed_or_stays_and_its_mark_goes() {
        let mut names = Vec::new();
        let html = place_files(picture("<img alt=\"x\">"), |file| {
            names.push((file.name.clone(), file.mime.to_owned(), file.bytes().unwrap().len()));
            Some("../assets/a.gif".to_owned())
        });
        assert_eq!(names, [("a \"b\".gif".to_owned(), "image/gif".to_owned(), 26)]);
        assert!(html.as_str().starts_with("<img src=\"../assets/a.gif\" alt=\"x\""), "{html:?}");
        for bad in ["https://e.x/a", "//e.x/a", "javascript:a", "\\a"] {
            let html = place_files(picture("<img>"), |_| Some(bad.to_owned()));
            assert!(html.as_str().starts_with(&format!("<img src=\"{PIXEL}\" alt")), "{html:?}");
        }
    }
}
