//! The flight recorder: nothing on the disk until something is found, and then what led to it.

use super::row::{ON_6_1, ON_6_12, Row, row};
use crate::expect::Expect::{self, Complains, Line, Lines as Count, Says};
use crate::expect::Is::{AtLeast, Bool, Number, Text};

/// One mistake, known for certain although the beginning of the trace is missing.
const TWICE: &[Expect] = &[
    Says("before: \n"),
    Says("found: trace \n"),
    Says("asked: trace trace.2 \n"),
    Complains("because `double-close` was found"),
    Complains("because SIGUSR2 asked for it"),
    Complains("1 finding"),
    Line(&[("/type", Text("finding")), ("/rule", Text("double-close")), ("/certain", Bool(true))]),
    Count(1, &[("/type", Text("finding"))]),
    Line(&[("/type", Text("summary")), ("/lost", Number(0)), ("/records", AtLeast(20_000))]),
    Says("\"kind\":\"midway\""),
];

/// Many threads fill a ring over and over. A handle is closed twice among them: that is written, with what led to it. Then a signal asks
/// for more. What each of them lists is all that lies in the folder. The reader comes so seldom that it brings more than is kept each time.
pub const FOUND: Row = row(
    "flight-recorder",
    "mkdir kept; gemclient storm-threads --threads 4 --rounds 100000000 >/dev/null & storm=$!; \
     gemscope record --ring 256K --ring-size 64M --stall-reader 3000 -o kept/trace 2>said & watch=$!; \
     awaited 'grep -q Ctrl-C said'; sleep 4; \
     echo before: $(ls kept) ''; gemclient close-twice; awaited '[ -e kept/trace ]'; \
     echo found: $(ls kept) ''; kill -USR2 $watch; awaited '[ -e kept/trace.2 ]'; \
     echo asked: $(ls kept) ''; kill $watch; wait $watch; kill -9 $storm; cat said >&2; \
     gemscope replay --json kept/trace",
    TWICE,
)
.code(1)
.seconds(240)
.usually(ON_6_12);

/// The same in a tree of processes that the ring has forgotten the beginning of: what one of them leaks after that is found, and nothing
/// else.
pub const SCOPED: Row = row(
    "flight-recorder-scope",
    "gemscope record --ring 256K --ring-size 64M -o trace -- \
     sh -c 'gemclient bench-loop --rounds 4000 >/dev/null; gemclient forget-gem-close'; \
     ls; gemscope replay --json trace",
    &[
        Says("trace\n"),
        Complains("`handle-leak` was found"),
        Line(&[("/type", Text("finding")), ("/rule", Text("handle-leak")), ("/certain", Bool(true))]),
        Count(1, &[("/type", Text("finding"))]),
    ],
)
.code(1)
.seconds(240)
.usually(ON_6_12);

/// The trace of a check is kept when it is of use.
pub const ON_FAILURE: Row = row(
    "trace-on-failure",
    "gemscope check --trace-on-failure leaky -- gemclient forget-gem-close; echo \"ended with $?\"; \
     gemscope check --trace-on-failure clean -- gemclient six-step; echo \"clean with $?\"; \
     gemscope check --trace-on-failure leaky-end --trace-limit 64K -- gemclient forget-gem-close; \
     gemscope check --trace-on-failure clean-end --trace-limit 64K -- gemclient six-step; \
     echo kept: $(ls) ''; gemscope replay leaky-end >/dev/null; echo \"the end says $?\"; gemscope replay --json leaky",
    &[
        Says("ended with 1"),
        Says("clean with 0"),
        Says("the end says 1"),
        Says("kept: leaky leaky-end "),
        Line(&[("/type", Text("finding")), ("/rule", Text("handle-leak")), ("/certain", Bool(true))]),
    ],
)
.code(1)
.seconds(300)
.usually(ON_6_1);
