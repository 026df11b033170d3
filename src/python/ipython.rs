//! IPython's own syntax, turned into Python as IPython turns it: `%magic`, `!command`, `help?`,
//! pasted prompts, and the indentation that all lines of a cell share.
//!
//! In: the text of a cell. Out: [`Plain`] Python, and the way back from its offsets.
//!
//! A command ends where its line ends, unless a backslash continues it: brackets and quotes mean
//! nothing in it, so `%timeit f(` with the rest on the next line is an error, as it is in IPython.

use std::borrow::Cow;
use std::ops::Range;

/// Python in place of a cell.
#[derive(Debug)]
pub(super) struct Plain<'a> {
    /// The text.
    pub text: Cow<'a, str>,
    /// Whether a magic may have defined names that nbc cannot see.
    pub is_opaque: bool,
    /// Ranges of the commands in the cell, in order.
    pub commands: Vec<Range<u32>>,
    /// Ascending; empty when the text is the cell.
    pieces: Vec<Piece>,
}

/// Magics that define no names.
const HARMLESS_MAGICS: &[&str] = &[
    "autoreload",
    "cd",
    "conda",
    "config",
    "env",
    "load_ext",
    "ls",
    "matplotlib",
    "pip",
    "pwd",
    "reload_ext",
    "timeit",
    "who",
    "whos",
];

/// Replacement of a command: a statement and an expression without names.
const NOTHING: &str = "0";

impl Plain<'_> {
    /// Maps a range of the text to the cell.
    pub fn locate(&self, range: &Range<u32>) -> Range<u32> {
        if self.pieces.is_empty() {
            return range.clone();
        }
        let piece = |after: usize| self.pieces.get(after.saturating_sub(1));
        let start = piece(self.pieces.partition_point(|it| it.start <= range.start));
        let start =
            start.map_or(0, |it| if it.is_made { it.cell.start } else { it.at(range.start) });
        let end = piece(self.pieces.partition_point(|it| it.start < range.end));
        let end = end.map_or(0, |it| if it.is_made { it.cell.end } else { it.at(range.end) });
        start..end.max(start)
    }
}

/// A run of the text.
#[derive(Debug)]
struct Piece {
    /// Offset of its start in the text.
    start: u32,
    /// The range in the cell that it replaces.
    cell: Range<u32>,
    /// Whether its text differs from the cell's, so that it maps only as a whole.
    is_made: bool,
}

impl Piece {
    fn at(&self, offset: u32) -> u32 {
        (self.cell.start + offset.saturating_sub(self.start)).min(self.cell.end)
    }
}

/// Turns a cell into Python; most are Python already.
pub(super) fn plain(cell: &str) -> Plain<'_> {
    if !has_own_syntax(cell) {
        let (commands, pieces) = (Vec::new(), Vec::new());
        return Plain { text: Cow::Borrowed(cell), is_opaque: false, commands, pieces };
    }
    let mut built = Built::default();
    let lines = unprompted(unindented(lines(cell)));
    commands(cell, &lines, &mut built);
    let Built { text, is_opaque, commands, pieces } = built;
    Plain { text: Cow::Owned(text), is_opaque, commands, pieces }
}

/// Whether any line may be other than Python; says yes too often rather than too seldom.
fn has_own_syntax(cell: &str) -> bool {
    cell.starts_with([' ', '\t', '\n', '\r'])
        || cell.split(['\n', '\r']).any(|line| {
            let text = line.trim();
            text.starts_with(['%', '!', '?', ',', ';', '/', '>', 'I', '[', '.'])
                || text.ends_with('?')
                || text.split('=').skip(1).any(|it| it.trim_start().starts_with(['%', '!']))
        })
}

