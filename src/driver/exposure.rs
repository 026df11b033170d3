//! Looks for secrets in what a build is about to show: a finding stops the page, and never tells the value.

use std::collections::BTreeSet;

use serde_json::Value;

use super::allowed::Allowed;
use super::document::Unlinked;
use crate::diagnostic::{Code, Diagnostic};
use crate::metadata;
use crate::notebook::{Cell, CellId, Notebook};
use crate::output;
use crate::run::RunRecord;
use crate::run::record::{CellStatus, RawOutput, Widget};
use crate::secret::{self, Leak, Scanner};
use crate::site::Site;
use crate::source::Span;
use crate::states::States;

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
    for (id, run) in record.runs_mut() {
        if let CellStatus::Failed { error } = &mut run.status {
            for text in [&mut error.name, &mut error.message, &mut error.traceback] {
                scanner.mask(text);
            }
        }
        // Keys, text and metadata in one text; the scanner knows JSON's escapes.
        let json = serde_json::to_vec(&(&run.outputs, &run.left_out)).unwrap_or_default();
        let mut found: BTreeSet<&str> = scanner.find(&json);
        let printed = run.outputs.iter().filter_map(|it| match it {
            RawOutput::Stream { text, .. } => Some(text.as_str()),
            RawOutput::Display { .. } => None,
        });
        // A value may be printed in pieces.
        found.extend(scanner.find(printed.collect::<String>().as_bytes()));
        for output in &run.outputs {
            let RawOutput::Display { bundle } = output else { continue };
            for value in bundle.data.values() {
                in_files(value, &mut |text| found.extend(scanner.find(text)));
            }
        }
        let span = notebook.cell(id).map_or(Span::new(notebook.source, 0, 0), Cell::head);
        let number = id.0 + 1;
        findings.extend(found.into_iter().map(|name| {
            finding(span, &format!("an output of cell {number} holds the value of `{name}`"))
        }));
    }
    let inputs = record
        .sweep
        .iter()
        .flat_map(|it| it.widgets.iter().chain(it.states.iter().flat_map(|state| &state.widgets)));
    for input in inputs {
        let json = serde_json::to_vec(input).unwrap_or_default();
        let span = notebook.cell(input.cell).map_or(Span::new(notebook.source, 0, 0), Cell::head);
        findings.extend(
            scanner.find(&json).into_iter().map(|name| {
                finding(span, &format!("a value of an input is the value of `{name}`"))
            }),
        );
    }
    // Many states may say the same.
    let mut told = BTreeSet::new();
    findings.retain(|it| told.insert((it.span, it.message.clone())));
    let engine = serde_json::to_vec(&record.engine).unwrap_or_default();
    let file = Span::new(notebook.source, 0, 0);
    findings.extend(scanner.find(&engine).into_iter().map(|name| {
        finding(file, &format!("what the run says of itself holds the value of `{name}`"))
    }));
    findings
}

/// Looks through what a page will show beside the outputs: code, prose, title.
pub(super) fn in_page(page: &Unlinked, notebook: &Notebook, scanner: &Scanner) -> Vec<Diagnostic> {
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
    let states = document.states.as_deref();
    let mut told = BTreeSet::new();
    for content in states.into_iter().flat_map(States::contents).filter(|_| !scanner.is_empty()) {
        let span = notebook.cell(content.cell).map_or(Span::new(notebook.source, 0, 0), Cell::head);
        let mut found = scanner.find(content.html().as_bytes());
        found.extend(scanner.find(content.css().as_bytes()));
        let charts = content.charts.iter().map(|it| it.chart.json().as_bytes());
        found.extend(charts.flat_map(|it| scanner.find(it)));
        found.retain(|name| told.insert((content.cell, (*name).to_owned())));
        findings.extend(found.into_iter().map(|name| {
            let number = content.cell.0 + 1;
            finding(span, &format!("a state of cell {number} shows the value of `{name}`"))
        }));
    }
    let said = [Some(&document.title), document.description.as_ref(), document.date.as_ref()];
    let said = said.into_iter().flatten().chain(&document.authors).map(String::as_str);
    let said = said.chain(states.into_iter().flat_map(States::texts));
    let said = said.flat_map(|it| scanner.find(it.as_bytes()));
    let file = Span::new(notebook.source, 0, 0);
    let said = said.collect::<BTreeSet<_>>().into_iter();
    findings.extend(said.map(|name| {
        finding(file, &format!("what the page says of itself holds the value of `{name}`"))
    }));
    for (id, cell) in notebook.cells().filter(|_| !scanner.is_empty()) {
        let mut found = BTreeSet::new();
        let mut look = |text: &[u8]| found.extend(scanner.find(text));
        metadata::texts_in(&cell.code).iter().for_each(|it| look(it));
        let attached = cell.attachments.iter().flat_map(|it| it.values());
        attached.for_each(|it| in_files(it, &mut look));
        findings.extend(found.into_iter().map(|name| {
            let number = id.0 + 1;
            let message = format!("a file in cell {number} holds the value of `{name}`");
            finding(cell.head(), &message)
        }));
    }
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

pub(super) fn finding(span: Span, message: &str) -> Diagnostic {
    Diagnostic::error(Code::ExposedSecret, span, message).with_help(
        "do not print it or display it; `--env` and `--secret` values may be used, and not shown",
    )
}

/// Findings of secrets in the code and prose of cells, each at its line.
pub(super) fn in_code(
    notebook: &Notebook,
    allowed: &Allowed,
    is_shown: impl Fn(CellId) -> bool,
) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (id, cell) in notebook.cells().filter(|(id, _)| is_shown(*id)) {
        let mut told = BTreeSet::new();
        let mut hidden = Vec::new();
        let texts = metadata::texts_in(&cell.code);
        hidden.extend(texts.iter().flat_map(|it| secret::leaks(it)));
        let attached = cell.attachments.iter().flat_map(|it| it.values());
        attached.for_each(|it| leaks_in_files(it, &mut hidden));
        for leak in hidden {
            if !allowed.holds(&leak) && told.insert(leak.fingerprint.clone()) {
                let place = format!("metadata of a file in cell {} hold", id.0 + 1);
                findings.push(leaked(&leak, cell.head(), &place));
            }
        }
        for leak in secret::leaks(cell.code.as_bytes()) {
            if allowed.holds(&leak) || !told.insert(leak.fingerprint.clone()) {
                continue;
            }
            let before = cell.code.as_bytes().get(..leak.start).unwrap_or_default();
            let line = before.iter().filter(|it| **it == b'\n').count() + 1;
            let span = cell.line_span(u32::try_from(line).unwrap_or(1));
            findings.push(leaked(&leak, span, &format!("the code of cell {} holds", id.0 + 1)));
        }
    }
    findings
}

