//! The report as one HTML page: for a CI artefact, a phone, a printer and a link to one finding.
//!
//! The page is whole in itself. It loads nothing, and its Content-Security-Policy would not let it: style and script are
//! allowed by their hashes, so that markup which got in by a name could do nothing. The script sorts tables, widens frames of the
//! flame graph and opens what a link leads to; without it everything is there to read.
//!
//! Markup is built with `maud`: its macro is checked when gemscope is compiled (a tag that is not closed does not
//! build), everything that is not a literal is escaped, and it is small and free of unsafe code. A template
//! file would put the words far from the values that they speak of. Names from outside have been through
//! [`escape`](crate::escape) before, as everywhere; `maud` then makes them harmless as HTML. Only two things go in without:
//! the constant style and script.
//!
//! Size is bounded: the findings that differ in nothing but numbers are told a few times, tables and drawings end at
//! fixed lengths, and each says how much it left out.
//!
//! What it is not for: reading traces, or asking for the time.

mod assertions;
mod axis;
mod finding;
mod flame;
mod graph;
mod growth;
mod head;
mod lives;
mod marks;
mod policy;
mod stack;
mod summary;
mod tables;
mod timeline;

use gemscope_engine::Verdict;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use axis::Window;
pub use lives::{End, Life, Lives, Of};

use crate::escape;
use crate::names::{Names, number};
use crate::series::Series;
use crate::survey::{Survey, World};
use crate::text::Palette;

/// The words of the text report, without its colours.
static PLAIN: Palette = Palette::plain();

/// Everything that the page is made of.
#[derive(Clone, Copy)]
pub struct Report<'a> {
    /// names, and what was judged
    pub names: Names<'a>,
    /// how much was alive when
    pub series: &'a Series,
    /// when handles and dma-bufs lived
    pub lives: &'a Lives,
    /// the moment that the tables are of
    pub alive: Moment<'a>,
    /// the moment that call sites are of: often earlier, when at the end nothing was outstanding that was seen being taken
    pub taken: Moment<'a>,
    /// wall-clock time of the beginning of the recording, for people; empty when not known
    pub started: &'a str,
    /// commands that show the same again, one a line
    pub again: &'a [String],
    /// version of the gemscope that writes
    pub version: &'a str,
}

/// A moment of a machine.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// what there was
    pub world: World<'a>,
    /// as tables
    pub survey: &'a Survey,
    /// it is the one with the most, because at the end there was nothing to show
    pub peak: bool,
    /// the time that is told as zero, `CLOCK_MONOTONIC` ns
    pub start_ns: u64,
}

impl Moment<'_> {
    /// `at the end`
    fn when(&self) -> String {
        if self.peak {
            let ns = self.world.now_ns.saturating_sub(self.start_ns);
            format!("at the peak (+{}): at the end no reference was outstanding", axis::duration(ns))
        } else {
            "at the end".to_owned()
        }
    }

    /// `gemclient (pid 12)`
    fn process(&self, tgid: u32) -> String {
        match (tgid, self.world.comm(tgid).as_str()) {
            (0, _) => "not known whose".to_owned(),
            (_, "") => format!("pid {tgid}"),
            (_, comm) => format!("{comm} (pid {tgid})"),
        }
    }
}

impl Report<'_> {
    /// The time that plots begin with.
    fn zero_ns(&self) -> u64 {
        let first = self.series.points().first().map_or(0, |p| p.ts_ns);
        match self.names.context.start_ns {
            0 => first,
            start => start.min(first),
        }
    }

    /// The time that plots show: from the first buffer to the last, and every finding. A recording may be idle for long.
    fn window(&self) -> Window {
        let end = self.series.points().last().map_or(0, |p| p.ts_ns);
        let lives = self.lives.most(timeline::MOST);
        let lives = lives.iter().flat_map(|l| [l.begin.ts_ns, l.end_ns]);
        let findings = self.names.judgement.findings.iter().map(|f| f.event.at);
        let findings = findings.filter(gemscope_engine::Stamp::is_known).map(|at| at.ts_ns);
        Window::around(lives.chain(findings), self.zero_ns(), end)
    }

    /// Name of a process, by whoever knows it.
    fn names_of_process(&self, tgid: u32) -> String {
        match self.names.comm(tgid).as_str() {
            "" => self.alive.process(tgid),
            _ => self.names.process(tgid),
        }
    }

    /// The page.
    #[must_use]
    pub fn page(&self) -> String {
        let sections = html! {
            (summary::section(&self.names))
            (assertions::section(&self.names))
            (summary::near_misses(&self.names))
            (timeline::section(self))
            (growth::section(self))
            (flame::section(self))
            (tables::section(&self.alive))
        };
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(policy::policy());
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="referrer" content="no-referrer";
                    meta name="generator" content=(format!("gemscope {}", self.version));
                    title { (self.title()) }
                    style { (PreEscaped(policy::STYLE)) }
                }
                body {
                    a.skip href="#findings" { "To the findings" }
                    header {
                        p.brand { "gemscope report" }
                        h1 { (self.heading()) }
                        (head::verdict(self))
                        (self.contents())
                    }
                    main {
                        (head::facts(self))
                        (sections)
                    }
                    (self.foot())
                    script { (PreEscaped(policy::SCRIPT)) }
                }
            }
        };
        let mut page = page.into_string();
        page.push('\n');
        page
    }

    /// For the browser's tab.
    fn title(&self) -> String {
        let j = self.names.judgement;
        let verdict = match j.verdict {
            Verdict::Clean => "clean".to_owned(),
            Verdict::Findings => crate::names::plural(j.certain() as u64, "finding", "findings"),
            Verdict::Undecided(_) => "undecided".to_owned(),
        };
        format!("{verdict} - {} - gemscope", self.heading())
    }

    /// What was watched, in short.
    fn heading(&self) -> String {
        let c = self.names.context;
        match (c.command.as_slice(), c.trace.as_str()) {
            ([], "") => "GPU buffers".to_owned(),
            ([], trace) => escape::name(trace.rsplit('/').next().unwrap_or(trace).as_bytes()),
            (command, _) => {
                let first = command.first().map_or("", |w| w.rsplit('/').next().unwrap_or(w));
                let words: Vec<&str> =
                    std::iter::once(first).chain(command.iter().skip(1).map(String::as_str)).collect();
                escape::cut(words.join(" ").as_bytes(), 60)
            }
        }
    }

    fn contents(&self) -> Markup {
        let findings = self.names.judgement.findings.len();
        html! {
            nav aria-label="Contents" {
                ul {
                    li { a href="#about" { "What was run" } }
                    li { a href="#findings" { "Findings (" (number(findings as u64)) ")" } }
                    @if assertions::any(&self.names) { li { a href="#assertions" { "Assertions" } } }
                    @if !self.names.judgement.near_misses.is_empty() { li { a href="#near-misses" { "Near misses" } } }
                    li { a href="#timeline" { "Timeline" } }
                    li { a href="#growth" { "Growth" } }
                    li { a href="#flame" { "Call sites" } }
                    li { a href="#alive" { "Tables" } }
                }
            }
        }
    }

    fn foot(&self) -> Markup {
        html! {
            footer {
                h2 { "The same again" }
                pre { @for line in self.again { code { (escape::cut(line.as_bytes(), 400)) } "\n" } }
                p {
                    "Written by gemscope " (self.version)
                    @if !self.names.context.gemscope.is_empty() {
                        "; recorded by gemscope " (escape::name(self.names.context.gemscope.as_bytes()))
                    }
                    ". This file is whole in itself: it loads nothing and sends nothing."
                }
            }
        }
    }
}
