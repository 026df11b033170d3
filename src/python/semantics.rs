//! Errors that Python's compiler reports, and its parser does not: `return` outside a function,
//! `nonlocal` without a binding, a name that is declared `global` too late.
//!
//! In: statements that parse, taken as a module where `await` may stand at the top, which is how
//! marimo and IPython compile a cell. Out: every error; a cell that has one never runs.
//!
//! The parser's crate knows the rules and asks where it is; this file walks the tree and answers.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Alias, Comprehension, ExceptHandler, Expr, ExprContext, Identifier, Keyword, Parameters,
    Pattern, PythonVersion, Stmt, StmtClassDef, StmtFunctionDef, StmtImportFrom, StmtTry,
    TypeParams,
};
use ruff_python_parser::semantic_errors::{
    LazyImportContext, SemanticSyntaxChecker, SemanticSyntaxContext, SemanticSyntaxError,
};
use ruff_text_size::{Ranged, TextRange};

use super::SyntaxError;
use super::names::bytes;

/// The crate compares all type parameters with each other, and the text is hostile.
const MOST_TYPE_PARAMETERS: usize = 200;

/// Every error in a run of statements, in the order of their places.
pub(super) fn check(body: &[Stmt], text: &str) -> Vec<SyntaxError> {
    let whole = match (body.first(), body.last()) {
        (Some(first), Some(last)) => first.start().to_usize()..last.end().to_usize(),
        _ => return Vec::new(),
    };
    let own = text.get(whole).unwrap_or(text);
    let mut walk = Walk {
        text,
        scopes: Vec::new(),
        has_future_annotations: body.iter().any(is_future_annotations),
        has_declarations: own.contains("global") || own.contains("nonlocal"),
        checker: SemanticSyntaxChecker::new(),
        errors: RefCell::default(),
    };
    walk.inside(Kind::Module, Owner::Body(body), |walk| walk.visit_body(body));
    let mut errors = walk.errors.into_inner();
    errors.sort_by_key(|it| (it.range.start, it.range.end));
    errors.dedup_by_key(|it| it.range.clone());
    errors
}

fn is_future_annotations(statement: &Stmt) -> bool {
    let Stmt::ImportFrom(StmtImportFrom { module, names, .. }) = statement else { return false };
    module.as_deref() == Some("__future__")
        && names.iter().any(|it| it.name.as_str() == "annotations")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Module,
    Class,
    Function { is_async: bool },
    Lambda,
    Comprehension { is_generator: bool },
}

/// The syntax that binds a scope's names.
#[derive(Debug, Clone, Copy)]
enum Owner<'a> {
    Body(&'a [Stmt]),
    Function(&'a Parameters, &'a [Stmt]),
    Lambda(Option<&'a Parameters>),
    Comprehension,
}

#[derive(Debug)]
struct Scope<'a> {
    kind: Kind,
    owner: Owner<'a>,
    loops: u32,
    tries: u32,
    starred: u32,
    /// Asked for only where a name is declared, which is rare.
    parameters: OnceCell<BTreeSet<&'a str>>,
    bindings: OnceCell<BTreeSet<&'a str>>,
    declared: Declared<'a>,
}

/// Names that a scope declares, with the place of the declaration.
#[derive(Debug, Default)]
struct Declared<'a> {
    global: BTreeMap<&'a str, TextRange>,
    nonlocal: BTreeMap<&'a str, TextRange>,
}

struct Walk<'a> {
    text: &'a str,
    scopes: Vec<Scope<'a>>,
    has_future_annotations: bool,
    has_declarations: bool,
    checker: SemanticSyntaxChecker,
    errors: RefCell<Vec<SyntaxError>>,
}

