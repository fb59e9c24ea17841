//! The traced command: started as the user who called sudo, held before its first instruction until everything is
//! attached, and waited for together with the daemons it leaves.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::thread::JoinHandle;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use rustix::pipe::PipeFlags;

use crate::privileges::Invoker;

/// Why a command cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No command was given.
    #[error("no command was given: write it after `--`")]
    Empty,
    /// It could not be started.
    #[error("cannot run `{program}`: {source}")]
    Start {
        /// the program
        program: String,
        /// the answer
        source: io::Error,
    },
}

/// A command that has a pid and has not begun.
pub struct Held {
    program: String,
    pid: u32,
    gate: File,
    starter: JoinHandle<io::Result<Child>>,
}

/// A command that runs.
pub struct Running {
    child: Child,
}

/// What a command is given beside its arguments.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// variables of the environment
    pub env: Vec<(String, String)>,
    /// an fd that stays open over exec
    pub keep: Option<i32>,
    /// the program that it is there to run, where that is another one
    pub program: Option<OsString>,
}

/// Forks the command and holds it before exec. Call it before privileges are given up.
///
/// # Errors
/// [`Error`] when there is no command, no such program or no process can be made. That the program may not be run shows at
/// [`Held::release`].
pub fn hold(argv: &[OsString], invoker: Option<&Invoker>, given: &Given) -> Result<Held, Error> {
    let (program, args) = argv.split_first().ok_or(Error::Empty)?;
    let meant = given.program.as_ref().unwrap_or(program);
    let name = meant.to_string_lossy().into_owned();
    let failed = |source: io::Error| Error::Start { program: name.clone(), source };
    if is_missing(Path::new(meant)) {
        return Err(failed(io::Error::from_raw_os_error(libc::ENOENT)));
    }
    let pipe = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|e| failed(e.into()));
    let (gate_in, gate_out) = pipe()?;
    let (pid_in, pid_out) = pipe()?;

    let mut command = Command::new(program);
    command.args(args).envs(given.env.iter().map(|(name, value)| (name, value)));
    if let Some(user) = invoker {
        command.env("HOME", &user.home).env("USER", &user.name).env("LOGNAME", &user.name);
    }
    let user = invoker.cloned();
    // The child closes its copy of the gate's other end, or it would never see that gemscope is gone.
    let other_end = gate_out.as_raw_fd();
    let keep = given.keep;
    let wait_at_gate = move || -> io::Result<()> {
        drop_fd(other_end);
        keep.map_or(Ok(()), keep_fd)?;
        // What gemscope waits for by itself is blocked here, and would be for the command: nobody could end or interrupt it.
        SigSet::empty().thread_set_mask()?;
        rustix::io::write(&pid_out, &std::process::id().to_ne_bytes())?;
        let mut byte = [0];
        if rustix::io::read(&gate_in, &mut byte)? == 0 {
            return Err(io::Error::from_raw_os_error(libc::ECANCELED));
        }
        user.as_ref().map_or(Ok(()), Invoker::become_user)
    };
    // SAFETY: between fork and exec only system calls are made: write, read, close, the change of the mask and of the user, on memory
    // that was prepared before; nothing allocates or takes a lock.
    unsafe { command.pre_exec(wait_at_gate) };

    // `spawn` returns when exec has succeeded or failed, so it waits in a thread of its own for the gate.
    let starter = std::thread::spawn(move || command.spawn());
    let mut pid = [0; 4];
    match File::from(pid_in).read_exact(&mut pid) {
        Ok(()) => {
            Ok(Held { program: name, pid: u32::from_ne_bytes(pid), gate: File::from(gate_out), starter })
        }
        Err(_) => {
            drop(gate_out);
            match starter.join() {
                Ok(Err(source)) => Err(failed(source)),
                _ => Err(failed(io::Error::other("it ended before it began"))),
            }
        }
    }
}

