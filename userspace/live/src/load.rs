//! The BPF object, its constants and its maps, into the kernel.

use aya::maps::{HashMap, MapError};
use aya::{Ebpf, EbpfError, EbpfLoader};
use gemscope_probes::fields::UNKNOWN;
use gemscope_probes::plan::{GlobalValue, Plan};

use crate::options::{Filter, Options};

/// The compiled programs of `ebpf/`.
static OBJECT: &[u8] = aya::include_bytes_aligned!("../../../ebpf/gemscope.bpf.o");

/// Bits of the global `STACKS`.
const STACKS_BOTH: u32 = 3;

/// Bits of the global `FILTERS`.
mod filters {
    pub(super) const TGID: u32 = 1;
    pub(super) const TREE: u32 = 2;
    pub(super) const COMM: u32 = 4;
    pub(super) const CGROUP: u32 = 8;
    pub(super) const DEVICE: u32 = 16;
}

/// aya-log's levels: none, and all.
const LOG_OFF: u8 = 0;
const LOG_ALL: u8 = 5;

/// Why the object could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Maps could not be made, or the object is not understood.
    #[error("the kernel does not take the BPF object: {}; `gemscope doctor` says what this kernel offers", chain(.0))]
    Object(#[source] EbpfError),
    /// A filter's set could not be filled.
    #[error("cannot fill the filter `{map}`: {source}")]
    Filter {
        /// name of the map
        map: &'static str,
        /// the kernel's answer
        #[source]
        source: MapError,
    },
    /// The object lacks a map.
    #[error("the BPF object has no map `{0}`: this build of gemscope is broken, rebuild it")]
    NoMap(&'static str),
}

/// An error with everything below it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        let part = error.to_string();
        if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        below = error.source();
    }
    text
}

/// Size of the ring: a power of two, whole pages.
#[must_use]
pub fn ring_size(wanted: usize) -> u32 {
    let page = rustix::param::page_size();
    let size = wanted.clamp(page, 1 << 30).next_power_of_two();
    u32::try_from(size).unwrap_or(1 << 30)
}

/// Loads maps and programs' code; the programs themselves are given to the verifier one by one when they are attached.
///
/// # Errors
/// [`Error`]: nothing can be traced.
pub fn load(plan: &Plan, options: &Options) -> Result<Ebpf, Error> {
    raise_memlock();
    let constants = Constants::new(options);
    let mut loader = EbpfLoader::new();
    // No types of the running kernel are needed: offsets come as constants.
    loader.btf(None);
    loader.map_max_entries("EVENTS", ring_size(options.ring_bytes));
    for global in &plan.globals {
        match &global.value {
            GlobalValue::U32(value) => loader.override_global(global.name, value, false),
            GlobalValue::U64(value) => loader.override_global(global.name, value, false),
        };
    }
    constants.set(&mut loader);
    let mut ebpf = loader.load(OBJECT).map_err(Error::Object)?;
    fill_tgids(&mut ebpf, &options.filter)?;
    Ok(ebpf)
}

/// Before 5.11 maps count against this limit, whose default is far too small.
fn raise_memlock() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    if let Err(error) = setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None }) {
        tracing::debug!("the limit of locked memory could not be raised: {error}");
    }
}

struct Constants {
    stacks: u32,
    filters: u32,
    comm: [u8; 16],
    cgroup: u64,
    minors: [u32; 4],
    driver: [u8; 16],
    wake_bytes: u64,
    log_level: u8,
}

impl Constants {
    fn new(options: &Options) -> Self {
        let Filter { tgids, tree, comm, cgroup, device } = &options.filter;
        let mut on = 0;
        let mut set = |bit, wanted| on |= if wanted { bit } else { 0 };
        set(filters::TGID, *tree || !tgids.is_empty());
        set(filters::TREE, *tree);
        set(filters::COMM, comm.is_some());
        set(filters::CGROUP, cgroup.is_some());
        set(filters::DEVICE, device.is_some());
        let device = device.clone().unwrap_or_default();
        let mut minors = [UNKNOWN; 4];
        for (place, minor) in minors.iter_mut().zip(&device.minors) {
            *place = *minor;
        }
        Self {
            stacks: if options.stacks { STACKS_BOTH } else { 0 },
            filters: on,
            comm: kernel_name(comm.as_deref().unwrap_or_default()),
            cgroup: cgroup.unwrap_or_default(),
            minors,
            driver: kernel_name(device.driver.as_deref().unwrap_or_default()),
            wake_bytes: u64::from(ring_size(options.ring_bytes)) / 4,
            log_level: if options.kernel_log { LOG_ALL } else { LOG_OFF },
        }
    }

