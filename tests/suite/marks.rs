//! Marks of other tools that a page shows as they are written: one finding a kind, and none where they are text.

use serde_json::json;

use crate::check;

/// The findings, each with its line.
fn told(path: &str, text: &str) -> Vec<String> {
    let checked = check(path, text);
    let about = |it: &&nbc::diagnostic::Diagnostic| it.code.number() == "NBC113";
    let found = checked.diagnostics.iter().filter(about).map(|it| {
        let line = checked.sources.get(it.span.source).line_column(it.span.start).line;
        format!("{line}: {}", it.message)
    });
    found.collect()
}

fn jupyter(source: &str) -> Vec<String> {
    let cell = json!({"cell_type": "markdown", "metadata": {}, "source": source});
    told("a.ipynb", &json!({"nbformat": 4, "metadata": {}, "cells": [cell]}).to_string())
}

#[test]
fn each_kind_of_quarto_is_told_once_at_its_first_line() {
    let text = "# Title {#sec-a .unnumbered}\n\n::: {.callout-note}\nA note.\n:::\n\n::: {.column}\n:::\n\n\
        See @fig-line and [@key, p. 3]. A [span]{.mark}.\n\n{{< video x.mp4 >}}\n\nValue `{python} x`, a note^[It is\nhere], H~2~O.\n\n\
        Term\n:   Its meaning\n\n|a|\n|-|\n|1|\n\n: Caption {#tbl-a}\n\n```{=html}\n<b>\n```\n\n```{r}\n1\n```\n\n\
        (@) Example\n\n@other says.\n\n```{python}\n#| fig-cap: \"A: b\"\n#| tbl-cap: t\n1\n```\n";
    insta::assert_snapshot!(told("a.qmd", text).join("\n"), @r##"
    1: attributes (`{.class}`, `{#id}`, `{key=value}`) are not understood yet, and shown as they are written; the first of 2 lines
    3: divs (`:::`) are not understood yet, and shown as they are written; the first of 2 lines
    10: citations (`[@key]`) are not understood yet, and shown as they are written; the first of 2 lines
    10: cross-references (`@fig-name`) are not understood yet, and shown as they are written
    12: shortcodes (`{{< name >}}`) are not understood yet, and shown as they are written
    14: inline expressions (`` `{python} x` ``) are not understood yet, and shown as they are written
    14: inline footnotes (`^[text]`) are not understood yet, and shown as they are written
    15: subscripts and superscripts (`H~2~O`, `x^2^`) are not understood yet, and shown as they are written
    18: definition lists (`:   text`) are not understood yet, and shown as they are written
    24: captions of tables (`: text`) are not understood yet, and shown as they are written
    26: raw blocks (```` ```{=html} ````) are not understood yet, and shown as they are written
    30: cells that do not run: in another language, in a list or in a quote (`r`)
    34: numbered examples (`(@)`) are not understood yet, and shown as they are written
    39: options of cells (`fig-cap`, `tbl-cap`) are not followed yet
    "##);
}

#[test]
fn each_kind_of_myst_is_told_once_at_its_first_line() {
    let text = "---\njupytext: {}\n---\n(start)=\n# Title\n\n```{note}\nA note.\n```\n\n:::{tip}\nA tip.\n:::\n\n\
        See {ref}`start` and {my-role}`x`, {{ name }}.\n\n{.class}\n- a\n\n```{code-cell} julia\n1\n```\n";
    insta::assert_snapshot!(told("a.md", text).join("\n"), @r##"
    4: targets (`(name)=`) are not understood yet, and shown as they are written
    7: directives (```` ```{name} ````) are not understood yet, and shown as they are written; the first of 2 lines
    15: roles (``{name}`text` ``) are not understood yet, and shown as they are written
    15: substitutions (`{{ name }}`) are not understood yet, and shown as they are written
    17: attributes (`{.class}`, `{#id}`, `{key=value}`) are not understood yet, and shown as they are written
    20: cells that do not run: in another language, in a list or in a quote (`code-cell`)
    "##);
}

#[test]
fn tables_and_lines_that_only_pandoc_reads_are_told() {
    let text = "+---+---+\n| a | b |\n+===+===+\n\n  Right     Left\n-------  -------\n     12       12\n\n| A line\n|   and one\n\n\
        | a | b |\n|---|---|\n| 1 | 2 |\n\n---\n\n- - -\n";
    insta::assert_snapshot!(told("a.qmd", text).join("\n"), @r"
    1: tables drawn in lines of `-` (`+---+`, `--- ---`) are not understood yet, and shown as they are written; the first of 3 lines
    9: line blocks (`| text`) are not understood yet, and shown as they are written; the first of 2 lines
    ");
    assert_eq!(jupyter(text), [""; 0]);
    let text = "---\njupytext: {}\n---\nTerm\n: Its meaning\n";
    assert_eq!(told("a.md", text).len(), 1);
}

#[test]
fn in_a_plain_notebook_only_marks_count_that_are_nothing_else() {
    let marks = "```{note}\nA note.\n```\n\n:::{tip}\nA tip.\n:::\n\n::: {.callout-note}\nB\n:::\n\nSee {ref}`start` and `{python} x`.\n\n\
        (start)=\n{{< include a.qmd >}}";
    insta::assert_snapshot!(jupyter(marks).join("\n"), @r##"
    1: directives (```` ```{name} ````) are not understood yet, and shown as they are written; the first of 2 lines
    9: divs (`:::`) are not understood yet, and shown as they are written
    13: inline expressions (`` `{python} x` ``) are not understood yet, and shown as they are written
    13: roles (``{name}`text` ``) are not understood yet, and shown as they are written
    15: targets (`(name)=`) are not understood yet, and shown as they are written
    16: shortcodes (`{{< name >}}`) are not understood yet, and shown as they are written
    "##);
    for text in [
        "Ask @somebody or me@example.org, see [@here](x). Price^[1], H~2~O, 2^10^.",
        "Write `::: {.note}` or ``{ref}`x` ``, and `` {ref}`x` ``.",
        "```\n::: {.note}\n{{< video >}}\n```\n\n```{r}\n1\n```\n\n```{.python}\n1\n```",
        "$\\frac{a}{b}`x`$ \\texttt{a}`b` and {x}`y`, {{ jinja }} {{< hugo >}}.",
        "<!--\n:::{note}\n-->\n\nTerm\n: text\n\n| a |\n\n: b",
        "a ::: b\n\n:::\n\n::: a b c\n\n[x](y){target=_blank}",
        "$$\n{ref}`x`\n$$",
    ] {
        assert_eq!(jupyter(text), [""; 0], "{text}");
    }
}

#[test]
fn text_that_is_hidden_and_marks_that_are_understood_are_not_told() {
    let text = "::: {.content-hidden}\n::: {.callout-note}\n@fig-a {{< x >}}\n:::\n:::\n\n::: {.content-visible}\nSeen.\n:::\n";
    assert_eq!(told("a.qmd", text), [""; 0]);
    let checked = check("a.qmd", text).notebook.expect("a notebook");
    assert_eq!(&*checked.cells[0].code, "\nSeen.\n");
    assert!(checked.cells[0].options.is_withheld);
}

#[test]
fn a_notebook_of_marimo_is_not_asked() {
    assert_eq!(told("a.md", "::: {.note}\n\n```python {.marimo}\nx = 1\n```\n"), [""; 0]);
}

#[test]
fn a_cell_of_another_language_whose_code_is_hidden_is_told() {
    let text = "---\nexecute: {echo: false}\n---\n\n```{mermaid}\ngraph TD\n```\n\n```{dot}\na -> b\n```\n";
    insta::assert_snapshot!(told("a.qmd", text).join("\n"), @"5: cells that do not run: in another language, in a list or in a quote (`mermaid`); the first of 2 lines");
}
