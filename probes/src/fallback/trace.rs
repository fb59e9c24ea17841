//! Follows the code of a function and notes what it does with its arguments.
//!
//! Every instruction is looked at once, along the first path that reaches it. A register holds a constant, or a value
//! that came from an argument or from the result of a call by a known chain of loads, or nothing that is known.

use std::collections::BTreeSet;

use iced_x86::{
    Code as Op, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic,
    OpAccess, OpKind, Register,
};

use crate::module::Code;

/// No function that is looked at has more instructions.
const MAX_INSTRUCTIONS: usize = 20_000;

/// What the compiler makes every function call first, for the function tracer; it preserves all registers.
const TRACER: &str = "__fentry__";

/// Where a value came from first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    /// The argument with this number, from 0.
    Arg(usize),
    /// The result of a call to this function; empty for a function without a name.
    Result(String),
}

/// A value by its way: `root`, then for each of `loads` the 8 bytes at that offset from what came before, then `add`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Where it began.
    pub root: Root,
    /// Offsets of the loads.
    pub loads: Vec<i64>,
    /// What is added to the last one's result.
    pub add: i64,
    /// An index that is not known was added as well.
    pub indexed: bool,
}

/// What a register holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing that is known.
    Unknown,
    /// A constant.
    Const(i64),
    /// A value by its way.
    Path(Path),
}

impl Value {
    /// Is it the argument itself?
    pub fn is_arg(&self, n: usize) -> bool {
        matches!(self, Self::Path(Path { root: Root::Arg(a), loads, add: 0, indexed: false }) if *a == n && loads.is_empty())
    }
}

/// Something that the function does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Reads memory.
    Load {
        /// the address
        at: Path,
        /// bytes
        size: usize,
    },
    /// Writes memory.
    Store {
        /// the address
        at: Path,
        /// bytes
        size: usize,
        /// what
        value: Value,
    },
    /// Compares memory.
    Compare {
        /// the address
        at: Path,
        /// bytes
        size: usize,
        /// with what
        with: Value,
    },
    /// Counts memory up or down.
    Count {
        /// the address
        at: Path,
        /// bytes
        size: usize,
        /// by an exchange that all cpus agree on
        atomic: bool,
    },
    /// Calls a function, or jumps to it for good.
    Call {
        /// its name; empty when it has none
        target: String,
        /// the first six arguments
        args: Box<[Value; 6]>,
    },
}

/// Registers of the arguments, in order.
const ARGS: [Register; 6] =
    [Register::RDI, Register::RSI, Register::RDX, Register::RCX, Register::R8, Register::R9];

/// Registers that a call does not preserve.
const SCRATCH: [Register; 9] = [
    Register::RAX,
    Register::RCX,
    Register::RDX,
    Register::RSI,
    Register::RDI,
    Register::R8,
    Register::R9,
    Register::R10,
    Register::R11,
];

#[derive(Clone)]
struct State([Value; 16]);

impl State {
    fn entry() -> Self {
        let mut state = Self(std::array::from_fn(|_| Value::Unknown));
        for (n, register) in ARGS.into_iter().enumerate() {
            let path = Path { root: Root::Arg(n), loads: Vec::new(), add: 0, indexed: false };
            state.set(register, Value::Path(path));
        }
        state
    }

    fn get(&self, register: Register) -> Value {
        let full = register.full_register();
        // The high bytes of the first four registers are not followed.
        let high = matches!(register, Register::AH | Register::BH | Register::CH | Register::DH);
        if !full.is_gpr64() || high {
            return Value::Unknown;
        }
        self.0.get(full.number()).cloned().unwrap_or(Value::Unknown)
    }

    fn set(&mut self, register: Register, value: Value) {
        let full = register.full_register();
        if full.is_gpr64()
            && let Some(slot) = self.0.get_mut(full.number())
        {
            // Writing a part of a register leaves something that is not known.
            *slot = if register.size() >= 4 { value } else { Value::Unknown };
        }
    }

    /// The address of the instruction's memory operand.
    fn address(&self, instruction: &Instruction) -> Option<Path> {
        if instruction.memory_segment() == Register::GS || instruction.is_ip_rel_memory_operand() {
            return None;
        }
        let Value::Path(mut path) = self.get(instruction.memory_base()) else { return None };
        path.add = path.add.checked_add(instruction.memory_displacement64() as i64)?;
        path.indexed |= instruction.memory_index() != Register::None;
        Some(path)
    }

    fn operand(&self, instruction: &Instruction, n: u32) -> Value {
        match instruction.op_kind(n) {
            OpKind::Register => self.get(instruction.op_register(n)),
            OpKind::Memory => self.address(instruction).map_or(Value::Unknown, loaded),
            _ => instruction.try_immediate(n).map_or(Value::Unknown, |v| Value::Const(v as i64)),
        }
    }
}

fn loaded(address: Path) -> Value {
    let Path { root, mut loads, add, indexed } = address;
    loads.push(add);
    Value::Path(Path { root, loads, add: 0, indexed })
}

/// What the function does, in the order of its instructions along each path.
pub fn follow(code: &Code) -> Vec<Event> {
    let mut walk =
        Walk { code, events: Vec::new(), seen: BTreeSet::new(), info: InstructionInfoFactory::new() };
    let mut open = vec![(0u64, State::entry())];
    while let Some((at, state)) = open.pop() {
        walk.run(at, state, &mut open);
    }
    walk.events
}

