//! The text of `/proc/kallsyms`: 10 MB that the kernel makes anew for each reader, which takes it longer than all else that a start
//! asks for. It is read once, and dropped by the last who needs it.

use std::fs;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

static KEPT: Kept = Kept(Mutex::new(None));

struct Kept(Mutex<Option<Arc<Vec<u8>>>>);

impl Kept {
    /// What is kept, or what is read now; it is kept afterwards or not.
    fn get(&self, keep: bool, read: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<Arc<Vec<u8>>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = match kept.take() {
            Some(text) => text,
            None => Arc::new(read()?),
        };
        *kept = keep.then(|| Arc::clone(&text));
        Ok(text)
    }
}

fn read() -> io::Result<Vec<u8>> {
    fs::read("/proc/kallsyms")
}

/// The text; it is kept for [`last`].
pub(crate) fn text() -> io::Result<Arc<Vec<u8>>> {
    KEPT.get(true, read)
}

/// The text, for whoever asks last: it is not kept any longer.
pub(crate) fn last() -> io::Result<Arc<Vec<u8>>> {
    KEPT.get(false, read)
}

/// Is there a symbol of this name, or what the compiler made of it, and not only one that begins with it?
pub(crate) fn has(text: &[u8], name: &str) -> bool {
    // Address, kind, name, and for modules a tab and the module's.
    let is_name = |at: usize| {
        let rest = text.get(at + 1..).and_then(|rest| rest.strip_prefix(name.as_bytes()));
        rest.is_some_and(|rest| rest.first().is_none_or(|next| next.is_ascii_whitespace() || *next == b'.'))
    };
    text.iter().enumerate().any(|(at, byte)| *byte == b' ' && is_name(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_is_found_by_its_whole_name() {
        let text = b"0 T a\n0000000000000000 t dma_buf_iter_begin\nff t drm_open\t[drm]\n0 T last";
        assert!(
            has(text, "dma_buf_iter_begin") && has(text, "drm_open") && has(text, "a") && has(text, "last")
        );
        assert!(has(b"0 t drm_open.isra.0", "drm_open"));
        assert!(
            !has(text, "dma_buf_iter")
                && !has(text, "buf_iter_begin")
                && !has(text, "[drm]")
                && !has(b"", "a")
        );
    }

    #[test]
    fn the_text_is_read_once_for_all_until_the_last() {
        let (kept, mut reads) = (Kept(Mutex::new(None)), 0);
        let mut get = |keep| {
            let read = || {
                reads += 1;
                Ok(vec![reads])
            };
            kept.get(keep, read).unwrap()[0]
        };
        assert_eq!([get(true), get(true), get(false)], [1, 1, 1]);
        assert_eq!([get(false), get(true), get(true)], [2, 3, 3]);
        let failed = Kept(Mutex::new(None)).get(true, || Err(io::ErrorKind::PermissionDenied.into()));
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
