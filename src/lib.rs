//! nbc, the notebook compiler: Python notebooks in, a static and self-contained site out.
//!
//! The modules below stand in the order in which data flows; each uses only those above it.
//!
//! 1. [`notebook::parse`] reads a marimo or Jupyter file without running it.
//! 2. [`graph::analyze`] finds what each cell defines and uses, and the order that follows.
//! 3. [`environment::Provisioner::provision`] makes what the notebook needs of Python.
//! 4. [`run::plan::plan`] decides exactly what the run sees, and
//! 5. [`run::execute()`] runs the cells once, in a [`process::Sandbox`]; the [`run::RunRecord`] that
//!    comes back is hostile data.
//! 6. [`charts`] are figures that were checked, and [`sanitize`] is the only maker of [`sanitize::SafeHtml`], and
//! 7. [`output::cell`] and [`output::markdown`] choose what of an output can be shown.
//!    [`states::compile`] does so for each value of the inputs that the run was made with.
//! 8. [`render::page`] lays out a page,
//! 9. [`emit::assemble`] gives each page its policy, and each file its digest.
//! 10. [`verify::verify`] proves the promises on the result, with parsers of its own.
//! 11. [`publish::Staging::publish`] puts it in place, whole or not at all.
//!
//! [`driver`] calls them in this order, for whoever uses nbc as a library: [`driver::Project`] to
//! [`driver::Compiled`] to a published site. [`cli`] is the driver with words: [`cli::main`] is all that the binary
//! does.

#![forbid(unsafe_code)]

pub use nbc_verify::site;
pub use nbc_verify::terminal;

pub use nbc_sandbox::interrupt;
pub use nbc_sandbox::secret;

pub use nbc_sandbox as process;
pub mod source;
pub mod diagnostic;
pub mod config;
pub mod folder;
pub mod cache;
pub mod metadata;
pub mod remote;
pub mod python;
pub mod notebook;
pub mod graph;
pub mod charts;
pub mod environment;
pub mod run;
pub mod sanitize;
pub mod output;
pub mod states;
pub mod render;
pub mod emit;
pub use nbc_verify as verify;
pub mod publish;
pub mod driver;
pub mod cli;
