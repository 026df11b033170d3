//! Texts that Python and its libraries print by themselves: they hold code, paths and values.

use super::*;

/// Cells that meet an exception which nothing catches; its text is `hush`.
const UNCAUGHT: [(&str, &str); 13] = [
    (
        "a thread",
        "import threading\ndef f():\n    raise ValueError('hush')\nit = threading.Thread(target=f)\nit.start()\nit.join()",
    ),
    (
        "a bare thread",
        "import _thread, time\ndef f():\n    raise ValueError('hush')\n_thread.start_new_thread(f, ())\ntime.sleep(0.5)",
    ),
    (
        "a timer",
        "import threading\ndef f():\n    raise ValueError('hush')\nit = threading.Timer(0.01, f)\nit.start()\nit.join()",
    ),
    (
        "a destructor",
        "class A:\n    def __del__(self):\n        raise ValueError('hush')\nA()\nNone",
    ),
    (
        "a generator that is closed",
        "def f():\n    try:\n        yield 1\n    finally:\n        raise ValueError('hush')\nit = f()\nnext(it)\ndel it",
    ),
    (
        "a weak reference",
        "import weakref\nclass A: pass\ndef f(_):\n    raise ValueError('hush')\na = A()\nr = weakref.ref(a, f)\ndel a",
    ),
    (
        "a task",
        "import asyncio, gc, threading\nasync def f():\n    raise ValueError('hush')\nasync def g():\n    asyncio.ensure_future(f())\n    await asyncio.sleep(0.05)\nit = threading.Thread(target=lambda: asyncio.run(g()))\nit.start()\nit.join()\ngc.collect()\nNone",
    ),
    (
        "a callback of a loop",
        "import asyncio, threading\ndef f():\n    raise ValueError('hush')\nasync def g():\n    asyncio.get_running_loop().call_soon(f)\n    await asyncio.sleep(0.05)\nit = threading.Thread(target=lambda: asyncio.run(g()))\nit.start()\nit.join()",
    ),
    (
        "a callback of a future",
        "from concurrent.futures import Future\ndef f(_):\n    raise ValueError('hush')\nit = Future()\nit.add_done_callback(f)\nit.set_result(1)",
    ),
    (
        "a process",
        "import multiprocessing\ndef f():\n    raise ValueError('hush')\nit = multiprocessing.get_context('fork').Process(target=f)\nit.start()\nit.join()",
    ),
    (
        "a thread of a fork",
        "import multiprocessing, threading\ndef f():\n    raise ValueError('hush')\ndef g():\n    it = threading.Thread(target=f)\n    it.start()\n    it.join()\nit = multiprocessing.get_context('fork').Process(target=g)\nit.start()\nit.join()",
    ),
    (
        "a handler of a log",
        "import io, logging\nclass A(io.StringIO):\n    def write(self, text):\n        raise ValueError('hush')\nlog = logging.getLogger('a')\nlog.addHandler(logging.StreamHandler(A()))\nlog.error('b')",
    ),
    (
        "a handler of a server",
        "import socketserver\ndef f():\n    try:\n        raise ValueError('hush')\n    except ValueError:\n        socketserver.BaseServer(None, None).handle_error(None, None)\nf()",
    ),
];

const ENGINES: [Engine; 3] = [Engine::Jupyter, Engine::Plain, Engine::Marimo];

/// Everything that a page could show of a cell.
fn shown(record: &RunRecord, id: u32) -> String {
    serde_json::to_string(&cell(record, id).outputs).unwrap()
}

#[test]
fn an_exception_that_nothing_catches_fails_its_cell_and_is_no_output() {
    for (name, code) in UNCAUGHT {
        for engine in ENGINES {
            let record = run(engine, &[code, "print('on')"]);
            let shown = shown(&record, 0);
            assert!(
                !["hush", "Traceback", "Exception", "Error", "Process"]
                    .iter()
                    .any(|it| shown.contains(it)),
                "{engine:?} {name}: {shown}"
            );
            let (message, _) = error(&record, 0);
            assert_eq!(message, "ValueError: hush", "{engine:?} {name}");
            assert_eq!(outputs(&record, 1), ["stdout:on\n"], "{engine:?} {name}");
        }
    }
}

