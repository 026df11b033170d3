//! States of inputs as real marimo gives them: `nbc build --record` with notebooks whose inputs depend on each other,
//! stop, attack, or use libraries that do not survive a fork.
//!
//! Runs use the interpreter of `NBC_TEST_PYTHON`, which `tests/run.sh` makes; see CONTRIBUTING.md.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests start the real binary, and a failed step is a failed test"
)]

use std::collections::BTreeMap;

use nbc::notebook::CellId;
use nbc::run::RunRecord;
use nbc::run::record::{CellRun, CellStatus, Loss, RawOutput, State, Step, Sweep};
use test_support::NbcTest;

const NESTED: &str = include_str!("sweep/nested.py");

struct Built {
    code: i32,
    said: String,
    test: NbcTest,
}

impl Built {
    fn record(&self) -> RunRecord {
        let path = self.test.path("record/page.run.json");
        let path = camino::Utf8PathBuf::from_path_buf(path).unwrap();
        RunRecord::load(&path).expect(&self.said)
    }

    fn sweep(&self) -> Sweep {
        self.record().sweep.expect("a sweep")
    }

    fn page(&self) -> String {
        self.test.read("site/page.html")
    }
}

fn nbc(command: &str, notebook: &str, settings: &str, flags: &[&str]) -> Built {
    let test = NbcTest::new(&[("page.py", notebook), ("nbc.toml", settings)]);
    let fixed = [command, "page.py", "--record", "record", "--format", "concise"];
    let said = test.run(&[&fixed, flags].concat());
    Built { code: said.code, said: said.text(), test }
}

fn build(notebook: &str, flags: &[&str]) -> Built {
    nbc("build", notebook, "", flags)
}

/// One slider and what it gives, in as few words as a test of flags needs.
fn slider(arguments: &str, body: &str) -> String {
    format!(
        "import marimo\napp = marimo.App()\n\n@app.cell\ndef _():\n    import marimo as mo\n    return (mo,)\n\n\
         @app.cell\ndef _(mo):\n    n = mo.ui.slider({arguments})\n    n\n    return (n,)\n\n\
         @app.cell\ndef _(mo, n):\n    {body}\n    return\n"
    )
}

/// A reader's name for a state: `a=2 kind=y`. Nested inputs are looked up below their state.
fn name(sweep: &Sweep, state: &[Step]) -> String {
    let mut names = Vec::new();
    for (at, step) in state.iter().enumerate() {
        let above = (0..=at).rev().find_map(|length| {
            let path = &state[..length];
            let made = sweep.states.iter().find(|it| it.path == path && length > 0);
            made.map(|it| &it.widgets).and_then(|it| it.iter().find(|one| one.id == step.widget))
        });
        let widget =
            above.or_else(|| sweep.widgets.iter().find(|it| it.id == step.widget)).unwrap();
        names.push(format!(
            "{}={}",
            widget.name.as_deref().unwrap(),
            widget.labels[step.value as usize]
        ));
    }
    names.join(" ")
}

fn text(run: &CellRun) -> String {
    let texts = run.outputs.iter().map(|output| match output {
        RawOutput::Stream { text, .. } => text.trim().to_owned(),
        RawOutput::Display { bundle } => {
            let html = bundle.data.values().next().and_then(|it| it.as_str()).unwrap_or_default();
            let text = html.rsplit_once("</pre>").map_or(html, |(text, _)| text);
            text.rsplit('>').next().unwrap_or_default().replace("&#x27;", "")
        }
    });
    texts.collect::<Vec<_>>().join(" | ")
}

/// The output of a cell in each state in which it ran again.
fn by_state(sweep: &Sweep, cell: u32) -> BTreeMap<String, String> {
    let said = |state: &State| {
        let run = state.cells.get(&CellId(cell))?;
        let said = match run.status {
            CellStatus::Finished => text(run),
            CellStatus::Stopped => format!("{} (stopped)", text(run)),
            CellStatus::Skipped => "(skipped)".to_owned(),
            CellStatus::Failed { .. } => "(failed)".to_owned(),
        };
        Some((name(sweep, &state.path), said))
    };
    sweep.states.iter().filter_map(said).collect()
}

