//! The offenders of the suite: what user space and drivers have done wrong, and the rule that must say so.

use super::OLD;
use super::case::{self, Case, Kind, offender};
use super::row::row;
use crate::expect::Expect::Line;
use crate::expect::Is::{Bool, Counts, Number, Text};

/// By user space, on drivers as they are.
pub const BY_PROGRAMS: &[Case] = &[
    offender!("import-every-frame", "U1", "a compositor imports every frame and closes no import", "gemclient import-every-frame", "handle-leak": 3),
    offender!("closed-per-import", "U2", "one fd imported twice gives one handle, which is closed twice", "gemclient double-import-single-fd", "unbalanced-import": 1),
    offender!("closes-anothers-handle", "U2", "the second close hits the buffer that got the number meanwhile", "gemclient reused-handle", "close-of-reused-handle": 1),
    offender!("self-import-closed-twice", "U3", "a program imports its own export and closes both handles, which are one", "gemclient self-import-closed-twice", "unbalanced-import": 1),
    offender!("libraries-share-file", "U3", "two libraries with one DRM file each close their import of one buffer", "gemclient libraries-share-file", "unbalanced-import": 1),
    offender!("addfb-error-path", "U4", "AddFB2 is refused, and the error path forgets the import", "gemclient addfb-error-path", "handle-leak": 1),
    offender!("decoder-pool-again", "U5", "framebuffers hold the buffers, and the handles of every pool are kept", "gemclient decoder-pool-again", "handle-leak": 3),
    offender!("planes-closed-one-by-one", "U5", "the planes of an NV12 frame share one handle, closed plane by plane", "gemclient planes-closed-one-by-one", "unbalanced-import": 1),
    offender!("closed-after-addfb", "U5", "the handle is closed after AddFB2, and once more at the end", "gemclient closed-after-addfb", "double-close": 1),
    offender!("getfb-early-return", "U6", "early returns drop the handles that GETFB2 has made", "gemclient getfb-early-return", "handle-leak": 3),
    offender!("export-every-frame", "U7", "a dma-buf for every frame, whose fd is never closed", "gemclient export-every-frame", "fd-leak": 3),
    offender!("server-keeps-client-fds", "U8", "a server keeps the fds of a client that has ended", "gemclient server-keeps-client-fds", "fd-leak": 3),
    offender!("output-unplugged", "U9", "on hotplug the framebuffer goes and the handle stays", "gemclient output-unplugged", "handle-leak": 1),
    offender!("dropped-on-other-thread", "U10", "a destructor that does nothing on another thread than its owner's", "gemclient dropped-on-other-thread", "fd-leak": 3),
    offender!("server-outlives-client", "U11", "a server keeps the imports of a client that has ended", "gemclient server-outlives-client", "handle-leak": 3),
    offender!("ipc-open-close-pairs", "U12", "pairs of opening and closing a shared memory lose an fd each", "gemclient ipc-open-close-pairs", "fd-leak": 3),
    offender!("query-of-ipc-buffer", "U13", "create and destroy, map and unmap are balanced, a handle beside them is not", "gemclient query-of-ipc-buffer", "handle-leak": 3),
    offender!("wrong-file-table", "U15", "a number of one DRM file is closed in another: one buffer twice, one never", "gemclient wrong-file-table", "double-close": 1, "handle-leak": 1),
    offender!("close-on-other-node", "U15", "imported by the render node, closed by the primary node", "gemclient close-on-other-node", "handle-leak": 1),
    offender!("dumb-destroy-import", "U16", "an imported handle is let go of with DESTROY_DUMB", "gemclient dumb-destroy-import", "dumb-destroy-of-import": 1),
    offender!("device-fd-dupped", "U17", "a dup of the device's fd keeps the file open, with the handles that its close was to free", "gemclient device-fd-dupped", "handle-leak": 2),
    offender!("mapping-keeps-file", "U17", "a mapping keeps the closed device's file open, with a handle in it", "gemclient mapping-keeps-file", "handle-leak": 1),
    offender!("export-not-returned", "U18", "the export made an fd, and the caller was given an error", "gemclient export-not-returned", "fd-leak": 1),
    offender!("heap-buffers-kept", "U19", "a dma-heap's buffers, one lot for each start of the camera", "gemclient heap-buffers-kept", "fd-leak": 3).absent("offender-heap-buffers-kept-absent", OLD),
    offender!("library-keeps-dup", "U14", "a library dups the fd that it was lent, and forgets the dup", "gemclient library-keeps-dup", "fd-leak": 1),
    offender!("taken-and-kept", "U8", "an fd taken out of another process by pidfd_getfd, and kept", "gemclient taken-and-kept", "fd-leak": 1),
    offender!("inherited-by-exec", "U12", "an fd without close-on-exec is open in the executed program, which knows nothing of it", "gemclient exec-keeps-fd --forget", "fd-leak": 1),
    offender!("exec-closes-file", "U13", "a close-on-exec device with a handle in it", "gemclient exec-closes-file", "handle-leak": 1),
    offender!("failed-import-half-undone", "U4", "the second plane cannot be imported, the first one stays", "gemclient failed-import-half-undone", "handle-leak": 1),
    offender!("name-opened-twice", "K1", "a global name opened twice is two handles, and one is closed", "gemclient name-opened-twice", "handle-leak": 1),
    offender!("device-destroyed-first", "U13", "destructors in the wrong order: the device goes before its buffers", "gemclient device-destroyed-first", "handle-leak": 1),
    offender!("file-in-flight", "U11", "a DRM file with a handle in it is sent to nobody", "gemclient file-in-flight", "handle-leak": 1),
    offender!("destructors-in-child", "U3", "a forked child runs its parent's destructors", "gemclient destructors-in-child", "double-close": 1),
];

/// By a driver, on request.
pub const BY_DRIVERS: &[Case] = &[
    offender!("attached-per-import", "K12", "every import attaches a device, none detaches it", driver "forgotten-detach", "attachment-leak": 1),
    offender!("object-reference-kept", "K15", "a driver looks an object up and keeps the reference", driver "extra-object-reference", "object-leak": 1),
    offender!("dmabuf-reference-kept", "K18", "a driver keeps the reference of a dma_buf_get", driver "extra-dmabuf-reference", "dmabuf-leak": 1),
];
