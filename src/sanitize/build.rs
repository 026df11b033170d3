//! Markup that nbc makes itself: the second way to [`SafeHtml`].
//!
//! In: names from nbc's source code (they are `&'static str`), values and text from anywhere.
//! Out: markup in which values can't leave their quotes and text can't become markup.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{SafeHtml, policy};
use crate::diagnostic::turns;
use crate::site::download_name;

/// Types of files that browsers save or show without running anything in them.
const PASSIVE_FILES: &[&str] = &[
    "application/json",
    "application/octet-stream",
    "application/pdf",
    "application/x-ipynb+json",
    "application/zip",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/csv",
    "text/plain",
    "text/x-python",
];

/// Sound and film that browsers play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// WAV.
    Wav,
    /// MP3.
    Mp3,
    /// Ogg with sound.
    Ogg,
    /// FLAC.
    Flac,
    /// MPEG-4 with sound only.
    M4a,
    /// MPEG-4.
    Mp4,
    /// WebM.
    WebM,
    /// WebM with sound only.
    WebMSound,
    /// Ogg with film.
    OggFilm,
}

impl MediaKind {
    /// Reads the kind from the first bytes; `is_film` tells apart what they leave open.
    pub fn of(bytes: &[u8], is_film: bool) -> Option<Self> {
        Some(match bytes {
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Self::Wav,
            [b'I', b'D', b'3', ..] | [0xff, 0xfb | 0xf3 | 0xf2 | 0xfa, ..] => Self::Mp3,
            [b'O', b'g', b'g', b'S', ..] if is_film => Self::OggFilm,
            [b'O', b'g', b'g', b'S', ..] => Self::Ogg,
            [b'f', b'L', b'a', b'C', ..] => Self::Flac,
            [_, _, _, _, b'f', b't', b'y', b'p', b'M', b'4', b'A', ..] => Self::M4a,
            [_, _, _, _, b'f', b't', b'y', b'p', ..] if is_film => Self::Mp4,
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => Self::M4a,
            [0x1a, 0x45, 0xdf, 0xa3, ..] if is_film => Self::WebM,
            [0x1a, 0x45, 0xdf, 0xa3, ..] => Self::WebMSound,
            _ => return None,
        })
    }

    /// Whether it has pictures.
    pub fn is_film(self) -> bool {
        matches!(self, Self::Mp4 | Self::WebM | Self::OggFilm)
    }

    fn mime(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::Mp3 => "audio/mpeg",
            Self::Ogg => "audio/ogg",
            Self::Flac => "audio/flac",
            Self::M4a => "audio/mp4",
            Self::Mp4 => "video/mp4",
            Self::WebM => "video/webm",
            Self::WebMSound => "audio/webm",
            Self::OggFilm => "video/ogg",
        }
    }
}

