//! Phase 7: MIME bundles to something a page can show.
//!
//! In: a cell's raw outputs. Out: [`RenderedOutput`]s (safe markup, rules, warnings).
//! Never lets raw markup through: every piece passes [`crate::sanitize`].
