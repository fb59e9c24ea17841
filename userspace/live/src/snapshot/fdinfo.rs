//! What `/proc/PID/fdinfo/N` says of a dma-buf and of a DRM file.
//!
//! Names in it are chosen by other programs and may hold newlines, and the kernel prints the name of a dma-buf last: the
//! first line with a key is the kernel's own, and a later one may be forged.

/// What the fd of a dma-buf tells (`dma_buf_show_fdinfo`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DmabufInfo {
    /// Bytes.
    pub size: u64,
    /// References on its file, as the kernel counts them without the one of this look.
    pub count: u64,
    /// Who exported it.
    pub exporter: Vec<u8>,
    /// The name that user space gave it; empty without one.
    pub name: Vec<u8>,
}

/// What a DRM fd tells; nothing on kernels and drivers that tell nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrmInfo {
    /// `drm-driver`
    pub driver: Vec<u8>,
    /// `drm-client-id`: unique for one open file of one device.
    pub client: Option<u64>,
    /// `drm-pdev`
    pub pdev: Vec<u8>,
    /// `drm-client-name`, which user space chose.
    pub name: Vec<u8>,
    /// Memory by region, in the order of the kernel.
    pub regions: Vec<Region>,
}

/// One region of memory, in bytes; `None` where the driver does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// As the driver calls it: `vram0`, `system`.
    pub name: Vec<u8>,
    /// `drm-total-`
    pub total: Option<u64>,
    /// `drm-shared-`
    pub shared: Option<u64>,
    /// `drm-resident-`, or the older `drm-memory-`
    pub resident: Option<u64>,
    /// `drm-purgeable-`
    pub purgeable: Option<u64>,
    /// `drm-active-`
    pub active: Option<u64>,
}

/// Regions of one client that are kept: no driver has more than a few.
const REGIONS: usize = 64;

/// The lines `key:\tvalue`.
fn pairs(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(|b| *b == b'\n').filter_map(|line| {
        let at = line.iter().position(|b| *b == b':')?;
        let (key, value) = line.split_at_checked(at)?;
        Some((key, value.get(1..)?))
    })
}

/// The value of the first line with this key, without the blank in front.
fn first<'a>(text: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let value = pairs(text).find(|(k, _)| *k == key.as_bytes())?.1;
    Some(value.strip_prefix(b"\t").or_else(|| value.strip_prefix(b" ")).unwrap_or(value))
}

fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

/// What a dma-buf's fd says; `None` when it is no dma-buf's, or torn.
#[must_use]
pub fn dmabuf(text: &[u8]) -> Option<DmabufInfo> {
    // A file may be called like a dma-buf; only a dma-buf has an exporter.
    let exporter = first(text, "exp_name")?;
    Some(DmabufInfo {
        size: number(first(text, "size")?)?,
        count: number(first(text, "count")?)?,
        exporter: exporter.to_vec(),
        name: first(text, "name").unwrap_or_default().to_vec(),
    })
}

/// What a DRM fd says.
#[must_use]
pub fn drm(text: &[u8]) -> DrmInfo {
    let word = |key| first(text, key).unwrap_or_default().trim_ascii().to_vec();
    let mut info = DrmInfo {
        driver: word("drm-driver"),
        client: first(text, "drm-client-id").and_then(number),
        pdev: word("drm-pdev"),
        name: word("drm-client-name"),
        regions: Vec::new(),
    };
    for (key, value) in pairs(text) {
        let Some(rest) = key.strip_prefix(b"drm-") else { continue };
        let Some(at) = rest.iter().position(|b| *b == b'-') else { continue };
        let (kind, name) = (rest.get(..at).unwrap_or_default(), rest.get(at + 1..).unwrap_or_default());
        let place: fn(&mut Region) -> &mut Option<u64> = match kind {
            // Busy time, by engine.
            b"total" if name.starts_with(b"cycles-") => continue,
            b"total" => |r| &mut r.total,
            b"shared" => |r| &mut r.shared,
            // The older key means the same.
            b"resident" | b"memory" => |r| &mut r.resident,
            b"purgeable" => |r| &mut r.purgeable,
            b"active" => |r| &mut r.active,
            _ => continue,
        };
        let Some(bytes) = size(value) else { continue };
        let Some(region) = region(&mut info.regions, name) else { continue };
        place(region).get_or_insert(bytes);
    }
    info
}

