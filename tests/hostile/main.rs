//! Hostile markup: every file in `cases/` goes through the sanitizer as an output of a cell; what
//! comes out is compared with a reviewed snapshot and scanned by eyes that share nothing with it.
//!
//! A case file holds payloads separated by lines of `----`. Its extension says what it is.
#![expect(clippy::expect_used, clippy::panic, reason = "a case that can't be read fails the test")]

mod scan;
mod verified;

use std::collections::BTreeMap;

use nbc::charts::Kind;
use nbc::diagnostic::Parsed;
use nbc::output::{self, OutputPosition, RenderedCell};
use nbc::run::record::{CellRun, CellStatus, MimeBundle, RawOutput, StreamName};
use nbc::sanitize::{self, UntrustedHtml};
use nbc::source::{Sources, Span};
use proptest::prelude::*;
use verified::verified;

/// Cases of each property; `NBC_CASES` asks for more after a change of the sanitizer.
fn cases() -> u32 {
    std::env::var("NBC_CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(2000)
}

fn render(outputs: Vec<RawOutput>) -> Parsed<RenderedCell> {
    let mut sources = Sources::default();
    let source = sources.add("case.ipynb".into(), None, String::new());
    let place = OutputPosition { span: Span::new(source, 0, 0), scope: "c1" };
    output::cell(
        &CellRun::new(CellStatus::Finished, outputs),
        &place,
        &output::Shown::default(),
        &output::Interactivity {
            charts: [Kind::Bokeh, Kind::Plotly, Kind::Vega].into(),
            ..output::Interactivity::default()
        },
    )
}

fn display(mime: &str, data: serde_json::Value) -> RawOutput {
    let data = BTreeMap::from([(mime.to_owned(), data)]);
    RawOutput::Display { bundle: MimeBundle { data, metadata: serde_json::Map::new() } }
}

fn prose(text: &str) -> Parsed<output::RenderedProse> {
    let mut sources = Sources::default();
    let source = sources.add("case.ipynb".into(), None, String::new());
    let place = OutputPosition { span: Span::new(source, 0, 0), scope: "c1" };
    let mathematics =
        output::Mathematics::read([(place.scope.to_owned(), text)], output::Rule::Jupyter);
    output::markdown(text, &serde_json::Map::new(), None, &mathematics, &place, &|_| place.span)
}

/// Renders one payload of a case file to HTML, CSS and messages, after the scan.
fn case(extension: &str, payload: &str) -> String {
    let (html, css, diagnostics) = if extension == "md" {
        let parsed = prose(payload);
        let output = parsed.value.output;
        (output.html.as_str().to_owned(), output.css.as_str().to_owned(), parsed.diagnostics)
    } else {
        let output = match extension {
            "svg" => display("image/svg+xml", payload.into()),
            "tex" => display("text/latex", payload.into()),
            "json" => {
                let data: BTreeMap<String, serde_json::Value> =
                    serde_json::from_str(payload).expect("a bundle");
                RawOutput::Display { bundle: MimeBundle { data, metadata: serde_json::Map::new() } }
            }
            "ansi" => RawOutput::Stream {
                name: StreamName::Stdout,
                text: payload.replace("\\e", "\u{1b}").replace("\\r", "\r"),
            },
            _ => display("text/html", payload.into()),
        };
        let parsed = render(vec![output]);
        let join = |pick: fn(&output::RenderedOutput) -> &str| {
            parsed.value.outputs.iter().map(pick).collect::<Vec<_>>().join("\n")
        };
        (join(|it| it.html.as_str()), join(|it| it.css.as_str()), parsed.diagnostics)
    };
    scan::markup(&html).unwrap_or_else(|what| panic!("{what}\nfrom: {payload}\nin: {html}"));
    scan::rules(&css).unwrap_or_else(|what| panic!("{what}\nfrom: {payload}\nin: {css}"));
    let messages = diagnostics.iter().map(|it| format!("{}: {}", it.code.number(), it.message));
    let messages = messages.collect::<Vec<_>>().join("\n");
    [html, css.trim().to_owned(), messages]
        .into_iter()
        .filter(|it| !it.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn hostile_outputs_are_harmless() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hostile/cases");
    let mut paths: Vec<_> = fs_err::read_dir(folder)
        .expect("the folder of cases")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    for path in paths {
        let extension = path.extension().and_then(|it| it.to_str()).unwrap_or("");
        let name = path.file_name().and_then(|it| it.to_str()).unwrap_or("").replace('.', "-");
        let text = fs_err::read_to_string(&path).expect("a case file");
        let results: Vec<String> = text
            .split("\n----\n")
            .map(|payload| format!("<<< {}\n{}", payload.trim(), case(extension, payload.trim())))
            .collect();
        insta::assert_snapshot!(name, results.join("\n\n"));
    }
}

/// Pieces that mutated markup is made of: what parsers disagree about.
const PIECES: &[&str] = &[
    "<",
    ">",
    "\"",
    "'",
    "/",
    "=",
    " ",
    "&lt;",
    "&quot;",
    "&#x3c;",
    "<b>",
    "</b>",
    "<p>",
    "</p>",
    "<div id=x class='a nbc-b s-0123456789'>",
    "</div>",
    "<svg>",
    "</svg>",
    "<math>",
    "</math>",
    "<mtext>",
    "<mi>",
    "<mglyph>",
    "<malignmark>",
    "<annotation-xml encoding='text/html'>",
    "<foreignObject>",
    "<desc>",
    "<title>",
    "</title>",
    "<style>",
    "</style>",
    "<script>",
    "</script>",
    "<noscript>",
    "<textarea>",
    "<template>",
    "<select>",
    "<option>",
    "<table>",
    "</table>",
    "<tr>",
    "<td>",
    "<caption>",
    "<a href='javascript:x'>",
    "</a>",
    "<a href='#x'>",
    "<img src=x onerror=y>",
    "<!--",
    "-->",
    "--!>",
    "<![CDATA[",
    "]]>",
    "<?x",
    "</",
    "<!x",
    "a",
    "<form>",
    "<button>",
    "<input type=text>",
    "<data value=\"0\"></data>",
    "<li>",
    "<ul>",
    "\0",
    "<use href='#a'>",
    "<use href='data:x'>",
    "<path style='fill:url(#a)'>",
    "<font color=a>",
    "<marimo-callout-output data-html='\"<img src=x onerror=y>\"'>",
    "</marimo-callout-output>",
    "<marimo-tabs data-tabs='[\"a\"]'>",
    "</marimo-tabs>",
    "<h1>",
    "</h1>",
    "<plaintext>",
    "<br>",
    " style='color:red'",
    " onclick=x",
    "<iframe srcdoc='<script>'>",
    "<xmp>",
    "<ruby><rt>",
];

fn markup() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(PIECES), 0..40).prop_map(|it| it.concat())
}

