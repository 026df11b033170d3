//! `verify` on sites made by hand: a good one of each layout, and one mutation for each way to
//! break a rule. Digests are computed here, so that no code of nbc vouches for itself.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use base64::Engine as _;
use camino::Utf8Path;
use nbc::verify::{Expected, Finding, Rule};
use proptest::prelude::*;
use sha2::{Digest as _, Sha384};

type Files = BTreeMap<String, Vec<u8>>;

const SCRIPT: &str = "document.title += '!';";
/// The beginning of a picture.
const PLOT: &[u8] = b"\x89PNG\r\n\x1a\n";
const STYLE: &str = "body{color:#222}a{fill:url(#g)}.x{background:url(data:image/png;base64,AA==)}";
const BODY: &str = r##"
<p>Hi &amp; <a href="https://example.org/" target="_blank" rel="noopener">there</a> <a href="#x">x</a></p>
<img src="data:image/png;base64,AA==" alt="javascript: the good parts">
<svg viewBox="0 0 1 1"><defs><linearGradient id="g"/></defs><path d="M0 0" fill="url(#g)"/></svg>
<math><mi>x</mi></math>
<table><tbody><tr><td>1</td></tr></tbody></table><select id="x"><option>a</option></select>
<script type="application/json">{"a": "\u003c"}</script>
"##;

/// The scripts of these sites are allowed as those of another version of nbc are.
fn expected() -> Expected {
    let scripts = [SCRIPT, RUNTIME, "draw()"].map(|it| integrity(it.as_bytes()));
    Expected::default().with_scripts(scripts).with_islands(true)
}

fn verify_files(files: &Files) -> Vec<Finding> {
    nbc::verify::verify_files(files, &expected())
}

fn verify_folder(folder: &Utf8Path) -> Result<Vec<Finding>, nbc::verify::VerifyError> {
    nbc::verify::verify_folder(folder, &expected())
}

fn integrity(bytes: &[u8]) -> String {
    format!("sha384-{}", base64::engine::general_purpose::STANDARD.encode(Sha384::digest(bytes)))
}

fn hashed(stem: &str, extension: &str, bytes: &[u8]) -> String {
    let mut hash = String::new();
    for byte in &Sha384::digest(bytes)[..8] {
        write!(hash, "{byte:02x}").unwrap();
    }
    format!("assets/{stem}.{hash}.{extension}")
}

/// The picture of the `site` layout.
fn plot() -> String {
    hashed("plot", "png", PLOT)
}

const HEADERS: &str = "/*\n  X-Content-Type-Options: nosniff\n  X-Frame-Options: DENY\n  \
    Content-Security-Policy: frame-ancestors 'none'\n  Referrer-Policy: no-referrer\n  \
    Cross-Origin-Opener-Policy: same-origin\n  \
    Permissions-Policy: camera=(), geolocation=(), microphone=()\n/assets/*\n  \
    Cache-Control: public, max-age=31536000, immutable\n";

fn policy(scripts: &str, styles: &str, own: &str) -> String {
    format!(
        "default-src 'none'; script-src {scripts}; style-src {styles}; img-src {own}data:; \
         font-src data:; connect-src 'none'; base-uri 'none'; form-action 'none'; \
         object-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

fn page(policy: &str, head: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <title>A &lt;b&gt;</title>\n<link rel=\"icon\" href=\"data:,\">\n{head}\n</head>\n\
         <body>{body}</body>\n</html>\n"
    )
}

/// A page of the `single` layout.
fn single_page() -> String {
    let (script, style) = (integrity(SCRIPT.as_bytes()), integrity(STYLE.as_bytes()));
    page(
        &policy(&format!("'{script}'"), &format!("'{style}'"), ""),
        &format!("<style>{STYLE}</style>"),
        &format!("{BODY}<script>{SCRIPT}</script>"),
    )
}

/// Adds the manifest, with what the files are by now.
fn seal(mut files: Files, layout: &str) -> Files {
    files.remove("manifest.json");
    let listed: Vec<_> = files
        .iter()
        .map(|(path, bytes)| {
            serde_json::json!({ "path": path, "bytes": bytes.len(), "integrity": integrity(bytes) })
        })
        .collect();
    let manifest = serde_json::json!({
        "format": 1, "generator": "nbc 0.1.0", "layout": layout, "files": listed,
        "pages": [{ "path": "report.html" }], "later": true,
    });
    files.insert("manifest.json".into(), manifest.to_string().into_bytes());
    files
}

fn single(page: &str) -> Files {
    seal(Files::from([("report.html".into(), page.as_bytes().to_vec())]), "single")
}

/// A site whose page lies in a folder; `edit` changes the page.
fn site(edit: impl Fn(String) -> String) -> Files {
    let css = "a{color:red}".as_bytes();
    let (css_path, js_path) = (hashed("nbc", "css", css), hashed("nbc", "js", SCRIPT.as_bytes()));
    let (css_sri, js_sri) = (integrity(css), integrity(SCRIPT.as_bytes()));
    let style = integrity(STYLE.as_bytes());
    let html = page(
        &policy(&format!("'{js_sri}'"), &format!("'self' '{style}'"), "'self' "),
        &format!(
            "<link rel=\"stylesheet\" href=\"../{css_path}\" integrity=\"{css_sri}\">\
             <style>{STYLE}</style>\
             <script defer src=\"../{js_path}\" integrity=\"{js_sri}\"></script>"
        ),
        &format!("{BODY}<a href=\"../index.html#top\">up</a><img src=\"../{}\" alt=\"\">", plot()),
    );
    let index = page(&policy("'none'", "'none'", ""), "", "<a href=\"a/report.html\">a</a>");
    let files = Files::from([
        ("a/report.html".into(), edit(html).into_bytes()),
        (plot(), PLOT.to_vec()),
        ("index.html".into(), index.into_bytes()),
        ("_headers".into(), HEADERS.into()),
        (css_path, css.to_vec()),
        (js_path, SCRIPT.as_bytes().to_vec()),
    ]);
    seal(files, "site")
}

fn rules(findings: &[Finding]) -> Vec<Rule> {
    let mut rules: Vec<_> = findings.iter().map(|it| it.rule).collect();
    rules.sort();
    rules.dedup();
    rules
}

/// The page of the `single` layout with more in its body.
fn with_body(markup: &str) -> Vec<Finding> {
    verify_files(&single(&single_page().replace("<p>Hi", &format!("{markup}<p>Hi"))))
}

#[track_caller]
fn breaks(findings: &[Finding], rule: Rule, case: &str) {
    let shown: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert!(findings.iter().any(|it| it.rule == rule), "{rule:?} for {case}: {shown:#?}");
}

#[track_caller]
fn body_breaks(rule: Rule, cases: &[&str]) {
    for case in cases {
        breaks(&with_body(case), rule, case);
    }
}

/// Only this rule: the others must not be hit by the way.
#[track_caller]
fn body_breaks_only(rule: Rule, cases: &[&str]) {
    for case in cases {
        assert_eq!(rules(&with_body(case)), [rule], "{case}: {:#?}", with_body(case));
    }
}

#[test]
fn good_sites_have_no_finding() {
    assert_eq!(verify_files(&single(&single_page())), []);
    assert_eq!(verify_files(&site(|page| page)), []);
    for good in [
        "<a href=\"mailto:a@b.org\">a</a>",
        "<a href=\"\">self</a>",
        "<a href=\"report.html#x\">self</a>",
        "<a href=\"#\">start</a><a href=\"#Top\">start</a>",
        "<a name=\"f\u{fc}r uns\"></a><a href=\"#f%C3%BCr%20uns\">place</a>",
        "<a download href=\"data:application/pdf;base64,AA==\">a</a>",
        "<a href=https://example.org/>unquoted</a>",
        "<a href=\"https://example.org/?a=1&copy=2\">a</a>",
        "<IMG SRC='data:image/gif;base64,AA=='>",
        "<img srcset=\"data:image/png;base64,AA== 1x, data:image/png;base64,BB== 2x\">",
        "<svg><image href=\"data:image/png;base64,AA==\"/><use href=\"#g\"/></svg>",
        "<svg><text class=\"on\" font-family=\"O'Neill\">url(x)</text></svg>",
        "<textarea disabled><script>alert(1)</script></textarea>",
        "<!-- <script>alert(1)</script> -->",
        "<p title=\"onclick=x style=y\">javascript:alert(1)</p>",
        "<template><p>a</p></template>",
        "<input type=\"checkbox\" checked disabled><br>",
    ] {
        assert_eq!(with_body(good), [], "{good}");
    }
}

/// A page of the `single` layout with a runtime, packed as given, that its policy names.
fn with_runtime(packed: &str, attributes: &str) -> String {
    let named = integrity(RUNTIME.as_bytes());
    let element = format!("<script type=\"text/plain\" {attributes}>{packed}</script>");
    single_page()
        .replace("script-src ", &format!("script-src '{named}' "))
        .replace("trusted-types 'none'", "trusted-types nbc")
        .replace("img-src data:", "img-src data: blob:")
        .replace("<p>Hi", &format!("{element}<p>Hi"))
}

const RUNTIME: &str = "window.draw = () => '</script>';";

fn packed(script: &str) -> String {
    packed_before(script, b"")
}

/// With bytes behind the end, which no browser unpacks.
fn packed_before(script: &str, junk: &[u8]) -> String {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, script.as_bytes()).unwrap();
    base64::engine::general_purpose::STANDARD.encode([&packed.finish().unwrap(), junk].concat())
}

#[test]
fn a_runtime_is_what_the_policy_names() {
    let attributes = "data-runtime=\"vega\"";
    let good = with_runtime(&packed(RUNTIME), attributes);
    assert_eq!(verify_files(&single(&good)), []);
    for (case, rule) in [
        (with_runtime(&packed("alert(1)"), attributes), Rule::ScriptHash),
        (with_runtime("", attributes), Rule::Integrity),
        (with_runtime("AAAA", attributes), Rule::Integrity),
        (with_runtime(&packed_before(RUNTIME, b"junk"), attributes), Rule::Integrity),
        (with_runtime(&packed(RUNTIME), ""), Rule::UnusedHash),
        (with_runtime(&packed(RUNTIME), ""), Rule::PolicyStrength),
        (good.replace("text/plain", "application/json"), Rule::Integrity),
        (good.replace(" blob:", " blob: https:"), Rule::PolicyStrength),
    ] {
        breaks(&verify_files(&single(&case)), rule, &case);
    }
    // A file that a script of ours loads carries its integrity as well.
    let (path, digest) = (hashed("vega", "js", RUNTIME.as_bytes()), integrity(RUNTIME.as_bytes()));
    let site_with = |file: &[u8], stated: &str| {
        let element = format!(
            "<script type=\"text/plain\" data-runtime=\"vega\" data-src=\"../{path}\" \
             data-integrity=\"{stated}\"></script>"
        );
        let edit = |page: String| {
            page.replace("script-src ", &format!("script-src '{digest}' "))
                .replace("trusted-types 'none'", "trusted-types nbc")
                .replace("<p>Hi", &format!("{element}<p>Hi"))
        };
        let mut files = site(edit);
        files.insert(path.clone(), file.to_vec());
        verify_files(&seal(files, "site"))
    };
    assert_eq!(site_with(RUNTIME.as_bytes(), &digest), []);
    breaks(&site_with(b"alert(1)", &digest), Rule::Integrity, "another file");
    breaks(&site_with(RUNTIME.as_bytes(), "sha384-x"), Rule::Integrity, "another digest");
}

