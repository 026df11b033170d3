//! CSS: style sheets and style attributes of outputs.
//!
//! In: CSS of a notebook. Out: rules that reach only elements of their output, load nothing and
//! can't cover the page. What lightningcss does not understand is dropped.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lightningcss::declaration::DeclarationBlock;
use lightningcss::printer::PrinterOptions;
use lightningcss::properties::Property;
use lightningcss::rules::{CssRule, CssRuleList};
use lightningcss::stylesheet::{ParserOptions, StyleAttribute, StyleSheet};
use lightningcss::traits::ToCss;
use sha2::{Digest, Sha256};

use super::html::prefixed_class;

/// Longest sheet that is read, in bytes.
const LONGEST_SHEET: usize = 2 << 20;
/// Longest style attribute that is read, in bytes.
const LONGEST_STYLE: usize = 16 << 10;
/// Deepest nesting of brackets: the parser is recursive.
pub(super) const DEEPEST: usize = 24;

/// The result of restricting a piece of CSS.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Restricted {
    pub(super) text: String,
    pub(super) removed: Vec<String>,
}

/// Properties that move things over the page, or in time.
const REFUSED_PROPERTIES: &[&str] = &[
    "-moz-binding",
    "animation",
    "anchor",
    "behavior",
    "position-anchor",
    "position-try",
    "scroll-timeline",
    "timeline-scope",
    "transition",
    "view-timeline",
    "view-transition",
];

/// Pieces of a declaration that load something or hide it from this check.
pub(super) const REFUSED_TEXT: &[&str] = &[
    "url(",
    "image-set(",
    "image(",
    "src(",
    "url-prefix(",
    "attr(",
    "element(",
    "cross-fade(",
    "expression(",
    "paint(",
    "\\",
    "//",
    "/*",
    "<",
    "@",
    "javascript:",
];

/// Restricts a style sheet; its selectors reach only into `.scope`.
pub(super) fn sheet(text: &str, scope: &str, prefix: &str) -> Restricted {
    let text = &without_controls(text);
    let text = text.trim().trim_start_matches("<!--").trim_start_matches("<![CDATA[");
    if text.len() > LONGEST_SHEET || depth(text) > DEEPEST {
        return Restricted {
            text: String::new(),
            removed: vec!["oversized style sheet".to_owned()],
        };
    }
    guarded(|| {
        let options = ParserOptions { error_recovery: true, ..ParserOptions::default() };
        let mut result = Restricted::default();
        match StyleSheet::parse(text, options) {
            Ok(sheet) => rules(&sheet.rules, scope, prefix, &mut result, 0),
            Err(_) => result.removed.push("style sheet that can't be read".to_owned()),
        }
        result
    })
    .unwrap_or_else(unreadable)
}

/// Restricts the text of a style attribute to declarations.
pub(super) fn declarations(text: &str, prefix: &str) -> Restricted {
    let text = &without_controls(text);
    if text.len() > LONGEST_STYLE || depth(text) > DEEPEST {
        return Restricted { text: String::new(), removed: vec!["oversized style".to_owned()] };
    }
    guarded(|| {
        let options = ParserOptions { error_recovery: true, ..ParserOptions::default() };
        let mut result = Restricted::default();
        if let Ok(style) = StyleAttribute::parse(text, options) {
            result.text = block(&style.declarations, prefix, &mut result.removed).join(";");
        }
        result
    })
    .unwrap_or_else(unreadable)
}

