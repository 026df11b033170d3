//! Requests to stop. Every wait of nbc looks at the one of its work, so that it ends its children, removes what is
//! half-written, and then leaves.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    /// The request that stops the work on this thread.
    static CURRENT: RefCell<Option<Cancel>> = const { RefCell::new(None) };
}

/// A request to stop some work, such as one build. Clones are the same request, for other threads.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the work to stop. It does so at its next wait, and cannot be asked to go on.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether the work was asked to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Does work on this thread that the request stops. Threads that the work starts are told of it by
    /// [`Cancel::current`].
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        /// Restores the request of the work around, also if this work panics.
        struct Around(Option<Cancel>);
        impl Drop for Around {
            fn drop(&mut self) {
                let _ = CURRENT.replace(self.0.take());
            }
        }
        let _around = Around(CURRENT.replace(Some(self.clone())));
        work()
    }

    /// The request that stops the work on this thread; a new one outside of all work.
    #[must_use]
    pub fn current() -> Self {
        CURRENT.with_borrow(Clone::clone).unwrap_or_default()
    }

    /// Makes Ctrl-C, SIGTERM and SIGHUP this request instead of an immediate end, for the whole process. The second one
    /// ends it at once: the kernel then kills the sandbox, and the next build sweeps what is left.
    ///
    /// # Errors
    /// When the handler cannot be installed, or there is one already.
    pub fn on_signals(&self) -> Result<(), ctrlc::Error> {
        let Self(requested) = self.clone();
        ctrlc::set_handler(move || {
            if requested.swap(true, Ordering::SeqCst) {
                #[expect(clippy::disallowed_methods, reason = "the user asked twice")]
                std::process::exit(130);
            }
        })
    }
}

/// Whether the work on this thread was asked to stop.
#[must_use]
pub fn is_requested() -> bool {
    CURRENT.with_borrow(|it| it.as_ref().is_some_and(Cancel::is_cancelled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_stops_its_own_work_only() {
        let (one, other) = (Cancel::default(), Cancel::default());
        one.cancel();
        assert!(!is_requested());
        one.during(|| {
            assert!(is_requested());
            other.during(|| assert!(!is_requested()));
            let panicked = std::panic::catch_unwind(|| other.during(|| panic!("a defect")));
            assert!(panicked.is_err() && is_requested());
            let current = Cancel::current();
            let seen = std::thread::spawn(move || (is_requested(), current.during(is_requested)));
            assert_eq!(seen.join().unwrap(), (false, true));
        });
        assert!(!is_requested() && !Cancel::current().is_cancelled());
        other.during(|| {
            Cancel::current().cancel();
            assert!(is_requested());
        });
    }
}
