//! Tables in the queries of `mo.sql(…)`: what a statement makes and what it reads.
//!
//! In: SQL, with `1` for every `{…}` of an f-string. Out: [`Facts`]. marimo asks DuckDB's tokenizer
//! for definitions and sqlglot for references; this module asks one SQL parser for both, and
//! falls back to its tokens for what the parser does not know.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{ObjectName, Query, Statement, TableFactor, Visit, Visitor};
use sqlparser::dialect::DuckDbDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

/// A longer statement is not parsed: the tree of `1+1+1+…` is as deep as it is long.
const MAX_TOKENS: usize = 3000;

/// File names that DuckDB reads as tables.
const FILES: [&str; 7] = [".csv", ".parquet", ".json", ".txt", ".db", ".tsv", ".xlsx"];

/// Kinds of objects that a statement creates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// `CREATE TABLE`.
    Table,
    /// `CREATE VIEW`.
    View,
    /// `CREATE SCHEMA`.
    Schema,
    /// `ATTACH`.
    Catalog,
}

/// Something that a statement makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlObject {
    /// Its kind.
    pub kind: ObjectKind,
    /// `catalog.schema.table`, as far as it was written, lowercase.
    pub qualified: String,
}

/// A table that a statement reads, as it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SqlReference {
    /// Name of the table.
    pub table: String,
    /// Schema, or catalog: nobody can tell.
    pub schema: Option<String>,
    /// Catalog.
    pub catalog: Option<String>,
}

/// Definitions and references of a query, in the order in which marimo meets them.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// (name, object).
    pub(super) objects: Vec<(String, SqlObject)>,
    /// (qualified name, reference).
    pub(super) references: Vec<(String, SqlReference)>,
}

impl SqlReference {
    fn from_parts(mut parts: Vec<String>) -> Option<Self> {
        let table = parts.pop().filter(|it| !it.is_empty())?;
        if table.contains("://") || FILES.iter().any(|it| table.ends_with(it)) {
            return None;
        }
        Some(Self { table, schema: parts.pop(), catalog: parts.pop() })
    }

    /// `catalog.schema.table`, lowercase.
    pub fn qualified(&self) -> String {
        let parts = [self.catalog.as_deref(), self.schema.as_deref(), Some(&self.table)];
        parts.into_iter().flatten().collect::<Vec<_>>().join(".").to_lowercase()
    }

    /// Whether a definition of this name and kind may be a part of this reference.
    pub fn contains(&self, name: &str, kind: ObjectKind) -> bool {
        match kind {
            ObjectKind::Table | ObjectKind::View => name == self.table,
            ObjectKind::Catalog => {
                [&self.catalog, &self.schema].iter().any(|it| it.as_deref() == Some(name))
            }
            ObjectKind::Schema => false,
        }
    }

    /// marimo's `matches_hierarchical_ref`: whether this reference needs the object `name`, given
    /// the full name of a definition or reference. `None` is any kind.
    pub fn matches(&self, name: &str, full: &str, kind: Option<ObjectKind>) -> bool {
        let (full, name) = (full.to_lowercase(), name.to_lowercase());
        let parts: Vec<&str> = full.split('.').collect();
        let (schema, catalog) = (self.schema.as_deref(), self.catalog.as_deref());
        let name = name.as_str();
        let part = |at: usize| parts.get(at).copied();
        let mut kind = kind;
        if kind == Some(ObjectKind::Catalog) {
            if catalog.is_some() {
                return catalog == Some(name) && part(0) == Some(name);
            }
            kind = Some(ObjectKind::Schema);
        }
        if kind == Some(ObjectKind::Schema) {
            let at = usize::from(parts.len() >= 3);
            return schema == Some(name) && part(at) == Some(name);
        }
        let any_part = || catalog == Some(name) || schema == Some(name) || name == self.table;
        match *parts.as_slice() {
            [table] => name == self.table && name == table,
            [qualifier, table] => {
                if schema.is_none() && catalog.is_none() {
                    return name == self.table && name == table;
                }
                (schema == Some(qualifier) || catalog == Some(qualifier)) && any_part()
            }
            [first, second, _] => {
                if let Some(catalog) = catalog {
                    if first != catalog {
                        return false;
                    }
                    if schema != Some(second) {
                        return name == catalog && kind.is_none();
                    }
                } else if let Some(schema) = schema {
                    return second == schema && name == schema && kind.is_none();
                }
                any_part()
            }
            _ => false,
        }
    }
}

