//! States of inputs, from a record to the page: which tables come of a sweep, what a page holds of them, and what
//! a hostile sweep can do. `tests/states/rain.run.json` was put together from runs of real marimo, one a state
//! (`tests/states/generate.py`).
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests start the real binary, and a failed step is a failed test"
)]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use serde_json::{Value, json};
use test_support::{NbcTest, code_cell, notebook, said};

const NOTEBOOK: &str = include_str!("states/rain.py");
const RECORD: &str = include_str!("states/rain.run.json");

struct Rendered {
    code: i32,
    said: String,
    test: NbcTest,
}

impl Rendered {
    fn page(&self) -> String {
        self.test.read("out/page.html")
    }
}

fn render(notebook: &str, record: &Value, flags: &[&str]) -> Rendered {
    render_with(notebook, record, flags, None)
}

fn render_with(notebook: &str, record: &Value, flags: &[&str], cache: Option<&Path>) -> Rendered {
    let test = NbcTest::new(&[("page.py", notebook), ("run.json", &record.to_string())]);
    let fixed = ["render", "page.py", "run.json", "-o", "out", "--format", "concise"];
    let mut command = test.nbc(&fixed);
    command.args(flags).envs(cache.map(|it| ("NBC_CACHE_DIR", it)));
    let said = said(&mut command);
    Rendered { code: said.code, said: said.text(), test }
}

/// A page with what its notebook may ask of the command: one cell fails in a state.
fn rain(flags: &[&str]) -> Rendered {
    let mut record: Value = serde_json::from_str(RECORD).unwrap();
    record.as_object_mut().unwrap().remove("source");
    render(NOTEBOOK, &record, flags)
}

