//! How gemscope talks: colours, where text goes, and what happens when nobody reads it any more.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anstream::{AutoStream, ColorChoice};
use anyhow::Context as _;
use gemscope_report::text::Palette;
use gemscope_report::{Names, escape, json, plural, text};

use crate::args::Color;
use crate::place::Place;

/// What the options say about talking.
#[derive(Clone, Copy, Debug)]
pub struct Ui {
    color: Color,
    /// how often `-v` was given
    pub verbose: u8,
}

/// Where a report goes.
pub enum Sink {
    /// standard output
    Stdout,
    /// standard error
    Stderr,
    /// a file
    File(File),
}

impl Ui {
    /// From the options.
    #[must_use]
    pub const fn new(color: Color, verbose: u8) -> Self {
        Self { color, verbose }
    }

    /// What was asked for.
    #[must_use]
    pub const fn color(&self) -> Color {
        self.color
    }

    /// The colours for a sink.
    #[must_use]
    pub fn palette(&self, sink: &Sink) -> Palette {
        match sink {
            Sink::Stdout => self.colours(|| AutoStream::choice(&io::stdout())),
            Sink::Stderr => self.colours(|| AutoStream::choice(&io::stderr())),
            Sink::File(_) => self.plain(),
        }
    }

    /// The colours for what is no terminal: none, unless they were asked for.
    #[must_use]
    pub fn plain(&self) -> Palette {
        self.colours(|| ColorChoice::Never)
    }

    fn colours(&self, auto: impl FnOnce() -> ColorChoice) -> Palette {
        let colour = match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => !matches!(auto(), ColorChoice::Never),
        };
        Palette::new(colour)
    }

    /// Writes a report.
    ///
    /// # Errors
    /// The sink's, except that nobody reads it any more.
    pub fn report(&self, sink: &mut Sink, names: &Names<'_>, as_json: bool) -> anyhow::Result<()> {
        let mut bytes = Vec::new();
        if as_json {
            json::report(&mut bytes, names)?;
        } else {
            let mut out = String::new();
            text::report(&mut out, names, &self.palette(sink))?;
            bytes = out.into_bytes();
        }
        sink.write(&bytes)
    }
}

impl Sink {
    /// A new file, or standard output where no file was asked for.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn of(place: Option<&Place>) -> anyhow::Result<Self> {
        let Some(path) = place.and_then(Place::file) else { return Ok(Self::Stdout) };
        let file = File::create(path).with_context(|| {
            format!("cannot write `{}`; choose another place with `-o FILE`", shown(path))
        })?;
        Ok(Self::File(file))
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// The sink's, except that nobody reads it any more: that is the reader's choice.
    pub fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let result = match self {
            Self::Stdout => io::stdout().lock().write_all(bytes).and_then(|()| io::stdout().flush()),
            Self::Stderr => io::stderr().lock().write_all(bytes),
            Self::File(file) => file.write_all(bytes),
        };
        match result {
            Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
            other => other.context("cannot write the report"),
        }
    }
}

/// Prints text on stdout.
///
/// # Errors
/// As [`Sink::write`].
pub fn print(text: &str) -> anyhow::Result<()> {
    Sink::Stdout.write(text.as_bytes())
}

/// What became of the records on their way, in words.
#[must_use]
pub fn lost(drops: u64) -> String {
    match drops {
        0 => "none lost".to_owned(),
        n => format!("{} lost: use a bigger --ring-size", plural(n, "record", "records")),
    }
}

/// A path as it is told.
#[must_use]
pub fn shown(path: &Path) -> String {
    escape::long(path.as_os_str().as_encoded_bytes())
}

/// Says something beside the report, on stderr.
pub fn say(text: &str) {
    // Nobody reads stderr: then nobody misses it.
    let _ = writeln!(Beside, "gemscope: {text}");
}

/// Standard error, except while a screen is drawn on the terminal: then it is kept until that has ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside;

/// What was said while a screen was drawn; `None` while none is.
static HELD: Mutex<Option<Vec<u8>>> = Mutex::new(None);

impl Write for Beside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        /// Nobody reads more than this afterwards.
        const MOST: usize = 1 << 20;
        match &mut *HELD.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(held) if held.len() < MOST => held.extend_from_slice(bytes),
            Some(_) => {}
            None => return io::stderr().lock().write(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// Keeps what is said until this is dropped.
#[must_use]
pub struct Hold(());

/// Begins to keep what is said.
pub fn hold() -> Hold {
    *HELD.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    Hold(())
}

impl Drop for Hold {
    fn drop(&mut self) {
        let held = HELD.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = io::stderr().lock().write_all(&held.unwrap_or_default());
    }
}
