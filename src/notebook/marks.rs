//! Marks of Quarto, MyST, pandoc and R Markdown that a page shows as they are written.
//!
//! In: the cells of a notebook, without what their author hides. Out: one finding a kind, at its first line, with the
//! number of lines. In a notebook that names none of these tools, only marks count that nobody writes for another reason.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::execution::CodeOptions;
use super::hiding::{Dialect, opens};
use super::pieces::{FencedBlock, Piece, pieces};
use super::{Cell, CellKind};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;

/// All other marks hold one of these.
const SIGNS: [char; 6] = [':', '{', '@', '^', '~', '='];

/// Kinds of marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Div,
    Directive,
    Role,
    Target,
    Substitution,
    Attributes,
    Shortcode,
    CrossReference,
    Citation,
    InlineCode,
    OtherCell,
    Footnote,
    Definition,
    Caption,
    DrawnTable,
    LineBlock,
    RawBlock,
    Script,
    Example,
    CellOption,
}

impl Mark {
    /// Its name in a message.
    fn name(self) -> &'static str {
        match self {
            Self::Div => "divs (`:::`)",
            Self::Directive => "directives (```` ```{name} ````)",
            Self::Role => "roles (``{name}`text` ``)",
            Self::Target => "targets (`(name)=`)",
            Self::Substitution => "substitutions (`{{ name }}`)",
            Self::Attributes => "attributes (`{.class}`, `{#id}`, `{key=value}`)",
            Self::Shortcode => "shortcodes (`{{< name >}}`)",
            Self::CrossReference => "cross-references (`@fig-name`)",
            Self::Citation => "citations (`[@key]`)",
            Self::InlineCode => "inline expressions (`` `{python} x` ``)",
            Self::OtherCell => {
                "cells that do not run: in another language, in a list or in a quote"
            }
            Self::Footnote => "inline footnotes (`^[text]`)",
            Self::Definition => "definition lists (`:   text`)",
            Self::Caption => "captions of tables (`: text`)",
            Self::DrawnTable => "tables drawn in lines of `-` (`+---+`, `--- ---`)",
            Self::LineBlock => "line blocks (`| text`)",
            Self::RawBlock => "raw blocks (```` ```{=html} ````)",
            Self::Script => "subscripts and superscripts (`H~2~O`, `x^2^`)",
            Self::Example => "numbered examples (`(@)`)",
            Self::CellOption => "options of cells",
        }
    }
}

/// Options of a cell that change what Quarto shows of it, and not what nbc shows.
const CELL_OPTIONS: [&str; 16] = [
    "code-annotations",
    "code-line-numbers",
    "code-summary",
    "column",
    "fig-align",
    "fig-alt",
    "fig-cap",
    "fig-subcap",
    "filename",
    "layout",
    "layout-ncol",
    "layout-nrow",
    "lst-cap",
    "panel",
    "tbl-cap",
    "tbl-subcap",
];

/// Roles that MyST, Sphinx and their usual extensions have.
const ROLES: [&str; 36] = [
    "abbr",
    "any",
    "attr",
    "attribution",
    "cite",
    "class",
    "command",
    "data",
    "doc",
    "download",
    "envvar",
    "eq",
    "eval",
    "exc",
    "file",
    "func",
    "glue",
    "guilabel",
    "index",
    "kbd",
    "math",
    "menuselection",
    "meth",
    "mod",
    "numref",
    "octicon",
    "option",
    "pep",
    "program",
    "ref",
    "rfc",
    "samp",
    "strike",
    "sub",
    "sup",
    "term",
];

/// Shortcodes of Quarto itself.
const SHORTCODES: [&str; 15] = [
    "brand",
    "contents",
    "embed",
    "env",
    "fa",
    "include",
    "kbd",
    "lipsum",
    "meta",
    "pagebreak",
    "placeholder",
    "var",
    "version",
    "video",
    "bi",
];

/// Languages whose blocks show their code in any tool.
const LANGUAGES: [&str; 10] =
    ["bash", "julia", "js", "marimo", "ojs", "python", "r", "rust", "sh", "sql"];

/// Marks within a line outside code and formulas, with the expression that finds them.
type Expressions = Vec<(Mark, Regex)>;

