//! A crew of threads, for tests and benches: the model itself starts none.

use std::sync::atomic::{AtomicUsize, Ordering};

use gemscope_model::Crew;

/// So many threads, for as long as there are jobs.
pub struct Threads(pub usize);

impl Crew for Threads {
    fn hands(&self) -> usize {
        self.0
    }

    fn each(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(ix) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|ix| *ix < jobs) {
                job(ix);
            }
        };
        std::thread::scope(|scope| {
            (1..self.0).for_each(|_| drop(scope.spawn(work)));
            work();
        });
    }
}
