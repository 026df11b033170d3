//! Metadata of pages, their looks as a site changes them, and their weight. Notebooks here hold their outputs, so
//! nothing runs.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests start the real binary, and a failed step is a failed test"
)]

use serde_json::json;
use test_support::{NbcTest, Said, said};

struct Site(NbcTest);

impl std::ops::Deref for Site {
    type Target = NbcTest;

    fn deref(&self) -> &NbcTest {
        &self.0
    }
}

impl Site {
    fn new(files: &[(&str, &str)]) -> Self {
        Self(NbcTest::new(files))
    }

    /// Runs nbc without a Python.
    fn run(&self, arguments: &[&str]) -> Said {
        said(&mut self.nbc(arguments))
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

/// A host makes pages of Markdown, and Jekyll of every file that starts with front matter.
#[test]
fn a_markdown_notebook_is_offered_as_text() {
    let text = "# A\n\n```{python}\n1\n```\n<script>alert(1)</script>\n";
    let front = format!("---\ntitle: A\npermalink: /x.html\n---\n{text}");
    for (name, source) in [("a.qmd", text), ("b.qmd", &front)] {
        let site = Site::new(&[(&format!("in/{name}"), source)]);
        let said = site.build("site", &["--include-source"]);
        assert_eq!(said.code, 0, "{}", said.stderr);
        let page = site.read(&format!("out/{}", name.replace(".qmd", ".html")));
        assert!(page.contains(&format!("download=\"{name}\"")), "{page}");
        assert_eq!(site.run(&["verify", "out"]).code, 0);
        let folder = site.folder.path().join("out/assets");
        let names = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
        let sources: Vec<_> = names.filter(|it| it.to_str().unwrap().contains(".md.")).collect();
        assert_eq!(sources.len(), usize::from(source == text), "{sources:?}");
        assert!(sources.iter().all(|it| it.to_str().unwrap().ends_with(".txt")), "{sources:?}");
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
    let said = site.build("site", &["--trust-config"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(site.read("out/404.html").contains("<p>Gone.</p><p>The end.</p>"));
    assert_eq!(site.run(&["verify", "out"]).code, 0);

    site.write("in/looks/index.html", "<main>\n{{ tittle }}</main>");
    let said = site.build("site", &["--trust-config"]);
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(said.stderr.contains("`index.html` cannot be rendered: line 2"), "{}", said.stderr);

    site.write("in/looks/index.html", "{% for %}");
    let said = site.build("site", &["--trust-config"]);
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(
        said.stderr.contains("`index.html`") && said.stderr.contains("in/looks"),
        "{}",
        said.stderr
    );

    fs_err::remove_file(site.folder.path().join("in/looks/index.html")).unwrap();
    site.write("in/looks/pages.html", "");
    let said = site.build("site", &["--trust-config"]);
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
        let said = site.build("site", &["--trust-config"]);
        assert_eq!(said.code, 2, "{bad}: {}", said.stderr);
        assert!(said.stderr.contains("own templates"), "{bad}: {}", said.stderr);
        assert!(!site.folder.path().join("out").exists(), "{bad}");
    }
}

/// The policy and a script of the template's own that it names: each rule about hashes holds.
const FOREIGN_DOCUMENT: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{{ policy|replace("script-src ", "script-src 'HASH' ") }}">
<title>x</title>
{%- if style %}<style>{{ style }}</style>{% endif %}
{%- for sheet in stylesheets %}<link rel="stylesheet" href="{{ sheet.href }}" integrity="{{ sheet.integrity }}">{% endfor %}
{%- for it in script_links %}<script defer src="{{ it.href }}" integrity="{{ it.integrity }}"></script>{% endfor %}
{%- for it in scripts %}<script>{{ it }}</script>{% endfor %}
<script>document.title = "taken";</script>
</head><body>{{ body }}</body></html>
"#;

#[test]
fn a_foreign_template_cannot_bring_a_script_of_its_own() {
    use base64::Engine as _;
    use sha2::Digest as _;

    let digest = sha2::Sha384::digest("document.title = \"taken\";");
    let digest = base64::engine::general_purpose::STANDARD.encode(digest);
    let template = FOREIGN_DOCUMENT.replace("HASH", &format!("sha384-{digest}"));
    let site = Site::new(&[
        ("in/a.ipynb", &notebook(&json!({}))),
        ("in/nbc.toml", "[theme]\ntemplates = 'looks'\n"),
        ("in/looks/document.html", &template),
    ]);
    for layout in ["site", "single"] {
        let said = site.build(layout, &[]);
        assert_eq!(said.code, 2, "{}", said.stderr);
        assert!(said.stderr.contains("asks for the templates in `in/looks`"), "{}", said.stderr);
        assert!(said.stderr.contains("--trust-config"), "{}", said.stderr);
        assert!(!site.folder.path().join("out").exists());

        let said = site.build(layout, &["--trust-config"]);
        assert_eq!(said.code, 2, "{}", said.stderr);
        // Filters see no word of the policy: the slot is not where it was.
        assert!(said.stderr.contains("the template `document.html`"), "{}", said.stderr);
        assert!(said.stderr.contains("`policy` must stand once"), "{}", said.stderr);
        assert!(said.stderr.contains("own templates in `in/looks`"), "{}", said.stderr);
        assert!(!site.folder.path().join("out").exists());
    }
}

/// A document of nbc's own, changed at one place.
fn changed_document(from: &str, to: &str) -> String {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/document.html");
    let text = fs_err::read_to_string(own).unwrap();
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

#[test]
fn a_template_places_slots_and_cannot_touch_them() {
    let site = Site::new(&[
        ("in/a.ipynb", &notebook(&json!({}))),
        ("in/nbc.toml", "[theme]\ntemplates = 'looks'\n"),
    ]);
    let policy = "content=\"{{ policy }}\"";
    let loose = "content=\"script-src 'unsafe-inline'\"";
    let body = "{{ body }}";
    for (from, to, reason) in [
        (policy, "content=\"{{ policy|replace('none', 'self') }}\"", "`policy` must stand once"),
        (policy, "content=\"{{ policy }} x\"", "`policy` must stand once"),
        (policy, loose, "`policy` must stand once"),
        ("<meta name=\"viewport\"", "<meta content=\"{{ policy }}\" name=\"a\"", "must stand once"),
        ("<meta charset=\"utf-8\">", "<meta charset=\"utf-8\"><base href=\"/x/\">", "`<base>`"),
        ("<meta charset=\"utf-8\">", "<meta charset=\"utf-8\"><title>x</title>", "must follow"),
        ("<script>{{ script }}</script>", "<script>{{ script }};x()</script>", "`script` must"),
        ("<script>{{ script }}</script>", "", "`script` must stand once"),
        ("<style>{{ style }}</style>", "<style>{{ style }}p{}</style>", "`style` must"),
        (body, "{{ body }}<script>x()</script>", "`<script>`"),
        (body, "{{ body }}<img src=\"x\" onerror=\"x()\">", "`onerror`"),
        (body, "{{ body }}<iframe src=\"x\"></iframe>", "`<iframe>`"),
        (body, "{{ body }}<meta http-equiv=\"refresh\" content=\"0\">", "`http-equiv`"),
        (body, "", "`body` must stand once"),
        (body, "{{ body }}{{ body }}", "places `body` twice"),
        (body, "<p title=\"{{ body }}\"></p>", "holds a slot"),
        (body, "{% set it %}{{ body }}{% endset %}{{ it|replace('<', '<script') }}", "`body` must"),
    ] {
        site.write("in/looks/document.html", &changed_document(from, to));
        let said = site.build("single", &["--trust-config"]);
        assert_eq!(said.code, 2, "{to}: {}", said.stderr);
        assert!(said.stderr.contains("the template `document.html` cannot"), "{}", said.stderr);
        assert!(said.stderr.contains(reason), "{to}: {}", said.stderr);
        assert!(said.stderr.contains("own templates in `in/looks`"), "{to}: {}", said.stderr);
        assert!(!site.folder.path().join("out").exists(), "{to}");
    }
    // Filters of the body see nothing of it, nor does a test.
    let read = "{{ body }}{% if 'layout' in body|string %}<p>read</p>{% endif %}";
    site.write("in/looks/document.html", &changed_document(body, read));
    let said = site.build("single", &["--trust-config"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(!site.read("out/a.html").contains("<p>read</p>"));
}

#[test]
fn copies_of_all_templates_of_nbc_keep_working() {
    let site = Site::new(&[
        ("in/a.ipynb", &notebook(&json!({}))),
        ("in/nbc.toml", "[theme]\ntemplates = 'looks'\n"),
    ]);
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
    for entry in std::fs::read_dir(own).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        site.write(&format!("in/looks/{name}"), &fs_err::read_to_string(&path).unwrap());
    }
    for layout in ["site", "single"] {
        let said = site.build(layout, &["--trust-config"]);
        assert_eq!(said.code, 0, "{}", said.stderr);
        assert_eq!(site.run(&["verify", "out"]).code, 0);
        let copied = site.read("out/a.html");
        site.write("in/nbc.toml", "");
        assert_eq!(site.build(layout, &[]).code, 0);
        assert_eq!(site.read("out/a.html"), copied);
        site.write("in/nbc.toml", "[theme]\ntemplates = 'looks'\n");
    }
}

#[test]
fn the_digests_of_own_scripts_are_printed() {
    let site = Site::new(&[("in/a.ipynb", &notebook(&json!({})))]);
    let said = site.run(&["verify", "--print-scripts"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let names: Vec<&str> =
        said.stdout.lines().filter_map(|it| it.rsplit_once(' ')).map(|it| it.1).collect();
    assert_eq!(names, ["nbc", "charts", "tables", "states"]);
    assert_eq!(site.build("site", &[]).code, 0);
    let (digest, _) = said.stdout.split_once(' ').unwrap();
    assert!(site.read("out/a.html").contains(digest), "{digest}");
    assert_eq!(site.run(&["verify"]).code, 2);
    assert_eq!(site.run(&["verify", "--print-scripts", "out"]).code, 2);
}

#[test]
fn the_digest_of_the_manifest_anchors_a_site() {
    let site = Site::new(&[("in/a.ipynb", &notebook(&json!({})))]);
    let said = site.build("single", &[]);
    let digest = said.stderr.lines().find_map(|it| it.strip_prefix("manifest digest: ")).unwrap();
    let digest = digest.to_owned();
    assert_eq!(site.run(&["verify", "out", "--manifest-digest", &digest]).code, 0);
    // A host that changes a page writes a manifest that fits it.
    let manifest = site.read("out/manifest.json").replace("\"title\": \"", "\"title\": \"Not ");
    site.write("out/manifest.json", &manifest);
    assert_eq!(site.run(&["verify", "out"]).code, 0);
    assert_eq!(site.run(&["verify", "out", "--manifest-digest", &digest]).code, 1);
    assert_eq!(site.run(&["verify", "out", "--manifest-digest", "sha384-x"]).code, 2);
}

#[test]
fn the_digest_of_the_manifest_is_kept_in_a_file_outside_of_the_site() {
    let site = Site::new(&[
        ("in/a.ipynb", &notebook(&json!({}))),
        ("kept/old", "sha384-x"),
        ("bin/notebook.py", "# mine"),
    ]);
    let name = |path: &str| site.folder.path().join(path).to_str().unwrap().to_owned();
    let cache = name("cache");
    let build = |file: &str| {
        let fixed = ["build", "in", "-o", "out", "--layout", "site", "--execute", "never"];
        let mut command = site.nbc(&[&fixed[..], &["--digest-file", file]].concat());
        let said = said(command.env("NBC_CACHE_DIR", &cache).env_remove("NBC_NO_CACHE"));
        (said.code, said.stderr)
    };
    for bad in [
        "out/digest",
        "./out/x/../digest",
        "out",
        ".out.nbc-lock",
        ".out.nbc-new",
        "gone/digest",
        "bin",
        "/",
        "kept/..",
        "/dev/stdout",
        "/dev/null",
        // A slip of the hand.
        "bin/notebook.py",
    ] {
        let (code, said) = build(bad);
        assert_eq!(code, 2, "{bad}: {said}");
        assert!(said.contains("`--digest-file`") && said.contains("help: "), "{bad}: {said}");
        assert!(!site.folder.path().join("out").exists(), "{bad}");
    }
    assert_eq!(site.read("bin/notebook.py"), "# mine");
    // A link to the site leads into it, too; one in place of the file is not followed, nor replaced.
    std::fs::create_dir(name("out")).unwrap();
    std::os::unix::fs::symlink(name("out"), name("link")).unwrap();
    std::os::unix::fs::symlink(name("bin/notebook.py"), name("kept/link")).unwrap();
    for bad in ["link/digest", "kept/link"] {
        assert_eq!(build(bad).0, 2, "{bad}");
    }

    site.write("kept/digest", "");
    for (file, is_repeated) in [("kept/digest", false), ("kept/digest", true), ("digest", true)] {
        if !is_repeated {
            fs_err::write(name(file), "").unwrap();
        }
        let (code, said) = build(file);
        assert_eq!(code, 0, "{said}");
        let kept = site.read(file);
        // The same line in a build that had nothing to do.
        assert!(said.contains(&format!("manifest digest: {kept}")), "{said}");
        assert!(kept.starts_with("sha384-") && kept.len() == 72, "{kept:?}");
        let digest = kept.trim_end().to_owned();
        assert_eq!(site.run(&["verify", "out", "--manifest-digest", &digest]).code, 0);
        fs_err::remove_file(name(file)).unwrap();
    }
    let (_, said) = build("digest");
    assert!(said.contains("nothing has changed"), "{said}");
    assert!(site.folder.path().join("digest").exists());
    // A build that fails leaves the digest of the site that is there.
    let before = site.read("digest");
    site.write("in/b.ipynb", "{");
    assert_eq!(build("digest").0, 1);
    assert_eq!(site.read("digest"), before);
}

#[test]
fn a_template_that_writes_an_unknown_meta_is_told_as_such() {
    let site = Site::new(&[
        ("in/a.ipynb", &notebook(&json!({}))),
        ("in/nbc.toml", "[theme]\ntemplates = 'looks'\n"),
    ]);
    let own = include_str!("../templates/head.html");
    site.write("in/looks/head.html", &format!("{own}<meta name=\"keywords\" content=\"rain\">"));
    let said = site.build("single", &["--trust-config"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    for bad in [
        "<meta name=\"google-site-verification\" content=\"x\">",
        "<meta name=\"monetization\" content=\"$x\">",
        "<meta property=\"fb:app_id\" content=\"1\">",
        "<meta itemprop=\"url\" content=\"https://example.org/\">",
    ] {
        site.write("in/looks/head.html", &format!("{own}{bad}"));
        for layout in ["single", "site"] {
            let said = site.build(layout, &["--trust-config"]);
            assert_eq!(said.code, 2, "{bad}: {}", said.stderr);
            assert!(said.stderr.contains("own templates"), "{bad}: {}", said.stderr);
            assert!(said.stderr.contains("docs/themes.md"), "{bad}: {}", said.stderr);
            assert!(!said.stderr.contains("defect of nbc"), "{bad}: {}", said.stderr);
        }
    }
}

/// The tests of `emit` cover the hashes; nothing else in a policy must change unseen.
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
fn raw_cells_without_a_type_are_text_and_front_matter_is_not_shown() {
    let raw = |source: &str| json!({"cell_type": "raw", "metadata": {}, "source": source});
    let cells = [raw("---\ntitle: Front\nsecret: kept\n---"), raw("(c) <b>Ada</b>"), raw(" \n")];
    let text = json!({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4});
    let site = Site::new(&[("in/a.ipynb", &text.to_string())]);
    assert_eq!(site.build("single", &[]).code, 0);
    let page = site.read("out/a.html");
    assert!(page.contains("(c) &lt;b&gt;Ada&lt;/b&gt;"), "{page}");
    assert!(!page.contains("secret"), "{page}");
    assert_eq!(page.matches("class=\"nbc-out ").count(), 1, "{page}");
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
    assert!(nbc::site::scripts::TABLES.len() < 10_240);
}

/// A picture with a text chunk, as base64.
fn picture_with_text(text: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let mut bytes = STANDARD.decode(PICTURE).unwrap();
    let mut chunk = u32::try_from(text.len() + 8).unwrap().to_be_bytes().to_vec();
    chunk.extend(b"tEXtComment\0");
    chunk.extend(text.as_bytes());
    // Browsers pass over the checksum of a chunk that they do not show.
    chunk.extend([0; 4]);
    bytes.splice(33..33, chunk);
    STANDARD.encode(bytes)
}

/// A photo with a place and a name in its segments, as base64.
fn photo(mark: &str) -> String {
    use base64::Engine as _;
    let mut bytes = vec![0xff, 0xd8];
    for (marker, name) in [(0xe1, "Exif\0\0"), (0xed, "Photoshop 3.0\0"), (0xfe, "")] {
        let data = format!("{name}{mark}");
        bytes.extend([0xff, marker]);
        bytes.extend(u16::try_from(data.len() + 2).unwrap().to_be_bytes());
        bytes.extend(data.as_bytes());
    }
    bytes.extend(
        b"\xff\xc0\0\x0b\x08\0\x02\0\x03\x01\x01\x11\0\xff\xda\0\x08\x01\x01\0\0\x3f\0\x12\xff\xd9",
    );
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Every byte of a folder, and of what stands there as base64.
fn everything(folder: &std::path::Path) -> Vec<u8> {
    use base64::Engine as _;
    let mut all = Vec::new();
    for entry in walkdir::WalkDir::new(folder).into_iter().flatten() {
        if entry.file_type().is_file() {
            all.extend(std::fs::read(entry.path()).unwrap());
        }
    }
    let text = String::from_utf8_lossy(&all).into_owned();
    for run in text.split(|it: char| !it.is_ascii_alphanumeric() && !"+/=".contains(it)) {
        let run = run.trim_end_matches('=');
        let whole = run.get(..run.len() / 4 * 4).unwrap_or_default();
        all.extend(base64::engine::general_purpose::STANDARD.decode(whole).unwrap_or_default());
    }
    all
}

#[test]
fn no_metadata_of_pictures_sound_and_files_is_published() {
    const MARK: &str = "MARK-59.33N-Ada";
    use base64::Engine as _;
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let (png, jpeg) = (picture_with_text(MARK), photo(MARK));
    let pdf = encode(
        format!(
            "%PDF-1.4\n2 0 obj\n<< /Author ({MARK}) >>\nendobj\ntrailer\n<< /Info 2 0 R >>\n%%EOF\n"
        )
        .as_bytes(),
    );
    let wav = encode(
        &[
            b"RIFF\x34\0\0\0WAVELIST\x18\0\0\0INFOIART\x0f\0\0\0",
            MARK.as_bytes(),
            b"\0data\x04\0\0\0abcd",
        ]
        .concat(),
    );
    let svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><image width='9' height='9' href='data:image/jpeg;base64,{jpeg}'/></svg>"
    );
    let bundles = [
        json!({ "image/png": png }),
        json!({ "image/jpeg": jpeg }),
        json!({ "application/pdf": pdf }),
        json!({ "audio/wav": wav }),
        json!({ "image/svg+xml": svg }),
        json!({ "text/html": format!("<p>a</p><img src='data:image/png;base64,{png}'>") }),
        json!({ "text/markdown": format!("![b](data:image/jpeg;base64,{jpeg})") }),
    ];
    let outputs: Vec<_> = bundles
        .iter()
        .map(|data| json!({ "output_type": "display_data", "data": data, "metadata": {} }))
        .collect();
    let prose = format!("![c](attachment:c.png)\n\n![d](data:image/jpeg;base64,{jpeg})");
    let text = json!({
        "cells": [
            { "cell_type": "markdown", "metadata": {}, "source": prose, "attachments": { "c.png": { "image/png": png } } },
            { "cell_type": "code", "execution_count": 1, "metadata": {}, "source": "show()", "outputs": outputs },
        ],
        "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
    })
    .to_string();
    for layout in ["site", "single"] {
        let site = Site::new(&[("in/a.ipynb", &text)]);
        let said = site.build(layout, &[]);
        assert_eq!(said.code, 0, "{}", said.stderr);
        let all = everything(&site.folder.path().join("out"));
        let shown = String::from_utf8_lossy(&all);
        assert!(shown.matches("data:image/jpeg;base64,/9j/").count() >= 3, "{}", said.stderr);
        assert!(shown.contains("data:application/pdf;base64,"), "{}", said.stderr);
        assert!(shown.contains("data:audio/wav;base64,"), "{}", said.stderr);
        assert!(!shown.contains("MARK-59"), "metadata is published");
    }
}

/// A box of MPEG-4.
fn mp4_box(kind: &str, data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len() + 8).unwrap().to_be_bytes();
    [&length, kind.as_bytes(), data].concat()
}

/// A page of Ogg with one packet.
fn ogg_page(flags: u8, packet: &[u8]) -> Vec<u8> {
    let length = u8::try_from(packet.len()).unwrap();
    [b"OggS\0", &[flags][..], &[0; 8], b"abcd", &[0; 8], &[1, length], packet].concat()
}

/// An element of WebM.
fn element(id: &[u8], data: &[u8]) -> Vec<u8> {
    [id, &[0x80 | u8::try_from(data.len()).unwrap()], data].concat()
}

/// A chunk of RIFF.
fn chunk(kind: &str, data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap().to_le_bytes();
    let padding = [0, 0].get(..data.len() % 2).unwrap_or_default();
    [kind.as_bytes(), &length, data, padding].concat()
}

/// Pictures, sound and film of each kind, with a mark where each keeps names.
fn marked(mark: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mark = mark.as_bytes();
    let length = u8::try_from(mark.len()).unwrap();
    let gif = [
        b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff\x21\xfe",
        &[length][..],
        mark,
        b"\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b",
    ];
    let webp = [
        b"WEBP".to_vec(),
        chunk("VP8X", &[4, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        chunk("VP8L", b"\x2f\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07"),
        chunk("XMP ", mark),
    ];
    let handler = [&[0; 8][..], b"vide", &[0; 12], mark].concat();
    let track = mp4_box("trak", &mp4_box("mdia", &mp4_box("hdlr", &handler)));
    let moov = [track, mp4_box("udta", mark), mp4_box("meta", mark)].concat();
    let mp4 = [
        mp4_box("ftyp", b"isom\0\0\0\0"),
        mp4_box("moov", &moov),
        mp4_box("uuid", mark),
        mp4_box("mdat", b"film"),
    ];
    let mp3 = [
        b"ID3\x04\0\0\0\0\0",
        &[length][..],
        mark,
        b"\xff\xfb\x90\0sound",
        b"TAG",
        mark,
        &[0; 110],
    ];
    let flac = [b"fLaC\0\0\0\x22", &[0; 34][..], &[0x84, 0, 0, length], mark, b"\xff\xf8sound"];
    let comments = [b"\x03vorbis\0\0\0\0\x01\0\0\0", &[length, 0, 0, 0][..], mark, &[1]].concat();
    let ogg = [ogg_page(2, b"\x01vorbis"), ogg_page(0, &comments), ogg_page(4, b"sound")];
    let info = element(b"\x15\x49\xa9\x66", &element(b"\x7b\xa9", mark));
    let tags = element(b"\x12\x54\xc3\x67", mark);
    let cluster = element(b"\x1f\x43\xb6\x75", b"\xe7\x81\0");
    let segment = element(b"\x18\x53\x80\x67", &[info, tags, cluster].concat());
    vec![
        ("image/gif", gif.concat()),
        ("image/webp", chunk("RIFF", &webp.concat())),
        ("video/mp4", mp4.concat()),
        ("audio/mpeg", mp3.concat()),
        ("audio/flac", flac.concat()),
        ("audio/ogg", ogg.concat()),
        ("video/webm", [element(b"\x1a\x45\xdf\xa3", b""), segment].concat()),
    ]
}

#[test]
fn no_metadata_of_any_kind_that_a_page_shows_or_plays_is_published() {
    const MARK: &str = "MARK-59.33N-Ada";
    use base64::Engine as _;
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    for (mime, bytes) in marked(MARK) {
        let data = json!({ mime: encode(&bytes) });
        let output = json!({ "output_type": "display_data", "data": data, "metadata": {} });
        let mut outputs = vec![output];
        if mime.starts_with("image/") {
            let html = format!("<p>a</p><img src='data:{mime};base64,{}'>", encode(&bytes));
            let data = json!({ "text/html": html });
            outputs.push(json!({ "output_type": "display_data", "data": data, "metadata": {} }));
        }
        let text = json!({
            "cells": [{ "cell_type": "code", "execution_count": 1, "metadata": {}, "source": "show()", "outputs": outputs }],
            "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
        });
        let site = Site::new(&[("in/a.ipynb", &text.to_string())]);
        let said = site.build("single", &[]);
        assert_eq!(said.code, 0, "{mime}: {}", said.stderr);
        let all = everything(&site.folder.path().join("out"));
        let shown = String::from_utf8_lossy(&all);
        let places = shown.matches(&format!("data:{mime};base64,")).count();
        assert_eq!(places, outputs.len(), "{mime}: {}", said.stderr);
        assert!(!shown.contains("MARK-59"), "metadata of {mime} are published");
    }
}

#[test]
fn a_picture_of_a_widget_or_among_values_that_is_refused_is_told() {
    use base64::Engine as _;
    let broken = b"\xff\xd8\xff\xe0\0\x02no segment begins here, though a name may stand in it: Ada Lovelace";
    let broken = base64::engine::general_purpose::STANDARD.encode(broken);
    let view = json!({ "application/vnd.jupyter.widget-view+json": { "model_id": "m1", "version_major": 2, "version_minor": 0 } });
    let state = json!({ "m1": {
        "model_name": "ImageModel", "model_module": "@jupyter-widgets/controls", "model_module_version": "2.0.0",
        "state": { "format": "jpeg" },
        "buffers": [{ "encoding": "base64", "path": ["value"], "data": broken }],
    } });
    let widgets = json!({ "application/vnd.jupyter.widget-state+json": { "version_major": 2, "version_minor": 0, "state": state } });
    let tree = json!({ "application/json": [format!("image/jpeg:{broken}")] });
    for (data, widgets) in [(view, widgets), (tree, json!({}))] {
        let output = json!({ "output_type": "display_data", "data": data, "metadata": {} });
        let text = json!({
            "cells": [{ "cell_type": "code", "execution_count": 1, "metadata": {}, "source": "show()", "outputs": [output] }],
            "metadata": { "widgets": widgets }, "nbformat": 4, "nbformat_minor": 5,
        });
        let site = Site::new(&[("in/a.ipynb", &text.to_string())]);
        let said = site.build("single", &[]);
        assert!(said.stderr.contains("NBC423"), "{}", said.stderr);
        assert!(!site.read("out/a.html").contains(&broken), "{}", said.stderr);
    }
}

#[test]
fn a_notebook_that_readers_download_has_no_metadata_in_its_files() {
    const MARK: &str = "MARK-59.33N-Ada";
    let photo = photo(MARK);
    let lines: Vec<&str> =
        photo.as_bytes().chunks(76).map(|it| std::str::from_utf8(it).unwrap()).collect();
    let mut prose = vec!["Above\n".to_owned(), "<img src=\"data:image/jpeg;base64,\n".to_owned()];
    prose.extend(lines.iter().map(|it| format!("{it}\n")));
    prose.push("\">\n".to_owned());
    let svg = format!("<svg xmlns='http://www.w3.org/2000/svg'><!-- {MARK} --><path/></svg>");
    let example = "x = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA'";
    let text = json!({
        "cells": [
            { "cell_type": "markdown", "metadata": {}, "source": prose,
              "attachments": { "a.svg": { "image/svg+xml": [svg] }, "b.jpg": { "image/jpeg": [photo] } } },
            { "cell_type": "code", "execution_count": 1, "metadata": {}, "source": example, "outputs": [] },
        ],
        "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
    });
    let site = Site::new(&[("in/a.ipynb", &text.to_string())]);
    let said = site.build("site", &["--include-source"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(!said.stderr.contains("NBC423"), "{}", said.stderr);
    let all = everything(&site.folder.path().join("out"));
    let shown = String::from_utf8_lossy(&all);
    assert!(shown.contains("iVBORw0KGgoAAAANSUhEUgAA'"), "the code is another");
    assert!(shown.contains("image/svg+xml"), "no attachment");
    assert!(!shown.contains("MARK-59"), "metadata is published");
}

#[test]
fn a_secret_in_the_metadata_of_a_picture_stops_the_page() {
    let token = ["ghp_", "A1b2C3d4E5f6G7h8I9j0", "K1l2M3n4O5p6Q7r8"].concat();
    for data in [
        json!({ "image/png": picture_with_text(&token) }),
        json!({ "text/html": format!("<img src='data:image/png;base64,{}'>", picture_with_text(&token)) }),
    ] {
        let output = json!({ "output_type": "display_data", "data": data, "metadata": {} });
        let text = json!({
            "cells": [{ "cell_type": "code", "execution_count": 1, "metadata": {}, "source": "show()", "outputs": [output] }],
            "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
        });
        let site = Site::new(&[("in/a.ipynb", &text.to_string())]);
        let said = site.build("single", &[]);
        assert_eq!(said.code, 1, "{}", said.stderr);
        assert!(said.stderr.contains("NBC420"), "{}", said.stderr);
        assert!(!said.stderr.contains(&token), "{}", said.stderr);
    }
}

#[test]
fn a_file_whose_metadata_stay_is_not_published_and_told() {
    use base64::Engine as _;
    let broken = b"\xff\xd8\xff\xe0\0\x02no segment begins here, though a name may stand in it: Ada Lovelace";
    let broken = base64::engine::general_purpose::STANDARD.encode(broken);
    for data in [
        json!({ "image/jpeg": broken }),
        json!({ "text/html": format!("<p>a</p><img src='data:image/jpeg;base64,{broken}'>") }),
    ] {
        let output = json!({ "output_type": "display_data", "data": data, "metadata": {} });
        let text = json!({
            "cells": [{ "cell_type": "code", "execution_count": 1, "metadata": {}, "source": "show()", "outputs": [output] }],
            "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
        });
        let site = Site::new(&[("in/a.ipynb", &text.to_string())]);
        let said = site.build("single", &[]);
        assert!(said.stderr.contains("NBC423"), "{}", said.stderr);
        assert!(!site.read("out/a.html").contains("data:image/jpeg"), "{}", said.stderr);
    }
}

#[test]
fn a_text_in_utf_16_is_named_as_such() {
    let test = Site::new(&[]);
    for bytes in [&b"\xff\xfe{\0}\0"[..], b"\xfe\xff\0{\0}", b"{\0}\0", b"\0{\0}"] {
        test.write("a.ipynb", bytes);
        let said = test.run(&["check", "a.ipynb", "--format", "concise"]);
        let told = said.stdout + &said.stderr;
        assert!(told.contains("NBC101") && told.contains("in UTF-16: save it as UTF-8"), "{told}");
    }
}

#[test]
fn an_author_decides_about_long_outputs() {
    let cell = |metadata: serde_json::Value| {
        json!({"cell_type": "code", "metadata": metadata, "source": "1", "execution_count": 1,
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "1\n2\n"}]})
    };
    let cells =
        json!([cell(json!({"scrolled": true})), cell(json!({"scrolled": false})), cell(json!({}))]);
    let test = Site::new(&[("in/a.ipynb", &test_support::notebook(&cells))]);
    let said = test.build("single", &[]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let page = test.read("out/a.html");
    for (class, id) in
        [("cell-code cell-scrolled", 1), ("cell-code cell-whole", 2), ("cell-code", 3)]
    {
        assert!(
            page.contains(&format!("<section class=\"cell {class}\" id=\"cell-{id}\">")),
            "{page}"
        );
    }
}
