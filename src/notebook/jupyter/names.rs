//! Names of a cell as IPython reads it, with its magics.

use std::ops::Range;

use crate::python::{self, Mode, Names, SyntaxError};

/// Names of a cell as IPython reads it.
pub(in crate::notebook) fn cell_names(code: &str) -> Result<Names, Vec<SyntaxError>> {
    if let Some(magic) = python::cell_magic(code) {
        let mut names = Names { is_opaque: true, ..Names::default() };
        if magic.is_python {
            let rest = code.get(magic.end as usize..).unwrap_or_default();
            names = match python::names(rest, Mode::Ipython) {
                Ok(names) => moved(names, magic.end as i64),
                Err(errors) => return Err(moved_errors(errors, magic.end as i64)),
            };
            // `%%capture output` defines `output`.
            names.is_opaque |= magic.name == "capture";
        }
        return Ok(names);
    }
    let errors = match python::names(code, Mode::Ipython) {
        Ok(names) => return Ok(names),
        Err(errors) => errors,
    };
    if is_automagic(code) {
        return Ok(Names { is_opaque: true, ..Names::default() });
    }
    Err(errors)
}

/// Magics that people write without `%`, in a cell of one line: the only place where IPython
/// takes them so.
const AUTOMAGICS: [&str; 24] = [
    "alias",
    "cat",
    "cd",
    "conda",
    "cp",
    "env",
    "ll",
    "ls",
    "lx",
    "man",
    "matplotlib",
    "mkdir",
    "more",
    "mv",
    "pip",
    "pwd",
    "pycat",
    "pylab",
    "rm",
    "rmdir",
    "run",
    "time",
    "timeit",
    "who",
];

fn is_automagic(code: &str) -> bool {
    let line = code.trim();
    let word = line.split(char::is_whitespace).next().unwrap_or_default();
    !line.contains('\n') && AUTOMAGICS.contains(&word)
}

fn shift(range: &Range<u32>, by: i64) -> Range<u32> {
    let one = |at: u32| u32::try_from(i64::from(at) + by).unwrap_or(0);
    one(range.start)..one(range.end)
}

fn moved(mut names: Names, by: i64) -> Names {
    for range in names.places_mut() {
        *range = shift(range, by);
    }
    names
}

fn moved_errors(errors: Vec<SyntaxError>, by: i64) -> Vec<SyntaxError> {
    errors.into_iter().map(|it| SyntaxError { range: shift(&it.range, by), ..it }).collect()
}
