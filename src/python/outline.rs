//! The top level of a Python file, as plain data.
//!
//! In: a text. Out: [`Outline`]: what stands at the top of the file, with just enough detail to
//! recognize the statements of a marimo notebook, and the names of any of them on request.

use std::ops::Range;

use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{self as ast, Expr, ModModule, Stmt};
use ruff_python_parser::Parsed;
use ruff_text_size::{Ranged, TextSize};

use super::names::{self, Names, bytes};
use super::{SyntaxError, tokens};

/// The top level of a file that parses.
#[derive(Debug)]
pub struct Outline {
    /// Statements in order.
    pub statements: Vec<Statement>,
    /// Strings that span lines, in order: from the opening to the closing quote.
    pub long_strings: Vec<Range<u32>>,
    parsed: Parsed<ModModule>,
}

/// A statement at the top of a file.
#[derive(Debug)]
pub struct Statement {
    /// First to last byte, decorators included, trailing comment excluded.
    pub range: Range<u32>,
    /// Its kind.
    pub kind: StatementKind,
}

/// Kinds of statements at the top of a file.
#[derive(Debug)]
pub enum StatementKind {
    /// A string on its own: a docstring.
    Text,
    /// `import a.b as c, …`: the first module and its alias.
    Import {
        /// `a.b`.
        module: String,
        /// `c`.
        alias: Option<String>,
    },
    /// `target = value`, with one name as target.
    Assign {
        /// The name.
        target: String,
        /// The value, if it is a call.
        call: Option<Call>,
    },
    /// A call whose value is dropped.
    Call(Call),
    /// A function or a class.
    Definition(Definition),
    /// `with context:`, with one item.
    With {
        /// `app.setup` or `app.setup(…)`.
        context: Decorator,
        /// Range of the first statement.
        first: Range<u32>,
    },
    /// `if __name__ == "__main__": app.run()`.
    RunGuard,
    /// Anything else.
    Other,
}

/// A function or a class.
#[derive(Debug)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// Whether it is a class.
    pub is_class: bool,
    /// Decorators in order.
    pub decorators: Vec<Decorator>,
    /// Offset of `def`, `async` or `class`.
    pub keyword: u32,
    /// Offset of the line after the signature; `None` when the body is on the signature's line.
    pub body: Option<u32>,
    /// Length of the first token of a body on the signature's line.
    pub first_token: u32,
    /// Whether the first statement is `...`.
    pub starts_with_ellipsis: bool,
    /// Ranges of the statements of the body.
    pub statements: Vec<Range<u32>>,
    /// Whether the last statement is a `return`.
    pub ends_with_return: bool,
}

/// A decorator, or the context of a `with`: a dotted name, called or not.
#[derive(Debug)]
pub struct Decorator {
    /// Range of the expression.
    pub range: Range<u32>,
    /// `app.cell`; `None` for anything that is not a dotted name.
    pub path: Option<String>,
    /// Arguments, when it is called.
    pub arguments: Vec<Argument>,
}

/// A call of a dotted name.
#[derive(Debug)]
pub struct Call {
    /// `marimo.App`.
    pub path: String,
    /// Positional arguments.
    pub positional: Vec<Constant>,
    /// Keyword arguments.
    pub keywords: Vec<Argument>,
}

/// A keyword argument.
#[derive(Debug)]
pub struct Argument {
    /// Range of the argument.
    pub range: Range<u32>,
    /// Name; `None` for `**options`.
    pub name: Option<String>,
    /// Value.
    pub value: Constant,
}

/// The value of an expression, as far as it is a constant.
#[derive(Debug, Clone, PartialEq)]
pub enum Constant {
    /// `None`.
    None,
    /// `True`, `False`.
    Bool(bool),
    /// A whole number that fits.
    Int(i64),
    /// A string.
    Str(String),
    /// A list of constants.
    List(Vec<Constant>),
    /// Another constant: a float, bytes, `...`.
    OtherConstant,
    /// No constant.
    Expression,
}