impl<'a> Scope<'a> {
    fn parameters(&self) -> &BTreeSet<&'a str> {
        self.parameters.get_or_init(|| match self.owner {
            Owner::Function(parameters, _) | Owner::Lambda(Some(parameters)) => {
                parameters.iter().map(|it| it.name().as_str()).collect()
            }
            _ => BTreeSet::new(),
        })
    }

    fn binds(&self, name: &str) -> bool {
        let bindings = self.bindings.get_or_init(|| match self.owner {
            Owner::Body(body) | Owner::Function(_, body) => {
                let mut found = Bindings::default();
                found.visit_body(body);
                let Declared { global, nonlocal } = &found.declared;
                let other = |it: &&str| global.contains_key(*it) || nonlocal.contains_key(*it);
                found.names.into_iter().filter(|it| !other(it)).collect()
            }
            _ => BTreeSet::new(),
        });
        self.parameters().contains(name) || bindings.contains(name)
    }
}

impl<'a> Walk<'a> {
    fn inside<R>(&mut self, kind: Kind, owner: Owner<'a>, visit: impl FnOnce(&mut Self) -> R) -> R {
        let mut declared = Declared::default();
        if self.has_declarations
            && let Owner::Body(body) | Owner::Function(_, body) = owner
        {
            let mut found = Declarations::default();
            found.visit_body(body);
            declared = found.0;
        }
        self.scopes.push(Scope {
            kind,
            owner,
            loops: 0,
            tries: 0,
            starred: 0,
            parameters: OnceCell::new(),
            bindings: OnceCell::new(),
            declared,
        });
        let result = visit(self);
        self.scopes.pop();
        result
    }

    fn kind(&self) -> Kind {
        self.scopes.last().map_or(Kind::Module, |it| it.kind)
    }

    /// Kinds of the scopes around, from the inside.
    fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.scopes.iter().rev().map(|it| it.kind)
    }

    /// The scope around a comprehension.
    fn around_comprehensions(&self) -> Kind {
        let mut kinds = self.kinds();
        kinds.find(|it| !matches!(it, Kind::Comprehension { .. })).unwrap_or(Kind::Module)
    }

    fn loops(&mut self, visit: impl FnOnce(&mut Self)) {
        let change = |walk: &mut Self, by: i32| {
            if let Some(scope) = walk.scopes.last_mut() {
                scope.loops = scope.loops.saturating_add_signed(by);
            }
        };
        change(self, 1);
        visit(self);
        change(self, -1);
    }

    /// An `except*` block, which nothing but its end and an exception leaves.
    fn starred(&mut self, handler: &'a ExceptHandler) {
        let Some(scope) = self.scopes.last_mut() else { return };
        let loops = std::mem::take(&mut scope.loops);
        scope.starred += 1;
        self.visit_except_handler(handler);
        let Some(scope) = self.scopes.last_mut() else { return };
        scope.loops = loops;
        scope.starred -= 1;
    }

    fn tries(&mut self, by: i32) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.tries = scope.tries.saturating_add_signed(by);
        }
    }

    fn error(&self, range: TextRange, message: impl Into<String>) {
        self.errors.borrow_mut().push(SyntaxError::new(bytes(range), message));
    }

    /// A name that is used, or bound other than by an expression, before it is declared.
    fn used(&self, name: &str, range: TextRange, is_expression: bool) {
        let Some(scope) = self.scopes.last() else { return };
        let late = |map: &BTreeMap<&str, TextRange>| {
            map.get(name).is_some_and(|it| range.start() < it.start())
        };
        if late(&scope.declared.nonlocal) {
            self.error(range, format!("`{name}` is used before it is declared `nonlocal`"));
        } else if !is_expression && late(&scope.declared.global) {
            self.error(range, format!("`{name}` is used before it is declared `global`"));
        }
    }

    fn debug(&self, name: &Identifier) {
        if name.as_str() == "__debug__" {
            self.error(name.range(), "cannot assign to `__debug__`");
        }
    }

    fn bound(&self, name: &Identifier) {
        self.used(name.as_str(), name.range(), false);
    }

    fn both(&self, names: &[Identifier]) {
        let Some(Scope { declared, .. }) = self.scopes.last() else { return };
        for name in names {
            let key = name.as_str();
            if declared.global.contains_key(key) && declared.nonlocal.contains_key(key) {
                self.error(name.range(), format!("`{name}` is both `nonlocal` and `global`"));
            }
        }
    }

    fn function(&mut self, function: &'a StmtFunctionDef) {
        self.bound(&function.name);
        for decorator in &function.decorator_list {
            self.visit_decorator(decorator);
        }
        if let Some(parameters) = &function.type_params {
            self.visit_type_params(parameters);
        }
        self.visit_parameters(&function.parameters);
        if let Some(returns) = &function.returns {
            self.visit_annotation(returns);
        }
        let owner = Owner::Function(&function.parameters, &function.body);
        let kind = Kind::Function { is_async: function.is_async };
        self.inside(kind, owner, |walk| walk.visit_body(&function.body));
    }

    fn class(&mut self, class: &'a StmtClassDef) {
        self.bound(&class.name);
        for decorator in &class.decorator_list {
            self.visit_decorator(decorator);
        }
        if let Some(parameters) = &class.type_params {
            self.visit_type_params(parameters);
        }
        if let Some(arguments) = &class.arguments {
            self.visit_arguments(arguments);
        }
        let owner = Owner::Body(&class.body);
        self.inside(Kind::Class, owner, |walk| walk.visit_body(&class.body));
    }

    fn try_statement(&mut self, it: &'a StmtTry) {
        let before_last = it.handlers.split_last().map_or(&[][..], |(_, rest)| rest);
        for ExceptHandler::ExceptHandler(handler) in before_last {
            if handler.type_.is_none() {
                self.error(handler.range(), "an `except` without a type must be the last");
            }
        }
        self.tries(1);
        self.visit_body(&it.body);
        for handler in &it.handlers {
            if it.is_star {
                self.starred(handler);
            } else {
                self.visit_except_handler(handler);
            }
        }
        self.visit_body(&it.orelse);
        self.visit_body(&it.finalbody);
        self.tries(-1);
    }

    fn comprehension(&mut self, kind: Kind, clauses: &'a [Comprehension], parts: &[&'a Expr]) {
        // The first iterable is looked up outside.
        if let Some(first) = clauses.first() {
            self.visit_expr(&first.iter);
        }
        self.inside(kind, Owner::Comprehension, |walk| {
            for (at, clause) in clauses.iter().enumerate() {
                if at > 0 {
                    walk.visit_expr(&clause.iter);
                }
                walk.visit_expr(&clause.target);
                for condition in &clause.ifs {
                    walk.visit_expr(condition);
                }
            }
            for part in parts {
                walk.visit_expr(part);
            }
        });
    }
}

