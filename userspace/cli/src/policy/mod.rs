//! What a project lets pass, as the commands that judge use it: its files are read before anything is begun, applied to what was
//! found, and written when the report is out.

mod asked;
mod files;
mod settings;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use gemscope_engine::Verdict;
use gemscope_policy::{Baseline, Config, Leniency, Shrunk, Subject, Suppression, stanzas, suppress};
use gemscope_report::{Names, escape, plural};
use jiff::civil::Date;

use crate::args::{CheckArgs, LimitArgs, PolicyArgs};
use crate::exit::Exit;
use crate::place::Place;
use crate::reports::{self, Reports, Wanted};
use crate::source::Judged;
use crate::ui::{self, Sink};
pub use asked::Asked;
use settings::{Base, Settings};

/// What is let pass, and what is to be written about it.
pub struct Policy {
    /// the configuration, of which nothing has been merged with options
    pub config: Config,
    /// where it was read from
    file: Option<PathBuf>,
    suppressions: Vec<Suppression>,
    baseline: Option<(Base, Option<Baseline>)>,
    /// where stanzas go
    stanzas: Option<Place>,
    today: Date,
    /// what is to be made of the command, where there was one and it failed
    pub failed: Option<Leniency>,
    written: Vec<Writing>,
}

/// Something to write when the report is out.
enum Writing {
    Baseline { path: PathBuf, text: String, say: String },
    Stanzas(String),
    Say(String),
}

impl Policy {
    /// Reads everything that the options and the configuration name.
    ///
    /// # Errors
    /// A file is not there or has mistakes, two suppressions have one name, a file to be written is there already.
    pub fn load(args: &PolicyArgs) -> anyhow::Result<Self> {
        let (config, file) = files::config(args)?.unzip();
        let config = config.unwrap_or_default();
        let folder = file.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
        for (key, file) in
            [("trace-on-failure", &config.check.trace_on_failure), ("baseline", &config.check.baseline)]
        {
            ensure!(
                file.as_deref() != Some("-"),
                "`{key}` of the configuration is a file, and stdout is none"
            );
        }
        let Settings { suppressions: more, baseline, stanzas } = settings::settings(args, &config, folder);
        let mut suppressions = config.suppressions.clone();
        for path in more {
            suppressions.extend(files::suppressions(&path)?);
        }
        if let Some((a, b)) = same_name(&suppressions) {
            bail!(
                "two suppressions are called `{}`: {} and {}; each has its own name",
                escape::name(a.name.as_bytes()),
                escape::long(a.place.as_bytes()),
                escape::long(b.place.as_bytes())
            );
        }
        if let Some(path) = stanzas.as_ref().and_then(Place::file).filter(|path| path.exists()) {
            bail!("`{}` is there already: name a new file for --gen-suppressions", ui::shown(path));
        }
        let read = |base: Base| anyhow::Ok((files::baseline(&base)?, base));
        let baseline = baseline.map(read).transpose()?.map(|(known, base)| (base, known));
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        Ok(Self { config, file, suppressions, baseline, stanzas, today, failed: None, written: Vec::new() })
    }

    /// The reports that options and the configuration ask for: those of the command line first.
    fn wanted(&self, asked: &[Wanted]) -> anyhow::Result<Vec<Wanted>> {
        let folder = self.folder();
        let theirs = self.config.check.report.iter().map(|text| {
            let one = reports::wanted(text)
                .map_err(|why| anyhow::anyhow!("`report` of the configuration: {why}"))?;
            Ok(one.below(folder))
        });
        asked.iter().cloned().map(Ok).chain(theirs).collect()
    }

    /// Every file that a check writes, or may.
    ///
    /// # Errors
    /// A report of the configuration is none.
    pub fn written(&self, args: &CheckArgs) -> anyhow::Result<Vec<PathBuf>> {
        let reports = self.wanted(&args.report)?;
        let places = args.output.iter().chain(reports.iter().map(Wanted::place));
        let file = |place: &Place| place.file().map(Path::to_owned);
        let mut all: Vec<PathBuf> = places.filter_map(file).collect();
        all.extend(self.asked(args).trace_on_failure);
        all.extend(self.stanzas.as_ref().and_then(file));
        all.extend(self.baseline.iter().filter(|(base, _)| base.update).map(|(base, _)| base.path.clone()));
        Ok(all)
    }

