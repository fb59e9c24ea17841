//! The tables of fds of a process: one for all its threads, unless a thread took its own (`unshare(CLONE_FILES)`).

/// One thread for each table of fds. What cannot be compared counts as different: looking twice does no harm.
pub(crate) fn distinct(tids: &[u32], same: fn(u32, u32) -> Option<bool>) -> Vec<u32> {
    let mut tables: Vec<u32> = Vec::new();
    for tid in tids {
        if !tables.iter().any(|known| same(*known, *tid) == Some(true)) {
            tables.push(*tid);
        }
    }
    tables
}

/// Do these two threads have one table of fds? `None` when the kernel does not tell: it was built without `kcmp`, or a
/// thread has ended, or may not be asked about.
pub(crate) fn same_files(a: u32, b: u32) -> Option<bool> {
    /// `KCMP_FILES` of the kernel.
    const FILES: libc::c_long = 2;
    let none: libc::c_long = 0;
    // SAFETY: kcmp(2) takes numbers only, and compares.
    let ret = unsafe {
        libc::syscall(libc::SYS_kcmp, libc::c_long::from(a), libc::c_long::from(b), FILES, none, none)
    };
    (ret >= 0).then_some(ret == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_for_each_table() {
        assert!(distinct(&[], |_, _| None).is_empty());
        assert_eq!(distinct(&[1, 2, 3], |_, _| Some(true)), [1]);
        assert_eq!(distinct(&[1, 2, 3], |_, _| None), [1, 2, 3]);
        // Odd and even ones have a table each.
        assert_eq!(distinct(&[1, 2, 3, 4], |a, b| Some(a % 2 == b % 2)), [1, 2]);
    }

    #[test]
    fn a_thread_that_left_the_common_table_is_told() {
        let own = rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned();
        if same_files(own, own).is_none() {
            // This kernel, or a sandbox around us, does not let compare.
            return;
        }
        let shared = std::thread::scope(|s| {
            let other = s.spawn(move || {
                let tid = rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned();
                let before = same_files(own, tid);
                // SAFETY: this thread gets a copy of the table of fds; nobody relies on its sharing.
                assert_eq!(unsafe { libc::unshare(libc::CLONE_FILES) }, 0);
                (before, same_files(own, tid))
            });
            other.join().unwrap()
        });
        assert_eq!(shared, (Some(true), Some(false)));
    }
}
