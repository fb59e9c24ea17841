//! Who holds which buffer now, seen while clients hold some.

use super::row::{Row, row};
use crate::expect::Expect::Line;
use crate::expect::Is::{AtLeast, Bool, Number, Text};

/// One buffer that a process has an fd of, one that it has two fds and a mapping of and no handle, and one that only the kernel holds:
/// its exporter's handle, and an importer.
pub const SNAPSHOT: Row = row(
    "snapshot",
    "gemclient keep-open --device virtio_gpu --importer vgem --seconds 300 >here & here=$!; \
     gemclient keep-in-kernel --seconds 300 >inside & inside=$!; \
     gemclient keep-mapped --device virtio_gpu --seconds 300 >mapped & mapped=$!; \
     awaited 'grep -q ready here && grep -q ready inside && grep -q ready mapped'; \
     gemscope snapshot; gemscope snapshot --json; code=$?; kill -9 $here $inside $mapped; exit $code",
    &[
        // The links and cache entries of both files, and the attachment.
        Line(&[
            ("/type", Text("buffer")),
            ("/held_by", Text("processes")),
            ("/exporter", Text("virtio_gpu")),
            ("/references/total", Number(6)),
            ("/references/fds", Number(1)),
            ("/references/other", Number(5)),
            ("/holders/0/process", Text("gemclient")),
            ("/attachments/0/device", Text("vgem")),
            ("/attachments/0/count", Number(1)),
        ]),
        Line(&[
            ("/type", Text("buffer")),
            ("/held_by", Text("kernel")),
            ("/exporter", Text("virtio_gpu")),
            ("/references/total", Number(5)),
            ("/attachments/0/device", Text("vgem")),
        ]),
        Line(&[
            ("/type", Text("client")),
            ("/driver", Text("vgem")),
            ("/users/0/process", Text("gemclient")),
        ]),
        Line(&[
            ("/type", Text("totals")),
            ("/complete", Bool(true)),
            ("/holding", AtLeast(2)),
            ("/kernel_only", AtLeast(1)),
        ]),
    ],
);
