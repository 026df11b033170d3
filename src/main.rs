//! The `nbc` binary: hands over to [`nbc::cli`] and exits with its code.

/// Reading a notebook makes many small values; the C library's allocator takes a quarter of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    if std::env::args_os().nth(1).is_some_and(|it| it == nbc::process::STAGE_ARGUMENT) {
        return std::process::ExitCode::from(nbc::process::sandbox_main() as u8);
    }
    nbc::cli::main()
}