fn verified_cell(parsed: &Parsed<RenderedCell>) -> Result<(), String> {
    let join = |pick: fn(&output::RenderedOutput) -> &str| {
        parsed.value.outputs.iter().map(pick).collect::<Vec<_>>().join("\n")
    };
    verified(&join(|it| it.html.as_str()), &join(|it| it.css.as_str()))
}

/// Elements and attributes that a value can be put into.
const NAMED: &[&str] = &[
    "td align",
    "td valign",
    "td colspan",
    "th scope",
    "time datetime",
    "ol type",
    "ol start",
    "li value",
    "p hidden",
    "p lang",
    "p dir",
    "p translate",
    "p role",
    "p title",
    "p aria-label",
    "details open",
    "input type",
    "input checked",
    "img src",
    "img width",
    "img alt",
    "a href",
    "a target",
    "label for",
    "td headers",
    "table border",
    "col span",
    "col width",
    "p id",
    "p class",
    "text font-family",
    "text text-decoration",
    "g transform",
    "g display",
    "path d",
    "path fill",
    "path stroke",
    "g clip-path",
    "g mask",
    "g filter",
    "path marker-mid",
    "feFuncR type",
    "g values",
    "use href",
    "image href",
    "use xlink:href",
    "svg viewBox",
    "svg version",
    "mi mathbackground",
    "mi mathcolor",
    "mo separator",
    "mtable columnalign",
    "math display",
    "p style",
    "g style",
    "marimo-slider data-start",
    "marimo-slider data-step",
    "marimo-number data-stop",
    "marimo-callout-output data-html",
    "marimo-stat data-value",
    "marimo-nav-menu data-items",
    "marimo-json-output data-json-data",
];

