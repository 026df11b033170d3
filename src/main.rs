//! Hands over to the command line, and carries out its exit code.

fn main() {
    if std::env::args_os().nth(1).is_some_and(|it| it == nbc::process::STAGE_ARGUMENT) {
        std::process::exit(nbc::process::sandbox_main());
    }
}
