//! Functions that are fuzzed: bytes in, and nothing but a panic can be wrong.
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
#[path = "../../tests/hostile/verified.rs"]
mod verified;

use std::collections::BTreeMap;
use std::io::{Read, Write};

use nbc::charts::{Chart, Kind, Refusal};
use nbc::notebook::CellId;
use nbc::output::mask::{Host, Masks};
use nbc::output::{Interactivity, OutputPosition, RenderedOutput, Shown};
use nbc::remote::{Address, AssetsLock};
use nbc::run::protocol::{PROTOCOL_VERSION, StartApp, StartCell};
use nbc::run::record::{
    CellRun, CellStatus, EngineReport, MimeBundle, RECORD_VERSION, RawOutput, RunRecord, StreamName,
};
use nbc::run::{Engine, OutputLimits, Start, Unobserved, converse};
use nbc::sanitize::UntrustedHtml;
use nbc::secret::Secret;
use nbc::source::{Source, Sources, Span};

/// A target: bytes to nothing.
pub type Target = fn(&[u8]);

/// Every target, by the name of its folder in `corpus/`.
pub const TARGETS: [(&str, Target); 17] = [
    ("parse_marimo", |data| notebook(&["py"], data)),
    ("parse_percent", |data| notebook(&["py"], data)),
    ("parse_ipynb", |data| notebook(&["ipynb"], data)),
    // The one is marimo's or MyST's, the other Quarto's: both read every text.
    ("parse_markdown", |data| notebook(&["md", "qmd"], data)),
    ("runner_protocol", runner_protocol),
    ("sanitize_html", sanitize_html),
    ("sanitize_css", sanitize_css),
    ("sanitize_svg", sanitize_svg),
    ("output_ansi", output_ansi),
    ("output_markdown", output_markdown),
    ("charts", charts),
    ("masks", masks),
    ("leaks", leaks),
    ("metadata", metadata),
    ("assets_lock", assets_lock),
    ("states", states),
    ("verify", verify),
];

/// Runs the target of a name.
pub fn run(name: &str, data: &[u8]) {
    for (_, target) in TARGETS.iter().filter(|(it, _)| *it == name) {
        target(data);
    }
}

/// A lock of pictures is read as it is written, and an address keeps its form; none leads to another scheme.
fn assets_lock(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(lock) = AssetsLock::parse(text) {
        assert_eq!(AssetsLock::parse(&lock.to_text()), Ok(lock));
    }
    for line in text.lines() {
        let Ok(address) = Address::parse(line) else { continue };
        assert!(
            address.as_str().starts_with("https://") && !address.host().contains('@'),
            "{line}"
        );
        assert_eq!(Address::parse(address.as_str()), Ok(address.clone()), "{line}");
        if let Ok(next) = address.join(line) {
            assert!(next.as_str().starts_with("https://"), "{line}");
        }
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
        limits: OutputLimits {
            output_bytes: 200,
            total_bytes: 2000,
            outputs: 4,
            rows: 10,
            ..OutputLimits::default()
        },
        replays: 0,
        sweep: None,
    };
    for bytes in [&bytes[..], data] {
        if let Ok(record) = converse(Recorded(bytes), &start, &mut Unobserved) {
            assert!(record.cells.keys().all(|it| it.0 < 3), "{:?}", record.cells);
        }
    }
}

/// Sanitized markup must be harmless to eyes that share no code with the sanitizer, and to the verifier; sanitizing it
/// again changes nothing.
fn sanitize_html(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    sanitized(text);
}

fn sanitized(text: &str) {
    let clean = nbc::sanitize::html(&UntrustedHtml::new(text.to_owned()), "c1");
    harmless(text, clean.html.as_str(), clean.css.as_str());
    // A class of nbc's own is not for a notebook to bring.
    if clean.html.as_str().contains("class=\"nbc-note\"") {
        return;
    }
    let again = UntrustedHtml::new(clean.html.as_str().to_owned());
    let again = nbc::sanitize::html(&again, "c1");
    assert_eq!(clean.html.as_str(), again.html.as_str(), "not the same twice, from: {text:?}");
}

