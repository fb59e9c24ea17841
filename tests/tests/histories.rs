//! Long random programs, run by the model and judged by the engine: one that obeys the rules gives nothing, and one with a single
//! mistake gives exactly the finding of that mistake. What fails shrinks to a scenario that reads as one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gemscope_common::Profile;
use gemscope_engine::{Config, Engine, RuleId, Verdict};
use gemscope_model::{Era, Fact, Recorder, Scenario, run};
use proptest::prelude::*;

const FILES: [&str; 3] = ["a", "b", "c"];
const ERAS: [Profile; 5] = [Profile::V3_12, Profile::V5_7, Profile::V6_2, Profile::V6_16, Profile::V7_0];

/// The one mistake of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    /// A handle is never closed.
    HandleKept,
    /// A handle is closed twice.
    HandleTwice,
    /// An fd is never closed.
    FdKept,
    /// A device is not detached.
    AttachKept,
    /// A mapping is not undone.
    MapKept,
    /// A mapping is made without the lock.
    MapUnlocked,
    /// A pin is not undone.
    PinKept,
    /// An import is destroyed as a dumb buffer.
    DumbImport,
}

const MISTAKES: [(Mistake, RuleId); 8] = [
    (Mistake::HandleKept, RuleId::HandleLeak),
    (Mistake::HandleTwice, RuleId::DoubleClose),
    (Mistake::FdKept, RuleId::FdLeak),
    (Mistake::AttachKept, RuleId::AttachmentLeak),
    (Mistake::MapKept, RuleId::MappingLeak),
    (Mistake::MapUnlocked, RuleId::ReservationNotHeld),
    (Mistake::PinKept, RuleId::PinImbalance),
    (Mistake::DumbImport, RuleId::DumbDestroyOfImport),
];

/// A program in the making: what it has open, by name.
#[derive(Default)]
struct Program {
    ops: Vec<String>,
    names: u32,
    /// Handle: its file, its object, and whether an import made it.
    handles: BTreeMap<String, (usize, u32, bool)>,
    /// fd: the object behind it.
    fds: BTreeMap<String, u32>,
    objects: u32,
    mistake: Option<Mistake>,
    /// The mistake was made.
    made: bool,
    /// File and object of the handle that is never closed: an import would give it again.
    kept: Option<(usize, u32)>,
}

impl Program {
    fn name(&mut self, kind: char) -> String {
        self.names += 1;
        format!("{kind}{}", self.names)
    }

    /// Is this where the mistake is made?
    fn errs(&mut self, mistake: Mistake) -> bool {
        let now = self.mistake == Some(mistake) && !self.made;
        self.made |= now;
        now
    }

    fn step(&mut self, what: u8, pick: u8) {
        let pick = usize::from(pick);
        match what % 7 {
            0 => {
                let (h, f) = (self.name('h'), pick % 2);
                self.objects += 1;
                self.ops.push(format!("{h} = create {}", FILES[f]));
                self.handles.insert(h, (f, self.objects, false));
            }
            1 => {
                // Of an import the exporter's dma-buf is given again.
                let Some((h, (f, object, _))) =
                    self.handles.clone().into_iter().nth(pick % self.handles.len().max(1))
                else {
                    return;
                };
                let x = self.name('x');
                self.ops.push(format!("{x} = export {} {h}", FILES[f]));
                self.fds.insert(x, object);
            }
            2 => {
                let Some((x, object)) = self.fds.clone().into_iter().nth(pick % self.fds.len().max(1)) else {
                    return;
                };
                let f = pick % 3;
                // A file that has it gets the same handle once more: one user of it is enough here.
                let has = self.handles.values().any(|(of, o, _)| (*of, *o) == (f, object));
                if has || self.kept == Some((f, object)) {
                    return;
                }
                let i = self.name('h');
                self.ops.push(format!("{i} = import {} {x}", FILES[f]));
                self.handles.insert(i, (f, object, f == 2));
            }
            3 => {
                let Some(h) = self.handles.keys().nth(pick % self.handles.len().max(1)).cloned() else {
                    return;
                };
                self.close(&h);
            }
            4 => {
                let Some(x) = self.fds.keys().nth(pick % self.fds.len().max(1)).cloned() else { return };
                self.close_fd(&x);
            }
            5 => {
                let Some((x, object)) = self.fds.clone().into_iter().nth(pick % self.fds.len().max(1)) else {
                    return;
                };
                let y = self.name('x');
                self.ops.push(format!("{y} = dup {x}"));
                self.fds.insert(y, object);
            }
            _ => self.device(),
        }
    }

