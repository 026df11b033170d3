//! How much of a cell's outputs a page shows, as flags and as the table `shown` of `nbc.toml`.

use std::num::NonZeroU64;

use serde::Deserialize;

use super::ByteSize;
use super::limits::whole;

/// Bounds that were asked for; one that is not set has its default. All are of one cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[command(next_help_heading = "What a page shows of a cell")]
pub struct ShownSettings {
    /// Printed text and texts of values; their beginning and their end stay [default: 1MiB]
    #[arg(long = "shown-text", value_name = "SIZE")]
    pub text: Option<ByteSize>,
    /// Lines of them [default: 10000]
    #[arg(long = "shown-lines", value_name = "NUMBER", value_parser = whole)]
    pub lines: Option<NonZeroU64>,
    /// Rows of a table [default: 5000]
    #[serde(alias = "max-rows")]
    #[arg(long = "shown-rows", visible_alias = "max-rows", value_name = "NUMBER", value_parser = whole)]
    pub rows: Option<NonZeroU64>,
    /// Markup; one output never more than 8MiB [default: 16MiB]
    #[arg(long = "shown-markup", value_name = "SIZE")]
    pub markup: Option<ByteSize>,
    /// Pixels of pictures [default: 150000000]
    #[arg(long = "shown-pixels", value_name = "NUMBER", value_parser = whole)]
    pub pixels: Option<NonZeroU64>,
    /// Files of pictures [default: 32MiB]
    #[arg(long = "shown-pictures", value_name = "SIZE")]
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
