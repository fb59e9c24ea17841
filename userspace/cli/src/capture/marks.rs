//! Marks that are asked for, until the records have come up to the moment at which they were.

use std::collections::VecDeque;

use gemscope_common::{Mark, Record};
use gemscope_live::monotonic_ns;

use super::control::{Asker, Control};

/// Marks in the order of asking.
#[derive(Default)]
pub struct Marks {
    due: VecDeque<Due>,
}

/// A mark that is to be set.
pub struct Due {
    at_ns: u64,
    name: String,
    asker: Asker,
}

impl Due {
    /// As a record carries it.
    pub fn payload(&self) -> Mark {
        Mark::named(&self.name)
    }

    /// It is set.
    pub fn done(self) {
        self.asker.done();
    }
}

impl Marks {
    /// A mark is wanted here and now.
    pub fn want(&mut self, name: &str) {
        self.due.push_back(Due { at_ns: monotonic_ns(), name: name.to_owned(), asker: Asker::NOBODY });
    }

    /// Marks that others ask for.
    pub fn listen(&mut self, control: &mut Control) {
        let at_ns = monotonic_ns();
        self.due.extend(control.asked().into_iter().map(|(name, asker)| Due { at_ns, name, asker }));
    }

    /// How many of these records are from before the first mark; all of them, when none is wanted.
    pub fn before(&self, records: &[Record]) -> usize {
        let Some(first) = self.due.front() else { return records.len() };
        records.iter().position(|r| r.header.ts_ns > first.at_ns).unwrap_or(records.len())
    }

    /// The first mark: the records up to it have come.
    pub fn next(&mut self) -> Option<Due> {
        self.due.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gemscope_common::{Phase, ProbeId};

    #[test]
    fn marks_stand_between_the_records_of_their_time() {
        let record = |ts_ns| {
            let mut record = Record::new(ProbeId::Mark, Phase::Point, &Mark::named(""));
            record.header.ts_ns = ts_ns;
            record
        };
        let mut marks = Marks::default();
        let records: Vec<Record> = [1, monotonic_ns(), u64::MAX].map(record).into();
        assert_eq!(marks.before(&records), 3);
        marks.want("here");
        assert_eq!(marks.before(&records), 2);
        let due = marks.next().unwrap();
        assert_eq!(&due.payload().name[..5], b"here\0");
        assert!(marks.next().is_none());
    }
}
