//! The control socket: who knows when a program should be back where it was says so, and a mark is set.
//!
//! A line asks, a line answers: `mark NAME` is answered with `ok` once the mark stands in the records. The socket has a name and no
//! file (`@gemscope/PID`), so that nothing is left behind; with `--control FILE` it is a file.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use gemscope_live::privileges::Invoker;
use gemscope_report::escape;

/// The variable that tells a traced command where to say so.
pub const VARIABLE: &str = "GEMSCOPE_CONTROL";
/// Names of sockets without a file begin with this; the pid of gemscope follows.
const PREFIX: &str = "gemscope/";
/// The longest line.
const LONGEST: usize = 256;
/// So many may be connected at once.
const MOST: usize = 64;

/// The end that gemscope listens on.
pub struct Control {
    listener: UnixListener,
    /// where it is, as the variable tells it
    address: String,
    file: Option<PathBuf>,
    /// who may ask, beside root
    uid: u32,
    guests: Vec<Guest>,
}

struct Guest {
    stream: UnixStream,
    line: Vec<u8>,
}

/// Somebody who waits for a mark to be set.
pub struct Asker(Option<UnixStream>);

impl Asker {
    /// Nobody: a signal asked.
    pub const NOBODY: Self = Self(None);

    /// It is done.
    pub fn done(self) {
        if let Some(mut stream) = self.0 {
            // Who does not wait for the answer does not miss it.
            let _ = stream.write_all(b"ok\n");
        }
    }
}

impl Control {
    /// Begins to listen; with a path at a file of the user who called sudo. Call it before privileges are given up.
    ///
    /// # Errors
    /// The name or the path is taken, or may not be.
    pub fn open(path: Option<&Path>, invoker: Option<&Invoker>) -> anyhow::Result<Self> {
        let (listener, address) = match path {
            Some(path) => {
                let listener = UnixListener::bind(path).with_context(|| {
                    format!(
                        "cannot make the control socket `{}`: choose a path where nothing is",
                        path.display()
                    )
                })?;
                if let Some(user) = invoker {
                    std::os::unix::fs::chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
                }
                (listener, path.to_string_lossy().into_owned())
            }
            None => named()?,
        };
        listener.set_nonblocking(true)?;
        let own = rustix::process::geteuid().as_raw();
        let uid = invoker.map_or(own, |user| user.uid.as_raw());
        Ok(Self { listener, address, file: path.map(Path::to_owned), uid, guests: Vec::new() })
    }

    /// Where it is, for [`VARIABLE`].
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The marks that are asked for now.
    pub fn asked(&mut self) -> Vec<(String, Asker)> {
        while self.guests.len() < MOST
            && let Ok((stream, _)) = self.listener.accept()
        {
            if self.may_ask(&stream) && stream.set_nonblocking(true).is_ok() {
                self.guests.push(Guest { stream, line: Vec::new() });
            }
        }
        let mut marks = Vec::new();
        self.guests.retain_mut(|guest| guest.listen(&mut marks));
        marks
    }

    /// Root, or the user that gemscope works for: names of marks go into their report.
    fn may_ask(&self, stream: &UnixStream) -> bool {
        let peer = rustix::net::sockopt::socket_peercred(stream.as_fd());
        peer.is_ok_and(|peer| peer.uid.is_root() || peer.uid.as_raw() == self.uid)
    }
}

/// A socket with a name and no file. Names are those of the network namespace, pids those of another one: a container may have
/// taken it.
fn named() -> anyhow::Result<(UnixListener, String)> {
    const TRIES: u32 = 64;
    let pid = std::process::id();
    let mut names = std::iter::once(format!("{PREFIX}{pid}"))
        .chain((1..TRIES).map(|again| format!("{PREFIX}{pid}.{again}")));
    let bound = names.find_map(|name| {
        let bound = SocketAddr::from_abstract_name(&name).and_then(|at| UnixListener::bind_addr(&at));
        match bound {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => None,
            other => Some(other.map(|listener| (listener, format!("@{name}")))),
        }
    });
    bound
        .unwrap_or_else(|| Err(io::ErrorKind::AddrInUse.into()))
        .context("cannot make the control socket: give it a place with `--control FILE`")
}

impl Guest {
    /// Takes what has come. Is more to be expected?
    fn listen(&mut self, marks: &mut Vec<(String, Asker)>) -> bool {
        let mut bytes = [0; 512];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return false,
                Ok(n) => self.line.extend_from_slice(&bytes[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
            if self.line.len() > 16 * LONGEST {
                return false;
            }
        }
        while let Some(end) = self.line.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.line.drain(..=end).collect();
            match name(&line) {
                Ok(name) => marks.push((name, Asker(self.stream.try_clone().ok()))),
                Err(why) => {
                    let _ = writeln!(self.stream, "error: {why}");
                }
            }
        }
        self.line.len() <= LONGEST
    }
}

