//! JavaScript of islands, changed as far as a frame without modules needs it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Imports of a module. A module that a policy names by digest may not load others.
pub(super) fn imports(code: &str) -> Vec<String> {
    let mut found = BTreeSet::new();
    for (at, word) in code.match_indices("from").chain(code.match_indices("import")) {
        let before = code.get(..at).and_then(|it| it.chars().next_back());
        if before.is_some_and(|it| it.is_alphanumeric() || matches!(it, '_' | '$' | '.')) {
            continue;
        }
        let rest = code.get(at + word.len()..).unwrap_or("").trim_start();
        let rest = rest.strip_prefix('(').map_or(rest, str::trim_start);
        let Some(quote) = rest.chars().next().filter(|it| matches!(it, '"' | '\'')) else {
            continue;
        };
        let Some((address, _)) = rest.get(1..).and_then(|it| it.split_once(quote)) else {
            continue;
        };
        let is_address = ["https://", "http://", "//", "./", "../", "data:", "blob:"];
        if is_address.iter().any(|it| address.starts_with(it)) {
            found.insert(address.chars().take(200).collect());
        }
    }
    found.into_iter().collect()
}

/// A module that passes its exports to `nbcWidget`: no other script can import an inline module. `None` if there is
/// no export.
pub(super) fn with_named_exports(code: &str) -> Option<String> {
    const TAKE: &str = "\n;self.nbcWidget(self.nbcExports);\n";
    let starts = |it: &usize| {
        let before = code.get(..*it).map(|it| it.trim_end_matches([' ', '\t']));
        before.is_some_and(|it| it.is_empty() || it.ends_with(['\n', ';', '}', '/']))
    };
    let all = code.match_indices("export").map(|(at, _)| at).filter(starts);
    let mut text = code.to_owned();
    let (mut names, mut is_found) = (BTreeMap::new(), false);
    // From the end, so that places before stay where they are.
    for at in all.collect::<Vec<_>>().into_iter().rev() {
        let rest = text.get(at + "export".len()..)?.to_owned();
        let head = text.get(..at)?.to_owned();
        let trimmed = rest.trim_start();
        if let Some(list) = trimmed.strip_prefix('{') {
            let (list, tail) = list.split_once('}')?;
            for item in list.split(',').map(str::trim).filter(|it| !it.is_empty()) {
                let (own, shown) = item.split_once(" as ").unwrap_or((item, item));
                names.insert(shown.trim().to_owned(), own.trim().to_owned());
            }
            text = format!("{head}{tail}");
            is_found = true;
        } else if let Some(value) =
            trimmed.strip_prefix("default").filter(|it| !it.starts_with(char::is_alphanumeric))
        {
            text = format!("{head}self.nbcDefault = {}", value.trim_start());
            names.insert("default".to_owned(), "self.nbcDefault".to_owned());
            is_found = true;
        } else {
            let words: Vec<&str> =
                trimmed.split(|it: char| !it.is_alphanumeric() && it != '_' && it != '$').collect();
            let words: Vec<&str> = words.into_iter().filter(|it| !it.is_empty()).take(3).collect();
            let name = match words.as_slice() {
                ["async", "function", name] => *name,
                ["function" | "const" | "let" | "var" | "class", name, ..] => *name,
                _ => continue,
            };
            names.insert(name.to_owned(), name.to_owned());
            text = format!("{head}{trimmed}");
            is_found = true;
        }
    }
    let list: Vec<String> = names.iter().map(|(shown, own)| format!("{shown}: {own}")).collect();
    is_found.then(|| format!("{text}\n;self.nbcExports = {{ {} }};{TAKE}", list.join(", ")))
}

/// `CustomJS` of a Bokeh document as a function, under the texts by which BokehJS asks for it.
pub(super) fn function_of(model: &Value) -> Option<String> {
    let attributes = model.get("attributes")?;
    let code = attributes.get("code")?.as_str()?;
    let arguments = attributes.get("args");
    let mut names: Vec<String> = Vec::new();
    let entries = arguments.and_then(|it| it.get("entries")).and_then(Value::as_array);
    for entry in entries.into_iter().flatten() {
        names.push(entry.get(0)?.as_str()?.to_owned());
    }
    let is_plain = |it: &String| {
        !it.is_empty() && it.chars().all(|it| it.is_alphanumeric() || it == '_' || it == '$')
    };
    if !names.iter().all(is_plain) {
        return None;
    }
    names.extend(["cb_obj", "cb_data", "cb_context"].map(str::to_owned));
    let body = format!("'use strict';\n{code}");
    let mut key = names.clone();
    key.push(body.clone());
    Some(format!(
        "self.nbcFunction({}, function ({}) {{\n{body}\n}});",
        serde_json::to_string(&key).ok()?,
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_of_a_module_are_handed_over() {
        let code = |text: &str| with_named_exports(text).unwrap();
        assert!(code("export default { render }").starts_with("self.nbcDefault = { render }"));
        let bundled = code("function a(){}\nexport{a as default,a as render};");
        assert!(bundled.contains("self.nbcExports = { default: a, render: a };"), "{bundled}");
        let old = code("export async function render() {}\nexport const exporter = 1;");
        assert!(old.starts_with("async function render() {}\nconst exporter"), "{old}");
        assert_eq!(with_named_exports("let a = 1"), None);
        assert_eq!(imports("import * as d3 from \"https://esm.sh/d3\"; x.from('./a')").len(), 1);
    }
}
