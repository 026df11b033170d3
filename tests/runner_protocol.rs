//! The real runner, in a real Python, driven over a socket by the real conversation.
//!
//! `NBC_TEST_PYTHON` names an interpreter with marimo, IPython and the usual libraries, which
//! `tests/run.sh` makes. Without it the tests fail: what is not run must not count as passed.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets what it does not expect is to fail"
)]

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use nbc::notebook::CellId;
use nbc::run::protocol::{PROTOCOL_VERSION, StartApp, StartCell};
use nbc::run::record::{CellRun, CellStatus, LeftOut, RawOutput, StreamName};
use test_support::python;
#[path = "runner/uncaught.rs"]
mod uncaught;
#[path = "runner/widgets.rs"]
mod widgets;

use nbc::run::{
    Engine, Observer, OutputLimits, RUNNER_FILES, RunError, RunRecord, Start, Unobserved, converse,
};

struct Fixture {
    folder: tempfile::TempDir,
    child: Option<Child>,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fixture = Self { folder, child: None };
        fs_err::create_dir(fixture.path("runner")).unwrap();
        fs_err::create_dir(fixture.path("nb")).unwrap();
        for (name, text) in RUNNER_FILES {
            let file = fixture.path("runner").join(name);
            fs_err::create_dir_all(file.parent().unwrap()).unwrap();
            fs_err::write(file, text).unwrap();
        }
        fixture
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.folder.path()).unwrap().join(name)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this test is about the runner alone, without a sandbox"
    )]
    fn connect(&mut self) -> UnixStream {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let child = std::process::Command::new(python())
            .args(["-s", self.path("runner/main.py").as_str()])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.folder.path())
            .env("LANG", "C.UTF-8")
            .env("PYTHONHASHSEED", "0")
            .env("SOURCE_DATE_EPOCH", "315532800")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("NBC_CHANNEL", "0")
            .current_dir(self.path("nb"))
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        ours
    }

    fn run(&mut self, start: &Start) -> Result<RunRecord, RunError> {
        converse(self.connect(), start, &mut Unobserved)
    }
}

fn start(engine: Engine, codes: &[&str]) -> Start {
    let cells: Vec<_> = codes
        .iter()
        .enumerate()
        .map(|(at, code)| StartCell {
            id: CellId(at as u32),
            code: (*code).to_owned(),
            kind: "code",
            name: None,
            disabled: false,
            raises_exception: false,
            skip_execution: false,
        })
        .collect();
    Start {
        protocol: PROTOCOL_VERSION,
        engine,
        file: "/nb/report.py".into(),
        argv: Vec::new(),
        app: StartApp::default(),
        order: cells.iter().map(|cell| cell.id).collect(),
        cells,
        overlays: Vec::new(),
        seed: None,
        allow_errors: false,
        limits: OutputLimits::default(),
        replays: 0,
        sweep: None,
    }
}

fn run(engine: Engine, codes: &[&str]) -> RunRecord {
    Fixture::new().run(&start(engine, codes)).unwrap()
}

fn cell(record: &RunRecord, id: u32) -> &CellRun {
    record.cells.get(&CellId(id)).unwrap()
}

/// Outputs in short: `stdout:text` and the MIME types of displays.
fn outputs(record: &RunRecord, id: u32) -> Vec<String> {
    cell(record, id)
        .outputs
        .iter()
        .map(|output| match output {
            RawOutput::Stream { name: StreamName::Stdout, text } => format!("stdout:{text}"),
            RawOutput::Stream { name: StreamName::Stderr, text } => format!("stderr:{text}"),
            RawOutput::Display { bundle } => {
                bundle.data.keys().cloned().collect::<Vec<_>>().join(" ")
            }
        })
        .collect()
}

fn plain_text(record: &RunRecord, id: u32) -> String {
    let displays = cell(record, id).outputs.iter().filter_map(|output| match output {
        RawOutput::Display { bundle } => bundle.data.get("text/plain")?.as_str(),
        RawOutput::Stream { .. } => None,
    });
    displays.collect::<Vec<_>>().join("|")
}

