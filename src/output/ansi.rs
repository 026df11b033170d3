//! Terminal text: control sequences to classes.
//!
//! In: what a program wrote to a terminal. Out: escaped text with `ansi-*` spans, in the state in
//! which a terminal would show it at the end. Never styles by attribute.

use crate::sanitize::SafeHtml;

/// A column past this is not reached by cursor movement; text may be longer.
const LAST_COLUMN: usize = 2_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Style {
    /// 0 to 15.
    text: Option<u8>,
    ground: Option<u8>,
    flags: u8,
}

const FLAGS: [&str; 7] = [
    "ansi-bold",
    "ansi-dim",
    "ansi-italic",
    "ansi-underline",
    "ansi-inverse",
    "ansi-hidden",
    "ansi-strike",
];

const COLORS: [(&str, [u8; 3]); 16] = [
    ("black", [0, 0, 0]),
    ("red", [187, 0, 0]),
    ("green", [0, 187, 0]),
    ("yellow", [187, 187, 0]),
    ("blue", [0, 0, 187]),
    ("magenta", [187, 0, 187]),
    ("cyan", [0, 187, 187]),
    ("white", [187, 187, 187]),
    ("bright-black", [110, 110, 110]),
    ("bright-red", [255, 85, 85]),
    ("bright-green", [85, 255, 85]),
    ("bright-yellow", [255, 255, 85]),
    ("bright-blue", [85, 85, 255]),
    ("bright-magenta", [255, 85, 255]),
    ("bright-cyan", [85, 255, 255]),
    ("bright-white", [255, 255, 255]),
];

/// The text as a terminal shows it in the end.
pub(super) fn html(text: &str) -> SafeHtml {
    if !text.contains(['\u{1b}', '\r', '\u{8}', '\u{9b}', '\u{7}']) {
        return SafeHtml::text(text);
    }
    let mut screen = Screen {
        rows: vec![Vec::new()],
        row: 0,
        column: 0,
        style: Style::default(),
        saved: (0, 0),
    };
    screen.write(&text.replace("\r\n", "\n"));
    screen.html()
}

struct Screen {
    rows: Vec<Vec<(char, Style)>>,
    row: usize,
    column: usize,
    style: Style,
    saved: (usize, usize),
}

