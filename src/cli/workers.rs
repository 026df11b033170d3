//! Work on several notebooks at once, with results as if they had been worked on one after the other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// Works on items in their order, so many at once. After a result that `ends` the work nothing new is begun, and
/// the results behind it are dropped: which there are does not depend on the number of workers.
pub(super) fn each<I: Send, W, O: Send>(
    items: Vec<I>,
    workers: usize,
    worker: impl Fn() -> W + Sync,
    work: impl Fn(&mut W, I) -> O + Sync,
    ends: impl Fn(&O) -> bool + Sync,
) -> Vec<O> {
    let number = items.len();
    let next = Mutex::new(items.into_iter().enumerate());
    let is_over = AtomicBool::new(false);
    let results = Mutex::new(BTreeMap::new());
    let run = || {
        let mut worker = worker();
        while !is_over.load(Ordering::SeqCst) {
            let item = next.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((idx, item)) = item else { break };
            let result = work(&mut worker, item);
            if ends(&result) {
                is_over.store(true, Ordering::SeqCst);
            }
            results.lock().unwrap_or_else(PoisonError::into_inner).insert(idx, result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..workers.min(number) {
            scope.spawn(run);
        }
        run();
    });
    let mut kept = Vec::new();
    for result in results.into_inner().unwrap_or_else(PoisonError::into_inner).into_values() {
        let is_last = ends(&result);
        kept.push(result);
        if is_last {
            break;
        }
    }
    kept
}

/// So many may do a thing at once; the others wait.
pub(super) struct Turns {
    free: Mutex<usize>,
    is_freed: Condvar,
}

/// One of them, until it is dropped.
pub(super) struct Turn<'a>(&'a Turns);

impl Turns {
    pub(super) fn new(number: usize) -> Self {
        Self { free: Mutex::new(number.max(1)), is_freed: Condvar::new() }
    }

    pub(super) fn take(&self) -> Turn<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.is_freed.wait_while(free, |it| *it == 0);
        *free.unwrap_or_else(PoisonError::into_inner) -= 1;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.is_freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_do_not_depend_on_the_number_of_workers() {
        let all = |workers, last: usize| {
            let slow = |_: &mut (), it: usize| {
                std::thread::sleep(Duration::from_millis((it as u64 * 7) % 5));
                it
            };
            each((0..50).collect(), workers, || (), slow, |it| *it == last)
        };
        for workers in [1, 2, 8, 100] {
            assert_eq!(all(workers, 99), (0..50).collect::<Vec<_>>());
            assert_eq!(all(workers, 20), (0..=20).collect::<Vec<_>>());
            assert_eq!(all(workers, 0), [0]);
        }
        assert!(each(Vec::<()>::new(), 4, || (), |(), ()| (), |()| false).is_empty());
    }

    #[test]
    fn no_more_than_have_a_turn() {
        let turns = Turns::new(2);
        let at_once = Mutex::new((0, 0));
        let work = |_: &mut (), _: usize| {
            let _turn = turns.take();
            let enter = |step: i32| {
                let mut state = at_once.lock().unwrap();
                state.0 += step;
                state.1 = state.1.max(state.0);
            };
            enter(1);
            std::thread::sleep(Duration::from_millis(2));
            enter(-1);
        };
        each((0..20).collect(), 6, || (), work, |()| false);
        assert_eq!(at_once.into_inner().unwrap(), (0, 2));
    }
}
