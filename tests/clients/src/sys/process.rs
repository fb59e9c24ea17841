//! Processes and signals: fork, exec, wait, die.

use std::convert::Infallible;
use std::ffi::CString;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

use super::check;
use crate::outcome::{Answer, EXIT_DONE, EXIT_SKIPPED, Failed, Outcome, Stop};
use crate::steps::{note, note_done};
use crate::sys::fd::Fd;

/// A process id.
pub type Pid = i32;

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It called exit with this code.
    Exit(i32),
    /// This signal killed it.
    Signal(i32),
}

/// The calling thread's id.
pub fn thread_id() -> i32 {
    // SAFETY: the call has no arguments and cannot fail.
    unsafe { libc::gettid() }
}

/// Gives the calling thread the name that ps and tracers show; of a process's first thread it is the process's name.
///
/// # Errors
/// As prctl(2) PR_SET_NAME; EINVAL for a name with a NUL in it.
pub fn set_name(name: &str) -> Answer {
    let Ok(name) = CString::new(name) else {
        return Err(Failed { what: "PR_SET_NAME", errno: libc::EINVAL });
    };
    // SAFETY: `name` is a NUL-terminated string that lives across the call.
    check("PR_SET_NAME", unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) }).map(drop)
}

/// This process's id.
pub fn process_id() -> Pid {
    std::process::id().cast_signed()
}

/// Keeps the calling thread on one cpu: the `index`-th of those it may run on, counted round and round.
///
/// # Errors
/// As sched_setaffinity(2).
pub fn stay_on_cpu(index: usize) -> Answer {
    // SAFETY: `cpu_set_t` is plain data for which all zeroes is a value, the empty set; the macros only read and write it.
    unsafe {
        let mut allowed: libc::cpu_set_t = std::mem::zeroed();
        check("sched_getaffinity", libc::sched_getaffinity(0, size_of_val(&allowed), &raw mut allowed))?;
        let cpus: Vec<usize> =
            (0..libc::CPU_SETSIZE as usize).filter(|cpu| libc::CPU_ISSET(*cpu, &allowed)).collect();
        let mut one: libc::cpu_set_t = std::mem::zeroed();
        if let Some(cpu) = cpus.get(index % cpus.len().max(1)) {
            libc::CPU_SET(*cpu, &mut one);
        }
        check("sched_setaffinity", libc::sched_setaffinity(0, size_of_val(&one), &raw const one)).map(drop)
    }
}

/// Forks a child that runs `body` and then exits normally with the code of its outcome.
///
/// Call it only while this process has one thread: the child uses the allocator and std.
///
/// # Errors
/// As fork(2).
#[inline(never)]
pub fn fork_child(body: impl FnOnce() -> Outcome) -> Answer<Pid> {
    // What stands in the buffer would otherwise be printed by both processes.
    let _ = std::io::stdout().flush();
    // SAFETY: the caller has one thread, so the child starts with no lock held by a thread that it lacks.
    let ret = unsafe { libc::fork() };
    if ret == 0 {
        std::process::exit(crate::finish(body()));
    }
    note(check("fork", ret), || "fork".to_owned(), |pid| format!("pid={pid}"))
}

/// Waits for the end of one child.
///
/// # Errors
/// As waitpid(2).
#[inline(never)]
pub fn wait(pid: Pid) -> Answer<Ended> {
    let mut status = 0;
    // SAFETY: `status` is writable.
    let ret = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    let ended = check("waitpid", ret).map(|_| {
        if libc::WIFSIGNALED(status) {
            Ended::Signal(libc::WTERMSIG(status))
        } else {
            Ended::Exit(libc::WEXITSTATUS(status))
        }
    });
    note(ended, || format!("wait pid={pid}"), |ended| format!("{ended:?}"))
}

/// Waits for a child and demands that it did its part.
///
/// # Errors
/// When it was skipped, failed, or was killed.
pub fn wait_well(pid: Pid) -> Outcome {
    match wait(pid)? {
        Ended::Exit(EXIT_DONE) => Ok(()),
        Ended::Exit(EXIT_SKIPPED) => Err(Stop::Skip("a child process was skipped, see above".to_owned())),
        other => Err(Stop::Unexpected(format!("child {pid} ended with {other:?}"))),
    }
}

/// Takes a copy of another process's descriptor (5.6).
///
/// # Errors
/// As pidfd_open(2) and pidfd_getfd(2): EPERM without the right to trace the process.
#[inline(never)]
pub fn take_fd(pid: Pid, fd: Fd) -> Answer<Fd> {
    // SAFETY: no memory is passed.
    let ret = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let process = check("pidfd_open", ret as libc::c_int).map(Fd)?;
    // SAFETY: no memory is passed.
    let ret = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.0, fd.0, 0) };
    let taken = check("pidfd_getfd", ret as libc::c_int).map(Fd);
    let taken = note(taken, || format!("pidfd-getfd pid={pid} fd={fd}"), |fd| format!("fd={fd}"));
    process.close()?;
    taken
}

/// Kills a child that may have ended already.
///
/// # Errors
/// As kill(2).
#[inline(never)]
pub fn kill(pid: Pid) -> Answer {
    // SAFETY: no memory is passed.
    note_done(check("kill", unsafe { libc::kill(pid, libc::SIGKILL) }).map(drop), || {
        format!("kill pid={pid}")
    })
}