fn error(record: &RunRecord, id: u32) -> (String, Vec<(u32, u32)>) {
    let CellStatus::Failed { error } = &cell(record, id).status else {
        panic!("cell {id} did not fail: {:?}", cell(record, id));
    };
    let frames = error.frames.iter().map(|frame| (frame.cell.0, frame.line)).collect();
    (format!("{}: {}", error.name, error.message), frames)
}

#[test]
fn text_of_python_of_children_and_of_descriptors_stays_in_order() {
    let record = run(
        Engine::Plain,
        &[
            "import os, sys\nprint('a')\nos.system('echo b')\nos.write(1, b'c\\n')\nprint('d')\nprint('e', file=sys.stderr)\ndisplay(1)\nprint('f')",
        ],
    );
    assert_eq!(
        outputs(&record, 0),
        ["stdout:a\nb\nc\nd\n", "stderr:e\n", "text/plain", "stdout:f\n"]
    );
}

#[test]
fn the_last_expression_is_shown_unless_a_semicolon_follows() {
    let record = run(Engine::Plain, &["1 + 1", "1 + 1;", "x = 3", "None", "'é' ; # no", "x"]);
    assert_eq!(plain_text(&record, 0), "2");
    assert_eq!(plain_text(&record, 5), "3");
    for silent in 1..5 {
        assert!(outputs(&record, silent).is_empty());
    }
}

#[test]
fn an_exception_names_the_lines_of_all_cells_that_it_went_through_and_ends_the_run() {
    let record = run(Engine::Plain, &["def f():\n    return 1 / 0", "x = 1\nf()", "x"]);
    let (text, frames) = error(&record, 1);
    assert_eq!(text, "ZeroDivisionError: division by zero");
    assert_eq!(frames, [(1, 2), (0, 2)]);
    assert!(!record.cells.contains_key(&CellId(2)));
    let CellStatus::Failed { error } = &cell(&record, 1).status else { panic!() };
    assert!(!error.traceback.contains("plain_engine"), "{}", error.traceback);
}

#[test]
fn a_run_goes_on_after_errors_that_are_allowed() {
    let mut start = start(Engine::Plain, &["1 / 0", "!ls", "3"]);
    start.allow_errors = true;
    let record = Fixture::new().run(&start).unwrap();
    assert_eq!(error(&record, 1).1, [(1, 1)]);
    assert_eq!(plain_text(&record, 2), "3");

    start.allow_errors = false;
    start.cells[0].raises_exception = true;
    start.cells[1].skip_execution = true;
    let record = Fixture::new().run(&start).unwrap();
    assert_eq!(cell(&record, 1).status, CellStatus::Skipped);
    assert_eq!(plain_text(&record, 2), "3");
}

#[test]
fn a_display_that_is_updated_later_changes_its_own_cell() {
    let record = run(Engine::Plain, &["h = display(1, display_id=True)", "h.update(2)"]);
    assert_eq!(plain_text(&record, 0), "2");
    assert!(outputs(&record, 1).is_empty());
}

#[test]
fn top_level_await_works_and_the_seed_is_kept() {
    let codes = ["import asyncio, random\nawait asyncio.sleep(0)\nrandom.random()"];
    let mut start = start(Engine::Plain, &codes);
    start.seed = Some(7);
    let first = Fixture::new().run(&start).unwrap();
    assert_eq!(first, Fixture::new().run(&start).unwrap());
    assert!(plain_text(&first, 0).starts_with("0."));
}