/// Findings of secrets in the outputs that a page could show; masks them in the build log.
pub(super) fn leaks_in_record(
    record: &mut RunRecord,
    notebook: &Notebook,
    allowed: &Allowed,
) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (id, run) in record.runs_mut() {
        if let CellStatus::Failed { error } = &mut run.status {
            for text in [&mut error.name, &mut error.message, &mut error.traceback] {
                secret::mask_leaks(text);
            }
        }
        let cell = notebook.cell(id);
        if cell.is_some_and(|it| it.options.hide_output || it.options.hide_cell) {
            continue;
        }
        let mut leaks = Vec::new();
        let mut printed = String::new();
        for output in &run.outputs {
            match output {
                RawOutput::Stream { text, .. } => printed.push_str(text),
                RawOutput::Display { bundle } => {
                    let texts = bundle.data.iter().filter(|(mime, _)| output::mask::is_text(mime));
                    texts.for_each(|(_, value)| leaks_in_value(value, &mut leaks));
                    bundle.data.values().for_each(|it| leaks_in_files(it, &mut leaks));
                    bundle.metadata.values().for_each(|it| leaks_in_value(it, &mut leaks));
                }
            }
        }
        leaks.extend(secret::leaks_however_escaped(&printed));
        let span = cell.map_or(Span::new(notebook.source, 0, 0), Cell::head);
        let mut told = BTreeSet::new();
        leaks.retain(|it| !allowed.holds(it) && told.insert(it.fingerprint.clone()));
        let place = format!("an output of cell {} holds", id.0 + 1);
        findings.extend(leaks.iter().map(|it| leaked(it, span, &place)));
    }
    let inputs = record
        .sweep
        .iter()
        .flat_map(|it| it.widgets.iter().chain(it.states.iter().flat_map(|state| &state.widgets)));
    for input in inputs {
        let mut leaks = Vec::new();
        leaks_in_input(input, &mut leaks);
        leaks.retain(|it| !allowed.holds(it));
        let span = notebook.cell(input.cell).map_or(Span::new(notebook.source, 0, 0), Cell::head);
        findings.extend(leaks.iter().map(|it| leaked(it, span, "a value of an input holds")));
    }
    // Many states may say the same.
    let mut told = BTreeSet::new();
    findings.retain(|it| told.insert((it.span, it.message.clone())));
    findings
}

fn leaks_in_input(input: &Widget, leaks: &mut Vec<Leak>) {
    input.values.iter().for_each(|it| leaks_in_value(it, leaks));
    leaks.extend(input.labels.iter().flat_map(|it| secret::leaks_however_escaped(it)));
    input.parts.iter().for_each(|it| leaks_in_input(it, leaks));
}

/// Adds what looks like a secret in the metadata of pictures and other files, which the page will not have.
fn leaks_in_files(value: &Value, leaks: &mut Vec<Leak>) {
    in_files(value, &mut |text| leaks.extend(secret::leaks(text)));
}

