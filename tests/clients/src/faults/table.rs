//! The table of faults. Names and numbers are stable: test scripts, recorded traces and the module refer to them.

use super::stories::{
    access_an_import, arm_a_buffer, arm_a_named_buffer, arm_a_shared_buffer, arm_an_export, arm_an_import,
    ask_module, give_prime_fd, give_two_shared_buffers, put_framebuffer,
};
use super::{Fault, Story};
use crate::uapi;

/// A fault that the module does by itself, with buffers of its own.
const fn own(name: &'static str, rule: &'static str, number: u32, about: &'static str) -> Fault {
    Fault { name, rule, about, number, since: "5.10", story: Story::Module(ask_module) }
}

/// A fault about buffers that this program makes.
const fn with(
    name: &'static str,
    rule: &'static str,
    number: u32,
    about: &'static str,
    story: super::ModuleStory,
) -> Fault {
    Fault { name, rule, about, number, since: "5.10", story: Story::Module(story) }
}

const fn access(name: &'static str, request: u32, about: &'static str) -> Fault {
    let (rule, story) = ("cpu-access-of-import", Story::Access(access_an_import, request));
    Fault { name, rule, about, number: 0, since: "5.10", story }
}

impl Fault {
    const fn since(mut self, since: &'static str) -> Self {
        self.since = since;
        self
    }
}

/// Every fault, in the order of the listing.
pub const ALL: &[Fault] = &[
    own("forgotten-detach", "attachment-leak", 1, "an importer puts its reference and stays attached"),
    own("put-before-detach", "use-after-release", 2, "the last reference is put before the detach"),
    own("detach-after-release", "use-after-release", 3, "the importer detaches after the file was released"),
    own("forgotten-unmap", "mapping-leak", 4, "an importer detaches with a mapping left"),
    own("unmap-wrong-direction", "mapping-direction-conflict", 5, "mapped to the device, unmapped from it"),
    own("unmap-twice", "unbalanced-mapping", 6, "one map, two unmaps"),
    own("map-without-reservation", "reservation-not-held", 7, "a map without the reservation lock"),
    own("attach-with-reservation", "reservation-held", 8, "an attach with the reservation lock held"),
    own("unbalanced-pin", "pin-imbalance", 9, "an importer detaches with a pin left"),
    own("pin-without-reservation", "reservation-not-held", 10, "a pin without the reservation lock"),
    own("unbalanced-vmap", "vmap-leak", 11, "the last reference goes with a vmap left"),
    own("vmap-without-reservation", "reservation-not-held", 12, "a vmap without the reservation lock")
        .since("6.2"),
    own("foreign-detach", "foreign-detach", 13, "an attachment is detached from another buffer"),
    own("bad-export", "bad-export-arguments", 14, "an export with incomplete operations"),
    with("extra-dmabuf-reference", "dmabuf-leak", 15, "a reference by fd is never put", give_prime_fd),
    with("extra-object-reference", "object-leak", 16, "an object reference is never put", arm_a_buffer),
    with("second-dmabuf", "second-dmabuf", 17, "one export makes two dma-bufs", arm_an_export),
    with("cache-left", "prime-cache-leak", 18, "a closed handle's cache entry stays", arm_a_shared_buffer),
    with(
        "wrong-cache-entry",
        "wrong-cache-entry-removed",
        19,
        "a close drops another handle's cache entry",
        give_two_shared_buffers,
    ),
    with("link-left", "stale-link", 20, "an object dies with its link set", arm_a_buffer),
    with("name-left", "flink-name-leak", 21, "an object dies with a flink name", arm_a_named_buffer),
    with("framebuffer-reference", "framebuffer-leak", 22, "a framebuffer outlives its file", put_framebuffer),
    with(
        "destroy-without-prime",
        "attachment-leak",
        23,
        "an import is freed but not detached",
        arm_an_import,
    ),
    with("handle-count", "handle-count-mismatch", 24, "an object counts a handle too many", arm_a_buffer),
    access("cpu-pread", uapi::DRM_IOCTL_GEMFAULT_PREAD, "a driver's pread accepts an import"),
    access("cpu-pwrite", uapi::DRM_IOCTL_GEMFAULT_PWRITE, "a driver's pwrite accepts an import"),
    access("cpu-mmap", uapi::DRM_IOCTL_GEMFAULT_MMAP, "a driver's mmap ioctl accepts an import"),
];
