#![allow(warnings)]
use nbc::output;
use nbc::run::record::*;
use std::collections::BTreeMap;
#[test]
fn eye() {
    let mut s = nbc::source::Sources::default();
    let id = s.add("x.py".into(), None, String::new());
    let m: serde_json::Map<String, serde_json::Value> = serde_json::from_str(
        &std::fs::read_to_string(std::env::var("EYE").unwrap_or("/tmp/eye/out.json".into()))
            .unwrap(),
    )
    .unwrap();
    let mut page = String::new();
    let mut css = std::fs::read_to_string("assets/output.css").unwrap_or_default();
    for (i, (k, v)) in m.iter().enumerate() {
        let mut data = BTreeMap::new();
        data.insert(v[0].as_str().unwrap().to_owned(), v[1].clone());
        let run = CellRun {
            status: CellStatus::Finished,
            outputs: vec![RawOutput::Display {
                bundle: MimeBundle { data, metadata: Default::default() },
            }],
        };
        let scope = format!("c{i}");
        let r = output::cell(
            &run,
            &output::Place { span: nbc::source::Span::new(id, 0, 0), scope: &scope },
        );
        page.push_str(&format!("<h5>{k}</h5>\n"));
        for o in &r.value.outputs {
            page.push_str(o.html.as_str());
            page.push('\n');
            css.push_str(o.css.as_str());
        }
        for d in &r.diagnostics {
            page.push_str(&format!(
                "<p style='color:gray;font:11px sans-serif'>{} {}</p>",
                d.code.number(),
                d.message.replace('<', "&lt;")
            ));
        }
    }
    std::fs::write("/tmp/eye/page.html", format!("<!doctype html><meta charset=utf-8><style>:root{{--nbc-text:#1d1d1f;--nbc-muted:#6b6f76;--nbc-surface:#f6f7f9;--nbc-border:#d9dce1;--nbc-accent:#2b5fd9;--nbc-danger:#b3261e;--nbc-warning:#8a5a00;--nbc-success:#1c7a3d;--nbc-mono:ui-monospace,monospace;--nbc-sans:system-ui,sans-serif}}body{{max-width:800px;margin:2em auto;font:16px/1.5 sans-serif}}{css}</style>{page}")).unwrap();
}