    /// Can all of these be written together?
    ///
    /// # Errors
    /// Why not.
    pub fn sound(&self, asked: &[Wanted], pages: bool) -> anyhow::Result<()> {
        reports::sound(&self.wanted(asked)?, pages)
    }

    /// Does a check print something on stdout that was asked for there?
    ///
    /// # Errors
    /// A report of the configuration is none.
    pub fn prints(&self, asked: &[Wanted]) -> anyhow::Result<bool> {
        let reports = self.wanted(asked)?;
        Ok(reports.iter().map(Wanted::place).chain(&self.stanzas).any(Place::is_stdout))
    }

    /// The places of all reports; see [`Reports::open`].
    ///
    /// # Errors
    /// One cannot be written.
    pub fn reports(
        &self,
        asked: &[Wanted],
        json: bool,
        otherwise: Sink,
        pages: bool,
    ) -> anyhow::Result<Reports> {
        Reports::open(&self.wanted(asked)?, json, self.sink(otherwise), pages)
    }

    /// Where the report goes: stdout is for generated suppressions alone, when they are asked for there.
    #[must_use]
    pub fn sink(&self, otherwise: Sink) -> Sink {
        let printed = self.stanzas.as_ref().is_some_and(Place::is_stdout);
        match otherwise {
            Sink::Stdout if printed => Sink::Stderr,
            other => other,
        }
    }

    /// Sets aside what is let pass.
    pub fn apply(&mut self, judged: &mut Judged) {
        // It has the assertions, broken and kept.
        let mut outcome = judged.judgement().outcome.clone();
        if let Some(file) = &self.file {
            let text = format!("judged with the settings and suppressions of `{}`", file.display());
            outcome.notes.insert(0, text);
        }
        if self.suppressions.is_empty() && self.baseline.is_none() && self.stanzas.is_none() {
            return judged.apply(outcome);
        }
        // Subjects need the names of processes, which come with the breaches.
        judged.apply(outcome.clone());
        let all = subjects(&judged.names());
        let suppressed = suppress(&self.suppressions, &all, self.today);
        let rest: Vec<&Subject> = all.iter().filter(|s| !suppressed.has(s.number)).collect();
        outcome.set_aside(suppressed);
        let mut standing = rest.clone();
        if let Some((base, known)) = self.baseline.take() {
            let shown = base.path.to_string_lossy().into_owned();
            let now = if base.update { self.update(&base, known, judged, &rest) } else { known };
            if let Some(now) = now {
                let accepted = now.apply(rest.into_iter(), &shown);
                standing.retain(|s| !accepted.has(s.number));
                outcome.set_aside(accepted);
            }
        }
        judged.apply(outcome);
        if self.stanzas.is_some() {
            let taken = self.suppressions.iter().map(|s| s.name.as_str());
            self.written.push(Writing::Stanzas(stanzas(standing.into_iter(), taken)));
        }
    }

    /// What is asked of a check, by options and the configuration.
    #[must_use]
    pub fn asked(&self, args: &CheckArgs) -> Asked {
        Asked::of(args, &self.config, self.folder())
    }

    /// The folder at which paths of the configuration begin.
    fn folder(&self) -> &Path {
        self.file.as_deref().and_then(Path::parent).unwrap_or(Path::new(""))
    }

    /// The exit code of a judgement, by what is to be made of an undecided one and of a command that failed.
    #[must_use]
    pub fn exit(&self, judged: &Judged, args: &LimitArgs) -> Exit {
        let verdict = &judged.judgement().verdict;
        let undecided = args.undecided.or(self.config.check.undecided).unwrap_or(Leniency::Fail);
        if undecided == Leniency::Warn && matches!(verdict, Verdict::Undecided(_)) {
            ui::say("warning: the verdict is undecided, and passes as asked");
        }
        let exit = Exit::of_check(verdict, undecided, self.failed);
        match (self.failed, exit) {
            (Some(Leniency::Warn), Exit::Clean) => {
                let status = &judged.names().context.status;
                ui::say(&format!(
                    "warning: the command {status}, which is no part of the verdict: `--failing-command fail` makes it the exit code 4"
                ));
            }
            (_, Exit::CommandFailed) => {
                ui::say("the verdict passes, and the command failed: the exit code is 4")
            }
            _ => {}
        }
        exit
    }

