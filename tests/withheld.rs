//! Code and text that an author hides or switches off are nowhere in a site, whatever a build asks for.

use serde_json::json;
use test_support::{NbcTest, Said, said};

/// Builds a folder without running anything.
fn build(test: &NbcTest, more: &[&str]) -> Said {
    let fixed = ["build", "in", "-o", "out", "--execute", "never"];
    said(&mut test.nbc(&[&fixed, more].concat()))
}

/// Everything that was written, as one text.
fn written(test: &NbcTest) -> String {
    let files = test.site("out");
    files.values().map(|it| String::from_utf8_lossy(it).into_owned()).collect::<Vec<_>>().join("\n")
}

const SHOWN: [&[&str]; 3] =
    [&[], &["--code", "shown", "--include-source"], &["--layout", "single", "--include-source"]];

/// Checks that words are in the site, and others nowhere in it, whatever a build asks for.
fn check(files: &[(&str, &str)], seen: &[&str], unseen: &[&str]) {
    for flags in SHOWN {
        let test = NbcTest::new(files);
        let built = build(&test, flags);
        assert_eq!(built.code, 0, "{}", built.stderr);
        let site = written(&test);
        for word in seen {
            assert!(site.contains(word), "{flags:?}: {word}\n{site}");
        }
        for word in unseen {
            assert!(!site.contains(word), "{flags:?}: {word}");
        }
        let is_asked = flags.contains(&"--include-source");
        assert_eq!(built.stderr.contains("NBC424"), is_asked, "{}", built.stderr);
    }
}

#[test]
fn code_of_quarto_is_where_its_author_wants_it() {
    let document = "---\ntitle: T\nexecute:\n  echo: false\n---\n\nSeen text.\n\n\
        ```{python}\nsecret_one = 1\n```\n\n```{python}\n#| echo: true\nopen_one = 1\n```\n\n\
        ```{r}\nsecret_two <- 2\n```\n\n- a\n\n    ```{python}\n    secret_three = 3\n    ```\n";
    let braces = "```{python, echo=FALSE}\nsecret_four = 4\n```\n\nSeen too.\n";
    check(
        &[("in/a.qmd", document), ("in/b.qmd", braces)],
        &["Seen text.", "Seen too.", "open_one"],
        &["secret_one", "secret_two", "secret_three", "secret_four"],
    );
}

#[test]
fn front_matter_counts_wherever_it_stands() {
    let body = "\n\n```{python}\nsecret_one = 1\n```\n\nSeen text.\n";
    for head in [
        "---\ntitle: T\nexecute:\n  echo: false\n...",
        "\n\n---\nexecute:\n  echo: false\n---",
        "<!-- c -->\n\n---\nexecute:\n  echo: false\n---",
        "---\ntitle: T\n---\n\ntext\n\n---\nexecute:\n  echo: false\n---",
        "---\nexecute:\n  echo: false\n---\n\n---\nexecute:\n  echo: true\n---",
        "---\nexecute:\n  echo: false\n  echo: true\n---",
        "---\ntitle: T\n...\n\n---\nexecute:\n  echo: [\n---",
    ] {
        check(
            &[("in/a.qmd", &format!("{head}{body}"))],
            &["Seen text."],
            &["secret_one", "execute"],
        );
    }
}

#[test]
fn text_that_is_hidden_by_any_spelling_of_its_class_is_left_out() {
    let head = "---\ntitle: T\nformat: html\n---\n\n";
    for body in [
        "::: {class=\"content-hidden\"}\nsecret_text\n:::\n",
        "a [secret_text]{class=\"content-hidden\"} b\n",
        "<div class=\"content-hidden\">\nsecret_text\n<div>c</div>\nsecret_text\n</div>\n",
        "<div class='x content-hidden'>\n\n```{python}\nsecret_text = 1\n```\n\n</div>\n",
        "a <span class=\"content-hidden\">secret_text <span>secret_text</span></span> b\n",
        "a [`secret_text]`]{.content-hidden} b\n",
        "a [secret_text\\\\]{.content-hidden} b\n",
        "term\n:   ::: {.content-hidden}\n    secret_text\n    :::\n",
        "- ::: {.content-hidden}\n  secret_text\n  :::\n",
        "1. > ::: {.content-hidden}\n   > secret_text\n   > :::\n",
        "<div class=content-visible data-when-format=\"pdf\">\nsecret_text\n</div>\n",
    ] {
        let text = format!(
            "{head}{body}\nSeen text, and `<div class=\"content-hidden\">` as code.\n\nSeen, too.\n"
        );
        check(&[("in/a.qmd", &text)], &["Seen text", "Seen, too."], &["secret_text"]);
    }
}