impl<'a> Visitor<'a> for Walk<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if type_parameters(statement).is_none_or(|it| it.len() <= MOST_TYPE_PARAMETERS) {
            let mut checker = std::mem::take(&mut self.checker);
            checker.visit_stmt(statement, self);
            self.checker = checker;
        }
        match statement {
            Stmt::FunctionDef(function) => self.function(function),
            Stmt::ClassDef(class) => self.class(class),
            Stmt::For(it) => {
                self.visit_expr(&it.iter);
                self.visit_expr(&it.target);
                self.loops(|walk| walk.visit_body(&it.body));
                self.visit_body(&it.orelse);
            }
            Stmt::While(it) => {
                self.visit_expr(&it.test);
                self.loops(|walk| walk.visit_body(&it.body));
                self.visit_body(&it.orelse);
            }
            Stmt::Try(it) => self.try_statement(it),
            Stmt::Return(_) if self.scopes.last().is_some_and(|it| it.starred > 0) => {
                self.error(statement.range(), "`return` in an `except*` block");
                visitor::walk_stmt(self, statement);
            }
            Stmt::Nonlocal(it) => self.both(&it.names),
            Stmt::AnnAssign(it) => {
                if let (Expr::Name(name), Some(scope)) = (&*it.target, self.scopes.last())
                    && scope.declared.nonlocal.contains_key(name.id.as_str())
                {
                    self.error(name.range(), "an annotated name cannot be `nonlocal`");
                }
                visitor::walk_stmt(self, statement);
            }
            other => visitor::walk_stmt(self, other),
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::NumberLiteral(_)
            | Expr::StringLiteral(_)
            | Expr::BytesLiteral(_)
            | Expr::BooleanLiteral(_)
            | Expr::NoneLiteral(_)
            | Expr::EllipsisLiteral(_) => return,
            Expr::Name(name) if self.has_declarations => {
                self.used(name.id.as_str(), name.range(), true);
            }
            Expr::Name(name) if name.ctx == ExprContext::Load => return,
            Expr::Attribute(it) if it.ctx != ExprContext::Load => self.debug(&it.attr),
            _ => {}
        }
        let mut checker = std::mem::take(&mut self.checker);
        checker.visit_expr(expression, self);
        self.checker = checker;
        let clauses = Kind::Comprehension { is_generator: false };
        match expression {
            Expr::ListComp(it) => self.comprehension(clauses, &it.generators, &[&it.elt]),
            Expr::SetComp(it) => self.comprehension(clauses, &it.generators, &[&it.elt]),
            Expr::Generator(it) => {
                let kind = Kind::Comprehension { is_generator: true };
                self.comprehension(kind, &it.generators, &[&it.elt]);
            }
            Expr::DictComp(it) => {
                let parts: Vec<&Expr> =
                    it.key.as_deref().into_iter().chain(std::iter::once(&*it.value)).collect();
                self.comprehension(clauses, &it.generators, &parts);
            }
            Expr::Lambda(it) => {
                if let Some(parameters) = &it.parameters {
                    self.visit_parameters(parameters);
                }
                let owner = Owner::Lambda(it.parameters.as_deref());
                self.inside(Kind::Lambda, owner, |walk| walk.visit_expr(&it.body));
            }
            other => visitor::walk_expr(self, other),
        }
    }

    fn visit_keyword(&mut self, keyword: &'a Keyword) {
        if let Some(name) = &keyword.arg {
            self.debug(name);
        }
        visitor::walk_keyword(self, keyword);
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(inner) = handler;
        if let Some(name) = &inner.name {
            self.bound(name);
        }
        visitor::walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        if let Some(name) = captured(pattern) {
            self.bound(name);
        }
        visitor::walk_pattern(self, pattern);
    }
}