#[test]
fn inputs_that_others_make_have_their_own_values_in_each_state() {
    let built = build(NESTED, &[]);
    assert_eq!(built.code, 0, "{}", built.said);
    let sweep = built.sweep();
    let said = by_state(&sweep, 3);
    // Five values of a, and two or three of what kind leads to; the run itself is one of them.
    assert_eq!(said.len(), 24, "{said:#?}");
    for a in 1..=5 {
        for (kind, options) in [("x", ["p", "q"].as_slice()), ("y", &["r", "s", "t"])] {
            for (at, option) in options.iter().enumerate() {
                let parts = [
                    (a != 1).then(|| format!("a={a}")),
                    (kind != "x").then(|| "kind=y".to_owned()),
                    (at != 0).then(|| format!("sub={option}")),
                ];
                let state = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
                if !state.is_empty() {
                    assert_eq!(said.get(&state), Some(&format!("{a} {option}")), "{state}");
                }
            }
        }
    }
}

#[test]
fn a_stop_is_a_state_like_any_other_and_skips_what_follows() {
    let sweep = build(NESTED, &[]).sweep();
    let only_a = |cell| {
        let mut said = by_state(&sweep, cell);
        said.retain(|state, _| state.starts_with("a=") && !state.contains(' '));
        said.into_values().collect::<Vec<_>>()
    };
    assert_eq!(only_a(4), ["b 4", "stopped (stopped)", "b 8", "b 10"]);
    assert_eq!(only_a(5), ["4", "(skipped)", "8", "10"]);
}

#[test]
fn the_same_notebook_gives_the_same_bytes_however_many_states_run_at_once() {
    let (one, two) = (build(NESTED, &["--jobs", "1"]), build(NESTED, &["--jobs", "5"]));
    assert_eq!(one.record(), two.record());
    assert_eq!(one.page(), two.page());
}

#[test]
fn processes_that_a_state_leaves_behind_take_no_memory_from_the_next_one() {
    // Those of one state hold 1.2 GiB. Within the limit of 2 GiB the other states need that memory.
    let flags = ["--state-timeout", "4", "--sweep-timeout", "600"];
    let built = build(include_str!("sweep/left_behind.py"), &flags);
    let sweep = built.sweep();
    assert!(!sweep.is_cut, "{}", built.said);
    let lost: Vec<_> = sweep.lost.iter().map(|it| (name(&sweep, &it.path), it.why)).collect();
    assert_eq!(lost, [("kind=leaves processes".to_owned(), Loss::Time)], "{}", built.said);
    assert_eq!(sweep.states.len(), 2, "{}", built.said);
}

#[test]
fn hostile_states_cost_their_own_place_and_no_other() {
    // A busy machine needs more than the usual time for them all.
    let flags = ["--state-timeout", "6", "--sweep-timeout", "600", "--code", "hidden"];
    let built = build(include_str!("sweep/hostile.py"), &flags);
    assert_eq!(built.code, 0, "{}", built.said);
    assert!(built.said.contains("NBC431"), "{}", built.said);
    let sweep = built.sweep();
    assert!(!sweep.is_cut, "{}", built.said);
    let lost: BTreeMap<_, _> =
        sweep.lost.iter().map(|it| (name(&sweep, &it.path), it.why)).collect();
    assert_eq!(lost.get("kind=exit"), Some(&Loss::End));
    assert_eq!(lost.get("kind=sleep"), Some(&Loss::Time));
    assert_eq!(lost.get("kind=fork"), Some(&Loss::Time));
    let said = by_state(&sweep, 2);
    assert_eq!(said["kind=disk"], "(failed)");
    assert_eq!(said["kind=memory"], "(failed)");
    for state in ["kind=script", "kind=outlive", "kind=also fine"] {
        assert!(said.contains_key(state), "{state}: {said:#?}");
    }
    let page = built.page();
    assert!(!page.contains("onerror") && !page.contains("alert(1)"));
}

