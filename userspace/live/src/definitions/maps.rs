//! What is mapped where in a process: enough to find the function at an address after the process is gone.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashMap;

/// ELF files that are held open at a time.
const OPEN_FILES: usize = 256;

/// An ELF file that was mapped somewhere.
#[derive(Debug)]
pub(super) struct Elf {
    /// Its number, for caches.
    pub(super) id: usize,
    /// Its path as the process saw it.
    pub(super) name: Vec<u8>,
    /// A path by which this process can read it.
    pub(super) path: PathBuf,
    /// Held open, so that it can be read when the file or the process is gone.
    _file: Option<File>,
}

/// An executable mapping of a file.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    start: u64,
    end: u64,
    offset: u64,
    elf: Arc<Elf>,
}

/// The executable mappings of a process.
#[derive(Clone, Debug, Default)]
pub(super) struct Maps {
    mappings: Vec<Mapping>,
}

/// An address in terms of the file that is mapped there.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) elf: Arc<Elf>,
    pub(super) offset: u64,
}

/// The ELF files met so far, by device and inode.
#[derive(Debug, Default)]
pub(super) struct Elves {
    by_inode: FxHashMap<(u64, u64, Vec<u8>), Arc<Elf>>,
    open: usize,
}

impl Maps {
    /// Reads the mappings of a process that is alive.
    pub(super) fn read(tgid: u32, elves: &mut Elves) -> io::Result<Self> {
        let proc = Path::new("/proc").join(tgid.to_string());
        let text = fs::read(proc.join("maps"))?;
        let lines = text.split(|&b| b == b'\n').filter_map(parse);
        let mappings = lines
            .map(|line| Mapping {
                start: line.start,
                end: line.end,
                offset: line.offset,
                elf: elves.get(&proc, line.inode, line.path),
            })
            .collect();
        Ok(Self { mappings })
    }

    /// What is mapped at an address.
    pub(super) fn find(&self, addr: u64) -> Option<Place> {
        let mapping = self.mappings.iter().find(|m| m.start <= addr && addr < m.end)?;
        Some(Place { elf: Arc::clone(&mapping.elf), offset: addr - mapping.start + mapping.offset })
    }
}

impl Elves {
    fn get(&mut self, proc: &Path, inode: u64, path: &[u8]) -> Arc<Elf> {
        let relative = path.strip_prefix(b"/").unwrap_or(path);
        // As the process sees it: it may live in another mount namespace.
        let seen = proc.join("root").join(PathBuf::from(std::ffi::OsString::from_vec(relative.to_vec())));
        let stat = fs::metadata(&seen).ok().filter(|stat| stat.ino() == inode);
        let key = (stat.as_ref().map_or(0, std::fs::Metadata::dev), inode, path.to_vec());
        if let Some(elf) = self.by_inode.get(&key) {
            return Arc::clone(elf);
        }
        // A file that is not the mapped one (replaced, or removed) would give wrong names.
        let file = stat.filter(|_| self.open < OPEN_FILES).and_then(|_| File::open(&seen).ok());
        self.open += usize::from(file.is_some());
        let path_now = match &file {
            Some(file) => PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())),
            None => PathBuf::from(std::ffi::OsStr::from_bytes(path)),
        };
        let elf = Arc::new(Elf { id: self.by_inode.len(), name: path.to_vec(), path: path_now, _file: file });
        self.by_inode.insert(key, Arc::clone(&elf));
        elf
    }
}

struct Line<'a> {
    start: u64,
    end: u64,
    offset: u64,
    inode: u64,
    path: &'a [u8],
}

/// A line of `/proc/PID/maps` that is an executable mapping of a file.
fn parse(line: &[u8]) -> Option<Line<'_>> {
    // start-end perms offset dev inode path
    let path_at = line.iter().position(|&b| b == b'/')?;
    let (head, path) = (std::str::from_utf8(line.get(..path_at)?).ok()?, line.get(path_at..)?);
    let mut words = head.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let perms = words.next()?;
    let offset = words.next()?;
    let inode = words.nth(1)?;
    if perms.as_bytes().get(2) != Some(&b'x') {
        return None;
    }
    Some(Line {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        offset: u64::from_str_radix(offset, 16).ok()?,
        inode: inode.parse().ok()?,
        path: path.strip_suffix(b" (deleted)").unwrap_or(path),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executable_line_is_taken_apart() {
        let line = parse(b"55d0c0a00000-55d0c0a23000 r-xp 00004000 fe:01 1311 /usr/bin/my prog").unwrap();
        assert_eq!((line.start, line.end), (0x55d0_c0a0_0000, 0x55d0_c0a2_3000));
        assert_eq!((line.offset, line.inode, line.path), (0x4000, 1311, &b"/usr/bin/my prog"[..]));
        assert!(parse(b"55d0c0a00000-55d0c0a23000 rw-p 00004000 fe:01 1311 /usr/bin/x").is_none());
        assert!(parse(b"7ffc-7ffd r-xp 00000000 00:00 0 [vdso]").is_none());
        assert!(parse(b"").is_none());
        assert!(parse(b"\xff/\xff").is_none());
    }

    #[test]
    fn this_process_finds_itself() {
        let maps = Maps::read(std::process::id(), &mut Elves::default()).unwrap();
        let here = this_process_finds_itself as fn() as usize as u64;
        let place = maps.find(here).unwrap();
        assert_eq!(place.elf.name, std::env::current_exe().unwrap().as_os_str().as_bytes());
        assert!(maps.find(1).is_none());
    }
}
