//! A program on a terminal of its own: for tests of what draws. At first nobody reads what it draws, as when a window is frozen;
//! when a file appears it is passed on as it comes, and keys are pressed. How much had been drawn when one was pressed is told on
//! standard error.

use std::ffi::CString;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use crate::outcome::{Failed, Outcome, Stop};

/// What is to be run, and how.
pub struct Request {
    /// Nothing is read from the terminal before this file exists; empty: from the beginning.
    pub blind_until: String,
    /// Each is pressed after a second.
    pub keys: String,
    /// The program and its arguments.
    pub command: Vec<String>,
}

const ROWS: u16 = 36;
const COLUMNS: u16 = 120;

/// Runs it to its end.
///
/// # Errors
/// No terminal or process can be had, or the program does not end well.
pub fn run(request: &Request) -> Outcome {
    let words: Vec<CString> =
        request.command.iter().filter_map(|word| CString::new(word.as_bytes()).ok()).collect();
    let mut argv: Vec<*const libc::c_char> = words.iter().map(|word| word.as_ptr()).collect();
    argv.push(std::ptr::null());
    let mut size = libc::winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
    let mut terminal = -1;
    // SAFETY: the pointers are to values that live across the call, or null where nothing is asked for. This process has
    // one thread, so the child may go on as it likes.
    let pid = unsafe {
        libc::forkpty(&raw mut terminal, std::ptr::null_mut(), std::ptr::null_mut(), &raw mut size)
    };
    match pid {
        -1 => {
            let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
            Err(Failed { what: "forkpty", errno }.into())
        }
        0 => {
            // SAFETY: `argv` is a list of strings with a null at its end; all of it lives until exec.
            unsafe {
                libc::execvp(argv.first().copied().unwrap_or(std::ptr::null()), argv.as_ptr());
                libc::_exit(127)
            }
        }
        pid => {
            // SAFETY: forkpty gave this descriptor to us and nobody else has it.
            let terminal = unsafe { <std::fs::File as std::os::fd::FromRawFd>::from_raw_fd(terminal) };
            while !request.blind_until.is_empty() && !std::path::Path::new(&request.blind_until).exists() {
                std::thread::sleep(Duration::from_millis(20));
            }
            attend(&terminal, &request.keys)?;
            match crate::sys::process::wait(pid)? {
                crate::sys::process::Ended::Exit(0) => Ok(()),
                ended => Err(Stop::Unexpected(format!("the program ended with {ended:?}"))),
            }
        }
    }
}

/// Passes on what is drawn and presses the keys, until the program has gone.
fn attend(terminal: &std::fs::File, keys: &str) -> Outcome {
    const BETWEEN: Duration = Duration::from_secs(1);
    let mut keys = keys.chars();
    let mut next = Instant::now() + BETWEEN;
    let mut drawn = 0;
    loop {
        if Instant::now() >= next {
            next += BETWEEN;
            if let Some(key) = keys.next() {
                eprintln!("key at {drawn}");
                let mut bytes = [0; 4];
                let _ = (&*terminal).write_all(key.encode_utf8(&mut bytes).as_bytes());
            }
        }
        let mut fd = libc::pollfd { fd: terminal.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one descriptor, which lives across the call.
        if unsafe { libc::poll(&raw mut fd, 1, 50) } <= 0 {
            continue;
        }
        let mut bytes = [0; 4096];
        match std::io::Read::read(&mut &*terminal, &mut bytes) {
            Ok(n) if n > 0 => {
                drawn += n;
                let _ = std::io::stdout().write_all(bytes.get(..n).unwrap_or_default());
            }
            // EIO: the program has closed its end.
            _ => return Ok(()),
        }
    }
}

/// Reads what follows `terminal`: `FILE KEYS CMD ARG…`.
///
/// # Errors
/// A message for the user.
pub fn parse(args: &[String]) -> Result<Request, String> {
    let [blind_until, keys, command @ ..] = args else {
        return Err("`terminal` needs FILE, KEYS and a command".to_owned());
    };
    if command.is_empty() {
        return Err("`terminal` needs a command".to_owned());
    }
    Ok(Request { blind_until: blind_until.clone(), keys: keys.clone(), command: command.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_a_terminal_and_gets_keys() {
        let args = ["", "x\n", "sh", "-c", "stty -echo; read word; test \"$word $(stty size)\" = 'x 36 120'"];
        let request = parse(&args.map(str::to_owned)).unwrap();
        assert!(run(&request).is_ok());
        let request = parse(&["", "", "false"].map(str::to_owned)).unwrap();
        assert!(run(&request).is_err());
        assert!(parse(&["1".to_owned(), String::new()]).is_err());
        assert!(parse(&["x", ""].map(str::to_owned)).is_err());
    }
}
