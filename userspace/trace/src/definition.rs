//! What records refer to by number: processes, stacks, symbols; and free text.
//!
//! Names come from other programs: they are kept byte for byte and are never trusted. [`Name`] gives them as lossy
//! text; escaping them for a terminal is the business of whoever prints.

use std::borrow::Cow;
use std::fmt;

use crate::bytes::{Cursor, Short, put_bytes, put_varint, zigzag};

/// A name from outside: any bytes, usually UTF-8.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Vec<u8>);

impl Name {
    /// The bytes as they were.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name as text; bytes that are not UTF-8 become U+FFFD. Control characters stay: escape before printing.
    #[must_use]
    pub fn to_str_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// Is there no name?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_str_lossy().fmt(f)
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl From<&[u8]> for Name {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Name {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

/// Something that records refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Definition {
    /// Who a tgid is.
    Process(Process),
    /// The frames of a stack id.
    Stack(Stack),
    /// The name of an address.
    Symbol(Symbol),
    /// A note or a message of the recording, one sentence.
    Text(Name),
    /// A test of the build folder that a test runner goes through.
    TestCase(TestCase),
}

/// Who a tgid is. A later definition of the same tgid that was made at the same time replaces an earlier one (exec).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// process id in the initial pid namespace
    pub tgid: u32,
    /// parent's tgid; 0 when not known
    pub parent: u32,
    /// `comm`
    pub comm: Name,
    /// path of the executable; empty when not known
    pub exe: Name,
    /// arguments; empty unless asked for
    pub cmdline: Vec<Name>,
    /// when the recording saw it made, `CLOCK_MONOTONIC` ns; 0 when it is older or that is not known. Numbers come again: this
    /// tells two processes of one number apart.
    pub born_ns: u64,
}

/// A test of a build folder, as the runner that goes through them was told: which command it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestCase {
    /// tgid of the runner
    pub runner: u32,
    /// the runner's [`Process::born_ns`]
    pub runner_born_ns: u64,
    /// what the runner groups tests by; empty where it does not
    pub suite: Name,
    /// name of the test
    pub name: Name,
    /// the program and its arguments
    pub command: Vec<Name>,
}

/// Whose frames a stack has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StackKind {
    /// Kernel frames; [`Header::kstack`](gemscope_common::Header::kstack) refers to them.
    Kernel,
    /// User frames; [`Header::ustack`](gemscope_common::Header::ustack) refers to them.
    User,
}

/// The frames of a stack id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// stack id, as records carry it; not negative
    pub id: i32,
    /// whose frames
    pub kind: StackKind,
    /// process the frames were taken in; 0 for kernel stacks
    pub tgid: u32,
    /// addresses, innermost first
    pub frames: Vec<u64>,
}

/// The name of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Symbol {
    /// process the address belongs to; 0 for the kernel
    pub tgid: u32,
    /// the address, as frames carry it
    pub addr: u64,
    /// function name; empty when only the module is known
    pub name: Name,
    /// bytes from the function's start, or from the module's when there is no function name
    pub offset: u64,
    /// kernel module, or path of the binary; empty for the kernel proper
    pub module: Name,
    /// source file; empty when not known
    pub file: Name,
    /// source line; 0 when not known
    pub line: u32,
    /// functions inlined at the address, innermost first; `name` is the one they were inlined into
    pub inlined: Vec<Inlined>,
}

/// A function inlined at an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inlined {
    /// function name
    pub name: Name,
    /// source file; empty when not known
    pub file: Name,
    /// source line; 0 when not known
    pub line: u32,
}

const PROCESS: u8 = 1;
const STACK: u8 = 2;
const SYMBOL: u8 = 3;
const TEXT: u8 = 4;
const TEST_CASE: u8 = 5;

