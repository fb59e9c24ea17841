//! A writer for the archive format that the kernel unpacks at boot (cpio, "newc").

use std::collections::BTreeSet;

/// An archive being written; parent folders come by themselves.
#[derive(Debug, Default)]
pub struct Cpio {
    bytes: Vec<u8>,
    next: u32,
    folders: BTreeSet<String>,
}

const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const DEVICE: u32 = 0o020_000;

impl Cpio {
    /// Adds a folder and those above it.
    pub fn folder(&mut self, path: &str) {
        let path = path.trim_matches('/');
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        for end in ends {
            let Some(name) = path.get(..end).filter(|name| !name.is_empty()) else { continue };
            if self.folders.insert(name.to_owned()) {
                self.entry(name, FOLDER | 0o755, &[], (0, 0));
            }
        }
    }

    /// Adds a file with its permission bits.
    pub fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.parent(path);
        self.entry(path.trim_matches('/'), FILE | (mode & 0o7777), content, (0, 0));
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &str, to: &str) {
        self.parent(path);
        self.entry(path.trim_matches('/'), LINK | 0o777, to.as_bytes(), (0, 0));
    }

    /// Adds a character device.
    pub fn device(&mut self, path: &str, mode: u32, number: (u32, u32)) {
        self.parent(path);
        self.entry(path.trim_matches('/'), DEVICE | mode, &[], number);
    }

    /// Ends the archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[], (0, 0));
        self.bytes
    }

    fn parent(&mut self, path: &str) {
        if let Some((parent, _)) = path.trim_matches('/').rsplit_once('/') {
            self.folder(parent);
        }
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8], (major, minor): (u32, u32)) {
        self.next += 1;
        let size = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let name_size = u32::try_from(name.len()).unwrap_or(u32::MAX).saturating_add(1);
        // Inode, mode, owner, group, links, time, size, device (major, minor), device number, name size, check sum.
        let fields = [self.next, mode, 0, 0, 1, 0, size, 0, 0, major, minor, name_size, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_starts_on_a_word_and_folders_come_once() {
        let mut archive = Cpio::default();
        archive.file("a/b/c", 0o755, b"hello");
        archive.file("/a/b/d", 0o644, b"");
        archive.link("a/e", "b/c");
        let bytes = archive.finish();
        assert_eq!(bytes.len() % 4, 0);
        let starts: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"070701")).collect();
        assert!(starts.iter().all(|at| at % 4 == 0));
        let names: Vec<&[u8]> = starts
            .iter()
            .map(|at| {
                let rest = &bytes[at + 110..];
                &rest[..rest.iter().position(|byte| *byte == 0).expect("a name ends")]
            })
            .collect();
        let want: [&[u8]; 6] = [b"a", b"a/b", b"a/b/c", b"a/b/d", b"a/e", b"TRAILER!!!"];
        assert_eq!(names, want);
    }
}
