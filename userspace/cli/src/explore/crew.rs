//! The workers that a walk is lent.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Threads that share jobs.
pub struct Crew {
    hands: usize,
}

impl Crew {
    /// This many threads, or one for each processor.
    #[must_use]
    pub fn of(jobs: Option<NonZeroUsize>) -> Self {
        let all = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self { hands: jobs.map_or_else(all, NonZeroUsize::get) }
    }

    /// One thread for each processor.
    #[must_use]
    pub fn all() -> Self {
        Self::of(None)
    }
}

impl gemscope_model::Crew for Crew {
    fn hands(&self) -> usize {
        self.hands
    }

    fn each(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        let hands = self.hands.min(jobs);
        // Most layers are small: a thread would take longer to start than to work.
        if hands <= 1 {
            return (0..jobs).for_each(job);
        }
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let ix = next.fetch_add(1, Ordering::Relaxed);
                if ix >= jobs {
                    return;
                }
                job(ix);
            }
        };
        thread::scope(|scope| {
            for _ in 1..hands {
                scope.spawn(work);
            }
            work();
        });
    }
}

#[cfg(test)]
mod tests {
    use gemscope_model::Crew as _;

    use super::*;

    #[test]
    fn every_job_is_done_once() {
        for (hands, jobs) in [(1, 5), (4, 0), (4, 1), (3, 100)] {
            let done: Vec<AtomicUsize> = (0..jobs).map(|_| AtomicUsize::new(0)).collect();
            Crew::of(NonZeroUsize::new(hands)).each(jobs, &|ix| {
                done[ix].fetch_add(1, Ordering::Relaxed);
            });
            assert!(done.iter().all(|n| n.load(Ordering::Relaxed) == 1));
        }
    }
}