/// Pieces of values and of styles.
const VALUES: &[&str] = &[
    "javascript:",
    "JaVa",
    "script:",
    "data:",
    "text/html,x",
    "image/png;base64,AAAA",
    "about:",
    "blank",
    "vbscript:",
    "blob:",
    "file:",
    "jar:",
    "view-source:",
    "url(",
    "URL(",
    "#a",
    ")",
    "(",
    "'",
    "&quot;",
    "&#13;",
    "&#10;",
    "&#9;",
    "&#0;",
    "&#1;",
    "&#12;",
    "\r",
    "\\",
    "\\75rl(",
    "/*",
    "*/",
    "//",
    "http://e.x/",
    "image-set(",
    "image(",
    "src(",
    "url-prefix(",
    "expression(",
    "1",
    "red",
    " ",
    ",",
    ";",
    ":",
    "rgb(1,2,3)",
    "translate(1)",
    "é",
    "%",
    "&lt;",
    "&gt;",
    "&amp;",
    "@import",
    "{",
    "}",
    "center",
    "12:30",
    "2020-01-01",
    "T",
    "?",
    "[",
    "]",
    "#o-c1-a",
    "&quot;#a&quot;",
    "matrix(",
    "Sans",
    "mailto:",
];

/// Pieces of style sheets.
const SHEET: &[&str] = &[
    "p",
    ".a",
    "#a",
    ":is(",
    ":not(",
    "::before",
    "::src(",
    ":url(",
    "[title=",
    "'x'",
    "\"",
    "'",
    "]",
    "{",
    "}",
    "(",
    ")",
    "color:red",
    ";",
    "background:",
    "url(#a)",
    "url(x)",
    "url('#a')",
    "URL(#a)",
    "image-set('x' 1x)",
    "src(x)",
    "image(x)",
    "url-prefix(x)",
    "attr(x)",
    "--x:",
    "var(--x)",
    "content:",
    "\\75rl(x)",
    "\\",
    "\r",
    "\u{c}",
    "\n",
    "/*",
    "*/",
    "@media ",
    "@supports ",
    "@import 'x';",
    "@font-face",
    "(width: 1px)",
    "(background: src(x))",
    "(width: image(x))",
    "not ",
    "selector(",
    ",",
    ">",
    " ",
    "<",
    "</style>",
    "<!--",
    "!important",
    "é",
    "filter:",
    "mask:",
    "font-family:",
    "@container ",
    "@layer ",
    "&",
    "1",
    "px",
    "calc(",
    "&#13;",
    "\0",
];

fn valued() -> impl Strategy<Value = String> {
    let value = proptest::collection::vec(proptest::sample::select(VALUES), 0..6);
    let one = (proptest::sample::select(NAMED), value).prop_map(|(named, value)| {
        let (element, attribute) = named.split_once(' ').unwrap_or((named, "id"));
        let around = match element {
            "td" | "th" => "<table><tr>",
            "col" => "<table>",
            "text" | "g" | "path" | "feFuncR" | "use" | "image" => "<svg>",
            "mi" | "mo" | "mtable" => "<math>",
            _ => "",
        };
        let value = value.concat();
        if attribute.starts_with("data-") && element.starts_with("marimo") {
            let json = serde_json::Value::from(value).to_string().replace('"', "&quot;");
            return format!("<{element} {attribute}=\"{json}\">x</{element}>");
        }
        format!("{around}<{element} {attribute}=\"{value}\">x{value}</{element}>")
    });
    proptest::collection::vec(one, 1..4).prop_map(|it| it.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_verifier_has_nothing_against_any_markup(text in markup()) {
        prop_assert_eq!(verified_cell(&render(vec![display("text/html", text.into())])), Ok(()));
    }

    #[test]
    fn the_verifier_has_nothing_against_any_value(text in valued()) {
        let parsed = render(vec![display("text/html", text.clone().into())]);
        prop_assert_eq!(verified_cell(&parsed), Ok(()), "{}", text);
    }

    #[test]
    fn the_verifier_has_nothing_against_any_figure(text in valued(), style in sheet()) {
        let text = format!("<svg><style>{style}</style>{text}</svg>");
        let parsed = render(vec![display("image/svg+xml", text.clone().into())]);
        prop_assert_eq!(verified_cell(&parsed), Ok(()), "{}", text);
    }

    #[test]
    fn the_verifier_has_nothing_against_any_sheet(text in sheet()) {
        let text = format!("<style>{text}</style><p class=a id=a>x");
        let parsed = render(vec![display("text/html", text.clone().into())]);
        prop_assert_eq!(verified_cell(&parsed), Ok(()), "{}", text);
    }

    #[test]
    fn the_verifier_has_nothing_against_any_prose(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..10),
        text in "[ -~\\n\\r]{0,80}",
        value in valued(),
    ) {
        let text = format!("{text}{}\n\n# a&#13;b\n\n> - {value}", pieces.concat());
        let parsed = prose(&text);
        let output = &parsed.value.output;
        prop_assert_eq!(verified(output.html.as_str(), output.css.as_str()), Ok(()), "{}", text);
    }
}