#[test]
fn what_is_over_a_bound_is_left_out_and_reported() {
    let mut start = start(
        Engine::Plain,
        &[
            "print('x' * 10_000)",
            "for i in range(100): display(i)",
            "'y' * 10_000",
            "print('still here')",
            "display({'text/html': 'z' * 2000, 'a bad type': 'z' * 3000, 'text/plain': 'small'}, raw=True)",
            "display({'text/plain': 'm'}, metadata={'m': 'm' * 100_000}, raw=True)",
            "display({f'x/y{i}': 'a' for i in range(40)}, raw=True)",
            "print('é' * 501)",
            "print('nbc: 500 bytes of nonsense; left out')",
            "h = display({'text/html': 'z' * 2000}, raw=True, display_id=True)\nh.update('small')",
            "for _ in range(9): print('w' * 999); display(1)",
        ],
    );
    start.limits = OutputLimits {
        output_bytes: 1000,
        total_bytes: 100_000,
        outputs: 10,
        rows: 10,
        ..OutputLimits::default()
    };
    let record = Fixture::new().run(&start).unwrap();
    let left_out = |id| cell(&record, id).left_out.clone();
    let display =
        |mime: &str, bytes, count| LeftOut::Display { mime: mime.to_owned(), bytes, count };
    assert_eq!(outputs(&record, 0), [format!("stdout:{}", "x".repeat(1000))]);
    assert_eq!(left_out(0), [LeftOut::Text { bytes: 9001 }]);
    assert_eq!(cell(&record, 1).outputs.len(), 10);
    assert_eq!(left_out(1), [LeftOut::Outputs { count: 90 }]);
    assert_eq!(plain_text(&record, 2), "");
    assert_eq!(left_out(2), [display("text/plain", 10_002, 1)]);
    assert_eq!(outputs(&record, 3), ["stdout:still here\n"]);
    assert_eq!(left_out(3), []);
    assert_eq!(plain_text(&record, 4), "small");
    assert_eq!(
        left_out(4),
        [display("text/html", 2000, 1), display("application/octet-stream", 3000, 1)]
    );
    assert_eq!(plain_text(&record, 5), "m");
    assert_eq!(left_out(5), [LeftOut::Metadata { bytes: 100_009 }]);
    assert_eq!(left_out(6), [LeftOut::Types { count: 8 }]);
    // Half of a letter is no letter.
    assert_eq!(outputs(&record, 7), [format!("stdout:{}", "é".repeat(500))]);
    assert_eq!(left_out(7), [LeftOut::Text { bytes: 3 }]);
    assert_eq!(left_out(8), []);
    // A display that is replaced is not missing.
    assert_eq!((plain_text(&record, 9).as_str(), left_out(9)), ("'small'", vec![]));
    assert_eq!(left_out(10), [LeftOut::Text { bytes: 8000 }]);
}

#[test]
fn all_outputs_of_a_cell_are_left_out_where_the_notebook_has_no_room_for_them() {
    let mut start = start(Engine::Plain, &["print('a' * 900)", "print('b' * 900)", "print('c')"]);
    start.limits.total_bytes = 1500;
    let record = Fixture::new().run(&start).unwrap();
    assert_eq!(outputs(&record, 0).len(), 1);
    assert!(cell(&record, 1).outputs.is_empty());
    assert!(matches!(&cell(&record, 1).left_out[..], [LeftOut::Cell { bytes: 900.. }]));
}

#[test]
fn marimo_leaves_a_large_output_to_the_limit_that_is_reported() {
    let codes =
        ["import marimo as mo\nmo.Html('<b>' + 'x' * 40_000 + '</b>')", "print('y' * 40_000)"];
    let mut start = start(Engine::Marimo, &codes);
    start.limits.output_bytes = 2000;
    let record = Fixture::new().run(&start).unwrap();
    let [LeftOut::Display { mime, bytes: 40_007, count: 1 }] = &cell(&record, 0).left_out[..]
    else {
        panic!("{:?}", cell(&record, 0));
    };
    assert_eq!(mime, "text/html");
    assert_eq!(cell(&record, 1).left_out, [LeftOut::Text { bytes: 38_001 }]);
    // marimo's own words about it would stand on the page.
    assert!(!serde_json::to_string(&record).unwrap().contains("too large"));
}

#[test]
fn texts_that_are_no_unicode_and_numbers_that_are_no_json_get_through() {
    let record = run(
        Engine::Plain,
        &[
            "print('\\ud800')",
            "display({'application/json': {'a': float('nan'), 'b': 1 << 200, 'c': b'x', 1: {2}}}, raw=True)",
            "import os; os.write(1, b'\\xff')\nNone",
            "d = []\nfor _ in range(500): d = [d]\ndisplay({'application/json': d}, raw=True)",
        ],
    );
    assert_eq!(outputs(&record, 0), ["stdout:?\n"]);
    assert_eq!(outputs(&record, 1), ["application/json"]);
    assert_eq!(outputs(&record, 2), ["stdout:\u{fffd}"]);
    assert_eq!(outputs(&record, 3), ["application/json"]);
}

