//! Places of a page that links lead to: their ids, and the names by which authors link to them.
//!
//! In: the outputs of a page, whose ids have the prefixes of their outputs. Out: the same outputs, in which headings and
//! anchors have ids that a reader can read and that no other cell changes, and [`Anchors`]. An id that the page's own
//! elements have, or a name that a program may look for among the globals of a page, is given to none of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use crate::output::{Heading, OutputKind, RenderedOutput};
use crate::sanitize::{self, NamedKind};

/// Most places of a page that links lead to.
const MOST_PLACES: usize = 5000;

/// Longest id of an author that stays as it is, in characters.
const LONGEST_ID: usize = 100;

/// Whether an id is one that the sanitizer made, which holds the number of a cell: `o-c3-…`, or `o-s3-…` in a state.
pub(super) fn has_number(id: &str) -> bool {
    let rest = id.strip_prefix("o-c").or_else(|| id.strip_prefix("o-s"));
    rest.is_some_and(|it| it.starts_with(|it: char| it.is_ascii_digit()))
}

/// Ids of the page's own elements, and names of globals that libraries ask for: an element whose id is `module` is
/// what a script that looks for `module` finds.
const RESERVED: [&str; 14] = [
    "amd",
    "content",
    "dataflow-caption",
    "define",
    "exports",
    "global",
    "jquery",
    "module",
    "process",
    "require",
    "root",
    "system",
    "top",
    "vega",
];

fn is_reserved(id: &str) -> bool {
    let is_of_cell = id
        .strip_prefix("cell-")
        .is_some_and(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()));
    is_of_cell || RESERVED.contains(&id)
}

/// A place of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    id: String,
    /// The id or name that the author gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    written: Option<String>,
    /// The text of a heading; a second time with its formulas as they are written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    texts: Vec<String>,
}

/// Places of a page, found by what a link says.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Anchors {
    places: Vec<Place>,
    #[serde(skip)]
    index: OnceLock<Index>,
}

/// Ids by the names that links may give them.
#[derive(Debug, Clone, Default)]
struct Index {
    exact: BTreeMap<String, String>,
    /// By the letters and digits of the name.
    loose: BTreeMap<String, String>,
}

impl Anchors {
    /// The id of the place that a fragment names, by the rules of any tool that notebooks are written with. The
    /// fragment may be percent-encoded.
    pub fn find(&self, fragment: &str) -> Option<&str> {
        let index = self.index.get_or_init(|| Index::new(&self.places));
        let written = composed(fragment);
        let decoded = composed(&decoded(fragment));
        let exact = [&written, &decoded, &decoded.to_lowercase()];
        let found = exact.into_iter().find_map(|it| index.exact.get(it));
        found.or_else(|| index.loose.get(&squeezed(&decoded))).map(String::as_str)
    }

    /// The places with ids that stay while the code around them changes: other pages may link to these.
    #[must_use]
    pub fn readable(&self) -> Self {
        let is_readable = |it: &&Place| !has_number(&it.id);
        let places = self.places.iter().filter(is_readable).cloned().collect();
        Self { places, index: OnceLock::new() }
    }
}

/// A text without percent-encoding; what is no UTF-8 then stays as it is.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digit = |it: usize| char::from(*behind.get(it)?).to_digit(16);
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.extend(u8::try_from(high * 16 + low));
                rest = behind.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// One form for texts that look the same.
fn composed(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { text.nfc().collect() }
}

/// Letters and digits of a text: the part that all tools keep.
fn squeezed(text: &str) -> String {
    text.to_lowercase().nfc().filter(|it| it.is_alphanumeric()).collect()
}

impl Index {
    fn new(places: &[Place]) -> Self {
        let mut index = Self::default();
        for place in places {
            index.add(place.written.as_deref().unwrap_or_default(), &place.id);
        }
        for place in places {
            index.add(&place.id, &place.id);
        }
        let headings = || places.iter().flat_map(|it| it.texts.iter().map(|text| (text, &it.id)));
        // Of several with a name, Jupyter leads to the first.
        for (text, id) in headings() {
            index.add(&jupyter(text), id);
        }
        for slug in [github, pandoc, docutils, python_markdown] {
            let mut counts = BTreeMap::new();
            for place in places {
                let Some(text) = place.texts.first() else { continue };
                let slug = slug(text);
                let count: &mut u32 = counts.entry(slug.clone()).or_default();
                let marks: &[char] = if *count == 0 { &[] } else { &['-', '_'] };
                for mark in marks {
                    index.add(&format!("{slug}{mark}{count}"), &place.id);
                }
                index.add(&slug, &place.id);
                *count += 1;
            }
        }
        for place in places {
            let names = place.written.iter().chain(&place.texts);
            for name in names {
                index.add(&jupyter(name).to_lowercase(), &place.id);
                let squeezed = squeezed(name);
                if !squeezed.is_empty() {
                    index.loose.entry(squeezed).or_insert_with(|| place.id.clone());
                }
            }
        }
        index
    }

