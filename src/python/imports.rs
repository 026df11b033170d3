//! Modules that a cell imports: for certain, by statements of its own level, which run whenever the cell does, or at all.

use std::collections::BTreeSet;

use ruff_python_ast::Stmt;
use ruff_python_ast::statement_visitor::{StatementVisitor, walk_stmt};

use super::{Mode, ipython, parse};

/// Names as written, `matplotlib.pyplot`; empty when the text is no Python.
pub fn imports(text: &str, mode: Mode) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let Ok(parsed) = parse(&plain(text, mode)) else { return found };
    parsed.syntax().body.iter().for_each(|it| add(it, &mut found));
    found
}

/// Names of all statements of import, wherever they stand; `None` when the text is no Python.
pub fn every_import(text: &str, mode: Mode) -> Option<BTreeSet<String>> {
    struct Every(BTreeSet<String>);

    impl StatementVisitor<'_> for Every {
        fn visit_stmt(&mut self, statement: &Stmt) {
            add(statement, &mut self.0);
            walk_stmt(self, statement);
        }
    }

    let parsed = parse(&plain(text, mode)).ok()?;
    let mut every = Every(BTreeSet::new());
    parsed.syntax().body.iter().for_each(|it| every.visit_stmt(it));
    Some(every.0)
}

/// Names that a statement of import, wherever it stands, may mean a module by: each part of a dotted name, and what is
/// imported out of a module, which may be one itself. `None` when the text is no Python.
pub fn module_names(text: &str, mode: Mode) -> Option<BTreeSet<String>> {
    struct Names(BTreeSet<String>);

    impl StatementVisitor<'_> for Names {
        fn visit_stmt(&mut self, statement: &Stmt) {
            let mut add = |dotted: &str| self.0.extend(dotted.split('.').map(ToOwned::to_owned));
            match statement {
                Stmt::Import(it) => it.names.iter().for_each(|it| add(it.name.as_str())),
                Stmt::ImportFrom(it) => {
                    it.module.iter().for_each(|it| add(it.as_str()));
                    it.names.iter().for_each(|it| add(it.name.as_str()));
                }
                _ => {}
            }
            walk_stmt(self, statement);
        }
    }

    let parsed = parse(&plain(text, mode)).ok()?;
    let mut names = Names(BTreeSet::new());
    parsed.syntax().body.iter().for_each(|it| names.visit_stmt(it));
    Some(names.0)
}

fn plain(text: &str, mode: Mode) -> String {
    match mode {
        Mode::Python => text.to_owned(),
        Mode::Ipython => ipython::plain(text).text.into(),
    }
}

fn add(statement: &Stmt, found: &mut BTreeSet<String>) {
    match statement {
        Stmt::Import(it) => found.extend(it.names.iter().map(|it| it.name.to_string())),
        Stmt::ImportFrom(it) if it.level == 0 => {
            found.extend(it.module.as_ref().map(ToString::to_string));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_imported_in_any_case_is_named() {
        let text = "import a, b.c as d\nfrom e.f import g\nfrom . import h\n%magic\n\
                    if x:\n    import i\ntry:\n    import j\nexcept ImportError:\n    pass\n";
        let found = imports(text, Mode::Ipython).into_iter().collect::<Vec<_>>();
        assert_eq!(found, ["a", "b.c", "e.f"]);
        assert!(imports("import a\n)", Mode::Python).is_empty());
        let every = every_import(text, Mode::Ipython).unwrap().into_iter().collect::<Vec<_>>();
        assert_eq!(every, ["a", "b.c", "e.f", "i", "j"]);
        assert_eq!(every_import("import a\n)", Mode::Python), None);
        let names = module_names(text, Mode::Ipython).unwrap().into_iter().collect::<Vec<_>>();
        assert_eq!(names, ["a", "b", "c", "e", "f", "g", "h", "i", "j"]);
    }
}
