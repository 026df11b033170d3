//! Hands over to the command line, and carries out its exit code.

fn main() -> std::process::ExitCode {
    if std::env::args_os().nth(1).is_some_and(|it| it == nbc::process::STAGE_ARGUMENT) {
        return u8::try_from(nbc::process::sandbox_main()).unwrap_or(u8::MAX).into();
    }
    std::process::ExitCode::SUCCESS
}
