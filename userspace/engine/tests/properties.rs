//! Long random legal histories give no finding; with records lost at random they give no certain one.

mod history;

use std::collections::{BTreeMap, BTreeSet};

use gemscope_common::{Flags, Gem, Phase, ProbeId, Record};
use gemscope_engine::{Config, Doubt, Engine, Tally, Verdict};
use history::Script;
use proptest::prelude::*;

/// A program that obeys the rules, driven by random bytes.
#[derive(Default)]
struct Program {
    text: Vec<String>,
    /// file, handle -> object
    handles: BTreeMap<(u32, u32), u32>,
    /// object -> its dma-buf while that lives
    buf_of: BTreeMap<u32, u32>,
    foreign: BTreeMap<u32, u32>,
    /// dma-buf -> open fds
    fds: BTreeMap<u32, u32>,
    cached: BTreeSet<(u32, u32, u32)>,
    /// attachment -> its dma-buf, on which the importer has a reference
    attached: BTreeMap<u32, u32>,
}

impl Program {
    fn free_handle(&self, f: u32) -> u32 {
        (1..).find(|h| !self.handles.contains_key(&(f, *h))).unwrap_or(1)
    }

    /// As a kernel's allocator does it: the address of a dead one is given out again at once.
    fn free_object(&self) -> u32 {
        let used = |o: &u32| self.handles.values().any(|x| x == o) || self.buf_of.contains_key(o);
        (1..).find(|o| !used(o)).unwrap_or(1)
    }

    fn free_buf(&self) -> u32 {
        (1..).find(|d| !self.alive(*d)).unwrap_or(1)
    }

    fn alive(&self, d: u32) -> bool {
        let linked =
            self.handles.values().any(|o| self.buf_of.get(o) == Some(&d) || self.foreign.get(o) == Some(&d));
        let attached = self.attached.values().any(|x| *x == d);
        self.fds.get(&d).is_some_and(|n| *n > 0)
            || attached
            || linked
            || self.cached.iter().any(|(_, _, x)| *x == d)
    }

    fn forget_dead(&mut self) {
        let dead: Vec<u32> = self.buf_of.values().copied().filter(|d| !self.alive(*d)).collect();
        self.buf_of.retain(|_, d| !dead.contains(d));
        self.foreign.retain(|o, _| self.handles.values().any(|x| x == o));
    }

    fn step(&mut self, byte: u8, pick: u8) {
        let t = 1 + u32::from(byte >> 6) % 3;
        let who = format!("t{t}@10");
        let f = 1 + u32::from(pick) % 2;
        let nth = |n: usize| usize::from(pick) % n.max(1);
        match byte % 8 {
            0 => {
                let (h, o) = (self.free_handle(f), self.free_object());
                self.handles.insert((f, h), o);
                self.text.push(format!("{who} create f{f} h{h} o{o}"));
            }
            1 => {
                let Some((&(f, h), &o)) = self.handles.iter().nth(nth(self.handles.len())) else { return };
                // A re-export of an import gives the foreign buffer: left to the tests against a real kernel.
                if self.foreign.contains_key(&o) {
                    return;
                }
                let new = self.free_buf();
                let d = *self.buf_of.entry(o).or_insert(new);
                *self.fds.entry(d).or_default() += 1;
                self.cached.insert((f, h, d));
                self.text.push(format!("{who} export f{f} h{h} d{d}"));
            }
            2 => {
                let Some((&d, _)) = self.fds.iter().filter(|(_, n)| **n > 0).nth(nth(self.fds.len()) / 2)
                else {
                    return;
                };
                if let Some((_, h, _)) = self.cached.iter().find(|(of, _, x)| (*of, *x) == (f, d)) {
                    self.text.push(format!("{who} reimport f{f} d{d} h{h}"));
                    return;
                }
                let native = self.buf_of.iter().find(|(_, x)| **x == d).map(|(o, _)| *o);
                let Some(o) = native else { return };
                let h = self.free_handle(f);
                if pick.is_multiple_of(3) {
                    let o = self.free_object();
                    self.foreign.insert(o, d);
                    self.handles.insert((f, h), o);
                    self.text.push(format!("{who} import f{f} d{d} h{h} o{o} foreign"));
                } else {
                    self.handles.insert((f, h), o);
                    self.text.push(format!("{who} import f{f} d{d} h{h} o{o}"));
                }
                self.cached.insert((f, h, d));
            }
            3 | 4 => {
                let Some((&(f, h), _)) = self.handles.iter().nth(nth(self.handles.len())) else { return };
                self.close(&who, f, h);
            }
            6 => {
                let open: Vec<u32> = self.fds.iter().filter(|(_, n)| **n > 0).map(|(d, _)| *d).collect();
                let Some(&d) = open.get(nth(open.len())) else { return };
                let a = (1..).find(|a| !self.attached.contains_key(a)).unwrap_or(1);
                self.attached.insert(a, d);
                let maps = if pick.is_multiple_of(2) {
                    format!("; {who} pin a{a}; {who} map a{a} 1 s{a}")
                } else {
                    String::new()
                };
                self.text.push(format!("{who} extra-ref d{d}; {who} attach d{d} a{a}{maps}"));
                if pick.is_multiple_of(2) {
                    self.text.push(format!("{who} unmap a{a} 1 s{a}; {who} unpin a{a}"));
                }
            }
            7 => {
                let Some((&a, &d)) = self.attached.iter().nth(nth(self.attached.len())) else { return };
                self.detach(&who, a, d);
            }
            _ => {
                let open: Vec<u32> = self.fds.iter().filter(|(_, n)| **n > 0).map(|(d, _)| *d).collect();
                let Some(&d) = open.get(nth(open.len())) else { return };
                self.close_fd(&who, d);
            }
        }
    }

