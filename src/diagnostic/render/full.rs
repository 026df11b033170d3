//! With the lines of the source, in the look of rustc.

use std::collections::BTreeMap;
use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use super::place;
use crate::diagnostic::{Diagnostic, Severity, one_line, printable};
use crate::source::{Source, SourceId, Sources, Span};

pub(super) fn render(diagnostics: &[Diagnostic], sources: &Sources, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    diagnostics.iter().map(|it| one(it, sources, &renderer) + "\n\n").collect()
}

fn one(diagnostic: &Diagnostic, sources: &Sources, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut others: BTreeMap<SourceId, Vec<(Span, &str, AnnotationKind)>> = BTreeMap::new();
    let own = diagnostic.label.as_deref().unwrap_or_default();
    let mut first = vec![(diagnostic.span, own, AnnotationKind::Primary)];
    for label in &diagnostic.labels {
        let place = (label.span, label.message.as_str(), AnnotationKind::Context);
        if label.span.source == diagnostic.span.source {
            first.push(place);
        } else {
            others.entry(label.span.source).or_default().push(place);
        }
    }
    let mut group = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.number());
    let rest = others.into_iter();
    let names: Vec<(String, &Source, Vec<_>)> = std::iter::once((diagnostic.span.source, first))
        .chain(rest)
        .map(|(id, places)| (one_line(&sources.get(id).name()), sources.get(id), places))
        .collect();
    let mut elements = Vec::new();
    for (name, source, places) in &names {
        elements.push(snippet(name, source, places));
    }
    let mut group = {
        let mut elements = elements.into_iter();
        match elements.next() {
            Some(first) => elements.fold(group.element(first), Group::element),
            None => {
                group = group.id(diagnostic.code.number());
                group.element(Level::NOTE.message("no place"))
            }
        }
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

/// Only the lines between the first and the last place: a source may have millions.
fn snippet<'a>(
    name: &'a str,
    source: &'a Source,
    places: &[(Span, &'a str, AnnotationKind)],
) -> Snippet<'a, Annotation<'a>> {
    let text = source.text();
    let ranges: Vec<Range<usize>> = places
        .iter()
        .map(|(span, ..)| {
            let start = place::clamp(source, span.start) as usize;
            start..place::clamp(source, span.end) as usize
        })
        .collect();
    let start = ranges.iter().map(|it| it.start).min().unwrap_or(0);
    let end = ranges.iter().map(|it| it.end).max().unwrap_or(0);
    let from = text.get(..start).and_then(|it| it.rfind('\n')).map_or(0, |at| at + 1);
    let to = text.get(end..).and_then(|it| it.find('\n')).map_or(text.len(), |at| end + at);
    let line = source.line_column(from as u32).line as usize;
    let lines = text.get(from..to).unwrap_or_default();
    // A character that is written as its number moves what comes after it.
    let place = |offset: usize| printable(lines.get(..offset - from).unwrap_or(lines)).len();
    let mut snippet = Snippet::source(printable(lines)).path(name).line_start(line).fold(true);
    for (range, (_, label, kind)) in ranges.iter().zip(places) {
        let annotation = kind.span(place(range.start)..place(range.end));
        let label = Some(*label).filter(|it| !it.is_empty());
        snippet = snippet.annotation(annotation.label(label));
    }
    snippet
}
