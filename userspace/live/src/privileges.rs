//! Who gemscope works for, and what it gives up once the probes are attached.
//!
//! Loading and attaching need root. What comes after reads bytes that other programs chose (names, paths, ELF files),
//! so it runs as the user who called sudo and keeps three capabilities only:
//!
//! * `CAP_BPF`: older kernels refuse even map look-ups (stacks) and program statistics without it;
//! * `CAP_SYS_PTRACE` and `CAP_DAC_READ_SEARCH`: `/proc/PID/fd` and `/proc/PID/maps` of other users' processes, for who
//!   holds a buffer and for user stacks.
//!
//! Capabilities belong to threads: give them up before the first thread is started.

use nix::unistd::{Gid, Group, Uid, User, setgroups, setresgid, setresuid};
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::ffi::CString;
use std::path::PathBuf;

/// The user on whose behalf gemscope runs.
#[derive(Clone, Debug)]
pub struct Invoker {
    /// user id
    pub uid: Uid,
    /// primary group id
    pub gid: Gid,
    /// every group, the primary one included
    pub groups: Vec<Gid>,
    /// login name
    pub name: String,
    /// home directory
    pub home: PathBuf,
}

/// Why privileges could not be arranged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `SUDO_UID` names nobody.
    #[error("SUDO_UID is `{0}`, which is no user of this machine: unset it to run everything as root")]
    NoSuchUser(String),
    /// A system call failed.
    #[error("cannot {what}: {source}")]
    System {
        /// what was tried
        what: &'static str,
        /// the answer
        source: std::io::Error,
    },
}

fn system<E: Into<std::io::Error>>(what: &'static str) -> impl FnOnce(E) -> Error {
    move |e| Error::System { what, source: e.into() }
}

impl Invoker {
    /// The user who called sudo, when this is root by sudo; `None` when it is not.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`] when `SUDO_UID` is set and names nobody.
    pub fn from_sudo() -> Result<Option<Self>, Error> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        match std::env::var("SUDO_UID") {
            Ok(text) if text != "0" => Self::by_uid(&text).map(Some),
            _ => Ok(None),
        }
    }

    fn by_uid(text: &str) -> Result<Self, Error> {
        let nobody = || Error::NoSuchUser(text.escape_default().to_string());
        let uid: u32 = text.parse().map_err(|_| nobody())?;
        let user = User::from_uid(Uid::from_raw(uid)).ok().flatten().ok_or_else(nobody)?;
        let name = CString::new(user.name.as_bytes()).map_err(|_| nobody())?;
        let groups = nix::unistd::getgrouplist(&name, user.gid).unwrap_or_else(|_| vec![user.gid]);
        Ok(Self { uid: user.uid, gid: user.gid, groups, name: user.name, home: user.dir })
    }

    /// Becomes this user, for good. Safe between fork and exec: system calls only.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn become_user(&self) -> std::io::Result<()> {
        setgroups(&self.groups)?;
        setresgid(self.gid, self.gid, self.gid)?;
        setresuid(self.uid, self.uid, self.uid)?;
        Ok(())
    }
}

/// Does this user belong to the group that may open render nodes? For advice only.
#[must_use]
pub fn in_group(name: &str) -> bool {
    let Ok(Some(group)) = Group::from_name(name) else { return false };
    nix::unistd::getgroups().is_ok_and(|groups| groups.contains(&group.gid))
}

/// Gives up everything that reading no longer needs, and becomes `invoker` when there is one.
///
/// # Errors
/// [`Error::System`]: nothing may go on with more rights than it should have, so treat it as fatal.
pub fn give_up(invoker: Option<&Invoker>) -> Result<(), Error> {
    let keep = CapabilitySet::BPF | CapabilitySet::SYS_PTRACE | CapabilitySet::DAC_READ_SEARCH;
    rustix::thread::set_keep_capabilities(true)
        .map_err(system("keep capabilities over the change of user"))?;
    if let Some(invoker) = invoker {
        invoker.become_user().map_err(system("become the user who called sudo"))?;
    }
    let have = rustix::thread::capabilities(None).map_err(system("read capabilities"))?.permitted;
    let kept = CapabilitySets {
        effective: have & keep,
        permitted: have & keep,
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, kept).map_err(system("give up capabilities"))?;
    rustix::thread::set_keep_capabilities(false).map_err(system("end keeping capabilities"))?;
    rustix::thread::set_no_new_privs(true).map_err(system("refuse new privileges"))?;
    Ok(())
}
