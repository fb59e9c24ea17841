//! From text to a scenario, or to an error that says where and what.

use crate::code::Point;
use crate::machine::FileDecl;
use crate::state::{MAX_DEVICES, MAX_VARS};

use super::verbs::{Kind, VERBS, Verb};
use super::{Arg, Op, Scenario, ThreadDecl, Var};

/// Why a text is no scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct ParseError {
    /// from 1
    pub line: usize,
    /// in characters, from 1
    pub column: usize,
    /// what is wrong, and what was expected
    pub message: String,
}

/// The most of each that a scenario may have: states are small.
const MAX_FILES: usize = 16;
const MAX_PROCESSES: usize = 8;
const MAX_THREADS: usize = 8;
const MAX_OPS: usize = 400;

/// A word with its place.
#[derive(Clone, Copy, Debug)]
struct Word<'a> {
    text: &'a str,
    line: usize,
    column: usize,
}

impl Word<'_> {
    fn wrong(&self, message: impl Into<String>) -> ParseError {
        ParseError { line: self.line, column: self.column, message: message.into() }
    }
}

/// Which part of the text is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Head,
    Setup,
    Thread,
    Finally,
}

struct Parser {
    out: Scenario,
    part: Part,
    /// The thread under way was given no process: its first operation says.
    open_process: bool,
    ops: usize,
}

pub(super) fn parse(text: &str) -> Result<Scenario, ParseError> {
    let mut p = Parser {
        out: Scenario {
            name: String::new(),
            about: String::new(),
            races: Vec::new(),
            strict: false,
            devices: Vec::new(),
            processes: Vec::new(),
            files: Vec::new(),
            vars: Vec::new(),
            setup: Vec::new(),
            threads: Vec::new(),
            finally: Vec::new(),
        },
        part: Part::Head,
        open_process: false,
        ops: 0,
    };
    let mut last = 1;
    for (ix, line) in text.lines().enumerate() {
        last = ix + 1;
        let words = words(line, last);
        if let Some(first) = words.first() {
            p.line(first, &words, line)?;
        }
    }
    let end = Word { text: "", line: last, column: 1 };
    if p.out.name.is_empty() {
        return Err(end.wrong("a scenario begins with `scenario NAME`"));
    }
    if p.out.threads.is_empty() {
        return Err(end.wrong("a scenario needs at least one `thread NAME`"));
    }
    Ok(p.out)
}

/// The words of a line up to its comment.
fn words(line: &str, number: usize) -> Vec<Word<'_>> {
    let code = line.split('#').next().unwrap_or_default();
    let mut words = Vec::new();
    let mut rest = code;
    loop {
        let trimmed = rest.trim_start();
        let begin = code.len() - trimmed.len();
        let Some(len) =
            (!trimmed.is_empty()).then(|| trimmed.find(char::is_whitespace).unwrap_or(trimmed.len()))
        else {
            return words;
        };
        let column = code[..begin].chars().count() + 1;
        words.push(Word { text: &trimmed[..len], line: number, column });
        rest = &trimmed[len..];
    }
}

/// The word that was perhaps meant.
fn near<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let close =
        |other: &&str| other.starts_with(word) || word.starts_with(other) || distance(word, other) <= 2;
    match known.filter(close).min_by_key(|other| distance(word, other)) {
        Some(other) => format!("; perhaps `{other}`"),
        None => String::new(),
    }
}

/// Characters that have to be changed, added or left out.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let other = row[j + 1].min(row[j]) + 1;
            let same = before + usize::from(x != *y);
            before = row[j + 1];
            row[j + 1] = other.min(same);
        }
    }
    row[b.len()]
}

