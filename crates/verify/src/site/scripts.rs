//! The scripts that nbc writes into pages: data that `emit` places and `verify` compares with.

/// Runs on each page.
pub const PAGE: &str = include_str!("../../../../assets/nbc.js");
/// Draws charts.
pub const CHARTS: &str = concat!(
    include_str!("../../../../assets/sheet.js"),
    include_str!("../../../../assets/charts.js")
);
/// Sorts and searches tables.
pub const TABLES: &str = include_str!("../../../../assets/tables.js");
/// Shows the page for other values of its inputs.
pub const STATES: &str = include_str!("../../../../assets/states.js");

/// Each script that a page of this version may hold, by name; those of islands apart.
pub const ALL: [(&str, &str); 4] =
    [("nbc", PAGE), ("charts", CHARTS), ("tables", TABLES), ("states", STATES)];
