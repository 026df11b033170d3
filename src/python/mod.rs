//! Python syntax: the only folder that names the parser crates.
//!
//! In: text. Out: plain data ([`Outline`], [`Names`], [`Token`]s) with byte offsets; no type of the
//! parser leaves this folder, so that a new parser changes these files only.
//! Never runs or imports anything.

mod depth;
mod imports;
mod ipython;
mod names;
mod outline;
mod places;
mod semantics;
mod sql;
mod tokens;

use std::ops::Range;

use ruff_python_ast::ModModule;
use ruff_python_ast::token::Token;
use ruff_python_parser::{ParseOptions, Parsed, parse_unchecked};

pub use imports::{every_import, imports, module_names};
pub use names::{CellNames, Names, Query, is_private};
pub use outline::{
    Argument, Call, Constant, Decorator, Definition, Outline, Statement, StatementKind,
};
pub use places::{NameMap, NamePlaces, NameSet};
pub use sql::{ObjectKind, SqlObject, SqlReference};
pub use tokens::{TokenKind, highlight, long_strings};

/// Which Python is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Plain Python.
    Python,
    /// With IPython's `%magic`, `!command` and `help?`.
    Ipython,
}

/// Why a text is not Python.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// Its place.
    pub range: Range<u32>,
    /// Lowercase, no period.
    pub message: String,
    /// Whether the text may be Python, but nests deeper than nbc follows.
    pub too_deep: bool,
}

impl SyntaxError {
    fn new(range: Range<u32>, message: impl Into<String>) -> Self {
        Self { range, message: message.into(), too_deep: false }
    }
}

/// Names of a text that stands on its own: a Jupyter cell, for example.
///
/// # Errors
/// The syntax errors; at least one.
pub fn names(text: &str, mode: Mode) -> Result<Names, Vec<SyntaxError>> {
    if mode == Mode::Python {
        return plain_names(text, names::Sharing::PublicOnly);
    }
    let plain = ipython::plain(text);
    let place = |range: &mut Range<u32>| *range = plain.locate(range);
    match plain_names(&plain.text, names::Sharing::All) {
        Ok(mut names) => {
            names.is_opaque |= plain.is_opaque;
            names.places_mut().for_each(place);
            Ok(names)
        }
        Err(mut errors) => {
            errors.iter_mut().map(|it| &mut it.range).for_each(place);
            Err(errors)
        }
    }
}

fn plain_names(text: &str, sharing: names::Sharing) -> Result<Names, Vec<SyntaxError>> {
    let parsed = parse(text)?;
    let mut names = names::collect(&parsed.syntax().body, sharing);
    names.refuse(&parsed.syntax().body, text, sharing);
    if names.errors.is_empty() { Ok(names) } else { Err(names.errors) }
}

/// Parses, and refuses what would overflow the stack of a later walk.
fn parse(text: &str) -> Result<Parsed<ModModule>, Vec<SyntaxError>> {
    depth::check(text).map_err(|error| vec![error])?;
    let options = ParseOptions::from(ruff_python_parser::Mode::Module);
    let parsed = parse_unchecked(text, options);
    if let Err(error) = depth::measure(parsed.tokens().iter().map(Token::as_tuple)) {
        // Dropping the tree would overflow the stack as much as walking it; it is small, because
        // `depth::check` let the text through.
        std::mem::forget(parsed);
        return Err(vec![error]);
    }
    if !parsed.has_valid_syntax() {
        let errors = parsed.errors().iter().map(|error| {
            SyntaxError::new(names::bytes(error.location), own_words(&error.error.to_string()))
        });
        return Err(errors.collect());
    }
    match parsed.try_into_module() {
        Some(module) => Ok(module),
        None => Err(vec![SyntaxError::new(0..0, "not a module")]),
    }
}

/// The parser's messages start like sentences; ours do not.
fn own_words(message: &str) -> String {
    let message = message.strip_suffix('.').unwrap_or(message);
    let mut rest = message.chars();
    match rest.next() {
        Some(first) if rest.clone().next().is_some_and(char::is_lowercase) => {
            first.to_lowercase().chain(rest).collect()
        }
        _ => message.to_owned(),
    }
}

/// The first line of a cell such as `%%bash`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellMagic<'a> {
    /// `bash`.
    pub name: &'a str,
    /// One past its line break.
    pub end: u32,
    /// Whether the rest of the cell is Python: `%%time`.
    pub is_python: bool,
}

/// Cell magics whose body is Python, run in the notebook's own names.
const PYTHON_MAGICS: &[&str] = &["capture", "prun", "time", "timeit", "mypy", "memit", "debug"];

