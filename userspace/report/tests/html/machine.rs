//! Machines to report on: played from records, with names that tests choose.

use gemscope_common::{BufExport, DrmFile, Gem, Phase, Prime, ProbeId, Record};
use gemscope_engine::{Config, Entity, Finding, Holder, HolderKind, LifeEvent, RuleId, Stamp, What};
use gemscope_report::html::{Lives, Moment, Report};
use gemscope_report::scene::Scene;
use gemscope_report::survey::Survey;
use gemscope_report::{Context, Judgement, Names};
use gemscope_trace::{Definition, Definitions, Process, Stack, StackKind, Symbol};

const FILE: u64 = 0x1000;
const PID: u32 = 20;

/// A machine, and what a page of it is made of.
pub struct Machine {
    pub scene: Scene,
    pub lives: Lives,
    pub context: Context,
    pub definitions: Definitions,
    /// instead of what the engine says
    pub judgement: Option<Judgement>,
    pub again: Vec<String>,
    ts_ns: u64,
    step_ns: u64,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            scene: Scene::new(Config { at_exit: Some(gemscope_common::scope::STRICT), ..Config::default() }),
            lives: Lives::default(),
            context: Context {
                kernel: "6.12.0".to_owned(),
                profile: "v6.2".to_owned(),
                attached: 40,
                ..Context::default()
            },
            definitions: definitions(&["drm_ioctl", "take", "src/main.c", "client"]),
            judgement: None,
            again: vec!["gemscope replay a.gemtrace".to_owned()],
            ts_ns: 1_000_000,
            step_ns: 1_000_000,
        }
    }
}

/// Names: a kernel symbol, a user symbol, its file, its process.
pub fn definitions(names: &[&str; 4]) -> Definitions {
    let symbol = |tgid, addr, name: &str, module: &str, file: &str| {
        Definition::Symbol(Symbol {
            tgid,
            addr,
            name: name.into(),
            module: module.into(),
            file: file.into(),
            line: u32::from(tgid != 0) * 12,
            ..Symbol::default()
        })
    };
    let [kernel, user, file, process] = names;
    let mut defs = Definitions::new();
    defs.extend([
        Definition::Process(Process { tgid: PID, comm: (*process).into(), ..Process::default() }),
        Definition::Stack(Stack { id: 1, kind: StackKind::Kernel, tgid: 0, frames: vec![1] }),
        Definition::Stack(Stack { id: 1, kind: StackKind::User, tgid: PID, frames: vec![0x10, 0x20] }),
        symbol(0, 1, kernel, kernel, ""),
        symbol(PID, 0x10, user, process, file),
        symbol(PID, 0x20, "main", process, file),
    ]);
    defs
}

impl Machine {
    /// One program that forgets to close so many handles.
    pub fn with_leaks(leaks: u32) -> Self {
        let mut machine = Self::default();
        machine.open([0; 16]);
        (1..=leaks).for_each(|n| machine.buffer(n));
        machine.shared(1);
        machine.point(ProbeId::Exit, Phase::Point, &gemscope_common::Process::default());
        machine.point(ProbeId::FileClose, Phase::Entry, &file([0; 16]));
        for n in 1..=leaks {
            machine.point(ProbeId::HandleRelease, Phase::Entry, &gem(n));
            machine.point(ProbeId::HandleRelease, Phase::Return, &gem(n));
        }
        machine.point(ProbeId::FileClose, Phase::Return, &file([0; 16]));
        machine
    }

    /// One program that has so many buffers.
    pub fn with_buffers(buffers: u32) -> Self {
        let mut machine = Self::default();
        machine.open([0; 16]);
        // A plot has a point for every millisecond: not one for every record of a big machine.
        machine.step_ns = 1_000;
        (1..=buffers).for_each(|n| machine.buffer(n));
        machine
    }

    pub fn open(&mut self, driver: [u8; 16]) {
        self.point(ProbeId::FileOpen, Phase::Return, &file(driver));
    }

    pub fn buffer(&mut self, n: u32) {
        self.point(ProbeId::ObjectInit, Phase::Point, &gem(n));
        self.point(ProbeId::HandleCreate, Phase::Entry, &gem(n));
        self.point(ProbeId::HandleCreate, Phase::Return, &gem(n));
    }

