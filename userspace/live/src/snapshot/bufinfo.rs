//! `/sys/kernel/debug/dma_buf/bufinfo`: every dma-buf of the machine with the devices that are attached to it.
//!
//! The name of a dma-buf stands raw in its line and may hold newlines, but no more than 31 bytes: too few for a line of a
//! dma-buf of its own, and what it can forge of the rest stands before the kernel's own lines. So the last list of
//! devices of a dma-buf counts.

/// One dma-buf.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BufinfoEntry {
    /// Bytes.
    pub size: u64,
    /// References on its file.
    pub count: u64,
    /// Inode number.
    pub ino: u64,
    /// Who exported it.
    pub exporter: Vec<u8>,
    /// The name that user space gave it; empty without one.
    pub name: Vec<u8>,
    /// Devices that are attached, by name, as often as they are.
    pub devices: Vec<Vec<u8>>,
}

/// What stands for no name, in newer kernels.
const NO_NAME: &[u8] = b"<none>";

/// Reads the whole text. `None` when it is not such a text, or its end is missing.
#[must_use]
pub fn parse(text: &[u8]) -> Option<Vec<BufinfoEntry>> {
    let mut lines = text.split(|b| *b == b'\n').skip_while(|line| line.is_empty());
    lines.next()?.starts_with(b"Dma-buf Objects").then_some(())?;
    let mut entries: Vec<BufinfoEntry> = Vec::new();
    let mut in_devices = false;
    let mut told = None;
    for line in lines {
        if let Some(entry) = row(line) {
            entries.push(entry);
            in_devices = false;
        } else if line.trim_ascii() == b"Attached Devices:" {
            in_devices = true;
            if let Some(entry) = entries.last_mut() {
                entry.devices.clear();
            }
        } else if let Some(rest) = line.strip_prefix(b"Total ") {
            in_devices = false;
            // The last line of all counts the dma-bufs.
            told = objects(rest);
        } else if in_devices
            && let Some(device) = line.strip_prefix(b"\t")
            && let Some(entry) = entries.last_mut()
        {
            entry.devices.push(device.trim_ascii().to_vec());
        }
    }
    (told == Some(entries.len())).then_some(entries)
}

/// `N objects, BYTES bytes`
fn objects(rest: &[u8]) -> Option<usize> {
    let mut words = std::str::from_utf8(rest).ok()?.split_ascii_whitespace();
    let count = words.next()?.parse().ok()?;
    words.next()?.starts_with("objects").then_some(count)
}

/// `%08zu\t%08x\t%08x\t%08ld\t%s\t%08lu\t%s`: size, flags, mode, count, exporter, inode, name.
fn row(line: &[u8]) -> Option<BufinfoEntry> {
    let mut fields = line.splitn(7, |b| *b == b'\t');
    let size = digits(fields.next()?, 10)?;
    digits(fields.next()?, 16)?;
    digits(fields.next()?, 16)?;
    let count = digits(fields.next()?, 10)?;
    let exporter = fields.next()?.to_vec();
    let ino = digits(fields.next()?, 10)?;
    let name = fields.next().unwrap_or_default();
    let name = if name == NO_NAME { Vec::new() } else { name.to_vec() };
    Some(BufinfoEntry { size, count, ino, exporter, name, devices: Vec::new() })
}

/// A number of eight digits or more: what no name has room to forge four times.
fn digits(field: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(field).ok().filter(|t| t.len() >= 8)?;
    u64::from_str_radix(text, radix).ok()
}
