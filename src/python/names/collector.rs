//! The visitor that collects names, a copy of marimo's `ScopedVisitor`.
//!
//! Python's own scoping is not the specification here, marimo's is: a class attribute is visible
//! in a method, the target of a `for` is bound before its iterable is read, and so on. Every
//! deviation from Python in this file is one that marimo makes; the order of visits is that of the
//! fields of Python's `ast` nodes, because it decides whether a name is read before it is bound.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Alias, ExceptHandler, Expr, ExprContext, Identifier, Parameters, Pattern, Stmt, StmtClassDef,
    StmtFunctionDef, StmtImportFrom, StmtTry, TypeParam, TypeParams,
};
use ruff_text_size::{Ranged, TextRange};

use super::{Names, Query, Sharing, bytes, is_private};
use crate::python::places::NameMap;
use crate::python::sql::Facts;

/// marimo mangles private names that are bound at the top of a cell, and a mangled name is another
/// name than the one that a nested scope binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    name: &'a str,
    mangled: bool,
}

impl<'a> Key<'a> {
    fn plain(name: &'a str) -> Self {
        Self { name, mangled: false }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Module,
    Function,
    Lambda,
    Class,
    Comprehension,
    Annotation,
}

#[derive(Debug)]
struct Block<'a> {
    id: u32,
    scope: Scope,
    defined: BTreeSet<Key<'a>>,
    globals: Vec<Key<'a>>,
}

#[derive(Debug)]
struct Reference {
    /// How many references came before it: blocks are left again, so their ids do not tell.
    order: u32,
    deleted: bool,
    range: TextRange,
}

/// How a definition treats references to its name that nested blocks made before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Eviction {
    Captures,
    // Methods don't resolve bare names through their class.
    Nothing,
}

/// The state of one visit.
pub(super) struct Collector<'a> {
    stack: Vec<Block<'a>>,
    /// Parent of every block ever opened, by id, and whether its code runs only when called.
    parents: Vec<(u32, bool)>,
    sharing: Sharing,
    obscured: Vec<Option<&'a str>>,
    /// By name and block.
    references: BTreeMap<(Key<'a>, u32), Reference>,
    referred: u32,
    definitions: BTreeMap<Key<'a>, TextRange>,
    /// Tables of the queries, by the place of the argument.
    facts: Option<&'a BTreeMap<u32, Facts>>,
    imports: BTreeSet<&'a str>,
    names: Names,
}

impl<'a> Collector<'a> {
    pub(super) fn new(sharing: Sharing, facts: Option<&'a BTreeMap<u32, Facts>>) -> Self {
        let module =
            Block { id: 0, scope: Scope::Module, defined: BTreeSet::new(), globals: Vec::new() };
        Self {
            stack: vec![module],
            parents: vec![(0, false)],
            sharing,
            obscured: Vec::new(),
            references: BTreeMap::new(),
            referred: 0,
            definitions: BTreeMap::new(),
            facts,
            imports: BTreeSet::new(),
            names: Names::default(),
        }
    }

    pub(super) fn finish(self) -> Names {
        let set = |names: Vec<&str>| NameMap::of_sorted(names.into_iter().map(|it| (it, ())));
        let (mut temporaries, mut definitions) = (Vec::new(), Vec::new());
        for (key, range) in &self.definitions {
            if self.is_private(key.name) {
                temporaries.push(key.name);
            } else {
                definitions.push((key.name, bytes(*range)));
            }
        }
        let (mut deferred, mut deletions, mut uses) = (Vec::new(), Vec::new(), Vec::new());
        let references: Vec<_> = self.references.iter().collect();
        for group in references.chunk_by(|((a, _), _), ((b, _), _)| a == b) {
            let Some(&((key, _), _)) = group.first() else { continue };
            if group.iter().all(|&((_, block), _)| self.is_deferred(*block)) {
                deferred.push(key.name);
            }
            if group.iter().any(|(_, it)| it.deleted) {
                deletions.push(key.name);
            }
            // A private name may have two keys, of which the first counts.
            let first = group.iter().map(|(_, it)| it).min_by_key(|it| it.order);
            uses.extend(first.map(|it| (key.name, bytes(it.range))));
        }
        let mut names = self.names;
        names.definitions = NameMap::of_sorted(definitions.into_iter());
        names.references = NameMap::of_sorted(uses.into_iter());
        names.deferred = set(deferred);
        names.deletions = set(deletions);
        names.temporaries = set(temporaries);
        names.imports = set(self.imports.into_iter().collect());
        names.tables.retain(|name, _| names.references.contains(name));
        names
    }

