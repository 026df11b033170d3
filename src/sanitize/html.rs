//! HTML: the pass before the gate, and the gate.
//!
//! In: markup of a notebook. Out: [`SafeHtml`], rules for the page's stylesheet, and what was
//! removed. The pass makes the markup regular (every element closed, bounded depth, ids and classes
//! prefixed, styles moved out) and counts what goes; ammonia, with the tables of [`super::policy`],
//! then decides. Nothing is safe because of the pass.

mod clean;
mod pass;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Removed, SafeCss, SafeHtml, SafePicture, Sanitized, UntrustedHtml, css, reference, scan,
};
use pass::Pass;

/// Longest markup that is read, in bytes.
pub const LONGEST_MARKUP: usize = 8 << 20;
/// Most markup of one output, with what stands in attributes of custom elements: that is read
/// again, once a level.
const MOST_MARKUP: usize = 2 * LONGEST_MARKUP;
/// Deepest nesting of an output over all its pieces. Parsers repair at 512, and a table in a table
/// has four levels where three were written.
const DEEPEST_OUTPUT: usize = 280;
/// Deepest nesting of elements that nbc compiles.
const DEEPEST_CUSTOM: usize = 24;

/// Compiles elements that no browser knows, such as marimo's, to markup that nbc makes.
pub trait CustomElements {
    /// Whether this (lowercase) name is compiled.
    fn claims(&self, name: &str) -> bool;

    /// Whether its compiled form may stand in a paragraph.
    fn is_inline(&self, name: &str) -> bool;

    /// Called at the start of each element, before its content; [`Self::compile`] follows at its end.
    fn open(&self, _element: &CustomElement) {}

    /// The picture at an address, for an `img` whose address holds no picture itself.
    fn picture(&self, _address: &str) -> FoundPicture {
        FoundPicture::NotAsked
    }

    /// Compiles one. `children` is already safe; HTML in attributes goes through
    /// [`Gate::fragment`].
    fn compile(&self, element: &CustomElement, children: SafeHtml, gate: &mut Gate) -> SafeHtml;
}

/// An answer to the question for a picture at an address.
pub enum FoundPicture {
    /// Nobody looks at such addresses.
    NotAsked,
    /// There is none that a page may have, which is told already.
    Refused,
    /// It is here.
    Found(SafePicture),
}

/// No custom element is known.
pub struct NoCustomElements;

impl CustomElements for NoCustomElements {
    fn claims(&self, _name: &str) -> bool {
        false
    }

    fn is_inline(&self, _name: &str) -> bool {
        true
    }

    fn compile(&self, _element: &CustomElement, children: SafeHtml, _gate: &mut Gate) -> SafeHtml {
        children
    }
}

/// A custom element as the notebook wrote it.
#[derive(Debug)]
pub struct CustomElement {
    /// Lowercase name.
    pub name: String,
    /// Attributes, names lowercase, values decoded; hostile.
    pub attributes: BTreeMap<String, String>,
}

/// Collects one output: ids share a prefix, rules share a scope.
pub struct Gate {
    /// Class of the element that holds the output.
    scope: String,
    prefix: String,
    ids: BTreeSet<String>,
    /// Ids that a `use` shows, and ids of elements that hold a `use`.
    used: BTreeSet<String>,
    users: BTreeSet<String>,
    /// Class → declarations; the class is a digest, so equal styles are stored once.
    styles: BTreeMap<String, String>,
    /// Style text as written → class.
    known_styles: BTreeMap<String, Option<String>>,
    sheets: String,
    removed: BTreeMap<String, u32>,
    depth: usize,
    /// Levels of elements around the current markup.
    around: usize,
    /// Bytes of markup that were read.
    read: usize,
    groups: usize,
    /// Whether its code holds a mark that overrides the direction of text.
    is_turned: bool,
}

