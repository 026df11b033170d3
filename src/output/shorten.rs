//! How much of a cell's outputs a page shows: the beginning and the end of what is long, and a note.
//!
//! In: raw outputs, before anything is parsed. Out: shorter ones, and what to say of them. The full size
//! goes to the build log.

use std::borrow::Cow;

use serde_json::Value;

use super::image;
use super::notes::Notes;
use crate::config::DEFAULT_ROWS;
use crate::run::record::MimeBundle;

/// How much of a cell's outputs is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// Bytes of printed text and texts of values.
    pub text: usize,
    /// Lines of them.
    pub lines: usize,
    /// Rows of a table, and of all tables in markup together.
    pub rows: usize,
    /// Bytes of markup.
    pub markup: usize,
    /// Pixels of pictures.
    pub pixels: u64,
    /// Bytes of pictures.
    pub pictures: usize,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            text: 1 << 20,
            lines: 10_000,
            rows: DEFAULT_ROWS,
            markup: 16 << 20,
            pixels: 150_000_000,
            pictures: 32 << 20,
        }
    }
}

/// The two ends of a text, and the note between them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ShortenedText<'a> {
    pub(super) head: &'a str,
    pub(super) note: String,
    pub(super) tail: &'a str,
}

/// Shortens a text to what is left for the cell; `None` when it fits.
pub(super) fn text<'a>(
    text: &'a str,
    left: &mut Shown,
    notes: &Notes,
) -> Option<ShortenedText<'a>> {
    let breaks = || memchr::memchr_iter(b'\n', text.as_bytes());
    let lines = breaks().count() + usize::from(!text.ends_with('\n'));
    if text.len() <= left.text && lines <= left.lines {
        left.text -= text.len();
        left.lines -= lines;
        return None;
    }
    // The end is what readers of a log look for, the beginning what readers of a value do.
    let (bytes, half) = (left.text / 2, left.lines / 2);
    let mut head = floor(text, bytes.min(text.len()));
    if let Some(at) = breaks().nth(half.saturating_sub(1)).filter(|it| *it < head) {
        head = at + 1;
    } else if let Some(at) = memchr::memrchr(b'\n', text.get(..head).unwrap_or("").as_bytes()) {
        head = at + 1;
    }
    let mut tail = ceil(text, text.len().saturating_sub(bytes)).max(head);
    let end = text.strip_suffix('\n').unwrap_or(text).as_bytes();
    let earliest =
        memchr::memrchr_iter(b'\n', end).nth(half.saturating_sub(1)).map_or(0, |it| it + 1);
    if earliest > tail {
        tail = earliest;
    } else if let Some(at) = memchr::memchr(b'\n', text.get(tail..).unwrap_or("").as_bytes()) {
        tail += at + 1;
    }
    if half == 0 {
        (head, tail) = (0, text.len());
    }
    (left.text, left.lines) = (0, 0);
    let hidden = text.get(head..tail).unwrap_or_default();
    let hidden_lines = memchr::memchr_iter(b'\n', hidden.as_bytes()).count().max(1);
    let counted = if hidden_lines == 1 {
        "1 line".to_owned()
    } else {
        format!("{} lines", number(hidden_lines))
    };
    let note = format!("… {counted} ({}) not shown …", size(hidden.len()));
    notes.shortened(format!("a text of {} lines, {}", number(lines), size(text.len())));
    let (head, tail) = (text.get(..head).unwrap_or(""), text.get(tail..).unwrap_or(""));
    Some(ShortenedText { head, note, tail })
}

/// Shortens the shown types of a bundle; the page prints the notes below it.
pub(super) fn bundle<'a>(
    bundle: &'a MimeBundle,
    left: &mut Shown,
    notes: &Notes,
) -> (Cow<'a, MimeBundle>, Vec<String>) {
    let mut shorter = Cow::Borrowed(bundle);
    let mut said = Vec::new();
    let is_alone = bundle.data.len() == 1;
    for (mime, value) in &bundle.data {
        let name = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let Some(long) = as_text(value) else { continue };
        match name.as_str() {
            "text/plain" => {
                // Next to a richer representation, it is rarely shown.
                let (mut copy, quiet) = (*left, Notes::default());
                let (left, notes) =
                    if is_alone { (&mut *left, notes) } else { (&mut copy, &quiet) };
                if let Some(ends) = text(&long, left, notes) {
                    let whole = format!("{}{}\n{}", ends.head, ends.note, ends.tail);
                    shorter.to_mut().data.insert(mime.clone(), Value::String(whole));
                }
            }
            "text/html" => match markup(&long, left, notes) {
                Shorter::Same => {}
                Shorter::Rows(rest, note) => {
                    said.push(note);
                    shorter.to_mut().data.insert(mime.clone(), Value::String(rest));
                }
                Shorter::Gone(note) => {
                    said.push(note);
                    shorter.to_mut().data.remove(mime);
                }
            },
            "image/png" | "image/jpeg" | "image/gif" | "image/webp" => {
                if let Some(note) = picture(&long, left, notes) {
                    said.push(note);
                    shorter.to_mut().data.remove(mime);
                }
            }
            _ => {}
        }
    }
    (shorter, said)
}

/// Markup within the bounds of a page.
enum Shorter {
    Same,
    /// Its first rows, and the note below them.
    Rows(String, String),
    /// Only a note.
    Gone(String),
}