fn region<'a>(regions: &'a mut Vec<Region>, name: &[u8]) -> Option<&'a mut Region> {
    let at = match regions.iter().position(|r| r.name == name) {
        Some(at) => at,
        None if regions.len() < REGIONS && !name.is_empty() => {
            regions.push(Region { name: name.to_vec(), ..Region::default() });
            regions.len() - 1
        }
        None => return None,
    };
    regions.get_mut(at)
}

/// `123 KiB`, or bytes without a unit.
fn size(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    let mut words = text.split_ascii_whitespace();
    let amount: u64 = words.next()?.parse().ok()?;
    let scale = match words.next() {
        None => 1,
        Some("KiB") => 1 << 10,
        Some("MiB") => 1 << 20,
        Some("GiB") => 1 << 30,
        Some(_) => return None,
    };
    amount.checked_mul(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dmabuf_tells_its_exporter() {
        let text = b"pos:\t0\nflags:\t02400002\nmnt_id:\t15\nino:\t7\nsize:\t16384\ncount:\t3\nexp_name:\tdrm\nname:\tscanout\n";
        let want = DmabufInfo { size: 16384, count: 3, exporter: b"drm".to_vec(), name: b"scanout".to_vec() };
        assert_eq!(dmabuf(text), Some(want));
        assert_eq!(dmabuf(b"pos:\t0\nflags:\t02\nmnt_id:\t15\n"), None);
    }

    #[test]
    fn a_forged_line_comes_after_the_kernels_own() {
        let text =
            b"size:\t4096\ncount:\t1\nexp_name:\tdrm\nname:\tx\nsize:\t1\ncount:\t99\nexp_name:\tevil\n";
        let info = dmabuf(text).unwrap();
        assert_eq!((info.size, info.count, &info.exporter[..]), (4096, 1, &b"drm"[..]));
    }

    #[test]
    fn torn_text_is_no_answer_and_no_panic() {
        let whole = b"pos:\t0\nsize:\t16384\ncount:\t3\nexp_name:\tdrm\nname:\tscan\xff\n";
        for end in 0..whole.len() {
            let _ = dmabuf(&whole[..end]);
            let _ = drm(&whole[..end]);
        }
        assert_eq!(dmabuf(b"size:\t-1\ncount:\t3\nexp_name:\tdrm\n"), None);
        assert_eq!(dmabuf(b"size:\t99999999999999999999\ncount:\t3\nexp_name:\tdrm\n"), None);
    }

    #[test]
    fn a_client_tells_its_memory() {
        let text = b"pos:\t0\nflags:\t0100002\ndrm-driver:\tamdgpu\ndrm-client-id:\t19\ndrm-client-name:\tmesa\n\
            drm-pdev:\t0000:0b:00.0\npasid:\t32770\ndrm-total-vram:\t1234 KiB\ndrm-shared-vram:\t0\n\
            drm-resident-gtt:\t2 MiB\ndrm-purgeable-gtt:\t7\ndrm-active-gtt:\t8 KiB\ndrm-memory-vram:\t1 KiB\n\
            drm-engine-gfx:\t123 ns\ndrm-cycles-rcs:\t5\ndrm-total-cycles-rcs:\t9\ndrm-total-odd:\t5 furlongs\n";
        let info = drm(text);
        assert_eq!((info.client, &info.driver[..], &info.name[..]), (Some(19), &b"amdgpu"[..], &b"mesa"[..]));
        let told: Vec<_> =
            info.regions.iter().map(|r| (&r.name[..], r.total, r.shared, r.resident)).collect();
        assert_eq!(
            told,
            [
                (&b"vram"[..], Some(1234 << 10), Some(0), Some(1 << 10)),
                (&b"gtt"[..], None, None, Some(2 << 20))
            ]
        );
        assert_eq!((info.regions[1].purgeable, info.regions[1].active), (Some(7), Some(8 << 10)));
        assert_eq!(drm(b"pos:\t0\nflags:\t02\n"), DrmInfo::default());
    }

    #[test]
    fn a_client_of_many_regions_is_cut() {
        let text: String = (0..1000).map(|n| format!("drm-total-r{n}:\t1 KiB\n")).collect();
        assert_eq!(drm(text.as_bytes()).regions.len(), REGIONS);
    }
}