#[test]
fn metadata_of_percent_cells_are_read_in_every_form() {
    let hidden = |head: &str| {
        format!("# %% {head}\nsecret_one = 1\n\n# %% fit y = a*x {{b}}\nopen_one = 1\n")
    };
    for head in [
        "{\"tags\": [\"remove-input\"]}",
        "title {\"tags\": [\"remove-cell\"]}",
        "[markdown] {\"tags\": [\"remove-cell\"]}",
        "title {'tags': ['remove-cell'],}",
        "tags = [\"remove-input\"]",
        "tags=['remove-input']",
        "a title word tags=['other'] tags=['remove-input',]",
        "tags=('remove-input',)",
        "tags=remove-input",
        "title {\"tags\": [\"remove-cell\"}",
        "echo=False",
    ] {
        check(&[("in/a.py", &hidden(head))], &["open_one"], &["secret_one"]);
    }
}

#[test]
fn a_project_of_quarto_decides_about_all_its_documents() {
    let cell = |source: &str| json!({"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": null});
    let notebook = test_support::notebook(&json!([
        cell("secret_two = 2"),
        cell("#| echo: true\nopen_one = 1")
    ]));
    check(
        &[
            ("in/_quarto.yml", "project: {type: website}\nexecute:\n  echo: false\n"),
            ("in/sub/a.qmd", "# Seen\n\n```{python}\nsecret_one = 1\n```\n"),
            ("in/sub/b.ipynb", &notebook),
            ("in/sub/_part.qmd", "Secret part.\n"),
            ("in/_drafts/c.qmd", "Secret draft.\n"),
        ],
        &["Seen", "open_one"],
        &["secret_one", "secret_two", "Secret part", "Secret draft"],
    );
}

#[test]
fn conditional_text_is_that_of_pages() {
    let document = "---\ntitle: T\n---\n\nSeen first.\n\n::: {.content-hidden when-format=\"html\"}\nSecret one.\n\n\
        ::: {.callout-note}\nSecret two.\n:::\n\n```{python}\nsecret_three = 3\n```\n:::\n\nSeen [secret four]{.content-hidden} second.\n\n\
        :::: {.content-visible when-format=\"pdf\"}\nSecret five.\n::::\n\n::: {.content-visible when-format=\"html\"}\nSeen third.\n:::\n\n\
        ```{.python .content-hidden unless-format=\"pdf\"}\nsecret_six\n```\n\n::: {.hidden}\nSecret seven.\n\n$$\n\\def\\seen{8}\n$$\n:::\n\n$\\seen$\n";
    let cell = |kind: &str, source: &str| json!({"cell_type": kind, "metadata": {}, "source": source, "outputs": [], "execution_count": null});
    let mut cells = json!([
        cell("markdown", "Seen fourth.\n\n::: {.content-hidden}\nSecret eight."),
        cell("code", "secret_nine = 9"),
        cell("markdown", "Secret ten.\n\n:::\n\nSeen fifth."),
    ]);
    for it in cells.as_array_mut().unwrap() {
        if it.get("cell_type").unwrap() == "markdown" {
            it.as_object_mut().unwrap().remove("outputs");
            it.as_object_mut().unwrap().remove("execution_count");
        }
    }
    check(
        &[("in/a.qmd", document), ("in/b.ipynb", &test_support::notebook(&cells))],
        &["Seen first", "Seen", " second", "Seen third", "Seen fourth", "Seen fifth"],
        &[
            "Secret one",
            "Secret two",
            "secret_three",
            "secret four",
            "Secret five",
            "secret_six",
            "Secret seven",
            "Secret eight",
            "secret_nine",
            "Secret ten",
            "content-hidden",
        ],
    );
}

