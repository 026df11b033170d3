//! Looks for secrets in what a build is about to show: a finding stops the page, and never tells the value.

use std::collections::BTreeSet;

use super::compile::Compiled;
use crate::diagnostic::{Code, Diagnostic};
use crate::notebook::{Cell, Notebook};
use crate::run::RunRecord;
use crate::run::record::{CellStatus, RawOutput};
use crate::secret::Scanner;
use crate::site::Site;
use crate::source::Span;

/// Looks through everything that a run gave, shown or not; masks what only the build log tells.
pub(super) fn in_record(
    record: &mut RunRecord,
    notebook: &Notebook,
    scanner: &Scanner,
) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    if scanner.is_empty() {
        return findings;
    }
    for (id, run) in &mut record.cells {
        if let CellStatus::Failed { error } = &mut run.status {
            for text in [&mut error.name, &mut error.message, &mut error.traceback] {
                scanner.mask(text);
            }
        }
        // Keys, text and metadata in one text; the scanner knows JSON's escapes.
        let json = serde_json::to_vec(&run.outputs).unwrap_or_default();
        let mut found: BTreeSet<&str> = scanner.find(&json);
        let printed = run.outputs.iter().filter_map(|it| match it {
            RawOutput::Stream { text, .. } => Some(text.as_str()),
            RawOutput::Display { .. } => None,
        });
        // A value may be printed in pieces.
        found.extend(scanner.find(printed.collect::<String>().as_bytes()));
        let span = notebook.cell(*id).map_or(Span::new(notebook.source, 0, 0), Cell::head);
        let number = id.0 + 1;
        findings.extend(found.into_iter().map(|name| {
            finding(span, &format!("an output of cell {number} holds the value of `{name}`"))
        }));
    }
    let engine = serde_json::to_vec(&record.engine).unwrap_or_default();
    let file = Span::new(notebook.source, 0, 0);
    findings.extend(scanner.find(&engine).into_iter().map(|name| {
        finding(file, &format!("what the run says of itself holds the value of `{name}`"))
    }));
    findings
}

/// Looks through what a page will show beside the outputs: code, prose, title.
pub(super) fn in_page(page: &Compiled, notebook: &Notebook, scanner: &Scanner) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (block, span) in page.blocks() {
        let number = block.id.trim_start_matches("cell-");
        let mut found = BTreeSet::new();
        for name in block.name.iter() {
            found.extend(scanner.find(name.as_bytes()));
        }
        if let Some(code) = &block.code {
            found.extend(scanner.find(code.html.as_str().as_bytes()));
        }
        for output in &block.outputs {
            found.extend(scanner.find(output.html.as_str().as_bytes()));
            found.extend(scanner.find(output.css.as_str().as_bytes()));
        }
        findings.extend(
            found
                .into_iter()
                .map(|name| finding(span, &format!("cell {number} shows the value of `{name}`"))),
        );
    }
    let document = page.document();
    let said = [Some(&document.title), document.description.as_ref(), document.date.as_ref()];
    let said = said.into_iter().flatten().chain(&document.authors).map(String::as_bytes);
    let said = said.flat_map(|it| scanner.find(it));
    let file = Span::new(notebook.source, 0, 0);
    let said = said.collect::<BTreeSet<_>>().into_iter();
    findings.extend(said.map(|name| {
        finding(file, &format!("what the page says of itself holds the value of `{name}`"))
    }));
    let source = document.source.as_deref().map(|it| scanner.find(it)).unwrap_or_default();
    findings.extend(source.into_iter().map(|name| {
        finding(
            file,
            &format!("the notebook, which readers may download, holds the value of `{name}`"),
        )
    }));
    findings
}

/// The last look, at the bytes themselves: where, and which one.
pub(super) fn in_site(site: &Site, scanner: &Scanner) -> Option<String> {
    site.files().find_map(|file| {
        let name = scanner.find(file.bytes()).into_iter().next()?;
        Some(format!(
            "`{}` would hold the value of `{name}`, so it is not published",
            file.path().as_str()
        ))
    })
}

/// Makes findings fit for a log, whatever foreign text they tell.
pub(super) fn mask(diagnostics: &mut [Diagnostic], scanner: &Scanner) {
    for it in diagnostics {
        scanner.mask(&mut it.message);
        let others = it.labels.iter_mut().map(|label| &mut label.message);
        others.chain(&mut it.label).chain(&mut it.help).for_each(|text| scanner.mask(text));
    }
}

fn finding(span: Span, message: &str) -> Diagnostic {
    Diagnostic::error(Code::ExposedSecret, span, message).with_help(
        "do not print it or display it; `--env` and `--secret` values may be used, and not shown",
    )
}
