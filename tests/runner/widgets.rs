//! States of ipywidgets: what an input gives in a fork is what it gives in a process of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nbc::run::SweepPlan;
use nbc::run::record::{State, Sweep, Widget, WidgetKind};
use serde_json::{Value, json};

use super::*;

const IMPORT: &str = "import ipywidgets as w\nfrom IPython.display import display";

fn plan() -> SweepPlan {
    SweepPlan {
        most_states: 500,
        most_values: 100,
        most_bytes: 64 << 20,
        time: Duration::from_secs(60),
        state_time: Duration::from_secs(20),
        run_time: Duration::from_secs(20),
        jobs: 2,
        memory: 2 << 30,
        is_dry: false,
        samples: BTreeMap::new(),
    }
}

fn sweep_of(engine: Engine, codes: &[&str]) -> (RunRecord, Sweep) {
    let mut start = start(engine, codes);
    start.sweep = Some(plan());
    let mut record = Fixture::new().run(&start).unwrap();
    let sweep = record.sweep.take().unwrap();
    assert!(sweep.lost.is_empty() && !sweep.is_cut, "{sweep:?}");
    (record, sweep)
}

fn named<'s>(sweep: &'s Sweep, name: &str) -> &'s Widget {
    sweep.widgets.iter().find(|it| it.name.as_deref() == Some(name)).unwrap()
}

fn reach(sweep: &Sweep, name: &str) -> Vec<u32> {
    named(sweep, name).reach.iter().map(|it| it.0).collect()
}

/// The state in which these inputs, by name, have the values of these labels.
fn state<'s>(sweep: &'s Sweep, values: &[(&str, &str)]) -> &'s State {
    let step = |(name, label): &(&str, &str)| {
        let widget = named(sweep, name);
        let value = widget.labels.iter().position(|it| it == label).unwrap();
        (widget.id.clone(), value as u32)
    };
    let wanted: BTreeSet<_> = values.iter().map(step).collect();
    let path = |it: &State| it.path.iter().map(|it| (it.widget.clone(), it.value)).collect();
    sweep.states.iter().find(|it| wanted == path(it)).unwrap()
}

/// Each cell that the state has gives what it gives when another process sets the values in a last cell.
fn is_as_in_a_fresh_process(sweep: &Sweep, codes: &[&str], values: &[(&str, &str)], set: &str) {
    let fresh = run(Engine::Jupyter, &[codes, &[set]].concat());
    assert_eq!(cell(&fresh, codes.len() as u32).status, CellStatus::Finished, "{set}: {fresh:?}");
    let state = state(sweep, values);
    assert!(!state.cells.is_empty(), "{set}");
    for (id, run) in &state.cells {
        assert_eq!(run, &fresh.cells[id], "{set}");
    }
}

/// Contents of the `Output` widgets of a cell.
fn caught(run: &CellRun) -> Vec<Value> {
    let mut caught = Vec::new();
    for output in &run.outputs {
        let RawOutput::Display { bundle } = output else { continue };
        let Some(state) = bundle.data.get(nbc::run::WIDGET_STATE_MIME) else { continue };
        for model in state["state"].as_object().unwrap().values() {
            caught.extend(model["state"]["outputs"].as_array().into_iter().flatten().cloned());
        }
    }
    caught
}

fn text(run: &CellRun) -> String {
    caught(run).iter().filter_map(|it| it["text"].as_str().map(ToOwned::to_owned)).collect()
}

#[test]
fn interact_gives_every_state_of_its_inputs() {
    let codes = [
        IMPORT,
        "@w.interact(n=(1, 3), kind=['rain', 'snow'])\ndef show(n=2, kind='rain'):\n    print(kind, n)\n    return n * 10",
        "inputs = show.widget.children",
    ];
    let (_, sweep) = sweep_of(Engine::Jupyter, &codes);
    let kinds: Vec<_> = sweep.widgets.iter().map(|it| (it.kind, it.values.len())).collect();
    assert_eq!(kinds, [(WidgetKind::Slider, 3), (WidgetKind::Choice, 2)]);
    assert_eq!(sweep.states.len(), 5);
    for n in 1..=3 {
        for (at, kind) in ["rain", "snow"].into_iter().enumerate() {
            let label = n.to_string();
            let mut values = Vec::new();
            values.extend((n != 2).then_some(("n", label.as_str())));
            values.extend((at != 0).then_some(("kind", kind)));
            if values.is_empty() {
                continue;
            }
            let set = format!("inputs[0].value, inputs[1].value = {n}, '{kind}'");
            is_as_in_a_fresh_process(&sweep, &codes, &values, &set);
            assert_eq!(text(&state(&sweep, &values).cells[&CellId(1)]), format!("{kind} {n}\n"));
        }
    }
}

