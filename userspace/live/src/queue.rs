//! Records on their way from the reader to whoever consumes them: bounded, and the reader never waits.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gemscope_common::Record;

/// The consumer's end. Clones take from the same queue.
#[derive(Clone, Debug)]
pub struct Batches {
    shared: Arc<Shared>,
}

/// The reader's end.
#[derive(Debug)]
pub(crate) struct Sender {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    /// Records that may wait.
    limit: usize,
}

#[derive(Debug, Default)]
struct State {
    batches: VecDeque<Vec<Record>>,
    records: usize,
    closed: bool,
}

/// What a look into the queue found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Records.
    Some,
    /// None yet.
    Nothing,
    /// None any more: the session has ended and everything was taken.
    Closed,
}

/// One batch, or why there is none.
enum Next {
    Batch(Vec<Record>),
    Empty,
    Closed,
}

/// A queue for as many records as fit into `bytes`.
pub(crate) fn queue(bytes: usize) -> (Sender, Batches) {
    let limit = (bytes / size_of::<Record>()).max(1);
    let shared = Arc::new(Shared { state: Mutex::default(), arrived: Condvar::new(), limit });
    (Sender { shared: Arc::clone(&shared) }, Batches { shared })
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nobody panics while holding it; and a queue is whole between any two steps.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) -> Next {
        match self.batches.pop_front() {
            Some(batch) => {
                self.records -= batch.len();
                Next::Batch(batch)
            }
            None if self.closed => Next::Closed,
            None => Next::Empty,
        }
    }
}

impl Batches {
    /// Hands over what is there, in order, and waits for the first at most this long.
    ///
    /// `most` batches at a time, so that who calls can look at other things too: the rest stays for the next call.
    pub fn drain(&self, patience: Duration, most: usize, mut take: impl FnMut(&[Record])) -> Found {
        let first = match self.next(patience) {
            Next::Batch(first) => first,
            Next::Empty => return Found::Nothing,
            Next::Closed => return Found::Closed,
        };
        take(&first);
        for _ in 1..most {
            let Next::Batch(records) = self.shared.lock().take() else { break };
            take(&records);
        }
        Found::Some
    }

    fn next(&self, patience: Duration) -> Next {
        let deadline = Instant::now() + patience;
        let mut state = self.shared.lock();
        loop {
            match state.take() {
                Next::Empty => {}
                other => return other,
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Next::Empty;
            }
            state = self.shared.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// How many records wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.lock().records
    }
}

impl Sender {
    /// Hands a batch over, or gives it back when the queue is full.
    pub(crate) fn send(&self, batch: Vec<Record>) -> Result<(), Vec<Record>> {
        let mut state = self.shared.lock();
        // A batch larger than the limit must still get through an empty queue.
        if state.records > 0 && state.records + batch.len() > self.shared.limit {
            return Err(batch);
        }
        state.records += batch.len();
        state.batches.push_back(batch);
        drop(state);
        self.shared.arrived.notify_one();
        Ok(())
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.arrived.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use gemscope_common::{Mark, Phase, ProbeId};

    use super::*;

    fn batch(n: usize) -> Vec<Record> {
        vec![Record::new(ProbeId::Mark, Phase::Point, &Mark { name: [0; 32] }); n]
    }

    /// The lengths of the batches of one round, and how it ended.
    fn round(batches: &Batches, most: usize) -> (Vec<usize>, Found) {
        let mut taken = Vec::new();
        let found = batches.drain(Duration::from_millis(1), most, |records| taken.push(records.len()));
        (taken, found)
    }

    #[test]
    fn a_full_queue_gives_back_and_never_waits() {
        let (sender, batches) = queue(3 * size_of::<Record>());
        assert!(sender.send(batch(2)).is_ok());
        assert_eq!(sender.send(batch(2)).unwrap_err().len(), 2);
        assert!(sender.send(batch(1)).is_ok());
        assert_eq!(batches.waiting(), 3);
        assert_eq!(round(&batches, 9), (vec![2, 1], Found::Some));
        assert_eq!(round(&batches, 9), (vec![], Found::Nothing));
    }

    #[test]
    fn a_round_leaves_what_it_does_not_take() {
        let (sender, batches) = queue(15 * size_of::<Record>());
        (1..=5).for_each(|n| sender.send(batch(n)).unwrap());
        drop(sender);
        assert_eq!(round(&batches, 2), (vec![1, 2], Found::Some));
        assert_eq!(round(&batches, 2), (vec![3, 4], Found::Some));
        assert_eq!(round(&batches, 2), (vec![5], Found::Some));
        assert_eq!(round(&batches, 2), (vec![], Found::Closed));
    }

    #[test]
    fn what_was_sent_is_taken_after_the_end() {
        let (sender, batches) = queue(0);
        assert!(sender.send(batch(5)).is_ok());
        drop(sender);
        assert_eq!(round(&batches, 9), (vec![5], Found::Some));
        assert_eq!(batches.drain(Duration::from_secs(60), 9, |_| {}), Found::Closed);
    }
}