impl Gate {
    /// A gate for one output. `scope` is unique in the page: `c3-1`.
    pub fn new(scope: &str) -> Self {
        let scope: String =
            scope.chars().filter(|it| it.is_ascii_alphanumeric() || *it == '-').collect();
        Self {
            prefix: format!("o-{scope}-"),
            scope: format!("nbc-out-{scope}"),
            ids: BTreeSet::new(),
            used: BTreeSet::new(),
            users: BTreeSet::new(),
            styles: BTreeMap::new(),
            known_styles: BTreeMap::new(),
            sheets: String::new(),
            removed: BTreeMap::new(),
            depth: 0,
            around: 0,
            read: 0,
            groups: 0,
            is_turned: false,
        }
    }

    /// The class that the element around the output must have for its rules to apply.
    pub fn scope_class(&self) -> &str {
        &self.scope
    }

    /// Prefix of all ids of this output.
    pub fn id_prefix(&self) -> &str {
        &self.prefix
    }

    /// A name for a group of elements of nbc's own that no other group of the page has.
    pub fn group_name(&mut self) -> String {
        self.groups += 1;
        format!("{}group-{}", self.prefix, self.groups)
    }

    /// Notes a removal.
    pub fn remove(&mut self, what: impl Into<String>) {
        let mut what = what.into();
        if what.len() > 80 {
            what = what.chars().take(60).collect();
        }
        // A document with 100,000 invented names must not make 100,000 findings.
        if self.removed.len() >= 64 && !self.removed.contains_key(&what) {
            what = "other markup".to_owned();
        }
        *self.removed.entry(what).or_insert(0) += 1;
    }

    /// Sanitizes markup.
    pub fn fragment(&mut self, raw: &UntrustedHtml, custom: &dyn CustomElements) -> SafeHtml {
        let text = raw.expose();
        self.read = self.read.saturating_add(text.len());
        if text.len() > LONGEST_MARKUP || self.read > MOST_MARKUP {
            self.remove("markup longer than 8 MiB");
            return too_large();
        }
        if self.depth >= DEEPEST_CUSTOM || self.around >= DEEPEST_OUTPUT {
            self.remove("markup nested too deeply");
            return SafeHtml::text(text);
        }
        self.depth += 1;
        let safe = Pass::new(self, custom).run(text);
        self.depth -= 1;
        safe
    }

    /// Reads something that nbc will put `levels` deeper into the output.
    pub fn within<T>(&mut self, levels: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        self.around += levels;
        let result = read(self);
        self.around -= levels;
        result
    }

    /// Ends the output: links within it are resolved, its rules written.
    pub fn finish(mut self, html: SafeHtml) -> Sanitized {
        let mut ids = std::mem::take(&mut self.ids);
        if html.as_str().contains(" href=\"#") {
            ids.append(&mut scan::ids(&html));
        }
        let html = scan::link_fragments(html, |id| {
            // Jupyter's own heading ids keep capitals: `#Set-up`.
            let written = format!("{}{id}", self.prefix);
            let slug = format!("{}{}", self.prefix, scan::slug(id));
            [written, slug].into_iter().find(|it| ids.contains(it))
        });
        let mut sheet = std::mem::take(&mut self.sheets);
        for (class, declarations) in &self.styles {
            // Three ids' worth of weight: a style attribute wins over a sheet's selectors.
            sheet.push_str(&format!(
                ".{} .{class}:not(#_):not(#_):not(#_){{{declarations}}}\n",
                self.scope
            ));
        }
        let html = if reference::multiply(&html, &sheet) {
            self.remove("figure whose references multiply");
            let note = too_complex();
            // Rules may bring references to any figure.
            let all = sheet.contains("url(#");
            sheet = sheet.split_inclusive('\n').filter(|it| !it.contains("url(#")).collect();
            scan::without_figures(&html, &note, all)
        } else {
            html
        };
        let removed =
            self.removed.into_iter().map(|(what, count)| Removed { what, count }).collect();
        Sanitized { html, css: SafeCss(sheet), removed, is_turned: self.is_turned }
    }

    fn sheet(&mut self, text: &str) {
        let result = css::sheet(text, &self.scope, &self.prefix);
        self.sheets.push_str(&result.text);
        for what in result.removed {
            self.remove(what);
        }
    }