fn type_parameters(statement: &Stmt) -> Option<&TypeParams> {
    match statement {
        Stmt::FunctionDef(it) => it.type_params.as_deref(),
        Stmt::ClassDef(it) => it.type_params.as_deref(),
        Stmt::TypeAlias(it) => it.type_params.as_deref(),
        _ => None,
    }
}

fn captured(pattern: &Pattern) -> Option<&Identifier> {
    match pattern {
        Pattern::MatchAs(it) => it.name.as_ref(),
        Pattern::MatchStar(it) => it.name.as_ref(),
        Pattern::MatchMapping(it) => it.rest.as_ref(),
        _ => None,
    }
}

/// `global` and `nonlocal` of one scope.
#[derive(Default)]
struct Declarations<'a>(Declared<'a>);

impl<'a> Declarations<'a> {
    fn add(&mut self, statement: &'a Stmt) {
        let (map, names) = match statement {
            Stmt::Global(it) => (&mut self.0.global, &it.names),
            Stmt::Nonlocal(it) => (&mut self.0.nonlocal, &it.names),
            _ => return,
        };
        for name in names {
            map.insert(name.as_str(), statement.range());
        }
    }
}

impl<'a> Visitor<'a> for Declarations<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        self.add(statement);
        if !matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
            visitor::walk_stmt(self, statement);
        }
    }

    fn visit_expr(&mut self, _: &'a Expr) {}
}

/// Names that one scope binds, parameters aside.
#[derive(Default)]
struct Bindings<'a> {
    names: BTreeSet<&'a str>,
    declared: Declared<'a>,
}