#[test]
fn tags_of_jupyter_books_hide_for_good() {
    let myst = "---\nkernelspec: {name: python3}\n---\n\nSeen.\n\n% secret one\n\n```{code-cell}\n:tags: remove-input\n\nsecret_two = 2\n```\n\n\
        +++ {\"tags\": [\"remove-cell\"]}\n\nSecret three.\n\n+++\n\nSeen again.\n";
    let tagged = json!([
        {"cell_type": "code", "metadata": {"tags": ["remove_input"]}, "source": "secret_four = 4", "execution_count": 1,
         "outputs": [{"output_type": "stream", "name": "stdout", "text": "Seen output.\n"}]},
        {"cell_type": "code", "metadata": {"nbsphinx": "hidden"}, "source": "secret_five = 5", "execution_count": 2,
         "outputs": [{"output_type": "stream", "name": "stdout", "text": "Secret six.\n"}]},
    ]);
    let test = NbcTest::new(&[("a.md", myst)]);
    let fixed =
        ["build", "a.md", "-o", "out", "--execute", "never", "--code", "shown", "--include-source"];
    assert_eq!(said(&mut test.nbc(&fixed)).code, 0);
    let site = written(&test);
    assert!(site.contains("Seen.") && site.contains("Seen again."), "{site}");
    assert!(
        !site.contains("secret_two")
            && !site.contains("secret one")
            && !site.contains("Secret three"),
        "{site}"
    );
    check(
        &[("in/a.ipynb", &test_support::notebook(&tagged))],
        &["Seen output"],
        &["secret_four", "secret_five", "Secret six"],
    );
}

#[test]
fn services_fold_code_that_a_reader_may_ask_for() {
    let cells = json!([
        {"cell_type": "code", "metadata": {"_kg_hide-input": true, "_kg_hide-output": true}, "source": "kaggle = 1",
         "execution_count": 1, "outputs": [{"output_type": "stream", "name": "stdout", "text": "hidden output\n"}]},
        {"cell_type": "code", "metadata": {"cellView": "form"}, "source": "colab = 1", "execution_count": 2,
         "outputs": [{"output_type": "stream", "name": "stdout", "text": "seen output\n"}]},
        {"cell_type": "code", "metadata": {"application/vnd.databricks.v1+cell": {"hideCommandCode": true}},
         "source": "databricks = 1", "execution_count": 3, "outputs": []},
    ]);
    let test = NbcTest::new(&[("in/a.ipynb", &test_support::notebook(&cells))]);
    assert_eq!(build(&test, &[]).code, 0);
    let site = written(&test);
    assert!(site.contains("seen output"), "{site}");
    for word in ["kaggle", "colab", "databricks", "hidden output"] {
        assert!(!site.contains(word), "{word}");
    }
    assert_eq!(build(&test, &["--code", "shown"]).code, 0);
    let site = written(&test);
    assert!(
        site.contains("kaggle") && site.contains("colab") && !site.contains("hidden output"),
        "{site}"
    );
    assert_eq!(site.matches("<details class=\"code-fold\">").count(), 3, "{site}");
}

#[test]
fn warnings_that_an_author_switches_off_are_not_shown() {
    let cell = |options: &str| {
        json!({"cell_type": "code", "metadata": {}, "source": format!("{options}1"), "execution_count": 1,
        "outputs": [{"output_type": "stream", "name": "stderr", "text": "a warning of a library\n"},
                    {"output_type": "stream", "name": "stdout", "text": "printed\n"}]})
    };
    let build_of = |options: &str| {
        let notebook = test_support::notebook(&json!([cell(options)]));
        let test = NbcTest::new(&[("in/a.ipynb", &notebook)]);
        assert_eq!(build(&test, &[]).code, 0);
        written(&test)
    };
    assert!(build_of("").contains("a warning of a library"));
    let without = build_of("#| warning: false\n");
    assert!(
        !without.contains("a warning of a library") && without.contains("printed"),
        "{without}"
    );
}

