//! KTAP, version 1: the lines that the kernel's own tests print, for what runs and reads those.
//!
//! One test for each rule and assertion, in the order of the tables. What was found stands before the result, as diagnostic lines.
//! Every line that quotes anything begins with `# `, so that no name can pretend to be a result.

use std::fmt::Write as _;
use std::io;

use super::Setting;
use super::item::{items, texts};
use super::judged::{State, judged};
use crate::escape;
use crate::names::{Names, number};
use crate::text::outcome::{entry, idle};
use crate::text::{header, verdict};

/// Bytes for the text of one test.
const ROOM: usize = 64 << 10;

/// Writes the whole report.
///
/// # Errors
/// Those of `out`.
pub fn report(out: &mut dyn io::Write, names: &Names<'_>, setting: &Setting<'_>) -> io::Result<()> {
    out.write_all(lines(names, setting).as_bytes())
}

fn lines(names: &Names<'_>, setting: &Setting<'_>) -> String {
    let tests = judged(names);
    let mut out = format!("KTAP version 1\n1..{}\n", tests.len());
    let j = names.judgement;
    diagnostic(&mut out, &format!("gemscope {}: {}", setting.version, verdict::sentence(j)));
    diagnostic(
        &mut out,
        &format!("kernel {}; rules {}", header::kernel(names.context), header::rules(names.context)),
    );
    diagnostic(&mut out, &header::seen(j));
    for e in &j.outcome.entries {
        match idle(e) {
            Some(idle) => diagnostic(&mut out, &idle),
            None if e.findings > 0 => {
                diagnostic(&mut out, &format!("set aside: {} by {}", number(e.findings), entry(e)));
            }
            None => {}
        }
    }
    for near in items(names).filter(|item| item.is_near_miss()) {
        diagnostic(&mut out, &format!("near miss: {}: {}", near.rule(), near.message()));
    }
    for (i, test) in tests.iter().enumerate() {
        for told in &test.told {
            diagnostic(&mut out, told);
        }
        for item in &test.aside {
            diagnostic(&mut out, &format!("set aside: {}", item.message()));
        }
        let (ok, directive) = match &test.state {
            State::Held => (true, String::new()),
            State::Skipped(why) => (true, format!(" # SKIP {}", plain(why))),
            State::Broken(items) => {
                diagnostic(&mut out, &texts(items, ROOM));
                (false, String::new())
            }
            State::Unsure(items, reasons) => {
                diagnostic(&mut out, &texts(items, ROOM));
                reasons.iter().for_each(|why| diagnostic(&mut out, why));
                (false, " # ERROR undecided".to_owned())
            }
        };
        let word = if ok { "ok" } else { "not ok" };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{word} {} {}{directive}", i + 1, test.name);
    }
    out
}

/// Text as diagnostic lines.
fn diagnostic(out: &mut String, text: &str) {
    for line in text.lines() {
        out.push_str(if line.is_empty() { "#" } else { "# " });
        out.push_str(line);
        out.push('\n');
    }
}

/// A reason on the line of a result: nothing in it is a directive.
fn plain(text: &str) -> String {
    escape::long(text.replace('#', "no. ").as_bytes())
}