    /// The buffer becomes a dma-buf.
    pub fn shared(&mut self, n: u32) {
        let mut p = BufExport {
            dma_buf: 0x9000,
            private: gem(n).obj,
            size: gem(n).size,
            ino: 77,
            ..BufExport::default()
        };
        p.exp_name[..4].copy_from_slice(b"vgem");
        self.point(ProbeId::BufExport, Phase::Return, &p);
        self.point(
            ProbeId::CacheAdd,
            Phase::Return,
            &Prime { file: FILE, dma_buf: 0x9000, handle: n, ..Prime::default() },
        );
    }

    pub fn point<P: gemscope_common::Payload>(&mut self, probe: ProbeId, phase: Phase, payload: &P) {
        let mut record = Record::new(probe, phase, payload);
        self.ts_ns += self.step_ns;
        let h = &mut record.header;
        (h.ts_ns, h.tgid, h.tid, h.kstack, h.ustack) = (self.ts_ns, PID, PID, 1, 1);
        self.scene.ingest(&[record], |_, happening| self.lives.note(happening));
    }

    pub fn judged(&self) -> Judgement {
        self.judgement.clone().unwrap_or_else(|| Judgement::of(self.scene.engine()))
    }

    /// Its page.
    pub fn page(&self) -> String {
        let mut scene = self.scene.clone();
        scene.finish();
        let judgement = self.judgement.clone().unwrap_or_else(|| Judgement::of(scene.engine()));
        let world = scene.world(&self.context, &self.definitions, None, scene.last_ns());
        let survey = Survey::of(&world);
        let moment = Moment { world, survey: &survey, peak: false, start_ns: self.context.start_ns };
        let report = Report {
            names: Names {
                context: &self.context,
                judgement: &judgement,
                directory: scene.directory(),
                definitions: &self.definitions,
            },
            series: scene.series(),
            lives: &self.lives,
            alive: moment,
            taken: moment,
            started: "",
            again: &self.again,
            version: "0.0.0",
        };
        report.page()
    }
}

fn file(driver: [u8; 16]) -> DrmFile {
    DrmFile { file: FILE, client_id: 7, driver, ..DrmFile::default() }
}

fn gem(n: u32) -> Gem {
    Gem {
        obj: 0x10_0000 + u64::from(n) * 0x100,
        file: FILE,
        size: 4096 * u64::from(n),
        handle: n,
        ..Gem::default()
    }
}

/// A finding with every kind of holder.
pub fn leak(number: u32, stack: i32) -> Finding {
    let at = |seq: u64| Stamp { seq, ts_ns: 1_000_000 * seq, tid: PID, tgid: PID, kstack: stack, ustack: 1 };
    let entity = Entity::Handle { file: 1, handle: number, incarnation: 2, object: number, size: 65536 };
    let buf = Entity::DmaBuf { ino: 77, id: 4, size: 65536 };
    let holders = [
        HolderKind::Handle(entity),
        HolderKind::Link(buf),
        HolderKind::Cache { file: 1, handle: 3 },
        HolderKind::Importer(Entity::Object { id: 1_000_000, size: 0 }),
        HolderKind::Exported(buf),
        HolderKind::Fd { tgid: PID, fd: 5 },
        HolderKind::Fd { tgid: PID, fd: -1 },
        HolderKind::PathFd { tgid: PID, fd: 6 },
        HolderKind::Mapping { tgid: 0 },
        HolderKind::Mapping { tgid: PID },
        HolderKind::Framebuffer { id: 41 },
        HolderKind::Attachment,
    ];
    let taken = |(i, kind): (usize, HolderKind)| Holder {
        kind,
        taken: if i == 8 { Stamp::default() } else { at(20 + i as u64) },
    };
    Finding {
        number,
        rule: RuleId::HandleLeak,
        entity,
        count: 1,
        bytes: 65536,
        event: LifeEvent { what: What::HandleClosedByFile, at: at(90 + u64::from(number)) },
        conflict: Some(LifeEvent { what: What::HandleCreated, at: at(10) }),
        holders: holders.into_iter().enumerate().map(taken).collect(),
        life: vec![LifeEvent { what: What::Born, at: at(9) }],
        tainted: number.is_multiple_of(2),
        proven: false,
    }
}