/// Lines with their breaks, as ranges of the cell.
fn lines(cell: &str) -> Vec<(&str, u32)> {
    let mut found = Vec::new();
    let mut start = 0;
    while let Some(rest) = cell.get(start..).filter(|it| !it.is_empty()) {
        let length = match rest.find(['\n', '\r']) {
            Some(at) if rest.get(at..).is_some_and(|it| it.starts_with("\r\n")) => at + 2,
            Some(at) => at + 1,
            None => rest.len(),
        };
        found.push((rest.get(..length).unwrap_or_default(), start as u32));
        start += length;
    }
    found
}

fn without(line: (&str, u32), length: usize) -> (&str, u32) {
    (line.0.get(length..).unwrap_or_default(), line.1 + length as u32)
}

fn margin(line: &str) -> &str {
    line.get(..line.len() - line.trim_start_matches([' ', '\t']).len()).unwrap_or_default()
}

/// Removes the white space that all lines start with.
fn unindented(mut lines: Vec<(&str, u32)>) -> Vec<(&str, u32)> {
    let mut shared: Option<&str> = None;
    for (line, _) in lines.iter().filter(|(line, _)| !line.trim().is_empty()) {
        let own = margin(line);
        let all = shared.unwrap_or(own);
        let length = all.bytes().zip(own.bytes()).take_while(|(a, b)| a == b).count();
        shared = all.get(..length);
    }
    let length = shared.map_or(0, str::len);
    for line in &mut lines {
        let own = if line.0.trim().is_empty() { margin(line.0).len() } else { length };
        *line = without(*line, own);
    }
    lines
}

/// Removes the prompts of a pasted session.
fn unprompted(mut lines: Vec<(&str, u32)>) -> Vec<(&str, u32)> {
    let python = |line: &str, marks: &[&str]| {
        let text = line.trim_start();
        let mark = marks.iter().find(|it| text.starts_with(**it))?;
        let after = line.len() - text.len() + mark.len();
        let space = line.get(after..).is_some_and(|it| it.starts_with([' ', '\t']));
        Some(after + usize::from(space))
    };
    let has_python = lines.iter().any(|it| python(it.0, &[">>>"]).is_some());
    if has_python {
        let mut open = Open::default();
        let mut is_text = false;
        for line in &mut lines {
            let prompt = python(line.0, &[">>>", "..."]).filter(|_| !is_text);
            *line = without(*line, prompt.unwrap_or(0));
            scan(line.0, &mut open);
            // A prompt in a string that was opened without one is text.
            is_text = open.string.is_some() && (is_text || prompt.is_none());
        }
        lines = unindented(lines);
    }
    let ipython = |line: &str| {
        let text = line.strip_prefix("[nav] ").or_else(|| line.strip_prefix("[ins] "));
        let text = text.or_else(|| line.strip_prefix(' ')).unwrap_or(line);
        if let Some(rest) = text.strip_prefix("In [") {
            let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            let code = after.strip_prefix("]: ").filter(|_| after.len() < rest.len())?;
            return Some(line.len() - code.len());
        }
        let text = line.trim_start();
        let code = text.trim_start_matches('.').strip_prefix(':')?;
        let code = code.strip_prefix(' ').unwrap_or(code);
        text.starts_with("...").then(|| line.len() - code.len())
    };
    if lines.iter().take(2).any(|it| ipython(it.0).is_some()) {
        for line in &mut lines {
            if let Some(length) = ipython(line.0) {
                *line = without(*line, length);
            }
        }
    }
    lines
}

#[derive(Debug, Default)]
struct Built {
    text: String,
    is_opaque: bool,
    commands: Vec<Range<u32>>,
    pieces: Vec<Piece>,
}

impl Built {
    fn push(&mut self, text: &str, cell: Range<u32>, is_made: bool) {
        self.pieces.push(Piece { start: self.text.len() as u32, cell, is_made });
        self.text.push_str(text);
    }

    fn keep(&mut self, (line, start): (&str, u32)) {
        self.push(line, start..start + line.len() as u32, false);
    }
}