/// Checks markup and rules in the place that they have in a page.
fn harmless(text: &str, html: &str, css: &str) {
    scan::markup(html).unwrap_or_else(|what| panic!("{what}\nfrom: {text:?}\nin: {html:?}"));
    scan::rules(css).unwrap_or_else(|what| panic!("{what}\nfrom: {text:?}\nin: {css:?}"));
    verified::verified(html, css)
        .unwrap_or_else(|what| panic!("{what}\nfrom: {text:?}\nin: {html:?}\nand: {css:?}"));
    // A kilobyte of slack: notes and boxes that nbc puts around.
    assert!(html.len() <= 64 * text.len() + 4096, "{} bytes from {text:?}", html.len());
}

/// The text as a sheet, as a style attribute, and as an attribute of a figure.
fn sanitize_css(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let quoted = text.replace('"', "&quot;");
    sanitized(&format!(
        "<style>{text}</style><p class=a id=b style=\"{quoted}\">x</p>\
         <svg><path fill=\"{quoted}\" transform=\"{quoted}\" /></svg>"
    ));
}

/// The text as a figure in markup, and as a file.
fn sanitize_svg(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    sanitized(&format!("<svg>{text}"));
    output(display("image/svg+xml", format!("<svg>{text}</svg>").into()), text);
}

fn display(mime: &str, data: serde_json::Value) -> RawOutput {
    let data = BTreeMap::from([(mime.to_owned(), data)]);
    RawOutput::Display { bundle: MimeBundle { data, metadata: serde_json::Map::new() } }
}

fn place(sources: &mut Sources) -> OutputPosition<'static> {
    let source = sources.add("a.ipynb".into(), None, String::new());
    OutputPosition { span: Span::new(source, 0, 0), scope: "c1" }
}

/// Renders one output of a cell.
fn output(raw: RawOutput, text: &str) {
    let place = place(&mut Sources::default());
    let run = CellRun::new(CellStatus::Finished, vec![raw]);
    let charts = [Kind::Bokeh, Kind::Plotly, Kind::Vega].into();
    let interactivity = Interactivity { charts, ..Interactivity::default() };
    let cell = nbc::output::cell(&run, &place, &Shown::default(), &interactivity).value;
    for RenderedOutput { html, css, .. } in &cell.outputs {
        harmless(text, html.as_str(), css.as_str());
    }
}

/// The text as a stream: colours, links, carriage returns.
fn output_ansi(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    output(RawOutput::Stream { name: StreamName::Stdout, text: text.clone().into_owned() }, &text);
}

/// The text as prose of the notebook, and as a formula.
fn output_markdown(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let place = place(&mut Sources::default());
    let cells = [(place.scope.to_owned(), text)];
    let mathematics = nbc::output::Mathematics::read(cells, nbc::output::Rule::Jupyter);
    let attachments = serde_json::Map::new();
    let prose =
        nbc::output::markdown(text, &attachments, None, &mathematics, &place, &|_| place.span)
            .value
            .output;
    scan::markup(prose.html.as_str()).unwrap_or_else(|what| panic!("{what}\nfrom: {text:?}"));
    scan::rules(prose.css.as_str()).unwrap_or_else(|what| panic!("{what}\nfrom: {text:?}"));
    verified::verified(prose.html.as_str(), prose.css.as_str())
        .unwrap_or_else(|what| panic!("{what}\nfrom: {text:?}\nin: {:?}", prose.html.as_str()));
}

/// The text as the data of each library, and as markup that may hold them.
fn charts(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let look = |chart: Result<Chart, Refusal>| {
        let Ok(chart) = chart else { return };
        assert!(!chart.json().contains(['<', '\u{2028}', '\u{2029}']), "{:?}", chart.json());
        assert!(chart.json().len() <= 16 * text.len() + 16_384, "{} bytes", chart.json().len());
        let _: serde_json::Value = serde_json::from_str(chart.json())
            .unwrap_or_else(|what| panic!("{what}: {:?}", chart.json()));
        assert!(chart.title().is_none_or(|it| it.len() <= text.len()), "{:?}", chart.title());
    };
    if let Some(found) = nbc::charts::in_markup(text) {
        look(found.chart);
    }
    output(display("text/html", text.into()), text);
    let Ok(value) = serde_json::from_str::<serde_json::Value>(text) else { return };
    look(Chart::vega(&value, true));
    look(Chart::vega(&value, false));
    look(Chart::plotly(&value));
    look(Chart::bokeh(&value, None));
    look(Chart::bokeh(&value, Some("p1")));
    for mime in ["application/vnd.vegalite.v5+json", "application/vnd.plotly.v1+json"] {
        output(display(mime, value.clone()), text);
    }
}

