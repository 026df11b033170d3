//! References within a figure: `url(#mask)`, `href="#symbol"`.
//!
//! In: markup and rules of one output, both clean. Out: whether drawing it stays bounded. Twenty
//! masks of four shapes that each show the next mask are a trillion shapes to a browser.

use std::collections::{BTreeMap, BTreeSet};

use super::SafeHtml;
use super::policy::VOID;
use super::scan::{Piece, attribute, pieces};

/// Most references that lead from one to the next.
const DEEPEST: u32 = 3;
/// Most elements that are drawn by reference, beside a few for each that is there.
const MOST_DRAWN: u64 = 10_000;
const DRAWN_PER_ELEMENT: u64 = 8;

#[derive(Default)]
struct Node {
    parent: Option<usize>,
    targets: Vec<String>,
    /// How often a marker of it is drawn.
    vertices: u64,
}

/// Whether the references of an output make a browser draw far more than was written.
pub(super) fn multiply(html: &SafeHtml, css: &str) -> bool {
    let text = html.as_str();
    if !text.contains("<svg")
        || !text.contains("url(#") && !text.contains("href=\"#") && !css.contains("url(#")
    {
        return false;
    }
    let rules = Rules::read(css);
    let (nodes, ids) = read(text, &rules);
    let mut drawing = Drawing { ids: &ids, costs: vec![None; nodes.len()], nodes: &nodes };
    let children = drawing.children();
    let total = (0..nodes.len()).filter(|at| nodes.get(*at).is_some_and(|it| it.parent.is_none()));
    let mut sum = 0u64;
    for at in total {
        let Some((depth, cost)) = drawing.cost(at, &children, 0) else { return true };
        if depth > DEEPEST {
            return true;
        }
        sum = sum.saturating_add(cost);
    }
    sum > MOST_DRAWN + DRAWN_PER_ELEMENT * nodes.len() as u64
}

/// The elements in order, and where each id is.
fn read(text: &str, rules: &Rules) -> (Vec<Node>, BTreeMap<String, usize>) {
    let mut nodes: Vec<Node> = Vec::new();
    let mut ids = BTreeMap::new();
    let mut open: Vec<usize> = Vec::new();
    for piece in pieces(text) {
        let Piece::Tag(tag) = piece else { continue };
        if tag.starts_with("</") {
            open.pop();
            continue;
        }
        let name = tag.trim_start_matches('<').split([' ', '>']).next().unwrap_or("");
        let at = nodes.len();
        let mut node = Node { parent: open.last().copied(), vertices: 1, ..Node::default() };
        // A gradient's own reference names one other gradient, and colours are drawn once.
        let is_gradient = matches!(name, "linearGradient" | "radialGradient");
        if !is_gradient {
            if let Some((_, id)) = attribute(tag, "id") {
                ids.entry(id.to_owned()).or_insert(at);
            }
            let mut targets: BTreeSet<&str> = addresses(tag).collect();
            if name != "a" {
                let links = ["href", "xlink:href"].into_iter().filter_map(|it| attribute(tag, it));
                targets.extend(links.filter_map(|(_, it)| it.strip_prefix('#')));
            }
            let is_marked = tag.contains(" marker-") || rules.has_markers;
            if is_marked && let Some((_, shape)) = attribute(tag, "d").or(attribute(tag, "points"))
            {
                let is_number = |it: &&str| it.contains(|it: char| it.is_ascii_digit());
                let numbers = shape.split(|it: char| !it.is_ascii_digit() && it != '.');
                node.vertices = numbers.filter(is_number).count() as u64 / 2 + 1;
            }
            node.targets = targets.into_iter().map(ToOwned::to_owned).collect();
            rules.extend(tag, &mut node.targets);
        }
        if !VOID.contains(&name) {
            open.push(at);
        }
        nodes.push(node);
    }
    (nodes, ids)
}

/// The ids in `url(#id)`.
fn addresses(text: &str) -> impl Iterator<Item = &str> {
    text.split("url(#").skip(1).filter_map(|it| it.split(')').next())
}

/// Ids that the rules of an output refer to, by the class or id at the end of a rule's selector. A rule
/// with neither may apply to any element.
#[derive(Default)]
struct Rules {
    named: BTreeMap<String, BTreeSet<String>>,
    any: BTreeSet<String>,
    has_markers: bool,
}

impl Rules {
    fn read(css: &str) -> Self {
        let mut rules = Self::default();
        // A custom property brings its reference to wherever it is used.
        for line in css.lines().filter(|it| it.contains("url(#")) {
            let Some((selectors, body)) = line.split_once('{') else { continue };
            let targets: BTreeSet<String> = addresses(body).map(ToOwned::to_owned).collect();
            rules.has_markers |= body.contains("marker");
            let is_simple = !body.contains("--") && !selectors.contains(['[', '"', '\'']);
            let selectors = selectors.replace(":not(#_)", "");
            for selector in selectors.split(',') {
                let last = selector.split([' ', '>', '+', '~']).next_back().unwrap_or("");
                let name = last.find(['.', '#']).and_then(|at| last.get(at..));
                let name = name.and_then(|it| {
                    let end = it.get(1..)?.find(['.', '#', ':']).map_or(it.len(), |end| end + 1);
                    it.get(..end)
                });
                match name.filter(|_| is_simple && !selectors.contains('(')) {
                    Some(name) => {
                        rules.named.entry(name.to_owned()).or_default().extend(targets.clone());
                    }
                    None => rules.any.extend(targets.clone()),
                }
            }
        }
        rules
    }