impl Outline {
    /// Reads the top level of a text.
    ///
    /// # Errors
    /// The syntax errors.
    pub fn parse(text: &str) -> Result<Self, Vec<SyntaxError>> {
        let parsed = super::parse(text)?;
        let body = &parsed.syntax().body;
        let statements = body.iter().map(|it| statement(it, &parsed, text)).collect();
        let long_strings = tokens::long_ranges(parsed.tokens(), text);
        Ok(Self { statements, long_strings, parsed })
    }

    /// Names of the body of a function or of a `with`, without a final `return`; `text` is the one
    /// that was parsed.
    pub fn body_names(&self, index: usize, text: &str) -> Names {
        let body: &[Stmt] = match self.parsed.syntax().body.get(index) {
            Some(Stmt::FunctionDef(it)) => &it.body,
            Some(Stmt::ClassDef(it)) => &it.body,
            Some(Stmt::With(it)) => &it.body,
            _ => &[],
        };
        let body = match body {
            [rest @ .., Stmt::Return(_)] => rest,
            all => all,
        };
        let mut names = names::collect(body, names::Sharing::PublicOnly);
        names.refuse(body, text, names::Sharing::PublicOnly);
        names
    }

    /// Names of a definition whose first `skipped` decorators are not there.
    pub fn definition_names(&self, index: usize, skipped: usize, text: &str) -> Names {
        let Some(statement) = self.parsed.syntax().body.get(index) else { return Names::default() };
        let mut names = names::collect_definition(statement, skipped);
        names.refuse(std::slice::from_ref(statement), text, names::Sharing::PublicOnly);
        names
    }
}

fn statement(statement: &Stmt, parsed: &Parsed<ModModule>, text: &str) -> Statement {
    let kind = match statement {
        Stmt::Expr(it) => match &*it.value {
            Expr::StringLiteral(_) => StatementKind::Text,
            Expr::Call(it) => call(it).map_or(StatementKind::Other, StatementKind::Call),
            _ => StatementKind::Other,
        },
        Stmt::Import(it) => match it.names.first() {
            Some(first) => StatementKind::Import {
                module: first.name.to_string(),
                alias: first.asname.as_ref().map(ToString::to_string),
            },
            None => StatementKind::Other,
        },
        Stmt::Assign(it) => match &*it.targets {
            [Expr::Name(target)] => StatementKind::Assign {
                target: target.id.to_string(),
                call: it.value.as_call_expr().and_then(call),
            },
            _ => StatementKind::Other,
        },
        Stmt::FunctionDef(it) => {
            let signature = it.returns.as_ref().map_or(it.parameters.end(), |it| it.end());
            StatementKind::Definition(definition(
                &it.name,
                &it.decorator_list,
                &it.body,
                Part { start: it.start(), signature, is_class: false },
                parsed,
                text,
            ))
        }
        Stmt::ClassDef(it) => {
            let signature = it.arguments.as_ref().map_or(it.name.end(), |it| it.end());
            StatementKind::Definition(definition(
                &it.name,
                &it.decorator_list,
                &it.body,
                Part { start: it.start(), signature, is_class: true },
                parsed,
                text,
            ))
        }
        Stmt::With(it) => match (&*it.items, it.body.first()) {
            ([item], Some(first)) => StatementKind::With {
                context: decorator(&item.context_expr),
                first: bytes(first.range()),
            },
            _ => StatementKind::Other,
        },
        Stmt::If(it) if is_run_guard(it) => StatementKind::RunGuard,
        _ => StatementKind::Other,
    };
    Statement { range: bytes(statement.range()), kind }
}

#[derive(Clone, Copy)]
struct Part {
    start: TextSize,
    signature: TextSize,
    is_class: bool,
}

