//! The rule about states: what a page shows for other values of its inputs is data of a known shape, and its markup
//! keeps the rules that outputs keep. The page's script puts it into the page as it is, so all of it is unpacked here.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use base64::Engine as _;
use serde_json::{Map, Value};

use super::address::{Address, classify, resolve};
use super::seen::Seen;
use super::tokens::{Element, Page};
use super::{Layout, Report, Rule, excerpt};
use crate::site::MOST_VALUES;

/// Most bytes of an unpacked piece: a few compressed bytes can become very many.
const LONGEST: u64 = 64 << 20;
/// Most bytes of all pieces of a page.
const LONGEST_TOGETHER: u64 = 2 << 30;
/// Most inputs that one is made of, each time that it is counted.
const MOST_PARTS: u64 = 2000;

/// A page, and the files in which its pieces are looked for.
pub(super) struct PageFiles<'a> {
    pub(super) path: &'a str,
    pub(super) page: &'a Page,
    pub(super) files: &'a Seen<'a>,
    pub(super) layout: Layout,
}

/// Kinds of states on a page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// Whether there are any.
    pub(super) has_states: bool,
    /// Whether some are files.
    pub(super) has_files: bool,
}

/// Whether an element holds states, or says so.
pub(super) fn is_piece(element: &Element) -> bool {
    element.attribute("data-states").is_some()
}

/// Content of a place in some states.
pub(super) struct Content<'a> {
    pub(super) html: &'a str,
    pub(super) css: &'a str,
    /// Data of charts, by the ids of their figures.
    pub(super) charts: Vec<(&'a str, &'a str)>,
}

/// Checks one content; the number is the line of its piece.
pub(super) type CheckContent<'a> = dyn FnMut(&mut Report<'_>, u32, &Model, Content<'_>) + 'a;

/// Checks the pieces of a page; `content` gets each content.
pub(super) fn check(
    report: &mut Report<'_>,
    place: &PageFiles<'_>,
    content: &mut CheckContent<'_>,
) -> Summary {
    let mut pieces: BTreeMap<&str, &Element> = BTreeMap::new();
    for element in place.page.elements.iter().filter(|it| is_piece(it)) {
        let name = element.attribute("data-states").unwrap_or_default();
        if let Some(message) = form_problem(element) {
            report.add(element.line, Rule::States, message);
        } else if pieces.insert(name, element).is_some() {
            report.add(element.line, Rule::States, format!("`{}` is there twice", excerpt(name)));
        }
    }
    let mut left = LONGEST_TOGETHER;
    let mut read = |report: &mut Report<'_>, element: &Element| {
        let json = unpacked(place, element, &mut left).and_then(|text| {
            serde_json::from_slice::<Value>(&text).map_err(|_| "the states are no JSON".to_owned())
        });
        json.map_err(|message| report.add(element.line, Rule::States, message)).ok()
    };
    let summary = Summary {
        has_states: !pieces.is_empty(),
        has_files: pieces.values().any(|it| it.attribute("data-src").is_some()),
    };
    let model = pieces.remove("model");
    if model.is_none() && !pieces.is_empty() {
        report.add(1, Rule::States, "states without a model");
    }
    let json = model.and_then(|element| Some((element, read(report, element)?)));
    let mut model = Model::default();
    if let Some((element, json)) = json {
        match Model::read(&json) {
            Ok(read) => model = read,
            Err(message) => report.add(element.line, Rule::States, message),
        }
    }
    check_slots(report, place.page, &model);
    for (at, count) in model.chunks.iter().enumerate() {
        let Some(element) = pieces.remove(at.to_string().as_str()) else {
            report.add(1, Rule::States, format!("the contents {at} are missing"));
            continue;
        };
        let Some(json) = read(report, element) else { continue };
        let Some(contents) = contents(&json).filter(|it| it.len() as u64 == *count) else {
            report.add(element.line, Rule::States, format!("the contents {at} have another shape"));
            continue;
        };
        for one in contents {
            content(report, element.line, &model, one);
        }
    }
    for (name, element) in pieces {
        let message = format!("the model does not name the contents `{}`", excerpt(name));
        report.add(element.line, Rule::States, message);
    }
    summary
}

fn form_problem(element: &Element) -> Option<String> {
    const NAMES: [&str; 4] = ["type", "data-states", "data-src", "data-integrity"];
    if !element.is_html("script") || element.attribute("type") != Some("text/plain") {
        return Some("states must be text in a `<script>`".to_owned());
    }
    let other = element.attributes.keys().find(|it| !NAMES.contains(&it.as_str()))?;
    Some(format!("the attribute `{}` of states", excerpt(other)))
}

