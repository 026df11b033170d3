//! Finds secrets in texts: a few linear passes, whatever the number of secrets.

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, MatchKind};

use super::Secret;
use super::forms;

/// Replacement of a secret in the build log.
pub(super) const MASK: &str = "***";

/// Looks for the values of some secrets, in every form that it knows.
#[derive(Debug, Default)]
pub struct Scanner {
    names: Vec<String>,
    automaton: Option<AhoCorasick>,
    /// The name that each pattern belongs to.
    owners: Vec<usize>,
    unscannable: Vec<String>,
}

/// The tables for the search could not be built.
#[derive(Debug, thiserror::Error)]
#[error("the secrets are too long to be looked for in what is published")]
pub struct ScannerError(#[source] aho_corasick::BuildError);

impl Scanner {
    /// Prepares the search for the values of these names.
    ///
    /// # Errors
    /// When the values are too long together.
    pub fn new<'a>(
        secrets: impl IntoIterator<Item = (&'a str, &'a Secret)>,
    ) -> Result<Self, ScannerError> {
        let mut scanner = Self::default();
        let mut patterns = Vec::new();
        for (name, secret) in secrets {
            let pieces = forms::pieces(secret.reveal());
            if pieces.is_empty() {
                scanner.unscannable.push(name.to_owned());
            }
            let idx = scanner.names.len();
            scanner.names.push(name.to_owned());
            for form in pieces.iter().flat_map(|it| forms::forms(it)) {
                patterns.push(form);
                scanner.owners.push(idx);
            }
        }
        if !patterns.is_empty() {
            let built =
                AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&patterns);
            scanner.automaton = Some(built.map_err(ScannerError)?);
        }
        Ok(scanner)
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.automaton.is_none()
    }

    /// Names of the secrets whose values are too short to be looked for.
    pub fn unscannable(&self) -> &[String] {
        &self.unscannable
    }

    /// Names of the secrets whose values are in a text.
    pub fn find(&self, text: &[u8]) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let Some(automaton) = &self.automaton else { return found };
        let once = forms::unescaped(text);
        let twice = forms::unescaped(&once);
        let dense = forms::squeezed(&twice);
        for view in [text, &once, &twice, &dense] {
            for hit in automaton.find_iter(view) {
                let owner = self.owners.get(hit.pattern().as_usize());
                found.extend(owner.and_then(|it| self.names.get(*it)).map(String::as_str));
            }
        }
        found
    }

    /// Makes the secrets in a text for the build log unreadable.
    pub fn mask(&self, text: &mut String) {
        let Some(automaton) = &self.automaton else { return };
        if self.find(text.as_bytes()).is_empty() {
            return;
        }
        let mut masked = String::new();
        automaton.replace_all_with(text, &mut masked, |_, _, out| {
            out.push_str(MASK);
            true
        });
        // The value is escaped in a way that gives it no position in the text.
        if !self.find(masked.as_bytes()).is_empty() {
            masked = MASK.to_owned();
        }
        *text = masked;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanner(value: &str) -> Scanner {
        Scanner::new([("TOKEN", &Secret::new(value))]).unwrap()
    }

    #[test]
    fn a_value_is_found_however_it_is_written() {
        let scanner = scanner("p<w\"d/é&%41 x");
        for text in [
            "see p<w\"d/é&%41 x!",
            "p&lt;w&quot;d/é&amp;%41 x",
            "p%3Cw%22d%2F%C3%A9%26%2541%20x",
            r#""p\u003cw\"d\/\u00e9\u0026%41 x""#,
            r"p<w\x22d/\xc3\xa9&%41 x",
            "p&amp;lt;w&amp;quot;d/é&amp;amp;%41 x",
            "703c7722642fc3a926253431 2078".replace(' ', "").as_str(),
            "<b>p&lt;</b>w\"<i class='n'>d/é&amp;</i>%41 x",
            "p<w\"d\n/é&%41x",
        ] {
            assert_eq!(scanner.find(text.as_bytes()), BTreeSet::from(["TOKEN"]), "{text}");
        }
        assert!(scanner.find(b"nothing of it").is_empty());
    }

    #[test]
    fn a_short_value_is_not_looked_for() {
        assert_eq!(scanner("12345\n").unscannable(), ["TOKEN"]);
        assert!(scanner("123456\n").unscannable().is_empty());
    }

    #[test]
    fn the_log_shows_stars() {
        let scanner = scanner("correct horse");
        let check = |text: &str| {
            let mut text = text.to_owned();
            scanner.mask(&mut text);
            text
        };
        assert_eq!(check("a correct horse!"), "a ***!");
        assert_eq!(check("a correct%20horse!"), "a ***!");
        assert_eq!(check("a correct&#32;horse!"), "***");
        assert_eq!(check("a horse"), "a horse");
    }
}
