//! From a scenario to a machine: programs for one era.

use crate::code::{Asm, Do, Instr, Num};
use crate::era::Era;
use crate::machine::{Machine, Runner, files_ahead, touches};
use crate::ops;
use crate::state::exporter;

use super::{Arg, Op, Scenario, Verb, call};

impl Scenario {
    /// The scenario's programs under an era. With `records`, hits of probes are steps of their own.
    #[must_use]
    pub fn machine(&self, era: Era, records: bool) -> Machine {
        let mut classes = 0;
        let mut class = || {
            classes += 1;
            classes
        };
        let mut before = Vec::new();
        for p in 0..self.processes.len() as u8 {
            let mut a = Asm::new(era);
            for (f, device) in self.files_of(p) {
                a.call(call::open(self, f, device), None);
                ops::open_file(&mut a, f);
            }
            before.push(self.runner("", p, class(), a));
        }
        before.extend(self.alone(&self.setup, era, &mut class));
        let mut threads = Vec::new();
        for thread in &self.threads {
            let class = class();
            for copy in 0..thread.copies {
                let mut a = Asm::new(era);
                thread.ops.iter().for_each(|op| self.op(&mut a, op));
                let name = match thread.copies {
                    1 => thread.name.clone(),
                    _ => format!("{}-{}", thread.name, copy + 1),
                };
                threads.push(self.runner(&name, thread.process, class, a));
            }
        }
        let mut after = self.alone(&self.finally, era, &mut class);
        for p in 0..self.processes.len() as u8 {
            let mut a = Asm::new(era);
            a.call(call::exit(self, p), None);
            ops::exit(&mut a, p, &self.files_of(p));
            ops::syscall_end(&mut a, None);
            if usize::from(p) + 1 == self.processes.len() {
                a.act(Do::Rest);
            }
            after.push(Runner { exiting: true, ..self.runner("", p, class(), a) });
        }
        Machine {
            name: self.name.clone(),
            era,
            devices: self.devices.clone(),
            files: self.files.clone(),
            processes: self.processes.clone(),
            vars: self.vars.iter().map(|v| v.name.clone()).collect(),
            before,
            threads,
            after,
            strict: self.strict,
            records,
        }
    }

    fn files_of(&self, process: u8) -> Vec<(u8, u8)> {
        let files = self.files.iter().enumerate().filter(|(_, f)| f.process == process);
        files.map(|(ix, f)| (ix as u8, f.device)).collect()
    }

    fn runner(&self, name: &str, process: u8, class: u16, mut a: Asm) -> Runner {
        let name = match name {
            "" => self.processes.get(usize::from(process)).cloned().unwrap_or_default(),
            name => name.to_owned(),
        };
        let calls = std::mem::take(&mut a.calls);
        let code = a.finish();
        let (files_ahead, touches) = (files_ahead(&code), touches(&code));
        Runner { name, process, files_ahead, touches, code, calls, exiting: false, class }
    }

    /// Operations that run alone, one after the other, each by the process whose file or fd it is about.
    fn alone(&self, ops: &[Op], era: Era, class: &mut impl FnMut() -> u16) -> Vec<Runner> {
        let of_process = ops.chunk_by(|a, b| a.process == b.process);
        of_process
            .map(|ops| {
                let mut a = Asm::new(era);
                ops.iter().for_each(|op| self.op(&mut a, op));
                self.runner("", ops.first().map_or(0, |op| op.process), class(), a)
            })
            .collect()
    }