    fn set<'a>(&'a self, loader: &mut EbpfLoader<'a>) {
        let Self { stacks, filters, comm, cgroup, minors, driver, wake_bytes, log_level } = self;
        loader.override_global("STACKS", stacks, false);
        loader.override_global("FILTERS", filters, true);
        loader.override_global("FILTER_COMM", comm, false);
        loader.override_global("FILTER_CGROUP", cgroup, false);
        loader.override_global("FILTER_MINORS", minors, false);
        loader.override_global("FILTER_DRIVER", driver, false);
        loader.override_global("WAKE_BYTES", wake_bytes, false);
        loader.override_global("AYA_LOG_LEVEL", log_level, false);
    }
}

/// A name as the kernel keeps it: 15 bytes and a NUL.
fn kernel_name(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (place, byte) in bytes.iter_mut().take(15).zip(name.bytes()) {
        *place = byte;
    }
    bytes
}

fn fill_tgids(ebpf: &mut Ebpf, filter: &Filter) -> Result<(), Error> {
    const MAP: &str = "TGIDS";
    let map = ebpf.map_mut(MAP).ok_or(Error::NoMap(MAP))?;
    let failed = |source| Error::Filter { map: MAP, source };
    let mut set: HashMap<_, u32, u8> = HashMap::try_from(map).map_err(failed)?;
    for tgid in &filter.tgids {
        set.insert(tgid, 1, 0).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use gemscope_probes::catalogue::{ADDRESSES, ProgramKind, rows};
    use gemscope_probes::fields::Field;

    use super::*;

    #[test]
    fn the_object_has_every_program_of_the_catalogue_and_no_other() {
        let object = aya_obj::Object::parse(OBJECT).unwrap();
        let have: BTreeSet<_> = object
            .programs
            .iter()
            .filter(|(_, program)| !matches!(program.section, aya_obj::ProgramSection::Iter { .. }))
            .map(|(name, program)| {
                let kind = match program.section {
                    aya_obj::ProgramSection::KProbe => ProgramKind::Kprobe,
                    aya_obj::ProgramSection::KRetProbe => ProgramKind::Kretprobe,
                    _ => panic!("{name} is in an unknown section"),
                };
                (name.clone(), kind)
            })
            .collect();
        let want: BTreeSet<_> = rows().flat_map(|row| row.programs()).map(|p| (p.name, p.kind)).collect();
        assert_eq!(have, want);
    }

    #[test]
    fn the_object_has_the_globals_that_are_set() {
        let mut object = aya_obj::Object::parse(OBJECT).unwrap();
        let (four, eight, one) = ([0u8; 4], [0u8; 8], [0u8; 1]);
        // A field that no program reads has no global in the object: the linker drops it.
        let unread = ["OFF_BUF_OPS", "OFF_FILP_REF"];
        let globals =
            Field::ALL.iter().map(|f| f.global()).filter(|g| !unread.contains(g)).map(|g| (g, &four[..]));
        let globals = globals
            .chain(ADDRESSES.iter().map(|a| (a.global, &eight[..])))
            .chain([("STACKS", &four[..]), ("FILTERS", &four[..]), ("WAKE_BYTES", &eight[..])])
            .chain([("FILTER_CGROUP", &eight[..]), ("AYA_LOG_LEVEL", &one[..])]);
        object.patch_map_data(globals.map(|(name, bytes)| (name, (bytes, true))).collect()).unwrap();
    }

    #[test]
    fn the_ring_is_a_power_of_two_of_whole_pages() {
        assert_eq!(ring_size(0) as usize, rustix::param::page_size());
        assert_eq!(ring_size(5000), 8192);
        assert_eq!(ring_size(8 << 20), 8 << 20);
        assert_eq!(ring_size(usize::MAX), 1 << 30);
    }

    #[test]
    fn names_are_cut_as_the_kernel_cuts_them() {
        assert_eq!(&kernel_name("a_name_of_more_than_15")[..], b"a_name_of_more_\0");
    }
}