/// Reads the statements of a query.
pub(super) fn analyze(sql: &str) -> Facts {
    let mut facts = Facts::default();
    let dialect = DuckDbDialect {};
    let Ok(mut tokens) = Tokenizer::new(&dialect, sql).tokenize() else { return facts };
    // `25_000` comes out as a number and a word.
    for at in 1..tokens.len() {
        if let Some([Token::Number(..), word @ Token::Word(_)]) = tokens.get_mut(at - 1..=at)
            && matches!(word, Token::Word(it) if it.value.starts_with('_'))
        {
            *word = Token::Whitespace(Whitespace::Space);
        }
    }
    let mut defined: BTreeSet<String> = BTreeSet::new();
    for statement in tokens.split(|it| *it == Token::SemiColon) {
        let significant: Vec<Token> =
            statement.iter().filter(|it| !matches!(it, Token::Whitespace(_))).cloned().collect();
        if significant.is_empty() {
            continue;
        }
        for (name, object) in objects(&significant) {
            defined.insert(object.qualified.clone());
            facts.objects.push((name, object));
        }
        let parsed = if significant.len() <= MAX_TOKENS {
            Parser::new(&dialect).with_tokens(significant.clone()).parse_statements().ok()
        } else {
            None
        };
        let found = match parsed {
            Some(statements) => parsed_references(&statements),
            // A query that is broken reads nothing, says marimo; but these the parser does not know.
            None if is_extension(&significant) => token_references(&significant),
            None => BTreeSet::new(),
        };
        for reference in found {
            let qualified = reference.qualified();
            if !defined.contains(&qualified) {
                facts.references.push((qualified, reference));
            }
        }
    }
    facts
}

fn keyword(token: Option<&Token>) -> Option<Keyword> {
    match token {
        Some(Token::Word(word)) if word.quote_style.is_none() => Some(word.keyword),
        _ => None,
    }
}

fn text(token: Option<&Token>) -> Option<String> {
    match token? {
        Token::Word(word) => Some(word.value.clone()),
        Token::SingleQuotedString(text) => Some(text.clone()),
        Token::Number(text, _) => Some(text.clone()),
        _ => None,
    }
}

/// A dotted name and the index after it.
fn dotted(tokens: &[Token], mut at: usize) -> (Vec<String>, usize) {
    let mut parts = Vec::new();
    while let Some(part) = text(tokens.get(at)) {
        parts.push(part);
        at += 1;
        if tokens.get(at) != Some(&Token::Period) {
            break;
        }
        at += 1;
    }
    (parts, at)
}

type Named = (String, SqlObject);

/// The object of a `CREATE`, whose next token is at `at`, and the index behind it.
fn created(tokens: &[Token], mut at: usize) -> (Option<Named>, usize) {
    let word = |at: usize| keyword(tokens.get(at));
    if word(at) == Some(Keyword::OR) {
        at += 2;
    }
    if matches!(word(at), Some(Keyword::TEMP | Keyword::TEMPORARY)) {
        at += 1;
    }
    let kind = match word(at) {
        Some(Keyword::TABLE) => ObjectKind::Table,
        Some(Keyword::VIEW) => ObjectKind::View,
        Some(Keyword::SCHEMA) => ObjectKind::Schema,
        _ => return (None, at),
    };
    at += 1;
    if word(at) == Some(Keyword::IF) {
        at += 3;
    }
    let (parts, after) = dotted(tokens, at);
    at = after.max(at);
    let Some(last) = parts.last() else { return (None, at) };
    let object = if kind == ObjectKind::Schema {
        (last.clone(), SqlObject { kind, qualified: last.clone() })
    } else {
        let qualified = parts.join(".").to_lowercase();
        (last.to_lowercase(), SqlObject { kind, qualified })
    };
    (Some(object), at)
}

/// The catalog of an `ATTACH`, whose next token is at `at`, and the index behind it.
fn attached(tokens: &[Token], mut at: usize) -> (Option<Named>, usize) {
    let word = |at: usize| keyword(tokens.get(at));
    if word(at) == Some(Keyword::DATABASE) {
        at += 1;
    }
    if word(at) == Some(Keyword::IF) {
        at += 3;
    }
    let mut name = text(tokens.get(at)).map(|it| {
        let it = if it.contains('.') { it.split('.').next().unwrap_or("").to_owned() } else { it };
        it.split(':').nth(1).map_or(it.clone(), str::to_owned)
    });
    at += 1;
    if word(at) == Some(Keyword::AS) {
        name = text(tokens.get(at + 1)).or(name);
        at += 2;
    }
    let object = name.filter(|it| !it.is_empty()).map(|name| {
        let kind = ObjectKind::Catalog;
        (name.clone(), SqlObject { kind, qualified: name })
    });
    (object, at)
}

/// Objects made by `CREATE` and `ATTACH`.
fn objects(tokens: &[Token]) -> Vec<Named> {
    let mut found = Vec::new();
    let word = |at: usize| keyword(tokens.get(at));
    let mut at = 0;
    while at < tokens.len() {
        match word(at) {
            Some(Keyword::CREATE) => {
                let (object, after) = created(tokens, at + 1);
                found.extend(object);
                at = after;
            }
            Some(Keyword::ATTACH) => {
                let (object, after) = attached(tokens, at + 1);
                found.extend(object);
                at = after;
            }
            _ => at += 1,
        }
    }
    found
}

#[derive(Default)]
struct Relations {
    /// Names of the common table expressions of the queries around.
    scopes: Vec<BTreeSet<String>>,
    functions: BTreeSet<String>,
    found: BTreeSet<SqlReference>,
}

