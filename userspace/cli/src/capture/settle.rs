//! The end of a watch: probes off, a last look at who holds what, and the record that says that now may be judged.

use std::time::Duration;

use gemscope_common::{Mark, ProbeId, Settle};
use gemscope_live::scan::{self, When};
use gemscope_live::{DmabufList, Found, Tail};
use gemscope_trace::{Definition, TraceHeader};

use super::children;
use super::recorder::Recorder;
use super::watch::{Ending, TICK, Watch, Watched, listed, status_words};
use crate::pipeline::Judge;

/// How long a command whose time is over gets to end by itself.
const POLITE: Duration = Duration::from_secs(3);

impl Watch<'_> {
    /// Detaches, looks at who holds what, and says that now may be judged.
    pub(super) fn settle(self, ending: Ending, waited: Duration, header: TraceHeader) -> Watched {
        let by_proc = if self.root_tgid == 0 { 0 } else { self.left().len() as u32 };
        let Self {
            request, session, mut recorder, mut running, cycling, command, root_tgid, mut status, ..
        } = self;
        let Tail { batches, definitions, drops, missed, hits, list } = session.stop();
        tracing::debug!("hits: {hits:?}");
        while batches.drain(TICK, usize::MAX, |records| recorder.records(records)) != Found::Closed {}
        if let Some(definitions) = definitions {
            while let Some(definition) = definitions.try_next() {
                recorder.define(definition);
            }
        }
        recorder.dropped(drops);
        missed.into_iter().for_each(|record| recorder.stamped(record));
        if root_tgid == 0 {
            // No settle point: what other programs are in the middle of is no leak. The mark carries the last count.
            recorder.own(ProbeId::Mark, &Mark::named(Mark::END));
        } else {
            let looked = look(&mut recorder, list);
            settle_record(&mut recorder, ending, waited, drops, by_proc, request.kill, &looked);
        }
        if request.kill && ending != Ending::Ended {
            // Who asked for the end has told the command, too.
            if ending == Ending::TimeOver {
                children::ask_to_end(command, POLITE);
            }
            children::kill_all(command);
        }
        if status.is_none() {
            status = running.as_mut().and_then(|r| r.try_wait().ok().flatten());
        }
        let cycles = cycling.map(|cycling| (cycling.is_whole(), cycling.told()));
        if command != 0 {
            let words = cycles.as_ref().map_or_else(|| status_words(status), |(_, told)| told.clone());
            recorder.define(Definition::Text(format!("the command {words}").into()));
        }
        let flight = recorder.flight.take();
        let (judge, definitions, written) = recorder.finish();
        Watched { judge, definitions, header, status, cycles, ending, flight, written }
    }
}

/// Who holds what now, as a settle record tells of it.
struct Looked {
    scan: u32,
    unreadable: u32,
    listed: u32,
}

/// Looks at all processes, and then at the kernel's own list: what a process holds when it is looked at and lets go of
/// before the list is read is gone, not leaked.
fn look(recorder: &mut Recorder<Judge>, list: Option<DmabufList>) -> Looked {
    let (scan, unreadable) = match scan::dmabuf_users(When::Settle) {
        Ok(scan) => {
            recorder.sightings(&scan);
            (u32::from(scan.is_complete()), scan.unreadable)
        }
        Err(error) => {
            tracing::warn!("the open files of processes could not be looked at: {error}");
            (2, 0)
        }
    };
    let list = listed(list, When::Settle);
    list.iter().flatten().for_each(|one| recorder.own(ProbeId::SeenFd, one));
    Looked { scan, unreadable, listed: u32::from(list.is_some()) }
}

fn settle_record(
    recorder: &mut Recorder<Judge>,
    ending: Ending,
    waited: Duration,
    drops: u64,
    by_proc: u32,
    judged: bool,
    looked: &Looked,
) {
    let Looked { scan, unreadable, listed } = *looked;
    let settle = Settle {
        drops,
        alive: if ending == Ending::Ended { 0 } else { by_proc.max(1) },
        scan,
        waited_ms: u32::try_from(waited.as_millis()).unwrap_or(u32::MAX),
        // A recording that its user ends is no verdict about a program that goes on.
        cut: u32::from(ending != Ending::Ended && !judged),
        unreadable,
        listed,
    };
    recorder.own(ProbeId::Settle, &settle);
}
