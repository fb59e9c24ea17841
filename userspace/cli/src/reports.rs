//! `--report [FORMAT=]FILE`: where the reports of a verdict go, several at once, and that each is whole.
//!
//! All files are created before anything runs, so that a place that cannot be written is told while there is time. A file is
//! written beside its place and renamed into it, where the place allows: nobody ever reads half of a report. What is in a report is
//! the business of `gemscope_report`.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use gemscope_report::attribution::Test;
use gemscope_report::ci::{self, Setting, Tests};
use gemscope_report::{Names, escape, json, text};
use tempfile::NamedTempFile;

use crate::exit::Exit;
use crate::place::Place;
use crate::ui::{Sink, Ui};
use crate::{beside, values};

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// for people
    Text,
    /// JSON lines
    Jsonl,
    /// JUnit XML
    Junit,
    /// SARIF 2.1.0
    Sarif,
    /// KTAP, version 1
    Ktap,
    /// GitHub annotations
    Github,
    /// Markdown
    Markdown,
    /// one HTML page
    Html,
}

impl Format {
    const ALL: &'static [Self] = &[
        Self::Text,
        Self::Jsonl,
        Self::Junit,
        Self::Sarif,
        Self::Ktap,
        Self::Github,
        Self::Markdown,
        Self::Html,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Jsonl => "jsonl",
            Self::Junit => "junit",
            Self::Sarif => "sarif",
            Self::Ktap => "ktap",
            Self::Github => "github",
            Self::Markdown => "markdown",
            Self::Html => "html",
        }
    }
}

/// A report that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// how; `None` is as it would go to the terminal
    format: Option<Format>,
    place: Place,
}

impl Wanted {
    /// Where it goes.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// The same, where its path begins at a folder.
    #[must_use]
    pub fn below(self, folder: &Path) -> Self {
        let place = self.place.below(folder);
        Self { place, ..self }
    }
}

/// `[FORMAT=]FILE`, as typed.
///
/// # Errors
/// The format is not known, or there is no file.
pub fn wanted(text: &str) -> Result<Wanted, String> {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric());
    let (format, path) = match text.split_once('=').filter(|(word, _)| is_word(word)) {
        None => (None, text),
        Some((word, path)) => {
            let known = Format::ALL.iter().copied().find(|f| f.name() == word);
            let names: Vec<_> = Format::ALL.iter().map(|f| f.name()).collect();
            let near = values::nearest(word, names.iter().copied());
            (
                Some(known.ok_or_else(|| {
                    format!(
                        "no format is called `{word}`{near}; there are {}; a file of this name is `./{}`",
                        names.join(", "),
                        escape::long(text.as_bytes())
                    )
                })?),
                path,
            )
        }
    };
    if path.is_empty() {
        return Err("give the file too, as junit=report.xml, or `-` for stdout".to_owned());
    }
    Ok(Wanted { format, place: OsString::from(path).into() })
}

/// The places of all reports, ready to be written.
pub struct Reports {
    json: bool,
    /// where people look, unless they named a place
    people: Option<Sink>,
    files: Vec<(Option<Format>, Target, Place)>,
}

impl Reports {
    /// Creates every file. `otherwise` is where the report for people goes when no file was asked for; `pages` says whether the
    /// records can be played again, which an HTML page needs.
    ///
    /// # Errors
    /// A file cannot be created, or two reports would go to one place.
    pub fn open(wanted: &[Wanted], json: bool, otherwise: Sink, pages: bool) -> anyhow::Result<Self> {
        sound(wanted, pages)?;
        let mut files = Vec::with_capacity(wanted.len());
        for one in wanted {
            let place = &one.place;
            let target = Target::of(place).with_context(|| {
                format!("cannot write the report to `{place}`; choose another place with `--report FILE`")
            })?;
            files.push((one.format, target, place.clone()));
        }
        let stdout = wanted.iter().any(|one| one.place.is_stdout());
        let told = wanted.iter().any(|one| matches!(one.format, None | Some(Format::Text)));
        let people = match otherwise {
            _ if told => None,
            Sink::Stdout if stdout => Some(Sink::Stderr),
            otherwise => Some(otherwise),
        };
        Ok(Self { json, people, files })
    }