    /// A driver outside DRM maps and pins a buffer of an exporter outside DRM, and undoes it.
    fn device(&mut self) {
        let (x, a, s) = (self.name('x'), self.name('a'), self.name('s'));
        let unlocked = if self.errs(Mistake::MapUnlocked) { " unlocked" } else { "" };
        self.ops.push(format!("{x} = make-dmabuf app dynamic"));
        self.ops.push(format!("{a} = attach {x} dynamic"));
        self.ops.push(format!("pin {a}"));
        self.ops.push(format!("{s} = map {a} to{unlocked}"));
        if !self.errs(Mistake::MapKept) {
            self.ops.push(format!("unmap {a} {s} to"));
        }
        if !self.errs(Mistake::PinKept) {
            self.ops.push(format!("unpin {a}"));
        }
        let last = if self.errs(Mistake::AttachKept) { "forget-attach" } else { "detach" };
        self.ops.push(format!("{last} {a}"));
        self.ops.push(format!("close-fd {x}"));
    }

    fn close(&mut self, h: &str) {
        let Some((f, object, import)) = self.handles.remove(h) else { return };
        if self.errs(Mistake::HandleKept) {
            self.kept = Some((f, object));
            return;
        }
        let dumb = import && self.errs(Mistake::DumbImport);
        let call = if dumb { "destroy-dumb" } else { "close" };
        self.ops.push(format!("{call} {} {h}", FILES[f]));
        if self.errs(Mistake::HandleTwice) {
            self.ops.push(format!("close {} {h}", FILES[f]));
        }
    }

    fn close_fd(&mut self, x: &str) {
        self.fds.remove(x);
        if !self.errs(Mistake::FdKept) {
            self.ops.push(format!("close-fd {x}"));
        }
    }

    fn text(mut self) -> String {
        while let Some(h) = self.handles.keys().next().cloned() {
            self.close(&h);
        }
        while let Some(x) = self.fds.keys().next().cloned() {
            self.close_fd(&x);
        }
        let mut text =
            "scenario random\nat-exit strict\nfile a card0\nfile b card0\nfile c card1\nthread app\n"
                .to_owned();
        self.ops.iter().for_each(|op| writeln!(text, "  {op}").expect("a string takes everything"));
        text
    }
}

/// The program of these steps, with a mistake or without.
fn program(steps: &[(u8, u8)], mistake: Option<Mistake>) -> String {
    let mut program = Program { mistake, ..Program::default() };
    // A device and an import come in every program, so that every mistake has its occasion.
    for (what, pick) in [(6, 0), (0, 0), (1, 0), (2, 2)].iter().chain(steps) {
        program.step(*what, *pick);
    }
    program.text()
}

/// What the model knows and what the engine says of a run.
fn judge(text: &str, era: Era) -> (Vec<Fact>, Engine) {
    let scenario = Scenario::parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let machine = scenario.machine(era, true);
    let mut engine =
        Engine::new(Config { profile: era.profile, features: era.features, ..Config::default() });
    let mut recorder = Recorder::new(|record| engine.ingest(&record));
    recorder.scope(&machine);
    let end = run(&machine, &mut |_| 0, &mut recorder);
    recorder.settle(&machine, &end);
    engine.finish();
    (end.facts().to_vec(), engine)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_program_that_obeys_gives_nothing(
        steps in prop::collection::vec(any::<(u8, u8)>(), 0..60),
        era in prop::sample::select(&ERAS[..]),
    ) {
        let text = program(&steps, None);
        let (facts, engine) = judge(&text, Era::of(era));
        prop_assert!(facts.is_empty(), "{}\n{:?}", text, facts);
        prop_assert_eq!(engine.verdict(), Verdict::Clean, "{}\n{:#?}", text, engine.findings());
    }

    #[test]
    fn one_mistake_gives_its_finding_and_no_other(
        steps in prop::collection::vec(any::<(u8, u8)>(), 0..60),
        (mistake, rule) in prop::sample::select(&MISTAKES[..]),
        era in prop::sample::select(&[Profile::V6_2, Profile::V6_16, Profile::V7_0][..]),
    ) {
        let text = program(&steps, Some(mistake));
        let (facts, engine) = judge(&text, Era::of(era));
        prop_assert_eq!(facts.len(), 1, "{:?}\n{}\n{:?}", mistake, text, facts);
        let rules: Vec<RuleId> = engine.findings().iter().filter(|f| !f.tainted).map(|f| f.rule).collect();
        prop_assert_eq!(rules, vec![rule], "{:?}\n{}\n{:#?}", mistake, text, engine.findings());
    }
}