/// Replaces this process by the same program with other arguments.
///
/// # Errors
/// As execve(2); it does not return otherwise.
#[inline(never)]
pub fn exec_self(args: &[String]) -> Answer<Infallible> {
    let mut command = std::process::Command::new("/proc/self/exe");
    // The name that is shown by ps and in the process's comm stays readable.
    command.arg0("gemclient").args(args);
    if crate::steps::is_on() {
        command.arg("--trace-steps");
    }
    let error = command.exec();
    Err(Failed { what: "execve", errno: error.raw_os_error().unwrap_or(libc::EIO) })
}

/// Runs the same program with other arguments beside this one, and waits until it has done its part.
///
/// # Errors
/// When it cannot be started, or ends otherwise.
#[inline(never)]
pub fn spawn_self(args: &[&str]) -> Outcome {
    let status = std::process::Command::new("/proc/self/exe").arg0("gemclient").args(args).status();
    match status.map(|status| status.code()) {
        Ok(Some(EXIT_DONE)) => Ok(()),
        Ok(code) => Err(Stop::Unexpected(format!("the helper ended with {code:?}"))),
        Err(error) => Err(Stop::Unexpected(format!("cannot start the helper: {error}"))),
    }
}

/// Has `handler` called when this process exits normally.
///
/// # Errors
/// ENOMEM when there is no room for it.
pub fn at_exit(handler: extern "C" fn()) -> Answer {
    // SAFETY: the handler is a function of this program, which lives as long as the process.
    match unsafe { libc::atexit(handler) } {
        0 => Ok(()),
        _ => Err(Failed { what: "atexit", errno: libc::ENOMEM }),
    }
}

/// Leaves the parent's session, as daemons do.
///
/// # Errors
/// As setsid(2).
pub fn new_session() -> Answer {
    // SAFETY: no memory is passed.
    check("setsid", unsafe { libc::setsid() }).map(drop)
}

/// Ends this process by a signal that nothing can catch.
#[inline(never)]
pub fn kill_self() -> Answer<Infallible> {
    // SAFETY: no memory is passed; the process ends here.
    let ret = unsafe { libc::raise(libc::SIGKILL) };
    check("raise", ret)?;
    Err(Failed { what: "raise", errno: libc::EINTR })
}

/// Set by SIGTERM once [`end_on_term`] was called.
static TERM: AtomicBool = AtomicBool::new(false);

/// From here on SIGTERM does not end the process: the scenario asks for it with [`term_came`], and ends well.
///
/// # Errors
/// As sigaction(2).
pub fn end_on_term() -> Answer {
    extern "C" fn note_term(_signal: libc::c_int) {
        TERM.store(true, Ordering::Relaxed);
    }
    // SAFETY: `sigaction` is plain data for which all zeroes is a value: no flags, nothing blocked. The handler only stores to
    // an atomic.
    let ret = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = note_term as extern "C" fn(libc::c_int) as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGTERM, &raw const action, std::ptr::null_mut())
    };
    check("sigaction", ret).map(drop)
}

/// Has SIGTERM come?
pub fn term_came() -> bool {
    TERM.load(Ordering::Relaxed)
}

/// Blocks SIGUSR1 for this thread, so that [`wait_for_usr1`] can take it even when it comes early.
///
/// # Errors
/// As pthread_sigmask(3).
pub fn block_usr1() -> Answer {
    let set = usr1_set();
    // SAFETY: `set` is initialised, and the old mask is not asked for.
    let ret = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    if ret == 0 { Ok(()) } else { Err(Failed { what: "pthread_sigmask", errno: ret }) }
}

/// Waits for a SIGUSR1 that [`block_usr1`] holds back, at most `seconds`; false when the time ran out.
///
/// # Errors
/// As sigtimedwait(2).
pub fn wait_for_usr1(seconds: u64) -> Answer<bool> {
    let set = usr1_set();
    let limit = libc::timespec { tv_sec: seconds.cast_signed(), tv_nsec: 0 };
    // SAFETY: `set` and `limit` are initialised; no information about the signal is asked for.
    let ret = unsafe { libc::sigtimedwait(&raw const set, std::ptr::null_mut(), &raw const limit) };
    match check("sigtimedwait", ret) {
        Ok(_) => Ok(true),
        Err(Failed { errno: libc::EAGAIN, .. }) => Ok(false),
        Err(failed) => Err(failed),
    }
}

/// The signal set {SIGUSR1}.
fn usr1_set() -> libc::sigset_t {
    // SAFETY: `sigset_t` is plain data that `sigemptyset` initialises; both calls only write to it.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGUSR1);
        set
    }
}

/// Makes a named pipe unless `path` exists already; true when it was made.
///
/// # Errors
/// As mkfifo(3).
pub fn make_fifo(path: &str) -> Answer<bool> {
    let Ok(name) = std::ffi::CString::new(path) else {
        return Err(Failed { what: "mkfifo", errno: libc::EINVAL });
    };
    // SAFETY: `name` is a NUL-terminated string that lives across the call.
    let ret = unsafe { libc::mkfifo(name.as_ptr(), 0o600) };
    match check("mkfifo", ret) {
        Ok(_) => Ok(true),
        Err(Failed { errno: libc::EEXIST, .. }) => Ok(false),
        Err(failed) => Err(failed),
    }
}
