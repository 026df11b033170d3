//! Conversations, true ones and damaged ones.

use std::io::{self, Read, Write};

use proptest::prelude::*;

use super::*;
use crate::notebook::CellId;
use crate::run::record::{LeftOut, RunRecord};
use crate::run::{RunError, Unobserved, converse};

/// A channel that says what it was given, and takes everything.
struct Recorded<'a>(&'a [u8]);

impl Read for Recorded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Recorded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn start() -> Start {
    let cell = |id| StartCell {
        id: CellId(id),
        code: String::new(),
        kind: "code",
        name: None,
        disabled: false,
        raises_exception: false,
        skip_execution: false,
    };
    Start {
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
            output_bytes: 100,
            total_bytes: 1000,
            outputs: 3,
            rows: 10,
            ..OutputLimits::default()
        },
        replays: 0,
        sweep: None,
    }
}

fn bytes(frames: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        bytes.extend((frame.len() as u32).to_be_bytes());
        bytes.extend(frame.as_bytes());
    }
    bytes
}

const HELLO: &str = r#"{"event":"hello","protocol":2,"engine":"python","engine_version":"3.11.7","python":"3.11.7"}"#;
const STARTED: &str = r#"{"event":"started","cell":0}"#;
const FINISHED: &str =
    r#"{"event":"finished","cell":0,"run":{"status":{"kind":"finished"},"outputs":[]}}"#;
const UPDATED: &str = r#"{"event":"updated","cell":0,"run":{"status":{"kind":"finished"},"outputs":[{"kind":"stream","name":"stdout","text":"a"}]}}"#;
const DONE: &str = r#"{"event":"done"}"#;

fn hear(frames: &[&str]) -> Result<RunRecord, RunError> {
    converse(Recorded(&bytes(frames)), &start(), &mut Unobserved)
}

/// The reason for which a conversation is refused.
fn refusal(frames: &[&str]) -> String {
    match hear(frames) {
        Err(RunError::Broken { source, .. }) => source.to_string(),
        other => panic!("{other:?}"),
    }
}