fn compiled(all: &[(Mark, &str)]) -> Expressions {
    all.iter().filter_map(|(mark, text)| Some((*mark, Regex::new(text).ok()?))).collect()
}

const NAMES_OF_REFERENCES: &str = "(fig|tbl|sec|eq|lst|thm|lem|cor|prp|cnj|def|exm|exr|sol|rem|alg|tip|nte|wrn|imp|cau)-[A-Za-z0-9]";

static OF_QUARTO: LazyLock<Expressions> = LazyLock::new(|| {
    let reference = format!("(?:^|[ \\t(\\[;,-])@{NAMES_OF_REFERENCES}");
    compiled(&[
        (Mark::Shortcode, r"\{\{<.*>\}\}"),
        (Mark::CrossReference, &reference),
        (Mark::Citation, r"(?:^|[ \t(\[;,])-?@[A-Za-z0-9_]"),
        (
            Mark::Attributes,
            r"[\])]\{[ \t]*(?:[.#][A-Za-z]|[A-Za-z-]+=)[^}]*\}|^#{1,6} .*\{[ \t]*(?:[.#-]|[a-z-]+=)[^}]*\}[ \t]*$",
        ),
        (Mark::Footnote, r"\^\["),
        (Mark::Script, r"[A-Za-z0-9)]~[A-Za-z0-9+-]+~(?:[^~]|$)|[A-Za-z0-9)]\^[A-Za-z0-9+-]+\^"),
        (Mark::Example, r"^[ \t]*\(@[A-Za-z0-9_-]*\)[ \t]"),
    ])
});

static REFERENCE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!("-?@{NAMES_OF_REFERENCES}")).ok());

static OF_MYST: LazyLock<Expressions> = LazyLock::new(|| {
    compiled(&[
        (Mark::Substitution, r"\{\{[ \t]*[A-Za-z_][^{}]*\}\}"),
        (Mark::Citation, r"\[[^\]]*@[A-Za-z0-9_][^\]]*\]"),
        (Mark::Attributes, r"^[ \t]*\{[ \t]*[.#][A-Za-z][^}]*\}[ \t]*$"),
    ])
});

