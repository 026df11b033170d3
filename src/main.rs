//! The `nbc` binary: hands over to [`nbc::cli`] and exits with its code.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::process::ExitCode;

/// Reading a notebook makes many small values; the C library's allocator takes a quarter of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match std::env::args_os().nth(1).as_deref().and_then(OsStr::to_str) {
        Some(nbc::process::STAGE_ARGUMENT) => ExitCode::from(nbc::process::sandbox_main() as u8),
        Some(nbc::process::apart::DIAGRAM_ARGUMENT) => {
            let drawn = nbc::process::apart::answer(nbc::output::draw_diagram);
            if drawn.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        _ => nbc::cli::main(),
    }
}