#[test]
fn a_finding_names_file_line_and_rule() {
    let findings = with_body("\n<b onclick=\"x\">a</b>");
    let shown: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["report.html:12: the attribute `onclick` [inline-handler]"]);
}

#[test]
fn file_names_are_safe() {
    for path in [
        ".nojekyll",
        "a/.git/x.txt",
        "../x.txt",
        "/x.txt",
        "a b.txt",
        "a//b.txt",
        "x.",
        "e\u{301}.txt",
        "REPORT.html",
    ] {
        let page = single_page().into_bytes();
        let files = Files::from([("report.html".into(), page.clone()), (path.into(), page)]);
        breaks(&verify_files(&seal(files, "single")), Rule::SafePath, path);
    }
}

#[test]
fn only_pages_are_documents() {
    for path in ["x.svg", "x.xhtml", "x.htm", "x.xml", "x.HTML", "x.mht", "x", "x.txt", "_headers"]
    {
        let page = single_page().into_bytes();
        let files = Files::from([("report.html".into(), page), (path.into(), Vec::new())]);
        breaks(&verify_files(&seal(files, "single")), Rule::PassiveFile, path);
    }
}

/// Files that are not pages, which a host takes for settings, programs or documents.
#[test]
fn a_site_has_no_file_that_nbc_does_not_write() {
    for path in [
        "notes.txt",
        "_worker.js",
        "_redirects",
        "_routes.json",
        "_config.yml",
        "functions/nb.js",
        "vercel.json",
        "staticwebapp.config.json",
        "package.json",
        "netlify.toml",
        "CNAME",
        "x.md",
        "plot.png",
        "a/plot.png",
        "assets/a/b.txt",
        "sw.js",
    ] {
        let mut files = site(|page| page);
        files.insert(path.into(), b"<script>1</script>".to_vec());
        breaks(&verify_files(&seal(files, "site")), Rule::PassiveFile, path);
    }
    let front = b"---\r\npermalink: /x.html\n---\n<script>1</script>";
    for (kind, bytes, is_bad) in [
        ("md", b"# A".as_slice(), true),
        ("markdown", b"# A", true),
        ("json", b"{}", false),
        ("csv", b"a,b\n", false),
        ("tsv", b"a\tb\n", false),
        ("pdf", b"%PDF-1.7", false),
        ("xlsx", b"PK\x03\x04", false),
        ("ods", b"PK\x03\x04", false),
        ("zip", b"PK\x05\x06", false),
        ("parquet", b"PAR1..PAR1", false),
        ("csv", b"MZ\0", true),
        ("csv", front, true),
        ("json", b"\x7fELF\0", true),
        ("pdf", b"<html>", true),
        ("xlsx", b"<html>", true),
        ("parquet", b"<html>PAR1", true),
        ("docx", b"PK\x03\x04", true),
        ("xlsm", b"PK\x03\x04", true),
        ("xls", b"x", true),
        ("tar", b"x", true),
        ("html", b"x", true),
        ("txt", front, true),
        ("py", b"---", true),
        ("txt", b"# A\n---\n", false),
        ("ipynb", b"{}", false),
        ("py", b"--- 1", false),
        ("png", b"\x89PNG\r\n\x1a\n", false),
        ("jpeg", b"\xff\xd8\xff", false),
        ("gif", b"GIF89a", false),
        ("webp", b"RIFF    WEBP", false),
        ("wav", b"RIFF    WAVE", false),
        ("mp4", b"    ftypisom", false),
        ("m4a", b"    ftypM4A ", false),
        ("webm", b"\x1a\x45\xdf\xa3", false),
        ("ogg", b"OggS", false),
        ("ogv", b"OggS", false),
        ("flac", b"fLaC", false),
        ("mp3", b"ID3", false),
        ("png", b"<script>x</script>", true),
        ("gif", b"\x89PNG\r\n\x1a\n", true),
        ("webp", b"RIFF    WAVE", true),
        ("mp4", b"<svg", true),
        ("mp3", b"", true),
        ("svg", b"<svg></svg>", true),
        ("jpg", b"\xff\xd8\xff", true),
    ] {
        let mut files = site(|page| page);
        files.insert(hashed("x", kind, bytes), bytes.to_vec());
        let found = rules(&verify_files(&seal(files, "site")));
        assert_eq!(found.contains(&Rule::PassiveFile), is_bad, "{kind} {bytes:?}");
        assert_eq!(found.is_empty(), !is_bad, "{kind} {bytes:?}");
    }
}

fn allowing(files: &[&str]) -> Expected {
    expected().with_files(files.iter().map(|it| it.parse().unwrap()))
}

#[test]
fn a_file_of_the_host_stands_only_where_somebody_allowed_it() {
    let mut files = site(|page| page);
    let digest = integrity(&files["manifest.json"]);
    for (path, bytes) in [
        ("CNAME", "reports.example.org\n"),
        (".nojekyll", ""),
        ("robots.txt", "User-agent: *\n"),
        (".well-known/security.txt", "Contact: mailto:a@example.org\n"),
    ] {
        files.insert(path.into(), bytes.into());
    }
    let all = ["CNAME", ".nojekyll", "robots.txt", ".well-known/security.txt"];
    let verify = |files: &Files, allowed: &[&str]| {
        // The manifest stays what the build wrote, and its digest, too.
        let expected = allowing(allowed).with_manifest(Some(digest.clone()));
        nbc::verify::verify_files(files, &expected)
    };
    assert_eq!(verify(&files, &all), []);
    for left in all {
        let others: Vec<&str> = all.into_iter().filter(|it| *it != left).collect();
        let findings = verify(&files, &others);
        breaks(&findings, Rule::PassiveFile, left);
        assert!(findings.iter().all(|it| it.file == left), "{findings:?}");
    }
    let findings = verify(&files, &["robots.txt", ".nojekyll", ".well-known/security.txt"]);
    assert!(findings.iter().any(|it| it.message.contains("`--allow-file`")), "{findings:?}");
    // A name allows no other one, and none of a page.
    for other in ["CNAME.txt", "cname", "a/CNAME", "Robots.txt", "_headers2", "x.html"] {
        let mut files = files.clone();
        files.insert(other.into(), b"x".to_vec());
        assert_ne!(verify(&files, &all), [], "{other}");
    }
    // Jekyll would make a page of it.
    files.insert("robots.txt".into(), b"---\npermalink: /x.html\n---\n<script>1</script>".to_vec());
    breaks(&verify(&files, &all), Rule::PassiveFile, "front matter");
    // A file that the manifest lists belongs to the build, and is proved as such.
    let listed = seal(files.clone(), "site");
    let findings = nbc::verify::verify_files(&listed, &allowing(&all));
    breaks(&findings, Rule::ListedFile, "listed");
}

#[test]
fn a_file_of_the_host_may_be_bound_to_its_bytes() {
    let mut files = site(|page| page);
    files.insert("CNAME".into(), b"reports.example.org\n".to_vec());
    let named = format!("CNAME={}", integrity(b"reports.example.org\n"));
    assert_eq!(nbc::verify::verify_files(&files, &allowing(&[&named])), []);
    files.insert("CNAME".into(), b"evil.example\n".to_vec());
    let findings = nbc::verify::verify_files(&files, &allowing(&[&named]));
    assert_eq!(rules(&findings), [Rule::PassiveFile]);
}

#[test]
fn the_headers_are_those_of_nbc() {
    for headers in [
        String::new(),
        format!("{HEADERS}/notes.txt\n  Content-Type: text/html\n"),
        format!("{HEADERS}/*\n  Refresh: 0; url=https://evil.example/\n"),
        HEADERS.replace("DENY", "SAMEORIGIN"),
        HEADERS.replace("no-referrer", "unsafe-url"),
    ] {
        let mut files = site(|page| page);
        files.insert("_headers".into(), headers.clone().into_bytes());
        assert_eq!(rules(&verify_files(&seal(files, "site"))), [Rule::PassiveFile], "{headers}");
    }
}

#[test]
fn an_island_stands_only_where_somebody_allowed_it() {
    let script = format!("{ONLY_HERE}let a;");
    let files = island_site(&island_code(), &[&script], same, same);
    let found = nbc::verify::verify_files(&files, &Expected::default());
    assert_eq!(rules(&found), [Rule::Island]);
    assert!(found[0].message.contains("`--allow-island`"), "{}", found[0]);
    let allowed = Expected::default().with_islands(true);
    assert_eq!(nbc::verify::verify_files(&files, &allowed), []);
    let known = Expected::default().with_manifest(Some(integrity(&files["manifest.json"])));
    assert_eq!(nbc::verify::verify_files(&files, &known), []);
}

#[test]
fn a_manifest_of_very_many_entries_takes_no_memory() {
    let mut files = single(&single_page());
    let text = String::from_utf8(files["manifest.json"].clone()).unwrap();
    let many = format!("\"pages\":[{}{{\"a\":[1]}},", "{},".repeat(10_000_000));
    files.insert("manifest.json".into(), text.replace("\"pages\":[", &many).into_bytes());
    let started = std::time::Instant::now();
    assert_eq!(rules(&verify_files(&files)), [Rule::Manifest]);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    files.insert("manifest.json".into(), vec![b' '; (64 << 20) + 1]);
    assert_eq!(rules(&verify_files(&files)), [Rule::Manifest]);
}

