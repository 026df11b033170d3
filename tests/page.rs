//! What a page says of itself, how a site changes its looks, and what a page weighs. Notebooks here hold their
//! outputs, so nothing runs.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests start the real binary, and a failed step is a failed test"
)]

use std::process::{Command, Stdio};

use serde_json::json;

struct Site {
    folder: tempfile::TempDir,
}

struct Said {
    code: i32,
    stderr: String,
}

impl Site {
    fn new(files: &[(&str, &str)]) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap() };
        for (name, text) in files {
            site.write(name, text);
        }
        site
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs_err::read_to_string(self.folder.path().join(name)).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nbc"));
        let output = command
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Said {
            code: output.status.code().unwrap_or(-1),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn build(&self, layout: &str, more: &[&str]) -> Said {
        let fixed = ["build", "in", "-o", "out", "--layout", layout, "--execute", "never"];
        self.run(&[&fixed, more].concat())
    }

    /// The path of the only file whose name starts and ends so.
    fn asset(&self, start: &str, end: &str) -> String {
        let folder = self.folder.path().join("out/assets");
        let names = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
        let mut names = names.map(|it| it.into_string().unwrap());
        names.find(|it| it.starts_with(start) && it.ends_with(end)).unwrap()
    }
}

/// A tiny picture, and prose.
const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn notebook(metadata: &serde_json::Value) -> String {
    json!({
        "cells": [
            {"cell_type": "markdown", "metadata": {}, "source":
                "# Rain & sun\n\n**How wet** is [Bergen](https://example.org/x), and how warm is it?\n\n- one\n"},
            {"cell_type": "code", "metadata": {}, "source": "draw()", "execution_count": 3, "outputs": [
                {"output_type": "display_data", "metadata": {}, "data": {"image/png": PICTURE}},
                {"output_type": "stream", "name": "stdout", "text": "what a run printed"},
            ]},
        ],
        "metadata": metadata, "nbformat": 4, "nbformat_minor": 4,
    })
    .to_string()
}