    fn close(&mut self, who: &str, f: u32, h: u32) {
        self.handles.remove(&(f, h));
        self.cached.retain(|(cf, ch, _)| (*cf, *ch) != (f, h));
        self.text.push(format!("{who} close f{f} h{h}"));
        self.forget_dead();
    }

    fn close_fd(&mut self, who: &str, d: u32) {
        if let Some(n) = self.fds.get_mut(&d) {
            *n -= 1;
        }
        self.text.push(format!("{who} close-fd d{d}"));
        self.forget_dead();
    }

    fn detach(&mut self, who: &str, a: u32, d: u32) {
        self.attached.remove(&a);
        self.text.push(format!("{who} detach d{d} a{a}; {who} close-fd d{d}"));
        self.forget_dead();
    }

    fn tidy_up(&mut self) {
        while let Some((&a, &d)) = self.attached.iter().next() {
            self.detach("t1@10", a, d);
        }
        while let Some((&(f, h), _)) = self.handles.iter().next() {
            self.close("t1@10", f, h);
        }
        while let Some((&d, _)) = self.fds.iter().find(|(_, n)| **n > 0) {
            self.close_fd("t1@10", d);
        }
        self.text.push("t1 close-file f1; t1 close-file f2; t1 exit 0; t1 settle".to_owned());
    }
}

/// What the tally of everyone's must be, but for its bytes: counted one by one.
fn counted(engine: &Engine) -> Tally {
    let count = |known: &mut dyn Iterator<Item = bool>| known.filter(|known| *known).count() as u64;
    Tally {
        handles: count(&mut engine.handles().map(|h| h.created.is_known())),
        dmabufs: count(&mut engine.dmabufs().map(|d| d.born.is_known())),
        attachments: count(&mut engine.attachments().iter().map(|a| a.at.is_known())),
        framebuffers: count(&mut engine.framebuffers().iter().map(|fb| fb.at.is_known())),
        objects: count(&mut engine.objects().map(|o| o.born.is_known())),
        bytes: engine.tally(true).bytes,
    }
}

fn kernel_probes() -> Vec<ProbeId> {
    ProbeId::ALL.iter().copied().filter(|probe| !probe.is_synthetic()).collect()
}

