//! Ctrl-C and SIGTERM: a request that every wait of nbc looks at, so that it ends its children,
//! removes what is half-written, and then leaves.

use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Makes Ctrl-C, SIGTERM and SIGHUP a request instead of an immediate end. The second one ends nbc
/// at once: the kernel then kills the sandbox, and the next build sweeps what is left.
///
/// # Errors
/// When the handler cannot be installed.
pub fn install() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            #[expect(clippy::disallowed_methods, reason = "the user asked twice")]
            std::process::exit(130);
        }
    })
}

/// Whether the user asked nbc to stop.
pub fn is_requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}