#[test]
fn a_page_says_who_wrote_it_and_what_it_is() {
    let metadata =
        json!({"authors": [{"name": "Ana <Novak>"}], "date": "2024-05-01", "lang": "he"});
    let site = Site::new(&[
        ("in/a.ipynb", &notebook(&metadata)),
        ("in/b.ipynb", &notebook(&json!({}))),
        (
            "in/nbc.toml",
            "title = 'Reports'\nbase-url = 'https://example.org/r'\n[page]\nauthor = 'The team'\n\
             description = 'All of our reports.'\n\
             [pages.'b.ipynb']\ntitle = 'Another'\ndescription = 'Said by hand.'\n",
        ),
    ]);
    let said = site.build("site", &[]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let page = site.read("out/a.html");
    for wanted in [
        "<html lang=\"he\" dir=\"rtl\">",
        "<title>Rain &amp; sun</title>",
        "content=\"How wet is Bergen, and how warm is it?\"",
        "<meta name=\"author\" content=\"Ana &lt;Novak&gt;\">",
        "<time datetime=\"2024-05-01\">2024-05-01</time>",
        "<meta property=\"og:site_name\" content=\"Reports\">",
        "<meta property=\"og:url\" content=\"https://example.org/r/a.html\">",
        "<link rel=\"icon\" href=\"data:image/svg+xml,",
    ] {
        assert!(page.contains(wanted), "{wanted}\n{page}");
    }
    let picture = site.asset("a.", ".png");
    assert!(page.contains(&format!("https://example.org/r/assets/{picture}")), "{page}");
    let page = site.read("out/b.html");
    for wanted in ["<title>Another</title>", "content=\"Said by hand.\"", "content=\"The team\""] {
        assert!(page.contains(wanted), "{wanted}\n{page}");
    }
    let index = site.read("out/index.html");
    for wanted in ["Said by hand.", "How wet is Bergen", "Ana &lt;Novak&gt; · 2024-05-01", PICTURE]
    {
        assert!(index.contains(wanted), "{wanted}\n{index}");
    }
    assert!(index.contains("All of our reports."), "{index}");
    assert!(!index.contains("**"), "{index}");
    assert_eq!(site.run(&["verify", "out"]).code, 0);
}

#[test]
fn without_a_base_url_no_address_is_absolute() {
    let site = Site::new(&[("in/a.ipynb", &notebook(&json!({})))]);
    assert_eq!(site.build("single", &[]).code, 0);
    let page = site.read("out/a.html");
    assert!(!page.contains("og:url") && !page.contains("og:image") && !page.contains("canonical"));
}

#[test]
fn a_reader_may_have_the_notebook_without_its_outputs() {
    use base64::Engine as _;

    let site = Site::new(&[("in/a.ipynb", &notebook(&json!({"widgets": {"state": 1}})))]);
    let said = site.build("site", &[]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(!site.read("out/a.html").contains("Download"));

    assert_eq!(site.build("site", &["--include-source"]).code, 0);
    let name = site.asset("a.", ".ipynb");
    let link = format!("href=\"assets/{name}\" download=\"a.ipynb\"");
    assert!(site.read("out/a.html").contains(&link));
    let text = site.read(&format!("out/assets/{name}"));
    assert!(text.contains("draw()"), "{text}");
    for word in ["what a run printed", PICTURE, "widgets", "3,"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    assert_eq!(site.run(&["verify", "out"]).code, 0);

    site.write("in/nbc.toml", "[pages.'a.ipynb']\nsource = true\n");
    assert_eq!(site.build("single", &[]).code, 0);
    let page = site.read("out/a.html");
    let (_, data) = page.split_once("href=\"data:application/octet-stream;base64,").unwrap();
    let data = data.split('"').next().unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(data).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), text);
    assert_eq!(site.run(&["verify", "out"]).code, 0);
}

#[test]
fn a_theme_is_part_of_every_page() {
    let theme = "[theme]\naccent = { light = '#004488', dark = '#88ccff' }\nfont = 'Georgia, serif'\ncss = 'own.css'\n";
    let site = Site::new(&[
        ("in/a.ipynb", &notebook(&json!({}))),
        ("in/nbc.toml", theme),
        ("in/own.css", ".bar { border: 0 }\n"),
    ]);
    let said = site.build("single", &[]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let page = site.read("out/a.html");
    for wanted in
        ["--nbc-accent:light-dark(#048,#8cf)", "--nbc-sans:Georgia,serif", ".bar{border:0}"]
    {
        assert!(page.contains(wanted), "{wanted}");
    }
    assert_eq!(site.build("site", &[]).code, 0);
    let sheet = site.asset("nbc.", ".css");
    assert!(site.read(&format!("out/assets/{sheet}")).ends_with(".bar{border:0}"));
    assert_eq!(site.run(&["verify", "out"]).code, 0);
}

#[test]
fn a_broken_theme_says_where_and_builds_nothing() {
    let site = Site::new(&[("in/a.ipynb", &notebook(&json!({})))]);
    let cases = [
        ("accent = 'blurple'", "", "`accent = \"blurple\"` in `[theme]` is not a CSS colour"),
        ("css = 'own.css'", "\n@import 'x';", "own.css`, line 2: @import has no place"),
        (
            "css = 'own.css'",
            "a { background: url(https://e.x/) }",
            "own.css`, line 1: `background` loads",
        ),
        ("css = '../out.css'", "", "cannot read `in/../out.css` of the theme"),
        ("css = 'none.css'", "", "cannot read `in/none.css` of the theme"),
        ("templates = 'none'", "", "cannot read the templates in `in/none`"),
        ("colour = 'red'", "", "unknown field `colour`"),
        ("[pages.'b.ipynb']", "", "`[pages.\"b.ipynb\"]` of `nbc.toml` names no notebook"),
    ];
    site.write("out.css", "a{}");
    for (line, css, reason) in cases {
        site.write("in/nbc.toml", &format!("[theme]\n{line}\n"));
        site.write("in/own.css", css);
        let said = site.build("single", &[]);
        assert_eq!(said.code, 2, "{line}: {}", said.stderr);
        assert!(said.stderr.contains(reason), "{line}: {}", said.stderr);
        assert!(!site.folder.path().join("out").exists());
    }
}

#[test]
fn a_template_of_the_site_replaces_that_of_nbc() {
    let site = Site::new(&[
        ("in/a.ipynb", &notebook(&json!({}))),
        ("in/nbc.toml", "title = '<b>'\n[theme]\ntemplates = 'looks'\n"),
        (
            "in/looks/not_found.html",
            "<main id=\"content\"><p>Gone.</p>{% include '_end.html' %}</main>",
        ),
        ("in/looks/_end.html", "<p>The end.</p>"),
        ("in/looks/readme.txt", "no template"),
    ]);
    let said = site.build("site", &[]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(site.read("out/404.html").contains("<p>Gone.</p><p>The end.</p>"));
    assert_eq!(site.run(&["verify", "out"]).code, 0);

    site.write("in/looks/index.html", "<main>\n{{ tittle }}</main>");
    let said = site.build("site", &[]);
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(said.stderr.contains("`index.html` cannot be rendered: line 2"), "{}", said.stderr);

    site.write("in/looks/index.html", "{% for %}");
    let said = site.build("site", &[]);
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(
        said.stderr.contains("`index.html`") && said.stderr.contains("in/looks"),
        "{}",
        said.stderr
    );

    fs_err::remove_file(site.folder.path().join("in/looks/index.html")).unwrap();
    site.write("in/looks/pages.html", "");
    let said = site.build("site", &[]);
    assert!(said.stderr.contains("pages.html` replaces no template of nbc"), "{}", said.stderr);
}

#[test]
fn a_template_cannot_write_what_a_page_must_not_hold() {
    let site = Site::new(&[
        ("in/a.ipynb", &notebook(&json!({}))),
        ("in/nbc.toml", "title = 'javascript:alert(1)'\n[theme]\ntemplates = 'looks'\n"),
    ]);
    for bad in [
        "<script>alert(1)</script>",
        "<p onclick=\"alert(1)\">x</p>",
        "<p style=\"color:red\">x</p>",
        "<style>p{color:red}</style>",
        "<img src=\"https://example.org/pixel.png\" alt=\"\">",
        "<link rel=\"stylesheet\" href=\"https://example.org/a.css\">",
        "<iframe src=\"https://example.org/\"></iframe>",
        "<a href=\"{{ title }}\">x</a>",
        "<a href={{ title }}>x</a>",
        "<base href=\"https://example.org/\">",
        "<meta http-equiv=\"refresh\" content=\"0;url=https://example.org/\">",
        "<form action=\"https://example.org/\"></form>",
    ] {
        site.write("in/looks/index.html", &format!("<main>{bad}</main>"));
        let said = site.build("site", &[]);
        assert_eq!(said.code, 2, "{bad}: {}", said.stderr);
        assert!(said.stderr.contains("own templates"), "{bad}: {}", said.stderr);
        assert!(!site.folder.path().join("out").exists(), "{bad}");
    }
}

/// What hashes stand for is told by the tests of `emit`; what is allowed beside them must not change unseen.
#[test]
fn the_policies_are_these() {
    let site = Site::new(&[("in/a.ipynb", &notebook(&json!({})))]);
    let policy = |page: &str| {
        let (_, rest) = page.split_once("Content-Security-Policy\" content=\"").unwrap();
        let text = rest.split('"').next().unwrap().replace("&#39;", "'");
        let words = text.split(' ').map(|word| match word.trim_start_matches('\'') {
            it if it.starts_with("sha384-") => {
                it.replace(it.trim_end_matches([';', '\'']), "'HASH")
            }
            _ => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let rest = "font-src data:; connect-src 'none'; base-uri 'none'; form-action 'none'; \
        object-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
    assert_eq!(site.build("single", &[]).code, 0);
    assert_eq!(
        policy(&site.read("out/a.html")),
        format!("default-src 'none'; script-src 'HASH'; style-src 'HASH'; img-src data:; {rest}")
    );
    assert_eq!(site.build("site", &[]).code, 0);
    assert_eq!(
        policy(&site.read("out/a.html")),
        format!(
            "default-src 'none'; script-src 'HASH'; style-src 'self'; img-src 'self' data:; {rest}"
        )
    );
}

#[test]
fn a_page_of_text_weighs_less_than_40_kb() {
    let text = json!({
        "cells": [{"cell_type": "markdown", "metadata": {}, "source": "# Text\n\nNothing else.\n"}],
        "metadata": {}, "nbformat": 4, "nbformat_minor": 4,
    });
    let site = Site::new(&[("in/a.ipynb", &text.to_string())]);
    assert_eq!(site.build("single", &[]).code, 0);
    let weight = site.read("out/a.html").len();
    assert!(weight < 40_000, "{weight} bytes");
}

#[test]
fn only_pages_with_tables_load_what_sorts_them() {
    let book = |html: &str| {
        json!({
            "cells": [{"cell_type": "code", "metadata": {}, "source": "1", "execution_count": 1, "outputs": [
                {"output_type": "display_data", "metadata": {}, "data": {"text/html": html}},
            ]}],
            "metadata": {}, "nbformat": 4, "nbformat_minor": 4,
        })
        .to_string()
    };
    let table = "<table class=\"dataframe\"><tr><td>1</td></tr></table>";
    let site = Site::new(&[
        ("in/with.ipynb", &book(table)),
        ("in/without.ipynb", &book("<p>&lt;table class=\"nbc-table\"&gt;</p>")),
    ]);
    assert_eq!(site.build("site", &[]).code, 0);
    let (script, style) = (site.asset("tables", ".js"), site.asset("tables", ".css"));
    for asset in [&script, &style] {
        assert!(site.read("out/with.html").contains(asset));
        assert!(!site.read("out/without.html").contains(asset));
        assert!(!site.read("out/index.html").contains(asset));
    }
    assert_eq!(site.run(&["verify", "out"]).code, 0);
    assert_eq!(site.build("single", &[]).code, 0);
    assert!(site.read("out/with.html").contains("nbc-table-tools"));
    assert!(!site.read("out/without.html").contains("nbc-table-tools"));
    assert_eq!(site.run(&["verify", "out"]).code, 0);
    assert!(fs_err::read("assets/tables.js").unwrap().len() < 10_240);
}
