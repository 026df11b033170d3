//! marimo's elements: every one that marimo has is in `docs/outputs.md`, and what real ones become is
//! kept in snapshots that a person can read.
//!
//! `NBC_TEST_PYTHON` names an interpreter with marimo, which `tests/run.sh` makes.
use std::collections::{BTreeMap, BTreeSet};

use nbc::output::{self, OutputPosition};
use nbc::run::record::{CellRun, CellStatus, MimeBundle, RawOutput};
use nbc::source::{Sources, Span};
use test_support::python_says;

fn python(script: &str) -> String {
    python_says(&["-c", script])
}

#[test]
fn every_element_of_marimo_is_documented() {
    let names = python(
        "import re, pathlib, marimo\n\
         root = pathlib.Path(marimo.__file__).parent\n\
         for part in ('_plugins', '_output'):\n\
         \x20   for path in (root / part).rglob('*.py'):\n\
         \x20       for name in re.findall(r'[\"<](marimo-[a-z-]+)[\" >]', path.read_text('utf-8')):\n\
         \x20           print(name)\n",
    );
    let real: BTreeSet<&str> = names.lines().filter(|it| *it != "marimo-ui-element").collect();
    let page = include_str!("../docs/outputs.md");
    let documented: BTreeSet<&str> = page
        .lines()
        .filter_map(|it| it.strip_prefix("| `marimo-")?.split_once('`'))
        .map(|(name, _)| name)
        .collect();
    let real: BTreeSet<&str> = real.iter().filter_map(|it| it.strip_prefix("marimo-")).collect();
    assert!(real.len() >= 50, "{real:?}");
    assert_eq!(real, documented);
}

/// Name → expression, one element each.
const ELEMENTS: &[(&str, &str)] = &[
    ("accordion", "mo.accordion({'One': mo.md('text'), 'Two': 'plain'})"),
    ("callout", "mo.callout(mo.md('**Careful**'), kind='warn')"),
    ("chat", "mo.ui.chat(lambda messages: 'hi')"),
    ("download", "mo.download(b'a,b', filename='data.csv', mimetype='text/csv', label='Get it')"),
    ("dropdown", "mo.ui.dropdown(['One', 'Two'], value='Two', label='Pick')"),
    ("file", "mo.ui.file(label='Upload')"),
    ("form", "mo.ui.text(label='Name').form(submit_button_label='Send')"),
    ("json", "mo.json({'a': [1, None, {'b': 'c'}]})"),
    ("matrix", "mo.ui.matrix([[1, 2], [3, 4]], label='M')"),
    ("menu", "mo.nav_menu({'#a': 'A', 'More': {'#b': 'B'}}, orientation='vertical')"),
    ("number", "mo.ui.number(1, 9, value=3, label='Count')"),
    ("pdf", "mo.pdf(io.BytesIO(b'%PDF-1.4'))"),
    ("radio", "mo.ui.radio(['x', 'y'], value='y', label='Choose')"),
    ("slider", "mo.ui.slider(1, 9, value=3, label='n')"),
    ("stat", "mo.stat('12', label='Sales', caption='5%', direction='increase', bordered=True)"),
    ("switch", "mo.ui.switch(True, label='On')"),
    ("table", "mo.ui.table([{'n': 1, 'what': mo.md('**b**'), 'how': mo.ui.checkbox(True)}])"),
    ("tabs", "mo.ui.tabs({'One': mo.md('first'), 'Two': 'second'}, value='Two')"),
    ("tree", "mo.tree([1, (2, 'x'), {'k': mo.md('*md*')}], label='T')"),
    ("video", "mo.video(b'\\x00\\x00\\x00\\x18ftypmp42\\x00\\x00\\x00\\x00mp42isom')"),
];

#[test]
fn real_elements_become_plain_markup() {
    let list: String = ELEMENTS.iter().map(|(_, it)| format!("lambda: {it},\n")).collect();
    let printed = python(&format!(
        "import io, json, marimo as mo\n\
         from marimo._output.formatting import try_format\n\
         from marimo._output.formatters.formatters import register_formatters\n\
         register_formatters()\n\
         for make in [{list}]:\n\
         \x20   it = try_format(make())\n\
         \x20   print(json.dumps([it.mimetype, it.data]))\n"
    ));
    let mut shown = String::new();
    for ((name, expression), line) in ELEMENTS.iter().zip(printed.lines()) {
        let (mime, data): (String, serde_json::Value) = serde_json::from_str(line).unwrap();
        let bundle =
            MimeBundle { data: BTreeMap::from([(mime, data)]), metadata: serde_json::Map::new() };
        let run = CellRun::new(CellStatus::Finished, vec![RawOutput::Display { bundle }]);
        let mut sources = Sources::default();
        let source = sources.add("a.py".into(), None, String::new());
        let place = OutputPosition { span: Span::new(source, 0, 0), scope: "c1" };
        let rendered = output::cell(
            &run,
            &place,
            &output::Shown::default(),
            &output::Interactivity::default(),
        )
        .value;
        let html: String = rendered.outputs.iter().map(|it| it.html.as_str()).collect();
        // A line for each element, for people.
        let html = html.replace("><", ">\n<");
        shown.push_str(&format!("### {name}: {expression}\n{html}\n\n"));
    }
    assert_eq!(printed.lines().count(), ELEMENTS.len());
    insta::assert_snapshot!(shown);
}
