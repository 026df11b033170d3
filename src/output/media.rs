//! Sound, film and files: bytes in the page, played or saved by the browser itself.
//!
//! In: base64 text that claims to be something. Out: `<audio>`, `<video>` or a link that saves a
//! file. What can be played is read from the bytes; a file's type is never one that runs.

use super::image::decode;
use super::note;
use super::notes::Notes;
use crate::metadata;
use crate::sanitize::{MediaKind, SafeHtml};

/// A player for `data:…;base64,…` or bare base64.
pub(super) fn player(text: &str, is_film: bool, notes: &Notes) -> SafeHtml {
    let what = if is_film { "video" } else { "audio" };
    let Some(bytes) = decode(text) else { return elsewhere(text, what, notes) };
    match MediaKind::of(&bytes, is_film) {
        Some(kind) => {
            let Ok(bytes) = metadata::strip(&bytes) else { return stuck(what, notes) };
            let label = if kind.is_film() { "Video" } else { "Audio" };
            SafeHtml::player(kind, &bytes, label)
        }
        None => {
            notes.invalid(format!(
                "an output is called {what}, but is of no kind that browsers play"
            ));
            note(&format!("Here the notebook plays {what} of a kind that can't be shown."))
        }
    }
}

/// A link that saves a PDF, or `None` when it is none.
pub(super) fn pdf(text: &str, notes: &Notes) -> Option<SafeHtml> {
    let bytes = decode(text).filter(|it| it.starts_with(b"%PDF-"))?;
    Some(file("document.pdf", "application/pdf", &bytes, SafeHtml::text("PDF document"), notes))
}

/// A box for a file that could tell more than its author knows.
fn stuck(what: &str, notes: &Notes) -> SafeHtml {
    notes.invalid(format!("{what} {}", metadata::STUCK));
    note("Here the notebook shows a file whose metadata can't be removed.")
}

/// A link that saves a file, with its size.
pub(super) fn file(
    name: &str,
    mime: &str,
    bytes: &[u8],
    label: SafeHtml,
    notes: &Notes,
) -> SafeHtml {
    let Ok(bytes) = metadata::strip(bytes) else { return stuck("a file", notes) };
    let size = SafeHtml::element(
        "span",
        &[("class", "nbc-download-size")],
        SafeHtml::text(&format!(" {}", size(bytes.len()))),
    );
    SafeHtml::download(name, mime, &bytes, &SafeHtml::concat([label, size]))
}

/// A box for something at an address, which pages don't load by themselves.
pub(super) fn elsewhere(address: &str, what: &str, notes: &Notes) -> SafeHtml {
    notes.unsupported(format!("{what} at another address"));
    let text = format!("Here the notebook shows {what} from elsewhere");
    let lower = address.trim().to_ascii_lowercase();
    if !lower.starts_with("https://") && !lower.starts_with("http://") {
        return note(&format!("{text}, which is not part of this page."));
    }
    let attributes = [("href", address.trim()), ("rel", "noopener noreferrer nofollow")];
    let host: String = address.split('/').nth(2).unwrap_or("").chars().take(80).collect();
    let link = SafeHtml::element("a", &attributes, SafeHtml::text(&host));
    let attributes = [("class", "nbc-note"), ("role", "note")];
    let pieces = [SafeHtml::text(&format!("{text}: ")), link];
    SafeHtml::element("p", &attributes, SafeHtml::concat(pieces))
}

fn size(bytes: usize) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_played_is_read_from_the_bytes() {
        let notes = Notes::default();
        // "RIFF....WAVEfmt "
        let wav = player("data:audio/x-anything;base64,UklGRgAAAABXQVZFZm10IA==", false, &notes);
        assert!(
            wav.as_str().starts_with("<audio controls=\"\" preload=\"metadata\" aria-label=\"Audio\" src=\"data:audio/wav;base64,UklGR"),
            "{}",
            wav.as_str()
        );
        let page = player("data:video/mp4;base64,PGh0bWw+", true, &notes);
        assert!(page.as_str().contains("nbc-note"), "{}", page.as_str());
        let remote = player("https://example.org/a.mp3\"onplay=x", false, &notes);
        assert!(remote.as_str().contains("href=\"https://example.org/a.mp3&quot;onplay=x\""));
    }

    #[test]
    fn a_file_is_never_of_a_type_that_runs() {
        for mime in ["text/html", "image/svg+xml", "text/javascript", "application/xhtml+xml", "x"]
        {
            let html = file(
                "../a\u{202e}\"<b>.html",
                mime,
                b"<script>",
                SafeHtml::text("Get"),
                &Notes::default(),
            );
            let html = html.as_str();
            assert!(html.contains("href=\"data:application/octet-stream;base64,PHNjcmlwdD4=\""));
            assert!(html.contains("download=\"ab.html.bin\""), "{html}");
        }
        let html = file("", "Text/CSV", b"a", SafeHtml::default(), &Notes::default());
        assert!(html.as_str().contains("download=\"download\" href=\"data:text/csv;base64,YQ==\""));
    }

    #[test]
    fn a_pdf_is_one_by_its_bytes() {
        assert!(pdf("JVBERi0xLjQ=", &Notes::default()).is_some());
        assert!(pdf("PHNjcmlwdD4=", &Notes::default()).is_none());
    }
}
