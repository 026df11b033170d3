//! Files that are not the notebook that their name promises: conflicts of git, pointers of Git LFS, pages of HTML.
//!
//! In: the text of a file. Out: one finding that names the cause, in the place of those that it would have.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{SourceId, Span};

/// The first line of a file whose content Git LFS keeps elsewhere.
const POINTER: &str = "version https://git-lfs.github.com/spec/";

/// The finding about a damaged file; an error where nothing else can be said about it.
pub(super) fn finding(source: SourceId, extension: &str, text: &str) -> Option<Diagnostic> {
    let error = |message: &str, help: &str| {
        let span = Span::new(source, 0, 0);
        Some(Diagnostic::error(Code::DamagedFile, span, message).with_help(help))
    };
    let start = text.trim_start_matches(|c: char| c == '\u{feff}' || c.is_whitespace());
    if start.starts_with(POINTER) {
        let message = "the file is a pointer of Git LFS: the notebook itself is not here";
        return error(message, "get it with `git lfs pull`");
    }
    let begins =
        |word: &str| start.get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word));
    if extension == "ipynb" && (begins("<!doctype html") || begins("<html")) {
        let message = "the file is a page of HTML that was saved as a notebook";
        return error(message, "download the notebook itself, and not the page that shows it");
    }
    let is_json = start.starts_with('{');
    let (at, line) = conflict(text, is_json)?;
    let span = Span::new(source, at as u32, (at + line) as u32);
    let message = "the file holds a merge conflict of git";
    let found = match is_json {
        true => Diagnostic::error(Code::DamagedFile, span, message),
        false => Diagnostic::warning(Code::DamagedFile, span, message),
    };
    Some(found.with_help("resolve the conflict, for example with `nbdime`, and save the notebook"))
}

/// Place and length of the first line of a conflict. A line of JSON may be indented.
fn conflict(text: &str, is_json: bool) -> Option<(usize, usize)> {
    const SIGNS: [&str; 3] = ["<<<<<<< ", "=======", ">>>>>>> "];
    if !SIGNS.iter().all(|it| text.contains(it)) {
        return None;
    }
    let (mut start, mut first, mut next) = (0, None, SIGNS.iter());
    let mut sign = next.next()?;
    for line in text.split_inclusive('\n') {
        let own = if is_json { line.trim_start() } else { line };
        if own.starts_with(sign) {
            let shown = line.trim_end().len();
            first = first.or(Some((start, shown)));
            match next.next() {
                Some(it) => sign = it,
                None => return first,
            }
        }
        start += line.len();
    }
    None
}