impl<'a> Visitor<'a> for Bindings<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(it) => {
                self.names.insert(it.name.as_str());
                return;
            }
            Stmt::ClassDef(it) => {
                self.names.insert(it.name.as_str());
                return;
            }
            Stmt::Global(_) | Stmt::Nonlocal(_) => {
                let mut found = Declarations(std::mem::take(&mut self.declared));
                found.add(statement);
                self.declared = found.0;
            }
            _ => {}
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(name) if name.ctx != ExprContext::Load => {
                self.names.insert(name.id.as_str());
            }
            Expr::Lambda(_) => {}
            other => visitor::walk_expr(self, other),
        }
    }

    // The targets of a comprehension are its own.
    fn visit_comprehension(&mut self, clause: &'a Comprehension) {
        self.visit_expr(&clause.iter);
        for condition in &clause.ifs {
            self.visit_expr(condition);
        }
    }

    fn visit_alias(&mut self, alias: &'a Alias) {
        let name = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
        self.names.insert(name.split('.').next().unwrap_or(name));
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(inner) = handler;
        self.names.extend(inner.name.as_ref().map(Identifier::as_str));
        visitor::walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        self.names.extend(captured(pattern).map(Identifier::as_str));
        visitor::walk_pattern(self, pattern);
    }
}

impl SemanticSyntaxContext for Walk<'_> {
    fn future_annotations_or_stub(&self) -> bool {
        self.has_future_annotations
    }

    fn lazy_import_context(&self) -> Option<LazyImportContext> {
        match self.around_comprehensions() {
            Kind::Function { .. } | Kind::Lambda => Some(LazyImportContext::Function),
            Kind::Class => Some(LazyImportContext::Class),
            _ => {
                let tried = self.scopes.last().is_some_and(|it| it.tries > 0);
                tried.then_some(LazyImportContext::TryExceptBlocks)
            }
        }
    }

    // Errors that only a newer Python reports are left to the interpreter.
    fn python_version(&self) -> PythonVersion {
        PythonVersion::PY313
    }

    fn source(&self) -> &str {
        self.text
    }

    fn global(&self, name: &str) -> Option<TextRange> {
        self.scopes.last()?.declared.global.get(name).copied()
    }

    fn has_nonlocal_binding(&self, name: &str) -> bool {
        let around = self.scopes.iter().rev().skip(1);
        let mut functions =
            around.filter(|it| matches!(it.kind, Kind::Function { .. } | Kind::Lambda));
        // Methods find their class under this name.
        name == "__class__" && self.kinds().any(|it| it == Kind::Class)
            || functions.any(|it| it.binds(name))
    }

    fn in_async_context(&self) -> bool {
        match self.around_comprehensions() {
            Kind::Function { is_async } => is_async,
            Kind::Module => true,
            _ => false,
        }
    }

    fn in_await_allowed_context(&self) -> bool {
        self.in_generator_context() || self.around_comprehensions() != Kind::Class
    }

    fn in_yield_allowed_context(&self) -> bool {
        matches!(self.kind(), Kind::Function { .. } | Kind::Lambda)
    }

    fn in_sync_comprehension(&self) -> bool {
        matches!(self.kind(), Kind::Comprehension { .. })
    }

    fn in_class_body_comprehension(&self) -> bool {
        self.around_comprehensions() == Kind::Class
    }

    fn in_module_scope(&self) -> bool {
        self.kind() == Kind::Module
    }

    fn in_function_scope(&self) -> bool {
        matches!(self.kind(), Kind::Function { .. } | Kind::Lambda)
    }

    fn in_generator_context(&self) -> bool {
        let mut inner = self.kinds().take_while(|it| matches!(it, Kind::Comprehension { .. }));
        inner.any(|it| it == Kind::Comprehension { is_generator: true })
    }

    fn in_notebook(&self) -> bool {
        true
    }

    fn report_semantic_error(&self, error: SemanticSyntaxError) {
        self.error(error.range, super::own_words(&error.to_string()));
    }

    fn in_loop_context(&self) -> bool {
        self.scopes.last().is_some_and(|it| it.loops > 0)
    }

    fn is_bound_parameter(&self, name: &str) -> bool {
        self.scopes.last().is_some_and(|it| it.parameters().contains(name))
    }
}
