//! Removes the names of a machine and of its folders from the record that a page is made of.
//!
//! In: a record, before anything of it is rendered. Out: the same record, in which home folders are `~`,
//! temporary folders `…`, packages `site-packages/…`, and the names and secrets of this host stand no more.
//! One pass over each text; what is matched holds no markup, so that markup stays what it is. Never touches
//! binary data or addresses of the web.

use aho_corasick::AhoCorasick;
use serde_json::Value;

use crate::run::RunRecord;
use crate::run::record::{RawOutput, Widget};
use crate::secret::{Scanner, Secret};

/// Longest path that is looked at, in bytes: what bounds the work at each place.
const LONGEST_PATH: usize = 512;
/// Longest name of a user.
const LONGEST_NAME: usize = 64;
/// Most times that a text is searched anew after something in it was masked.
const MAX_PASSES: usize = 4;
/// Names of hosts and users that tell nothing, or are words of everybody's language.
const COMMON_NAMES: &[&str] = &[
    "admin",
    "administrator",
    "app",
    "appuser",
    "build",
    "builder",
    "buildkite",
    "circleci",
    "codespace",
    "container",
    "debian",
    "default",
    "docker",
    "fedora",
    "gitlab",
    "gitlab-runner",
    "gitpod",
    "guest",
    "home",
    "host",
    "jenkins",
    "jovyan",
    "jupyter",
    "laptop",
    "local",
    "localhost",
    "machine",
    "main",
    "nobody",
    "node",
    "notebook",
    "python",
    "root",
    "runner",
    "server",
    "test",
    "ubuntu",
    "user",
    "vagrant",
    "vscode",
    "work",
    "worker",
    "workspace",
];

/// Kinds of matches in a text.
#[derive(Debug, Clone, Copy)]
enum Trigger {
    /// A path of this host, and what is shown instead.
    Known(usize),
    /// A word that must stand alone.
    Word(usize),
    /// `/home/`: a name follows.
    Home,
    /// `C:\Users\`: a name follows, perhaps with blanks.
    WindowsHome,
    /// `/root/`.
    Root,
    /// `/tmp/`: the next part is as good as random.
    Temporary,
    /// `/var/folders/`: macOS puts two random folders and a `T` before what matters.
    Folders,
    /// `\AppData\Local\Temp\`, behind what became `~`.
    WindowsTemporary,
    /// `site-packages/`: what stands before it tells where Python lies.
    Packages,
    /// The address of an object.
    Address,
    /// The rest is no text.
    Base64,
}

/// Starts of places, whoever the host is.
const TRIGGERS: &[(&str, Trigger)] = &[
    ("/home/", Trigger::Home),
    ("/Users/", Trigger::Home),
    // Homes elsewhere: of immutable and of Solaris-like systems, of a session, on another disk.
    ("/var/home/", Trigger::Home),
    ("/export/home/", Trigger::Home),
    ("/data/home/", Trigger::Home),
    ("/run/user/", Trigger::Home),
    ("/Volumes/", Trigger::Home),
    // Written with two slashes, in JSON, and in HTML.
    ("/home//", Trigger::Home),
    ("/Users//", Trigger::Home),
    ("\\/home\\/", Trigger::Home),
    ("\\/Users\\/", Trigger::Home),
    ("&#47;home&#47;", Trigger::Home),
    ("&#47;Users&#47;", Trigger::Home),
    ("&#x2F;home&#x2F;", Trigger::Home),
    ("&#x2F;Users&#x2F;", Trigger::Home),
    (":\\users\\", Trigger::WindowsHome),
    (":\\\\users\\\\", Trigger::WindowsHome),
    (":/users/", Trigger::WindowsHome),
    (":\\Users\\", Trigger::WindowsHome),
    (":\\\\Users\\\\", Trigger::WindowsHome),
    (":/Users/", Trigger::WindowsHome),
    ("/root/", Trigger::Root),
    ("/tmp/", Trigger::Temporary),
    ("/private/tmp/", Trigger::Temporary),
    ("/var/tmp/", Trigger::Temporary),
    ("/var/folders/", Trigger::Folders),
    ("/private/var/folders/", Trigger::Folders),
    ("~\\AppData\\Local\\Temp\\", Trigger::WindowsTemporary),
    ("~\\\\AppData\\\\Local\\\\Temp\\\\", Trigger::WindowsTemporary),
    ("~/AppData/Local/Temp/", Trigger::WindowsTemporary),
    ("\\AppData\\Local\\Temp\\", Trigger::WindowsTemporary),
    ("\\\\AppData\\\\Local\\\\Temp\\\\", Trigger::WindowsTemporary),
    ("/AppData/Local/Temp/", Trigger::WindowsTemporary),
    ("site-packages/", Trigger::Packages),
    ("dist-packages/", Trigger::Packages),
    ("site-packages\\", Trigger::Packages),
    (" at 0x", Trigger::Address),
    (";base64,", Trigger::Base64),
];