#[test]
fn the_manifest_has_the_known_form() {
    let good = single(&single_page());
    let text = String::from_utf8(good["manifest.json"].clone()).unwrap();
    let mut without = good.clone();
    without.remove("manifest.json");
    breaks(&verify_files(&without), Rule::Manifest, "missing");
    for (from, to) in [
        ("{", "["),
        ("\"format\":1", "\"format\":2"),
        ("nbc 0.1.0", "other"),
        ("\"single\"", "\"double\""),
        ("\"bytes\":", "\"extra\":1,\"bytes\":"),
        ("\"pages\":[", "\"pages\":[1,"),
        ("\"pages\":[", "\"pages\":[[],"),
        ("\"generator\"", "\"format\":1,\"generator\""),
    ] {
        assert!(text.contains(from), "{from}");
        let mut files = good.clone();
        files.insert("manifest.json".into(), text.replacen(from, to, 1).into_bytes());
        breaks(&verify_files(&files), Rule::Manifest, to);
    }
}

#[test]
fn the_manifest_lists_every_file_as_it_is() {
    let good = site(|page| page);
    let mut changed = good.clone();
    changed.get_mut("a/report.html").unwrap().push(b' ');
    assert_eq!(rules(&verify_files(&changed)), [Rule::ListedFile]);
    assert_eq!(verify_files(&changed).len(), 2, "size and digest");
    let mut more = good.clone();
    more.insert("b.html".into(), good["index.html"].clone());
    assert_eq!(rules(&verify_files(&more)), [Rule::ListedFile]);
    let mut less = good;
    less.remove("_headers");
    assert_eq!(rules(&verify_files(&less)), [Rule::ListedFile]);
}

#[test]
fn assets_carry_their_hash() {
    for path in ["assets/x.css", "assets/x.0123456789abcdef.css", "assets/0123456789abcdef.css"] {
        let mut files = site(|page| page);
        files.insert(path.into(), b"a{}".to_vec());
        breaks(&verify_files(&seal(files, "site")), Rule::HashedName, path);
    }
}

#[test]
fn markup_that_can_be_read_in_two_ways_is_refused() {
    body_breaks(
        Rule::Markup,
        &[
            "<div>",
            "</div>",
            "<b><i></b></i>",
            "<div/>",
            "<p a=1 a=2></p>",
            "<p a=\"1\"b=\"2\"></p>",
            "<p a=x\"y></p>",
            "<p <b>a</b></p>",
            "<!-->x",
            "<!--->x",
            "<!-- x --!>",
            "<!x>",
            "<?php ?>",
            "</>",
            "<![CDATA[x]]>",
            "<svg><![CDATA[<b>]]></svg>",
            "<svg><p>a</p></svg>",
            "<svg><style>a{}</style></svg>",
            "<svg><title>a</title></svg>",
            "<svg><script>1</script></svg>",
            "<svg><foreignObject></foreignObject></svg>",
            "<math><mtext><table></table></mtext></math>",
            "<math><annotation-xml></annotation-xml></math>",
            "<math><svg></svg></math>",
            "<select><b>a</b></select>",
            "<image src=\"data:image/png;base64,AA==\">",
            "<body></body>",
            "<html></html>",
            "a&ampb",
            "&nosuch;",
            "&#0;",
            "a\0b",
            "a\rb",
            "<title>a",
            "<plaintext>",
        ],
    );
    breaks(&with_body(&"<div>".repeat(600)), Rule::Markup, "deep");
    for (from, to) in [
        ("<!doctype html>", ""),
        ("<!doctype html>", "<!doctype html><!doctype html>"),
        ("<!doctype html>", "<!-- a --><!doctype html>"),
        ("<!doctype html>", "<!doctype html SYSTEM \"about:legacy-compat\">"),
        ("<!doctype html>", "\u{feff}<!doctype html>"),
        ("</body>", ""),
        ("</html>", "</html>x"),
        ("<title>", "x<title>"),
        ("<title>", "<p></p><title>"),
    ] {
        breaks(&verify_files(&single(&single_page().replace(from, to))), Rule::Markup, to);
    }
    let latin1 = Files::from([("report.html".into(), b"<!doctype html>\xe9".to_vec())]);
    breaks(&verify_files(&seal(latin1, "single")), Rule::Markup, "Latin-1");
}

#[test]
fn the_policy_comes_first_and_once() {
    let good = single_page();
    let meta = good.lines().find(|line| line.contains("http-equiv")).unwrap();
    for (from, to) in [
        (meta, String::new()),
        (meta, format!("{meta}{meta}")),
        (meta, format!("<!-- a -->{meta}")),
        (meta, format!("<script>{SCRIPT}</script>{meta}")),
        ("<meta charset=\"utf-8\">", String::new()),
        ("<meta charset=\"utf-8\">", "<meta charset=\"utf-7\">".to_owned()),
        ("Content-Security-Policy\"", "Content-Security-Policy-Report-Only\"".to_owned()),
        ("Content-Security-Policy\"", " Content-Security-Policy\"".to_owned()),
        ("<meta http-equiv", "<meta name=\"a\"><meta http-equiv".to_owned()),
    ] {
        let page = good.replacen(from, &to, 1);
        assert_ne!(page, good);
        breaks(&verify_files(&single(&page)), Rule::PolicyPlace, &to);
    }
}

#[test]
fn a_loose_policy_is_refused() {
    for (from, to) in [
        ("default-src 'none'", "default-src 'self'"),
        ("default-src 'none'; ", ""),
        ("object-src 'none'; ", ""),
        ("base-uri 'none'; ", ""),
        ("form-action 'none'", "form-action https:"),
        ("script-src '", "script-src 'unsafe-inline' '"),
        ("style-src '", "style-src 'unsafe-inline' '"),
        ("img-src data:", "img-src *"),
        ("img-src data:", "img-src 'self' data:"),
        ("connect-src 'none'", "connect-src 'self'"),
        ("; trusted-types 'none'", ""),
        ("require-trusted-types-for 'script'; ", ""),
        ("font-src data:", "script-src-elem *"),
    ] {
        let page = single_page().replace(from, to);
        assert_ne!(page, single_page());
        breaks(&verify_files(&single(&page)), Rule::PolicyStrength, to);
    }
}

#[test]
fn every_script_and_style_is_in_the_policy() {
    body_breaks_only(
        Rule::ScriptHash,
        &[
            "<script>alert(1)</script>",
            "<script>alert(1)//",
            "<SCRIPT>alert(1)</SCRIPT >",
            "<script type=\"module\">1</script>",
            "<script type=\"importmap\">{}</script>",
            "<script type=\"speculationrules\">{}</script>",
            "<script type=\"text/plain;x\">1</script>",
            "<script language=\"text/plain\">1</script>",
            "<script type=\"text/plain\"><!-- </script>",
        ],
    );
    body_breaks_only(Rule::StyleHash, &["<style>a{}</style>", "<STYLE media=print>a{}</STYLE>"]);
    let linked = site(|page| page.replace("style-src 'self'", "style-src"));
    assert_eq!(rules(&verify_files(&linked)), [Rule::StyleHash]);
    let unlisted = site(|page| {
        let digest = integrity(SCRIPT.as_bytes());
        page.replace(&format!("script-src '{digest}'"), "script-src 'none'")
    });
    assert_eq!(rules(&verify_files(&unlisted)), [Rule::ScriptHash]);
}

#[test]
fn a_changed_script_or_style_leaves_an_unused_hash() {
    let script = single_page().replace(SCRIPT, "alert(1)");
    assert_eq!(rules(&verify_files(&single(&script))), [Rule::ScriptHash, Rule::UnusedHash]);
    let style = single_page().replace(STYLE, "b{}");
    assert_eq!(rules(&verify_files(&single(&style))), [Rule::StyleHash, Rule::UnusedHash]);
    let gone = single_page().replace(&format!("<style>{STYLE}</style>"), "");
    assert_eq!(rules(&verify_files(&single(&gone))), [Rule::UnusedHash]);
}

#[test]
fn external_scripts_and_stylesheets_match_their_integrity() {
    let digest = integrity(SCRIPT.as_bytes());
    let asset = hashed("nbc", "js", SCRIPT.as_bytes());
    for (from, to) in [
        (format!(" integrity=\"{digest}\""), String::new()),
        (format!(" integrity=\"{digest}\""), format!(" integrity=\"{}\"", integrity(b"x"))),
        (format!(" integrity=\"{digest}\""), format!(" integrity=\"{digest} {digest}\"")),
        (format!("../{asset}"), "../assets/gone.js".to_owned()),
        (format!("../{asset}"), format!("../../{asset}")),
        (format!("../{asset}"), format!("/{asset}")),
        (format!("../{asset}"), "https://example.org/x.js".to_owned()),
        ("rel=\"stylesheet\" href".to_owned(), "rel=\"stylesheet\" integrity=\"\" href".to_owned()),
    ] {
        let findings = verify_files(&site(|page| page.replace(&from, &to)));
        breaks(&findings, Rule::Integrity, &to);
    }
}

#[test]
fn handlers_and_style_attributes_are_refused() {
    body_breaks_only(
        Rule::InlineHandler,
        &["<b onclick=\"x\">a</b>", "<b ONCLICK=x>a</b>", "<svg onload=x></svg>", "<b onnew>a</b>"],
    );
    body_breaks_only(Rule::StyleAttribute, &["<b style=\"a:b\">a</b>", "<svg STYLE></svg>"]);
    body_breaks(Rule::InlineHandler, &["<b/onclick=x>a</b>", "<b a=\"\"onclick=x>a</b>"]);
}

#[test]
fn active_addresses_are_refused_however_they_are_written() {
    body_breaks_only(
        Rule::ActiveAddress,
        &[
            "<a href=\"javascript:alert(1)\">a</a>",
            "<a href=JaVaScRiPt:alert(1)>a</a>",
            "<a href=\" javascript:alert(1)\">a</a>",
            "<a href=\"java\tscript:alert(1)\">a</a>",
            "<a href=\"java\nscript:alert(1)\">a</a>",
            "<a href=\"&#106;avascript&colon;alert(1)\">a</a>",
            "<a href=\"java&Tab;script:alert(1)\">a</a>",
            "<a href=\"vbscript:x\">a</a>",
            "<a href=\"data:text/html,x\">a</a>",
            "<a download href=\"data:text/html,x\">a</a>",
            "<a download href=\"data:image/svg+xml,x\">a</a>",
            "<a href=\"blob:x\">a</a>",
            "<a href=\"file:///etc/passwd\">a</a>",
            "<a href=\"ms-settings:x\">a</a>",
            "<svg><a xlink:href=\"javascript:x\"></a></svg>",
            "<svg><a href=\"javascript:x\"></a></svg>",
            "<img src=\"data:text/html,x\">",
            "<blockquote cite=\"javascript:x\">a</blockquote>",
        ],
    );
    body_breaks(
        Rule::ActiveAddress,
        &[
            "<a href=\"\u{1}javascript:x\">a</a>",
            "<a href=\"&#106avascript:x\">a</a>",
            "<form action=\"javascript:x\"></form>",
        ],
    );
}

