//! The table of definitions: one type for reports, views and the live tool alike.

use std::fmt;

use rustc_hash::FxHashMap;

use crate::definition::{Definition, Name, Process, Stack, StackKind, Symbol, TestCase};

/// Who the tgids are, what the stacks look like and what the addresses are called.
///
/// The reader fills it before the first record; the live tool fills it as it learns. Look-ups never fail: what is
/// not known is `None` or empty. Iteration is in order of number, never of hashing.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    /// Those of one number, by rising birth.
    processes: FxHashMap<u32, Vec<Process>>,
    stacks: FxHashMap<(StackKind, i32), Stack>,
    symbols: FxHashMap<(u32, u64), Symbol>,
    texts: Vec<Name>,
    test_cases: FxHashMap<(u32, u64), Vec<TestCase>>,
}

/// One frame of a stack with what is known about it.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// the address (a pseudonym for kernel frames, unless the trace has raw addresses)
    pub addr: u64,
    /// its name
    pub symbol: Option<&'a Symbol>,
}

impl Definitions {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a definition. It replaces an earlier one of the same number.
    pub fn add(&mut self, definition: Definition) {
        match definition {
            Definition::Process(process) => {
                let same_number = self.processes.entry(process.tgid).or_default();
                match same_number.binary_search_by_key(&process.born_ns, |known| known.born_ns) {
                    Ok(at) => same_number[at] = process,
                    Err(at) => same_number.insert(at, process),
                }
            }
            Definition::Stack(stack) => {
                self.stacks.insert((stack.kind, stack.id), stack);
            }
            Definition::Symbol(symbol) => {
                self.symbols.insert((symbol.tgid, symbol.addr), symbol);
            }
            Definition::Text(text) => self.texts.push(text),
            Definition::TestCase(case) => {
                self.test_cases.entry((case.runner, case.runner_born_ns)).or_default().push(case);
            }
        }
    }

    /// The process with this tgid: the latest one.
    #[must_use]
    pub fn process(&self, tgid: u32) -> Option<&Process> {
        self.processes.get(&tgid)?.last()
    }

    /// The process that had this tgid at a time, `CLOCK_MONOTONIC` ns.
    #[must_use]
    pub fn process_at(&self, tgid: u32, ts_ns: u64) -> Option<&Process> {
        self.processes.get(&tgid)?.iter().rfind(|process| process.born_ns <= ts_ns)
    }

    /// The tests that a runner was told of, in its order; empty for what is not known to be one.
    #[must_use]
    pub fn test_cases(&self, runner: &Process) -> &[TestCase] {
        self.test_cases.get(&(runner.tgid, runner.born_ns)).map_or(&[], Vec::as_slice)
    }

    /// The addresses of a stack, innermost first; empty when the id is negative or not defined.
    #[must_use]
    pub fn stack(&self, kind: StackKind, id: i32) -> &[u64] {
        self.stacks.get(&(kind, id)).map_or(&[], |stack| &stack.frames)
    }

    /// The name of an address in a process; tgid 0 is the kernel.
    #[must_use]
    pub fn symbolise(&self, tgid: u32, addr: u64) -> Option<&Symbol> {
        self.symbols.get(&(tgid, addr))
    }

    /// The frames of a stack with their symbols, innermost first. `tgid` is the process of the record; for kernel
    /// stacks it does not matter.
    pub fn frames(&self, kind: StackKind, id: i32, tgid: u32) -> impl Iterator<Item = Frame<'_>> {
        let stack = self.stacks.get(&(kind, id));
        // A user stack may be shared between a process and its forks: the process it was taken in has the names.
        let taken_in = stack.map_or(0, |stack| stack.tgid);
        let frames: &[u64] = stack.map_or(&[], |stack| &stack.frames);
        frames.iter().map(move |&addr| Frame {
            addr,
            symbol: match kind {
                StackKind::Kernel => self.symbolise(0, addr),
                StackKind::User => self.symbolise(tgid, addr).or_else(|| self.symbolise(taken_in, addr)),
            },
        })
    }

    /// Is this stack defined?
    #[must_use]
    pub fn has_stack(&self, kind: StackKind, id: i32) -> bool {
        self.stacks.contains_key(&(kind, id))
    }

    /// Every process, by rising tgid and birth.
    #[must_use]
    pub fn processes(&self) -> Vec<&Process> {
        let mut all: Vec<_> = self.processes.values().flatten().collect();
        all.sort_unstable_by_key(|process| (process.tgid, process.born_ns));
        all
    }

    /// The tests of every runner, by rising tgid and birth of the runner.
    fn all_test_cases(&self) -> Vec<&TestCase> {
        let mut runners: Vec<_> = self.test_cases.iter().collect();
        runners.sort_unstable_by_key(|(runner, _)| **runner);
        runners.into_iter().flat_map(|(_, cases)| cases).collect()
    }

    /// Every stack, kernel stacks first, by rising id.
    #[must_use]
    pub fn stacks(&self) -> Vec<&Stack> {
        let mut all: Vec<_> = self.stacks.values().collect();
        all.sort_unstable_by_key(|stack| (stack.kind, stack.id));
        all
    }

    /// Every symbol, by rising tgid and address.
    #[must_use]
    pub fn symbols(&self) -> Vec<&Symbol> {
        let mut all: Vec<_> = self.symbols.values().collect();
        all.sort_unstable_by_key(|symbol| (symbol.tgid, symbol.addr));
        all
    }

    /// The notes of the recording, in order.
    #[must_use]
    pub fn texts(&self) -> &[Name] {
        &self.texts
    }

    /// Everything, as definitions again: to copy a table into another trace.
    pub fn to_definitions(&self) -> impl Iterator<Item = Definition> {
        let processes = self.processes().into_iter().cloned().map(Definition::Process);
        let stacks = self.stacks().into_iter().cloned().map(Definition::Stack);
        let symbols = self.symbols().into_iter().cloned().map(Definition::Symbol);
        let texts = self.texts.iter().cloned().map(Definition::Text);
        let cases = self.all_test_cases().into_iter().cloned().map(Definition::TestCase);
        processes.chain(stacks).chain(symbols).chain(texts).chain(cases)
    }

    /// Forgets who a process was and what its addresses were called, of all processes but these. Stacks, the kernel's names
    /// and notes stay: there are never many of them.
    pub fn retain_processes(&mut self, keep: impl Fn(u32) -> bool) {
        self.processes.retain(|tgid, _| keep(*tgid));
        self.symbols.retain(|(tgid, _), _| *tgid == 0 || keep(*tgid));
    }

    /// How many definitions the table has.
    #[must_use]
    pub fn len(&self) -> usize {
        let processes: usize = self.processes.values().map(Vec::len).sum();
        let cases: usize = self.test_cases.values().map(Vec::len).sum();
        processes + self.stacks.len() + self.symbols.len() + self.texts.len() + cases
    }

    /// Is the table empty?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Extend<Definition> for Definitions {
    fn extend<I: IntoIterator<Item = Definition>>(&mut self, definitions: I) {
        definitions.into_iter().for_each(|definition| self.add(definition));
    }
}