impl Screen {
    fn write(&mut self, text: &str) {
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\u{1b}' => match characters.peek() {
                    Some('[') => {
                        characters.next();
                        self.control(&mut characters);
                    }
                    // Strings for the terminal: links, titles. They end with BEL or ESC \.
                    Some(']' | 'P' | 'X' | '^' | '_') => {
                        while let Some(it) = characters.next() {
                            if it == '\u{7}' || it == '\u{9c}' {
                                break;
                            }
                            if it == '\u{1b}' {
                                if characters.peek() == Some(&'\\') {
                                    characters.next();
                                }
                                break;
                            }
                        }
                    }
                    Some('(' | ')' | '#' | '%') => {
                        characters.next();
                        characters.next();
                    }
                    Some('7') => {
                        characters.next();
                        self.saved = (self.row, self.column);
                    }
                    Some('8') => {
                        characters.next();
                        self.restore();
                    }
                    Some(it) if !it.is_control() => {
                        characters.next();
                    }
                    _ => {}
                },
                '\u{9b}' => self.control(&mut characters),
                '\n' => {
                    self.row += 1;
                    self.column = 0;
                    if self.row >= self.rows.len() {
                        self.rows.push(Vec::new());
                        self.row = self.rows.len() - 1;
                    }
                }
                '\r' => self.column = 0,
                '\u{8}' => self.column = self.column.saturating_sub(1),
                '\t' => self.put('\t'),
                it if it.is_control() => {}
                it => self.put(it),
            }
        }
    }

    fn restore(&mut self) {
        // Rows may have gone since.
        self.row = self.saved.0.min(self.rows.len() - 1);
        self.column = self.saved.1;
    }

    fn put(&mut self, character: char) {
        let (column, style) = (self.column, self.style);
        if let Some(row) = self.rows.get_mut(self.row) {
            while row.len() < column {
                row.push((' ', Style::default()));
            }
            match row.get_mut(column) {
                Some(cell) => *cell = (character, style),
                None => row.push((character, style)),
            }
        }
        self.column += 1;
    }

    fn control(&mut self, characters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
        let mut parameters = String::new();
        let last = loop {
            match characters.peek() {
                Some(it) if matches!(it, '0'..='?' | ' '..='/') && parameters.len() < 64 => {
                    parameters.push(*it);
                    characters.next();
                }
                Some('@'..='~') => break characters.next(),
                _ => return,
            }
        };
        let number = |default: usize| {
            let first = parameters.split([';', ':']).next().unwrap_or("");
            first.parse::<usize>().ok().filter(|it| *it > 0).unwrap_or(default)
        };
        match last {
            Some('m') => self.graphics(&parameters),
            Some('A') => self.row = self.row.saturating_sub(number(1)),
            Some('B') => self.row = (self.row + number(1)).min(self.rows.len() - 1),
            Some('E') => {
                self.row = (self.row + number(1)).min(self.rows.len() - 1);
                self.column = 0;
            }
            Some('F') => {
                self.row = self.row.saturating_sub(number(1));
                self.column = 0;
            }
            Some('s') => self.saved = (self.row, self.column),
            Some('u') => self.restore(),
            Some('C') => {
                self.column =
                    (self.column + number(1).min(LAST_COLUMN)).min(LAST_COLUMN.max(self.column));
            }
            Some('D') => self.column = self.column.saturating_sub(number(1)),
            Some('G') => self.column = number(1).min(LAST_COLUMN) - 1,
            Some('K') => self.erase_line(number(0)),
            // "Clear the screen" of IPython's `clear_output` in a terminal.
            Some('J') if number(0) >= 2 => {
                self.rows = vec![Vec::new()];
                (self.row, self.column) = (0, 0);
            }
            // From here to the end, which live displays do before they draw again.
            Some('J') if number(0) == 0 => {
                let column = self.column;
                if let Some(row) = self.rows.get_mut(self.row) {
                    row.truncate(column);
                }
                self.rows.truncate(self.row + 1);
            }
            _ => {}
        }
    }

    /// Erases to the end of the line, to its start, or all of it.
    fn erase_line(&mut self, part: usize) {
        let column = self.column;
        let Some(row) = self.rows.get_mut(self.row) else { return };
        match part {
            0 => row.truncate(column),
            1 => {
                row.iter_mut().take(column + 1).for_each(|it| *it = (' ', Style::default()));
            }
            _ => row.clear(),
        }
    }

    fn graphics(&mut self, parameters: &str) {
        let numbers: Vec<u32> =
            parameters.split([';', ':']).map(|it| it.parse().unwrap_or(0)).collect();
        let mut numbers = numbers.into_iter();
        while let Some(number) = numbers.next() {
            let style = &mut self.style;
            match number {
                0 => *style = Style::default(),
                1..=4 => style.flags |= 1 << (number - 1),
                7..=9 => style.flags |= 1 << (number - 3),
                21 | 22 => style.flags &= !0b11,
                23 | 24 => style.flags &= !(1 << (number - 21)),
                27..=29 => style.flags &= !(1 << (number - 23)),
                30..=37 => style.text = u8::try_from(number - 30).ok(),
                39 => style.text = None,
                40..=47 => style.ground = u8::try_from(number - 40).ok(),
                49 => style.ground = None,
                90..=97 => style.text = u8::try_from(number - 82).ok(),
                100..=107 => style.ground = u8::try_from(number - 92).ok(),
                38 | 48 => {
                    let color = match numbers.next() {
                        Some(5) => numbers.next().map(of_palette),
                        Some(2) => match (numbers.next(), numbers.next(), numbers.next()) {
                            (Some(red), Some(green), Some(blue)) => {
                                Some(nearest([red, green, blue]))
                            }
                            _ => None,
                        },
                        _ => None,
                    };
                    if number == 38 { style.text = color } else { style.ground = color }
                }
                _ => {}
            }
        }
    }

    fn html(&self) -> SafeHtml {
        let mut pieces = Vec::new();
        let mut run = String::new();
        let mut style = Style::default();
        // Progress bars that went leave blank rows behind.
        let is_blank =
            |row: &Vec<(char, Style)>| row.iter().all(|it| *it == (' ', Style::default()));
        let blank = self.rows.iter().rev().take_while(|it| is_blank(it)).count();
        let rows = self.rows.len() - blank.saturating_sub(1);
        for (at, row) in self.rows.iter().take(rows).enumerate() {
            if at > 0 {
                run.push('\n');
            }
            for (character, own) in row {
                if *own != style {
                    pieces.push(piece(&run, style));
                    run.clear();
                    style = *own;
                }
                run.push(*character);
            }
        }
        pieces.push(piece(&run, style));
        SafeHtml::concat(pieces)
    }
}