    /// Writes every report, also those after one that cannot be written. `page` makes the HTML page.
    ///
    /// # Errors
    /// The first that could not be written.
    pub fn write(
        self,
        ui: &Ui,
        names: &Names<'_>,
        exit: Exit,
        page: &dyn Fn(&Names<'_>) -> anyhow::Result<String>,
    ) -> anyhow::Result<()> {
        let mut result = Ok(());
        let untold = self.people.is_none();
        if let Some(mut sink) = self.people
            && let Err(error) = ui.report(&mut sink, names, self.json)
        {
            result = Err(error);
        }
        for (format, target, place) in self.files {
            let format = format.unwrap_or(if self.json { Format::Jsonl } else { Format::Text });
            let written =
                bytes(format, ui, names, &target, exit, page).and_then(|bytes| target.write(&bytes));
            let written = written.with_context(|| format!("cannot write the report to `{place}`"));
            // What was found must not be lost with the file that was for people.
            if untold && written.is_err() && matches!(format, Format::Text | Format::Jsonl) {
                let _ = ui.report(&mut Sink::Stderr, names, self.json);
            }
            if let (Ok(()), Err(error)) = (&result, written) {
                result = Err(error);
            }
        }
        result
    }
}

/// Can all of these be written together? That can be told before anything is created.
///
/// # Errors
/// Two go to one place, or a page is asked for where `pages` says that there can be none.
pub fn sound(wanted: &[Wanted], pages: bool) -> anyhow::Result<()> {
    for (i, one) in wanted.iter().enumerate() {
        ensure!(
            !wanted.iter().take(i).any(|other| other.place == one.place),
            "two reports would go to `{}`: give each a place of its own",
            one.place
        );
        ensure!(
            pages || one.format != Some(Format::Html),
            "an HTML page is made of the records: keep them with `--output TRACE`"
        );
    }
    Ok(())
}

fn bytes(
    format: Format,
    ui: &Ui,
    names: &Names<'_>,
    target: &Target,
    exit: Exit,
    page: &dyn Fn(&Names<'_>) -> anyhow::Result<String>,
) -> anyhow::Result<Vec<u8>> {
    let root = root();
    // Only JUnit has a case for each test.
    let tests = if format == Format::Junit { names.tests() } else { Vec::new() };
    let called: Vec<String> = tests.iter().map(Test::text).collect();
    let of = |number| names.test_of(number).and_then(|test| tests.binary_search(&test).ok());
    let setting = Setting {
        version: env!("CARGO_PKG_VERSION"),
        root: &root,
        exit: exit as u8,
        tests: (!tests.is_empty()).then_some(Tests { names: &called, of: &of }),
    };
    let mut out = Vec::new();
    match format {
        Format::Text => {
            let mut told = String::new();
            text::report(&mut told, names, &target.palette(ui))?;
            out = told.into_bytes();
        }
        Format::Jsonl => json::report(&mut out, names)?,
        Format::Junit => ci::junit::report(&mut out, names, &setting)?,
        Format::Sarif => ci::sarif::report(&mut out, names, &setting)?,
        Format::Ktap => ci::ktap::report(&mut out, names, &setting)?,
        Format::Github => {
            // An annotation begins a line, and what the command wrote before may not have ended its own.
            if matches!(target, Target::Stdout) {
                out.push(b'\n');
            }
            ci::github::report(&mut out, names, &setting)?;
        }
        Format::Markdown => ci::markdown::report(&mut out, names, &setting)?,
        Format::Html => out = page(names)?.into_bytes(),
    }
    Ok(out)
}

/// The folder of the sources: the checkout of a CI job, or where gemscope was called.
fn root() -> String {
    let checkout = ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"].iter().find_map(std::env::var_os);
    let root = checkout.map(PathBuf::from).or_else(|| std::env::current_dir().ok());
    root.and_then(|root| root.into_os_string().into_string().ok()).unwrap_or_default()
}

/// Where one report goes.
enum Target {
    Stdout,
    /// A file beside the place, which it will take.
    Beside(NamedTempFile, PathBuf),
    /// The place itself: a pipe, a device, or a file in a folder that takes no other.
    Direct(File),
}

impl Target {
    fn of(place: &Place) -> anyhow::Result<Self> {
        place.file().map_or(Ok(Self::Stdout), Self::at)
    }

    fn at(path: &Path) -> anyhow::Result<Self> {
        // A link stays one: what it leads to is written.
        let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let there = fs::metadata(&place).ok();
        match &there {
            Some(meta) if meta.is_dir() => bail!("it is a folder"),
            Some(meta) if !meta.is_file() => {
                return Ok(Self::Direct(OpenOptions::new().write(true).open(&place)?));
            }
            // Who may not write the file may not replace it either.
            Some(_) => drop(OpenOptions::new().write(true).open(&place)?),
            None => {}
        }
        // Root gives up the right to write everywhere before it writes: in a folder of somebody else it could not rename any more.
        let direct = || OpenOptions::new().write(true).create(true).truncate(false).open(&place);
        if nix::unistd::Uid::effective().is_root() && fs::metadata(beside::folder(&place))?.uid() != 0 {
            return Ok(Self::Direct(direct()?));
        }
        match beside::file(&place) {
            Ok(file) => Ok(Self::Beside(file, place)),
            Err(_) if there.is_some() => Ok(Self::Direct(direct()?)),
            Err(error) => Err(error.into()),
        }
    }

    fn palette(&self, ui: &Ui) -> text::Palette {
        match self {
            Self::Stdout => ui.palette(&Sink::Stdout),
            Self::Beside(..) | Self::Direct(_) => ui.plain(),
        }
    }

    fn write(self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Stdout => Sink::Stdout.write(bytes),
            Self::Beside(mut file, place) => {
                file.write_all(bytes)?;
                file.persist(place)?;
                Ok(())
            }
            Self::Direct(mut file) => {
                if file.metadata()?.is_file() {
                    file.set_len(0)?;
                    file.rewind()?;
                }
                Sink::File(file).write(bytes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Option<(Option<Format>, &str)>) {
        let got = wanted(text).ok();
        assert_eq!(got, want.map(|(format, path)| Wanted { format, place: OsString::from(path).into() }));
    }

    #[test]
    fn formats_and_files() {
        check("out.txt", Some((None, "out.txt")));
        check("-", Some((None, "-")));
        check("junit=out.xml", Some((Some(Format::Junit), "out.xml")));
        check("sarif=-", Some((Some(Format::Sarif), "-")));
        check("html=a=b.html", Some((Some(Format::Html), "a=b.html")));
        check("./x=y", Some((None, "./x=y")));
        check("dir/x=y", Some((None, "dir/x=y")));
        check("=x", Some((None, "=x")));
        check("junt=x", None);
        check("junit=", None);
        check("", None);
        assert!(wanted("junt=x").unwrap_err().contains("did you mean `junit`"));
    }

    #[test]
    fn a_report_is_whole_or_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report");
        let target = Target::at(&path).unwrap();
        assert!(!path.exists());
        target.write(b"all").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"all");
        drop(Target::at(&path).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"all");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(Target::at(dir.path()).is_err() && Target::at(&path.join("below")).is_err());
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        Target::at(&link).unwrap().write(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