fn sheet() -> impl Strategy<Value = String> {
    let body = proptest::collection::vec(proptest::sample::select(SHEET), 0..8);
    let rule = (body.clone(), body)
        .prop_map(|(selector, body)| format!("{}{{{}}}", selector.concat(), body.concat()));
    proptest::collection::vec(rule, 1..4).prop_map(|it| it.concat())
}

/// Each of these once stopped a build.
#[test]
fn the_verifier_has_nothing_against_known_attacks() {
    let deep = |around: usize, times: usize| {
        ("<div>".repeat(around) + "<marimo-ui-element>").repeat(times) + "x"
    };
    let tree = format!("{}1{}", "[".repeat(120), "]".repeat(120));
    for text in [
        "<table><tr><td align='javascript:x'>a</table>",
        "<math><mo separator='data:text/html,x'>x</mo></math>",
        "<svg><text font-family=\"O'Neil (Sans)\">a</text></svg>",
        "<style>@supports (background: image-set(linear-gradient(red,red) 1x)){p{color:red}}</style><p>a",
        "<style>@supports (background: src(x)){p{color:red}}</style><p>a",
        "<style>p:url(http://x.y/){color:red} p::src(x){color:red}</style><p>a",
        "<p title='a&#13;b'>a&#13;b\rc\r\nd</p>",
        "<img src='data:image/jpg;base64,AAAA'>",
        &deep(200, 5),
        &deep(250, 23),
        &deep(8, 24),
        &("<table><tr><td>".repeat(90) + "<marimo-ui-element>").repeat(9),
        &format!("<marimo-json-output data-json-data='{tree}'></marimo-json-output>"),
        &("<div>".repeat(20) + "<marimo-accordion data-labels='[\"x\"]'><div>").repeat(23),
    ] {
        let parsed = render(vec![display("text/html", (*text).into())]);
        assert_eq!(verified_cell(&parsed), Ok(()), "{}", text.get(..80).unwrap_or(text));
    }
    for text in ["<p align=\"about:x\">", "<p>\r</p>", "<p onclick=\"x\"></p>", "<p>"] {
        assert!(verified(text, "").is_err(), "{text}");
    }
    assert!(verified("", "p{a:src(x)}").is_err());
    let bundle = display("application/json", serde_json::json!({ "a\r": "b\r" }));
    assert_eq!(verified_cell(&render(vec![bundle])), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_markup_is_harmless(text in markup()) {
        let parsed = render(vec![display("text/html", text.into())]);
        for output in &parsed.value.outputs {
            prop_assert_eq!(scan::markup(output.html.as_str()), Ok(()));
            prop_assert_eq!(scan::rules(output.css.as_str()), Ok(()));
        }
    }

    #[test]
    fn sanitizing_twice_changes_nothing(text in markup()) {
        let once = sanitize::html(&UntrustedHtml::new(text), "c1").html;
        let twice = sanitize::html(&UntrustedHtml::new(once.as_str().to_owned()), "c1").html;
        prop_assert_eq!(once.as_str(), twice.as_str());
    }

    #[test]
    fn any_prose_is_harmless(text in "[ -~\\n]{0,200}") {
        let parsed = prose(&text);
        prop_assert_eq!(scan::markup(parsed.value.output.html.as_str()), Ok(()));
    }

    #[test]
    fn any_style_is_harmless(text in "[ -~\\n]{0,120}") {
        let html = format!("<style>{}</style><p class=a style=\"{}\">x", text, text.replace('"', "'"));
        let result = sanitize::html(&UntrustedHtml::new(html), "c1");
        prop_assert_eq!(scan::rules(result.css.as_str()), Ok(()));
        prop_assert_eq!(scan::markup(result.html.as_str()), Ok(()));
    }
}

/// The property test found it: a cell without a table stood between two items for nbc, and not for a parser.
#[test]
fn a_cell_of_no_table_is_told_and_keeps_no_items_apart() {
    let once = sanitize::html(&UntrustedHtml::new("<li><td><h1><li>".to_owned()), "c1");
    assert_eq!(once.html.as_str(), "<li><h1></h1></li><li></li>");
    let twice = sanitize::html(&UntrustedHtml::new(once.html.as_str().to_owned()), "c1").html;
    assert_eq!(once.html.as_str(), twice.as_str());
    assert!(once.removed.iter().any(|it| it.what == "`<td>` tag out of place"));
}

#[test]
fn drawn_diagrams_are_harmless() {
    let attacks = [
        "graph LR\n A[\"<img src=x onerror=alert(1)>\"] --> B\n click A \"javascript:alert(1)\"\n",
        "graph TD\n A[\"</svg><script>alert(1)</script>\"]\n style A fill:url(https://example.org/x)\n",
        "sequenceDiagram\n A->>B: <svg onload=alert(1)>\n",
        "pie title \"<foreignObject>\"\n \"<a href='javascript:alert(1)'>x</a>\" : 3\n",
    ];
    for source in attacks {
        let drawing = output::draw_diagram(source).expect("a diagram");
        for mime in ["image/svg+xml", "text/html"] {
            let parsed = render(vec![display(mime, drawing.clone().into())]);
            for it in &parsed.value.outputs {
                assert_eq!(scan::markup(it.html.as_str()), Ok(()), "{source}");
            }
        }
    }
}

/// Inputs that make a parser slow or its stack short. Each must end within seconds, even unoptimized.
#[test]
fn deep_and_long_markup_stays_bounded() {
    let deep = |piece: &str| piece.repeat(100_000);
    let inputs = [
        deep("<div>"),
        deep("<b class=x>"),
        deep("<p><b id=x>"),
        deep("<svg><g>"),
        deep("<table><tr><td>"),
        deep("<marimo-callout-output>"),
        deep("<math><mi>"),
        deep("<a href=x>"),
        deep("<!--"),
        deep("<!-- --!"),
        deep("<![CDATA["),
        deep("</div>"),
        deep("<"),
        deep("<style>"),
        deep("&"),
        format!("<div {}>", (0..100_000).map(|it| format!("a{it}=b ")).collect::<String>()),
        format!("<p style='{}'>", deep("a:(")),
        format!("<style>{}</style>", deep("a{")),
        format!("<style>{}</style>", deep(":is(")),
        format!("<p id={}>", deep("x")),
        deep("<ruby><rt>"),
        deep("<details><summary>"),
    ];
    for input in inputs {
        let start = std::time::Instant::now();
        let parsed = render(vec![display("text/html", input.clone().into())]);
        for output in &parsed.value.outputs {
            assert_eq!(scan::markup(output.html.as_str()), Ok(()));
            assert!(output.html.as_str().len() < input.len() * 8 + 4096, "{}", &input[..20]);
        }
        assert!(start.elapsed().as_secs() < 20, "slow: {}", &input[..20]);
    }
    // Equal headings, environments without end, an accordion with many panels.
    let panels = format!(
        "<marimo-accordion data-labels='[]' data-expanded='[{}]'>{}</marimo-accordion>",
        (0..20_000).map(|it| it.to_string()).collect::<Vec<_>>().join(","),
        "<p>a</p>".repeat(20_000)
    );
    let start = std::time::Instant::now();
    assert_eq!(prose(&"# a\n".repeat(30_000)).value.headings.len(), 500);
    prose(&"\\begin{align}\n".repeat(100_000));
    render(vec![display("text/html", panels.into())]);
    assert!(start.elapsed().as_secs() < 60, "slow: headings, environments or panels");
    let large = display("text/html", "<b>a</b>".repeat((9 << 20) / 8).into());
    let parsed = render(vec![large]);
    assert!(parsed.diagnostics.iter().any(|it| it.code.number() == "NBC402"));
    for input in
        ["\\sqrt".repeat(20_000), "{".repeat(100_000), "\\frac{".repeat(3000), "$".repeat(50_000)]
    {
        let parsed = render(vec![display("text/latex", input.into())]);
        assert_eq!(parsed.value.outputs.len(), 1);
    }
    for input in
        [deep("> "), deep("* "), deep("["), deep("![]("), deep("`"), deep("|-|\n"), deep("$$x")]
    {
        let parsed = prose(&input);
        assert_eq!(scan::markup(parsed.value.output.html.as_str()), Ok(()));
    }
}
