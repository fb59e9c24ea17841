//! An action that is done again and again, and a mark after each time.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use gemscope_live::repeat::Answer;
use gemscope_report::plural;

/// What is to be done again and again.
#[derive(Clone, Copy, Debug)]
pub struct Cycles {
    /// how often
    pub times: u32,
    /// how long what is watched gets after each time
    pub pause: Duration,
}

/// Where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// The action runs.
    Acting,
    /// It has ended; what it set off goes on.
    Pausing(Instant),
    /// All is done.
    Done,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Wait,
    /// So many cycles are over: set a mark, and go on.
    Mark(u32),
}

/// The process that does the action, seen from gemscope.
pub struct Cycling {
    cycles: Cycles,
    link: UnixStream,
    at: At,
    done: u32,
    failed: u32,
}

impl Cycling {
    /// By the process at the other end of the link.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn new(cycles: Cycles, link: UnixStream) -> io::Result<Self> {
        link.set_nonblocking(true)?;
        Ok(Self { cycles, link, at: At::Pausing(Instant::now()), done: 0, failed: 0 })
    }

    /// Looks at what became of the action. `quiet` is asked, when that matters, whether nothing that it began is left to end.
    ///
    /// # Errors
    /// The action cannot be run.
    pub fn step(&mut self, quiet: impl FnOnce() -> bool, patience: Duration) -> anyhow::Result<Step> {
        match self.at {
            At::Acting => {
                if let Some(status) = self.answer()? {
                    self.done += 1;
                    self.failed += u32::from(status != 0);
                    self.at = At::Pausing(Instant::now());
                }
                Ok(Step::Wait)
            }
            At::Pausing(since) => {
                let waited = since.elapsed();
                if waited < self.cycles.pause || waited < patience.max(self.cycles.pause) && !quiet() {
                    return Ok(Step::Wait);
                }
                Ok(Step::Mark(self.done))
            }
            At::Done => Ok(Step::Wait),
        }
    }

    /// The mark is set: the next time, if there is one.
    pub fn go_on(&mut self) {
        if self.done >= self.cycles.times {
            // The process ends when the link does.
            let _ = self.link.shutdown(std::net::Shutdown::Both);
            self.at = At::Done;
        } else {
            self.at = At::Acting;
            // Is it gone? Then its end tells.
            let _ = self.link.write_all(b"g");
        }
    }

    /// Was it done so often, and did it succeed each time?
    pub fn is_whole(&self) -> bool {
        self.done == self.cycles.times && self.failed == 0
    }

    /// What became of it, as what a report says of the command.
    pub fn told(&self) -> String {
        let Self { cycles: Cycles { times, .. }, done, failed, .. } = self;
        let failed = if *failed > 0 { format!("failed in {failed} of {done} cycles") } else { String::new() };
        match (*done < *times, failed.as_str()) {
            (true, "") => format!("was cut off after {done} of {times} cycles"),
            (true, _) => format!("{failed}, and was cut off before the other {}", times - done),
            (false, "") => format!("succeeded in {}", plural(u64::from(*times), "cycle", "cycles")),
            (false, _) => failed,
        }
    }

    /// The action's wait status, once it has ended.
    fn answer(&mut self) -> anyhow::Result<Option<i32>> {
        let mut bytes = [0; Answer::LEN];
        match self.link.read(&mut bytes) {
            Ok(Answer::LEN) => match Answer::decode(bytes) {
                Answer { errno: 0, status } => Ok(Some(status)),
                Answer { errno, .. } => {
                    bail!("cannot run the action: {}", io::Error::from_raw_os_error(errno))
                }
            },
            // It was killed: the watch ends with it.
            Ok(_) => {
                self.at = At::Done;
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error).context("the process that does the action is lost"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    /// Drives an action through its cycles; gives what is told, and the process's exit code.
    fn drive(times: u32, action: &[&str]) -> (anyhow::Result<Vec<u32>>, String, u8) {
        let cycles = Cycles { times, pause: Duration::ZERO };
        let (link, mut other) = UnixStream::pair().unwrap();
        let mut cycling = Cycling::new(cycles, link).unwrap();
        let action: Vec<OsString> = action.iter().map(OsString::from).collect();
        let process =
            std::thread::spawn(move || gemscope_live::repeat::serve(&mut other, &action[0], &action[1..]));
        let mut marks = Vec::new();
        let result = loop {
            match cycling.step(|| true, Duration::ZERO) {
                Ok(Step::Mark(n)) => {
                    marks.push(n);
                    cycling.go_on();
                    if n == times {
                        break Ok(marks);
                    }
                }
                Ok(Step::Wait) => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => break Err(error),
            }
        };
        let told = cycling.told();
        drop(cycling);
        (result, told, process.join().unwrap())
    }

    #[test]
    fn an_action_is_done_so_often() {
        let (marks, told, code) = drive(3, &["true"]);
        assert_eq!((marks.unwrap(), told, code), (vec![0, 1, 2, 3], "succeeded in 3 cycles".to_owned(), 0));
    }

    #[test]
    fn failures_are_counted() {
        let (marks, told, code) = drive(2, &["sh", "-c", "exit 3"]);
        assert_eq!(marks.unwrap(), [0, 1, 2]);
        assert_eq!((told.as_str(), code), ("failed in 2 of 2 cycles", 3));
    }

    #[test]
    fn an_action_that_is_not_there_is_an_error() {
        let (marks, told, _) = drive(2, &["/no/such/program"]);
        assert!(marks.unwrap_err().to_string().contains("cannot run the action"));
        assert_eq!(told, "was cut off after 0 of 2 cycles");
    }
}
