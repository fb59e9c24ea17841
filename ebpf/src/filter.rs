//! The filters in the kernel. All off costs nothing: the verifier sees the constant and removes the code.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::helpers::generated::bpf_get_current_cgroup_id;
use gemscope_common::{
    Attachment, Buf, BufAccess, BufExport, BufIoctl, ChangeHandle, DrmFile, Framebuffer, Gem, Mapping, Prime,
};

use crate::globals::*;
use crate::maps::{DEVICES, TGIDS};
use crate::read::{Reader, current_comm};
use crate::snapshot;

/// Values of the map `DEVICES`.
const WANTED: u8 = 1;
const UNWANTED: u8 = 2;

/// Through which file and device a payload was seen.
pub trait Seen {
    /// `struct drm_file *`, or 0.
    fn file(&self) -> u64 {
        0
    }
    /// `struct drm_device *`, or 0.
    fn dev(&self) -> u64 {
        0
    }
}

impl Seen for Gem {
    #[inline(always)]
    fn file(&self) -> u64 {
        self.file
    }
    #[inline(always)]
    fn dev(&self) -> u64 {
        self.dev
    }
}

impl Seen for DrmFile {
    #[inline(always)]
    fn file(&self) -> u64 {
        self.file
    }
    #[inline(always)]
    fn dev(&self) -> u64 {
        self.dev
    }
}

impl Seen for Prime {
    #[inline(always)]
    fn file(&self) -> u64 {
        self.file
    }
    #[inline(always)]
    fn dev(&self) -> u64 {
        self.dev
    }
}

impl Seen for ChangeHandle {
    #[inline(always)]
    fn file(&self) -> u64 {
        self.file
    }
}

impl Seen for Framebuffer {
    #[inline(always)]
    fn dev(&self) -> u64 {
        self.dev
    }
}

impl Seen for BufExport {}
impl Seen for Buf {}
impl Seen for BufAccess {}
impl Seen for BufIoctl {}
impl Seen for Attachment {}
impl Seen for Mapping {}

/// Is this process one of the filters' set?
#[inline(always)]
pub fn tgid_wanted(tgid: u32) -> bool {
    FILTERS.load() & filters::TGID == 0 || TGIDS.get_ptr(tgid).is_some()
}

/// Does the actor pass the filters on processes?
#[inline(always)]
pub fn actor_wanted() -> bool {
    let on = FILTERS.load();
    if on == 0 {
        return true;
    }
    if !tgid_wanted((bpf_get_current_pid_tgid() >> 32) as u32) {
        return false;
    }
    if on & filters::COMM != 0 {
        let (comm, wanted) = (current_comm(), FILTER_COMM.load());
        if comm[0] != wanted[0] || comm[1] != wanted[1] {
            return false;
        }
    }
    // SAFETY: the helper takes nothing and only returns a number.
    if on & filters::CGROUP != 0 && unsafe { bpf_get_current_cgroup_id() } != FILTER_CGROUP.load() {
        return false;
    }
    true
}

/// Does what was seen pass the filter on devices?
#[inline(always)]
pub fn device_wanted<P: Seen>(seen: &P) -> bool {
    if FILTERS.load() & filters::DEVICE == 0 {
        return true;
    }
    let mut r = Reader::new();
    let (file, mut dev) = (seen.file(), seen.dev());
    if dev == 0 {
        dev = snapshot::file_device(&mut r, file);
    }
    if dev == 0 {
        return true;
    }
    if let Some(known) = DEVICES.get_ptr(dev) {
        // SAFETY: a pointer into the map's value; the map outlives the program's run.
        return unsafe { known.read_volatile() } == WANTED;
    }
    if file == 0 {
        return true;
    }
    let minor = r.pointer(file, &OFF_FILE_MINOR);
    let index: u32 = r.field(minor, &OFF_MINOR_INDEX);
    let minors = FILTER_MINORS.load();
    let driver = FILTER_DRIVER.load();
    let wanted = index == minors[0]
        || index == minors[1]
        || index == minors[2]
        || index == minors[3]
        || is_driver(&mut r, dev, driver);
    // A full map only means that the question is asked again.
    let _ = DEVICES.insert(dev, if wanted { WANTED } else { UNWANTED }, 0);
    wanted
}

#[inline(always)]
fn is_driver(r: &mut Reader, dev: u64, wanted: [u64; 2]) -> bool {
    if wanted[0] == 0 {
        return false;
    }
    let name: [u8; 16] = snapshot::driver_name(r, dev);
    // SAFETY: plain data of the same size.
    let name: [u64; 2] = unsafe { core::mem::transmute(name) };
    name[0] == wanted[0] && name[1] == wanted[1]
}