fn definition(
    name: &ast::Identifier,
    decorators: &[ast::Decorator],
    body: &[Stmt],
    part: Part,
    parsed: &Parsed<ModModule>,
    text: &str,
) -> Definition {
    let after_decorators = decorators.last().map_or(part.start, Ranged::end);
    let keyword = parsed
        .tokens()
        .after(after_decorators)
        .iter()
        .find(|it| matches!(it.kind(), TokenKind::Def | TokenKind::Async | TokenKind::Class));
    let keyword = keyword.map_or(part.start, Ranged::start);
    let mut after = parsed.tokens().after(part.signature).iter();
    after.by_ref().find(|it| it.kind() == TokenKind::Colon);
    let first = after.clone().find(|it| it.kind() != TokenKind::Comment);
    let starts_line = first.is_some_and(|it| it.kind() == TokenKind::Newline);
    Definition {
        name: name.to_string(),
        is_class: part.is_class,
        decorators: decorators.iter().map(|it| decorator(&it.expression)).collect(),
        keyword: keyword.to_u32(),
        body: first.filter(|_| starts_line).map(|it| line_end(text, it.range())),
        first_token: first.map_or(0, |it| it.range().len().to_u32()),
        starts_with_ellipsis: body
            .first()
            .is_some_and(|it| matches!(it, Stmt::Expr(it) if it.value.is_ellipsis_literal_expr())),
        statements: body.iter().map(|it| bytes(it.range())).collect(),
        ends_with_return: body.last().is_some_and(Stmt::is_return_stmt),
    }
}

/// The lexer makes one token of `\r\n`, but also of a lone `\r`.
fn line_end(text: &str, newline: ruff_text_size::TextRange) -> u32 {
    let end = newline.end().to_u32();
    let crlf = text.get(newline.start().to_usize()..).is_some_and(|it| it.starts_with("\r\n"));
    if crlf { end.max(newline.start().to_u32() + 2) } else { end }
}

fn decorator(expression: &Expr) -> Decorator {
    let (function, arguments) = match expression {
        Expr::Call(call) => (&*call.func, call.arguments.keywords.iter().map(argument).collect()),
        other => (other, Vec::new()),
    };
    Decorator { range: bytes(expression.range()), path: dotted(function), arguments }
}

fn call(call: &ast::ExprCall) -> Option<Call> {
    Some(Call {
        path: dotted(&call.func)?,
        positional: call.arguments.args.iter().map(constant).collect(),
        keywords: call.arguments.keywords.iter().map(argument).collect(),
    })
}

fn argument(keyword: &ast::Keyword) -> Argument {
    Argument {
        range: bytes(keyword.range()),
        name: keyword.arg.as_ref().map(ToString::to_string),
        value: constant(&keyword.value),
    }
}

fn dotted(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Name(name) => Some(name.id.to_string()),
        Expr::Attribute(it) => Some(dotted(&it.value)? + "." + &it.attr),
        _ => None,
    }
}

fn constant(expression: &Expr) -> Constant {
    match expression {
        Expr::NoneLiteral(_) => Constant::None,
        Expr::BooleanLiteral(it) => Constant::Bool(it.value),
        Expr::StringLiteral(it) => Constant::Str(it.value.to_str().to_owned()),
        Expr::NumberLiteral(it) => match &it.value {
            ast::Number::Int(value) => {
                value.as_i64().map_or(Constant::OtherConstant, Constant::Int)
            }
            _ => Constant::OtherConstant,
        },
        Expr::BytesLiteral(_) | Expr::EllipsisLiteral(_) => Constant::OtherConstant,
        Expr::List(it) => Constant::List(it.elts.iter().map(constant).collect()),
        _ => Constant::Expression,
    }
}

/// marimo compares the tree with that of `if __name__ == "__main__": app.run()`, but only as far
/// as the first field that is a node: the test.
fn is_run_guard(statement: &ast::StmtIf) -> bool {
    let Expr::Compare(compare) = &*statement.test else { return false };
    compare.left.as_name_expr().is_some_and(|it| it.id.as_str() == "__name__")
}
