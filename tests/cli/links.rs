//! Links of notebooks: to headings and anchors of a page, to other pages, and by addresses that stay.

use test_support::{NbcTest, Said};

/// A notebook of prose, one text a cell.
fn prose(cells: &[&str]) -> String {
    let cell =
        |text: &&str| serde_json::json!({"cell_type": "markdown", "metadata": {}, "source": text});
    let cells: Vec<_> = cells.iter().map(cell).collect();
    test_support::notebook(&cells.into())
}

fn built(files: &[(&str, &str)]) -> (NbcTest, Said) {
    let test = NbcTest::new(files);
    let said = test.run(&["build", "in", "-o", "out", "--execute", "never", "--layout", "site"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let verified = test.run(&["verify", "out"]);
    assert_eq!((verified.code, verified.stdout.as_str()), (0, ""), "{}", verified.stderr);
    (test, said)
}

/// The address of the link with a text; `None` where the text is no link.
fn link<'p>(page: &'p str, text: &str) -> Option<&'p str> {
    let end = page.find(&format!(">{text}</a>"))?;
    let tag = &page[page[..end].rfind("<a ")?..end];
    tag.split_once(" href=\"")?.1.split('"').next()
}

#[test]
fn headings_have_ids_that_hold_no_number_of_a_cell() {
    let notebook = prose(&[
        "# The data",
        "## The data\n\n### Content",
        "## What's *new*?\n\n<h3 id=\"Own\">Raw</h3>\n\n<a name='Fig.1'></a>",
        "## Module\n\n## Über $x^2$",
    ]);
    let (test, _) = built(&[("in/a.ipynb", &notebook)]);
    let page = test.read("out/a.html");
    for id in ["the-data", "the-data-1", "content-1", "whats-new", "own", "Fig.1", "module-1"] {
        assert_eq!(page.matches(&format!(" id=\"{id}\"")).count(), 1, "{id}: {page}");
    }
    assert!(
        page.contains("<main id=\"content\"") && page.contains("href=\"#the-data-1\""),
        "{page}"
    );
    assert!(!page.contains("id=\"o-c"), "{page}");
}

#[test]
fn links_of_a_page_find_what_the_tool_of_their_author_finds() {
    let text = "[jupyter](#My-Heading) [github](#my-heading) [second](#twice-1) [encoded](#%C3%9Cber-uns) \
        [letters](#Über-uns) [quote](#What%27s-new?) [number](#1.-Intro) [pandoc](#intro) [name](#anchor) \
        [id](#Place) [formula](#With-$\\alpha$) [code](#Some-`code`) [start](#) [nowhere](#nope)";
    let notebook = prose(&[
        text,
        "## My Heading",
        "## Twice\n\n## Twice",
        "## Über uns\n\n## What's new?\n\n## 1. Intro",
        "<a name=\"anchor\"></a>\n\n<p id=\"Place\">here</p>",
        "## With $\\alpha$\n\n## Some `code`",
    ]);
    let (test, said) = built(&[("in/a.ipynb", &notebook)]);
    let page = test.read("out/a.html");
    for (text, address) in [
        ("jupyter", "#my-heading"),
        ("github", "#my-heading"),
        ("second", "#twice-1"),
        ("encoded", "#über-uns"),
        ("letters", "#über-uns"),
        ("quote", "#whats-new"),
        ("number", "#1-intro"),
        ("pandoc", "#1-intro"),
        ("name", "#anchor"),
        ("id", "#place"),
        ("start", "#content"),
    ] {
        assert_eq!(link(&page, text), Some(address), "{text}: {page}");
    }
    assert!(link(&page, "formula").is_some_and(|it| it.starts_with("#with-")), "{page}");
    assert_eq!(link(&page, "code"), Some("#some-code"), "{page}");
    assert_eq!(link(&page, "nowhere"), None, "{page}");
    assert!(page.contains("nowhere"), "{page}");
    assert_eq!(said.stderr.matches("NBC415").count(), 1, "{}", said.stderr);
    assert!(said.stderr.contains("`#nope`"), "{}", said.stderr);
}

#[test]
fn a_dead_link_is_told_with_its_cell_and_line() {
    let notebook = prose(&["# A", "text\n\n- [x](#gone)\n- [y](b.csv)\n- [z](#Also%20gone)"]);
    let (_, said) = built(&[("in/a.ipynb", &notebook)]);
    for place in ["a.ipynb:cell 2:3:1", "a.ipynb:cell 2:4:1"] {
        assert!(said.stderr.contains(place), "{place}: {}", said.stderr);
    }
    assert!(said.stderr.contains("`#gone`, `#Also%20gone`"), "{}", said.stderr);
}