/// The name in `mark NAME`.
fn name(line: &[u8]) -> Result<String, &'static str> {
    let text = std::str::from_utf8(line).map_err(|_| "the line is not UTF-8")?.trim();
    match text.split_once(' ') {
        Some(("mark", name)) if !name.trim().is_empty() => Ok(name.trim().to_owned()),
        _ => Err("say `mark NAME`"),
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = fs::remove_file(file);
        }
    }
}

/// Asks a gemscope to set a mark, and waits until it is set. `to` is an address as [`Control::address`] gives it, or a pid; without
/// one it is the gemscope that runs this program, or the only one there is.
///
/// # Errors
/// There is none, there are several, or it does not answer.
pub fn ask(name: &str, to: Option<&str>) -> anyhow::Result<()> {
    /// A busy gemscope looks at its socket every few hundredths of a second.
    const PATIENCE: Duration = Duration::from_secs(10);
    let address = match to {
        Some(pid) if is_number(pid) => format!("@{PREFIX}{pid}"),
        Some(address) => address.to_owned(),
        None => match std::env::var(VARIABLE) {
            Ok(address) if !address.is_empty() => address,
            _ => only_one()?,
        },
    };
    let shown = escape::long(address.as_bytes());
    let mut stream = connect(&address).with_context(|| {
        format!("no gemscope listens at `{shown}`: is `check`, `record` or `top` still running?")
    })?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let talk = stream.write_all(format!("mark {name}\n").as_bytes()).and_then(|()| {
        let mut answer = [0; 128];
        stream.read(&mut answer).map(|n| answer[..n].to_vec())
    });
    let answer = talk.with_context(|| format!("gemscope at `{shown}` does not answer"))?;
    match answer.as_slice() {
        b"ok\n" => Ok(()),
        [] => bail!(
            "gemscope at `{shown}` did not take the mark: only root and the user it works for may set marks"
        ),
        other => bail!("gemscope at `{shown}` says: {}", escape::long(other.trim_ascii())),
    }
}

/// A pid, and which of several with the same one.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

fn connect(address: &str) -> io::Result<UnixStream> {
    match address.strip_prefix('@') {
        Some(name) => UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?),
        None => UnixStream::connect(address),
    }
}

/// The gemscope that runs, by the kernel's list of sockets.
fn only_one() -> anyhow::Result<String> {
    let list = fs::read_to_string("/proc/net/unix").context("the kernel's list of sockets cannot be read")?;
    let mut found: Vec<&str> = list
        .lines()
        .filter_map(|line| line.split_whitespace().next_back()?.strip_prefix('@'))
        .filter(|name| name.strip_prefix(PREFIX).is_some_and(is_number))
        .collect();
    found.sort_unstable();
    found.dedup();
    match found.as_slice() {
        [] => bail!("no gemscope is running: start one, or say where its socket is with `--to`"),
        [one] => Ok(format!("@{one}")),
        many => {
            let pids: Vec<_> = many.iter().filter_map(|name| name.strip_prefix(PREFIX)).collect();
            bail!("several gemscopes are running: say which with `--to PID`: {}", pids.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_asked_for_and_answered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control");
        let mut control = Control::open(Some(&path), None).unwrap();
        let to = control.address().to_owned();
        let asking = std::thread::spawn(move || ask("window closed", Some(&to)));
        let mut got = Vec::new();
        while got.is_empty() {
            got = control.asked();
            std::thread::sleep(Duration::from_millis(1));
        }
        let (name, asker) = got.remove(0);
        assert_eq!(name, "window closed");
        asker.done();
        asking.join().unwrap().unwrap();
        drop(control);
        assert!(!path.exists());
        assert!(
            ask("late", Some(&path.to_string_lossy())).unwrap_err().to_string().contains("still running")
        );
    }

    #[test]
    fn one_name_is_not_taken_twice() {
        let [one, other] = [(); 2].map(|()| Control::open(None, None).unwrap());
        assert_ne!(one.address(), other.address());
        assert!(one.address().starts_with("@gemscope/") && other.address().starts_with("@gemscope/"));
    }

    #[test]
    fn what_is_not_understood_is_answered() {
        assert_eq!(name(b"mark a b\n").as_deref(), Ok("a b"));
        for line in [&b"mark\n"[..], b"mark  \n", b"quit\n", b"\n", b"\xff\n"] {
            assert!(name(line).is_err(), "{line:?}");
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control");
        let mut control = Control::open(Some(&path), None).unwrap();
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(b"what?\n").unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut answer = [0; 64];
        let n = (0..100).find_map(|_| {
            assert!(control.asked().is_empty());
            stream.read(&mut answer).ok()
        });
        assert!(answer[..n.unwrap()].starts_with(b"error: say `mark NAME`"));
        // A line without an end is not listened to for ever.
        stream.write_all(&[b'x'; 20 * LONGEST]).unwrap();
        while !control.guests.is_empty() {
            assert!(control.asked().is_empty());
        }
    }
}