/// The cell magic that a cell starts with, if it does.
pub fn cell_magic(code: &str) -> Option<CellMagic<'_>> {
    let start = code.len() - code.trim_start().len();
    let line = code.get(start..)?.strip_prefix("%%")?;
    // IPython removes only the indentation that all lines share.
    let margin = code.get(..start)?.rsplit(['\n', '\r']).next()?;
    if !line.lines().skip(1).all(|it| it.trim().is_empty() || it.starts_with(margin)) {
        return None;
    }
    // `%%time?` asks for help.
    let word = line.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
    if word.len() < line.len() && word.starts_with('?') {
        return None;
    }
    let length = line.find('\n').map_or(line.len(), |at| at + 1);
    let name = line.split(|c: char| c.is_whitespace()).next()?;
    let end = (start + 2 + length) as u32;
    Some(CellMagic { name, end, is_python: PYTHON_MAGICS.contains(&name) })
}

/// Names that exist before the first cell: Python's builtins, and what IPython adds.
const BUILTINS: &[&str] = &[
    "ArithmeticError",
    "AssertionError",
    "AttributeError",
    "BaseException",
    "BaseExceptionGroup",
    "BlockingIOError",
    "BrokenPipeError",
    "BufferError",
    "BytesWarning",
    "ChildProcessError",
    "ConnectionAbortedError",
    "ConnectionError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "DeprecationWarning",
    "EOFError",
    "Ellipsis",
    "EncodingWarning",
    "EnvironmentError",
    "Exception",
    "ExceptionGroup",
    "False",
    "FileExistsError",
    "FileNotFoundError",
    "FloatingPointError",
    "FutureWarning",
    "GeneratorExit",
    "IOError",
    "ImportError",
    "ImportWarning",
    "In",
    "IndentationError",
    "IndexError",
    "InterruptedError",
    "IsADirectoryError",
    "KeyError",
    "KeyboardInterrupt",
    "LookupError",
    "MemoryError",
    "ModuleNotFoundError",
    "NameError",
    "None",
    "NotADirectoryError",
    "NotImplemented",
    "NotImplementedError",
    "OSError",
    "Out",
    "OverflowError",
    "PendingDeprecationWarning",
    "PermissionError",
    "ProcessLookupError",
    "PythonFinalizationError",
    "RecursionError",
    "ReferenceError",
    "ResourceWarning",
    "RuntimeError",
    "RuntimeWarning",
    "StopAsyncIteration",
    "StopIteration",
    "SyntaxError",
    "SyntaxWarning",
    "SystemError",
    "SystemExit",
    "TabError",
    "TimeoutError",
    "True",
    "TypeError",
    "UnboundLocalError",
    "UnicodeDecodeError",
    "UnicodeEncodeError",
    "UnicodeError",
    "UnicodeTranslateError",
    "UnicodeWarning",
    "UserWarning",
    "ValueError",
    "Warning",
    "ZeroDivisionError",
    "_IncompleteInputError",
    "__build_class__",
    "__builtin__",
    "__debug__",
    "__doc__",
    "__file__",
    "__import__",
    "__loader__",
    "__name__",
    "__package__",
    "__spec__",
    "abs",
    "aiter",
    "all",
    "anext",
    "any",
    "ascii",
    "bin",
    "bool",
    "breakpoint",
    "bytearray",
    "bytes",
    "callable",
    "chr",
    "classmethod",
    "compile",
    "complex",
    "copyright",
    "credits",
    "delattr",
    "dict",
    "dir",
    "display",
    "divmod",
    "enumerate",
    "eval",
    "exec",
    "exit",
    "filter",
    "float",
    "format",
    "frozenset",
    "get_ipython",
    "getattr",
    "globals",
    "hasattr",
    "hash",
    "help",
    "hex",
    "id",
    "input",
    "int",
    "isinstance",
    "issubclass",
    "iter",
    "len",
    "license",
    "list",
    "locals",
    "map",
    "max",
    "memoryview",
    "min",
    "next",
    "object",
    "oct",
    "open",
    "ord",
    "pow",
    "print",
    "property",
    "quit",
    "range",
    "repr",
    "reversed",
    "round",
    "set",
    "setattr",
    "slice",
    "sorted",
    "staticmethod",
    "str",
    "sum",
    "super",
    "tuple",
    "type",
    "vars",
    "zip",
];

/// Whether a name exists before the first cell runs.
pub fn is_builtin(name: &str) -> bool {
    BUILTINS.binary_search(&name).is_ok()
}