impl Definition {
    /// Appends the definition: kind, length, fields. Fields are only ever added at the end.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut body = Vec::with_capacity(64);
        let kind = match self {
            Self::Process(Process { tgid, parent, comm, exe, cmdline, born_ns }) => {
                put_varint(&mut body, u64::from(*tgid));
                put_varint(&mut body, u64::from(*parent));
                put_bytes(&mut body, &comm.0);
                put_bytes(&mut body, &exe.0);
                put_varint(&mut body, cmdline.len() as u64);
                cmdline.iter().for_each(|arg| put_bytes(&mut body, &arg.0));
                put_varint(&mut body, *born_ns);
                PROCESS
            }
            Self::Stack(Stack { id, kind, tgid, frames }) => {
                put_varint(&mut body, zigzag(i64::from(*id)));
                body.push(u8::from(*kind == StackKind::User));
                put_varint(&mut body, u64::from(*tgid));
                put_varint(&mut body, frames.len() as u64);
                frames.iter().for_each(|frame| body.extend_from_slice(&frame.to_le_bytes()));
                STACK
            }
            Self::Symbol(Symbol { tgid, addr, name, offset, module, file, line, inlined }) => {
                put_varint(&mut body, u64::from(*tgid));
                body.extend_from_slice(&addr.to_le_bytes());
                put_bytes(&mut body, &name.0);
                put_varint(&mut body, *offset);
                put_bytes(&mut body, &module.0);
                put_bytes(&mut body, &file.0);
                put_varint(&mut body, u64::from(*line));
                put_varint(&mut body, inlined.len() as u64);
                for Inlined { name, file, line } in inlined {
                    put_bytes(&mut body, &name.0);
                    put_bytes(&mut body, &file.0);
                    put_varint(&mut body, u64::from(*line));
                }
                SYMBOL
            }
            Self::Text(text) => {
                put_bytes(&mut body, &text.0);
                TEXT
            }
            Self::TestCase(TestCase { runner, runner_born_ns, suite, name, command }) => {
                put_varint(&mut body, u64::from(*runner));
                put_varint(&mut body, *runner_born_ns);
                put_bytes(&mut body, &suite.0);
                put_bytes(&mut body, &name.0);
                put_varint(&mut body, command.len() as u64);
                command.iter().for_each(|arg| put_bytes(&mut body, &arg.0));
                TEST_CASE
            }
        };
        out.push(kind);
        put_bytes(out, &body);
    }

    /// Reads the next definition; `Ok(None)` for a kind that a newer gemscope writes.
    pub(crate) fn decode(cursor: &mut Cursor<'_>) -> Result<Option<Self>, Short> {
        let kind = cursor.u8()?;
        let mut body = Cursor::new(cursor.bytes()?);
        let definition = match kind {
            PROCESS => Self::Process(Process {
                tgid: body.varint_u32()?,
                parent: body.varint_u32()?,
                comm: name(&mut body)?,
                exe: name(&mut body)?,
                cmdline: list(&mut body, 1, name)?,
                // The first traces do not have it.
                born_ns: if body.is_empty() { 0 } else { body.varint()? },
            }),
            STACK => Self::Stack(Stack {
                id: i32::try_from(crate::bytes::unzigzag(body.varint()?)).map_err(|_| Short)?,
                kind: if body.u8()? == 0 { StackKind::Kernel } else { StackKind::User },
                tgid: body.varint_u32()?,
                frames: list(&mut body, 8, Cursor::u64)?,
            }),
            SYMBOL => Self::Symbol(Symbol {
                tgid: body.varint_u32()?,
                addr: body.u64()?,
                name: name(&mut body)?,
                offset: body.varint()?,
                module: name(&mut body)?,
                file: name(&mut body)?,
                line: body.varint_u32()?,
                inlined: list(&mut body, 3, |body| {
                    Ok(Inlined { name: name(body)?, file: name(body)?, line: body.varint_u32()? })
                })?,
            }),
            TEXT => Self::Text(name(&mut body)?),
            TEST_CASE => Self::TestCase(TestCase {
                runner: body.varint_u32()?,
                runner_born_ns: body.varint()?,
                suite: name(&mut body)?,
                name: name(&mut body)?,
                command: list(&mut body, 1, name)?,
            }),
            _ => return Ok(None),
        };
        Ok(Some(definition))
    }
}

fn name(cursor: &mut Cursor<'_>) -> Result<Name, Short> {
    Ok(Name(cursor.bytes()?.to_vec()))
}

/// A counted list whose items take at least `least` bytes each, so that a hostile count cannot reserve memory.
fn list<'a, T>(
    cursor: &mut Cursor<'a>,
    least: usize,
    mut item: impl FnMut(&mut Cursor<'a>) -> Result<T, Short>,
) -> Result<Vec<T>, Short> {
    let count = usize::try_from(cursor.varint()?).map_err(|_| Short)?;
    if count > cursor.remaining() / least {
        return Err(Short);
    }
    (0..count).map(|_| item(cursor)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_of_the_first_traces_is_read() {
        let process = Process { tgid: 7, parent: 1, comm: "a".into(), born_ns: 0, ..Process::default() };
        let mut bytes = Vec::new();
        Definition::Process(process.clone()).encode(&mut bytes);
        // Without the last field, as it was written once: kind, length, the rest.
        bytes.pop();
        bytes[1] -= 1;
        assert_eq!(Definition::decode(&mut Cursor::new(&bytes)), Ok(Some(Definition::Process(process))));
    }
}
