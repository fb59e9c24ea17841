//! The pictures of the README: screens of the monitor while a leaking client runs on a stock kernel in a guest.
//!
//! What the monitor writes to its terminal is brought back and played into a terminal emulator; before each key the screen is
//! drawn as SVG. Times and numbers are those of that run, so the pictures are not checked for drift.

mod svg;

use std::fs;
use std::io;
use std::num::NonZeroU16;

use anyhow::{Context, Result, bail};
use clap::Args;
use gemscope_vm::kernels;
use gemscope_vm::qemu::Sinks;
use gemscope_vm::scratch::Scratch;

use crate::vm::{Boot, SetupArgs};
use crate::workspace;

/// What is asked for.
#[derive(Debug, Args)]
pub struct PicturesArgs {
    /// The kernel to take them on.
    #[arg(long, value_name = "LINE", default_value = "newest")]
    kernel: String,
}

/// The keys that are pressed, a second apart, and the picture of the screen before the next one. `~` is no key of the monitor: it
/// lets time pass.
const KEYS: &[(&str, Option<&str>)] = &[
    ("~~~~~~~~~~~~~~~", Some("processes")),
    ("4~", Some("call-sites")),
    ("\r~", Some("call-site")),
    ("\u{1b}~2~", Some("buffers")),
    ("\r~", Some("buffer")),
    ("q", None),
];

/// Size of the screen; that of `gemclient terminal`.
const ROWS: NonZeroU16 = NonZeroU16::new(36).unwrap();
const COLUMNS: NonZeroU16 = NonZeroU16::new(120).unwrap();

/// Takes them.
///
/// # Errors
/// When the guest cannot be had, or the monitor does not come to its end there.
pub fn run(args: &PicturesArgs) -> Result<u8> {
    let setup = SetupArgs { timeout: 200, ..SetupArgs::plain() };
    let kernel = kernels::get(&args.kernel)?;
    let out = Scratch::new("pictures")?;
    let keys: String = KEYS.iter().map(|(keys, _)| *keys).collect();
    let quoted = keys.replace('\r', "$(printf '\\r')").replace('\u{1b}', "$(printf '\\033')");
    let command = format!(
        "export TERM=xterm-256color LANG=C.UTF-8; gemclient compositor --seconds 100 & sleep 1; cd /out; \
         gemclient terminal '' \"{quoted}\" gemscope top >screen 2>keys; code=$?; kill %1; exit $code"
    );
    let boot = Boot {
        kernel: &kernel,
        setup: &setup,
        programs: &setup.programs()?,
        files: Vec::new(),
        command: Some(command),
        out: Some(out.path().to_owned()),
    };
    let mut errors = Vec::new();
    let outcome =
        boot.run(Sinks { out: &mut io::sink(), err: &mut errors })?.context("the guest had a shell")?;
    if outcome.code != 0 {
        bail!("the monitor ended with {}: {}", outcome.code, String::from_utf8_lossy(&errors));
    }
    let read = |name: &str| fs::read(out.path().join(name)).with_context(|| format!("no `{name}` came back"));
    draw(&read("screen")?, &String::from_utf8_lossy(&read("keys")?))
}

/// Draws the screen before each key that has a picture after it.
fn draw(screen: &[u8], keys: &str) -> Result<u8> {
    // A line a key: how much had been drawn when it was pressed.
    let pressed: Vec<usize> =
        keys.lines().filter_map(|line| line.strip_prefix("key at ")?.parse().ok()).collect();
    let folder = workspace::root().join("docs/pictures");
    fs::create_dir_all(&folder)?;
    let mut last = 0;
    for (keys, picture) in KEYS {
        last += keys.chars().count();
        let Some(name) = picture else { continue };
        let until = *pressed.get(last - 1).with_context(|| format!("`{name}`: not all keys were pressed"))?;
        let mut terminal = vt100::Parser::new(ROWS, COLUMNS, 0);
        terminal.process(screen.get(..until).unwrap_or_default());
        let path = folder.join(format!("{name}.svg"));
        fs::write(
            &path,
            svg::picture(terminal.screen(), &format!("gemscope top: {}", name.replace('-', " "))),
        )?;
        eprintln!("xtask: wrote {}", path.display());
    }
    Ok(0)
}
