//! Reads a Content-Security-Policy and says what it allows too much.

use std::collections::BTreeSet;

use super::Layout;

/// A policy as written: directives in order, names in lowercase.
#[derive(Debug, Default)]
pub(super) struct Policy {
    directives: Vec<(String, Vec<String>)>,
}

impl Policy {
    pub(super) fn parse(text: &str) -> Self {
        let directives = text.split(';').filter_map(|directive| {
            let mut words = directive.split_ascii_whitespace().map(ToOwned::to_owned);
            Some((words.next()?.to_ascii_lowercase(), words.collect()))
        });
        Self { directives: directives.collect() }
    }

    fn sources(&self, name: &str) -> &[String] {
        // The first of two directives counts in a browser.
        let found = self.directives.iter().find(|(directive, _)| directive == name);
        found.map_or(&[], |(_, sources)| sources.as_slice())
    }

    /// Whether a directive names a source.
    pub(super) fn allows(&self, name: &str, source: &str) -> bool {
        self.sources(name).iter().any(|it| it == source)
    }

    /// The digests that a directive names, as `sha384-…`.
    pub(super) fn hashes(&self, name: &str) -> BTreeSet<&str> {
        self.sources(name).iter().filter_map(|source| hash(source)).collect()
    }

    /// Everything that is weaker than the policies that nbc writes.
    pub(super) fn weaknesses(&self, text: &str, layout: Layout) -> Vec<String> {
        let mut found = Vec::new();
        // A comma starts a second policy in a header, and other bytes are dropped or refused.
        if text.contains(',') || !text.bytes().all(|it| (b' '..=b'~').contains(&it)) {
            found.push("the policy holds characters that browsers read differently".to_owned());
        }
        for name in REQUIRED {
            if !self.directives.iter().any(|(directive, _)| directive == name) {
                found.push(format!("the policy lacks `{name}`"));
            }
        }
        let mut seen = BTreeSet::new();
        for (name, sources) in &self.directives {
            if !seen.insert(name) {
                found.push(format!("`{name}` stands in the policy twice"));
            }
            if name == "upgrade-insecure-requests" && sources.is_empty() {
                continue;
            }
            let Some(allowed) = allowed_sources(name) else {
                found.push(format!("`{}` is no directive of our policies", super::excerpt(name)));
                continue;
            };
            if sources.is_empty() || (sources.len() > 1 && sources.iter().any(|it| it == "'none'"))
            {
                found.push(format!("`{name}` must name sources, or `'none'` alone"));
            }
            for source in sources {
                let is_allowed = match source.as_str() {
                    "'self'" => allowed.contains(&"'self'") && layout == Layout::Site,
                    other if allowed.contains(&"hash") && hash(other).is_some() => true,
                    other => other != "hash" && allowed.contains(&other),
                };
                if !is_allowed {
                    let source = super::excerpt(source);
                    found.push(format!("`{name}` must not allow `{source}`"));
                }
            }
        }
        found
    }
}

/// Without these a policy falls back to what a browser does by itself.
const REQUIRED: [&str; 8] = [
    "default-src",
    "script-src",
    "style-src",
    "base-uri",
    "form-action",
    "object-src",
    "require-trusted-types-for",
    "trusted-types",
];

/// Sources that a directive may name; `hash` stands for any `'sha384-…'`.
fn allowed_sources(directive: &str) -> Option<&'static [&'static str]> {
    Some(match directive {
        // Whether there are frames is looked at where they are.
        "frame-src" => &["'none'", "'self'"],
        "default-src" | "base-uri" | "form-action" | "object-src" | "child-src"
        | "script-src-attr" | "style-src-attr" => &["'none'"],
        // Not `'self'`: whoever can put a file on the host could run it.
        "script-src" => &["'none'", "hash"],
        "style-src" => &["'none'", "hash", "'self'"],
        "img-src" | "media-src" => &["'none'", "data:", "blob:", "'self'"],
        "font-src" => &["'none'", "data:", "'self'"],
        "connect-src" | "manifest-src" | "worker-src" => &["'none'", "'self'"],
        "require-trusted-types-for" => &["'script'"],
        // `nbc` is the one policy by which our own code unpacks our own runtimes, `nbc-states` the one by which
        // it puts verified markup into the page.
        "trusted-types" => &["'none'", "nbc", "nbc-states"],
        _ => return None,
    })
}

fn hash(source: &str) -> Option<&str> {
    let hash = source.strip_prefix('\'')?.strip_suffix('\'')?;
    let digest = hash.strip_prefix("sha384-")?;
    let is_base64 = |it: u8| it.is_ascii_alphanumeric() || it == b'+' || it == b'/';
    (digest.len() == 64 && digest.bytes().all(is_base64)).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: &str = "default-src 'none'; script-src 'none'; style-src 'none'; img-src data:; \
        base-uri 'none'; form-action 'none'; object-src 'none'; \
        require-trusted-types-for 'script'; trusted-types 'none'";

    fn weaknesses(text: &str, layout: Layout) -> Vec<String> {
        Policy::parse(text).weaknesses(text, layout)
    }

    #[test]
    fn the_strict_policy_has_no_weakness() {
        assert_eq!(weaknesses(STRICT, Layout::Single), Vec::<String>::new());
    }

    #[test]
    fn each_required_directive_is_missed() {
        for name in REQUIRED {
            let text: Vec<_> = STRICT.split("; ").filter(|it| !it.starts_with(name)).collect();
            assert_eq!(weaknesses(&text.join("; "), Layout::Site).len(), 1, "{name}");
        }
    }

    #[test]
    fn loose_sources_are_named() {
        for (from, to) in [
            ("script-src 'none'", "script-src 'unsafe-inline'"),
            ("script-src 'none'", "script-src 'unsafe-eval'"),
            ("script-src 'none'", "script-src 'strict-dynamic'"),
            ("script-src 'none'", "script-src 'self'"),
            ("script-src 'none'", "script-src 'nonce-abc'"),
            ("script-src 'none'", "script-src *"),
            ("script-src 'none'", "script-src https:"),
            ("script-src 'none'", "script-src hash"),
            ("script-src 'none'", "script-src 'sha384-short'"),
            ("script-src 'none'", "script-src"),
            ("script-src 'none'", "SCRIPT-SRC data:"),
            ("style-src 'none'", "style-src 'unsafe-hashes'"),
            ("img-src data:", "img-src data: https://example.org"),
            ("img-src data:", "img-src 'none' data:"),
            ("img-src data:", "frame-ancestors 'none'"),
            ("default-src 'none'", "default-src 'none'; default-src *"),
            ("trusted-types 'none'", "trusted-types *"),
            ("trusted-types 'none'", "trusted-types 'none', default-src *"),
        ] {
            assert!(!weaknesses(&STRICT.replace(from, to), Layout::Site).is_empty(), "{to}");
        }
    }

    #[test]
    fn own_files_are_allowed_in_a_site_only() {
        let text = STRICT.replace("style-src 'none'", "style-src 'self'");
        assert!(weaknesses(&text, Layout::Site).is_empty());
        assert_eq!(weaknesses(&text, Layout::Single).len(), 1);
    }
}
