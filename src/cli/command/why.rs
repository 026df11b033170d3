//! `nbc cache why`: the parts of the keys of a notebook's run and page, and which of them differ from the last build.

use std::collections::BTreeMap;

use serde_json::json;

use crate::cli::Exit;
use crate::cli::args::{Build, Format};
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::diagnostic::one_line;
use crate::driver::{Failure, Part, Verdict, Why, counted, why};
use crate::interrupt::Cancel;

/// Most files that are listed although nothing is to be said of them.
const MOST_FILES: usize = 30;
/// Characters of a digest that people compare.
const SHORT: usize = 12;

pub(in crate::cli) fn run(arguments: &Build, printer: Printer) -> Result<Exit, Failure> {
    Cancel::current().on_signals()?;
    let progress = Progress::new(printer, arguments.timings);
    let told = why(&arguments.inputs, &arguments.options(), &progress);
    progress.finish();
    let told = told?;
    if arguments.format == Format::Json {
        let all: Vec<serde_json::Value> = told.iter().map(json_of).collect();
        printer.json(&format!("{:#}\n", serde_json::Value::from(all)));
    } else {
        told.iter().for_each(|it| printer.result(&text_of(it)));
    }
    Ok(Exit::Done)
}

/// Name of a verdict for programs.
fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::NeverBuilt => "never-built",
        Verdict::Same => "same",
        Verdict::Differs => "differs",
        Verdict::NoKey(_) => "no-key",
    }
}

/// How a part compares with another build's.
fn change(now: Option<&String>, then: Option<&String>) -> &'static str {
    match (now, then) {
        (Some(now), Some(then)) if now == then => "same",
        (Some(_), None) => "added",
        (None, Some(_)) => "removed",
        _ => "changed",
    }
}

fn json_of(why: &Why) -> serde_json::Value {
    let all = |parts: &BTreeMap<String, Part>| -> Vec<serde_json::Value> {
        let known = parts.iter().filter(|(_, it)| it.now.is_some() || it.last.is_some());
        let told = known.map(|(name, it)| {
            let change = change(it.now.as_ref(), it.last.as_ref());
            json!({ "name": name, "now": it.now, "last": it.last, "before": it.before, "change": change })
        });
        told.collect()
    };
    let reason = match &why.verdict {
        Verdict::NoKey(reason) => Some(reason),
        _ => None,
    };
    json!({
        "notebook": why.notebook,
        "verdict": name(&why.verdict),
        "reason": reason,
        "known": why.is_known,
        "stored": why.is_stored,
        "parts": all(&why.parts),
        "page": all(&why.page),
    })
}

fn text_of(why: &Why) -> String {
    let mut lines = vec![format!("{}: {}", why.notebook, verdict(why))];
    let compared = why.verdict == Verdict::Same || why.verdict == Verdict::Differs;
    let last = |it: &Part| change(it.now.as_ref(), it.last.as_ref());
    if why.verdict == Verdict::Differs {
        lines.extend(
            why.parts
                .iter()
                .filter_map(|(name, it)| line(last(it), name, it.now.as_ref(), it.last.as_ref())),
        );
    }
    // Whoever asks after the build that ran it wants to know about that one.
    if why.verdict == Verdict::Same && why.parts.values().any(|it| it.before.is_some()) {
        lines.push("  the build before that had another key, by".to_owned());
        lines.extend(why.parts.iter().filter_map(|(name, it)| {
            let (now, before) = (it.last.as_ref(), it.before.as_ref());
            line(change(now, before), name, now, before)
        }));
    }
    let is_same = |it: &Part| it.now.is_some() && (!compared || last(it) == "same");
    let mut files = 0;
    for (name, it) in why.parts.iter().filter(|(_, it)| is_same(it)) {
        files += usize::from(name.starts_with("file "));
        if files <= MOST_FILES || !name.starts_with("file ") {
            let value = it.now.as_deref().map(short).unwrap_or_default();
            let mark = if compared { "same" } else { "part" };
            lines.push(format!("  {mark:<8} {name}  {value}"));
        }
    }
    if files > MOST_FILES {
        let more = counted(files - MOST_FILES, "more file");
        lines.push(format!("  {more}; `--format json` lists all"));
    }
    lines.extend(lines_of_page(why));
    lines.iter().map(|it| one_line(it) + "\n").collect()
}

/// Parts of the page's key that differ from the last build; nothing where that is not known.
fn lines_of_page(why: &Why) -> Vec<String> {
    if !why.page.values().any(|it| it.now.is_some())
        || why.page.values().all(|it| it.last.is_none())
    {
        return Vec::new();
    }
    let differing = why.page.iter().filter_map(|(name, it)| {
        let (now, last) = (it.now.as_ref(), it.last.as_ref());
        line(change(now, last), name, now, last)
    });
    let differing: Vec<String> = differing.collect();
    let said = match differing.is_empty() {
        true => "  its page is decided by the same as in the last build",
        false => "  its page is made anew, by",
    };
    std::iter::once(said.to_owned()).chain(differing).collect()
}

fn verdict(why: &Why) -> String {
    let differing = why.parts.values().filter(|it| it.now != it.last).count();
    match &why.verdict {
        Verdict::NeverBuilt if why.is_stored => "never built here; published as stored".to_owned(),
        Verdict::NeverBuilt if why.is_known => {
            "never built here; another build kept its run, so that it would not be run".to_owned()
        }
        Verdict::NeverBuilt => "never built here; a build would run it".to_owned(),
        Verdict::Same if why.is_stored => {
            "published as stored, and as in the last build; nothing is run".to_owned()
        }
        Verdict::Same if why.is_known => {
            "its key is that of the last build, whose run is kept; it would not be run".to_owned()
        }
        Verdict::Same => {
            "its key is that of the last build, but no run is kept: it failed, was cut, or is no \
                          longer in the cache; a build would run it"
                .to_owned()
        }
        Verdict::Differs => {
            let parts = counted(differing, "part");
            let differ = if differing == 1 { "differs" } else { "differ" };
            let then = match (why.is_stored, why.is_known) {
                (true, _) => "it is published as stored; nothing is run",
                (_, true) => "an earlier build kept this run, so that it would not be run",
                _ => "a build would run it",
            };
            format!("{parts} of its key {differ} from the last build; {then}")
        }
        Verdict::NoKey(reason) => format!("it is run by each build: {reason}"),
    }
}

/// The line of a part that differs.
fn line(change: &str, name: &str, now: Option<&String>, then: Option<&String>) -> Option<String> {
    let short = |it: Option<&String>| it.map(|it| short(it)).unwrap_or_default();
    Some(match change {
        "same" => return None,
        "added" => format!("  added    {name}  {}", short(now)),
        "removed" if now.is_none() && then.is_none() => return None,
        "removed" => format!("  removed  {name}  {}", short(then)),
        _ if now.is_none() => return None,
        _ => format!("  changed  {name}  {} -> {}", short(then), short(now)),
    })
}

/// A value with digests cut to what people compare.
fn short(value: &str) -> String {
    let text = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    let words = text.unwrap_or(value).split(' ').map(|word| {
        let digest = word.strip_prefix("sha256:").unwrap_or(word);
        let is_digest = digest.len() == 64 && digest.bytes().all(|it| it.is_ascii_hexdigit());
        if is_digest { digest.get(..SHORT).unwrap_or(digest) } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}