fn finished(status: &str, outputs: &str) -> String {
    format!(r#"{{"event":"finished","cell":0,"run":{{"status":{status},"outputs":[{outputs}]}}}}"#)
}

#[test]
fn a_whole_conversation_gives_a_record() {
    let record = hear(&[HELLO, STARTED, FINISHED, UPDATED, DONE]).unwrap();
    assert_eq!(record.engine.name, "python");
    assert_eq!(record.cells.keys().copied().collect::<Vec<_>>(), [CellId(0)]);
    assert_eq!(record.cells.values().next().unwrap().outputs.len(), 1);
}

#[test]
fn events_that_do_not_fit_are_refused() {
    let wrong = "the notebook's process sent `NAME` at the wrong moment";
    for (name, frames) in [
        ("finished", &[FINISHED][..]),
        ("done", &[DONE]),
        ("hello", &[HELLO, HELLO]),
        ("finished", &[HELLO, FINISHED]),
        ("finished", &[HELLO, STARTED, FINISHED, FINISHED]),
        ("started", &[HELLO, STARTED, STARTED]),
        ("started", &[HELLO, STARTED, FINISHED, STARTED]),
        ("updated", &[HELLO, STARTED, UPDATED]),
        ("done", &[HELLO, STARTED, DONE]),
    ] {
        assert_eq!(refusal(frames), wrong.replace("NAME", name), "{frames:?}");
    }
}

#[test]
fn cells_outside_the_run_are_refused() {
    let foreign = STARTED.replace('0', "2");
    assert!(refusal(&[HELLO, &foreign]).contains("cell 2"));
    let status = r#"{"kind":"failed","error":{"name":"E","message":"","frames":[{"cell":9,"line":1}],"traceback":""}}"#;
    assert!(refusal(&[HELLO, STARTED, &finished(status, "")]).contains("cell 9"));
}

#[test]
fn bounds_hold() {
    let output = r#"{"kind":"stream","name":"stdout","text":"a"}"#;
    let many = [output; 5].join(",");
    let done = r#"{"kind":"finished"}"#;
    assert!(refusal(&[HELLO, STARTED, &finished(done, &many)]).contains("number of outputs"));
    let long = output.replace(r#""a""#, &format!("\"{}\"", "a".repeat(401)));
    assert!(refusal(&[HELLO, STARTED, &finished(done, &long)]).contains("a text over the limit"));
    let big = output.replace(r#""a""#, &format!("\"{}\"", "a".repeat(2_000_000)));
    assert!(refusal(&[HELLO, STARTED, &finished(done, &big)]).contains("altogether"));
    let mut run = start();
    run.limits.total_bytes = 64 << 20;
    for bomb in [r#"{"":0},"#, "[0],"] {
        let display = format!(
            r#"{{"kind":"display","bundle":{{"data":{{"application/json":[{}0]}}}}}}"#,
            bomb.repeat(1_000_000)
        );
        let frame = finished(done, &display);
        let result = converse(Recorded(&bytes(&[HELLO, STARTED, &frame])), &run, &mut Unobserved);
        let Err(RunError::Broken { source, .. }) = result else { panic!("{result:?}") };
        assert!(matches!(source, ProtocolError::TooManyValues), "{source}");
    }
    let deep = format!("{{\"event\":{}1{}}}", "[".repeat(500), "]".repeat(500));
    assert!(refusal(&[HELLO, &deep]).contains("does not understand"));
    let claim = [0xff; 4];
    let result = converse(Recorded(&claim), &start(), &mut Unobserved);
    assert!(matches!(
        result,
        Err(RunError::Broken { source: ProtocolError::FrameTooLong { .. }, .. })
    ));
}

#[test]
fn what_was_left_out_is_held_to_its_form() {
    let said = |left_out: &str| {
        let run =
            format!(r#"{{"status":{{"kind":"finished"}},"outputs":[],"left_out":[{left_out}]}}"#);
        format!(r#"{{"event":"finished","cell":0,"run":{run}}}"#)
    };
    let html = r#"{"what":"display","mime":"text/html","bytes":9,"count":1}"#;
    let record = hear(&[HELLO, STARTED, &said(html), DONE]).unwrap();
    let expected = LeftOut::Display { mime: "text/html".to_owned(), bytes: 9, count: 1 };
    assert_eq!(record.cells.values().next().unwrap().left_out, [expected]);
    let many = [html; 65].join(",");
    assert!(refusal(&[HELLO, STARTED, &said(&many)]).contains("a list of what was left out"));
    for mime in ["text", "text/", "text/a b", r"text/\u001b[31m", "a/b/c"] {
        let odd = html.replace("text/html", mime);
        assert!(refusal(&[HELLO, STARTED, &said(&odd)]).contains("a type"), "{mime}");
    }
    let other = html.replace("display", "other");
    assert!(refusal(&[HELLO, STARTED, &said(&other)]).contains("does not understand"));
}

#[test]
fn a_greeting_is_held_to_its_form() {
    assert!(refusal(&[&HELLO.replace(":2,", ":3,")]).contains("protocol 3"));
    assert!(refusal(&[&HELLO.replace("3.11.7", "<b>")]).contains("a version"));
    assert!(refusal(&[&HELLO.replace("\"python\",", "\"evil\",")]).contains("engine"));
    assert!(refusal(&[&HELLO.replace("}", ",\"more\":1}")]).contains("does not understand"));
}

#[test]
fn an_end_before_the_end_names_the_cell_that_ran() {
    let result = hear(&[HELLO, STARTED]);
    let Err(RunError::Broken { running, source: ProtocolError::Closed }) = result else {
        panic!("{result:?}");
    };
    assert_eq!(running, Some(CellId(0)));
}

#[test]
fn a_reason_not_to_run_is_passed_on() {
    let result = hear(&[r#"{"event":"fatal","message":"no marimo"}"#]);
    assert!(matches!(result, Err(RunError::Unavailable { message }) if message == "no marimo"));
}

proptest! {
    #[test]
    fn any_bytes_end_in_a_record_or_an_error(noise in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = converse(Recorded(&noise), &start(), &mut Unobserved);
    }

    #[test]
    fn any_texts_in_frames_end_in_a_record_or_an_error(frames in proptest::collection::vec(".{0,80}", 0..6)) {
        let frames: Vec<_> = frames.iter().map(String::as_str).collect();
        let _ = hear(&frames);
    }

    #[test]
    fn a_damaged_conversation_ends_in_a_record_or_an_error(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        length in any::<prop::sample::Index>(),
    ) {
        let mut stream = bytes(&[HELLO, STARTED, FINISHED, UPDATED, DONE]);
        for (at, value) in &changes {
            let at = at.index(stream.len());
            if let Some(byte) = stream.get_mut(at) {
                *byte = *value;
            }
        }
        stream.truncate(length.index(stream.len() + 1));
        let _ = converse(Recorded(&stream), &start(), &mut Unobserved);
    }

    #[test]
    fn events_in_any_order_end_in_a_record_or_an_error(
        order in proptest::collection::vec(prop::sample::select(vec![HELLO, STARTED, FINISHED, UPDATED, DONE]), 0..12),
    ) {
        if let Ok(record) = hear(&order) {
            prop_assert_eq!(order.first(), Some(&HELLO));
            prop_assert!(order.contains(&DONE));
            prop_assert!(record.cells.len() <= 1);
        }
    }
}