    fn is_private(&self, name: &str) -> bool {
        self.sharing == Sharing::PublicOnly && is_private(name)
    }

    fn is_deferred(&self, mut block: u32) -> bool {
        while let Some(&(parent, deferred)) = self.parents.get(block as usize) {
            if deferred || block == 0 {
                return deferred;
            }
            block = parent;
        }
        false
    }

    fn current(&self) -> Option<&Block<'a>> {
        self.stack.last()
    }

    fn scope(&self) -> Scope {
        self.current().map_or(Scope::Module, |block| block.scope)
    }

    fn inside<R>(&mut self, scope: Scope, visit: impl FnOnce(&mut Self) -> R) -> R {
        let id = self.parents.len() as u32;
        let deferred = matches!(scope, Scope::Lambda | Scope::Function);
        self.parents.push((self.current().map_or(0, |block| block.id), deferred));
        let defined = BTreeSet::new();
        self.stack.push(Block { id, scope, defined, globals: Vec::new() });
        let result = visit(self);
        self.stack.pop();
        result
    }

    /// The key under which a name bound here is known.
    fn bound(&self, name: &'a str) -> Key<'a> {
        Key { name, mangled: self.stack.len() == 1 && self.is_private(name) }
    }

    fn is_defined(&self, key: Key<'a>) -> bool {
        self.stack.iter().any(|block| block.defined.contains(&key))
    }

    fn refer(&mut self, key: Key<'a>, range: TextRange, deleted: bool) {
        let block = self.current().map_or(0, |block| block.id);
        let reference = self.references.entry((key, block)).or_insert_with(|| {
            self.referred += 1;
            Reference { order: self.referred, deleted, range }
        });
        reference.deleted |= deleted;
    }

    fn define(&mut self, key: Key<'a>, range: TextRange, eviction: Eviction) {
        let global = self.current().is_some_and(|block| block.globals.contains(&key));
        let index = if global { 0 } else { self.stack.len() - 1 };
        self.define_at(index, key, range, eviction);
    }

    fn define_at(&mut self, index: usize, key: Key<'a>, range: TextRange, eviction: Eviction) {
        let Some(block) = self.stack.get_mut(index) else { return };
        block.defined.insert(key);
        let id = block.id;
        if index == 0 {
            self.definitions.entry(key).or_insert(range);
            // The last definition of a name decides whether it is a table.
            self.names.objects.remove(key.name);
        }
        if eviction == Eviction::Nothing {
            return;
        }
        // A reference from a nested block was a capture of the name that is bound only now.
        // This block is open, so all that were opened after it are inside of it.
        let inside = (key, id + 1)..=(key, u32::MAX);
        self.references.extract_if(inside, |_, _| true).for_each(drop);
    }

    fn name(&mut self, name: &'a str, context: ExprContext, range: TextRange) {
        if self.obscured.contains(&Some(name)) {
            return;
        }
        match context {
            ExprContext::Store => self.define(self.bound(name), range, Eviction::Captures),
            ExprContext::Load | ExprContext::Del => {
                let key = Key::plain(name);
                if !self.is_private(name) && !self.is_defined(key) {
                    self.refer(key, range, context == ExprContext::Del);
                }
            }
            ExprContext::Invalid => {}
        }
    }

    fn identifier(&mut self, name: &'a Identifier) {
        self.define(self.bound(name.as_str()), name.range(), Eviction::Captures);
    }

    fn type_params(&mut self, params: Option<&'a TypeParams>) {
        for param in params.into_iter().flat_map(|params| params.iter()) {
            let name = param.name();
            self.define(Key::plain(name.as_str()), name.range(), Eviction::Captures);
            // marimo does not visit defaults.
            if let TypeParam::TypeVar(variable) = param
                && let Some(bound) = &variable.bound
            {
                self.visit_expr(bound);
            }
        }
    }

    fn parameters(&mut self, parameters: &'a Parameters) {
        let all = || parameters.posonlyargs.iter().chain(&parameters.args);
        for default in parameters.kwonlyargs.iter().filter_map(|it| it.default.as_deref()) {
            self.visit_expr(default);
        }
        for default in all().filter_map(|it| it.default.as_deref()) {
            self.visit_expr(default);
        }
        let plain = all().chain(&parameters.kwonlyargs).map(|it| &it.parameter);
        let variadic = parameters.vararg.iter().chain(&parameters.kwarg).map(|it| &**it);
        for parameter in plain.chain(variadic) {
            self.identifier(&parameter.name);
            if let Some(annotation) = &parameter.annotation {
                self.visit_expr(annotation);
            }
        }
    }

    pub(super) fn function(&mut self, function: &'a StmtFunctionDef, skipped: usize) {
        let decorators = function.decorator_list.get(skipped..).unwrap_or_default();
        let bound = self.bound(function.name.as_str());
        let method = self.scope() == Scope::Class;
        // marimo visits the signature twice, the first time before the name is bound: a decorator
        // that has the function's own name is a reference.
        for with_body in [false, true] {
            self.inside(Scope::Function, |it| {
                it.type_params(function.type_params.as_deref());
                it.parameters(&function.parameters);
                if with_body {
                    it.visit_body(&function.body);
                }
                for decorator in decorators {
                    it.visit_expr(&decorator.expression);
                }
                if let Some(returns) = &function.returns {
                    it.visit_expr(returns);
                }
            });
            if !with_body
                && !method
                && let Some(block) = self.stack.last_mut()
            {
                block.defined.insert(bound);
            }
        }
        let eviction = if method { Eviction::Nothing } else { Eviction::Captures };
        self.define(bound, function.name.range(), eviction);
    }

    pub(super) fn class(&mut self, class: &'a StmtClassDef, skipped: usize) {
        let decorators = class.decorator_list.get(skipped..).unwrap_or_default();
        let bound = self.bound(class.name.as_str());
        for with_body in [false, true] {
            self.inside(Scope::Class, |it| {
                if let Some(arguments) = &class.arguments {
                    it.visit_arguments(arguments);
                }
                if with_body {
                    it.visit_body(&class.body);
                }
                for decorator in decorators {
                    it.visit_expr(&decorator.expression);
                }
                // After the bases: marimo leaks `T` of `class C[T](Base[T])` as a reference.
                it.type_params(class.type_params.as_deref());
            });
        }
        self.define(bound, class.name.range(), Eviction::Captures);
    }

    fn comprehension(
        &mut self,
        generators: &'a [ruff_python_ast::Comprehension],
        elements: [Option<&'a Expr>; 2],
    ) {
        self.inside(Scope::Comprehension, |it| {
            for generator in generators {
                it.visit_expr(&generator.iter);
                it.visit_expr(&generator.target);
                for condition in &generator.ifs {
                    it.visit_expr(condition);
                }
            }
            for element in elements.into_iter().flatten() {
                it.visit_expr(element);
            }
        });
    }

    fn walrus(&mut self, target: &'a Expr) {
        let (Scope::Comprehension, Expr::Name(name)) = (self.scope(), target) else {
            return self.visit_expr(target);
        };
        let outer = self.stack.iter().rposition(|it| it.scope != Scope::Comprehension);
        let index = outer.unwrap_or(0);
        let mangled = index == 0 && self.is_private(name.id.as_str());
        let key = Key { name: name.id.as_str(), mangled };
        self.define_at(index, key, name.range(), Eviction::Captures);
    }

    fn try_statement(&mut self, statement: &'a StmtTry) {
        self.visit_body(&statement.body);
        for handler in &statement.handlers {
            let ExceptHandler::ExceptHandler(inner) = handler;
            self.obscured.push(inner.name.as_ref().map(Identifier::as_str));
            visitor::walk_except_handler(self, handler);
            self.obscured.pop();
        }
        self.visit_body(&statement.orelse);
        self.visit_body(&statement.finalbody);
    }

    fn imports(&mut self, aliases: &'a [Alias]) {
        for alias in aliases {
            let name = alias.name.as_str();
            let package = name.split('.').next().unwrap_or(name);
            self.imports.insert(package);
            self.import(alias);
        }
    }

    fn import_from(&mut self, statement: &'a StmtImportFrom) {
        if let (0, Some(module)) = (statement.level, &statement.module) {
            let package = module.split('.').next().unwrap_or_default();
            self.imports.insert(package);
        }
        for alias in &statement.names {
            if alias.name.as_str() == "*" {
                self.names.star_imports.push(bytes(statement.range()));
            } else {
                self.import(alias);
            }
        }
    }

    fn import(&mut self, alias: &'a Alias) {
        match &alias.asname {
            Some(name) => self.identifier(name),
            None => {
                let name = alias.name.as_str();
                let base = name.split('.').next().unwrap_or(name);
                // Not mangled: its author has no say in the name of a package.
                self.define(Key::plain(base), alias.name.range(), Eviction::Captures);
            }
        }
    }

    fn global(&mut self, names: &'a [Identifier]) {
        for name in names {
            let key = Key { name: name.as_str(), mangled: self.is_private(name.as_str()) };
            if let Some(block) = self.stack.last_mut() {
                block.globals.push(key);
            }
            if !self.stack.first().is_some_and(|module| module.defined.contains(&key)) {
                self.refer(key, name.range(), false);
            }
        }
    }

    fn query(&mut self, call: &'a ruff_python_ast::ExprCall) {
        let Expr::Attribute(attribute) = &*call.func else { return };
        let Expr::Name(module) = &*attribute.value else { return };
        let function = (module.id.as_str(), attribute.attr.as_str());
        let known = [("mo", "sql"), ("marimo", "sql"), ("duckdb", "sql"), ("duckdb", "execute")];
        let [argument] = &*call.arguments.args else { return };
        if !known.contains(&function) {
            return;
        }
        self.names.is_sql = true;
        let range = argument.range();
        if let Some(text) = query_text(argument).filter(|it| !it.is_empty()) {
            self.names.queries.push(Query { text, range: bytes(range) });
        }
        let facts = self.facts.and_then(|it| it.get(&range.start().to_u32()));
        let Some(facts) = facts else { return };
        for (name, object) in &facts.objects {
            self.define(Key::plain(name), range, Eviction::Captures);
            if self.stack.len() == 1 {
                self.names.objects.insert(name.clone(), object.clone());
            }
        }
        for (name, reference) in &facts.references {
            self.refer(Key::plain(name), range, false);
            self.names.tables.insert(name.clone(), reference.clone());
        }
    }
}

fn query_text(argument: &Expr) -> Option<String> {
    use ruff_python_ast::{FStringPart, InterpolatedStringElement};
    match argument {
        Expr::StringLiteral(literal) => Some(literal.value.to_str().to_owned()),
        Expr::FString(string) => {
            let mut text = String::new();
            for part in string.value.iter() {
                match part {
                    FStringPart::Literal(literal) => text.push_str(literal),
                    FStringPart::FString(string) => {
                        for element in &*string.elements {
                            match element {
                                InterpolatedStringElement::Literal(it) => text.push_str(it),
                                InterpolatedStringElement::Interpolation(it) => {
                                    match &*it.expression {
                                        Expr::StringLiteral(it) => text.push_str(it.value.to_str()),
                                        _ => text.push('1'),
                                    }
                                }
                            }
                        }
                    }
                }
            }
            Some(text)
        }
        _ => None,
    }
}

impl<'a> Visitor<'a> for Collector<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => self.function(function, 0),
            Stmt::ClassDef(class) => self.class(class, 0),
            Stmt::Assign(assign) => {
                self.visit_expr(&assign.value);
                for target in &assign.targets {
                    self.visit_expr(target);
                }
            }
            Stmt::AugAssign(assign) => {
                self.visit_expr(&assign.value);
                self.visit_expr(&assign.target);
            }
            Stmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    self.visit_expr(value);
                }
                self.visit_expr(&assign.annotation);
                self.visit_expr(&assign.target);
            }
            Stmt::For(statement) => {
                self.visit_expr(&statement.target);
                self.visit_expr(&statement.iter);
                self.visit_body(&statement.body);
                self.visit_body(&statement.orelse);
            }
            Stmt::While(statement) => {
                self.visit_expr(&statement.test);
                self.visit_body(&statement.body);
                self.visit_body(&statement.orelse);
            }
            Stmt::Try(statement) => self.try_statement(statement),
            Stmt::TypeAlias(alias) => {
                self.visit_expr(&alias.name);
                self.inside(Scope::Annotation, |it| {
                    it.type_params(alias.type_params.as_deref());
                    it.visit_expr(&alias.value);
                });
            }
            Stmt::Global(statement) => self.global(&statement.names),
            Stmt::Import(statement) => self.imports(&statement.names),
            Stmt::ImportFrom(statement) => self.import_from(statement),
            other => visitor::walk_stmt(self, other),
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(name) => self.name(name.id.as_str(), name.ctx, name.range()),
            Expr::Named(named) => {
                self.visit_expr(&named.value);
                self.walrus(&named.target);
            }
            Expr::Lambda(lambda) => self.inside(Scope::Lambda, |it| {
                if let Some(parameters) = &lambda.parameters {
                    it.parameters(parameters);
                }
                it.visit_expr(&lambda.body);
            }),
            Expr::ListComp(it) => self.comprehension(&it.generators, [Some(&it.elt), None]),
            Expr::SetComp(it) => self.comprehension(&it.generators, [Some(&it.elt), None]),
            Expr::Generator(it) => self.comprehension(&it.generators, [Some(&it.elt), None]),
            Expr::DictComp(it) => {
                self.comprehension(&it.generators, [Some(&it.value), it.key.as_deref()]);
            }
            Expr::Dict(dict) => {
                for key in dict.items.iter().filter_map(|item| item.key.as_ref()) {
                    self.visit_expr(key);
                }
                for item in &dict.items {
                    self.visit_expr(&item.value);
                }
            }
            Expr::Call(call) => {
                self.query(call);
                visitor::walk_expr(self, expression);
            }
            other => visitor::walk_expr(self, other),
        }
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        match pattern {
            Pattern::MatchAs(it) => {
                if let Some(name) = &it.name {
                    self.identifier(name);
                }
                if let Some(inner) = &it.pattern {
                    self.visit_pattern(inner);
                }
            }
            Pattern::MatchStar(it) => {
                if let Some(name) = &it.name {
                    self.identifier(name);
                }
            }
            Pattern::MatchMapping(it) => {
                if let Some(rest) = &it.rest {
                    self.identifier(rest);
                }
                for key in &it.keys {
                    self.visit_expr(key);
                }
                for pattern in &it.patterns {
                    self.visit_pattern(pattern);
                }
            }
            other => visitor::walk_pattern(self, other),
        }
    }
}
