//! The attack suite: every probe of `tests/attack/` against the sandbox at each level and in the fork of a warm
//! process, as root and as an ordinary user, and without isolation, where it has to succeed; then nbc itself,
//! killed at random moments.
//!
//! `cargo test --test attack [-- WORD…]` runs the probes whose names hold one of the words; `kill` is the
//! test of kills, and `NBC_KILLS=200` makes it longer. After each probe and each kill nothing may be left.
//!
//! Eight workers share the work, one for each level and user. Each is a child of `host.py`, which plays the
//! host, and stands in for nbc; its own orphans come back to it, so it sees whoever is left.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and prints what it found"
)]

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[path = "attack/suite/mod.rs"]
mod suite;

fn main() -> std::process::ExitCode {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    return suite::main();
    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    {
        println!("the probes speak to Linux on x86_64 only");
        std::process::ExitCode::SUCCESS
    }
}