#[test]
fn nothing_is_loaded_from_another_origin() {
    body_breaks_only(
        Rule::ForeignLoad,
        &[
            "<img src=\"https://example.org/x.png\">",
            "<img src=\"//example.org/x.png\">",
            "<img src=\"\\\\example.org/x.png\">",
            "<img src=\"/x.png\">",
            "<img src=\"\">",
            "<img srcset=\"https://example.org/x.png 1x\">",
            "<img srcset=\"data:image/png;base64,AA== 1x, //example.org/x 2x\">",
            "<picture><source srcset=\"https://example.org/x\"></picture>",
            "<video poster=\"https://example.org/x\"></video>",
            "<video src=\"https://example.org/x\"></video>",
            "<audio src=\"https://example.org/x\"></audio>",
            "<video><track src=\"https://example.org/x\"></video>",
            "<input type=\"image\" disabled src=\"https://example.org/x\">",
            "<link rel=\"icon\" href=\"https://example.org/x\">",
            "<link rel=\"dns-prefetch\" href=\"https://example.org/\">",
            "<link rel=\"preconnect\" href=\"https://example.org/\">",
            "<link rel=\"prefetch\" href=\"report.html\">",
            "<link rel=\"manifest\" href=\"report.html\">",
            "<link href=\"https://example.org/\">",
            "<table background=\"https://example.org/x\"></table>",
            "<a href=\"#x\" ping=\"https://example.org/\">a</a>",
            "<button formaction=\"report.html\">a</button>",
            "<svg><image href=\"https://example.org/x\"/></svg>",
            "<svg><image xlink:href=\"https://example.org/x\"/></svg>",
            "<svg><use href=\"https://example.org/x#a\"/></svg>",
            "<svg><use href=\"report.html#a\"/></svg>",
            "<svg><filter><feImage href=\"https://example.org/x\"/></filter></svg>",
            "<svg><path fill=\"url(https://example.org/x#a)\"/></svg>",
            "<svg><path fill=\"u\\72l(//example.org/x#a)\"/></svg>",
            "<svg><path mask=\"url('x.svg#a')\"/></svg>",
            "<svg><path cursor=\"image-set('x' 1x)\"/></svg>",
            "<svg xml:base=\"https://example.org/\"></svg>",
        ],
    );
    body_breaks(
        Rule::ForeignLoad,
        &[
            "<link rel=\"stylesheet alternate\" href=\"https://example.org/x.css\">",
            "<link rel=\"stylesheet\" href=\"https://example.org/x.css\">",
            "<script src=\"https://example.org/x.js\"></script>",
            "<base href=\"https://example.org/\">",
            "<iframe src=\"https://example.org/\"></iframe>",
            "<iframe srcdoc=\"x\"></iframe>",
            "<object data=\"https://example.org/\"></object>",
            "<embed src=\"https://example.org/\">",
        ],
    );
}

#[test]
fn elements_that_load_frame_submit_or_rewrite_are_refused() {
    body_breaks(
        Rule::ForbiddenElement,
        &[
            "<base>",
            "<iframe></iframe>",
            "<object></object>",
            "<embed>",
            "<noscript><p>a</p></noscript>",
            "<xmp></xmp>",
            "<noembed></noembed>",
            "<frameset></frameset>",
            "<svg><foreignObject></foreignObject></svg>",
            "<svg><script>1</script></svg>",
            "<svg><set attributeName=\"href\" to=\"x\"/></svg>",
            "<svg><animate/></svg>",
            "<svg><animateTransform/></svg>",
            "<template shadowrootmode=\"open\"></template>",
            "<b is=\"x-y\">a</b>",
        ],
    );
}

const GUARD: &str = "if (self.origin !== 'null' || self === top) throw new Error('not here');\n";
const ONLY_HERE: &str = "if (self.nbcIsland !== true) throw new Error('not here');\n";

/// A site with one island; the edits change the island's script, its data, its file and its page, in which `ISLAND`
/// is the path of the island.
fn island_site(
    code: &str,
    scripts: &[&str],
    island: impl Fn(String) -> String,
    page_edit: impl Fn(String) -> String,
) -> Files {
    let texts: Vec<String> = scripts.iter().map(|it| (*it).to_owned()).collect();
    let list: Vec<_> = texts.iter().map(|it| serde_json::json!({ "text": it })).collect();
    let data = serde_json::json!({ "html": "", "styles": [], "scripts": list }).to_string();
    let digests: Vec<String> = std::iter::once(code)
        .chain(texts.iter().map(String::as_str))
        .map(|it| format!("'{}'", integrity(it.as_bytes())))
        .collect();
    let (digests, style) = (digests.join(" "), integrity(b"p{margin:0}"));
    let file = island(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src {digests}; \
         style-src '{style}'; img-src data:; font-src data:; connect-src 'none'; frame-src 'none'; \
         worker-src 'none'; base-uri 'none'; form-action 'none'; object-src 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>a</title>\n<style>p{{margin:0}}</style>\n</head>\n\
         <body>\n<p>a</p>\n<script type=\"application/json\" id=\"island\">{data}</script>\n\
         <script>{code}</script>\n</body>\n</html>\n"
    ));
    let path = hashed("a", "html", file.as_bytes()).replace("assets/", "islands/");
    let policy =
        policy("'none'", "'none'", "").replace("connect-src", "frame-src 'self'; connect-src");
    let frame = "<iframe class=\"island\" sandbox=\"allow-scripts\" src=\"ISLAND\" loading=\"lazy\" \
                 height=\"300\" title=\"A map\"></iframe>";
    let page = page_edit(page(&policy, "", frame)).replace("ISLAND", &path);
    let files = Files::from([(path, file.into_bytes()), ("index.html".into(), page.into_bytes())]);
    seal(files, "site")
}

/// The script that puts an island in place, as far as it matters.
fn island_code() -> String {
    format!("{GUARD}JSON.parse('');")
}

fn same(text: String) -> String {
    text
}

#[test]
fn an_island_is_sandboxed_and_its_page_says_so() {
    let script = format!("{ONLY_HERE}let a;");
    let code = island_code();
    let good = island_site(&code, &[&script], same, same);
    assert_eq!(verify_files(&good), []);
    let framed = |from: &str, to: &str| {
        let files = island_site(&code, &[&script], same, |it| it.replace(from, to));
        rules(&verify_files(&files))
    };
    for (from, to) in [
        ("sandbox=\"allow-scripts\"", ""),
        ("sandbox=\"allow-scripts\"", "sandbox=\"\""),
        ("sandbox=\"allow-scripts\"", "sandbox=\"allow-scripts allow-same-origin\""),
        ("sandbox=\"allow-scripts\"", "sandbox=\"allow-scripts allow-popups\""),
        ("sandbox=\"allow-scripts\"", "sandbox=\"ALLOW-SCRIPTS\""),
        ("height=", "allow=\"camera\" height="),
        ("height=", "name=\"a\" height="),
        ("height=", "allowfullscreen height="),
        ("title=\"A map\"", ""),
        ("src=\"ISLAND\"", "src=\"index.html\""),
        ("src=\"ISLAND\"", "src=\"ISLAND?a\""),
        ("src=\"ISLAND\"", "src=\"ISLAND#a\""),
    ] {
        assert_eq!(framed(from, to), [Rule::Island], "{to}");
    }
    for (from, to) in [
        ("src=\"ISLAND\"", "src=\"https://a.example/\""),
        ("src=\"ISLAND\"", "src=\"data:text/html,a\""),
        ("src=\"ISLAND\"", "src=\"islands/b.html\""),
        ("src=\"ISLAND\"", "src=\"ISLAND\" srcdoc=\"a\""),
    ] {
        assert!(framed(from, to).contains(&Rule::Island), "{to}");
    }
    assert_eq!(framed("frame-src 'self'; ", ""), [Rule::PolicyStrength]);
    assert_eq!(framed("<iframe", "<div></div><p"), [Rule::Markup, Rule::PolicyStrength]);
    assert!(framed("frame-src 'self'", "frame-src *").contains(&Rule::PolicyStrength));
}

#[test]
fn the_file_of_an_island_holds_what_its_policy_names() {
    let script = format!("{ONLY_HERE}let a;");
    let code = island_code();
    let edited = |from: &str, to: &str| {
        let files = island_site(&code, &[&script], |it| it.replacen(from, to, 1), same);
        rules(&verify_files(&files))
    };
    for (from, to) in [
        ("connect-src 'none'", "connect-src 'self'"),
        ("img-src data:", "img-src data: https://a.example"),
        ("script-src ", "script-src 'unsafe-inline' "),
        ("script-src ", "script-src 'unsafe-eval' "),
        ("script-src ", "script-src 'self' "),
        ("default-src 'none'; ", ""),
        ("frame-src 'none'; ", ""),
        ("base-uri", "navigate-to *; base-uri"),
        ("default-src", "default-src 'none'; default-src"),
    ] {
        assert!(edited(from, to).contains(&Rule::PolicyStrength), "{to}");
    }
    for (from, to) in [
        ("<p>a</p>", "<p>a</p><script>1</script>"),
        ("<p>a</p>", "<p>a</p><img>"),
        ("<p>a</p>", "<p id=\"a\">a</p>"),
        ("<p>a</p>", "<p onclick=\"a\">a</p>"),
        ("application/json", "text/javascript"),
        ("<script>if (", "<script src=\"a.js\">if ("),
        ("<script>if (", "<script type=\"module\">if ("),
    ] {
        assert!(edited(from, to).contains(&Rule::Island), "{to}");
    }
    assert!(edited("name=\"robots\"", "http-equiv=\"refresh\"").contains(&Rule::MetaDirective));
    assert_eq!(edited("let a;", "let b;"), [Rule::ScriptHash, Rule::UnusedHash]);
    assert_eq!(edited("p{margin:0}", "p{margin:1px}"), [Rule::StyleHash, Rule::UnusedHash]);
    // Without the guards, code of a notebook would run with the rights of the site, or in frames of the frame.
    for code in ["JSON.parse('')", &format!("JSON.parse(''); {GUARD}")] {
        let files = island_site(code, &[&script], same, same);
        assert_eq!(rules(&verify_files(&files)), [Rule::Island], "{code}");
    }
    let files = island_site(&code, &["let a;"], same, same);
    assert_eq!(rules(&verify_files(&files)), [Rule::Island]);
}