#[test]
fn a_child_that_a_cell_forks_does_not_speak_for_the_notebook() {
    let record = run(
        Engine::Plain,
        &[
            "import os\nif os.fork() == 0:\n    raise SystemExit\nos.wait()\nprint('parent')",
            "import os\npid = os.fork()\nif pid:\n    os.wait()",
            "1",
        ],
    );
    assert_eq!(outputs(&record, 0), ["stdout:parent\n"]);
    assert_eq!(plain_text(&record, 2), "1");
}

#[test]
fn a_process_that_dies_names_the_cell_that_ran() {
    let result = Fixture::new().run(&start(Engine::Plain, &["1", "import os; os._exit(3)"]));
    let Err(RunError::Broken { running, .. }) = result else { panic!("{result:?}") };
    assert_eq!(running, Some(CellId(1)));
}

#[test]
fn a_notebook_cannot_end_the_run_by_ending_itself() {
    let record = run(Engine::Plain, &["import sys; sys.exit(4)"]);
    assert_eq!(error(&record, 0).0, "SystemExit: 4");
}

#[test]
fn a_notebook_finds_no_channel_in_its_environment_nor_modules_of_the_runner() {
    let record = run(
        Engine::Plain,
        &[
            "import os; 'NBC_CHANNEL' in os.environ",
            "import sys; [p for p in sys.path if 'runner' in p]",
            "import session",
        ],
    );
    assert_eq!(plain_text(&record, 0), "False");
    assert_eq!(plain_text(&record, 1), "[]");
    assert_eq!(error(&record, 2).0, "ModuleNotFoundError: No module named 'session'");
}

#[test]
fn garbage_of_a_notebook_is_collected() {
    for engine in [Engine::Plain, Engine::Jupyter, Engine::Marimo] {
        let record = run(engine, &["import gc; print(gc.isenabled())"]);
        assert!(outputs(&record, 0).concat().contains("True"), "{engine:?}: {record:?}");
    }
}

#[test]
fn the_observer_hears_of_each_cell() {
    #[derive(Default)]
    struct Heard(Vec<String>);
    impl Observer for Heard {
        fn cell_started(&mut self, cell: CellId) {
            self.0.push(format!("+{}", cell.0));
        }
        fn cell_finished(&mut self, cell: CellId, run: &CellRun) {
            self.0.push(format!("-{} {}", cell.0, run.status == CellStatus::Finished));
        }
    }
    let mut heard = Heard::default();
    let mut fixture = Fixture::new();
    converse(fixture.connect(), &start(Engine::Plain, &["1", "1/0"]), &mut heard).unwrap();
    assert_eq!(heard.0, ["+0", "-0 true", "+1", "-1 false"]);
}

#[test]
fn jupyter_uses_ipython_where_it_is_and_plain_python_elsewhere() {
    let record = run(Engine::Jupyter, &["1"]);
    assert_eq!(record.engine.name, "ipython");
    assert_eq!(plain_text(&record, 0), "1");
}

#[test]
fn ipython_runs_magics_shell_lines_and_displays() {
    let record = run(
        Engine::Ipython,
        &[
            "!echo one; echo two >&2",
            "%%capture text\nprint('hidden')",
            "text.stdout",
            "from IPython.display import display, HTML, clear_output\nh = display(HTML('<b>1</b>'), display_id='x')\nprint('gone'); clear_output(); print('kept')",
            "len?",
            "import asyncio; await asyncio.sleep(0); type(get_ipython()).__name__",
            "%%time\n1 / 0",
        ],
    );
    assert_eq!(outputs(&record, 0), ["stdout:one\ntwo\n"]);
    assert!(outputs(&record, 1).is_empty());
    assert_eq!(plain_text(&record, 2), "'hidden\\n'");
    assert_eq!(outputs(&record, 3), ["stdout:kept\n"]);
    assert!(outputs(&record, 4).is_empty());
    assert_eq!(plain_text(&record, 5), "'ZMQInteractiveShell'");
    assert_eq!(error(&record, 6).0, "ZeroDivisionError: division by zero");
}

