//! What the field has seen: bugs that were reported of programs, each as small as it gets, and programs that only look like one.
//!
//! A scenario that is wrong takes `--clean`, which does the same right: what differs between the two is the bug alone.

mod alike;
mod counts;
mod fds;
mod handles;

use super::Ends::{self, Clean, Misuse, OpenElse, OpenFd, OpenHandle};
use super::Scenario;
use crate::options::Options;
use crate::outcome::Outcome;

const VGEM: &str = "vgem";
const DISPLAY: &str = "virtio_gpu or bochs-drm that shares";
const DISPLAY_ROOT: &str = "virtio_gpu or bochs-drm, root";
const RENDER: &str = "vgem with a render node";
const ROOT: &str = "vgem, root";
const FENCES: &str = "vgem, 6.0 or newer";
const HEAP: &str = "dma-heap";

/// One that is wrong, or with `--clean` right.
const fn wrong(
    name: &'static str,
    about: &'static str,
    needs: &'static str,
    ends: Ends,
    run: fn(&Options) -> Outcome,
) -> Scenario {
    Scenario { name, about, needs, ends, options: &["--device", "--clean"], run }
}

/// One that is right.
const fn right(
    name: &'static str,
    about: &'static str,
    needs: &'static str,
    run: fn(&Options) -> Outcome,
) -> Scenario {
    Scenario { name, about, needs, ends: Clean, options: &["--device"], run }
}

