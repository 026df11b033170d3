//! What is fuzzed: bytes in, and nothing but a panic can be wrong.
//!
//! `fuzz_targets/` hands bytes of libFuzzer to these functions, `tests/fuzz_corpus.rs` those of
//! `corpus/`, so that every input that was interesting once is tried on each test run.
#![allow(
    dead_code,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    missing_docs,
    reason = "this file is a crate of its own and a module of a test; a finding is a panic"
)]

#[path = "../../tests/hostile/scan.rs"]
mod scan;

use std::collections::BTreeMap;
use std::io::{Read, Write};

use nbc::notebook::CellId;
use nbc::run::protocol::{PROTOCOL_VERSION, StartApp, StartCell};
use nbc::run::{Engine, OutputLimits, Start, Unobserved, converse};
use nbc::sanitize::UntrustedHtml;
use nbc::source::{Source, Sources, Span};

/// A target: bytes to nothing.
pub type Target = fn(&[u8]);

/// Every target, by the name of its folder in `corpus/`.
pub const TARGETS: [(&str, Target); 7] = [
    ("parse_marimo", |data| notebook(&["py"], data)),
    ("parse_percent", |data| notebook(&["py"], data)),
    ("parse_ipynb", |data| notebook(&["ipynb"], data)),
    // The one is marimo's or MyST's, the other Quarto's: both read every text.
    ("parse_markdown", |data| notebook(&["md", "qmd"], data)),
    ("runner_protocol", runner_protocol),
    ("sanitize_html", sanitize_html),
    ("verify", verify),
];

/// Runs the target of a name.
pub fn run(name: &str, data: &[u8]) {
    for (_, target) in TARGETS.iter().filter(|(it, _)| *it == name) {
        target(data);
    }
}

/// The bytes as the text of a notebook, in a file of each extension.
fn notebook(extensions: &[&str], data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for extension in extensions {
        notebook_text(extension, text);
    }
}

/// Reads and resolves; every place that a finding points at must be in its text.
fn notebook_text(extension: &str, text: &str) {
    let mut sources = Sources::default();
    let id = sources.add(format!("a.{extension}").into(), None, text.to_owned());
    let parsed = nbc::notebook::parse(&mut sources, id);
    let mut findings = parsed.diagnostics;
    if let Some(notebook) = &parsed.value {
        let graph = nbc::graph::analyze(&sources, notebook);
        let _ = nbc::graph::print::json(&sources, notebook, &graph.value);
        findings.extend(graph.diagnostics);
        for cell in &notebook.cells {
            let _ = nbc::python::highlight(&cell.code, nbc::python::Mode::Ipython);
        }
        let _ = nbc::run::stored::stored(notebook);
    } else {
        assert!(!findings.is_empty(), "a text that is no notebook needs a reason");
    }
    for finding in &findings {
        for span in std::iter::once(finding.span).chain(finding.labels.iter().map(|it| it.span)) {
            in_text(sources.get(span.source), span);
        }
    }
}

fn in_text(source: &Source, span: Span) {
    let range = span.start as usize..span.end as usize;
    let text = source.text();
    assert!(text.get(range).is_some(), "{span:?} of {} bytes: {text:?}", text.len());
}

/// A channel that says what it was given, and takes everything.
struct Recorded<'a>(&'a [u8]);

impl Read for Recorded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Recorded<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// One frame a line, so that a corpus can be read and changed by hand.
fn runner_protocol(data: &[u8]) {
    let mut bytes = Vec::new();
    for frame in data.split(|it| *it == b'\n') {
        bytes.extend(u32::try_from(frame.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(frame);
    }
    let cell = |id| StartCell {
        id: CellId(id),
        code: String::new(),
        kind: "code",
        name: None,
        disabled: false,
        raises_exception: false,
        skip_execution: false,
    };
    let start = Start {
        protocol: PROTOCOL_VERSION,
        engine: Engine::Plain,
        file: "/nb/a.py".into(),
        argv: Vec::new(),
        app: StartApp::default(),
        cells: vec![cell(0), cell(1), cell(2)],
        order: vec![CellId(0), CellId(1)],
        overlays: Vec::new(),
        seed: None,
        allow_errors: false,
        limits: OutputLimits { output_bytes: 200, total_bytes: 2000, outputs: 4 },
    };
    for bytes in [&bytes[..], data] {
        if let Ok(record) = converse(Recorded(bytes), &start, &mut Unobserved) {
            assert!(record.cells.keys().all(|it| it.0 < 3), "{:?}", record.cells);
        }
    }
}

/// What the sanitizer lets through must be harmless to eyes that share no code with it.
fn sanitize_html(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let clean = nbc::sanitize::html(&UntrustedHtml::new(text.to_owned()), "c1");
    let look = |html: &str, css: &str| {
        scan::markup(html).unwrap_or_else(|what| panic!("{what}\nfrom: {text:?}\nin: {html:?}"));
        scan::rules(css).unwrap_or_else(|what| panic!("{what}\nfrom: {text:?}\nin: {css:?}"));
    };
    look(clean.html.as_str(), clean.css.as_str());
    // What was clean stays so when another tool reads and writes it again.
    let again = UntrustedHtml::new(clean.html.as_str().to_owned());
    let again = nbc::sanitize::html(&again, "c1");
    look(again.html.as_str(), again.css.as_str());
}

/// A site in one text: every file begins after a line `==== path`.
fn verify(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for part in text.split("==== ").skip(1) {
        let (path, content) = part.split_once('\n').unwrap_or((part, ""));
        files.insert(path.to_owned(), content.as_bytes().to_vec());
    }
    let findings = nbc::verify::verify_files(&files);
    // No digest can be guessed, so a page that nobody built is never accepted.
    assert!(!findings.is_empty() || files.len() > 1, "{files:?}");
    let _ = serde_json::to_string(&findings.iter().map(ToString::to_string).collect::<Vec<_>>());
}
