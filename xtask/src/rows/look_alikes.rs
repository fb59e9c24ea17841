//! The look-alikes of the suite: what is right, however much it looks like an offender. And the offenders that are not found.

use super::OLD;
use super::case::{self, Case, Kind, alike, missed};
use super::row::row;

/// Lines whose dma-bufs give no sync_files.
const FIRST: &[&str] = &["5.10"];

/// Programs that are right.
pub const OF_PROGRAMS: &[Case] = &[
    alike!(
        "import-every-frame",
        "U1",
        "each frame's import is closed",
        "gemclient import-every-frame --clean"
    ),
    alike!("refcounted-import", "U2", "imported twice, counted, closed once", "gemclient refcounted-import"),
    alike!(
        "reused-number",
        "U2",
        "counted, closed once, and the number is another buffer's then",
        "gemclient reused-handle-refcounted"
    ),
    alike!(
        "self-import-closed-once",
        "U3",
        "the self-import's handle is the own one, and closed once",
        "gemclient self-import-closed-twice --clean"
    ),
    alike!(
        "addfb-error-path",
        "U4",
        "AddFB2 is refused, and the import is closed",
        "gemclient addfb-error-path --clean"
    ),
    alike!(
        "closed-after-addfb",
        "U5",
        "the handle is closed after AddFB2; the framebuffer holds the buffer",
        "gemclient decoder-pool-again --clean"
    ),
    alike!(
        "planes-closed-once",
        "U5",
        "two planes, one handle, one close",
        "gemclient planes-closed-one-by-one --clean"
    ),
    alike!("getfb-closed", "U6", "every handle of GETFB2 is closed", "gemclient getfb-early-return --clean"),
    alike!(
        "pool-to-the-end",
        "U7",
        "a pool is kept to the program's end, and freed there",
        "gemclient idle-pool --seconds 1"
    ),
    alike!(
        "cache-refills",
        "U7",
        "a full cache of imports closes the oldest and imports it again",
        "gemclient cache-refills"
    ),
    Case {
        row: row(
            "look-alike-held-by-another-process",
            "gemclient take-offer >/dev/null & judged -- gemclient offer-fd; code=$?; kill $!; exit $code",
            case::CLEAN,
        ),
        ..alike!(
            "held-by-another-process",
            "U8",
            "a process elsewhere goes on holding the buffer, on purpose",
            "gemclient offer-fd"
        )
    },
    alike!(
        "client-killed",
        "U11",
        "a client is killed, and the server closes what it had imported",
        "gemclient client-killed"
    ),
    alike!(
        "output-unplugged",
        "U9",
        "on hotplug framebuffer and handle go",
        "gemclient output-unplugged --clean"
    ),
    alike!(
        "dropped-by-its-owner",
        "U10",
        "the owner's thread drops its exports",
        "gemclient dropped-on-other-thread --clean"
    ),
    alike!(
        "ipc-pairs",
        "U12",
        "opening and closing in pairs, the fd too",
        "gemclient ipc-open-close-pairs --clean"
    ),
    alike!(
        "render-and-primary",
        "U15",
        "imported and closed by the render node, made by the primary node",
        "gemclient close-on-other-node --clean"
    ),
    alike!(
        "dumb-destroy-own",
        "U16",
        "the own dumb buffer is destroyed, the import is closed",
        "gemclient dumb-destroy-own"
    ),
    alike!(
        "device-fd-dupped",
        "U17",
        "a dup of the device's fd is left, with no handle in the file",
        "gemclient device-fd-dupped --clean"
    ),
    alike!(
        "mapping-outlives-handle",
        "U17",
        "mappings outlive the handle and the fd",
        "gemclient mmap-holds"
    ),
    alike!("memfds-left", "U20", "memfds are left open, which are no dma-bufs", "gemclient memfds-left"),
    alike!(
        "sync-files-left",
        "U20",
        "sync_files are left open, which hold no dma-buf",
        "gemclient sync-files-left"
    )
    .absent("look-alike-sync-files-left-absent", FIRST),
    alike!("in-flight-at-exit", "U12", "an fd lies in a socket's queue at exit", "gemclient scm-in-flight"),
    alike!(
        "daemon-ends-later",
        "U11",
        "a daemon outlives its parent, and then closes everything",
        "gemclient fork-daemon"
    ),
    alike!(
        "exec-from-a-thread",
        "U12",
        "another thread than the first executes that program",
        "gemclient exec-from-a-thread"
    ),
    alike!(
        "helper-spawned",
        "U12",
        "a helper is spawned while close-on-exec fds are open",
        "gemclient helper-spawned"
    ),
    alike!("path-holder", "U8", "an O_PATH descriptor is the last to hold the dma-buf", "gemclient s10"),
    alike!("dup-in-any-order", "U14", "four fds of a dma-buf, closed in another order", "gemclient dup-fds"),
    alike!(
        "closed-without-close",
        "U14",
        "fds closed by dup3 and close_range",
        "gemclient closed-without-close"
    ),
    alike!("two-framebuffers", "U5", "two framebuffers over one handle", "gemclient two-framebuffers"),
    alike!(
        "numbers-shared-by-threads",
        "K5",
        "threads with one file, whose handle numbers come again",
        "gemclient threads-share-file"
    ),
    alike!(
        "import-again-after-close",
        "K2",
        "imported again after the last handle was closed",
        "gemclient imported-again"
    ),
    alike!(
        "exporter-first",
        "K12",
        "sharing between two devices, the exporter lets go first",
        "gemclient six-step-reverse"
    ),
    alike!("foreign-exporter", "K12", "imported from udmabuf, and exported again", "gemclient s11")
        .absent("look-alike-foreign-exporter-absent", OLD),
    alike!("closed-at-exit", "U13", "everything is closed in an exit handler", "gemclient closed-at-exit"),
    alike!(
        "tree-of-processes",
        "U13",
        "a tree of processes with buffers and inherited fds",
        "gemclient tree-of-processes"
    ),
    alike!(
        "killed",
        "U11",
        "killed by a signal with buffers in every state",
        "gemclient killed-midway",
        case::CLEAN_KILLED
    ),
    alike!(
        "worker-killed",
        "U11",
        "a supervisor kills a worker that holds buffers",
        "gemclient worker-killed"
    ),
];

/// The drivers that do the same as the offenders, right.
pub const OF_DRIVERS: &[Case] = &[
    alike!("attached-per-import", "K12", "the same operation, done right", driver "forgotten-detach"),
    alike!("object-reference-kept", "K15", "the same operation, done right", driver "extra-object-reference"),
    alike!("dmabuf-reference-kept", "K18", "the same operation, done right", driver "extra-dmabuf-reference"),
];

/// What is wrong and not found. These leave nothing that the kernel does not clean up at once, and no reference that the ledger has:
/// framebuffers and mappings of a program that ends well are not judged, and a close(2) that fails is not seen.
pub const MISSED: &[Case] = &[
    missed!(
        "framebuffer-forgotten",
        "U9",
        "the handle is closed after AddFB2, and the framebuffer is never removed",
        "gemclient framebuffer-forgotten"
    ),
    missed!("mapping-kept", "U19", "a mapping of the dma-buf is never removed", "gemclient mapping-kept"),
    missed!(
        "borrowed-fd-closed",
        "U14",
        "a library closes the fd that it was lent; its owner's import fails",
        "gemclient borrowed-fd-closed"
    ),
];
