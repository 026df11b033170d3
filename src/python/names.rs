//! Definitions and references of one cell, as marimo's `ScopedVisitor` computes them.
//!
//! In: statements of a parsed text. Out: [`Names`], with byte ranges in that text.

mod collector;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use ruff_python_ast::Stmt;
use ruff_python_ast::visitor::Visitor;
use ruff_text_size::TextRange;

use super::places::{NameMap, NamePlaces, NameSet};
use super::sql::{self, Facts, SqlObject, SqlReference};
use super::{SyntaxError, semantics};
use crate::source::Span;
use collector::Collector;

/// Names that one cell defines and uses; ranges are bytes of the text that was parsed.
#[derive(Debug, Default, Clone)]
pub struct Names {
    /// Names defined for other cells, with the first place.
    pub definitions: NameMap<Range<u32>>,
    /// Names used and not defined before, with the first place.
    pub references: NameMap<Range<u32>>,
    /// References that are only made in bodies of functions: they need their name when the
    /// function is called, which may be in a later cell.
    pub deferred: NameSet,
    /// Names deleted without being defined here.
    pub deletions: NameSet,
    /// Names that stay in the cell: `_x`.
    pub temporaries: NameSet,
    /// Top-level packages that are imported, wherever the statement stands.
    pub imports: NameSet,
    /// `from m import *`.
    pub star_imports: Vec<Range<u32>>,
    /// Queries in calls such as `mo.sql(…)`.
    pub queries: Vec<Query>,
    /// Whether marimo takes the cell for SQL.
    pub is_sql: bool,
    /// Definitions that are tables and the like.
    pub objects: BTreeMap<String, SqlObject>,
    /// References that are tables.
    pub tables: BTreeMap<String, SqlReference>,
    /// Whether a magic may have defined names that nbc cannot see.
    pub is_opaque: bool,
    /// Errors that Python's compiler reports, not its parser.
    pub errors: Vec<SyntaxError>,
}

impl Names {
    /// Adds the errors that Python's compiler reports in the statements of these names.
    pub(super) fn refuse(&mut self, body: &[Stmt], text: &str, sharing: Sharing) {
        // marimo refuses a star before it compiles, and says so.
        if sharing == Sharing::All || self.star_imports.is_empty() {
            self.errors = semantics::check(body, text);
        }
    }

    /// Every range, to be moved.
    pub fn places_mut(&mut self) -> impl Iterator<Item = &mut Range<u32>> {
        let names = self.definitions.values_mut().chain(self.references.values_mut());
        let queries = self.queries.iter_mut().map(|it| &mut it.range);
        names.chain(&mut self.star_imports).chain(queries)
    }
}

/// Names that one cell defines and uses.
#[derive(Debug, Default, Clone)]
pub struct CellNames {
    /// Names that the cell defines for other cells, with the place of each definition.
    pub definitions: NamePlaces,
    /// Names that the cell uses and does not define first, with the place of the first use.
    pub references: NamePlaces,
    /// Positions of the references that are only made in bodies of functions.
    deferred: Box<[u32]>,
    /// Names that the cell deletes with `del` without having defined them.
    pub deletions: NameSet,
    /// Names private to the cell (`_x`).
    pub temporaries: NameSet,
    /// Top-level packages that the cell imports, `import a.b` gives `a`.
    pub imports: NameSet,
    /// Places of `from m import *`, which hides the names that the cell defines.
    pub star_imports: Vec<Span>,
    /// Whether marimo takes the cell for SQL.
    pub is_sql: bool,
    /// Definitions that are tables and the like.
    pub objects: BTreeMap<String, SqlObject>,
    /// References that are tables.
    pub tables: BTreeMap<String, SqlReference>,
    /// Whether a magic may have defined names that nbc cannot see.
    pub is_opaque: bool,
}

impl CellNames {
    /// Those of a cell that is not Python; one for all, since a document may be nearly all prose.
    pub fn none() -> Arc<Self> {
        static NONE: LazyLock<Arc<CellNames>> = LazyLock::new(Arc::default);
        Arc::clone(&NONE)
    }

    /// Turns ranges into places of the notebook.
    pub fn new(names: Names, place: impl Fn(&Range<u32>) -> Span) -> Self {
        let deferred = names.deferred.keys().filter_map(|it| names.references.position(it));
        Self {
            deferred: deferred.map(|it| it as u32).collect(),
            definitions: names.definitions.map(|it| place(&it)),
            references: names.references.map(|it| place(&it)),
            deletions: names.deletions,
            temporaries: names.temporaries,
            imports: names.imports,
            star_imports: names.star_imports.iter().map(&place).collect(),
            is_sql: names.is_sql,
            objects: names.objects,
            tables: names.tables,
            is_opaque: names.is_opaque,
        }
    }

    /// Whether a reference is only made in bodies of functions: it needs its name when the
    /// function is called, which may be in a later cell.
    pub fn is_deferred(&self, reference: &str) -> bool {
        let position = self.references.position(reference);
        position.is_some_and(|it| self.deferred.binary_search(&(it as u32)).is_ok())
    }
}

/// The text of a query with every `{…}` of an f-string replaced by `1`, as marimo does.
#[derive(Debug, Clone)]
pub struct Query {
    /// SQL.
    pub text: String,
    /// The argument.
    pub range: Range<u32>,
}

/// Whether marimo keeps a name in its cell: one underscore in front, or exactly `__`.
pub fn is_private(name: &str) -> bool {
    name == "__" || (name.starts_with('_') && !name.starts_with("__"))
}

/// Whether names with an underscore in front stay in their cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    /// marimo.
    PublicOnly,
    /// Jupyter: all cells share one namespace.
    All,
}

/// Collects the names of a run of statements.
pub(super) fn collect(body: &[Stmt], sharing: Sharing) -> Names {
    let facts = OnceCell::new();
    with_queries(sharing, &facts, |collector| collector.visit_body(body))
}

/// Collects the names of one definition without its first decorators: those of marimo itself.
pub(super) fn collect_definition(statement: &Stmt, skipped: usize) -> Names {
    let facts = OnceCell::new();
    with_queries(Sharing::PublicOnly, &facts, |collector| match statement {
        Stmt::FunctionDef(function) => collector.function(function, skipped),
        Stmt::ClassDef(class) => collector.class(class, skipped),
        other => collector.visit_stmt(other),
    })
}

/// Visits once, and a second time if there are queries: their tables are names, too, and must be
/// met where the call stands.
fn with_queries<'a>(
    sharing: Sharing,
    facts: &'a OnceCell<BTreeMap<u32, Facts>>,
    visit: impl Fn(&mut Collector<'a>),
) -> Names {
    let mut collector = Collector::new(sharing, None);
    visit(&mut collector);
    let names = collector.finish();
    if names.queries.is_empty() {
        return names;
    }
    let read = |it: &Query| (it.range.start, sql::analyze(&it.text));
    let facts = facts.get_or_init(|| names.queries.iter().map(read).collect());
    let mut collector = Collector::new(sharing, Some(facts));
    visit(&mut collector);
    collector.finish()
}

pub(super) fn bytes(range: TextRange) -> Range<u32> {
    range.start().to_u32()..range.end().to_u32()
}
