//! Errors that readers may see: those that the author of a notebook expects or keeps in it.
//!
//! In: a record whose errors were searched for secrets. Out: the same, with an output for each such error that holds its
//! type, its message and the line of the cell, and nothing of its traceback. All other errors are the build log's.

use std::sync::LazyLock;

use regex::Regex;

use crate::config::ErrorSetting;
use crate::notebook::{Cell, CellId, CodeVisibility, Notebook};
use crate::output;
use crate::run::RunRecord;
use crate::run::record::{CellError, CellStatus};
use crate::run::stored::{STORED_ENGINE, without_colours};

/// Longest name and text of an error on a page, in characters.
const LONGEST_NAME: usize = 200;
const LONGEST_TEXT: usize = 2000;

/// The line of a traceback of IPython that failed: `----> 3 int("x")`.
static ARROW: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?m)^-+> ([0-9]{1,6})(.*)$").ok());

/// The settings of a page that decide.
#[derive(Debug, Clone, Copy)]
pub(super) struct ErrorRules {
    pub(super) errors: ErrorSetting,
    /// Whether code is shown where a cell says nothing.
    pub(super) code: CodeVisibility,
}

/// Adds the outputs; takes out all that a run gave in their form.
pub(super) fn tell(record: &mut RunRecord, notebook: &Notebook, rules: ErrorRules) {
    let is_stored = record.engine.name == STORED_ENGINE;
    for (id, run) in record.runs_mut() {
        run.outputs.retain(|it| !output::is_told_error(it));
        let (Some(cell), CellStatus::Failed { error }) = (notebook.cell(id), &run.status) else {
            continue;
        };
        if rules.errors == ErrorSetting::Message && (is_stored || cell.options.raises_exception) {
            let name = cut(&without_colours(&error.name), LONGEST_NAME);
            let message = cut(&without_colours(&error.message), LONGEST_TEXT);
            let line = line(cell, id, error).filter(|_| shows_code(cell, rules.code));
            run.outputs.push(output::told_error(&name, &message, line));
        }
    }
}

fn shows_code(cell: &Cell, default: CodeVisibility) -> bool {
    let is_hidden = cell.options.code == Some(CodeVisibility::Hidden);
    !is_hidden && !cell.options.withholds() && default != CodeVisibility::Hidden
}

/// The line of the cell that failed, with its number from 1.
fn line<'a>(cell: &'a Cell, id: CellId, error: &CellError) -> Option<(u32, &'a str)> {
    let at = |number: u32| {
        let text = cell.code.lines().nth(usize::try_from(number.checked_sub(1)?).ok()?)?;
        Some((number, text.trim()))
            .filter(|(_, text)| !text.is_empty() && text.len() <= LONGEST_TEXT)
    };
    if let Some(frame) = error.frames.iter().rev().find(|it| it.cell == id) {
        return at(frame.line);
    }
    // A stored traceback may be one of other code; the line must be in the cell.
    let arrow = ARROW.as_ref()?.captures(&error.traceback);
    if let Some(arrow) = arrow {
        let found = arrow.get(1)?.as_str().parse().ok().and_then(at)?;
        return Some(found)
            .filter(|(_, text)| arrow.get(2).is_some_and(|it| it.as_str().trim() == *text));
    }
    let mut lines = (1..).zip(cell.code.lines()).filter(|(_, text)| !text.trim().is_empty());
    let only = lines.next().filter(|_| lines.next().is_none())?;
    at(only.0)
}

fn cut(text: &str, most: usize) -> String {
    let mut all = text.chars();
    let mut kept: String = all.by_ref().take(most).collect();
    if all.next().is_some() {
        kept.push('…');
    }
    kept
}
