//! The monitor, on a terminal of its own and without one, beside a compositor that loses buffers.

use super::row::{ON_6_18, ON_NEWEST, Row, row};
use crate::expect::Expect::{Line, Says};
use crate::expect::Is::{AtLeast, Number, Text};

/// As text: the process that grows and the line of code that it grows at.
pub const AS_TEXT: Row = row(
    "top-as-text",
    "gemclient compositor --seconds 200 & leak=$!; gemscope top -n 1 --delay 3; code=$?; kill $leak; exit $code",
    &[
        Says("compositor"),
        Says("import"),
        Says("TAKEN AND NOT GIVEN BACK"),
        Says("no finding so far; "),
        Says(", none lost;"),
    ],
)
.usually(ON_6_18);

/// Nobody reads what is drawn, so that drawing blocks, while buffers are passed about as fast as it goes: for five seconds records are
/// taken in and written all the same. (The trace's own header, which comes when all is attached, has more than 3,000 bytes.) Then the views are gone through. Nothing is lost, and the terminal is given back.
pub const UNREAD: Row = row(
    "top-unread",
    "gemclient bench-loop --rounds 100000000 & load=$!; \
     gemclient terminal go 1234q gemscope top -o top.gemtrace >screen & watch=$!; \
     awaited '[ $(stat -c %s top.gemtrace) -gt 3000 ]'; \
     size=$(stat -c %s top.gemtrace); sleep 5; \
     [ $(stat -c %s top.gemtrace) -gt $((size + 4000)) ] && echo 'taken in while nobody read'; touch go; \
     wait $watch; code=$?; kill $load; \
     grep -q '1049h' screen && grep -q '1049l' screen && echo 'taken and given back'; \
     grep 'none lost' screen; gemscope replay --json top.gemtrace; exit $code",
    &[
        Says("taken in while nobody read"),
        Says("taken and given back"),
        Says("none lost"),
        Line(&[("/type", Text("summary")), ("/lost", Number(0)), ("/records", AtLeast(5_000))]),
    ],
)
.seconds(240)
.usually(ON_NEWEST);
