//! Flags and `nbc.toml` to what may be published of what a run gave.

use std::collections::BTreeSet;

use camino::Utf8Path;

use super::Failure;
use crate::config::{BASELINE, ByteSize, Config, ConfigError, ShownSettings, baseline};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::output::Shown;
use crate::secret;

/// Findings of secrets that may be shown all the same.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    fingerprints: BTreeSet<String>,
    rules: BTreeSet<String>,
}

impl Allowed {
    /// Exceptions from flags, `nbc.toml` and `.nbc-secrets`. The files may have come with the notebook: its author may
    /// publish the author's own words. Values that nbc was given are no matter of rules.
    pub(super) fn new(
        flags: &[String],
        config: &Config,
        folder: &Utf8Path,
    ) -> Result<Self, Failure> {
        let helped = |message: String| Failure {
            message,
            help: Some(format!(
                "`{BASELINE}` and `allow-secret` in nbc.toml hold what NBC420 prints, such as `jwt:12ab34cd`"
            )),
        };
        let fingerprints = baseline(folder, is_fingerprint).map_err(|error| match error {
            ConfigError::Fingerprint { .. } => helped(error.to_string()),
            other => other.into(),
        })?;
        let mut allowed = Self { fingerprints, rules: BTreeSet::new() };
        if let Some(idx) = config.allow_secret.iter().position(|it| !is_fingerprint(it)) {
            let number = idx + 1;
            return Err(helped(format!(
                "`allow-secret` in nbc.toml: its entry number {number} is no fingerprint of a finding"
            )));
        }
        allowed.fingerprints.extend(config.allow_secret.iter().cloned());
        for it in flags {
            if is_fingerprint(it) {
                allowed.fingerprints.insert(it.clone());
            } else if secret::is_rule(it) {
                allowed.rules.insert(it.clone());
            } else {
                return Err(Failure {
                    message: format!("`--allow-secret {it}`: no rule and no fingerprint"),
                    help: Some("write what NBC420 prints, such as `jwt:12ab34cd`".to_owned()),
                });
            }
        }
        Ok(allowed)
    }

    /// Whether a finding may be shown.
    pub(super) fn holds(&self, leak: &secret::Leak) -> bool {
        self.rules.contains(leak.rule) || self.fingerprints.contains(&leak.fingerprint)
    }
}

fn is_fingerprint(text: &str) -> bool {
    let Some((rule, digits)) = text.split_once(':') else { return false };
    let is_digit = |it: u8| it.is_ascii_digit() || (b'a'..=b'f').contains(&it);
    secret::is_rule(rule) && digits.len() == 8 && digits.bytes().all(is_digit)
}

/// The bounds of what a page shows of a cell.
pub(super) fn shown(asked: ShownSettings) -> Shown {
    let ShownSettings { text, lines, rows, markup, pixels, pictures } = asked;
    let default = Shown::default();
    let size = |asked: Option<ByteSize>, default| {
        asked.map_or(default, |it| usize::try_from(it.0).unwrap_or(usize::MAX))
    };
    let number = |asked: Option<std::num::NonZeroU64>, default| {
        asked.map_or(default, |it| usize::try_from(it.get()).unwrap_or(usize::MAX))
    };
    Shown {
        text: size(text, default.text),
        lines: number(lines, default.lines),
        rows: number(rows, default.rows),
        markup: size(markup, default.markup),
        pixels: pixels.map_or(default.pixels, std::num::NonZeroU64::get),
        pictures: size(pictures, default.pictures),
    }
}

/// With `--strict-sanitize`, what had to be removed from an output keeps the page from being published.
pub(super) fn refuse_removals(diagnostics: &mut [Diagnostic]) {
    let removals = diagnostics
        .iter_mut()
        .filter(|it| matches!(it.code, Code::RemovedMarkup | Code::RefusedOutput));
    for it in removals {
        it.severity = Severity::Error;
        it.help.get_or_insert_with(|| {
            "take it out of the output, or build without `--strict-sanitize`".to_owned()
        });
    }
}