/// Is there surely no such program, neither at its path nor on `PATH`? Attaching takes seconds: a typing error should not.
fn is_missing(program: &Path) -> bool {
    let absent = |path: &Path| path.symlink_metadata().is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
    if program.components().count() != 1 {
        return absent(program);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    !path.is_empty() && std::env::split_paths(&path).all(|dir| absent(&dir.join(program)))
}

/// Closes an fd of the parent in the child.
fn drop_fd(fd: i32) {
    // SAFETY: called between fork and exec, where the child has its own copy of the fd table and nothing else in the
    // child will use or close this number.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
}

/// Lets an fd of the parent live on over exec.
fn keep_fd(fd: i32) -> io::Result<()> {
    // SAFETY: called between fork and exec; the parent has this fd open until the command has begun, and so has the child.
    let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
    Ok(rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty())?)
}

impl Held {
    /// The process id that the command has and will keep.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Lets it begin.
    ///
    /// # Errors
    /// [`Error::Start`] when the program cannot be executed.
    pub fn release(mut self) -> Result<Running, Error> {
        let program = std::mem::take(&mut self.program);
        let failed = |source: io::Error| Error::Start { program: program.clone(), source };
        self.gate.write_all(&[1]).map_err(failed)?;
        match self.starter.join() {
            Ok(Ok(child)) => Ok(Running { child }),
            Ok(Err(source)) => Err(failed(source)),
            Err(_) => Err(failed(io::Error::other("the starting thread died"))),
        }
    }
}

impl Running {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its status, if it has ended.
    ///
    /// # Errors
    /// The kernel's refusal to wait.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// The kernel's refusal to wait.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// It has ended, or may not be signalled.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        let signal = Signal::try_from(signal).map_err(io::Error::from)?;
        Ok(nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.child.id() as i32), signal)?)
    }
}

/// Makes daemons that the command leaves behind children of this process, so that their end can be awaited.
///
/// # Errors
/// The kernel's refusal.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// Reaps adopted orphans that have ended; the command itself is left to [`Running::wait`].
pub fn reap_orphans(command: u32) {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    while let Ok(status) = waitid(Id::All, flags) {
        let pid = match status {
            WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, _, _) => pid,
            _ => return,
        };
        if pid.as_raw() as u32 == command || waitpid(pid, Some(WaitPidFlag::WNOHANG)).is_err() {
            return;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Leaving it a zombie would keep its pid; a running command is left running.
        let _ = self.child.try_wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn a_held_command_runs_when_released() {
        let held = hold(&words("/bin/sh -c true"), None, &Given::default()).unwrap();
        let pid = held.pid();
        let mut running = held.release().unwrap();
        assert_eq!(running.pid(), pid);
        assert!(running.wait().unwrap().success());
    }

    #[test]
    fn what_is_blocked_here_ends_the_command() {
        use std::os::unix::process::ExitStatusExt as _;

        let term = SigSet::from(Signal::SIGTERM);
        term.thread_block().unwrap();
        let argv = ["/bin/sh", "-c", "kill -TERM $$; exit 3"].map(OsString::from);
        let status = hold(&argv, None, &Given::default()).unwrap().release().unwrap().wait().unwrap();
        term.thread_unblock().unwrap();
        assert_eq!(status.signal(), Some(libc::SIGTERM));
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        for name in ["/no/such/program", "no-such-program-here", "./no-such-program"] {
            let Err(error) = hold(&words(name), None, &Given::default()) else { panic!("`{name}` is held") };
            assert!(error.to_string().contains(name), "{error}");
        }
        assert!(matches!(hold(&[], None, &Given::default()), Err(Error::Empty)));
    }

    #[test]
    fn a_program_that_may_not_be_run_is_named() {
        let Err(error) = hold(&words("/etc/passwd"), None, &Given::default()).unwrap().release() else {
            panic!("it ran")
        };
        assert!(error.to_string().contains("/etc/passwd"), "{error}");
    }

    #[test]
    fn a_command_that_is_never_released_ends() {
        let held = hold(&words("/bin/sh -c true"), None, &Given::default()).unwrap();
        let Held { gate, starter, .. } = held;
        drop(gate);
        assert!(starter.join().unwrap().is_err());
    }
}