    fn style_class(&mut self, text: &str) -> Option<String> {
        if let Some(known) = self.known_styles.get(text) {
            return known.clone();
        }
        let result = css::declarations(text, &self.prefix);
        for what in result.removed {
            self.remove(what);
        }
        let class = (!result.text.is_empty()).then(|| css::style_class(&result.text));
        if let Some(class) = &class {
            self.styles.insert(class.clone(), result.text);
        }
        if self.known_styles.len() < 10_000 {
            self.known_styles.insert(text.to_owned(), class.clone());
        }
        class
    }

    fn prefixed(&self, id: &str) -> String {
        if id.starts_with(&self.prefix) { id.to_owned() } else { format!("{}{id}", self.prefix) }
    }
}

/// A class of the notebook as the page writes it: it can't collide with a class of nbc's.
pub(super) fn prefixed_class(class: &str) -> String {
    let is_style = class
        .strip_prefix("s-")
        .is_some_and(|it| it.len() == 10 && it.bytes().all(|it| it.is_ascii_hexdigit()));
    if is_style || class.starts_with("x-") { class.to_owned() } else { format!("x-{class}") }
}

/// The note shown in place of markup that is too large to read.
fn too_large() -> SafeHtml {
    note("This output is too large to be shown.")
}

/// The note shown in place of a figure that would keep the reader's browser busy.
fn too_complex() -> SafeHtml {
    note("This figure is too complex to be shown.")
}

fn note(text: &str) -> SafeHtml {
    let attributes = [("class", "nbc-note"), ("role", "note")];
    SafeHtml::element("span", &attributes, SafeHtml::text(text))
}