#[test]
fn an_island_has_its_hash_in_its_name_and_no_place_in_one_file() {
    let script = format!("{ONLY_HERE}let a;");
    let mut files = island_site(&island_code(), &[&script], same, same);
    let single = seal(files.clone(), "single");
    let found = rules(&verify_files(&single));
    assert!(
        found.contains(&Rule::ForbiddenElement) && found.contains(&Rule::SelfContained),
        "{found:?}"
    );
    let path = files.keys().find(|it| it.starts_with("islands/")).unwrap().clone();
    let bytes = files.remove(&path).unwrap();
    files.insert("islands/a.html".into(), bytes);
    let page =
        String::from_utf8(files["index.html"].clone()).unwrap().replace(&path, "islands/a.html");
    files.insert("index.html".into(), page.into_bytes());
    assert_eq!(rules(&verify_files(&seal(files, "site"))), [Rule::HashedName]);
}

#[test]
fn meta_directives_are_refused() {
    body_breaks_only(
        Rule::MetaDirective,
        &[
            "<meta http-equiv=\"refresh\" content=\"0;url=https://example.org\">",
            "<META HTTP-EQUIV=Set-Cookie>",
        ],
    );
}

#[test]
fn styles_load_only_data_and_own_files() {
    for css in [
        "@import 'x.css';",
        "@import url(x.css);",
        "a{b:url(https://example.org/x)}",
        "a{b:url(//example.org/x)}",
        "a{b:u\\72l(//example.org/x)}",
        "a{b:url(data:text/html,x)}",
        "a{b:image-set('x' 1x)}",
        "a{b:url(gone.png)}",
        "a{b:'x\n}",
        "/*",
    ] {
        let inline = single_page()
            .replace(STYLE, css)
            .replace(&integrity(STYLE.as_bytes()), &integrity(css.as_bytes()));
        assert_eq!(rules(&verify_files(&single(&inline))), [Rule::StyleAddress], "{css}");
        let mut files = site(|page| page);
        files.insert(hashed("x", "css", css.as_bytes()), css.as_bytes().to_vec());
        assert_eq!(rules(&verify_files(&seal(files, "site"))), [Rule::StyleAddress], "{css}");
    }
    let mut files = site(|page| page);
    let name = plot().replace("assets/", "");
    let css = format!("@font-face{{src:url({name})}}");
    files.insert(hashed("x", "css", css.as_bytes()), css.into());
    assert_eq!(verify_files(&seal(files, "site")), []);
}

#[test]
fn a_single_page_needs_no_other_file() {
    for markup in ["<img src=\"plot.png\">", "<img srcset=\"plot.png 2x\">"] {
        let page = single_page().replace("<p>Hi", &format!("{markup}<p>Hi"));
        let mut files = single(&page);
        files.insert("plot.png".into(), Vec::new());
        let found = rules(&verify_files(&seal(files, "single")));
        assert_eq!(found, [Rule::PassiveFile, Rule::SelfContained], "{markup}");
    }
}

#[test]
fn relative_links_lead_to_files() {
    body_breaks_only(
        Rule::BrokenLink,
        &[
            "<a href=\"gone.html\">a</a>",
            "<a href=\"../report.html\">a</a>",
            "<a href=\"/report.html\">a</a>",
            "<a href=\"//example.org/\">a</a>",
            "<a href=\"./\">a</a>",
            "<a href=\"report%2Ehtml\">a</a>",
            "<map><area href=\"gone.html\"></map>",
            "<a href=\"#gone\">a</a>",
            "<a href=\"report.html#gone\">a</a>",
            "<p name=\"gone\"></p><a href=\"#gone\">a</a>",
            "<svg><a xlink:href=\"#gone\"><path></path></a></svg>",
        ],
    );
    let up = |address: &str| {
        let (top, index) = (format!("index.html{address}"), "a/report.html\">a</a>");
        let mut files = site(|page| page.replace("index.html#top", &top));
        let text = String::from_utf8(files.remove("index.html").unwrap()).unwrap();
        let text = text.replace(index, &format!("{index}<p id=\"here\">a</p>"));
        files.insert("index.html".into(), text.into_bytes());
        rules(&verify_files(&seal(files, "site")))
    };
    assert_eq!(up("#here"), []);
    assert_eq!(up("?a=1#here"), []);
    assert_eq!(up("#gone"), [Rule::BrokenLink]);
    let image = site(|page| page.replace(&plot(), "gone.png"));
    assert_eq!(rules(&verify_files(&image)), [Rule::BrokenLink]);
}

#[test]
fn links_that_open_a_window_do_not_hand_it_over() {
    body_breaks_only(
        Rule::LinkOpener,
        &[
            "<a href=\"https://example.org/\" target=\"_blank\">a</a>",
            "<a href=\"https://example.org/\" target=\"other\" rel=\"nofollow\">a</a>",
            "<svg><a href=\"https://example.org/\" target=\"_BLANK\"></a></svg>",
        ],
    );
}

#[test]
fn folders_are_read_without_following_links() {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap();
    for (path, bytes) in site(|page| page) {
        let path = root.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }
    assert_eq!(verify_folder(root).unwrap(), []);
    fs_err::write(root.join(".htaccess"), "x").unwrap();
    std::os::unix::fs::symlink("/etc", root.join("etc")).unwrap();
    let findings = verify_folder(root).unwrap();
    let files: Vec<_> = findings.iter().map(|it| (it.file.as_str(), it.rule)).collect();
    assert_eq!(files, [(".htaccess", Rule::SafePath), ("etc", Rule::SafePath)]);
    assert!(verify_folder(&root.join("gone")).is_err());
    // Names that begin with a dot are looked at where one of them is allowed, and one by one.
    fs_err::create_dir(root.join(".well-known")).unwrap();
    fs_err::create_dir(root.join(".git")).unwrap();
    for path in [".nojekyll", ".well-known/security.txt", ".well-known/x.txt", ".git/x.txt"] {
        fs_err::write(root.join(path), "").unwrap();
    }
    let expected = allowing(&[".nojekyll", ".well-known/security.txt"]);
    let findings = nbc::verify::verify_folder(root, &expected).unwrap();
    let files: BTreeSet<_> = findings.iter().map(|it| it.file.as_str()).collect();
    assert_eq!(files, [".git", ".htaccess", ".well-known/x.txt", "etc"].into());
    // A link is none of the host's files, whatever its name.
    std::os::unix::fs::symlink("/etc/hostname", root.join("CNAME")).unwrap();
    let findings = nbc::verify::verify_folder(root, &allowing(&["CNAME"])).unwrap();
    assert!(findings.iter().any(|it| it.file == "CNAME" && it.rule == Rule::SafePath));
}

#[test]
fn a_site_that_passes_becomes_a_proof() {
    use nbc::site::{Asset, Site, SitePath};
    let build = |files: Files| {
        let mut site = Site::default();
        for (path, bytes) in files {
            site.add(Asset::new(SitePath::new(&path).unwrap(), bytes)).unwrap();
        }
        nbc::verify::verify(site, &expected())
    };
    let proof = build(single(&single_page())).unwrap();
    assert_eq!(proof.site().files().count(), 2);
    let findings = build(single(&single_page().replace("<p>", "<p onclick=x>"))).unwrap_err();
    assert_eq!(rules(&findings), [Rule::InlineHandler]);
}

/// Time grows with the size, not with its square: ten times the markup within a few seconds.
#[test]
fn large_and_hostile_pages_take_linear_time() {
    let started = std::time::Instant::now();
    for unit in [
        "<b>",
        "</b>",
        "<p a=1 ",
        "<svg>",
        "<!--",
        "&amp",
        "<b onclick=x style=y>",
        "<html></html>",
        "<style>a{b:url(x)}</style>\n",
        "<style>/*\n",
        "<a href=x srcset=,,, >",
    ] {
        let markup = unit.repeat(400_000 / unit.len());
        assert!(!with_body(&markup).is_empty());
        assert!(!verify_files(&single(&markup)).is_empty());
    }
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

/// The tree that html5ever builds of a page: each element with its attributes, and the text of scripts and styles. It
/// is the parser of the writer, and close to those of browsers.
fn elements_by_tree_builder(page: &str) -> Vec<String> {
    use html5ever::tendril::TendrilSink as _;
    use markup5ever_rcdom::{Handle, NodeData, RcDom};
    fn walk(node: &Handle, found: &mut Vec<String>) {
        if let NodeData::Element { name, attrs, template_contents, .. } = &node.data {
            let mut attributes: Vec<String> = attrs
                .borrow()
                .iter()
                .map(|it| {
                    let prefix =
                        it.name.prefix.as_ref().map_or(String::new(), |it| format!("{it}:"));
                    format!("{prefix}{}={:?}", it.name.local, &*it.value).to_lowercase()
                })
                .collect();
            attributes.sort();
            let space = name.ns.rsplit('/').next().unwrap_or_default().to_lowercase();
            let mut line = format!("{space} {} {attributes:?}", name.local.to_lowercase());
            if matches!(&*name.local, "script" | "style") {
                for child in node.children.borrow().iter() {
                    if let NodeData::Text { contents } = &child.data {
                        write!(line, " {:?}", &**contents.borrow()).unwrap();
                    }
                }
            }
            found.push(line);
            if let Some(contents) = &*template_contents.borrow() {
                walk(contents, found);
            }
        }
        for child in node.children.borrow().iter() {
            walk(child, found);
        }
    }
    let options = html5ever::ParseOpts {
        tree_builder: html5ever::tree_builder::TreeBuilderOpts {
            scripting_enabled: true,
            ..Default::default()
        },
        ..Default::default()
    };
    let dom = html5ever::parse_document(RcDom::default(), options).one(page);
    let mut found = Vec::new();
    walk(&dom.document, &mut found);
    found
}

/// Whether a tree of a page that passed holds anything that no page may have.
fn hazard(elements: &[String]) -> Option<&String> {
    const KNOWN_TEXTS: [&str; 2] = [SCRIPT, STYLE];
    elements.iter().find(|element| {
        let words: Vec<&str> = element.split(' ').collect();
        let is_code = matches!(words[1], "script" | "style")
            && !element.contains("application/json")
            && !KNOWN_TEXTS.iter().any(|text| element.ends_with(&format!(" {text:?}")));
        is_code
            || matches!(
                words[1],
                "iframe" | "object" | "embed" | "base" | "noscript" | "foreignobject"
            )
            || element.contains("\"on")
            || element.contains("\"style=")
            || element.contains("javascript:alert")
    })
}

const PIECES: [&str; 64] = [
    "<b>",
    "</b>",
    "<p>",
    "</p>",
    "<svg>",
    "</svg>",
    "<math>",
    "</math>",
    "<mtext>",
    "</mtext>",
    "<mi>",
    "</mi>",
    "<style>",
    "</style>",
    "<script>",
    "</script>",
    "<title>",
    "</title>",
    "<textarea>",
    "</textarea>",
    "<table>",
    "</table>",
    "<tbody>",
    "</tbody>",
    "<tr>",
    "</tr>",
    "<td>",
    "</td>",
    "<select>",
    "</select>",
    "<option>",
    "</option>",
    "<template>",
    "</template>",
    "<a href=\"#x\">",
    "</a>",
    "<form>",
    "</form>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<g>",
    "</g>",
    "<path/>",
    "<br>",
    "<img src=\"data:image/png,\" title=\"",
    "\">",
    "<image/>",
    "text",
    "<b onclick=\"x\">",
    "<i style=\"a:b\">",
    "</i>",
    "<a href=\"javascript:alert(1)\">",
    "<iframe>",
    "</iframe>",
    "<noscript>",
    "</noscript>",
    "<button>",
    "</button>",
    "<font color=\"red\">",
    "</font>",
    "<caption>",
    "</caption>",
];

/// How many pages a property is tried on: `NBC_VERIFY_CASES`, by hand.
fn cases(default: u32) -> u32 {
    let asked = std::env::var("NBC_VERIFY_CASES").ok();
    asked.map_or(default, |it| it.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(4_000), failure_persistence: None, ..ProptestConfig::default() })]

    /// Markup that opens and closes, so that much of it passes; what passes must be harmless to a
    /// real tree builder too.
    #[test]
    fn what_passes_is_harmless_to_a_tree_builder(
        choices in proptest::collection::vec((0_usize..PIECES.len(), any::<bool>()), 1..10)
    ) {
        let (mut before, mut after) = (String::new(), String::new());
        for (choice, closes) in choices {
            let piece = PIECES[choice];
            before.push_str(piece);
            if closes && piece.starts_with('<') && piece.ends_with('>') && !piece.contains(['/', '!']) {
                let name: String = piece[1..].chars().take_while(char::is_ascii_alphanumeric).collect();
                after.insert_str(0, &format!("</{name}>"));
            }
        }
        let page = single_page().replace("<p>Hi", &format!("{before}{after}<p>Hi"));
        if verify_files(&single(&page)).is_empty() {
            let elements = elements_by_tree_builder(&page);
            prop_assert_eq!(hazard(&elements), None, "{}{}", before, after);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(400), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), extension in "html|css|json") {
        let path = if extension == "json" { "manifest.json".to_owned() } else { format!("x.{extension}") };
        prop_assert!(!verify_files(&Files::from([(path, bytes)])).is_empty());
    }

    #[test]
    fn mutations_never_panic_and_never_pass_unnoticed(
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..6, "[<>/\"'&;=a-z!\\-\\\\(\0\r\n]{0,6}"), 1..4)
    ) {
        let good = single(&single_page());
        let mut bytes = good["report.html"].clone();
        for (at, length, text) in cuts {
            let at = at.index(bytes.len());
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, text.bytes());
        }
        let is_same = bytes == good["report.html"];
        let mut files = good;
        files.insert("report.html".into(), bytes);
        // The manifest still has the digest of the good page.
        prop_assert_eq!(verify_files(&files).is_empty(), is_same);
    }
}