    fn extend(&self, tag: &str, targets: &mut Vec<String>) {
        if self.any.is_empty() && self.named.is_empty() {
            return;
        }
        let mut found: BTreeSet<&String> = self.any.iter().collect();
        let classes = attribute(tag, "class").map_or("", |(_, it)| it);
        let names = classes.split(' ').map(|it| format!(".{it}"));
        let id = attribute(tag, "id").map(|(_, it)| format!("#{it}"));
        for name in names.chain(id) {
            found.extend(self.named.get(&name).into_iter().flatten());
        }
        targets.extend(found.into_iter().cloned());
    }
}

struct Drawing<'a> {
    nodes: &'a [Node],
    ids: &'a BTreeMap<String, usize>,
    /// Depth and cost of each element with what is in it, when known.
    costs: Vec<Option<(u32, u64)>>,
}

impl Drawing<'_> {
    fn children(&self) -> Vec<Vec<usize>> {
        let mut children = vec![Vec::new(); self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            if let Some(inner) = node.parent.and_then(|it| children.get_mut(it)) {
                inner.push(at);
            }
        }
        children
    }

    /// References in a row, and elements drawn; `None` where references nest too deeply or in a
    /// circle. Elements nest less than 300 deep, so the recursion ends.
    fn cost(&mut self, at: usize, children: &[Vec<usize>], level: u32) -> Option<(u32, u64)> {
        if let Some(known) = self.costs.get(at).copied().flatten() {
            return Some(known);
        }
        if level > DEEPEST {
            return None;
        }
        let (mut depth, mut cost) = (0, 1u64);
        for child in children.get(at).into_iter().flatten() {
            let (inner, drawn) = self.cost(*child, children, level)?;
            depth = depth.max(inner);
            cost = cost.saturating_add(drawn);
        }
        let node = self.nodes.get(at)?;
        for target in node.targets.iter().filter_map(|it| self.ids.get(it)) {
            let (inner, drawn) = self.cost(*target, children, level + 1)?;
            depth = depth.max(inner + 1);
            cost = cost.saturating_add(drawn.saturating_mul(node.vertices));
        }
        *self.costs.get_mut(at)? = Some((depth, cost));
        Some((depth, cost))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{UntrustedHtml, html};

    fn is_shown(markup: &str) -> bool {
        let result = html(&UntrustedHtml::new(markup.to_owned()), "c1");
        assert_eq!(
            result.html.as_str().contains("<svg"),
            !result.html.as_str().contains("too complex")
        );
        result.html.as_str().contains("<svg")
    }

    /// `levels` elements, each with `count` shapes that show the next one.
    fn nested(name: &str, levels: usize, count: usize, show: impl Fn(usize) -> String) -> String {
        let one = |level: usize| {
            let shape = match level + 1 < levels {
                true => format!("<path d='M0 0L1 1' {} />", show(level + 1)),
                false => "<path d='M0 0' />".to_owned(),
            };
            format!("<{name} id=a{level}>{}</{name}>", shape.repeat(count))
        };
        let all: String = (0..levels).map(one).collect();
        format!("<svg>{all}<path d='M0 0' {} /></svg>", show(0))
    }

    #[test]
    fn references_that_multiply_are_not_shown() {
        for (name, attribute) in [
            ("mask", "mask"),
            ("clipPath", "clip-path"),
            ("pattern", "fill"),
            ("marker", "marker-end"),
        ] {
            let by_attribute = |level: usize| format!("{attribute}='url(#a{level})'");
            let by_style = |level: usize| format!("style='{attribute}:url(#a{level})'");
            assert!(is_shown(&nested(name, 3, 4, by_attribute)), "{name}");
            assert!(!is_shown(&nested(name, 20, 4, by_attribute)), "{name}");
            assert!(!is_shown(&nested(name, 20, 4, by_style)), "{name}");
            assert!(!is_shown(&nested(name, 3, 100, by_attribute)), "{name}");
        }
        let rules: String = (0..20).map(|it| format!(".c{it}{{mask:url(#a{it})}}")).collect();
        let by_class = nested("mask", 20, 4, |level| format!("class=c{level}"));
        assert!(!is_shown(&format!("<style>{rules}</style>{by_class}")));
        let circle = "<svg><mask id=a><path mask='url(#a)' /></mask><path mask='url(#a)' /></svg>";
        assert!(!is_shown(circle));
    }

    #[test]
    fn figures_with_many_plain_references_are_shown() {
        let lines = "<g clip-path='url(#c)'><use href='#m' x=1 /></g>".repeat(20_000);
        let parts = "<clipPath id=c><rect /></clipPath><path id=m d='M0 0' />";
        assert!(is_shown(&format!("<svg>{parts}{lines}</svg>")));
        let gradients = "<style>.k{fill:url(#g)}path{stroke:url(#g)}</style>\
                         <svg><linearGradient id=g href='#h'><stop class=k /></linearGradient>\
                         <path class=k d='M0 0' /></svg>";
        assert!(is_shown(gradients));
    }
}
