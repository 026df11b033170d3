//! Phase 5: [`crate::plan::RunPlan`] to [`RunRecord`].
//!
//! In: a plan and a sandbox. Out: what the cells displayed, as plain, hostile data.
//! Never trusts what comes back, and never runs a cell outside the sandbox it was given.

pub mod record;

pub use record::RunRecord;