#[test]
fn marimo_skips_what_depends_on_a_failure_and_runs_the_rest() {
    let record = run(
        Engine::Marimo,
        &[
            "import marimo as mo",
            "x = 1 / 0",
            "x + 1",
            "mo.stop(True, mo.md('# stopped')); y = 1",
            "y",
            "print('out'); 5",
            "a = mo.ui.slider(1, 3); a",
            "a.value",
        ],
    );
    assert_eq!(error(&record, 1), ("ZeroDivisionError: division by zero".to_owned(), vec![(1, 1)]));
    assert_eq!(cell(&record, 2).status, CellStatus::Skipped);
    assert_eq!(cell(&record, 3).status, CellStatus::Stopped);
    assert_eq!(outputs(&record, 3), ["text/markdown"]);
    assert_eq!(cell(&record, 4).status, CellStatus::Skipped);
    assert_eq!(outputs(&record, 5), ["stdout:out\n", "text/html"]);
    assert_eq!(outputs(&record, 6), ["text/html"]);
    assert_eq!(outputs(&record, 7), ["text/html"]);
}

#[test]
fn markdown_loses_its_indentation_as_when_marimo_opens_the_notebook() {
    let codes = ["import marimo as mo", "mo.md('''# Title\n\n    text\n    ''')", "'last'"];
    let record = run(Engine::Marimo, &codes);
    let RawOutput::Display { bundle } = &cell(&record, 1).outputs[0] else { panic!() };
    let html = bundle.data["text/markdown"].as_str().unwrap();
    assert!(html.contains("<span class=\"paragraph\">text</span>"), "{html}");
    assert_eq!(outputs(&record, 2).len(), 1);
}

#[test]
fn marimo_reports_what_it_refuses_to_run() {
    let record = run(Engine::Marimo, &["a = 1", "a = 2", "def (", "3"]);
    assert_eq!(error(&record, 0).0.split(':').next(), Some("MultipleDefinitionError"));
    assert_eq!(error(&record, 2).0.split(':').next(), Some("MarimoSyntaxError"));
    assert_eq!(cell(&record, 3).status, CellStatus::Finished);
}

#[test]
fn a_state_that_is_set_runs_its_readers_again() {
    let record = run(
        Engine::Marimo,
        &["import marimo as mo", "get, put = mo.state(0)", "print(get())", "put(4)"],
    );
    assert_eq!(outputs(&record, 2), ["stdout:4\n"]);
}

#[test]
fn two_runs_give_equal_records() {
    let chart = "import altair as alt, pandas as pd\ndata = pd.DataFrame({'a': [1, 2], 'b': [3, 4]})\nchart = alt.Chart(data).mark_bar().encode(x='a', y='b')";
    let figure = "import io, matplotlib.pyplot as plt\nfigure, axes = plt.subplots()\naxes.plot([1, 3, 2])\nfile = io.StringIO()\nfigure.savefig(file, format='svg')\nprint(file.getvalue())\naxes";
    let widgets = "import ipywidgets\nipywidgets.VBox([ipywidgets.IntSlider(), ipywidgets.Text()])";
    let elements = "mo.ui.array([mo.ui.slider(1, 3), mo.ui.table(data)])";
    for (engine, cells) in [
        (
            Engine::Marimo,
            vec![
                "import marimo as mo",
                chart,
                "chart",
                "data",
                "print(data.style.to_html())",
                figure,
                elements,
            ],
        ),
        (
            Engine::Ipython,
            vec![chart, "chart", "data", "print(data.style.to_html())", figure, widgets],
        ),
        (Engine::Plain, vec![chart, "chart", "data", "print(data.style.to_html())", figure]),
    ] {
        let first = run(engine, &cells);
        assert!(first.cells.values().all(|run| run.status == CellStatus::Finished), "{first:#?}");
        let bytes = serde_json::to_vec(&first).unwrap();
        assert_eq!(bytes, serde_json::to_vec(&run(engine, &cells)).unwrap(), "{engine:?}");
        assert!(first.cells.values().flat_map(|run| &run.outputs).any(|output| matches!(
            output,
            RawOutput::Display { bundle } if bundle.data.contains_key("image/svg+xml")
        )));
    }
}

