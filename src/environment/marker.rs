//! Environment markers (PEP 508, with the names that PEP 751 adds): which packages of a lock a machine needs.
//!
//! An answer may be "unknown": then the marker goes to the installer, which knows more variables.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::Interpreter;
use super::interpreter::compare_versions;

/// Variables of PEP 508 with their older spellings, those that PEP 751 adds, and the operators that are words.
const WORDS: [&str; 24] = [
    "and",
    "or",
    "not",
    "in",
    "python_version",
    "python_full_version",
    "os_name",
    "os.name",
    "sys_platform",
    "sys.platform",
    "platform_release",
    "platform_system",
    "platform_version",
    "platform.version",
    "platform_machine",
    "platform.machine",
    "platform_python_implementation",
    "platform.python_implementation",
    "python_implementation",
    "implementation_name",
    "implementation_version",
    "extra",
    "extras",
    "dependency_groups",
];
/// Signs between two values, and around markers.
const SIGNS: [&str; 10] = ["(", ")", "<", "<=", "!=", "==", ">=", ">", "~=", "==="];

/// Deepest nesting of brackets that is followed.
const DEEPEST: u32 = 32;

/// Properties of the machine and interpreter that markers ask about.
#[derive(Debug)]
pub(super) struct Target {
    python: (u32, u32),
    version: String,
    /// Dependency groups that are installed.
    groups: BTreeSet<String>,
}

impl Target {
    /// The machine that nbc runs on, with an interpreter and the groups that a lock asks for.
    pub(super) fn new(interpreter: &Interpreter, groups: &[String]) -> Self {
        Self {
            python: interpreter.minor,
            version: interpreter.version.clone(),
            groups: groups.iter().cloned().collect(),
        }
    }

    /// Whether a marker holds here; `Some(None)` when it asks for what only the installer knows, `None` when
    /// it cannot be read.
    pub(super) fn meets(&self, marker: &str) -> Option<Option<bool>> {
        let tokens = tokens(marker)?;
        let mut parser = Parser { target: self, rest: tokens.as_slice() };
        let answer = parser.alternatives(0)?;
        parser.rest.is_empty().then_some(answer)
    }

    /// A target of no machine, for the question whether a marker can be read.
    fn nowhere() -> Self {
        Self { python: (3, 0), version: String::new(), groups: BTreeSet::new() }
    }

    fn variable(&self, name: &str) -> Option<String> {
        let is_mac = cfg!(target_os = "macos");
        Some(match name {
            "python_version" => format!("{}.{}", self.python.0, self.python.1),
            "python_full_version" | "implementation_version" => self.version.clone(),
            "implementation_name" => "cpython".to_owned(),
            "platform_python_implementation" => "CPython".to_owned(),
            "os_name" => "posix".to_owned(),
            "sys_platform" => if is_mac { "darwin" } else { std::env::consts::OS }.to_owned(),
            "platform_system" if is_mac => "Darwin".to_owned(),
            "platform_system" if cfg!(target_os = "linux") => "Linux".to_owned(),
            "platform_machine" => match std::env::consts::ARCH {
                "aarch64" if is_mac => "arm64",
                other => other,
            }
            .to_owned(),
            // nbc asks for no extra of a lock.
            "extra" => String::new(),
            _ => return None,
        })
    }

    fn compare(&self, left: &Token<'_>, operator: &str, right: &Token<'_>) -> Option<bool> {
        if let Token::Word(set @ ("extras" | "dependency_groups")) = right {
            let Token::Text(name) = left else { return None };
            let has = *set == "dependency_groups" && self.groups.contains(*name);
            return match operator {
                "in" => Some(has),
                "not in" => Some(!has),
                _ => None,
            };
        }
        let value = |token: &Token<'_>| match token {
            Token::Word(name) => self.variable(name),
            Token::Text(text) => Some((*text).to_owned()),
            Token::Sign(_) => None,
        };
        let (a, b) = (value(left)?, value(right)?);
        let is_version =
            |token: &Token<'_>| matches!(token, Token::Word(name) if name.ends_with("_version"));
        match operator {
            "in" => Some(b.contains(&a)),
            "not in" => Some(!b.contains(&a)),
            _ if is_version(left) => compare_versions(&a, operator, &b),
            _ if is_version(right) => compare_versions(&b, mirrored(operator)?, &a),
            "==" | "===" => Some(a == b),
            "!=" => Some(a != b),
            "<" => Some(a.cmp(&b) == Ordering::Less),
            ">" => Some(a.cmp(&b) == Ordering::Greater),
            _ => None,
        }
    }
}

/// Whether a text is a marker of known variables: installers quote one that is not.
pub(super) fn is_marker(text: &str) -> bool {
    let is_known = |token: &Token<'_>| match token {
        Token::Word(word) => WORDS.contains(word),
        Token::Sign(sign) => SIGNS.contains(sign),
        Token::Text(_) => true,
    };
    let is_plain = tokens(text).is_some_and(|it| it.iter().all(is_known));
    is_plain && Target::nowhere().meets(text).is_some()
}

