//! Formulas in prose of notebooks, as MathJax shows them in Jupyter.

use nbc::diagnostic::Diagnostic;
use nbc::output::{self, OutputPosition};
use nbc::sanitize::Heading;
use serde_json::json;

use crate::{Checked, check};

/// The prose of a page.
struct Prose {
    /// Markup of each cell.
    html: Vec<String>,
    /// What a reader sees of each cell, formulas without their markup.
    text: Vec<String>,
    headings: Vec<Heading>,
    /// Findings in the concise format.
    said: String,
}

/// Renders the Markdown cells of a notebook as those of one page.
fn prose(cells: &[&str]) -> Prose {
    let cells: Vec<_> = cells
        .iter()
        .map(|it| json!({"cell_type": "markdown", "metadata": {}, "source": it}))
        .collect();
    let text = json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells});
    let Checked { sources, notebook, .. } = check("a.ipynb", &text.to_string());
    let notebook = notebook.expect("a notebook");
    let scopes = (1..).map(|it| format!("c{it}"));
    let read = scopes.clone().zip(notebook.cells.iter().map(|it| &*it.code));
    let mathematics = output::Mathematics::read(read, output::Rule::Jupyter);
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    let mut prose =
        Prose { html: Vec::new(), text: Vec::new(), headings: Vec::new(), said: String::new() };
    for (scope, cell) in scopes.zip(&notebook.cells) {
        let place = OutputPosition { span: cell.head(), scope: &scope };
        let none = serde_json::Map::new();
        let lines = |line| cell.line_span(line);
        let parsed = output::markdown(&cell.code, &none, None, &mathematics, &place, &lines);
        diagnostics.extend(parsed.diagnostics);
        let html = parsed.value.output.html.as_str().to_owned();
        prose.text.push(visible(&html));
        prose.html.push(html);
        prose.headings.extend(parsed.value.headings);
    }
    use nbc::diagnostic::render::{Format, render};
    let concise = render(&diagnostics, &sources, Format::Concise, false);
    Prose { said: concise.as_str().to_owned(), ..prose }
}

