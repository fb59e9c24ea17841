//! Which frames of a stack tell where something was done.

use crate::subject::{Frame, Subject};

/// Does a function only pass a call on to the kernel? `place` is the file or module that it is of.
#[must_use]
pub fn is_wrapper(function: &str, place: &str) -> bool {
    const FUNCTIONS: &[&str] = &["__ioctl", "ioctl", "syscall", "__close", "close"];
    const LIBRARIES: &[&str] = &["libc.so", "libc-", "libdrm", "ld-linux", "libpthread"];
    // libdrm's own names go on with a capital: drmIoctl, drmModeAddFB2.
    let of_libdrm =
        function.strip_prefix("drm").is_some_and(|rest| rest.starts_with(|c: char| c.is_uppercase()));
    let of_libc = FUNCTIONS.contains(&function) || function.starts_with("__GI_");
    of_libdrm || of_libc || LIBRARIES.iter().any(|l| place.contains(l))
}

/// The first of the functions, innermost first, that only run what comes before them: what is before `main`, and before the function
/// of a thread.
#[must_use]
pub fn runtime_from<T: AsRef<str>>(functions: &[T]) -> Option<usize> {
    const RUNTIME: &[&str] = &[
        "__rust_begin_short_backtrace",
        "std::sys::backtrace::__rust_begin_short_backtrace",
        "std::rt::lang_start",
        "__libc_start_call_main",
        "__libc_start_main",
        "start_thread",
    ];
    let begins = |function: &T| RUNTIME.iter().any(|r| function.as_ref().starts_with(r));
    let mut from = functions.iter().position(begins)?;
    // Rust calls `main` through a function pointer.
    while from > 0 && functions[from - 1].as_ref().starts_with("call_once<") {
        from -= 1;
    }
    Some(from)
}

impl Frame {
    /// Does it only pass a call on to the kernel?
    #[must_use]
    pub fn is_wrapper(&self) -> bool {
        is_wrapper(&self.function, &self.module)
    }
}

impl Subject {
    /// The program's own frames, innermost first: without those that only pass calls on. Where no program's frame is known, those
    /// of the kernel.
    pub fn own_frames(&self) -> impl Iterator<Item = &Frame> {
        let known = |f: &&Frame| !f.function.is_empty() || !f.module.is_empty();
        let own = move |f: &&Frame| known(f) && !f.is_wrapper();
        let user = self.user.iter().filter(own);
        // Only where the program says nothing.
        let kernel: &[Frame] = if user.clone().next().is_some() { &[] } else { &self.kernel };
        user.chain(kernel.iter().filter(|f| !f.function.is_empty()))
    }

    /// The one frame that tells most of where it was done: the first of [`Subject::own_frames`] that has a name.
    #[must_use]
    pub fn place(&self) -> Option<&Frame> {
        self.own_frames().find(|f| !f.function.is_empty()).or_else(|| self.own_frames().next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, module: &str) -> Frame {
        Frame { function: function.to_owned(), module: module.to_owned(), ..Frame::default() }
    }

    #[test]
    fn the_place_is_the_programs_own() {
        let subject = Subject {
            user: vec![
                frame("ioctl", "libc.so.6"),
                frame("drmIoctl", "libdrm.so.2"),
                frame("", ""),
                frame("", "libgallium.so"),
                frame("pool_alloc", "libgallium.so"),
            ],
            kernel: vec![frame("drm_ioctl", "drm")],
            ..Subject::default()
        };
        assert_eq!(subject.place(), Some(&frame("pool_alloc", "libgallium.so")));
        assert_eq!(subject.own_frames().count(), 2);
    }

    #[test]
    fn without_a_program_it_is_the_kernels() {
        let kernel = vec![frame("", ""), frame("drm_gem_handle_create", "drm")];
        let subject = Subject { user: vec![frame("ioctl", "libc.so.6")], kernel, ..Subject::default() };
        assert_eq!(subject.place().map(|f| f.function.as_str()), Some("drm_gem_handle_create"));
        assert_eq!(Subject::default().place(), None);
    }
}
