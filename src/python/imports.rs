//! Modules that a cell imports for certain: by statements of its own level, which run whenever the cell does.

use std::collections::BTreeSet;

use ruff_python_ast::Stmt;

use super::{Mode, ipython, parse};

/// Names as written, `matplotlib.pyplot`; empty when the text is no Python.
pub fn imports(text: &str, mode: Mode) -> BTreeSet<String> {
    let plain = match mode {
        Mode::Python => text.into(),
        Mode::Ipython => ipython::plain(text).text,
    };
    let Ok(parsed) = parse(&plain) else { return BTreeSet::new() };
    let mut found = BTreeSet::new();
    for statement in &parsed.syntax().body {
        match statement {
            Stmt::Import(it) => found.extend(it.names.iter().map(|it| it.name.to_string())),
            Stmt::ImportFrom(it) if it.level == 0 => {
                found.extend(it.module.as_ref().map(ToString::to_string));
            }
            _ => {}
        }
    }
    found
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
    }
}
