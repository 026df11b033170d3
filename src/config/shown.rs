//! How much of a cell's outputs a page shows, the table `shown` of `nbc.toml`.

use std::num::NonZeroU64;

use serde::Deserialize;

use super::ByteSize;

/// Rows of a table that a run asks for and a page shows, where nobody asks for others.
pub const DEFAULT_ROWS: usize = 5_000;

/// Bounds that were asked for; one that is not set has its default. All are of one cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ShownSettings {
    /// Printed text and texts of values; their beginning and their end stay [default: 1MiB]
    pub text: Option<ByteSize>,
    /// Lines of them [default: 10000]
    pub lines: Option<NonZeroU64>,
    /// Rows of a table [default: 5000]
    #[serde(alias = "max-rows")]
    pub rows: Option<NonZeroU64>,
    /// Markup; one output never more than 8MiB [default: 16MiB]
    pub markup: Option<ByteSize>,
    /// Pixels of pictures [default: 150000000]
    pub pixels: Option<NonZeroU64>,
    /// Files of pictures [default: 32MiB]
    pub pictures: Option<ByteSize>,
}

impl ShownSettings {
    /// These settings, and those of `other` where these say nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            text: self.text.or(other.text),
            lines: self.lines.or(other.lines),
            rows: self.rows.or(other.rows),
            markup: self.markup.or(other.markup),
            pixels: self.pixels.or(other.pixels),
            pictures: self.pictures.or(other.pictures),
        }
    }
}