/// Without characters that no page may hold: conditions of rules are printed as they were written.
fn without_controls(text: &str) -> Cow<'_, str> {
    let is_forbidden = |it: char| it.is_control() && !matches!(it, '\t' | '\n' | '\r' | '\u{c}');
    if text.contains(is_forbidden) {
        Cow::Owned(text.replace(is_forbidden, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The class that stands for these declarations.
pub(super) fn style_class(declarations: &str) -> String {
    let digest = Sha256::digest(declarations.as_bytes());
    let mut class = String::from("s-");
    for byte in digest.iter().take(5) {
        class.push_str(&format!("{byte:02x}"));
    }
    class
}

/// The value of `read`, or `None` if the parser panics.
pub(super) fn guarded<T>(read: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(read)).ok()
}

fn unreadable() -> Restricted {
    Restricted { text: String::new(), removed: vec!["style that can't be read".to_owned()] }
}

pub(super) fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            // Brackets of different kinds don't close each other; not counting the difference
            // would let `{)` hide depth.
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

pub(super) fn options() -> PrinterOptions<'static> {
    PrinterOptions { minify: true, ..PrinterOptions::default() }
}

fn rules(list: &CssRuleList<'_>, scope: &str, prefix: &str, result: &mut Restricted, level: usize) {
    for rule in &list.0 {
        match rule {
            CssRule::Style(rule) => {
                let body = block(&rule.declarations, prefix, &mut result.removed);
                if !rule.rules.0.is_empty() {
                    result.removed.push("nested style rule".to_owned());
                }
                if body.is_empty() {
                    continue;
                }
                let printed = rule.selectors.0.iter();
                let printed = printed.filter_map(|selector| selector.to_css_string(options()).ok());
                // The root of the output stands for the root of the page, but only to define
                // properties: its box is what keeps the output in its place.
                let (root, inner): (Vec<String>, Vec<String>) = printed.partition(|it| {
                    matches!(it.to_ascii_lowercase().as_str(), ":root" | "html" | "body" | ":scope")
                });
                let selectors: Vec<String> =
                    inner.iter().filter_map(|it| scoped(it, scope, prefix)).collect();
                let custom = body.iter().filter(|it| it.starts_with("--")).cloned();
                let custom = custom.collect::<Vec<String>>().join(";");
                let body = body.join(";");
                if !root.is_empty() && !custom.is_empty() {
                    result.text.push_str(&format!(".{scope}{{{custom}}}\n"));
                } else if selectors.is_empty() {
                    result.removed.push("style rule for another place".to_owned());
                }
                if !selectors.is_empty() {
                    result.text.push_str(&format!("{}{{{body}}}\n", selectors.join(",")));
                }
            }
            CssRule::Media(rule) if level < 4 => {
                let query = rule.query.to_css_string(options()).unwrap_or_default();
                group("@media", &query, &rule.rules, scope, prefix, result, level);
            }
            CssRule::Supports(rule) if level < 4 => {
                let condition = rule.condition.to_css_string(options()).unwrap_or_default();
                group("@supports", &condition, &rule.rules, scope, prefix, result, level);
            }
            CssRule::Ignored => {}
            CssRule::Import(_) => result.removed.push("`@import` rule".to_owned()),
            CssRule::FontFace(_) => result.removed.push("`@font-face` rule".to_owned()),
            CssRule::Keyframes(_) => result.removed.push("`@keyframes` rule".to_owned()),
            _ => result.removed.push("style rule of a kind that can't be scoped".to_owned()),
        }
    }
}

fn group(
    name: &str,
    condition: &str,
    list: &CssRuleList<'_>,
    scope: &str,
    prefix: &str,
    result: &mut Restricted,
    level: usize,
) {
    let refused = ["{", "}", "\"", "'"];
    let lower = condition.to_ascii_lowercase();
    if condition.is_empty()
        || !is_balanced(condition)
        || refused.iter().chain(REFUSED_TEXT).any(|it| lower.contains(it))
    {
        result.removed.push(format!("`{name}` rule"));
        return;
    }
    let mut inner = Restricted::default();
    rules(list, scope, prefix, &mut inner, level + 1);
    result.removed.append(&mut inner.removed);
    if !inner.text.is_empty() {
        result.text.push_str(&format!("{name} {condition}{{\n{}}}\n", inner.text));
    }
}

fn block(block: &DeclarationBlock<'_>, prefix: &str, removed: &mut Vec<String>) -> Vec<String> {
    let plain = block.declarations.iter().map(|it| (it, false));
    let important = block.important_declarations.iter().map(|it| (it, true));
    plain
        .chain(important)
        .filter_map(|(property, is_important)| declaration(property, is_important, prefix, removed))
        .collect()
}

fn declaration(
    property: &Property<'_>,
    is_important: bool,
    prefix: &str,
    removed: &mut Vec<String>,
) -> Option<String> {
    let text = property.to_css_string(is_important, options()).ok()?;
    let lower = text.to_ascii_lowercase();
    let (name, value) = lower.split_once(':')?;
    let name = name.trim();
    let plain_name = name.trim_start_matches("-webkit-").trim_start_matches("-moz-");
    if REFUSED_PROPERTIES.iter().any(|it| plain_name.starts_with(it) || name.starts_with(it)) {
        removed.push(format!("`{plain_name}` style"));
        return None;
    }
    if name.ends_with("position") && ["fixed", "sticky", "var("].iter().any(|it| value.contains(it))
    {
        removed.push("`position` style".to_owned());
        return None;
    }
    let text = own_references(&text, prefix);
    let rest = text.replace(&format!("url(#{prefix}"), "").to_ascii_lowercase();
    if REFUSED_TEXT.iter().any(|it| rest.contains(it)) || !is_balanced(&text) {
        removed.push(format!("`{}` style that loads or hides something", printable(plain_name)));
        return None;
    }
    Some(text)
}

fn printable(name: &str) -> String {
    name.chars().filter(|it| it.is_ascii_alphanumeric() || *it == '-').take(40).collect()
}

/// Gives `url(#id)` the prefix of the output's ids.
fn own_references(text: &str, prefix: &str) -> String {
    let text = text.replace("url(\"#", "url(#").replace("url('#", "url(#");
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("url(#") {
        let (id, behind) = after.split_once(')').unwrap_or((after, ""));
        let id = id.trim_end_matches(['"', '\'']);
        out.push_str(before);
        let is_plain = id.chars().all(|it| it.is_alphanumeric() || matches!(it, '-' | '_' | '.'));
        let own = if id.starts_with(prefix) { "" } else { prefix };
        // An id that is not plain is left with an address that the next check refuses.
        out.push_str(&if is_plain { format!("url(#{own}{id})") } else { "url()".to_owned() });
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// Whether a declaration can't end the rule that it stands in.
pub(super) fn is_balanced(text: &str) -> bool {
    let mut open = Vec::new();
    let mut quote = None;
    for character in text.chars() {
        match (quote, character) {
            (Some(end), it) if it == end => quote = None,
            (Some(_), '\n' | '\r' | '\u{c}') => return false,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, '(') => open.push(')'),
            (None, '[') => open.push(']'),
            (None, '{' | '}') => return false,
            (None, ')' | ']') if open.pop() != Some(character) => return false,
            (None, ';') => return false,
            (None, _) => {}
        }
    }
    quote.is_none() && open.is_empty()
}

/// A printed selector with the output's prefixes, below the output's element.
fn scoped(selector: &str, scope: &str, prefix: &str) -> Option<String> {
    let refused = ["&", ":host", "::part", "::slotted", "::view-transition", "{", "}", ";"];
    let lower = selector.to_ascii_lowercase();
    if refused.iter().chain(REFUSED_TEXT).any(|it| lower.contains(it)) || !is_balanced(selector) {
        return None;
    }
    let mut out = String::with_capacity(selector.len() + 32);
    let mut quoted = None;
    let mut rest = selector;
    while let Some(character) = rest.chars().next() {
        rest = rest.get(character.len_utf8()..).unwrap_or("");
        out.push(character);
        match (quoted, character) {
            (Some(end), it) if it == end => quoted = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quoted = Some(character),
            (None, '.' | '#') => {
                let is_name =
                    |it: char| it.is_alphanumeric() || matches!(it, '-' | '_') || !it.is_ascii();
                let end = rest.find(|it| !is_name(it)).unwrap_or(rest.len());
                let (name, after) = rest.split_at_checked(end)?;
                match character {
                    '.' => out.push_str(&prefixed_class(name)),
                    _ if name.starts_with(prefix) => out.push_str(name),
                    _ => {
                        out.push_str(prefix);
                        out.push_str(name);
                    }
                }
                rest = after;
            }
            (None, _) => {}
        }
    }
    if quoted.is_some() {
        return None;
    }
    Some(format!(".{scope} {out}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet_of(text: &str) -> String {
        sheet(text, "S", "o-").text.trim().replace('\n', " ")
    }

    #[test]
    fn selectors_reach_only_the_output() {
        assert_eq!(
            sheet_of("body p.a, #b:hover > i{color:red}"),
            ".S body p.x-a,.S #o-b:hover>i{color:red}"
        );
        assert_eq!(sheet_of(":root{--x:1px;contain:none}"), ".S{--x:1px}");
        assert_eq!(sheet_of("body,html p{overflow:visible}"), ".S html p{overflow:visible}");
        assert_eq!(sheet_of("@media print{.a{color:#00f}}"), "@media print{ .S .x-a{color:#00f} }");
    }

    #[test]
    fn nothing_is_loaded() {
        for text in [
            "a{background:url(https://e.x/)}",
            "a{background:\\75rl(https://e.x/)}",
            "a{background:image-set('x' 1x)}",
            "a{--x:url(x)}",
            "@import 'https://e.x/';",
            "@font-face{font-family:x;src:url(x)}",
            "a{position:fixed}",
            "a{content:'</style>'}",
            "a{animation:x 1s}",
        ] {
            assert_eq!(sheet_of(text), "", "{text}");
        }
    }

    #[test]
    fn a_quote_in_a_root_rule_ends_no_rule() {
        assert_eq!(sheet_of(":root{--x:\"a;b\";color:red}"), ".S{--x:\"a;b\"}");
    }

    #[test]
    fn references_to_own_ids_stay() {
        assert_eq!(declarations("fill:url(#h)", "o-").text, "fill:url(#o-h)");
        assert_eq!(declarations("fill:url(#o-h)", "o-").text, "fill:url(#o-h)");
    }

    #[test]
    fn deep_brackets_are_not_parsed() {
        let text = format!("a{{b:{}}}", "(".repeat(200_000));
        assert!(sheet(&text, "S", "o-").text.is_empty());
    }
}