#[test]
fn libraries_whose_threads_do_not_survive_a_fork_are_right_all_the_same() {
    let built = build(include_str!("sweep/threads.py"), &[]);
    let sweep = built.sweep();
    assert_eq!((sweep.lost.len(), sweep.is_cut), (0, false), "{}", built.said);
    let sum = |group: usize| (0..1000).filter(|it| it % 7 == group).sum::<usize>();
    let said = by_state(&sweep, 2);
    for group in 1..=4 {
        let own = (group != 1).then(|| format!("group={group}"));
        if let Some(state) = &own {
            assert_eq!(said[state], sum(group).to_string());
        }
        let both = own.into_iter().chain(["twice=on".to_owned()]).collect::<Vec<_>>().join(" ");
        assert_eq!(said[&both], (2 * sum(group)).to_string());
    }
}

/// Every state of `n` is what a run with that value shows, which no fork is in.
fn is_as_without_forks(notebook: &str) {
    let built = build(notebook, &[]);
    let sweep = built.sweep();
    assert_eq!((sweep.lost.len(), sweep.is_cut), (0, false), "{}", built.said);
    let said = by_state(&sweep, 2);
    for n in [2, 3] {
        let fresh = notebook.replace("slider(1, 3)", &format!("slider(1, 3, value={n})"));
        let fresh = build(&fresh, &["--states", "off"]);
        assert_eq!(said[&format!("n={n}")], text(&fresh.record().cells[&CellId(2)]));
    }
}

#[test]
fn libraries_that_wait_in_a_fork_for_their_threads_are_run_without_one() {
    is_as_without_forks(include_str!("sweep/waits.py"));
}

#[test]
fn libraries_that_end_a_fork_beside_their_threads_are_run_without_one() {
    is_as_without_forks(include_str!("sweep/ends.py"));
}

#[test]
fn states_do_not_see_what_others_do_to_files() {
    let built = build(include_str!("sweep/files.py"), &["--jobs", "4"]);
    let said = by_state(&built.sweep(), 2);
    // Nor in a file that was there before.
    let notebook = include_str!("sweep/files.py").replace("log.txt", "nbc.toml");
    assert_eq!(by_state(&build(&notebook, &["--jobs", "4"]).sweep(), 2), said);
    // In a kernel too the cell has run once before a reader moves the slider.
    let right = (1..9).map(|n| (format!("n={n}"), format!("[{n}] 3")));
    assert_eq!(said, right.collect(), "{}", built.said);
}

#[test]
fn states_read_on_in_open_files_where_the_run_has_left_off() {
    // Files that a run has written would make states run one after the other, which hides what forks share.
    let notebook =
        slider("0, 7", "os.lseek(file, n.value, 0); time.sleep(0.3); print(os.read(file, 1))")
            .replace(
                "import marimo as mo\n",
                "import marimo as mo, os, time\n    file = os.open('page.py', 0)\n",
            )
            .replace("return (mo,)", "return file, mo, os, time")
            .replace("def _(mo, n)", "def _(file, n, os, time)");
    let built = build(&notebook, &["--jobs", "4"]);
    let said = by_state(&built.sweep(), 2);
    let right = (1..8).map(|n| (format!("n={n}"), format!("b'{}'", &notebook[n..=n])));
    assert_eq!(said, right.collect(), "{}", built.said);
}

#[test]
fn states_that_are_run_again_find_the_files_of_the_start() {
    let built = build(include_str!("sweep/again.py"), &[]);
    let said = by_state(&built.sweep(), 2);
    let right = (1..4).map(|n| (format!("n={n}"), format!("{n} 3")));
    assert_eq!(said, right.collect(), "{}", built.said);
}

#[test]
fn values_that_an_input_cannot_have_are_told() {
    let notebook = |states: &str| {
        let header = format!("# /// script\n# [tool.nbc.states]\n# {states}\n# ///\n");
        format!("{header}{}", slider("0, 100", "n.value"))
    };
    let built = build(&notebook("n = [0, 33.3, 100]"), &[]);
    assert_eq!(built.sweep().widgets[0].labels, ["0", "100"]);
    assert!(built.said.contains("`n` cannot have the values 33.3"), "{}", built.said);
    let built = build(&notebook("n = 50"), &[]);
    assert!(built.said.contains("`n` in `[tool.nbc.states]` is not read"), "{}", built.said);
    let built = build(&notebook("n = \"every 30\""), &[]);
    assert_eq!(built.sweep().widgets[0].labels, ["0", "30", "60", "90", "100"]);
}

