//! Writes the man pages and the shell completions into a folder: `cargo xtask pages` runs it.
//!
//! Everything comes from the arguments of the command itself; of its own this has the examples and the files.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Arg, Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use gemscope_cli::args::Cli;

/// Examples by subcommand: what for, and the line. A command without any has no such section.
const EXAMPLES: &[(&str, &[(&str, &str)])] = &[
    (
        "",
        &[
            ("See what a finding looks like, without root and without a GPU:", "gemscope demo"),
            ("Does a program leak buffers?", "sudo gemscope check -- ./your-program"),
            ("Who holds which buffer now?", "sudo gemscope snapshot"),
        ],
    ),
    (
        "check",
        &[
            (
                "Run a program, keep the trace:",
                "sudo gemscope check -o leak.gemtrace -- ./your-program --fast",
            ),
            ("Judge a trace in a script:", "gemscope check --trace leak.gemtrace --json"),
        ],
    ),
    (
        "record",
        &[(
            "Record the whole machine for ten seconds:",
            "sudo gemscope record -o all.gemtrace --duration 10",
        )],
    ),
    (
        "replay",
        &[
            ("Judge a trace on any machine:", "gemscope replay leak.gemtrace"),
            ("Every record as a line:", "gemscope replay --events leak.gemtrace"),
        ],
    ),
    (
        "snapshot",
        &[
            ("What every process holds, by process:", "sudo gemscope snapshot --by process"),
            ("A grid for a spreadsheet:", "sudo gemscope snapshot --csv -o buffers.csv"),
            ("What a compositor has, and who else has it:", "sudo gemscope snapshot --comm sway"),
            ("Save one before, one after, and compare:", "sudo gemscope snapshot --json -o before"),
            ("", "gemscope snapshot --diff before after"),
        ],
    ),
    (
        "explore",
        &[("In which kernels does this race go wrong?", "gemscope explore export-vs-close --profile all")],
    ),
    ("explain", &[("What a rule means:", "gemscope explain handle-leak")]),
    ("doctor", &[("What is missing here?", "sudo gemscope doctor")]),
];

/// What is read and written, for the page of the whole.
const FILES: &[(&str, &str)] = &[
    ("/sys/kernel/btf", "Types of the kernel and its modules: offsets of the fields that probes read."),
    ("/proc/kallsyms", "Functions that can be probed."),
    (
        "/sys/kernel/tracing",
        "Probes, and how many hits were missed. They are removed at the end, also after a crash.",
    ),
    ("/proc/PID/fd, fdinfo, maps", "Who holds which dma-buf."),
    ("/sys/kernel/debug/dma_buf/bufinfo", "Devices that are attached to a dma-buf, for snapshots."),
];

/// Where the block of exit codes begins in the help.
const CODES: &str = "Exit codes";

fn main() -> io::Result<()> {
    let Some(dir) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("give the folder to write to; `cargo xtask pages` does"));
    };
    let (man, completions) = (dir.join("docs/man"), dir.join("completions"));
    fs::create_dir_all(&man)?;
    fs::create_dir_all(&completions)?;
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    page(&command, "", &man)?;
    for sub in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        page(sub, sub.get_name(), &man)?;
    }
    let mut plain = visible(&Cli::command());
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
        clap_complete::generate_to(shell, &mut plain, "gemscope", &completions)?;
    }
    // The generators leave blanks at the ends of lines.
    for folder in [&man, &completions] {
        for entry in fs::read_dir(folder)? {
            trim(&entry?.path())?;
        }
    }
    Ok(())
}

