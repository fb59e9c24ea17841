//! Iterators: programs that the kernel runs once for each of its things, when user space reads from them.

use aya_ebpf::bindings::seq_file;
use aya_ebpf::helpers::generated::bpf_seq_write;

use crate::globals::{OFF_BUF_FILE, OFF_BUF_SIZE};
use crate::read::Reader;
use crate::snapshot;

/// `struct bpf_iter_meta`, as far as it is needed.
#[repr(C)]
pub struct Meta {
    /// where to write to
    seq: *mut seq_file,
}

/// `struct bpf_iter__dmabuf` (6.16 and later).
#[repr(C)]
pub struct DmabufContext {
    meta: *const Meta,
    /// `struct dma_buf *`; 0 once more at the end
    dmabuf: u64,
}

/// One dma-buf that has a file: its inode number and its size, eight bytes each. The kernel holds a reference on it
/// while this runs.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/dmabuf")]
pub extern "C" fn dmabuf_list(ctx: *const DmabufContext) -> i32 {
    // SAFETY: the kernel gives a context of this layout, and the verifier knows it.
    let (meta, dmabuf) = unsafe { ((*ctx).meta, (*ctx).dmabuf) };
    if dmabuf == 0 {
        return 0;
    }
    let mut r = Reader::new();
    let filp = r.pointer(dmabuf, &OFF_BUF_FILE);
    let line: [u64; 2] = [snapshot::file_ino(&mut r, filp), r.field(dmabuf, &OFF_BUF_SIZE)];
    // SAFETY: `line` is 16 bytes; the verifier checks `meta` and what it leads to.
    unsafe { bpf_seq_write((*meta).seq, line.as_ptr().cast(), 16) };
    0
}