#[test]
fn links_to_other_notebooks_keep_fragment_and_query() {
    let text = "[b](b.ipynb#Part:-Two) [lower](b.ipynb#part-two) [own](b.html#here) [folder](b/) [query](b.ipynb?x=1#here) \
        [deep](/sub/c.ipynb) [deeper](sub/c.html) [spaces](my%20notes.ipynb) [angle](<my notes.ipynb>) \
        [大阪](大阪.ipynb) [encoded](%E5%A4%A7%E9%98%AA.ipynb#%E5%9C%B0%E5%9B%B3) [self](a.ipynb#A) [home](index.html) \
        [gone](b.ipynb#gone) [missing](z.ipynb) [tel](tel:+49123) [mail](mailto:a@b.org)";
    let (test, said) = built(&[
        ("in/a.ipynb", &prose(&["# A", text])),
        ("in/b.ipynb", &prose(&["## Part: Two\n\n<a id=\"here\"></a>"])),
        ("in/sub/c.ipynb", &prose(&["[up](../a.ipynb#A) [root](/b.html)"])),
        ("in/my notes.ipynb", &prose(&["notes"])),
        ("in/大阪.ipynb", &prose(&["## 地図"])),
    ]);
    let page = test.read("out/a.html");
    for (text, address) in [
        ("b", "b.html#part-two"),
        ("lower", "b.html#part-two"),
        ("own", "b.html#here"),
        ("folder", "b.html"),
        ("query", "b.html?x=1#here"),
        ("deep", "sub/c.html"),
        ("deeper", "sub/c.html"),
        ("spaces", "my-notes.html"),
        ("angle", "my-notes.html"),
        ("大阪", "大阪.html"),
        ("encoded", "大阪.html#地図"),
        ("self", "#a"),
        ("home", "index.html"),
        ("tel", "tel:+49123"),
        ("mail", "mailto:a@b.org"),
    ] {
        assert_eq!(link(&page, text), Some(address), "{text}: {page}");
    }
    // A page without the place is better than no link.
    assert_eq!(link(&page, "gone"), Some("b.html"), "{page}");
    assert_eq!(link(&page, "missing"), None, "{page}");
    assert!(
        said.stderr.contains("`b.ipynb#gone`") && said.stderr.contains("`z.ipynb`"),
        "{}",
        said.stderr
    );
    let deep = test.read("out/sub/c.html");
    assert_eq!(link(&deep, "up"), Some("../a.html#a"));
    assert_eq!(link(&deep, "root"), Some("../b.html"));
}

#[test]
fn addresses_in_prose_are_links() {
    let notebook = prose(&[
        "See https://example.org/page, www.example.org or me@example.org.\n\n`https://code.example.org`",
    ]);
    let (test, _) = built(&[("in/a.ipynb", &notebook)]);
    let page = test.read("out/a.html");
    for address in ["https://example.org/page", "http://www.example.org", "mailto:me@example.org"] {
        assert!(page.contains(&format!("<a href=\"{address}\"")), "{address}: {page}");
    }
    assert!(page.contains("<code>https://code.example.org</code>"), "{page}");
}

#[test]
fn where_a_notebook_is_the_first_page_a_list_leads_to_the_others() {
    let files = [("in/index.ipynb", prose(&["# Start"])), ("in/sub/a.ipynb", prose(&["# Other"]))];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let (test, _) = built(&files);
    let list = test.read("out/notebooks.html");
    assert_eq!(link(&list, "Start"), Some("index.html"), "{list}");
    assert_eq!(link(&list, "Other"), Some("sub/a.html"), "{list}");
    let ways = |page: &str, text| link(&test.read(page), text).map(ToOwned::to_owned);
    assert_eq!(ways("out/index.html", "All notebooks").as_deref(), Some("notebooks.html"));
    assert_eq!(ways("out/index.html", "Home"), None);
    assert_eq!(ways("out/sub/a.html", "All notebooks").as_deref(), Some("../notebooks.html"));
    assert_eq!(ways("out/sub/a.html", "Home").as_deref(), Some("../index.html"));
    // A notebook of that name keeps it.
    let taken = [files[0], files[1], ("in/notebooks.ipynb", &prose(&["# Mine"]))];
    let (test, _) = built(&taken);
    assert!(test.read("out/notebooks.html").contains("Mine"));
    assert_eq!(link(&test.read("out/all-notebooks.html"), "Mine"), Some("notebooks.html"));
    // A page alone needs no list.
    let (test, _) = built(&files[..1]);
    assert_eq!(link(&test.read("out/index.html"), "All notebooks"), None);
    assert!(!test.path("out/notebooks.html").exists());
}
