//! No notebook talks over its page: live regions, alerts and dialogs are gone from whatever marimo, IPython and
//! ipywidgets make of a notebook's words, in executed notebooks.
//!
//! `NBC_TEST_PYTHON` names an interpreter with these packages, which `tests/run.sh` makes.

#![cfg(target_os = "linux")]
use test_support::{NbcTest, code_cell};

/// Words that a screen reader would say unasked, in each way that HTML, SVG and ARIA have for it.
const LOUD: &str = r#"loud = (
    '<p aria-live="assertive" aria-atomic="true" aria-relevant="all">over the page</p>'
    '<div ROLE="Alert">over the page</div><div role="note status">over the page</div>'
    '<div role=log aria-busy=true>over the page</div><div role="&#116;imer">over the page</div>'
    '<div role="marquee">over the page</div><div role="alertdialog" aria-modal="true">over the page</div>'
    '<div role="application" aria-label="Sign in">over the page</div><div role="dialog">over the page</div>'
    '<div role="main" aria-label="The page">over the page</div><div role="banner">over the page</div>'
    '<output>over the page</output><marquee>over the page</marquee><dialog open>over the page</dialog>'
    '<svg width="9" height="9" role="alert"><text y="9" aria-live="polite" role="status">over the page</text></svg>'
    '<p aria&#45;live="polite" accesskey="s" autofocus contenteditable popover>over the page</p>'
)
out = '"><p role="alert" aria-live="polite">over the page</p><i class="'
"#;

/// Expressions of marimo with the words as content, label, key, option, title.
const MARIMO: &[&str] = &[
    "mo.Html(loud)",
    "mo.md(loud)",
    "mo.callout(mo.Html(loud), kind='danger')",
    "mo.callout(loud)",
    "mo.accordion({loud: mo.Html(loud), out: mo.md(loud)})",
    "mo.ui.tabs({loud: mo.Html(loud), out: loud})",
    "mo.hstack([mo.Html(loud), loud])",
    "mo.carousel([mo.Html(loud), loud])",
    "mo.nav_menu({'#a': loud, out: {'#b': out}})",
    "mo.stat(value=loud, label=loud, caption=out)",
    "mo.tree([loud, {out: mo.Html(loud)}], label=loud)",
    "mo.json({'a': loud})",
    "mo.image(b'x', alt=out)",
    "mo.download(b'a', filename='a.txt', label=loud)",
    "mo.mermaid('graph LR\\n  A[' + 'over the page' + ']')",
    "mo.as_html({'a': loud})",
    "mo.plain_text(loud)",
    "mo.iframe(loud)",
    "mo.sidebar([mo.Html(loud)])",
    "mo.ui.slider(1, 5, label=loud)",
    "mo.ui.range_slider(1, 5, label=out)",
    "mo.ui.number(1, 5, label=loud)",
    "mo.ui.text(label=loud, placeholder=out)",
    "mo.ui.text_area(label=loud, placeholder=out)",
    "mo.ui.checkbox(label=loud)",
    "mo.ui.switch(label=loud)",
    "mo.ui.dropdown([loud, out], value=loud, label=loud)",
    "mo.ui.multiselect([loud, out], label=loud)",
    "mo.ui.radio([loud, out], value=out, label=loud)",
    "mo.ui.button(label=loud, tooltip=out)",
    "mo.ui.run_button(label=loud, tooltip=out)",
    "mo.ui.date(label=loud)",
    "mo.ui.file(label=loud)",
    "mo.ui.code_editor('x', label=loud, placeholder=out)",
    "mo.ui.table([{loud: mo.Html(loud), 'b': loud}], label=loud)",
    "mo.ui.array([mo.ui.checkbox(label=loud)], label=loud)",
    "mo.ui.dictionary({loud: mo.ui.checkbox(label=out)}, label=loud)",
    "mo.ui.text(label=loud).form(submit_button_label=loud, submit_button_tooltip=out)",
    "mo.ui.chat(lambda messages: loud, prompts=[loud])",
    "mo.status.spinner(title=loud, subtitle=out)",
];

/// Statements of a Jupyter notebook.
const JUPYTER: &[&str] = &[
    "display(HTML(loud))",
    "display(Markdown(loud))",
    "display(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"alert\"><text aria-live=\"polite\">over the page</text></svg>'))",
    "display({'text/html': loud, 'text/plain': loud}, raw=True)",
    "display({'text/markdown': loud}, raw=True)",
    "display({'application/json': {loud: out}}, raw=True)",
    "display({'text/latex': '$x$ ' + loud}, raw=True)",
    "display(w.HTML(value=loud, description=loud, description_allow_html=True))",
    "display(w.HTMLMath(value=loud, description=out))",
    "display(w.Label(value=loud))",
    "display(w.Button(description=loud, tooltip=out))",
    "display(w.ToggleButton(description=loud, tooltip=out))",
    "display(w.ToggleButtons(options=[loud, out], tooltips=[out, loud], description=loud))",
    "display(w.IntSlider(description=loud, description_allow_html=True, tooltip=out))",
    "display(w.FloatRangeSlider(description=loud, description_allow_html=True))",
    "display(w.SelectionSlider(options=[loud, out], description=loud))",
    "display(w.Dropdown(options=[loud, out], description=loud, description_allow_html=True))",
    "display(w.RadioButtons(options=[loud, out], description=loud))",
    "display(w.Select(options=[loud, out], description=loud))",
    "display(w.Text(value=loud, placeholder=out, description=loud, description_allow_html=True))",
    "display(w.Textarea(value=loud, placeholder=out, description=loud))",
    "display(w.Checkbox(description=loud, description_allow_html=True))",
    "display(w.Valid(value=False, description=loud, readout=out))",
    "display(w.IntProgress(value=3, description=loud, description_allow_html=True))",
    "display(w.Accordion(children=[w.HTML(loud), w.Label(out)], titles=[loud, out]))",
    "display(w.Tab(children=[w.HTML(loud), w.Label(out)], titles=[loud, out]))",
    "display(w.VBox([w.HTML(loud), w.HBox([w.Label(loud)])]))",
    "display(w.Box([w.HTML(loud)], layout=w.Layout(display='flex')))",
    "pd.DataFrame({loud: [loud], 'b': [out]})",
    "pd.DataFrame({'a': [loud]}).style.set_table_attributes('role=\"alert\" aria-live=\"polite\"').set_caption(loud)",
    "pd.DataFrame({'a': [loud]}).to_html(escape=False)",
    "HTML(pd.DataFrame({'a': [loud]}).to_html(escape=False, border=0))",
    "raise_nothing = print(loud)",
];