#[test]
fn a_file_beside_the_notebook_cannot_take_the_place_of_what_the_engine_imports() {
    for engine in [Engine::Marimo, Engine::Jupyter, Engine::Plain] {
        let mut fixture = Fixture::new();
        for name in ["markdown.py", "asyncio.py", "traitlets.py"] {
            fs_err::write(fixture.path("nb").join(name), "raise SystemExit('shadowed')").unwrap();
        }
        fs_err::write(fixture.path("nb/mine.py"), "value = 3").unwrap();
        let mut start = start(engine, &["import mine\nmine.value"]);
        start.file = fixture.path("nb/report.py");
        let record = fixture.run(&start).unwrap();
        assert_eq!(outputs(&record, 0).len(), 1, "{record:?}");
    }
}

#[test]
fn charts_inside_layouts_get_pictures_and_widgets_their_state() {
    let chart = "import altair as alt, pandas as pd\nchart = alt.Chart(pd.DataFrame({'a': [1], 'b': [2]})).mark_bar().encode(x='a', y='b')";
    let record = run(
        Engine::Marimo,
        &[
            "import marimo as mo",
            chart,
            "mo.hstack([chart, mo.md('x'), mo.ui.altair_chart(chart)])",
        ],
    );
    let RawOutput::Display { bundle } = &cell(&record, 2).outputs[0] else { panic!() };
    let pictures = bundle.data[nbc::run::CHARTS_MIME].as_array().unwrap();
    assert_eq!(pictures.len(), 2);
    assert!(pictures.iter().all(|it| it.as_str().unwrap().starts_with("<svg")));

    let record = run(
        Engine::Ipython,
        &[
            "import ipywidgets\nout = ipywidgets.Output()\nwith out: print('in')\nout",
            "print('out')",
        ],
    );
    let RawOutput::Display { bundle } = &cell(&record, 0).outputs[0] else { panic!() };
    let state = bundle.data[nbc::run::WIDGET_STATE_MIME].to_string();
    assert!(state.contains("OutputModel") && state.contains("in\\n"), "{state}");
    assert_eq!(outputs(&record, 1), ["stdout:out\n"]);
}

#[test]
fn a_setup_cell_and_a_disabled_cell_behave_as_in_marimo() {
    let mut start = start(Engine::Marimo, &["1 +", "import math", "x = math.pi", "x", "'free'"]);
    start.cells[0].kind = "unparsable";
    start.cells[1].kind = "setup";
    start.cells[2].disabled = true;
    start.order.remove(0);
    let record = Fixture::new().run(&start).unwrap();
    assert!(!record.cells.contains_key(&CellId(0)));
    assert_eq!(cell(&record, 1).status, CellStatus::Finished);
    assert_eq!(cell(&record, 2).status, CellStatus::Skipped);
    assert_eq!(cell(&record, 3).status, CellStatus::Skipped);
    assert_eq!(outputs(&record, 4), ["text/html"]);
}

#[test]
fn a_record_survives_its_file() {
    let fixture = Fixture::new();
    let path = fixture.path("run.json");
    let record = run(Engine::Plain, &["1", "print(2)", "1/0"]);
    record.store(&path).unwrap();
    assert_eq!(RunRecord::load(&path).unwrap(), record);
}

/// The elements that a cell shows: for each table how many rows it holds, and how many it has.
fn tables(record: &RunRecord, id: u32) -> Vec<(usize, String)> {
    let RawOutput::Display { bundle } = &cell(record, id).outputs[0] else { panic!() };
    let html = bundle.data["text/html"].as_str().unwrap();
    let tables = html.split("<marimo-table ").skip(1).map(|table| {
        let total = table.split("data-total-rows='").nth(1).unwrap();
        let rows = table.split("data-data='").nth(1).unwrap().split('\'').next().unwrap();
        (rows.matches("&quot;n&#92;&quot;:").count(), total.split('\'').next().unwrap().to_owned())
    });
    tables.collect()
}

