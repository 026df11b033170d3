//! Lists of patterns that others may have written: bounded before they are compiled.
//!
//! In: the patterns of a list, one after the other. Out: whether it is still one that nbc takes. Three hundred thousand
//! patterns of the kind `**/a*/**/b*` cost 40 seconds and 2.5 GB, outside each limit of a run.

/// Most patterns of one list.
pub const MOST_PATTERNS: usize = 10_000;
/// Most bytes of the patterns of one list that hold wildcards; plain names cost next to nothing.
pub const MOST_WILDCARD_BYTES: usize = 64 << 10;

/// Bounds of all lists together during one walk; lists of outer folders are held while inner ones are read.
const WALK: PatternBudget = PatternBudget {
    patterns: 160_000,
    wildcard_bytes: 256 << 10,
    refusal: TooManyPatterns {
        whose: "the ignore files up to here have together",
        patterns: 160_000,
        wildcard_kibibytes: 256,
    },
};

/// Counts the patterns of a list, or of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatternBudget {
    patterns: usize,
    wildcard_bytes: usize,
    refusal: TooManyPatterns,
}

/// A list has more patterns than nbc takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{whose} more than {patterns} patterns, or more than {wildcard_kibibytes} KiB of patterns with wildcards"
)]
pub struct TooManyPatterns {
    whose: &'static str,
    patterns: usize,
    wildcard_kibibytes: usize,
}

impl TooManyPatterns {
    /// The way out.
    pub const HELP: &'static str =
        "name folders instead of the files in them: `data/` stands for all that is below it";
}

impl PatternBudget {
    /// The budget of one list.
    #[must_use]
    pub fn of_list() -> Self {
        let refusal = TooManyPatterns {
            whose: "it has",
            patterns: MOST_PATTERNS,
            wildcard_kibibytes: MOST_WILDCARD_BYTES >> 10,
        };
        Self { patterns: MOST_PATTERNS, wildcard_bytes: MOST_WILDCARD_BYTES, refusal }
    }

    /// The budget of all lists of a walk.
    #[must_use]
    pub fn of_walk() -> Self {
        WALK
    }

    /// Takes account of a pattern.
    ///
    /// # Errors
    /// When it is one too many.
    pub fn take(&mut self, pattern: &str) -> Result<(), TooManyPatterns> {
        let has_wildcard = pattern.contains(['*', '?', '[', '{']);
        let bytes = if has_wildcard { pattern.len() } else { 0 };
        self.patterns = self.patterns.checked_sub(1).ok_or(self.refusal)?;
        self.wildcard_bytes = self.wildcard_bytes.checked_sub(bytes).ok_or(self.refusal)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_many_and_wildcards_are_few() {
        let taken = |pattern: &str| {
            let mut budget = PatternBudget::of_list();
            (0..).take_while(|_| budget.take(pattern).is_ok()).take(MOST_PATTERNS + 1).count()
        };
        assert_eq!(taken("data/a-file-with-a-long-name.csv"), MOST_PATTERNS);
        assert_eq!(taken("*.csv"), MOST_PATTERNS);
        assert_eq!(taken(&"**/a*/".repeat(8)), MOST_WILDCARD_BYTES / 48);
        assert_eq!(taken(&"[x]".repeat(MOST_WILDCARD_BYTES)), 0);
    }
}