/// Secrets are gone, and masking again changes nothing more.
fn masks(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let secret = "s3cr!t-v4lue";
    let host = Host {
        names: vec![("build-host.example".into(), "host"), ("marlene".into(), "user")],
        workspace: Some("/srv/work/notebooks".into()),
        secrets: vec![("API_KEY".into(), Secret::new(secret))],
    };
    let known = [("/opt/python/lib".to_owned(), "python".to_owned())];
    let masks = Masks::new(known, host);
    if let Some(masked) = masks.masked(text) {
        assert!(masked.len() <= 4 * text.len() + 64, "{text:?} to {masked:?}");
        assert!(masks.masked(&masked).is_none_or(|it| it.len() <= masked.len() + 64), "{text:?}");
    }
    let stream = RawOutput::Stream { name: StreamName::Stdout, text: text.to_owned() };
    let run = CellRun::new(CellStatus::Finished, vec![stream]);
    let mut record = RunRecord {
        version: RECORD_VERSION,
        engine: EngineReport {
            name: "python".to_owned(),
            version: String::new(),
            python: String::new(),
        },
        source: None,
        facts: None,
        sweep: None,
        cells: BTreeMap::from([(CellId(0), run)]),
    };
    let found = masks.record(&mut record);
    let Some(RawOutput::Stream { text: masked, .. }) =
        record.cells.get(&CellId(0)).and_then(|it| it.outputs.first())
    else {
        panic!("the output is gone");
    };
    assert!(!masked.contains(secret), "{text:?} to {masked:?}");
    assert!(!text.contains(secret) || found.len() == 1, "{found:?}");
}