    fn op(&self, a: &mut Asm, op: &Op) {
        let skip = a.label();
        a.faults.clone_from(&op.faults);
        a.call(call::text(self, op), op.result.map(|var| (var, call::value(op))));
        a.result(0);
        let file = |ix: usize| match op.args.get(ix) {
            Some(Arg::File(f)) => *f,
            _ => 0,
        };
        let f = file(0);
        let dev = self.files.get(usize::from(f)).map_or(0, |f| f.device);
        let process = op.process;
        let load = |a: &mut Asm, ix: usize, to: Num| match op.args.get(ix) {
            Some(Arg::Var(v)) => a.load(to, *v, skip),
            Some(Arg::Number(n)) => a.push(Instr::Const(to, *n)),
            _ => {}
        };
        let var = |ix: usize| match op.args.get(ix) {
            Some(Arg::Var(v)) => self.vars.get(usize::from(*v)),
            _ => None,
        };
        let dir = match (op.says("to"), op.says("from")) {
            (true, _) => 1,
            (_, true) => 2,
            _ => 0,
        };
        let dynamic = var(0).is_some_and(|v| v.dynamic);
        let needed = a.era.map_needs_lock(dynamic);
        let locked = needed && !op.says("unlocked") || op.says("locked");
        let mut result = Num::H;
        match op.verb {
            Verb::Create => ops::create_dumb(a, f, dev),
            Verb::Close | Verb::DestroyDumb => {
                load(a, 1, Num::H);
                ops::close(a, f, dev, op.verb == Verb::DestroyDumb);
            }
            Verb::Flink => {
                load(a, 1, Num::H);
                ops::flink(a, f, dev);
                result = Num::N;
            }
            Verb::OpenName => {
                load(a, 1, Num::N);
                ops::open_name(a, f, dev);
            }
            Verb::ChangeHandle => {
                load(a, 1, Num::H);
                load(a, 2, Num::N);
                ops::change_handle(a, f);
            }
            Verb::Export => {
                load(a, 1, Num::H);
                ops::export(a, f, dev, process);
                result = Num::X;
            }
            Verb::Import => {
                load(a, 1, Num::X);
                ops::import(a, f, dev, process);
            }
            Verb::MakeDmabuf => {
                let dynamic = if op.says("dynamic") { exporter::DYNAMIC } else { 0 };
                let caches = if op.says("caches") { exporter::CACHES } else { 0 };
                ops::make_other(a, process, dynamic | caches);
                result = Num::X;
            }
            Verb::Dup | Verb::Send | Verb::Path => {
                load(a, 0, Num::X);
                let to = match op.args.get(1) {
                    Some(Arg::Process(to)) => *to,
                    _ => process,
                };
                a.act(match op.verb {
                    Verb::Path => Do::FdPath { p: process },
                    _ => Do::FdDup { from: process, to },
                });
                result = Num::X;
            }
            Verb::CloseFd => {
                load(a, 0, Num::X);
                ops::close_fd(a, process);
            }
            Verb::SetName => {
                load(a, 0, Num::X);
                ops::set_name(a, process);
            }
            Verb::Attach => {
                load(a, 0, Num::X);
                ops::attach(a, process, op.says("dynamic"), op.says("locked"));
                result = Num::A;
            }
            Verb::Detach => {
                load(a, 0, Num::A);
                ops::detach(a, op.says("locked"));
            }
            Verb::DetachFrom => {
                load(a, 0, Num::X);
                load(a, 1, Num::A);
                ops::detach_from(a, process);
            }
            Verb::ForgetAttach => {
                load(a, 0, Num::A);
                ops::forget_attach(a);
            }
            Verb::Map => {
                load(a, 0, Num::A);
                ops::map(a, dynamic, dir, locked);
                result = Num::N;
            }
            Verb::Unmap => {
                load(a, 0, Num::A);
                load(a, 1, Num::N);
                ops::unmap(a, dynamic, dir, locked);
            }
            Verb::Pin | Verb::Unpin => {
                load(a, 0, Num::A);
                ops::pin(a, !op.says("unlocked"), op.verb == Verb::Unpin);
            }
            Verb::Vmap | Verb::Vunmap => {
                load(a, 0, Num::A);
                let lock = a.era.vmap_needs_lock() && !op.says("unlocked");
                ops::vmap(a, lock, op.verb == Verb::Vunmap);
            }
            Verb::BadExport => ops::export_badly(a),
            Verb::AddFb => {
                load(a, 1, Num::H);
                ops::addfb(a, f, dev);
                result = Num::B;
            }
            Verb::RmFb => {
                load(a, 1, Num::B);
                ops::rmfb(a, dev);
            }
            Verb::CloseFb => {
                load(a, 1, Num::B);
                ops::closefb(a);
            }
            Verb::GetFb2 => {
                load(a, 1, Num::B);
                ops::getfb2(a, f, dev);
            }
            Verb::Mmap => {
                load(a, 1, Num::H);
                ops::mmap(a, f, process);
                result = Num::X;
            }
            Verb::MmapFd => {
                load(a, 0, Num::X);
                ops::mmap_fd(a, process);
                result = Num::X;
            }
            Verb::Munmap => {
                load(a, 0, Num::X);
                ops::munmap(a, process);
            }
            Verb::Access => {
                load(a, 1, Num::H);
                ops::access(a, f, !op.says("unchecked"));
            }
            Verb::CloseFile => ops::close_file(a, f, dev, false),
        }
        a.place(skip);
        ops::syscall_end(a, op.result.map(|var| (var, result)));
    }
}
