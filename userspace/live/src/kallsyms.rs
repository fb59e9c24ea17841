//! The text of `/proc/kallsyms`: 10 MB that the kernel makes anew for each reader, which takes it longer than all else that a start
//! asks for. It is read once, and dropped by the last who needs it.

use std::fs;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

static KEPT: Mutex<Option<Arc<Vec<u8>>>> = Mutex::new(None);

/// The text; it is kept for [`last`].
pub(crate) fn text() -> io::Result<Arc<Vec<u8>>> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    match &*kept {
        Some(text) => Ok(Arc::clone(text)),
        None => {
            let text = Arc::new(fs::read("/proc/kallsyms")?);
            *kept = Some(Arc::clone(&text));
            Ok(text)
        }
    }
}

/// The text, for whoever asks last: it is not kept any longer.
pub(crate) fn last() -> io::Result<Arc<Vec<u8>>> {
    let text = text();
    *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = None;
    text
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
    fn the_text_is_kept_until_the_last_has_it() {
        let (Ok(first), Ok(second)) = (text(), text()) else { return };
        assert!(Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(&first, &last().unwrap()));
        assert!(KEPT.lock().unwrap().is_none());
    }
}
