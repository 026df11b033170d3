//! What a build says while it works: a line that moves on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::command::counted;
use super::printer::Printer;
use crate::diagnostic::printable;
use crate::notebook::CellId;
use crate::run::Observer;
use crate::run::record::CellStatus;

/// Progress of one build.
pub struct Progress {
    bar: Option<ProgressBar>,
    printer: Printer,
    name: String,
    done: usize,
    cells: usize,
}

impl Progress {
    /// Shows a moving line only where one can be seen.
    pub fn new(printer: Printer) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar, printer, name: String::new(), done: 0, cells: 0 }
    }

    /// Says what nbc begins to do: a line that moves, or one that stays where nobody watches.
    pub fn step(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(printable(text)),
            None => self.printer.line(&printable(text)),
        }
    }

    /// Begins the run of a notebook.
    pub fn notebook(&mut self, name: &str, cells: usize) {
        self.name = name.to_owned();
        self.done = 0;
        self.cells = cells;
        if self.bar.is_some() {
            self.show();
        } else {
            self.step(&format!("{name}: running {}", counted(cells, "cell")));
        }
    }

    /// Prints a line that stays.
    pub fn line(&self, text: &str) {
        self.above(|| self.printer.line(&printable(text)));
    }

    /// Prints what the user should know.
    pub fn warning(&self, text: &str) {
        self.above(|| self.printer.warning(text));
    }

    /// Prints the way out.
    pub fn help(&self, text: &str) {
        self.above(|| self.printer.help(text));
    }

    fn above(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Removes the moving line.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn show(&self) {
        if let Some(bar) = &self.bar {
            let text = format!("{}: cell {} of {}", self.name, self.done + 1, self.cells);
            bar.set_message(printable(&text));
        }
    }
}

impl Observer for Progress {
    fn cell_started(&mut self, _cell: CellId) {
        self.show();
    }

    fn cell_finished(&mut self, _cell: CellId, _status: &CellStatus) {
        self.done += 1;
    }
}
