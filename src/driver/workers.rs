//! Work on several notebooks at once, with results as if they had been worked on one after the other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use crate::interrupt::Cancel;

/// Works on units of work in their order, so many at once; each gives results for places in the list of notebooks.
/// Results behind the first place that ends the work are dropped.
pub(super) fn each<U: Send, O: Send>(
    units: Vec<U>,
    workers: usize,
    cutoff: &Cutoff,
    work: impl Fn(U, &mut dyn FnMut(usize, O)) + Sync,
) -> Vec<O> {
    let number = units.len();
    let next = Mutex::new(units.into_iter());
    let results = Mutex::new(BTreeMap::new());
    let cancel = Cancel::current();
    let run = || {
        loop {
            let unit = next.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(unit) = unit else { break };
            work(unit, &mut |place, result| {
                results.lock().unwrap_or_else(PoisonError::into_inner).insert(place, result);
            });
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..workers.min(number) {
            scope.spawn(|| cancel.during(run));
        }
        run();
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.into_iter().filter(|(place, _)| cutoff.is_before_end(*place)).map(|it| it.1).collect()
}

/// The first notebook, in their order, that ends the build: those behind it are not begun, or their results are dropped.
/// It depends neither on the number of workers nor on their speed.
#[derive(Debug)]
pub(super) struct Cutoff {
    end: AtomicUsize,
}

impl Cutoff {
    pub(super) fn new() -> Self {
        Self { end: AtomicUsize::new(usize::MAX) }
    }

    /// The build ends with the notebook at this place.
    pub(super) fn end_at(&self, place: usize) {
        self.end.fetch_min(place, Ordering::SeqCst);
    }

    /// Whether the notebook at this place counts, as far as is known.
    pub(super) fn is_before_end(&self, place: usize) -> bool {
        place <= self.end.load(Ordering::SeqCst)
    }
}

/// A counting semaphore: so many permits, and who finds none waits.
pub(super) struct Semaphore {
    free: Mutex<usize>,
    is_freed: Condvar,
}

/// A permit, until it is dropped.
pub(super) struct Permit<'a>(&'a Semaphore);

impl Semaphore {
    pub(super) fn new(number: usize) -> Self {
        Self { free: Mutex::new(number.max(1)), is_freed: Condvar::new() }
    }

    pub(super) fn acquire(&self) -> Permit<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.is_freed.wait_while(free, |it| *it == 0);
        *free.unwrap_or_else(PoisonError::into_inner) -= 1;
        Permit(self)
    }
}

impl Drop for Permit<'_> {
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
        let all = |workers, last: usize, units: Vec<Vec<usize>>| {
            let cutoff = Cutoff::new();
            each(units, workers, &cutoff, |unit, tell| {
                for place in unit.into_iter().filter(|it| cutoff.is_before_end(*it)) {
                    std::thread::sleep(Duration::from_millis((place as u64 * 7) % 5));
                    if place >= last {
                        cutoff.end_at(place);
                    }
                    tell(place, place);
                }
            })
        };
        let single = || (0..50).map(|it| vec![it]).collect::<Vec<_>>();
        let parted = || vec![(0..50).step_by(2).collect(), (1..50).step_by(2).collect()];
        for workers in [1, 2, 8, 100] {
            for units in [single, parted] {
                assert_eq!(all(workers, 99, units()), (0..50).collect::<Vec<_>>());
                assert_eq!(all(workers, 20, units()), (0..=20).collect::<Vec<_>>());
                assert_eq!(all(workers, 0, units()), [0]);
            }
        }
        assert!(all(4, 9, Vec::new()).is_empty());
    }

    #[test]
    fn a_request_stops_all_workers_of_its_work() {
        let asked = Cancel::default();
        asked.cancel();
        let stopped = || {
            let barrier = std::sync::Barrier::new(4);
            each((0..4).collect(), 4, &Cutoff::new(), |place: usize, tell| {
                barrier.wait();
                tell(place, crate::interrupt::is_requested());
            })
        };
        assert_eq!(asked.during(stopped), [true; 4]);
        assert_eq!(Cancel::default().during(stopped), [false; 4]);
    }

    #[test]
    fn no_more_than_have_a_permit() {
        let semaphore = Semaphore::new(2);
        let at_once = Mutex::new((0, 0));
        let work = |_: usize| {
            let _permit = semaphore.acquire();
            let enter = |step: i32| {
                let mut state = at_once.lock().unwrap();
                state.0 += step;
                state.1 = state.1.max(state.0);
            };
            enter(1);
            std::thread::sleep(Duration::from_millis(2));
            enter(-1);
        };
        each((0..20).collect(), 6, &Cutoff::new(), |it, _: &mut dyn FnMut(usize, ())| work(it));
        assert_eq!(at_once.into_inner().unwrap(), (0, 2));
    }
}
