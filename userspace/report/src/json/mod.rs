//! The report that programs read: JSON lines, one object a line, each with a `type`.
//!
//! First a `header`, then every `finding`, `near-miss`, `breach`, `kept`, `entry` and `note`, last the `summary`. The schema of a line is committed as
//! `schema/gemscope.schema.json`; fields are only ever added. Names from outside are lossy UTF-8, and characters that
//! could steer a terminal are written as `\u` escapes, so that a line may be looked at and still means the same.

pub(crate) mod build;
pub(crate) mod lines;
mod policy;
mod safe;

use std::io;

pub use lines::Line;
pub use safe::write_line;

use crate::names::Names;
use crate::notes::notes;

/// Writes the whole report, a JSON object per line.
///
/// # Errors
/// Those of `out`.
pub fn report(out: &mut dyn io::Write, names: &Names<'_>) -> io::Result<()> {
    write_line(out, &Line::Header(Box::new(build::header(names.context))))?;
    let outcome = &names.judgement.outcome;
    for finding in &names.judgement.findings {
        // Near misses have numbers of their own.
        let set_aside = outcome.aside(finding.number).map(policy::set_aside);
        let line = lines::Finding { set_aside, ..build::finding(names, finding) };
        write_line(out, &Line::Finding(Box::new(line)))?;
    }
    for near in &names.judgement.near_misses {
        write_line(out, &Line::NearMiss(Box::new(build::finding(names, near))))?;
    }
    for breach in &outcome.breaches {
        write_line(out, &Line::Breach(Box::new(policy::breach(names, breach))))?;
    }
    for kept in &outcome.kept {
        write_line(out, &Line::Kept(policy::kept(kept)))?;
    }
    for entry in &outcome.entries {
        write_line(out, &Line::Entry(policy::entry(entry)))?;
    }
    for unjudged in &outcome.unjudged {
        write_line(out, &Line::Unjudged(policy::kept(unjudged)))?;
    }
    for note in &outcome.notes {
        write_line(out, &Line::Note(policy::note(note)))?;
    }
    for note in notes(names.judgement) {
        write_line(out, &Line::Note(build::note(names, note)))?;
    }
    write_line(out, &Line::Summary(build::summary(names)))
}

#[cfg(test)]
mod tests {
    use snapbox::{Data, assert_data_eq, file};

    #[test]
    fn the_committed_schema_is_that_of_the_types() {
        let schema = schemars::schema_for!(super::Line);
        let mut text = serde_json::to_string_pretty(&schema).unwrap();
        text.push('\n');
        let committed: Data = file!["../../schema/gemscope.schema.json"];
        assert_data_eq!(Data::text(text), committed.raw());
    }
}