#[test]
fn an_output_in_another_cell_belongs_to_the_inputs_that_fill_it() {
    let codes = [
        IMPORT,
        "a = w.IntRangeSlider(value=(1, 2), min=0, max=3)\nb = w.ToggleButtons(options=['x', 'y'])\nw.VBox([a, b])",
        "out = w.interactive_output(lambda a, b: print(a, b), {'a': a, 'b': b})",
        "out",
        "c = w.SelectionSlider(options=[('one', 1), ('two', 2)])\nlog = w.Output()\ndef heard(change):\n    with log:\n        print(change.new)\nc.observe(heard, 'value')\nc",
        "log",
    ];
    let (_, sweep) = sweep_of(Engine::Jupyter, &codes);
    assert_eq!(
        (reach(&sweep, "a"), reach(&sweep, "b"), reach(&sweep, "c")),
        (vec![3], vec![3], vec![5])
    );
    assert_eq!(named(&sweep, "b").values, [json!("x"), json!("y")]);
    let values = [("a", "0 – 3"), ("b", "y")];
    is_as_in_a_fresh_process(&sweep, &codes, &values, "a.value = (0, 3)\nb.value = 'y'");
    is_as_in_a_fresh_process(&sweep, &codes, &[("c", "two")], "c.value = 2");
    assert_eq!(text(&state(&sweep, &[("c", "two")]).cells[&CellId(5)]), "2\n");
}

#[test]
fn an_error_in_one_state_stays_in_it() {
    let codes = [
        IMPORT,
        "n = w.BoundedIntText(value=1, min=0, max=2)\nw.interactive(lambda n: print(1 / n), n=n)",
        "m = w.Checkbox(value=False)\nlabel = w.Label('first')\ndef fail(change):\n    label.value = 'half'\n    if change.new:\n        raise KeyError('observer')\nm.observe(fail, 'value')\nw.VBox([m, label])",
    ];
    let (_, sweep) = sweep_of(Engine::Jupyter, &codes);
    let failed = &state(&sweep, &[("n", "0")]).cells[&CellId(1)];
    let errors: Vec<Value> = caught(failed);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0]["ename"], "ZeroDivisionError");
    assert_eq!(text(&state(&sweep, &[("n", "2")]).cells[&CellId(1)]), "0.5\n");
    // Outside of `Output` widgets nothing shows that it failed.
    let failed = &state(&sweep, &[("m", "on")]).cells[&CellId(2)];
    assert!(matches!(&failed.status, CellStatus::Failed { error } if error.name == "KeyError"));
}

#[test]
fn an_input_without_effect_has_no_states() {
    let codes = [
        IMPORT,
        "a = w.Dropdown(options=['x', 'y'])\na",
        "print(a.value)",
        "hidden = w.IntSlider()\nb = w.Checkbox(disabled=True)\nt = w.Text('any')\nb.observe(print)\nw.VBox([b, t])",
        "c = w.IntSlider(max=2)\nc.observe(lambda change: print('in the log', change.new), 'value')\nc",
    ];
    let (_, sweep) = sweep_of(Engine::Jupyter, &codes);
    let names: Vec<_> = sweep.widgets.iter().map(|it| it.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["a", "c"]);
    assert!(
        sweep.widgets.iter().all(|it| it.reach.is_empty() && it.makers == Some(BTreeSet::new()))
    );
    assert!(sweep.states.is_empty());
}

#[test]
fn what_an_input_reaches_only_in_some_states_is_found_in_the_code_of_its_observers() {
    let codes = [
        IMPORT,
        "on = w.Checkbox(value=False)\nn = w.IntSlider(min=0, max=2)\nw.VBox([on, n])",
        "out = w.Output()\nclass Panel:\n    def __init__(self): self._out = out\n    def draw(self, change):\n        self._out.clear_output()\n        if on.value:\n            with self._out: print('n is', n.value)\npanel = Panel()\nfor it in (on, n): it.observe(panel.draw, 'value')\nout",
    ];
    let (_, sweep) = sweep_of(Engine::Jupyter, &codes);
    assert_eq!((reach(&sweep, "on"), reach(&sweep, "n")), (vec![2], vec![2]));
    let values = [("on", "on"), ("n", "2")];
    is_as_in_a_fresh_process(&sweep, &codes, &values, "on.value = True\nn.value = 2");
}