fn history(steps: &[(u8, u8)]) -> String {
    let mut program = Program::default();
    program.text.push("t1 scope 10; t1 open f1; t1 open f2".to_owned());
    for (byte, pick) in steps {
        program.step(*byte, *pick);
    }
    program.tidy_up();
    program.text.join("; ")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn legal_histories_give_no_finding(steps in prop::collection::vec(any::<(u8, u8)>(), 0..120)) {
        let text = history(&steps);
        let script = Script::run(&text);
        let mut engine = Engine::new(Config::default());
        script.records.iter().for_each(|r| engine.ingest(r));
        engine.finish();
        prop_assert_eq!(engine.verdict(), Verdict::Clean, "{}\n{:#?}", text, engine.findings());
        prop_assert_eq!(engine.counts().objects, 0);
        prop_assert_eq!(engine.counts().handles, 0);
        prop_assert_eq!(engine.counts().dmabufs, 0);
        prop_assert_eq!([engine.tally(true), engine.tally(false)], [Tally::default(); 2]);
        prop_assert_eq!(engine.references().count(), 0);
    }

    /// Losses come in bursts, and the records that tell of them may come a few records late.
    #[test]
    fn lost_records_give_no_certain_finding(
        steps in prop::collection::vec(any::<(u8, u8)>(), 0..80),
        lost in prop::collection::vec((any::<prop::sample::Index>(), 1_usize..40), 1..6),
        late in 0_usize..4,
    ) {
        let text = history(&steps);
        let script = Script::run(&text);
        let bursts = lost.iter().flat_map(|(at, n)| (at.index(script.records.len())..).take(*n));
        let lost: BTreeSet<usize> = bursts.filter(|i| *i > 0).collect();
        let mut engine = Engine::new(Config::default());
        let mut drops = vec![0];
        for (ix, record) in script.records.iter().enumerate() {
            let now = drops.last().copied().unwrap_or(0);
            // The scope and the settle point come from user space and cannot be lost.
            let synthetic = record.probe().is_some_and(|p| p.is_synthetic());
            if lost.contains(&ix) && !synthetic {
                if let Some(last) = drops.last_mut() {
                    *last = now + 1;
                }
                continue;
            }
            let mut record = *record;
            let told = if synthetic { now } else { drops[drops.len().saturating_sub(1 + late)] };
            record.header.drops = told;
            drops.push(now);
            engine.ingest(&record);
        }
        engine.finish();
        let drops = drops.last().copied().unwrap_or(0);
        let certain: Vec<_> = engine.findings().iter().filter(|f| !f.tainted).collect();
        prop_assert!(engine.verdict() != Verdict::Findings, "{}\n{:?}\n{:#?}", text, lost, certain);
        prop_assert!(drops == 0 || engine.verdict() != Verdict::Clean);
    }

    /// A probe that is not attached, and is known not to be.
    #[test]
    fn a_missing_probe_gives_no_certain_finding(
        steps in prop::collection::vec(any::<(u8, u8)>(), 0..80),
        probe in prop::sample::select(kernel_probes()),
    ) {
        let text = history(&steps);
        let mut engine = Engine::new(Config { missing: vec![probe], ..Config::default() });
        let script = Script::run(&text);
        script.records.iter().filter(|r| r.probe() != Some(probe)).for_each(|r| engine.ingest(r));
        engine.finish();
        prop_assert!(engine.verdict() != Verdict::Findings, "{:?}: {}\n{:#?}", probe, text, engine.findings());
    }

    /// A filter that leaves out one of the threads.
    #[test]
    fn a_filter_gives_no_certain_finding(steps in prop::collection::vec(any::<(u8, u8)>(), 0..80), out in 1_u32..4) {
        let text = history(&steps);
        let mut engine = Engine::new(Config { filtered: true, ..Config::default() });
        let script = Script::run(&text);
        let seen = |r: &&Record| r.header.tid != out || r.probe().is_some_and(|p| p.is_synthetic() || p == ProbeId::Exit);
        script.records.iter().filter(seen).for_each(|r| engine.ingest(r));
        engine.finish();
        prop_assert!(engine.verdict() != Verdict::Findings, "{}\n{:#?}", text, engine.findings());
    }

    #[test]
    fn missed_returns_give_no_certain_finding(
        steps in prop::collection::vec(any::<(u8, u8)>(), 0..80),
        missed in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
    ) {
        let text = history(&steps);
        let script = Script::run(&text);
        let returns: Vec<usize> = (0..script.records.len())
            .filter(|i| script.records[*i].phase() == Some(gemscope_common::Phase::Return))
            .filter(|i| script.records[*i].probe() != Some(gemscope_common::ProbeId::FileOpen))
            .collect();
        prop_assume!(!returns.is_empty());
        let missed: BTreeSet<usize> = missed.iter().map(|i| returns[i.index(returns.len())]).collect();
        let mut engine = Engine::new(Config::default());
        for (ix, record) in script.records.iter().enumerate() {
            if missed.contains(&ix) {
                continue;
            }
            if record.probe() == Some(gemscope_common::ProbeId::Settle) {
                for ix in &missed {
                    let h = script.records[*ix].header;
                    let p = gemscope_common::Missed { probe: h.probe, phase: h.phase, count: 1, ..Default::default() };
                    engine.ingest(&gemscope_common::Record::new(
                        gemscope_common::ProbeId::Missed,
                        gemscope_common::Phase::Point,
                        &p,
                    ));
                }
            }
            engine.ingest(record);
        }
        engine.finish();
        prop_assert!(engine.verdict() != Verdict::Findings, "{}\n{:?}\n{:#?}", text, missed, engine.findings());
        prop_assert!(engine.verdict() != Verdict::Clean);
    }

    /// A few addresses, handles, threads and results in any order, legal or not: what a trace of a broken kernel, or a damaged one, may say.
    #[test]
    fn no_records_make_it_panic(
        steps in prop::collection::vec((any::<u16>(), 0_u8..3, any::<[u8; 10]>(), any::<u8>()), 0..600),
    ) {
        let mut engine = Engine::new(Config::default());
        for (probe, phase, words, other) in steps {
            let probe = ProbeId::ALL[usize::from(probe) % ProbeId::ALL.len()];
            let phase = Phase::from_wire(phase).expect("0, 1 and 2 are phases");
            let mut record = Record::new(probe, phase, &Gem::default());
            (record.header.tid, record.header.tgid) = (u32::from(other & 1), 1);
            record.header.ret = [0, -22, 3, 0xffff_8880][usize::from(other >> 1 & 3)];
            record.header.drops = u64::from(other == 255);
            record.header.flags = if other > 240 { other & Flags::KNOWN } else { 0 };
            for (word, byte) in record.words_mut().iter_mut().zip(words) {
                *word = u64::from(byte & 3) | u64::from(byte >> 2 & 3) << 32;
            }
            engine.ingest(&record);
            prop_assert_eq!(engine.tally(true), counted(&engine));
        }
        engine.finish();
    }
}

