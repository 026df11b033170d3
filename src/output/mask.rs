//! Removes the names of a machine and of its folders from the record that a page is made of.
//!
//! In: a record, before anything of it is rendered. Out: the same record, in which home folders are `~`,
//! temporary folders `…`, packages `site-packages/…`, and the names and secrets of this host stand no more.
//! One pass over each text; what is matched holds no markup, so that markup stays what it is. Never touches
//! binary data or addresses of the web.

mod host;
mod place;

use aho_corasick::AhoCorasick;
use serde_json::Value;

use crate::run::RunRecord;
use crate::run::record::{RawOutput, Widget};
use crate::secret::Scanner;

pub use host::Host;
use place::{TRIGGERS, Trigger, is_base64_byte};

/// Most times that a text is searched anew after something in it was masked.
const MAX_PASSES: usize = 4;

/// Everything that is taken out of texts.
#[derive(Debug)]
pub struct Masks {
    automaton: Option<AhoCorasick>,
    triggers: Vec<Trigger>,
    shown: Vec<String>,
    secrets: Scanner,
}

impl Masks {
    /// `known` are paths of this host, each with the one that is shown; `host` may be empty, where a run could
    /// not see it.
    pub fn new(known: impl IntoIterator<Item = (String, String)>, host: Host) -> Self {
        let mut masks = Self {
            automaton: None,
            triggers: Vec::new(),
            shown: Vec::new(),
            secrets: Scanner::new(host.secrets.iter().map(|(name, it)| (name.as_str(), it)))
                .unwrap_or_default(),
        };
        let mut patterns: Vec<String> = Vec::new();
        let known = known.into_iter().filter(|(path, _)| path.len() > 1);
        let workspace = host.workspace.filter(|it| it.matches('/').count() > 1);
        let workspace = workspace.map(|it| (it, "…".to_owned()));
        for (path, shown) in known.chain(workspace) {
            masks.triggers.push(Trigger::Known(masks.shown.len()));
            masks.shown.push(shown);
            patterns.push(path);
        }
        for (name, shown) in host.names {
            let short = name.split('.').next().unwrap_or_default().to_owned();
            for name in [name, short] {
                let is_common = host::is_common(&name);
                if name.len() >= 4 && !is_common && !patterns.contains(&name) {
                    masks.triggers.push(Trigger::Word(masks.shown.len()));
                    masks.shown.push(shown.to_owned());
                    patterns.push(name);
                }
            }
        }
        patterns.extend(TRIGGERS.iter().map(|(text, _)| (*text).to_owned()));
        masks.triggers.extend(TRIGGERS.iter().map(|(_, trigger)| *trigger));
        let built = AhoCorasick::new(&patterns);
        masks.automaton = built.ok();
        masks
    }

    /// Masks everything in a record that a page could show. Gives the names of the variables whose values were
    /// in it, with the index of the cell.
    pub fn record(&self, record: &mut RunRecord) -> Vec<(crate::notebook::CellId, String)> {
        let mut found = Vec::new();
        if let Some(sweep) = &mut record.sweep {
            let widgets = sweep.states.iter_mut().flat_map(|it| &mut it.widgets);
            for widget in sweep.widgets.iter_mut().chain(widgets) {
                let mut names = std::collections::BTreeSet::new();
                self.widget(widget, &mut names);
                found.extend(names.into_iter().map(|it| (widget.cell, it)));
            }
        }
        for (id, run) in record.runs_mut() {
            let mut names = std::collections::BTreeSet::new();
            for output in &mut run.outputs {
                match output {
                    RawOutput::Stream { text, .. } => self.text(text, &mut names),
                    RawOutput::Display { bundle } => {
                        let texts = bundle.data.iter_mut().filter(|(mime, _)| is_text(mime));
                        texts.for_each(|(_, value)| self.value(value, &mut names));
                        bundle.metadata.values_mut().for_each(|it| self.value(it, &mut names));
                    }
                }
            }
            found.extend(names.into_iter().map(|it| (id, it)));
        }
        found.sort();
        found.dedup();
        found
    }

    /// Masks values and labels of a widget and of its parts, which the page shows.
    fn widget(&self, widget: &mut Widget, names: &mut std::collections::BTreeSet<String>) {
        widget.values.iter_mut().for_each(|it| self.value(it, names));
        widget.labels.iter_mut().for_each(|it| self.text(it, names));
        widget.parts.iter_mut().for_each(|it| self.widget(it, names));
    }