/// Places are in the text and in order; what was found is not in the text any more once masked.
fn leaks(data: &[u8]) {
    // Seeds have a byte 1 in each value, so that no scanner of repositories takes them for real.
    let data: Vec<u8> = data.iter().copied().filter(|it| *it != 1).collect();
    let data = &data[..];
    let found = nbc::secret::leaks(data);
    assert!(found.is_sorted(), "{found:?}");
    for leak in &found {
        assert!(leak.start < leak.end && leak.end <= data.len(), "{leak:?}");
        assert!(nbc::secret::is_rule(leak.rule), "{leak:?}");
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = nbc::secret::leaks_however_escaped(text);
    let mut masked = text.to_owned();
    nbc::secret::mask_leaks(&mut masked);
    assert_eq!(masked == text, found.is_empty(), "{found:?}");
    for leak in &found {
        let value = &text.get(leak.start..leak.end).unwrap_or_else(|| panic!("{leak:?}"));
        let left = nbc::secret::leaks(masked.as_bytes());
        let is_left = left.iter().any(|it| it.fingerprint == leak.fingerprint);
        assert!(!is_left, "{value:?} is left in {masked:?}");
    }
}

/// A file that is stripped can be stripped again, to the same bytes; its base64 is stripped to its base64; nothing that
/// was not there is added but an orientation, and what goes can be searched.
fn metadata(data: &[u8]) {
    use base64::Engine as _;
    use nbc::metadata::{TextOf, is_known, strip, strip_base64, strip_in_text, texts, texts_in};
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let text = encode(data);
    let found = texts(data);
    let _ = texts_in(&text);
    let encoded = strip_base64(&text);
    let address = format!("<img src=\"data:image/png;base64,{text}\"> and more");
    let in_text = strip_in_text(&address, TextOf::Source).text;
    // Of fewer bytes no kind can be told in base64, and no metadata fit.
    if data.len() < 12 {
        return;
    }
    let Ok(once) = strip(data) else {
        assert!(encoded.is_err(), "refused as bytes, and not as base64: {data:?}");
        if text.len() >= 64 {
            assert_eq!(in_text, "<img src=\"data:image/png;base64,\"> and more");
        }
        return;
    };
    assert_eq!(encoded.as_deref(), Ok(&*encode(&once)));
    if text.len() >= 64 {
        assert_eq!(in_text, address.replace(&text, &encode(&once)));
    }
    assert!(is_known(data) || *once == *data, "a file of no known kind was changed");
    // A segment, a chunk and fillers around it.
    assert!(once.len() <= data.len() + 256, "{} bytes from {}", once.len(), data.len());
    assert!(*once == *data || !found.is_empty(), "bytes went that nobody searched: {data:?}");
    let Ok(twice) = strip(&once) else { panic!("what was stripped is refused: {data:?}") };
    assert!(*twice == *once, "not the same twice: {data:?}");
}

/// A recorded run with states: what comes of it is harmless, and `verify` accepts how it is written.
fn states(data: &[u8]) {
    let Ok(record) = RunRecord::parse(data) else { return };
    let mut sources = Sources::default();
    let text = include_str!("../../tests/states/rain.py").to_owned();
    let id = sources.add("rain.py".into(), None, text);
    let Some(notebook) = nbc::notebook::parse(&mut sources, id).value else { return };
    let charts = [Kind::Bokeh, Kind::Plotly, Kind::Vega].into();
    let interactivity = Interactivity { charts, ..Interactivity::default() };
    let compiled =
        nbc::states::compile(&notebook, &record, &Shown::default(), &interactivity).value;
    let Some(states) = compiled else { return };
    let chunks = states.chunks().unwrap_or_else(|problem| panic!("{problem}"));
    let model = states.model(&chunks).unwrap_or_else(|problem| panic!("{problem}"));
    for content in states.contents() {
        // The scan knows the names of one cell only.
        let own = format!("-s{}", content.cell.0 + 1);
        let [html, css] = [content.html(), content.css()].map(|it| it.replace(&own, "-c1"));
        scan::markup(&html).unwrap_or_else(|what| panic!("{what}\nin: {html}"));
        scan::rules(&css).unwrap_or_else(|what| panic!("{what}\nin: {css}"));
    }
    let slots = notebook.cells().map(|(id, _)| id).filter(|it| states.has_slot(*it));
    let slots = slots.map(|it| format!("<div data-slot=\"{}\"></div>", it.0 + 1));
    let jsons = chunks.iter().map(|it| it.json.as_str());
    let pieces = std::iter::once(("model".to_owned(), model.as_str()))
        .chain(jsons.enumerate().map(|(at, json)| (at.to_string(), json)));
    let pieces = pieces.map(|(name, json)| {
        format!("<script type=\"text/plain\" data-states=\"{name}\">{}</script>", packed(json))
    });
    let html: String = slots.chain(pieces).collect();
    let found = verified::verified(&html, "");
    found.unwrap_or_else(|what| panic!("{what}\nin: {model}\nand: {chunks:?}"));
}

/// Compressed, in the form that pages hold.
fn packed(text: &str) -> String {
    use base64::Engine as _;

    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let written = packed.write_all(text.as_bytes()).and_then(|()| packed.finish());
    base64::engine::general_purpose::STANDARD.encode(written.unwrap_or_default())
}

/// A site in one text: every file begins after a line `==== path`.
fn verify(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for part in text.split("==== ").skip(1) {
        let (path, content) = part.split_once('\n').unwrap_or((part, ""));
        files.insert(path.to_owned(), content.as_bytes().to_vec());
    }
    let findings = nbc::verify::verify_files(&files, &nbc::verify::Expected::default());
    // No digest can be guessed, so a page that nobody built is never accepted.
    assert!(!findings.is_empty() || files.len() > 1, "{files:?}");
    let _ = serde_json::to_string(&findings.iter().map(ToString::to_string).collect::<Vec<_>>());
}