/// Text without tags; each formula is between `⟨` and `⟩`.
fn visible(html: &str) -> String {
    let html =
        html.replace("<math", "⟨<math").replace("</math>", "</math>⟩").replace("</td>", " </td>");
    let mut text = String::new();
    let mut in_tag = false;
    for character in html.chars() {
        match character {
            '<' => in_tag = true,
            '>' => in_tag = false,
            _ if in_tag => {}
            _ => text.push(character),
        }
    }
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The visible text of one cell about which nothing is said.
fn one(markdown: &str) -> String {
    let prose = prose(&[markdown]);
    assert_eq!(prose.said, "", "{markdown}");
    prose.text.join("")
}

#[test]
fn jupyters_delimiters_are_understood() {
    for (markdown, expected) in [
        ("let $ x $, $y $ and $ z$ be", "let ⟨x⟩, ⟨y⟩ and ⟨z⟩ be"),
        ("a \\\\(x\\\\) b \\\\[y\\\\] c", "a ⟨x⟩ b ⟨y⟩ c"),
        ("a $$\nx\n$$ b", "a ⟨x⟩ b"),
        ("so \\begin{align}x\\end{align} ends", "so ⟨x⟩(1) ends"),
        ("- item\n  \\begin{align*}x\\end{align*}\n- next", "item ⟨x⟩ next"),
        ("*$x$* and **b $y$**, [see $z$](https://a.example)", "⟨x⟩ and b ⟨y⟩, see ⟨z⟩"),
        ("> quoted $$\n> x\n> $$", "quoted ⟨x⟩"),
        ("`$x$` and\n\n```\n$y$\n```\n\n    $z$", "$x$ and $y$ $z$"),
        ("It costs $5 and $6, or \\\\$7 or \\$8.", "It costs $5 and $6, or $7 or $8."),
        ("$a_1$ and $b_2$, $\\text{a_b}$, $c*d*e$", "⟨a1⟩ and ⟨b2⟩, ⟨a_b⟩, ⟨c∗d∗e⟩"),
    ] {
        assert_eq!(one(markdown), expected, "{markdown}");
    }
}

#[test]
fn formulas_stand_in_tables_and_in_html() {
    let table = "| a | b |\n|---|---|\n| $P(A \\| B)$ | $|z|$ |";
    assert_eq!(one(table), "ab ⟨P(A∣B)⟩ ⟨∣z∣⟩");
    let html =
        "<p>a $x$</p>\n\n<table><tr><td title=\"$5\">$y$</td></tr></table> <b>\\\\(z\\\\)</b>";
    assert_eq!(one(html), "a ⟨x⟩ ⟨y⟩ ⟨z⟩");
    assert_eq!(one("<pre>$x$</pre> and <code>$y$</code>"), "$x$ and $y$");
    let heading = prose(&["# Of $x^2$ alone"]);
    assert_eq!(heading.text, ["Of ⟨x2⟩ alone"]);
    assert_eq!(heading.headings.len(), 1);
}

#[test]
fn macros_hold_for_the_rest_of_the_page_and_show_nothing() {
    let prose = prose(&[
        "before $\\E$",
        "$$\n\\newcommand{\\E}{\\mathbb{E}}\n\\DeclareMathOperator{\\Var}{Var}\n$$",
        "$\\E[x]$ and $\\def\\p#1{#1^2}$",
        "\\begin{align*}\\Var \\p{x}\\end{align*}",
        "$\\let\\q=\\p \\renewcommand{\\p}[1]{y} \\q{x}\\p{x}$",
    ]);
    assert_eq!(
        prose.text[1..],
        ["", "⟨E[x]⟩ and", "⟨Var⁡x2⟩", "⟨x2y⟩"].map(|it| it.replace("E", "𝔼"))
    );
    assert_eq!(prose.said.matches("NBC416").count(), 1, "{}", prose.said);
}

#[test]
fn commands_of_mathjax_are_drawn() {
    for (tex, expected) in [
        ("\\ce{2H2 + O2 -> 2H2O}, \\pu{3 m/s}", "2 H2+O2⟶2 H2O,3&nbsp;m/s"),
        ("\\enclose{box}{x}\\bbox[yellow]{y}\\style{color:red}{z}\\class{a}{u}", "xyzu"),
        ("\\sideset{_a}{^b}\\sum_x", "∑a \u{2063}∑bx"),
        ("\\upalpha\\textdollar\\ketbra{0}{1}", "α$∣0⟩⟨1∣"),
        ("\\DeclarePairedDelimiter{\\abs}{\\lvert}{\\rvert}\\abs{x}", "∣x∣"),
        ("\\newenvironment{e}{[}{]}\\begin{e}a\\end{e}", "[a]"),
        ("\\begin{psmallmatrix}a&b\\end{psmallmatrix}", "(ab)"),
        ("a\\overset{!}{=}b, \\vec{x}", "a=!b,x→"),
    ] {
        assert_eq!(one(&format!("${tex}$")), format!("⟨{expected}⟩"), "{tex}");
    }
    assert_eq!(one("1. \\$$ x $\\$\n2. $1 - F(5)$ is"), "⟨x⟩ ⟨1−F(5)⟩ is");
    for told in ["\\ce{A ~ B}", "\\enclose{longdiv}{x}", "a \\middle| b", "\\edef\\a{x}"] {
        assert_eq!(prose(&[&format!("${told}$")]).said.matches("NBC416").count(), 1, "{told}");
    }
}

#[test]
fn numbers_of_rows_stand_apart() {
    let prose = prose(&["\\begin{align}a&=b\\\\c&=d\\notag\\\\e\\end{align}"]);
    assert_eq!(prose.html[0].matches("x-math-number\"").count(), 2, "{}", prose.html[0]);
    assert_eq!(prose.html[0].matches("x-math-margin\"").count(), 3, "{}", prose.html[0]);
    assert!(prose.html[0].contains("x-math-with-rows"), "{}", prose.html[0]);
}

#[test]
fn equations_have_numbers_and_links_lead_to_them() {
    let prose = prose(&[
        "\\begin{equation}\\label{one}a\\end{equation} and $$b \\tag{B}\\label{two}$$",
        "By \\eqref{one}, $\\eqref{two}$, \\ref{three} and [this](https://a.example):",
        "\\begin{align}c\\notag\\\\d\\label{three}\\end{align}",
        "\\eqref{lost}",
    ]);
    assert_eq!(prose.text[0], "⟨a⟩(1) and ⟨b⟩(B)");
    assert_eq!(prose.text[1], "By (1), (B), 2 and this:");
    assert!(prose.text[2].contains("(2)"), "{:?}", prose.text);
    for (label, cell) in [("one", 0), ("two", 0), ("three", 2)] {
        let (id, address) = (format!("-equation-{label}\""), format!("href=\"#equation-{label}\""));
        assert!(prose.html[cell].contains(&id), "{id}: {}", prose.html[cell]);
        assert!(prose.html[1].contains(&address), "{address}: {}", prose.html[1]);
    }
    assert!(
        prose.said.contains("a.ipynb:cell 4:1:1") && prose.said.contains("`lost`"),
        "{}",
        prose.said
    );
}

#[test]
fn a_formula_that_cannot_be_drawn_is_shown_as_its_source_and_told_at_its_line() {
    let prose = prose(&["Text\n\nand $x$, $\\nosuchcommand{y}$\n\n$$\\frac{$$", "$z$"]);
    let lines: Vec<_> = prose.said.lines().collect();
    assert_eq!(lines.len(), 2, "{}", prose.said);
    assert!(lines[0].starts_with("a.ipynb:cell 1:3:1: warning[NBC416]"), "{}", prose.said);
    assert!(lines[0].contains("`$\\nosuchcommand{y}$`"), "{}", prose.said);
    assert!(lines[1].starts_with("a.ipynb:cell 1:5:1: warning[NBC416]"), "{}", prose.said);
    assert!(prose.html[0].contains("x-math-source"), "{}", prose.html[0]);
    assert_eq!(prose.text[0], "Text and ⟨x⟩, $\\nosuchcommand{y}$ $$\\frac{$$");
}

#[test]
fn a_formula_may_be_a_link_to_where_prose_may_lead() {
    let prose = prose(&["$\\href{https://a.example/\\#b}{x}$ $\\href{javascript:alert(1)}{y}$"]);
    assert_eq!(prose.text, ["⟨x⟩ ⟨y⟩"]);
    assert!(prose.html[0].contains("href=\"https://a.example/#b\""), "{}", prose.html[0]);
    assert!(!prose.html[0].contains("javascript"), "{}", prose.html[0]);
}

#[test]
fn macro_bombs_and_megabytes_of_tex_are_bounded_and_told() {
    let started = std::time::Instant::now();
    let bomb = "$\\def\\a#1{#1#1}\\def\\b#1{\\a{\\a{\\a{\\a{#1}}}}}\\b{\\b{\\b{\\b{x}}}}$";
    for (markdown, least) in [
        (bomb.to_owned(), 1),
        ("$\\def\\a{\\a\\a}\\a$".to_owned(), 1),
        (format!("$\\def\\a{{{}}}$", "x".repeat(3_000)) + &" $\\a\\a\\a\\a$".repeat(2_000), 32),
        (format!("{bomb} ").repeat(1_000), 32),
        (format!("$${}$$", "x+".repeat(500_000)), 1),
        (format!("$${}$$", "{".repeat(500_000)), 1),
        (format!("$${}x{}$$", "\\sideset{}{}{".repeat(1_000), "}".repeat(1_000)), 1),
        (format!("$${}x{}$$", "\\ce{A ->[".repeat(2_000), "] B}".repeat(2_000)), 1),
        (format!("$${}$$", "\\enclose{box}".repeat(1_500)), 1),
        (format!("$${}x{}$$", "\\bbox[red]{".repeat(1_500), "}".repeat(1_500)), 1),
        ("\\$$ x $ ".repeat(100_000), 0),
        (format!("$${}", "\\begin{a}\n\n$$".repeat(50_000)), 0),
    ] {
        let prose = prose(&[&markdown]);
        let told = prose.said.matches("NBC416").count();
        assert!(told >= least, "{told}: {}", &markdown[..50]);
        assert!(prose.html[0].len() < 20_000_000, "{} bytes", prose.html[0].len());
    }
    assert!(started.elapsed().as_secs() < 120, "{:?}", started.elapsed());
}