#[test]
fn what_is_over_a_limit_in_a_state_is_told_and_noted_there() {
    let page = slider("1, 4, label='n'", "mo.Html(f\"<b>{'x' * 3000 * (n.value - 1)}</b>\")");
    let built = build(&page, &["--output-size", "5KiB"]);
    assert_eq!(built.code, 0, "{}", built.said);
    let found: Vec<_> = built.said.lines().filter(|it| it.contains("NBC305")).collect();
    assert_eq!(found.len(), 1, "{}", built.said);
    assert!(found[0].contains("in 2 states of the page, `text/html`"), "{}", built.said);
    assert!(found[0].contains("9007 bytes"), "{}", built.said);
    let states = built.sweep().states;
    let left_out: Vec<_> = states
        .iter()
        .map(|it| it.cells.values().map(|it| it.left_out.len()).sum::<usize>())
        .collect();
    assert_eq!(left_out, [0, 1, 1]);
}

#[test]
fn a_long_label_costs_itself_and_not_the_sweep() {
    let options = "[f'{it:03} ' + 60 * 'x' for it in range(200)]";
    let many = slider("", "print(len(n.value))");
    let many = many.replace("mo.ui.slider()", &format!("mo.ui.multiselect({options})"));
    let sweep = build(&many, &["--max-values", "20"]).sweep();
    assert!(!sweep.is_cut && sweep.states.len() == 19, "{}", sweep.states.len());
}

#[test]
fn of_a_table_single_rows_then_several_and_all_together_are_chosen() {
    let table = |rows: usize| {
        let rows = format!("mo.ui.table([{{'a': it}} for it in range({rows})], selection='multi')");
        slider("", "print(n.value)").replace("mo.ui.slider()", &rows)
    };
    let labels = build(&table(3), &[]).sweep().widgets[0].labels.clone();
    assert_eq!(labels, ["—", "0", "1", "2", "0, 1", "0, 2", "1, 2", "0, 1, 2"]);
    let widget = build(&table(30), &["--max-values", "40"]).sweep().widgets[0].clone();
    // Not some of the 435 pairs: which those are would be by chance.
    assert_eq!((widget.labels.len(), widget.total), (32, 1 << 30));
    assert_eq!(widget.labels[30], "29");
    assert_eq!(widget.labels[31].split(", ").count(), 30);
}

#[test]
fn more_values_than_there_is_room_for_are_thinned_and_told() {
    let built = build(&slider("0, 1000, value=137", "n.value"), &["--max-values", "5"]);
    assert!(
        built.said.contains("NBC430") && built.said.contains("5 of 1001 values"),
        "{}",
        built.said
    );
    let widget = &built.sweep().widgets[0];
    // The ends, the present value, and others between.
    assert_eq!(widget.labels.first().unwrap(), "0");
    assert_eq!(widget.labels.last().unwrap(), "1000");
    assert_eq!(widget.labels[widget.initial as usize], "137");
    assert_eq!((widget.labels.len(), widget.total), (5, 1001));
    let built = build(&slider("0, 1000", "n.value"), &["--max-states", "9"]);
    assert!(built.sweep().states.len() <= 9);
    assert!(built.said.contains("depends on 1 input (n): 1001 states"), "{}", built.said);
}

#[test]
fn authors_choose_values_in_the_settings_and_in_the_notebook() {
    let notebook = slider("0, 100", "n.value");
    let built = nbc("build", &notebook, "[states]\nn = [10, 50, 90]\n", &[]);
    assert_eq!(built.sweep().widgets[0].labels, ["0", "10", "50", "90"], "{}", built.said);
    let header = "# /// script\n# [tool.nbc.states]\n# n = \"every 25\"\n# ///\n";
    let built = nbc("build", &format!("{header}{notebook}"), "[states]\nn = [7]\n", &[]);
    assert_eq!(built.sweep().widgets[0].labels, ["0", "25", "50", "75", "100"], "{}", built.said);
    let built = nbc("build", &notebook, "[states]\nn = 5\n", &[]);
    assert_eq!(built.code, 2);
    assert!(built.said.contains("every 5"), "{}", built.said);
}

#[test]
fn a_page_can_show_another_state_first() {
    let built = build(&slider("1, 9", "mo.md(f'chosen {n.value * 111}')"), &["--state", "n=7"]);
    assert!(built.page().contains("chosen 777"), "{}", built.said);
    let built = build(&slider("1, 9", "n.value"), &["--state", "n=12"]);
    assert_eq!(built.code, 1);
    assert!(built.said.contains("NBC434"), "{}", built.said);
}