#[test]
fn an_input_that_another_one_changes_is_made_anew_by_it() {
    let codes = [
        IMPORT,
        "cities = {'fr': ['Paris', 'Lyon'], 'it': ['Rome', 'Milan', 'Turin']}\ncity = w.Dropdown(options=cities['fr'])\nland = w.Dropdown(options=['fr', 'it'])\nland.observe(lambda it: setattr(city, 'options', cities[it.new]), 'value')\nw.VBox([land, city])",
        "out = w.interactive_output(lambda city: print(land.value, city), {'city': city})\nout",
        "p, q = w.Checkbox(), w.Checkbox()\nw.link((p, 'value'), (q, 'value'))\ndisplay(p, q)",
    ];
    let (_, sweep) = sweep_of(Engine::Jupyter, &codes);
    let names: Vec<_> = sweep.widgets.iter().map(|it| it.name.as_deref().unwrap()).collect();
    // Of two that change each other the second one only shows what the first says.
    assert_eq!(names, ["land", "city", "p"]);
    assert_eq!((reach(&sweep, "land"), reach(&sweep, "city")), (vec![1, 2], vec![2]));
    is_as_in_a_fresh_process(&sweep, &codes, &[("land", "it")], "land.value = 'it'");
    is_as_in_a_fresh_process(&sweep, &codes, &[("p", "on")], "p.value = True");
    let made = &state(&sweep, &[("land", "it")]).widgets;
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].labels, ["Rome", "Milan", "Turin"]);
    assert_eq!(sweep.states.len(), 5, "Lyon, Rome, Milan, Turin, and a checkbox");
    let texts: BTreeSet<_> =
        sweep.states.iter().filter_map(|it| Some(text(it.cells.get(&CellId(2))?))).collect();
    assert_eq!(
        texts,
        ["fr Lyon\n", "it Milan\n", "it Rome\n", "it Turin\n"].map(ToOwned::to_owned).into()
    );
}

#[test]
fn links_that_only_a_front_end_knows_are_followed() {
    let codes = [
        IMPORT,
        "a = w.IntSlider(value=2, max=3)\nb = w.IntProgress(max=9)\nc = w.Label()\nw.jsdlink((a, 'value'), (b, 'value'))\nw.jslink((b, 'value'), (c, 'value'))\nw.VBox([a, b, c])",
    ];
    let (record, sweep) = sweep_of(Engine::Jupyter, &codes);
    let values = |run: &CellRun| {
        let RawOutput::Display { bundle } = &run.outputs[0] else { panic!() };
        let models = bundle.data[nbc::run::WIDGET_STATE_MIME]["state"].as_object().unwrap();
        let values = models.values().filter_map(|it| it["state"].get("value").cloned());
        values.collect::<Vec<Value>>()
    };
    assert_eq!(values(cell(&record, 1)), [2, 2, 2]);
    let changed = state(&sweep, &[("a", "3")]);
    assert_eq!(values(&changed.cells[&CellId(1)]), [3, 3, 3]);
    assert_eq!(changed.cells[&CellId(1)].status, CellStatus::Finished);
}

#[test]
fn what_an_observer_starts_is_awaited_and_what_it_updates_by_id_is_found() {
    let codes = [
        IMPORT,
        "shown = display('first', display_id='mine')",
        "import asyncio\nlabel = w.Label('-')\nasync def later(n):\n    await asyncio.sleep(0.02)\n    label.value = f'later {n}'\ndef heard(change):\n    shown.update(f'now {change.new}')\n    asyncio.ensure_future(later(change.new))\nn = w.IntSlider(max=2)\nn.observe(heard, 'value')\nw.VBox([n, label])",
    ];
    let (_, sweep) = sweep_of(Engine::Jupyter, &codes);
    assert_eq!(reach(&sweep, "n"), [1, 2]);
    let cells = &state(&sweep, &[("n", "2")]).cells;
    let of = |id: u32| serde_json::to_string(&cells[&CellId(id)]).unwrap();
    assert!(of(1).contains("now 2") && !of(1).contains("first"), "{}", of(1));
    assert!(of(2).contains("later 2"), "{}", of(2));
}

#[test]
fn a_notebook_without_inputs_has_an_empty_sweep() {
    for engine in [Engine::Jupyter, Engine::Plain] {
        let (record, sweep) = sweep_of(engine, &["print(3)"]);
        assert_eq!(outputs(&record, 0), ["stdout:3\n"]);
        assert!(sweep.widgets.is_empty() && sweep.states.is_empty());
    }
}

#[test]
fn what_later_cells_do_to_a_widget_is_seen_where_it_is_shown() {
    let codes = [IMPORT, "out = w.Output()\nout", "with out: print('late')"];
    assert_eq!(text(cell(&run(Engine::Jupyter, &codes), 1)), "late\n");
}

#[test]
fn widgets_that_an_output_widget_caught_are_beside_it() {
    let codes = [IMPORT, "out = w.Output()\nwith out: display(w.HTML('inner'))\nout"];
    let record = run(Engine::Jupyter, &codes);
    let RawOutput::Display { bundle } = &cell(&record, 1).outputs[0] else { panic!() };
    let models = bundle.data[nbc::run::WIDGET_STATE_MIME]["state"].as_object().unwrap();
    assert!(models.values().any(|it| it["state"]["value"] == "inner"), "{models:?}");
}
