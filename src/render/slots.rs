//! Slots: places in a template for markup that the template must not touch.
//!
//! In: the policy, the styles, the scripts and the data of a page, and its sanitized markup. Out: for each
//! an object that a template can write down, and nothing else. What it writes is a mark, in whose place
//! the words come after the template has ended: no filter sees one of them, and a copy of the mark is
//! only a second place, which is refused. A mark that a template spells itself is no more than the
//! object, and values can't spell one, since their `<` is escaped.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Object, ObjectRepr};

use super::environment::Rendered;
use super::markup;
use crate::sanitize::SafeHtml;

const MARK: &str = "<nbc:";

/// The object that stands for a slot in a template.
#[derive(Debug)]
pub(super) struct Mark(usize);

impl Object for Mark {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    /// For filters, to which a slot is a word without meaning.
    fn render(self: &Arc<Self>, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("(a slot of nbc)")
    }
}

impl Mark {
    /// Text written when a template prints the slot.
    pub(super) fn text(&self) -> String {
        format!("{MARK}{}>", self.0)
    }
}

/// Slots that the templates of one page place.
#[derive(Debug, Default)]
pub struct Slots<'text>(Vec<Slot<'text>>);

#[derive(Debug)]
struct Slot<'text> {
    /// Its name in templates.
    name: &'static str,
    frame: Frame,
    text: Cow<'text, str>,
}

