//! What a session is asked to do.

use std::time::Duration;

use gemscope_common::ProbeId;

/// Everything that can be chosen about a session.
#[derive(Clone, Debug)]
pub struct Options {
    /// Also the probes that fire very often.
    pub hot: bool,
    /// Not these probes.
    pub deny: Vec<ProbeId>,
    /// Only these probes, hot or not.
    pub only: Option<Vec<ProbeId>>,
    /// What the kernel lets through.
    pub filter: Filter,
    /// Size of the ring between the kernel and the reader, bytes; rounded up to a power of two, one page at least.
    pub ring_bytes: usize,
    /// Memory for records that the consumer has not taken yet, bytes. Beyond it they are dropped and counted.
    pub queue_bytes: usize,
    /// Take stacks where a reference is taken.
    pub stacks: bool,
    /// Give definitions: processes, stacks, symbols.
    pub definitions: bool,
    /// Show what the BPF programs have to say: at debug level, by way of the `log` crate.
    pub kernel_log: bool,
    /// Stay root. For tests, and for who wraps gemscope in something stricter.
    pub keep_privileges: bool,
    /// Waits this long before each look at the ring, to force losses in tests.
    pub stall_reader: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hot: false,
            deny: Vec::new(),
            only: None,
            filter: Filter::default(),
            ring_bytes: 8 << 20,
            queue_bytes: 64 << 20,
            stacks: true,
            definitions: true,
            kernel_log: false,
            keep_privileges: false,
            stall_reader: None,
        }
    }
}

/// Filters inside the kernel. A record must pass every one that is set; what a filter keeps out is never seen, so
/// what crosses its border (a buffer shared with another process, a deferred release by a kernel worker) goes missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only these processes.
    pub tgids: Vec<u32>,
    /// Also the children that they make from now on.
    pub tree: bool,
    /// Only processes of this name; longer names are cut to 15 bytes, as the kernel does.
    pub comm: Option<String>,
    /// Only this cgroup (version 2), by its id: the inode number of its directory.
    pub cgroup: Option<u64>,
    /// Only these devices.
    pub device: Option<Device>,
}

/// Devices, by what is known of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Minor numbers: the N of `cardN`, the 128 and up of `renderDN`; up to four.
    pub minors: Vec<u32>,
    /// Name of the driver, as `i915`.
    pub driver: Option<String>,
}

impl Filter {
    /// Lets everything through.
    #[must_use]
    pub fn is_off(&self) -> bool {
        *self == Self::default()
    }
}