/// Hands on the metadata of the pictures and other files in a value.
fn in_files(value: &Value, look: &mut dyn FnMut(&[u8])) {
    match value {
        Value::String(text) => metadata::texts_in(text).iter().for_each(|it| look(it)),
        // A text may be written as a list of its lines.
        Value::Array(items) if items.len() > 1 && items.iter().all(Value::is_string) => {
            let text: String = items.iter().filter_map(Value::as_str).collect();
            metadata::texts_in(&text).iter().for_each(|it| look(it));
        }
        Value::Array(items) => items.iter().for_each(|it| in_files(it, look)),
        Value::Object(items) => items.values().for_each(|it| in_files(it, look)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn leaks_in_value(value: &Value, leaks: &mut Vec<Leak>) {
    match value {
        Value::String(text) => leaks.extend(secret::leaks_however_escaped(text)),
        Value::Array(items) => items.iter().for_each(|it| leaks_in_value(it, leaks)),
        Value::Object(items) => {
            for (key, value) in items {
                match value {
                    // Only its name tells what the value is.
                    Value::String(text) if text.len() <= 4096 => {
                        let line = format!("\"{key}\": \"{text}\"");
                        leaks.extend(secret::leaks_however_escaped(&line));
                    }
                    _ => {
                        leaks.extend(secret::leaks(key.as_bytes()));
                        leaks_in_value(value, leaks);
                    }
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Findings of secrets in the parts of a page beside outputs: code, prose, titles.
pub(super) fn leaks_in_page(
    page: &Unlinked,
    notebook: &Notebook,
    allowed: &Allowed,
) -> Vec<Diagnostic> {
    let shown: BTreeSet<String> = page
        .blocks()
        .filter(|(block, _)| block.code.is_some() || block.kind == "prose")
        .map(|(block, _)| block.id.clone())
        .collect();
    let mut findings =
        in_code(notebook, allowed, |id| shown.contains(&format!("cell-{}", id.0 + 1)));
    let mut told_states = BTreeSet::new();
    // Markup may put a token together that its source keeps apart.
    for (block, span) in page.blocks() {
        let texts = block.outputs.iter().map(|it| it.html.plain_text().replace('\u{ad}', ""));
        let charts = block.charts.iter().map(|it| it.chart.json().to_owned());
        let leaks = texts.chain(charts).flat_map(|it| secret::leaks(it.as_bytes()));
        let mut told = BTreeSet::new();
        for leak in leaks.filter(|it| !allowed.holds(it)) {
            if told.insert(leak.fingerprint.clone()) {
                findings.push(leaked(&leak, span, "an output, as readers see it, holds"));
            }
        }
    }
    let document = page.document();
    let states = document.states.as_deref();
    for content in states.into_iter().flat_map(States::contents) {
        let span = notebook.cell(content.cell).map_or(Span::new(notebook.source, 0, 0), Cell::head);
        let texts = content.outputs.iter().map(|it| it.html.plain_text().replace('\u{ad}', ""));
        let charts = content.charts.iter().map(|it| it.chart.json().to_owned());
        for leak in texts.chain(charts).flat_map(|it| secret::leaks(it.as_bytes())) {
            if !allowed.holds(&leak) && told_states.insert((content.cell, leak.fingerprint.clone()))
            {
                findings.push(leaked(&leak, span, "a state, as readers see it, holds"));
            }
        }
    }
    let said = [Some(&document.title), document.description.as_ref(), document.date.as_ref()];
    let said = said.into_iter().flatten().chain(&document.authors).map(String::as_str);
    let said = said.chain(states.into_iter().flat_map(States::texts)).map(str::as_bytes);
    let said = said.map(|it| (it, "what the page says of itself holds"));
    let source = document.source.as_deref();
    let source = source.map(|it| (it, "the notebook, which readers may download, holds"));
    let file = Span::new(notebook.source, 0, 0);
    let mut told: BTreeSet<String> = BTreeSet::new();
    for (text, place) in said.chain(source) {
        for leak in secret::leaks(text) {
            if !allowed.holds(&leak) && told.insert(leak.fingerprint.clone()) {
                findings.push(leaked(&leak, file, place));
            }
        }
    }
    findings
}

pub(super) fn leaked(leak: &Leak, span: Span, place: &str) -> Diagnostic {
    let Leak { rule, what, fingerprint, .. } = leak;
    let message = format!("{place} what looks like {what} (rule `{rule}`, `{fingerprint}`)");
    Diagnostic::error(Code::LeakedSecret, span, message).with_help(format!(
        "if it is a secret, revoke it and take it out; if not: `--allow-secret {fingerprint}`"
    ))
}

/// Variables of nbc's own environment whose values were masked.
pub(super) fn masked(notebook: &Notebook, found: Vec<(CellId, String)>) -> Vec<Diagnostic> {
    let tell = |(id, name): (CellId, String)| {
        let span = notebook.cell(id).map_or(Span::new(notebook.source, 0, 0), Cell::head);
        let message = format!("an output held the value of the variable `{name}`; it is masked");
        Diagnostic::warning(Code::MaskedValue, span, message)
    };
    found.into_iter().map(tell).collect()
}