/// Open brackets and strings, which continue a logical line.
#[derive(Debug, Default)]
struct Open {
    brackets: u32,
    /// Three quotes.
    string: Option<&'static str>,
}

/// Properties of a line that decide whether it is a command.
#[derive(Debug, Default)]
struct Found {
    /// One past the first `=` outside of brackets.
    assigned: Option<usize>,
    /// Whether the logical line continues.
    goes_on: bool,
    /// Whether a comment or a string is the last thing.
    ends_with_text: bool,
}

/// Replaces a logical line that asks for help, `x?`, of which all lines but the last were kept.
fn help(
    cell: &str,
    lines: &[(&str, u32)],
    (first, end): (usize, usize),
    (head, from): (&str, u32),
    built: &mut Built,
) {
    let indent = margin(head).len();
    let from = from + indent as u32;
    // The lines before were kept as they are.
    while built.pieces.last().is_some_and(|it| it.cell.start >= from - indent as u32)
        && let Some(piece) = built.pieces.pop()
    {
        built.text.truncate(piece.start as usize);
    }
    built.keep((margin(head), from - indent as u32));
    replace(cell, lines, (first, end), indent, NOTHING, built);
}

/// Replaces commands in lines of Python.
fn commands(cell: &str, lines: &[(&str, u32)], built: &mut Built) {
    let mut open = Open::default();
    let mut at = 0;
    // The first line of the logical line, and whether its first `=` has been seen.
    let mut first = 0;
    let mut is_assigned = false;
    let mut value_follows = false;
    while let Some(&(line, start)) = lines.get(at) {
        let is_start = at == first;
        let indent = margin(line).len();
        let code = line.get(indent..).unwrap_or_default();
        if is_start && code.starts_with(['%', '!', '?', ',', ';', '/']) {
            at = command(cell, lines, at, indent, built);
            first = at;
            (is_assigned, value_follows) = (false, false);
            continue;
        }
        let found = scan(line, &mut open);
        let assigned = found.assigned.filter(|_| !is_assigned);
        let before = if value_follows { Some(0) } else { assigned };
        value_follows = before.and_then(|it| line.get(it..)).is_some_and(|it| {
            it.trim_start().strip_prefix('\\').is_some_and(|it| it.trim().is_empty())
        });
        let value = before.and_then(|it| {
            let rest = line.get(it..)?;
            let value = rest.trim_start_matches([' ', '\t']);
            Some((line.len() - value.len(), value)).filter(|(_, value)| is_command(value))
        });
        is_assigned |= found.assigned.is_some();
        if let Some((column, _)) = value.filter(|_| !line.trim_start().starts_with('=')) {
            // Nothing of the command was code.
            open = Open::default();
            built.keep((line.get(..column).unwrap_or_default(), start));
            let next = end_of_command(lines, at);
            replace(cell, lines, (at, next), column, NOTHING, built);
            at = next;
            first = at;
            (is_assigned, value_follows) = (false, false);
            continue;
        }
        at += 1;
        if found.goes_on && lines.get(at).is_some() {
            built.keep((line, start));
            continue;
        }
        let asks = !found.ends_with_text && asks_for_help(line.trim_end_matches(['\n', '\r']));
        if asks && let Some(&(head, from)) = lines.get(first) {
            help(cell, lines, (first, at), (head, from), built);
        } else {
            built.keep((line, start));
        }
        first = at;
        (is_assigned, value_follows) = (false, false);
    }
}

/// Whether the value of an assignment is a command.
fn is_command(value: &str) -> bool {
    let is_name = |it: &str| {
        it.trim_start_matches([' ', '\t']).starts_with(|c: char| c.is_alphabetic() || c == '_')
    };
    value.strip_prefix('%').is_some_and(is_name)
        || value.strip_prefix('!').is_some_and(|it| !it.starts_with('='))
}