    /// The baseline after this run, which is written later.
    fn update(
        &mut self,
        base: &Base,
        known: Option<Baseline>,
        judged: &Judged,
        found: &[&Subject],
    ) -> Option<Baseline> {
        let names = judged.names();
        let shown = ui::shown(&base.path);
        if let Some(why) = not_whole(&names) {
            self.written.push(Writing::Say(format!("the baseline `{shown}` stays as it is: {why}")));
            return known;
        }
        let subjects = found.iter().copied();
        let (now, say) = match known {
            None => {
                let made = Baseline::of(subjects, &kernel_line(&names.context.kernel));
                let entries = plural(made.accepted.len() as u64, "entry", "entries");
                (made, format!("the baseline `{shown}` is made, with {entries}"))
            }
            Some(known) => {
                let Shrunk { baseline, removed, lowered } = known.shrink(subjects);
                if removed + lowered == 0 {
                    self.written
                        .push(Writing::Say(format!("the baseline `{shown}` has nothing to take out")));
                    return Some(known);
                }
                let out = plural(removed as u64, "entry is", "entries are");
                let left = plural(baseline.accepted.len() as u64, "entry", "entries");
                (
                    baseline,
                    format!("of the baseline `{shown}` {out} taken out, {lowered} lowered; it has {left}"),
                )
            }
        };
        self.written.push(Writing::Baseline { path: base.path.clone(), text: now.render(), say });
        Some(now)
    }

    /// Writes what is to be written.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn finish(self) -> anyhow::Result<()> {
        for one in self.written {
            match one {
                Writing::Say(text) => ui::say(&text),
                Writing::Baseline { path, text, say } => {
                    files::replace(&path, text.as_bytes())
                        .with_context(|| format!("cannot write the baseline `{}`", path.display()))?;
                    ui::say(&say);
                }
                Writing::Stanzas(text) => match self.stanzas.as_ref().and_then(Place::file) {
                    None => ui::print(&text)?,
                    Some(path) => files::create(path, text.as_bytes())
                        .with_context(|| format!("cannot write the suppressions `{}`", ui::shown(path)))?,
                },
            }
        }
        Ok(())
    }
}

/// Findings and broken assertions in words, by their numbers.
fn subjects(names: &Names<'_>) -> Vec<Subject> {
    let findings = names.judgement.findings.iter().map(|f| names.subject(f));
    let breaches = names.judgement.outcome.breaches.iter().map(|b| names.subject_of_breach(b));
    let mut all: Vec<Subject> = findings.chain(breaches).collect();
    all.sort_by_key(|s| s.number);
    all
}

/// Why a run cannot tell what does not occur any more, if it cannot.
fn not_whole(names: &Names<'_>) -> Option<&'static str> {
    let (judgement, context) = (names.judgement, names.context);
    let uncertain = judgement.findings.iter().any(|f| f.tainted);
    let uncertain = uncertain || judgement.outcome.breaches.iter().any(|b| b.tainted);
    if uncertain || !judgement.doubts.is_empty() || !context.damage.is_empty() {
        return Some("something could have been missed, and what was missed is not fixed");
    }
    if !context.filters.is_empty() || !context.blinded.is_empty() {
        return Some("filters or missing probes kept something out of sight, and that is not fixed");
    }
    None
}

/// `6.12` of `6.12.4-arch1`; what is no such version stays.
fn kernel_line(release: &str) -> String {
    let number = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>();
    match release.split_once('.').map(|(major, rest)| (number(major), number(rest))) {
        Some((major, minor)) if !major.is_empty() && !minor.is_empty() => format!("{major}.{minor}"),
        _ => release.to_owned(),
    }
}

/// Two that have one name.
fn same_name(all: &[Suppression]) -> Option<(&Suppression, &Suppression)> {
    let mut sorted: Vec<&Suppression> = all.iter().collect();
    sorted.sort_by_key(|s| &s.name);
    sorted.windows(2).find_map(|two| match two {
        [a, b] if a.name == b.name => Some((*a, *b)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_kernels() {
        for (release, line) in
            [("6.12.4-arch1", "6.12"), ("7.0-rc1", "7.0"), ("model", "model"), ("", ""), ("5.x", "5.x")]
        {
            assert_eq!(kernel_line(release), line);
        }
    }
}