#[test]
fn too_many_bytes_end_a_sweep_and_the_page_is_built_with_what_there_is() {
    let notebook = slider("1, 200", "print(str(n.value) * 3000)");
    let built = build(&notebook, &["--max-bytes", "200KiB"]);
    assert_eq!(built.code, 0, "{}", built.said);
    assert!(built.said.contains("NBC432"), "{}", built.said);
    let sweep = built.sweep();
    assert!(sweep.is_cut && !sweep.states.is_empty() && sweep.states.len() < 199);
}

#[test]
fn what_differs_between_two_runs_is_told() {
    let notebook = slider("1, 3", "import time; print(time.monotonic_ns())");
    let built = build(&notebook, &["--check-reproducible"]);
    assert!(built.said.contains("NBC433"), "{}", built.said);
    assert_eq!(built.code, 1);
    let built = build(&slider("1, 3", "n.value"), &["--check-reproducible"]);
    assert!(!built.said.contains("NBC433"), "{}", built.said);
}

#[test]
fn inputs_that_others_make_are_thinned_alike_and_what_has_no_room_is_told() {
    let built = build(NESTED, &["--max-values", "2"]);
    let sweep = built.sweep();
    let made = sweep.states.iter().flat_map(|it| &it.widgets);
    assert!(made.clone().count() > 0 && made.clone().all(|it| it.labels.len() == 2));
    // Three values of the second list are not foreseen.
    let built = build(NESTED, &["--max-states", "19"]);
    let sweep = built.sweep();
    assert_eq!(sweep.states.len(), 19);
    assert!(sweep.lost.iter().any(|it| it.why == Loss::Limit), "{:?}", sweep.lost);
    assert!(built.said.contains("NBC431"), "{}", built.said);
}

#[test]
fn values_out_of_bounds_and_names_of_no_input_are_not_taken_over() {
    let header = "# /// script\n# [tool.nbc.states]\n# n = [3, 99]\n# other = [1]\n# ///\n";
    let built = build(&format!("{header}{}", slider("1, 9", "n.value")), &[]);
    assert_eq!(built.sweep().widgets[0].labels, ["1", "3"], "{}", built.said);
    assert!(built.said.contains("names values of `other`"), "{}", built.said);
}

#[test]
fn an_input_of_a_class_that_raises_costs_its_own_place() {
    let body = "\
        class Odd(mo.ui.slider):\n        @property\n        def _component_args(self): raise SystemExit\n        \
        @_component_args.setter\n        def _component_args(self, value): pass\n    odd = Odd(0, 4)\n    ";
    let notebook = slider("1, 4", "n.value").replacen("n = mo", &format!("{body}n = mo"), 1);
    let built = build(&notebook, &[]);
    let sweep = built.sweep();
    assert_eq!((sweep.widgets.len(), sweep.states.len()), (1, 3), "{}", built.said);
}

#[test]
fn random_numbers_of_states_follow_from_those_of_the_run() {
    // The run seeds, and each state is a fork of it.
    let body = "import random; print(random.random() if n.value > 1 else random.seed(7))";
    let said = by_state(&build(&slider("1, 4", body), &["--jobs", "1"]).sweep(), 2);
    let numbers: std::collections::BTreeSet<&String> = said.values().collect();
    assert_eq!((said.len(), numbers.len()), (3, 1), "{said:?}");
}

#[test]
fn states_are_listed_without_running_them() {
    let built = nbc("states", NESTED, "", &[]);
    assert_eq!(built.code, 0, "{}", built.said);
    assert!(built.said.contains("3 inputs, 19 states to run"), "{}", built.said);
    assert!(built.said.contains("cell 4           20 states from a, kind, sub"), "{}", built.said);
    assert!(!built.test.path("site").exists());
}

#[test]
fn without_states_inputs_stay_as_they_are() {
    let built = build(NESTED, &["--states", "off"]);
    assert!(built.record().sweep.is_none());
    assert!(built.said.contains("NBC404"), "{}", built.said);
    assert!(!built.page().contains("data-states"));
}