/// One past the last line of a command: a backslash continues it.
fn end_of_command(lines: &[(&str, u32)], from: usize) -> usize {
    let rest = lines.get(from..).unwrap_or_default();
    let more = rest.iter().take_while(|(line, _)| line.ends_with("\\\n")).count();
    (from + more + 1).min(lines.len())
}

/// Puts Python in place of what stands from a column of the first line to the last line's break.
fn replace(
    cell: &str,
    lines: &[(&str, u32)],
    (from, to): (usize, usize),
    column: usize,
    python: &str,
    built: &mut Built,
) {
    let Some(&(_, start)) = lines.get(from) else { return };
    let end = lines.get(to.saturating_sub(1)).map_or(start, |(line, at)| at + line.len() as u32);
    let start = start + column as u32;
    let text = cell.get(start as usize..end as usize).unwrap_or_default();
    let stop = start + text.trim_end().len() as u32;
    built.commands.push(start..stop);
    built.push(python, start..stop, true);
    built.push("\n", stop..end, true);
}

/// A line that is a command; returns the line after it.
fn command(
    cell: &str,
    lines: &[(&str, u32)],
    at: usize,
    indent: usize,
    built: &mut Built,
) -> usize {
    let next = end_of_command(lines, at);
    let Some(&(line, start)) = lines.get(at) else { return next };
    built.keep((margin(line), start));
    let mut content = String::new();
    for (index, (line, _)) in lines.iter().enumerate().take(next).skip(at) {
        let text = if index == at { line.get(indent..).unwrap_or_default() } else { line };
        let text = text.trim_end();
        content.push_str(if index + 1 < next { text.trim_end_matches('\\') } else { text });
        content.push(' ');
    }
    let content = content.trim_end();
    let rest = content.get(1..).unwrap_or_default();
    let (name, arguments) = rest.split_once(' ').unwrap_or((rest, ""));
    let quoted = |text: &str| text.split_whitespace().collect::<Vec<_>>().join("\", \"");
    let python = match content.as_bytes().first() {
        Some(b',') => format!("{name}(\"{}\")", quoted(arguments)),
        Some(b';') => format!("{name}(\"{arguments}\")"),
        // A name is needed.
        Some(b'/') if name.is_empty() => content.to_owned(),
        Some(b'/') => {
            let list = arguments.split_whitespace().collect::<Vec<_>>().join(", ");
            format!("{name}({list})")
        }
        _ => {
            let is_help = content.ends_with('?') && asks_for_help(content);
            let word = rest.split_whitespace().next().unwrap_or_default();
            built.is_opaque |=
                content.starts_with('%') && !is_help && !HARMLESS_MAGICS.contains(&word);
            NOTHING.to_owned()
        }
    };
    replace(cell, lines, (at, next), indent, &python, built);
    next
}

