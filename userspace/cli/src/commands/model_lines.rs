//! The lines that programs read of `replay --conformance` and `replay --what-if`. The doc comments here are the schema's
//! descriptions; the schema is committed as `userspace/cli/schema/model.schema.json`, and fields are only ever added.

use serde::Serialize;

/// The line of `gemscope replay --conformance --json`, or of `--what-if`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Line {
    /// A recorded kernel beside the model of it.
    Conformance(Box<ConformanceLine>),
    /// A recorded run by the rules of another kernel.
    WhatIf(Box<WhatIfLine>),
}

/// What came of a comparison.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ConformanceLine {
    /// `conforms`, `differs` or `undecided`
    pub verdict: &'static str,
    /// the rules of the recorded kernel
    pub profile: String,
    /// records of the trace
    pub records: u64,
    /// records that were compared with a prediction, up to the difference
    pub compared: u64,
    /// operations that were recognised
    pub operations: u64,
    /// threads that made them
    pub threads: u64,
    /// states that were tried beside those of the first order
    pub orders: u64,
    /// why a difference could have another reason, one sentence each
    pub doubts: Vec<String>,
    /// bugs that these rules are known to have, and that the run met
    pub known: Vec<Known>,
    /// records of which no prediction is made
    pub unpredicted: Vec<Silent>,
    /// the first record that no order of the threads' steps explains
    pub difference: Option<Part>,
}

/// A bug of the era.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Known {
    /// its name
    pub wrong: &'static str,
    /// the first record with it, from 1
    pub record: u64,
}

/// Records without a prediction.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Silent {
    /// of this probe
    pub probe: &'static str,
    /// the reason
    pub why: &'static str,
    /// how many
    pub count: u64,
}

/// Where the kernel and the model part.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Part {
    /// the record's number, from 1
    pub record: u64,
    /// the thread
    pub tid: u32,
    /// what was observed, in words
    pub observed: String,
    /// what the model predicts, in words
    pub predicted: String,
    /// what differs
    pub why: String,
    /// what the model knows then
    pub knows: Vec<String>,
}

/// What a run would have come to.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WhatIfLine {
    /// the rules of the recorded kernel
    pub recorded: String,
    /// the other rules
    pub profile: String,
    /// operations that were made again
    pub operations: u64,
    /// operations that could not be
    pub left_out: u64,
    /// what the answer rests on
    pub assumed: &'static str,
    /// why the trace may not be whole, one sentence each
    pub doubts: Vec<String>,
    /// what would have gone wrong, in order
    pub wrong: Vec<Then>,
    /// what would have come to something else
    pub otherwise: Vec<Otherwise>,
}

/// Something that would have gone wrong.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Then {
    /// the first record of the operation that it comes with, from 1
    pub record: u64,
    /// the operation, in words
    pub operation: &'static str,
    /// what is wrong: its name
    pub wrong: &'static str,
    /// what that means
    pub text: &'static str,
    /// with what
    pub about: String,
}

/// A call that would have come to something else.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Otherwise {
    /// its first record, from 1
    pub record: u64,
    /// the operation, in words
    pub operation: &'static str,
    /// by the recorded rules
    pub recorded: String,
    /// by the other rules
    pub there: String,
}

#[cfg(test)]
mod tests {
    use snapbox::{Data, assert_data_eq, file};

    use super::*;

    #[test]
    fn the_schema_is_that_of_the_lines() {
        let schema = schemars::schema_for!(Line);
        let mut text = serde_json::to_string_pretty(&schema).unwrap();
        text.push('\n');
        let committed: Data = file!["../../schema/model.schema.json"];
        assert_data_eq!(Data::text(text), committed.raw());
    }
}
