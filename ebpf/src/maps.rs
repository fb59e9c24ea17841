//! Maps: one ring for records, stacks, arguments between entry and return, counters, filter sets.

use aya_ebpf::bindings::BPF_F_MMAPABLE;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LruHashMap, RingBuf, StackTrace};

/// Every record, in one total order. User space sets the size at load.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// Kernel stacks by id.
#[map]
pub static KSTACKS: StackTrace = StackTrace::with_max_entries(16384, 0);

/// Stacks of programs by id.
#[map]
pub static USTACKS: StackTrace = StackTrace::with_max_entries(16384, 0);

/// Counters, by the indexes of [`counter`].
#[map]
pub static COUNTERS: Array<u64> = Array::with_max_entries(512, BPF_F_MMAPABLE);

/// Indexes into [`COUNTERS`].
pub mod counter {
    /// Records for which the ring had no room.
    pub const DROPS: u32 = 0;
    /// Returns without kept arguments.
    pub const NO_ARGS: u32 = 1;
    /// Records with a field that could not be read.
    pub const READ_FAULTS: u32 = 2;
    /// Entries whose arguments could not be kept: one counter per probe, this is the one of number 0.
    pub const ARGS_FULL: u32 = 16;
}

/// Who waits for a return: the thread in the high half, below it the probe and how often it is nested in itself.
pub type ArgsKey = u64;

/// What a return probe needs from its entry.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Saved {
    /// The entry's payload; as long as the largest.
    pub payload: [u64; 10],
    /// An argument that the payload does not hold.
    pub extra: u64,
    /// [`Self::FAULT`], [`Self::TASK`], and with the latter the record's flags that tell of the task.
    pub bits: u64,
}

impl Saved {
    /// A read at entry failed.
    pub const FAULT: u64 = 1 << 8;
    /// What the task is was looked up at entry.
    pub const TASK: u64 = 1 << 9;
}

/// Arguments of calls that have not returned.
#[map]
pub static ARGS: HashMap<ArgsKey, Saved> = HashMap::with_max_entries(8192, 0);

/// The processes that the filters let through.
#[map]
pub static TGIDS: HashMap<u32, u8> = HashMap::with_max_entries(32768, 0);

/// Devices met so far: 1 wanted, 2 not wanted.
#[map]
pub static DEVICES: LruHashMap<u64, u8> = LruHashMap::with_max_entries(256, 0);

/// Processes whose end was told, so that it is told once.
#[map]
pub static EXITED: LruHashMap<u32, u8> = LruHashMap::with_max_entries(4096, 0);

/// Adds one to a counter.
#[inline(always)]
pub fn count(index: u32) {
    if let Some(counter) = COUNTERS.get_ptr_mut(index) {
        add_one(counter);
    }
}

/// The target has no `core::sync::atomic` in Rust, the instruction set has the atomic add (`XADD`, every kernel).
#[cfg(target_arch = "bpf")]
#[inline(always)]
fn add_one(counter: *mut u64) {
    // SAFETY: the pointer comes from the array map, is 8-aligned and stays valid for the program's run.
    unsafe { core::arch::asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) counter, in(reg) 1u64) };
}

#[cfg(not(target_arch = "bpf"))]
fn add_one(_: *mut u64) {}

/// A counter's value.
#[inline(always)]
pub fn counted(index: u32) -> u64 {
    match COUNTERS.get_ptr(index) {
        // SAFETY: as in `count`; a torn read cannot be, the value is one aligned word.
        Some(counter) => unsafe { counter.read_volatile() },
        None => 0,
    }
}