/// The markup around a slot.
#[derive(Debug)]
enum Frame {
    /// Between elements, at most once.
    Free,
    /// Between these texts, exactly once.
    Exact { before: String, after: &'static str },
    /// The same, and before all that loads or runs.
    First { before: String, after: &'static str },
}

/// Text that would end the element around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its text holds `{0}`")]
pub struct EndsElement(&'static str);

impl<'text> Slots<'text> {
    /// Sanitized markup.
    pub fn html(&mut self, name: &'static str, html: SafeHtml) -> Value {
        self.add(name, Frame::Free, Cow::Owned(html.into_string()))
    }

    /// The output of another template.
    pub fn rendered(&mut self, name: &'static str, rendered: Rendered) -> Value {
        self.add(name, Frame::Free, Cow::Owned(rendered.into_string()))
    }

    /// The same, which no template may leave out.
    pub fn needed(&mut self, name: &'static str, rendered: Rendered) -> Value {
        let frame = Frame::Exact { before: String::new(), after: "" };
        self.add(name, frame, Cow::Owned(rendered.into_string()))
    }

    /// The value of an attribute, which is escaped, of the element that is written `before` and `after` it.
    pub fn attribute(
        &mut self,
        name: &'static str,
        before: String,
        value: &str,
        after: &'static str,
    ) -> Value {
        let text = Cow::Owned(SafeHtml::text(value).into_string());
        self.add(name, Frame::Exact { before, after }, text)
    }

    /// The policy of a page: the value of an attribute of an element that comes first.
    pub fn policy(&mut self, before: &str, value: &str, after: &'static str) -> Value {
        let text = Cow::Owned(SafeHtml::text(value).into_string());
        self.add("policy", Frame::First { before: before.to_owned(), after }, text)
    }

    /// The whole text of a `<style>` or `<script>` that opens as `before` says. HTML escapes do not
    /// apply there.
    ///
    /// # Errors
    /// When the text holds `</`, `<!--` or `<script`, which would change where the element ends.
    pub fn raw_text(
        &mut self,
        name: &'static str,
        before: String,
        text: Cow<'text, str>,
        after: &'static str,
    ) -> Result<Value, EndsElement> {
        if text.contains('<') {
            let lower = text.to_ascii_lowercase();
            if let Some(bad) = ["</", "<!--", "<script"].into_iter().find(|it| lower.contains(it)) {
                return Err(EndsElement(bad));
            }
        }
        Ok(self.add(name, Frame::Exact { before, after }, text))
    }

    fn add(&mut self, name: &'static str, frame: Frame, text: Cow<'text, str>) -> Value {
        self.0.push(Slot { name, frame, text });
        Value::from_object(Mark(self.0.len() - 1))
    }

    /// Puts what the slots stand for into what a template wrote. Of a site's own templates, what is
    /// around the slots must be markup without powers; `has_frames` is for the template of islands.
    pub(super) fn fill(
        mut self,
        text: &str,
        written_by: Author,
        has_frames: bool,
    ) -> Result<Rendered, String> {
        let marks = self.marks(text)?;
        if written_by == Author::Site {
            self.check_around(text, &marks, has_frames)?;
        }
        let length: usize = self.0.iter().map(|it| it.text.len()).sum();
        let mut filled = String::with_capacity(text.len().saturating_add(length));
        let mut end = 0;
        for mark in marks {
            filled.push_str(text.get(end..mark.range.0).unwrap_or_default());
            // Freed at once: it may be most of the memory of a build.
            let content = self.0.get_mut(mark.slot).map(|it| std::mem::take(&mut it.text));
            filled.push_str(&content.unwrap_or_default());
            end = mark.range.1;
        }
        filled.push_str(text.get(end..).unwrap_or_default());
        Ok(Rendered::new(filled))
    }

    /// The marks of all slots, in the order of the text.
    fn marks(&self, text: &str) -> Result<Vec<SlotMark>, String> {
        let mut seen = vec![false; self.0.len()];
        let mut marks: Vec<SlotMark> = Vec::new();
        for (start, _) in text.match_indices(MARK) {
            let rest = text.get(start + MARK.len()..).unwrap_or_default();
            let number = rest.split_once('>').and_then(|(number, after)| {
                let index: usize = number.parse().ok()?;
                Some((index, after, self.0.get(index)?))
            });
            let Some((index, after, slot)) = number else {
                return Err(format!("it writes `{MARK}`, which is no element"));
            };
            let mark = (start, text.len() - after.len());
            let free = marks.last().map_or(0, |it| it.whole.1);
            let before = text.get(free..start).unwrap_or_default();
            let (before, after) = match slot.frame.texts() {
                None => (start, mark.1),
                Some((open, close)) if before.ends_with(open) && after.starts_with(close) => {
                    (start - open.len(), mark.1 + close.len())
                }
                Some(_) => return Err(slot.misplaced()),
            };
            if seen.get_mut(index).is_none_or(|it| std::mem::replace(it, true)) {
                return Err(format!("it places `{}` twice", slot.name));
            }
            marks.push(SlotMark { slot: index, range: mark, whole: (before, after) });
        }
        let mut slots = self.0.iter().zip(seen);
        match slots.find(|(slot, is_seen)| !is_seen && slot.frame.texts().is_some()) {
            Some((slot, _)) => Err(slot.misplaced()),
            None => Ok(marks),
        }
    }

    fn check_around(&self, text: &str, marks: &[SlotMark], has_frames: bool) -> Result<(), String> {
        let is_first = |mark: &SlotMark| {
            self.0.get(mark.slot).is_some_and(|it| matches!(it.frame, Frame::First { .. }))
        };
        let mut end = 0;
        for (index, mark) in marks.iter().enumerate() {
            let gap = text.get(end..mark.whole.0).unwrap_or_default();
            let elements = markup::check(gap, has_frames)?;
            if is_first(mark) && (index > 0 || elements != ["html", "head", "meta"]) {
                return Err("the policy must follow `<meta charset=\"utf-8\">` at once".to_owned());
            }
            end = mark.whole.1;
        }
        markup::check(text.get(end..).unwrap_or_default(), has_frames).map(drop)
    }
}

/// Author of a site's templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    /// All are nbc's.
    Nbc,
    /// Some are the site's own.
    Site,
}

/// A mark in a text: its slot, where it starts and ends, and where the element that it must stand in
/// does.
struct SlotMark {
    slot: usize,
    range: (usize, usize),
    whole: (usize, usize),
}

impl Frame {
    fn texts(&self) -> Option<(&str, &'static str)> {
        match self {
            Self::Free => None,
            Self::Exact { before, after } | Self::First { before, after } => Some((before, after)),
        }
    }
}

impl Slot<'_> {
    fn misplaced(&self) -> String {
        let name = self.name;
        let (before, after) = self.frame.texts().unwrap_or_default();
        format!("`{name}` must stand once, as in `{before}{{{{ {name} }}}}{after}`")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use minijinja::context;

    use super::super::environment::{RenderError, Templates};
    use super::*;

    /// A document with a policy, a script and a body, as a site's own template writes it.
    fn document(template: &str) -> Result<String, RenderError> {
        let own = BTreeMap::from([("document.html".to_owned(), template.to_owned())]);
        let mut slots = Slots::default();
        let policy = slots.policy("<meta content=\"", "script-src 'a'", "\">");
        let open = "<script>".to_owned();
        let script = slots.raw_text("script", open, "a < b".into(), "</script>").unwrap();
        let body = slots.html("body", SafeHtml::text("a & b"));
        let values = context! { policy, script, body, title => "<nbc:2>" };
        let filled = Templates::new(&own)?.fill("document.html", values, slots);
        filled.map(|it| it.as_str().to_owned())
    }

    const HEAD: &str = "<html><head><meta charset=\"utf-8\"><meta content=\"{{ policy }}\">\
        <script>{{ script }}</script>";

    #[test]
    fn slots_are_filled_where_they_stand() {
        let made = document(&format!("{HEAD}</head><p>{{{{ body }}}} {{{{ title }}}}</p></html>"));
        let wanted = "<html><head><meta charset=\"utf-8\"><meta content=\"script-src &#39;a&#39;\">\
            <script>a < b</script></head><p>a &amp; b &lt;nbc:2&gt;</p></html>";
        assert_eq!(made.unwrap(), wanted);
        // A template captures only the mark, which it may move.
        let moved = "{% set it %}{{ body }}{% endset %}{% macro m(it) %}{{ it }}{% endmacro %}\
            <p>{{ m(it) }}</p>";
        assert!(document(&format!("{HEAD}{moved}")).unwrap().ends_with("<p>a &amp; b</p>"));
    }

    #[test]
    fn a_template_cannot_fill_read_or_change_a_slot() {
        let captured = "{% set it %}{{ policy }}{% endset %}";
        let first = "<html><head><meta charset=\"utf-8\">";
        let script = "<script>{{ script }}</script>";
        for (template, reason) in [
            ("", "`policy` must stand once"),
            (&format!("{first}<meta content=\"{{{{ policy }}}}\">"), "`script` must stand once"),
            (&format!("{HEAD}{script}"), "places `script` twice"),
            (&format!("{HEAD}<p>{{{{ body }}}}{{{{ body }}}}</p>"), "places `body` twice"),
            (&format!("{HEAD}<p title=\"{{{{ body }}}}\"></p>"), "or holds a slot"),
            (&format!("{HEAD}<!-- {{{{ body }}}} -->"), "does not end"),
            (&format!("{HEAD}<title>{{{{ body }}}}</title>"), "does not end"),
            (&format!("{HEAD}<p>{{{{ body }}}}</p"), "does not end"),
            (&format!("{HEAD}<nbc:9>"), "`<nbc:`"),
            (&format!("{HEAD}<nbc:x"), "`<nbc:`"),
            (
                &format!("{first}<meta content=\"{{{{ policy|replace('a', 'b') }}}}\">{script}"),
                "`policy` must stand once",
            ),
            (
                &format!("{first}<meta content=\"{{{{ policy ~ '' }}}}\">{script}"),
                "`policy` must stand once",
            ),
            (
                &format!(
                    "{captured}{first}<meta content=\"{{{{ it|replace('0', '1') }}}}\">{script}"
                ),
                "`script` must stand once",
            ),
            (
                &format!(
                    "{captured}{first}<meta content=\"{{{{ it|replace('<', 'x<') }}}}\">{script}"
                ),
                "`policy` must stand once",
            ),
            (&format!("<p></p>{HEAD}"), "must follow"),
            (&format!("{first}{script}<meta content=\"{{{{ policy }}}}\">"), "must follow"),
            (
                &format!("{first}<meta name=\"a\"><meta content=\"{{{{ policy }}}}\">{script}"),
                "must follow",
            ),
        ] {
            let error = document(template).unwrap_err().to_string();
            assert!(error.contains("`document.html`"), "{template}: {error}");
            assert!(error.contains(reason), "{template}: {error}");
        }
        // A slot has no words that a template could test.
        let asked = "{% if 'script-src' in policy|string %}<p>read</p>{% endif %}";
        assert!(!document(&format!("{HEAD}{asked}")).unwrap().contains("read"));
    }

    #[test]
    fn text_cannot_end_its_element() {
        let mut slots = Slots::default();
        let mut add = |text: &'static str| {
            slots.raw_text("style", "<style>".to_owned(), text.into(), "</style>").is_ok()
        };
        assert!(!add("a{content:'</StYle>'}"));
        assert!(!add("<!--"));
        assert!(add("a{color:red}"));
    }
}
