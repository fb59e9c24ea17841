//! Folded stacks: `process;outermost;…;innermost N`, a line for each call site, as flame graph tools read them.
//!
//! What is counted are references that stand at one moment, by the stacks that took them. User frames come root first and
//! the kernel's after them, marked `_[k]` as such tools do. Where several kinds are asked for, the second frame says which:
//! an fd and a handle on one buffer both count its bytes.

use std::collections::BTreeMap;
use std::io::{self, Write};

use gemscope_trace::{StackKind, Symbol};

use crate::escape;
use crate::survey::{Kind, Site, Survey, World};

/// What a stack's number is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Value {
    /// Bytes of the buffers referred to.
    #[default]
    Bytes,
    /// References.
    Count,
}

/// Stacks with their numbers, in order.
pub type Stacks = BTreeMap<String, u64>;

/// The stacks of what stands now, of these kinds. A stack whose number is 0 is left out.
#[must_use]
pub fn stacks(world: &World<'_>, kinds: &[Kind], value: Value) -> Stacks {
    let mut stacks = Stacks::new();
    for site in Survey::of(world).sites.iter().filter(|s| kinds.contains(&s.kind)) {
        let n = match value {
            Value::Bytes => site.bytes,
            Value::Count => site.count,
        };
        if n != 0 {
            let sum = stacks.entry(line(world, site, kinds.len() > 1)).or_default();
            *sum = sum.saturating_add(n);
        }
    }
    stacks
}

/// Writes them.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, stacks: &Stacks) -> io::Result<()> {
    stacks.iter().try_for_each(|(stack, n)| writeln!(out, "{stack} {n}"))
}

/// Writes both numbers of each stack, those before first: what tools for differential flame graphs read.
///
/// # Errors
/// Those of `out`.
pub fn write_difference(out: &mut dyn Write, before: &Stacks, after: &Stacks) -> io::Result<()> {
    let mut both: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (stack, n) in before {
        both.entry(stack).or_default().0 = *n;
    }
    for (stack, n) in after {
        both.entry(stack).or_default().1 = *n;
    }
    both.iter().try_for_each(|(stack, (a, b))| writeln!(out, "{stack} {a} {b}"))
}

fn line(world: &World<'_>, site: &Site, kind: bool) -> String {
    let mut line = match world.comm(site.tgid) {
        comm if comm.is_empty() => format!("pid {}", site.tgid),
        comm => harmless(&comm),
    };
    if kind {
        line.push_str(";[");
        line.push_str(site.kind.name());
        line.push(']');
    }
    for frame in frames(world, StackKind::User, site.ustack, site.tgid) {
        line.push(';');
        line.push_str(&frame);
    }
    for frame in frames(world, StackKind::Kernel, site.kstack, 0) {
        line.push(';');
        line.push_str(&frame);
        line.push_str("_[k]");
    }
    line
}

/// The frames of a stack, outermost first.
fn frames(world: &World<'_>, kind: StackKind, id: i32, tgid: u32) -> Vec<String> {
    let mut all = Vec::new();
    if id < 0 {
        return all;
    }
    for frame in world.definitions.frames(kind, id, tgid) {
        match frame.symbol {
            Some(symbol) => names(symbol, kind, world.context.raw_addresses, &mut all),
            None if kind == StackKind::User || world.context.raw_addresses => {
                all.push(format!("{:#x}", frame.addr));
            }
            None => all.push("(no symbol)".to_owned()),
        }
    }
    super::without_runtime(&mut all);
    all.reverse();
    all
}

/// Functions only: offsets and lines would tear apart what belongs together.
fn names(symbol: &Symbol, kind: StackKind, raw: bool, all: &mut Vec<String>) {
    let text = |name: &gemscope_trace::Name| harmless(&escape::long(name.as_bytes()));
    all.extend(symbol.inlined.iter().map(|i| text(&i.name)));
    let binary = symbol.module.as_bytes().rsplit(|b| *b == b'/').next().unwrap_or_default();
    all.push(match (symbol.name.is_empty(), binary.is_empty()) {
        (false, _) => text(&symbol.name),
        (true, false) => format!("{}+{:#x}", harmless(&escape::long(binary)), symbol.offset),
        (true, true) if kind == StackKind::User || raw => format!("{:#x}", symbol.addr),
        (true, true) => "(no symbol)".to_owned(),
    });
}

/// A frame cannot be two: what was a separator is none any more. Newlines are escapes already.
fn harmless(name: &str) -> String {
    if name.is_empty() { "(no name)".to_owned() } else { name.replace(';', ":") }
}