fn unpack(packed: &[u8]) -> Value {
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The states that a page holds, as its script reads them.
struct Held {
    model: Value,
    contents: Vec<(String, String)>,
    /// By content, the ids and data of its charts.
    charts: Vec<Vec<(String, Value)>>,
}

impl Held {
    fn of(page: &str) -> Self {
        let mut pieces = BTreeMap::new();
        for piece in page.split("data-states=\"").skip(1) {
            let (name, rest) = piece.split_once("\">").unwrap();
            let text = rest.split("</script").next().unwrap();
            let packed = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
            pieces.insert(name.to_owned(), unpack(&packed));
        }
        let model = pieces.remove("model").unwrap();
        let (mut contents, mut charts) = (Vec::new(), Vec::new());
        for (at, count) in model["chunks"].as_array().unwrap().iter().enumerate() {
            let chunk = &pieces[&at.to_string()];
            assert_eq!(chunk.as_array().unwrap().len() as u64, count.as_u64().unwrap());
            let text = |it: &Value| it.as_str().unwrap().to_owned();
            for it in chunk.as_array().unwrap() {
                contents.push((text(&it[0]), text(&it[1])));
                let own = it.get(2).and_then(Value::as_array).into_iter().flatten();
                let own =
                    own.map(|it| (text(&it[0]), serde_json::from_str(&text(&it[1])).unwrap()));
                charts.push(own.collect());
            }
        }
        Self { model, contents, charts }
    }

    /// The markup in a slot for these values, given by the index of the input on the page; others have their first.
    fn shown(&self, slot: &str, values: &[(usize, usize)]) -> Option<&str> {
        let mut place = &self.model["slots"][slot];
        while let Some(pair) = place.as_array() {
            let input = pair[0].as_u64().unwrap() as usize;
            let first = self.model["widgets"][input]["initial"].as_u64().unwrap() as usize;
            let value = values.iter().find(|it| it.0 == input).map_or(first, |it| it.1);
            place = &pair[1][value];
        }
        Some(&self.contents[place.as_u64()? as usize].0)
    }
}

#[test]
fn each_state_shows_what_a_run_with_these_values_gave() {
    let done = rain(&["--allow-errors"]);
    assert_eq!(done.code, 0, "{}", done.said);
    let held = Held::of(&done.page());
    let widgets = held.model["widgets"].as_array().unwrap();
    let names: Vec<&str> = widgets.iter().map(|it| it["name"].as_str().unwrap()).collect();
    // `hours` depends on `days`: it is another slider for each of its values.
    assert_eq!(names, ["days", "kind", "hours", "hours", "hours"]);
    assert_eq!(widgets[0]["resets"], json!([2, 3, 4]));
    let hours_of = |days: usize| {
        (2..5).find(|it| widgets[*it]["values"].as_array().unwrap().len() == days + 1)
    };
    for days in 1..=3 {
        for kind in 0..2 {
            let shown = held.shown("4", &[(0, days - 1), (1, kind)]).unwrap();
            let kind = ["rain", "snow"][kind];
            assert!(shown.contains(&format!("<strong>{days}</strong> days of {kind}")), "{shown}");
        }
        let input = hours_of(days).unwrap();
        let control = held.shown("5", &[(0, days - 1)]).unwrap();
        assert!(control.contains(&format!("data-widget=\"{input}\"")), "{control}");
        assert!(control.contains(&format!("max=\"{days}\"")), "{control}");
        for hours in 0..=days {
            let shown = held.shown("6", &[(0, days - 1), (input, hours)]).unwrap();
            let text = format!("{}{}", "day ".repeat(days), "hour ".repeat(hours));
            assert!(shown.contains(&format!(">{text}\n<")), "{shown}");
        }
    }
    assert_eq!(held.shown("7", &[(0, 0)]), Some(""), "`mo.stop` shows nothing");
    assert!(held.shown("8", &[(0, 2)]).unwrap().contains("This cell failed."));
    // Cells 9 and 10 are the same in all states.
    let slots: Vec<&String> = held.model["slots"].as_object().unwrap().keys().collect();
    assert_eq!(slots, ["4", "5", "6", "7", "8"]);
}

#[test]
fn a_page_with_states_has_live_controls_and_places_for_outputs() {
    let done = rain(&["--allow-errors"]);
    let page = done.page();
    for wanted in [
        "<div class=\"nbc-live\" data-widget=\"0\"><div class=\"nbc-widget nbc-widget-slider\"",
        "<div class=\"nbc-live\" data-widget=\"1\"><div class=\"nbc-widget nbc-widget-field\"",
        "<div class=\"nbc-slot\" data-slot=\"4\">",
        "trusted-types nbc-states\"",
        "connect-src 'none'",
        "Some controls on this page show the values that it was built with",
    ] {
        let page = page.replace("&#39;", "'");
        assert!(page.contains(wanted), "{wanted}\n{page}");
    }
    assert!(!page.contains("data-slot=\"9\""), "{page}");
    assert!(Held::of(&page).contents.iter().all(|it| !it.0.contains("onclick")));
    // One control does not react, and it is the only one of which that is said.
    let told: Vec<&str> = done.said.lines().filter(|it| it.contains("NBC404")).collect();
    assert!(told.len() == 1 && told[0].contains("disabled: text"), "{told:?}");
    assert!(done.said.contains("raised `ZeroDivisionError` in 1 of its 3 states"), "{}", done.said);
    let again = rain(&["--allow-errors"]);
    assert_eq!(page, again.page());
}

#[test]
fn another_state_can_be_the_first_paint() {
    let mut record: Value = serde_json::from_str(RECORD).unwrap();
    record.as_object_mut().unwrap().remove("source");
    let sweep = &mut record["sweep"];
    let [days, kind] = [0, 1].map(|it| sweep["widgets"][it]["id"].clone());
    sweep["chosen"] = json!([{"widget": kind, "value": 1}, {"widget": days, "value": 0}]);
    let done = render(NOTEBOOK, &record, &["--allow-errors"]);
    assert_eq!(done.code, 0, "{}", done.said);
    let page = done.page();
    for wanted in [
        "<strong>1</strong> days of snow",
        "min=\"1\" max=\"3\" step=\"any\" value=\"1\"",
        "<option selected=\"\">snow</option>",
        "max=\"1\" step=\"any\" value=\"0\"",
        "<div class=\"nbc-slot\" data-slot=\"7\"></div>",
    ] {
        assert!(page.contains(wanted), "{wanted}\n{page}");
    }
    let held = Held::of(&page);
    let initial =
        held.model["widgets"].as_array().unwrap().iter().map(|it| it["initial"].as_u64().unwrap());
    assert_eq!(initial.collect::<Vec<_>>(), [0, 1, 0, 0, 0]);
    assert!(held.shown("4", &[]).unwrap().contains("<strong>1</strong> days of snow"));
    assert!(
        held.shown("4", &[(0, 1), (1, 0)]).unwrap().contains("<strong>2</strong> days of rain")
    );
}

#[test]
fn a_page_without_states_has_nothing_of_them() {
    let mut record: Value = serde_json::from_str(RECORD).unwrap();
    for gone in ["source", "sweep"] {
        record.as_object_mut().unwrap().remove(gone);
    }
    let done = render(NOTEBOOK, &record, &[]);
    assert_eq!(done.code, 0, "{}", done.said);
    for word in ["nbc-states", "data-slot", "data-widget", "data-states", "nbc-live"] {
        assert!(!done.page().contains(word), "{word}");
    }
    assert!(done.page().contains("The controls on this page show the values"));
}

/// A notebook in which one slider decides what a cell prints.
const ONE: &str = "import marimo\n\napp = marimo.App()\n\n\n@app.cell\ndef _(mo):\n    n = mo.ui.slider(0, 9)\n    n\n    return (n,)\n\n\n\
    @app.cell\ndef _(n):\n    print(n.value)\n    return\n\n\n@app.cell\ndef _():\n    import marimo as mo\n    return (mo,)\n";

fn printed(text: &str) -> Value {
    json!({"status": {"kind": "finished"}, "outputs": [{"kind": "stream", "name": "stdout", "text": text}]})
}

fn marked_up(html: &str) -> Value {
    let bundle = json!({"data": {"text/html": html}, "metadata": {}});
    json!({"status": {"kind": "finished"}, "outputs": [{"kind": "display", "bundle": bundle}]})
}

fn slider(id: &str, values: usize, reach: &[u32]) -> Value {
    let labels: Vec<String> = (0..values).map(|it| it.to_string()).collect();
    let values: Vec<usize> = (0..values).collect();
    json!({"id": id, "cell": 0, "name": "n", "kind": "slider", "values": values, "labels": labels,
        "initial": 0, "total": values.len(), "reach": reach})
}

fn state(steps: &[(&str, usize)], cells: &Value) -> Value {
    let path: Vec<Value> =
        steps.iter().map(|(widget, value)| json!({"widget": widget, "value": value})).collect();
    json!({"path": path, "cells": cells})
}

/// The run of [`ONE`] with a sweep.
fn one(widgets: &[Value], states: &[Value]) -> Value {
    let control = "<marimo-ui-element object-id='a-0'><marimo-slider data-initial-value='0' data-start='0' \
        data-stop='9'></marimo-slider></marimo-ui-element>";
    let nothing = json!({"status": {"kind": "finished"}, "outputs": []});
    json!({
        "version": 2, "engine": {"name": "marimo", "version": "0.25.2", "python": "3.11"},
        "cells": {"0": marked_up(control), "1": printed("0\n"), "2": nothing},
        "sweep": {"widgets": widgets, "states": states},
    })
}

#[test]
fn a_thousand_states_of_a_small_text_weigh_under_200_kilobytes() {
    let states: Vec<Value> = (1..1000)
        .map(|it| {
            let text = format!(
                "The sum of {it} values is {}, their mean {}\n",
                it * 7919 % 10_007,
                it * 31 % 997
            );
            state(&[("a-0", it)], &json!({"1": printed(&text)}))
        })
        .collect();
    let record = one(&[slider("a-0", 1000, &[1])], &states);
    for layout in ["single", "site"] {
        let done = render(ONE, &record, &["--layout", layout]);
        assert_eq!(done.code, 0, "{}", done.said);
        let page = done.page();
        println!("{layout}: {} bytes with 1,000 states", page.len());
        assert!(page.len() < 200_000, "{}", page.len());
        assert_eq!(Held::of(&page).contents.len(), 1000);
    }
}

#[test]
fn states_that_were_not_run_are_told_apart_from_empty_ones() {
    let states = [
        state(&[("a-0", 1)], &json!({"1": printed("one")})),
        // The input reaches the cell, which was not run: something above it stopped.
        state(&[("a-0", 2)], &json!({})),
    ];
    let done = render(ONE, &one(&[slider("a-0", 4, &[1])], &states), &[]);
    let held = Held::of(&done.page());
    assert_eq!(held.shown("2", &[(0, 2)]), Some(""));
    assert_eq!(held.shown("2", &[(0, 3)]), None);
}

#[test]
fn two_inputs_make_a_table_of_two_levels() {
    let other = json!({"id": "b-0", "cell": 2, "kind": "check", "values": [false, true], "labels": ["no", "yes"],
        "initial": 0, "total": 2, "reach": [1]});
    let mut states = vec![state(&[("b-0", 1)], &json!({"1": printed("0 yes")}))];
    for n in 1..3 {
        states.push(state(&[("a-0", n)], &json!({"1": printed(&format!("{n} no"))})));
        let cells = json!({"1": printed(&format!("{n} yes"))});
        states.push(state(&[("a-0", n), ("b-0", 1)], &cells));
    }
    let done = render(ONE, &one(&[slider("a-0", 3, &[1]), other], &states), &[]);
    let held = Held::of(&done.page());
    assert!(held.shown("2", &[(0, 2), (1, 0)]).unwrap().contains(">2 no<"));
    assert!(held.shown("2", &[(0, 2), (1, 1)]).unwrap().contains(">2 yes<"));
    assert!(held.shown("2", &[(0, 0), (1, 1)]).unwrap().contains(">0 yes<"));
}

#[test]
fn an_input_that_changes_nothing_costs_no_level() {
    let other = json!({"id": "b-0", "cell": 2, "kind": "check", "values": [false, true], "labels": ["no", "yes"],
        "initial": 0, "total": 2, "reach": [1]});
    let mut states = vec![state(&[("b-0", 1)], &json!({"1": printed("0\n")}))];
    for n in 1..3 {
        for path in [vec![("a-0", n)], vec![("a-0", n), ("b-0", 1)]] {
            states.push(state(&path, &json!({"1": printed(&n.to_string())})));
        }
    }
    let done = render(ONE, &one(&[slider("a-0", 3, &[1]), other], &states), &[]);
    assert_eq!(Held::of(&done.page()).model["slots"]["2"], json!([0, [0, 1, 2]]));
}

#[test]
fn groups_and_forms_count_the_values_of_their_parts() {
    let part = |id: &str, values: usize| slider(id, values, &[]);
    let group = json!({"id": "g-0", "cell": 0, "kind": "group", "initial": 0, "total": 6, "reach": [1],
        "parts": [part("p-0", 2), part("p-1", 3)]});
    let form = json!({"id": "a-0", "cell": 0, "name": "f", "kind": "form", "initial": 0, "total": 7, "reach": [1],
        "parts": [group]});
    let states: Vec<Value> = (1..7)
        .map(|it| state(&[("a-0", it)], &json!({"1": printed(&format!("submitted {}", it - 1))})))
        .collect();
    let done = render(ONE, &one(&[form], &states), &[]);
    assert_eq!(done.code, 0, "{}", done.said);
    let held = Held::of(&done.page());
    let kinds: Vec<&str> = held.model["widgets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["slider", "slider", "group", "form"]);
    assert_eq!(held.model["widgets"][2]["parts"], json!([0, 1]));
    assert_eq!(held.model["widgets"][3]["parts"], json!([2]));
    assert!(held.shown("2", &[(3, 6)]).unwrap().contains("submitted 5"));
    assert!(done.page().contains("data-widget=\"3\""));
}

#[test]
fn a_broken_sweep_costs_its_own_places_only() {
    let good = slider("a-0", 3, &[1]);
    let good_state = state(&[("a-0", 1)], &json!({"1": printed("good")}));
    let mut odd = slider("b-0", 3, &[1]);
    odd["labels"] = json!(["one"]);
    let mut endless = slider("c-0", 1, &[1]);
    for _ in 0..40 {
        endless = json!({"id": "c-0", "cell": 0, "kind": "group", "initial": 0, "total": 1, "reach": [1],
            "parts": [endless]});
    }
    let wide: Vec<Value> = (0..40).map(|it| slider(&format!("w-{it}"), 900, &[])).collect();
    let wide = json!({"id": "d-0", "cell": 0, "kind": "group", "initial": 0, "total": 9, "reach": [1], "parts": wide});
    let mut strange = slider("e-0", 3, &[1]);
    strange["values"] = json!([[[[1]]], {"a": 1}, 2]);
    let unknown = state(&[("zzz", 1)], &json!({"1": printed("bad")}));
    let states = [
        good_state.clone(),
        unknown,
        state(&[("a-0", 99)], &json!({"1": printed("bad")})),
        state(&[("a-0", 1), ("a-0", 2)], &json!({"1": printed("bad")})),
        state(&[], &json!({"1": printed("bad")})),
        state(&[("a-0", 1)], &json!({"1": printed("bad: the first counts")})),
        state(&[("a-0", 2)], &json!({"4000000000": printed("bad"), "0": printed("bad")})),
        state(&[("a-0", 1); 200], &json!({"1": printed("bad")})),
    ];
    let done = render(ONE, &one(&[good.clone(), odd, endless, wide, strange], &states), &[]);
    assert_eq!(done.code, 0, "{}", done.said);
    assert!(done.said.contains("NBC409"), "{}", done.said);
    let held = Held::of(&done.page());
    assert_eq!(
        held.model["widgets"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|it| it["resets"].is_array())
            .count(),
        0
    );
    assert!(held.shown("2", &[(0, 1)]).unwrap().contains(">good<"));
    assert!(held.contents.iter().all(|it| !it.0.contains("bad")));
    // Nothing but broken inputs is a page without states.
    let done = render(ONE, &one(&[slider("a-0", 0, &[1])], &[good_state]), &[]);
    assert_eq!(done.code, 0, "{}", done.said);
    assert!(!done.page().contains("data-states"));
}

#[test]
fn an_attack_in_one_state_of_many_is_taken_out() {
    let states: Vec<Value> = (1..500)
        .map(|it| {
            let html = match it {
                400 => "<p>400</p><script>alert(1)</script><img src=x onerror=alert(1)><div data-slot=2 \
                    data-widget=0 class=nbc-slot style='position:fixed;background:url(//e.x)'>x</div>"
                    .to_owned(),
                it => format!("<p>{it}</p>"),
            };
            state(&[("a-0", it)], &json!({"1": marked_up(&html)}))
        })
        .collect();
    let record = one(&[slider("a-0", 500, &[1])], &states);
    let done = render(ONE, &record, &[]);
    assert_eq!(done.code, 0, "{}", done.said);
    assert!(done.said.contains("NBC401"), "{}", done.said);
    let page = done.page();
    let held = Held::of(&page);
    for word in ["script", "onerror", "data-slot", "data-widget", "e.x", "nbc-slot\"", " style="] {
        assert!(
            held.contents.iter().all(|it| !it.0.contains(word) && !it.1.contains(word)),
            "{word}"
        );
    }
    assert!(held.shown("2", &[(0, 400)]).unwrap().contains("<p>400</p>"));
    let strict = render(ONE, &record, &["--strict-sanitize"]);
    assert_eq!(strict.code, 1, "{}", strict.said);
}

#[test]
fn what_looks_like_a_secret_in_a_state_stops_the_page() {
    let token = ["ghp_", "Zk3bT9xQ1mW7cV5rL8nP2sD4fG6hJ0aYeU9i"].concat();
    let shows = |text: &str| state(&[("a-0", 1)], &json!({"1": printed(text)}));
    let done = render(ONE, &one(&[slider("a-0", 3, &[1])], &[shows(&token)]), &[]);
    assert_eq!(done.code, 1, "{}", done.said);
    assert!(done.said.contains("NBC420") && !done.said.contains(&token), "{}", done.said);
    // In two pieces of markup, which readers see as one.
    let (head, tail) = token.split_at(20);
    let html = format!("<p>{head}<b></b>{tail}</p>");
    let hidden = state(&[("a-0", 1)], &json!({"1": marked_up(&html)}));
    let done = render(ONE, &one(&[slider("a-0", 3, &[1])], &[hidden]), &[]);
    assert_eq!(done.code, 1, "{}", done.said);
    let mut labelled = slider("a-0", 3, &[1]);
    labelled["labels"][2] = json!(token);
    let done = render(ONE, &one(&[labelled], &[shows("x")]), &[]);
    assert_eq!(done.code, 1, "{}", done.said);
}

#[test]
fn in_a_site_large_contents_are_files_that_the_page_may_fetch() {
    let picture = |seed: u64| {
        // Digits that do not compress.
        let mut state = seed + 1;
        let digits = (0..60_000).map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            char::from(b'a' + (state >> 33) as u8 % 26)
        });
        digits.collect::<String>()
    };
    let states: Vec<Value> = (1..20)
        .map(|it| state(&[("a-0", it as usize)], &json!({"1": printed(&picture(it))})))
        .collect();
    let record = one(&[slider("a-0", 20, &[1])], &states);
    let site = render(ONE, &record, &["--layout", "site"]);
    assert_eq!(site.code, 0, "{}", site.said);
    let page = site.page().replace("&#39;", "'");
    assert!(page.contains("connect-src 'self';"), "{page}");
    assert!(page.contains("data-states=\"0\" data-src=\"assets/states."), "{page}");
    let model = page.split("data-states=\"model\">").nth(1).unwrap().split('<').next().unwrap();
    let packed = base64::engine::general_purpose::STANDARD.decode(model).unwrap();
    let chunks = unpack(&packed)["chunks"].as_array().unwrap().len();
    assert_eq!(page.matches("data-src=\"assets/states.").count(), chunks);
    assert!(chunks > 1, "{chunks}");
    let file = page.split("data-src=\"").nth(1).unwrap().split('"').next().unwrap();
    let bytes = fs_err::read(site.test.path("out").join(file)).unwrap();
    assert_eq!(
        unpack(&bytes).as_array().unwrap()[0][0].as_str().unwrap().matches("nbc-out-s2").count(),
        1
    );
    let single = render(ONE, &record, &["--layout", "single"]);
    assert_eq!(single.code, 0, "{}", single.said);
    assert!(!single.page().contains("data-src"));
}

