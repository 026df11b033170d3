//! nbc, the notebook compiler: Python notebooks in, a static and self-contained site out.
pub mod cli;
pub mod config;
pub mod diagnostic;
pub mod emit;
pub mod environment;
pub mod graph;
pub mod notebook;
pub mod output;
pub mod process;
pub mod publish;
pub mod python;
pub mod render;
pub mod run;
pub mod sanitize;
pub mod site;
pub mod source;
pub mod verify;