fn markup(long: &str, left: &mut Shown, notes: &Notes) -> Shorter {
    if long.len() > left.markup {
        notes.shortened(format!("markup of {}", size(long.len())));
        return Shorter::Gone(format!("Markup of {} is not shown.", size(long.len())));
    }
    left.markup -= long.len();
    let Some((rest, rows)) = rows(long, left.rows) else {
        left.rows -= starts_of_rows(long).count().min(left.rows);
        return Shorter::Same;
    };
    let shown = number(left.rows);
    notes.shortened(format!("tables of {} rows", number(rows)));
    left.rows = 0;
    Shorter::Rows(rest, format!("The first {shown} of {} rows are shown.", number(rows)))
}

/// The note in place of a picture that is too large.
fn picture(long: &str, left: &mut Shown, notes: &Notes) -> Option<String> {
    let bytes = long.len() / 4 * 3;
    let pixels = image::dimensions(long);
    let area = pixels.map_or(0, |(width, height)| u64::from(width) * u64::from(height));
    if bytes <= left.pictures && area <= left.pixels {
        left.pictures -= bytes;
        left.pixels -= area;
        return None;
    }
    let extent = pixels.map(|(width, height)| {
        format!("{} × {} pixels, ", number(width as usize), number(height as usize))
    });
    let what = format!("{}{}", extent.unwrap_or_default(), size(bytes));
    notes.shortened(format!("a picture ({what})"));
    Some(format!("A picture ({what}) is not shown."))
}

fn as_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Array(lines) => Some(lines.iter().filter_map(Value::as_str).collect()),
        _ => None,
    }
}

fn starts_of_rows(html: &str) -> impl Iterator<Item = usize> {
    let bytes = html.as_bytes();
    memchr::memchr_iter(b'<', bytes).filter(move |at| {
        bytes.get(at + 1..at + 4).is_some_and(|it| {
            it.get(..2).is_some_and(|it| it.eq_ignore_ascii_case(b"tr"))
                && it.get(2).is_some_and(|it| !it.is_ascii_alphanumeric() && *it != b'-')
        })
    })
}

/// Markup without the rows that are too many, and how many there were. The sanitizer closes what is open.
fn rows(html: &str, most: usize) -> Option<(String, usize)> {
    let mut starts = starts_of_rows(html);
    let cut = starts.nth(most)?;
    let number = most + 1 + starts.count();
    let end = html.rfind("</tbody").or_else(|| html.rfind("</table")).filter(|it| *it > cut);
    let tail = end.and_then(|it| html.get(it..)).unwrap_or_default();
    Some((format!("{}{tail}", html.get(..cut)?), number))
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn ceil(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

/// `12,345`.
pub(super) fn number(value: usize) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `3.2 MiB`.
fn size(bytes: usize) -> String {
    let value = bytes as f64;
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{:.1} KiB", value / 1024.0),
        _ => format!("{:.1} MiB", value / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn of(data: &[(&str, String)]) -> MimeBundle {
        let data = data.iter().map(|(mime, text)| ((*mime).to_owned(), text.clone().into()));
        MimeBundle { data: data.collect::<BTreeMap<_, _>>(), metadata: serde_json::Map::new() }
    }

    #[test]
    fn a_long_text_keeps_its_two_ends() {
        let notes = Notes::default();
        let lines: String = (1..=100).map(|it| format!("line {it}\n")).collect();
        let mut left = Shown { lines: 10, ..Shown::default() };
        let ends = text(&lines, &mut left, &notes).unwrap();
        assert!(ends.head.ends_with("line 5\n") && ends.tail.starts_with("line 96\n"), "{ends:?}");
        assert_eq!(ends.note, "… 90 lines (716 bytes) not shown …");
        // Nothing is left for the next output of the cell.
        let ends = text("a\nb\n", &mut left, &notes).unwrap();
        assert_eq!((ends.head, ends.tail), ("", ""));
        let mut left = Shown { text: 40, ..Shown::default() };
        let ends = text(&lines, &mut left, &notes).unwrap();
        assert_eq!((ends.head, ends.tail), ("line 1\nline 2\n", "line 99\nline 100\n"));
        let one = "é".repeat(100);
        let mut left = Shown { text: 41, ..Shown::default() };
        let ends = text(&one, &mut left, &notes).unwrap();
        assert_eq!((ends.head.len(), ends.tail.len()), (20, 20));
        assert_eq!(text("short", &mut Shown::default(), &notes), None);
    }

    #[test]
    fn rows_over_the_bound_go_and_the_table_is_closed() {
        let table = format!("<table><tbody>{}</tbody></table>end", "<tr><td>1</td></tr>".repeat(9));
        let given = of(&[("text/html", table)]);
        let mut left = Shown { rows: 2, ..Shown::default() };
        let (shorter, said) = bundle(&given, &mut left, &Notes::default());
        let expected = "<table><tbody><tr><td>1</td></tr><tr><td>1</td></tr></tbody></table>end";
        assert_eq!(shorter.data.get("text/html"), Some(&expected.into()));
        assert_eq!(said, ["The first 2 of 9 rows are shown."]);
    }

    #[test]
    fn a_picture_that_would_fill_the_memory_becomes_a_note() {
        use base64::Engine as _;
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend(100_000_u32.to_be_bytes());
        bytes.extend(100_000_u32.to_be_bytes());
        let png = base64::engine::general_purpose::STANDARD.encode(bytes);
        let given = of(&[("image/png", png), ("text/plain", "<Figure>".to_owned())]);
        let (shorter, said) = bundle(&given, &mut Shown::default(), &Notes::default());
        assert!(!shorter.data.contains_key("image/png"));
        assert_eq!(said, ["A picture (100,000 × 100,000 pixels, 24 bytes) is not shown."]);
    }
}