#[test]
fn a_table_of_marimo_holds_as_many_rows_as_the_page_may_show() {
    let mut start = start(
        Engine::Marimo,
        &[
            "import marimo as mo, pandas as pd, polars as pl\nrows = [{'n': i} for i in range(1000)]",
            "mo.ui.table(rows)",
            "pd.DataFrame(rows)",
            "pl.DataFrame(rows)",
            "mo.ui.table(rows[:500], page_size=5)",
            "mo.ui.table(rows, pagination=False)",
            "mo.ui.table(rows[:3])",
            "asked = []\nmo.ui.table(rows, style_cell=lambda row, name, value: asked.append(row) or {})",
            "print(len(asked))",
            "t = mo.ui.table(rows, page_size=20)\nprint(t._page_size, len(t.data))\nt",
        ],
    );
    start.limits.rows = 600;
    let record = Fixture::new().run(&start).unwrap();
    let whole = "1000".to_owned();
    for id in [1, 2, 3, 5, 7] {
        assert_eq!(tables(&record, id), [(600, whole.clone())], "cell {id}");
    }
    assert_eq!(tables(&record, 4), [(500, "500".to_owned())]);
    assert_eq!(tables(&record, 6), [(3, "3".to_owned())]);
    // The author's function is asked for no more cells than marimo itself would show.
    assert_eq!(outputs(&record, 8), ["stdout:10\n"]);
    // To the notebook the table is as it was made.
    assert_eq!(outputs(&record, 9)[0], "stdout:20 1000\n");
}

#[test]
fn rows_of_many_wide_tables_stay_below_what_a_page_takes() {
    let codes = [
        "import marimo as mo\nrows = [{'n': i, 'text': 'x' * 2000} for i in range(5000)]",
        "mo.vstack([mo.ui.table(rows) for _ in range(9)])",
    ];
    let record = run(Engine::Marimo, &codes);
    let held: Vec<usize> = tables(&record, 1).iter().map(|it| it.0).collect();
    assert_eq!(held.len(), 9);
    assert!(held[0] > 800 && held.iter().all(|it| *it >= 10), "{held:?}");
    let RawOutput::Display { bundle } = &cell(&record, 1).outputs[0] else { panic!() };
    assert!(bundle.data["text/html"].as_str().unwrap().len() < 8 << 20);
}

/// Codes that raise while something is displayed, and whether IPython, plain Python and marimo are to run them.
const RAISING_DISPLAYS: [(&str, [bool; 3]); 13] = [
    ("class A:\n def _repr_html_(self): raise ValueError('hush')\nA()", [true, true, true]),
    ("class A:\n def _repr_png_(self): raise ValueError('hush')\nA()", [true, true, true]),
    ("class A:\n def __repr__(self): raise ValueError('hush')\nA()", [true, true, true]),
    (
        "class A:\n def _repr_mimebundle_(self, **_): raise ValueError('hush')\nA()",
        [true, true, true],
    ),
    ("class A:\n def _ipython_display_(self): raise ValueError('hush')\nA()", [true, true, false]),
    (
        "class A:\n def _repr_html_(self): raise ValueError('hush')\ndisplay(1, A(), 2)\nprint('on')",
        [true, true, false],
    ),
    (
        "class E(ValueError):\n def _render_traceback_(self): raise ValueError('hush')\nclass A:\n def _repr_html_(self): raise E('hush')\nA()",
        [true, false, false],
    ),
    ("get_ipython().run_line_magic('run', 'hush.py')", [true, false, false]),
    ("from IPython.display import Image\nImage('hush.png')", [true, false, false]),
    ("class A:\n def _mime_(self): raise ValueError('hush')\nA()", [false, false, true]),
    ("class A:\n def _display_(self): raise ValueError('hush')\nA()", [false, false, true]),
    (
        "import marimo as mo\nclass A:\n def _mime_(self): raise ValueError('hush')\nmo.md(f'{mo.as_html(A())}')",
        [false, false, true],
    ),
    (
        "import marimo as mo\nclass A:\n def _mime_(self): raise ValueError('hush')\nmo.output.append(A())\nmo.stop(True, 1)",
        [false, false, true],
    ),
];

#[test]
fn what_is_raised_while_something_is_displayed_fails_the_cell_and_is_no_output() {
    let engines = [Engine::Jupyter, Engine::Plain, Engine::Marimo];
    for (code, runs) in RAISING_DISPLAYS {
        for (engine, _) in engines.into_iter().zip(runs).filter(|it| it.1) {
            let record = run(engine, &[code]);
            let shown = serde_json::to_string(&cell(&record, 0).outputs).unwrap();
            assert!(
                !shown.contains("hush") && !shown.contains("Traceback"),
                "{engine:?} {code}: {shown}"
            );
            let (message, _) = error(&record, 0);
            assert!(message.contains("hush"), "{engine:?} {code}: {message}");
        }
    }
}
