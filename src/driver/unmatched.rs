//! Patterns of `inputs` that name nothing, as findings.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8PathBuf;

use super::analysis::Analyzed;
use super::options::{Settings, Written};
use crate::diagnostic::{Code, Diagnostic};
use crate::run::stored;
use crate::run::unmatched::Names;
use crate::source::Span;

/// Warnings about patterns that name nothing beside their notebook; those of all notebooks are told where they name
/// nothing beside any.
pub(super) fn findings<'a>(
    settings: &Settings,
    notebooks: impl Iterator<Item = &'a Analyzed>,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut folders: BTreeMap<Utf8PathBuf, Option<Names>> = BTreeMap::new();
    // The first notebook that the patterns of all are for, and those that name nothing so far.
    let mut of_all: Option<(Span, BTreeSet<String>)> = None;
    let mut looked_at = BTreeSet::new();
    for Analyzed { input, notebook, .. } in notebooks {
        if stored::is_published_as_stored(notebook, settings.execute) {
            continue;
        }
        let Some((written, patterns)) = settings.written_inputs(&input.relative, notebook) else {
            continue;
        };
        let folder = input.path.parent().map(ToOwned::to_owned).unwrap_or_default();
        if written == Written::OfAll && !looked_at.insert(folder.clone()) {
            continue;
        }
        let here = if folder.as_str().is_empty() { ".".into() } else { folder.clone() };
        let names = folders.entry(folder).or_insert_with(|| Names::below(&here));
        let unmatched = match names {
            Some(names) => names.unmatched(patterns),
            // Nobody can say, so each may name something.
            None => Vec::new(),
        };
        let file = Span::new(notebook.source, 0, 0);
        match written {
            Written::OfAll => {
                let unmatched: BTreeSet<String> = unmatched.into_iter().map(Into::into).collect();
                let (_, before) = of_all.get_or_insert_with(|| (file, unmatched.clone()));
                before.retain(|it| unmatched.contains(it));
            }
            Written::InNotebook => {
                found.extend(unmatched.iter().map(|it| finding(file, it, "`[tool.nbc]` of it")));
            }
            Written::OfPage => {
                let place = format!("`[pages.\"{}\"]` of `nbc.toml`", input.relative);
                found.extend(unmatched.iter().map(|it| finding(file, it, &place)));
            }
        }
    }
    if let Some((file, unmatched)) = of_all {
        found.extend(unmatched.iter().map(|it| finding(file, it, "`nbc.toml`")));
    }
    found
}

fn finding(file: Span, pattern: &str, place: &str) -> Diagnostic {
    let message = format!("`{pattern}` of `inputs` ({place}) names no file that the run may see");
    let help = "patterns are written as in `.gitignore`, from the notebook's folder on";
    Diagnostic::warning(Code::UnmatchedInput, file, message).with_help(help)
}