impl Parser {
    fn line(&mut self, first: &Word<'_>, words: &[Word<'_>], line: &str) -> Result<(), ParseError> {
        let rest = &words[1..];
        match first.text {
            "scenario" => self.out.name = one(first, rest, "a name")?.text.to_owned(),
            "about" => {
                let more = line.trim_start().strip_prefix("about").unwrap_or_default().trim();
                if !self.out.about.is_empty() {
                    self.out.about.push(' ');
                }
                self.out.about.push_str(more);
            }
            "races" => self.out.races = rest.iter().map(|w| w.text.to_owned()).collect(),
            "at-exit" => match one(first, rest, "`strict` or `ignore`")? {
                w if w.text == "strict" => self.out.strict = true,
                w if w.text == "ignore" => self.out.strict = false,
                w => return Err(w.wrong(format!("`{}` is not `strict` or `ignore`", w.text))),
            },
            "file" => self.file(first, rest)?,
            "process" => {
                let name = one(first, rest, "a name")?;
                self.process(name);
            }
            "setup" | "finally" if rest.is_empty() => {
                self.part = if first.text == "setup" { Part::Setup } else { Part::Finally };
            }
            "thread" => self.thread(first, rest)?,
            _ => self.operation(words)?,
        }
        if self.out.processes.len() > MAX_PROCESSES {
            return Err(first.wrong(format!("more than {MAX_PROCESSES} processes")));
        }
        Ok(())
    }

    fn process(&mut self, name: &Word<'_>) -> u8 {
        let known = self.out.processes.iter().position(|p| p == name.text);
        known.unwrap_or_else(|| {
            self.out.processes.push(name.text.to_owned());
            self.out.processes.len() - 1
        }) as u8
    }

    /// `file NAME DEVICE [PROCESS]`
    fn file(&mut self, first: &Word<'_>, rest: &[Word<'_>]) -> Result<(), ParseError> {
        let [name, device, process @ ..] = rest else {
            return Err(first.wrong("expected `file NAME DEVICE [PROCESS]`"));
        };
        if let Some(more) = process.get(1) {
            return Err(more.wrong("nothing more was expected here"));
        }
        if self.out.files.iter().any(|f| f.name == name.text) {
            return Err(name.wrong(format!("there is a file `{}` already", name.text)));
        }
        let known = self.out.devices.iter().position(|d| d == device.text);
        let device_ix = known.unwrap_or_else(|| {
            self.out.devices.push(device.text.to_owned());
            self.out.devices.len() - 1
        });
        if self.out.devices.len() > MAX_DEVICES {
            return Err(device.wrong(format!("more than {MAX_DEVICES} devices")));
        }
        if self.out.files.len() >= MAX_FILES {
            return Err(name.wrong(format!("more than {MAX_FILES} files")));
        }
        let app = Word { text: "app", ..*first };
        let process = self.process(process.first().unwrap_or(&app));
        self.out.files.push(FileDecl { name: name.text.to_owned(), device: device_ix as u8, process });
        Ok(())
    }

    /// `thread NAME [PROCESS] [xN]`
    fn thread(&mut self, first: &Word<'_>, rest: &[Word<'_>]) -> Result<(), ParseError> {
        let [name, more @ ..] = rest else {
            return Err(first.wrong("expected `thread NAME [PROCESS] [xN]`"));
        };
        let (mut process, mut copies) = (None, 1);
        for word in more {
            match word.text.strip_prefix('x').and_then(|n| n.parse::<u8>().ok()) {
                Some(n @ 1..) => copies = n,
                Some(0) => return Err(word.wrong("no thread at all")),
                None => process = Some(self.process(word)),
            }
        }
        self.open_process = process.is_none();
        let (process, ops) = (process.unwrap_or(0), Vec::new());
        self.out.threads.push(ThreadDecl { name: name.text.to_owned(), process, copies, ops });
        if self.out.threads.iter().map(|t| usize::from(t.copies)).sum::<usize>() > MAX_THREADS {
            return Err(name.wrong(format!("more than {MAX_THREADS} threads side by side")));
        }
        self.part = Part::Thread;
        Ok(())
    }

    /// `[NAME =] VERB ARGS… [WORDS…] [fails POINT] [may-fail POINT]`
    fn operation(&mut self, words: &[Word<'_>]) -> Result<(), ParseError> {
        let (result, words) = match words {
            [name, eq, rest @ ..] if eq.text == "=" => (Some(name), rest),
            _ => (None, words),
        };
        let Some((word, rest)) = words.split_first() else {
            let at = result.map_or(Word { text: "", line: 1, column: 1 }, |w| *w);
            return Err(at.wrong("expected an operation after `=`"));
        };
        let Some(verb) = Verb::from_word(word.text) else {
            const HEADS: [&str; 8] =
                ["scenario", "about", "races", "at-exit", "file", "process", "thread", "setup"];
            let known = VERBS.iter().map(|r| r.word).chain(HEADS).chain(["finally"]);
            let perhaps = near(word.text, known);
            return Err(
                word.wrong(format!("`{}` is no operation and no part of a scenario{perhaps}", word.text))
            );
        };
        if self.part == Part::Head {
            return Err(word.wrong("an operation belongs below `setup`, `thread NAME` or `finally`"));
        }
        self.ops += 1;
        if self.ops > MAX_OPS {
            return Err(word.wrong(format!("more than {MAX_OPS} operations")));
        }
        let row = verb.row();
        let mut args = Vec::new();
        let mut rest = rest.iter();
        for kind in row.takes {
            let Some(arg) = rest.next() else {
                return Err(word.wrong(format!("`{}` needs {}", row.word, takes(row.takes))));
            };
            args.push(self.arg(arg, *kind)?);
        }
        let mut op = Op { verb, process: 0, result: None, args, words: Vec::new(), faults: Vec::new() };
        while let Some(extra) = rest.next() {
            if let "fails" | "may-fail" = extra.text {
                let Some(point) = rest.next() else {
                    return Err(extra.wrong(format!("expected what {}: {}", extra.text, points())));
                };
                let Some((found, _)) = Point::ALL.iter().find(|(_, name)| *name == point.text) else {
                    return Err(point.wrong(format!("`{}` is not one of {}", point.text, points())));
                };
                op.faults.push((*found, extra.text == "fails"));
            } else if let Some(known) = row.words.iter().find(|w| **w == extra.text) {
                op.words.push(known);
            } else {
                let more = row.words.iter().map(|w| format!("`{w}`, ")).collect::<String>();
                return Err(extra.wrong(format!(
                    "`{}` is not known after `{}`: {more}`fails POINT` or `may-fail POINT` may come here",
                    extra.text, row.word
                )));
            }
        }
        op.process = self.process_of(&op);
        self.place(word, op, result)
    }

    fn arg(&self, word: &Word<'_>, kind: Kind) -> Result<Arg, ParseError> {
        let number = word.text.parse::<u16>().ok();
        match kind {
            Kind::File => {
                let ix = self.out.files.iter().position(|f| f.name == word.text);
                ix.map(|ix| Arg::File(ix as u8)).ok_or_else(|| {
                    let perhaps = near(word.text, self.out.files.iter().map(|f| f.name.as_str()));
                    word.wrong(format!(
                        "`{}` is no file: there is no line `file {} DEVICE`{perhaps}",
                        word.text, word.text
                    ))
                })
            }
            Kind::Process => {
                let ix = self.out.processes.iter().position(|p| p == word.text);
                ix.map(|ix| Arg::Process(ix as u8)).ok_or_else(|| {
                    word.wrong(format!(
                        "`{}` is no process: there is no line `process {}`",
                        word.text, word.text
                    ))
                })
            }
            Kind::Number | Kind::Handle if number.is_some_and(|n| n > 0 && n < u16::MAX) => {
                Ok(Arg::Number(number.unwrap_or(1)))
            }
            Kind::Number => Err(word.wrong(format!("`{}` is not a number from 1 to 65534", word.text))),
            _ => match self.out.vars.iter().position(|v| v.name == word.text) {
                Some(ix) if self.out.vars[ix].kind == kind => Ok(Arg::Var(ix as u8)),
                Some(ix) => {
                    let is = self.out.vars[ix].kind.name();
                    Err(word.wrong(format!("`{}` is {is}, not {}", word.text, kind.name())))
                }
                None => {
                    let names = self.out.vars.iter().filter(|v| v.kind == kind).map(|v| v.name.as_str());
                    let perhaps = near(word.text, names);
                    Err(word.wrong(format!(
                        "nothing before this line gives {} the name `{}`{perhaps}",
                        kind.name(),
                        word.text
                    )))
                }
            },
        }
    }

    /// The process that makes a call: that of the file or fd it is about.
    fn process_of(&self, op: &Op) -> u8 {
        match op.args.first() {
            Some(Arg::File(f)) => self.out.files[usize::from(*f)].process,
            Some(Arg::Process(p)) => *p,
            Some(Arg::Var(v)) => self.out.vars[usize::from(*v)].process,
            _ => 0,
        }
    }

    fn place(&mut self, word: &Word<'_>, mut op: Op, result: Option<&Word<'_>>) -> Result<(), ParseError> {
        let row = op.verb.row();
        match (result, row.gives) {
            (Some(name), Some(kind)) => op.result = Some(self.name(name, kind, &op)?),
            (Some(name), None) => {
                return Err(name.wrong(format!("`{}` gives nothing that could be named", row.word)));
            }
            (None, _) => {}
        }
        match self.part {
            Part::Head => {}
            Part::Setup => self.out.setup.push(op),
            Part::Finally => self.out.finally.push(op),
            Part::Thread => {
                let processes = &self.out.processes;
                let Some(thread) = self.out.threads.last_mut() else { return Ok(()) };
                if std::mem::take(&mut self.open_process) {
                    thread.process = op.process;
                }
                if thread.process != op.process {
                    let name = |p: u8| processes.get(usize::from(p)).map_or("?", String::as_str);
                    return Err(word.wrong(format!(
                        "the thread `{}` is of the process `{}`, and this is about a file or fd of `{}`",
                        thread.name,
                        name(thread.process),
                        name(op.process)
                    )));
                }
                thread.ops.push(op);
            }
        }
        Ok(())
    }

    fn name(&mut self, name: &Word<'_>, kind: Kind, op: &Op) -> Result<u8, ParseError> {
        if self.out.vars.iter().any(|v| v.name == name.text) {
            return Err(
                name.wrong(format!("`{}` has a meaning already: every name is given once", name.text))
            );
        }
        let copies = match self.part {
            Part::Thread => self.out.threads.last().map_or(1, |t| t.copies),
            _ => 1,
        };
        if name.text.parse::<u16>().is_ok() {
            return Err(name.wrong("a name is not a number"));
        }
        if self.out.vars.len() >= MAX_VARS {
            return Err(name.wrong(format!("more than {MAX_VARS} names")));
        }
        if copies > 1 {
            return Err(
                name.wrong("threads of which there are several cannot give names: which one's would it be?")
            );
        }
        let process = match (op.verb, op.args.get(1)) {
            (Verb::Send, Some(Arg::Process(p))) => *p,
            _ => op.process,
        };
        self.out.vars.push(Var { name: name.text.to_owned(), kind, process, dynamic: op.says("dynamic") });
        Ok(self.out.vars.len() as u8 - 1)
    }
}

fn one<'a, 'b>(first: &Word<'_>, rest: &'b [Word<'a>], what: &str) -> Result<&'b Word<'a>, ParseError> {
    match rest {
        [word] => Ok(word),
        [_, more, ..] => Err(more.wrong("nothing more was expected here")),
        [] => Err(first.wrong(format!("`{}` needs {what}", first.text))),
    }
}

fn takes(kinds: &[Kind]) -> String {
    kinds.iter().map(|k| k.name()).collect::<Vec<_>>().join(" and ")
}

fn points() -> String {
    Point::ALL.iter().map(|(_, name)| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
