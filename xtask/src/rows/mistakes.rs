//! Programs with one mistake each, judged in one check.

use super::row::{Row, row};
use crate::expect::Expect::{Line, Lines as Count};
use crate::expect::Is::{Bool, Counts, Number, Text};

/// The finding of a mistake, by the name of the process that made it.
macro_rules! of {
    ($process:literal $rule:literal) => {
        Line(&[
            ("/type", Text("finding")),
            ("/rule", Text($rule)),
            ("/certain", Bool(true)),
            ("/event/process", Text($process)),
        ])
    };
}

/// As many of each rule as there are, each of the process that made it. Of the tree that is the last one, which has executed itself.
pub const TOGETHER: Row = row(
    "mistakes",
    "for link in plain nested fd twice tree sent s7; do ln -s /usr/bin/gemclient $link; done; \
     judged -- sh -c './plain forget-gem-close && ./nested forget-gem-close-nested && ./fd forget-prime-fd && ./twice close-twice && \
     ./tree fork-exec-tree && ./sent scm-forget-fd && ./s7 s7'",
    &[
        Line(&[("/type", Text("header")), ("/command_status", Text("exited with status 0"))]),
        Line(&[
            ("/type", Text("summary")),
            ("/verdict", Text("findings")),
            ("/lost", Number(0)),
            ("/by_rule", Counts(&[("double-close", 1), ("fd-leak", 2), ("handle-leak", 4)])),
        ]),
        Count(0, &[("/type", Text("finding")), ("/certain", Bool(false))]),
        of!("plain" "handle-leak"),
        of!("nested" "handle-leak"),
        of!("fd" "fd-leak"),
        of!("twice" "double-close"),
        of!("exe" "handle-leak"),
        of!("sent" "fd-leak"),
        of!("s7" "handle-leak"),
    ],
)
.code(1)
.seconds(240);