struct Walk<'a> {
    code: &'a Code,
    events: Vec<Event>,
    seen: BTreeSet<u64>,
    info: InstructionInfoFactory,
}

impl Walk<'_> {
    /// Follows one path to its end; branches are put on `open`.
    fn run(&mut self, start: u64, mut state: State, open: &mut Vec<(u64, State)>) {
        let Some(bytes) = usize::try_from(start).ok().and_then(|s| self.code.bytes.get(s..)) else { return };
        let mut decoder = Decoder::with_ip(64, bytes, start, DecoderOptions::NONE);
        let mut instruction = Instruction::default();
        while decoder.can_decode() {
            decoder.decode_out(&mut instruction);
            let new = self.seen.insert(instruction.ip());
            if instruction.is_invalid() || !new || self.seen.len() > MAX_INSTRUCTIONS {
                return;
            }
            let name = self.name_in(&instruction);
            match instruction.flow_control() {
                FlowControl::Next => self.step(&instruction, &mut state),
                FlowControl::ConditionalBranch => {
                    open.push((instruction.near_branch_target(), state.clone()))
                }
                FlowControl::UnconditionalBranch => {
                    match name {
                        Some(name) => self.call(name, &state),
                        None => open.push((instruction.near_branch_target(), state)),
                    }
                    return;
                }
                FlowControl::Call | FlowControl::IndirectCall => {
                    let target = name.unwrap_or_default();
                    if target == TRACER {
                        continue;
                    }
                    self.call(target.clone(), &state);
                    for register in SCRATCH {
                        state.set(register, Value::Unknown);
                    }
                    let path = Path { root: Root::Result(target), loads: Vec::new(), add: 0, indexed: false };
                    state.set(Register::RAX, Value::Path(path));
                }
                FlowControl::Return
                | FlowControl::Exception
                | FlowControl::IndirectBranch
                | FlowControl::Interrupt
                | FlowControl::XbeginXabortXend => return,
            }
        }
    }

    /// The name that the linker will put into this instruction.
    fn name_in(&self, instruction: &Instruction) -> Option<String> {
        let range = instruction.ip()..instruction.next_ip();
        let (_, name) = self.code.names.iter().find(|(at, _)| range.contains(at))?;
        Some(name.clone())
    }

    fn call(&mut self, target: String, state: &State) {
        self.events.push(Event::Call { target, args: Box::new(ARGS.map(|r| state.get(r))) });
    }

    fn step(&mut self, instruction: &Instruction, state: &mut State) {
        let mnemonic = instruction.mnemonic();
        let memory = (0..instruction.op_count()).any(|n| instruction.op_kind(n) == OpKind::Memory);
        let size = instruction.memory_size().size();
        let at = if memory && mnemonic != Mnemonic::Lea { state.address(instruction) } else { None };
        let to_register = instruction.op_count() > 0 && instruction.op_kind(0) == OpKind::Register;
        let to = if to_register { instruction.op_register(0) } else { Register::None };
        let result = match mnemonic {
            Mnemonic::Mov | Mnemonic::Movsxd | Mnemonic::Movzx | Mnemonic::Movsx => {
                let value = state.operand(instruction, 1);
                match at {
                    Some(at) if to_register => self.events.push(Event::Load { at, size }),
                    Some(at) => self.events.push(Event::Store { at, size, value: value.clone() }),
                    None => {}
                }
                to_register.then_some(value)
            }
            Mnemonic::Lea => Some(state.address(instruction).map_or(Value::Unknown, Value::Path)),
            Mnemonic::Xor
                if to_register
                    && instruction.op1_kind() == OpKind::Register
                    && to == instruction.op1_register() =>
            {
                Some(Value::Const(0))
            }
            Mnemonic::Add | Mnemonic::Sub if to_register && !memory => {
                let sign = if mnemonic == Mnemonic::Add { 1 } else { -1 };
                Some(match (state.get(to), state.operand(instruction, 1)) {
                    (Value::Path(mut path), Value::Const(n)) => {
                        path.add = path.add.wrapping_add(n.wrapping_mul(sign));
                        Value::Path(path)
                    }
                    _ => Value::Unknown,
                })
            }
            Mnemonic::Add | Mnemonic::Sub | Mnemonic::Inc | Mnemonic::Dec | Mnemonic::Xadd
                if memory && !to_register =>
            {
                if let Some(at) = at {
                    self.events.push(Event::Count { at, size, atomic: mnemonic == Mnemonic::Xadd });
                }
                None
            }
            Mnemonic::Cmp => {
                if let Some(at) = at {
                    let other = u32::from(instruction.op0_kind() == OpKind::Memory);
                    self.events.push(Event::Compare { at, size, with: state.operand(instruction, other) });
                }
                None
            }
            _ => None,
        };
        // Whatever else is written is not known from here on.
        if instruction.code() != Op::INVALID {
            for used in self.info.info(instruction).used_registers() {
                if matches!(
                    used.access(),
                    OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
                ) {
                    state.set(used.register(), Value::Unknown);
                }
            }
        }
        if let Some(value) = result {
            state.set(to, value);
        }
    }
}