const MODEL: &str = r#"{"widgets": [
    {"kind": "slider", "name": "n", "values": [1, 2], "labels": ["1", "2"], "initial": 1, "total": 9, "resets": [2]},
    {"kind": "check", "values": [false, true], "labels": ["no", "yes"], "initial": 0, "total": 2},
    {"kind": "group", "parts": [0, 1], "initial": 2, "total": 18},
    {"kind": "form", "parts": [2], "initial": 0, "total": 19}],
    "slots": {"3": [3, [null, 0, [1, [0, 1]], 2, 1]], "14": 2}, "chunks": [2, 1]}"#;
const CONTENTS: [&str; 2] = [
    r#"[["<p>one <a href=\"x/gone.html\">x</a></p>", ""], ["<div class=\"nbc-live\" data-widget=\"3\">x</div>", ".a{color:red}"]]"#,
    r#"[["", ""]]"#,
];

/// The element of a piece.
fn piece(name: &str, json: &str) -> String {
    format!("<script type=\"text/plain\" data-states=\"{name}\">{}</script>", packed(json))
}

/// A page of the `single` layout whose states are these.
fn with_states(model: &str, contents: [&str; 2]) -> String {
    let [first, second] = contents.map(|it| it.replace("x/gone.html", "#x"));
    let pieces = [piece("model", model), piece("0", &first), piece("1", &second)].concat();
    let places =
        "<div data-slot=\"3\"><div data-widget=\"0\">n</div></div><div data-slot=\"14\"></div>";
    single_page()
        .replace("trusted-types 'none'", "trusted-types nbc-states")
        .replace("<p>Hi", &format!("{places}{pieces}<p>Hi"))
}

