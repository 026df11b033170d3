//! The scripts that nbc writes into pages: data that `emit` places and `verify` compares with.
//!
//! Each is written as ECMAScript modules in `assets/` and becomes one script when nbc is compiled, so that pages load no
//! more files and no longer ones.

/// Joins modules of `assets/` into one script, in an order in which each stands after those that it imports. A first line
/// may stand before all of them.
macro_rules! script {
    ($($module:literal),+ $(,)?) => { script![""; $($module),+] };
    ($first:expr; $($module:literal),+ $(,)?) => {{
        const MODULES: &[&str] = &[$(include_str!(concat!("../../../../assets/", $module))),+];
        const LENGTH: usize = join($first, MODULES, &mut []);
        const BYTES: [u8; LENGTH] = {
            let mut bytes = [0; LENGTH];
            join($first, MODULES, &mut bytes);
            bytes
        };
        match std::str::from_utf8(&BYTES) {
            Ok(text) => text,
            Err(_) => unreachable!(),
        }
    }};
}

/// Runs on each page.
pub const PAGE: &str = script!["page/theme.js", "page/code.js", "page/headings.js", "page/main.js"];
/// Draws charts.
pub const CHARTS: &str = script![
    "shared/sheet.js",
    "charts/addresses.js",
    "charts/styles.js",
    "charts/bokeh.js",
    "charts/runtime.js",
    "charts/theme.js",
    "charts/vega.js",
    "charts/plotly.js",
    "charts/figures.js",
    "charts/main.js",
];
/// Sorts and searches tables.
pub const TABLES: &str =
    script!["tables/values.js", "tables/grid.js", "tables/view.js", "tables/main.js"];
/// Shows the page for other values of its inputs.
pub const STATES: &str = script![
    "states/elements.js",
    "states/values.js",
    "states/model.js",
    "states/trie.js",
    "states/contents.js",
    "states/address.js",
    "states/history.js",
    "states/announcer.js",
    "states/patch.js",
    "states/slots.js",
    "states/controls/control.js",
    "states/controls/numbers.js",
    "states/controls/choices.js",
    "states/controls/dates.js",
    "states/controls/buttons.js",
    "states/controls/containers.js",
    "states/controls/binders.js",
    "states/page.js",
    "states/main.js",
];
/// Runs an output of a notebook in a file of its own. It stops at once where the file has an origin: opened by itself, or
/// framed by somebody else without a sandbox, it would have that of the site.
pub const ISLAND: &str = script![
    "if (self.origin !== 'null' || self === top) throw new Error('not here');\n";
    "shared/sheet.js",
    "island/styles.js",
    "island/widget.js",
    "island/main.js",
];

/// Each script that a page of this version may hold, by name; those of islands apart.
pub const ALL: [(&str, &str); 4] =
    [("nbc", PAGE), ("charts", CHARTS), ("tables", TABLES), ("states", STATES)];

const BEFORE: &str = "(() => {\n'use strict';\n";
const AFTER: &str = "})();\n";

/// Writes modules into one scope: without `import` statements, the word `export`, comment lines and empty lines.
/// Gives the length; bytes beyond the end of `out` are only counted.
///
/// Modules write `import` and `export` at the beginning of a line, import names as they are, and let no literal go over
/// the end of a line: `assets/eslint.config.js` asks for it.
#[expect(clippy::indexing_slicing, reason = "runs when nbc is compiled")]
const fn join(first: &str, modules: &[&str], out: &mut [u8]) -> usize {
    let mut length = append(first.as_bytes(), 0, first.len(), out, 0);
    length = append(BEFORE.as_bytes(), 0, BEFORE.len(), out, length);
    let mut module = 0;
    while module < modules.len() {
        let text = modules[module].as_bytes();
        let mut from = 0;
        while from < text.len() {
            let end = after(text, from, b'\n');
            let mut word = from;
            while word < end && text[word] == b' ' {
                word += 1;
            }
            if starts(text, from, b"import ") {
                from = after(text, after(text, from, b';'), b'\n');
                continue;
            }
            if word < end && text[word] != b'\n' && !starts(text, word, b"//") {
                let skipped = if starts(text, from, b"export ") { 7 } else { 0 };
                length = append(text, from + skipped, end, out, length);
            }
            from = end;
        }
        module += 1;
    }
    append(AFTER.as_bytes(), 0, AFTER.len(), out, length)
}

/// The place after the next `byte`, or the end of the text.
#[expect(clippy::indexing_slicing, reason = "runs when nbc is compiled")]
const fn after(text: &[u8], from: usize, byte: u8) -> usize {
    let mut at = from;
    while at < text.len() {
        if text[at] == byte {
            return at + 1;
        }
        at += 1;
    }
    at
}

#[expect(clippy::indexing_slicing, reason = "runs when nbc is compiled")]
const fn starts(text: &[u8], at: usize, word: &[u8]) -> bool {
    let mut same = 0;
    while same < word.len() && at + same < text.len() && text[at + same] == word[same] {
        same += 1;
    }
    same == word.len()
}

#[expect(clippy::indexing_slicing, reason = "runs when nbc is compiled")]
const fn append(text: &[u8], from: usize, end: usize, out: &mut [u8], length: usize) -> usize {
    let mut at = from;
    while at < end {
        if length + at - from < out.len() {
            out[length + at - from] = text[at];
        }
        at += 1;
    }
    length + end - from
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(modules: &[&str]) -> String {
        let mut bytes = vec![0; join("", modules, &mut [])];
        assert_eq!(join("", modules, &mut bytes), bytes.len());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn modules_become_one_scope() {
        let first = "// A module.\nexport const a = 1; // one\n\n  // Not shown.\nconst exported = '// a';\n";
        let second = "import { a } from './a.js';\nimport {\n  b,\n} from './b.js';\n\nexport class C {\n  a = a;\n}\n";
        assert_eq!(
            joined(&[first, second]),
            "(() => {\n'use strict';\nconst a = 1; // one\nconst exported = '// a';\nclass C {\n  a = a;\n}\n})();\n"
        );
        assert_eq!(
            joined(&["export const last = 1;"]),
            "(() => {\n'use strict';\nconst last = 1;})();\n"
        );
    }

    #[test]
    fn scripts_have_no_words_of_modules() {
        for (name, text) in ALL.into_iter().chain([("island", ISLAND)]) {
            assert!(text.contains(BEFORE) && text.ends_with(AFTER), "{name}");
            for line in text.lines() {
                let word = line.split_whitespace().next().unwrap_or_default();
                assert!(!matches!(word, "import" | "export" | "//" | ""), "{name}: {line}");
            }
        }
    }
}
