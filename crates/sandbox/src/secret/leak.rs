//! Finds likely secrets of any service: keywords in one pass, patterns only around them.

use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::bytes::{Regex, RegexBuilder};
use sha2::{Digest as _, Sha256};

use super::rules::{RULES, Rule};

/// Longest distance before a keyword at which a pattern may begin.
const BEFORE: usize = 128;
/// Longest distance behind a keyword at which a value may end; a longer value is found by its beginning.
const AFTER: usize = 4096;
/// Greatest distance of the byte that a rule asks for.
const NEAR: usize = 256;
/// Most findings of one text: one is enough to stop a page.
const MOST: usize = 64;
/// Characters of base64 beside a value above which the value is a piece of a file.
const BLOB: usize = 96;
/// Rounds of the hash behind a fingerprint: guessing a weak password by its fingerprint must take time.
const ROUNDS: u32 = 1 << 14;

/// Something that looks like a secret. Does not hold it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leak {
    /// Its start, in bytes of the text.
    pub start: usize,
    /// Its end.
    pub end: usize,
    /// Its rule.
    pub rule: &'static str,
    /// Its kind, with an article.
    pub what: &'static str,
    /// `RULE:1a2b3c4d`: identifies the value without revealing it.
    pub fingerprint: String,
}

/// Whether a rule of this name exists.
pub fn is_rule(id: &str) -> bool {
    RULES.iter().any(|it| it.id == id)
}

struct Keywords {
    automaton: Option<AhoCorasick>,
    /// The rules of each pattern.
    owners: Vec<Vec<usize>>,
}

static KEYWORDS: LazyLock<Keywords> = LazyLock::new(|| {
    let mut words: Vec<&str> = RULES.iter().flat_map(|it| it.keywords).copied().collect();
    words.sort_unstable();
    words.dedup();
    let owner = |word: &&str| {
        let owns = |(_, rule): &(usize, &Rule)| rule.keywords.contains(word);
        RULES.iter().enumerate().filter(owns).map(|(at, _)| at).collect()
    };
    let owners = words.iter().map(owner).collect();
    let built = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA))
        .build(&words);
    Keywords { automaton: built.ok(), owners }
});

/// A pattern is compiled when its keyword is first seen: most pages need none.
fn pattern(at: usize) -> Option<&'static Regex> {
    static COMPILED: [OnceLock<Option<Regex>>; RULES.len()] =
        [const { OnceLock::new() }; RULES.len()];
    let slot = COMPILED.get(at)?;
    let compile = || RegexBuilder::new(RULES.get(at)?.pattern).unicode(false).build().ok();
    slot.get_or_init(compile).as_ref()
}

/// Likely secrets of a text, in order; values that overlap are told once.
pub fn leaks(text: &[u8]) -> Vec<Leak> {
    let Some(automaton) = &KEYWORDS.automaton else { return Vec::new() };
    let mut windows: Vec<Vec<(usize, usize)>> = Vec::new();
    for hit in automaton.find_overlapping_iter(text) {
        let owners = KEYWORDS.owners.get(hit.pattern().as_usize());
        for &owner in owners.into_iter().flatten() {
            if let Some(needed) = RULES.get(owner).and_then(|it| it.needs) {
                let near = text.get(hit.end()..text.len().min(hit.end() + NEAR));
                if memchr::memchr(needed, near.unwrap_or_default()).is_none() {
                    continue;
                }
            }
            windows.resize_with(RULES.len(), Vec::new);
            let start = hit.start().saturating_sub(BEFORE);
            let end = text.len().min(hit.end() + AFTER);
            let Some(own) = windows.get_mut(owner) else { continue };
            // Windows that touch are one, so that each rule reads a byte at most once.
            match own.last_mut().filter(|last| start <= last.1) {
                Some(last) => last.1 = last.1.max(end),
                None => own.push((start, end)),
            }
        }
    }
    let mut found: Vec<Leak> = Vec::new();
    for (at, own) in windows.iter().enumerate() {
        let Some(rule) = RULES.get(at) else { continue };
        for &(start, end) in own {
            matches(text, (start, end), at, rule, &mut found);
        }
    }
    found.sort();
    found
}

/// Likely secrets of a text, or of it without its escapes. Places are those of one of the two.
pub fn leaks_however_escaped(text: &str) -> Vec<Leak> {
    let mut found = leaks(text.as_bytes());
    if memchr::memchr2(b'&', b'\\', text.as_bytes()).is_some() {
        for leak in leaks(&super::forms::unescaped(text.as_bytes())) {
            if found.iter().all(|it| it.fingerprint != leak.fingerprint) {
                found.push(leak);
            }
        }
    }
    found
}

fn matches(
    text: &[u8],
    (start, end): (usize, usize),
    at: usize,
    rule: &Rule,
    found: &mut Vec<Leak>,
) {
    let Some(pattern) = pattern(at) else { return };
    // Text before the window stays visible to the pattern.
    let text = text.get(..end).unwrap_or(text);
    let mut from = start;
    while found.len() < MOST {
        let Some(groups) = pattern.captures_at(text, from) else { return };
        let Some(value) = groups.iter().skip(1).flatten().next() else { return };
        from = value.end().max(from + 1);
        let (start, end) = (value.start(), value.end());
        let is_known = found.iter().any(|it| start < it.end && it.start < end);
        if is_known || is_blob(text, start, end) || !is_secret(rule, value.as_bytes()) {
            continue;
        }
        let fingerprint = fingerprint(rule.id, value.as_bytes());
        found.push(Leak { start, end, rule: rule.id, what: rule.what, fingerprint });
    }
}