/// Names of this host, and secrets of its environment.
#[derive(Debug, Default)]
pub struct Host {
    /// Names of the host and of its user, each with the word that is shown instead.
    pub names: Vec<(String, &'static str)>,
    /// The folder that nbc works in.
    pub workspace: Option<String>,
    /// Variables that look secret.
    pub secrets: Vec<(String, Secret)>,
}

impl Host {
    /// This host, by what nbc's own process was given.
    pub fn this() -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        let user = ["USER", "LOGNAME", "USERNAME", "SUDO_USER"].into_iter().filter_map(variable);
        let host = ["HOSTNAME", "COMPUTERNAME"].into_iter().filter_map(variable);
        let host = host.chain(fs_err::read_to_string("/proc/sys/kernel/hostname").ok());
        let users = user.map(|it| (it.trim().to_owned(), "user"));
        let names = host.map(|it| (it.trim().to_owned(), "host")).chain(users);
        let workspace = std::env::current_dir().ok().and_then(|it| it.to_str().map(str::to_owned));
        let secrets = std::env::vars_os().filter_map(|(name, value)| {
            let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
            let is_secret = sounds_secret(&name) && value.len() >= 8;
            is_secret.then(|| (name, Secret::new(value)))
        });
        Self { names: names.collect(), workspace, secrets: secrets.collect() }
    }
}

