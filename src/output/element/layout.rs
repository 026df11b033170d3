//! Elements that arrange others.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Compiled, plain};
use crate::output::note;
use crate::sanitize::{Gate, SafeHtml, children};

/// Panels that one reader opens at a time: tabs. Without a script they are what a browser makes of
/// `details` that share a name; the style lays them out as a strip, and paper shows all of them.
pub(in crate::output) fn tabs(
    panels: Vec<(SafeHtml, SafeHtml)>,
    open: usize,
    gate: &mut Gate,
) -> SafeHtml {
    let name = gate.group_name();
    let open = if open < panels.len() { open } else { 0 };
    let items = panels.into_iter().enumerate().map(|(at, (label, panel))| {
        let mut attributes = vec![("class", "nbc-tab"), ("name", name.as_str())];
        if at == open {
            attributes.push(("open", ""));
        }
        disclosure(&attributes, label, SafeHtml::div("nbc-tab-panel", panel))
    });
    SafeHtml::div("nbc-tabs", SafeHtml::concat(items.collect::<Vec<_>>()))
}

/// Panels one under the other; with a name only one of them is open.
pub(in crate::output) fn accordion(
    panels: Vec<(SafeHtml, SafeHtml)>,
    is_open: impl Fn(usize) -> bool,
    name: Option<&str>,
) -> SafeHtml {
    let items = panels.into_iter().enumerate().map(|(at, (label, panel))| {
        let mut attributes: Vec<_> = name.map(|it| ("name", it)).into_iter().collect();
        if is_open(at) {
            attributes.push(("open", ""));
        }
        disclosure(&attributes, label, SafeHtml::div("nbc-accordion-body", panel))
    });
    SafeHtml::div("nbc-accordion", SafeHtml::concat(items.collect::<Vec<_>>()))
}

fn disclosure(attributes: &[(&'static str, &str)], label: SafeHtml, body: SafeHtml) -> SafeHtml {
    let summary = SafeHtml::element("summary", &[], label);
    SafeHtml::element("details", attributes, SafeHtml::concat([summary, body]))
}

impl Compiled<'_, '_> {
    pub(super) fn layout(&self, inner: &SafeHtml, gate: &mut Gate) -> Option<SafeHtml> {
        Some(match self.name {
            // Wrappers that mean something to marimo's page only.
            "island" | "cell-output" => inner.clone(),
            "ui-element" => self.marimo.input(inner.clone()),
            "routes" => {
                let routes = self.json("routes");
                let panels = children(inner).into_iter().enumerate().map(|(at, panel)| {
                    let route = routes.get(at).map(plain).unwrap_or_default();
                    let route = SafeHtml::element("code", &[], SafeHtml::text(&route));
                    SafeHtml::concat([SafeHtml::div("nbc-route", route), panel])
                });
                SafeHtml::concat(panels.collect::<Vec<_>>())
            }
            "accordion" => {
                let expanded = self.json("expanded");
                let expanded: BTreeSet<u64> =
                    expanded.as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
                let panels = self.panels("labels", inner, gate);
                let name = (!self.flag("multiple")).then(|| gate.group_name());
                // Of several that share a name a browser leaves only one open.
                let first = expanded.first().copied();
                let is_open = |at: usize| match name {
                    Some(_) => first == Some(at as u64),
                    None => expanded.contains(&(at as u64)),
                };
                accordion(panels, is_open, name.as_deref())
            }
            "tabs" => {
                let open = self.marimo.chosen().unwrap_or_else(|| self.json("initial-value"));
                let open = plain(&open).parse().unwrap_or(0);
                tabs(self.panels("tabs", inner, gate), open, gate)
            }
            "carousel" => {
                let items = children(inner).into_iter();
                let items = items.map(|it| SafeHtml::element("li", &[], it)).collect::<Vec<_>>();
                let attributes =
                    [("class", "nbc-carousel"), ("tabindex", "0"), ("aria-label", "Slides")];
                SafeHtml::element("ul", &attributes, SafeHtml::concat(items))
            }
            "sidebar" => SafeHtml::element("aside", &[("class", "nbc-sidebar")], inner.clone()),
            "nav-menu" => {
                let items = self.json("items");
                let class = match self.text("orientation").as_str() {
                    "vertical" => "nbc-menu nbc-menu-vertical",
                    _ => "nbc-menu",
                };
                let nav = self.navigation(&items, gate, 0);
                SafeHtml::element("nav", &[("class", class), ("aria-label", "Menu")], nav)
            }
            // The page has its own table of contents.
            "outline" => {
                self.marimo.notes.unsupported("an outline (the page has its own)");
                note("The page's own table of contents stands for this outline.")
            }
            _ => return None,
        })
    }

    /// Labels of an attribute with the children that they name.
    fn panels(&self, name: &str, inner: &SafeHtml, gate: &mut Gate) -> Vec<(SafeHtml, SafeHtml)> {
        let mut labels = self.list(name, gate).into_iter();
        let label = |at: usize, it: Option<SafeHtml>| {
            it.filter(|it| !it.is_empty()).unwrap_or_else(|| SafeHtml::text(&(at + 1).to_string()))
        };
        let panels = children(inner).into_iter().enumerate();
        panels.map(|(at, panel)| (label(at, labels.next()), panel)).collect()
    }

    fn navigation(&self, items: &Value, gate: &mut Gate, depth: u8) -> SafeHtml {
        let Some(items) = items.as_array().filter(|_| depth < 4) else {
            return SafeHtml::default();
        };
        let items: Vec<SafeHtml> = items
            .iter()
            .map(|item| {
                let html = |name: &str, gate: &mut Gate| {
                    let text = item.get(name).filter(|it| !it.is_null())?;
                    Some(self.marimo.html(&plain(text), gate))
                };
                let label = html("label", gate).unwrap_or_default();
                let address = item.get("href").map(plain).unwrap_or_default();
                let label = if address.is_empty() {
                    SafeHtml::element("span", &[("class", "nbc-menu-group")], label)
                } else {
                    let attributes =
                        [("href", address.as_str()), ("rel", "noopener noreferrer nofollow")];
                    SafeHtml::element("a", &attributes, label)
                };
                let text = html("description", gate).map(|it| SafeHtml::div("nbc-menu-text", it));
                let inner = item.get("items").map(|it| self.navigation(it, gate, depth + 1));
                let pieces = [label, text.unwrap_or_default(), inner.unwrap_or_default()];
                SafeHtml::element("li", &[], SafeHtml::concat(pieces))
            })
            .collect();
        SafeHtml::element("ul", &[], SafeHtml::concat(items))
    }
}