fn piece(text: &str, style: Style) -> SafeHtml {
    let inner = SafeHtml::text(text);
    if text.is_empty() || style == Style::default() {
        return inner;
    }
    let name = |color: u8| COLORS.get(usize::from(color)).map_or("white", |(name, _)| name);
    let mut classes: Vec<String> = Vec::new();
    classes.extend(style.text.map(|it| format!("ansi-{}", name(it))));
    classes.extend(style.ground.map(|it| format!("ansi-bg-{}", name(it))));
    let flags = FLAGS.iter().enumerate().filter(|(at, _)| style.flags & (1 << at) != 0);
    classes.extend(flags.map(|(_, name)| (*name).to_owned()));
    SafeHtml::element("span", &[("class", &classes.join(" "))], inner)
}

/// A colour of the 256: 16 named ones, a cube, a grey ramp.
fn of_palette(number: u32) -> u8 {
    match number {
        0..=15 => u8::try_from(number).unwrap_or(7),
        16..=231 => {
            let step = |it: u32| if it == 0 { 0 } else { 55 + 40 * it };
            let cube = number - 16;
            nearest([step(cube / 36), step(cube / 6 % 6), step(cube % 6)])
        }
        _ => {
            let grey = 8 + 10 * number.min(255).saturating_sub(232);
            nearest([grey, grey, grey])
        }
    }
}

/// The nearest named colour: named ones are set by the theme, so that they can be read in the dark.
fn nearest(color: [u32; 3]) -> u8 {
    let distance = |other: &[u8; 3]| -> u32 {
        color.iter().zip(other).map(|(a, b)| (*a).min(255).abs_diff(u32::from(*b)).pow(2)).sum()
    };
    let best = COLORS.iter().enumerate().min_by_key(|(_, (_, it))| distance(it));
    best.and_then(|(at, _)| u8::try_from(at).ok()).unwrap_or(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        html(text).as_str().to_owned()
    }

    #[test]
    fn a_progress_bar_shows_its_last_state() {
        assert_eq!(of("10%\r20%\r100%\ndone"), "100%\ndone");
        assert_eq!(of("abc\r\nd\u{8}e"), "abc\ne");
        assert_eq!(of("12345\r\u{1b}[Kx"), "x");
        assert_eq!(of("a\nb\n\u{1b}[2A\u{1b}[KA\n\u{1b}[KB\n"), "A\nB\n");
    }

    #[test]
    fn live_displays_are_drawn_over_themselves() {
        // tqdm with two bars, and rich's `Live`.
        let bars = "a: 0%\r\nb: 0%\u{1b}[A\ra: 50%\nb: 50%\u{1b}[A\ra: 100%\n\r\nb: 100%";
        assert_eq!(of(bars), "a: 100%\nb: 50%\nb: 100%");
        let live = "one\ntwo\r\u{1b}[2K\u{1b}[1A\u{1b}[2Kthree\n";
        assert_eq!(of(live), "three\n");
        assert_eq!(of("a\nb\nc\u{1b}[2F\u{1b}[Jx"), "x");
        assert_eq!(of("ab\u{1b}7cd\u{1b}8x"), "abxd");
    }

    #[test]
    fn colours_become_classes() {
        assert_eq!(
            of("\u{1b}[1;31mno\u{1b}[0m <b>"),
            "<span class=\"ansi-red ansi-bold\">no</span> &lt;b&gt;"
        );
        assert_eq!(of("\u{1b}[38;5;196mx"), "<span class=\"ansi-red\">x</span>");
        assert_eq!(of("\u{1b}[48;2;0;0;180mx"), "<span class=\"ansi-bg-blue\">x</span>");
    }

    #[test]
    fn links_and_broken_sequences_leave_text_only() {
        assert_eq!(of("\u{1b}]8;;javascript:x\u{7}text\u{1b}]8;;\u{7}"), "text");
        assert_eq!(of("\u{1b}["), "");
        assert_eq!(of("\u{1b}[99999999999999999999C\u{1b}[38;5mx"), " x");
    }
}