/// Sanitizes one piece of markup by itself.
pub fn html(raw: &UntrustedHtml, scope: &str) -> Sanitized {
    let mut gate = Gate::new(scope);
    let html = gate.fragment(raw, &NoCustomElements);
    gate.finish(html)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(markup: &str) -> String {
        html(&UntrustedHtml::new(markup.to_owned()), "c1").html.as_str().to_owned()
    }

    #[test]
    fn nothing_talks_over_the_page() {
        for markup in [
            "<p aria-live=assertive aria-atomic=true>a</p>",
            "<p aria-modal=true aria-busy=true>a</p>",
            "<p role=alert>a</p>",
            "<p role='note STATUS'>a</p>",
            "<p role=main>a</p>",
            "<div role=banner>a</div>",
            "<div role=contentinfo>a</div>",
            "<p role=alertdialog>a</p>",
            "<output role=log>a</output>",
            "<svg role=timer><text aria-live=polite role=marquee>a</text></svg>",
            "<math role=application><mi aria-live=polite>a</mi></math>",
            "<marimo-callout-output role=alert aria-live=polite>a</marimo-callout-output>",
        ] {
            let kept = of(markup);
            let is_silent = !["aria-", "role", "<output"].iter().any(|it| kept.contains(it));
            assert!(is_silent, "{markup}: {kept}");
        }
        assert_eq!(
            of("<p role=note aria-label=b>a</p>"),
            "<p role=\"note\" aria-label=\"b\">a</p>"
        );
    }

    #[test]
    fn text_after_an_element_that_is_closed_in_its_own_tag_stays() {
        for name in [
            "video", "audio", "iframe", "object", "textarea", "select", "style", "title", "canvas",
            "script", "xmp",
        ] {
            let kept = of(&format!("<{name} src=a />\n<p>after</p>"));
            assert_eq!(kept.trim(), "<p>after</p>", "{name}");
            assert_eq!(of(&format!("a <{name}>b</{name}> c")).replace("  ", " ").trim(), "a c");
        }
        assert_eq!(of("<svg/><p>after</p>"), "<svg></svg><p>after</p>");
        // Of other elements a browser takes no notice of the slash, and what they hold is shown.
        assert_eq!(of("<b/>bold"), "<b>bold</b>");
    }

    #[test]
    fn a_picture_of_the_web_is_a_link_to_it() {
        let link = "<span class=\"x-missing-image\"><a href=\"https://e.example/a.png?b&amp;c\" \
            rel=\"noopener noreferrer nofollow\">[image at e.example: x]</a></span>";
        assert_eq!(of("<img src='https://e.example/a.png?b&amp;c' alt=x>"), link);
        assert_eq!(
            of("<a href=b><img src='https://e.example/a.png'></a>"),
            "<a href=\"b\" rel=\"noopener noreferrer nofollow\">\
             <span class=\"x-missing-image\">[image at e.example]</span></a>"
        );
        for odd in
            ["http://a@b.example/x", "//e.example/x", "ftp://e.example/x", "https:///x", "a.png"]
        {
            let kept = of(&format!("<img src='{odd}'>"));
            assert_eq!(
                kept, "<span class=\"x-missing-image\">[image not included]</span>",
                "{odd}"
            );
        }
    }

    #[test]
    fn a_field_to_type_into_is_no_box_to_mark() {
        for kind in ["", " type=text", " type=password", " type=file", " type=''", " type=submit"] {
            assert_eq!(of(&format!("<p>a<input{kind} checked>b</p>")), "<p>ab</p>", "{kind}");
        }
        for kind in ["checkbox", "CheckBox", "radio"] {
            let kept = of(&format!("<input type={kind}>"));
            assert!(kept.contains("type=\"checkbox\""), "{kept}");
        }
    }

    #[test]
    fn a_use_shows_no_other_use() {
        let forward =
            "<svg><g id=a><use href=#b /></g><g id=b><use href=#c /></g><path id=c /></svg>";
        assert_eq!(of(forward).matches("href").count(), 1, "{}", of(forward));
        let backward =
            "<svg><path id=c /><g id=b><use href=#c /></g><g id=a><use href=#b /></g></svg>";
        assert_eq!(of(backward).matches("href").count(), 1, "{}", of(backward));
        let figure =
            "<svg><g id=f><g id=t><use href=#c /><use href=#c /></g></g><use href=#c /></svg>";
        assert_eq!(of(figure).matches("href").count(), 3, "{}", of(figure));
    }

    #[test]
    fn unclosed_elements_close_where_browsers_close_them() {
        assert_eq!(
            of("<ul><li>a<li>b<ul><li>c</ul></ul>"),
            "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>"
        );
        assert_eq!(of("<p>a<p>b<div>c"), "<p>a</p><p>b</p><div>c</div>");
        assert_eq!(
            of("<table><tr><td>a<td>b<tr><td>c</table>"),
            "<table><tbody><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></tbody></table>"
        );
    }

    #[test]
    fn old_fonts_are_rules_of_style() {
        let of = |markup: &str| html(&UntrustedHtml::new(markup.to_owned()), "c1");
        for (markup, rule) in [
            ("<font color=red>a</font>", "{color:red}"),
            ("<FONT COLOR='00ff80'>a</FONT>", "{color:#00ff80}"),
            ("<font size='+1'>a</font>", "{font-size:larger}"),
            ("<p align=CENTER><font>a</font></p>", "{text-align:center}"),
            ("<img src=data:image/gif;base64,R0lGODdh align=right><font>a</font>", "{float:right}"),
            ("<table align=left><tr><td><font>a</font></td></tr></table>", "{float:left}"),
        ] {
            let made = of(markup);
            assert!(made.css.as_str().contains(rule), "{}", made.css.as_str());
            assert!(made.html.as_str().contains("a</span>"), "{}", made.html.as_str());
            assert!(made.removed.is_empty(), "{:?}", made.removed);
        }
        let made = of("<font color='red;position:fixed' onclick=x>a");
        assert!(!made.css.as_str().contains("fixed"), "{}", made.css.as_str());
        assert_eq!(made.removed.len(), 2, "{:?}", made.removed);
        assert_eq!(of("<p><font>a</p></font>b").html.as_str(), "<p><span>a</span></p>b");
    }

    #[test]
    fn classes_and_ids_can_meet_nothing_of_the_page() {
        assert_eq!(
            of("<label class='nbc-a b s-0123456789' id=x for='y'>z</label>"),
            "<label id=\"o-c1-x\" for=\"o-c1-y\" class=\"x-b s-0123456789\">z</label>"
        );
    }
}