fn charted(bundle: &Value) -> Value {
    json!({"status": {"kind": "finished"}, "outputs": [
        {"kind": "display", "bundle": {"data": bundle, "metadata": {}}}]})
}

fn lines(rows: usize) -> Value {
    let values: Vec<Value> = (0..rows).map(|it| json!({"a": it})).collect();
    json!({"application/vnd.vegalite.v6+json": {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "data": {"values": values}, "mark": "line", "title": format!("{rows} rows"),
        "encoding": {"x": {"field": "a", "type": "quantitative"}}}})
}

fn bars(count: usize) -> Value {
    let figure = json!({"data": [{"type": "bar", "y": [count]}], "layout": {"title": "</script>"}});
    json!({"application/vnd.plotly.v1+json": figure})
}

#[test]
fn charts_of_states_are_data_and_the_page_has_what_draws_them() {
    // A build fetches the runtimes, which a page is then rendered with.
    let outputs = [lines(1), bars(1)]
        .map(|data| json!({"output_type": "display_data", "metadata": {}, "data": data}));
    let cell = code_cell("f()", &json!(outputs));
    let test = NbcTest::new(&[("n.ipynb", &notebook(&json!([cell])))]);
    let mut build = test.nbc(&["build", "n.ipynb", "-o", "out"]);
    let built = said(build.env_remove("NBC_NO_CACHE"));
    assert_eq!(built.code, 0, "{}", built.stderr);

    // The first paint has no chart; a fork has no picture of one.
    let states = [
        state(&[("a-0", 1)], &json!({"1": charted(&lines(1))})),
        state(&[("a-0", 2)], &json!({"1": charted(&lines(2))})),
        state(&[("a-0", 3)], &json!({"1": charted(&bars(3))})),
    ];
    let record = one(&[slider("a-0", 4, &[1])], &states);
    let done = render(ONE, &record, &[]);
    assert_eq!(done.code, 0, "{}", done.said);
    let page = done.page();
    for part in [
        "data-runtime=\"vega\"",
        "data-runtime=\"plotly\"",
        "trusted-types nbc nbc-states\"",
        "img-src data: blob:",
    ] {
        assert!(page.replace("&#39;", "'").contains(part), "{part}");
    }
    assert!(!page.contains("<figure"), "{page}");
    let held = Held::of(&page);
    for (value, (kind, label)) in
        [("vega", "1 rows"), ("vega", "2 rows"), ("plotly", "")].iter().enumerate()
    {
        let html = held.shown("2", &[(0, value + 1)]).unwrap();
        assert!(html.contains(&format!("data-chart=\"{kind}\"")) && html.contains(label), "{html}");
        let at = held.contents.iter().position(|it| it.0 == html).unwrap();
        let [(id, data)] = held.charts[at].as_slice() else { panic!("{:?}", held.charts) };
        assert!(html.contains(&format!("id=\"{id}\"")) && id.starts_with("o-s2-"), "{id}");
        match *kind {
            "vega" => {
                assert_eq!(data["spec"]["data"]["values"].as_array().unwrap().len(), value + 1);
            }
            _ => assert_eq!(data["data"][0]["y"], json!([3])),
        }
    }
    assert!(!done.said.contains("NBC402"), "{}", done.said);
    assert_eq!(page, render(ONE, &record, &[]).page());

    // A note stands in place of a chart whose runtime is missing.
    let empty = tempfile::tempdir().unwrap();
    for done in [
        render_with(ONE, &record, &[], Some(empty.path())),
        render(ONE, &record, &["--charts", "static"]),
    ] {
        assert_eq!(done.code, 0, "{}", done.said);
        let held = Held::of(&done.page());
        let html = held.shown("2", &[(0, 2)]).unwrap();
        assert!(html.contains("nbc-note") && !html.contains("data-chart"), "{html}");
        assert!(held.charts.iter().all(Vec::is_empty) && !done.page().contains("data-runtime"));
        assert!(done.said.contains("NBC402"), "{}", done.said);
    }

    // A chart that the build could not draw for the value of the run is drawn for none.
    let mut undrawn = record.clone();
    undrawn["cells"]["1"] = charted(&lines(9));
    let held = Held::of(&render(ONE, &undrawn, &[]).page());
    assert!(!held.shown("2", &[(0, 1)]).unwrap().contains("data-chart"));
    assert!(held.shown("2", &[(0, 3)]).unwrap().contains("data-chart=\"plotly\""));

    // Data of a chart is searched like everything else.
    let token = ["ghp_", "Zk3bT9xQ1mW7cV5rL8nP2sD4fG6hJ0aYeU9i"].concat();
    let mut told = lines(1);
    told["application/vnd.vegalite.v6+json"]["data"] = json!({"url": format!(
        "data:text/csv;base64,{}",
        base64::engine::general_purpose::STANDARD.encode(format!("a,b\n{token},1\n"))
    )});
    let states = [state(&[("a-0", 1)], &json!({"1": charted(&told)}))];
    let done = render(ONE, &one(&[slider("a-0", 2, &[1])], &states), &[]);
    assert!(done.code == 1 && done.said.contains("NBC420"), "{}", done.said);
}
