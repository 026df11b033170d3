//! The `nbc-verify` binary: `nbc verify` for machines that build nothing.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    nbc_verify::command::main()
}
