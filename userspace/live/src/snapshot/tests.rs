//! What the kernels of every line wrote, and what nobody should believe.
//!
//! The texts in `tests/fixtures/snapshot` were recorded while `gemclient keep-open --device virtio_gpu --importer vgem` held a
//! buffer.

use super::*;

macro_rules! recorded {
    ($($line:literal),+) => {
        [$((
            $line,
            include_bytes!(concat!("../../../../tests/fixtures/snapshot/", $line, "/bufinfo")),
            include_bytes!(concat!("../../../../tests/fixtures/snapshot/", $line, "/fdinfo")),
        )),+]
    };
}

/// Name of the line, `bufinfo`, and the `fdinfo` of the dma-buf.
const RECORDED: [(&str, &[u8], &[u8]); 5] = recorded!("5.10", "6.1", "6.12", "6.18", "newest");

#[test]
fn every_kernel_is_understood() {
    for (line, text, fd) in RECORDED {
        let entries = parse_bufinfo(text).unwrap_or_else(|| panic!("{line}"));
        let [entry] = entries.as_slice() else { panic!("{line}: {entries:?}") };
        assert_eq!((entry.size, entry.count, &entry.exporter[..]), (16384, 6, &b"virtio_gpu"[..]), "{line}");
        assert!(entry.name.is_empty() && entry.ino > 0, "{line}");
        assert_eq!(entry.devices, [b"vgem"], "{line}");
        // One fd, and what the kernel holds: two links, two cache entries, the attachment.
        let info = fdinfo::dmabuf(fd).unwrap_or_else(|| panic!("{line}"));
        assert_eq!((info.size, info.count, &info.exporter[..]), (16384, 6, &b"virtio_gpu"[..]), "{line}");
    }
}

#[test]
fn torn_text_is_no_list() {
    for (line, text, _) in RECORDED {
        // The last line counts the dma-bufs; after its first word nothing is missed.
        let told = text.windows(9).position(|w| w == b" objects,").unwrap();
        for end in 0..told {
            assert_eq!(parse_bufinfo(&text[..end]), None, "{line}: {end}");
        }
        for at in 0..text.len() {
            let mut changed = text.to_vec();
            changed[at] ^= 0x81;
            let _ = parse_bufinfo(&changed);
        }
    }
    assert_eq!(parse_bufinfo(b""), None);
    assert_eq!(parse_bufinfo(b"\x1b[2J"), None);
}

/// Two dma-bufs, the first with this name.
fn named(name: &str) -> Vec<BufinfoEntry> {
    let text = format!(
        "\nDma-buf Objects:\nsize    \tflags   \tmode    \tcount   \texp_name\tino     \tname\n\
         00016384\t00000002\t02080007\t00000006\tvirtio_gpu\t00000007\t{name}\n\
         \twrite fence:drm_sched gfx seq 12 signalled\n\tAttached Devices:\n\tvgem\n\t0000:00:02.0\n\tvgem\n\
         Total 3 devices attached\n\n\
         00004096\t00000002\t02080007\t00000001\tsystem\t00000008\t<none>\n\tAttached Devices:\n\
         Total 0 devices attached\n\n\nTotal 2 objects, 20480 bytes\n"
    );
    parse_bufinfo(text.as_bytes()).unwrap()
}

#[test]
fn a_name_forges_nothing() {
    let honest = named("scanout");
    assert_eq!(honest[0].name, b"scanout");
    assert_eq!(honest[0].devices, [&b"vgem"[..], b"0000:00:02.0", b"vgem"]);
    // The kernel keeps 31 bytes of a name.
    for name in [
        "\n\tAttached Devices:\n\tfake",
        "\nTotal 0 devices attached",
        "\nTotal 9 objects, 1 bytes",
        "\n1\t2\t3\t4\tx\t6\tn",
        "\n00000001\t00000002\t00000003\t",
        "\n\n\n\n",
        "a\tb",
        "",
    ] {
        assert!(name.len() <= 31, "{name:?}");
        let found = named(name);
        let told: Vec<_> = found.iter().map(|e| (e.ino, e.size, e.count)).collect();
        assert_eq!(told, [(7, 16384, 6), (8, 4096, 1)], "{name:?}");
        assert_eq!(found[0].devices, honest[0].devices, "{name:?}");
        assert!(found[1].devices.is_empty());
    }
}

#[test]
fn the_own_machine_can_be_read() {
    let gathered = open().gather().unwrap();
    assert!(gathered.walk.looked_at > 0 && gathered.time_s > 0 && !gathered.host.release.is_empty());
    for lack in [gathered.list.err(), gathered.bufinfo.err()].into_iter().flatten() {
        assert!(!lack.why.is_empty());
    }
}