fn marimo() -> String {
    let mut cells = vec![format!("import marimo as mo\n{LOUD}")];
    cells.extend(MARIMO.iter().map(|&it| it.to_owned()));
    let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
    let text = test_support::marimo(&cells);
    text.replacen("marimo.App()", "marimo.App(app_title='A <p role=alert>')", 1)
}

fn jupyter() -> String {
    let start = "import ipywidgets as w, pandas as pd\n\
                 from IPython.display import display, HTML, Markdown, SVG\n";
    let prose = "# Over <b role=alert>the</b> page\n\n<div aria-live=assertive role=status>over the page</div>\n\n\
                 over the page <span role=\"alert\">over the page</span>";
    let none = serde_json::json!([]);
    let mut cells = vec![
        serde_json::json!({"cell_type": "markdown", "metadata": {}, "source": prose}),
        serde_json::json!({
            "cell_type": "raw", "metadata": {"raw_mimetype": "text/html"},
            "source": "<div role=alert aria-live=polite>over the page</div>",
        }),
        code_cell(&format!("{start}{LOUD}"), &none),
    ];
    cells.extend(JUPYTER.iter().map(|it| code_cell(it, &none)));
    test_support::notebook(&cells.into())
}

/// Tags of a page that speak unasked, claim the page, or take its keys.
fn talking(page: &str) -> Vec<&str> {
    const NAMES: [&str; 12] = [
        " aria-live",
        " aria-atomic",
        " aria-relevant",
        " aria-modal",
        " aria-busy",
        " accesskey",
        " autofocus",
        " contenteditable",
        " popover",
        "<output",
        "<marquee",
        "<dialog",
    ];
    const ROLES: [&str; 11] = [
        "alert",
        "alertdialog",
        "application",
        "banner",
        "contentinfo",
        "dialog",
        "log",
        "main",
        "marquee",
        "status",
        "timer",
    ];
    let tags = page.match_indices('<').filter_map(|(at, _)| {
        let rest = page.get(at..)?;
        let tag = rest.get(..=rest.find('>')?)?;
        tag.as_bytes().get(1).is_some_and(u8::is_ascii_alphabetic).then_some(tag)
    });
    tags.filter(|tag| {
        let tag = tag.to_ascii_lowercase();
        // Words in quotes are what readers see; only names of attributes count.
        let bare: String = tag.split('"').step_by(2).collect::<Vec<_>>().join("\"");
        let role = tag.split_once(" role=\"").and_then(|(_, it)| it.split('"').next());
        NAMES.iter().any(|it| bare.contains(it))
            || role.is_some_and(|it| it.split_whitespace().any(|it| ROLES.contains(&it)))
    })
    .collect()
}

fn quiet_page(name: &str, notebook: &str, layout: &str) -> String {
    let test = NbcTest::new(&[(name, notebook)]);
    let said = test.run(&[
        "build",
        name,
        "-o",
        "out",
        "--layout",
        layout,
        "--code",
        "shown",
        "--isolation",
        "best-effort",
    ]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let page = test.read("out/n.html");
    // The words are there, in many places, and say nothing unasked.
    assert!(page.matches("over the page").count() > 100, "{page}");
    page
}

#[test]
fn tags_that_talk_are_found() {
    for loud in ["<p aria-live=\"x\">", "<P ROLE=\"note Alert\">", "<output>", "<svg role=\"log\">"]
    {
        assert_eq!(talking(&format!("a {loud} b")), [loud]);
    }
    assert!(
        talking("<p title=\" aria-live \" role=\"note\">&lt;p role=\"alert\"&gt;</p>").is_empty()
    );
}

#[test]
fn elements_of_marimo_do_not_talk_over_the_page() {
    for layout in ["single", "site"] {
        let page = quiet_page("n.py", &marimo(), layout);
        assert_eq!(talking(&page), Vec::<&str>::new());
    }
}

#[test]
fn outputs_and_widgets_of_jupyter_do_not_talk_over_the_page() {
    for layout in ["single", "site"] {
        let page = quiet_page("n.ipynb", &jupyter(), layout);
        assert_eq!(talking(&page), Vec::<&str>::new());
    }
}
