//! SVG files, as images.
//!
//! In: the text of an SVG file. Out: `<img>` with a `data:` address: an image has no script, no
//! links and no ids that could meet others, and keeps its own styles.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::html::{Gate, NoCustomElements};
use super::{Removed, SafeHtml, UntrustedHtml, scan};

/// An SVG image.
#[derive(Debug)]
pub struct SvgImage {
    /// The `<img>` element.
    pub html: SafeHtml,
    /// Removed parts, sorted.
    pub removed: Vec<Removed>,
}

/// Makes an image of an SVG file; `None` when it holds no `svg` element.
pub fn image(raw: &UntrustedHtml, alternative: &str) -> Option<SvgImage> {
    let mut gate = Gate::new("svg");
    let scope = format!(".{} ", gate.scope_class());
    let html = gate.fragment(raw, &NoCustomElements);
    let result = gate.finish(html);
    let text = result.html.as_str();
    if !text.contains("<svg")
        && let Some((_, note)) = text.split_once("<span class=\"nbc-note\"")
        && let Some((note, _)) = note.split_once("</span>")
    {
        // Too large, or too complex.
        let html = SafeHtml(format!("<span class=\"nbc-note\"{note}</span>"));
        return Some(SvgImage { html, removed: result.removed });
    }
    let start = text.find("<svg")?;
    let end = text.rfind("</svg>")? + "</svg>".len();
    let (root, content) = text.get(start..end)?.split_once('>')?;
    // In a file of its own the rules need no scope. `<` and `&` would end the style element or be
    // no XML.
    let css = result.css.as_str().replace(&scope, "").replace('&', "&amp;").replace('<', "&lt;");
    let style = if css.is_empty() { String::new() } else { format!("<style>{css}</style>") };
    let names = "xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\"";
    let rest = root.strip_prefix("<svg").unwrap_or("");
    // XML knows no `&nbsp;`, which is how HTML writes U+00A0.
    let document = format!("<svg {names}{rest}>{style}{content}").replace("&nbsp;", "&#160;");
    let address = format!("data:image/svg+xml;base64,{}", STANDARD.encode(document));
    let (width, height) = scan::size(root);
    let html = image_element(&address, alternative, width, height);
    Some(SvgImage { html, removed: result.removed })
}

fn image_element(
    address: &str,
    alternative: &str,
    width: Option<u32>,
    height: Option<u32>,
) -> SafeHtml {
    let mut out =
        format!("<img src=\"{address}\" alt=\"{}\"", SafeHtml::text(alternative).as_str());
    for (name, value) in [("width", width), ("height", height)] {
        if let Some(value) = value {
            out.push_str(&format!(" {name}=\"{value}\""));
        }
    }
    out.push('>');
    SafeHtml(out)
}