/// The bytes of a piece. What a browser would refuse, or read in another way, is refused here.
fn unpacked(place: &PageFiles<'_>, element: &Element, left: &mut u64) -> Result<Vec<u8>, String> {
    let packed = match element.attribute("data-src") {
        None => base64::engine::general_purpose::STANDARD
            .decode(element.text.trim())
            .map_err(|_| "the states are not in base64".to_owned())?,
        Some(address) => file(place, element, address)?.to_vec(),
    };
    let mut decoder = flate2::bufread::GzDecoder::new(packed.as_slice());
    let mut text = Vec::new();
    let longest = LONGEST.min(*left);
    let read = (&mut decoder).take(longest + 1).read_to_end(&mut text);
    if read.is_err() || text.len() as u64 > longest || !decoder.into_inner().is_empty() {
        return Err("the states cannot be unpacked".to_owned());
    }
    *left -= text.len() as u64;
    Ok(text)
}

fn file<'a>(place: &PageFiles<'a>, element: &Element, address: &str) -> Result<&'a [u8], String> {
    if place.layout == Layout::Single {
        return Err(format!("the page needs `{}`", excerpt(address)));
    }
    let Address::Relative(relative) = classify(address) else {
        return Err(format!("`{}` is not a file of the site", excerpt(address)));
    };
    let found = resolve(place.path, &relative).and_then(|it| place.files.get(it.as_str()));
    let file = found.ok_or_else(|| format!("`{}` is not there", excerpt(address)))?;
    if !element.text.trim().is_empty() {
        return Err("states are in the page or in a file, not in both".to_owned());
    }
    match element.attribute("data-integrity") {
        Some(stated) if stated == file.integrity() => Ok(file.bytes),
        _ => Err(format!("`data-integrity` does not match `{}`", excerpt(address))),
    }
}

fn contents(json: &Value) -> Option<Vec<Content<'_>>> {
    json.as_array()?.iter().map(content).collect()
}

fn content(json: &Value) -> Option<Content<'_>> {
    let (html, css, charts) = match json.as_array()?.as_slice() {
        [html, css] => (html, css, &[] as &[Value]),
        [html, css, Value::Array(charts)] if !charts.is_empty() => (html, css, charts.as_slice()),
        _ => return None,
    };
    let charts = charts.iter().map(|it| match it.as_array()?.as_slice() {
        [id, data] => Some((id.as_str()?, data.as_str()?)),
        _ => None,
    });
    Some(Content {
        html: html.as_str()?,
        css: css.as_str()?,
        charts: charts.collect::<Option<_>>()?,
    })
}

/// The places of a page whose content depends on inputs are those of the model.
fn check_slots(report: &mut Report<'_>, page: &Page, model: &Model) {
    let mut open: BTreeSet<&str> = model.slots.iter().map(String::as_str).collect();
    for element in &page.elements {
        if let Some(slot) = element.attribute("data-slot")
            && !open.remove(slot)
        {
            let message = format!("`data-slot=\"{}\"` has no states of its own", excerpt(slot));
            report.add(element.line, Rule::States, message);
        }
        if let Some(message) = model.widget_problem(element) {
            report.add(element.line, Rule::States, message);
        }
    }
    for slot in open {
        let message = format!("there are states for `{}`, and no place", excerpt(slot));
        report.add(1, Rule::States, message);
    }
}

/// The model of a page: its inputs, places and chunks.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// Number of values of each input.
    sizes: Vec<u64>,
    slots: BTreeSet<String>,
    /// Number of contents of each chunk.
    chunks: Vec<u64>,
}

impl Model {
    fn read(json: &Value) -> Result<Self, String> {
        let model = json.as_object().ok_or("the model is no object")?;
        known_names(model, &["widgets", "slots", "chunks"])?;
        let list = |name: &str| model.get(name).and_then(Value::as_array);
        let widgets = list("widgets").ok_or("the model has no `widgets`")?;
        let mut read = Self::default();
        let mut weights: Vec<u64> = Vec::new();
        for (at, widget) in widgets.iter().enumerate() {
            let size = size(widget, &read.sizes, widgets.len());
            read.sizes.push(size.map_err(|it| format!("the input {at} {it}"))?);
            // Parts may be shared, so that few inputs can stand for very many.
            let parts = widget.get("parts").and_then(Value::as_array).into_iter().flatten();
            let parts = parts.filter_map(|it| weights.get(usize::try_from(it.as_u64()?).ok()?));
            let weight = parts.fold(1_u64, |all, it| all.saturating_add(*it));
            if weight > MOST_PARTS {
                return Err(format!("the input {at} has too many parts"));
            }
            weights.push(weight);
        }
        let chunks = list("chunks").ok_or("the model has no `chunks`")?;
        let chunks: Option<Vec<u64>> = chunks.iter().map(Value::as_u64).collect();
        read.chunks = chunks.ok_or("`chunks` are no numbers")?;
        let contents = read.chunks.iter().fold(0u64, |sum, it| sum.saturating_add(*it));
        let slots = model.get("slots").and_then(Value::as_object);
        for (name, root) in slots.ok_or("the model has no `slots`")? {
            let is_number = name.parse::<u32>().is_ok_and(|it| it.to_string() == *name);
            if !is_number || !read.is_table(root, contents) {
                return Err(format!("the table of `{}` is none", excerpt(name)));
            }
            read.slots.insert(name.clone());
        }
        Ok(read)
    }

