//! SARIF 2.1.0 (OASIS), as much of it as code scanning reads.

use serde_json::{Value, json};

use super::place;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Sources, Span};

pub(super) fn render(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let used: Vec<Code> = Code::ALL
        .iter()
        .copied()
        .filter(|code| diagnostics.iter().any(|it| it.code == *code))
        .collect();
    let rules: Vec<Value> = used
        .iter()
        .map(|code| {
            let explanation = code.explanation().trim();
            let short = explanation.split("\n\n").next().unwrap_or_default();
            json!({
                "id": code.number(),
                "name": code.slug(),
                "shortDescription": { "text": short },
                "help": { "text": explanation },
            })
        })
        .collect();
    let results: Vec<Value> = diagnostics.iter().map(|it| result(it, &used, sources)).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "nbc",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn result(diagnostic: &Diagnostic, used: &[Code], sources: &Sources) -> Value {
    let mut text = diagnostic.message.clone();
    if let Some(help) = &diagnostic.help {
        text = format!("{text}\nhelp: {help}");
    }
    let related: Vec<Value> = diagnostic
        .labels
        .iter()
        .enumerate()
        .map(|(at, label)| {
            let mut place = location(label.span, sources);
            if let Some(place) = place.as_object_mut() {
                place.insert("id".to_owned(), Value::from(at));
                place.insert("message".to_owned(), json!({ "text": label.message }));
            }
            place
        })
        .collect();
    json!({
        "ruleId": diagnostic.code.number(),
        "ruleIndex": used.iter().position(|it| *it == diagnostic.code),
        "level": place::word(diagnostic.severity),
        "message": { "text": text },
        "locations": [location(diagnostic.span, sources)],
        "relatedLocations": related,
    })
}

fn location(span: Span, sources: &Sources) -> Value {
    let source = sources.get(span.source);
    let (start, end) = place::places(source, span);
    let mut location = json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(source.path().as_str()) },
            "region": {
                "startLine": start.line,
                "startColumn": start.column,
                "endLine": end.line,
                "endColumn": end.column,
            },
        },
    });
    // Lines count from the start of the cell, which is the only place that people know.
    if let (Some(cell), Some(location)) = (source.cell(), location.as_object_mut()) {
        let name = format!("cell {cell}");
        location.insert("logicalLocations".to_owned(), json!([{ "name": name, "kind": "module" }]));
    }
    location
}

/// A path as a relative URI reference.
fn uri(path: &str) -> String {
    let mut text = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                text.push(char::from(byte));
            }
            b'\\' => text.push('/'),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
