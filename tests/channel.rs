//! Notebooks that speak to nbc themselves, over the runner's own socket: they lie, flood, stall, break off.
//!
//! Each ends in a finding with the right code and exit code 1. Nothing is published, the earlier output
//! stays, and what the notebook says of itself reaches the terminal as text only.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "tests start the real binary, and a failed step is a failed test"
)]

use std::time::{Duration, Instant};

use test_support::{NbcTest, Said, jupyter, marimo};

/// Finds the socket, wherever the runner keeps it.
const PRELUDE: &str = "\
import json, os, stat, struct, sys, time
def is_socket(number):
    try: return stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError: return False
channel = max(it for it in range(3, 256) if is_socket(it))
def put(data):
    while data: data = data[os.write(channel, data):]
def send(message):
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    put(struct.pack('>I', len(body)) + body)
run = {'status': 'done', 'outputs': [], 'seconds': 0.0}
";

/// Ways in which a notebook lies: its name, the code, and nbc's finding.
const LIES: &[(&str, &str, &str)] = &[
    ("no frame at all", "put(b'\\xff' * 64); time.sleep(60)", "NBC306"),
    ("a length beyond reason", "put(struct.pack('>I', 1 << 31)); time.sleep(60)", "NBC306"),
    (
        "half a frame, and then nothing",
        "put(struct.pack('>I', 100) + b'{'); time.sleep(60)",
        "NBC302",
    ),
    ("an empty frame", "send(b''); time.sleep(60)", "NBC306"),
    ("deep JSON", "send(b'[' * 100_000); time.sleep(60)", "NBC306"),
    (
        "deep JSON where any value may stand",
        "send(b'{\"event\":\"finished\",\"cell\":0,\"run\":' + b'{\"a\":' * 50_000); time.sleep(60)",
        "NBC306",
    ),
    ("no UTF-8", "send(b'{\"event\":\"\\xff\"}'); time.sleep(60)", "NBC306"),
    ("an event that does not exist", "send({'event': 'published'}); time.sleep(60)", "NBC306"),
    (
        "another version",
        "send({'event': 'hello', 'protocol': 99, 'engine': 'x', 'engine_version': 'x', 'python': 'x'}); time.sleep(60)",
        "NBC306",
    ),
    (
        "the start of a cell that is not there",
        "send({'event': 'started', 'cell': 999}); time.sleep(60)",
        "NBC306",
    ),
    (
        "the start of another of its cells",
        "send({'event': 'started', 'cell': 1}); time.sleep(60)",
        "NBC302",
    ),
    (
        "a result of another shape",
        "send({'event': 'finished', 'cell': 1, 'run': run}); time.sleep(60)",
        "NBC306",
    ),
    ("the end of the run", "send({'event': 'done'}); time.sleep(60)", "NBC306"),
    (
        "a failure of the runner",
        "send({'event': 'fatal', 'message': '\\x1b[2J\\x1b]0;owned\\x07\\nerror[NBC000]: forged'}); time.sleep(60)",
        "NBC304",
    ),
    (
        "a flood of bytes",
        "\nwhile True: send(b'{\"event\":\"x\",\"y\":\"' + b'z' * (1 << 20) + b'\"}')",
        "NBC306",
    ),
    ("nothing ever again", "\nwhile True: pass", "NBC302"),
    (
        "silence, with every signal ignored",
        "\nimport signal\nfor it in range(1, 32):\n    if it not in (9, 19): signal.signal(it, signal.SIG_IGN)\ntime.sleep(60)",
        "NBC302",
    ),
    ("the end of the socket", "os.close(channel); os._exit(0)", "NBC304"),
    (
        "one half of the socket closed",
        "\nimport socket\nsocket.socket(fileno=channel).shutdown(socket.SHUT_RDWR); time.sleep(60)",
        "NBC304",
    ),
    (
        "a child that keeps the socket open",
        "\nif os.fork(): os._exit(0)\nos.setsid(); time.sleep(60)",
        "NBC304",
    ),
    ("its own death", "os.kill(os.getpid(), 9)", "NBC304"),
];

fn build(test: &NbcTest, file: &str, level: &str) -> Said {
    // As long as a busy machine needs to start an engine, and not much longer: some lies end by the limit alone.
    test.run(&["build", file, "--output", "site", "--timeout", "12", "--isolation", level])
}

fn lie(name: &str, text: &str, what: &str, code: &str, level: &str) {
    let test = NbcTest::new(&[(name, text)]);
    test.open_to_all();
    let site = test.path("site");
    fs_err::create_dir(&site).unwrap();
    let start = Instant::now();
    let said = build(&test, name, level);
    assert_eq!(said.code, 1, "{what}: {}", said.text());
    let said = said.text();
    assert!(said.contains(&format!("error[{code}]")), "{what}: {said}");
    assert!(!said.contains(['\x1b', '\x07']), "{what}: control characters: {said:?}");
    let forged = said.lines().any(|it| it.starts_with("error[NBC000]"));
    assert!(!forged, "{what}: a finding of its own: {said}");
    // Nothing of the runner itself, which lies in a folder of the user's cache.
    assert!(!said.contains("nbc_runner") && !said.contains("runner-1"), "{what}: {said}");
    assert!(start.elapsed() < Duration::from_secs(60), "{what}: it held nbc up");
    assert_eq!(fs_err::read_dir(&site).unwrap().count(), 0, "{what}: published");
    assert_eq!(test.listing(), [name, "site"], "{what}");
}

#[test]
fn a_jupyter_notebook_that_lies_is_found_out() {
    for (what, code, finding) in LIES {
        lie("a.ipynb", &jupyter(&[&format!("{PRELUDE}{code}"), "1"]), what, finding, "strict");
    }
}

#[test]
fn a_marimo_notebook_that_lies_is_found_out() {
    // The engine makes no difference to most of them.
    for (what, code, finding) in LIES.iter().step_by(5) {
        lie("a.py", &marimo(&[&format!("{PRELUDE}{code}"), "1"]), what, finding, "strict");
    }
}

#[test]
fn a_failure_that_the_runner_tells_ends_the_run_at_once() {
    let code = format!("{PRELUDE}send({{'event': 'fatal', 'message': 'gone'}}); time.sleep(600)");
    let test = NbcTest::new(&[("a.ipynb", &jupyter(&[&code]))]);
    test.open_to_all();
    let limits = ["--timeout", "200", "--cell-timeout", "60"];
    let start = Instant::now();
    let said = test.run(&[&["build", "a.ipynb", "--output", "site"][..], &limits].concat());
    assert!(said.text().contains("error[NBC304]"), "{}", said.text());
    assert!(start.elapsed() < Duration::from_secs(50), "it waited for the limit of a cell");
}
