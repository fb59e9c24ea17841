//! JSON lines, tables and folded stacks of every trace.

use std::collections::{BTreeMap, BTreeSet};

use gemscope_report::export::folded;
use gemscope_report::survey::Kind;
use serde_json::Value;

use crate::{Outcome, traces};

const KINDS: &[Kind] = &[Kind::Handle, Kind::Fd, Kind::Attachment, Kind::Framebuffer];

#[test]
fn every_line_is_of_the_schema_and_every_id_is_its_own() {
    let schema: Value = serde_json::from_str(include_str!("../../schema/export.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let mut types: BTreeMap<String, u64> = BTreeMap::new();
    for trace in traces() {
        let mut ids = BTreeSet::new();
        let text = trace.lines();
        for line in text.lines() {
            let value: Value = serde_json::from_str(line).unwrap();
            if let Err(error) = schema.validate(&value) {
                panic!("{}: {error}: {line}", trace.name);
            }
            *types.entry(value["type"].as_str().unwrap().to_owned()).or_default() += 1;
            if let Some(id) = value["id"].as_str() {
                assert!(ids.insert(id.to_owned()), "{}: {id} twice", trace.name);
            }
        }
        assert!(text.lines().last().unwrap().starts_with("{\"type\":\"end\""));
    }
    println!("{types:?}");
    for name in ["header", "happening", "finding", "end"] {
        assert!(types.contains_key(name), "no trace has a line of type {name}");
    }
}

#[test]
fn every_table_has_its_columns() {
    for trace in traces() {
        for (table, columns, text) in trace.tables() {
            let mut rows = csv::Reader::from_reader(text.as_bytes());
            assert_eq!(rows.headers().unwrap(), columns, "{table}");
            for row in rows.records() {
                // A row of another length is an error.
                let row = row.unwrap();
                assert!(row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{table}: {row:?}");
            }
        }
    }
}

#[test]
fn the_columns_are_documented() {
    let page = include_str!("../../../../docs/export.md");
    use gemscope_report::export::csv::{BUFFERS, EVENTS, FINDINGS, PROCESSES, SITES};
    for column in [BUFFERS, EVENTS, FINDINGS, PROCESSES, SITES].into_iter().flatten() {
        assert!(page.contains(&format!("`{column}`")), "docs/export.md does not tell of `{column}`");
    }
}

#[test]
fn folded_stacks_count_what_stands() {
    let mut most = 0;
    for trace in traces() {
        // Somewhere in the middle, where things stand.
        let half = crate::Trace { records: trace.records[..trace.records.len() / 2].to_vec(), ..trace };
        let Outcome { feed, .. } = half.feed(|_, _| {});
        let world = feed.world(&half.context, &half.definitions);
        let stacks = folded::stacks(&world, &[Kind::Handle], folded::Value::Count);
        let known = world.engine.handles().filter(|h| h.created.is_known()).count() as u64;
        assert_eq!(stacks.values().sum::<u64>(), known, "{}", half.name);
        most = most.max(known);
        let mut out = Vec::new();
        folded::write(&mut out, &folded::stacks(&world, KINDS, folded::Value::Bytes)).unwrap();
        for line in String::from_utf8(out).unwrap().lines() {
            let (stack, n) = line.rsplit_once(' ').unwrap();
            assert!(n.parse::<u64>().unwrap() > 0);
            assert!(stack.split(';').all(|frame| !frame.is_empty()), "{line}");
        }
    }
    assert!(most > 3);
}

#[test]
fn a_difference_has_both_numbers() {
    let stacks = |all: &[(&str, u64)]| all.iter().map(|(s, n)| ((*s).to_owned(), *n)).collect();
    let mut out = Vec::new();
    let (before, after) = (stacks(&[("a;b", 1), ("a;c", 2)]), stacks(&[("a;c", 3), ("a;d", 4)]));
    folded::write_difference(&mut out, &before, &after).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "a;b 1 0\na;c 2 3\na;d 0 4\n");
}