fn mirrored(operator: &str) -> Option<&str> {
    Some(match operator {
        "<" => ">",
        ">" => "<",
        "<=" => ">=",
        ">=" => "<=",
        "==" | "!=" => operator,
        _ => return None,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Text(&'a str),
    Sign(&'a str),
}

fn tokens(marker: &str) -> Option<Vec<Token<'_>>> {
    let mut found = Vec::new();
    let mut rest = marker.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = if first == '"' || first == '\'' {
            let text = rest.get(1..)?.split(first).next()?;
            let length = text.len() + 2;
            rest.get(..length)?;
            (Token::Text(text), length)
        } else if first == '(' || first == ')' {
            (Token::Sign(rest.get(..1)?), 1)
        } else {
            let is_word = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '.';
            let is_sign = |it: char| "<>=!~".contains(it);
            let same = |it: char| if is_word(first) { is_word(it) } else { is_sign(it) };
            let length = rest.find(|it| !same(it)).unwrap_or(rest.len());
            let piece = rest.get(..length).filter(|it| !it.is_empty())?;
            (if is_word(first) { Token::Word(piece) } else { Token::Sign(piece) }, length)
        };
        found.push(token);
        rest = rest.get(length..)?.trim_start();
    }
    Some(found)
}

/// Three values: `Some(None)` is a marker that can be read and not answered, `None` one that cannot be read.
struct Parser<'a> {
    target: &'a Target,
    rest: &'a [Token<'a>],
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn take(&mut self, wanted: Token<'_>) -> bool {
        let is_next = self.rest.first() == Some(&wanted);
        if is_next {
            self.next();
        }
        is_next
    }

    fn alternatives(&mut self, depth: u32) -> Option<Option<bool>> {
        let mut answer = self.conditions(depth)?;
        while self.take(Token::Word("or")) {
            let other = self.conditions(depth)?;
            answer = match (answer, other) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            };
        }
        Some(answer)
    }

    fn conditions(&mut self, depth: u32) -> Option<Option<bool>> {
        let mut answer = self.condition(depth)?;
        while self.take(Token::Word("and")) {
            let other = self.condition(depth)?;
            answer = match (answer, other) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
        }
        Some(answer)
    }

    fn condition(&mut self, depth: u32) -> Option<Option<bool>> {
        let left = self.next()?;
        if left == Token::Sign("(") {
            if depth >= DEEPEST {
                return None;
            }
            let answer = self.alternatives(depth + 1)?;
            return self.take(Token::Sign(")")).then_some(answer);
        }
        let operator = match self.next()? {
            Token::Sign(sign) => sign,
            Token::Word("in") => "in",
            Token::Word("not") if self.take(Token::Word("in")) => "not in",
            _ => return None,
        };
        let right = self.next()?;
        Some(self.target.compare(&left, operator, &right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_made_of_known_variables() {
        for good in
            ["os.name=='nt'", "(extra == 'a') and 'x' not in extras or '3' < python_version"]
        {
            assert!(is_marker(good), "{good}");
        }
        for bad in ["token == 'x'", "os_name <> 'nt'", "os_name == nt", "os_name", "", "sk-live!!"]
        {
            assert!(!is_marker(bad), "{bad}");
        }
    }

    #[test]
    fn markers_hold_or_not_or_are_left_to_the_installer() {
        let groups = BTreeSet::from(["docs".to_owned()]);
        let target = Target { python: (3, 11), version: "3.11.7".to_owned(), groups };
        let here = std::env::consts::OS;
        for (marker, expected) in [
            ("python_version >= '3.9'", Some(true)),
            ("python_full_version == '3.11.*'", Some(true)),
            ("python_full_version < '3.11'", Some(false)),
            ("'3.12' <= python_version", Some(false)),
            ("python_version == \"3.11\" and (os_name == 'nt' or os_name == 'posix')", Some(true)),
            ("sys_platform == 'win32' or implementation_name != 'cpython'", Some(false)),
            ("python_version in '3.10 3.11'", Some(true)),
            ("'docs' in dependency_groups and 'x' not in extras", Some(true)),
            ("'test' in dependency_groups", Some(false)),
            ("extra == 'dev'", Some(false)),
            ("platform_release == '6' and (os_name == 'posix')", None),
            ("platform_release == '6' and os_name == 'nt'", Some(false)),
            ("platform_release == '6' or os_name == 'posix'", Some(true)),
        ] {
            assert_eq!(target.meets(marker), Some(expected), "{marker} on {here}");
        }
        for unreadable in ["python_version", "'unclosed", "os_name == 'posix' --option", "(", ""] {
            assert_eq!(target.meets(unreadable), None, "{unreadable}");
        }
        let deep = format!("{}os_name == 'posix'{}", "(".repeat(99), ")".repeat(99));
        assert_eq!(target.meets(&deep), None);
    }
}
