//! A JSON array with one object a finding. Keys are added, never renamed or removed.

use serde_json::{Value, json};

use super::place;
use crate::diagnostic::Diagnostic;
use crate::source::{Sources, Span};

pub(super) fn render(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let all: Vec<Value> = diagnostics.iter().map(|it| one(it, sources)).collect();
    format!("{:#}\n", Value::Array(all))
}

fn one(diagnostic: &Diagnostic, sources: &Sources) -> Value {
    let labels: Vec<Value> = diagnostic
        .labels
        .iter()
        .map(|it| json!({ "location": location(it.span, sources), "message": it.message }))
        .collect();
    json!({
        "code": diagnostic.code.number(),
        "name": diagnostic.code.slug(),
        "severity": place::word(diagnostic.severity),
        "message": diagnostic.message,
        "location": location(diagnostic.span, sources),
        "label": diagnostic.label,
        "labels": labels,
        "help": diagnostic.help,
    })
}

fn location(span: Span, sources: &Sources) -> Value {
    let source = sources.get(span.source);
    let (start, end) = place::places(source, span);
    json!({
        "file": source.path().as_str(),
        "cell": source.cell(),
        "line": start.line,
        "column": start.column,
        "end_line": end.line,
        "end_column": end.column,
    })
}