/// Whether a line ends with a dotted name, or items of it, and one or two question marks.
fn asks_for_help(line: &str) -> bool {
    let mut name = line.trim_end_matches('?');
    if !(1..=2).contains(&(line.len() - name.len())) {
        return false;
    }
    while let Some((before, index)) = name.strip_suffix(']').and_then(|it| it.rsplit_once('[')) {
        let digits = index.strip_prefix('-').unwrap_or(index);
        if digits.is_empty() || !digits.bytes().all(|it| it.is_ascii_digit()) {
            return false;
        }
        name = before;
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '*';
    let word = name.rsplit(|c| !is_word(c)).next().unwrap_or_default();
    word.chars().any(|c| !c.is_numeric())
}

/// The offset behind a quote that opens a string of several lines, or behind a whole string.
fn after_quote(line: &str, start: usize, open: &mut Open) -> usize {
    let bytes = line.as_bytes();
    let byte = |at: usize| bytes.get(at).copied().unwrap_or_default();
    let quote = byte(start);
    let three = if quote == b'"' { "\"\"\"" } else { "'''" };
    if line.get(start..).is_some_and(|it| it.starts_with(three)) {
        open.string = Some(three);
        return start + 3;
    }
    let mut at = start + 1;
    while at < bytes.len() && byte(at) != quote && !matches!(byte(at), b'\n' | b'\r') {
        at += if byte(at) == b'\\' { 2 } else { 1 };
    }
    // A backslash at the end of the line continues the string; the rest of it cannot hold a command that Python would
    // accept.
    at + 1
}

/// Reads a line of Python, as far as strings, comments and brackets go.
fn scan(line: &str, open: &mut Open) -> Found {
    let mut found = Found::default();
    let bytes = line.as_bytes();
    let byte = |at: usize| bytes.get(at).copied().unwrap_or_default();
    let mut at = 0;
    while at < bytes.len() {
        if let Some(quotes) = open.string {
            match (byte(at), line.get(at..)) {
                (b'\\', _) => at += 2,
                (_, Some(rest)) if rest.starts_with(quotes) => {
                    open.string = None;
                    at += 3;
                    found.ends_with_text = true;
                }
                _ => at += 1,
            }
            continue;
        }
        let this = byte(at);
        match this {
            b' ' | b'\t' | b'\n' | b'\r' => {
                at += 1;
                continue;
            }
            b'#' => {
                found.ends_with_text = true;
                break;
            }
            b'"' | b'\'' => {
                at = after_quote(line, at, open);
                found.ends_with_text |= open.string.is_none();
                continue;
            }
            b'\\' if matches!(byte(at + 1), b'\n' | b'\r') => {
                found.goes_on = true;
                return found;
            }
            b'(' | b'[' | b'{' => open.brackets += 1,
            b')' | b']' | b'}' => open.brackets = open.brackets.saturating_sub(1),
            b'=' if byte(at + 1) == b'=' => at += 1,
            b'=' if open.brackets == 0 && found.assigned.is_none() => {
                let before = at.checked_sub(1).map_or(0, byte);
                if !b"!<>:+-*/%&|^@".contains(&before) {
                    found.assigned = Some(at + 1);
                }
            }
            _ => {}
        }
        found.ends_with_text = false;
        at += 1;
    }
    found.goes_on = open.brackets > 0 || open.string.is_some();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cell: &str) -> String {
        plain(cell).text.into_owned()
    }

    #[test]
    fn commands_become_expressions_and_code_stays() {
        assert_eq!(check("%matplotlib inline\nx = !ls\nx?\ny = 1\n"), "0\nx = 0\n0\ny = 1\n");
        assert_eq!(check("if x:\n    !ls \\\n  -l\n    y"), "if x:\n    0\n    y");
        assert_eq!(check(",f a b\n/g x"), "f(\"a\", \"b\")\ng(x)\n");
    }

    #[test]
    fn strings_brackets_and_operators_are_no_commands() {
        for code in ["x = '''\n!ls\n'''", "x = (1\n% y)", "x \\\n% y", "x = 1 # why?", "'a?'"] {
            assert_eq!(check(code), code);
        }
    }

    #[test]
    fn prompts_and_shared_indentation_are_removed() {
        assert_eq!(check("  x = 1\n  y = 2"), "x = 1\ny = 2");
        assert_eq!(check(">>> for x in y:\n...     z"), "for x in y:\n    z");
        assert_eq!(check("In [1]: for x in y:\n   ...:     z"), "for x in y:\n    z");
    }

    #[test]
    fn a_place_in_the_python_is_one_in_the_cell() {
        let cell = "  !ls \\\n  -l\n  abc = 1";
        let plain = plain(cell);
        let at = plain.text.find("abc").unwrap_or_default() as u32;
        let range = plain.locate(&(at..at + 3));
        assert_eq!(cell.get(range.start as usize..range.end as usize), Some("abc"));
        // A made text is longer than what it stands for, and other than it.
        let call = super::plain(",é b");
        assert_eq!(call.text, "é(\"b\")\n");
        assert_eq!(call.locate(&(0..2)), 0..5);
    }
}