/// The scenarios of the field.
pub const ALL: &[Scenario] = &[
    wrong(
        "import-every-frame",
        "import every frame of a client and close no import",
        VGEM,
        OpenHandle,
        handles::import_every_frame,
    ),
    wrong(
        "addfb-error-path",
        "forget the import when AddFB2 is refused",
        DISPLAY,
        OpenHandle,
        handles::addfb_error_path,
    ),
    wrong(
        "decoder-pool-again",
        "show imports by framebuffers and keep the handle of each",
        DISPLAY,
        OpenHandle,
        handles::decoder_pool_again,
    ),
    wrong(
        "getfb-early-return",
        "forget the handle of GETFB2 on an early return",
        DISPLAY_ROOT,
        OpenHandle,
        handles::getfb_early_return,
    ),
    wrong(
        "server-outlives-client",
        "a server keeps the imports of a client that has ended",
        VGEM,
        OpenHandle,
        handles::server_outlives_client,
    ),
    wrong(
        "output-unplugged",
        "remove the framebuffer of an output, forget its handle",
        DISPLAY,
        OpenHandle,
        handles::output_unplugged,
    ),
    wrong(
        "query-of-ipc-buffer",
        "import a shared buffer to ask for its size, and forget that",
        VGEM,
        OpenHandle,
        handles::query_of_ipc_buffer,
    ),
    wrong(
        "device-fd-dupped",
        "rely on the close of a device's fd that a library has dupped",
        VGEM,
        OpenHandle,
        handles::device_fd_dupped,
    ),
    wrong(
        "failed-import-half-undone",
        "the second plane's import is refused, the first one's is not undone",
        VGEM,
        OpenHandle,
        handles::failed_import_half_undone,
    ),
    wrong(
        "name-opened-twice",
        "open a global name twice, close one of the two handles",
        VGEM,
        OpenHandle,
        handles::name_opened_twice,
    ),
    wrong(
        "device-destroyed-first",
        "close the DRM file, and then the handle, which is too late",
        VGEM,
        OpenHandle,
        handles::device_destroyed_first,
    ),
    wrong(
        "mapping-keeps-file",
        "a mapping keeps a closed DRM file open with its handle",
        VGEM,
        OpenHandle,
        handles::mapping_keeps_file,
    ),
    wrong(
        "file-in-flight",
        "send a DRM file with a handle in it to nobody",
        VGEM,
        OpenHandle,
        handles::file_in_flight,
    ),
    wrong(
        "exec-closes-file",
        "execute a program with a handle in a close-on-exec file",
        VGEM,
        OpenHandle,
        handles::exec_closes_file,
    ),
    wrong(
        "close-on-other-node",
        "import by the render node, close by the primary node",
        RENDER,
        OpenHandle,
        handles::close_on_the_other_node,
    ),
    wrong(
        "export-every-frame",
        "export every frame and keep every prime fd",
        VGEM,
        OpenFd,
        fds::export_every_frame,
    ),
    wrong(
        "dropped-on-other-thread",
        "drop exports on another thread, where the destructor does nothing",
        VGEM,
        OpenFd,
        fds::dropped_on_other_thread,
    ),
    wrong(
        "ipc-open-close-pairs",
        "receive, import and close in pairs, but not the fd",
        VGEM,
        OpenFd,
        fds::ipc_open_close_pairs,
    ),
    wrong(
        "server-keeps-client-fds",
        "a server keeps the prime fds of a client that has ended",
        VGEM,
        OpenFd,
        fds::server_keeps_client_fds,
    ),
    wrong(
        "export-not-returned",
        "export, fail later, and return the error without the fd",
        VGEM,
        OpenFd,
        fds::export_not_returned,
    ),
    wrong(
        "heap-buffers-kept",
        "allocate from a dma-heap again and again",
        HEAP,
        OpenFd,
        fds::heap_buffers_kept,
    ),
    wrong(
        "library-keeps-dup",
        "a library forgets its dup of a prime fd",
        VGEM,
        OpenFd,
        fds::library_keeps_dup,
    ),
    wrong("taken-and-kept", "take another process's prime fd and keep it", ROOT, OpenFd, fds::taken_and_kept),
    wrong(
        "self-import-closed-twice",
        "import the own export, close both, which are one",
        VGEM,
        Misuse,
        counts::self_import_closed_twice,
    ),
    wrong(
        "planes-closed-one-by-one",
        "close the one handle of two shown planes twice",
        DISPLAY,
        Misuse,
        counts::planes_closed_one_by_one,
    ),
    wrong(
        "libraries-share-file",
        "two libraries with one DRM file close one import each",
        VGEM,
        Misuse,
        counts::libraries_share_file,
    ),
    wrong(
        "closed-after-addfb",
        "close the handle after AddFB2, and again after RMFB",
        DISPLAY,
        Misuse,
        counts::closed_after_addfb_and_again,
    ),
    wrong(
        "wrong-file-table",
        "close the number of one DRM file in another",
        VGEM,
        Misuse,
        counts::wrong_file_table,
    ),
    wrong(
        "destructors-in-child",
        "a forked child closes its parent's handle",
        VGEM,
        Misuse,
        counts::destructors_in_forked_child,
    ),
    wrong(
        "borrowed-fd-closed",
        "a library closes the prime fd that it was lent",
        VGEM,
        Misuse,
        counts::borrowed_fd_closed,
    ),
    wrong(
        "framebuffer-forgotten",
        "close the handle after AddFB2, forget the framebuffer",
        DISPLAY,
        OpenElse,
        counts::framebuffer_forgotten,
    ),
    wrong(
        "mapping-kept",
        "close everything but a mapping of the dma-buf",
        VGEM,
        OpenElse,
        counts::mapping_kept,
    ),
    right("memfds-left", "leave memfds open, which are no dma-bufs", VGEM, alike::memfds_left),
    right("sync-files-left", "leave sync_files of a dma-buf open", FENCES, alike::sync_files_left),
    right(
        "two-framebuffers",
        "two framebuffers of one handle, closed between their removals",
        DISPLAY,
        alike::two_framebuffers_of_a_handle,
    ),
    right("closed-at-exit", "close everything in an exit handler", VGEM, alike::closed_at_exit),
    right(
        "exec-from-a-thread",
        "another thread than the first executes the program that closes the fd",
        VGEM,
        alike::exec_from_a_thread,
    ),
    right(
        "tree-of-processes",
        "a tree of processes, each with buffers of its own and inherited fds",
        VGEM,
        alike::tree_of_processes,
    ),
    right("threads-share-file", "threads create and close in one DRM file", VGEM, alike::threads_share_file),
    right(
        "cache-refills",
        "a full cache of imports that closes the oldest and imports it again",
        VGEM,
        alike::cache_refills,
    ),
    right(
        "imported-again",
        "import, close, import again: a close for each",
        VGEM,
        alike::imported_again_after_close,
    ),
    right(
        "closed-without-close",
        "close prime fds by dup3 and close_range",
        VGEM,
        alike::closed_without_close,
    ),
    right(
        "client-killed",
        "a client is killed, the server closes its imports",
        VGEM,
        alike::client_killed_server_closes,
    ),
    right(
        "worker-killed",
        "a supervisor kills a worker that holds buffers",
        VGEM,
        alike::worker_killed_by_supervisor,
    ),
    right("helper-spawned", "spawn a helper while prime fds are open", VGEM, alike::helper_spawned),
    right(
        "fd-outlives-device",
        "close the DRM file, import the prime fd into a new one",
        VGEM,
        alike::fd_outlives_device,
    ),
];