/// A role, with its name, and inline code that runs or is raw.
static ROLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(^|[^A-Za-z0-9\\}`])\{([a-z][A-Za-z0-9]*)[A-Za-z0-9_:.+-]*\}`[^`]").ok()
});
static INLINE_CODE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"`\{(?:python|r|julia|ojs)\} [^`]+`").ok());
static KNITR_CODE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"`r [^`]+`").ok());
static RAW_CODE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"`\{=[a-z]+\}").ok());
static TARGET: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^\([A-Za-z][A-Za-z0-9_:. -]*\)=[ \t]*$").ok());
/// A line of a grid table, or the one below the head of a simple table.
static RULE_OF_TABLE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[ \t>]*(?:\+(?:[-=:]+\+)+|-{2,}(?:[ \t]+-{2,})+)[ \t]*$").ok());
static LINE_OF_BLOCK: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^\|[ \t]+[^|\s][^|]*$").ok());
static NAME_OF_SHORTCODE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\{\{<[ \t]*([a-z]+)[ \t>]").ok());

fn is_in(expression: &Option<Regex>, text: &str) -> bool {
    expression.as_ref().is_some_and(|it| it.is_match(text))
}

/// Marks of the same kind.
struct Found {
    first: Span,
    lines: usize,
    /// What the first one says, where the kind does not.
    detail: Option<String>,
}

/// The findings about all marks of a notebook.
pub(super) fn findings(
    cells: &[Cell],
    dialect: Dialect,
    left_out: Vec<(Span, String)>,
) -> Vec<Diagnostic> {
    if dialect == Dialect::Marimo {
        return Vec::new();
    }
    let mut finder = Finder { dialect, found: BTreeMap::new() };
    for cell in cells {
        match cell.kind {
            CellKind::Markdown => finder.prose(cell),
            CellKind::Code | CellKind::Unparsable => finder.code(cell),
            _ => {}
        }
    }
    for (first, word) in left_out {
        let found = finder.found.entry(Mark::OtherCell);
        let detail = Some(format!("`{word}`"));
        let found = found.or_insert_with(|| Found { first, lines: 0, detail: detail.clone() });
        found.lines += 1;
        if first < found.first {
            (found.first, found.detail) = (first, detail);
        }
    }
    finder.found.into_iter().map(|(mark, found)| told(mark, &found)).collect()
}

fn told(mark: Mark, found: &Found) -> Diagnostic {
    let name = mark.name();
    let detail = found.detail.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
    let count = match found.lines {
        1 => String::new(),
        lines => format!("; the first of {lines} lines"),
    };
    let message = match mark {
        Mark::CellOption => format!("{name}{detail} are not followed yet{count}"),
        Mark::OtherCell => format!("{name}{detail}{count}"),
        _ => format!("{name} are not understood yet, and shown as they are written{count}"),
    };
    Diagnostic::warning(Code::ForeignMark, found.first, message)
}

struct Finder {
    dialect: Dialect,
    found: BTreeMap<Mark, Found>,
}

impl Finder {
    fn add(&mut self, mark: Mark, cell: &Cell, at: usize, detail: Option<String>) {
        let span = || {
            let line = cell.code.get(at..).and_then(|it| it.lines().next()).unwrap_or_default();
            let end = at + line.trim_end().len();
            cell.span(at as u32, end as u32)
        };
        let found = self.found.entry(mark);
        found.or_insert_with(|| Found { first: span(), lines: 0, detail }).lines += 1;
    }

    /// Options at the start of a cell's code.
    fn code(&mut self, cell: &Cell) {
        if !cell.code.trim_start().starts_with('#') || cell.options.hide_cell {
            return;
        }
        let keys = CodeOptions::of(&cell.code).keys;
        let keys = keys.iter().filter(|it| CELL_OPTIONS.contains(&it.as_str()));
        let keys: Vec<String> = keys.map(|it| format!("`{it}`")).collect();
        if !keys.is_empty() {
            let at = cell.code.len() - cell.code.trim_start().len();
            self.add(Mark::CellOption, cell, at, Some(keys.join(", ")));
        }
    }

    fn prose(&mut self, cell: &Cell) {
        let text = &*cell.code;
        // Most prose has none of the signs that all marks have one of.
        if !text.contains(SIGNS) && !self.may_draw(text) {
            return;
        }
        let mut before = "";
        let mut is_formula = false;
        for piece in pieces(text) {
            match piece {
                Piece::Comment(_) => {}
                Piece::Fence(block) => {
                    before = "";
                    self.block(&block, cell);
                }
                Piece::Line(range) => {
                    let line = text.get(range.clone()).unwrap_or_default().trim_end();
                    let was_formula = is_formula;
                    is_formula ^= line.matches("$$").count() % 2 == 1;
                    if !was_formula && !is_formula {
                        for mark in self.of_line(line, before) {
                            self.add(mark, cell, range.start, None);
                        }
                    }
                    before = if line.trim().is_empty() { before } else { line };
                }
            }
        }
    }

    /// Whether a text may hold tables and lines that only pandoc reads.
    fn may_draw(&self, text: &str) -> bool {
        self.dialect == Dialect::Quarto
            && ["+-", "+=", "-- ", "| "].iter().any(|it| text.contains(it))
    }

    fn block(&mut self, block: &FencedBlock<'_>, cell: &Cell) {
        let at = block.whole.start;
        if block.info.starts_with("{=") {
            return self.add(Mark::RawBlock, cell, at, None);
        }
        let Some((word, _)) = block.braces() else {
            let has_more = block.info.contains('{') && block.info.contains('=');
            if has_more && self.dialect == Dialect::Quarto {
                self.add(Mark::Attributes, cell, at, None);
            }
            return;
        };
        let is_cell = ["code-cell", "raw-cell"].contains(&word);
        match self.dialect {
            _ if is_cell => self.add(Mark::OtherCell, cell, at, Some(format!("`{word}`"))),
            Dialect::Quarto => self.add(Mark::OtherCell, cell, at, Some(format!("`{word}`"))),
            Dialect::Plain if LANGUAGES.contains(&word) => {}
            _ => self.add(Mark::Directive, cell, at, None),
        }
    }

    /// The marks of a line; `before` is the last one that is not blank.
    fn of_line(&self, line: &str, before: &str) -> Vec<Mark> {
        let mut found = Vec::new();
        if self.may_draw(line) {
            found.extend(is_in(&RULE_OF_TABLE, line).then_some(Mark::DrawnTable));
            found.extend(is_in(&LINE_OF_BLOCK, line).then_some(Mark::LineBlock));
        }
        if !line.contains(SIGNS) {
            return found;
        }
        let start = line.trim_start_matches([' ', '\t', '>']);
        if let Some(rest) = start.strip_prefix(":::") {
            let rest = rest.trim_start_matches(':').trim();
            if !rest.is_empty() && opens(rest) {
                let inner = rest.strip_prefix('{').unwrap_or_default();
                let is_directive = inner.starts_with(|c: char| c.is_ascii_lowercase());
                found.push(if is_directive { Mark::Directive } else { Mark::Div });
            }
            return found;
        }
        self.around_code(line, &mut found);
        let text = without_code(line);
        let own: &[(Mark, Regex)] = match self.dialect {
            Dialect::Quarto => &OF_QUARTO,
            Dialect::Myst => &OF_MYST,
            Dialect::Plain | Dialect::Marimo => &[],
        };
        found.extend(own.iter().filter(|(_, it)| it.is_match(&text)).map(|(mark, _)| *mark));
        // A reference looks like a citation, and is none.
        if found.contains(&Mark::CrossReference) {
            let rest = REFERENCE.as_ref().map(|it| it.replace_all(&text, " "));
            let cites = |(mark, it): &(Mark, Regex)| {
                *mark == Mark::Citation && rest.as_ref().is_some_and(|rest| it.is_match(rest))
            };
            let is_cited = own.iter().any(cites);
            found.retain(|it| *it != Mark::Citation || is_cited);
        }
        if self.dialect != Dialect::Quarto {
            found.extend(is_in(&TARGET, line).then_some(Mark::Target));
            let name = NAME_OF_SHORTCODE.as_ref().and_then(|it| it.captures(&text)?.get(1));
            let is_shortcode = name.is_some_and(|it| SHORTCODES.contains(&it.as_str()));
            found.extend(is_shortcode.then_some(Mark::Shortcode));
        }
        if matches!(self.dialect, Dialect::Quarto | Dialect::Myst)
            && let Some(rest) = start.strip_prefix(':')
            && rest.starts_with([' ', '\t'])
            && !before.is_empty()
        {
            let is_table = before.trim_start().starts_with('|') || before.contains("---");
            found.push(if is_table { Mark::Caption } else { Mark::Definition });
        }
        found
    }

    /// Marks before, behind and in inline code.
    fn around_code(&self, line: &str, found: &mut Vec<Mark>) {
        if !line.contains('`') {
            return;
        }
        let line = &without_quoted_code(line);
        found.extend(is_in(&INLINE_CODE, line).then_some(Mark::InlineCode));
        found.extend(is_in(&RAW_CODE, line).then_some(Mark::RawBlock));
        if self.dialect == Dialect::Quarto {
            found.extend(is_in(&KNITR_CODE, line).then_some(Mark::InlineCode));
            found.dedup();
            return;
        }
        let names = ROLE.iter().flat_map(|it| it.captures_iter(line)).filter_map(|it| it.get(2));
        let mut names = names.map(|it| it.as_str());
        let is_myst = self.dialect == Dialect::Myst;
        let has_role = names.any(|it| is_myst || ROLES.contains(&it));
        found.extend(has_role.then_some(Mark::Role));
    }
}

/// A line without inline code of two signs and more, in which people write about marks.
fn without_quoted_code(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, from)) = rest.find("``").map(|at| rest.split_at(at)) {
        let length = from.len() - from.trim_start_matches('`').len();
        let (open, after) = from.split_at(length);
        let Some(end) = after.find(open) else { break };
        plain.push_str(before);
        rest = after.get(end + length..).unwrap_or_default();
    }
    plain.push_str(rest);
    plain
}

/// A line without its inline code and formulas.
fn without_code(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['`', '$']) {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        let sign = if from.starts_with('`') { '`' } else { '$' };
        let length = from.len() - from.trim_start_matches(sign).len();
        let (open, after) = from.split_at(length);
        match after.find(open) {
            Some(end) if before.ends_with('\\') || end == 0 => {
                plain.push_str(open);
                rest = after;
            }
            Some(end) => {
                plain.push(' ');
                rest = after.get(end + length..).unwrap_or_default();
            }
            None => {
                plain.push_str(open);
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}