#[test]
fn an_exception_of_a_thread_names_its_line_and_one_that_is_late_fails_the_last_cell() {
    let thread = "import threading, time\ndef f():\n    time.sleep(0.2)\n    raise ValueError('hush')\nit = threading.Thread(target=f)\nit.start()";
    for engine in ENGINES {
        let record = run(engine, &[thread, "it.join()\n1"]);
        let (message, frames) = error(&record, 1);
        assert_eq!((message.as_str(), frames), ("ValueError: hush", vec![(0, 4)]), "{engine:?}");
        assert!(matches!(cell(&record, 0).status, CellStatus::Finished), "{engine:?}");
    }
}

#[test]
fn text_that_a_cell_writes_to_standard_error_is_shown() {
    let code = "import logging, sys, threading, traceback\nprint('own', file=sys.stderr)\ntry:\n    raise ValueError('told')\nexcept ValueError:\n    traceback.print_exc()\nlogging.getLogger('x').error('logged')\nlogging.getLogger('asyncio').warning('slow')\ndef f():\n    raise SystemExit\nit = threading.Thread(target=f)\nit.start()\nit.join()";
    for engine in ENGINES {
        let record = run(engine, &[code]);
        let shown = shown(&record, 0);
        assert!(
            ["own", "ValueError: told", "Traceback", "logged", "slow"]
                .iter()
                .all(|it| shown.contains(it)),
            "{engine:?}: {shown}"
        );
        assert!(matches!(cell(&record, 0).status, CellStatus::Finished), "{engine:?}");
    }
}

#[test]
fn a_warning_holds_no_line_of_code() {
    let code = "import warnings\nwarnings.warn('told'); price = 17.3";
    for engine in ENGINES {
        let record = run(engine, &[code]);
        let shown = shown(&record, 0);
        assert!(
            shown.contains("UserWarning: told") && !shown.contains("17.3"),
            "{engine:?}: {shown}"
        );
    }
}

#[test]
fn a_callback_of_the_shell_that_fails_shows_neither_itself_nor_its_code() {
    let code = "def hidden_name(*_):\n    raise ValueError('hush')\nget_ipython().events.register('pre_run_cell', hidden_name)\nNone";
    let record = run(Engine::Jupyter, &[code, "secret = 17.3"]);
    assert!(!shown(&record, 1).contains("17.3"), "{}", shown(&record, 1));
    assert_eq!(outputs(&record, 1), [""; 0]);
    assert_eq!(error(&record, 1).0, "ValueError: hush");
}

#[test]
fn a_chart_that_fails_prints_no_traceback() {
    let code = "import altair as alt\nalt.Chart('hush.csv').mark_point().encode(x='hush')";
    for (code, engines) in [
        (code.to_owned(), &ENGINES[..]),
        (
            code.replace("alt.Chart", "import marimo as mo\nmo.as_html(alt.Chart") + ")",
            &ENGINES[2..],
        ),
    ] {
        for engine in engines {
            let mut start = start(*engine, &[&code]);
            start.allow_errors = true;
            let record = Fixture::new().run(&start).unwrap();
            let shown = shown(&record, 0);
            assert!(!shown.contains("hush") && !shown.contains("Traceback"), "{engine:?}: {shown}");
            assert!(error(&record, 0).0.contains("hush"), "{engine:?}");
        }
    }
}

#[test]
fn text_beside_a_display_that_works_is_shown() {
    let code = "import sys\nclass A:\n    def _repr_html_(self):\n        print('beside', file=sys.stderr)\n        return '<b>x</b>'\nA()";
    for engine in ENGINES {
        let record = run(engine, &[code]);
        assert!(shown(&record, 0).contains("beside"), "{engine:?}: {}", shown(&record, 0));
    }
}