    /// Whether each place is a content, nothing, or an input with a place for each of its values.
    fn is_table(&self, root: &Value, contents: u64) -> bool {
        let mut open = vec![root];
        while let Some(place) = open.pop() {
            let children = match place {
                Value::Null => continue,
                Value::Number(number) if number.as_u64().is_some_and(|it| it < contents) => {
                    continue;
                }
                Value::Array(pair) => match pair.as_slice() {
                    [input, Value::Array(children)] if self.size(input) == Some(children.len()) => {
                        children
                    }
                    _ => return false,
                },
                _ => return false,
            };
            open.extend(children);
        }
        true
    }

    fn size(&self, input: &Value) -> Option<usize> {
        let size = self.sizes.get(usize::try_from(input.as_u64()?).ok()?)?;
        usize::try_from(*size).ok()
    }

    /// The problem with the input that an element claims to be.
    pub(super) fn widget_problem(&self, element: &Element) -> Option<String> {
        let stated = element.attribute("data-widget")?;
        let index = stated.parse::<usize>().ok().filter(|it| it.to_string() == stated);
        let is_known = index.is_some_and(|it| it < self.sizes.len());
        (!is_known).then(|| format!("`data-widget=\"{}\"` is no input", excerpt(stated)))
    }
}

fn known_names(object: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    match object.keys().find(|it| !known.contains(&it.as_str())) {
        Some(name) => Err(format!("has a member `{}`", excerpt(name))),
        None => Ok(()),
    }
}

/// The number of values of an input. Parts stand before what they are parts of, so none is its own part.
fn size(widget: &Value, before: &[u64], inputs: usize) -> Result<u64, String> {
    const NAMES: [&str; 8] =
        ["kind", "name", "values", "labels", "initial", "total", "parts", "resets"];
    const KINDS: [&str; 16] = [
        "slider",
        "range",
        "number",
        "choice",
        "multi",
        "radio",
        "check",
        "date",
        "dates",
        "button",
        "run_button",
        "tabs",
        "table",
        "text",
        "group",
        "form",
    ];
    let widget = widget.as_object().ok_or("is no object")?;
    known_names(widget, &NAMES)?;
    let kind = widget.get("kind").and_then(Value::as_str).unwrap_or_default();
    if !KINDS.contains(&kind) {
        return Err(format!("has the kind `{}`", excerpt(kind)));
    }
    if widget.get("name").is_some_and(|it| !it.is_string()) {
        return Err("has a name that is no text".to_owned());
    }
    let list = |name: &str| match widget.get(name) {
        None => Ok(&[] as &[Value]),
        Some(Value::Array(items)) => Ok(items.as_slice()),
        Some(_) => Err(format!("has `{name}` that are no list")),
    };
    let indices = |name: &str, end: usize| {
        let all: Option<Vec<usize>> = list(name)?
            .iter()
            .map(|it| usize::try_from(it.as_u64()?).ok().filter(|it| *it < end))
            .collect();
        all.ok_or_else(|| format!("has `{name}` that are no inputs"))
    };
    let (values, labels) = (list("values")?, list("labels")?);
    indices("resets", inputs)?;
    let parts = indices("parts", before.len())?;
    let parts: Vec<u64> = parts.iter().filter_map(|it| before.get(*it)).copied().collect();
    if values.len() != labels.len() || !labels.iter().all(Value::is_string) {
        return Err("has labels that do not fit its values".to_owned());
    }
    let has_values = !values.is_empty();
    let size = match (kind, parts.as_slice()) {
        ("group", parts) if !has_values => {
            parts.iter().fold(1, |all: u64, it| all.saturating_mul(*it))
        }
        ("form", [part]) if !has_values => part.saturating_add(1),
        ("group" | "form", _) => return Err("has other parts than it should".to_owned()),
        (_, []) if has_values => values.len() as u64,
        _ => return Err("has no values".to_owned()),
    };
    let number = |name: &str| widget.get(name).and_then(Value::as_u64);
    let fits = number("initial").is_some_and(|it| it < size)
        && number("total").is_some_and(|it| it >= size);
    if !fits || size > MOST_VALUES {
        return Err("has numbers that do not fit its values".to_owned());
    }
    Ok(size)
}