impl SafeHtml {
    /// An element. Names must be literals of nbc's; a name that could run code makes an empty
    /// piece. Values are escaped; addresses that are no link and no image data are left out.
    #[expect(clippy::needless_pass_by_value, reason = "pieces are built inside out and used once")]
    pub fn element(
        name: &'static str,
        attributes: &[(&'static str, &str)],
        children: SafeHtml,
    ) -> SafeHtml {
        let forbidden = ["script", "style", "iframe", "object", "embed", "base", "meta", "link"];
        if forbidden.contains(&name) {
            return SafeHtml::default();
        }
        let length = |it: &(&str, &str)| it.0.len() + it.1.len() + "=\"\" ".len();
        let attributes_length: usize = attributes.iter().map(length).sum();
        let mut out = String::with_capacity(
            2 * name.len() + attributes_length + children.as_str().len() + "<></>".len(),
        );
        out.push('<');
        out.push_str(name);
        for (attribute, value) in attributes {
            let is_handler = attribute.starts_with("on") || *attribute == "style";
            let is_address = matches!(*attribute, "href" | "src");
            // Text for people may start as it likes; nothing else of nbc's has a scheme.
            let is_text = matches!(
                *attribute,
                "alt" | "title" | "value" | "placeholder" | "class" | "id" | "for" | "role"
            ) || attribute.starts_with("aria-")
                || attribute.starts_with("data-");
            // Looked at once: an address may be megabytes.
            let is_picture = name == "img" && *attribute == "src";
            let picture = is_picture.then(|| policy::image_data(value)).flatten();
            if is_handler
                || is_address && picture.is_none() && !is_address_allowed(name, attribute, value)
                || !is_address && !is_text && policy::has_scheme(value)
            {
                continue;
            }
            out.push(' ');
            out.push_str(attribute);
            out.push_str("=\"");
            match picture {
                // Nothing in base64 needs an escape.
                Some((before, data)) => {
                    out.push_str(SafeHtml::text(before).as_str());
                    out.push_str(data);
                }
                None => out.push_str(SafeHtml::text(value).as_str()),
            }
            out.push('"');
        }
        out.push('>');
        if !policy::VOID.contains(&name) {
            out.push_str(children.as_str());
            out.push_str("</");
            out.push_str(name);
            out.push('>');
        }
        SafeHtml(out)
    }

    /// Text of a program: marks that turn the direction of writing are seen, and turn nothing (CVE-2021-42574).
    pub fn code(text: &str) -> SafeHtml {
        let text = Self::text(text);
        if text.0.contains(turns) { Self(marked(&text.0)) } else { text }
    }

    /// A player for sound or film, whose bytes are in the page.
    pub fn player(kind: MediaKind, bytes: &[u8], label: &str) -> SafeHtml {
        let name = if kind.is_film() { "video" } else { "audio" };
        let label = SafeHtml::text(label);
        let address = format!("data:{};base64,{}", kind.mime(), STANDARD.encode(bytes));
        SafeHtml(format!(
            "<{name} controls=\"\" preload=\"metadata\" aria-label=\"{}\" src=\"{address}\"></{name}>",
            label.as_str()
        ))
    }

    /// A link that saves a file, whose bytes are in the page. A type that a browser would open as
    /// a document is stated as plain bytes.
    pub fn download(file_name: &str, mime: &str, bytes: &[u8], label: &SafeHtml) -> SafeHtml {
        let known = PASSIVE_FILES.iter().find(|it| it.eq_ignore_ascii_case(mime));
        let mime = known.copied().unwrap_or("application/octet-stream");
        let name = file_name.rsplit(['/', '\\']).next().unwrap_or("");
        // Characters that turn a name around could hide what its end is.
        let is_plain = |it: &char| {
            !it.is_control()
                && !"<>:\"|?*".contains(*it)
                && !matches!(it, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        };
        let name: String = name.chars().filter(is_plain).take(120).collect();
        let name = match name.trim().trim_start_matches('.') {
            "" => "download",
            name => name,
        };
        let name = download_name(name);
        let data = STANDARD.encode(bytes);
        SafeHtml(format!(
            "<a class=\"nbc-download\" download=\"{}\" href=\"data:{mime};base64,{data}\">{}</a>",
            SafeHtml::text(&name).as_str(),
            label.as_str()
        ))
    }

    /// A `div` with a class.
    pub fn div(class: &str, children: SafeHtml) -> SafeHtml {
        Self::element("div", &[("class", class)], children)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Escaped text in which each mark that turns the direction of writing stands alone in an element that isolates it.
/// The page's stylesheet writes the mark's number there, which is not text: whoever copies the code gets the code.
pub(super) fn marked(escaped: &str) -> String {
    let mut out = String::with_capacity(escaped.len() + 64);
    for piece in escaped.split_inclusive(turns) {
        let mark = piece.chars().next_back().filter(|it| turns(*it));
        let text = mark.and_then(|it| piece.strip_suffix(it)).unwrap_or(piece);
        out.push_str(text);
        if let Some(mark) = mark {
            let class = format!("x-turns x-turns-{:04x}", u32::from(mark));
            out.push_str(&format!("<bdi class=\"{class}\">{mark}</bdi>"));
        }
    }
    out
}

fn is_address_allowed(name: &str, attribute: &str, value: &str) -> bool {
    policy::value(name, attribute, value).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_of_a_program_gets_another_name() {
        for (name, saved) in [
            ("a.exe", "a.exe.bin"),
            ("b.LNK. ", "b.LNK.bin"),
            ("c.csv", "c.csv"),
            ("d.html", "d.html.bin"),
        ] {
            let link = SafeHtml::download(name, "text/plain", b"", &SafeHtml::text("x"));
            assert!(link.as_str().contains(&format!("download=\"{saved}\"")), "{link:?}");
        }
    }
}