    fn add(&mut self, name: &str, id: &str) {
        if !name.is_empty() {
            self.exact.entry(composed(name)).or_insert_with(|| id.to_owned());
        }
    }
}

/// Jupyter: the text, its spaces as hyphens.
fn jupyter(text: &str) -> String {
    text.trim().replace(' ', "-")
}

/// GitHub, and MyST: letters, digits, hyphens and underscores of the lowercase text, each space a hyphen.
fn github(text: &str) -> String {
    let kept = |it: char| match it {
        ' ' => Some('-'),
        '-' | '_' => Some(it),
        it => is_letter(it).then_some(it),
    };
    text.trim().to_lowercase().chars().filter_map(kept).collect()
}

/// pandoc's `auto_identifiers`: as GitHub's, with periods, one hyphen for spaces that follow each other, and nothing
/// before the first letter.
fn pandoc(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let slug: String = words
        .join("-")
        .to_lowercase()
        .chars()
        .filter(|it| "-_.".contains(*it) || is_letter(*it))
        .collect();
    let slug = slug.trim_start_matches(|it: char| !it.is_alphabetic());
    if slug.is_empty() { "section".to_owned() } else { slug.to_owned() }
}

/// docutils, for targets of MyST and Sphinx: ASCII letters and digits, from the first letter on.
fn docutils(text: &str) -> String {
    let mut slug = String::new();
    for character in text.to_lowercase().nfkd().filter(|it| !is_mark(*it)) {
        if character.is_ascii_alphanumeric() {
            slug.push(character);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    slug.trim_start_matches(|it: char| !it.is_ascii_alphabetic()).to_owned()
}

/// Python-Markdown, and with it marimo: ASCII words, joined by hyphens.
fn python_markdown(text: &str) -> String {
    let is_kept = |it: &char| it.is_ascii_alphanumeric() || "_- ".contains(*it);
    let kept: String = text.nfkd().filter(is_kept).collect();
    let words = kept.split([' ', '-']).filter(|it| !it.is_empty());
    words.collect::<Vec<_>>().join("-").to_lowercase()
}

fn is_mark(character: char) -> bool {
    unicode_normalization::char::is_combining_mark(character)
}

fn is_letter(character: char) -> bool {
    character.is_alphanumeric() || is_mark(character)
}

/// Gives ids of a page, each once.
#[derive(Default)]
struct PageIds {
    taken: BTreeSet<String>,
    counts: BTreeMap<String, u32>,
}

impl PageIds {
    /// The id that is wanted, or the first with a number that is free.
    fn give(&mut self, wanted: &str) -> String {
        let other = has_number(wanted).then(|| format!("section-{wanted}"));
        let wanted = other.as_deref().unwrap_or(wanted);
        let mut id = wanted.to_owned();
        // Remembered, since counting from the start takes minutes for a page of equal headings.
        let count = self.counts.entry(wanted.to_owned()).or_default();
        while is_reserved(&id) || !self.taken.insert(id.clone()) {
            *count += 1;
            id = format!("{wanted}-{count}");
        }
        id
    }
}

/// An id of an output before it is settled.
struct Unsettled {
    /// Number of its output.
    output: usize,
    /// Its id now.
    old: String,
    /// The id or name that the author gave it.
    written: Option<String>,
    texts: Vec<String>,
    /// The id that it would have, if it may have another.
    wanted: Option<String>,
}

/// Gives the headings and anchors of a page their ids, and tells all places of it.
pub(super) fn settle(
    outputs: &mut [&mut RenderedOutput],
    outline: &mut [Heading],
    sources: &BTreeMap<String, String>,
) -> Anchors {
    let texts: BTreeMap<&str, &str> =
        outline.iter().map(|it| (it.id.as_str(), it.text.as_str())).collect();
    let mut all: Vec<Unsettled> = Vec::new();
    let mut ids = PageIds::default();
    for (number, output) in outputs.iter().enumerate() {
        let styled = styled(output);
        for element in sanitize::named_elements(&output.html) {
            if all.len() >= MOST_PLACES || element.kind == NamedKind::Part {
                continue;
            }
            let text = texts.get(element.id.as_str()).copied();
            let mut one = unsettled(number, output, &element, text, sources);
            if styled.contains(one.old.as_str()) {
                one.wanted = None;
            }
            // One that stays as it is is no other element's.
            ids.taken.extend(one.wanted.is_none().then(|| one.old.clone()));
            all.push(one);
        }
    }
    let mut renames: Vec<BTreeMap<String, String>> = vec![BTreeMap::new(); outputs.len()];
    let mut given: BTreeMap<String, String> = BTreeMap::new();
    // An id that an author chose goes before one that a text makes.
    for is_own in [true, false] {
        for it in all.iter().filter(|it| it.written.is_some() == is_own) {
            let Some(wanted) = &it.wanted else { continue };
            let Some(renames) = renames.get_mut(it.output) else { continue };
            if !renames.contains_key(&it.old) {
                let id = ids.give(wanted);
                renames.insert(it.old.clone(), id.clone());
                given.insert(it.old.clone(), id);
            }
        }
    }
    for (output, renames) in outputs.iter_mut().zip(&renames) {
        let html = std::mem::take(&mut output.html);
        output.html = sanitize::rename_ids(html, &output.prefix, renames);
    }
    for heading in outline {
        if let Some(id) = given.get(&heading.id) {
            heading.id.clone_from(id);
        }
    }
    let places = all.into_iter().map(|it| Place {
        id: given.get(&it.old).cloned().unwrap_or(it.old),
        written: it.written,
        texts: it.texts,
    });
    Anchors { places: places.collect(), index: OnceLock::new() }
}

/// Ids that rules of the output's own stylesheet may name.
fn styled(output: &RenderedOutput) -> BTreeSet<&str> {
    let ids = output.css.as_str().split('#').skip(1);
    let ends = |it: char| !it.is_alphanumeric() && it != '-' && it != '_';
    ids.filter_map(|it| it.split(ends).next()).collect()
}

fn unsettled(
    number: usize,
    output: &RenderedOutput,
    element: &sanitize::NamedElement,
    text: Option<&str>,
    sources: &BTreeMap<String, String>,
) -> Unsettled {
    let old = element.id.clone();
    let has_prefix = old.starts_with(output.prefix.as_str());
    let own = old.strip_prefix(output.prefix.as_str()).unwrap_or(&old);
    let is_heading = element.kind == NamedKind::Heading;
    let slug = text.map(sanitize::slug).filter(|it| !it.is_empty());
    let slug = slug.unwrap_or_else(|| "section".to_owned());
    // What the sanitizer made of the text.
    let is_made = is_heading
        && own.strip_prefix(slug.as_str()).is_some_and(|rest| {
            let number = rest.strip_prefix('-').unwrap_or("x");
            rest.is_empty() || number.bytes().all(|it| it.is_ascii_digit())
        });
    let may_change = match element.kind {
        NamedKind::Heading | NamedKind::Anchor => true,
        NamedKind::Other => output.kind == OutputKind::Prose,
        NamedKind::Formula | NamedKind::Part => false,
    };
    let wanted = if is_made { Some(slug) } else { readable(own) };
    let mut texts: Vec<String> = text.map(ToOwned::to_owned).into_iter().collect();
    texts.extend(sources.get(&old).filter(|it| text != Some(it)).cloned());
    Unsettled {
        output: number,
        written: (!is_made).then(|| own.to_owned()),
        texts,
        wanted: wanted.filter(|_| may_change && has_prefix),
        old,
    }
}

/// The id that an author gave, as a page may have it. A name with capitals may be that of a global which a program asks
/// for, unless no identifier can be it.
fn readable(written: &str) -> Option<String> {
    let is_plain = |it: char| is_letter(it) || "-_.:".contains(it);
    let has_capital = written.chars().any(|it| it.is_ascii_uppercase());
    let is_identifier = !written.contains(['-', '.', ':']);
    let is_kept = written.chars().all(is_plain)
        && written.chars().count() <= LONGEST_ID
        && !(has_capital && is_identifier);
    if is_kept {
        return Some(composed(written));
    }
    Some(sanitize::slug(written)).filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchors(places: &[(&str, Option<&str>, &str)]) -> Anchors {
        let places = places.iter().map(|(id, written, text)| Place {
            id: (*id).to_owned(),
            written: written.map(ToOwned::to_owned),
            texts: Some((*text).to_owned()).filter(|it| !it.is_empty()).into_iter().collect(),
        });
        Anchors { places: places.collect(), index: OnceLock::new() }
    }

    #[test]
    fn percent_encoding_goes_where_it_is_one() {
        assert_eq!(decoded("%C3%9Cber%20uns"), "Über uns");
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(decoded("%zz%2"), "%zz%2");
        assert_eq!(decoded("%ff"), "%ff");
    }

    #[test]
    fn a_heading_is_found_by_the_slug_of_any_tool() {
        let page = anchors(&[
            ("my-heading", None, "My Heading"),
            ("results", None, "Results"),
            ("results-1", None, "Results"),
            ("ubersicht", None, "Übersicht"),
            ("whats-new", None, "What's new?"),
            ("1-intro-to-x", None, "1. Intro to X"),
            ("a-b", None, "A & B"),
        ]);
        for (fragment, id) in [
            ("My-Heading", "my-heading"),
            ("my-heading", "my-heading"),
            ("Results", "results"),
            ("results-1", "results-1"),
            ("results_1", "results-1"),
            ("%C3%9Cbersicht", "ubersicht"),
            ("Übersicht", "ubersicht"),
            ("U\u{308}bersicht", "ubersicht"),
            ("What%27s-new?", "whats-new"),
            ("What's-new?", "whats-new"),
            ("whats-new", "whats-new"),
            ("1.-Intro-to-X", "1-intro-to-x"),
            // pandoc, docutils, GitHub.
            ("intro-to-x", "1-intro-to-x"),
            ("1-intro-to-x", "1-intro-to-x"),
            ("a--b", "a-b"),
            ("A-&-B", "a-b"),
        ] {
            assert_eq!(page.find(fragment), Some(id), "{fragment}");
        }
        for dead in ["nope", "", "%", "results-2", "-"] {
            assert_eq!(page.find(dead), None, "{dead}");
        }
    }

    #[test]
    fn the_name_that_an_author_gave_goes_before_the_text_of_a_heading() {
        let page = anchors(&[
            ("method", None, "Method"),
            ("method-1", Some("Method"), ""),
            ("o-c9-Z", Some("Z"), ""),
        ]);
        assert_eq!(page.find("Method"), Some("method-1"));
        assert_eq!(page.find("method"), Some("method"));
        assert_eq!(page.find("Z"), Some("o-c9-Z"));
        assert_eq!(page.readable().find("Z"), None);
    }

    /// Settles one output; its markup, and what its links find.
    fn settled(markup: &str) -> (String, Anchors) {
        let made = sanitize::html(&sanitize::UntrustedHtml::new(markup.to_owned()), "c3");
        let prefix = "o-c3-".to_owned();
        let (html, mut outline) = sanitize::headings(made.html, &prefix);
        let (css, kind) = (made.css, OutputKind::Html);
        let mut output = RenderedOutput { html, css, kind, island: None, prefix };
        let anchors = settle(&mut [&mut output], &mut outline, &BTreeMap::new());
        assert!(outline.iter().all(|it| output.html.as_str().contains(&it.id)), "{outline:?}");
        (output.html.as_str().to_owned(), anchors)
    }

    #[test]
    fn an_id_that_a_rule_or_a_formula_has_stays_and_is_found() {
        let (html, anchors) = settled(
            "<style>#own{color:red}</style><h2 id=own>Own</h2><h2>Other</h2>\
             <p><math><mi id=eq-1>x</mi></math></p><svg><g id=part></g></svg><p id=box>x</p>",
        );
        for id in ["o-c3-own", "other", "o-c3-eq-1", "o-c3-part", "o-c3-box"] {
            assert!(html.contains(&format!(" id=\"{id}\"")), "{id}: {html}");
        }
        assert_eq!(anchors.find("own"), Some("o-c3-own"));
        assert_eq!(anchors.find("eq-1"), Some("o-c3-eq-1"));
        assert_eq!(anchors.find("o-c3-eq-1"), Some("o-c3-eq-1"));
        assert_eq!(anchors.find("box"), Some("o-c3-box"));
        assert_eq!(anchors.find("part"), None);
    }

    #[test]
    fn equal_headings_and_ids_take_no_time() {
        let start = std::time::Instant::now();
        let (html, _) = settled(&"<h2>Same</h2><a id='same-7'></a>".repeat(3000));
        assert!(html.contains("id=\"same-2000\""));
        assert!(start.elapsed().as_secs() < 10);
    }

    #[test]
    fn no_id_is_one_of_the_page_or_a_global_that_a_program_asks_for() {
        let mut ids = PageIds::default();
        for (wanted, id) in [
            ("the-data", "the-data"),
            ("the-data", "the-data-1"),
            ("the-data-1", "the-data-1-1"),
            ("content", "content-1"),
            ("module", "module-1"),
            ("cell-3", "cell-3-1"),
            ("cell-three", "cell-three"),
            ("o-c1-x", "section-o-c1-x"),
            ("o-n-log-n", "o-n-log-n"),
        ] {
            assert_eq!(ids.give(wanted), id);
        }
        assert_eq!(readable("intro").as_deref(), Some("intro"));
        assert_eq!(readable("Sec-1.2").as_deref(), Some("Sec-1.2"));
        assert_eq!(readable("PlotlyConfig").as_deref(), Some("plotlyconfig"));
        assert_eq!(readable("a/b"), Some("a-b".to_owned()));
        assert_eq!(readable("♥"), None);
    }
}