/// Hits may be missing although nobody counted them. A close that lost its first put, the end of the cache's removal and the
/// beginning of the count's drop looks like a stale link.
#[test]
fn hits_that_nobody_counted_show_as_half_calls() {
    let script = Script::run(
        "t1 scope 10; t1 open f1; t1@10 create f1 h1 o1; t1@10 export f1 h1 d1; t1@10 close f1 h1; t1@10 close-fd d1; \
         t1 close-file f1; t1 exit 0; t1 settle",
    );
    let is = |r: &Record, probe, phase| r.probe() == Some(probe) && r.phase() == Some(phase);
    let put = script.records.iter().position(|r| r.probe() == Some(ProbeId::BufPut)).expect("a put");
    let skipped = |(ix, r): &(usize, &Record)| {
        *ix == put || is(r, ProbeId::CacheRemove, Phase::Return) || is(r, ProbeId::HandlePut, Phase::Entry)
    };
    let mut engine = Engine::new(Config::default());
    script.records.iter().enumerate().filter(|r| !skipped(r)).for_each(|(_, r)| engine.ingest(r));
    engine.finish();
    let Verdict::Undecided(doubts) = engine.verdict() else { panic!("{:#?}", engine.findings()) };
    assert!(doubts.iter().any(|d| matches!(d, Doubt::HalfCalls(_))), "{doubts:?}");
}