    fn value(&self, value: &mut Value, names: &mut std::collections::BTreeSet<String>) {
        // The JSON reader bounds the nesting of values from the runner.
        match value {
            Value::String(text) => self.text(text, names),
            Value::Array(items) => items.iter_mut().for_each(|it| self.value(it, names)),
            Value::Object(items) => {
                items.values_mut().for_each(|it| self.value(it, names));
                if items.keys().any(|it| self.masked(it).is_some()) {
                    let mut renamed = serde_json::Map::new();
                    for (key, value) in std::mem::take(items) {
                        let mut key = self.masked(&key).unwrap_or(key);
                        // Two folders may look alike now; neither entry may go.
                        while renamed.contains_key(&key) {
                            key.push('…');
                        }
                        renamed.insert(key, value);
                    }
                    *items = renamed;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn text(&self, text: &mut String, names: &mut std::collections::BTreeSet<String>) {
        if is_base64(text) {
            return;
        }
        if !self.secrets.is_empty() {
            let found = self.secrets.find(text.as_bytes());
            if !found.is_empty() {
                names.extend(found.into_iter().map(str::to_owned));
                self.secrets.mask(text);
            }
        }
        if let Some(masked) = self.masked(text) {
            *text = masked;
        }
    }

    /// The text without paths and names of a machine; `None` where there are none.
    pub fn masked(&self, text: &str) -> Option<String> {
        let mut masked = self.pass(text)?;
        // Removed text may leave its neighbours joined to another path.
        for _ in 1..MAX_PASSES {
            let Some(again) = self.pass(&masked) else { break };
            masked = again;
        }
        Some(masked)
    }

    fn pass(&self, text: &str) -> Option<String> {
        let automaton = self.automaton.as_ref()?;
        // If a match is refused, a shorter one at the same place may still hold.
        let mut hits: Vec<_> = automaton.find_overlapping_iter(text).collect();
        hits.sort_by_key(|it| (it.start(), std::cmp::Reverse(it.end())));
        let mut out = String::new();
        let mut end = 0;
        let mut has_changed = false;
        for hit in hits {
            // Something longer was masked that this is a part of.
            let Some(before) = text.get(end..hit.start()) else { continue };
            let Some(&trigger) = self.triggers.get(hit.pattern().as_usize()) else { continue };
            out.push_str(before);
            end = hit.start();
            let matched = text.get(hit.range()).unwrap_or_default();
            let after = text.get(hit.end()..).unwrap_or_default();
            if let Some(taken) = place::replace(trigger, matched, &mut out, after, &self.shown) {
                has_changed = has_changed || !matches!(trigger, Trigger::Base64);
                end = hit.end() + taken;
            }
        }
        out.push_str(text.get(end..).unwrap_or_default());
        (has_changed && out != text).then_some(out)
    }
}

/// Whether a type is worth a look; base64 holds no path, and is most of the bytes.
pub fn is_text(mime: &str) -> bool {
    let mime = mime.trim_start();
    let is_binary = ["image/", "audio/", "video/", "application/pdf", "application/octet-stream"];
    mime.starts_with("image/svg") || !is_binary.iter().any(|it| mime.starts_with(it))
}

/// Whether a whole value is binary data: long, in groups of four, without anything that a sentence has.
fn is_base64(text: &str) -> bool {
    text.len() >= 256 && text.len().is_multiple_of(4) && text.bytes().all(is_base64_byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::secret::Secret;

    fn masks() -> Masks {
        let known = [
            ("/cache/envs/1".to_owned(), "/env".to_owned()),
            ("/home/ada/project".to_owned(), "/nb".to_owned()),
        ];
        let host = Host {
            names: vec![("adalovelace".to_owned(), "user"), ("engine-7.lan".to_owned(), "host")],
            workspace: Some("/srv/ci/job-17".to_owned()),
            secrets: vec![("X_TOKEN".to_owned(), Secret::new("correct-horse"))],
        };
        Masks::new(known, host)
    }

    fn check(text: &str) -> String {
        masks().masked(text).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn paths_of_a_machine_are_reduced() {
        for (text, expected) in [
            ("open('/home/ada/data.csv')", "open('~/data.csv')"),
            ("/Users/ada.l/x /home/ada", "~/x ~"),
            ("in /home/ada.", "in ~."),
            ("file:///home/ada/x", "file://~/x"),
            (r"C:\Users\Ada Lovelace\data.csv", r"~\data.csv"),
            (r#""C:\\Users\\ada\\data.csv""#, r#""~\\data.csv""#),
            ("C:/Users/ada/x", "~/x"),
            ("/root/.cache/x", "~/.cache/x"),
            ("/mnt/c/Users/ada/x /c/Users/ada/x /cygdrive/d/Users/ada/x", "~/x ~/x ~/x"),
            (r"c:\users\ada\x", r"~\x"),
            (r"\\?\C:\Users\ada\x", r"\\?\~\x"),
            ("/var/home/ada/x /export/home/ada/x /data/home/ada/x", "~/x ~/x ~/x"),
            ("/run/user/1000/x /Volumes/ada/x /home//ada/x", "~/x ~/x ~/x"),
            (r"\/home\/ada\/x", r"~\/x"),
            ("&#47;home&#47;ada&#47;x", "~&#47;x"),
            ("/tmp/ipykernel_123/4567.py:3: UserWarning: odd", "…:3: UserWarning: odd"),
            (r"C:\Users\ada\AppData\Local\Temp\ipykernel_1\23.py:1: W", "…:1: W"),
            ("/tmp/tmpabc123/out.csv", "…/out.csv"),
            ("/var/folders/ab/c1d2_e/T/ipykernel_1/2.py:1", "…:1"),
            ("/private/var/folders/ab/c1d2_e/T/tmpx/f.csv", "…/f.csv"),
            (
                "/opt/conda/lib/python3.11/site-packages/pandas/a.py:1",
                "site-packages/pandas/a.py:1",
            ),
            ("/home/ada/venv/lib/site-packages/a.py", "site-packages/a.py"),
            (r"C:\Python\Lib\site-packages\a.py", r"site-packages\a.py"),
            ("<a href=\"/home/ada/x\">/home/ada/x</a>", "<a href=\"~/x\">~/x</a>"),
            ("&quot;/home/ada/x&quot;", "&quot;~/x&quot;"),
            ("/home/ada/project/a.csv, /cache/envs/1/bin", "/nb/a.csv, /env/bin"),
            ("/home/ada/project2/a.csv", "~/project2/a.csv"),
            ("/srv/ci/job-17/a", "…/a"),
            ("adalovelace@engine-7:~$ engine-7.lan", "user@host:~$ host"),
            ("[<A object at 0x7ffff528be90>, 1]", "[<A object at 0x…>, 1]"),
            ("&lt;f at 0x7ffff528be90&gt;", "&lt;f at 0x…&gt;"),
            (".../home/ada/x", "...~/x"),
            ("-I/home/ada/include -L/cache/envs/1/lib", "-I~/include -L/env/lib"),
            ("file:///cache/envs/1/a", "file:///env/a"),
        ] {
            assert_eq!(check(text), expected, "{text}");
        }
    }

    #[test]
    fn what_a_mask_joins_is_masked_too() {
        assert_eq!(check("T:\\Users\\/srv/ci/job-17…/home/"), "~/home/");
    }

    #[test]
    fn what_only_looks_like_a_path_stays() {
        for text in [
            "https://example.org/home/ada",
            "https://example.org/Users/ada/tmp/x",
            "https://github.com/x/site-packages/y",
            "see a/tmp/b and data/home/ada",
            "/homework/ada /roots/x /tmp and /home/",
            "the flag is at 0x10>",
            "data:image/png;base64,iVBOR//home/ada/tmp/x+/tmp/abcdefg/AAAA",
            "adalovelaces engine-77 my-engine-7",
            "site-packages/pandas",
            "1/2 ~/x …/y",
        ] {
            assert_eq!(check(text), text);
        }
    }

    #[test]
    fn values_of_variables_are_masked_and_told() {
        let mut text = "it is correct-horse or Y29ycmVjdC1ob3JzZQ==".to_owned();
        let mut names = std::collections::BTreeSet::new();
        masks().text(&mut text, &mut names);
        assert!(!text.contains("horse") && !text.contains("Y29ycmVjdC1ob3JzZQ"), "{text}");
        assert_eq!(names.len(), 1);
    }

    #[test]
    fn keys_that_look_alike_afterwards_both_stay() {
        let mut value = serde_json::json!({"/home/ada/x": "/home/bob/y", "/home/bob/x": 2, "z": 3});
        masks().value(&mut value, &mut std::collections::BTreeSet::new());
        assert_eq!(value, serde_json::json!({"~/x": "~/y", "~/x…": 2, "z": 3}));
    }

    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "/home/",
            "ada",
            "/",
            "\\",
            "C:",
            ":\\Users\\",
            "/Users/",
            "/tmp/",
            "ipykernel_1",
            "23.py",
            " ",
            "x",
            ".",
            "…",
            "~",
            "/root/",
            "site-packages/",
            "/var/folders/",
            "T",
            "https://",
            "file://",
            "\"",
            "<",
            ">",
            "&quot;",
            ";base64,",
            "AAAA",
            " at 0x",
            "7fffff12",
            "/cache/envs/1",
            "/home/ada/project",
            "adalovelace",
            "é",
            "\\AppData\\Local\\Temp\\",
            "engine-7",
            "/srv/ci/job-17",
            "\n",
            ":",
            "\\\\Users\\\\",
            "private",
            "var",
        ]);
        prop::collection::vec(piece, 0..14).prop_map(|it| it.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn masking_twice_is_masking_once(text in pieces()) {
            let once = check(&text);
            prop_assert_eq!(check(&once), once.clone(), "{}", text);
        }

        #[test]
        fn text_without_a_trigger_never_changes(text in "[a-zA-Z0-9 .,:;<>&\"'=+/()-]{0,80}") {
            let has_trigger = TRIGGERS.iter().any(|(it, _)| text.contains(it));
            prop_assume!(!has_trigger);
            prop_assert_eq!(masks().masked(&text), None);
        }

        #[test]
        fn markup_keeps_its_tags(text in pieces()) {
            let count = |text: &str| text.matches(['<', '>', '"', '&']).count();
            prop_assert_eq!(count(&check(&text)), count(&text));
        }
    }
}