impl fmt::Display for Symbol {
    /// `name+0x1c [module] file:line`, with what is known. Not escaped: names are from outside.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tgid: _, addr: _, name, offset, module, file, line, inlined: _ } = self;
        if name.is_empty() {
            write!(f, "{}+{offset:#x}", module.to_str_lossy())?;
        } else {
            write!(f, "{}+{offset:#x}", name.to_str_lossy())?;
            if !module.is_empty() {
                write!(f, " [{}]", module.to_str_lossy())?;
            }
        }
        if !file.is_empty() {
            write!(f, " {}", file.to_str_lossy())?;
            if *line != 0 {
                write!(f, ":{line}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_answers_and_never_fails() {
        let mut defs = Definitions::new();
        assert_eq!(defs.stack(StackKind::Kernel, -1), &[] as &[u64]);
        defs.extend([
            Definition::Stack(Stack { id: 4, kind: StackKind::User, tgid: 9, frames: vec![0x10, 0x20] }),
            Definition::Stack(Stack { id: 4, kind: StackKind::Kernel, tgid: 0, frames: vec![0x30] }),
            Definition::Symbol(Symbol {
                tgid: 9,
                addr: 0x20,
                name: "main".into(),
                offset: 4,
                module: "a.out".into(),
                ..Symbol::default()
            }),
            Definition::Process(Process { tgid: 9, comm: "x\x1b[0m".into(), ..Process::default() }),
        ]);
        assert_eq!(defs.stack(StackKind::User, 4), &[0x10, 0x20]);
        assert_eq!(defs.stack(StackKind::Kernel, 4), &[0x30]);
        // a fork of 9 shares its stack id
        let names: Vec<_> =
            defs.frames(StackKind::User, 4, 77).map(|f| f.symbol.map(ToString::to_string)).collect();
        assert_eq!(names, [None, Some("main+0x4 [a.out]".to_owned())]);
        assert_eq!(defs.process(9).unwrap().comm.as_bytes(), b"x\x1b[0m");
        let mut copy = Definitions::new();
        copy.extend(defs.to_definitions());
        assert_eq!(copy.len(), 4);
    }

    #[test]
    fn a_number_may_be_several_processes_one_after_the_other() {
        let process =
            |born_ns, comm: &str| Process { tgid: 9, comm: comm.into(), born_ns, ..Process::default() };
        let mut defs = Definitions::new();
        for (born_ns, comm) in [(50, "second"), (20, "fork"), (20, "first")] {
            defs.add(Definition::Process(process(born_ns, comm)));
        }
        let at = |ts_ns| defs.process_at(9, ts_ns).map(|p| p.comm.to_str_lossy().into_owned());
        assert_eq!(at(19), None);
        assert_eq!(at(20).as_deref(), Some("first"));
        assert_eq!(at(49).as_deref(), Some("first"));
        assert_eq!(at(50).as_deref(), Some("second"));
        assert_eq!(defs.process(9), Some(&process(50, "second")));
        assert_eq!(defs.len(), 2);
    }

    #[test]
    fn tests_belong_to_one_run_of_their_runner() {
        let case = |runner_born_ns, name: &str| TestCase {
            runner: 5,
            runner_born_ns,
            name: name.into(),
            ..TestCase::default()
        };
        let mut defs = Definitions::new();
        for (born, name) in [(8, "c"), (3, "a"), (3, "b")] {
            defs.add(Definition::TestCase(case(born, name)));
        }
        let runner = Process { tgid: 5, born_ns: 3, ..Process::default() };
        assert_eq!(defs.test_cases(&runner), [case(3, "a"), case(3, "b")]);
        assert!(defs.test_cases(&Process { tgid: 6, ..runner }).is_empty());
        let all: Vec<_> = defs.to_definitions().collect();
        assert_eq!(all, [case(3, "a"), case(3, "b"), case(8, "c")].map(Definition::TestCase));
    }
}