fn parts(name: &ObjectName) -> Vec<String> {
    name.0.iter().map(|it| it.as_ident().map_or(String::new(), |it| it.value.clone())).collect()
}

impl Visitor for Relations {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let tables = query.with.iter().flat_map(|it| &it.cte_tables);
        self.scopes.push(tables.map(|it| it.alias.name.value.to_lowercase()).collect());
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args: Some(_), .. } = factor {
            self.functions.insert(name.to_string());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
        let parts = parts(name);
        let is_local = parts.len() == 1
            && parts.first().is_some_and(|name| {
                let name = name.to_lowercase();
                self.scopes.iter().any(|it| it.contains(&name))
            });
        if !is_local && !self.functions.contains(&name.to_string()) {
            self.found.extend(SqlReference::from_parts(parts));
        }
        ControlFlow::Continue(())
    }
}

fn parsed_references(statements: &[Statement]) -> BTreeSet<SqlReference> {
    let mut relations = Relations::default();
    for statement in statements {
        // sqlglot does not look into them.
        if is_skipped(statement) {
            continue;
        }
        let _ = statement.visit(&mut relations);
    }
    relations.found
}

/// Statements of DuckDB that the parser has no tree for.
fn is_extension(tokens: &[Token]) -> bool {
    let first = text(tokens.first()).unwrap_or_default().to_ascii_uppercase();
    ["PIVOT", "UNPIVOT", "SUMMARIZE", "FROM", "COPY", "WITH"].contains(&first.as_str())
}

/// Names after `FROM`, `JOIN`, `INTO`, `UPDATE` and the commas of a `FROM`.
fn token_references(tokens: &[Token]) -> BTreeSet<SqlReference> {
    let mut local: BTreeSet<String> = BTreeSet::new();
    for window in tokens.windows(3) {
        if let [Token::Word(name), Token::Word(word), Token::LParen] = window
            && word.keyword == Keyword::AS
        {
            local.insert(name.value.to_lowercase());
        }
    }
    let mut found = BTreeSet::new();
    for (at, token) in tokens.iter().enumerate() {
        let starts = matches!(
            keyword(Some(token)),
            Some(
                Keyword::FROM
                    | Keyword::JOIN
                    | Keyword::INTO
                    | Keyword::UPDATE
                    | Keyword::DESCRIBE
                    | Keyword::PIVOT
                    | Keyword::UNPIVOT
            )
        );
        if !starts
            || !matches!(tokens.get(at + 1), Some(Token::Word(_) | Token::SingleQuotedString(_)))
        {
            continue;
        }
        let (parts, after) = dotted(tokens, at + 1);
        let is_call = tokens.get(after) == Some(&Token::LParen);
        let is_local = matches!(&*parts, [one] if local.contains(&one.to_lowercase()));
        let is_keyword = parts.len() == 1
            && matches!(keyword(tokens.get(at + 1)), Some(Keyword::SELECT | Keyword::TABLE));
        if !is_call && !is_local && !is_keyword {
            found.extend(SqlReference::from_parts(parts));
        }
    }
    found
}

fn is_skipped(statement: &Statement) -> bool {
    use sqlparser::ast::DescribeAlias;
    match statement {
        Statement::Explain { describe_alias, .. } => *describe_alias == DescribeAlias::Explain,
        Statement::ShowColumns { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &str) -> String {
        let facts = analyze(sql);
        let made: Vec<&str> = facts.objects.iter().map(|(name, _)| name.as_str()).collect();
        let read: Vec<&str> = facts.references.iter().map(|(name, _)| name.as_str()).collect();
        format!("{} <- {}", made.join(" "), read.join(" "))
    }

    #[test]
    fn tables_are_made_and_read() {
        assert_eq!(
            check("CREATE OR REPLACE TABLE a.B AS SELECT * FROM c JOIN d.e USING (x)"),
            "b <- c d.e"
        );
        assert_eq!(check("CREATE VIEW v AS FROM t; SELECT * FROM v"), "v <- t");
        assert_eq!(check("ATTACH 'x/y.db' AS y; CREATE SCHEMA IF NOT EXISTS S"), "y S <- ");
        assert_eq!(
            check("WITH q AS (SELECT * FROM t) SELECT * FROM q, main.q LIMIT 1_000"),
            " <- main.q t"
        );
        assert_eq!(check("SELECT * FROM 'f.csv', read_csv('g.csv'), \"h.parquet\""), " <- ");
        assert_eq!(check("SELECT * FROM t WHERE"), " <- ");
    }

    #[test]
    fn a_hostile_query_is_no_overflow() {
        let chain = format!("SELECT {} FROM t", "1+".repeat(100_000));
        for sql in [
            chain,
            "(".repeat(100_000),
            "SELECT (".repeat(10_000),
            "'".to_owned(),
            "\0;;".to_owned(),
        ] {
            check(&sql);
        }
    }
}
