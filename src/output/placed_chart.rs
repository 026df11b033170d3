//! [`PlacedChart`]: a chart with the id that its page knows it by.

use crate::charts::Chart;

/// A chart at its place in a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedChart {
    /// The `id` of its `figure`; its data have this id with `-data` after it.
    pub id: String,
    /// The chart.
    pub chart: Chart,
}