/// Whether a value is a piece of longer base64.
fn is_blob(text: &[u8], start: usize, end: usize) -> bool {
    let in_base64 = |it: &&u8| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/');
    let before = text.get(..start).unwrap_or_default();
    let after = text.get(end..).unwrap_or_default();
    let before = before.iter().rev().take(BLOB).take_while(in_base64).count();
    let after = after.iter().take(BLOB).take_while(in_base64).count();
    before == BLOB || after == BLOB
}

/// Placeholder words in the position of a value.
const PLACEHOLDERS: &[&str] = &[
    "xxxx",
    "****",
    "....",
    "____",
    "example",
    "placeholder",
    "changeme",
    "change_me",
    "change-me",
    "replace",
    "your",
    "redacted",
    "dummy",
    "todo",
    "getpass",
    "getenv",
    "environ",
    "process.env",
    "undefined",
    "insert",
    "mypass",
    "my_pass",
    "my-pass",
    "my_secret",
    "my-secret",
    "my_token",
    "my_api",
    "my-api",
    "mytoken",
    "sample",
    "foobar",
    "abcdef",
    "12345678",
];
/// Values that only name a secret.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "pass",
    "passw0rd",
    "password1",
    "password123",
    "pwd",
    "secret",
    "token",
    "user",
    "username",
    "postgres",
    "root",
    "guest",
    "test",
    "none",
    "null",
    "true",
    "false",
    "admin",
    "port",
];

fn is_secret(rule: &Rule, value: &[u8]) -> bool {
    if entropy(value) * 10.0 < f64::from(rule.entropy) {
        return false;
    }
    if !rule.is_generic {
        return true;
    }
    let text = String::from_utf8_lossy(value).to_ascii_lowercase();
    let is_template = text.contains("${")
        || text.contains('{')
        || text.starts_with(['$', '%', '<', '*'])
        || text.contains("://") && rule.id != "bearer-token"
        || text.contains("data:");
    if is_template || PLACEHOLDERS.iter().any(|it| text.contains(it)) || NAMES.contains(&&*text) {
        return false;
    }
    let digits = value.iter().filter(|it| it.is_ascii_digit()).count();
    let letters = value.iter().filter(|it| it.is_ascii_alphabetic()).count();
    match rule.id {
        "database-url" | "url-password" | "basic-auth" => true,
        "password" => {
            let is_mixed = value.iter().any(u8::is_ascii_lowercase)
                && (digits > 0 || value.iter().any(u8::is_ascii_uppercase))
                && (digits > 0 || value.iter().any(u8::is_ascii_punctuation));
            is_mixed && !is_code(&text)
        }
        // Random values have digits all over; identifiers and words have one at their end, if at all.
        _ => {
            let digits_inside = value.iter().take(value.len() - 1).filter(|it| it.is_ascii_digit());
            letters >= 4 && digits_inside.count() >= 2 && !is_code(&text) && !is_words(&text)
        }
    }
}

/// Whether a value is an expression or a path, not a literal.
fn is_code(text: &str) -> bool {
    text.contains('(')
        || text.contains("[")
        || text.starts_with(['/', '.', '~'])
        || text.starts_with("self.")
        || text.contains("::")
        || text.contains("&quot")
        || text.contains("\\n")
}

/// `bert-base-2023-v12`: parts of letters or of digits only.
fn is_words(text: &str) -> bool {
    let parts = text.split(['-', '_', '.', '/']);
    let is_plain = |it: &str| {
        let letters = it.trim_end_matches(|c: char| c.is_ascii_digit());
        letters.is_empty() && it.len() <= 8
            || letters.len() <= 14 && letters.bytes().all(|c| c.is_ascii_lowercase())
    };
    let mut number = 0;
    let mut all = true;
    for it in parts {
        number += 1;
        all &= is_plain(it);
    }
    all && number > 1
}

/// Shannon entropy, in bits a byte.
fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for &byte in value {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let length = value.len() as f64;
    let parts = counts.iter().filter(|it| **it > 0).map(|&count| {
        let share = f64::from(count) / length;
        -share * share.log2()
    });
    parts.sum()
}

/// Short and slow to make: a finding may be printed, and a list of them committed, without giving the
/// value away to a search through likely ones.
fn fingerprint(rule: &str, value: &[u8]) -> String {
    let mut digest =
        Sha256::new().chain_update(rule).chain_update(b":").chain_update(value).finalize();
    for _ in 0..ROUNDS {
        digest = Sha256::digest(digest);
    }
    let short: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{rule}:{short}")
}

/// Makes likely secrets unreadable, for the build log.
pub fn mask_leaks(text: &mut String) {
    let found = leaks(text.as_bytes());
    if found.is_empty() {
        return;
    }
    let mut masked = String::new();
    let mut end = 0;
    for leak in &found {
        masked.push_str(text.get(end..leak.start).unwrap_or_default());
        masked.push_str(super::scan::MASK);
        end = leak.end;
    }
    // Values end at a byte of ASCII or are one whole word, so the rest begins at a character.
    masked.push_str(text.get(end..).unwrap_or_default());
    *text = masked;
}
