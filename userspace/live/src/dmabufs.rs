//! The kernel's own list of dma-bufs, where a BPF iterator can read it (6.16 and later): also those that nothing but the
//! kernel holds.
//!
//! The kernel takes a reference on each dma-buf while it shows it, and puts it again: that put may be seen as an event
//! that no get belongs to.

use std::fs::File;
use std::io::{self, Read as _};

use aya::programs::{Iter, Program};
use aya::{Btf, Ebpf};
use gemscope_common::{SeenFd, seen};
use gemscope_probes::facts::KernelFacts;

use crate::kallsyms;
use crate::load::chain;
use crate::scan::When;

/// Name of the program in the object.
const PROGRAM: &str = "dmabuf_list";
/// A function that kernels with this iterator have.
const OFFERED_BY: &str = "dma_buf_iter_begin";

/// A list that can be read once. It is made at the moment it is read.
#[derive(Debug)]
pub struct DmabufList(File);

impl DmabufList {
    /// Reads the list.
    ///
    /// # Errors
    /// The kernel's refusal, or an answer that is no list.
    pub fn read(mut self, when: When) -> io::Result<Vec<SeenFd>> {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes)?;
        parse(&bytes, when).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    }
}

/// Does the kernel of these `kallsyms` offer the list?
pub(crate) fn is_offered(text: &[u8]) -> bool {
    kallsyms::has(text, OFFERED_BY)
}

/// Two lists, one for the start and one for the settle point; none where the kernel does not offer them. Reading them
/// needs no privileges, opening them does.
pub(crate) fn open(ebpf: &mut Ebpf, facts: &KernelFacts) -> (Option<DmabufList>, Option<DmabufList>) {
    if !facts.symbols.has(OFFERED_BY) {
        return (None, None);
    }
    match lists(ebpf) {
        Ok((start, settle)) => (Some(start), Some(settle)),
        Err(error) => {
            tracing::debug!("the kernel's list of dma-bufs cannot be read: {error}");
            (None, None)
        }
    }
}

/// Two lists, or why there are none.
pub(crate) fn lists(ebpf: &mut Ebpf) -> Result<(DmabufList, DmabufList), String> {
    let Some(Program::Iter(program)) = ebpf.program_mut(PROGRAM) else {
        return Err(format!("the object has no program `{PROGRAM}`"));
    };
    let btf = Btf::from_sys_fs().map_err(|e| chain(&e))?;
    program.load("dmabuf", &btf).map_err(|e| chain(&e))?;
    Ok((list(program)?, list(program)?))
}

fn list(program: &mut Iter) -> Result<DmabufList, String> {
    let id = program.attach().map_err(|e| chain(&e))?;
    let link = program.take_link(id).map_err(|e| chain(&e))?;
    link.into_file().map(DmabufList).map_err(|e| chain(&e))
}

/// What the program writes: inode number and size of each, eight bytes each.
fn parse(bytes: &[u8], when: When) -> Option<Vec<SeenFd>> {
    let (words, []) = bytes.as_chunks::<8>() else { return None };
    let (pairs, []) = words.as_chunks::<2>() else { return None };
    let at_start = u32::from(when == When::Start);
    let seen = |[ino, size]: &[[u8; 8]; 2]| SeenFd {
        ino: u64::from_ne_bytes(*ino),
        size: u64::from_ne_bytes(*size),
        tgid: 0,
        fd: -1,
        kind: seen::ALIVE,
        at_start,
    };
    Some(pairs.iter().map(seen).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_pairs_of_numbers() {
        let bytes: Vec<u8> = [7u64, 4096, 8, 8192].iter().flat_map(|n| n.to_ne_bytes()).collect();
        let list = parse(&bytes, When::Start).unwrap();
        let told: Vec<_> = list.iter().map(|s| (s.ino, s.size, s.tgid, s.kind, s.at_start)).collect();
        assert_eq!(told, [(7, 4096, 0, seen::ALIVE, 1), (8, 8192, 0, seen::ALIVE, 1)]);
        assert_eq!(parse(&[], When::Settle), Some(Vec::new()));
        assert_eq!(parse(&bytes[..24], When::Settle), None);
        assert_eq!(parse(&bytes[..31], When::Settle), None);
    }

    #[test]
    fn kernels_with_the_list_are_told() {
        assert!(is_offered(b"0 T a\n0000000000000000 t dma_buf_iter_begin\n"));
        assert!(!is_offered(b"0 T dma_buf_iter_begin_not\n0 T dma_buf_get\n") && !is_offered(b""));
    }
}
