//! The suite in a hurry: all offenders of user space in one check, and all look-alikes in another. Each by itself they take minutes for each
//! kernel, and are run when they are asked for; together they are part of every run.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::case::{CERTAIN, Case, DONE, Kind, cases};
use super::row::{Lines, Row, row};
use crate::expect::Expect::{self, Line, Lines as Count, Says};
use crate::expect::Is::{Counts, Number, Text};
use gemscope_vm::kernels::LINES;

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let both = |kind, name| LINES.iter().map(move |line| together(kind, name, line.name));
    both(Kind::Offender, "offenders").chain(both(Kind::LookAlike, "look-alikes")).collect()
});

/// The rows of this file: two for each line of kernels.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    ROWS.iter()
}

/// Does it need nothing but the client?
fn is_plain(case: &Case) -> bool {
    case.row.command == format!("judged -- {}", case.client) && case.client.starts_with("gemclient ")
}

/// One row for all cases of a kind that a line can do.
fn together(kind: Kind, name: &str, line: &str) -> Row {
    let plain = || cases().filter(|case| case.kind == kind && case.row.lines.hold(line) && is_plain(case));
    let mut command = String::from("cat >all <<'END'\n");
    let mut sums: BTreeMap<&'static str, i64> = BTreeMap::new();
    for case in plain() {
        command.push_str(case.client);
        command.push('\n');
        for (rule, count) in case.rules {
            *sums.entry(rule).or_default() += count;
        }
    }
    // What a client does with its input must not be the list's.
    command.push_str("END\njudged -- sh -c 'n=0; while read -r words; do $words </dev/null; n=$((n + 1)); done <all; echo \"$n cases\"'");
    let sums: Vec<(&'static str, i64)> = sums.into_iter().collect();
    let cases: &'static str = format!("{} cases\n", plain().count()).leak();
    let mut expect: Vec<Expect> = vec![DONE, CERTAIN, Says(cases)];
    if kind == Kind::Offender {
        let sums = Counts(sums.leak());
        let summary = [
            ("/type", Text("summary")),
            ("/verdict", Text("findings")),
            ("/lost", Number(0)),
            ("/by_rule", sums),
        ];
        expect.push(Line(Vec::from(summary).leak()));
    } else {
        expect.push(Line(&[("/type", Text("summary")), ("/verdict", Text("clean")), ("/lost", Number(0))]));
        expect.push(Count(0, &[("/type", Text("finding"))]));
    }
    let lines = Lines::Only(Vec::from([&*line.to_owned().leak()]).leak());
    let name: &'static str = format!("{name}-together-{}", line.replace('.', "-")).leak();
    row(name, command.leak(), expect.leak()).code(i32::from(kind == Kind::Offender)).lines(lines).seconds(300)
}