/// One man page. `name` is that of the subcommand.
fn page(command: &Command, name: &str, dir: &Path) -> io::Result<()> {
    let full = if name.is_empty() { "gemscope".to_owned() } else { format!("gemscope-{name}") };
    let man = Man::new(command.clone().name(leaked(&full)))
        .title(full.to_uppercase())
        .source(format!("gemscope {}", env!("CARGO_PKG_VERSION")))
        .manual("gemscope");
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    if command.get_subcommands().any(|c| !c.is_hide_set()) {
        man.render_subcommands_section(&mut out)?;
    }
    let help = command.get_after_long_help().or(command.get_after_help());
    let (notes, codes) = sections(&help.map(ToString::to_string).unwrap_or_default());
    verbatim(&mut out, "NOTES", &notes)?;
    verbatim(&mut out, "EXIT STATUS", &codes)?;
    if name.is_empty() {
        let mut roff = Roff::new();
        roff.control("SH", ["FILES"]);
        for (file, about) in FILES {
            roff.control("TP", []);
            roff.text([bold(*file)]);
            roff.text([roman(*about)]);
        }
        roff.to_writer(&mut out)?;
    }
    examples(&mut out, name)?;
    let mut roff = Roff::new();
    let others = if name.is_empty() { "gemscope help COMMAND" } else { "gemscope(1)" };
    roff.control("SH", ["SEE ALSO"]).text([bold(others)]).to_writer(&mut out)?;
    fs::write(dir.join(format!("{full}.1")), out)
}

/// What stands below the options: notes, and the exit codes.
fn sections(help: &str) -> (String, String) {
    match help.find(CODES) {
        Some(at) => {
            let (notes, codes) = help.split_at(at);
            (notes.trim().to_owned(), codes.lines().skip(1).collect::<Vec<_>>().join("\n"))
        }
        None => {
            (help.trim().to_owned(), "  0  it did what it was asked to\n  2  it could not run".to_owned())
        }
    }
}

/// A section whose lines stay as they are.
fn verbatim(out: &mut Vec<u8>, title: &str, text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let mut roff = Roff::new();
    roff.control("SH", [title]);
    roff.control("nf", []);
    for line in text.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff.to_writer(out)
}

fn examples(out: &mut Vec<u8>, name: &str) -> io::Result<()> {
    let Some((_, lines)) = EXAMPLES.iter().find(|(command, _)| *command == name) else { return Ok(()) };
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]);
    for (about, line) in *lines {
        if !about.is_empty() {
            roff.control("PP", []);
            roff.text([roman(*about)]);
        }
        roff.control("PP", []).control("RS", ["4"]);
        roff.text([bold(*line)]);
        roff.control("RE", []);
    }
    roff.to_writer(out)
}

/// The command without what is hidden, for generators that do not leave it out themselves. Which arguments exclude each
/// other is no business of theirs.
fn visible(command: &Command) -> Command {
    let mut plain = Command::new(leaked(command.get_name())).version(env!("CARGO_PKG_VERSION"));
    if let Some(about) = command.get_about() {
        plain = plain.about(about.clone());
    }
    for arg in command.get_arguments().filter(|a| !a.is_hide_set()) {
        plain = plain.arg(plain_arg(arg));
    }
    for sub in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        plain = plain.subcommand(visible(sub));
    }
    plain
}

/// clap keeps names for good; this program is over in a moment.
fn leaked(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn plain_arg(arg: &Arg) -> Arg {
    let mut plain = Arg::new(arg.get_id().clone())
        .action(arg.get_action().clone())
        .value_hint(arg.get_value_hint())
        .value_parser(arg.get_value_parser().clone())
        .global(arg.is_global_set())
        .last(arg.is_last_set());
    if let Some(short) = arg.get_short() {
        plain = plain.short(short);
    }
    if let Some(long) = arg.get_long() {
        plain = plain.long(leaked(long));
    }
    if let Some(help) = arg.get_help() {
        plain = plain.help(help.clone());
    }
    if let Some(names) = arg.get_value_names() {
        plain = plain.value_names(names.to_vec());
    }
    if let Some(number) = arg.get_num_args() {
        plain = plain.num_args(number);
    }
    plain
}

/// Without blanks at the ends of lines, and without the definition that each section of a man page brings anew.
fn trim(path: &Path) -> io::Result<()> {
    let text = fs::read_to_string(path)?;
    let man = path.extension() == Some(OsStr::new("1"));
    let mut lines: Vec<&str> = Vec::new();
    for line in text.trim_end().lines().map(str::trim_end) {
        let again = man && (line.starts_with(".ie ") || line.starts_with(".el ")) && lines.contains(&line);
        if !again {
            lines.push(line);
        }
    }
    fs::write(path, lines.join("\n") + "\n")
}