/// Whether the value of a variable of this name is none of a reader's business.
fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    const PARTS: &[&str] =
        &["TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "APIKEY"];
    // `KEYBOARD` and `MONKEY` hold a key only as a word does.
    let has_word = name.split('_').any(|it| matches!(it, "KEY" | "KEYS" | "PASS" | "PWD" | "PAT"));
    let is_folder = matches!(name.as_str(), "PWD" | "OLDPWD") || name.starts_with("TOKENIZERS");
    !is_folder && (has_word || PARTS.iter().any(|it| name.contains(it)))
}

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
                let is_common = COMMON_NAMES.contains(&name.to_ascii_lowercase().as_str());
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

    /// Values and labels are on the page; what a part is called is too.
    fn widget(&self, widget: &mut Widget, names: &mut std::collections::BTreeSet<String>) {
        widget.values.iter_mut().for_each(|it| self.value(it, names));
        widget.labels.iter_mut().for_each(|it| self.text(it, names));
        widget.parts.iter_mut().for_each(|it| self.widget(it, names));
    }

    fn value(&self, value: &mut Value, names: &mut std::collections::BTreeSet<String>) {
        // The nesting of what the runner sends is bounded by the JSON reader.
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
            if let Some(taken) = self.replace(trigger, matched, &mut out, after) {
                has_changed = has_changed || !matches!(trigger, Trigger::Base64);
                end = hit.end() + taken;
            }
        }
        out.push_str(text.get(end..).unwrap_or_default());
        (has_changed && out != text).then_some(out)
    }

    /// Writes what stands instead of a match; gives how much of the text behind it is replaced as well.
    fn replace(
        &self,
        trigger: Trigger,
        matched: &str,
        out: &mut String,
        after: &str,
    ) -> Option<usize> {
        match trigger {
            Trigger::Base64 => {
                out.push_str(matched);
                let data = after.get(..base64_length(after))?;
                out.push_str(data);
                Some(data.len())
            }
            Trigger::Address => {
                let digits = after.bytes().take_while(u8::is_ascii_hexdigit).count();
                let tail = after.get(digits..)?;
                let ends = tail.starts_with('>') || tail.starts_with("&gt;");
                if !(6..=16).contains(&digits) || !ends {
                    return None;
                }
                out.push_str(matched);
                out.push('…');
                Some(digits)
            }
            Trigger::Known(at) => {
                if after.starts_with(is_of_name) {
                    return None;
                }
                out.push_str(self.shown.get(at)?);
                Some(0)
            }
            Trigger::Word(at) => {
                let is_of_word = |it: char| it.is_alphanumeric() || it == '_' || it == '-';
                if out.ends_with(is_of_word) || after.starts_with(is_of_word) {
                    return None;
                }
                out.push_str(self.shown.get(at)?);
                Some(0)
            }
            Trigger::Home => {
                let name = name_length(after);
                // A disk of Windows, as other systems on the same machine see it.
                let disk = if matched == "/Users/" { mounted_disk(out) } else { out.len() };
                if !out.get(..disk).is_some_and(begins_path) || name == 0 {
                    return None;
                }
                out.truncate(disk);
                out.push('~');
                Some(name)
            }
            Trigger::WindowsHome => {
                let drive = out.chars().next_back().filter(char::is_ascii_alphabetic)?;
                let before = out.get(..out.len() - drive.len_utf8()).unwrap_or_default();
                // `\\?\` says that the path is as long as it likes.
                let before = before.strip_suffix(r"\\?\").unwrap_or(before);
                let name = windows_name_length(after);
                let is_file = before.ends_with("file:///");
                if !is_file && before.ends_with(is_of_path) || name == 0 {
                    return None;
                }
                out.pop();
                out.push('~');
                Some(name)
            }
            Trigger::Root => {
                if !begins_path(out) || !after.starts_with(is_of_name) {
                    return None;
                }
                out.push_str("~/");
                Some(0)
            }
            Trigger::Temporary => {
                let part = part_length(after);
                if !begins_path(out) || part == 0 {
                    return None;
                }
                out.push('…');
                Some(part + kernel_file(after, part))
            }
            Trigger::Folders => {
                let mut length = part_length(after);
                if !begins_path(out) || length == 0 {
                    return None;
                }
                // The second random folder, `T`, and what lies in it.
                for _ in 0..3 {
                    length += next_part(after, length);
                }
                out.push('…');
                Some(length + kernel_file(after, length))
            }
            Trigger::WindowsTemporary => {
                // The home before it was masked a moment ago, or in an earlier pass.
                if !matched.starts_with('~') {
                    out.truncate(out.strip_suffix('~')?.len());
                }
                let part = part_length(after);
                out.push('…');
                Some(part + kernel_file(after, part))
            }
            Trigger::Packages => {
                let start = path_start(out);
                let before = out.get(start..)?;
                let is_rooted =
                    before.starts_with(['/', '~', '…']) || before.as_bytes().get(1) == Some(&b':');
                if !is_rooted || before.starts_with("//") {
                    return None;
                }
                out.truncate(start);
                out.push_str(matched);
                Some(0)
            }
        }
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

fn is_base64_byte(it: u8) -> bool {
    it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/' | b'=')
}

/// How much of a text is base64; wrapped lines count while they are long.
fn base64_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let run = |from: usize| bytes.iter().skip(from).take_while(|it| is_base64_byte(**it)).count();
    let mut end = run(0);
    while let Some(b'\n') = bytes.get(end) {
        let line = run(end + 1);
        if line < 48 {
            break;
        }
        end += 1 + line;
    }
    end
}

fn is_of_path(it: char) -> bool {
    it.is_alphanumeric() || matches!(it, '_' | '-' | '.' | '/' | '~' | '%' | '+' | '\\')
}

fn is_of_name(it: char) -> bool {
    it.is_alphanumeric() || matches!(it, '_' | '-' | '.' | '@' | '+' | '%' | '$')
}

/// Whether an absolute path may begin behind this text: not in an address, nor within another path.
fn begins_path(before: &str) -> bool {
    let glued = ["file://", "...", "\\n", "\\t", "-I", "-L"];
    glued.iter().any(|it| before.ends_with(it)) || !before.ends_with(is_of_path)
}

/// Length of the text before `/mnt/c`, `/cygdrive/c` or `/c`, if it ends with one of these; its own length otherwise.
fn mounted_disk(before: &str) -> usize {
    let mut letters = before.chars();
    let is_letter = letters.next_back().is_some_and(|it| it.is_ascii_alphabetic());
    let Some(rest) = letters.as_str().strip_suffix('/').filter(|_| is_letter) else {
        return before.len();
    };
    rest.strip_suffix("/mnt").or_else(|| rest.strip_suffix("/cygdrive")).unwrap_or(rest).len()
}

/// Length of a name of a user.
fn name_length(text: &str) -> usize {
    let end = text.char_indices().find(|(at, it)| *at > LONGEST_NAME || !is_of_name(*it));
    let name = text.get(..end.map_or(text.len(), |it| it.0)).unwrap_or_default();
    // A sentence may end with a path; a folder's name is no dot.
    name.trim_end_matches('.').len()
}

fn windows_name_length(text: &str) -> usize {
    let is_plain = |it: char| {
        !matches!(it, '"' | '<' | '>' | '|' | ':' | '*' | '?' | '\n' | '\r' | '&' | '\'')
    };
    let end = text
        .char_indices()
        .find(|(at, it)| *at > LONGEST_NAME || matches!(it, '\\' | '/') || !is_plain(*it));
    match end {
        // A name may hold blanks; a folder follows then.
        Some((at, '\\' | '/')) => at,
        _ => name_length(text),
    }
}

/// Length of a part of a path.
fn part_length(text: &str) -> usize {
    let end = text.char_indices().find(|(at, it)| *at > LONGEST_PATH || !is_of_name(*it));
    let part = text.get(..end.map_or(text.len(), |it| it.0)).unwrap_or_default();
    part.trim_end_matches('.').len()
}

/// Length of the next part with its separator.
fn next_part(text: &str, from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let Some(part) = rest.strip_prefix(['/', '\\']) else { return 0 };
    match part_length(part) {
        0 => 0,
        length => 1 + length,
    }
}

/// IPython runs each cell as a file of its own, `ipykernel_123/456.py`, whose number tells nobody anything.
fn kernel_file(text: &str, length: usize) -> usize {
    let folder = text.get(..length).unwrap_or_default();
    if !folder.contains("ipykernel_") {
        return 0;
    }
    let rest = text.get(length..).unwrap_or_default();
    let name = rest.trim_start_matches(['/', '\\']);
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    let is_file = digits > 0 && name.get(digits..).is_some_and(|it| it.starts_with(".py"));
    if is_file { rest.len() - name.len() + digits + 3 } else { 0 }
}

/// Start of the path that a text ends with.
fn path_start(text: &str) -> usize {
    let mut start = text.len();
    for (at, it) in text.char_indices().rev() {
        if !(is_of_path(it) || matches!(it, '@' | '…')) || text.len() - at > LONGEST_PATH {
            break;
        }
        start = at;
    }
    // A drive is one letter.
    let is_rooted =
        text.get(start..).is_some_and(|it| it.starts_with(['\\', '/']) && !it.starts_with("//"));
    let mut before =
        text.get(..start).and_then(|it| it.strip_suffix(':')).unwrap_or_default().chars();
    let is_drive = before.next_back().is_some_and(|it| it.is_ascii_alphabetic())
        && !before.next_back().is_some_and(is_of_path);
    if is_rooted && is_drive { start - 2 } else { start }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        assert!(sounds_secret("AWS_SECRET_ACCESS_KEY") && sounds_secret("GITHUB_TOKEN"));
        assert!(!sounds_secret("KEYBOARD") && !sounds_secret("PWD") && !sounds_secret("MONKEY"));
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