#[test]
fn parts_that_are_shared_cannot_stand_for_very_many() {
    let doubled = |times: usize| {
        let one =
            r#"{"kind": "check", "values": [false], "labels": ["no"], "initial": 0, "total": 1}"#;
        let group = |at: usize| {
            format!(r#"{{"kind": "group", "parts": [{at}, {at}], "initial": 0, "total": 1}}"#)
        };
        let groups = (4..4 + times).map(group);
        let more = std::iter::once(one.to_owned()).chain(groups).collect::<Vec<_>>().join(", ");
        let model = MODEL.replace("\"total\": 19}]", &format!("\"total\": 19}}, {more}]"));
        rules(&verify_files(&single(&with_states(&model, CONTENTS))))
    };
    assert_eq!(doubled(3), []);
    assert!(doubled(40).contains(&Rule::States));
}

#[test]
fn states_are_data_of_the_known_shape() {
    let good = with_states(MODEL, CONTENTS);
    assert_eq!(verify_files(&single(&good)), []);
    for (from, to) in [
        ("\"widgets\"", "\"inputs\""),
        ("\"widgets\"", "\"more\": 1, \"widgets\""),
        ("\"labels\": [\"1\", \"2\"]", "\"labels\": [\"1\"]"),
        ("\"labels\": [\"1\", \"2\"]", "\"labels\": [1, 2]"),
        ("\"initial\": 1", "\"initial\": 2"),
        ("\"initial\": 1", "\"start\": 1"),
        ("\"total\": 9", "\"total\": 1"),
        ("\"resets\": [2]", "\"resets\": [4]"),
        ("\"kind\": \"check\"", "\"kind\": \"script\""),
        ("\"parts\": [0, 1]", "\"parts\": [0, 2]"),
        ("\"parts\": [0, 1]", "\"parts\": [0]"),
        ("\"parts\": [2]", "\"parts\": [2, 0]"),
        ("\"parts\": [2]", "\"parts\": [3]"),
        ("\"name\": \"n\"", "\"name\": {}"),
        ("[null, 0", "[null, 3"),
        ("[null, 0", "[null, -1"),
        ("[null, 0", "[0"),
        ("[null, 0", "[\"0\", 0"),
        ("[1, [0, 1]]", "[1, [0, 1], 2]"),
        ("[1, [0, 1]]", "[9, [0, 1]]"),
        ("\"14\": 2", "\"15\": 2"),
        ("\"14\": 2", "\"x\": 2"),
        ("\"14\": 2", "\"014\": 2"),
        (", \"14\": 2", ""),
        ("\"chunks\": [2, 1]", "\"chunks\": [1, 2]"),
        ("\"chunks\": [2, 1]", "\"chunks\": [2]"),
        ("\"chunks\": [2, 1]", "\"chunks\": [2, 1, 0]"),
        ("\"chunks\": [2, 1]", "\"chunks\": [2, -1]"),
    ] {
        assert!(MODEL.contains(from), "{from}");
        let case = with_states(&MODEL.replacen(from, to, 1), CONTENTS);
        breaks(&verify_files(&single(&case)), Rule::States, to);
    }
    let deep = format!("{}0{}", "[1,[0,".repeat(50_000), "]]".repeat(50_000));
    let case = with_states(&MODEL.replace("\"14\": 2", &format!("\"14\": {deep}")), CONTENTS);
    breaks(&verify_files(&single(&case)), Rule::States, "deep");
}

#[test]
fn the_markup_of_states_keeps_the_rules_of_a_page() {
    let content = |html: &str, css: &str| {
        let second = serde_json::json!([[html, css]]).to_string();
        with_states(MODEL, [CONTENTS[0], &second])
    };
    for (html, rule) in [
        ("<script>alert(1)</script>", Rule::States),
        ("<svg><script>alert(1)</script></svg>", Rule::States),
        ("<style>a{}</style>", Rule::States),
        ("<link rel=stylesheet href=x>", Rule::States),
        ("<template><p>x</p></template>", Rule::States),
        ("<dialog open><p>x</p></dialog>", Rule::States),
        ("<div popover=manual><p>x</p></div>", Rule::States),
        ("<div data-slot=\"3\"></div>", Rule::States),
        ("<div data-widget=\"4\"></div>", Rule::States),
        ("<div data-widget=\"00\"></div>", Rule::States),
        ("<div data-src=\"x\"></div>", Rule::States),
        ("<p onclick=\"alert(1)\">x</p>", Rule::InlineHandler),
        ("<p style=\"color:red\">x</p>", Rule::StyleAttribute),
        ("<a href=\"javascript:alert(1)\">x</a>", Rule::ActiveAddress),
        ("<a href=\"gone.html\">x</a>", Rule::BrokenLink),
        ("<a href=\"#gone\">x</a>", Rule::BrokenLink),
        ("<img src=\"https://e.x/\" alt=\"\">", Rule::ForeignLoad),
        ("<img src=\"x.png\" alt=\"\">", Rule::SelfContained),
        ("<iframe></iframe>", Rule::ForbiddenElement),
        ("<object></object>", Rule::ForbiddenElement),
        ("</div><p>x</p>", Rule::Markup),
        ("<p>x", Rule::Markup),
    ] {
        breaks(&verify_files(&single(&content(html, ""))), rule, html);
    }
    for (css, rule) in [
        ("a{background:url(https://e.x/)}", Rule::StyleAddress),
        ("@import 'x';", Rule::StyleAddress),
        ("</style><script>alert(1)</script><style>", Rule::States),
    ] {
        breaks(&verify_files(&single(&content("<p>x</p>", css))), rule, css);
    }
    let playing = "<audio controls=\"\" src=\"data:audio/wav;base64,AA==\"></audio>";
    let case = content(playing, "").replace("font-src data:;", "font-src data:; media-src data:;");
    assert_eq!(verify_files(&single(&case)), []);
    let case = content("", "").replace("font-src data:;", "font-src data:; media-src data:;");
    breaks(&verify_files(&single(&case)), Rule::PolicyStrength, "media");
}

#[test]
fn states_are_packed_in_one_way_and_their_policy_is_exact() {
    let good = with_states(MODEL, CONTENTS);
    let second = piece("1", CONTENTS[1]);
    assert!(good.contains(&second));
    let packed_second = packed(CONTENTS[1]);
    let with = |text: &str| good.replace(&second, text);
    let named =
        |text: &str| format!("<script type=\"text/plain\" data-states=\"1\">{text}</script>");
    let mut trailing = base64::engine::general_purpose::STANDARD.decode(&packed_second).unwrap();
    trailing.extend(trailing.clone());
    let trailing = base64::engine::general_purpose::STANDARD.encode(trailing);
    let bomb = packed(&format!("[[\"{}\",\"\"]]", " ".repeat(65 << 20)));
    let half = packed_second.get(..packed_second.len() / 2).unwrap();
    let long = packed("[[\"\",\"\"],[\"\",\"\"]]");
    for case in [
        with(""),
        with(&second.repeat(2)),
        with(&piece("2", CONTENTS[1])),
        with(&format!("{second}{}", piece("2", CONTENTS[1]))),
        with(&named("")),
        with(&named("%%%%")),
        with(&named(half)),
        with(&named(&trailing)),
        with(&named(&bomb)),
        with(&named(&long)),
        with(&named(&packed("{\"a\": 1}"))),
        with(&named(&packed("[[\"\"]]"))),
        with(&named(&packed("not JSON"))),
        with(&second.replace("text/plain", "application/json")),
        with(&second.replace("<script", "<script id=\"x\"")),
        with(&format!("<p data-states=\"1\">{packed_second}</p>")),
        with(&second.replace("\">", "\" data-src=\"states.bin\" data-integrity=\"x\">")),
        good.replace(&piece("model", MODEL), ""),
        good.replace("data-slot=\"14\"", "data-slot=\"15\""),
        good.replace("<div data-slot=\"14\"></div>", ""),
        good.replace("data-slot=\"14\"", "data-slot=\"3\""),
        good.replace("data-widget=\"0\"", "data-widget=\"77\""),
        single_page().replace("<p>Hi", "<p data-slot=\"1\">Hi"),
        single_page().replace("<p>Hi", "<p data-widget=\"0\">Hi"),
    ] {
        breaks(&verify_files(&single(&case)), Rule::States, &case);
    }
    for case in [
        good.replace("trusted-types nbc-states", "trusted-types 'none'"),
        good.replace("trusted-types nbc-states", "trusted-types nbc-states nbc"),
        good.replace("trusted-types nbc-states", "trusted-types *"),
        good.replace("connect-src 'none'", "connect-src 'self'"),
        single_page().replace("trusted-types 'none'", "trusted-types nbc-states"),
    ] {
        breaks(&verify_files(&single(&case)), Rule::PolicyStrength, &case);
    }
}

#[test]
fn states_in_files_are_those_that_the_page_names() {
    let bytes = base64::engine::general_purpose::STANDARD.decode(packed(CONTENTS[1])).unwrap();
    let (path, digest) = (hashed("states", "bin", &bytes), integrity(&bytes));
    let site_with = |file: &[u8], stated: &str, source: &str, connect: &str| {
        let element = format!(
            "<script type=\"text/plain\" data-states=\"1\" data-src=\"{source}\" data-integrity=\"{stated}\"></script>"
        );
        let first = CONTENTS[0].replace("x/gone.html", "../index.html");
        let pieces = [piece("model", MODEL), piece("0", &first), element].concat();
        let places = "<div data-slot=\"3\"></div><div data-slot=\"14\"></div>";
        let edit = |page: String| {
            page.replace("trusted-types 'none'", "trusted-types nbc-states")
                .replace("connect-src 'none'", &format!("connect-src {connect}"))
                .replace("<p>Hi", &format!("{places}{pieces}<p>Hi"))
        };
        let mut files = site(edit);
        files.insert(path.clone(), file.to_vec());
        verify_files(&seal(files, "site"))
    };
    let source = format!("../{path}");
    assert_eq!(site_with(&bytes, &digest, &source, "'self'"), []);
    breaks(&site_with(b"other", &digest, &source, "'self'"), Rule::States, "another file");
    breaks(&site_with(&bytes, "sha384-x", &source, "'self'"), Rule::States, "another digest");
    breaks(&site_with(&bytes, &digest, "../gone.bin", "'self'"), Rule::States, "no file");
    breaks(&site_with(&bytes, &digest, "https://e.x/", "'self'"), Rule::States, "elsewhere");
    breaks(&site_with(&bytes, &digest, &source, "'none'"), Rule::PolicyStrength, "no fetch");
}

/// A page with runtimes of these kinds, and states whose last content is this.
fn with_charts(kinds: &[&str], body: &str, content: &serde_json::Value) -> Vec<Finding> {
    let script = "draw()";
    let runtimes = kinds.iter().map(|kind| {
        format!("<script type=\"text/plain\" data-runtime=\"{kind}\">{}</script>", packed(script))
    });
    let runtimes: String = runtimes.collect();
    let digest = integrity(script.as_bytes());
    let second = serde_json::json!([content]).to_string();
    let mut page =
        with_states(MODEL, [CONTENTS[0], &second]).replace("<p>Hi", &format!("{body}<p>Hi"));
    if !kinds.is_empty() {
        page = page
            .replace("trusted-types nbc-states", "trusted-types nbc nbc-states")
            .replace("<p>Hi", &format!("{runtimes}<p>Hi"))
            .replacen("script-src ", &format!("script-src '{digest}' "), 1);
    }
    verify_files(&single(&page))
}

fn chart_figure(kind: &str) -> String {
    format!(
        "<figure class=\"nbc-chart\" id=\"o-s3-chart-1\" data-chart=\"{kind}\"><div>still</div></figure>"
    )
}

#[test]
fn a_chart_and_its_data_come_together() {
    let data = r#"{"lite": true, "spec": {"mark": "bar", "data": {"values": [{"href": "x"}]}}}"#;
    let figure = chart_figure("vega");
    let content = |html: &str, charts: serde_json::Value| serde_json::json!([html, "", charts]);
    let one = serde_json::json!([["o-s3-chart-1", data]]);
    assert_eq!(with_charts(&["vega"], "", &content(&figure, one.clone())), []);
    let script =
        |id: &str| format!("<script type=\"application/json\" id=\"{id}\">{data}</script>");
    let plain = serde_json::json!(["<p>x</p>", ""]);
    // The id of a figure on the page is free for states.
    let body = figure.clone() + &script("o-s3-chart-1-data");
    assert_eq!(with_charts(&["vega"], &body, &content(&figure, one.clone())), []);
    for (kinds, body, html, charts) in [
        (&["vega"] as &[&str], "", figure.as_str(), serde_json::json!([["o-s3-chart-2", data]])),
        (&["vega"], "", "<p>x</p>", one.clone()),
        (&["vega"], "", &figure.repeat(2), one.clone()),
        (&["vega"], "", &figure, serde_json::json!([one[0], one[0]])),
        (&["vega"], "", &figure.replace("figure", "div"), one.clone()),
        (&["vega"], "", &figure.replace("\"vega\"", "\"plotly\""), one.clone()),
        (&["vega"], "", &figure.replace("id=", "lang="), one.clone()),
        (&[], "", &figure, one.clone()),
        (&["plotly"], "", &figure, one.clone()),
    ] {
        let found = with_charts(kinds, body, &content(html, charts.clone()));
        breaks(&found, Rule::Charts, &format!("{html} {charts}"));
    }
    breaks(&with_charts(&["vega"], "", &serde_json::json!([figure, ""])), Rule::Charts, "no data");
    for body in [
        figure.clone(),
        script("o-s3-chart-1-data"),
        figure.clone() + &script("o-s3-chart-1"),
        figure.clone() + &script("o-s3-chart-1-data").repeat(2),
    ] {
        breaks(&with_charts(&["vega"], &body, &plain), Rule::Charts, &body);
    }
    for shape in [
        content(&figure, serde_json::json!([])),
        content(&figure, serde_json::json!({"o-s3-chart-1": data})),
        content(&figure, serde_json::json!([["o-s3-chart-1", {"lite": true, "spec": {}}]])),
        content(&figure, serde_json::json!([["o-s3-chart-1", data, 1]])),
        serde_json::json!([figure, "", one, 1]),
    ] {
        breaks(&with_charts(&["vega"], "", &shape), Rule::States, &shape.to_string());
    }
}

#[test]
fn the_data_of_charts_name_no_code_and_load_nothing() {
    let check = |kind: &str, data: &str| {
        let charts = serde_json::json!([["o-s3-chart-1", data]]);
        let content = serde_json::json!([chart_figure(kind), "", charts]);
        let body = format!(
            "{}<script type=\"application/json\" id=\"o-s3-chart-1-data\">{data}</script>",
            chart_figure(kind)
        );
        let in_page = with_charts(&[kind], &body, &serde_json::json!(["", ""]));
        (with_charts(&[kind], "", &content), in_page)
    };
    let vega = r#"{"lite": false, "spec": {"marks": [{"type": "rect", "x": 1}], "title": "url"}}"#;
    let plotly = r#"{"data": [{"type": "bar", "y": [1]}], "layout": {"title": {"text": "<b>a</b> url(b"}, "images": [{"source": "data:image/png;base64,AA=="}]}, "frames": []}"#;
    let plotly = &plotly.replace(" url(b", "");
    let bokeh = r#"{"doc": {"version": "3.9.2", "title": "", "roots": [{"type": "object", "name": "Figure", "attributes": {"title": {"type": "object", "name": "Title"}}}]}, "root": "p1"}"#;
    for (kind, good, cases) in [
        (
            "vega",
            vega,
            &[
                ("\"lite\"", "\"late\""),
                ("\"lite\": false, ", ""),
                ("\"x\": 1", "\"url\": \"https://e.x\""),
                ("\"x\": 1", "\"href\": {}"),
                ("\"x\": 1", "\"cursor\": \"x\""),
                ("\"x\": 1", "\"encode\": {\"update\": {\"ariaRole\": {\"value\": \"alert\"}}}"),
                ("\"x\": 1", "\"transform\": [{\"type\": \"formula\", \"as\": \"ariaRole\"}]"),
                ("\"x\": 1", "\"transform\": {\"type\": \"formula\", \"as\": {\"signal\": \"n\"}}"),
                ("\"x\": 1", "\"transform\": [{\"type\": \"lookup\", \"values\": [\"ariaRole\"]}]"),
                ("\"x\": 1", "\"on\": [{\"trigger\": \"a\", \"modify\": \"b\"}]"),
                ("rect", "image"),
                ("\"x\": 1", "\"mark\": \"image\""),
                ("\"x\": 1", "\"fill\": \"URL(//e.x)\""),
                ("\"x\": 1", "\"bind\": {\"element\": \"body\"}"),
                ("\"x\": 1", "\"values\": \"a\", \"format\": {\"type\": \"csv\"}"),
                ("{\"marks\"", "[{\"marks\""),
                ("false", "nothing"),
            ] as &[(&str, &str)],
        ),
        (
            "plotly",
            plotly,
            &[
                ("\"frames\": []", "\"config\": {}"),
                ("\"bar\"", "\"scattergl\""),
                ("\"bar\"", "\"choropleth\""),
                ("\"bar\"", "\"scattermapbox\""),
                ("\"bar\"", "7"),
                ("\"frames\": []", "\"frames\": [{\"data\": [{\"type\": \"scattergl\"}]}]"),
                ("\"title\"", "\"mapbox\""),
                ("\"y\"", "\"geojson\""),
                ("data:image/png;base64,AA==", "https://e.x/"),
                ("data:image/png;base64,AA==", "data:image/svg+xml;base64,AA=="),
                ("<b>", "<a href='https://e.x'>"),
                ("<b>", "<b"),
                ("<b>a</b>", "url(//e.x)"),
            ],
        ),
        (
            "bokeh",
            bokeh,
            &[
                ("\"root\"", "\"target\""),
                ("\"Title\"", "\"CustomJS\""),
                ("\"Title\"", "\"Div\""),
                ("\"Title\"", "\"WMTSTileSource\""),
                ("\"Title\"", "\"ImportedStyleSheet\""),
                ("\"name\": \"Title\"", "\"x\": 1"),
                ("\"attributes\": {", "\"attributes\": {\"url\": \"x\", "),
                ("\"attributes\": {", "\"attributes\": {\"js_event_callbacks\": {}, "),
                ("\"attributes\": {", "\"attributes\": {\"styles\": \"@import 'x'\", "),
            ],
        ),
    ] {
        assert_eq!(check(kind, good), (vec![], vec![]), "{kind}");
        for (from, to) in cases {
            assert!(good.contains(from), "{from}");
            let case = good.replacen(from, to, 1);
            let (in_state, in_page) = check(kind, &case);
            breaks(&in_state, Rule::Charts, &case);
            breaks(&in_page, Rule::Charts, &case);
        }
    }
    let deep = format!(
        "{{\"lite\": true, \"spec\": {{\"a\": {}1{}}}}}",
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    breaks(&check("vega", &deep).0, Rule::Charts, "deep");
}

#[test]
fn only_known_scripts_run_whatever_the_policy_names() {
    let own = Expected::default();
    let strict = |files: &Files| rules(&nbc::verify::verify_files(files, &own));
    assert_eq!(strict(&single(&single_page())), [Rule::KnownScript]);
    assert_eq!(strict(&site(|page| page)), [Rule::KnownScript]);
    let runtime = with_runtime(&packed(RUNTIME), "data-runtime=\"vega\"");
    let page_only = Expected::default().with_scripts([integrity(SCRIPT.as_bytes())]);
    let found = nbc::verify::verify_files(&single(&runtime), &page_only);
    assert_eq!(rules(&found), [Rule::KnownScript]);
    let whole = format!("the script `{}` is not one of this nbc", integrity(RUNTIME.as_bytes()));
    assert_eq!(found[0].message, whole);
}

#[test]
fn the_manifest_can_be_known_from_outside() {
    let files = single(&single_page());
    let digest = integrity(&files["manifest.json"]);
    let verify = |files: &Files, digest: &str| {
        let expected = expected().with_manifest(Some(digest.to_owned()));
        nbc::verify::verify_files(files, &expected)
    };
    assert_eq!(verify(&files, &digest), []);
    let changed = single(&single_page().replace("<p>Hi", "<p>Ho"));
    assert_eq!(verify_files(&changed), []);
    assert_eq!(rules(&verify(&changed, &digest)), [Rule::Manifest]);
    assert!(rules(&verify(&Files::new(), &digest)).contains(&Rule::Manifest));
}

#[test]
fn nothing_opens_over_a_page_or_talks_over_it() {
    body_breaks_only(
        Rule::Overlay,
        &[
            "<dialog>a</dialog>",
            "<dialog open>a</dialog>",
            "<div popover>a</div>",
            "<div popover=\"manual\" id=\"x\">a</div>",
            "<button popovertarget=\"x\">a</button>",
            "<button commandfor=\"x\" command=\"show-modal\">a</button>",
            "<input type=\"password\">",
            "<input type=\" PassWord \">",
            "<input>",
            "<input type=\"text\">",
            "<input type=\"file\">",
            "<input type=\"submit\">",
            "<textarea>a</textarea>",
            "<input type=\"checkbox\" autofocus>",
            "<input type=\"text\" disabled autocomplete=\"current-password\">",
            "<p contenteditable>a</p>",
            "<a href=\"#x\" accesskey=\"s\">a</a>",
            "<form>a</form>",
            "<marquee>a</marquee>",
            "<p aria-live=\"assertive\">a</p>",
            "<p ARIA-MODAL=true>a</p>",
            "<p role=\"alert\">a</p>",
            "<p role=\"note STATUS\">a</p>",
            "<svg role=\"log\"><g aria-live=\"polite\"/></svg>",
            "<output>a</output>",
        ],
    );
    for good in [
        "<p role=\"note\">a</p>",
        "<input type=\"password\" disabled>",
        "<input type=\"checkbox\">",
    ] {
        assert_eq!(with_body(good), [], "{good}");
    }
}

#[test]
fn a_download_does_not_start_a_program() {
    for name in [
        "a.exe",
        "report.pdf.SCR",
        "a.bat.",
        "a.lnk ",
        "x.js",
        "a.html",
        "a.svg",
        "a.docm",
        "a.settingcontent-ms",
        "a.py.",
        "a\u{202e}fdp.csv",
        "a/b.csv",
    ] {
        let link = format!("<a download=\"{name}\" href=\"data:application/octet-stream,a\">a</a>");
        body_breaks_only(Rule::ActiveAddress, &[&link]);
    }
    assert_eq!(with_body("<a download=\"Är 1's!.csv\" href=\"data:text/csv,a\">a</a>"), []);
    assert_eq!(with_body("<a download=\"a.csv\" href=\"data:text/csv,a\">a</a>"), []);
}

#[test]
fn a_page_states_no_address_but_its_own() {
    let canonical = "<link rel=\"canonical\" href=\"https://e.org/n/report.html\"><title>A";
    let page = single_page().replace("<title>A", canonical);
    assert_eq!(rules(&verify_files(&single(&page))), [Rule::OwnAddress]);
    let at = |base: &str| {
        let mut files = single(&page);
        let text = String::from_utf8(files["manifest.json"].clone()).unwrap();
        let text = text.replacen('{', &format!("{{\"base_url\":\"{base}\","), 1);
        files.insert("manifest.json".into(), text.into_bytes());
        rules(&verify_files(&files))
    };
    assert_eq!(at("https://e.org/n/"), []);
    assert_eq!(at("https://e.org/"), [Rule::OwnAddress]);
    let og = "<meta property=\"og:url\" content=\"https://evil.example/\"><title>A";
    let page = single_page().replace("<title>A", og);
    assert_eq!(rules(&verify_files(&single(&page))), [Rule::OwnAddress]);
}

#[test]
fn a_page_says_no_more_of_itself_than_nbc_lets_it() {
    for (head, rule) in [
        ("<meta name=\"og:url\" content=\"https://evil.example/\">", Rule::OwnAddress),
        ("<meta property=\"twitter:url\" content=\"https://evil.example/\">", Rule::MetaDirective),
        ("<meta itemprop=\"url\" content=\"https://evil.example/\">", Rule::MetaDirective),
        ("<meta name=\"google-site-verification\" content=\"x\">", Rule::MetaDirective),
        ("<meta name=\"apple-itunes-app\" content=\"app-id=1\">", Rule::MetaDirective),
        ("<meta name=\"Robots\" content=\"noindex\">", Rule::MetaDirective),
        ("<meta name=\"monetization\" content=\"$evil.example\">", Rule::MetaDirective),
        (
            "<link rel=\"alternate\" hreflang=\"x-default\" href=\"https://evil.example/\">",
            Rule::ForeignLoad,
        ),
        ("<link rel=\"me\" href=\"https://evil.example/\">", Rule::ForeignLoad),
        ("<link rel=\"monetization\" href=\"https://evil.example/\">", Rule::ForeignLoad),
        ("<link itemprop=\"url\" href=\"https://evil.example/\">", Rule::ForeignLoad),
    ] {
        let page = single_page().replace("<title>A", &format!("{head}<title>A"));
        assert_eq!(rules(&verify_files(&single(&page))), [rule], "{head}");
    }
    let head = "<meta name=\"theme-color\" media=\"print\" content=\"red\"><meta property=\"og:title\" content=\"A\">";
    let page = single_page().replace("<title>A", &format!("{head}<title>A"));
    assert_eq!(verify_files(&single(&page)), []);
}

#[test]
fn the_address_of_a_site_can_be_known_from_outside() {
    let files = single(&single_page());
    let wanted = expected().with_base_url(Some("https://e.org/".to_owned()));
    assert_eq!(rules(&nbc::verify::verify_files(&files, &wanted)), [Rule::OwnAddress]);
    let mut files = files;
    let text = String::from_utf8(files["manifest.json"].clone()).unwrap();
    let text = text.replacen('{', "{\"base_url\":\"https://e.org/\",", 1);
    files.insert("manifest.json".into(), text.into_bytes());
    assert_eq!(nbc::verify::verify_files(&files, &wanted), []);
}

#[test]
fn no_referrer_policy_is_looser_than_ours() {
    for loose in ["unsafe-url", "origin", "", "no-referrer, unsafe-url"] {
        let meta = format!("<meta name=\"Referrer\" content=\"{loose}\"><title>A");
        let page = single_page().replace("<title>A", &meta);
        assert_eq!(rules(&verify_files(&single(&page))), [Rule::MetaDirective], "{loose}");
    }
    let link = "<a href=\"https://e.org/\" referrerpolicy=\"unsafe-url\">a</a>";
    body_breaks_only(Rule::MetaDirective, &[link]);
    let meta = "<meta name=\"referrer\" content=\"no-referrer\"><title>A";
    assert_eq!(verify_files(&single(&single_page().replace("<title>A", meta))), []);
}