#[test]
fn settings_that_cannot_be_read_publish_nothing_they_may_hide() {
    let test = NbcTest::new(&[
        ("in/_quarto.yml", "execute:\n  echo: [false\n"),
        ("in/a.qmd", "Seen.\n\n```{python}\nsecret_one = 1\n```\n"),
        (
            "in/b.qmd",
            "---\nexecute:\n  echo: 'false\n---\n\nSeen.\n\n```{python}\nsecret_two = 2\n```\n",
        ),
    ]);
    let built = build(&test, &["--code", "shown"]);
    assert_eq!(built.code, 0, "{}", built.stderr);
    assert!(
        built.stderr.contains("_quarto.yml` is no YAML") && built.stderr.contains("NBC111"),
        "{}",
        built.stderr
    );
    assert!(!written(&test).contains("secret_"));
}

#[test]
fn a_changed_project_file_makes_its_pages_anew() {
    let cells = json!([{"cell_type": "code", "metadata": {}, "source": "was_open = 1", "execution_count": 1,
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "printed\n"}]}]);
    let test = NbcTest::new(&[
        ("in/a.ipynb", &test_support::notebook(&cells)),
        ("in/_quarto.yml", "title: T\n"),
    ]);
    let run = || {
        let mut command = test.nbc(&["build", "in", "-o", "out", "--execute", "never"]);
        let said =
            said(command.env_remove("NBC_NO_CACHE").env("NBC_CACHE_DIR", test.path("cache")));
        assert_eq!(said.code, 0, "{}", said.stderr);
        written(&test).contains("was_open")
    };
    assert!(run());
    test.write("in/_quarto.yml", "execute: {echo: false}\n");
    assert!(!run());
    test.write("in/_quarto.yml", "title: T\n");
    assert!(run());
}

#[test]
fn a_tag_in_one_file_of_a_pair_counts_for_both() {
    let script = "# ---\n# jupyter:\n#   jupytext:\n#     formats: ipynb,py:percent\n# ---\n\n# %%\nsecret_one = 1\n\n# %%\nopen_one = 1\n";
    let cell = |metadata: serde_json::Value, source: &str| {
        json!({"cell_type": "code", "metadata": metadata, "source": source, "execution_count": 1,
            "outputs": [{"output_type": "stream", "name": "stdout", "text": "Seen.\n"}]})
    };
    let cells = json!([
        cell(json!({"tags": ["remove-input"]}), "secret_one = 1"),
        cell(json!({}), "open_one = 1")
    ]);
    check(
        &[("in/a.py", script), ("in/a.ipynb", &test_support::notebook(&cells))],
        &["Seen.", "open_one"],
        &["secret_one"],
    );
}

#[test]
fn a_notebook_that_hides_code_is_no_file_behind_a_link() {
    let hidden = |tag: &str| {
        test_support::notebook(
            &json!([{"cell_type": "code", "metadata": {"tags": [tag]}, "source": "in_a_file = 1",
            "execution_count": null, "outputs": []}]),
        )
    };
    let linking = test_support::notebook(
        &json!([{"cell_type": "markdown", "metadata": {}, "source": "[a file](files/other.ipynb)"}]),
    );
    for (tag, is_published) in [("remove-input", false), ("hide-input", true)] {
        let test = NbcTest::new(&[
            ("in/a.ipynb", &linking),
            ("in/files/other.ipynb", &hidden(tag)),
            ("in/nbc.toml", "exclude = ['files/']\n"),
        ]);
        let built = build(&test, &["--layout", "site"]);
        assert_eq!(built.code, 0, "{}", built.stderr);
        assert_eq!(written(&test).contains("in_a_file"), is_published, "{tag}");
        assert_eq!(built.stderr.contains("hides code or text"), !is_published, "{}", built.stderr);
    }
}
